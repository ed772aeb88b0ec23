"""Rows that were written down under a header, as frames of text, each row with its place.

Belongs here: what is the same of a file and of a sheet: which column is where, what is empty, and where a row stands.
Does not: opening either (`pipelines.files.reading`, `pipelines.google_sheets`), or what a row says (`mapping`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

import polars as pl

from kr_definitions.vocabulary import nearest
from pipelines.rows.declaration import RowStream
from pipelines.rows.records import PROBLEM
from pipelines.source import SourceError

FILE, ROW = "\x1ffile", "\x1frow"
"""Columns beside the rows' own: where each was written; none of theirs can be called so, as nothing could name it."""

ROWS_A_FRAME = 20_000


def alike(name: str, others: Sequence[str]) -> str | None:
    """What a column is called that was meant to be called so: the same but for blanks and capitals, or the nearest."""
    same = next((other for other in others if _plain(other) == _plain(name)), None)
    return same if same is not None else next(iter(nearest(name, others, 1)), None)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


@dataclass(frozen=True)
class Row:
    """One row. number: as a spreadsheet counts it. cells: of the columns used. problem: that it is no whole row."""

    number: int
    cells: Sequence[str | None]
    problem: str | None = None


@dataclass(frozen=True)
class Written:
    """A file or a sheet. source: what errors call the source; name: what they call it."""

    source: str
    name: str
    stream: RowStream

    def refuse(self, found: str, do: str) -> NoReturn:
        """Say what is wrong with it as a whole."""
        raise SourceError(self.source, f"{self.name} {found}", do) from None

    def places(self, header: Sequence[str]) -> list[int]:
        """Where the columns are that the declaration uses."""
        for name in self.stream.used:
            if header.count(name) > 1:
                self.refuse(
                    f"has {header.count(name)} columns called {name}", "Rename one of them where it is exported"
                )
        self.refuse_missing(header)
        return [header.index(name) for name in self.stream.used]

    def refuse_missing(self, names: Sequence[str]) -> None:
        """Refuse it where it lacks a column that the declaration uses."""
        if missing := [name for name in self.stream.used if name not in names]:
            others = [name for name in names if name not in self.stream.used]
            close = [f"'{other}' for {name}" for name in missing if (other := alike(name, others)) is not None]
            known = f"Did you mean {', '.join(close)}?" if close else f"It has {', '.join(names)[:300]}"
            self.refuse(f"has no column {', '.join(missing)}", known)

    def in_frames(self, rows: Iterator[Row]) -> Iterator[pl.DataFrame]:
        """Rows as frames, of which there is one even where there are no rows."""
        gathered: list[Row] = []
        for row in rows:
            gathered.append(row)
            if len(gathered) == ROWS_A_FRAME:
                yield self.frame(gathered)
                gathered = []
        yield self.frame(gathered)

    def frame(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Rows as one frame."""
        cells = pl.DataFrame(
            [row.cells for row in rows], schema=dict.fromkeys(self.stream.used, pl.String), orient="row"
        )
        return self.cleaned(cells, 0).with_columns(
            pl.Series(ROW, [row.number for row in rows], dtype=pl.Int64),
            pl.Series(PROBLEM, [row.problem for row in rows], dtype=pl.String),
        )

    def cleaned(self, cells: pl.DataFrame, start: int) -> pl.DataFrame:
        """Rows whose empty cells and unknown values are null, with their places."""
        unknown = ["", *(mark.strip() for mark in self.stream.cells.nulls)]
        text = pl.all()
        return cells.select(pl.when(~text.str.strip_chars().is_in(unknown)).then(text)).with_columns(
            pl.lit(self.name).alias(FILE),
            pl.int_range(start, start + cells.height, dtype=pl.Int64).alias(ROW),
            pl.lit(None, pl.String).alias(PROBLEM),
        )
