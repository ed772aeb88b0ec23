"""Rules about filters: what they say, and whether they can hold.

Belongs here: what is wrong with a declared filter beside the vocabulary. Does not: deciding when one holds
(`conditions`), the language (`expressions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from kr_definitions import conditions
from kr_definitions.declarations import MonthOf, MonthsFrom
from kr_definitions.documents import Path, Problem, short
from kr_definitions.expressions import ExpressionError, predicate
from kr_definitions.measures.selection import columns_of
from kr_definitions.rules.base import Declarations, Rules, StatedKeyResult, StatedMeasure, advice, into
from kr_definitions.rules.names import closed_values, holds
from kr_definitions.vocabulary import nearest, vocabulary

RULES: Rules = {}
_rule = into(RULES)


@dataclass(frozen=True)
class _Filter:
    """A declared filter over events of known types. holder: what it stands in, at `path`."""

    holder: StatedMeasure | StatedKeyResult
    path: Path
    text: str
    types: tuple[str, ...]

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """What every event that it is over carries."""
        return columns_of(self.types)

    def problem(self, found: str, do: str) -> Problem:
        """A problem of it."""
        return self.holder.problem(self.path, found, do)


def _filters(declarations: Declarations) -> Iterator[_Filter]:
    """Every filter whose event types are known: without them nothing can be said about it."""
    for stated in _declared(declarations):
        if all(name in vocabulary().types for name in stated.types):
            yield stated


def _declared(declarations: Declarations) -> Iterator[_Filter]:
    for measure in declarations.measures:
        for path, text, types in measure.content.filters():
            yield _Filter(measure, path, text, types)
    for stated in declarations.key_results:
        period = stated.content.period
        if isinstance(period, MonthsFrom | MonthOf):
            name = "from_event" if isinstance(period, MonthsFrom) else "month_of"
            happening = period.from_event if isinstance(period, MonthsFrom) else period.month_of
            if happening.where is not None:
                yield _Filter(stated, ("period", name, "where"), happening.where, (happening.event,))


def _readable(declarations: Declarations) -> Iterator[_Filter]:
    """The filters that the language holds."""
    for stated in _filters(declarations):
        try:
            predicate(stated.text, stated.columns)
        except ExpressionError:
            continue
        yield stated


@_rule("filter.language", "error", "A filter is a condition of the expression language, over what its events carry.")
def _language(declarations: Declarations) -> Iterator[Problem]:
    for stated in _filters(declarations):
        try:
            predicate(stated.text, stated.columns)
        except ExpressionError as error:
            yield stated.problem(error.found, error.do)


@_rule("filter.value", "error", "An attribute whose values the vocabulary lists is compared with one of them.")
def _values(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        for column, value in dict.fromkeys(conditions.asked(stated.text, stated.columns)):
            values = closed_values(column)
            if values and value not in values:
                do = advice(nearest(value, values), f"There are: {', '.join(values)}")
                yield stated.problem(f"no {column} '{short(value)}', so that it matches nothing", do)


@_rule("filter.held", "error", "A filter on an amount or a quantity is over events that hold one.")
def _held(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        for column in predicate(stated.text, stated.columns).columns:
            held = "amount" if column == "currency" else column
            if held in ("amount", "quantity") and not any(holds(name, held) for name in stated.types):
                found = f"{' and '.join(stated.types)} hold no {held}, so that {column} is always empty"
                yield stated.problem(found, f"Remove {column} from the filter, or name events that hold one")


@_rule("filter.never", "error", "A filter can hold for some event.")
def _never(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        if conditions.verdict(stated.text, stated.columns) == "never":
            do = "Ask for what one event can be: OR in place of AND?"
            yield stated.problem(f"«{short(stated.text)}» never holds", do)


@_rule("filter.always", "warning", "A filter leaves something out.")
def _always(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        is_reached = stated.path[-1] == "reached"
        if conditions.verdict(stated.text, stated.columns, where_known=is_reached) == "always":
            do = "Name what counts as reached" if is_reached else "Remove it, or name what is to be left out"
            yield stated.problem(f"«{short(stated.text)}» always holds", do)
