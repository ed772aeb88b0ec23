"""What the agents do all day: calls, visits to properties, and meetings with owners.

Belongs here: activities and when the CRM is told of them. Does not: whom they are with (`contacts`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from pipelines.sandbox.agency.office import SEASON, agents
from pipelines.sandbox.company import Activity, Change, Changes
from pipelines.sandbox.ground import (
    CLOSING,
    DAY,
    HOUR,
    LUNCH,
    MINUTE,
    OPENING,
    RETURN,
    Ground,
    Kind,
    Pool,
    identity,
    numbered,
    ramp,
    until,
)

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
    called = _called(ground, rng, day, people)
    names = agents(ground, day)
    seconds = sorted(_office_second(rng) for _ in called)
    for number, (contact_id, second) in enumerate(zip(called, seconds, strict=True)):
        yield _call(ground, rng, identity(Kind.CALL, day, number), contact_id, names, ground.at(day, second))


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


def _call(ground: Ground, rng: random.Random, id_: int, contact_id: int, names: list[str], at: datetime) -> Activity:
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


# Visits and meetings


def _visits_of(ground: Ground, month: date, people: Pool) -> list[Activity]:
    mean = 175 * SEASON[month.month] ** 0.9 * ramp(ground.months_old(month), 0.5, 0.2)
    days = ground.spread("visits", month, ground.volume("visits", month, mean, 0.06), weekend=0.45)
    return _lived(ground, [_planned(ground, "visit", Kind.VISIT, day, n, people) for day, n in numbered(days)])


def _meetings_of(ground: Ground, month: date, people: Pool) -> list[Activity]:
    days = ground.spread(
        "meetings", month, ground.volume("meetings", month, 14 * SEASON[month.month], 0.2), weekend=0.0
    )
    return _lived(ground, [_planned(ground, "meeting", Kind.MEETING, day, n, people) for day, n in numbered(days)])


def _lived(ground: Ground, planned: list[Activity | None]) -> list[Activity]:
    """What had been planned, or had happened, by the last day."""
    end = ground.at(ground.last_day + DAY, 0)
    return [one for one in planned if one is not None and min(one.starts_at, one.entered_at) < end]


def _planned(ground: Ground, kind: str, identified: Kind, day: date, number: int, people: Pool) -> Activity | None:
    rng = ground.chance(kind, day, number)
    starts_at = ground.office_moment(rng, day)
    is_late = rng.random() < 0.12
    ahead = rng.randint(1, 9)
    planned_on = max(ground.founded + DAY, day if is_late else ground.working_day_on_or_before(day - DAY * ahead))
    contact_id = people.draw(rng, planned_on, 75, frozenset())
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
    agent = rng.choice(agents(ground, day))
    return Activity(id_, kind, contact_id, agent, starts_at, entered_at, outcome, length, archived_at)


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
