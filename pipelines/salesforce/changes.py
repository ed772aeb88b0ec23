"""Salesforce's texts as values, and its histories as changes in time.

Belongs here: reading times and numbers, the changes of a field, and which value was in force when something happened.
Does not: what a change means (`leads`, `deals`, `cases`).

A field history begins with the first change: what a record was created with is the old value of that entry, or the
present value where nothing was changed. Salesforce keeps field histories for eighteen months unless it is told
otherwise; what was changed before that is taken to have always been as it was then. The stage history of an
opportunity has its stage, amount, close date and forecast category as they were after each change, and is not cut off.

Source of the facts: the Object Reference (OpportunityFieldHistory, OpportunityHistory, FieldHistoryArchive).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.identification import SHAPE
from pipelines.salesforce.options import Said
from pipelines.salesforce.reading import Wanted

SAME_SAVE = timedelta(seconds=5)
"""What one click brings about is written within some seconds: what was written so soon after was in force."""

_HISTORY = pl.List(pl.Struct(dict.fromkeys(("field", "at", "old", "new"), pl.String)))
_STAGES = pl.List(pl.Struct(dict.fromkeys(("at", "stage", "amount", "close_date", "forecast"), pl.String)))
_LINES = pl.List(pl.Struct({"value": pl.String, "product": pl.String}))


def payload_of(wanted: Wanted, *more: str) -> pl.Struct:
    """The shape of a stored record. more: fields that only some orgs have."""
    shape: dict[str, pl.DataType] = {
        "created": pl.String(),
        "customer": pl.String(),
        "fields": pl.Struct(dict.fromkeys((*wanted.fields, *more), pl.String)),
    }
    if wanted.whose.person:
        shape["person"] = pl.String()
    if wanted.tracked:
        shape["history"] = _HISTORY
    if wanted.has_stages:
        shape["stages"] = _STAGES
    if wanted.line_field:
        shape["lines"] = _LINES
    if wanted.identified_by:
        shape["identified"] = SHAPE
    return pl.Struct(shape)


def current(name: str) -> pl.Expr:
    """The present value of a field; null where it is empty."""
    return pl.col("fields").struct.field(name)


def instant(text: pl.Expr) -> pl.Expr:
    """A time, in UTC (`2026-05-01T07:25:37.000+0000`). Null where it is none, or has no zone."""
    iso = text.str.replace(r"([+-]\d\d)(\d\d)$", "${1}:${2}")
    return iso.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def first_moment(day: pl.Expr, zone: str) -> pl.Expr:
    """The first moment of a day in the organisation's zone."""
    local = day.cast(pl.Datetime("us"))
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def date_of(text: pl.Expr) -> pl.Expr:
    """A day (`2026-05-01`). Null where it is none."""
    return text.str.to_date("%Y-%m-%d", strict=False)


def number(text: pl.Expr) -> pl.Expr:
    """A number, exact. Null where it is none."""
    return text.cast(DECIMAL, strict=False)


def now(attribute: Said | None) -> pl.Expr:
    """What an attribute's field says now; null where none is declared."""
    if attribute is None:
        return pl.lit(None, pl.String)
    return _called(current(attribute.field), attribute.values)


def _called(value: pl.Expr, names: Mapping[str, str]) -> pl.Expr:
    """A field's value as events call it."""
    return value.replace(dict(names)) if names else value


def changes(records: pl.LazyFrame, name: str, called: str | None = None) -> pl.LazyFrame:
    """Each change of a field: record_key, at, value (null: emptied), before; in the order of time.

    records: the stored shape, with `created_at`. called: what its history calls it, where that is another name.
    """
    entries = (
        _entries(records, "history")
        .filter(pl.col("field") == (called or name))
        .select("record_key", "old", at=instant(pl.col("at")), value="new")
        .sort("record_key", "at", maintain_order=True)
    )
    first = entries.group_by("record_key").agg(pl.col("old").first(), is_changed=pl.lit(value=True))
    created = records.join(first, on="record_key", how="left").select(
        "record_key",
        at="created_at",
        value=pl.when("is_changed").then("old").otherwise(current(name)),
    )
    return _turns(pl.concat([created, entries.select("record_key", "at", "value")]))


def stage_changes(records: pl.LazyFrame, column: str, name: str) -> pl.LazyFrame:
    """As `changes`, by the stage history: `column` of it is the field `name`."""
    entries = _entries(records, "stages").select("record_key", at=instant(pl.col("at")), value=column)
    without = records.join(entries, on="record_key", how="anti").select(
        "record_key", at="created_at", value=current(name)
    )
    return _turns(pl.concat([entries, without]))


def _entries(records: pl.LazyFrame, name: str) -> pl.LazyFrame:
    return records.select("record_key", entry=name).explode("entry").drop_nulls("entry").unnest("entry")


def _turns(values: pl.LazyFrame) -> pl.LazyFrame:
    """The moments at which a value became another one."""
    return (
        values.sort("record_key", "at", maintain_order=True)
        .with_columns(before=pl.col("value").shift(1).over("record_key"))
        .filter(pl.col("value").ne_missing(pl.col("before")))
    )


def in_force(events: pl.LazyFrame, changed: pl.LazyFrame, name: str, *, or_first: bool = True) -> pl.LazyFrame:
    """Events with the value that a field had when they occurred, as column `name`.

    or_first: where none had been entered by then, the first one that was entered later.
    """
    values = changed.select("record_key", "at", pl.col("value").alias(name), is_known=pl.lit(value=True)).sort("at")
    valued = (
        events.with_columns((pl.col("occurred_at") + SAME_SAVE).alias("by"))
        .sort("by")
        .join_asof(values, left_on="by", right_on="at", by="record_key", strategy="backward", check_sortedness=False)
    )
    if or_first:
        first = changed.filter(pl.col("value").is_not_null()).group_by("record_key").agg(first=pl.col("value").first())
        known = pl.when(pl.col("is_known")).then(pl.col(name)).otherwise(pl.col("first"))
        valued = valued.join(first, on="record_key", how="left").with_columns(known.alias(name)).drop("first")
    return valued.drop("by", "at", "is_known")


def has_strange_time(history: str) -> pl.Expr:
    """Whether a history has an entry without a time that can be read."""
    return pl.col(history).list.eval(instant(pl.element().struct.field("at")).is_null()).list.any()


def has_strange(history: str, part: str, *, is_date: bool = False) -> pl.Expr:
    """Whether an entry of a history has, in this part, what is not a number (or not a day)."""
    text = pl.element().struct.field(part)
    read = date_of(text) if is_date else number(text)
    return pl.col(history).list.eval(text.is_not_null() & read.is_null()).list.any()


def problems(records: pl.LazyFrame, *found: tuple[pl.Expr, str]) -> pl.LazyFrame:
    """record_key and problem of the records for which a condition holds; of several, the first.

    The text names the field and what is wrong with it, never what a person may have written there.
    """
    problem = pl.coalesce(pl.when(condition).then(pl.lit(text)) for condition, text in found)
    return records.select("record_key", problem=problem).filter(pl.col("problem").is_not_null())


def with_attributes(
    facts: pl.LazyFrame,
    changed: Iterable[tuple[str, pl.LazyFrame, Mapping[str, str]]],
    carried: Mapping[str, tuple[str, ...]],
) -> pl.LazyFrame:
    """Facts with the attributes that their type carries, as they were when it happened.

    changed: each attribute, the changes of its field, and what events call its values. carried: attribute -> types.
    """
    for name, turns, names in changed:
        value = pl.when(pl.col("event_type").is_in(carried[name])).then(_called(pl.col(name), names))
        facts = in_force(facts, turns, name).with_columns(value.alias(name))
    return facts
