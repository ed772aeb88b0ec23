"""Customers, by what else Zendesk knows them: requesters, or their organisations.

Belongs here: fetching them. Does not: HTTP (`helpdesk`), tickets, what is kept of a customer (`identification`).

A requester is an end user, read through the export of users; one who was deleted, merged into another one, or made an
agent states nothing. Of the addresses of a user only the main one is in the export. An organisation is read through
the export of organisations, with its mail domains; it has no address.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime

import orjson

from kr_definitions.events import IDENTIFIED
from pipelines.identification import CUSTOMER, Known, customer, customer_facts, identifiers
from pipelines.people import NOBODY, People
from pipelines.source import Account, Covered, Mark, Read, Record, Stream
from pipelines.ticketing import USER
from pipelines.zendesk.helpdesk import EXPORT_DELAY, Helpdesk, Item

_REQUESTERS = People(in_key=lambda key: ((USER, key),), are_people=True, account=USER)
_END_USER = "end-user"


def customers(account: Account, subdomain: str, kind: str, known: tuple[Known, ...]) -> Stream:
    """The stream. kind: `requester` or `organization`."""
    is_person = kind == "requester"
    fetch = _requesters if is_person else _organizations
    place = "users" if is_person else "organizations"
    return Stream(
        name="customers",
        feeds=(IDENTIFIED,),
        fetch=lambda read: fetch(account, subdomain, known, read),
        payload=CUSTOMER,
        facts=lambda records: customer_facts(records, f"https://{subdomain}.zendesk.com/agent/{place}/"),
        people=_REQUESTERS if is_person else NOBODY,
    )


def _requesters(
    account: Account, subdomain: str, known: tuple[Known, ...], read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    since, cursor = _asked(known, read)
    for page, after in Helpdesk(account, subdomain, read.clock).changed_users(since, read.mark or cursor):
        cursor = after
        yield [
            _gone(user)
            if _is_gone(user)
            else customer(
                _key(user), user.get("created_at"), identifiers(known, account.pseudonym, _addresses(user), user)
            )
            for user in page
        ]
        if cursor:
            yield Mark(cursor)
    return Covered(since, read.until - EXPORT_DELAY, _cursor(known, cursor))


def _organizations(
    account: Account, subdomain: str, known: tuple[Known, ...], read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    since, _ = _asked(known, read)
    start = int(read.mark) if read.mark else 0 if since is None else int(since.timestamp())
    for page, reached in Helpdesk(account, subdomain, read.clock).changed_organizations(start):
        yield [
            _gone(one)
            if one.get("deleted_at")
            else customer(_key(one), one.get("created_at"), _of_organization(account, known, one))
            for one in page
        ]
        yield Mark(str(reached))
    return Covered(since, read.until - EXPORT_DELAY, _cursor(known, None))


def _cursor(known: tuple[Known, ...], cursor: str | None) -> str:
    """The vendor's cursor, and what was kept of each customer: where that is something else, all are read again."""
    return orjson.dumps({"kept": [[one.by, one.field] for one in known], "cursor": cursor}).decode()


def _asked(known: tuple[Known, ...], read: Read) -> tuple[datetime | None, str | None]:
    """Since when changes are to be read, and the vendor's cursor."""
    before = orjson.loads(read.cursor) if read.cursor else {}
    is_the_same = before.get("kept") == [[one.by, one.field] for one in known]
    return (read.since, before.get("cursor")) if is_the_same else (None, None)


def _of_organization(account: Account, known: tuple[Known, ...], one: Item) -> list[dict[str, str]]:
    return identifiers(known, account.pseudonym, (), one, one.get("domain_names") or ())


def _is_gone(user: Item) -> bool:
    return user.get("active") is False or user.get("role") != _END_USER


def _gone(one: Item) -> Record:
    return Record(_key(one), None, {}, is_deleted=True)


def _key(one: Item) -> str:
    return str(one["id"])


def _addresses(user: Item) -> list[object]:
    return [user.get("email")]
