"""Which issues a reading of Jira has: those that changed, and those that are there no more.

Belongs here: walking the issues of a scope, going on where a reading was stopped, and finding what is gone. Does not:
requests (`api`), what is kept of an issue (`tickets`, `surveys`).

Issues are walked in the order of their creation, which no change moves. An issue that is deleted, or that moves out of
the projects and types that are tickets, leaves nothing: so the ids of all that were held are carried in the cursor, and
each reading walks the ids that there are, thousands a request. An id that is missing there is asked for by itself, as
the search knows of changes late: it is gone where Jira does not have it, or where the query does not hold for it.

The cursor also keeps what was asked of each issue: where the options ask for more now, everything is read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from pipelines.ids import packed, unpacked
from pipelines.jira.api import READ_AGAIN, Api, Item, instant, minute
from pipelines.source import Covered, Mark, Read, Record, VendorError

PAGES_A_MARK = 10
RECONCILED_AT_ONCE = 50
FEWEST_DOUBTED = 20
"""Of fewer issues any number may be gone at once without being doubted."""

_FURTHEST_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Asked:
    """What is asked of a site.

    scope: the issues, in its query language. changed: the field that says when one changed, in that language. fields,
    properties: what each issue comes with. told: what else decides what is kept of one. most_gone: the share of the
    held issues that may be gone at once; where it is more, it is the permissions that are doubted.
    """

    scope: str
    changed: str
    fields: tuple[str, ...]
    properties: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    most_gone: float = 0.5

    @property
    def fingerprint(self) -> str:
        """Changes with what is asked."""
        content = [self.scope, self.changed, *self.fields, *self.properties, *self.told]
        return hashlib.sha256(orjson.dumps(content)).hexdigest()[:12]


@dataclass
class _Walk:
    """What a reading has come to: the ids that it delivered, and when the last of them was created."""

    delivered: set[int] = field(default_factory=set)
    created: datetime | None = None

    @classmethod
    def resumed(cls, mark: str | None) -> _Walk:
        content = orjson.loads(mark) if mark else None
        return cls(unpacked(content["ids"]), datetime.fromisoformat(content["created"])) if content else cls()

    def went_on(self, page: list[Item]) -> bool:
        """Note a page; whether it was in order."""
        times = [at for one in page if (at := instant(one["fields"].get("created"))) is not None]
        self.delivered |= {int(one["id"]) for one in page}
        first = self.created
        self.created = max([*times, *([first] if first else [])], default=None)
        return times == sorted(times) and (not times or first is None or times[0] >= first - timedelta(minutes=2))

    def mark(self) -> Mark | None:
        if self.created is None:
            return None
        return Mark(orjson.dumps({"created": self.created.isoformat(), "ids": packed(self.delivered)}).decode())


def read_scope(
    api: Api, asked: Asked, read: Read, records: Callable[[list[Item]], list[Record]]
) -> Generator[list[Record] | Mark, None, Covered]:
    """Pages of records: what a fetch is, once the site is open."""
    zone = api.zone()
    before = orjson.loads(read.cursor) if read.cursor else {}
    held = unpacked(before["ids"]) if before else set[int]()
    since = read.since if before.get("asked") == asked.fingerprint else None
    walk = _Walk.resumed(read.mark)
    for number, page in enumerate(api.search(_query(asked, zone, since, walk.created), *_wanted(asked)), start=1):
        if not all(isinstance(one.get("fields"), dict) for one in page):
            raise VendorError(api.source, "the search answered issues without their fields", READ_AGAIN)
        if not walk.went_on(page):
            raise VendorError(api.source, "the search answered in another order than was asked for", READ_AGAIN)
        yield records(page)
        if number % PAGES_A_MARK == 0 and (mark := walk.mark()) is not None:
            yield mark
    held |= walk.delivered
    present = {int(one["id"]) for page in api.search(f"{asked.scope} ORDER BY created ASC", ["id"]) for one in page}
    gone = _gone(api, asked, sorted(held - present))
    if len(held) >= FEWEST_DOUBTED and len(gone) > asked.most_gone * len(held):
        raise VendorError(
            api.source,
            f"{len(gone)} of the {len(held)} issues that were known are not there",
            "Check that the user may still browse the projects; where so many were really removed, set the option "
            "`most_gone` to 1 for one run",
        )
    for start in range(0, len(gone), 1000):
        yield [Record(str(id_), read.until, {"id": str(id_)}, is_deleted=True) for id_ in gone[start : start + 1000]]
    ids = packed((held | present) - set(gone))
    return Covered(since, read.until, orjson.dumps({"asked": asked.fingerprint, "ids": ids}).decode())


def revision(changed: datetime | None, read: Read) -> datetime | None:
    """When something last changed. A time from the future would outlive every later one."""
    return read.until if changed is not None and changed > read.until + _FURTHEST_AHEAD else changed


def _query(asked: Asked, zone: ZoneInfo, since: datetime | None, created: datetime | None) -> str:
    clauses = [asked.scope]
    if since is not None:
        clauses.append(f"{asked.changed} >= {minute(since, zone)}")
    if created is not None:
        clauses.append(f"created >= {minute(created, zone)}")
    return f"{' AND '.join(clauses)} ORDER BY created ASC"


def _wanted(asked: Asked) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(dict.fromkeys(("created", *asked.fields))), asked.properties


def _gone(api: Api, asked: Asked, missing: list[int]) -> list[int]:
    """Those of the ids that the search does not find which are really not there any more."""
    still = {int(one["id"]) for one in api.issues([str(id_) for id_ in missing], ["project"])}
    here = set[int]()
    for ids in _batches([id_ for id_ in missing if id_ in still], RECONCILED_AT_ONCE):
        query = f"{asked.scope} AND id in ({', '.join(map(str, ids))})"
        here |= {int(one["id"]) for page in api.search(query, ["id"], reconciled=ids) for one in page}
    return [id_ for id_ in missing if id_ not in here]


def _batches(ids: list[int], size: int) -> Iterator[list[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def at_utc(value: object) -> str | None:
    """A time in one way of writing, whichever the vendor's was; what is none stays as it came."""
    found = instant(value)
    return found.astimezone(UTC).isoformat() if found else None if value is None else str(value)
