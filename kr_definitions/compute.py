"""The compiler: every declared key result's figures for every day, from one pass over the log.

Belongs here: the order of the two phases, and the figures of a whole (of members or parts, with guardrails). Does not:
which series a key result is made of (`parts`), what a measure counts (`measures`), one series (`figures`), formulas
(`progress`), what is remembered (`history`).

Heavy phase: one lazy plan in which all measures share the scan of the log and give daily partials; measures that are
the same are one. Light phase: the partials become series, baselines and progress, in memory; a changed target or
threshold needs no more than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from kr_definitions import progress as formulas
from kr_definitions import shapes
from kr_definitions.catalogue import Definition
from kr_definitions.coverage import Coverage, Feeds
from kr_definitions.declarations import KeyResult
from kr_definitions.failures import Failures, keep
from kr_definitions.figures import Logged, Series, asked_days, closing
from kr_definitions.history import COMPUTED_SCHEMA
from kr_definitions.measures.function import FunctionError
from kr_definitions.measures.series import THE_BEGINNING
from kr_definitions.organisation import Organisation
from kr_definitions.parts import (
    Key,
    Part,
    as_part,
    asked,
    meets,
    meets_now,
    naming_types,
    read,
    whole_of,
    with_periods,
)
from kr_definitions.unconverted import unconverted_by_day
from kr_definitions.units import unit


def compute(
    definitions: Sequence[Definition],
    organisation: Organisation,
    log: pl.LazyFrame,
    through: date,
    feeds: Feeds | None = None,
    failures: Failures | None = None,
) -> pl.DataFrame:
    """The figures of each definition, for each day from the beginning of its period to `through`.

    log: `EVENT_SCHEMA`, retractions included. through: the last whole business day to compute. feeds: the streams in
    use; without it, those that the log names, and no fact is expected late. Returns `COMPUTED_SCHEMA` rows ordered by
    key result, member and day. Raises nothing for an empty or partly loaded log: what is not known is null and says so.
    A definition whose function fails has no rows: it is added to `failures`; without them `FunctionError` is raised.
    """
    if not definitions:
        return shapes.empty(COMPUTED_SCHEMA)
    found = asked(definitions, organisation, log, through, feeds)
    logged = _logged(found.parts, found.events)
    rows = [shapes.empty(COMPUTED_SCHEMA)]
    for definition, parts in found.made_of:
        try:
            rows.append(_figures(definition, parts, logged, organisation, found.known, through, feeds))
        except FunctionError as error:
            keep(definition, error, failures)
    return pl.concat(rows)


def resolved(
    definitions: Sequence[Definition],
    organisation: Organisation,
    log: pl.LazyFrame,
    through: date,
    feeds: Feeds | None = None,
) -> list[Definition]:
    """The definitions with their periods; without those whose period is named by an event that is still to happen.

    Nor those of which an earlier such event may have happened that was not read.
    """
    if all(definition.period is not None for definition in definitions):
        return list(definitions)
    events, known, _ = read(definitions, organisation, log, feeds)
    return with_periods(definitions, events, known, through)


def due_days(definition: Definition, organisation: Organisation, through: date) -> pl.DataFrame:
    """Each day that a definition (with its period) has a row for, with the window of its value (`asked_days`)."""
    return asked_days(whole_of(definition.key_result), definition.span, organisation.calendar, through)


# --- heavy ------------------------------------------------------------------------------------------------------------


def _logged(parts: Sequence[Part], events: pl.LazyFrame) -> dict[Key, Logged]:
    """What the log holds of each part, and of its baseline, in one pass."""
    plans: list[pl.LazyFrame] = []
    places: dict[Key, tuple[dict[str, int], int]] = {}
    for key in dict.fromkeys(key for part in parts for key in (part.key, part.key_of_baseline)):
        measure, context = key
        compiled = measure.compiled(events, context)
        places[key] = ({name: len(plans) + n for n, name in enumerate(compiled)}, len(plans) + len(compiled))
        plans += [*compiled.values(), unconverted_by_day(measure, context, events)]
    collected = pl.collect_all(plans)
    return {
        key: Logged({name: collected[n] for name, n in frames.items()}, collected[unconverted])
        for key, (frames, unconverted) in places.items()
    }


# --- light ------------------------------------------------------------------------------------------------------------


def _figures(
    definition: Definition,
    parts: Sequence[Part],
    logged: Mapping[Key, Logged],
    organisation: Organisation,
    known: Coverage,
    through: date,
    feeds: Feeds | None,
) -> pl.DataFrame:
    found = []
    for part in parts:
        series = Series(part.kr, part.context, organisation, known.among(part.context.member))
        found.append((part, series.figures(logged[part.key], logged[part.key_of_baseline], part.days(through))))
    return composed(definition, found, organisation, known, through, feeds)


def composed(
    definition: Definition,
    parts: Sequence[tuple[Part, pl.DataFrame]],
    organisation: Organisation,
    known: Coverage,
    through: date,
    feeds: Feeds | None = None,
) -> pl.DataFrame:
    """The figures of a key result from those of all its parts (`figures.judged`): `COMPUTED_SCHEMA`.

    known: what has been read of the events that name the members of a dimension.
    """
    currency = organisation.currency
    rows = [(part, _shaped(definition, of_part, part.role, part.name, part.kr, currency)) for part, of_part in parts]
    guards = pl.concat(
        [shapes.empty(COMPUTED_SCHEMA), *(of_part for part, of_part in rows if part.role == "guardrail")]
    )
    others = [of_part for part, of_part in rows if part.role not in ("guardrail", "own")]
    whole = [of_part for part, of_part in rows if part.role == "own"]
    if not whole:
        weights = {part.name: part.weight for part, _ in rows}
        made_of = [of_part for part, of_part in rows if part.role in ("member", "part")]
        together = pl.concat([shapes.empty(COMPUTED_SCHEMA), *made_of])
        whole = [_together(definition, together, weights, organisation, known, through)]
    own = guarded(definition, whole[0], guards) if guards.height else whole[0]
    late_days = feeds.lateness(definition.types) if feeds else 0
    return (
        pl.concat([own, *others, guards])
        .with_columns(pl.selectors.float() + 0.0)  # no part of nothing is less than nothing: -0.0
        .with_columns(
            pl.col("window_start").replace(THE_BEGINNING, None),  # "ever" has no first day to show
            formulas.score_of(pl.col("progress")).alias("score"),
            (pl.col("as_of") > through - timedelta(days=late_days)).alias("is_provisional"),
            pl.lit(definition.meaning.content_hash).alias("definition_hash"),
        )
        .select(shapes.columns(COMPUTED_SCHEMA, COMPUTED_SCHEMA))
        .sort("key_result_id", "member", "as_of", nulls_last=False)
    )


def _shaped(
    definition: Definition, figures: pl.DataFrame, role: str, member: str | None, kr: KeyResult, currency: str
) -> pl.DataFrame:
    """Figures with all columns of `COMPUTED_SCHEMA`."""
    named = figures.with_columns(
        pl.lit(definition.id).alias("key_result_id"),
        pl.lit(member, pl.String).alias("member"),
        pl.lit(role).alias("role"),
        pl.lit(unit(kr, currency)).alias("unit"),
        pl.lit(kr.every, pl.String).alias("every"),
    )
    return named.select(shapes.columns(COMPUTED_SCHEMA, named.columns))


def _together(
    definition: Definition,
    rows: pl.DataFrame,
    weights: Mapping[str | None, float],
    organisation: Organisation,
    known: Coverage,
    through: date,
) -> pl.DataFrame:
    """The whole of members or parts: met when all are; progress is their mean, each counting as 1 at most.

    Its value is how many are met, its target and denominator how many there are. What has not started is at its
    beginning. Where members are found on the way, more may come until the last day, and without any it is missed.
    """
    is_met = meets(definition, "progress")
    weight = pl.col("member").replace_strict(weights, default=1.0, return_dtype=pl.Float64)
    has_window = pl.col("every").is_not_null() & pl.col("window_start").is_not_null()
    is_unmeasured = has_window & pl.col("window_progress").is_null()
    is_unknown, is_waiting = pl.col("status").is_in(["no_data", "unreliable"]), pl.col("status") == "not_started"
    of_days = (
        rows.with_columns(
            pl.when(is_waiting).then(0.0).otherwise(pl.col(name)).alias(name) for name in ("progress", "expected")
        )
        .with_columns(
            weight.alias("_weight"),
            is_met.fill_null(value=False).alias("_is_met"),
            meets_now(definition).fill_null(value=False).alias("_is_met_now"),
        )
        .group_by("as_of")
        .agg(
            pl.when(pl.col("progress").is_not_null().all())
            .then((pl.col("progress").clip(upper_bound=1.0) * pl.col("_weight")).sum() / pl.col("_weight").sum())
            .alias("progress"),
            ((pl.col("expected") * pl.col("_weight")).sum() / pl.col("_weight").sum()).alias("expected"),
            pl.col("_is_met_now").sum().cast(pl.Int64).alias("_met"),
            pl.col("_is_met").all().alias("_is_all_met"),
            pl.len().cast(pl.Int64).alias("_all"),
            pl.col("events").sum().alias("events"),
            is_unknown.any().alias("_is_unknown"),
            is_unmeasured.any().alias("_is_unmeasured"),
            (pl.col("status") == "no_data").all().alias("_has_no_data"),
            is_waiting.all().alias("_is_waiting"),
            (pl.col("status") == "achieved").all().alias("_is_achieved"),
        )
    )
    due = due_days(definition, organisation, through)
    naming, first = naming_types(definition), definition.span.first
    read = [known.of(naming, first, day) == "known" for day in due.get_column("as_of")]
    days = (
        due.with_columns(pl.Series("_is_read", read, dtype=pl.Boolean))
        .join(of_days, on="as_of", how="left", maintain_order="left")
        .with_columns(
            pl.col("_met", "_all", "events").fill_null(0),
            pl.col("_is_unknown").fill_null(value=False) | ~pl.col("_is_read"),
            pl.col("_has_no_data").fill_null(~pl.col("_is_read")),
        )
    )
    is_known = ~pl.col("_is_unknown")
    is_last = pl.col("as_of") == definition.span.last
    was_nobody = pl.col("_is_read") & (pl.col("_all") == 0) & is_last
    is_done_early = pl.col("_is_achieved") & pl.lit(not naming)
    is_counted = is_known & ~pl.col("_is_unmeasured").fill_null(value=False)
    counted = days.with_columns(
        pl.when(is_counted).then(pl.col("_met")).cast(pl.Float64).alias("value"),
        pl.when(is_counted).then(pl.col("_met")).alias("numerator"),
        pl.when(is_counted).then(pl.col("_all")).alias("denominator"),
        pl.when(is_counted).then(pl.col("events")).alias("events"),
        pl.when(was_nobody).then(0.0).when(is_known).then(pl.col("progress")).alias("progress"),
        pl.when(was_nobody).then(1.0).when(is_known).then(pl.col("expected")).alias("expected"),
        pl.lit(0.0).alias("start"),
        pl.when("_is_read").then(pl.col("_all")).cast(pl.Float64).alias("target"),
        pl.when(is_counted).then(pl.col("_met")).cast(pl.Float64).alias("forecast"),
    )
    status = (
        pl.when("_has_no_data")
        .then(pl.lit("no_data"))
        .when(was_nobody)
        .then(pl.lit("missed"))
        .when((pl.col("_all") == 0) | pl.col("_is_waiting"))
        .then(pl.lit("not_started"))
        .when(pl.col("_is_unknown") | pl.col("progress").is_null())
        .then(pl.lit("unreliable"))
        .otherwise(closing(definition.span, pl.col("_is_all_met"), is_done_early, organisation))
        .alias("status")
    )
    return _shaped(definition, counted.with_columns(status), "own", None, definition.key_result, organisation.currency)


def guarded(definition: Definition, own: pl.DataFrame, guards: pl.DataFrame) -> pl.DataFrame:
    """The whole with its guardrails: one that does not hold is named, and keeps the status from being green."""
    targets = {one.name: as_part(definition.key_result, one) for one in definition.key_result.guardrails}
    holds = pl.lit(value=False)
    for name, kr in targets.items():
        now = pl.col("window_progress" if kr.every else "progress")
        holds = pl.when(pl.col("member") == name).then(formulas.is_reached(kr, now)).otherwise(holds)
    of_days = (
        guards.with_columns(holds.alias("_holds"))
        .group_by("as_of")
        .agg(
            pl.col("member").filter(~pl.col("_holds")).sort().str.join(", ").alias("breached"),
            (pl.col("_holds").is_null() & (pl.col("status") != "not_started")).any().alias("_is_unknown"),
        )
        .with_columns(pl.when(pl.col("breached") != "").then(pl.col("breached")).alias("breached"))
    )
    is_green = pl.col("status").is_in(["on_track", "achieved"])
    is_last = pl.col("as_of") == definition.span.last
    status = (
        pl.when(is_green & pl.col("breached").is_not_null() & is_last)
        .then(pl.lit("missed"))
        .when(is_green & pl.col("breached").is_not_null())
        .then(pl.lit("at_risk"))
        .when(is_green & pl.col("_is_unknown").fill_null(value=True))
        .then(pl.lit("unreliable"))
        .otherwise(pl.col("status"))
        .alias("status")
    )
    joined = own.drop("breached").join(of_days, on="as_of", how="left", maintain_order="left")
    return joined.with_columns(status).select(COMPUTED_SCHEMA.keys())
