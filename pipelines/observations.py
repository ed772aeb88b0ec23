"""Figures of which a vendor knows only the present: one observation of each a day.

Belongs here: the record of a day's figure, what it states, and since when days are known. Does not: asking a vendor for
its figures (its module), or figures that the vendor keeps by the day.

An observation happens when it is read, and stands for its day in the organisation's zone: of several readings on a day
the latest holds, and a day without one stays unknown. Nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.source import Covered, Read, Record

PAYLOAD = pl.Struct({"profile": pl.String(), "figure": pl.String(), "count": pl.String(), "missing": pl.String()})


def today(read: Read, zone: str) -> date:
    """The day of the organisation that a reading is of."""
    return read.until.astimezone(ZoneInfo(zone)).date()


def observation(read: Read, zone: str, profile: str, figure: str, count: Any, missing: str | None = None) -> Record:
    """A figure as it is now. figure: followers or views. missing: why the vendor gives none, where it says."""
    told = {"profile": profile, "figure": figure, "count": count, "missing": missing}
    return Record(f"{figure}/{today(read, zone)}", read.until, told)


def covered(read: Read, zone: str) -> Covered:
    """What a reading of the present covers: it joins the last one, if that was yesterday's or today's.

    Otherwise it begins at today's midnight, as what was between is not known.
    """
    day = today(read, zone)
    if read.since is not None and read.since.astimezone(ZoneInfo(zone)).date() >= day - timedelta(days=1):
        return Covered(read.since, read.until)
    midnight = datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
    return Covered(midnight, read.until)


def observed(network: str, page: str) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    """What the figures of a network state. page: the address of a profile, with `{}` for its id."""

    def facts(records: pl.LazyFrame) -> pl.LazyFrame:
        count = pl.col("count").cast(pl.UInt64, strict=False)
        not_a_number = pl.format("{} count: not a number ({})", "figure", pl.col("count").fill_null("nothing"))
        return records.select(
            "record_key",
            fact_key="record_key",
            event_type=pl.format("{}.observed", "figure"),
            subject_id="profile",
            occurred_at=pl.col("revision").cast(UTC_MICROSECONDS),
            quantity=count,
            network=pl.lit(network),
            source_url=pl.format(page, "profile"),
            problem=pl.coalesce("missing", pl.when(count.is_null()).then(not_a_number)),
        )

    return facts
