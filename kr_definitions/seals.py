"""Seals: the scores of periods that are over, as they stood when somebody closed them.

Belongs here: what may be sealed, what a seal holds, and what is now known beside it. Does not: where seals are kept and
who asks for one (`assets.closing`). A seal is never changed; later truth stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from kr_definitions import progress as formulas
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.declarations import Objective
from kr_definitions.periods import Span
from kr_definitions.tables import weights
from kr_definitions.vocabulary import UTC_MICROSECONDS

BY_RULE = "close_after"
"""Who seals what organisation.yaml lets be sealed so long after its end."""

# One row a key result and period, or an objective and period (key_result_id is null then).
SEALS_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "objective_id": pl.String(),
    "period_start": pl.Date(),
    "period_end": pl.Date(),
    "as_of": pl.Date(),  # the day whose figures were sealed: the last one of the period
    "definition_version": pl.String(),
    "value": pl.Float64(),
    "target": pl.Float64(),
    "progress": pl.Float64(),
    "score": pl.Float64(),
    "status": pl.String(),
    "is_provisional": pl.Boolean(),  # when it was sealed, facts of the period could still arrive
    "recorded_at": UTC_MICROSECONDS,
    "sealed_by": pl.String(),
    "note": pl.String(),
}

_FIGURES = ("value", "target", "progress", "score", "status")
_KEPT = ("key_result_id", "objective_id", "period_start", "period_end", "as_of", "definition_version")

# A seal, and beside it what is now known of the day that was sealed.
STANDING_SCHEMA: Mapping[str, pl.DataType] = {
    **{name: SEALS_SCHEMA[name] for name in _KEPT},
    **{f"sealed_{name}": SEALS_SCHEMA[name] for name in _FIGURES},
    "is_provisional": pl.Boolean(),
    "sealed_at": UTC_MICROSECONDS,
    "sealed_by": pl.String(),
    "note": pl.String(),
    **{name: SEALS_SCHEMA[name] for name in _FIGURES},
    "moved_since_seal": pl.Boolean(),
}

_UNKNOWN = ("no_data", "unreliable", "not_started")


@dataclass(frozen=True, slots=True)
class Act:
    """The act of closing: when, by whom and why. by: a pseudonym, a declared owner, or `BY_RULE`."""

    at: datetime
    by: str | None = None
    note: str | None = None


def of_period(seals: pl.DataFrame, name: str, period: Span) -> dict[str, Any] | None:
    """The seal of a key result or objective and its period, if it has one."""
    named = pl.col("key_result_id").eq_missing(name) | (
        pl.col("key_result_id").is_null() & (pl.col("objective_id") == name)
    )
    found = seals.filter(named, pl.col("period_start") == period.first, pl.col("period_end") == period.last)
    return found.row(0, named=True) if found.height else None


def why_not(
    definition: Definition, row: Mapping[str, Any] | None, today: date, seals: pl.DataFrame, *, as_unknown: bool = False
) -> str | None:
    """Why a key result cannot be sealed; None where it can. row: of the history, of the last day of its period."""
    name, period = definition.id, definition.period
    if definition.key_result.type == "kpi":
        return f"{name} is a KPI: it has no score, and is not sealed"
    if period is None:
        return f"{name}: the event that its period begins with has not happened"
    if (early := _not_over(name, period, today)) is not None:
        return early
    if (seal := of_period(seals, name, period)) is not None:
        return sealed_already(name, seal)
    if row is None:
        return f"{name}: nothing has been computed yet of {period.last}, the last day of its period: hito run first"
    if not as_unknown and (row["score"] is None or row["status"] in _UNKNOWN):
        told = (row["status"] or "no score").replace("_", " ")
        return f"{name}: what it came to on {period.last} is not known ({told}). --as-unknown seals it all the same"
    return None


def _not_over(name: str, period: Span, today: date) -> str | None:
    if today > period.last:
        return None
    return f"{name}: its period is not over. It can be closed from the day after {period.last} on"


def sealed_already(name: str, seal: Mapping[str, Any]) -> str:
    """That there is a seal, whose and since when."""
    by = f" by {seal['sealed_by']}" if seal["sealed_by"] else ""
    score = "as unknown" if seal["score"] is None else f"with a score of {seal['score']:.2f}"
    return f"{name} was sealed{by} on {seal['recorded_at']:%Y-%m-%d}, {score}: a seal stays"


def of_key_result(definition: Definition, row: Mapping[str, Any], act: Act, *, is_provisional: bool) -> dict[str, Any]:
    """The seal of a key result. row: of the history, of the last day of its period."""
    period = definition.span
    return {
        "key_result_id": definition.id,
        "objective_id": definition.objective.id,
        "period_start": period.first,
        "period_end": period.last,
        "as_of": period.last,
        "definition_version": row["definition_version"],
        **{name: row[name] for name in _FIGURES},
        "is_provisional": is_provisional,
        **_signed(act),
    }


def why_not_objective(
    objective: Objective, period: Span, today: date, seals: pl.DataFrame, members: Sequence[Definition]
) -> str | None:
    """Why an objective cannot be sealed, its key results apart; None where it can."""
    if not members:
        return f"{objective.id} has no key result with a score"
    if (early := _not_over(objective.id, period, today)) is not None:
        return early
    seal = of_period(seals, objective.id, period)
    return None if seal is None else sealed_already(objective.id, seal)


def of_objective(
    objective: Objective, period: Span, members: Sequence[Definition], seals: pl.DataFrame, act: Act
) -> dict[str, Any]:
    """The seal of an objective: the roll-up of its key results' seals. Its score is the weighted mean of theirs."""
    own = [found for one in members if (found := of_period(seals, one.id, one.span)) is not None]
    of_members = pl.DataFrame(own, schema=dict(SEALS_SCHEMA))
    return {
        "objective_id": objective.id,
        "period_start": period.first,
        "period_end": period.last,
        "as_of": period.last,
        **_rolled_up(of_members, weights_of(members)),
        "is_provisional": of_members.get_column("is_provisional").any(),
        **_signed(act),
    }


def members_of(catalogue: Catalogue, objective: Objective) -> list[Definition]:
    """The key results of an objective that have a score."""
    return [d for d in catalogue.definitions if d.objective.id == objective.id and d.key_result.type != "kpi"]


def weights_of(members: Sequence[Definition]) -> dict[str, float]:
    """What each key result of an objective weighs."""
    return dict(zip([d.id for d in members], weights([d.key_result for d in members]), strict=True))


def standing(seals: pl.DataFrame, figures: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """Seals beside what is now known of the days that they are of: `STANDING_SCHEMA`.

    figures: `COMPUTED_SCHEMA`, the newest of each key result, member and day. What is no longer known to be computed at
    all (a key result that is no longer declared in the objective) is null, and has not moved.
    """
    now = figures.filter(pl.col("member").is_null()).select("key_result_id", "as_of", *_FIGURES)
    sealed = seals.rename({name: f"sealed_{name}" for name in _FIGURES} | {"recorded_at": "sealed_at"})
    of_key_results = sealed.filter(pl.col("key_result_id").is_not_null()).join(
        now, on=["key_result_id", "as_of"], how="left", validate="m:1", maintain_order="left"
    )
    of_objectives = [
        {**seal, **_objective_now(seal, of_key_results, catalogue)}
        for seal in sealed.filter(pl.col("key_result_id").is_null()).iter_rows(named=True)
    ]
    whole = pl.concat([of_key_results, pl.DataFrame(of_objectives, schema=of_key_results.schema)])
    has_moved = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"sealed_{name}")) for name in _FIGURES)
    is_known = pl.any_horizontal(pl.col(name).is_not_null() for name in _FIGURES)
    return whole.with_columns((has_moved & is_known).alias("moved_since_seal")).select(STANDING_SCHEMA.keys())


def _objective_now(seal: Mapping[str, Any], key_results: pl.DataFrame, catalogue: Catalogue) -> dict[str, Any]:
    """An objective as its key results now are, of the days that they were sealed at."""
    nothing = dict.fromkeys(_FIGURES)
    found = [one for one in catalogue.objectives if one.id == seal["objective_id"]]
    if not found:
        return nothing
    members = members_of(catalogue, found[0])
    spans = pl.DataFrame(
        [(d.id, d.period.first, d.period.last) for d in members if d.period is not None],
        schema={"key_result_id": pl.String, "period_start": pl.Date, "period_end": pl.Date},
        orient="row",
    )
    own = key_results.join(spans, on=spans.columns, how="semi")
    return {**nothing, **_rolled_up(own, weights_of(members))} if own.height == len(members) else nothing


def _rolled_up(members: pl.DataFrame, weighing: Mapping[str, float]) -> dict[str, Any]:
    """Progress, score and status of an objective, from those of its key results (key_result_id, progress, …)."""
    weight = pl.col("key_result_id").replace_strict(weighing, default=0.0, return_dtype=pl.Float64)

    def mean(column: str) -> pl.Expr:
        total = (pl.col(column) * pl.col("_weight")).sum() / pl.col("_weight").sum()
        return pl.when((pl.len() > 0) & pl.col(column).is_not_null().all()).then(total).alias(column)

    carried = members.with_columns(weight.alias("_weight")).filter(pl.col("_weight") > 0).sort("key_result_id")
    status = formulas.worst(pl.col("status")).alias("status")
    return carried.select(mean("progress"), mean("score"), status).row(0, named=True)


def _signed(act: Act) -> dict[str, Any]:
    return {"recorded_at": act.at, "sealed_by": act.by, "note": act.note}
