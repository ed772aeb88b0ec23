"""The types of the closed expression language, and what a translated part of an expression is.

Belongs here: text, number, boolean, date, instant, and which column holds which. Does not: what is done with them
(`expression_tree`, `expression_functions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS

KINDS: Mapping[str, pl.DataType] = {
    "text": pl.String(),
    "number": DECIMAL,
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "instant": UTC_MICROSECONDS,
}
"""The language's types and what they are in Polars. NULL by itself is of the kind "null"."""

ORDERED = frozenset({"text", "number", "date", "instant"})


@dataclass(frozen=True, slots=True)
class Typed:
    """A translated part: its kind, its expression, its normal text, and its value where it is a literal."""

    kind: str
    expr: pl.Expr
    text: str
    is_atomic: bool = True
    literal: Any = None

    @property
    def inner(self) -> str:
        """The normal text as a part of another one."""
        return self.text if self.is_atomic else f"({self.text})"

    @property
    def shown(self) -> str:
        """The part as errors show it."""
        article = "an" if self.kind == "instant" else "a"
        return f"{article} {self.kind} ({self.text[:40]}{'…' if len(self.text) > 40 else ''})"


def condition(expr: pl.Expr, text: str, *, is_atomic: bool = False) -> Typed:
    """A part that is true, false, or (of NULLs) neither."""
    return Typed("boolean", expr, text, is_atomic)


def kind_of(dtype: pl.DataType) -> str | None:
    """What the language calls a column's type; None where it has no such type (floats are not exact)."""
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if isinstance(dtype, pl.Decimal):
        return "number" if dtype.scale <= 6 else None
    if dtype.is_integer():
        return "number"
    if isinstance(dtype, pl.Datetime):
        return "instant" if dtype.time_zone else None
    return {pl.Boolean: "boolean", pl.Date: "date"}.get(dtype.base_type())


def quoted(text: str, mark: str = "'") -> str:
    """The text between quotation marks, those within it doubled."""
    return mark + text.replace(mark, mark * 2) + mark


def conversion(found: Typed, kind: str) -> str:
    """What to do about a part of one kind where another kind belongs."""
    if found.kind == "null":
        return "Leave NULL out"
    if {found.kind, kind} == {"date", "instant"}:
        return "An instant is compared with an instant: TIMESTAMPTZ '2026-01-31 00:00:00+01:00'"
    if found.literal is not None:
        return {
            "text": "Write texts between ' and '",
            "number": "Write numbers without quotes: 1.5",
            "boolean": "Write TRUE or FALSE",
            "date": "Write dates as DATE '2026-01-31'",
            "instant": "Write instants as TIMESTAMPTZ '2026-01-31 09:30:00+01:00'",
        }[kind]
    if found.kind == "text" and kind != "instant":
        return f"TRY_CAST(… AS {kind.upper()}) makes a {kind} of a text, or NULL"
    return f"CAST(… AS TEXT) makes a text of a {found.kind}" if kind == "text" else f"Name something that is a {kind}"
