"""Streams of a network that tells of its days: the number of followers with what came and went, and figures of days.

Belongs here: how far such a stream covers, and what it yields. Does not: asking a network for its days (its module),
what the figures state (`profiles`, `profile_days`).

A network tells of a day once it is over, and often later: what is covered ends with the last day that was told, and a
day that is not told, or told of by what is no number, is not covered: it is not a day of zero.

Of days on which nobody read the number of followers, those before the first reading alone are reckoned: a pause of the
readings later stays a pause, whatever the network tells of its days. What came and went can fail by itself: the number
that was read stands without it, and why it did not come is told of in the quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl

from pipelines import profile_days, profiles
from pipelines.observations import covered as observed_from
from pipelines.profile_days import is_number
from pipelines.source import READ_AGAIN, Account, Covered, Read, Record, SourceError, Stream, VendorError

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

    @property
    def source(self) -> str:
        """What its errors call it."""
        return f"{self.account.organisation}.{self.account.source}"

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
        spans = runs(day for day, figure in figures.items() if is_number(figure))
        if not spans:
            found = f"{name}: what is told of {len(figures)} days is no number on any of them"
            raise VendorError(profile.source, found, READ_AGAIN)
        *earlier, (start, end) = ((profile.midnight(first), profile.midnight(last + _DAY)) for first, last in spans)
        return Covered(start, end, earlier=tuple(earlier))

    return profile_days.stream(
        name, event_type, fetch, profile.network, profile.days_zone, profile.late, profile.address
    )


def followers(
    profile: Profile,
    name: str,
    number: Callable[[Read], Any],
    told: Callable[[Read], Mapping[date, Moved]],
    rough: Callable[[pl.Expr], pl.Expr],
) -> Stream:
    """The number of followers, as it is read each day, and as what came and went says of the days before.

    number: asks how many there are. told: asks for the days from long before the reading's `since` on, or for all of
    them. rough: how far a number may be from what came and went (`profiles.followers`).
    """
    zone = profile.account.zone

    def fetch(read: Read) -> Generator[list[Record], None, Covered]:
        count = number(read)
        yield profiles.reading(profile.id, read.until, ZoneInfo(zone), count)
        before = _Before.of(profile, read)
        days: Mapping[date, Moved] = {}
        refused = None
        try:
            days = told(read if before.is_told else replace(read, since=None))
        except SourceError as failure:
            refused = f"what came and went is not known: {failure.found}. {failure.do}"
        yield [profiles.metric(profile.id, "came_and_went", refused)]
        yield [profiles.day(profile.id, day, gained=days[day].gained, lost=days[day].lost) for day in sorted(days)]
        if not is_number(count):
            found = f"{name}: their number is told to be {str(count)[:20]}, which is none"
            raise VendorError(profile.source, found, READ_AGAIN)
        before = before.after(day for day, one in days.items() if is_number(one.gained) and is_number(one.lost))
        earlier = before.span if before.is_told and not _Before.of(profile, read).is_told else None
        start = observed_from(read, zone).start
        return Covered(start, read.until, before.text(), earlier=() if earlier is None else (earlier,))

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


def runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days as spans without a hole, each by its first and its last day, in order."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] <= _DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


@dataclass(frozen=True, slots=True)
class _Before:
    """The days before the first reading: what the cursor remembers of them until they are covered, once.

    first: the day of the first reading. start, end: a span of days that were told without a hole. is_told: whether that
    came to the day of the first reading, so that the number before it could be reckoned.
    """

    profile: Profile
    first: date
    start: date | None = None
    end: date | None = None
    is_told: bool = False

    @classmethod
    def of(cls, profile: Profile, read: Read) -> _Before:
        """What the last reading remembered; at first, today alone."""
        if not read.cursor:
            return cls(profile, read.until.astimezone(ZoneInfo(profile.days_zone)).date())
        said = orjson.loads(read.cursor)
        start, end = (date.fromisoformat(said[name]) if said.get(name) else None for name in ("start", "end"))
        return cls(profile, date.fromisoformat(said["first"]), start, end, bool(said.get("is_told")))

    def text(self) -> str:
        """The cursor."""
        return orjson.dumps(
            {"first": self.first, "start": self.start, "end": self.end, "is_told": self.is_told}
        ).decode()

    def after(self, days: Iterable[date]) -> _Before:
        """What is known after days were told; those that were told before stay, where the network forgets them."""
        spans = runs(days)
        if self.is_told or not spans:
            return self
        start, end = next((span for span in spans if span[0] <= self.first <= span[1]), spans[-1])
        if self.start is not None and self.end is not None and start <= self.end + _DAY:
            start = min(start, self.start)
        return replace(self, start=start, end=end, is_told=start <= self.first <= end)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """What is covered of them: up to the end of the first reading's day."""
        if self.start is None:
            return None
        return self.profile.midnight(self.start), self.profile.midnight(self.first + _DAY)
