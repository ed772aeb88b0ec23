"""Customers, by what else Freshdesk knows them: those who ask (contacts), or their companies.

Belongs here: fetching them. Does not: HTTP (`helpdesk`), tickets, what is kept of a customer (`identification`).

All contacts are listed on each reading, blocked ones too, as the list has no order to go on in; those who are deleted
are listed by themselves, and state nothing. A company has no address, but domains. What is deleted for good, and a
deleted company, is in no list: the links that it stated stay.
"""

from __future__ import annotations

from collections.abc import Generator

from kr_definitions.events import IDENTIFIED
from pipelines.freshdesk.helpdesk import Helpdesk, Item
from pipelines.identification import CUSTOMER, Known, customer, customer_facts, identifiers
from pipelines.people import NOBODY, People
from pipelines.source import Account, Covered, Read, Record, Stream
from pipelines.ticketing import USER

HAS = {"requester": ("email", "domain", "unique_external_id"), "company": ("domain",)}
"""By what a kind of customer is known."""

_REQUESTERS = People(in_key=lambda key: ((USER, key),), are_people=True, account=USER)


def customers(account: Account, subdomain: str, kind: str, known: tuple[Known, ...]) -> Stream:
    """The stream. kind: `requester` or `company`."""
    is_person = kind == "requester"
    place = "contacts" if is_person else "companies"
    return Stream(
        name="customers",
        feeds=(IDENTIFIED,),
        fetch=lambda read: (_requesters if is_person else _companies)(account, subdomain, known, read),
        payload=CUSTOMER,
        facts=lambda records: customer_facts(records, f"https://{subdomain}.freshdesk.com/a/{place}/"),
        people=_REQUESTERS if is_person else NOBODY,
    )


def _requesters(
    account: Account, subdomain: str, known: tuple[Known, ...], read: Read
) -> Generator[list[Record], None, Covered]:
    helpdesk = Helpdesk(account, subdomain, read.clock)
    for state in ({}, {"state": "blocked"}):
        for page in helpdesk.contacts(**state):
            yield [_contact(account, known, one) for one in page]
    for page in helpdesk.contacts(state="deleted"):
        yield [Record(str(one["id"]), None, {}, is_deleted=True) for one in page]
    return Covered(read.since, read.until)


def _contact(account: Account, known: tuple[Known, ...], one: Item) -> Record:
    addresses = [one.get("email"), *(one.get("other_emails") or ())]
    return customer(str(one["id"]), one.get("created_at"), identifiers(known, account.pseudonym, addresses, one))


def _companies(
    account: Account, subdomain: str, known: tuple[Known, ...], read: Read
) -> Generator[list[Record], None, Covered]:
    for page in Helpdesk(account, subdomain, read.clock).companies():
        yield [
            customer(
                str(one["id"]),
                one.get("created_at"),
                identifiers(known, account.pseudonym, (), one, one.get("domains") or ()),
            )
            for one in page
        ]
    return Covered(read.since, read.until)
