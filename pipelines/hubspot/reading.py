"""Reading a HubSpot account: everything the first time, what has changed since then, and what is gone or back.

Belongs here: which requests make up a reading, and which part of a record is kept (an allow-list: what is not asked for
is not stored either, even where HubSpot sends it). Does not: how a request is made (`api`) or what a record means.

Archived records have a list of their own, without a filter by time, and archiving or restoring a record does not move
its last change. So the archived list is read whole each time, before the live records; a record seen live later in the
same reading is live; and the ids that were archived are kept in the cursor, so that one which has left that list is
read again: it was restored, or its ninety days are over and it is gone for good.

The cursor also keeps what was asked of each record. Where more is asked now, because the options name another property,
everything is read again: what has not changed lately has that property too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

import orjson

from pipelines.hubspot.api import HISTORY_LIMIT, LIST_LIMIT, Api, Object, Place, beginning, has_property
from pipelines.identification import Known, fields_of, has_addresses, identifiers
from pipelines.source import Covered, Mark, Read, Record

T = TypeVar("T")

ADDRESSES = ("email", "hs_additional_emails")
"""Properties that hold mail addresses: asked for where customers are known by them, and never stored."""
MERGED, MERGED_INTO = "hs_merged_object_ids", "mergedInto"
MOST_REMEMBERED = 10_000
"""Archived ids kept in the cursor, the latest ones. An older one that is restored is found by the next full reading."""


@dataclass(frozen=True)
class Wanted:
    """What is read of one type of record."""

    object_type: str
    properties: tuple[str, ...]
    with_history: tuple[str, ...] = ()
    has_contacts: bool = True
    is_mergeable: bool = False
    identified_by: tuple[Known, ...] = ()

    @property
    def page_size(self) -> int:
        """Records a request."""
        return HISTORY_LIMIT if self.with_history else LIST_LIMIT

    @cached_property
    def current(self) -> tuple[str, ...]:
        """Every property whose present value is stored."""
        merged = (MERGED,) if self.is_mergeable else ()
        return tuple(dict.fromkeys((*self.properties, *self.with_history, *merged)))

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """Every property whose present value is asked for."""
        addresses = ADDRESSES if has_addresses(self.identified_by) else ()
        return tuple(dict.fromkeys((*self.current, *fields_of(self.identified_by), *addresses)))

    def parameters(self) -> dict[str, str]:
        """Of a request for one record or a list of them."""
        given = {"properties": ",".join(self.asked)}
        if self.with_history:
            given["propertiesWithHistory"] = ",".join(self.with_history)
        if self.has_contacts:
            given["associations"] = "contacts"
        return given

    @property
    def fingerprint(self) -> str:
        """Changes with what is asked of each record."""
        known = [[one.by, one.field] for one in self.identified_by]
        content = [self.parameters(), known] if known else self.parameters()
        return hashlib.sha256(orjson.dumps(content)).hexdigest()[:12]

    def body(self) -> Object:
        """Of a request for a batch of them, which has no associations."""
        return {"properties": list(self.asked), "propertiesWithHistory": list(self.with_history)}


def read_all(api: Api, wanted: Wanted, read: Read) -> Generator[list[Record] | Mark, None, Covered]:
    """Pages of records: what a fetch is, once the account is open."""
    was_asked, once_gone = _remembered(read.cursor)
    since = read.since if was_asked == wanted.fingerprint else None
    gone = {record.key: record for record in _archived(api, wanted)}
    interrupted = _interrupted(wanted, read.mark)
    archived = gone.keys() | set(interrupted.get("archived", ()))
    again = archived | (once_gone if since is not None else set())
    pages: Iterator[tuple[list[Record], str | Place | None]]
    if since is None:
        pages = _everything(api, wanted, interrupted.get("place", ""), again - gone.keys())
    else:
        start, last_id = interrupted.get("place", beginning(since))
        pages = _changes(api, wanted, since, (start, last_id), again - gone.keys())
    for page, place in pages:
        for record in page:
            if not record.is_deleted:
                gone.pop(record.key, None)
        yield page
        if place:
            yield _mark(wanted, archived, place)
    yield from _batches(list(gone.values()), 1000)
    return Covered(start=since, end=read.until, cursor=_cursor(wanted, gone.values()))


def _everything(
    api: Api, wanted: Wanted, after: str, returned: Iterable[str]
) -> Iterator[tuple[list[Record], str | None]]:
    """All records from a place in the list on, and those that left the archive since an interrupted reading began."""
    parameters = {**wanted.parameters(), "limit": str(wanted.page_size)}
    for page, following in api.listed(wanted.object_type, parameters, after):
        yield _records(api, wanted, page, {one["id"]: _listed_contacts(api, wanted, one) for one in page}), following
    yield from ((page, None) for page in _read_again(api, wanted, dict.fromkeys(sorted(returned))))


def _changes(
    api: Api, wanted: Wanted, since: datetime, place: Place, returned: Iterable[str]
) -> Iterator[tuple[list[Record], Place | None]]:
    """The records changed since then, those that are no longer archived, and those whose contacts were merged."""
    seen: set[str] = set()
    for found, following in api.changed(wanted.object_type, place):
        new = {id_: at for id_, at in found if id_ not in seen}
        seen |= new.keys()
        *pages, last = _read_again(api, wanted, new) or [[]]
        yield from ((page, None) for page in pages)
        yield last, following
    more = {*returned, *(_of_merged_contacts(api, wanted.object_type, since) if wanted.has_contacts else ())}
    yield from ((page, None) for page in _read_again(api, wanted, dict.fromkeys(sorted(more - seen))))


def _of_merged_contacts(api: Api, object_type: str, since: datetime) -> set[str]:
    """Ids of the records of contacts merged of late: they have another contact now, and no new last change."""
    found = api.changed("contacts", beginning(since), has_property(MERGED))
    winners = [id_ for page, _ in found for id_, _ in page]
    related = (api.related("contacts", object_type, ids) for ids in _batches(winners, LIST_LIMIT))
    return {id_ for by_contact in related for found in by_contact.values() for id_ in found}


def _read_again(api: Api, wanted: Wanted, changed: Mapping[str, str | None]) -> list[list[Record]]:
    """Records by their ids, in pages. One that search still gives though it cannot be read any more is gone."""
    pages = []
    for ids in _batches(list(changed), wanted.page_size):
        found = api.read(wanted.object_type, ids, wanted.body(), wanted.parameters())
        read = [one["id"] for one in found]
        contacts = api.related(wanted.object_type, "contacts", read) if wanted.has_contacts and read else {}
        missing = ((id_, changed[id_]) for id_ in ids if id_ not in read)
        gone = [Record(id_, _instant(at), {}, is_deleted=True) for id_, at in missing if at is not None]
        pages.append([*_records(api, wanted, found, contacts), *gone])
    return pages


def _archived(api: Api, wanted: Wanted) -> list[Record]:
    """What is archived now: its revision is its last change, so that restoring it needs no newer one."""
    parameters = {"archived": "true", "limit": str(LIST_LIMIT), "properties": "hs_object_id"}
    return [
        Record(one["id"], _instant(one["updatedAt"]), {"archivedAt": one.get("archivedAt")}, is_deleted=True)
        for page, _ in api.listed(wanted.object_type, parameters)
        for one in page
    ]


def _records(api: Api, wanted: Wanted, found: Sequence[Object], contacts: Mapping[str, Sequence[str]]) -> list[Record]:
    """Each record as it is kept, and after it the records that were merged into it: they are gone."""
    records = []
    for one in found:
        revision = _instant(one["updatedAt"])
        records.append(Record(one["id"], revision, _kept(api, wanted, one, contacts.get(one["id"], ()))))
        merged = _merged_into(one) if wanted.is_mergeable else ()
        records += [Record(id_, revision, {MERGED_INTO: one["id"]}, is_deleted=True) for id_ in merged]
    return records


def _kept(api: Api, wanted: Wanted, one: Object, contacts: Iterable[str]) -> dict[str, Any]:
    """The part of a record that is stored: properties and histories by name, of histories only value and time."""
    properties = one["properties"]
    histories = one.get("propertiesWithHistory") or {}
    kept: dict[str, Any] = {
        "createdAt": one.get("createdAt"),
        "properties": {name: value for name in wanted.current if (value := properties.get(name)) is not None},
    }
    if wanted.with_history:
        kept["history"] = {
            name: [{"timestamp": entry.get("timestamp"), "value": entry.get("value")} for entry in entries]
            for name in wanted.with_history
            if (entries := histories.get(name))
        }
    if wanted.identified_by:
        addresses = [address for name in ADDRESSES for address in (properties.get(name) or "").split(";")]
        kept["identified"] = identifiers(wanted.identified_by, api.pseudonym, addresses, properties)
    if wanted.has_contacts:
        kept["contacts"] = sorted(set(contacts), key=lambda id_: (len(id_), id_))
    return kept


def _listed_contacts(api: Api, wanted: Wanted, one: Object) -> list[str]:
    page = (one.get("associations") or {}).get("contacts") or {}
    return api.associated(wanted.object_type, one["id"], "contacts", {"results": [], **page})


def _merged_into(one: Object) -> list[str]:
    ids = (one["properties"].get(MERGED) or "").split(";")
    return [id_.strip() for id_ in ids if id_.strip() not in ("", one["id"])]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _batches(things: list[T], size: int) -> Iterator[list[T]]:
    return (things[start : start + size] for start in range(0, len(things), size))


def _cursor(wanted: Wanted, gone: Iterable[Record]) -> str:
    latest = sorted(gone, key=lambda record: (str(record.payload["archivedAt"]), record.key))[-MOST_REMEMBERED:]
    return orjson.dumps({"asked": wanted.fingerprint, "archived": sorted(record.key for record in latest)}).decode()


def _mark(wanted: Wanted, archived: Iterable[str], place: str | Place) -> Mark:
    """How far a reading has got, and what was archived when it began: that may be restored until it goes on."""
    ids = sorted(archived)[-MOST_REMEMBERED:]
    return Mark(orjson.dumps({"asked": wanted.fingerprint, "archived": ids, "place": place}).decode())


def _interrupted(wanted: Wanted, mark: str | None) -> dict[str, Any]:
    """What a mark says; nothing, where another thing was asked of each record."""
    content: dict[str, Any] = orjson.loads(mark) if mark else {}
    return content if content.get("asked") == wanted.fingerprint else {}


def _remembered(cursor: str | None) -> tuple[str | None, set[str]]:
    """What was asked of each record, and which ids were archived."""
    content = orjson.loads(cursor) if cursor else {}
    return content.get("asked"), set(content.get("archived", ()))
