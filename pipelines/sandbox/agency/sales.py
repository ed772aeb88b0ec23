"""The agency's sales, from the first appointment to the deed, or to nothing.

Belongs here: sales, their stages, their fees, and who buys what. Does not: what is billed for them (`invoices`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import exp
from statistics import NormalDist

from pipelines.sandbox.agency.office import agents
from pipelines.sandbox.company import Change, Changes, Listing, Sale
from pipelines.sandbox.ground import DAY, HOUR, MINUTE, Ground, Kind, Pool, history, identity, numbered

WON_A_MONTH = {1: 4, 2: 5, 3: 6, 4: 6, 5: 6, 6: 5, 7: 5, 8: 4, 9: 5, 10: 6, 11: 5, 12: 4}


@dataclass(frozen=True)
class _Course:
    """How a sale will go, before it has a buyer and a property."""

    stages: Changes[str]
    fee: Decimal
    rng: random.Random
    is_doubled: bool  # entered a second time by mistake, as won, and deleted days later


def sales(ground: Ground, people: Pool, listings: Sequence[Listing]) -> list[Sale]:
    """Every sale opened, in order, with a buyer and a property of its own."""
    courses = [course for month in ground.months() for course in _courses_of(ground, month)]
    courses.sort(key=lambda course: (course.stages[0].at, course.stages[-1].at, course.fee))
    market = _Market(ground, people, listings)
    made = [sale for course in courses if ground.has_lived(course.stages[0].at) for sale in market.sale(course)]
    return _with_ids(ground, made)


def _courses_of(ground: Ground, month: date) -> list[_Course]:
    won = _won_in(ground, month)
    ends = _won_on(ground, month, won)
    ranks = list(range(won))
    ground.chance("fees", month).shuffle(ranks)
    lost_ends = ground.spread("lost", month, ground.volume("lost", month, 4, 0.4), weekend=0.0)
    courses = [
        _course(ground, "won", end, n, (rank + 0.5) / won)
        for n, (end, rank) in enumerate(zip(ends, ranks, strict=True))
    ]
    return courses + [_course(ground, "lost", end, n, 0.5) for n, end in enumerate(lost_ends)]


def _won_on(ground: Ground, month: date, count: int) -> list[date]:
    """The days, evenly over the month; at times the last sale is only entered in the month's last night."""
    rng = ground.chance("won days", month)
    worked = ground.worked_in(month)
    days = [worked[int((n + rng.random()) / count * len(worked))] for n in range(count)]
    if days and rng.random() < 0.3:
        days[-1] = ground.days_in(month)[-1]
    return days


def _won_in(ground: Ground, month: date) -> int:
    """Sales won in a month. What one month has more, the other of the same pair has less: years stay comparable."""
    age = ground.months_old(month)
    if age < 4:
        return (0, 2, 3, 5)[age]
    pair = month if month.month % 2 else (month - DAY).replace(day=1)
    more = ground.chance("won pair", pair).choice((-1, 0, 1))
    return min(max(WON_A_MONTH[month.month] + (more if month == pair else -more), 3), 7)


def _course(ground: Ground, end: str, day: date, number: int, quantile: float) -> _Course:
    rng = ground.chance(end, day, number)
    closed_at = _closing_moment(ground, rng, day)
    earliest = ground.founded + DAY * 5
    stages = [Change(closed_at, end)]
    for stage, shortest, longest in (("reservation", 18, 50), ("offer", 3, 12), ("appointment", 5, 25)):
        if end == "lost" and stage == "reservation" and rng.random() < 0.8:
            continue
        if stage == "offer" and rng.random() < 0.12:
            continue
        day = ground.working_day_on_or_before(max(day - DAY * rng.randint(shortest, longest), earliest))
        at = ground.office_moment(rng, day)
        if at < stages[0].at:
            stages.insert(0, Change(at, stage))
    if end == "won" and rng.random() < 0.04:
        stages = _won_too_early(stages)
    level = 7900 * 1.045 ** ground.years_old(day)
    fee = level * exp(0.26 * NormalDist().inv_cdf(min(max(quantile + rng.uniform(-0.06, 0.06), 0.03), 0.97)))
    return _Course(tuple(stages), Decimal(round(fee / 25) * 25), rng, end == "won" and rng.random() < 0.05)


def _closing_moment(ground: Ground, rng: random.Random, day: date) -> datetime:
    """In the office; late at night on the last day of a month that is not worked, and now and then on any other."""
    if rng.random() < 0.05 or not ground.is_working(day) or ((day + DAY).day == 1 and rng.random() < 0.5):
        return ground.at(day, ground.seconds_in(day) - rng.randrange(1, 40 * MINUTE))
    return ground.office_moment(rng, day)


def _won_too_early(stages: list[Change[str]]) -> list[Change[str]]:
    """Somebody marks the sale as won when it is reserved, and puts it back."""
    places = [place for place, change in enumerate(stages) if change.value == "reservation"]
    if not places or stages[-1].at - stages[places[0]].at < DAY * 5:
        return stages
    at = stages[places[0]].at
    mistake = [Change(at + timedelta(hours=1), "won"), Change(at + timedelta(hours=22), "reservation")]
    return [*stages[: places[0] + 1], *mistake, *stages[places[0] + 1 :]]


class _Market:
    """Who has bought and what is sold, as sales are opened one after the other."""

    def __init__(self, ground: Ground, people: Pool, listings: Sequence[Listing]) -> None:
        self.ground, self.people = ground, people
        self.listings = [listing for listing in listings if listing.archived_at is None]
        self.pool = Pool(Kind.LISTING, [listing.id for listing in self.listings])
        self.buyers: set[int] = set()
        self.sold: set[int] = set()

    def sale(self, course: _Course) -> list[Sale]:
        """The sale, and its double where somebody enters it twice; nothing while there is no buyer or no property."""
        day = self.ground.day_of(course.stages[0].at)
        buyer_id = self.people.draw(course.rng, day, 75, self.buyers)
        listing = self._property(course, day, buyer_id)
        if buyer_id is None or listing is None:
            return []
        self.buyers.add(buyer_id)
        if course.stages[-1].value == "won":
            self.sold.add(listing.id)
        agent = course.rng.choice(agents(self.ground, day))
        sale = Sale(0, buyer_id, listing.id, agent, course.stages, _amounts(course), None)
        return [sale, _double(sale, course.rng)] if course.is_doubled else [sale]

    def _property(self, course: _Course, day: date, buyer_id: int | None) -> Listing | None:
        """Of the properties that can be bought, the one whose price suits the fee best."""
        last = self.pool.before(day - DAY)
        offered = self.listings[max(0, last - 60) : last]
        told = [one for one in offered if one.entered_at < course.stages[0].at]
        free = [one for one in told if one.id not in self.sold and one.owner_id != buyer_id]
        return min(free, key=lambda one: (abs(one.price[0].value * 32 / 1000 - course.fee), one.id), default=None)


def _amounts(course: _Course) -> Changes[Decimal]:
    """The fee: a guess when the sale is opened, agreed when it is reserved, and at times corrected after it was won."""
    rng, stages = course.rng, course.stages
    agreed_at = next((change.at for change in stages if change.value == "reservation"), stages[-1].at)
    changes = [Change(stages[0].at, _rounded(course.fee, rng.uniform(0.93, 1.1), 100)), Change(agreed_at, course.fee)]
    if stages[-1].value == "won" and rng.random() < 0.09:
        at = stages[-1].at + timedelta(seconds=rng.randrange(2 * 24 * HOUR, 20 * 24 * HOUR))
        changes.append(Change(at, _rounded(course.fee, rng.uniform(0.88, 1.07), 25)))
    return history(changes)


def _rounded(fee: Decimal, factor: float, step: int) -> Decimal:
    return Decimal(round(float(fee) * factor / step) * step)


def _double(sale: Sale, rng: random.Random) -> Sale:
    at = sale.stages[-1].at + timedelta(seconds=rng.randrange(5 * MINUTE, 3 * HOUR))
    amount = (Change(at, sale.amount[-1].value),)
    archived_at = at + timedelta(seconds=rng.randrange(5 * HOUR, 4 * 24 * HOUR))
    return replace(sale, stages=(Change(at, "won"),), amount=amount, archived_at=archived_at)


def _with_ids(ground: Ground, made: list[Sale]) -> list[Sale]:
    made.sort(key=lambda sale: (sale.stages[0].at, sale.buyer_id, sale.listing_id))
    opened = [ground.day_of(sale.stages[0].at) for sale in made]
    return [
        replace(sale, id=identity(Kind.SALE, day, n))
        for sale, (day, n) in zip(made, numbered(opened), strict=True)
        if day <= ground.last_day
    ]
