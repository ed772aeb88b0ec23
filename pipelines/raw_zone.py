"""The raw zone: every record as its vendor gave it, append-only, loaded by dlt and never changed but by an erasure.

Belongs here: what a raw row is, when a record is new, and the dlt load. Does not: what a record means (a source's
`facts`), or the event log.

A record is stored when it differs from the newest one stored for the same key and revision, so a record read twice
(an overlap, a retry, a repeated page, another pipeline's name) is stored once, and a value that changes and changes
back is stored three times. A row is always recorded later than the one that it follows, whatever the clock says, so
that the newest is the one that nothing follows.

dlt works in a throw-away folder, where what it writes down for itself stays as well; only the Delta tables in it are
links into the lake. So a killed run leaves nothing behind that the next one could stumble over, and what has been read
is known from the lake alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import lake
from pipelines.source import Covered, Read, Record, SourceError, Stream, VendorError
from pipelines.throwaway import throwaway_folder

RAW_SCHEMA: dict[str, pl.DataType] = {
    "record_id": pl.String(),  # of source, stream, key, revision, content and the row that this one follows
    "record_key": pl.String(),
    "revision": UTC_MICROSECONDS,
    "content_hash": pl.String(),
    "is_deleted": pl.Boolean(),
    "payload": pl.String(),  # JSON with sorted keys
    "recorded_at": UTC_MICROSECONDS,
}

_COLUMNS: Any = {
    "record_id": {"data_type": "text", "nullable": False, "primary_key": True},
    "record_key": {"data_type": "text", "nullable": False},
    "revision": {"data_type": "timestamp"},
    "content_hash": {"data_type": "text", "nullable": False},
    "is_deleted": {"data_type": "bool", "nullable": False},
    "payload": {"data_type": "text", "nullable": False},
    "recorded_at": {"data_type": "timestamp", "nullable": False},
}

_ROWS_A_FRAME = 4_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FEWEST_DOUBTED = 20
"""A snapshot of fewer records may lose any number of them at once without being doubted."""

OnPage = Callable[[str, int], None]
"""Called after each page with the stream's name and how many records it had."""

Admit = Callable[[Stream, Record], Record | None]
"""What may be stored of a record; None: nothing."""


def admit_all(stream: Stream, record: Record) -> Record | None:  # noqa: ARG001 - as others are called
    """Every record as it came."""
    return record


@dataclass
class StreamLoad:
    """What one fetch delivered: delivered = inserted + duplicates. covered is None where it ended early.

    removed: records that a snapshot no longer has; they are stored as deleted, beside what was inserted. suppressed:
    records that the vendor served as well and that were not admitted, as they are of people who were erased.
    """

    stream: str
    delivered: int = 0
    inserted: int = 0
    duplicates: int = 0
    removed: int = 0
    suppressed: int = 0
    covered: Covered | None = None
    failure: SourceError | None = None


@dataclass
class RawZone:
    """The raw tables of one organisation, below `root`: one Delta table a stream, `<root>/<source>/<stream>`."""

    root: Path
    pipeline_suffix: str = field(default="")

    def path(self, source: str, stream: str) -> Path:
        """Folder of a stream's table."""
        return self.root / source.replace("-", "_") / stream

    def scan(self, source: str, stream: str) -> pl.LazyFrame:
        """Every row ever stored for a stream."""
        return lake.scan(self.path(source, stream), RAW_SCHEMA)

    def newest(self, source: str, stream: str) -> pl.LazyFrame:
        """The newest row of each key: by revision, and among equal ones the one that arrived last."""
        return (
            self.scan(source, stream)
            .sort("revision", "recorded_at", "record_id", nulls_last=False)
            .unique("record_key", keep="last", maintain_order=True)
        )

    def load(
        self,
        source: str,
        streams: list[Stream],
        read_of: Callable[[Stream], Read],
        recorded_at: datetime,
        on_page: OnPage = lambda stream, records: None,
        admit: Admit = admit_all,
        is_still_so: Callable[[], object] = lambda: None,
    ) -> list[StreamLoad]:
        """Fetch the streams and store what is new, through one dlt run.

        A stream that fails (`SourceError`) keeps what it had read, counts as not covered, and stops no other one.
        is_still_so: asked before anything is stored, while nothing can be erased: raises where `admit` has changed.
        """
        loads = [StreamLoad(stream.name) for stream in streams]

        def resource(stream: Stream, load: StreamLoad) -> Any:
            def frames() -> Iterator[pl.DataFrame]:
                pages = self._admitted(stream, read_of(stream), load, on_page, admit)
                yield from self._frames(source, stream, pages, recorded_at, load)

            return dlt.resource(
                frames,
                name=stream.name,
                columns=_COLUMNS,
                primary_key="record_id",
                table_format="delta",
                write_disposition={"disposition": "merge", "strategy": "insert-only"},
            )()

        with throwaway_folder("dlt") as working:
            pipeline = dlt.pipeline(
                pipeline_name=f"raw_{source.replace('-', '_')}{self.pipeline_suffix}",
                pipelines_dir=str(working),
                destination=dlt.destinations.filesystem(bucket_url=str(working / "lake")),
                dataset_name=source.replace("-", "_"),
            )
            pipeline.config.restore_from_destination = False
            tables = self._linked(pipeline, source, streams)
            pipeline.extract([resource(stream, load) for stream, load in zip(streams, loads, strict=True)])
            pipeline.normalize()
            paths = [self.path(source, stream.name) for stream in streams]
            with lake.writing(*paths):
                is_still_so()
                pipeline.load()
                _refuse_strays(source, tables)
                for path in paths:
                    lake.settle(path)
        return loads

    def _linked(self, pipeline: dlt.Pipeline, source: str, streams: list[Stream]) -> Path:
        """The dataset's folder as dlt sees it: its own notes, and links to the streams' tables, which exist."""
        with pipeline.destination_client() as client:
            client.initialize_storage()
            tables = Path(client.dataset_path)
        for stream in streams:
            table = self.path(source, stream.name)
            lake.create(table, RAW_SCHEMA)
            (tables / stream.name).symlink_to(table.resolve(), target_is_directory=True)
        return tables

    def _admitted(
        self, stream: Stream, read: Read, load: StreamLoad, on_page: OnPage, admit: Admit
    ) -> Generator[tuple[list[str], list[Record]], None, Covered]:
        """Pages: the keys of the records that came, and what may be stored of them."""
        pages = stream.fetch(read)
        while True:
            try:
                page = next(pages)
            except StopIteration as end:
                covered: Covered = end.value
                return covered
            admitted = [one for record in page if (one := admit(stream, record)) is not None]
            load.suppressed += len(page) - len(admitted)
            on_page(stream.name, len(page))
            yield [record.key for record in page], admitted

    def _frames(
        self,
        source: str,
        stream: Stream,
        pages: Generator[tuple[list[str], list[Record]], None, Covered],
        recorded_at: datetime,
        load: StreamLoad,
    ) -> Iterator[pl.DataFrame]:
        novelty = _Novelty(source, stream.name, recorded_at, self.scan(source, stream.name))
        held = _Held(self.newest(source, stream.name)) if stream.is_snapshot else None
        rows: list[dict[str, Any]] = []
        while True:
            try:
                came, page = next(pages)
            except StopIteration as end:
                if end.value is None:
                    raise TypeError(f"{source}.{stream.name}: its fetch ended without saying what it covered") from None
                gone = [] if held is None else held.gone()
                if held is not None and held.is_doubtful(gone, stream.most_removed):
                    load.failure = _doubted(f"{source}.{stream.name}", len(gone), len(held.revisions))
                    break
                load.covered, load.removed = end.value, len(gone)
                rows += [row for record in gone if (row := novelty.row(record)) is not None]
                break
            except SourceError as failure:
                load.failure = failure
                break
            if held is not None:
                held.delivered.update(came)
            new = [row for record in page if (row := novelty.row(record)) is not None]
            load.delivered += len(page)
            load.inserted += len(new)
            load.duplicates += len(page) - len(new)
            rows += new
            if len(rows) >= _ROWS_A_FRAME:
                yield _frame(rows)
                rows = []
        if rows:
            yield _frame(rows)


class _Novelty:
    """Tells whether a record says anything that the newest stored one of its key and revision does not."""

    def __init__(self, source: str, stream: str, recorded_at: datetime, stored: pl.LazyFrame) -> None:
        self.source, self.stream, self.recorded_at = source, stream, _epoch_microseconds(recorded_at)
        newest = (
            stored.select(
                "record_key",
                pl.col("revision").dt.epoch("us"),
                "content_hash",
                "record_id",
                pl.col("recorded_at").dt.epoch("us"),
            )
            .sort("recorded_at", "record_id")
            .unique(["record_key", "revision"], keep="last", maintain_order=True)
            .collect()
        )
        self.known: dict[tuple[str, int | None], tuple[str, str, int]] = {
            (key, revision): (content, record_id, at) for key, revision, content, record_id, at in newest.iter_rows()
        }

    def row(self, record: Record) -> dict[str, Any] | None:
        payload = orjson.dumps(record.payload, option=orjson.OPT_SORT_KEYS)
        content = _digest(payload, b"deleted" if record.is_deleted else b"")
        revision = None if record.revision is None else _epoch_microseconds(record.revision)
        known_content, follows, known_at = self.known.get((record.key, revision), (None, "", 0))
        if known_content == content:
            return None
        recorded_at = max(self.recorded_at, known_at + 1)
        identity = "\x1f".join((self.source, self.stream, record.key, str(revision), content, follows))
        record_id = _digest(identity.encode())
        self.known[record.key, revision] = (content, record_id, recorded_at)
        return {
            "record_id": record_id,
            "record_key": record.key,
            "revision": record.revision,
            "content_hash": content,
            "is_deleted": record.is_deleted,
            "payload": payload.decode(),
            "recorded_at": _EPOCH + timedelta(microseconds=recorded_at),
        }


def replayed(
    source: str, stream: str, rows: pl.DataFrame, change: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> pl.DataFrame:
    """Every row of some records as it would have been stored had their payloads always been as `change` makes them.

    rows: `RAW_SCHEMA`. A row that then says nothing new is left out.
    """
    novelty = _Novelty(source, stream, _EPOCH, pl.LazyFrame(schema=RAW_SCHEMA))
    stored = []
    for row in rows.sort("recorded_at", "record_id").iter_rows(named=True):
        novelty.recorded_at = _epoch_microseconds(row["recorded_at"])
        payload = change(orjson.loads(row["payload"]))
        new = novelty.row(Record(row["record_key"], row["revision"], payload, row["is_deleted"]))
        stored += [new] if new is not None else []
    return _frame(stored)


class _Held:
    """The records of a snapshot as they are held, and which of them a reading delivers."""

    def __init__(self, newest: pl.LazyFrame) -> None:
        kept = newest.filter(~pl.col("is_deleted")).select("record_key", "revision").collect()
        self.revisions: dict[str, datetime | None] = dict(kept.iter_rows())
        self.delivered: set[str] = set()

    def gone(self) -> list[Record]:
        """What was held and did not come: deleted after the last that is known of it."""
        return [
            Record(key, revision, {}, is_deleted=True)
            for key, revision in self.revisions.items()
            if key not in self.delivered
        ]

    def is_doubtful(self, gone: list[Record], most_removed: float) -> bool:
        """Whether so much is gone that the file is likelier to be half a file."""
        is_all = most_removed < 1 and len(gone) == len(self.revisions) > 1
        is_many = len(self.revisions) >= FEWEST_DOUBTED and len(gone) > most_removed * len(self.revisions)
        return is_all or is_many


def _doubted(stream: str, gone: int, held: int) -> VendorError:
    return VendorError(
        stream,
        f"the whole state was read, and {gone} of the {held} records that were known are not in it",
        "Check that it is whole; where so many were really removed, set most_removed to 1 for one run",
    )


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:32]


def _epoch_microseconds(instant: datetime) -> int:
    if instant.tzinfo is None:
        raise ValueError(f"revision {instant} has no zone")
    return round(instant.timestamp() * 1_000_000)


def _refuse_strays(source: str, tables: Path) -> None:
    """Raise where dlt wrote a table under a name of its own making, which would go with the folder."""
    strays = [
        table.name for table in tables.iterdir()
        if table.is_dir() and not table.is_symlink() and not table.name.startswith("_dlt")
    ]  # fmt: skip
    if strays:
        raise ValueError(
            f"{source}: dlt stores a stream as {', '.join(sorted(strays))}. "
            "Name the stream so, in lower-case words joined by single underscores"
        )


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=RAW_SCHEMA)
