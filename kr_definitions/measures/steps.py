"""The steps of a plan, each met by the first event that says so.

Belongs here: the weights of the steps that are met in a window. Does not: counting events (`additive`, `distinct`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

import polars as pl
from pydantic import BeforeValidator, Field

from kr_definitions.measures.base import Bounds, Context, Filter, Measured
from kr_definitions.measures.claims import NOTHING, ON_ITS_DAY, claims, firsts, stated
from kr_definitions.measures.selection import filtered
from kr_definitions.measures.series import with_plain_value, within_windows
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes, Number, listed


class Step(Declared):
    """A step, met by the first event of its types (where: only such) in the window."""

    name: str = Field(min_length=1)
    of: EventTypes
    where: str | None = None
    weight: Annotated[Number, Field(gt=0)] = Decimal(1)


class Steps(Measured):
    """The sum of the weights (1 each, unless given) of the steps that are met. In which order does not matter."""

    steps: Annotated[tuple[Step, ...], BeforeValidator(listed), Field(min_length=1)]

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for step in self.steps for name in step.of))

    @property
    def bounds(self) -> Bounds:
        return Decimal(0), sum((step.weight for step in self.steps), start=Decimal(0))

    @property
    def accumulates(self) -> bool:
        return True

    def filters(self) -> Iterator[Filter]:
        for i, step in enumerate(self.steps):
            if step.where is not None:
                yield ("steps", i, "where"), step.where, step.of

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """One row a step and day on which something met it."""
        return pl.concat(
            [
                filtered(context.events(log, step.of), step.where, step.of)
                .group_by("day")
                .agg(pl.len().cast(pl.Int64).alias("events"))
                .with_columns(pl.lit(i).alias("step"), pl.lit(step.weight, dtype=DECIMAL).alias("weight"))
                for i, step in enumerate(self.steps)
            ]
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        met = (
            within_windows(partials, windows)
            .group_by("as_of", "window_start", "step")
            .agg(pl.col("weight").first(), pl.col("events").sum())
            .group_by("as_of", "window_start")
            .agg(pl.col("weight").sum().alias("numerator"), pl.col("events").sum())
            .collect()
        )
        joined = windows.join(met, on=["as_of", "window_start"], how="left", maintain_order="left")
        return with_plain_value(joined.with_columns(pl.col("numerator", "events").fill_null(0))).with_columns(
            pl.lit(self._weight, dtype=DECIMAL).alias("denominator")
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """The first event in the window that meets each step, and the weights of all steps."""
        met = pl.concat(
            [
                filtered(context.events(log, step.of), step.where, step.of).select(
                    "event_id", "occurred_at", "day", step=pl.lit(i), weight=pl.lit(step.weight, dtype=DECIMAL)
                )
                for i, step in enumerate(self.steps)
            ]
        )
        given = {"numerator": pl.col("weight"), "denominator": NOTHING, "starts_after": pl.col("starts_after")}
        weights = stated(numerator=NOTHING, denominator=pl.lit(self._weight, dtype=DECIMAL))
        return {"": pl.concat([claims(firsts(met, "step"), **given, **ON_ITS_DAY), weights])}

    @property
    def _weight(self) -> Decimal:
        """Of all steps."""
        return sum((step.weight for step in self.steps), start=Decimal(0))

    def text(self) -> str:
        return f"steps met: {', '.join(step.name for step in self.steps)}"
