"""Amounts in another currency that no rate converts: why a figure of money is unreliable.

Belongs here: which they are, of one thing measured, and what they lack. Does not: converting (`rates`), leaving a
figure unknown for their sake (`figures`), telling of them (`assets`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import polars as pl

from kr_definitions.catalogue import Definition
from kr_definitions.coverage import Feeds
from kr_definitions.events import UNCONVERTED
from kr_definitions.expressions import predicate
from kr_definitions.measures import Context, Measured
from kr_definitions.measures.selection import columns_of
from kr_definitions.measures.series import THE_BEGINNING
from kr_definitions.organisation import Organisation
from kr_definitions.parts import context_of, read

_BY_DAY = {"day": pl.Date(), "of_windows": pl.Int64(), "lasting": pl.Int64()}

# What the amounts lack that no rate converts: a row a currency and day.
LACKING_SCHEMA: Mapping[str, pl.DataType] = {
    "currency": pl.String(),
    "day": pl.Date(),
    "lacks": pl.String(),  # missing, too_old, not_read, contradictory (`rates`), or nothing: the amount is too_large
    "events": pl.Int64(),
}


def unconverted_by_day(measure: Measured, context: Context, events: pl.LazyFrame) -> pl.LazyFrame:
    """By day, how many amounts no rate converts: amounts of two currencies are never added or compared.

    of_windows: those that count in the windows that hold the day; lasting: those that count from the day on.
    """
    by_day = [
        frame.select("day", *(pl.lit(int(name == one), pl.Int64).alias(one) for one in ("of_windows", "lasting")))
        for name, frames in _amounts(measure, context, events).items()
        for frame in frames
    ]
    found = pl.concat([pl.LazyFrame(schema=_BY_DAY), *by_day])
    return found.group_by("day").agg(pl.col("of_windows", "lasting").sum())


def _amounts(measure: Measured, context: Context, events: pl.LazyFrame) -> Mapping[str, Sequence[pl.LazyFrame]]:
    """The events whose amounts matter (added, ranked, or asked for by a filter), of those that no rate converts."""
    asked = {name for _, text, types in measure.filters() if _names_amount(text, types) for name in types}
    lasting = asked & {*measure.remembered}
    found = {
        "of_windows": [measure.money(events, context), _of_types(events, asked - lasting)],
        "lasting": [measure.lasting_money(events, context), _of_types(events, lasting)],
    }
    return {
        name: [frame.filter(UNCONVERTED) for frame in frames if frame is not None] for name, frames in found.items()
    }


def _names_amount(text: str, types: tuple[str, ...]) -> bool:
    return "amount" in predicate(text, columns_of(types)).columns


def _of_types(events: pl.LazyFrame, types: Collection[str]) -> pl.LazyFrame | None:
    return events.filter(pl.col("event_type").is_in(sorted(types))) if types else None


def lacking(
    definition: Definition,
    organisation: Organisation,
    log: pl.LazyFrame,
    first: date | None,
    last: date,
    feeds: Feeds | None = None,
) -> pl.DataFrame:
    """What the amounts lack that a definition (with its period) would have to add between two days.

    log: `EVENT_SCHEMA`, retractions included. first: None is the beginning. `LACKING_SCHEMA`, in the order of days.
    """
    events, _, conversions = read([definition], organisation, log, feeds)
    context = context_of(definition, organisation)
    found = []
    for measure in dict.fromkeys(definition.measures):
        for name, frames in _amounts(measure, context, events).items():
            since = THE_BEGINNING if name == "lasting" or first is None else first
            found += [frame.filter(pl.col("day").is_between(since, last)).select("currency", "day") for frame in frames]
    none = pl.LazyFrame(schema={name: LACKING_SCHEMA[name] for name in ("currency", "day")})
    return (
        pl.concat([none, *found])
        .group_by("currency", "day")
        .agg(pl.len().cast(pl.Int64).alias("events"))
        .join(conversions.lazy().select("currency", "day", "lacks"), on=["currency", "day"], how="left")
        .with_columns(pl.col("lacks").fill_null("too_large"))
        .select(LACKING_SCHEMA.keys())
        .sort("day", "currency")
        .collect()
    )
