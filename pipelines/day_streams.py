"""Streams of a network that tells of its days: the number of followers with what came and went, and figures of days.

Belongs here: how far such a stream covers, and what it yields. Does not: asking a network for its days (its module),
what the figures state (`profiles`, `profile_days`).

A network tells of a day once it is over, and often later: what is covered ends with the last day that was told, and
begins after the last hole before it, as a day that is not told is not a day of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl

from pipelines import profile_days, profiles
from pipelines.observations import covered as observed_from
from pipelines.source import Account, Covered, Read, Record, Stream

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Profile:
    """A profile on a network. days_zone: in which it counts days. address: of a profile, with `{}` for its id.

    late: how long after its end a day can still be told, or told otherwise.
    """

    account: Account
    network: str
    id: str
    days_zone: str
    address: str
    late: timedelta

    def midnight(self, day: date) -> datetime:
        """When a day of the network's began."""
        return datetime.combine(day, time.min, ZoneInfo(self.days_zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Moved:
    """Who came and who went on a day."""

    gained: Any
    lost: Any


def daily(profile: Profile, name: str, event_type: str, told: Callable[[Read], Mapping[date, Any]]) -> Stream:
    """A figure of each day. told: asks for those from the reading's `since` on; raises where there are none at all."""

    def fetch(read: Read) -> Generator[list[Record], None, Covered]:
        figures = told(read)
        yield [profile_days.record(profile.id, day, figures[day]) for day in sorted(figures)]
        first, last = unbroken(sorted(figures))
        return Covered(profile.midnight(first), profile.midnight(last + _DAY))

    return Stream(
        name=name,
        feeds=(event_type,),
        fetch=fetch,
        payload=profile_days.PAYLOAD,
        facts=profile_days.facts(event_type, profile.network, profile.days_zone, profile.address),
        always={"network": profile.network},
        overlap=profile.late,
        lateness=profile.late,
    )


def followers(
    profile: Profile,
    name: str,
    number: Callable[[Read], Any],
    told: Callable[[Read], Mapping[date, Moved]],
    rough: Callable[[pl.Expr], pl.Expr],
) -> Stream:
    """The number of followers, as it is read each day, and as what came and went says of the days before.

    number: asks how many there are. told: asks for the days from long before the reading's `since` on. rough: how far a
    number may be from what came and went (`profiles.followers`).
    """
    zone = profile.account.zone

    def fetch(read: Read) -> Generator[list[Record], None, Covered]:
        yield profiles.reading(profile.id, read.until, ZoneInfo(zone), number(read))
        days = told(read)
        yield [profiles.day(profile.id, day, gained=days[day].gained, lost=days[day].lost) for day in sorted(days)]
        return _reckoned(profile, read, sorted(days))

    return Stream(
        name=name,
        feeds=("followers.observed",),
        fetch=fetch,
        payload=profiles.PAYLOAD,
        facts=profiles.followers(profile.network, zone, profile.days_zone, profile.address, rough),
        always={"network": profile.network},
        overlap=timedelta(0),
        lateness=timedelta(0),
        group=profiles.together,
    )


def unbroken(days: list[date]) -> tuple[date, date]:
    """The first and the last of the days that lie without a hole before the last one. days: in order, one at least."""
    first = days[-1]
    for day in reversed(days):
        first = day if first - day <= _DAY else first
    return first, days[-1]


def _reckoned(profile: Profile, read: Read, days: list[date]) -> Covered:
    """What is observed; and what was before, once the day of the first reading has been told too.

    The cursor remembers that day, and since when days are known.
    """
    today = read.until.astimezone(ZoneInfo(profile.days_zone)).date()
    known = {"first": str(today), "from": str(unbroken(days)[0]) if days else None}
    if read.cursor:
        known = orjson.loads(read.cursor)
    found = observed_from(read, profile.account.zone)
    start = found.start
    if days and known["from"] and days[-1] >= date.fromisoformat(str(known["first"])) and start is not None:
        start = min(start, profile.midnight(date.fromisoformat(known["from"])))
    return Covered(start, read.until, orjson.dumps(known).decode())
