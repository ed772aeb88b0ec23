"""The figures that another target gives to values that were reported: without the log, and only where they suffice.

Belongs here: which of the reported figures a changed declaration can be judged by, and when it takes the log after all.
Does not: the formulas (`figures`, `compute`), or what is told of it (`changes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import polars as pl

from kr_definitions import progress as formulas
from kr_definitions.catalogue import Definition
from kr_definitions.compute import composed
from kr_definitions.coverage import Coverage
from kr_definitions.declared_periods import MonthOf, MonthsFrom
from kr_definitions.figures import Compared, asked_baseline, judged, reported_baselines
from kr_definitions.organisation import Organisation
from kr_definitions.parts import Part, naming_types, parts_of
from kr_definitions.periods import Span

_VALUES = ["value", "numerator", "denominator", "events", "baseline"]


class NeedsTheLog(Exception):
    """Why the reported figures do not suffice."""


def rejudged(before: Definition, after: Definition, organisation: Organisation, reported: pl.DataFrame) -> pl.DataFrame:
    """The figures by `after` of the days that were reported by `before`: `COMPUTED_SCHEMA`.

    reported: what is known of the key result now, at least the columns of `COMPUTED_SCHEMA`. Raises `NeedsTheLog` where
    it would be a guess.
    """
    if before.meaning.measured_hash != after.meaning.measured_hash:
        raise NeedsTheLog("what is measured is something else")
    own = reported.filter(pl.col("member").is_null()).sort("as_of")
    if own.is_empty():
        raise NeedsTheLog("no day of it has been reported")
    first, through = own.item(0, "as_of"), own.item(-1, "as_of")
    members = {name: day for name, day in _firsts(reported).items() if name is not None}
    old, new = (with_period(one, first) for one in (before, after))
    if naming_types(new) and before.key_result.target is None and after.key_result.target is not None:
        raise NeedsTheLog("up to which day its members had been named was not reported")
    known = _read(new, own)
    parts = {(part.role, part.name): part for part in parts_of(old, organisation, members)}
    found = [
        (part, _figures(part, parts.get((part.role, part.name)), organisation, reported, through))
        for part in parts_of(new, organisation, members)
    ]
    return composed(new, found, organisation, known, through)


def with_period(definition: Definition, first: date) -> Definition:
    """The definition with its period, of which the first day is known."""
    named = definition.key_result.period
    if definition.period is not None or not isinstance(named, MonthsFrom | MonthOf):
        return definition
    return replace(definition, period=named.span_of(first))


def _firsts(reported: pl.DataFrame) -> Mapping[str, date]:
    """The first day of each member of a dimension."""
    members = reported.filter(pl.col("role") == "member").group_by("member").agg(pl.col("as_of").min()).sort("member")
    return dict(members.iter_rows())


def _read(definition: Definition, own: pl.DataFrame) -> Coverage:
    """What had been read of the events that name the members: where it had not, the whole had no target."""
    last = own.filter(pl.col("target").is_not_null()).get_column("as_of").max()
    if not isinstance(last, date):
        return Coverage({})
    return Coverage({name: (Span(definition.span.first, last),) for name in naming_types(definition)})


def _figures(
    part: Part, before: Part | None, organisation: Organisation, reported: pl.DataFrame, through: date
) -> pl.DataFrame:
    name = f"the {part.role} {part.name!r}" if part.name is not None else "the whole"
    if before is None or _counts(part) != _counts(before):
        raise NeedsTheLog(f"{name} was not measured like that before")
    asked = asked_baseline(part.kr)
    if asked not in (None, asked_baseline(before.kr)):
        raise NeedsTheLog("the target is relative to a figure that was not looked up before")
    days = part.days(through)
    rows = reported.filter(pl.col("role") == part.role, pl.col("member").eq_missing(pl.lit(part.name, pl.String)))
    if sorted(days.get_column("as_of")) != sorted(rows.get_column("as_of")):
        raise NeedsTheLog(f"not every day of {name} has been reported")
    valued = days.join(rows.select("as_of", "status", *_VALUES), on="as_of", how="left", maintain_order="left")
    valued = valued.with_columns(_knowledge())
    if part.kr.target is not None and valued.filter(_is_undecided(before)).height:
        raise NeedsTheLog(f"whether {name} had been read on the days without a value was not reported")
    if asked is not None and valued.filter(_lacks_baseline(before)).height:
        raise NeedsTheLog(f"why {name} had nothing to be relative to was not reported")
    baselines = [Compared(None, "known")] * days.height if asked is None else reported_baselines(valued)
    return judged(part.kr, part.context.period, organisation, valued.drop("status", "baseline"), baselines)


def _counts(part: Part) -> tuple[object, ...]:
    """What gives the part's value; of all but guardrails, `measured_hash` has said that already."""
    kr = part.kr
    return (kr.main, kr.every, kr.trailing, kr.cumulative) if part.role == "guardrail" else ()


def _knowledge() -> pl.Expr:
    """What was known of a day's window: all of it, as its events were counted; else what the status said."""
    return (
        pl.when(pl.col("until").is_null())
        .then(pl.lit(None, pl.String))
        .when(pl.col("events").is_not_null())
        .then(pl.lit("known"))
        .when(pl.col("status") == "unreliable")
        .then(pl.lit("partly"))
        .otherwise(pl.lit("unknown"))
        .alias("_knowledge")
    )


def _lacks_baseline(before: Part) -> pl.Expr:
    """Known days without a baseline, of what had no use for one: whether it was not read, or nothing, was not said."""
    is_lacking = pl.col("baseline").is_null() & pl.col("events").is_not_null()
    return pl.lit(formulas.baseline_of(before.kr) is None) & is_lacking


def _is_undecided(before: Part) -> pl.Expr:
    """Days that were not known, of what had no target and so no status."""
    return pl.lit(before.kr.target is None) & (pl.col("_knowledge") == "unknown")
