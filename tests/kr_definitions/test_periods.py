"""Cutting time into spans: fiscal years, ISO weeks, leap days, working days, and the spans that a baseline is of."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kr_definitions.declared_periods import FromUntil, Half, Month, Quarter, Year
from kr_definitions.periods import (
    Calendar,
    Every,
    Span,
    days_of,
    previous_span,
    same_span_last_year,
    shift_months,
    window_of,
    windows,
)

MADRID = Calendar("ES-MD")
FROM_JULY = Calendar("ES", fiscal_year_starts=7)
DAYS = st.dates(date(2001, 1, 1), date(2099, 12, 31))


def span(first: str, last: str) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last))


# --- periods ----------------------------------------------------------------------------------------------------------


def test_a_calendar_year_begins_in_january():
    assert span("2026-01-01", "2026-12-31") == Year(year=2026).span(MADRID)


def test_a_fiscal_year_from_july_begins_in_the_year_that_names_it():
    assert span("2026-07-01", "2027-06-30") == Year(year=2026).span(FROM_JULY)


def test_the_third_quarter_of_a_fiscal_year_from_july_is_the_next_calendar_years_first():
    assert span("2027-01-01", "2027-03-31") == Quarter(quarter="2026-Q3").span(FROM_JULY)


def test_the_second_half_of_a_fiscal_year_from_july_ends_in_june():
    assert span("2027-01-01", "2027-06-30") == Half(half="2026-H2").span(FROM_JULY)


def test_a_month_is_of_the_calendar_whatever_the_fiscal_year():
    assert span("2026-02-01", "2026-02-28") == Month(month="2026-02").span(FROM_JULY)


def test_february_of_a_leap_year_has_its_29th():
    assert span("2028-02-01", "2028-02-29") == Month(month="2028-02").span(MADRID)


def test_a_quarter_with_february_29_ends_in_march():
    assert span("2028-01-01", "2028-03-31") == Quarter(quarter="2028-Q1").span(MADRID)


def test_a_period_between_two_days_has_both():
    declared = FromUntil.model_validate({"from": date(2026, 3, 15), "until": date(2026, 3, 15)})
    assert span("2026-03-15", "2026-03-15") == declared.span(MADRID)


# --- windows ----------------------------------------------------------------------------------------------------------


def test_2026_has_an_iso_week_53():
    found = windows("week", Year(year=2026).span(MADRID), MADRID)
    assert (53, span("2025-12-29", "2026-01-04"), span("2026-12-28", "2027-01-03")) == (len(found), found[0], found[-1])


def test_the_days_before_the_first_iso_week_belong_to_the_year_before():
    found = windows("week", Year(year=2027).span(MADRID), MADRID)
    assert (52, span("2027-01-04", "2027-01-10")) == (len(found), found[0])


@given(year=st.integers(2001, 2099))
def test_each_week_belongs_to_the_year_that_iso_gives_it(year):
    found = windows("week", Year(year=year).span(MADRID), MADRID)
    assert {(year, n + 1) for n in range(len(found))} == {week.first.isocalendar()[:2] for week in found}
    assert date(year, 12, 28).isocalendar().week == len(found)


def test_a_quarter_of_13_weeks_has_13_windows():
    assert 13 == len(windows("week", Quarter(quarter="2026-Q2").span(MADRID), MADRID))


def test_months_of_a_fiscal_year_run_from_july_to_june():
    found = windows("month", Year(year=2026).span(FROM_JULY), FROM_JULY)
    assert (12, span("2026-07-01", "2026-07-31"), span("2027-06-01", "2027-06-30")) == (len(found), found[0], found[-1])


def test_a_month_that_the_period_holds_less_than_half_of_is_not_its_window():
    found = windows("month", span("2026-03-20", "2026-05-20"), MADRID)
    assert [span("2026-04-01", "2026-04-30"), span("2026-05-01", "2026-05-31")] == found


def test_february_29_lies_in_a_window_of_29_days():
    assert span("2028-02-01", "2028-02-29") == window_of("month", date(2028, 2, 29))


def test_working_days_leave_out_weekends_and_the_holidays_of_madrid():
    # Thursday and Friday of Holy Week, and 2 May: a Saturday in 2026, a Friday in 2025.
    holy_week = windows("working_day", span("2026-03-30", "2026-04-05"), MADRID)
    assert [date(2026, 3, 30), date(2026, 3, 31), date(2026, 4, 1)] == [day.first for day in holy_week]
    assert not MADRID.is_working_day(date(2025, 5, 2))


def test_2_may_is_a_working_day_outside_madrid():
    assert Calendar("ES").is_working_day(date(2025, 5, 2))


def test_6_january_is_a_holiday_and_7_january_is_not():
    assert [date(2026, 1, 7), date(2026, 1, 8)] == [
        day.first for day in windows("working_day", span("2026-01-06", "2026-01-08"), MADRID)
    ]


def test_the_second_week_of_january_is_a_working_week_in_colombia_but_for_the_moved_epiphany():
    found = windows("working_day", span("2026-01-12", "2026-01-18"), Calendar("CO"))
    assert [date(2026, 1, day) for day in (13, 14, 15, 16)] == [day.first for day in found]


@given(first=DAYS, days=st.integers(1, 500), every=st.sampled_from(["day", "week", "month", "quarter"]))
def test_windows_follow_each_other_and_each_has_its_middle_in_the_period(first: date, days: int, every: Every):
    period = Span(first, first + timedelta(days - 1))
    found = windows(every, period, MADRID)
    assert all(before.last + timedelta(1) == after.first for before, after in pairwise(found))
    assert all(window.middle in period for window in found)


@given(first=DAYS, days=st.integers(1, 400), every=st.sampled_from(["week", "month", "quarter"]))
def test_a_window_is_of_exactly_one_of_two_periods_that_meet(first: date, days: int, every: Every):
    middle = first + timedelta(days)
    one = windows(every, Span(first, middle - timedelta(1)), MADRID)
    other = windows(every, Span(middle, middle + timedelta(days)), MADRID)
    assert windows(every, Span(first, middle + timedelta(days)), MADRID) == one + other


# --- spans that a baseline is of --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "of"),
    [
        (span("2025-01-01", "2025-12-31"), span("2026-01-01", "2026-12-31")),
        (span("2025-10-01", "2025-12-31"), span("2026-01-01", "2026-03-31")),
        (span("2028-01-01", "2028-01-31"), span("2028-02-01", "2028-02-29")),
        (span("2028-02-01", "2028-02-29"), span("2028-03-01", "2028-03-31")),
        (span("2025-12-22", "2025-12-31"), span("2026-01-01", "2026-01-10")),
        (span("2026-03-14", "2026-03-14"), span("2026-03-15", "2026-03-15")),
    ],
)
def test_the_previous_span_is_as_many_months_or_else_as_many_days(before, of):
    assert before == previous_span(of)


@pytest.mark.parametrize(
    ("before", "of"),
    [
        (span("2025-01-01", "2025-12-31"), span("2026-01-01", "2026-12-31")),
        (span("2027-02-01", "2027-02-28"), span("2028-02-01", "2028-02-29")),
        (span("2028-02-01", "2028-02-29"), span("2029-02-01", "2029-02-28")),
        (span("2027-02-28", "2027-02-28"), span("2028-02-29", "2028-02-29")),
        (span("2025-03-15", "2025-04-14"), span("2026-03-15", "2026-04-14")),
        (span("2025-12-15", "2026-01-14"), span("2026-12-15", "2027-01-14")),
    ],
)
def test_the_same_span_last_year_ends_with_the_month_that_it_ended_with(before, of):
    assert before == same_span_last_year(of)


def test_a_month_after_31_january_is_the_last_of_february():
    assert (date(2026, 2, 28), date(2028, 2, 29)) == (
        shift_months(date(2026, 1, 31), 1),
        shift_months(date(2028, 1, 31), 1),
    )


def test_a_month_before_january_is_december_of_the_year_before():
    assert date(2025, 12, 15) == shift_months(date(2026, 1, 15), -1)


@given(first=DAYS, days=st.integers(1, 800))
def test_the_previous_span_ends_on_the_eve_and_last_years_never_reaches_into_it(first: date, days: int):
    whole = Span(first, first + timedelta(days - 1))
    assert first - timedelta(1) == previous_span(whole).last
    assert same_span_last_year(whole).first == shift_months(first, -12)
    assert days == len(list(days_of(whole)))
