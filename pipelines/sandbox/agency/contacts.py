"""The people whom the agency knows: how they came to it, and what became of them.

Belongs here: contacts, their lifecycle, their duplicates, and who recommended whom. Does not: what they bought
(`sales`) or own (`listings`).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from pipelines.sandbox.agency.office import MARKETS, SEASON
from pipelines.sandbox.company import Change, Changes, Contact, Listing, Sale
from pipelines.sandbox.ground import GOLDEN, HOUR, MINUTE, OPENING, Ground, Kind, identity, numbered, ramp, until

IMPORTED = 240
"""Former customers of the founders, put into the CRM in one go on the founding day."""

LIFECYCLES = ("lead", "marketingqualifiedlead", "opportunity", "customer")


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
    days = sorted(days + 2 * [day for day in ground.days_in(month) if ground.is_changing_clocks(day)])
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
    return Contact(id_, until(lifecycle, archived_at), channel, rng.choice(MARKETS), None, archived_at)


def _channel(rng: random.Random, *, is_working: bool) -> str:
    if is_working:
        return rng.choices(("portal", "web", "phone", "walk_in"), (50, 20, 22, 8))[0]
    return rng.choices(("portal", "web"), (7, 3))[0]


def _online_moment(ground: Ground, rng: random.Random, day: date, number: int) -> datetime:
    """At any hour, mostly in the evening; the first two of a day with a clock change just before and just after it."""
    length = ground.seconds_in(day)
    if ground.is_changing_clocks(day) and number < 2:
        return ground.changing_hours(rng, day, number)
    if rng.random() < 0.06:
        around = rng.choice((0, length - 20 * MINUTE))
        return ground.at(day, around + rng.randrange(20 * MINUTE))
    return ground.at(day, min(int(rng.triangular(0, length, 20.5 * HOUR)), length - 1))


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
    former = [contact.id for contact in contacts[:IMPORTED]]
    by_month: dict[date, list[int]] = defaultdict(list)
    for place, contact in enumerate(contacts[IMPORTED:], start=IMPORTED):
        by_month[ground.day_of(contact.lifecycle[0].at).replace(day=1)].append(place)
    for month, places in by_month.items():
        luck = ground.chance("referrals", month)
        start, share = luck.random(), luck.uniform(0.035, 0.07)
        for number, place in enumerate(places):
            rank = (start + number * GOLDEN) % 1
            contacts[place] = _perhaps_recommended(ground, contacts[place], rank, share, won, former)
    return contacts


def _perhaps_recommended(
    ground: Ground,
    contact: Contact,
    rank: float,
    share: float,
    won: list[tuple[datetime, int]],
    former: list[int],
) -> Contact:
    """Some come from people who have bought, a few from former customers of the founders or from nobody knows whom."""
    if contact.archived_at is not None or rank >= share + 0.018:
        return contact
    rng = ground.chance("referrer", ground.founded, contact.id)
    buyers = [buyer_id for since, buyer_id in won if since < contact.lifecycle[0].at]
    if rank < share:
        return replace(contact, channel="referral", referrer_id=rng.choice(buyers)) if buyers else contact
    return replace(contact, channel="referral", referrer_id=rng.choice(former) if rank < share + 0.012 else None)
