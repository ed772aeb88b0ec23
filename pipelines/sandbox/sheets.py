"""The sheets that somebody keeps by hand, as files in a folder that is shared with the office.

Belongs here: rows to files. Does not: who types what, and when (`pipelines.sandbox.agency.sheet_rows`).

The files are as people leave them: Spanish headers, semicolons, days before months, rows in the order in which they
were typed in (so a late one stands below newer ones), values overwritten where they were corrected, and no trace of a
row that was removed.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.sandbox.company import Company, SheetRow, value_at


@dataclass(frozen=True)
class Sheet:
    """What a file holds: rows of one kind, under these columns after `id`."""

    rows: str
    columns: tuple[str, ...]


SHEETS: Mapping[str, Sheet] = {
    "colaboraciones": Sheet("collaborations", ("fecha", "empresa", "tipo")),
    "eventos": Sheet("events", ("fecha", "evento", "tipo")),
    "buzoneo": Sheet("flyers", ("fecha", "zona", "folletos")),
}
"""File name without `.csv`, which is also the source's name, -> what is in it."""


def write_sheets(company: Company, present: datetime, folder: Path) -> list[Path]:
    """Write every sheet as it stands at `present`; a reader finds the old file or the new one, never half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _write(folder / f"{name}.csv", sheet_text(company, sheet, present), present) for name, sheet in SHEETS.items()
    ]


def sheet_text(company: Company, sheet: Sheet, present: datetime) -> str:
    """The sheet's content at an instant."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\n")
    writer.writerow(("id", *sheet.columns))
    rows = [row for row in company.sheet_rows if row.sheet == sheet.rows and _stands(row, present)]
    for row in sorted(rows, key=lambda row: (row.cells[0].at, row.id)):
        cells = value_at(row.cells, present) or {}
        writer.writerow((row.id, *(cells[column] for column in sheet.columns)))
    return text.getvalue()


def _stands(row: SheetRow, present: datetime) -> bool:
    return row.cells[0].at <= present and not (row.removed_at is not None and row.removed_at <= present)


def _write(path: Path, text: str, present: datetime) -> Path:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, encoding="utf-8", newline="")
    os.utime(aside, (present.timestamp(), present.timestamp()))
    aside.replace(path)
    return path
