"""Measures whose days add up: count, sum, share, and a stated figure.

Belongs here: what can be summed over days without knowing which events they were. Does not: distinct values, levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import polars as pl

from kr_definitions.expressions import Expression, predicate
from kr_definitions.measures.base import Bounds, Context, Filter, Kind, Measured, of_sum, words
from kr_definitions.measures.claims import NOTHING, ON_ITS_DAY, ONE, claims, stated
from kr_definitions.measures.selection import Cohort, Cohorts, OfCohorts, Selection, columns_of, selected
from kr_definitions.measures.series import window_sums, with_plain_value, with_ratio
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes, Number, NumberColumn


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
            "day", numerator=ONE, denominator=NOTHING, events=pl.lit(1, dtype=pl.Int64)
        )
        if self.out_of is None:
            return _by_day(counted)
        all_of_them = context.events(log, self.out_of).select(
            "day", numerator=NOTHING, denominator=ONE, events=pl.lit(0, dtype=pl.Int64)
        )
        return _by_day(pl.concat([counted, all_of_them]))

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        sums = window_sums(partials, windows, ["numerator", "denominator", "events"])
        plain = with_plain_value(sums)
        return plain if self.out_of is None else plain.with_columns(sums.get_column("denominator"))

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        counted = self.selected(log, context).select("event_id", "day")
        if self.out_of is None:
            return {"": claims(counted, numerator=ONE, **ON_ITS_DAY)}
        each = context.events(log, self.out_of).select("event_id", "day").with_columns(_is_one=pl.lit(value=True))
        both = each.join(
            counted.with_columns(_is_counted=pl.lit(value=True)), on=["event_id", "day"], how="full", coalesce=True
        )
        given = {"numerator": pl.col("_is_counted"), "denominator": pl.col("_is_one")}
        return {"": claims(both, **{name: _whether(is_so) for name, is_so in given.items()}, **ON_ITS_DAY)}

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
    def bounds(self) -> Bounds:
        return of_sum(self.sum)

    @property
    def accumulates(self) -> bool:
        return True

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return _by_day(
            self.selected(log, context).select(
                "day",
                numerator=pl.col(self.sum).fill_null(0),
                denominator=NOTHING,
                events=pl.lit(1, dtype=pl.Int64),
            )
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        return with_plain_value(window_sums(partials, windows, ["numerator", "events"]))

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        return {"": claims(self.selected(log, context), numerator=pl.col(self.sum).fill_null(0), **ON_ITS_DAY)}

    def money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return self.selected(log, context) if self.sum == "amount" else None

    def added(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return self.money(log, context)

    def text(self) -> str:
        return f"sum of {self.sum} of {words(self.of)}{self.narrowed}"


class ShareOf(Declared):
    """of: the events that count; where: only those; reached: the predicate that holds for those that reached it."""

    of: EventTypes
    where: str | None = None
    reached: str


class Share(OfCohorts):
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
    def cohorts(self) -> tuple[Cohort, ...]:
        return self.among

    @property
    def kind(self) -> Kind:
        return "share"

    def filters(self) -> Iterator[Filter]:
        yield ("share", "reached"), self.share.reached, self.share.of
        if self.share.where is not None:
            yield ("share", "where"), self.share.where, self.share.of
        yield from super().filters()

    def reached(self) -> Expression:
        """The declared predicate, checked. Raises `ExpressionError`."""
        return predicate(self.share.reached, columns_of(self.share.of))

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        events = selected(log, self.share.of, self.share.where, self.among, context)
        reached = self.reached().expr()
        return _by_day(
            events.filter(reached.is_not_null()).select(
                "day",
                numerator=_whether(reached),
                denominator=ONE,
                events=pl.lit(1, dtype=pl.Int64),
            )
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        return with_ratio(window_sums(partials, windows, ["numerator", "denominator", "events"]))

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        events = selected(log, self.share.of, self.share.where, self.among, context)
        reached = self.reached().expr()
        asked = events.filter(reached.is_not_null())
        return {"": claims(asked, numerator=_whether(reached), denominator=ONE, **ON_ITS_DAY)}

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

    @property
    def bounds(self) -> Bounds:
        return self.figure, self.figure

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return pl.LazyFrame(schema={"day": pl.Date})

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        return with_plain_value(
            windows.with_columns(
                pl.lit(self.figure, dtype=DECIMAL).alias("numerator"), pl.lit(0, dtype=pl.Int64).alias("events")
            )
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        return {"": stated(numerator=pl.lit(self.figure, dtype=DECIMAL))}

    def text(self) -> str:
        return f"{self.figure:f}"


def _whether(is_so: pl.Expr) -> pl.Expr:
    """1 where something holds."""
    return pl.when(is_so).then(ONE).otherwise(NOTHING)


def _by_day(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.group_by("day").agg(pl.col("numerator", "denominator", "events").sum())
