"""Between which ends the value of a measure lies: said of the measure, and true of what it gives."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from builders import event, figures
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from kr_definitions.measures import Measure, Measured

MEASURED: TypeAdapter[Measured] = TypeAdapter(Measure)
TOP = {"top": 2, "by": {"of": "deal.won"}, "over": "previous_year"}
WON, ENDED = {"count": "deal.won"}, {"count": ["deal.won", "deal.lost"]}
QUOTA = {"figure": 4, "of": "count"}

BOUNDS: list[tuple[tuple[int | None, int | None], dict[str, Any]]] = [
    ((0, None), WON),
    ((0, None), {"sum": "quantity", "of": "call.made"}),
    ((None, None), {"sum": "amount", "of": "deal.won"}),
    ((0, None), {"daily_max": "quantity", "of": "call.made"}),
    ((None, None), {"daily_max": "amount", "of": "deal.won"}),
    ((0, None), {"distinct": "account_id", "of": "deal.won"}),
    ((0, 5), {"distinct": "network", "of": "post.published"}),
    ((0, 2), {"distinct": "account_id", "of": "call.made", "among": TOP}),
    ((0, None), {"distinct": "actor", "of": "call.made", "among": TOP}),
    ((0, 1), {"mean": "attended_share", "of": "demo.attended"}),
    ((0, None), {"median": "quantity", "of": "call.made"}),
    ((None, None), {"max": "score", "of": "survey.answered"}),
    ((0, None), {"level": "quantity", "of": "followers.observed"}),
    ((None, None), {"gain": "quantity", "of": "followers.observed"}),
    ((0, None), {"open": {"opened_by": "deal.created", "closed_by": "deal.won"}}),
    ((None, None), {"open": {"opened_by": "deal.created", "closed_by": "deal.won", "value": "amount"}}),
    ((0, 1), {"share": {"of": "survey.answered", "reached": "rating = 'good'"}}),
    ((0, 1), {"conversion": {"from": "deal.created", "to": "deal.won"}}),
    ((0, 1), {"retention": {"opened_by": "deal.created", "closed_by": "deal.lost", "by": "account_id"}}),
    ((0, None), {"duration": {"from": "deal.created", "to": "deal.won"}}),
    ((0, 3), {"steps": [{"name": "a", "of": "deal.won"}, {"name": "b", "of": "deal.lost", "weight": 2}]}),
    ((None, 1), {"forecast_accuracy": {"forecast": "forecast.stated", "actual": "deal.won"}}),
    ((0, 1), {"ratio": {"numerator": WON, "denominator": ENDED}}),
    ((0, 1), {"ratio": {"numerator": {**WON, "where": "amount > 5"}, "denominator": WON}}),
    ((0, 1), {"ratio": {"numerator": {"distinct": "account_id", "of": "deal.won", "among": {"had": "call.made"}},
                        "denominator": {"distinct": "account_id", "of": "deal.won"}}}),
    ((0, None), {"ratio": {"numerator": ENDED, "denominator": WON}}),
    ((0, None), {"ratio": {"numerator": WON, "denominator": {**ENDED, "where": "amount > 5"}}}),
    ((0, None), {"ratio": {"numerator": {"distinct": "actor", "of": "deal.won"},
                           "denominator": {"distinct": "account_id", "of": "deal.won"}}}),
    ((0, None), {"ratio": {"numerator": WON, "denominator": QUOTA}}),
    ((None, 1), {"ratio": {"numerator": WON, "minus": {"count": "call.made"}, "denominator": ENDED}}),
    ((None, None), {"ratio": {"numerator": {"sum": "amount", "of": "deal.won"},
                              "denominator": {"sum": "amount", "of": ["deal.won", "deal.lost"]}}}),
]  # fmt: skip
EACH = pytest.mark.parametrize(("bounds", "declared"), BOUNDS)
FIRST = date(2026, 1, 1)


@EACH
def test_a_measure_says_between_which_ends_its_value_lies(bounds, declared):
    assert bounds == MEASURED.validate_python(declared).bounds


def happened(measure: Measured, seed: int) -> list[dict[str, Any]]:
    """Random events of what matters for a measure, about the period, with numbers that they may have."""
    random = Random(seed)

    def one(n: int) -> dict[str, Any]:
        day = FIRST + timedelta(days=random.choice([-200, -20, 0, 1, 5, 30, 31, 40]))
        columns = {
            "account_id": random.choice(["a", "b", "c", None]), "actor": random.choice(["x", "y", "z"]),
            "amount": random.choice(["-7", "0", "12.5", "1000"]), "currency": "EUR",
            "quantity": random.choice(["0", "0.5", "100", None]), "attended_share": random.choice(["0", "0.3", "1"]),
            "score": random.choice(["-100", "0", "9.5"]), "rating": random.choice(["good", "bad", None]),
            "network": random.choice(["x", "youtube", "facebook", None]), "forecast_month": date(2026, 1, 1),
        }  # fmt: skip
        name = random.choice([*measure.types, *measure.also_read])
        return event(name, str(day), random.choice("123"), key=str(n), **columns)

    return [one(n) for n in range(random.choice([0, 5, 60]))]


@EACH
@settings(max_examples=8)
@given(seed=st.integers(0, 1_000_000))
def test_no_value_lies_beyond_them(bounds, declared, seed):
    events = happened(MEASURED.validate_python(declared), seed)
    found = figures(events, "2026-03-15", measure=declared, type="kpi", period={"quarter": "2026-Q1"})
    values = found.get_column("value").drop_nulls()
    least, most = (pl.lit(bound, pl.Float64) for bound in bounds)
    beyond = values.to_frame().filter((pl.col("value") < least) | (pl.col("value") > most))
    assert beyond.is_empty()
