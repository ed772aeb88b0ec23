"""Which sheets there are templates of, and what people write in each of their columns.

Belongs here: the templates themselves. Does not: how they are written down or declared (`pipelines.templates`).

In events and expectations a column is named by its key in braces: it is called otherwise in each language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["es", "en"]
Words = Mapping[Language, str]


@dataclass(frozen=True)
class Column:
    """A column. key: what it is called here; says: what to write in it; needed: whether each row says it."""

    key: str
    name: Words
    says: Words
    example: Words
    type: Literal["text", "number", "date", "currency"] = "text"
    needed: bool = True


@dataclass(frozen=True)
class Form:
    """A sheet to fill in. says: what of; expect: what must hold of a row, and what is said where it does not."""

    name: str
    says: Words
    columns: tuple[Column, ...]
    events: tuple[Mapping[str, Any], ...]
    expect: tuple[tuple[str, Words], ...] = ()

    @property
    def stream(self) -> str:
        """What the stream is called that reads it."""
        return self.name.replace("-", "_")


def _words(es: str, en: str) -> Words:
    return {"es": es, "en": en}


def _id(example: str) -> Column:
    says = _words("un código que nunca se repite ni cambia", "a code that is never repeated and never changes")
    return Column("id", _words("id", "id"), says, _words(example, example))


def _day(es: str = "el día", en: str = "the day") -> Column:
    return Column("day", _words("fecha", "date"), _words(es, en), _words("31/03/2026", "2026-03-31"), "date")


def _text(key: str, name: Words, says: Words, example: Words, *, needed: bool = True) -> Column:
    return Column(key, name, says, example, "text", needed)


def _figure(key: str, name: Words, says: Words, example: Words) -> Column:
    return Column(key, name, says, example, "number")


def _kind(says: Words, example: Words) -> Column:
    return _text("kind", _words("tipo", "kind"), says, example, needed=False)


_CURRENCY = Column(
    "currency", _words("moneda", "currency"),
    _words("su código de tres letras mayúsculas", "its code of three capital letters"),
    _words("EUR", "EUR"), "currency",
)  # fmt: skip
_POSITIVE = _words("tiene que ser mayor que cero", "has to be more than zero")


def _more_than_zero(key: str) -> tuple[str, Words]:
    return f"{{{key}}} > 0", {language: f"{{{key}}} {says}" for language, says in _POSITIVE.items()}


_FORMS = (
    Form(
        "flyers",
        _words("Rondas de buzoneo", "Rounds of mailbox drops"),
        (
            _id("F-001"),
            _day(),
            _text("area", _words("zona", "area"), _words("barrio o municipio", "quarter or town"),
                  _words("Retiro", "Retiro"), needed=False),
            _figure("flyers", _words("folletos", "flyers"),
                    _words("cuántos se repartieron", "how many were handed out"), _words("200", "200")),
        ),
        ({"type": "flyers.distributed", "at": "{day}", "subject": "{id}", "quantity": "{flyers}",
          "attributes": {"market": "{area}"}},),
        (_more_than_zero("flyers"),),
    ),
    Form(
        "events",
        _words("Ferias y jornadas a las que se acude", "Trade events attended"),
        (
            _id("E-001"),
            _day(),
            _text("event", _words("evento", "event"), _words("cómo se llama", "what it is called"),
                  _words("SIMA", "SIMA")),
            _kind(_words("feria, jornada, propio…", "fair, conference, own…"), _words("feria", "fair")),
        ),
        ({"type": "event.attended", "at": "{day}", "subject": "{id}",
          "attributes": {"name": "{event}", "category": "{kind}"}},),
    ),
    Form(
        "collaborations",
        _words("Colaboraciones acordadas con otras empresas", "Collaborations agreed with other companies"),
        (
            _id("C-001"),
            _day("el día en que se acordó", "the day on which it was agreed"),
            _text("company", _words("empresa", "company"), _words("con qué empresa", "with which company"),
                  _words("Notaría Retiro", "Smith Solicitors")),
            _kind(_words("derivación, acuerdo, campaña conjunta…", "referral, agreement, joint campaign…"),
                  _words("acuerdo", "agreement")),
        ),
        ({"type": "collaboration.agreed", "at": "{day}", "subject": "{id}",
          "attributes": {"name": "{company}", "category": "{kind}"}},),
    ),
    Form(
        "trainings",
        _words("Formación asignada y terminada", "Trainings assigned and completed"),
        (
            _id("T-001"),
            _text("course", _words("curso", "course"), _words("qué curso", "which course"),
                  _words("Procesos de venta", "Sales process")),
            _text("team", _words("equipo", "team"),
                  _words("de qué equipo es la persona", "which team the person is in"),
                  _words("ventas", "sales"), needed=False),
            _text("who", _words("persona", "person"),
                  _words("quién: se guarda solo como un código", "who: kept only as a code"),
                  _words("persona@empresa.example", "person@company.example")),
            Column("day", _words("asignada", "assigned"),
                   _words("el día en que se asignó", "the day on which it was assigned"),
                   _words("02/03/2026", "2026-03-02"), "date"),
            Column("done", _words("terminada", "completed"),
                   _words("el día en que se terminó; vacío si no", "the day on which it was completed; else empty"),
                   _words("31/03/2026", "2026-03-31"), "date", needed=False),
        ),
        (
            {"type": "training.assigned", "at": "{day}", "subject": "{id}", "actor": "{who}",
             "attributes": {"category": "{course}", "team": "{team}"}},
            {"type": "training.completed", "when": "{done} is not null", "at": "{done}", "subject": "{id}",
             "actor": "{who}", "attributes": {"category": "{course}", "team": "{team}"}},
        ),
        (("{done} >= {day}", _words("{done} es anterior a {day}", "{done} is before {day}")),),
    ),
    Form(
        "audits",
        _words("Auditorías de los datos de un sistema", "Audits of a system's data"),
        (
            _id("A-001"),
            _day("el día en que se terminó", "the day on which it was completed"),
            _text("system", _words("sistema", "system"), _words("qué sistema", "which system"), _words("CRM", "CRM")),
            _figure("score", _words("acierto", "score"),
                    _words("parte que estaba bien, de 0 a 1: 98 de cada 100 es 0,98",
                           "part that was right, 0 to 1: 98 out of 100 is 0.98"),
                    _words("0,98", "0.98")),
        ),
        ({"type": "audit.completed", "at": "{day}", "subject": "{id}",
          "attributes": {"system": "{system}", "score": "{score}"}},),
        (("{score} >= 0 and {score} <= 1", _words("{score} va de 0 a 1", "{score} goes from 0 to 1")),),
    ),
    Form(
        "partnerships",
        _words("Alianzas estratégicas firmadas", "Strategic partnerships signed"),
        (
            _id("P-001"),
            _day("el día en que se firmó", "the day on which it was signed"),
            _text("partner", _words("socio", "partner"), _words("con qué empresa", "with which company"),
                  _words("Banco Sol", "Sun Bank")),
            _kind(_words("distribución, tecnología…", "distribution, technology…"),
                  _words("distribución", "distribution")),
        ),
        ({"type": "partnership.signed", "at": "{day}", "subject": "{id}",
          "attributes": {"name": "{partner}", "category": "{kind}"}},),
    ),
    Form(
        "campaign-spend",
        _words("Gasto en campañas", "What campaigns cost"),
        (
            _id("G-001"),
            _day("el día del gasto", "the day on which it was spent"),
            _text("campaign", _words("campana", "campaign"),
                  _words("como se llama en el CRM", "as it is called in the CRM"), _words("primavera", "spring")),
            _figure("amount", _words("importe", "amount"),
                    _words("cuánto, sin el signo de la moneda", "how much, without the currency's sign"),
                    _words("1250,50", "1250.50")),
            _CURRENCY,
        ),
        ({"type": "expense.recorded", "at": "{day}", "subject": "{id}", "amount": "{amount}", "currency": "{currency}",
          "attributes": {"campaign": "{campaign}"}},),
        (_more_than_zero("amount"),),
    ),
    Form(
        "market-size",
        _words("Ventas de un mercado entero en un mes", "Sales of a whole market in a month"),
        (
            _id("M-2026-03"),
            _day("el último día del mes", "the last day of the month"),
            _text("market", _words("mercado", "market"), _words("qué mercado", "which market"),
                  _words("España", "Spain")),
            _figure("amount", _words("ventas", "sales"), _words("las de todo el mercado", "those of the whole market"),
                    _words("12500000", "12500000")),
            _CURRENCY,
        ),
        ({"type": "market.measured", "at": "{day}", "subject": "{id}", "amount": "{amount}", "currency": "{currency}",
          "attributes": {"market": "{market}"}},),
        (_more_than_zero("amount"),),
    ),
)  # fmt: skip

FORMS: Mapping[str, Form] = {one.name: one for one in _FORMS}
"""By name."""
