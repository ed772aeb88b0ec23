"""What all of Stripe's objects have alike once they are facts: their times, their address, and whose they are.

Belongs here: those columns. Does not: amounts (`money`), or what any kind of object states.
"""

from __future__ import annotations

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS


def instant(name: str) -> pl.Expr:
    """A column of epoch seconds as instants; null where it is none."""
    seconds = pl.when(pl.col(name).str.contains(r"^\d{1,10}$")).then(pl.col(name)).cast(pl.Int64)
    return pl.from_epoch(seconds, time_unit="s").dt.cast_time_unit("us").dt.replace_time_zone("UTC").alias(name)


def address(place: str, *, livemode: bool) -> pl.Expr:
    """Where an object is seen in the dashboard. place: what the dashboard calls its kind."""
    return pl.format("https://dashboard.stripe.com/{}/{}", pl.lit(place if livemode else f"test/{place}"), "id")


def stated(
    said: pl.LazyFrame, kind: str, event_type: str, when: str, how_much: pl.Expr, *beside: str | pl.Expr
) -> pl.LazyFrame:
    """One fact of each object: of this type, at the instant in the column `when`, of an amount in its currency.

    said: with record_key, id, customer, currency, source_url and problem. kind: what the fact's key calls the object.
    beside: more of its columns.
    """
    what = event_type.partition(".")[2]
    return said.select(
        "record_key",
        "currency",
        "source_url",
        "problem",
        *beside,
        fact_key=pl.format("{}/{}/{}", pl.lit(kind), "id", pl.lit(what)),
        event_type=pl.lit(event_type),
        subject_id="id",
        account_id="customer",
        occurred_at=pl.col(when).cast(UTC_MICROSECONDS),
        amount=how_much,
    )
