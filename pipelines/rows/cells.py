"""What a cell says: text as number, boolean, date or instant, or why it is none.

Belongs here: reading one cell, as Polars expressions. Does not: rows (`mapping`), or where they come from.

Every function gives two expressions: the value, null where there is none, and the problem, null where there is none.
A problem shows the shape of what was found (letters as a, digits as 9), never the text itself: in a row whose cells
have slipped it may be anybody's name or number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.rows.declaration import ISO, UNIX, UNIX_MS, Ambiguous, Cells, ColumnType, Flag, Handwritten
from pipelines.turns import first_moment

Read = tuple[pl.Expr, pl.Expr]

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""A year outside these is a day and month read as a year, or a year without its century."""

FIRST_TYPED_YEAR = 1950
"""Where people may have typed it, an earlier year is a slip of the hand: 1926 for 2026."""

_TENTH_OF_A_BILLIONTH = 1e-10
MOST_DIGITS = 15
"""Before the decimal sign: what is longer is an id or a telephone number, not an amount."""

_ISO_TIME = (
    r"^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?"
    r"\s?(?:(Z|z)|([+-])(\d{2}):?(\d{2}))?$"
)
_CHOICES: Mapping[Ambiguous, Literal["null", "earliest", "latest"]] = {
    "refuse": "null",
    "earlier": "earliest",
    "later": "latest",
}


def cell(name: str, declared: ColumnType, cells: Cells, zone: str) -> Read:
    """A column of text, read as what it is declared to be."""
    text = pl.col(name).str.strip_chars()
    if declared.type == "number":
        return _number(name, text, cells)
    if declared.type == "boolean":
        return _boolean(name, text, declared)
    if declared.type == "date":
        return _date(name, text, declared.format, _first_year(cells))
    if declared.type == "instant":
        return instant(name, text, declared.format, declared.zone or zone, declared.ambiguous, _first_year(cells))
    return pl.col(name), pl.lit(None, pl.String)


def instant(
    name: str, text: pl.Expr, written: str, zone: str, ambiguous: Ambiguous, first_year: int = FIRST_YEAR
) -> Read:
    """A text as an instant. A day alone is its beginning; a local time that has no single instant is a problem."""
    if written in (UNIX, UNIX_MS):
        number = pl.when(text.str.contains(r"^\d{1,15}$")).then(text).cast(pl.Int64, strict=False)
        microseconds = number * (1_000_000 if written == UNIX else 1_000)
        at = microseconds.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        return _within_years(name, text, at, "a time", first_year)
    if written == ISO:
        naive, shift, is_day = _iso(text)
        local = _local(naive, zone, ambiguous, is_day)
        value = pl.when(shift.is_not_null()).then((naive - shift).dt.replace_time_zone("UTC")).otherwise(local)
        has_offset = shift.is_not_null()
    elif re.search("%:?z", written):
        value = text.str.to_datetime(written, strict=False, time_unit="us", time_zone="UTC")
        naive, has_offset = value.dt.replace_time_zone(None), pl.lit(value=True)
    elif re.search("%[HIT]", written):
        naive = text.str.to_datetime(written, strict=False, time_unit="us")
        value, has_offset = _local(naive, zone, ambiguous, pl.lit(value=False)), pl.lit(value=False)
    else:
        naive = text.str.to_date(written, strict=False).cast(pl.Datetime("us"))
        value, has_offset = _local(naive, zone, ambiguous, pl.lit(value=True)), pl.lit(value=False)
    how = "a time in ISO 8601" if written == ISO else f"a time written as {written}"
    value, problem = _within_years(name, text, value, how, first_year, naive)
    is_one = value.is_not_null() | has_offset | naive.is_null() | problem.is_not_null()
    at = naive.dt.to_string("%Y-%m-%d %H:%M:%S")
    change = pl.format("{}: " + _escaped(zone) + " has no single instant at {} (the clock changes)", pl.lit(name), at)
    return value, pl.coalesce(problem, pl.when(~is_one).then(change))


def flag(declared: Flag) -> Read:
    """Whether a column says yes; a time says that it happened, unless it is none; and what is empty says no."""
    text = pl.col(declared.column).str.strip_chars().str.to_lowercase()
    yes, no = ([word.lower() for word in words] for words in (declared.yes, declared.no))
    is_time = text.str.contains(r"^\+?\d{4,}-\d{2}-\d{2}|^-?infinity$")
    is_no = text.is_null() | text.is_in(no) | (is_time & ~is_past(text))
    value = pl.when(text.is_in(yes)).then(statement=True).when(is_no).then(statement=False)
    value = value.when(is_time).then(statement=True)
    return value, _unless(value, declared.column, text, f"one of {', '.join((*declared.yes, *declared.no))}, or a time")


def flag_name(declared: Flag) -> str:
    """The name of the column that a flag is read into."""
    return f"\x1fis {declared.column}"


def is_past(text: pl.Expr) -> pl.Expr:
    """Whether a time that something ends at has come: it is not empty, and stands for none.

    For none stand times after the year 2200, and those at which databases and spreadsheets begin to count (0, 1, 1900
    and the first days of 1970): a default that somebody's software wrote there.
    """
    is_never = text.str.contains(
        r"^(?:[3-9]\d|2[2-9])\d\d-|^\+?\d{5,}-|^-?infinity$|^(?:0\d{3}|1[0-8]\d\d|19[0-6]\d|1970)-"
    )
    return text.is_not_null() & ~is_never


def _number(name: str, text: pl.Expr, cells: Cells) -> Read:
    decimal, thousands = re.escape(cells.decimal), re.escape(cells.thousands)
    whole = rf"\d{{1,{MOST_DIGITS}}}"
    if cells.thousands:
        whole = rf"(?:{whole}|\d{{1,3}}(?:{thousands}\d{{3}}){{1,4}})"
    shape = rf"^[+-]?{whole}(?:{decimal}\d+)?(?:[eE][+-]?\d{{1,2}})?$"
    plain = text.str.replace_all(cells.thousands, "", literal=True) if cells.thousands else text
    plain = plain.str.replace(cells.decimal, ".", literal=True)
    value = pl.when(text.str.contains(shape)).then(plain).cast(DECIMAL, strict=False)
    problem = _unless(value, name, text, f"a number with '{cells.decimal}' before the decimals")
    if cells.is_handwritten:
        # 1.200 is twelve hundred to one hand and one and a fifth to another: it is not guessed.
        says = "can be read in two ways: declare decimal (and thousands) in the stream's format"
        is_either = text.str.contains(r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$")
        problem = pl.coalesce(problem, pl.when(is_either).then(pl.lit(f"{name}: a number such as 1.200 {says}")))
    return value, problem


def beyond_precision(name: str, value: pl.Expr, cells: Cells) -> pl.Expr:
    """What is wrong with a number of more decimals than are kept; null where it has not. value: as it was read."""
    text = pl.col(name)
    written = text.str.replace(cells.decimal, ".", literal=True).cast(pl.Float64, strict=False)
    is_rounded = text.str.contains("[eE]") & ((written - value.cast(pl.Float64)).abs() > _TENTH_OF_A_BILLIONTH)
    is_long = text.str.contains(rf"{re.escape(cells.decimal)}\d{{6}}\d*[1-9]")
    return pl.when(is_long | is_rounded).then(pl.format("{}: {} has more than six decimals", pl.lit(name), text))


def _boolean(name: str, text: pl.Expr, declared: ColumnType) -> Read:
    lower = text.str.to_lowercase()
    yes, no = ([word.lower() for word in words] for words in (declared.yes, declared.no))
    value = pl.when(lower.is_in(yes)).then(statement=True).when(lower.is_in(no)).then(statement=False)
    return value, _unless(value, name, text, f"one of {', '.join((*declared.yes, *declared.no))}")


def _first_year(cells: Cells) -> int:
    return FIRST_TYPED_YEAR if isinstance(cells, Handwritten) else FIRST_YEAR


def _date(name: str, text: pl.Expr, written: str, first_year: int) -> Read:
    if written in (UNIX, UNIX_MS):
        value, problem = instant(name, text, written, "UTC", "refuse", first_year)
        return value.dt.date(), problem
    value = text.str.to_date("%Y-%m-%d" if written == ISO else written, strict=False)
    how = "a day in ISO 8601" if written == ISO else f"a day written as {written}"
    return _within_years(name, text, value, how, first_year)


def _iso(text: pl.Expr) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """The local time that a text in ISO 8601 says, its offset (null without one), and whether it is a day alone."""
    parts = text.str.extract_groups(_ISO_TIME).struct
    day, minute, second, fraction, utc, sign, hours, minutes = (parts.field(str(group)) for group in range(1, 9))
    whole = pl.concat_str(
        day, pl.lit("T"), minute.fill_null("00:00"), pl.lit(":"), second.fill_null("00"), pl.lit("."),
        fraction.fill_null("0"),
    )  # fmt: skip
    naive = whole.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    ahead = hours.cast(pl.Int64) * 60 + minutes.cast(pl.Int64)
    shift = (
        pl.when(utc.is_not_null())
        .then(pl.lit(0, pl.Int64))
        .otherwise(pl.when(sign == "-").then(-ahead).otherwise(ahead))
    )
    return naive, pl.duration(minutes=shift), minute.is_null()


def _local(naive: pl.Expr, zone: str, ambiguous: Ambiguous, is_day: pl.Expr) -> pl.Expr:
    at = naive.dt.replace_time_zone(zone, ambiguous=_CHOICES[ambiguous], non_existent="null")
    return pl.when(is_day).then(first_moment(naive, zone)).otherwise(at.dt.convert_time_zone("UTC"))


def _within_years(
    name: str, text: pl.Expr, value: pl.Expr, what: str, first_year: int, naive: pl.Expr | None = None
) -> Read:
    """The value where its year is one, and the problem where there is no such time or its year is none."""
    read = value if naive is None else naive
    year = read.dt.year()
    within = pl.when(year.is_between(first_year, LAST_YEAR))
    is_early = year.is_between(FIRST_YEAR, first_year, closed="left")
    early = f"{name}: it is before {first_year} (where that stands for no day, name it under nulls)"
    return within.then(value), pl.coalesce(
        pl.when(is_early).then(pl.lit(early)), _unless(within.then(read), name, text, what)
    )


def _unless(value: pl.Expr, name: str, text: pl.Expr, what: str) -> pl.Expr:
    """The problem that a text which says something is not `what`."""
    shape = text.str.slice(0, 30).str.replace_all(r"\p{L}", "a").str.replace_all(r"\p{Nd}", "9")
    problem = pl.format("{}: '{}' is not " + _escaped(what), pl.lit(name), shape)
    return pl.when(text.is_not_null() & value.is_null()).then(problem)


def _escaped(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")
