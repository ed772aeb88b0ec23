"""Statistics of a number that events carry: mean, median, quantile, smallest, largest.

Belongs here: one number an event. Does not: elapsed times (`subjects`), levels (`levels`), sums (`additive`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from kr_definitions.measures.base import Context, words
from kr_definitions.measures.selection import OfNumber
from kr_definitions.measures.series import window_sums, with_ratio, within_windows
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import Number, NumberColumn


class _Statistic(OfNumber):
    """A statistic over the events of the window that carry the number; without any there is no value."""

    def money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return self.selected(log, context) if self.number == "amount" else None


class Mean(_Statistic):
    """The mean of a number: its exact sum over how many events carry it, both kept."""

    mean: NumberColumn

    @property
    def number(self) -> str:
        return self.mean

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return (
            self.numbers(log, context)
            .group_by("day")
            .agg(
                pl.col(self.mean).sum().alias("numerator"),
                pl.len().cast(DECIMAL).alias("denominator"),
                pl.len().cast(pl.Int64).alias("events"),
            )
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        return with_ratio(window_sums(partials, windows, ["numerator", "denominator", "events"]))

    def text(self) -> str:
        return f"mean {self.mean} of {words(self.of)}{self.narrowed}"


class _Ordered(_Statistic):
    """A statistic that needs the numbers themselves; how many they are is kept as denominator."""

    @property
    def _statistic(self) -> pl.Expr:
        raise NotImplementedError

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """One row a day and number: mergeable, because equal numbers are counted."""
        return (
            self.numbers(log, context)
            .group_by("day", pl.col(self.number).alias("number"))
            .agg(pl.len().cast(pl.Int64).alias("events"))
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        each = partials.select("day", pl.col("number").repeat_by("events")).explode("number")
        found = (
            within_windows(each, windows)
            .group_by("as_of", "window_start")
            .agg(self._statistic.cast(pl.Float64).alias("value"), pl.len().cast(pl.Int64).alias("events"))
            .collect()
        )
        return windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left").with_columns(
            pl.lit(None, dtype=DECIMAL).alias("numerator"),
            pl.col("events").fill_null(0).cast(DECIMAL).alias("denominator"),
            pl.col("events").fill_null(0),
        )


class Median(_Ordered):
    """The middle number; of an even number of them, the mean of the two in the middle."""

    median: NumberColumn

    @property
    def number(self) -> str:
        return self.median

    @property
    def _statistic(self) -> pl.Expr:
        return pl.col("number").cast(pl.Float64).quantile(0.5, interpolation="linear")

    def text(self) -> str:
        return f"median {self.median} of {words(self.of)}{self.narrowed}"


class Quantile(_Ordered):
    """The number that a part of them (`at`, 0 to 1) does not exceed, linear between the two nearest ones."""

    quantile: NumberColumn
    at: Annotated[Number, Field(ge=0, le=1)]

    @property
    def number(self) -> str:
        return self.quantile

    @property
    def _statistic(self) -> pl.Expr:
        return pl.col("number").cast(pl.Float64).quantile(float(self.at), interpolation="linear")

    def text(self) -> str:
        return f"{self.at:f} quantile of {self.quantile} of {words(self.of)}{self.narrowed}"


class Smallest(_Ordered):
    """The smallest number."""

    min: NumberColumn

    @property
    def number(self) -> str:
        return self.min

    @property
    def _statistic(self) -> pl.Expr:
        return pl.col("number").min()

    def text(self) -> str:
        return f"smallest {self.min} of {words(self.of)}{self.narrowed}"


class Largest(_Ordered):
    """The largest number."""

    max: NumberColumn

    @property
    def number(self) -> str:
        return self.max

    @property
    def _statistic(self) -> pl.Expr:
        return pl.col("number").max()

    def text(self) -> str:
        return f"largest {self.max} of {words(self.of)}{self.narrowed}"
