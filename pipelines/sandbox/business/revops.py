"""Revenue operations of a business: a sales team of fourteen, subscriptions, and everything that is counted about them.

Belongs here: what this company does, as data.
"""

from __future__ import annotations

from datetime import date

from pipelines.sandbox.business.plan import (
    SEASON,
    Agreed,
    Business,
    Buyers,
    Course,
    Dated,
    Flow,
    Known,
    Leads,
    Member,
    Number,
    Opened,
    People,
    Phase,
    Regular,
    Roster,
    Routine,
    Subscribed,
    Survey,
)
from pipelines.sandbox.tickets import Care

_BEGAN = date(2024, 9, 2)
_SALES = ("cualificacion", 12.0), ("demostracion", 15.0), ("propuesta", 18.0), ("negociacion", 16.0)
_MORE = ("cualificacion", 6.0), ("propuesta", 9.0), ("negociacion", 8.0)
_HOME = {"Madrid": 4, "Cataluña": 3, "Comunitat Valenciana": 2, "Andalucía": 2}

PLAN = Business(
    name="revops",
    country="ES-MD",
    currency="EUR",
    people=People(
        a_month=62,
        known=(Known(70, {"mercado": _HOME}),),
        steps=(("marketingqualifiedlead", 0.6, 6), ("salesqualifiedlead", 0.6, 8)),
        says={"mercado": _HOME},
    ),
    staff=(
        *(Member(f"comercial-{n}", "ventas", _BEGAN) for n in range(1, 11)),
        Member("comercial-11", "ventas", _BEGAN, left=date(2026, 3, 13)),
        Member("comercial-12", "ventas", date(2025, 5, 5)),
        Member("comercial-13", "ventas", date(2025, 10, 6), idle_from=date(2026, 9, 21)),
        Member("comercial-14", "ventas", date(2026, 4, 6)),
        *(Member(f"soporte-{n}", "soporte", _BEGAN) for n in range(1, 5)),
        *(Member(f"operaciones-{n}", "operaciones", _BEGAN) for n in range(1, 4)),
    ),
    properties={
        "contacts": ("mercado",),
        "deals": ("closedate", "producto", "mercado", "tipo_de_negocio"),
        "calls": (),
        "meetings": (),
    },
    pipelines={
        "ventas": ("cualificacion", "demostracion", "propuesta", "negociacion"),
        "clientes": ("cualificacion", "propuesta", "negociacion"),
    },
    flows=(
        Flow(
            "nuevo", "ventas", 21, _SALES, 0.30, 5200, Leads(),
            says={"producto": {"Plataforma": 7, "Servicios": 3}, "tipo_de_negocio": {"new": 1}},
            lost_after=(5, 3, 2, 1), commits_at="negociacion",
            phases=(
                Phase(date(2025, 10, 1), win=0.36, surprise=0.9),
                Phase(date(2026, 1, 1), volume=1.05, pace=0.93, surprise=0.6, win=0.37),
            ),
        ),
        Flow(
            "ampliacion", "clientes", 6, _MORE, 0.55, 3200, Buyers(),
            says={"producto": {"Plataforma": 1}, "tipo_de_negocio": {"upsell": 1}},
            lost_after=(4, 2, 1), commits_at="negociacion",
            phases=(Phase(date(2026, 1, 1), volume=1.15, amount=1.06, win=0.6),),
        ),
        Flow(
            "cruzada", "clientes", 5, _MORE, 0.5, 2600, Buyers(),
            says={"producto": {"Servicios": 1}, "tipo_de_negocio": {"cross_sell": 1}},
            lost_after=(4, 2, 1), commits_at="negociacion",
            phases=(Phase(date(2026, 1, 1), volume=1.1, amount=1.05),),
        ),
        Flow(
            "linea nueva", "clientes", 4, _MORE, 0.55, 4300, Buyers(),
            says={"producto": {"Analítica": 3, "Automatización": 2}, "tipo_de_negocio": {"cross_sell": 1}},
            lost_after=(4, 2, 1), commits_at="negociacion",
            phases=(Phase(date(2024, 1, 1), volume=0.0), Phase(date(2026, 3, 1))),
        ),
        Flow(
            "Portugal", "ventas", 2, _SALES, 0.4, 6400, Leads(),
            says={"producto": {"Plataforma": 1}, "tipo_de_negocio": {"new": 1}, "mercado": {"Portugal": 1}},
            lost_after=(4, 3, 2, 1), commits_at="negociacion",
            phases=(Phase(date(2024, 1, 1), volume=0.0), Phase(date(2026, 2, 1))),
        ),
    ),
    agreed=(
        Agreed(
            "ventas", "", (
                (date(2026, 5, 11), "cualificacion"), (date(2026, 6, 3), "propuesta"),
                (date(2026, 7, 7), "negociacion"), (date(2026, 7, 22), "ganado"),
            ), 8400, {"producto": "Plataforma", "mercado": "Occitania", "tipo_de_negocio": "new"}, billed=True,
        ),
    ),
    routines=(
        Routine("call", "seguimiento", 34, Leads(90)),
        Routine("call", "cliente", 12, Buyers()),
        Routine("meeting", "demostracion", 9, Leads(90)),
        Routine("meeting", "revision", 4, Buyers()),
    ),
    care=Care(a_month=70, season=SEASON, good=0.91, answered=0.53),
    survey=Survey("encuestas", good=0.86, answered=0.53),
    subscribed=(
        Subscribed("Plataforma", 52, 2.5, 420_00, 0.011),
        Subscribed("Soporte avanzado", 20, 0.8, 190_00, 0.014),
    ),
    rows=(
        Roster("plantilla"),
        Dated("sistemas", ((date(2025, 2, 3), {"sistema": "panel"}), (date(2026, 8, 3), {"sistema": "crm"}))),
        Opened("panel", "panel", "ventas", 0.82, (Phase(date(2026, 4, 1), win=0.95),)),
        Course("formacion", "Procesos de venta", date(2026, 2, 9), ("ventas", "soporte", "operaciones"), 0.95, 105),
        Regular(
            "informes", "week", ({},), count=9,
            says={"informe": {"Ventas": 3, "Embudo": 3, "Soporte": 2, "Cobros": 2}, "automatico": {"sí": 1, "no": 4}},
            phases=(),
        ),
        Regular(
            "auditorias", "quarter", ({"sistema": "crm"}, {"sistema": "soporte"}), on="any",
            numbers={"acierto": Number(0.985, 0.006, 3, most=1)},
            phases=(Phase(date(2025, 1, 1), amount=0.985), Phase(date(2026, 1, 1))),
        ),
        Regular(
            "auditorias", "quarter", ({"sistema": "facturacion"},), on="any",
            numbers={"acierto": Number(0.985, 0.012, 3, most=1)},
        ),
        Regular(
            "gastos", "month",
            (
                {"concepto": "licencias"}, {"concepto": "nube"}, {"concepto": "consultoría"}, {"concepto": "viajes"},
                {"concepto": "formación"}, {"concepto": "oficina"},
            ),
            count=2, numbers={"importe": Number(1650, 0.4, 2)}, phases=(Phase(date(2026, 1, 1), amount=0.92),),
        ),
        Dated(
            "alianzas",
            (
                (date(2025, 6, 12), {"socio": "Consultora Ebro", "tipo": "implantación"}),
                (date(2026, 2, 19), {"socio": "Nube Ibérica", "tipo": "tecnología"}),
                (date(2026, 5, 6), {"socio": "Grupo Lince", "tipo": "distribución"}),
                (date(2026, 9, 15), {"socio": "Formación Alba", "tipo": "implantación"}),
            ),
        ),
        Dated("lanzamientos", (
            (date(2026, 3, 2), {"producto": "Analítica"}), (date(2026, 6, 15), {"producto": "Automatización"}),
        )),
    ),
)  # fmt: skip
