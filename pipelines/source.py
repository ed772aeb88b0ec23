"""What a source is to the rest of the pipeline: named streams that are fetched as records and understood as facts.

Belongs here: the shapes that pass between a vendor's module and the raw zone. Does not: anything of one vendor, HTTP
(`pipelines.http`), storage (`pipelines.raw_zone`).

A vendor's module (`pipelines/hubspot/`, `pipelines/stripe.py`, …) has two halves that never call each other:

* *fetching* turns the vendor's pages into `Record`s, as they came, without personal data;
* *understanding* is a pure function from records to facts, so that a mistake in it is mended by mapping again.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from html import escape
from typing import Annotated, Any, Protocol
from urllib.parse import quote, quote_plus, unquote_plus

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict

from kr_definitions.words import like
from pipelines.addresses import hidden
from pipelines.people import NOBODY, People


class Clock(Protocol):
    """Where waiting happens: real, or shared with the sandbox, so that waits are counted and not slept."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a vendor, as it came.

    key: the vendor's identity of the record within the stream. revision: when the vendor last changed it (aware), or
    None where it does not say: then the order of arrival decides. payload: JSON-ready; personal data already dropped.
    is_deleted: the vendor says that the record is gone (deleted, archived, merged away): its facts are withdrawn. A
    deletion without a revision follows whatever is held of the record, and is followed by whatever comes back of it.
    """

    key: str
    revision: datetime | None
    payload: Mapping[str, Any]
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What one fetch is asked for.

    since: read what changed from here on (the end of the last complete reading less the stream's overlap); None reads
    everything that the vendor still has. until: when this run began. cursor: the vendor's own cursor after the last
    complete reading. clock: for waiting. mark: where a reading that was interrupted had got to; all the rest is then
    what that reading was asked for. believed_at: when the last complete reading was recorded; None: there was none.
    """

    since: datetime | None
    until: datetime
    cursor: str | None
    clock: Clock
    mark: str | None = None
    believed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a reading: what was yielded before it need not be fetched again by a reading that is given its text.

    text: whatever the stream finds the place by; no secret and nothing of a person.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Covered:
    """What a fetch has read completely: returned (not yielded) by the fetch, after its last page.

    start None: from the vendor's beginning. end is not included: before it, what happened has been read.
    cursor: the vendor's own cursor, handed to the next fetch. present: the keys of all that there is, where the reading
    came to know that (of a stream with groups, of those records that have their group's key): what is held and not
    among them is deleted. earlier: spans before it, in order, of which the same reading came to know: what lies between
    them is not covered. unsure: given where records came of which nobody knows which ones they are: whether one that is
    held and did not come may be one of those, by its key, and so is not taken for deleted.
    """

    start: datetime | None
    end: datetime
    cursor: str | None = None
    present: frozenset[str] | None = field(default=None, repr=False)
    earlier: tuple[tuple[datetime, datetime], ...] = ()
    unsure: Callable[[str], bool] | None = field(default=None, repr=False, compare=False)


Fetch = Callable[[Read], Generator[list[Record], None, Covered] | Generator[list[Record] | Mark, None, Covered]]
"""A generator of pages (lists of records) that returns `Covered`. Ending without it is an error: nothing is assumed.

Between pages it may yield a `Mark`: a long reading that is killed, or stopped by a quota, goes on from the last one.
"""


@dataclass(frozen=True, slots=True)
class History:
    """A list in a payload that tells what a record was before, of which the vendor forgets the old end.

    path: where it stands: the name of a field, or of one in another. at: the field of an entry that says when; instant:
    its time, from its text. is_newest_first: its order. kept_at_least: so many of the newest entries the vendor keeps,
    however old: a shorter list has lost none. kept_for: so long it keeps each, however many there are. Where both are
    left out, whatever is before the first entry that is told may have been forgotten.
    """

    path: tuple[str, ...]
    at: str
    instant: Callable[[pl.Expr], pl.Expr]
    is_newest_first: bool = False
    kept_at_least: int = 0
    kept_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of record of a source.

    payload: the part of the payload that `facts` reads, scalars as text (a vendor's numbers come as strings or as
    numbers, often both); records that do not have that shape are quarantined, one by one.
    facts: from a frame of `record_key`, `revision` and the payload's fields to a frame of `events.FACT_SCHEMA` columns
    (those left out are null) and, where a row cannot be understood, `problem` (text: field, what was found; never the
    personal content): such a record is quarantined and what it said before stays.
    feeds: the event types that facts have. overlap: how far before the last reading's end the next one starts.
    lateness: how late a fact of this stream can still arrive; until then its days are provisional.
    is_snapshot: a complete reading delivers every record that there is; one that was held and did not come is deleted.
    most_removed: the share of the held records that one reading of a snapshot, or of all that there is (`present`),
    may delete; where more are gone, it is the reading that is doubted.
    histories: what its vendor forgets of records: the entries that earlier versions of a record had from before the
    time that the vendor still remembers stay.
    always: attributes that all of its facts have alike.
    identity: from a record's key to the part of it that stays when the rest is corrected; a record that comes under
    another key takes the place of the one that is held. Without one, a key is a thing's for ever.
    group: from a record's key to what `facts` reads records together by; when one record of a group is new, `facts`
    is given all of it. Without one, records are understood one by one.
    named_by: the key of a record that all others are understood with (what their ids are called); when it is new, all
    of them are understood anew.
    seen: the part of a record's earlier versions that `facts` reads, as a column `seen`: a list of `revision` and that
    part, in the order of their revisions, the newest version included; null where there is only one. Without it,
    `facts` knows of the newest version alone.
    people: where its records name people.
    """

    name: str
    feeds: tuple[str, ...]
    fetch: Fetch
    payload: pl.Struct
    facts: Callable[[pl.LazyFrame], pl.LazyFrame]
    overlap: timedelta = timedelta(hours=1)
    lateness: timedelta = timedelta(days=3)
    mapping_version: str = "1"
    is_snapshot: bool = False
    most_removed: float = 0.5
    identity: Callable[[str], str] | None = None
    group: Callable[[pl.Expr], pl.Expr] | None = None
    named_by: str | None = None
    seen: pl.Struct | None = None
    histories: tuple[History, ...] = ()
    always: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> frozenset[str]:
        """The columns that its facts have; the others of the log it leaves empty. Computes nothing."""
        read = {"record_key": pl.String(), "revision": pl.Datetime("us", "UTC")}
        seen = {} if self.seen is None else {"seen": seen_of(self.seen)}
        records = pl.LazyFrame(schema={**read, **{part.name: part.dtype for part in self.payload.fields}, **seen})
        return frozenset(self.facts(records).collect_schema().names())

    people: People = NOBODY


def seen_of(part: pl.Struct) -> pl.List:
    """The type of the column `seen`, of versions of which this part is read."""
    revision = {"revision": pl.Datetime("us", "UTC")}
    return pl.List(pl.Struct({**revision, **{field.name: field.dtype for field in part.fields}}))


class Options(BaseModel):
    """What an organisation's `organisation.yaml` says of one of its sources; each kind has its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_STREAM = r"(?=.{1,63}$)[a-z][a-z0-9]*(_[a-z0-9]+)*"


def can_be_stored(name: str) -> bool:
    """Whether a stream's table has the stream's own name: dlt writes any other name in a way of its own."""
    return re.fullmatch(_STREAM, name) is not None


def _storable(name: str) -> str:
    if not can_be_stored(name):
        do = "Name it in small letters and digits, a letter first, its words joined by single underscores"
        near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        raise ValueError(f"'{name}' cannot be a stream's name | {do}{f': {near}' if can_be_stored(near) else ''}")
    return name


StreamName = Annotated[str, AfterValidator(_storable), like(_STREAM)]
"""What an organisation may call a stream."""


class Connector(Protocol):
    """A kind of source: what a vendor's module offers to the rest."""

    @property
    def kind(self) -> str:
        """Its name in `organisation.yaml`."""
        ...

    @property
    def options(self) -> type[Options]:
        """What it can be told there."""
        ...

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """The streams of one account. Opens nothing and reads no secret: that happens when a stream is fetched."""
        ...


Pseudonym = Callable[[str], str]
"""Turns what identifies a person into a stable code that says nothing about them."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a vendor, as an organisation uses it: where its configuration and secrets are looked up."""

    organisation: str
    source: str
    zone: str
    pseudonym: Pseudonym = field(repr=False, compare=False, default=lambda text: text)

    @property
    def sections(self) -> tuple[str, ...]:
        """Configuration sections of dlt: `sources.<organisation>.<source>.<key>`, with `-` as `_`."""
        return ("sources", self.organisation.replace("-", "_"), self.source.replace("-", "_"))


_never_told: set[str] = set()
_AUTHORIZATION = re.compile(r"(?i)\b(basic|bearer|token)[ :=]+[\w+/=.~-]{8,}")
_SHORTEST_SECRET, _SHORTEST_CODE = 4, 8


def never_tell(secret: str) -> None:
    """Leave a secret out of whatever errors say from now on, even where a vendor says it, or says it in codes."""
    if len(secret) >= _SHORTEST_SECRET:
        codes = (quote(secret, safe=""), quote(secret), quote_plus(secret), unquote_plus(secret))
        pages = (escape(secret), escape(secret, quote=False))
        texts = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
        _never_told.update([secret, *codes, *pages, *texts, *_in_base64(secret)])
        _told.cache_clear()


def without_secrets(text: str) -> str:
    """A text without the secrets that were read, and without what follows the name of a way to sign in."""
    return _AUTHORIZATION.sub(r"\1 …", _told().sub("…", text))


@cache
def _told() -> re.Pattern[str]:
    """Each spelling of each secret, the longest first; codes are written in small letters and in capitals."""
    return re.compile("|".join(map(re.escape, sorted(_never_told, key=len, reverse=True))) or r"(?!)", re.IGNORECASE)


def _in_base64(secret: str) -> Iterator[str]:
    """What a text in base64 has in it where the secret does, wherever it stands in it: all but its ends."""
    for ahead in range(3):
        coded = (" " * ahead + secret).encode()
        whole = b64encode(coded)[(4 * ahead + 2) // 3 : len(coded) * 8 // 6]
        if len(whole) >= _SHORTEST_CODE:
            yield from (whole.decode(), whole.translate(bytes.maketrans(b"+/", b"-_")).decode())


READ_AGAIN = "Nothing is counted as read; the next run reads it again"
"""What becomes of a reading that broke off, where there is nothing to do about it."""


class SourceError(Exception):
    """A source could not be read: names the source, what was found and what to do. Never holds a secret or a payload.

    Raised by fetching; the run goes on with the other sources, and what this one had stored stays.
    """

    def __init__(self, source: str, found: str, do: str) -> None:
        self.source, self.found, self.do = source, hidden(without_secrets(found)), do
        super().__init__(f"{source}: {self.found}. {do}")


class SourceConfigError(SourceError):
    """The operator must act: a credential or setting is missing or wrong."""


class VendorError(SourceError):
    """The vendor answered in a way that cannot be trusted: try again later, or look at its status page."""


class DoubtedReading(VendorError):
    """All that there is was read, and most of what had been known is not in it: what it says is not believed."""


class RequestRefused(VendorError):
    """The vendor does not take what it was asked for: to ask it the same once more is of no use."""


class UnforeseenError(SourceError):
    """A reading broke off where nobody foresaw it: at an answer that is not the documented one, or at our mistake."""

    def __init__(self, source: str, broken: Exception) -> None:
        super().__init__(
            source,
            f"its reading broke off where that was not foreseen ({type(broken).__name__})",
            f"{READ_AGAIN}. If it does so again, report what the log says",
        )
