"""Zendesk's HTTP API: credentials, its exports and its lists, as the vendor's own words.

Belongs here: authentication, paging and its guards. Does not: what is kept of an answer or what it means.

The exports end a minute before now and may give an item twice; the event export is paged by time, so the last items of
a page come again on the next one. What was changed is compared with when the vendor wrote it down
(`generated_timestamp`), not with `updated_at`: an export gives items that look older than what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError

EXPORT_DELAY = timedelta(minutes=1)
"""What happened later than this before now is in no export yet."""

Item = dict[str, Any]


class Helpdesk:
    """One Zendesk account over HTTP. Configuration and credentials are read when it is made.

    Raises `SourceConfigError` for missing or refused credentials, `VendorError` for answers that cannot be trusted.
    """

    def __init__(self, account: Account, subdomain: str, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source, self.base_url = self.settings.source, self.settings.base_url(f"https://{subdomain}.zendesk.com")
        self.session = PatientSession(self.source, clock)
        self.session.auth = self._credentials()

    def changed_tickets(
        self, since: datetime | None, cursor: str | None, *, is_measured: bool = False
    ) -> Iterator[tuple[list[Item], str | None]]:
        """Pages of tickets that were changed since, deleted ones too, each with the cursor after it.

        The cursor of an earlier export goes before `since`, which is asked for where the vendor no longer knows it.
        is_measured: whether each ticket brings its metric events along.
        """
        return self._changed("tickets", since, cursor, {"include": "metric_events"} if is_measured else {})

    def changed_users(self, since: datetime | None, cursor: str | None) -> Iterator[tuple[list[Item], str | None]]:
        """Pages of users that were changed since, deleted ones too, as `changed_tickets` are."""
        return self._changed("users", since, cursor, {})

    def ticket_events(self, start: int) -> Iterator[tuple[list[Item], int]]:
        """Pages of all ticket events from a time on, each with the time that it reaches; both in epoch seconds."""
        return self._exported("ticket_events", start, {"include": "comment_events"})

    def changed_organizations(self, start: int) -> Iterator[tuple[list[Item], int]]:
        """Pages of organisations that were changed since a time, each with the time that it reaches."""
        return self._exported("organizations", start, {})

    def _changed(
        self, kind: str, since: datetime | None, cursor: str | None, always: Mapping[str, Any]
    ) -> Iterator[tuple[list[Item], str | None]]:
        params = {"cursor": cursor} if cursor else self._from(since)
        path, must_have = f"/api/v2/incremental/{kind}/cursor.json", (kind, "after_cursor", "end_of_stream")
        while True:
            response = self._get(path, {**params, **always})
            if response.status_code in (400, 422) and params == {"cursor": cursor}:
                params = self._from(since)
                continue
            page = whole_json(self.source, response, must_have)
            following = page["after_cursor"] or params.get("cursor")
            yield _items(self.source, path, page[kind]), following
            if page["end_of_stream"]:
                return
            if not page[kind] or following == params.get("cursor"):
                raise self._stuck(path)
            params = {"cursor": following}

    def _exported(self, kind: str, start: int, params: Mapping[str, Any]) -> Iterator[tuple[list[Item], int]]:
        """Pages of an export that is paged by time alone: the last items of a page come again on the next one."""
        path, must_have = f"/api/v2/incremental/{kind}.json", (kind, "end_time", "end_of_stream")
        while True:
            response = self._get(path, {"start_time": start, **params})
            page = whole_json(self.source, response, must_have)
            reached = page["end_time"] if isinstance(page["end_time"], int) else start
            yield _items(self.source, path, page[kind]), reached
            if page["end_of_stream"]:
                return
            if not page[kind] or reached <= start:
                raise self._stuck(path)
            start = reached

    def audits(self, ticket_id: str) -> list[Item] | None:
        """Everything that was done to one ticket, oldest first; None where the ticket is gone."""
        try:
            return [a for page in self.listed(f"/api/v2/tickets/{ticket_id}/audits.json", "audits", {}) for a in page]
        except _NotFound:
            return None

    def agents(self) -> frozenset[str]:
        """Ids of the users who are agents or administrators now."""
        params = {"role[]": ["agent", "admin"]}
        return frozenset(str(u["id"]) for page in self.listed("/api/v2/users.json", "users", params) for u in page)

    def listed(self, path: str, key: str, params: Mapping[str, Any]) -> Iterator[list[Item]]:
        """Pages of a list with the vendor's cursor pagination. Raises `VendorError` where there is no such list."""
        return (page for page, _ in self.listed_from(path, key, params, size=100, after=None))

    def listed_from(
        self, path: str, key: str, params: Mapping[str, Any], size: int, after: str | None
    ) -> Iterator[tuple[list[Item], str | None]]:
        """The same, each page with what the list goes on from. after: from where it does, if the vendor knows it."""
        is_resumed = after is not None
        while True:
            cursor = {"page[after]": after} if after else {}
            response = self._get(path, {**params, "page[size]": size, **cursor})
            if response.status_code == 404:
                raise _NotFound(
                    self.source,
                    f"{path} answered HTTP 404: the account has nothing of the kind",
                    "If this is a survey that the account's plan lacks, leave it out with the option `surveys`",
                )
            if response.status_code in (400, 422) and is_resumed:
                is_resumed, after = False, None
                continue
            is_resumed = False
            page = whole_json(self.source, response, (key, "meta"))
            items, meta = _items(self.source, path, page[key]), page["meta"]
            if not isinstance(meta, dict) or not isinstance(meta.get("has_more"), bool):
                raise VendorError(self.source, f"{path} does not say whether there is more", READ_AGAIN)
            following = meta.get("after_cursor") if meta["has_more"] else None
            if meta["has_more"] and (not items or not following or following == after):
                raise self._stuck(path)
            yield items, following
            if following is None:
                return
            after = following

    def _get(self, path: str, params: Mapping[str, Any]) -> requests.Response:
        try:
            return self.session.get(self.base_url + path, params=params)
        except SourceConfigError as refused:
            raise SourceConfigError(
                self.source,
                refused.found,
                f"Check {self.settings.name('email')} and {self.settings.name('api_token')} (or "
                f"{self.settings.name('oauth_token')}), and "
                "that the user is an administrator; a survey that the account lacks is left out with option `surveys`",
            ) from None

    def _from(self, since: datetime | None) -> dict[str, Any]:
        return {"start_time": 0 if since is None else int(since.timestamp())}

    def _stuck(self, path: str) -> VendorError:
        return VendorError(self.source, f"{path} says that there is more but does not get on", READ_AGAIN)

    def _credentials(self) -> AuthBase:
        if oauth_token := self.settings.get("oauth_token"):
            return _Bearer(oauth_token)
        email, api_token = self.settings.get("email"), self.settings.get("api_token")
        if email and api_token:
            return HTTPBasicAuth(f"{email}/token", api_token)
        given = {"email": email, "api_token": api_token}
        raise self.settings.missing(*(key for key, value in given.items() if not value))


class _NotFound(VendorError):
    """The vendor has no such thing."""


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _items(source: str, path: str, found: Any) -> list[Item]:
    if not isinstance(found, list) or not all(isinstance(item, dict) and item.get("id") is not None for item in found):
        raise VendorError(source, f"{path} answered something that is not a list of items with ids", READ_AGAIN)
    return found
