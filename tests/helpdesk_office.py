"""Builders for tests of help desks: tickets written out by hand, a vendor served over them, and loads into a lake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
from crm_office import Alter, Exchange, Tampering
from shop import code
from starlette.types import ASGIApp, Receive, Scope, Send

from kr_definitions.events import COVERED, EVENT_SCHEMA, current
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import event_log
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.novelty import Novelty
from pipelines.raw_zone import RAW_SCHEMA, StreamLoad, newest_of
from pipelines.sandbox.company import Change, Changes, Company, Ticket
from pipelines.sandbox.server import serving
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Connector, Covered, Mark, Options, Read, Record, SourceError, Stream
from pipelines.understanding import understand

__all__ = [
    "MARCH",
    "Alter",
    "Exchange",
    "Office",
    "StoredOffice",
    "Tampering",
    "at",
    "changes",
    "company",
    "ticket",
]

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def at(day: int, hour: int = 9, minute: int = 0, second: int = 0) -> datetime:
    """An instant of March 2026 (UTC); day 32 is the first of April."""
    return MARCH + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)


def changes(*pairs: tuple[datetime, str]) -> Changes[str]:
    return tuple(Change(instant, value) for instant, value in pairs)


def ticket(number: int = 1, **different: Any) -> Ticket:
    """A ticket of 2 March: answered within the hour, solved on the 3rd, closed on the 7th."""
    usual: dict[str, Any] = {
        "id": number,
        "requester_id": 70 + number,
        "created_at": at(2),
        "channel": "phone",
        "priority": changes((at(2), "normal")),
        "status": changes((at(2), "new"), (at(2, 9, 40), "open"), (at(3), "solved"), (at(7), "closed")),
        "first_reply_at": at(2, 9, 40),
        "survey_sent_at": None,
        "rating": (),
        "deleted_at": None,
    }
    return Ticket(**{**usual, **different})


def company(*tickets: Ticket) -> Company:
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone="Europe/Madrid", founded=date(2026, 1, 1), last_day=date(2026, 12, 31), contacts=none,
        listings=none, sales=none, activities=none, tickets=tickets, invoices=none, videos=none, sheet_rows=none,
        subscribers={}, views={},
    )  # fmt: skip


@dataclass
class Reading:
    """What one fetch gave, and how it ended."""

    pages: list[list[Record]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    covered: Covered | None = None
    error: SourceError | None = None

    @property
    def failure(self) -> str | None:
        return None if self.error is None else str(self.error)

    @property
    def records(self) -> list[Record]:
        return [record for page in self.pages for record in page]

    @property
    def keys(self) -> list[str]:
        return [record.key for record in self.records]


@dataclass
class _Shelf:
    """What has been read of one stream."""

    novelty: Novelty
    rows: list[dict[str, Any]] = field(default_factory=list)
    readings: list[Covered] = field(default_factory=list)

    @property
    def last(self) -> Covered | None:
        return self.readings[-1] if self.readings else None

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows, schema=RAW_SCHEMA)


class _Switch:
    """The one server of this process: it answers as whichever application is before it."""

    def __init__(self) -> None:
        self.inner: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.inner is not None
        await self.inner(scope, receive, send)


_SWITCH, _KEPT_OPEN = _Switch(), ExitStack()


@cache
def _base_url() -> str:
    return _KEPT_OPEN.enter_context(serving(_SWITCH))


@dataclass
class Office:
    """Where a test works: a clock, an environment, and one vendor's stand-in served over some company.

    What is read is kept in memory, as rows of the raw zone and statements of the log: `StoredOffice` has a lake.
    """

    folder: Path
    environment: Any  # pytest's monkeypatch
    connector: Connector
    options: Options
    stand_in: ModuleType
    zone: str = "Europe/Madrid"
    began: datetime = MARCH
    clock: SharedClock = field(init=False)
    exchanges: list[Exchange] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.clock = SharedClock(self.folder / "clock.json", self.began)
        self._shelves: dict[str, _Shelf] = {}
        self._log = pl.DataFrame(schema=EVENT_SCHEMA)
        self._aside: list[pl.DataFrame] = []
        self.configure(**self.stand_in.CREDENTIALS)

    @property
    def account(self) -> Account:
        return Account("agencia", self.connector.kind, self.zone, code)

    @property
    def source(self) -> Source:
        return Source(self.connector, self.account, self.options)

    def stream(self, name: str) -> Stream:
        [found] = [one for one in self.source.streams() if one.name == name]
        return found

    def configure(self, **given: str | None) -> None:
        for name, value in given.items():
            variable = f"SOURCES__AGENCIA__{self.connector.kind}__{name}".upper()
            if value is None:
                self.environment.delenv(variable, raising=False)
            else:
                self.environment.setenv(variable, value)

    def with_options(self, **given: Any) -> None:
        self.options = self.options.model_copy(update=given)

    def desk(self, of: Company, present: datetime) -> Desk:
        return Desk(of, present, self.clock)

    def served(self, of: Company, present: datetime, alter: Any = None, **settings: Any) -> Tampering:
        """The vendor at an instant; alter: what it answers instead."""
        app = self.stand_in.app(self.desk(of, present), **settings)
        return Tampering(app) if alter is None else Tampering(app, alter)

    @contextmanager
    def serving(self, application: Any) -> Iterator[str]:
        _SWITCH.inner = application
        self.configure(base_url=_base_url())
        yield _base_url()

    def load(self, of: Company, now: datetime, alter: Any = None, **settings: Any) -> Mapping[str, StreamLoad]:
        """Fetch and understand the company as it is at an instant; the requests are in `exchanges`."""
        application = self.served(of, now, alter, **settings)
        loads = self.fetch(application, now)
        self.exchanges = application.exchanges
        self.understand(now)
        return loads

    def fetch(self, application: Any, now: datetime) -> Mapping[str, StreamLoad]:
        loads = {}
        for stream in self.source.streams():
            empty = pl.LazyFrame(schema=RAW_SCHEMA)
            shelf = self._shelves.setdefault(stream.name, _Shelf(Novelty(self.connector.kind, stream.name, now, empty)))
            since = None if shelf.last is None else shelf.last.end - stream.overlap
            cursor = None if shelf.last is None else shelf.last.cursor
            found = self.read(application, stream.name, Read(since, now, cursor, self.clock))
            shelf.novelty.recorded_at = round(now.timestamp() * 1_000_000)
            new = [row for one in found.records if (row := shelf.novelty.row(one)) is not None]
            shelf.rows += new
            shelf.readings += [] if found.covered is None else [found.covered]
            load = StreamLoad(stream.name, len(found.records), len(new), len(found.records) - len(new))
            load.covered, load.failure = found.covered, found.error
            loads[stream.name] = load
        return loads

    def understand(self, now: datetime) -> None:
        self._aside = []
        for stream in self.source.streams():
            if (shelf := self._shelves.get(stream.name)) is None or not shelf.rows:
                continue
            rows = shelf.frame() if stream.seen is not None else newest_of(shelf.frame().lazy()).collect()
            found = understand(stream, self.connector.kind, rows, now)
            place = (self.connector.kind, stream.name, now)
            stated = event_log.statements(self._log.lazy(), found.facts, found.touched, *place)
            self._log = pl.concat([self._log, stated])
            self._aside.append(found.problems)

    def read(self, application: Any, stream: str, read: Read) -> Reading:
        """One fetch of one stream, kept nowhere."""
        found = Reading()
        with self.serving(application):
            pages = self.stream(stream).fetch(read)
            try:
                while True:
                    one = next(pages)
                    if isinstance(one, Mark):
                        found.marks.append(one.text)
                    else:
                        found.pages.append(one)
            except StopIteration as end:
                found.covered = end.value
            except SourceError as failure:
                found.error = failure
        return found

    def first(self, application: Any, stream: str, now: datetime) -> Reading:
        return self.read(application, stream, Read(None, now, None, self.clock))

    def log(self) -> pl.LazyFrame:
        """Everything that was ever stated, and what was covered."""
        stated = [self._log]
        for stream in self.source.streams():
            readings = self._shelves[stream.name].readings if stream.name in self._shelves else []
            spans = [span for one in readings for span in (*one.earlier, (one.start, one.end))]
            covered: dict[str, list[Any]] = {"covered_from": [start for start, _ in spans]}
            covered |= {name: [end for _, end in spans] for name in ("covered_to", "read_at")}
            read = pl.DataFrame(covered, schema=dict.fromkeys(covered, UTC_MICROSECONDS))
            of = (self.connector.kind, stream.name, "mapping", self.began)
            stated.append(event_log.readings(read, stream.feeds, *of))
        return pl.concat(stated).lazy()

    def statements(self) -> pl.LazyFrame:
        """Everything that was ever stated."""
        return self._log.lazy()

    def rows(self, stream: str) -> pl.DataFrame:
        """Everything that was ever read of a stream."""
        return self._shelves[stream].frame()

    def quarantined(self) -> list[tuple[str, str]]:
        return sorted((key, said) for aside in self._aside for key, said in aside["record_key", "problem"].rows())

    def withdrawn(self) -> pl.DataFrame:
        return self.statements().filter(pl.col("event_type") == "fact.retracted").collect()

    def facts(self) -> pl.DataFrame:
        log = current(self.statements()).filter(pl.col("event_type") != COVERED)
        return log.sort("occurred_at", "event_type", "status", "subject_id").collect()

    def said(self, *columns: str, of: str | None = None) -> list[tuple[Any, ...]]:
        facts = self.facts() if of is None else self.facts().filter(pl.col("event_type") == of)
        return facts.select(columns).rows()

    def counts(self) -> Mapping[str, int]:
        return dict(self.facts().group_by("event_type").len().sort("event_type").rows())

    def stored(self) -> str:
        """Everything that is kept, as text."""
        payloads = [self.rows(one.name).get_column("payload") for one in self.source.streams()]
        return "\n".join(pl.concat(payloads))


class StoredOffice(Office):
    """An office with a lake: what is read is stored by dlt, and the log is the lake's."""

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    def fetch(self, application: Any, now: datetime) -> Mapping[str, StreamLoad]:
        with self.serving(application):
            return {load.stream: load for load in fetch(self.source, self.lake, self.clock, now)}

    def understand(self, now: datetime) -> None:
        bring_up_to_date([self.source], self.lake, now)

    def statements(self) -> pl.LazyFrame:
        return self.lake.log.scan()

    def rows(self, stream: str) -> pl.DataFrame:
        return self.lake.raw.scan(self.connector.kind, stream).collect()

    def quarantined(self) -> list[tuple[str, str]]:
        rows = self.lake.quarantine().sort("record_key", "problem").select("record_key", "problem").collect()
        return rows.rows()


def stored(office: Office) -> StoredOffice:
    """The same office with a lake: for what is asked of storing, of coverage, or of a run after another."""
    return StoredOffice(
        office.folder, office.environment, office.connector, office.options, office.stand_in, office.zone, office.began
    )
