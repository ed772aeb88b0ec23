"""The life of a simulated business, as its plan says: one module for each of its parts, on one calendar and one seed.

Belongs here: telling a plan. Does not: the words of plans (`plan`), or the companies (`revops`, `ventas_b2b`,
`ventas_marketing`, `inbound`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pipelines.sandbox import opinions
from pipelines.sandbox.business import activities, billing, deals, people, sheet_rows
from pipelines.sandbox.business.plan import LOST, WON, Business
from pipelines.sandbox.company import Company, Crm, Deal, Opinion, Pipeline
from pipelines.sandbox.ground import Ground
from pipelines.sandbox.tickets import tickets


def business(plan: Business) -> Callable[[int, date, date, str], Company]:
    """The company of a plan: a function of its seed, its founding day, its last day and its zone."""

    def tell(seed: int, founded: date, last_day: date, zone: str) -> Company:
        return life(plan, seed, founded, last_day, zone)

    return tell


def life(plan: Business, seed: int, founded: date, last_day: date, zone: str) -> Company:
    """Everything that a business does from its founding to the end of a day, and what had been begun by then."""
    ground = Ground.of(seed, founded, last_day, zone, plan.country, plan.name)
    known = people.acquaintances(ground, plan)
    made = deals.deals(ground, plan, known)
    every = [deal for deal, _ in made]
    subscribed = billing.subscriptions(ground, plan, known)
    billed = [deal for deal, is_billed in made if is_billed]
    asked = _asked(ground, plan, every)
    rows = sheet_rows.sheet_rows(ground, plan, known)
    if plan.survey is not None:
        rows = sorted([*rows, *opinions.sent(ground, asked, plan.survey.sheet)], key=lambda row: row.id)
    return Company(
        seed=seed,
        zone=zone,
        founded=founded,
        last_day=last_day,
        contacts=tuple(people.grown(known.contacts, every)),
        listings=(),
        sales=(),
        activities=tuple(activities.activities(ground, plan, known, every)),
        tickets=tuple(tickets(ground, known.pool, plan.care)) if plan.care else (),
        invoices=tuple(billing.invoices(ground, plan, known, billed, subscribed)),
        videos=(),
        sheet_rows=tuple(rows),
        subscribers={},
        views={},
        subscriptions=tuple(subscribed),
        deals=tuple(every),
        opinions=tuple(asked),
        crm=_crm(plan),
    )


def _asked(ground: Ground, plan: Business, every: list[Deal]) -> list[Opinion]:
    if plan.survey is None:
        return []
    bought = [
        (one.id, one.contact_id, one.stages[-1].at)
        for one in every
        if one.archived_at is None and one.stages[-1].value == WON
    ]
    return opinions.opinions(ground, bought, plan.survey.good, plan.survey.answered)


def _crm(plan: Business) -> Crm:
    return Crm(
        pipelines=tuple(Pipeline(id_, id_, (*stages, WON, LOST)) for id_, stages in plan.pipelines.items()),
        activity_types=tuple(dict.fromkeys(routine.type for routine in plan.routines)),
        properties=plan.properties,
    )
