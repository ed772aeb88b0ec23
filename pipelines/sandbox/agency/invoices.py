"""What the agency bills: its fees, valuations, and the management of let properties.

Belongs here: invoices, drawn up, issued, paid and voided. Does not: the sales that are billed (`sales`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from pipelines.sandbox.company import Invoice, Listing, Sale, value_at
from pipelines.sandbox.ground import DAY, HOUR, MINUTE, Ground, Kind, Pool, identity, numbered


def invoices(ground: Ground, sales: Sequence[Sale], listings: Sequence[Listing], people: Pool) -> list[Invoice]:
    """Every invoice drawn up, in order: fees of sales won, valuations, and the management of let properties."""
    owners = {listing.id: listing.owner_id for listing in listings}
    drafts = [draft for sale in sales for draft in _fees(ground, sale, owners[sale.listing_id])]
    for month in ground.months():
        drafts += _valuations(ground, month, people) + _managements(ground, month, people)
    drafts.sort(key=lambda draft: (draft.created_at, draft.category, draft.customer_id, draft.net_cents))
    days = [ground.day_of(draft.created_at) for draft in drafts]
    return [
        _invoice(day, n, draft)
        for draft, (day, n) in zip(drafts, numbered(days), strict=True)
        if day <= ground.last_day
    ]


@dataclass(frozen=True)
class _Draft:
    customer_id: int
    sale_id: int | None
    category: str
    created_at: datetime
    issued_at: datetime
    net_cents: int
    paid_at: datetime | None
    voided_at: datetime | None


def _invoice(day: date, number: int, draft: _Draft) -> Invoice:
    tax_cents = round(draft.net_cents * 21 / 100)
    return Invoice(
        identity(Kind.INVOICE, day, number), draft.customer_id, draft.sale_id, draft.category, draft.created_at,
        draft.issued_at, draft.net_cents, tax_cents, draft.paid_at, draft.voided_at,
    )  # fmt: skip


def _fees(ground: Ground, sale: Sale, owner_id: int) -> list[_Draft]:
    """The seller's invoice after the sale is won; voided and drawn up again when the amount was wrong."""
    if sale.archived_at is not None or sale.stages[-1].value != "won":
        return []
    rng = ground.chance("fee", ground.founded, sale.id)
    created_at = ground.answered_after(sale.stages[-1].at, rng.randrange(HOUR, 40 * HOUR))
    first = _draft(ground, rng, sale, owner_id, created_at)
    if sale.amount[-1].at <= first.issued_at and rng.random() >= 0.03:
        return [first]
    if sale.amount[-1].at > first.issued_at and rng.random() < 0.3:
        return [first]  # settled between them; the CRM and the books differ from now on
    voided_at = ground.answered_after(max(sale.amount[-1].at, first.issued_at), rng.randrange(HOUR, 60 * HOUR))
    again = _draft(ground, rng, sale, owner_id, voided_at + timedelta(seconds=rng.randrange(MINUTE, 2 * HOUR)))
    return [_voided(first, voided_at), again]


def _voided(draft: _Draft, at: datetime) -> _Draft:
    return replace(draft, paid_at=None, voided_at=at)


def _draft(ground: Ground, rng: random.Random, sale: Sale, owner_id: int, created_at: datetime) -> _Draft:
    issued_at = _issued_at(ground, rng, created_at)
    amount = value_at(sale.amount, issued_at)
    assert amount is not None
    return _Draft(
        owner_id, sale.id, "fee", created_at, issued_at, int(amount * 100), _paid_at(ground, rng, issued_at), None
    )


def _issued_at(ground: Ground, rng: random.Random, created_at: datetime) -> datetime:
    if rng.random() < 0.15:
        return ground.answered_after(created_at, rng.randrange(24 * HOUR, 96 * HOUR))
    return created_at + timedelta(seconds=rng.randrange(MINUTE, 30 * MINUTE))


def _paid_at(ground: Ground, rng: random.Random, issued_at: datetime) -> datetime | None:
    return None if rng.random() < 0.04 else ground.answered_after(issued_at, rng.randrange(24 * HOUR, 40 * 24 * HOUR))


def _valuations(ground: Ground, month: date, people: Pool) -> list[_Draft]:
    days = ground.spread("valuations", month, ground.volume("valuations", month, 6, 0.3), weekend=0.0)
    drafts = []
    for day, number in numbered(days):
        rng = ground.chance("valuation", day, number)
        customer_id = people.draw(rng, day, 200, frozenset())
        if customer_id is None:
            continue
        created_at = ground.office_moment(rng, day)
        issued_at = _issued_at(ground, rng, created_at)
        voided_at = ground.answered_after(issued_at, rng.randrange(HOUR, 90 * HOUR)) if rng.random() < 0.03 else None
        paid_at = None if voided_at else _paid_at(ground, rng, issued_at)
        net = rng.randrange(240_00, 420_00, 5_00)
        drafts.append(_Draft(customer_id, None, "valuation", created_at, issued_at, net, paid_at, voided_at))
    return drafts


def _managements(ground: Ground, month: date, people: Pool) -> list[_Draft]:
    """One invoice a month for each property managed, all written by a batch in the same second."""
    day = ground.working_day_on_or_after(max(month, ground.founded + DAY * 40))
    if day.month != month.month or day > ground.last_day:
        return []
    at, first_customers = ground.at(day, 7 * HOUR), people.before(ground.founded + DAY)
    drafts = []
    for number in range(6 + ground.months_old(month) // 3):
        contract = ground.chance("contract", ground.founded, number)
        customer_id, net = people.ids[contract.randrange(first_customers)], contract.randrange(70_00, 140_00, 5_00)
        rng = ground.chance("management", month, number)
        drafts.append(_Draft(customer_id, None, "management", at, at, net, _paid_at(ground, rng, at), None))
    return drafts
