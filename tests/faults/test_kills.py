"""A load that is killed, anywhere and at any moment: the next plain run completes; nothing is lost or there twice."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Hashable
from pathlib import Path

import polars as pl
import pytest
from faults.agency import hour_of
from faults.attack import Arena, Loader, Stage, arena, judge, watched

DLT = "dlt.pipeline.pipeline:Pipeline."
FILES = "dlt.destinations.impl.filesystem.filesystem:FilesystemClient."
MERGE = "dlt.common.libs.deltalake:merge_delta_table"
WRITE = "dlt.common.libs.deltalake:write_delta_table"

# In the order in which a load reaches them. `settle` is called when a Delta commit has been made: before it is the
# moment at which a table has a version that nobody has noted.
FETCHING = [
    Stage("after", "pipelines.lake:create", nth=2),
    Stage("before", FILES + "initialize_storage"),
    Stage("before", "pipelines.http:PatientSession.send", nth=2),
    Stage("after", "pipelines.http:PatientSession.get", "/listings"),
    Stage("after", DLT + "extract"),
    Stage("before", "shutil:rmtree"),
    Stage("after", FILES + "update_stored_schema"),
    Stage("before", MERGE),
    Stage("after", MERGE),
    Stage("after", MERGE, nth=2),
    Stage("after", DLT + "load"),
    Stage("before", "pipelines.lake:settle", "visits"),
]
STATING = [
    Stage("before", "pipelines.lake:append_after", "loads"),
    Stage("before", "pipelines.lake:settle", "loads"),
    Stage("before", "pathlib:Path.replace", "loads/.newest_version"),
    Stage("before", "pipelines.load:bring_up_to_date"),
    Stage("after", "pipelines.saying:understand"),
    Stage("after", "pipelines.event_log:changes", nth=2),
    Stage("before", "pipelines.lake:append_after", "quarantine"),
    Stage("before", "pipelines.lake:settle", "quarantine"),
    Stage("after", "pipelines.lake:append_after", "quarantine"),
    Stage("before", "pipelines.lake:append_after", "events"),
    Stage("before", "pipelines.lake:settle", "events"),
    Stage("before", "pathlib:Path.replace", "events/.newest_version"),
    Stage("after", "pipelines.lake:append_after", "events"),
]

# Those at which a table is made or first written: they are different when it does not exist yet.
FIRST = [
    Stage("after", FILES + "create_dataset"),
    Stage("before", "pipelines.lake:create", nth=2),
    Stage("after", MERGE),
    Stage("before", "pipelines.lake:settle", "visits"),
    Stage("before", "pipelines.lake:settle", "loads"),
    Stage("before", "pathlib:Path.replace", "loads/.newest_version"),
    Stage("before", "pipelines.lake:settle", "events"),
]

COMMITS = [
    Stage("after", MERGE),
    Stage("after", MERGE, nth=2),
    Stage("before", "pipelines.lake:settle", "loads"),
    Stage("before", "pipelines.lake:settle", "quarantine"),
    Stage("before", "pipelines.lake:settle", "events"),
]


@pytest.mark.parametrize("stages", [FETCHING, STATING], ids=["fetching", "stating"])
def test_a_load_killed_at_any_stage_is_made_good_by_the_next_plain_run(days: Arena, stages: list[Stage]) -> None:
    days.run(hour=24)
    with watched(days):
        for day, stage in enumerate(stages, start=2):
            days.kill_at(24 * day + 1, stage)
            days.run(24 * day + 3)
    assert days.kills == len(stages)
    days.assert_whole()


@pytest.mark.parametrize("stage", FIRST, ids=str)
def test_a_very_first_load_killed_at_any_stage_is_made_good_by_the_next_plain_run(days: Arena, stage: Stage) -> None:
    days.kill_at(24, stage)
    days.run(26)
    days.assert_whole()


def test_kills_after_every_commit_one_after_another_are_made_good_by_one_plain_run(days: Arena) -> None:
    days.run(hour=24)
    for hour, stage in enumerate(COMMITS, start=49):
        days.kill_at(hour, stage)
    days.run(72)
    days.assert_whole()


def test_loads_killed_at_random_moments_are_made_good_by_the_next_plain_run(tmp_path: Path, loader: Loader) -> None:
    attack_at_random(tmp_path, loader, kills=15)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_loads_killed_at_random_moments_hundreds_of_times_are_made_good(tmp_path: Path, loader: Loader) -> None:
    attack_at_random(tmp_path, loader, kills=500)


def attack_at_random(folder: Path, loader: Loader, kills: int) -> None:
    """Kill loads at moments drawn from the time that they take, every third one twice before it may complete."""
    dice = random.Random(int(os.environ.get("HITO_SEED", "1")))
    with arena(folder, loader, days=2 * kills) as attacked:
        longest = attacked.run(hour=24)
        day = 1
        with watched(attacked):
            while attacked.kills < kills:
                day += 1
                hour = 24 * day
                while attacked.kill_after(hour := hour + 1, dice.uniform(0, longest)) and dice.random() < 1 / 3:
                    pass
                longest = attacked.run(hour + 1)
        attacked.assert_whole()
    print(f"{attacked.kills} kills in {day} days: nothing lost, nothing twice, no manual step")


def test_what_a_killed_load_leaves_in_the_temporary_folder_is_removed_by_the_next_one(days: Arena) -> None:
    for _ in range(3):
        days.kill_at(24, Stage("after", DLT + "extract"))
    assert len(days.loader.left_over()) == 1, "each load removes what the one before it left"
    days.run(24)
    assert days.loader.left_over() == []


# --- the same attack on a plain dlt pipeline is seen: the harness is not blind ----------------------------------------


def test_a_kill_after_the_commit_doubles_every_row_of_a_plain_pipeline_and_is_seen(days: Arena) -> None:
    days.kill_at(24, Stage("after", WRITE), job="plain")
    days.run(24, job="plain")
    truth = Counter((key, state.hour) for key, _, state in days.agency.records("visits"))
    verdict = judge(plainly_held(days), truth)
    assert len(truth) > 50
    assert truth == verdict.twice, "each row is there once more"
    assert not verdict.lost


def test_a_plain_pipeline_killed_while_it_tidies_up_is_stuck_for_good_and_is_seen(days: Arena) -> None:
    days.run(24, job="plain")
    days.kill_at(48, Stage("after", "os:rmdir", "new_jobs"), job="plain")
    for hour in (49, 72, 96):
        with pytest.raises(AssertionError, match=f"the run at hour {hour} failed"):
            days.run(hour, job="plain")


def plainly_held(days: Arena) -> Counter[Hashable]:
    """The rows of the plain pipeline's table: key and the hour of the state."""
    rows = pl.read_delta(str(days.lake.root / "raw" / "agency" / "visits")).select("id", "updated_at")
    return Counter((key, hour_of(changed)) for key, changed in rows.iter_rows())
