"""What the sales people of a business do all week: calls and meetings.

Belongs here: whom they call and meet, how often, and who does it. Does not: how one goes (`appointments`).
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from pipelines.sandbox.appointments import called, lived, planned
from pipelines.sandbox.business.deals import PRODUCT
from pipelines.sandbox.business.people import Acquaintances
from pipelines.sandbox.business.plan import SEASON, WON, Business, Buyers, Leads, Routine, in_force
from pipelines.sandbox.company import Activity, Deal
from pipelines.sandbox.ground import DAY, Ground, Kind, identity, numbered, ramp

TYPE = "hs_activity_type"


def activities(ground: Ground, plan: Business, people: Acquaintances, deals: Sequence[Deal]) -> list[Activity]:
    """Everything that was done or planned, told or not yet told to the CRM, in the order of ids."""
    company = _Company(ground, plan, people, deals)
    weeks = (ground.last_day - ground.founded).days // 7 + 4
    monday = ground.founded - DAY * ground.founded.weekday()
    due = [
        (day, place, routine)
        for week in range(weeks)
        for place, routine in enumerate(plan.routines)
        for day in company.days_of(routine, monday + DAY * 7 * week)
    ]
    found = [*company.calls(due), *company.meetings(due)]
    return sorted(lived(ground, found), key=lambda one: one.id)


class _Company:
    """Who can be called and met, on each day."""

    def __init__(self, ground: Ground, plan: Business, people: Acquaintances, deals: Sequence[Deal]) -> None:
        self.ground, self.plan, self.people = ground, plan, people
        won = sorted(
            (deal.stages[-1].at, deal.contact_id, _product(deal))
            for deal in deals
            if deal.stages[-1].value == WON and deal.archived_at is None
        )
        self.bought: dict[str | None, tuple[list[datetime], list[int]]] = {}
        for at, id_, product in won:
            for key in {None, product}:
                times, ids = self.bought.setdefault(key, ([], []))
                times.append(at)
                ids.append(id_)

    def days_of(self, routine: Routine, monday: date) -> list[date]:
        """The days of a week on which it is done; fewer in a week that is not worked in full."""
        ground = self.ground
        days = [monday + DAY * n for n in range(5)]
        worked = [day for day in days if ground.is_working(day) and day > ground.founded]
        if not worked:
            return []
        rng = ground.chance(f"{routine.type} week", monday)
        mean = routine.a_week * in_force(routine.phases, worked[0]).volume * SEASON[worked[0].month] ** 0.5
        mean *= (len(worked) / 5) ** 0.6 * ramp(ground.months_old(worked[0]), 0.7, 0.1)
        count = round(mean * (1 + routine.jitter * (2 * rng.random() - 1)))
        return sorted(rng.choices(worked, k=count))

    def draw(self, rng: random.Random, routine: Routine, day: date) -> int | None:
        """Whom it is with, of those who were known before a day."""
        if isinstance(routine.who, Leads):
            return self.people.leads.draw(rng, day, routine.who.within_days, frozenset())
        if isinstance(routine.who, Buyers):
            times, ids = self.bought.get(routine.who.product, ([], []))
            last = bisect_left(times, self.ground.at(day, 0))
            return ids[rng.randrange(last)] if last else None
        return rng.choice(self.people.known[routine.who.name]).id

    def calls(self, due: Sequence[tuple[date, int, Routine]]) -> Iterator[Activity]:
        """The calls, up to the last day."""
        of_days = sorted((one for one in due if one[2].kind == "call"), key=lambda one: one[:2])
        for (day, number), (_, _, routine) in zip(numbered(one[0] for one in of_days), of_days, strict=True):
            rng = self.ground.chance("call", day, number)
            contact_id, names = self.draw(rng, routine, day), self.plan.sellers(day)
            if contact_id is not None and names and day <= self.ground.last_day:
                at = self.ground.office_moment(rng, day)
                id_ = identity(Kind.CALL, day, number)
                yield self._typed(called(self.ground, rng, id_, contact_id, names, at), routine)

    def meetings(self, due: Sequence[tuple[date, int, Routine]]) -> Iterator[Activity | None]:
        """The meetings, those planned for later days too."""
        of_days = sorted((one for one in due if one[2].kind == "meeting"), key=lambda one: one[:2])
        for (day, number), (_, _, routine) in zip(numbered(one[0] for one in of_days), of_days, strict=True):

            def draw(rng: random.Random, on: date, routine: Routine = routine) -> int | None:
                return self.draw(rng, routine, on) if on <= self.ground.last_day else None

            names = self.plan.sellers(day)
            made = planned(self.ground, "meeting", Kind.MEETING, day, number, draw, names) if names else None
            yield None if made is None else self._typed(made, routine)

    def _typed(self, one: Activity, routine: Routine) -> Activity:
        segment = self.people.says[one.contact_id].get("segmento")
        return replace(one, says={TYPE: routine.type, **({"segmento": segment} if segment else {})})


def _product(deal: Deal) -> str | None:
    says = deal.says.get(PRODUCT)
    return says[-1].value if says else None
