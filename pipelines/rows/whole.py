"""All rows of a file or a sheet as records: those that have no identity or share one, and how far they reach.

Belongs here: from frames of rows to pages of records. Does not: reading them (`pipelines.files`,
`pipelines.google_sheets`), what identifies a row (`records`), or what it says (`mapping`).

Everything is read to its end, into a throw-away folder, before the first record is given: what turns out to be broken
in its last row changes nothing.

A row without an identity may be any that was known, and of two that share one either may be another, whose identity was
mistyped. So while there are such rows, none that is missing is taken for removed; they are told until they are mended.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.rows.declaration import RowStream
from pipelines.rows.mapping import Mapping
from pipelines.rows.people import people
from pipelines.rows.records import (
    APART,
    KEY,
    NAMELESS,
    NONE_REMOVED,
    PLACE,
    PROBLEM,
    TEXTS,
    escaped,
    group_of,
    has_a_name,
    identifying,
    record_key,
    thing_of,
    unidentified,
    without_people,
)
from pipelines.rows.written import FILE, ROW
from pipelines.source import Account, Covered, Fetch, Pseudonym, Read, Record, SourceError, Stream
from pipelines.throwaway import throwaway_folder

ROWS_A_PAGE = 5_000
_MOST_PLACES_TOLD = 3
_UNREADABLE, _THING, _SAID = "\x1funreadable", "\x1fthing", "\x1fsaid"

Through = date | Literal["reading", "delivery", "last_event"]


def stream_of(account: Account, name: str, stream: RowStream, fetch: Fetch, *, is_snapshot: bool) -> Stream:
    """The stream that a declaration of rows is, however its rows are fetched."""
    row = pl.Struct(dict.fromkeys(stream.used, pl.String))
    return Stream(
        name=name,
        feeds=stream.feeds,
        fetch=fetch,
        payload=pl.Struct({"row": row, "place": pl.String, "problem": pl.String}),
        facts=Mapping(stream, account.zone).facts,
        lateness=timedelta(days=stream.late_days),
        is_snapshot=is_snapshot,
        most_removed=float(stream.most_removed),
        identity=None if stream.grouped_by is None else thing_of,
        group=None if stream.states is None and stream.grouped_by is None else group_of,
        people=people(stream),
    )


@dataclass(frozen=True)
class Ended:
    """What is known of all rows of a reading. latest: the last moment that one tells of. is_unsure: see above."""

    latest: datetime | None
    is_unsure: bool


@dataclass(frozen=True)
class Whole:
    """All rows of a stream at one reading. is_snapshot: whether a row that is not among them was removed."""

    stream: RowStream
    mapping: Mapping
    pseudonym: Pseudonym
    is_snapshot: bool = True

    def records(self, frames: Iterable[pl.DataFrame], read: Read) -> Generator[list[Record], None, Ended]:
        """Pages of records. Frames are read to their end first."""
        with throwaway_folder("files") as spool:
            rows = self._spooled(frames, spool)
            contradicted = self._contradicted(rows)
            is_unsure = (
                contradicted.height > 0 or rows.select(pl.col(KEY).str.starts_with(NAMELESS).any()).collect().item()
            )
            latest = None
            alone = rows
            if contradicted.height:
                alone = rows.join(contradicted.lazy().select(KEY), on=KEY, how="anti")
            for page in alone.collect_batches(chunk_size=ROWS_A_PAGE, maintain_order=True):
                told = page.lazy().select(self.mapping.latest(read.until)).collect().item()
                latest = max(filter(None, (latest, told)), default=None)
                yield list(self._records(page))
            for key, problem in contradicted.iter_rows():
                yield [Record(key, None, {"row": None, "problem": problem})]
        return Ended(latest, is_unsure)

    def _spooled(self, frames: Iterable[pl.DataFrame], spool: Path) -> pl.LazyFrame:
        """Every row, understood one by one, each with its record's key."""
        unreadable = pl.coalesce(PROBLEM, *unidentified(identifying(self.stream), self._so)).alias(PROBLEM)
        for number, frame in enumerate(frames):
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
        of_thing = rows.with_columns(self._thing(), pl.col(TEXTS).hash().alias(_SAID))
        differing = (  # first by what they say alone: of most files, that is all that has to be held
            of_thing.select(_THING, _SAID)
            .group_by(_THING)
            .agg(is_contradicted=pl.col(_SAID).min() != pl.col(_SAID).max())
            .filter("is_contradicted")
            .select(_THING)
            .collect()
        )
        if differing.is_empty():
            return pl.DataFrame(schema={KEY: pl.String, "problem": pl.String})
        shared = (
            of_thing.join(differing.lazy(), on=_THING, how="semi")
            .group_by(_THING)
            .agg(
                pl.col(KEY).unique(),
                pl.len().alias("rows"),
                pl.col(PLACE).sort_by(FILE, ROW).head(_MOST_PLACES_TOLD).str.join(", ").alias("places"),
            )
            .explode(KEY)
            .sort(KEY)
        )
        more = pl.when(pl.col("rows") > _MOST_PLACES_TOLD).then(pl.lit(", …")).otherwise(pl.lit(""))
        names = ", ".join(identifying(self.stream)).replace("{", "(").replace("}", ")")
        problem = pl.format("{} rows have the same " + names + " and differ: {}{}" + self._so, "rows", "places", more)
        return shared.select(KEY, problem.alias("problem")).collect()

    @property
    def _so(self) -> str:
        """What comes of it where it is not known which row is which."""
        return NONE_REMOVED if self.is_snapshot else ""

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


@dataclass(frozen=True)
class Reach:
    """How far a reading reaches. first: from which day on; zone: of its days."""

    source: str
    first: date | None
    through: Through
    zone: str

    def covered(self, read: Read, ended: Ended, written: datetime | None, what: str) -> Covered:
        """What was read completely. written: when it was delivered.

        Raises `SourceError` where nothing says how far it reaches.
        """
        zone = ZoneInfo(self.zone)
        start = None if self.first is None else datetime.combine(self.first, datetime.min.time(), zone)
        if self.through == "reading":
            end: datetime | None = read.until
        elif self.through == "delivery":
            end = None if written is None else min(written, read.until)
        elif self.through == "last_event":
            end = None if ended.latest is None else min(ended.latest + timedelta(microseconds=1), read.until)
        else:
            end = min(datetime.combine(self.through + timedelta(days=1), datetime.min.time(), zone), read.until)
        if end is None:
            found = f"no row of {what} tells of an event, so how far they reach cannot be known"
            raise SourceError(
                self.source, found, "Check the declaration, or say with covers.through how far they reach"
            )
        unsure = has_a_name if ended.is_unsure else None
        return Covered(start and start.astimezone(UTC), end.astimezone(UTC), unsure=unsure)
