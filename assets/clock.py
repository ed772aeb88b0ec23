"""The one place that reads a clock."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


class SystemClock:
    """Real time, and real waiting."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)  # noqa: TID251 - this is the clock


def today(zone: str, now: datetime) -> date:
    """The day that it is in a zone."""
    return now.astimezone(ZoneInfo(zone)).date()
