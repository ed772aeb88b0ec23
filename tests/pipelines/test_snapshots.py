"""Streams whose reading is the whole state, and streams whose records are understood in groups."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kr_definitions.events import RETRACTED, current
from pipelines import raw_zone
from pipelines.load import Lake, Source, StreamChange, bring_up_to_date, fetch
from pipelines.raw_zone import StreamLoad
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import (
    Account,
    Covered,
    DoubtedReading,
    Mark,
    Options,
    Read,
    Record,
    SourceError,
    Stream,
    VendorError,
)

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
CHANGED_AT = datetime(2026, 2, 1, tzinfo=UTC)


def count(rows: pl.LazyFrame) -> pl.LazyFrame:
    """An event for each record; a record without a day is a problem."""
    return rows.select(
        "record_key",
        fact_key="record_key",
        event_type=pl.lit("event.attended"),
        subject_id="record_key",
        occurred_at=pl.col("day").str.to_datetime("%Y-%m-%d", strict=False, time_zone="UTC", time_unit="us"),
        problem=pl.when(pl.col("day").is_null()).then(pl.lit("day is empty")),
    )


def highest(rows: pl.LazyFrame) -> pl.LazyFrame:
    """An event for each thing (`thing/…`), of its highest record."""
    thing = pl.col("record_key").str.split("/").list.first()
    return count(rows.sort("record_key").unique(thing, keep="last", maintain_order=True)).with_columns(
        fact_key=thing, subject_id=thing
    )


@dataclass
class Sheet:
    """A connector to rows in memory: key -> day."""

    kind: str = "sheet"
    options: type[Options] = Options
    rows: Mapping[str, str | None] = field(default_factory=dict)
    failure: SourceError | None = None
    stream: Mapping[str, Any] = field(default_factory=lambda: {"is_snapshot": True})
    revision: datetime | None = None
    facts: Any = count

    def streams(self, account: Account, options: Options) -> list[Stream]:
        payload = pl.Struct({"day": pl.String})
        return [Stream("rows", ("event.attended",), self.read, payload, self.facts, **self.stream)]

    def read(self, read: Read) -> Generator[list[Record], None, Covered]:
        for key, day in self.rows.items():
            yield [Record(key, self.revision, {"day": day})]
        if self.failure is not None:
            raise self.failure
        return Covered(None, read.until)


@dataclass
class Office:
    """An organisation's lake, loaded from the sheet once an hour."""

    folder: Path
    sheet: Sheet
    hours: int = 0

    @property
    def lake(self) -> Lake:
        return Lake(self.folder)

    def load(self, rows: Mapping[str, str | None] | None = None) -> tuple[StreamLoad, StreamChange]:
        self.sheet.rows = self.sheet.rows if rows is None else rows
        self.hours += 1
        present = NOW + timedelta(hours=self.hours)
        source = Source(self.sheet, Account("test", "sheet", "UTC"), Options())
        (load,) = fetch(source, self.lake, SharedClock(self.folder / "clock.json", present), present)
        (change,) = bring_up_to_date([source], self.lake, present)
        return load, change

    def subjects(self) -> list[str]:
        events = current(self.lake.log.scan()).filter(pl.col("event_type") == "event.attended")
        return events.sort("subject_id").collect().get_column("subject_id").to_list()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, Sheet())


def rows(keys: Sequence[int], day: str = "2026-02-01") -> dict[str, str | None]:
    return {f"r{key:03}": day for key in keys}


def test_a_row_that_a_whole_reading_no_longer_has_is_deleted_and_its_event_withdrawn(office: Office) -> None:
    office.load(rows([1, 2, 3]))
    load, change = office.load(rows([1, 3]))
    assert (load.delivered, load.inserted, load.duplicates, load.removed) == (2, 0, 2, 1)
    assert (change.events_retracted, office.subjects()) == (1, ["r001", "r003"])


def test_a_row_that_comes_back_is_an_event_again(office: Office) -> None:
    for keys in ([1, 2], [1], [1, 2]):
        office.load(rows(keys))
    assert office.subjects() == ["r001", "r002"]
    log = office.lake.log.scan().filter(pl.col("subject_id") == "r002").sort("recorded_at").collect()
    assert log.get_column("event_type").to_list() == ["event.attended", RETRACTED, "event.attended"]


def test_reading_the_same_state_again_changes_nothing(office: Office) -> None:
    office.load(rows([1, 2]))
    office.load(rows([1]))
    load, change = office.load(rows([1]))
    assert (load.inserted, load.removed, change.events_stated, change.events_retracted) == (0, 0, 0, 0)


def test_a_deletion_comes_after_the_revision_that_it_deletes(office: Office) -> None:
    office.sheet.revision = CHANGED_AT
    office.load(rows([1, 2]))
    office.load(rows([1]))
    assert office.subjects() == ["r001"]
    office.load(rows([1, 2]))
    assert office.subjects() == ["r001", "r002"]


def test_a_reading_that_breaks_off_deletes_nothing(office: Office) -> None:
    office.load(rows([1, 2]))
    office.sheet.failure = SourceError("test.sheet", "the line broke", "Try again")
    load, _ = office.load(rows([1]))
    assert (load.covered, load.removed, office.subjects()) == (None, 0, ["r001", "r002"])


def test_a_stream_that_is_no_snapshot_loses_nothing(office: Office) -> None:
    office.sheet.stream = {}
    office.load(rows([1, 2]))
    office.load(rows([1]))
    assert office.subjects() == ["r001", "r002"]


def test_a_reading_without_most_of_what_was_known_is_doubted(office: Office) -> None:
    office.load(rows(range(40)))
    load, _ = office.load(rows(range(19)))
    assert isinstance(load.failure, VendorError)
    assert "21 of the 40 records" in load.failure.found
    assert (load.covered, len(office.subjects())) == (None, 40)


def test_half_may_be_removed_or_all_of_it_where_that_is_said(office: Office) -> None:
    office.load(rows(range(40)))
    assert office.load(rows(range(20)))[0].removed == 20
    office.sheet.stream = {"is_snapshot": True, "most_removed": 1.0}
    assert office.load({})[0].removed == 20
    assert office.subjects() == []


def test_an_emptied_list_is_doubted_however_short_it_was(office: Office) -> None:
    office.load(rows([1, 2]))
    load, _ = office.load({})
    assert (load.removed, load.covered) == (0, None)
    assert "Check that it is whole" in str(load.failure)


def test_the_only_row_of_a_list_may_go(office: Office) -> None:
    office.load(rows([1]))
    assert office.load({})[0].removed == 1


def test_what_a_row_said_stays_while_the_row_cannot_be_understood(office: Office) -> None:
    office.load(rows([1, 2]))
    _, change = office.load({"r001": "2026-02-01", "r002": None})
    assert (change.quarantined, office.subjects()) == (1, ["r001", "r002"])


def test_records_of_a_group_are_understood_together_whichever_of_them_is_new(tmp_path: Path) -> None:
    by_thing = {"group": lambda key: key.str.split("/").list.first()}
    office = Office(tmp_path, Sheet(stream=by_thing, facts=highest))
    office.load({"a/1": "2026-02-01", "a/3": "2026-02-03", "b/1": "2026-02-01"})
    office.load({"a/2": "2026-02-02"})
    found = (
        current(office.lake.log.scan()).filter(pl.col("event_type") == "event.attended").sort("subject_id").collect()
    )
    assert found.select("subject_id", "record_key").rows() == [("a", "a/3"), ("b", "b/1")]
    _, change = office.load({"b/2": "2026-02-02"})
    assert (change.events_retracted, change.events_stated) == (1, 1)


@dataclass
class Known(Sheet):
    """A list that is read as it changes, and says which rows were deleted, or which ones there are."""

    stream: Mapping[str, Any] = field(default_factory=dict)
    deleted: Sequence[str] = ()
    present: frozenset[str] | None = None

    def read(self, read: Read) -> Generator[list[Record], None, Covered]:
        yield [Record(key, self.revision, {"day": day}) for key, day in self.rows.items()]
        yield [Record(key, None, {}, is_deleted=True) for key in self.deleted]
        return Covered(None, read.until, present=self.present)


def test_a_deletion_without_a_revision_holds_until_the_record_comes_back_with_the_one_it_had(tmp_path: Path) -> None:
    known = Known(revision=CHANGED_AT)
    office = Office(tmp_path, known)
    office.load(rows([1, 2]))
    known.deleted = ("r002", "r099")
    for _ in range(2):
        load, _ = office.load({})
        assert office.subjects() == ["r001"]
    assert load.inserted == 0  # a deletion that is known is not stored again
    known.deleted = ()
    office.load(rows([2]))
    assert office.subjects() == ["r001", "r002"]
    office.load(rows([2], day="2026-02-02"))  # read otherwise, with the same last change
    days = current(office.lake.log.scan()).filter(pl.col("subject_id") == "r002").select("occurred_at").collect()
    assert days.item() == datetime(2026, 2, 2, tzinfo=UTC)


def test_what_is_not_among_all_that_there_is_is_deleted_unless_it_is_too_much(tmp_path: Path) -> None:
    known = Known(revision=CHANGED_AT)
    office = Office(tmp_path, known)
    office.load(rows(range(30)))
    known.present = frozenset(rows(range(14)))
    load, _ = office.load({})
    assert "16 of the 30 records" in str(load.failure)
    assert "may still see all of it" in str(load.failure)
    assert (load.covered, len(office.subjects())) == (None, 30)
    known.present = frozenset(rows(range(20)))
    assert office.load({})[0].removed == 10
    assert office.subjects() == list(rows(range(20)))


OTHERS = range(100, 135)
"""Of another file."""


def test_of_a_doubted_reading_nothing_counts_however_often_it_comes(office: Office) -> None:
    office.load(rows(range(30)))
    for _ in range(3):
        load, change = office.load(rows(OTHERS))
        assert "30 of the 30 records" in str(load.failure)
        assert (load.delivered, load.inserted, change.events_stated) == (0, 0, 0)
        assert office.subjects() == list(rows(range(30)))
    load, _ = office.load(rows(range(31)))
    assert (load.failure, load.inserted, load.removed) == (None, 1, 0)
    office.sheet.stream = {"is_snapshot": True, "most_removed": 1.0}
    office.load(rows(OTHERS))
    assert office.subjects() == list(rows(OTHERS))


def test_a_short_list_is_doubted_where_most_of_it_is_missing(office: Office) -> None:
    office.load(rows([1, 2, 3]))
    assert office.load(rows([1, 2]))[0].removed == 1
    office.load(rows([1, 2, 3]))
    load, _ = office.load(rows([1, 4]))
    assert isinstance(load.failure, DoubtedReading)
    assert office.subjects() == ["r001", "r002", "r003"]


@dataclass
class Long(Known):
    """A long list: a mark after each row, and in the end it says which rows there are."""

    breaks_at: str | None = None

    def read(self, read: Read) -> Generator[list[Record] | Mark, None, Covered]:
        for key, day in self.rows.items():
            if key == self.breaks_at:
                raise SourceError("test.sheet", "the line broke", "Try again")
            if read.mark is None or key > read.mark:
                yield [Record(key, None, {"day": day})]
                yield Mark(key)
        return Covered(None, read.until, present=self.present)


def test_what_was_stored_of_a_doubted_reading_does_not_make_the_next_one_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_zone, "_RECORDS_A_PART", 10)
    office = Office(tmp_path, long := Long())
    office.load(rows(range(30)))
    long.present = frozenset(rows(OTHERS))
    for _ in range(2):  # parts of it are stored before its end is known
        load, _ = office.load(rows(OTHERS))
        assert "30 of the 30 records" in str(load.failure)
        assert set(rows(range(30))) <= set(office.subjects())
    long.breaks_at = "r120"
    assert not isinstance(office.load()[0].failure, DoubtedReading)
    long.breaks_at = None
    assert isinstance(office.load()[0].failure, DoubtedReading), "a reading that was gone on with is doubted as well"
    long.present = frozenset(rows(range(30)))
    load, _ = office.load(rows(range(30)))
    assert (load.failure, office.subjects()) == (None, list(rows(range(30)))), "the right ones are back, and alone"
