"""Calls and meetings as they go: when the CRM is told of them, and what came of them.

Belongs here: the course of one call or one appointment. Does not: how many there are, and with whom (`agency`,
`business`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from pipelines.sandbox.company import Activity, Change, Changes
from pipelines.sandbox.ground import DAY, HOUR, MINUTE, Ground, Kind, identity, until

Draw = Callable[[random.Random, date], int | None]
"""Whom it is with: a contact that is known on a day."""


def called(
    ground: Ground, rng: random.Random, id_: int, contact_id: int, names: Sequence[str], at: datetime
) -> Activity:
    """A call that was made at an instant; a few are told days later, and a few are deleted."""
    drawn = rng.random()
    outcome = "connected" if drawn < 0.8 else "no_answer" if drawn < 0.94 else "busy"
    length = 40 + int(rng.random() ** 2 * 700) if outcome == "connected" else 0
    entered_at = at + timedelta(seconds=length + 20)
    archived_at = None
    if (odd := rng.random()) < 0.03:  # noted on paper, typed in days later
        entered_at = ground.answered_after(at, 24 * HOUR + int(odd * 100 * 24 * HOUR))
    elif odd > 0.998:  # the telephone system wrote it twice, or it was private
        archived_at = entered_at + timedelta(seconds=rng.randrange(HOUR, 6 * HOUR))
    agent = names[int(rng.random() * len(names))]
    told = (Change(entered_at, outcome),)
    return Activity(id_, "call", contact_id, agent, at, entered_at, told, length, archived_at)


def planned(
    ground: Ground, kind: str, identified: Kind, day: date, number: int, draw: Draw, names: Sequence[str]
) -> Activity | None:
    """An appointment on a day, planned some days ahead or told later; None where there was nobody to meet."""
    rng = ground.chance(kind, day, number)
    starts_at = ground.office_moment(rng, day)
    is_late = rng.random() < 0.12
    ahead = rng.randint(1, 9)
    planned_on = max(ground.founded + DAY, day if is_late else ground.working_day_on_or_before(day - DAY * ahead))
    contact_id = draw(rng, planned_on)
    if contact_id is None or (not is_late and planned_on >= day):
        return None
    if is_late:
        entered_at = ground.answered_after(starts_at, rng.randrange(20 * HOUR, 5 * 24 * HOUR))
    else:
        entered_at = ground.office_moment(rng, planned_on)
    length = rng.randrange(15, 61, 5) * MINUTE
    archived_at = entered_at + timedelta(seconds=rng.randrange(HOUR, 9 * 24 * HOUR)) if rng.random() < 0.008 else None
    outcome = until(_outcome(ground, rng, starts_at, entered_at, length), archived_at)
    id_ = identity(identified, day, number)
    agent = rng.choice(names)
    return Activity(id_, kind, contact_id, agent, starts_at, entered_at, outcome, length, archived_at)


def lived(ground: Ground, activities: Sequence[Activity | None]) -> list[Activity]:
    """What had been planned, or had happened, by the last day."""
    end = ground.at(ground.last_day + DAY, 0)
    return [one for one in activities if one is not None and min(one.starts_at, one.entered_at) < end]


def _outcome(
    ground: Ground, rng: random.Random, starts_at: datetime, entered_at: datetime, length: int
) -> Changes[str]:
    """How it went and when somebody said so; a few are forgotten, and a few are put right later."""
    if entered_at >= starts_at:
        return (Change(entered_at, "completed"),)
    drawn = rng.random()
    if drawn < 0.01:
        return ()
    if drawn < 0.08:
        ahead = min(timedelta(seconds=rng.randrange(HOUR, 36 * HOUR)), (starts_at - entered_at) / 2)
        return (Change((starts_at - ahead).replace(microsecond=0), "canceled"),)
    ended_at = starts_at + timedelta(seconds=length)
    is_prompt = rng.random() < 0.85
    told_at = ended_at + timedelta(seconds=rng.randrange(MINUTE, 3 * HOUR))
    if not is_prompt:
        told_at = ground.answered_after(ended_at, rng.randrange(12 * HOUR, 60 * HOUR))
    went = "no_show" if drawn < 0.14 else "completed"
    told: Changes[str] = (Change(told_at, went),)
    if rng.random() < 0.02:
        corrected = "completed" if went == "no_show" else "no_show"
        told += (Change(told_at + timedelta(seconds=rng.randrange(HOUR, 3 * 24 * HOUR)), corrected),)
    return told
