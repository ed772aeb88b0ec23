"""The raw zone: every record as its vendor gave it, append-only, loaded by dlt and never changed but by an erasure.

Belongs here: what a raw row is, when a record is new, and the dlt load. Does not: what a record means (a source's
`facts`), or the event log.

A record is stored when it differs from the newest one stored for the same key and revision, so a record read twice
(an overlap, a retry, a repeated page, another pipeline's name) is stored once, and a value that changes and changes
back is stored three times. A row is always recorded later than the one that it follows, whatever the clock says, so
that the newest is the one that nothing follows.

A long reading is stored in parts: where it passes a mark, what it has yielded so far is loaded, and how far it has got
is told.

dlt works in a throw-away folder, where what it writes down for itself stays as well; only the Delta tables in it are
links into the lake. So a killed run leaves nothing behind that the next one could stumble over, and what has been read
is known from the lake alone.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

import dlt
import orjson
import polars as pl
from dlt.load.load import Load

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import lake
from pipelines.novelty import EPOCH, FEWEST_DOUBTED, Held, Moved, Novelty, epoch_microseconds
from pipelines.source import (
    Covered,
    DoubtedReading,
    Mark,
    Read,
    Record,
    SourceConfigError,
    SourceError,
    Stream,
    UnforeseenError,
    can_be_stored,
)
from pipelines.throwaway import throwaway_folder

_logger = logging.getLogger(__name__)

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

_LOOK_AGAIN = "_run_loop_sleep_duration"
# dlt 1.31 waits a whole second for a job that had ended when it was begun, as the first one of each Delta table has
# (`Load.load_single_package`), and has no setting for it: it looks again sooner.
setattr(Load, _LOOK_AGAIN, property(lambda self: 0.02, lambda self, seconds: None))


class _Folder(dlt.destinations.filesystem):  # type: ignore[misc]  # dlt has no types
    """Where a pipeline stores: dlt 1.31 asks ten times a load what it is set to, and is told what it was told first."""

    _set_to: Any = None

    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:  # noqa: FBT001, FBT002 - dlt's way
        if not accept_partial:
            return super().configuration(initial_config)
        if self._set_to is None:
            self._set_to = super().configuration(initial_config, accept_partial=True)
        return self._set_to


_ROWS_A_FRAME = 4_000
_RECORDS_A_PART, _SECONDS_A_PART = 20_000, 60
"""A long reading is stored when it has yielded so many new records, or has taken so long, and passes a mark."""

_RECORDS_WITHOUT_A_MARK = 30_000
"""One without marks is stored when it has yielded so many; but a snapshot at once, as half of one is no state."""

OnPage = Callable[[str, int], None]
"""Called after each page with the stream's name and how many records it had."""

OnPart = Callable[[Stream, Read, Mark], None]
"""Called with how far a reading has got, once what it yielded until there is stored."""

Admit = Callable[[Stream, Record], Record | None]
"""What may be stored of a record; None: nothing."""


def admit_all(stream: Stream, record: Record) -> Record | None:  # noqa: ARG001 - as others are called
    """Every record as it came."""
    return record


@dataclass
class StreamLoad:
    """What one fetch delivered: delivered = inserted + duplicates. covered is None where it ended early.

    removed: records that a whole reading no longer has, or whose things came under other keys; they are stored as
    deleted, beside what was inserted. suppressed: records that the vendor served as well and that were not admitted, as
    they are of people who were erased.
    """

    stream: str
    delivered: int = 0
    inserted: int = 0
    duplicates: int = 0
    removed: int = 0
    suppressed: int = 0
    covered: Covered | None = None
    failure: SourceError | None = None


def newest_of(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The newest of some rows (`RAW_SCHEMA`) of each key."""
    ordered = rows.sort("revision", "recorded_at", "record_id", nulls_last=False)
    return ordered.unique("record_key", keep="last", maintain_order=True)


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
        return newest_of(self.scan(source, stream))

    def load(
        self,
        source: str,
        streams: list[Stream],
        read_of: Callable[[Stream], Read],
        recorded_at: datetime,
        on_page: OnPage = lambda stream, records: None,
        admit: Admit = admit_all,
        is_still_so: Callable[[], object] = lambda: None,
        on_part: OnPart = lambda stream, read, mark: None,
    ) -> list[StreamLoad]:
        """Fetch the streams and store what is new, part by part, through dlt.

        A stream that fails keeps what it had read, counts as not covered, and stops no other one: whatever its fetch
        raises, foreseen (`SourceError`) or not. One whose reading is doubted keeps nothing of its last part.
        is_still_so: asked before anything is stored, while nothing can be erased: raises where `admit` has changed.
        on_part: called when a part of a stream is stored that ends with a mark and is not its last.
        """
        readings = [_Reading(self, source, stream, read_of(stream), recorded_at, on_page, admit) for stream in streams]
        for one in readings:
            if not can_be_stored(one.stream.name):
                one.load.failure, one.is_over = _unstorable(source, one.stream.name), True
        with throwaway_folder("dlt") as working:
            pipeline = dlt.pipeline(
                pipeline_name=f"raw_{source.replace('-', '_')}{self.pipeline_suffix}",
                pipelines_dir=str(working),
                destination=_Folder(bucket_url=str(working / "lake"), destination_name="filesystem"),
                dataset_name=source.replace("-", "_"),
            )
            pipeline.config.restore_from_destination = False
            under_way = [one for one in readings if not one.is_over]
            tables = self._linked(pipeline, source, [one.stream for one in under_way])
            while under_way:
                pipeline.extract([one.resource() for one in under_way])
                pipeline.normalize()
                paths = [self.path(source, one.stream.name) for one in under_way]
                with lake.writing(*paths):
                    is_still_so()
                    pipeline.load()
                    _refuse_strays(source, tables)
                    for path in paths:
                        lake.settle(path)
                for one in under_way:
                    if one.load.covered is None and one.mark is not None:
                        on_part(one.stream, one.read, one.mark)
                under_way = [one for one in under_way if not one.is_over]
        return [one.load for one in readings]

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


class _Reading:
    """One stream's fetch, from its first page to its last, as parts that are stored one after the other.

    mark: the last place that it passed; what it yielded before is in the parts that have been made so far.
    """

    def __init__(
        self,
        zone: RawZone,
        source: str,
        stream: Stream,
        read: Read,
        recorded_at: datetime,
        on_page: OnPage,
        admit: Admit,
    ) -> None:
        self.source, self.stream, self.read = source, stream, read
        self.load = StreamLoad(stream.name)
        self.mark: Mark | None = None
        self.is_over = False
        self._recorded_at, self._on_page, self._admit = recorded_at, on_page, admit
        self._zone = zone
        self._pages = iter(self._rows())

    def resource(self) -> Any:
        """What dlt extracts: the frames of the next part."""

        def part() -> Iterator[pl.DataFrame]:  # dlt takes functions, and no methods
            yield from self._part()

        return dlt.resource(
            part,
            name=self.stream.name,
            columns=_COLUMNS,
            primary_key="record_id",
            table_format="delta",
            write_disposition={"disposition": "merge", "strategy": "insert-only"},
        )()

    def _part(self) -> Iterator[pl.DataFrame]:
        """The frames of the next part. One that may yet be doubted is held until its end, and dropped if it is."""
        if self.read.believed_at is None:
            yield from self._frames()
            return
        before, frames = replace(self.load), list(self._frames())
        if isinstance(self.load.failure, DoubtedReading):
            self.load, self.mark = replace(before, failure=self.load.failure), None
            return
        yield from frames

    def _frames(self) -> Iterator[pl.DataFrame]:
        began, size, rows = monotonic(), 0, list[dict[str, Any]]()
        for found in self._pages:
            if isinstance(found, Mark):
                self.mark = found
                if size >= _RECORDS_A_PART or monotonic() - began >= _SECONDS_A_PART:
                    break
                continue
            size += len(found)
            rows += found
            if len(rows) >= _ROWS_A_FRAME:
                yield _frame(rows)
                rows = []
            if size >= _RECORDS_WITHOUT_A_MARK and not self.stream.is_snapshot:
                break
        else:
            self.is_over = True
        if rows:
            yield _frame(rows)

    def _rows(self) -> Iterator[list[dict[str, Any]] | Mark]:
        """What is new of each page, and the marks between them; how it ended is in `load`."""
        stored = self._zone.scan(self.source, self.stream.name)
        novelty = Novelty(self.source, self.stream.name, self._recorded_at, stored)
        newest = self._zone.newest(self.source, self.stream.name)
        held = Held(stored, newest, self.read.believed_at) if self.stream.is_snapshot else None
        moved = None if held is not None or self.stream.identity is None else Moved(newest, self.stream.identity)
        pages, load = self._pages_of_fetch(), self.load
        while True:
            try:
                page = next(pages)
            except StopIteration as end:
                if end.value is None:
                    place = f"{self.source}.{self.stream.name}"
                    raise TypeError(f"{place}: its fetch ended without saying what it covered") from None
                if held is None and end.value.present is not None:
                    group, present = self.stream.group, end.value.present
                    held = Held(stored, newest, self.read.believed_at, FEWEST_DOUBTED, group, present)
                yield self._ended(end.value, held, novelty)
                yield self._left(moved if load.failure is None else None, novelty)
                return
            except SourceError as failure:
                load.failure = failure
                return
            if isinstance(page, Mark):
                if held is not None:
                    raise TypeError(f"{self.source}.{self.stream.name}: a snapshot is read whole: it has no marks")
                yield self._left(moved, novelty)
                yield page
                continue
            if held is not None:
                held.found.update(record.key for record in page)
            if moved is not None:
                moved.notice(page)
            admitted = [one for record in page if (one := self._admit(self.stream, record)) is not None]
            new = [row for record in admitted if (row := novelty.row(record)) is not None]
            load.suppressed += len(page) - len(admitted)
            load.delivered += len(admitted)
            load.inserted += len(new)
            load.duplicates += len(admitted) - len(new)
            self._on_page(self.stream.name, len(page))
            yield new

    def _pages_of_fetch(self) -> Generator[list[Record] | Mark, None, Covered]:
        """What the fetch yields. Whatever breaks it off is this stream's failure: the others' loads are noted."""
        try:
            return (yield from self.stream.fetch(self.read))
        except (SourceError, lake.LakeError, lake.Overtaken):
            raise
        except Exception as broken:
            raise _unforeseen(f"{self.source}.{self.stream.name}", broken) from broken

    def _left(self, moved: Moved | None, novelty: Novelty) -> list[dict[str, Any]]:
        """The rows that say which records were left for other keys."""
        rows = [
            row for record in (moved.left() if moved is not None else ()) if (row := novelty.row(record)) is not None
        ]
        self.load.removed += len(rows)
        return rows

    def _ended(self, covered: Covered, held: Held | None, novelty: Novelty) -> list[dict[str, Any]]:
        """The rows that say which records are not there any more, as far as the reading knows that."""
        if held is not None and (missing := held.doubt(self.stream.most_removed)):
            self.load.failure = _doubted(f"{self.source}.{self.stream.name}", missing)
            return []
        gone = [] if held is None else held.gone(covered.unsure)
        self.load.covered = covered
        self.load.removed += len(gone)
        return [row for record in gone if (row := novelty.row(record)) is not None]


def replayed(
    source: str, stream: str, rows: pl.DataFrame, change: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> pl.DataFrame:
    """Every row of some records as it would have been stored had their payloads always been as `change` makes them.

    rows: `RAW_SCHEMA`. A row that then says nothing new is left out.
    """
    novelty = Novelty(source, stream, EPOCH, pl.LazyFrame(schema=RAW_SCHEMA))
    stored = []
    for row in rows.sort("recorded_at", "record_id").iter_rows(named=True):
        novelty.recorded_at = epoch_microseconds(row["recorded_at"])
        payload = change(orjson.loads(row["payload"]))
        new = novelty.row(Record(row["record_key"], row["revision"], payload, row["is_deleted"]))
        stored += [new] if new is not None else []
    return _frame(stored)


def _unforeseen(stream: str, broken: Exception) -> UnforeseenError:
    """What nobody foresaw, with its place in the log; not its message, which may say what an answer held."""
    places = "".join(traceback.format_tb(broken.__traceback__))
    _logger.error("%s: its reading broke off with %s:\n%s", stream, type(broken).__name__, places)
    return UnforeseenError(stream, broken)


def _doubted(stream: str, missing: str) -> DoubtedReading:
    return DoubtedReading(
        stream,
        f"the whole state was read, and {missing}, so nothing of it is believed",
        "Check that it is whole, and that the account may still see all of it; where so many were really removed, set "
        "most_removed (of some kinds of source, most_gone) to 1 in the options for one run",
    )


def _unstorable(source: str, stream: str) -> SourceConfigError:
    do = "Name the stream in lower-case words joined by single underscores"
    return SourceConfigError(f"{source}.{stream}", "a stream of this name cannot be stored", do)


def _refuse_strays(source: str, tables: Path) -> None:
    """Raise where dlt wrote a table that is none of the streams', which would go with the folder."""
    strays = [
        table.name for table in tables.iterdir()
        if table.is_dir() and not table.is_symlink() and not table.name.startswith("_dlt")
    ]  # fmt: skip
    if strays:
        raise ValueError(
            f"{source}: dlt made the tables {', '.join(sorted(strays))} besides those of its streams, so what was "
            "read may be in none of theirs. Nothing of it is counted: this is a fault of Hito's, tell its maintainers"
        )


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=RAW_SCHEMA)
