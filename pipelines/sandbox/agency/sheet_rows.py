"""What somebody at the agency keeps by hand: collaborations, trade events, and mailbox drops.

Belongs here: the rows of the sheets, when they were typed in, corrected and removed. Does not: files
(`pipelines.sandbox.sheets`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from pipelines.sandbox.agency.office import MARKETS
from pipelines.sandbox.company import Change, SheetRow
from pipelines.sandbox.ground import DAY, HOUR, Ground, numbered, until
from pipelines.sandbox.handwriting import typed_row

PARTNERS = (
    "Notaría Retiro", "Reformas Duero", "Hipotecas Claras", "Mudanzas Ebro", "Estudio Ático", "Seguros Lince",
    "Gestoría Alameda", "Cerrajería Norte", "Fotografía Luz Alta", "Certificados Tajo",
)  # fmt: skip
FAIRS = ("SIMA", "Jornada MLS Madrid", "Inmociónate", "Desayuno inmobiliario", "Foro Vivienda", "Puertas abiertas")


def sheet_rows(ground: Ground) -> list[SheetRow]:
    """Every row ever typed into the three sheets, in the order of their ids."""
    rows = [row for month in ground.months() for row in _collaborations(ground, month)]
    rows += [row for month in ground.months() for row in _events(ground, month)]
    weeks = (ground.last_day - ground.founded).days // 7 + 2
    monday = ground.founded - DAY * ground.founded.weekday()
    rows += [row for n in range(weeks) for row in _rounds(ground, monday + DAY * 7 * n)]
    return sorted((row for row in rows if ground.has_lived(row.cells[0].at)), key=lambda row: row.id)


def _collaborations(ground: Ground, month: date) -> Iterator[SheetRow]:
    plan = ground.chance("collaborations", month)
    count = plan.choices((0, 1, 2), (12, 72, 16))[0]
    worked = ground.worked_in(month)
    days = sorted(plan.choices(worked, k=count)) if worked else []
    for day, number in numbered(days):
        rng = ground.chance("collaboration", day, number)
        cells = {"empresa": rng.choice(PARTNERS), "tipo": rng.choice(("derivación", "acuerdo", "campaña conjunta"))}
        yield typed_row(ground, rng, "collaborations", day, number, cells)


def _events(ground: Ground, month: date) -> Iterator[SheetRow]:
    """Most quarters have one, in a month of its own."""
    quarter = month.replace(month=(month.month - 1) // 3 * 3 + 1)
    plan = ground.chance("events", quarter)
    months = plan.sample((0, 1, 2), plan.choices((0, 1, 2), (15, 60, 25))[0])
    worked = ground.worked_in(month)
    if month.month - quarter.month in months and worked:
        rng = ground.chance("event", month)
        day = rng.choice(worked)
        name = rng.choice(FAIRS)
        cells = {"evento": name, "tipo": "propio" if name == "Puertas abiertas" else "feria"}
        yield typed_row(ground, rng, "events", day, 0, cells)


def _rounds(ground: Ground, monday: date) -> Iterator[SheetRow]:
    """A week's mailbox drops: most weeks one day with 200 flyers or more; some weeks it rains."""
    plan = ground.chance("rounds", monday)
    days = [day for day in (monday + DAY * n for n in range(5)) if ground.is_working(day) and day >= ground.founded]
    count = plan.choices((0, 1, 2, 3), (30, 50, 20, 0) if monday.month == 8 else (4, 30, 46, 20))[0]
    for day, number in numbered(sorted(plan.choices(days, k=count)) if days else []):
        rng = ground.chance("round", day, number)
        flyers = rng.randrange(200, 420, 10) if rng.random() < 0.62 else rng.randrange(80, 200, 10)
        cells = {"zona": rng.choice(MARKETS), "folletos": str(flyers)}
        yield _recounted(rng, typed_row(ground, rng, "flyers", day, number, cells), flyers)


def _recounted(rng: random.Random, row: SheetRow, flyers: int) -> SheetRow:
    """Some days later somebody counts what is left in the boxes, and corrects the sheet."""
    if rng.random() >= 0.07:
        return row
    at = row.cells[0].at + timedelta(seconds=rng.randrange(24 * HOUR, 12 * 24 * HOUR))
    cells = {**row.cells[0].value, "folletos": str(max(flyers + rng.choice((-90, -60, -40, 30, 60, 110)), 20))}
    return replace(row, cells=until((*row.cells, Change(at, cells)), row.removed_at))
