"""What is wrong with declarations although each can be read: beside the vocabulary, and beside each other.

Belongs here: checks that need more than one value of one declaration, each with its line and what to do. Does not: what
a model knows by itself (`declarations`, `measures`), YAML (`documents`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from kr_definitions.complaints import parse
from kr_definitions.declarations import (
    AtLeast,
    AtMost,
    Delta,
    KeyResult,
    MonthOf,
    MonthsFrom,
    Reach,
    Relative,
    Target,
    Within,
)
from kr_definitions.documents import Document, Problem
from kr_definitions.documents import Path as Place
from kr_definitions.events import COVERED, RETRACTED
from kr_definitions.expressions import ExpressionError, predicate
from kr_definitions.measures import Distinct, Level, Measured, Open, Ratio
from kr_definitions.measures.selection import columns_of
from kr_definitions.progress import accumulates, baseline_of, is_to_date
from kr_definitions.vocabulary import nearest, vocabulary


def missing_targets(document: Document) -> Iterator[Problem]:
    """A missing target, told even where another mistake keeps the key result from being read."""
    key_results = document.value(("key_results",))
    for i, declared in enumerate(key_results if isinstance(key_results, list) else []):
        if isinstance(declared, dict) and not {"target", "all_of"} & set(declared) and declared.get("type") != "kpi":
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


_NAME_TYPES = frozenset(
    {
        "count", "out_of", "of", "from", "to", "opened_by", "closed_by", "valued_by", "had", "had_not", "forecast",
        "actual", "seen_in", "event",
    }
)  # fmt: skip
"""Keys whose texts are event types."""

_MEASURED = ("measure", "all_of", "guardrails", "each", "period")
"""Keys of a key result below which event types are named."""


def _names(document: Document, place: Place) -> Iterator[tuple[Place, str]]:
    """Every event type that a key result names, readable or not, with its place."""
    for name in _MEASURED:
        for path, value in _leaves(document.value((*place, name)), (*place, name)):
            keys = [step for step in path if isinstance(step, str)]
            is_period_or_figure = keys[-1] in ("from", "of") and (
                name == "period" or "figure" in _beside(document, path)
            )
            if keys[-1] in _NAME_TYPES and not is_period_or_figure:
                yield path, value


def _beside(document: Document, path: Place) -> Any:
    beside = document.value(path[:-1])
    return beside if isinstance(beside, dict) else ()


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


def filters(kr: KeyResult) -> Iterator[tuple[Place, str, tuple[str, ...]]]:
    """Every declared filter: its place below the key result, its text, the types that it is over."""
    for place, measure in kr.measures():
        for path, text, types in measure.filters():
            yield (*place, *path), text, types
    if isinstance(kr.period, MonthsFrom | MonthOf):
        name = "from_event" if isinstance(kr.period, MonthsFrom) else "month_of"
        happening = kr.period.from_event if isinstance(kr.period, MonthsFrom) else kr.period.month_of
        if happening.where is not None:
            yield ("period", name, "where"), happening.where, (happening.event,)


def _checked_expressions(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    for path, text, types in filters(kr):
        if not all(name in vocabulary().types for name in types):
            continue  # told already, and without its types nothing can be said about the filter
        try:
            predicate(text, columns_of(types))
        except ExpressionError as error:
            yield document.problem(_found_at(document, (*place, *path)), kr.id, error.found, error.do)


def _found_at(document: Document, path: Place) -> Place:
    """A place in the document: of a list that may be written as its only item, without the item's number."""
    if path in document.lines:
        return path
    shorter = tuple(step for i, step in enumerate(path) if not (isinstance(step, int) and path[i - 1] == "among"))
    return shorter if shorter in document.lines else path[:1]


def _checked_columns(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    for path, measure in _single(kr):
        yield from _checked_number(document, (*place, *path), kr, measure)
        if isinstance(measure, Distinct):
            known = columns_of(measure.of)
            if known and measure.distinct not in known:
                likely = nearest(measure.distinct, known)
                do = f"Did you mean {' or '.join(likely)}?" if likely else f"They carry: {', '.join(sorted(known))}"
                found = f"{' and '.join(measure.of)} carry no '{measure.distinct}'"
                yield document.problem((*place, *path, "distinct"), kr.id, found, do)
    if kr.each is not None and kr.measure is not None:
        types = (kr.each.seen_in,) if kr.each.seen_in else ()
        carriers = tuple(name for name in (*kr.measure.types, *types) if name in vocabulary().types)
        known = columns_of(carriers)
        texts = {name for name, dtype in known.items() if dtype == pl.String}
        if known and kr.each.dimension not in texts:
            likely = nearest(kr.each.dimension, texts)
            do = f"Did you mean {' or '.join(likely)}?" if likely else f"They share: {', '.join(sorted(texts))}"
            found = f"not all of {', '.join(carriers)} carry a '{kr.each.dimension}'"
            yield document.problem((*place, "each", "dimension"), kr.id, found, do)


def _single(kr: KeyResult) -> Iterator[tuple[Place, Measured]]:
    """Each measure that is not made of others, with its place below the key result."""
    for path, measure in kr.measures():
        if isinstance(measure, Ratio):
            for name in ("numerator", "minus", "denominator"):
                operand = getattr(measure.ratio, name)
                if operand is not None:
                    yield (*path, "ratio", name), operand
        else:
            yield path, measure


_NUMBERS = ("sum", "daily_max", "mean", "median", "quantile", "min", "max", "level", "gain")


def _checked_number(document: Document, path: Place, kr: KeyResult, measure: Measured) -> Iterator[Problem]:
    """Whether the events hold the number that a measure is of."""
    key = next((key for key in _NUMBERS if key in type(measure).model_fields), None)
    if key is None:
        return
    column = getattr(measure, key)
    for name in measure.types:
        if name in vocabulary().types and not _holds(name, column):
            do = f"Name what it holds, or add {column} to the type in kr_definitions/vocabulary.yaml"
            yield document.problem((*path, key), kr.id, f"{name} holds no {column}", do)


def _holds(event_type: str, column: str) -> bool:
    held = vocabulary().types[event_type]
    return bool(getattr(held, column)) if column in ("amount", "quantity") else column in held.carries


def _checked_subjects(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    """Events that are to be of one subject: an invoice is never the deal that was opened, and would never match."""
    known = vocabulary().types
    for path, measure in _single(kr):
        of = getattr(measure, "duration", None) or getattr(measure, "conversion", None)
        is_by_subject = isinstance(measure, Open) or (of is not None and of.by == "subject_id")
        about = {name: known[name].subject for name in measure.types if name in known}
        if is_by_subject and len(set(about.values())) > 1:
            named = " and ".join(f"{name} ({subject})" for name, subject in about.items())
            do = "Name events of one and the same thing" + (", or join them by: account_id" if of is not None else "")
            yield document.problem((*place, *path), kr.id, f"{named} are about different things", do)


def _checked_target(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    for path, one in _targeted(kr):
        yield from _checked_one_target(document, (*place, *path), one)


def _targeted(kr: KeyResult) -> Iterator[tuple[Place, KeyResult]]:
    """The key result, or each of its parts and guardrails as if it were one, with its place."""
    if kr.measure is not None:
        yield (), kr
    for name, several in (("all_of", kr.all_of), ("guardrails", kr.guardrails)):
        for i, one in enumerate(several):
            fields = ("measure", "target", "every", "trailing", "cumulative")
            alone = {"all_of": (), "guardrails": (), **{field: getattr(one, field) for field in fields}}
            yield (name, i), kr.model_copy(update=alone)


def _checked_one_target(document: Document, place: Place, kr: KeyResult) -> Iterator[Problem]:
    target, path = kr.target, (*place, "target")
    is_to_fall = (
        (isinstance(target, Relative) and target.relative < 0)
        or (isinstance(target, Delta) and target.delta < 0)
        or (isinstance(target, Reach) and target.value < target.from_)
    )
    if accumulates(kr) and is_to_fall and not is_to_date(kr):
        found = "a running total starts at nothing, so it cannot be asked to fall"
        do = "Compare it day by day with the span before (to_date: true), or state the most as at_most"
        yield document.problem(path, kr.id, found, do)
    baseline = baseline_of(kr)
    name = (
        "baseline"
        if isinstance(target, Relative | Delta)
        else "not_below"
        if hasattr(target, "not_below")
        else "not_above"
    )
    place_of_baseline = (*path, name) if (*path, name) in document.lines else path
    is_level = isinstance(kr.measure, Open | Level) or kr.trailing is not None or kr.cumulative == "ever"
    if baseline == "start" and not is_level:
        found = "a figure of the whole period has none on the eve of it to start from"
        do = "Name previous_period or previous_year, or count over trailing days or ever"
        yield document.problem(place_of_baseline, kr.id, found, do)
    if baseline == "previous_window" and kr.every is None:
        found = "previous_window of a key result without windows"
        yield document.problem(place_of_baseline, kr.id, found, "Name previous_period, or add every")
    if is_to_date(kr) and (kr.every is not None or is_level):
        found = "to_date of what is not a total of the period so far"
        yield document.problem(path, kr.id, found, "Remove to_date")
    if kr.measure is not None and kr.measure.kind == "share":
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
