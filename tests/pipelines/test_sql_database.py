"""The database itself: how it is named and connected to, that it is only read, and what its errors may say."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import dlt
import postgres
import pytest
from warehouse import PREFIX, Warehouse

from pipelines.source import SourceConfigError, SourceError, VendorError

DEALS: dict[str, Any] = {
    "table": "crm.deal",
    "delivery": "changes",
    "cursor": "synced_at",
    "key": "id",
    "events": [{"type": "deal.won", "at": "closed_at", "subject": "id", "attributes": {"category": "kind"}}],
}


@pytest.fixture
def deals(tmp_path: Path, database: Any) -> Warehouse:
    database.run(
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.deal (id int PRIMARY KEY, kind text, closed_at timestamptz, synced_at timestamptz)",
        "INSERT INTO crm.deal VALUES (1, 'Ana Ruiz', '2026-03-01 09:00+00', '2026-03-01 09:00+00')",
    )
    return Warehouse(tmp_path, database, {"deals": DEALS})


def refused(warehouse: Warehouse) -> SourceError:
    """Why a reading ends, after making sure that nothing secret or personal is told, in the whole trace."""
    with pytest.raises(SourceError) as caught:
        warehouse.read()
    told = "".join(traceback.format_exception(caught.value))
    assert not any(text in told for text in (postgres.PASSWORD, "s3cr3t", "r3t", "of%3Athe", "Ana", "Ruiz"))
    return caught.value


# How it is named


def test_the_parts_of_the_connection_may_be_set_one_by_one(deals: Warehouse) -> None:
    assert len(deals.read()[0]) == 1


def test_the_connection_may_be_one_string(
    deals: Warehouse, monkeypatch: pytest.MonkeyPatch, postgres_server: postgres.Server
) -> None:
    for part in postgres_server.parts():
        monkeypatch.delenv(f"{PREFIX}__{part.upper()}")
    url = f"postgresql+psycopg://postgres:s3cr3t%2Fof%3Athe%40warehouse@127.0.0.1:{postgres_server.port}"
    monkeypatch.setenv(PREFIX, f"{url}/{deals.tables.name}")  # type: ignore[attr-defined]
    assert len(deals.read()[0]) == 1


def test_the_connection_may_be_in_a_file_of_dlt(
    deals: Warehouse, monkeypatch: pytest.MonkeyPatch, postgres_server: postgres.Server
) -> None:
    parts = postgres_server.parts(deals.tables.name)  # type: ignore[attr-defined]
    for part in parts:
        monkeypatch.delenv(f"{PREFIX}__{part.upper()}")
    with dlt.secrets.values({"sources.office.crm.credentials": parts}):
        assert len(deals.read()[0]) == 1


def test_a_connection_of_a_shorter_name_is_never_taken(deals: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("DRIVERNAME", "HOST", "PORT", "DATABASE", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"{PREFIX}__{part}")
    monkeypatch.setenv("CREDENTIALS", "sqlite://")
    monkeypatch.setenv("SOURCES__CREDENTIALS", "sqlite://")
    told = str(refused(deals))
    assert all(part in told for part in ("sources.office.crm.credentials is not set", PREFIX, ".dlt/secrets.toml"))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"": "s3cr3t"}, "sources.office.crm.credentials is no connection string"),
        ({"": "postgresql+psycopg://ana:s3c@r3t@host/db"}, "sources.office.crm.credentials is no connection string"),
        ({"": "postgresql://ana:s3cr3t@[host/db"}, "sources.office.crm.credentials is no connection string"),
        ({"__PORT": "s3cr3t"}, "sources.office.crm.credentials is no connection string"),
        ({"__DRIVERNAME": None}, "sources.office.crm.credentials.drivername is not set"),
        ({"__DRIVERNAME": "postgres9"}, "no dialect is installed for postgres9"),
        ({"__DRIVERNAME": "oracle+cx_oracle"}, "the driver of oracle+cx_oracle is not installed (cx_Oracle)"),
        ({"__PASSWORD": "s3cr3t-and-wrong"}, 'password authentication failed for user "postgres"'),
        ({"__DATABASE": "nowhere"}, 'database "nowhere" does not exist'),
        ({"__PORT": "1"}, "Connection refused"),
        ({"__HOST": "nowhere.invalid"}, "crm.deal: the database answered OperationalError"),
    ],
)
def test_what_cannot_be_connected_to_is_told_without_its_secrets(
    deals: Warehouse, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], found: str
) -> None:
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(PREFIX + name)
        else:
            monkeypatch.setenv(PREFIX + name, value)
    told = str(refused(deals))
    assert told.startswith("office.crm: ")
    assert found in told


# What it lacks


@pytest.mark.parametrize(
    ("changes", "found", "do"),
    [
        ({"table": "crm.deals"}, "there is no table crm.deals", "Did you mean deal?"),
        ({"table": "sales.deal"}, "there is no table sales.deal", "Write it as schema.table"),
        ({"key": "idd"}, "crm.deal has no column idd", "Did you mean id or"),
        ({"cursor": "sync_at"}, "crm.deal has no column sync_at", "Did you mean synced_at or"),
        ({"deleted": "xyzzy_q"}, "crm.deal has no column xyzzy_q", "It has id, kind, closed_at, synced_at"),
        ({"loaded_at": "loaded"}, "crm.deal has no column loaded", "Correct loaded_at"),
        ({"loaded_at": {"table": "crm.loads", "column": "at"}}, "there is no table crm.loads", "Write it as"),
        ({"loaded_at": "kind"}, "crm.deal: the last kind is no time", "Name in loaded_at"),
    ],
)
def test_a_table_or_column_that_is_not_there_is_told_with_the_nearest(
    deals: Warehouse, changes: dict[str, Any], found: str, do: str
) -> None:
    deals.declared = {"deals": {**DEALS, **changes}}
    told = str(refused(deals))
    assert found in told
    assert do in told


def test_a_table_that_may_not_be_read_is_told(
    deals: Warehouse, monkeypatch: pytest.MonkeyPatch, postgres_server: postgres.Server
) -> None:
    deals.run(
        "DROP ROLE IF EXISTS reporting", f"CREATE ROLE reporting LOGIN PASSWORD '{postgres.PASSWORD}'",
        "GRANT USAGE ON SCHEMA crm TO reporting",
    )  # fmt: skip
    monkeypatch.setenv(f"{PREFIX}__USERNAME", "reporting")
    failure = refused(deals)
    assert isinstance(failure, SourceConfigError)
    assert "crm.deal: the database answered InsufficientPrivilege 42501 (permission denied for table deal)" in str(
        failure
    )


def test_what_a_database_says_of_a_row_is_not_passed_on(deals: Warehouse) -> None:
    deals.run("CREATE VIEW crm.odd AS SELECT id, kind::numeric AS kind, closed_at, synced_at FROM crm.deal")
    deals.declared = {"deals": {**DEALS, "table": "crm.odd"}}
    failure = refused(deals)
    assert isinstance(failure, VendorError)
    assert "crm.odd: the database answered InvalidTextRepresentation 22P02. " in str(failure)


# That it is only read


def test_nothing_is_written_even_where_a_view_would(deals: Warehouse) -> None:
    deals.run(
        "CREATE TABLE crm.trace (at timestamptz)",
        "CREATE FUNCTION crm.spy(id int) RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO crm.trace VALUES (now()); RETURN id; END $$",
        "CREATE VIEW crm.spied AS SELECT crm.spy(id) AS id, kind, closed_at, synced_at FROM crm.deal",
    )
    deals.declared = {"deals": {**DEALS, "table": "crm.spied"}}
    assert "ReadOnlySqlTransaction 25006 (cannot execute INSERT in a read-only transaction" in str(refused(deals))


def test_a_view_of_several_tables_is_read_like_a_table(deals: Warehouse) -> None:
    deals.run(
        "CREATE TABLE crm.deal_contact (deal_id int, contact_id int)", "INSERT INTO crm.deal_contact VALUES (1, 70)",
        "CREATE VIEW crm.deal_of AS SELECT d.*, contact_id FROM crm.deal d JOIN crm.deal_contact ON d.id = deal_id",
    )  # fmt: skip
    rule = {**DEALS["events"][0], "account": "contact_id"}
    deals.declared = {"deals": {**DEALS, "table": "crm.deal_of", "events": [rule]}}
    (record,) = deals.read()[0]
    assert record.payload["row"]["contact_id"] == "70"


def test_no_connection_stays_open(deals: Warehouse, postgres_server: postgres.Server) -> None:
    deals.read()
    pages = deals.pages()
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    deals.run(
        "DO $$ BEGIN IF (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) <> 1 "
        "THEN RAISE EXCEPTION 'connections are open'; END IF; END $$"
    )
