"""Targets: what a declaration may ask of a figure.

Belongs here: a small model for each kind of target, told apart by the key that it has, and what makes one wrong by
itself. Does not: how near a figure is to one (`progress`), whether it suits the measure (`rules.targets`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Tag, model_validator

from kr_definitions.organisation import Declared
from kr_definitions.words import Number, one_of


class Reach(Declared):
    """Reach a figure, from nothing (or from `from`). of: what the figure was stated out of, for the reader."""

    value: Number
    of: Number | None = None
    from_: Number = Field(default=Decimal(0), alias="from")

    @model_validator(mode="after")
    def _moves(self) -> Reach:
        if self.value == self.from_:
            raise ValueError("the target equals its start, so there is nothing to reach | Change value or from")
        return self


class _Threshold(Declared):
    strict: bool = False
    progress: Literal["met", "distance"] = "met"


class AtLeast(_Threshold):
    """Stay at or above a figure. from: the figure that progress is travelled from."""

    at_least: Number
    from_: Number | None = Field(default=None, alias="from")

    @model_validator(mode="after")
    def _rises(self) -> AtLeast:
        if self.from_ is not None and self.from_ >= self.at_least:
            raise ValueError(
                f"it comes from {self.from_:f}, which is not below {self.at_least:f} | Swap or correct them"
            )
        return self


class AtMost(_Threshold):
    """Stay at or below a figure. from: the figure that progress is travelled from."""

    at_most: Number
    from_: Number | None = Field(default=None, alias="from")

    @model_validator(mode="after")
    def _falls(self) -> AtMost:
        if self.from_ is not None and self.from_ <= self.at_most:
            raise ValueError(
                f"it comes from {self.from_:f}, which is not above {self.at_most:f} | Swap or correct them"
            )
        return self


def _two(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("two figures were expected | Write the lower and the higher one, as in [5, 7]")
    return tuple(value)


class Within(Declared):
    """Stay between two figures, both included."""

    within: Annotated[tuple[Number, Number], BeforeValidator(_two)]

    @model_validator(mode="after")
    def _in_order(self) -> Within:
        if self.within[0] >= self.within[1]:
            raise ValueError("the first figure is not below the second | Write the lower one first")
        return self


Baseline = Literal["previous_period", "previous_year", "previous_window", "start"]
"""What a target is relative to: the same measure over the span of equal length just before the period, over the same
span a year earlier, over the window just before (of what recurs), or on the eve of the period (levels and the like)."""


class Relative(Declared):
    """Change by a part of the baseline: 0.10 is 10 % more than it, -0.10 is 10 % less.

    to_date: each day is compared with the same part of the span before, so that a total can be asked to fall.
    """

    relative: Number
    baseline: Baseline = "previous_period"
    to_date: bool = False

    @model_validator(mode="after")
    def _moves(self) -> Relative:
        if self.relative == 0:
            raise ValueError("no change at all, so there is nothing to reach | Give a part such as 0.10 or -0.10")
        return self


class Delta(Declared):
    """Change by a figure, from the baseline. to_date: as of a relative target."""

    delta: Number
    baseline: Baseline = "previous_period"
    to_date: bool = False

    @model_validator(mode="after")
    def _moves(self) -> Delta:
        if self.delta == 0:
            raise ValueError("no change at all, so there is nothing to reach | Give a figure such as 2 or -2")
        return self


class NotBelow(_Threshold):
    """Stay at or above the baseline."""

    not_below: Baseline


class NotAbove(_Threshold):
    """Stay at or below the baseline."""

    not_above: Baseline


Target = Annotated[
    Annotated[Reach, Tag("value")]
    | Annotated[AtLeast, Tag("at_least")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[Within, Tag("within")]
    | Annotated[Relative, Tag("relative")]
    | Annotated[Delta, Tag("delta")]
    | Annotated[NotBelow, Tag("not_below")]
    | Annotated[NotAbove, Tag("not_above")],
    one_of("target", "value", "at_least", "at_most", "within", "relative", "delta", "not_below", "not_above"),
]

Maintained = AtLeast | AtMost | Within | NotBelow | NotAbove
"""Targets that are kept to, rather than reached: limits."""
