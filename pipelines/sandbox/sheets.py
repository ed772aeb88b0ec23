"""The sheets that somebody keeps by hand, and what systems export, as files in a folder shared with the office.

Belongs here: rows to files. Does not: who types what, and when (`agency.sheet_rows`, `business.sheet_rows`).

The files are as people leave them: Spanish headers, semicolons, days before months, rows in the order in which they
were typed in (so a late one stands below newer ones), values overwritten where they were corrected, and no trace of a
row that was removed. Not everything is kept up: a file may have been exported some days ago and not since, or only
once, before there was anything in it.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from pipelines.sandbox.company import Company, SheetRow, value_at


@dataclass(frozen=True)
class Sheet:
    """What a file holds: rows of one kind, under these columns after `id`.

    days_behind: how many days ago it was last exported; None: once, on the day that the company was founded.
    """

    rows: str
    columns: tuple[str, ...]
    days_behind: int | None = 0


SHEETS: Mapping[str, Mapping[str, Sheet]] = {
    "inmobiliaria": {
        "colaboraciones": Sheet("collaborations", ("fecha", "empresa", "tipo")),
        "buzoneo": Sheet("flyers", ("fecha", "zona", "folletos")),
    },
    "revops": {
        "plantilla": Sheet("plantilla", ("fecha", "baja", "equipo", "propietario")),
        "sistemas": Sheet("sistemas", ("fecha", "sistema")),
        "panel": Sheet("panel", ("fecha", "sistema", "propietario")),
        "formacion": Sheet("formacion", ("fecha", "terminada", "curso", "equipo", "propietario")),
        "informes": Sheet("informes", ("fecha", "informe", "automatico")),
        "auditorias": Sheet("auditorias", ("fecha", "sistema", "acierto")),
        "alianzas": Sheet("alianzas", ("fecha", "socio", "tipo")),
        "lanzamientos": Sheet("lanzamientos", ("fecha", "producto")),
        "encuestas": Sheet("encuestas", ("fecha", "cliente")),
    },
    "ventas-b2b": {
        "mercado": Sheet("mercado", ("fecha", "mercado", "ventas")),
        "lanzamientos": Sheet("lanzamientos", ("fecha", "producto")),
        "demostraciones": Sheet("demostraciones", ("fecha", "contacto", "producto", "permanencia"), days_behind=None),
        "tasas": Sheet("tasas", ("fecha", "moneda", "tasa")),
    },
    "ventas-marketing": {
        "gastos": Sheet("gastos", ("fecha", "campana", "importe"), days_behind=9),
        "mercados": Sheet("mercados", ("fecha", "mercado")),
        "encuestas": Sheet("encuestas", ("fecha", "cliente")),
    },
    "inbound": {},
}
"""By organisation: file name without `.csv`, which is also the source's name, -> what is in it."""

ONLINE: Mapping[str, Sheet] = {
    "Buzoneo": SHEETS["inmobiliaria"]["buzoneo"],
    "Colaboraciones": SHEETS["inmobiliaria"]["colaboraciones"],
    "Eventos": Sheet("events", ("fecha", "evento", "tipo")),
}
"""The agency's spreadsheet: tab -> what is in it. Two of them somebody exports into the folder as well."""


def write_sheets(company: Company, sheets: Mapping[str, Sheet], present: datetime, folder: Path) -> list[Path]:
    """Write every sheet as it stands at `present`; a reader finds the old file or the new one, never half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_exported(company, sheet, present, folder / f"{name}.csv") for name, sheet in sheets.items()]


def _exported(company: Company, sheet: Sheet, present: datetime, path: Path) -> Path:
    """The file, as it was when it was last exported."""
    at = datetime.combine(company.founded, time(), UTC)
    if sheet.days_behind is not None:
        at = present - timedelta(days=sheet.days_behind)
    return _write(path, sheet_text(company, sheet, at), at)


def sheet_text(company: Company, sheet: Sheet, present: datetime) -> str:
    """The sheet's content at an instant."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\n")
    writer.writerow(("id", *sheet.columns))
    rows = [row for row in company.sheet_rows if row.sheet == sheet.rows and standing(row, present)]
    for row in sorted(rows, key=lambda row: (row.cells[0].at, row.id)):
        cells = value_at(row.cells, present) or {}
        writer.writerow((row.id, *(cells[column] for column in sheet.columns)))
    return text.getvalue()


def standing(row: SheetRow, present: datetime) -> bool:
    """Whether a row is in its sheet at an instant."""
    return row.cells[0].at <= present and not (row.removed_at is not None and row.removed_at <= present)


def _write(path: Path, text: str, present: datetime) -> Path:
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(text, encoding="utf-8", newline="")
    os.utime(aside, (present.timestamp(), present.timestamp()))
    aside.replace(path)
    return path
