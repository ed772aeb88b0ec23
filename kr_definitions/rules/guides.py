"""Rules that the guides of the method state for a good set of objectives and key results.

Belongs here: what a reviewer would question. Does not: what cannot be meant (the other modules).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from kr_definitions.declarations import KeyResult
from kr_definitions.declared_periods import MonthsFrom
from kr_definitions.documents import Problem
from kr_definitions.periods import Span, shift_months
from kr_definitions.rules.base import (
    Declarations,
    Rules,
    StatedKeyResult,
    StatedObjective,
    each_objective,
    into,
)

RULES: Rules = {}
_rule = into(RULES)

FEWEST, MOST = 3, 5
"""Objectives of a team in a period, and key results of an objective."""


# --- objective --------------------------------------------------------------------------------------------------------


@_rule("objective.sentence", "warning", "An objective is one sentence.")
@each_objective
def _one_sentence(stated: StatedObjective) -> Iterator[Problem]:
    for tongue, text in _titles(stated):
        if _has_another_sentence(text.strip()):
            do = "Say it in one sentence; the rest belongs in why, or in another objective"
            yield stated.problem(("title", tongue), "more than one sentence", do)


_ABBREVIATED = frozenset(
    {
        "aprox", "approx", "art", "avda", "bros", "cía", "corp", "dept", "dpto", "dra", "etc", "excl", "ext", "inc",
        "incl", "lic", "ltd", "máx", "mín", "mrs", "núm", "pág", "prof", "ref", "sra", "srta", "sta", "sto", "tel",
        "uds",
    }
)  # fmt: skip


def _has_another_sentence(text: str) -> bool:
    """Whether something is said after an end; a point after a short word or a name's first letters is none."""
    if re.search(r"(;|[!?…])\s+\S|\n\s*\S", text):
        return True
    ends = re.finditer(r"(\w+)\.\s+(\S)", text)
    return any(len(end[1]) > 2 and end[1].casefold() not in _ABBREVIATED and not end[2].islower() for end in ends)


@_rule(
    "objective.qualitative", "warning", "An objective says where to go without a figure: figures are its key results."
)
@each_objective
def _qualitative(stated: StatedObjective) -> Iterator[Problem]:
    for tongue, text in _titles(stated):
        if figure := _FIGURE.search(text):
            do = "Say what will be different; make the figure the target of a key result"
            yield stated.problem(("title", tongue), f"a figure, '{figure[0].strip()}', in an objective", do)


_FIGURE = re.compile(r"(?<![^\W_])(?<![^\W_]-)\d[\d.,]*\s?[%€$]?|[%€$]")
"""A number that is no part of a name (B2B, Web3, COVID-19), or a sign of one."""


def _titles(stated: StatedObjective) -> tuple[tuple[str, str], ...]:
    return ("es", stated.content.title.es), ("en", stated.content.title.en)


@_rule("objective.why", "warning", "An objective says why it is worth reaching (each key result has to).")
@each_objective
def _why(stated: StatedObjective) -> Iterator[Problem]:
    if stated.content.why is None:
        yield stated.problem((), "no reason why", "Add why: what reaching it is good for")


# --- counts -----------------------------------------------------------------------------------------------------------


@_rule("counts.objectives", "warning", f"A team (owner) has {FEWEST} to {MOST} objectives in a period.")
def _objectives(declarations: Declarations) -> Iterator[Problem]:
    if declarations.organisation is None:
        return
    calendar = declarations.organisation.calendar
    by_owner: dict[str, list[tuple[StatedObjective, Span]]] = {}
    for stated in declarations.objectives:
        if not _is_of_kpis(stated, declarations):
            of_owner = by_owner.setdefault(stated.content.owner, [])
            of_owner.append((stated, stated.content.period.span(calendar)))
    for owner, objectives in by_owner.items():
        times = sorted({day for _, span in objectives for day in (span.first, span.last + timedelta(days=1))})
        in_force = [(day, [stated for stated, span in objectives if day in span]) for day in times]
        busiest = max(in_force, key=lambda one: len(one[1]))
        emptiest = min((one for one in in_force if one[1]), key=lambda one: len(one[1]))
        too_many, too_few = len(busiest[1]) > MOST, len(emptiest[1]) < FEWEST and declarations.are_all_understood
        for is_told, (day, found), do in ((too_few, emptiest, "add to them"), (too_many, busiest, "choose")):
            if is_told:
                told = f"{owner} has {_several(len(found), 'objective')} on {day}"
                yield found[-1].problem(("owner",), told, f"{FEWEST} to {MOST} are held to be right: {do}")


@_rule("counts.key_results", "warning", f"An objective has {FEWEST} to {MOST} key results; KPIs do not count.")
def _key_results(declarations: Declarations) -> Iterator[Problem]:
    for stated in declarations.objectives:
        count = len([one for one in declarations.of(stated) if one.content.type != "kpi"])
        if count and declarations.is_whole(stated) and not FEWEST <= count <= MOST:
            do = "say what else shows that it is reached" if count < FEWEST else "choose, or split the objective"
            found = f"an objective of {_several(count, 'key result')}"
            yield stated.problem((), found, f"{FEWEST} to {MOST} are held to be right: {do}")


def _is_of_kpis(stated: StatedObjective, declarations: Declarations) -> bool:
    """Whether it is a place for KPIs: how we do now, not where to go."""
    types = [one.content.type for one in declarations.of(stated)]
    return declarations.is_whole(stated) and set(types) == {"kpi"}


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


# --- alignment --------------------------------------------------------------------------------------------------------


@_rule("alignment.top", "warning", "Only a company's objective supports nothing above it.")
@each_objective
def _supports_nothing(stated: StatedObjective) -> Iterator[Problem]:
    if stated.content.supports is None and stated.content.level != "company":
        do = "Add supports: what it moves; or level: company, if nothing is above it"
        yield stated.problem((), f"an objective of a {stated.content.level} that supports nothing", do)


_LEVELS = ("initiative", "individual", "team", "company")


@_rule(
    "alignment.level",
    "warning",
    "What is individual supports what is a team's, and that supports what is the company's.",
)
def _upwards(declarations: Declarations) -> Iterator[Problem]:
    everything: list[StatedObjective | StatedKeyResult] = [*declarations.objectives, *declarations.key_results]
    levels = {stated.content.id: _level(stated) for stated in everything}
    for stated in everything:
        own, above = levels[stated.content.id], stated.content.supports
        if above is None and isinstance(stated, StatedKeyResult) and stated.objective is not None:
            above = stated.objective.id
        theirs = levels.get(above or "")
        if own is not None and theirs is not None and _LEVELS.index(own) > _LEVELS.index(theirs):
            found = f"of level {own}, it supports {above} of level {theirs}"
            do = "Let the lower level support the higher one, or correct the level"
            yield stated.problem(("supports",) if stated.content.supports else ("level",), found, do)


def _level(stated: StatedObjective | StatedKeyResult) -> str | None:
    """Whose result it is; what measures its objective is of that one's level."""
    if isinstance(stated, StatedObjective) or stated.content.level != "objective":
        return stated.content.level
    return stated.objective.level if stated.objective else None


# --- cadence, balance, approval ---------------------------------------------------------------------------------------


@_rule(
    "cadence.quarterly",
    "remark",
    "The cadence is quarterly, unless the year has a reason: a year is cut into windows, and none is longer.",
)
def _cadence(declarations: Declarations) -> Iterator[Problem]:
    for stated in declarations.key_results:
        kr, month = stated.content, _length_in_months(stated, declarations)
        if month is None or kr.type == "kpi":
            continue
        path = ("period",) if kr.period is not None else ()
        if month > 12:
            do = "Choose a year at most, better a quarter"
            yield stated.problem(path, "a period of more than 12 months", do)
        elif month == 12 and not _is_cut(kr):
            do = "Choose a quarter, or say what recurs in the year (every: month)"
            yield stated.problem(path, "a whole year without windows", do)


def _length_in_months(stated: StatedKeyResult, declarations: Declarations) -> int | None:
    """Months of a period, begun ones too."""
    if isinstance(stated.period, MonthsFrom):
        return stated.period.months
    span = stated.span(declarations.organisation)
    if span is None:
        return None
    end: date = span.last + timedelta(days=1)
    months = (end.year - span.first.year) * 12 + end.month - span.first.month
    return months + (shift_months(span.first, months) < end)


def _is_cut(kr: KeyResult) -> bool:
    parts = kr.all_of or (kr,)
    return all(one.every is not None or one.trailing is not None for one in parts)


@_rule(
    "balance.types", "remark", "An objective holds results to achieve and work to do, so that each explains the other."
)
def _balance(declarations: Declarations) -> Iterator[Problem]:
    for stated in declarations.objectives:
        types = [one.content.type for one in declarations.of(stated) if one.content.type != "kpi"]
        if not declarations.is_whole(stated) or len(types) < 2:
            continue
        if "outcome" not in types:
            yield stated.problem((), "an objective without a result to achieve", "Add a key result of type outcome")
        elif not {"activity", "milestone"} & set(types):
            do = "Add a key result of type activity or milestone: what will be done for it"
            yield stated.problem((), "an objective without work to do", do)


@_rule("approval.recorded", "warning", "Those who will answer for an objective have agreed to it.")
@each_objective
def _approval(stated: StatedObjective) -> Iterator[Problem]:
    missing = [
        name
        for name, value in (("approved_by", stated.content.approved_by), ("approved_on", stated.content.approved_on))
        if not value
    ]
    if missing:
        found = f"no {' and no '.join(missing)}"
        yield stated.problem((), found, "Record who has agreed to it, and on which day")


@_rule("approval.in_time", "warning", "An objective is agreed to before its period is over.")
def _in_time(declarations: Declarations) -> Iterator[Problem]:
    if declarations.organisation is None:
        return
    for stated in declarations.objectives:
        last = stated.content.period.span(declarations.organisation.calendar).last
        agreed_on = stated.content.approved_on
        if agreed_on is not None and agreed_on > last:
            found = f"agreed to on {agreed_on}, when the period was over ({last})"
            yield stated.problem(("approved_on",), found, "Correct the day, or the period")
