"""The progress history: its columns, its views, and which rows it lacks of what was computed.

Belongs here: the shape of what is remembered about a key result, and the ways of reading it. Does not: what a run has
to remember as a whole (`remembering`), why a day moved (`causes`), where it is kept (`assets.steps`).

The history gains rows and never changes one. Its key is (key_result_id, member, as_of, recorded_at): for one day there
is a row for each time that the day's figures moved, so what was reported can always be read back. Each edition of a
definition (`editions`) has rows of its own for all of its days.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions import shapes
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
    "target_high": pl.Float64(),  # of a band: its higher end; then target is its lower one
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
    "definition_hash": pl.String(),
}

# A row of the history: what was computed, when it was recorded, and what it replaces.
HISTORY_SCHEMA: Mapping[str, pl.DataType] = {
    **COMPUTED_SCHEMA,
    "edition": pl.Int64(),
    "definition_version": pl.String(),  # major.minor
    "recorded_at": UTC_MICROSECONDS,
    "run_id": pl.String(),
    "quality": pl.String(),  # result of the checks that the row passed before it became visible
    "is_withdrawn": pl.Boolean(),  # the day, or the member, is one that the key result no longer has
    "previous_value": pl.Float64(),  # on a restatement: the value that was reported for this day before
    "is_restatement": pl.Boolean(),
    "cause": pl.String(),  # on a restatement: one of CAUSES
}

CAUSES = (
    "definition", "target", "erasure", "correction", "deletion", "mapping", "identity", "rate", "late_event",
    "coverage", "unexplained",
)  # fmt: skip
"""What moves a day that had been reported, the most telling first. unexplained: nothing that is known of did."""

# One row a run that computed: what it knew, and of what. It is what a replay goes by.
COMPUTATIONS_SCHEMA: Mapping[str, pl.DataType] = {
    "run_id": pl.String(),
    "recorded_at": UTC_MICROSECONDS,
    "known_until": UTC_MICROSECONDS,  # the newest statement of the log that it was made from; null: there was none
    "through": pl.Date(),  # the last day that it computed
    "key_results": pl.List(pl.String()),  # those that were computed and not held back
    "feeds": pl.String(),  # the streams in use, as JSON
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
    "definition_hash": pl.String(),
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
    "made_of": pl.String(),  # which they are, each with its part of the whole
}

KEY = ["key_result_id", "member", "as_of"]
"""What a figure is of: of each there is a row for each time that it moved."""

# A day that becomes final has not moved: `is_provisional` says what held when the row was recorded.
_KNOWN = ("value", "numerator", "events", "baseline", "target", "progress", "windows_met", "windows_closed")
_MOVES = [name for name in COMPUTED_SCHEMA if name not in {*KEY, "is_provisional", "role", "unit", "every"}]


def newest(history: pl.LazyFrame) -> pl.LazyFrame:
    """The last row recorded for each key result, member, day and edition."""
    return history.sort("edition", "recorded_at").unique([*KEY, "edition"], keep="last", maintain_order=True)


def current(history: pl.LazyFrame, editions: pl.DataFrame) -> pl.LazyFrame:
    """What is now known: the newest row of each figure in the edition that is in force, without withdrawn ones.

    editions: `EDITIONS_SCHEMA`, complete (`editions.completed`).
    """
    return newest(_in_force(history, editions)).filter(~pl.col("is_withdrawn"))


def as_known_at(history: pl.LazyFrame, editions: pl.DataFrame, instant: datetime) -> pl.LazyFrame:
    """What was known at an instant (aware), for every day: what `current` said then."""
    then = pl.col("recorded_at") <= instant
    return current(history.filter(then), editions.filter(then))


def as_reported(history: pl.LazyFrame, editions: pl.DataFrame, day: date, zone: str) -> pl.LazyFrame:
    """What readers had been told by the end of a business day, of the days up to it."""
    midnight = datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(zone))
    until = midnight.astimezone(UTC) - timedelta(microseconds=1)
    return as_known_at(history, editions, until).filter(pl.col("as_of") <= day)


def _in_force(history: pl.LazyFrame, editions: pl.DataFrame) -> pl.LazyFrame:
    last = editions.lazy().group_by("key_result_id").agg(pl.col("edition").max())
    return history.join(last, on=["key_result_id", "edition"], how="semi")


def movements(remembered: pl.LazyFrame, computed: pl.DataFrame) -> pl.DataFrame:
    """The computed rows that a history lacks: days that are new, and days whose figures moved.

    remembered: the history of the editions that were computed. computed: `COMPUTED_SCHEMA` with `edition` and
    `definition_version`. Returns these columns with `is_withdrawn`, `previous_value`, `is_restatement` and, for what
    finds the cause, `_was_read` and `_is_read` (the day's events had been read) and `_is_by_reading` (something was not
    known and is, or the other way round); a day whose figures did not move has no row.
    """
    columns = [*COMPUTED_SCHEMA, "edition", "definition_version"]
    before = newest(remembered).select(
        *KEY,
        "edition",
        pl.col("is_withdrawn").alias("_was_withdrawn"),
        *[pl.col(name).alias(f"_{name}") for name in _MOVES],
    )
    beside = computed.join(
        before.collect(), on=[*KEY, "edition"], how="left", nulls_equal=True, validate="1:1", maintain_order="left"
    )
    is_new = pl.col("_was_withdrawn").is_null()
    has_moved = pl.any_horizontal(*[pl.col(name).ne_missing(pl.col(f"_{name}")) for name in _MOVES])
    knowledge = pl.any_horizontal(*[pl.col(name).is_null() != pl.col(f"_{name}").is_null() for name in _KNOWN])
    was_or_is_unknown = pl.any_horizontal(pl.col("status", "_status").is_in(["no_data", "unreliable"]))
    return beside.filter(is_new | has_moved | pl.col("_was_withdrawn")).select(
        *columns,
        pl.lit(value=False).alias("is_withdrawn"),
        pl.when(~is_new).then(pl.col("_value")).alias("previous_value"),
        (~is_new).alias("is_restatement"),
        pl.col("_events").is_not_null().alias("_was_read"),
        pl.col("events").is_not_null().alias("_is_read"),
        (knowledge | was_or_is_unknown).alias("_is_by_reading"),
    )


def withdrawn(remembered: pl.LazyFrame, computed: pl.DataFrame) -> pl.DataFrame:
    """Rows by which days, or members, that were not computed any more are withdrawn.

    remembered: the history of the editions that were computed. Returns the same columns as `movements`.
    """
    said = {*KEY, "edition", "definition_version", "definition_hash", "role", "unit", "every", "is_provisional"}
    gone = (
        newest(remembered)
        .filter(~pl.col("is_withdrawn"))
        .join(computed.lazy().select(*KEY, "edition"), on=[*KEY, "edition"], how="anti", nulls_equal=True)
        .collect()
    )
    return gone.select(
        *shapes.columns({**COMPUTED_SCHEMA, "edition": pl.Int64(), "definition_version": pl.String()}, said),
        pl.lit(value=True).alias("is_withdrawn"),
        pl.col("value").alias("previous_value"),
        pl.lit(value=True).alias("is_restatement"),
        pl.col("events").is_not_null().alias("_was_read"),
        pl.lit(value=True).alias("_is_read"),
        pl.lit(value=False).alias("_is_by_reading"),
    )
