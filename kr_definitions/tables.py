"""Declarations and figures as the tables that a reader joins: key results, objectives, and the rows that are due.

Belongs here: the shape in which declared things stand beside computed ones. Does not: computing, publishing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from kr_definitions import progress as formulas
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.compute import due_days
from kr_definitions.declarations import KeyResult, Objective, Part
from kr_definitions.history import KEY_RESULTS_SCHEMA, OBJECTIVES_SCHEMA
from kr_definitions.targets import AtLeast, AtMost, Delta, NotAbove, NotBelow, Reach, Relative, Target, Within
from kr_definitions.units import unit


def key_results(catalogue: Catalogue) -> pl.DataFrame:
    """One row a declared key result: `KEY_RESULTS_SCHEMA`."""
    rows = [_key_result(definition, catalogue) for definition in catalogue.definitions]
    return pl.DataFrame(rows, schema=dict(KEY_RESULTS_SCHEMA))


def due(definitions: Sequence[Definition], catalogue: Catalogue, through: date) -> pl.DataFrame:
    """Every row that a run has to compute: key_result_id and as_of."""
    frames = [
        due_days(definition, catalogue.organisation, through).select(
            pl.lit(definition.id).alias("key_result_id"), "as_of"
        )
        for definition in definitions
        if definition.period is not None
    ]
    return pl.concat([pl.DataFrame(schema={"key_result_id": pl.String, "as_of": pl.Date}), *frames])


def objectives(catalogue: Catalogue, figures: pl.DataFrame) -> pl.DataFrame:
    """One row an objective and day: `OBJECTIVES_SCHEMA`.

    figures: `COMPUTED_SCHEMA`, the newest of each key result and day. Progress is the weighted mean of the key results
    (those that declare no weight share what the others leave), null while one of them is not known; the status is the
    worst one among those that carry weight. KPIs count in neither. One whose own period is over goes on counting, with
    its last row: what was missed in June stays missed in the year. One whose period has not begun does not count yet.
    """
    frames = [_objective(objective, catalogue, figures) for objective in catalogue.objectives]
    return pl.concat([pl.DataFrame(schema=dict(OBJECTIVES_SCHEMA)), *frames])


def counted(catalogue: Catalogue, days: pl.Series) -> pl.DataFrame:
    """Which key results count in which objective on which of the days, and with the row of which day (`row_of`).

    Columns: objective_id, as_of, key_result_id, weight, row_of.
    """
    frames = [
        _counted(objective, catalogue, days).select(pl.lit(objective.id).alias("objective_id"), pl.all())
        for objective in catalogue.objectives
    ]
    return pl.concat([pl.DataFrame(schema={"objective_id": pl.String, "as_of": pl.Date, **_COUNTED}), *frames])


_COUNTED = {"key_result_id": pl.String, "weight": pl.Float64, "row_of": pl.Date}


def _objective(objective: Objective, catalogue: Catalogue, figures: pl.DataFrame) -> pl.DataFrame:
    period = objective.period.span(catalogue.organisation.calendar)
    carried = (
        _counted(objective, catalogue, figures.get_column("as_of").unique())
        .join(
            figures.filter(pl.col("member").is_null()),
            left_on=["key_result_id", "row_of"],
            right_on=["key_result_id", "as_of"],
            how="left",
        )
        .with_columns(pl.col("status").fill_null("unreliable"))
        .sort("as_of", "key_result_id")
    )

    def mean(column: str) -> pl.Expr:
        total = (pl.col(column) * pl.col("weight")).sum() / pl.col("weight").sum()
        return pl.when(pl.col(column).is_not_null().all()).then(total).alias(column)

    share = (pl.col("weight") / pl.col("weight").sum()).round(6).cast(pl.String)
    return (
        carried.group_by("as_of", maintain_order=True)
        .agg(
            mean("progress"),
            mean("expected"),
            formulas.worst(pl.col("status")).alias("status"),
            pl.len().cast(pl.Int64).alias("key_results"),
            (pl.col("as_of") == pl.col("row_of")).sum().cast(pl.Int64).alias("in_force"),
            pl.format("{} {}", "key_result_id", share).str.join(", ").alias("made_of"),
        )
        .with_columns(
            objective_id=pl.lit(objective.id),
            organisation=pl.lit(catalogue.organisation.id),
            title_es=pl.lit(objective.title.es),
            title_en=pl.lit(objective.title.en),
            owner=pl.lit(objective.owner),
            supports=pl.lit(objective.supports, dtype=pl.String),
            period_start=pl.lit(period.first),
            period_end=pl.lit(period.last),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in OBJECTIVES_SCHEMA.items())
    )


def _counted(objective: Objective, catalogue: Catalogue, days: pl.Series) -> pl.DataFrame:
    """`counted` of one objective.

    A row that is missing (its key result was held back) is unknown: the others do not take its weight.
    """
    definitions = [d for d in catalogue.definitions if d.objective.id == objective.id and d.key_result.type != "kpi"]
    period = objective.period.span(catalogue.organisation.calendar)
    weighted = zip(definitions, weights([definition.key_result for definition in definitions]), strict=True)
    counting = [(d.id, weight, d.period.first, d.period.last) for d, weight in weighted if d.period and weight > 0]
    columns = {"key_result_id": pl.String, "weight": pl.Float64, "_first": pl.Date, "_last": pl.Date}
    until = max([period.last, *(last for _, _, _, last in counting)])
    return (
        days.to_frame("as_of")
        .filter(pl.col("as_of") <= until)
        .join(pl.DataFrame(counting, schema=columns, orient="row"), how="cross")
        .filter(pl.col("as_of") >= pl.col("_first"))
        .with_columns(row_of=pl.min_horizontal("as_of", "_last"))
        .select("as_of", *_COUNTED)
    )


def weights(members: Sequence[KeyResult]) -> list[float]:
    """Weights that are given are fixed; the rest share the remainder equally."""
    given = [None if kr.weight is None else float(kr.weight) for kr in members]
    rest = [weight for weight in given if weight is None]
    share = max(1.0 - sum(weight for weight in given if weight is not None), 0.0) / len(rest) if rest else 0.0
    return [share if weight is None else weight for weight in given]


def _key_result(definition: Definition, catalogue: Catalogue) -> dict[str, object]:
    kr = definition.key_result
    return {
        "key_result_id": definition.id,
        "objective_id": definition.objective.id,
        "organisation": catalogue.organisation.id,
        "title_es": kr.title.es,
        "title_en": kr.title.en,
        "type": kr.type,
        "level": kr.level,
        "owner": kr.owner,
        "unit": unit(kr, catalogue.organisation.currency),
        "every": kr.every,
        "period_start": definition.period and definition.period.first,
        "period_end": definition.period and definition.period.last,
        "target_text": target_text(kr),
        "direction": direction(kr),
        "supports": kr.supports,
        "why": kr.why,
        "feeds_from": kr.feeds_from,
        "measure_text": measure_text(kr),
        "definition_hash": definition.meaning.content_hash,
        "definition_file": f"{definition.file}:{definition.line}",
    }


def measure_text(kr: KeyResult) -> str:
    """What is counted, in one line."""
    if kr.measure is None:
        return "all of: " + "; ".join(f"{part.name}: {part.measure.text()}" for part in kr.all_of)
    return kr.measure.text() + (f", for each {kr.each.dimension}" if kr.each is not None else "")


def direction(kr: KeyResult) -> str:
    """Which way is better: increase, decrease, at_least, at_most, within, none."""
    target = kr.target
    if kr.each is not None or kr.all_of:
        return "increase"
    if isinstance(target, Reach):
        return "increase" if target.value > target.from_ else "decrease"
    if isinstance(target, Relative):
        return "increase" if target.relative > 0 else "decrease"
    if isinstance(target, Delta):
        return "increase" if target.delta > 0 else "decrease"
    names = {
        AtLeast: "at_least", NotBelow: "at_least", AtMost: "at_most", NotAbove: "at_most", Within: "within",
    }  # fmt: skip
    return next((name for kind, name in names.items() if isinstance(target, kind)), "none")


def target_text(kr: KeyResult) -> str | None:
    """The target as declared, in words."""
    if kr.all_of:
        return "all of: " + "; ".join(f"{part.name}: {_target_text(part.target, part)}" for part in kr.all_of)
    if kr.target is None:
        return None
    text = _target_text(kr.target, kr)
    return f"{text} in each {kr.each.dimension}" if kr.each is not None else text


def _target_text(target: Target, of: KeyResult | Part) -> str:
    if isinstance(target, Reach):
        text = _figure_text(target, of)
    elif isinstance(target, AtLeast):
        text = f"{'more than' if target.strict else 'at least'} {target.at_least:f}{_from(target)}"
    elif isinstance(target, AtMost):
        text = f"{'less than' if target.strict else 'at most'} {target.at_most:f}{_from(target)}"
    elif isinstance(target, Within):
        text = f"from {target.within[0]:f} to {target.within[1]:f}"
    elif isinstance(target, NotBelow):
        text = f"not below the {target.not_below.replace('_', ' ')}"
    elif isinstance(target, NotAbove):
        text = f"not above the {target.not_above.replace('_', ' ')}"
    else:
        change = f"{(target.relative * 100).normalize():+f} %" if isinstance(target, Relative) else f"{target.delta:+f}"
        text = f"{change} on the {target.baseline.replace('_', ' ')}"
    return f"{text} every {of.every.replace('_', ' ')}" if of.every else text


def _figure_text(target: Reach, of: KeyResult | Part) -> str:
    """A figure to reach. A total is reached from nothing: what it was before is said beside it."""
    text = f"{target.value:f}" + (f" of {target.of:f}" if target.of is not None else "")
    if not target.from_:
        return text
    return f"{text} (before: {target.from_:f})" if formulas.accumulates(of) else f"from {target.from_:f} to {text}"


def _from(target: AtLeast | AtMost) -> str:
    return "" if target.from_ is None else f", from {target.from_:f}"
