"""What an organisation says of a spreadsheet: which sheets of it are read, and which events their rows are.

Belongs here: the shape of a `google_sheets` source's `options`. Does not: what can be said of the rows themselves
(`pipelines.rows.declaration`: the same as of files and tables), or reading sheets (`reading`).

A whole one::

    spreadsheet: 1aBcD_eFgHiJkLmNoPqRsTuVwXyZ0123456789abcdEF  # in its address, after /d/
    locale: es_ES                  # as under File > Settings: how what people type is understood
    streams:
      buzoneo:
        sheet: Buzoneo             # the tab's name
        header: 1                  # the row that names the columns
        key: id                    # what identifies a row; one column or a list
        format: {decimal: ",", nulls: ["?"]}   # of numbers that stand there as text
        columns: {folletos: number}
        covers: {from: 2026-01-01, through: reading}
        events:
          - type: flyers.distributed
            at: {column: fecha, format: "%d/%m/%Y"}  # of days that stand there as text
            subject: id
            quantity: folletos
            attributes: {market: zona}
"""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipelines.rows.checks import Found
from pipelines.rows.declaration import Cells, Covers, Handwritten, RowStream
from pipelines.source import Options, StreamName

_ADDRESS = re.compile(r"/spreadsheets/d/([A-Za-z0-9_-]{20,})")


def _known_id(text: str) -> str:
    if found := _ADDRESS.search(text):
        raise ValueError(f"{text[:40]}… is a whole address | Write its id alone: {found[1]}")
    if not re.fullmatch(r"[A-Za-z0-9_-]{20,}", text):
        raise ValueError(f"{text[:60]} is no id of a spreadsheet | Copy it from its address, between /d/ and /edit")
    return text


class SheetCovers(Covers):
    """Which days a reading is complete for.

    from: the first one; without it, whatever is in the sheet. through: up to `reading`, as what is not in a sheet that
    people write in as things happen has not happened; `last_event` where it is written up now and then; or a last day.
    """

    through: date | Literal["reading", "last_event"] = "reading"


class SheetStream(RowStream):
    """One sheet and the events that its rows are: see the module's description."""

    sheet: str = Field(min_length=1, max_length=100)
    header: int = Field(default=1, ge=1, le=1000)
    format: Handwritten = Handwritten()
    covers: SheetCovers = SheetCovers()

    @property
    def cells(self) -> Cells:
        return self.format

    @cached_property
    def moments(self) -> dict[str, frozenset[str]]:
        """The columns that say when -> the formats that they are said to be written in."""
        found: dict[str, set[str]] = {}
        for name, column in self.columns.items():
            if column.type in ("date", "instant"):
                found.setdefault(name, set()).add(column.format)
        for moment in (self.revision, *(rule.at for rule in self.events)):
            if moment is not None and moment.column not in self.columns:
                found.setdefault(moment.column, set()).add(moment.format)
        return {name: frozenset(formats) for name, formats in found.items()}

    def problems(self) -> list[Found]:
        """Everything that is wrong with the declaration as a whole."""
        told = "is written in two ways | Say format once, under columns"
        return super().problems() or [
            (("events",), f"{name} {told}") for name, formats in self.moments.items() if len(formats) > 1
        ]


class SheetsOptions(Options):
    """A spreadsheet. locale: refuse it where it has another one, as days and amounts would be understood otherwise."""

    spreadsheet: Annotated[str, AfterValidator(_known_id)]
    locale: str | None = Field(default=None, pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")
    streams: Annotated[dict[StreamName, SheetStream], Field(min_length=1)]
