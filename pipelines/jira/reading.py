"""Which issues a reading of Jira has: those that changed, those that are back, and those that are there no more.

Belongs here: walking the issues of a scope, going on where a reading was stopped, and finding what is gone. Does not:
requests (`api`), which issues are tickets (`scope`), what is kept of one (`issues`, `surveys`).

Issues are walked in the order of their creation, which no change moves. An issue that is deleted, or that moves out of
the projects and types that are tickets, leaves nothing: so the ids of all that are held are carried in the cursor, and
each reading walks the ids that there are, thousands a request.

* One that is there and not held is back (it may be seen again, was moved back, or taken out of the archive), which
  changes nothing in it: it is asked for by its id.
* One that is held and not there is asked for by its id as well, as no search finds what is archived, or has changed a
  moment ago. It is gone where Jira does not show it, or where it is no ticket any more; otherwise it is kept.

Records have no revision: what arrives last holds. An issue that is gone and back is as old as it was before.

The cursor also keeps what was asked of each issue: where the options ask for more now, everything is read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from pipelines.ids import packed, unpacked
from pipelines.jira.api import Api, Item, instant, minute
from pipelines.jira.scope import Scope
from pipelines.source import READ_AGAIN, Covered, DoubtedReading, Mark, Read, Record, VendorError

PAGES_A_MARK = 10
FEWEST_DOUBTED = 10
"""So few issues may vanish at once without being doubted."""
_RECORDS_A_PAGE = 1000


@dataclass(frozen=True)
class Asked:
    """What is asked of a site.

    scope: the issues. changed: the field that says when one changed, in its query language. fields, properties: what
    each issue comes with. told: what else decides what is kept of one. most_gone: the share of the held issues that may
    vanish at once; where it is more, it is the permissions that are doubted.
    """

    scope: Scope
    changed: str
    fields: tuple[str, ...]
    properties: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    most_gone: float = 0.1

    @property
    def fingerprint(self) -> str:
        """Changes with what is asked."""
        content = [self.scope.query, self.changed, *self.fields, *self.properties, *self.told]
        return hashlib.sha256(orjson.dumps(content)).hexdigest()[:12]

    def is_as_before(self, cursor: str | None) -> bool:
        """Whether the last complete reading was asked for the same."""
        return cursor is not None and orjson.loads(cursor)["asked"] == self.fingerprint

    @property
    def wanted(self) -> tuple[str, ...]:
        """The fields that issues come with, those that they are walked and judged by too."""
        return tuple(dict.fromkeys(("created", *self.fields, *self.scope.fields)))


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
        self.delivered.update(_ids(page))
        first = self.created
        self.created = max([*times, *([first] if first else [])], default=None)
        return times == sorted(times) and (not times or first is None or times[0] >= first - timedelta(minutes=2))

    def place(self) -> str | None:
        """From where a reading can go on."""
        if self.created is None:
            return None
        return orjson.dumps({"created": self.created.isoformat(), "ids": packed(self.delivered)}).decode()


def read_scope(
    api: Api,
    asked: Asked,
    read: Read,
    records: Callable[[list[Item]], list[Record]],
    noted: Callable[[str], str] = lambda text: text,
) -> Generator[list[Record] | Mark, None, Covered]:
    """Pages of records: what a fetch is, once the site is open. noted: a mark or a cursor with what is noted beside."""
    zone, query = api.zone(), asked.scope.query
    before = orjson.loads(read.cursor) if read.cursor else {}
    held = unpacked(before["ids"]) if before else set[int]()
    since = read.since if asked.is_as_before(read.cursor) else None
    walk = _Walk.resumed(read.mark)
    pages = api.search(_query(asked, zone, since, walk.created), asked.wanted, asked.properties)
    for number, page in enumerate(pages, start=1):
        _require_fields(api, page)
        if not walk.went_on(page):
            raise VendorError(api.source, "the search answered in another order than was asked for", READ_AGAIN)
        yield records(page)
        if number % PAGES_A_MARK == 0 and (place := walk.place()) is not None:
            yield Mark(noted(place))
    held |= walk.delivered
    present = {id_ for page in api.search(f"{query} ORDER BY created ASC", ["id"]) for id_ in _ids(page)}
    for page in api.issues(sorted(present - held), asked.wanted, asked.properties):
        _require_fields(api, page)
        back = [one for one in page if asked.scope.has(one)]
        yield records(back)
        held.update(_ids(back))
    gone = _gone(api, asked, held, present)
    for start in range(0, len(gone), _RECORDS_A_PAGE):
        ids = map(str, gone[start : start + _RECORDS_A_PAGE])
        yield [Record(id_, None, {"id": id_}, is_deleted=True) for id_ in ids]
    cursor = {"asked": asked.fingerprint, "ids": packed(held - set(gone))}
    return Covered(since, read.until, noted(orjson.dumps(cursor).decode()))


def _query(asked: Asked, zone: ZoneInfo, since: datetime | None, created: datetime | None) -> str:
    clauses = [asked.scope.query]
    if since is not None:
        clauses.append(f"{asked.changed} >= {minute(since, zone)}")
    if created is not None:
        clauses.append(f"created >= {minute(created, zone)}")
    return f"{' AND '.join(clauses)} ORDER BY created ASC"


def _require_fields(api: Api, page: list[Item]) -> None:
    if not all(isinstance(one.get("fields"), dict) for one in page):
        raise VendorError(api.source, "issues came without their fields", READ_AGAIN)


def _gone(api: Api, asked: Asked, held: set[int], present: set[int]) -> list[int]:
    """Those of the held ids that the search does not find which are really no tickets any more."""
    missing = sorted(held - present)
    shown = {int(one["id"]): asked.scope.has(one) for page in api.issues(missing, asked.scope.fields) for one in page}
    vanished = [id_ for id_ in missing if id_ not in shown]
    if len(vanished) > max(FEWEST_DOUBTED, asked.most_gone * len(held)):
        raise DoubtedReading(
            api.source,
            f"{len(vanished)} of the {len(held)} issues that were known are not there",
            "Check that the user may still see them, archived ones too; where so many were really deleted, set the "
            "option `most_gone` to 1 for one run",
        )
    return [id_ for id_ in missing if not shown.get(id_, False)]


def _ids(page: list[Item]) -> Iterator[int]:
    return (int(one["id"]) for one in page)
