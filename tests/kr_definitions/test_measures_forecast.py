"""How good the forecasts of months were, by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from builders import event, figures, on, row, value

ACCURACY = {"forecast_accuracy": {"forecast": "forecast.stated", "actual": "deal.won"}}
KPI = {"type": "kpi"}
COLUMNS = ("value", "numerator", "denominator")


def forecast(
    at: str | datetime, month: str | None, amount: str | None, deal: str = "1", currency: str = "EUR", **columns: Any
) -> dict[str, Any]:
    about = month and date.fromisoformat(f"{month}-01")
    return event("forecast.stated", at, deal, forecast_month=about, amount=amount, currency=currency, **columns)


def won(at: str, amount: str, deal: str = "1", **columns: Any) -> dict[str, Any]:
    return event("deal.won", at, deal, amount=amount, **{"currency": "EUR", **columns})


def accuracy(events: list[dict[str, Any]], day: str = "2026-02-28", **declared: Any) -> tuple[Any, ...]:
    return row(day, events, *COLUMNS, measure=ACCURACY, **{**KPI, **declared})


def test_it_is_one_less_the_error_over_what_happened():
    assert (0.75, 75, 100) == accuracy([forecast("2026-01-10", "2026-02", "125"), won("2026-02-10", "100")])
    assert (0.75, 75, 100) == accuracy([forecast("2026-01-10", "2026-02", "75"), won("2026-02-10", "100")])
    assert (1, 100, 100) == accuracy([forecast("2026-01-10", "2026-02", "100"), won("2026-02-10", "100")])


def test_months_are_weighed_by_what_happened_in_them_and_their_errors_do_not_cancel_out():
    events = [
        forecast("2025-12-10", "2026-01", "150", "1"),
        won("2026-01-10", "100", "1"),
        forecast("2026-01-10", "2026-02", "250", "2"),
        won("2026-02-10", "300", "2"),
    ]
    by_day = figures(events, "2026-02-28", measure=ACCURACY, **KPI)
    days = ("2026-01-30", "2026-01-31", "2026-02-27", "2026-02-28")
    assert [(None, 0, 0), (0.5, 50, 100), (0.5, 50, 100), (0.75, 300, 400)] == [
        tuple(on(by_day, day, name) for name in COLUMNS) for day in days
    ]


def test_the_deals_of_a_month_are_added_before_they_are_compared():
    events = [
        forecast("2026-01-10", "2026-02", "60", "1"),
        forecast("2026-01-10", "2026-02", "60", "2"),
        won("2026-02-10", "120", "3"),
    ]
    assert (1, 120, 120) == accuracy(events)


def test_of_each_deal_the_last_word_before_the_month_counts():
    events = [
        forecast("2025-06-10", "2026-02", "900"),
        forecast("2026-01-31 23:59", "2026-02", "100"),
        forecast("2026-02-01 00:00", "2026-02", "500"),
        won("2026-02-10", "100"),
    ]
    assert (1, 100, 100) == accuracy(events)


def test_a_deal_that_was_moved_to_another_month_before_the_month_began_is_no_longer_of_it():
    events = [
        forecast("2026-01-10", "2026-02", "100", "1"),
        forecast("2026-01-20", "2026-03", "100", "1"),
        forecast("2026-01-10", "2026-02", "40", "2"),
        won("2026-02-10", "50"),
    ]
    assert (0.8, 40, 50) == accuracy(events)


def test_a_deal_that_was_moved_after_the_month_began_was_forecast_of_both():
    events = [
        forecast("2026-01-10", "2026-02", "100"),
        forecast("2026-02-20", "2026-03", "100"),
        won("2026-03-10", "100"),
    ]
    assert (None, -100, 0) == accuracy(events)
    assert (0, 0, 100) == accuracy(events, "2026-03-31")


def test_a_later_word_of_no_month_withdraws_the_forecast():
    events = [
        forecast("2026-01-10", "2026-02", "100", "1"),
        forecast("2026-01-20", None, None, "1"),
        forecast("2026-01-10", "2026-02", "40", "2"),
        won("2026-02-10", "40"),
    ]
    assert (1, 40, 40) == accuracy(events)


def test_a_deal_that_is_forecast_as_nothing_adds_nothing():
    events = [
        forecast("2026-01-10", "2026-02", "100"),
        forecast("2026-01-20", "2026-02", "0"),
        won("2026-02-10", "40"),
    ]
    assert (0, 0, 40) == accuracy(events)


def test_a_month_that_nobody_forecast_counts_in_neither():
    events = [forecast("2026-01-10", "2026-02", "100"), won("2026-01-10", "999"), won("2026-02-10", "100")]
    assert (1, 100, 100) == accuracy(events)


def test_a_month_whose_only_forecast_was_moved_to_another_month_was_forecast_as_nothing():
    events = [
        forecast("2026-01-10", "2026-02", "100"),
        forecast("2026-01-20", "2026-03", "100"),
        won("2026-02-10", "80"),
        won("2026-03-10", "100"),
    ]
    assert (0, 0, 80) == accuracy(events)
    assert (100 / 180, 100, 180) == accuracy(events, "2026-03-31")


def test_a_forecast_that_was_moved_in_another_currency_spoils_only_the_month_that_it_went_to():
    events = [
        forecast("2025-12-10", "2026-01", "100", currency="USD"),
        forecast("2025-12-20", "2026-02", "100", currency="USD"),
        won("2026-01-10", "100"),
        won("2026-02-10", "100"),
    ]
    told = {"measure": ACCURACY, "every": "month", "target": {"at_least": Decimal("0.8")}}
    assert [0, None] == [value(day, events, **told) for day in ("2026-01-31", "2026-02-28")]


def test_an_error_larger_than_what_happened_is_below_nothing():
    assert (-1, -50, 50) == accuracy([forecast("2026-01-10", "2026-02", "150"), won("2026-02-10", "50")])


def test_a_month_in_which_nothing_happened_has_no_value_and_tells_of_its_error():
    assert (None, -100, 0) == accuracy([forecast("2026-01-10", "2026-02", "100")])


def test_only_whole_months_of_the_window_that_have_ended_count():
    events = [
        forecast("2025-12-10", "2026-01", "100"),
        won("2026-01-20", "100"),
        forecast("2026-01-10", "2026-02", "100", "2"),
        won("2026-02-10", "50"),
    ]
    period = {"from": date(2026, 1, 15), "until": date(2026, 3, 15)}
    assert (0, 0, 50) == accuracy(events, "2026-03-15", period=period)


def test_29_february_is_of_its_month():
    events = [forecast("2028-01-10", "2028-02", "100"), won("2028-02-29 23:59", "100")]
    told = {"period": {"year": 2028}, "covered": "2028-12-31"}
    assert (None, 0, 0) == accuracy(events, "2028-02-28", **told)
    assert (1, 100, 100) == accuracy(events, "2028-02-29", **told)


@pytest.mark.parametrize(("zone", "utc_hour"), [("Europe/Madrid", 23), ("America/Bogota", 5)])
def test_a_month_begins_at_midnight_on_the_organisations_clock(zone, utc_hour):
    midnight = datetime(2026, 1, 31, 23, tzinfo=UTC) if utc_hour == 23 else datetime(2026, 2, 1, 5, tzinfo=UTC)
    events = [
        forecast(midnight - timedelta(microseconds=1), "2026-02", "100"),
        forecast(midnight, "2026-02", "700"),
        won("2026-02-10", "100"),
    ]
    assert (1, 100, 100) == accuracy(events, zone=zone)


def test_the_forecast_and_what_happened_have_their_own_filters():
    measure = {
        "forecast_accuracy": {
            **ACCURACY["forecast_accuracy"],
            "where": "pipeline = 'a'",
            "actual_where": "pipeline = 'a'",
        }
    }
    events = [
        forecast("2026-01-10", "2026-02", "100", "1", pipeline="a"),
        forecast("2026-01-10", "2026-02", "900", "2", pipeline="b"),
        won("2026-02-10", "80", "1", pipeline="a"),
        won("2026-02-10", "900", "2", pipeline="b"),
    ]
    assert (0.75, 60, 80) == row("2026-02-28", events, *COLUMNS, measure=measure, **KPI)


def test_what_was_forecast_long_before_the_window_must_have_been_read():
    events = [forecast("2025-01-10", "2026-02", "100"), won("2026-02-10", "100")]
    assert (None, None, None) == accuracy(events, since="2025-06-01")


def test_an_empty_log_has_no_accuracy():
    assert (None, 0, 0) == accuracy([])


def test_a_forecast_in_another_currency_spoils_the_month_that_it_is_of_and_no_other():
    events = [
        forecast("2025-12-10", "2026-01", "100", "1", currency="USD"),
        forecast("2025-12-10", "2026-02", "100", "2"),
        won("2026-02-10", "100"),
    ]
    told = {"measure": ACCURACY, "every": "month", "target": {"at_least": Decimal("0.8")}}
    assert value("2026-01-31", events, **told) is None
    assert 1 == value("2026-02-28", events, **told)
