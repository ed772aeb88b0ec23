"""Frames that have exactly the columns of a schema.

Belongs here: filling up and beginning a frame. Does not: any schema. Expressions and empty frames are made once for
each schema: Polars takes longer to make the nulls of sixty columns than to compute a small frame.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

import polars as pl


def columns(schema: Mapping[str, pl.DataType], present: Collection[str]) -> list[pl.Expr]:
    """Every column of a schema, in its order and types; those that are not present are null."""
    return [_cast(name, dtype) if name in present else _null(name, dtype) for name, dtype in schema.items()]


def empty(schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A frame of these columns without rows."""
    return _empty(tuple(schema.items()))


@cache
def _cast(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name).cast(dtype)


@cache
def _null(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.lit(None, dtype=dtype).alias(name)


@cache
def _empty(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(columns))
