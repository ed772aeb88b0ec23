"""Builders for tests of the HubSpot source: a small agency, HubSpot served over it, and loads into a lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import yaml
from shop import code
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kr_definitions.events import COVERED, current
from pipelines.hubspot import HUBSPOT, HubSpotOptions
from pipelines.load import Lake, Source, StreamChange, bring_up_to_date, fetch
from pipelines.raw_zone import StreamLoad
from pipelines.sandbox.company import Activity, Change, Company, Contact, Listing, Sale
from pipelines.sandbox.hubspot import app
from pipelines.sandbox.server import serving
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Covered, Mark, Read, Record, SourceError

ACCOUNT = Account("inmobiliaria", "hubspot", "Europe/Madrid", code)
PREFIX = "SOURCES__INMOBILIARIA__HUBSPOT__"
OPTIONS = HubSpotOptions.model_validate(
    yaml.safe_load(HubSpotOptions.__doc__.split("writes::", 1)[1])  # type: ignore[union-attr]
)


def day(number: int, hour: int = 9, minute: int = 0, second: int = 0) -> datetime:
    """An instant: day 1 is 1 January 2026 (UTC)."""
    return datetime(2026, 1, 1, hour, minute, second, tzinfo=UTC) + timedelta(days=number - 1)


def changes(*pairs: tuple[datetime, Any]) -> tuple[Change[Any], ...]:
    return tuple(Change(at, value) for at, value in pairs)


def contact(id_: int, *lifecycle: tuple[datetime, str], **more: Any) -> Contact:
    given = {"channel": "web", "market": "Madrid", "referrer_id": None, "archived_at": None, **more}
    return Contact(id_, changes(*(lifecycle or ((day(1), "lead"),))), **given)


def sale(id_: int, *stages: tuple[datetime, str], **more: Any) -> Sale:
    amount = changes((stages[0][0], Decimal(5000)))
    given = {"buyer_id": 1, "listing_id": 0, "agent": "ana", "amount": amount, "archived_at": None, **more}
    return Sale(id=id_, stages=changes(*stages), **given)


def listing(id_: int, captured_at: datetime, entered_at: datetime, **more: Any) -> Listing:
    given = {
        "owner_id": 1,
        "agent": "ana",
        "mandate": changes((entered_at, "open")),
        "price": changes((entered_at, Decimal(200_000))),
        "portals": (),
        "market": "Getafe",
        "category": "flat",
        "archived_at": None,
        **more,
    }
    return Listing(id=id_, captured_at=captured_at, entered_at=entered_at, **given)


def activity(id_: int, kind: str, starts_at: datetime, outcome: str | None, **more: Any) -> Activity:
    entered_at = more.pop("entered_at", starts_at)
    outcomes = changes((max(entered_at, starts_at + timedelta(hours=1)), outcome)) if outcome else ()
    given = {"contact_id": 1, "agent": "ana", "seconds": 90, "archived_at": None, **more}
    return Activity(id=id_, kind=kind, starts_at=starts_at, entered_at=entered_at, outcome=outcomes, **given)


def agency(**lists: Any) -> Company:
    empty: dict[str, Any] = dict.fromkeys(
        ("contacts", "listings", "sales", "activities", "tickets", "invoices", "videos", "sheet_rows"), ()
    )
    return Company(
        seed=1,
        zone="Europe/Madrid",
        founded=date(2026, 1, 1),
        last_day=date(2026, 12, 31),
        subscribers={},
        views={},
        **{**empty, **{name: tuple(sorted(things, key=lambda one: one.id)) for name, things in lists.items()}},
    )


@dataclass
class Exchange:
    """A request to the stand-in and its answer; `body` and `answer` are JSON or empty."""

    method: str
    path: str
    query: str
    body: bytes
    status: int
    answer: bytes
    headers: dict[str, str]

    @property
    def content(self) -> Any:
        return orjson.loads(self.answer)


@dataclass
class Tampering:
    """An application in front of another one: notes every exchange, and changes the answers that a test asks it to.

    alter: from the exchange to its new (status, headers, answer), or None to leave it.
    """

    inner: ASGIApp
    alter: Any = lambda exchange: None
    exchanges: list[Exchange] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = b""
        while True:
            message = await receive()
            asked += message.get("body", b"")
            if not message.get("more_body"):
                break
        answered: list[Message] = []

        async def replay() -> Message:
            return {"type": "http.request", "body": asked, "more_body": False}

        async def keep(message: Message) -> None:
            answered.append(message)

        await self.inner(scope, replay, keep)
        answer = b"".join(message.get("body", b"") for message in answered)
        exchange = Exchange(
            scope["method"],
            scope["path"],
            scope["query_string"].decode(),
            asked,
            answered[0]["status"],
            answer,
            {name.decode().lower(): value.decode() for name, value in scope["headers"]},
        )
        self.exchanges.append(exchange)
        status, headers, answer = self.alter(exchange) or (exchange.status, {}, answer)
        raw = [(b"content-type", b"application/json"), *((k.encode(), v.encode()) for k, v in headers.items())]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})

    def paths(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.exchanges]


@dataclass(frozen=True)
class Loaded:
    """What a load of one stream came to."""

    load: StreamLoad
    change: StreamChange

    @property
    def failure(self) -> str | None:
        return self.load.failure and str(self.load.failure)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Records inserted, and events stated, events retracted, records quarantined."""
        change = self.change
        return self.load.inserted, change.events_stated, change.events_retracted, change.quarantined


@dataclass
class Reading:
    """What one fetch gave, and how it ended. marks: the places in it that it passed."""

    marks: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    covered: Covered | None = None
    failure: str | None = None

    @property
    def keys(self) -> list[str]:
        """The keys of the records, in order; a minus before those that are gone."""
        return [f"-{one.key}" if one.is_deleted else one.key for one in self.records]


@dataclass
class Office:
    """Where a test works: a lake, a clock, an environment, and loads of whatever HubSpot is served."""

    folder: Path
    environment: Any  # pytest's monkeypatch
    clock: SharedClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = SharedClock(self.folder / "clock.json", day(1))
        self.configure(access_token="pat-eu1-sandbox-not-a-secret")

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
        """HubSpot is this application while the block runs; gives its URL."""
        with serving(application) as base_url:
            self.configure(base_url=base_url)
            yield base_url

    def load(
        self, application: ASGIApp, at: datetime, options: HubSpotOptions = OPTIONS, **more: Any
    ) -> dict[str, Loaded]:
        """Loads the account as it is served; what came of it, by stream."""
        source = Source(HUBSPOT, ACCOUNT, options)
        with self.serving(application):
            loads = fetch(source, self.lake, self.clock, at, **more)
        changed = bring_up_to_date([source], self.lake, at)
        return {load.stream: Loaded(load, change) for load, change in zip(loads, changed, strict=True)}

    def read(
        self,
        application: ASGIApp,
        stream: str,
        at: datetime,
        since: datetime | None = None,
        options: HubSpotOptions = OPTIONS,
        mark: str | None = None,
    ) -> Reading:
        """Fetches one stream of the account as it is served, into no lake.

        since: as if an empty account had been read completely before. mark: as if it had been interrupted there.
        """
        [of] = [one for one in HUBSPOT.streams(ACCOUNT, options) if one.name == stream]
        before = None if since is None else self.read(app(self.desk(agency(), at)), stream, at, options=options).covered
        pages, found = of.fetch(Read(since, at, before and before.cursor, self.clock, mark)), Reading()
        with self.serving(application):
            try:
                while True:
                    page = next(pages)
                    if isinstance(page, Mark):
                        found.marks.append(page.text)
                    else:
                        found.records += page
            except StopIteration as end:
                found.covered = end.value
            except SourceError as failure:
                found.failure = str(failure)
        return found

    def log(self) -> pl.DataFrame:
        """The events that hold now, coverage left out."""
        events = current(self.lake.log.scan()).filter(pl.col("event_type") != COVERED)
        return events.sort("occurred_at", "fact_key").collect()

    def facts(self, event_type: str, *columns: str) -> list[tuple[Any, ...]]:
        return self.log().filter(pl.col("event_type") == event_type).select(columns).rows()
