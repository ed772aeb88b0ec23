"""Tickets and what was done to them: one record a ticket, with its whole history.

Belongs here: what is stored of a ticket, and the facts that it states. Does not: HTTP (`helpdesk`), where its history
comes from (`histories`), surveys, and what was said in a live chat or in messaging, which is in no audit.

The history says of a ticket, step by step:

* `ticket.created`: at the ticket's `created_at`;
* `ticket.status_entered`: each status in turn, the first one too; what one update sets and sets again counts once;
* `ticket.first_replied`: the first public comment, later than the ticket's creation, whose author is an agent: a
  user who is agent or administrator when the ticket is read, or was ever the ticket's assignee. Private notes,
  automatic notifications, voice recordings and the comment that opened the ticket are no replies;
* `ticket.solved`: each entry into solved, and into closed where it was not solved before (the vendor's own notion of
  solved). A ticket that was merged into another one is closed without having been solved: the other one is solved;
* `ticket.reopened`: from solved to anything but closed; `ticket.closed`: the entry into closed.

Each says the priority that the ticket had then; the first reply and each solving, where that is to be judged, whether
it came within the time that was promised then (`promises`). A ticket that was deleted states nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from pipelines.people import EACH, People, Place
from pipelines.source import Account, Covered, Mark, Read, Record, Stream
from pipelines.ticketing import FEEDS, USER, instant, revision
from pipelines.ticketing import time_of as _time
from pipelines.zendesk.helpdesk import EXPORT_DELAY, Helpdesk, Item
from pipelines.zendesk.histories import Histories, asked_for
from pipelines.zendesk.promises import PROMISES, REPLY, SOLUTION, is_within, promises

_STEP = {
    "audit": pl.String(),
    "at": pl.String(),
    "by": pl.String(),
    "status": pl.String(),
    "priority": pl.String(),
    "previous_priority": pl.String(),
    "is_agents_reply": pl.Boolean(),
}
PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "created_at": pl.String(),
        "channel": pl.String(),
        "requester_id": pl.String(),
        "organization_id": pl.String(),
        "priority": pl.String(),
        "is_merged": pl.Boolean(),
        "steps": pl.List(pl.Struct(_STEP)),
        "promises": PROMISES,
    }
)

_MERGED_TAG = "closed_by_merge"
_SYSTEM_AUTHOR = "-1"
_WITH_SLA = "sla:"


def tickets(
    account: Account, subdomain: str, customer: str, channels: Mapping[str, str], *, has_sla: bool = False
) -> Stream:
    """The stream. customer: `requester` or `organization`; channels: vendor's channel -> ours; has_sla: as judged."""
    return Stream(
        name="tickets",
        feeds=FEEDS,
        fetch=lambda read: _fetch(account, subdomain, read, has_sla=has_sla),
        payload=PAYLOAD,
        facts=lambda records: facts(records, subdomain, customer, channels),
        people=People(
            whose=(Place(USER, ("requester_id",)),),
            beside=(Place(USER, ("steps", EACH, "by")),),
            account=USER if customer == "requester" else None,
            actor=USER,
        ),
    )


def _fetch(
    account: Account, subdomain: str, read: Read, *, has_sla: bool
) -> Generator[list[Record] | Mark, None, Covered]:
    helpdesk = Helpdesk(account, subdomain, read.clock)
    agents = helpdesk.agents()
    since, cursor, start = _place(read, has_sla=has_sla)
    histories = Histories(helpdesk, start) if since is None else None

    def record(ticket: Item) -> Record:
        key, written = str(ticket["id"]), _revision(ticket, read)
        if ticket.get("status") == "deleted":
            return Record(key, written, {"id": key}, is_deleted=True)
        history = asked_for(helpdesk, key) if histories is None else histories.of(ticket, _written_at(ticket))
        if history is None:
            return Record(key, written, {"id": key}, is_deleted=True)
        payload = _payload(ticket, history, agents)
        if has_sla:
            payload["promises"] = promises(helpdesk.source, ticket)
        return Record(key, written, payload)

    for page, after in helpdesk.changed_tickets(since, cursor, is_measured=has_sla):
        cursor = after
        records = [record(ticket) for ticket in page]
        yield records
        written = [one.revision for one in records if one.revision is not None]
        start = int(min(max(written), read.until - EXPORT_DELAY).timestamp()) if written else start
        yield Mark(orjson.dumps([cursor, start]).decode())
    return Covered(since, read.until - EXPORT_DELAY, f"{_WITH_SLA}{cursor}" if has_sla and cursor else cursor)


def _place(read: Read, *, has_sla: bool) -> tuple[datetime | None, str | None, int]:
    """Since when tickets are read, where their export is to go on, and when (epoch seconds) it has got to.

    Where promises were not read with the tickets before and are to be now, all tickets are read again.
    """
    before = read.cursor or ""
    since, cursor = read.since, before.removeprefix(_WITH_SLA) or None
    if has_sla and not before.startswith(_WITH_SLA):
        since, cursor = None, None
    if read.mark is None:
        return since, cursor, 0
    cursor, start = orjson.loads(read.mark)
    return since, cursor, int(start)


def _payload(ticket: Item, history: list[Item], agents: frozenset[str]) -> dict[str, Any]:
    assignees = {
        str(value)
        for audit in history
        for event in audit["events"]
        if event.get("field_name") == "assignee_id"
        for value in (event.get("value"), event.get("previous_value"))
        if value
    }
    return {
        "id": ticket["id"],
        "created_at": ticket.get("created_at"),
        "channel": (ticket.get("via") or {}).get("channel"),
        "requester_id": ticket.get("requester_id"),
        "organization_id": ticket.get("organization_id"),
        "priority": ticket.get("priority"),
        "is_merged": _MERGED_TAG in (ticket.get("tags") or ()),
        "steps": [step for audit in history if (step := _step(audit, agents | assignees))],
    }


def _step(audit: Item, agents: frozenset[str]) -> dict[str, Any] | None:
    """One update of a ticket; None where it touches nothing that is followed."""
    changes = {event["field_name"]: event for event in audit["events"] if event.get("type") in ("Create", "Change")}
    replies = [
        event
        for event in audit["events"]
        if event.get("type") == "Comment"
        and event.get("public")
        and str(event.get("author_id") or audit["author_id"]) in agents
    ]
    if not replies and not changes.keys() & {"status", "priority"}:
        return None
    first_priority: Item = next((e for e in audit["events"] if e.get("field_name") == "priority"), {})
    return {
        "audit": str(audit["id"]),
        "at": audit["created_at"],
        "by": None if str(audit["author_id"]) == _SYSTEM_AUTHOR else audit["author_id"],
        "status": changes.get("status", {}).get("value"),
        "priority": changes.get("priority", {}).get("value"),
        "previous_priority": first_priority.get("previous_value"),
        "is_agents_reply": bool(replies),
    }


def _revision(ticket: Item, read: Read) -> datetime | None:
    """When the vendor last wrote the ticket down. One from the future would outlive every later correction.

    It may be later than what is read up to: a reading takes its time, and one that goes on began on an earlier day.
    """
    return revision(_written_at(ticket), max(read.until, read.clock.now()))


def _written_at(ticket: Item) -> datetime | None:
    return instant(ticket.get("generated_timestamp")) or instant(ticket.get("updated_at"))


def facts(records: pl.LazyFrame, subdomain: str, customer: str, channels: Mapping[str, str]) -> pl.LazyFrame:
    """What tickets state."""
    said = records.with_columns(
        created=_time("created_at"),
        account_id=pl.col(f"{customer}_id"),
        channel=pl.col("channel").replace(dict(channels)),
        source_url=pl.format("https://{}.zendesk.com/agent/tickets/{}", pl.lit(subdomain), "id"),
    )
    steps = _steps(said)
    statuses, replies = _statuses(steps), is_within(_first_replies(steps), said, REPLY)
    is_solving = pl.col("event_type") == "ticket.solved"
    solved = is_within(statuses.filter(is_solving), said, SOLUTION)
    stated = pl.concat([_created(said, steps), statuses.filter(~is_solving), solved, replies], how="diagonal")
    return pl.concat([stated.with_columns(subject_id="id").drop("id"), _problems(said, steps)], how="diagonal")


def _steps(said: pl.LazyFrame) -> pl.LazyFrame:
    """One row a step, in order, with the priority in force after it."""
    current = pl.col("priority").alias("ticket_priority")
    base = said.select(
        "record_key", "id", "created", "account_id", "channel", "source_url", "is_merged", current, "steps"
    )
    rows = base.explode("steps").unnest("steps").filter(pl.col("audit").is_not_null())
    ordered = rows.with_columns(occurred_at=_time("at"), order=pl.col("audit").cast(pl.Int64, strict=False)).sort(
        "record_key", "occurred_at", "order", "audit"
    )
    changed = pl.col("priority").is_not_null()
    before_any = pl.col("previous_priority").filter(changed).first().over("record_key")
    unchanged = pl.col("ticket_priority").filter(~changed.any()).first().over("record_key")
    in_force = pl.coalesce(pl.col("priority").forward_fill().over("record_key"), before_any, unchanged)
    return ordered.with_columns(priority=in_force)


def _created(said: pl.LazyFrame, steps: pl.LazyFrame) -> pl.LazyFrame:
    first = steps.unique("record_key", keep="first", maintain_order=True).select(
        "record_key", first="priority", has=True
    )
    return said.join(first, on="record_key", how="left").select(
        "record_key",
        "id",
        "account_id",
        "channel",
        "source_url",
        fact_key=pl.format("ticket/{}/created", "id"),
        event_type=pl.lit("ticket.created"),
        occurred_at="created",
        priority=pl.when(pl.col("has").is_null()).then("priority").otherwise("first"),
    )


def _statuses(steps: pl.LazyFrame) -> pl.LazyFrame:
    before = pl.col("status").shift(1).over("record_key")
    entered = (
        steps.filter(pl.col("status").is_not_null() & (pl.col("status") != "deleted"))
        .with_columns(before=before)
        .filter(pl.col("status").ne_missing(pl.col("before")))
    )
    was_solved = pl.col("before").eq_missing("solved")
    is_solved, is_closed = pl.col("status") == "solved", pl.col("status") == "closed"
    kinds = {
        "status_entered": pl.col("status").is_not_null(),
        "solved": is_solved | (is_closed & ~was_solved & ~pl.col("is_merged")),
        "reopened": was_solved & ~is_closed,
        "closed": is_closed,
    }
    return pl.concat([_of_steps(entered.filter(holds), kind, "audit") for kind, holds in kinds.items()], how="diagonal")


def _first_replies(steps: pl.LazyFrame) -> pl.LazyFrame:
    replies = steps.filter(pl.col("is_agents_reply") & (pl.col("occurred_at") > pl.col("created")))
    return _of_steps(replies.unique("record_key", keep="first", maintain_order=True), "first_replied", None)


def _of_steps(steps: pl.LazyFrame, kind: str, told_apart_by: str | None) -> pl.LazyFrame:
    key = pl.format("ticket/{}/{}", "id", pl.lit(kind))
    status = {"status": pl.col("status")} if kind == "status_entered" else {}
    channel = {"channel": pl.col("channel")} if kind == "first_replied" else {}
    return steps.select(
        "record_key",
        "id",
        "account_id",
        "occurred_at",
        "priority",
        "source_url",
        actor="by",
        fact_key=pl.format("{}/{}", key, told_apart_by) if told_apart_by else key,
        event_type=pl.lit(f"ticket.{kind}"),
        **status,
        **channel,
    )


def _problems(said: pl.LazyFrame, steps: pl.LazyFrame) -> pl.LazyFrame:
    unborn = said.filter(pl.col("created").is_null()).select(
        "record_key", problem=pl.format("created_at: not a time ({})", pl.col("created_at").fill_null("nothing"))
    )
    timeless = steps.filter(pl.col("occurred_at").is_null()).select(
        "record_key",
        problem=pl.format("created_at of audit {}: not a time ({})", "audit", pl.col("at").fill_null("nothing")),
    )
    return pl.concat([unborn, timeless])
