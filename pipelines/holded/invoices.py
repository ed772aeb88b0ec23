"""Invoices: one record an invoice with its payments, as it was when it was last read.

Belongs here: what is kept of an invoice beside what every document has, and the facts that it states of itself. Does
not: how it is read (`reading`), what a day or an amount is (`documents`), what its payments say (`payments`).

* `invoice.issued`: on its date, once it is approved;
* `invoice.paid`: on the day since which it has been paid in full;
* `invoice.voided`: once it is annulled, on its own date, with the amount that no longer holds as a negative one;
* `payment.received`: each of its payments, tax included, and `payment.refunded`, negative, where one was given back.

Amounts of invoices are without tax. An invoice of which nothing is pending and nothing was paid (a credit note came to
as much) was not paid. Where the options leave payments out, nobody asks when an invoice was paid: only what was issued
and annulled is stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from pipelines.holded import payments
from pipelines.holded.api import Item
from pipelines.holded.documents import SOLD, amount, stated, understood_sold
from pipelines.holded.options import SALES, HoldedOptions
from pipelines.holded.reading import OF_CONTACTS, Kind, Moments, fetch, of_customer
from pipelines.holded.texts import amount as amount_of
from pipelines.source import Account, Stream

FEEDS = ("invoice.issued", "invoice.voided")
PAYLOAD = pl.Struct({**SOLD, **payments.PAYLOAD})
_LESS_THAN_A_CENT = 0.005


def invoices(account: Account, options: HoldedOptions) -> Stream:
    """The stream."""
    kind = Kind("invoices", SALES, options.labels, kept)
    if options.payments:
        kind = replace(kind, is_paid=is_paid)
    return Stream(
        name="invoices",
        feeds=FEEDS + payments.FEEDS if options.payments else FEEDS,
        fetch=lambda read: fetch(account, kind, options, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, account.zone, with_payments=options.payments),
        mapping_version="2",
        people=OF_CONTACTS,
        lateness=timedelta(days=max(options.whole_days, 3)),
        most_removed=options.most_removed,
    )


def kept(item: Item, _moments: Moments) -> Mapping[str, Any]:
    """What is kept of an invoice beside what is of every document."""
    return {**of_customer(item), **payments.kept(item)}


def is_paid(item: Item) -> bool:
    """Whether something was paid of a listed invoice, or given back; where that cannot be read, it has to be asked."""
    try:
        return any(Decimal(amount_of(item.get(name)) or "0") != 0 for name in ("payments_total", "payments_refunds"))
    except InvalidOperation:
        return True


def facts(records: pl.LazyFrame, organisation: str, *, with_payments: bool) -> pl.LazyFrame:
    """What invoices state."""
    said = understood_sold(records.drop("payments"), organisation)
    if not with_payments:
        return _of_itself(said)
    paid = payments.told(records, organisation)
    said = said.join(payments.of_one(records, paid), on="record_key", how="left").with_columns(
        owed=amount(pl.col("payments_pending")), problem=pl.coalesce("problem", "strange")
    )
    stays = said.filter(~pl.col("is_annulled").fill_null(value=False))
    is_free = (pl.col("net") == 0) & (pl.col("owed").cast(pl.Float64).abs() < _LESS_THAN_A_CENT)
    settled = stays.filter(pl.col("paid_at").is_not_null() | is_free)
    each = [
        _of_itself(said),
        stated(settled, "invoice", "paid", pl.coalesce("paid_at", "at"), pl.col("net")),
        payments.facts(paid, said),
    ]
    return pl.concat(each, how="diagonal")


def _of_itself(said: pl.LazyFrame) -> pl.LazyFrame:
    annulled = said.filter(pl.col("is_annulled"))
    each = [
        stated(said, "invoice", "issued", pl.col("at"), pl.col("net")),
        stated(annulled, "invoice", "voided", pl.col("at"), -pl.col("net")),
    ]
    return pl.concat(each)
