"""Inmovilla's times: "2025-08-22 10:08:55", of a clock on a wall, whose zone nobody writes.

Belongs here: which instant such a time is. Does not: which of them are read, or what happened then.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

WRITTEN = "%Y-%m-%d %H:%M:%S"


def naive(text: object) -> datetime | None:
    """A time as it is written; None for what is none, such as "0000-00-00 00:00:00"."""
    try:
        return datetime.strptime(str(text), WRITTEN)  # noqa: DTZ007 - the zone is added by who knows it
    except ValueError:
        return None


def instant(local: datetime, zone: str) -> datetime:
    """The instant of a local time; of the two of an hour that comes twice, the earlier one."""
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def last_instant(local: datetime, zone: str, until: datetime) -> datetime:
    """The instant of a local time that has been seen; of an hour that comes twice, the later one that had come.

    So what is read in the hour's first turn is older than what is read after its second one, whatever its minutes say.
    """
    later = local.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)
    return later if later <= until else instant(local, zone)


def local(at: datetime, zone: str) -> datetime:
    """An instant as the clock on the wall shows it."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def midnight(day: date, zone: str) -> datetime:
    """When a day begins."""
    return instant(datetime.combine(day, time()), zone)
