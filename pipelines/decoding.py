"""Payloads as columns, and what is strange about a record, in words that quote nobody.

Belongs here: decoding, saying where a payload has another shape than its source documents, and how mappings say what
else is wrong with a record. Does not: what a field means (a source's `facts`).
"""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

PROBLEM = pl.Schema({"record_key": pl.String, "problem": pl.String})


def decode(records: pl.DataFrame, payload: pl.Struct, *beside: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records with the payload's fields as columns, and the records whose payload has another shape (`PROBLEM`).

    records: with `record_key` and `payload`, and the columns `beside`, which are kept. A whole frame is decoded at
    once; only when that fails is it halved until the strange records stand alone.
    """
    columns = [*dict.fromkeys(("record_key", *beside)), pl.col("payload").str.json_decode(payload)]
    try:
        return records.select(columns).unnest("payload"), pl.DataFrame(schema=PROBLEM)
    except pl.exceptions.ComputeError:
        if records.height > 1:
            half = records.height // 2
            first, second = decode(records[:half], payload, *beside), decode(records[half:], payload, *beside)
            return pl.concat([first[0], second[0]]), pl.concat([first[1], second[1]])
        found = strange_shape(orjson.loads(records.item(0, "payload")), payload)
        problem = f"the record does not have the shape that the source documents{found and f': {found}'}"
        strange = records.select("record_key", problem=pl.lit(problem))
        return records.clear().select(columns).unnest("payload"), strange


def strange_shape(value: Any, dtype: Any, place: str = "") -> str:
    """Where a JSON value first is otherwise than a type, and how; empty where it fits. Names fields, never contents."""
    if value is None:
        return ""
    if isinstance(dtype, pl.Struct):
        if not isinstance(value, dict):
            return _otherwise(place, value, "an object")
        found = (strange_shape(value.get(one.name), one.dtype, f"{place}.{one.name}") for one in dtype.fields)
        return next((one for one in found if one), "")
    if isinstance(dtype, pl.List):
        if not isinstance(value, list):
            return _otherwise(place, value, "a list")
        found = (strange_shape(one, dtype.inner, f"{place}[{number}]") for number, one in enumerate(value))
        return next((one for one in found if one), "")
    return _otherwise(place, value, "a text") if isinstance(value, dict | list) else ""


def _otherwise(place: str, value: Any, wanted: str) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return f"{place.removeprefix('.') or 'it'} is {kinds.get(type(value), 'a number')}, not {wanted}"


def problems(records: pl.LazyFrame, *found: tuple[pl.Expr, str | pl.Expr]) -> pl.LazyFrame:
    """record_key and problem of the records for which a condition holds; of several, the first.

    The text names the field and what is wrong with it, never what a person may have written there.
    """
    said = ((condition, pl.lit(text) if isinstance(text, str) else text) for condition, text in found)
    problem = pl.coalesce(pl.when(condition).then(text) for condition, text in said)
    return records.select("record_key", problem=problem).filter(pl.col("problem").is_not_null())
