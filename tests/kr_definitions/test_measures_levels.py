"""Levels: the last figures observed, what they gained, and what is open, with its value.

What is open by number is in `test_measures`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from builders import event, figures, of_member, on, own, row, value

FOLLOWERS = {"level": "quantity", "of": "followers.observed"}
GAINED = {"gain": "quantity", "of": "followers.observed"}
DEALS = {"opened_by": "deal.created", "closed_by": ["deal.won", "deal.lost"], "value": "amount"}
PIPELINE = {"open": {**DEALS, "valued_by": "deal.amount_changed"}}
KPI = {"type": "kpi"}


def seen(at: str, quantity: str | None, profile: str = "1", **columns: Any) -> dict[str, Any]:
    return event("followers.observed", at, profile, quantity=quantity, **columns)


def deal(what: str, at: str, amount: str | None = None, subject: str = "1", **columns: Any) -> dict[str, Any]:
    return event(f"deal.{what}", at, subject, amount=amount, currency="EUR", **columns)


# --- level ------------------------------------------------------------------------------------------------------------


def test_a_level_is_the_last_figure_observed_and_stays_until_the_next():
    by_day = figures([seen("2026-02-02", "100"), seen("2026-02-05", "90")], "2026-02-06", measure=FOLLOWERS, **KPI)
    assert [None, 100, 100, 90, 90] == [on(by_day, f"2026-02-0{day}") for day in (1, 2, 4, 5, 6)]


def test_a_level_is_the_last_of_the_day_and_not_its_largest():
    events = [seen("2026-02-02 09:00", "100"), seen("2026-02-02 23:59", "80"), seen("2026-02-02 12:00", "120")]
    assert 80 == value("2026-02-02", events, measure=FOLLOWERS, **KPI)


def test_a_level_adds_the_subjects_each_with_its_own_last_figure():
    events = [seen("2026-02-02", "100"), seen("2026-02-03", "7.5", "2"), seen("2026-02-04", "101")]
    by_day = figures(events, "2026-02-04", measure=FOLLOWERS, **KPI)
    assert [(100, 1), (107.5, 2), (108.5, 2)] == [
        (on(by_day, f"2026-02-0{day}"), on(by_day, f"2026-02-0{day}", "events")) for day in (2, 3, 4)
    ]


def test_a_level_of_nothing_is_zero_and_one_that_nobody_observed_is_null():
    assert 0 == value("2026-02-02", [seen("2026-02-02", "0")], measure=FOLLOWERS, **KPI)
    assert (None, None, 0) == row("2026-02-02", [], "value", "numerator", "events", measure=FOLLOWERS, **KPI)


def test_an_observation_without_a_figure_is_none():
    assert 5 == value("2026-02-03", [seen("2026-02-02", "5"), seen("2026-02-03", None)], measure=FOLLOWERS, **KPI)
    assert value("2026-02-03", [seen("2026-02-03", None)], measure=FOLLOWERS, **KPI) is None


def test_two_figures_at_one_instant_are_the_larger_one_in_whatever_order_they_were_told():
    events = [seen("2026-02-02", "5", key="a"), seen("2026-02-02", "7", key="b"), seen("2026-02-02", "6", key="c")]
    assert {7.0} == {value("2026-02-02", some, measure=FOLLOWERS, **KPI) for some in (events, events[::-1])}


def test_a_level_remembers_what_was_observed_before_the_period_and_the_window():
    events = [seen("2019-02-02", "30"), seen("2026-03-01", "40")]
    by_day = figures(events, "2026-03-01", measure=FOLLOWERS, every="month", target={"value": 50})
    assert [30, 30, 40] == [on(by_day, day) for day in ("2026-01-01", "2026-02-28", "2026-03-01")]


def test_a_level_is_known_only_where_all_of_the_past_was_read():
    assert value("2026-02-02", [seen("2026-02-02", "5")], measure=FOLLOWERS, since="2026-01-01", **KPI) is None


def test_a_level_starts_where_it_stood_on_the_eve():
    events = [seen("2025-12-31 23:59", "1000"), seen("2026-01-01 00:00", "1200")]
    told = {"measure": FOLLOWERS, "target": {"delta": 1000, "baseline": "start"}}
    assert (1000, 1000, 2000, 0.2) == row("2026-01-01", events, "baseline", "start", "target", "progress", **told)


def test_a_level_of_every_month_starts_where_it_stood_on_the_eve_too():
    events = [seen("2025-12-31", "1000"), seen("2026-01-10", "1200"), seen("2026-02-10", "2000")]
    told = {"measure": FOLLOWERS, "every": "month", "target": {"delta": 1000, "baseline": "start"}}
    assert (1000, 2000, 0.2) == row("2026-01-31", events, "baseline", "target", "window_progress", **told)
    assert (1000, 2000, 1.0) == row("2026-02-28", events, "baseline", "target", "window_progress", **told)


@pytest.mark.parametrize(("zone", "hours"), [("Europe/Madrid", -1), ("America/Bogota", 5)])
def test_an_observation_is_of_the_day_that_it_was_where_it_was_made(zone, hours):
    midnight = datetime(2026, 2, 3, tzinfo=UTC) + timedelta(hours=hours)
    events = [seen_at(midnight - timedelta(microseconds=1), "5"), seen_at(midnight, "7")]
    by_day = figures(events, "2026-02-03", zone, measure=FOLLOWERS, **KPI)
    assert [5, 7] == [on(by_day, day) for day in ("2026-02-02", "2026-02-03")]


def seen_at(at: datetime, quantity: str) -> dict[str, Any]:
    return event("followers.observed", at, quantity=quantity)


# --- gain -------------------------------------------------------------------------------------------------------------


def test_a_gain_is_the_rise_since_the_last_observation_before_the_window():
    events = [seen("2025-12-20", "1000"), seen("2026-01-10", "1100"), seen("2026-02-10", "1090")]
    by_day = figures(events, "2026-02-10", measure=GAINED, target={"value": 1000})
    assert [0, 100, 100, 90] == [on(by_day, day) for day in ("2026-01-09", "2026-01-10", "2026-02-09", "2026-02-10")]


def test_a_gain_begins_with_the_first_observation_of_each_profile_and_not_at_nothing():
    events = [seen("2026-01-10", "1000"), seen("2026-01-20", "5000", "2"), seen("2026-01-21", "5010", "2")]
    by_day = figures(events, "2026-01-21", measure=GAINED, target={"value": 1000})
    assert [None, 0, 0, 10] == [on(by_day, day) for day in ("2026-01-09", "2026-01-10", "2026-01-20", "2026-01-21")]


def test_a_gain_begins_with_the_first_observation_of_the_first_day():
    events = [seen("2026-01-10 09:00", "1000"), seen("2026-01-10 18:00", "1010"), seen("2026-01-11", "1015")]
    by_day = figures(events, "2026-01-11", measure=GAINED, target={"value": 1000})
    assert [10, 15] == [on(by_day, day) for day in ("2026-01-10", "2026-01-11")]


def test_a_gain_after_days_without_observation_comes_in_one_piece_on_the_day_of_the_next():
    events = [seen("2026-01-31", "100"), seen("2026-03-01", "160")]
    by_day = figures(events, "2026-03-01", measure=GAINED, every="month", target={"value": 50})
    assert [0, 0, 60] == [on(by_day, day) for day in ("2026-01-31", "2026-02-28", "2026-03-01")]


def test_a_gain_may_fall_so_it_is_not_achieved_before_the_end():
    events = [seen("2026-01-01", "100"), seen("2026-01-10", "300"), seen("2026-01-20", "90")]
    by_day = figures(events, "2026-01-20", measure=GAINED, target={"value": 100})
    assert [(200, "on_track"), (-10, "at_risk")] == [
        (on(by_day, day), on(by_day, day, "status")) for day in ("2026-01-10", "2026-01-20")
    ]


def test_each_networks_gain_is_of_its_own_profiles():
    events = [
        seen("2025-12-31", "100", "f", network="facebook"),
        seen("2026-01-05", "1100", "f", network="facebook"),
        seen("2025-12-31", "500", "x", network="x"),
        seen("2026-01-06", "900", "x", network="x"),
    ]
    told = {
        "measure": GAINED,
        "target": {"value": 1000},
        "each": {"dimension": "network", "members": ["x", "facebook"]},
    }
    found = figures(events, "2026-01-06", **told)
    assert (1000, 400) == tuple(on(of_member(found, name), "2026-01-06") for name in ("facebook", "x"))
    assert (1, 2, 0.7) == tuple(on(own(found), "2026-01-06", name) for name in ("value", "target", "progress"))


def test_a_gain_that_nobody_read_is_null():
    assert value("2026-01-10", [], measure=GAINED, target={"value": 10}, covered=None) is None


# --- the value of what is open ----------------------------------------------------------------------------------------


def test_what_is_open_is_worth_what_its_opening_said_until_it_is_said_otherwise():
    events = [
        deal("created", "2026-02-02", "100"),
        deal("created", "2026-02-02", "30", "2"),
        deal("amount_changed", "2026-02-03", "150.50"),
        deal("won", "2026-02-04", "150.50"),
        deal("lost", "2026-02-05", "30", "2"),
    ]
    by_day = figures(events, "2026-02-05", measure=PIPELINE, **KPI)
    assert [130, 180.5, 30, 0] == [on(by_day, f"2026-02-0{day}") for day in (2, 3, 4, 5)]


def test_what_is_worth_more_after_it_was_closed_is_worth_nothing_while_it_is_closed():
    events = [
        deal("created", "2026-02-02", "100"),
        deal("lost", "2026-02-03"),
        deal("amount_changed", "2026-02-04", "9"),
    ]
    by_day = figures([*events, deal("created", "2026-02-05")], "2026-02-05", measure=PIPELINE, **KPI)
    assert [100, 0, 0, 9] == [on(by_day, f"2026-02-0{day}") for day in (2, 3, 4, 5)]


def test_a_value_that_is_told_before_the_opening_holds_from_the_opening_on():
    events = [deal("amount_changed", "2026-02-02", "70"), deal("created", "2026-02-03")]
    by_day = figures(events, "2026-02-03", measure=PIPELINE, **KPI)
    assert [0, 70] == [on(by_day, f"2026-02-0{day}") for day in (2, 3)]


def test_what_was_closed_before_it_was_opened_is_open():
    by_day = figures(
        [deal("won", "2026-02-02", "5"), deal("created", "2026-02-03", "100")], "2026-02-03", measure=PIPELINE, **KPI
    )
    assert [0, 100] == [on(by_day, f"2026-02-0{day}") for day in (2, 3)]


def test_only_what_its_opening_says_is_open_and_any_close_closes_it():
    measure = {"open": {"opened_by": "deal.created", "where": "pipeline = 'a'", "closed_by": "deal.won"}}
    events = [
        deal("created", "2026-02-02", pipeline="a"),
        deal("created", "2026-02-02", subject="2", pipeline="b"),
        deal("created", "2026-02-02", subject="3"),
        deal("won", "2026-02-03", pipeline="b"),
    ]
    by_day = figures(events, "2026-02-03", measure=measure, **KPI)
    assert [1, 0] == [on(by_day, f"2026-02-0{day}") for day in (2, 3)]


def test_an_event_that_opens_only_some_tells_the_value_of_all_that_are_open():
    measure = {
        "open": {
            "opened_by": "deal.stage_entered",
            "where": "stage = 'oferta'",
            "closed_by": "deal.won",
            "value": "amount",
            "valued_by": "deal.stage_entered",
        }
    }
    events = [
        deal("stage_entered", "2026-02-02", "100", stage="oferta"),
        deal("stage_entered", "2026-02-03", "80", stage="contrato"),
    ]
    by_day = figures(events, "2026-02-03", measure=measure, **KPI)
    assert [(100, 1), (80, 2)] == [(on(by_day, d), on(by_day, d, "events")) for d in ("2026-02-02", "2026-02-03")]


def test_a_value_is_exact():
    events = [deal("created", "2026-02-02", "0.1", str(n)) for n in range(3)]
    assert (Decimal("0.300000"),) == row("2026-02-02", events, "numerator", measure=PIPELINE, **KPI)


def test_what_was_opened_in_another_currency_long_ago_is_not_added_to_what_is_open_now():
    events = [
        event("deal.created", "2024-02-02", "1", amount="100", currency="USD"),
        deal("created", "2026-02-02", "100", "2"),
    ]
    assert value("2026-02-03", events, measure=PIPELINE, **KPI) is None


def test_what_another_pipeline_is_worth_in_another_currency_disturbs_nobody():
    measure = {"open": {**DEALS, "where": "pipeline = 'a'"}}
    events = [
        event("deal.created", "2026-02-02", "1", amount="100", currency="USD", pipeline="b"),
        deal("created", "2026-02-02", "70", "2", pipeline="a"),
    ]
    assert 70 == value("2026-02-03", events, measure=measure, **KPI)


@pytest.mark.parametrize(("expected", "at"), [(0, "2026-03-29 23:59"), (1, "2026-03-30 00:00")])
def test_a_day_of_23_hours_ends_at_local_midnight(expected, at):
    events = [deal("created", "2026-03-28"), deal("won", at)]
    assert expected == value("2026-03-29", events, measure={"open": {**DEALS, "value": None}}, **KPI)
