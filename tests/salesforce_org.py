"""Builders for tests of the Salesforce source: a small sales team, Salesforce served over it, and loads of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import yaml
from hubspot_agency import Loaded, Reading, changes, day
from starlette.types import ASGIApp

from kr_definitions.events import COVERED, current
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.salesforce import SALESFORCE, SalesforceOptions
from pipelines.sandbox.company import Company, Crm, Deal, Pipeline, Ticket
from pipelines.sandbox.salesforce import CREDENTIALS
from pipelines.sandbox.server import serving
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Mark, Read, SourceError

ZONE = "America/Bogota"
ACCOUNT = Account("ventas", "salesforce", ZONE, lambda text: f"code {len(text)} {sum(map(ord, text))}")
PREFIX = "SOURCES__VENTAS__SALESFORCE__"
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


@dataclass
class Desktop:
    """Where a test works: a lake, a clock, an environment, and loads of whatever Salesforce is served."""

    folder: Path
    environment: Any  # pytest's monkeypatch
    clock: SharedClock = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
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
        """Salesforce is this application while the block runs; gives its URL."""
        with serving(application) as base_url:
            self.configure(base_url=base_url)
            yield base_url

    def load(
        self, application: ASGIApp, at: datetime, using: SalesforceOptions = OPTIONS, **more: Any
    ) -> dict[str, Loaded]:
        """Loads the org as it is served; what came of it, by stream."""
        source = Source(SALESFORCE, ACCOUNT, using)
        with self.serving(application):
            loads = fetch(source, self.lake, self.clock, at, **more)
        changed = bring_up_to_date([source], self.lake, at)
        return {load.stream: Loaded(load, change) for load, change in zip(loads, changed, strict=True)}

    def read(
        self, application: ASGIApp, stream: str, read: Read, using: SalesforceOptions = OPTIONS
    ) -> tuple[Reading, list[str]]:
        """Fetches one stream of the org as it is served, into no lake; also the marks that it passed."""
        [of] = [one for one in SALESFORCE.streams(ACCOUNT, using) if one.name == stream]
        pages, found, marks = of.fetch(read), Reading(), []
        with self.serving(application):
            try:
                while True:
                    page = next(pages)
                    if isinstance(page, Mark):
                        marks.append(page.text)
                    else:
                        found.records += page
            except StopIteration as end:
                found.covered = end.value
            except SourceError as failure:
                found.failure = str(failure)
        return found, marks

    def first(self, at: datetime) -> Read:
        """What a first reading is asked for."""
        return Read(since=None, until=at, cursor=None, clock=self.clock)

    def log(self) -> pl.DataFrame:
        """The events that hold now, coverage left out."""
        events = current(self.lake.log.scan()).filter(pl.col("event_type") != COVERED)
        return events.sort("occurred_at", "fact_key").collect()

    def facts(self, event_type: str, *columns: str) -> list[tuple[Any, ...]]:
        return self.log().filter(pl.col("event_type") == event_type).select(columns).rows()

    def stored(self) -> list[dict[str, Any]]:
        """Every payload that was ever stored, of every stream."""
        found = [self.lake.raw.scan("salesforce", one).select("payload") for one in STREAMS]
        return [orjson.loads(text) for text in pl.concat(found).collect().get_column("payload")]
