"""Subscriptions: one record a subscription, as it was when it was last read.

Belongs here: what is kept of a subscription, and the facts that it states. Does not: how it is read (`reading`).

* `subscription.started`: on its start date, which may lie before the day on which it was entered; a trial has started;
* `subscription.ended`: when it ended, not when somebody asked to end it.

A subscription whose first payment was never made (`incomplete`, `incomplete_expired`) has not started. One that is
behind with its payments, or paused, has not ended.

The amount is the price of a billing period (a month, a year, …) as it is now, before discounts and without tax: each
item's price times its quantity. It is not known, and left out, where the vendor's record does not have it: prices that
depend on use, come in tiers or packages, have fractions of the smallest unit, include tax or are of another currency.
Nothing of the customer but their id is kept, and of the metadata only what the options name.
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

FEEDS = ("subscription.started", "subscription.ended")
CHANGES = ("customer.subscription.created", "customer.subscription.deleted", "customer.subscription.updated")
ITEM_SHAPE = pl.Struct(
    {
        "unit_amount": pl.String(),
        "quantity": pl.String(),
        "price_currency": pl.String(),
        "billing_scheme": pl.String(),
        "usage_type": pl.String(),
        "is_packaged": pl.Boolean(),
        "includes_tax": pl.Boolean(),
    }
)
PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "status": pl.String(),
        "customer": pl.String(),
        "currency": pl.String(),
        "created": pl.String(),
        "start_date": pl.String(),
        "ended_at": pl.String(),
        "is_ahead": pl.Boolean(),
        "items": pl.List(ITEM_SHAPE),
        "has_more_items": pl.Boolean(),
        "category": pl.String(),
        "product": pl.String(),
    }
)

_NOT_STARTED = ("incomplete", "incomplete_expired")
_STATUSES = ("active", "canceled", "past_due", "paused", "trialing", "unpaid")
_TIMES = ("created", "start_date", "ended_at")
_KEPT = ("id", "status", "currency", "livemode", *_TIMES)
_WHOLE = r"^\d{1,18}$"


def subscriptions(account: Account, labels: Mapping[str, str | None], *, livemode: bool) -> Stream:
    """The stream. labels: `category` and `product`, each with the key of the metadata that has it."""
    kind = Kind(
        name="subscriptions",
        path="/v1/subscriptions",
        object="subscription",
        changes=CHANGES,
        kept=lambda item, now: _kept(item, now, labels),
        keeps="&".join(f"{label}={key}" for label, key in sorted(labels.items()) if key),
        asked={"status": "all"},
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
    items, metadata = item.get("items") or {}, item.get("metadata") or {}
    rates = item.get("default_tax_rates") or []
    return {
        **{name: item.get(name) for name in _KEPT},
        "customer": id_of(item.get("customer")),
        "is_ahead": is_ahead(now, *(item.get(name) for name in _TIMES)),
        "items": [_item(one, one.get("tax_rates") or rates) for one in items.get("data") or []],
        "has_more_items": items.get("has_more"),
        **{label: metadata.get(key) if key else None for label, key in labels.items()},
    }


def _item(item: Item, rates: list[Item]) -> dict[str, Any]:
    """What is kept of an item of a subscription; the subscription's tax rates hold for those without their own."""
    price = item.get("price") or {}
    return {
        "unit_amount": price.get("unit_amount"),
        "quantity": item.get("quantity"),
        "price_currency": price.get("currency"),
        "billing_scheme": price.get("billing_scheme"),
        "usage_type": (price.get("recurring") or {}).get("usage_type"),
        "is_packaged": price.get("transform_quantity") is not None,
        "includes_tax": price.get("tax_behavior") == "inclusive" or any(rate.get("inclusive") for rate in rates),
    }


def facts(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What subscriptions state."""
    is_started = ~pl.col("status").is_in(_NOT_STARTED).fill_null(value=False)
    said = (
        records.filter(is_started)
        .join(_prices(records), on="record_key", how="left")
        .with_columns(
            *(instant(name) for name in ("created", "ended_at")),
            started_at=pl.when(pl.col("start_date").is_null())
            .then(instant("created"))
            .otherwise(instant("start_date")),
            price=amount("units"),
            said_currency=pl.col("currency"),
            currency=currency(),
            source_url=address("subscriptions", livemode=livemode),
        )
        .with_columns(problem=_problem())
    )
    priced = said.with_columns(currency=pl.when(pl.col("price").is_not_null()).then("currency"))
    ended = priced.filter(pl.col("status") == "canceled")
    return pl.concat(
        [
            stated(
                priced, "subscription", "subscription.started", "started_at", pl.col("price"), "category", "product"
            ),
            stated(ended, "subscription", "subscription.ended", "ended_at", pl.col("price"), "category", "product"),
        ]
    )


def _prices(records: pl.LazyFrame) -> pl.LazyFrame:
    """units: what a billing period costs, in whole units as text; null where that cannot be told from the record.

    is_strange: whether a price or a quantity is something that the vendor does not document.
    """
    is_fixed = (
        (pl.col("billing_scheme") == "per_unit")
        & (pl.col("usage_type") == "licensed")
        & (pl.col("price_currency") == pl.col("currency"))
        & ~pl.col("is_packaged")
        & ~pl.col("includes_tax")
        & pl.col("unit_amount").is_not_null()
    ).fill_null(value=False)
    is_whole = pl.all_horizontal(pl.col("unit_amount", "quantity").str.contains(_WHOLE)).fill_null(value=False)
    unit_amount, quantity = (pl.col(name).cast(pl.Int128, strict=False) for name in ("unit_amount", "quantity"))
    return (
        records.select("record_key", "currency", "has_more_items", item="items")
        .explode("item")
        .filter(pl.col("item").is_not_null())
        .unnest("item")
        .group_by("record_key")
        .agg(
            units=pl.when((is_fixed & is_whole).all() & ~pl.col("has_more_items").any())
            .then((unit_amount * quantity).sum())
            .cast(pl.String),
            is_strange=(is_fixed & ~is_whole).any(),
        )
    )


def _problem() -> pl.Expr:
    """Why a subscription that has started cannot be understood; null where it can."""

    def shown(name: str) -> pl.Expr:
        return pl.col(name).fill_null("nothing")

    return (
        pl.when(~pl.col("status").is_in(_STATUSES).fill_null(value=False))
        .then(pl.format("status: none that the vendor documents ({})", shown("status")))
        .when(pl.col("started_at").is_null())
        .then(pl.format("start_date: not a time ({})", shown("start_date")))
        .when((pl.col("status") == "canceled") & pl.col("ended_at").is_null())
        .then(pl.lit("ended_at: not a time, but the subscription is canceled"))
        .when(pl.col("is_ahead"))
        .then(pl.lit("start_date, ended_at: a time in the future"))
        .when(pl.col("currency").is_null())
        .then(pl.format("currency: not a currency's code ({})", shown("said_currency")))
        .when("is_strange")
        .then(pl.lit("items: a price or a quantity that is not a whole number"))
    )
