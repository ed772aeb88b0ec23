"""What was done to tickets: the vendor's audits, from the event export or ticket by ticket, as one shape.

Belongs here: gathering a ticket's history, and which part of it is kept. Does not: HTTP (`helpdesk`), what it means
(`tickets`).

A first reading takes histories from the event export, a thousand updates a request, while the tickets pass by: both
exports go by time, so at a ticket's turn all that was done to it has been read, and what waits for its turn is what
was done to tickets that come later. Of that at most `MOST_HELD` updates are held, the oldest tickets' being let go
first. A history that does not begin with its ticket's creation is asked for by itself: one that was let go, or that
began before an interrupted reading went on.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Any

import orjson

from pipelines.ticketing import instant
from pipelines.zendesk.helpdesk import Helpdesk, Item

MOST_HELD = 100_000
"""Updates of tickets that are held at most: some fifty megabytes."""

FOLLOWED = ("status", "priority", "assignee_id")
"""The fields of a ticket whose changes are kept."""


class Histories:
    """The event export from an instant on, read no further than the tickets that were asked for.

    held: how many updates wait for their tickets' turn.
    """

    def __init__(self, helpdesk: Helpdesk, start: int) -> None:
        self.helpdesk, self._pages = helpdesk, helpdesk.ticket_events(start)
        self._of_ticket: OrderedDict[str, list[bytes]] = OrderedDict()
        self.held = 0
        self._reached: datetime | None = None
        self._is_over = False

    def of(self, ticket: Item, revision: datetime | None) -> list[Item] | None:
        """Everything that was done to a ticket until it was written down, as kept; None where it is gone."""
        key = str(ticket["id"])
        if revision is not None:
            self._read_until(revision)
        held = self._of_ticket.pop(key, [])
        self.held -= len(held)
        if revision is not None and self._reached is not None and revision <= self._reached:
            updates = [orjson.loads(update) for update in held]
            created = instant(ticket.get("created_at"))
            if created is not None and any(instant(update["created_at"]) == created for update in updates):
                return list({update["id"]: update for update in updates}.values())
        return asked_for(self.helpdesk, key)

    def _read_until(self, revision: datetime) -> None:
        """Read on until the export is past an instant: the updates of that very second may be on two pages."""
        while not self._is_over and (self._reached is None or self._reached <= revision):
            found = next(self._pages, None)
            if found is None:
                self._is_over = True
                return
            page, end_time = found
            self._reached = instant(end_time)
            for event in page:
                self._hold(event)

    def _hold(self, event: Item) -> None:
        children = [_audit_event(child) for child in event.get("child_events") or ()]
        update = kept({**event, "author_id": event.get("updater_id"), "events": children})
        packed = bytes(
            memoryview(orjson.dumps(update))
        )  # a copy of its own size: the first one may lie in a larger place
        self._of_ticket.setdefault(str(event.get("ticket_id")), []).append(packed)
        self.held += 1
        while self.held > MOST_HELD:
            _, let_go = self._of_ticket.popitem(last=False)
            self.held -= len(let_go)


def asked_for(helpdesk: Helpdesk, ticket: str) -> list[Item] | None:
    """A ticket's history by itself, as kept; None where the ticket is gone."""
    audits = helpdesk.audits(ticket)
    return None if audits is None else [kept(audit) for audit in audits]


def kept(audit: Item) -> Item:
    """What is kept of an audit: no text that anybody wrote."""
    names = ("type", "field_name", "value", "previous_value", "public", "author_id")
    relevant = [
        {name: event[name] for name in names if event.get(name) is not None}
        for event in audit.get("events") or ()
        if event.get("type") == "Comment" or event.get("field_name") in FOLLOWED
    ]
    return {
        "id": audit["id"],
        "created_at": audit.get("created_at"),
        "author_id": audit.get("author_id"),
        "events": relevant,
    }


def _audit_event(child: Item) -> dict[str, Any]:
    """A child of the event export as the same event of an audit: there the field's name is the key of its value."""
    event = {**child, "type": child.get("event_type")}
    if "field_name" in child or child.get("event_type") not in ("Create", "Change"):
        return {"public": child.get("comment_public"), **event}
    field = next((name for name in FOLLOWED if name in child), None)
    return {**event, "field_name": field, "value": child.get(field)} if field else event
