"""Rows that are too many to be held at once: kept in a folder while they are needed, piece by piece.

Belongs here: putting pieces aside and reading them again. Does not: what the rows are, or what outlives a load.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

ROWS_A_PIECE = 10_000
_ROWS_A_GROUP = 2_000
"""So many rows are read at least of a file: part of a piece costs no more than that part."""


class Pieces:
    """Rows of one shape, in the order in which they were added, or each piece in one of its own.

    The last ones stay in memory, so that rows that are few never touch the disk. order: what pieces are sorted by.
    """

    def __init__(self, folder: Path, order: Sequence[str] = ()) -> None:
        self.height = 0
        self._folder, self._order = folder, order
        self._files: list[Path] = []
        self._held: list[pl.DataFrame] = []
        self._height_held = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Add some rows; more than a piece has become a longer one."""
        if rows.is_empty():
            return
        self._held.append(rows)
        self.height += rows.height
        self._height_held += rows.height
        if self._height_held >= ROWS_A_PIECE:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._folder / f"{len(self._files):06}.parquet"
            self._last().write_parquet(file, compression="lz4", statistics=False, row_group_size=_ROWS_A_GROUP)
            self._files.append(file)
            self._held, self._height_held = [], 0

    def frames(self) -> list[pl.LazyFrame]:
        """The pieces; none where nothing was added."""
        aside = [pl.scan_parquet(file, glob=False) for file in self._files]
        return [*aside, self._last().lazy()] if self._held else aside

    def _last(self) -> pl.DataFrame:
        rows = pl.concat(self._held)
        return rows.sort(self._order) if self._order else rows


def in_order(pieces: Sequence[pl.LazyFrame], places: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Rows of several pieces, in one order: frames of some thousands each.

    places: `piece` and `row` (their numbers) of each row that is wanted, in the order that is wanted. Where the rows of
    each piece are wanted in the order that they have, each is read once.
    """
    for first in range(0, places.height, ROWS_A_PIECE):
        wanted = places.slice(first, ROWS_A_PIECE).select("piece", "row").with_row_index("turn")
        found = []
        for (number,), of_piece in sorted(wanted.partition_by("piece", as_dict=True).items()):
            rows = of_piece.get_column("row")
            begin, end = rows.min(), rows.max()
            assert isinstance(begin, int)
            assert isinstance(end, int)
            span = pieces[number].slice(begin, end - begin + 1).collect()
            found.append(span[rows - begin].with_columns(of_piece.get_column("turn")))
        yield pl.concat(found).sort("turn").drop("turn")


def together(pieces: Sequence[pl.LazyFrame], places: pl.DataFrame) -> pl.DataFrame:
    """The rows that are wanted (`in_order`), at least one, as one frame in one chunk.

    Most columns of most rows say nothing, and an empty one takes as much room as another: of each type one is made, and
    those that say something are put together one by one, so that none of the others is held twice.
    """
    schema = pieces[0].collect_schema()
    told = pl.concat([piece.select(pl.all().is_not_null().any()) for piece in pieces]).select(pl.all().any()).collect()
    said = [name for name in schema if told.item(0, name)]
    frames = list(in_order([piece.select(said) for piece in pieces], places))
    columns = {name: pl.concat([frame.drop_in_place(name) for frame in frames], rechunk=True) for name in said}
    kinds = {dtype for name, dtype in schema.items() if name not in columns}
    empty = {dtype: pl.repeat(None, places.height, dtype=dtype, eager=True) for dtype in kinds}
    return pl.DataFrame([columns[name] if name in columns else empty[schema[name]].alias(name) for name in schema])
