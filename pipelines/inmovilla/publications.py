"""Where properties are advertised, as `listing.published`.

Belongs here: which properties that is asked of, what was found new, and the facts that it states. Does not: HTTP
(`api`), the properties themselves (`listings`).

Inmovilla tells of each property alone which portals it is on now, and not since when. So a portal that a property was
not on before is dated by the reading that found it there, and the first reading tells nothing: it only notes which
properties there are. Of a property that is newer than the reading before, whatever it is on was published since; of any
other, what it is on when it is asked of first was there before, for all that is known. It is asked of properties that
are new, and of those that were changed within `portals_days`; not of prospects, nor of what is sold or taken off.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.ids import packed
from pipelines.inmovilla.api import Api, Item, Pace
from pipelines.inmovilla.listings import (
    Missing,
    after_of,
    code_of,
    held_of,
    is_so,
    named,
    place_of,
    still_to_do,
    unread_of,
)
from pipelines.inmovilla.times import instant, naive
from pipelines.recent import remembered
from pipelines.source import Account, Covered, Mark, Read, Record, Stream

if TYPE_CHECKING:
    from pipelines.inmovilla import InmovillaOptions

PUBLISHED = frozenset({"7", "10", "11"})
"""Inmovilla's numbers for "published": with an alert, on the portal, on its microsite."""

PORTALS = pl.List(pl.Struct({"portal": pl.String(), "at": pl.String()}))
PAYLOAD = pl.Struct({"market": pl.String(), "portals": PORTALS})
SEEN = pl.Struct({"portals": PORTALS})

On = dict[str, str | None]
"""The portals that a property is on: each with the reading that found it there; None: it may have been there longer."""


def publications(account: Account, options: InmovillaOptions, pace: Pace) -> Stream:
    """The stream."""
    return Stream(
        name="publications",
        feeds=("listing.published",),
        fetch=lambda read: _Reading(account, options, pace, read).pages(),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options),
        overlap=timedelta(0),
        seen=SEEN,
    )


@dataclass
class _Reading:
    """One reading of what is advertised where. on: by the code of a property; unread: of which nothing was said."""

    account: Account
    options: InmovillaOptions
    pace: Pace
    read: Read
    held: set[int] = field(default_factory=set)
    on: dict[str, On] = field(default_factory=dict)
    unread: set[int] = field(default_factory=set)

    def pages(self) -> Generator[list[Record] | Mark, None, Covered]:
        try:
            return (yield from self._pages(Api(self.account, self.read.clock, self.pace, "publications")))
        finally:
            self.pace.ended.add("publications")

    def _pages(self, api: Api) -> Generator[list[Record] | Mark, None, Covered]:
        known = remembered(self.read.cursor)
        listed = api.properties()
        there = {code_of(one) for one in listed}
        if not known:
            return Covered(self.read.until, self.read.until, orjson.dumps({"held": packed(there), "on": {}}).decode())
        self.held, self.unread = held_of(self.read), unread_of(self.read)
        self.on = {**known["on"], **remembered(self.read.mark).get("on", {})}
        missing, after = Missing.of(self.read), after_of(self.read)
        for gone in missing.asked_for(api, self.held, there, self.options.most_removed):
            yield [Record(str(code), None, {}, is_deleted=True) for code in gone]
            yield Mark(self._mark(after, missing, known["on"]))
        for one in still_to_do([one for one in listed if self._is_due(one)], self.read):
            if (record := self._record(api, one)) is not None:
                yield [record]
            yield Mark(self._mark(place_of(one), missing, known["on"]))
        held = there - self.unread | (self.held - missing.gone)
        on = {code: on for code, on in self.on.items() if int(code) in held}
        cursor = {"held": packed(held), "on": on, "unread": sorted(self.unread & held)}
        text = orjson.dumps(cursor, option=orjson.OPT_SORT_KEYS).decode()
        return Covered(self.read.since or self.read.until, self.read.until, text)

    def _mark(self, after: tuple[str, int], missing: Missing, before: dict[str, On]) -> str:
        changed = {code: on for code, on in self.on.items() if on != before.get(code)}
        said = {"after": after, "on": changed, "unread": sorted(self.unread), "missing": missing.said()}
        return orjson.dumps(said).decode()

    def _is_due(self, listed: Item) -> bool:
        """Whether a property may be on other portals than it was."""
        if is_so(listed.get("prospecto")):
            return False
        if is_so(listed.get("nodisponible")):
            return bool(self.on.get(str(code_of(listed))))
        changed = naive(listed.get("fechaact"))
        if changed is None or code_of(listed) not in self.held or code_of(listed) in self.unread:
            return True
        return instant(changed, self.options.zone) >= self.read.until - timedelta(days=self.options.portals_days)

    def _record(self, api: Api, listed: Item) -> Record | None:
        """A property that was found on a portal on which it was not before, with all that it is on."""
        code = code_of(listed)
        told = {} if is_so(listed.get("nodisponible")) else api.portals(code)
        if told is None:
            self.unread.add(code)
            return None
        self.unread.discard(code)
        before = self.on.get(str(code))
        at = None if before is None and code in self.held else self.read.until.isoformat()
        published = sorted(portal for portal, how in told.items() if str(how["state"]) in PUBLISHED)
        on = self.on[str(code)] = {portal: (before or {}).get(portal, at) for portal in published}
        if at not in on.values() or at is None:
            return None
        town = str((api.property(code) or {}).get("key_loca") or "")
        dated = [{"portal": portal, "at": when} for portal, when in on.items() if when is not None]
        return Record(str(code), self.read.until, {"market": town if town.isdigit() else None, "portals": dated})


def facts(records: pl.LazyFrame, options: InmovillaOptions) -> pl.LazyFrame:
    """What was found at any time: a portal that a property was taken off counts for when it was on it."""
    version = pl.coalesce("seen", pl.concat_list(pl.struct("revision", "portals")))
    found = (
        records.select("record_key", market=named("market", options.markets), version=version)
        .explode("version")
        .select("record_key", "market", told=pl.col("version").struct.field("portals"))
        .explode("told")
        .unnest("told")
        .unique(maintain_order=True)
    )
    return found.select(
        "record_key",
        "portal",
        "market",
        fact_key=pl.format("listing/{}/portal/{}/{}", "record_key", "portal", "at"),
        event_type=pl.lit("listing.published"),
        subject_id="record_key",
        occurred_at=pl.col("at").str.to_datetime("%+", time_unit="us", time_zone="UTC").cast(UTC_MICROSECONDS),
    )
