"""Customers, by what else Stripe knows them: one record a customer, as they were when they were last read.

Belongs here: what is kept of a customer, and the facts that it states. Does not: how it is read (`reading`), what is
kept of an address (`identification`).

Of a customer nothing is kept but when they were created, a pseudonym of their address, its domain, and the metadata
that the options name. A customer who was deleted states nothing; where that happened in a gap of more than thirty days
it is not noticed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import polars as pl

from kr_definitions.events import IDENTIFIED
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.identification import SHAPE, Known, identified, identifiers
from pipelines.people import People
from pipelines.source import Account, Stream
from pipelines.stripe.api import Item
from pipelines.stripe.reading import CUSTOMER, Kind, fetch, is_ahead
from pipelines.stripe.stating import instant

CHANGES = ("customer.created", "customer.deleted", "customer.updated")
PAYLOAD = pl.Struct({"id": pl.String(), "created": pl.String(), "is_ahead": pl.Boolean(), "identified": SHAPE})
_THEMSELVES = People(in_key=lambda key: ((CUSTOMER, key),), are_people=True, account=CUSTOMER)


def customers(account: Account, known: tuple[Known, ...], *, livemode: bool) -> Stream:
    """The stream."""
    kind = Kind(
        name="customers",
        path="/v1/customers",
        object="customer",
        changes=CHANGES,
        kept=lambda item, now: _kept(account, known, item, now),
        keeps=orjson.dumps([[one.by, one.field] for one in known]).decode(),
    )
    return Stream(
        name=kind.name,
        feeds=(IDENTIFIED,),
        fetch=lambda read: fetch(account, kind, read, livemode=livemode),
        payload=PAYLOAD,
        facts=lambda records: facts(records, livemode=livemode),
        people=_THEMSELVES,
    )


def _kept(account: Account, known: tuple[Known, ...], item: Item, now: datetime) -> dict[str, Any]:
    return {
        "id": item["id"],
        "created": item.get("created"),
        "is_ahead": is_ahead(now, item.get("created")),
        "identified": identifiers(known, account.pseudonym, [item.get("email")], item.get("metadata")),
    }


def facts(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What customers state."""
    place = "customers" if livemode else "test/customers"
    said = records.with_columns(created_at=instant("created").cast(UTC_MICROSECONDS))
    url = pl.format("https://dashboard.stripe.com/{}/{}", pl.lit(place), "record_key")
    strange = said.filter(pl.col("created_at").is_null() | pl.col("is_ahead")).select(
        "record_key",
        problem=pl.format("created: not a past time ({})", pl.col("created").fill_null("nothing")),
    )
    return pl.concat([identified(said, "customer").with_columns(source_url=url), strange], how="diagonal")
