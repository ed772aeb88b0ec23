"""The company's invoices as Stripe's objects: as they are at an instant, and as events show them.

Belongs here: what each object looks like, and the events of its life. Does not: subscriptions (`subscriptions`), paths,
lists, limits (`sandbox.stripe`).

Names, addresses and texts of people are in them, as they are in the vendor's.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from pipelines.sandbox.company import Company, Invoice, Subscription, mail_address

ACCOUNTS_VERSION = "2020-08-27"
"""The version in which events show their objects: older than what clients ask for, and without amounts before tax."""

LINES_SHOWN = 10
_OFF = {"id": "di_off", "object": "discount", "source": {"type": "coupon", "coupon": {"duration": "forever"}}}
Json = dict[str, Any]


def invoice(one: Invoice, now: datetime) -> Json:
    """An invoice as it is at an instant, in the version of the API that clients ask for."""
    finalized, paid, voided = (
        at if at is not None and at <= now else None for at in (one.issued_at, one.paid_at, one.voided_at)
    )
    status = "void" if voided else "paid" if paid else "open" if finalized else "draft"
    total = one.net_cents + one.tax_cents
    return {
        "id": f"in_{one.id}",
        "object": "invoice",
        "livemode": True,
        "created": seconds(one.created_at),
        "status": status,
        "customer": customer_of(one),
        "customer_name": "Marta Ruiz",
        "customer_email": f"marta.ruiz.{one.customer_id}@correo.example",
        "customer_phone": "+34 600 123 456",
        "customer_address": {"line1": "Calle Mayor 1", "city": "Madrid", "country": "ES"},
        "currency": one.currency.lower(),
        "description": "Honorarios, Marta Ruiz",
        "metadata": {
            "category": one.category,
            **({"sale": str(one.sale_id)} if one.sale_id else {}),
            **({"product": one.product} if one.product else {}),
        },
        "number": None if status == "draft" else f"AG-{one.id}",
        "subtotal": one.net_cents,
        "subtotal_excluding_tax": one.net_cents,
        "total": total,
        "total_excluding_tax": one.net_cents,
        "amount_due": total,
        "amount_paid": total if status == "paid" else 0,
        "amount_remaining": 0 if status in ("paid", "void") else total,
        "status_transitions": {
            "finalized_at": seconds(finalized) if finalized else None,
            "marked_uncollectible_at": None,
            "paid_at": seconds(paid) if paid else None,
            "voided_at": seconds(voided) if voided else None,
        },
        "discounts": [],
        "lines": {
            "object": "list",
            "url": f"/v1/invoices/in_{one.id}/lines",
            "has_more": len(one.lines) > LINES_SHOWN,
            "data": [
                {**line, "discounts": [one["id"] for one in line["discounts"]]} for line in lines(one)[:LINES_SHOWN]
            ],
        },
    }


def lines(one: Invoice) -> list[Json]:
    """What an invoice bills of subscriptions, each line with its discounts whole: an invoice shows their ids alone."""
    return [
        {
            "id": f"il_{one.id}_{number}",
            "object": "line_item",
            "livemode": True,
            "amount": line.cents,
            "currency": one.currency.lower(),
            "description": "Servicio de Marta Ruiz",
            "discount_amounts": [{"amount": line.off_cents, "discount": _OFF["id"]}] if line.off_cents else [],
            "discounts": [_OFF] if line.off_cents else [],
            "invoice": f"in_{one.id}",
            "metadata": {},
            "parent": {
                "type": "subscription_item_details",
                "invoice_item_details": None,
                "subscription_item_details": {
                    "proration": line.is_prorated,
                    "subscription": f"sub_{line.subscription}",
                    "subscription_item": f"si_{line.subscription}",
                },
            },
            "period": {"start": seconds(line.start), "end": seconds(line.end)},
            "quantity": 1,
            "taxes": [],
        }
        for number, line in enumerate(one.lines)
    ]


def _as_was(one: Invoice, at: datetime) -> Json:
    """An invoice as an event shows it."""
    newer = ("subtotal_excluding_tax", "total_excluding_tax")
    older = {name: value for name, value in invoice(one, at).items() if name not in newer}
    return {**older, "tax": one.tax_cents}


def charge(one: Invoice, paid_at: datetime) -> Json:
    """The charge that paid an invoice."""
    total = one.net_cents + one.tax_cents
    method = ("card", "sepa_debit")[one.customer_id % 2]
    return {
        "id": f"ch_{one.id}",
        "object": "charge",
        "livemode": True,
        "created": seconds(paid_at),
        "status": "succeeded",
        "paid": True,
        "captured": True,
        "amount": total,
        "amount_captured": total,
        "amount_refunded": 0,
        "refunded": False,
        "currency": one.currency.lower(),
        "customer": customer_of(one),
        "description": "Honorarios, Marta Ruiz",
        "receipt_email": f"marta.ruiz.{one.customer_id}@correo.example",
        "billing_details": {"name": "Marta Ruiz", "email": None, "phone": "+34 600 123 456"},
        "payment_method_details": {"type": method, method: {"last4": "4242"}},
        "metadata": {},
    }


def credit_note(one: Invoice, number: int, now: datetime) -> Json:
    """A part of an invoice that is taken back, with the invoice that it is of."""
    back = one.taken_back[number]
    is_void = back.undone_at is not None and back.undone_at <= now
    return {
        "id": f"cn_{one.id}_{number}",
        "object": "credit_note",
        "livemode": True,
        "created": seconds(back.at),
        "effective_at": seconds(back.at),
        "status": "void" if is_void else "issued",
        "customer": customer_of(one),
        "currency": one.currency.lower(),
        "invoice": invoice(one, now),
        "memo": "Descuento para Marta Ruiz",
        "metadata": {},
        "number": f"AG-{one.id}-CN-{number}",
        "reason": "order_change",
        "total": back.cents + round(back.cents * one.tax_cents / one.net_cents),
        "total_excluding_tax": back.cents,
        "voided_at": seconds(back.undone_at) if is_void and back.undone_at else None,
    }


def refund(one: Invoice, number: int, now: datetime) -> Json:
    """Money given back, with the charge that it is of. It has no mode, and no customer of its own."""
    back = one.taken_back[number]
    assert one.paid_at is not None
    return {
        "id": f"re_{one.id}_{number}",
        "object": "refund",
        "amount": back.cents,
        "charge": charge(one, one.paid_at),
        "created": seconds(back.at),
        "currency": one.currency.lower(),
        "metadata": {},
        "reason": "requested_by_customer",
        "status": "failed" if back.undone_at is not None and back.undone_at <= now else "succeeded",
    }


def dispute(one: Invoice, number: int, now: datetime) -> Json:
    """A payment that a bank takes back, with the charge that it is of, and how its money moved."""
    back = one.taken_back[number]
    assert one.paid_at is not None
    is_won = back.undone_at is not None and back.undone_at <= now
    moves = [(back.at, -back.cents)] + ([(back.undone_at, back.cents)] if is_won and back.undone_at else [])
    return {
        "id": f"du_{one.id}_{number}",
        "object": "dispute",
        "livemode": True,
        "amount": back.cents,
        "balance_transactions": [
            {"id": f"txn_{n}", "amount": cents, "created": seconds(at), "currency": "eur"}
            for n, (at, cents) in enumerate(moves)
        ],
        "charge": charge(one, one.paid_at),
        "created": seconds(back.at),
        "currency": one.currency.lower(),
        "evidence": {"customer_name": "Marta Ruiz", "customer_email_address": "marta.ruiz@correo.example"},
        "metadata": {},
        "reason": "fraudulent",
        "status": "won" if is_won else "needs_response",
    }


TAKEN = {"credit": credit_note, "refund": refund, "dispute": dispute}
_LIVES = {
    "credit": ("credit_note.created", "credit_note.voided"),
    "refund": ("refund.created", "refund.failed"),
    "dispute": ("charge.dispute.funds_withdrawn", "charge.dispute.closed"),
}


def taken_back(one: Invoice) -> list[Json]:
    """Every event of what takes an invoice or its payment back."""
    events = []
    for number, back in enumerate(one.taken_back):
        moments = zip(_LIVES[back.kind], (back.at, back.undone_at), strict=True)
        events += [
            event_of(type_, at, alone(TAKEN[back.kind](one, number, at))) for type_, at in moments if at is not None
        ]
    return events


def alone(item: Json, expanded: Collection[str] = ()) -> Json:
    """An object that names those beside it by their ids, but for the expanded ones."""
    beside = {name for name in ("charge", "invoice") if isinstance(item.get(name), dict)} - {*expanded}
    return {name: value["id"] if name in beside else value for name, value in item.items()}


def invoiced(one: Invoice, deleted_at: datetime | None) -> list[Json]:
    """Every event that an invoice and its charge ever had, or will have. deleted_at: of a draft."""
    created = event_of("invoice.created", one.created_at, _as_was(one, one.created_at))
    if deleted_at is not None:
        return [created, event_of("invoice.deleted", deleted_at, _as_was(one, deleted_at))]
    moments = {
        "invoice.finalized": one.issued_at,
        "invoice.paid": one.paid_at,
        "invoice.voided": one.voided_at,
    }
    events = [event_of(type_, at, _as_was(one, at)) for type_, at in moments.items() if at is not None]
    if one.paid_at is not None:
        events.append(event_of("charge.succeeded", one.paid_at, charge(one, one.paid_at)))
    return [created, *events]


def customers(company: Company, present: datetime) -> list[Json]:
    """Everybody who was invoiced or has subscribed, as they are at an instant."""
    contacts = {contact.id: contact for contact in company.contacts}
    begun = [(one, one.created_at) for one in company.invoices] + [
        (one, one.started_at) for one in company.subscriptions
    ]
    first: dict[str, tuple[datetime, int]] = {}
    for one, at in begun:
        if at <= present:
            first[customer_of(one)] = min((at, one.customer_id), first.get(customer_of(one), (at, one.customer_id)))
    return [
        {
            "id": id_,
            "object": "customer",
            "livemode": True,
            "created": seconds(at),
            "name": "Marta Ruiz",
            "email": mail_address(person, contacts[person].says if person in contacts else {}),
            "phone": "+34 600 123 456",
            "address": {"line1": "Calle Mayor 1", "city": "Madrid", "country": "ES"},
            "metadata": {"crm": str(person)},
        }
        for id_, (at, person) in first.items()
    ]


def known(customer: Json, deleted_at: datetime | None) -> list[Json]:
    """Every event that a customer ever had."""
    created = datetime.fromtimestamp(customer["created"], UTC)
    events = [event_of("customer.created", created, customer)]
    return events if deleted_at is None else [*events, event_of("customer.deleted", deleted_at, customer)]


def customer_of(one: Invoice | Subscription) -> str:
    """The id of the customer of either."""
    return f"cus_{one.customer or one.customer_id}"


def event_of(type_: str, at: datetime, changed: Json) -> Json:
    """An event, with its object as it was then."""
    return {
        "id": f"evt_{changed['id']}_{type_.replace('.', '_')}",
        "object": "event",
        "api_version": ACCOUNTS_VERSION,
        "created": seconds(at),
        "livemode": True,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": type_,
        "data": {"object": changed},
    }


def seconds(at: datetime) -> int:
    """An instant as the vendor writes it."""
    return int(at.timestamp())
