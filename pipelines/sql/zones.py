"""Which instant a stored time is: the types of each database that say it themselves, and those that leave it open.

Belongs here: what the type of a column says of the zone of its times. Does not: reading them (`reading`, `values`), or
zones that are declared (`pipelines.rows`).

SQLAlchemy tells such types apart by `timezone`, but not of all databases: of these it is told here.

* MySQL and MariaDB keep a TIMESTAMP as an instant and tell it in the session's zone, which is set to UTC at the
  beginning of each connection (`database`); a DATETIME is a wall clock's time.
  https://dev.mysql.com/doc/refman/8.4/en/datetime.html
* SQL Server's DATETIMEOFFSET has its offset; DATETIME and DATETIME2 have none.
* BigQuery's TIMESTAMP is an instant and told in UTC; its DATETIME has no zone.
* Snowflake's TIMESTAMP_TZ and TIMESTAMP_LTZ are told with their offset; TIMESTAMP_NTZ has none.
* Oracle's TIMESTAMP WITH LOCAL TIME ZONE is told in the session's zone, which nobody has set: it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

_TOLD_IN_UTC: Mapping[str, frozenset[str]] = {
    "mysql": frozenset({"TIMESTAMP"}),
    "mariadb": frozenset({"TIMESTAMP"}),
}
"""Instants that the driver gives as times of UTC, without saying so."""

_WITH_ZONE: Mapping[str, frozenset[str]] = {
    "mssql": frozenset({"DATETIMEOFFSET"}),
    "bigquery": frozenset({"TIMESTAMP"}),
    "snowflake": frozenset({"TIMESTAMP_TZ", "TIMESTAMP_LTZ"}),
}


def is_told_in_utc(dialect: str, kind: sa.types.TypeEngine[Any]) -> bool:
    """Whether times of a type are instants that come as times of UTC, without a word of that."""
    return kind.__visit_name__.upper() in _TOLD_IN_UTC.get(dialect, ())


def says_its_zone(dialect: str, kind: sa.types.TypeEngine[Any]) -> bool:
    """Whether times of a type say which instant they are; of what is no time there is nothing to say."""
    if not isinstance(kind, sa.DateTime):
        return True
    if getattr(kind, "local_timezone", False):  # Oracle's
        return False
    name = kind.__visit_name__.upper()
    return bool(kind.timezone) or is_told_in_utc(dialect, kind) or name in _WITH_ZONE.get(dialect, ())


def as_instant(value: Any) -> Any:
    """A time that is told in UTC without saying so, with its zone; other values as they are."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def as_told(value: Any) -> Any:
    """An instant as such a database tells it, and compares it."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value
