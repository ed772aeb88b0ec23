"""Figures as people read them: grouped, with their unit, in the reader's language.

Belongs here: writing one figure. Does not: which figures are shown (`page`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, localcontext

from assets.report.words import Language
from kr_definitions.currencies import CURRENCIES

_SYMBOLS: Mapping[str, str] = {"EUR": "€", "USD": "$", "GBP": "£"}
_BOUNDS: Mapping[str, str] = {"at_least": "≥ ", "at_most": "≤ "}
_MILLIONS_FROM = 10_000_000
_MOST_DECIMALS = 6
_EVERY_FLOAT = 400  # digits, which is room for any of them
_TINY = 1e-12  # less than that is how floats round
NOT_KNOWN = "—"


def is_currency(unit: str | None) -> bool:
    """Whether a unit is an ISO 4217 currency."""
    return unit in CURRENCIES


def number(value: float, language: Language) -> str:
    """A whole number, grouped as the language does."""
    return _grouped(_rounded(Decimal(repr(value)), 0), language) if math.isfinite(value) else NOT_KNOWN


def percent(part: float | None, language: Language) -> str:
    """A part of one as a whole percentage; what has not reached 100 % never says that it has."""
    if part is None or not math.isfinite(part):
        return NOT_KNOWN
    hundredths = round(part * 100)
    if part < 1:
        hundredths = min(hundredths, 99)
    return f"{number(hundredths, language)}{language.percent}"


def figure(
    value: float | None, unit: str | None, language: Language, *, with_unit: bool = True, more_decimals: int = 0
) -> str:
    """A value in its unit: 93 %, 444.328 €, 23,4 días, 1.204; — where it is not known."""
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    shown = _shown(value, unit, more_decimals)
    if _is_part(unit):
        return f"{_grouped(shown, language)}{language.percent}"
    if unit is not None and is_currency(unit):
        return _money(shown, unit, language, in_millions=_is_in_millions(value, unit))
    written = _grouped(shown, language)
    noun = language.units.get(unit or "") if with_unit else None
    return f"{written} {noun}" if noun else written


def more_decimals(one: float | None, other: float | None, unit: str | None) -> int:
    """How many decimals more than usual two figures need, so that they do not look the same where they are not."""
    if one is None or other is None or not (math.isfinite(one) and math.isfinite(other)):
        return 0
    if math.isclose(one, other, rel_tol=1e-9, abs_tol=_TINY):
        return 0
    enough = (more for more in range(_MOST_DECIMALS + 1) if _shown(one, unit, more) != _shown(other, unit, more))
    return next(enough, 0)


def target(
    value: float | None,
    high: float | None,
    unit: str | None,
    direction: str | None,
    language: Language,
    more_decimals: int = 0,
) -> str:
    """What a value is measured against: 20, ≥ 90 %, 26 días; of a band, its two ends: 5 – 7."""
    ends = [value] if high is None else [value, high]
    written = [figure(end, unit, language, more_decimals=more_decimals) for end in ends]
    return f"{_BOUNDS.get(direction or '', '')}{' – '.join(written)}"


def moved(by: float | None, unit: str | None, language: Language) -> str:
    """By how much a value moved, with its sign; a share in points. Empty where it did not."""
    if by is None or not math.isfinite(by) or _shown(by, unit) == 0:
        return ""
    sign = "+" if by > 0 else "-"
    if _is_part(unit):
        return f"{sign}{_grouped(_shown(abs(by), unit), language)} pt"
    return f"{sign}{figure(abs(by), unit, language, with_unit=False)}"


# --- rounding ---------------------------------------------------------------------------------------------------------


def _is_part(unit: str | None) -> bool:
    return unit in ("share", "ratio")


def _is_in_millions(value: float, unit: str | None) -> bool:
    return is_currency(unit) and abs(value) >= _MILLIONS_FROM


def _shown(value: float, unit: str | None, more: int = 0) -> Decimal:
    """The number that is written for a value: of a part its percentage, of much money millions; rounded."""
    exact = Decimal(repr(value)).scaleb(2 if _is_part(unit) else -6 if _is_in_millions(value, unit) else 0)
    decimals = _decimals(exact) + more
    if _is_in_millions(value, unit):
        decimals = max(decimals, 1)
    elif is_currency(unit) and decimals:
        decimals = max(decimals, 2)
    rounded = _rounded(exact, decimals)
    if _is_part(unit) and value < 1 - _TINY and rounded >= 100:  # what is not whole never says that it is
        return _rounded(exact, max(decimals, -(100 - exact).adjusted()), ROUND_DOWN)
    return rounded


def _decimals(number: Decimal) -> int:
    """None for whole and for large numbers; else one, and of those below one as many as hold two digits."""
    if abs(number) >= 1000 or number == number.to_integral_value():
        return 0
    return 1 if abs(number) >= 1 else 1 - number.adjusted()


def _rounded(number: Decimal, decimals: int, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    with localcontext(prec=_EVERY_FLOAT):
        return number.quantize(Decimal(1).scaleb(-min(decimals, _MOST_DECIMALS)), rounding=rounding)


# --- writing ----------------------------------------------------------------------------------------------------------


def _grouped(number: Decimal, language: Language, least_decimals: int = 0) -> str:
    """Digits as the language groups them, without zeros at the end that say nothing; cents are two digits."""
    whole, _, fraction = f"{abs(number):f}".partition(".")
    if fraction:
        fraction = fraction.rstrip("0").ljust(least_decimals, "0")
    if len(whole) >= language.least_digits_grouped:
        whole = f"{int(whole):,}".replace(",", language.thousands)
    sign = "-" if number < 0 else ""
    return f"{sign}{whole}{language.decimal}{fraction}" if fraction else f"{sign}{whole}"


def _money(shown: Decimal, currency: str, language: Language, *, in_millions: bool) -> str:
    symbol, large = _SYMBOLS.get(currency, currency), "M" if in_millions else ""
    written = _grouped(shown, language, least_decimals=1 if in_millions else 2)
    if language.code == "en":
        sign = "-" if written.startswith("-") else ""
        gap = "" if len(symbol) == 1 else " "
        return f"{sign}{symbol}{gap}{written.removeprefix('-')}{large}"
    return f"{written} {large}{' ' if large and len(symbol) > 1 else ''}{symbol}"
