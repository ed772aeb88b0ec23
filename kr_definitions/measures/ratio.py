"""A measure over a measure, both kept.

Belongs here: ratios of values that the other measures give. Does not: shares of events (`additive`), of subjects
(`subjects`) or of members (`membership`), which know of which each one is a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import polars as pl
from pydantic import Tag

from kr_definitions.measures.additive import Count, Figure, Sum
from kr_definitions.measures.base import Context, Filter, Frames, Kind, Measured
from kr_definitions.measures.distinct import Distinct
from kr_definitions.measures.levels import Gain, Level, Open
from kr_definitions.measures.selection import concatenated
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
    def kind(self) -> Kind:
        return "ratio" if self.ratio.numerator.kind == self.ratio.denominator.kind else "number"

    @property
    def accumulates(self) -> bool:
        """A total over a stated figure is a total."""
        return self.ratio.numerator.accumulates and isinstance(self.ratio.denominator, Figure)

    def filters(self) -> Iterator[Filter]:
        for name, operand in self._operands.items():
            for path, text, types in operand.filters():
                yield ("ratio", name, *path), text, types

    def money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return concatenated(operand.money(log, context) for operand in self._operands.values())

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
            operand = self._operands[name]
            prefix = f"{name}/"
            own = {key.removeprefix(prefix): frame for key, frame in frames.items() if key.startswith(prefix)}
            return operand.valued(own, over, context)

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

    def text(self) -> str:
        minus = f" less {self.ratio.minus.text()}" if self.ratio.minus is not None else ""
        return f"{self.ratio.numerator.text()}{minus} over {self.ratio.denominator.text()}"


def _up_to_last(windows: pl.DataFrame, partials: pl.DataFrame) -> pl.DataFrame:
    """The windows, each ending with the last day of the partials in it; before its start where there is none."""
    days = partials.select(pl.col("day").alias("_last")).unique().sort("_last")
    found = (
        windows.with_row_index("_row")
        .sort("as_of")
        .join_asof(days, left_on="as_of", right_on="_last", strategy="backward")
        .sort("_row")
    )
    eve = pl.col("window_start").dt.offset_by("-1d")
    return found.select(pl.max_horizontal(pl.col("_last").fill_null(eve), eve).alias("as_of"), "window_start")
