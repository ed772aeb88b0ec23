"""What the history gains: days that are new, days that moved with what moved them, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from builders import definition, event, on, organisation
from stories import FIRST, MARCH, SECOND, THIRD, WINS, Story, won

from kr_definitions.catalogue import Definition
from kr_definitions.causes import arrivals_since
from kr_definitions.compute import compute
from kr_definitions.coverage import Feeds
from kr_definitions.events import ERASED, EVENT_SCHEMA
from kr_definitions.history import as_known_at, as_reported
from kr_definitions.memory import Run
from kr_definitions.remembering import remember

MADRID = "Europe/Madrid"
SALES = definition(**MARCH, measure={"sum": "amount", "of": "deal.won"})


def said(gained: pl.DataFrame) -> list[tuple[int, Any, Any, Any]]:
    """Day of the month, value, previous value and cause of each row gained."""
    return [
        (row["as_of"].day, row["value"], row["previous_value"], row["cause"]) for row in gained.sort("as_of").to_dicts()
    ]


# --- new days ---------------------------------------------------------------------------------------------------------


def test_the_first_run_remembers_every_day_and_restates_none():
    gained = Story().told(FIRST, won("2026-03-02")).read(FIRST, "2026-03-03").run(FIRST)
    assert [(1, 0, None, None), (2, 1, None, None), (3, 1, None, None)] == said(gained)
    assert [False, False, False] == gained.get_column("is_restatement").to_list()


def test_a_run_that_finds_nothing_moved_adds_nothing():
    story = Story().told(FIRST, won("2026-03-02")).read(FIRST, "2026-03-03")
    story.run(FIRST)
    assert 0 == story.run(SECOND).height


def test_the_next_day_adds_the_next_day_alone():
    story = Story().told(FIRST, won("2026-03-02")).read(FIRST, "2026-03-03")
    story.run(FIRST)
    story.told(SECOND, won("2026-03-04", "b")).read(SECOND, "2026-03-04")
    assert [(4, 2, None, None)] == said(story.run(SECOND, "2026-03-04"))


def test_a_day_that_becomes_final_has_not_moved():
    story = (
        Story(feeds=Feeds({"deal.won": frozenset({("test", "stream")})}, {"deal.won": 3}))
        .told(FIRST, won("2026-03-02"))
        .read(FIRST, "2026-03-31")
    )
    assert [True, True, True] == story.run(FIRST).get_column("is_provisional").to_list()
    gained = story.run(SECOND, "2026-03-10")
    assert [4, 5, 6, 7, 8, 9, 10] == gained.get_column("as_of").dt.day().to_list()
    assert [False] * 4 + [True] * 3 == gained.get_column("is_provisional").to_list()


def test_days_that_nobody_read_are_remembered_as_such():
    gained = Story().run(FIRST)
    assert ["no_data"] * 3 == gained.get_column("status").to_list()


# --- restatements -----------------------------------------------------------------------------------------------------


def after_a_run(
    *events: dict[str, Any], until: str = "2026-03-03", definitions: Sequence[Definition] = (WINS,)
) -> Story:
    """A story whose first run is over."""
    story = Story(definitions).told(FIRST, *events).read(FIRST, until)
    story.run(FIRST)
    return story


def test_a_late_fact_restates_its_day_and_those_after_it():
    story = after_a_run(won("2026-03-01")).told(SECOND, won("2026-03-02", "late"))
    gained = story.run(SECOND)
    assert [(2, 2, 1, "late_event"), (3, 2, 1, "late_event")] == said(gained)
    assert [True, True] == gained.get_column("is_restatement").to_list()


def test_a_corrected_amount_restates_with_what_was_said_before():
    story = after_a_run(won("2026-03-02", amount="100"), definitions=[SALES]).told(
        SECOND, won("2026-03-02", amount="70.5")
    )
    assert [(2, 70.5, 100, "correction"), (3, 70.5, 100, "correction")] == said(story.run(SECOND))


def test_a_fact_that_moves_to_another_day_restates_the_days_between():
    story = after_a_run(won("2026-03-03")).told(SECOND, won("2026-03-01"))
    assert [(1, 1, 0, "correction"), (2, 1, 0, "correction")] == said(story.run(SECOND))


def test_a_deleted_fact_restates_its_day_and_those_after_it():
    story = after_a_run(won("2026-03-02"), won("2026-03-01", "b")).told(SECOND, without=["a"])
    assert [(2, 1, 2, "deletion"), (3, 1, 2, "deletion")] == said(story.run(SECOND))


def test_a_correction_of_what_the_measure_does_not_use_moves_nothing():
    story = after_a_run(won("2026-03-02", product="x")).told(SECOND, won("2026-03-02", product="y"))
    assert 0 == story.run(SECOND).height


def test_two_changes_that_cancel_move_nothing():
    story = after_a_run(won("2026-03-02")).told(SECOND, won("2026-03-02", "b"), without=["a"])
    assert 0 == story.run(SECOND).height


def test_days_that_are_read_at_last_are_restated_because_they_were_read():
    story = after_a_run(won("2026-03-01"), until="2026-03-01").told(SECOND, won("2026-03-03", "b"))
    story.read(SECOND, "2026-03-03")
    assert [(2, 1, None, "coverage"), (3, 2, None, "coverage")] == said(story.run(SECOND))


def test_a_kpi_that_has_nothing_but_a_value_is_restated_too():
    kpi = definition(**MARCH, type="kpi")
    story = after_a_run(won("2026-03-01"), until="2026-03-02", definitions=[kpi]).read(SECOND, "2026-03-03")
    assert [(3, 1, None, "coverage")] == said(story.run(SECOND))


def test_a_day_that_turns_out_not_to_have_been_read_becomes_unknown_again():
    story = after_a_run(won("2026-03-01"))
    story.log = story.log.filter(pl.col("event_type") != "source.covered")
    assert [(1, None, 1, "coverage"), (2, None, 1, "coverage"), (3, None, 1, "coverage")] == said(story.run(SECOND))


def test_a_late_fact_of_last_year_moves_the_target_of_every_day():
    target = {"relative": Decimal("0.5"), "baseline": "previous_year"}
    story = after_a_run(won("2025-03-09"), definitions=[definition(**MARCH, target=target)])
    gained = story.told(SECOND, won("2025-03-20", "late")).run(SECOND)
    assert [(day, 0, 0, "late_event") for day in (1, 2, 3)] == said(gained)
    assert [3, 3, 3] == gained.get_column("target").to_list()


def test_what_arrived_of_another_type_explains_nothing():
    story = after_a_run(won("2026-03-01"), until="2026-03-02")
    story.told(SECOND, event("call.made", "2026-03-01")).read(SECOND, "2026-03-03")
    assert [(3, 1, None, "coverage")] == said(story.run(SECOND))


def test_three_of_ten_that_become_six_of_twenty_have_moved():
    measure = {"share": {"of": "listing.captured", "reached": "mandate = 'exclusive'"}}
    share = definition(**MARCH, measure=measure, target={"at_least": 1})

    def captured(*numbers: int) -> list[dict[str, Any]]:
        return [
            event("listing.captured", "2026-03-01", str(n), mandate="exclusive" if n % 10 < 3 else "open")
            for n in numbers
        ]

    story = Story([share]).told(FIRST, *captured(*range(10))).read(FIRST, "2026-03-03", "listing.captured")
    story.run(FIRST)
    gained = story.told(SECOND, *captured(*range(10, 20))).run(SECOND)
    assert [(day, 0.3, 0.3, "late_event") for day in (1, 2, 3)] == said(gained)


def test_each_key_result_moves_by_itself():
    calls = definition(**MARCH, id="test.team.calls", measure={"count": "call.made"})
    story = Story([WINS, calls]).read(FIRST, "2026-03-03", "deal.won", "call.made")
    story.run(FIRST)
    gained = story.told(SECOND, event("call.made", "2026-03-03")).run(SECOND)
    assert ["test.team.calls"] == gained.get_column("key_result_id").to_list()


# --- which events moved it --------------------------------------------------------------------------------------------


def moved_by(story: Story, at: datetime) -> list[tuple[Any, ...]]:
    """Which event moved which days, by how much: the record, first and last day, change, cause."""
    found = story.movers.filter(pl.col("recorded_at") >= at).join(
        story.log.select("event_id", "fact_key"), on="event_id", how="left"
    )
    rows = found.select("fact_key", pl.col("first_day", "last_day").dt.day(), "change", "cause", "numerator_change")
    return sorted(rows.rows(), key=str)


def test_a_late_fact_is_named():
    story = after_a_run(won("2026-03-01")).told(SECOND, won("2026-03-02", "late"))
    story.run(SECOND)
    assert [("late", 2, 3, "entered", "late_event", 1)] == moved_by(story, SECOND)


def test_both_sides_of_a_correction_are_named():
    story = after_a_run(won("2026-03-02", amount="100"), definitions=[SALES]).told(
        SECOND, won("2026-03-02", amount="70.5")
    )
    story.run(SECOND)
    assert [
        ("a", 2, 3, "entered", "correction", Decimal("70.5")),
        ("a", 2, 3, "left", "correction", Decimal(-100)),
    ] == moved_by(story, SECOND)


def test_what_changed_what_another_event_gives_is_named_beside_it():
    opened = {"open": {"opened_by": "ticket.created", "closed_by": "ticket.solved"}}
    backlog = definition(**MARCH, measure=opened, target={"at_most": 3})
    types = ("ticket.created", "ticket.solved")
    story = Story([backlog]).told(FIRST, event("ticket.created", "2026-03-01", "t", key="made"))
    story.read(FIRST, "2026-03-03", *types).run(FIRST)
    gained = story.told(SECOND, event("ticket.solved", "2026-03-02", "t", key="done")).run(SECOND)
    assert [(2, 0, 1, "late_event"), (3, 0, 1, "late_event")] == said(gained)
    assert [("done", 2, 3, "beside", "late_event", None), ("made", 2, 3, "changed", None, -1)] == moved_by(
        story, SECOND
    )


def test_what_moved_nothing_is_not_why_something_moved():
    story = after_a_run(won("2026-03-01", product="x"))
    story.told(SECOND, won("2026-03-01", product="y"), won("2026-03-02", "late"))
    assert [(2, 2, 1, "late_event"), (3, 2, 1, "late_event")] == said(story.run(SECOND))


def test_a_changed_mapping_is_the_cause_of_what_it_moves():
    story = after_a_run(won("2026-03-02", amount="100"), definitions=[SALES])
    before = story.log.height
    story.told(SECOND, won("2026-03-02", amount="120"))
    is_new = pl.int_range(pl.len()) >= before
    story.log = story.log.with_columns(reason=pl.when(is_new).then(pl.lit("mapping")).otherwise(pl.col("reason")))
    assert [(2, 120, 100, "mapping"), (3, 120, 100, "mapping")] == said(story.run(SECOND))


def without_the_erased(story: Story) -> Story:
    """The story after the fact `erased`, of the second of March, was erased."""
    tombstone = {
        "event_id": "t", "event_type": ERASED, "covers": "deal.won", "recorded_at": SECOND,
        "occurred_at": datetime(2026, 3, 2, tzinfo=UTC), "quantity": Decimal(1),
    }  # fmt: skip
    gone = story.log.filter(pl.col("fact_key") != "erased")
    story.log = pl.concat([gone, pl.DataFrame([tombstone], schema=dict(EVENT_SCHEMA))])
    return story


def test_an_erasure_is_not_the_cause_of_what_comes_late():
    daily = definition(**MARCH, every="day")
    story = Story((daily,)).told(FIRST, won("2026-03-01"), won("2026-03-02", "erased")).read(FIRST, "2026-03-03")
    story.run(FIRST)
    gained = without_the_erased(story).told(SECOND, won("2026-03-03", "late")).run(SECOND)
    assert [(2, 0, 1, "erasure"), (3, 1, 0, "late_event")] == said(gained)


def test_an_erasure_is_the_cause_of_what_it_moves():
    story = without_the_erased(after_a_run(won("2026-03-01"), won("2026-03-02", "erased")))
    assert [(2, 1, 2, "erasure"), (3, 1, 2, "erasure")] == said(story.run(SECOND))
    assert [(None, 2, 3, "erased", "erasure", None)] == moved_by(story, SECOND)


def test_a_movement_that_nothing_explains_says_so():
    story = after_a_run(won("2026-03-02"))
    story.history = story.history.with_columns(value=pl.col("value") + 1, numerator=pl.col("numerator") + 1)
    assert {"unexplained"} == set(story.run(SECOND).get_column("cause"))


# --- editions ---------------------------------------------------------------------------------------------------------

DOUBLED = definition(**MARCH, target={"value": 20})
AMOUNT = definition(**MARCH, measure={"sum": "quantity", "of": "deal.won"})


def editions(story: Story) -> list[tuple[int, str, str, bool | None]]:
    return story.editions.select("edition", "definition_version", "change", "is_split").rows()


def test_a_changed_target_opens_an_edition_with_all_its_days():
    story = after_a_run(won("2026-03-02"))
    gained = story.run(SECOND, definitions=[DOUBLED])
    assert [(1, 0, 0, "target"), (2, 1, 1, "target"), (3, 1, 1, "target")] == said(gained)
    assert {(2, "1.1", DOUBLED.meaning.content_hash)} == set(
        gained.select("edition", "definition_version", "definition_hash").rows()
    )
    assert [(1, "1.0", "added", None), (2, "1.1", "target", True)] == editions(story)


def test_a_changed_measure_counts_the_first_number_up():
    story = after_a_run(won("2026-03-02", quantity="5"))
    assert [(1, 0, 0, "definition"), (2, 5, 1, "definition"), (3, 5, 1, "definition")] == said(
        story.run(SECOND, definitions=[AMOUNT])
    )
    assert [(1, "1.0", "added", None), (2, "2.0", "measure", True)] == editions(story)


def test_what_the_data_did_is_told_apart_from_what_the_definition_did():
    story = after_a_run(won("2026-03-01", quantity="5"))
    story.told(SECOND, won("2026-03-02", "late", quantity="7"))
    gained = story.run(SECOND, definitions=[AMOUNT])
    by_data, by_definition = gained.filter(pl.col("edition") == 1), gained.filter(pl.col("edition") == 2)
    assert [(2, 2, 1, "late_event"), (3, 2, 1, "late_event")] == said(by_data)
    assert [(1, 5, 1, "definition"), (2, 12, 2, "definition"), (3, 12, 2, "definition")] == said(by_definition)
    assert by_data.get_column("recorded_at").max() < by_definition.get_column("recorded_at").min()


def test_an_edition_that_has_ended_stays_as_it_was():
    story = after_a_run(won("2026-03-01"))
    story.run(SECOND, definitions=[DOUBLED])
    ended = story.history.filter(pl.col("edition") == 1)
    story.told(THIRD, won("2026-03-02", "late")).run(THIRD)
    assert ended.equals(story.history.filter(pl.col("edition") == 1))


def test_a_definition_that_goes_back_is_an_edition_more():
    story = after_a_run(won("2026-03-01"))
    story.run(SECOND, definitions=[DOUBLED])
    story.run(THIRD, definitions=[WINS])
    assert [(1, "1.0", "added", None), (2, "1.1", "target", True), (3, "1.2", "target", True)] == editions(story)


def test_wording_opens_no_edition():
    story = after_a_run(won("2026-03-01"))
    reworded = definition(**MARCH, title={"es": "Ventas", "en": "Sales"}, owner="others", why="for another reason")
    assert 0 == story.run(SECOND, definitions=[reworded]).height
    assert [(1, "1.0", "added", None)] == editions(story)


def test_a_period_that_shrinks_has_no_days_beyond_it_now():
    story = after_a_run(won("2026-03-01"))
    until = definition({"from": date(2026, 3, 1), "until": date(2026, 3, 2)})
    story.run(SECOND, definitions=[until])
    assert [1, 2] == story.now().get_column("as_of").dt.day().to_list()


def test_an_edition_that_cannot_be_computed_any_more_is_not_split():
    story = after_a_run(won("2026-03-01", quantity="5"))
    story.editions = story.editions.with_columns(declared=pl.lit("key_result: {of: another time}"))
    story.told(SECOND, won("2026-03-02", "late", quantity="7"))
    gained = story.run(SECOND, definitions=[AMOUNT])
    assert [(1, 5, 1, "definition"), (2, 12, 1, "definition"), (3, 12, 1, "definition")] == said(gained)
    assert (2, "2.0", "measure", False) == editions(story)[-1]


def test_a_run_that_was_killed_before_it_told_of_its_edition_is_taken_up():
    story = after_a_run(won("2026-03-01"))
    before = story.editions
    story.run(SECOND, definitions=[DOUBLED])
    story.editions = before
    assert 0 == story.run(THIRD, definitions=[DOUBLED]).height
    story.run(THIRD + timedelta(days=1), definitions=[WINS])
    assert [3] == story.now().get_column("edition").unique().to_list()


def killed(story: Story, at: datetime, definitions: Sequence[Definition]) -> None:
    """A run that was killed when it had recorded its figures, and no more."""
    before = story.editions, story.computations
    story.run(at, definitions=definitions)
    story.editions, story.computations = before


def test_what_a_killed_run_did_not_tell_of_its_edition_is_told_by_the_next():
    story = after_a_run(won("2026-03-01", quantity="5"))
    killed(story, SECOND, [DOUBLED])
    story.run(THIRD, definitions=[DOUBLED])
    assert [(1, "1.0", "added", None), (2, "1.1", "target", None)] == editions(story)
    began = story.history.filter(pl.col("edition") == 2).get_column("recorded_at").unique().to_list()
    assert began == story.editions.filter(pl.col("edition") == 2).get_column("recorded_at").to_list()
    story.run(THIRD + timedelta(days=1), definitions=[AMOUNT])
    assert (3, "2.0", "measure", True) == editions(story)[-1]


def test_an_edition_of_which_a_killed_run_did_not_tell_is_retired_and_was_known():
    calls = definition(**MARCH, id="test.team.calls", measure={"count": "call.made"})
    story = after_a_run(won("2026-03-01"))
    killed(story, SECOND, [WINS, calls])
    story.run(THIRD, definitions=[WINS])
    assert ("test.team.calls", "retired") == story.editions.select("key_result_id", "change").row(-1)
    memory = story.memory.complete()
    then = as_known_at(memory.history, memory.editions, SECOND).collect()
    assert {WINS.id, calls.id} == set(then.get_column("key_result_id"))


def test_a_key_result_that_is_no_longer_declared_is_retired_and_keeps_its_history():
    calls = definition(**MARCH, id="test.team.calls", measure={"count": "call.made"})
    story = Story([WINS, calls]).read(FIRST, "2026-03-03", "deal.won", "call.made")
    story.run(FIRST)
    rows = story.history.height
    story.run(SECOND, definitions=[WINS])
    assert ("test.team.calls", "retired") in story.editions.select("key_result_id", "change").rows()
    assert rows == story.history.height == story.now().height
    story.run(THIRD, definitions=[WINS, calls])
    assert "reinstated" == story.editions.row(-1, named=True)["change"]


def test_a_retired_id_does_not_come_back_with_another_meaning():
    calls = {"id": "test.team.calls", "measure": {"count": "call.made"}}
    story = Story([WINS, definition(**MARCH, **calls)]).read(FIRST, "2026-03-03", "deal.won", "call.made")
    story.run(FIRST)
    story.run(SECOND, definitions=[WINS])
    other = definition(**MARCH, **calls, target={"value": 3})
    run = Run("run", THIRD, date(2026, 3, 3), organisation())
    gained = remember(run, story.memory, [WINS, other], story.log.lazy())
    assert [("test.team.calls", SECOND)] == [(one.definition.id, one.retired_at) for one in gained.refused]
    assert 0 == gained.history.height


# --- days and members that are no longer there ------------------------------------------------------------------------


def test_a_member_that_nothing_names_any_more_is_withdrawn():
    by_market = definition(**MARCH, each={"dimension": "market"})
    story = after_a_run(
        won("2026-03-01", market="norte"), won("2026-03-01", "b", market="sur"), definitions=[by_market]
    )
    assert {None, "norte", "sur"} == set(story.now().get_column("member"))
    gained = story.told(SECOND, won("2026-03-01", "b", market="norte")).run(SECOND)
    gone = gained.filter("is_withdrawn")
    assert [("sur", None, 1, "correction")] * 3 == gone.select("member", "value", "previous_value", "cause").rows()
    assert {None, "norte"} == set(story.now().get_column("member"))
    story.told(THIRD, won("2026-03-02", "b", market="sur")).run(THIRD)
    assert {None, "norte", "sur"} == set(story.now().get_column("member"))


def test_what_was_not_read_and_is_not_now_moves_by_the_data_alone():
    by_market = definition(**MARCH, each={"dimension": "market"})
    story = Story([by_market]).told(FIRST, won("2026-03-02", market="norte"))
    story.read(FIRST, "2026-03-03", since="2026-03-02").run(FIRST)
    gained = story.told(SECOND, without=["a"]).read(SECOND, "2026-03-04", since="2026-03-02").run(SECOND)
    assert {None, "norte"} == set(gained.get_column("member"))
    assert {"deletion"} == set(gained.get_column("cause"))


def launched(day: str, key: str = "launch") -> dict[str, Any]:
    return event("product.launched", day, key=key)


def test_a_period_whose_event_is_withdrawn_has_no_days_now():
    period = {"from_event": {"event": "product.launched"}, "months": 1}
    story = Story([definition(period)]).told(FIRST, launched("2026-03-02")).read(FIRST, "2026-03-03")
    story.read(FIRST, "2026-03-03", "product.launched").run(FIRST)
    assert [2, 3] == story.now().get_column("as_of").dt.day().to_list()
    gained = story.told(SECOND, without=["launch"]).run(SECOND)
    assert [True, True] == gained.get_column("is_withdrawn").to_list()
    assert {"deletion"} == set(gained.get_column("cause"))
    assert 0 == story.now().height


def test_a_period_whose_event_moves_has_the_days_that_it_has_now():
    period = {"from_event": {"event": "product.launched"}, "months": 1}
    story = Story([definition(period)]).told(FIRST, launched("2026-03-01")).read(FIRST, "2026-03-04")
    story.read(FIRST, "2026-03-04", "product.launched").run(FIRST, "2026-03-04")
    story.told(SECOND, launched("2026-03-03")).run(SECOND, "2026-03-04")
    assert [3, 4] == story.now().get_column("as_of").dt.day().to_list()


def test_a_run_for_an_earlier_day_withdraws_nothing():
    story = after_a_run(won("2026-03-01"))
    assert 0 == story.run(SECOND, "2026-03-02").height


def test_an_edition_begins_with_all_its_days_in_a_run_for_an_earlier_day_too():
    story = after_a_run(won("2026-03-01"))
    gained = story.run(SECOND, "2026-03-01", definitions=[DOUBLED])
    assert [(day, 1, 1, "target") for day in (1, 2, 3)] == said(gained)


def test_what_arrived_before_a_run_for_an_earlier_day_explains_the_days_after_it():
    story = after_a_run(won("2026-03-01")).told(SECOND, won("2026-03-03", "late"))
    story.run(SECOND, "2026-03-02")
    story.run(THIRD)
    assert [(3, 2, 1, "late_event")] == said(story.history.filter("is_restatement"))


# --- reading back -----------------------------------------------------------------------------------------------------


def restated() -> Story:
    story = after_a_run(won("2026-03-01"))
    story.told(SECOND, won("2026-03-02", "late")).run(SECOND)
    story.told(THIRD, without=["late"]).run(THIRD)
    return story


def known(story: Story, instant: datetime) -> pl.DataFrame:
    return as_known_at(story.history.lazy(), story.editions, instant).collect()


@pytest.mark.parametrize(
    ("expected", "instant"), [(1, FIRST), (1, SECOND - timedelta(microseconds=1)), (2, SECOND), (1, THIRD)]
)
def test_what_was_reported_at_an_instant_can_be_read_back(expected, instant):
    assert expected == on(known(restated(), instant), "2026-03-02")


def test_before_the_first_run_nothing_had_been_reported():
    assert 0 == known(restated(), FIRST - timedelta(microseconds=1)).height


def test_what_was_reported_on_a_day_is_of_the_days_up_to_it_and_of_the_editions_of_then():
    story = after_a_run(won("2026-03-01"))  # on 4 March, at six in Madrid
    story.told(SECOND, won("2026-03-02", "late")).run(SECOND, "2026-03-04", [DOUBLED])

    def reported(day: int) -> list[tuple[int, float, float]]:
        found = as_reported(story.history.lazy(), story.editions, date(2026, 3, day), MADRID)
        return [
            (at.day, value, target) for at, value, target in found.select("as_of", "value", "target").collect().rows()
        ]

    assert [] == reported(3)
    assert [(1, 1, 10), (2, 1, 10), (3, 1, 10)] == sorted(reported(4))
    assert [(1, 1, 20), (2, 2, 20), (3, 2, 20)] == sorted(reported(5))[:3]


def test_the_newest_rows_are_what_a_computation_finds_now():
    story = restated()
    columns = ["key_result_id", "as_of", "value", "numerator", "progress", "status"]
    computed = compute([WINS], organisation(), story.log.lazy(), date(2026, 3, 3))
    assert computed.select(columns).equals(story.now().select(columns))


def test_a_history_only_gains_rows():
    story = after_a_run(won("2026-03-01"))
    before = story.history
    story.told(SECOND, won("2026-03-02", "late")).run(SECOND)
    assert before.equals(story.history.head(before.height))


# --- arrivals ---------------------------------------------------------------------------------------------------------


def arrivals(story: Story, since: datetime | None) -> list[tuple[str, str, str]]:
    found = arrivals_since(story.log.lazy(), since, MADRID).filter(pl.col("change") != "read")
    return sorted((name, str(day), cause) for name, day, cause in found.select("event_type", "day", "cause").rows())


def test_arrivals_are_told_by_type_day_and_cause():
    story = Story().told(FIRST, won("2026-03-01"), won("2026-03-02", "b"), won("2026-03-03", "c"))
    story.told(SECOND, won("2026-02-28"), won("2026-03-04", "d"), without=["b"])
    assert [
        ("deal.won", "2026-02-28", "correction"),
        ("deal.won", "2026-03-01", "correction"),
        ("deal.won", "2026-03-02", "deletion"),
        ("deal.won", "2026-03-04", "late_event"),
    ] == arrivals(story, FIRST)


def test_an_arrival_is_of_the_local_day():
    story = Story().told(SECOND, event("deal.won", datetime(2026, 3, 1, 23, 30, tzinfo=UTC)))
    assert [("deal.won", "2026-03-02", "late_event")] == arrivals(story, FIRST)


def test_nothing_arrives_where_nothing_had_been_computed_or_recorded():
    story = Story().told(FIRST, won("2026-03-01"))
    assert ([], []) == (arrivals(story, None), arrivals(story, FIRST))


def test_a_reading_is_not_an_arrival():
    assert [] == arrivals(Story().read(SECOND, "2026-03-03"), FIRST)


def test_a_fact_that_changed_twice_and_went_is_deleted():
    story = Story().told(FIRST, won("2026-03-01")).told(SECOND, won("2026-03-02")).told(THIRD, without=["a"])
    assert [("deal.won", "2026-03-02", "deletion")] == arrivals(story, SECOND)
    assert ("deal.won", "2026-03-01", "deletion") in arrivals(story, FIRST)
    assert "correction" not in {cause for _, _, cause in arrivals(story, FIRST)}
