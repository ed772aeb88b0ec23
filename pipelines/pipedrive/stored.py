"""Pipedrive's records as they are stored: what the list says, what the changelog says, and what ids are called.

Belongs here: the shapes of the three, and putting them together. Does not: which records are read (`reading`), when
something changed (`changes`), what it means (`persons`, `deals`, `activities`).

A record is stored in two parts, as its history is bought apart: under its id what the list says of it, and under
`<id>/history` what has been changed. So a list is read again without buying a history again, and a history that
Pipedrive does not have any more is not lost. Both say options and stages by their ids; one record of the stream,
`names`, says what those are called: renaming one is one new record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from pipelines.identification import SHAPE

NAMES = "names"
_HISTORY_OF = "/history"

TIMES = ("stage_change_time", "won_time", "lost_time", "close_time")
"""What a list says of when a deal came to stand where it stands."""

HISTORY = pl.List(pl.Struct({"time": pl.String, "old": pl.String, "new": pl.String}))
NAME = pl.Struct({"field": pl.String, "id": pl.String, "name": pl.String})

Labels = Mapping[str, Mapping[str, str]]
"""What options are called: field -> id -> name."""


def payload_of(
    kept: Iterable[str],
    fields: Iterable[str],
    *,
    has_histories: bool,
    is_identified: bool = False,
    has_products: bool = False,
) -> pl.Struct:
    """The shape of what is stored. is_identified: whether a record says by what else its customer is known."""
    names = list(fields)
    shape: dict[str, pl.DataType] = {name: pl.String() for name in kept}
    shape["values"] = pl.Struct(dict.fromkeys(names, pl.String))
    histories = {"history": pl.Struct(dict.fromkeys(names, HISTORY))} if has_histories else {}
    identified = {"identified": SHAPE} if is_identified else {}
    products = {"products": pl.List(pl.String)} if has_products else {}
    return pl.Struct({**shape, **histories, **identified, **products, "strange": pl.String, NAMES: pl.List(NAME)})


def seen_of(payload: pl.Struct) -> pl.Struct:
    """The part of earlier versions that is understood: the values, and since when a deal stood so."""
    return pl.Struct([part for part in payload.fields if part.name in ("values", *TIMES)])


def history_key(key: str) -> str:
    """The key that a record's history is stored under."""
    return f"{key}{_HISTORY_OF}"


def record_of(key: str) -> str | None:
    """The record that a key is of; None of the names."""
    return None if key == NAMES else key.removesuffix(_HISTORY_OF)


def group(key: pl.Expr) -> pl.Expr:
    """A record and its history are understood together."""
    return key.str.strip_suffix(_HISTORY_OF)


def names_of(labels: Labels) -> dict[str, Any]:
    """What ids are called, as it is stored."""
    called = [
        {"field": field, "id": id_, "name": name}
        for field, names in sorted(labels.items())
        for id_, name in sorted(names.items())
    ]
    return {NAMES: called}


def together(records: pl.LazyFrame) -> pl.LazyFrame:
    """One row a record, of which the list said something: with its history, and in the company's own words."""
    columns, key = records.collect_schema(), pl.col("record_key")
    words, fields = _words(records), _fields_of(columns["values"])
    listed = records.filter(~key.str.ends_with(_HISTORY_OF), key != NAMES).drop(NAMES)
    named = listed.with_columns(_in_words(name, fields, words) for name in ("values", "seen") if name in columns)
    if "history" not in columns:
        return named
    histories = records.filter(key.str.ends_with(_HISTORY_OF)).select(
        group(key), _in_words("history", fields, words), strange_history="strange"
    )
    version = pl.concat_list(pl.struct("revision", *(name for name in columns if name in ("values", *TIMES))))
    return (
        named.drop("history")
        .join(histories, on="record_key", how="left", maintain_order="left")
        .with_columns(
            strange=pl.coalesce("strange", "strange_history"),
            seen=pl.coalesce("seen", version) if "seen" in columns else version,
        )
        .drop("strange_history")
    )


def _words(records: pl.LazyFrame) -> dict[str, dict[str, str]]:
    """What ids are called, by field: of the one record that says it."""
    called = records.filter(pl.col("record_key") == NAMES).select(pl.col(NAMES).explode()).collect()
    words: dict[str, dict[str, str]] = {}
    for one in called.to_series().drop_nulls():
        words.setdefault(one["field"], {})[one["id"]] = one["name"]
    return words


def _fields_of(values: pl.DataType | None) -> list[str]:
    return [part.name for part in values.fields] if isinstance(values, pl.Struct) else []


def _in_words(column: str, fields: Iterable[str], words: Mapping[str, Mapping[str, str]]) -> pl.Expr:
    """A column of values, or of changes of them, or of earlier versions, with names in the place of ids."""
    named = [name for name in fields if name in words]
    if not named:
        return pl.col(column)
    values = [_worded(pl.field(name), words[name]) for name in named]
    if column == "values":
        return pl.col(column).struct.with_fields(*values)
    if column == "seen":
        each = pl.element().struct.field("values").struct.with_fields(*values)
        return pl.col(column).list.eval(pl.element().struct.with_fields(each.alias("values")))
    entries = [
        pl.field(name).list.eval(
            pl.element().struct.with_fields(_worded(pl.field(part), words[name]) for part in ("old", "new"))
        )
        for name in named
    ]
    return pl.col(column).struct.with_fields(*entries)


def _worded(text: pl.Expr, words: Mapping[str, str]) -> pl.Expr:
    """An id by its name; of several, separated by `;`, each. One that nothing names stays as it is."""
    several = text.str.split(";").list.eval(pl.element().replace(dict(words))).list.join(";")
    return pl.when(text.str.contains(";", literal=True)).then(several).otherwise(text.replace(dict(words)))
