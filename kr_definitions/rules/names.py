"""Rules about names: the event types, columns and members that a key result asks for.

Belongs here: what the vocabulary knows and does not know. Does not: what filters say (`filters`), ids (`links`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from kr_definitions.documents import Document, Path, Problem, short
from kr_definitions.events import RESERVED
from kr_definitions.measures import ForecastAccuracy, Measured, Open
from kr_definitions.measures.selection import Top, columns_of
from kr_definitions.rules.anatomy import holds, keys_of, number_of
from kr_definitions.rules.base import (
    Declarations,
    Rules,
    StatedKeyResult,
    StatedMeasure,
    advice,
    each_key_result,
    each_measure,
    into,
    places,
)
from kr_definitions.vocabulary import nearest, vocabulary

RULES: Rules = {}
_rule = into(RULES)

_NAME_TYPES = frozenset(
    {
        "count", "out_of", "of", "from", "to", "opened_by", "closed_by", "valued_by", "had", "had_not", "forecast",
        "actual", "seen_in", "event",
    }
)  # fmt: skip
"""Keys whose texts are event types."""

_MEASURED = ("measure", "all_of", "guardrails", "each", "period")
"""Keys of a key result below which event types are named."""


@_rule("names.event_type", "error", "Every event type is one of the vocabulary, and not one of the log's own.")
def _event_types(declarations: Declarations) -> Iterator[Problem]:
    for document in declarations.files:
        for place in places(document):
            where = str(document.value((*place, "id")) or "")
            for path, name in _named(document, place):
                if name in RESERVED:
                    found, do = (
                        f"'{name}' is the log's own and counts nothing",
                        "Name something that happens in the world",
                    )
                    yield document.problem(path, where, found, do)
                elif name not in vocabulary().types:
                    do = advice(nearest(name, vocabulary().types), "See kr_definitions/vocabulary.yaml")
                    yield document.problem(path, where, f"no event type '{short(name)}'", do)


def _named(document: Document, place: Path) -> Iterator[tuple[Path, str]]:
    """Every event type that a key result names, readable or not, with its place."""
    for name in _MEASURED:
        for path, value in _leaves(document.value((*place, name)), (*place, name)):
            keys = [step for step in path if isinstance(step, str)]
            is_period_or_figure = keys[-1] in ("from", "of") and (
                name == "period" or "figure" in _beside(document, path)
            )
            if keys[-1] in _NAME_TYPES and not is_period_or_figure:
                yield path, value


def _beside(document: Document, path: Path) -> Any:
    beside = document.value(path[:-1])
    return beside if isinstance(beside, dict) else ()


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _leaves(item, (*path, i))
    elif isinstance(value, str):
        yield path, value


@_rule(
    "names.column",
    "error",
    "What things are told apart by (`distinct`, `key`, `by`) or gone through (`each`) is carried by every event type.",
)
def _columns(declarations: Declarations) -> Iterator[Problem]:
    for measure in declarations.measures:
        yield from _told_apart(measure)
    for stated in declarations.key_results:
        yield from _gone_through(stated)


def _told_apart(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        for below, column, types in keys_of(measure):
            lacking = [name for name in types if name in vocabulary().types and column not in columns_of((name,))]
            if lacking:
                known = columns_of(tuple(name for name in types if name in vocabulary().types))
                do = advice(nearest(column, known), f"They carry: {', '.join(sorted(known))}")
                yield stated.problem((*path, *below), f"{' and '.join(lacking)} carry no '{short(column)}'", do)


def _gone_through(stated: StatedKeyResult) -> Iterator[Problem]:
    kr = stated.content
    if kr.each is not None and kr.measure is not None:
        types = (kr.each.seen_in,) if kr.each.seen_in else ()
        carriers = tuple(name for name in (*kr.measure.types, *types) if name in vocabulary().types)
        known = columns_of(carriers)
        texts = {name for name, dtype in known.items() if dtype == pl.String}
        if known and kr.each.dimension not in texts:
            do = advice(nearest(kr.each.dimension, texts), f"They share: {', '.join(sorted(texts))}")
            found = f"not all of {', '.join(carriers)} carry a '{short(kr.each.dimension)}'"
            if kr.each.dimension in known:
                found, do = (
                    f"{kr.each.dimension} is no text, so that it names no members",
                    f"They share: {', '.join(sorted(texts))}",
                )
            yield stated.problem(("each", "dimension"), found, do)


@_rule("names.member", "error", "Members of a dimension whose values the vocabulary lists are among them.")
@each_key_result
def _members(stated: StatedKeyResult) -> Iterator[Problem]:
    each = stated.content.each
    if each is None or not (values := closed_values(each.dimension)):
        return
    for i, name in enumerate(each.members or ()):
        if name not in values:
            do = advice(nearest(name, values), f"There are: {', '.join(values)}")
            yield stated.problem(("each", "members", i), f"no {each.dimension} '{short(name)}'", do)


def closed_values(attribute: str) -> tuple[str, ...]:
    """The only values that an attribute can have; empty where it can have any."""
    declared = vocabulary().attributes.get(attribute)
    return declared.values if declared else ()


@_rule("names.number", "error", "The events hold the number that a measure is of.")
@each_measure
def _numbers(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        key = number_of(measure)
        for name in measure.types if key else ():
            column = getattr(measure, str(key))
            if name in vocabulary().types and not holds(name, column):
                do = f"Name what it holds, or add {column} to the type in kr_definitions/vocabulary.yaml"
                yield stated.problem((*path, str(key)), f"{name} holds no {column}", do)
        yield from _ranked(stated, path, measure)
        if isinstance(measure, ForecastAccuracy):
            yield from _forecast(stated, path, measure)


def _forecast(stated: StatedMeasure, path: Path, measure: ForecastAccuracy) -> Iterator[Problem]:
    """What a forecast is about, and what it is held against."""
    of = measure.forecast_accuracy
    owed = [("forecast", "forecast_month", of.forecast), ("forecast", "amount", of.forecast)]
    for key, column, types in (*owed, ("actual", "amount", of.actual)):
        for name in types:
            if name in vocabulary().types and not holds(name, column):
                found, do = f"{name} holds no {column}", f"Name what states the {column}"
                yield stated.problem((*path, "forecast_accuracy", key), found, do)


def _ranked(stated: StatedMeasure, path: Path, measure: Measured) -> Iterator[Problem]:
    """What makes the largest of a cohort the largest, and what is summed of what is open."""
    for i, cohort in enumerate(getattr(measure, "among", ())):
        ranked = cohort.by if isinstance(cohort, Top) else None
        for name in ranked.of if ranked else ():
            number = ranked.sum if ranked else None
            if number is not None and name in vocabulary().types and not holds(name, number):
                do = f"Rank by what it holds, or by the number of events: remove sum: {number}"
                yield stated.problem((*path, "among", i, "by", "sum"), f"{name} holds no {number}", do)
    between = measure.open if isinstance(measure, Open) else None
    if between is not None and between.value is not None:
        valuing = [*between.opened_by, *(between.valued_by or ())]
        if all(name in vocabulary().types and not holds(name, between.value) for name in valuing):
            found = f"none of {', '.join(valuing)} holds {between.value}"
            yield stated.problem(
                (*path, "open", "value"), found, "Name what they hold, or remove value: then they count"
            )
