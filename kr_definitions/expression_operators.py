"""The operators of the closed expression language, as Polars computes them.

Belongs here: comparisons, exact arithmetic, AND and OR. Does not: which operands they may have (`expression_tree`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import polars as pl
from sqlglot import exp

from kr_definitions.expression_types import Typed
from kr_definitions.vocabulary import DECIMAL

Operation = Callable[[pl.Expr, pl.Expr], pl.Expr]

COMPARISONS: Mapping[Any, tuple[str, Operation]] = {
    exp.EQ: ("=", operator.eq),
    exp.NEQ: ("<>", operator.ne),
    exp.LT: ("<", operator.lt),
    exp.LTE: ("<=", operator.le),
    exp.GT: (">", operator.gt),
    exp.GTE: (">=", operator.ge),
}
_MIRRORED: Mapping[Operation, Operation] = {
    operator.eq: operator.eq,
    operator.ne: operator.ne,
    operator.lt: operator.gt,
    operator.le: operator.ge,
    operator.gt: operator.lt,
    operator.ge: operator.le,
}
ARITHMETIC: Mapping[Any, tuple[str, Operation]] = {
    exp.Add: ("+", operator.add),
    exp.Sub: ("-", operator.sub),
    exp.Mul: ("*", operator.mul),
}
CONNECTIVES: Mapping[Any, tuple[str, Operation]] = {
    exp.And: ("AND", operator.and_),
    exp.Or: ("OR", operator.or_),
}

_LARGEST = 1e31
"""Numbers have 38 digits, six of them after the point."""


def compared(compare: Operation, left: Typed, right: Typed) -> pl.Expr:
    """A comparison, with what uses no column on the right: on the left, Polars may lose the height of the frame."""
    if left.expr.meta.root_names():
        return compare(left.expr, right.expr)
    return _MIRRORED[compare](right.expr, left.expr)


def computed(compute: Callable[[Any, Any], Any], left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Exact arithmetic; null where a result would be too large for it, which would stop every key result at once."""
    roughly = compute(left.cast(pl.Float64), right.cast(pl.Float64))
    fits = roughly.abs() < _LARGEST
    exact: pl.Expr = compute(pl.when(fits).then(left), pl.when(fits).then(right))
    return exact.cast(DECIMAL)


def connected(connect: Operation, terms: list[pl.Expr]) -> pl.Expr:
    """Terms connected as a flat tree, so that a long chain is not a deep one."""
    while len(terms) > 1:
        terms = [reduce(connect, terms[at : at + 2]) for at in range(0, len(terms), 2)]
    return terms[0]
