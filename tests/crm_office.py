"""Where tests of CRM sources work: a stand-in that is served and tampered with, fetches, and loads into a lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import orjson
import polars as pl
from at_hand import at_hand
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kr_definitions.events import COVERED, current
from pipelines.load import Lake, Source, StreamChange, bring_up_to_date, fetch
from pipelines.raw_zone import StreamLoad
from pipelines.sandbox.company import Company
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Connector, Covered, Mark, Options, Read, Record, SourceError


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


Answer = tuple[int, dict[str, str], bytes]
"""A status, headers and a body."""

Alter = Callable[[Exchange], Answer | None]
"""From an exchange to its new answer, or None to leave it and its headers as they are."""


def refusing(
    times: int, status: int, headers: dict[str, str] | None = None, body: Any = None, ending: str = ""
) -> Alter:
    """The first so many answers are refusals, of requests of a path with this ending. body: JSON."""
    left = [times]

    def alter(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith(ending) or not left[0]:
            return None
        left[0] -= 1
        return status, headers or {}, orjson.dumps(body or {})

    return alter


@dataclass
class Tampering:
    """An application in front of another one: notes every exchange, and changes the answers that a test asks it to."""

    inner: ASGIApp
    alter: Alter = lambda exchange: None
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
        exchange = Exchange(
            scope["method"],
            scope["path"],
            scope["query_string"].decode(),
            asked,
            answered[0]["status"],
            b"".join(message.get("body", b"") for message in answered),
            {name.decode().lower(): value.decode() for name, value in scope["headers"]},
        )
        self.exchanges.append(exchange)
        if (altered := self.alter(exchange)) is None:
            for message in answered:
                await send(message)
            return
        status, headers, answer = altered
        given = {"content-type": "application/json", **headers}
        raw = [(name.encode(), value.encode()) for name, value in given.items()]
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


def facts_of(found: list[dict[str, Any]], event_type: str, *columns: str) -> list[Any]:
    """What the facts of a type say, in order, among all that was found; of one column, its values alone."""
    rows = [row for row in found if row.get("event_type") == event_type]
    rows.sort(key=lambda row: (row["occurred_at"], row["record_key"]))
    return [tuple(row.get(name) for name in columns) if len(columns) > 1 else row.get(columns[0]) for row in rows]


def problems(found: list[dict[str, Any]]) -> dict[str, str]:
    """Why records were not understood, among all that was found."""
    return {row["record_key"]: row["problem"] for row in found if "problem" in row}


@dataclass
class CrmOffice:
    """A lake, a clock, an environment, and loads of whatever the CRM is served as."""

    folder: Path
    environment: Any  # pytest's monkeypatch
    clock: SharedClock = field(init=False)

    connector: ClassVar[Connector]
    account: ClassVar[Account]
    options: ClassVar[Options]
    credentials: ClassVar[dict[str, str]]
    began: ClassVar[datetime]

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = SharedClock(self.folder / "clock.json", self.began)
        self.configure(**self.credentials)

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    def configure(self, **given: str | None) -> None:
        """Set settings of the account; None: remove."""
        prefix = "__".join((*self.account.sections, "")).upper()
        for name, value in given.items():
            if value is None:
                self.environment.delenv(prefix + name.upper(), raising=False)
            else:
                self.environment.setenv(prefix + name.upper(), value)

    def desk(self, company: Company, present: datetime) -> Desk:
        return Desk(company, present, self.clock)

    @contextmanager
    def serving(self, application: ASGIApp) -> Iterator[str]:
        """The CRM is this application while the block runs; gives its URL."""
        with at_hand(application) as base_url:
            self.configure(base_url=base_url)
            yield base_url

    def load(
        self, application: ASGIApp, at: datetime, options: Options | None = None, **more: Any
    ) -> dict[str, Loaded]:
        """Loads the account as it is served; what came of it, by stream."""
        source = Source(self.connector, self.account, options or self.options)
        with self.serving(application):
            loads = fetch(source, self.lake, self.clock, at, **more)
        changed = bring_up_to_date([source], self.lake, at)
        return {load.stream: Loaded(load, change) for load, change in zip(loads, changed, strict=True)}

    def fetched(self, application: ASGIApp, stream: str, read: Read, options: Options | None = None) -> Reading:
        """Fetches one stream of the account as it is served, into no lake."""
        streams = self.connector.streams(self.account, options or self.options)
        [of] = [one for one in streams if one.name == stream]
        pages, found = of.fetch(read), Reading()
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
