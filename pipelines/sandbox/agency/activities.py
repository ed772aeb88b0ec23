"""What the agents do all day: calls, visits to properties, and meetings with owners.

Belongs here: activities and when the CRM is told of them. Does not: whom they are with (`contacts`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date

from pipelines.sandbox.agency.office import SEASON, agents
from pipelines.sandbox.appointments import called, lived, planned
from pipelines.sandbox.company import Activity
from pipelines.sandbox.ground import CLOSING, DAY, LUNCH, OPENING, RETURN, Ground, Kind, Pool, identity, numbered, ramp

MORNING = (LUNCH - OPENING) / (LUNCH - OPENING + CLOSING - RETURN)
"""The share of the office hours that lies before lunch."""


def activities(ground: Ground, people: Pool) -> list[Activity]:
    """Everything that the agents did or planned, told or not yet told to the CRM."""
    days = [ground.founded + DAY * n for n in range((ground.last_day - ground.founded).days + 1)]
    calls = [call for day in days for call in _calls_of(ground, day, people)]
    visits = [visit for month in ground.months() for visit in _visits_of(ground, month, people)]
    meetings = [meeting for month in ground.months() for meeting in _meetings_of(ground, month, people)]
    return [*calls, *visits, *meetings]


# Calls: some 33,000 in two years, so a whole day is drawn from one stream


def _calls_of(ground: Ground, day: date, people: Pool) -> Iterator[Activity]:
    rng = ground.chance("calls", day)
    customers = _called(ground, rng, day, people)
    names = agents(ground, day)
    seconds = sorted(_office_second(rng) for _ in customers)
    for number, (contact_id, second) in enumerate(zip(customers, seconds, strict=True)):
        yield called(ground, rng, identity(Kind.CALL, day, number), contact_id, names, ground.at(day, second))


def _called(ground: Ground, rng: random.Random, day: date, people: Pool) -> list[int]:
    """Whom they call: on a working day some sixty people, mostly recent ones, and a few of them twice."""
    last, recent = people.before(day), people.before(day - DAY * 120)
    if day.weekday() == 6 or day in ground.holidays or not last:
        return []
    calm = 0.84 if day.month == 8 else 1.0
    grown = ramp(ground.months_old(day), 0.6, 0.1)
    count = round(rng.triangular(51, 69, 61) * calm * grown) if ground.is_working(day) else rng.randint(3, 9)
    older = min(round(count * 0.4), recent)
    drawn = rng.sample(range(recent), older) + rng.sample(range(recent, last), min(count - older, last - recent))
    again = rng.sample(drawn, min(rng.randint(2, 9), len(drawn))) if ground.is_working(day) else []
    called = [people.ids[place] for place in drawn + again]
    rng.shuffle(called)
    return called


def _office_second(rng: random.Random) -> int:
    drawn = rng.random()
    if drawn < MORNING:
        return OPENING + int(drawn / MORNING * (LUNCH - OPENING))
    return RETURN + int((drawn - MORNING) / (1 - MORNING) * (CLOSING - RETURN))


# Visits and meetings


def _visits_of(ground: Ground, month: date, people: Pool) -> list[Activity]:
    mean = 175 * SEASON[month.month] ** 0.9 * ramp(ground.months_old(month), 0.5, 0.2)
    days = ground.spread("visits", month, ground.volume("visits", month, mean, 0.06), weekend=0.45)
    return lived(ground, [_planned(ground, "visit", Kind.VISIT, day, n, people) for day, n in numbered(days)])


def _meetings_of(ground: Ground, month: date, people: Pool) -> list[Activity]:
    days = ground.spread(
        "meetings", month, ground.volume("meetings", month, 14 * SEASON[month.month], 0.2), weekend=0.0
    )
    return lived(ground, [_planned(ground, "meeting", Kind.MEETING, day, n, people) for day, n in numbered(days)])


def _planned(ground: Ground, kind: str, identified: Kind, day: date, number: int, people: Pool) -> Activity | None:
    def draw(rng: random.Random, on: date) -> int | None:
        return people.draw(rng, on, 75, frozenset())

    return planned(ground, kind, identified, day, number, draw, agents(ground, day))
