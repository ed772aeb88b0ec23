"""A channel's subscribers and views: observations, one of each a day.

Belongs here: reading the figures, and the facts that they state. Does not: HTTP (`api`), videos.

`followers.observed` and `views.observed` happen when they are read. An observation stands for its day in the
organisation's zone: of several readings on a day the latest holds, and a day without one stays unknown. The vendor
rounds subscribers down to three significant digits. An owner may hide their number: then there is no figure, which is
not zero, and the day's record is quarantined.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.source import Account, Covered, Read, Record, Stream
from pipelines.youtube.api import Api

PAYLOAD = pl.Struct({"channel": pl.String(), "figure": pl.String(), "count": pl.String(), "is_hidden": pl.Boolean()})


def channel_statistics(account: Account, channel: str) -> Stream:
    """The stream."""
    return Stream(
        name="channel_statistics",
        feeds=("followers.observed", "views.observed"),
        fetch=lambda read: _fetch(account, channel, read),
        payload=PAYLOAD,
        facts=facts,
        always={"network": "youtube"},
        overlap=timedelta(0),
        lateness=timedelta(0),
    )


def _fetch(account: Account, channel: str, read: Read) -> Generator[list[Record], None, Covered]:
    statistics = Api(account, read.clock).channel(channel, "statistics")["statistics"]
    zone = ZoneInfo(account.zone)
    day = read.until.astimezone(zone).date()

    def record(figure: str, count: str, *, is_hidden: bool) -> Record:
        told = {"channel": channel, "figure": figure, "count": statistics.get(count), "is_hidden": is_hidden}
        return Record(f"{figure}/{day}", read.until, told)

    yield [
        record("followers", "subscriberCount", is_hidden=statistics.get("hiddenSubscriberCount") is True),
        record("views", "viewCount", is_hidden=False),
    ]
    return Covered(_observed_from(read, zone), read.until)


def _observed_from(read: Read, zone: ZoneInfo) -> datetime:
    """Where today's reading joins what was read before: at the last reading, if it was yesterday's or today's.

    Otherwise at today's midnight: an observation stands for its day, and what was between is not known.
    """
    today = read.until.astimezone(zone).date()
    if read.since is not None and read.since.astimezone(zone).date() >= today - timedelta(days=1):
        return read.since
    return datetime.combine(today, time.min, zone).astimezone(UTC)


def facts(records: pl.LazyFrame) -> pl.LazyFrame:
    """What a day's figures state."""
    count = pl.col("count").cast(pl.UInt64, strict=False)
    problem = (
        pl.when(pl.col("is_hidden"))
        .then(pl.lit("hiddenSubscriberCount: the channel hides its subscribers, so there is no figure"))
        .when(count.is_null())
        .then(pl.format("{} count: not a number ({})", "figure", pl.col("count").fill_null("nothing")))
    )
    return records.select(
        "record_key",
        fact_key="record_key",
        event_type=pl.format("{}.observed", "figure"),
        subject_id="channel",
        occurred_at=pl.col("revision").cast(UTC_MICROSECONDS),
        quantity=count,
        network=pl.lit("youtube"),
        source_url=pl.format("https://www.youtube.com/channel/{}", "channel"),
        problem=problem,
    )
