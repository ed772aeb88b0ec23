"""The company's tickets as Jira's issues: fields, histories, comments, satisfaction and service levels.

Belongs here: what each record looks like at an instant. Does not: paths, paging, the query language, limits
(`sandbox.jira`).

Names of people and texts are in the records. An issue keeps its id; its key is that of the project that it is in. One
that is closed without having been solved was a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.sandbox.company import Ticket, value_at

AGENTS = ("5b10a2844c20165700ede21g", "5b10ac8d82e05b22cc7d4ef5", "5b109f2e9729b51b54dc274d")
AUTOMATION = "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077"
CUSTOMER = "qm:5fd1a3c8-87f1-4b0d:"

STATUSES = {
    "new": ("10001", "Waiting for support", "new"),
    "open": ("10002", "In progress", "indeterminate"),
    "pending": ("10003", "Waiting for customer", "indeterminate"),
    "solved": ("10004", "Resolved", "done"),
    "closed": ("10005", "Closed", "done"),
}
PRIORITIES = {"urgent": ("1", "Highest"), "high": ("2", "High"), "normal": ("3", "Medium"), "low": ("4", "Low")}
PROJECTS = {"SUP": ("10000", "Soporte"), "OPS": ("10100", "Operaciones")}
CHANNELS = {"email": "email", "web": "portal", "phone": "jira"}
TYPE = ("10011", "Service Request")
DONE, DUPLICATE = ("10000", "Done"), ("10002", "Duplicate")
RATING, RATED_ON = "customfield_10104", "customfield_10106"
ORGANIZATIONS, REQUEST_TYPE = "customfield_10002", "customfield_10010"
LEVELS = {"customfield_10030": "Time to first response", "customfield_10031": "Time to resolution"}
GOAL = timedelta(hours=72)

_SCORES = {"good": 5, "bad": 1}

Json = dict[str, Any]


@dataclass(frozen=True)
class Move:
    """An issue that was made in one project and moved to another."""

    ticket_id: int
    at: datetime
    came_from: str
    went_to: str


@dataclass(frozen=True)
class Sight:
    """How a user sees a site: at an instant, in a time zone."""

    present: datetime
    zone: ZoneInfo
    moves: tuple[Move, ...] = ()
    customers_comments: int = 0  # written by the customer before each reply


def project_of(ticket: Ticket, sight: Sight) -> str:
    """The key of the project that an issue is in."""
    project = "SUP"
    for move in (one for one in sight.moves if one.ticket_id == ticket.id):
        project = move.went_to if move.at <= sight.present else move.came_from
    return project


def updated_at(ticket: Ticket, sight: Sight) -> datetime:
    """When the issue last changed."""
    moments: list[datetime] = [ticket.created_at, *_comment_times(ticket)]
    moments += [one["at"] for one in _changes(ticket, sight)]
    return max(at for at in moments if at <= sight.present)


def rated_at(ticket: Ticket, sight: Sight) -> datetime | None:
    """When the customer last said what they think."""
    return max((change.at for change in ticket.rating if change.at <= sight.present), default=None)


def issue_record(ticket: Ticket, sight: Sight, wanted: Iterable[str], most_comments: int) -> Json:
    """An issue with the fields that were named."""
    key, rated = project_of(ticket, sight), rated_at(ticket, sight)
    status = STATUSES[value_at(ticket.status, sight.present) or "new"]
    priority = PRIORITIES[value_at(ticket.priority, sight.present) or "normal"]
    comments = comment_records(ticket, sight)
    fields: Json = {
        "summary": f"Consulta de la clienta {ticket.requester_id}",
        "description": {"type": "doc", "version": 1, "content": [{"text": "Llámenme al 600 123 456"}]},
        "created": stamp(ticket.created_at, sight),
        "updated": stamp(updated_at(ticket, sight), sight),
        "status": status_record(status),
        "priority": {"id": priority[0], "name": priority[1]},
        "resolution": _resolution_record(ticket, sight),
        "issuetype": {"id": TYPE[0], "name": TYPE[1], "subtask": False},
        "project": {"id": PROJECTS[key][0], "key": key, "name": PROJECTS[key][1]},
        "reporter": _user(f"{CUSTOMER}{ticket.requester_id}", "customer"),
        "comment": {
            "comments": comments[:most_comments],
            "maxResults": most_comments,
            "total": len(comments),
            "startAt": 0,
        },
        RATED_ON: stamp(rated, sight) if rated else None,
        REQUEST_TYPE: {"requestType": {"id": "25", "name": "Get help", "serviceDeskId": "1"}},
        ORGANIZATIONS: [{"id": str(ticket.requester_id % 7 + 1), "name": "Familia Ruiz"}],
    }
    return {
        "expand": "operations,versionedRepresentations,editmeta,changelog,renderedFields",
        "id": str(ticket.id),
        "self": f"https://agencia.atlassian.net/rest/api/3/issue/{ticket.id}",
        "key": f"{key}-{ticket.id % 100_000}",
        "fields": {name: fields[name] for name in wanted if name in fields},
    }


def status_record(status: tuple[str, str, str]) -> Json:
    """A status with its category."""
    id_, name, category = status
    return {
        "self": f"https://agencia.atlassian.net/rest/api/3/status/{id_}",
        "description": "",
        "name": name,
        "id": id_,
        "statusCategory": {"id": 2, "key": category, "colorName": "blue-gray", "name": category},
    }


def history_records(ticket: Ticket, sight: Sight) -> list[Json]:
    """Everything that was changed of an issue so far, oldest first, with times as instants."""
    records = []
    for number, change in enumerate(_changes(ticket, sight)):
        if change["at"] <= sight.present:
            items = [{name: value for name, value in one.items() if value is not None} for one in change["items"]]
            records.append(
                {
                    "id": str(ticket.id * 100 + number),
                    "author": _user(change["by"], "app" if change["by"] == AUTOMATION else "atlassian"),
                    "created": change["at"],
                    "items": items,
                }
            )
    return records


def comment_records(ticket: Ticket, sight: Sight) -> list[Json]:
    """What was written in an issue so far, oldest first."""
    written = [(at, f"{CUSTOMER}{ticket.requester_id}", "customer", True) for at in _customers_times(ticket, sight)]
    if ticket.first_reply_at is not None:
        half_way = ticket.created_at + (ticket.first_reply_at - ticket.created_at) / 2
        if ticket.id % 4 == 0:
            written.append((half_way, _agent(ticket), "atlassian", False))
        written.append((half_way, AUTOMATION, "app", True))
        written.append((ticket.first_reply_at, _agent(ticket), "atlassian", True))
    return [
        {
            "id": str(ticket.id * 1000 + number),
            "author": _user(author, kind),
            "body": {"type": "doc", "version": 1, "content": [{"text": "Hola, soy Marta"}]},
            "created": stamp(at, sight),
            "updated": stamp(at, sight),
            "jsdPublic": is_public,
        }
        for number, (at, author, kind, is_public) in enumerate(sorted(written))
        if at <= sight.present
    ]


def feedback_record(ticket: Ticket, sight: Sight) -> Json | None:
    """What the customer thinks; it says nothing of when."""
    said = value_at(ticket.rating, sight.present)
    return {"type": "csat", "rating": _SCORES[said], "comment": {"body": "Gracias, Marta"}} if said else None


def level_records(ticket: Ticket, sight: Sight) -> list[Json]:
    """How the service levels of a request were kept: solved within three days."""
    solved = [one.at for one in ticket.status if one.value == "solved" and one.at <= sight.present]
    first_solved = min(solved, default=sight.present)
    back = [one.at for one in ticket.status if one.value == "open" and one.at > first_solved]
    starts = [ticket.created_at, *back]
    cycles = [
        {
            "startTime": _moment(start, sight),
            "stopTime": _moment(stop, sight),
            "breachTime": _moment(start + GOAL, sight),
            "breached": stop - start > GOAL,
            "goalDuration": {"millis": int(GOAL.total_seconds() * 1000), "friendly": "72h"},
        }
        for start, stop in zip(starts, solved, strict=False)
    ]
    first = [{"breached": False, "stopTime": _moment(ticket.first_reply_at, sight)}] if ticket.first_reply_at else []
    kept = zip(LEVELS.values(), (first, cycles), strict=True)
    return [{"id": str(id_), "name": name, "completedCycles": cycle} for id_, (name, cycle) in enumerate(kept, start=1)]


def stamp(at: datetime, sight: Sight) -> str:
    """A time as Jira writes it: in the user's zone, the offset without a colon."""
    local = at.astimezone(sight.zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def _moment(at: datetime, sight: Sight) -> Json:
    milliseconds = int(at.timestamp() * 1000)
    return {"iso8601": stamp(at, sight), "jira": stamp(at, sight), "friendly": "Hoy", "epochMillis": milliseconds}


def _changes(ticket: Ticket, sight: Sight) -> list[Json]:
    """Every change of an issue's whole life: one instant and author each."""
    at: dict[datetime, Json] = {}

    def add(instant: datetime, by: str, item: Json) -> None:
        at.setdefault(instant, {"at": instant, "by": by, "items": []})["items"].append(item)

    for before, now in zip(ticket.status, ticket.status[1:], strict=False):
        by = AUTOMATION if now.value == "closed" else _agent(ticket)
        was, is_ = STATUSES[before.value], STATUSES[now.value]
        add(now.at, by, _item("status", was[:2], is_[:2]))
        if was[2] != "done" and is_[2] == "done":
            add(now.at, by, _item("resolution", (None, None), DONE if now.value == "solved" else DUPLICATE))
        if was[2] == "done" and is_[2] != "done":
            add(now.at, by, _item("resolution", DONE, (None, None)))
    for before, now in zip(ticket.priority, ticket.priority[1:], strict=False):
        add(now.at, _agent(ticket), _item("priority", PRIORITIES[before.value], PRIORITIES[now.value]))
    for move in (one for one in sight.moves if one.ticket_id == ticket.id):
        add(move.at, _agent(ticket), _item("project", PROJECTS[move.came_from], PROJECTS[move.went_to]))
        keys = [f"{key}-{ticket.id % 100_000}" for key in (move.came_from, move.went_to)]
        add(move.at, _agent(ticket), _item("Key", (None, keys[0]), (None, keys[1])))
    alive = (one for instant, one in sorted(at.items()) if ticket.deleted_at is None or instant < ticket.deleted_at)
    return list(alive)


def _resolution_record(ticket: Ticket, sight: Sight) -> Json | None:
    """How an issue ended: one that is closed without having been solved is another one's duplicate."""
    held = [change.value for change in ticket.status if change.at <= sight.present]
    if STATUSES[held[-1]][2] != "done":
        return None
    id_, name = DUPLICATE if held[-1] == "closed" and held[-2:-1] != ["solved"] else DONE
    return {"id": id_, "name": name}


def _item(name: str, before: tuple[str | None, str | None], after: tuple[str | None, str | None]) -> Json:
    return {
        "field": name,
        "fieldtype": "jira",
        "fieldId": name,
        "from": before[0],
        "fromString": before[1],
        "to": after[0],
        "toString": after[1],
    }


def _customers_times(ticket: Ticket, sight: Sight) -> list[datetime]:
    if ticket.first_reply_at is None:
        return []
    step = (ticket.first_reply_at - ticket.created_at) / (sight.customers_comments + 1)
    return [ticket.created_at + step * number for number in range(1, sight.customers_comments + 1)]


def _comment_times(ticket: Ticket) -> list[datetime]:
    return [] if ticket.first_reply_at is None else [ticket.first_reply_at]


def _agent(ticket: Ticket) -> str:
    return AGENTS[ticket.id % len(AGENTS)]


def _user(account_id: str, kind: str) -> Json:
    return {
        "self": f"https://agencia.atlassian.net/rest/api/3/user?accountId={account_id}",
        "accountId": account_id,
        "emailAddress": "marta@correo.example",
        "displayName": "Marta Ruiz",
        "active": True,
        "timeZone": str(UTC),
        "accountType": kind,
    }
