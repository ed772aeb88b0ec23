"""Seals: what may be sealed, what a seal holds, and how later truth stands beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from builders import definition, organisation
from hypothesis import given
from hypothesis import strategies as st

from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.history import COMPUTED_SCHEMA
from kr_definitions.periods import Span
from kr_definitions.seals import (
    SEALS_SCHEMA,
    STANDING_SCHEMA,
    Act,
    of_key_result,
    of_objective,
    of_period,
    standing,
    why_not,
    why_not_objective,
)

MARCH = {"month": "2026-03"}
PERIOD = Span(date(2026, 3, 1), date(2026, 3, 31))
AFTER, SEALED_AT = date(2026, 4, 1), datetime(2026, 4, 6, 9, tzinfo=UTC)
ACT = Act(SEALED_AT, "equipo-ventas", "Agreed")
NONE = pl.DataFrame(schema=dict(SEALS_SCHEMA))


def kr(name: str = "kr", **declared: Any) -> Definition:
    return definition(MARCH, id=f"test.team.{name}", **declared)


def row(of: Definition | None = None, **says: Any) -> dict[str, Any]:
    """What is known of the last day of March."""
    figures = {"value": 7.0, "target": 10.0, "progress": 0.7, "score": 0.7, "status": "missed"}
    named = {"key_result_id": (of or kr()).id, "as_of": PERIOD.last, "definition_version": "1.0"}
    return {**dict.fromkeys(COMPUTED_SCHEMA), **named, **figures, **says}


def sealed(*of: Definition, **says: Any) -> pl.DataFrame:
    made = [of_key_result(one, row(one, **says), ACT, is_provisional=False) for one in of or (kr(),)]
    return pl.DataFrame(made, schema=dict(SEALS_SCHEMA))


def rows(*known: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{n: one[n] for n in COMPUTED_SCHEMA} for one in known], schema=dict(COMPUTED_SCHEMA))


def catalogue(*definitions: Definition) -> Catalogue:
    return Catalogue(organisation(), (definitions[0].objective,), definitions)


# --- what may be sealed -----------------------------------------------------------------------------------------------


def test_a_known_score_of_a_period_that_is_over_can_be_sealed():
    assert why_not(kr(), row(), AFTER, NONE) is None
    assert why_not(kr(), row(status="achieved", score=1.0), AFTER, NONE) is None


@pytest.mark.parametrize(
    ("declared", "known", "today", "found"),
    [
        (
            {},
            row(),
            date(2026, 3, 31),
            "test.team.kr: its period is not over. It can be closed from the day after 2026-",
        ),
        ({"type": "kpi"}, row(), AFTER, "test.team.kr is a KPI: it has no score, and is not sealed"),
        ({}, None, AFTER, "test.team.kr: nothing has been computed yet of 2026-03-31"),
        ({}, row(status="no_data", score=None), AFTER, "is not known (no data). --as-unknown seals it all the same"),
        ({}, row(status="unreliable"), AFTER, "is not known (unreliable)"),
        ({}, row(status=None, score=None), AFTER, "is not known (no score)"),
    ],
)
def test_what_cannot_be_sealed_is_told(declared, known, today, found):
    assert found in str(why_not(kr(**declared), known, today, NONE))


def test_what_is_not_known_is_sealed_where_it_is_asked_for_and_only_that():
    assert why_not(kr(), row(status="no_data", score=None), AFTER, NONE, as_unknown=True) is None
    assert why_not(kr(), None, AFTER, NONE, as_unknown=True) is not None
    assert why_not(kr(), row(), PERIOD.last, NONE, as_unknown=True) is not None


def test_a_period_is_sealed_once_and_a_second_time_told_by_whom_and_when():
    assert why_not(kr(), row(), AFTER, sealed()) == (
        "test.team.kr was sealed by equipo-ventas on 2026-04-06, with a score of 0.70: a seal stays"
    )
    unknown = sealed(status="no_data", score=None)
    assert "on 2026-04-06, as unknown: a seal stays" in str(why_not(kr(), row(), AFTER, unknown, as_unknown=True))


def test_another_period_of_the_same_key_result_is_sealed_on_its_own():
    april = definition({"month": "2026-04"}, id="test.team.kr")
    assert why_not(april, row(), date(2026, 5, 1), sealed()) is None


def test_a_period_that_an_event_names_is_not_over_before_it_happened():
    waiting = replace(kr(), period=None)
    assert "has not happened" in str(why_not(waiting, None, AFTER, NONE))


# --- what a seal holds ------------------------------------------------------------------------------------------------


def test_a_seal_holds_the_figures_of_the_last_day_and_who_when_and_why():
    assert dict(zip(SEALS_SCHEMA, sealed().row(0), strict=True)) == {
        "key_result_id": "test.team.kr", "objective_id": "test.team",
        "period_start": PERIOD.first, "period_end": PERIOD.last, "as_of": PERIOD.last, "definition_version": "1.0",
        "value": 7.0, "target": 10.0, "progress": 0.7, "score": 0.7, "status": "missed", "is_provisional": False,
        "recorded_at": SEALED_AT, "sealed_by": "equipo-ventas", "note": "Agreed",
    }  # fmt: skip


def of_team(*seals: pl.DataFrame, members: tuple[Definition, ...]) -> dict[str, Any]:
    return of_objective(members[0].objective, PERIOD, members, pl.concat(seals), ACT)


def test_an_objective_is_the_weighted_mean_of_its_key_results_seals():
    heavy, light = kr("heavy", weight=Decimal("0.75")), kr("light")
    found = of_team(sealed(heavy), sealed(light, progress=1.5, score=1.0, status="achieved"), members=(heavy, light))
    assert found["progress"] == pytest.approx(0.75 * 0.7 + 0.25 * 1.5)
    assert found["score"] == pytest.approx(0.75 * 0.7 + 0.25 * 1.0)
    assert (found["status"], found.get("key_result_id"), found["objective_id"]) == ("missed", None, "test.team")


def test_what_carries_no_weight_counts_in_nothing():
    counts, beside = kr("counts", weight=1), kr("beside", weight=0)
    found = of_team(
        sealed(counts, status="achieved", score=1.0, progress=1.0), sealed(beside), members=(counts, beside)
    )
    assert (1.0, "achieved") == (found["score"], found["status"])


def test_an_objective_of_which_one_key_result_is_sealed_as_unknown_has_no_score():
    one, other = kr("one"), kr("other")
    found = of_team(sealed(one), sealed(other, status="no_data", score=None, progress=None), members=(one, other))
    assert (None, None, "missed") == (found["score"], found["progress"], found["status"])


def test_an_objective_is_sealed_once_and_after_its_end():
    one = kr()
    own = pl.DataFrame([of_team(sealed(one), members=(one,))], schema=dict(SEALS_SCHEMA))
    assert "not over" in str(why_not_objective(one.objective, PERIOD, PERIOD.last, NONE, [one]))
    assert "has no key result with a score" in str(why_not_objective(one.objective, PERIOD, AFTER, NONE, []))
    assert "was sealed by equipo-ventas" in str(why_not_objective(one.objective, PERIOD, AFTER, own, [one]))
    assert of_period(own, one.id, PERIOD) is None


# --- what stands beside it --------------------------------------------------------------------------------------------


def beside(known: pl.DataFrame, seals: pl.DataFrame, *definitions: Definition) -> dict[str, Any]:
    found = standing(seals, known, catalogue(*definitions or (kr(),)))
    assert dict(STANDING_SCHEMA) == dict(found.schema)
    return found.row(-1, named=True)


def test_what_did_not_move_has_not_moved():
    found = beside(rows(row()), sealed())
    assert (0.7, 0.7, False) == (found["sealed_score"], found["score"], found["moved_since_seal"])


@pytest.mark.parametrize(
    "moved", [{"value": 8.0}, {"progress": 0.8, "score": 0.8}, {"target": 11.0}, {"status": "no_data", "value": None}]
)
def test_later_truth_stands_beside_the_seal(moved):
    found = beside(rows(row(**moved)), sealed())
    assert (7.0, 0.7, "missed") == (found["sealed_value"], found["sealed_score"], found["sealed_status"])
    assert all(moved[name] == found[name] for name in moved)
    assert found["moved_since_seal"]


def test_only_the_whole_on_the_sealed_day_is_compared():
    others = [row(member="norte", value=1.0), row(as_of=date(2026, 3, 30), value=2.0)]
    assert not beside(rows(row(), *others), sealed())["moved_since_seal"]


def test_what_is_no_longer_computed_is_not_known_and_has_not_moved():
    found = beside(rows(), sealed())
    assert (None, None, False) == (found["value"], found["score"], found["moved_since_seal"])


@given(order=st.permutations([0.1, 0.2, 0.3, 0.7]), turned=st.booleans())
def test_an_objective_moves_with_its_key_results_and_never_by_their_order(order, turned):
    members = tuple(kr(f"kr{n}") for n in range(len(order)))
    figures = [{"progress": score, "score": score} for score in order]
    made = [sealed(one, **says) for one, says in zip(members, figures, strict=True)]
    own = of_team(*made, members=members)
    seals = pl.concat([*made[:: -1 if turned else 1], pl.DataFrame([own], schema=dict(SEALS_SCHEMA))])
    known = [row(one, **says) for one, says in zip(members, figures, strict=True)]
    assert not beside(rows(*known), seals, *members)["moved_since_seal"]
    later = beside(rows({**known[0], "progress": 1.0, "score": 1.0}, *known[1:]), seals, *members)
    assert later["moved_since_seal"]
    assert later["score"] == pytest.approx(own["score"] + (1 - order[0]) / len(order))


def test_an_objective_that_lost_a_key_result_is_not_compared_with_something_else():
    one, other = kr("one"), kr("other")
    own = pl.DataFrame([of_team(sealed(one), sealed(other), members=(one, other))], schema=dict(SEALS_SCHEMA))
    third = kr("third")
    found = beside(rows(row(one), row(other)), pl.concat([sealed(one, other), own]), one, other, third)
    assert (None, False) == (found["score"], found["moved_since_seal"])
