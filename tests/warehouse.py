"""A company's warehouse for tests: a database with tables, and a lake that they are loaded into once a day."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import orjson
import polars as pl

from kr_definitions.events import current
from pipelines.load import Lake, Source, StreamChange, bring_up_to_date, fetch
from pipelines.raw_zone import RAW_SCHEMA, StreamLoad
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Account, Covered, Mark, Read, Record, Stream
from pipelines.sql import SQL, SqlOptions
from pipelines.understanding import Understood, understand

NOW = datetime(2026, 3, 10, 5, tzinfo=UTC)
PREFIX = "SOURCES__OFFICE__CRM__CREDENTIALS"


class Tables(Protocol):
    """A database that statements are run in."""

    def run(self, *statements: str) -> None: ...


@dataclass(frozen=True)
class File:
    """A database in a file, of SQLite."""

    path: Path

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()


@dataclass
class Warehouse:
    """What an organisation, `office`, declares of its source `crm`, and the lake below `folder`."""

    folder: Path
    tables: Tables
    declared: Mapping[str, Any]
    days: int = 0
    lake: Lake = field(init=False)
    understood: Understood | None = None

    def __post_init__(self) -> None:
        self.lake = Lake(self.folder / "lake")

    @property
    def source(self) -> Source:
        account = Account("office", "crm", "Europe/Madrid", lambda text: f"p-{len(text)}-{text[0].lower()}")
        return Source(SQL, account, SqlOptions.model_validate({"streams": self.declared}))

    @property
    def stream(self) -> Stream:
        return self.source.streams()[0]

    def run(self, *statements: str) -> None:
        self.tables.run(*statements)

    def reading(self, until: datetime = NOW, cursor: str | None = None, mark: str | None = None) -> Read:
        return Read(None, until, cursor, SharedClock(self.folder / "clock", until), mark)

    def pages(self, read: Read | None = None) -> Iterator[list[Record] | Mark]:
        yield from self.stream.fetch(read or self.reading())

    def read(self, read: Read | None = None) -> tuple[list[Record], list[Mark], Covered]:
        """What the fetching half of the first stream gives, without a lake."""
        fetching = self.stream.fetch(read or self.reading())
        records: list[Record] = []
        marks: list[Mark] = []
        while True:
            try:
                given = next(fetching)
            except StopIteration as end:
                return records, marks, end.value
            if isinstance(given, Mark):
                marks.append(given)
            else:
                records += given

    def load(self) -> tuple[list[StreamLoad], list[StreamChange]]:
        """A day's run."""
        self.days += 1
        present = NOW + timedelta(days=self.days)
        loads = fetch(self.source, self.lake, SharedClock(self.folder / "clock", present), present)
        return loads, bring_up_to_date([self.source], self.lake, present)

    def told(self) -> None:
        """What the first stream says once it is read, without a lake: for what one reading shows."""
        until = NOW + timedelta(days=1)
        records = {record.key: record for record in self.read(self.reading(until))[0]}
        rows = [
            {"record_key": one.key, "revision": one.revision, "is_deleted": one.is_deleted,
             "payload": orjson.dumps(one.payload).decode()}
            for one in records.values()
        ]  # fmt: skip
        raw = pl.DataFrame([dict.fromkeys(RAW_SCHEMA) | row for row in rows], schema=RAW_SCHEMA)
        self.understood = understand(self.stream, "crm", raw, until)

    def events(self, *columns: str) -> list[tuple[Any, ...]]:
        """What the log holds to be so, or what was told."""
        events = current(self.lake.log.scan()) if self.understood is None else self.understood.facts
        events = events.filter(pl.col("event_type") != "source.covered")
        return events.sort("occurred_at", "event_type", "subject_id").select(columns).collect().rows()

    def problems(self) -> list[str]:
        """What was said of the records that are set aside."""
        if self.understood is not None:
            return sorted(self.understood.problems.get_column("problem").to_list())
        return sorted(self.lake.quarantine().collect().get_column("problem").to_list())

    def stored(self) -> list[dict[str, Any]]:
        """Every payload of the first stream that was ever stored."""
        payloads = self.lake.raw.scan("crm", self.stream.name).sort("recorded_at", "record_key").select("payload")
        return [orjson.loads(one) for (one,) in payloads.collect().iter_rows()]
