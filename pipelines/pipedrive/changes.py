"""Pipedrive's texts as values, and its changelogs as changes in time.

Belongs here: reading times and numbers, the changes of a field, and which value was in force when something happened.
Does not: what a change means (`persons`, `deals`).

A changelog says from what to what a field was changed, newest first, at times in UTC that do not say so; it does not
say what a record was made with: that is what the first change was from, or what a field that never changed has now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.identification import SHAPE
from pipelines.pipedrive.options import Said

SAME_SAVE = timedelta(seconds=5)
"""One click may change several fields a moment apart: what was changed so soon after was in force."""

HISTORY = pl.List(pl.Struct({"time": pl.String, "old": pl.String, "new": pl.String}))
UTC_INSTANT = pl.Datetime("us", "UTC")


def payload_of(
    kept: Iterable[str],
    fields: Iterable[str],
    *,
    has_histories: bool,
    is_identified: bool = False,
    has_products: bool = False,
) -> pl.Struct:
    """The shape of a stored record. is_identified: whether it says by what else its customer is known."""
    names = list(fields)
    shape: dict[str, pl.DataType] = {name: pl.String() for name in kept}
    shape["values"] = pl.Struct(dict.fromkeys(names, pl.String))
    histories = {"history": pl.Struct(dict.fromkeys(names, HISTORY))} if has_histories else {}
    identified = {"identified": SHAPE} if is_identified else {}
    products = {"products": pl.List(pl.String)} if has_products else {}
    return pl.Struct({**shape, **histories, **identified, **products})


def current(name: str) -> pl.Expr:
    """The present value of a field; null where it is empty."""
    return _filled(pl.col("values").struct.field(name))


def instant(text: pl.Expr, zone: str = "UTC") -> pl.Expr:
    """A time, in UTC, which those without a zone are in too; a day is its first moment in the organisation's zone."""
    zoned = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    bare = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False).dt.replace_time_zone("UTC")
    return pl.coalesce(zoned, bare, first_moment(text, zone))


def first_moment(text: pl.Expr, zone: str) -> pl.Expr:
    """The first moment of a day; null where it is none."""
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    return day.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def number(text: pl.Expr) -> pl.Expr:
    """A number, exact. Null where it is none."""
    return text.cast(DECIMAL, strict=False)


def several(values: pl.Expr) -> pl.Expr:
    """The options of a field that has several, separated by `;`."""
    each = values.fill_null("").str.split(";").list.eval(pl.element().str.strip_chars())
    return each.list.eval(pl.element().filter(pl.element() != ""))


def said(attribute: Said, value: pl.Expr) -> pl.Expr:
    """A field's value as events call it."""
    return value.replace(attribute.values) if attribute.values else value


def changes(records: pl.LazyFrame, name: str, read: Callable[[pl.Expr], pl.Expr] = lambda text: text) -> pl.LazyFrame:
    """Each change of a field: record_key, at, value (null: emptied), before; in the order of time.

    records: the stored shape, with `created_at` and `revision`. read: makes of a text what is compared. What a record
    has now and its changelog does not say (an import) it has since it was last changed.
    """
    entries = (
        records.select("record_key", entry=pl.col("history").struct.field(name))
        .explode("entry")
        .filter(pl.col("entry").is_not_null())
        .unnest("entry")
        .select(
            "record_key",
            at=instant(pl.col("time")),
            value=read(_filled(pl.col("new"))),
            was=read(_filled(pl.col("old"))),
        )
        .reverse()  # newest first: of two at one time, the later one is the upper one
        .sort("at", maintain_order=True)
    )
    ends = entries.group_by("record_key", maintain_order=True).agg(
        was=pl.col("was").first(),
        first_at=pl.col("at").first(),
        told=pl.col("value").last(),
        is_changed=pl.lit(value=True),
    )
    now = records.select("record_key", "created_at", "revision", value=read(current(name))).join(
        ends, on="record_key", how="left"
    )
    made = now.select(
        "record_key",
        at=pl.min_horizontal("created_at", "first_at"),
        value=pl.when("is_changed").then("was").otherwise("value"),
    )
    untold = now.filter("is_changed", pl.col("revision").is_not_null(), pl.col("value").ne_missing(pl.col("told")))
    return (
        pl.concat(
            [
                made,
                entries.select("record_key", "at", "value"),
                untold.select("record_key", at="revision", value="value"),
            ]
        )
        .sort("record_key", "at", maintain_order=True)
        .with_columns(before=pl.col("value").shift(1).over("record_key"))
        .filter(pl.col("value").ne_missing(pl.col("before")))
    )


def in_force(
    events: pl.LazyFrame,
    changed: pl.LazyFrame,
    name: str,
    *,
    or_first: bool = True,
    same_save: timedelta = SAME_SAVE,
) -> pl.LazyFrame:
    """Events with the value that a field had at their time (`occurred_at`), as column `name`.

    or_first: where none had been entered by then, the first one that was entered later. same_save: what was changed so
    soon after is meant too.
    """
    values = changed.select("record_key", "at", pl.col("value").alias(name), is_known=pl.lit(value=True)).sort("at")
    valued = (
        events.with_columns((pl.col("occurred_at") + same_save).alias("by"))
        .sort("by")
        .join_asof(values, left_on="by", right_on="at", by="record_key", strategy="backward", check_sortedness=False)
    )
    if or_first:
        first = changed.filter(pl.col("value").is_not_null()).group_by("record_key").agg(first=pl.col("value").first())
        known = pl.when(pl.col("is_known")).then(pl.col(name)).otherwise(pl.col("first"))
        valued = valued.join(first, on="record_key", how="left").with_columns(known.alias(name)).drop("first")
    return valued.drop("by", "at", "is_known")


def has_strange_time(name: str) -> pl.Expr:
    """Whether a field's history has an entry without a time that can be read."""
    is_strange = instant(pl.element().struct.field("time")).is_null()
    return pl.col("history").struct.field(name).list.eval(is_strange).list.any()


def has_strange(name: str, read: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """Whether a field is, or has been, something that cannot be read so."""

    def is_strange(text: pl.Expr) -> pl.Expr:
        return (text.str.strip_chars() != "") & read(text.str.strip_chars()).is_null()

    entry = pl.element().struct
    was_strange = is_strange(entry.field("old")).fill_null(value=False) | is_strange(entry.field("new")).fill_null(
        value=False
    )
    is_now = is_strange(pl.col("values").struct.field(name)).fill_null(value=False)
    return is_now | pl.col("history").struct.field(name).list.eval(was_strange).list.any().fill_null(value=False)


def problems(records: pl.LazyFrame, *found: tuple[pl.Expr, str]) -> pl.LazyFrame:
    """record_key and problem of the records for which a condition holds; of several, the first.

    The text names the field and what is wrong with it, never what a person may have written there.
    """
    problem = pl.coalesce(pl.when(condition).then(pl.lit(text)) for condition, text in found)
    return records.select("record_key", problem=problem).filter(pl.col("problem").is_not_null())


def _filled(text: pl.Expr) -> pl.Expr:
    value = text.str.strip_chars()
    return pl.when(value != "").then(value)
