"""Reading tickets: each as it is seen now, from the lists, and from the archive on the first reading.

Belongs here: the lists and the archive, and which part of a ticket is kept. Does not: HTTP (`helpdesk`), what a ticket
means (`tickets`).

A ticket that is archived is in no list any more: what it has stated stays. Those that were archived before the first
reading are asked for one by one: every number below the highest one that no list has. Where they are not
(`Archive.first` is None), what is covered begins only where every ticket that something was done to is still listed; so
it does after a pause in which tickets may have been archived unseen.

A first reading that was interrupted goes on in the list where it was, or in the archive. Which tickets it had listed by
then no mark says, as none holds the number of somebody's ticket: before the archive is asked, the lists are gone
through once more for their numbers, a hundred a request.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from pipelines.freshdesk.helpdesk import BEGINNING, PAGE_SIZE, Helpdesk, Item, NoArchive
from pipelines.source import Account, Covered, Mark, Read, Record, SourceConfigError
from pipelines.ticketing import instant, revision

LISTS: Mapping[str, Mapping[str, str]] = {
    "live": {"include": "stats"},
    "deleted": {"filter": "deleted"},
    "spam": {"filter": "spam"},
}
"""In the order in which they are read: a ticket that is deleted meanwhile is seen live first, and then gone."""

ARCHIVED = "archived"

TIMES = ("first_responded_at", "status_updated_at", "reopened_at", "pending_since", "resolved_at", "closed_at")
DUE = ("fr_due_by", "due_by")
"""By when the vendor's service level wants a first reply, and a solution; no time is set where it is off."""

_REPLY, _NOTE = 0, 2
_KEPT = ("id", "created_at", "updated_at", "status", "priority", "source", "requester_id", "company_id", *DUE)


@dataclass(frozen=True)
class Archive:
    """What is known of an account's archive.

    after: how long after its last change a closed ticket is archived, at the soonest; None: never yet. first: the
    account's first ticket, down to which the archive is asked for on the first reading; None: it is not. is_told:
    whether somebody said so; otherwise numbers may begin anywhere, and `MOST_NOWHERE` in a row are a reason to ask.
    """

    after: timedelta | None
    first: int | None
    is_told: bool


MOST_NOWHERE = 5_000
"""So many tickets in a row that are gone for good are hard to believe; numbers that began higher are not."""


def fetch(
    account: Account, subdomain: str, archive: Archive, read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    """Sightings, by page: what changed, list by list; on a reading of everything, the archive after it."""
    helpdesk = Helpdesk(account, subdomain, read.clock)
    lists = list(LISTS)
    at, reached, highest = lists[0], read.since or BEGINNING, 0
    if read.mark is not None:
        marked = orjson.loads(read.mark)
        at, highest = marked["list"], marked["highest"]
        reached = datetime.fromisoformat(marked["from"]) if marked["from"] else BEGINNING
    listed: set[int] = set()
    for name in lists[lists.index(at) :] if at in lists else []:
        start = reached if name == at else read.since or BEGINNING
        seen: set[str] = set()
        for page, going_on_from in helpdesk.tickets(start, **LISTS[name]):
            new = [one for one in page if _key(one) not in seen]
            seen = {_key(one) for one in page}
            listed |= {int(one["id"]) for one in page}
            highest = max(highest, *(int(one["id"]) for one in page), 0)
            yield [_record(helpdesk, one, read, is_gone=name != "live") for one in new]
            yield _mark(name, highest, going_on_from)
    has_tickets = highest > 0 or at == ARCHIVED
    is_whole = read.since is None and archive.after is not None and archive.first is not None and has_tickets
    if is_whole:
        if read.mark is not None and highest > 0:
            listed |= _listed_before(helpdesk, at, reached)
        yield from _archived(helpdesk, archive, highest, listed, read)
    return Covered(read.since if is_whole else _known_from(read, archive.after), read.until)


def _mark(place: str, highest: int, going_on_from: datetime | None = None) -> Mark:
    """highest: of the tickets that were listed so far; in the archive, the next one to ask for.

    It is rounded up, so that no mark has the number of somebody's ticket; who asks for some too many finds none.
    """
    since = going_on_from and going_on_from.isoformat()
    return Mark(orjson.dumps({"list": place, "highest": -(-highest // PAGE_SIZE) * PAGE_SIZE, "from": since}).decode())


def _listed_before(helpdesk: Helpdesk, at: str, reached: datetime) -> set[int]:
    """The tickets that lists had before a reading was interrupted in this one, where it had got to that time."""
    found = set[int]()
    for name, asked in LISTS.items():
        numbers_alone = {key: value for key, value in asked.items() if key != "include"}
        for page, going_on_from in helpdesk.tickets(BEGINNING, **numbers_alone):
            found |= {int(one["id"]) for one in page}
            if name == at and going_on_from >= reached:
                break
        if name == at:
            break
    return found


def _archived(
    helpdesk: Helpdesk, archive: Archive, highest: int, listed: set[int], read: Read
) -> Generator[list[Record] | Mark, None, None]:
    """The tickets of the archive, downwards. listed: those that a list had, which are not in it."""
    found: list[Record] = []
    nowhere = 0
    for number in range(highest, (archive.first or 1) - 1, -1):
        try:
            ticket = None if number in listed else helpdesk.archived(number)
        except NoArchive:
            return
        nowhere = nowhere + 1 if ticket is None and number not in listed else 0
        if nowhere > MOST_NOWHERE and not archive.is_told:
            raise _nowhere(helpdesk)
        if ticket is not None:
            found.append(_record(helpdesk, ticket, read, is_gone=_is_gone(ticket), is_archived=True))
        if number % PAGE_SIZE == 1:
            yield found
            yield _mark(ARCHIVED, number - 1)
            found = []
    if found:
        yield found


def _nowhere(helpdesk: Helpdesk) -> SourceConfigError:
    return SourceConfigError(
        helpdesk.source,
        f"{MOST_NOWHERE} tickets in a row are in no list and not in the archive",
        "Say in its options which number the account's first ticket has, `first_ticket: 1` where so many are gone for "
        "good, or `first_ticket: null` where the archive is not to be read",
    )


def _is_gone(archived: Item) -> bool:
    return bool(archived.get("deleted") or archived.get("spam"))


def _known_from(read: Read, archived_after: timedelta | None) -> datetime | None:
    """Since when every ticket that was changed is still listed: an archived one was changed before that."""
    if archived_after is None:
        return read.since
    listed_from = max(read.until, read.clock.now()) - archived_after
    return max(read.since or listed_from, listed_from)


def _key(ticket: Item) -> str:
    """A sighting: the ticket, and when it was last changed, in one way of writing times."""
    changed = instant(ticket.get("updated_at"))
    return f"{ticket['id']}/{changed.isoformat() if changed else '?'}"


def _record(helpdesk: Helpdesk, ticket: Item, read: Read, *, is_gone: bool, is_archived: bool = False) -> Record:
    if is_gone:
        gone = {name: ticket.get(name) for name in ("id", "updated_at", "requester_id")} | {"is_gone": True}
        return Record(_key(ticket), _changed(ticket, read), gone)
    kept: dict[str, Any] = {name: ticket.get(name) for name in _KEPT}
    stats = ticket.get("stats") or {}
    kept |= {name: stats.get(name) for name in TIMES}
    if _lacks_first_reply(ticket, stats):
        kept |= _first_reply(helpdesk.conversations(str(ticket["id"]), is_archived=is_archived), ticket)
    return Record(_key(ticket), _changed(ticket, read), {**kept, "is_gone": False})


def _changed(ticket: Item, read: Read) -> datetime | None:
    return revision(instant(ticket.get("updated_at")), read.until)


def _lacks_first_reply(ticket: Item, stats: Item) -> bool:
    """Whether only the conversations can say when the ticket was first replied to."""
    first, created = instant(stats.get("first_responded_at")), instant(ticket.get("created_at"))
    if first is not None and created is not None:
        return first <= created
    return not stats or (first is None and stats.get("agent_responded_at") is not None)


def _first_reply(conversations: list[Item], ticket: Item) -> dict[str, Any]:
    """When and by whom the customer was first answered: what is private, incoming or forwarded is no answer."""
    created = instant(ticket.get("created_at"))
    answers = sorted(
        (at, str(one["id"]), one)
        for one in conversations
        if one.get("incoming") is False
        and one.get("private") is False
        and one.get("source") in (_REPLY, _NOTE)
        and (at := instant(one.get("created_at"))) is not None
        and (created is None or at > created)
    )
    return {"replied_at": answers[0][2]["created_at"], "replied_by": answers[0][2].get("user_id")} if answers else {}
