"""What a business sells, from the first talk to the signature, or to nothing.

Belongs here: deals, their stages, amounts, close dates and customers. Does not: what is billed for them (`billing`).
"""

from __future__ import annotations

import random
from bisect import insort
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import exp
from statistics import NormalDist

from pipelines.sandbox.business.people import Acquaintances, chosen
from pipelines.sandbox.business.plan import (
    LOST,
    SEASON,
    WON,
    Agreed,
    Business,
    Buyers,
    Flow,
    Leads,
    Phase,
    in_force,
)
from pipelines.sandbox.company import Change, Changes, Deal
from pipelines.sandbox.ground import (
    DAY,
    GOLDEN,
    HOUR,
    MINUTE,
    SILVER,
    Ground,
    Kind,
    history,
    identity,
    numbered,
    ramp,
)

PRODUCT, CLOSE_DATE = "producto", "closedate"


@dataclass(frozen=True)
class _Course:
    """How a deal will go, before it has a customer."""

    flow: Flow
    phase: Phase
    stages: Changes[str]
    quantile: float
    rng: random.Random

    @property
    def is_won(self) -> bool:
        return self.stages[-1].value == WON


def deals(ground: Ground, plan: Business, people: Acquaintances) -> list[tuple[Deal, bool]]:
    """Every deal opened, in the order of ids, each with whether it is billed."""
    courses = [course for flow in plan.flows for month in ground.months() for course in _courses(ground, flow, month)]
    courses.sort(key=lambda course: (course.stages[0].at, course.flow.name, course.stages[-1].at, course.quantile))
    market = Market(people)
    made = [
        (deal, course.flow.billed)
        for course in courses
        if ground.has_lived(course.stages[0].at)
        for deal in _deals_of(ground, plan, people, market, course)
    ]
    made += [(_agreed(ground, plan, people, one, n), one.billed) for n, one in enumerate(plan.agreed)]
    made.sort(key=lambda one: (one[0].stages[0].at, one[0].contact_id, one[0].pipeline, one[0].stages[-1].at))
    opened = [ground.day_of(deal.stages[0].at) for deal, _ in made]
    return [
        (replace(deal, id=identity(Kind.SALE, day, n)), is_billed)
        for (deal, is_billed), (day, n) in zip(made, numbered(opened), strict=True)
        if ground.founded <= day <= ground.last_day
    ]


class Market:
    """Who has bought what, and whom somebody is talking to, as deals are opened one after the other."""

    def __init__(self, people: Acquaintances) -> None:
        self.people = people
        self.taken: set[int] = set()
        self.buyers: dict[str | None, list[tuple[datetime, int]]] = {}
        self.turns: Counter[str] = Counter()

    def draw(self, rng: random.Random, flow: Flow, day: date, since: datetime) -> int | None:
        """A customer for a deal that is opened on a day, at an instant."""
        who = flow.who
        if isinstance(who, Leads):
            found = self.people.leads.draw(rng, day, who.within_days, self.taken)
            if found is not None:
                self.taken.add(found)
            return found
        if isinstance(who, Buyers):
            bought = [id_ for at, id_ in self.buyers.get(who.product, ()) if at < since]
            return rng.choice(bought) if bought else None
        self.turns[flow.name] += 1
        customers = self.people.known[who.name]
        return customers[self.turns[flow.name] % len(customers)].id

    def note(self, deal: Deal) -> None:
        """Remember who bought what, and when."""
        if deal.stages[-1].value != WON:
            return
        at, says = deal.stages[-1].at, deal.says.get(PRODUCT, ())
        for product in {None, *(change.value for change in says[-1:])}:
            insort(self.buyers.setdefault(product, []), (at, deal.contact_id))


def _courses(ground: Ground, flow: Flow, month: date) -> Iterator[_Course]:
    phase = in_force(flow.phases, month)
    mean = flow.a_month * SEASON[month.month] * phase.volume * ramp(ground.months_old(month), 0.8, 0.1)
    count = ground.volume(flow.name, month, mean, 0.04)
    luck = ground.chance(f"{flow.name} luck", month)
    first, second = luck.random(), luck.random()
    win = flow.win if phase.win is None else phase.win
    for place, (day, number) in enumerate(numbered(ground.spread(flow.name, month, count, weekend=0.0))):
        rng = ground.chance(flow.name, day, number)
        stages = _stages(ground, rng, flow, phase, day, is_won=(first + place * GOLDEN) % 1 < win)
        yield _Course(flow, phase, stages, (second + place * SILVER) % 1, rng)


def _stages(ground: Ground, rng: random.Random, flow: Flow, phase: Phase, day: date, *, is_won: bool) -> Changes[str]:
    last = len(flow.steps) - 1
    if not is_won:
        weights = flow.lost_after or tuple(range(len(flow.steps), 0, -1))
        last = rng.choices(range(len(flow.steps)), weights)[0]
    at = ground.office_moment(rng, day)
    stages = [Change(at, flow.steps[0][0])]
    for (_, days), (following, _) in pairwise(flow.steps[: last + 1]):
        at = ground.answered_after(at, _seconds(rng, days * phase.pace))
        stages.append(Change(at, following))
    at = _closing(ground, rng, ground.answered_after(at, _seconds(rng, flow.steps[last][1] * phase.pace)))
    stages.append(Change(at, WON if is_won else LOST))
    return tuple(_won_too_early(stages) if is_won and rng.random() < 0.04 else stages)


def _seconds(rng: random.Random, days: float) -> int:
    return int(rng.uniform(0.55, 1.45) * days * 24 * HOUR) + MINUTE


def _closing(ground: Ground, rng: random.Random, at: datetime) -> datetime:
    """Some are only entered in the last minutes of the day."""
    if rng.random() >= 0.05:
        return at
    day = ground.day_of(at)
    return ground.at(day, ground.seconds_in(day) - rng.randrange(1, 40 * MINUTE))


def _won_too_early(stages: list[Change[str]]) -> list[Change[str]]:
    """Somebody marks the deal as won in its last stage, and puts it back the next day."""
    before, end = stages[-2:]
    if end.at - before.at < DAY * 3:
        return stages
    mistake = [Change(before.at + timedelta(hours=1), WON), Change(before.at + timedelta(hours=22), before.value)]
    return [*stages[:-1], *mistake, end]


def _deals_of(ground: Ground, plan: Business, people: Acquaintances, market: Market, course: _Course) -> Iterator[Deal]:
    """The deal, and its double where somebody enters it twice; nothing while there is nobody to sell it to."""
    rng, opened_at = course.rng, course.stages[0].at
    day = ground.day_of(opened_at)
    contact_id = market.draw(rng, course.flow, day, opened_at)
    names = plan.sellers(day)
    if contact_id is None or not names:
        return
    traits = {**people.says[contact_id], **chosen(rng, course.flow.says.items())}
    known = set(plan.properties["deals"])
    says: dict[str, Changes[str]] = {
        name: (Change(opened_at, value),) for name, value in traits.items() if name in known
    }
    if course.flow.commits_at is not None:
        says[CLOSE_DATE] = _close_dates(ground, course, course.flow.commits_at)
    seller, (currency, amounts) = rng.choice(names), _priced(ground, plan, course, contact_id)
    deal = Deal(
        0,
        contact_id,
        seller,
        course.flow.pipeline,
        course.stages,
        amounts,
        currency,
        {name: changes for name, changes in says.items() if changes},
        None,
    )
    market.note(deal)
    yield deal
    if course.is_won and rng.random() < 0.03:
        yield _double(deal, rng)


def _priced(ground: Ground, plan: Business, course: _Course, contact_id: int) -> tuple[str, Changes[Decimal]]:
    """The currency that it is agreed in, and what it is worth in that."""
    amounts, abroad = _amounts(course), plan.abroad
    luck = ground.chance("abroad", ground.day_of(course.stages[0].at), contact_id)
    if abroad is None or luck.random() >= abroad.share:
        return plan.currency, amounts
    there = [Change(one.at, _rounded(float(one.value) / abroad.worth, abroad.step)) for one in amounts]
    return abroad.currency, history(there)


def _amounts(course: _Course) -> Changes[Decimal]:
    """A guess when the deal is opened, agreed in its last stage, and at times corrected after it was won."""
    rng, flow, stages = course.rng, course.flow, course.stages
    quantile = min(max(course.quantile + rng.uniform(-0.04, 0.04), 0.03), 0.97)
    agreed = flow.amount * course.phase.amount * exp(flow.spread * NormalDist().inv_cdf(quantile))
    changes = [
        Change(stages[0].at, _rounded(agreed * rng.uniform(0.9, 1.12), flow.step)),
        Change(stages[-2].at, _rounded(agreed, flow.step)),
    ]
    if course.is_won and rng.random() < 0.08:
        at = stages[-1].at + timedelta(seconds=rng.randrange(2 * 24 * HOUR, 20 * 24 * HOUR))
        changes.append(Change(at, _rounded(agreed * rng.uniform(0.9, 1.06), flow.step)))
    return history(changes)


def _rounded(amount: float, step: int) -> Decimal:
    return Decimal(max(round(amount / step), 1) * step)


def _close_dates(ground: Ground, course: _Course, stage: str) -> Changes[str]:
    """The day that somebody names once they commit themselves, put off each time that it has passed."""
    place = [name for name, _ in course.flow.steps].index(stage)
    committed = next((change.at for change in course.stages if change.value == stage), None)
    if committed is None:
        return ()
    ahead = sum(days for _, days in course.flow.steps[place:]) * course.phase.pace
    off = 1 + course.rng.uniform(-0.35, 0.35) * course.phase.surprise
    named, end = committed + timedelta(days=ahead * off), course.stages[-1]
    changes = [Change(committed, _as_date(ground, named))]
    while named < end.at:
        later = named + timedelta(days=14 * course.phase.surprise)
        changes.append(Change(named.replace(microsecond=0), _as_date(ground, later)))
        named = later
    if course.is_won:
        changes.append(Change(end.at, _as_date(ground, end.at)))
    return history(changes)


def _as_date(ground: Ground, at: datetime) -> str:
    return f"{ground.day_of(at)}T12:00:00.000Z"


def _double(deal: Deal, rng: random.Random) -> Deal:
    at = deal.stages[-1].at + timedelta(seconds=rng.randrange(5 * MINUTE, 3 * HOUR))
    says = {name: (Change(at, changes[-1].value),) for name, changes in deal.says.items()}
    archived_at = at + timedelta(seconds=rng.randrange(5 * HOUR, 4 * 24 * HOUR))
    amount = (Change(at, deal.amount[-1].value),)
    return replace(deal, stages=(Change(at, WON),), amount=amount, says=says, archived_at=archived_at)


def _agreed(ground: Ground, plan: Business, people: Acquaintances, one: Agreed, number: int) -> Deal:
    rng = ground.chance("agreed", ground.founded, number)
    customer = people.known[one.segment][0]
    stages = tuple(Change(ground.office_moment(rng, day), stage) for day, stage in one.stages)
    traits: Mapping[str, str] = {**customer.says, **one.says}
    known = set(plan.properties["deals"])
    says = {name: (Change(stages[0].at, value),) for name, value in traits.items() if name in known}
    amount = (Change(stages[0].at, Decimal(round(one.amount))),)
    seller = plan.sellers(one.stages[0][0])[0]
    return Deal(0, customer.id, seller, one.pipeline, stages, amount, plan.currency, says, None)
