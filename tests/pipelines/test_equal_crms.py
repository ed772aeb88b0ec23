"""One company that keeps its CRM with one vendor or with another: the log has the same facts, told in other ids.

A vendor is one `Vendor` below: its connector with the options that mean the same, its stand-in, how its ids are those
of the company, and what it cannot say. HubSpot is what the others are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from at_hand import at_hand
from starlette.applications import Starlette

from kr_definitions.events import COVERED, EVENT_SCHEMA, current
from pipelines.hubspot import HUBSPOT, HubSpotOptions
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions
from pipelines.salesforce import SALESFORCE, SalesforceOptions, cases
from pipelines.salesforce.options import Cases
from pipelines.sandbox import hubspot, pipedrive, salesforce, zendesk
from pipelines.sandbox.business import business, revops, ventas_b2b
from pipelines.sandbox.business.plan import Business
from pipelines.sandbox.company import Company
from pipelines.sandbox.hubspot.shown import owner_id
from pipelines.sandbox.salesforce.names import NOBODY, id_of, user_id
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Connector, Options
from pipelines.zendesk import ZENDESK, ZendeskOptions

FOUNDED, ZONE = date(2025, 1, 2), "America/Bogota"
MORNINGS = (datetime(2025, 2, 20, 11, tzinfo=UTC), datetime(2025, 3, 10, 11, tzinfo=UTC))
"""When each company is read: everything at first, and then what has changed."""

OF_THE_LOG = {
    *("event_id", "fact_id", "fact_key", "retracts", "record_key", "content_hash"),
    *("source", "stream", "recorded_at", "source_url", "reason"),
}
"""Columns of the log in which two vendors are not alike."""

Ids = Callable[[Company], Mapping[str, str | None]]
"""From a vendor's ids to the company's own: the number of a thing, the name of somebody who works there."""


@dataclass(frozen=True)
class Vendor:
    """A vendor that the company may keep its CRM with.

    options: company -> the options that mean there what HubSpot's mean. unsaid: event type -> the columns that the
    vendor has nothing to say in.
    """

    connector: Connector
    stand_in: Callable[[Desk], Starlette]
    credentials: Mapping[str, str]
    options: Mapping[str, Options]
    ids: Ids
    unsaid: Mapping[str, tuple[str, ...]]


COMPANIES = {"ventas-b2b": business(ventas_b2b.PLAN), "revops": business(revops.PLAN)}
HAPPENS = {"ventas-b2b": {"deal.won", "deal.amount_changed"}, "revops": {"deal.lost", "forecast.stated"}}
"""Some of what each of them has by the last morning, so that nothing is compared with nothing."""


def agents(company: Company) -> set[str]:
    return {one.agent for one in (*company.deals, *company.activities)}


# HubSpot

_SAYS = {"segment": "segmento", "market": "mercado", "industry": "sector", "category": "tipo_de_negocio"}
_OF_REVOPS = {"product": "producto", "market": "mercado", "category": "tipo_de_negocio"}


def hubspot_options(currency: str, contacts: Any, sales: Mapping[str, Any], **more: Any) -> HubSpotOptions:
    pipelines = [{"pipeline": name, "won": ["ganado"], "lost": ["perdido"], **says} for name, says in sales.items()]
    said = {"portal_id": "1", "currency": currency, "contacts": contacts, "sales": pipelines}
    return HubSpotOptions.model_validate({**said, **more})


HUBSPOT_VENDOR = Vendor(
    HUBSPOT,
    hubspot.app,
    hubspot.CREDENTIALS,
    {
        "ventas-b2b": hubspot_options(
            "COP",
            {"channel": "canal_de_entrada", "segment": "segmento", "industry": "sector"},
            {name: {"product": "producto", **_SAYS} for name in ventas_b2b.PLAN.pipelines},
            calls={"segment": "segmento"},
            meetings={"segment": "segmento"},
        ),
        "revops": hubspot_options(
            "EUR",
            {"channel": "canal_de_entrada", "market": "mercado"},
            {name: {**_OF_REVOPS, "forecast": True} for name in revops.PLAN.pipelines},
        ),
    },
    lambda company: {owner_id(agent): agent for agent in agents(company)},
    {},
)

# Salesforce


def salesforce_options(currency: str, people: Any, sales: Mapping[str, Any], **more: Any) -> SalesforceOptions:
    """As the sandbox's org is set up."""
    types = [
        {
            "record_type": name.capitalize().replace(" ", "_"),
            "name": name,
            "won": ["ganado"],
            "lost": ["perdido"],
            **says,
        }
        for name, says in sales.items()
    ]
    stages = salesforce.names.STATUSES
    said = {
        "app_url": "https://ejemplo.lightning.force.com",
        "currency": currency,
        "customer": "contact",
        "number": "Numero_de_cliente__c",
        "leads": {**people, "lifecycle": {status: stage for stage, status in stages.items()}},
        "contacts": {"channel": "LeadSource", **people, "lifecycle": "Ciclo_de_vida__c"},
        "sales": types,
    }
    calls = {
        "at": "Hora_de_llamada__c",
        "outcomes": {said: outcome for outcome, said in salesforce.names.DISPOSITIONS.items()},
    }
    meetings = {"outcome": "Resultado__c", "held": ["Realizada"]}
    return SalesforceOptions.model_validate({**said, "calls": {**calls, **more}, "meetings": {**meetings, **more}})


def salesforce_ids(company: Company) -> dict[str, str | None]:
    found: dict[str, str | None] = {user_id(agent): agent for agent in agents(company)}
    found |= {id_of("006", one.id): str(one.id) for one in company.deals}
    found |= {id_of({"call": "00T"}.get(one.kind, "00U"), one.id): str(one.id) for one in company.activities}
    return {**found, NOBODY + "AAA": None}  # the app that enters leads, where HubSpot has no owner


_FIELDS = {name: f"{said.capitalize()}__c" for name, said in _SAYS.items()}

SALESFORCE_VENDOR = Vendor(
    SALESFORCE,
    salesforce.app,
    salesforce.CREDENTIALS,
    {
        "ventas-b2b": salesforce_options(
            "COP",
            {"segment": "Segmento__c", "industry": "Sector__c"},
            {name: {**_FIELDS, "product_of_lines": "Name"} for name in ventas_b2b.PLAN.pipelines},
            segment="Segmento__c",
        ),
        "revops": salesforce_options(
            "EUR",
            {"market": "Mercado__c"},
            {
                name: {
                    **{attribute: f"{said.capitalize()}__c" for attribute, said in _OF_REVOPS.items()},
                    "forecast": ["Pipeline", "BestCase", "Forecast", "Closed"],
                }
                for name in revops.PLAN.pipelines
            },
        ),
    },
    salesforce_ids,
    {},
)

# Pipedrive


def pipedrive_options(people: Any, sales: Mapping[str, Any], plan: Business) -> PipedriveOptions:
    """As the sandbox's company is set up: a type of activity for each result of a call."""
    results = {"connected": "", "no_answer": "_sin_respuesta", "busy": "_comunica"}
    types = {kind: sorted({one.type for one in plan.routines if one.kind == kind}) for kind in ("call", "meeting")}
    return PipedriveOptions.model_validate(
        {
            "domain": "ejemplo",
            "persons": {"lifecycle": "ciclo_de_vida", "channel": "canal_de_entrada", **people},
            "sales": [{"pipeline": name, "won": "ganado", "lost": "perdido", **says} for name, says in sales.items()],
            "calls": [
                {"type": f"{one}{suffix}", "category": one, "outcome": outcome, "direction": "outbound"}
                for one in types["call"]
                for outcome, suffix in results.items()
            ],
            "meetings": [{"type": one} for one in types["meeting"]],
        }
    )


PIPEDRIVE_VENDOR = Vendor(
    PIPEDRIVE,
    pipedrive.app,
    pipedrive.CREDENTIALS,
    {
        "ventas-b2b": pipedrive_options(
            {"segment": "segmento", "industry": "sector"},
            {name: {"product": "producto", **_SAYS} for name in ventas_b2b.PLAN.pipelines},
            ventas_b2b.PLAN,
        ),
        "revops": pipedrive_options(
            {"market": "mercado"},
            {name: {**_OF_REVOPS, "forecast": True} for name in revops.PLAN.pipelines},
            revops.PLAN,
        ),
    },
    lambda company: {owner_id(agent): agent for agent in agents(company)},
    # Its activities have no fields of the company's own.
    dict.fromkeys(("call.made", "meeting.scheduled", "meeting.held"), ("segment",)),
)

OTHERS = {"salesforce": SALESFORCE_VENDOR, "pipedrive": PIPEDRIVE_VENDOR}

# Help desks

_CASE_STATUSES = {said: status for status, said in salesforce.names.CASE_STATUSES.items()}
CASES = SalesforceOptions(
    app_url="https://ejemplo.lightning.force.com",
    customer="contact",
    number="Numero_de_cliente__c",
    calls=None,
    meetings=None,
    cases=Cases(solved=("Resuelto",), closed=("Cerrado",), first_replied="Primera_respuesta__c"),
)
CASES_VENDOR = replace(
    SALESFORCE_VENDOR,
    options={"ventas-b2b": CASES},
    ids=lambda company: {id_of("500", one.id): str(one.id) for one in company.tickets},
)
ZENDESK_VENDOR = Vendor(
    ZENDESK,
    zendesk.app,
    zendesk.CREDENTIALS,
    {"ventas-b2b": ZendeskOptions(subdomain="ejemplo", surveys=())},
    lambda company: {},
    {},
)


@pytest.mark.parametrize("company", COMPANIES)
@pytest.mark.parametrize("name", OTHERS)
def test_two_crms_of_one_company_state_the_same_facts(
    name: str, company: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = OTHERS[name]
    logs = [
        facts(tmp_path / one.connector.kind, monkeypatch, one, company, vendor.unsaid)
        for one in (HUBSPOT_VENDOR, vendor)
    ]
    assert set(logs[0][-1]["event_type"]) >= HAPPENS[company]
    for hubspots, others in zip(*logs, strict=True):
        assert hubspots.height > 500
        assert set(others["event_type"]) == set(hubspots["event_type"])
        for (event_type,), expected in hubspots.group_by("event_type", maintain_order=True):
            found = others.filter(pl.col("event_type") == event_type)
            assert found.height == expected.height, event_type
            assert found.equals(expected), f"{event_type}: {_difference(expected, found)}"


def test_cases_state_what_the_tickets_of_a_help_desk_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the requests of one company, whether Zendesk has them or Salesforce."""
    asked_of_zendesk = facts(tmp_path / "zendesk", monkeypatch, ZENDESK_VENDOR, "ventas-b2b", {})
    asked_of_salesforce = facts(tmp_path / "salesforce", monkeypatch, CASES_VENDOR, "ventas-b2b", {})
    for expected, found in zip(asked_of_zendesk, asked_of_salesforce, strict=True):
        asked, answered = (
            one.filter(pl.col("event_type").str.starts_with("ticket.")).drop("actor") for one in (expected, found)
        )
        assert asked.height > 300
        assert set(asked["event_type"]) == set(cases.feeds(Cases(first_replied="Primera_respuesta__c")))
        assert answered.equals(asked), _difference(asked, answered)


def facts(
    folder: Path,
    environment: pytest.MonkeyPatch,
    vendor: Vendor,
    name: str,
    unsaid: Mapping[str, tuple[str, ...]],
) -> list[pl.DataFrame]:
    """What holds in the log on each morning, in the company's own ids; without what is unsaid."""
    folder.mkdir()
    account = Account("company", vendor.connector.kind, ZONE)
    source, lake = Source(vendor.connector, account, vendor.options[name]), Lake(folder / "lake")
    clock, found = SharedClock(folder / "clock.json", MORNINGS[0]), []
    for morning in MORNINGS:
        company = COMPANIES[name](1, FOUNDED, morning.date(), ZONE)
        with at_hand(vendor.stand_in(Desk(company, morning, clock))) as base_url:
            for key, value in {**vendor.credentials, "base_url": base_url}.items():
                environment.setenv(f"SOURCES__COMPANY__{vendor.connector.kind}__{key}".upper(), value)
            loads = fetch(source, lake, clock, morning)
        assert [load.failure for load in loads] == [None] * len(loads)
        assert [one.quarantined for one in bring_up_to_date([source], lake, morning)] == [0] * len(loads)
        log = current(lake.log.scan()).filter(pl.col("event_type") != COVERED).collect()
        found.append(_comparable(log, vendor.ids(company), unsaid))
    return found


def _comparable(
    log: pl.DataFrame, ids: Mapping[str, str | None], unsaid: Mapping[str, tuple[str, ...]]
) -> pl.DataFrame:
    said = log.select(name for name in EVENT_SCHEMA if name in log.columns and name not in OF_THE_LOG)
    said = said.with_columns(
        pl.col("subject_id", "account_id", "actor").replace(dict(ids)), pl.col("status").replace(_CASE_STATUSES)
    )
    for event_type, columns in unsaid.items():
        said = said.with_columns(
            pl.when(pl.col("event_type") != event_type).then(pl.col(one)).alias(one) for one in columns
        )
    order = ["event_type", "occurred_at", "subject_id"]
    return said.sort(*order, *(name for name in said.columns if name not in order), nulls_last=True)


def _difference(expected: pl.DataFrame, found: pl.DataFrame) -> list[dict[str, Any]]:
    """The first of the facts that only one of them has."""
    both = ((expected, found), (found, expected))
    only = [one.join(other, on=one.columns, how="anti", nulls_equal=True).head(1) for one, other in both]
    return [{k: v for k, v in row.items() if v is not None} for frame in only for row in frame.iter_rows(named=True)]
