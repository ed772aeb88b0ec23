"""Where records name people, and whose a record is: what an erasure goes by.

Belongs here: finding the ids of people in a record, deciding whose it is, taking somebody out of it; pure. Does not:
which fields a vendor has (its module says so of each stream), who is erased (`suppression`), or where records are kept.

A record is somebody's in one of two ways: it *is* them (a contact, a member of staff), or it is about what they alone
had from the company (a ticket of theirs, a deal, an invoice). Who else stands in it (the seller, an agent, a customer
beside another one) is mentioned: the record stays for those whose it is, and loses the mention.

The same digits may be a customer's id and a seller's, so an id is known by its kind, in the vendor's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Identity = tuple[str, str]
"""The kind of an id, and the id."""

IsErased = Callable[[str, str], bool]
"""Whether an id of a kind is of somebody who is erased."""

EACH, ANYWHERE = "*", "**"
"""Steps of a path: each entry of a list; whatever stands below, however deep."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where ids of one kind stand in a payload: the names of fields, one in the other. separator: between several."""

    kind: str
    path: tuple[str, ...]
    separator: str | None = None

    def ids(self, payload: Any) -> Iterator[str]:
        """The ids that stand there."""
        for leaf in _leaves(payload, self.path):
            if isinstance(leaf, str | int) and not isinstance(leaf, bool):
                yield from (one.strip() for one in self._several(str(leaf)))

    def without(self, payload: Any, is_erased: IsErased) -> Any:
        """The payload without those ids that are erased; itself, where there is none."""
        if not any(is_erased(self.kind, one) for one in self.ids(payload)):
            return payload
        return _changed(payload, self.path, lambda leaf: self._kept(leaf, is_erased))

    def _several(self, text: str) -> list[str]:
        return text.split(self.separator) if self.separator else [text]

    def _kept(self, leaf: Any, is_erased: IsErased) -> Any:
        if not isinstance(leaf, str | int) or isinstance(leaf, bool):
            return leaf
        several = self._several(str(leaf))
        kept = [one for one in several if not is_erased(self.kind, one.strip())]
        if len(kept) == len(several):
            return leaf
        return (self.separator or "").join(kept) or None


def nobody(key: str) -> Iterable[Identity]:  # noqa: ARG001 - as others are called
    """The people whom a key names where it names none."""
    return ()


@dataclass(frozen=True, slots=True)
class People:
    """Where the records of a stream name people.

    in_key, own: who a record is; it goes with any of them. are_people: all of these are ids of the same person.
    whose: whom it is about; it goes where all of those who stand there are erased. beside: whom it only mentions.
    account, actor: the kinds of ids that its events have in these columns; None where they are not people's.
    """

    in_key: Callable[[str], Iterable[Identity]] = nobody
    own: tuple[Place, ...] = ()
    are_people: bool = False
    whose: tuple[Place, ...] = ()
    beside: tuple[Place, ...] = ()
    account: str | None = None
    actor: str | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of ids that stand somewhere in a record or its events."""
        named = {place.kind for place in (*self.own, *self.whose, *self.beside)}
        return frozenset(named | {kind for kind in (self.account, self.actor) if kind is not None})

    def being(self, key: str, payload: Any) -> Iterator[Identity]:
        """Who the record is."""
        yield from self.in_key(key)
        yield from _identities(self.own, payload)

    def named(self, key: str, payload: Any) -> Iterator[Identity]:
        """Everybody whom the record names."""
        yield from self.being(key, payload)
        yield from _identities((*self.whose, *self.beside), payload)

    def owners(self, payload: Any) -> frozenset[Identity]:
        """Whom the record is about."""
        return frozenset(_identities(self.whose, payload))

    def is_theirs(self, key: str, payload: Any, is_erased: IsErased) -> bool:
        """Whether the record goes with somebody who is erased."""
        if any(is_erased(*one) for one in self.being(key, payload)):
            return True
        owners = self.owners(payload)
        return bool(owners) and all(is_erased(*one) for one in owners)

    def without(self, payload: Mapping[str, Any], is_erased: IsErased) -> Mapping[str, Any]:
        """The payload without the ids of those who are erased; itself, where it names none of them."""
        for place in (*self.whose, *self.beside):
            payload = place.without(payload, is_erased)
        return payload


NOBODY = People()
"""Of a stream whose records name no people: videos, counts, products."""

UNDECLARED = "any"


def _itself(key: str) -> Iterable[Identity]:
    return ((UNDECLARED, key),)


WHEREVER = People(in_key=_itself, own=(Place(UNDECLARED, (ANYWHERE,)),), account=UNDECLARED, actor=UNDECLARED)
"""Of a stream that is stored and no longer declared: where its records name people, nobody says any more."""


def _identities(places: Iterable[Place], payload: Any) -> Iterator[Identity]:
    return ((place.kind, one) for place in places for one in place.ids(payload))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if not path:
        yield value
    elif path[0] == ANYWHERE:
        yield from _all_leaves(value)
    elif path[0] == EACH:
        for one in value if isinstance(value, list) else ():
            yield from _leaves(one, path[1:])
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _leaves(value[path[0]], path[1:])


def _all_leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for one in value:
        yield from _all_leaves(one)


def _changed(value: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    """The value with its leaves at a path changed; an entry of a list that comes to nothing is left out."""
    if not path:
        return change(value)
    if path[0] == EACH and isinstance(value, list):
        entries = [_changed(one, path[1:], change) for one in value]
        return [one for one in entries if one is not None] if len(path) == 1 else entries
    if isinstance(value, Mapping) and path[0] in value:
        return {**value, path[0]: _changed(value[path[0]], path[1:], change)}
    return value
