"""Payments of invoices: what is kept of them, and what they say.

Belongs here: the payments that an invoice tells when it is asked for by itself (`payments_detail`). Does not: the
invoice (`invoices`), of which of them they are asked for (`reading`).

They have to come to what the invoice says was paid (`payments_total`), or it is set aside. Of an invoice in another
currency than the account's, they are in the account's: there they come to as much by the invoice's own rate
(`currency_change`, so many of its currency for one of the account's), of which the vendor writes few digits. Then each
is stated in the invoice's currency, at the rate at which all of them are `payments_total`: the vendor says no other.

One that is dated ahead has not been made: its invoice is set aside, and tried again by each run until that day, though
nobody asks the vendor for it again.

The list of all payments (`/payments`) is not read: of what the vendor tells in it too little is known.
(https://www.holded.com/developers/api-reference/invoices/get-an-invoice)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS
from pipelines.holded.api import Item
from pipelines.holded.documents import amount, begins, shown
from pipelines.holded.texts import amount as amount_of
from pipelines.holded.texts import as_text, day

FEEDS = ("invoice.paid", "payment.received", "payment.refunded")
PAYMENT = pl.Struct({"id": pl.String(), "amount": pl.String(), "date": pl.String()})
PAYLOAD = {
    "payments_total": pl.String(),
    "payments_pending": pl.String(),
    "currency_change": pl.String(),
    "payments": pl.List(PAYMENT),
}

_LESS_THAN_A_CENT = 0.005
_RATE_IS_ROUNDED = 0.01


def kept(item: Item) -> Mapping[str, Any]:
    """What is kept of an invoice's payments; null where it does not tell them."""
    several = item.get("payments_detail")
    told_ones = [one for one in several if isinstance(one, dict)] if isinstance(several, list) else None
    return {
        "payments_total": amount_of(item.get("payments_total")),
        "payments_pending": amount_of(item.get("payments_pending")),
        "currency_change": amount_of(item.get("currency_change")),
        "payments": told_ones
        and [
            {
                "id": as_text(one.get("id")),
                "amount": amount_of(one.get("amount")),
                "date": day(one.get("date")),
            }
            for one in told_ones
        ],
    }


def told(records: pl.LazyFrame, organisation: str) -> pl.LazyFrame:
    """One row a payment: its invoice's key, `paid_amount` in the invoice's currency, `paid_at`, and `strange`."""
    of = records.select("record_key", "payments", counted=amount(pl.col("payments_total")), rate=_rate())
    each = of.explode("payments").filter(pl.col("payments").is_not_null())
    flat = each.select("record_key", "counted", "rate", pl.col("payments").struct.unnest()).rename({"id": "payment"})
    read = flat.with_columns(as_told=amount(pl.col("amount")), paid_at=begins(pl.col("date"), organisation))
    strange = (
        pl.when(pl.col("payment").is_null())
        .then(pl.lit("payments_detail: a payment without an id"))
        .when(pl.col("as_told").is_null())
        .then(pl.format("payments_detail: not an amount that can be read in one way ({})", shown("amount")))
        .when(pl.col("paid_at").is_null())
        .then(pl.format("payments_detail: a date that is not a day ({})", shown("date")))
    )
    in_all = pl.col("as_told").sum().over("record_key").cast(pl.Float64)
    by_all = pl.col("counted").cast(pl.Float64) / in_all
    is_exchanged = ~_is_alike(in_all, pl.col("counted")) & ((by_all / pl.col("rate") - 1).abs() < _RATE_IS_ROUNDED)
    at_rate = pl.when(is_exchanged).then(by_all)
    exchanged = (pl.col("as_told").cast(pl.Float64) * at_rate).round(2).cast(DECIMAL, strict=False)
    rest = pl.col("counted") - exchanged.sum().over("record_key") + exchanged
    is_last = pl.int_range(pl.len()).over("record_key") == pl.len().over("record_key") - 1
    in_its_currency = pl.when(is_last).then(rest).otherwise(exchanged)
    paid = pl.when(is_exchanged).then(in_its_currency).otherwise(pl.col("as_told")).cast(DECIMAL)
    return read.select("record_key", "payment", "paid_at", paid_amount=paid, strange=strange)


def _rate() -> pl.Expr:
    """So many of the invoice's currency for one of the account's; null where they are the same."""
    rate = amount(pl.col("currency_change")).cast(pl.Float64)
    return pl.when((rate > 0) & (rate != 1)).then(rate)


def _is_alike(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    return (one - other.cast(pl.Float64)).abs() < _LESS_THAN_A_CENT


def of_one(records: pl.LazyFrame, paid: pl.LazyFrame) -> pl.LazyFrame:
    """One row an invoice: when it came to be paid in full, and `strange`: why its payments are not understood."""
    all_of_one = paid.group_by("record_key").agg(
        paid=pl.col("paid_amount").sum(), strange=pl.col("strange").drop_nulls().first()
    )
    counted, sum_of_all = amount(pl.col("payments_total")), pl.col("paid").fill_null(0)
    differs = (
        pl.when(amount(pl.col("payments_pending")).is_null())
        .then(pl.format("payments_pending: not an amount that can be read in one way ({})", shown("payments_pending")))
        .when(counted.is_null())
        .then(pl.format("payments_total: not an amount that can be read in one way ({})", shown("payments_total")))
        .when((counted != 0) & pl.col("payments").is_null())
        .then(pl.lit("payments_detail: not told, though something was paid; the option `payments` leaves payments out"))
        .when(~_is_alike(sum_of_all.cast(pl.Float64), counted))
        .then(
            pl.format(
                "payments_detail: payments of {} in all, but payments_total is {}",
                sum_of_all.cast(pl.Float64),
                "payments_total",
            )
        )
    )
    both = records.join(all_of_one, on="record_key", how="left").join(
        _in_full(records, paid), on="record_key", how="left"
    )
    return both.select("record_key", "paid_at", strange=pl.coalesce("strange", differs))


def _in_full(records: pl.LazyFrame, paid: pl.LazyFrame) -> pl.LazyFrame:
    """One row an invoice that is paid in full: `paid_at`, the day since which it has been so.

    That is where what was paid by the end of a day came to what there was to pay (what is paid and what is pending, but
    no more than the document's total, as nothing may be pending where too much was paid), and fell below it no more:
    neither a debit that was returned in between, nor what was paid beyond it, or given back of that, moves the day. Of
    what is to be paid to the customer (negative), the same the other way round.
    """
    in_all = (amount(pl.col("payments_total")) + amount(pl.col("payments_pending"))).cast(pl.Float64)
    asked_for = amount(pl.col("total")).cast(pl.Float64).abs()
    due = in_all.sign() * pl.min_horizontal(in_all.abs(), pl.when(asked_for > 0).then(asked_for))
    of = records.select("record_key", due=due).filter(pl.col("due").abs() > _LESS_THAN_A_CENT)
    days = paid.group_by("record_key", "paid_at").agg(came=pl.col("paid_amount").sum().cast(pl.Float64))
    by_then = pl.col("came").cum_sum().over("record_key", order_by="paid_at") * pl.col("due").sign()
    full = days.join(of, on="record_key").with_columns(is_full=by_then > pl.col("due").abs() - _LESS_THAN_A_CENT)
    was_full = pl.col("is_full").shift(1, fill_value=False).over("record_key", order_by="paid_at")
    stays_full = pl.col("is_full").last().over("record_key", order_by="paid_at")
    since = full.with_columns(is_since=pl.col("is_full") & ~was_full & stays_full).filter("is_since")
    return since.group_by("record_key").agg(pl.col("paid_at").max())


def facts(paid: pl.LazyFrame, said: pl.LazyFrame) -> pl.LazyFrame:
    """What was received, and what was given back: of annulled invoices too, as the money came."""
    of = said.select("record_key", "currency", "problem", "contact_id")
    is_back = pl.col("paid_amount") < 0
    return paid.join(of, on="record_key").select(
        "record_key",
        "currency",
        "problem",
        fact_key=pl.format("invoice/{}/payment/{}", "record_key", pl.col("payment").fill_null("?")),
        event_type=pl.when(is_back).then(pl.lit("payment.refunded")).otherwise(pl.lit("payment.received")),
        subject_id="payment",
        account_id="contact_id",
        occurred_at=pl.col("paid_at").cast(UTC_MICROSECONDS),
        amount=pl.col("paid_amount"),
    )
