"""Where rows name people: in the columns that say an event's account, its actor, or a subject who is somebody.

Belongs here: finding those columns in a declaration. Does not: what becomes of whom they name (`pipelines.people`).

A row that is about somebody (its subject is a contact or a member of staff) is theirs; any other one is its account's
or, in a stream without accounts, its actor's. An id that the declaration puts together from several columns cannot be
told from a row: only what stands in one column, or in the first of several that has something, names somebody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from kr_definitions.expressions import Expression
from kr_definitions.vocabulary import vocabulary
from pipelines.people import Identity, People, Place
from pipelines.rows.declaration import RowStream

SUBJECT, ACCOUNT, ACTOR = "subject", "account", "actor"

PERSONS = frozenset({"contact", "member of staff"})
"""The subjects of the vocabulary that are people."""

_FIRST_OF_SEVERAL = re.compile(r'coalesce\((?:"(?:[^"]|"")*"(?:, )?)+\)')


def people(stream: RowStream) -> People:
    """Where the rows of a stream name people."""
    kinds = {column: kind for kind, columns in _columns(stream).items() for column in columns}
    places = {kind: _places(kind, columns) for kind, columns in _columns(stream).items()}
    of_key = tuple(kinds.get(name) for name in stream.key)
    return People(
        in_key=_in_key(of_key, is_grouped=stream.grouped_by is not None),
        own=places[SUBJECT],
        whose=places[ACCOUNT] or places[ACTOR],
        beside=places[ACTOR] if places[ACCOUNT] else (),
        account=ACCOUNT,
        actor=ACTOR,
    )


def _columns(stream: RowStream) -> dict[str, list[str]]:
    """The columns that hold ids of each kind; one that holds two is of the first."""
    types = vocabulary().types
    subjects = [rule.subject for rule in stream.events if types[rule.type].subject in PERSONS]
    accounts = [rule.account for rule in stream.events if rule.account is not None]
    actors = [rule.actor for rule in stream.events if rule.actor is not None]
    found: dict[str, list[str]] = {}
    for kind, texts in ((SUBJECT, subjects), (ACCOUNT, accounts), (ACTOR, actors)):
        taken = {name for columns in found.values() for name in columns}
        named = {name for text in texts for name in _naming(stream.value(text))}
        found[kind] = sorted(named - taken)
    return found


def _naming(expression: Expression) -> tuple[str, ...]:
    """The columns of an expression that hold what it gives."""
    is_told = len(expression.columns) == 1 or _FIRST_OF_SEVERAL.fullmatch(expression.normal_form)
    return expression.columns if is_told else ()


def _places(kind: str, columns: Iterable[str]) -> tuple[Place, ...]:
    return tuple(Place(kind, ("row", name)) for name in columns)


def _in_key(kinds: tuple[str | None, ...], *, is_grouped: bool) -> Callable[[str], Iterable[Identity]]:
    """Whom a record's key names: see `mapping.record_key` for how it is put together."""

    def found(key: str) -> Iterator[Identity]:
        if key.startswith("!"):  # of a row that has none
            return
        before, _, after = key.partition("@")
        parts = (after if is_grouped else before).split("/")
        for kind, part in zip(kinds, parts, strict=False):
            if kind is not None:
                yield kind, unquote(part)

    return found
