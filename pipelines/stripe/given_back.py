"""Money that was received and goes back: refunds, and payments that a customer's bank takes back.

Belongs here: what is kept of a refund and of a dispute, and the facts that they state. Does not: how they are read
(`reading`).

* `payment.refunded`: a refund that succeeded, when it was created, as a negative amount. One that is pending states
  nothing yet, one that failed or was cancelled nothing any more: the money stayed, or came back;
* `payment.disputed`: when the money of a disputed payment was withdrawn, as a negative amount. An inquiry, of which no
  money is withdrawn, states nothing;
* `payment.reinstated`: when it was given back, as a dispute was won.

All amounts are with tax and in the currency of the charge, as those of `payment.received`: what came in, net, is the
sum over all four. Neither object says whose it is, so that its charge is asked for with it.
(https://docs.stripe.com/api/refunds/object, https://docs.stripe.com/api/disputes/object)
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl

from pipelines.source import Account, Stream
from pipelines.stripe.api import Item
from pipelines.stripe.charges import UNDER_WAY
from pipelines.stripe.money import amount, currency
from pipelines.stripe.reading import OF_CUSTOMERS, Kind, fetch, id_of, is_ahead
from pipelines.stripe.stating import address, instant, stated

REFUND_CHANGES = ("charge.refund.updated", "refund.created", "refund.failed", "refund.updated")
DISPUTE_CHANGES = tuple(
    f"charge.dispute.{what}" for what in ("closed", "created", "funds_reinstated", "funds_withdrawn", "updated")
)
_COMMON = ("id", "status", "amount", "currency", "created")
_PAYLOAD = {
    **dict.fromkeys((*_COMMON, "customer", "payment_method_type"), pl.String()),
    "is_ahead": pl.Boolean(),
}
REFUNDS = pl.Struct(_PAYLOAD)
DISPUTES = pl.Struct({**_PAYLOAD, "withdrawn_at": pl.String(), "reinstated_at": pl.String()})

_REFUNDED = ("canceled", "failed", "pending", "requires_action", "succeeded")


def refunds(account: Account, *, livemode: bool) -> Stream:
    """The stream of refunds."""
    kind = Kind("refunds", "/v1/refunds", "refund", REFUND_CHANGES, _of_refund, expanded="charge", lists_new=True)
    return _stream(account, kind, ("payment.refunded",), REFUNDS, refunded, livemode=livemode)


def disputes(account: Account, *, livemode: bool) -> Stream:
    """The stream of disputes."""
    kind = Kind("disputes", "/v1/disputes", "dispute", DISPUTE_CHANGES, _of_dispute, expanded="charge")
    feeds = ("payment.disputed", "payment.reinstated")
    return _stream(account, kind, feeds, DISPUTES, disputed, livemode=livemode)


def _stream(
    account: Account,
    kind: Kind,
    feeds: tuple[str, ...],
    payload: pl.Struct,
    understood: Callable[..., pl.LazyFrame],
    *,
    livemode: bool,
) -> Stream:
    return Stream(
        name=kind.name,
        feeds=feeds,
        fetch=lambda read: fetch(account, kind, read, livemode=livemode),
        payload=payload,
        facts=lambda records: understood(records, livemode=livemode),
        people=OF_CUSTOMERS,
        lateness=UNDER_WAY,
    )


def _of_refund(item: Item, now: datetime) -> dict[str, Any]:
    return {**_kept(item), "is_ahead": is_ahead(now, item.get("created"))}


def _of_dispute(item: Item, now: datetime) -> dict[str, Any]:
    """A dispute's money moves at most twice: it is withdrawn, and reinstated."""
    moves = item.get("balance_transactions")
    known = [one for one in moves or () if isinstance(one, dict) and isinstance(one.get("amount"), int)]
    withdrawn = next((one.get("created") for one in known if one["amount"] < 0), None)
    reinstated = next((one.get("created") for one in known if one["amount"] > 0), None)
    times = {"withdrawn_at": withdrawn, "reinstated_at": reinstated}
    return {**_kept(item), **times, "is_ahead": is_ahead(now, item.get("created"), withdrawn, reinstated)}


def _kept(item: Item) -> dict[str, Any]:
    charge = item.get("charge")
    paid = charge if isinstance(charge, dict) else {}
    return {
        **{name: item.get(name) for name in _COMMON},
        "customer": id_of(paid.get("customer")),
        "payment_method_type": (paid.get("payment_method_details") or {}).get("type"),
    }


_CHANNEL = pl.col("payment_method_type").alias("channel")


def refunded(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What refunds state."""
    is_known = pl.col("status").is_in(_REFUNDED).fill_null(value=False)
    said = _said(records.filter(~is_known | (pl.col("status") == "succeeded")), livemode=livemode)
    strange = pl.when(~is_known).then(
        pl.format("status: none that the vendor documents ({})", pl.col("status").fill_null("nothing"))
    )
    return stated(
        said.with_columns(problem=_problem(strange)),
        "refund",
        "payment.refunded",
        "created",
        -pl.col("gross"),
        _CHANNEL,
    )


def disputed(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What disputes state."""
    said = _said(records, livemode=livemode).with_columns(instant("withdrawn_at"), instant("reinstated_at"))
    is_backwards = pl.col("reinstated_at") < pl.col("withdrawn_at").fill_null(pl.datetime(9999, 1, 1, time_zone="UTC"))
    strange = pl.when(is_backwards.fill_null(value=False)).then(
        pl.lit("balance_transactions: money given back that had not been withdrawn")
    )
    sound = said.with_columns(problem=_problem(strange))
    has_problem = pl.col("problem").is_not_null()
    return pl.concat(
        [
            stated(sound.filter(has_problem), "dispute", "payment.disputed", "created", -pl.col("gross"), _CHANNEL),
            *(
                stated(
                    sound.filter(~has_problem & pl.col(when).is_not_null()), "dispute", what, when, how_much, _CHANNEL
                )
                for what, when, how_much in (
                    ("payment.disputed", "withdrawn_at", -pl.col("gross")),
                    ("payment.reinstated", "reinstated_at", pl.col("gross")),
                )
            ),
        ]
    )


def _said(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    return records.with_columns(
        instant("created"),
        gross=amount("amount"),
        said_amount=pl.col("amount"),
        said_currency=pl.col("currency"),
        currency=currency(),
        source_url=address("payments", livemode=livemode),
    )


def _problem(strange: Any) -> pl.Expr:
    """Why it cannot be understood; null where it can. strange: the beginning of a `when`."""
    found: pl.Expr = (
        strange.when(pl.col("created").is_null())
        .then(pl.lit("created: not a time"))
        .when(pl.col("is_ahead"))
        .then(pl.lit("created: a time in the future"))
        .when(pl.col("currency").is_null())
        .then(pl.format("currency: not a currency's code ({})", pl.col("said_currency").fill_null("nothing")))
        .when(pl.col("gross").is_null())
        .then(pl.format("amount: not a whole number ({})", pl.col("said_amount").fill_null("nothing")))
    )
    return found
