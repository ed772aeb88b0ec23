"""Measures whose days add up: count, sum, share.

Belongs here: what can be summed over days without knowing which events they were. Does not: distinct values, levels.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from kr_definitions.expressions import Expression, predicate
from kr_definitions.measures.selection import Customers, Selection, columns_of
from kr_definitions.measures.series import window_sums, with_plain_value, with_ratio
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes

_ONE = pl.lit(1, dtype=DECIMAL)


class Count(Selection):
    """How many events there were.

    out_of: event types of which these are a part; their number is shown as denominator, the value stays the count.
    A window without events is 0.
    """

    count: EventTypes
    out_of: EventTypes | None = None

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.count, *(self.out_of or ()))

    def partials(self, log: pl.LazyFrame) -> pl.LazyFrame:
        counted = self.selected(log, self.count).select(
            "day", numerator=_ONE, denominator=pl.lit(0, dtype=DECIMAL), events=pl.lit(1, dtype=pl.Int64)
        )
        if self.out_of is None:
            return _by_day(counted)
        all_of_them = log.filter(pl.col("event_type").is_in(self.out_of)).select(
            "day", numerator=pl.lit(0, dtype=DECIMAL), denominator=_ONE, events=pl.lit(0, dtype=pl.Int64)
        )
        return _by_day(pl.concat([counted, all_of_them]))

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        sums = window_sums(partials, windows, ["numerator", "denominator", "events"])
        plain = with_plain_value(sums)
        return plain if self.out_of is None else plain.with_columns(sums.get_column("denominator"))

    def text(self) -> str:
        return f"number of {_types(self.count)}{_where(self)}"


class Sum(Selection):
    """The exact sum of a number over the events. A window without events is 0; an event without the number adds 0."""

    sum: Literal["amount", "quantity", "score"]
    of: EventTypes

    @property
    def types(self) -> tuple[str, ...]:
        return self.of

    def partials(self, log: pl.LazyFrame) -> pl.LazyFrame:
        return _by_day(
            self.selected(log, self.of).select(
                "day",
                numerator=pl.col(self.sum).fill_null(0),
                denominator=pl.lit(0, dtype=DECIMAL),
                events=pl.lit(1, dtype=pl.Int64),
            )
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        return with_plain_value(window_sums(partials, windows, ["numerator", "events"]))

    def text(self) -> str:
        return f"sum of {self.sum} of {_types(self.of)}{_where(self)}"


class ShareOf(Declared):
    """of: the events that count; where: only those; reached: the predicate that holds for those that reached it."""

    of: EventTypes
    where: str | None = None
    reached: str


class Share(Declared):
    """The part of the events for which something holds.

    Numerator and denominator are kept. An event for which `reached` is unknown (null) counts in neither. A window
    without events has no value.
    """

    share: ShareOf
    customers: Customers | None = None

    @property
    def types(self) -> tuple[str, ...]:
        return self.share.of

    def reached(self) -> Expression:
        """The declared predicate, checked. Raises `ExpressionError`."""
        return predicate(self.share.reached, columns_of(self.share.of))

    def partials(self, log: pl.LazyFrame) -> pl.LazyFrame:
        events = Selection(where=self.share.where, customers=self.customers).selected(log, self.share.of)
        reached = self.reached().expr()
        return _by_day(
            events.filter(reached.is_not_null()).select(
                "day",
                numerator=reached.cast(pl.Int64).cast(DECIMAL),
                denominator=_ONE,
                events=pl.lit(1, dtype=pl.Int64),
            )
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        return with_ratio(window_sums(partials, windows, ["numerator", "denominator", "events"]))

    def text(self) -> str:
        return f"share of {_types(self.share.of)} with {self.share.reached}"


def _by_day(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("day").agg(pl.col("numerator", "denominator", "events").sum())


def _types(types: tuple[str, ...]) -> str:
    return " or ".join(types)


def _where(selection: Selection) -> str:
    filtered = f" where {selection.where}" if selection.where else ""
    if selection.customers is None:
        return filtered
    negation = "" if selection.customers.had else "no "
    return f"{filtered}, of accounts with {negation}{selection.customers.event_type} before"
