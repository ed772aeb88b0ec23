"""Statistics of a number that events carry: mean, median, quantile, smallest, largest.

Belongs here: one number an event. Does not: elapsed times (`duration`), levels (`levels`), sums (`additive`).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from kr_definitions.measures.base import Bounds, Context, Frames, words
from kr_definitions.measures.claims import ON_ITS_DAY, ONE, asked, claims, decided
from kr_definitions.measures.selection import OfNumber
from kr_definitions.measures.series import at_place, window_sums, with_ratio, within_windows
from kr_definitions.vocabulary import DECIMAL, vocabulary
from kr_definitions.words import Number, NumberColumn


class _Statistic(OfNumber):
    """A statistic over the events of the window that carry the number; without any there is no value."""

    @property
    def bounds(self) -> Bounds:
        """Those of the numbers themselves."""
        domain = vocabulary().domain_of(self.number)
        return domain.least, domain.most

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

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        return {"": claims(self.numbers(log, context), numerator=pl.col(self.mean), denominator=ONE, **ON_ITS_DAY)}

    def text(self) -> str:
        return f"mean {self.mean} of {words(self.of)}{self.narrowed}"


class _Ordered(_Statistic):
    """A statistic that needs the numbers themselves; how many they are is kept as denominator."""

    @property
    def place(self) -> float:
        """The part of the numbers that the value is not exceeded by."""
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
        placed = at_place(within_windows(each, windows), self.place)
        found = placed.select("as_of", "window_start", "value", "events").collect()
        return windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left").with_columns(
            pl.lit(None, dtype=DECIMAL).alias("numerator"),
            pl.col("events").fill_null(0).cast(DECIMAL).alias("denominator"),
            pl.col("events").fill_null(0),
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """The numbers: which of them decide is another matter in each window."""
        number, alone = pl.col(self.number).cast(pl.Float64), pl.lit(None, dtype=pl.String)
        columns = {"with_event_id": alone, "number": number}
        return {"": self.numbers(log, context).select("event_id", "day", "occurred_at", **columns)}

    def claimed(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        placed = at_place(within_windows(frames[""].select("day", "number"), asked(windows)), self.place)
        return decided(frames[""], placed.collect(), windows)


class Median(_Ordered):
    """The middle number; of an even number of them, the mean of the two in the middle."""

    median: NumberColumn

    @property
    def number(self) -> str:
        return self.median

    @property
    def place(self) -> float:
        return 0.5

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
    def place(self) -> float:
        return float(self.at)

    def text(self) -> str:
        return f"{self.at:f} quantile of {self.quantile} of {words(self.of)}{self.narrowed}"


class Smallest(_Ordered):
    """The smallest number."""

    min: NumberColumn

    @property
    def number(self) -> str:
        return self.min

    @property
    def place(self) -> float:
        return 0.0

    def text(self) -> str:
        return f"smallest {self.min} of {words(self.of)}{self.narrowed}"


class Largest(_Ordered):
    """The largest number."""

    max: NumberColumn

    @property
    def number(self) -> str:
        return self.max

    @property
    def place(self) -> float:
        return 1.0

    def text(self) -> str:
        return f"largest {self.max} of {words(self.of)}{self.narrowed}"
