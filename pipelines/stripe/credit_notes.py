"""Credit notes: one record a credit note, as it was when it was last read.

Belongs here: what is kept of a credit note, and the facts that it states. Does not: how it is read (`reading`).

* `credit_note.issued`: when it was issued, with what it takes back as a negative amount;
* `credit_note.voided`: when it was declared void, with that amount again.

All amounts are without tax (`total_excluding_tax`), as those of invoices; so what was invoiced, net, is the sum over
`invoice.issued`, `invoice.voided`, `credit_note.issued` and `credit_note.voided`. A credit note is issued on an
invoice, whose category and product are its own: the vendor copies no metadata to it.
(https://docs.stripe.com/api/credit_notes/object)
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

FEEDS = ("credit_note.issued", "credit_note.voided")
CHANGES = ("credit_note.created", "credit_note.updated", "credit_note.voided")
PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "status": pl.String(),
        "customer": pl.String(),
        "currency": pl.String(),
        "total_excluding_tax": pl.String(),
        "created": pl.String(),
        "voided_at": pl.String(),
        "is_ahead": pl.Boolean(),
        "category": pl.String(),
        "product": pl.String(),
    }
)

_STATUSES = ("issued", "void")
_KEPT = ("id", "status", "currency", "total_excluding_tax", "created", "voided_at", "livemode")


def credit_notes(account: Account, labels: Mapping[str, str | None], *, livemode: bool) -> Stream:
    """The stream. labels: `category` and `product`, each with the key of the invoice's metadata that has it."""
    kind = Kind(
        name="credit_notes",
        path="/v1/credit_notes",
        object="credit_note",
        changes=CHANGES,
        kept=lambda item, now: _kept(item, now, labels),
        keeps="&".join(f"{label}={key}" for label, key in sorted(labels.items()) if key),
        expanded="invoice",
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
    invoice = item.get("invoice")
    metadata = (invoice.get("metadata") if isinstance(invoice, dict) else None) or {}
    return {
        **{name: item.get(name) for name in _KEPT},
        "customer": id_of(item.get("customer")),
        "is_ahead": is_ahead(now, item.get("created"), item.get("voided_at")),
        **{label: metadata.get(key) if key else None for label, key in labels.items()},
    }


def facts(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What credit notes state."""
    said = records.with_columns(
        instant("created"),
        instant("voided_at"),
        net=amount("total_excluding_tax"),
        said_currency=pl.col("currency"),
        currency=currency(),
        source_url=address("credit_notes", livemode=livemode),
    ).with_columns(problem=_problem())
    is_void = pl.col("status") == "void"
    return pl.concat(
        [
            stated(said, "credit_note", "credit_note.issued", "created", -pl.col("net"), "category", "product"),
            stated(
                said.filter(is_void),
                "credit_note",
                "credit_note.voided",
                "voided_at",
                pl.col("net"),
                "category",
                "product",
            ),
        ]
    )


def _problem() -> pl.Expr:
    def shown(name: str) -> pl.Expr:
        return pl.col(name).fill_null("nothing")

    is_known = pl.col("status").is_in(_STATUSES).fill_null(value=False)
    return (
        pl.when(~is_known)
        .then(pl.format("status: none that the vendor documents ({})", shown("status")))
        .when(pl.col("created").is_null())
        .then(pl.lit("created: not a time"))
        .when((pl.col("status") == "void") & pl.col("voided_at").is_null())
        .then(pl.lit("voided_at: not a time, but the credit note is void"))
        .when(pl.col("is_ahead"))
        .then(pl.lit("created: a time in the future"))
        .when(pl.col("currency").is_null())
        .then(pl.format("currency: not a currency's code ({})", shown("said_currency")))
        .when(pl.col("net").is_null())
        .then(pl.format("total_excluding_tax: not a whole number ({})", shown("total_excluding_tax")))
    )
