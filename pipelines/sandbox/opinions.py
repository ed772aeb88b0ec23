"""What customers say some days after they bought: whom the form is sent to, who answers, and what.

Belongs here: opinions, and the list of whom the form was sent to. Does not: the form (`pipelines.sandbox.typeform`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pipelines.sandbox.company import Change, Opinion, SheetRow
from pipelines.sandbox.ground import DAY, HOUR, OPENING, Ground

Bought = tuple[int, int, datetime]
"""A purchase: its id, who bought, and when."""

SENDING_HOUR = OPENING + HOUR


def opinions(ground: Ground, bought: Iterable[Bought], good: float, answered: float) -> list[Opinion]:
    """The opinions of all who bought. good, answered: how many of them are content, and answer."""
    made = [_opinion(ground, one, good, answered) for one in bought]
    return sorted((one for one in made if ground.has_lived(one.asked_at)), key=lambda one: one.id)


def _opinion(ground: Ground, bought: Bought, good: float, answered: float) -> Opinion:
    """The form goes out on a working morning; whoever answers does so within some days, most of them at once."""
    id_, contact_id, at = bought
    day = ground.day_of(at)
    rng = ground.chance("opinion", day, id_)
    sent_on = ground.working_day_on_or_after(day + DAY * rng.randint(3, 8))
    asked_at = ground.at(sent_on, SENDING_HOUR + rng.randrange(120))
    opened_at = asked_at + timedelta(seconds=60 + int(rng.random() ** 4 * 6 * 24 * HOUR))
    luck = rng.random()
    answered_at = opened_at + timedelta(seconds=rng.randrange(20, 400)) if luck < answered else None
    score = rng.choice((9, 10, 10)) if rng.random() < good else rng.choice((3, 5, 6, 7, 8))
    is_deleted = answered_at is not None and rng.random() < 0.02
    return Opinion(
        id=id_,
        contact_id=contact_id,
        asked_at=asked_at,
        opened_at=opened_at if luck < answered + 0.15 else None,
        answered_at=answered_at,
        score=score,
        deleted_at=opened_at + timedelta(seconds=rng.randrange(24 * HOUR, 20 * 24 * HOUR)) if is_deleted else None,
    )


def sent(ground: Ground, asked: Iterable[Opinion], sheet: str) -> list[SheetRow]:
    """The mailing's own list of whom it sent the form to: a row as soon as it was sent."""
    rows = []
    for one in asked:
        local = one.asked_at.astimezone(ground.zone)
        cells = {"fecha": f"{local:%d/%m/%Y %H:%M}", "cliente": str(one.contact_id)}
        rows.append(SheetRow(sheet, str(one.id), (Change(one.asked_at, cells),), None))
    return rows
