"""What stand-ins share: a clock that threads and processes wait on together, and limits counted on it."""

import subprocess
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sandbox.stand_in import Limit, SharedClock

START = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


def test_a_clock_stands_still_until_somebody_waits(tmp_path: Path) -> None:
    clock = SharedClock(tmp_path / "clock.json", START)
    assert clock.now() == START == clock.now()
    clock.sleep(600)
    assert clock.now() == START + timedelta(minutes=10)
    assert clock.waited_seconds() == 600


def test_waiting_never_takes_less_than_was_asked_for(tmp_path: Path) -> None:
    clock = SharedClock(tmp_path / "clock.json", START)
    clock.sleep(0.1234567)
    assert clock.now() == START + timedelta(microseconds=123_457)
    clock.sleep(-5)
    assert clock.now() == START + timedelta(microseconds=123_457)


def test_a_clock_that_was_never_started_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no shared clock at .*start the sandbox first"):
        SharedClock(tmp_path / "clock.json").now()


def test_threads_lose_no_wait(tmp_path: Path) -> None:
    clock = SharedClock(tmp_path / "clock.json", START)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(clock.sleep, [0.25] * 200))
    assert clock.waited_seconds() == 50


def test_processes_share_one_clock_and_always_read_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    clock = SharedClock(path, START)
    code = (
        "import sys; from pathlib import Path; from pipelines.sandbox.stand_in import SharedClock;"
        "clock = SharedClock(Path(sys.argv[1]));"
        "[clock.sleep(0.5) for _ in range(300)]; print(clock.now() >= clock.now())"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    seen, waits = [clock.now()], 0
    while any(other.poll() is None for other in others):
        clock.sleep(1)
        waits += 1
        seen += [clock.now() for _ in range(50)]
    assert [other.communicate()[1] for other in others] == ["", ""]
    assert clock.now() == START + timedelta(seconds=2 * 300 * 0.5 + waits)
    assert seen == sorted(seen)


def test_a_limit_counts_what_it_lets_through(tmp_path: Path) -> None:
    limit = Limit(most=2, seconds=10)
    assert limit.wait_seconds(START) is None
    assert limit.wait_seconds(START + timedelta(seconds=4)) is None
    assert limit.wait_seconds(START + timedelta(seconds=5)) == 5
    assert limit.wait_seconds(START + timedelta(seconds=10)) is None
    assert limit.wait_seconds(START + timedelta(seconds=10)) == 4


class SlowlyCounted(deque[datetime]):
    """Whoever asks how many there are lets everybody else go first."""

    def __len__(self) -> int:
        counted = super().__len__()
        Event().wait(0.0005)
        return counted


def test_threads_that_ask_at_once_do_not_get_past_a_limit() -> None:
    limit = Limit(most=10, seconds=10, _taken=SlowlyCounted())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(limit.wait_seconds, [START] * 100))
    assert answers.count(None) == 10


@given(
    most=st.integers(1, 5),
    seconds=st.floats(0.001, 3600),
    pauses=st.lists(st.floats(0, 100), min_size=1, max_size=40),
)
def test_whoever_waits_as_long_as_told_gets_in(most: int, seconds: float, pauses: list[float]) -> None:
    limit, now, let_in = Limit(most, seconds), START, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        wait = limit.wait_seconds(now)
        if wait is not None:
            assert 0 < wait <= seconds
            now += timedelta(seconds=wait) + timedelta(microseconds=1)
            assert limit.wait_seconds(now) is None
        let_in.append(now)
    for first, later in zip(let_in, let_in[most:], strict=False):
        assert (later - first).total_seconds() >= seconds
