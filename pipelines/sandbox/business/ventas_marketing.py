"""A small firm's sales and marketing: campaigns, a handful of sales people, and its first steps into other towns.

Belongs here: what this company does, as data.
"""

from __future__ import annotations

from datetime import date

from pipelines.sandbox.business.plan import (
    SEASON,
    Abroad,
    Business,
    Buyers,
    Dated,
    Flow,
    Known,
    Leads,
    Member,
    Number,
    People,
    Phase,
    Regular,
    Routine,
    Survey,
)
from pipelines.sandbox.tickets import Care, Wave

_BEGAN = date(2024, 9, 2)
_SALE = ("contacto", 3.0), ("presupuesto", 5.0), ("negociacion", 3.0)
_AGAIN = ("contacto", 3.0), ("presupuesto", 5.0)
_AUTUMN = date(2026, 10, 1)
_NEW_TOWN = {"tipo_de_negocio": {"nuevo": 1}}

PLAN = Business(
    name="ventas-marketing",
    country="ES-MD",
    currency="EUR",
    people=People(
        a_month=48,
        known=(Known(40, {"mercado": {"Madrid": 1}}),),
        steps=(("marketingqualifiedlead", 0.55, 4), ("salesqualifiedlead", 0.6, 5)),
        says={
            "mercado": {"Madrid": 6, "Guadalajara": 2, "Toledo": 2},
            "campana": {"": 5, "Buscadores": 3, "Redes": 2, "Feria": 1},
        },
        phases=(Phase(_AUTUMN, volume=1.06),),
    ),
    staff=tuple(Member(f"comercial-{n}", "ventas", _BEGAN) for n in range(1, 5)),
    properties={
        "contacts": ("mercado", "campana"),
        "deals": ("mercado", "campana", "tipo_de_negocio"),
        "calls": (),
        "meetings": (),
    },
    pipelines={"ventas": ("contacto", "presupuesto", "negociacion")},
    flows=(
        Flow(
            "nuevo", "ventas", 22, _SALE, 0.42, 1650, Leads(14), says={"tipo_de_negocio": {"nuevo": 1}},
            lost_after=(3, 3, 1), phases=(Phase(_AUTUMN, volume=1.06, amount=1.06, win=0.45),),
        ),
        Flow(
            "de nuevo", "ventas", 11, _AGAIN, 0.6, 1100, Buyers(), says={"tipo_de_negocio": {"recurrente": 1}},
            lost_after=(3, 2), phases=(Phase(_AUTUMN, volume=1.08),),
        ),
        *(
            Flow(
                town, "ventas", 4, _AGAIN, 0.55, 1400, Leads(45), says={**_NEW_TOWN, "mercado": {town: 1}},
                lost_after=(3, 2), phases=(Phase(date(2024, 1, 1), volume=0.0), Phase(_AUTUMN, volume=volume)),
            )
            for town, volume in (("Zaragoza", 1.0), ("Valladolid", 0.35))
        ),
    ),
    routines=(
        Routine("call", "seguimiento", 10, Leads(90), 0.15, (Phase(date(2026, 9, 28), volume=1.5),)),
        Routine("call", "cliente", 4, Buyers()),
        Routine("meeting", "presentacion", 3.9, Leads(90), 0.3),
        Routine("meeting", "revision", 1.5, Buyers()),
    ),
    care=Care(a_month=46, season=SEASON, good=0.88, answered=0.5, waves=(Wave(_AUTUMN, volume=1.12, wait=0.7),)),
    survey=Survey("encuestas", good=0.9, answered=0.55),
    rows=(
        Regular(
            "gastos", "month", ({"campana": "Buscadores"}, {"campana": "Redes"}),
            numbers={"importe": Number(980, 0.2, 2)}, phases=(Phase(_AUTUMN, amount=1.1),),
        ),
        Regular("gastos", "quarter", ({"campana": "Feria"},), numbers={"importe": Number(2400, 0.2, 2)}),
        Regular("gastos", "month", ({"campana": ""},), count=3, numbers={"importe": Number(640, 0.3, 2)}),
        Dated("mercados", (
            (date(2026, 10, 9), {"mercado": "Zaragoza"}), (date(2026, 11, 4), {"mercado": "Valladolid"}),
        )),
    ),
    abroad=Abroad("USD", 0.1, 0.91, 50),
)  # fmt: skip
