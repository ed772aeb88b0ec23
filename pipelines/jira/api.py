"""Jira's HTTP API: credentials, its search, its histories, and their guards.

Belongs here: requests, and whole answers as Jira gives them. Does not: which issues are read (`reading`) or what they
mean.

Facts about the API (developer.atlassian.com/cloud/jira/platform/rest/v3): `/search` is gone; `/search/jql` pages by
`nextPageToken` without a total and gives only the fields that are named, ids alone up to 5,000 a page. Dates in its
query language have minutes, in the time zone of the user who asks, which `/myself` tells. It is eventually consistent:
an issue is found as it was some minutes ago. `/changelog/bulkfetch` gives the histories of up to 1,000 issues, oldest
first, an issue's on several pages, those without any left out, times in epoch milliseconds; single ones have offsets
without a colon. Archived issues (a site of the Premium plan may have them) are in no search, and found by their ids
alone. 429 comes with RateLimit-Reason, and with Retry-After unless a quota is used up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import requests
from requests.auth import HTTPBasicAuth

from pipelines.http import PatientSession, retry_after_seconds, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError
from pipelines.ticketing import instant as instant_of
from pipelines.ticketing import place

SEARCH_LIMIT = 100
IDS_LIMIT = 5000
BULK_LIMIT = 100
CHANGES_LIMIT = 1000

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a site's issues. kind: of one that is not Jira's own, such as `com.atlassian.servicedesk:…`."""

    id: str
    name: str
    kind: str | None


class Api:
    """What one site answers. Configuration and credentials are read when it is made.

    Raises `SourceConfigError` for missing or refused credentials, `VendorError` for answers that cannot be trusted.
    """

    def __init__(self, account: Account, site: str, clock: Clock) -> None:
        self.settings, self.clock = Settings(account), clock
        self.source = self.settings.source
        self.base_url = self.settings.base_url(f"https://{site}.atlassian.net")
        self.session = PatientSession(self.source, clock, slow_down=self._slow_down)
        email, api_token = self.settings.get("email"), self.settings.get("api_token")
        if not email or not api_token:
            given = {"email": email, "api_token": api_token}
            raise self.settings.missing(*(key for key, value in given.items() if not value))
        self.session.auth = HTTPBasicAuth(email, api_token)
        self.session.headers["Accept"] = "application/json"

    # What the site declares

    def zone(self) -> ZoneInfo:
        """The time zone of the user who asks. Who is nobody is refused here, and not with empty searches."""
        name = self._get("/rest/api/3/myself", {}, ("accountId", "timeZone"))["timeZone"]
        try:
            return ZoneInfo(str(name))
        except (KeyError, ValueError, OSError):
            raise self._strange(f"/rest/api/3/myself has a time zone that is none ({name})") from None

    def statuses(self) -> dict[str, tuple[str, str | None]]:
        """Id of each status of a workflow in use -> its name and its category's key."""
        found = self._list("/rest/api/3/status")
        return {str(one["id"]): (str(one.get("name")), _in(one, "statusCategory", "key")) for one in found}

    def names(self, kind: str) -> list[str]:
        """What the site's priorities or resolutions are called. kind: `priority` or `resolution`."""
        path = f"/rest/api/3/{kind}/search"
        return [str(one.get("name")) for one in self._paged(path, "values", {}, start="startAt", limit="maxResults")]

    def fields(self) -> list[Field]:
        """The fields of issues."""
        return [
            Field(str(one["id"]), str(one.get("name")), _in(one, "schema", "custom"))
            for one in self._list("/rest/api/3/field")
        ]

    def project_id(self, key: str) -> str:
        """A project's id."""
        return str(self._get(f"/rest/api/3/project/{key}", {}, ("id",))["id"])

    # Issues

    def search(self, jql: str, fields: Sequence[str], properties: Sequence[str] = ()) -> Iterator[list[Item]]:
        """Pages of the issues that a query finds, with the named fields; ids alone come 5,000 at a time."""
        limit = IDS_LIMIT if list(fields) == ["id"] else SEARCH_LIMIT
        body: Item = {"jql": jql, "fields": list(fields), "maxResults": limit}
        if properties:
            body["properties"] = list(properties)
        path, seen = "/rest/api/3/search/jql", set[str]()
        while True:
            content = self._post(path, body, ("issues",))
            issues, token = self._issues(path, content["issues"]), content.get("nextPageToken")
            is_last = content.get("isLast", not token)
            if not is_last and not issues:
                raise self._strange(f"a page of {path} is empty, though it is not the last")
            if not is_last and (not token or token in seen):
                raise self._strange(f"{path} says that there is more but does not get on")
            yield issues
            if is_last:
                return
            seen.add(str(token))
            body["nextPageToken"] = token

    def issues(self, ids: Sequence[int], fields: Sequence[str], properties: Sequence[str] = ()) -> Iterator[list[Item]]:
        """Those of some issues that exist and may be seen, as they are now and not as the search knows them.

        Archived ones too, which no search finds. One that Jira fails to give now is not taken for one that is gone.
        """
        path = "/rest/api/3/issue/bulkfetch"
        for start in range(0, len(ids), BULK_LIMIT):
            body: Item = {"issueIdsOrKeys": [str(one) for one in ids[start : start + BULK_LIMIT]]}
            content = self._post(path, {**body, "fields": list(fields), "properties": list(properties)}, ("issues",))
            if content.get("issueErrors"):
                raise self._strange(f"{path} could not give some of the issues that it was asked for")
            yield self._issues(path, content["issues"])

    def histories(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Item]]:
        """Id of each issue -> its changes of some fields; none where nothing was changed."""
        path, found, seen = "/rest/api/3/changelog/bulkfetch", dict[str, list[Item]](), set[str]()
        body: Item = {"issueIdsOrKeys": list(ids), "fieldIds": list(fields), "maxResults": CHANGES_LIMIT}
        while ids:
            response = self._posted(path, body)
            if response.status_code in (404, 405, 410):
                return {id_: self._changelog(id_) for id_ in ids}
            content = whole_json(self.source, response, ("issueChangeLogs",))
            for one in self._items(path, content["issueChangeLogs"], "issueId"):
                found.setdefault(str(one["issueId"]), []).extend(self._items(path, one.get("changeHistories"), "id"))
            token = content.get("nextPageToken")
            if not token:
                break
            if token in seen:
                raise self._strange(f"{path} says that there is more but does not get on")
            seen.add(str(token))
            body["nextPageToken"] = token
        return found

    def _changelog(self, id_: str) -> list[Item]:
        """One issue's changes, where a site does not have those of many."""
        return self._paged(f"/rest/api/3/issue/{id_}/changelog", "values", {}, start="startAt", limit="maxResults")

    def comments(self, id_: str) -> list[Item]:
        """All comments of one issue, oldest first; none where it is gone."""
        path, params = f"/rest/api/3/issue/{id_}/comment", {"orderBy": "created"}
        return self._paged(path, "comments", params, start="startAt", limit="maxResults")

    # Service Management

    def feedback(self, id_: str) -> Item | None:
        """What a customer thought of a request; None where they did not say, or it is none."""
        headers = {"X-ExperimentalApi": "opt-in"}
        response = self._asked(f"/rest/servicedeskapi/request/{id_}/feedback", {}, headers)
        return None if response.status_code == 404 else whole_json(self.source, response)

    def service_levels(self, id_: str) -> list[Item]:
        """How a request's service levels were kept; none where it is no request."""
        return self._paged(f"/rest/servicedeskapi/request/{id_}/sla", "values", {}, start="start", limit="limit")

    # How answers are read

    def _paged(self, path: str, key: str, params: Mapping[str, str], start: str, limit: str) -> list[Item]:
        found: list[Item] = []
        while True:
            response = self._asked(path, {**params, start: str(len(found)), limit: "100"})
            if response.status_code == 404:
                return []
            content = whole_json(self.source, response, (key,))
            items = self._items(path, content[key], "id")
            found += items
            total, is_last = content.get("total"), content.get("isLast", content.get("isLastPage"))
            has_more = not is_last if isinstance(is_last, bool) else isinstance(total, int) and len(found) < total
            if not has_more:
                return found
            if not items:
                raise self._strange(f"a page of {place(path)} is empty, though it is not the last")

    def _list(self, path: str) -> list[Item]:
        response = self._asked(path, {})
        if response.status_code >= 400:
            raise self._strange(f"{path} answered HTTP {response.status_code}")
        try:
            return self._items(path, response.json(), "id")
        except ValueError:
            raise self._strange(f"{path} answered HTTP 200 with what is not JSON") from None

    def _get(self, path: str, params: Mapping[str, str], must_have: Sequence[str]) -> Item:
        return whole_json(self.source, self._asked(path, params), must_have)

    def _post(self, path: str, body: Item, must_have: Sequence[str]) -> Item:
        response = self._posted(path, body)
        if response.status_code == 400:
            raise SourceConfigError(
                self.source,
                f"{path} refused the query ({_messages(response)})",
                "Check the options `projects`, `issue_types` and `request_types`, and that the user may browse them",
            )
        return whole_json(self.source, response, must_have)

    def _posted(self, path: str, body: Item) -> requests.Response:
        headers = {"Content-Type": "application/json"}
        return self._patiently("POST", path, data=orjson.dumps(body), headers=headers)

    def _asked(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        return self._patiently("GET", path, params=params, headers=headers)

    def _patiently(self, method: str, path: str, **sent: Any) -> requests.Response:
        try:
            return self.session.request(method, self.base_url + path, **sent)
        except SourceConfigError as refused:
            raise SourceConfigError(
                self.source,
                refused.found,
                f"Check {self.settings.name('email')} and {self.settings.name('api_token')}, and that the user may "
                "browse the projects; satisfaction that a site does not have is left out with `surveys: false`",
            ) from None

    def _slow_down(self, response: requests.Response) -> float | None:
        if response.status_code != 429:
            return None
        reason = response.headers.get("RateLimit-Reason", "")
        wait = retry_after_seconds(response, self.clock.now())
        if wait is None and "quota" in reason:
            raise VendorError(
                self.source,
                f"the site's quota of requests is used up (HTTP 429, RateLimit-Reason {reason})",
                "What is missing is read by the first run after it is renewed",
            )
        return wait or 0.0

    def _issues(self, path: str, found: Any) -> list[Item]:
        return self._items(path, found, "id")

    def _items(self, path: str, found: Any, key: str) -> list[Item]:
        if not isinstance(found, list) or not all(isinstance(one, dict) and one.get(key) for one in found):
            raise self._strange(f"{place(path)} answered something that is not a list of things with an {key}")
        return found

    def _strange(self, found: str) -> VendorError:
        return VendorError(self.source, found, READ_AGAIN)


def instant(value: Any) -> datetime | None:
    """A time as Jira writes it (with an offset, or in epoch milliseconds), in UTC; None for what is none."""
    return instant_of(value, numbers_a_second=1000)


def at_utc(value: Any) -> str | None:
    """A time in one way of writing, whichever Jira's was; what is none stays as it came."""
    found = instant(value)
    return found.isoformat() if found else None if value is None else str(value)


def minute(at: datetime, zone: ZoneInfo) -> str:
    """A time in Jira's query language, not later than this one: an hour that comes twice is left by the front."""
    local = at.astimezone(zone)
    while local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        local = (local.astimezone(UTC) - timedelta(hours=1)).astimezone(zone)
    return local.strftime('"%Y-%m-%d %H:%M"')


def _in(item: Item, *names: str) -> Any:
    found: Any = item
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _messages(response: requests.Response) -> str:
    try:
        return "; ".join(map(str, response.json().get("errorMessages") or ()))[:300] or "no reason is given"
    except (ValueError, AttributeError):
        return "no reason is given"
