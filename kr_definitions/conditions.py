"""What can be said of a filter without any event: whether it ever holds, and which values it asks for.

Belongs here: deciding that from the expression alone. Does not: what an expression may say (`expressions`), or what is
done about it (`rules`).

A filter whose columns are only compared with what is written out (`stage = 'a'`, `amount > 5`, `x IN (…)`) can tell no
more cases apart than the written values, what lies between them, and nothing (NULL). It is tried on all of those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import product
from typing import Any, Literal

import polars as pl
from sqlglot import exp

from kr_definitions.expression_text import parsed
from kr_definitions.expression_tree import Translator
from kr_definitions.expression_types import kind_of
from kr_definitions.expressions import predicate

Verdict = Literal["always", "never"]

MOST_CASES = 20_000

_COMPARED = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_CONNECTED = (exp.And, exp.Or, exp.Not)
_SMALLEST, _LARGEST = Decimal("0.000001"), Decimal(10) ** 32


def verdict(text: str, columns: Mapping[str, pl.DataType], *, where_known: bool = False) -> Verdict | None:
    """Whether a filter holds always, or never; None where it depends on the event, or cannot be told.

    where_known: of the events for which it is neither true nor false, nothing is asked. Raises `ExpressionError`.
    """
    condition = predicate(text, columns)
    cases = _cases(text, columns)
    if cases is None:
        return None
    schema = {name: columns[name] for name in cases} or {"_": pl.Boolean()}
    frame = pl.DataFrame(list(product(*cases.values())) if cases else [(True,)], schema=schema, orient="row")
    holds = frame.select(condition.expr().alias("holds")).get_column("holds")
    if not holds.any():
        return "never"
    asked_of = holds.drop_nulls() if where_known else holds.fill_null(value=False)
    return "always" if asked_of.all() else None


def asked(text: str, columns: Mapping[str, pl.DataType]) -> Iterator[tuple[str, str]]:
    """Each column that a filter holds to be equal to a written text, and that text. Raises `ExpressionError`."""
    translator, tree = Translator(text, columns), parsed(text, columns)
    for column in tree.find_all(exp.Column):
        parent, written = _beside(column)
        if isinstance(parent, exp.EQ | exp.NEQ | exp.In):
            for node in written:
                literal = translator.value(node).literal
                if isinstance(literal, str):
                    yield column.name, literal


def _cases(text: str, columns: Mapping[str, pl.DataType]) -> dict[str, list[Any]] | None:
    """Values of each column that stand for all the cases that a filter can tell apart; None where that is not known."""
    translator, tree = Translator(text, columns), parsed(text, columns)
    written: dict[str, set[Any]] = {}
    for column in tree.find_all(exp.Column):
        parent, others = _beside(column)
        literals = [translator.value(node).literal for node in others]
        is_simple = isinstance(parent, (*_COMPARED, exp.In, exp.Between, exp.Is, *_CONNECTED)) or parent is None
        if not is_simple or None in literals:
            return None
        written.setdefault(column.name, set()).update(literals)
    cases = {name: _representatives(kind_of(columns[name]), literals) for name, literals in written.items()}
    most = 1
    for values in cases.values():
        most *= len(values)
    return cases if most <= MOST_CASES else None


def _beside(column: exp.Expression) -> tuple[exp.Expression | None, list[exp.Expression]]:
    """What a column is an operand of, and the other operands."""
    inner, parent = column, column.parent
    while isinstance(parent, exp.Paren):
        inner, parent = parent, parent.parent
    if isinstance(parent, exp.Is) or parent is None or isinstance(parent, _CONNECTED):
        return parent, []
    others = [node for node in parent.iter_expressions() if node is not inner]
    return parent, others


def _representatives(kind: str | None, written: set[Any]) -> list[Any]:
    if kind == "boolean":
        return [True, False, None]
    if kind == "text":
        return [*sorted({"", *written, *(f"{text}\0" for text in written)}), None]
    if kind == "number":
        return [*sorted({near for number in written or {Decimal(0)} for near in _near_number(number)}), None]
    moments = written or {date(2000, 1, 1) if kind == "date" else datetime(2000, 1, 1, tzinfo=UTC)}
    return [*sorted({near for moment in moments for near in _near_moment(moment)}), None]


def _near_number(number: Decimal) -> list[Decimal]:
    with localcontext(prec=60):
        near = [number - _SMALLEST, number, number + _SMALLEST]
        return [value for value in near if abs(value) < _LARGEST]


def _near_moment(moment: date) -> Iterator[date]:
    step = timedelta(microseconds=1) if isinstance(moment, datetime) else timedelta(days=1)
    for by in (-step, timedelta(0), step):
        try:
            yield moment + by
        except OverflowError:  # before the first day of the calendar, or after its last one
            continue
