"""The closed expression language as a tree: each node checked for its types and translated into Polars, or refused.

Belongs here: names, literals, conditions, arithmetic and choices. Does not: what operators compute
(`expression_operators`), functions (`expression_functions`), what may be written (`expression_text`), or what it is for
(`expressions`).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

import polars as pl
from sqlglot import exp

from kr_definitions.expression_functions import TRANSLATIONS
from kr_definitions.expression_operators import ARITHMETIC, COMPARISONS, CONNECTIVES, compared, computed, connected
from kr_definitions.expression_text import ALLOWED, FUNCTIONS, ExpressionError
from kr_definitions.expression_types import KINDS, ORDERED, Typed, condition, conversion, kind_of, quoted
from kr_definitions.vocabulary import DECIMAL

MOST_DEPTH = 48
"""Levels of the tree; AND and OR between any number of terms are one level."""

_BARE = (exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.Not, *COMPARISONS)
"""Conditions that SQL's dialects bind differently beside another comparison: they need parentheses there."""
_MOMENTS = (exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMPTZ)
_FLAGS = frozenset({"safe", "coalesce", "typed"})
"""Arguments that sqlglot sets by itself and that say nothing of the text."""
_IN_WORDS = {exp.Trim: "trim", exp.Substring: "substr", exp.SplitPart: "split_part", exp.RegexpLike: "regexp_matches"}


def translated(text: str, tree: exp.Expression, columns: Mapping[str, pl.DataType]) -> tuple[Typed, tuple[str, ...]]:
    """A tree that was parsed from `text`, translated; and the columns it uses. Raises `ExpressionError`."""
    if _depth(tree) > MOST_DEPTH:
        raise ExpressionError(text, 1, f"more than {MOST_DEPTH} operations inside one another", "Split it up")
    translator = Translator(text, columns)
    typed = translator.value(tree)
    if typed.kind == "null":
        raise ExpressionError(text, 1, "an expression that is always NULL", "Leave it out")
    return typed, tuple(sorted(translator.used))


class Translator:
    """Translates a tree node by node, each by a function of ours, and refuses a node that has none."""

    def __init__(self, text: str, columns: Mapping[str, pl.DataType]) -> None:
        self.text, self.columns = text, columns
        self.used: set[str] = set()
        self._translations: dict[Any, Callable[[Any], Typed]] = {
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.Boolean: lambda node: Typed(
                "boolean", pl.lit(node.this, pl.Boolean), str(node.this).upper(), literal=node.this
            ),
            exp.Null: lambda node: Typed("null", pl.lit(None), "NULL"),
            exp.Paren: lambda node: self.value(node.this),
            exp.Neg: self._negative,
            exp.Not: self._not,
            exp.Is: self._is,
            exp.In: self._in,
            exp.Between: self._between,
            exp.Like: self._like,
            exp.ILike: self._like,
            exp.Case: self._case,
            exp.Coalesce: self._coalesce,
            exp.Nullif: self._nullif,
            exp.Div: self._divided,
            **dict.fromkeys(COMPARISONS, self._comparison),
            **dict.fromkeys(ARITHMETIC, self._arithmetic),
            **dict.fromkeys(CONNECTIVES, self._connective),
        }

    def value(self, node: exp.Expression, kind: str | None = None, what: str = "") -> Typed:
        """The node translated; where `kind` is given (what `what` takes), anything else is refused."""
        typed = self._translated(node)
        if kind is not None and typed.kind != kind:
            self.refuse(node, f"{typed.shown} where {what} takes a {kind}", conversion(typed, kind))
        return typed

    def only(self, node: exp.Expression, *expected: str) -> None:
        """Refuse a node that says more than what its translation reads."""
        for key, value in node.args.items():
            if key not in expected and key not in _FLAGS and value not in (None, False, []):
                name = _IN_WORDS.get(type(node), type(node).__name__.lower())
                known = f"It is called as {FUNCTIONS[name]}" if name in FUNCTIONS else ALLOWED
                self.refuse(node, f"{name} with more than it takes ({key})", known)

    def text_literal(self, node: exp.Expression | None, what: str, *, may_be_empty: bool = True) -> str:
        """The value of an argument that is a text and written out."""
        literal = None if node is None else self.value(node).literal
        if not isinstance(literal, str) or not (literal or may_be_empty):
            self.refuse(node, f"{what} that is not a text", "It is written out: 'text'")
        return literal

    def whole_literal(self, node: exp.Expression | None, what: str, least: int, most: int) -> int:
        """The value of an argument that is a whole number and written out."""
        literal = None if node is None else self.value(node).literal
        if not isinstance(literal, Decimal) or literal % 1 != 0 or not least <= literal <= most:
            self.refuse(node, f"{what} that is no whole number from {least} to {most}", "It is written out: 2")
        return int(literal)

    def refuse(self, node: exp.Expression | None, found: str, do: str) -> NoReturn:
        """Raise `ExpressionError` at a node."""
        raise ExpressionError(self.text, (0 if node is None else _start(node)) + 1, found, do)

    def _translated(self, node: exp.Expression) -> Typed:
        if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast) and _is_moment(node):
            return self._moment(node)
        if (translation := self._translations.get(type(node))) is not None:
            return translation(node)
        if (function := TRANSLATIONS.get(type(node))) is not None:
            return function(self, node)
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()
        return self.refuse(node, f"{words}, which the language does not have", ALLOWED)

    # Names and literals

    def _column(self, node: exp.Column) -> Typed:
        self.only(node, "this")
        name = node.this.name
        if not isinstance(node.this, exp.Identifier) or name not in self.columns:
            self.refuse(node, f"an unknown column, {node.sql()}", ALLOWED)
        dtype = self.columns[name]
        kind = kind_of(dtype)
        if kind is None:
            self.refuse(node, f"{name}, a column of type {dtype}", f"Expressions hold {', '.join(KINDS)}")
        self.used.add(name)
        column = pl.col(name)
        return Typed(kind, column if dtype == KINDS[kind] else column.cast(KINDS[kind]), quoted(name, '"'))

    def _literal(self, node: exp.Literal) -> Typed:
        if node.is_string:
            return Typed("text", pl.lit(node.this, pl.String), quoted(node.this), literal=node.this)
        return self._number(node, Decimal(node.this))

    def _number(self, node: exp.Expression, number: Decimal) -> Typed:
        text = f"{number:f}"  # never through Decimal's arithmetic, which rounds to 28 digits
        text = text.rstrip("0").rstrip(".") if "." in text else text
        whole, _, decimals = text.lstrip("-").partition(".")
        if len(whole.lstrip("0")) > 32 or len(decimals) > 6:
            self.refuse(node, f"the number {number}", "Numbers have at most 32 digits and 6 decimals")
        return Typed("number", pl.lit(number, DECIMAL), text, is_atomic=number >= 0, literal=number)

    def _moment(self, node: exp.Cast) -> Typed:
        """DATE '…' and TIMESTAMPTZ '…', which sqlglot gives as casts of a text."""
        written, is_date = node.this.this, node.to.this == exp.DataType.Type.DATE
        shape = r"\d{4}-\d\d-\d\d" + ("" if is_date else r"[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([+-]\d\d:\d\d|Z)")
        how = "DATE '2026-01-31'" if is_date else "TIMESTAMPTZ '2026-01-31 09:30:00+01:00', with its offset"
        if not re.fullmatch(shape, written, re.ASCII):
            self.refuse(node, f"'{written}' as a {'date' if is_date else 'time'}", f"Write {how}")
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            self.refuse(node, f"'{written}', which is in no calendar", f"Write {how}")
        if is_date:
            day = moment.date()
            return Typed("date", pl.lit(day, KINDS["date"]), f"DATE '{day.isoformat()}'", literal=day)
        try:
            instant = moment.astimezone(UTC)
        except OverflowError:
            self.refuse(node, f"'{written}', a time outside the calendar", "Name one from the year 1 to the year 9999")
        normal = f"TIMESTAMPTZ '{instant.isoformat(sep=' ')}'"
        return Typed("instant", pl.lit(instant, KINDS["instant"]), normal, literal=instant)

    # Conditions

    def _comparison(self, node: exp.Binary) -> Typed:
        self.only(node, "this", "expression")
        sign, compare = COMPARISONS[type(node)]
        left, right = self._operands(node.this, node.expression)
        if sign not in ("=", "<>") and left.kind not in ORDERED:
            self.refuse(node, f"{sign} between two {left.kind}s", "They can be equal (=) or not (<>)")
        return condition(compared(compare, left, right), f"{left.inner} {sign} {right.inner}")

    def _operands(self, *nodes: exp.Expression) -> list[Typed]:
        """What is compared with one another: values of one kind, none of them NULL as such."""
        values: list[Typed] = []
        for node in nodes:
            if isinstance(node, _BARE):
                self.refuse(node, "a condition beside a comparison", "Put the condition in parentheses")
            value = self.value(node)
            if value.kind == "null":
                self.refuse(node, "a comparison with NULL, which never holds", "Write IS NULL or IS NOT NULL")
            if values and value.kind != values[0].kind:
                self._refuse_unlike(nodes[0], values[0], node, value)
            values.append(value)
        return values

    def _refuse_unlike(self, one: exp.Expression, left: Typed, other: exp.Expression, right: Typed) -> NoReturn:
        if left.literal is not None and right.literal is None:
            one, left, other, right = other, right, one, left
        self.refuse(other, f"{right.shown} beside {left.shown}", conversion(right, left.kind))

    def _connective(self, node: exp.Connector) -> Typed:
        word, connect = CONNECTIVES[type(node)]
        parts = [self.value(term, "boolean", word) for term in terms(node)]
        together = connected(connect, [part.expr for part in parts])
        return condition(together, f" {word} ".join(part.inner for part in parts))

    def _not(self, node: exp.Not) -> Typed:
        self.only(node, "this")
        term = self.value(node.this, "boolean", "NOT")
        return condition(~term.expr, f"NOT {term.inner}")

    def _is(self, node: exp.Is) -> Typed:
        self.only(node, "this", "expression")
        if isinstance(node.this, _BARE):
            self.refuse(node.this, "a condition before IS", "Put the condition in parentheses")
        if isinstance(node.expression, exp.Null):
            term = self.value(node.this)
            return condition(term.expr.is_null(), f"{term.inner} IS NULL")
        if not isinstance(node.expression, exp.Boolean):
            self.refuse(node, f"IS {node.expression.sql()}", "After IS stands [NOT] NULL, TRUE or FALSE")
        term, truth = self.value(node.this, "boolean", "IS TRUE"), node.expression.this
        holds = (term.expr if truth else ~term.expr).fill_null(value=False)
        return condition(holds, f"{term.inner} IS {str(truth).upper()}")

    def _in(self, node: exp.In) -> Typed:
        self.only(node, "this", "expressions")
        if not node.expressions:
            self.refuse(node, "IN without a list", "Write IN ('a', 'b')")
        term, *members = self._operands(node.this, *node.expressions)
        for member, written in zip(members, node.expressions, strict=True):
            if member.literal is None:
                self.refuse(written, f"{member.shown} in an IN list, which takes literals", "Write a = b OR a = c")
        known = {member.literal: member for member in members}
        listed = [known[literal] for literal in sorted(known)]
        among = pl.lit([member.literal for member in listed], dtype=pl.List(KINDS[term.kind]))
        return condition(term.expr.is_in(among), f"{term.inner} IN ({', '.join(member.text for member in listed)})")

    def _between(self, node: exp.Between) -> Typed:
        self.only(node, "this", "low", "high")
        term, low, high = self._operands(node.this, node.args["low"], node.args["high"])
        if term.kind not in ORDERED:
            self.refuse(node, f"BETWEEN of {term.kind}s", "It takes text, numbers, dates or instants")
        inside = compared(operator.ge, term, low) & compared(operator.le, term, high)
        return condition(inside, f"{term.inner} BETWEEN {low.inner} AND {high.inner}")

    def _like(self, node: exp.Like | exp.ILike) -> Typed:
        self.only(node, "this", "expression", "negate")
        word = "ILIKE" if isinstance(node, exp.ILike) else "LIKE"
        term = self.value(node.this, "text", word)
        pattern = self.text_literal(node.expression, f"{word}'s pattern")
        parts = [{"%": ".*", "_": "."}.get(part, re.escape(part)) for part in re.split("([%_])", pattern)]
        flags = "(?si)" if word == "ILIKE" else "(?s)"
        holds, text = term.expr.str.contains(f"{flags}^{''.join(parts)}$"), f"{term.inner} {word} {quoted(pattern)}"
        return condition(~holds, f"NOT ({text})") if node.args.get("negate") else condition(holds, text)

    # Arithmetic

    def _negative(self, node: exp.Neg) -> Typed:
        self.only(node, "this")
        term = self.value(node.this, "number", "-")
        if term.literal is not None:
            return self._number(node, term.literal.copy_negate())
        return Typed("number", -term.expr, f"- {term.inner}", is_atomic=False)

    def _arithmetic(self, node: exp.Binary) -> Typed:
        self.only(node, "this", "expression")
        sign, compute = ARITHMETIC[type(node)]
        left, right = self.value(node.this, "number", sign), self.value(node.expression, "number", sign)
        result = computed(compute, left.expr, right.expr)
        return Typed("number", result, f"{left.inner} {sign} {right.inner}", is_atomic=False)

    def _divided(self, node: exp.Div) -> Typed:
        self.only(node, "this", "expression")
        left, right = self.value(node.this, "number", "/"), self.value(node.expression, "number", "/")
        if right.literal == Decimal(0):
            self.refuse(node.expression, "a division by zero", "Divide by something else")
        divisor = right.expr if right.literal is not None else pl.when(right.expr != Decimal(0)).then(right.expr)
        result = computed(operator.truediv, left.expr, divisor)
        return Typed("number", result, f"{left.inner} / {right.inner}", is_atomic=False)

    # Choices

    def _case(self, node: exp.Case) -> Typed:
        self.only(node, "this", "ifs", "default")
        branches, default = node.args["ifs"], node.args.get("default") or exp.Null()
        tests = [self._case_test(node, branch) for branch in branches]
        kind, (*results, otherwise) = self._of_one_kind(*(branch.args["true"] for branch in branches), default)
        chain: Any = pl
        for test, result in zip(tests, results, strict=True):
            chain = chain.when(test.expr).then(result.expr)
        chosen = chain.otherwise(otherwise.expr).cast(KINDS[kind])
        listed = " ".join(f"WHEN {test.text} THEN {one.text}" for test, one in zip(tests, results, strict=True))
        return Typed(kind, chosen, f"CASE {listed} ELSE {otherwise.text} END")

    def _case_test(self, node: exp.Case, branch: exp.If) -> Typed:
        self.only(branch, "this", "true")
        if node.this is None:
            return self.value(branch.this, "boolean", "CASE WHEN")
        term, value = self._operands(node.this, branch.this)
        return condition(compared(operator.eq, term, value), f"{term.inner} = {value.inner}")

    def _coalesce(self, node: exp.Coalesce) -> Typed:
        self.only(node, "this", "expressions")
        kind, terms = self._of_one_kind(node.this, *node.expressions)
        *before, last = [term.expr for term in terms]
        chain: Any = pl
        for term in before:
            chain = chain.when(term.is_not_null()).then(term)
        first = chain.otherwise(last) if before else last
        return Typed(kind, first.cast(KINDS[kind]), f"coalesce({', '.join(term.text for term in terms)})")

    def _nullif(self, node: exp.Nullif) -> Typed:
        self.only(node, "this", "expression")
        term, other = self._operands(node.this, node.expression)
        is_other = compared(operator.eq, term, other).fill_null(value=False)
        return Typed(term.kind, pl.when(~is_other).then(term.expr), f"nullif({term.text}, {other.text})")

    def _of_one_kind(self, *nodes: exp.Expression) -> tuple[str, list[Typed]]:
        """Values to choose from: of one kind, or NULL."""
        values = [self.value(node) for node in nodes]
        known = [(node, value) for node, value in zip(nodes, values, strict=True) if value.kind != "null"]
        if not known:
            self.refuse(nodes[0], "nothing but NULL", "Name a value")
        for node, value in known[1:]:
            if value.kind != known[0][1].kind:
                self._refuse_unlike(*known[0], node, value)
        return known[0][1].kind, values


def _is_moment(node: exp.Cast) -> bool:
    return node.to.this in _MOMENTS and isinstance(node.this, exp.Literal) and bool(node.this.is_string)


def terms(node: exp.Connector) -> Iterator[exp.Expression]:
    """The terms of a chain of ANDs, or of ORs, from left to right, without recursion."""
    pending: list[exp.Expression] = [node]
    while pending:
        term = pending.pop()
        while isinstance(term, exp.Paren):
            term = term.this
        if type(term) is type(node):
            pending += [term.expression, term.this]
        else:
            yield term


def _depth(tree: exp.Expression) -> int:
    deepest, pending = 0, [(tree, 1)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        parts = terms(node) if isinstance(node, exp.Connector) else node.iter_expressions()
        pending += [(part, depth + 1) for part in parts]
    return deepest


def _start(node: exp.Expression) -> int:
    """Where a node begins in the text: sqlglot notes it for names, literals and functions."""
    return int(min((part.meta["start"] for part in node.walk() if "start" in part.meta), default=0))
