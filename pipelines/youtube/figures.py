"""A channel's subscribers and views as anybody can see them: observations, one of each a day.

Belongs here: reading the figures. Does not: HTTP (`api`), what an observation is (`pipelines.observations`), videos.

The vendor rounds subscribers down to three significant digits. An owner may hide their number: then there is no figure,
which is not zero, and the day's record is quarantined.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta

import polars as pl

from pipelines.observations import PAYLOAD, covered, observation, observed
from pipelines.source import Account, Covered, Read, Record, Stream
from pipelines.youtube.api import Api

HIDDEN = "hiddenSubscriberCount: the channel hides its subscribers, so there is no figure"


def channel_statistics(account: Account, channel: str, figures: tuple[str, ...] = ("followers", "views")) -> Stream:
    """The stream. figures: those of them that are not told of by another one."""
    of_all = observed("youtube", "https://www.youtube.com/channel/{}")
    return Stream(
        name="channel_statistics",
        feeds=tuple(f"{figure}.observed" for figure in figures),
        fetch=lambda read: _fetch(account, channel, read),
        payload=PAYLOAD,
        facts=lambda records: of_all(records.filter(pl.col("figure").is_in(figures))),
        always={"network": "youtube"},
        overlap=timedelta(0),
        lateness=timedelta(0),
        mapping_version="2",
    )


def _fetch(account: Account, channel: str, read: Read) -> Generator[list[Record], None, Covered]:
    statistics = Api(account, read.clock).channel(channel, "statistics")["statistics"]
    hidden = HIDDEN if statistics.get("hiddenSubscriberCount") is True else None
    followers = observation(read, account.zone, channel, "followers", statistics.get("subscriberCount"), hidden)
    yield [followers, observation(read, account.zone, channel, "views", statistics.get("viewCount"))]
    return covered(read, account.zone)
