"""Business time: periods, the windows that recur in them, and which days they are made of.

Belongs here: cutting time into spans of whole days in an organisation's calendar. Does not: instants (a day becomes
one only where the log is read, in the organisation's zone), or what is measured in a span.

A span is held by its first and its last day, both included; a window belongs to the period that holds its middle day,
so that an ISO week that straddles New Year belongs to the year that ISO gives it.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

import holidays

Every = Literal["day", "working_day", "week", "month", "quarter"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Whole days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def middle(self) -> date:
        return self.first + timedelta(days=(self.days - 1) // 2)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Calendar:
    """An organisation's working days and fiscal year. country: ISO 3166 code, with a subdivision as `ES-MD`."""

    country: str
    fiscal_year_starts: int = 1  # month

    def is_working_day(self, day: date) -> bool:
        """Monday to Friday and no public holiday of the country (or of its subdivision)."""
        return day.weekday() < 5 and day not in _public_holidays(self.country)

    def fiscal_year(self, year: int) -> Span:
        """The twelve months that begin in `year`, in the month in which the fiscal year starts."""
        first = date(year, self.fiscal_year_starts, 1)
        return Span(first, shift_months(first, 12) - timedelta(days=1))


@cache
def _public_holidays(country: str) -> holidays.HolidayBase:
    code, _, subdivision = country.partition("-")
    return holidays.country_holidays(code, subdiv=subdivision or None)


def shift_months(day: date, months: int) -> date:
    """The same day of another month; the last one of a shorter month (31 January + 1 month is 28 or 29 February)."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def window_of(every: Every, day: date, fiscal_year_starts: int = 1) -> Span:
    """The window of the calendar that a day lies in (for `working_day`: the day itself).

    fiscal_year_starts: the month; quarters are those of the fiscal year.
    """
    if every in ("day", "working_day"):
        return Span(day, day)
    if every == "week":
        first = day - timedelta(days=day.weekday())
        return Span(first, first + timedelta(days=6))
    months = 1 if every == "month" else 3
    first = shift_months(date(day.year, day.month, 1), -((day.month - fiscal_year_starts) % months))
    return Span(first, shift_months(first, months) - timedelta(days=1))


def windows(every: Every, period: Span, calendar_: Calendar) -> list[Span]:
    """The windows that belong to a period, in order; a working day's only on working days."""
    found = []
    starts = calendar_.fiscal_year_starts
    day = window_of(every, period.first, starts).first
    while day <= period.last:
        window = window_of(every, day, starts)
        if window.middle in period and (every != "working_day" or calendar_.is_working_day(day)):
            found.append(window)
        day = window.last + timedelta(days=1)
    return found


def window_before(every: Every, window: Span, calendar_: Calendar) -> Span:
    """The window just before one: for working days, the last day that was worked."""
    day = window.first - timedelta(days=1)
    while every == "working_day" and not calendar_.is_working_day(day):
        day -= timedelta(days=1)
    return window_of(every, day, calendar_.fiscal_year_starts)


def same_day_of(span: Span, day: date, other: Span) -> date:
    """The day of another span that is as far into it as a day is into its own; its last day at the span's end.

    Where both begin on one day of the year (the same span of another year), it is the same date.
    """
    if day >= span.last:
        return other.last
    if (span.first.month, span.first.day) == (other.first.month, other.first.day):
        return min(shift_months(day, (other.first.year - span.first.year) * 12), other.last)
    return min(other.first + (day - span.first), other.last)


def days_of(span: Span) -> Iterator[date]:
    """Each day of a span."""
    return (span.first + timedelta(days=n) for n in range(span.days))


def previous_span(span: Span) -> Span:
    """The span of equal length just before: whole months before whole months, else as many days."""
    months = _whole_months(span)
    last = span.first - timedelta(days=1)
    first = shift_months(span.first, -months) if months else span.first - timedelta(days=span.days)
    return Span(first, last)


def same_span_last_year(span: Span) -> Span:
    """The span twelve months earlier; one that ends with a month ends with it there too (28 or 29 February)."""
    first = shift_months(span.first, -12)
    if (span.last + timedelta(days=1)).day == 1:
        return Span(first, shift_months(span.last + timedelta(days=1), -12) - timedelta(days=1))
    return Span(first, shift_months(span.last, -12))


def _whole_months(span: Span) -> int:
    end = span.last + timedelta(days=1)
    if span.first.day != 1 or end.day != 1:
        return 0
    return (end.year - span.first.year) * 12 + end.month - span.first.month
