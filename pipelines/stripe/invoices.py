"""Invoices: one record an invoice, as it was when it was last read.

Belongs here: what is kept of an invoice, and the facts that it states. Does not: how it is read (`reading`).

* `invoice.issued`: when it was finalised. A draft is no invoice yet, and states nothing;
* `invoice.paid`: when it was paid in full, by whatever means;
* `invoice.voided`: when it was declared void, with the amount that no longer holds as a negative one.

All amounts are after discounts and without tax (`total_excluding_tax`). An invoice that is written off as uncollectible
remains issued. Nothing of the customer but their id is kept, and of the metadata only what the options name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from pipelines.source import Account, Stream
from pipelines.stripe.api import Item
from pipelines.stripe.money import amount, currency
from pipelines.stripe.reading import OF_CUSTOMERS, Kind, fetch, id_of, is_ahead
from pipelines.stripe.stating import address, instant, stated

FEEDS = ("invoice.issued", "invoice.paid", "invoice.voided")
CHANGES = (
    "invoice.deleted",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.updated",
    "invoice.voided",
)
PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "status": pl.String(),
        "customer": pl.String(),
        "currency": pl.String(),
        "total_excluding_tax": pl.String(),
        "finalized_at": pl.String(),
        "paid_at": pl.String(),
        "voided_at": pl.String(),
        "is_ahead": pl.Boolean(),
        "category": pl.String(),
        "product": pl.String(),
    }
)

_STATUSES = ("draft", "open", "paid", "uncollectible", "void")
_KEPT = ("id", "status", "currency", "total_excluding_tax", "livemode", "created")
_TRANSITIONS = ("finalized_at", "paid_at", "voided_at")


def invoices(account: Account, labels: Mapping[str, str | None], *, livemode: bool) -> Stream:
    """The stream. labels: `category` and `product`, each with the key of the metadata that has it."""
    kind = Kind(
        name="invoices",
        path="/v1/invoices",
        object="invoice",
        changes=CHANGES,
        kept=lambda item, now: _kept(item, now, labels),
        keeps="&".join(f"{label}={key}" for label, key in sorted(labels.items()) if key),
    )
    return Stream(
        name=kind.name,
        feeds=FEEDS,
        fetch=lambda read: fetch(account, kind, read, livemode=livemode),
        payload=PAYLOAD,
        facts=lambda records: facts(records, livemode=livemode),
        people=OF_CUSTOMERS,
    )


def _kept(item: Item, now: datetime, labels: Mapping[str, str | None]) -> dict[str, Any]:
    transitions, metadata = item.get("status_transitions") or {}, item.get("metadata") or {}
    return {
        **{name: item.get(name) for name in _KEPT},
        "customer": id_of(item.get("customer")),
        **{name: transitions.get(name) for name in _TRANSITIONS},
        "is_ahead": is_ahead(now, *(transitions.get(name) for name in _TRANSITIONS)),
        **{label: metadata.get(key) if key else None for label, key in labels.items()},
    }


def facts(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What invoices state."""
    said = records.filter(pl.col("status").ne_missing("draft")).with_columns(
        *(instant(name) for name in _TRANSITIONS),
        net=amount("total_excluding_tax"),
        said_currency=pl.col("currency"),
        currency=currency(),
        source_url=address("invoices", livemode=livemode),
    )
    sound = said.with_columns(problem=_problem())
    is_paid, is_void = pl.col("status") == "paid", pl.col("status") == "void"
    return pl.concat(
        [
            stated(sound, "invoice", "invoice.issued", "finalized_at", pl.col("net"), "category", "product"),
            stated(sound.filter(is_paid), "invoice", "invoice.paid", "paid_at", pl.col("net"), "category", "product"),
            stated(
                sound.filter(is_void), "invoice", "invoice.voided", "voided_at", -pl.col("net"), "category", "product"
            ),
        ]
    )


def _problem() -> pl.Expr:
    """Why an invoice that is no draft cannot be understood; null where it can."""

    def shown(name: str) -> pl.Expr:
        return pl.col(name).fill_null("nothing")

    def lacks(status: str, name: str) -> pl.Expr:
        return (pl.col("status") == status) & pl.col(name).is_null()

    is_known = pl.col("status").is_in(_STATUSES).fill_null(value=False)
    return (
        pl.when(~is_known)
        .then(pl.format("status: none that the vendor documents ({})", shown("status")))
        .when(pl.col("finalized_at").is_null())
        .then(pl.lit("status_transitions.finalized_at: not a time, but the invoice is no draft"))
        .when(lacks("paid", "paid_at"))
        .then(pl.lit("status_transitions.paid_at: not a time, but the invoice is paid"))
        .when(lacks("void", "voided_at"))
        .then(pl.lit("status_transitions.voided_at: not a time, but the invoice is void"))
        .when(pl.col("is_ahead"))
        .then(pl.lit("status_transitions: a time in the future"))
        .when(pl.col("currency").is_null())
        .then(pl.format("currency: not a currency's code ({})", shown("said_currency")))
        .when(pl.col("net").is_null())
        .then(pl.format("total_excluding_tax: not a whole number ({})", shown("total_excluding_tax")))
    )
