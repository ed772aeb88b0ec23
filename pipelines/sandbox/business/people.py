"""The people whom a business knows, and what becomes of them.

Belongs here: contacts, their traits and their lifecycle. Does not: what they are sold (`deals`).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pipelines.sandbox.business.plan import SEASON, WON, Business, Known, Weights, in_force
from pipelines.sandbox.company import Change, Changes, Contact, Deal
from pipelines.sandbox.ground import GOLDEN, HOUR, MINUTE, OPENING, Ground, Kind, Pool, identity, numbered, ramp, until

LIFECYCLES = ("lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer")


@dataclass(frozen=True)
class Acquaintances:
    """Everybody whom the company knows, as on the day that it learned of them.

    known: segment -> its customers from the beginning. pool: everybody who stays. leads: those who came of themselves.
    """

    contacts: Sequence[Contact]
    known: dict[str, list[Contact]]
    pool: Pool
    leads: Pool
    says: dict[int, dict[str, str]]


def acquaintances(ground: Ground, plan: Business) -> Acquaintances:
    """Everybody, in the order in which they came."""
    people = plan.people
    owners = [one for one in people.known for _ in range(one.number)]
    known = [_known(ground, one, number) for number, one in enumerate(owners)]
    leads = [lead for month in ground.months() for lead in _leads_of(ground, plan, month, len(known))]
    by_segment: dict[str, list[Contact]] = defaultdict(list)
    for contact in known:
        by_segment[contact.says.get("segmento", "")].append(contact)
    contacts = [*known, *leads]
    return Acquaintances(
        contacts,
        by_segment,
        Pool(Kind.CONTACT, [one.id for one in contacts if one.archived_at is None]),
        Pool(Kind.CONTACT, [one.id for one in leads if one.archived_at is None]),
        {one.id: dict(one.says) for one in contacts},
    )


def chosen(rng: random.Random, says: dict[str, Weights] | Iterable[tuple[str, Weights]]) -> dict[str, str]:
    """One value for each property; the empty one is left out."""
    found = {name: rng.choices(list(values), list(values.values()))[0] for name, values in sorted(dict(says).items())}
    return {name: value for name, value in found.items() if value}


def _known(ground: Ground, one: Known, number: int) -> Contact:
    rng = ground.chance("known", ground.founded, number)
    id_ = identity(Kind.CONTACT, ground.founded, number)
    says = chosen(rng, one.says.items())
    at = ground.at(ground.founded, OPENING)
    return Contact(id_, (Change(at, "customer"),), "phone", says.get("mercado", ""), None, None, says)


def _leads_of(ground: Ground, plan: Business, month: date, known: int) -> list[Contact]:
    people = plan.people
    mean = people.a_month * in_force(people.phases, month).volume * SEASON[month.month]
    count = ground.volume("leads", month, mean * ramp(ground.months_old(month), 0.8, 0.1), 0.05)
    days = ground.spread("leads", month, count, weekend=0.4)
    days = sorted(days + 2 * [day for day in ground.days_in(month) if ground.is_changing_clocks(day)])
    luck = [ground.chance("lifecycle", month, n).random() for n in range(len(people.steps))]
    ranks = [[(start + place * GOLDEN * (n + 1)) % 1 for n, start in enumerate(luck)] for place in range(len(days))]
    return [
        _lead(ground, plan, day, n, known, rank)
        for (day, n), rank in zip(numbered(days), ranks, strict=True)
        if day <= ground.last_day
    ]


def _lead(ground: Ground, plan: Business, day: date, number: int, known: int, rank: Sequence[float]) -> Contact:
    rng = ground.chance("lead", day, number)
    length = ground.seconds_in(day)
    second = min(int(rng.triangular(0, length, 15 * HOUR)), length - 1)
    if rng.random() < 0.05:
        second = rng.choice((0, length - 20 * MINUTE)) + rng.randrange(20 * MINUTE)
    at = ground.at(day, second)
    if ground.is_changing_clocks(day) and number < 2:
        at = ground.changing_hours(rng, day, number)
    lifecycle: Changes[str] = (Change(at, "lead"),)
    for (stage, share, days), drawn in zip(plan.people.steps, rank, strict=True):
        if drawn >= share:
            break
        reached = lifecycle[-1].at + timedelta(seconds=int(rng.uniform(0.2, 1.8) * days * 24 * HOUR) + MINUTE)
        lifecycle += (Change(reached, stage),)
    archived_at = at + timedelta(seconds=rng.randrange(HOUR, 20 * 24 * HOUR)) if rng.random() < 0.015 else None
    says = chosen(rng, plan.people.says.items())
    channel = rng.choices(list(plan.people.channels), list(plan.people.channels.values()))[0]
    id_ = identity(Kind.CONTACT, day, number + (known if day == ground.founded else 0))
    return Contact(id_, until(lifecycle, archived_at), channel, says.get("mercado", ""), None, archived_at, says)


def grown(contacts: Iterable[Contact], deals: Iterable[Deal]) -> list[Contact]:
    """The contacts with what became of them."""
    steps: dict[int, list[Change[str]]] = defaultdict(list)
    for deal in deals:
        if deal.archived_at is None:
            steps[deal.contact_id].append(Change(deal.stages[0].at, "opportunity"))
            if deal.stages[-1].value == WON:
                steps[deal.contact_id].append(Change(deal.stages[-1].at, "customer"))
    return [replace(one, lifecycle=_upwards([*one.lifecycle, *steps[one.id]])) for one in contacts]


def _upwards(changes: list[Change[str]]) -> Changes[str]:
    kept: list[Change[str]] = []
    for change in sorted(changes, key=lambda change: (change.at, LIFECYCLES.index(change.value))):
        if not kept or LIFECYCLES.index(change.value) > LIFECYCLES.index(kept[-1].value):
            kept.append(change)
    return tuple(kept)
