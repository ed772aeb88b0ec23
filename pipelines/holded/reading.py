"""How a reading finds what has changed: through the documents of late, or through all that there are.

Belongs here: the choice between the two, what is kept of a document, and of which invoices the payments are asked for.
Does not: HTTP (`api`), what it means (`documents`).

Drafts are no documents yet, and passed over. The vendor does not say when a document was changed, and nothing tells
that one was deleted. So a reading asks for those that are dated lately, and once in `whole_days` for all of them,
whatever their date: what is held and not among these is deleted, or a draft again. Where all of them are on one page,
they are read each time; where lists of a kind cannot be asked for by a date that all of it have, all pages are.

Pages go by number, and where a document is deleted while they are read, the one that moves up to the page before is in
none of them. So a whole reading of several pages goes through them twice: a document is there if either has it.

Lists say how much of an invoice was paid, not when: each invoice of which something was has to be asked for by itself,
and an account has few requests. So the cursor remembers which ones those were and in what state (twice six bytes for
each), and one whose state is known is left as it is held. Where somebody only corrected the day of a payment, the list
is the same as before: so each state is forgotten once in `payments_again_days`, of each invoice on a day of its own. A
reading that is stopped goes on with what it knows by then.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from kr_definitions.vocabulary import nearest
from pipelines.holded.api import PAGE_SIZE, Api, Item
from pipelines.holded.options import HoldedOptions
from pipelines.holded.texts import amount, as_date, as_tag, as_text, day, tags
from pipelines.ids import packed, unpacked
from pipelines.people import People, Place
from pipelines.source import Account, Covered, Mark, Read, Record, SourceConfigError

CONTACT = "contact_id"
OF_CONTACTS = People(whose=(Place(CONTACT, (CONTACT,)),), account=CONTACT)
"""Where documents name people: each is of one contact, whose id is kept and nothing else."""

_FURTHEST_AHEAD = timedelta(minutes=5)
_AMOUNTS = ("subtotal", "discount", "tax", "total")
_ASKED_A_MARK = 50
"""After so many invoices that were asked for by themselves, a reading that is stopped there has lost none of them."""

Pages = Generator[list[Record] | Mark, None, Covered]


def _never(_item: Item) -> bool:
    return False


@dataclass(frozen=True)
class Kind:
    """A kind of document. path: what the vendor calls its list. permission: what a key needs to read it.

    labels: those that are kept, each with the tags that are its values. is_labelled: whether the tags have to be on
    some of them. more: what is kept of one beside what is of all. is_paid: whether something was paid of a listed one,
    so that it has to be asked for by itself. is_numbered: whether all but drafts have a number of the company's own.
    is_dated: whether its lists can be asked for from a day on.
    """

    path: str
    permission: str
    labels: Mapping[str, tuple[str, ...]]
    more: Callable[[Item, Moments], Mapping[str, Any]]
    is_labelled: bool = True
    is_paid: Callable[[Item], bool] = _never
    is_numbered: bool = True
    is_dated: bool = True

    def is_draft(self, item: Item) -> bool:
        """Whether a document is one: it says so, or says nothing of it and has not the number that all others have."""
        says = item.get("draft")
        is_told = says is True or item.get("approval_status") == "draft"
        return is_told or (self.is_numbered and says is None and not _has_number(item))


@dataclass(frozen=True)
class Moments:
    """When days begin in the organisation's zone."""

    now: datetime
    organisation: ZoneInfo

    def is_ahead(self, said: Any) -> bool:
        """Whether a day is in the future; what is no day is not."""
        on = as_date(day(said))
        return on is not None and datetime.combine(on, time(), self.organisation) > self.now + _FURTHEST_AHEAD


@dataclass(frozen=True)
class _Known:
    """The cursor. whole_at: when all were read; count: how many there were; labels: the tags that are kept.

    states: which invoices the payments were read of, and in what state they were.
    """

    whole_at: datetime
    count: int
    labels: Mapping[str, list[str]]
    states: frozenset[int] = field(repr=False)

    def text(self) -> str:
        said = {
            "whole_at": self.whole_at.isoformat(),
            "count": self.count,
            "labels": self.labels,
            "states": packed(self.states),
        }
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def of(cls, text: str | None) -> _Known | None:
        said = orjson.loads(text) if text else {}
        if "states" not in said:  # of the vendor's first version: all is read anew
            return None
        states = frozenset(unpacked(said["states"]))
        return cls(datetime.fromisoformat(said["whole_at"]), said["count"], said["labels"], states)


def fetch(account: Account, kind: Kind, options: HoldedOptions, read: Read) -> Pages:
    """Read the documents of late, or all."""
    return (yield from _Reading(account, kind, options, read).pages())


class _Reading:
    """One reading of one kind of document."""

    def __init__(self, account: Account, kind: Kind, options: HoldedOptions, read: Read) -> None:
        self.kind, self.options, self.read = kind, options, read
        self.api = Api(account, kind.permission, read.clock)
        self.moments = Moments(read.until, ZoneInfo(account.zone))
        self.known = _Known.of(read.cursor)
        self.labels = {label: list(named) for label, named in kind.labels.items()}
        before = frozenset() if self.known is None else self.known.states
        self.states = set(unpacked(read.mark)) if read.mark else set(before)
        self.met = set[int]()
        self.found, self.tags = set[str](), set[str]()

    def pages(self) -> Pages:
        known, until = self.known, self.read.until
        if known is None or self.read.since is None or self._is_due(known):
            return (yield from self._whole())
        start = min(until - timedelta(days=self.options.recent_days), self.read.since)
        day_ = start.astimezone(self.moments.organisation).date() if self.kind.is_dated else None
        for page in self.api.documents(self.kind.path, day_):
            yield from self._told(page)
        now = _Known(known.whole_at, known.count, known.labels, frozenset(self.states))
        return Covered(self.read.since, until, now.text())

    def _is_due(self, known: _Known) -> bool:
        is_old = self.read.until - known.whole_at >= timedelta(days=self.options.whole_days)
        return is_old or known.labels != self.labels or known.count < PAGE_SIZE

    def _whole(self) -> Pages:
        for _ in range(2):
            pages = 0
            for page in self.api.documents(self.kind.path, None):
                pages += 1
                yield from self._told([item for item in page if item["id"] not in self.found])
            if pages <= 1:
                break
        if self.kind.is_labelled and self.found:
            self._require_labels()
        now = _Known(self.read.until, len(self.found), self.labels, frozenset(self.met))
        return Covered(None, self.read.until, now.text(), frozenset(self.found))

    def _told(self, items: Iterable[Item]) -> Generator[list[Record] | Mark, None, None]:
        """The records of listed documents, and how far this has got where some had to be asked for by themselves."""
        records, asked = list[Record](), 0
        for item in items:
            if self.kind.is_draft(item):
                continue
            self.tags |= tags(item.get("tags"))
            self.found.add(item["id"])
            state, was_paid = self._state(item), _number(item["id"])
            if not self.kind.is_paid(item) and was_paid not in self.states:
                records.append(self._record(item))
                continue
            self.met |= {state, was_paid}
            if state in self.states:
                continue
            whole = self.api.document(self.kind.path, item["id"])
            if whole is None or self.kind.is_draft({**item, **whole}):
                self.found.discard(item["id"])
                continue
            records.append(self._record({**item, **whole}))
            self.states |= {state, was_paid}
            asked += 1
            if asked % _ASKED_A_MARK == 0:
                yield records
                yield Mark(packed(self.states))
                records = []
        yield records
        if asked % _ASKED_A_MARK:
            yield Mark(packed(self.states))

    def _state(self, item: Item) -> int:
        """What is known of a listed document, as a number; another one after `payments_again_days` at the latest."""
        season = (self.read.until.toordinal() + _number(item["id"])) // self.options.payments_again_days
        return _number([season, item["id"], self._record(item).payload])

    def _record(self, item: Item) -> Record:
        """A document as it is now. The vendor does not say when it was changed: what arrives later replaces it."""
        its = tags(item.get("tags"))
        kept = {
            "status": as_text(item.get("status")),
            "currency": as_text(item.get("currency")),
            "date": day(item.get("date")),
            **{name: amount(item.get(name)) for name in _AMOUNTS},
            "is_ahead": self.moments.is_ahead(item.get("date")),
            **{label: next((one for one in named if as_tag(one) in its), None) for label, named in self.labels.items()},
            **self.kind.more(item, self.moments),
        }
        return Record(item["id"], None, kept)

    def _require_labels(self) -> None:
        for label, named in self.labels.items():
            for name in named:
                if as_tag(name) not in self.tags:
                    likely = nearest(as_tag(name), sorted(self.tags))
                    do = f"Did you mean {' or '.join(likely)}?" if likely else "Leave it out until one has it"
                    of = self.kind.path.removesuffix("s")
                    raise SourceConfigError(self.api.source, f"no {of} has the tag '{name}' of the {label}", do)


def of_customer(item: Item) -> Mapping[str, Any]:
    """What is kept of a document that a customer gets."""
    return {CONTACT: as_text(item.get(CONTACT)) or None, "is_numbered": _has_number(item)}


def _has_number(item: Item) -> bool:
    return any(letter.isdigit() for letter in str(item.get("document_number") or ""))


def _number(said: Any) -> int:
    """What something is remembered by: too large for two of an account to meet."""
    return int.from_bytes(sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()[:6])
