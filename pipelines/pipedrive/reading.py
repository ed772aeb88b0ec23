"""Reading a Pipedrive company: everything the first time, what has changed since then, and what is gone or back.

Belongs here: which requests make up a reading, how far it has got, and which part of a record is kept (an allow-list).
Does not: how a request is made (`api`) or what a record means.

The history of a record costs twenty tokens, twice what a page of five hundred records does, and the whole company has
one budget for a day. So a record's history is asked for only where the record has changed since it was made, and since
the last reading; pages are small, and a reading that must stop goes on where it was (`Mark`): the history of a whole
company may take days. A history that Pipedrive does not have takes nothing from the record: it is as its list says.

Archived deals have a list of their own and are deals like others. Deleted ones are listed for thirty days, and that
list is read whole each time. Persons and activities have no such list; what Pipedrive changed of late (`/recents`)
names those that are not active any more. What is restored need not have changed otherwise: so what was found deleted is
kept in the cursor, and looked for, a deal once it has left its list, the others for thirty days.

Once in a while, and whenever no reading came to its end for thirty days, all lists are read again, without histories:
so what was deleted or restored unnoticed is noticed, and what changes without a record's last change (the products
attached to a deal). Where too much is missing, nothing is believed to be gone (`held`).

The cursor also keeps what was asked of each record, what options and stages were ever called, and when all lists were
last read. Where more is asked now, everything is read again, with histories: what has not changed lately says it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from pipelines.identification import Known, identifiers
from pipelines.pipedrive.api import MOST_A_PAGE, MOST_IDS, Api, Object, changed_at
from pipelines.pipedrive.declared import Field
from pipelines.pipedrive.stored import NAMES, Labels, history_key, names_of
from pipelines.source import Covered, Mark, Read, Record

T = TypeVar("T")

OWNER, STAGE, STATUS, VALUE, CURRENCY = "owner_id", "stage_id", "status", "value", "currency"
CLOSE_DATE, PIPELINE, TYPE = "expected_close_date", "pipeline_id", "type"
OWN_FIELDS = {
    OWNER: Field(("owner_id", "user_id")),  # in the changelog of a deal it has the name of the first version
    STATUS: Field(("status",)),
    VALUE: Field(("value",)),
    CURRENCY: Field(("currency",)),
    CLOSE_DATE: Field(("expected_close_date",)),
}
"""Pipedrive's own fields; those of pipeline, stage and type have names that are the company's (`declared`)."""

A_PAGE_WITH_HISTORIES = 25
MOST_CUSTOM_FIELDS = 15
RESTORABLE = timedelta(days=30)
"""So long after it was deleted a record can come back."""
MOST_REMEMBERED = 10_000
"""Deleted ids kept in the cursor, the latest ones."""
FEWEST_WITHOUT_HISTORY = 5
"""Where a page asks for as many histories and has none, it is the address that is wrong."""


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
        content = ["in two parts", self.kind, list(self.kept), asked, self.has_histories, known, self.has_products]
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
    """What the last complete reading left behind.

    labels: what options were ever called. deleted: id -> the day on which it was found to be deleted. whole: when all
    lists were last read.
    """

    asked: str | None = None
    labels: Labels = field(default_factory=dict)
    deleted: Mapping[str, str] = field(default_factory=dict)
    whole: datetime | None = None

    @classmethod
    def of(cls, cursor: str | None) -> _Memory:
        """What stands in a cursor; nothing, in none."""
        content = orjson.loads(cursor) if cursor else {}
        deleted = {id_: day for day, ids in content.get("deleted", {}).items() for id_ in ids}
        whole = datetime.fromisoformat(content["whole"]) if "whole" in content else None
        return cls(content.get("asked"), content.get("labels", {}), deleted, whole)

    def cursor(self) -> str:
        """What `of` finds it in."""
        latest = sorted(self.deleted.items(), key=lambda one: (one[1], one[0]))[-MOST_REMEMBERED:]
        deleted: dict[str, list[str]] = {}
        for id_, day in latest:
            deleted.setdefault(day, []).append(id_)
        content = {"asked": self.asked, "labels": self.labels, "deleted": deleted, "whole": self.whole}
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()

    def called(self, now: Labels) -> Labels:
        """What the options of the fields that there are now are called, or were when there were such options."""
        return {name: {**self.labels.get(name, {}), **labels} for name, labels in now.items()}

    def is_due(self, read: Read, reread: timedelta) -> bool:
        """Whether all lists are to be read again: it is time, or deletions may have come and gone unnoticed."""
        if read.cursor is None:
            return False
        is_late = read.since is not None and read.until - read.since >= RESTORABLE
        return is_late or self.whole is None or read.until - self.whole >= reread


@dataclass(frozen=True)
class _Place:
    """How far a reading has got: its list, and the cursor of the page that is next there."""

    list: int = 0
    after: str = ""

    @classmethod
    def of(cls, mark: str | None) -> _Place:
        """The place of a mark."""
        content = orjson.loads(mark) if mark else {}
        return cls(content.get("list", 0), content.get("after", ""))

    def mark(self) -> Mark:
        """What `of` finds it by."""
        return Mark(orjson.dumps({"list": self.list, "after": self.after}).decode())


def read_all(api: Api, wanted: Wanted, read: Read, reread: timedelta) -> Generator[list[Record] | Mark, None, Covered]:
    """Pages of records: what a fetch is, once the account is open. reread: how often all lists are read again."""
    memory, place = _Memory.of(read.cursor), _Place.of(read.mark)
    labels = memory.called(wanted.labels)
    if labels != memory.labels:
        yield [Record(NAMES, None, names_of(labels))]
    since = read.since if memory.asked == wanted.fingerprint else None
    gone = {record.key: record for record in _gone(api, wanted, read.since)}
    left = memory.deleted.keys() - gone.keys()
    lists = _LISTS[wanted.kind]
    for number, path in enumerate(lists[place.list :], place.list):
        after = place.after if number == place.list else ""
        for page, following in api.listed(path, _asked(wanted, since), _size(wanted), after):
            yield _noted([*_records(api, wanted, page)], gone, left)
            yield _Place(number if following else number + 1, following).mark()
    for ids in _batches(sorted(left), MOST_IDS):
        for path in lists:
            named = api.by_ids(path, wanted.parameters(), ids)
            yield _noted([*_records(api, wanted, [one for one in named if not one.get("is_deleted")])], gone, left)
    present, whole = None, memory.whole or read.until
    if memory.is_due(read, reread):
        found, whole = {NAMES}, read.until
        for path in lists:
            for page, _ in api.listed(path, wanted.parameters(), MOST_A_PAGE):
                records = _noted([*_listed(api, wanted, page)], gone, left)
                found |= {record.key for record in records if not record.is_deleted}
                yield records
        present = frozenset(found)
    yield from _batches(list(gone.values()), 1000)
    deleted = {key: memory.deleted.get(key, _day(read.until)) for key in gone}
    if wanted.kind != "deals":
        deleted |= {key: day for key in left if (day := memory.deleted[key]) >= _day(read.until - RESTORABLE)}
    memory = _Memory(wanted.fingerprint, labels, deleted, whole)
    return Covered(start=since, end=read.until, cursor=memory.cursor(), present=present)


def _noted(records: list[Record], gone: dict[str, Record], left: set[str]) -> list[Record]:
    """Records of a list: what it still has is not deleted, whatever was said of it before."""
    for record in records:
        if not record.is_deleted:
            gone.pop(record.key, None)
            left.discard(record.key)
    return records


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


_LISTS = {"deals": ("deals", "deals/archived"), "persons": ("persons",), "activities": ("activities",)}
_ITEMS = {"persons": "person", "activities": "activity"}


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
                yield from (_deleted(one) for one in page)
    elif since is not None:
        for one in api.recents(_ITEMS[wanted.kind], f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S}"):
            if one.get("active_flag") is False:
                yield _deleted(one)


def _deleted(one: Object) -> Record:
    """That a record is gone. Without a revision: what is restored has the last change that it had before."""
    return Record(str(one["id"]), None, {}, is_deleted=True)


def _records(api: Api, wanted: Wanted, page: Sequence[Object]) -> Iterator[Record]:
    """Each record as it is kept, and the history of each that has one."""
    yield from _listed(api, wanted, page)
    asked = missing = 0
    for one in page if wanted.has_histories else ():
        if one.get("is_deleted") or _is_as_it_was_made(one):
            continue
        entries, asked = api.changelog(wanted.kind, one["id"]), asked + 1
        if entries is None:
            missing += 1
            continue
        whose = {name: _text(one.get(name)) for name in ("person_id",) if name in wanted.kept}
        yield Record(history_key(str(one["id"])), changed_at(one), {**whose, **_history(wanted, entries)})
    if asked == missing >= FEWEST_WITHOUT_HISTORY:
        raise api.strange(f"none of {asked} histories of {wanted.kind} that were asked for is there (HTTP 404)")


def _listed(api: Api, wanted: Wanted, page: Sequence[Object]) -> Iterator[Record]:
    """What a list says of each record."""
    products = api.products([one["id"] for one in page]) if wanted.has_products else {}
    for one in page:
        if one.get("is_deleted"):
            yield _deleted(one)
            continue
        try:
            kept = _kept(api, wanted, one)
        except (AttributeError, TypeError, KeyError, ValueError) as failure:
            kept = {"strange": f"it has another shape than Pipedrive documents ({type(failure).__name__})"}
        if wanted.has_products:
            kept["products"] = sorted(products.get(one["id"], ()))
        yield Record(str(one["id"]), changed_at(one), kept)


def _kept(api: Api, wanted: Wanted, one: Object) -> dict[str, Any]:
    kept: dict[str, Any] = {name: _text(one.get(name)) for name in wanted.kept}
    kept["values"] = {name: of.of(one) or "" for name, of in wanted.fields.items()}
    if wanted.identified_by:
        addresses = [entry["value"] for entry in one.get("emails") or ()]
        fields = {name: of.word(one) for name, of in wanted.identifying.items()}
        kept["identified"] = identifiers(wanted.identified_by, api.pseudonym, addresses, fields)
    return kept


def _is_as_it_was_made(one: Object) -> bool:
    """Whether it has never been changed: then it has no history."""
    return one.get("add_time") is not None and one.get("add_time") == one.get("update_time")


def _history(wanted: Wanted, entries: Sequence[Any]) -> dict[str, Any]:
    """The changes of the fields that are kept, by field: when, from what, to what; nothing of who made them."""
    names = {key: name for name, of in wanted.fields.items() for key in of.keys}
    found: dict[str, list[dict[str, str | None]]] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("field_key"), str):
            return {"history": {}, "strange": "its changelog has an entry that names no field"}
        if (name := names.get(entry["field_key"])) is not None:
            of = wanted.fields[name]
            old, new = of.text(entry.get("old_value")), of.text(entry.get("new_value"))
            found.setdefault(name, []).append({"time": _text(entry.get("time")), "old": old, "new": new})
    return {"history": found}


def _text(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _batches(things: Sequence[T], size: int) -> Iterator[list[T]]:
    return (list(things[start : start + size]) for start in range(0, len(things), size))


def own_fields(*names: str) -> dict[str, Field]:
    """Pipedrive's own fields of these names."""
    return {name: OWN_FIELDS[name] for name in names}
