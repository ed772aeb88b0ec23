"""Invoices and their payments: one record an invoice, as it was when it was last read.

Belongs here: what is kept of an invoice beside what every document has, and the facts that it states. Does not: how it
is read (`reading`), what a draft, a day or an amount is (`documents`).

* `invoice.issued`: on its date, once it is approved;
* `invoice.paid`: on the day of the payment after which nothing was pending;
* `invoice.voided`: once it is annulled, on its own date, with the amount that no longer holds as a negative one;
* `payment.received`: each of its payments, tax included, and `payment.refunded`, negative, where one was given back.

Amounts of invoices are without tax. Payments are read from the invoices that they are of (`paymentsDetail`), and have
to come to their `paymentsTotal`. The list of all payments (https://developers.holded.com/reference/list-payments) has
what the company pays to others among them, does not say which is which, and is of the current financial year alone.
An invoice of which nothing is pending and nothing was paid (a credit note came to as much) was not paid.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl

from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS
from pipelines.holded.api import Item
from pipelines.holded.documents import COMMON, amount, day, shown, understood
from pipelines.holded.options import HoldedOptions
from pipelines.holded.reading import OF_CONTACTS, Kind, Moments, as_text, entries, fetch
from pipelines.source import Account, Stream

FEEDS = ("invoice.issued", "invoice.paid", "invoice.voided", "payment.received", "payment.refunded")
PAYMENT = pl.Struct({"id": pl.String(), "amount": pl.String(), "date": pl.String(), "is_ahead": pl.Boolean()})
PAYLOAD = pl.Struct(
    {**COMMON, "paymentsTotal": pl.String(), "paymentsPending": pl.String(), "payments": pl.List(PAYMENT)}
)
_LESS_THAN_A_CENT = 0.005


def invoices(account: Account, options: HoldedOptions) -> Stream:
    """The stream."""
    kind = Kind("invoice", _kept, is_labelled=True)
    return Stream(
        name="invoices",
        feeds=FEEDS,
        fetch=lambda read: fetch(account, kind, options, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options.zone, account.zone),
        people=OF_CONTACTS,
        lateness=timedelta(days=max(options.whole_days, 3)),
        most_removed=options.most_removed,
    )


def _kept(item: Item, moments: Moments) -> dict[str, Any]:
    return {
        "paymentsTotal": as_text(item.get("paymentsTotal")),
        "paymentsPending": as_text(item.get("paymentsPending")),
        "payments": [
            {
                "id": as_text(one.get("id")),
                "amount": as_text(one.get("amount")),
                "date": as_text(one.get("date")),
                "is_ahead": moments.is_ahead(one.get("date")),
            }
            for one in entries(item.get("paymentsDetail"))
        ],
    }


def facts(records: pl.LazyFrame, books: str, organisation: str) -> pl.LazyFrame:
    """What invoices state."""
    payments = _payments(records, books, organisation)
    all_of_one = payments.group_by("record_key").agg(
        paid=pl.col("paid_amount").sum(),
        paid_at=pl.col("paid_at").max(),
        strange=pl.col("strange").drop_nulls().first(),
    )
    said = (
        understood(records.drop("payments"), books, organisation)
        .join(all_of_one, on="record_key", how="left")
        .with_columns(owed=amount(pl.col("paymentsPending")), counted=amount(pl.col("paymentsTotal")))
        .with_columns(problem=pl.coalesce("problem", "strange", _problem()))
    )
    stays = said.filter(~pl.col("is_annulled").fill_null(value=False))
    is_nothing = pl.col("owed").cast(pl.Float64).abs() < _LESS_THAN_A_CENT
    is_free = (pl.col("net") == 0) & pl.col("paid_at").is_null()
    settled = stays.filter(is_nothing & (pl.col("paid_at").is_not_null() | is_free))
    return pl.concat(
        [
            _stated(said, "issued", pl.col("at"), pl.col("net")),
            _stated(settled, "paid", pl.coalesce("paid_at", "at"), pl.col("net")),
            _stated(said.filter(pl.col("is_annulled")), "voided", pl.col("at"), -pl.col("net")),
            _paid(payments, said),
        ],
        how="diagonal",
    )


def _payments(records: pl.LazyFrame, books: str, organisation: str) -> pl.LazyFrame:
    """One row a payment, with its invoice's key, and `strange`: why it is not understood."""
    each = records.select("record_key", "payments").explode("payments").filter(pl.col("payments").is_not_null())
    told = each.select("record_key", pl.col("payments").struct.unnest()).rename({"id": "payment"})
    read = told.with_columns(paid_amount=amount(pl.col("amount")), paid_at=day(pl.col("date"), books, organisation))
    strange = (
        pl.when(pl.col("payment").is_null())
        .then(pl.lit("paymentsDetail: a payment without an id"))
        .when(pl.col("paid_amount").is_null())
        .then(pl.format("paymentsDetail: an amount that is not a number ({})", shown("amount")))
        .when(pl.col("paid_at").is_null())
        .then(pl.format("paymentsDetail: a date that is not a time ({})", shown("date")))
        .when(pl.col("is_ahead"))
        .then(pl.lit("paymentsDetail: a date in the future"))
    )
    return read.select("record_key", "payment", "paid_amount", "paid_at", strange=strange)


def _problem() -> pl.Expr:
    paid = pl.col("paid").fill_null(0)
    differs = (paid - pl.col("counted")).cast(pl.Float64).abs() > _LESS_THAN_A_CENT
    return (
        pl.when(pl.col("owed").is_null())
        .then(pl.format("paymentsPending: not a number ({})", shown("paymentsPending")))
        .when(pl.col("counted").is_null())
        .then(pl.format("paymentsTotal: not a number ({})", shown("paymentsTotal")))
        .when(differs)
        .then(
            pl.format(
                "paymentsDetail: payments of {} in all, but paymentsTotal is {}", paid.cast(pl.Float64), "paymentsTotal"
            )
        )
    )


def _stated(said: pl.LazyFrame, what: str, when: pl.Expr, how_much: pl.Expr) -> pl.LazyFrame:
    return said.select(
        "record_key",
        "currency",
        "category",
        "product",
        "problem",
        fact_key=pl.format("invoice/{}/{}", "record_key", pl.lit(what)),
        event_type=pl.lit(f"invoice.{what}"),
        subject_id="record_key",
        account_id="contact",
        occurred_at=when.cast(UTC_MICROSECONDS),
        amount=how_much.cast(DECIMAL),
    )


def _paid(payments: pl.LazyFrame, said: pl.LazyFrame) -> pl.LazyFrame:
    """What was received, and what was given back: of annulled invoices too, as the money came."""
    of = said.select("record_key", "currency", "problem", "contact")
    is_back = pl.col("paid_amount") < 0
    return payments.join(of, on="record_key").select(
        "record_key",
        "currency",
        "problem",
        fact_key=pl.format("invoice/{}/payment/{}", "record_key", pl.col("payment").fill_null("?")),
        event_type=pl.when(is_back).then(pl.lit("payment.refunded")).otherwise(pl.lit("payment.received")),
        subject_id="payment",
        account_id="contact",
        occurred_at=pl.col("paid_at").cast(UTC_MICROSECONDS),
        amount=pl.col("paid_amount"),
    )
