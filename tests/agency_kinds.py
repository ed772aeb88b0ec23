"""The key results of an estate agency, for tests of what is made of their figures: how each is declared, its values.

Belongs here: what is measured, and how much it is on any day. Does not: the rows that a run leaves (`agency_results`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from kr_definitions.organisation import Title
from kr_definitions.periods import Every, Span

SURVEY_GAP = Span(date(2026, 9, 3), date(2026, 9, 9))

Figure = Callable[[date, Span], float | None]
"""The value at the end of a day, counted over a window."""


@dataclass(frozen=True)
class Kind:
    """A key result of the agency: how it is declared, and what its value is on a day."""

    id: str
    title: Title
    value: Figure
    target: float | None
    unit: str = "count"
    every: Every | None = None
    direction: str = "increase"
    type: str = "outcome"
    start: float = 0.0
    feeds: tuple[tuple[str, str], ...] = (("crm", "deals"),)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def objective(self) -> str:
        parts = self.id.split(".")
        return ".".join(parts[:2]) if len(parts) > 2 else f"{parts[0]}.empresa"


def _wave(day: date, *levels: float) -> float:
    """One of a few levels, the same for the same day, without any order that one would see."""
    return levels[(day.toordinal() * 7919 // 13) % len(levels)]


def _grows(*rates: float) -> Figure:
    """Grows through each window, to its target times the window's own rate."""

    def value(day: date, window: Span) -> float:
        rate = rates[(window.first.month - 1) % len(rates)]
        part = ((day - window.first).days + 1) / window.days
        return rate * part * (1 + 0.02 * _wave(day, -1, 0, 1))

    return value


def _count(target: float, *rates: float) -> Figure:
    grows = _grows(*rates)
    return lambda day, window: float(int(target * (grows(day, window) or 0)))


def _each_month(id_: str, es: str, en: str, target: int, unit: str, rates: tuple[float, ...], **more: Any) -> Kind:
    """So many each month; of how many there are, each month has its own rate."""
    return Kind(id_, Title(es=es, en=en), _count(target, *rates), target, unit=unit, every="month", **more)


def _once_a_window(*on_days: int) -> Figure:
    """One, from the given day of the window on; 0: not in that window."""

    def value(day: date, window: Span) -> float:
        due = on_days[(window.first.month - 1) % len(on_days)]
        return float(due > 0 and (day - window.first).days + 1 >= due)

    return value


def _satisfaction(day: date, window: Span) -> float | None:
    return None if day in SURVEY_GAP else _wave(day, 0.88, 0.89, 0.9) + 0.02 * ((day.month % 4) - 1)


KINDS = (
    Kind(
        "inmobiliaria.facturacion",
        Title(es="Facturar un 10 % más que el año anterior", en="Invoice 10 % more than the year before"),
        lambda day, window: round(1375.5 * (day - window.first).days + 41.27, 2),
        453_585.44,
        unit="EUR",
        extra={"baseline": 412_350.4, "target_text": "+10 % on the previous year"},
        feeds=(("billing", "invoices"),),
    ),
    _each_month(
        "inmobiliaria.marketing.leads",
        "100 clientes potenciales nuevos al mes",
        "100 new potential customers a month",
        100,
        "leads",
        (0.8, 0.9, 1.06, 1.1, 1.2, 1.04, 0.7, 0.5, 1.1, 1.2, 1.13),
    ),
    Kind(
        "inmobiliaria.marketing.colaboracion",
        Title(es="Una colaboración acordada al mes", en="One collaboration agreed a month"),
        _once_a_window(12, 20, 0, 9, 22, 14, 5, 0, 17, 11, 26),
        1,
        unit="collaborations",
        every="month",
        type="activity",
    ),
    Kind(
        "inmobiliaria.marketing.evento",
        Title(es="Asistir a un evento inmobiliario", en="Take part in a real-estate event"),
        _once_a_window(75, 0, 0, 41, 0, 0, 0, 0, 0, 38),
        1,
        unit="events",
        every="quarter",
        type="milestone",
    ),
    Kind(
        "inmobiliaria.marketing.portales",
        Title(es="Publicar en dos portales más", en="Publish on two more portals"),
        lambda day, window: 3.0 + (day >= date(2026, 3, 9)) + (day >= date(2026, 10, 2)),
        5,
        unit="portals",
        start=3.0,
        extra={"baseline": 3.0},
    ),
    Kind(
        "inmobiliaria.marketing.video_mensual",
        Title(es="Un vídeo al mes en YouTube", en="One video a month on YouTube"),
        lambda day, window: None,
        1,
        unit="videos",
        every="month",
        type="activity",
        feeds=(("youtube", "videos"),),
    ),
    _each_month(
        "inmobiliaria.ventas.operaciones",
        "5 ventas cerradas al mes",
        "5 sales closed a month",
        5,
        "deals",
        (0.6, 1.0, 1.2, 1.0, 1.4, 1.3, 0.8, 0.4, 1.0, 1.2, 0.9),
    ),
    _each_month(
        "inmobiliaria.ventas.captaciones",
        "20 captaciones al mes",
        "20 properties taken on a month",
        20,
        "listings",
        (0.9, 1.0, 1.1, 1.0, 1.2, 1.0, 0.8, 0.5, 1.0, 1.1, 1.06),
        type="activity",
    ),
    _each_month(
        "inmobiliaria.ventas.exclusivas",
        "10 de las 20 captaciones en exclusiva",
        "10 of the 20 properties with an exclusive mandate",
        10,
        "listings",
        (0.5, 0.6, 0.8, 0.7, 0.9, 0.8, 0.6, 0.3, 0.8, 0.7, 0.6),
    ),
    _each_month(
        "inmobiliaria.ventas.visitas",
        "150 visitas a inmuebles al mes",
        "150 property visits a month",
        150,
        "visits",
        (0.9, 1.0, 1.05, 1.1, 1.2, 1.1, 0.9, 0.6, 1.0, 1.1, 1.1),
        type="activity",
    ),
    Kind(
        "inmobiliaria.ventas.buzoneo",
        Title(es="200 folletos en el día de buzoneo de cada semana", en="200 flyers on each week's mailbox-drop day"),
        lambda day, window: 0.0 if day.weekday() < 2 else _wave(window.first, 200, 220, 180, 240),
        200,
        unit="flyers",
        every="week",
        type="activity",
        feeds=(("hojas", "buzoneo"),),
    ),
    _each_month(
        "inmobiliaria.clientes.referidos",
        "5 referidos al mes de clientes con venta cerrada",
        "5 referrals a month from customers whose sale has closed",
        5,
        "referrals",
        (0.4, 0.6, 0.8, 1.0, 0.8, 1.2, 0.6, 0.2, 0.8, 0.8, 0.6),
    ),
    Kind(
        "inmobiliaria.clientes.satisfaccion",
        Title(
            es="El 90 % de las respuestas son de clientes satisfechos",
            en="90 % of the answers are from satisfied customers",
        ),
        _satisfaction,
        0.9,
        unit="share",
        direction="at_least",
        feeds=(("zendesk", "surveys"),),
    ),
    Kind(
        "inmobiliaria.clientes.llamadas",
        Title(es="60 clientes llamados cada día laborable", en="60 customers called each working day"),
        lambda day, window: _wave(window.first, 52, 61, 64, 58, 60, 66),
        60,
        unit="customers",
        every="working_day",
        type="activity",
        feeds=(("crm", "calls"),),
    ),
)

OBJECTIVES = {
    "inmobiliaria.empresa": Title(
        es="Crecer de forma sostenida como agencia de referencia en la zona",
        en="Grow steadily as the agency of reference in the area",
    ),
    "inmobiliaria.marketing": Title(
        es="Ser la agencia en la que primero piensa quien compra o vende en la zona",
        en="Be the agency that people who buy or sell in the area think of first",
    ),
    "inmobiliaria.ventas": Title(
        es="Convertir la cartera en ventas con un ritmo constante", en="Turn the portfolio into sales at a steady pace"
    ),
    "inmobiliaria.clientes": Title(es="Que cada cliente nos recomiende", en="Have every customer recommend us"),
}
