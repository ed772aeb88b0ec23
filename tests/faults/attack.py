"""Killing loaders and judging what they left: the parent's side of `loader`.

Belongs here: starting, killing and waiting for loads, and the comparison of a lake with the truth. Does not: which
kills a test wants.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from faults.agency import Agency, at, facts_in, hour_of

from kr_definitions.coverage import THE_BEGINNING, coverage
from kr_definitions.events import current
from pipelines.load import Lake
from pipelines.sandbox.server import serving

KILLED = -signal.SIGKILL
LONGEST_SECONDS = 60.0
"""A load that takes longer than this hangs: it is killed, and that is told as a failure."""


@dataclass(frozen=True)
class Stage:
    """A point in a load: before or after the nth call of something, with a text in its arguments."""

    when: str
    where: str
    argument: str = ""
    nth: int = 1

    def __str__(self) -> str:
        of = f"({self.argument})" if self.argument else ""
        which = f" {self.nth}" if self.nth > 1 else ""
        return f"{self.when} {self.where.partition(':')[2]}{of}{which}"


@dataclass(frozen=True)
class Verdict:
    """How what a system holds differs from the truth. twice: held more often than the truth has it, or not true."""

    lost: Counter[Hashable]
    twice: Counter[Hashable]

    def __bool__(self) -> bool:
        return bool(self.lost or self.twice)


def judge(held: Counter[Any], truth: Counter[Any]) -> Verdict:
    """Compare what is held with the truth; a verdict that is false has no fault."""
    return Verdict(truth - held, held - truth)


@dataclass
class Loader:
    """The fork server, from outside."""

    process: subprocess.Popen[str]
    folder: Path

    def start(
        self, job: str, stage: Stage | None = None, sends: int = signal.SIGKILL, largest_file: int = 0, **arguments: Any
    ) -> int:
        """Begin a load; its process id."""
        at_stage = stage and {**vars(stage), "sends": int(sends)}
        request = {"run": job, "arguments": arguments, "stage": at_stage, "largest_file": largest_file}
        return int(self._ask(request)["pid"])

    def end(self, pid: int, kill_after: float | None = None) -> tuple[int, float]:
        """Wait for a load: its exit status and seconds. It is killed after so many seconds, where that is given."""
        answer = self._ask({"ended": pid, "kill_after": LONGEST_SECONDS if kill_after is None else kill_after})
        assert answer["seconds"] < LONGEST_SECONDS, f"a load hung: {self.told()}"
        return int(answer["status"]), float(answer["seconds"])

    def stop(self, pid: int) -> None:
        """Wait until a load has stopped itself; fails where it ended instead."""
        status = self._ask({"stopped": pid})["status"]
        assert status is None, f"the stage was not reached (exit {status}): {self.told()}"

    def told(self) -> str:
        """The end of what the loads wrote to stderr."""
        return (self.folder / "stderr").read_text(encoding="utf-8")[-3000:]

    def left_over(self) -> list[str]:
        """Working folders of dlt that runs have left."""
        return sorted(folder.name for folder in (self.folder / "tmp").glob("hito-dlt-*"))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the loader ended: {self.told()}"
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class Arena:
    """A vendor, a lake and a loader between them; `hour` is the present of all three."""

    agency: Agency
    folder: Path
    base_url: str
    loader: Loader
    shown: set[tuple[str, int]] = field(default_factory=set)
    kills: int = 0

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    def begin(self, hour: int, stage: Stage | None = None, job: str = "ours", **how: Any) -> int:
        """Begin a load at an hour; its process id."""
        self.agency.hour = hour
        instant = at(hour).isoformat()
        return self.loader.start(
            job, stage, lake=str(self.folder / "lake"), base_url=self.base_url, started_at=instant, **how
        )

    def run(self, hour: int, job: str = "ours") -> float:
        """A plain run: it completes by itself, and afterwards the log says what is true. Its seconds."""
        status, seconds = self.loader.end(self.begin(hour, job=job))
        assert status == 0, f"the run at hour {hour} failed: {self.loader.told()}"
        if job == "ours":
            self.shown |= {(key, state.hour) for key, _, state in self.agency.records("visits")}
            verdict = judge(facts_in(current(self.lake.log.scan()).collect()), self.agency.facts())
            assert not verdict, f"after the run at hour {hour}: {verdict}"
        return seconds

    def kill_at(self, hour: int, stage: Stage, job: str = "ours") -> None:
        """A run that is killed at a stage; fails when it was not."""
        status, _ = self.loader.end(self.begin(hour, stage, job))
        assert status == KILLED, f"{stage} was never reached (exit {status}): {self.loader.told()}"
        self.kills += 1

    def kill_after(self, hour: int, seconds: float) -> bool:
        """A run that is killed after so many seconds; whether it was, or had ended before."""
        status, _ = self.loader.end(self.begin(hour), kill_after=seconds)
        assert status in (0, KILLED), self.loader.told()
        self.kills += status == KILLED
        return status == KILLED

    def assert_whole(self) -> None:
        """Nothing is in the lake twice, nothing that was shown is missing, and the days read have no gap."""
        log = self.lake.log.scan().collect()
        assert log.get_column("event_id").is_unique().all()
        assert log.drop_nulls("retracts").get_column("retracts").is_unique().all()
        visits = self.lake.raw.scan("agency", "visits").collect()
        assert visits.get_column("record_id").is_unique().all()
        assert visits.select("record_key", "revision").is_unique().all()
        stored = {(key, hour_of(revision)) for key, revision in visits.select("record_key", "revision").iter_rows()}
        assert self.shown <= stored
        listings = self.lake.raw.scan("agency", "listings").sort("record_key", "recorded_at").collect()
        assert listings.get_column("record_id").is_unique().all()
        says = pl.struct("record_key", "content_hash")
        assert listings.filter(says == says.shift()).is_empty(), "the same was stored again without a change between"
        quarantine = self.lake.quarantine().collect()
        assert quarantine.get_column("record_id").is_unique().all()
        assert self.agency.broken() <= set(quarantine.get_column("record_key"))
        spans = coverage(current(log.lazy()), "UTC").spans
        last = at(self.agency.hour - 24).date()
        for event_type in ("visit.held", "deal.won", "listing.captured"):
            assert [(THE_BEGINNING, last)] == [(span.first, span.last) for span in spans[event_type]]


@contextmanager
def loading(folder: Path) -> Iterator[Loader]:
    """A fork server for the block; its temporary files go below `folder`."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    root = Path(__file__).parents[2]
    paths = f"{root}{os.pathsep}{root / 'tests'}"
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("loader.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": paths},
        )
        try:
            yield Loader(process, folder)
        finally:
            process.communicate(timeout=30)


@contextmanager
def arena(folder: Path, loader: Loader, days: int, seed: int = 1) -> Iterator[Arena]:
    """Everything that an attack needs, for the block."""
    agency = Agency(days, seed)
    with serving(agency.app()) as base_url:
        yield Arena(agency, folder, base_url, loader)


@contextmanager
def watched(arena: Arena) -> Iterator[None]:
    """Have another process read the log throughout the block; it must have read often, and never seen a day in part."""
    until, told = arena.folder / "until", arena.folder / "told"
    pid = arena.loader.start(
        "watch",
        lake=str(arena.lake.root),
        days=arena.agency.days,
        seed=arena.agency.seed,
        until=str(until),
        told=str(told),
    )
    try:
        yield
    finally:
        until.touch()
        status, _ = arena.loader.end(pid)
    assert status == 0, arena.loader.told()
    found = json.loads(told.read_text(encoding="utf-8"))
    assert found["wrong"] == []
    assert found["reads"] >= arena.kills
