"""From a value to progress, expected progress, status and score: the formulas, as Polars expressions.

Belongs here: arithmetic on one row (value, start, target, elapsed time). Does not: windows, baselines, coverage
(`compute`). The formulas and their published worked examples: docs/semantics.md.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import polars as pl

from kr_definitions.declarations import KeyResult, Part
from kr_definitions.measures import DailyMax, Gain, Steps
from kr_definitions.measures.series import divided
from kr_definitions.targets import (
    AtLeast,
    AtMost,
    Baseline,
    Delta,
    Maintained,
    NotAbove,
    NotBelow,
    Reach,
    Relative,
    Within,
)

Preset = Literal["viva", "engagedly", "upraise", "servicenow"]

TOLERANCE = 1e-12
"""How far from a line a float may be and still be on it: 5/7 · 1.2 and 6/7 differ in their last digit."""


def accumulates(kr: KeyResult | Part) -> bool:
    """Whether the value starts from nothing with each window and grows by activity (counts, sums)."""
    return kr.main.accumulates and kr.trailing is None and kr.cumulative == "period"


def is_extrapolated(kr: KeyResult) -> bool:
    """Whether what came so far says how much is to come: of a total; of its best day, or of steps, it does not."""
    goes_on = kr.main.accumulates and not isinstance(kr.main, DailyMax | Steps)
    return goes_on and kr.trailing is None and (kr.cumulative == "period" or not is_maintained(kr))


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

    A total begins at nothing, whatever it was the time before: the figure that it comes from is its baseline. Only on
    the way to a target that is not above nothing (less of a loss than the time before) does it come from the baseline.
    """
    target = kr.target
    if isinstance(target, Reach):
        return 0.0 if accumulates(kr) else float(target.from_), float(target.value)
    if isinstance(target, AtLeast | AtMost):
        figure = target.at_least if isinstance(target, AtLeast) else target.at_most
        return None if target.from_ is None else float(target.from_), float(figure)
    if isinstance(target, Within):
        return None, float(target.within[0])
    if target is None or baseline is None:
        return None, None
    if isinstance(target, NotBelow | NotAbove):
        return None, baseline
    exact = Decimal(repr(baseline))
    goal = float(exact + (abs(exact) * target.relative if isinstance(target, Relative) else target.delta))
    begins_at_nothing = accumulates(kr) and not target.to_date and goal > 0
    return 0.0 if begins_at_nothing else baseline, goal


def highest(kr: KeyResult) -> float | None:
    """The higher end of a band, whose lower one is the target."""
    return float(kr.target.within[1]) if isinstance(kr.target, Within) else None


def progress_of(kr: KeyResult, value: pl.Expr, start: pl.Expr, target: pl.Expr) -> pl.Expr:
    """Progress of one value: 0 at the start, 1 at the target, overshoot and undershoot kept; null where unknown."""
    if kr.target is None:
        return pl.lit(None, dtype=pl.Float64)
    if isinstance(kr.target, Reach | Relative | Delta) or _comes_from(kr.target):
        return pl.when(target != start).then(divided(value - start, target - start))
    if isinstance(kr.target, Within):
        low, high = (pl.lit(float(figure)) for figure in kr.target.within)
        return (_is_at_least(value, low) & _is_at_least(high, value)).cast(pl.Int64).cast(pl.Float64)
    is_met = _is_met(kr.target, value, target)
    if kr.target.progress == "met":
        return is_met.cast(pl.Int64).cast(pl.Float64)
    part = divided(value, target)
    distance = part if isinstance(kr.target, AtLeast | NotBelow) else 2 - part
    # A part of nothing, or of less than nothing, says nothing: it is met or not.
    return pl.when(target > 0).then(distance).otherwise(is_met.cast(pl.Int64).cast(pl.Float64))


def _comes_from(threshold: Maintained) -> bool:
    """Whether progress to a threshold is the distance travelled from a figure."""
    return isinstance(threshold, AtLeast | AtMost) and threshold.from_ is not None


def _is_met(threshold: AtLeast | AtMost | NotBelow | NotAbove, value: pl.Expr, target: pl.Expr) -> pl.Expr:
    is_floor = isinstance(threshold, AtLeast | NotBelow)
    if threshold.strict:
        return ~(_is_at_least(target, value) if is_floor else _is_at_least(value, target))
    return _is_at_least(value, target) if is_floor else _is_at_least(target, value)


def _is_at_least(value: pl.Expr, line: pl.Expr) -> pl.Expr:
    """Whether a figure is on a line or above it."""
    return value >= line - TOLERANCE * line.abs()


def is_reached(kr: KeyResult, progress: pl.Expr) -> pl.Expr:
    """Whether a progress means that the target is met; for a strict threshold by distance, beyond it."""
    threshold = kr.target if isinstance(kr.target, AtLeast | AtMost | NotBelow | NotAbove) else None
    is_distance = threshold is not None and (threshold.progress == "distance" or _comes_from(threshold))
    if threshold is not None and threshold.strict and is_distance:
        return progress > 1 + TOLERANCE
    return progress >= 1 - TOLERANCE


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
    """on_track, at_risk or off_track, by the organisation's thresholds: on the line is on its better side."""
    tiny = TOLERANCE
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
