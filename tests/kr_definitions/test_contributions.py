"""The events behind every figure, by hand: which, on which days, and what each gives. In July 2026, up to the 10th.

A row of a test is (event, the event that it is counted with, first day, last day, numerator, denominator).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import definition, event, log, organisation

from kr_definitions.compute import compute
from kr_definitions.contributions import CONTRIBUTIONS_SCHEMA, contributions, made_of, on_day
from kr_definitions.events import current
from kr_definitions.measures.function import FunctionError

THROUGH = date(2026, 7, 10)
KPI = {"type": "kpi"}
Row = tuple[str | None, str | None, int, int, Any, Any]


def both(events: Iterable[dict[str, Any]], **declared: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The figures and the contributions of a KPI (or as declared), the events by the keys that a test gave them."""
    whose = organisation()
    kr = definition(of=whose, **{"period": {"month": "2026-07"}, **({} if "target" in declared else KPI), **declared})
    read = log(events, types=kr.types)
    keys = dict(current(read).select("event_id", "record_key").collect().iter_rows())
    named = [pl.col(name).replace_strict(keys, default=None) for name in ("event_id", "with_event_id")]
    given = contributions([kr], whose, read, THROUGH)
    assert CONTRIBUTIONS_SCHEMA == given.schema
    return compute([kr], whose, read, THROUGH), given.with_columns(named)


def given(events: Iterable[dict[str, Any]], member: str | None = None, **declared: Any) -> list[Row]:
    """What is given to the whole, or to a member, in the order of days and events."""
    found = both(events, **declared)[1].filter(pl.col("member").eq_missing(pl.lit(member)))
    days = [pl.col(name).dt.day() for name in ("first_day", "last_day")]
    columns = ("event_id", "with_event_id", *days, "numerator", "denominator")
    return found.select(columns).sort("first_day", "event_id", "numerator", nulls_last=True).rows()


def shown(day: int, events: Iterable[dict[str, Any]], **declared: Any) -> list[tuple[Any, ...]]:
    """What each event gives to the value of a day: (event, the event that it is counted with, contribution)."""
    figures, found = both(events, **declared)
    explained = on_day(found, figures.filter(pl.col("as_of") == date(2026, 7, day)))
    return explained.select("event_id", "with_event_id", "contribution").sort(pl.all(), nulls_last=True).rows()


def won(key: str, day: str, amount: str | None = "10", subject: str = "1", **columns: Any) -> dict[str, Any]:
    return event("deal.won", f"2026-{day}", subject, key=key, amount=amount, currency="EUR", **columns)


def deal(what: str, key: str, day: str, amount: str | None = None, subject: str = "1") -> dict[str, Any]:
    return event(f"deal.{what}", f"2026-{day}", subject, key=key, amount=amount, currency="EUR")


def seen(key: str, day: str, quantity: str, subject: str = "1") -> dict[str, Any]:
    return event("followers.observed", f"2026-{day}", subject, key=key, quantity=quantity)


def called(key: str, day: str, quantity: str | None = "1", **columns: Any) -> dict[str, Any]:
    return event("call.made", f"2026-{day}", key, key=key, quantity=quantity, **columns)


# --- what counts on its day -------------------------------------------------------------------------------------------


def test_an_event_that_is_counted_counts_from_its_day_on():
    events = [won("a", "07-02"), won("b", "07-04"), won("before", "06-30"), won("later", "07-11")]
    assert [("a", None, 2, 10, 1, None), ("b", None, 4, 10, 1, None)] == given(events, measure={"count": "deal.won"})


def test_an_event_counts_as_long_as_its_window_is_open():
    events = [won("a", "07-02"), won("b", "07-04"), won("before", "06-28")]
    weekly = given(events, measure={"count": "deal.won"}, every="week")
    assert [("a", None, 2, 5, 1, None), ("b", None, 4, 5, 1, None)] == weekly
    trailing = given(events, measure={"count": "deal.won"}, trailing="5 days")
    assert [("before", None, 1, 2, 1, None), ("a", None, 2, 6, 1, None), ("b", None, 4, 8, 1, None)] == trailing


def test_on_a_day_between_windows_the_last_one_is_shown():
    events = [called("friday", "07-03"), called("saturday", "07-04"), called("monday", "07-06")]
    rows = given(events, measure={"count": "call.made"}, every="working_day")
    assert [("friday", None, 3, 5, 1, None), ("monday", None, 6, 6, 1, None)] == rows


def test_what_is_counted_out_of_more_is_listed_beside_those():
    measure = {"count": "deal.won", "where": "product = 'a'", "out_of": ["deal.won", "deal.lost"]}
    events = [won("a", "07-02", product="a"), won("b", "07-02", product="b"), deal("lost", "c", "07-03")]
    assert [("a", None, 2, 10, 1, 1), ("b", None, 2, 10, 0, 1), ("c", None, 3, 10, 0, 1)] == given(
        events, measure=measure
    )
    assert [("a", None, 1), ("b", None, 0), ("c", None, 0)] == shown(3, events, measure=measure)


def test_a_sum_is_made_of_its_amounts():
    events = [won("a", "07-02", "12.5"), won("b", "07-04", None), won("c", "07-04", "-0.000001")]
    rows = [
        ("a", None, 2, 10, Decimal("12.5"), None),
        ("b", None, 4, 10, 0, None),
        ("c", None, 4, 10, Decimal("-0.000001"), None),
    ]
    assert rows == given(events, measure={"sum": "amount", "of": "deal.won"})


def test_a_share_is_made_of_all_that_could_have_reached_it():
    measure = {"share": {"of": "survey.answered", "reached": "rating = 'good'"}}
    events = [
        event("survey.answered", f"2026-07-0{n}", key=str(n), rating=rating)
        for n, rating in enumerate(("good", "bad", None, "good"), start=1)
    ]
    assert [("1", None, 1, 10, 1, 1), ("2", None, 2, 10, 0, 1), ("4", None, 4, 10, 1, 1)] == given(
        events, measure=measure
    )
    assert [("1", None, 0.5), ("2", None, 0)] == shown(3, events, measure=measure)


def test_a_mean_is_made_of_its_numbers():
    measure = {"mean": "amount", "of": "deal.won"}
    events = [won("a", "07-02", "12"), won("b", "07-04", None), won("c", "07-04", "6")]
    assert [("a", None, 2, 10, 12, 1), ("c", None, 4, 10, 6, 1)] == given(events, measure=measure)
    assert [("a", None, 6), ("c", None, 3)] == shown(4, events, measure=measure)


# --- which ones of several --------------------------------------------------------------------------------------------


def test_a_value_counts_by_its_first_event_in_the_window():
    measure = {"distinct": "account_id", "of": "deal.won"}
    events = [
        won("a", "07-02 10:00", account_id="x"),
        won("of the same day", "07-02 11:00", account_id="x"),
        won("b", "07-03", account_id="x"),
        won("c", "07-03", account_id="y"),
        won("nobody", "07-03"),
    ]
    assert [("a", None, 2, 10, 1, None), ("c", None, 3, 10, 1, None)] == given(events, measure=measure)
    rows = [("a", None, 2, 3, 1, None), ("c", None, 3, 4, 1, None), ("b", None, 4, 4, 1, None)]
    assert rows == given(events, measure=measure, trailing="2 days")


def test_the_best_day_is_made_of_its_events():
    measure = {"daily_max": "quantity", "of": "call.made"}
    events = [
        called("a", "07-02", "2"),
        called("b", "07-04", "1"),
        called("c", "07-04", "2"),
        called("d", "07-06", "3"),
    ]
    rows = [
        ("a", None, 2, 3, 2, None),
        ("b", None, 4, 10, 1, None),
        ("c", None, 4, 10, 2, None),  # the 6th is as good, and later
    ]
    assert rows == given(events, measure=measure)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ({"median": "quantity"}, [("b", 1.0), ("d", 2.0)]),
        ({"quantile": "quantity", "at": Decimal("0.9")}, [("a", 0.7 * 9), ("d", 0.30000000000000004 * 4)]),
        ({"min": "quantity"}, [("c", 1.0)]),
        ({"max": "quantity"}, [("a", 9.0)]),
    ],
)
def test_one_number_in_the_middle_or_two_decide(measure, expected):
    events = [
        called("a", "07-02", "9"),
        called("b", "07-03", "2"),
        called("c", "07-04", "1"),
        called("d", "07-05", "4"),
    ]
    counted = {("a", 2), ("b", 3), ("c", 4), ("d", 5)}
    figures, found = both(events, measure={**measure, "of": "call.made"})
    assert counted == {
        (name, first.day)
        for name, first in found.filter(pl.col("denominator") == 1).select("event_id", "first_day").iter_rows()
    }
    explained = on_day(found, figures.filter(pl.col("as_of") == THROUGH))
    deciding = explained.filter(pl.col("contribution") != 0).select("event_id", "contribution").sort("event_id").rows()
    assert [(name, pytest.approx(number)) for name, number in expected] == deciding
    assert figures.get_column("value").last() == explained.get_column("contribution").sum()
    assert 4 == explained.get_column("denominator").sum()


def test_an_event_decides_for_as_long_as_no_other_does_and_of_equal_ones_the_first():
    events = [
        called("a", "07-02", "5"),
        called("b", "07-04", "7"),
        called("c", "07-06", "7"),
        called("d", "07-08", "1"),
    ]
    found = both(events, measure={"max": "quantity", "of": "call.made"})[1].filter(pl.col("contribution") != 0)
    rows = found.select("event_id", pl.col("first_day", "last_day").dt.day(), "contribution").sort("first_day").rows()
    assert [("a", 2, 3, 5.0), ("b", 4, 10, 7.0)] == rows


# --- levels -----------------------------------------------------------------------------------------------------------


def test_an_observation_counts_until_the_next():
    events = [seen("a", "06-02", "100"), seen("b", "07-03 09:00", "5"), seen("c", "07-03 10:00", "90")]
    events.append(seen("other", "07-05", "7", "2"))
    rows = [("a", None, 1, 2, 100, None), ("c", None, 3, 10, 90, None), ("other", None, 5, 10, 7, None)]
    assert rows == given(events, measure={"level": "quantity", "of": "followers.observed"})


def test_a_gain_is_the_last_observation_less_the_one_before_the_window():
    measure = {"gain": "quantity", "of": "followers.observed"}
    events = [seen("a", "06-02", "100"), seen("b", "07-03", "110"), seen("c", "07-05", "130")]
    rows = [("a", None, 3, 10, -100, None), ("b", None, 3, 4, 110, None), ("c", None, 5, 10, 130, None)]
    assert rows == given(events, measure=measure)
    assert [("a", None, -100), ("c", None, 130)] == shown(10, events, measure=measure)


def test_a_gain_that_nothing_was_observed_before_begins_with_its_first_observation():
    events = [seen("a", "07-03 09:00", "100"), seen("b", "07-03 10:00", "110"), seen("c", "07-05", "130")]
    rows = [("a", None, 3, 10, -100, None), ("b", None, 3, 4, 110, None), ("c", None, 5, 10, 130, None)]
    assert rows == given(events, measure={"gain": "quantity", "of": "followers.observed"})


def test_what_is_open_is_shown_by_what_opened_it_last():
    measure = {"open": {"opened_by": ["ticket.created", "ticket.reopened"], "closed_by": "ticket.solved"}}
    events = [
        event("ticket.created", "2026-06-02", key="a"),
        event("ticket.solved", "2026-07-03", key="b"),
        event("ticket.reopened", "2026-07-06", key="c"),
        event("ticket.created", "2026-07-04 09:00", "2", key="gone the same day"),
        event("ticket.solved", "2026-07-04 10:00", "2", key="d"),
    ]
    assert [("a", None, 1, 2, 1, None), ("c", None, 6, 10, 1, None)] == given(events, measure=measure)


def test_what_is_open_has_the_value_that_was_said_last():
    measure = {
        "open": {
            "opened_by": "deal.created",
            "closed_by": "deal.won",
            "value": "amount",
            "valued_by": "deal.amount_changed",
        }
    }
    events = [
        deal("created", "a", "07-02", "100"),
        deal("amount_changed", "b", "07-04", "120"),
        deal("created", "unvalued", "07-05", None, "2"),
        won("c", "07-08"),
    ]
    rows = [("a", None, 2, 3, 100, None), ("b", "a", 4, 7, 120, None), ("unvalued", None, 5, 10, 0, None)]
    assert rows == given(events, measure=measure)


# --- subjects ---------------------------------------------------------------------------------------------------------


def test_a_time_is_counted_by_the_event_that_ended_it_with_the_one_that_began_it():
    measure = {"duration": {"from": "ticket.created", "to": "ticket.solved"}, "statistic": "mean", "unit": "hours"}
    events = [
        event("ticket.created", "2026-06-30 12:00", key="a"),
        event("ticket.solved", "2026-07-02 12:00", key="b"),
        event("ticket.solved", "2026-07-03 12:00", key="again"),
        event("ticket.created", "2026-07-02 10:00", "2", key="c"),
        event("ticket.solved", "2026-07-04 10:00", "2", key="d"),
    ]
    hour = 3_600_000_000
    assert [("b", "a", 2, 10, 48 * hour, 1), ("d", "c", 4, 10, 48 * hour, 1)] == given(events, measure=measure)
    assert [("b", "a", 24), ("d", "c", 24)] == shown(4, events, measure=measure)


def test_a_median_time_is_decided_by_the_ones_in_the_middle():
    measure = {"duration": {"from": "ticket.created", "to": "ticket.solved"}, "unit": "hours"}
    events = [event("ticket.created", "2026-07-02 10:00", str(n), key=f"began {n}") for n in (1, 2, 4)]
    events += [event("ticket.solved", f"2026-07-02 1{n}:00", str(n), key=f"ended {n}") for n in (1, 2, 4)]
    ended = [(f"ended {n}", f"began {n}") for n in (1, 2, 4)]
    assert sorted([*((*pair, 0) for pair in ended), (*ended[1], 2.0)]) == shown(2, events, measure=measure)


def test_who_begins_counts_as_not_there_until_it_is():
    measure = {"conversion": {"from": "lead.created", "to": "deal.won"}}
    events = [
        event("lead.created", "2026-07-02", "1", key="a"),
        event("lead.created", "2026-07-03", "1", key="again"),
        event("lead.created", "2026-07-03", "2", key="b"),
        event("lead.created", "2026-06-03", "3", key="before the window"),
        won("c", "07-05"),
    ]
    assert [("a", None, 2, 4, 0, 1), ("b", None, 3, 10, 0, 1), ("a", "c", 5, 10, 1, 1)] == given(
        events, measure=measure
    )


def test_who_still_has_time_counts_in_neither_part():
    measure = {"conversion": {"from": "lead.created", "to": "deal.won"}, "within": "3 days"}
    events = [event("lead.created", "2026-07-02", str(n), key=f"lead {n}") for n in (1, 2, 3)]
    events += [won("in time", "07-04", subject="1"), won("too late", "07-07", subject="2")]
    assert [("lead 1", "in time", 4, 10, 1, 1), ("lead 2", None, 5, 10, 0, 1), ("lead 3", None, 5, 10, 0, 1)] == given(
        events, measure=measure
    )


def test_a_step_is_met_by_its_first_event_in_the_window():
    steps = [{"name": "won", "of": "deal.won", "weight": 2}, {"name": "called", "of": "call.made"}]
    events = [won("a", "07-02"), won("b", "07-03"), called("c", "07-05")]
    rows = [(None, None, 1, 10, 0, 3), ("a", None, 2, 10, 2, 0), ("c", None, 5, 10, 1, 0)]
    assert rows == given(events, measure={"steps": steps})
    rows = [("a", None, 2, 3, 2, 0), ("b", None, 4, 4, 2, 0), ("c", None, 5, 6, 1, 0)]
    assert rows == given(events, measure={"steps": steps}, trailing="2 days")[1:]


# --- members ----------------------------------------------------------------------------------------------------------


def subscription(what: str, key: str, day: str, account: str) -> dict[str, Any]:
    return event(f"subscription.{what}", f"2026-{day}", f"{account}/{key[0]}", key=key, account_id=account)


def test_a_member_of_the_eve_stays_leaves_and_comes_back():
    measure = {"retention": {"opened_by": "subscription.started", "closed_by": "subscription.ended"}}
    events = [
        subscription("started", "1 started", "06-01", "x"),
        subscription("started", "1 started too", "06-01", "y"),
        subscription("ended", "1 ended", "07-03", "x"),
        subscription("started", "2 started", "07-06", "x"),
        subscription("started", "came later", "07-02", "z"),
    ]
    rows = [
        ("1 started", None, 1, 2, 1, 1),
        ("1 started too", None, 1, 10, 1, 1),
        ("1 started", None, 3, 5, 0, 1),
        ("1 started", "2 started", 6, 10, 1, 1),
    ]
    assert rows == given(events, measure=measure)


def test_what_is_worth_more_and_less_gives_what_it_is_worth_and_was():
    measure = {
        "retention": {
            "opened_by": "subscription.started",
            "closed_by": "subscription.ended",
            "value": "amount",
            "valued_by": "subscription.amount_changed",
        }
    }

    def of(what: str, key: str, day: str, account: str, amount: int) -> dict[str, Any]:
        return subscription(what, key, day, account) | {"amount": str(amount), "currency": "EUR"}

    events = [
        of("started", "1 started", "06-01", "x", 100),
        of("started", "1 started too", "06-02", "y", 60),
        of("amount_changed", "1 raised", "07-03", "x", 140),
        of("ended", "1 ended", "07-05", "y", 60),
        of("started", "2 another", "07-06", "x", 5),
        of("started", "came later", "07-02", "z", 1000),
    ]
    rows = [
        ("1 started", None, 1, 10, 0, 100),
        ("1 started", None, 1, 2, 100, 0),
        ("1 started too", None, 1, 10, 0, 60),
        ("1 started too", None, 1, 4, 60, 0),
        ("1 raised", "1 started", 3, 10, 140, 0),
        ("2 another", None, 6, 10, 5, 0),
    ]
    assert rows == given(events, measure=measure)
    assert sum(row[2] for row in shown(7, events, measure=measure)) == pytest.approx(145 / 160)


PARTICIPATION = {
    "roster": {"opened_by": "staff.joined", "closed_by": "staff.left", "by": "actor"},
    "did": {"of": "system.used"},
}


@pytest.fixture
def staff() -> list[dict[str, Any]]:
    """One who used the system on the 3rd and on the 8th, one who never did, and one who left on the 6th."""
    return [
        *(event("staff.joined", "2026-06-01", name, key=name, actor=name) for name in ("ana", "bea", "carl")),
        event("staff.left", "2026-07-06", "carl", key="left", actor="carl"),
        *(event("system.used", f"2026-07-{day}", "ana", key=f"used {day}", actor="ana") for day in ("03", "08")),
        event("system.used", "2026-07-04", "carl", key="used by carl", actor="carl"),
        event("system.used", "2026-07-04", "nobody", key="used by another", actor="another"),
    ]


def test_a_member_counts_with_the_first_that_it_did_in_the_window(staff):
    rows = [
        ("ana", None, 1, 2, 0, 1),
        ("bea", None, 1, 10, 0, 1),
        ("carl", None, 1, 3, 0, 1),
        ("ana", "used 03", 3, 10, 1, 1),
        ("carl", "used by carl", 4, 5, 1, 1),
    ]
    assert rows == given(staff, measure={"participation": PARTICIPATION})


def test_members_of_the_start_are_those_of_the_eve_of_the_window(staff):
    measure = {"participation": {**PARTICIPATION, "members": "start"}}
    rows = [
        ("ana", None, 1, 2, 0, 1),
        ("bea", None, 1, 10, 0, 1),
        ("carl", None, 1, 3, 0, 1),
        ("ana", "used 03", 3, 5, 1, 1),
        ("carl", "used by carl", 4, 5, 1, 1),
        ("ana", None, 6, 7, 0, 1),
        ("carl", None, 6, 10, 0, 1),
        ("ana", "used 08", 8, 10, 1, 1),
    ]
    assert rows == given(staff, measure=measure, every="week")


# --- forecasts, ratios, functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "of_forecast", "of_actual"), [("150", -150, 200), ("100", -100, 200), ("75", 75, 0)]
)
def test_a_forecast_is_held_against_what_happened_in_its_month(amount, of_forecast, of_actual):
    measure = {"forecast_accuracy": {"forecast": "forecast.stated", "actual": "deal.won"}}
    stated = {"amount": amount, "currency": "EUR", "forecast_month": date(2026, 6, 1)}
    events = [
        event("forecast.stated", "2026-05-10", key="f", **stated),
        won("a", "06-10", "100"),
        won("of a month that is not over", "07-02"),
    ]
    rows = [("a", None, 1, 10, of_actual, 100), ("f", None, 1, 10, of_forecast, 0)]
    assert rows == given(events, measure=measure, trailing="60 days")
    assert [] == given(events, measure=measure)


def test_a_ratio_is_made_of_what_makes_its_parts():
    measure = {
        "ratio": {
            "numerator": {"sum": "amount", "of": "deal.won"},
            "minus": {"sum": "amount", "of": "expense.recorded"},
            "denominator": {"distinct": "account_id", "of": "deal.won"},
        }
    }
    events = [
        won("a", "07-02", "100", account_id="x"),
        won("b", "07-03", "60", account_id="x"),
        event("expense.recorded", "2026-07-04", key="c", amount="40", currency="EUR"),
    ]
    rows = [
        ("a", None, 2, 10, 0, 1),
        ("a", None, 2, 10, 100, 0),
        ("b", None, 3, 10, 60, 0),
        ("c", None, 4, 10, -40, 0),
    ]
    assert rows == given(events, measure=measure)
    assert [("a", None, 0), ("a", None, 100), ("b", None, 60), ("c", None, -40)] == shown(4, events, measure=measure)


def test_what_cancels_out_is_shown_with_what_each_gave():
    won_less_lost = {"numerator": {"sum": "amount", "of": "deal.won"}, "minus": {"sum": "amount", "of": "deal.lost"}}
    measure = {"ratio": {**won_less_lost, "denominator": {"count": "call.made"}}}
    events = [won("a", "07-02", "40"), deal("lost", "b", "07-02", "40"), *(called(key, "07-02") for key in "cdef")]
    assert [("a", None, 10), ("b", None, -10)] == [row for row in shown(2, events, measure=measure) if row[2]]


def test_a_stated_figure_is_of_no_event():
    measure = {
        "ratio": {"numerator": {"sum": "amount", "of": "deal.won"}, "denominator": {"figure": 40, "of": "money"}}
    }
    assert [(None, None, 1, 10, 0, 40), ("a", None, 2, 10, 10, 0)] == given([won("a", "07-02")], measure=measure)


def test_what_happened_after_the_last_of_an_outside_series_is_held_against_none_of_it():
    measure = {
        "ratio": {
            "numerator": {"sum": "amount", "of": "deal.won"},
            "denominator": {"sum": "amount", "of": "market.measured"},
            "up_to_last": True,
        }
    }
    events = [
        won("a", "07-02"),
        event("market.measured", "2026-07-04", key="m1", amount="100", currency="EUR"),
        won("b", "07-05"),
        event("market.measured", "2026-07-08", key="m2", amount="100", currency="EUR"),
        won("c", "07-09"),
    ]
    rows = [
        ("a", None, 4, 10, 10, 0),
        ("m1", None, 4, 10, 0, 100),
        ("b", None, 8, 10, 10, 0),
        ("m2", None, 8, 10, 0, 100),
    ]
    assert rows == given(events, measure=measure)


FUNCTIONS = """
import polars as pl


def _held(events, windows):
    return windows.join_where(events, pl.col("day") >= pl.col("window_start"), pl.col("day") <= pl.col("as_of"))


def number(events, windows):
    return _held(events, windows).group_by("as_of", "window_start").agg(pl.len().alias("numerator"))


def explained(events, windows):
    return number(events, windows)


def explained_events(events, windows):
    return _held(events, windows).select("as_of", "window_start", "event_id", numerator=pl.lit(1))


def wrong(events, windows):
    return number(events, windows)


def wrong_events(events, windows):
    return explained_events(events, windows).filter(pl.col("as_of") < pl.date(2026, 7, 4))


def part(events, windows):
    return number(events, windows).with_columns(denominator=pl.lit(10))


def part_events(events, windows):
    return explained_events(events, windows)
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    (tmp_path / "calculos.py").write_text(FUNCTIONS, "utf-8")
    return tmp_path


def function(name: str) -> dict[str, Any]:
    return {"function": f"calculos:{name}", "of": "deal.won"}


def test_a_function_is_explained_by_the_one_beside_it(functions):
    events = [won("a", "07-02"), won("b", "07-04")]
    rows = given(events, measure=function("explained"), folder=functions)
    assert [("a", None, 2, 10, 1, None), ("b", None, 4, 10, 1, None)] == rows


def test_a_function_alone_gives_its_values_of_no_event(functions):
    rows = given([won("a", "07-02"), won("b", "07-04")], measure=function("number"), folder=functions)
    assert [(None, None, 2, 3, 1, None), (None, None, 4, 10, 2, None)] == rows


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong", "calculos:wrong_events adds up to 0 on 2026-07-04, not to the numerator 2. Make them agree"),
        ("part", "calculos:part_events gives no denominator. Give what each event adds to it"),
    ],
)
def test_a_function_whose_events_do_not_add_up_is_refused(functions, name, said):
    with pytest.raises(FunctionError) as refused:
        given([won("a", "07-02"), won("b", "07-04")], measure=function(name), folder=functions)
    assert f"test.yaml:1: test.team.kr: {said}" == str(refused.value)


# --- what a key result is made of -------------------------------------------------------------------------------------


def test_members_parts_guardrails_and_windows_have_contributions_of_their_own():
    events = [won("a", "07-02", market="norte"), won("b", "07-03", market="sur"), deal("lost", "c", "07-04")]
    declared = {
        "measure": {"count": "deal.won"},
        "each": {"dimension": "market"},
        "target": {"value": 1},
        "guardrails": [{"name": "lost", "measure": {"count": "deal.lost"}, "target": {"at_most": 1}}],
    }
    assert [("a", None, 2, 10, 1, None)] == given(events, "norte", **declared)
    assert [("c", None, 4, 10, 1, None)] == given(events, "lost", **declared)
    assert [] == given(events, **declared)
    windows = {"measure": {"count": "deal.won"}, "windows": ["week", "month"]}
    assert [("a", None, 2, 5, 1, None), ("b", None, 3, 5, 1, None)] == given(events, **windows)
    assert [("a", None, 2, 10, 1, None), ("b", None, 3, 10, 1, None)] == given(events, "month", **windows)


def test_a_whole_is_made_of_the_members_that_are_met():
    whose = organisation()
    members = {"dimension": "market", "members": ["norte", "sur"]}
    july = {"month": "2026-07"}
    kr = definition(period=july, of=whose, measure={"count": "deal.won"}, each=members, target={"value": 1})
    figures = compute([kr], whose, log([won("a", "07-02", market="norte")]), THROUGH)
    of_day = made_of(kr, figures).filter(pl.col("as_of") == THROUGH)
    assert [("norte", 1, 1), ("sur", 0, 1)] == of_day.select("part", "numerator", "denominator").rows()
    kpi = definition(period=july, of=whose, measure={"count": "deal.won"}, each=members, **KPI)
    assert made_of(kpi, compute([kpi], whose, log([won("a", "07-02", market="norte")]), THROUGH)).is_empty()


def test_what_is_not_known_is_explained_by_what_is_known_of_it():
    events = [won("a", "07-02"), {**won("b", "07-03"), "currency": "USD"}]
    measure = {"sum": "amount", "of": "deal.won"}
    assert [("a", None, 2, 10, 10, None), ("b", None, 3, 10, 10, None)] == given(events, measure=measure)
    assert [("a", None, 10)] == shown(2, events, measure=measure)
    assert [("a", None, None), ("b", None, None)] == shown(3, events, measure=measure)


def test_where_nothing_happened_nothing_is_given():
    whose, kr = organisation(), definition()
    assert contributions([kr], whose, log([], types=kr.types), THROUGH).is_empty()
    assert contributions([], whose, log([]), THROUGH).is_empty()
