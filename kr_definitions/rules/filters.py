"""Rules about filters: what they say, and whether they can hold.

Belongs here: what is wrong with a declared filter beside the vocabulary. Does not: deciding when one holds
(`conditions`), the language (`expressions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from kr_definitions import conditions
from kr_definitions.currencies import CURRENCIES
from kr_definitions.declarations import KeyResult
from kr_definitions.declared_periods import MonthOf, MonthsFrom
from kr_definitions.documents import Path, Problem, short
from kr_definitions.expression_types import quoted
from kr_definitions.expressions import Expression, ExpressionError, predicate
from kr_definitions.measures import Measured, Share
from kr_definitions.measures.selection import Cohort, Had, HadNot, columns_of
from kr_definitions.periods import Span
from kr_definitions.progress import baseline_of
from kr_definitions.rules.anatomy import holds
from kr_definitions.rules.base import (
    Declarations,
    Rules,
    StatedKeyResult,
    StatedMeasure,
    advice,
    each_measure,
    into,
    normal,
)
from kr_definitions.rules.names import closed_values
from kr_definitions.vocabulary import Domain, nearest, vocabulary

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
    """Every filter whose event types are known: without them nothing can be said about it.

    Not those that are left empty, which is told of any text.
    """
    for stated in _declared(declarations):
        if stated.text.strip() and all(name in vocabulary().types for name in stated.types):
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
def _verdict(text: str, types: tuple[str, ...], *, is_reached: bool = False) -> conditions.Verdict | None:
    return conditions.verdict(text, columns_of(types), _domains(types), where_known=is_reached)


def _domains(types: tuple[str, ...]) -> Mapping[str, Domain]:
    return {name: vocabulary().domain_of(name) for name in columns_of(types)}


@lru_cache(maxsize=10_000)
def _excludes(texts: tuple[str, ...], types: tuple[str, ...]) -> bool:
    """Whether filters, each of which can hold, never hold together."""
    can_hold = all(
        not isinstance(_read(text, types), ExpressionError) and _verdict(text, types) != "never" for text in texts
    )
    return can_hold and conditions.excludes(texts, columns_of(types), _domains(types))


@_rule("filter.language", "error", "A filter is a condition of the expression language, over what its events carry.")
def _language(declarations: Declarations) -> Iterator[Problem]:
    for stated in _filters(declarations):
        read = _read(stated.text, stated.types)
        if isinstance(read, ExpressionError):
            yield stated.problem(read.found, read.do)


@_rule("filter.value", "error", "An attribute whose values the vocabulary lists is compared with one of them.")
def _values(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        for column, value in _unknown_values(stated.text, stated.types):
            values = closed_values(column)
            do = advice(nearest(value, values), f"There are: {', '.join(values)}")
            yield stated.problem(f"no {column} '{short(value)}', so that it matches nothing", do)


def _unknown_values(text: str, types: tuple[str, ...]) -> list[tuple[str, str]]:
    """The columns that are compared with a value that they cannot have."""
    asked = dict.fromkeys(conditions.asked(text, columns_of(types)))
    return [(column, value) for column, value in asked if value not in (closed_values(column) or (value,))]


@_rule("filter.named", "warning", "A filter names a source of the organisation, and a currency of the world.")
def _named(declarations: Declarations) -> Iterator[Problem]:
    organisation = declarations.organisation
    known = {
        "source": tuple(organisation.sources) if organisation is not None else (),
        "currency": tuple(sorted(CURRENCIES)),
    }
    for stated in _readable(declarations):
        for column, value in dict.fromkeys(conditions.asked(stated.text, columns_of(stated.types))):
            if known.get(column) and value not in known[column]:
                do = {
                    "source": advice(nearest(value, known["source"]), f"There are: {', '.join(known['source'])}"),
                    "currency": "Write its code (ISO 4217), as EUR or COP",
                }
                yield stated.problem(f"no {column} '{short(value)}', so that it matches nothing", do[column])


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
        is_told = bool(_unknown_values(stated.text, stated.types))
        if not is_told and _verdict(stated.text, stated.types, is_reached=stated.is_reached) == "never":
            do = _what_there_is(stated) or "Ask for what one event can be: OR in place of AND?"
            yield stated.problem(f"«{short(stated.text)}» never holds", do)


def _what_there_is(stated: _Filter) -> str:
    """What the columns of a filter can hold, where that is not any value."""
    read = _read(stated.text, stated.types)
    told = []
    for column in () if isinstance(read, ExpressionError) else read.columns:
        domain = vocabulary().domain_of(column)
        if domain.values:
            told.append(f"{column} is {' or '.join(domain.values)}")
        elif domain.ends:
            least, most = domain.least, domain.most
            told.append(f"{column} is not below {least}" if most is None else f"{column} is from {least} to {most}")
    return "; ".join(told)


@_rule("filter.always", "warning", "A filter leaves something out.")
def _always(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        if _verdict(stated.text, stated.types, is_reached=stated.is_reached) == "always":
            do = "Name what counts as reached" if stated.is_reached else "Remove it, or name what is to be left out"
            yield stated.problem(f"«{short(stated.text)}» always holds", do)


@_rule("filter.empty", "warning", "A filter leaves out more than the events in which something is empty.")
def _empty(declarations: Declarations) -> Iterator[Problem]:
    for stated in _readable(declarations):
        read = _read(stated.text, stated.types)
        if (
            not isinstance(read, ExpressionError)
            and _verdict(stated.text, stated.types, is_reached=stated.is_reached) == "known"
        ):
            has_value = " AND ".join(f"{column} IS NOT NULL" for column in read.columns)
            found = f"«{short(stated.text)}» leaves out nothing but events without {' or '.join(read.columns)}"
            yield stated.problem(found, f"Name what is to be left out, or write {has_value} if that is meant")


# --- filters beside one another ---------------------------------------------------------------------------------------


@_rule("filter.together", "error", "Filters that have to hold for one event can do so.")
def _together(declarations: Declarations) -> Iterator[Problem]:
    for measure in declarations.measures:
        yield from _nothing_reached(measure)
        yield from _in_and_out(measure)
    for key_result in declarations.key_results:
        yield from _without_member(key_result)


def _nothing_reached(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        if isinstance(measure, Share) and measure.share.where is not None:
            of = measure.share
            if _excludes((measure.share.where, of.reached), of.of):
                found = f"«{short(of.reached)}» never holds where «{short(measure.share.where)}» does"
                yield stated.problem(
                    (*path, "share", "reached"), found, "Let where be what counts, reached a part of it"
                )


def _in_and_out(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        cohorts: tuple[Cohort, ...] = getattr(measure, "among", ())
        for had_not in (cohort for cohort in cohorts if isinstance(cohort, HadNot)):
            for i, had in enumerate(cohorts):
                if isinstance(had, Had) and _implies(had, had_not):
                    found = f"nobody is both with {had.had} before and with no {had_not.had_not} before"
                    yield stated.problem((*path, "among", i), found, "Keep one of them, or tell them apart")


def _implies(had: Had, had_not: HadNot) -> bool:
    """Whether whoever is in the one cohort is out of the other."""
    is_same = had.had == had_not.had_not and had.key == had_not.key
    is_narrower = had_not.where is None or normal(had.where, had.types) == normal(had_not.where, had_not.types)
    is_earlier = had_not.before in ("event", had.before) and had_not.since in ("ever", had.since)
    return is_same and is_narrower and is_earlier


def _without_member(stated: StatedKeyResult) -> Iterator[Problem]:
    """Members of a dimension of which no event is left by a filter: each is looked at alone."""
    each, measure = stated.content.each, stated.content.measure
    if each is None or measure is None:
        return
    for path, text, types in measure.filters():
        is_of_the_member = "among" not in path and each.dimension in columns_of(types)
        for i, member in enumerate(each.members or ()) if is_of_the_member else ():
            if _excludes((text, f"{quoted(each.dimension, chr(34))} = {quoted(member)}"), types):
                found = f"«{short(text)}» never holds for the {each.dimension} '{short(member)}'"
                do = f"Leave {each.dimension} out of the filter, or '{short(member)}' out of the members"
                yield stated.problem(("each", "members", i), found, f"{do} (the filter is at {_written(path)})")


def _written(path: Path) -> str:
    return ".".join(str(step) for step in ("measure", *path))


@_rule("filter.all_reached", "warning", "What is asked of the events of a share does not follow from what they are.")
@each_measure
def _all_reached(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        of = measure.share if isinstance(measure, Share) else None
        if of is not None and of.where is not None and _excludes((of.where, f"NOT ({of.reached})"), of.of):
            found = f"«{short(of.reached)}» holds wherever «{short(of.where)}» does, so that all is reached"
            yield stated.problem((*path, "share", "reached"), found, "Take it out of where, or ask for something else")


# --- filters beside the period ----------------------------------------------------------------------------------------

_LONGEST_WINDOW = timedelta(days=92)


@_rule("filter.period", "warning", "A filter on the time of an event leaves some of the period.")
def _period(declarations: Declarations) -> Iterator[Problem]:
    organisation = declarations.organisation
    if organisation is None:
        return
    for stated in declarations.key_results:
        span = stated.span(organisation)
        if span is None:
            continue
        for place, one in stated.targeted():
            counted = _counted(one, span, ZoneInfo(organisation.zone))
            for path, text, types in one.main.filters():
                if _is_outside(one.main, path, text, types, counted):
                    found = f"«{short(text)}» never holds in the period, from {span.first} to {span.last}"
                    yield stated.problem((*place, "measure", *path), found, "Remove the time: the period says it")


def _counted(one: KeyResult, span: Span, zone: ZoneInfo) -> Domain:
    """When an event has to happen so that it counts in some window of a period, or in what it is compared with."""
    looks_back = one.cumulative == "ever" or baseline_of(one) is not None
    reach = _LONGEST_WINDOW if one.every or one.windows else timedelta(0)
    first = datetime.combine(span.first, time.min, zone).astimezone(UTC) - max(reach, timedelta(days=one.trailing or 0))
    last = datetime.combine(span.last + timedelta(days=1), time.min, zone).astimezone(UTC) + reach
    return Domain(least=None if looks_back else first, most=last, is_nullable=False)


def _is_outside(measure: Measured, path: Path, text: str, types: tuple[str, ...], counted: Domain) -> bool:
    """Whether a filter that can hold never does at these times; what looks back counts from the beginning."""
    read = _read(text, types) if text.strip() and columns_of(types) else None
    if read is None or isinstance(read, ExpressionError) or "occurred_at" not in read.columns:
        return False
    looks_back = "among" in path or bool({*types} & {*measure.remembered})
    at = Domain(least=None if looks_back else counted.least, most=counted.most, is_nullable=False)
    said = conditions.verdict(text, columns_of(types), {**_domains(types), "occurred_at": at})
    return said == "never" and _verdict(text, types) != "never"
