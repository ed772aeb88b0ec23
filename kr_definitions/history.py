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

from kr_definitions.vocabulary import UTC_MICROSECONDS

EXACT = pl.Decimal(38, 6)

# What a run computes for each key result and day: one row a (key result, member, day).
COMPUTED_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "member": pl.String(),  # of an `each`: the member of the dimension; null on the key result's own row
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
    "score": pl.Float64(),  # progress clamped to 0..1; null while we do not know
    "forecast": pl.Float64(),  # of the value at the end of the window, if it goes on as it went
    "is_provisional": pl.Boolean(),  # facts of this day may still arrive: a source declares how late it can be
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
    "level": pl.String(),  # company, team, individual, initiative
    "owner": pl.String(),
    "unit": pl.String(),  # count, share, EUR, days, …
    "every": pl.String(),  # day, working_day, week, month, quarter, or null
    "period_start": pl.Date(),
    "period_end": pl.Date(),  # included
    "target_text": pl.String(),  # the target in words, as declared
    "direction": pl.String(),  # increase, decrease, at_least, at_most, within, none
    "supports": pl.String(),  # id of what it supports
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
    "key_results": pl.Int64(),
}

_KEY = ["key_result_id", "member", "as_of"]
_MOVES = [name for name in COMPUTED_SCHEMA if name not in _KEY]


def newest(history: pl.LazyFrame) -> pl.LazyFrame:
    """The last row recorded for each key result, member and day: what is now known."""
    return history.sort("recorded_at").unique(_KEY, keep="last", maintain_order=True)


def as_reported_at(history: pl.LazyFrame, instant: datetime) -> pl.LazyFrame:
    """What the history said at an instant (aware), for every day."""
    return newest(history.filter(pl.col("recorded_at") <= instant))
