"""What Pipedrive's deals forecast: the sales expected of which month, stated anew at each change.

Belongs here: forecasts, from the histories of a deal's value, expected close date and status. Does not: what else a
deal says (`deals`).

Pipedrive leaves the expected close date as it is when a deal is won: what was won is then of the month of the win.
"""

from __future__ import annotations

import polars as pl

from pipelines.pipedrive.changes import changes, instant
from pipelines.pipedrive.phases import LOST, WON, standing, statuses_of
from pipelines.pipedrive.reading import CLOSE_DATE
from pipelines.sales import expectations
from pipelines.sales import forecasts as stated
from pipelines.sales import losses as losses_of
from pipelines.turns import once


def forecasts(deals: pl.LazyFrame, amounts: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    """What was expected of which month, whenever value or close date changed, or a deal was lost or taken up again.

    amounts: the changes of the value and of its currency. A deal without value or close date forecasts nothing; one
    that had been forecast before it lost either is forecast as zero, once; one that is lost, as zero.
    """
    months = once(_days(deals, zone).with_columns(value=pl.col("value").dt.month_start()))
    losses = once(losses_of(statuses_of(deals), (LOST,)))
    return stated(expectations(amounts, months, losses))


def _days(deals: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    """Each change of the day on which a deal is expected to be closed; of one that is won, the day of the win."""

    def day(text: pl.Expr) -> pl.Expr:
        return instant(text, zone).dt.convert_time_zone(zone).dt.date()

    expected = changes(deals, CLOSE_DATE, day)
    won = standing(deals).filter(pl.col("status") == WON).select("record_key", won_at="at")
    until = expected.join(won, on="record_key", how="left").filter(
        (pl.col("at") <= pl.col("won_at")).fill_null(value=True)
    )
    named = until.unique("record_key", keep="last", maintain_order=True).filter(pl.col("value").is_not_null())
    closed = named.join(won, on="record_key").select(
        "record_key", at="won_at", value=pl.col("won_at").dt.convert_time_zone(zone).dt.date()
    )
    return (
        pl.concat([until.select("record_key", "at", "value"), closed])
        .sort("record_key", "at", maintain_order=True)
        .with_columns(before=pl.col("value").shift(1).over("record_key"))
        .filter(pl.col("value").ne_missing(pl.col("before")))
    )
