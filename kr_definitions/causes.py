"""Why a day that had been reported moved, and which events moved it.

Belongs here: what reached the log since a key result was last computed, and how that explains a row that moved. Does
not: which rows moved (`history`), what a definition change does (`editions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from kr_definitions.events import COVERED, ERASED, RETRACTED
from kr_definitions.history import CAUSES, KEY

# What the log gained after an instant, a row an event: stated anew, withdrawn, read, or erased.
ARRIVALS_SCHEMA: Mapping[str, pl.DataType] = {
    "event_id": pl.String(),
    "event_type": pl.String(),  # of a reading or an erasure: the type that it is of
    "subject_id": pl.String(),
    "account_id": pl.String(),
    "day": pl.Date(),  # the local day that it happened on
    "change": pl.String(),  # entered, left, read or erased
    "cause": pl.String(),  # one of CAUSES
}

_IDENTITY, _RATES = "identity.", "rate."


def arrivals_since(log: pl.LazyFrame, instant: datetime | None, zone: str) -> pl.DataFrame:
    """What the log gained after an instant: `ARRIVALS_SCHEMA`, ordered. None: nothing, as nothing had been computed.

    A fact that was stated and withdrawn again since is not in it. log: `EVENT_SCHEMA`.
    """
    if instant is None:
        return pl.DataFrame(schema=dict(ARRIVALS_SCHEMA))
    recent = log.filter(pl.col("recorded_at") > instant)
    retractions = recent.filter(pl.col("event_type") == RETRACTED).select(
        pl.col("retracts").alias("event_id"), _reason="reason"
    )
    facts = ~pl.col("event_type").is_in([RETRACTED, COVERED, ERASED])
    entered = recent.filter(facts).join(retractions, on="event_id", how="anti").with_columns(_reason="reason")
    left = log.filter(pl.col("recorded_at") <= instant, facts).join(retractions, on="event_id")
    both = pl.concat(
        [
            frame.select(
                "event_id", "fact_id", "event_type", "subject_id", "account_id", "occurred_at", "_reason",
                change=pl.lit(change),
            )
            for frame, change in ((entered, "entered"), (left, "left"))
        ]
    )  # fmt: skip
    is_both = pl.col("change").n_unique().over("fact_id") > 1
    cause = (
        pl.when(pl.col("_reason") == "mapping")
        .then(pl.lit("mapping"))
        .when(pl.col("event_type").str.starts_with(_IDENTITY))
        .then(pl.lit("identity"))
        .when(pl.col("event_type").str.starts_with(_RATES))
        .then(pl.lit("rate"))
        .when(is_both)
        .then(pl.lit("correction"))
        .when(pl.col("change") == "left")
        .then(pl.lit("deletion"))
        .otherwise(pl.lit("late_event"))
    )
    of_facts = both.with_columns(cause.alias("cause"))
    others = recent.filter(pl.col("event_type").is_in([COVERED, ERASED])).with_columns(
        pl.col("covers").alias("event_type"),
        pl.when(pl.col("event_type") == COVERED).then(pl.lit("read")).otherwise(pl.lit("erased")).alias("change"),
        pl.when(pl.col("event_type") == COVERED).then(pl.lit("coverage")).otherwise(pl.lit("erasure")).alias("cause"),
    )
    day = pl.col("occurred_at").dt.convert_time_zone(zone).dt.date()
    return (
        pl.concat([of_facts, others], how="diagonal")
        .with_columns(day.alias("day"))
        .select(ARRIVALS_SCHEMA.keys())
        .sort(ARRIVALS_SCHEMA.keys())
        .collect()
    )


def causes(moved: pl.DataFrame, arrivals: pl.DataFrame, types_of: Mapping[str, Sequence[str]]) -> pl.Series:
    """Why each restated row moved: the most telling cause (`CAUSES`) among what arrived that could have moved it.

    moved: rows of `movements`. arrivals: what the log gained since they were computed. types_of: the event types that
    each key result depends on. What had happened by the end of a day can explain it, if the day had been read before
    and still is; a day that was not read, or is not any more, moved by its reading.
    """
    depends = pl.DataFrame(
        [(key, name) for key, names in types_of.items() for name in dict.fromkeys(names)],
        schema={"key_result_id": pl.String, "event_type": pl.String},
        orient="row",
    )
    firsts = (
        depends.join(arrivals.filter(pl.col("change") != "read"), on="event_type")
        .group_by("key_result_id", "cause")
        .agg(pl.col("day").min().alias("_from"))
    )
    rank = pl.Enum(CAUSES)
    rows = moved.with_row_index("_row").select("_row", *KEY, "_was_read", "_is_read", "_is_by_reading")
    by_arrival = (
        rows.filter("_was_read", "_is_read")
        .join(firsts, on="key_result_id")
        .filter(pl.col("_from") <= pl.col("as_of"))
        .select("_row", pl.col("cause").cast(rank))
    )
    is_by_reading = ~(pl.col("_was_read") & pl.col("_is_read")) | pl.col("_is_by_reading")
    otherwise = pl.when(is_by_reading).then(pl.lit("coverage")).otherwise(pl.lit("unexplained"))
    return (
        pl.concat([by_arrival, rows.select("_row", otherwise.cast(rank).alias("cause"))])
        .sort("cause")
        .unique("_row", keep="first", maintain_order=True)
        .sort("_row")
        .get_column("cause")
        .cast(pl.String)
    )
