"""What a business keeps in sheets, and what its systems export.

Belongs here: the rows, when they were typed in, corrected and removed. Does not: files (`pipelines.sandbox.sheets`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from pipelines.sandbox.business.people import Acquaintances, chosen
from pipelines.sandbox.business.plan import (
    Business,
    Course,
    Daily,
    Dated,
    Leads,
    Number,
    Opened,
    Regular,
    Roster,
    Rows,
    in_force,
)
from pipelines.sandbox.company import Change, Changes, SheetRow
from pipelines.sandbox.ground import DAY, HOUR, Ground, numbered, until
from pipelines.sandbox.handwriting import as_typed, typed_row
from pipelines.sandbox.hubspot.shown import owner_id


def sheet_rows(ground: Ground, plan: Business, people: Acquaintances) -> list[SheetRow]:
    """Every row ever typed in, in the order of ids."""
    rows = [
        replace(row, id=f"{row.sheet}-{place + 1}-{row.id}")
        for place, one in enumerate(plan.rows)
        for row in _rows(ground, plan, people, one, f"{one.sheet} {place}")
    ]
    return sorted((row for row in rows if ground.has_lived(row.cells[0].at)), key=lambda row: row.id)


def _rows(ground: Ground, plan: Business, people: Acquaintances, one: Rows, luck: str) -> Iterator[SheetRow]:
    """The rows of one plan. luck: what its chances are called."""
    if isinstance(one, Dated):
        yield from _dated(ground, one, luck)
    elif isinstance(one, Regular):
        yield from _regular(ground, people, one, luck)
    elif isinstance(one, Roster):
        yield from _roster(ground, plan, one, luck)
    elif isinstance(one, Course):
        yield from _course(ground, plan, one, luck)
    elif isinstance(one, Daily):
        yield from _daily(ground, one, luck)
    else:
        yield from _opened(ground, plan, one, luck)


def _row(ground: Ground, rng: random.Random, sheet: str, day: date, number: int, cells: dict[str, str]) -> SheetRow:
    row = typed_row(ground, rng, sheet, day, number, cells)
    return replace(row, id=f"{day:%y%m%d}-{number + 1}")


def _dated(ground: Ground, one: Dated, luck: str) -> Iterator[SheetRow]:
    """Few rows that everybody looks at: none of them is taken out again."""
    for number, (day, cells) in enumerate(one.rows):
        rng = ground.chance(luck, day, number)
        yield replace(_row(ground, rng, one.sheet, day, number, dict(cells)), removed_at=None)


def _regular(ground: Ground, people: Acquaintances, one: Regular, luck: str) -> Iterator[SheetRow]:
    for first, last in _spans(ground, one.every):
        phase = in_force(one.phases, first)
        worked = [day for day in _days(first, last) if ground.is_working(day) and day >= ground.founded]
        if not worked or last < ground.founded:
            continue
        plan = ground.chance(f"{luck} days", first)
        count = one.count * phase.volume
        times = int(count) + (plan.random() < count % 1)
        days = [last if one.on == "end" else plan.choice(worked) for _ in one.cells for _ in range(times)]
        of_rows = [dict(cells) for cells in one.cells for _ in range(times)]
        for (day, number), cells in zip(numbered(sorted(days)), of_rows, strict=True):
            rng = ground.chance(luck, day, number)
            says = {**cells, **chosen(rng, one.says.items())}
            says |= {column: "" for column in one.says if column not in says}
            numbers = {name: _number(rng, number_, phase.amount) for name, number_ in one.numbers.items()}
            if one.who is not None:
                says["contacto"] = _contact(ground.chance(f"{luck} who", day, number), people, one.who, day)
            yield _corrected(rng, _row(ground, rng, one.sheet, day, number, {**says, **numbers}), one, phase.amount)


def _contact(rng: random.Random, people: Acquaintances, who: Leads, day: date) -> str:
    """Somebody's number in the CRM."""
    found = people.leads.draw(rng, day, who.within_days, frozenset())
    return "" if found is None else str(found)


def _corrected(rng: random.Random, row: SheetRow, one: Regular, factor: float) -> SheetRow:
    """Some days later somebody looks at it again, and puts a number right."""
    if not one.numbers or rng.random() >= 0.05:
        return row
    name, number = next(iter(one.numbers.items()))
    at = row.cells[0].at + timedelta(seconds=rng.randrange(24 * HOUR, 12 * 24 * HOUR))
    cells = {**row.cells[0].value, name: _number(rng, number, factor)}
    if cells == row.cells[0].value:
        return row
    return replace(row, cells=until((*row.cells, Change(at, cells)), row.removed_at))


def _number(rng: random.Random, number: Number, factor: float) -> str:
    """A number as it is typed here: with a comma before the decimals."""
    value = number.middle * factor * rng.uniform(1 - number.spread, 1 + number.spread)
    value = value if number.most is None else min(value, number.most)
    return f"{value:.{number.decimals}f}".replace(".", ",")


def _roster(ground: Ground, plan: Business, one: Roster, luck: str) -> Iterator[SheetRow]:
    for number, member in enumerate(plan.staff):
        rng = ground.chance(luck, member.joined, number)
        day = max(member.joined, ground.founded)
        cells = {"baja": "", "equipo": member.team, "propietario": owner_id(member.name)}
        row = replace(_row(ground, rng, one.sheet, member.joined, number, cells), removed_at=None)
        at = ground.at(day, rng.randrange(9 * HOUR, 18 * HOUR))
        typed: Changes[dict[str, str]] = (Change(at, row.cells[0].value),)
        if member.left is not None:
            left_at = ground.at(member.left, rng.randrange(9 * HOUR, 18 * HOUR))
            typed += (Change(left_at, {**row.cells[0].value, "baja": as_typed(rng, member.left)}),)
        yield replace(row, cells=typed)


def _course(ground: Ground, plan: Business, one: Course, luck: str) -> Iterator[SheetRow]:
    """Who was assigned, and when each had completed it; which of them do is drawn once for all."""
    members = [member for member in plan.staff if member.team in one.teams and member.is_there(one.assigned)]
    plan_of = ground.chance(f"{luck} {one.name}", one.assigned)
    completing = set(plan_of.sample(range(len(members)), round(one.share * len(members))))
    for number, member in enumerate(members):
        rng = ground.chance(f"{luck} {one.name}", one.assigned, number + 1)
        said = {"terminada": "", "curso": one.name, "equipo": member.team, "propietario": owner_id(member.name)}
        row = replace(_row(ground, rng, one.sheet, one.assigned, number, said), removed_at=None)
        if number in completing:
            typed = row.cells[0]
            day = ground.working_day_on_or_after(one.assigned + DAY * (12 + rng.randrange(one.within_days)))
            at = max(ground.at(day, rng.randrange(12 * HOUR, 19 * HOUR)), typed.at + timedelta(hours=1))
            row = replace(row, cells=(typed, Change(at, {**typed.value, "terminada": as_typed(rng, day)})))
        yield row


def _opened(ground: Ground, plan: Business, one: Opened, luck: str) -> Iterator[SheetRow]:
    """Exported by the system itself: nothing is typed late, and nothing is taken out."""
    for monday, sunday in _spans(ground, "week"):
        phase = in_force(one.phases, monday)
        share = one.share if phase.win is None else phase.win
        worked = [day for day in _days(monday, sunday) if ground.is_working(day) and day >= ground.founded]
        for number, member in enumerate(plan.staff if worked else ()):
            rng = ground.chance(luck, monday, number)
            if member.team == one.team and member.is_there(monday) and rng.random() < share:
                day = rng.choice(worked)
                cells = {"sistema": one.system, "propietario": owner_id(member.name)}
                at = ground.office_moment(rng, day)
                row = _row(ground, rng, one.sheet, day, number, cells)
                yield replace(row, cells=(Change(at, row.cells[0].value),), removed_at=None)


def _daily(ground: Ground, one: Daily, luck: str) -> Iterator[SheetRow]:
    """Looked at every day: none is typed late or taken out again."""
    for day in _days(ground.founded, ground.last_day):
        if ground.is_working(day):
            rng = ground.chance(luck, day)
            numbers = {name: _number(rng, number, 1) for name, number in one.numbers.items()}
            row = _row(ground, rng, one.sheet, day, 0, {**one.cells, **numbers})
            yield replace(row, cells=(Change(ground.at(day, 8 * HOUR), row.cells[0].value),), removed_at=None)


def _days(first: date, last: date) -> list[date]:
    return [first + DAY * n for n in range((last - first).days + 1)]


def _spans(ground: Ground, every: str) -> Iterator[tuple[date, date]]:
    """The weeks, months or quarters from the founding to the last day."""
    first = ground.founded.replace(day=1)
    if every == "week":
        first = ground.founded - DAY * ground.founded.weekday()
    elif every == "quarter":
        first = first.replace(month=(first.month - 1) // 3 * 3 + 1)
    while first <= ground.last_day:
        following = first + DAY * 7 if every == "week" else _months_later(first, 1 if every == "month" else 3)
        yield first, following - DAY
        first = following


def _months_later(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
