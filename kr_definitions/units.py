"""What a value is counted in.

Belongs here: the unit of a key result, of its members and of its parts. Does not: writing figures (`assets.report`).
"""

from __future__ import annotations

from collections.abc import Mapping

from kr_definitions.declarations import KeyResult
from kr_definitions.measures import Count, Duration, Measured, Open


def unit(kr: KeyResult, currency: str) -> str:
    """As declared, or as the measure implies: share, ratio, a currency, a length of time, or a noun.

    The whole of members counts those that are met (`networks`), the whole of parts counts parts.
    """
    if kr.each is not None and kr.type != "kpi":
        return f"{kr.each.dimension}s"
    if kr.all_of:
        return "parts"
    return kr.unit or unit_of(kr.main, currency)


def unit_of(measure: Measured, currency: str) -> str:
    """What the values of a measure are counted in."""
    if isinstance(measure, Duration):
        return measure.unit.replace("_", " ")
    if isinstance(measure, Count | Open) and measure.kind == "count":
        return f"{measure.types[0].partition('.')[0]}s"
    if measure.kind == "money":
        return currency
    named = next(
        (getattr(measure, key) for key in ("sum", "daily_max", "level", "gain") if hasattr(measure, key)), None
    )
    return named or ("number" if measure.kind == "duration" else measure.kind)


_TIMES: Mapping[str, tuple[str, ...]] = {
    "seconds": ("second", "segundo", "segundos", "s", "sec", "seg"),
    "minutes": ("minute", "minuto", "minutos", "min"),
    "hours": ("hour", "hora", "horas", "h"),
    "days": ("day", "día", "días", "dia", "dias", "d"),
    "weeks": ("week", "semana", "semanas"),
    "months": ("month", "mes", "meses"),
}


def length_of_time(unit: str) -> str | None:
    """The length of time that a unit is, in the plural, whichever language it is in; None for any other unit."""
    written = unit.casefold().strip()
    return next((name for name, others in _TIMES.items() if written in (name, *others)), None)
