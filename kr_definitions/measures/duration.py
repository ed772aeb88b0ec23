"""How long subjects take from one event to another, on any clock or on the office's.

Belongs here: the elapsed time of pairs, working time. Does not: which two events make a pair (`pairs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import Literal

import polars as pl

from kr_definitions.measures.base import Context, Filter, Frames, Kind, words
from kr_definitions.measures.claims import ON_ITS_DAY, ONE, asked, claims, decided
from kr_definitions.measures.pairs import FromTo
from kr_definitions.measures.selection import Cohort, Cohorts, OfCohorts
from kr_definitions.measures.series import at_place, divided, within_windows
from kr_definitions.periods import Calendar
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import MICROSECONDS

_QUANTILES = {"min": 0.0, "median": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "max": 1.0}
_MOST_DAYS = 36_500


class Duration(OfCohorts):
    """A statistic of the elapsed time from a subject's first `from` to its first `to` not before it.

    A subject counts once, in the window that holds the day of that `to`; quantiles interpolate linearly between the
    two nearest values. A window in which no subject got there has no value. Numerator (of a mean, in microseconds) and
    denominator (subjects) are kept. working_hours: only the organisation's working hours on its working days count.
    """

    duration: FromTo
    statistic: Literal["mean", "median", "p75", "p90", "p95", "min", "max"] = "median"
    unit: Literal["minutes", "hours", "days", "working_hours"] = "hours"
    among: Cohorts = ()

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.duration.from_, *self.duration.to)

    @property
    def cohorts(self) -> tuple[Cohort, ...]:
        return self.among

    @property
    def remembered(self) -> tuple[str, ...]:
        """A time may have begun long before the window that it ends in."""
        return (*self.duration.from_, *self.also_read)

    @property
    def kind(self) -> Kind:
        return "duration"

    def filters(self) -> Iterator[Filter]:
        yield from self.duration.filters("duration")
        yield from super().filters()

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """One row a subject: the day of its end and the microseconds that it took."""
        return self._took(log, context).select("day", "microseconds")

    def _took(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The same with the events that ended and that began it, and when it ended (`occurred_at`)."""
        pairs = self.duration.pairs(log, context, self.among).filter(pl.col("ended_at").is_not_null())
        took = (pl.col("ended_at") - pl.col("began_at")).dt.total_microseconds()
        if self.unit == "working_hours":
            pairs = _worked(_worked(pairs, "began_at", context), "ended_at", context)
            took = pl.col("_ended_at") - pl.col("_began_at")
        return pairs.select(
            pl.col("ended").alias("event_id"),
            pl.col("began").alias("with_event_id"),
            pl.col("ended_at").alias("occurred_at"),
            pl.col("ended_on").alias("day"),
            took.alias("microseconds"),
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        held = within_windows(partials, windows)
        found = (self._mean(held) if self.statistic == "mean" else self._placed(held)).collect()
        return windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left").with_columns(
            pl.col("numerator") if self.statistic == "mean" else pl.lit(None, dtype=DECIMAL).alias("numerator"),
            pl.col("events").fill_null(0).cast(DECIMAL).alias("denominator"),
            pl.col("events").fill_null(0),
        )

    @property
    def _unit(self) -> int:
        """How many microseconds the value is counted in."""
        return MICROSECONDS["hours" if self.unit == "working_hours" else self.unit]

    def _mean(self, held: pl.LazyFrame) -> pl.LazyFrame:
        took = pl.col("microseconds")
        return (
            held.group_by("as_of", "window_start")
            .agg(
                (took.sum() / took.len()).alias("value"),
                took.sum().cast(DECIMAL).alias("numerator"),
                took.len().cast(pl.Int64).alias("events"),
            )
            .with_columns(divided(pl.col("value"), pl.lit(self._unit)))
        )

    def _placed(self, held: pl.LazyFrame) -> pl.LazyFrame:
        numbers = held.rename({"microseconds": "number"})
        return at_place(numbers, _QUANTILES[self.statistic], self._unit)

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        took = self._took(log, context)
        if self.statistic != "mean":  # which of them decide is another matter in each window
            return {"": took.with_columns(pl.col("microseconds").cast(pl.Float64).alias("number"))}
        both = {"with_event_id": pl.col("with_event_id"), "numerator": pl.col("microseconds"), "denominator": ONE}
        return {"": claims(took, **both, **ON_ITS_DAY)}

    def claimed(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        if self.statistic == "mean":
            return super().claimed(frames, windows, context)
        placed = self._placed(within_windows(frames[""].select("day", "microseconds"), asked(windows)))
        return decided(frames[""].drop("microseconds"), placed.collect(), windows)

    def text(self) -> str:
        unit = self.unit.replace("_", " ")
        return f"{self.statistic} {unit} from {words(self.duration.from_)} to {words(self.duration.to)}"


@cache
def _working_days(calendar: Calendar) -> pl.DataFrame:
    """Each day from 2000 on: whether it is worked, and how many worked days there were before it."""
    first = date(2000, 1, 1)
    days = [first + timedelta(days=n) for n in range(_MOST_DAYS)]
    worked = pl.Series("_is_worked", [calendar.is_working_day(day) for day in days])
    return pl.DataFrame({"_day": days}).with_columns(
        worked, (worked.cast(pl.Int64).cum_sum() - worked.cast(pl.Int64)).alias("_worked_before")
    )


def _worked(rows: pl.LazyFrame, column: str, context: Context) -> pl.LazyFrame:
    """Rows with `_<column>`: the microseconds of working time that had passed by an instant, on the office's clock.

    The difference of two is the working time between them. The hour that a change of the clocks adds or takes away
    counts only where somebody works at night.
    """
    opens, closes = (moment.hour * 3_600_000_000 + moment.minute * 60_000_000 for moment in context.working_hours)
    local = pl.col(column).dt.convert_time_zone(context.zone)
    clock = (
        local.dt.hour().cast(pl.Int64) * 3_600_000_000
        + local.dt.minute().cast(pl.Int64) * 60_000_000
        + local.dt.second().cast(pl.Int64) * 1_000_000
        + local.dt.microsecond().cast(pl.Int64)
    )
    today = pl.when(pl.col("_is_worked")).then((clock - opens).clip(0, closes - opens)).otherwise(0)
    return (
        rows.with_columns(local.dt.date().alias("_day"))
        .join(_working_days(context.calendar).lazy(), on="_day", how="left")
        .with_columns((pl.col("_worked_before") * (closes - opens) + today).alias(f"_{column}"))
        .drop("_day", "_is_worked", "_worked_before")
    )
