"""Rows that people type in: on which evening, how they write a day, and how often they take a row out again.

Belongs here: one row of a sheet. Does not: which rows there are (`agency`, `business`), or files (`sheets`).
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

from pipelines.sandbox.company import Change, Changes, SheetRow
from pipelines.sandbox.ground import HOUR, OPENING, Ground


def typed_row(
    ground: Ground, rng: random.Random, sheet: str, day: date, number: int, cells: dict[str, str]
) -> SheetRow:
    """A row about a day, under the column `fecha`; one in fifty is taken out again."""
    typed: Changes[dict[str, str]] = (Change(_typed_at(ground, rng, day), {"fecha": as_typed(rng, day), **cells}),)
    removed_at = typed[0].at + timedelta(seconds=rng.randrange(HOUR, 20 * 24 * HOUR)) if rng.random() < 0.02 else None
    return SheetRow(sheet, f"{sheet[0].upper()}{day:%y%m%d}-{number + 1}", typed, removed_at)


def as_typed(rng: random.Random, day: date) -> str:
    """A date as people write it: with or without the zeros."""
    return f"{day.day}/{day.month}/{day.year}" if rng.random() < 0.6 else f"{day:%d/%m/%Y}"


def _typed_at(ground: Ground, rng: random.Random, day: date) -> datetime:
    """The same evening, or when somebody thinks of it."""
    if rng.random() < 0.6:
        return ground.at(day, rng.randrange(18 * HOUR, 21 * HOUR))
    return ground.answered_after(ground.at(day, OPENING), rng.randrange(24 * HOUR, 10 * 24 * HOUR))
