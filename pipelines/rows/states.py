"""The rows of one thing as its successive states: put in order, filled where each says one field alone, and ended.

Belongs here: what follows from how the rows of one thing follow each other. Does not: what a row by itself says
(`mapping`), or its cells (`cells`). Pure and vectorised.

All functions are given sound rows with `KEY` and `CHANGED`, and keep the order that they come in.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipelines.rows import cells
from pipelines.rows.declaration import History, RowStream
from pipelines.rows.records import CHANGED, KEY, group_of

GROUP, SPEAKER, RISE = (f"\x1f{name}" for name in ("group", "speaker", "rise"))
_BURST, _TURN = "\x1fburst", "\x1fturn"


def grouped(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with the thing that each is of."""
    return rows.with_columns(group_of(pl.col(KEY)).alias(GROUP))


def in_order(rows: pl.LazyFrame, stream: RowStream) -> pl.LazyFrame:
    """Rows in the order of their states, each with the record that speaks for its thing: its first one."""
    assert stream.states is not None
    then = [stream.states.then] if stream.states.then is not None else []
    return rows.sort(GROUP, CHANGED, *then, KEY).with_columns(pl.col(KEY).first().over(GROUP).alias(SPEAKER))


def filled(rows: pl.LazyFrame, history: History, then: str | None = None) -> pl.LazyFrame:
    """Rows in order that say one field each, as states in which every field says what it was last said to be.

    Fields that are written so soon after each other that it was one save make one state, at the time of the first of
    them. Where one of them was written twice, it was several saves: what was written at each moment is then a state.
    then: what orders rows of one moment.
    """
    pause = pl.duration(milliseconds=round(history.saved_together_seconds * 1000))
    is_apart = (pl.col(CHANGED) - pl.col(CHANGED).shift(1).over(GROUP) > pause).fill_null(value=True)
    moment = [CHANGED, *([then] if then is not None else [])]
    is_later = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1).over(GROUP)) for name in moment)
    is_twice = pl.int_range(pl.len()).over(GROUP, _BURST, history.field).max().over(GROUP, _BURST) > 0
    state = [GROUP, _BURST, _TURN]
    return (
        rows.with_columns(is_apart.cast(pl.Int64).alias(_BURST), is_later.alias(_TURN))
        .with_columns(pl.col(_BURST).cum_sum().over(GROUP))
        .with_columns((pl.col(_TURN) & is_twice).cast(pl.Int64).cum_sum().over(GROUP).alias(_TURN))
        .with_columns(_last_said(name, history.field) for name in history.fields)
        .with_columns(pl.col(KEY).first().over(state), pl.col(CHANGED).first().over(state))
        .unique(state, keep="last", maintain_order=True)
        .drop(_BURST, _TURN)
    )


def without_ended(rows: pl.LazyFrame, stream: RowStream) -> pl.LazyFrame:
    """Rows in order, without those of things that are gone and without the rows that say that a thing was gone."""
    if stream.versions is None:
        return rows
    over = pl.lit(value=False)
    if stream.versions.to is not None:
        over = over | cells.is_past(pl.col(stream.versions.to))
    if stream.versions.deleted is not None:
        is_deleted = pl.col(cells.flag_name(stream.versions.deleted))
        rows = rows.filter(~(over | is_deleted).last().over(GROUP))
        return rows.filter(~is_deleted)
    return rows.filter(~over.last().over(GROUP))


def changes(rows: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """The rows at which one of the columns came to say something else than in the row before."""
    return rows.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1).over(GROUP)) for name in names))


def standing(rows: pl.LazyFrame, holds: pl.Expr, figures: Sequence[str]) -> pl.LazyFrame:
    """Of each thing of which a condition holds now, the row in which it came to hold, with its figures of now."""
    begins = holds & ~holds.shift(1, fill_value=False).over(GROUP)
    return (
        rows.with_columns(pl.col(name).last().over(GROUP) for name in figures)
        .filter(begins & holds.last().over(GROUP))
        .unique(GROUP, keep="last", maintain_order=True)
    )


def entered_later(rows: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """Rows in which a column that had not been entered yet says what was entered first."""
    return rows.with_columns(
        pl.when(pl.col(name).forward_fill().over(GROUP).is_null())
        .then(pl.col(name).drop_nulls().first().over(GROUP))
        .otherwise(pl.col(name))
        .alias(name)
        for name in names
    )


def rises(rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """The rows in which a running count rose, once for each step, so that its last height is their number."""
    count = pl.col(column).cast(pl.Int64)
    return (
        rows.with_columns(
            count.shift(1, fill_value=0).over(GROUP).alias("\x1fbefore"), count.last().over(GROUP).alias("\x1flast")
        )
        .filter(count > pl.col("\x1fbefore"))
        .with_columns(pl.int_ranges(pl.col("\x1fbefore") + 1, count + 1).alias(RISE))
        .explode(RISE, empty_as_null=False)
        .filter(pl.col(RISE) <= pl.col("\x1flast"))
        .unique([GROUP, RISE], keep="last", maintain_order=True)
    )


def _last_said(name: str, field: str) -> pl.Expr:
    """A field as its newest row said it, even where that said nothing."""
    newest = pl.when(pl.col(field) == name).then(pl.int_range(pl.len())).forward_fill()
    return pl.col(name).gather(newest).over(GROUP).alias(name)
