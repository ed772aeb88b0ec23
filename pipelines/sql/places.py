"""How far a reading has got in a table: the place of a row, where the next reading begins, and what is too far ahead.

Belongs here: places as values, and as the texts that are kept of them. Does not: SQL (`queries`).

A row's place is what its cursor says: the latest of its columns. A place that lies in the future (a slip of a hand, or
the end of all time) is nowhere: the row is read every time, and moves nothing.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

from pipelines.sql import values
from pipelines.sql.declaration import Cursor, SqlStream
from pipelines.sql.tables import Table

CLOCKS_DIFFER_BY = timedelta(minutes=5)

OVERLAP_MINUTES, OVERLAP_NUMBERS = 60, 1_000
"""How far before the last place a reading starts where nothing is said. Numbers that are drawn one after the other
(ids, versions) are not committed in that order: a transaction that drew a lower one may end later."""

_UNIX_TEXT = re.compile(r"\d{10}(?:\.\d+)?|\d{13}|\d{16}")
_ORDERED = re.compile(rf"\d{{4}}-\d\d-\d\d|(?:{_UNIX_TEXT.pattern})$")
"""Texts that stand in the order of time: ISO 8601, and seconds, milliseconds or microseconds since 1970."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)")
"""A time that is stored as a text, which stands in the order of time."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_IN_2000, _IN_2100 = 946_684_800, 4_102_444_800
_TICKS = (1, 1_000, 1_000_000, 1_000_000_000)
"""How many of a second a time since 1970 is counted in."""


@dataclass(frozen=True)
class Places:
    """The places of one table's rows. zone: of those that are stored without one."""

    stream: SqlStream
    table: Table
    zone: str

    @property
    def cursor(self) -> Cursor:
        """What says how far a row is."""
        assert self.stream.cursor is not None
        return self.stream.cursor

    @property
    def kind(self) -> sa.types.TypeEngine[Any]:
        """The type of a place."""
        return self.table.compared(self.cursor.columns[0]).type

    def value(self, text: str | None) -> Any:
        """A place as the database compares it; None where it is none."""
        if text is None:
            return None
        try:
            found = values.reader(self.kind)(text)
        except (ValueError, ArithmeticError):
            return None
        if isinstance(found, float | Decimal) and not math.isfinite(found):
            return None
        return self._as_stored(found) if isinstance(found, datetime) else found

    def mistake(self, place: Any) -> tuple[str, str] | None:
        """What is wrong with a cursor that has such a place, and what to do; None where nothing is."""
        names = ", ".join(self.cursor.columns)
        if isinstance(place, str) and _ORDERED.match(place) is None:
            found = f"{names} is a text whose order says nothing of what came later"
            return found, "Name a time or a number in cursor, or read a snapshot"
        if isinstance(place, str | date):
            if self.cursor.overlap_numbers is not None:
                found = f"{names} is a time, of which overlap_numbers says nothing"
                return found, "Write overlap_minutes instead: how many minutes late a row may be written"
        elif self.cursor.overlap_minutes is not None and _ticks(place) is None:
            found = f"{names} is a number, of which overlap_minutes says nothing"
            return found, "Write overlap_numbers instead: how far below the highest one a row may still be committed"
        return None

    def ceiling(self, until: datetime) -> Any:
        """The last place that is believed; None where a place is no time."""
        latest = until + CLOCKS_DIFFER_BY
        if isinstance(self.kind, sa.DateTime):
            return self._as_stored(latest)
        if isinstance(self.kind, sa.Date):
            return latest.astimezone(ZoneInfo(self.zone)).date()
        if isinstance(self.kind, sa.String):  # beyond the texts of all times until then
            return (latest + timedelta(days=1)).date().isoformat()
        return None

    def is_believed(self, place: Any, until: datetime) -> bool:
        """Whether a place is none that lies in the future."""
        latest = until + CLOCKS_DIFFER_BY
        if isinstance(place, str):
            instant = self._instant_of(place)
            return instant is None or instant <= latest
        if isinstance(place, date):
            return bool(place <= self.ceiling(until))
        ticks = _ticks(place)
        if ticks is None or self.cursor.overlap_minutes is None:  # nobody says that the number is a time
            return True
        return bool(place <= latest.timestamp() * ticks)

    def before(self, place: Any) -> Any:
        """Where a reading starts after one that got to a place."""
        minutes = self.cursor.overlap_minutes
        back = timedelta(minutes=OVERLAP_MINUTES if minutes is None else minutes)
        if isinstance(place, datetime):
            return place - back
        if isinstance(place, date):
            return (datetime.combine(place, time()) - back).date()
        if isinstance(place, str):
            return _text_before(place, back)
        if self.cursor.overlap_numbers is not None:
            return place - _like(place)(self.cursor.overlap_numbers)
        ticks = _ticks(place)
        return place - (OVERLAP_NUMBERS if ticks is None else int(back.total_seconds()) * ticks)

    def kept(self, place: str | None) -> str | None:
        """A place as the text that is handed to the next reading."""
        return None if place is None else orjson.dumps({"asked": self._asked(), "at": place}).decode()

    def start(self, kept: str | None) -> Any:
        """Where a reading starts that is handed what was kept; None: from the beginning, as what is asked is new."""
        if kept is None:
            return None
        found = orjson.loads(kept)
        place = self.value(found["at"]) if found["asked"] == self._asked() else None
        return None if place is None else self.before(place)

    def _as_stored(self, instant: datetime) -> Any:
        return self.table.as_stored(self.cursor.columns[0], instant, self.zone)

    def _instant_of(self, text: str) -> datetime | None:
        """When a text says that it was; a day is its beginning. None where it is no such text."""
        if _UNIX_TEXT.fullmatch(text):
            number = Decimal(text)
            return datetime.fromtimestamp(float(number / (_ticks(number) or 1)), ZoneInfo("UTC"))
        if _DAY.match(text) is None:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            written = _TIME.match(text)
            found = datetime.fromisoformat(written[0] if written else text[:10])
        return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(self.zone))

    def _asked(self) -> str:
        """Changes with what is read of each row."""
        one = self.stream
        parts = (one.table, one.shape, one.key, one.used, one.deleted, one.cursor, sorted(one.pseudonymised))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _ticks(number: Any) -> int | None:
    """How many of a second a number is counted in that is a time since 1970 by its size; None: it is another number."""
    return next((ticks for ticks in _TICKS if _IN_2000 * ticks <= number < _IN_2100 * ticks), None)


def _like(number: Any) -> Callable[[Any], Any]:
    """What makes a number that another one can be added to."""
    return float if isinstance(number, float) else Decimal if isinstance(number, Decimal) else int


def _text_before(place: str, back: timedelta) -> str:
    """A text that stands so much before a text, in the order of time and in that of texts."""
    if _UNIX_TEXT.fullmatch(place):
        number = Decimal(place)
        return str(number - int(back.total_seconds()) * (_ticks(number) or 1))
    if (written := _TIME.match(place)) is not None:
        earlier = datetime.fromisoformat(f"{written[1]}T{written[3]}") - back
        return earlier.isoformat(written[2], "seconds")  # what is left out of a text stands before it
    if _DAY.match(place) is not None:
        return (datetime.fromisoformat(place[:10]) - back).date().isoformat()
    return place
