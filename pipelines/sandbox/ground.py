"""What every part of a company's life stands on: its calendar, its growth and its random streams.

Belongs here: when a company works, how much happens in a month, and how chance is drawn. Does not: what happens
(`agency`, `business`).

Chance never depends on how far the life is told: a stream is seeded by what it is for, its day and its number, and a
month's plan by the month alone. What a thing needs from others (a buyer, a property) it takes from what existed before
it, in the order of birth.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from functools import cache
from itertools import groupby
from typing import TypeVar
from zoneinfo import ZoneInfo

import holidays

from pipelines.sandbox.company import Change, Changes

T = TypeVar("T")

DAY = timedelta(days=1)
HORIZON = timedelta(days=160)
"""How far ahead plans are made: longer than the longest sale, so that each is known on the day that it is opened."""

MINUTE, HOUR = 60, 3600
OPENING, LUNCH, RETURN, CLOSING = 9 * HOUR + 1800, 14 * HOUR, 16 * HOUR, 20 * HOUR

GOLDEN, SILVER = 0.6180339887498949, 0.4142135623730951
"""Multiples of these, modulo 1, are spread evenly: for shares that must hold in every month, not only at last."""


class Kind(IntEnum):
    """The first digits of an id, so that ids of different kinds are never equal by accident."""

    CONTACT = 1
    LISTING = 2
    SALE = 3
    CALL = 4
    VISIT = 5
    MEETING = 6
    TICKET = 7
    INVOICE = 8
    SUBSCRIPTION = 9
    POST = 10


def identity(kind: Kind, day: date, number: int) -> int:
    """The id of the number-th thing of its kind on a day; ids grow with the days."""
    return kind * 10**9 + day.toordinal() * 1000 + number


@cache
def _public_holidays(place: str, first_year: int, last_year: int) -> frozenset[date]:
    country, _, subdivision = place.partition("-")
    return frozenset(holidays.country_holidays(country, subdivision or None, range(first_year, last_year + 1)))


class _Midnights(dict[date, datetime]):
    """When each local day begins; converting a zone is slow, and the same days come again and again."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self.zone = zone

    def __missing__(self, day: date) -> datetime:
        midnight = self[day] = datetime.combine(day, time(), self.zone).astimezone(UTC)
        return midnight


@dataclass(frozen=True)
class Ground:
    """A company's seed, its span and its calendar. name: what tells its chances from another company's."""

    seed: int
    name: str
    founded: date
    last_day: date
    zone: ZoneInfo
    midnights: Mapping[date, datetime]
    holidays: frozenset[date]

    @classmethod
    def of(cls, seed: int, founded: date, last_day: date, zone: str, country: str, name: str = "") -> Ground:
        """The ground from the founding day to the end of every plan that the last day can see.

        country: whose holidays are kept, as ES-MD or CO.
        """
        if last_day < founded:
            raise ValueError(f"the last day {last_day} is before the founding day {founded}")
        place = ZoneInfo(zone)
        days_off = _public_holidays(country, founded.year, (last_day + HORIZON).year + 1)
        return cls(seed, name, founded, last_day, place, _Midnights(place), days_off)

    def chance(self, kind: str, when: date, number: int = 0) -> random.Random:
        """The random stream of one thing, and of nothing else."""
        return random.Random(f"{self.name}{self.seed}:{kind}:{when}:{number}")

    def at(self, day: date, seconds: int) -> datetime:
        """The instant so many seconds after a day began (a day has 23 or 25 hours when the clock changes)."""
        return self.midnights[day] + timedelta(seconds=seconds)

    def seconds_in(self, day: date) -> int:
        """How long the day is."""
        return int((self.midnights[day + DAY] - self.midnights[day]).total_seconds())

    def day_of(self, instant: datetime) -> date:
        """The local day of an instant."""
        return instant.astimezone(self.zone).date()

    def is_working(self, day: date) -> bool:
        """Whether the office works in full that day."""
        return day.weekday() < 5 and day not in self.holidays

    def has_lived(self, instant: datetime) -> bool:
        """Whether the company has lived the day of an instant."""
        return self.founded <= self.day_of(instant) <= self.last_day

    def months(self) -> Iterator[date]:
        """The first days of the months from the founding to the horizon."""
        month = self.founded.replace(day=1)
        while month <= self.last_day + HORIZON:
            yield month
            month = (month + DAY * 31).replace(day=1)

    def months_old(self, day: date) -> int:
        """How many calendar months after its founding."""
        return (day.year - self.founded.year) * 12 + day.month - self.founded.month

    def years_old(self, day: date) -> float:
        """How old the company is on a day."""
        return (day - self.founded).days / 365.25

    def days_in(self, month: date) -> list[date]:
        """The days of a month since the founding."""
        days = [month + DAY * n for n in range(31)]
        return [day for day in days if day.month == month.month and day >= self.founded]

    def worked_in(self, month: date) -> list[date]:
        """The days of a month on which the office works; none in a month that it was born at the end of."""
        return [day for day in self.days_in(month) if self.is_working(day)]

    def volume(self, kind: str, month: date, mean: float, jitter: float) -> int:
        """How many happen in a month: its mean, more or less, and only a part in a month that began before us."""
        share = len(self.days_in(month)) / max((month + DAY * 31).replace(day=1) - month, DAY).days
        spread = 1 + jitter * (2 * self.chance(f"{kind} volume", month).random() - 1)
        return round(mean * share * spread)

    def spread(self, kind: str, month: date, count: int, weekend: float) -> list[date]:
        """So many days of a month, in order; `weekend` weighs the days that are not worked."""
        days = self.days_in(month)
        weights = [1.0 if self.is_working(day) else weekend * (0.8 if day.weekday() == 6 else 1.0) for day in days]
        return sorted(self.chance(f"{kind} days", month).choices(days, weights, k=count)) if any(weights) else []

    def is_changing_clocks(self, day: date) -> bool:
        """Whether the day has 23 or 25 hours."""
        return self.seconds_in(day) != 24 * HOUR

    def changing_hours(self, rng: random.Random, day: date, side: int) -> datetime:
        """A moment in the hour before (0) or after (1) the clocks change, at three in the morning of summer time."""
        change = (2 if self.seconds_in(day) < 24 * HOUR else 3) * HOUR
        return self.at(day, change + (side - 1) * HOUR + rng.randrange(HOUR))

    def office_moment(self, rng: random.Random, day: date) -> datetime:
        """A moment of the day at which somebody sits in the office."""
        morning = rng.random() < 0.55
        first, last = (OPENING, LUNCH) if morning else (RETURN, CLOSING)
        return self.at(day, rng.randrange(first, last))

    def working_day_on_or_after(self, day: date) -> date:
        """The next day that is worked."""
        while not self.is_working(day):
            day += DAY
        return day

    def working_day_on_or_before(self, day: date) -> date:
        """The last day that was worked, not before the founding."""
        while not self.is_working(day) and day > self.founded:
            day -= DAY
        return day

    def answered_after(self, instant: datetime, seconds: int) -> datetime:
        """When the office gets to something: so long after it, or so long after it opens again."""
        then = instant + timedelta(seconds=seconds)
        day = self.day_of(then)
        opening, closing = self.at(day, OPENING), self.at(day, CLOSING)
        if self.is_working(day) and then <= closing:
            return max(then, opening + timedelta(seconds=seconds % (45 * MINUTE)))
        following = self.working_day_on_or_after(day + DAY)
        return self.at(following, OPENING + seconds % (90 * MINUTE))


def numbered(days: Iterable[date]) -> Iterator[tuple[date, int]]:
    """Each of the days with its number among those that are the same."""
    for day, same in groupby(days):
        for number, _ in enumerate(same):
            yield day, number


def history(changes: Iterable[Change[T]]) -> Changes[T]:
    """The changes that are later than the one before and say something else."""
    kept: list[Change[T]] = []
    for change in changes:
        if not kept or (change.at > kept[-1].at and change.value != kept[-1].value):
            kept.append(change)
    return tuple(kept)


def until(changes: Changes[T], end: datetime | None) -> Changes[T]:
    """The changes of a thing that was deleted at `end`, if it was: nothing happens to it any more."""
    return changes if end is None else tuple(change for change in changes if change.at < end)


@dataclass(frozen=True)
class Pool:
    """People or properties that others choose from, in the order of their ids."""

    kind: Kind
    ids: Sequence[int]

    def before(self, day: date) -> int:
        """How many existed before a day began."""
        return bisect_left(self.ids, identity(self.kind, day, 0))

    def draw(self, rng: random.Random, day: date, within_days: int, taken: frozenset[int] | set[int]) -> int | None:
        """One that came to be in the days before `day` and is not taken; an older one where there is none."""
        last = self.before(day)
        for first in (min(self.before(day - DAY * within_days), last), 0):
            for _ in range(8 if last > first else 0):
                drawn = self.ids[rng.randrange(first, last)]
                if drawn not in taken:
                    return drawn
        return None


def ramp(months_old: int, start: float, per_month: float) -> float:
    """How grown up a company is: from its start to 1."""
    return min(1.0, start + per_month * months_old)
