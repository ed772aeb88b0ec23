"""What a key result may be made of: members of a dimension, parts, guardrails, and the windows of a KPI."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from builders import definition, event, figures, key_result, log, of_member, on, organisation, own, row

from kr_definitions.compute import compute
from kr_definitions.coverage import Feeds, as_text, feeds_of

WON = {"count": "deal.won"}
WHOLE = ("value", "target", "progress", "status")


def won(day: str, market: str | None = None, n: int = 1, **columns: Any) -> list[dict[str, Any]]:
    return [event("deal.won", day, f"{day} {market} {i}", market=market, **columns) for i in range(n)]


def whole(day: str, events: Iterable[dict[str, Any]], **declared: Any) -> tuple[Any, ...]:
    return row(day, events, *WHOLE, **declared)


def members(frame: pl.DataFrame, day: str, column: str = "value") -> dict[str, Any]:
    """One figure of every row of a day, by member."""
    of_day = frame.filter(pl.col("as_of") == date.fromisoformat(day), pl.col("member").is_not_null())
    return dict(of_day.select("member", column).iter_rows())


# --- each -------------------------------------------------------------------------------------------------------------

EACH: dict[str, Any] = {
    "measure": WON,
    "target": {"value": 2},
    "each": {"dimension": "market", "members": ["sur", "norte"]},
}
FOUND: dict[str, Any] = {**EACH, "each": {"dimension": "market"}}


def test_the_whole_of_members_is_how_many_are_met_and_its_progress_their_mean_each_at_most_1():
    events = [
        *won("2026-02-01", "norte", 5),
        *won("2026-02-01", "sur"),
        *won("2026-02-01", "este", 9),
        *won("2026-02-01"),
    ]
    found = figures(events, "2026-02-01", **EACH)
    assert {"norte": 5, "sur": 1} == members(found, "2026-02-01")
    assert {"norte": 2.5, "sur": 0.5} == members(found, "2026-02-01", "progress")
    assert (1, 2, 0.75, "on_track") == whole("2026-02-01", events, **EACH)
    assert (1, 2, 6) == row("2026-02-01", events, "numerator", "denominator", "events", **EACH)


def test_the_whole_is_achieved_with_the_last_member_and_not_before():
    events = [*won("2026-02-01", "norte", 5), *won("2026-02-02", "sur", 2)]
    found = own(figures(events, "2026-02-02", **EACH))
    assert ["on_track", "achieved"] == [on(found, day, "status") for day in ("2026-02-01", "2026-02-02")]


def test_the_whole_is_missed_if_one_member_is():
    declared = {**EACH, "period": {"month": "2026-02"}}
    found = figures(won("2026-02-01", "norte", 9), "2026-02-28", **declared)
    assert {"norte": "achieved", "sur": "missed"} == members(found, "2026-02-28", "status")
    assert "missed" == on(own(found), "2026-02-28", "status")


def test_a_declared_member_of_which_nothing_is_known_counts_as_nothing_and_not_as_missing():
    assert (0, 2, 0, "off_track") == whole("2026-11-01", [], **EACH)
    assert (None, 2, None, "no_data") == whole("2026-11-01", [], covered=None, **EACH)


def test_a_member_that_is_found_counts_from_the_day_on_which_it_is_named():
    events = [
        *won("2025-12-31", "este", 2),
        *won("2026-02-01", "norte", 2),
        *won("2026-02-03", "sur", 1),
        *won("2026-02-04"),
    ]
    found = figures(events, "2026-02-04", **FOUND)
    assert [{}, {"norte": 2}, {"norte": 2, "sur": 1}] == [
        members(found, day) for day in ("2026-01-31", "2026-02-02", "2026-02-04")
    ]
    assert [(0, "not_started"), (1, "on_track"), (1, "on_track")] == [
        (on(own(found), day), on(own(found), day, "status")) for day in ("2026-01-31", "2026-02-02", "2026-02-04")
    ]


def test_where_members_are_found_on_the_way_more_may_come_until_the_last_day():
    events = [event("market.analysed", "2026-02-01", market="sur"), *won("2026-02-02", "sur", 2)]
    for each in ({"dimension": "market"}, {"dimension": "market", "seen_in": "market.analysed"}):
        found = own(figures(events, "2026-02-28", **{**EACH, "each": each, "period": {"month": "2026-02"}}))
        assert ["on_track", "achieved"] == [on(found, day, "status") for day in ("2026-02-27", "2026-02-28")]


def test_without_any_member_at_all_it_is_missed_on_the_last_day_and_not_before():
    declared = {**EACH, "each": {"dimension": "market", "seen_in": "market.analysed"}, "period": {"month": "2026-02"}}
    found = figures(won("2026-02-02", "sur", 2), "2026-02-28", **declared)
    assert [(0, 0, None, "not_started"), (0, 0, 0, "missed")] == [
        tuple(on(found, day, name) for name in WHOLE) for day in ("2026-02-27", "2026-02-28")
    ]
    assert (None, None, None, "no_data") == whole("2026-02-28", [], covered=None, **declared)


def test_a_member_without_a_baseline_counts_as_one_that_has_not_started():
    declared = {**EACH, "target": {"relative": Decimal("0.5")}, "period": {"month": "2026-02"}}
    events = [*won("2026-01-10", "norte", 2), *won("2026-02-01", "norte", 3), *won("2026-02-01", "sur", 9)]
    found = figures(events, "2026-02-28", **declared)
    assert {"norte": "achieved", "sur": "not_started"} == members(found, "2026-02-28", "status")
    assert [(1, 2, 0.5, "on_track"), (1, 2, 0.5, "missed")] == [
        tuple(on(own(found), day, name) for name in WHOLE) for day in ("2026-02-10", "2026-02-28")
    ]


def test_members_that_another_event_names_must_all_be_met_also_those_without_any_event_of_their_own():
    declared = {**EACH, "each": {"dimension": "market", "seen_in": "market.analysed"}}
    events = [
        event("market.analysed", "2026-02-01", market="sur"),
        event("market.analysed", "2026-02-03", market="norte"),
        *won("2026-02-02", "sur", 2),
        *won("2026-02-02", "este", 2),
    ]
    found = figures(events, "2026-02-03", **declared)
    assert [{"sur": 0}, {"sur": 2}, {"sur": 2, "norte": 0}] == [members(found, f"2026-02-0{day}") for day in (1, 2, 3)]
    assert [(0, 1), (1, 1), (1, 2)] == [
        (on(own(found), f"2026-02-0{day}"), on(own(found), f"2026-02-0{day}", "target")) for day in (1, 2, 3)
    ]


def test_who_is_a_member_is_not_known_where_what_names_them_was_not_read():
    kr = definition(**{**EACH, "each": {"dimension": "market", "seen_in": "market.analysed"}})
    events = [event("market.analysed", "2026-02-01", market="sur"), *won("2026-02-02", "sur", 2)]
    read = log(events, types=kr.types)
    feeds = Feeds(
        {"deal.won": frozenset({("test", "stream")}), "market.analysed": frozenset({("sheet", "markets")})}, {}
    )
    found = compute([kr], organisation(), read, date(2026, 2, 2), feeds)
    assert (None, None, None, "unreliable") == tuple(on(own(found), "2026-02-02", name) for name in WHOLE)


def test_a_member_waits_for_no_stream_that_tells_of_another_one_alone():
    kr = definition(**{**EACH, "each": {"dimension": "market", "members": ["norte", "sur"]}})
    north, south, all_ = ("test", "stream"), ("test", "south"), ("test", "all")
    read = log(won("2026-02-02", "norte", 2), types=kr.types)  # the stream of the north alone

    def statuses(streams, always):
        feeds = Feeds({"deal.won": frozenset(streams)}, {}, always)
        found = compute([kr], organisation(), read, date(2026, 2, 2), feeds)
        assert feeds == feeds_of(as_text(feeds))
        whole = on(own(found), "2026-02-02", "status")
        return [*(on(found.filter(pl.col("member") == one), "2026-02-02", "status") for one in ("norte", "sur")), whole]

    apart = {north: {"market": "norte"}, south: {"market": "sur"}}
    assert ["achieved", "no_data", "unreliable"] == statuses([north, south], apart)
    assert ["achieved", "no_data", "unreliable"] == statuses([north], {north: {"market": "norte"}})
    assert ["no_data", "no_data", "no_data"] == statuses([north, south, all_], apart)
    assert ["no_data", "no_data", "no_data"] == statuses([north, south], {north: {"product": "x"}})


def test_each_window_of_each_member_must_be_met_and_the_value_is_of_the_window_that_is_open():
    declared = {**EACH, "every": "month"}
    events = [*won("2026-01-10", "norte", 2), *won("2026-01-10", "sur", 1), *won("2026-02-01", "sur", 2)]
    found = figures(events, "2026-02-28", **declared)
    assert [(1, 0.75), (1, 0.625)] == [
        (on(own(found), day), on(own(found), day, "progress")) for day in ("2026-01-31", "2026-02-28")
    ]


def test_a_member_of_a_level_is_of_what_bears_its_name():
    measure = {"open": {"opened_by": "ticket.created", "closed_by": "ticket.solved"}}
    declared = {
        "measure": measure,
        "target": {"at_most": 1},
        "each": {"dimension": "priority", "members": ["high", "low"]},
    }
    events = [
        event("ticket.created", "2026-02-01", n, priority=p) for n, p in [("1", "high"), ("2", "high"), ("3", "low")]
    ]
    events += [event("ticket.solved", "2026-02-02", n, priority=p) for n, p in [("1", "high"), ("3", "low")]]
    found = figures(events, "2026-02-02", **declared)
    assert {"high": 1, "low": 0} == members(found, "2026-02-02")
    assert (2, 2, 1, "on_track") == whole("2026-02-02", events, **declared)


def test_a_kpi_for_each_has_the_value_of_all_and_of_each():
    declared = {"measure": WON, "type": "kpi", "each": {"dimension": "market"}}
    events = [*won("2026-02-01", "norte", 2), *won("2026-02-01", "sur"), *won("2026-02-01", None, 4)]
    found = figures(events, "2026-02-02", **declared)
    assert {"norte": 2, "sur": 1} == members(found, "2026-02-02")
    assert (7, None, None, None) == whole("2026-02-02", events, **declared)


# --- all of -----------------------------------------------------------------------------------------------------------


def part(name: str, measure: dict[str, Any], target: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "measure": measure, "target": target, **more}


def parts(*several: dict[str, Any], **declared: Any) -> dict[str, Any]:
    return {"measure": None, "target": None, "all_of": list(several), **declared}


SALES, VISITS = part("sales", WON, {"value": 4}), part("visits", {"count": "visit.held"}, {"value": 10})


def visits(day: str, n: int) -> list[dict[str, Any]]:
    return [event("visit.held", day, f"{day} {i}") for i in range(n)]


def test_the_whole_of_parts_is_how_many_are_met_and_its_progress_their_mean():
    events = [*won("2026-02-01", n=8), *visits("2026-02-01", 5)]
    assert (1, 2, 0.75, "on_track") == whole("2026-02-01", events, **parts(SALES, VISITS))
    assert {"sales": 8, "visits": 5} == members(figures(events, "2026-02-01", **parts(SALES, VISITS)), "2026-02-01")


def test_weights_weigh_the_parts():
    events = [*won("2026-02-01", n=8), *visits("2026-02-01", 5)]
    declared = parts({**SALES, "weight": 3}, VISITS)
    assert 0.875 == whole("2026-02-01", events, **declared)[2]


def test_the_whole_of_parts_is_achieved_with_the_last_one_and_missed_without_it():
    declared = parts(SALES, VISITS, period={"month": "2026-02"})
    events = [*won("2026-02-01", n=8), *visits("2026-02-20", 10)]
    found = own(figures(events, "2026-02-28", **declared))
    assert ["at_risk", "achieved", "achieved"] == [
        on(found, day, "status") for day in ("2026-02-19", "2026-02-20", "2026-02-28")
    ]
    assert "missed" == whole("2026-02-28", events[:-1], **declared)[3]


def test_a_part_that_has_to_hold_is_not_achieved_before_the_end():
    backlog = {"open": {"opened_by": "ticket.created", "closed_by": "ticket.solved"}}
    declared = parts(SALES, part("backlog", backlog, {"at_most": 3}), period={"month": "2026-02"})
    found = own(figures(won("2026-02-01", n=4), "2026-02-28", **declared))
    assert [("on_track", 1), ("achieved", 1)] == [
        (on(found, day, "status"), on(found, day, "progress")) for day in ("2026-02-02", "2026-02-28")
    ]


def test_parts_have_windows_of_their_own():
    yearly = part("year", WON, {"value": 4})
    monthly = part("month", WON, {"value": 1}, every="month")
    events = [*won("2026-01-10", n=4)]
    found = figures(events, "2026-02-28", **parts(yearly, monthly))
    assert {"year": 1, "month": 0.5} == members(found, "2026-02-28", "progress")
    assert (1, 0.75) == tuple(on(own(found), "2026-02-28", name) for name in ("value", "progress"))


def test_a_part_that_has_not_begun_is_at_its_beginning_and_leaves_the_whole_known():
    weekly = part("weekly", WON, {"value": 1}, every="week")
    declared = parts(SALES, weekly, period={"year": 2027}, covered="2027-12-31")
    found = figures(won("2027-01-01"), "2027-01-04", **declared)  # a Friday of the 53rd week of 2026
    assert {"sales": "on_track", "weekly": "not_started"} == members(found, "2027-01-01", "status")
    assert (0.125, "on_track") == tuple(on(own(found), "2027-01-03", name) for name in ("progress", "status"))
    assert "off_track" == members(found, "2027-01-04", "status")["weekly"]


def test_a_part_with_nothing_to_measure_is_at_its_beginning_and_leaves_the_whole_known():
    answers = part("answers", HAPPY["measure"], {"at_least": Decimal("0.5")})
    found = figures(won("2026-02-01", n=8), "2026-02-01", **parts(SALES, answers))
    assert {"sales": "achieved", "answers": "not_started"} == members(found, "2026-02-01", "status")
    assert (1, 2, 0.5, "on_track") == tuple(on(own(found), "2026-02-01", name) for name in WHOLE)


def test_a_part_that_nobody_read_leaves_the_whole_unknown():
    kr = definition(**parts(SALES, VISITS))
    read = log(won("2026-02-01", n=8), types=["deal.won"])
    found = own(compute([kr], organisation(), read, date(2026, 2, 1)))
    assert (None, 2, None, "unreliable") == tuple(on(found, "2026-02-01", name) for name in WHOLE)


# --- guardrails -------------------------------------------------------------------------------------------------------


def guarded(*guardrails: dict[str, Any], **declared: Any) -> dict[str, Any]:
    return {"measure": WON, "target": {"value": 4}, "guardrails": list(guardrails), **declared}


LOST = part("losses", {"count": "deal.lost"}, {"at_most": 2})
HAPPY = part(
    "satisfaction", {"share": {"of": "survey.answered", "reached": "rating = 'good'"}}, {"at_least": Decimal("0.5")}
)


def lost(day: str, n: int) -> list[dict[str, Any]]:
    return [event("deal.lost", day, f"lost {day} {i}") for i in range(n)]


def test_a_guardrail_that_holds_changes_nothing():
    declared = guarded(LOST)
    assert ("on_track", None) == row(
        "2026-01-02", [*won("2026-01-02"), *lost("2026-01-02", 2)], "status", "breached", **declared
    )


def test_a_guardrail_that_does_not_hold_is_named_and_keeps_the_status_from_being_green():
    events = [*won("2026-01-02", n=4), *lost("2026-01-03", 3)]
    found = own(figures(events, "2026-01-03", **guarded(LOST)))
    assert [("achieved", None, 1), ("at_risk", "losses", 1)] == [
        tuple(on(found, day, name) for name in ("status", "breached", "progress"))
        for day in ("2026-01-02", "2026-01-03")
    ]


def test_a_breach_leaves_a_worse_status_as_it_is():
    events = lost("2026-01-03", 3)
    assert ("off_track", "losses") == row("2026-11-03", events, "status", "breached", **guarded(LOST))


def test_a_breach_on_the_last_day_is_a_miss():
    events = [*won("2026-01-02", n=4), *lost("2026-01-03", 3)]
    declared = guarded(LOST, period={"month": "2026-01"})
    assert ("missed", "losses") == row("2026-01-31", events, "status", "breached", **declared)
    assert ("achieved", None) == row("2026-01-31", events[:-1], "status", "breached", **declared)


def test_all_that_are_breached_are_named_in_the_order_of_their_names():
    events = [*lost("2026-01-02", 3), event("survey.answered", "2026-01-02", rating="bad")]
    assert ("losses, satisfaction",) == row("2026-01-02", events, "breached", **guarded(HAPPY, LOST))


def test_a_guardrail_that_holds_again_is_forgiven():
    trailing = {**LOST, "trailing": "7 days"}
    found = own(figures([*won("2026-01-02", n=4), *lost("2026-01-03", 3)], "2026-01-10", **guarded(trailing)))
    assert [("at_risk", "losses"), ("achieved", None)] == [
        (on(found, day, "status"), on(found, day, "breached")) for day in ("2026-01-09", "2026-01-10")
    ]


def test_a_recurring_guardrail_is_forgiven_with_its_next_window():
    weekly = {**LOST, "every": "week"}
    found = own(figures([*won("2026-01-02", n=4), *lost("2026-01-07", 3)], "2026-01-12", **guarded(weekly)))
    assert [("at_risk", "losses"), ("achieved", None)] == [
        (on(found, day, "status"), on(found, day, "breached")) for day in ("2026-01-11", "2026-01-12")
    ]


def test_a_guardrail_that_nobody_read_keeps_the_status_from_being_green_and_not_from_being_worse():
    kr = definition(**guarded(LOST))
    found = [
        own(compute([kr], organisation(), log(events, types=["deal.won"]), date(2026, 11, 2)))
        for events in (won("2026-01-02", n=4), [])
    ]
    assert ["unreliable", "off_track"] == [on(frame, "2026-11-02", "status") for frame in found]


def test_a_guardrail_whose_first_window_is_still_to_come_breaches_nothing():
    weekly = {**LOST, "every": "week"}
    declared = guarded(weekly, period={"year": 2027}, covered="2027-12-31")
    assert ("on_track", None) == row("2027-01-01", won("2027-01-01"), "status", "breached", **declared)


def test_a_guardrail_may_be_held_against_its_own_past():
    by_start = part("satisfaction", HAPPY["measure"], {"not_below": "start"}, trailing="90 days")
    events = [
        *(event("survey.answered", "2025-12-01", n, rating=r) for n, r in [("1", "good"), ("2", "bad")]),
        event("survey.answered", "2026-01-02", "3", rating="good"),
        *(event("survey.answered", "2026-01-03", n, rating="bad") for n in "456"),
        *won("2026-01-02", n=4),
    ]
    found = figures(events, "2026-01-03", **guarded(by_start))
    assert [(2 / 3, 0.5, None), (1 / 3, 0.5, "satisfaction")] == [
        (
            on(of_member(found, "satisfaction"), day),
            on(of_member(found, "satisfaction"), day, "target"),
            on(own(found), day, "breached"),
        )
        for day in ("2026-01-02", "2026-01-03")
    ]


@pytest.mark.parametrize("made_of", [EACH, parts(SALES, VISITS)])
def test_a_guardrail_stands_beside_members_and_parts_and_is_none_of_them(made_of):
    events = [
        *won("2026-01-02", "norte", 4),
        *won("2026-01-02", "sur", 4),
        *visits("2026-01-02", 10),
        *lost("2026-01-02", 3),
    ]
    found = own(figures(events, "2026-01-02", **{**made_of, "guardrails": [LOST]}))
    assert (2, 2, "at_risk", "losses") == tuple(
        on(found, "2026-01-02", name) for name in ("value", "target", "status", "breached")
    )


# --- the windows of a KPI ---------------------------------------------------------------------------------------------


def test_a_kpi_has_a_row_for_each_of_its_windows_and_the_first_is_the_whole():
    declared = {"measure": WON, "type": "kpi", "windows": ["month", "quarter", "week"]}
    events = [*won("2026-01-10", n=1), *won("2026-02-01", n=2), *won("2026-02-02", n=4)]
    found = figures(events, "2026-02-02", **declared)
    assert {"month": 6, "quarter": 7, "week": 4} == members(found, "2026-02-02")
    assert {"month": 2, "quarter": 3, "week": 2} == members(found, "2026-02-01")
    assert (6, None, None, None) == whole("2026-02-02", events, **declared)
    assert {"window": 3, "own": 1} == dict(
        found.filter(pl.col("as_of") == date(2026, 2, 2)).group_by("role").len().iter_rows()
    )


@pytest.mark.parametrize(
    ("starts", "first", "last"), [(7, "2026-07-01", "2026-09-30"), (2, "2026-08-01", "2026-10-31")]
)
def test_quarters_are_those_of_the_fiscal_year(starts, first, last):
    declared = {"measure": WON, "type": "kpi", "windows": ["quarter"], "of": {"fiscal_year_starts": starts}}
    found = of_member(figures([*won(first), *won(last, n=2)], "2027-01-31", **declared), "quarter")
    assert (date.fromisoformat(first), date.fromisoformat(last), 3) == tuple(
        on(found, last, name) for name in ("window_start", "window_end", "value")
    )


def test_a_kpi_is_expected_nothing_in_any_of_its_windows():
    found = figures(won("2026-01-02"), "2026-01-02", type="kpi", windows=["month", "quarter"], target=None)
    assert {None} == {*found.get_column("expected"), *found.get_column("window_expected")}


def test_a_guardrail_has_a_name_of_its_own():
    with pytest.raises(ValueError, match="a guardrail has another's name"):
        key_result(**guarded({**LOST, "name": "norte"}, each={"dimension": "market", "members": ["norte"]}))
