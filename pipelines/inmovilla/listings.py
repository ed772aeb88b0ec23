"""The properties that an agency takes on, as `listing.captured`.

Belongs here: which properties are read and when, and the facts that they state. Does not: HTTP (`api`), where they are
advertised (`publications`).

Inmovilla lists all properties and prospects with the time of each one's last change, and tells the rest of each one
alone. So of the list only those are asked for that are new or were changed; at first, those that were changed since
`history_days`, as one that was not changed since was not taken on since. One that is not in the list any more is asked
for by its code, and is deleted where Inmovilla says that it is not there.

A property that is no prospect was taken on when it was put in (`fecha`); one that was seen as a prospect before, when
it was changed into a property. The mandate is exclusive where its dates (`alta_exclusiva`, `baja_exclusiva`) say so of
that time, or, where it has none, where the property says so (`exclu`). A property that is sold or taken off
(`nodisponible`) was taken on all the same. Nothing of the owner, the address or the texts is kept.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.ids import packed, unpacked
from pipelines.inmovilla.api import Api, Item, Pace
from pipelines.inmovilla.times import WRITTEN, instant, last_instant, local, midnight, naive
from pipelines.novelty import FEWEST_DOUBTED
from pipelines.people import People, Place
from pipelines.recent import remembered
from pipelines.rows import cells
from pipelines.source import READ_AGAIN, Account, Covered, Mark, Read, Record, Stream, VendorError

if TYPE_CHECKING:
    from pipelines.inmovilla import InmovillaOptions

AGENT = "agent"
RENT = "2"
"""Inmovilla's number of the operation (`keyacci`) that has a rent for its price."""

A_PAGE = 10
"""Properties that are given on at once; each takes a request."""

PAYLOAD = pl.Struct(
    {
        "captured_at": pl.String(),
        "is_prospect": pl.Boolean(),
        "is_exclusive": pl.Boolean(),
        "exclusive_from": pl.String(),
        "exclusive_to": pl.String(),
        "price": pl.String(),
        "category": pl.String(),
        "market": pl.String(),
        "agent": pl.String(),
    }
)
SEEN = pl.Struct({"is_prospect": pl.Boolean()})


def listings(account: Account, options: InmovillaOptions, pace: Pace) -> Stream:
    """The stream."""
    return Stream(
        name="listings",
        feeds=("listing.captured",),
        fetch=lambda read: _Reading(account, options, pace, read).pages(),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options),
        overlap=timedelta(hours=3),  # longer than the clock is ever put back
        people=People(beside=(Place(AGENT, ("agent",)),), actor=AGENT),
        seen=SEEN,
    )


@dataclass
class _Reading:
    """One reading of the properties. held: the codes of those that are known; unread: of which nothing was said."""

    account: Account
    options: InmovillaOptions
    pace: Pace
    read: Read
    held: set[int] = field(default_factory=set)
    unread: set[int] = field(default_factory=set)

    def pages(self) -> Generator[list[Record] | Mark, None, Covered]:
        try:
            return (yield from self._pages(Api(self.account, self.read.clock, self.pace, "listings")))
        finally:
            self.pace.ended.add("listings")

    def _pages(self, api: Api) -> Generator[list[Record] | Mark, None, Covered]:
        self.held, self.unread = held_of(self.read), unread_of(self.read)
        listed = api.properties()
        there = {code_of(one) for one in listed}
        missing, after = Missing.of(self.read), after_of(self.read)
        for gone in missing.asked_for(api, self.held, there, self.options.most_removed):
            yield [Record(str(code), None, {}, is_deleted=True) for code in gone]
            yield Mark(self._mark(after, missing))
        due = still_to_do([one for one in listed if self._is_due(one)], self.read)
        for at in range(0, len(due), A_PAGE):
            some = due[at : at + A_PAGE]
            yield [record for one in some if (record := self._record(api, one)) is not None]
            yield Mark(self._mark(place_of(some[-1]), missing))
        held = there - self.unread | (self.held - missing.gone)
        cursor = orjson.dumps({"held": packed(held), "unread": sorted(self.unread & held)})
        return Covered(self._began(), self.read.until, cursor.decode())

    def _mark(self, after: tuple[str, int], missing: Missing) -> str:
        return orjson.dumps({"after": after, "unread": sorted(self.unread), "missing": missing.said()}).decode()

    def _began(self) -> datetime:
        """From when on it is known which properties were taken on."""
        if self.read.since is not None:
            return self.read.since
        start = self.read.until - timedelta(days=self.options.history_days)
        return midnight(local(start, self.options.zone).date(), self.options.zone)

    def _is_due(self, listed: Item) -> bool:
        """Whether a property is asked for: it is new, or was changed."""
        changed = naive(listed.get("fechaact"))
        if changed is None or code_of(listed) in self.unread or (self.held and code_of(listed) not in self.held):
            return True
        return instant(changed, self.options.zone) >= self._began()

    def _record(self, api: Api, listed: Item) -> Record | None:
        """A property as it is kept; None where it is listed and said not to be there: it is a new one next time."""
        told = api.property(code_of(listed))
        if told is None:
            self.unread.add(code_of(listed))
            return None
        self.unread.discard(code_of(listed))
        operation = _number(told.get("keyacci"))
        payload = {
            "captured_at": _time(told.get("fecha")) or "?",
            "is_prospect": is_so(listed.get("prospecto")),
            "is_exclusive": is_so(told.get("exclu")),
            "exclusive_from": _time(told.get("alta_exclusiva")),
            "exclusive_to": _time(told.get("baja_exclusiva")),
            "price": _number(told.get("precioalq" if operation == RENT else "precioinmo")),
            "category": _number(told.get("key_tipo")),
            "market": _number(told.get("key_loca")),
            "agent": _number(told.get("captadopor")),
        }
        return Record(str(code_of(listed)), self._revision(listed), payload)

    def _revision(self, listed: Item) -> datetime | None:
        changed = naive(listed.get("fechaact"))
        if changed is None:
            return None
        return min(last_instant(changed, self.options.zone, self.read.until), self.read.until)


# What readings of the list of properties share


def code_of(listed: Item) -> int:
    """The code of a property."""
    return int(listed["cod_ofer"])


def place_of(listed: Item) -> tuple[str, int]:
    """Where a property stands in a reading: the one that was changed last comes last."""
    return str(listed.get("fechaact")), code_of(listed)


def is_so(value: Any) -> bool:
    """Whether a flag is set; Inmovilla writes true, 1 and "1"."""
    return str(value).strip().lower() in ("true", "1")


def held_of(read: Read) -> set[int]:
    """The codes of the properties that the last reading knew."""
    known = remembered(read.cursor)
    return unpacked(known["held"]) if known else set()


def unread_of(read: Read) -> set[int]:
    """The codes of the properties that were listed, and of which nothing was said, when they were asked for last."""
    return set(remembered(read.mark or read.cursor).get("unread", ()))


def still_to_do(due: list[Item], read: Read) -> list[Item]:
    """The properties in the order in which they are asked for, without those that were before an interruption."""
    return sorted((one for one in due if place_of(one) > after_of(read)), key=place_of)


def after_of(read: Read) -> tuple[str, int]:
    """Where an interrupted reading had got to."""
    changed, code = remembered(read.mark).get("after", ("", 0))
    return str(changed), int(code)


@dataclass
class Missing:
    """What was held and is not listed any more: what Inmovilla says of each alone, kept over an interruption.

    gone: what it says is not there. there: what it knows all the same.
    """

    gone: set[int] = field(default_factory=set)
    there: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, read: Read) -> Missing:
        """What an interrupted reading had asked."""
        said = remembered(read.mark).get("missing", {})
        return cls(*(unpacked(said[name]) if name in said else set() for name in ("gone", "there")))

    def said(self) -> dict[str, str]:
        """For a mark."""
        return {"gone": packed(self.gone), "there": packed(self.there)}

    def asked_for(self, api: Api, held: set[int], listed: set[int], most_removed: float) -> Iterator[list[int]]:
        """Ask for each that was not asked for yet; gives on those that are gone. Raises where too many are missing."""
        missing = sorted(held - listed)
        is_all = most_removed < 1 and len(missing) == len(held) > 1
        if is_all or (len(held) >= FEWEST_DOUBTED and len(missing) > most_removed * len(held)):
            found = f"{len(missing)} of the {len(held)} properties that were known are not listed any more"
            do = "Look at them in Inmovilla; where so many were really deleted, set most_removed to 1 for one run"
            raise VendorError(api.source, found, f"{READ_AGAIN}. {do}")
        for code in missing:
            if code in self.gone or code in self.there:
                continue
            is_gone = api.property(code) is None
            (self.gone if is_gone else self.there).add(code)
            yield [code] if is_gone else []


def named(column: str, words: Mapping[int, str]) -> pl.Expr:
    """A column of Inmovilla's numbers in our words; what has none stays a number."""
    return pl.col(column).replace({str(number): word for number, word in words.items()})


def _number(value: Any) -> str | None:
    """A number as text; None for what is none, and for 0, which says that nothing was chosen."""
    text = "" if value is None else str(value).strip()
    return text if re.fullmatch(r"\d{1,15}(\.\d+)?", text) and float(text) else None


def _time(value: Any) -> str | None:
    """A time as it is written; None for what is none."""
    return None if naive(value) is None else str(value)


# Facts


def facts(records: pl.LazyFrame, options: InmovillaOptions) -> pl.LazyFrame:
    """What properties state."""
    entered_at, problem = cells.instant("fecha", pl.col("captured_at"), WRITTEN, options.zone, "earlier")
    version = pl.coalesce("seen", pl.concat_list(pl.struct("revision", "is_prospect")))
    was_prospect = version.list.first().struct.field("is_prospect")
    as_property = version.list.eval(pl.element().filter(~pl.element().struct.field("is_prospect")))
    captured = records.filter(~pl.col("is_prospect")).with_columns(
        occurred_at=pl.when(was_prospect).then(as_property.list.first().struct.field("revision")).otherwise(entered_at),
        problem=pl.when(~was_prospect).then(problem),
    )
    start, end = (
        pl.col(name).str.to_datetime(WRITTEN, time_unit="us", strict=False).dt.date()
        for name in ("exclusive_from", "exclusive_to")
    )
    day = pl.col("occurred_at").dt.convert_time_zone(options.zone).dt.date()
    is_exclusive = (
        pl.when(start.is_not_null()).then((start <= day) & (end.is_null() | (day <= end))).otherwise("is_exclusive")
    )
    amount = pl.col("price").cast(DECIMAL, strict=False)
    return captured.select(
        "record_key",
        "occurred_at",
        "problem",
        fact_key=pl.format("listing/{}/captured", "record_key"),
        event_type=pl.lit("listing.captured"),
        subject_id="record_key",
        actor="agent",
        mandate=pl.when(is_exclusive).then(pl.lit("exclusive")).otherwise(pl.lit("open")),
        category=named("category", options.categories),
        market=named("market", options.markets),
        amount=amount,
        currency=pl.when(amount.is_not_null()).then(pl.lit(options.currency)),
    )
