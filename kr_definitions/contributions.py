"""Contributions: the events behind every figure, and what each gives to it; they add up to it.

Belongs here: the contributions of key results, and those of a day. Does not: which events a measure claims
(`measures`), figures (`compute`), what moved them (`history`).

A contribution is kept with the days on which it holds, the first and the last: as an event counts for a long time, a
row says it of all of them. The figures of a whole that is made of members or parts have no events of their own: what
they are made of is which of these are met (`made_of`), and these have events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from kr_definitions import shapes
from kr_definitions.catalogue import Definition
from kr_definitions.coverage import Feeds
from kr_definitions.failures import Failures, keep
from kr_definitions.measures import Context, Measured
from kr_definitions.measures.base import Frames
from kr_definitions.measures.claims import HELD_SCHEMA
from kr_definitions.measures.function import FunctionError
from kr_definitions.organisation import Organisation
from kr_definitions.parts import Part, asked, meets_now

CONTRIBUTIONS_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "member": pl.String(),  # as of the figures: of which of a key result's series
    **HELD_SCHEMA,
}

_OF = ["key_result_id", "member"]


def contributions(
    definitions: Sequence[Definition],
    organisation: Organisation,
    log: pl.LazyFrame,
    through: date,
    feeds: Feeds | None = None,
    failures: Failures | None = None,
) -> pl.DataFrame:
    """What each event gives to the figures that `compute` gives, asked alike: `CONTRIBUTIONS_SCHEMA`, ordered.

    Of the rows of a key result, a member and a day between `first_day` and `last_day`, the numerators and denominators
    add up to those of the figures, exactly. An event may have several, which count together: as the first observation
    and the last, in the numerator and in the denominator. A row without an event is a number that is stated, or a value
    that a function gives and does not explain. Where a figure is not known, they are what is known of it. failures:
    as of `compute`.
    """
    found = asked(definitions, organisation, log, through, feeds)
    claimed = _claimed(found.parts, found.events)
    rows = [shapes.empty(CONTRIBUTIONS_SCHEMA)]
    for definition, parts in found.made_of:
        try:
            rows += [_of_part(definition, part, claimed[part.key], through) for part in parts]
        except FunctionError as error:
            keep(definition, error, failures)
    return pl.concat(rows)


def _of_part(definition: Definition, part: Part, claimed: Frames, through: date) -> pl.DataFrame:
    found = part.kr.main.claimed(claimed, part.days(through).drop_nulls("until"), part.context)
    return found.sort(HELD_SCHEMA.keys()).select(
        pl.lit(definition.id).alias("key_result_id"), pl.lit(part.name, pl.String).alias("member"), *HELD_SCHEMA
    )


def _claimed(parts: Sequence[Part], events: pl.LazyFrame) -> dict[tuple[Measured, Context], dict[str, pl.DataFrame]]:
    """What the events claim of each part, in one pass."""
    plans = {part.key: part.kr.main.claims(events, part.context) for part in parts}
    collected = iter(pl.collect_all([plan for frames in plans.values() for plan in frames.values()]))
    return {key: {name: next(collected) for name in frames} for key, frames in plans.items()}


def on_day(contributed: pl.DataFrame, figures: pl.DataFrame) -> pl.DataFrame:
    """The contributions to some figures (`COMPUTED_SCHEMA` rows, of one day or several), by `as_of`.

    `contribution` is what each gives to the `value`, in its unit: null where that is not known.
    """
    held = contributed.rename({"contribution": "_of_value"}).join(
        figures.select(*_OF, "as_of", "value", _numerator="numerator", _denominator="denominator"),
        on=_OF,
        nulls_equal=True,
    )
    # What one of the numerator is worth: the same for every event of a figure, whatever its unit.
    total, below = pl.col("_numerator").cast(pl.Float64), pl.col("_denominator").cast(pl.Float64)
    worth = pl.when(total != 0).then(pl.col("value") / total).when(below != 0).then(1 / below).otherwise(1.0)
    given = pl.coalesce("_of_value", pl.col("numerator").fill_null(0).cast(pl.Float64) * worth)
    return held.filter(pl.col("as_of").is_between("first_day", "last_day")).select(
        *_OF,
        "as_of",
        "event_id",
        "with_event_id",
        "numerator",
        "denominator",
        pl.when(pl.col("value").is_not_null()).then(given).alias("contribution"),
    )


def made_of(definition: Definition, figures: pl.DataFrame) -> pl.DataFrame:
    """Which members or parts the figures of the whole are made of: 1 in the numerator of each that is met.

    figures: `COMPUTED_SCHEMA`, of one definition or more. Columns: key_result_id, as_of, part, numerator, denominator.
    None of a whole that is measured itself.
    """
    is_met = meets_now(definition).fill_null(value=False)
    is_of_whole = pl.col("role") == "part" if definition.key_result.target is None else pl.col("role") == "member"
    return figures.filter(pl.col("key_result_id") == definition.id, is_of_whole).select(
        "key_result_id",
        "as_of",
        pl.col("member").alias("part"),
        numerator=is_met.cast(pl.Int64).cast(HELD_SCHEMA["numerator"]),
        denominator=pl.lit(1, dtype=HELD_SCHEMA["denominator"]),
    )
