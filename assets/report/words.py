"""The report's words, in Spanish and in English.

Belongs here: everything that the report says which is not data. Does not: numbers (`numbers`), where words stand
(`page`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Language:
    """How one language says things. Phrases hold {places} for what is known only when they are said."""

    code: str
    decimal: str
    thousands: str
    least_digits_grouped: int  # 4: 1,234; 5: 1234 but 12.345
    percent: str
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    long_date: str
    short_date: str
    statuses: Mapping[str, str]
    statuses_of_several: Mapping[str, str]  # those that are another word then
    units: Mapping[str, str]
    windows: Mapping[str, tuple[str, str]]  # of each `every`: one, and several
    causes: Mapping[str, str]
    problems: Mapping[str, str]
    checks: Mapping[str, tuple[str, str]]  # of those that are not for engineers alone: what must hold, and what to do
    phrases: Mapping[str, str]

    def say(self, phrase: str, **places: object) -> str:
        """A phrase with its places filled in."""
        return self.phrases[phrase].format(**places)

    def counted(self, status: str, count: int) -> str:
        """How many are of a status: 1 indicador, 5 indicadores."""
        word = self.statuses[status]
        return f"{count} {word if count == 1 else self.statuses_of_several.get(status, word)}"

    def day(self, day: date) -> str:
        """A day without its year."""
        return self.short_date.format(day=day.day, month=self.months[day.month - 1][:3])

    def full_day(self, day: date) -> str:
        """A day with its weekday and year."""
        return self.long_date.format(
            weekday=self.weekdays[day.weekday()], day=day.day, month=self.months[day.month - 1], year=day.year
        )

    def counted_windows(self, met: int | str, closed: int, every: str, *, in_short: bool = False) -> str:
        """How many windows were met: 3 de 10 meses, or in short 3/10 meses."""
        one, several = self.windows[every]
        return self.say(
            "of_short" if in_short else "of", met=met, closed=closed, window=one if closed == 1 else several
        )


_SPANISH = Language(
    code="es",
    decimal=",",
    thousands=".",
    least_digits_grouped=5,
    percent=" %",
    months=(
        "enero", "febrero", "marzo", "abril", "mayo", "junio",
        "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
    ),
    weekdays=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    long_date="{weekday} {day} de {month} de {year}",
    short_date="{day} {month}",
    statuses={
        "achieved": "conseguido", "on_track": "va bien", "at_risk": "en riesgo", "off_track": "va mal",
        "missed": "no conseguido", "no_data": "sin datos", "unreliable": "no fiable", "not_started": "sin empezar",
        "kpi": "indicador",
    },
    statuses_of_several={
        "achieved": "conseguidos", "on_track": "van bien", "off_track": "van mal", "missed": "no conseguidos",
        "unreliable": "no fiables", "kpi": "indicadores",
    },
    units={"days": "días", "hours": "horas", "working hours": "h laborables", "minutes": "min"},
    windows={
        "day": ("día", "días"), "working_day": ("día", "días"), "week": ("semana", "semanas"),
        "month": ("mes", "meses"), "quarter": ("trimestre", "trimestres"),
    },
    causes={
        "late_event": "llegó tarde", "correction": "corregido en su origen", "deletion": "borrado en su origen",
        "coverage": "se ha leído más", "definition": "definición nueva", "target": "objetivo o umbral nuevo",
        "erasure": "borrado a petición de la persona", "mapping": "se lee de otra manera",
        "identity": "identidades enlazadas", "rate": "tipo de cambio", "unexplained": "sin causa conocida",
    },
    problems={
        "held_back": "las cifras nuevas no pasan una comprobación; estas son del {day}",
        "stale": "sin cifras nuevas desde el {day}",
        "not_loaded": "no se ha podido leer: {detail}",
        "begins_later": "solo se ha leído desde el {until} ({source})",
        "behind": "solo se ha leído hasta el {until} ({source})",
        "no_rate": "falta el tipo de cambio: {detail}",
        "two_rates": "las fuentes dan tipos de cambio distintos: {detail}",
        "unknown_beside": "no se sabe de: {detail}",
        "no_source": "ninguna fuente aporta: {detail}",
        "no_baseline": "no se conoce el valor de partida: {detail}",
        "nothing_yet": "aún no hay nada que medir",
    },
    checks={
        "records.are_understood": (
            "Lo que se lee se entiende, o no dice nada nuevo.", "Hay que corregirlo allí de donde viene, o quitarlo",
        ),
    },
    phrases={
        "aside_one": "1 registro de {stream} apartado: {problems}",
        "aside_many": "{count} registros de {stream} apartados: {problems}",
        "aside_more": "{problems}; y {more} problemas más como estos",
        "of": "{met} de {closed} {window}", "of_short": "{met}/{closed} {window}",
        "in_force": "{in_force} de {key_results} en vigor",
        "data_until": "datos hasta el {day}",
        "no_days": "todavía sin datos",
        "progress": "{progress} · se espera {expected}",
        "expected_short": "esp. {expected}",
        "new_window": "{window} nuevo",
        "breached": "no se cumple: {names}",
        "revised": "provisional hasta el {day}; cifras así se movieron {by} de media, nueve de diez {within} a lo sumo",
        "upstream": "de lo que depende va mal: {title} ({status})",
        "said": "palabra de una persona ({day}): {told}",
        "confidence": "confianza {part}", "stated_value": "valor {value}", "quoted": "«{text}»",
        "set_aside": "registros apartados, que solo cuentan por lo que decían antes: {streams}; el valor puede estar "
        "incompleto o anticuado",
        "sealed": "cerrado con una puntuación de {score}",
        "moved_since": "después se ha movido: ahora {value}, {score}",
        "moved": "Cambios desde ayer",
        "nothing_moved": "sin cambios de estado ni correcciones",
        "status_moved": "{before} → {after}",
        "restated": "{day}, de {before} a {after} ({cause})",
        "judged_anew": "otro objetivo: {days} días juzgados de nuevo, del {first} al {last}",
        "was_added": "nuevo", "was_retired": "ya no está declarado; lo publicado se conserva",
        "was_reinstated": "declarado otra vez",
        "restated_days": "{days} días, del {first} al {last}; el último, de {before} a {after} ({cause})",
        "loads": "Lo que ha traído la carga",
        "new": "nuevos", "again": "repetidos", "aside": "apartados", "until": "leído hasta",
        "not_read": "sin leer", "nothing_loaded": "todavía nada",
        "checks": "Comprobaciones",
        "checks_passed": "todas superadas",
        "checks_unread": "nada en contra de lo que se ha leído; no se ha leído todo: {sources}",
        "critical": "retiene", "warning": "aviso",
        "header_title": "Resultado clave", "header_trend": "Tendencia", "header_value": "Valor / meta",
        "header_moved": "Cambio", "header_progress": "Avance", "header_expected": "Esper.",
        "header_windows": "Cumplidos", "header_status": "Estado",
        "nothing": "Todavía no hay nada publicado.",
    },
)  # fmt: skip

_ENGLISH = Language(
    code="en",
    decimal=".",
    thousands=",",
    least_digits_grouped=4,
    percent="%",
    months=(
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    long_date="{weekday} {day} {month} {year}",
    short_date="{day} {month}",
    statuses={
        "achieved": "achieved", "on_track": "on track", "at_risk": "at risk", "off_track": "off track",
        "missed": "missed", "no_data": "no data", "unreliable": "unreliable", "not_started": "not started",
        "kpi": "indicator",
    },
    statuses_of_several={"kpi": "indicators"},
    units={"days": "days", "hours": "hours", "working hours": "working h", "minutes": "min"},
    windows={
        "day": ("day", "days"), "working_day": ("day", "days"), "week": ("week", "weeks"),
        "month": ("month", "months"), "quarter": ("quarter", "quarters"),
    },
    causes={
        "late_event": "arrived late", "correction": "corrected at its source", "deletion": "deleted at its source",
        "coverage": "more was read", "definition": "new definition", "target": "new target or thresholds",
        "erasure": "a person was erased", "mapping": "read in another way",
        "identity": "identities linked", "rate": "exchange rate", "unexplained": "no known cause",
    },
    problems={
        "held_back": "newer figures fail a check; these are of {day}",
        "stale": "no new figures since {day}",
        "not_loaded": "could not be read: {detail}",
        "begins_later": "read only from {until} on ({source})",
        "behind": "read only until {until} ({source})",
        "no_rate": "no exchange rate holds: {detail}",
        "two_rates": "sources state different exchange rates: {detail}",
        "unknown_beside": "not known: {detail}",
        "no_source": "no source states: {detail}",
        "no_baseline": "the value to start from is not known: {detail}",
        "nothing_yet": "nothing to measure yet",
    },
    checks={
        "records.are_understood": (
            "What is read is understood, or says nothing new.", "Mend them where they come from, or take them out",
        ),
    },
    phrases={
        "aside_one": "1 record of {stream} set aside: {problems}",
        "aside_many": "{count} records of {stream} set aside: {problems}",
        "aside_more": "{problems}; and {more} more like these",
        "of": "{met} of {closed} {window}", "of_short": "{met}/{closed} {window}",
        "in_force": "{in_force} of {key_results} in force",
        "data_until": "data until {day}",
        "no_days": "no data yet",
        "progress": "{progress} · {expected} expected",
        "expected_short": "exp. {expected}",
        "new_window": "new {window}",
        "breached": "does not hold: {names}",
        "revised": "provisional until {day}; such figures moved by {by} on average, nine of ten by {within} at most",
        "upstream": "what it feeds from falls short: {title} ({status})",
        "said": "a person's word ({day}): {told}",
        "confidence": "confidence {part}", "stated_value": "value {value}", "quoted": "“{text}”",
        "set_aside": "records set aside, which count only for what they said before: {streams}; the value may be "
        "incomplete or out of date",
        "sealed": "closed with a score of {score}",
        "moved_since": "it has moved since: now {value}, {score}",
        "moved": "Changes since yesterday",
        "nothing_moved": "no change of status, no correction",
        "status_moved": "{before} → {after}",
        "restated": "{day}, from {before} to {after} ({cause})",
        "judged_anew": "another target: {days} days judged anew, {first} to {last}",
        "was_added": "new", "was_retired": "declared no more; what was published stays",
        "was_reinstated": "declared again",
        "restated_days": "{days} days, {first} to {last}; the last one from {before} to {after} ({cause})",
        "loads": "What the load brought",
        "new": "new", "again": "again", "aside": "set aside", "until": "read until",
        "not_read": "not read", "nothing_loaded": "nothing yet",
        "checks": "Checks",
        "checks_passed": "all passed",
        "checks_unread": "nothing against what was read; not all of it was: {sources}",
        "critical": "held back", "warning": "remark",
        "header_title": "Key result", "header_trend": "Trend", "header_value": "Value / target",
        "header_moved": "Change", "header_progress": "Progress", "header_expected": "Exp.",
        "header_windows": "Met", "header_status": "Status",
        "nothing": "Nothing has been published yet.",
    },
)  # fmt: skip

LANGUAGES: Mapping[str, Language] = {"es": _SPANISH, "en": _ENGLISH}
