"""The people, properties and sales of the agency, as its CRM comes to know them.

Belongs here: contacts, listings and sales, and what they do to each other (a buyer becomes a customer, a sold property
leaves the portals). Does not: what is done with them day by day (`activities`) or billed (`office`).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import NormalDist

from pipelines.sandbox.agency.ground import (
    DAY,
    HOUR,
    MARKETS,
    MINUTE,
    OPENING,
    SEASON,
    Ground,
    Kind,
    Pool,
    identity,
    numbered,
    ramp,
)
from pipelines.sandbox.company import Change, Changes, Contact, Listing, Sale

IMPORTED = 240
"""Former customers of the founders, put into the CRM in one go on the founding day."""

PORTALS = (
    ("idealista", 0),
    ("fotocasa", 0),
    ("pisos", 130),
    ("habitaclia", 310),
    ("yaencontre", 500),
    ("indomio", 690),
)
"""Property portals and how many days after the founding the agency begins to use each."""

WON_A_MONTH = {1: 4, 2: 5, 3: 6, 4: 6, 5: 6, 6: 5, 7: 5, 8: 4, 9: 5, 10: 6, 11: 5, 12: 4}
LIFECYCLES = ("lead", "marketingqualifiedlead", "opportunity", "customer")


def agents(ground: Ground, day: date) -> list[str]:
    """Who works there on a day: four at first, one more every eight months, up to seven."""
    return [f"agent-{n}" for n in range(1, 5 + min(ground.months_old(day) // 8, 3))]


# Contacts


def first_contacts(ground: Ground) -> list[Contact]:
    """Everybody that the CRM ever learns of, as on the day that it does."""
    imported = [_imported(ground, number) for number in range(IMPORTED)]
    return imported + [contact for month in ground.months() for contact in _leads_of(ground, month)]


def _imported(ground: Ground, number: int) -> Contact:
    rng = ground.chance("imported", ground.founded, number)
    at = ground.at(ground.founded, OPENING)
    market = rng.choice(MARKETS)
    return Contact(
        identity(Kind.CONTACT, ground.founded, number), (Change(at, "customer"),), "walk_in", market, None, None
    )


def _leads_of(ground: Ground, month: date) -> list[Contact]:
    count = ground.volume("leads", month, 101 * SEASON[month.month] * ramp(ground.months_old(month), 0.7, 0.15), 0.05)
    days = ground.spread("leads", month, count, weekend=0.5)
    days = sorted(days + [day for day in ground.days_in(month) if ground.seconds_in(day) != 24 * HOUR])
    return [_lead(ground, day, n) for day, n in numbered(days) if day <= ground.last_day]


def _lead(ground: Ground, day: date, number: int) -> Contact:
    rng = ground.chance("contact", day, number)
    channel = _channel(rng, is_working=ground.is_working(day))
    at = ground.office_moment(rng, day) if channel in ("phone", "walk_in") else _online_moment(ground, rng, day, number)
    lifecycle: Changes[str] = (Change(at, "lead"),)
    if rng.random() < 0.45:
        lifecycle += (Change(at + timedelta(seconds=rng.randrange(HOUR, 6 * 24 * HOUR)), "marketingqualifiedlead"),)
    is_duplicate = rng.random() < 0.02
    archived_at = at + timedelta(seconds=rng.randrange(HOUR, 20 * 24 * HOUR)) if is_duplicate else None
    id_ = identity(Kind.CONTACT, day, number + (IMPORTED if day == ground.founded else 0))
    return Contact(id_, lifecycle, channel, rng.choice(MARKETS), None, archived_at)


def _channel(rng: random.Random, *, is_working: bool) -> str:
    if is_working:
        return rng.choices(("portal", "web", "phone", "walk_in"), (50, 20, 22, 8))[0]
    return rng.choices(("portal", "web"), (7, 3))[0]


def _online_moment(ground: Ground, rng: random.Random, day: date, number: int) -> datetime:
    """At any hour, mostly in the evening; the first one of a day with a clock change falls into the changing hours."""
    length = ground.seconds_in(day)
    if length != 24 * HOUR and number == 0:
        return ground.at(day, rng.randrange(HOUR, 4 * HOUR))
    if rng.random() < 0.06:
        around = rng.choice((0, length - 20 * MINUTE))
        return ground.at(day, around + rng.randrange(20 * MINUTE))
    return ground.at(day, min(int(rng.triangular(0, length, 20.5 * HOUR)), length - 1))


# Listings


def first_listings(ground: Ground, people: Pool) -> list[Listing]:
    """Every property taken on, in the order of its capture."""
    captured: list[Listing] = []
    taken: set[int] = set()
    for month in ground.months():
        for day, number, is_exclusive in _captures_of(ground, month):
            listing = _listing(ground, day, number, people, taken, is_exclusive=is_exclusive)
            if listing is not None:
                taken.add(listing.owner_id)
                captured.append(listing)
    return captured


def _captures_of(ground: Ground, month: date) -> list[tuple[date, int, bool]]:
    count = ground.volume(
        "listings", month, 20.3 * SEASON[month.month] ** 0.8 * ramp(ground.months_old(month), 0.7, 0.15), 0.1
    )
    rng = ground.chance("mandates", month)
    exclusive = set(
        rng.sample(range(count), min(count, max(0, round(count * 0.47) + rng.choice((-2, -1, 0, 0, 1, 2)))))
    )
    days = list(numbered(ground.spread("listings", month, count, weekend=0.15)))
    return [(day, n, place in exclusive) for place, (day, n) in enumerate(days) if day <= ground.last_day]


def _listing(
    ground: Ground, day: date, number: int, people: Pool, taken: set[int], *, is_exclusive: bool
) -> Listing | None:
    rng = ground.chance("listing", day, number)
    owner_id = people.draw(rng, day, 60, taken)
    if owner_id is None:
        return None
    captured_at = ground.office_moment(rng, day)
    late = rng.random() < 0.2
    told_after = rng.randrange(24 * HOUR, 6 * 24 * HOUR) if late else rng.randrange(10 * MINUTE, 4 * HOUR)
    entered_at = captured_at + timedelta(seconds=told_after)
    archived_at = entered_at + timedelta(seconds=rng.randrange(HOUR, 9 * 24 * HOUR)) if rng.random() < 0.015 else None
    return Listing(
        id=identity(Kind.LISTING, day, number),
        owner_id=owner_id,
        agent=rng.choice(agents(ground, day)),
        captured_at=captured_at,
        entered_at=entered_at,
        mandate=_mandate(rng, entered_at, is_exclusive=is_exclusive),
        price=_price(ground, rng, day, entered_at),
        portals=_portals(ground, rng, entered_at),
        market=rng.choice(MARKETS),
        category=rng.choices(("flat", "house", "premises"), (72, 20, 8))[0],
        archived_at=archived_at,
    )


def _mandate(rng: random.Random, at: datetime, *, is_exclusive: bool) -> Changes[str]:
    if is_exclusive:
        return (Change(at, "exclusive"),)
    if rng.random() < 0.12:
        return Change(at, "open"), Change(at + timedelta(seconds=rng.randrange(24 * HOUR, 45 * 24 * HOUR)), "exclusive")
    return (Change(at, "open"),)


def _price(ground: Ground, rng: random.Random, day: date, at: datetime) -> Changes[Decimal]:
    price = 250_000 * 1.06 ** ground.years_old(day) * rng.lognormvariate(0, 0.38)
    changes = [Change(at, Decimal(round(price / 1000) * 1000))]
    while rng.random() < 0.28:
        price *= rng.uniform(0.94, 0.985)
        at = at + timedelta(seconds=rng.randrange(20 * 24 * HOUR, 70 * 24 * HOUR))
        changes.append(Change(at, Decimal(round(price / 1000) * 1000)))
    return tuple(changes)


def _portals(ground: Ground, rng: random.Random, entered_at: datetime) -> Changes[tuple[str, ...]]:
    at = entered_at + timedelta(seconds=rng.randrange(HOUR, 72 * HOUR))
    age = (ground.day_of(at) - ground.founded).days
    used = [portal for portal, since in PORTALS if since <= age and rng.random() < 0.75] or [PORTALS[0][0]]
    changes = [Change(at, tuple(used))]
    for portal, since in PORTALS:
        joined = ground.at(ground.founded + DAY * since, OPENING) + timedelta(seconds=rng.randrange(6 * 24 * HOUR))
        if age < since < age + 90 and rng.random() < 0.5 and joined > changes[-1].at:
            used = [*used, portal]
            changes.append(Change(joined, tuple(used)))
    if len(used) > 1 and rng.random() < 0.1:
        left = changes[-1].at + timedelta(seconds=rng.randrange(10 * 24 * HOUR, 40 * 24 * HOUR))
        changes.append(Change(left, tuple(used[:-1])))
    return tuple(changes)


# Sales


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
    made = [sale for course in courses if ground.has_opened(course.stages[0].at) for sale in market.sale(course)]
    return _with_ids(ground, made)


def _courses_of(ground: Ground, month: date) -> list[_Course]:
    won = _won_in(ground, month)
    ends = ground.spread("won", month, won, weekend=0.0) if won else []
    ranks = list(range(won))
    ground.chance("fees", month).shuffle(ranks)
    lost_ends = ground.spread("lost", month, ground.volume("lost", month, 4, 0.4), weekend=0.0)
    courses = [
        _course(ground, "won", end, n, (rank + 0.5) / won)
        for n, (end, rank) in enumerate(zip(ends, ranks, strict=True))
    ]
    return courses + [_course(ground, "lost", end, n, 0.5) for n, end in enumerate(lost_ends)]


def _won_in(ground: Ground, month: date) -> int:
    """Sales won in a month. What one month has more, the other of the same pair has less: years stay comparable."""
    age = ground.months_old(month)
    if age < 3:
        return (0, 2, 4)[age]
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
    level = 7900 * 1.055 ** ground.years_old(day)
    fee = level * 2.718281828 ** (0.3 * NormalDist().inv_cdf(min(max(quantile + rng.uniform(-0.06, 0.06), 0.03), 0.97)))
    return _Course(tuple(stages), Decimal(round(fee / 25) * 25), rng, end == "won" and rng.random() < 0.05)


def _closing_moment(ground: Ground, rng: random.Random, day: date) -> datetime:
    """In the office; on the last days of a month sometimes late at night, when somebody brings the CRM up to date."""
    if (day + DAY).day == 1 and rng.random() < 0.5:
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
        free = [one for one in offered if one.id not in self.sold and one.owner_id != buyer_id]
        return min(free, key=lambda one: (abs(one.price[0].value * 32 / 1000 - course.fee), one.id), default=None)


def _amounts(course: _Course) -> Changes[Decimal]:
    """The fee: a guess when the sale is opened, agreed when it is reserved, and at times corrected after it was won."""
    rng, stages = course.rng, course.stages
    changes = [Change(stages[0].at, Decimal(round(float(course.fee) * rng.uniform(0.93, 1.1) / 100) * 100))]
    if len(stages) > 1:
        agreed = next((change.at for change in stages if change.value == "reservation"), stages[-1].at)
        changes.append(Change(agreed, course.fee))
    if stages[-1].value == "won" and rng.random() < 0.09:
        at = stages[-1].at + timedelta(seconds=rng.randrange(2 * 24 * HOUR, 20 * 24 * HOUR))
        changes.append(Change(at, Decimal(round(float(course.fee) * rng.uniform(0.88, 1.07) / 25) * 25)))
    return tuple(changes)


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


# What they do to each other


def grown_contacts(
    ground: Ground, contacts: Iterable[Contact], listings: Sequence[Listing], made: Sequence[Sale]
) -> list[Contact]:
    """The contacts with what became of them, and with who recommended them."""
    owners = {listing.id: listing.owner_id for listing in listings}
    steps: dict[int, list[Change[str]]] = defaultdict(list)
    for listing in listings:
        steps[listing.owner_id].append(Change(listing.entered_at, "opportunity"))
    for sale in (sale for sale in made if sale.archived_at is None):
        steps[sale.buyer_id].append(Change(sale.stages[0].at, "opportunity"))
        for won in (change.at for change in sale.stages[-1:] if change.value == "won"):
            steps[sale.buyer_id].append(Change(won, "customer"))
            steps[owners[sale.listing_id]].append(Change(won, "customer"))
    grown = [replace(one, lifecycle=_upwards([*one.lifecycle, *steps[one.id]])) for one in contacts]
    return _recommended(ground, grown, made)


def _upwards(changes: list[Change[str]]) -> Changes[str]:
    kept: list[Change[str]] = []
    for change in sorted(changes, key=lambda change: (change.at, LIFECYCLES.index(change.value))):
        if not kept or LIFECYCLES.index(change.value) > LIFECYCLES.index(kept[-1].value):
            kept.append(change)
    return tuple(kept)


def _recommended(ground: Ground, contacts: list[Contact], made: Sequence[Sale]) -> list[Contact]:
    won = sorted((s.stages[-1].at, s.buyer_id) for s in made if s.archived_at is None and s.stages[-1].value == "won")
    by_month: dict[date, list[int]] = defaultdict(list)
    for place, contact in enumerate(contacts[IMPORTED:], start=IMPORTED):
        if contact.archived_at is None:
            by_month[ground.day_of(contact.lifecycle[0].at).replace(day=1)].append(place)
    for month, places in by_month.items():
        for place in places:
            contacts[place] = _perhaps_recommended(ground, month, contacts[place], won, contacts)
    return contacts


def _perhaps_recommended(
    ground: Ground, month: date, contact: Contact, won: list[tuple[datetime, int]], contacts: Sequence[Contact]
) -> Contact:
    """One in twenty comes from somebody who has bought; a few from a former customer, or from nobody knows whom."""
    rng = ground.chance("referral", month, contact.id)
    drawn, at = rng.random(), contact.lifecycle[0].at
    if drawn < 0.054:
        buyers = [buyer_id for since, buyer_id in won if since < at]
        return replace(contact, channel="referral", referrer_id=rng.choice(buyers)) if buyers else contact
    if drawn < 0.066:
        return replace(contact, channel="referral", referrer_id=contacts[rng.randrange(IMPORTED)].id)
    return replace(contact, channel="referral") if drawn < 0.072 else contact


def grown_listings(listings: Iterable[Listing], made: Sequence[Sale]) -> list[Listing]:
    """The listings, taken off the portals when they are sold."""
    sold = {
        sale.listing_id: sale.stages[-1].at
        for sale in made
        if sale.archived_at is None and sale.stages[-1].value == "won"
    }
    return [_taken_off(listing, sold[listing.id]) if listing.id in sold else listing for listing in listings]


def _taken_off(listing: Listing, at: datetime) -> Listing:
    portals = tuple(change for change in listing.portals if change.at < at)
    price = tuple(change for change in listing.price if change.at < at) or listing.price[:1]
    mandate = tuple(change for change in listing.mandate if change.at < at) or listing.mandate[:1]
    return replace(listing, portals=(*portals, Change(at + timedelta(hours=2), ())), price=price, mandate=mandate)
