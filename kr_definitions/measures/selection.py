"""Which events a measure is over: their types, a filter, and what their accounts had done before.

Belongs here: narrowing the log to a measure's events. Does not: counting them.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from pydantic import model_validator

from kr_definitions.expressions import Expression, predicate
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import vocabulary
from kr_definitions.words import EventType


class Customers(Declared):
    """Only events of accounts that had, or had not, an event of this type at an earlier instant."""

    had: EventType | None = None
    had_not: EventType | None = None

    @model_validator(mode="after")
    def _says_one(self) -> Customers:
        if (self.had is None) == (self.had_not is None):
            raise ValueError("it says neither or both | Give either had: or had_not: with an event type")
        return self

    @property
    def event_type(self) -> str:
        """The type that an account had, or had not."""
        return self.had or self.had_not or ""

    def among(self, events: pl.LazyFrame, log: pl.LazyFrame) -> pl.LazyFrame:
        """The events whose account fits. An event without an account fits neither."""
        firsts = (
            log.filter(pl.col("event_type") == self.event_type, pl.col("account_id").is_not_null())
            .group_by("account_id")
            .agg(pl.col("occurred_at").min().alias("_had_first_at"))
        )
        had = pl.col("_had_first_at") < pl.col("occurred_at")
        fits = had if self.had else pl.col("account_id").is_not_null() & ~had.fill_null(value=False)
        return events.join(firsts, on="account_id", how="left").filter(fits).drop("_had_first_at")


def columns_of(types: tuple[str, ...]) -> Mapping[str, pl.DataType]:
    """What a filter over events of these types may name: what every one of them carries."""
    known = [vocabulary().columns_of(name) for name in types if name in vocabulary().types]
    if not known:
        return {}
    return {name: dtype for name, dtype in known[0].items() if all(name in other for other in known[1:])}


def filter_of(where: str | None, types: tuple[str, ...]) -> Expression | None:
    """The declared filter, checked against the types' columns. Raises `ExpressionError`."""
    return None if where is None else predicate(where, columns_of(types))


class Selection(Declared):
    """Events of some types, narrowed by a filter (`where`) and by what their accounts had done (`customers`)."""

    where: str | None = None
    customers: Customers | None = None

    def selected(self, log: pl.LazyFrame, types: tuple[str, ...]) -> pl.LazyFrame:
        """The events of a log (current events, with `day`) that the measure is over."""
        events = log.filter(pl.col("event_type").is_in(types))
        where = filter_of(self.where, types)
        if where is not None:
            events = events.filter(where.expr())
        return events if self.customers is None else self.customers.among(events, log)
