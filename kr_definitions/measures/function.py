"""A measure that is a Polars function: for what no other measure says.

Belongs here: finding the function and holding it to what every measure owes. Does not: any function; they are beside
the declarations that name them.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Annotated

import polars as pl
from pydantic import AfterValidator, WithJsonSchema

from kr_definitions.events import CUSTOMER
from kr_definitions.measures.base import Context, Frames, Kind, Measured, words
from kr_definitions.measures.claims import asked, given, lasting
from kr_definitions.measures.selection import columns_of
from kr_definitions.measures.series import window_sums, with_plain_value, with_ratio
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes

Computes = Callable[[pl.LazyFrame, pl.LazyFrame], pl.LazyFrame]
"""(events, windows) -> windows with numerator and, for a ratio, denominator."""

_WINDOW, _NUMBERS = ["as_of", "window_start"], ["numerator", "denominator"]
_REFERENCE = r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*"


class FunctionError(Exception):
    """A function that cannot be found, or that does not give what it owes; says which, and what to do."""


def _referenced(text: str) -> str:
    if not re.fullmatch(_REFERENCE, text):
        raise ValueError("not a function | Write file:function, of a Python file beside the declarations")
    return text


Reference = Annotated[
    str, AfterValidator(_referenced), WithJsonSchema({"type": "string", "pattern": f"^{_REFERENCE}$"})
]


class Function(Measured):
    """What a Polars function makes of the events of some types.

    function: `file:name`, of a Python file in the organisation's folder. It is called with the current events of the
    types (`event_id`, `event_type`, `day` and what the types carry; amounts are in the organisation's currency) and
    with windows (`as_of`, `window_start`), both lazy, and gives for each window its `numerator` and, for a ratio, its
    `denominator`. Of a window it may use only events up to `as_of`. value: what it is.

    A function `name_events` beside it may give, called alike, which events those are: for each window the `event_id` of
    each, what it gives to the `numerator` and, for a ratio, to the `denominator`. Without it nothing is known of where
    a value comes from, and it is explained by no event.
    """

    function: Reference
    of: EventTypes
    value: Kind = "number"

    @property
    def types(self) -> tuple[str, ...]:
        return self.of

    @property
    def remembered(self) -> tuple[str, ...]:
        """What a function looks back on is not known."""
        return self.of

    @property
    def kind(self) -> Kind:
        return self.value

    @property
    def reads_amounts(self) -> bool:
        """What a function makes of amounts is not known."""
        return True

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return context.events(log, self.of)

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return context.events(log, self.of).select("event_id", "event_type", "day", CUSTOMER, *columns_of(self.of))

    def valued(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        values = self._values(frames, windows, context)
        joined = windows.join(values, on=_WINDOW, how="left", maintain_order="left")
        counted = joined.with_columns(_events(frames[""], windows))
        return with_ratio(counted) if "denominator" in values.columns else with_plain_value(counted)

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        return {"": self.partials(log, context)}

    def claimed(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """What the function beside says of events; without one, each value as a whole, of no event."""
        spans, name = asked(windows), f"{self.function}_events"
        values, explains = self._values(frames, spans, context), found_beside(context.folder, name)
        if explains is None:
            return given(lasting(values, windows))
        events = _called(explains, name, frames[""], spans, [*_WINDOW, "event_id"])
        _add_up(name, events, values)
        return given(lasting(events, windows))

    def _values(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        return _called(found(context.folder, self.function), self.function, frames[""], windows, _WINDOW)

    def text(self) -> str:
        return f"{self.function} of {words(self.of)}"


def _called(
    computes: Computes, name: str, events: pl.DataFrame, windows: pl.DataFrame, keys: list[str]
) -> pl.DataFrame:
    """What a function gives, one row for each of the keys. Raises `FunctionError`, whatever it does."""
    each = "Give one row a window" if keys == _WINDOW else "Give one row a window and event"
    try:
        frame = computes(events.lazy(), windows.lazy().select(_WINDOW).unique(maintain_order=True))
        called = frame.lazy().collect() if isinstance(frame, pl.LazyFrame | pl.DataFrame) else None
    except (Exception, SystemExit) as failure:  # whatever it is, it is its author's to mend
        raise FunctionError(f"{name} raised {_told(failure)}. Mend it") from failure
    if called is None:
        raise FunctionError(f"{name} gives {type(frame).__name__}, which is no frame. {each}")
    if missing := [key for key in (*keys, "numerator") if key not in called.columns]:
        raise FunctionError(f"{name} gives no {', '.join(missing)}. {each}, with them")
    for key in keys:
        owed = pl.String() if key == "event_id" else pl.Date()
        if called.schema[key] not in (owed, pl.Null()):
            raise FunctionError(f"{name} gives {key} as {called.schema[key]}. Give it as it is given: {owed}")
    if called.select(keys).is_duplicated().any():
        raise FunctionError(f"{name} gives several rows of one window. {each}")
    numbers = [_exact(called, name, number) for number in _NUMBERS if number in called.columns]
    return called.select(*(pl.col(key).cast(pl.String() if key == "event_id" else pl.Date()) for key in keys), *numbers)


def _exact(called: pl.DataFrame, name: str, number: str) -> pl.Series:
    """A column as exact numbers. Raises `FunctionError` where it holds others."""
    column = called.get_column(number)
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean(), pl.Null())):
        raise FunctionError(f"{name} gives a {number} that is {column.dtype}. Give numbers")
    odd = called.filter(column.is_not_null() & ~column.is_finite()) if column.dtype.is_float() else called.clear()
    for day, value in odd.select("as_of", number).iter_rows():
        raise FunctionError(f"{name} gives a {number} of {value} on {day}. Give a number, or nothing")
    try:
        return (column.cast(pl.Int8) if column.dtype == pl.Boolean() else column).cast(DECIMAL)
    except pl.exceptions.PolarsError:
        raise FunctionError(f"{name} gives a {number} of more than 32 digits. Give a smaller one") from None


def _told(failure: BaseException) -> str:
    """What was raised, in one line."""
    return f"{type(failure).__name__}: {' '.join(str(failure).split())[:_MOST_TOLD]}".removesuffix(": ")


_MOST_TOLD = 200


def _add_up(name: str, events: pl.DataFrame, values: pl.DataFrame) -> None:
    """Raises `FunctionError` where events do not add up to the values."""
    numbers = [number for number in _NUMBERS if number in values.columns]
    if missing := [number for number in numbers if number not in events.columns]:
        raise FunctionError(f"{name} gives no {', '.join(missing)}. Give what each event adds to it")
    sums = events.group_by(_WINDOW).agg(pl.col(numbers).sum())
    both = values.join(sums, on=_WINDOW, how="full", coalesce=True, suffix="_of_events").sort(_WINDOW)
    for number in numbers:
        said, added = pl.col(number).fill_null(0), pl.col(f"{number}_of_events").fill_null(0)
        for day, *both_numbers in both.filter(said != added).select("as_of", said, added).iter_rows():
            value, total = (f"{one.normalize():f}" for one in both_numbers)
            raise FunctionError(f"{name} adds up to {total} on {day}, not to the {number} {value}. Make them agree")


def _events(events: pl.DataFrame, windows: pl.DataFrame) -> pl.Series:
    """How many events each window holds."""
    counted = events.select("day", pl.lit(1, dtype=pl.Int64).alias("events"))
    return window_sums(counted, windows, ["events"]).get_column("events")


def found(folder: Path | None, reference: str) -> Computes:
    """The function of a reference, from a file in a folder. Raises `FunctionError`."""
    if (computes := found_beside(folder, reference)) is None:
        file, _, name = reference.partition(":")
        raise FunctionError(f"{file}.py has no function '{name}'. Name one that it has")
    return computes


def found_beside(folder: Path | None, reference: str) -> Computes | None:
    """The same; None where the file has none of that name."""
    file, _, name = reference.partition(":")
    computes = getattr(_module(folder, file), name, None)
    return computes if callable(computes) else None


def _module(folder: Path | None, file: str) -> ModuleType:
    path = Path() if folder is None else folder / f"{file}.py"
    if folder is None or not path.is_file():
        raise FunctionError(f"there is no {file}.py beside the declarations. Put the function there")
    try:
        return _loaded(path, path.read_text("utf-8"))
    except (Exception, SystemExit) as failure:  # whatever it is, it is its author's to mend
        raise FunctionError(f"{path.name} cannot be loaded ({_told(failure)}). Mend it") from failure


@cache
def _loaded(path: Path, text: str) -> ModuleType:
    """The module of a text: another text is another one, however long a process lives."""
    name = f"hito_function_{path.parent.name}_{path.stem}"
    specification = importlib.util.spec_from_loader(name, _Text(path, text), origin=str(path))
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    _Text(path, text).exec_module(module)
    return module


@dataclass(frozen=True)
class _Text(importlib.abc.InspectLoader):
    """Loads a module from its text alone: no compiled file beside it is ever read or written."""

    path: Path
    text: str

    def get_source(self, fullname: str) -> str:
        return self.text

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.text, str(self.path))
