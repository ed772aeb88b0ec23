"""A vendor of which a test says what it has: customers, who may recommend each other, and orders that name several.

Belongs here: the vendor, how it is read and understood, and loads of it. Does not: what becomes of it.

A customer's key is their id. An order is of the customers it lists, and its account is the first of them; who sold it,
and who sold it before, is mentioned. Both kinds of id are numbers, and the same number may be a customer's and a
seller's. Orders have a revision, customers none.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines import load
from pipelines.people import EACH, People, Place
from pipelines.source import Account, Covered, Options, Read, Record, Stream

BEGINNING = datetime(2026, 3, 2, 6, tzinfo=UTC)

CUSTOMERS = People(
    in_key=lambda key: (("customer", key),),
    own=(Place("customer", ("merged_into",)), Place("customer", ("absorbed",), separator=";")),
    are_people=True,
    beside=(Place("customer", ("recommended_by",)),),
    account="customer",
    actor="seller",
)
ORDERS = People(
    whose=(Place("customer", ("customers", EACH)),),
    beside=(Place("seller", ("seller",)), Place("seller", ("sold_before", EACH, "by"))),
    account="customer",
    actor="seller",
)


def code(text: str) -> str:
    """The shop's pseudonym function."""
    return hmac.new(b"the shop's key", text.encode(), hashlib.sha256).hexdigest()[:24]


def at(hour: int) -> datetime:
    return BEGINNING + timedelta(hours=hour)


def customer(id_: str, hour: int = 0, **said: Any) -> dict[str, Any]:
    return {"id": id_, "at": at(hour).isoformat(), "recommended_by": None, **said}


def order(
    id_: str, *customers: str, seller: str | None = None, amount: str = "10", hour: int = 1, **said: Any
) -> dict[str, Any]:
    """An order of an hour; `revision` is the hour of its last change."""
    return {
        "id": id_, "at": at(hour).isoformat(), "customers": list(customers), "seller": seller, "amount": amount,
        "revision": hour, **said,
    }  # fmt: skip


@dataclass
class Shop:
    """What the vendor has, and the kind of source that it is."""

    customers: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    streams_in_use: tuple[str, ...] = ("customers", "orders")
    cursor: str | None = None
    kind: str = "shop"
    options: type[Options] = Options

    def streams(self, account: Account, options: Options) -> list[Stream]:
        text = pl.String
        streams = [
            Stream(
                "customers", ("lead.created", "referral.received"), lambda read: self._fetch("customers", read),
                pl.Struct({"at": text, "recommended_by": text}), _of_customers, people=CUSTOMERS,
            ),
            Stream(
                "orders", ("deal.won",), lambda read: self._fetch("orders", read),
                pl.Struct({"at": text, "customers": pl.List(text), "seller": text, "amount": text}), _of_orders,
                people=ORDERS,
            ),
        ]  # fmt: skip
        return [stream for stream in streams if stream.name in self.streams_in_use]

    def _fetch(self, kind: str, read: Read) -> Generator[list[Record], None, Covered]:
        yield [_record(item) for item in getattr(self, kind)]
        return Covered(None, read.until, self.cursor)


def source(shop: Shop) -> load.Source:
    """The vendor as a source."""
    return load.Source(shop, Account("test", "shop", "UTC", code), Options())


@dataclass(frozen=True)
class StillClock:
    """A clock on which nobody waits."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        """Nothing here asks anybody to slow down."""


def load_shop(lake: Path, shop: Shop, hour: int) -> list[load.StreamLoad]:
    """A load of all that it has."""
    of_org = load.Lake(lake)
    loads = load.fetch(source(shop), of_org, StillClock(at(hour)), at(hour))
    load.bring_up_to_date([source(shop)], of_org, at(hour))
    return loads


def _record(item: dict[str, Any]) -> Record:
    revision = at(item["revision"]) if "revision" in item else None
    payload = {name: value for name, value in item.items() if name not in ("id", "revision", "is_deleted")}
    return Record(item["id"], revision, payload, item.get("is_deleted", False))


def _instant() -> pl.Expr:
    return pl.col("at").str.to_datetime("%+", time_unit="us", time_zone="UTC")


def _of_customers(customers: pl.LazyFrame) -> pl.LazyFrame:
    said = customers.select("record_key", "recommended_by", subject_id="record_key", occurred_at=_instant())
    created = said.select(
        "record_key", "subject_id", "occurred_at", account_id="record_key", event_type=pl.lit("lead.created"),
        fact_key=pl.format("customer/{}/lead", "record_key"),
    )  # fmt: skip
    recommended = said.filter(pl.col("recommended_by").is_not_null()).select(
        "record_key", "subject_id", "occurred_at", account_id="recommended_by", event_type=pl.lit("referral.received"),
        fact_key=pl.format("customer/{}/referral", "record_key"),
    )  # fmt: skip
    return pl.concat([created, recommended], how="diagonal")


def _of_orders(orders: pl.LazyFrame) -> pl.LazyFrame:
    strange = pl.col("amount").cast(DECIMAL, strict=False).is_null()
    return orders.select(
        "record_key",
        subject_id="record_key",
        fact_key="record_key",
        event_type=pl.lit("deal.won"),
        occurred_at=_instant(),
        account_id=pl.col("customers").list.first(),
        actor="seller",
        amount=pl.col("amount").cast(DECIMAL, strict=False),
        currency=pl.lit("EUR"),
        problem=pl.when(strange).then(pl.format("amount of order {}: not a number", "record_key")),
    )
