"""One series of figures: value, baseline, progress, expected progress and status of one thing measured, day by day.

Belongs here: windows, baselines, and what is null because it is not known. Does not: what a measure counts
(`measures`), formulas on one row (`progress`), which series a key result is made of (`compute`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from kr_definitions import progress as formulas
from kr_definitions.coverage import Coverage, Knowledge
from kr_definitions.declarations import KeyResult
from kr_definitions.measures import Context
from kr_definitions.measures.base import Frames
from kr_definitions.measures.series import THE_BEGINNING, divided, window_sums
from kr_definitions.organisation import Organisation
from kr_definitions.periods import (
    Calendar,
    Span,
    days_of,
    previous_span,
    same_day_of,
    same_span_last_year,
    window_before,
    windows,
)
from kr_definitions.targets import Baseline

_DAY = timedelta(days=1)
_IS_KNOWN = pl.col("_knowledge") == "known"
_NO_FLOAT, _NO_INT = pl.lit(None, dtype=pl.Float64), pl.lit(None, dtype=pl.Int64)


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log holds of one thing measured: its partials, and by day the amounts that no rate converts."""

    frames: Frames
    unconverted: pl.DataFrame


class Compared(NamedTuple):
    """An earlier figure that a value is compared with. Where it is known and null, there was nothing to measure."""

    value: float | None
    knowledge: Knowledge


_NOTHING = Compared(None, "known")


@dataclass(frozen=True, slots=True)
class Series:
    """One thing measured: by which declaration, of which part of the log."""

    kr: KeyResult
    context: Context
    organisation: Organisation
    known: Coverage

    @property
    def period(self) -> Span:
        return self.context.period

    def figures(self, logged: Logged, before: Logged, days: pl.DataFrame) -> pl.DataFrame:
        """Its figures for each of its days (`asked_days`): part of `COMPUTED_SCHEMA`.

        before: what the log holds of its baseline, which may be of other people than its own.
        """
        valued, baselines = self._values(logged, days), self._baselines(before, days)
        return judged(self.kr, self.period, self.organisation, valued, baselines)

    def _values(self, logged: Logged, days: pl.DataFrame) -> pl.DataFrame:
        """Value, numerator, denominator and events for each asked day; null where not everything is known."""
        asked = days.filter(pl.col("until").is_not_null()).select(pl.col("until").alias("as_of"), "window_start")
        asked = asked.unique().sort("window_start", "as_of")
        measured = self.kr.main.valued(logged.frames, asked, self.context).with_columns(self._knowledge(logged, asked))
        return days.join(
            measured.rename({"as_of": "until"}), on=["until", "window_start"], how="left", maintain_order="left"
        ).with_columns(
            pl.when(_IS_KNOWN).then(pl.col(name)).alias(name)
            for name in ("value", "numerator", "denominator", "events")
        )

    def _knowledge(self, logged: Logged, asked: pl.DataFrame) -> pl.Series:
        """What is known of each asked window: `partly`, too, where it holds amounts that cannot be added."""
        types, remembered = self.kr.main.types, self.kr.main.remembered
        read = [
            self.known.of(types, first, last, remembered)
            for last, first in asked.select("as_of", "window_start").iter_rows()
        ]
        found = pl.Series("_knowledge", read, dtype=pl.String)
        if logged.unconverted.is_empty():
            return found
        spans = asked.select("as_of", "window_start")
        ever = spans.with_columns(pl.lit(None, dtype=pl.Date).alias("window_start"))
        amounts = window_sums(logged.unconverted, spans, ["of_windows"]).get_column("of_windows")
        amounts += window_sums(logged.unconverted, ever, ["lasting"]).get_column("lasting")
        return pl.select(
            pl.when((amounts > 0) & (found == "known")).then(pl.lit("partly")).otherwise(found).alias("_knowledge")
        ).to_series()

    # Baselines

    def _baselines(self, logged: Logged, days: pl.DataFrame) -> list[Compared]:
        """What the target is relative to on each day, or what the period started from."""
        asked = asked_baseline(self.kr)
        if asked is None:
            return [_NOTHING] * days.height
        if asked.of == "previous_window":
            return self._of_windows_before(logged, days)
        if asked.is_to_date:
            return self._to_date(logged, days)
        if self.kr.every is not None and asked.of != "start":
            found = self._mean_of_windows(logged, self._before(asked.of))
        else:
            (found,) = self._at(logged, [self._counted(self._before(asked.of))], unobserved="unknown")
        return [found] * days.height

    def _before(self, baseline: Baseline) -> Span:
        if baseline == "previous_year":
            return same_span_last_year(self.period)
        if baseline == "start":
            return Span(self.period.first - _DAY, self.period.first - _DAY)
        return previous_span(self.period)

    def _counted(self, span: Span) -> Span:
        """The days that the value at the end of a span is counted over."""
        if self.kr.trailing:
            return Span(span.last - timedelta(days=self.kr.trailing - 1), span.last)
        return Span(THE_BEGINNING, span.last) if self.kr.cumulative == "ever" else span

    def _at(self, logged: Logged, spans: Sequence[Span], unobserved: Knowledge) -> list[Compared]:
        """The value over each span. unobserved: what it counts as where nothing was ever observed."""
        asked = pl.DataFrame(
            {"as_of": [span.last for span in spans], "window_start": [span.first for span in spans]},
            schema={"as_of": pl.Date, "window_start": pl.Date},
        )
        distinct = asked.unique().sort("window_start", "as_of")
        valued = self.kr.main.valued(logged.frames, distinct, self.context).with_columns(
            self._knowledge(logged, distinct)
        )
        is_unobserved = _IS_KNOWN & pl.col("value").is_null() & self.kr.main.is_unobserved()
        found = valued.select(
            "as_of",
            "window_start",
            pl.when(_IS_KNOWN).then(pl.col("value").cast(pl.Float64)),
            pl.when(is_unobserved).then(pl.lit(unobserved)).otherwise("_knowledge").alias("_knowledge"),
        )
        joined = asked.join(found, on=["as_of", "window_start"], how="left", maintain_order="left")
        return [Compared(value, knowledge) for _, _, value, knowledge in joined.iter_rows()]

    def _to_date(self, logged: Logged, days: pl.DataFrame) -> list[Compared]:
        """Of each day, the value over the same part of the span before."""
        before = self._before(formulas.baseline_of(self.kr) or "previous_period")
        ends = [same_day_of(self.period, day, before) for day in days.get_column("as_of")]
        return self._at(logged, [Span(before.first, end) for end in ends], unobserved="unknown")

    def _of_windows_before(self, logged: Logged, days: pl.DataFrame) -> list[Compared]:
        """Of each day, the value over the window before its own."""
        if self.kr.every is None:
            return [_NOTHING] * days.height
        held = {
            first: window_before(self.kr.every, Span(first, last), self.organisation.calendar)
            for first, last in days.select("window_start", "window_end").drop_nulls().unique().iter_rows()
        }
        found = dict(zip(held, self._at(logged, list(held.values()), unobserved="known"), strict=True))
        return [found.get(first, _NOTHING) for first in days.get_column("window_start")]

    def _mean_of_windows(self, logged: Logged, span: Span) -> Compared:
        """The mean over the windows of a span that have a value; known where all of them are."""
        if self.kr.every is None:
            return _NOTHING
        found = self._at(logged, windows(self.kr.every, span, self.organisation.calendar), unobserved="known")
        if any(one.knowledge != "known" for one in found):
            return Compared(None, "partly")
        values = [one.value for one in found if one.value is not None]
        return Compared(sum(values) / len(values), "known") if values else _NOTHING


class AskedBaseline(NamedTuple):
    """Which earlier figure stands beside a value, and whether each day has its own."""

    of: Baseline
    is_to_date: bool


def asked_baseline(kr: KeyResult) -> AskedBaseline | None:
    """The baseline that a key result asks for: its target's, or where a level stood on the eve; None without any."""
    is_level = kr.trailing is not None or kr.cumulative == "ever"
    of = formulas.baseline_of(kr) or ("start" if is_level else None)
    return None if of is None else AskedBaseline(of, formulas.is_to_date(kr))


def judged(
    kr: KeyResult, period: Span, organisation: Organisation, valued: pl.DataFrame, baselines: Sequence[Compared]
) -> pl.DataFrame:
    """The figures that values give: no more than formulas, whoever knows the values.

    valued: a row a day, with its window (`asked_days`), its value, numerator and denominator, and what is known of the
    window (`_knowledge`: known, partly, unknown; null on a day without one). baselines: what the target is relative to,
    of each row.
    """
    figures = valued.with_columns(_from_and_to(kr, baselines)).with_columns(
        elapsed(pl.col("as_of"), pl.lit(period.first), pl.lit(period.last)).alias("_elapsed"),
        formulas.progress_of(kr, pl.col("value"), pl.col("start"), pl.col("target")).alias("_progress"),
        pl.lit(formulas.highest(kr), dtype=pl.Float64).alias("target_high"),
        _is_empty(kr).alias("_is_empty"),
    )
    figures = _recurring(kr, figures) if kr.every else _once(kr, figures)
    return figures.with_columns(_status(kr, period, organisation)).sort("as_of")


def reported_baselines(figures: pl.DataFrame) -> list[Compared]:
    """The baselines of figures that were reported (`COMPUTED_SCHEMA`): where one lacked, the status says why."""
    is_lacking = pl.col("baseline").is_null() & pl.col("events").is_not_null() & (pl.col("status") == "unreliable")
    found = figures.select("baseline", pl.when(is_lacking).then(pl.lit("unknown")).otherwise(pl.lit("known")))
    return [Compared(value, knowledge) for value, knowledge in found.iter_rows()]


def _from_and_to(kr: KeyResult, baselines: Sequence[Compared]) -> list[pl.Series]:
    """The columns baseline, start and target, and what is known of the baseline."""
    found = {baseline: formulas.start_and_target(kr, baseline.value) for baseline in set(baselines)}
    columns = {
        "baseline": [baseline.value for baseline in baselines],
        "start": [found[baseline][0] for baseline in baselines],
        "target": [found[baseline][1] for baseline in baselines],
    }
    floats = [pl.Series(name, values, dtype=pl.Float64) for name, values in columns.items()]
    return [*floats, pl.Series("_of_baseline", [one.knowledge for one in baselines], dtype=pl.String)]


def _is_empty(kr: KeyResult) -> pl.Expr:
    """Where all was read and there was nothing to measure (a share of no answers), or no way to go.

    There is no way where the target is relative to nothing: half as much again as none, or as what was not there.
    """
    has_no_way = (pl.col("start") == pl.col("target")).fill_null(value=False)
    if formulas.baseline_of(kr) is not None:
        has_no_way |= (pl.col("_of_baseline") == "known") & pl.col("baseline").is_null()
    return (_IS_KNOWN & (pl.col("value").is_null() | has_no_way)).fill_null(value=False)


def _status(kr: KeyResult, period: Span, organisation: Organisation) -> pl.Expr:
    if kr.target is None:
        return pl.lit(None, dtype=pl.String).alias("status")
    is_met = formulas.is_reached(kr, pl.col("progress"))
    is_done_early = is_met & (pl.col("target") > 0) if formulas.only_grows(kr) else pl.lit(value=False)
    has_no_progress = pl.col("progress").is_null()
    is_unobserved = pl.col("value").is_null() & kr.main.is_unobserved()
    lacks_baseline = pl.lit(formulas.baseline_of(kr) is not None) & (pl.col("_of_baseline") != "known")
    return (
        pl.when(pl.col("window_start").is_null())
        .then(pl.lit("not_started"))
        .when((pl.col("_knowledge") == "unknown") | (_IS_KNOWN & has_no_progress & is_unobserved))
        .then(pl.lit("no_data"))
        .when((pl.col("_knowledge") == "partly") | (has_no_progress & (lacks_baseline | ~pl.col("_is_complete"))))
        .then(pl.lit("unreliable"))
        .when(has_no_progress)
        .then(pl.lit("not_started"))
        .otherwise(closing(period, is_met, is_done_early, organisation))
        .alias("status")
    )


def closing(period: Span, is_met: pl.Expr, is_done_early: pl.Expr, organisation: Organisation) -> pl.Expr:
    """The status of what has a progress: achieved or missed on the last day, judged by the thresholds before it."""
    is_last = pl.col("as_of") == period.last
    return (
        pl.when(is_last & is_met)
        .then(pl.lit("achieved"))
        .when(is_last)
        .then(pl.lit("missed"))
        .when(is_done_early)
        .then(pl.lit("achieved"))
        .otherwise(formulas.judged(organisation.thresholds, pl.col("progress"), pl.col("expected")))
    )


def asked_days(kr: KeyResult, period: Span, calendar: Calendar, through: date) -> pl.DataFrame:
    """Each day that is due, with the window that its value is counted over.

    Columns: as_of, window_start, window_end, until (the last day counted). The window columns are null on a day before
    the first window of a recurring key result; a day between windows (a Sunday, for working days) shows the last one.
    """
    due = list(days_of(Span(period.first, min(period.last, through)))) if period.first <= through else []
    if kr.every:
        spans = windows(kr.every, period, calendar)
        held: list[Span | None] = []
        position = -1
        for day in due:
            while position + 1 < len(spans) and spans[position + 1].first <= day:
                position += 1
            held.append(spans[position] if position >= 0 else None)
    elif kr.trailing:
        held = [Span(day - timedelta(days=kr.trailing - 1), day) for day in due]
    elif kr.cumulative == "ever":
        held = [Span(THE_BEGINNING, period.last) for _ in due]
    else:
        held = [period for _ in due]
    return pl.DataFrame(
        {
            "as_of": due,
            "window_start": [span.first if span else None for span in held],
            "window_end": [span.last if span else None for span in held],
            "until": [min(day, span.last) if span else None for day, span in zip(due, held, strict=True)],
        },
        schema={"as_of": pl.Date, "window_start": pl.Date, "window_end": pl.Date, "until": pl.Date},
    )


def elapsed(day: pl.Expr, first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """The part of a span that is over at the end of a day: days so far over all days, at most 1."""
    so_far = (day - first).dt.total_days() + 1
    return divided(so_far, (last - first).dt.total_days() + 1).clip(0.0, 1.0)


def _once(kr: KeyResult, figures: pl.DataFrame) -> pl.DataFrame:
    """Progress of a key result with one figure for the whole period."""
    expected = pl.lit(1.0) if formulas.is_maintained(kr) else pl.col("_elapsed")
    begun = pl.col("baseline") if kr.cumulative == "ever" else pl.lit(0.0)
    going_on = begun + divided(pl.col("value") - begun, pl.col("_elapsed"))
    forecast = going_on if formulas.is_extrapolated(kr) else pl.col("value")
    return figures.with_columns(
        pl.lit(value=True).alias("_is_complete"),
        pl.col("_progress").alias("progress"),
        (expected if kr.target is not None else _NO_FLOAT).alias("expected"),
        _NO_FLOAT.alias("window_progress"),
        _NO_FLOAT.alias("window_expected"),
        _NO_INT.alias("windows_met"),
        _NO_INT.alias("windows_closed"),
        forecast.alias("forecast"),
    )


def _recurring(kr: KeyResult, figures: pl.DataFrame) -> pl.DataFrame:
    """Progress of a key result whose figure has to be met anew in each window."""
    closing = (
        figures.filter(pl.col("until") == pl.col("window_end"), ~pl.col("_is_empty"))  # an empty one counts in nothing
        .unique("window_start", keep="first")
        .sort("window_end")
    )
    closed = closing.select(
        pl.col("window_end").alias("_closed_on"),
        pl.col("_progress").clip(upper_bound=1.0).fill_null(0.0).cum_sum().alias("_met"),
        formulas.is_reached(kr, pl.col("_progress"))
        .fill_null(value=False)
        .cast(pl.Int64)
        .cum_sum()
        .alias("windows_met"),
        pl.col("_progress").is_null().cast(pl.Int64).cum_sum().alias("_unknown"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("windows_closed"),
    )
    joined = figures.sort("as_of").join_asof(closed, left_on="as_of", right_on="_closed_on", strategy="backward")
    is_open = (pl.col("window_end") > pl.col("as_of")).fill_null(value=False) & ~pl.col("_is_empty")
    in_window = elapsed(pl.col("until"), pl.col("window_start"), pl.col("window_end"))
    has_window = pl.col("window_start").is_not_null()
    whole = formulas.recurring_progress(
        pl.col("_met").fill_null(0.0),
        pl.col("windows_closed").fill_null(0),
        pl.col("_progress"),
        pl.when(is_open).then(in_window).otherwise(0.0),
        pl.lit(1.0) if formulas.is_maintained(kr) else in_window,
    )
    is_complete = pl.col("_unknown").fill_null(0) == 0
    forecast = divided(pl.col("value"), in_window) if formulas.is_extrapolated(kr) else pl.col("value")
    return joined.with_columns(
        is_complete.alias("_is_complete"),
        pl.when(is_complete).then(whole).alias("progress"),
        (pl.when(has_window).then(1.0) if kr.target is not None else _NO_FLOAT).alias("expected"),
        pl.col("_progress").alias("window_progress"),
        _window_expected(kr, has_window, in_window).alias("window_expected"),
        pl.when(is_complete).then(pl.col("windows_met").fill_null(0)).alias("windows_met"),
        pl.when(is_complete).then(pl.col("windows_closed").fill_null(0)).alias("windows_closed"),
        forecast.alias("forecast"),
    )


def _window_expected(kr: KeyResult, has_window: pl.Expr, in_window: pl.Expr) -> pl.Expr:
    """What is expected of the open window by now; nothing of a KPI."""
    if kr.target is None:
        return _NO_FLOAT
    return pl.when(has_window).then(1.0) if formulas.is_maintained(kr) else in_window
