"""Progress, expected progress and status: the worked examples that tools publish, borders, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from builders import definition, event, key_result, log, on, organisation
from hypothesis import given
from hypothesis import strategies as st

from kr_definitions import progress as formulas
from kr_definitions.compute import compute

MADRID = ZoneInfo("Europe/Madrid")
WON = {"count": "deal.won"}
EXCLUSIVE = {"share": {"of": "listing.captured", "reached": "mandate = 'exclusive'"}}


def progress(value: float | None, target: Mapping[str, Any]) -> float | None:
    """Progress of a level towards a target."""
    kr = key_result(target=target, measure={"open": {"opened_by": "ticket.created", "closed_by": "ticket.solved"}})
    start, goal = formulas.start_and_target(kr, None)
    floats = dict.fromkeys(("value", "start", "target"), pl.Float64)
    frame = pl.DataFrame({"value": [value], "start": [start], "target": [goal]}, schema=floats)
    return frame.select(formulas.progress_of(kr, pl.col("value"), pl.col("start"), pl.col("target"))).item()


def wins(by_day: Mapping[str, int]) -> list[dict[str, Any]]:
    """So many deals won on each day."""
    return [event("deal.won", day, f"{day}/{n}") for day, many in by_day.items() for n in range(many)]


def figures(
    by_day: Mapping[str, int], through: str, covered: str | None = "2027-12-31", **declared: Any
) -> pl.DataFrame:
    kr = definition(**declared)
    return compute([kr], organisation(), log(wins(by_day), covered, types=kr.types), date.fromisoformat(through))


def last(by_day: Mapping[str, int], through: str, *columns: str, **declared: Any) -> tuple[Any, ...]:
    """Some columns of the last computed day."""
    row = figures(by_day, through, **declared).row(-1, named=True)
    return tuple(row[name] for name in columns)


# --- worked examples --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("expected", "bugs"), [(0.5, 80), (0.75, 70), (1.25, 50), (0, 100), (-0.25, 110)])
def test_bugs_from_100_to_60_as_quantive_counts_them(expected, bugs):
    assert expected == progress(bugs, {"from": 100, "value": 60})


@pytest.mark.parametrize(("expected", "value", "start", "target"), [(0.5, 40, 30, 50), (0.25, 20, 15, 35)])
def test_from_one_figure_to_another_as_viva_goals_counts_it(expected, value, start, target):
    assert expected == progress(value, {"from": start, "value": target})


@pytest.mark.parametrize(("expected", "value"), [(1.2, 0.8), (1, 1), (1.5, 0.5), (0.5, 1.5), (0.8, 1.2)])
def test_distance_to_at_most_1_as_profit_co_counts_it(expected, value):
    assert expected == pytest.approx(progress(value, {"at_most": 1, "progress": "distance"}), rel=1e-12)


@pytest.mark.parametrize(("expected", "value"), [(0, 4.999), (1, 5), (1, 6), (1, 7), (0, 7.001)])
def test_maintain_5_to_7_as_upraise_counts_it(expected, value):
    assert expected == progress(value, {"within": [5, 7]})


def test_an_eleventh_item_takes_3_of_10_done_from_30_to_27_percent_as_in_jira():
    items = [
        event("listing.captured", "2026-02-01", str(n), mandate="exclusive" if n < 3 else "open") for n in range(10)
    ]
    items.append(event("listing.captured", "2026-02-02", "eleventh", mandate="open"))
    kr = definition(measure=EXCLUSIVE, target={"value": 1})
    by_day = compute([kr], organisation(), log(items), date(2026, 2, 2))
    assert (0.3, Decimal(3), Decimal(10)) == tuple(
        on(by_day, "2026-02-01", name) for name in ("progress", "numerator", "denominator")
    )
    assert (3 / 11, Decimal(3), Decimal(11)) == tuple(
        on(by_day, "2026-02-02", name) for name in ("progress", "numerator", "denominator")
    )


def test_8_of_10_scores_0_8_as_re_work_has_it():
    assert (0.8, 0.8) == last({"2026-02-01": 8}, "2026-12-31", "progress", "score", measure=WON, target={"value": 10})


def test_9_of_13_successful_check_ins_are_69_percent_as_profit_co_counts_them():
    mondays = [date(2026, 3, 30) + timedelta(weeks=n) for n in range(9)]
    told = {"measure": WON, "every": "week", "period": {"quarter": "2026-Q2"}, "target": {"value": 1}}
    assert (9 / 13, 9, 13) == last(
        {str(day): 1 for day in mondays}, "2026-06-30", "progress", "windows_met", "windows_closed", **told
    )


# --- kinds of target --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "value", "target"),
    [
        (1, 5, {"at_least": 5}),
        (0, 4.999, {"at_least": 5}),
        (0, 5, {"at_least": 5, "strict": True}),
        (1, 5.001, {"at_least": 5, "strict": True}),
        (1, 5, {"at_most": 5}),
        (0, 5.001, {"at_most": 5}),
        (0, 5, {"at_most": 5, "strict": True}),
        (0.8, 4, {"at_least": 5, "progress": "distance"}),
        (1.2, 6, {"at_least": 5, "progress": "distance"}),
        (1, 0, {"at_least": 0, "progress": "distance"}),
        (0, -1, {"at_least": 0, "progress": "distance"}),
        (1, 0, {"at_most": 0, "progress": "distance"}),
        (0, 3, {"at_most": 0, "progress": "distance"}),
    ],
)
def test_a_threshold_is_met_or_not_or_so_far_away(expected, value, target):
    assert expected == pytest.approx(progress(value, target), rel=1e-12)


@pytest.mark.parametrize(
    ("expected", "value", "target"),
    [
        (0.5, 8, {"at_least": 9, "from": 7}),
        (-0.5, 6, {"at_least": 9, "from": 7}),
        (1.5, 10, {"at_least": 9, "from": 7, "progress": "distance"}),
        (0.25, 35, {"at_most": 20, "from": 40}),
        (1.25, 15, {"at_most": 20, "from": 40, "strict": True}),
    ],
)
def test_from_a_figure_to_a_threshold_progress_is_the_distance_travelled(expected, value, target):
    assert expected == pytest.approx(progress(value, target), rel=1e-12)


def test_a_strict_threshold_that_progress_is_travelled_to_is_met_beyond_it_and_expected_at_all_times():
    told = {"measure": EXCLUSIVE, "period": {"month": "2026-02"}}
    for is_met, target in (
        (True, {"at_least": Decimal("0.5"), "from": Decimal("0.2")}),
        (False, {"at_least": Decimal("0.5"), "from": Decimal("0.2"), "strict": True}),
    ):
        taken_on = [event("listing.captured", "2026-02-01", m, mandate=m) for m in ("exclusive", "open")]
        kr = definition(target=target, **told)
        row = compute([kr], organisation(), log(taken_on), date(2026, 2, 28)).row(-1, named=True)
        assert ("achieved" if is_met else "missed", 1, 1, 0.2) == tuple(
            row[name] for name in ("status", "progress", "expected", "start")
        )


@pytest.mark.parametrize("target", [{"at_least": 5, "from": 5}, {"at_least": 5, "from": 6}, {"at_most": 5, "from": 4}])
def test_what_has_to_rise_to_a_threshold_comes_from_below_and_what_has_to_fall_from_above(target):
    with pytest.raises(ValueError, match=r"which is not (below|above) 5"):
        key_result(target=target)


def test_15_percent_more_than_0_40_is_0_46():
    kr = key_result(measure=EXCLUSIVE, target={"relative": Decimal("0.15"), "baseline": "previous_year"})
    assert (0.40, 0.46) == formulas.start_and_target(kr, 0.40)


@pytest.mark.parametrize(("expected", "relative"), [(-90, "0.1"), (-110, "-0.1"), (0, "1"), (100, "2")])
def test_10_percent_more_than_a_loss_of_100_is_a_loss_of_90(expected, relative):
    kr = key_result(measure=EXCLUSIVE, target={"relative": Decimal(relative), "baseline": "previous_year"})
    assert (-100, expected) == formulas.start_and_target(kr, -100.0)


def test_a_total_that_lost_less_than_the_year_before_has_reached_its_target_and_only_at_the_end():
    told = {
        "measure": {"sum": "amount", "of": "invoice.voided"},
        "target": {"relative": Decimal("0.1"), "baseline": "previous_year"},
    }
    lost = [
        event("invoice.voided", day, day, amount=amount, currency="EUR")
        for day, amount in (("2025-05-01", "-100"), ("2026-02-01", "-80"), ("2026-12-31", "-15"))
    ]
    for status, said in (("achieved", lost[:2]), ("missed", lost)):
        kr = definition(**told)
        by_day = compute([kr], organisation(), log(said), date(2026, 12, 31))
        assert ("on_track", 2) == tuple(on(by_day, "2026-02-01", name) for name in ("status", "progress"))
        assert (status, -90) == tuple(on(by_day, "2026-12-31", name) for name in ("status", "target"))


@pytest.mark.parametrize("target", [{"value": 10}, {"at_least": 5}, {"at_most": 5}, {"within": [5, 7]}])
def test_what_is_not_known_has_no_progress(target):
    assert progress(None, target) is None


def test_overshoot_and_undershoot_are_kept_in_progress_and_clamped_in_the_score():
    frame = pl.DataFrame({"progress": [-0.5, 0.0, 0.4, 1.0, 1.7, None]})
    assert [0.0, 0.0, 0.4, 1.0, 1.0, None] == frame.select(formulas.score_of(pl.col("progress"))).to_series().to_list()


def test_a_running_total_starts_at_nothing_whatever_its_baseline():
    by_day = {"2025-05-01": 4, "2026-01-01": 3}
    target = {"relative": Decimal("0.5"), "baseline": "previous_year"}
    assert (4, 0, 6, 0.5) == last(
        by_day, "2026-01-01", "baseline", "start", "target", "progress", measure=WON, target=target
    )


def test_a_figure_that_is_reached_exactly_is_reached_whatever_it_is():
    kr = key_result(measure=WON, target={"value": 1})
    for figure in range(1, 500):
        rows = pl.DataFrame({"value": [0.0, figure / 2, float(figure)]}).with_columns(target=pl.lit(float(figure)))
        found = rows.select(formulas.progress_of(kr, pl.col("value"), pl.lit(0.0), pl.col("target"))).to_series()
        assert [0.0, 0.5, 1.0] == found.to_list(), figure


def test_a_mean_is_on_its_line_whatever_the_last_digit_of_the_division_is():
    kr = key_result(measure={"mean": "score", "of": "audit.completed"}, target={"at_least": Decimal("0.98")})
    for audits in range(1, 500):
        value, line = float(Decimal("0.98") * audits) / audits, 0.98
        rows = pl.DataFrame({"value": [value]}).with_columns(start=pl.lit(None, dtype=pl.Float64), target=pl.lit(line))
        assert 1 == rows.select(formulas.progress_of(kr, *map(pl.col, ("value", "start", "target")))).item(), audits


@pytest.mark.parametrize(
    ("is_met", "progress", "target"),
    [
        (True, 1 - 1e-13, {"value": 5}),
        (False, 1 - 1e-11, {"value": 5}),
        (True, 1.0, {"at_least": 5, "progress": "distance"}),
        (False, 1 + 1e-13, {"at_least": 5, "progress": "distance", "strict": True}),
        (True, 1 + 1e-11, {"at_least": 5, "progress": "distance", "strict": True}),
    ],
)
def test_what_is_on_the_line_but_for_the_last_digits_of_a_float_is_on_it(is_met, progress, target):
    found = pl.DataFrame({"progress": [progress]}).select(
        formulas.is_reached(key_result(target=target), pl.col("progress"))
    )
    assert is_met == found.item()


def test_a_closing_rate_a_fifth_above_the_year_before_is_achieved():
    ends = [("won", "2025", 5), ("lost", "2025", 2), ("won", "2026", 6), ("lost", "2026", 1)]
    events = [event(f"deal.{end}", f"{year}-05-01", f"{year} {n}") for end, year, many in ends for n in range(many)]
    measure = {"ratio": {"numerator": {"count": "deal.won"}, "denominator": {"count": ["deal.won", "deal.lost"]}}}
    kr = definition(measure=measure, target={"relative": Decimal("0.2"), "baseline": "previous_year"})
    assert "achieved" == on(compute([kr], organisation(), log(events), date(2026, 12, 31)), "2026-12-31", "status")


def test_no_part_of_nothing_is_less_than_nothing():
    told = {"measure": {"open": {"opened_by": "ticket.created", "closed_by": "ticket.solved"}}}
    events = [event("ticket.created", "2026-01-01", str(n)) for n in range(3)]
    kr = definition(**told, target={"value": 1, "from": 3})
    row = compute([kr], organisation(), log(events, types=kr.types), date(2026, 1, 1)).row(-1, named=True)
    assert ["0.0", "0.0", "3.0"] == [str(row[name]) for name in ("progress", "score", "forecast")]


def test_49_of_49_are_achieved_on_whatever_day_it_is_computed():
    told = {"measure": WON, "target": {"value": 49}}
    for through in ("2026-01-01", "2026-01-02", "2026-12-31"):
        by_day = figures({"2026-01-01": 49}, through, **told)
        assert (1.0, "achieved") == (on(by_day, "2026-01-01", "progress"), on(by_day, "2026-01-01", "status"))


# --- recurring --------------------------------------------------------------------------------------------------------

MONTHLY: dict[str, Any] = {"measure": WON, "every": "month", "target": {"value": 5}}
FIRST_QUARTER = {"2026-01-10": 5, "2026-02-10": 10, "2026-03-10": 2}


def test_closed_windows_count_at_most_once_each_and_the_open_one_for_the_part_that_is_over():
    found = last(
        {**FIRST_QUARTER, "2026-04-02": 1}, "2026-04-10", "progress", "windows_met", "windows_closed", **MONTHLY
    )
    assert ((1 + 1 + 0.4 + 0.2) / (3 + 10 / 30), 2, 3) == pytest.approx(found, rel=1e-12)


def test_an_open_window_counts_no_more_than_the_part_that_is_over():
    (found,) = last({**FIRST_QUARTER, "2026-04-01": 9}, "2026-04-01", "progress", **MONTHLY)
    assert (2.4 + 1 / 30) / (3 + 1 / 30) == pytest.approx(found, rel=1e-12)


def test_on_its_last_day_a_window_is_closed():
    assert (2.4 / 3, 2, 3) == last(FIRST_QUARTER, "2026-03-31", "progress", "windows_met", "windows_closed", **MONTHLY)


def test_each_window_has_a_progress_and_an_expectation_of_its_own():
    found = last(
        {**FIRST_QUARTER, "2026-04-02": 9}, "2026-04-15", "window_progress", "window_expected", "expected", **MONTHLY
    )
    assert (1.8, 0.5, 1.0) == found


def test_a_closed_window_that_nobody_read_leaves_the_whole_unknown():
    kr = definition(**MONTHLY)
    read = log(wins({"2026-02-10": 5}), since="2026-02-01")
    row = compute([kr], organisation(), read, date(2026, 2, 28)).row(-1, named=True)
    assert (5, None, "unreliable", None) == tuple(row[name] for name in ("value", "progress", "status", "windows_met"))


def test_a_sunday_shows_fridays_figures_and_no_window_of_its_own():
    told = {"measure": WON, "every": "working_day", "target": {"value": 1}, "period": {"month": "2026-03"}}
    by_day = figures({"2026-03-06": 1, "2026-03-08": 7}, "2026-03-09", **told)
    assert [(1, 5), (1, 5), (1, 5), (0, 6)] == [
        (on(by_day, f"2026-03-0{day}"), on(by_day, f"2026-03-0{day}", "windows_closed")) for day in (6, 7, 8, 9)
    ]


def test_a_month_without_any_window_yet_has_not_started():
    told = {"measure": WON, "every": "week", "target": {"value": 1}, "period": {"year": 2027}}
    assert ("not_started", None, 0) == last({}, "2027-01-03", "status", "value", "windows_closed", **told)
    assert ("off_track", 0, 0) == last({}, "2027-01-04", "status", "value", "windows_closed", **told)


def test_a_strict_distance_meets_a_window_only_beyond_the_figure():
    target = {"at_least": 5, "strict": True, "progress": "distance"}
    told = {"measure": WON, "every": "month", "target": target}
    assert (1, 1) == last({"2026-01-10": 5, "2026-02-10": 6}, "2026-02-28", "progress", "windows_met", **told)


@given(
    met=st.floats(0, 50), closed=st.integers(0, 50), opened=st.floats(-2, 5), elapsed=st.floats(0, 0.99)
)  # fmt: skip
def test_recurring_progress_is_never_more_than_1(met, closed, opened, elapsed):
    frame = pl.DataFrame({"met": [min(met, closed)], "closed": [closed], "open": [opened], "elapsed": [elapsed]})
    whole = frame.select(
        formulas.recurring_progress(
            pl.col("met"), pl.col("closed"), pl.col("open"), pl.col("elapsed"), pl.col("elapsed")
        )
    ).item()
    assert (whole is None) if closed + elapsed == 0 else whole <= 1 + 1e-12


# --- thresholds -------------------------------------------------------------------------------------------------------

TINY = 1e-6


@pytest.mark.parametrize(
    ("preset", "expected_progress", "on_track_from", "at_risk_from"),
    [
        ("viva", 0.5, 0.5, 0.25),
        ("viva", 0.3, 0.3, 0.05),
        ("viva", 1.0, 1.0, 0.75),
        ("engagedly", 0.5, 0.335, 0.17),
        ("engagedly", 0.9, 0.735, 0.57),
        ("upraise", 0.5, 0.475, 0.375),
        ("upraise", 0.7, 0.665, 0.525),
        ("servicenow", 0.5, 0.90, 0.75),
        ("servicenow", 1.0, 0.90, 0.75),
    ],
)
def test_a_value_on_the_line_is_on_its_better_side(preset, expected_progress, on_track_from, at_risk_from):
    progresses = [on_track_from, on_track_from - TINY, at_risk_from, at_risk_from - TINY]
    frame = pl.DataFrame({"progress": progresses, "expected": [expected_progress] * 4})
    judged = frame.select(formulas.judged(preset, pl.col("progress"), pl.col("expected"))).to_series().to_list()
    assert ["on_track", "at_risk", "at_risk", "off_track"] == judged


def test_an_organisations_preset_judges_its_key_results():
    kr = definition(measure=WON, target={"value": 100}, period={"month": "2026-04"})
    read = log(wins({"2026-04-01": 40}))  # 40 % on the day on which 50 % are expected
    found = {
        preset: on(compute([kr], organisation(thresholds=preset), read, date(2026, 4, 15)), "2026-04-15", "status")
        for preset in ("viva", "engagedly", "upraise", "servicenow")
    }
    assert {"viva": "at_risk", "engagedly": "on_track", "upraise": "at_risk", "servicenow": "off_track"} == found


# --- expected progress and forecast -----------------------------------------------------------------------------------


def test_expected_progress_is_the_part_of_the_period_that_is_over():
    by_day = figures({}, "2026-12-31", measure=WON, target={"value": 10})
    assert [1 / 365, 59 / 365, 1.0] == [
        on(by_day, day, "expected") for day in ("2026-01-01", "2026-02-28", "2026-12-31")
    ]


@pytest.mark.parametrize("days", [1, 3, 49, 98, 103, 107])
def test_each_day_is_the_same_part_of_the_period_and_the_last_one_ends_it(days):
    first = date(2026, 1, 1)
    period = {"from": first, "until": first + timedelta(days=days - 1)}
    by_day = figures({}, "2026-12-31", measure=WON, target={"value": 10}, period=period)
    assert [(n + 1) / days for n in range(days)] == by_day.get_column("expected").to_list()


def test_a_figure_to_keep_is_expected_to_be_kept_from_the_first_day():
    assert (1.0,) == last({}, "2026-01-01", "expected", measure=WON, trailing="7 days", target={"at_least": 1})


def test_a_running_total_is_forecast_to_go_on_as_it_went():
    assert (50.0,) == last(
        {"2026-01-05": 10}, "2026-03-14", "forecast", measure=WON, target={"value": 60}
    )  # day 73 of 365


def test_the_best_day_and_the_steps_taken_are_not_forecast_to_go_on():
    flyers = [event("flyers.distributed", "2026-03-02", "1", quantity=150)]
    kr = definition(measure={"daily_max": "quantity", "of": "flyers.distributed"}, every="week", target={"value": 200})
    assert 150 == on(compute([kr], organisation(), log(flyers), date(2026, 3, 2)), "2026-03-02", "forecast")
    steps = [{"name": "signed", "of": "deal.won"}, {"name": "lost", "of": "deal.lost"}]
    told = {"measure": {"steps": steps}, "target": {"value": 2}}
    assert (1,) == last({"2026-01-05": 1}, "2026-03-14", "forecast", **told)


def test_a_share_of_ever_is_forecast_to_stay():
    taken_on = [
        event("listing.captured", day, day, mandate=mandate)
        for day, mandate in (("2025-06-01", "open"), ("2026-01-05", "exclusive"))
    ]
    kr = definition(measure=EXCLUSIVE, cumulative="ever", target={"value": Decimal("0.8")})
    assert 0.5 == on(compute([kr], organisation(), log(taken_on), date(2026, 3, 14)), "2026-03-14", "forecast")


def test_a_total_of_ever_is_forecast_to_grow_as_it_grew_since_the_eve():
    told = {"measure": WON, "cumulative": "ever", "target": {"value": 200}}
    assert (110, 100, 150) == last(
        {"2025-06-01": 100, "2026-01-05": 10}, "2026-03-14", "value", "baseline", "forecast", **told
    )


def test_a_window_is_forecast_by_itself():
    assert (4.0,) == last({"2026-04-03": 2}, "2026-04-15", "forecast", **MONTHLY)


def test_a_level_is_forecast_to_stay():
    assert (3.0,) == last(
        {"2026-03-12": 3}, "2026-03-14", "forecast", measure=WON, trailing="7 days", target={"at_least": 1}
    )


# --- status -----------------------------------------------------------------------------------------------------------

YEARLY: dict[str, Any] = {"measure": WON, "target": {"value": 10}}


def test_what_nobody_read_is_no_data_and_never_off_track():
    assert ("no_data", None, None, None) == last(
        {}, "2026-06-30", "status", "value", "progress", "score", covered=None, **YEARLY
    )


RATE = {"ratio": {"numerator": {"count": "deal.won"}, "denominator": {"count": ["deal.won", "deal.lost"]}}}


def test_what_was_read_and_had_nothing_to_measure_has_not_started_on_the_last_day_either():
    by_day = figures({}, "2026-04-30", measure=RATE, target={"at_least": Decimal("0.5")}, period={"month": "2026-04"})
    assert {("not_started", None, None)} == set(by_day.select("status", "value", "progress").iter_rows())


def test_of_two_types_of_which_one_was_never_read_there_is_no_data():
    kr = definition(measure=RATE, target={"at_least": Decimal("0.5")})
    read = log(wins({"2026-01-02": 3}), types=["deal.won"])
    row = compute([kr], organisation(), read, date(2026, 1, 2)).row(-1, named=True)
    assert ("no_data", None) == (row["status"], row["value"])


def test_a_figure_that_nobody_ever_observed_is_no_data_although_its_source_was_read():
    kr = definition(measure={"gain": "quantity", "of": "followers.observed"}, target={"value": 10})
    seen = [event("followers.observed", "2026-01-03", quantity=5)]
    by_day = compute([kr], organisation(), log(seen), date(2026, 1, 3))
    assert ["no_data", "at_risk"] == [on(by_day, f"2026-01-0{day}", "status") for day in (2, 3)]


def test_what_was_read_in_part_is_unreliable_and_never_on_track():
    assert ("unreliable", None) == last(
        {"2026-01-02": 99}, "2026-06-30", "status", "value", covered="2026-06-29", **YEARLY
    )


def test_a_total_that_is_reached_early_is_achieved_from_that_day_on():
    by_day = figures({"2026-02-01": 9, "2026-02-02": 1}, "2026-02-03", **YEARLY)
    assert ["on_track", "achieved", "achieved"] == [on(by_day, f"2026-02-0{day}", "status") for day in (1, 2, 3)]


def test_a_total_of_ever_that_is_reached_early_is_achieved_too():
    told = {"measure": WON, "cumulative": "ever", "target": {"value": 10}}
    assert ("achieved",) == last({"2025-06-01": 9, "2026-01-05": 1}, "2026-01-06", "status", **told)


def test_a_trailing_total_may_fall_again_and_is_not_achieved_before_the_end():
    told = {"measure": WON, "trailing": "7 days", "target": {"value": 10}}
    assert ("on_track",) == last({"2026-01-05": 10}, "2026-01-06", "status", **told)


def test_a_total_that_is_not_reached_is_missed_on_the_last_day_and_not_before():
    by_day = figures({"2026-02-01": 9}, "2026-12-31", **YEARLY)
    assert ["at_risk", "missed"] == [on(by_day, day, "status") for day in ("2026-12-30", "2026-12-31")]


def test_no_row_is_due_after_the_last_day_or_before_the_first():
    assert (date(2026, 4, 1), date(2026, 4, 30), 30) == (
        (by_day := figures({}, "2027-06-30", **YEARLY, period={"month": "2026-04"}))["as_of"].min(),
        by_day["as_of"].max(),
        by_day.height,
    )
    assert 0 == figures({}, "2026-03-31", **YEARLY, period={"month": "2026-04"}).height


def test_a_figure_to_keep_is_achieved_only_at_the_end():
    told = {"measure": WON, "trailing": "7 days", "target": {"at_least": 1}, "period": {"month": "2026-04"}}
    by_day = figures({"2026-04-25": 1}, "2026-04-30", **told)
    assert ["off_track", "on_track", "achieved"] == [on(by_day, f"2026-04-{day}", "status") for day in (24, 25, 30)]


def test_a_recurring_key_result_is_achieved_only_if_every_window_was():
    quarter = {**MONTHLY, "period": {"quarter": "2026-Q1"}}
    assert ("missed", 2.4 / 3) == last(FIRST_QUARTER, "2026-03-31", "status", "progress", **quarter)
    assert ("achieved", 1) == last({**FIRST_QUARTER, "2026-03-11": 3}, "2026-03-31", "status", "progress", **quarter)


def test_the_last_day_of_what_nobody_read_is_no_data_and_not_missed():
    assert ("no_data",) == last({}, "2026-12-31", "status", covered=None, **YEARLY)


def test_a_kpi_has_a_value_and_nothing_to_judge_it_by():
    columns = ("value", "status", "progress", "expected", "score", "target")
    assert (2, None, None, None, None, None) == last({"2026-02-01": 2}, "2026-12-31", *columns, measure=WON, type="kpi")


@pytest.mark.parametrize(
    ("expected", "statuses"),
    [
        ("missed", ["achieved", "missed", "off_track", "no_data"]),
        ("off_track", ["on_track", "off_track", "unreliable"]),
        ("unreliable", ["no_data", "unreliable", "at_risk"]),
        ("no_data", ["no_data", "at_risk"]),
        ("at_risk", ["at_risk", "not_started", "on_track"]),
        ("not_started", ["not_started", "on_track"]),
        ("on_track", ["on_track", "achieved"]),
        ("achieved", ["achieved", "achieved"]),
    ],
)
def test_the_worst_status_is_that_of_the_whole(expected, statuses):
    assert expected == pl.DataFrame({"status": statuses}).select(formulas.worst(pl.col("status"))).item()
