"""How good the forecasts of months were.

Belongs here: what was forecast beside what happened. Does not: our own forecasts of a value (`compute`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import polars as pl

from kr_definitions.events import UNCONVERTED
from kr_definitions.measures.base import Bounds, Context, Filter, Frames, Kind, Measured, words
from kr_definitions.measures.claims import NOTHING, claims
from kr_definitions.measures.selection import filtered
from kr_definitions.measures.series import with_ratio, within_windows
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes


class ForecastOf(Declared):
    """forecast: the events that state the amount expected of a `forecast_month`; actual: those that bring it."""

    forecast: EventTypes
    where: str | None = None
    actual: EventTypes
    actual_where: str | None = None


class ForecastAccuracy(Measured):
    """1 less the absolute error over what happened, of the whole months in the window that have ended.

    A month's forecast is the sum over subjects of what each last stated before the month began (on the organisation's
    clock), where that was about this month. Several months are weighed by what happened in them: 1 - Σ|forecast -
    actual| / Σ actual, known as WAPE (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.8).
    Numerator (Σ actual - Σ|error|) and denominator (Σ actual) are kept. A month of which nobody ever forecast anything
    counts in neither; one whose forecasts were all moved to other months was forecast as nothing. The accuracy is
    negative where the error is larger than what happened.
    """

    forecast_accuracy: ForecastOf

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.forecast_accuracy.forecast, *self.forecast_accuracy.actual)

    @property
    def remembered(self) -> tuple[str, ...]:
        """What was forecast last may have been stated long ago."""
        return self.forecast_accuracy.forecast

    @property
    def kind(self) -> Kind:
        return "ratio"

    @property
    def bounds(self) -> Bounds:
        return None, Decimal(1)  # it is negative where the error is larger than what happened

    @property
    def reads_amounts(self) -> bool:
        return True

    def filters(self) -> Iterator[Filter]:
        of = self.forecast_accuracy
        if of.where is not None:
            yield ("forecast_accuracy", "where"), of.where, of.forecast
        if of.actual_where is not None:
            yield ("forecast_accuracy", "actual_where"), of.actual_where, of.actual

    def money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        of = self.forecast_accuracy
        forecast = (
            self._stated(log, context).filter("_holds").with_columns(pl.col("_month").dt.month_end().alias("day"))
        )
        happened = filtered(context.events(log, of.actual), of.actual_where, of.actual)
        return pl.concat([frame.select("day", UNCONVERTED) for frame in (forecast, happened)])

    def compiled(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """By month (its last day as `day`): what was forecast of it as it began, and what happened in it."""
        of = self.forecast_accuracy
        holds = pl.col("_holds")
        stated = self._stated(log, context).with_columns(
            pl.when(holds).then(pl.col("amount")), events=holds.cast(pl.Int64)
        )
        happened = filtered(context.events(log, of.actual), of.actual_where, of.actual)
        return {
            "forecast": _by_month(stated, pl.col("_month").dt.month_end()),
            "actual": _by_month(happened.with_columns(events=pl.lit(1, dtype=pl.Int64)), pl.col("day").dt.month_end()),
        }

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """Of a month that was forecast too high (or right), twice what happened less what was forecast; else that."""
        of = self.forecast_accuracy
        amount, month_end = pl.col("amount").fill_null(0), pl.col("day").dt.month_end().alias("_month_end")
        stated = self._stated(log, context).with_columns(pl.col("_month").dt.month_end().alias("_month_end"))
        forecast = stated.filter("_holds").select("event_id", "_month_end", expected=amount, actual=NOTHING)
        happened = filtered(context.events(log, of.actual), of.actual_where, of.actual).select(
            "event_id", month_end, expected=NOTHING, actual=amount
        )
        both = pl.concat([forecast, happened.join(stated.select("_month_end").unique(), on="_month_end", how="semi")])
        is_too_high = (pl.col("expected") - pl.col("actual")).sum().over("_month_end") >= 0
        given = pl.when(is_too_high).then(2 * pl.col("actual") - pl.col("expected")).otherwise(pl.col("expected"))
        return {
            "": claims(
                both,
                numerator=given,
                denominator=pl.col("actual"),
                counts_from=pl.col("_month_end"),
                starts_by=pl.col("_month_end").dt.month_start(),
            )
        }

    def _stated(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """What was stated before the `_month` that it is about; it holds where its subject said no more by then."""
        of = self.forecast_accuracy
        return (
            filtered(context.events(log, of.forecast), of.where, of.forecast)
            .with_columns(
                pl.col("forecast_month").dt.month_start().alias("_month"),
                pl.col("day").shift(-1).over("subject_id", order_by=["occurred_at", "event_id"]).alias("_next"),
            )
            .filter(pl.col("day") < pl.col("_month"))
            .with_columns((pl.col("_next").is_null() | (pl.col("_next") >= pl.col("_month"))).alias("_holds"))
        )

    def valued(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        zero = pl.lit(0, dtype=DECIMAL)
        months = (
            frames["forecast"]
            .join(frames["actual"], on="day", how="left", suffix="_actual")
            .with_columns(pl.col("amount_actual").fill_null(zero), pl.col("events_actual").fill_null(0))
        )
        error = (pl.col("amount") - pl.col("amount_actual")).abs()
        found = (
            within_windows(months, windows)
            .filter(pl.col("day").dt.month_start() >= pl.col("window_start"))
            .group_by("as_of", "window_start")
            .agg(
                (pl.col("amount_actual") - error).sum().alias("numerator"),
                pl.col("amount_actual").sum().alias("denominator"),
                (pl.col("events") + pl.col("events_actual")).sum().alias("events"),
            )
            .collect()
        )
        joined = windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left")
        return with_ratio(joined.with_columns(pl.col("numerator", "denominator", "events").fill_null(0)))

    def text(self) -> str:
        of = self.forecast_accuracy
        return f"accuracy of the forecast of {words(of.actual)} by {words(of.forecast)}"


def _by_month(events: pl.LazyFrame, month_end: pl.Expr) -> pl.LazyFrame:
    return events.group_by(month_end.alias("day")).agg(pl.col("amount").fill_null(0).sum(), pl.col("events").sum())
