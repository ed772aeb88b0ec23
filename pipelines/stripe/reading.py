"""How a reading finds what has changed: through the vendor's events, or through its lists where those do not reach.

Belongs here: the choice between the two, and what each costs. Does not: HTTP (`api`), what is kept of an object.

*Events* say which objects were changed; they are kept for 30 days. Of an event only the object's id is taken, and the
object is read as it is now: an event shows its object as it was, in the version of the API that was current then, and
events come in no certain order. So an event that is read late, or twice, brings no older state back. It costs one
request for each changed object.

*Lists* give every object as it is now; they are read at first, when the last reading is so old that events may be gone,
and when other metadata is to be kept. As a list cannot be asked for what was changed, all of it is read, a hundred
objects a request: an invoice of two years ago that was voided during the gap is found. What a list cannot show is what
is in it no longer: an object deleted during a gap stays as it was. The vendor deletes only drafts, which state nothing,
and, on demand, the data of test mode.

A reading that is interrupted goes on where it was: in a list after the last object of a page, through events with those
objects whose last change is later than that of those that were read. What changed meanwhile, the next reading finds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from pipelines.people import People, Place
from pipelines.source import READ_AGAIN, Account, Covered, Mark, Read, Record, VendorError
from pipelines.stripe.api import Api, Item

EVENTS_KEPT = timedelta(days=30)
EVENTS_TRUSTED = EVENTS_KEPT - timedelta(days=2)
"""What was changed longer ago than this before a run is not looked for in events: some may go while they are read."""

_FURTHEST_AHEAD = timedelta(minutes=5)
_IDS_A_PAGE = 100

CUSTOMER = "customer"
OF_CUSTOMERS = People(whose=(Place(CUSTOMER, (CUSTOMER,)),), account=CUSTOMER)
"""Where the objects name people: each is of one customer, whose id is kept and nothing else."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    name: its stream. path: its list. object: what the vendor calls one. changes: the events after which one may state
    something else. kept: the allowed fields of one. keeps: what `kept` depends on; another one asks for all again.
    asked: what its list has to be asked for to have all of them. expanded: the object beside it that is shown with it.
    lists_new: whether its list is asked for those that were created since, as not every account has events of them
    (of refunds, only versions of the API since 2024-10-28: https://docs.stripe.com/changelog/acacia/2024-10-28).
    """

    name: str
    path: str
    object: str
    changes: tuple[str, ...]
    kept: Callable[[Item, datetime], Mapping[str, Any]]
    keeps: str = ""
    asked: Mapping[str, str] = field(default_factory=dict)
    expanded: str | None = None
    lists_new: bool = False

    @property
    def of_list(self) -> Mapping[str, str]:
        """What its list is asked for."""
        return {**self.asked, **({"expand[]": f"data.{self.expanded}"} if self.expanded else {})}

    @property
    def of_one(self) -> Mapping[str, str]:
        """What one of them is asked for."""
        return {"expand[]": self.expanded} if self.expanded else {}


Pages = Generator[list[Record] | Mark, None, Covered]


def fetch(account: Account, kind: Kind, read: Read, *, livemode: bool) -> Pages:
    """Read the objects that were changed, or all."""
    api = Api(account, read.clock, livemode=livemode)
    why_all = why_all_are_read(kind, read)
    if why_all is None and read.since is not None:
        yield from _through_events(api, kind, read, read.since)
        return Covered(read.since, read.until, kind.keeps)
    logger.info("%s.%s: all are read through the list: %s", api.source, kind.name, why_all)
    for page in api.listed(kind.path, kind.of_list, reached(read).get("after")):
        yield [_record(kind, item, read.until) for item in page]
        if page:
            yield place(after=page[-1]["id"])
    return Covered(None, read.until, kind.keeps)


def reached(read: Read) -> dict[str, Any]:
    """Where an interrupted reading had got to; empty where there was none."""
    return dict(orjson.loads(read.mark)) if read.mark else {}


def place(**where: Any) -> Mark:
    """Where a reading has got to."""
    return Mark(orjson.dumps(where).decode())


def present_of(read: Read) -> datetime:
    """The time by which events are gone: a reading may be gone on with days after it began."""
    return read.until if read.mark is None else max(read.until, read.clock.now())


def why_all_are_read(kind: Kind, read: Read) -> str | None:
    """Why events are not enough; None where they are."""
    if read.since is None:
        return "nothing has been read before"
    if present_of(read) - read.since > EVENTS_TRUSTED:
        return f"the last reading is of {read.since:%Y-%m-%d}, and events are kept for {EVENTS_KEPT.days} days"
    if (read.cursor or "") != kind.keeps:
        return "other metadata is to be kept"
    return None


def _through_events(api: Api, kind: Kind, read: Read, since: datetime) -> Iterator[list[Record] | Mark]:
    """What the objects are now that had an event since; one that is gone is deleted."""
    for batch, mark in in_order(_changed(api, kind, since), read):
        found = {id_: api.found(kind.path, kind.object, id_, kind.of_one) for id_ in batch}
        yield [gone(id_) if item is None else _record(kind, item, read.until) for id_, item in found.items()]
        yield mark


def in_order(changed: Mapping[str, int], read: Read) -> Iterator[tuple[list[str], Mark]]:
    """Ids, a hundred together, with the place after them; from where an interrupted reading was.

    changed: id -> when it was changed last. The least recent ones come first, so that what is changed while they are
    read comes after whatever place was passed.
    """
    last = tuple(reached(read).get("changed", (0, "")))
    ordered = sorted((at, id_) for id_, at in changed.items() if (at, id_) > last)
    for start in range(0, len(ordered), _IDS_A_PAGE):
        batch = ordered[start : start + _IDS_A_PAGE]
        yield [id_ for _, id_ in batch], place(changed=batch[-1])


def _changed(api: Api, kind: Kind, since: datetime) -> dict[str, int]:
    """The ids of what was changed since, with when it was last (epoch seconds)."""
    changed: dict[str, int] = {}
    if kind.lists_new:
        for page in api.listed(kind.path, {**kind.of_list, "created[gte]": int(since.timestamp())}):
            changed |= {item["id"]: _created(api, kind.path, item) for item in page}
    for event, of in events(api, kind, since):
        changed[of["id"]] = max(event["created"], changed.get(of["id"], 0))
    return changed


def _created(api: Api, path: str, item: Item) -> int:
    if not isinstance(item.get("created"), int):
        raise VendorError(api.source, f"{path} answered with something without its time", READ_AGAIN)
    return int(item["created"])


def events(api: Api, kind: Kind, since: datetime) -> Iterator[tuple[Item, Item]]:
    """The events of a kind of object since an instant, newest first, each with its object as it was then."""
    for page in api.listed("/v1/events", {"types[]": list(kind.changes), "created[gte]": int(since.timestamp())}):
        for event in page:
            changed = (event.get("data") or {}).get("object") or {}
            if event.get("type") not in kind.changes or not isinstance(changed.get("id"), str):
                raise VendorError(api.source, "/v1/events answered an event that was not asked for", READ_AGAIN)
            _created(api, "/v1/events", event)
            yield event, changed


def gone(id_: str) -> Record:
    """An object that was deleted."""
    return Record(id_, None, {"id": id_}, is_deleted=True)


def _record(kind: Kind, item: Item, now: datetime) -> Record:
    """An object as it is now. The vendor does not say when it was changed: what arrives later replaces it."""
    return Record(item["id"], None, kind.kept(item, now))


def is_ahead(now: datetime, *seconds: Any) -> bool:
    """Whether any of these times (epoch seconds) is in the future, as in test mode a clock may be."""
    latest = (now + _FURTHEST_AHEAD).timestamp()
    return any(isinstance(at, int | float) and at > latest for at in seconds)


def id_of(reference: Any) -> str | None:
    """The id of another object, which the vendor names or, expanded, shows."""
    found = reference.get("id") if isinstance(reference, dict) else reference
    return found if isinstance(found, str) else None
