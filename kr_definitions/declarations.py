"""What an objective and a key result are: the models of a declaration.

Belongs here: the words of a declaration and what makes one wrong by itself. Does not: YAML (`documents`), measures
(`measures`), targets (`targets`), periods (`declared_periods`), whether event types exist (`catalogue` asks the
vocabulary), how progress is computed (`progress`).

Each kind of measure, target and period is a small model of its own, told apart by the key that it has: there is no bag
of optional fields in which half of the combinations mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from kr_definitions.declared_periods import FixedPeriod, Period
from kr_definitions.measures import Measure
from kr_definitions.organisation import ID_PART, Declared, Title
from kr_definitions.periods import Every
from kr_definitions.targets import Maintained, Target
from kr_definitions.words import Days, EventType, Number, TextColumn, like, listed

_DOTTED = rf"{ID_PART}(\.{ID_PART})+"


def _dotted(text: str) -> str:
    if not re.fullmatch(_DOTTED, text):
        raise ValueError("not an id | Use organisation.team.name: small letters, digits, - and _, joined by dots")
    return text


DottedId = Annotated[str, AfterValidator(_dotted), like(_DOTTED)]


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
        if not isinstance(self.target, Maintained):
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
