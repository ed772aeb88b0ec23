"""Values that change in time: the moments at which one became another, and which was in force when something happened.

Belongs here: what the histories of any vendor's records come to. Does not: how a vendor writes them down (its
`changes`), or what a change means.

Changes are frames of record_key, at, value (null: emptied) and before; in the order of time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

import polars as pl

from kr_definitions.vocabulary import DECIMAL, vocabulary

SAME_SAVE = timedelta(seconds=5)
"""What one click brings about is written within some seconds: what was written so soon after was in force."""


_OPEN_GAPS_MINUTES = (0, 30, 60, 120)
"""A day whose midnight the clock skips begins that much later."""


def number(text: pl.Expr) -> pl.Expr:
    """A number, exact. Null where it is none."""
    return text.cast(DECIMAL, strict=False)


def first_moment(day: pl.Expr, zone: str) -> pl.Expr:
    """The first moment of a day in a zone, in UTC."""
    midnight = day.cast(pl.Datetime("us"))
    possible = (
        (midnight + pl.duration(minutes=gap)).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        for gap in _OPEN_GAPS_MINUTES
    )
    return pl.coalesce(*possible).dt.convert_time_zone("UTC")


def once(frame: pl.LazyFrame) -> pl.LazyFrame:
    """A frame that is computed now: one that much is made of would stand in the plan of it dozens of times.

    In one piece: Polars 2.1 panics where `pl.format` follows a filter of a frame that lies in several.
    """
    return frame.collect().rechunk().lazy()


def turns(values: pl.LazyFrame) -> pl.LazyFrame:
    """Changes, from the values that there were: record_key, at, value; of one instant the later one below."""
    return once(
        values.sort("record_key", "at", maintain_order=True)
        .with_columns(before=pl.col("value").shift(1).over("record_key"))
        .filter(pl.col("value").ne_missing(pl.col("before")))
    )


def several(text: pl.Expr) -> pl.Expr:
    """The values of a text that has several, separated by `;`."""
    each = text.fill_null("").str.split(";").list.eval(pl.element().str.strip_chars())
    return each.list.eval(pl.element().filter(pl.element() != ""))


def added(changed: pl.LazyFrame) -> pl.LazyFrame:
    """Of changes of texts that have several values, each value that was added: record_key, at, value."""
    more = several(pl.col("value")).list.set_difference(several(pl.col("before")))
    return changed.select("record_key", "at", value=more).explode("value").filter(pl.col("value").is_not_null())


def in_force(
    events: pl.LazyFrame,
    changed: pl.LazyFrame,
    name: str,
    *,
    or_first: bool = True,
    same_save: timedelta = SAME_SAVE,
) -> pl.LazyFrame:
    """Events with the value that was in force at their time (`occurred_at`), as column `name`.

    or_first: where none had been entered by then, the first one that was entered later. same_save: what was changed so
    soon after is meant too.
    """
    values = changed.select("record_key", "at", pl.col("value").alias(name), is_known=pl.lit(value=True)).sort(
        "at", maintain_order=True
    )
    valued = (
        events.with_columns((pl.col("occurred_at") + same_save).alias("by"))
        .sort("by", maintain_order=True)
        .join_asof(values, left_on="by", right_on="at", by="record_key", strategy="backward", check_sortedness=False)
    )
    if or_first:
        first = (
            changed.filter(pl.col("value").is_not_null())
            .group_by("record_key", maintain_order=True)
            .agg(first=pl.col("value").first())
        )
        known = pl.when(pl.col("is_known")).then(pl.col(name)).otherwise(pl.col("first"))
        valued = valued.join(first, on="record_key", how="left").with_columns(known.alias(name)).drop("first")
    return valued.drop("by", "at", "is_known")


def called(value: pl.Expr, names: Mapping[str, str]) -> pl.Expr:
    """A value as events call it: those without another name keep their own."""
    return value.replace(dict(names)) if names else value


def with_attributes(
    facts: pl.LazyFrame,
    changed: Iterable[tuple[str, pl.LazyFrame, Mapping[str, str]]],
    carried: Mapping[str, Collection[str]] | None = None,
) -> pl.LazyFrame:
    """Facts with the attributes that their type carries, as they were when it happened.

    changed: each attribute, the changes of its field, and what events call its values. carried: attribute -> types,
    where it is not all that the vocabulary lets carry it.
    """
    for name, changes, names in changed:
        types = carried[name] if carried else [one.name for one in vocabulary().types.values() if name in one.carries]
        value = pl.when(pl.col("event_type").is_in(list(types))).then(called(pl.col(name), names))
        facts = in_force(facts, changes, name).with_columns(value.alias(name))
    return facts
