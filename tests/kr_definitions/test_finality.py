"""Until when figures are provisional, and what became of those that were."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest
from builders import definition
from stories import Story, won

from kr_definitions.coverage import Feeds
from kr_definitions.finality import expected_revisions

DAYS = [date(2026, 3, 1) + timedelta(n) for n in range(20)]
LATE = Feeds({"deal.won": frozenset({("test", "stream")})}, {"deal.won": 2})
DAILY = definition(period={"month": "2026-03"}, every="day", target={"value": 3})


def morning(day: date) -> datetime:
    return datetime.combine(day + timedelta(1), time(5), UTC)


def lived(days: int, late: int = 1) -> Story:
    """Each morning three deals of the day before are there, and so many more of it a day later."""
    story = Story([DAILY], feeds=LATE)
    for n, day in enumerate(DAYS[:days]):
        told = [won(str(day), f"{day}/{i}") for i in range(3)]
        if n:
            told += [won(str(DAYS[n - 1]), f"{DAYS[n - 1]}/late{i}") for i in range(late)]
        story.told(morning(day), *told).read(morning(day), str(day))
        story.run(morning(day), str(day))
    return story


def revisions(story: Story) -> list[tuple[int, int, float | None, float | None, int]]:
    """Day, the day on which it is final, what to expect, nine of ten, and how many were seen."""
    through = story.computations.get_column("through").max()
    found = expected_revisions(story.history.lazy(), story.computations, {DAILY.id: 2}, through)
    rows = found.filter(pl.col("member").is_null()).drop("key_result_id", "member").rows()
    return [(day.day, final.day, *rest) for day, final, *rest in rows]


def test_the_newest_days_are_provisional_and_are_expected_to_move_as_others_did():
    # On the tenth: of the 9th nothing more is expected after the 11th, and it has had its late deal.
    assert [(9, 11, 0.0, 0.0, 8), (10, 12, 1.0, 1.0, 8)] == revisions(lived(10))


def test_too_few_past_days_say_nothing():
    assert [(3, 5, None, None), (4, 6, None, None)] == [row[:4] for row in revisions(lived(4))]


def test_a_past_that_was_computed_at_once_says_nothing():
    story = lived(0)
    everything = [won(str(day), f"{day}/{i}") for day in DAYS for i in range(4)]
    story.told(morning(DAYS[-1]), *everything).read(morning(DAYS[-1]), str(DAYS[-1]))
    story.run(morning(DAYS[-1]), str(DAYS[-1]))
    assert [(19, 21, None, None, 0), (20, 22, None, None, 0)] == revisions(story)


def test_what_is_never_late_is_never_provisional():
    story = lived(10)
    found = expected_revisions(story.history.lazy(), story.computations, {DAILY.id: 0}, DAYS[9])
    assert 0 == found.height


@pytest.mark.parametrize("late", [0, 3])
def test_the_size_of_past_revisions_is_what_is_expected(late):
    assert (late, late) == revisions(lived(10, late))[-1][2:4]
