"""Groups whose members come and go: who stayed, and who took part."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from builders import event, figures, on, row, value

KPI = {"type": "kpi"}
STAYED = {"retention": {"opened_by": "subscription.started", "closed_by": "subscription.ended"}}
COLUMNS = ("value", "numerator", "denominator")


def subscription(what: str, at: str, account: str | None, subject: str | None = None, **columns: Any) -> dict[str, Any]:
    return event(f"subscription.{what}", at, subject or f"of {account}", account_id=account, **columns)


def started(at: str, account: str | None, subject: str | None = None, **columns: Any) -> dict[str, Any]:
    return subscription("started", at, account, subject, **columns)


def ended(at: str, account: str | None, subject: str | None = None) -> dict[str, Any]:
    return subscription("ended", at, account, subject)


# --- retention --------------------------------------------------------------------------------------------------------


def test_those_who_stayed_are_a_part_of_those_who_were_there_on_the_eve():
    events = [*(started("2025-05-01", name) for name in "abcd"), ended("2026-02-01", "a"), ended("2026-02-02", "b")]
    by_day = figures(events, "2026-02-02", measure=STAYED, **KPI)
    assert [(1, 4, 4), (0.75, 3, 4), (0.5, 2, 4)] == [
        tuple(on(by_day, day, name) for name in COLUMNS) for day in ("2026-01-31", "2026-02-01", "2026-02-02")
    ]


def test_who_came_later_counts_in_neither_part():
    events = [started("2025-05-01", "a"), started("2026-01-01 00:00", "b"), ended("2026-01-02", "b")]
    assert (1, 1, 1) == row("2026-01-02", events, *COLUMNS, measure=STAYED, **KPI)


def test_who_left_and_came_back_stayed():
    events = [started("2025-05-01", "a"), ended("2026-01-02", "a"), started("2026-01-04", "a", "another")]
    by_day = figures(events, "2026-01-04", measure=STAYED, **KPI)
    assert [1, 0, 0, 1] == [on(by_day, f"2026-01-0{day}") for day in (1, 2, 3, 4)]


def test_who_has_two_subscriptions_leaves_with_the_last_one():
    events = [
        started("2025-05-01", "a", "1"),
        started("2025-06-01", "a", "2"),
        ended("2026-01-02", "a", "1"),
        ended("2026-01-04", "a", "2"),
    ]
    by_day = figures(events, "2026-01-04", measure=STAYED, **KPI)
    assert [(1, 1), (1, 1), (0, 1)] == [
        (on(by_day, day), on(by_day, day, "denominator")) for day in ("2026-01-01", "2026-01-02", "2026-01-04")
    ]


def test_a_subscription_that_starts_again_without_saying_whose_it_is_is_nobodys():
    events = [
        started("2025-05-01", "a"),
        started("2025-05-01", "b"),
        ended("2026-01-02", "a"),
        started("2026-01-04", None, "of a"),
        ended("2026-01-06", None, "of a"),
        started("2026-01-08", "a", "of a"),
    ]
    by_day = figures(events, "2026-01-08", measure=STAYED, **KPI)
    assert [1, 0.5, 0.5, 0.5, 1] == [on(by_day, f"2026-01-0{day}") for day in (1, 2, 4, 6, 8)]


def test_a_subscription_that_is_said_anew_without_saying_whose_it_is_is_nobodys_from_then_on():
    events = [started("2025-05-01", "a"), started("2026-01-04", None, "of a")]
    by_day = figures(events, "2026-01-04", measure=STAYED, **KPI)
    assert [1, 0] == [on(by_day, f"2026-01-0{day}") for day in (3, 4)]


def test_a_subscription_that_ended_twice_or_before_it_started_is_over_once():
    events = [
        ended("2025-04-30", "a", "1"),
        started("2025-05-01", "a", "1"),
        started("2025-05-01", "a", "2"),
        ended("2026-01-02", "a", "1"),
        ended("2026-01-03", "a", "1"),
    ]
    assert (1, 1, 1) == row("2026-01-03", events, *COLUMNS, measure=STAYED, **KPI)


def test_who_left_on_the_eve_was_not_there_and_who_came_on_it_was():
    events = [
        started("2025-05-01", "a"),
        ended("2025-12-31 23:59", "a"),
        started("2025-12-31 23:59", "b"),
        ended("2026-01-01 00:00", "b"),
    ]
    assert (0, 0, 1) == row("2026-01-01", events, *COLUMNS, measure=STAYED, **KPI)


def test_without_members_at_the_start_there_is_no_value():
    assert (None, 0, 0) == row("2026-02-01", [started("2026-01-15", "a")], *COLUMNS, measure=STAYED, **KPI)


def test_each_month_has_its_own_eve():
    events = [
        started("2025-05-01", "a"),
        started("2026-01-15", "b"),
        ended("2026-02-10", "a"),
        ended("2026-01-20", "c"),
    ]
    by_day = figures(events, "2026-02-28", measure=STAYED, every="month", target={"at_least": 1})
    assert [(1, 1), (0.5, 2)] == [
        (on(by_day, day), on(by_day, day, "denominator")) for day in ("2026-01-31", "2026-02-28")
    ]


def test_a_closing_that_does_not_say_whose_it_is_closes_its_subject():
    events = [started("2025-05-01", "a", "1"), ended("2026-01-02", None, "1")]
    assert (0, 0, 1) == row("2026-01-02", events, *COLUMNS, measure=STAYED, **KPI)


def test_what_is_nobodys_is_no_membership():
    assert (None, 0, 0) == row("2026-01-02", [started("2025-05-01", None, "1")], *COLUMNS, measure=STAYED, **KPI)


def test_whose_it_was_is_not_learnt_from_its_end():
    events = [started("2025-05-01", None, "1"), ended("2026-01-03", "a", "1"), started("2025-05-01", "b", "2")]
    by_day = figures(events, "2026-01-03", measure=STAYED, **KPI)
    assert [1, 1] == [on(by_day, f"2026-01-0{day}", "denominator") for day in (2, 3)]


def test_only_openings_that_the_filter_leaves_make_a_member():
    events = [started("2025-05-01", "a", product="x"), started("2025-05-01", "b", product="y")]
    measure = {"retention": {**STAYED["retention"], "where": "product = 'x'"}}
    assert (1, 1, 1) == row("2026-01-02", events, *COLUMNS, measure=measure, **KPI)


def test_without_an_end_everybody_stays():
    measure = {"retention": {"opened_by": "subscription.started"}}
    events = [started("2025-05-01", "a"), ended("2026-01-01", "a")]
    assert 1 == value("2026-01-02", events, measure=measure, **KPI)


def test_who_was_a_member_is_known_only_where_all_of_the_past_was_read():
    assert value("2026-02-01", [started("2025-05-01", "a")], measure=STAYED, since="2025-01-01", **KPI) is None


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Madrid", "2026-03-29"), ("Europe/Madrid", "2026-10-25"), ("America/Bogota", "2026-03-29")],
)
def test_a_day_ends_at_local_midnight(zone, day):
    tomorrow = date.fromisoformat(day) + timedelta(1)
    after = datetime.combine(tomorrow, time.min, ZoneInfo(zone)).astimezone(UTC)
    events = [
        started("2025-05-01", "a"),
        started("2025-05-01", "b"),
        event("subscription.ended", after - timedelta(microseconds=1), "of a", account_id="a"),
        event("subscription.ended", after, "of b", account_id="b"),
    ]
    by_day = figures(events, str(tomorrow), zone, measure=STAYED, **KPI)
    assert [0.5, 0] == [on(by_day, day), on(by_day, str(tomorrow))]


# --- what those who stayed are worth ----------------------------------------------------------------------------------

WORTH = {
    "retention": {**STAYED["retention"], "value": "amount", "valued_by": "subscription.amount_changed"},
}


def worth(what: str, at: str, account: str | None, amount: int, subject: str | None = None, **columns: Any) -> Any:
    return subscription(what, at, account, subject, amount=str(amount), **{"currency": "EUR", **columns})


def test_what_those_of_the_eve_are_worth_now_is_over_what_they_were_worth_then():
    events = [
        worth("started", "2025-05-01", "a", 100),
        worth("started", "2025-05-01", "b", 60),
        worth("amount_changed", "2025-06-01", "b", 100),
        worth("amount_changed", "2026-01-02", "a", 150),
        worth("started", "2026-01-03", "a", 10, "another of a"),
        worth("ended", "2026-01-04", "b", 100),
        worth("started", "2026-01-05", "came later", 1000),
        worth("amount_changed", "2026-01-06", "a", 0),
    ]
    by_day = figures(events, "2026-01-07", measure=WORTH, **KPI)
    rows = [tuple(on(by_day, f"2026-01-0{day}", name) for name in COLUMNS) for day in range(1, 8)]
    gained = [(1, 200, 200), (1.25, 250, 200), (1.3, 260, 200)]
    assert [*gained, (0.8, 160, 200), (0.8, 160, 200), (0.05, 10, 200), (0.05, 10, 200)] == rows
    assert on(by_day, "2026-01-07", "events") == 2


def test_of_members_who_were_worth_nothing_nothing_is_a_part():
    events = [worth("started", "2025-05-01", "trying", 0), worth("amount_changed", "2026-01-02", "trying", 50)]
    assert (None, 50, 0) == row("2026-01-02", events, *COLUMNS, measure=WORTH, **KPI)


def test_without_members_on_the_eve_there_is_nothing_to_be_kept():
    assert (None, 0, 0) == row("2026-01-02", [worth("started", "2026-01-01", "a", 5)], *COLUMNS, measure=WORTH, **KPI)


# --- participation ----------------------------------------------------------------------------------------------------

ROSTER = {"opened_by": "staff.joined", "closed_by": "staff.left", "where": "team = 'ventas'", "by": "actor"}
USED = {"participation": {"roster": ROSTER, "did": {"of": "system.used", "where": "system = 'crm'"}}}
FROM_START = {"participation": {**USED["participation"], "members": "start"}}
WEEKLY: dict[str, Any] = {"every": "week", "target": {"at_least": 1}}


def staff(what: str, at: str, actor: str, team: str | None = "ventas") -> dict[str, Any]:
    return event(f"staff.{what}", at, f"member {actor}", actor=actor, team=team)


def used(at: str, actor: str | None, system: str = "crm") -> dict[str, Any]:
    return event("system.used", at, f"{actor} {at} {system}", actor=actor, system=system)


def test_who_did_it_once_or_often_took_part():
    events = [
        *(staff("joined", "2025-05-01", name) for name in "abc"),
        used("2026-02-02 00:00", "a"),
        used("2026-02-03", "a"),
        used("2026-02-08 23:59", "b"),
        used("2026-02-09 00:00", "c"),
    ]
    by_day = figures(events, "2026-02-09", measure=USED, **WEEKLY)
    assert [(1 / 3, 1, 3), (1 / 3, 1, 3), (2 / 3, 2, 3), (1 / 3, 1, 3)] == [
        tuple(on(by_day, f"2026-02-0{day}", name) for name in COLUMNS) for day in (2, 7, 8, 9)
    ]


def test_what_no_member_did_does_not_count():
    events = [
        staff("joined", "2025-05-01", "a"),
        staff("joined", "2025-05-01", "b", team="soporte"),
        used("2026-02-02", "b"),
        used("2026-02-02", "stranger"),
        used("2026-02-02", None),
        used("2026-02-02", "a", system="erp"),
    ]
    assert (0, 0, 1) == row("2026-02-03", events, *COLUMNS, measure=USED, **WEEKLY)


def test_the_members_are_those_at_the_end_of_the_day_or_those_at_the_start_of_the_window():
    events = [
        staff("joined", "2025-05-01", "a"),
        staff("joined", "2026-02-03", "b"),
        staff("left", "2026-02-04", "a"),
        used("2026-02-02", "a"),
        used("2026-02-05", "b"),
    ]
    told = [figures(events, "2026-02-05", measure=measure, **WEEKLY) for measure in (USED, FROM_START)]
    assert [[(1, 1), (0.5, 2), (0, 1), (1, 1)], [(1, 1), (1, 1), (1, 1), (1, 1)]] == [
        [(on(by_day, f"2026-02-0{d}"), on(by_day, f"2026-02-0{d}", "denominator")) for d in (2, 3, 4, 5)]
        for by_day in told
    ]


def test_what_somebody_did_before_joining_counts_within_the_window():
    events = [used("2026-02-02", "a"), staff("joined", "2026-02-03", "a")]
    assert (1, 1, 1) == row("2026-02-03", events, *COLUMNS, measure=USED, **WEEKLY)


def test_without_members_there_is_no_value():
    assert (None, 0, 0) == row("2026-02-02", [used("2026-02-02", "a")], *COLUMNS, measure=USED, **WEEKLY)


def test_an_account_may_take_part_too():
    measure = {
        "participation": {
            "roster": {"opened_by": "subscription.started", "closed_by": "subscription.ended", "by": "account_id"},
            "did": {"of": ["call.made", "meeting.held"], "by": "account_id"},
        }
    }
    events = [
        started("2025-05-01", "a"),
        started("2025-05-01", "b"),
        event("call.made", "2026-02-02", account_id="a"),
        event("meeting.held", "2026-02-02", account_id="a"),
    ]
    assert (0.5, 1, 2) == row("2026-02-02", events, *COLUMNS, measure=measure, **KPI)


def test_the_trailing_days_hold_today_and_the_days_before():
    events = [staff("joined", "2025-05-01", "a"), used("2026-01-05 00:00", "a")]
    by_day = figures(events, "2026-02-04", measure=USED, trailing="30 days", target={"at_least": 1})
    assert [1, 1, 0] == [on(by_day, day) for day in ("2026-01-05", "2026-02-03", "2026-02-04")]


def test_the_roster_must_have_been_read_from_the_beginning_and_what_was_done_in_the_window():
    events = [staff("joined", "2026-01-01", "a"), used("2026-02-02", "a")]
    assert value("2026-02-02", events, measure=USED, since="2026-01-01", **WEEKLY) is None
