"""A table as its database describes it: the columns that a stream reads, and what is wrong with them.

Belongs here: what is known of a table before any of its rows is read. Does not: asking for rows (`queries`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from kr_definitions.vocabulary import DTYPES, nearest
from pipelines.rows.declaration import Moment
from pipelines.rows.records import identifying
from pipelines.source import SourceConfigError
from pipelines.sql import values, zones
from pipelines.sql.database import Database
from pipelines.sql.declaration import SqlStream


@dataclass(frozen=True)
class Table:
    """A table that can be read. reflected: its description, with the metadata that it is in. dialect: SQLAlchemy's."""

    reflected: sa.Table
    dialect: str

    def __getitem__(self, name: str) -> sa.Column[Any]:
        return self.reflected.c[name]

    def as_written(self, name: str) -> sa.ColumnElement[Any]:
        """A column as it is asked for: times as the database writes them, so that none is too odd to be told of."""
        column = self[name]
        if self.dialect == "sqlite" and not isinstance(column.type, sa.Boolean):
            return sa.type_coerce(column, sa.types.NullType()).label(name)
        return self.written(column).label(name)

    def written(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """A time as PostgreSQL writes it: it knows times that Python does not. Other values as they are."""
        if self.dialect == "postgresql" and isinstance(value.type, sa.DateTime | sa.Date):
            return sa.cast(value, sa.Text)
        return value

    def compared(self, name: str) -> sa.ColumnElement[Any]:
        """A column as it is compared: SQLite keeps times as the texts that somebody wrote."""
        column = self[name]
        if self.dialect == "sqlite" and isinstance(column.type, sa.DateTime | sa.Date):
            return sa.type_coerce(column, sa.Text())
        return column

    def compared_text(self, name: str, value: Any) -> str | None:
        """A value that was read as the text of which `values.reader` makes what is compared."""
        text = values.text_of(value)
        return text if isinstance(self.compared(name).type, sa.String) else values.time_text(text)

    def has_zone(self, name: str) -> bool:
        """Whether times of a column say which instant they are, as far as its type tells."""
        return zones.says_its_zone(self.dialect, self[name].type)

    def is_told_in_utc(self, name: str) -> bool:
        """Whether times of a column come as times of UTC that do not say so."""
        return zones.is_told_in_utc(self.dialect, self[name].type)

    def as_given(self, name: str, value: Any) -> Any:
        """A value of a column as the database gave it, with its zone where the database left that out."""
        return zones.as_instant(value) if self.is_told_in_utc(name) else value

    def as_stored(self, name: str, value: Any, zone: str) -> Any:
        """A value as it is compared with those of a column. zone: of times that are stored without one."""
        if not isinstance(value, datetime):
            return value
        if self.is_told_in_utc(name):
            return zones.as_told(value)
        if self.has_zone(name):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        return value.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if value.tzinfo else value

    def is_nullable(self, name: str) -> bool:
        """Whether a column may be empty, as far as the database tells."""
        return bool(self[name].nullable)

    def is_identified_by(self, names: tuple[str, ...]) -> bool:
        """Whether the database itself sees to it that no two rows share these columns."""
        constraints = [one for one in self.reflected.constraints if isinstance(one, sa.UniqueConstraint)]
        keys: list[sa.PrimaryKeyConstraint | sa.UniqueConstraint] = [self.reflected.primary_key, *constraints]
        unique = [[column.name for column in one.columns] for one in keys]
        return any(columns and set(columns) <= set(names) for columns in unique)


def table_of(found: Database, stream: SqlStream) -> Table:
    """The table of a stream. Raises `SourceConfigError` where it lacks something that the stream names."""
    table = described(found, stream.table)
    names = [column.name for column in table.reflected.columns]
    if missing := [name for name in stream.read_columns if name not in names]:
        close = nearest(missing[0], names)
        known = f"Did you mean {' or '.join(close)}?" if close else f"It has {', '.join(names)[:300]}"
        raise SourceConfigError(found.source, f"{stream.table} has no column {', '.join(missing)}", known)
    if without := sorted({name for name in _needing_zone(stream) if name in names and not table.has_zone(name)}):
        raise SourceConfigError(
            found.source,
            f"{stream.table}: the times of {', '.join(without)} are stored without a zone",
            "Say with zone which one they are meant in: most loaders write UTC",
        )
    return table


def described(found: Database, name: str) -> Table:
    """A table or view by its name. Raises `SourceConfigError` where there is none."""
    schema, _, own = name.rpartition(".")
    with found.answering(name):
        try:
            reflected = sa.Table(own, sa.MetaData(schema=schema or None), autoload_with=found.engine, resolve_fks=False)
        except sa.exc.NoSuchTableError:
            do = _near(found, schema or None, own)
            raise SourceConfigError(found.source, f"there is no table {name}", do) from None
    return Table(reflected, found.dialect)


def _near(found: Database, schema: str | None, own: str) -> str:
    inspector = sa.inspect(found.engine)
    names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    if close := nearest(own, names):
        return f"Did you mean {' or '.join(close)}?"
    return "Write it as schema.table, and check that the user may read it"


def _needing_zone(stream: SqlStream) -> Iterator[str]:
    """The columns that are read as instants, for which nothing says their zone."""
    if stream.zone is not None:
        return
    moments: list[Moment] = [rule.at for rule in stream.events if rule.at is not None]
    moments += [stream.revision] if stream.revision is not None else []
    yield from (moment.column for moment in moments if moment.zone is None and moment.column not in stream.columns)
    for name, column in stream.columns.items():
        if DTYPES[column.type] == DTYPES["instant"] and column.zone is None:
            yield name
    yield from (stream.cursor.columns if stream.cursor is not None else ())


def identity(stream: SqlStream) -> tuple[str, ...]:
    """The columns of the table that tell its rows apart."""
    return tuple(dict.fromkeys(identifying(stream)))
