"""What a key result is: the models of a declaration.

Belongs here: the words of a declaration and what makes one wrong by itself. Does not: YAML (`documents`), measures
(`measures`), whether event types exist (`catalogue` asks the vocabulary), how progress is computed (`progress`).

Each kind of target and period is a small model of its own, told apart by the key that it has: there is no bag of
optional fields in which half of the combinations mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, Tag, field_validator, model_validator

from kr_definitions.measures import Measure
from kr_definitions.organisation import ID_PART, Declared, Title
from kr_definitions.periods import Calendar, Every, Span, shift_months
from kr_definitions.words import Days, EventType, Number, TextColumn, like, listed, one_of

_DOTTED = rf"{ID_PART}(\.{ID_PART})+"


def _dotted(text: str) -> str:
    if not re.fullmatch(_DOTTED, text):
        raise ValueError("not an id | Use organisation.team.name: small letters, digits, - and _, joined by dots")
    return text


DottedId = Annotated[str, AfterValidator(_dotted), like(_DOTTED)]


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


# --- periods ----------------------------------------------------------------------------------------------------------

_QUARTER, _HALF, _MONTH = r"20[0-9]{2}-Q[1-4]", r"20[0-9]{2}-H[12]", r"20[0-9]{2}-(0[1-9]|1[0-2])"


class Year(Declared):
    """The organisation's (fiscal) year that begins in this year."""

    year: int = Field(ge=2000, le=2100)

    def span(self, calendar: Calendar) -> Span:
        return calendar.fiscal_year(self.year)


class Quarter(Declared):
    """A quarter of the organisation's (fiscal) year, as 2026-Q3."""

    quarter: Annotated[str, like(_QUARTER)]

    @field_validator("quarter")
    @classmethod
    def _written(cls, text: str) -> str:
        return _matched(text, _QUARTER, "a quarter", "2026-Q3")

    def span(self, calendar: Calendar) -> Span:
        return _part_of_year(calendar, int(self.quarter[:4]), int(self.quarter[-1]), months=3)


class Half(Declared):
    """A half of the organisation's (fiscal) year, as 2026-H1."""

    half: Annotated[str, like(_HALF)]

    @field_validator("half")
    @classmethod
    def _written(cls, text: str) -> str:
        return _matched(text, _HALF, "a half-year", "2026-H1")

    def span(self, calendar: Calendar) -> Span:
        return _part_of_year(calendar, int(self.half[:4]), int(self.half[-1]), months=6)


class Month(Declared):
    """A calendar month, as 2026-07."""

    month: Annotated[str, like(_MONTH)]

    @field_validator("month")
    @classmethod
    def _written(cls, text: str) -> str:
        return _matched(text, _MONTH, "a month", "2026-07")

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


class Happening(Declared):
    """The first event of this type (where: of such) that ever happened."""

    event: EventType
    where: str | None = None


class MonthsFrom(Declared):
    """So many months from the day of an event, that day included: `{from_event: {event: …}, months: 4}`."""

    from_event: Happening
    months: int = Field(ge=1, le=120)

    def span_of(self, day: date) -> Span:
        """The period, where the event happened on this day."""
        return Span(day, shift_months(day, self.months) - timedelta(days=1))


class MonthOf(Declared):
    """The calendar month in which an event happened: the launch month of a product."""

    month_of: Happening

    def span_of(self, day: date) -> Span:
        """The period, where the event happened on this day."""
        first = day.replace(day=1)
        return Span(first, shift_months(first, 1) - timedelta(days=1))


FixedPeriod = Annotated[
    Annotated[Year, Tag("year")]
    | Annotated[Quarter, Tag("quarter")]
    | Annotated[Half, Tag("half")]
    | Annotated[Month, Tag("month")]
    | Annotated[FromUntil, Tag("from")],
    one_of("period", "year", "quarter", "half", "month", "from"),
]
"""A period that the calendar alone says."""

Period = Annotated[
    Annotated[Year, Tag("year")]
    | Annotated[Quarter, Tag("quarter")]
    | Annotated[Half, Tag("half")]
    | Annotated[Month, Tag("month")]
    | Annotated[FromUntil, Tag("from")]
    | Annotated[MonthsFrom, Tag("from_event")]
    | Annotated[MonthOf, Tag("month_of")],
    one_of("period", "year", "quarter", "half", "month", "from", "from_event", "month_of"),
]


def _matched(text: str, pattern: str, what: str, example: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(f"not {what} | Write it as {example}")
    return text


def _part_of_year(calendar: Calendar, year: int, number: int, months: int) -> Span:
    first = shift_months(calendar.fiscal_year(year).first, (number - 1) * months)
    return Span(first, shift_months(first, months) - timedelta(days=1))


# --- objectives and key results ---------------------------------------------------------------------------------------


Level = Literal["company", "team", "individual", "initiative", "objective"]
"""Whose result it is; `objective`: it measures the objective itself."""


class Each(Declared):
    """The figure must hold for every member of a dimension: `each: {dimension: market, members: [norte, sur]}`.

    members: their names; or, with `seen_in`, those that events of that type name in the period; without
    either, those that the measure's own events of the period name. A member counts from the day on which it is named.
    """

    dimension: Annotated[TextColumn, Field(min_length=1)]
    members: Annotated[tuple[str, ...], BeforeValidator(listed)] | None = Field(default=None, min_length=1)
    seen_in: EventType | None = None

    @model_validator(mode="after")
    def _says_once(self) -> Each:
        if self.members is not None and self.seen_in is not None:
            raise ValueError("both members and seen_in | Keep one of them")
        return self


class _Counted(Declared):
    """What is measured, over which days.

    The value of a day is counted over one of: the window of the calendar that the day lies in (`every`), the last so
    many days (`trailing`), everything since the beginning (`cumulative: ever`), or, with none of these, the period so
    far.
    """

    every: Every | None = None
    trailing: Days | None = None
    cumulative: Literal["period", "ever"] = "period"

    @model_validator(mode="after")
    def _has_one_window(self) -> Self:
        given = [self.every is not None, self.trailing is not None, self.cumulative == "ever"]
        if sum(given) > 1:
            raise ValueError("more than one of every, trailing and cumulative | Keep one of them")
        return self


class Part(_Counted):
    """One of several things that must all be reached."""

    name: str = Field(min_length=1)
    measure: Measure
    target: Target
    weight: Annotated[Number, Field(gt=0)] = Decimal(1)

    @property
    def main(self) -> Measure:
        """The measure."""
        return self.measure


class Guardrail(_Counted):
    """A condition beside the target: while it does not hold, the key result is at risk at best."""

    name: str = Field(min_length=1)
    measure: Measure
    target: Target

    @model_validator(mode="after")
    def _is_a_limit(self) -> Guardrail:
        if not isinstance(self.target, AtLeast | AtMost | Within | NotBelow | NotAbove):
            raise ValueError("a guardrail is a limit | Give at_least, at_most, within, not_below or not_above")
        return self


class KeyResult(_Counted):
    """One key result, or a KPI (type: kpi, which has no target).

    It has a measure and a target, or several of both (`all_of`); a KPI may be counted over more than one window
    (`windows`). feeds_from: the key result of another team whose outcome this one works with.
    """

    id: DottedId
    title: Title
    type: Literal["outcome", "activity", "guardrail", "milestone", "kpi"]
    level: Level
    owner: str = Field(min_length=1)
    measure: Measure | None = None
    target: Target | None = None
    all_of: Annotated[tuple[Part, ...], BeforeValidator(listed)] = ()
    each: Each | None = None
    guardrails: Annotated[tuple[Guardrail, ...], BeforeValidator(listed)] = ()
    windows: Annotated[tuple[Every, ...], BeforeValidator(listed)] = ()
    unit: str | None = None
    period: Period | None = None
    supports: DottedId | None = None
    feeds_from: DottedId | None = None
    why: str = Field(min_length=1)
    weight: Annotated[Number, Field(ge=0, le=1)] | None = None
    unstated: str | None = None

    @model_validator(mode="after")
    def _has_measure(self) -> KeyResult:
        if self.measure is None and not self.all_of:
            raise ValueError("'measure' is missing | Add a measure, or the parts that must all be reached as all_of")
        if self.all_of and (self.measure is not None or self.target is not None):
            raise ValueError("all_of beside a measure or a target of its own | Each part has its own: keep all_of")
        if self.all_of and (self.each is not None or self.every or self.trailing or self.cumulative == "ever"):
            raise ValueError("all_of beside each, every, trailing or cumulative | Give them to the parts")
        if len({part.name for part in self.all_of}) < len(self.all_of):
            raise ValueError("two parts of one name | Give each part a name of its own")
        members = () if self.each is None else self.each.members or ()
        others = {*(part.name for part in self.all_of), *members, *self.windows}
        names = [one.name for one in self.guardrails]
        if len(set(names)) < len(names) or others & set(names):
            raise ValueError("a guardrail has another's name | Give each guardrail, part and member a name of its own")
        return self

    @model_validator(mode="after")
    def _has_target(self) -> KeyResult:
        if self.target is None and not self.all_of and self.type != "kpi":
            raise ValueError("'target' is missing | Add a target, or make it a kpi if it has none")
        if (self.target is not None or self.all_of) and self.type == "kpi":
            raise ValueError("a kpi has no target | Remove the target, or give it another type")
        return self

    @model_validator(mode="after")
    def _has_windows_of_a_kpi(self) -> KeyResult:
        if self.windows and (self.type != "kpi" or self.every or self.trailing or self.cumulative == "ever"):
            raise ValueError("windows is of a kpi, in place of every | Use every, with one window")
        return self

    def measures(self) -> Iterator[tuple[tuple[int | str, ...], Measure]]:
        """Everything that is measured, with its place in the declaration."""
        if self.measure is not None:
            yield ("measure",), self.measure
        for i, part in enumerate(self.all_of):
            yield ("all_of", i, "measure"), part.measure
        for i, guardrail in enumerate(self.guardrails):
            yield ("guardrails", i, "measure"), guardrail.measure

    @property
    def main(self) -> Measure:
        """The measure, or that of the first part."""
        return self.all_of[0].measure if self.measure is None else self.measure


class Objective(Declared):
    """An objective: where to go, whose it is, and for how long. approved_by: who will answer for it and has agreed."""

    id: DottedId
    title: Title
    owner: str = Field(min_length=1)
    period: FixedPeriod
    level: Literal["company", "team", "individual", "initiative"] = "team"
    supports: DottedId | None = None
    why: str | None = None
    approved_by: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    approved_on: date | None = None


class ObjectiveFile(Declared):
    """One YAML file: an objective and its key results."""

    objective: Objective
    key_results: tuple[KeyResult, ...]

    @field_validator("key_results", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value
