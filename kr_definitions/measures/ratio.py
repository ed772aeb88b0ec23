"""A measure over a measure, both kept.

Belongs here: ratios of values that the other measures give. Does not: shares of events (`additive`), of subjects
(`conversion`) or of members (`membership`), which know of which each one is a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

import polars as pl
from pydantic import Tag

from kr_definitions.measures.additive import Count, Figure, Sum
from kr_definitions.measures.base import Bounds, Context, Filter, Frames, Kind, Measured
from kr_definitions.measures.claims import NOTHING
from kr_definitions.measures.distinct import Distinct
from kr_definitions.measures.levels import Gain, Level, Open
from kr_definitions.measures.selection import Selection, concatenated
from kr_definitions.measures.series import with_ratio
from kr_definitions.organisation import Declared
from kr_definitions.words import one_of

Operand = Annotated[
    Annotated[Count, Tag("count")]
    | Annotated[Sum, Tag("sum")]
    | Annotated[Distinct, Tag("distinct")]
    | Annotated[Level, Tag("level")]
    | Annotated[Gain, Tag("gain")]
    | Annotated[Open, Tag("open")]
    | Annotated[Figure, Tag("figure")],
    one_of("operand", "count", "sum", "distinct", "level", "gain", "open", "figure"),
]


class RatioOf(Declared):
    """numerator (less `minus`) over denominator.

    up_to_last: the numerator is counted only up to the last day on which the denominator's events happened: for an
    outside series that comes month by month, so that a part of a month of ours is not held against nothing.
    """

    numerator: Operand
    minus: Operand | None = None
    denominator: Operand
    up_to_last: bool = False


class Ratio(Measured):
    """One value over another, of the same window. No value where the denominator is zero."""

    ratio: RatioOf

    @property
    def _operands(self) -> dict[str, Measured]:
        found: dict[str, Measured | None] = {
            "numerator": self.ratio.numerator,
            "minus": self.ratio.minus,
            "denominator": self.ratio.denominator,
        }
        return {name: operand for name, operand in found.items() if operand is not None}

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for operand in self._operands.values() for name in operand.types))

    @property
    def also_read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for operand in self._operands.values() for name in operand.also_read))

    @property
    def remembered(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for operand in self._operands.values() for name in operand.remembered))

    @property
    def is_of_period(self) -> bool:
        return any(operand.is_of_period for operand in self._operands.values())

    def is_unobserved(self) -> pl.Expr:
        return pl.col("numerator").is_null() | pl.col("denominator").is_null()

    @property
    def kind(self) -> Kind:
        return "ratio" if self.ratio.numerator.kind == self.ratio.denominator.kind else "number"

    @property
    def bounds(self) -> Bounds:
        """Of a part over its whole, 1 at most; of what is never below nothing, nothing at least."""
        of = self.ratio
        ends = [operand.bounds[0] for operand in self._operands.values()]
        are_positive = all(end is not None and end >= 0 for end in ends)
        least = Decimal(0) if are_positive and of.minus is None else None
        most = Decimal(1) if are_positive and _is_part(of.numerator, of.denominator) else None
        return least, most

    @property
    def accumulates(self) -> bool:
        """A total over a stated figure is a total."""
        return self.ratio.numerator.accumulates and isinstance(self.ratio.denominator, Figure)

    @property
    def reads_amounts(self) -> bool:
        return any(operand.reads_amounts for operand in self._operands.values())

    def filters(self) -> Iterator[Filter]:
        for name, operand in self._operands.items():
            for path, text, types in operand.filters():
                yield ("ratio", name, *path), text, types

    def money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return concatenated(operand.money(log, context) for operand in self._operands.values())

    def added(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return concatenated(operand.added(log, context) for operand in self._operands.values())

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return concatenated(operand.lasting_money(log, context) for operand in self._operands.values())

    def compiled(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        return {
            f"{name}/{inner}": frame
            for name, operand in self._operands.items()
            for inner, frame in operand.compiled(log, context).items()
        }

    def valued(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        def of(name: str, over: pl.DataFrame) -> pl.DataFrame:
            return self._operands[name].valued(_of_operand(frames, name), over, context)

        below = of("denominator", windows)
        counted = windows
        if self.ratio.up_to_last:
            counted = _up_to_last(windows, frames["denominator/"])
        above = of("numerator", counted)
        numerator, events = above.get_column("numerator"), above.get_column("events") + below.get_column("events")
        if self.ratio.minus is not None:
            less = of("minus", counted)
            numerator, events = numerator - less.get_column("numerator"), events + less.get_column("events")
        return with_ratio(
            windows.with_columns(
                numerator.alias("numerator"), below.get_column("numerator").alias("denominator"), events.alias("events")
            )
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        found = {
            f"{name}/{inner}": frame
            for name, operand in self._operands.items()
            for inner, frame in operand.claims(log, context).items()
        }
        if self.ratio.up_to_last:
            found["days"] = self.ratio.denominator.partials(log, context).select("day")
        return found

    def claimed(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """What the operands' events give to their values, and by these to numerator or denominator."""
        counted = windows
        if self.ratio.up_to_last:
            spans = windows.select(pl.col("until").alias("as_of"), "window_start")
            counted = windows.with_columns(_up_to_last(spans, frames["days"]).get_column("as_of").alias("until"))
        given = {"numerator": pl.col("numerator"), "minus": -pl.col("numerator"), "denominator": NOTHING}
        return pl.concat(
            operand.claimed(_of_operand(frames, name), windows if name == "denominator" else counted, context)
            .filter(pl.col("numerator").is_not_null())
            .with_columns(
                given[name].alias("numerator"),
                (pl.col("numerator") if name == "denominator" else NOTHING).alias("denominator"),
            )
            for name, operand in self._operands.items()
        )

    def text(self) -> str:
        minus = f" less {self.ratio.minus.text()}" if self.ratio.minus is not None else ""
        return f"{self.ratio.numerator.text()}{minus} over {self.ratio.denominator.text()}"


def _of_operand(frames: Frames, name: str) -> dict[str, pl.DataFrame]:
    prefix = f"{name}/"
    return {key.removeprefix(prefix): frame for key, frame in frames.items() if key.startswith(prefix)}


def _is_part(one: Measured, whole: Measured) -> bool:
    """Whether the events of one operand are some of the other's, counted or added in the same way."""
    if type(one) is not type(whole) or not isinstance(one, Selection) or not isinstance(whole, Selection):
        return False
    if whole.where not in (None, one.where) or whole.among not in ((), one.among):
        return False
    which = {"where", "among", "of", "count", "out_of"}
    return {*one.counted} <= {*whole.counted} and one.model_dump(exclude=which) == whole.model_dump(exclude=which)


def _up_to_last(windows: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The windows, each ending with the last of the days in it; before its start where there is none."""
    found_on = days.select(pl.col("day").alias("_last")).unique().sort("_last")
    found = (
        windows.with_row_index("_row")
        .sort("as_of")
        .join_asof(found_on, left_on="as_of", right_on="_last", strategy="backward")
        .sort("_row")
    )
    eve = pl.col("window_start").dt.offset_by("-1d")
    return found.select(pl.max_horizontal(pl.col("_last").fill_null(eve), eve).alias("as_of"), "window_start")
