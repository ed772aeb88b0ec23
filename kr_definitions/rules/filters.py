"""Rules about filters: what they say, and whether they can hold.

Belongs here: what is wrong with a declared filter beside the vocabulary. Does not: deciding when one holds
(`conditions`), the language (`expressions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from kr_definitions import conditions
from kr_definitions.declarations import MonthOf, MonthsFrom
from kr_definitions.documents import Path, Problem, short
from kr_definitions.expressions import ExpressionError, predicate
from kr_definitions.measures.selection import columns_of
from kr_definitions.rules.base import Rules, StatedKeyResult, advice, each_key_result, into
from kr_definitions.rules.names import closed_values, holds
from kr_definitions.vocabulary import nearest, vocabulary

RULES: Rules = {}
_rule = into(RULES)

Stated = tuple[Path, str, tuple[str, ...], Mapping[str, pl.DataType]]
"""A filter: its place below the key result, its text, the event types that it is over, and what they carry."""


def _filters(stated: StatedKeyResult) -> Iterator[Stated]:
    """Every filter whose event types are known: without them nothing can be said about it."""
    for path, text, types in _declared(stated):
        if all(name in vocabulary().types for name in types):
            yield path, text, types, columns_of(types)


def _declared(stated: StatedKeyResult) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    kr = stated.content
    for place, measure in kr.measures():
        for path, text, types in measure.filters():
            yield (*place, *path), text, types
    if isinstance(kr.period, MonthsFrom | MonthOf):
        name = "from_event" if isinstance(kr.period, MonthsFrom) else "month_of"
        happening = kr.period.from_event if isinstance(kr.period, MonthsFrom) else kr.period.month_of
        if happening.where is not None:
            yield ("period", name, "where"), happening.where, (happening.event,)


def _readable(stated: StatedKeyResult) -> Iterator[Stated]:
    """The filters that the language holds."""
    for path, text, types, columns in _filters(stated):
        try:
            predicate(text, columns)
        except ExpressionError:
            continue
        yield path, text, types, columns


@_rule("filter.language", "error", "A filter is a condition of the expression language, over what its events carry.")
@each_key_result
def _language(stated: StatedKeyResult) -> Iterator[Problem]:
    for path, text, _, columns in _filters(stated):
        try:
            predicate(text, columns)
        except ExpressionError as error:
            yield stated.problem(path, error.found, error.do)


@_rule("filter.value", "error", "An attribute whose values the vocabulary lists is compared with one of them.")
@each_key_result
def _values(stated: StatedKeyResult) -> Iterator[Problem]:
    for path, text, _, columns in _readable(stated):
        for column, value in dict.fromkeys(conditions.asked(text, columns)):
            values = closed_values(column)
            if values and value not in values:
                do = advice(nearest(value, values), f"There are: {', '.join(values)}")
                yield stated.problem(path, f"no {column} '{short(value)}', so that it matches nothing", do)


@_rule("filter.held", "error", "A filter on an amount or a quantity is over events that hold one.")
@each_key_result
def _held(stated: StatedKeyResult) -> Iterator[Problem]:
    for path, text, types, columns in _readable(stated):
        for column in predicate(text, columns).columns:
            held = "amount" if column == "currency" else column
            if held in ("amount", "quantity") and not any(holds(name, held) for name in types):
                found = f"{' and '.join(types)} hold no {held}, so that {column} is always empty"
                yield stated.problem(path, found, f"Remove {column} from the filter, or name events that hold one")


@_rule("filter.never", "error", "A filter can hold for some event.")
@each_key_result
def _never(stated: StatedKeyResult) -> Iterator[Problem]:
    for path, text, _, columns in _readable(stated):
        if conditions.verdict(text, columns) == "never":
            yield stated.problem(
                path, f"«{short(text)}» never holds", "Ask for what one event can be: OR in place of AND?"
            )


@_rule("filter.always", "warning", "A filter leaves something out.")
@each_key_result
def _always(stated: StatedKeyResult) -> Iterator[Problem]:
    for path, text, _, columns in _readable(stated):
        is_reached = path[-1] == "reached"
        if conditions.verdict(text, columns, where_known=is_reached) == "always":
            do = "Name what counts as reached" if is_reached else "Remove it, or name what is to be left out"
            yield stated.problem(path, f"«{short(text)}» always holds", do)
