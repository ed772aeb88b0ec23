"""How a reading finds what has changed: through the documents of late, or through all that there are.

Belongs here: the choice between the two, and what is kept of a document. Does not: HTTP (`api`), what it means
(`documents`).

The vendor does not say when a document was changed, and nothing tells that one was deleted. So a reading asks for those
that are dated lately, drafts and paid ones among them, and once in `whole_days` for all of them, whatever their date:
what is held and not among these is deleted. Where all of them are on one page, they are read each time.

Pages go by number, and where a document is deleted while they are read, the one that moves up to the page before is in
none of them. So a whole reading of several pages goes through them twice: a document is there if either has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from kr_definitions.vocabulary import nearest
from pipelines.holded.api import PAGE_SIZE, Api, Item
from pipelines.holded.options import HoldedOptions
from pipelines.people import People, Place
from pipelines.source import Account, Covered, Read, Record, SourceConfigError

CONTACT = "contact"
OF_CONTACTS = People(whose=(Place(CONTACT, (CONTACT,)),), account=CONTACT)
"""Where documents name people: each is of one contact, whose id is kept and nothing else."""

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
YEARS_AHEAD = timedelta(days=100 * 365)
"""Documents may be dated ahead, by mistake too: those that are have to be found as well."""

_FURTHEST_AHEAD = timedelta(minutes=5)
_KEPT = ("status", "subtotal", "discount", "tax", "total", "approvedAt")

Pages = Generator[list[Record], None, Covered]


@dataclass(frozen=True)
class Kind:
    """A kind of document. name: what the vendor's paths call it. more: what is kept of one beside what is of all.

    is_labelled: whether the custom fields that the options name have to be on some of them.
    """

    name: str
    more: Callable[[Item, Moments], Mapping[str, Any]]
    is_labelled: bool


@dataclass(frozen=True)
class Moments:
    """When days begin: those of the books, and those of the organisation."""

    now: datetime
    books: ZoneInfo
    organisation: ZoneInfo

    def is_ahead(self, seconds: Any) -> bool:
        """Whether a date is in the future; what is no date is not."""
        try:
            day = datetime.fromtimestamp(float(as_text(seconds) or ""), self.books).date()
        except (ValueError, OverflowError, OSError):
            return False
        return datetime.combine(day, time(), self.organisation) > self.now + _FURTHEST_AHEAD


@dataclass(frozen=True)
class _Known:
    """The cursor. whole_at: when all were read; count: how many there were; labels: the custom fields that are kept."""

    whole_at: datetime
    count: int
    labels: Mapping[str, str]

    def text(self) -> str:
        said = {"whole_at": self.whole_at.isoformat(), "count": self.count, "labels": self.labels}
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def of(cls, text: str | None) -> _Known | None:
        if not text:
            return None
        said = orjson.loads(text)
        return cls(datetime.fromisoformat(said["whole_at"]), said["count"], said["labels"])


def fetch(account: Account, kind: Kind, options: HoldedOptions, read: Read) -> Pages:
    """Read the documents of late, or all."""
    known, api = _Known.of(read.cursor), Api(account, read.clock)
    moments = Moments(read.until, ZoneInfo(options.zone), ZoneInfo(account.zone))
    if known is None or read.since is None or _is_due(known, options, read.until):
        return (yield from _whole(api, kind, options, moments))
    start = min(read.until - timedelta(days=options.recent_days), read.since)
    for page in api.documents(kind.name, start, read.until + YEARS_AHEAD):
        yield [_record(kind, item, options, moments) for item in page]
    return Covered(read.since, read.until, known.text())


def _is_due(known: _Known, options: HoldedOptions, now: datetime) -> bool:
    is_old = now - known.whole_at >= timedelta(days=options.whole_days)
    return is_old or known.labels != options.labels or known.count < PAGE_SIZE


def _whole(api: Api, kind: Kind, options: HoldedOptions, moments: Moments) -> Pages:
    found: set[str] = set()
    names: set[str] = set()
    for _ in range(2):
        pages = 0
        for page in api.documents(kind.name, BEGINNING, moments.now + YEARS_AHEAD):
            pages += 1
            names.update(name for item in page for name in custom_fields(item))
            new = [item for item in page if item["id"] not in found]
            found.update(item["id"] for item in new)
            yield [_record(kind, item, options, moments) for item in new]
        if pages <= 1:
            break
    if kind.is_labelled and found:
        _require_labels(api.source, options.labels, names)
    now = _Known(moments.now, len(found), options.labels)
    return Covered(None, moments.now, now.text(), frozenset(found))


def _require_labels(source: str, labels: Mapping[str, str], names: set[str]) -> None:
    for label, name in labels.items():
        if name not in names:
            likely = nearest(name, sorted(names)) or sorted(names)
            do = f"Did you mean {' or '.join(likely)}?" if likely else "None has any: leave it out"
            raise SourceConfigError(source, f"no invoice has the custom field '{name}' that is the {label}", do)


def _record(kind: Kind, item: Item, options: HoldedOptions, moments: Moments) -> Record:
    """A document as it is now. The vendor does not say when it was changed: what arrives later replaces it."""
    fields, draft = custom_fields(item), item.get("draft")
    kept = {
        **{name: as_text(item.get(name)) for name in _KEPT},
        "contact": as_text(item.get("contact")) or None,
        "currency": as_text(item.get("currency")),
        "date": as_text(item.get("date")),
        "is_ahead": moments.is_ahead(item.get("date")),
        "is_draft": bool(draft) if draft in (False, True) else None,
        "is_numbered": any(letter.isdigit() for letter in str(item.get("docNumber") or "")),
        "tells_approval": "approvedAt" in item,
        **{label: fields.get(options.labels.get(label, "")) for label in ("category", "product")},
        **kind.more(item, moments),
    }
    return Record(item["id"], None, kept)


def entries(said: Any) -> list[Item]:
    """The objects of a list, which may also come as an object whose names are numbers."""
    several = said.values() if isinstance(said, dict) else said if isinstance(said, list) else ()
    return [one for one in several if isinstance(one, dict)]


def custom_fields(item: Item) -> dict[str, str | None]:
    """The custom fields of a document, with their values; null where one is empty."""
    pairs = [(one.get("field"), as_text(one.get("value"))) for one in entries(item.get("customFields"))]
    return {name: value or None for name, value in pairs if isinstance(name, str)}


def as_text(scalar: Any) -> str | None:
    """A scalar as text, a number as the shortest that means it, without an exponent: 0.1 is exactly that.

    Of anything else nothing is kept but that it was there: it may hold what nobody has looked at.
    """
    if scalar is None or isinstance(scalar, str):
        return scalar
    if isinstance(scalar, float) and math.isfinite(scalar):
        return format(Decimal(repr(scalar)), "f")
    return str(scalar) if isinstance(scalar, int | float) else f"a {type(scalar).__name__}"
