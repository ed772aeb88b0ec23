"""The properties that an agency takes on, as `listing.captured`.

Belongs here: which properties are read and when, and the facts that they state. Does not: HTTP (`api`), where they are
advertised (`publications`), how the list is gone through (`properties`).

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
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.ids import packed
from pipelines.inmovilla.api import Api, Item, Pace
from pipelines.inmovilla.properties import Missing, OfProperties, Pages, code_of, is_so, named
from pipelines.inmovilla.times import WRITTEN, instant, last_instant, local, midnight, naive
from pipelines.people import People, Place
from pipelines.rows import cells
from pipelines.source import Account, Covered, Record, Stream

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
        fetch=lambda read: _Reading(account, options, pace, read).begin(),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options),
        overlap=timedelta(hours=3),  # longer than the clock is ever put back
        people=People(beside=(Place(AGENT, ("agent",)),), actor=AGENT),
        seen=SEEN,
    )


@dataclass
class _Reading(OfProperties):
    """One reading of the properties."""

    name = "listings"
    at_once = A_PAGE

    def pages(self, api: Api) -> Pages:
        held = yield from self.walk(api, api.properties())
        cursor = orjson.dumps({"held": packed(held), "unread": sorted(self.unread & held)})
        return Covered(self._began(), self.read.until, cursor.decode())

    def mark(self, after: tuple[str, int], missing: Missing) -> str:
        return orjson.dumps({"after": after, "unread": sorted(self.unread), "missing": missing.said()}).decode()

    def _began(self) -> datetime:
        """From when on it is known which properties were taken on."""
        if self.read.since is not None:
            return self.read.since
        start = self.read.until - timedelta(days=self.options.history_days)
        return midnight(local(start, self.options.zone).date(), self.options.zone)

    def is_due(self, listed: Item) -> bool:
        """Whether a property is asked for: it is new, or was changed."""
        changed = naive(listed.get("fechaact"))
        if changed is None or code_of(listed) in self.unread or (self.held and code_of(listed) not in self.held):
            return True
        return instant(changed, self.options.zone) >= self._began()

    def record(self, api: Api, listed: Item) -> Record | None:
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
