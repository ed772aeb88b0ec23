"""Declared things as tables: key results in words, rows that are due, objectives rolled up from their key results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import definition, key_result, organisation

from kr_definitions import catalogue, tables
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.history import COMPUTED_SCHEMA, KEY_RESULTS_SCHEMA, OBJECTIVES_SCHEMA

DAY = date(2026, 3, 31)
SHARE = {"share": {"of": "survey.answered", "reached": "rating = 'good'"}}


def catalogue_of(*definitions: Definition) -> Catalogue:
    return Catalogue(organisation(), (definitions[0].objective,), definitions)


def rolled_up(rows: Iterable[tuple[dict[str, Any], float | None, str | None]]) -> dict[str, Any]:
    """The objective over key results, each with what it declares, its progress and its status on one day."""
    declared = list(rows)
    definitions = [definition(id=f"test.team.k{n}", **content) for n, (content, _, _) in enumerate(declared)]
    figures = pl.DataFrame(
        [
            {"key_result_id": d.id, "as_of": DAY, "progress": progress, "expected": 0.5, "status": status}
            for d, (_, progress, status) in zip(definitions, declared, strict=True)
        ],
        schema=dict(COMPUTED_SCHEMA),
    )
    found = tables.objectives(catalogue_of(*definitions), figures)
    assert dict(OBJECTIVES_SCHEMA) == dict(found.schema)
    return found.row(0, named=True)


def weighing(weight: str) -> dict[str, Any]:
    return {"weight": Decimal(weight)}


# --- objectives -------------------------------------------------------------------------------------------------------


def test_the_mean_of_0_25_and_20_is_15_percent_as_viva_goals_rolls_up():
    row = rolled_up([({}, 0.0, "off_track"), ({}, 0.25, "at_risk"), ({}, 0.20, "at_risk")])
    assert 0.15 == pytest.approx(row["progress"], rel=1e-12)
    assert ("off_track", 3) == (row["status"], row["key_results"])


def test_a_weight_that_is_given_is_fixed_and_the_rest_share_the_remainder():
    row = rolled_up([(weighing("0.5"), 1.0, "achieved"), ({}, 0.2, "at_risk"), ({}, 0.4, "at_risk")])
    assert 0.5 * 1.0 + 0.25 * 0.2 + 0.25 * 0.4 == pytest.approx(row["progress"], rel=1e-12)


def test_weights_that_do_not_make_a_whole_count_by_their_parts():
    row = rolled_up([(weighing("0.2"), 1.0, "achieved"), (weighing("0.6"), 0.2, "at_risk")])
    assert (0.2 * 1.0 + 0.6 * 0.2) / 0.8 == pytest.approx(row["progress"], rel=1e-12)


def test_what_carries_no_weight_moves_neither_progress_nor_status():
    row = rolled_up([({}, 0.6, "on_track"), (weighing("0"), 0.0, "off_track")])
    assert (0.6, "on_track", 1) == (row["progress"], row["status"], row["key_results"])


def test_a_kpi_moves_neither_progress_nor_status():
    row = rolled_up([({}, 0.6, "on_track"), ({"type": "kpi"}, None, None)])
    assert (0.6, "on_track", 1) == (row["progress"], row["status"], row["key_results"])


def test_an_objective_is_not_known_while_one_of_its_key_results_is_not():
    row = rolled_up([({}, 0.6, "on_track"), ({}, None, "no_data")])
    assert (None, 0.5, "no_data", 2) == (row["progress"], row["expected"], row["status"], row["key_results"])


def test_the_others_do_not_take_the_weight_of_a_key_result_whose_row_is_missing():
    declared = [definition(id="test.team.shown"), definition(id="test.team.held_back")]
    shown = {"key_result_id": "test.team.shown", "as_of": DAY, "progress": 1.0, "expected": 0.5, "status": "on_track"}
    found = tables.objectives(catalogue_of(*declared), pl.DataFrame([shown], schema=dict(COMPUTED_SCHEMA)))
    assert (None, "unreliable", 2) == found.select("progress", "status", "key_results").row(0)


def test_overshoot_counts_in_an_objective():
    assert 1.0 == pytest.approx(rolled_up([({}, 1.5, "achieved"), ({}, 0.5, "on_track")])["progress"], rel=1e-12)


def of_june_and_the_year(june: str | None, day: date) -> dict[str, Any]:
    """An objective on a day: one key result is of June and ended so (None: no row), one of the year."""
    of_june, of_year = definition(id="test.team.june", period={"month": "2026-06"}), definition(id="test.team.year")
    rows = [{"key_result_id": of_year.id, "as_of": day, "progress": 0.8, "expected": 0.7, "status": "on_track"}]
    if june is not None:
        last = {"as_of": date(2026, 6, 30), "progress": 0.4, "expected": 1.0, "status": june}
        earlier = {"as_of": date(2026, 6, 29), "progress": 0.1, "expected": 0.9, "status": "off_track"}
        rows += [{"key_result_id": of_june.id, **row} for row in (last, earlier)]
    found = tables.objectives(catalogue_of(of_june, of_year), pl.DataFrame(rows, schema=dict(COMPUTED_SCHEMA)))
    return found.row(by_predicate=pl.col("as_of") == day, named=True)


def test_what_was_missed_in_june_stays_missed_in_the_year():
    row = of_june_and_the_year("missed", date(2026, 9, 1))
    assert (0.6, 0.85) == pytest.approx((row["progress"], row["expected"]), rel=1e-12)
    assert ("missed", 2, 1) == (row["status"], row["key_results"], row["in_force"])


def test_what_was_achieved_in_june_stays_achieved_and_the_rest_decides():
    assert "on_track" == of_june_and_the_year("achieved", date(2026, 9, 1))["status"]


def test_a_last_row_that_is_missing_is_not_known():
    row = of_june_and_the_year(None, date(2026, 9, 1))
    assert (None, "unreliable", 2, 1) == tuple(row[name] for name in ("progress", "status", "key_results", "in_force"))


def test_a_key_result_whose_period_has_not_begun_does_not_count_yet():
    row = of_june_and_the_year("missed", date(2026, 5, 31))
    assert (0.8, "on_track", 1, 1) == tuple(row[name] for name in ("progress", "status", "key_results", "in_force"))


def test_an_objective_whose_key_results_are_all_over_goes_on_until_its_own_period_ends():
    of_june = replace(definition(period={"month": "2026-06"}), objective=definition().objective)
    last = {"key_result_id": of_june.id, "as_of": date(2026, 6, 30), "progress": 1.0, "status": "achieved"}
    later = [{"key_result_id": "test.other", "as_of": day} for day in (date(2026, 12, 31), date(2027, 1, 1))]
    found = tables.objectives(catalogue_of(of_june), pl.DataFrame([last, *later], schema=dict(COMPUTED_SCHEMA)))
    expected = [(date(2026, 6, 30), "achieved", 1), (date(2026, 12, 31), "achieved", 0)]
    assert expected == found.select("as_of", "status", "in_force").rows()


def test_an_objective_says_whose_it_is_and_for_how_long():
    row = rolled_up([({}, 0.6, "on_track")])
    assert ("test.team", "test", "team", date(2026, 1, 1), date(2026, 12, 31), DAY) == tuple(
        row[name] for name in ("objective_id", "organisation", "owner", "period_start", "period_end", "as_of")
    )


def test_an_objective_without_figures_has_no_rows():
    found = tables.objectives(catalogue_of(definition()), pl.DataFrame(schema=dict(COMPUTED_SCHEMA)))
    assert (0, dict(OBJECTIVES_SCHEMA)) == (found.height, dict(found.schema))


# --- key results ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "direction", "declared"),
    [
        ("10", "increase", {"target": {"value": 10}}),
        ("10 of 20 every month", "increase", {"target": {"value": 10, "of": 20}, "every": "month"}),
        ("60 (before: 50)", "increase", {"target": {"value": 60, "from": 50}}),
        ("from 100 to 60", "decrease", {"target": {"value": 60, "from": 100}, "trailing": "30 days"}),
        (
            "all of: a: 60 (before: 50); b: from 3 to 2",
            "increase",
            {
                "measure": None,
                "target": None,
                "all_of": [
                    {"name": "a", "measure": {"count": "deal.won"}, "target": {"value": 60, "from": 50}},
                    {
                        "name": "b",
                        "measure": {"open": {"opened_by": "ticket.created", "closed_by": "ticket.solved"}},
                        "target": {"value": 2, "from": 3},
                    },
                ],
            },
        ),
        ("at least 0.9, from 0.7", "at_least", {"target": {"at_least": Decimal("0.9"), "from": Decimal("0.7")}}),
        ("at least 0.90", "at_least", {"target": {"at_least": Decimal("0.90")}}),
        (
            "more than 5 every working day",
            "at_least",
            {"target": {"at_least": 5, "strict": True}, "every": "working_day"},
        ),
        ("at most 5", "at_most", {"target": {"at_most": 5}}),
        ("less than 5", "at_most", {"target": {"at_most": 5, "strict": True}}),
        ("from 5 to 7", "within", {"target": {"within": [5, 7]}}),
        (
            "+10 % on the previous year",
            "increase",
            {"target": {"relative": Decimal("0.1"), "baseline": "previous_year"}},
        ),
        ("-2 on the start", "decrease", {"target": {"delta": -2, "baseline": "start"}}),
        ("1000000", "increase", {"target": {"value": 1000000}}),
        (None, "none", {"type": "kpi"}),
    ],
)
def test_a_target_is_told_in_words(text, direction, declared):
    kr = key_result(**declared)
    assert (text, direction) == (tables.target_text(kr), tables.direction(kr))


@pytest.mark.parametrize(
    ("unit", "declared"),
    [
        ("deals", {}),
        ("EUR", {"unit": "EUR"}),
        ("share", {"measure": SHARE}),
        ("days", {"measure": {"duration": {"from": "deal.created", "to": "deal.won"}, "unit": "days"}}),
        ("COP", {"measure": {"sum": "amount", "of": "deal.won"}}),
        ("ratio", {"measure": {"ratio": {"numerator": {"count": "deal.won"}, "denominator": {"count": "deal.lost"}}}}),
        ("markets", {"each": {"dimension": "market"}}),
        ("tickets", {"measure": {"open": {"opened_by": "ticket.created", "closed_by": "ticket.solved"}}}),
        ("count", {"measure": {"distinct": "portal", "of": "listing.published"}}),
    ],
)
def test_a_unit_is_as_declared_or_as_the_measure_implies(unit, declared):
    assert unit == tables.unit(key_result(**declared), "COP")


def test_every_declared_key_result_has_a_row_with_its_place():
    for name in catalogue.organisations():
        whole = catalogue.load(name)
        found = tables.key_results(whole)
        assert dict(KEY_RESULTS_SCHEMA) == dict(found.schema)
        assert [d.id for d in whole.definitions] == found["key_result_id"].to_list()
        for file, line in (place.split(":") for place in found["definition_file"]):
            text = (Path(catalogue.FOLDER).parent / file).read_text("utf-8").splitlines()[int(line) - 1]
            assert text.lstrip().startswith("- ")


# --- what is due ------------------------------------------------------------------------------------------------------


def test_every_day_of_a_period_that_has_begun_is_due():
    d = definition(period={"month": "2026-02"})
    found = tables.due([d], catalogue_of(d), date(2026, 2, 3))
    assert [(d.id, date(2026, 2, n)) for n in (1, 2, 3)] == found.rows()


def test_nothing_is_due_before_a_period_or_after_it():
    d = definition(period={"month": "2026-02"})
    assert (0, 28) == tuple(
        tables.due([d], catalogue_of(d), day).height for day in (date(2026, 1, 31), date(2027, 1, 1))
    )
