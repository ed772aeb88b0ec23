"""Rows whose revision lay in the future when they were read last, and that has come since.

Belongs here: asking for them again, as their cursor need not move. Does not: what is told of them until then
(`records`), or the rows that changed (`queries`).

Of a revision that is written in a way of its own nothing is asked: its row is read again when it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from pipelines.rows.declaration import ISO, UNIX, UNIX_MS, Revision
from pipelines.sql.places import CLOCKS_DIFFER_BY
from pipelines.sql.tables import Table

_FURTHEST_ZONE = timedelta(days=1)


@dataclass(frozen=True)
class Due:
    """What had not come at the last reading and has by this one. zone: of times that are stored without one."""

    after: datetime
    until: datetime
    zone: str

    def rows(self, revision: Revision, table: Table) -> sa.ColumnElement[bool] | None:
        """Whether a row is one of them; None where its revision cannot be compared."""
        column = table.compared(revision.column)
        ends = self._ends(revision, table, column.type)
        return None if ends is None else column.between(*ends)

    def _ends(self, revision: Revision, table: Table, kind: sa.types.TypeEngine[Any]) -> tuple[Any, Any] | None:
        ends = (self.after, self.until + CLOCKS_DIFFER_BY)
        if isinstance(kind, sa.DateTime):
            first, last = (table.as_stored(revision.column, end, self.zone) for end in ends)
        elif isinstance(kind, sa.Date):
            first, last = (end.astimezone(ZoneInfo(self.zone)).date() for end in ends)
        elif isinstance(kind, sa.String) and revision.format == ISO:
            first = (ends[0] - _FURTHEST_ZONE).date().isoformat()
            last = (ends[1] + 2 * _FURTHEST_ZONE).date().isoformat()
        elif isinstance(kind, sa.Numeric | sa.Integer) and revision.format in (UNIX, UNIX_MS):
            ticks = 1 if revision.format == UNIX else 1_000
            first, last = (int(end.timestamp()) * ticks for end in ends)
        else:
            return None
        return first, last
