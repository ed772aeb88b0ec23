"""A company's people as Salesforce has them: leads, contacts, and the account of each contact.

Belongs here: who is what when, conversions and merges, and by whom other records say whose they are. Does not: those
records (`records`), what things are called (`names`), or how pasts are written down (`histories`).

Whoever is not a customer yet is a lead; when a deal is opened with them they are converted to a contact with an account
of their own. All of them have the company's number for a customer. Personal fields are there, as in any CRM: a source
that asks for them would get them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pipelines.sandbox.company import Change, Changes, Company, Contact, Deal
from pipelines.sandbox.salesforce.histories import Row, day, entry, last_seen, move, pairs, record, seen
from pipelines.sandbox.salesforce.names import CONVERTED, LIFECYCLE, NOBODY, NUMBER, STATUSES, field_name, id_of
from pipelines.sandbox.salesforce.soql import text_of


@dataclass(frozen=True, slots=True)
class Merge:
    """From an instant on, one contact or lead is part of another."""

    winner_id: int
    victim_id: int
    at: datetime


@dataclass(frozen=True)
class Person:
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


@dataclass
class People:
    """Everybody at an instant. deals: those that are opened by then."""

    company: Company
    present: datetime
    merges: Sequence[Merge]
    deals: Sequence[Deal]

    @cached_property
    def _merged(self) -> dict[int, Merge]:
        return {merge.victim_id: merge for merge in self.merges if merge.at <= self.present}

    @cached_property
    def known(self) -> dict[int, Person]:
        """Everybody who is known by now."""
        opened: dict[int, datetime] = {}
        for deal in self.deals:
            opened[deal.contact_id] = min(opened.get(deal.contact_id, deal.stages[0].at), deal.stages[0].at)
        known = (one for one in self.company.contacts if one.lifecycle[0].at <= self.present)
        return {one.id: self._person(one, opened.get(one.id)) for one in known}

    def _person(self, contact: Contact, opened_at: datetime | None) -> Person:
        born = contact.lifecycle[0].at
        stages = seen(contact.lifecycle, born, last_seen(contact.archived_at, self.present))
        is_lead_first = stages[0].value not in CONVERTED
        turned = [change.at for change in stages if change.value in CONVERTED]
        converted = [*turned[:1], *([max(opened_at, born)] if opened_at else [])]
        return Person(contact, stages, min(converted) if is_lead_first and converted else None, is_lead_first)

    def whose(self, contact_id: int) -> Person | None:
        """Who somebody is now: the winner, where they were merged."""
        merge = self._merged.get(contact_id)
        return self.known.get(merge.winner_id if merge else contact_id)

    def leads(self) -> Iterator[Row]:
        """Those who are not customers yet, and what became of them."""
        for person in self.known.values():
            if person.is_lead_first:
                yield self._lead(person)

    def _lead(self, person: Person) -> Row:
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
        row = record(self.present, id_of("00Q", id_), own[0].at, changed_at, person.contact.archived_at, fields)
        return row if converted else self._as_merged(row, id_)

    def contacts(self) -> Iterator[Row]:
        """Customers and those who were converted."""
        for person in self.known.values():
            if person.is_contact:
                yield self._contact(person)

    def _contact(self, person: Person) -> Row:
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
        row = record(self.present, id_of("003", id_), born, changed_at, person.contact.archived_at, fields)
        return self._as_merged(row, id_)

    def accounts(self) -> Iterator[Row]:
        """The account of each contact."""
        for person in self.known.values():
            if person.is_contact:
                yield self._account(person)

    def _account(self, person: Person) -> Row:
        id_, born = person.contact.id, person.converted_at or person.stages[0].at
        fields = {"Name": f"Empresa{id_}", NUMBER: str(id_)}
        return self._as_merged(record(self.present, id_of("001", id_), born, born, None, fields), id_)

    def _as_merged(self, row: Row, contact_id: int) -> Row:
        """The row, or what is left of it after a merge; the winner's was changed by that."""
        row["MasterRecordId"] = None
        if merge := self._merged.get(contact_id):
            winner = id_of(row["Id"][:3], merge.winner_id)
            return {**row, "IsDeleted": True, "SystemModstamp": text_of(merge.at), "MasterRecordId": winner}
        won = [merge.at for merge in self._merged.values() if merge.winner_id == contact_id]
        row["SystemModstamp"] = max(row["SystemModstamp"], *(text_of(at) for at in won), row["CreatedDate"])
        return row

    def _says(self, person: Person) -> Row:
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
