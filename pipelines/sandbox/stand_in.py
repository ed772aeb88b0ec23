"""What every stand-in shares: its company, its present, its limits and its credentials.

Belongs here: the ground under the vendors' stand-ins. Does not: any vendor's endpoints (`sandbox/<vendor>.py`, each
with one function `app(desk: Desk) -> Starlette`), or serving them (`sandbox.server`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from filelock import FileLock

from pipelines.sandbox.company import Company


class SharedClock:
    """A clock that stands still until somebody waits on it, in a small file that several processes can share.

    Limits that a stand-in counts and waits that a client takes are on it, so a run that "waits" ten minutes for a
    rate limit ends at once, and says how long it would have waited.
    """

    def __init__(self, path: Path, start: datetime | None = None) -> None:
        self.path, self._lock = path, FileLock(f"{path}.lock")
        if start is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(orjson.dumps({"start": start.isoformat(), "waited_seconds": 0.0}))

    def now(self) -> datetime:
        """The present on this clock: its start and every wait taken since."""
        content = orjson.loads(self.path.read_bytes())
        return datetime.fromisoformat(content["start"]).astimezone(UTC) + timedelta(seconds=content["waited_seconds"])

    def sleep(self, seconds: float) -> None:
        """Let the time pass for everybody who shares the clock, without waiting."""
        with self._lock:
            content = orjson.loads(self.path.read_bytes())
            content["waited_seconds"] += max(seconds, 0.0)
            aside = self.path.with_suffix(".new")
            aside.write_bytes(orjson.dumps(content))
            aside.replace(self.path)

    def waited_seconds(self) -> float:
        """How long everybody waited, altogether."""
        return float(orjson.loads(self.path.read_bytes())["waited_seconds"])


@dataclass
class Limit:
    """At most so many requests in any span of so many seconds."""

    most: int
    seconds: float
    _taken: deque[datetime] = field(default_factory=deque)

    def wait_seconds(self, now: datetime) -> float | None:
        """None and the request counts; or the seconds after which there is room again, and it does not count."""
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
