"""The followers of a page or account: their number as it is read each day, beside what Meta tells of its days.

Belongs here: fetching both, and how far they cover. Does not: how they fit together (`pipelines.profiles`).

The number is there on the first day that we read it. What was before is known where Meta kept the number itself, and
else where it tells who came and went. Each is a metric: one that cannot be read, or of which Meta tells nothing, leaves
the rest as it is, and is told of in the quarantine.

What is covered is what is known without a hole: the days of the readings, as long as there was one each day; those of
which Meta kept the number, up to the last one that it has told; and what was reckoned, once the day of the first
reading was told. A number stands for the day, in the organisation's zone, on which it was read or kept.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from pipelines import profile_days, profiles
from pipelines.meta.api import Graph
from pipelines.meta.days import LATE_DAYS, WITHOUT, ZONE, Keeps, Metric, Run, asked_days, midnight, untold
from pipelines.source import READ_AGAIN, Account, Covered, Read, Record, SourceError, Stream, VendorError

_OVERLAP = timedelta(days=LATE_DAYS)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """The metrics that tell of followers: how many at the end of a day, how many came, how many went."""

    count: Metric | None
    gained: Metric | None
    lost: Metric | None

    def each(self) -> list[tuple[str, Metric]]:
        """Those that are asked for."""
        every = (("count", self.count), ("gained", self.gained), ("lost", self.lost))
        return [(name, metric) for name, metric in every if metric is not None]


def followers(
    account: Account, vendor: str, profile: str, told: Told, keeps: Keeps, address: str | None = None
) -> Stream:
    """The stream."""
    network = vendor.lower()
    zone = ZoneInfo(account.zone)

    def fetch(read: Read) -> Generator[list[Record], None, Covered]:
        graph = Graph(account, read.clock, vendor)
        number = graph.get(profile, ("followers_count",), fields="followers_count")["followers_count"]
        yield profiles.reading(profile, read.until, zone, number)
        known, kept_days = _Known.after(read, zone), cache(keeps)
        figures: dict[date, dict[str, Any]] = {}
        for name, metric in told.each():
            run = known.runs.setdefault(name, Run())
            found, refused = _asked(graph, profile, metric, read, run.last, kept_days)
            yield [profiles.metric(profile, metric.name, refused)]
            run.told(found)
            for day, figure in found.items():
                figures.setdefault(day, {})[name] = figure
        yield [profiles.day(profile, day, **figures[day]) for day in sorted(figures)]
        if not profile_days.is_number(number):
            raise VendorError(graph.source, "the number of followers came as what is no number", READ_AGAIN)
        return known.covered(read, zone)

    return Stream(
        name="followers",
        feeds=("followers.observed",),
        fetch=fetch,
        payload=profiles.PAYLOAD,
        facts=profiles.followers(network, account.zone, str(ZONE), address),
        always={"network": network},
        overlap=_OVERLAP,
        lateness=_OVERLAP,
        group=profiles.together,
    )


def _asked(
    graph: Graph, profile: str, metric: Metric, read: Read, last: date | None, keeps: Keeps
) -> tuple[dict[date, Any], str | None]:
    """A metric's figures of the days that may have changed or were not told yet; and why there are no more of them.

    last: the last day that was told; where none ever was, all are asked for.
    """
    found: dict[date, Any] = {}
    try:
        since = None if read.since is None or last is None else min(read.since, midnight(last + _DAY))
        days = asked_days(since, read.until, keeps(graph))
        for chunk in metric.chunks(days):
            found |= metric.of(graph, profile, chunk)
    except SourceError as refused:
        return found, f"{refused.found}. {refused.do}"
    return found, None if found else f"{untold(graph.vendor, metric.name, days)}. {WITHOUT}"


@dataclass
class _Known:
    """What is known of an account's followers, as the cursor carries it from one reading to the next.

    anchor: when the number was first read. start: from when on there was a reading each day. runs: by name, the days
    told of each metric.
    """

    anchor: datetime | None
    start: datetime
    runs: dict[str, Run]

    @classmethod
    def after(cls, read: Read, zone: ZoneInfo) -> _Known:
        """What was known before a reading, and its own day."""
        said: Mapping[str, Any] = orjson.loads(read.cursor) if read.cursor else {}
        times = {name: _instant(said.get(name)) for name in ("read_at", "start", "anchor")}
        today = read.until.astimezone(zone).date()
        start, read_at = times["start"], times["read_at"]
        if start is None or read_at is None or read_at.astimezone(zone).date() < today - _DAY:
            start = datetime.combine(today, time.min, zone).astimezone(UTC)
        anchor = read.until if read.since is None else times["anchor"]
        return cls(anchor, start, {name: _run(days) for name, days in said.get("runs", {}).items()})

    def covered(self, read: Read, zone: ZoneInfo) -> Covered:
        """What is covered, with the cursor: the readings, what reaches them, and what lies apart before them."""
        spans = sorted([*self._kept(zone), *self._reckoned(zone)])
        start = min([self.start, *(since for since, until in spans if until >= self.start)])
        return Covered(start, read.until, self._cursor(read), earlier=tuple(one for one in spans if one[1] < start))

    def _kept(self, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        run = self.runs.get("count", Run())
        if run.first is None or run.last is None:
            return []
        return [(midnight(run.first), _days_end(midnight(run.last + _DAY), zone))]

    def _reckoned(self, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        """What is reckoned, if anything is: where who came and who went is told up to the first reading."""
        runs = [self.runs.get(name, Run()) for name in ("gained", "lost")]
        firsts = [run.first for run in runs if run.first is not None]
        lasts = [run.last for run in runs if run.last is not None]
        if self.anchor is None or len(firsts) < len(runs):
            return []
        first, end = midnight(max(firsts)), midnight(min(lasts) + _DAY)
        joins = first <= self.anchor <= end + profiles.JOINT
        return [(first, _days_end(self.anchor, zone))] if joins else []

    def _cursor(self, read: Read) -> str:
        said = {
            "read_at": read.until,
            "start": self.start,
            "anchor": self.anchor,
            "runs": {name: [run.first, run.last] for name, run in self.runs.items()},
        }
        return orjson.dumps(said).decode()


def _run(days: Sequence[str | None]) -> Run:
    first, last = (None if text is None else date.fromisoformat(text) for text in days)
    return Run(first, last)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _days_end(at: datetime, zone: ZoneInfo) -> datetime:
    """When the day ends that a number stands for which was read, or kept, at an instant."""
    day = (at - timedelta(microseconds=1)).astimezone(zone).date()
    return datetime.combine(day + _DAY, time.min, zone).astimezone(UTC)
