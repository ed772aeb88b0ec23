"""What a row is as a record: its key, what keeps it from being one, and the pseudonyms of the people that it names.

Belongs here: what is the same of every row, whatever it comes from. Does not: reading rows (`pipelines.files`,
`pipelines.sql`), or what they say (`mapping`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipelines.addresses import ADDRESS, holds_a_mail_address
from pipelines.rows.declaration import RowStream
from pipelines.source import Pseudonym

KEY, PLACE, PROBLEM, TEXTS, CHANGED = (f"\x1f{name}" for name in ("key", "place", "problem", "texts", "changed"))
"""Columns beside the rows' own; none of theirs can be called so, as no expression could name it."""

NAMELESS = "!"
"""What the key of a row begins with that has no key of its own."""

NONE_REMOVED = "; until it is mended, no row is taken for removed"
"""What comes of a row in a snapshot of which nobody knows which one it is: it may be any that is missing."""

APART = "@"
"""Stands between what a record's rows are read together by and the rest of its key."""

_ESCAPED = (("%", "%25"), ("/", "%2F"), (APART, "%40"), (NAMELESS, "%21"))


def escaped(text: pl.Expr) -> pl.Expr:
    """A text as part of a record's key: what holds keys together is written otherwise in it."""
    for sign, instead in _ESCAPED:
        text = text.str.replace_all(sign, instead, literal=True)
    return text


def spoken(record_key: pl.Expr) -> pl.Expr:
    """A record's key as people write what is in it."""
    for sign, instead in reversed(_ESCAPED):
        record_key = record_key.str.replace_all(instead, sign, literal=True)
    return record_key


def group_of(record_key: pl.Expr) -> pl.Expr:
    """What a record's rows are read together by: the part of its key that stands before what orders them."""
    return record_key.str.split(APART).list.first()


def thing_of(record_key: str) -> str:
    """What a row is of whose subject counts once: the part of its record's key that stays with another subject."""
    return record_key.rpartition(APART)[2]


def record_key(stream: RowStream) -> pl.Expr:
    """The key of a row's record, null where a part of it is missing.

    A key's columns; after them, where rows of one key are states of one thing, what orders them; before them, where a
    subject counts once, the subject.
    """
    texts = [pl.col(TEXTS).struct.field(name).str.strip_chars() for name in stream.key]
    key = pl.concat_str([escaped(text) for text in texts], separator="/")
    if stream.states is not None:
        order = [pl.col(CHANGED).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")]
        if stream.states.then is not None:
            order.append(escaped(pl.col(stream.states.then).cast(pl.String)))
        if stream.history is not None:
            order.append(escaped(pl.col(stream.history.field)))
        return pl.concat_str([key, pl.concat_str(order, separator="/")], separator=APART)
    if stream.grouped_by is not None:
        return pl.concat_str([escaped(stream.value(stream.grouped_by).expr()), key], separator=APART)
    return key


def identifying(stream: RowStream) -> tuple[str, ...]:
    """The columns that identify a row, in the order in which its key has them."""
    order = stream.states
    states = () if order is None else tuple(name for name in (order.column, order.then) if name is not None)
    return (*stream.key, *states, *((stream.history.field,) if stream.history is not None else ()))


def has_a_name(record_key: str) -> bool:
    """Whether a record is of a row that has a key of its own."""
    return not record_key.startswith(NAMELESS)


def unidentified(names: Sequence[str], so: str = "") -> list[pl.Expr]:
    """The problem of a row that lacks one of the columns by which it is known, and what comes of it."""
    return [
        pl.when(pl.col(name).is_null()).then(pl.lit(f"{name} is empty, and identifies the row{so}"))
        for name in dict.fromkeys(names)
    ]


def without_people(stream: RowStream, pseudonym: Pseudonym, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with pseudonyms where there were people.

    Of what a record is known by, mail addresses are pseudonyms too, whatever is declared: a key is stored as it is.
    """
    for name in sorted(stream.pseudonymised.intersection(rows.columns)):
        rows = rows.with_columns(_coded(rows.get_column(name), pseudonym))
    subject = () if stream.grouped_by is None else stream.value(stream.grouped_by).columns
    for name in sorted({*identifying(stream), *subject}.intersection(rows.columns) - stream.pseudonymised):
        texts = rows.get_column(name)
        if texts.str.contains(ADDRESS).any():
            rows = rows.with_columns(
                _coded(texts, lambda text: pseudonym(text) if holds_a_mail_address(text) else text)
            )
    return rows


def _coded(column: pl.Series, code: Pseudonym) -> pl.Series:
    texts = column.str.strip_chars()
    codes = {text: code(text) for text in texts.drop_nulls().unique().to_list()}
    return pl.Series(column.name, [codes.get(text) for text in texts.to_list()], dtype=pl.String)
