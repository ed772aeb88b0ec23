"""How a reading finds what subscriptions have been: through events, and through invoices where those do not reach.

Belongs here: which states are read, and when. Does not: what is kept of one (`states`), what they state (`movements`).

The vendor keeps no history of a subscription. What tells of it:

* *Events*, kept for 30 days (https://docs.stripe.com/api/events): each shows the subscription after a change, and what
  was otherwise before. From the first reading on they tell of every change, to the second.
* *Invoices*, kept for good: their lines say what was billed for which period. They are read where events do not reach:
  by the first reading for the time before, and after a gap for the gap. From them follows what a subscription cost from
  each period on; lines of parts of periods (prorations) say on which day that was changed.
  (https://docs.stripe.com/api/invoice-line-item/object)

So a change without a proration, longer ago than events reach, is known from the day on which it was billed. What no
invoice and no event tells of that time: pauses, and cancellations that were taken back. Of a subscription that has,
or had, items of several intervals invoices bill a part each, so that they are not gone by (`intervals`).

A record is named by the subscription, and where it is a state of the past, after a slash, by what told of it.

A reading of all that is interrupted goes on where it was, in the list of subscriptions or in that of invoices, as long
as events reach as far back as they did when it began; after that all is read anew.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import polars as pl

from pipelines.source import READ_AGAIN, Account, Covered, Mark, Read, Record, VendorError
from pipelines.stripe.api import Api, Item
from pipelines.stripe.reading import (
    EVENTS_KEPT,
    EVENTS_TRUSTED,
    Kind,
    Pages,
    events,
    gone,
    in_order,
    place,
    present_of,
    reached,
    why_all_are_read,
)
from pipelines.stripe.states import before, billed, has_discounted_lines, known_discounts, state

_SUBSCRIPTION = "customer.subscription."
CHANGES = (
    *(f"{_SUBSCRIPTION}{what}" for what in ("created", "deleted", "paused", "resumed", "updated")),
    *(f"customer.discount.{what}" for what in ("created", "deleted", "updated")),
)
"""Discounts come and go with events of their own."""

_SOON = timedelta(hours=1)
_EXPANDED = "discounts.source.coupon"
_ENDED = ("canceled", "incomplete_expired")

Labels = Mapping[str, str | None]

logger = logging.getLogger(__name__)


def subscription_of(record_key: pl.Expr) -> pl.Expr:
    """Whose state a record is."""
    return record_key.str.split("/").list.first()


def fetch(account: Account, labels: Labels, read: Read, *, livemode: bool) -> Pages:
    """Read the subscriptions that were changed, or all, and what they have been."""
    api = Api(account, read.clock, livemode=livemode)
    kind = Kind(
        name="subscriptions",
        path="/v1/subscriptions",
        object="subscription",
        changes=CHANGES,
        kept=lambda item, now: state(item, now, labels, {}),
        keeps="&".join(["states", *(f"{label}={key}" for label, key in sorted(labels.items()) if key)]),
        asked={"status": "all"},
        expanded=_EXPANDED,
    )
    reading = _Reading(api, kind, labels, read)
    why_all = why_all_are_read(kind, read)
    if why_all is None and read.since is not None:
        yield from reading.changed(read.since)
        return Covered(read.since, read.until, kind.keeps)
    logger.info("%s.%s: all are read through the list: %s", api.source, kind.name, why_all)
    yield from reading.everything()
    return Covered(None, read.until, kind.keeps)


@dataclass
class _Walk:
    """How far a reading of all has got.

    events_from: from when on events are gone by (epoch seconds). first: when the first subscription began that it came
    past. subscription, invoice: the last ones that it came past in their lists.
    """

    events_from: int
    first: float
    subscription: str | None = None
    invoice: str | None = None


@dataclass(frozen=True, slots=True)
class _Happened:
    """An event of a subscription; squeezed, as those of four weeks are held until it is their subscription's turn."""

    id: str
    type: str
    at: int
    told: bytes

    @classmethod
    def of(cls, event: Item, shown: Item) -> _Happened:
        previous = (event.get("data") or {}).get("previous_attributes") or {}
        return cls(event["id"], event["type"], event["created"], zlib.compress(orjson.dumps([shown, previous]), 1))

    def shown(self) -> tuple[Item, Item]:
        """The object as the event shows it, and what of it was otherwise before."""
        now, previous = orjson.loads(zlib.decompress(self.told))
        return now, previous


class _Reading:
    """One reading of the subscriptions of an account."""

    def __init__(self, api: Api, kind: Kind, labels: Labels, read: Read) -> None:
        self.api, self.kind, self.labels, self.read = api, kind, labels, read

    def changed(self, since: datetime) -> Iterator[list[Record] | Mark]:
        """What had an event since: as it is, and as it was after and before each event."""
        happened = self._happened(since)
        changed = {id_: max(event.at for event in of_it) for id_, of_it in happened.items()}
        for ids, mark in in_order(changed, self.read):
            page: list[Record] = []
            for id_ in ids:
                item = self.api.found(self.kind.path, self.kind.object, id_, self.kind.of_one)
                page += [gone(id_)] if item is None else [self._present(item), *self._past(item, happened[id_])]
            yield page
            yield mark

    def everything(self) -> Iterator[list[Record] | Mark]:
        """All that there are, what events tell of them, and what invoices tell of the time before."""
        walk = self._begun()
        if walk.invoice is None:
            yield from self._listed(walk)
        if walk.first < walk.events_from:
            yield from self._billed(walk)

    def _begun(self) -> _Walk:
        """Where the reading is: at its beginning, or where it was interrupted, if events still reach as far back."""
        now = present_of(self.read)
        said = reached(self.read)
        is_known = said.keys() == {one.name for one in fields(_Walk)}
        if not is_known or now - datetime.fromtimestamp(said["events_from"], UTC) > EVENTS_KEPT - _SOON:
            return _Walk(int((now - EVENTS_TRUSTED).timestamp()), self.read.until.timestamp())
        return _Walk(**said)

    def _listed(self, walk: _Walk) -> Iterator[list[Record] | Mark]:
        """All that there are, and what events tell of them."""
        happened = self._happened(datetime.fromtimestamp(walk.events_from, UTC))
        for page in self.api.listed(self.kind.path, self.kind.of_list, walk.subscription):
            records: list[Record] = []
            for item in page:
                began = _began(item, self.read.until)
                walk.first = min(walk.first, began)
                of_it = happened.get(item["id"], [])
                records += [self._present(item), *self._past(item, of_it)]
                if not of_it and item.get("status") not in _ENDED and began < walk.events_from:
                    records.append(self._state(item, {}, "listed", walk.events_from, ""))
            yield records
            if page:
                walk.subscription = page[-1]["id"]
                yield place(**asdict(walk))

    def _happened(self, since: datetime) -> dict[str, list[_Happened]]:
        """The events of each subscription, newest first."""
        found: dict[str, list[_Happened]] = {}
        for event, shown in events(self.api, self.kind, since):
            id_ = shown["id"] if event["type"].startswith(_SUBSCRIPTION) else shown.get("subscription")
            if isinstance(id_, str):  # a discount may be a customer's, or an invoice's
                found.setdefault(id_, []).append(_Happened.of(event, shown))
        return found

    def _past(self, present: Item, happened: Sequence[_Happened]) -> Iterator[Record]:
        """What a subscription was before and after each event."""
        known, now = known_discounts(present), present
        places = _places(happened)
        for event in happened:
            shown, previous = event.shown()
            if event.type.startswith(_SUBSCRIPTION):
                was = before(shown, previous)
                known = {**known, **known_discounts(shown), **known_discounts(was)}
                now = was
                if event.type.endswith(".updated"):
                    yield self._state(was, known, "before", event.at, f"{event.id}/before", places[event.id])
            else:
                known = {**known, shown["id"]: shown}
                shown = now  # of a discount's event, what the subscription was until its next one
            yield self._state(shown, known, "after", event.at, event.id, places[event.id])

    def _billed(self, walk: _Walk) -> Iterator[list[Record] | Mark]:
        """What invoices billed of periods that began before events tell of them; after a gap, in the gap."""
        first = self.read.since.timestamp() if self.read.since else 0
        for page in self.api.listed("/v1/invoices", {"expand[]": f"data.{_EXPANDED}"}, walk.invoice):
            records: list[Record] = []
            for invoice in page:
                if not isinstance(invoice.get("created"), int):
                    raise VendorError(self.api.source, "/v1/invoices answered an invoice without its time", READ_AGAIN)
                if invoice.get("status") == "draft" or invoice["created"] < first:
                    continue
                for id_, states in billed(invoice, self._lines(invoice)).items():
                    records += [
                        Record(f"{id_}/{invoice['id']}/{one['kind']}/{one['at']}", None, one)
                        for one in states
                        if one["at"] < walk.events_from
                    ]
            yield records
            if page:
                walk.invoice = page[-1]["id"]
                yield place(**asdict(walk))

    def _lines(self, invoice: Item) -> list[Item]:
        """The lines of an invoice; with discounts of their own, as the list of them alone shows those whole."""
        lines, has_own = invoice.get("lines") or {}, has_discounted_lines(invoice)
        if not lines.get("has_more") and not has_own:
            return lines.get("data") or []
        asked = {"expand[]": f"data.{_EXPANDED}"}
        return [line for page in self.api.listed(f"/v1/invoices/{invoice['id']}/lines", asked) for line in page]

    def _present(self, item: Item) -> Record:
        return Record(item["id"], None, state(item, self.read.until, self.labels, {}))

    def _state(self, item: Item, known: Mapping[str, Item], kind: str, at: int, name: str, place: int = 0) -> Record:
        kept: dict[str, Any] = state(item, self.read.until, self.labels, known)
        key = f"{item['id']}/{name or f'{kind}/{at}'}"
        return Record(key, None, {**kept, "kind": kind, "at": at, "place": place})


def _began(item: Item, now: datetime) -> float:
    """The first time that a subscription has; now, where it has none."""
    return min(
        [at for at in (item.get("start_date"), item.get("created")) if isinstance(at, int)], default=now.timestamp()
    )


def _places(happened: Sequence[_Happened]) -> dict[str, int]:
    """The order of events of one second, by their ids: the vendor lists the newest first."""
    places: dict[str, int] = {}
    seconds: dict[int, int] = {}
    for event in reversed(happened):
        places[event.id] = seconds[event.at] = seconds.get(event.at, -1) + 1
    return places
