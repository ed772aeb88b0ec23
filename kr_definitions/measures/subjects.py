"""Measures that follow a subject: the time from one of its events to another, and whether it is open.

Belongs here: what needs two events of one subject. Does not: counting events (`additive`, `distinct`).
"""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from kr_definitions.measures.selection import Selection
from kr_definitions.measures.series import divided, window_sums, with_plain_value, within_windows
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventType, EventTypes

_MICROSECONDS = {"minutes": 60_000_000, "hours": 3_600_000_000, "days": 86_400_000_000}
_QUANTILES = {"min": 0.0, "median": 0.5, "p90": 0.9, "max": 1.0}


class FromTo(Declared):
    """The event that starts the time, the one that ends it, and a filter on the latter."""

    from_: EventType = Field(alias="from")
    to: EventType
    where: str | None = None


class Duration(Declared):
    """A statistic of the elapsed time from a subject's first `from` to its first `to` not before it.

    A subject counts once, in the window that holds the day of that `to`; quantiles interpolate linearly between the
    two nearest values. A window in which no subject got there has no value. Numerator (of a mean, in microseconds) and
    denominator (subjects) are kept.
    """

    duration: FromTo
    statistic: Literal["mean", "median", "p90", "min", "max"] = "median"
    unit: Literal["minutes", "hours", "days"] = "hours"

    @property
    def types(self) -> tuple[str, ...]:
        return (self.duration.from_, self.duration.to)

    @property
    def remembered(self) -> tuple[str, ...]:
        """A time may have begun long before the window that it ends in."""
        return (self.duration.from_,)

    def partials(self, log: pl.LazyFrame) -> pl.LazyFrame:
        """One row a subject: the day of its end and the microseconds that it took."""
        began = (
            log.filter(pl.col("event_type") == self.duration.from_)
            .group_by("subject_id")
            .agg(pl.col("occurred_at").min().alias("_began_at"))
        )
        return (
            Selection(where=self.duration.where)
            .selected(log, (self.duration.to,))
            .join(began, on="subject_id")
            .filter(pl.col("occurred_at") >= pl.col("_began_at"))
            .sort("occurred_at")
            .unique("subject_id", keep="first", maintain_order=True)
            .select("day", (pl.col("occurred_at") - pl.col("_began_at")).dt.total_microseconds().alias("microseconds"))
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        took = pl.col("microseconds")
        statistic = (
            took.sum() / took.len()
            if self.statistic == "mean"
            else took.quantile(_QUANTILES[self.statistic], interpolation="linear")
        )
        found = (
            within_windows(partials, windows)
            .group_by("as_of", "window_start")
            .agg(
                statistic.alias("value"),
                took.sum().cast(DECIMAL).alias("numerator"),
                took.len().cast(pl.Int64).alias("events"),
            )
            .with_columns(divided(pl.col("value"), pl.lit(_MICROSECONDS[self.unit])))
            .collect()
        )
        numerator = pl.col("numerator") if self.statistic == "mean" else pl.lit(None, dtype=DECIMAL)
        return windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left").with_columns(
            numerator.alias("numerator"),
            pl.col("events").fill_null(0).cast(DECIMAL).alias("denominator"),
            pl.col("events").fill_null(0),
        )

    def text(self) -> str:
        return f"{self.statistic} {self.unit} from {self.duration.from_} to {self.duration.to}"


class Transitions(Declared):
    """What opens a subject and what closes it."""

    opened_by: EventTypes
    closed_by: EventTypes


class Open(Declared):
    """How many subjects are open at the end of the day: those whose last opening or closing event opened them.

    Two at one instant: the closing one holds. The value is a level; it does not depend on the window's first day.
    """

    open: Transitions

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.open.opened_by, *self.open.closed_by)

    @property
    def remembered(self) -> tuple[str, ...]:
        """A level is what all of the past left open."""
        return self.types

    def partials(self, log: pl.LazyFrame) -> pl.LazyFrame:
        """By how many the level moved on each day."""
        is_open = pl.col("event_type").is_in(self.open.opened_by).cast(pl.Int64)
        before = pl.col("_is_open").shift(1, fill_value=0).over("subject_id", order_by="_order")
        return (
            log.filter(pl.col("event_type").is_in(self.types))
            .sort("occurred_at", is_open, descending=[False, True])
            .with_row_index("_order")
            .with_columns(is_open.alias("_is_open"))
            .with_columns((pl.col("_is_open") - before).alias("_moved"))
            .group_by("day")
            .agg(pl.col("_moved").sum().cast(DECIMAL).alias("numerator"), pl.len().cast(pl.Int64).alias("events"))
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        everything = windows.with_columns(pl.lit(None, dtype=pl.Date).alias("window_start"))
        return with_plain_value(window_sums(partials, everything, ["numerator", "events"])).with_columns(
            windows.get_column("window_start")
        )

    def text(self) -> str:
        opened, closed = " or ".join(self.open.opened_by), " or ".join(self.open.closed_by)
        return f"subjects opened by {opened} and not closed by {closed}"
