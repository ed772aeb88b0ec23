"""Tables of a database, from PostgreSQL to the event log: what changed, what is gone, and rows that are set aside."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from warehouse import NOW, Warehouse

from pipelines.load import fetch
from pipelines.people import People
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import SourceConfigError, VendorError
from pipelines.sql.reading import ROWS_A_PAGE

DEALS: dict[str, Any] = {
    "table": "crm.deal",
    "delivery": "changes",
    "cursor": "synced_at",
    "key": "id",
    "deleted": "is_deleted",
    "columns": {"amount": "number"},
    "events": [
        {"type": "deal.won", "when": "stage = 'won'", "at": "closed_at", "subject": "id", "amount": "amount",
         "currency": "currency"},
    ],
}  # fmt: skip
SNAPSHOT = {**{name: value for name, value in DEALS.items() if name != "cursor"}, "delivery": "snapshot"}
CREATE = (
    "CREATE SCHEMA crm",
    "CREATE TABLE crm.deal (id bigint PRIMARY KEY, stage text, amount numeric, currency char(3) DEFAULT 'EUR', "
    "owner_email text DEFAULT 'ana@x.es', closed_at timestamptz, is_deleted boolean DEFAULT false, "
    "synced_at timestamptz)",
)
MANY = (
    "INSERT INTO crm.deal (id, stage, amount, closed_at, synced_at) "
    "SELECT n, 'won', n, timestamptz '2026-03-01 09:00Z', timestamptz '2026-03-02 00:00Z' + n * interval '1 second' "
    "FROM generate_series(1, {}) AS n"
)
WON_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def deal(id_: int, stage: str = "won", amount: str = "100.50", synced: str = "2026-03-09 09:00+00") -> str:
    at = "NULL" if synced == "NULL" else f"'{synced}'"
    return (
        f"INSERT INTO crm.deal (id, stage, amount, closed_at, synced_at) "
        f"VALUES ({id_}, '{stage}', {amount}, '2026-03-01 09:00+00', {at})"
    )


@pytest.fixture
def empty(tmp_path: Path, database: Any) -> Warehouse:
    database.run(*CREATE)
    return Warehouse(tmp_path, database, {"deals": DEALS})


@pytest.fixture
def deals(empty: Warehouse) -> Warehouse:
    empty.run(deal(1), deal(2), deal(3, "lost"))
    return empty


def won(warehouse: Warehouse) -> list[str]:
    return [subject for (subject,) in warehouse.events("subject_id")]


# Rows


def test_rows_of_a_table_are_events(deals: Warehouse) -> None:
    ((loaded,), _) = deals.load()
    assert loaded.failure is None
    assert deals.events("event_type", "subject_id", "occurred_at", "amount", "currency") == [
        ("deal.won", "1", WON_AT, Decimal("100.5"), "EUR"),
        ("deal.won", "2", WON_AT, Decimal("100.5"), "EUR"),
    ]


def test_loading_twice_changes_nothing(deals: Warehouse) -> None:
    deals.load()
    ((loaded,), (change,)) = deals.load()
    assert (loaded.inserted, change.events_stated, change.events_retracted) == (0, 0, 0)


def test_a_row_that_changed_is_a_correction(deals: Warehouse) -> None:
    deals.load()
    deals.run("UPDATE crm.deal SET amount = 70, synced_at = '2026-03-10 07:00+00' WHERE id = 1")
    (_, (change,)) = deals.load()
    assert (change.events_stated, change.events_retracted) == (1, 1)
    assert deals.events("subject_id", "amount") == [("1", Decimal(70)), ("2", Decimal("100.5"))]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        ("0.10", "0.10"),
        ("'NaN'", "NaN"),
        ("1e3", "1000"),
        ("NULL", None),
    ],
)
def test_numbers_are_read_exactly(empty: Warehouse, value: str, text: str | None) -> None:
    empty.run(deal(1, amount=value))
    (record,) = empty.read()[0]
    assert record.payload["row"]["amount"] == text


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("timestamptz", "'2026-03-01 10:00:00.25+02'", "2026-03-01T08:00:00.25Z"),
        ("timestamptz", "'infinity'", "infinity"),
        ("timestamptz", "'0044-03-15 12:00+00 BC'", "0044-03-15 12:00:00+00 BC"),
        ("date", "'2026-03-01'", "2026-03-01"),
        ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("jsonb", """'{"b": [1, 2.5], "a": null}'""", '{"a": null, "b": [1, 2.5]}'),
        ("text[]", "ARRAY['a', 'b']", '["a", "b"]'),
        ("double precision", "0.1", "0.1"),
        ("boolean", "true", "true"),
        ("bytea", "'\\x00ff'", "00ff"),
        ("text", "'  '", None),
    ],
)
def test_a_value_of_any_type_is_a_text(empty: Warehouse, column: str, value: str, text: str | None) -> None:
    empty.run(f"ALTER TABLE crm.deal ADD extra {column}", deal(1), f"UPDATE crm.deal SET extra = {value}")
    rule = {**DEALS["events"][0], "attributes": {"category": "extra"}}
    empty.declared = {"deals": {**DEALS, "events": [rule]}}
    (record,) = empty.read()[0]
    assert record.payload["row"]["extra"] == text


def test_names_that_need_quotes_are_quoted(empty: Warehouse) -> None:
    empty.run('CREATE TABLE crm."Deal History" ("Id" int PRIMARY KEY, "Won At" timestamptz)',
              """INSERT INTO crm."Deal History" VALUES (7, '2026-03-01 09:00+00')""")  # fmt: skip
    empty.declared = {"deals": {
        "table": "crm.Deal History", "delivery": "snapshot", "key": "Id",
        "events": [{"type": "deal.won", "at": "Won At", "subject": '"Id"'}],
    }}  # fmt: skip
    empty.told()
    assert won(empty) == ["7"]


# What changed


def test_a_second_run_reads_what_changed_and_the_overlap_alone(deals: Warehouse) -> None:
    deals.run(deal(4, synced="2026-03-09 12:00+00"), deal(5, synced="2026-03-09 11:00+00"))
    ((first,), _) = deals.load()
    deals.run(deal(6, synced="2026-03-10 09:00+00"))
    ((second,), (change,)) = deals.load()
    assert (first.delivered, second.delivered, second.inserted, change.events_stated) == (5, 3, 1, 1)


def test_rows_that_were_written_before_the_run_and_arrive_after_it_are_read(deals: Warehouse) -> None:
    """A loader that fills the table twice a day: what it brings is older than our last reading, and not lost."""
    deals.load()
    deals.run(deal(4, synced="2026-03-09 20:00+00"))  # the run before was on the 11th
    deals.load()
    assert won(deals) == ["1", "2", "4"]


def test_rows_at_the_place_where_the_last_reading_ended_are_read_again(deals: Warehouse) -> None:
    deals.declared = {"deals": {**DEALS, "cursor": {"columns": "synced_at", "overlap_minutes": 0}}}
    deals.load()
    deals.run(deal(4))
    ((loaded,), _) = deals.load()
    assert (loaded.delivered, loaded.inserted, won(deals)) == (4, 1, ["1", "2", "4"])


def test_rows_without_a_place_are_read_every_time(deals: Warehouse) -> None:
    deals.run(deal(4, synced="NULL"))
    deals.load()
    deals.run(deal(5, synced="NULL"), "UPDATE crm.deal SET stage = 'lost' WHERE id = 4")
    deals.load()
    assert won(deals) == ["1", "2", "5"]


def test_a_place_in_the_future_moves_nothing(deals: Warehouse) -> None:
    deals.run(deal(4, synced="2062-01-01 00:00+00"), deal(5, synced="infinity"))
    deals.load()
    deals.run(deal(6, synced="2026-03-10 09:00+00"))
    ((loaded,), _) = deals.load()
    assert (loaded.inserted, won(deals)) == (1, ["1", "2", "4", "5", "6"])


@pytest.mark.parametrize(
    ("kind", "cursor", "first", "late", "next_", "read_again"),
    [
        ("bigint", {"columns": "place", "overlap_numbers": 10}, "100", "91", "150", 1),
        ("numeric(20,6)", {"columns": "place", "overlap_numbers": 1}, "100.5", "99.75", "150.25", 1),
        ("date", "place", "'2026-03-09'", "'2026-03-08'", "'2026-03-10'", 2),
        ("timestamp", "place", "'2026-03-09 09:00'", "'2026-03-09 08:15'", "'2026-03-10 04:00'", 1),
        ("text", "place", "'1772000000.123'", "'1772000000.123'", "'1772090000.9'", 1),
        ("text", "place", "'2026-03-09T09:00:00Z'", "'2026-03-09T08:15:00Z'", "'2026-03-10T04:00:00Z'", 1),
    ],
)
def test_a_cursor_is_a_time_a_number_or_a_text(
    empty: Warehouse, kind: str, cursor: Any, first: str, late: str, next_: str, read_again: int
) -> None:
    empty.declared = {"deals": {**DEALS, "cursor": cursor, "zone": "UTC"}}
    empty.run(f"ALTER TABLE crm.deal ADD place {kind}")

    def add(id_: int, place: str) -> None:
        empty.run(deal(id_), f"UPDATE crm.deal SET place = {place} WHERE id = {id_}")

    add(1, first)
    cursor = empty.read()[2].cursor
    add(2, late)
    add(3, next_)
    records, _, covered = empty.read(empty.reading(cursor=cursor))
    assert {record.key for record in records} == {"1", "2", "3"}
    add(4, next_)
    records, _, _ = empty.read(empty.reading(cursor=covered.cursor))
    assert len(records) == read_again + 1


@pytest.mark.parametrize("place", ["'9'", "'10/03/2026'", "'a1'"])
def test_a_text_whose_order_says_nothing_is_no_cursor(deals: Warehouse, place: str) -> None:
    """'10' stands before '9', and would never be read."""
    deals.declared = {"deals": {**DEALS, "cursor": "place"}}
    deals.run("ALTER TABLE crm.deal ADD place text", f"UPDATE crm.deal SET place = {place}")
    with pytest.raises(SourceConfigError, match=r"crm\.deal: place is a text whose order says nothing"):
        deals.read()


def test_a_number_that_is_none_moves_nothing(deals: Warehouse) -> None:
    deals.declared = {"deals": {**DEALS, "cursor": "place"}}
    deals.run("ALTER TABLE crm.deal ADD place numeric", "UPDATE crm.deal SET place = id",
              "UPDATE crm.deal SET place = 'NaN' WHERE id = 2")  # fmt: skip
    assert '"at":"3"' in str(deals.read()[2].cursor)


def test_without_a_cursor_all_is_read_and_what_is_new_is_stored(deals: Warehouse) -> None:
    deals.declared = {"deals": {**SNAPSHOT, "delivery": "changes"}}
    deals.load()
    deals.run("DELETE FROM crm.deal WHERE id = 1", deal(4))
    ((loaded,), _) = deals.load()
    assert (loaded.delivered, loaded.inserted, won(deals)) == (3, 1, ["1", "2", "4"])


def test_where_something_else_is_asked_of_rows_all_of_them_are_read_anew(deals: Warehouse) -> None:
    deals.run("UPDATE crm.deal SET synced_at = '2026-03-01 00:00+00' WHERE id = 1")
    deals.load()
    deals.declared = {
        "deals": {**DEALS, "events": [{**DEALS["events"][0], "attributes": {"pipeline": "lower(currency)"}}],
                  "expect": [{"that": "is_deleted IS NOT NULL", "says": "x"}]},
    }  # fmt: skip
    ((loaded,), _) = deals.load()
    assert (loaded.delivered, deals.events("subject_id", "pipeline")) == (3, [("1", "eur"), ("2", "eur")])


# What is gone


def test_a_row_that_is_removed_from_a_snapshot_is_a_deletion(deals: Warehouse) -> None:
    deals.declared = {"deals": SNAPSHOT}
    deals.load()
    deals.run("DELETE FROM crm.deal WHERE id = 1")
    ((loaded,), (change,)) = deals.load()
    assert (loaded.removed, change.events_retracted, won(deals)) == (1, 1, ["2"])


def test_a_row_that_lost_its_key_is_not_taken_for_removed_from_a_snapshot(deals: Warehouse) -> None:
    deals.declared = {"deals": SNAPSHOT}
    deals.run("ALTER TABLE crm.deal DROP CONSTRAINT deal_pkey", "ALTER TABLE crm.deal ALTER id DROP NOT NULL")
    deals.load()
    deals.run("UPDATE crm.deal SET id = NULL WHERE id = 1")
    ((loaded,), (change,)) = deals.load()
    assert (loaded.removed, change.events_retracted, won(deals)) == (0, 0, ["1", "2"])
    assert deals.problems()[0].endswith("identifies the row; until it is mended, no row is taken for removed")


def test_a_snapshot_of_which_most_is_gone_is_doubted(deals: Warehouse) -> None:
    deals.declared = {"deals": SNAPSHOT}
    deals.run("DELETE FROM crm.deal", MANY.format(30))
    deals.load()
    deals.run("DELETE FROM crm.deal WHERE id > 10")
    ((loaded,), _) = deals.load()
    assert "20 of the 30 records that were known are not in it" in str(loaded.failure)
    assert len(won(deals)) == 30


@pytest.mark.parametrize(
    ("kind", "no", "yes"),
    [
        ("boolean", "false", "true"),
        ("boolean", "NULL", "true"),
        ("integer", "0", "1"),
        ("text", "'False'", "'True'"),
        ("text", "''", "'Y'"),
        ("timestamptz", "NULL", "'2026-03-09 09:00+00'"),
        ("timestamp", "NULL", "'2026-03-09 09:00'"),
        ("date", "NULL", "'2026-03-09'"),
    ],
)
def test_a_row_is_marked_as_deleted_by_a_boolean_a_number_a_word_or_a_time(
    deals: Warehouse, kind: str, no: str, yes: str
) -> None:
    deals.declared = {"deals": {**DEALS, "deleted": "gone"}}
    deals.run(f"ALTER TABLE crm.deal ADD gone {kind}", f"UPDATE crm.deal SET gone = {no}",
              f"UPDATE crm.deal SET gone = {yes} WHERE id = 1")  # fmt: skip
    assert {record.key: record.is_deleted for record in deals.read()[0]} == {"1": True, "2": False, "3": False}


def test_a_row_that_is_marked_as_deleted_withdraws_its_events_until_it_is_restored(deals: Warehouse) -> None:
    deals.load()
    deals.run("UPDATE crm.deal SET is_deleted = true, synced_at = '2026-03-10 09:00+00' WHERE id = 1")
    deals.load()
    assert won(deals) == ["2"]
    deals.run("UPDATE crm.deal SET is_deleted = false, synced_at = '2026-03-11 09:00+00' WHERE id = 1")
    deals.load()
    assert won(deals) == ["1", "2"]


def test_a_mark_of_deletion_that_says_neither_is_told_and_what_the_row_said_stays(deals: Warehouse) -> None:
    deals.declared = {"deals": {**DEALS, "deleted": {"column": "stage", "yes": "archived", "no": ["won", "lost"]}}}
    deals.load()
    deals.run("UPDATE crm.deal SET stage = 'Ana Ruiz', synced_at = '2026-03-10 09:00+00' WHERE id = 1")
    deals.load()
    assert deals.problems() == ["crm.deal 1: stage: 'aaa aaaa' is not one of archived, won, lost, or a time"]
    assert won(deals) == ["1", "2"]


# A long reading


def test_rows_come_in_pages_and_each_of_them_is_marked(empty: Warehouse) -> None:
    empty.run(MANY.format(2 * ROWS_A_PAGE + 1))
    sizes = [len(page) for page in empty.pages() if isinstance(page, list)]
    records, marks, covered = empty.read()
    assert (sizes, len(marks)) == ([ROWS_A_PAGE, ROWS_A_PAGE, 1], 3)
    rest, _, end = empty.read(empty.reading(mark=marks[0].text))
    assert [record.key for record in rest] == [record.key for record in records[ROWS_A_PAGE - 1 :]]
    assert end == covered


def test_rows_wait_in_the_database_until_they_are_asked_for(empty: Warehouse) -> None:
    empty.run(MANY.format(3 * ROWS_A_PAGE))
    with closing(empty.stream.fetch(empty.reading())) as pages:
        next(pages)
        empty.run(
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' "
            "AND query LIKE 'FETCH FORWARD %' AND datname = current_database()) "
            "THEN RAISE EXCEPTION 'no rows wait'; END IF; END $$"
        )


def test_a_reading_goes_on_among_rows_of_one_place(empty: Warehouse) -> None:
    """A loader's first load writes all rows with one time."""
    empty.run(MANY.format(2 * ROWS_A_PAGE), "UPDATE crm.deal SET synced_at = '2026-03-09 09:00+00'")
    _, marks, _ = empty.read()
    rest, _, _ = empty.read(empty.reading(mark=marks[0].text))
    assert len(rest) == ROWS_A_PAGE + 1


def test_a_reading_goes_on_after_rows_without_a_place(empty: Warehouse) -> None:
    empty.run(MANY.format(2 * ROWS_A_PAGE), f"UPDATE crm.deal SET synced_at = NULL WHERE id <= {ROWS_A_PAGE + 100}")
    _, marks, _ = empty.read()
    rest, _, _ = empty.read(empty.reading(mark=marks[0].text))
    assert len({record.key for record in rest}) == ROWS_A_PAGE + 1


def test_a_reading_without_a_cursor_goes_on_by_the_key(empty: Warehouse) -> None:
    empty.declared = {"deals": {**SNAPSHOT, "delivery": "changes"}}
    empty.run(MANY.format(ROWS_A_PAGE + 5))
    _, marks, _ = empty.read()
    rest, _, _ = empty.read(empty.reading(mark=marks[0].text))
    assert [record.key for record in rest] == [str(n) for n in range(ROWS_A_PAGE, ROWS_A_PAGE + 6)]


def test_a_snapshot_has_no_marks_as_it_is_one_state_of_the_whole(deals: Warehouse) -> None:
    deals.declared = {"deals": SNAPSHOT}
    assert deals.read()[1] == []


def test_a_reading_that_is_cut_off_is_gone_on_with_by_the_next_run(empty: Warehouse) -> None:
    empty.declared = {"deals": {**DEALS, "cursor": {"columns": "synced_at", "overlap_minutes": 0}}}
    empty.run(MANY.format(3 * ROWS_A_PAGE))

    def cut_off(stream: str, records: int) -> None:
        empty.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                  "WHERE pid <> pg_backend_pid() AND datname = current_database()")  # fmt: skip

    clock = SharedClock(empty.folder / "clock", NOW)
    (loaded,) = fetch(empty.source, empty.lake, clock, NOW, cut_off)
    assert isinstance(loaded.failure, VendorError)
    assert "crm.deal: the database answered" in str(loaded.failure)
    assert (loaded.covered, loaded.delivered) == (None, ROWS_A_PAGE)
    ((after,), _) = empty.load()
    rest, since = 2 * ROWS_A_PAGE + 1, 1  # with the last row of what was had, and of what changed since
    assert (after.failure, after.delivered, len(won(empty))) == (None, rest + since, 3 * ROWS_A_PAGE)


def test_what_changes_while_a_table_is_read_is_for_the_next_reading(empty: Warehouse) -> None:
    empty.run(MANY.format(2 * ROWS_A_PAGE))
    pages = empty.pages()
    first = next(pages)
    last = 2 * ROWS_A_PAGE
    empty.run(f"DELETE FROM crm.deal WHERE id = {last}", "UPDATE crm.deal SET stage = 'lost'")
    rest = [record for page in pages if isinstance(page, list) for record in page]
    assert isinstance(first, list)
    assert {record.payload["row"]["stage"] for record in [*first, *rest]} == {"won"}
    assert rest[-1].key == str(last)


# Rows that cannot be understood


def test_a_row_that_cannot_be_understood_is_told_by_table_key_and_column(deals: Warehouse) -> None:
    deals.run("ALTER TABLE crm.deal ALTER closed_at TYPE text", "UPDATE crm.deal SET closed_at = 'Ana' WHERE id = 1",
              "UPDATE crm.deal SET closed_at = '2026-03-01T09:00:00Z' WHERE id = 2")  # fmt: skip
    deals.told()
    assert deals.problems() == ["crm.deal 1: closed_at: 'aaa' is not a time in ISO 8601"]
    assert won(deals) == ["2"]


@pytest.mark.parametrize("odd", ["infinity", "-infinity", "0044-03-15 12:00+00 BC", "2500-01-01 00:00+00"])
def test_a_time_that_is_none_is_told_and_ends_no_reading(deals: Warehouse, odd: str) -> None:
    deals.run(f"UPDATE crm.deal SET closed_at = '{odd}' WHERE id = 1")
    deals.told()
    (problem,) = deals.problems()
    assert problem.startswith("crm.deal 1: closed_at: ")
    assert won(deals) == ["2"]


def test_a_row_without_its_key_is_set_aside(deals: Warehouse) -> None:
    deals.run("ALTER TABLE crm.deal DROP CONSTRAINT deal_pkey", "ALTER TABLE crm.deal ALTER id DROP NOT NULL",
              "UPDATE crm.deal SET id = NULL WHERE id = 1")  # fmt: skip
    deals.told()
    (problem,) = deals.problems()
    assert problem.startswith("crm.deal !")
    assert problem.endswith(": id is empty, and identifies the row")
    assert won(deals) == ["2"]


def test_a_key_that_most_rows_lack_is_told_once(deals: Warehouse) -> None:
    deals.run("ALTER TABLE crm.deal ADD number bigint", MANY.replace("n, 'won'", "n + 9, 'won'", 1).format(1500))
    deals.declared = {"deals": {**DEALS, "key": "number"}}
    with pytest.raises(SourceConfigError, match=r"crm\.deal: more than 1000 rows lack a part of number"):
        deals.read()


def test_rows_that_share_a_key_and_differ_are_set_aside_and_equal_ones_are_one(deals: Warehouse) -> None:
    deals.run("ALTER TABLE crm.deal DROP CONSTRAINT deal_pkey", deal(1, amount="7"), deal(2))
    deals.told()
    assert deals.problems() == ["crm.deal 1: 2 rows have the same id and differ"]
    assert won(deals) == ["2"]


def test_a_key_that_identifies_nothing_is_told_once(deals: Warehouse) -> None:
    deals.run("ALTER TABLE crm.deal DROP CONSTRAINT deal_pkey", MANY.format(1500), MANY.format(1500),
              "UPDATE crm.deal SET amount = random()")  # fmt: skip
    ((loaded,), _) = deals.load()
    assert isinstance(loaded.failure, SourceConfigError)
    assert "office.crm: crm.deal: id does not tell rows apart: more than 1000 are shared" in str(loaded.failure)


# Revisions


@pytest.fixture
def revised(deals: Warehouse) -> Warehouse:
    deals.declared = {"deals": {**DEALS, "revision": "updated_at"}}
    deals.run(
        "ALTER TABLE crm.deal ADD updated_at timestamptz", "UPDATE crm.deal SET updated_at = '2026-03-05 09:00+00'"
    )
    deals.load()
    return deals


def test_an_older_revision_never_takes_the_place_of_a_newer_one(revised: Warehouse) -> None:
    change = "UPDATE crm.deal SET updated_at = '{}', amount = {}, synced_at = '{}' WHERE id = 1"
    revised.run(change.format("2026-03-06 09:00+00", 200, "2026-03-11 09:00+00"))
    revised.load()
    revised.run(change.format("2026-03-04 09:00+00", 50, "2026-03-12 09:00+00"))
    revised.load()
    assert revised.events("subject_id", "amount")[0] == ("1", Decimal(200))


def test_a_revision_in_the_future_is_told_and_a_later_correction_counts(revised: Warehouse) -> None:
    change = "UPDATE crm.deal SET updated_at = '{}', amount = {}, synced_at = '{}' WHERE id = 1"
    revised.run(change.format("2062-03-06 09:00+00", 200, "2026-03-11 09:00+00"))
    revised.load()
    assert revised.problems() == ["crm.deal 1: updated_at lies in the future"]
    assert revised.events("subject_id", "amount")[0] == ("1", Decimal("100.5"))
    revised.run(change.format("2026-03-12 09:00+00", 300, "2026-03-12 09:00+00"))
    revised.load()
    revised.load()
    assert revised.events("subject_id", "amount")[0] == ("1", Decimal(300))


# Times without a zone


def test_a_time_that_is_stored_without_a_zone_is_refused_until_its_zone_is_said(deals: Warehouse) -> None:
    deals.run("SET TIME ZONE 'UTC'; ALTER TABLE crm.deal ALTER closed_at TYPE timestamp")
    ((loaded,), _) = deals.load()
    assert "crm.deal: the times of closed_at are stored without a zone. Say with zone" in str(loaded.failure)
    deals.declared = {"deals": {**DEALS, "zone": "America/Bogota"}}
    deals.run("UPDATE crm.deal SET closed_at = '2026-03-01 09:00'")
    deals.load()
    assert {at for (at,) in deals.events("occurred_at")} == {datetime(2026, 3, 1, 14, tzinfo=UTC)}


def test_a_local_time_that_the_clock_shows_twice_is_told(deals: Warehouse) -> None:
    deals.run("ALTER TABLE crm.deal ALTER closed_at TYPE timestamp",
              "UPDATE crm.deal SET closed_at = '2025-10-26 02:30' WHERE id = 1")  # fmt: skip
    deals.declared = {"deals": {**DEALS, "zone": "Europe/Madrid"}}
    deals.told()
    (problem,) = deals.problems()
    assert "crm.deal 1: closed_at: Europe/Madrid has no single instant at 2025-10-26 02:30:00" in problem


# How far a reading reaches


def test_a_reading_covers_up_to_itself_or_up_to_when_the_table_was_filled(deals: Warehouse) -> None:
    assert deals.read()[2].end == NOW
    deals.declared = {"deals": {**DEALS, "loaded_at": "synced_at"}}
    assert deals.read()[2].end == datetime(2026, 3, 9, 9, tzinfo=UTC)
    deals.run("CREATE TABLE crm._dlt_loads (load_id text, inserted_at timestamptz)",
              "INSERT INTO crm._dlt_loads VALUES ('1773100000.5', '2026-03-09 22:00+00')")  # fmt: skip
    deals.declared = {"deals": {**DEALS, "loaded_at": {"table": "crm._dlt_loads", "column": "inserted_at"}}}
    assert deals.read()[2].end == datetime(2026, 3, 9, 22, tzinfo=UTC)
    deals.run("ALTER TABLE crm._dlt_loads ADD local_time timestamp DEFAULT '2026-03-09 22:00'")
    deals.declared = {"deals": {**DEALS, "loaded_at": {"table": "crm._dlt_loads", "column": "local_time"}}}
    with pytest.raises(SourceConfigError, match=r"crm\._dlt_loads: the last local_time is stored without a zone"):
        deals.read()
    deals.declared = {"deals": {**DEALS, "loaded_at": {"table": "crm._dlt_loads", "column": "load_id"}}}
    assert deals.read()[2].end == datetime.fromtimestamp(1773100000.5, UTC)


def test_a_table_that_was_filled_in_the_future_covers_up_to_the_reading(deals: Warehouse) -> None:
    deals.declared = {"deals": {**DEALS, "loaded_at": "synced_at"}}
    deals.run(deal(9, synced="2062-01-01 00:00+00"))
    assert deals.read()[2].end == NOW


def test_a_table_of_which_nothing_says_when_it_was_filled_covers_nothing(empty: Warehouse) -> None:
    empty.declared = {"deals": {**DEALS, "loaded_at": "synced_at"}}
    ((loaded,), _) = empty.load()
    assert "crm.deal: the last synced_at is no time" in str(loaded.failure)


def test_the_days_that_a_table_has_can_be_declared(deals: Warehouse) -> None:
    deals.declared = {"deals": {**DEALS, "covers": {"from": "2026-01-01", "through": "2026-03-04"}}}
    covered = deals.read()[2]
    assert (covered.start, covered.end) == (
        datetime(2025, 12, 31, 23, tzinfo=UTC),
        datetime(2026, 3, 4, 23, tzinfo=UTC),
    )


# People


def test_only_columns_that_are_named_leave_the_database(deals: Warehouse) -> None:
    deals.load()
    kept = {name for payload in deals.stored() for name in payload["row"]}
    assert kept == {"id", "stage", "amount", "currency", "closed_at"}
    assert "ana@" not in repr(deals.stored())


def test_people_are_pseudonyms_and_are_in_no_mark(deals: Warehouse) -> None:
    rule = {"type": "lead.created", "at": "closed_at", "subject": "owner_email"}
    deals.declared = {"deals": {**DEALS, "key": "owner_email", "personal": "owner_email", "events": [rule]}}
    deals.run("UPDATE crm.deal SET owner_email = 'p' || id || '@x.es'")
    records, marks, covered = deals.read()
    assert [record.key for record in records] == ["p-7-p"] * 3
    assert "@" not in repr((records, marks, covered))
    assert deals.stream.people.own[0].kind == "subject"


def test_ids_of_people_are_in_no_mark(deals: Warehouse) -> None:
    rule = {"type": "lead.created", "at": "closed_at", "subject": "id"}
    deals.declared = {"deals": {**DEALS, "events": [rule]}}
    _, (mark,), _ = deals.read()
    assert '"key":[]' in mark.text
    assert isinstance(deals.stream.people, People)
    assert list(deals.stream.people.in_key("7")) == [("subject", "7")]


def test_what_a_deleted_row_said_is_not_stored(deals: Warehouse) -> None:
    deals.run("UPDATE crm.deal SET is_deleted = true")
    deals.load()
    assert deals.stored() == [{"row": None}] * 3


def test_streams_are_listed_without_a_database(tmp_path: Path) -> None:
    (stream,) = Warehouse(tmp_path, tables=None, declared={"deals": DEALS}).source.streams()  # type: ignore[arg-type]
    assert (stream.name, stream.feeds, stream.is_snapshot) == ("deals", ("deal.won",), False)
    assert stream.columns() >= {"record_key", "subject_id", "amount", "currency"}
