"""Rules about units: what figures are said to be counted in.

Belongs here: the unit of a key result beside what its measure gives. Does not: whether numbers add up (`measured`), or
what a unit is where none is declared (`kr_definitions.units`).
"""

from __future__ import annotations

from collections.abc import Iterator

from kr_definitions.currencies import CURRENCIES
from kr_definitions.documents import Problem, short
from kr_definitions.measures import Count, Distinct, Duration, Measured, Open, Ratio
from kr_definitions.rules.anatomy import counted_in
from kr_definitions.rules.base import Declarations, Rules, into
from kr_definitions.units import length_of_time, unit_of

RULES: Rules = {}
_rule = into(RULES)

_PARTS = ("share", "ratio")
_PERCENT = frozenset({"%", "percent", "percentage", "por ciento", "porcentaje"})


@_rule("unit.fits", "error", "A unit is what the measure counts in.")
def _unit_fits(declarations: Declarations) -> Iterator[Problem]:
    organisation = declarations.organisation
    for stated in declarations.key_results:
        kr = stated.content
        if kr.unit is None or not kr.unit.strip():
            continue
        if kr.measure is None:
            found = f"the unit '{short(kr.unit)}' beside all_of, whose parts are what is counted"
            yield stated.problem(("unit",), found, "Remove it")
        elif (wrong := _wrong(kr.unit, kr.measure, organisation.currency if organisation else None)) is not None:
            yield stated.problem(("unit",), *wrong)


def _wrong(unit: str, measure: Measured, currency: str | None) -> tuple[str, str] | None:
    """What is wrong with a unit, and what to do."""
    kind = measure.kind
    if kind == "money" and unit not in CURRENCIES:
        return f"the unit '{short(unit)}' of an amount of money", f"Write its currency, {currency or 'as EUR'}"
    if kind == "money":
        do = f"Write {currency}: amounts are in the organisation's currency"
        return (f"the unit {unit} of amounts in {currency}", do) if currency and unit != currency else None
    if kind in ("count", "share", "ratio", "duration") and unit in CURRENCIES:
        return f"the unit {unit}, a currency, of a {kind}", "Name what is counted, or remove the unit"
    if isinstance(measure, Duration):
        known = measure.unit.replace("_", " ")
        found, do = f"the unit '{short(unit)}' of a duration in {known}", "Remove it: the measure says the unit"
        return None if unit == known else (found, do)
    if kind == "share":
        found = f"the unit '{short(unit)}' of a share, which is a number from 0 to 1 and shown as a percentage"
        return None if unit in _PARTS else (found, "Remove it")
    return _wrong_number(unit, measure, currency)


def _wrong_number(unit: str, measure: Measured, currency: str | None) -> tuple[str, str] | None:
    """The same, of a measure that is neither money, nor a part of something, nor a length of time."""
    counted = counted_in(measure)
    if unit.casefold() in _PERCENT:
        return f"the unit '{unit}' of what is no percentage", "Write unit: share for a number from 0 to 1"
    if not any(character.isalpha() for character in unit):
        return f"the unit '{short(unit)}', which names nothing", "Name what is counted"
    if unit in _PARTS and counted not in ("", "share"):
        return f"the unit {unit}, a percentage, of {counted}", "Name what is counted, or remove the unit"
    time, of_measure = length_of_time(unit), length_of_time(counted)
    may_be_time = isinstance(measure, Distinct)  # different months are counted in months
    if time is not None and not may_be_time and (of_measure or counted) not in ("", time):
        do = f"Write {counted}" if of_measure else "Name what is counted, or remove the unit"
        return f"the unit '{unit}' of {counted}", do
    is_money = isinstance(measure, Ratio) and counted_in(measure.ratio.numerator) == "money"
    is_money_over = is_money and measure.kind == "number"
    if is_money_over and currency is not None and not unit.startswith(currency):
        return f"the unit '{short(unit)}' of an amount of money over a count", f"Write {currency}"
    return None


@_rule("unit.missing", "warning", "A target has a number and a unit; an amount of money has its currency.")
def _unit_missing(declarations: Declarations) -> Iterator[Problem]:
    for stated in declarations.key_results:
        kr = stated.content
        if kr.unit is not None or kr.measure is None or kr.type == "kpi":
            continue
        if kr.measure.kind == "money":
            currency = declarations.organisation.currency if declarations.organisation else "the currency"
            yield stated.problem((), "an amount without its currency", f"Add unit: {currency}")
        elif not _names_itself(kr.measure):
            found = f"a figure without a unit: it would be shown as '{unit_of(kr.measure, '')}'"
            yield stated.problem((), found, "Add unit: what it is counted in")


def _names_itself(measure: Measured) -> bool:
    """Whether what a measure counts can be told from it: events, parts, lengths of time."""
    if measure.kind == "count":
        return isinstance(measure, Count | Open)
    return measure.kind in ("share", "ratio") or isinstance(measure, Duration)
