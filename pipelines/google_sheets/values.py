"""What a cell of a sheet holds, as the text that a hand would have written.

Belongs here: from values to text; errors of formulas. Does not: which cells there are (`reading`), or what a text says
(`pipelines.rows.cells`).

Values come unformatted: numbers as numbers, ticked boxes as booleans, and days and times as the days since 30 December
1899, the part of the day behind the point (https://developers.google.com/workspace/sheets/api/guides/formats). So how a
sheet shows them does not matter, and its locale only for what somebody typed that was not understood and stayed text.
A number and a day look alike: in a column that says when, a number is a day, unless it would be one before 1950.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pipelines.google_sheets.declaration import SheetStream
from pipelines.rows.cells import FIRST_TYPED_YEAR, LAST_YEAR
from pipelines.rows.declaration import ISO, UNIX, UNIX_MS

LOADING = "Loading..."
"""What a cell holds while a formula that fetches something (IMPORTRANGE, GOOGLEFINANCE) is still at it."""

_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#ERROR!"})
_ORIGIN = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's days have no zone
_FIRST_DAY, _LAST_DAY = ((datetime(year, 1, 1) - _ORIGIN).days for year in (FIRST_TYPED_YEAR, LAST_YEAR + 1))  # noqa: DTZ001 - as above
"""The first and the one after the last: a number outside is a year, an amount or a time of day alone."""

_SIGNIFICANT_DIGITS = 15
"""As many as a sheet computes with."""


class Odd(Exception):
    """A cell holds what is none of the things that its column can hold."""


def as_text(value: Any, name: str, stream: SheetStream) -> str | None:
    """A cell's value as text. Raises `Odd` with what it holds instead, which is nothing of a person."""
    if value is None or isinstance(value, str):
        if value in _ERRORS:
            raise Odd(f"holds the error {value}")
        return value
    if isinstance(value, bool):
        column = stream.columns.get(name)
        words = (column.yes, column.no) if column is not None and column.type == "boolean" else (("true",), ("false",))
        return words[0][0] if value else words[1][0]
    if isinstance(value, int | float):
        return _day(value, name, stream) if _is_moment(name, stream) else _number(value, name, stream)
    raise Odd("holds what is neither text nor number")


def is_nothing(value: Any) -> bool:
    """Whether a cell says nothing: it is empty, or a box that nobody has ticked."""
    return value is None or value is False or (isinstance(value, str) and not value.strip())


def _is_moment(name: str, stream: SheetStream) -> bool:
    return bool(stream.moments.get(name, frozenset()) - {UNIX, UNIX_MS})


def _day(value: float, name: str, stream: SheetStream) -> str:
    if not _FIRST_DAY <= value < _LAST_DAY:
        raise Odd("holds a number that is no day (format the column as a date)")
    at = _ORIGIN + timedelta(milliseconds=round(value * 86_400_000))
    (written,) = stream.moments[name]
    is_day = (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
    if written == ISO:
        return at.date().isoformat() if is_day else at.isoformat(timespec="milliseconds")
    if not is_day and not any(f"%{sign}" in written for sign in "HIT"):
        raise Odd(f"holds a time, where its format {written} is of days alone")
    return _formatted(at, written)


def _formatted(at: datetime, written: str) -> str:
    """As `strptime` reads it: a sheet's own times have no offset, so where a format has one there is nothing to say."""
    if "z" in written:
        raise Odd(f"holds a time without an offset, where its format {written} has one")
    text = written.replace("%.3f", f".{at.microsecond // 1000:03}").replace("%.f", f".{at.microsecond // 1000:03}")
    return at.strftime(text)


def _number(value: float, name: str, stream: SheetStream) -> str:
    """All its digits and no more, with the sign before the decimals that the declaration names."""
    exact = Decimal(value) if isinstance(value, int) else Decimal(format(value, f".{_SIGNIFICANT_DIGITS}g"))
    text = format(exact.to_integral_value() if exact == exact.to_integral_value() else exact.normalize(), "f")
    column = stream.columns.get(name)
    if column is None or column.type != "number":
        return text
    whole, point, decimals = text.partition(".")
    if point and stream.cells.is_handwritten and len(decimals) % 3 == 0:
        decimals += "0"  # 1.250 typed by a hand could be read in two ways; this is a number
    return f"{whole}{stream.cells.decimal}{decimals}" if point else whole
