"""Pipedrive's API: where things are, what they cost, and how it pages.

Belongs here: requests, and whole answers as Pipedrive gives them. Does not: signing in (`access`), which records to
read (`reading`) or what they mean.

Lists are of the second version (cursor paging, RFC 3339); changelogs, activity types and what was changed of late are
only in the first one (times in UTC without a zone). Source of paths and costs: the vendor's own API descriptions,
https://developers.pipedrive.com/docs/api/v1/openapi-v2.yaml and openapi.yaml, `x-token-cost`.

Nothing is believed for its status of 200: each answer says that it succeeded and has the keys that Pipedrive documents,
a page that was promised has results, and ids only grow. Otherwise the stream ends with an error and nothing counts as
read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import requests

from pipelines.http import documented, whole_json
from pipelines.pipedrive.access import Access
from pipelines.source import READ_AGAIN, VendorError

MOST_A_PAGE = 500
MOST_IDS = 100
LIST_COST = {"deals": 10, "deals/archived": 20, "persons": 10, "activities": 10}
DEFINITION_COST = {"pipelines": 5, "stages": 5, "dealFields": 10, "personFields": 10}
CHANGELOG_COST, RECENTS_COST, ACTIVITY_TYPES_COST = 20, 20, 20
DEAL_PRODUCTS_COST = 10

Object = dict[str, Any]
"""A record as Pipedrive gives it."""


class Api:
    """What one company's API answers."""

    def __init__(self, access: Access) -> None:
        self.access, self.source, self.pseudonym = access, access.source, access.account.pseudonym

    def _whole(self, response: requests.Response) -> Object:
        content = whole_json(self.source, response, ("success", "data"))
        if content["success"] is not True:
            raise self.strange("an answer with HTTP 200 says that it did not succeed")
        return content

    def strange(self, found: str) -> VendorError:
        """Why nothing is believed of an answer."""
        return VendorError(self.source, found, READ_AGAIN)

    def _documented(self, what: str) -> AbstractContextManager[None]:
        return documented(self.source, "Pipedrive", what)

    # What the company has set up

    def definitions(self, kind: str) -> list[Object]:
        """All pipelines, stages, or fields of a type of record; where deleted ones are given, they say so."""
        url, found, after = f"{self.access.lists}/{kind}", [], ""
        while True:
            params = {"limit": str(MOST_A_PAGE), **({"cursor": after} if after else {})}
            content = self._whole(self.access.get(url, params, DEFINITION_COST[kind]))
            with self._documented(f"the {kind}"):
                found += [dict(one) for one in content["data"]]
                before, after = after, _next_cursor(content)
            if not after:
                return found
            if after == before:
                raise self.strange(f"the {kind} come again and again")

    def activity_types(self) -> dict[str, str]:
        """Key of each type of activity -> what people call it; those that are not used any more included."""
        content = self._whole(self.access.get(f"{self.access.histories}/activityTypes", {}, ACTIVITY_TYPES_COST))
        with self._documented("the activity types"):
            return {str(one["key_string"]): str(one["name"]) for one in content["data"]}

    # Records

    def listed(
        self, path: str, params: Mapping[str, str], size: int, after: str = ""
    ) -> Iterator[tuple[list[Object], str]]:
        """Records in the order of their ids, page by page, each with the cursor of the next one, empty after the last.

        after: the cursor that an earlier reading had come to; where Pipedrive does not know it any more, the list is
        read from its beginning.
        """
        given = {**params, "sort_by": "id", "sort_direction": "asc", "limit": str(size)}
        url, is_resumed, last_id, is_promised = f"{self.access.lists}/{path}", bool(after), 0, False
        while True:
            response = self.access.get(url, {**given, "cursor": after} if after else given, LIST_COST[path])
            if is_resumed and response.status_code == 400:
                after, is_resumed = "", False
                continue
            is_resumed = False
            content = self._whole(response)
            with self._documented(path):
                page = [_whole_record(one, one["id"]) for one in content["data"]]
                after = _next_cursor(content)
            ids = [one["id"] for one in page]
            if not page and (is_promised or after):
                raise self.strange(f"a page of {path} is empty, though it was promised")
            if any(later <= earlier for earlier, later in zip([last_id, *ids], ids, strict=False)):
                raise self.strange(f"a page of {path} has what came before, or is out of order")
            last_id, is_promised = (ids or [last_id])[-1], bool(after)
            yield page, after
            if not after:
                return

    def by_ids(self, path: str, params: Mapping[str, str], ids: Sequence[str]) -> list[Object]:
        """Those of at most a hundred records that are in a list."""
        found = self.listed(path, {**params, "ids": ",".join(ids)}, MOST_IDS)
        return [one for page, _ in found for one in page]

    def products(self, ids: Sequence[int]) -> dict[int, set[str]]:
        """Id of each of at most a hundred deals -> the names of the products attached to it; without any, left out."""
        url, found, last_id, after = f"{self.access.lists}/deals/products", dict[int, set[str]](), 0, ""
        given: dict[str, str | list[str]] = {"deal_ids": [str(id_) for id_ in ids], "limit": str(MOST_A_PAGE)}
        while ids:
            content = self._whole(
                self.access.get(url, {**given, "cursor": after} if after else given, DEAL_PRODUCTS_COST)
            )
            with self._documented("the products of deals"):
                page = [(int(one["id"]), int(one["deal_id"]), str(one["name"])) for one in content["data"]]
                is_promised, after = bool(after), _next_cursor(content)
            if (not page and (is_promised or after)) or any(id_ <= last_id for id_, _, _ in page[:1]):
                raise self.strange("a page of the products of deals is empty or came before")
            for id_, deal_id, name in page:
                last_id = id_
                found.setdefault(deal_id, set()).add(name)
            if not after:
                break
        return found

    def changelog(self, kind: str, id_: int) -> list[Any] | None:
        """Each change of each field of a record, as it came, newest first; None where Pipedrive has none of it.

        The flow of a record says the same among other things, and costs twice as much.
        """
        url, after = f"{self.access.histories}/{kind}/{id_}/changelog", ""
        found, seen = list[Any](), set[str]()
        while True:
            params = {"limit": str(MOST_A_PAGE), **({"cursor": after} if after else {})}
            response = self.access.get(url, params, CHANGELOG_COST)
            if response.status_code == 404:
                return None
            content = self._whole(response)
            with self._documented(f"the changes of {kind}"):
                if not isinstance(content["data"], list | None):
                    raise TypeError
                page = list(content["data"] or ())
                is_promised, after = bool(after), _next_cursor(content)
            if not page and (is_promised or after):
                raise self.strange(f"a page of a changelog of {kind} is empty, though it was promised")
            found += page
            if not after:
                return found
            if after in seen:
                raise self.strange(f"the changes of one of the {kind} come again and again")
            seen.add(after)

    def recents(self, item: str, since: str) -> Iterator[Object]:
        """What was changed, or deleted, of one type of record since a time in UTC: the records of the first version."""
        url, start, before = f"{self.access.histories}/recents", 0, None
        while True:
            params = {"since_timestamp": since, "items": item, "start": str(start), "limit": str(MOST_A_PAGE)}
            content = self._whole(self.access.get(url, params, RECENTS_COST))
            with self._documented(f"what was changed of late of {item}"):
                page = [_whole_record(one["data"], one["id"]) for one in content["data"] or ()]
                is_last = not content["additional_data"]["pagination"]["more_items_in_collection"]
            if page == before or not (page or is_last):
                raise self.strange(f"a page of what was changed of late of {item} is empty or came before")
            yield from page
            if is_last:
                return
            start, before = start + len(page), page


def _next_cursor(content: Object) -> str:
    """Where the next page begins; empty after the last one. Raises where the answer does not say whether it is."""
    cursor = content["additional_data"]["next_cursor"]
    return "" if cursor is None else str(cursor)


def changed_at(record: Object) -> datetime:
    """When a record was last changed; a time without a zone is of the first version, and in UTC.

    Source of the fact: the descriptions of `add_time` of an activity and of `since_timestamp` in the vendor's API.
    """
    instant = datetime.fromisoformat(str(record.get("update_time") or record["add_time"]))
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _whole_record(record: Object, id_: Any) -> Object:
    """A record with what everything else stands on: its id, and when it was last changed."""
    changed_at(record)
    return {**record, "id": int(id_)}
