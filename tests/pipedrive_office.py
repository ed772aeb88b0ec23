"""Builders for tests of the Pipedrive source: a small business, Pipedrive served over it, and loads into a lake."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from crm_office import CrmOffice, Exchange, Reading, Tampering
from hubspot_agency import activity, agency, changes, contact, day
from shop import code
from starlette.types import ASGIApp

from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions
from pipelines.pipedrive.stored import record_of
from pipelines.sandbox.company import Company, Crm, Deal, Pipeline
from pipelines.sandbox.pipedrive import CREDENTIALS, app
from pipelines.source import Account, Read

__all__ = ["Exchange", "Tampering", "activity", "app", "changes", "contact", "day"]

ACCOUNT = Account("acme", "pipedrive", "Europe/Madrid", code)
OPTIONS = PipedriveOptions.model_validate(
    {
        "domain": "acme",
        "persons": {"lifecycle": "ciclo_de_vida", "channel": "canal_de_entrada", "market": "mercado"},
        "sales": [
            {
                "pipeline": "ventas",
                "won": "ganado",
                "lost": "perdido",
                "product": "producto",
                "market": "mercado",
                "forecast": True,
            }
        ],
        "calls": [
            {"type": "seguimiento", "category": "seguimiento", "direction": "outbound"},
            {
                "type": "seguimiento_sin_respuesta",
                "outcome": "no_answer",
                "direction": "outbound",
                "category": "seguimiento",
            },
        ],
        "meetings": [{"type": "demostracion"}, {"type": "visita", "visit": True}],
    }
)
CRM = Crm(
    pipelines=(Pipeline("ventas", "ventas", ("contacto", "propuesta", "ganado", "perdido")),),
    activity_types=("seguimiento", "demostracion"),
    properties={"contacts": ("mercado",), "deals": ("producto", "mercado", "closedate"), "calls": (), "meetings": ()},
)


def amended(**parts: Any) -> PipedriveOptions:
    return PipedriveOptions.model_validate({**OPTIONS.model_dump(exclude_defaults=True), **parts})


SALES = OPTIONS.sales[0].model_dump(exclude_defaults=True)


def deal(id_: int, *stages: tuple[datetime, str], **more: Any) -> Deal:
    says = {name: value if isinstance(value, tuple) else changes((stages[0][0], value)) for name, value in
            more.pop("says", {"producto": "Plataforma", "mercado": "Madrid"}).items()}  # fmt: skip
    given = {
        "contact_id": 1,
        "agent": "ana",
        "pipeline": "ventas",
        "amount": changes((stages[0][0], Decimal(5000))),
        "currency": "EUR",
        "archived_at": None,
        **more,
    }
    return Deal(id=id_, stages=changes(*stages), says=says, **given)


def call(id_: int, at: datetime, outcome: str | None, **more: Any) -> Any:
    return activity(id_, "call", at, outcome, says={"hs_activity_type": "seguimiento"}, **more)


def meeting(id_: int, at: datetime, outcome: str | None, **more: Any) -> Any:
    return activity(id_, "meeting", at, outcome, says={"hs_activity_type": "demostracion"}, **more)


def business(**lists: Any) -> Company:
    return replace(agency(**lists), crm=CRM)


def small(count: int = 60) -> Company:
    """Deals, persons and activities that were all changed, two pages of each and a bit."""
    return business(
        contacts=[contact(n, (day(2), "lead"), (day(3), "customer"), says={"mercado": "Madrid"})
                  for n in range(1, count + 1)],
        deals=[deal(3000 + n, (day(6), "contacto"), (day(7, 9, n % 60), "ganado")) for n in range(count)],
        activities=[call(4000 + n, day(8), "connected") for n in range(count)],
    )  # fmt: skip


@dataclass
class Office(CrmOffice):
    """Where a test works. histories: those of the last reading, and names, by their keys."""

    histories: dict[str, Any] = field(default_factory=dict)

    connector: ClassVar = PIPEDRIVE
    account: ClassVar = ACCOUNT
    options: ClassVar = OPTIONS
    credentials: ClassVar = CREDENTIALS
    began: ClassVar = day(1)

    def read(
        self,
        application: ASGIApp,
        stream: str,
        at: datetime,
        *,
        options: PipedriveOptions = OPTIONS,
        **given: Any,
    ) -> tuple[Reading, list[str]]:
        """Fetches one stream of the account as it is served, into no lake; also the marks that it passed.

        given: since, cursor and mark of the reading.
        """
        read = Read(given.get("since"), at, given.get("cursor"), self.clock, given.get("mark"))
        found = self.fetched(application, stream, read, options)
        self.histories = {one.key: one.payload for one in found.records if one.key != record_of(one.key)}
        found.records = [one for one in found.records if one.key == record_of(one.key)]
        return found, found.marks
