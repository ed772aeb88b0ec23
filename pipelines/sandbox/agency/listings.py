"""The properties that the agency takes on: their mandate, price and portals, until they are sold.

Belongs here: listings. Does not: who buys them (`sales`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from pipelines.sandbox.agency.office import MARKETS, SEASON, agents
from pipelines.sandbox.company import Change, Changes, Listing, Sale
from pipelines.sandbox.ground import (
    DAY,
    HOUR,
    MINUTE,
    OPENING,
    Ground,
    Kind,
    Pool,
    history,
    identity,
    numbered,
    ramp,
    until,
)

PORTALS = (
    ("idealista", 0),
    ("fotocasa", 0),
    ("pisos", 130),
    ("habitaclia", 310),
    ("yaencontre", 500),
    ("indomio", 690),
)
"""Property portals and how many days after the founding the agency begins to use each."""


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
        "listings", month, 20.3 * SEASON[month.month] ** 0.9 * ramp(ground.months_old(month), 0.7, 0.15), 0.1
    )
    rng = ground.chance("mandates", month)
    exclusive = set(
        rng.sample(range(count), min(count, max(0, round(count * 0.44) + rng.choice((-2, -1, 0, 0, 1, 2)))))
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
        mandate=until(_mandate(rng, entered_at, is_exclusive=is_exclusive), archived_at),
        price=until(_price(ground, rng, day, entered_at), archived_at),
        portals=until(_portals(ground, rng, entered_at), archived_at),
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
    return history(changes)


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
    return history(changes)


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
    portals = (*portals, Change(at + timedelta(hours=2), ())) if portals else ()
    return replace(listing, portals=portals, price=price, mandate=mandate)
