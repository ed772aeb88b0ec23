"""Rules about what declarations are to each other: ids, what supports and feeds what; and that nothing is left empty.

Belongs here: names that people give, and where they lead. Does not: names of the vocabulary (`names`), whether the
links are good ones (`guides`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kr_definitions.documents import Document, Path, Problem, short
from kr_definitions.rules.base import Declarations, Rules, advice, into, places
from kr_definitions.vocabulary import nearest

RULES: Rules = {}
_rule = into(RULES)


@dataclass(frozen=True)
class _Entry:
    """Something with an id, readable or not."""

    document: Document
    place: Path
    id: str

    @property
    def is_key_result(self) -> bool:
        return self.place[0] == "key_results"

    def link(self, name: str) -> str | None:
        """The id that it `supports`, or that it `feeds_from`."""
        value = self.document.value((*self.place, name))
        return value if isinstance(value, str) else None

    def problem(self, key: str, found: str, do: str) -> Problem:
        return self.document.problem((*self.place, key), self.id, found, do)


def _entries(declarations: Declarations) -> Iterator[_Entry]:
    for document in declarations.files:
        for place in (("objective",), *places(document)):
            name = document.value((*place, "id"))
            if isinstance(name, str):
                yield _Entry(document, place, name)


def ids(declarations: Declarations) -> frozenset[str]:
    """Every id of an objective or a key result, readable or not."""
    return frozenset(entry.id for entry in _entries(declarations))


@_rule("ids.twice", "error", "An id is used once, and never again.")
def _twice(declarations: Declarations) -> Iterator[Problem]:
    firsts: dict[str, _Entry] = {}
    for entry in _entries(declarations):
        first = firsts.setdefault(entry.id, entry)
        if first is not entry:
            line = first.document.line((*first.place, "id"))
            found = f"the id is used twice (first in {first.document.file}:{line})"
            yield entry.problem("id", found, "Give it an id of its own: an id is never used again")


@_rule("ids.organisation", "error", "An id begins with the organisation's, so that no two organisations share one.")
def _prefix(declarations: Declarations) -> Iterator[Problem]:
    organisation = declarations.organisation
    for entry in _entries(declarations):
        if organisation is not None and "." in entry.id and not entry.id.startswith(f"{organisation.id}."):
            found = f"an id that does not begin with the organisation's, {organisation.id}"
            yield entry.problem("id", found, f"Write {organisation.id}.{entry.id.partition('.')[2]}")


# --- supports and feeds_from ------------------------------------------------------------------------------------------


@_rule("alignment.declared", "error", "What something supports is declared.")
def _supports(declarations: Declarations) -> Iterator[Problem]:
    entries = list(_entries(declarations))
    known = {entry.id for entry in entries}
    for entry in entries:
        name = entry.link("supports")
        if declarations.are_all_read and name is not None and name not in known:  # else it may be in the missing file
            do = advice(nearest(name, known), "Name a declared objective or key result")
            yield entry.problem("supports", f"supports '{short(name)}', which is not declared", do)


@_rule("sequence.declared", "error", "What feeds a key result is a declared key result.")
def _feeds_from(declarations: Declarations) -> Iterator[Problem]:
    entries = {entry.id: entry for entry in _entries(declarations)}
    upstream = [name for name, entry in entries.items() if entry.is_key_result]
    for entry in entries.values():
        name = entry.link("feeds_from")
        if not entry.is_key_result or name is None or name in upstream or not declarations.are_all_read:
            continue
        what = "an objective" if name in entries else "not declared"
        do = advice(nearest(name, upstream), "Name a declared key result")
        yield entry.problem("feeds_from", f"feeds from '{short(name)}', which is {what}", do)


@_rule(
    "alignment.circle", "error", "Nothing supports itself, not even by way of others; a key result is its objective's."
)
def _supports_itself(declarations: Declarations) -> Iterator[Problem]:
    entries = {entry.id: entry for entry in _entries(declarations)}
    links = {name: [above] if (above := entry.link("supports")) else [] for name, entry in entries.items()}
    for name, entry in entries.items():
        whole = entry.document.value(("objective", "id"))
        if entry.is_key_result and isinstance(whole, str):
            links[name].append(whole)
    yield from _circles(entries, links, "supports", "supports itself")


@_rule("sequence.circle", "error", "Nothing feeds from itself: what is upstream is not downstream too.")
def _feeds_itself(declarations: Declarations) -> Iterator[Problem]:
    entries = {entry.id: entry for entry in _entries(declarations)}
    links = {name: [above] if (above := entry.link("feeds_from")) else [] for name, entry in entries.items()}
    yield from _circles(entries, links, "feeds_from", "feeds from itself")


def _circles(
    entries: Mapping[str, _Entry], links: Mapping[str, Sequence[str]], name: str, found: str
) -> Iterator[Problem]:
    """Each circle once, at the first of its members that says where it leads."""
    told: set[str] = set()
    for entry in entries.values():
        circle = _circle(entry.id, links) if entry.link(name) is not None and entry.id not in told else []
        if circle and not told.intersection(circle):
            told.update(circle)
            by_way_of = f": {' → '.join([*circle, entry.id])}" if len(circle) > 1 else ""
            yield entry.problem(name, f"{found}{by_way_of}", f"Remove or change a {name}, so that it leads away")


def _circle(start: str, links: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids on the shortest way from `start` back to itself; none where they do not lead there."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for following in links.get(way[-1], ()):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


# --- what is left empty -----------------------------------------------------------------------------------------------


@_rule("text.blank", "error", "A text that is given says something.")
def _blank(declarations: Declarations) -> Iterator[Problem]:
    for document in (*declarations.files, *((declarations.home,) if declarations.home else ())):
        for path, key, text in _texts(document.content, ()):
            is_told = text == "" and key in ("es", "en", "owner", "why", "name", "dimension", "off")  # by its model
            if not text.strip() and not is_told and "options" not in path:
                owner = _owner(document, path)
                yield document.problem(path, owner, f"{key}: an empty text", "Fill it in")


@_rule("text.hidden", "error", "A name holds nothing that cannot be seen: no blank at its end, no invisible character.")
def _hidden(declarations: Declarations) -> Iterator[Problem]:
    for document in declarations.files:
        for path, key, text in _texts(document.content, ()):
            if key in _NAMES and text.strip() and (found := _unseen(text)):
                yield document.problem(path, _owner(document, path), f"{key}: {found} in '{short(text)}'", "Delete it")


_NAMES = ("owner", "approved_by", "members", "name", "unit", "dimension", "distinct")


def _unseen(text: str) -> str:
    """What of a text cannot be seen; empty where all of it can."""
    for character in text:
        if not character.isprintable() and not character.isspace():
            return f"a character that cannot be seen (U+{ord(character):04X})"
    return "a blank at an end" if text != text.strip() else ""


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    """Every text below a value: its place, the key that it stands under, and itself."""
    if isinstance(value, str):
        yield path, next((step for step in reversed(path) if isinstance(step, str)), ""), value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from _texts(item, (*path, step))


def _owner(document: Document, path: Path) -> str:
    for depth in range(len(path), -1, -1):
        name = document.value((*path[:depth], "id"))
        if isinstance(name, str):
            return name
    return ""


@_rule("text.no_key_results", "error", "An objective has key results.")
def _no_key_results(declarations: Declarations) -> Iterator[Problem]:
    for document in declarations.files:
        if document.value(("key_results",)) == []:
            where = str(document.value(("objective", "id")) or "")
            found, do = "an objective without key results", "Add what shows that it is reached"
            yield document.problem(("key_results",), where, found, do)


@_rule("text.no_objectives", "warning", "An organisation has objectives.")
def _no_objectives(declarations: Declarations) -> Iterator[Problem]:
    home = declarations.home
    if home is not None and declarations.are_all_read and not declarations.files:
        where = declarations.organisation.id if declarations.organisation else ""
        found, do = (
            "an organisation without objectives",
            "Add a file with an objective and its key results beside this one",
        )
        yield home.problem((), where, found, do)
