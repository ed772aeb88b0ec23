"""Each vendor's readings after the first: one that was interrupted, one that comes later, one of a record that is odd.

A reading that is killed, or that a quota stops, goes on where it was; a later one gives what is new alone; and whatever
stands in one field of a record, no other record is understood otherwise.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from faults.vendors import NOW, VENDORS, faulty, office
from helpdesk_office import Office

from pipelines.novelty import Novelty
from pipelines.raw_zone import RAW_SCHEMA
from pipelines.source import Covered, Mark, Read, Record, Stream
from pipelines.understanding import understand

READ_WHOLE = {
    # Their figures are of the moment, or of a few weeks: whatever an interruption lost is asked for again.
    "facebook": {"followers", "post_reactions", "post_views"},
    "instagram": {"followers", "post_reactions", "post_views"},
    "linkedin": {"followers", "followers_gained", "followers_lost", "views"},
    "x": {"followers"},
    # All days of a metric are one answer; the videos, of which YouTube lists 20,000 at most, are a state as a whole.
    "youtube": {
        "subscribers", "subscribers_gained", "subscribers_lost", "daily_views", "channel_statistics", "videos",
    },
    "google_sheets": {"eventos"},  # a sheet is a state as a whole
    "typeform": {"started_compra"},  # as those are who opened a form and did not send it
    "holded": {"credit_notes", "purchases"},  # all is in lists; marks remember what was asked for one by one
    # Here they are too few for a mark.
    "hubspot": {"deals"},
    "freshdesk": {"satisfaction_ratings"},
    "jira": {"tickets", "satisfaction"},
    "inmovilla": {"publications"},
}  # fmt: skip
"""By vendor, the streams of which a reading passes no mark."""

FROM_A_PAGE_BEFORE = {("linkedin", "posts")}
"""Where all that there is here is on one of the pages that are read once more after an interruption."""


@dataclass
class Taken:
    """What one reading gave, and how many requests it took; marks: each with how many records came before it."""

    records: list[Record] = field(default_factory=list)
    marks: list[tuple[str, int]] = field(default_factory=list)
    covered: Covered | None = None
    requests: int = 0

    def up_to(self, count: int) -> dict[str, Record]:
        return {record.key: record for record in self.records[:count]}


def taken(of: Office, kind: str, stream: Stream, read: Read) -> Taken:
    found, app = Taken(), faulty(of, kind)

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        found.requests += scope["type"] == "http"
        await app(scope, receive, send)

    with of.serving(counted):
        pages = stream.fetch(replace(read, clock=of.clock))
        while True:
            try:
                page = next(pages)
            except StopIteration as end:
                found.covered = end.value
                return found
            if isinstance(page, Mark):
                found.marks.append((page.text, len(found.records)))
            else:
                found.records += page


@pytest.mark.parametrize("kind", VENDORS)
def test_an_interrupted_reading_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    of, unmarked = office(tmp_path, monkeypatch, kind), set()
    for stream in of.source.streams():
        whole = taken(of, kind, stream, first := Read(None, NOW, None, of.clock))
        for mark, before in [whole.marks[len(whole.marks) // 2], whole.marks[-1]] if whole.marks else ():
            rest = taken(of, kind, stream, replace(first, mark=mark))
            assert {**whole.up_to(before), **rest.up_to(len(rest.records))} == whole.up_to(len(whole.records))
            assert rest.covered == whole.covered, stream.name
        if not whole.marks:
            unmarked.add(stream.name)
        elif whole.records and (kind, stream.name) not in FROM_A_PAGE_BEFORE:
            assert len(rest.records) < len(whole.records), stream.name
    assert unmarked == READ_WHOLE.get(kind, set())


@pytest.mark.parametrize("kind", VENDORS)
def test_a_later_reading_gives_what_is_new_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    of, requests, later = office(tmp_path, monkeypatch, kind), 0, NOW + timedelta(hours=1)
    for stream in of.source.streams():
        whole = taken(of, kind, stream, Read(None, NOW, None, of.clock))
        assert whole.covered is not None
        since: datetime = whole.covered.end - stream.overlap
        again = taken(of, kind, stream, Read(since, later, whole.covered.cursor, of.clock))
        held = whole.up_to(len(whole.records))
        new = {record.key for record in again.records if replace(record, revision=None) != _unrevised(held, record)}
        assert all(key.startswith(("reading/", "balance/")) for key in new if not _is_observed(stream)), stream.name
        assert not any(one.is_deleted and not _is_gone(held, one) for one in again.records), stream.name
        requests += whole.requests - again.requests
    assert requests >= 0


def _unrevised(held: dict[str, Record], record: Record) -> Record | None:
    return replace(held[record.key], revision=None) if record.key in held else None


def _is_gone(held: dict[str, Record], record: Record) -> bool:
    return record.key in held and held[record.key].is_deleted


def _is_observed(stream: Stream) -> bool:
    return any(event_type.endswith("observed") for event_type in stream.feeds)


# One odd field

ODD: tuple[Any, ...] = (
    None, "", "nonsense", "2062-01-01T00:00:00Z", 2903040000, "2025-01-02 10:00:00", "2025-01-02T10:00:00",
    "2025-01-02T10:00:00+0200", "2025-02-30T10:00:00Z", "-1", -1.5, "1e999", "NaN", "9" * 40, "12,50", True, 7, "7",
    {"a": 1}, ["x"], "\u0000",
)  # fmt: skip
_TRIED_ALONE = (None, "nonsense")
"""Where all records of a stream are understood together, a spoilt one takes a reading of its own."""


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a payload; of a list, in its first entry."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*before, name))
    if before:
        yield before


def spoilt(record: Record, place: tuple[Any, ...], odd: Any) -> Record:
    payload = copy.deepcopy(record.payload)
    inner: Any = payload
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = odd
    return replace(record, payload=payload)


def understood(stream: Stream, records: Sequence[Record], of: set[str]) -> list[str]:
    """What records state, of those with some keys."""
    novelty = Novelty("office", stream.name, NOW, pl.LazyFrame(schema=RAW_SCHEMA))
    rows = [row for record in records if (row := novelty.row(record)) is not None]
    found = understand(stream, "office", pl.DataFrame(rows, schema=RAW_SCHEMA), NOW)
    return sorted(map(repr, found.facts.filter(pl.col("record_key").is_in(list(of))).collect().rows()))


def groups_of(stream: Stream, records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by what they are understood together by."""
    group = stream.group or (lambda key: key)
    keys = pl.DataFrame({"key": [one.key for one in records]}, schema={"key": pl.String})
    found: dict[str, list[Record]] = {}
    for one, of in zip(records, keys.select(group(pl.col("key"))).to_series(), strict=True):
        found.setdefault(of, []).append(one)
    return found


def copies(of: str, records: Sequence[Record], spoil: Record, cases: Sequence[tuple[Any, Any]]) -> Iterator[Record]:
    """The records of a group once for each case, under other keys, with one of them spoilt."""
    for number, case in enumerate(cases):
        for one in records:
            said = spoilt(one, *case) if one is spoil else one
            yield replace(said, key=f"{of}~{number}{one.key.removeprefix(of)}")


@pytest.mark.parametrize("kind", VENDORS)
def test_a_record_with_one_odd_field_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unspoilt: Any, kind: str
) -> None:
    for stream in office(tmp_path, monkeypatch, kind).source.streams():
        held = unspoilt(kind)[stream.name].values()
        records = [replace(one, payload=orjson.loads(orjson.dumps(one.payload))) for one in held]
        groups = groups_of(stream, records)
        one_of_each = {tuple(map(str, places(one.payload))): (of, one) for of in groups for one in reversed(groups[of])}
        for of, base in list(one_of_each.values())[:3]:
            others = [one for other in [*groups][:4] if other != of for one in groups[other]]
            keys = {one.key for one in others}
            if of:
                cases = [(place, odd) for place in places(base.payload) for odd in ODD]
                spoilt_ones = list(copies(of, groups[of], base, cases))
                assert understood(stream, [*others, *spoilt_ones], keys) == understood(stream, others, keys)
            for place in () if of else places(base.payload):
                for odd in _TRIED_ALONE:
                    understood(stream, [one for one in records if one is not base] + [spoilt(base, place, odd)], keys)
