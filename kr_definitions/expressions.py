"""The closed expression language: SQL predicates and scalar expressions over typed columns, as Polars expressions.

Belongs here: what an expression is to those who use one. Does not: its words and signs (`expression_text`), its
translation (`expression_tree`, `expression_functions`), or which columns there are (the caller says).

Nothing is evaluated as code, and nothing that is not listed passes: the text is first held against a list of words
and signs, then parsed (sqlglot, DuckDB's dialect), then each node of the tree is translated by a function of ours or
refused. What SQL could do besides (subqueries, files, windows, aggregates, parameters) is in no list.

The language is SQL's with its traps closed:

* types are strict: a number is never compared with a text, a boolean never with a number;
* NULL as in SQL (a comparison with an empty value is neither true nor false), but `= NULL` and `IN (NULL)`, which
  never hold, are refused;
* numbers are exact (38 digits, 6 after the point; what is finer is rounded), never floats; dividing by zero gives NULL,
  and a result that has no room raises when it is computed;
* CAST is for what always works; from text there is TRY_CAST, which gives NULL where it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from kr_definitions.expression_text import ExpressionError, parsed
from kr_definitions.expression_tree import translated
from kr_definitions.expression_types import KINDS

__all__ = ["Expression", "ExpressionError", "predicate", "scalar"]


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression.

    normal_form: the same for two texts that differ only in blanks, letter case of SQL's words, parentheses or the
    order of an IN list; itself an expression. columns: the names that it uses, sorted. Equal when the normal form is.
    """

    text: str = field(compare=False)
    normal_form: str
    columns: tuple[str, ...] = field(compare=False)
    dtype: pl.DataType
    _expr: pl.Expr = field(compare=False, repr=False)

    def expr(self) -> pl.Expr:
        """The expression over a frame that has its columns; one without columns is a literal."""
        return self._expr


def predicate(text: str, columns: Mapping[str, pl.DataType]) -> Expression:
    """A condition over `columns` (name -> Polars type). Raises `ExpressionError`."""
    found = scalar(text, columns)
    if found.dtype != KINDS["boolean"]:
        kind = next(kind for kind, dtype in KINDS.items() if dtype == found.dtype)
        raise ExpressionError(text, 1, f"a {kind} where a condition was expected", "Compare it with something")
    return found


def scalar(text: str, columns: Mapping[str, pl.DataType]) -> Expression:
    """A value computed from `columns` (name -> Polars type), row by row. Raises `ExpressionError`."""
    typed, used = translated(text, parsed(text, columns), columns)
    return Expression(text, typed.text, used, KINDS[typed.kind], typed.expr)
