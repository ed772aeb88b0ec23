"""A company's life as records of a CRM: contacts, deals, calls and meetings, as seen at an instant.

Belongs here: which property says what, histories, last changes, archives and merges. Does not: HTTP (`app`) or
filtering (`searching`).

Personal properties are there, as they are in any CRM: a source that asks for them would get them.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pipelines.sandbox.company import (
    Activity,
    Change,
    Changes,
    Company,
    Contact,
    Deal,
    Listing,
    Sale,
    mail_address,
    value_at,
)

RESTORABLE = timedelta(days=90)
"""So long after it was archived a record can still be seen in the archive."""

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

    def changes(self, name: str) -> Changes[str]:
        """The changes of a property, oldest first."""
        if name in self.history:
            return self.history[name]
        return (Change(self.created_at, self.properties[name]),) if name in self.properties else ()


@dataclass
class Shelf:
    """The records of one type, each list in the order of ids."""

    records: dict[int, Shown]
    live: list[int]
    archived: list[int]


def shelf(
    object_type: str, company: Company, present: datetime, merges: Iterable[Merge], company_merges: Iterable[Merge] = ()
) -> Shelf:
    """What can be seen of a type of record at an instant. merges: of contacts; company_merges: of companies."""
    merged = {merge.victim_id: merge for merge in merges if merge.at <= present}
    companies_merged = {merge.victim_id: merge for merge in company_merges if merge.at <= present}
    if object_type == "companies":
        shown = {one.id: one for one in _companies(company, present, companies_merged)}
    else:
        shown = {one.id: one for one in _BUILDERS[object_type](company, present, merged)}
    of_contact = {
        contact.id: _whose(int(contact.says[COMPANY]), companies_merged)
        for contact in company.contacts
        if COMPANY in contact.says
    }
    for one in shown.values():
        persons = (one.id,) if object_type == "contacts" else one.contacts
        one.companies = tuple(dict.fromkeys(id_ for person in persons for id_ in of_contact.get(person, ())))
    live, archived = [], []
    for id_ in sorted(shown):
        if not shown[id_].is_archived(present):
            live.append(id_)
        elif not shown[id_].is_archived(present - RESTORABLE):
            archived.append(id_)
    return Shelf({id_: shown[id_] for id_ in (*live, *archived)}, live, archived)


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


def _contacts(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    by_id = {contact.id: contact for contact in company.contacts}
    victims: dict[int, list[Merge]] = {}
    for merge in merged.values():
        victims.setdefault(merge.winner_id, []).append(merge)
    for contact in company.contacts:
        if contact.lifecycle[0].at > present or contact.id in merged:
            continue
        absorbed = victims.get(contact.id, [])
        lifecycle = list(contact.lifecycle)
        for change in (change for merge in absorbed for change in by_id[merge.victim_id].lifecycle):
            insort(lifecycle, change, key=lambda one: one.at)
        yield _contact(contact, tuple(lifecycle), absorbed, _last_seen(contact.archived_at, present))


def _contact(contact: Contact, lifecycle: Changes[str], absorbed: list[Merge], present: datetime) -> Shown:
    stages = _seen(lifecycle, lifecycle[0].at, present)
    properties = {
        "firstname": f"Nombre{contact.id}",
        "lastname": f"Apellido{contact.id}",
        "email": mail_address(contact.id, contact.says),
        "phone": f"+34 600 {contact.id % 1_000_000:06d}",
        "canal_de_entrada": contact.channel,
        "municipio": contact.market,
        "lifecyclestage": stages[-1].value,
        **contact.says,
    }
    if contact.referrer_id is not None:
        properties["cliente_que_recomienda"] = str(contact.referrer_id)
    if absorbed:
        properties["hs_merged_object_ids"] = ";".join(str(merge.victim_id) for merge in absorbed)
    modified_at = max(stages[-1].at, *(merge.at for merge in absorbed), stages[0].at)
    return _shown(
        "contacts", contact.id, stages[0].at, modified_at, contact.archived_at, properties, {"lifecyclestage": stages}
    )


def _companies(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    """The companies that contacts say they work for, known since the first of them is."""
    found: dict[int, list[Contact]] = {}
    for contact in company.contacts:
        if COMPANY in contact.says and contact.lifecycle[0].at <= present:
            found.setdefault(int(contact.says[COMPANY]), []).append(contact)
    for id_, staff in found.items():
        if id_ in merged:
            continue
        created_at = min(contact.lifecycle[0].at for contact in staff)
        domain = mail_address(staff[0].id, staff[0].says).rpartition("@")[2]
        properties = {"name": f"Empresa de Nombre{staff[0].id}", "domain": domain, "phone": "+34 600 123 456"}
        absorbed = [merge for merge in merged.values() if merge.winner_id == id_]
        if absorbed:
            properties["hs_merged_object_ids"] = ";".join(str(merge.victim_id) for merge in absorbed)
        modified_at = max([created_at, *(merge.at for merge in absorbed)])
        yield _shown("companies", id_, created_at, modified_at, None, properties)


def _line_items(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:  # noqa: ARG001
    for deal in company.deals:
        for number, name in enumerate(_lines(deal, present)):
            properties = {"name": name, "hs_sku": f"SKU-{name}", "description": "Para Marta"}
            yield _shown("line_items", deal.id * 10 + number, deal.stages[0].at, deal.stages[0].at, None, properties)


def _lines(deal: Deal, present: datetime) -> list[str]:
    names = value_at(deal.says.get(LINES, ()), present)
    return [] if names is None else names.split(";")


def _deals(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    markets = {listing.id: listing.market for listing in company.listings}
    for sale in company.sales:
        if sale.stages[0].at <= present:
            yield _sale(sale, markets.get(sale.listing_id), _last_seen(sale.archived_at, present), merged)
    for listing in company.listings:
        if listing.entered_at <= present:
            yield _listing(listing, _last_seen(listing.archived_at, present), merged)
    for deal in company.deals:
        if deal.stages[0].at <= present:
            yield _business(deal, _last_seen(deal.archived_at, present), merged)


def _sale(sale: Sale, market: str | None, present: datetime, merged: Mapping[int, Merge]) -> Shown:
    created_at = sale.stages[0].at
    history = {
        "dealstage": _seen(_mapped(sale.stages, STAGES.__getitem__), created_at, present),
        "amount": _seen(_mapped(sale.amount, str), created_at, present),
    }
    properties = {
        "dealname": f"Compra de Nombre{sale.buyer_id} Apellido{sale.buyer_id}",
        "pipeline": SALES_PIPELINE,
        "deal_currency_code": "EUR",
        "hubspot_owner_id": owner_id(sale.agent),
        **({"municipio": market} if market else {}),
    }
    return _deal(sale.id, created_at, sale.archived_at, properties, history, _whose(sale.buyer_id, merged))


def _listing(listing: Listing, present: datetime, merged: Mapping[int, Merge]) -> Shown:
    created_at = listing.entered_at
    history = {
        "dealstage": (Change(created_at, CAPTURED),),
        "amount": _seen(_mapped(listing.price, str), created_at, present),
        "tipo_de_mandato": _seen(_mapped(listing.mandate, MANDATES.__getitem__), created_at, present),
        "portales": _seen(_mapped(listing.portals, ";".join), created_at, present),
    }
    properties = {
        "dealname": f"Piso de Nombre{listing.owner_id} Apellido{listing.owner_id}",
        "pipeline": LISTINGS_PIPELINE,
        "deal_currency_code": "EUR",
        "hubspot_owner_id": owner_id(listing.agent),
        "municipio": listing.market,
        "tipo_de_inmueble": CATEGORIES[listing.category],
        "fecha_de_captacion": text_of(listing.captured_at),
    }
    return _deal(listing.id, created_at, listing.archived_at, properties, history, _whose(listing.owner_id, merged))


def _business(deal: Deal, present: datetime, merged: Mapping[int, Merge]) -> Shown:
    created_at = deal.stages[0].at
    history = {
        "dealstage": _seen(deal.stages, created_at, present),
        "amount": _seen(_mapped(deal.amount, str), created_at, present),
        **{name: _seen(changes, created_at, present) for name, changes in deal.says.items()},
    }
    properties = {
        "dealname": f"Contrato de Nombre{deal.contact_id} Apellido{deal.contact_id}",
        "pipeline": deal.pipeline,
        "deal_currency_code": deal.currency,
        "hubspot_owner_id": owner_id(deal.agent),
    }
    history.pop(LINES, None)
    found = _deal(deal.id, created_at, deal.archived_at, properties, history, _whose(deal.contact_id, merged))
    found.line_items = tuple(deal.id * 10 + number for number, _ in enumerate(_lines(deal, present)))
    return found


def _deal(
    id_: int,
    created_at: datetime,
    archived_at: datetime | None,
    properties: dict[str, str],
    history: Mapping[str, Changes[str]],
    contacts: tuple[int, ...],
) -> Shown:
    modified_at = max((change.at for changes in history.values() for change in changes), default=created_at)
    now = {name: changes[-1].value for name, changes in history.items() if changes}
    return _shown("deals", id_, created_at, modified_at, archived_at, {**properties, **now}, history, contacts)


def _calls(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    for call in company.activities:
        if call.kind == "call" and call.entered_at <= present:
            outcome, modified_at = _outcome(call, _last_seen(call.archived_at, present))
            properties = {
                "hs_call_title": f"Llamada con Nombre{call.contact_id}",
                "hs_timestamp": text_of(call.starts_at),
                "hs_call_direction": "OUTBOUND",
                "hubspot_owner_id": owner_id(call.agent),
                **call.says,
            }
            if outcome is not None:
                properties["hs_call_status"] = CALL_STATUS[outcome]
                properties["hs_call_disposition"] = DISPOSITIONS[outcome]
                properties["hs_call_duration"] = str(call.seconds * 1000)
            yield _activity("calls", call, modified_at, properties, merged)


def _meetings(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    for meeting in company.activities:
        if meeting.kind in ("visit", "meeting") and meeting.entered_at <= present:
            outcome, modified_at = _outcome(meeting, _last_seen(meeting.archived_at, present))
            properties = {
                "hs_meeting_title": f"Cita con Nombre{meeting.contact_id}",
                "hs_timestamp": text_of(meeting.starts_at),
                "hs_meeting_start_time": text_of(meeting.starts_at),
                "hs_meeting_end_time": text_of(meeting.starts_at + timedelta(seconds=meeting.seconds)),
                "hs_activity_type": VISIT if meeting.kind == "visit" else MEETING,
                "hs_meeting_outcome": "SCHEDULED" if outcome is None else MEETING_OUTCOME[outcome],
                "hubspot_owner_id": owner_id(meeting.agent),
                **meeting.says,
            }
            yield _activity("meetings", meeting, modified_at, properties, merged)


def _others(
    object_type: str, kind: str, company: Company, present: datetime, merged: Mapping[int, Merge]
) -> Iterator[Shown]:
    """Notes, tasks, mails, or answers to surveys."""
    for one in company.activities:
        if one.kind == kind and one.entered_at <= present:
            outcome, modified_at = _outcome(one, _last_seen(one.archived_at, present))
            properties = {
                "hs_timestamp": text_of(one.starts_at),
                "hubspot_owner_id": owner_id(one.agent),
                **_OTHER_PROPERTIES[kind](one, outcome, modified_at),
                **one.says,
            }
            yield _activity(object_type, one, modified_at, properties, merged)


def _note(one: Activity, outcome: str | None, modified_at: datetime) -> dict[str, str]:  # noqa: ARG001
    return {"hs_note_body": f"Nombre{one.contact_id} quiere vender", "hs_body_preview": "quiere vender"}


def _task(one: Activity, outcome: str | None, modified_at: datetime) -> dict[str, str]:
    """Due when it starts; completed when its outcome came."""
    usual = {"hs_task_subject": f"Llamar a Nombre{one.contact_id}", "hs_task_type": "TODO"}
    if outcome is None:
        return {**usual, "hs_task_status": "NOT_STARTED", "hs_task_completion_date": text_of(one.starts_at)}
    return {**usual, "hs_task_status": "COMPLETED", "hs_task_completion_date": text_of(modified_at)}


def _email(one: Activity, outcome: str | None, modified_at: datetime) -> dict[str, str]:  # noqa: ARG001
    return {
        "hs_email_subject": "Su piso",
        "hs_email_text": f"Hola Nombre{one.contact_id}",
        "hs_email_to_email": mail_address(one.contact_id, {}),
        "hs_email_status": "SENT" if outcome else "SCHEDULED",
        "hs_email_direction": outcome or "EMAIL",
    }


def _answer(one: Activity, outcome: str | None, modified_at: datetime) -> dict[str, str]:
    scores = {"PROMOTER": "10", "PASSIVE": "7", "DETRACTOR": "2"}
    return {
        "hs_submission_name": f"Nombre{one.contact_id}",
        "hs_content": "Marta me atendió muy bien",
        "hs_submission_timestamp": text_of(one.starts_at),
        "hs_survey_type": "NPS",
        "hs_survey_channel": "EMAIL",
        "hs_response_group": outcome or "PASSIVE",
        "hs_value": scores[outcome or "PASSIVE"],
        "hs_survey_id": str(modified_at.year),
    }


_OTHER_PROPERTIES: Mapping[str, Callable[[Activity, str | None, datetime], dict[str, str]]] = {
    "note": _note,
    "task": _task,
    "email": _email,
    "answer": _answer,
}


def _activity(
    object_type: str, one: Activity, modified_at: datetime, properties: dict[str, str], merged: Mapping[int, Merge]
) -> Shown:
    return _shown(
        object_type,
        one.id,
        one.entered_at,
        modified_at,
        one.archived_at,
        properties,
        contacts=_whose(one.contact_id, merged),
    )


def _outcome(one: Activity, present: datetime) -> tuple[str | None, datetime]:
    """The outcome as it is known now, and when the record was last changed."""
    known = [change for change in one.outcome if change.at <= present]
    return (known[-1].value, max(known[-1].at, one.entered_at)) if known else (None, one.entered_at)


def _shown(
    object_type: str,
    id_: int,
    created_at: datetime,
    modified_at: datetime,
    archived_at: datetime | None,
    properties: dict[str, str],
    history: Mapping[str, Changes[str]] | None = None,
    contacts: tuple[int, ...] = (),
) -> Shown:
    properties["createdate" if object_type in ("contacts", "companies", "deals") else "hs_createdate"] = text_of(
        created_at
    )
    properties[MODIFIED.get(object_type, "hs_lastmodifieddate")] = text_of(modified_at)
    properties["hs_object_id"] = str(id_)
    return Shown(id_, created_at, modified_at, archived_at, properties, history or {}, contacts)


def _whose(contact_id: int, merged: Mapping[int, Merge]) -> tuple[int, ...]:
    return (merged[contact_id].winner_id if contact_id in merged else contact_id,)


def _last_seen(archived_at: datetime | None, present: datetime) -> datetime:
    """Nothing happens to a record while it is archived."""
    return present if archived_at is None else min(present, archived_at)


def _mapped(changes: Changes[Any], words: Callable[[Any], str]) -> Changes[str]:
    return tuple(Change(change.at, words(change.value)) for change in changes)


def _seen(changes: Changes[str], born: datetime, present: datetime) -> Changes[str]:
    """The changes that have happened; what was already so when the record was entered was entered with it."""
    before = [change for change in changes if change.at <= born]
    since = [change for change in changes if born < change.at <= present]
    return (*(Change(born, change.value) for change in before[-1:]), *since)


_BUILDERS: Mapping[str, Callable[[Company, datetime, Mapping[int, Merge]], Iterator[Shown]]] = {
    "contacts": _contacts,
    "deals": _deals,
    "calls": _calls,
    "meetings": _meetings,
    "line_items": _line_items,
    "notes": partial(_others, "notes", "note"),
    "tasks": partial(_others, "tasks", "task"),
    "emails": partial(_others, "emails", "email"),
    "feedback_submissions": partial(_others, "feedback_submissions", "answer"),
}
