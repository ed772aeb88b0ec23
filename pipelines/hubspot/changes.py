"""HubSpot's texts as values, and its property histories as changes in time.

Belongs here: reading times, and the changes of a property. Does not: what was in force when (`pipelines.turns`), or
what a change means (`contacts`, `deals`).

All values are texts; a time comes as ISO 8601, as milliseconds since 1970, or as a day. A history comes newest first
and may repeat a value; a record without one has had its values since it was created. HubSpot keeps the newest changes
of a property, 45 of a contact's and 20 of others', and tells no more.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from pipelines.hubspot.options import Said
from pipelines.identification import SHAPE
from pipelines.source import History
from pipelines.turns import called, first_moment, number, turns

FEWEST_KEPT = 20
"""So many of the newest changes of a property HubSpot keeps at least."""

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


def histories_of(properties: Iterable[str]) -> tuple[History, ...]:
    """What HubSpot forgets of records: the changes of properties before the newest ones."""
    return tuple(
        History(("history", name), "timestamp", _utc, is_newest_first=True, kept_at_least=FEWEST_KEPT)
        for name in properties
    )


def current(name: str) -> pl.Expr:
    """The present value of a property; null where it is empty."""
    value = pl.col("properties").struct.field(name).str.strip_chars()
    return pl.when(value != "").then(value)


def instant(text: pl.Expr, zone: str) -> pl.Expr:
    """A time, in UTC; a day is its first moment in the organisation's zone. Null where it is neither."""
    iso = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    epoch = pl.from_epoch(text.str.extract(r"^(\d{11,14})$").cast(pl.Int64, strict=False), "ms")
    return pl.coalesce(
        iso, epoch.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), first_moment(date_of(text), zone)
    )


def date_of(text: pl.Expr) -> pl.Expr:
    """A day (`2026-05-01`). Null where it is none."""
    return text.str.to_date("%Y-%m-%d", strict=False)


def _utc(text: pl.Expr) -> pl.Expr:
    return instant(text, "UTC")


def when_said(text: pl.Expr, zone: str) -> dict[str, pl.Expr]:
    """What a property says of when something was: `won_on` where it is a day, `won_at` where it is a time."""
    day = date_of(text)
    return {"won_on": day, "won_at": pl.when(day.is_null()).then(instant(text, zone))}


def said(attribute: Said, value: pl.Expr) -> pl.Expr:
    """A property's value as events call it."""
    return called(value, attribute.values)


def changes(records: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Each change of a property: record_key, at, value (null: emptied), before; in the order of time.

    records: the stored shape, with `created_at`.
    """
    entries = (
        records.select("record_key", entry=pl.col("history").struct.field(name))
        .explode("entry")
        .filter(pl.col("entry").is_not_null())
        .unnest("entry")
        .select("record_key", at=_utc(pl.col("timestamp")), value=pl.col("value").str.strip_chars())
        .reverse()  # newest first: of two at one instant, the later one is the upper one
    )
    never_changed = records.join(entries, on="record_key", how="anti").select(
        "record_key", at=pl.col("created_at"), value=current(name)
    )
    value = pl.when(pl.col("value") != "").then(pl.col("value"))
    return turns(pl.concat([entries, never_changed]).with_columns(value=value))


def has_strange_time(name: str) -> pl.Expr:
    """Whether a property's history has an entry without a time that can be read."""
    is_strange = _utc(pl.element().struct.field("timestamp")).is_null()
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


def _is_strange_number(text: pl.Expr) -> pl.Expr:
    return (text.str.strip_chars() != "") & number(text.str.strip_chars()).is_null()
