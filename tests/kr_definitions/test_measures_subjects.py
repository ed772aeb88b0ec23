"""Measures that follow a subject: times between its events, how many get there, and which steps are met.

The statistics of durations are in `test_measures`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from builders import event, figures, on, row, value

KPI = {"type": "kpi"}


def replied(subject: str, created: str | datetime, first: str | datetime | None = None) -> list[dict[str, Any]]:
    """A ticket with its first reply."""
    events = [event("ticket.created", created, subject)]
    return events if first is None else [*events, event("ticket.first_replied", first, subject)]


REPLY = {"from": "ticket.created", "to": "ticket.first_replied"}


# --- duration: whose, and from which ----------------------------------------------------------------------------------


def test_a_duration_by_account_joins_what_two_systems_know_of_one_customer():
    events = [
        event("lead.created", "2026-02-01", "contact-1", account_id="a"),
        event("lead.created", "2026-02-01", "contact-2", account_id="b"),
        event("lead.created", "2026-02-01", "contact-3"),
        event("deal.won", "2026-02-04", "deal-1", account_id="a"),
        event("deal.won", "2026-02-03", "deal-2"),
    ]
    measure = {"duration": {"from": "lead.created", "to": "deal.won", "by": "account_id"}, "unit": "days"}
    assert (3, 1) == row("2026-02-04", events, "value", "events", measure=measure, **KPI)
    by_subject = {"duration": {"from": "lead.created", "to": "deal.won"}, "unit": "days"}
    assert value("2026-02-04", events, measure=by_subject, **KPI) is None


def test_a_duration_begins_with_the_first_beginning_that_its_filter_leaves():
    events = [
        event("deal.stage_entered", "2026-02-01 08:00", stage="preventa"),
        event("deal.stage_entered", "2026-02-01 10:00", stage="propuesta"),
        event("deal.stage_entered", "2026-02-01 11:00", stage="propuesta"),
        event("deal.stage_entered", "2026-02-01 15:00", stage="preventa"),
        event("deal.won", "2026-02-01 18:00"),
    ]
    of = {"from": "deal.stage_entered", "to": "deal.won"}
    assert 10 == value("2026-02-01", events, measure={"duration": of}, **KPI)
    measure = {"duration": {**of, "from_where": "stage = 'propuesta'"}}
    assert 8 == value("2026-02-01", events, measure=measure, **KPI)


def test_one_event_type_can_both_begin_and_end_told_apart_by_filters():
    events = [
        event("deal.stage_entered", "2026-02-01 10:00", stage="a"),
        event("deal.stage_entered", "2026-02-01 10:30", stage="b"),
    ]
    of = {"from": "deal.stage_entered", "from_where": "stage = 'a'", "to": "deal.stage_entered", "where": "stage = 'b'"}
    assert 30 == value("2026-02-01", events, measure={"duration": of, "unit": "minutes"}, **KPI)


def test_the_window_of_the_end_has_the_duration_and_the_window_of_the_beginning_has_none():
    events = replied("1", "2026-01-31 23:00", "2026-02-01 01:00")
    by_day = figures(events, "2026-02-28", measure={"duration": REPLY}, every="month", target={"at_most": 4})
    assert [(None, 0), (2, 1)] == [(on(by_day, d), on(by_day, d, "events")) for d in ("2026-01-31", "2026-02-28")]


def test_a_year_later_on_29_february_is_366_days():
    events = replied("1", "2027-02-28", "2028-02-29")
    measure = {"duration": REPLY, "unit": "days"}
    assert 366 == value("2028-02-29", events, measure=measure, period={"year": 2028}, covered="2028-12-31", **KPI)


# --- duration in working hours ----------------------------------------------------------------------------------------

WORKED = {"duration": REPLY, "unit": "working_hours"}


@pytest.mark.parametrize(
    ("expected", "created", "first"),
    [
        (2, "2026-02-03 10:00", "2026-02-03 12:00"),
        (9, "2026-02-03 09:00", "2026-02-03 18:00"),
        (9, "2026-02-03 00:00", "2026-02-04 00:00"),
        (1, "2026-02-03 17:30", "2026-02-04 09:30"),
        (0, "2026-02-03 18:00", "2026-02-04 09:00"),
        (2, "2026-02-06 17:00", "2026-02-09 10:00"),  # over a week-end
        (0, "2026-02-07 10:00", "2026-02-08 12:00"),  # within one
        (1, "2026-02-07 10:00", "2026-02-09 10:00"),
        (9, "2026-01-05 09:00", "2026-01-07 09:00"),  # the sixth of January is nobody's working day
        (10, "2026-05-14 17:00", "2026-05-18 09:00"),  # the fifteenth of May is one outside Madrid alone
        (18, "2026-03-27 09:00", "2026-03-31 00:00"),  # the night in which an hour is lost
        (18, "2026-10-23 09:00", "2026-10-27 00:00"),  # and the one in which an hour comes twice
    ],
)
def test_only_hours_that_are_worked_count(expected, created, first):
    country = "ES-CT" if created.startswith("2026-05-14") else "ES-MD"
    told = {"measure": WORKED, "of": {"country": country}, **KPI}
    assert expected == value(first[:10], replied("1", created, first), **told)


def test_working_hours_are_those_of_the_organisation_on_its_own_clock():
    events = replied("1", datetime(2026, 2, 3, 13, tzinfo=UTC), datetime(2026, 2, 4, 14, 30, tzinfo=UTC))
    of = {"zone": "America/Bogota", "country": "CO", "working_hours": {"from": "08:30", "until": "17:00"}}
    assert 9.5 == value("2026-02-04", events, measure=WORKED, of=of, **KPI)  # 8:30 to 17:00, and 8:30 to 9:30


def test_a_mean_of_working_hours_keeps_its_exact_time():
    events = [
        *replied("1", "2026-02-03 17:00", "2026-02-04 10:00"),
        *replied("2", "2026-02-03 10:00", "2026-02-03 11:00"),
    ]
    found = row(
        "2026-02-04", events, "value", "numerator", "denominator", measure={**WORKED, "statistic": "mean"}, **KPI
    )
    assert (1.5, Decimal(3 * 3_600_000_000), Decimal(2)) == found


# --- conversion -------------------------------------------------------------------------------------------------------

GOT_THERE = {"conversion": REPLY}
IN_TIME = {"conversion": REPLY, "within": "5 minutes"}
CONVERSION = ("value", "numerator", "denominator")


def test_a_conversion_is_of_those_that_began_and_who_has_not_got_there_yet_is_not_there():
    events = [*replied("1", "2026-02-01", "2026-02-03"), *replied("2", "2026-02-01"), *replied("3", "2026-02-02")]
    by_day = figures(events, "2026-02-03", measure=GOT_THERE, **KPI)
    assert [(0, 0, 2), (0, 0, 3), (1 / 3, 1, 3)] == [
        tuple(on(by_day, f"2026-02-0{day}", name) for name in CONVERSION) for day in (1, 2, 3)
    ]


def test_who_began_counts_once_with_the_first_beginning_in_the_window_of_the_beginning():
    events = [*replied("1", "2026-01-31 23:59", "2026-02-02"), event("ticket.created", "2026-02-01", "1")]
    by_day = figures(events, "2026-02-28", measure=GOT_THERE, every="month", target={"at_least": 1})
    assert [(0, 1), (None, 0)] == [
        (on(by_day, day), on(by_day, day, "denominator")) for day in ("2026-01-31", "2026-02-28")
    ]


def test_who_got_there_before_beginning_did_not_get_there():
    events = [event("ticket.first_replied", "2026-02-01 11:59", "1"), *replied("1", "2026-02-01 12:00")]
    assert (0, Decimal(0), Decimal(1)) == row("2026-02-02", events, *CONVERSION, measure=GOT_THERE, **KPI)


def test_who_got_there_in_the_instant_of_the_beginning_got_there():
    events = replied("1", "2026-02-01 12:00", "2026-02-01 12:00")
    assert (1, Decimal(1), Decimal(1)) == row("2026-02-01", events, *CONVERSION, measure=IN_TIME, **KPI)


NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expected", "late"), [(1, timedelta(minutes=5)), (0, timedelta(minutes=5, microseconds=1)), (0, timedelta(days=9))]
)
def test_the_end_of_the_time_is_in_time_and_what_comes_after_is_not(expected, late):
    events = replied("1", NOON, NOON + late)
    assert (expected, 1) == row("2026-02-28", events, "value", "denominator", measure=IN_TIME, **KPI)


def test_whose_time_is_not_over_counts_in_neither_part():
    measure = {"conversion": REPLY, "within": "2 days"}
    events = [*replied("1", "2026-02-01 12:00"), *replied("2", "2026-02-01 13:00", "2026-02-02 10:00")]
    by_day = figures(events, "2026-02-03", measure=measure, **KPI)
    assert [(None, 0, 0), (1, 1, 1), (0.5, 1, 2)] == [
        tuple(on(by_day, f"2026-02-0{day}", name) for name in CONVERSION) for day in (1, 2, 3)
    ]


def test_a_time_that_ends_after_midnight_is_decided_on_the_day_on_which_it_ends():
    events = replied("1", "2026-02-01 23:57")
    by_day = figures(events, "2026-02-02", measure=IN_TIME, **KPI)
    assert [0, 1] == [on(by_day, f"2026-02-0{day}", "denominator") for day in (1, 2)]


@pytest.mark.parametrize(("expected", "first"), [(1, "2026-03-29 04:00"), (0, "2026-03-29 04:01")])
def test_a_length_of_time_is_elapsed_time_also_in_the_night_that_loses_an_hour(expected, first):
    events = replied("1", "2026-03-29 00:00", first)
    measure = {"conversion": REPLY, "within": "3 hours"}
    assert expected == value("2026-03-30", events, measure=measure, **KPI)


def test_a_conversion_of_nobody_is_null_and_of_none_who_got_there_is_zero():
    assert (None, 0, 0) == row("2026-02-01", [], *CONVERSION, measure=GOT_THERE, **KPI)
    assert 0 == value("2026-02-01", replied("1", "2026-02-01"), measure=GOT_THERE, **KPI)


def test_the_filters_of_a_conversion_are_on_the_beginning_and_on_the_end():
    events = [
        *(event("lead.created", "2026-02-01", n, channel=c) for n, c in [("1", "web"), ("2", "web"), ("3", "phone")]),
        event("lifecycle.entered", "2026-02-02", "1", lifecycle="customer"),
        event("lifecycle.entered", "2026-02-02", "2", lifecycle="subscriber"),
        event("lifecycle.entered", "2026-02-02", "3", lifecycle="customer"),
    ]
    of = {
        "from": "lead.created",
        "from_where": "channel = 'web'",
        "to": "lifecycle.entered",
        "where": "lifecycle = 'customer'",
    }
    assert (0.5, 1, 2) == row("2026-02-02", events, *CONVERSION, measure={"conversion": of}, **KPI)


def test_what_got_there_must_have_been_read_too():
    events = replied("1", "2026-02-01", "2026-02-02")
    assert value("2026-02-02", events, measure=GOT_THERE, since="2026-01-15", **KPI) is None


# --- steps ------------------------------------------------------------------------------------------------------------

PLAN = {
    "steps": [
        {"name": "written", "of": "deal.stage_entered", "where": "stage = 'escrito'"},
        {"name": "shared", "of": "deal.stage_entered", "where": "stage = 'compartido'", "weight": 2},
        {"name": "signed", "of": ["partnership.signed", "collaboration.agreed"]},
    ]
}
MILESTONE = {"measure": PLAN, "target": {"value": 4}}


def stage(name: str, day: str) -> dict[str, Any]:
    return event("deal.stage_entered", day, stage=name)


def test_steps_add_their_weights_each_once_and_in_any_order():
    events = [
        event("collaboration.agreed", "2026-02-02"),
        stage("compartido", "2026-02-03"),
        stage("compartido", "2026-02-04"),
        event("partnership.signed", "2026-02-04"),
        stage("escrito", "2026-02-05"),
    ]
    by_day = figures(events, "2026-02-05", **MILESTONE)
    assert [(0, 0), (1, 0.25), (3, 0.75), (3, 0.75), (4, 1)] == [
        (on(by_day, f"2026-02-0{day}"), on(by_day, f"2026-02-0{day}", "progress")) for day in (1, 2, 3, 4, 5)
    ]
    assert ({4.0}, ["achieved"]) == (
        set(by_day.get_column("denominator").cast(float)),
        by_day.get_column("status").to_list()[-1:],
    )


def test_a_step_must_be_met_anew_in_each_window():
    by_day = figures([stage("escrito", "2026-01-31")], "2026-02-01", every="month", **MILESTONE)
    assert [1, 0] == [on(by_day, day) for day in ("2026-01-31", "2026-02-01")]


def test_one_event_may_meet_two_steps():
    measure = {"steps": [{"name": "a", "of": "deal.won"}, {"name": "b", "of": "deal.won", "where": "amount > 10"}]}
    events = [event("deal.won", "2026-02-02", amount="11", currency="EUR")]
    assert 2 == value("2026-02-02", events, measure=measure, target={"value": 2})


def test_no_step_is_zero_and_what_nobody_read_is_null():
    assert 0 == value("2026-02-02", [], **MILESTONE)
    assert value("2026-02-02", [], covered=None, **MILESTONE) is None
