"""Inbound marketing in Colombia: many visitors leave their address, some are worth a call, a few of them buy.

Belongs here: what this company does, as data.
"""

from __future__ import annotations

from datetime import date

from pipelines.sandbox.business.plan import Business, Buyers, Flow, Known, Leads, Member, People, Phase, Routine

_BEGAN = date(2024, 9, 2)
_SALE = ("diagnostico", 6.0), ("propuesta", 9.0), ("cierre", 6.0)

PLAN = Business(
    name="inbound",
    country="CO",
    currency="COP",
    people=People(
        a_month=390,
        known=(Known(60),),
        steps=(("marketingqualifiedlead", 0.88, 4), ("salesqualifiedlead", 0.3, 6)),
        says={},
        channels={"web": 8, "email": 2},
        phases=(
            Phase(date(2024, 1, 1), volume=0.45),
            Phase(date(2025, 7, 1), volume=0.65),
            Phase(date(2026, 1, 1), volume=0.97),
            Phase(date(2026, 4, 1), volume=1.0),
        ),
    ),
    staff=tuple(Member(f"asesor-{n}", "ventas", _BEGAN) for n in range(1, 7)),
    properties={"contacts": (), "deals": ("tipo_de_negocio",), "calls": (), "meetings": ()},
    pipelines={"ventas": ("diagnostico", "propuesta", "cierre")},
    flows=(
        Flow(
            "nuevo", "ventas", 50, _SALE, 0.25, 2_400_000, Leads(30), says={"tipo_de_negocio": {"nuevo": 1}},
            step=10_000, lost_after=(3, 4, 1),
            phases=(
                Phase(date(2025, 1, 1), volume=0.75),
                Phase(date(2026, 1, 1), volume=0.9, win=0.30),
                Phase(date(2026, 4, 1), volume=1.1, win=0.31),
                Phase(date(2026, 7, 1), volume=1.2, win=0.33),
                Phase(date(2026, 10, 1), volume=1.35, win=0.34),
            ),
        ),
    ),
    routines=(
        Routine("call", "seguimiento", 9, Leads(30)),
        Routine("meeting", "diagnostico", 4, Leads(30)),
        Routine("meeting", "revision", 2, Buyers()),
    ),
)  # fmt: skip
