"""What is wrong with declarations although each can be read: beside the vocabulary, and beside each other.

Belongs here: checks that need more than one value of one declaration, each with its line and what to do. Does not: what
a model knows by itself (`declarations`, `measures`), YAML (`documents`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from kr_definitions.complaints import parse
from kr_definitions.declarations import AtLeast, AtMost, Delta, KeyResult, Reach, Relative, Target, Within
from kr_definitions.documents import Document, Problem
from kr_definitions.documents import Path as Place
from kr_definitions.events import COVERED, RETRACTED
from kr_definitions.expressions import ExpressionError, predicate
from kr_definitions.measures import Count, DailyMax, Distinct, Duration, Open, Share, Sum
from kr_definitions.measures.selection import columns_of
from kr_definitions.progress import accumulates
from kr_definitions.vocabulary import nearest, vocabulary


def missing_targets(document: Document) -> Iterator[Problem]:
    """A missing target, told even where another mistake keeps the key result from being read."""
    key_results = document.value(("key_results",))
    for i, declared in enumerate(key_results if isinstance(key_results, list) else []):
        if isinstance(declared, dict) and "target" not in declared and declared.get("type") != "kpi":
            name = str(declared.get("id", ""))
            yield document.problem(
                ("key_results", i), name, "'target' is missing", "Add a target, or make it a kpi if it has none"
            )


def checked(document: Document) -> Iterator[Problem]:
    """What only the vocabulary can tell about each key result, also where another one of the file cannot be read."""
    declared = document.value(("key_results",))
    for i in range(len(declared) if isinstance(declared, list) else 0):
        place: Place = ("key_results", i)
        yield from _checked_types(document, place)
        kr = parse(document, place, KeyResult, "", [])
        if kr is not None:
            yield from _checked_expressions(document, place, kr)
            yield from _checked_columns(document, place, kr)
            yield from _checked_subjects(document, place, kr)
            yield from _checked_target(document, place, kr)


_NAME_TYPES = frozenset({"count", "out_of", "of", "from", "to", "opened_by", "closed_by", "had", "had_not"})
"""Keys of a measure whose texts are event types."""


def _names(document: Document, place: Place) -> Iterator[tuple[Place, str]]:
    """Every event type that a key result names, readable or not, with its place."""
    measure = (*place, "measure")
    for path, value in _leaves(document.value(measure), measure):
        keys = [step for step in path if isinstance(step, str)]
        if keys[-1] in _NAME_TYPES:
            yield path, value


def _leaves(value: Any, path: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _leaves(item, (*path, i))
    elif isinstance(value, str):
        yield path, value


def _checked_types(document: Document, place: Place) -> Iterator[Problem]:
    where = str(document.value((*place, "id")) or "")
    for path, name in _names(document, place):
        if name in (COVERED, RETRACTED):
            found, do = f"'{name}' is the log's own and counts nothing", "Name something that happens in the world"
            yield document.problem(path, where, found, do)
        elif name not in vocabulary().types:
            likely = nearest(name, vocabulary().types)
            do = f"Did you mean {' or '.join(likely)}?" if likely else "See kr_definitions/vocabulary.yaml"
            yield document.problem(path, where, f"no event type '{name}'", do)


def predicates(kr: KeyResult) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Every declared filter: its place, its text, the types that it is over."""
    measure = kr.measure
    if isinstance(measure, Share):
        yield ("share", "reached"), measure.share.reached, measure.share.of
        if measure.share.where is not None:
            yield ("share", "where"), measure.share.where, measure.share.of
    elif isinstance(measure, Duration):
        if measure.duration.where is not None:
            yield ("duration", "where"), measure.duration.where, (measure.duration.to,)
    elif (where := getattr(measure, "where", None)) is not None:
        types = measure.count if isinstance(measure, Count) else measure.types
        yield ("where",), where, types


def _checked_expressions(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    for path, text, types in predicates(kr):
        if not all(name in vocabulary().types for name in types):
            continue  # told already, and without its types nothing can be said about the filter
        try:
            predicate(text, columns_of(types))
        except ExpressionError as error:
            yield document.problem((*place, "measure", *path), kr.id, error.found, error.do)


def _checked_columns(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    measure = kr.measure
    if isinstance(measure, Distinct):
        known = columns_of(measure.of)
        if known and measure.distinct not in known:
            likely = nearest(measure.distinct, known)
            do = f"Did you mean {' or '.join(likely)}?" if likely else f"They carry: {', '.join(sorted(known))}"
            path = (*place, "measure", "distinct")
            yield document.problem(path, kr.id, f"{' and '.join(measure.of)} carry no '{measure.distinct}'", do)
    if isinstance(measure, Sum | DailyMax):
        key, column = ("sum", measure.sum) if isinstance(measure, Sum) else ("daily_max", measure.daily_max)
        for name in measure.of:
            if name in vocabulary().types and not _holds(name, column):
                do = f"Sum what it holds, or add {column} to the type in kr_definitions/vocabulary.yaml"
                yield document.problem((*place, "measure", key), kr.id, f"{name} holds no {column}", do)


def _holds(event_type: str, column: str) -> bool:
    held = vocabulary().types[event_type]
    return bool(getattr(held, column)) if column in ("amount", "quantity") else column in held.carries


def _checked_subjects(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    """Events that are to be of one subject: an invoice is never the deal that was opened, and would never match."""
    if isinstance(kr.measure, Duration | Open):
        known = vocabulary().types
        about = {name: known[name].subject for name in kr.measure.types if name in known}
        if len(set(about.values())) > 1:
            found = (
                " and ".join(f"{name} ({subject})" for name, subject in about.items()) + " are about different things"
            )
            yield document.problem((*place, "measure"), kr.id, found, "Name events of one and the same thing")


def _checked_target(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    target, path = kr.target, (*place, "target")
    if accumulates(kr) and (
        (isinstance(target, Relative) and target.relative < 0)
        or (isinstance(target, Delta) and target.delta < 0)
        or (isinstance(target, Reach) and target.value < target.from_)
    ):
        yield document.problem(
            path, kr.id, "a running total starts at nothing, so it cannot be asked to fall", "State the most as at_most"
        )
    is_figure_of_a_day = isinstance(kr.measure, Open) or kr.trailing is not None or kr.cumulative == "ever"
    if isinstance(target, Relative | Delta) and target.baseline == "start" and not is_figure_of_a_day:
        found = "a figure of the whole period has none on the eve of it to start from"
        do = "Name previous_period or previous_year, or count over trailing days or ever"
        yield document.problem((*path, "baseline"), kr.id, found, do)
    if isinstance(kr.measure, Share):
        for figure in _figures(target):
            if not 0 <= figure <= 1:
                what, do = f"a share of {figure:f} cannot be", "A share is between 0 and 1: write 0.9 for 90 %"
                yield document.problem(path, kr.id, what, do)


def _figures(target: Target | None) -> Sequence[Decimal]:
    """The figures that a target names as such."""
    if isinstance(target, AtLeast | AtMost):
        return (target.at_least if isinstance(target, AtLeast) else target.at_most,)
    if isinstance(target, Reach):
        return target.from_, target.value
    return target.within if isinstance(target, Within) else ()


def checked_together(documents: Sequence[Document], are_all_read: bool) -> Iterator[Problem]:  # noqa: FBT001
    """Ids used twice, and `supports` that lead nowhere; the latter only where no file is missing from the picture."""
    places: dict[str, tuple[Document, Place]] = {}
    entries = [(document, *entry) for document in documents for entry in _entries(document)]
    for document, name, path, _ in entries:
        if name in places:
            first, at = places[name]
            what = f"the id is used twice (first in {first.file}:{first.line(at)})"
            yield document.problem((*path, "id"), name, what, "Give it an id of its own: an id is never used again")
        else:
            places[name] = (document, (*path, "id"))
    for document, name, path, supports in entries:
        if are_all_read and isinstance(supports, str) and supports not in places:
            likely = nearest(supports, places)
            do = f"Did you mean {' or '.join(likely)}?" if likely else "Name a declared objective or key result"
            what = f"supports '{supports}', which is not declared"
            yield document.problem((*path, "supports"), name, what, do)


def _entries(document: Document) -> Iterator[tuple[str, Place, Any]]:
    """Id, place and `supports` of everything in a document that has an id, readable or not."""
    key_results = document.value(("key_results",))
    several = len(key_results) if isinstance(key_results, list) else 0
    for path in (("objective",), *(("key_results", i) for i in range(several))):
        name = document.value((*path, "id"))
        if isinstance(name, str):
            yield name, path, document.value((*path, "supports"))
