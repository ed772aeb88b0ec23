"""What has been read: how "nothing happened" and "we do not know" are told apart.

Belongs here: turning `source.covered` events into days that are known. Does not: how late facts can be, or statuses.

A day of an event type is known when every stream that feeds the type has been read for the whole of the day, in the
organisation's zone. A reading without a beginning covers everything before its end. Of a member of a dimension only
those streams count that can tell of it: one whose facts are all of another member (its network, say) holds nothing
back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.events import COVERED
from kr_definitions.measures.series import THE_BEGINNING
from kr_definitions.periods import Span

Knowledge = Literal["known", "partly", "unknown"]
Stream = tuple[str, str]
"""A source and one of its streams."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The known days of each event type, as spans in order that neither touch nor overlap.

    streams: of each type, the same of each stream that feeds it. always: the attributes that all facts of a stream have
    alike.
    """

    spans: Mapping[str, tuple[Span, ...]]
    streams: Mapping[str, Mapping[Stream, tuple[Span, ...]]] = field(default_factory=dict)
    always: Mapping[Stream, Mapping[str, str]] = field(default_factory=dict)

    def among(self, member: tuple[str, str] | None) -> Coverage:
        """What is known of one member of a dimension (its name and the member); None: of everything."""
        if member is None or not any(member[0] in said for said in self.always.values()):
            return self
        dimension, value = member
        told = {
            name: [days for one, days in found.items() if self.always.get(one, {}).get(dimension, value) == value]
            for name, found in self.streams.items()
        }
        return Coverage({name: _common(found) for name, found in told.items() if found})

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
    always: the attributes that all facts of a stream have alike.
    """

    streams: Mapping[str, frozenset[Stream]]
    late_days: Mapping[str, int]
    always: Mapping[Stream, Mapping[str, str]] = field(default_factory=dict)

    def lateness(self, types: Iterable[str]) -> int:
        """The latest of several types, in days; 0 for one that no source states."""
        return max((self.late_days.get(name, 0) for name in types), default=0)


def as_text(feeds: Feeds) -> str:
    """The streams in use, as a computation remembers them; `feeds_of` reads it back."""
    said = {
        "streams": {name: sorted(found) for name, found in feeds.streams.items()},
        "late_days": dict(feeds.late_days),
        "always": [[*stream, dict(said)] for stream, said in sorted(feeds.always.items()) if said],
    }
    return json.dumps(said, sort_keys=True)


def feeds_of(text: str | None) -> Feeds | None:
    """The streams that a run had in use, as its computation says; None where it did not."""
    if text is None:
        return None
    content = json.loads(text)
    streams = {name: frozenset((source, stream) for source, stream in of) for name, of in content["streams"].items()}
    always = {(source, stream): said for source, stream, said in content.get("always", ())}
    return Feeds(streams, content["late_days"], always)


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
    found = {
        name: {one: _days(_merged(by_stream.get(name, {}).get(one, [])), ZoneInfo(zone)) for one in sorted(streams)}
        for name, streams in in_use.items()
        if streams
    }
    spans = {name: _common(list(of_streams.values())) for name, of_streams in found.items()}
    return Coverage(spans, found, feeds.always if feeds else {})


def _merged(readings: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(readings):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _days(readings: list[tuple[datetime, datetime]], zone: ZoneInfo) -> tuple[Span, ...]:
    """The whole local days inside each reading."""
    spans = []
    for start, end in readings:
        first = THE_BEGINNING if start.year < THE_BEGINNING.year else _first_whole_day(start, zone)
        last = end.astimezone(zone).date() - timedelta(days=1)
        if first <= last:
            spans.append(Span(first, last))
    return tuple(spans)


def _first_whole_day(start: datetime, zone: ZoneInfo) -> date:
    day = start.astimezone(zone).date()
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    return day if start <= midnight else day + timedelta(days=1)


def _common(of_streams: Sequence[Sequence[Span]]) -> tuple[Span, ...]:
    """The days that every stream's spans hold."""
    common = list(of_streams[0])
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
