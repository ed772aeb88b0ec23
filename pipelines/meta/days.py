"""Figures of days, as Meta tells them: one metric at a time, so that one that is no more takes no other with it.

Belongs here: which days are asked for, what comes of them, and how far that covers. Does not: HTTP (`api`), what the
figures mean (`pipelines.profiles`, `pipelines.profile_days`).

A day is California's: what ended at 08:00 GMT, or at 07:00 in summer, is the day before
(https://developers.facebook.com/documentation/pages-api/platforminsights/page). A day that is over can be told up to
two days later, and as nothing at all rather than as zero; so what is covered ends with the last day that was told, and
a day that was not told, or whose figure is no number, is a hole in it.

A total is of the days that end between two instants, both included: asked for from one midnight to the next it is the
total of two days, so it is asked for from an hour later on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from pipelines import profile_days
from pipelines.day_streams import runs
from pipelines.meta.api import Graph
from pipelines.source import READ_AGAIN, Account, Covered, Mark, Read, Record, SourceConfigError, Stream, VendorError

ZONE = ZoneInfo("America/Los_Angeles")
LATE_DAYS = 3
WITHOUT = "It has none of profiles with fewer than 100 followers; null in the options goes on without the metric"
_DAY = timedelta(days=1)
_AFTER_MIDNIGHT = timedelta(hours=1)
_PARTS = ("FOLLOWER", "NON_FOLLOWER")

Keeps = Callable[[Graph], int]
"""Asks how many days back a vendor knows a profile's figures."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a profile. most_days: how many a request may span.

    part: of a metric that is a total of what is asked for, which of its parts (`follow_type`) is meant, or `total`:
    such a metric is asked for day by day. None: a series of days.
    """

    name: str
    most_days: int
    part: str | None = None

    def of(self, graph: Graph, profile: str, days: Sequence[date]) -> dict[date, Any]:
        """Its figures of some of the days; of a day that is not told, none."""
        asked: dict[str, Any] = {"metric": self.name, "period": "day"}
        start = midnight(days[0]) if self.part is None else midnight(days[0]) + _AFTER_MIDNIGHT
        asked |= {"since": int(start.timestamp()), "until": int(midnight(days[-1] + _DAY).timestamp())}
        if self.part is not None:
            asked["metric_type"] = "total_value"
            if self.part != "total":
                asked["breakdown"] = "follow_type"
        told = graph.get(f"{profile}/insights", ("data",), **asked)["data"]
        if not isinstance(told, list):
            raise VendorError(graph.source, f"the metric {self.name} came without a list", READ_AGAIN)
        with graph.documented(f"the metric {self.name}"):
            if self.part is None:
                return _series(graph.source, told, frozenset(days))
            total = _total(told, self.part)
            return {} if total is None else {days[0]: total}

    def chunks(self, days: Sequence[date]) -> Iterator[tuple[date, ...]]:
        """The days, as many together as may be asked for together."""
        size = self.most_days if self.part is None else 1
        yield from (tuple(days[start : start + size]) for start in range(0, len(days), size))


def midnight(day: date) -> datetime:
    """When a day of the vendor's began."""
    return datetime.combine(day, time.min, ZONE).astimezone(UTC)


def asked_days(since: datetime | None, until: datetime, keeps_days: int) -> list[date]:
    """The days that are over and that the vendor still keeps, from the one of an instant on."""
    today = until.astimezone(ZONE).date()
    first = today - _DAY * keeps_days
    if since is not None:
        first = min(max(first, since.astimezone(ZONE).date()), today - _DAY)
    return [first + _DAY * n for n in range((today - first).days)]


@dataclass
class Run:
    """The days told, with a number, without a hole up to the last one that was told."""

    first: date | None = None
    last: date | None = None

    def told(self, figures: Mapping[date, Any]) -> None:
        """What was told of days, which may have been told before."""
        days = {day for day, figure in figures.items() if profile_days.is_number(figure)}
        if self.first is not None and self.last is not None:
            days |= {*_between(self.first, self.last)}
        self.last = self.first = max(days, default=None)
        while self.first is not None and self.first - _DAY in days:
            self.first -= _DAY


def daily(
    account: Account,
    vendor: str,
    name: str,
    event_type: str,
    profile: str,
    metric: Metric,
    keeps: Keeps,
    address: str | None = None,
) -> Stream:
    """A stream of one metric. keeps: asks how many days back the vendor knows it."""

    def fetch(read: Read) -> Generator[list[Record] | Mark, None, Covered]:
        graph = Graph(account, read.clock, vendor)
        days = asked_days(read.since, read.until, keeps(graph))
        told, after = _resumed(read.mark)
        for chunk in metric.chunks([day for day in days if after is None or day > after]):
            figures = metric.of(graph, profile, chunk)
            told |= {day for day, figure in figures.items() if profile_days.is_number(figure)}
            yield [profile_days.record(profile, day, figures[day]) for day in sorted(figures)]
            yield Mark(orjson.dumps([chunk[-1], runs(told)]).decode())
        if not told:
            raise SourceConfigError(graph.source, untold(vendor, metric.name, days), WITHOUT)
        *earlier, (start, end) = ((midnight(first), midnight(last + _DAY)) for first, last in runs(told))
        return Covered(start, end, earlier=tuple(earlier))

    return profile_days.stream(name, event_type, fetch, vendor.lower(), str(ZONE), _DAY * LATE_DAYS, address)


def untold(vendor: str, metric: str, days: Sequence[date]) -> str:
    """That there are no figures, which is not that they are zero."""
    return f"{vendor} tells nothing of the metric {metric} from {days[0]} to {days[-1]}"


def _resumed(mark: str | None) -> tuple[set[date], date | None]:
    """The days told by the reading that was interrupted, and up to which one it had asked."""
    if mark is None:
        return set(), None
    after, spans = orjson.loads(mark)
    told = {day for first, last in spans for day in _between(date.fromisoformat(first), date.fromisoformat(last))}
    return told, date.fromisoformat(after)


def _between(first: date, last: date) -> Iterator[date]:
    yield from (first + _DAY * n for n in range((last - first).days + 1))


def _series(source: str, told: list[Any], asked: frozenset[date]) -> dict[date, Any]:
    """Day -> value, of those that were asked for. Raises `VendorError` for an end that is no end of a day."""
    found: dict[date, Any] = {}
    for metric in told:
        for entry in metric.get("values") or []:
            day = _day_ended(entry.get("end_time"))
            if day is None:
                text = f"the metric {metric.get('name')} has a day that does not end at midnight in California"
                raise VendorError(source, text, READ_AGAIN)
            if day in asked:
                found[day] = entry.get("value")
    return found


def _day_ended(text: Any) -> date | None:
    """The day that ended at an instant, as the vendor writes it (2026-03-09T07:00:00+0000)."""
    try:
        end = datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S%z").astimezone(ZONE)
    except ValueError:
        return None
    return end.date() - _DAY if end.time() == time.min else None


def _total(told: list[Any], part: str) -> Any:
    """The total of a metric, or of one of its parts: none where the vendor does not tell it.

    Of the last 48 hours the breakdown comes without results: not told yet, which is not that nobody was of them.
    """
    value = (told[0].get("total_value") or {}) if told else {}
    if part == "total":
        return value.get("value")
    breakdowns = value.get("breakdowns") or []
    if not breakdowns:
        return None
    results = breakdowns[0].get("results") or []
    parts = {one["dimension_values"][0]: one.get("value") for one in results if one.get("dimension_values")}
    if part in parts:
        return parts[part]
    return 0 if any(other in parts for other in _PARTS) else None  # the one that nobody is of is left out
