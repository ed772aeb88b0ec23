"""Where a deal of Pipedrive stood when: in a stage, won or lost.

Belongs here: a deal's stage and its status as one course. Does not: what follows from it (`deals`, `forecasts`).

A deal that is won or lost keeps its stage, and changes its status; one that is opened again is in its stage as before.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pipelines.pipedrive.changes import changes, current, instant
from pipelines.pipedrive.options import SalesPipeline
from pipelines.pipedrive.reading import STAGE, STATUS
from pipelines.turns import SAME_SAVE, in_force

WON, LOST = "won", "lost"
AT_ONCE = timedelta()


def phases(deals: pl.LazyFrame, pipeline: SalesPipeline) -> pl.LazyFrame:
    """Each change of where a deal stands, in the words of events: record_key, at, value, before; in order."""
    stages, statuses = stages_of(deals), statuses_of(deals)
    moments = pl.concat([one.select("record_key", occurred_at="at") for one in (stages, statuses)]).unique()
    found = in_force(moments, stages, "stage", or_first=False, same_save=AT_ONCE)
    found = in_force(found, statuses, "status", or_first=False, same_save=AT_ONCE)
    ends = {WON: pipeline.won, LOST: pipeline.lost}
    end = pl.col("status").replace_strict(ends, default=None, return_dtype=pl.String)
    return (
        found.select("record_key", at="occurred_at", value=pl.coalesce(end, pl.col("stage").replace(pipeline.stages)))
        .sort("record_key", "at")
        .with_columns(before=pl.col("value").shift(1).over("record_key"))
        .filter(pl.col("value").ne_missing(pl.col("before")))
    )


def stages_of(deals: pl.LazyFrame) -> pl.LazyFrame:
    """Each change of the stage."""
    return changes(deals, STAGE, since=instant(pl.col("stage_change_time")))


def statuses_of(deals: pl.LazyFrame) -> pl.LazyFrame:
    """Each change of the status. A win or a loss that stands came when Pipedrive says now, if that is after all else.

    Pipedrive's own reports go by that time, which people may correct; its changelog by when somebody clicked.
    """
    now = deals.select("record_key", said=_ended_at(current(STATUS)))
    changed = changes(deals, STATUS, since=_ended_at(pl.col("values").struct.field(STATUS)))
    placed = changed.join(now, on="record_key", how="left", maintain_order="left").with_columns(
        after=pl.col("at").shift(1).over("record_key"), is_last=pl.col("at").shift(-1).over("record_key").is_null()
    )
    is_other = ~pl.col("said").is_between(pl.col("at") - SAME_SAVE, pl.col("at") + SAME_SAVE)
    is_corrected = pl.col("is_last") & is_other & (pl.col("said") > pl.col("after")).fill_null(value=True)
    return placed.select(
        "record_key", pl.when(is_corrected).then("said").otherwise("at").alias("at"), "value", "before"
    )


def standing(deals: pl.LazyFrame) -> pl.LazyFrame:
    """Deals that are won or lost now, and since when: record_key, status, at."""
    now = deals.select("record_key", said=_ended_at(current(STATUS)))
    is_same = pl.col("said").is_between(pl.col("at") - SAME_SAVE, pl.col("at") + SAME_SAVE)
    return (
        statuses_of(deals)
        .unique("record_key", keep="last", maintain_order=True)
        .filter(pl.col("value").is_in([WON, LOST]))
        .join(now, on="record_key", how="left", maintain_order="left")
        .select(
            "record_key", pl.when(is_same).then("at").otherwise(pl.coalesce("said", "at")).alias("at"), status="value"
        )
    )


def _ended_at(status: pl.Expr) -> pl.Expr:
    """When a version of a deal says that it was won or lost; null of one that is neither."""
    closed = instant(pl.col("close_time"))
    return (
        pl.when(status == WON)
        .then(pl.coalesce(instant(pl.col("won_time")), closed))
        .when(status == LOST)
        .then(pl.coalesce(instant(pl.col("lost_time")), closed))
    )
