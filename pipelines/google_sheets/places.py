"""Where cells are: letters of columns, ranges in A1 notation, and boxes of merged cells.

Belongs here: places, as Google writes them (https://developers.google.com/workspace/sheets/api/guides/concepts#cell).
Does not: what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def letters(column: int) -> str:
    """The name of the n-th column: A, B, … Z, AA; the first one is 0."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


@dataclass(frozen=True)
class Range:
    """Whole rows of a sheet, from its first column on. Rows are counted from 1, and the last one is included."""

    sheet: str
    first: int
    last: int
    columns: int

    def __str__(self) -> str:
        sheet = self.sheet.replace("'", "''")
        return f"'{sheet}'!A{self.first}:{letters(self.columns - 1)}{self.last}"

    @property
    def height(self) -> int:
        """How many rows it has."""
        return self.last - self.first + 1

    def is_answered_by(self, told: object) -> bool:
        """Whether an answer says that it is of this range; quotes are left out where a name needs none."""
        sheet, _, cells = str(told).rpartition("!")
        plain = sheet[1:-1].replace("''", "'") if sheet.startswith("'") else sheet
        begins = re.match(r"A(\d+)(?::|$)", cells)
        return plain == self.sheet and begins is not None and int(begins[1]) == self.first


@dataclass(frozen=True)
class Box:
    """Cells that are merged: rows and columns from 0, the ends not included."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of(cls, grid_range: Mapping[str, Any]) -> Box:
        """A `GridRange`."""
        names = ("startRowIndex", "endRowIndex", "startColumnIndex", "endColumnIndex")
        return cls(*(int(grid_range[name]) for name in names))

    def hides(self, row: int, column: int) -> bool:
        """Whether a cell is a part of it that has no value of its own."""
        within = self.top <= row < self.bottom and self.left <= column < self.right
        return within and (row, column) != (self.top, self.left)

    def __str__(self) -> str:
        return f"{letters(self.left)}{self.top + 1}:{letters(self.right - 1)}{self.bottom}"
