"""Builders for tests of help desks: tickets written out by hand, a vendor served over them, and loads into a lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
from hubspot_agency import Exchange, Tampering

from kr_definitions.events import COVERED, current
from pipelines.load import Lake, Source, StreamChange, bring_up_to_date, fetch
from pipelines.raw_zone import StreamLoad
from pipelines.sandbox.company import Change, Changes, Company, Ticket
from pipelines.sandbox.server import serving
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Connector, Covered, Mark, Options, Read, Record, SourceError

__all__ = ["Exchange", "Office", "Tampering", "at", "changes", "company", "ticket"]

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
    failure: str | None = None

    @property
    def records(self) -> list[Record]:
        return [record for page in self.pages for record in page]

    @property
    def keys(self) -> list[str]:
        return [record.key for record in self.records]


@dataclass
class Office:
    """Where a test works: a lake, a clock, an environment, and one vendor's stand-in served over some company."""

    folder: Path
    environment: Any  # pytest's monkeypatch
    connector: Connector
    options: Options
    stand_in: ModuleType
    zone: str = "Europe/Madrid"
    clock: SharedClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = SharedClock(self.folder / "clock.json", MARCH)
        self.configure(**self.stand_in.CREDENTIALS)

    @property
    def account(self) -> Account:
        return Account("agencia", self.connector.kind, self.zone)

    @property
    def source(self) -> Source:
        return Source(self.connector, self.account, self.options)

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

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
        with serving(application) as url:
            self.configure(base_url=url)
            yield url

    def fetch(self, application: Any, now: datetime, **more: Any) -> dict[str, StreamLoad]:
        with self.serving(application):
            return {load.stream: load for load in fetch(self.source, self.lake, self.clock, now, **more)}

    def load(self, of: Company, now: datetime, alter: Any = None, **settings: Any) -> dict[str, StreamLoad]:
        """Fetch and understand the company as it is at an instant; the requests are in `exchanges`."""
        application = self.served(of, now, alter, **settings)
        loads = self.fetch(application, now)
        self.exchanges = application.exchanges
        self.understand(now)
        return loads

    def understand(self, now: datetime) -> list[StreamChange]:
        return bring_up_to_date([self.source], self.lake, now)

    def read(self, application: Any, stream: str, read: Read) -> Reading:
        """One fetch of one stream, into no lake."""
        [of] = [one for one in self.source.streams() if one.name == stream]
        found = Reading()
        with self.serving(application):
            pages = of.fetch(read)
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
                found.failure = str(failure)
        return found

    def first(self, application: Any, stream: str, now: datetime) -> Reading:
        return self.read(application, stream, Read(None, now, None, self.clock))

    def facts(self) -> pl.DataFrame:
        log = current(self.lake.log.scan()).filter(pl.col("event_type") != COVERED)
        return log.sort("occurred_at", "event_type", "status", "subject_id").collect()

    def said(self, *columns: str, of: str | None = None) -> list[tuple[Any, ...]]:
        facts = self.facts() if of is None else self.facts().filter(pl.col("event_type") == of)
        return facts.select(columns).rows()

    def counts(self) -> Mapping[str, int]:
        return dict(self.facts().group_by("event_type").len().sort("event_type").rows())

    def quarantined(self) -> list[tuple[str, str]]:
        rows = self.lake.quarantine().sort("record_key", "problem").select("record_key", "problem").collect()
        return rows.rows()

    def stored(self) -> str:
        """Everything that the raw zone holds, as text."""
        streams = [self.lake.raw.scan(self.connector.kind, one.name).select("payload") for one in self.source.streams()]
        return "\n".join(pl.concat(streams).collect().get_column("payload"))


Alter = Callable[[Exchange], tuple[int, dict[str, str], bytes] | None]
