"""Rules about measures: what cannot be measured as it is said, or measures something else.

Belongs here: what the parts of one measure are to each other. Does not: names (`names`), filters (`filters`), targets
(`targets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kr_definitions.declarations import KeyResult
from kr_definitions.declared_periods import MonthOf, MonthsFrom
from kr_definitions.documents import Path, Problem, short
from kr_definitions.measures import (
    Count,
    DailyMax,
    Figure,
    Gain,
    Level,
    Measured,
    Open,
    Participation,
    Ratio,
    Steps,
    Sum,
)
from kr_definitions.measures.membership import Activity, Roster
from kr_definitions.measures.selection import Had, HadNot
from kr_definitions.progress import baseline_of
from kr_definitions.rules.anatomy import (
    counted_in,
    from_to,
    has_number,
    narrowed,
    numbers_of,
    of_roster,
    of_what,
    opened_and_closed,
)
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
        of, between = from_to(measure), opened_and_closed(measure)
        is_by_subject = isinstance(measure, Open) or (of is not None and of.by == "subject_id")
        is_closed = isinstance(between, Roster) and between.closed_by is not None
        types = measure.types if is_by_subject else between.types if is_closed and isinstance(between, Roster) else ()
        about = {name: known[name].subject for name in types if name in known}
        if len(set(about.values())) > 1:
            named = " and ".join(f"{name} ({subject})" for name, subject in about.items())
            do = "Name events of one and the same thing" + (", or join them by: account_id" if of is not None else "")
            yield stated.problem(path, f"{named} are about different things", do)


@_rule("measure.same_event", "error", "What begins something is not what ends it.")
@each_measure
def _same_event(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        of = from_to(measure)
        both = _both(of.from_, of.to) if of is not None else ""
        if of is not None and both and normal(of.from_where, of.from_) == normal(of.where, of.to):
            found = f"{both} both begins and ends it, so that it is there at once"
            do = "Name another event as to, or tell them apart with a filter"
            yield stated.problem((*path, of_what(measure), "to"), found, do)
        between = opened_and_closed(measure)
        if between is not None and (both := _both(between.opened_by, between.closed_by or ())):
            found = f"{both} both opens and closes it, so that it is never open"
            yield stated.problem((*path, *of_roster(measure), "closed_by"), found, "Name another event")


def _both(some: Sequence[str], others: Sequence[str]) -> str:
    return " and ".join(name for name in some if name in others)


@_rule("measure.members", "error", "Who could take part and who did are told apart by the same thing.")
@each_measure
def _members(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        if isinstance(measure, Participation):
            roster, did = measure.participation.roster, measure.participation.did
            if roster.by != did.by and _names(roster, roster.opened_by) != _names(did, did.of):
                found = f"members are told apart by {roster.by}, and what they did by {did.by}: nobody is both"
                yield stated.problem((*path, "participation", "did", "by"), found, f"Write by: {roster.by} for both")


def _names(group: Roster | Activity, types: tuple[str, ...]) -> str:
    """What a column is a name of; a subject is of the kind that the events are about."""
    about = {vocabulary().types[name].subject for name in types if name in vocabulary().types}
    return about.pop() if group.by == "subject_id" and len(about) == 1 else group.by


# --- numbers ----------------------------------------------------------------------------------------------------------


@_rule("measure.units", "error", "Numbers that are added or compared are counted in the same.")
@each_measure
def _units(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        for below, column, types in numbers_of(measure):
            known = [name for name in types if has_number(name, column)]
            units = {name: vocabulary().unit_of(name, column) or f"a scale of {name}" for name in known}
            if len(set(units.values())) > 1:
                found = " and ".join(f"{name} ({unit})" for name, unit in units.items())
                do = "Name events whose numbers are counted in the same, each in a key result of its own"
                yield stated.problem((*path, *below), f"{column} of {found}: they do not add up", do)


@_rule("measure.adds_up", "error", "What is added up adds up, and a level is of what is said anew each time.")
@each_measure
def _adds_up(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        for below, column, types in numbers_of(measure):
            known = [name for name in types if has_number(name, column)]
            restating = [name for name in known if vocabulary().types[name].restates == column]
            is_added = "among" in below or isinstance(measure, Sum | DailyMax)
            if restating and is_added:
                subject = vocabulary().types[restating[0]].subject
                found = f"each {restating[0]} says the {column} of its {subject} anew: they do not add up"
                yield stated.problem((*path, *below), found, f"Write level: {column}, or gain: {column}")
            is_level = isinstance(measure, Level | Gain) and not is_added
            if is_level and column != "amount" and known and not restating:
                found = f"the {column} of {' or '.join(types)} is no level: it says nothing of what there was before"
                yield stated.problem((*path, *below), found, f"Write sum: {column}, or mean: {column}")


@_rule("measure.ratio", "error", "A ratio is of two things, the lower of which can be more than nothing.")
@each_measure
def _ratio(stated: StatedMeasure) -> Iterator[Problem]:
    for of in (stated.content.ratio,) if isinstance(stated.content, Ratio) else ():
        below = of.denominator
        if isinstance(below, Figure) and below.figure <= 0:
            found = f"over {below.figure:f}, " + ("of which there is no part" if below.figure else "which is nothing")
            yield stated.problem(("ratio", "denominator"), found, "Give a figure above 0")
        if isinstance(below, Figure) and isinstance(of.numerator, Figure):
            yield stated.problem(("ratio",), "a figure over a figure measures nothing", "Name what is counted or added")
        elif below == of.numerator and of.minus is None:
            yield stated.problem(("ratio", "denominator"), "a thing over itself is always 1", "Narrow the numerator")
        if of.up_to_last and isinstance(below, Figure):
            found = "up_to_last of a figure, which never happened: the numerator is nothing"
            yield stated.problem(("ratio", "up_to_last"), found, "Remove up_to_last: a figure holds in every window")
        if of.minus is not None:
            yield from _less(stated, of.numerator, of.minus)


def _less(stated: StatedMeasure, numerator: Measured, minus: Measured) -> Iterator[Problem]:
    if minus == numerator:
        yield stated.problem(("ratio", "minus"), "a thing less itself is always 0", "Take something else off")
    counted, taken_off = counted_in(numerator), counted_in(minus)
    if counted and taken_off and counted != taken_off:
        yield stated.problem(("ratio", "minus"), f"{taken_off} taken off {counted}", f"Take off something in {counted}")


# --- lists ------------------------------------------------------------------------------------------------------------


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


@_rule("measure.steps", "error", "Each step is told apart from the others, by its name and by what meets it.")
@each_measure
def _steps(stated: StatedMeasure) -> Iterator[Problem]:
    steps = stated.content.steps if isinstance(stated.content, Steps) else ()
    for i, step in enumerate(steps):
        before = steps[:i]
        if any(step.name == other.name for other in before):
            yield stated.problem(("steps", i, "name"), f"two steps of the name '{short(step.name)}'", "Rename one")
        met = {*step.of}, normal(step.where, step.of)
        if any(met == ({*other.of}, normal(other.where, other.of)) for other in before):
            found = f"the step '{short(step.name)}' is met by what meets another one"
            yield stated.problem(("steps", i), found, "Tell them apart with a filter, or give one step more weight")


@_rule("measure.valued_by", "error", "What says the value of what is open is named only where there is a value.")
@each_measure
def _valued_by(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        if isinstance(measure, Open) and measure.open.valued_by is not None and measure.open.value is None:
            do = "Add value: amount (or quantity), or remove valued_by"
            yield stated.problem((*path, "open", "valued_by"), "valued_by without a value to say", do)


@_rule("measure.whole", "warning", "What is counted out of something is a part of it.")
@each_measure
def _whole(stated: StatedMeasure) -> Iterator[Problem]:
    for path, measure in stated.single():
        if isinstance(measure, Count) and measure.out_of is not None:
            apart = [name for name in measure.count if name not in measure.out_of]
            if apart:
                found = f"{' and '.join(apart)} are no part of {' and '.join(measure.out_of)}"
                yield stated.problem((*path, "out_of"), found, "Name everything that they are counted out of")


@_rule("measure.new_before", "error", "Those who are new in the period are not compared with the eve of it.")
@each_key_result
def _new_before(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        if baseline_of(one) != "start":
            continue
        of_target = (*place, "measure")
        for path, measure in stated.measures():
            if path[: len(of_target)] == of_target and _is_empty_before(measure):
                found = "nobody was new before the period, on the eve of which it starts: the baseline is nothing"
                do = "Name previous_period or previous_year, whose own new ones are counted, or a target in figures"
                yield stated.problem((*path, "among"), found, do)


def _is_empty_before(measure: Measured) -> bool:
    """Whether nothing before the period counts: not in it, or each event keeps its own account out of the cohort."""
    types, where = narrowed(measure)
    if isinstance(measure, Participation) and measure.participation.did.since == "period":
        return True
    return any(isinstance(cohort, Had) and cohort.since == "period" for cohort in getattr(measure, "among", ())) or any(
        isinstance(cohort, HadNot)
        and cohort.before == "period"
        and set(types) == {cohort.had_not}
        and (cohort.where is None or normal(cohort.where, cohort.types) == normal(where, types))
        for cohort in getattr(measure, "among", ())
    )


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
