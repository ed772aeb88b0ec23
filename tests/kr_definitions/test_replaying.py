"""What would have been computed at an instant, beside what was reported then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from builders import definition, organisation
from stories import FIRST, MARCH, SECOND, THIRD, WINS, Story, won

from kr_definitions.coverage import Feeds
from kr_definitions.events import ERASED, EVENT_SCHEMA
from kr_definitions.replaying import Replay, replay


def replayed(story: Story, at: datetime, *definitions: Any, feeds: Feeds | None = None) -> Replay:
    return replay(story.log.lazy(), story.memory, definitions or story.definitions, organisation(), at, feeds)


def told() -> Story:
    """Three runs: the second learns of a late deal, the third that one was never won."""
    story = Story().told(FIRST, won("2026-03-01")).read(FIRST, "2026-03-04")
    story.run(FIRST)
    story.told(SECOND, won("2026-03-02", "late")).run(SECOND, "2026-03-04")
    story.told(THIRD, without=["a"]).run(THIRD, "2026-03-04")
    return story


@pytest.mark.parametrize(("at", "values"), [(FIRST, [1, 1, 1]), (SECOND, [1, 2, 2, 2]), (THIRD, [0, 1, 1, 1])])
def test_what_was_known_gives_what_was_reported(at, values):
    found = replayed(told(), at)
    assert values == found.figures.get_column("value").to_list()
    assert 0 == found.differences.height


def test_before_every_run_nothing_had_been_reported():
    found = replayed(told(), FIRST - timedelta(hours=3))
    assert (0, {"test.team.kr": ("not_computed",)}) == (found.reported.height, found.reasons)


def test_another_definition_is_why_it_differs():
    found = replayed(told(), SECOND, definition(**MARCH, target={"value": 20}))
    assert {"test.team.kr": ("definition",)} == found.reasons
    assert {(10, 20)} == set(found.differences.select("target_reported", "target").rows())


def test_what_had_reached_the_log_and_no_run_had_computed_is_why_it_differs():
    story = told().told(THIRD + timedelta(hours=2), won("2026-03-03", "x"))
    assert {"test.team.kr": ("not_computed_yet",)} == replayed(story, THIRD + timedelta(hours=3)).reasons
    assert {} == replayed(story, THIRD + timedelta(hours=1)).reasons


def test_what_was_erased_since_is_why_it_differs():
    story = told()
    tombstone = {
        "event_id": "t",
        "event_type": ERASED,
        "covers": "deal.won",
        "recorded_at": THIRD,
        "occurred_at": FIRST,
    }
    gone = story.log.filter(pl.col("fact_key").ne_missing("late"))
    story.log = pl.concat([gone, pl.DataFrame([tombstone], schema=dict(EVENT_SCHEMA))])
    assert {"test.team.kr": ("erasure",)} == replayed(story, SECOND).reasons


def test_a_figure_that_nothing_explains_says_so():
    story = told()
    story.history = story.history.with_columns(value=pl.col("value") + 1)
    assert {"test.team.kr": ("unexplained",)} == replayed(story, SECOND).reasons


def test_the_streams_of_then_are_those_that_count():
    story = told()
    later = Feeds({"deal.won": frozenset({("test", "stream"), ("other", "deals")})}, {})
    story.feeds = Feeds({"deal.won": frozenset({("test", "stream")})}, {})
    story.told(THIRD + timedelta(hours=2), won("2026-03-03", "x")).run(THIRD + timedelta(hours=2), "2026-03-04")
    assert 0 == replayed(story, THIRD + timedelta(hours=2), feeds=later).differences.height


def test_a_key_result_that_was_not_declared_yet_says_so():
    other = replace(WINS, key_result=WINS.key_result.model_copy(update={"id": "test.team.other"}))
    assert {"test.team.other": ("not_computed",)} == replayed(told(), SECOND, other).reasons
