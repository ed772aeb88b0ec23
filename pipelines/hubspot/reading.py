"""Reading a HubSpot account: everything the first time, what has changed since then, and what is gone or back.

Belongs here: which requests make up a reading, and which part of a record is kept (an allow-list: what is not asked for
is not stored either, even where HubSpot sends it). Does not: how a request is made (`api`) or what a record means.

Archived records have a list of their own, without a filter by time, and archiving or restoring a record does not move
its last change. So the archived list is read whole each time, before the live records; a record seen live later in the
same reading is live; and the ids that were archived are kept in the cursor, so that one which has left that list is
read again: it was restored, or its ninety days are over and it is gone for good.

The cursor also keeps what was asked of each record. Where more is asked now, because the options name another property,
everything is read again: what has not changed lately has that property too. So it is once in a while anyway: HubSpot
may associate a record with another customer, or with other line items, without a new last change of the record. What
is then not there any more, and in no archive (HubSpot has erased it for good), is gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import orjson

from pipelines.hubspot.api import HISTORY_LIMIT, LIST_LIMIT, Api, Object, Place, beginning, has_property
from pipelines.identification import Known, fields_of, has_addresses, identifiers
from pipelines.source import Covered, Mark, Read, Record

T = TypeVar("T")

ADDRESSES = ("email", "hs_additional_emails")
"""Properties of contacts that hold mail addresses: asked for where they are known by them, and never stored."""
DOMAINS = ("domain", "hs_additional_domains")
"""Properties of companies that hold the domains of their addresses."""
CUSTOMERS = ("contacts", "companies")
"""What may be merged, and what others are associated with."""
LINES = "line_items"
OWNER = "hubspot_owner_id"
MERGED, MERGED_INTO = "hs_merged_object_ids", "mergedInto"
MOST_REMEMBERED = 10_000
"""Archived ids kept in the cursor, the latest ones. An older one that is restored is found by the next full reading."""


@dataclass(frozen=True)
class Wanted:
    """What is read of one type of record.

    associated: the types of record whose ids are read with it. of_lines: properties of its line items.
    are_owners_addressed: whether owners are called by pseudonyms of their addresses, and not by their ids.
    """

    object_type: str
    properties: tuple[str, ...]
    with_history: tuple[str, ...] = ()
    associated: tuple[str, ...] = ("contacts",)
    is_mergeable: bool = False
    identified_by: tuple[Known, ...] = ()
    of_lines: tuple[str, ...] = ()
    are_owners_addressed: bool = False

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
        kinds = DOMAINS if self.object_type == "companies" else ADDRESSES
        addresses = kinds if has_addresses(self.identified_by) else ()
        return tuple(dict.fromkeys((*self.current, *fields_of(self.identified_by), *addresses)))

    def parameters(self) -> dict[str, str]:
        """Of a request for one record or a list of them."""
        given = {"properties": ",".join(self.asked)}
        if self.with_history:
            given["propertiesWithHistory"] = ",".join(self.with_history)
        if self.associated:
            given["associations"] = ",".join(self.associated)
        return given

    @property
    def customers(self) -> tuple[str, ...]:
        """The types of customer whose ids are kept."""
        return tuple(to for to in self.associated if to in CUSTOMERS)

    @property
    def fingerprint(self) -> str:
        """Changes with what is asked of each record."""
        more: list[Any] = [*([one.by, one.field] for one in self.identified_by), *self.of_lines]
        more += ["owners"] if self.are_owners_addressed else []
        content = [self.parameters(), more] if more else self.parameters()
        return hashlib.sha256(orjson.dumps(content)).hexdigest()[:12]

    def body(self) -> Object:
        """Of a request for a batch of them, which has no associations."""
        return {"properties": list(self.asked), "propertiesWithHistory": list(self.with_history)}


def read_all(api: Api, wanted: Wanted, read: Read, reread: timedelta) -> Generator[list[Record] | Mark, None, Covered]:
    """Pages of records: what a fetch is, once the account is open. reread: how often all of them are read."""
    was_asked, once_gone, whole = _remembered(read.cursor)
    is_due = whole is None or read.until - whole >= reread
    owners = {id_: api.pseudonym(address.strip().lower()) for id_, address in _owners(api, wanted).items()}
    since = read.since if was_asked == wanted.fingerprint and not is_due else None
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
    present = set(gone)
    for page, place in pages:
        for record in page:
            present.add(record.key)
            if not record.is_deleted:
                gone.pop(record.key, None)
        yield [_of_owners(record, owners) for record in page]
        if place:
            yield _mark(wanted, archived, place)
    yield from _batches(list(gone.values()), 1000)
    if since is not None:
        return Covered(since, read.until, _cursor(wanted, gone.values(), whole))
    if interrupted:  # what was listed before the mark is there too
        ids = {"limit": str(LIST_LIMIT), "properties": "hs_object_id"}
        present |= {one["id"] for page, _ in api.listed(wanted.object_type, ids) for one in page}
    return Covered(None, read.until, _cursor(wanted, gone.values(), read.until), frozenset(present))


def _owners(api: Api, wanted: Wanted) -> dict[str, str]:
    return api.owners() if wanted.are_owners_addressed else {}


def _of_owners(record: Record, owners: Mapping[str, str]) -> Record:
    """The record with its owners, now and before, called as they are in `owners`."""
    if not owners or record.is_deleted:
        return record
    payload = dict(record.payload)
    told = payload.get("history")
    properties, history = dict(payload["properties"]), told if isinstance(told, dict) else {}
    if OWNER in properties:
        payload["properties"] = {**properties, OWNER: owners.get(str(properties[OWNER]), properties[OWNER])}
    if isinstance(history.get(OWNER), list):
        entries = [{**entry, "value": owners.get(str(entry["value"]), entry["value"])} for entry in history[OWNER]]
        payload["history"] = {**history, OWNER: entries}
    return replace(record, payload=payload)


def _everything(
    api: Api, wanted: Wanted, after: str, returned: Iterable[str]
) -> Iterator[tuple[list[Record], str | None]]:
    """All records from a place in the list on, and those that left the archive since an interrupted reading began."""
    parameters = {**wanted.parameters(), "limit": str(wanted.page_size)}
    for page, following in api.listed(wanted.object_type, parameters, after):
        related = {
            to: {one["id"]: _listed_associated(api, wanted, one, to) for one in page} for to in wanted.associated
        }
        yield _records(api, wanted, page, related), following
    yield from ((page, None) for page in _read_again(api, wanted, dict.fromkeys(sorted(returned))))


def _changes(
    api: Api, wanted: Wanted, since: datetime, place: Place, returned: Iterable[str]
) -> Iterator[tuple[list[Record], Place | None]]:
    """The records changed since then, those that are no longer archived, and those whose customers were merged."""
    seen: set[str] = set()
    for found, following in api.changed(wanted.object_type, place):
        new = {id_: at for id_, at in found if id_ not in seen}
        seen |= new.keys()
        *pages, last = _read_again(api, wanted, new) or [[]]
        yield from ((page, None) for page in pages)
        yield last, following
    more = {*returned, *(id_ for to in wanted.customers for id_ in _of_merged(api, wanted.object_type, to, since))}
    yield from ((page, None) for page in _read_again(api, wanted, dict.fromkeys(sorted(more - seen))))


def _of_merged(api: Api, object_type: str, customers: str, since: datetime) -> set[str]:
    """Ids of the records of customers merged of late: they have another customer now, and no new last change."""
    found = api.changed(customers, beginning(since), has_property(MERGED))
    winners = [id_ for page, _ in found for id_, _ in page]
    related = (api.related(customers, object_type, ids) for ids in _batches(winners, LIST_LIMIT))
    return {id_ for by_customer in related for found in by_customer.values() for id_ in found}


def _read_again(api: Api, wanted: Wanted, changed: Mapping[str, str | None]) -> list[list[Record]]:
    """Records by their ids, in pages. One that search still gives though it cannot be read any more is gone."""
    pages = []
    for ids in _batches(list(changed), wanted.page_size):
        found = api.read(wanted.object_type, ids, wanted.body(), wanted.parameters())
        read = [one["id"] for one in found]
        related = {to: api.related(wanted.object_type, to, read) for to in wanted.associated} if read else {}
        missing = ((id_, changed[id_]) for id_ in ids if id_ not in read)
        gone = [Record(id_, _instant(at), {}, is_deleted=True) for id_, at in missing if at is not None]
        pages.append([*_records(api, wanted, found, related), *gone])
    return pages


def _archived(api: Api, wanted: Wanted) -> list[Record]:
    """What is archived now: its revision is its last change, so that restoring it needs no newer one."""
    parameters = {"archived": "true", "limit": str(LIST_LIMIT), "properties": "hs_object_id"}
    return [
        Record(one["id"], _instant(one["updatedAt"]), {"archivedAt": one.get("archivedAt")}, is_deleted=True)
        for page, _ in api.listed(wanted.object_type, parameters)
        for one in page
    ]


Related = Mapping[str, Mapping[str, Sequence[str]]]
"""Type of record -> id of a record -> ids of the records of that type that are associated with it."""


def _records(api: Api, wanted: Wanted, found: Sequence[Object], related: Related) -> list[Record]:
    """Each record as it is kept, and after it the records that were merged into it: they are gone."""
    lines = _of_lines(api, wanted, related.get(LINES, {}))
    records = []
    for one in found:
        revision = _instant(one["updatedAt"])
        customers = {to: list(ids.get(one["id"], ())) for to, ids in related.items() if to != LINES}
        kept = {**_kept(api, wanted, one), **{to: [] for to in wanted.customers}, **customers}
        if wanted.of_lines:
            kept["lines"] = lines.get(one["id"], {})
        records.append(Record(one["id"], revision, kept))
        merged = _merged_into(one) if wanted.is_mergeable else ()
        records += [Record(id_, revision, {MERGED_INTO: one["id"]}, is_deleted=True) for id_ in merged]
    return records


def _of_lines(api: Api, wanted: Wanted, lines_of: Mapping[str, Sequence[str]]) -> dict[str, dict[str, list[str]]]:
    """Id of a record -> property of its line items -> the values that it has there; an empty one is a value too."""
    ids = list(dict.fromkeys(id_ for ids in lines_of.values() for id_ in ids))
    body: Object = {"properties": list(wanted.of_lines), "propertiesWithHistory": []}
    parameters = {"properties": ",".join(wanted.of_lines)}
    batches = (api.read(LINES, batch, body, parameters) for batch in _batches(ids, LIST_LIMIT))
    lines = {one["id"]: one["properties"] for batch in batches for one in batch}
    return {
        id_: {name: sorted({lines[line].get(name) or "" for line in its if line in lines}) for name in wanted.of_lines}
        for id_, its in lines_of.items()
    }


def _kept(api: Api, wanted: Wanted, one: Object) -> dict[str, Any]:
    """The part of a record that is stored: properties and histories by name, of histories only value and time."""
    properties = one["properties"]
    histories = one.get("propertiesWithHistory") or {}
    kept: dict[str, Any] = {
        "createdAt": one.get("createdAt"),
        "properties": {name: value for name in wanted.current if (value := properties.get(name)) is not None},
    }
    if wanted.with_history:
        kept["history"] = _histories(histories, wanted.with_history)
    if wanted.identified_by:
        addresses, domains = (
            [value for name in names for value in str(properties.get(name) or "").split(";")]
            for names in (ADDRESSES, DOMAINS)
        )
        known = wanted.identified_by
        kept["identified"] = identifiers(known, api.pseudonym, addresses, properties, domains)
    return kept


def _histories(told: Any, names: Iterable[str]) -> Any:
    """Of histories, only value and time; in place of what is no history, something else that is none either."""
    if not isinstance(told, dict):
        return []
    return {name: _entries(entries) for name in names if (entries := told.get(name))}


def _entries(told: Any) -> Any:
    if not isinstance(told, list):
        return {}
    entries = (one if isinstance(one, dict) else {} for one in told)
    return [{"timestamp": one.get("timestamp"), "value": one.get("value")} for one in entries]


def _listed_associated(api: Api, wanted: Wanted, one: Object, to: str) -> list[str]:
    """What a list says of a record's associations; of line items it speaks in words of its own."""
    associations = one.get("associations") or {}
    page = associations.get(to) or associations.get(to.replace("_", " ")) or {}
    return api.associated(wanted.object_type, one["id"], to, {"results": [], **page})


def _merged_into(one: Object) -> list[str]:
    ids = str(one["properties"].get(MERGED) or "").split(";")
    return [id_.strip() for id_ in ids if id_.strip() not in ("", one["id"])]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _batches(things: list[T], size: int) -> Iterator[list[T]]:
    return (things[start : start + size] for start in range(0, len(things), size))


def _cursor(wanted: Wanted, gone: Iterable[Record], whole: datetime | None) -> str:
    latest = sorted(gone, key=lambda record: (str(record.payload["archivedAt"]), record.key))[-MOST_REMEMBERED:]
    archived = sorted(record.key for record in latest)
    return orjson.dumps({"asked": wanted.fingerprint, "archived": archived, "whole": whole}).decode()


def _mark(wanted: Wanted, archived: Iterable[str], place: str | Place) -> Mark:
    """How far a reading has got, and what was archived when it began: that may be restored until it goes on.

    Ids of people are not put down here: a contact that is restored meanwhile is read when all are.
    """
    ids = [] if wanted.object_type == "contacts" else sorted(archived)[-MOST_REMEMBERED:]
    return Mark(orjson.dumps({"asked": wanted.fingerprint, "archived": ids, "place": place}).decode())


def _interrupted(wanted: Wanted, mark: str | None) -> dict[str, Any]:
    """What a mark says; nothing, where another thing was asked of each record."""
    content: dict[str, Any] = orjson.loads(mark) if mark else {}
    return content if content.get("asked") == wanted.fingerprint else {}


def _remembered(cursor: str | None) -> tuple[str | None, set[str], datetime | None]:
    """What was asked of each record, which ids were archived, and when all records were read the last time."""
    content = orjson.loads(cursor) if cursor else {}
    whole = content.get("whole")
    return content.get("asked"), set(content.get("archived", ())), whole and _instant(whole)
