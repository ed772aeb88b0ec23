"""Measures that need to know which ones: distinct values, and the best day of a window.

Belongs here: what cannot be added up over days. Does not: sums and counts (`additive`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import polars as pl

from kr_definitions.measures.base import Bounds, Context, Frames, Kind, of_sum, words
from kr_definitions.measures.claims import ON_ITS_DAY, ONE, asked, claims, firsts, given, lasting
from kr_definitions.measures.selection import Selection, Top, keyed
from kr_definitions.measures.series import day_totals, window_sums, with_plain_value, within_windows
from kr_definitions.vocabulary import DECIMAL, vocabulary
from kr_definitions.words import Column, EventTypes


class Distinct(Selection):
    """How many different values of a column the events of the window have; null is not a value."""

    distinct: Column
    of: EventTypes

    @property
    def types(self) -> tuple[str, ...]:
        return self.of

    @property
    def bounds(self) -> Bounds:
        """As many as the column can have values, or as a cohort has members."""
        values = len(vocabulary().domain_of(self.distinct).values)
        cohorts = [cohort.top for cohort in self.among if isinstance(cohort, Top) and cohort.key == self.distinct]
        limits = [*cohorts, *([values] if values else [])]
        return Decimal(0), Decimal(min(limits)) if limits else None

    @property
    def accumulates(self) -> bool:
        return True

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """One row a day and value: mergeable, because a value seen twice is still one."""
        return (
            self.selected(log, context)
            .filter(pl.col(keyed(self.distinct)).is_not_null())
            .group_by("day", pl.col(keyed(self.distinct)).alias("key"))
            .agg(pl.len().cast(pl.Int64).alias("events"))
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        counted = window_sums(partials, windows, ["events"])
        firsts = _first_days(partials, windows)
        return with_plain_value(
            counted.join(firsts, on=["as_of", "window_start"], how="left", maintain_order="left").with_columns(
                pl.col("numerator").fill_null(0).cast(DECIMAL)
            )
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """The first event of each value in the window."""
        column = keyed(self.distinct)
        seen = firsts(self.selected(log, context).filter(pl.col(column).is_not_null()), column)
        return {"": claims(seen, numerator=ONE, starts_after=pl.col("starts_after"), **ON_ITS_DAY)}

    def text(self) -> str:
        return f"different {self.distinct} of {words(self.of)}{self.narrowed}"


def _first_days(partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """Different values up to each day of each window: a value counts from the day it is first seen in the window.

    Windows that start on the same day share the first days, so a year so far costs a pass over the year, not one a day.
    """
    spans = windows.lazy().group_by("window_start").agg(pl.col("as_of").max().alias("_last"))
    seen = (
        spans.join_where(
            partials.lazy().select("day", "key"),
            pl.col("day") >= pl.col("window_start"),
            pl.col("day") <= pl.col("_last"),
        )
        .group_by("window_start", "key")
        .agg(pl.col("day").min())
        .group_by("window_start", "day")
        .agg(pl.len().cast(pl.Int64).alias("new"))
        .sort("window_start", "day")
        .with_columns(pl.col("new").cum_sum().over("window_start").alias("numerator"))
    )
    asked = windows.lazy().select("as_of", "window_start").unique().sort("window_start", "as_of")
    return (
        asked.join_asof(
            seen.select("window_start", "day", "numerator"),
            left_on="as_of",
            right_on="day",
            by="window_start",
            strategy="backward",
        )
        .select("as_of", "window_start", "numerator")
        .collect()
    )


class DailyMax(Selection):
    """The largest daily sum in the window; 0 where nothing happened."""

    daily_max: Literal["quantity", "amount"]
    of: EventTypes

    @property
    def types(self) -> tuple[str, ...]:
        return self.of

    @property
    def accumulates(self) -> bool:
        return True

    @property
    def kind(self) -> Kind:
        return "money" if self.daily_max == "amount" else "number"

    @property
    def bounds(self) -> Bounds:
        return of_sum(self.daily_max)

    def money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return self.selected(log, context) if self.daily_max == "amount" else None

    def added(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return self.money(log, context)

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return (
            self.selected(log, context)
            .group_by("day")
            .agg(pl.col(self.daily_max).fill_null(0).sum().alias("numerator"), pl.len().cast(pl.Int64).alias("events"))
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        best = (
            within_windows(day_totals(partials), windows)
            .group_by("as_of", "window_start")
            .agg(pl.col("numerator").max(), pl.col("events").sum())
            .collect()
        )
        return with_plain_value(
            windows.join(best, on=["as_of", "window_start"], how="left", maintain_order="left").with_columns(
                pl.col("numerator").fill_null(0).cast(DECIMAL), pl.col("events").fill_null(0)
            )
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """The events: which day's are the best is another matter in each window."""
        number = pl.col(self.daily_max).fill_null(0).alias("numerator")
        return {"": self.selected(log, context).select("event_id", "day", number)}

    def claimed(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The events of the best day; of equally good ones, the first."""
        totals = day_totals(frames[""].select("day", "numerator"))
        best = (
            within_windows(totals, asked(windows))
            .sort("day")
            .group_by("as_of", "window_start")
            .agg(pl.col("day").get(pl.col("numerator").arg_max()))
            .collect()
        )
        return given(lasting(best, windows).join(frames[""], on="day"))

    def text(self) -> str:
        return f"largest daily {self.daily_max} of {words(self.of)}{self.narrowed}"
