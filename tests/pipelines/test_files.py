"""Exported files, from a folder to the event log: snapshots, appended logs, histories, and what is told of bad rows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kr_definitions.events import current
from pipelines.files import FILES, FilesOptions
from pipelines.load import Lake, Source, StreamChange, bring_up_to_date, fetch
from pipelines.raw_zone import RAW_SCHEMA, StreamLoad
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Account, Covered, Read, Record, SourceConfigError, SourceError
from pipelines.understanding import Understood, understand

NOW = datetime(2026, 3, 10, 5, tzinfo=UTC)
VARIABLE = "SOURCES__OFFICE__SHEET__FOLDER"

SHEET: dict[str, Any] = {
    "path": "buzoneo.csv",
    "format": {"type": "csv", "separator": ";"},
    "delivery": "snapshot",
    "key": "id",
    "columns": {"folletos": "number"},
    "events": [
        {
            "type": "flyers.distributed",
            "at": {"column": "fecha", "format": "%d/%m/%Y"},
            "subject": "id",
            "quantity": "folletos",
            "attributes": {"market": "zona"},
        }
    ],
}
LOG: dict[str, Any] = {
    "path": "log*.csv",
    "format": "csv",
    "delivery": "append",
    "key": "number",
    "revision": {"column": "updated", "zone": "UTC", "then": "update"},
    "columns": {"update": "number", "reopened": "number", "in_time": "boolean"},
    "events": [
        {"type": "ticket.created", "at": {"column": "opened", "zone": "UTC"}, "subject": "number",
         "attributes": {"priority": "priority"}},
        {"type": "ticket.solved", "when": "solved IS NOT NULL", "at": {"column": "solved", "zone": "UTC"},
         "subject": "number", "attributes": {"is_within_sla": "in_time"}},
        {"type": "ticket.reopened", "each_rise_of": "reopened", "subject": "number"},
    ],
}  # fmt: skip
SO = "; until it is mended, no row is taken for removed"
LOG_HEADER = "number,update,updated,opened,solved,reopened,priority,in_time"


@dataclass
class Office:
    """A folder of files, and a lake that they are loaded into once a day."""

    folder: Path
    declared: Mapping[str, Any]
    days: int = 0
    lake_folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.lake_folder = self.folder.parent / "lake"

    @property
    def source(self) -> Source:
        account = Account("office", "sheet", "Europe/Madrid", lambda text: f"p-{len(text)}-{text[0].lower()}")
        return Source(FILES, account, FilesOptions.model_validate({"streams": {"rows": self.declared}}))

    @property
    def lake(self) -> Lake:
        return Lake(self.lake_folder)

    def write(self, name: str, *lines: str) -> None:
        (self.folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def read(self, until: datetime = NOW) -> tuple[list[Record], Covered]:
        """What the fetching half gives, without a lake."""
        pages = self.source.streams()[0].fetch(
            Read(None, until, None, SharedClock(self.folder.parent / "clock", until))
        )
        records: list[Record] = []
        while True:
            try:
                records += next(pages)
            except StopIteration as end:
                return records, end.value

    def understood(self) -> Understood:
        """What the understanding half makes of what the fetching half gives."""
        rows = [
            {"record_key": record.key, "is_deleted": False, "payload": json.dumps(record.payload)}
            for record in {record.key: record for record in self.read()[0]}.values()
        ]
        raw = pl.DataFrame([dict.fromkeys(RAW_SCHEMA) | row for row in rows], schema=RAW_SCHEMA)
        return understand(self.source.streams()[0], "sheet", raw, NOW)

    def facts(self) -> pl.DataFrame:
        return self.understood().facts.sort("occurred_at", "fact_key").collect()

    def problems(self) -> list[str]:
        return self.understood().problems.get_column("problem").to_list()

    def load(self) -> tuple[StreamLoad, StreamChange]:
        self.days += 1
        present = NOW + timedelta(days=self.days)
        (loaded,) = fetch(self.source, self.lake, SharedClock(self.folder.parent / "clock", present), present)
        (change,) = bring_up_to_date([self.source], self.lake, present)
        return loaded, change

    def events(self, *columns: str) -> list[tuple[Any, ...]]:
        events = current(self.lake.log.scan()).filter(pl.col("event_type") != "source.covered")
        return events.sort("occurred_at", "fact_key").select(columns).collect().rows()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "exports"
    path.mkdir()
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def sheet(folder: Path) -> Office:
    office = Office(folder, SHEET)
    office.write("buzoneo.csv", "id;fecha;zona;folletos", "F1;3/3/2026;Retiro;200", "F2;04/03/2026;Sol;180")
    return office


@pytest.fixture
def log(folder: Path) -> Office:
    return Office(folder, LOG)


# A snapshot: the file is the whole state.


def test_a_sheet_becomes_events_at_the_local_beginning_of_their_days(sheet: Office) -> None:
    sheet.load()
    assert sheet.events("subject_id", "occurred_at", "quantity", "market") == [
        ("F1", datetime(2026, 3, 2, 23, tzinfo=UTC), Decimal(200), "Retiro"),
        ("F2", datetime(2026, 3, 3, 23, tzinfo=UTC), Decimal(180), "Sol"),
    ]


def test_a_sheet_loaded_again_changes_nothing_even_when_its_rows_have_moved(sheet: Office) -> None:
    sheet.load()
    sheet.write("buzoneo.csv", "id;zona;fecha;folletos;nota", "F2;Sol;04/03/2026;180;x", "", "F1;Retiro;3/3/2026;200;")
    loaded, change = sheet.load()
    assert (loaded.inserted, loaded.duplicates, change.events_stated, change.events_retracted) == (0, 2, 0, 0)


def test_an_edited_row_is_a_correction_and_a_removed_one_a_deletion(sheet: Office) -> None:
    sheet.load()
    sheet.write("buzoneo.csv", "id;fecha;zona;folletos", "F1;3/3/2026;Retiro;250")
    loaded, change = sheet.load()
    assert (loaded.inserted, loaded.removed, change.events_stated, change.events_retracted) == (1, 1, 1, 2)
    assert sheet.events("subject_id", "quantity") == [("F1", Decimal(250))]


def test_a_sheet_that_cannot_be_read_changes_nothing_and_says_why(sheet: Office) -> None:
    sheet.load()
    sheet.write("buzoneo.csv", "id;fecha;zona", "F1;3/3/2026;Retiro")
    loaded, change = sheet.load()
    assert "buzoneo.csv has no column folletos" in str(loaded.failure)
    assert (loaded.covered, loaded.delivered, change.events_retracted) == (None, 0, 0)
    assert len(sheet.events("subject_id")) == 2


def test_a_second_file_that_is_broken_keeps_the_first_from_being_read(folder: Path) -> None:
    office = Office(folder, {**SHEET, "path": "*.csv"})
    office.write("a.csv", "id;fecha;zona;folletos", "F1;3/3/2026;Retiro;200")
    office.write("b.csv", "id;fecha;zona;folletos", 'F2;3/3/2026;"Retiro;200')
    pages = office.source.streams()[0].fetch(Read(None, NOW, None, SharedClock(folder.parent / "clock", NOW)))
    with pytest.raises(SourceError, match=r"b\.csv row 2"):
        next(pages)


# Rows without an identity, or with a shared one


def test_a_row_without_its_key_is_set_aside_with_its_place(sheet: Office) -> None:
    sheet.write("buzoneo.csv", "id;fecha;zona;folletos", "F1;3/3/2026;Retiro;200", " ;4/3/2026;Sol;180")
    assert sheet.problems() == [f"buzoneo.csv row 3: id is empty, and identifies the row{SO}"]
    assert sheet.facts().height == 1


def test_rows_that_share_a_key_and_differ_are_set_aside_together(sheet: Office) -> None:
    rows = [f"F1;{day}/3/2026;Retiro;200" for day in (3, 4, 5, 6)]
    sheet.write("buzoneo.csv", "id;fecha;zona;folletos", *rows, "F2;4/3/2026;Sol;180")
    assert sheet.problems() == [
        f"4 rows have the same id and differ: buzoneo.csv row 2, buzoneo.csv row 3, buzoneo.csv row 4, …{SO}"
    ]
    assert sheet.facts().get_column("subject_id").to_list() == ["F2"]


def test_what_a_row_said_stays_while_another_one_has_its_key(sheet: Office) -> None:
    sheet.load()
    sheet.write(
        "buzoneo.csv", "id;fecha;zona;folletos", "F1;3/3/2026;Retiro;999", "F1;5/3/2026;Sol;1", "F2;04/03/2026;Sol;180"
    )
    loaded, change = sheet.load()
    assert (loaded.removed, change.quarantined, change.events_retracted) == (0, 1, 0)
    assert sheet.events("subject_id", "quantity") == [("F1", Decimal(200)), ("F2", Decimal(180))]


@pytest.mark.parametrize("mistyped", ["", "F2"])
def test_what_a_row_said_stays_while_its_key_is_emptied_or_mistyped(sheet: Office, mistyped: str) -> None:
    """F3 was removed; whether that or F1 is the row without a key of its own, nobody knows until it is mended."""
    header, *rows = "id;fecha;zona;folletos", "F1;3/3/2026;Retiro;200", "F2;04/03/2026;Sol;180"
    sheet.write("buzoneo.csv", header, *rows, "F3;5/3/2026;Sol;1", "F4;6/3/2026;Sol;2")
    sheet.load()
    sheet.write("buzoneo.csv", header, f"{mistyped};3/3/2026;Retiro;200", rows[1], "F4;6/3/2026;Sol;2")
    for _ in range(2):
        loaded, change = sheet.load()
        assert (loaded.failure, loaded.removed, change.quarantined, change.events_retracted) == (None, 0, 1, 0)
    sheet.write("buzoneo.csv", header, "", f"{mistyped};3/3/2026;Retiro;200", rows[1], "F4;6/3/2026;Sol;2")
    assert sheet.load()[1].quarantined == 1  # where it stands now, and nowhere else
    sheet.write("buzoneo.csv", header, *rows, "F4;6/3/2026;Sol;2")
    assert sheet.load()[1].quarantined == 0
    assert [subject for (subject,) in sheet.events("subject_id")] == ["F1", "F2", "F4"]


def test_equal_rows_are_one(sheet: Office) -> None:
    sheet.write("buzoneo.csv", "id;fecha;zona;folletos", *["F1;3/3/2026;Retiro;200"] * 3)
    loaded, change = sheet.load()
    assert (loaded.inserted, loaded.duplicates, change.quarantined, change.events_stated) == (1, 2, 0, 1)


def test_keys_of_several_columns_stay_apart_whatever_is_in_them(folder: Path) -> None:
    office = Office(folder, {**SHEET, "key": ["id", "zona"]})
    office.write("buzoneo.csv", "id;fecha;zona;folletos", "a/b;3/3/2026;c;1", "a;3/3/2026;b/c;2", "a@b;3/3/2026;!c;3")
    assert len({record.key for record in office.read()[0]}) == 3


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("F1;3/3/2026;Retiro", "the row has 3 fields where the header has 4"),
        ("F1;3/3/2026;Ana;Retiro;200", "the row has 5 fields where the header has 4"),
        ("F1;3.3.2026;Retiro;200", "fecha: '9.9.9999' is not a time written as %d/%m/%Y"),
        ("F1;31/2/2026;Retiro;200", "fecha: '99/9/9999' is not a time written as %d/%m/%Y"),
        ("F1;3/3/26;Retiro;200", "fecha: '9/9/99' is not a time written as %d/%m/%Y"),
        ("F1;;Retiro;200", "flyers.distributed: fecha is empty"),
        ("F1;3/3/2026;Retiro;", "flyers.distributed: its quantity is empty"),
        ("F1;3/3/2026;Retiro;-5", "flyers.distributed: its quantity is negative (folletos)"),
        ("F1;3/3/1926;Retiro;200", "flyers.distributed: fecha is before the year 2000"),
        ("F1;3/3/2026;Retiro;Ana Ruiz", "folletos: 'aaa aaaa' is not a number with '.' before the decimals"),
        ("F1;3/3/2026;Retiro;1.200,5", "folletos: '9.999,9' is not a number with '.' before the decimals"),
        ("F1;3/3/2026;Retiro;6123456789012345", "folletos: '9999999999999999' is not a number"),
    ],
)
def test_a_row_that_cannot_be_understood_is_told_by_file_row_and_column(sheet: Office, row: str, problem: str) -> None:
    sheet.write("buzoneo.csv", "id;fecha;zona;folletos", "F0;3/3/2026;Sol;1", row)
    (told,) = sheet.problems()
    assert told.startswith(f"buzoneo.csv row 3: {problem}")
    assert sheet.facts().get_column("subject_id").to_list() == ["F0"]


# What a reading covers


def test_a_snapshot_covers_up_to_its_export_and_a_log_up_to_its_last_event(sheet: Office, log: Office) -> None:
    exported = NOW - timedelta(days=9)
    os.utime(sheet.folder / "buzoneo.csv", (exported.timestamp(), exported.timestamp()))
    assert sheet.read()[1] == Covered(None, exported)
    log.write("log1.csv", LOG_HEADER, "T1,1,2026-03-02 09:00,2026-03-01 09:00,,0,low,true")
    assert log.read()[1].end == datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("covers", "start", "end"),
    [
        ({"from": "2026-01-01"}, datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 3, 5, 12, tzinfo=UTC)),
        ({"through": "2026-03-04"}, None, datetime(2026, 3, 4, 23, tzinfo=UTC)),
        ({"through": "2026-12-31"}, None, NOW),
        ({"through": "last_event"}, None, datetime(2026, 3, 3, 23, 0, 0, 1, tzinfo=UTC)),
        ({}, None, datetime(2026, 3, 5, 12, tzinfo=UTC)),
        ({"through": "delivery"}, None, datetime(2026, 3, 5, 12, tzinfo=UTC)),
        ({"through": "reading"}, None, NOW),
    ],
)
def test_how_far_files_reach_can_be_declared(
    sheet: Office, covers: dict[str, str], start: datetime | None, end: datetime
) -> None:
    written = datetime(2026, 3, 5, 12, tzinfo=UTC).timestamp()
    os.utime(sheet.folder / "buzoneo.csv", (written, written))
    sheet.declared = {**SHEET, "covers": covers}
    assert sheet.read()[1] == Covered(start, end)


def test_a_time_in_the_future_does_not_move_what_is_covered(log: Office) -> None:
    log.write(
        "log1.csv", LOG_HEADER, "T1,1,2026-03-02 09:00,2026-03-01 09:00,,0,low,true",
        "T2,1,2062-03-02 09:00,2026-03-01 09:00,,0,low,true",
    )  # fmt: skip
    assert log.read()[1].end == datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC)


def test_a_log_without_any_event_says_nothing_of_how_far_it_reaches(log: Office) -> None:
    log.write("log1.csv", LOG_HEADER)
    with pytest.raises(SourceError, match=r"no row of 1 files tells of an event.*covers\.through"):
        log.read()


def test_a_sheet_with_a_header_alone_is_a_state_without_rows(sheet: Office) -> None:
    sheet.write("buzoneo.csv", "id;fecha;zona;folletos")
    assert sheet.read() == ([], Covered(None, NOW))


# A log: several rows of one thing


def _history(*rows: str) -> Sequence[str]:
    return [LOG_HEADER, *rows]


def test_the_facts_of_a_thing_are_those_of_its_last_row(log: Office) -> None:
    log.write("log1.csv", *_history(
        "T1,0,2026-03-01 09:00,2026-03-01 09:00,,0,low,true",
        "T1,2,2026-03-02 10:00,2026-03-01 09:00,2026-03-02 10:00,0,high,false",
        "T1,1,2026-03-02 10:00,2026-03-01 09:00,2026-03-02 09:59,0,urgent,true",
    ))  # fmt: skip
    rows = log.facts().select("event_type", "occurred_at", "priority", "is_within_sla").rows()
    assert rows == [
        ("ticket.created", datetime(2026, 3, 1, 9, tzinfo=UTC), "high", None),
        ("ticket.solved", datetime(2026, 3, 2, 10, tzinfo=UTC), None, False),
    ]


def _reopenings(log: Office, *counts: int) -> list[tuple[str, int]]:
    rows = [f"T1,{n},2026-03-0{n + 1} 09:00,2026-03-01 09:00,,{count},low,true" for n, count in enumerate(counts)]
    log.write("log1.csv", *_history(*rows))
    reopened = log.facts().filter(pl.col("event_type") == "ticket.reopened")
    return [(row[0].rpartition("/")[2], row[1].day) for row in reopened.select("fact_key", "occurred_at").iter_rows()]


@pytest.mark.parametrize(
    ("counts", "reopened"),
    [
        ((0, 0), []),
        ((0, 1, 1, 2), [("1", 2), ("2", 4)]),
        ((0, 2), [("1", 2), ("2", 2)]),
        ((1, 1), [("1", 1)]),
        ((0, 1, 0), []),
        ((0, 1, 0, 1), [("1", 4)]),
        ((0, 2, 1), [("1", 2)]),
        ((0, 2, 1, 2), [("1", 2), ("2", 4)]),
    ],
)
def test_a_running_count_has_as_many_events_as_its_last_height(
    log: Office, counts: tuple[int, ...], reopened: list[tuple[str, int]]
) -> None:
    assert sorted(_reopenings(log, *counts)) == reopened


@pytest.mark.parametrize("count", ["", "-1", "1.5", "5000000"])
def test_a_count_that_counts_nothing_is_set_aside_and_the_other_rows_speak(log: Office, count: str) -> None:
    log.write("log1.csv", *_history(
        "T1,0,2026-03-01 09:00,2026-03-01 09:00,,0,low,true",
        f"T1,1,2026-03-02 09:00,2026-03-01 09:00,,{count},high,true",
    ))  # fmt: skip
    (problem,) = log.problems()
    assert problem.startswith("log1.csv row 3: ticket.reopened: reopened")
    assert log.facts().get_column("priority").to_list() == ["low"]


def test_rows_of_one_time_that_differ_are_not_put_in_an_order_that_nobody_said(folder: Path) -> None:
    office = Office(folder, {**LOG, "revision": {"column": "updated", "zone": "UTC"}})
    office.write("log1.csv", *_history(
        "T1,0,2026-03-01 09:00,2026-03-01 09:00,,0,low,true",
        "T1,1,2026-03-01 09:00,2026-03-01 09:00,,0,high,true",
        "T2,0,2026-03-01 09:00,2026-03-01 09:00,,0,low,true",
    ))  # fmt: skip
    assert office.problems() == ["2 rows have the same number, updated and differ: log1.csv row 2, log1.csv row 3"]
    assert office.facts().get_column("subject_id").to_list() == ["T2"]


def test_a_later_file_goes_on_with_the_history_and_a_missing_one_ends_nothing(log: Office) -> None:
    log.write("log1.csv", *_history(
        "T1,0,2026-03-01 09:00,2026-03-01 09:00,,0,low,true",
        "T1,1,2026-03-02 09:00,2026-03-01 09:00,2026-03-02 09:00,0,low,true",
        "T2,0,2026-03-02 09:00,2026-03-02 09:00,,0,low,true",
    ))  # fmt: skip
    log.load()
    (log.folder / "log1.csv").unlink()
    log.write("log2.csv", *_history(
        "T1,2,2026-03-03 09:00,2026-03-01 09:00,,1,low,true",
        "T1,3,2026-03-04 09:00,2026-03-01 09:00,2026-03-04 09:00,1,low,false",
    ))  # fmt: skip
    loaded, change = log.load()
    assert (loaded.inserted, loaded.removed) == (2, 0)
    assert log.events("event_type", "subject_id", "occurred_at") == [
        ("ticket.created", "T1", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("ticket.created", "T2", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("ticket.reopened", "T1", datetime(2026, 3, 3, 9, tzinfo=UTC)),
        ("ticket.solved", "T1", datetime(2026, 3, 4, 9, tzinfo=UTC)),
    ]
    assert (change.events_stated, change.events_retracted) == (2, 1)
    log.write("log3.csv", *_history("T1,4,2026-03-05 09:00,2026-03-01 09:00,2026-03-04 09:00,1,low,false"))
    loaded, change = log.load()
    assert (loaded.inserted, change.events_stated, change.events_retracted) == (1, 0, 0)


def test_expectations_set_rows_aside_and_are_met_where_a_value_is_missing(folder: Path) -> None:
    columns = {
        **LOG["columns"],
        "opened": {"type": "instant", "zone": "UTC"},
        "solved": {"type": "instant", "zone": "UTC"},
    }
    events = [
        {"type": "ticket.created", "at": "opened", "subject": "number"},
        {"type": "ticket.solved", "when": "solved IS NOT NULL", "at": "solved", "subject": "number"},
    ]
    expect = [{"that": "solved >= opened", "says": "solved before it was opened"}]
    office = Office(folder, {**LOG, "columns": columns, "events": events, "expect": expect})
    office.write("log1.csv", *_history(
        "T1,0,2026-03-01 09:00,2026-03-01 09:00,,0,low,true",
        "T1,1,2026-03-02 09:00,2026-03-01 09:00,2026-02-01 09:00,0,low,true",
    ))  # fmt: skip
    assert office.problems() == ["log1.csv row 3: solved before it was opened"]
    assert office.facts().get_column("event_type").to_list() == ["ticket.created"]


def test_what_counts_once_is_the_earliest_row_of_its_subject_in_whichever_file(folder: Path) -> None:
    declared = {
        "path": "*.csv", "format": "csv", "delivery": "append", "key": "id",
        "events": [{"type": "lead.created", "at": {"column": "day"}, "subject": "contact", "once": True}],
    }  # fmt: skip
    office = Office(folder, declared)
    office.write("a.csv", "id,contact,day", "1,c1,2026-03-05", "2,c1,2026-03-04", "3,c2,2026-03-06")
    office.load()
    office.write("b.csv", "id,contact,day", "4,c1,2026-03-01")
    _, change = office.load()
    assert office.events("subject_id", "occurred_at") == [
        ("c1", datetime(2026, 2, 28, 23, tzinfo=UTC)),
        ("c2", datetime(2026, 3, 5, 23, tzinfo=UTC)),
    ]
    assert (change.events_stated, change.events_retracted) == (1, 1)


# People


def test_only_columns_that_are_used_reach_a_record_and_people_only_as_pseudonyms(folder: Path) -> None:
    declared = {
        **SHEET, "key": "mail", "personal": ["mail"],
        "events": [{"type": "call.made", "at": "fecha", "subject": "mail", "actor": "coalesce(agent, mail)"}],
        "columns": {},
    }  # fmt: skip
    office = Office(folder, declared)
    office.write("buzoneo.csv", "mail;name;fecha;agent", "ana@x.es;Ana Ruiz;2026-03-01;Luis", "eva@x.es;Eva;x;")
    records, _ = office.read()
    assert [record.key for record in records] == ["p-8-a", "p-8-e"]
    text = repr([record.payload for record in records])
    assert not any(word in text for word in ("ana@", "Ana", "Ruiz", "Luis", "Eva", "eva@"))
    assert "p-4-l" in text
    assert office.facts().select("subject_id", "actor").rows() == [("p-8-a", "p-4-l")]


def test_another_systems_code_of_somebody_stays_as_it_is(folder: Path) -> None:
    declared = {
        **SHEET, "key": "owner", "codes": "owner", "columns": {},
        "events": [{"type": "staff.joined", "at": "fecha", "subject": "owner", "actor": "owner"}],
    }  # fmt: skip
    office = Office(folder, declared)
    office.write("buzoneo.csv", "owner;fecha", "30182;2026-03-01")
    assert office.facts().select("subject_id", "actor").rows() == [("30182", "30182")]


# Configuration


def test_a_folder_that_is_not_configured_names_its_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SourceConfigError) as caught:
        Office(folder, SHEET).read()
    assert all(part in str(caught.value) for part in ("sources.office.sheet.folder", VARIABLE, ".dlt/secrets.toml"))


def test_a_folder_that_is_not_there_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(folder / "nowhere"))
    with pytest.raises(SourceConfigError, match="which is no folder"):
        Office(folder, SHEET).read()


def test_streams_are_listed_without_a_folder_or_any_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    (stream,) = Office(Path("/nowhere/at/all"), SHEET).source.streams()
    assert (stream.name, stream.feeds, stream.is_snapshot) == ("rows", ("flyers.distributed",), True)
