"""Credit notes: one record a credit note, as it was when it was last read.

Belongs here: what is kept of a credit note, and the facts that it states. Does not: how it is read (`reading`), its
amount and labels (`documents`).

* `credit_note.issued`: when it was issued, with what it takes back as a negative amount;
* `credit_note.voided`: when it was declared void, with that amount again.

All amounts are without tax (`total_excluding_tax`), as those of invoices; so what was invoiced, net, is the sum over
`invoice.issued`, `invoice.voided`, `credit_note.issued` and `credit_note.voided`. A credit note is issued on an
invoice, whose category and product are its own: the vendor copies no metadata to it.
(https://docs.stripe.com/api/credit_notes/object)
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from pipelines.source import Account, Stream
from pipelines.stripe.api import Item
from pipelines.stripe.documents import Labels, keeps, labelled, payload, problem, told, understood
from pipelines.stripe.reading import OF_CUSTOMERS, Kind, fetch, id_of, is_ahead

FEEDS = ("credit_note.issued", "credit_note.voided")
CHANGES = ("credit_note.created", "credit_note.updated", "credit_note.voided")
PAYLOAD = payload("created", "voided_at")

_STATUSES = ("issued", "void")
_KEPT = ("id", "status", "currency", "total_excluding_tax", "created", "voided_at", "livemode")


def credit_notes(account: Account, labels: Labels, *, livemode: bool) -> Stream:
    """The stream. labels: `category` and `product`, each with the key of the invoice's metadata that has it."""
    kind = Kind(
        name="credit_notes",
        path="/v1/credit_notes",
        object="credit_note",
        changes=CHANGES,
        kept=lambda item, now: _kept(item, now, labels),
        keeps=keeps(labels),
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


def _kept(item: Item, now: datetime, labels: Labels) -> dict[str, Any]:
    invoice = item.get("invoice")
    metadata = (invoice.get("metadata") if isinstance(invoice, dict) else None) or {}
    return {
        **{name: item.get(name) for name in _KEPT},
        "customer": id_of(item.get("customer")),
        "is_ahead": is_ahead(now, item.get("created"), item.get("voided_at")),
        **labelled(metadata, labels),
    }


def facts(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What credit notes state."""
    is_void = pl.col("status") == "void"
    why = problem(
        _STATUSES,
        (pl.col("created").is_null(), "created: not a time"),
        (is_void & pl.col("voided_at").is_null(), "voided_at: not a time, but the credit note is void"),
        (pl.col("is_ahead"), "created: a time in the future"),
    )
    said = understood(records, "credit_notes", "created", "voided_at", livemode=livemode).with_columns(problem=why)
    return pl.concat(
        [
            told(said, "credit_note.issued", "created", -pl.col("net")),
            told(said.filter(is_void), "credit_note.voided", "voided_at", pl.col("net")),
        ]
    )
