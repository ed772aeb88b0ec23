"""Rules about periods and the windows that recur in them.

Belongs here: over which days something is counted. Does not: what is counted (`measured`), how much of it (`targets`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from kr_definitions.declarations import KeyResult
from kr_definitions.documents import Path, Problem
from kr_definitions.measures import ForecastAccuracy, Measured, Participation, Retention
from kr_definitions.periods import Every, Span, windows
from kr_definitions.rules.base import Declarations, Rules, StatedKeyResult, each_key_result, into

RULES: Rules = {}
_rule = into(RULES)

_SHORTEST_MONTH = 28
_ENOUGH_DAYS = 184
"""So many days hold several windows of each kind: a quarter has at most 92."""


@_rule("windows.none", "error", "A period holds at least one of the windows that are to recur in it.")
def _none(declarations: Declarations) -> Iterator[Problem]:
    for stated, path, every, span, found in _in_periods(declarations):
        if not found:
            told = f"no {every.replace('_', ' ')} belongs to the period from {span.first} to {span.last}"
            yield stated.problem(path, told, "Choose a shorter window, or leave it out")


def _recurring(kr: KeyResult) -> Iterator[tuple[Path, Every]]:
    for i, window in enumerate(kr.windows):
        yield ("windows", i), window
    for path, one in ((("every",), kr), *((("all_of", i, "every"), part) for i, part in enumerate(kr.all_of))):
        if one.every is not None:
            yield path, one.every
    for i, guardrail in enumerate(kr.guardrails):
        if guardrail.every is not None:
            yield ("guardrails", i, "every"), guardrail.every


@_rule("windows.never", "error", "A window can hold what is measured over it.")
@each_key_result
def _never(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        if isinstance(one.main, ForecastAccuracy) and _is_shorter_than_a_month(one):
            found = "a forecast is held against whole months, of which such a window holds none"
            yield stated.problem((*place, "every" if one.every else "trailing"), found, "Choose a month or more")
        if _asks_who_was_there(one.main) and one.cumulative == "ever":
            found = "before the beginning there was nobody, so that there is no value"
            yield stated.problem((*place, "cumulative"), found, "Count over a window, trailing days or the period")


def _is_shorter_than_a_month(one: KeyResult) -> bool:
    return one.every in ("day", "working_day", "week") or (one.trailing is not None and one.trailing < _SHORTEST_MONTH)


def _asks_who_was_there(measure: Measured) -> bool:
    """Whether it is of those who were members before the window began."""
    is_at_start = isinstance(measure, Participation) and measure.participation.members == "start"
    return isinstance(measure, Retention) or is_at_start


@_rule("windows.longer", "warning", "A window that recurs in a period lies in it.")
def _longer(declarations: Declarations) -> Iterator[Problem]:
    for stated, path, every, span, found in _in_periods(declarations):
        if found and not any(window.first in span and window.last in span for window in found):
            only = found[0]
            told = (
                f"the {every} from {only.first} to {only.last} reaches beyond the period, {span.first} to {span.last}"
            )
            yield stated.problem(path, told, "Choose a shorter window, or leave it out: then the period is the window")


@_rule("windows.cut", "remark", "The months or quarters that recur in a period are all of it.")
def _cut(declarations: Declarations) -> Iterator[Problem]:
    for stated, path, every, span, found in _in_periods(declarations):
        if every not in ("month", "quarter") or not found:
            continue
        before = Span(span.first, found[0].first - timedelta(days=1)) if span.first < found[0].first else None
        after = Span(found[-1].last + timedelta(days=1), span.last) if found[-1].last < span.last else None
        for left in (before, after):
            if left is not None:
                told = f"the days from {left.first} to {left.last} are in no {every} that belongs to the period"
                yield stated.problem(
                    path, told, f"Let the period begin and end with a {every}, or count them otherwise"
                )


def _in_periods(declarations: Declarations) -> Iterator[tuple[StatedKeyResult, Path, Every, Span, list[Span]]]:
    """What recurs in each period: its place, its kind, the period, and the windows in that. No days of long periods."""
    organisation = declarations.organisation
    for stated in declarations.key_results:
        span = stated.span(organisation)
        if organisation is None or span is None:
            continue
        for path, every in _recurring(stated.content):
            if span.days >= _ENOUGH_DAYS and every not in ("month", "quarter"):
                continue
            yield stated, path, every, span, windows(every, span, organisation.calendar)


# --- periods ----------------------------------------------------------------------------------------------------------


@_rule("period.within", "warning", "The period of a key result has days of its objective's.")
def _within(declarations: Declarations) -> Iterator[Problem]:
    organisation = declarations.organisation
    for stated in declarations.key_results:
        span = stated.span(organisation)
        if organisation is None or span is None or stated.objective is None or stated.content.period is None:
            continue
        whole = stated.objective.period.span(organisation.calendar)
        if span.last < whole.first or span.first > whole.last:
            of = f"its period, {span.first} to {span.last}"
            found = f"{of}, has no day of the objective's, {whole.first} to {whole.last}"
            yield stated.problem(("period",), found, "Correct one of them")
