"""The followers of a page or account: their number as it is read each day, beside what Meta tells of its days.

Belongs here: fetching both, and how far they cover. Does not: how they fit together (`pipelines.profiles`).

The number is there on the first day that we read it. What was before is known where Meta kept the number itself, and
else where it tells who came and went. Each is a metric: one that Meta refuses, or tells nothing of, leaves the rest as
it is, and is told of in the quarantine.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipelines import profiles
from pipelines.meta.api import Graph, MetricRefused, NotPermitted
from pipelines.meta.days import LATE_DAYS, WITHOUT, ZONE, Keeps, Metric, Run, asked_days, midnight, untold
from pipelines.source import Account, Covered, Read, Record, Stream

_OVERLAP = timedelta(days=LATE_DAYS)


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
        days = asked_days(read.since, read.until, keeps(graph))
        figures: dict[date, dict[str, Any]] = {}
        runs: dict[str, Run] = {}
        for name, metric in told.each():
            found, refused = _asked(graph, profile, metric, days)
            yield [profiles.metric(profile, metric.name, refused)]
            runs[name] = Run()
            runs[name].told(sorted(found))
            for day, figure in found.items():
                figures.setdefault(day, {})[name] = figure
        yield [profiles.day(profile, day, **figures[day]) for day in sorted(figures)]
        return Covered(_covered_from(read, runs, days[-1], zone), read.until)

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


def _asked(graph: Graph, profile: str, metric: Metric, days: Sequence[date]) -> tuple[dict[date, Any], str | None]:
    """A metric's figures of days; and why there are none, where there are none."""
    found: dict[date, Any] = {}
    try:
        for chunk in metric.chunks(days):
            found |= metric.of(graph, profile, chunk)
    except (MetricRefused, NotPermitted) as refused:
        return {}, f"{refused.found}. {refused.do}"
    return found, None if found else f"{untold(graph.vendor, metric.name, days)}. {WITHOUT}"


def _covered_from(read: Read, runs: dict[str, Run], yesterday: date, zone: ZoneInfo) -> datetime:
    """From when on the number is known.

    From the last reading, if that was yesterday or today, and else from this morning: a reading stands for its day.
    But from earlier on where the vendor kept the number; or, before the first reading, told who came and went.
    """
    today = read.until.astimezone(zone).date()
    before = None if read.since is None else read.since + _OVERLAP
    is_joined = before is not None and before.astimezone(zone).date() >= today - timedelta(days=1)
    start = before if before is not None and is_joined else datetime.combine(today, time.min, zone).astimezone(UTC)
    kept = [runs["count"]] if "count" in runs else []
    reckoned = [runs[name] for name in ("gained", "lost") if name in runs]
    for known in (kept, reckoned if len(reckoned) == 2 and read.since is None else []):
        firsts = [
            run.first
            for run in known
            if run.first is not None and run.last is not None and _is_recent(run.last, yesterday)
        ]
        if known and len(firsts) == len(known):
            start = min(start, midnight(max(firsts)))
    return start


def _is_recent(last: date, yesterday: date) -> bool:
    """Whether the last day that was told is no older than it may be."""
    return last >= yesterday - _OVERLAP
