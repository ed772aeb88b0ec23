"""Check-ins that people make by command: the inbox that they are left in, and the source that reads it.

Belongs here: keeping a check-in until a run has taken it into the raw zone, what its record means, and holding the
check-ins of every source to what is declared. Does not: what may be said (`kr_definitions.check_ins`), the command.

The inbox is a file of lines, one a check-in or a withdrawal; a line is there whole, on the disk, or not at all. What a
complete reading has taken is in the raw zone, and the next reading drops it from the file: from then on a check-in is a
record like any vendor's, and what is removed there does not come back from here.

Where an entry lies in the order of leaving (`at`) and when it was said (`says.at`) are two things, of the same instant
unless a clock was ahead once: the order goes on from there, what is said is said when it is said.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from filelock import FileLock

from kr_definitions.catalogue import Catalogue
from kr_definitions.check_ins import CHECKED_IN, bounds_of, held_to
from kr_definitions.measures.base import Bounds
from kr_definitions.periods import Span
from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS
from pipelines.load import Source
from pipelines.people import People, Place
from pipelines.plausibility import CLOCKS_DIFFER_BY
from pipelines.raw_zone import RAW_SCHEMA, RawZone
from pipelines.source import Account, Connector, Covered, Options, Pseudonym, Read, Record, SourceError, Stream
from pipelines.understanding import understand

NAME = "check_ins"
"""What the source is called, and its stream."""

_SAYS = pl.Struct(dict.fromkeys(("key_result", "on", "at", "by", "confidence", "note", "value"), pl.String))
_PEOPLE = People(whose=(Place("actor", ("by",)),), actor="actor")
"""What somebody said is theirs, and goes with them."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CheckIn:
    """What somebody says of a key result on a day. by: a pseudonym; value: in place of the computed one."""

    key_result: str
    on: date
    by: str | None = None
    confidence: Decimal | None = None
    note: str | None = None
    value: Decimal | None = None


@dataclass(frozen=True)
class Inbox:
    """The check-ins of an organisation that no run has taken yet."""

    path: Path

    def add(self, check_in: CheckIn, now: datetime) -> Record:
        """Leave a check-in, said at an instant (aware): on the disk once this returns. Gives its record."""
        with self._alone():
            entries = self._entries()
            left = _left(entries, now)
            record = replace(record_of(check_in, _said(entries, now)), revision=left)
            self._append({"at": _written(left), "key": record.key, "says": record.payload})
        return record

    def withdraw(self, key: str, now: datetime) -> None:
        """Leave word that the check-in with this key is withdrawn."""
        with self._alone():
            self._append({"at": _written(_left(self._entries(), now)), "key": key, "says": None})

    def waiting(self) -> list[Record]:
        """What is to be taken, in the order in which it was left. Raises `SourceError` for a damaged file."""
        return [_record(entry) for entry in self._entries() if "key" in entry]

    def taken(self, until: str | None) -> list[Record]:
        """What is to be taken now. until: the instant of the last entry that an earlier, complete reading took.

        Those entries are dropped from the file; it goes on knowing the place, so that no later one is before it.
        """
        with self._alone():
            entries = self._entries()
            rest = [entry for entry in entries if "key" in entry and (until is None or entry["at"] > until)]
            if until is not None and sum("key" in entry for entry in entries) > len(rest):
                gone = [entry for entry in entries if entry not in rest]
                self._replace([{"at": until, "said": next(filter(None, map(_at, reversed(gone))), None)}, *rest])
        return [_record(entry) for entry in rest]

    def keep(self, is_kept: Callable[[Record], bool]) -> None:
        """Drop what waits and is not to be kept, as it is of somebody who was erased."""
        with self._alone():
            entries = self._entries()
            kept = [entry for entry in entries if "key" not in entry or is_kept(_record(entry))]
            if len(kept) < len(entries):
                self._replace(kept or [{"at": entries[-1]["at"], "said": _at(entries[-1])}])

    def _alone(self) -> FileLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_suffix(".lock"))

    def _entries(self) -> list[dict[str, Any]]:
        """The whole lines. What a killed writer left of one was never acknowledged."""
        text = self.path.read_bytes() if self.path.exists() else b""
        found = []
        for number, line in enumerate(text.split(b"\n")[:-1], start=1):
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                found_so = f"{self.path}: line {number} is no check-in"
                raise SourceError(NAME, found_so, "Restore it, or remove the line") from None
        return found

    def _append(self, entry: Mapping[str, Any]) -> None:
        is_new = not self.path.exists()
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            text = os.pread(handle, os.fstat(handle).st_size, 0)
            end = text.rfind(b"\n") + 1
            try:
                _write(handle, orjson.dumps(entry) + b"\n", end)
            except OSError:
                os.ftruncate(handle, end)
                raise
        finally:
            os.close(handle)
        if is_new:
            _flush(self.path.parent)

    def _replace(self, entries: Sequence[Mapping[str, Any]]) -> None:
        aside = self.path.with_suffix(".new")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write(handle, b"".join(orjson.dumps(entry) + b"\n" for entry in entries), 0)
        finally:
            os.close(handle)
        aside.replace(self.path)
        _flush(self.path.parent)


def _write(handle: int, content: bytes, at: int) -> None:
    """Write content to the end of a file from a place on, to the disk."""
    written = 0
    while written < len(content):
        written += os.pwrite(handle, content[written:], at + written)
    os.ftruncate(handle, at + written)
    os.fsync(handle)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _left(entries: Sequence[Mapping[str, Any]], now: datetime) -> datetime:
    """The place in the order in which entries are left: later than every one that ever was, whatever the clock says."""
    return max(now, datetime.fromisoformat(entries[-1]["at"]) + _TICK) if entries else now


def _said(entries: Sequence[Mapping[str, Any]], now: datetime) -> datetime:
    """When a check-in is said: now, or just after the last one of the same instant.

    One that was left by a clock that was ahead stands alone: those after it are said when they are said.
    """
    earlier = [datetime.fromisoformat(at) for at in map(_at, entries) if at is not None]
    near = [at for at in earlier if at <= now + CLOCKS_DIFFER_BY]
    return max(now, max(near) + _TICK) if near else now


def _at(entry: Mapping[str, Any]) -> str | None:
    """When what an entry holds was said; of what was taken, the last of it. None for a withdrawal."""
    says = entry.get("says")
    at = says["at"] if says else entry.get("said")
    return None if at is None else str(at)


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def record_of(check_in: CheckIn, at: datetime) -> Record:
    """A check-in as the record that a reading delivers; nobody's second one at an instant."""
    says = {
        "key_result": check_in.key_result,
        "on": check_in.on.isoformat(),
        "at": _written(at),
        "by": check_in.by,
        "confidence": None if check_in.confidence is None else f"{check_in.confidence:f}",
        "note": check_in.note,
        "value": None if check_in.value is None else f"{check_in.value:f}",
    }
    return Record(f"{check_in.key_result}/{check_in.on}/{says['at']}", at, says)


def problem(of_inbox: Source, record: Record, now: datetime) -> str | None:
    """What would set a check-in aside at its load: one that a command takes is read like any other record."""
    columns = {"record_key": record.key, "revision": record.revision, "is_deleted": False, "recorded_at": now}
    row = {**columns, "payload": orjson.dumps(record.payload).decode()}
    records = pl.DataFrame([row], schema=RAW_SCHEMA)
    found = understand(of_inbox.streams()[0], NAME, records, now).problems.get_column("problem")
    return None if found.is_empty() else str(found[0]).removeprefix(f"{CHECKED_IN}: ")


def _record(entry: Mapping[str, Any]) -> Record:
    at = datetime.fromisoformat(entry["at"])
    return Record(entry["key"], at, entry["says"] or {}, is_deleted=entry["says"] is None)


def latest(inbox: Inbox, raw: RawZone, key_result: str, by: str | None, on: date | None) -> str | None:
    """The key of the last check-in that somebody made and that is not withdrawn; of a day, where one is given."""
    newest = raw.newest(NAME, NAME).select("record_key", "is_deleted", "payload").collect()
    left = [(one.key, one.is_deleted, orjson.dumps(one.payload).decode()) for one in inbox.waiting()]
    waiting = pl.DataFrame(left, schema=newest.schema, orient="row")
    found = (
        pl.concat([newest, waiting])
        .unique("record_key", keep="last", maintain_order=True)
        .filter(~pl.col("is_deleted"))
        .select("record_key", pl.col("payload").str.json_decode(_SAYS))
        .unnest("payload")
        .filter(pl.col("key_result") == key_result, pl.col("by").eq_missing(pl.lit(by, pl.String)))
        .filter(pl.lit(on is None) | (pl.col("on") == str(on)))
        .sort("at")
    )
    return None if found.is_empty() else str(found.get_column("record_key")[-1])


# --- the source -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CheckIns:
    """The kind of source that the inbox is. It is there without being declared."""

    inbox: Inbox
    kind: str = NAME
    options: type[Options] = Options

    def streams(self, account: Account, options: Options) -> list[Stream]:  # noqa: ARG002 - every connector is asked so
        """One stream, which is never late: what was said is in the inbox at once."""
        return [
            Stream(
                NAME,
                feeds=(CHECKED_IN,),
                fetch=self._fetch,
                payload=_SAYS,
                facts=facts,
                overlap=timedelta(0),
                lateness=timedelta(0),
                people=_PEOPLE,
            )
        ]

    def _fetch(self, read: Read) -> Generator[list[Record], None, Covered]:
        records = self.inbox.taken(read.cursor)
        yield records
        last = records[-1].revision if records else None
        return Covered(None, read.until, read.cursor if last is None else _written(last))


def facts(records: pl.LazyFrame) -> pl.LazyFrame:
    """Records as check-ins."""
    return records.select(
        "record_key",
        pl.col("record_key").alias("fact_key"),
        pl.lit(CHECKED_IN).alias("event_type"),
        pl.col("key_result").alias("subject_id"),
        pl.col("by").alias("actor"),
        pl.col("at")
        .str.to_datetime("%Y-%m-%dT%H:%M:%S%.6f%:z", strict=False)
        .cast(UTC_MICROSECONDS)
        .alias("occurred_at"),
        pl.col("confidence").cast(DECIMAL, strict=False),
        "note",
        pl.col("on").str.to_date("%Y-%m-%d", strict=False).alias("as_of"),
        pl.col("value").cast(DECIMAL, strict=False).alias("stated_value"),
    )


@dataclass(frozen=True)
class Held:
    """A connector whose check-ins are held to the declared key results, where it states any.

    declared, bounds: the period of each, and between which ends a value of it lies.
    """

    connector: Connector
    declared: Mapping[str, Span | None]
    bounds: Mapping[str, Bounds]

    @property
    def kind(self) -> str:
        """The connector's."""
        return self.connector.kind

    @property
    def options(self) -> type[Options]:
        """The connector's."""
        return self.connector.options

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """The connector's, those that state check-ins held to what is declared."""
        return [
            self._held(stream, account.zone) if CHECKED_IN in stream.feeds else stream
            for stream in self.connector.streams(account, options)
        ]

    def _held(self, stream: Stream, zone: str) -> Stream:
        return replace(stream, facts=lambda records: held_to(stream.facts(records), self.declared, zone, self.bounds))


def held(connector: Connector, catalogue: Catalogue) -> Held:
    """A connector as an organisation uses it."""
    periods = {definition.id: definition.period for definition in catalogue.definitions}
    return Held(connector, periods, {definition.id: bounds_of(definition) for definition in catalogue.definitions})


def source(catalogue: Catalogue, inbox: Inbox, pseudonym: Pseudonym) -> Source:
    """The built-in source of an organisation's check-ins."""
    account = Account(catalogue.organisation.id, NAME, catalogue.organisation.zone, pseudonym)
    return Source(held(CheckIns(inbox), catalogue), account, Options())
