"""The compiler: every declared key result's figures for every day, from one pass over the log.

Belongs here: the order of the two phases, windows, baselines, and what is null because it is not known. Does not: what
a measure counts (`measures`), formulas (`progress`), what is remembered (`history`).

Heavy phase: one lazy plan in which all measures share the scan of the log and give daily partials. Light phase: the
partials become series, baselines and progress, in memory; a changed target or threshold needs no more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from kr_definitions import progress as formulas
from kr_definitions.catalogue import Definition
from kr_definitions.coverage import Coverage, Feeds, coverage
from kr_definitions.declarations import Delta, Relative
from kr_definitions.events import COVERED, current
from kr_definitions.history import COMPUTED_SCHEMA
from kr_definitions.measures import DailyMax, Measure, Sum
from kr_definitions.measures.series import THE_BEGINNING, divided, window_sums
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span, days_of, previous_span, same_span_last_year, windows

_DAY = timedelta(days=1)


def compute(
    definitions: Sequence[Definition],
    organisation: Organisation,
    log: pl.LazyFrame,
    through: date,
    feeds: Feeds | None = None,
) -> pl.DataFrame:
    """The figures of each definition, for each day from the beginning of its period to `through`.

    log: `EVENT_SCHEMA`, retractions included. through: the last whole business day to compute. feeds: the streams in
    use; without it, those that the log names, and no fact is expected late. Returns
    `COMPUTED_SCHEMA` rows ordered by key result and day. Raises nothing for an empty or partly loaded log: what is not
    known is null and says so.
    """
    if not definitions:
        return pl.DataFrame(schema=dict(COMPUTED_SCHEMA))
    needed = sorted({name for definition in definitions for name in definition.types})
    events = _with_day(current(log), organisation.zone).filter(pl.col("event_type").is_in([*needed, COVERED]))
    known = coverage(events, organisation.zone, feeds)
    ordered = sorted(definitions, key=lambda definition: definition.id)
    heavy = [definition.measure.partials(events) for definition in ordered]
    heavy += [_foreign(definition, events, organisation.currency) for definition in ordered]
    collected = pl.collect_all(heavy)
    logged = [_Logged(*frames) for frames in zip(collected[: len(ordered)], collected[len(ordered) :], strict=True)]
    rows = [
        _figures(definition, of_definition, organisation, known, through, feeds)
        for definition, of_definition in zip(ordered, logged, strict=True)
    ]
    return pl.concat(rows)


def _adds_money(measure: Measure) -> Sum | DailyMax | None:
    """The measure, if it adds amounts."""
    if isinstance(measure, Sum):
        return measure if measure.sum == "amount" else None
    return measure if isinstance(measure, DailyMax) and measure.daily_max == "amount" else None


@dataclass(frozen=True, slots=True)
class _Logged:
    """What the heavy phase found for a definition: its partials, and by day the amounts in other currencies."""

    partials: pl.DataFrame
    foreign: pl.DataFrame


def _foreign(definition: Definition, events: pl.LazyFrame, currency: str) -> pl.LazyFrame:
    """By day, the events whose amount is not in the organisation's currency: amounts of two are never added.

    Columns: day, foreign. Empty for a measure that adds no amounts.
    """
    measure = _adds_money(definition.measure)
    if measure is None:
        return pl.LazyFrame(schema={"day": pl.Date, "foreign": pl.Int64})
    is_foreign = pl.col("amount").is_not_null() & (pl.col("currency") != currency)  # none enters the log without one
    return (
        measure.selected(events, measure.of)
        .filter(is_foreign)
        .group_by("day")
        .agg(pl.len().cast(pl.Int64).alias("foreign"))
    )


def _with_day(log: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    return log.with_columns(pl.col("occurred_at").dt.convert_time_zone(zone).dt.date().alias("day"))


def _figures(
    definition: Definition,
    logged: _Logged,
    organisation: Organisation,
    known: Coverage,
    through: date,
    feeds: Feeds | None,
) -> pl.DataFrame:
    kr, period = definition.key_result, definition.period
    days = asked_days(definition, organisation, through)
    baseline = _baseline(definition, logged, known)
    start, target = formulas.start_and_target(kr, baseline)
    series = _series(definition, logged, known, days)
    figures = series.with_columns(
        pl.lit(baseline, dtype=pl.Float64).alias("baseline"),
        pl.lit(start, dtype=pl.Float64).alias("start"),
        pl.lit(target, dtype=pl.Float64).alias("target"),
        _elapsed(pl.col("as_of"), pl.lit(period.first), pl.lit(period.last)).alias("_elapsed"),
    ).with_columns(
        formulas.progress_of(kr, pl.col("value"), pl.col("start"), pl.col("target")).alias("_progress"),
    )
    figures = _recurring(definition, figures) if kr.every else _once(definition, figures)
    late_days = feeds.lateness(definition.types) if feeds else 0
    return (
        figures.with_columns(_status(definition, organisation, period))
        .with_columns(
            pl.lit(definition.id).alias("key_result_id"),
            pl.lit(None, dtype=pl.String).alias("member"),
            pl.col("window_start").replace(THE_BEGINNING, None),  # "ever" has no first day to show
            formulas.score_of(pl.col("progress")).alias("score"),
            (pl.col("as_of") > through - timedelta(days=late_days)).alias("is_provisional"),
            pl.lit(definition.version).alias("definition_version"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in COMPUTED_SCHEMA.items())
        .sort("as_of")
    )


def asked_days(definition: Definition, organisation: Organisation, through: date) -> pl.DataFrame:
    """Each day that is due, with the window that its value is counted over.

    Columns: as_of, window_start, window_end, until (the last day counted). The window columns are null on a day before
    the first window of a recurring key result; a day between windows (a Sunday, for working days) shows the last one.
    """
    kr, period = definition.key_result, definition.period
    due = list(days_of(Span(period.first, min(period.last, through)))) if period.first <= through else []
    if kr.every:
        spans = windows(kr.every, period, organisation.calendar)
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


def _knowledge(definition: Definition, logged: _Logged, known: Coverage, asked: pl.DataFrame) -> pl.Series:
    """What is known of each asked window: `partly`, too, where it holds amounts that cannot be added."""
    read = [
        known.of(definition.types, first, last, definition.remembered)
        for last, first in asked.select("as_of", "window_start").iter_rows()
    ]
    foreign = window_sums(logged.foreign, asked.select("as_of", "window_start"), ["foreign"]).get_column("foreign")
    found = pl.Series("_knowledge", read, dtype=pl.String)
    return pl.select(
        pl.when((foreign > 0) & (found == "known")).then(pl.lit("partly")).otherwise(found).alias("_knowledge")
    ).to_series()


def _series(definition: Definition, logged: _Logged, known: Coverage, days: pl.DataFrame) -> pl.DataFrame:
    """Value, numerator, denominator and events for each asked day; null where not everything is known."""
    asked = days.filter(pl.col("until").is_not_null()).select(pl.col("until").alias("as_of"), "window_start").unique()
    asked = asked.sort("window_start", "as_of")
    measured = definition.measure.series(logged.partials, asked).with_columns(
        _knowledge(definition, logged, known, asked)
    )
    is_known = pl.col("_knowledge") == "known"
    return days.join(
        measured.rename({"as_of": "until"}), on=["until", "window_start"], how="left", maintain_order="left"
    ).with_columns(
        pl.when(is_known).then(pl.col(name)).alias(name) for name in ("value", "numerator", "denominator", "events")
    )


def _baseline(definition: Definition, logged: _Logged, known: Coverage) -> float | None:
    """The value that the target is relative to, or the one that the period started from; None where not known."""
    kr, period = definition.key_result, definition.period
    before = {
        "previous_year": same_span_last_year(period),
        "previous_period": previous_span(period),
        "start": Span(period.first - _DAY, period.first - _DAY),
    }
    of_target = kr.target.baseline if isinstance(kr.target, Relative | Delta) else None
    if of_target is None and kr.trailing is None and kr.cumulative == "period":
        return None
    span = before[of_target or "start"]
    if kr.trailing:
        span = Span(span.last - timedelta(days=kr.trailing - 1), span.last)
    elif kr.cumulative == "ever":
        span = Span(THE_BEGINNING, span.last)
    asked = pl.DataFrame({"as_of": [span.last], "window_start": [span.first]})
    if _knowledge(definition, logged, known, asked).item() != "known":
        return None
    value = definition.measure.series(logged.partials, asked).get_column("value").item()
    return None if value is None else float(value)


def _elapsed(day: pl.Expr, first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """The part of a span that is over at the end of a day: days so far over all days, at most 1."""
    so_far = (day - first).dt.total_days() + 1
    return divided(so_far, (last - first).dt.total_days() + 1).clip(0.0, 1.0)


def _once(definition: Definition, figures: pl.DataFrame) -> pl.DataFrame:
    """Progress of a key result with one figure for the whole period."""
    kr = definition.key_result
    expected = pl.lit(1.0) if formulas.is_maintained(kr) else pl.col("_elapsed")
    is_ever = kr.cumulative == "ever" and not formulas.is_maintained(kr)
    begun = pl.col("baseline") if is_ever else pl.col("start").fill_null(0.0)
    goes_on = is_ever or formulas.accumulates(kr)
    forecast = begun + divided(pl.col("value") - begun, pl.col("_elapsed")) if goes_on else pl.col("value")
    return figures.with_columns(
        pl.col("_progress").alias("progress"),
        (expected if kr.target is not None else pl.lit(None, dtype=pl.Float64)).alias("expected"),
        pl.lit(None, dtype=pl.Float64).alias("window_progress"),
        pl.lit(None, dtype=pl.Float64).alias("window_expected"),
        pl.lit(None, dtype=pl.Int64).alias("windows_met"),
        pl.lit(None, dtype=pl.Int64).alias("windows_closed"),
        forecast.alias("forecast"),
    )


def _recurring(definition: Definition, figures: pl.DataFrame) -> pl.DataFrame:
    """Progress of a key result whose figure has to be met anew in each window."""
    kr = definition.key_result
    # A window that was read and in which there was nothing to measure (a share of no answers) counts in nothing.
    is_empty = (pl.col("_knowledge") == "known") & pl.col("value").is_null()
    closing = (
        figures.filter(pl.col("until") == pl.col("window_end"), ~is_empty)
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
    is_open = (pl.col("window_end") > pl.col("as_of")).fill_null(value=False) & ~is_empty.fill_null(value=False)
    in_window = _elapsed(pl.col("until"), pl.col("window_start"), pl.col("window_end"))
    has_window = pl.col("window_start").is_not_null()
    whole = formulas.recurring_progress(
        pl.col("_met").fill_null(0.0),
        pl.col("windows_closed").fill_null(0),
        pl.col("_progress"),
        pl.when(is_open).then(in_window).otherwise(0.0),
    )
    is_complete = pl.col("_unknown").fill_null(0) == 0
    forecast = divided(pl.col("value"), in_window) if formulas.accumulates(kr) else pl.col("value")
    return joined.with_columns(
        pl.when(is_complete).then(whole).alias("progress"),
        pl.when(has_window).then(1.0).alias("expected"),
        pl.col("_progress").alias("window_progress"),
        (pl.when(has_window).then(1.0) if formulas.is_maintained(kr) else in_window).alias("window_expected"),
        pl.when(is_complete).then(pl.col("windows_met").fill_null(0)).alias("windows_met"),
        pl.col("windows_closed").fill_null(0),
        forecast.alias("forecast"),
    )


def _status(definition: Definition, organisation: Organisation, period: Span) -> pl.Expr:
    kr = definition.key_result
    if kr.target is None:
        return pl.lit(None, dtype=pl.String).alias("status")
    is_last = pl.col("as_of") == period.last
    is_met = formulas.is_reached(kr, pl.col("progress"))
    is_done_early = is_met if formulas.only_grows(kr) else pl.lit(value=False)
    return (
        pl.when(pl.col("window_start").is_null())
        .then(pl.lit("not_started"))
        .when(pl.col("_knowledge") == "unknown")
        .then(pl.lit("no_data"))
        .when(pl.col("_knowledge") == "partly")
        .then(pl.lit("unreliable"))
        .when(pl.col("progress").is_null() & pl.col("value").is_null())
        .then(pl.lit("no_data"))
        .when(pl.col("progress").is_null())
        .then(pl.lit("unreliable"))
        .when(is_last & is_met)
        .then(pl.lit("achieved"))
        .when(is_last)
        .then(pl.lit("missed"))
        .when(is_done_early)
        .then(pl.lit("achieved"))
        .otherwise(formulas.judged(organisation.thresholds, pl.col("progress"), pl.col("expected")))
        .alias("status")
    )
