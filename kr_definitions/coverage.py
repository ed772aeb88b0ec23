"""What has been read: how "nothing happened" and "we do not know" are told apart.

Belongs here: turning `source.covered` events into days that are known. Does not: how late facts can be, or statuses.

A day of an event type is known when every stream that feeds the type has been read for the whole of the day, in the
organisation's zone. A reading without a beginning covers everything before its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.events import COVERED
from kr_definitions.measures.series import THE_BEGINNING
from kr_definitions.periods import Span

Knowledge = Literal["known", "partly", "unknown"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The known days of each event type, as spans in order that neither touch nor overlap."""

    spans: Mapping[str, tuple[Span, ...]]

    def of(self, types: Iterable[str], first: date, last: date, remembered: Iterable[str] = ()) -> Knowledge:
        """What is known of these types together from `first` to `last`, and of the remembered ones up to `last`."""
        answers = {self._of_type(name, first, last) for name in types}
        answers |= {self._of_type(name, THE_BEGINNING, last) for name in remembered}
        if answers <= {"known"}:  # what reads nothing is known
            return "known"
        return "unknown" if "unknown" in answers else "partly"

    def last_known(self, types: Iterable[str]) -> date | None:
        """The last day up to which all the types are known; None if one never was."""
        lasts = [self.spans[name][-1].last if self.spans.get(name) else None for name in types]
        return None if None in lasts or not lasts else min(day for day in lasts if day is not None)

    def _of_type(self, name: str, first: date, last: date) -> Knowledge:
        spans = self.spans.get(name, ())
        if any(span.first <= first and last <= span.last for span in spans):
            return "known"
        return "partly" if any(span.first <= last and first <= span.last for span in spans) else "unknown"


@dataclass(frozen=True, slots=True)
class Feeds:
    """The streams that an organisation uses: which of them state each event type, and how late a fact can be.

    streams: event type -> (source, stream) of each that feeds it. late_days: event type -> days after it happened.
    """

    streams: Mapping[str, frozenset[tuple[str, str]]]
    late_days: Mapping[str, int]

    def lateness(self, types: Iterable[str]) -> int:
        """The latest of several types, in days; 0 for one that no source states."""
        return max((self.late_days.get(name, 0) for name in types), default=0)


def coverage(log: pl.LazyFrame, zone: str, feeds: Feeds | None = None) -> Coverage:
    """What a log (current events) says has been read, in whole days of a zone.

    feeds: the streams in use; one of them that was never read leaves its types unknown, and one that is no longer in
    use does not hold them back. Without it, every stream that was ever read counts.
    """
    rows = (
        log.filter(pl.col("event_type") == COVERED)
        .select("covers", "source", "stream", "covered_from", "covered_to")
        .sort("covers", "source", "stream", "covered_from", "covered_to", nulls_last=False)
        .collect()
    )
    by_stream: dict[str, dict[tuple[str, str], list[tuple[datetime, datetime]]]] = {}
    for covers, source, stream, start, end in rows.iter_rows():
        readings = by_stream.setdefault(covers, {}).setdefault((source, stream), [])
        readings.append((start or datetime.min.replace(tzinfo=UTC), end))
    in_use = feeds.streams if feeds else {name: frozenset(streams) for name, streams in by_stream.items()}
    return Coverage(
        {
            name: _common([_days(_merged(by_stream.get(name, {}).get(one, [])), ZoneInfo(zone)) for one in streams])
            for name, streams in in_use.items()
            if streams
        }
    )


def _merged(readings: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(readings):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _days(readings: list[tuple[datetime, datetime]], zone: ZoneInfo) -> list[Span]:
    """The whole local days inside each reading."""
    spans = []
    for start, end in readings:
        first = THE_BEGINNING if start.year < THE_BEGINNING.year else _first_whole_day(start, zone)
        last = end.astimezone(zone).date() - timedelta(days=1)
        if first <= last:
            spans.append(Span(first, last))
    return spans


def _first_whole_day(start: datetime, zone: ZoneInfo) -> date:
    day = start.astimezone(zone).date()
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    return day if start <= midnight else day + timedelta(days=1)


def _common(of_streams: list[list[Span]]) -> tuple[Span, ...]:
    """The days that every stream's spans hold."""
    common = of_streams[0]
    for spans in of_streams[1:]:
        common = [
            Span(max(a.first, b.first), min(a.last, b.last))
            for a in common
            for b in spans
            if max(a.first, b.first) <= min(a.last, b.last)
        ]
    joined: list[Span] = []
    for span in sorted(common):
        if joined and span.first <= joined[-1].last + timedelta(days=1):
            joined[-1] = Span(joined[-1].first, max(joined[-1].last, span.last))
        else:
            joined.append(span)
    return tuple(joined)
