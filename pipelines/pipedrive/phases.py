"""Where a deal of Pipedrive stood when: in a stage, won or lost.

Belongs here: a deal's stage and its status as one course. Does not: what follows from it (`deals`, `forecasts`).

A deal that is won or lost keeps its stage, and changes its status; one that is opened again is in its stage as before.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pipelines.pipedrive.changes import changes, in_force
from pipelines.pipedrive.options import SalesPipeline
from pipelines.pipedrive.reading import STAGE, STATUS

WON, LOST = "won", "lost"
AT_ONCE = timedelta()


def phases(deals: pl.LazyFrame, pipeline: SalesPipeline) -> pl.LazyFrame:
    """Each change of where a deal stands, in the words of events: record_key, at, value, before; in order."""
    stages, statuses = changes(deals, STAGE), changes(deals, STATUS)
    moments = pl.concat([one.select("record_key", occurred_at="at") for one in (stages, statuses)]).unique()
    found = in_force(moments, stages, "stage", same_save=AT_ONCE)
    found = in_force(found, statuses, "status", same_save=AT_ONCE)
    ends = {WON: pipeline.won, LOST: pipeline.lost}
    end = pl.col("status").replace_strict(ends, default=None, return_dtype=pl.String)
    return (
        found.select("record_key", at="occurred_at", value=pl.coalesce(end, pl.col("stage").replace(pipeline.stages)))
        .sort("record_key", "at")
        .with_columns(before=pl.col("value").shift(1).over("record_key"))
        .filter(pl.col("value").ne_missing(pl.col("before")))
    )


def standing(deals: pl.LazyFrame) -> pl.LazyFrame:
    """Deals that are won or lost now, and since when: record_key, status, at."""
    return (
        changes(deals, STATUS)
        .unique("record_key", keep="last", maintain_order=True)
        .filter(pl.col("value").is_in([WON, LOST]))
        .select("record_key", "at", status="value")
    )
