"""From a value to progress, expected progress, status and score: the formulas, as Polars expressions.

Belongs here: arithmetic on one row (value, start, target, elapsed time). Does not: windows, baselines, coverage
(`compute`). The formulas and their published worked examples: docs/semantics.md.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import polars as pl

from kr_definitions.declarations import (
    AtLeast,
    AtMost,
    Baseline,
    Delta,
    KeyResult,
    NotAbove,
    NotBelow,
    Reach,
    Relative,
    Within,
)
from kr_definitions.measures import Gain
from kr_definitions.measures.series import divided

Preset = Literal["viva", "engagedly", "upraise", "servicenow"]


Maintained = AtLeast | AtMost | Within | NotBelow | NotAbove


def accumulates(kr: KeyResult) -> bool:
    """Whether the value starts from nothing with each window and grows by activity (counts, sums)."""
    return kr.main.accumulates and kr.trailing is None and kr.cumulative == "period"


def only_grows(kr: KeyResult) -> bool:
    """Whether the value is a total of the period so far: once reached, the target stays so, corrections apart."""
    is_total = kr.main.accumulates and not isinstance(kr.main, Gain)
    return is_total and kr.trailing is None and kr.every is None and not is_maintained(kr)


def is_to_date(kr: KeyResult) -> bool:
    """Whether each day is compared with the same part of the span before."""
    return isinstance(kr.target, Relative | Delta) and kr.target.to_date


def is_maintained(kr: KeyResult) -> bool:
    """Whether the figure has to hold at all times, rather than be reached by the end."""
    return isinstance(kr.target, Maintained) or is_to_date(kr)


def baseline_of(kr: KeyResult) -> Baseline | None:
    """The baseline that the target is relative to."""
    if isinstance(kr.target, Relative | Delta):
        return kr.target.baseline
    if isinstance(kr.target, NotBelow):
        return kr.target.not_below
    return kr.target.not_above if isinstance(kr.target, NotAbove) else None


def start_and_target(kr: KeyResult, baseline: float | None) -> tuple[float | None, float | None]:
    """Where progress is measured from, and to. None where the baseline that it depends on is not known.

    A total begins at nothing, whatever it was the time before: the figure that it comes from is its baseline.
    """
    target = kr.target
    if isinstance(target, Reach):
        return 0.0 if accumulates(kr) else float(target.from_), float(target.value)
    if isinstance(target, AtLeast):
        return None, float(target.at_least)
    if isinstance(target, AtMost):
        return None, float(target.at_most)
    if isinstance(target, Within):
        return None, float(target.within[0])
    if target is None or baseline is None:
        return None, None
    if isinstance(target, NotBelow | NotAbove):
        return None, baseline
    start = 0.0 if accumulates(kr) and not target.to_date else baseline
    if isinstance(target, Relative):
        return start, float(Decimal(repr(baseline)) * (1 + target.relative))
    return start, float(Decimal(repr(baseline)) + target.delta)


def highest(kr: KeyResult) -> float | None:
    """The higher end of a band, whose lower one is the target."""
    return float(kr.target.within[1]) if isinstance(kr.target, Within) else None


def progress_of(kr: KeyResult, value: pl.Expr, start: pl.Expr, target: pl.Expr) -> pl.Expr:
    """Progress of one value: 0 at the start, 1 at the target, overshoot and undershoot kept; null where unknown."""
    if kr.target is None:
        return pl.lit(None, dtype=pl.Float64)
    if isinstance(kr.target, Reach | Relative | Delta):
        return pl.when(target != start).then(divided(value - start, target - start))
    if isinstance(kr.target, Within):
        low, high = (float(figure) for figure in kr.target.within)
        return value.is_between(low, high).cast(pl.Float64)
    is_met = _is_met(kr.target, value, target)
    if kr.target.progress == "met":
        return is_met.cast(pl.Int64).cast(pl.Float64)
    part = divided(value, target)
    distance = part if isinstance(kr.target, AtLeast | NotBelow) else 2 - part
    # A part of nothing, or of less than nothing, says nothing: it is met or not.
    return pl.when(target > 0).then(distance).otherwise(is_met.cast(pl.Int64).cast(pl.Float64))


def _is_met(threshold: AtLeast | AtMost | NotBelow | NotAbove, value: pl.Expr, target: pl.Expr) -> pl.Expr:
    if isinstance(threshold, AtLeast | NotBelow):
        return value > target if threshold.strict else value >= target
    return value < target if threshold.strict else value <= target


def is_reached(kr: KeyResult, progress: pl.Expr) -> pl.Expr:
    """Whether a progress means that the target is met; for a strict threshold by distance, beyond it."""
    threshold = kr.target if isinstance(kr.target, AtLeast | AtMost | NotBelow | NotAbove) else None
    strict_distance = threshold is not None and threshold.strict and threshold.progress == "distance"
    return progress > 1 if strict_distance else progress >= 1


def recurring_progress(
    met: pl.Expr, closed: pl.Expr, open_progress: pl.Expr, elapsed: pl.Expr, expected: pl.Expr
) -> pl.Expr:
    """Progress over windows: (Σ min(P_w, 1) over the closed ones + f · min(P_open / E_open, 1)) / (closed + f).

    met: Σ min(P_w, 1). elapsed: f, the part of the open window that is over; 0 where none is open. expected: what is
    expected of the open window by now: f of what is to be reached by its end, 1 of what has to hold at all times.
    """
    of_open = pl.when(elapsed > 0).then(elapsed * divided(open_progress, expected).clip(upper_bound=1.0)).otherwise(0.0)
    whole = closed + elapsed
    return pl.when(whole > 0).then(divided(met + of_open, whole))


def judged(preset: Preset, progress: pl.Expr, expected: pl.Expr) -> pl.Expr:
    """on_track, at_risk or off_track, by the organisation's thresholds.

    Floats are compared with a tolerance of 1e-9, so that a value exactly on the line is on its better side.
    """
    tiny = 1e-9
    limits = {
        "viva": (progress >= expected - tiny, progress >= expected - 0.25 - tiny),
        "engagedly": (progress >= expected - 0.165 - tiny, progress >= expected - 0.33 - tiny),
        "upraise": (progress >= 0.95 * expected - tiny, progress >= 0.75 * expected - tiny),
        "servicenow": (progress >= 0.90 - tiny, progress >= 0.75 - tiny),
    }
    on_track, at_risk = limits[preset]
    return (
        pl.when(on_track).then(pl.lit("on_track")).when(at_risk).then(pl.lit("at_risk")).otherwise(pl.lit("off_track"))
    )


def score_of(progress: pl.Expr) -> pl.Expr:
    """Progress clamped to 0..1."""
    return progress.clip(0.0, 1.0)


_WORST_FIRST = ("missed", "off_track", "unreliable", "no_data", "at_risk", "not_started", "on_track", "achieved")


def worst(status: pl.Expr) -> pl.Expr:
    """The worst of several statuses (an aggregation)."""
    rank = status.replace_strict({name: n for n, name in enumerate(_WORST_FIRST)}, default=None, return_dtype=pl.Int64)
    return rank.min().replace_strict(dict(enumerate(_WORST_FIRST)), default=None, return_dtype=pl.String)
