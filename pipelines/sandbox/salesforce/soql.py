"""SOQL, as much of it as is asked here: reading a query strictly, and finding the rows that it means.

Belongs here: the grammar, which fields are known, conditions, order and limit. Does not: HTTP, batches (`app`), or what
the rows say (`records`).

What is not understood is refused as Salesforce refuses it: MALFORMED_QUERY for a query that is no query, INVALID_FIELD
and INVALID_TYPE for what the org does not have. A slip in a client's query is not forgiven by being lenient.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^'\\]|\\.)*')
  | (?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))
  | (?P<date>\d{4}-\d\d-\d\d)
  | (?P<number>-?\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
  | (?P<sign>!=|>=|<=|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_ORDERED = {">", ">=", "<", "<="}


class Refused(Exception):
    """A query that Salesforce refuses."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Sobject:
    """What can be asked of one kind of record: its fields with their types, what it belongs to, and its children."""

    fields: Mapping[str, str]
    parents: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """A query that was understood. kinds: of `TYPEOF`, relationship -> kind of record -> its fields."""

    source: str
    selected: tuple[str, ...]
    kinds: Mapping[str, Mapping[str, tuple[str, ...]]]
    children: tuple[Query, ...]
    test: Test
    order: tuple[str, ...]
    limit: int | None

    def matching(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that are meant, in order."""
        found = [row for row in rows if self.test(row)]
        for name in reversed(self.order):
            found.sort(key=lambda row: (row.get(name) is not None, row.get(name)))
        return found if self.limit is None else found[: self.limit]


def understood(soql: str, org: Mapping[str, Sobject]) -> Query:
    """The query that a text is. Raises `Refused`."""
    reader = _Reader(soql, org)
    query = reader.query(None)
    if reader.peek()[1]:
        raise reader.malformed()
    return query


class _Reader:
    """Reads a query word by word."""

    def __init__(self, soql: str, org: Mapping[str, Sobject]) -> None:
        self.soql, self.org, self.at = soql, org, 0
        self.tokens: list[tuple[str, str, int]] = []
        place = 0
        while soql[place:].strip():
            found = _TOKEN.match(soql, place)
            if found is None or found.lastgroup is None:
                raise Refused("MALFORMED_QUERY", f"unexpected token: '{soql[place:].strip()[:20]}'")
            self.tokens.append((found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
            place = found.end()

    def peek(self) -> tuple[str, str]:
        """The kind of the next token, and its text; nothing at the end."""
        return self.tokens[self.at][:2] if self.at < len(self.tokens) else ("", "")

    def malformed(self) -> Refused:
        """The error for what stands here."""
        place = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.soql)
        found = f"unexpected token: '{self.peek()[1]}'" if self.peek()[1] else "unexpected end of query"
        return Refused("MALFORMED_QUERY", f"\n{self.soql}\nERROR at Row:1:Column:{place + 1}\n{found}")

    def is_next(self, word: str) -> bool:
        """Whether the next token is this one; then it has been read."""
        if self.peek()[1].upper() != word:
            return False
        self.at += 1
        return True

    def need(self, word: str) -> None:
        """The next token has to be this one."""
        if not self.is_next(word):
            raise self.malformed()

    def take(self, *kinds: str) -> str:
        """The next token, of one of these kinds."""
        kind, text = self.peek()
        if kind not in kinds:
            raise self.malformed()
        self.at += 1
        return text

    def number(self) -> int:
        """A whole number."""
        text = self.take("number")
        if not text.isdigit():
            raise self.malformed()
        return int(text)

    def query(self, parent: Sobject | None) -> Query:
        """SELECT … FROM … [WHERE …] [ORDER BY …] [LIMIT …]; parent: of the one in whose SELECT it stands."""
        self.need("SELECT")
        selected, kinds, begun = [], {}, []
        while True:
            if self.peek()[1] == "(" and parent is None:
                begun.append(self.at)
                self._skip()
            elif self.is_next("TYPEOF"):
                name = self.take("word")
                kinds[name] = self._kinds()
            else:
                selected.append(self.take("word"))
            if not self.is_next(","):
                break
        self.need("FROM")
        source = self._source(parent)
        known = self.org[source]
        for name in selected:
            self._require(source, name)
        after_source = self.at
        children = tuple(self._child(start, known) for start in begun)
        self.at = after_source
        test = self._any(source) if self.is_next("WHERE") else _everything
        order = self._order(source) if self.is_next("ORDER") else ()
        limit = self.number() if self.is_next("LIMIT") else None
        name = self.tokens[after_source - 1][1]
        return Query(name, tuple(selected), kinds, children, test, order, limit)

    def _skip(self) -> None:
        """Over a child's query, which can be understood only when it is known whose child it is."""
        depth = 0
        while True:
            kind, text = self.peek()
            if not kind:
                raise self.malformed()
            depth += {"(": 1, ")": -1}.get(text, 0) if kind == "sign" else 0
            self.at += 1
            if depth == 0:
                return

    def _child(self, start: int, parent: Sobject) -> Query:
        self.at = start
        self.need("(")
        child = self.query(parent)
        self.need(")")
        return child

    def _source(self, parent: Sobject | None) -> str:
        name = self.take("word")
        if parent is not None and name not in parent.children:
            raise Refused("INVALID_TYPE", f"Didn't understand relationship '{name}' in FROM part of query call.")
        if parent is None and name not in self.org:
            raise Refused("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return name if parent is None else parent.children[name]

    def _kinds(self) -> dict[str, tuple[str, ...]]:
        found = {}
        while self.is_next("WHEN"):
            kind = self.take("word")
            self.need("THEN")
            names = [self.take("word")]
            while self.is_next(","):
                names.append(self.take("word"))
            if kind not in self.org:
                raise Refused("INVALID_TYPE", f"sObject type '{kind}' is not supported.")
            for name in names:
                self._require(kind, name)
            found[kind] = tuple(names)
        self.need("END")
        return found

    def _require(self, source: str, path: str) -> str:
        """The type of a field. Raises `Refused` where there is none."""
        name, _, rest = path.partition(".")
        known = self.org[source]
        if rest and name in known.parents:
            return self._require(known.parents[name], rest)
        if rest or name not in known.fields:
            raise Refused(
                "INVALID_FIELD",
                f"\nERROR at Row:1:Column:1\nNo such column '{rest or name}' on entity '{source}'. If you are "
                "attempting to use a custom field, be sure to append the '__c' after the custom field name.",
            )
        return known.fields[name]

    def _order(self, source: str) -> tuple[str, ...]:
        self.need("BY")
        names = []
        while True:
            names.append(self.take("word"))
            self._require(source, names[-1])
            self.is_next("ASC")
            if not self.is_next(","):
                return tuple(names)

    def _any(self, source: str) -> Test:
        """Conditions, all joined by AND or all by OR: mixing them needs brackets."""
        tests = [self._one(source)]
        joint = self.peek()[1].upper()
        if joint not in ("AND", "OR"):
            return tests[0]
        while self.is_next(joint):
            tests.append(self._one(source))
        if self.peek()[1].upper() in ("AND", "OR"):
            raise self.malformed()
        if joint == "AND":
            return lambda row: all(test(row) for test in tests)
        return lambda row: any(test(row) for test in tests)

    def _one(self, source: str) -> Test:
        if self.is_next("("):
            test = self._any(source)
            self.need(")")
            return test
        name = self.take("word")
        type_ = self._require(source, name)
        if type_ == "anyType":
            raise Refused("INVALID_FIELD", f"field '{name}' can not be filtered in a query call")
        if self.is_next("IN"):
            self.need("(")
            values = [self._value(name, type_)]
            while self.is_next(","):
                values.append(self._value(name, type_))
            self.need(")")
            return lambda row: row.get(name) in values
        sign = self.take("sign")
        if sign not in _SIGNS:
            raise self.malformed()
        compare, wanted = _SIGNS[sign], self._value(name, type_)
        if sign in _ORDERED:
            return lambda row: row.get(name) is not None and compare(row[name], wanted)
        return lambda row: compare(row.get(name), wanted)

    def _value(self, name: str, type_: str) -> Any:
        kind, text = self.peek()
        self.at += 1
        if kind == "word" and text.lower() == "null":
            return None
        given = {"text": "string", "instant": "datetime", "number": "double"}.get(kind, kind)
        if kind == "word" and text.lower() in ("true", "false"):
            given = "boolean"
        if given != _LITERALS.get(type_, "string"):
            raise Refused("INVALID_FIELD", f"value of filter criterion for field '{name}' must be of type {type_}")
        if given == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if given == "datetime":
            return text_of(datetime.fromisoformat(text))
        if given == "boolean":
            return text.lower() == "true"
        return float(text) if given == "double" else text


_LITERALS = {"datetime": "datetime", "date": "date", "boolean": "boolean", "double": "double", "currency": "double"}


def _everything(row: Row) -> bool:
    return True


def text_of(instant: datetime) -> str:
    """An instant as Salesforce writes it."""
    at = instant.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def shown(query: Query, row: Row, children: Mapping[str, Sequence[Row]], kind: str) -> dict[str, Any]:
    """A row with what the query selects."""
    found: dict[str, Any] = {"attributes": {"type": kind, "url": f"/services/data/sobjects/{kind}/{row.get('Id')}"}}
    for path in query.selected:
        _put(found, row, path)
    for name, fields in query.kinds.items():
        other = row.get(name)
        if other is None:
            found[name] = None
            continue
        type_ = other["attributes"]["type"]
        found[name] = {"attributes": {"type": type_}, **{one: other.get(one) for one in fields.get(type_, ())}}
    return {**found, **children}


def _put(found: dict[str, Any], row: Row, path: str) -> None:
    name, _, rest = path.partition(".")
    if not rest:
        found[name] = row.get(name)
    elif row.get(name) is None:
        found[name] = None
    else:
        _put(found.setdefault(name, {"attributes": {"type": name}}), row[name], rest)
