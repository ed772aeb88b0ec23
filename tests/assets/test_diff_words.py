"""What a comparison says in words of objectives that only their weights move."""

from __future__ import annotations

from datetime import date

from assets.commands import diff_words
from kr_definitions.changes import Changes, Rolled, RolledUp


def weighed(before: float, after: float) -> Changes:
    moved = RolledUp("a.b", Rolled(before, "at_risk"), Rolled(after, "at_risk"))
    return Changes("a", date(2026, 3, 1), True, (), (), (), (moved,))


def test_weights_are_not_called_the_same() -> None:
    assert diff_words.heading(weighed(0.5, 0.6)) == (
        "a: its key results are declared as they are deployed, their weights are not"
    )


def test_what_moves_a_little_does_not_look_the_same() -> None:
    assert diff_words.objective(weighed(0.981, 0.984).objectives[0]) == "a.b: 98.1% → 98.4%, at risk"
    assert diff_words.objective(weighed(0.5, 0.6).objectives[0]) == "a.b: 50% → 60%, at risk"
