"""What the vendor's texts say: amounts, days and tags, as texts that can be read in one way alone.

Belongs here: the forms in which version 2 of the API writes things. Does not: what they are of (`documents`).

*Amounts* are texts. Their totals come as people in Spain write them (`1.234,56`), payments mostly as programs do
(`1234.56`), both in one document. So the last mark is the decimal one where one, two, or more than three digits follow
it; `1.234` may be either, and is neither.

*Days* are `2026-03-01`; where a time follows that has no zone, or that is midnight, it is still that day.
"""

from __future__ import annotations

import math
import re
from datetime import date
from decimal import Decimal
from typing import Any

_PLAIN = re.compile(r"(-?\d{1,18})(?:[.,](\d{1,2}|\d{4,18}))?", re.ASCII)
_NO_THOUSANDS = re.compile(r"(-?(?:0|\d{4,18}))[.,](\d{3})", re.ASCII)
_GROUPED = re.compile(r"(-?\d{1,3}(?:\.\d{3})+),(\d+)|(-?\d{1,3}(?:,\d{3})+)\.(\d+)", re.ASCII)
_THOUSANDS = re.compile(r"-?\d{1,3}(?:(?:\.\d{3}){2,}|(?:,\d{3}){2,})", re.ASCII)
_DAY = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](?:\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?|00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})))?",
    re.ASCII,
)


def as_text(scalar: Any) -> str | None:
    """A scalar as text, a number as the shortest that means it, without an exponent: 0.1 is exactly that.

    Of anything else nothing is kept but that it was there: it may hold what nobody has looked at.
    """
    if scalar is None or isinstance(scalar, str):
        return scalar
    if isinstance(scalar, float) and math.isfinite(scalar):
        return format(Decimal(repr(scalar)), "f")
    return str(scalar) if isinstance(scalar, int | float) else f"a {type(scalar).__name__}"


def amount(said: Any) -> str | None:
    """An amount as digits with a point; what cannot be read in one way alone is given back with a question mark."""
    text = as_text(said)
    if text is None or not isinstance(said, str):
        return text
    text = text.strip()
    if found := _PLAIN.fullmatch(text) or _NO_THOUSANDS.fullmatch(text):
        return _number(found[1], found[2])
    if found := _GROUPED.fullmatch(text):
        return _number(found[1] or found[3], found[2] or found[4])
    return _number(text, None) if _THOUSANDS.fullmatch(text) else f"{text}?"


def _number(whole: str, decimals: str | None) -> str:
    digits = whole.replace(".", "").replace(",", "")
    return digits if decimals is None else f"{digits}.{decimals}"


def day(said: Any) -> str | None:
    """A day as `2026-03-01`; what is none is given back as it was."""
    text = as_text(said)
    found = _DAY.fullmatch(text or "")
    return found[1] if found else text


def as_date(said: str | None) -> date | None:
    """The day that a text says; None where it says none."""
    try:
        return date.fromisoformat(said or "")
    except ValueError:
        return None


def tags(said: Any) -> frozenset[str]:
    """The tags of a document, without the mark that people write before them."""
    several = said if isinstance(said, list) else ()
    return frozenset(as_tag(one) for one in several if isinstance(one, str))


def as_tag(text: str) -> str:
    """A tag as it is compared."""
    return text.strip().removeprefix("#").casefold()
