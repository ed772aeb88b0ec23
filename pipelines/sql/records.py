"""Rows of a table as records: in texts, without people, each with its key.

Belongs here: one page at a time. Does not: where pages come from (`reading`), or what rows say (`pipelines.rows`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl

from pipelines.rows import cells
from pipelines.rows.mapping import Mapping as Understanding
from pipelines.rows.records import CHANGED, KEY, NAMELESS, NONE_REMOVED, PROBLEM, TEXTS, record_key, without_people
from pipelines.source import Pseudonym, Record
from pipelines.sql import values
from pipelines.sql.declaration import SqlStream
from pipelines.sql.places import CLOCKS_DIFFER_BY
from pipelines.sql.tables import identity

Row = dict[str, Any]
"""A row as the database gave it, by column."""

_IS_DELETED, _UNREADABLE = "\x1fdeleted", "\x1funreadable"


@dataclass(frozen=True)
class Records:
    """What makes records of a stream's rows. until: when the run began."""

    stream: SqlStream
    mapping: Understanding
    pseudonym: Pseudonym
    until: datetime

    def of(self, page: Sequence[Row], shared: Mapping[tuple[str | None, ...], int]) -> list[Record]:
        """The records of a page. shared: what rows have in common that differ, and how many they are."""
        return list(self._records(self._texts(page), self._shared(page, shared) if shared else None))

    def nameless(self, page: Sequence[Row]) -> list[Record]:
        """Records of rows that lack a part of what identifies them."""
        names = identity(self.stream)
        lacking = [next(name for name in names if _said(row[name]) is None) for row in page]
        told = pl.Series([f"{name} is empty, and identifies the row{self._so}" for name in lacking], dtype=pl.String)
        return list(self._records(self._texts(page), told))

    def _texts(self, page: Sequence[Row]) -> pl.DataFrame:
        """The columns that are read as texts; what is empty is null, and people are pseudonyms."""
        names = self.stream.read_columns
        texts = pl.DataFrame(
            {name: [_said(row[name]) for row in page] for name in names}, dict.fromkeys(names, pl.String)
        )
        texts = texts.select(pl.when(pl.all().str.strip_chars() != "").then(pl.all()))
        history = self.stream.history
        if history is not None:
            said = pl.col(history.value)
            texts = texts.with_columns(
                pl.when(pl.col(history.field) == one).then(said).alias(one) for one in history.fields
            )
        return without_people(self.stream, self.pseudonym, texts)

    def _shared(self, page: Sequence[Row], shared: Mapping[tuple[str | None, ...], int]) -> pl.Series:
        names = identity(self.stream)
        counts = (shared.get(tuple(_said(row[name]) for name in names)) for row in page)
        said = ", ".join(names)
        return pl.Series(
            [None if count is None else f"{count} rows have the same {said} and differ{self._so}" for count in counts],
            dtype=pl.String,
        )

    @property
    def _so(self) -> str:
        return NONE_REMOVED if self.stream.delivery == "snapshot" else ""

    def _records(self, texts: pl.DataFrame, told: pl.Series | None) -> Iterator[Record]:
        nothing = pl.lit(None, pl.String)
        rows = texts.lazy().with_columns(
            pl.struct(self.stream.used).alias(TEXTS), nothing.alias(PROBLEM), **self._flag()
        )
        read = self.mapping.read(rows).with_columns(record_key(self.stream).alias(KEY)).collect()
        problems = [read.get_column(_UNREADABLE), self._future(read), self._unkeyed(read)]
        unreadable = pl.coalesce(told if told is not None else pl.lit(None, pl.String), *problems)
        read = read.with_columns(unreadable.alias(_UNREADABLE))
        columns = (KEY, CHANGED, TEXTS, _IS_DELETED, _UNREADABLE)
        for key, changed, row, is_deleted, problem in read.select(columns).iter_rows():
            yield self._record(key, changed, row, problem, is_deleted=is_deleted)

    def _record(
        self,
        key: str | None,
        changed: datetime | None,
        row: dict[str, str | None],
        problem: str | None,
        *,
        is_deleted: bool,
    ) -> Record:
        revision = changed if self.stream.states is None else None
        if key is None:
            digest = hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
            key = f"{NAMELESS}{digest}"
        if problem is not None:
            return Record(
                key, revision and min(revision.astimezone(UTC), self.until), {"row": None, "problem": problem}
            )
        if is_deleted:
            return Record(key, revision, {"row": None}, is_deleted=True)
        return Record(key, revision, {"row": self._kept(row)})

    def _kept(self, row: dict[str, str | None]) -> dict[str, str | None]:
        """A row without the fields that it says nothing of."""
        history = self.stream.history
        if history is None:
            return row
        said = row[history.field]
        return {name: value for name, value in row.items() if name not in history.fields or name == said}

    def _flag(self) -> dict[str, pl.Expr]:
        if self.stream.deleted is None:
            return {_IS_DELETED: pl.lit(value=False), _UNREADABLE: pl.lit(None, pl.String)}
        is_deleted, problem = cells.flag(self.stream.deleted)
        return {_IS_DELETED: is_deleted, _UNREADABLE: problem}

    def _future(self, read: pl.DataFrame) -> pl.Series:
        """A state that begins in the future is none: it would be the newest for ever."""
        name = "" if self.stream.revision is None else self.stream.revision.column
        is_future = pl.col(CHANGED) > self.until + CLOCKS_DIFFER_BY
        return read.select(pl.when(is_future).then(pl.lit(f"{name} lies in the future"))).to_series()

    def _unkeyed(self, read: pl.DataFrame) -> pl.Series:
        """What keeps a row from having a key, where that is not a column that is empty."""
        return read.select(pl.when(pl.col(KEY).is_null()).then(PROBLEM)).to_series()


def _said(value: Any) -> str | None:
    return values.time_text(values.text_of(value))
