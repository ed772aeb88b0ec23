"""What is asked of a table: its rows in an order in which a reading can be taken up again, and rows that share a key.

Belongs here: SQL, as SQLAlchemy's expressions, so that it is every database's own. Does not: running it (`reading`).

Rows come in the order of their places, and of one place in the order of what identifies them; those without a place
come first. A reading that is taken up again asks for what is not before the last row that it had: that one comes twice,
whatever the database holds to be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import sqlalchemy as sa

from pipelines.sql.declaration import SqlStream
from pipelines.sql.due import Due
from pipelines.sql.tables import Table, identity

AT = "hito_at"
"""A row's place, beside its columns."""

MOST_STRANGE = 1_000
"""More rows than that without a key, or keys that rows share, are no mistakes in single rows."""


@dataclass(frozen=True)
class After:
    """The last row that a reading had: its place (None: it has none), and what identifies it where that may be kept."""

    place: Any
    key: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Question:
    """What one reading asks of a table.

    start: the first place; ceiling: the last one that is believed. due: what has come since, wherever it stands.
    """

    stream: SqlStream
    table: Table
    start: Any = None
    ceiling: Any = None
    after: After | None = None
    due: Due | None = None

    def rows(self, *, is_keyed: bool) -> sa.Select[Any]:
        """The rows. is_keyed: whether those of one place are in the order of their keys."""
        columns = [self.table.as_written(name) for name in self.stream.read_columns]
        keys = [self.table.compared(name) for name in identity(self.stream)] if is_keyed else []
        if self.place is None:
            asked = sa.select(*columns).where(*self._wanted())
            if self.after is not None:
                asked = asked.where(_not_before(keys, self.after.key))
            return asked.order_by(*keys)
        has_place = sa.case((self.place.is_(None), 0), else_=1)
        asked = sa.select(*columns, self.table.written(self.place).label(AT)).where(*self._wanted())
        if self.start is not None:
            asked = asked.where(sa.or_(self.place >= self.start, self.place.is_(None), *self._come()))
        if self.after is not None:
            asked = asked.where(self._rest(self.after, keys))
        return asked.order_by(has_place, self.place, *keys)

    def without_key(self) -> sa.Select[Any] | None:
        """Rows that lack a part of what identifies them; None where the database allows none."""
        names = [name for name in identity(self.stream) if self.table.is_nullable(name)]
        if not names:
            return None
        columns = [self.table.as_written(name) for name in self.stream.read_columns]
        lacking = sa.or_(*(self.table[name].is_(None) for name in names))
        return sa.select(*columns).where(lacking, *self._of_fields()).limit(MOST_STRANGE + 1)

    def shared(self) -> sa.Select[Any] | None:
        """What rows have in common that differ, and how many; None where the database allows none."""
        names = identity(self.stream)
        if self.table.is_identified_by(names):
            return None
        texts = {name: sa.cast(self.table[name], sa.String).label(name) for name in self.stream.kept}
        distinct = sa.select(*texts.values()).where(*self._wanted()).distinct().subquery()
        keys = [distinct.c[name] for name in names]
        several = sa.func.count().label("rows")
        counted = sa.select(*keys, several).group_by(*keys).having(sa.func.count() > 1).subquery()
        equal = sa.and_(*(sa.cast(self.table[name], sa.String) == counted.c[name] for name in names))
        wanted = [self.table.as_written(name) for name in names]
        return (
            sa.select(*wanted, counted.c["rows"]).join_from(self.table.reflected, counted, equal).distinct()
            .limit(MOST_STRANGE + 1)
        )  # fmt: skip

    @property
    def place(self) -> sa.ColumnElement[Any] | None:
        """What says how far a row is: the latest of the cursor's columns that is not in the future."""
        if self.stream.cursor is None:
            return None
        columns = [self.table.compared(name) for name in self.stream.cursor.columns]
        if len(columns) == 1:
            return columns[0]
        return reduce(_later, [self._believed(column) for column in columns])

    def _come(self) -> list[sa.ColumnElement[bool]]:
        revision = self.stream.revision
        come = None if self.due is None or revision is None else self.due.rows(revision, self.table)
        return [] if come is None else [come]

    def _believed(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return column if self.ceiling is None else sa.case((column <= self.ceiling, column))

    def _wanted(self) -> list[sa.ColumnElement[bool]]:
        names = [name for name in identity(self.stream) if self.table.is_nullable(name)]
        return [*(self.table[name].is_not(None) for name in names), *self._of_fields()]

    def _of_fields(self) -> list[sa.ColumnElement[bool]]:
        history = self.stream.history
        return [] if history is None else [self.table[history.field].in_(history.fields)]

    def _rest(self, after: After, keys: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[bool]:
        assert self.place is not None
        further = _not_before(keys, after.key) if after.key else sa.true()
        if after.place is None:
            return sa.or_(sa.and_(self.place.is_(None), further), self.place.is_not(None))
        return sa.or_(self.place > after.place, sa.and_(self.place == after.place, further))


def _later(one: sa.ColumnElement[Any], other: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.case((one.is_(None), other), (other.is_(None), one), (other > one, other), else_=one)


def _not_before(columns: Sequence[sa.ColumnElement[Any]], key: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Whether a row is not before another one in the order of these columns."""
    if not columns:
        return sa.true()
    first, value = columns[0], sa.literal(key[0], columns[0].type)
    if len(columns) == 1:
        return first >= value
    return sa.or_(first > value, sa.and_(first == value, _not_before(columns[1:], key[1:])))
