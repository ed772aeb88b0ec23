"""What was told of objectives: rows that are new, moved or gone, why, and what was known at an instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from builders import definition, organisation
from hypothesis import given, settings
from hypothesis import strategies as st

from kr_definitions import tables
from kr_definitions.catalogue import Catalogue
from kr_definitions.history import COMPUTED_SCHEMA, HISTORY_SCHEMA
from kr_definitions.objective_history import OBJECTIVE_HISTORY_SCHEMA, gained, known_at

DAY, NEXT = date(2026, 3, 30), date(2026, 3, 31)
FIRST = datetime(2026, 4, 1, 5, tzinfo=UTC)
ONE, OTHER = "test.team.one", "test.team.other"


class Told:
    """An objective of two key results, run by run."""

    def __init__(self, **weights: str) -> None:
        self.history = pl.DataFrame(schema=dict(HISTORY_SCHEMA))
        self.told = pl.DataFrame(schema=dict(OBJECTIVE_HISTORY_SCHEMA))
        self.runs = 0
        self.weigh(**weights)

    def weigh(self, **weights: str) -> None:
        """Declare the key results, with these weights."""
        content = {ONE: {}, OTHER: {}} | {
            f"test.team.{name}": {"weight": Decimal(weight)} for name, weight in weights.items()
        }
        definitions = tuple(definition(id=name, **said) for name, said in content.items())
        self.catalogue = Catalogue(organisation(), (definitions[0].objective,), definitions)

    def run(self, *rows: tuple[str, date, float | None, str | None]) -> pl.DataFrame:
        """Another run, in which key results were told of days with these progresses and causes; what is gained."""
        self.runs += 1
        at = FIRST + timedelta(days=self.runs)
        said = [
            {
                "key_result_id": name, "as_of": day, "progress": progress, "cause": cause, "recorded_at": at,
                "status": "unreliable" if progress is None else "on_track", "is_restatement": cause is not None,
            }
            for name, day, progress, cause in rows
        ]  # fmt: skip
        self.history = pl.concat([self.history, pl.DataFrame(said, schema=dict(HISTORY_SCHEMA))])
        rolled_up = self.rolled_up(self.history)
        new = gained(self.told.lazy(), rolled_up, self.history.lazy(), self.catalogue, at, f"run {self.runs}")
        self.told = pl.concat([self.told, new])
        return new

    def rolled_up(self, history: pl.DataFrame) -> pl.DataFrame:
        """What is known of the objective from a history of its key results."""
        newest = history.sort("recorded_at").unique(["key_result_id", "as_of"], keep="last")
        return tables.objectives(self.catalogue, newest.select(COMPUTED_SCHEMA.keys()))


def shown(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    return rows.select("as_of", "progress", "is_restatement", "previous_progress", "cause").rows()


def test_a_new_day_is_told_and_restates_nothing():
    of = Told()
    assert [(DAY, 0.5, False, None, None)] == shown(of.run((ONE, DAY, 0.4, None), (OTHER, DAY, 0.6, None)))
    assert [(NEXT, 0.75, False, None, None)] == shown(of.run((ONE, NEXT, 0.5, None), (OTHER, NEXT, 1.0, None)))


def test_a_run_that_learns_nothing_tells_nothing():
    of = Told()
    of.run((ONE, DAY, 0.4, None), (OTHER, DAY, 0.6, None))
    assert 0 == of.run().height


def test_an_objective_moves_for_the_reason_that_its_key_result_moved():
    of = Told()
    of.run((ONE, DAY, 0.4, None), (OTHER, DAY, 0.6, None))
    assert [(DAY, 0.7, True, 0.5, "late_event")] == shown(of.run((ONE, DAY, 0.8, "late_event")))


def test_of_several_reasons_the_most_telling_is_told():
    of = Told()
    of.run((ONE, DAY, 0.4, None), (OTHER, DAY, 0.6, None))
    moved = of.run((ONE, DAY, 0.8, "late_event"), (OTHER, DAY, 0.0, "erasure"))
    assert [(DAY, 0.4, True, 0.5, "erasure")] == shown(moved)


def test_a_key_result_that_is_told_later_is_a_reason_of_coverage():
    of = Told()
    assert [(DAY, None, False, None, None)] == shown(of.run((ONE, DAY, 0.4, None)))
    assert [(DAY, 0.5, True, None, "coverage")] == shown(of.run((OTHER, DAY, 0.6, None)))


def test_other_weights_are_another_definition_and_say_what_they_are():
    of = Told()
    before = of.run((ONE, DAY, 0.4, None), (OTHER, DAY, 0.6, None))
    of.weigh(one="0.75")
    moved = of.run()
    assert [(DAY, 0.45, True, 0.5, "definition")] == shown(moved.with_columns(pl.col("progress").round(9)))
    assert [f"{ONE} 0.5, {OTHER} 0.5"] == before["made_of"].to_list()
    assert [f"{ONE} 0.75, {OTHER} 0.25"] == moved["made_of"].to_list()


def test_a_day_that_the_objective_has_no_more_is_withdrawn_and_stays_told():
    of = Told()
    of.run((ONE, DAY, 0.4, None), (OTHER, DAY, 0.6, None))
    of.history = of.history.clear()
    gone = of.run()
    assert [(DAY, None, True, 0.5, "definition")] == shown(gone)
    assert 0 == known_at(of.told.lazy()).height
    assert [0.5] == known_at(of.told.lazy(), gone["recorded_at"][0] - timedelta(seconds=1))["progress"].to_list()


def test_an_objective_that_is_declared_no_more_keeps_what_was_told_of_it():
    of = Told()
    of.run((ONE, DAY, 0.4, None), (OTHER, DAY, 0.6, None))
    of.catalogue = replace(of.catalogue, objectives=(), definitions=())
    assert 0 == of.run().height
    assert [0.5] == known_at(of.told.lazy())["progress"].to_list()


def test_a_key_result_that_is_over_moves_every_day_after_it():
    of = Told()
    of_june = definition(id=ONE, period={"month": "2026-03"})
    objective = definition().objective
    of.catalogue = replace(
        of.catalogue, definitions=(replace(of_june, objective=objective), of.catalogue.definitions[1])
    )
    after = date(2026, 4, 2)
    of.run((ONE, NEXT, 0.4, None), (OTHER, NEXT, 0.6, None), (OTHER, after, 0.6, None))
    moved = of.run((ONE, NEXT, 0.6, "correction"))
    assert [(NEXT, 0.6, True, 0.5, "correction"), (after, 0.6, True, 0.5, "correction")] == shown(moved)


ROWS = st.lists(
    st.tuples(
        st.sampled_from([ONE, OTHER]),
        st.sampled_from([DAY, NEXT]),
        st.none() | st.sampled_from([0.0, 0.25, 1.0]),
        st.sampled_from([None, "late_event", "correction"]),
    ),
    max_size=3,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_what_was_known_at_any_instant_is_the_roll_up_of_what_was_known_of_the_key_results(runs):
    of = Told()
    for rows in runs:
        of.run(*rows)
    for n in range(1, of.runs + 1):
        instant = FIRST + timedelta(days=n)
        then = of.rolled_up(of.history.filter(pl.col("recorded_at") <= instant)).sort("as_of")
        told = known_at(of.told.lazy(), instant)
        assert (
            then.select("as_of", "progress", "status", "in_force").rows()
            == told.select("as_of", "progress", "status", "in_force").rows()
        )
