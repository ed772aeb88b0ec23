"""Pipedrive's texts as values, and its changelogs as changes in time.

Belongs here: reading times, and the changes of a field. Does not: what was in force when (`pipelines.turns`), or what a
change means (`persons`, `deals`).

A changelog says from what to what a field was changed, newest first, at times in UTC that do not say so. It does not
say what a record was made with: that is what the first change was from, or what the field was first seen to have. Nor
does it tell every change: what an import changes, or what was cut off, only the versions of the record that were read
show. Such a change is dated by what Pipedrive says of it (`won_time`, `stage_change_time`), or else by the last change
of the first version that shows it, so that no later edit of the record moves it.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from pipelines.pipedrive.options import Said
from pipelines.turns import SAME_SAVE, called, first_moment, once

UTC_INSTANT = pl.Datetime("us", "UTC")


def current(name: str) -> pl.Expr:
    """The present value of a field; null where it is empty."""
    return _filled(pl.col("values").struct.field(name))


def instant(text: pl.Expr, zone: str = "UTC") -> pl.Expr:
    """A time, in UTC, which those without a zone are in too; a day is its first moment in the organisation's zone."""
    zoned = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    bare = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False).dt.replace_time_zone("UTC")
    return pl.coalesce(zoned, bare, begins(text, zone))


def begins(text: pl.Expr, zone: str) -> pl.Expr:
    """The first moment of the day that a text says; null where it says none."""
    return first_moment(text.str.to_date("%Y-%m-%d", strict=False), zone)


def said(attribute: Said, value: pl.Expr) -> pl.Expr:
    """A field's value as events call it."""
    return called(value, attribute.values)


def changes(
    records: pl.LazyFrame,
    name: str,
    read: Callable[[pl.Expr], pl.Expr] = lambda text: text,
    since: pl.Expr | None = None,
) -> pl.LazyFrame:
    """Each change of a field: record_key, at, value (null: emptied), before; in the order of time.

    records: one row a record (`stored.together`), with `created_at`. read: makes of a text what is compared. since: of
    a version of a record, since when it has the value that it has, as far as Pipedrive says so.
    """
    entries, sights = once(_entries(records, name, read)), once(_sights(records, name, read, since))
    untold = once(_untold(sights, entries))
    begun = _beginnings(records, untold, entries)
    points = [begun, entries.select("record_key", "at", "value", since=pl.lit(None, UTC_INSTANT)), untold]
    changed = (
        pl.concat(points)
        .sort("record_key", "at", maintain_order=True)
        .filter(pl.col("value").ne_missing(pl.col("value").shift(1).over("record_key")))
        .with_columns(
            before=pl.col("value").shift(1).over("record_key"), after=pl.col("at").shift(1).over("record_key")
        )
    )
    is_known = (pl.col("since") <= pl.col("at")) & (pl.col("since") > pl.col("after")).fill_null(value=True)
    at = pl.when(is_known).then("since").otherwise("at").alias("at")
    return once(changed.select("record_key", at, "value", "before"))


def _entries(records: pl.LazyFrame, name: str, read: Callable[[pl.Expr], pl.Expr]) -> pl.LazyFrame:
    """What the changelog tells, oldest first: record_key, at, value, was."""
    return (
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


def _sights(
    records: pl.LazyFrame, name: str, read: Callable[[pl.Expr], pl.Expr], since: pl.Expr | None
) -> pl.LazyFrame:
    """What each version of a record says of a field that it was read with: record_key, at, value, since."""
    text = pl.col("values").struct.field(name)
    return (
        records.select("record_key", seen=pl.col("seen"))
        .explode("seen")
        .unnest("seen")
        .filter(text.is_not_null())  # of an empty field it is an empty text: one that was not read is null
        .select(
            "record_key",
            at="revision",
            value=read(_filled(text)),
            since=pl.lit(None, UTC_INSTANT) if since is None else since,
        )
        .sort("at", maintain_order=True)
    )


def _untold(sights: pl.LazyFrame, entries: pl.LazyFrame) -> pl.LazyFrame:
    """What was seen and is not what the changelog says next: it is written by another clock than records are."""
    following = entries.select("record_key", told_at="at", told="value", is_told=pl.lit(value=True)).sort("told_at")
    seen = sights.with_row_index("n").join_asof(
        following, left_on="at", right_on="told_at", by="record_key", strategy="forward", check_sortedness=False
    )
    is_next = pl.col("is_told").fill_null(value=False) & pl.col("told").eq_missing(pl.col("value"))
    soon = (
        seen.select("n", "record_key", "at", "value")
        .join(entries.select("record_key", "value", told_at="at"), on=["record_key", "value"], nulls_equal=True)
        .filter(pl.col("told_at").is_between(pl.col("at"), pl.col("at") + SAME_SAVE))
        .select("n")
    )
    return (
        seen.filter(~is_next)
        .join(soon, on="n", how="anti", maintain_order="left")
        .select("record_key", "at", "value", "since")
    )


def _beginnings(records: pl.LazyFrame, untold: pl.LazyFrame, entries: pl.LazyFrame) -> pl.LazyFrame:
    """What each record was made with: what it was first seen to have, or what its first change was from."""

    def first(of: pl.LazyFrame, **names: str) -> pl.LazyFrame:
        taken = of.unique("record_key", keep="first", maintain_order=True)
        return taken.select("record_key", **names, **{f"has_{name}": pl.lit(value=True) for name in list(names)[:1]})

    begun = (
        records.select("record_key", "created_at")
        .join(first(untold, seen_at="at", seen="value", since="since"), on="record_key", how="left")
        .join(first(entries, told_at="at", was="was"), on="record_key", how="left")
        .filter(pl.col("has_seen_at") | pl.col("has_told_at"))
    )
    is_seen = pl.col("has_seen_at") & (pl.col("seen_at") < pl.col("told_at")).fill_null(value=True)
    created = pl.min_horizontal("created_at", "told_at")
    is_since = is_seen & ~pl.col("since").is_between(created - SAME_SAVE, created + SAME_SAVE)
    return begun.select(
        "record_key",
        at=pl.when(is_since).then("since").otherwise(created),
        value=pl.when(is_seen).then("seen").otherwise("was"),
        since=pl.lit(None, UTC_INSTANT),
    )


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


def _filled(text: pl.Expr) -> pl.Expr:
    value = text.str.strip_chars()
    return pl.when(value != "").then(value)
