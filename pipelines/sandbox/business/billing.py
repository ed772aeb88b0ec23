"""What a business bills: what it sold, subscriptions by the month, and what is agreed with single customers.

Belongs here: subscriptions, and invoices drawn up, issued, paid and voided. Does not: the deals that are billed
(`deals`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from pipelines.sandbox.business.deals import PRODUCT
from pipelines.sandbox.business.people import Acquaintances
from pipelines.sandbox.business.plan import WON, Business, Retainer, Subscribed, in_force
from pipelines.sandbox.company import Deal, Invoice, Subscription, value_at
from pipelines.sandbox.ground import DAY, HOUR, MINUTE, OPENING, Ground, Kind, identity, numbered

TAX_PER_CENT = {"EUR": 21, "COP": 19}


@dataclass(frozen=True)
class _Draft:
    customer_id: int
    sale_id: int | None
    category: str
    product: str | None
    created_at: datetime
    issued_at: datetime
    net_cents: int
    paid_at: datetime | None
    voided_at: datetime | None = None
    currency: str | None = None  # the company's own without one


def names_of(plan: Business, people: Acquaintances) -> dict[int, str]:
    """What the billing calls the customers for whom it has a name."""
    known = [contact for contacts in people.known.values() for contact in contacts]
    owners = [one for one in plan.people.known for _ in range(one.number)]
    ids = sorted(contact.id for contact in known)
    return {id_: one.customer for id_, one in zip(ids, owners, strict=True) if one.customer is not None}


def subscriptions(ground: Ground, plan: Business, people: Acquaintances) -> list[Subscription]:
    """Every subscription, in order: those of customers from the beginning, and those of people who came later."""
    names = names_of(plan, people)
    found = [one for subscribed in plan.subscribed for one in _subscriptions(ground, plan, people, subscribed)]
    found.sort(key=lambda one: (one.started_at, one.customer_id, one.product))
    days = [ground.day_of(one.started_at) for one in found]
    return [
        replace(one, id=identity(Kind.SUBSCRIPTION, day, n), customer=names.get(one.customer_id))
        for one, (day, n) in zip(found, numbered(days), strict=True)
        if day <= ground.last_day
    ]


def _subscriptions(ground: Ground, plan: Business, people: Acquaintances, one: Subscribed) -> Iterator[Subscription]:
    known = sorted(contact.id for contacts in people.known.values() for contact in contacts)
    first_day = ground.working_day_on_or_after(ground.founded + DAY)
    for number, id_ in enumerate(known[: one.at_first]):
        at = ground.at(first_day, OPENING + number)
        yield _subscription(ground, plan, one, id_, at, ground.chance(f"{one.product} known", ground.founded, number))
    taken: set[int] = set()
    for month in ground.months():
        mean = one.a_month * in_force(one.phases, month).volume
        days = ground.spread(one.product, month, ground.volume(one.product, month, mean, 0.15), weekend=0.0)
        for day, number in numbered(days):
            rng = ground.chance(one.product, day, number)
            customer_id = people.leads.draw(rng, day, 120, taken) if day <= ground.last_day else None
            if customer_id is not None:
                taken.add(customer_id)
                yield _subscription(ground, plan, one, customer_id, ground.office_moment(rng, day), rng)


def _subscription(
    ground: Ground, plan: Business, one: Subscribed, customer_id: int, started_at: datetime, rng: random.Random
) -> Subscription:
    ended_at = _ended_at(ground, one, ground.day_of(started_at), rng)
    return Subscription(0, customer_id, one.product, one.cents, started_at, ended_at, plan.currency)


def _ended_at(ground: Ground, one: Subscribed, started: date, rng: random.Random) -> datetime | None:
    """Each month some leave; who has not left within ten years is not told of."""
    month = (started.replace(day=1) + DAY * 31).replace(day=1)
    for _ in range(120):
        if rng.random() < one.leaves * in_force(one.phases, month).pace:
            day = month + DAY * rng.randrange(28)
            return ground.at(day, rng.randrange(8 * HOUR, 20 * HOUR))
        month = (month + DAY * 31).replace(day=1)
    return None


def invoices(
    ground: Ground, plan: Business, people: Acquaintances, billed: Iterable[Deal], subscribed: Sequence[Subscription]
) -> list[Invoice]:
    """Every invoice drawn up, in order."""
    drafts = [draft for deal in billed for draft in _of_deal(ground, deal)]
    for month in ground.months():
        drafts += _of_subscriptions(ground, month, subscribed)
        drafts += [draft for one in plan.retainers for draft in _of_retainer(ground, month, people, one)]
    drafts.sort(key=lambda draft: (draft.created_at, draft.category, draft.customer_id, draft.net_cents))
    names = names_of(plan, people)
    days = [ground.day_of(draft.created_at) for draft in drafts]
    return [
        Invoice(
            id=identity(Kind.INVOICE, day, n),
            customer_id=draft.customer_id,
            sale_id=draft.sale_id,
            category=draft.category,
            created_at=draft.created_at,
            issued_at=draft.issued_at,
            net_cents=draft.net_cents,
            tax_cents=round(draft.net_cents * TAX_PER_CENT[plan.currency] / 100),
            paid_at=draft.paid_at,
            voided_at=draft.voided_at,
            product=draft.product,
            currency=draft.currency or plan.currency,
            customer=names.get(draft.customer_id),
        )
        for draft, (day, n) in zip(drafts, numbered(days), strict=True)
        if day <= ground.last_day
    ]


def _of_deal(ground: Ground, deal: Deal) -> list[_Draft]:
    """The invoice after the deal is won; voided and drawn up again when the amount was wrong."""
    if deal.archived_at is not None or deal.stages[-1].value != WON:
        return []
    rng = ground.chance("invoice", ground.founded, deal.id)
    first = _draft(ground, rng, deal, ground.answered_after(deal.stages[-1].at, rng.randrange(HOUR, 70 * HOUR)))
    is_wrong = deal.amount[-1].at > first.issued_at and rng.random() < 0.7
    if not is_wrong and rng.random() >= 0.02:
        return [first]
    voided_at = ground.answered_after(max(deal.amount[-1].at, first.issued_at), rng.randrange(HOUR, 60 * HOUR))
    again = _draft(ground, rng, deal, voided_at + timedelta(seconds=rng.randrange(MINUTE, 2 * HOUR)))
    return [replace(first, paid_at=None, voided_at=voided_at), again]


def _draft(ground: Ground, rng: random.Random, deal: Deal, created_at: datetime) -> _Draft:
    issued_at = created_at + timedelta(seconds=rng.randrange(MINUTE, 30 * MINUTE))
    amount, product = value_at(deal.amount, issued_at), deal.says.get(PRODUCT)
    assert amount is not None
    return _Draft(
        deal.contact_id,
        deal.id,
        "proyecto",
        product[-1].value if product else None,
        created_at,
        issued_at,
        int(amount * 100),
        _paid_at(ground, rng, issued_at),
        currency=deal.currency,
    )


def _paid_at(ground: Ground, rng: random.Random, issued_at: datetime) -> datetime | None:
    return None if rng.random() < 0.03 else ground.answered_after(issued_at, rng.randrange(24 * HOUR, 45 * 24 * HOUR))


def _of_subscriptions(ground: Ground, month: date, subscribed: Sequence[Subscription]) -> Iterator[_Draft]:
    """All of a month are written by a batch, in the same second."""
    day = ground.working_day_on_or_after(month)
    if day < ground.founded or day > ground.last_day:
        return
    at = ground.at(day, 7 * HOUR)
    for one in subscribed:
        if one.started_at < at and (one.ended_at is None or one.ended_at >= at):
            rng = ground.chance("month", month, one.id)
            paid_at = _paid_at(ground, rng, at)
            yield _Draft(one.customer_id, None, "suscripcion", one.product, at, at, one.amount_cents, paid_at)


def _of_retainer(ground: Ground, month: date, people: Acquaintances, one: Retainer) -> Iterator[_Draft]:
    day = ground.working_day_on_or_after(month + DAY * 4)
    if day <= ground.founded or day > ground.last_day:
        return
    for contact in people.known[one.segment]:
        rng = ground.chance(f"{one.product} {one.category}", month, contact.id)
        at = ground.office_moment(rng, day)
        cents = round(one.cents * in_force(one.phases, month).amount * rng.uniform(0.96, 1.04) / 100) * 100
        yield _Draft(contact.id, None, one.category, one.product, at, at, cents, _paid_at(ground, rng, at))
