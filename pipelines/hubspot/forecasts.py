"""What HubSpot's deals forecast: the sales expected of which month, stated anew at each change.

Belongs here: forecasts, from the histories of a deal's amount, close date and stage. Does not: what else a deal says
(`deals`).

HubSpot sets the close date itself when a deal is won or lost, in the same save as the stage.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.hubspot.changes import SAME_SAVE, changes, in_force, instant

CLOSE_DATE = "closedate"

_NOTHING = pl.lit(Decimal(0), DECIMAL)


def forecasts(
    deals: pl.LazyFrame, amounts: pl.LazyFrame, stages: pl.LazyFrame, lost: Collection[str], zone: str
) -> pl.LazyFrame:
    """What was expected of which month, whenever amount or close date changed, or a deal was lost or taken up again.

    amounts, stages: the changes of both. A deal without amount or close date forecasts nothing; one that had been
    forecast before it lost either is forecast as zero, once; one that is lost, as zero.
    """
    months = changes(deals, CLOSE_DATE).with_columns(value=_month(pl.col("value"), zone))
    losses = _losses(stages, lost)
    moments = pl.concat([one.select("record_key", occurred_at="at") for one in (amounts, months, losses)]).unique()
    found = in_force(moments, amounts, "amount", or_first=False)
    found = in_force(found, months, "forecast_month", or_first=False)
    found = in_force(found, losses, "is_lost", or_first=False).with_columns(
        amount=pl.when("is_lost").then(_NOTHING).otherwise("amount")
    )
    return _stated(found).select(
        "record_key",
        "occurred_at",
        "amount",
        "forecast_month",
        fact_key=pl.format("deal/{}/forecast/{}", "record_key", pl.col("occurred_at").dt.epoch("ms")),
        event_type=pl.lit("forecast.stated"),
    )


def _stated(found: pl.LazyFrame) -> pl.LazyFrame:
    """Of what was in force at each moment, the forecasts; what was saved in one click is one."""

    def before(column: str) -> pl.Expr:
        return pl.col(column).shift(1).over("record_key", order_by="occurred_at")

    month = pl.col("forecast_month")
    is_forecast = pl.col("amount").is_not_null() & month.is_not_null()
    is_withdrawn = ~is_forecast & before("amount").is_not_null() & before("forecast_month").is_not_null()
    is_same_save = pl.col("occurred_at") - before("occurred_at") <= SAME_SAVE
    is_again = is_same_save & (pl.col("amount") == before("amount")) & (month == before("forecast_month"))
    return found.with_columns(
        amount=pl.when(is_withdrawn).then(_NOTHING).otherwise("amount"),
        forecast_month=pl.when(is_withdrawn).then(before("forecast_month")).otherwise("forecast_month"),
        is_stated=is_withdrawn | (is_forecast & ~is_again.fill_null(value=False)),
    ).filter("is_stated")


def _losses(stages: pl.LazyFrame, lost: Collection[str]) -> pl.LazyFrame:
    """When a deal came to be lost (value: true), and when it was taken up again."""
    is_lost = pl.col("value").is_in(list(lost)).fill_null(value=False)
    return (
        stages.with_columns(value=is_lost)
        .with_columns(was_lost=pl.col("value").shift(1).over("record_key", order_by="at").fill_null(value=False))
        .filter(pl.col("value") != pl.col("was_lost"))
    )


def _month(text: pl.Expr, zone: str) -> pl.Expr:
    """The first day of the month that a time lies in."""
    return instant(text, zone).dt.convert_time_zone(zone).dt.date().dt.month_start()
