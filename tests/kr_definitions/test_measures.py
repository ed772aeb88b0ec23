"""Each kind of measure: exact values, boundaries, ties, and what is null rather than zero."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from builders import definition, event, figures, log, on, organisation, value

from kr_definitions.compute import compute

WON = {"count": "deal.won"}
EXCLUSIVE = {"count": "listing.captured", "where": "mandate = 'exclusive'", "out_of": "listing.captured"}
GOOD = {"share": {"of": "survey.answered", "reached": "rating = 'good'"}}
CYCLE = {"from": "deal.created", "to": "deal.won"}
BACKLOG = {
    "open": {"opened_by": ["ticket.created", "ticket.reopened"], "closed_by": ["ticket.solved", "ticket.closed"]}
}
FLYERS = {"daily_max": "quantity", "of": "flyers.distributed"}
PORTALS = {"distinct": "portal", "of": "listing.published"}
INVOICED = {"sum": "amount", "of": ["invoice.issued", "invoice.voided"]}


# --- count ------------------------------------------------------------------------------------------------------------


def test_a_count_is_of_the_events_up_to_the_end_of_the_day():
    events = [event("deal.won", day) for day in ("2026-01-01", "2026-01-02", "2026-01-02 23:59", "2026-01-03 00:00")]
    assert [1, 3, 4, 4] == figures(events, "2026-01-04", measure=WON).get_column("value").to_list()


def test_a_count_is_zero_where_nothing_happened_and_null_where_nobody_looked():
    assert 0 == value("2026-03-01", [], measure=WON)
    assert value("2026-03-01", [], measure=WON, covered=None) is None


def test_a_count_of_the_period_holds_its_first_and_its_last_instant_and_no_other():
    events = [
        event("deal.won", at) for at in ("2025-12-31 23:59", "2026-01-01 00:00", "2026-12-31 23:59", "2027-01-01 00:00")
    ]
    assert 2 == value("2026-12-31", events, measure=WON)


def test_a_count_of_two_types_adds_them():
    assert 2 == value("2026-05-01", [event("deal.won", "2026-02-01"), event("deal.lost", "2026-02-01")],
                      measure={"count": ["deal.won", "deal.lost"]})  # fmt: skip


def test_a_filter_that_is_neither_true_nor_false_counts_nothing():
    events = [
        event("listing.captured", "2026-02-01", n, mandate=m)
        for n, m in [("1", "exclusive"), ("2", "open"), ("3", None)]
    ]
    assert 1 == value("2026-02-01", events, measure={"count": "listing.captured", "where": "mandate = 'exclusive'"})
    assert 1 == value("2026-02-01", events, measure={"count": "listing.captured", "where": "mandate <> 'exclusive'"})


def test_what_a_count_is_out_of_stands_beside_it_and_is_not_filtered():
    events = [
        event("listing.captured", "2026-02-01", n, mandate=m)
        for n, m in [("1", "exclusive"), ("2", "open"), ("3", None)]
    ]
    row = figures(events, "2026-02-01", measure=EXCLUSIVE).row(-1, named=True)
    assert (1.0, Decimal(1), Decimal(3), 1) == (row["value"], row["numerator"], row["denominator"], row["events"])


def test_what_a_count_is_out_of_is_zero_where_there_is_none():
    assert Decimal(0) == value("2026-02-01", [], "denominator", measure=EXCLUSIVE)


def test_a_count_without_out_of_has_no_denominator():
    assert value("2026-02-01", [event("deal.won", "2026-02-01")], "denominator", measure=WON) is None


def test_a_month_starts_anew_at_midnight_of_its_first_day():
    events = [
        event("deal.won", at) for at in ("2026-01-31 23:59", "2026-02-01 00:00", "2026-02-28 23:59", "2026-03-01 00:00")
    ]
    by_day = figures(events, "2026-03-01", measure=WON, every="month", target={"value": 5})
    assert [1, 1, 2, 1] == [on(by_day, day) for day in ("2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")]


def test_a_trailing_window_holds_today_and_the_days_before():
    events = [event("deal.won", "2026-03-10 00:00")]
    by_day = figures(events, "2026-03-20", measure=WON, trailing="7 days", target={"at_least": 1})
    assert [0, 1, 1, 0] == [on(by_day, day) for day in ("2026-03-09", "2026-03-10", "2026-03-16", "2026-03-17")]


def test_a_trailing_window_reaches_back_before_the_period():
    events = [event("deal.won", "2025-12-30")]
    by_day = figures(events, "2026-01-08", measure=WON, trailing="7 days", target={"at_least": 1})
    assert [1, 1, 0] == [on(by_day, day) for day in ("2026-01-01", "2026-01-05", "2026-01-06")]


def test_ever_counts_from_the_first_event_and_has_no_first_day():
    events = [event("deal.won", day) for day in ("2001-05-01", "2025-12-31", "2026-02-01")]
    by_day = figures(events, "2026-02-01", measure=WON, cumulative="ever", target={"value": 10})
    assert (2, 3, None) == (
        on(by_day, "2026-01-01"),
        on(by_day, "2026-02-01"),
        on(by_day, "2026-02-01", "window_start"),
    )


# --- customers --------------------------------------------------------------------------------------------------------

BOUGHT_BEFORE = {"count": "referral.received", "among": {"had": "deal.won"}}
NEW = {"count": "deal.won", "among": {"had_not": "deal.won"}}


def test_a_customer_had_something_only_strictly_before():
    won = event("deal.won", "2026-02-01 10:00", account_id="a")
    referred = [
        event("referral.received", f"2026-02-01 {at}", at, account_id="a") for at in ("09:59", "10:00", "10:01")
    ]
    assert 1 == value("2026-02-01", [won, *referred], measure=BOUGHT_BEFORE)


def test_a_customer_had_it_long_before_the_period_too():
    events = [event("deal.won", "2019-02-01", account_id="a"), event("referral.received", "2026-02-01", account_id="a")]
    assert 1 == value("2026-02-01", events, measure=BOUGHT_BEFORE)


def test_a_customers_first_purchase_is_of_one_who_had_not_bought_and_the_second_is_not():
    events = [event("deal.won", f"2026-02-0{n}", str(n), account_id="a") for n in (1, 2)]
    assert 1 == value("2026-02-02", events, measure=NEW)


def test_two_first_purchases_at_one_instant_are_both_of_one_who_had_not_bought():
    assert 2 == value("2026-02-02", [event("deal.won", "2026-02-01", n, account_id="a") for n in "12"], measure=NEW)


def test_an_event_without_an_account_is_of_nobody_who_had_or_had_not():
    events = [event("deal.won", "2026-02-01"), event("referral.received", "2026-02-02")]
    assert (0, 0) == (value("2026-02-02", events, measure=BOUGHT_BEFORE), value("2026-02-02", events, measure=NEW))


def test_another_accounts_purchase_says_nothing():
    events = [event("deal.won", "2026-02-01", account_id="b"), event("referral.received", "2026-02-02", account_id="a")]
    assert 0 == value("2026-02-02", events, measure=BOUGHT_BEFORE)


def test_what_customers_had_must_have_been_read_too():
    events = [event("referral.received", "2026-02-01", account_id="a")]
    kr = definition(measure=BOUGHT_BEFORE)
    read = log(events, types=["referral.received"])
    assert on(compute([kr], organisation(), read, date(2026, 2, 1)), "2026-02-01") is None


# --- sum --------------------------------------------------------------------------------------------------------------


def test_a_sum_is_exact():
    events = [event("invoice.issued", "2026-02-01", str(n), amount="0.1", currency="EUR") for n in range(3)]
    assert Decimal("0.300000") == value("2026-02-01", events, "numerator", measure=INVOICED)


def test_a_sum_of_great_and_small_amounts_loses_nothing():
    amounts = ["1000000000000000.01", "0.000001", "-1000000000000000"]
    events = [
        event("invoice.issued", f"2026-02-0{n + 1}", str(n), amount=a, currency="EUR") for n, a in enumerate(amounts)
    ]
    assert Decimal("0.010001") == value("2026-02-03", events, "numerator", measure=INVOICED)


def test_a_voided_invoice_counts_back_on_the_day_on_which_it_was_voided():
    events = [
        event("invoice.issued", "2026-02-01", "1", amount="100", currency="EUR"),
        event("invoice.voided", "2026-02-03", "1", amount="-100", currency="EUR"),
    ]
    by_day = figures(events, "2026-02-03", measure=INVOICED)
    assert [100, 100, 0] == [on(by_day, day) for day in ("2026-02-01", "2026-02-02", "2026-02-03")]


def test_an_event_without_the_number_adds_nothing_and_is_an_event():
    row = figures([event("invoice.issued", "2026-02-01")], "2026-02-01", measure=INVOICED).row(-1, named=True)
    assert (0, 1) == (row["value"], row["events"])


def test_a_sum_is_zero_where_nothing_happened_and_null_where_nobody_looked():
    assert 0 == value("2026-03-01", [], measure=INVOICED)
    assert value("2026-03-01", [], measure=INVOICED, covered=None) is None


def test_scores_add_up_as_they_were_given():
    events = [event("survey.answered", "2026-02-01", n, score=s) for n, s in [("1", "9"), ("2", "9.5"), ("3", None)]]
    assert 18.5 == value("2026-02-01", events, measure={"sum": "score", "of": "survey.answered"})


# --- distinct ---------------------------------------------------------------------------------------------------------


def published(day: str, portal: str | None, subject: str = "1") -> dict[str, Any]:
    return event("listing.published", day, subject, portal=portal)


def test_a_value_counts_from_the_day_on_which_it_is_first_seen():
    events = [published("2026-02-02", "a"), published("2026-02-03", "b"), published("2026-02-04", "a", "2")]
    by_day = figures(events, "2026-02-04", measure=PORTALS)
    assert [0, 1, 2, 2] == [on(by_day, f"2026-02-0{day}") for day in (1, 2, 3, 4)]


def test_no_value_is_not_a_value():
    assert 1 == value("2026-02-03", [published("2026-02-02", None), published("2026-02-02", "b", "2")], measure=PORTALS)


def test_each_window_sees_a_value_for_the_first_time_again():
    events = [published("2026-01-31", "a"), published("2026-02-01", "a", "2"), published("2026-02-05", "b", "3")]
    by_day = figures(events, "2026-02-28", measure=PORTALS, every="month", target={"value": 1})
    assert [1, 1, 1, 2] == [on(by_day, day) for day in ("2026-01-31", "2026-02-01", "2026-02-04", "2026-02-28")]


def test_a_value_leaves_a_trailing_window_with_its_last_event_in_it():
    events = [published("2026-02-01", "a"), published("2026-02-03", "a", "2")]
    by_day = figures(events, "2026-02-06", measure=PORTALS, trailing="3 days", target={"at_least": 1})
    assert [1, 1, 1, 0] == [on(by_day, day) for day in ("2026-02-01", "2026-02-04", "2026-02-05", "2026-02-06")]


def test_ever_knows_the_values_from_before_the_period():
    events = [published("2024-02-01", "a"), published("2026-02-01", "a", "2"), published("2026-02-02", "b", "3")]
    target = {"delta": 2, "baseline": "start"}
    row = figures(events, "2026-02-02", measure=PORTALS, cumulative="ever", target=target).row(-1, named=True)
    assert (2, 1, 1, 3, 0.5) == tuple(row[name] for name in ("value", "baseline", "start", "target", "progress"))


def test_no_different_values_are_zero_of_them_and_null_where_nobody_looked():
    assert 0 == value("2026-03-01", [], measure=PORTALS)
    assert value("2026-03-01", [], measure=PORTALS, covered=None) is None


# --- the best day -----------------------------------------------------------------------------------------------------


def handed_out(at: str, quantity: str | None, subject: str = "1") -> dict[str, Any]:
    return event("flyers.distributed", at, subject, quantity=quantity)


def test_the_best_day_is_the_largest_sum_of_one_day():
    events = [
        handed_out("2026-03-02 09:00", "120"),
        handed_out("2026-03-02 18:00", "80", "2"),
        handed_out("2026-03-03", "150", "3"),
    ]
    by_day = figures(events, "2026-03-04", measure=FLYERS, every="week", target={"value": 200})
    assert [200, 200] == [on(by_day, day) for day in ("2026-03-02", "2026-03-04")]


def test_two_days_do_not_make_one_best_day():
    events = [handed_out("2026-03-02 23:59", "120"), handed_out("2026-03-03 00:00", "80", "2")]
    assert 120 == value("2026-03-08", events, measure=FLYERS, every="week", target={"value": 200})


def test_the_best_day_of_the_week_before_is_forgotten():
    events = [handed_out("2026-03-08", "300"), handed_out("2026-03-09", "10", "2")]
    by_day = figures(events, "2026-03-09", measure=FLYERS, every="week", target={"value": 200})
    assert [300, 10] == [on(by_day, day) for day in ("2026-03-08", "2026-03-09")]


def test_the_best_day_is_zero_where_nothing_happened_and_null_where_nobody_looked():
    assert 0 == value("2026-03-04", [], measure=FLYERS, every="week", target={"value": 200})
    assert value("2026-03-04", [], measure=FLYERS, every="week", target={"value": 200}, covered=None) is None


def test_a_round_without_a_number_is_a_day_of_zero():
    row = figures([handed_out("2026-03-02", None)], "2026-03-02", measure=FLYERS).row(-1, named=True)
    assert (0, 1) == (row["value"], row["events"])


# --- share ------------------------------------------------------------------------------------------------------------


def answered(day: str, rating: str | None, subject: str = "1", **columns: Any) -> dict[str, Any]:
    return event("survey.answered", day, subject, rating=rating, **columns)


def test_a_share_keeps_what_it_is_a_share_of():
    events = [answered("2026-02-01", rating, str(n)) for n, rating in enumerate(["good", "good", "bad"])]
    row = figures(events, "2026-02-01", measure=GOOD, target={"at_least": 1}).row(-1, named=True)
    assert (2 / 3, Decimal(2), Decimal(3), 3) == (row["value"], row["numerator"], row["denominator"], row["events"])


def test_an_answer_that_says_neither_counts_in_neither():
    events = [answered("2026-02-01", rating, str(n)) for n, rating in enumerate(["good", "bad", None])]
    row = figures(events, "2026-02-01", measure=GOOD, target={"at_least": 1}).row(-1, named=True)
    assert (0.5, Decimal(2)) == (row["value"], row["denominator"])


def test_a_share_of_nothing_is_null_and_not_zero():
    row = figures([], "2026-02-01", measure=GOOD, target={"at_least": 1}).row(-1, named=True)
    assert (None, Decimal(0), Decimal(0), "not_started") == tuple(
        row[name] for name in ("value", "numerator", "denominator", "status")
    )


def test_a_share_of_bad_answers_alone_is_zero_and_not_null():
    assert 0 == value("2026-02-01", [answered("2026-02-01", "bad")], measure=GOOD, target={"at_least": 1})


def test_a_share_is_of_the_events_that_its_filter_leaves():
    events = [answered("2026-02-01", "bad", "1", channel="email"), answered("2026-02-01", "good", "2", channel="web")]
    measure = {"share": {"of": "survey.answered", "where": "channel = 'web'", "reached": "rating = 'good'"}}
    assert 1 == value("2026-02-01", events, measure=measure, target={"at_least": 1})


def test_a_share_of_a_trailing_window_forgets():
    events = [answered("2026-02-01", "bad"), answered("2026-02-02", "good", "2")]
    by_day = figures(events, "2026-02-05", measure=GOOD, trailing="2 days", target={"at_least": 1})
    assert [0, 0.5, 1, None] == [on(by_day, f"2026-02-0{day}") for day in (1, 2, 3, 4)]


def test_a_share_knows_what_its_customers_had():
    events = [
        event("deal.won", "2026-01-05", account_id="a"),
        answered("2026-02-01", "good", "1", account_id="a"),
        answered("2026-02-01", "bad", "2", account_id="b"),
    ]
    measure = {**GOOD, "among": {"had": "deal.won"}}
    assert 1 == value("2026-02-01", events, measure=measure, target={"at_least": 1})


# --- duration ---------------------------------------------------------------------------------------------------------


def took(**hours: float) -> list[dict[str, Any]]:
    """Deals won on 10 February, each so many hours after it was created."""
    end = datetime(2026, 2, 10, 12, tzinfo=UTC)
    return [
        fact
        for name, some in hours.items()
        for fact in (event("deal.created", end - timedelta(hours=some), name), event("deal.won", end, name))
    ]


@pytest.mark.parametrize(
    ("expected", "statistic"), [(2.5, "median"), (3.7, "p90"), (1, "min"), (4, "max"), (2.5, "mean")]
)
def test_a_statistic_of_even_numbers_lies_between_the_two_in_the_middle(expected, statistic):
    measure = {"duration": CYCLE, "statistic": statistic}
    assert expected == pytest.approx(
        value("2026-02-10", took(a=1, b=2, c=3, d=4), measure=measure, target={"at_most": 3}), rel=1e-12
    )


@pytest.mark.parametrize(("expected", "unit"), [(90, "minutes"), (1.5, "hours"), (0.0625, "days")])
def test_a_duration_is_told_in_its_unit(expected, unit):
    assert expected == value(
        "2026-02-10", took(a=1.5), measure={"duration": CYCLE, "unit": unit}, target={"at_most": 3}
    )


def test_a_duration_is_the_same_whether_one_day_is_computed_or_many():
    told = {"measure": {"duration": CYCLE, "unit": "days"}, "target": {"at_most": 3}}
    by_day = figures(took(a=49.0), "2026-02-20", **told)
    assert 49 / 24 == on(by_day, "2026-02-10") == value("2026-02-10", took(a=49.0), **told)


def test_a_mean_keeps_the_exact_time_and_the_subjects_that_it_is_of():
    measure = {"duration": CYCLE, "statistic": "mean"}
    row = figures(took(a=1, b=2), "2026-02-10", measure=measure, target={"at_most": 3}).row(-1, named=True)
    assert (Decimal(3 * 3_600_000_000), Decimal(2), 2) == (row["numerator"], row["denominator"], row["events"])


def test_a_median_has_no_numerator_for_nothing_adds_up_to_it():
    row = figures(took(a=1, b=2), "2026-02-10", measure={"duration": CYCLE}, target={"at_most": 3}).row(-1, named=True)
    assert (None, Decimal(2)) == (row["numerator"], row["denominator"])


def test_a_duration_of_nobody_is_null_and_of_no_time_is_zero():
    assert value("2026-02-10", [], measure={"duration": CYCLE}, target={"at_most": 3}) is None
    assert 0 == value("2026-02-10", took(a=0), measure={"duration": CYCLE}, target={"at_most": 3})


def test_time_runs_from_the_first_beginning_to_the_first_end_not_before_it():
    events = [
        event("deal.won", "2026-02-01 08:00", "a", key="before"),
        event("deal.created", "2026-02-01 09:00", "a"),
        event("deal.created", "2026-02-01 10:00", "a"),
        event("deal.won", "2026-02-01 11:00", "a"),
        event("deal.won", "2026-02-02 11:00", "a"),
    ]
    row = figures(events, "2026-02-02", measure={"duration": CYCLE}, target={"at_most": 3}).row(-1, named=True)
    assert (2, 1) == (row["value"], row["events"])


def test_two_ends_at_one_instant_are_one_end():
    events = [*took(a=1), event("deal.won", datetime(2026, 2, 10, 12, tzinfo=UTC), "a", key="again", product="x")]
    assert 1 == value("2026-02-10", events, "events", measure={"duration": CYCLE}, target={"at_most": 3})


def test_an_end_without_a_beginning_is_no_duration():
    assert 0 == value(
        "2026-02-01", [event("deal.won", "2026-02-01")], "events", measure={"duration": CYCLE}, target={"at_most": 3}
    )


def test_a_duration_counts_in_the_window_of_its_end():
    events = [event("deal.created", "2025-12-31 23:00", "a"), event("deal.won", "2026-01-01 01:00", "a")]
    assert 2 == value("2026-01-01", events, measure={"duration": CYCLE}, target={"at_most": 3})


def test_a_filter_is_on_the_end():
    events = [
        event("deal.created", "2026-02-01 09:00", "a"),
        event("deal.won", "2026-02-01 10:00", "a", product="x"),
        event("deal.won", "2026-02-01 12:00", "a", product="y"),
    ]
    measure = {"duration": {**CYCLE, "where": "product = 'y'"}}
    assert 3 == value("2026-02-01", events, measure=measure, target={"at_most": 3})


def test_an_hour_that_the_clock_repeats_is_an_hour():
    events = [event("deal.created", "2026-10-25 00:00", "a"), event("deal.won", "2026-10-26 00:00", "a")]
    assert 25 == value("2026-10-26", events, measure={"duration": CYCLE}, target={"at_most": 30})


# --- open -------------------------------------------------------------------------------------------------------------


def ticket(what: str, at: str, subject: str = "1") -> dict[str, Any]:
    return event(f"ticket.{what}", at, subject)


def levels(events: list[dict[str, Any]], *days: int) -> list[float]:
    by_day = figures(events, f"2026-02-{max(days):02}", measure=BACKLOG, target={"at_most": 9})
    return [on(by_day, f"2026-02-{day:02}") for day in days]


def test_what_is_opened_stays_open_until_it_is_closed():
    assert [0, 1, 1, 0] == levels([ticket("created", "2026-02-02"), ticket("solved", "2026-02-04")], 1, 2, 3, 4)


def test_what_is_closed_can_be_opened_again():
    events = [
        ticket("created", "2026-02-02"),
        ticket("solved", "2026-02-03"),
        ticket("reopened", "2026-02-05"),
        ticket("closed", "2026-02-06"),
    ]
    assert [1, 0, 0, 1, 0] == levels(events, 2, 3, 4, 5, 6)


def test_opened_twice_is_open_once_and_closed_twice_is_closed_once():
    events = [
        ticket("created", "2026-02-02"),
        ticket("reopened", "2026-02-03"),
        ticket("solved", "2026-02-04"),
        ticket("closed", "2026-02-05"),
    ]
    assert [1, 1, 0, 0] == levels(events, 2, 3, 4, 5)


def test_closed_without_having_been_opened_is_not_below_nothing():
    assert [0, 0] == levels([ticket("solved", "2026-02-02")], 1, 2)


def test_opened_and_closed_at_one_instant_is_closed():
    assert [0, 0] == levels([ticket("created", "2026-02-02"), ticket("solved", "2026-02-02")], 2, 3)


def test_a_level_at_the_end_of_the_day_is_not_what_it_was_at_noon():
    events = [
        ticket("created", "2026-02-02 09:00"),
        ticket("solved", "2026-02-02 23:59"),
        ticket("created", "2026-02-02 10:00", "2"),
    ]
    assert [1] == levels(events, 2)


def test_what_was_opened_before_the_period_is_still_open_in_it():
    assert [1] == levels([ticket("created", "2019-05-01")], 1)


def test_a_duration_is_known_only_where_all_beginnings_have_been_read():
    told = {"measure": {"duration": CYCLE}, "target": {"at_most": 3}, "period": {"month": "2026-02"}}
    assert value("2026-02-10", took(a=1), since="2026-01-01", **told) is None


def test_a_level_is_known_only_where_all_of_the_past_has_been_read():
    events = [ticket("created", "2026-02-02")]
    assert value("2026-02-03", events, measure=BACKLOG, target={"at_most": 9}, since="2026-01-01") is None


# --- days -------------------------------------------------------------------------------------------------------------

CLOCK_CHANGES = [
    *(("Europe/Madrid", f"2026-{day}") for day in ("03-28", "03-29", "10-24", "10-25")),
    *(("America/Bogota", f"2026-{day}") for day in ("03-29", "10-25")),
]


def edges(zone: str, day: str) -> tuple[datetime, datetime, datetime]:
    """The first instant of a day, its last one, and the first of the next, of which UTC gives one another day."""
    local, tomorrow = date.fromisoformat(day), date.fromisoformat(day) + timedelta(1)
    first, after = (datetime.combine(d, time.min, ZoneInfo(zone)).astimezone(UTC) for d in (local, tomorrow))
    last = after - timedelta(microseconds=1)
    assert first.date() != local or last.date() != local
    return first, last, after


@pytest.mark.parametrize(("zone", "day"), CLOCK_CHANGES)
@pytest.mark.parametrize(
    ("expected", "measure", "event_type", "columns"),
    [
        ([2, 1], {"count": "deal.won"}, "deal.won", [{}, {}, {}]),
        ([0.3, 0.4], INVOICED, "invoice.issued", [{"amount": "0.1"}, {"amount": "0.2"}, {"amount": "0.4"}]),
        ([2, 1], PORTALS, "listing.published", [{"portal": "a"}, {"portal": "b"}, {"portal": "b"}]),
        ([30, 40], FLYERS, "flyers.distributed", [{"quantity": "10"}, {"quantity": "20"}, {"quantity": "40"}]),
        ([0.5, 0], GOOD, "survey.answered", [{"rating": "good"}, {"rating": "bad"}, {"rating": "bad"}]),
    ],
)
def test_an_event_is_of_the_day_that_it_was_where_it_happened(zone, day, expected, measure, event_type, columns):
    instants = edges(zone, day)
    events = [event(event_type, at, str(n), **more) for n, (at, more) in enumerate(zip(instants, columns, strict=True))]
    tomorrow = str(date.fromisoformat(day) + timedelta(1))
    by_day = figures(events, tomorrow, zone, measure=measure, every="day", target={"at_least": 1})
    assert expected == pytest.approx([on(by_day, day), on(by_day, tomorrow)], rel=1e-12)


@pytest.mark.parametrize(("zone", "day"), CLOCK_CHANGES)
def test_a_level_is_that_of_local_midnight(zone, day):
    first, last, after = edges(zone, day)
    events = [
        event("ticket.created", first, "1"),
        event("ticket.created", last, "2"),
        event("ticket.solved", after, "1"),
    ]
    tomorrow = str(date.fromisoformat(day) + timedelta(1))
    by_day = figures(events, tomorrow, zone, measure=BACKLOG, target={"at_most": 9})
    assert [2, 1] == [on(by_day, day), on(by_day, tomorrow)]


@pytest.mark.parametrize(("zone", "day"), CLOCK_CHANGES)
def test_a_duration_ends_on_the_local_day(zone, day):
    first, last, after = edges(zone, day)
    hours = (after - first) / timedelta(hours=1)
    events = [event("deal.created", first, "1"), event("deal.won", last, "1")]
    events += [event("deal.created", first, "2"), event("deal.won", after, "2")]
    tomorrow = str(date.fromisoformat(day) + timedelta(1))
    measure = {"duration": CYCLE, "statistic": "max"}
    by_day = figures(events, tomorrow, zone, measure=measure, every="day", target={"at_most": 30})
    assert [hours, hours] == pytest.approx([on(by_day, day), on(by_day, tomorrow)], abs=1e-8)
    assert [1, 1] == [on(by_day, day, "events"), on(by_day, tomorrow, "events")]


# --- baselines --------------------------------------------------------------------------------------------------------


def wins(**days: int) -> list[dict[str, Any]]:
    """So many deals won on a day written as d20250301."""
    return [
        event("deal.won", datetime.strptime(day, "d%Y%m%d").replace(hour=12, tzinfo=UTC), f"{day}-{n}")
        for day, many in days.items()
        for n in range(many)
    ]


def test_the_baseline_of_a_year_is_the_whole_year_before():
    events = wins(d20241231=1, d20250101=2, d20251231=3, d20260101=1)
    row = figures(events, "2026-01-01", measure=WON, target={"relative": Decimal("0.2"), "baseline": "previous_year"})
    assert (5, 0, 6) == tuple(on(row, "2026-01-01", name) for name in ("baseline", "start", "target"))


def test_the_previous_period_of_a_quarter_is_the_quarter_before_and_the_previous_year_its_quarter_last_year():
    events = wins(d20250201=7, d20251231=3, d20260101=1)
    told = {"period": {"quarter": "2026-Q1"}, "measure": WON}
    assert 3 == value("2026-01-01", events, "baseline", **told, target={"delta": 1, "baseline": "previous_period"})
    assert 7 == value("2026-01-01", events, "baseline", **told, target={"delta": 1, "baseline": "previous_year"})


def test_a_share_starts_at_its_baseline():
    events = [answered("2025-06-01", "good", "1"), answered("2025-06-02", "bad", "2")]
    events += [answered("2026-01-01", r, f"n{n}") for n, r in enumerate(["good", "good", "good", "bad"])]
    target = {"relative": Decimal("0.6"), "baseline": "previous_year"}
    row = figures(events, "2026-01-01", measure=GOOD, target=target).row(-1, named=True)
    assert (0.5, 0.5, 0.8) == tuple(row[name] for name in ("baseline", "start", "target"))
    assert 0.25 / 0.3 == pytest.approx(row["progress"], rel=1e-12)


def test_a_part_of_the_baseline_is_exact():
    events = [answered("2025-06-01", "good", str(n)) for n in range(2)] + [
        answered("2025-06-01", "bad", f"b{n}") for n in range(3)
    ]
    target = {"relative": Decimal("0.15"), "baseline": "previous_year"}
    assert 0.46 == value("2026-01-01", events, "target", measure=GOOD, target=target)


def test_a_duration_that_is_to_shrink_moves_down_from_its_baseline():
    events = [event("deal.created", "2025-03-01 00:00", "a"), event("deal.won", "2025-03-31 00:00", "a")]
    events += [event("deal.created", "2026-01-01 00:00", "b"), event("deal.won", "2026-01-26 00:00", "b")]
    target = {"delta": -10, "baseline": "previous_year"}
    row = figures(events, "2026-01-26", measure={"duration": CYCLE, "unit": "hours"}, target=target).row(-1, named=True)
    assert (719, 709, 600) == (row["baseline"], row["target"], row["value"])  # that March lost an hour
    assert 11.9 == pytest.approx(row["progress"], rel=1e-12)


def test_a_level_starts_where_it_stood_on_the_eve():
    events = [
        ticket("created", "2025-11-01", "1"),
        ticket("created", "2025-12-31 23:59", "2"),
        ticket("created", "2026-01-01 00:00", "3"),
    ]
    target = {"delta": -2, "baseline": "start"}
    row = figures(events, "2026-01-01", measure=BACKLOG, target=target).row(-1, named=True)
    assert (2, 0, 3, -0.5) == tuple(row[name] for name in ("baseline", "target", "value", "progress"))


def test_a_trailing_window_starts_at_the_one_of_the_eve():
    events = wins(d20251225=4, d20251224=9)
    told = {"measure": WON, "trailing": "7 days", "target": {"delta": 1, "baseline": "start"}}
    assert (4, 4, 5) == tuple(value("2026-01-01", events, name, **told) for name in ("baseline", "start", "target"))


def test_a_baseline_that_nobody_read_is_null_and_so_is_what_depends_on_it():
    target = {"relative": Decimal("0.1"), "baseline": "previous_year"}
    row = figures(wins(d20260101=1), "2026-01-01", measure=WON, target=target, since="2025-07-01").row(-1, named=True)
    assert (1, None, None, None, "unreliable") == tuple(
        row[name] for name in ("value", "baseline", "target", "progress", "status")
    )


def test_a_baseline_of_nothing_leaves_nothing_to_reach():
    target = {"relative": Decimal("0.1"), "baseline": "previous_year"}
    row = figures(wins(d20260101=1), "2026-01-01", measure=WON, target=target).row(-1, named=True)
    assert (0, 0, None, "not_started") == tuple(row[name] for name in ("baseline", "target", "progress", "status"))
