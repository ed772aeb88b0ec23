"""Charges: one record a charge, as it was when it was last read.

Belongs here: what is kept of a charge, and the fact that it states. Does not: how it is read (`reading`).

`payment.received`: a charge that succeeded and was captured, with the amount captured, tax included. It happens when
the charge was created, as the vendor keeps no later time: for a direct debit, which succeeds days later, and for a card
that is captured later, that is when it was begun, so that such a payment comes to be known late.

What was given back is still received: refunds and disputes say so beside it (`given_back`). Payments that the vendor
only notes ("paid out of band") are no charges: their invoices are paid, but nothing is received here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.source import Account, Stream
from pipelines.stripe.api import Item
from pipelines.stripe.money import amount, currency
from pipelines.stripe.reading import OF_CUSTOMERS, Kind, fetch, id_of, is_ahead
from pipelines.stripe.stating import address, instant

CHANGES = ("charge.captured", "charge.expired", "charge.failed", "charge.succeeded", "charge.updated")
PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "status": pl.String(),
        "captured": pl.Boolean(),
        "customer": pl.String(),
        "currency": pl.String(),
        "amount_captured": pl.String(),
        "created": pl.String(),
        "is_ahead": pl.Boolean(),
        "payment_method_type": pl.String(),
    }
)
UNDER_WAY = timedelta(days=14)
"""How long a direct debit may take to succeed."""

_STATUSES = ("failed", "pending", "succeeded")
_KEPT = ("id", "status", "captured", "currency", "amount_captured", "created", "livemode")


def charges(account: Account, *, livemode: bool) -> Stream:
    """The stream."""
    kind = Kind(name="charges", path="/v1/charges", object="charge", changes=CHANGES, kept=_kept)
    return Stream(
        name=kind.name,
        feeds=("payment.received",),
        fetch=lambda read: fetch(account, kind, read, livemode=livemode),
        payload=PAYLOAD,
        facts=lambda records: facts(records, livemode=livemode),
        people=OF_CUSTOMERS,
        lateness=UNDER_WAY,
    )


def _kept(item: Item, now: datetime) -> dict[str, Any]:
    return {
        **{name: item.get(name) for name in _KEPT},
        "customer": id_of(item.get("customer")),
        "is_ahead": is_ahead(now, item.get("created")),
        "payment_method_type": (item.get("payment_method_details") or {}).get("type"),
    }


def facts(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What charges state."""
    is_known = pl.col("status").is_in(_STATUSES).fill_null(value=False)
    is_received = (pl.col("status") == "succeeded") & pl.col("captured").fill_null(value=True)
    received = records.filter(~is_known | is_received)
    at, how_much = instant("created"), amount("amount_captured")

    def shown(name: str) -> pl.Expr:
        return pl.col(name).fill_null("nothing")

    problem = (
        pl.when(~is_known)
        .then(pl.format("status: none that the vendor documents ({})", shown("status")))
        .when(pl.col("captured").is_null())
        .then(pl.lit("captured: not said"))
        .when(at.is_null() | pl.col("is_ahead"))
        .then(pl.format("created: not a past time ({})", shown("created")))
        .when(currency().is_null())
        .then(pl.format("currency: not a currency's code ({})", shown("currency")))
        .when(how_much.is_null())
        .then(pl.format("amount_captured: not a whole number ({})", shown("amount_captured")))
    )
    return received.select(
        "record_key",
        fact_key=pl.format("charge/{}/received", "id"),
        event_type=pl.lit("payment.received"),
        subject_id="id",
        account_id="customer",
        occurred_at=at.cast(UTC_MICROSECONDS),
        amount=how_much,
        currency=currency(),
        channel="payment_method_type",
        source_url=address("payments", livemode=livemode),
        problem=problem,
    )
