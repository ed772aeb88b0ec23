"""A sheet as rows of text: where its header is, which of its rows say something, and what keeps one from being read.

Belongs here: from a sheet's cells to rows, each with its place; what is wrong with a sheet as a whole. Does not:
requests (`api`), one cell's value (`values`), or what becomes of rows (`pipelines.rows.whole`).

A large sheet is read in pieces while people may write in it. Each piece brings the header along, and begins with the
last row of the one before: where either is another one by then, or the sheet has more or fewer rows in the end, it was
rearranged in the meantime, and nothing is counted as read. All of it is read at each run, as the API does not say what
has changed, and there is no going on in the middle: two halves of different moments are no state of a sheet.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kr_definitions.vocabulary import nearest
from pipelines.google_sheets.api import Api, Cell, Grid
from pipelines.google_sheets.declaration import SheetsOptions, SheetStream
from pipelines.google_sheets.places import Box, Range, letters
from pipelines.google_sheets.values import LOADING, Odd, as_text, is_nothing
from pipelines.rows.mapping import Mapping
from pipelines.rows.whole import Reach, Whole
from pipelines.rows.written import Row, Written
from pipelines.source import READ_AGAIN, Account, Covered, Read, Record, SourceError, VendorError

CELLS_A_PIECE = 200_000
"""An answer of so many cells has a few megabytes."""


@dataclass(frozen=True)
class Reading:
    """The fetching half of a stream."""

    account: Account
    options: SheetsOptions
    stream: SheetStream
    mapping: Mapping

    def fetch(self, read: Read) -> Generator[list[Record], None, Covered]:
        """Every row of the sheet."""
        api = Api(self.account, read.clock, self.options.spreadsheet)
        sheet = _Sheet(api.source, self.stream.sheet, self.stream, api, self._grid(api), self.stream)
        whole = Whole(self.stream, self.mapping, self.account.pseudonym)
        ended = yield from whole.records(sheet.frames(), read)
        covers = self.stream.covers
        reach = Reach(api.source, covers.first, covers.through, self.mapping.zone)
        return reach.covered(read, ended, None, self.stream.sheet)

    def _grid(self, api: Api) -> Grid:
        found, locale = api.spreadsheet(), self.options.locale
        if locale is not None and found.locale != locale:
            raise SourceError(
                api.source,
                f"the spreadsheet's locale is {found.locale[:10]}, where {locale} is declared",
                "Set it under File > Settings, or declare the one that it has: days and amounts are typed as it says",
            )
        if self.stream.sheet not in found.grids:
            close = nearest(self.stream.sheet, found.grids)
            known = f"Did you mean {' or '.join(close)}?" if close else "Write its name as it is on the tab"
            raise SourceError(api.source, f"there is no sheet {self.stream.sheet}", known)
        return found.grids[self.stream.sheet]


@dataclass(frozen=True)
class _Sheet(Written):
    api: Api
    grid: Grid
    declared: SheetStream

    def frames(self) -> Iterator[pl.DataFrame]:
        return self.in_frames(self._rows())

    def _rows(self) -> Iterator[Row]:
        header: list[str] = []
        places: Sequence[int] = ()
        for start, (named, rows) in self._pieces():
            if not header:
                header = named
                places = self._columns(header)
            for number, cells in enumerate(rows, start=start):
                if (row := self._row(number, cells, places)) is not None:
                    yield row

    def _pieces(self) -> Iterator[tuple[int, tuple[list[str], list[list[Cell]]]]]:
        """The number of its first row, the header and the rows, of each piece."""
        top, bottom, width = self.declared.header, self.grid.rows, self.grid.columns
        if top > bottom:
            self.refuse(f"has {bottom} rows, and its header is said to be row {top}", "Correct header")
        header: list[str] | None = None
        before: list[Cell] = []
        start, height = top + 1, max(CELLS_A_PIECE // width, 2)
        while True:
            end = min(start + height - 1, bottom)
            asked = [Range(self.name, top, top, width)]
            asked += [Range(self.name, start, end, width)] if start <= end else []
            answered = self.api.cells(asked)
            named = _trimmed([_name(cell) for row in answered[0] for cell in row])
            rows = [_trimmed(row) for row in answered[1]] if len(answered) > 1 else []
            first = rows[0] if rows else []
            is_later = header is not None
            if is_later and (named != header or first != before):
                raise self._rearranged()
            yield (start + 1, (named, rows[1:])) if is_later else (start, (named, rows))
            if end >= bottom:
                if is_later and self.api.spreadsheet().grids.get(self.name) != self.grid:
                    raise self._rearranged()
                return
            header = named
            before = rows[-1] if len(rows) == end - start + 1 else []
            start = end

    def _rearranged(self) -> VendorError:
        return VendorError(self.source, f"{self.name} was rearranged while it was read", READ_AGAIN)

    def _columns(self, header: list[str]) -> list[int]:
        if not any(header):
            do = "Look at its history (File > Version history) and bring it back; or correct header"
            self.refuse(f"has no header in row {self.declared.header}: it may have been emptied", do)
        for name in self.stream.used:
            where = [letters(place) for place, named in enumerate(header) if named == name]
            if len(where) > 1:
                self.refuse(f"has {len(where)} columns called {name} ({', '.join(where)})", "Rename one of them")
        row = self.declared.header - 1
        hidden = [str(box) for box in self.grid.merges if any(box.hides(row, column) for column in _of(box))]
        if hidden and any(name not in header for name in self.stream.used):
            missing = [name for name in self.stream.used if name not in header]
            self.refuse(
                f"has no column {', '.join(missing)}, but merged cells in its header ({hidden[0]})", "Unmerge them"
            )
        return self.places(header)

    def _row(self, number: int, cells: Sequence[Cell], places: Sequence[int]) -> Row | None:
        """A row, unless nothing that is used of it says anything; the vendor leaves out empty cells at its end."""
        values = [cells[place] if place < len(cells) else None for place in places]
        if all(map(is_nothing, values)):
            return None
        if self.declared.format.is_note(cells[0], (cell for cell in cells[1:] if not is_nothing(cell))):
            return None
        texts: list[str | None] = []
        problem = None
        for name, place, value in zip(self.stream.used, places, values, strict=True):
            cell = f"{name} ({letters(place)}{number})"
            if value == LOADING:
                found = f"{self.name} row {number}: {cell} is still being computed"
                raise VendorError(self.source, found, READ_AGAIN)
            try:
                if is_nothing(value) and (box := self._merged(number - 1, place)) is not None:
                    raise Odd(f"is merged with others ({box}): unmerge them, and write in each what it says")
                texts.append(as_text(value, name, self.declared))
            except Odd as odd:
                texts.append(None)
                problem = problem or f"{cell} {odd}"
        return Row(number, texts, problem)

    def _merged(self, row: int, column: int) -> Box | None:
        return next((box for box in self.grid.merges if box.hides(row, column)), None)


def _trimmed(cells: list[Cell]) -> list[Cell]:
    """Cells without the empty ones at their end."""
    while cells and cells[-1] in ("", None):
        cells = cells[:-1]
    return cells


def _of(box: Box) -> range:
    return range(box.left, box.right)


def _name(cell: Any) -> str:
    """What a column is called: blanks around it are nobody's intention, and a year is a name too."""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return " ".join(str(cell).split())
