"""A measure that is a Polars function: for what no other measure says.

Belongs here: finding the function and holding it to what every measure owes. Does not: any function; they are beside
the declarations that name them.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import AfterValidator, WithJsonSchema

from kr_definitions.measures.base import Context, Frames, Kind, Measured, words
from kr_definitions.measures.selection import columns_of
from kr_definitions.measures.series import window_sums, with_plain_value, with_ratio
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes

Computes = Callable[[pl.LazyFrame, pl.LazyFrame], pl.LazyFrame]
"""(events, windows) -> windows with numerator and, for a ratio, denominator."""

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
    types (`event_id`, `event_type`, `day` and what the types carry) and with windows (`as_of`, `window_start`), both
    lazy, and gives for each window its `numerator` and, for a ratio, its `denominator`. Of a window it may use only
    events up to `as_of`. value: what it is.
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

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return context.events(log, self.of).select("event_id", "event_type", "day", *columns_of(self.of))

    def valued(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        keys = ["as_of", "window_start"]
        computes = found(context.folder, self.function)
        given = computes(frames[""].lazy(), windows.lazy().select(keys).unique(maintain_order=True)).collect()
        if missing := [name for name in (*keys, "numerator") if name not in given.columns]:
            raise FunctionError(f"{self.function} gives no {', '.join(missing)}. Give one row a window, with them")
        if given.select(keys).is_duplicated().any():
            raise FunctionError(f"{self.function} gives several rows of one window. Give one row a window")
        is_ratio = "denominator" in given.columns
        kept = given.select(
            *keys, *(pl.col(name).cast(DECIMAL) for name in ("numerator", "denominator") if name in given.columns)
        )
        joined = windows.join(kept, on=keys, how="left", maintain_order="left")
        counted = joined.with_columns(_events(frames[""], windows))
        return with_ratio(counted) if is_ratio else with_plain_value(counted)

    def text(self) -> str:
        return f"{self.function} of {words(self.of)}"


def _events(events: pl.DataFrame, windows: pl.DataFrame) -> pl.Series:
    """How many events each window holds."""
    counted = events.select("day", pl.lit(1, dtype=pl.Int64).alias("events"))
    return window_sums(counted, windows, ["events"]).get_column("events")


@cache
def found(folder: Path | None, reference: str) -> Computes:
    """The function of a reference, from a file in a folder. Raises `FunctionError`."""
    file, _, name = reference.partition(":")
    path = Path() if folder is None else folder / f"{file}.py"
    if folder is None or not path.is_file():
        raise FunctionError(f"there is no {file}.py beside the declarations. Put the function there")
    specification = importlib.util.spec_from_file_location(f"hito_function_{folder.name}_{file}", path)
    if specification is None or specification.loader is None:
        raise FunctionError(f"{path.name} is no Python file that can be loaded. Put the function in one")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is its author's to mend
        raise FunctionError(f"{path.name} cannot be loaded ({type(failure).__name__}: {failure}). Mend it") from None
    if not callable(computes := getattr(module, name, None)):
        raise FunctionError(f"{path.name} has no function '{name}'. Name one that it has")
    return computes  # type: ignore[no-any-return]
