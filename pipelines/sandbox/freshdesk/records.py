"""The company's tickets as Freshdesk's records: tickets as they are now, their conversations, answers to surveys.

Belongs here: what each record looks like at an instant. Does not: paths, paging, limits (`sandbox.freshdesk`).

Like the vendor: a ticket has no history but a few times, and those of its solving are emptied when it is opened again.
There is no status `new`: what nobody has looked at is open. Of every fifth ticket the first response is not told, as of
those that were answered elsewhere: only its conversations have it. Texts and names of people are in the records.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from pipelines.sandbox.company import Change, Company, Ticket, mail_address, value_at

AGENTS = (1_036_001, 1_036_002, 1_036_003)
TRASH_IS_EMPTIED_AFTER = timedelta(days=30)
ARCHIVED_AFTER = timedelta(days=120)

OPEN, PENDING, SOLVED, CLOSED = 2, 3, 4, 5
_STATUSES = {"new": OPEN, "open": OPEN, "pending": PENDING, "solved": SOLVED, "closed": CLOSED}
_PRIORITIES = {"low": 1, "normal": 2, "high": 3, "urgent": 4}
_SOURCES = {"email": 1, "web": 2, "phone": 3}
_ANSWERS = {"good": 103, "bad": -103}

Json = dict[str, Any]


def list_of(ticket: Ticket, present: datetime) -> str | None:
    """Which list has the ticket: live, deleted or spam; archived, which is none; None once it is gone for good."""
    if ticket.deleted_at is None or ticket.deleted_at > present:
        is_closed = value_at(ticket.status, present) == "closed"
        return "archived" if is_closed and present - updated_at(ticket, present) > ARCHIVED_AFTER else "live"
    if present - ticket.deleted_at > TRASH_IS_EMPTIED_AFTER:
        return None
    return "spam" if ticket.id % 2 else "deleted"


def updated_at(ticket: Ticket, present: datetime) -> datetime:
    """When the ticket last changed."""
    changes = [change.at for change in (*ticket.status, *ticket.priority)]
    replies = [one for one in (_noted_at(ticket), ticket.first_reply_at, ticket.deleted_at) if one is not None]
    return max(at for at in (ticket.created_at, *changes, *replies) if at <= present)


def ticket_record(ticket: Ticket, present: datetime) -> Json:
    """A ticket as it is now."""
    where, agent = list_of(ticket, present), _agent(ticket)
    return {
        "cc_emails": ["familia@correo.example"],
        "fwd_emails": [],
        "reply_cc_emails": [],
        "ticket_cc_emails": [],
        "fr_escalated": False,
        "spam": where == "spam",
        **({"deleted": True} if where == "deleted" else {}),
        "email_config_id": None,
        "group_id": 1_360,
        "priority": _PRIORITIES[value_at(ticket.priority, present) or "low"],
        "requester_id": ticket.requester_id,
        "responder_id": agent,
        "source": _SOURCES[ticket.channel],
        "company_id": ticket.requester_id % 7 + 1,
        "status": _statuses(ticket, present)[-1].value,
        "subject": f"Consulta de la clienta {ticket.requester_id}",
        "association_type": None,
        "to_emails": None,
        "product_id": None,
        "id": ticket.id,
        "type": "Question",
        "due_by": _seconds(ticket.created_at + timedelta(days=3)),
        "fr_due_by": _seconds(ticket.created_at + timedelta(days=1)),
        "is_escalated": False,
        "custom_fields": {"cf_telefono": "600 123 456"},
        "created_at": _seconds(ticket.created_at),
        "updated_at": _seconds(updated_at(ticket, present)),
        "tags": ["vivienda"],
    }


def stats_record(ticket: Ticket, present: datetime) -> Json:
    """The times that the vendor keeps of a ticket."""
    statuses = _statuses(ticket, present)
    done = [change.value in (SOLVED, CLOSED) for change in statuses]
    back = [now.at for was, is_done, now in zip(done, done[1:], statuses[1:], strict=False) if was and not is_done]
    since = [change for change in statuses if not back or change.at > back[-1]]
    solved = [change.at for change in since if change.value in (SOLVED, CLOSED)]
    closed = [change.at for change in since if change.value == CLOSED]
    last = statuses[-1]
    replied = ticket.first_reply_at if ticket.first_reply_at and ticket.first_reply_at <= present else None
    times = {
        "agent_responded_at": replied,
        "requester_responded_at": None,
        "first_responded_at": None if is_untold(ticket) else replied,
        "status_updated_at": last.at,
        "reopened_at": back[-1] if back else None,
        "resolved_at": solved[0] if solved else None,
        "closed_at": closed[0] if closed else None,
        "pending_since": last.at if last.value == PENDING else None,
    }
    return {name: at and _seconds(at) for name, at in times.items()}


def is_untold(ticket: Ticket) -> bool:
    """Whether the ticket's first response is in its conversations alone."""
    return ticket.id % 5 == 0


def conversation_records(ticket: Ticket, present: datetime) -> list[Json]:
    """What was written in a ticket: now and then a private note, the customer's thanks, and the reply."""
    agent = _agent(ticket)
    written = [
        (_noted_at(ticket), {"source": 2, "private": True, "incoming": False, "user_id": agent}),
        (ticket.first_reply_at, {"source": 0, "private": False, "incoming": False, "user_id": agent}),
        (
            ticket.created_at + timedelta(seconds=1),
            {"source": 0, "private": False, "incoming": True, "user_id": ticket.requester_id},
        ),
    ]
    return [
        {
            "body": "<div>Hola, soy Marta</div>",
            "body_text": "Hola, soy Marta, mi teléfono es 600 123 456",
            "id": ticket.id * 10 + number,
            "from_email": "marta@correo.example",
            "support_email": None,
            "ticket_id": ticket.id,
            "to_emails": [],
            "created_at": _seconds(at),
            "updated_at": _seconds(at),
            "attachments": [],
            **what,
        }
        for number, (at, what) in enumerate(written)
        if at is not None and at <= present
    ]


def rating_record(ticket: Ticket, present: datetime) -> Json | None:
    """The answer to the survey about a ticket; None where there is none. What was asked is nowhere."""
    given = [change for change in ticket.rating if change.at <= present]
    if not given:
        return None
    return {
        "id": ticket.id + 7,
        "survey_id": 7,
        "user_id": ticket.requester_id,
        "agent_id": _agent(ticket),
        "feedback": "Gracias, Marta",
        "group_id": 1_360,
        "ticket_id": ticket.id,
        "created_at": _seconds(given[0].at),
        "updated_at": _seconds(given[-1].at),
        "ratings": {"default_question": _ANSWERS[given[-1].value]},
    }


def contact_records(company: Company, tickets: Iterable[Ticket], present: datetime) -> dict[str, list[Json]]:
    """Those who ask, by their state: whom the CRM has archived is deleted. It knows them by the CRM's id too."""
    known = {contact.id: contact for contact in company.contacts}
    first: dict[int, datetime] = {}
    for ticket in tickets:
        first[ticket.requester_id] = min(ticket.created_at, first.get(ticket.requester_id, ticket.created_at))
    found: dict[str, list[Json]] = {}
    for person, created_at in sorted(first.items()):
        contact = known.get(person)
        is_gone = contact is not None and contact.archived_at is not None and contact.archived_at <= present
        found.setdefault("deleted" if is_gone else "verified", []).append(
            {
                "active": True,
                "address": None,
                "company_id": person % 7 + 1,
                "email": mail_address(person, contact.says if contact else {}).title(),
                "id": person,
                "mobile": "600 123 456",
                "name": "Marta Ruiz",
                "unique_external_id": str(person),
                "created_at": _seconds(created_at),
                "updated_at": _seconds(created_at),
                **({"deleted": True} if is_gone else {}),
            }
        )
    return found


def company_records(company: Company, tickets: Iterable[Ticket]) -> list[Json]:
    """The companies of those who ask."""
    founded = _seconds(datetime.combine(company.founded, time.min, UTC))
    return [
        {
            "id": number,
            "name": f"Empresa {number}",
            "domains": [f"empresa{number}.example"],
            "created_at": founded,
            "updated_at": founded,
        }
        for number in sorted({ticket.requester_id % 7 + 1 for ticket in tickets})
    ]


def _statuses(ticket: Ticket, present: datetime) -> list[Change[int]]:
    """The statuses so far, in the vendor's numbers, without those that change nothing there."""
    found: list[Change[int]] = []
    for change in ticket.status:
        number = _STATUSES[change.value]
        if change.at <= present and (not found or found[-1].value != number):
            found.append(Change(change.at, number))
    return found


def _agent(ticket: Ticket) -> int:
    return AGENTS[ticket.id % len(AGENTS)]


def _noted_at(ticket: Ticket) -> datetime | None:
    """Of every fourth ticket, half-way to the reply: when somebody wrote a private note."""
    if ticket.first_reply_at is None or ticket.id % 4:
        return None
    return (ticket.created_at + (ticket.first_reply_at - ticket.created_at) / 2).replace(microsecond=0)


def _seconds(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
