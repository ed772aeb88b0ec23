"""A company whose warehouse holds its HubSpot (as Fivetran lays it out): the same facts and figures as from HubSpot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from at_hand import at_hand
from postgres import PASSWORD

from kr_definitions import catalogue
from kr_definitions.compute import compute
from kr_definitions.events import COVERED, EVENT_SCHEMA, current
from pipelines.hubspot import HUBSPOT, HubSpotOptions
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.sandbox import hubspot
from pipelines.sandbox.business import business, ventas_b2b
from pipelines.sandbox.company import Company
from pipelines.sandbox.hubspot.records import shelf
from pipelines.sandbox.hubspot.shown import Shown
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account
from pipelines.sql import SQL, SqlOptions

FOUNDED, ZONE = date(2025, 12, 20), "America/Bogota"
MORNINGS = (datetime(2026, 1, 25, 11, tzinfo=UTC), datetime(2026, 2, 20, 11, tzinfo=UTC))
SAYS = {
    "product": "producto", "segment": "segmento", "market": "mercado", "industry": "sector",
    "category": "tipo_de_negocio",
}  # fmt: skip
FIELDS = ("dealstage", "amount", "hubspot_owner_id", *SAYS.values())
OF_THE_LOG = {
    *("event_id", "fact_id", "fact_key", "retracts", "record_key", "content_hash"),
    *("source", "stream", "recorded_at", "source_url", "reason"),
}

IN_HUBSPOT = HubSpotOptions.model_validate({
    "portal_id": "1", "currency": "COP", "calls": None, "meetings": None,
    "sales": [{"pipeline": name, "won": ["ganado"], "lost": ["perdido"], **SAYS} for name in ventas_b2b.PLAN.pipelines],
})  # fmt: skip
SAID = {
    "subject": "deal_id", "account": "contact_id", "actor": "hubspot_owner_id",
    "amount": "amount", "currency": "currency", "attributes": {"pipeline": "pipeline", **SAYS},
}  # fmt: skip
IN_STAGE = {**SAID, "attributes": {**SAID["attributes"], "stage": "dealstage"}}  # type: ignore[dict-item]
IN_TABLES = SqlOptions.model_validate({"streams": {"deals": {
    "table": "analytics.deal_changes",
    "shape": {"type": "history", "field": "name", "value": "value", "fields": FIELDS, "saved_together_seconds": 5},
    "delivery": "changes", "cursor": "synced_at", "key": "deal_id", "revision": "timestamp", "deleted": "is_deleted",
    "codes": "hubspot_owner_id",
    "columns": {"amount": "number", "timestamp": "instant", "created_at": "instant"},
    "events": [
        {"type": "deal.created", "once": True, "at": "created_at", **IN_STAGE},
        {"type": "deal.stage_entered", "each_change_of": "dealstage", "when": "dealstage IS NOT NULL", **IN_STAGE},
        {"type": "deal.amount_changed", "each_change_of": "amount",
         "when": 'amount IS NOT NULL AND "timestamp" > created_at', **IN_STAGE},
        {"type": "deal.won", "while": "dealstage = 'ganado'", **SAID},
        {"type": "deal.lost", "while": "dealstage = 'perdido'", **SAID},
    ],
}}})  # fmt: skip

TABLES = """
CREATE SCHEMA hubspot;
CREATE SCHEMA analytics;
CREATE TABLE hubspot.deal (
    deal_id bigint PRIMARY KEY, deal_pipeline_id text, deal_pipeline_stage_id text, owner_id bigint,
    property_dealname text, property_createdate timestamptz, property_deal_currency_code text, is_deleted boolean,
    _fivetran_synced timestamptz);
CREATE TABLE hubspot.deal_property_history (
    deal_id bigint, name text, value text, source text, source_id text, timestamp timestamptz,
    _fivetran_synced timestamptz, PRIMARY KEY (deal_id, name, timestamp));
CREATE TABLE hubspot.deal_contact (deal_id bigint, contact_id bigint, type_id int, PRIMARY KEY (deal_id, contact_id));
CREATE VIEW analytics.deal_changes AS
SELECT h.deal_id, h.name, h.value, h.timestamp, d.deal_pipeline_id AS pipeline, d.property_createdate AS created_at,
       d.property_deal_currency_code AS currency, d.is_deleted, c.contact_id,
       greatest(h._fivetran_synced, d._fivetran_synced) AS synced_at
FROM hubspot.deal_property_history h
JOIN hubspot.deal d USING (deal_id)
LEFT JOIN hubspot.deal_contact c USING (deal_id);
"""


def fill(database: Any, company: Company, present: datetime) -> None:
    """Bring the tables up to a present, as a loader does: what changed is changed, what is new is added."""
    found = shelf("deals", company, present, ())
    with psycopg.connect(
        host="127.0.0.1", port=database.server.port, dbname=database.name, user="postgres", password=PASSWORD
    ) as connection, connection.cursor() as into:  # fmt: skip
        for deal in found.records.values():
            into.execute(
                "INSERT INTO hubspot.deal VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (deal_id) DO UPDATE "
                "SET is_deleted = excluded.is_deleted, deal_pipeline_stage_id = excluded.deal_pipeline_stage_id, "
                "_fivetran_synced = excluded._fivetran_synced WHERE deal.* IS DISTINCT FROM excluded.*",
                _deal(deal, present),
            )
            into.executemany(
                "INSERT INTO hubspot.deal_property_history VALUES (%s, %s, %s, 'CRM_UI', 'userId:7', %s, %s) "
                "ON CONFLICT DO NOTHING",
                list(_history(deal)),
            )
            into.executemany(
                "INSERT INTO hubspot.deal_contact VALUES (%s, %s, 3) ON CONFLICT DO NOTHING",
                [(deal.id, contact) for contact in deal.contacts],
            )


def _deal(deal: Shown, present: datetime) -> tuple[Any, ...]:
    said = deal.properties
    is_deleted = deal.is_archived(present)
    synced_at = max(deal.modified_at, deal.archived_at) if is_deleted and deal.archived_at else deal.modified_at
    return (
        deal.id, said["pipeline"], said["dealstage"], said["hubspot_owner_id"], said["dealname"], deal.created_at,
        said["deal_currency_code"], is_deleted, synced_at,
    )  # fmt: skip


def _history(deal: Shown) -> Iterator[tuple[Any, ...]]:
    for name in (*FIELDS, "dealname"):
        yield from ((deal.id, name, change.value, change.at, change.at) for change in deal.changes(name))


def facts(lake: Lake) -> pl.DataFrame:
    """What the log holds of deals, without what two sources never have alike."""
    log = current(lake.log.scan()).filter(pl.col("event_type").str.starts_with("deal.")).collect()
    said = log.select(name for name in EVENT_SCHEMA if name not in OF_THE_LOG)
    order = ["event_type", "occurred_at", "subject_id"]
    return said.sort(*order, *(name for name in said.columns if name not in order), nulls_last=True)


def test_the_warehouse_of_a_company_tells_what_its_hubspot_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Any
) -> None:
    database.run(*filter(str.strip, TABLES.split(";")))
    clock = SharedClock(tmp_path / "clock.json", MORNINGS[0])
    crm = Source(HUBSPOT, Account("office", "hubspot", ZONE), IN_HUBSPOT), Lake(tmp_path / "hubspot")
    tables = Source(SQL, Account("office", "crm", ZONE), IN_TABLES), Lake(tmp_path / "tables")
    delivered = []
    for morning in MORNINGS:
        company = business(ventas_b2b.PLAN)(1, FOUNDED, morning.date(), ZONE)
        fill(database, company, morning)
        with at_hand(hubspot.app(Desk(company, morning, clock))) as base_url:
            for key, value in {**hubspot.CREDENTIALS, "base_url": base_url}.items():
                monkeypatch.setenv(f"SOURCES__OFFICE__HUBSPOT__{key}".upper(), value)
            for source, lake in (crm, tables):
                loads = fetch(source, lake, clock, morning)
                assert [load.failure for load in loads] == [None] * len(loads)
                assert {one.quarantined for one in bring_up_to_date([source], lake, morning)} == {0}
        delivered.append(loads[0].delivered)
        hubspots, ours = facts(crm[1]), facts(tables[1])
        assert hubspots.height > 150
        assert ours.equals(hubspots), _difference(hubspots, ours)
    assert {"deal.won", "deal.lost", "deal.amount_changed"} < set(hubspots["event_type"])
    assert delivered[1] < tables[1].raw.scan("crm", "deals").collect().height
    _same_figures(crm[1], tables[1])


def _same_figures(one: Lake, other: Lake) -> None:
    """Every key result of the catalogue that is measured in deals alone has the same figures of every day."""
    declared = catalogue.load("ventas-b2b")
    of_deals = [kr for kr in declared.definitions if all(name.startswith("deal.") for name in kr.types)]
    assert len(of_deals) >= 10
    figures = [compute(of_deals, declared.organisation, lake.log.scan(), date(2026, 2, 19)) for lake in (one, other)]
    assert figures[0].get_column("value").drop_nulls().len() > 100
    assert figures[0].equals(figures[1])


def _difference(expected: pl.DataFrame, found: pl.DataFrame) -> list[dict[str, Any]]:
    """The first of the facts that only one of them has."""
    both = ((expected, found), (found, expected))
    only = [one.join(other, on=one.columns, how="anti", nulls_equal=True).head(1) for one, other in both]
    return [{k: v for k, v in row.items() if v is not None} for frame in only for row in frame.iter_rows(named=True)]


def test_no_name_of_a_deal_leaves_the_warehouse(database: Any) -> None:
    (stream,) = IN_TABLES.streams.values()
    assert set(stream.read_columns) == {
        "contact_id", "created_at", "currency", "deal_id", "is_deleted", "name", "pipeline", "synced_at", "timestamp",
        "value",
    }  # fmt: skip
    assert stream.history is not None
    assert set(stream.history.fields) == set(FIELDS)
    assert COVERED not in stream.feeds
