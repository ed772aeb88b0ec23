"""Rules about measures: what cannot be measured as it is said, or measures something else.

Belongs here: what the parts of one measure are to each other. Does not: names (`names`), filters (`filters`), targets
(`targets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kr_definitions.declarations import KeyResult, MonthOf, MonthsFrom
from kr_definitions.documents import Path, Problem, short
from kr_definitions.measures import Conversion, Duration, Measured, Open, Participation, Retention, Share
from kr_definitions.measures.selection import HadNot, Selection
from kr_definitions.progress import baseline_of
from kr_definitions.rules.base import (
    Declarations,
    Rules,
    StatedKeyResult,
    StatedMeasure,
    each_key_result,
    each_measure,
    into,
    normal,
    places,
)
from kr_definitions.vocabulary import vocabulary

RULES: Rules = {}
_rule = into(RULES)


@_rule("measure.subject", "error", "Events that are to be of one subject are about the same kind of thing.")
@each_measure
def _subjects(stated: StatedMeasure) -> Iterator[Problem]:
    known = vocabulary().types
    for path, measure in stated.single():
        of = _from_to(measure)
        is_by_subject = isinstance(measure, Open) or (of is not None and of.by == "subject_id")
        about = {name: known[name].subject for name in measure.types if name in known}
        if is_by_subject and len(set(about.values())) > 1:
            named = " and ".join(f"{name} ({subject})" for name, subject in about.items())
            do = "Name events of one and the same thing" + (", or join them by: account_id" if of is not None else "")
            yield stated.problem(path, f"{named} are about different things", do)


def _from_to(measure: Measured) -> Any:
    if isinstance(measure, Duration):
        return measure.duration
    return measure.conversion if isinstance(measure, Conversion) else None


@_rule("measure.same_event", "error", "What begins something is not what ends it.")
@each_measure
def _same_event(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        of = _from_to(measure)
        both = "" if of is None else _both(of.from_, of.to)
        if both and normal(of.from_where, of.from_) == normal(of.where, of.to):
            found = f"{both} both begins and ends it, so that it is there at once"
            do = "Name another event as to, or tell them apart with a filter"
            yield stated.problem(
                (*path, "duration" if isinstance(measure, Duration) else "conversion", "to"), found, do
            )
        between = _opened_and_closed(measure)
        if between is not None and (both := _both(between.opened_by, between.closed_by or ())):
            found = f"{both} both opens and closes it, so that it is never open"
            yield stated.problem((*path, *_place_of_roster(measure), "closed_by"), found, "Name another event")


def _opened_and_closed(measure: Measured) -> Any:
    if isinstance(measure, Open):
        return measure.open
    if isinstance(measure, Retention):
        return measure.retention
    return measure.participation.roster if isinstance(measure, Participation) else None


def _place_of_roster(measure: Measured) -> Path:
    if isinstance(measure, Open):
        return ("open",)
    return ("retention",) if isinstance(measure, Retention) else ("participation", "roster")


def _both(some: Sequence[str], others: Sequence[str]) -> str:
    return " and ".join(name for name in some if name in others)


@_rule("measure.twice", "error", "Nothing stands twice in a list.")
def _twice(declarations: Declarations) -> Iterator[Problem]:
    for document in declarations.files:
        for place in places(document):
            where = str(document.value((*place, "id")) or "")
            for name in ("measure", "all_of", "guardrails", "each", "windows"):
                for path, listed in _lists(document.value((*place, name)), (*place, name)):
                    for text in dict.fromkeys(text for text in listed if listed.count(text) > 1):
                        yield document.problem(path, where, f"'{short(text)}' is listed twice", "Keep it once")


def _lists(value: Any, path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every list of texts below a place."""
    if isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        if texts:
            yield path, texts
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _lists(item, (*path, key))


@_rule("measure.new_before", "error", "Those who are new in the period are not compared with a span before it.")
@each_key_result
def _new_before(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        if baseline_of(one) in (None, "previous_window"):
            continue
        of_target = (*place, "measure")
        for path, measure in stated.measures():
            if path[: len(of_target)] == of_target and _is_empty_before(measure):
                found = "nobody was new before the period in the span that it is compared with: the baseline is nothing"
                do = "Write before: event in the cohort (new when it happened), or a target in figures"
                yield stated.problem((*path, "among"), found, do)


def _is_empty_before(measure: Measured) -> bool:
    """Whether, before the period, each event that is counted keeps its own account out of the cohort."""
    types, where = _counted(measure)
    return any(
        isinstance(cohort, HadNot)
        and cohort.before == "period"
        and set(types) == {cohort.had_not}
        and (cohort.where is None or normal(cohort.where, cohort.types) == normal(where, types))
        for cohort in getattr(measure, "among", ())
    )


def _counted(measure: Measured) -> tuple[tuple[str, ...], str | None]:
    """The event types that a cohort narrows, and the filter on them."""
    if isinstance(measure, Selection):
        return measure.counted, measure.where
    if isinstance(measure, Share):
        return measure.share.of, measure.share.where
    of = _from_to(measure)
    return (of.from_, of.from_where) if of is not None else ((), None)


@_rule("sources.feed", "warning", "Some source of the organisation states every event type that a key result needs.")
def _fed(declarations: Declarations) -> Iterator[Problem]:
    if declarations.fed is None:
        return
    if not declarations.fed and declarations.home is not None:
        where = declarations.organisation.id if declarations.organisation else ""
        found, do = "no source states any event, so that nothing can be measured", "Name the accounts to read from"
        yield declarations.home.problem(("sources",), where, found, do)
        return
    for stated in declarations.key_results:
        missing = [name for name in types_of(stated.content) if name in vocabulary().types]
        missing = [name for name in missing if name not in declarations.fed]
        if missing:
            do = "Let a source of organisation.yaml state it, or measure what one states"
            yield stated.problem(("measure",), f"no source states {' or '.join(missing)}", do)


def types_of(kr: KeyResult) -> tuple[str, ...]:
    """The event types that the figures of a key result depend on."""
    named = [name for _, measure in kr.measures() for name in (*measure.types, *measure.also_read)]
    if isinstance(kr.period, MonthsFrom):
        named.append(kr.period.from_event.event)
    if isinstance(kr.period, MonthOf):
        named.append(kr.period.month_of.event)
    if kr.each is not None and kr.each.seen_in is not None:
        named.append(kr.each.seen_in)
    return tuple(dict.fromkeys(named))
