"""Reading a Pipedrive company: everything the first time, what has changed since then, and what is gone or back.

Belongs here: which requests make up a reading, how far it has got, and which part of a record is kept (an allow-list).
Does not: how a request is made (`api`) or what a record means.

The history of a record costs twenty tokens, twice what a page of five hundred records does, and the whole company has
one budget for a day. So a record's history is asked for only where the record has changed since it was made, pages are
small, and a reading that must stop goes on where it was (`Mark`): the history of a whole company may take days.

Archived deals have a list of their own and are deals like others. Deleted ones are listed for thirty days, and that
list is read whole each time. Persons and activities have no such list; what Pipedrive changed of late (`/recents`)
names those that are not active any more. What is restored need not have changed otherwise: so what was found deleted is
kept in the cursor, and looked for, a deal once it has left its list, the others for thirty days.

The cursor also keeps what was asked of each record, and what options and stages were called. Where more is asked now,
or something is called otherwise, everything is read again: what has not changed lately says it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from pipelines.identification import Known, identifiers
from pipelines.pipedrive.api import MOST_A_PAGE, MOST_IDS, Api, Object, changed_at
from pipelines.pipedrive.declared import Field
from pipelines.source import Covered, Mark, Read, Record

T = TypeVar("T")
Labels = Mapping[str, Mapping[str, str]]
"""What options are called: field -> id -> name."""

OWNER, STAGE, STATUS, VALUE, CLOSE_DATE = "owner_id", "stage_id", "status", "value", "expected_close_date"
PIPELINE, TYPE = "pipeline_id", "type"
OWN_FIELDS = {
    OWNER: Field(("owner_id", "user_id")),  # in the changelog of a deal it has the name of the first version
    STATUS: Field(("status",)),
    VALUE: Field(("value",)),
    CLOSE_DATE: Field(("expected_close_date",)),
}
"""Pipedrive's own fields; those of pipeline, stage and type have names that are the company's (`declared`)."""

A_PAGE_WITH_HISTORIES = 25
MOST_CUSTOM_FIELDS = 15
RESTORABLE = timedelta(days=30)
"""So long after it was deleted a record can come back."""
MOST_REMEMBERED = 10_000
"""Deleted ids kept in the cursor, the latest ones."""


@dataclass(frozen=True)
class Wanted:
    """What is read of one type of record.

    kind: deals, persons or activities. kept: parts of the record that are stored as they are. fields: those whose
    values are stored, by the name that the options use. histories: whether each change of them is, too. identified_by:
    by what else its customers are known; identifying: the fields that say so, by the name that the options use.
    has_products: whether the names of the products attached to it are stored.
    """

    kind: str
    kept: tuple[str, ...]
    fields: Mapping[str, Field] = field(default_factory=dict)
    has_histories: bool = False
    identified_by: tuple[Known, ...] = ()
    identifying: Mapping[str, Field] = field(default_factory=dict)
    has_products: bool = False

    @property
    def fingerprint(self) -> str:
        """Changes with what is asked of each record."""
        asked = {name: [*one.keys, str(one.has_several)] for name, one in self.fields.items()}
        known = [[one.by, one.field] for one in self.identified_by]
        content = [self.kind, list(self.kept), asked, self.has_histories, known, self.has_products]
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    @property
    def labels(self) -> Labels:
        """What options are called, by field."""
        return {name: dict(one.labels) for name, one in self.fields.items() if one.labels}

    def parameters(self) -> dict[str, str]:
        """Of a request for a list: only the fields of the company's own that are kept, where they are few."""
        asked = (*self.fields.values(), *self.identifying.values())
        own = [key for one in asked for key in one.keys if len(key) == 40]
        return {"custom_fields": ",".join(own)} if 0 < len(own) <= MOST_CUSTOM_FIELDS else {}


@dataclass(frozen=True)
class _Memory:
    """What the last complete reading left behind. deleted: id -> the day on which it was found to be deleted."""

    asked: str | None = None
    labels: Labels = field(default_factory=dict)
    deleted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: str | None) -> _Memory:
        """What stands in a cursor; nothing, in none."""
        content = orjson.loads(cursor) if cursor else {}
        deleted = {id_: day for day, ids in content.get("deleted", {}).items() for id_ in ids}
        return cls(content.get("asked"), content.get("labels", {}), deleted)

    def cursor(self) -> str:
        """What `of` finds it in."""
        latest = sorted(self.deleted.items(), key=lambda one: (one[1], one[0]))[-MOST_REMEMBERED:]
        deleted: dict[str, list[str]] = {}
        for id_, day in latest:
            deleted.setdefault(day, []).append(id_)
        content = {"asked": self.asked, "labels": self.labels, "deleted": deleted}
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()

    def knows(self, wanted: Wanted) -> bool:
        """Whether what is stored says what is asked now, in the words that are used now."""
        return self.asked == wanted.fingerprint and not _are_renamed(self.labels, wanted.labels)


@dataclass(frozen=True)
class _Place:
    """How far a reading has got: its list, the cursor of the page that is next there, and what options were called."""

    list: int = 0
    after: str = ""
    labels: Labels = field(default_factory=dict)

    @classmethod
    def of(cls, mark: str | None, labels: Labels) -> _Place:
        """The place of a mark; the beginning where options have been renamed since."""
        content = orjson.loads(mark) if mark else None
        if content is None or _are_renamed(content["labels"], labels):
            return cls(labels=labels)
        return cls(content["list"], content["after"], labels)

    def mark(self) -> Mark:
        """What `of` finds it by."""
        return Mark(orjson.dumps({"list": self.list, "after": self.after, "labels": self.labels}).decode())


def _are_renamed(before: Labels, now: Labels) -> bool:
    """Whether an option is called otherwise; one that was added or deleted changes nothing of what was read."""
    return any(
        labels.get(id_, label) != label for name, labels in now.items() for id_, label in before.get(name, {}).items()
    )


def read_all(api: Api, wanted: Wanted, read: Read) -> Generator[list[Record] | Mark, None, Covered]:
    """Pages of records: what a fetch is, once the account is open."""
    memory, place = _Memory.of(read.cursor), _Place.of(read.mark, wanted.labels)
    since = read.since if memory.knows(wanted) else None
    gone = {record.key: record for record in _gone(api, wanted, read.since)}
    left = memory.deleted.keys() - gone.keys()
    lists = _LISTS[wanted.kind]
    for number, path in enumerate(lists[place.list :], place.list):
        after = place.after if number == place.list else ""
        for page, following in api.listed(path, _asked(wanted, since), _size(wanted), after):
            records = list(_records(api, wanted, page))
            _note_those_alive(records, gone, left)
            yield records
            yield _Place(number if following else number + 1, following, place.labels).mark()
    for ids in _batches(sorted(left), MOST_IDS):
        for path in lists:
            named = api.by_ids(path, wanted.parameters(), ids)
            found = [_restored(one, read.until) for one in _records(api, wanted, named) if not one.is_deleted]
            _note_those_alive(found, gone, left)
            yield found
    yield from _batches(list(gone.values()), 1000)
    deleted = {key: memory.deleted.get(key, _day(read.until)) for key in gone}
    if wanted.kind != "deals":
        deleted |= {key: day for key in left if (day := memory.deleted[key]) >= _day(read.until - RESTORABLE)}
    memory = _Memory(wanted.fingerprint, wanted.labels, deleted)
    return Covered(start=since, end=read.until, cursor=memory.cursor())


def _note_those_alive(records: Iterable[Record], gone: dict[str, Record], left: set[str]) -> None:
    """What a list still has is not deleted, whatever was said of it before."""
    for record in records:
        if not record.is_deleted:
            gone.pop(record.key, None)
            left.discard(record.key)


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


_LISTS = {"deals": ("deals", "deals/archived"), "persons": ("persons",), "activities": ("activities",)}
_ITEMS = {"persons": "person", "activities": "activity"}


def _restored(record: Record, at: datetime) -> Record:
    """A record as it is again since its deletion, which may have been its last change as well."""
    return replace(record, revision=at if record.revision is None else max(record.revision, at))


def _asked(wanted: Wanted, since: datetime | None) -> dict[str, str]:
    changed = {} if since is None else {"updated_since": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"}
    return {**wanted.parameters(), **changed}


def _size(wanted: Wanted) -> int:
    return A_PAGE_WITH_HISTORIES if wanted.has_histories else MOST_A_PAGE


def _gone(api: Api, wanted: Wanted, since: datetime | None) -> Iterator[Record]:
    """What is deleted now, as far as Pipedrive still says so; nothing of what was gone before a first reading."""
    if wanted.kind == "deals":
        for path in _LISTS["deals"]:
            for page, _ in api.listed(path, {"status": "deleted"}, MOST_A_PAGE):
                yield from (Record(str(one["id"]), changed_at(one), {}, is_deleted=True) for one in page)
    elif since is not None:
        for one in api.recents(_ITEMS[wanted.kind], f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S}"):
            if one.get("active_flag") is False:
                yield Record(str(one["id"]), changed_at(one), {}, is_deleted=True)


def _records(api: Api, wanted: Wanted, page: Sequence[Object]) -> Iterator[Record]:
    """Each record as it is kept. One that was deleted while it was read is left to the next reading."""
    products = api.products([one["id"] for one in page]) if wanted.has_products else {}
    for one in page:
        key, revision = str(one["id"]), changed_at(one)
        if one.get("is_deleted"):
            yield Record(key, revision, {}, is_deleted=True)
            continue
        kept: dict[str, Any] = {name: _text(one.get(name)) for name in wanted.kept}
        kept["values"] = {name: value for name, of in wanted.fields.items() if (value := of.of(one)) is not None}
        if wanted.has_products:
            kept["products"] = sorted(products.get(one["id"], ()))
        if wanted.identified_by:
            kept["identified"] = _identified(api, wanted, one)
        if wanted.has_histories:
            entries = _changelog(api, wanted, one)
            if entries is None:
                continue
            kept["history"] = _history(wanted, entries)
        yield Record(key, revision, kept)


def _identified(api: Api, wanted: Wanted, one: Object) -> list[dict[str, str]]:
    addresses = [entry.get("value") for entry in one.get("emails") or ()]
    fields = {name: of.of(one) for name, of in wanted.identifying.items()}
    return identifiers(wanted.identified_by, api.pseudonym, addresses, fields)


def _changelog(api: Api, wanted: Wanted, one: Object) -> list[Object] | None:
    """A record's changes; none are asked for of one that has never been changed."""
    is_as_it_was_made = one.get("add_time") is not None and one.get("add_time") == one.get("update_time")
    return [] if is_as_it_was_made else api.changelog(wanted.kind, one["id"])


def _history(wanted: Wanted, entries: Sequence[Object]) -> dict[str, list[dict[str, str | None]]]:
    """The changes of the fields that are kept, by field: when, from what, to what; nothing of who made them."""
    names = {key: name for name, of in wanted.fields.items() for key in of.keys}
    found: dict[str, list[dict[str, str | None]]] = {}
    for entry in entries:
        if (name := names.get(str(entry["field_key"]))) is not None:
            of = wanted.fields[name]
            old, new = of.text(entry.get("old_value")), of.text(entry.get("new_value"))
            found.setdefault(name, []).append({"time": _text(entry.get("time")), "old": old, "new": new})
    return found


def _text(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _batches(things: Sequence[T], size: int) -> Iterator[list[T]]:
    return (list(things[start : start + size]) for start in range(0, len(things), size))


def own_fields(*names: str) -> dict[str, Field]:
    """Pipedrive's own fields of these names."""
    return {name: OWN_FIELDS[name] for name in names}
