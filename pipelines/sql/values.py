"""Values of a database as texts, and the places that a reading got to as values again.

Belongs here: what one value is. Does not: which columns are read (`tables`), or what a text says (`pipelines.rows`).

Numbers are written exactly, times in ISO 8601 (those that have a zone in UTC), booleans as true and false.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

_TIME = re.compile(r"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:(\+00)(?::00)?)?")


def text_of(value: Any) -> str | None:
    """A value as text; None where there is none."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return _written(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, default=text_of, sort_keys=True)
    return str(value)


def time_text(text: str | None) -> str | None:
    """A time that the database itself has written, in ISO 8601; other texts as they are."""
    if text is None or (found := _TIME.fullmatch(text)) is None:
        return text
    day, hours, offset = found.groups()
    return f"{day}T{hours}{'Z' if offset else ''}"


def reader(kind: sa.types.TypeEngine[Any]) -> Callable[[str], Any]:
    """What turns the text of a value of a column back into the value; raises `ValueError` or `ArithmeticError`."""
    if isinstance(kind, sa.DateTime):
        return datetime.fromisoformat
    if isinstance(kind, sa.Date):
        return date.fromisoformat
    if isinstance(kind, sa.Integer):
        return int
    if isinstance(kind, sa.Float):
        return float
    if isinstance(kind, sa.Numeric):
        return Decimal
    return str


def _written(instant: datetime) -> str:
    if instant.tzinfo is None:
        return instant.isoformat()
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
