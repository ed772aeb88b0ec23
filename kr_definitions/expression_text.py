"""The closed expression language as text: its words and signs, its errors, and the gate before the parser.

Belongs here: what may be written, and where in the text something else was found. Does not: what it means
(`expression_tree`), or what it is for (`expressions`).

The text is held against a list of words and signs before sqlglot parses it, so that nothing which a parser skips,
guesses or repairs (comments, unknown statements, missing quotes) ever reaches it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

import polars as pl
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType

from kr_definitions.vocabulary import nearest

MOST_CHARACTERS = 10_000
MOST_TOKENS = 2_000
MOST_NESTING = 16
"""Parentheses, CASEs and prefixes inside one another."""

FUNCTIONS: Mapping[str, str] = {
    "lower": "lower(text)",
    "upper": "upper(text)",
    "trim": "trim(text)",
    "length": "length(text)",
    "substr": "substr(text, first[, how many])",
    "split_part": "split_part(text, 'separator', which)",
    "replace": "replace(text, 'what', 'by what')",
    "concat": "concat(text, text, …)",
    "starts_with": "starts_with(text, text)",
    "ends_with": "ends_with(text, text)",
    "contains": "contains(text, text)",
    "regexp_matches": "regexp_matches(text, 'pattern')",
    "coalesce": "coalesce(value, value, …)",
    "nullif": "nullif(value, value)",
    "abs": "abs(number)",
    "round": "round(number[, decimals])",
}
"""Every function, and how it is called."""

_WORDS = frozenset(
    {
        "AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE", "LIKE", "ILIKE", "CASE", "WHEN", "THEN",
        "ELSE", "END", "CAST", "TRY_CAST", "AS", "DATE", "TIMESTAMPTZ",
    }
)  # fmt: skip
TYPES = {"TEXT": "text", "NUMBER": "number", "BOOLEAN": "boolean", "DATE": "date"}
_SIGNS = frozenset(
    {
        TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA, TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE,
        TokenType.GT, TokenType.GTE, TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH, TokenType.DPIPE,
    }
)  # fmt: skip
_PREFIXES = frozenset({TokenType.NOT, TokenType.DASH, TokenType.PLUS})
_BEFORE_PARENTHESIS = _WORDS - {"IS", "NULL", "TRUE", "FALSE", "END", "AS", "DATE", "TIMESTAMPTZ"}
_INSTEAD = {
    "::": "Write CAST(value AS TEXT) or TRY_CAST(value AS NUMBER)",
    ".": "A column's name stands alone; one with a point in it is put in double quotes",
    ";": "Write one expression, without a semicolon",
    "%": "There is no remainder; there are + - * /",
    "[": "There are no lists but IN (…)",
    "{": "There are no parameters: write the value itself",
    "?": "There are no parameters: write the value itself",
    "$": "There are no parameters: write the value itself",
    ":": "There are no parameters: write the value itself",
    "@": "There are no parameters: write the value itself",
}
ALLOWED = (
    "The language has columns, literals ('text', 1.5, TRUE, FALSE, NULL, DATE '2026-01-31'), = <> < <= > >=, AND, OR, "
    "NOT, IN (…), BETWEEN, IS [NOT] NULL, LIKE, ILIKE, + - * /, ||, CASE, CAST, TRY_CAST and functions"
)


class ExpressionError(ValueError):
    """An expression that the language does not hold: says what was found, where (first character: 1), what to do."""

    def __init__(self, text: str, position: int, found: str, do: str) -> None:
        start = max(position - 31, 0)
        excerpt = ("…" if start else "") + text[start : position + 29] + ("…" if len(text) > position + 29 else "")
        super().__init__(f"at character {position} of «{excerpt}»: {found}. {do}")
        self.text, self.position, self.found, self.do = text, position, found, do


def _refuse_hidden(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(
            text, MOST_CHARACTERS + 1, f"{len(text)} characters, more than {MOST_CHARACTERS}", "Split it up"
        )
    for index, character in enumerate(text):
        category = unicodedata.category(character)
        is_hidden = category in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp") and character not in "\n\r\t"
        if is_hidden or (category == "Zs" and character != " "):
            name = unicodedata.name(character, "a control character")
            raise ExpressionError(
                text, index + 1, f"a character that cannot be seen (U+{ord(character):04X}, {name})", "Delete it"
            )


def parsed(text: str, columns: Mapping[str, pl.DataType]) -> exp.Expression:
    """The text as sqlglot's tree. Raises `ExpressionError` for what is not of the language."""
    _refuse_hidden(text)
    dialect = DuckDB()
    one_line = re.sub(r"[\n\r\t]", " ", text)
    try:
        tokens = dialect.tokenize(one_line)
    except TokenError:
        raise ExpressionError(text, _open_quote(text), "a quote that is never closed", "Close it") from None
    _Gate(text, tokens, columns).check()
    try:
        trees = dialect.parser().parse_into(exp.Condition, tokens, one_line)
    except ParseError as failure:
        error = failure.errors[0]
        near = error.get("highlight") or "the end"
        position = max(int(error.get("col") or 1) - len(near) + 1, 1)
        found = f"what does not fit together at «{near}»"
        raise ExpressionError(text, position, found, _advice(tokens, position)) from None
    except RecursionError:
        raise ExpressionError(text, 1, "operations inside one another, too many", "Split it up") from None
    if len(trees) != 1 or trees[0] is None:
        raise ExpressionError(text, 1, "what does not fit together", ALLOWED)
    return trees[0]


def _open_quote(text: str) -> int:
    opened: tuple[str, int] | None = None
    for index, character in enumerate(text):
        if opened is None and character in "'\"":
            opened = (character, index)
        elif opened is not None and character == opened[0]:
            opened = None
    return (opened[1] if opened else 0) + 1


def _advice(tokens: list[Token], position: int) -> str:
    """What to do where the parser stopped: how the function around it is called, or what there is."""
    around: list[str] = []
    for before, token in pairwise(token for token in tokens if token.start < position):
        if token.token_type == TokenType.L_PAREN:
            around.append(before.text.lower())
        elif token.token_type == TokenType.R_PAREN and around and token.start + 1 < position:
            around.pop()
    if around and around[-1] in FUNCTIONS:
        return f"It is called as {FUNCTIONS[around[-1]]}"
    return f'{ALLOWED}. A column whose name is one of these words is put in double quotes: "end"'


@dataclass
class _Gate:
    """Holds the tokens of a text against the language's words and signs."""

    text: str
    tokens: list[Token]
    columns: Mapping[str, pl.DataType]

    def check(self) -> None:
        if not self.tokens:
            self._refuse(0, "nothing", ALLOWED)
        if len(self.tokens) > MOST_TOKENS:
            self._refuse(self.tokens[MOST_TOKENS].start, f"more than {MOST_TOKENS} words and signs", "Split it up")
        self._check_gaps()
        for index, token in enumerate(self.tokens):
            self._check_token(index, token)
        self._check_nesting()

    def _check_gaps(self) -> None:
        """Between tokens there are only blanks: what a tokenizer skips (comments) is not skipped here."""
        end = 0
        for token in self.tokens:
            self._check_gap(end, token.start)
            end = token.end + 1
        self._check_gap(end, len(self.text))

    def _check_gap(self, start: int, end: int) -> None:
        if hidden := self.text[start:end].strip(" \n\r\t"):
            at = self.text.index(hidden, start)
            self._refuse(
                at, f"a comment or a stray sign («{hidden[:20]}»)", "Explain the expression beside it, not in it"
            )

    def _check_token(self, index: int, token: Token) -> None:
        raw = self.text[token.start : token.end + 1]
        following = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
        if token.token_type in _SIGNS:
            return
        if token.token_type == TokenType.STRING:
            self._check_string(index, token, raw)
        elif token.token_type == TokenType.NUMBER:
            if not re.fullmatch(r"\d+(\.\d+)?", raw, re.ASCII):
                self._refuse(token.start, f"a number written as «{raw}»", "Write it as 1234 or 1234.5")
        elif token.token_type == TokenType.IDENTIFIER:
            self._check_column(token, token.text)
        elif re.fullmatch(r"[^\W\d]\w*", raw):
            self._check_word(index, token, raw, following)
        else:
            self._refuse_sign(token, raw)

    def _check_string(self, index: int, token: Token, raw: str) -> None:
        if not raw.startswith("'"):
            self._refuse(token.start, f"a text written as «{raw[:20]}»", "Write it as 'text'")
        if re.search(r"[\n\r\t]", raw):
            self._refuse(token.start, "a text with a line end or tab in it", "Write it on one line")
        if index and self.tokens[index - 1].token_type == TokenType.STRING:
            self._refuse(token.start, "two texts beside each other", "Put a comma or || between them")

    def _check_word(self, index: int, token: Token, raw: str, following: Token | None) -> None:
        upper, before = raw.upper(), self.tokens[index - 1].text.upper() if index else ""
        if before == "AS":
            self._check_type(token, raw, following)
        elif following is not None and following.token_type == TokenType.L_PAREN and upper not in _BEFORE_PARENTHESIS:
            if raw.lower() not in FUNCTIONS:
                self._refuse_function(token, raw)
        elif upper not in _WORDS:
            self._check_column(token, raw)

    def _check_type(self, token: Token, raw: str, following: Token | None) -> None:
        if raw.upper() not in TYPES or following is None or following.token_type != TokenType.R_PAREN:
            self._refuse(token.start, f"the type «{raw}»", f"The types are {', '.join(TYPES)}, without length")

    def _check_column(self, token: Token, name: str) -> None:
        if name not in self.columns:
            is_word = token.token_type not in (TokenType.VAR, TokenType.IDENTIFIER)  # of SQL
            is_text = not is_word and self._is_compared(token)
            close = nearest(name, self.columns, alike=0.8 if is_word or is_text else 0.5)
            listed = ", ".join(sorted(self.columns)[:30]) or "none"
            known = f"Texts stand between ' and ': '{name}'" if is_text else f"The columns are: {listed}"
            known = f"Did you mean {' or '.join(close)}?" if close else known
            is_of_sql = is_word and not close
            what = f"«{name}», which the language does not have" if is_of_sql else f"an unknown column, {name}"
            self._refuse(token.start, what, f"{ALLOWED}. {known}" if is_of_sql else known)
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            self._refuse(token.start, f"the column {name}, which is a pattern to Polars", "Rename the column")

    def _is_compared(self, token: Token) -> bool:
        """Whether a name stands where a text would: after a sign of comparison, or in a list."""
        at = next(index for index, other in enumerate(self.tokens) if other is token)
        before = self.tokens[at - 1] if at else None
        signs = (TokenType.EQ, TokenType.NEQ, TokenType.LIKE, TokenType.ILIKE)
        in_list = (TokenType.L_PAREN, TokenType.COMMA)
        is_listed = before is not None and before.token_type in in_list and self._opens_a_list(at)
        return before is not None and (before.token_type in signs or is_listed)

    def _opens_a_list(self, at: int) -> bool:
        """Whether the parenthesis before a token opens the list of an IN."""
        opened = next((n for n in range(at - 1, 0, -1) if self.tokens[n].token_type == TokenType.L_PAREN), 0)
        return opened > 0 and self.tokens[opened - 1].token_type == TokenType.IN

    def _refuse_function(self, token: Token, raw: str) -> NoReturn:
        close = nearest(raw.lower(), FUNCTIONS)
        known = f"Did you mean {' or '.join(FUNCTIONS[name] for name in close)}? " if close else ""
        self._refuse(token.start, f"an unknown function, {raw}", f"{known}The functions are: {', '.join(FUNCTIONS)}")

    def _refuse_sign(self, token: Token, raw: str) -> NoReturn:
        at = next((index for index, character in enumerate(raw) if not re.match(r"\w", character)), 0)
        sign = raw[at]
        if unicodedata.category(sign) in ("Pi", "Pf"):
            self._refuse(token.start + at, f"the quotation mark «{sign}»", "Texts stand between ' and '")
        do = next((do for key, do in _INSTEAD.items() if raw.startswith(key)), ALLOWED)
        self._refuse(token.start + at, f"«{raw[:20]}», which the language does not have", do)

    def _check_nesting(self) -> None:
        depth = run = 0
        for token in self.tokens:
            if token.token_type in (TokenType.L_PAREN, TokenType.CASE):
                depth += 1
            elif token.token_type in (TokenType.R_PAREN, TokenType.END):
                depth -= 1
            run = run + 1 if token.token_type in _PREFIXES else 0
            if depth + run > MOST_NESTING:
                self._refuse(token.start, f"more than {MOST_NESTING} levels of nesting", "Split it up")

    def _refuse(self, start: int, found: str, do: str) -> NoReturn:
        raise ExpressionError(self.text, start + 1, found, do)
