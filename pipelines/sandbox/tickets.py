"""Customers' requests: how they are answered, solved, opened again, and what the customers thought of it.

Belongs here: tickets and their surveys. Does not: who the customers are (`contacts`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import pi, sin

from pipelines.sandbox.company import Change, Changes, Ticket
from pipelines.sandbox.ground import GOLDEN, HOUR, MINUTE, SILVER, Ground, Kind, Pool, identity, numbered, ramp, until


@dataclass(frozen=True)
class Wave:
    """From a day on: how many more ask, how much longer they wait (factors), and how many of those asked answer."""

    since: date
    volume: float = 1.0
    wait: float = 1.0
    answered: float | None = None


@dataclass(frozen=True)
class Care:
    """How a company looks after its customers.

    a_month: requests, when it is grown up. season: how busy each month is. good: how many of the answers to its survey
    are content; answered: how many are answered at all. channels: how often each is used on a working day. reply_log:
    mean and spread of the logarithm of the seconds until somebody answers; prompt: how many are answered within five
    minutes instead. waves: what changes with time.
    """

    a_month: float
    season: Mapping[int, float]
    good: float
    answered: float = 0.57
    channels: tuple[float, float, float] = (5, 3, 2)  # email, web, phone
    weekend: float = 0.35
    reply_log: tuple[float, float] = (7.6, 1.1)  # seconds
    prompt: float = 0.0
    waves: Sequence[Wave] = ()

    def wave(self, day: date) -> Wave:
        """What holds on a day."""
        return max((one for one in self.waves if one.since <= day), key=lambda one: one.since, default=Wave(date.min))


def tickets(ground: Ground, people: Pool, care: Care) -> list[Ticket]:
    """Every request, in order."""
    return [ticket for month in ground.months() for ticket in _tickets_of(ground, month, people, care)]


def _tickets_of(ground: Ground, month: date, people: Pool, care: Care) -> list[Ticket]:
    wave = care.wave(month)
    mean = care.a_month * wave.volume * care.season[month.month] ** 0.7 * ramp(ground.months_old(month), 0.4, 0.15)
    days = ground.spread("tickets", month, ground.volume("tickets", month, mean, 0.08), weekend=care.weekend)
    days = sorted(days + 2 * [day for day in ground.days_in(month) if ground.is_changing_clocks(day)])
    luck = ground.chance("satisfaction", month)
    first, second = luck.random(), luck.random()
    answered = care.answered if wave.answered is None else wave.answered
    made = []
    opinions = 0
    for place, (day, number) in enumerate(numbered(days)):
        opinion = None
        if (place * GOLDEN + first) % 1 < answered:
            opinions += 1
            opinion = "good" if (opinions * SILVER + second) % 1 < _good_share(ground, day, care) else "bad"
        if day <= ground.last_day and people.before(day):
            made.append(_ticket(ground, day, number, people, care, opinion))
    return made


def _good_share(ground: Ground, day: date, care: Care) -> float:
    """How many are content; a little more or less as the months go."""
    return care.good + 0.03 * sin(2 * pi * ground.years_old(day) * 1.3 + ground.seed)


def _ticket(ground: Ground, day: date, number: int, people: Pool, care: Care, opinion: str | None) -> Ticket:
    rng = ground.chance("ticket", day, number)
    channel = rng.choices(("email", "web", "phone"), care.channels)[0] if ground.is_working(day) else "email"
    created_at = _asked_at(ground, rng, day, number, channel)
    requester_id = people.ids[rng.randrange(people.before(day))]
    is_answered = rng.random() >= 0.03
    first_reply_at = ground.answered_after(created_at, _delay(rng, day, care)) if is_answered else None
    status = _course(ground, rng, created_at, first_reply_at)
    survey_sent_at = _survey_sent_at(rng, status)
    rating = _rating(rng, survey_sent_at, opinion)
    deleted_at = created_at + timedelta(seconds=rng.randrange(HOUR, 25 * 24 * HOUR)) if rng.random() < 0.012 else None
    ticket = Ticket(
        id=identity(Kind.TICKET, day, number),
        requester_id=requester_id,
        created_at=created_at,
        channel=channel,
        priority=_priority(rng, created_at, status[-1].at),
        status=status,
        first_reply_at=first_reply_at,
        survey_sent_at=survey_sent_at,
        rating=rating,
        deleted_at=deleted_at,
    )
    return ticket if deleted_at is None else _cut_short(ticket, deleted_at)


def _asked_at(ground: Ground, rng: random.Random, day: date, number: int, channel: str) -> datetime:
    if channel == "phone":
        return ground.office_moment(rng, day)
    if ground.is_changing_clocks(day) and number < 2:
        return ground.changing_hours(rng, day, number)
    length = ground.seconds_in(day)
    if rng.random() < 0.05:
        return ground.at(day, rng.choice((0, length - 15 * MINUTE)) + rng.randrange(15 * MINUTE))
    return ground.at(day, min(int(rng.triangular(6 * HOUR, length, 12 * HOUR)), length - 1))


def _delay(rng: random.Random, day: date, care: Care) -> int:
    mean, spread = care.reply_log
    if care.prompt and rng.random() < care.prompt:
        return rng.randrange(20, 5 * MINUTE)
    return int(min(rng.lognormvariate(mean, spread) * care.wave(day).wait, 30 * HOUR))


def _course(ground: Ground, rng: random.Random, created_at: datetime, replied_at: datetime | None) -> Changes[str]:
    """From new to closed; one in twelve is opened again, and closing is the system's, four days after."""
    changes = [Change(created_at, "new")]
    if replied_at is None:
        return tuple(changes)
    changes.append(Change(replied_at, "open"))
    at = replied_at
    if rng.random() < 0.35:
        at += timedelta(seconds=rng.randrange(MINUTE, HOUR))
        changes.append(Change(at, "pending"))
    at = ground.answered_after(at, int(min(rng.lognormvariate(10.2, 1.2), 12 * 24 * HOUR)) + MINUTE)
    changes.append(Change(at, "solved"))
    if rng.random() < 0.085:
        at += timedelta(seconds=rng.randrange(HOUR, 80 * HOUR))
        changes.append(Change(at, "open"))
        at = ground.answered_after(at, rng.randrange(HOUR, 50 * HOUR))
        changes.append(Change(at, "solved"))
    changes.append(Change(at + timedelta(seconds=rng.randrange(96 * HOUR, 97 * HOUR)), "closed"))
    return tuple(changes)


def _survey_sent_at(rng: random.Random, status: Changes[str]) -> datetime | None:
    """A day after the ticket was solved, if it still is."""
    solved = [change.at for change in status if change.value == "solved"]
    return solved[-1] + timedelta(seconds=rng.randrange(24 * HOUR, 25 * HOUR)) if solved else None


def _rating(rng: random.Random, sent_at: datetime | None, opinion: str | None) -> Changes[str]:
    if sent_at is None or opinion is None:
        return ()
    at = sent_at + timedelta(seconds=int(rng.random() ** 3 * 6 * 24 * HOUR) + 30)
    given: Changes[str] = (Change(at, opinion),)
    if rng.random() < (0.015 if opinion == "good" else 0.12):
        other = "bad" if opinion == "good" else "good"
        at += timedelta(seconds=rng.randrange(10 * MINUTE, 9 * 24 * HOUR))
        given += (Change(at, other),)
    return given


def _priority(rng: random.Random, created_at: datetime, ended_at: datetime) -> Changes[str]:
    levels = ("low", "normal", "high", "urgent")
    first = rng.choices(levels, (12, 68, 16, 4))[0]
    changes: Changes[str] = (Change(created_at, first),)
    if rng.random() < 0.1 and ended_at > created_at:
        at = created_at + timedelta(seconds=int((ended_at - created_at).total_seconds() * rng.uniform(0.02, 0.4)) + 1)
        changes += (Change(at, rng.choice([level for level in levels if level != first])),)
    return changes


def _cut_short(ticket: Ticket, end: datetime) -> Ticket:
    """A ticket that was deleted: nothing more happened to it."""

    def before(at: datetime | None) -> datetime | None:
        return at if at is not None and at < end else None

    return replace(
        ticket,
        priority=until(ticket.priority, end),
        status=until(ticket.status, end),
        rating=until(ticket.rating, end),
        first_reply_at=before(ticket.first_reply_at),
        survey_sent_at=before(ticket.survey_sent_at),
    )
