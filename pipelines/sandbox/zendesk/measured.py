"""What Zendesk measures of a ticket: its metric events, under service levels that promise times by priority.

Belongs here: the events of two of its times, until the first reply and until the solution. Does not: paths, or the
ticket itself (`records`).

A target is applied with each priority until the time has ended; a breach that a later target takes back is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipelines.sandbox.company import Change, Ticket
from pipelines.sandbox.zendesk.records import Json, seconds

REPLY_MINUTES = {"urgent": 15, "high": 60, "normal": 240, "low": 480}
SOLUTION_MINUTES = {"urgent": 240, "high": 480, "normal": 1440, "low": 4320}


def metric_events(ticket: Ticket, present: datetime) -> dict[str, list[Json]]:
    """The metric events of a ticket by what they measure, as they are at an instant."""
    solved = next((change.at for change in ticket.status if change.value == "solved"), None)
    return {
        "agent_work_time": [],
        "reply_time": _events(ticket, "reply_time", REPLY_MINUTES, ticket.first_reply_at, present),
        "resolution_time": _events(ticket, "resolution_time", SOLUTION_MINUTES, solved, present),
    }


def _events(
    ticket: Ticket, metric: str, minutes: dict[str, int], ended: datetime | None, present: datetime
) -> list[Json]:
    until = present if ended is None else min(ended, present)
    applied = [change for change in ticket.priority if change.at <= until]
    moments: list[tuple[datetime, str, Json]] = [(ticket.created_at, "activate", {})]
    for place, change in enumerate(applied):
        following = applied[place + 1].at if place + 1 < len(applied) else until
        moments.append((change.at, "apply_sla", {"sla": _target(minutes[change.value])}))
        due = max(ticket.created_at + timedelta(minutes=minutes[change.value]), change.at)
        if due < following:
            moments.append((due, "breach", {"deleted": _is_taken_back(ticket, applied[place + 1 :], minutes, due)}))
    if ended is not None and ended <= present:
        moments.append((ended, "fulfill", {}))
    base = ticket.id * 1000 + (0 if metric == "reply_time" else 500)
    return [
        {
            "id": base + number,
            "ticket_id": ticket.id,
            "metric": metric,
            "instance_id": 1,
            "type": kind,
            "time": seconds(at),
            **more,
        }
        for number, (at, kind, more) in enumerate(moments)
    ]


def _is_taken_back(ticket: Ticket, later: Sequence[Change[str]], minutes: dict[str, int], due: datetime) -> bool:
    """Whether a target that was applied later leaves more time than had passed when it was."""
    return any(ticket.created_at + timedelta(minutes=minutes[one.value]) > max(one.at, due) for one in later)


def _target(minutes: int) -> Json:
    policy = {"id": 77, "title": "Todos", "description": "Lo prometido a Marta"}
    return {"target": minutes, "business_hours": False, "policy": policy, "target_in_seconds": minutes * 60}
