"""Figures as people read them: grouped, with their unit, in the reader's language.

Belongs here: writing one figure. Does not: which figures are shown (`page`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from assets.report.words import Language

_SYMBOLS: Mapping[str, str] = {"EUR": "€", "USD": "$", "GBP": "£"}
_BOUNDS: Mapping[str, str] = {"at_least": "≥ ", "at_most": "≤ "}
_MILLIONS_FROM = 10_000_000
NOT_KNOWN = "—"


def is_currency(unit: str | None) -> bool:
    """Whether a unit is an ISO 4217 currency."""
    return bool(unit) and re.fullmatch("[A-Z]{3}", unit or "") is not None


def number(value: float, language: Language, decimals: int = 0) -> str:
    """A number with so many decimals, grouped as the language does."""
    if not math.isfinite(value):
        return NOT_KNOWN
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    whole, _, fraction = f"{abs(rounded):f}".partition(".")
    if len(whole) >= language.least_digits_grouped:
        whole = f"{int(whole):,}".replace(",", language.thousands)
    sign = "-" if rounded < 0 else ""
    return f"{sign}{whole}{language.decimal}{fraction}" if fraction else f"{sign}{whole}"


def percent(part: float | None, language: Language) -> str:
    """A part of one as a whole percentage; what has not reached 100 % never says that it has."""
    if part is None or not math.isfinite(part):
        return NOT_KNOWN
    hundredths = round(part * 100)
    if part < 1:
        hundredths = min(hundredths, 99)
    return f"{number(hundredths, language)}{language.percent}"


def figure(value: float | None, unit: str | None, language: Language, *, with_unit: bool = True) -> str:
    """A value in its unit: 93 %, 444.328 €, 23,4 días, 1.204; — where it is not known."""
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    if unit in ("share", "ratio"):
        return f"{number(value * 100, language, _decimals(value * 100))}{language.percent}"
    if unit is not None and is_currency(unit):
        return _money(value, unit, language)
    written = number(value, language, _decimals(value))
    noun = language.units.get(unit or "") if with_unit else None
    return f"{written} {noun}" if noun else written


def target(value: float | None, unit: str | None, direction: str | None, language: Language) -> str:
    """What a value is measured against: 20, ≥ 90 %, 26 días."""
    return f"{_BOUNDS.get(direction or '', '')}{figure(value, unit, language)}"


def moved(by: float | None, unit: str | None, language: Language) -> str:
    """By how much a value moved, with its sign; a share in points. Empty where it did not."""
    if by is None or not math.isfinite(by) or by == 0:
        return ""
    if unit in ("share", "ratio"):
        written = number(abs(by) * 100, language, _decimals(by * 100))
        return "" if Decimal(written.replace(language.decimal, ".")) == 0 else f"{'+' if by > 0 else '-'}{written} pt"
    return f"{'+' if by > 0 else '-'}{figure(abs(by), unit, language, with_unit=False)}"


def _decimals(value: float) -> int:
    """None for whole numbers and large ones, else one."""
    return 0 if abs(value) >= 1000 or abs(value - round(value)) < 0.05 else 1


def _money(value: float, currency: str, language: Language) -> str:
    symbol = _SYMBOLS.get(currency, currency)
    if abs(value) >= _MILLIONS_FROM:
        written, large = number(value / 1_000_000, language, 1), "M"
    else:
        written, large = number(value, language, 0 if abs(value) >= 1000 or value == round(value) else 2), ""
    if language.code == "en":
        sign = "-" if written.startswith("-") else ""
        gap = "" if len(symbol) == 1 else " "
        return f"{sign}{symbol}{gap}{written.removeprefix('-')}{large}"
    return f"{written} {large}{' ' if large and len(symbol) > 1 else ''}{symbol}"
