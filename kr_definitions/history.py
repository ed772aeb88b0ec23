"""The progress history: its columns, and which rows a run has to append to it.

Belongs here: the shape of what is remembered about a key result, and the comparison of what was computed with what is
remembered. Does not: where it is kept (`assets.storage`), or how a value is computed (`series`, `progress`).

The history gains rows and never changes one. Its key is (key_result_id, member, as_of, recorded_at): for one day there
is a row for each time that the day's figures moved, so what was reported can always be read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from kr_definitions.events import COVERED, RETRACTED
from kr_definitions.vocabulary import UTC_MICROSECONDS

EXACT = pl.Decimal(38, 6)

# What a run computes for each key result and day: one row a (key result, member, day).
COMPUTED_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "member": pl.String(),  # member of an `each`, part of an `all_of`, guardrail, window of a KPI; null: the whole
    "role": pl.String(),  # own, member, part, guardrail or window: what the row is of
    "unit": pl.String(),  # what the row's value is counted in
    "every": pl.String(),  # how often the row's figure has to be met anew
    "as_of": pl.Date(),  # business day in the organisation's zone; the figures are those at its end
    "window_start": pl.Date(),  # first day of the window that the value is counted over
    "window_end": pl.Date(),  # its last day (included)
    "value": pl.Float64(),  # null: we do not know
    "numerator": EXACT,  # exact; for counts and sums the value itself
    "denominator": EXACT,  # exact; null where there is none
    "events": pl.Int64(),  # how many events make up the value
    "baseline": pl.Float64(),
    "start": pl.Float64(),  # where progress is measured from
    "target": pl.Float64(),
    "progress": pl.Float64(),  # of the whole period; overshoot kept; null: we do not know
    "expected": pl.Float64(),
    "window_progress": pl.Float64(),  # recurring key results: of the open window alone
    "window_expected": pl.Float64(),
    "windows_met": pl.Int64(),
    "windows_closed": pl.Int64(),
    "status": pl.String(),  # one of STATUSES
    "breached": pl.String(),  # the guardrails that do not hold, by name
    "score": pl.Float64(),  # progress clamped to 0..1; null while we do not know
    "forecast": pl.Float64(),  # of the value at the end of the window, if it goes on as it went
    "is_provisional": pl.Boolean(),  # when recorded, facts of this day could still arrive (sources say how late)
    "definition_version": pl.String(),
}

# A row of the history: what was computed, when it was recorded, and what it replaces.
HISTORY_SCHEMA: Mapping[str, pl.DataType] = {
    **COMPUTED_SCHEMA,
    "recorded_at": UTC_MICROSECONDS,
    "run_id": pl.String(),
    "quality": pl.String(),  # result of the checks that the row passed before it became visible
    "previous_value": pl.Float64(),  # on a restatement: the value that was reported for this day before
    "is_restatement": pl.Boolean(),
    "cause": pl.String(),  # on a restatement: definition, or late_event, correction, deletion, coverage
}

STATUSES = ("no_data", "unreliable", "not_started", "on_track", "at_risk", "off_track", "achieved", "missed")

# Declared: one row a key result or KPI.
KEY_RESULTS_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "objective_id": pl.String(),
    "organisation": pl.String(),
    "title_es": pl.String(),
    "title_en": pl.String(),
    "type": pl.String(),  # outcome, activity, guardrail, milestone, kpi
    "level": pl.String(),  # company, team, individual, initiative, objective
    "owner": pl.String(),
    "unit": pl.String(),  # count, share, EUR, days, …
    "every": pl.String(),  # day, working_day, week, month, quarter, or null
    "period_start": pl.Date(),
    "period_end": pl.Date(),  # included
    "target_text": pl.String(),  # the target in words, as declared
    "direction": pl.String(),  # increase, decrease, at_least, at_most, within, none
    "supports": pl.String(),  # id of what it supports
    "feeds_from": pl.String(),  # id of the key result whose outcome it works with
    "why": pl.String(),  # how it is meant to move what it supports
    "measure_text": pl.String(),  # what is counted, in one line
    "definition_version": pl.String(),
    "definition_file": pl.String(),  # path below the project and line: file.yaml:12
}

# Declared and rolled up: one row an objective and day.
OBJECTIVES_SCHEMA: Mapping[str, pl.DataType] = {
    "objective_id": pl.String(),
    "organisation": pl.String(),
    "title_es": pl.String(),
    "title_en": pl.String(),
    "owner": pl.String(),
    "supports": pl.String(),
    "period_start": pl.Date(),
    "period_end": pl.Date(),
    "as_of": pl.Date(),
    "progress": pl.Float64(),
    "expected": pl.Float64(),
    "status": pl.String(),
    "key_results": pl.Int64(),  # how many it is made of
    "in_force": pl.Int64(),  # how many of them are not over yet
}

_KEY = ["key_result_id", "member", "as_of"]
# A day that becomes final has not moved: `is_provisional` says what held when the row was recorded.
_MOVES = [name for name in COMPUTED_SCHEMA if name not in {*_KEY, "is_provisional", "role", "unit", "every"}]


def newest(history: pl.LazyFrame) -> pl.LazyFrame:
    """The last row recorded for each key result, member and day: what is now known."""
    return history.sort("recorded_at").unique(_KEY, keep="last", maintain_order=True)


def as_reported_at(history: pl.LazyFrame, instant: datetime) -> pl.LazyFrame:
    """What the history said at an instant (aware), for every day."""
    return newest(history.filter(pl.col("recorded_at") <= instant))


def movements(
    remembered: pl.LazyFrame, computed: pl.DataFrame, arrivals: pl.DataFrame, types_of: Mapping[str, tuple[str, ...]]
) -> pl.DataFrame:
    """The rows that a run has to append: days that are new, and days whose figures moved, with what moved them.

    remembered: the history so far. computed: `COMPUTED_SCHEMA`. arrivals: what reached the log since the history was
    last written (`arrivals_since`). types_of: the event types that each key result depends on. Returns
    `COMPUTED_SCHEMA` with `previous_value`, `is_restatement` and `cause`; a day whose figures did not move has no row.
    """
    before = newest(remembered).select(*_KEY, *[pl.col(name).alias(f"_{name}") for name in _MOVES]).collect()
    beside = computed.join(before, on=_KEY, how="left", nulls_equal=True, validate="1:1", maintain_order="left")
    is_new = pl.col("_definition_version").is_null()
    has_moved = pl.any_horizontal(*[pl.col(name).ne_missing(pl.col(f"_{name}")) for name in _MOVES])
    moved = beside.filter(is_new | has_moved).with_columns(
        pl.when(~is_new).then(pl.col("_value")).alias("previous_value"), (~is_new).alias("is_restatement")
    )
    causes = _causes(moved.filter("is_restatement"), arrivals, types_of)
    return moved.join(causes, on=_KEY, how="left", nulls_equal=True, maintain_order="left").select(
        *COMPUTED_SCHEMA, "previous_value", "is_restatement", "cause"
    )


def arrivals_since(log: pl.LazyFrame, instant: datetime | None, zone: str) -> pl.DataFrame:
    """What the log gained after an instant, by event type and the day that it happened on, with what it was.

    Columns: event_type, day, cause: `late_event` (a new fact), `correction` (a fact said otherwise than before),
    `deletion` (a fact withdrawn and not stated again). None as instant: nothing, as there is nothing to restate.
    """
    schema = {"event_type": pl.String, "day": pl.Date, "cause": pl.String}
    if instant is None:
        return pl.DataFrame(schema=schema)
    recent = log.filter(pl.col("recorded_at") > instant)
    withdrawn = recent.filter(pl.col("event_type") == RETRACTED).select("fact_id", pl.col("retracts").alias("event_id"))
    stated = recent.filter(~pl.col("event_type").is_in([RETRACTED, COVERED])).join(withdrawn, on="event_id", how="anti")
    of_withdrawn = (
        log.join(withdrawn, on="event_id", how="semi")
        .select("fact_id", "event_type", "occurred_at")
        .join(stated.select("fact_id", restated=pl.lit(value=True)).unique(), on="fact_id", how="left")
        .with_columns(
            pl.when(pl.col("restated").is_null())
            .then(pl.lit("deletion"))
            .otherwise(pl.lit("correction"))
            .alias("cause")
        )
    )
    of_stated = stated.join(
        withdrawn.select("fact_id", withdrawn=pl.lit(value=True)).unique(), on="fact_id", how="left"
    )
    of_stated = of_stated.with_columns(
        pl.when(pl.col("withdrawn").is_null()).then(pl.lit("late_event")).otherwise(pl.lit("correction")).alias("cause")
    )
    columns = ["event_type", "occurred_at", "cause"]
    return (
        pl.concat([of_withdrawn.select(columns), of_stated.select(columns)])
        .select("event_type", pl.col("occurred_at").dt.convert_time_zone(zone).dt.date().alias("day"), "cause")
        .unique()
        .sort("event_type", "day", "cause")
        .collect()
    )


def _causes(moved: pl.DataFrame, arrivals: pl.DataFrame, types_of: Mapping[str, tuple[str, ...]]) -> pl.DataFrame:
    """What moved each restated row, the most telling cause first (definition … coverage).

    An arrival explains a day on or after its own, and not one that had not been read at all; a row that no arrival
    explains moved because more was read.
    """
    was_unread = pl.col("_events").is_null() & pl.col("events").is_not_null()
    depends = pl.DataFrame(
        [(key, name) for key, names in types_of.items() for name in names],
        schema={"key_result_id": pl.String, "event_type": pl.String},
        orient="row",
    ).unique()
    rank = pl.Enum(["definition", "correction", "deletion", "late_event", "coverage"])
    by_arrival = (
        depends.join(arrivals, on="event_type")
        .group_by("key_result_id", "cause")
        .agg(pl.col("day").min())
        .join(moved.filter(~was_unread).select(_KEY), on="key_result_id")
        .filter(pl.col("day") <= pl.col("as_of"))
        .select(*_KEY, "cause")
    )
    by_definition = moved.filter(pl.col("definition_version") != pl.col("_definition_version")).select(
        *_KEY, pl.lit("definition").alias("cause")
    )
    otherwise = moved.select(*_KEY, pl.lit("coverage").alias("cause"))
    return (
        pl.concat([by_definition, by_arrival, otherwise])
        .with_columns(pl.col("cause").cast(rank))
        .sort("cause")
        .unique(_KEY, keep="first", maintain_order=True)
        .with_columns(pl.col("cause").cast(pl.String))
    )
