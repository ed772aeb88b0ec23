"""Subscriptions: one record a subscription as it was when it was last read, and one for each state that is told of it.

Belongs here: the stream. Does not: what is kept of a state (`states`), which are read (`histories`), what a state costs
a month (`monthly`), what subscriptions state (`movements`).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.source import Account, Stream
from pipelines.stripe.histories import fetch, subscription_of
from pipelines.stripe.monthly import ITEM_SHAPE
from pipelines.stripe.movements import FEEDS, facts
from pipelines.stripe.reading import OF_CUSTOMERS

PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "kind": pl.String(),
        "at": pl.String(),
        "place": pl.String(),
        "status": pl.String(),
        "customer": pl.String(),
        "currency": pl.String(),
        "created": pl.String(),
        "start_date": pl.String(),
        "ended_at": pl.String(),
        "trial_end": pl.String(),
        "canceled_at": pl.String(),
        "is_ahead": pl.Boolean(),
        "is_ending": pl.Boolean(),
        "pause": pl.String(),
        "items": pl.List(ITEM_SHAPE),
        "has_more_items": pl.Boolean(),
        "percent_left": pl.String(),
        "amount_off": pl.String(),
        "is_discount_told": pl.Boolean(),
        "category": pl.String(),
        "product": pl.String(),
    }
)


def subscriptions(account: Account, labels: Mapping[str, str | None], *, livemode: bool) -> Stream:
    """The stream. labels: `category` and `product`, each with the key of the metadata that has it."""
    return Stream(
        name="subscriptions",
        feeds=FEEDS,
        fetch=lambda read: fetch(account, labels, read, livemode=livemode),
        payload=PAYLOAD,
        facts=lambda records: facts(records, livemode=livemode),
        group=subscription_of,
        people=OF_CUSTOMERS,
        mapping_version="3",
    )
