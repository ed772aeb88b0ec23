"""What can be said of a filter without any event: whether it ever holds, and which values it asks for.

Belongs here: deciding that from the expression alone. Does not: what an expression may say (`expressions`), what a
column can hold (`vocabulary`), or what is done about it (`rules`).

A filter that compares columns and chooses between them can tell no more cases apart than the values that it names, what
lies between them, and nothing (NULL). It is tried on all of those. What it computes (`lower(market)`, `a + b`) stands
for a column of its own, that can hold whatever the function can give: so less may be said than is true, never more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import product
from math import prod
from typing import Any, Literal

import polars as pl
from sqlglot import exp

from kr_definitions.expression_text import ExpressionError, parsed
from kr_definitions.expression_tree import Translator, terms
from kr_definitions.expression_types import KINDS, kind_of
from kr_definitions.expressions import predicate
from kr_definitions.vocabulary import ANYTHING, Domain

Verdict = Literal["always", "known", "never"]
"""always: it leaves nothing out. known: it leaves out nothing but what is empty. never: it leaves nothing."""

MOST_CASES = 20_000

_COMPARED = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Is)
_CONNECTED = (exp.And, exp.Or, exp.Not, exp.Paren)
_CHOSEN = (exp.Case, exp.If, exp.Coalesce, exp.Nullif)
_SETTLING = (exp.Lower, exp.Upper, exp.Trim, exp.Abs, exp.Round)
"""Functions that leave alone what they have given: they give nothing that they would change."""
_SMALLEST, _LARGEST = Decimal("0.000001"), Decimal(10) ** 32
_LAST_CHARACTER, _BEFORE_GAP, _AFTER_GAP = 0x10FFFF, 0xD7FF, 0xE000


def verdict(
    text: str, columns: Mapping[str, pl.DataType], domains: Mapping[str, Domain], *, where_known: bool = False
) -> Verdict | None:
    """Whether a filter holds always, or never; None where it depends on the event, or cannot be told.

    domains: what columns can hold, where that is known. where_known: of the events for which the filter is neither true
    nor false, nothing is asked. Raises `ExpressionError`.
    """
    predicate(text, columns)
    question = _Question(text, columns, domains)
    cases = question.cases()
    if cases is None:
        return None
    schema = {name: question.columns[name] for name in cases} or {"_": pl.Boolean()}
    frame = pl.DataFrame(list(product(*cases.values())) if cases else [(True,)], schema=schema, orient="row")
    told = frame.with_columns(question.condition().alias("\x1fholds"))
    holds = told.get_column("\x1fholds")
    if not holds.any():
        return "never"
    if (holds.drop_nulls() if where_known else holds.fill_null(value=False)).all():
        return "always"
    known = told.drop_nulls(list(cases)).get_column("\x1fholds")
    return "known" if question.asks_for_values and known.len() and known.fill_null(value=False).all() else None


def excludes(texts: Sequence[str], columns: Mapping[str, pl.DataType], domains: Mapping[str, Domain]) -> bool:
    """Whether no event is all that these filters say, although it may be what each of them says."""
    try:
        return verdict(" AND ".join(f"({text})" for text in texts), columns, domains) == "never"
    except ExpressionError:  # each can be read, all of them together are too long
        return False


def asked(text: str, columns: Mapping[str, pl.DataType]) -> Iterator[tuple[str, str]]:
    """Each column that a filter holds to be equal to a written text, and that text. Raises `ExpressionError`."""
    translator, tree = Translator(text, columns), parsed(text, columns)
    for column in tree.find_all(exp.Column):
        inner = _in_parentheses(column)
        parent = inner.parent
        if isinstance(parent, exp.EQ | exp.NEQ | exp.In):
            for node in parent.iter_expressions():
                literal = None if node is inner else translator.value(node).literal
                if isinstance(literal, str):
                    yield column.name, literal


@dataclass
class _Group:
    """Columns that are compared with one another, and the values that they are compared with."""

    names: set[str] = field(default_factory=set)
    written: set[Any] = field(default_factory=set)


class _Question:
    """A filter in which what is computed has become columns, and the values that tell its cases apart."""

    def __init__(self, text: str, columns: Mapping[str, pl.DataType], domains: Mapping[str, Domain]) -> None:
        self.columns, self.domains = dict(columns), dict(domains)
        self._text, self._translator = text, Translator(text, columns)
        self._computed: dict[str, tuple[str, exp.Expression]] = {}
        self._groups: list[_Group] = []
        self._tree = exp.Paren(this=parsed(text, columns))
        self._abstract(self._tree)
        for atom in _atoms(self._tree):
            self._group(atom)

    def condition(self) -> pl.Expr:
        """The filter over the columns that `cases` has."""
        return Translator(self._text, self.columns).value(self._tree).expr

    @property
    def asks_for_values(self) -> bool:
        """Whether it asks for more than which columns are empty, and for nothing that is computed."""
        columns = self._tree.find_all(exp.Column)
        is_of_values = any(not isinstance(_in_parentheses(column).parent, exp.Is) for column in columns)
        return is_of_values and not self._computed

    def cases(self) -> dict[str, list[Any]] | None:
        """Values of each column that stand for all the cases that can be told apart; None where there are too many."""
        names = dict.fromkeys(column.name for column in self._tree.find_all(exp.Column))
        cases = {name: self._values(name) for name in names}
        return cases if prod(len(values) for values in cases.values()) <= MOST_CASES else None

    # What is computed

    def _abstract(self, node: exp.Expression) -> None:
        """Put a column of its own in the place of each part that computes something of a column."""
        used = {column.name for column in node.find_all(exp.Column)}
        if not used or isinstance(node, exp.Column):
            return
        if isinstance(node, exp.Connector):
            for term in terms(node):
                self._abstract(term)
        elif isinstance(node, (*_COMPARED, *_CONNECTED, *_CHOSEN)) or _beginning(node) is not None:
            for part in list(node.iter_expressions()):
                self._abstract(part)
        elif not all(self._is_closed(name) for name in used):
            node.replace(exp.column(self._stands_for(node), quoted=True))

    def _stands_for(self, node: exp.Expression) -> str:
        """The column that stands for a part; the same for two that are the same."""
        typed = self._translator.value(node)
        if typed.text not in self._computed:
            name = f"\x1f{len(self._computed)}"
            self._computed[typed.text] = name, node.copy()
            self.columns[name] = KINDS[typed.kind]
            if isinstance(node, exp.Length | exp.Abs):
                self.domains[name] = Domain(least=Decimal(0))
        return self._computed[typed.text][0]

    def _is_closed(self, name: str) -> bool:
        return kind_of(self.columns[name]) == "boolean" or bool(self._domain(name).values)

    def _domain(self, name: str) -> Domain:
        return self.domains.get(name, ANYTHING)

    # What is compared with what

    def _group(self, atom: exp.Expression) -> None:
        """Join what a condition compares to the groups of its columns."""
        group = _Group({column.name for column in atom.find_all(exp.Column)}, set(self._written(atom)))
        apart = []
        for other in self._groups:
            if other.names & group.names:
                group = _Group(other.names | group.names, other.written | group.written)
            else:
                apart.append(other)
        self._groups = [*apart, group]

    def _written(self, node: exp.Expression) -> Iterator[Any]:
        """The values that a condition names, those that its columns end at, and what it computes of few values."""
        if isinstance(node, exp.Column):
            domain = self._domain(node.name)
            yield from (*domain.values, *domain.ends)
            return
        names = list(dict.fromkeys(column.name for column in node.find_all(exp.Column)))
        beginning = _beginning(node)
        if beginning is not None:
            yield from (beginning, _after_all_with(beginning))
        is_choice = isinstance(node, (*_COMPARED, *_CONNECTED, *_CHOSEN)) or beginning is not None
        if not is_choice and all(self._is_closed(name) for name in names):
            yield from self._given(node, names)
        for part in node.iter_expressions() if is_choice or names else ():
            yield from self._written(part)

    def _given(self, node: exp.Expression, names: Sequence[str]) -> Iterator[Any]:
        """What a part gives for all that its columns can hold."""
        if isinstance(node, exp.Null | exp.Boolean):
            return
        rows = list(product(*(self._values(name) for name in names)))
        schema = {name: self.columns[name] for name in names} or {"_": pl.Boolean()}
        frame = pl.DataFrame(rows if names else [(True,)], schema=schema, orient="row")
        yield from frame.select(Translator(self._text, self.columns).value(node).expr).to_series().drop_nulls()

    # What stands for all cases

    def _values(self, name: str) -> list[Any]:
        kind, domain = kind_of(self.columns[name]), self._domain(name)
        nothing = [None] if domain.is_nullable else []
        if kind == "boolean":
            return [True, False, *nothing]
        if domain.values:
            return [*domain.values, *nothing]
        group = next((one for one in self._groups if name in one.names), _Group())
        alike = sum(kind_of(self.columns[other]) == kind for other in group.names) or 1
        written = {value for value in group.written if _kind(value) == kind}
        near = {value for one in written or _ANY[str(kind)] for value in _near(one, alike)} | written
        if kind == "text":
            near |= {"\0" * n for n in range(alike + 1)}
        possible = {value for value in near if domain.holds(value) and (value not in written or self._can(name, value))}
        return [*sorted(possible), *nothing]

    def _can(self, name: str, value: Any) -> bool:
        """Whether a column can hold a value, as far as the function that it stands for says."""
        node = next((node for known, node in self._computed.values() if known == name), None)
        if isinstance(node, exp.Length):
            return bool(value == value.to_integral_value())
        if not isinstance(node, _SETTLING):
            return True
        again = node.copy()
        again.set("this", exp.column("\x1f", quoted=True))
        columns = {"\x1f": self.columns[name]}
        settled = Translator(self._text, columns).value(again).expr
        return bool(pl.DataFrame({"\x1f": [value]}, schema=columns).select(settled).item() == value)


def _in_parentheses(node: exp.Expression) -> exp.Expression:
    """A node with the parentheses around it."""
    while isinstance(node.parent, exp.Paren):
        node = node.parent
    return node


def _atoms(node: exp.Expression) -> Iterator[exp.Expression]:
    """The conditions that a filter connects."""
    pending = [node]
    while pending:
        inner = pending.pop()
        if isinstance(inner, exp.Connector):
            pending += terms(inner)
        elif isinstance(inner, exp.Not | exp.Paren):
            pending.append(inner.this)
        else:
            yield inner


def _beginning(node: exp.Expression) -> str | None:
    """What a text has to begin with; None for a node that asks for something else."""
    is_like = isinstance(node, exp.Like) and node.expression.is_string
    if is_like and not (set("%_") & set(beginning := str(node.expression.this).rstrip("%"))):
        return beginning
    if isinstance(node, exp.StartsWith) and node.expression.is_string:
        return str(node.expression.this)
    return None


def _after_all_with(beginning: str) -> str:
    """The first text after all that begin so."""
    shortened = beginning.rstrip(chr(_LAST_CHARACTER))
    if not shortened:
        return beginning
    following = _AFTER_GAP if ord(shortened[-1]) == _BEFORE_GAP else ord(shortened[-1]) + 1
    return shortened[:-1] + chr(following)


_ANY: Mapping[str, set[Any]] = {
    "text": {"a"},
    "number": {Decimal(0)},
    "date": {date(2000, 1, 1)},
    "instant": {datetime(2000, 1, 1, tzinfo=UTC)},
}


def _kind(value: Any) -> str:
    if isinstance(value, datetime):
        return "instant"
    kinds: dict[type, str] = {str: "text", Decimal: "number", date: "date"}
    return kinds.get(type(value), "boolean")


def _near(value: Any, alike: int) -> Iterator[Any]:
    """So many values next to one, on either side; of a text, after it: before it there is the next shorter one."""
    steps = [step for n in range(1, alike + 1) for step in (-n, n)]
    if isinstance(value, str):
        yield from (value + "\0" * n for n in range(1, alike + 1))
    elif isinstance(value, Decimal):
        with localcontext(prec=60):
            yield from (near for n in steps if abs(near := value + n * _SMALLEST) < _LARGEST)
    else:
        step = timedelta(microseconds=1) if isinstance(value, datetime) else timedelta(days=1)
        for n in steps:
            try:
                yield value + n * step
            except OverflowError:  # before the first day of the calendar, or after its last one
                continue
