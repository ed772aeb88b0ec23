"""What a target is relative to, day by day, and periods that events name."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from builders import LOADED_AT, definition, event, facts, figures, log, on, organisation, row, value

from kr_definitions.compute import compute, resolved
from kr_definitions.coverage import Feeds
from pipelines.event_log import statements

WON = {"count": "deal.won"}
SPENT = {"sum": "amount", "of": "expense.recorded"}
GOOD = {"share": {"of": "survey.answered", "reached": "rating = 'good'"}}
OPEN = {"open": {"opened_by": "ticket.created", "closed_by": "ticket.solved"}}
TENTH = Decimal("0.1")
GOAL = ("baseline", "start", "target", "progress")


def won(*days: str) -> list[dict[str, Any]]:
    return [event("deal.won", day, f"{day} {n}") for n, day in enumerate(days)]


def spent(day: str, amount: str, currency: str = "EUR") -> dict[str, Any]:
    return event("expense.recorded", day, f"{day} {amount}", amount=amount, currency=currency)


def answered(day: str, *ratings: str) -> list[dict[str, Any]]:
    return [event("survey.answered", day, f"{day} {n}", rating=rating) for n, rating in enumerate(ratings)]


# --- baselines --------------------------------------------------------------------------------------------------------


def test_without_a_name_the_baseline_is_the_period_before():
    events = won("2025-09-30 23:59", "2025-10-01 00:00", "2025-12-31 23:59", "2026-01-01 00:00")
    told = {"measure": WON, "period": {"quarter": "2026-Q1"}, "target": {"delta": 2}}
    assert (2, 0, 4, 0.25) == row("2026-01-01", events, *GOAL, **told)


@pytest.mark.parametrize(("expected", "baseline"), [(3, "previous_period"), (1, "previous_year")])
def test_a_baseline_of_a_fiscal_quarter_is_that_of_the_fiscal_year(expected, baseline):
    # The first quarter of the fiscal year 2026 is July to September.
    events = won("2026-04-01", "2026-05-01", "2026-06-30", "2025-09-30", "2026-03-31", "2025-10-01")
    told = {"measure": WON, "period": {"quarter": "2026-Q1"}, "of": {"fiscal_year_starts": 7}}
    assert expected == value("2026-07-01", events, "baseline", target={"delta": 1, "baseline": baseline}, **told)


def test_the_baseline_of_what_recurs_is_the_mean_of_the_windows_before():
    # The quarter before has 13 weeks that belong to it, of which two had calls.
    events = [event("call.made", day, str(n)) for n, day in enumerate(["2026-07-06"] * 6 + ["2026-09-28"] * 99)]
    events += [event("call.made", "2026-08-03", f"b{n}") for n in range(7)]
    told = {"measure": {"count": "call.made"}, "every": "week", "period": {"quarter": "2026-Q4"}}
    found = row("2026-10-05", events, "baseline", "target", target={"relative": Decimal("0.5")}, **told)
    assert (1, 1.5) == found


def test_a_window_with_nothing_to_measure_counts_in_no_mean():
    events = [*answered("2025-10-10", "good"), *answered("2025-12-10", "bad")]
    told = {"measure": GOOD, "every": "month", "period": {"quarter": "2026-Q1"}}
    assert 0.5 == value("2026-01-01", events, "baseline", target={"relative": TENTH}, **told)


def test_a_window_of_two_currencies_leaves_no_mean():
    events = [spent("2025-10-10", "100"), spent("2025-11-10", "100", "USD"), spent("2026-01-01", "1")]
    told = {"measure": SPENT, "every": "month", "period": {"quarter": "2026-Q1"}, "target": {"relative": TENTH}}
    assert (None, None, None) == row("2026-01-01", events, "baseline", "target", "progress", **told)


def test_not_below_and_not_above_hold_while_the_value_is_at_the_baseline():
    events = [*answered("2025-06-01", "good", "bad"), *answered("2026-01-01", "good"), *answered("2026-01-02", "bad")]
    events += answered("2026-01-03", "bad")
    told = {"measure": GOOD, "period": {"year": 2026}}
    below = figures(events, "2026-01-03", target={"not_below": "previous_year"}, **told)
    above = figures(events, "2026-01-03", target={"not_above": "previous_year"}, **told)
    strict = figures(events, "2026-01-03", target={"not_below": "previous_year", "strict": True}, **told)
    days = ("2026-01-01", "2026-01-02", "2026-01-03")  # 1, 1/2, 1/3
    assert [1, 1, 0] == [on(below, day, "progress") for day in days]
    assert [0, 1, 1] == [on(above, day, "progress") for day in days]
    assert [1, 0, 0] == [on(strict, day, "progress") for day in days]
    assert (0.5, None, 0.5, 1) == (*(on(below, days[0], name) for name in GOAL[:3]), on(below, days[0], "expected"))


def test_not_below_by_distance_is_a_part_of_the_baseline():
    events = [*answered("2025-06-01", "good", "bad"), *answered("2026-01-01", "good", "bad", "bad", "bad")]
    told = {"measure": GOOD, "target": {"not_below": "previous_year", "progress": "distance"}}
    assert 0.5 == value("2026-01-01", events, "progress", **told)
    told = {"measure": GOOD, "target": {"not_above": "previous_year", "progress": "distance"}}
    assert 1.5 == value("2026-01-01", events, "progress", **told)


def test_a_baseline_that_nobody_read_is_no_limit():
    told = {"measure": OPEN, "target": {"not_above": "start"}}
    assert (None, None, None, None) == row("2026-01-01", [], *GOAL, covered=None, **told)


def test_the_start_of_a_level_is_the_eve_of_the_period_in_local_time():
    events = [event("ticket.created", at, at) for at in ("2025-12-31 23:59", "2026-01-01 00:00")]
    told = {"measure": OPEN, "target": {"not_above": "start"}}
    assert (1, None, 1, 0) == row("2026-01-01", events, *GOAL, **told)


# --- the window before ------------------------------------------------------------------------------------------------

BEFORE: dict[str, Any] = {"relative": Decimal("0.5"), "baseline": "previous_window"}


def test_each_window_is_held_against_the_one_before():
    events = won("2025-12-31", "2025-12-31", "2026-01-10", "2026-01-10", "2026-01-10", "2026-02-01")
    by_day = figures(events, "2026-02-28", measure=WON, every="month", target=BEFORE)
    assert [(2, 3, 1), (3, 4.5, pytest.approx(1 / 4.5))] == [
        tuple(on(by_day, day, name) for name in ("baseline", "target", "window_progress"))
        for day in ("2026-01-31", "2026-02-28")
    ]
    assert (1, 2) == tuple(on(by_day, "2026-02-28", name) for name in ("windows_met", "windows_closed"))


def test_the_week_before_the_first_one_of_2027_is_the_53rd_of_2026():
    events = won("2026-12-28", "2027-01-03 23:59", "2027-01-04 00:00")
    told = {"measure": WON, "every": "week", "period": {"year": 2027}, "target": BEFORE}
    by_day = figures(events, "2027-01-04", **told)
    assert ("not_started", None) == (on(by_day, "2027-01-03", "status"), on(by_day, "2027-01-03", "baseline"))
    assert (2, 3, date(2027, 1, 4)) == tuple(
        on(by_day, "2027-01-04", name) for name in ("baseline", "target", "window_start")
    )


def test_the_working_day_before_a_monday_is_the_friday_and_holidays_are_passed_over():
    events = won("2026-01-02", "2026-01-02", "2026-01-03", "2026-01-05", "2026-01-07")
    told = {"measure": WON, "every": "working_day", "target": {"delta": 1, "baseline": "previous_window"}}
    by_day = figures(events, "2026-01-07", **told)
    assert [(2, 3), (1, 2)] == [
        (on(by_day, day, "baseline"), on(by_day, day, "target")) for day in ("2026-01-05", "2026-01-07")
    ]


@pytest.mark.parametrize(("starts", "before"), [(7, "2026-04-01"), (2, "2026-05-01")])
def test_the_quarter_before_is_that_of_the_fiscal_year(starts, before):
    told = {"measure": WON, "every": "quarter", "target": BEFORE, "of": {"fiscal_year_starts": starts}}
    first = "2026-07-01" if starts == 7 else "2026-08-01"
    assert 1 == value(
        first, won(before), "baseline", period={"from": date.fromisoformat(first), "until": date(2027, 1, 31)}, **told
    )


def test_a_window_after_one_of_nothing_has_nothing_to_reach_and_counts_in_nothing():
    events = won("2025-12-31", "2026-01-10", "2026-01-11", "2026-03-10", "2026-04-10")
    by_day = figures(events, "2026-04-30", measure=WON, every="month", target=BEFORE)
    # January 2 of 1.5; February 0 of 3; March after nothing; April 1 of 1.5.
    assert (pytest.approx((1 + 0 + 2 / 3) / 3), 1, 3) == tuple(
        on(by_day, "2026-04-30", name) for name in ("progress", "windows_met", "windows_closed")
    )
    assert (0.5, 2) == tuple(on(by_day, "2026-03-31", name) for name in ("progress", "windows_closed"))


def test_a_first_window_after_one_of_nothing_has_not_started():
    assert ("not_started", None, 0) == row(
        "2026-01-31",
        won("2026-01-10"),
        "status",
        "progress",
        "windows_closed",
        measure=WON,
        every="month",
        target=BEFORE,
    )


def test_a_window_after_one_with_nothing_to_measure_counts_in_nothing_and_the_later_ones_count():
    measure = {"duration": {"from": "ticket.created", "to": "ticket.solved"}, "statistic": "mean", "unit": "hours"}
    events = [
        event(f"ticket.{what}", f"{day} {clock}:00", day)
        for day, hours in (("2025-12-10", 4), ("2026-01-10", 2), ("2026-03-10", 6), ("2026-04-10", 3))
        for what, clock in (("created", "08"), ("solved", f"{8 + hours:02}"))
    ]
    target = {"relative": Decimal("-0.5"), "baseline": "previous_window"}
    by_day = figures(events, "2026-04-30", measure=measure, every="month", target=target)
    told = ("baseline", "value", "window_progress", "progress", "windows_closed", "status")
    # February has nothing to measure, and so March nothing to be relative to.
    assert [
        (4, 2, 1, 1, 1, "on_track"),
        (2, None, None, 1, 1, "on_track"),
        (None, 6, None, 1, 1, "on_track"),
        (6, 3, 1, 1, 2, "on_track"),
    ] == [
        tuple(on(by_day, day, name) for name in told)
        for day in ("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30")
    ]


@pytest.mark.parametrize("events", [[], answered("2026-01-05", "good")])
def test_a_baseline_of_nothing_to_measure_leaves_nothing_to_be_relative_to(events):
    target = {"relative": TENTH, "baseline": "previous_period"}
    by_day = figures(events, "2026-03-31", measure=GOOD, period={"quarter": "2026-Q1"}, target=target)
    assert {("not_started", None, None)} == set(by_day.select("status", "baseline", "progress").iter_rows())


def test_a_baseline_that_was_never_observed_is_not_known():
    seen = [event("followers.observed", "2026-01-03", quantity=5)]
    told = {"measure": {"level": "quantity", "of": "followers.observed"}, "target": {"delta": 5, "baseline": "start"}}
    assert (5, None, "unreliable") == row("2026-01-03", seen, "value", "baseline", "status", **told)


def test_a_window_before_the_reading_began_is_not_known():
    told = {"measure": WON, "every": "month", "target": BEFORE, "since": "2026-01-01"}
    assert (1, None, None, "unreliable") == row(
        "2026-01-31", won("2026-01-10"), "value", "target", "progress", "status", **told
    )


# --- to date ----------------------------------------------------------------------------------------------------------

FALL: dict[str, Any] = {
    "measure": SPENT,
    "target": {"relative": -TENTH, "baseline": "previous_year", "to_date": True},
}
TO_DATE = ("baseline", "start", "target", "value", "progress", "expected", "status")


def test_to_date_each_day_is_held_against_the_same_day_of_the_year_before():
    events = [
        spent("2025-01-10", "100"),
        spent("2025-03-01", "300"),
        spent("2026-01-05", "95"),
        spent("2026-03-02", "265"),
    ]
    by_day = figures(events, "2026-03-02", **FALL)
    assert [
        (100, 100, 90, 95, 0.5, 1, "off_track"),
        (400, 400, 360, 95, 7.625, 1, "on_track"),
        (400, 400, 360, 360, 1, 1, "on_track"),
    ] == [tuple(on(by_day, day, name) for name in TO_DATE) for day in ("2026-01-10", "2026-03-01", "2026-03-02")]


def test_to_date_before_anything_was_spent_the_year_before_there_is_no_way_to_go():
    events = [spent("2025-01-10", "100"), spent("2026-01-05", "5")]
    assert (0, 0, 0, 5, None, 1, "not_started") == row("2026-01-09", events, *TO_DATE, **FALL)


def test_to_date_a_year_after_one_of_nothing_has_not_started_on_its_last_day_either():
    assert "not_started" == value("2026-12-31", [spent("2026-01-05", "5")], "status", **FALL)


def test_to_date_a_total_is_forecast_to_go_on_as_it_went_since_nothing():
    events = [spent("2025-01-10", "400"), spent("2026-01-05", "360")]
    assert (400, 1800) == row("2026-03-14", events, "baseline", "forecast", **FALL)  # day 73 of 365


def test_to_date_the_last_day_decides():
    events = [spent("2025-12-31 23:59", "100"), spent("2026-12-31 23:59", "90")]
    assert "achieved" == value("2026-12-31", events, "status", **FALL)
    assert "missed" == value("2026-12-31", [*events, spent("2026-12-31", "1")], "status", **FALL)


def test_to_date_may_grow_too():
    told = {"measure": WON, "target": {"delta": 2, "baseline": "previous_year", "to_date": True}}
    assert (1, 1, 3, 0.5) == row("2026-02-01", won("2025-02-01", "2026-01-10", "2026-02-01"), *GOAL, **told)


@pytest.mark.parametrize(
    ("expected", "day", "period"),
    [
        (1, "2028-02-28", {"year": 2028}),
        (1, "2028-02-29", {"year": 2028}),
        (2, "2028-03-01", {"year": 2028}),
        (2, "2028-02-29", {"month": "2028-02"}),
        (0, "2029-02-27", {"year": 2029}),
        (3, "2029-02-28", {"year": 2029}),
        (7, "2029-02-28", {"month": "2029-02"}),
    ],
)
def test_29_february_to_date(expected, day, period):
    events = won("2027-02-28", "2027-03-01", *["2028-02-28"] * 3, *["2028-02-29"] * 4)
    if "month" in period:
        expected = {"2028-02": 1, "2029-02": 7}[period["month"]]
    told = {
        "measure": WON,
        "target": {"delta": 2, "baseline": "previous_year", "to_date": True},
        "covered": "2029-12-31",
    }
    assert expected == value(day, events, "baseline", period=period, **told)


def test_to_date_a_quarter_is_held_against_the_same_number_of_days_of_the_quarter_before():
    events = won("2026-01-01", "2026-01-30", "2026-01-31", "2026-03-31")
    told = {"measure": WON, "period": {"quarter": "2026-Q2"}}
    target = {"delta": 2, "baseline": "previous_period", "to_date": True}
    by_day = figures(events, "2026-06-30", target=target, **told)
    days = ("2026-04-01", "2026-04-30", "2026-05-01", "2026-06-28", "2026-06-29", "2026-06-30")
    assert [1, 2, 3, 3, 4, 4] == [on(by_day, day, "baseline") for day in days]


def test_to_date_needs_the_year_before_to_have_been_read():
    told = {**FALL, "since": "2025-06-01"}
    assert (None, None, None, 5, None, 1, "unreliable") == row(
        "2026-02-01", [spent("2026-01-05", "5")], *TO_DATE, **told
    )


# --- periods that events name -----------------------------------------------------------------------------------------

LAUNCHED = {"from_event": {"event": "product.launched", "where": "product = 'Nova'"}, "months": 4}
LAUNCH_MONTH = {"month_of": {"event": "product.launched", "where": "product = 'Nova'"}}


def launched(at: str, product: str = "Nova") -> dict[str, Any]:
    return event("product.launched", at, product, product=product)


def span_of(frame: Any) -> tuple[Any, ...]:
    return frame.get_column("window_start").unique().to_list() + frame.get_column("window_end").unique().to_list()


def test_so_many_months_from_an_event_begin_on_its_day_and_end_on_the_eve_of_the_same_day():
    events = [launched("2026-02-15 23:30"), *won("2026-02-15 00:00", "2026-06-14 23:59", "2026-06-15 00:00")]
    by_day = figures(events, "2026-12-31", measure=WON, period=LAUNCHED)
    assert [date(2026, 2, 15), date(2026, 6, 14)] == span_of(by_day)
    assert (120, 2) == (by_day.height, on(by_day, "2026-06-14"))


@pytest.mark.parametrize(
    ("last", "at", "months"),
    [
        ("2026-02-27", "2026-01-31", 1),
        ("2026-04-29", "2026-01-30", 3),
        ("2028-02-27", "2027-02-28", 12),
        ("2029-02-27", "2028-02-29", 12),
    ],
)
def test_months_from_the_end_of_a_month(last, at, months):
    period = {"from_event": {"event": "product.launched"}, "months": months}
    by_day = figures([launched(at)], "2030-01-01", measure=WON, period=period, covered="2030-12-31")
    assert [date.fromisoformat(at), date.fromisoformat(last)] == span_of(by_day)


def test_the_first_such_event_names_the_period_whatever_comes_later():
    events = [launched("2026-05-01"), launched("2026-02-15"), launched("2026-01-10", "Sol")]
    by_day = figures(events, "2026-12-31", measure=WON, period=LAUNCHED)
    assert [date(2026, 2, 15), date(2026, 6, 14)] == span_of(by_day)


def test_before_the_event_there_is_no_row_and_nothing_to_compute():
    events = [launched("2026-02-15")]
    assert 0 == figures(events, "2026-02-14", measure=WON, period=LAUNCHED).height
    assert 1 == figures(events, "2026-02-15", measure=WON, period=LAUNCHED).height
    kr = definition(measure=WON, period=LAUNCHED)
    read = log(events, types=kr.types)
    assert [0, 1] == [len(resolved([kr], organisation(), read, date(2026, 2, day))) for day in (14, 15)]


def test_a_launch_month_is_the_whole_calendar_month():
    events = [
        launched("2026-02-15"),
        *won("2026-01-31 23:59", "2026-02-01 00:00", "2026-02-28 23:59", "2026-03-01 00:00"),
    ]
    by_day = figures(events, "2026-12-31", measure=WON, period=LAUNCH_MONTH)
    assert [date(2026, 2, 1), date(2026, 2, 28)] == span_of(by_day)
    assert 2 == on(by_day, "2026-02-28")


@pytest.mark.parametrize(("zone", "month"), [("Europe/Madrid", 3), ("America/Bogota", 2)])
def test_the_day_of_the_event_is_the_local_one(zone, month):
    events = [launched("2026-03-01 00:30")]  # in Madrid
    by_day = figures(events, "2026-12-31", zone, measure=WON, period=LAUNCH_MONTH)
    assert {date(2026, month, 1)} == set(by_day.get_column("window_start"))


def test_the_baseline_of_a_period_that_an_event_names_is_the_span_before_it():
    events = [launched("2026-02-15"), *won("2025-10-18", "2026-02-14", "2026-02-15")]
    told = {"measure": WON, "target": {"delta": 1}}
    assert 2 == value("2026-02-15", events, "baseline", period=LAUNCHED, **told)
    # 120 days before 15 February begin on 18 October; the whole January is before the whole February.
    events = [launched("2026-02-15"), *won("2025-12-31", "2026-01-01", "2026-01-31")]
    assert 2 == value("2026-02-28", events, "baseline", period=LAUNCH_MONTH, **told)


def test_a_period_is_not_named_by_an_event_before_which_others_may_not_have_been_read():
    kr = definition(measure=WON, period=LAUNCHED)
    read = log([launched("2026-02-15"), *won("2026-02-16")], since="2026-01-01", types=kr.types)
    feeds = Feeds({name: frozenset({("test", "stream")}) for name in kr.types}, {})
    assert 0 == compute([kr], organisation(), read, date(2026, 3, 1), feeds).height


def test_a_launch_that_was_withdrawn_names_no_period_any_more():
    kr = definition(measure=WON, period=LAUNCHED)
    read = log([launched("2026-02-15")], types=kr.types).collect()
    nothing, touched = facts([]), facts([launched("2026-02-15")]).select("record_key")
    later = statements(read.lazy(), nothing, touched, "test", "stream", LOADED_AT + timedelta(days=1))
    assert 15 == compute([kr], organisation(), read.lazy(), date(2026, 3, 1)).height
    assert 0 == compute([kr], organisation(), pl.concat([read, later]).lazy(), date(2026, 3, 1)).height
