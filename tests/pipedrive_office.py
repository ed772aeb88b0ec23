"""Builders for tests of the Pipedrive source: a small business, Pipedrive served over it, and loads into a lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from at_hand import at_hand
from hubspot_agency import Exchange, Loaded, Reading, activity, agency, changes, contact, day
from shop import code
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kr_definitions.events import COVERED, current
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions
from pipelines.pipedrive.stored import record_of
from pipelines.sandbox.company import Company, Crm, Deal, Pipeline
from pipelines.sandbox.pipedrive import CREDENTIALS, app
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Mark, Read, SourceError

__all__ = ["Exchange", "Tampering", "activity", "app", "changes", "contact", "day"]

ACCOUNT = Account("acme", "pipedrive", "Europe/Madrid", code)
PREFIX = "SOURCES__ACME__PIPEDRIVE__"
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
class Tampering:
    """An application in front of another one: notes every exchange, and changes the answers that a test asks it to.

    alter: from the exchange to its new (status, headers, answer), or None to leave it and its headers as they are.
    """

    inner: ASGIApp
    alter: Any = lambda exchange: None
    exchanges: list[Exchange] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered: list[Message] = []

        async def keep(message: Message) -> None:
            answered.append(message)

        await self.inner(scope, receive, keep)
        asked, query = scope["path"], scope["query_string"].decode()
        answer = b"".join(message.get("body", b"") for message in answered)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        exchange = Exchange(scope["method"], asked, query, b"", answered[0]["status"], answer, headers)
        self.exchanges.append(exchange)
        if (altered := self.alter(exchange)) is None:
            for message in answered:
                await send(message)
            return
        status, given, body = altered
        given = {"content-type": "application/json", **given}
        raw = [(name.encode(), value.encode()) for name, value in given.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Office:
    """Where a test works: a lake, a clock, an environment, and loads of whatever Pipedrive is served."""

    folder: Path
    environment: Any  # pytest's monkeypatch
    clock: SharedClock = field(init=False)
    histories: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = SharedClock(self.folder / "clock.json", day(1))
        self.configure(**CREDENTIALS)

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    def configure(self, **given: str | None) -> None:
        for name, value in given.items():
            if value is None:
                self.environment.delenv(PREFIX + name.upper(), raising=False)
            else:
                self.environment.setenv(PREFIX + name.upper(), value)

    def desk(self, company: Company, present: datetime) -> Desk:
        return Desk(company, present, self.clock)

    @contextmanager
    def serving(self, application: ASGIApp) -> Iterator[str]:
        """Pipedrive is this application while the block runs; gives its URL."""
        with at_hand(application) as base_url:
            self.configure(base_url=base_url)
            yield base_url

    def load(
        self, application: ASGIApp, at: datetime, options: PipedriveOptions = OPTIONS, **more: Any
    ) -> dict[str, Loaded]:
        """Loads the account as it is served; what came of it, by stream."""
        source = Source(PIPEDRIVE, ACCOUNT, options)
        with self.serving(application):
            loads = fetch(source, self.lake, self.clock, at, **more)
        changed = bring_up_to_date([source], self.lake, at)
        return {load.stream: Loaded(load, change) for load, change in zip(loads, changed, strict=True)}

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

        given: since, cursor and mark of the reading. Histories and names are in `histories`, by their keys.
        """
        self.histories.clear()
        [of] = [one for one in PIPEDRIVE.streams(ACCOUNT, options) if one.name == stream]
        read = Read(given.get("since"), at, given.get("cursor"), self.clock, given.get("mark"))
        pages, found, marks = of.fetch(read), Reading(), []
        with self.serving(application):
            try:
                while True:
                    came = next(pages)
                    if isinstance(came, Mark):
                        marks.append(came.text)
                    else:
                        found.records += [one for one in came if one.key == record_of(one.key)]
                        self.histories |= {one.key: one.payload for one in came if one.key != record_of(one.key)}
            except StopIteration as end:
                found.covered = end.value
            except SourceError as failure:
                found.failure = str(failure)
        return found, marks

    def log(self) -> pl.DataFrame:
        """The events that hold now, coverage left out."""
        events = current(self.lake.log.scan()).filter(pl.col("event_type") != COVERED)
        return events.sort("occurred_at", "fact_key").collect()

    def facts(self, event_type: str, *columns: str) -> list[tuple[Any, ...]]:
        return self.log().filter(pl.col("event_type") == event_type).select(columns).rows()
