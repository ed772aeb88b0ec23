"""Purchases (compras): one record a document of a supplier, as it was when it was last read.

Belongs here: what is kept of a purchase beside what every document has, and what it states. Does not: how it is read
(`reading`), what a day or an amount is (`documents`).

`expense.recorded`: on its date, once it is approved, without tax: an invoice, a ticket or a fee, paid or not. A
purchase that is taken back (compra rectificativa) is in the same list, with negative amounts, and states what the
company need not spend as a negative amount. One that is annulled states nothing, nor does a draft; one of which it is
not said whether it is a draft is set aside, as the supplier's number, which it may lack, does not tell it.

Nothing is kept of the supplier, who may be a person: not even an id. Wages, amortisation and whatever else is booked
without a supplier's document are no purchases.

Lists of purchases can be asked for from one day to another, but by the day on which they were booked, which most do
not have. So they are always asked for whole. (https://www.holded.com/developers/api-reference/purchases)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import polars as pl

from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS
from pipelines.holded.api import Item
from pipelines.holded.documents import COMMON, understood
from pipelines.holded.options import PURCHASES, HoldedOptions, Purchases
from pipelines.holded.reading import Kind, Moments, fetch
from pipelines.people import NOBODY
from pipelines.source import Account, Stream

PAYLOAD = pl.Struct({**COMMON, "campaign": pl.String(), "is_approval_known": pl.Boolean()})

_TYPED_IN_WITHIN = timedelta(days=31)
"""So long after its date a supplier's invoice may come to be typed in; `late_days` beside the kind says otherwise."""


def purchases(account: Account, options: HoldedOptions, bought: Purchases) -> Stream:
    """The stream."""
    kind = Kind("purchases", PURCHASES, bought.labels, kept, is_numbered=False, is_dated=False)
    return Stream(
        name="purchases",
        feeds=("expense.recorded",),
        fetch=lambda read: fetch(account, kind, options, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, account.zone),
        people=NOBODY,
        lateness=max(timedelta(days=options.whole_days), _TYPED_IN_WITHIN),
        most_removed=options.most_removed,
    )


def kept(item: Item, _moments: Moments) -> Mapping[str, Any]:
    """What is kept of a purchase beside what is of every document."""
    return {"is_approval_known": isinstance(item.get("draft"), bool)}


def facts(records: pl.LazyFrame, organisation: str) -> pl.LazyFrame:
    """What purchases state."""
    unknown = pl.when(~pl.col("is_approval_known")).then(pl.lit("draft: it is not said whether it is one"))
    said = understood(records, organisation).with_columns(problem=pl.coalesce("problem", unknown))
    return said.filter(~pl.col("is_annulled").fill_null(value=False)).select(
        "record_key",
        "currency",
        "category",
        "campaign",
        "problem",
        fact_key=pl.format("purchase/{}", "record_key"),
        event_type=pl.lit("expense.recorded"),
        subject_id="record_key",
        occurred_at=pl.col("at").cast(UTC_MICROSECONDS),
        amount=pl.col("net").cast(DECIMAL),
    )
