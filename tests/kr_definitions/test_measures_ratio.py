"""One value over another of the same window."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from builders import event, figures, on, row, value

KPI = {"type": "kpi"}
COLUMNS = ("value", "numerator", "denominator", "events")
WON = {"sum": "amount", "of": "deal.won"}
SPENT = {"sum": "amount", "of": "expense.recorded"}


def money(event_type: str, day: str, amount: str, currency: str = "EUR", **columns: Any) -> dict[str, Any]:
    return event(event_type, day, f"{day} {amount}", amount=amount, currency=currency, **columns)


def over(numerator: Any, denominator: Any, **more: Any) -> dict[str, Any]:
    return {"ratio": {"numerator": numerator, "denominator": denominator, **more}}


WIN_RATE = over({"count": "deal.won"}, {"count": ["deal.won", "deal.lost"]})
RETURN = over(WON, SPENT, minus=SPENT)


def test_a_ratio_keeps_both_of_its_values():
    events = [event("deal.won", "2026-02-01", "1"), *(event("deal.lost", "2026-02-02", n) for n in "234")]
    by_day = figures(events, "2026-02-02", measure=WIN_RATE, **KPI)
    assert [(1, 1, 1, 2), (0.25, 1, 4, 5)] == [
        tuple(on(by_day, day, name) for name in COLUMNS) for day in ("2026-02-01", "2026-02-02")
    ]


def test_a_ratio_over_nothing_is_null_and_of_nothing_is_zero():
    assert (None, 0, 0, 0) == row("2026-02-01", [], *COLUMNS, measure=WIN_RATE, **KPI)
    assert 0 == value("2026-02-01", [event("deal.lost", "2026-02-01")], measure=WIN_RATE, **KPI)


def test_what_is_taken_off_the_numerator_may_leave_less_than_nothing():
    events = [money("deal.won", "2026-02-01", "150"), money("expense.recorded", "2026-02-01", "100")]
    assert (0.5, 50, 100, 3) == row("2026-02-01", events, *COLUMNS, measure=RETURN, **KPI)
    assert (-1, -100, 100, 2) == row("2026-02-01", events[1:], *COLUMNS, measure=RETURN, **KPI)


def test_both_values_are_of_the_same_window():
    events = [
        money("deal.won", "2026-01-31 23:59", "10"),
        money("expense.recorded", "2026-01-31 23:59", "5"),
        money("deal.won", "2026-02-01 00:00", "30"),
        money("expense.recorded", "2026-02-28 23:59", "10"),
    ]
    by_day = figures(events, "2026-02-28", measure=over(WON, SPENT), every="month", target={"at_least": 2})
    assert [2, None, 3] == [on(by_day, day) for day in ("2026-01-31", "2026-02-27", "2026-02-28")]


def test_a_quota_is_a_figure():
    measure = over(WON, {"figure": 400})
    events = [money("deal.won", "2026-02-01", "100.1")]
    assert (0.25025, Decimal("100.1"), Decimal(400), 1) == row("2026-02-01", events, *COLUMNS, measure=measure, **KPI)
    assert 0 == value("2026-01-31", [], measure=measure, **KPI)


def test_a_quota_needs_no_reading_but_what_is_held_against_it_does():
    assert value("2026-02-01", [], measure=over(WON, {"figure": 400}), covered=None, **KPI) is None


def test_each_operand_has_its_own_filter_and_cohort():
    measure = over(
        {**WON, "among": {"had": "product.launched", "key": "product"}}, {**WON, "where": "product is not null"}
    )
    events = [
        event("product.launched", "2026-01-15", product="nova"),
        money("deal.won", "2026-02-01", "30", product="nova"),
        money("deal.won", "2026-02-01", "70", product="sol"),
        money("deal.won", "2026-02-01", "900"),
    ]
    assert (0.3, 30, 100, 3) == row("2026-02-01", events, *COLUMNS, measure=measure, **KPI)


def test_different_ones_a_gain_and_a_level_can_be_held_against_each_other():
    measure = over({"gain": "quantity", "of": "followers.observed"}, {"level": "quantity", "of": "followers.observed"})
    events = [
        event("followers.observed", "2025-12-31", quantity="80"),
        event("followers.observed", "2026-02-01", quantity="100"),
    ]
    assert (0.2, 20, 100) == row("2026-02-01", events, *COLUMNS[:3], measure=measure, **KPI)
    assert value("2026-02-01", [], measure=measure, **KPI) is None
    accounts = over(
        {"distinct": "account_id", "of": "deal.won"},
        {"open": {"opened_by": "subscription.started", "closed_by": "subscription.ended"}},
    )
    events = [
        event("subscription.started", "2019-05-01", "1"),
        event("subscription.started", "2026-02-01", "2"),
        *(event("deal.won", "2026-02-01", n, account_id="a") for n in "12"),
    ]
    assert (0.5, 1, 2) == row("2026-02-01", events, *COLUMNS[:3], measure=accounts, **KPI)


# --- held against a series that comes month by month -----------------------------------------------------------------

MARKET = {"sum": "amount", "of": "market.measured"}
SHARE = over(WON, MARKET, up_to_last=True)


def test_what_came_after_the_last_month_that_was_measured_waits_for_the_next():
    events = [
        money("deal.won", "2026-01-10", "10"),
        money("deal.won", "2026-01-31", "10"),
        money("market.measured", "2026-01-31", "200"),
        money("deal.won", "2026-02-01", "40"),
        money("market.measured", "2026-02-28", "300"),
    ]
    by_day = figures(events, "2026-03-01", measure=SHARE, **KPI)
    days = ("2026-01-30", "2026-01-31", "2026-02-27", "2026-02-28", "2026-03-01")
    assert [(None, 0), (0.1, 20), (0.1, 20), (0.12, 60), (0.12, 60)] == [
        (on(by_day, day), on(by_day, day, "numerator")) for day in days
    ]
    plain = figures(events, "2026-02-27", measure=over(WON, MARKET), **KPI)
    assert 0.3 == on(plain, "2026-02-27")


def test_the_last_month_that_was_measured_before_the_window_measures_nothing_in_it():
    events = [money("market.measured", "2025-12-31", "200"), money("deal.won", "2026-01-10", "10")]
    assert (None, 0, 0) == row("2026-01-10", events, *COLUMNS[:3], measure=SHARE, **KPI)


def test_different_customers_up_to_the_last_measured_month_are_counted_up_to_it():
    measure = over({"distinct": "account_id", "of": "deal.won"}, MARKET, up_to_last=True)
    events = [
        event("deal.won", "2026-01-10", "1", account_id="a"),
        money("market.measured", "2026-01-31", "2"),
        event("deal.won", "2026-02-10", "2", account_id="b"),
    ]
    by_day = figures(events, "2026-02-10", measure=measure, **KPI)
    assert [None, 0.5, 0.5] == [on(by_day, day) for day in ("2026-01-30", "2026-01-31", "2026-02-10")]


# --- currencies -------------------------------------------------------------------------------------------------------


def test_a_foreign_amount_in_any_of_the_values_leaves_no_ratio():
    events = [money("deal.won", "2026-02-01", "150"), money("expense.recorded", "2026-02-02", "100", currency="USD")]
    by_day = figures(events, "2026-03-01", measure=over(WON, {"figure": 100}, minus=SPENT), **KPI)
    assert [1.5, None, None] == [on(by_day, day) for day in ("2026-02-01", "2026-02-02", "2026-03-01")]


def test_a_foreign_amount_that_is_long_gone_leaves_the_ratio_of_a_window_alone():
    events = [money("deal.won", "2025-02-01", "1", currency="USD"), money("deal.won", "2026-02-02", "50")]
    assert 0.5 == value("2026-02-02", events, measure=over(WON, {"figure": 100}), **KPI)
