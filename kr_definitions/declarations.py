"""What a key result is: the models of a declaration.

Belongs here: the words of a declaration and what makes one wrong by itself. Does not: YAML (`documents`), measures
(`measures`), whether event types exist (`catalogue` asks the vocabulary), how progress is computed (`progress`).

Each kind of target and period is a small model of its own, told apart by the key that it has: there is no bag of
optional fields in which half of the combinations mean nothing.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Tag, WithJsonSchema, field_validator, model_validator

from kr_definitions.measures import Measure
from kr_definitions.organisation import Declared, Title
from kr_definitions.periods import Calendar, Every, Span, shift_months
from kr_definitions.words import Number, listed, one_of

_NAME = r"[a-z][a-z0-9_-]{0,62}"


def _dotted(text: str) -> str:
    if not re.fullmatch(rf"{_NAME}(\.{_NAME})+", text):
        raise ValueError("not an id | Use organisation.team.name: small letters, digits, - and _, joined by dots")
    return text


def _span_of_days(value: Any) -> Any:
    found = re.fullmatch(r"([1-9][0-9]{0,3}) days?", str(value))
    if not found:
        raise ValueError("not a number of days | Write it as in '90 days'")
    return int(found[1])


DottedId = Annotated[str, AfterValidator(_dotted)]
Days = Annotated[
    int, BeforeValidator(_span_of_days), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3} days?$"})
]


# --- targets ----------------------------------------------------------------------------------------------------------


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
    """Stay at or above a figure."""

    at_least: Number


class AtMost(_Threshold):
    """Stay at or below a figure."""

    at_most: Number


class Within(Declared):
    """Stay between two figures, both included."""

    within: Annotated[tuple[Number, Number], BeforeValidator(listed)]

    @model_validator(mode="after")
    def _in_order(self) -> Within:
        if self.within[0] >= self.within[1]:
            raise ValueError("the first figure is not below the second | Write the lower one first")
        return self


class Relative(Declared):
    """Change by a part of the baseline: 0.10 is 10 % more than it, -0.10 is 10 % less."""

    relative: Number
    baseline: Literal["previous_year", "previous_period", "start"]

    @model_validator(mode="after")
    def _moves(self) -> Relative:
        if self.relative == 0:
            raise ValueError("no change at all, so there is nothing to reach | Give a part such as 0.10 or -0.10")
        return self


class Delta(Declared):
    """Change by a figure, from the baseline."""

    delta: Number
    baseline: Literal["previous_year", "previous_period", "start"]

    @model_validator(mode="after")
    def _moves(self) -> Delta:
        if self.delta == 0:
            raise ValueError("no change at all, so there is nothing to reach | Give a figure such as 2 or -2")
        return self


Target = Annotated[
    Annotated[Reach, Tag("value")]
    | Annotated[AtLeast, Tag("at_least")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[Within, Tag("within")]
    | Annotated[Relative, Tag("relative")]
    | Annotated[Delta, Tag("delta")],
    one_of("target", "value", "at_least", "at_most", "within", "relative", "delta"),
]


# --- periods ----------------------------------------------------------------------------------------------------------


class Year(Declared):
    """The organisation's (fiscal) year that begins in this year."""

    year: int = Field(ge=2000, le=2100)

    def span(self, calendar: Calendar) -> Span:
        return calendar.fiscal_year(self.year)


class Quarter(Declared):
    """A quarter of the organisation's (fiscal) year, as 2026-Q3."""

    quarter: str

    @field_validator("quarter")
    @classmethod
    def _written(cls, text: str) -> str:
        return _matched(text, r"20\d\d-Q[1-4]", "a quarter", "2026-Q3")

    def span(self, calendar: Calendar) -> Span:
        return _part_of_year(calendar, int(self.quarter[:4]), int(self.quarter[-1]), months=3)


class Half(Declared):
    """A half of the organisation's (fiscal) year, as 2026-H1."""

    half: str

    @field_validator("half")
    @classmethod
    def _written(cls, text: str) -> str:
        return _matched(text, r"20\d\d-H[12]", "a half-year", "2026-H1")

    def span(self, calendar: Calendar) -> Span:
        return _part_of_year(calendar, int(self.half[:4]), int(self.half[-1]), months=6)


class Month(Declared):
    """A calendar month, as 2026-07."""

    month: str

    @field_validator("month")
    @classmethod
    def _written(cls, text: str) -> str:
        return _matched(text, r"20\d\d-(0[1-9]|1[0-2])", "a month", "2026-07")

    def span(self, calendar: Calendar) -> Span:  # noqa: ARG002 - every period is asked alike
        first = date(int(self.month[:4]), int(self.month[5:]), 1)
        return Span(first, shift_months(first, 1) - timedelta(days=1))


class FromUntil(Declared):
    """From a day until another, both included."""

    from_: date = Field(alias="from", ge=date(2000, 1, 1), le=date(2100, 12, 31))
    until: date = Field(ge=date(2000, 1, 1), le=date(2100, 12, 31))

    @model_validator(mode="after")
    def _in_order(self) -> FromUntil:
        if self.until < self.from_:
            raise ValueError(f"it ends ({self.until}) before it begins ({self.from_}) | Swap or correct the days")
        return self

    def span(self, calendar: Calendar) -> Span:  # noqa: ARG002 - every period is asked alike
        return Span(self.from_, self.until)


Period = Annotated[
    Annotated[Year, Tag("year")]
    | Annotated[Quarter, Tag("quarter")]
    | Annotated[Half, Tag("half")]
    | Annotated[Month, Tag("month")]
    | Annotated[FromUntil, Tag("from")],
    one_of("period", "year", "quarter", "half", "month", "from"),
]


def _matched(text: str, pattern: str, what: str, example: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(f"not {what} | Write it as {example}")
    return text


def _part_of_year(calendar: Calendar, year: int, number: int, months: int) -> Span:
    first = shift_months(calendar.fiscal_year(year).first, (number - 1) * months)
    return Span(first, shift_months(first, months) - timedelta(days=1))


# --- objectives and key results ---------------------------------------------------------------------------------------


class KeyResult(Declared):
    """One key result, or a KPI (type: kpi, which has no target).

    The value of a day is counted over one of: the window of the calendar that the day lies in (`every`), the last so
    many days (`trailing`), everything since the beginning (`cumulative: ever`), or, with none of these, the period so
    far.
    """

    id: DottedId
    title: Title
    type: Literal["outcome", "activity", "guardrail", "milestone", "kpi"]
    level: Literal["company", "team", "individual", "initiative"]
    owner: str = Field(min_length=1)
    measure: Measure
    target: Target | None = None
    unit: str | None = None
    every: Every | None = None
    trailing: Days | None = None
    cumulative: Literal["period", "ever"] = "period"
    period: Period | None = None
    supports: DottedId | None = None
    why: str = Field(min_length=1)
    weight: Annotated[Number, Field(ge=0, le=1)] | None = None
    unstated: str | None = None

    @model_validator(mode="after")
    def _has_target(self) -> KeyResult:
        if self.target is None and self.type != "kpi":
            raise ValueError("'target' is missing | Add a target, or make it a kpi if it has none")
        if self.target is not None and self.type == "kpi":
            raise ValueError("a kpi has no target | Remove the target, or give it another type")
        return self

    @model_validator(mode="after")
    def _has_one_window(self) -> KeyResult:
        given = [self.every is not None, self.trailing is not None, self.cumulative == "ever"]
        if sum(given) > 1:
            raise ValueError("more than one of every, trailing and cumulative | Keep one of them")
        return self

    @model_validator(mode="after")
    def _baseline_is_one_figure(self) -> KeyResult:
        if self.every is not None and isinstance(self.target, Relative | Delta):
            raise ValueError("a recurring key result with a baseline | State the figure of each window as value")
        return self


class Objective(Declared):
    """An objective: where to go, whose it is, and for how long."""

    id: DottedId
    title: Title
    owner: str = Field(min_length=1)
    period: Period
    supports: DottedId | None = None
    why: str | None = None


class ObjectiveFile(Declared):
    """One YAML file: an objective and its key results."""

    objective: Objective
    key_results: tuple[KeyResult, ...]

    @field_validator("key_results", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value
