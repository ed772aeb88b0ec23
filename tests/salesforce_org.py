"""Builders for tests of the Salesforce source: a small sales team, Salesforce served over it, and loads of it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import orjson
import polars as pl
import yaml
from crm_office import CrmOffice, Reading
from hubspot_agency import changes, day
from starlette.types import ASGIApp

from pipelines.salesforce import SALESFORCE, SalesforceOptions
from pipelines.sandbox.company import Company, Crm, Deal, Pipeline, Ticket
from pipelines.sandbox.salesforce import CREDENTIALS
from pipelines.source import Account, Read

ZONE = "America/Bogota"
ACCOUNT = Account("ventas", "salesforce", ZONE, lambda text: f"code {len(text)} {sum(map(ord, text))}")
EXAMPLE = yaml.safe_load(SalesforceOptions.__doc__.split("writes::", 1)[1])  # type: ignore[union-attr]
OPTIONS = SalesforceOptions.model_validate(EXAMPLE)
STREAMS = ("leads", "contacts", "opportunities", "calls", "meetings", "cases")
CRM = Crm(
    pipelines=(Pipeline("ventas", "Ventas", ("preventa", "propuesta", "contrato", "ganado", "perdido")),),
    activity_types=("comercial", "Visita"),
    properties={
        "contacts": ("segmento", "sector"),
        "deals": ("producto", "segmento", "mercado", "tipo_de_negocio"),
        "calls": ("segmento",),
        "meetings": ("segmento",),
    },
)


def options(**given: Any) -> SalesforceOptions:
    """The example's options, with some of them given otherwise."""
    return SalesforceOptions.model_validate({**EXAMPLE, **given})


def deal(id_: int, *stages: tuple[datetime, str], says: Any = (), **more: Any) -> Deal:
    """A deal; says: property -> its value, or its changes."""
    at = stages[0][0]
    given = {
        "contact_id": 1,
        "agent": "ana",
        "pipeline": "ventas",
        "amount": changes((at, Decimal(5000))),
        "currency": "COP",
        "archived_at": None,
        **more,
    }
    said = {name: value if isinstance(value, tuple) else changes((at, value)) for name, value in dict(says).items()}
    return Deal(id=id_, stages=changes(*stages), says=said, **given)


def ticket(id_: int, *status: tuple[datetime, str], **more: Any) -> Ticket:
    """A request; its first reply is when it was opened, if it was."""
    at = status[0][0]
    given = {
        "requester_id": 1,
        "created_at": at,
        "channel": "phone",
        "priority": changes((at, "normal")),
        "first_reply_at": status[1][0] if len(status) > 1 else None,
        "survey_sent_at": None,
        "rating": (),
        "deleted_at": None,
        **more,
    }
    return Ticket(id=id_, status=changes(*status), **given)


def organisation(crm: Crm | None = CRM, **lists: Any) -> Company:
    """A company that has these things, in Bogotá."""
    names = ("contacts", "listings", "sales", "activities", "tickets", "invoices", "videos", "sheet_rows", "deals")
    told = {name: tuple(sorted(lists.get(name, ()), key=lambda one: one.id)) for name in names}
    return Company(
        seed=1, zone=ZONE, founded=date(2026, 1, 1), last_day=date(2026, 12, 31), subscribers={}, views={}, crm=crm,
        **told,
    )  # fmt: skip


class Desktop(CrmOffice):
    """Where Salesforce's tests work."""

    connector: ClassVar = SALESFORCE
    account: ClassVar = ACCOUNT
    options: ClassVar = OPTIONS
    credentials: ClassVar = CREDENTIALS
    began: ClassVar = day(1)

    def read(
        self, application: ASGIApp, stream: str, read: Read, using: SalesforceOptions = OPTIONS
    ) -> tuple[Reading, list[str]]:
        """Fetches one stream of the org as it is served, into no lake; also the marks that it passed."""
        found = self.fetched(application, stream, read, using)
        return found, found.marks

    def first(self, at: datetime) -> Read:
        """What a first reading is asked for."""
        return Read(since=None, until=at, cursor=None, clock=self.clock)

    def stored(self) -> list[dict[str, Any]]:
        """Every payload that was ever stored, of every stream."""
        found = [self.lake.raw.scan("salesforce", one).select("payload") for one in STREAMS]
        return [orjson.loads(text) for text in pl.concat(found).collect().get_column("payload")]
