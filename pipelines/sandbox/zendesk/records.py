"""The company's tickets as Zendesk's records: tickets, audits, events, ratings and survey responses.

Belongs here: what each record looks like at an instant. Does not: paths, paging, limits (`sandbox.zendesk`).

Texts, names and network addresses of people are in them, as they are in the vendor's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from pipelines.sandbox.company import Change, Company, Ticket, mail_address, value_at

AGENTS = (36_001, 36_002, 36_003)
ARCHIVED_AFTER = timedelta(days=120)
RESPONSE_OPEN_FOR = timedelta(days=28)

_SYSTEM = -1
_CHANNELS = {"phone": "voice"}
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Json = dict[str, Any]


@dataclass(frozen=True)
class Update:
    """What one person did to a ticket at one instant: an audit."""

    id: int
    ticket: Ticket
    at: datetime
    author: int
    events: list[Json]


def updates(ticket: Ticket) -> list[Update]:
    """The whole life of a ticket, one update an instant; each keeps its id whatever the present is."""
    at: dict[datetime, tuple[int, list[Json]]] = {}

    def add(instant: datetime, author: int, event: Json) -> None:
        at.setdefault(instant, (author, []))[1].append(event)

    agent = _agent(ticket)
    add(ticket.created_at, ticket.requester_id, _comment(ticket.requester_id, is_public=True))
    if ticket.first_reply_at is not None:
        if ticket.id % 4 == 0:
            half_way = ticket.created_at + (ticket.first_reply_at - ticket.created_at) / 2
            add(half_way.replace(microsecond=0), agent, _comment(agent, is_public=False))
        add(ticket.first_reply_at, agent, _comment(agent, is_public=True))
    for name, changes in (("status", ticket.status), ("priority", ticket.priority)):
        for before, change in zip((None, *changes), changes, strict=False):
            author = _SYSTEM if change.value == "closed" else agent
            add(change.at, author, _change(name, change.value, before.value if before else None))
    alive = sorted((instant, *what) for instant, what in at.items() if not is_deleted(ticket, instant))
    return [
        Update(ticket.id * 100 + number, ticket, instant, author, events)
        for number, (instant, author, events) in enumerate(alive)
    ]


def is_deleted(ticket: Ticket, present: datetime) -> bool:
    """Whether the ticket is gone by an instant."""
    return ticket.deleted_at is not None and ticket.deleted_at <= present


def written_down(ticket: Ticket, life: Iterable[Update], present: datetime) -> tuple[datetime, datetime]:
    """(`updated_at`, `generated_timestamp`): surveys and archiving move only the second one."""
    own = [ticket.created_at, *(update.at for update in life)]
    if ticket.deleted_at is not None:
        own.append(ticket.deleted_at)
    system = [change.at for change in ticket.rating]
    system += [change.at + ARCHIVED_AFTER for change in ticket.status if change.value == "closed"]
    if ticket.survey_sent_at is not None:
        system.append(ticket.survey_sent_at)
    updated = max(at for at in own if at <= present)
    return updated, max([updated, *(at for at in system if at <= present)])


def ticket_record(ticket: Ticket, life: Iterable[Update], present: datetime) -> Json:
    """A ticket as it is now; of a deleted one little is left."""
    updated, generated = written_down(ticket, life, present)
    is_gone, rating = is_deleted(ticket, present), value_at(ticket.rating, present)
    return {
        "url": f"https://agencia.zendesk.com/api/v2/tickets/{ticket.id}.json",
        "id": ticket.id,
        "external_id": None,
        "via": {
            "channel": _CHANNELS.get(ticket.channel, ticket.channel),
            "source": {"from": {}, "to": {}, "rel": None},
        },
        "created_at": seconds(ticket.created_at),
        "updated_at": seconds(updated),
        "generated_timestamp": int(generated.timestamp()),
        "type": "question",
        "subject": "SCRUBBED" if is_gone else f"Consulta de la clienta {ticket.requester_id}",
        "description": "SCRUBBED" if is_gone else "Llámenme al 600 123 456",
        "priority": value_at(ticket.priority, present),
        "status": "deleted" if is_gone else value_at(ticket.status, present),
        "recipient": "hola@agencia.example",
        "requester_id": ticket.requester_id,
        "submitter_id": ticket.requester_id,
        "assignee_id": _agent(ticket),
        "organization_id": _organization(ticket.requester_id),
        "group_id": 360,
        "brand_id": 361,
        "tags": ["vivienda", "closed_by_merge"] if _is_merged(ticket, present) else ["vivienda"],
        "satisfaction_rating": {"score": rating or "unoffered"},
    }


def audit_record(update: Update) -> Json:
    """An update as the audits of its ticket show it."""
    return {
        "id": update.id,
        "ticket_id": update.ticket.id,
        "created_at": seconds(update.at),
        "author_id": update.author,
        "metadata": {"system": {"ip_address": "203.0.113.7", "location": "Madrid"}, "custom": {}},
        "via": {"channel": update.ticket.channel},
        "events": [{"id": update.id * 10 + n, **event} for n, event in enumerate(update.events)],
    }


def ticket_event_record(update: Update, *, has_comments: bool) -> Json:
    """An update as the event export shows it: there a field's name is the key of its value."""
    return {
        "id": update.id,
        "ticket_id": update.ticket.id,
        "timestamp": int(update.at.timestamp()),
        "created_at": seconds(update.at),
        "updater_id": update.author,
        "via": "Web form",
        "system": {"ip_address": "203.0.113.7", "location": "Madrid"},
        "metadata": {},
        "event_type": "Audit",
        "child_events": [
            {"id": update.id * 10 + n, "via": "Web form", "via_reference_id": None, **_child(event, has_comments)}
            for n, event in enumerate(update.events)
        ],
    }


def rating_records(ticket: Ticket, present: datetime) -> list[tuple[datetime, Json]]:
    """The ratings of a ticket by the older kind of survey, with their times: that it was offered, and each answer."""
    assert ticket.survey_sent_at is not None
    rated = [(ticket.survey_sent_at, "offered"), *((change.at, change.value) for change in ticket.rating)]
    return [
        (
            at,
            {
                "url": f"https://agencia.zendesk.com/api/v2/satisfaction_ratings/{ticket.id * 10 + number}.json",
                "id": ticket.id * 10 + number,
                "assignee_id": _agent(ticket),
                "group_id": 360,
                "requester_id": ticket.requester_id,
                "ticket_id": ticket.id,
                "score": score,
                "created_at": seconds(at),
                "updated_at": seconds(at),
                "comment": "Gracias, Marta" if number else None,
                "reason": None,
                "reason_code": None,
            },
        )
        for number, (at, score) in enumerate(rated)
        if at <= present
    ]


def response_record(ticket: Ticket, present: datetime) -> Json:
    """The response that was asked for, by the newer kind of survey."""
    assert ticket.survey_sent_at is not None
    given = [change for change in ticket.rating if change.at <= present]
    return {
        "id": _ulid(ticket.survey_sent_at, ticket.id),
        "answers": _answers(given) if given else [],
        "expires_at": _milliseconds(ticket.survey_sent_at + RESPONSE_OPEN_FOR),
        "responder_id": ticket.requester_id,
        "subject_zrns": [f"zen:ticket:{ticket.id}"],
        "subjects": [{"id": str(ticket.id), "type": "ticket", "zrn": f"zen:ticket:{ticket.id}"}],
        "survey": {"id": "01J58KJ9RAE0D2EK7HRVM7Z8F2", "state": "enabled", "version": 1},
    }


def agents(company: Company) -> list[Json]:
    """Those who answer tickets."""
    founded = datetime.combine(company.founded, time.min, UTC)
    return [
        _user(agent, f"agente{agent}@agencia.example", founded, founded, role)
        for agent, role in zip(AGENTS, ("admin", "agent", "agent"), strict=True)
    ]


def users(company: Company, tickets: Iterable[Ticket], present: datetime) -> list[Json]:
    """Everybody whom the helpdesk knows: agents, and requesters, of whom it hears what the CRM hears.

    It knows a requester by the CRM's id too, and writes addresses in letters of its own.
    """
    contacts = {contact.id: contact for contact in company.contacts}
    first: dict[int, datetime] = {}
    for ticket in tickets:
        first[ticket.requester_id] = min(ticket.created_at, first.get(ticket.requester_id, ticket.created_at))
    found = agents(company)
    for person, created_at in first.items():
        contact = contacts.get(person)
        heard = [change.at for change in contact.lifecycle if change.at <= present] if contact else []
        address = mail_address(person, contact.says if contact else {}).title()
        user = _user(person, address, created_at, max([created_at, *heard]), "end-user")
        if contact is not None and contact.archived_at is not None and contact.archived_at <= present:
            user |= {"active": False, "updated_at": seconds(max(created_at, contact.archived_at))}
        found.append(user)
    return found


def organizations(company: Company, tickets: Iterable[Ticket]) -> list[Json]:
    """The requesters' organisations."""
    founded = seconds(datetime.combine(company.founded, time.min, UTC))
    return [
        {
            "id": number,
            "name": f"Empresa {number}",
            "domain_names": [f"empresa{number}.example"],
            "external_id": f"org-{number}",
            "created_at": founded,
            "updated_at": founded,
            "deleted_at": None,
        }
        for number in sorted({_organization(ticket.requester_id) for ticket in tickets})
    ]


def _user(person: int, address: str, created_at: datetime, updated_at: datetime, role: str) -> Json:
    return {
        "id": person,
        "name": "Marta Ruiz",
        "email": address,
        "phone": "+34 600 123 456",
        "external_id": str(person) if role == "end-user" else None,
        "role": role,
        "active": True,
        "created_at": seconds(created_at),
        "updated_at": seconds(updated_at),
    }


def _organization(requester: int) -> int:
    return requester % 7 + 1


def _agent(ticket: Ticket) -> int:
    return AGENTS[ticket.id % len(AGENTS)]


def _is_merged(ticket: Ticket, present: datetime) -> bool:
    """Only merging closes a ticket here that was not solved."""
    held = [change.value for change in ticket.status if change.at <= present]
    return held[-1:] == ["closed"] and held[-2:-1] != ["solved"]


def _comment(author: int, *, is_public: bool) -> Json:
    text = "Buenos días, soy Marta y mi teléfono es 600 123 456"
    return {"type": "Comment", "author_id": author, "body": text, "public": is_public, "attachments": []}


def _change(name: str, value: str, before: str | None) -> Json:
    if before is None:
        return {"type": "Create", "field_name": name, "value": value}
    return {"type": "Change", "field_name": name, "value": value, "previous_value": before}


def _child(event: Json, has_comments: bool) -> Json:  # noqa: FBT001 - the export's `include`
    kind = {"event_type": event["type"]}
    if event["type"] != "Comment":
        before = {"previous_value": event["previous_value"]} if "previous_value" in event else {}
        return {**kind, event["field_name"]: event["value"], **before}
    if has_comments:
        return {**kind, **event}
    return {**kind, "comment_present": True, "comment_public": event["public"]}


def _answers(given: list[Change[str]]) -> list[Json]:
    times = {"created_at": _milliseconds(given[0].at), "updated_at": _milliseconds(given[-1].at)}
    asked = {
        "id": "01J1WBE8QR0YQVE373K2JDJR0F",
        "sub_type": "customer_satisfaction",
        "type": "rating_scale_numeric",
    }
    remark = {"id": "01J1WBNS76ZC4TTFWP9RCNQ1S8", "type": "open_ended"}
    wish = {"id": "01J1WBSAZWVY2XR1EFZKS3CM13", "type": "open_ended"}
    score = {"rating": 5 if given[-1].value == "good" else 1, "rating_category": given[-1].value}
    return [
        {"type": "rating_scale", "question": asked, **score, **times},
        {"type": "open_ended", "question": remark, "value": "Marta me atendió muy bien", **times},
        {"type": "skipped", "question": wish, **times},
    ]


def _ulid(at: datetime, number: int) -> str:
    value = (round(at.timestamp() * 1000) << 80) | number
    return "".join(_BASE32[(value >> (5 * place)) & 31] for place in reversed(range(26)))


def seconds(at: datetime) -> str:
    """An instant as the vendor writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _milliseconds(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
