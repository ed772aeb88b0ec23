"""Reading a Salesforce org: everything the first time, what has changed since then, and what is gone.

Belongs here: which queries make up a reading, and which part of a record is kept (an allow-list: what is not asked for
is not stored either). Does not: how a query is asked (`api`) or what a record means.

Records come in the order of their last change, by Salesforce's own clock (SystemModstamp) and their ids, so that a bulk
update of thousands at one instant hides nothing, and a record that changes while it is read comes once more at the end.
Deleted and merged records are among them, for the fifteen days that they are in the recycle bin. After each batch a
mark says up to which instant everything has been read, so that a reading that ends early is gone on with.

A merge gives the victim's deals and activities to the winner, and a conversion the lead's to the contact; whether that
moves their own last change is not documented, so they are read again.

The cursor is what was asked of each record, and when all of them were last read. Where more is asked now, because the
options name another field, everything is read again: what has not changed lately has that field too. So it is once in a
while anyway: a customer's number, or the products on a deal, may change without a new last change of the record; and
what is not there any more without having been told as deleted (emptied from the recycle bin before) is found missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pipelines.identification import Known, fields_of, has_addresses, identifiers
from pipelines.salesforce.api import Api, Row, any_of, instant_literal, select, text_literal
from pipelines.source import Covered, Mark, Read, Record

ROWS_A_QUERY = 2_000
IDS_A_QUERY = 200
"""Ids that fit into an address beside the fields that are asked for."""

OWNER = "Owner"
"""What histories call the owner: once by name, which is not kept, and once by id."""

CURRENCY = "CurrencyIsoCode"
"""What a deal is in, and has been in: where an org has several currencies."""

LEAD_STATUS, LEAD_HISTORY = "Status", "lead_history"

ADDRESS = "Email"
"""Never stored; what is made of it is, where customers are known by it."""

Fetched = Generator[list[Record] | Mark, None, Covered]


@dataclass(frozen=True)
class Whose:
    """How a record says who its customer is: the first of these paths that says something. selected: what is asked."""

    paths: tuple[str, ...]
    selected: tuple[str, ...]
    person: tuple[str, ...] = ()  # of leads and contacts: who they are, likewise
    ids: tuple[str, ...] = ()  # and every other id that they have


@dataclass(frozen=True)
class Moved:
    """Where the records of a merged or converted one went: by this field of that object, to be found again by `by`."""

    sobject: str
    to: str
    by: str


@dataclass(frozen=True)
class Wanted:
    """What is read of one kind of record."""

    sobject: str
    fields: tuple[str, ...]
    whose: Whose
    tracked: tuple[str, ...] = ()  # fields whose history is read
    has_stages: bool = False
    line_field: str | None = None  # of the products on a deal
    where: str = ""
    moved: tuple[Moved, ...] = ()
    is_mergeable: bool = False
    identified_by: tuple[Known, ...] = ()
    has_currencies: bool = False  # of which the stage history tells
    was_lead: bool = False  # whether it is read what a record was as a lead

    @property
    def selected(self) -> tuple[str, ...]:
        """The fields and children that are asked for."""
        merged = ("MasterRecordId",) if self.is_mergeable else ()
        plain = ("Id", "IsDeleted", "SystemModstamp", "CreatedDate", *merged, *self.fields, *self.whose.selected)
        known = (*((ADDRESS,) if has_addresses(self.identified_by) else ()), *fields_of(self.identified_by))
        return (*dict.fromkeys((*plain, *known)), *self._children())

    def _children(self) -> Iterator[str]:
        if self.tracked:
            yield _child("Histories", _HISTORY, f"Field IN {any_of(self.tracked)}")
        if self.has_stages:
            yield _child("OpportunityHistories", (*_STAGES, *((CURRENCY,) if self.has_currencies else ())))
        if self.line_field:
            yield _child("OpportunityLineItems", ("IsDeleted", "TotalPrice", f"Product2.{self.line_field}"))

    def soql(self, *conditions: str, is_paged: bool = True) -> str:
        """A query for these records that also meet the conditions."""
        paged = f"ORDER BY SystemModstamp, Id LIMIT {ROWS_A_QUERY}" if is_paged else ""
        return select(self.selected, self.sobject, self.where, *conditions, then=paged)

    @property
    def fingerprint(self) -> str:
        """Changes with what is asked of each record."""
        more = [f"{one.by}={one.field}" for one in self.identified_by]
        more += [_of_leads([])] if self.was_lead else []
        return hashlib.sha256("\n".join((self.soql(), *more)).encode()).hexdigest()[:12]


_HISTORY = ("Field", "OldValue", "NewValue", "CreatedDate")
_STAGES = ("StageName", "Amount", "CloseDate", "ForecastCategory", "CreatedDate")


def _child(name: str, fields: Sequence[str], *conditions: str) -> str:
    return f"({select(fields, name, *conditions, then='ORDER BY CreatedDate, Id')})"


def _of_leads(contacts: Sequence[str]) -> str:
    """A query for the leads that were converted to some contacts, in the order of their conversions."""
    history = _child("Histories", _HISTORY, f"Field IN {any_of([LEAD_STATUS])}")
    what = ("ConvertedContactId", "ConvertedDate", LEAD_STATUS, history)
    theirs = f"ConvertedContactId IN {any_of(contacts)}"
    return select(what, "Lead", theirs, "IsDeleted = false", then="ORDER BY ConvertedDate, Id")


def read_all(api: Api, wanted: Wanted, read: Read, reread: timedelta) -> Fetched:
    """Pages of records, with a mark after each: what a fetch is, once the org is signed in to.

    reread: how often all of them are read, changed or not. What is then not there any more is told as gone.
    """
    asked, last = _remembered(read.cursor)
    whole = last if asked == wanted.fingerprint else None
    is_due = whole is None or read.until - whole >= reread
    since = None if is_due else read.since
    marked, present = _marked(wanted, read.mark), set[str]()
    for batch in _changed(api, wanted, marked or since):
        present.update(str(row["Id"]) for row in batch)
        yield _records(api, wanted, batch, read)
        yield Mark(f"{wanted.fingerprint} {instant_literal(_instant(api, batch[-1]))}")
    if since is not None:
        for batch in _of_moved(api, wanted, since):
            yield _records(api, wanted, batch, read)
        return Covered(start=since, end=read.until, cursor=f"{wanted.fingerprint} {whole}")
    if marked is not None:  # what was read before the mark is there too
        ids = select(("Id",), wanted.sobject, wanted.where)
        present |= {str(row["Id"]) for batch in api.query(ids) for row in batch}
    return Covered(None, read.until, f"{wanted.fingerprint} {read.until}", frozenset(present))


def _remembered(cursor: str | None) -> tuple[str, datetime | None]:
    """What was asked of each record, and when all were read; of a cursor that says neither, as if there were none."""
    asked, _, at = (cursor or "").partition(" ")
    return asked, _aware(at)


def _aware(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _marked(wanted: Wanted, mark: str | None) -> datetime | None:
    """The instant that an interrupted reading had got to, if it asked for the same."""
    asked, _, at = (mark or "").partition(" ")
    return _aware(at) if asked == wanted.fingerprint else None


def _records(api: Api, wanted: Wanted, batch: list[Row], read: Read) -> list[Record]:
    """Rows as they are kept. A last change that is yet to come is none: it would outlive every later one."""
    now = max(read.until, read.clock.now())
    leads = _leads_of(api, [str(row["Id"]) for row in batch]) if wanted.was_lead else {}
    return [_record(api, wanted, row, now, leads.get(str(row["Id"]))) for row in batch]


def _leads_of(api: Api, contacts: list[str]) -> dict[str, Row]:
    """Id of a contact -> the lead that was converted to it, the first one of several."""
    found: dict[str, Row] = {}
    for start in range(0, len(contacts), IDS_A_QUERY):
        for batch in api.query(_of_leads(contacts[start : start + IDS_A_QUERY])):
            for row in batch:
                found.setdefault(str(row["ConvertedContactId"]), row)
    return found


def _changed(api: Api, wanted: Wanted, since: datetime | None) -> Iterator[list[Row]]:
    """The records changed since then, in the order of their last change; each query goes on after the last row."""
    if since is not None:  # Salesforce's times have milliseconds
        since = since.replace(microsecond=since.microsecond // 1000 * 1000)
    after, floor, last = "" if since is None else f"SystemModstamp >= {instant_literal(since)}", since, ""
    at_floor: set[str] = set()  # ids of the rows that came with the last instant
    while True:
        came = 0
        for batch in api.query(wanted.soql(after)):
            for row in batch:
                at, last = _instant(api, row), str(row["Id"])
                if floor is not None and (at < floor or (at == floor and last in at_floor)):
                    raise api.strange(f"the changed {wanted.sobject}s are not in the order or span that was asked for")
                if at != floor:
                    floor = at
                    at_floor.clear()
                at_floor.add(last)
            came += len(batch)
            yield batch
        if came < ROWS_A_QUERY or floor is None:
            return
        stamp = instant_literal(floor)
        after = f"SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > {text_literal(last)})"


def _of_moved(api: Api, wanted: Wanted, since: datetime) -> Iterator[list[Row]]:
    """The records of those who were merged or converted of late: they have another customer now."""
    for moved in wanted.moved:
        became = "IsConverted = true" if moved.to.startswith("Converted") else "IsDeleted = true"
        lately = f"SystemModstamp >= {instant_literal(since)}"
        soql = select((moved.to,), moved.sobject, became, f"{moved.to} != null", lately)
        found = sorted({str(row[moved.to]) for batch in api.query(soql) for row in batch})
        for start in range(0, len(found), IDS_A_QUERY):
            theirs = f"{moved.by} IN {any_of(found[start : start + IDS_A_QUERY])}"
            yield from api.query(wanted.soql(theirs, is_paged=False))


def _record(api: Api, wanted: Wanted, row: Row, now: datetime, lead: Row | None) -> Record:
    """A row as it is kept. Of one that is gone, who it is part of now. lead: what it was before it was converted."""
    key, revision = str(row["Id"]), min(_instant(api, row), now)
    if row["IsDeleted"] is True:
        master = _id(row.get("MasterRecordId"))
        return Record(key, revision, {"ids": [master]} if master else {}, is_deleted=True)
    try:
        return Record(key, revision, {**_kept(api, wanted, row), **(_as_lead(lead) if lead else {})})
    except (AttributeError, TypeError, KeyError, ValueError) as failure:
        found = f"{wanted.sobject}s were answered in another shape than is documented ({type(failure).__name__})"
        raise api.strange(found) from None


def _as_lead(lead: Row) -> dict[str, Any]:
    return {
        "converted_on": _text(lead.get("ConvertedDate")),
        "lead_status": _text(lead.get(LEAD_STATUS)),
        LEAD_HISTORY: list(_history(lead.get("Histories") or ())),
    }


def _kept(api: Api, wanted: Wanted, row: Row) -> dict[str, Any]:
    fields = {name: text for name in wanted.fields if (text := _text(_at(row, name))) is not None}
    kept: dict[str, Any] = {"created": _text(row["CreatedDate"]), "fields": fields}
    kept["customer"] = _first(row, wanted.whose.paths)
    if wanted.whose.person:
        kept["person"] = _first(row, wanted.whose.person)
        kept["ids"] = sorted({str(found) for name in wanted.whose.ids if (found := _text(_at(row, name)))})
    if wanted.identified_by:
        kept["identified"] = identifiers(wanted.identified_by, api.access.account.pseudonym, [row.get(ADDRESS)], row)
    if wanted.tracked:
        kept["history"] = list(_history(row.get("Histories") or ()))
    if wanted.has_stages:
        kept["stages"] = [
            {
                "at": _text(one.get("CreatedDate")),
                "stage": _text(one.get("StageName")),
                "amount": _text(one.get("Amount")),
                "currency": _text(one.get(CURRENCY)),
                "close_date": _text(one.get("CloseDate")),
                "forecast": _text(one.get("ForecastCategory")),
            }
            for one in row.get("OpportunityHistories") or ()
        ]
    if wanted.line_field:
        kept["lines"] = [
            {"value": _text(one.get("TotalPrice")), "product": _text(_at(one, f"Product2.{wanted.line_field}"))}
            for one in row.get("OpportunityLineItems") or ()
            if one.get("IsDeleted") is not True
        ]
    return kept


def _history(entries: Iterable[Row]) -> Iterator[dict[str, str | None]]:
    """A history without the names that it has of owners."""
    for one in entries:
        field, old, new = str(one.get("Field")), _text(one.get("OldValue")), _text(one.get("NewValue"))
        if field == OWNER:
            if not any(value and _ID.fullmatch(value) for value in (old, new)):
                continue
            old, new = _id(old), _id(new)
        yield {"field": field, "at": _text(one.get("CreatedDate")), "old": old, "new": new}


def _first(row: Row, paths: Sequence[str]) -> str | None:
    return next((found for path in paths if (found := _text(_at(row, path)))), None)


def _at(row: Row, path: str) -> Any:
    """A field, or one of a record that it belongs to."""
    name, _, rest = path.partition(".")
    value = row.get(name)
    return value if not rest else _at(value, rest) if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    """A value as text, numbers in full; null where it is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return None if value is None else str(value).strip() or None


_ID = re.compile(r"0[0-9A-Za-z]{14}(?:[0-9A-Za-z]{3})?")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _id(text: Any) -> str | None:
    """An id in its long form, of which the end says which letters are capitals; null for what is none."""
    found = _text(text)
    if found is None or not _ID.fullmatch(found):
        return None
    return found if len(found) == 18 else found + id_check(found)


def id_check(short: str) -> str:
    """The three letters that make an id of fifteen one that can be told apart without capitals."""
    parts = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(_CHECK[sum(1 << n for n, letter in enumerate(part) if letter.isupper())] for part in parts)


def _instant(api: Api, row: Row) -> datetime:
    try:
        at = datetime.fromisoformat(row["SystemModstamp"])
        if at.tzinfo is None or not isinstance(row["Id"], str) or "IsDeleted" not in row or "CreatedDate" not in row:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise api.strange("a record has no SystemModstamp, Id, IsDeleted or CreatedDate that can be read") from None
    return at.astimezone(UTC)
