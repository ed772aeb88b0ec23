"""What another meaning does to the figures of one key result: the days that move, how far, and how it stands.

Belongs here: comparing two sets of figures of the same key result. Does not: what gave them (`changes`), or drawing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import polars as pl

from kr_definitions.replaying import FIGURES

_KEY = ["member", "as_of"]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Days:
    """Some days: how many, the first and the last; None where there are none."""

    count: int = 0
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """The value of a day, by either meaning."""

    day: date
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How a figure stands on its newest day."""

    day: date
    value: float | None
    target: float | None
    progress: float | None
    status: str | None
    score: float | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What moves of one series: of the whole (member: None), or of a member, part, guardrail or window.

    restated: the days that both meanings have and of which a figure differs. value_days, status_days: on how many of
    them it is the value, the status. new_days, gone_days: those that only the new, only the old meaning has. largest:
    the first of the largest moves of the value from one known figure to another; None: there is none.
    """

    member: str | None
    role: str
    restated: Days
    value_days: int
    status_days: int
    new_days: Days
    gone_days: Days
    largest: Move | None
    before: Standing | None
    after: Standing | None

    @property
    def is_any(self) -> bool:
        """Whether anything moves."""
        return self.restated.count + self.new_days.count + self.gone_days.count > 0


@dataclass(frozen=True, slots=True)
class Course:
    """The whole's figures, day after day from the first one that either meaning has; None where one is not known."""

    figure: Literal["value", "progress"]
    first: date
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What another meaning does to a key result.

    restated: the days on which a figure of the whole or of a member differs. whole: None where it has no figures at
    all. members: those of which something moves, by name.
    """

    restated: Days
    whole: Moved | None
    members: tuple[Moved, ...]
    course: Course | None

    @property
    def is_any(self) -> bool:
        """Whether anything moves."""
        return bool(self.members) or (self.whole is not None and self.whole.is_any)


def effect(before: pl.DataFrame, after: pl.DataFrame) -> Effect:
    """What moves between two sets of figures of one key result; one of them may be empty.

    before, after: a row a (member, day), with at least the columns of `COMPUTED_SCHEMA`.
    """
    columns = [*_KEY, "role", "unit", *FIGURES]
    both = (
        before.select(columns, _is_old=pl.lit(value=True))
        .join(
            after.select(columns, _is_new=pl.lit(value=True)),
            on=_KEY,
            how="full",
            nulls_equal=True,
            coalesce=True,
            suffix="_new",
        )
        .with_columns(pl.col("_is_old", "_is_new").fill_null(value=False))
        .with_columns((pl.col("_is_old") & pl.col("_is_new")).alias("_is_both"))
        .with_columns(
            (pl.col("_is_both") & pl.any_horizontal(_differs(name) for name in FIGURES)).alias("_is_restated")
        )
        .sort(_KEY, nulls_last=False)
    )
    series = [_moved(rows) for _, rows in both.group_by("member", maintain_order=True)]
    whole = next((one for one in series if one.member is None), None)
    return Effect(
        restated=_days(both.filter("_is_restated").unique("as_of")),
        whole=whole,
        members=tuple(one for one in series if one.member is not None and one.is_any),
        course=_course(both.filter(pl.col("member").is_null())),
    )


def standing(figures: pl.DataFrame) -> Standing | None:
    """How the whole of a key result stands; None where it has no figures."""
    return _standing(figures.filter(pl.col("member").is_null()).sort("as_of"), "")


def _differs(name: str) -> pl.Expr:
    return pl.col(name).ne_missing(pl.col(f"{name}_new"))


def _moved(rows: pl.DataFrame) -> Moved:
    """rows: of one series, in the order of days."""
    common = rows.filter("_is_both")
    return Moved(
        member=rows.item(0, "member"),
        role=rows.select(pl.coalesce("role_new", "role")).item(0, 0),
        restated=_days(rows.filter("_is_restated")),
        value_days=common.filter(_differs("value")).height,
        status_days=common.filter(_differs("status")).height,
        new_days=_days(rows.filter(~pl.col("_is_old"))),
        gone_days=_days(rows.filter(~pl.col("_is_new"))),
        largest=_largest(common),
        before=_standing(rows.filter("_is_old"), ""),
        after=_standing(rows.filter("_is_new"), "_new"),
    )


def _days(rows: pl.DataFrame) -> Days:
    if rows.is_empty():
        return Days()
    count, first, last = rows.select(pl.len(), first=pl.col("as_of").min(), last=pl.col("as_of").max()).row(0)
    return Days(count, first, last)


def _largest(common: pl.DataFrame) -> Move | None:
    by = (pl.col("value_new") - pl.col("value")).abs()
    moves = common.filter(by > 0).sort(by, descending=True, maintain_order=True)
    return Move(*moves.select("as_of", "value", "value_new").row(0)) if moves.height else None


def _standing(rows: pl.DataFrame, suffix: str) -> Standing | None:
    if rows.is_empty():
        return None
    names = ("value", "target", "progress", "status", "score", "unit")
    return Standing(*rows.select("as_of", *(f"{name}{suffix}" for name in names)).row(-1))


def _course(own: pl.DataFrame) -> Course | None:
    """The value where that is what moves, or the only thing there is to see; else the progress."""
    if own.is_empty():
        return None
    has_value = own.select(pl.any_horizontal(pl.col("value", "value_new").is_not_null().any())).item()
    has_progress = own.select(pl.any_horizontal(pl.col("progress", "progress_new").is_not_null().any())).item()
    is_same_value = own.filter("_is_both").height == own.height and not own.filter(_differs("value")).height
    figure: Literal["value", "progress"] = "progress" if has_progress and (is_same_value or not has_value) else "value"
    first, last = own.item(0, "as_of"), own.item(-1, "as_of")
    by_day = {row[0]: row[1:] for row in own.select("as_of", figure, f"{figure}_new").iter_rows()}
    sides = list(_each_day(first, last, by_day))
    return Course(figure, first, tuple(side[0] for side in sides), tuple(side[1] for side in sides))


def _each_day(first: date, last: date, by_day: dict[date, tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return (by_day.get(first + n * _DAY, (None, None)) for n in range((last - first).days + 1))
