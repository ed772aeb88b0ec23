"""What is kept of an issue that is a ticket, with its history: one record.

Belongs here: which part of an issue is kept, and asking for what it does not come with. Does not: requests (`api`),
which issues are read (`reading`), what they state (`tickets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from pipelines.jira.api import Api, Item, at_utc, instant
from pipelines.jira.options import JiraOptions
from pipelines.jira.scope import Scope, of
from pipelines.jira.words import Words, changed_fields
from pipelines.source import Read, Record

HISTORY_FIELDS = ("status", "priority", "resolution", "issuetype", "project")
CHANNEL = "request.channel.type"
"""The property in which Service Management keeps the way in which a request came."""

_STEP = {
    "id": pl.String(),
    "at": pl.String(),
    "by": pl.String(),
    "status": pl.String(),
    "was_status": pl.String(),
    "priority": pl.String(),
    "was_priority": pl.String(),
    "issuetype": pl.String(),
    "was_issuetype": pl.String(),
    "project": pl.String(),
    "was_project": pl.String(),
    "resolution": pl.String(),
}
_STATUS = pl.Struct({"id": pl.String(), "name": pl.String(), "category": pl.String()})
_LEVEL = pl.Struct({"of": pl.String(), "stopped_at": pl.String(), "is_breached": pl.Boolean()})
PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "created_at": pl.String(),
        "entered_at": pl.String(),
        "is_moved_here": pl.Boolean(),
        "channel": pl.String(),
        "reporter": pl.String(),
        "customer": pl.String(),
        "status": pl.String(),
        "priority": pl.String(),
        "issuetype": pl.String(),
        "project": pl.String(),
        "replied_at": pl.String(),
        "replied_by": pl.String(),
        "statuses": pl.List(_STATUS),
        "steps": pl.List(pl.Struct(_STEP)),
        "levels": pl.List(_LEVEL),
    }
)
EMPTIED = ""
"""What a priority or a resolution was changed to, or from, where that is nothing."""


@dataclass(frozen=True)
class Keeper:
    """Makes records of issues."""

    api: Api
    options: JiraOptions
    scope: Scope
    words: Words
    read: Read

    def records(self, issues: list[Item]) -> list[Record]:
        """What is kept of some issues."""
        histories = self.api.histories([str(one["id"]) for one in issues], HISTORY_FIELDS)
        return [self._record(one, self._in_order(histories.get(str(one["id"]), []))) for one in issues]

    def _in_order(self, histories: list[Item]) -> list[Item]:
        return sorted(histories, key=lambda one: (instant(one.get("created")) or self.read.until, int(one["id"])))

    def _record(self, issue: Item, histories: list[Item]) -> Record:
        id_, fields, options = str(issue["id"]), issue["fields"], self.options
        status = fields.get("status") or {}
        arrival = _arrival(self.scope, fields, histories)
        payload: dict[str, Any] = {
            "id": id_,
            "created_at": at_utc(fields.get("created")),
            **arrival,
            "channel": of((issue.get("properties") or {}).get(CHANNEL), "value"),
            "reporter": of(fields.get("reporter"), "accountId"),
            "customer": None if options.customer == "reporter" else _customer(fields.get(options.customer)),
            "status": of(status, "id"),
            "priority": of(fields.get("priority"), "name"),
            "issuetype": of(fields.get("issuetype"), "name"),
            "project": of(fields.get("project"), "name"),
            "steps": [step for one in histories if (step := _step(one)) is not None],
            "statuses": self._statuses(status, histories),
            **_first_reply(self.api, id_, fields, instant(arrival["entered_at"])),
        }
        is_done = any(one["category"] == "done" for one in payload["statuses"])
        if (options.sla and is_done) or (options.reply_sla and payload.get("replied_at")):
            payload["levels"] = _levels(self.api, id_, {options.sla: "solved", options.reply_sla: "first_replied"})
        return Record(id_, None, payload)

    def _statuses(self, status: Item, histories: list[Item]) -> list[dict[str, Any]]:
        """The statuses that an issue has had, with names and categories, which only the present knows."""
        for history in histories:
            for name, changed in changed_fields(history).items():
                self.words.meet(name, changed)
        ids = {str(one.get(end)) for history in histories for one in _of_status(history) for end in ("from", "to")}
        found = {id_: self.words.statuses.get(id_, (None, None)) for id_ in ids}
        if status:
            found[str(status.get("id"))] = (status.get("name"), of(status.get("statusCategory"), "key"))
        return [{"id": id_, "name": name, "category": kind} for id_, (name, kind) in sorted(found.items())]


def _of_status(history: Item) -> list[Item]:
    return [one for name, one in changed_fields(history).items() if name == "status"]


def _customer(value: Any) -> str | None:
    """Whose a ticket is, where that is no person: an organisation, an option, a text; of several the first one."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        first = first.get("id") or first.get("value")
    return str(first) if isinstance(first, str | int) and str(first) else None


def _step(history: Item) -> dict[str, Any] | None:
    """One change of an issue; None where it touches nothing that is followed. Statuses are known by their ids."""
    items = changed_fields(history)
    if not items.keys() & set(HISTORY_FIELDS):
        return None
    step: dict[str, Any] = {
        "id": str(history["id"]),
        "at": at_utc(history.get("created")),
        "by": of(history.get("author"), "accountId"),
    }
    if status := items.get("status"):
        step |= {"status": status.get("to"), "was_status": status.get("from")}
    for name in ("priority", "issuetype", "project"):
        if item := items.get(name):
            step |= {name: item.get("toString") or EMPTIED, f"was_{name}": item.get("fromString") or EMPTIED}
    if resolution := items.get("resolution"):
        step["resolution"] = resolution.get("toString") or EMPTIED
    return step


def _arrival(scope: Scope, fields: Item, histories: list[Item]) -> dict[str, Any]:
    """When the issue first was where tickets are, and whether it came from elsewhere."""
    project, kind = of(fields.get("project"), "id"), fields.get("issuetype")
    moves = [(at_utc(one.get("created")), items) for one in histories if (items := changed_fields(one))]
    moves = [(at, items) for at, items in moves if items.keys() & {"project", "issuetype"}]
    for _, items in reversed(moves):
        project = of(items.get("project", {"from": project}), "from")
        kind = _type(items["issuetype"], "from", "fromString") if "issuetype" in items else kind

    def is_here() -> bool:
        return str(project) in scope.projects and scope.is_of_type(kind)

    if not is_here():
        for at, items in moves:
            project = of(items.get("project", {"to": project}), "to")
            kind = _type(items["issuetype"], "to", "toString") if "issuetype" in items else kind
            if is_here():
                return {"entered_at": at, "is_moved_here": True}
    return {"entered_at": at_utc(fields.get("created")), "is_moved_here": False}


def _type(changed: Item, id_: str, name: str) -> Item:
    return {"id": changed.get(id_), "name": changed.get(name)}


def _first_reply(api: Api, id_: str, fields: Item, entered: datetime | None) -> dict[str, Any]:
    """When and by whom the customer was first answered. The search gives only some comments of an issue with many."""
    listed = fields.get("comment") or {}
    comments, total = listed.get("comments") or [], listed.get("total") or 0
    if total > len(comments):
        comments = api.comments(id_)
    reporter = of(fields.get("reporter"), "accountId")
    replies = sorted(
        (at, str(one["id"]), of(one.get("author"), "accountId"))
        for one in comments
        if one.get("jsdPublic") is not False
        and of(one.get("author"), "accountType") == "atlassian"
        and of(one.get("author"), "accountId") != reporter
        and (at := instant(one.get("created"))) is not None
        and (entered is None or at > entered)
    )
    return {"replied_at": replies[0][0].isoformat(), "replied_by": replies[0][2]} if replies else {}


def _levels(api: Api, id_: str, names: Mapping[str | None, str]) -> list[dict[str, Any]]:
    """When each cycle of the service levels that are named ended, and whether it was breached."""
    cycles = [
        (names[one.get("name")], cycle)
        for one in api.service_levels(id_)
        if one.get("name") in names
        for cycle in one.get("completedCycles") or ()
    ]
    return [
        {
            "of": kind,
            "stopped_at": at_utc(of(cycle.get("stopTime"), "epochMillis") or of(cycle.get("stopTime"), "iso8601")),
            "is_breached": cycle.get("breached"),
        }
        for kind, cycle in cycles
    ]
