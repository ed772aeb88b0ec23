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

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.ids import packed
from pipelines.inmovilla.api import Api, Item, Pace
from pipelines.inmovilla.properties import Missing, OfProperties, Pages, code_of, is_so, named
from pipelines.inmovilla.times import instant, naive
from pipelines.recent import remembered
from pipelines.source import Account, Covered, Record, Stream

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
        fetch=lambda read: _Reading(account, options, pace, read).begin(),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options),
        overlap=timedelta(0),
        seen=SEEN,
    )


@dataclass
class _Reading(OfProperties):
    """One reading of what is advertised where. on: by the code of a property; before: as the last reading knew it."""

    name = "publications"

    on: dict[str, On] = field(default_factory=dict)
    before: dict[str, On] = field(default_factory=dict)

    def pages(self, api: Api) -> Pages:
        known, listed = remembered(self.read.cursor), api.properties()
        if not known:
            there = packed({code_of(one) for one in listed})
            return Covered(self.read.until, self.read.until, orjson.dumps({"held": there, "on": {}}).decode())
        self.before = known["on"]
        self.on = {**self.before, **remembered(self.read.mark).get("on", {})}
        held = yield from self.walk(api, listed)
        on = {code: on for code, on in self.on.items() if int(code) in held}
        cursor = {"held": packed(held), "on": on, "unread": sorted(self.unread & held)}
        text = orjson.dumps(cursor, option=orjson.OPT_SORT_KEYS).decode()
        return Covered(self.read.since or self.read.until, self.read.until, text)

    def mark(self, after: tuple[str, int], missing: Missing) -> str:
        changed = {code: on for code, on in self.on.items() if on != self.before.get(code)}
        said = {"after": after, "on": changed, "unread": sorted(self.unread), "missing": missing.said()}
        return orjson.dumps(said).decode()

    def is_due(self, listed: Item) -> bool:
        """Whether a property may be on other portals than it was."""
        if is_so(listed.get("prospecto")):
            return False
        if is_so(listed.get("nodisponible")):
            return bool(self.on.get(str(code_of(listed))))
        changed = naive(listed.get("fechaact"))
        if changed is None or code_of(listed) not in self.held or code_of(listed) in self.unread:
            return True
        return instant(changed, self.options.zone) >= self.read.until - timedelta(days=self.options.portals_days)

    def record(self, api: Api, listed: Item) -> Record | None:
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
