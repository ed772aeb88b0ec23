"""Tables as loaders and dbt lay them out: their columns of their own, their deletions, their versions and histories."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from warehouse import NOW, Warehouse

WON: dict[str, Any] = {
    "type": "deal.won", "while": "stage = 'won'", "subject": "id", "amount": "amount", "currency": "'EUR'",
    "actor": "owner",
}  # fmt: skip
ENTERED: dict[str, Any] = {
    "type": "deal.stage_entered", "each_change_of": "stage", "when": "stage IS NOT NULL", "subject": "id",
    "attributes": {"stage": "stage"},
}  # fmt: skip
OF_STATES: dict[str, Any] = {"codes": "owner", "columns": {"amount": "number"}, "events": [ENTERED, WON]}


def at(day: int, hour: int = 9, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path, database: Any) -> Warehouse:
    database.run("CREATE SCHEMA crm")
    return Warehouse(tmp_path, database, {})


def stages(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    events = warehouse.events("event_type", "subject_id", "stage", "occurred_at")
    return [event[1:] for event in events if event[0] == "deal.stage_entered"]


def won(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    events = warehouse.events("event_type", "subject_id", "occurred_at", "amount", "actor")
    return [event[1:] for event in events if event[0] == "deal.won"]


# Snapshots of dbt


@pytest.fixture
def snapshots(warehouse: Warehouse) -> Warehouse:
    """https://docs.getdbt.com/docs/build/snapshots is the source of these columns: they are stored without a zone."""
    warehouse.run(
        "CREATE TABLE crm.deals_snapshot (id int, stage text, amount numeric, owner text, dbt_scd_id text, "
        "dbt_updated_at timestamp, dbt_valid_from timestamp, dbt_valid_to timestamp, dbt_is_deleted text)"
    )
    warehouse.declared = {"deals": {
        "table": "crm.deals_snapshot", "shape": {"type": "versions", "to": "dbt_valid_to"},
        "revision": "dbt_valid_from",
        "delivery": "changes", "cursor": ["dbt_valid_from", "dbt_valid_to"], "key": "id", "zone": "UTC", **OF_STATES,
    }}  # fmt: skip
    return warehouse


def version(id_: int, stage: str, since: str, to: str = "NULL", amount: int = 100, gone: str = "False") -> str:
    until = to if to == "NULL" else f"'{to}'"
    return (
        f"INSERT INTO crm.deals_snapshot VALUES ({id_}, '{stage}', {amount}, 'u7', '{id_}-{since}', '{since}', "
        f"'{since}', {until}, '{gone}')"
    )


def test_each_version_of_a_snapshot_begins_a_state(snapshots: Warehouse) -> None:
    snapshots.run(
        version(1, "new", "2026-03-01 09:00", "2026-03-02 09:00"),
        version(1, "won", "2026-03-02 09:00", "2026-03-03 09:00"),
        version(1, "won", "2026-03-03 09:00", amount=250),
        version(2, "new", "2026-03-01 09:00"),
    )
    snapshots.told()
    assert stages(snapshots) == [("1", "new", at(1)), ("2", "new", at(1)), ("1", "won", at(2))]
    assert won(snapshots) == [("1", at(2), Decimal(250), "u7")]


def test_a_version_that_is_followed_by_another_changes_nothing_of_what_was(snapshots: Warehouse) -> None:
    snapshots.run(version(1, "won", "2026-03-01 09:00"), version(2, "new", "2026-03-01 09:00"))
    snapshots.load()
    snapshots.run(
        "UPDATE crm.deals_snapshot SET dbt_valid_to = '2026-03-10 12:00' WHERE id = 2",
        version(2, "won", "2026-03-10 12:00"),
    )
    ((loaded,), (change,)) = snapshots.load()
    assert (loaded.inserted, change.events_stated, change.events_retracted) == (2, 2, 0)
    assert [subject for subject, *_ in won(snapshots)] == ["1", "2"]


def test_a_row_that_was_invalidated_is_gone_and_its_return_is_noticed(snapshots: Warehouse) -> None:
    """As `hard_deletes: invalidate` leaves it."""
    snapshots.run(version(1, "won", "2026-03-01 09:00"))
    snapshots.load()
    snapshots.run("UPDATE crm.deals_snapshot SET dbt_valid_to = '2026-03-10 12:00'")
    (_, (change,)) = snapshots.load()
    assert (change.events_retracted, snapshots.events("subject_id")) == (2, [])
    snapshots.run(version(1, "won", "2026-03-11 12:00"))
    snapshots.load()
    assert [subject for subject, *_ in won(snapshots)] == ["1"]


def test_a_row_that_says_that_it_is_deleted_is_gone_until_it_is_not(snapshots: Warehouse) -> None:
    """As `hard_deletes: new_record` leaves it."""
    declared = {**snapshots.declared["deals"]}
    declared["shape"] = {"type": "versions", "to": "dbt_valid_to", "deleted": "dbt_is_deleted"}
    snapshots.declared = {"deals": declared}
    snapshots.run(version(1, "won", "2026-03-01 09:00", "2026-03-05 09:00"),
                  version(1, "won", "2026-03-05 09:00", gone="True"))  # fmt: skip
    snapshots.load()
    assert snapshots.events("subject_id") == []
    snapshots.run("UPDATE crm.deals_snapshot SET dbt_valid_to = '2026-03-10 12:00' WHERE dbt_is_deleted = 'True'",
                  version(1, "won", "2026-03-10 12:00"))  # fmt: skip
    snapshots.load()
    assert won(snapshots) == [("1", at(1), Decimal(100), "u7")]


@pytest.mark.parametrize("end", ["9999-12-31 23:59:59.999", "infinity"])
def test_the_end_of_all_time_is_no_end_and_moves_no_cursor(snapshots: Warehouse, end: str) -> None:
    """As `dbt_valid_to_current` says it."""
    snapshots.run(version(1, "won", "2026-03-01 09:00", end), version(2, "won", "2026-03-02 09:00", end))
    snapshots.load()
    snapshots.run(version(3, "won", "2026-03-10 09:00", end))
    ((loaded,), _) = snapshots.load()
    assert ([subject for subject, *_ in won(snapshots)], loaded.inserted) == (["1", "2", "3"], 1)
    assert loaded.delivered == 2  # not the first one


# Fivetran


def test_the_history_mode_of_fivetran_is_versions(warehouse: Warehouse) -> None:
    """https://fivetran.com/docs/core-concepts/sync-modes/history-mode: a version ends a millisecond before the next."""
    warehouse.run(
        "CREATE TABLE crm.opportunity (id text, stage text, amount numeric, owner text, _fivetran_synced timestamptz, "
        "_fivetran_start timestamptz, _fivetran_end timestamptz, _fivetran_active boolean, "
        "PRIMARY KEY (id, _fivetran_start))",
        "INSERT INTO crm.opportunity VALUES "
        "('006A', 'new', 10, 'u7', '2026-03-03 00:00+00', '2026-03-01 09:00+00', '2026-03-02 08:59:59.999+00', false), "
        "('006A', 'won', 10, 'u8', '2026-03-03 00:00+00', '2026-03-02 09:00+00', '9999-12-31 23:59:59.999+00', true), "
        "('006B', 'won', 20, 'u8', '2026-03-03 00:00+00', '2026-03-01 09:00+00', '2026-03-02 08:59:59.999+00', false)",
    )
    warehouse.declared = {"deals": {
        "table": "crm.opportunity", "shape": {"type": "versions", "to": "_fivetran_end"}, "revision": "_fivetran_start",
        "delivery": "changes", "cursor": ["_fivetran_start", "_fivetran_end"], "key": "id",
        "loaded_at": "_fivetran_synced", **OF_STATES,
    }}  # fmt: skip
    warehouse.told()
    assert stages(warehouse) == [("006A", "new", at(1)), ("006A", "won", at(2))]
    assert won(warehouse) == [("006A", at(2), Decimal(10), "u8")]  # 006B was deleted


HISTORY: dict[str, Any] = {
    "table": "crm.deal_property_history", "delivery": "changes", "cursor": "_fivetran_synced", "key": "id",
    "shape": {"type": "history", "field": "name", "value": "value", "fields": ["stage", "amount", "owner"]},
    "revision": "timestamp", **OF_STATES,
}  # fmt: skip


@pytest.fixture
def history(warehouse: Warehouse) -> Warehouse:
    """https://github.com/fivetran/dbt_hubspot_source is the source of these columns."""
    warehouse.run(
        "CREATE TABLE crm.deal_property_history (id bigint, name text, value text, source text, source_id text, "
        "timestamp timestamptz, _fivetran_synced timestamptz, PRIMARY KEY (id, name, timestamp))"
    )
    warehouse.declared = {"deals": HISTORY}
    return warehouse


def change(name: str, value: str | None, when: str, id_: int = 1) -> str:
    said = "NULL" if value is None else f"'{value}'"
    return (
        f"INSERT INTO crm.deal_property_history VALUES ({id_}, '{name}', {said}, 'CRM_UI', 'userId:7', "
        f"'2026-03-{when}+00', '2026-03-{when}+00')"
    )


def test_a_history_of_fields_is_states_in_which_each_field_is_what_it_was_last_said_to_be(history: Warehouse) -> None:
    history.run(
        change("stage", "new", "01 09:00"), change("amount", "100", "01 09:00"), change("owner", "u7", "01 09:00"),
        change("stage", "won", "02 09:00"), change("owner", "u8", "03 09:00"), change("amount", "250", "04 09:00"),
        change("dealname", "Compra de Ana Ruiz", "01 09:00"),
    )  # fmt: skip
    history.told()
    assert stages(history) == [("1", "new", at(1)), ("1", "won", at(2))]
    assert won(history) == [("1", at(2), Decimal(250), "u7")]
    assert history.problems() == []


def test_a_field_that_is_emptied_is_empty_from_then_on(history: Warehouse) -> None:
    history.run(change("stage", "won", "01 09:00"), change("stage", None, "02 09:00"))
    history.told()
    assert (stages(history), won(history)) == ([("1", "won", at(1))], [])


def test_fields_of_one_save_make_one_state_though_they_are_written_one_after_the_other(history: Warehouse) -> None:
    shape = {**HISTORY["shape"], "saved_together_seconds": 5}
    history.declared = {"deals": {**HISTORY, "shape": shape}}
    history.run(
        change("stage", "won", "01 09:00:00.000"), change("owner", "u7", "01 09:00:00.004"),
        change("amount", "100", "01 09:00:02.000"), change("stage", "lost", "01 09:00:03"),
        change("stage", "won", "01 09:00:04"), change("owner", "u9", "01 09:01:00"),
    )  # fmt: skip
    history.told()
    assert [(stage, when) for _, stage, when in stages(history)] == [
        ("won", at(1)), ("lost", at(1, 9, 0, 3)), ("won", at(1, 9, 0, 4)),
    ]  # fmt: skip
    assert won(history) == [("1", at(1, 9, 0, 4), Decimal(100), "u7")]


def test_a_change_that_arrives_late_takes_its_place_in_the_order(history: Warehouse) -> None:
    history.run(change("stage", "new", "01 09:00"), change("stage", "won", "05 09:00"))
    history.load()
    history.run(
        "INSERT INTO crm.deal_property_history VALUES (1, 'stage', 'offer', 'CRM_UI', 'x', '2026-03-03 09:00+00', "
        "'2026-03-11 09:00+00')"
    )
    (_, (changed,)) = history.load()
    assert stages(history) == [("1", "new", at(1)), ("1", "offer", at(3)), ("1", "won", at(5))]
    assert (changed.events_stated, changed.events_retracted) == (1, 0)


def test_of_a_history_only_the_fields_that_are_declared_leave_the_database(history: Warehouse) -> None:
    history.run(
        change("stage", "new", "01 09:00"), change("dealname", "Ana Ruiz", "01 09:00"),
        change("email", "ana@x.es", "01 09:01"), change("owner", "u7", "01 09:02"),
    )  # fmt: skip
    history.declared = {"deals": {**HISTORY, "codes": []}}
    history.load()
    assert sorted((payload["row"] for payload in history.stored()), key=repr) == [
        {"id": "1", "name": "owner", "owner": "p-2-u", "timestamp": "2026-03-01T09:02:00Z"},
        {"id": "1", "name": "stage", "stage": "new", "timestamp": "2026-03-01T09:00:00Z"},
    ]
    assert not any(text in repr(history.stored()) for text in ("Ana", "ana@", "u7"))


def test_a_value_of_a_history_that_cannot_be_understood_is_told_and_the_rest_speaks(history: Warehouse) -> None:
    history.run(change("stage", "won", "01 09:00"), change("amount", "1.200,50", "01 09:00"))
    history.told()
    (problem,) = history.problems()
    assert problem == (
        "crm.deal_property_history 1@2026-03-01T09:00:00.000000Z/amount: "
        "amount: '9.999,99' is not a number with '.' before the decimals"
    )
    assert won(history) == [("1", at(1), None, None)]


def test_a_thing_whose_rows_are_marked_as_deleted_is_gone(history: Warehouse) -> None:
    history.declared = {"deals": {**HISTORY, "deleted": "is_deleted"}}
    history.run("ALTER TABLE crm.deal_property_history ADD is_deleted boolean DEFAULT false",
                change("stage", "won", "01 09:00").replace("+00')", "+00', false)"),
                change("stage", "won", "01 09:00", 2).replace("+00')", "+00', false)"))  # fmt: skip
    history.load()
    history.run("UPDATE crm.deal_property_history SET is_deleted = true, _fivetran_synced = '2026-03-10 09:00+00' "
                "WHERE id = 1")  # fmt: skip
    history.load()
    assert [subject for subject, *_ in won(history)] == ["2"]


# Salesforce, as any loader copies it


def test_the_stage_history_of_an_opportunity_is_versions_without_an_end(warehouse: Warehouse) -> None:
    """OpportunityHistory: a row for each change of stage, amount or close date, the creation included."""
    warehouse.run(
        "CREATE TABLE crm.opportunity_history (id text PRIMARY KEY, opportunity_id text, stage_name text, "
        "amount numeric, created_date timestamptz, system_modstamp timestamptz)",
        "INSERT INTO crm.opportunity_history VALUES "
        "('008A', '006A', 'Prospecting', 10, '2026-03-01 09:00+00', '2026-03-01 09:00+00'), "
        "('008B', '006A', 'Closed Won', 12, '2026-03-04 09:00+00', '2026-03-04 09:00+00')",
    )
    amount = {"amount": "amount", "currency": "'EUR'"}
    warehouse.declared = {"deals": {
        "table": "crm.opportunity_history", "shape": "versions", "revision": "created_date", "delivery": "changes",
        "cursor": "system_modstamp", "key": "opportunity_id", "columns": {"amount": "number"},
        "events": [
            {"type": "deal.created", "once": True, "subject": "opportunity_id", **amount},
            {"type": "deal.won", "while": "stage_name = 'Closed Won'", "subject": "opportunity_id", **amount},
        ],
    }}  # fmt: skip
    warehouse.told()
    assert warehouse.events("event_type", "occurred_at", "amount") == [
        ("deal.created", at(1), Decimal(10)),
        ("deal.won", at(4), Decimal(12)),
    ]


def test_the_field_history_of_an_opportunity_is_a_history(warehouse: Warehouse) -> None:
    """OpportunityFieldHistory: a row for each change of a field that is tracked, with the old value beside the new."""
    warehouse.run(
        "CREATE TABLE crm.opportunity_field_history (id text PRIMARY KEY, opportunity_id text, field text, "
        "old_value text, new_value text, created_date timestamptz)",
        "INSERT INTO crm.opportunity_field_history VALUES "
        "('017A', '006A', 'created', NULL, NULL, '2026-03-01 09:00+00'), "
        "('017B', '006A', 'StageName', 'Prospecting', 'Closed Won', '2026-03-04 09:00+00'), "
        "('017C', '006A', 'Owner', 'Ana Ruiz', 'Luis Sanz', '2026-03-04 09:00+00')",
    )
    warehouse.declared = {"deals": {
        "table": "crm.opportunity_field_history", "delivery": "changes", "cursor": "created_date",
        "shape": {"type": "history", "field": "field", "value": "new_value", "fields": "StageName"},
        "key": "opportunity_id", "revision": "created_date",
        "events": [{"type": "deal.stage_entered", "each_change_of": "StageName", "subject": "opportunity_id",
                    "attributes": {"stage": "StageName"}}],
    }}  # fmt: skip
    warehouse.load()
    assert stages(warehouse) == [("006A", "Closed Won", at(4))]
    assert "Ruiz" not in repr(warehouse.stored())


# Airbyte, dlt, Stitch


def test_a_table_of_airbyte(warehouse: Warehouse) -> None:
    """https://docs.airbyte.com/understanding-airbyte/airbyte-metadata-fields is the source of these columns."""
    warehouse.run(
        "CREATE TABLE crm.deals (_airbyte_raw_id text, _airbyte_extracted_at timestamptz, _airbyte_meta jsonb, "
        "_airbyte_generation_id bigint, id text, archived boolean, properties_amount text, properties_closedate text)",
        "INSERT INTO crm.deals VALUES "
        "('a', '2026-03-09 06:00+00', '{\"changes\": []}', 1, '1', false, '100.50', '2026-03-01T09:00:00.000Z'), "
        "('b', '2026-03-09 06:00+00', '{\"changes\": []}', 1, '2', true, '100', '2026-03-01T09:00:00.000Z')",
    )
    warehouse.declared = {"deals": {
        "table": "crm.deals", "delivery": "changes", "cursor": "_airbyte_extracted_at",
        "loaded_at": "_airbyte_extracted_at", "key": "id", "deleted": "archived",
        "columns": {"properties_amount": "number"},
        "events": [{"type": "deal.won", "at": "properties_closedate", "subject": "id", "amount": "properties_amount",
                    "currency": "'EUR'"}],
    }}  # fmt: skip
    ((loaded,), _) = warehouse.load()
    assert warehouse.events("subject_id", "occurred_at", "amount") == [("1", at(1), Decimal("100.5"))]
    assert loaded.covered is not None
    assert loaded.covered.end == at(9, 6)


def test_a_table_of_dlt_and_one_of_its_children_through_a_view(warehouse: Warehouse) -> None:
    """https://dlthub.com/docs/general-usage/destination-tables: a load id is a time as text, a list is a table."""
    warehouse.run(
        "CREATE TABLE crm._dlt_loads (load_id text, schema_name text, status bigint, inserted_at timestamptz)",
        "INSERT INTO crm._dlt_loads VALUES ('1772960400.5', 'crm', 0, '2026-03-08 09:00:09+00')",
        "CREATE TABLE crm.deals (id bigint, amount numeric, _dlt_id text UNIQUE, _dlt_load_id text)",
        "CREATE TABLE crm.deals__stages (stage text, entered_at timestamptz, _dlt_parent_id text, "
        "_dlt_list_idx bigint, _dlt_id text UNIQUE)",
        "INSERT INTO crm.deals VALUES (1, 100, 'p1', '1772960400.5')",
        "INSERT INTO crm.deals__stages VALUES ('new', '2026-03-01 09:00+00', 'p1', 0, 'c1'), "
        "('won', '2026-03-02 09:00+00', 'p1', 1, 'c2')",
        "CREATE VIEW crm.deal_stages AS SELECT d.id, d.amount, d._dlt_load_id, s.stage, s.entered_at, s._dlt_list_idx "
        "FROM crm.deals d JOIN crm.deals__stages s ON s._dlt_parent_id = d._dlt_id",
    )
    warehouse.declared = {"deals": {
        "table": "crm.deal_stages", "shape": "versions", "revision": {"column": "entered_at", "then": "_dlt_list_idx"},
        "delivery": "changes", "cursor": "_dlt_load_id", "key": "id",
        "columns": {"amount": "number", "_dlt_list_idx": "number"},
        "loaded_at": {"table": "crm._dlt_loads", "column": "inserted_at"}, "events": [ENTERED],
    }}  # fmt: skip
    ((loaded,), _) = warehouse.load()
    assert stages(warehouse) == [("1", "new", at(1)), ("1", "won", at(2))]
    assert loaded.covered is not None
    assert loaded.covered.end == at(8, 9, 0, 9)
    ((again,), _) = warehouse.load()
    assert (again.delivered, again.inserted) == (2, 0)  # rows of the last load are read again, as nothing orders them


def test_a_table_of_stitch_with_the_time_of_each_deletion(warehouse: Warehouse) -> None:
    """https://www.stitchdata.com/docs/data-structure/system-tables-and-columns is the source of these columns."""
    warehouse.run(
        "CREATE TABLE crm.deals (id bigint PRIMARY KEY, closed_at timestamptz, _sdc_batched_at timestamptz, "
        "_sdc_deleted_at timestamptz)",
        "INSERT INTO crm.deals VALUES (1, '2026-03-01 09:00+00', '2026-03-09 06:00+00', NULL), "
        "(2, '2026-03-01 09:00+00', '2026-03-09 06:00+00', '2026-03-08 06:00+00')",
    )
    warehouse.declared = {"deals": {
        "table": "crm.deals", "delivery": "changes", "cursor": "_sdc_batched_at", "loaded_at": "_sdc_batched_at",
        "key": "id", "deleted": "_sdc_deleted_at",
        "events": [{"type": "deal.won", "at": "closed_at", "subject": "id"}],
    }}  # fmt: skip
    assert warehouse.read()[2].end < NOW
    warehouse.told()
    assert warehouse.events("subject_id") == [("1",)]
