"""Rules about targets: what cannot be reached as it is said, or cannot be missed; and weights.

Belongs here: figures, and what they are figures of. Does not: what is measured (`measured`), what it is counted in
(`units`), over which days (`windows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from kr_definitions.declarations import KeyResult
from kr_definitions.documents import Path, Problem
from kr_definitions.measures import Gain, Level, Measured, Open, Steps
from kr_definitions.progress import accumulates, baseline_of, is_to_date
from kr_definitions.rules.base import (
    Declarations,
    Rules,
    StatedKeyResult,
    StatedObjective,
    each_key_result,
    into,
)
from kr_definitions.targets import AtLeast, AtMost, Delta, NotAbove, NotBelow, Reach, Relative, Target, Within

RULES: Rules = {}
_rule = into(RULES)


# --- targets ----------------------------------------------------------------------------------------------------------


@_rule("target.missing", "error", "Each key result has a target; only a KPI has none.")
def _missing(declarations: Declarations) -> Iterator[Problem]:
    """Told even where another mistake keeps the key result from being read."""
    for document in declarations.files:
        key_results = document.value(("key_results",))
        for i, declared in enumerate(key_results if isinstance(key_results, list) else []):
            if (
                isinstance(declared, dict)
                and not {"target", "all_of"} & set(declared)
                and declared.get("type") != "kpi"
            ):
                name = str(declared.get("id", ""))
                do = "Add a target, or make it a kpi if it has none"
                yield document.problem(("key_results", i), name, "'target' is missing", do)


@_rule("target.falling_total", "error", "A total is not asked to fall.")
@each_key_result
def _falling(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        target = one.target
        is_to_fall = (
            (isinstance(target, Relative) and target.relative < 0)
            or (isinstance(target, Delta) and target.delta < 0)
            or (isinstance(target, Reach) and target.value < target.from_)
        )
        if accumulates(one) and is_to_fall and not is_to_date(one):
            found = "a running total starts at nothing, so it cannot be asked to fall"
            do = "Compare it day by day with the span before (to_date: true), or state the most as at_most"
            yield stated.problem((*place, "target"), found, do)
        is_of_all_time = one.cumulative == "ever" and one.main.accumulates and not isinstance(one.main, Gain)
        if is_of_all_time and is_to_fall:
            found = "a total since the beginning only grows, so it cannot be asked to fall"
            yield stated.problem((*place, "target"), found, "Count over trailing days, or state the most as at_most")


@_rule("target.strict", "error", "A strict limit is met or not; the distance to it is the same on either side of it.")
@each_key_result
def _strict(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        limit = one.target if isinstance(one.target, AtLeast | AtMost | NotBelow | NotAbove) else None
        is_travelled = isinstance(limit, AtLeast | AtMost) and limit.from_ is not None
        if limit is not None and limit.strict and (limit.progress == "distance" or is_travelled):
            how = "from" if is_travelled else "progress: distance"
            found = f"strict beside {how}, which is all the way at the limit itself, where it is not met"
            yield stated.problem((*place, "target", "strict"), found, "Keep one of them")


@_rule("target.baseline", "error", "The baseline of a target is a figure that there is.")
@each_key_result
def _baseline(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        baseline = baseline_of(one)
        if baseline == "start" and not _is_level(one):
            found = "a figure of the whole period has none on the eve of it to start from"
            do = "Name previous_period or previous_year, or count over trailing days or ever"
            yield stated.problem((*place, "target", _baseline_key(one.target)), found, do)
        if baseline == "previous_window" and one.every is None:
            found = "previous_window of a key result without windows"
            do = "Name previous_period, or add every"
            yield stated.problem((*place, "target", _baseline_key(one.target)), found, do)
        if is_to_date(one) and (one.every is not None or _is_level(one)):
            found = "to_date of what is not a total of the period so far"
            yield stated.problem((*place, "target"), found, "Remove to_date")


def _is_level(kr: KeyResult) -> bool:
    return isinstance(kr.measure, Open | Level) or kr.trailing is not None or kr.cumulative == "ever"


def _baseline_key(target: Target | None) -> str:
    if isinstance(target, NotBelow | NotAbove):
        return "not_below" if isinstance(target, NotBelow) else "not_above"
    return "baseline"


@_rule("target.possible", "error", "A target is a figure that the value can have.")
@each_key_result
def _possible(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        for figure in _impossible(one) if not isinstance(one.main, Steps) else ():  # of steps there is more to say
            found, do = _range(one.main)
            beyond = "" if not _is_beyond(one) else "more than " if isinstance(one.target, AtLeast) else "less than "
            yield stated.problem((*place, "target"), f"{found.format(f'{beyond}{figure:f}')} cannot be", do)
        least, most = one.main.bounds
        change = one.target.delta if isinstance(one.target, Delta) else Decimal(0)
        if least is not None and most is not None and abs(change) >= most - least:
            do = "A share is between 0 and 1: write 0.05 for 5 points" if most == 1 else "Name a smaller change"
            what = "a share" if one.main.kind == "share" else f"what is {_ends(least, most)}"
            yield stated.problem((*place, "target"), f"{what} cannot move by {change:f}", do)
        if least is not None and isinstance(one.target, Relative) and one.target.relative < -1:
            found = f"{_percent(-one.target.relative)} less of what is not below {least:f} cannot be"
            yield stated.problem((*place, "target"), found, "Write -0.15 for 15 % less")


def _impossible(one: KeyResult) -> list[Decimal]:
    """The figures of a target that the value can never have, or never be beyond."""
    least, most = one.main.bounds
    target = one.target
    figures = list(_figures(target))
    # A limit that is below everything is met by everything: that is told of as such, unless there is a highest too.
    lower = figures if most is not None or isinstance(target, Reach | AtMost) else []
    lower = figures[-1:] if isinstance(target, Within) else lower
    found = [figure for figure in figures if most is not None and figure > most]
    found += [figure for figure in lower if least is not None and figure < least]
    return [*found, *(figures[:1] if _is_beyond(one) else ())]


def _is_beyond(one: KeyResult) -> bool:
    """Whether a strict limit is the highest or the lowest figure itself."""
    least, most = one.main.bounds
    if isinstance(one.target, AtLeast):
        return one.target.strict and one.target.at_least == most
    return isinstance(one.target, AtMost) and one.target.strict and one.target.at_most == least


def _range(measure: Measured) -> tuple[str, str]:
    """A figure outside a measure's bounds in a sentence, and what to do."""
    least, most = measure.bounds
    if measure.kind == "share":
        return "a share of {}", "A share is between 0 and 1: write 0.9 for 90 %"
    do = "Write 0.9 for 90 %" if most == 1 and not measure.accumulates else "Name a figure that the value can have"
    return f"a value of {{}}, where it is {_ends(least, most)},", do


def _ends(least: Decimal | None, most: Decimal | None) -> str:
    if least is None or most is None:
        return f"not below {least:f}" if least is not None else f"{most:f} at most"
    return f"from {least:f} to {most:f}"


def _percent(part: Decimal) -> str:
    return f"{(part * 100).normalize():,f} %"


@_rule("target.always", "warning", "A target can be missed.")
@each_key_result
def _always(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        least, most = one.main.bounds
        target = one.target
        is_below_all = isinstance(target, AtLeast) and least is not None and _is_met(target.at_least, least, target)
        is_above_all = isinstance(target, AtMost) and most is not None and _is_met(most, target.at_most, target)
        is_around_all = isinstance(target, Within) and target.within == (least, most)
        if not _impossible(one) and (is_below_all or is_above_all or is_around_all):
            found = f"a value that is {_ends(least, most)} always meets it"
            yield stated.problem((*place, "target"), found, "Name a figure that it can miss")


def _is_met(lower: Decimal, higher: Decimal, limit: AtLeast | AtMost) -> bool:
    return lower < higher if limit.strict else lower <= higher


@_rule("target.growth", "warning", "A relative target is a part, of which 1 is the whole.")
@each_key_result
def _growth(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        part = one.target.relative if isinstance(one.target, Relative) else Decimal(0)
        is_below_nothing = part < -1 and one.main.bounds[0] is None
        if part >= _FAST or is_below_nothing:
            change = f"{_percent(abs(part))} {'more' if part > 0 else 'less'}"
            meant = (part / 100).normalize()
            found = f"{part:f} is a change by {change}"
            yield stated.problem((*place, "target"), found, f"Write {meant:f} for {abs(part.normalize()):f} %")


_FAST = 5
"""Who asks for so many times what there was has most likely written a percentage."""


@_rule("target.size", "warning", "A target is a figure that can be told from nothing, and computed to the unit.")
@each_key_result
def _size(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        for figure in _figures(one.target):
            if abs(figure) >= _LARGE:
                found = f"a figure of {abs(figure).adjusted() + 1} digits, of which the last are not exact"
                yield stated.problem((*place, "target"), found, "Write a smaller one")
            if 0 < abs(figure) < _TINY and one.main.kind in ("count", "money", "share", "duration"):
                found = f"a figure of {figure:f}, which no value is near"
                yield stated.problem((*place, "target"), found, "Write 0, or a larger one")


_LARGE, _TINY = Decimal(10) ** 15, Decimal("0.000001")


@_rule("target.from", "remark", "Where a total stood before is its baseline: progress is counted from nothing.")
@each_key_result
def _from(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        if isinstance(one.target, Reach) and one.target.from_ and accumulates(one):
            found = f"from {one.target.from_:f} of a total that starts at nothing: it is shown, and progress is from 0"
            yield stated.problem((*place, "target", "from"), found, "Remove it, or count over trailing days")


@_rule("target.together", "error", "What is asked of one measure can all be met.")
@each_key_result
def _together(stated: StatedKeyResult) -> Iterator[Problem]:
    asked = [(place, one, met) for place, one in stated.targeted() if (met := _met(one.target)) is not None]
    for i, (place, one, (low, high)) in enumerate(asked):
        for _, other, (least, most) in asked[:i]:
            if _is_of_the_same(one, other) and (low > most or least > high):
                own, others = _between(low, high), _between(least, most)
                found = f"it is met {own}, and another target of the same measure {others}"
                yield stated.problem((*place, "target"), found, "Let both be possible at once")


def _met(target: Target | None) -> tuple[Decimal, Decimal] | None:
    """From which value to which a target is met; None where that depends on a baseline."""
    if isinstance(target, Reach):
        grows = target.value > target.from_
        return (target.value, _ENDLESS) if grows else (-_ENDLESS, target.value)
    if isinstance(target, AtLeast):
        return target.at_least, _ENDLESS
    if isinstance(target, AtMost):
        return -_ENDLESS, target.at_most
    return target.within if isinstance(target, Within) else None


_ENDLESS = Decimal("Infinity")


def _is_of_the_same(one: KeyResult, other: KeyResult) -> bool:
    names = ("measure", "every", "trailing", "cumulative")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _between(low: Decimal, high: Decimal) -> str:
    if low.is_infinite():
        return f"up to {high:f}"
    return f"from {low:f} on" if high.is_infinite() else f"from {low:f} to {high:f}"


def _figures(target: Target | None) -> Sequence[Decimal]:
    """The figures that a target names as such."""
    if isinstance(target, AtLeast | AtMost):
        figure = target.at_least if isinstance(target, AtLeast) else target.at_most
        return (figure,) if target.from_ is None else (figure, target.from_)
    if isinstance(target, Reach):
        return target.from_, target.value
    return target.within if isinstance(target, Within) else ()


@_rule("target.of", "error", "A target that is stated out of a figure is a part of it.")
@each_key_result
def _of(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        target = one.target
        if isinstance(target, Reach) and target.of is not None and target.of < max(target.value, Decimal("1e-9")):
            is_positive = target.of > 0
            what = f"less than the target of {target.value:f}" if is_positive else "not above 0"
            do = f"Write value: {target.of:f} and of: {target.value:f}?" if is_positive else "Give more than 0"
            yield stated.problem((*place, "target", "of"), f"out of {target.of:f}, which is {what}", do)


@_rule("target.distance", "warning", "A distance is travelled to a target above zero.")
@each_key_result
def _distance(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, one in stated.targeted():
        target = one.target
        is_distance = isinstance(target, AtLeast | AtMost) and target.progress == "distance" and target.from_ is None
        if is_distance and _figures(target)[0] <= 0:
            found = f"progress by distance to {_figures(target)[0]:f}, of which there is no part: it is met or not"
            yield stated.problem((*place, "target"), found, "Remove progress: distance")


@_rule("target.steps", "error", "The steps are enough to reach the target.")
@each_key_result
def _steps(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, total, target in _stepped(stated):
        if target > total:
            do = f"Write {total:f}, or add steps"
            yield stated.problem(place, f"the steps come to {total:f}, so that {target:f} is never reached", do)


@_rule("target.all_steps", "warning", "The target of steps is all of them.")
@each_key_result
def _all_steps(stated: StatedKeyResult) -> Iterator[Problem]:
    for place, total, target in _stepped(stated):
        if target < total:
            found = f"the steps come to {total:f}: {target:f} is reached before the last of them"
            yield stated.problem(place, found, f"Write {total:f}, or remove the steps that are not needed")


def _stepped(stated: StatedKeyResult) -> Iterator[tuple[Path, Decimal, Decimal]]:
    """Of each target of steps: its place, the sum of the weights, and the figure to reach."""
    for place, one in stated.targeted():
        target = one.target
        if isinstance(one.measure, Steps) and isinstance(target, Reach | AtLeast):
            total = sum((step.weight for step in one.measure.steps), start=Decimal(0))
            yield (*place, "target"), total, target.value if isinstance(target, Reach) else target.at_least


# --- weights ----------------------------------------------------------------------------------------------------------


@_rule(
    "weights.sum", "error", "The weights of an objective's key results come to 1 at most, and not all of them are 0."
)
def _weights(declarations: Declarations) -> Iterator[Problem]:
    for objective in declarations.objectives:
        given, rest = _weighted(declarations, objective)
        total = sum((weight for _, weight in given), start=Decimal(0))
        if total > 1:
            yield given[-1][0].problem(("weight",), f"the weights come to {total:f}", "Let them come to 1 at most")
        elif given and not total and not rest and declarations.is_whole(objective):
            found = "no key result of the objective has any weight, so that it has no progress"
            yield given[0][0].problem(("weight",), found, "Give one of them a weight above 0")


@_rule("weights.rest", "warning", "The weights leave something to the key results without one, or else come to 1.")
def _rest(declarations: Declarations) -> Iterator[Problem]:
    for objective in declarations.objectives:
        given, rest = _weighted(declarations, objective)
        total = sum((weight for _, weight in given), start=Decimal(0))
        if not declarations.is_whole(objective):
            continue
        if given and not rest and 0 < total < 1:
            yield given[-1][0].problem(("weight",), f"the weights of all come to {total:f}", "Let them come to 1")
        for stated in rest if total == 1 else ():
            found = "the other weights come to 1, so that nothing is left for this one"
            yield stated.problem((), found, "Give it a weight, of 0 if it is to have none, or lower another one")


@_rule("weights.kpi", "warning", "A KPI has no weight: it counts in no objective's progress.")
@each_key_result
def _weight_of_kpi(stated: StatedKeyResult) -> Iterator[Problem]:
    if stated.content.type == "kpi" and stated.content.weight is not None:
        yield stated.problem(("weight",), "a weight on a kpi, which counts in no progress", "Remove it")


def _weighted(
    declarations: Declarations, objective: StatedObjective
) -> tuple[list[tuple[StatedKeyResult, Decimal]], list[StatedKeyResult]]:
    """The key results of an objective (no KPIs) that have a weight, and the others."""
    members = [stated for stated in declarations.of(objective) if stated.content.type != "kpi"]
    given = [(stated, stated.content.weight) for stated in members if stated.content.weight is not None]
    return given, [stated for stated in members if stated.content.weight is None]
