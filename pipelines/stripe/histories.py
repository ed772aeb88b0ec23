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
invoice and no event tells of that time: pauses, and cancellations that were taken back. Of a subscription whose items
have several intervals invoices bill a part each, so that they are not gone by.

A record is named by the subscription, and where it is a state of the past, after a slash, by what told of it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from pipelines.source import Account, Covered, Read, Record, VendorError
from pipelines.stripe.api import READ_AGAIN, Api, Item
from pipelines.stripe.reading import EVENTS_TRUSTED, Kind, events, gone, why_all_are_read
from pipelines.stripe.states import before, billed, known_discounts, state

_SUBSCRIPTION = "customer.subscription."
CHANGES = (
    *(f"{_SUBSCRIPTION}{what}" for what in ("created", "deleted", "paused", "resumed", "updated")),
    *(f"customer.discount.{what}" for what in ("created", "deleted", "updated")),
)
"""Discounts come and go with events of their own."""

_IDS_A_PAGE = 100
_EXPANDED = "discounts.source.coupon"
_ENDED = ("canceled", "incomplete_expired")

Labels = Mapping[str, str | None]
_Dated = list[tuple[Item, Item]]

logger = logging.getLogger(__name__)


def subscription_of(record_key: pl.Expr) -> pl.Expr:
    """Whose state a record is."""
    return record_key.str.split("/").list.first()


def fetch(account: Account, labels: Labels, read: Read, *, livemode: bool) -> Generator[list[Record], None, Covered]:
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


class _Reading:
    """One reading of the subscriptions of an account."""

    def __init__(self, api: Api, kind: Kind, labels: Labels, read: Read) -> None:
        self.api, self.kind, self.labels, self.read = api, kind, labels, read

    def changed(self, since: datetime) -> Iterator[list[Record]]:
        """What had an event since: as it is, and as it was after and before each event."""
        happened = self._happened(since)
        ids = list(happened)
        for start in range(0, len(ids), _IDS_A_PAGE):
            page: list[Record] = []
            for id_ in ids[start : start + _IDS_A_PAGE]:
                item = self.api.found(self.kind.path, self.kind.object, id_, self.kind.of_one)
                page += [gone(id_)] if item is None else [self._present(item), *self._past(item, happened[id_])]
            yield page

    def everything(self) -> Iterator[list[Record]]:
        """All that there are, what events tell of them, and what invoices tell of the time before."""
        events_from = self.read.until - EVENTS_TRUSTED
        happened = self._happened(events_from)
        several, first = set[str](), self.read.until.timestamp()
        for page in self.api.listed(self.kind.path, self.kind.of_list):
            records: list[Record] = []
            for item in page:
                began = _began(item, self.read.until)
                first = min(first, began)
                of_it = happened.get(item["id"], [])
                records += [self._present(item), *self._past(item, of_it)]
                if not of_it and item.get("status") not in _ENDED and began < events_from.timestamp():
                    records.append(self._state(item, {}, "listed", int(events_from.timestamp()), ""))
                if len({(one["interval"], one["interval_count"]) for one in records[-1].payload["items"]}) > 1:
                    several.add(item["id"])
            yield records
        if first < events_from.timestamp():
            yield from self._billed(events_from, several)

    def _happened(self, since: datetime) -> dict[str, _Dated]:
        """The events of each subscription, newest first, with what they show."""
        found: dict[str, _Dated] = {}
        for event, shown in events(self.api, self.kind, since):
            if not isinstance(event.get("created"), int):
                raise VendorError(self.api.source, "/v1/events answered an event without its time", READ_AGAIN)
            id_ = shown["id"] if event["type"].startswith(_SUBSCRIPTION) else shown.get("subscription")
            if isinstance(id_, str):  # a discount may be a customer's, or an invoice's
                found.setdefault(id_, []).append((event, shown))
        return found

    def _past(self, present: Item, happened: _Dated) -> Iterator[Record]:
        """What a subscription was before and after each event."""
        known, now = known_discounts(present), present
        places = _places(happened)
        for event, shown in happened:
            at, name = event["created"], event["id"]
            if event["type"].startswith(_SUBSCRIPTION):
                was = before(shown, (event.get("data") or {}).get("previous_attributes") or {})
                known = {**known, **known_discounts(shown), **known_discounts(was)}
                now = was
                if event["type"].endswith(".updated"):
                    yield self._state(was, known, "before", at, f"{name}/before", places[name])
            else:
                known = {**known, shown["id"]: shown}
                shown = now  # noqa: PLW2901 - of a discount's event, what the subscription was until its next one
            yield self._state(shown, known, "after", at, name, places[name])

    def _billed(self, until: datetime, several: set[str]) -> Iterator[list[Record]]:
        """What invoices billed of periods that began before events tell of them; after a gap, in the gap."""
        first, last = self.read.since.timestamp() if self.read.since else 0, until.timestamp()
        for page in self.api.listed("/v1/invoices", {"expand[]": f"data.{_EXPANDED}"}):
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
                        if id_ not in several and one["at"] < last
                    ]
            yield records

    def _lines(self, invoice: Item) -> list[Item]:
        lines = invoice.get("lines") or {}
        if not lines.get("has_more"):
            return lines.get("data") or []
        return [line for page in self.api.listed(f"/v1/invoices/{invoice['id']}/lines", {}) for line in page]

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


def _places(happened: _Dated) -> dict[str, int]:
    """The order of events of one second, by their ids: the vendor lists the newest first."""
    places: dict[str, int] = {}
    seconds: dict[int, int] = {}
    for event, _ in reversed(happened):
        places[event["id"]] = seconds[event["created"]] = seconds.get(event["created"], -1) + 1
    return places
