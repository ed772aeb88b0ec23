"""Several loads at once, and loads that were believed dead and wake: at most one of them states anything."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from faults.agency import facts_in
from faults.attack import Arena, Loader, Stage, arena

from kr_definitions.events import current

# In the order in which a load reaches them. The one that has made its commit is the last to fall asleep.
STAGES = [
    Stage("before", "pipelines.http:PatientSession.send"),
    Stage("after", "dlt.pipeline.pipeline:Pipeline.extract"),
    Stage("before", "dlt.common.libs.deltalake:merge_delta_table"),
    Stage("before", "pipelines.lake:append_after", "loads"),
    Stage("after", "pipelines.event_log:changes", nth=2),
    Stage("before", "pipelines.lake:append_after", "quarantine"),
    Stage("before", "pipelines.lake:append_after", "events"),
    Stage("before", "pipelines.lake:write_deltalake", nth=2),
    Stage("before", "pipelines.lake:settle", "events"),
]


@pytest.mark.parametrize("step", [1, -1], ids=["in order", "in reverse"])
def test_loads_that_were_stopped_and_wake_after_another_one_state_nothing_twice(days: Arena, step: int) -> None:
    days.run(24)
    asleep = []
    for hour, stage in enumerate(STAGES, start=49):
        asleep.append(days.begin(hour, stage, sends=signal.SIGSTOP))
        days.loader.stop(asleep[-1])
    days.run(60)
    days.agency.hour = 62
    for pid in asleep[::step]:
        os.kill(pid, signal.SIGCONT)
        status, _ = days.loader.end(pid)
        assert status in (0, 1), days.loader.told()
        assert_stated_once(days)
    days.run(72)
    days.assert_whole()


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_loads_that_were_stopped_at_any_moment_state_nothing_twice(tmp_path: Path, loader: Loader) -> None:
    dice = random.Random(int(os.environ.get("HITO_SEED", "1")))
    with arena(tmp_path, loader, days=200) as days:
        longest = days.run(24)
        for day in range(2, 200):
            asleep = [sleeping(days, 24 * day + hour, dice.uniform(0, longest)) for hour in range(dice.randint(1, 3))]
            longest = days.run(24 * day + 6)
            days.agency.hour += 2
            for pid in dice.sample(asleep, len(asleep)):
                os.kill(pid, signal.SIGCONT)
                status, _ = days.loader.end(pid)
                assert status in (0, 1), days.loader.told()
                assert_stated_once(days)
            days.run(24 * day + 12)
        days.assert_whole()


def sleeping(days: Arena, hour: int, seconds: float) -> int:
    """A load that is stopped after so many seconds, or has ended by then; its process id."""
    pid = days.begin(hour)
    time.sleep(seconds)  # noqa: TID251 - somebody else's process, in real time
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_of_loads_at_once_each_completes_or_says_that_it_did_not_and_nothing_is_there_twice(days: Arena) -> None:
    told = []
    for day in range(1, 4):
        pids = [days.begin(24 * day), days.begin(24 * day)]
        statuses = [days.loader.end(pid)[0] for pid in pids]
        assert set(statuses) <= {0, 1}, days.loader.told()
        told += statuses
        assert_stated_once(days)
        days.run(24 * day + 2)
    assert 0 in told
    days.assert_whole()


def test_a_load_that_is_overtaken_says_so_and_states_nothing(days: Arena) -> None:
    days.run(24)
    asleep = days.begin(49, Stage("before", "pipelines.lake:append_after", "events"), sends=signal.SIGSTOP)
    days.loader.stop(asleep)
    days.run(50)
    before = days.lake.log.version()
    os.kill(asleep, signal.SIGCONT)
    status, _ = days.loader.end(asleep)
    assert status == 1
    assert "another process wrote version" in days.loader.told()
    assert "Nothing was appended: run again" in days.loader.told()
    assert days.lake.log.version() == before


def test_records_that_an_overtaken_load_stores_late_are_stated_by_the_next_run(days: Arena) -> None:
    days.run(24)
    asleep = days.begin(49, Stage("before", "pipelines.http:PatientSession.send"), sends=signal.SIGSTOP)
    days.loader.stop(asleep)
    days.run(50)
    days.agency.hour = 70
    os.kill(asleep, signal.SIGCONT)
    days.loader.end(asleep)
    days.run(71)
    days.assert_whole()


def assert_stated_once(days: Arena) -> None:
    """No fact holds twice, whoever stated it."""
    stated = facts_in(current(days.lake.log.scan()).collect())
    keys = [fact[0] for fact in stated.elements()]
    assert len(set(keys)) == len(keys)
