"""Days are the organisation's own: each case has a value that a cut in UTC gets wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from builders import definition, event, log, organisation

from kr_definitions.compute import compute
from kr_definitions.declarations import Objective
from kr_definitions.meaning import meaning

MADRID, BOGOTA = "Europe/Madrid", "America/Bogota"


@dataclass(frozen=True)
class Case:
    """Calls at these instants (UTC); the values on some days, in the zone and if days were cut in UTC."""

    says: str
    zone: str
    calls: tuple[str, ...]
    right: dict[str, float]
    naive: dict[str, float]
    period: dict[str, Any] = field(default_factory=lambda: {"year": 2026})
    key_result: dict[str, Any] = field(default_factory=lambda: {"every": "day", "target": {"value": 1}})
    organisation: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case(
        "half past midnight in Madrid's summer is still yesterday in UTC",
        MADRID, ("2026-07-01T22:30",), {"2026-07-01": 0, "2026-07-02": 1}, {"2026-07-01": 1, "2026-07-02": 0},
    ),
    Case(
        "the last evening of February in Bogota is March in UTC",
        BOGOTA, ("2026-03-01T03:00",), {"2026-02-28": 1, "2026-03-01": 0}, {"2026-02-28": 0, "2026-03-01": 1},
        key_result={"every": "month", "target": {"value": 1}},
    ),
    Case(
        "the day of 23 hours has its first and its last half hour",
        MADRID, ("2026-03-28T23:30", "2026-03-29T21:30", "2026-03-29T22:30"),
        {"2026-03-28": 0, "2026-03-29": 2, "2026-03-30": 1}, {"2026-03-28": 1, "2026-03-29": 2, "2026-03-30": 0},
    ),
    Case(
        "the day of 25 hours has its first and its last half hour",
        MADRID, ("2026-10-24T22:30", "2026-10-25T22:30", "2026-10-25T23:30"),
        {"2026-10-24": 0, "2026-10-25": 2, "2026-10-26": 1}, {"2026-10-24": 1, "2026-10-25": 2, "2026-10-26": 0},
    ),
    Case(
        "the hour that comes twice is one hour of one day, and both of its calls count",
        MADRID, ("2026-10-25T00:30", "2026-10-25T01:30", "2026-10-24T22:00"),
        {"2026-10-24": 0, "2026-10-25": 3}, {"2026-10-24": 1, "2026-10-25": 2},
    ),
    Case(
        "the evening of 29 February belongs to February",
        BOGOTA, ("2028-03-01T04:30",), {"2028-02-29": 1, "2028-03-01": 0}, {"2028-02-29": 0, "2028-03-01": 1},
        period={"year": 2028}, key_result={"every": "month", "target": {"value": 1}},
    ),
    Case(
        "a February of 28 days is compared with one of 29, its last evening included",
        BOGOTA, ("2028-02-01T12:00", "2028-03-01T04:30", "2029-02-10T12:00"),
        {"2029-02-28": 4}, {"2029-02-28": 2},
        period={"month": "2029-02"},
        key_result={"target": {"relative": Decimal(1), "baseline": "previous_year"}, "column": "target"},
    ),
    Case(
        "week 53 begins at Madrid's midnight",
        MADRID, ("2026-12-27T23:30",), {"2026-12-27": 0, "2026-12-28": 1}, {"2026-12-27": 1, "2026-12-28": 0},
        key_result={"every": "week", "target": {"value": 1}},
    ),
    Case(
        "the year that ISO gives its 53rd week to still has it on its last day",
        BOGOTA, ("2021-01-01T04:30",), {"2020-12-27": 0, "2020-12-31": 1}, {"2020-12-27": 0, "2020-12-31": 0},
        period={"year": 2020}, key_result={"every": "week", "target": {"value": 1}},
    ),
    Case(
        "a fiscal year from July begins at Madrid's midnight",
        MADRID, ("2026-06-30T22:30",), {"2026-07-01": 1, "2026-09-30": 1}, {"2026-07-01": 0, "2026-09-30": 0},
        key_result={"target": {"value": 1}}, organisation={"fiscal_year_starts": 7},
    ),
    Case(
        "quarters of a fiscal year from February turn with its own months",
        MADRID, ("2026-04-30T22:30",), {"2026-04-30": 0, "2026-05-01": 1}, {"2026-04-30": 1, "2026-05-01": 0},
        key_result={"every": "quarter", "target": {"value": 1}}, organisation={"fiscal_year_starts": 2},
    ),
    Case(
        "Friday's last call in Bogota is none of Saturday, on which nobody works",
        BOGOTA, ("2026-07-18T04:30",), {"2026-07-17": 1, "2026-07-18": 1}, {"2026-07-17": 0, "2026-07-18": 0},
        key_result={"every": "working_day", "target": {"value": 1}}, organisation={"country": "CO"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_day_is_the_organisations_own(case: Case) -> None:
    assert found(case, case.zone) == case.right


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_cut_in_utc_would_say_something_else(case: Case) -> None:
    assert found(case, "UTC") == case.naive != case.right


def found(case: Case, zone: str) -> dict[str, float]:
    """The figure of each day of the case."""
    content = dict(case.key_result)
    column = content.pop("column", "value")
    of = organisation(zone=zone, **case.organisation)
    asked = definition(measure={"count": "call.made"}, **content)
    objective = Objective.model_validate({**asked.objective.model_dump(by_alias=True), "period": case.period})
    span = objective.period.span(of.calendar)
    means = meaning(asked.key_result, objective, span, of, folder=None)
    asked = replace(asked, objective=objective, period=span, meaning=means)
    calls = [event("call.made", datetime.fromisoformat(f"{at}:00+00:00"), str(n)) for n, at in enumerate(case.calls)]
    read = log(calls, covered="2035-12-31")
    figures = compute([asked], of, read, max(date.fromisoformat(day) for day in case.right))
    rows = dict(figures.filter(pl.col("member").is_null()).select("as_of", column).iter_rows())
    return {day: rows[date.fromisoformat(day)] for day in case.right}
