"""Rules about filters: what they say, and whether they can hold.

Belongs here: what is wrong with a declared filter beside the vocabulary. Does not: deciding when one holds
(`conditions`), the language (`expressions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kr_definitions import conditions
from kr_definitions.declarations import MonthOf, MonthsFrom
from kr_definitions.documents import Path, Problem, short
from kr_definitions.expressions import Expression, ExpressionError, predicate
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
    def is_reached(self) -> bool:
        """Whether it says what counts as reached; of events for which that is unknown, nothing is asked."""
        return self.path[-1] == "reached"

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
    return (
        stated for stated in _filters(declarations) if not isinstance(_read(stated.text, stated.types), ExpressionError)
    )


@lru_cache(maxsize=10_000)
def _read(text: str, types: tuple[str, ...]) -> Expression | ExpressionError:
    """A filter, or why it is none."""
    try:
        return predicate(text, columns_of(types))
    except ExpressionError as error:
        return error


@lru_cache(maxsize=10_000)
def _verdict(text: str, types: tuple[str, ...], is_reached: bool) -> conditions.Verdict | None:  # noqa: FBT001
    return conditions.verdict(text, columns_of(types), where_known=is_reached)


@_rule("filter.language", "error", "A filter is a condition of the expression language, over what its events carry.")
def _language(declarations: Declarations) -> Iterator[Problem]:
    for stated in _filters(declarations):
        read = _read(stated.text, stated.types)
        if isinstance(read, ExpressionError):
            yield stated.problem(read.found, read.do)


@_rule("filter.value", "error", "An attribute whose values the vocabulary lists is compared with one of them.")
def _values(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        for column, value in dict.fromkeys(conditions.asked(stated.text, columns_of(stated.types))):
            values = closed_values(column)
            if values and value not in values:
                do = advice(nearest(value, values), f"There are: {', '.join(values)}")
                yield stated.problem(f"no {column} '{short(value)}', so that it matches nothing", do)


@_rule("filter.held", "error", "A filter on an amount or a quantity is over events that hold one.")
def _held(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        read = _read(stated.text, stated.types)
        for column in () if isinstance(read, ExpressionError) else read.columns:
            held = "amount" if column == "currency" else column
            if held in ("amount", "quantity") and not any(holds(name, held) for name in stated.types):
                found = f"{' and '.join(stated.types)} hold no {held}, so that {column} is always empty"
                yield stated.problem(found, f"Remove {column} from the filter, or name events that hold one")


@_rule("filter.never", "error", "A filter can hold for some event.")
def _never(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        if _verdict(stated.text, stated.types, stated.is_reached) == "never":
            do = "Ask for what one event can be: OR in place of AND?"
            yield stated.problem(f"«{short(stated.text)}» never holds", do)


@_rule("filter.always", "warning", "A filter leaves something out.")
def _always(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        if _verdict(stated.text, stated.types, stated.is_reached) == "always":
            do = "Name what counts as reached" if stated.is_reached else "Remove it, or name what is to be left out"
            yield stated.problem(f"«{short(stated.text)}» always holds", do)
