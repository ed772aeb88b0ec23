"""Measures whose days add up: count, sum, share, and a stated figure.

Belongs here: what can be summed over days without knowing which events they were. Does not: distinct values, levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import polars as pl

from kr_definitions.expressions import Expression, predicate
from kr_definitions.measures.base import Context, Filter, Kind, Measured, words
from kr_definitions.measures.selection import Cohorts, Selection, cohort_filters, columns_of, ranked_money, selected
from kr_definitions.measures.series import window_sums, with_plain_value, with_ratio
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes, Number, NumberColumn

_ONE, _NONE = pl.lit(1, dtype=DECIMAL), pl.lit(0, dtype=DECIMAL)


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

    @property
    def counted(self) -> tuple[str, ...]:
        return self.count

    @property
    def accumulates(self) -> bool:
        return True

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        counted = self.selected(log, context).select(
            "day", numerator=_ONE, denominator=_NONE, events=pl.lit(1, dtype=pl.Int64)
        )
        if self.out_of is None:
            return _by_day(counted)
        all_of_them = context.events(log, self.out_of).select(
            "day", numerator=_NONE, denominator=_ONE, events=pl.lit(0, dtype=pl.Int64)
        )
        return _by_day(pl.concat([counted, all_of_them]))

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        sums = window_sums(partials, windows, ["numerator", "denominator", "events"])
        plain = with_plain_value(sums)
        return plain if self.out_of is None else plain.with_columns(sums.get_column("denominator"))

    def text(self) -> str:
        return f"number of {words(self.count)}{self.narrowed}"


class Sum(Selection):
    """The exact sum of a number over the events. A window without events is 0; an event without the number adds 0."""

    sum: NumberColumn
    of: EventTypes

    @property
    def types(self) -> tuple[str, ...]:
        return self.of

    @property
    def kind(self) -> Kind:
        return "money" if self.sum == "amount" else "number"

    @property
    def accumulates(self) -> bool:
        return True

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return _by_day(
            self.selected(log, context).select(
                "day",
                numerator=pl.col(self.sum).fill_null(0),
                denominator=_NONE,
                events=pl.lit(1, dtype=pl.Int64),
            )
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        return with_plain_value(window_sums(partials, windows, ["numerator", "events"]))

    def money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return self.selected(log, context) if self.sum == "amount" else None

    def text(self) -> str:
        return f"sum of {self.sum} of {words(self.of)}{self.narrowed}"


class ShareOf(Declared):
    """of: the events that count; where: only those; reached: the predicate that holds for those that reached it."""

    of: EventTypes
    where: str | None = None
    reached: str


class Share(Measured):
    """The part of the events for which something holds.

    Numerator and denominator are kept. An event for which `reached` is unknown (null) counts in neither. A window
    without events has no value.
    """

    share: ShareOf
    among: Cohorts = ()

    @property
    def types(self) -> tuple[str, ...]:
        return self.share.of

    @property
    def also_read(self) -> tuple[str, ...]:
        return tuple(name for cohort in self.among for name in cohort.types)

    @property
    def kind(self) -> Kind:
        return "share"

    def filters(self) -> Iterator[Filter]:
        yield ("share", "reached"), self.share.reached, self.share.of
        if self.share.where is not None:
            yield ("share", "where"), self.share.where, self.share.of
        yield from cohort_filters(self.among)

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return ranked_money(self.among, log, context)

    def reached(self) -> Expression:
        """The declared predicate, checked. Raises `ExpressionError`."""
        return predicate(self.share.reached, columns_of(self.share.of))

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        events = selected(log, self.share.of, self.share.where, self.among, context)
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
        filtered = f" where {self.share.where}" if self.share.where else ""
        return f"share of {words(self.share.of)}{filtered} with {self.share.reached}"


class Figure(Measured):
    """A stated number, the same in every window: a quota, a budget. Of use as the denominator of a ratio."""

    figure: Number
    of: Literal["count", "money", "number"] = "money"

    @property
    def types(self) -> tuple[str, ...]:
        return ()

    @property
    def kind(self) -> Kind:
        return self.of

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:  # noqa: ARG002 - it reads nothing
        return pl.LazyFrame(schema={"day": pl.Date})

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:  # noqa: ARG002
        return with_plain_value(
            windows.with_columns(
                pl.lit(self.figure, dtype=DECIMAL).alias("numerator"), pl.lit(0, dtype=pl.Int64).alias("events")
            )
        )

    def text(self) -> str:
        return f"{self.figure:f}"


def _by_day(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("day").agg(pl.col("numerator", "denominator", "events").sum())
