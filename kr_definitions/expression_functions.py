"""The functions and casts of the closed expression language, one translation each.

Belongs here: what `lower`, `substr`, `round`, CAST, … are in Polars. Does not: operators and conditions
(`expression_tree`). How each is called stands in `expression_text.FUNCTIONS`.

Whatever is not row by row, may raise on some row, or takes more than linear time has no place here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import polars as pl
from sqlglot import exp

from kr_definitions.expression_text import MOST_CHARACTERS, TYPES
from kr_definitions.expression_types import Typed, condition, quoted
from kr_definitions.vocabulary import DECIMAL


class Tree(Protocol):
    """What a function's translation needs of the translator of the tree around it."""

    def value(self, node: exp.Expression, kind: str | None = None, what: str = "") -> Typed:
        """A part translated, of a kind."""
        ...

    def only(self, node: exp.Expression, *expected: str) -> None:
        """Refuse a node that says more than this."""
        ...

    def text_literal(self, node: exp.Expression | None, what: str, *, may_be_empty: bool = True) -> str:
        """A text that is written out."""
        ...

    def whole_literal(self, node: exp.Expression | None, what: str, least: int, most: int) -> int:
        """A whole number that is written out."""
        ...

    def refuse(self, node: exp.Expression | None, found: str, do: str) -> Any:
        """Raise an error at a node."""
        ...


Translation = Callable[[Tree, Any], Typed]


def _of_text(name: str, compute: Callable[[pl.Expr], pl.Expr]) -> Translation:
    def translation(tree: Tree, node: exp.Func) -> Typed:
        tree.only(node, "this")
        term = tree.value(node.this, "text", name)
        return Typed("text", compute(term.expr), f"{name}({term.text})")

    return translation


def _about_text(name: str, holds: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Translation:
    def translation(tree: Tree, node: exp.Func) -> Typed:
        tree.only(node, "this", "expression")
        term, part = tree.value(node.this, "text", name), tree.value(node.expression, "text", name)
        return condition(holds(term.expr, part.expr), f"{name}({term.text}, {part.text})", is_atomic=True)

    return translation


def _length(tree: Tree, node: exp.Length) -> Typed:
    tree.only(node, "this")
    term = tree.value(node.this, "text", "length")
    return Typed("number", term.expr.str.len_chars().cast(DECIMAL), f"length({term.text})")


def _substr(tree: Tree, node: exp.Substring) -> Typed:
    tree.only(node, "this", "start", "length")
    term = tree.value(node.this, "text", "substr")
    first = tree.whole_literal(node.args.get("start"), "substr's first character", 1, MOST_CHARACTERS)
    if node.args.get("length") is None:
        return Typed("text", term.expr.str.slice(first - 1), f"substr({term.text}, {first})")
    most = tree.whole_literal(node.args["length"], "substr's length", 0, MOST_CHARACTERS)
    return Typed("text", term.expr.str.slice(first - 1, most), f"substr({term.text}, {first}, {most})")


def _split_part(tree: Tree, node: exp.SplitPart) -> Typed:
    tree.only(node, "this", "delimiter", "part_index")
    term = tree.value(node.this, "text", "split_part")
    separator = tree.text_literal(node.args.get("delimiter"), "split_part's separator", may_be_empty=False)
    which = tree.whole_literal(node.args.get("part_index"), "split_part's part", 1, MOST_CHARACTERS)
    part = term.expr.str.split(separator).list.get(which - 1, null_on_oob=True).fill_null("")
    found = pl.when(term.expr.is_not_null()).then(part)
    return Typed("text", found, f"split_part({term.text}, {quoted(separator)}, {which})")


def _replace(tree: Tree, node: exp.Replace) -> Typed:
    tree.only(node, "this", "expression", "replacement")
    term = tree.value(node.this, "text", "replace")
    old = tree.text_literal(node.expression, "replace's text to find", may_be_empty=False)
    new = tree.text_literal(node.args.get("replacement"), "replace's new text")
    replaced = term.expr.str.replace_all(old, new, literal=True)
    return Typed("text", replaced, f"replace({term.text}, {quoted(old)}, {quoted(new)})")


def _joined(tree: Tree, node: exp.DPipe) -> Typed:
    tree.only(node, "this", "expression")
    left, right = tree.value(node.this, "text", "||"), tree.value(node.expression, "text", "||")
    return Typed("text", pl.concat_str(left.expr, right.expr), f"{left.inner} || {right.inner}", is_atomic=False)


def _concat(tree: Tree, node: exp.Concat) -> Typed:
    """As in DuckDB and PostgreSQL: an empty part is skipped, where || makes the whole empty."""
    tree.only(node, "expressions")
    terms = [tree.value(term, "text", "concat") for term in node.expressions]
    joined = pl.concat_str([term.expr for term in terms], ignore_nulls=True)
    return Typed("text", joined, f"concat({', '.join(term.text for term in terms)})")


def _regexp_matches(tree: Tree, node: exp.RegexpLike) -> Typed:
    """Polars' patterns match in time linear to the text."""
    tree.only(node, "this", "expression")
    term = tree.value(node.this, "text", "regexp_matches")
    pattern = tree.text_literal(node.expression, "regexp_matches' pattern")
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError:
        how = "It is a pattern of RE2's kind: no look-around, no back-references, not too large"
        tree.refuse(node.expression, f"the pattern '{pattern[:60]}', which is not valid", how)
    text = f"regexp_matches({term.text}, {quoted(pattern)})"
    return condition(term.expr.str.contains(pattern), text, is_atomic=True)


def _abs(tree: Tree, node: exp.Abs) -> Typed:
    tree.only(node, "this")
    term = tree.value(node.this, "number", "abs")
    return Typed("number", term.expr.abs(), f"abs({term.text})")


def _round(tree: Tree, node: exp.Round) -> Typed:
    """Half away from zero, as SQL rounds exact numbers."""
    tree.only(node, "this", "decimals")
    term, places = tree.value(node.this, "number", "round"), node.args.get("decimals")
    decimals = 0 if places is None else tree.whole_literal(places, "round's decimals", 0, 6)
    rounded = term.expr.round(decimals, mode="half_away_from_zero").cast(DECIMAL)
    return Typed("number", rounded, f"round({term.text}, {decimals})")


def _cast(tree: Tree, node: exp.Cast | exp.TryCast) -> Typed:
    tree.only(node, "this", "to")
    kind = _TARGETS.get(node.to.this)
    if kind is None:
        tree.refuse(node, f"a cast to {node.to.sql()}", f"The types are {', '.join(TYPES)}")
    assert kind is not None
    term = tree.value(node.this)
    if term.kind == kind:
        return term
    compute = _CASTS.get((term.kind, kind))
    if compute is None:
        tree.refuse(node, f"a cast from {term.kind} to {kind}", "There are casts to TEXT, and TRY_CAST from text")
    assert compute is not None
    is_try = isinstance(node, exp.TryCast)
    if term.kind == "text" and not is_try:
        do = f"TRY_CAST(… AS {kind.upper()}) gives NULL then"
        tree.refuse(node, f"a cast of a text to {kind}, which may fail", do)
    word = "TRY_CAST" if term.kind == "text" else "CAST"
    return Typed(kind, compute(term.expr), f"{word}({term.text} AS {kind.upper()})")


def _boolean_or_null(text: pl.Expr) -> pl.Expr:
    lower = text.str.to_lowercase()
    return pl.when(lower.is_in(["true", "false"])).then(lower == "true")


def _date_or_null(text: pl.Expr) -> pl.Expr:
    is_shaped = text.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    return pl.when(is_shaped).then(text).str.to_date("%Y-%m-%d", strict=False)


_TARGETS = {
    exp.DataType.Type.TEXT: "text",
    exp.DataType.Type.DECIMAL: "number",
    exp.DataType.Type.BOOLEAN: "boolean",
    exp.DataType.Type.DATE: "date",
}
_CASTS: Mapping[tuple[str, str], Callable[[pl.Expr], pl.Expr]] = {
    ("number", "text"): lambda number: number.cast(pl.String).str.replace(r"\.?0+$", ""),
    ("boolean", "text"): lambda boolean: boolean.cast(pl.String),
    ("date", "text"): lambda day: day.dt.to_string("%Y-%m-%d"),
    ("text", "number"): lambda text: text.cast(DECIMAL, strict=False),
    ("text", "boolean"): _boolean_or_null,
    ("text", "date"): _date_or_null,
}

TRANSLATIONS: Mapping[Any, Translation] = {
    exp.Lower: _of_text("lower", lambda text: text.str.to_lowercase()),
    exp.Upper: _of_text("upper", lambda text: text.str.to_uppercase()),
    exp.Trim: _of_text("trim", lambda text: text.str.strip_chars()),
    exp.StartsWith: _about_text("starts_with", lambda text, part: text.str.starts_with(part)),
    exp.EndsWith: _about_text("ends_with", lambda text, part: text.str.ends_with(part)),
    exp.Contains: _about_text("contains", lambda text, part: text.str.contains(part, literal=True)),
    exp.Length: _length,
    exp.Substring: _substr,
    exp.SplitPart: _split_part,
    exp.Replace: _replace,
    exp.DPipe: _joined,
    exp.Concat: _concat,
    exp.RegexpLike: _regexp_matches,
    exp.Abs: _abs,
    exp.Round: _round,
    exp.Cast: _cast,
    exp.TryCast: _cast,
}
