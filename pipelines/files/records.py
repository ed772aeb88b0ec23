"""Rows of files as records: rows that have no identity or share one, and how far a reading reaches.

Belongs here: from files to pages of records. Does not: opening files (`reading`), what identifies a row, or what it
says (`pipelines.rows`).

Everything is read to its end, into a throw-away folder, before the first record is given: a file that turns out to be
broken in its last row changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.files.declaration import FileStream
from pipelines.files.reading import FILE, ROW, Folder
from pipelines.rows.mapping import Mapping
from pipelines.rows.records import (
    APART,
    KEY,
    NAMELESS,
    PLACE,
    PROBLEM,
    TEXTS,
    escaped,
    identifying,
    record_key,
    unidentified,
    without_people,
)
from pipelines.source import Covered, Pseudonym, Read, Record, SourceError
from pipelines.throwaway import throwaway_folder

ROWS_A_PAGE = 5_000
_MOST_PLACES_TOLD = 3
_UNREADABLE, _THING = "\x1funreadable", "\x1fthing"


@dataclass(frozen=True)
class Reading:
    """The fetching half of a stream."""

    folder: Callable[[], Folder]
    stream: FileStream
    mapping: Mapping
    pseudonym: Pseudonym

    def fetch(self, read: Read) -> Generator[list[Record], None, Covered]:
        """Every row of every file, each time: what is not new is stored once anyway."""
        folder = self.folder()
        files = folder.files(self.stream)
        with throwaway_folder("files") as spool:
            rows = self._spooled(folder, files, spool)
            contradicted = self._contradicted(rows)
            latest = None
            alone = rows.join(contradicted.lazy().select(KEY), on=KEY, how="anti")
            for page in alone.collect_batches(chunk_size=ROWS_A_PAGE, maintain_order=True):
                told = page.lazy().select(self.mapping.latest(read.until)).collect().item()
                latest = max(filter(None, (latest, told)), default=None)
                yield list(self._records(page))
            for key, problem in contradicted.iter_rows():
                yield [Record(key, None, {"row": None, "problem": problem})]
        return self._covered(folder.source, files, latest, read)

    def _spooled(self, folder: Folder, files: list[Path], spool: Path) -> pl.LazyFrame:
        """Every row of the files, understood one by one, each with its record's key."""
        unreadable = pl.coalesce(PROBLEM, *unidentified(identifying(self.stream))).alias(PROBLEM)
        parts = (frame for path in files for frame in folder.rows(path, self.stream))
        for number, frame in enumerate(parts):
            rows = (
                without_people(self.stream, self.pseudonym, frame)
                .lazy()
                .with_columns(pl.struct(self.stream.used).alias(TEXTS), unreadable)
            )
            rows = self.mapping.understood(rows.with_columns(pl.col(PROBLEM).alias(_UNREADABLE)))
            self._keyed(rows).collect().write_ipc(spool / f"{number:06}.arrow")
        return pl.scan_ipc(sorted(spool.glob("*.arrow")))

    def _keyed(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        nameless = pl.format(NAMELESS + "{}/{}", escaped(pl.col(FILE)), ROW)
        return rows.with_columns(
            pl.coalesce(record_key(self.stream), nameless).alias(KEY), pl.format("{} row {}", FILE, ROW).alias(PLACE)
        )

    def _contradicted(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Keys that rows with different contents share, and where they stand. Which of them is right, nobody says."""
        shared = (
            rows.group_by(self._thing())
            .agg(
                pl.col(KEY).unique(),
                (pl.col(TEXTS).hash().min() != pl.col(TEXTS).hash().max()).alias("is_contradicted"),
                pl.len().alias("rows"),
                pl.col(PLACE).sort_by(FILE, ROW).head(_MOST_PLACES_TOLD).str.join(", ").alias("places"),
            )
            .filter("is_contradicted")
            .explode(KEY)
            .sort(KEY)
        )
        more = pl.when(pl.col("rows") > _MOST_PLACES_TOLD).then(pl.lit(", …")).otherwise(pl.lit(""))
        names = ", ".join(identifying(self.stream)).replace("{", "(").replace("}", ")")
        problem = pl.format("{} rows have the same " + names + " and differ: {}{}", "rows", "places", more)
        return shared.select(KEY, problem.alias("problem")).collect()

    def _thing(self) -> pl.Expr:
        """What rows have in common that are of one thing; where a subject counts once, it is no part of that."""
        key = pl.col(KEY)
        of_thing = key.str.split(APART).list.last() if self.stream.grouped_by is not None else key
        return of_thing.alias(_THING)

    def _records(self, page: pl.DataFrame) -> Iterator[Record]:
        """Records of rows. The place is in those alone that need it: a row that has only moved has not changed."""
        for key, row, place, problem, unreadable in page.select(KEY, TEXTS, PLACE, PROBLEM, _UNREADABLE).iter_rows():
            payload: dict[str, Any] = {"row": row}
            if unreadable is not None:
                payload = {"row": None, "place": place, "problem": unreadable}
            elif problem is not None:
                payload["place"] = place
            yield Record(key, None, payload)

    def _covered(self, source: str, files: list[Path], latest: datetime | None, read: Read) -> Covered:
        covers, stream = self.stream.covers, self.stream
        zone = ZoneInfo(self.mapping.zone)
        start = None if covers.first is None else datetime.combine(covers.first, datetime.min.time(), zone)
        through = covers.through or ("delivery" if stream.delivery == "snapshot" else "last_event")
        if through == "reading":
            end: datetime | None = read.until
        elif through == "delivery":
            written = max(path.stat().st_mtime for path in files)
            end = min(datetime.fromtimestamp(written, UTC), read.until)
        elif through == "last_event":
            end = None if latest is None else min(latest + timedelta(microseconds=1), read.until)
        else:
            end = min(datetime.combine(through + timedelta(days=1), datetime.min.time(), zone), read.until)
        if end is None:
            found = f"no row of {len(files)} files tells of an event, so how far they reach cannot be known"
            raise SourceError(source, found, "Check the declaration, or say with covers.through how far they reach")
        return Covered(start and start.astimezone(UTC), end.astimezone(UTC))
