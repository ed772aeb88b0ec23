"""Whose a record of Salesforce is: the customer's id in events, and where records name people.

Belongs here: by which fields leads, contacts, deals, activities and cases say who the customer is, for each way in
which an organisation counts customers. Does not: reading them, or what becomes of people's ids (`pipelines.people`).

An activity is of a contact or of a lead, by one field (`WhoId`), of which the customer's number is asked by `TYPEOF`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.people import EACH, People, Place
from pipelines.salesforce.options import SalesforceOptions
from pipelines.salesforce.reading import Moved, Whose

PERSON, USER = "person", "user"

_MERGED = "MasterRecordId"


@dataclass(frozen=True)
class Customers:
    """Who customers are, as the options say."""

    options: SalesforceOptions

    @property
    def _is_contact(self) -> bool:
        return self.options.customer == "contact"

    @property
    def _number(self) -> tuple[str, ...]:
        return (self.options.number,) if self.options.number else ()

    def of_lead(self) -> Whose:
        """A lead is who it became, where it was converted."""
        became = "ConvertedContactId" if self._is_contact else "ConvertedAccountId"
        own, person = (*self._number, became, "Id"), ("ConvertedContactId", "Id")
        return Whose(
            paths=own,
            selected=("ConvertedContactId", became, *self._number),
            person=own if self._is_contact else person,
            ids=("ConvertedContactId", *(self._number if self._is_contact else ())),
        )

    def of_contact(self) -> Whose:
        """A contact is a customer, or belongs to one."""
        if self._is_contact:
            own = (*self._number, "Id")
            return Whose(paths=own, selected=self._number, person=own, ids=self._number)
        paths = (*self._of("Account"), "AccountId", "Id")
        return Whose(paths=paths, selected=paths[:-1], person=("Id",))

    def of_record(self) -> Whose:
        """Of a deal or a case."""
        belongs_to = "Contact" if self._is_contact else "Account"
        paths = (*self._of(belongs_to), f"{belongs_to}Id")
        return Whose(paths=paths, selected=paths)

    def of_activity(self) -> Whose:
        """Of a task or an event: with a contact, or with somebody who is only a lead yet."""
        who = tuple(f"Who.{number}" for number in self._number)
        kinds = ("Contact", "Lead") if self._is_contact else ("Lead",)
        asked = tuple(
            f"TYPEOF Who {' '.join(f'WHEN {kind} THEN {number}' for kind in kinds)} END" for number in self._number
        )
        if self._is_contact:
            return Whose(paths=(*who, "WhoId"), selected=("WhoId", *asked))
        paths = (*self._of("Account"), "AccountId")
        return Whose(paths=(*paths, *who, "WhoId"), selected=(*paths, "WhoId", *asked))

    def moved(self, sobject: str) -> tuple[Moved, ...]:
        """Where records of a kind get another customer without having been changed themselves."""
        by = {"Task": "WhoId", "Event": "WhoId"}.get(sobject, "ContactId") if self._is_contact else "AccountId"
        if sobject == "Contact":
            return () if self._is_contact else (Moved("Account", _MERGED, by),)
        if sobject == "Lead":
            contact = Moved("Contact", _MERGED, "ConvertedContactId")
            return (contact,) if self._is_contact else (contact, Moved("Account", _MERGED, "ConvertedAccountId"))
        merged = (Moved("Contact" if self._is_contact else "Account", _MERGED, by),)
        if sobject not in ("Task", "Event"):
            return merged
        became = "ConvertedContactId" if self._is_contact else "ConvertedAccountId"
        return (*merged, Moved("Lead", _MERGED, "WhoId"), Moved("Lead", became, by))

    def _of(self, belongs_to: str) -> tuple[str, ...]:
        return tuple(f"{belongs_to}.{number}" for number in self._number)


_OWNERS = (
    Place(USER, ("fields", "OwnerId")),
    Place(USER, ("history", EACH, "old")),
    Place(USER, ("history", EACH, "new")),
)

OF_PEOPLE = People(
    in_key=lambda key: ((PERSON, key),),
    own=(Place(PERSON, ("ids", EACH)),),
    are_people=True,
    beside=_OWNERS,
    account=PERSON,
    actor=USER,
)
"""Where leads and contacts name people: a lead and the contact that it became are one, and so are merged ones."""

OF_WHAT_PEOPLE_HAVE = People(whose=(Place(PERSON, ("customer",)),), beside=_OWNERS, account=PERSON, actor=USER)
"""Where deals, activities and cases name people."""
