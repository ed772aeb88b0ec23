"""Tables of SQLite: a second dialect, whose times are texts; and, as it is quick, a reading cut off at any place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warehouse import PREFIX, Warehouse

from pipelines.source import SourceError
from pipelines.sql import reading

DEALS: dict[str, Any] = {
    "table": "deal", "delivery": "changes", "cursor": "updated_at", "key": "id", "deleted": "gone", "zone": "UTC",
    "columns": {"amount": "number", "is_new": "boolean"},
    "events": [
        {"type": "deal.won", "when": "is_new", "at": "closed_at", "subject": "id", "amount": "amount",
         "currency": "'EUR'"},
    ],
}  # fmt: skip


@dataclass(frozen=True)
class File:
    """A database in a file."""

    path: Path

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()


@pytest.fixture
def deals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv(PREFIX, f"sqlite:///{tmp_path / 'crm.db'}")
    found = Warehouse(tmp_path, File(tmp_path / "crm.db"), {"deals": DEALS})
    found.run(
        "CREATE TABLE deal (id INTEGER PRIMARY KEY, amount NUMERIC(10, 2), is_new BOOLEAN, closed_at DATETIME, "
        "updated_at DATETIME, gone INTEGER DEFAULT 0)"
    )
    return found


def deal(id_: int, updated: str = "2026-03-09 09:00:00", closed: str = "2026-03-01 09:00:00", amount: str = "7") -> str:
    return (
        "INSERT INTO deal (id, amount, is_new, closed_at, updated_at) "
        f"VALUES ({id_}, {amount}, true, '{closed}', '{updated}')"
    )


def test_rows_are_events_and_what_is_marked_as_deleted_is_gone(deals: Warehouse) -> None:
    deals.run(deal(1, amount="100.5"), deal(2))
    deals.load()
    assert deals.events("subject_id", "occurred_at", "amount") == [
        ("1", datetime(2026, 3, 1, 9, tzinfo=UTC), Decimal("100.5")),
        ("2", datetime(2026, 3, 1, 9, tzinfo=UTC), Decimal(7)),
    ]
    deals.run("UPDATE deal SET gone = 1, updated_at = '2026-03-10 09:00:00' WHERE id = 1")
    deals.load()
    assert deals.events("subject_id") == [("2",)]


def test_what_changed_is_read_with_the_overlap_and_rows_of_the_same_time(deals: Warehouse) -> None:
    deals.run(deal(1, "2026-03-08 09:00:00"), deal(2, "2026-03-09 08:30:00"), deal(3))
    deals.load()
    deals.run(deal(4), deal(5, "2026-03-10 09:00:00.250000"))
    ((loaded,), _) = deals.load()
    assert (loaded.delivered, loaded.inserted) == (4, 2)


def test_a_time_that_is_none_is_told_by_its_row(deals: Warehouse) -> None:
    deals.run(deal(1, closed="soon"), deal(2))
    deals.load()
    assert deals.problems() == ["deal 1: closed_at: 'aaaa' is not a time in ISO 8601"]
    assert deals.events("subject_id") == [("2",)]


def test_a_text_where_a_number_is_declared_is_told_by_its_row(deals: Warehouse) -> None:
    deals.run(deal(1, amount="'many'"), deal(2))
    deals.load()
    assert deals.problems() == ["deal 1: amount: 'aaaa' is not a number with '.' before the decimals"]


def test_a_table_that_is_not_there_is_told(deals: Warehouse) -> None:
    deals.declared = {"deals": {**DEALS, "table": "deals"}}
    with pytest.raises(SourceError, match=r"there is no table deals\. Did you mean deal\?"):
        deals.read()


def test_times_need_a_zone(deals: Warehouse) -> None:
    deals.declared = {"deals": {name: value for name, value in DEALS.items() if name != "zone"}}
    with pytest.raises(SourceError, match="deal: the times of closed_at, updated_at are stored without a zone"):
        deals.read()


PLACES = st.one_of(st.none(), st.integers(0, 3).map(lambda n: f"2026-03-0{n + 1} 09:00:00"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(PLACES, max_size=12), cut=st.integers(0, 5), is_a_person=st.booleans())
def test_a_reading_that_is_cut_off_anywhere_has_read_all_once_it_went_on(
    deals: Warehouse, monkeypatch: pytest.MonkeyPatch, places: list[str | None], cut: int, is_a_person: bool
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_PAGE", 2)
    event = "lead.created" if is_a_person else "deal.won"
    rule = {"type": event, "at": "closed_at", "subject": "id"}
    deals.declared = {"deals": {**DEALS, "events": [rule]}}
    deals.run("DELETE FROM deal")
    for id_, place in enumerate(places):
        deals.run(deal(id_, place or "").replace("''", "NULL"))
    seen: list[str] = []
    mark = None
    with closing(deals.stream.fetch(deals.reading())) as pages:
        for number, page in enumerate(pages):
            if number // 2 >= cut:
                break
            if isinstance(page, list):
                seen += [record.key for record in page]
            else:
                mark = page.text
    rest, _, covered = deals.read(deals.reading(mark=mark))
    assert {*seen, *(record.key for record in rest)} == {str(id_) for id_ in range(len(places))}
    assert covered.cursor == (deals.read()[2].cursor if rest and any(places) else covered.cursor)
