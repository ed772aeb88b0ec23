"""What every part of the page works with: the language, the marks, and one organisation's tables.

Belongs here: what parts share, and cells without lines. Does not: any part itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl
from rich.table import Table
from rich.text import Text

from assets.report.marks import QUIET, Marks
from assets.report.words import Language

Row = Mapping[str, Any]
Tables = Mapping[str, pl.DataFrame]

GAP = 2
INDENT = 2
_WIDE_FROM = 132


@dataclass(frozen=True)
class Sheet:
    """One organisation's page. tables: its own rows of the published tables; organisation: its row of them."""

    words: Language
    marks: Marks
    width: int
    tables: Tables
    organisation: Row

    @property
    def is_wide(self) -> bool:
        """Whether a key result fits on one line."""
        return self.width >= _WIDE_FROM

    def say(self, phrase: str, **places: object) -> str:
        """A phrase, in characters that the console has."""
        return self.marks.plain(self.words.say(phrase, **places))

    def status(self, status: str) -> str:
        """A status in words, in characters that the console has."""
        return self.marks.plain(self.words.statuses[status])

    def title(self, row: Row, prefix: str = "") -> str:
        """The row's title in the reader's language; its id where it has none."""
        return self.marks.text(row[f"{prefix}title_{self.words.code}"] or row.get("key_result_id"))

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """The title of every key result of the organisation, by id."""
        rows = self.tables["current_progress"].iter_rows(named=True)
        return {row["key_result_id"]: self.title(row) for row in rows}

    def quiet(self, phrase: str) -> Text:
        """A phrase that is beside the point."""
        return Text(self.say(phrase), style=QUIET)


def packed(parts: Sequence[Text], gap: int, width: int) -> Text:
    """Texts one after the other, with a gap; a line ends between two of them where it can."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + gap + part.cell_len <= width:
            lines[-1] = Text(" " * gap).join([lines[-1], part])
        else:
            lines.append(part)
    return Text("\n").join(lines)


def grid(width: int | None = None) -> Table:
    """Cells without lines; as wide as said, or as it needs to be."""
    cells = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    cells.width = width
    return cells


def marked(mark: str, style: str, text: Text | str) -> Table:
    """A mark and a text, whose further lines stand below its first."""
    cells = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    cells.add_row(Text(mark, style=style), text if isinstance(text, Text) else Text(text))
    return cells
