"""What a network tells of a profile's days: followers that came or went, views. One record a day, one figure each.

Belongs here: what such a record states, and the stream of them. Does not: how many followers there are (`profiles`),
fetching.

A network counts days in a zone of its own, and tells of one only once it is over; each is dated at its noon there, so
that it is on the day that the network calls by that date wherever that is possible.

A day whose figure is no number is a day that nobody knows, as one that was not told is: a stream does not cover it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.source import Fetch, Record, Stream

PAYLOAD = pl.Struct({"profile": pl.String(), "date": pl.String(), "value": pl.String()})


def record(profile: str, on: date | str, value: Any) -> Record:
    """A day's figure, as it came."""
    return Record(f"{profile}/{on}", None, {"profile": profile, "date": str(on), "value": value})


def is_number(value: Any) -> bool:
    """Whether what a network tells as a figure is one: as `facts` and `profiles` understand it."""
    return isinstance(value, int | str) and re.fullmatch(r"[0-9]{1,19}", str(value)) is not None


def stream(
    name: str, event_type: str, fetch: Fetch, network: str, days_zone: str, late: timedelta, address: str | None
) -> Stream:
    """A figure of each day. late: how long after a day it may still be told of, or told otherwise."""
    return Stream(
        name=name,
        feeds=(event_type,),
        fetch=fetch,
        payload=PAYLOAD,
        facts=facts(event_type, network, days_zone, address),
        always={"network": network},
        overlap=late,
        lateness=late,
    )


def facts(
    event_type: str, network: str, days_zone: str, address: str | None = None
) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    """What those records state. days_zone: the network's. address: of a profile, with `{}`."""

    def told(records: pl.LazyFrame) -> pl.LazyFrame:
        day = pl.col("date").str.to_date("%Y-%m-%d", strict=False)
        noon = (day.cast(pl.Datetime("us")) + pl.duration(hours=12)).dt.replace_time_zone(days_zone)
        value = pl.col("value").cast(pl.UInt64, strict=False)
        return records.select(
            "record_key",
            fact_key="record_key",
            event_type=pl.lit(event_type),
            subject_id="profile",
            occurred_at=noon.dt.convert_time_zone("UTC").cast(UTC_MICROSECONDS),
            quantity=value,
            network=pl.lit(network),
            source_url=pl.lit(None, pl.String) if address is None else pl.format(address, "profile"),
            problem=pl.when(day.is_null())
            .then(pl.format("date: not a day ({})", "date"))
            .when(value.is_null())
            .then(pl.format("value: not a number that can be ({})", pl.col("value").fill_null("nothing"))),
        )

    return told
