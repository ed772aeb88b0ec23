"""Salesforce's texts as values, and its histories as changes in time.

Belongs here: reading times, and the changes of a field. Does not: what was in force when (`pipelines.turns`), or what a
change means (`leads`, `deals`, `cases`).

A field history begins with the first change: what a record was created with is the old value of that entry, or the
present value where nothing was changed. Salesforce keeps field histories for eighteen months at least unless it is told
otherwise; what was changed before that, and was never read, is taken to have always been as it was then. The stage
history of an opportunity has its stage, amount, close date and forecast category as they were after each change, where
an org has several currencies the currency as well, and is not cut off.

Source of the facts: the Object Reference (OpportunityFieldHistory, OpportunityHistory, FieldHistoryArchive).
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pipelines.identification import SHAPE
from pipelines.salesforce.options import Said
from pipelines.salesforce.reading import LEAD_HISTORY, Wanted
from pipelines.source import History
from pipelines.turns import called, number, turns

_HISTORY = pl.List(pl.Struct(dict.fromkeys(("field", "at", "old", "new"), pl.String)))
_STAGES = pl.List(pl.Struct(dict.fromkeys(("at", "stage", "amount", "currency", "close_date", "forecast"), pl.String)))
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
    if wanted.was_lead:
        shape |= {"converted_on": pl.String(), "lead_status": pl.String(), LEAD_HISTORY: _HISTORY}
    return pl.Struct(shape)


def histories_of(wanted: Wanted, kept_for: timedelta) -> tuple[History, ...]:
    """What Salesforce forgets of records: the changes of fields that are older than it keeps them (`kept_for`)."""
    names = (*(("history",) if wanted.tracked else ()), *((LEAD_HISTORY,) if wanted.was_lead else ()))
    return tuple(History((name,), "at", instant, kept_for=kept_for) for name in names)


def current(name: str) -> pl.Expr:
    """The present value of a field; null where it is empty."""
    return pl.col("fields").struct.field(name)


def instant(text: pl.Expr) -> pl.Expr:
    """A time, in UTC (`2026-05-01T07:25:37.000+0000`). Null where it is none, or has no zone."""
    iso = text.str.replace(r"([+-]\d\d)(\d\d)$", "${1}:${2}")
    return iso.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def date_of(text: pl.Expr) -> pl.Expr:
    """A day (`2026-05-01`). Null where it is none."""
    return text.str.to_date("%Y-%m-%d", strict=False)


def now(attribute: Said | None) -> pl.Expr:
    """What an attribute's field says now; null where none is declared."""
    if attribute is None:
        return pl.lit(None, pl.String)
    return called(current(attribute.field), attribute.values)


def changes(records: pl.LazyFrame, name: str, recorded_as: str | None = None) -> pl.LazyFrame:
    """Each change of a field: record_key, at, value (null: emptied), before; in the order of time.

    records: the stored shape, with `created_at`. recorded_as: what its history calls it, where that is another name.
    """
    entries = (
        entries_of(records, "history")
        .filter(pl.col("field") == (recorded_as or name))
        .select("record_key", "old", at=instant(pl.col("at")), value="new")
        .sort("record_key", "at", maintain_order=True)
    )
    first = entries.group_by("record_key").agg(pl.col("old").first(), is_changed=pl.lit(value=True))
    created = records.join(first, on="record_key", how="left").select(
        "record_key",
        at="created_at",
        value=pl.when("is_changed").then("old").otherwise(current(name)),
    )
    return turns(pl.concat([created, entries.select("record_key", "at", "value")]))


def stage_changes(records: pl.LazyFrame, column: str, name: str, *, is_never_empty: bool = False) -> pl.LazyFrame:
    """As `changes`, by the stage history: `column` of it is the field `name`.

    is_never_empty: an entry without a value tells nothing of the field.
    """
    entries = entries_of(records, "stages").select("record_key", at=instant(pl.col("at")), value=column)
    entries = entries.filter(pl.col("value").is_not_null()) if is_never_empty else entries
    without = records.join(entries, on="record_key", how="anti").select(
        "record_key", at="created_at", value=current(name)
    )
    return turns(pl.concat([entries, without]))


def entries_of(records: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """The entries of a history, one a row."""
    return records.select("record_key", entry=name).explode("entry").drop_nulls("entry").unnest("entry")


def has_strange_time(history: str) -> pl.Expr:
    """Whether a history has an entry without a time that can be read."""
    return pl.col(history).list.eval(instant(pl.element().struct.field("at")).is_null()).list.any()


def has_strange(history: str, part: str, *, is_date: bool = False) -> pl.Expr:
    """Whether an entry of a history has, in this part, what is not a number (or not a day)."""
    text = pl.element().struct.field(part)
    read = date_of(text) if is_date else number(text)
    return pl.col(history).list.eval(text.is_not_null() & read.is_null()).list.any()
