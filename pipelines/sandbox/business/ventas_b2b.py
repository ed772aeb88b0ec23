"""A B2B sales organisation in Colombia: prospects, key accounts, proposals, launches and one customer of its own size.

Belongs here: what this company does, as data.
"""

from __future__ import annotations

from datetime import date, timedelta

from pipelines.sandbox.business.plan import (
    SEASON,
    Abroad,
    Agreed,
    Business,
    Buyers,
    Daily,
    Dated,
    Flow,
    Known,
    Leads,
    Member,
    Number,
    People,
    Phase,
    Regular,
    Retainer,
    Routine,
    Segment,
    Subscribed,
)
from pipelines.sandbox.tickets import Care

_BEGAN = date(2024, 9, 2)
_MILLION = 1_000_000
_SALES = ("preventa", 6.0), ("propuesta", 10.0), ("negociacion", 9.0), ("contrato", 6.0)
_ORDER = ("propuesta", 6.0), ("negociacion", 6.0), ("contrato", 4.0)
_PROPOSAL = ("preparada", 7.0), ("presentada", 16.0)
_SECTORS = {"comercio": 4, "salud": 3, "industria": 3, "tecnologia": 1}
_LAUNCHES = (date(2026, 10, 5), "Nova"), (date(2026, 11, 4), "Sol"), (date(2026, 12, 1), "Luna")
_QUICKER = Phase(date(2026, 7, 1), volume=1.25, pace=0.82)

PLAN = Business(
    name="ventas-b2b",
    country="CO",
    currency="COP",
    people=People(
        a_month=112,
        known=(
            Known(1, {"segmento": {"KAM": 1}, "sector": {"servicios": 1}}, customer="AndinaServicios"),
            Known(14, {"segmento": {"ABC": 1}, "sector": _SECTORS}),
            Known(45, {"segmento": {"general": 1}, "sector": _SECTORS}),
        ),
        steps=(("marketingqualifiedlead", 0.78, 4), ("salesqualifiedlead", 0.8, 5)),
        says={"segmento": {"clave": 3, "general": 7}, "sector": _SECTORS},
    ),
    staff=(
        *(Member(f"ejecutivo-{n}", "ventas", _BEGAN) for n in range(1, 8)),
        Member("ejecutivo-8", "ventas", date(2025, 9, 1)),
    ),
    properties={
        "contacts": ("segmento", "sector"),
        "deals": ("producto", "segmento", "mercado", "sector", "tipo_de_negocio"),
        "calls": ("segmento",),
        "meetings": ("segmento",),
    },
    pipelines={
        "ventas": ("preventa", "propuesta", "negociacion", "contrato"),
        "propuestas": ("preparada", "presentada"),
        "plan de cuenta": ("escrito", "compartido", "acordado"),
    },
    flows=(
        Flow(
            "nuevo", "ventas", 21, _SALES, 0.34, 4.6 * _MILLION, Leads(),
            says={"producto": {"A": 5, "B": 2, "C": 2, "D": 1}, "mercado": {"Andina": 6, "Caribe": 3, "Pacífico": 2},
                  "tipo_de_negocio": {"nuevo": 1}},
            step=50_000, lost_after=(2, 5, 2, 1), phases=(Phase(date(2026, 1, 1), volume=1.2), _QUICKER),
        ),
        Flow(
            "crm", "ventas", 8, _SALES, 0.28, 6.5 * _MILLION, Leads(),
            says={"producto": {"crm": 1}, "mercado": {"Andina": 1}, "tipo_de_negocio": {"nuevo": 1}},
            step=50_000, lost_after=(2, 5, 2, 1), phases=(Phase(date(2026, 1, 1), volume=1.45, amount=1.04),),
        ),
        Flow(
            "pedidos", "ventas", 5, _ORDER, 0.8, 11 * _MILLION, Segment("ABC"),
            says={"producto": {"A": 3, "B": 2, "C": 1}, "tipo_de_negocio": {"pedido": 1}},
            step=100_000, lost_after=(2, 2, 1),
            phases=(Phase(date(2026, 1, 1), amount=1.05), Phase(date(2026, 7, 1), amount=1.22)),
        ),
        Flow(
            "recurrente", "ventas", 8, _ORDER, 0.76, 9.4 * _MILLION, Buyers(),
            says={"producto": {"A": 2, "B": 2, "D": 1}, "tipo_de_negocio": {"recurrente": 1}},
            step=100_000, lost_after=(2, 2, 1), phases=(Phase(date(2025, 1, 1)),),
        ),
        Flow(
            "valor", "propuestas", 4, _PROPOSAL, 0.48, 7.5 * _MILLION, Segment("ABC"),
            says={"producto": {"C": 1, "D": 1}, "tipo_de_negocio": {"valor": 1}},
            step=100_000, lost_after=(1, 3), phases=(Phase(date(2026, 7, 1), volume=1.5), Phase(date(2026, 10, 1))),
        ),
        Flow(
            "cruzada", "propuestas", 16, _PROPOSAL, 0.1, 2.4 * _MILLION, Buyers("A"),
            says={"producto": {"B": 1, "C": 1}, "tipo_de_negocio": {"venta cruzada": 1}},
            step=50_000, lost_after=(1, 4), phases=(Phase(date(2024, 1, 1), volume=0.0), Phase(date(2026, 9, 1))),
        ),
        *(
            Flow(
                product, "ventas", 9, (("propuesta", 5.0), ("negociacion", 5.0), ("contrato", 3.0)), 0.72,
                11 * _MILLION, Buyers(),
                says={"producto": {product: 1}, "tipo_de_negocio": {"lanzamiento": 1}},
                step=100_000, lost_after=(3, 1, 1),
                phases=(
                    Phase(date(2024, 1, 1), volume=0.0), Phase(launched.replace(day=1)),
                    Phase(launched.replace(day=1) + timedelta(days=31), volume=0.2),
                ),
            )
            for launched, product in _LAUNCHES
        ),
    ),
    agreed=(
        Agreed("plan de cuenta", "KAM", (
            (date(2026, 2, 16), "escrito"), (date(2026, 4, 21), "compartido"),
        ), 1),
        *(
            Agreed("propuestas", "KAM", (
                (prepared, "preparada"), (presented, "presentada"),
            ), 20 * _MILLION, {"producto": product, "tipo_de_negocio": "valor"})
            for prepared, presented, product in (
                (date(2026, 2, 3), date(2026, 2, 26), "A"),
                (date(2026, 5, 12), date(2026, 6, 4), "B"),
                (date(2026, 8, 10), date(2026, 9, 2), "C"),
                (date(2026, 10, 20), date(2026, 11, 10), "D"),
            )
        ),
        Agreed("ventas", "KAM", (
            (date(2026, 1, 19), "propuesta"), (date(2026, 2, 11), "contrato"), (date(2026, 3, 4), "ganado"),
        ), 24 * _MILLION, {"producto": "A", "tipo_de_negocio": "ampliacion"}, billed=True),
        Agreed("ventas", "KAM", (
            (date(2026, 2, 5), "propuesta"), (date(2026, 3, 10), "contrato"), (date(2026, 4, 15), "ganado"),
        ), 15 * _MILLION, {"producto": "B", "tipo_de_negocio": "ampliacion"}, billed=True),
        Agreed("ventas", "KAM", (
            (date(2026, 6, 9), "propuesta"), (date(2026, 8, 12), "negociacion"), (date(2026, 10, 1), "ganado"),
        ), 31 * _MILLION, {"producto": "C", "tipo_de_negocio": "concurso"}, billed=True),
        Agreed("ventas", "KAM", (
            (date(2026, 6, 9), "propuesta"), (date(2026, 8, 12), "negociacion"),
        ), 27 * _MILLION, {"producto": "D", "tipo_de_negocio": "concurso"}),
    ),
    routines=(
        Routine("call", "prospeccion", 22, Leads(60)),
        Routine("call", "seguimiento", 14, Leads(60)),
        Routine("call", "cliente", 5, Buyers("crm")),
        Routine("meeting", "comercial", 1.8, Segment("ABC"), 0.4),
        Routine("meeting", "comercial", 8.5, Leads(45), phases=(Phase(date(2026, 1, 1), volume=1.1),)),
        Routine("meeting", "demostracion", 3, Leads(45)),
    ),
    care=Care(a_month=58, season=SEASON, good=0.9, channels=(0.3, 0.7, 9), weekend=0.03, prompt=0.91,
              reply_log=(7.0, 0.9)),
    subscribed=(
        Subscribed("crm", 38, 5, 310_000_00, 0.035, (
            Phase(date(2026, 7, 1), pace=3.4), Phase(date(2026, 10, 1), pace=0.9),
        )),
    ),
    retainers=(
        Retainer("KAM", "A", "servicio", 9 * _MILLION * 100, (Phase(date(2026, 1, 1), amount=1.12),)),
        Retainer("KAM", "B", "servicio", 5 * _MILLION * 100, (Phase(date(2026, 1, 1), amount=1.08),)),
    ),
    rows=(
        Regular(
            "mercado", "month", ({"mercado": "Latinoamerica"},), on="end",
            numbers={"ventas": Number(9_800 * _MILLION, 0.02)},
            phases=(Phase(date(2026, 1, 1), amount=1.04), Phase(date(2026, 7, 1), amount=1.1)),
        ),
        Dated("lanzamientos", tuple((launched, {"producto": product}) for launched, product in _LAUNCHES)),
        Regular(
            "demostraciones", "week", ({},), count=4, says={"producto": {"A": 2, "crm": 3}},
            numbers={"permanencia": Number(0.9, 0.15, 2, most=1)}, who=Leads(60),
        ),
        Daily("tasas", {"moneda": "USD"}, {"tasa": Number(4_050, 0.02, 2)}),
    ),
    abroad=Abroad("USD", 0.12, 4_050, 50),
)  # fmt: skip
