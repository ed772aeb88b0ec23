"""Statistics of a number that events carry."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from builders import event, figures, on, row, value

KPI = {"type": "kpi"}
COLUMNS = ("value", "numerator", "denominator", "events")


def scored(*scores: str | None, day: str = "2026-02-02", **columns: Any) -> list[dict[str, Any]]:
    return [event("audit.completed", day, f"{day} {n}", score=score, **columns) for n, score in enumerate(scores)]


def sold(day: str, *amounts: str | None, currency: str = "EUR") -> list[dict[str, Any]]:
    return [event("deal.won", day, f"{day} {n}", amount=one, currency=currency) for n, one in enumerate(amounts)]


def of(statistic: str, **more: Any) -> dict[str, Any]:
    return {statistic: "score", "of": "audit.completed", **more}


@pytest.mark.parametrize(
    ("expected", "measure", "scores"),
    [
        (7, of("mean"), ["6", "9", "6"]),
        (6, of("median"), ["6", "9", "6"]),
        (6, of("min"), ["6", "9", "6"]),
        (9, of("max"), ["6", "9", "6"]),
        (7.5, of("median"), ["10", "6", "9", "1"]),
        (6, of("median"), ["9", "6", "6", "1"]),
        (1, of("quantile", at=0), ["9", "6", "6", "1"]),
        (9, of("quantile", at=1), ["9", "6", "6", "1"]),
        (8.1, of("quantile", at=Decimal("0.9")), ["9", "6", "6", "1"]),
        (4.75, of("quantile", at=Decimal("0.25")), ["9", "6", "6", "1"]),
        (-2.5, of("median"), ["-3", "-2"]),
        (3, of("quantile", at=Decimal("0.9")), ["3"]),
        (0, of("mean"), ["0"]),
        (0, of("min"), ["0", "4"]),
        (0, of("max"), ["-1", "0"]),
    ],
)
def test_a_statistic_is_of_all_the_numbers_each_as_often_as_it_was_given(expected, measure, scores):
    assert expected == pytest.approx(value("2026-02-02", scored(*scores), measure=measure, **KPI), rel=1e-12)


@pytest.mark.parametrize("statistic", ["mean", "median", "min", "max"])
def test_an_event_without_the_number_counts_in_nothing(statistic):
    events = scored("8", None, "8", None)
    assert (8, 2, 2) == row("2026-02-02", events, "value", "denominator", "events", measure=of(statistic), **KPI)


@pytest.mark.parametrize("measure", [of("mean"), of("median"), of("quantile", at=1), of("min"), of("max")])
@pytest.mark.parametrize("events", [[], scored(None)])
def test_a_statistic_of_no_number_is_null_and_not_zero(measure, events):
    found = row("2026-02-02", events, "value", "denominator", "events", measure=measure, **KPI)
    assert (None, 0, 0) == found
    assert value("2026-02-02", events, measure=measure, covered=None, **KPI) is None


def test_a_mean_keeps_the_exact_sum_and_the_number_of_what_it_is_of():
    found = row("2026-02-02", scored("0.1", "0.1", "0.1"), *COLUMNS, measure=of("mean"), **KPI)
    assert (pytest.approx(0.1, rel=1e-15), Decimal("0.3"), Decimal(3), 3) == found


def test_a_mean_over_days_is_not_the_mean_of_their_means():
    events = [*scored("1", "1", "1"), *scored("5", day="2026-02-03")]
    assert 2 == value("2026-02-03", events, measure=of("mean"), **KPI)


def test_a_median_over_days_is_not_the_median_of_their_medians():
    events = [*scored("1", "1", "1"), *scored("5", "9", day="2026-02-03")]
    assert 1 == value("2026-02-03", events, measure=of("median"), **KPI)


def test_what_is_no_sum_has_no_numerator():
    assert (2, None, 3, 3) == row("2026-02-02", scored("1", "2", "3"), *COLUMNS, measure=of("median"), **KPI)


@pytest.mark.parametrize(
    ("statistic", "by_month"),
    [("mean", [2, 8, None]), ("median", [2, 8, None]), ("min", [1, 7, None]), ("max", [3, 9, None])],
)
def test_each_window_has_a_statistic_of_its_own(statistic, by_month: Sequence[float]):
    events = [*scored("1", "3", day="2026-01-31 23:59"), *scored("7", "9", day="2026-02-01 00:00")]
    by_day = figures(events, "2026-03-31", measure=of(statistic), every="month", target={"at_least": 5})
    assert by_month == [on(by_day, day) for day in ("2026-01-31", "2026-02-28", "2026-03-31")]


def test_the_smallest_leaves_a_trailing_window_with_its_day():
    events = [*scored("1", day="2026-02-01"), *scored("4", day="2026-02-03")]
    by_day = figures(events, "2026-02-06", measure=of("min"), trailing="3 days", target={"at_least": 5})
    assert [1, 1, 4, 4, None] == [on(by_day, f"2026-02-0{day}") for day in (1, 3, 4, 5, 6)]


def test_a_statistic_is_of_what_its_filter_leaves():
    events = [*scored("1", system="crm"), *scored("9", day="2026-02-03", system="erp")]
    assert 9 == value("2026-02-03", events, measure=of("mean", where="system = 'erp'"), **KPI)


@pytest.mark.parametrize("statistic", ["mean", "median", "min", "max"])
def test_amounts_of_two_currencies_are_not_compared(statistic):
    events = [*sold("2026-02-02", "100"), *sold("2026-03-02", "100", currency="USD")]
    by_day = figures(events, "2026-03-02", measure={statistic: "amount", "of": "deal.won"}, **KPI)
    assert [100, None] == [on(by_day, "2026-03-01"), on(by_day, "2026-03-02")]


def test_the_mean_sale_grows_from_what_it_was():
    events = [*sold("2025-02-02", "100", "300"), *sold("2026-02-02", "210", "230")]
    told = {
        "measure": {"mean": "amount", "of": "deal.won"},
        "target": {"relative": Decimal("0.2"), "baseline": "previous_year"},
    }
    assert (200, 200, 240, 0.5) == row("2026-02-02", events, "baseline", "start", "target", "progress", **told)
