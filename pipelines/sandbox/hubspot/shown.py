"""A record of a CRM as it is seen at an instant: its properties, its past, what HubSpot calls things.

Belongs here: what records of every type have. Does not: what those of one type say (`records`, `activities`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipelines.sandbox.company import Change, Changes, Company

SALES_PIPELINE, LISTINGS_PIPELINE, CAPTURED = "default", "80417731", "151617181"
STAGES = {
    "appointment": "appointmentscheduled",
    "offer": "presentationscheduled",
    "reservation": "contractsent",
    "won": "closedwon",
    "lost": "closedlost",
}
MANDATES = {"exclusive": "exclusiva", "open": "abierta"}
CATEGORIES = {"flat": "piso", "house": "casa", "premises": "local"}
DISPOSITIONS = {
    "connected": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "no_answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
}
CALL_STATUS = {"connected": "COMPLETED", "no_answer": "NO_ANSWER", "busy": "BUSY"}
MEETING_OUTCOME = {"completed": "COMPLETED", "no_show": "NO_SHOW", "canceled": "CANCELED"}
COMPANY, LINES = "associatedcompanyid", "lines"
"""What a contact says of its company, and a deal of the names of its line items, separated by `;`."""
VISIT, MEETING = "Visita", "Reunión"

KEPT = {"contacts": 45}
MOST_KEPT = 20
"""So many of the newest changes of a property HubSpot tells: of contacts, and of others."""

MODIFIED = {"contacts": "lastmodifieddate"}
"""Name of the last change; `hs_lastmodifieddate` for the other types."""


@dataclass(frozen=True, slots=True)
class Merge:
    """From an instant on, one contact, or company, is part of another."""

    winner_id: int
    victim_id: int
    at: datetime


@dataclass(slots=True)
class Shown:
    """A record as it is seen. history: property -> its changes, oldest first; the others never changed."""

    id: int
    created_at: datetime
    modified_at: datetime
    archived_at: datetime | None
    properties: dict[str, str]
    history: Mapping[str, Changes[str]] = field(default_factory=dict)
    contacts: tuple[int, ...] = ()
    companies: tuple[int, ...] = ()
    line_items: tuple[int, ...] = ()

    def is_archived(self, present: datetime) -> bool:
        """Whether it was archived by then."""
        return self.archived_at is not None and self.archived_at <= present

    def changes(self, name: str, kept: int = 0) -> Changes[str]:
        """The changes of a property, oldest first; of the newest, so many as are kept, where not all are."""
        if name in self.history:
            return self.history[name][-kept:]
        return (Change(self.created_at, self.properties[name]),) if name in self.properties else ()


def text_of(instant: datetime) -> str:
    """An instant as HubSpot writes it."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def owner_id(agent: str) -> str:
    """The id of the user who is that agent."""
    return str(int(hashlib.sha256(agent.encode()).hexdigest()[:8], 16) % 900_000_000 + 100_000_000)


def agents_of(company: Company) -> list[str]:
    """Everybody who owns a record."""
    selling = {one.agent for one in company.listings} | {one.agent for one in company.sales}
    return sorted(selling | {one.agent for one in company.deals} | {one.agent for one in company.activities})


def shown(
    object_type: str,
    id_: int,
    created_at: datetime,
    modified_at: datetime,
    archived_at: datetime | None,
    properties: dict[str, str],
    history: Mapping[str, Changes[str]] | None = None,
    contacts: tuple[int, ...] = (),
) -> Shown:
    """A record, with what HubSpot itself says of each."""
    properties["createdate" if object_type in ("contacts", "companies", "deals") else "hs_createdate"] = text_of(
        created_at
    )
    properties[MODIFIED.get(object_type, "hs_lastmodifieddate")] = text_of(modified_at)
    properties["hs_object_id"] = str(id_)
    return Shown(id_, created_at, modified_at, archived_at, properties, history or {}, contacts)


def whose(contact_id: int, merged: Mapping[int, Merge]) -> tuple[int, ...]:
    """Whose something of a contact is: the winner's, where they were merged."""
    return (merged[contact_id].winner_id if contact_id in merged else contact_id,)


def last_seen(archived_at: datetime | None, present: datetime) -> datetime:
    """Nothing happens to a record while it is archived."""
    return present if archived_at is None else min(present, archived_at)


def mapped(changes: Changes[Any], words: Callable[[Any], str]) -> Changes[str]:
    """Changes in HubSpot's words."""
    return tuple(Change(change.at, words(change.value)) for change in changes)


def seen(changes: Changes[str], born: datetime, present: datetime) -> Changes[str]:
    """The changes that have happened; what was already so when the record was entered was entered with it."""
    before = [change for change in changes if change.at <= born]
    since = [change for change in changes if born < change.at <= present]
    return (*(Change(born, change.value) for change in before[-1:]), *since)
