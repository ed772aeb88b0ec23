"""Invoices: one record an invoice, as it was when it was last read.

Belongs here: what is kept of an invoice, and the facts that it states. Does not: how it is read (`reading`), its
amount and labels (`documents`).

* `invoice.issued`: when it was finalised. A draft is no invoice yet, and states nothing;
* `invoice.paid`: when it was paid in full, by whatever means;
* `invoice.voided`: when it was declared void, with the amount that no longer holds as a negative one.

All amounts are after discounts and without tax (`total_excluding_tax`). An invoice that is written off as uncollectible
remains issued. Nothing of the customer but their id is kept, and of the metadata only what the options name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from pipelines.source import Account, Stream
from pipelines.stripe.api import Item
from pipelines.stripe.documents import Labels, keeps, labelled, payload, problem, told, understood
from pipelines.stripe.reading import OF_CUSTOMERS, Kind, fetch, id_of, is_ahead

FEEDS = ("invoice.issued", "invoice.paid", "invoice.voided")
CHANGES = (
    "invoice.deleted",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.updated",
    "invoice.voided",
)
_STATUSES = ("draft", "open", "paid", "uncollectible", "void")
_KEPT = ("id", "status", "currency", "total_excluding_tax", "livemode", "created")
_TRANSITIONS = ("finalized_at", "paid_at", "voided_at")
PAYLOAD = payload(*_TRANSITIONS)


def invoices(account: Account, labels: Labels, *, livemode: bool) -> Stream:
    """The stream. labels: `category` and `product`, each with the key of the metadata that has it."""
    kind = Kind(
        name="invoices",
        path="/v1/invoices",
        object="invoice",
        changes=CHANGES,
        kept=lambda item, now: _kept(item, now, labels),
        keeps=keeps(labels),
    )
    return Stream(
        name=kind.name,
        feeds=FEEDS,
        fetch=lambda read: fetch(account, kind, read, livemode=livemode),
        payload=PAYLOAD,
        facts=lambda records: facts(records, livemode=livemode),
        people=OF_CUSTOMERS,
    )


def _kept(item: Item, now: datetime, labels: Labels) -> dict[str, Any]:
    transitions, metadata = item.get("status_transitions") or {}, item.get("metadata") or {}
    return {
        **{name: item.get(name) for name in _KEPT},
        "customer": id_of(item.get("customer")),
        **{name: transitions.get(name) for name in _TRANSITIONS},
        "is_ahead": is_ahead(now, *(transitions.get(name) for name in _TRANSITIONS)),
        **labelled(metadata, labels),
    }


def facts(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What invoices state."""
    is_paid, is_void = pl.col("status") == "paid", pl.col("status") == "void"
    why = problem(
        _STATUSES,
        (_lacks("finalized_at"), "status_transitions.finalized_at: not a time, but the invoice is no draft"),
        (is_paid & _lacks("paid_at"), "status_transitions.paid_at: not a time, but the invoice is paid"),
        (is_void & _lacks("voided_at"), "status_transitions.voided_at: not a time, but the invoice is void"),
        (pl.col("is_ahead"), "status_transitions: a time in the future"),
    )
    invoices = records.filter(pl.col("status").ne_missing("draft"))
    said = understood(invoices, "invoices", *_TRANSITIONS, livemode=livemode).with_columns(problem=why)
    return pl.concat(
        [
            told(said, "invoice.issued", "finalized_at", pl.col("net")),
            told(said.filter(is_paid), "invoice.paid", "paid_at", pl.col("net")),
            told(said.filter(is_void), "invoice.voided", "voided_at", -pl.col("net")),
        ]
    )


def _lacks(name: str) -> pl.Expr:
    return pl.col(name).is_null()
