"""Periods as a declaration says them: a year, a part of one, two days, or months that begin with an event.

Belongs here: a small model for each kind of period, told apart by the key that it has, and the days that it spans. Does
not: how an organisation's year and windows are cut (`periods`).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated

from pydantic import Field, Tag, field_validator, model_validator

from kr_definitions.organisation import Declared
from kr_definitions.periods import Calendar, Span, shift_months
from kr_definitions.words import EventType, like, one_of

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


_OfCalendar = (
    Annotated[Year, Tag("year")]
    | Annotated[Quarter, Tag("quarter")]
    | Annotated[Half, Tag("half")]
    | Annotated[Month, Tag("month")]
    | Annotated[FromUntil, Tag("from")]
)
_KEYS = ("year", "quarter", "half", "month", "from")

FixedPeriod = Annotated[_OfCalendar, one_of("period", *_KEYS)]
"""A period that the calendar alone says."""

Period = Annotated[
    _OfCalendar | Annotated[MonthsFrom, Tag("from_event")] | Annotated[MonthOf, Tag("month_of")],
    one_of("period", *_KEYS, "from_event", "month_of"),
]


def _matched(text: str, pattern: str, what: str, example: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(f"not {what} | Write it as {example}")
    return text


def _part_of_year(calendar: Calendar, year: int, number: int, months: int) -> Span:
    first = shift_months(calendar.fiscal_year(year).first, (number - 1) * months)
    return Span(first, shift_months(first, months) - timedelta(days=1))
