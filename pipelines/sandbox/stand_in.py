"""What every stand-in shares: its company, its present, its limits and a clock that nobody really waits on.

Belongs here: the ground under the vendors' stand-ins. Does not: any vendor's endpoints or credentials
(`sandbox/<vendor>.py`, each with one function `app(desk: Desk) -> Starlette`), or serving them (`sandbox.runner`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from threading import Lock

import orjson
from filelock import FileLock

from pipelines.sandbox.company import Company


class SharedClock:
    """A clock that stands still until somebody waits on it, in a small file that threads and processes share.

    Limits that a stand-in counts and waits that a client takes are on it, so a run that "waits" ten minutes for a
    rate limit ends at once, and says how long it would have waited. The file is only ever replaced as a whole, so it
    is read without a lock; whoever waits takes turns.
    """

    def __init__(self, path: Path, start: datetime | None = None) -> None:
        self.path = path
        self._turn = FileLock(f"{path}.lock", poll_interval=0.002)
        if start is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._turn:
                self._write(start.astimezone(UTC).isoformat(), 0)

    def now(self) -> datetime:
        """The present on this clock: its start and every wait taken since."""
        start, waited = self._read()
        return datetime.fromisoformat(start) + timedelta(microseconds=waited)

    def sleep(self, seconds: float) -> None:
        """Let the time pass for everybody who shares the clock, without waiting; never less than was asked for."""
        with self._turn:
            start, waited = self._read()
            self._write(start, waited + ceil(max(seconds, 0.0) * 1_000_000))

    def waited_seconds(self) -> float:
        """How long everybody waited, altogether."""
        return self._read()[1] / 1_000_000

    def _read(self) -> tuple[str, int]:
        try:
            content = orjson.loads(self.path.read_bytes())
        except FileNotFoundError:
            raise FileNotFoundError(f"no shared clock at {self.path}: start the sandbox first") from None
        return content["start"], content["waited_microseconds"]

    def _write(self, start: str, waited_microseconds: int) -> None:
        aside = self.path.with_name(f"{self.path.name}.new")
        aside.write_bytes(orjson.dumps({"start": start, "waited_microseconds": waited_microseconds}))
        aside.replace(self.path)


@dataclass
class Limit:
    """At most so many requests in any span of so many seconds. Handlers in several threads may ask at once."""

    most: int
    seconds: float
    _taken: deque[datetime] = field(default_factory=deque, repr=False, compare=False)
    _turn: Lock = field(default_factory=Lock, repr=False, compare=False)

    def wait_seconds(self, now: datetime) -> float | None:
        """None and the request counts; or the seconds after which there is room again, and it does not count."""
        with self._turn:
            while self._taken and (now - self._taken[0]).total_seconds() >= self.seconds:
                self._taken.popleft()
            if len(self._taken) < self.most:
                self._taken.append(now)
                return None
            return self.seconds - (now - self._taken[0]).total_seconds()


@dataclass(frozen=True)
class Desk:
    """What a stand-in works with. present: the instant its data is at; nothing later is shown."""

    company: Company
    present: datetime
    clock: SharedClock
