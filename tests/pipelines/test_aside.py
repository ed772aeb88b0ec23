"""What is set aside stands until it is mended or withdrawn, on each run, and not a run longer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from shop import Shop, at, load_shop, order, source

from pipelines import aside, erasure, lake
from pipelines.load import Lake, bring_up_to_date


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def load(root: Path, hour: int, *orders: dict[str, Any]) -> list[str]:
    """A load of these orders; which of them are set aside then."""
    load_shop(root, Shop([], list(orders)), hour)
    return standing(root)


def standing(root: Path) -> list[str]:
    return Lake(root).set_aside().collect().get_column("record_key").sort().to_list()


def noted(root: Path) -> int:
    """How often something was set aside."""
    return Lake(root).quarantine().collect().height


def test_what_is_set_aside_stands_until_it_is_mended_or_withdrawn_and_is_noted_once(root: Path) -> None:
    def mended(n: str, hour: int) -> dict[str, Any]:
        return order(n, "a", hour=hour)

    def wrong(n: str, hour: int) -> dict[str, Any]:
        return order(n, "a", hour=hour, amount="x")

    days = {
        "mended": (wrong("mended", 1), mended("mended", 2), mended("mended", 2)),
        "wrong again": (wrong("wrong again", 1), mended("wrong again", 2), wrong("wrong again", 3)),
        "as wrong": (wrong("as wrong", 1), wrong("as wrong", 1), wrong("as wrong", 1)),
        "an edit": (mended("an edit", 1), wrong("an edit", 2), wrong("an edit", 2)),
        "withdrawn": (wrong("withdrawn", 1), {**wrong("withdrawn", 2), "is_deleted": True}, wrong("as wrong", 1)),
    }
    assert [load(root, 4 + day, *(orders[day] for orders in days.values())) for day in range(3)] == [
        ["as wrong", "mended", "withdrawn", "wrong again"],
        ["an edit", "as wrong"],
        ["an edit", "as wrong", "wrong again"],
    ]
    assert noted(root) == 6


def test_what_lay_in_the_future_stands_until_it_has_come(root: Path) -> None:
    assert load(root, 2, order("1", "a", hour=400)) == ["1"]
    assert load(root, 401) == []


def test_what_a_lake_of_before_holds_of_mended_records_stands_until_they_are_tried_again(root: Path) -> None:
    load(root, 2, order("1", "a", amount="x"), order("2", "b", amount="x"))
    before = Lake(root).quarantine().collect()
    load(root, 3, order("1", "a", hour=2))
    lake.rewrite(root / "quarantine", before.lazy(), before.height, writer="test")
    assert standing(root) == ["1", "2"]
    assert load(root, 4) == ["2"]


def test_nothing_is_forgotten_by_a_load_that_is_killed_before_it_notes_what_was_mended(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(root, 2, order("1", "a", amount="x"))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as kill:
        kill.setattr(aside, "note_mended", killed)
        with pytest.raises(KeyboardInterrupt):
            load(root, 3, order("1", "a", hour=2))
    assert standing(root) == ["1"]
    bring_up_to_date([source(Shop())], Lake(root), at(3))
    assert standing(root) == []


def test_what_is_noted_follows_what_was_noted_though_a_clock_stands_still(tmp_path: Path) -> None:
    problem = pl.DataFrame(
        [{"source": "s", "stream": "t", "record_id": "i", "record_key": "k", "problem": "p", "recorded_at": at(1)}],
        schema={name: dtype for name, dtype in aside.QUARANTINE_SCHEMA.items() if name != "run_id"},
    )

    def now() -> pl.DataFrame:
        return aside.standing(lake.scan(tmp_path, aside.QUARANTINE_SCHEMA)).collect()

    for run in ("first", "second"):
        aside.note(tmp_path, problem, run)
        assert now().get_column("run_id").to_list() == [run]
        aside.note_mended(tmp_path, now(), at(1), run)
        assert now().is_empty()


def test_what_an_erased_person_had_set_aside_stands_no_more(root: Path) -> None:
    load(root, 2, order("1", "a", amount="x"), order("2", "b", amount="x"), order("3", "a", amount="x"))
    load(root, 3, order("3", "a", hour=2))
    sources = [source(Shop())]
    found = erasure.find(Lake(root), sources, "a", None, ["customer"])
    erasure.erase(Lake(root), sources, found, at(4))
    assert standing(root) == ["2"]
    assert set(lake.stored(root / "quarantine").collect().get_column("record_key")) == {"2"}
