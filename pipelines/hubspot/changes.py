"""HubSpot's texts as values, and its property histories as changes in time.

Belongs here: reading times and numbers, the changes of a property, and which value was in force when something
happened. Does not: what a change means (`contacts`, `deals`).

All values are texts; a time comes as ISO 8601, as milliseconds since 1970, or as a day. A history comes newest first
and may repeat a value; a record without one has had its values since it was created.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.hubspot.options import Said
from pipelines.identification import SHAPE

SAME_SAVE = timedelta(seconds=5)
"""One click may write several properties some milliseconds apart: what was written so soon after was in force."""

HISTORY = pl.List(pl.Struct({"timestamp": pl.String, "value": pl.String}))


def payload_of(
    properties: Iterable[str],
    with_history: Iterable[str] = (),
    of_lines: Iterable[str] = (),
    *,
    is_identified: bool = False,
) -> pl.Struct:
    """The shape of a stored record.

    of_lines: properties of line items. is_identified: whether it says by what else its customer is known.
    """
    shape: dict[str, pl.DataType] = {
        "createdAt": pl.String(),
        "properties": pl.Struct(dict.fromkeys(properties, pl.String)),
        "contacts": pl.List(pl.String),
        "companies": pl.List(pl.String),
        **({"identified": SHAPE} if is_identified else {}),
    }
    if lines := dict.fromkeys(of_lines, pl.List(pl.String)):
        shape["lines"] = pl.Struct(lines)
    histories = dict.fromkeys(with_history, HISTORY)
    return pl.Struct({**shape, "history": pl.Struct(histories)} if histories else shape)


def current(name: str) -> pl.Expr:
    """The present value of a property; null where it is empty."""
    value = pl.col("properties").struct.field(name).str.strip_chars()
    return pl.when(value != "").then(value)


def instant(text: pl.Expr, zone: str) -> pl.Expr:
    """A time, in UTC; a day is its first moment in the organisation's zone. Null where it is neither."""
    iso = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    epoch = pl.from_epoch(text.str.extract(r"^(\d{11,14})$").cast(pl.Int64, strict=False), "ms")
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    local = day.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    return pl.coalesce(iso, epoch.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), local)


def number(text: pl.Expr) -> pl.Expr:
    """A number, exact. Null where it is none."""
    return text.cast(DECIMAL, strict=False)


def said(attribute: Said, value: pl.Expr) -> pl.Expr:
    """A property's value as events call it."""
    return value.replace(attribute.values) if attribute.values else value


def changes(records: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Each change of a property: record_key, at, value (null: emptied), before; in the order of time.

    records: the stored shape, with `created_at`.
    """
    entries = (
        records.select("record_key", entry=pl.col("history").struct.field(name))
        .explode("entry")
        .filter(pl.col("entry").is_not_null())
        .unnest("entry")
        .select("record_key", at=instant(pl.col("timestamp"), "UTC"), value=pl.col("value").str.strip_chars())
        .reverse()  # newest first: of two at one instant, the later one is the upper one
    )
    never_changed = records.join(entries, on="record_key", how="anti").select(
        "record_key", at=pl.col("created_at"), value=current(name)
    )
    value = pl.when(pl.col("value") != "").then(pl.col("value"))
    return (
        pl.concat([entries, never_changed])
        .with_columns(value=value)
        .sort("record_key", "at", maintain_order=True)
        .with_columns(before=pl.col("value").shift(1).over("record_key"))
        .filter(pl.col("value").ne_missing(pl.col("before")))
    )


def in_force(
    events: pl.LazyFrame, changed: pl.LazyFrame, name: str, when: str = "occurred_at", *, or_first: bool = True
) -> pl.LazyFrame:
    """Events with the value that a property had at their time, as column `name`.

    or_first: where none had been entered by then, the first one that was entered later.
    """
    values = changed.select("record_key", "at", pl.col("value").alias(name), is_known=pl.lit(value=True)).sort("at")
    valued = (
        events.with_columns((pl.col(when) + SAME_SAVE).alias("by"))
        .sort("by")
        .join_asof(values, left_on="by", right_on="at", by="record_key", strategy="backward", check_sortedness=False)
    )
    if or_first:
        first = changed.filter(pl.col("value").is_not_null()).group_by("record_key").agg(first=pl.col("value").first())
        known = pl.when(pl.col("is_known")).then(pl.col(name)).otherwise(pl.col("first"))
        valued = valued.join(first, on="record_key", how="left").with_columns(known.alias(name)).drop("first")
    return valued.drop("by", "at", "is_known")


def has_strange_time(name: str) -> pl.Expr:
    """Whether a property's history has an entry without a time that can be read."""
    is_strange = instant(pl.element().struct.field("timestamp"), "UTC").is_null()
    return pl.col("history").struct.field(name).list.eval(is_strange).list.any()


def has_strange_instant(name: str, zone: str) -> pl.Expr:
    """Whether a property is, or has been, something that is not a time."""

    def is_strange(text: pl.Expr) -> pl.Expr:
        return (text.str.strip_chars() != "") & instant(text.str.strip_chars(), zone).is_null()

    was_strange = is_strange(pl.element().struct.field("value"))
    return is_strange(current(name)) | pl.col("history").struct.field(name).list.eval(was_strange).list.any()


def has_strange_number(name: str) -> pl.Expr:
    """Whether a property is, or has been, something that is not a number."""
    is_strange = _is_strange_number(pl.element().struct.field("value"))
    return _is_strange_number(current(name)) | pl.col("history").struct.field(name).list.eval(is_strange).list.any()


def problems(records: pl.LazyFrame, *found: tuple[pl.Expr, str]) -> pl.LazyFrame:
    """record_key and problem of the records for which a condition holds; of several, the first.

    The text names the field and what is wrong with it, never what a person may have written there.
    """
    problem = pl.coalesce(pl.when(condition).then(pl.lit(text)) for condition, text in found)
    return records.select("record_key", problem=problem).filter(pl.col("problem").is_not_null())


def _is_strange_number(text: pl.Expr) -> pl.Expr:
    return (text.str.strip_chars() != "") & number(text.str.strip_chars()).is_null()
