"""Tables of SQLite: a second dialect, whose times are texts; and, as it is quick, a reading cut off at any place."""

from __future__ import annotations

import warnings
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warehouse import NOW, PREFIX, File, Warehouse

from pipelines.source import SourceConfigError, SourceError
from pipelines.sql import reading

DEALS: dict[str, Any] = {
    "table": "deal", "delivery": "changes", "cursor": "updated_at", "key": "id", "deleted": "gone", "zone": "UTC",
    "columns": {"amount": "number", "is_new": "boolean"},
    "events": [
        {"type": "deal.won", "when": "is_new", "at": "closed_at", "subject": "id", "amount": "amount",
         "currency": "'EUR'"},
    ],
}  # fmt: skip


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
    deals.told()
    assert deals.problems() == ["deal 1: closed_at: 'aaaa' is not a time in ISO 8601"]
    assert deals.events("subject_id") == [("2",)]


def test_a_text_where_a_number_is_declared_is_told_by_its_row(deals: Warehouse) -> None:
    deals.run(deal(1, amount="'many'"), deal(2))
    deals.told()
    assert deals.problems() == ["deal 1: amount: 'aaaa' is not a number with '.' before the decimals"]


def test_a_table_that_is_not_there_is_told(deals: Warehouse) -> None:
    deals.declared = {"deals": {**DEALS, "table": "deals"}}
    with pytest.raises(SourceError, match=r"there is no table deals\. Did you mean deal\?"):
        deals.read()


def test_times_need_a_zone(deals: Warehouse) -> None:
    deals.declared = {"deals": {name: value for name, value in DEALS.items() if name != "zone"}}
    with pytest.raises(SourceError, match="deal: the times of closed_at, updated_at are stored without a zone"):
        deals.read()


NUMBERED = {**{name: value for name, value in DEALS.items() if name != "deleted"}, "cursor": "id"}


def test_a_row_of_a_lower_number_that_was_committed_late_is_read(deals: Warehouse) -> None:
    deals.declared = {"deals": NUMBERED}
    deals.run(deal(1), deal(3))
    cursor = deals.read()[2].cursor
    deals.run(deal(2), deal(4))
    assert {record.key for record in deals.read(deals.reading(cursor=cursor))[0]} == {"1", "2", "3", "4"}


def test_an_overlap_of_minutes_between_numbers_is_refused(deals: Warehouse) -> None:
    deals.declared = {"deals": {**NUMBERED, "cursor": {"columns": "id", "overlap_minutes": 600}}}
    deals.run(deal(1))
    with pytest.raises(
        SourceError, match=r"deal: id is a number, of which overlap_minutes says nothing\. Write overlap"
    ):
        deals.read()


def test_of_a_subject_that_is_corrected_nothing_is_left(deals: Warehouse) -> None:
    rule = {"type": "deal.won", "once": True, "at": "closed_at", "subject": "customer"}
    deals.declared = {"deals": {**DEALS, "columns": {}, "events": [rule]}}
    deals.run("ALTER TABLE deal ADD customer TEXT", deal(1), deal(2), "UPDATE deal SET customer = 'A'")
    deals.load()
    deals.run("UPDATE deal SET customer = 'B', updated_at = '2026-03-11 04:00:00' WHERE id = 1")
    ((loaded,), _) = deals.load()
    assert (loaded.inserted, loaded.removed, deals.events("subject_id")) == (1, 1, [("A",), ("B",)])
    deals.run("UPDATE deal SET customer = 'B', updated_at = '2026-03-12 04:00:00' WHERE id = 2")
    deals.load()
    assert deals.events("subject_id") == [("B",)]
    ((loaded,), _) = deals.load()
    assert (loaded.inserted, loaded.removed) == (0, 0)


@pytest.mark.parametrize("never", ["9999-12-31 00:00:00", "0001-01-01 00:00:00", "1970-01-01 00:00:00", "infinity"])
def test_a_deletion_at_the_end_or_the_beginning_of_time_is_none(deals: Warehouse, never: str) -> None:
    deals.declared = {"deals": {**DEALS, "deleted": "deleted_at"}}
    deals.run("ALTER TABLE deal ADD deleted_at TEXT", deal(1), deal(2), f"UPDATE deal SET deleted_at = '{never}'",
              "UPDATE deal SET deleted_at = '2026-03-09 09:00:00' WHERE id = 2")  # fmt: skip
    assert [record.is_deleted for record in deals.read()[0]] == [False, True]


def test_a_revision_that_lay_in_the_future_counts_once_it_has_come(deals: Warehouse) -> None:
    deals.declared = {"deals": {**DEALS, "revision": "revised_at"}}
    deals.run("ALTER TABLE deal ADD revised_at DATETIME", deal(1), deal(2, updated="2026-03-10 23:00:00"),
              "UPDATE deal SET revised_at = '2026-03-11 06:00:00'")  # fmt: skip
    deals.load()
    assert (len(deals.problems()), deals.events("subject_id")) == (2, [])
    deals.load()
    assert deals.events("subject_id") == [("1",), ("2",)]


def test_a_table_that_a_known_loader_fills_reaches_as_far_as_it_brought_something(deals: Warehouse) -> None:
    deals.run("ALTER TABLE deal ADD _fivetran_synced DATETIME", deal(1),
              "UPDATE deal SET _fivetran_synced = '2026-03-06 21:00:00'")  # fmt: skip
    assert deals.read()[2].end == datetime(2026, 3, 6, 21, tzinfo=UTC)
    deals.declared = {"deals": {**DEALS, "covers": {"through": "reading"}}}
    assert deals.read()[2].end == NOW


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


def test_a_database_that_is_not_there_is_not_made(deals: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    path = deals.folder / "crmm.db"
    monkeypatch.setenv(PREFIX, f"sqlite:///{path}")
    loads, _ = deals.load()
    assert f"there is no file {path}. Correct sources.office.crm.credentials" in str(loads[0].failure)
    assert not path.exists()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("mode=ro", "the driver of sqlite ignores mode of sources.office.crm.credentials. Correct it, or leave it out"),
        ("timeout=3&mode=ro&cache=x", "ignores cache, mode of sources.office.crm.credentials"),
        ("mode=ro&mode=rw", "sources.office.crm.credentials says mode more than once. Say it once"),
        ("timeout=3&timeout=5", "sources.office.crm.credentials says timeout more than once"),
        ("timeout=soon", "sources.office.crm.credentials is no connection string"),
    ],
)
def test_what_a_driver_would_ignore_is_refused_by_the_name_of_the_setting(
    deals: Warehouse, monkeypatch: pytest.MonkeyPatch, query: str, told: str
) -> None:
    monkeypatch.setenv(PREFIX, f"sqlite:///{deals.folder / 'crm.db'}?{query}")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(SourceConfigError) as refused:
            deals.read()
    assert told in str(refused.value)
    assert [one for one in warned if issubclass(one.category, sa.exc.SAWarning)] == []


@pytest.mark.parametrize("query", ["timeout=3", "mode=ro&uri=true"])
def test_what_a_driver_knows_is_handed_to_it(deals: Warehouse, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    begin = "sqlite:///file:" if "uri" in query else "sqlite:///"
    monkeypatch.setenv(PREFIX, f"{begin}{deals.folder / 'crm.db'}?{query}")
    assert deals.read()[2].end is not None
