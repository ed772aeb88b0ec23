"""How far a reading has got in a table: the place of a row, where the next reading begins, and what is too far ahead.

Belongs here: places as values, and as the texts that are kept of them. Does not: SQL (`queries`).

A row's place is what its cursor says: the latest of its columns. A place that lies in the future (a slip of a hand, or
the end of all time) is nowhere: the row is read every time, and moves nothing.
"""

from __future__ import annotations

import hashlib
import math
import re
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

_ORDERED = re.compile(r"\d{4}-\d\d-\d\d|\d{10}(?:\.\d+)?$|\d{13}$|\d{16}$")
"""Texts that stand in the order of time: ISO 8601, and seconds, milliseconds or microseconds since 1970."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)")
"""A time that is stored as a text, which stands in the order of time."""


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

    def is_in_order(self, place: Any) -> bool:
        """Whether a place stands where the database puts it: a text does, if it is a time in one of a few ways."""
        return not isinstance(place, str) or _ORDERED.match(place) is not None

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
        ceiling = self.ceiling(until)
        if ceiling is None or (isinstance(place, str) and not _TIME.match(place)):
            return True
        return bool(place <= ceiling)

    def before(self, place: Any) -> Any:
        """Where a reading starts after one that got to a place."""
        back = timedelta(minutes=self.cursor.overlap_minutes)
        if isinstance(place, datetime):
            return place - back
        if isinstance(place, date):
            return (datetime.combine(place, time()) - back).date()
        if isinstance(place, str):
            if (written := _TIME.match(place)) is None:
                return place
            earlier = datetime.fromisoformat(f"{written[1]}T{written[3]}") - back
            return earlier.isoformat(written[2], "seconds")  # what is left out of a text stands before it
        return place - self.cursor.overlap_numbers

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

    def _as_stored(self, instant: datetime) -> datetime:
        if self.table.has_zone(self.cursor.columns[0]):
            return instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo("UTC"))
        return instant.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None) if instant.tzinfo else instant

    def _asked(self) -> str:
        """Changes with what is read of each row."""
        one = self.stream
        parts = (one.table, one.shape, one.key, one.used, one.deleted, one.cursor, sorted(one.pseudonymised))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
