"""The history of objectives: what was told of them day by day, and why it moved.

Belongs here: the rows that are remembered of objectives, their views, and which rows a history lacks. Does not: rolling
up (`tables`), the history of key results (`history`), where either is kept (`assets.steps`).

Like that of key results it gains rows and never changes one. Its key is (objective_id, as_of, recorded_at).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from kr_definitions.catalogue import Catalogue
from kr_definitions.history import CAUSES, OBJECTIVES_SCHEMA
from kr_definitions.tables import counted
from kr_definitions.vocabulary import UTC_MICROSECONDS

_FIGURES = ("progress", "expected", "status", "key_results", "in_force", "made_of")

OBJECTIVE_HISTORY_SCHEMA: Mapping[str, pl.DataType] = {
    "objective_id": pl.String(),
    "as_of": pl.Date(),
    **{name: OBJECTIVES_SCHEMA[name] for name in _FIGURES},
    "recorded_at": UTC_MICROSECONDS,
    "run_id": pl.String(),
    "is_withdrawn": pl.Boolean(),  # the day is one that the objective no longer has
    "is_restatement": pl.Boolean(),
    "previous_progress": pl.Float64(),  # on a restatement: the progress that was reported for this day before
    "cause": pl.String(),  # on a restatement: one of CAUSES
}

_KEY = ["objective_id", "as_of"]
_FIRST = "coverage"  # a key result that had no row for the day, as it was held back or not read, has one


def known_at(remembered: pl.LazyFrame, instant: datetime | None = None) -> pl.DataFrame:
    """What was known at an instant (aware; None: now) of every objective and day: `OBJECTIVE_HISTORY_SCHEMA`."""
    then = remembered if instant is None else remembered.filter(pl.col("recorded_at") <= instant)
    return _newest(then).filter(~pl.col("is_withdrawn")).sort(_KEY).collect()


def gained(
    remembered: pl.LazyFrame,
    rolled_up: pl.DataFrame,
    of_key_results: pl.LazyFrame,
    catalogue: Catalogue,
    recorded_at: datetime,
    run_id: str,
) -> pl.DataFrame:
    """The rows that a history of objectives lacks: `OBJECTIVE_HISTORY_SCHEMA`; days that are new, moved or gone.

    rolled_up: `OBJECTIVES_SCHEMA`, as is known now. of_key_results: `HISTORY_SCHEMA`, whole: what their rows say of
    why they moved is why the objective did. An objective that is no longer declared keeps what was told of it.
    """
    before = _newest(remembered).collect()
    since = before.get_column("recorded_at").max()
    beside = rolled_up.join(
        before.select(*_KEY, "is_withdrawn", pl.col(*_FIGURES).name.prefix("_")), on=_KEY, how="left"
    )
    is_new = pl.col("is_withdrawn").is_null()
    has_moved = pl.any_horizontal(*[pl.col(name).ne_missing(pl.col(f"_{name}")) for name in _FIGURES])
    moved = beside.filter(is_new | has_moved | pl.col("is_withdrawn")).select(
        *_KEY,
        *_FIGURES,
        is_withdrawn=pl.lit(value=False),
        is_restatement=~is_new,
        previous_progress="_progress",
        _is_remade=pl.col("made_of") != pl.col("_made_of"),
    )
    declared = [objective.id for objective in catalogue.objectives]
    gone = (
        before.filter(~pl.col("is_withdrawn"), pl.col("objective_id").is_in(declared))
        .join(rolled_up, on=_KEY, how="anti")
        .select(
            *_KEY,
            *(pl.lit(None, dtype=OBJECTIVES_SCHEMA[name]).alias(name) for name in _FIGURES),
            is_withdrawn=pl.lit(value=True),
            is_restatement=pl.lit(value=True),
            previous_progress="progress",
            _is_remade=pl.lit(value=True),
        )
    )
    rows = pl.concat([moved, gone])
    of_days = counted(catalogue, rows.get_column("as_of").unique())
    recent = of_key_results if since is None else of_key_results.filter(pl.col("recorded_at") > since)
    return (
        rows.join(_causes(of_days, recent), on=_KEY, how="left", validate="1:1")
        .with_columns(
            cause=pl.when("is_restatement").then(
                pl.when("_is_remade").then(pl.lit("definition")).otherwise(pl.col("cause").fill_null("unexplained"))
            ),
            recorded_at=pl.lit(recorded_at, dtype=UTC_MICROSECONDS),
            run_id=pl.lit(run_id),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in OBJECTIVE_HISTORY_SCHEMA.items())
        .sort(_KEY)
    )


def _newest(remembered: pl.LazyFrame) -> pl.LazyFrame:
    return remembered.sort("recorded_at").unique(_KEY, keep="last", maintain_order=True)


def _causes(of_days: pl.DataFrame, recent: pl.LazyFrame) -> pl.DataFrame:
    """The most telling cause of what the key results of an objective gained, by objective and day."""
    rank = {cause: n for n, cause in enumerate(CAUSES)}
    own = recent.filter(pl.col("member").is_null()).select(
        "key_result_id", pl.col("as_of").alias("row_of"), pl.col("cause").fill_null(_FIRST)
    )
    return (
        of_days.lazy()
        .join(own, on=["key_result_id", "row_of"])
        .group_by(_KEY)
        .agg(pl.col("cause").sort_by(pl.col("cause").replace_strict(rank, return_dtype=pl.Int64)).first())
        .collect()
    )
