"""HubSpot's CRM API: where things are, how it pages and searches.

Belongs here: requests, and whole answers as HubSpot gives them. Does not: signing in (`access`), which records to read
(`reading`) or what they mean.

Nothing is believed for its status of 200: each answer has the keys that HubSpot documents, a page that was promised has
results, none comes twice, and search answers in the order that was asked for. Otherwise the stream ends with an error
and nothing counts as read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import orjson

from pipelines.http import documented, whole_json
from pipelines.hubspot.access import Access
from pipelines.source import READ_AGAIN, VendorError

LIST_LIMIT = 100
HISTORY_LIMIT = 50
"""Records a page: with property histories HubSpot gives half as many."""
SEARCH_LIMIT = 200
SEARCH_PACE_SECONDS = 0.21
"""Before each search: five a second are allowed for the whole account, and refused requests count as errors."""

ID = "hs_object_id"

_ONE = {"companies": "company"}
"""What one of several is called, where it is not called so without its last letter."""

Object = dict[str, Any]
"""A CRM record as HubSpot gives it."""

Place = tuple[int, int]
"""How far a search has got: a last change in milliseconds, and the last id of that instant (0: all before it)."""


class Api:
    """What one account's API answers."""

    def __init__(self, access: Access) -> None:
        self.source, self.session, self.clock = access.source, access.session, access.clock
        self.root, self.version, self.pseudonym = access.root, access.version, access.account.pseudonym

    def _url(self, area: str, *rest: str) -> str:
        """`/crm/v3/objects/deals` in the numbered version is `/crm/objects/2026-03/deals` in a dated one."""
        place = (self.version, area) if self.version == "v3" else (area, self.version)
        return "/".join((self.root, "crm", *place, *rest))

    def _get(self, url: str, params: dict[str, str], must_have: Collection[str] = ("results",)) -> Object:
        return whole_json(self.source, self.session.get(url, params=params), must_have)

    def _post(self, url: str, body: Object, must_have: Collection[str] = ("results",)) -> Object:
        response = self.session.post(url, data=orjson.dumps(body), headers={"Content-Type": "application/json"})
        return whole_json(self.source, response, must_have)

    def _strange(self, found: str) -> VendorError:
        return VendorError(self.source, found, READ_AGAIN)

    def _documented(self, what: str) -> AbstractContextManager[None]:
        return documented(self.source, "HubSpot", what)

    # What the account declares

    def property_values(self, object_type: str) -> dict[str, list[str]]:
        """Name of each property that records of a type have -> the values that it allows; none: any."""
        definitions = self._get(self._url("properties", object_type), {})["results"]
        with self._documented(f"the properties of {object_type}"):
            return {
                str(one["name"]): [str(value["value"]) for value in one.get("options") or ()] for one in definitions
            }

    def deal_stages(self) -> dict[str, list[str]]:
        """Id of each deal pipeline -> ids of its stages."""
        definitions = self._get(self._url("pipelines", "deals"), {})["results"]
        with self._documented("the deal pipelines"):
            return {str(one["id"]): [str(stage["id"]) for stage in one["stages"]] for one in definitions}

    def owners(self) -> dict[str, str]:
        """Id of each user who owns records, or did before they left -> their mail address; without one, left out."""
        url, found = self._url("owners", ""), dict[str, str]()
        for is_archived in ("true", "false"):
            after, seen = "", set[str]()
            while after not in seen:
                seen.add(after)
                asked = {"archived": is_archived, "limit": "100", **({"after": after} if after else {})}
                content = self._get(url, asked)
                with self._documented("the owners"):
                    found |= {str(one["id"]): str(one["email"]) for one in content["results"] if one.get("email")}
                after = _next_page(content)
                if not after:
                    break
            else:
                raise self._strange("the owners come again and again")
        return found

    # Records

    def listed(self, object_type: str, params: dict[str, str], after: str = "") -> Iterator[tuple[list[Object], str]]:
        """All records of a type, page by page, in the order of their ids, each page with where the next one begins.

        A list has no wall, and no filter by time.
        """
        url, seen = self._url("objects", object_type), set()
        while True:
            content = self._get(url, {**params, "after": after} if after else params)
            page = self._whole(object_type, content["results"])
            if not page and (after or _next_page(content)):
                raise self._strange(f"a page of {object_type} is empty, though it was promised")
            if page and page[0]["id"] in seen:
                raise self._strange(f"a page of {object_type} is one that came before")
            after = _next_page(content)
            if page:
                seen.add(page[0]["id"])
                yield page, after
            if not after:
                return

    def read(self, object_type: str, ids: Sequence[str], body: Object, params: dict[str, str]) -> list[Object]:
        """The records with these ids that can be read, each by itself where the batch leaves it out.

        A merged record answers under its winner's id; one that is gone is not among the answers.
        """
        url = self._url("objects", object_type, "batch", "read")
        content = self._post(url, {**body, "inputs": [{"id": id_} for id_ in ids]}, ("results", "status"))
        if content["status"] != "COMPLETE":
            raise self._strange(f"a batch of {object_type} was answered with status {content['status']}")
        found = self._whole(object_type, content["results"])
        answered = {one["id"] for one in found}
        alone = [one for id_ in ids if id_ not in answered for one in self._single(object_type, id_, params)]
        return found + [one for one in alone if one["id"] not in answered]

    def _single(self, object_type: str, id_: str, params: dict[str, str]) -> list[Object]:
        response = self.session.get(self._url("objects", object_type, id_), params=params)
        return [] if response.status_code == 404 else self._whole(object_type, [whole_json(self.source, response)])

    def _whole(self, object_type: str, found: list[Object]) -> list[Object]:
        """The records, each with what everything else stands on: its id, its properties and its last change."""
        with self._documented(object_type):
            for one in found:
                datetime.fromisoformat(one["updatedAt"])
                one["id"], one["properties"] = str(one["id"]), dict(one["properties"])
        return found

    # Search

    def changed(self, object_type: str, place: Place, *also: Object) -> Iterator[tuple[list[tuple[str, str]], Place]]:
        """Id and last change of the records changed since a place, oldest change first; some come twice.

        Each page comes with the place after it. A search ends at 10,000 results, and records that change while it is
        paged shift its pages. So every page is a search of its own, from the last change seen on; and where one instant
        fills a whole page (a bulk update gives thousands of records the same one), that instant is pinned and paged by
        id.
        """
        modified, (start, last_id) = modified_property(object_type), place
        if last_id:
            yield from self._changed_at(object_type, start, last_id, also)
            start += 1
        while True:
            page, is_last = self._search(object_type, [*also, _filter(modified, "GTE", start)], modified)
            newest = _milliseconds(page[-1][1]) if page else start
            if page:
                yield page, (newest, 0)
            if is_last:
                return
            if newest > start:
                start = newest
            else:
                yield from self._changed_at(object_type, start, 0, also)
                start += 1

    def _changed_at(
        self, object_type: str, instant: int, last_id: int, also: Sequence[Object]
    ) -> Iterator[tuple[list[tuple[str, str]], Place]]:
        pinned = [*also, _filter(modified_property(object_type), "EQ", instant)]
        is_last = False
        while not is_last:
            page, is_last = self._search(object_type, [*pinned, _filter(ID, "GTE", last_id + 1)], ID)
            if page:
                last_id = int(page[-1][0])
                yield page, (instant, last_id)

    def _search(self, object_type: str, filters: Sequence[Object], by: str) -> tuple[list[tuple[str, str]], bool]:
        """The first page of a search, and whether it is all there is. The last filter is the least value of `by`."""
        self.clock.sleep(SEARCH_PACE_SECONDS)
        modified = modified_property(object_type)
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [orjson.dumps({"propertyName": by, "direction": "ASCENDING"}).decode()],
            "properties": [modified],
            "limit": SEARCH_LIMIT,
            "after": "0",
        }
        content = self._post(self._url("objects", object_type, "search"), body, ("results", "total"))
        with self._documented(f"the changed {object_type}"):
            found = [(str(one["id"]), str(one["properties"][modified])) for one in content["results"]]
            order = [int(id_) if by == ID else _milliseconds(at) for id_, at in found]
        if order != sorted(order) or (order and order[0] < int(filters[-1]["value"])):
            raise self._strange(f"the changed {object_type} are not in the order or span that was asked for")
        is_last = not _next_page(content)
        if not found and not (is_last and content["total"] == 0):
            raise self._strange(f"the search for changed {object_type} has {content['total']} results and gave none")
        return found, is_last

    # Associations

    def related(self, object_type: str, to: str, ids: Sequence[str]) -> dict[str, list[str]]:
        """Id of a record -> ids of the records of another type that are associated with it; without any, left out."""
        url = self._url("associations", object_type, to, "batch", "read")
        content = self._post(url, {"inputs": [{"id": id_} for id_ in ids]}, ("results", "status"))
        if content["status"] != "COMPLETE" or not (content["results"] or content.get("errors")):
            raise self._strange(f"the {to} of {len(ids)} {object_type} were not answered")
        with self._documented(f"the {to} of {object_type}"):
            pages = {str(one["from"]["id"]): {**one, "results": one["to"]} for one in content["results"]}
        return {id_: self.associated(object_type, id_, to, page) for id_, page in pages.items()}

    def associated(self, object_type: str, id_: str, to: str, page: Object) -> list[str]:
        """Ids on this page of a record's associations and on those that follow it: the oldest record first.

        Of companies the primary one comes first.
        """
        url, seen = self._url("objects", object_type, id_, "associations", to), set()
        found = list[tuple[bool, int, str]]()
        while True:
            with self._documented(f"the {to} of one of the {object_type}"):
                for one in page["results"]:
                    other = str(one["id"] if "id" in one else one["toObjectId"])
                    found.append((to == "companies" and not _is_primary(object_type, one), len(other), other))
            after = _next_page(page)
            if not after:
                return list(dict.fromkeys(other for *_, other in sorted(found)))
            if after in seen:
                raise self._strange(f"the {to} of one of the {object_type} come again and again")
            seen.add(after)
            page = self._get(url, {"after": after, "limit": "500"})


def modified_property(object_type: str) -> str:
    """The property that says when a record was last changed."""
    return "lastmodifieddate" if object_type == "contacts" else "hs_lastmodifieddate"


def has_property(name: str) -> Object:
    """A filter for records where a property is not empty."""
    return {"propertyName": name, "operator": "HAS_PROPERTY"}


def beginning(since: datetime) -> Place:
    """The place of a search for what changed since an instant."""
    return int(since.timestamp() * 1000), 0


def _is_primary(object_type: str, association: Object) -> bool:
    """Whether a company is the primary one of a record: its association has a type of HubSpot's own for that.

    The others are associated without a label, or with one that the account has made, whatever it is called. The type
    has a name in the numbered version (`deal_to_company`), and in the dated ones a category, a number and a label: an
    account's own types have numbers that may be the same. Source: developers.hubspot.com, Associations v4.
    """
    if "type" in association:
        return str(association["type"]) == f"{_ONE.get(object_type, object_type[:-1])}_to_company"
    kinds = association.get("associationTypes") or ()
    return any(kind.get("category") == "HUBSPOT_DEFINED" and kind.get("label") == "Primary" for kind in kinds)


def _next_page(content: Object) -> str:
    return str(((content.get("paging") or {}).get("next") or {}).get("after") or "")


def _filter(name: str, operator: str, value: int) -> Object:
    return {"propertyName": name, "operator": operator, "value": str(value)}


def _milliseconds(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)
