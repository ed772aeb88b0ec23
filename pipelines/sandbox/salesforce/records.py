"""A company's life as records of Salesforce, as seen at an instant.

Belongs here: which field says what, last changes, deletions, conversions and merges. Does not: HTTP (`app`), queries
(`soql`), what things are called (`names`), or how pasts are written down (`histories`).

Whoever is not a customer yet is a lead; when a deal is opened with them they are converted to a contact with an account
of their own. All of them have the company's number for a customer. Personal fields are there, as in any CRM: a source
that asks for them would get them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from pipelines.sandbox.company import Activity, Change, Changes, Company, Contact, Deal, Ticket
from pipelines.sandbox.salesforce.histories import day, entry, last_seen, move, pairs, seen, stage_history
from pipelines.sandbox.salesforce.names import (
    CASE_STATUSES,
    CLOSE_DATE,
    CONVERTED,
    CURRENCY,
    DISPOSITIONS,
    LIFECYCLE,
    MEETING,
    NOBODY,
    NUMBER,
    ORIGINS,
    PRODUCT,
    RESULTS,
    STATUSES,
    TYPE,
    VISIT,
    field_name,
    id_of,
    record_type,
    user_id,
)
from pipelines.sandbox.salesforce.soql import text_of

Row = dict[str, Any]

HISTORY_KEPT = timedelta(days=730)
"""So long `queryAll` tells changes of fields, unless the org has another policy."""

RESTORABLE = timedelta(days=15)
"""So long what was deleted is in the recycle bin, where `queryAll` sees it."""


@dataclass(frozen=True, slots=True)
class Merge:
    """From an instant on, one contact or lead is part of another."""

    winner_id: int
    victim_id: int
    at: datetime


@dataclass(frozen=True)
class _Person:
    """Somebody as they are seen: as a lead until they are converted, and as a contact."""

    contact: Contact
    stages: Changes[str]
    converted_at: datetime | None
    is_lead_first: bool

    @property
    def is_contact(self) -> bool:
        return not self.is_lead_first or self.converted_at is not None

    @property
    def who(self) -> str:
        return id_of("003" if self.is_contact else "00Q", self.contact.id)


@dataclass(frozen=True)
class Kept:
    """What an org keeps of the past: how long it tells changes of fields; fields of which none, as `Lead.Status`."""

    kept_for: timedelta = HISTORY_KEPT
    untracked: Collection[str] = ()


@dataclass
class Org:
    """The records of one org at an instant, by kind; each kind is laid out once."""

    company: Company
    present: datetime
    merges: Sequence[Merge] = ()
    kept: Kept = field(default_factory=Kept)

    def rows(self, sobject: str) -> Sequence[Row]:
        """The rows of a kind, deleted ones too, while they are in the recycle bin."""
        if sobject not in self._laid_out:
            rows = _BUILDERS[sobject](self)
            self._laid_out[sobject] = [self._remembered(sobject, row) for row in rows if not self._is_purged(row)]
        return self._laid_out[sobject]

    @cached_property
    def _laid_out(self) -> dict[str, Sequence[Row]]:
        return {}

    def _is_purged(self, row: Row) -> bool:
        return bool(row["IsDeleted"]) and row["SystemModstamp"] <= text_of(self.present - RESTORABLE)

    def _remembered(self, sobject: str, row: Row) -> Row:
        """The row with what its org has tracked of its past, and has not forgotten."""
        since = text_of(self.present - self.kept.kept_for)
        told = [
            one
            for one in row.get("Histories", ())
            if one["CreatedDate"] > since and f"{sobject}.{one['Field']}" not in self.kept.untracked
        ]
        return {**row, "Histories": told}

    @cached_property
    def _merged(self) -> dict[int, Merge]:
        return {merge.victim_id: merge for merge in self.merges if merge.at <= self.present}

    @cached_property
    def people(self) -> dict[int, _Person]:
        """Everybody who is known by now."""
        opened: dict[int, datetime] = {}
        for deal in self.deals:
            opened[deal.contact_id] = min(opened.get(deal.contact_id, deal.stages[0].at), deal.stages[0].at)
        known = (one for one in self.company.contacts if one.lifecycle[0].at <= self.present)
        return {one.id: self._person(one, opened.get(one.id)) for one in known}

    def _person(self, contact: Contact, opened_at: datetime | None) -> _Person:
        born = contact.lifecycle[0].at
        stages = seen(contact.lifecycle, born, last_seen(contact.archived_at, self.present))
        is_lead_first = stages[0].value not in CONVERTED
        turned = [change.at for change in stages if change.value in CONVERTED]
        converted = [*turned[:1], *([max(opened_at, born)] if opened_at else [])]
        return _Person(contact, stages, min(converted) if is_lead_first and converted else None, is_lead_first)

    @cached_property
    def deals(self) -> list[Deal]:
        """The deals that are opened by now, an agency's sales among them."""
        sales = (
            Deal(one.id, one.buyer_id, one.agent, "default", one.stages, one.amount, "EUR", {}, one.archived_at)
            for one in self.company.sales
        )
        return [deal for deal in (*self.company.deals, *sales) if deal.stages[0].at <= self.present]

    def whose(self, contact_id: int) -> _Person | None:
        """Who somebody is now: the winner, where they were merged."""
        merge = self._merged.get(contact_id)
        return self.people.get(merge.winner_id if merge else contact_id)

    def _row(self, key: str, born: datetime, changed_at: datetime, deleted_at: datetime | None, fields: Row) -> Row:
        is_deleted = deleted_at is not None and deleted_at <= self.present
        at = deleted_at if is_deleted and deleted_at is not None else max(born, changed_at)
        return {
            "Id": key,
            "IsDeleted": is_deleted,
            "CreatedDate": text_of(born),
            "SystemModstamp": text_of(at),
            **fields,
        }

    # People

    def leads(self) -> Iterator[Row]:
        """Those who are not customers yet, and what became of them."""
        for person in self.people.values():
            if person.is_lead_first:
                yield self._lead(person)

    def _lead(self, person: _Person) -> Row:
        id_, converted = person.contact.id, person.converted_at
        own = [one for one in person.stages if converted is None or one.at <= converted]
        changed_at = max(own[-1].at, converted or own[-1].at)
        moves = [move("Status", one, STATUSES) for one in pairs(own)]
        marks = [entry("created", own[0].at, None, None)]
        marks += [entry("leadConverted", converted, None, None)] if converted else []
        fields = {
            **self._says(person),
            "Status": STATUSES[own[-1].value],
            "IsConverted": converted is not None,
            "ConvertedContactId": id_of("003", id_) if converted else None,
            "ConvertedAccountId": id_of("001", id_) if converted else None,
            "ConvertedDate": day(converted, self.company.zone) if converted else None,
            "Histories": sorted([*marks, *moves], key=lambda one: str(one["CreatedDate"])),
        }
        row = self._row(id_of("00Q", id_), own[0].at, changed_at, person.contact.archived_at, fields)
        return row if converted else self._as_merged(row, id_)

    def contacts(self) -> Iterator[Row]:
        """Customers and those who were converted."""
        for person in self.people.values():
            if person.is_contact:
                yield self._contact(person)

    def _contact(self, person: _Person) -> Row:
        id_, born = person.contact.id, person.converted_at or person.stages[0].at
        own = [one for one in person.stages if person.converted_at is None or one.at > born]
        first = [] if person.converted_at else own[:1]
        moves = list(pairs(own)) if first else list(pairs((Change(born, ""), *own)))
        fields = {
            **self._says(person),
            LIFECYCLE: own[-1].value if own else None,
            "AccountId": id_of("001", id_),
            "Account": self._account(person),
            "Histories": [entry("created", born, None, None), *(move(LIFECYCLE, one, {}) for one in moves)],
        }
        changed_at = own[-1].at if own else born
        row = self._row(id_of("003", id_), born, changed_at, person.contact.archived_at, fields)
        return self._as_merged(row, id_)

    def accounts(self) -> Iterator[Row]:
        """The account of each contact."""
        for person in self.people.values():
            if person.is_contact:
                yield self._account(person)

    def _account(self, person: _Person) -> Row:
        id_, born = person.contact.id, person.converted_at or person.stages[0].at
        fields = {"Name": f"Empresa{id_}", NUMBER: str(id_)}
        return self._as_merged(self._row(id_of("001", id_), born, born, None, fields), id_)

    def _as_merged(self, row: Row, contact_id: int) -> Row:
        """The row, or what is left of it after a merge; the winner's was changed by that."""
        row["MasterRecordId"] = None
        if merge := self._merged.get(contact_id):
            winner = id_of(row["Id"][:3], merge.winner_id)
            return {**row, "IsDeleted": True, "SystemModstamp": text_of(merge.at), "MasterRecordId": winner}
        won = [merge.at for merge in self._merged.values() if merge.winner_id == contact_id]
        row["SystemModstamp"] = max(row["SystemModstamp"], *(text_of(at) for at in won), row["CreatedDate"])
        return row

    def _says(self, person: _Person) -> Row:
        contact = person.contact
        return {
            "FirstName": f"Nombre{contact.id}",
            "LastName": f"Apellido{contact.id}",
            "Email": contact.says.get("email", f"persona{contact.id}@correo.example"),
            "Phone": f"+34 600 {contact.id % 1_000_000:06d}",
            "OwnerId": NOBODY + "AAA",
            "LeadSource": contact.channel,
            NUMBER: str(contact.id),
            "Municipio__c": contact.market or None,
            **{field_name(name): value for name, value in contact.says.items() if name != "email"},
        }

    def who(self, contact_id: int) -> Row:
        """By whom an activity says who it is with."""
        person = self.whose(contact_id)
        if person is None:
            return {"WhoId": None, "AccountId": None, "Who": None, "Account": None}
        kind = {"attributes": {"type": "Contact" if person.is_contact else "Lead"}}
        is_contact = person.is_contact
        return {
            "WhoId": person.who,
            "AccountId": id_of("001", person.contact.id) if is_contact else None,
            "Who": {**self._says(person), "Id": person.who, **kind},
            "Account": self._account(person) if is_contact else None,
        }

    def customer(self, contact_id: int) -> Row:
        """By whom a deal or a case says whose it is."""
        person = self.whose(contact_id)
        if person is None:
            return {"ContactId": None, "AccountId": None, "Contact": None, "Account": None}
        id_ = person.contact.id
        return {
            "ContactId": id_of("003", id_),
            "AccountId": id_of("001", id_),
            "Contact": {**self._says(person), "Id": id_of("003", id_)},
            "Account": self._account(person),
        }

    # Deals

    def opportunities(self) -> Iterator[Row]:
        """Deals, with the history of their stages and of their other fields."""
        return (self._opportunity(deal) for deal in self.deals)

    def _opportunity(self, deal: Deal) -> Row:
        born, until = deal.stages[0].at, last_seen(deal.archived_at, self.present)
        stages, amounts = seen(deal.stages, born, until), seen(deal.amount, born, until)
        says = {name: seen(changes, born, until) for name, changes in deal.says.items()}
        closings = says.pop(CLOSE_DATE, ())
        currencies = says.pop(CURRENCY, (Change(born, deal.currency),))
        history = list(stage_history(self.company.zone, stages, amounts, closings, currencies))
        now = history[-1]
        moves = [
            move(field_name(name), one, {})
            for name, changes in says.items()
            for one in pairs(changes if changes and changes[0].at <= born else (Change(born, ""), *changes))
        ]
        product = says.get(PRODUCT)
        lines = [_line(product[-1].value, now["Amount"])] if product else []
        fields = {
            "Name": f"Contrato de Nombre{deal.contact_id} Apellido{deal.contact_id}",
            **{name: now[name] for name in ("StageName", "Amount", "CloseDate", "ForecastCategory")},
            "OwnerId": user_id(deal.agent),
            "CurrencyIsoCode": now["CurrencyIsoCode"],
            "RecordType": {"DeveloperName": record_type(deal.pipeline)},
            **self.customer(deal.contact_id),
            **{field_name(name): changes[-1].value for name, changes in says.items() if changes},
            "Histories": [entry("created", born, None, None), *moves],
            "OpportunityHistories": history,
            "OpportunityLineItems": lines,
        }
        turns: list[Changes[Any]] = [stages, amounts, closings, currencies, *says.values()]
        changed_at = max(change.at for changes in turns for change in changes)
        return self._row(id_of("006", deal.id), born, changed_at, deal.archived_at, fields)

    # Activities

    def tasks(self) -> Iterator[Row]:
        """Calls, and what else was to be done."""
        for one in self.company.activities:
            if one.kind in ("call", "task") and one.entered_at <= self.present:
                yield self._call(one) if one.kind == "call" else self._task(one)

    def _call(self, call: Activity) -> Row:
        outcome, changed_at = _outcome(call, last_seen(call.archived_at, self.present))
        fields = {
            **self._done(call, outcome, changed_at),
            "Subject": f"Llamada con Nombre{call.contact_id}",
            "TaskSubtype": "Call",
            "CallType": "Outbound",
            "CallDisposition": DISPOSITIONS[outcome] if outcome else None,
            "CallDurationInSeconds": call.seconds if outcome else None,
            "Hora_de_llamada__c": text_of(call.starts_at),
        }
        return self._activity("00T", call, changed_at, fields)

    def _task(self, task: Activity) -> Row:
        outcome, changed_at = _outcome(task, last_seen(task.archived_at, self.present))
        fields = {
            **self._done(task, outcome, changed_at),
            "Subject": f"Escribir a Nombre{task.contact_id}",
            "TaskSubtype": "Task",
        }
        return self._activity("00T", task, changed_at, fields)

    def _done(self, one: Activity, outcome: str | None, changed_at: datetime) -> Row:
        return {
            "Status": "Completed" if outcome else "Not Started",
            "IsClosed": outcome is not None,
            "IsRecurrence": False,
            "ActivityDate": day(one.starts_at, self.company.zone),
            "CompletedDateTime": text_of(changed_at) if outcome else None,
        }

    def events(self) -> Iterator[Row]:
        """Meetings and visits."""
        for meeting in self.company.activities:
            if meeting.kind in ("visit", "meeting") and meeting.entered_at <= self.present:
                yield self._meeting(meeting)

    def _meeting(self, meeting: Activity) -> Row:
        outcome, changed_at = _outcome(meeting, last_seen(meeting.archived_at, self.present))
        fields = {
            "Subject": f"Cita con Nombre{meeting.contact_id}",
            "Type": VISIT if meeting.kind == "visit" else MEETING,
            "StartDateTime": text_of(meeting.starts_at),
            "EndDateTime": text_of(meeting.starts_at + timedelta(seconds=meeting.seconds)),
            "IsAllDayEvent": False,
            "IsChild": False,
            "IsRecurrence": False,
            "Resultado__c": RESULTS[outcome] if outcome else None,
        }
        return self._activity("00U", meeting, changed_at, fields)

    def _activity(self, prefix: str, one: Activity, changed_at: datetime, fields: Row) -> Row:
        says = {"Type" if name == TYPE else field_name(name): value for name, value in one.says.items()}
        given = {"Type": None, **fields, "OwnerId": user_id(one.agent), **self.who(one.contact_id), **says}
        is_old = one.starts_at < self.present - timedelta(days=365)
        given["IsArchived"] = is_old
        return self._row(id_of(prefix, one.id), one.entered_at, changed_at, one.archived_at, given)

    # Cases

    def cases(self) -> Iterator[Row]:
        """Customers' requests."""
        return (self._case(ticket) for ticket in self.company.tickets if ticket.created_at <= self.present)

    def _case(self, ticket: Ticket) -> Row:
        born, until = ticket.created_at, last_seen(ticket.deleted_at, self.present)
        statuses, priorities = seen(ticket.status, born, until), seen(ticket.priority, born, until)
        replied = ticket.first_reply_at
        replied_at = replied if replied and replied <= until else None
        moves = [move("Status", one, CASE_STATUSES) for one in pairs(statuses)]
        moves += [move("Priority", one, {}) for one in pairs(priorities)]
        fields = {
            "Subject": f"Consulta de Nombre{ticket.requester_id}",
            "SuppliedEmail": f"persona{ticket.requester_id}@correo.example",
            "Status": CASE_STATUSES[statuses[-1].value],
            "Priority": priorities[-1].value,
            "Origin": ORIGINS[ticket.channel],
            "OwnerId": NOBODY + "AAA",
            "Primera_respuesta__c": text_of(replied_at) if replied_at else None,
            "MasterRecordId": None,
            **self.customer(ticket.requester_id),
            "Histories": [entry("created", born, None, None), *sorted(moves, key=lambda one: str(one["CreatedDate"]))],
        }
        changed_at = max(one for one in (statuses[-1].at, priorities[-1].at, replied_at) if one)
        return self._row(id_of("500", ticket.id), born, changed_at, ticket.deleted_at, fields)


_BUILDERS: Mapping[str, Callable[[Org], Iterator[Row]]] = {
    "Lead": Org.leads,
    "Contact": Org.contacts,
    "Account": Org.accounts,
    "Opportunity": Org.opportunities,
    "Task": Org.tasks,
    "Event": Org.events,
    "Case": Org.cases,
}


def _line(product: str, price: float | None) -> Row:
    named = {"Name": product, "ProductCode": product.upper(), "Family": "General"}
    return {"Id": "00k", "IsDeleted": False, "TotalPrice": price, "Product2": named, "CreatedDate": "", "Quantity": 1.0}


def _outcome(one: Activity, present: datetime) -> tuple[str | None, datetime]:
    """The outcome as it is known now, and when the record was last changed."""
    known = [change for change in one.outcome if change.at <= present]
    return (known[-1].value, max(known[-1].at, one.entered_at)) if known else (None, one.entered_at)
