"""Whom or what events are of: those that had or had not, before the event or before the period, and the largest.

What an account had before an event is in `test_measures`.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from builders import event, figures, on, row, value

from kr_definitions import catalogue

KPI = {"type": "kpi"}
BOUGHT = {"had": "deal.won"}
CALLED = {"count": "call.made"}


def won(day: str, account: str | None, amount: str | None = None, **columns: Any) -> dict[str, Any]:
    return event(
        "deal.won", day, f"{account} {day} {amount}", account_id=account, amount=amount, currency="EUR", **columns
    )


def called(day: str, account: str | None, **columns: Any) -> dict[str, Any]:
    return event("call.made", day, f"{account} {day}", account_id=account, **columns)


def calls(events: list[dict[str, Any]], among: Any, day: str = "2026-02-28", **declared: Any) -> float:
    return value(day, events, measure={**CALLED, "among": among}, **{**KPI, **declared})


# --- had, had not -----------------------------------------------------------------------------------------------------


def test_before_the_period_is_before_its_first_instant():
    events = [
        won("2025-12-31 23:59", "old"),
        won("2026-01-01 00:00", "new"),
        *(called("2026-02-01", name) for name in ("old", "new", "none", None)),
    ]
    assert 1 == calls(events, {**BOUGHT, "before": "period"})
    assert 2 == calls(events, {"had_not": "deal.won", "before": "period"})
    assert 2 == calls(events, BOUGHT)
    assert 1 == calls(events, {"had_not": "deal.won"})


def test_before_the_period_is_not_before_the_window():
    events = [won("2026-01-10", "a"), called("2026-02-01", "a")]
    declared = {"every": "month", "target": {"value": 1}, "type": "outcome"}
    assert 0 == calls(events, {**BOUGHT, "before": "period"}, **declared)
    assert 1 == calls(events, BOUGHT, **declared)


YEAR_BEFORE = {"type": "outcome", "target": {"relative": 1, "baseline": "previous_year"}}


def baseline(events: list[dict[str, Any]], measure: dict[str, Any], **declared: Any) -> tuple[Any, ...]:
    return row("2026-12-31", events, "value", "baseline", measure=measure, **{**YEAR_BEFORE, **declared})


@pytest.mark.parametrize(
    ("expected", "among"),
    [
        ((4, 1), {**BOUGHT, "before": "period"}),
        ((1, 3), {"had_not": "deal.won", "before": "period"}),
        ((1, 1), {**BOUGHT, "since": "period"}),
    ],
)
def test_a_baseline_is_of_those_who_were_there_in_its_own_span(expected, among):
    # a came in 2024, b and d in 2025, and c in 2026.
    events = [won("2024-05-01", "a"), won("2025-05-01", "b"), won("2025-06-01", "b"), won("2025-07-01", "a")]
    events += [won("2025-07-02", "d"), won("2026-05-01", "c"), won("2026-06-01", "b"), won("2026-06-02", "a")]
    events += [won("2026-07-02", "d"), won("2026-08-01", "b")]
    counted = {"count": "deal.won", "among": among}
    assert expected == baseline(events, counted)
    assert expected == baseline(events, {"ratio": {"numerator": counted, "denominator": {"figure": 1, "of": "count"}}})


def test_the_largest_are_compared_with_themselves():
    events = [won("2024-05-01", "a", "900"), won("2025-05-01", "a", "10"), won("2025-05-01", "b", "20")]
    events += [
        called("2025-06-01", "a"),
        called("2025-06-02", "b"),
        called("2025-06-03", "b"),
        called("2026-06-01", "b"),
    ]
    among = {"top": 1, "by": {"sum": "amount", "of": "deal.won"}, "over": "previous_year"}
    assert (1, 2) == baseline(events, {**CALLED, "among": among})


def test_the_month_before_an_event_is_left_out():
    events = [
        won("2026-01-31 23:59", "a"),
        called("2026-02-01", "a"),
        won("2026-02-10 10:00", "b"),
        called("2026-02-10 10:00", "b"),
        called("2026-02-28 23:59", "b"),
        called("2026-03-01", "b"),
        called("2026-02-11", None),
    ]
    declared = {"every": "month", "target": {"value": 1}, "type": "outcome"}
    of_month, not_of_month = ({**cohort, "since": "month"} for cohort in (BOUGHT, {"had_not": "deal.won"}))
    assert [1, 0] == [calls(events, of_month, day, **declared) for day in ("2026-02-28", "2026-03-31")]
    assert [2, 1] == [calls(events, not_of_month, day, **declared) for day in ("2026-02-28", "2026-03-31")]


def test_each_new_product_sells_in_the_month_of_its_own_launch():
    launches = [("Nova", "2026-10-05"), ("Sol", "2026-11-10"), ("Luna", "2026-12-01")]
    events = [event("product.launched", day, product, product=product) for product, day in launches]
    events += [
        won(day, "a", f"{millions}000000", product=product, pipeline="ventas")
        for product, day, millions in [
            ("Nova", "2026-10-31", 40), ("Nova", "2026-11-10", 70), ("Sol", "2026-10-20", 70),
            ("Sol", "2026-11-11", 30), ("Luna", "2026-12-31", 25),
        ]
    ]  # fmt: skip
    of = catalogue.load("ventas-b2b").definitions
    (measure,) = (one.key_result.measure for one in of if one.id == "ventas-b2b.equipo.lanzamiento")
    told = {"period": {"quarter": "2026-Q4"}, "target": {"value": 95000000}, "of": {"currency": "EUR"}}
    assert (95000000, "achieved") == row("2026-12-31", events, "value", "status", measure=measure, **told)


def test_before_the_period_is_not_in_the_month_of_the_event():
    with pytest.raises(ValueError, match="before the period and in the month of the event"):
        calls([], {**BOUGHT, "before": "period", "since": "month"})


def test_who_took_part_before_the_period_has_not_taken_part_since():
    measure = {
        "participation": {
            "roster": {"opened_by": "staff.joined", "by": "actor"},
            "did": {"of": "call.made", "since": "period"},
        }
    }
    events = [event("staff.joined", "2025-01-01", name, actor=name) for name in "ab"]
    events += [event("call.made", day, day, actor=name) for day, name in (("2025-12-31", "a"), ("2026-01-02", "b"))]
    by_day = figures(events, "2026-01-02", measure=measure, trailing="30 days", target={"at_least": 1})
    assert [0, 0.5] == [on(by_day, day) for day in ("2026-01-01", "2026-01-02")]


def test_who_buys_for_the_first_time_in_the_period_stays_new_in_all_of_it():
    sums = {"sum": "amount", "of": "deal.won"}
    events = [
        won("2026-01-10", "a", "10"),
        won("2026-02-10", "a", "20"),
        won("2025-01-01", "b", "1"),
        won("2026-02-10", "b", "5"),
    ]
    among = {"had_not": "deal.won", "before": "period"}
    assert 30 == value("2026-02-28", events, measure={**sums, "among": among}, **KPI)
    assert 10 == value("2026-02-28", events, measure={**sums, "among": {"had_not": "deal.won"}}, **KPI)


def test_a_key_other_than_the_account_says_what_was_new():
    events = [
        won("2025-05-01", "a", market="norte"),
        won("2026-01-10", "a", market="sur"),
        won("2026-01-11", "b", market="norte"),
        won("2026-01-12", "b", market="este"),
        won("2026-01-13", "b", market=None),
    ]
    among = {"had_not": "deal.won", "key": "market", "before": "period"}
    assert 2 == value("2026-02-28", events, measure={"distinct": "market", "of": "deal.won", "among": among}, **KPI)


def test_what_they_had_is_what_its_filter_leaves():
    events = [
        won("2025-05-01", "a", product="A"),
        won("2025-05-01", "b", product="B"),
        called("2026-02-01", "a"),
        called("2026-02-01", "b"),
    ]
    assert 1 == calls(events, {**BOUGHT, "where": "product = 'A'"})
    assert 1 == calls(events, {"had_not": "deal.won", "where": "product = 'A'"})


def test_of_several_cohorts_all_must_fit():
    events = [
        won("2025-05-01", "customer"),
        event("lead.created", "2025-05-01", account_id="lead"),
        won("2025-05-01", "both"),
        event("lead.created", "2025-05-01", "2", account_id="both"),
        *(called("2026-02-01", name) for name in ("customer", "lead", "both", "none")),
    ]
    assert 1 == calls(events, [BOUGHT, {"had": "lead.created"}])
    assert 1 == calls(events, [BOUGHT, {"had_not": "lead.created"}])


def test_what_happens_later_does_not_change_who_was_in_it():
    events = [called("2026-02-01", "a"), won("2026-02-02", "a"), called("2026-02-03", "a")]
    by_day = figures(events, "2026-02-03", measure={**CALLED, "among": BOUGHT}, **KPI)
    assert [0, 0, 1] == [on(by_day, f"2026-02-0{day}") for day in (1, 2, 3)]


def test_the_subjects_of_a_duration_may_be_narrowed_by_where_they_began():
    events = [
        won("2025-05-01", "a"),
        event("ticket.created", "2026-02-01 10:00", "1", account_id="a"),
        event("ticket.first_replied", "2026-02-01 11:00", "1"),
        event("ticket.created", "2026-02-01 10:00", "2", account_id="b"),
        event("ticket.first_replied", "2026-02-01 15:00", "2"),
    ]
    of = {"from": "ticket.created", "to": "ticket.first_replied"}
    assert 1 == value("2026-02-01", events, measure={"duration": of, "among": BOUGHT}, **KPI)
    assert (1, 1) == row(
        "2026-02-01", events, "value", "denominator", measure={"conversion": of, "among": BOUGHT}, **KPI
    )


# --- the largest ------------------------------------------------------------------------------------------------------


def top(n: int, over: str = "previous_year", **by: Any) -> dict[str, Any]:
    return {"top": n, "by": {"of": "deal.won", **by}, "over": over}


BOUGHT_2025 = [
    won("2025-01-01 00:00", "a", "100"),
    won("2025-12-31 23:59", "a", "100"),
    won("2025-06-01", "b", "150"),
    won("2025-06-01", "c", "120"),
    won("2024-12-31 23:59", "d", "9999"),
    won("2026-01-01 00:00", "e", "9999"),
    won("2025-06-01", None, "9999"),
]
CALLED_ALL = [called("2026-02-01", name) for name in ("a", "b", "c", "d", "e", None)]


@pytest.mark.parametrize(("expected", "n"), [(1, 1), (2, 2), (3, 3), (3, 20)])
def test_the_largest_are_those_of_the_span_before_and_no_more_than_there_are(expected, n):
    assert expected == calls([*BOUGHT_2025, *CALLED_ALL], top(n, sum="amount"))


@pytest.mark.parametrize(("expected", "account"), [(1, "a"), (0, "b"), (0, "c")])
def test_the_largest_is_the_one_with_the_largest_sum(expected, account):
    assert expected == calls([*BOUGHT_2025, called("2026-02-01", account)], top(1, sum="amount"))


def test_without_a_sum_the_largest_is_the_one_with_the_most_events():
    events = [won("2025-05-01", "a", "900"), won("2025-05-01", "b", "1"), won("2025-05-02", "b", "1")]
    assert 1 == calls([*events, called("2026-02-01", "b")], top(1))
    assert 0 == calls([*events, called("2026-02-01", "a")], top(1))


def test_of_two_that_are_equally_large_the_first_by_name_is_in():
    events = [won("2025-05-01", name, "10") for name in "cab"]
    found = {name: calls([*events, called("2026-02-01", name)], top(2, sum="amount")) for name in "abc"}
    assert {"a": 1, "b": 1, "c": 0} == found


def test_the_ranking_is_over_what_its_filter_leaves():
    events = [won("2025-05-01", "a", "10", product="x"), won("2025-05-01", "b", "900", product="y")]
    among = top(1, sum="amount", where="product = 'x'")
    assert (1, 0) == tuple(calls([*events, called("2026-02-01", name)], among) for name in "ab")


def test_the_previous_period_of_a_quarter_is_the_quarter_before():
    events = [won("2025-11-01", "a", "10"), won("2025-02-01", "b", "900")]
    told = {"period": {"quarter": "2026-Q1"}}
    among = top(1, "previous_period", sum="amount")
    assert (1, 0) == tuple(calls([*events, called("2026-02-01", name)], among, **told) for name in "ab")
    among = top(1, sum="amount")
    assert (0, 1) == tuple(calls([*events, called("2026-02-01", name)], among, **told) for name in "ab")


def test_the_same_ones_are_measured_in_the_period_before():
    measure = {
        "sum": "amount",
        "of": "deal.won",
        "among": top(1, "previous_period", sum="amount", where="product = 'x'"),
    }
    events = [
        won("2025-11-01", "a", "10", product="x"),
        won("2025-11-02", "a", "40"),
        won("2025-11-02", "b", "900"),
        won("2026-02-01", "a", "55"),
    ]
    told = {"measure": measure, "period": {"quarter": "2026-Q1"}, "target": {"delta": 5}}
    assert (50, 55, 55, 1) == row("2026-02-28", events, "baseline", "target", "value", "progress", **told)


def test_nobody_is_among_the_largest_of_nothing():
    assert 0 == calls(CALLED_ALL, top(3, sum="amount"))


def test_amounts_of_two_currencies_rank_nobody():
    events = [won("2025-05-01", "a", "10"), {**won("2025-05-01", "b", "9"), "currency": "USD"}]
    assert value("2026-02-28", [*events, *CALLED_ALL], measure={**CALLED, "among": top(1, sum="amount")}, **KPI) is None
    elsewhen = [won("2025-05-01", "a", "10"), {**won("2024-05-01", "b", "9"), "currency": "USD"}]
    assert 1 == calls([*elsewhen, *CALLED_ALL], top(1, sum="amount"))


def test_a_leap_year_is_ranked_whole():
    events = [won("2028-02-29", "a", "10"), won("2028-12-31", "b", "9"), called("2029-02-01", "a")]
    told = {"period": {"from": date(2029, 1, 1), "until": date(2029, 12, 31)}, "covered": "2029-12-31"}
    assert 1 == calls(events, top(1, sum="amount"), "2029-02-28", **told)
