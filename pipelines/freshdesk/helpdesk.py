"""Freshdesk's HTTP API: the key, its lists by page, and their guards.

Belongs here: authentication, paging, and telling a whole page from a broken one. Does not: what is kept of an answer
or what it means.

Facts about the API (developers.freshdesk.com/api): lists are JSON arrays of at most 100, page 300 is the last one, a
`Link` header promises the next page; the list of tickets goes back 30 days unless `updated_since` says more, and leaves
out what is deleted or spam, which have lists of their own (`filter`). A closed ticket that nothing was done to for 120
days is archived (partnersupport.freshworks.com/en/support/solutions/articles/212901-ticket-archiving): then it is in no
list, and `/tickets/archived/[id]` shows it, with its times where `include=stats` says so, to who knows its id; a plan
without an archive answers 403 with the code `require_feature`. Ids count up, and none is given twice. Contacts who are
deleted or blocked are listed where `state` says so; companies that are deleted are not. The key is the user of Basic
authentication, with any password.

Pages are by number, and a ticket that changes while a list is read moves to its end and draws all others forward: what
was the first of page 2 is then the last of page 1. So a list is not read by numbers: each page begins anew at the last
time of the page before, the tickets of that time included, and only a page that is all of one time is followed by its
next number, once it is sure that the page before is still the same. That reaches past page 300 as well; more than 300
pages of one time cannot be reached, and are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from requests.auth import HTTPBasicAuth

from pipelines.http import PatientSession
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError
from pipelines.ticketing import instant, place

PAGE_SIZE = 100
MOST_PAGES = 300
MOST_TRIES = 5
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

_TICKETS = "/api/v2/tickets"
_ARCHIVE = f"{_TICKETS}/archived"

Item = dict[str, Any]


class NoArchive(Exception):
    """The account's plan archives nothing."""


@dataclass(frozen=True)
class _Page:
    items: list[Item]
    has_next: bool


class Helpdesk:
    """One Freshdesk account over HTTP. Configuration and credentials are read when it is made.

    Raises `SourceConfigError` for missing or refused credentials, `VendorError` for answers that cannot be trusted.
    """

    def __init__(self, account: Account, subdomain: str, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source = self.settings.source
        self.base_url = self.settings.base_url(f"https://{subdomain}.freshdesk.com")
        self.session = PatientSession(self.source, clock)
        self.session.auth = HTTPBasicAuth(self.settings.need("api_key"), "X")
        self.session.slow_down = self._slow_down

    def tickets(self, since: datetime, **params: str) -> Iterator[tuple[list[Item], datetime]]:
        """Pages of tickets changed since, each with the time from which the list goes on; the same one may come twice.

        params: `filter` for what is deleted or spam, `include` for what a ticket has beside it.
        """
        path, start, number, tries = _TICKETS, since, 1, 1
        asked = {**params, "order_by": "updated_at", "order_type": "asc", "per_page": str(PAGE_SIZE)}
        before: list[Item] = []
        while True:
            page = self._tickets_page(path, asked, start, number)
            if number > 1 and before != self._tickets_page(path, asked, start, number - 1).items:
                tries, number = self._once_more(path, tries), 1  # the crowd moved while it was read
                continue
            self._require_progress(path, page, before if number > 1 else [], is_promised=bool(before) and number == 1)
            reached = max((at for one in page.items if (at := instant(one.get("updated_at")))), default=start)
            yield page.items, max(reached - SECOND, start)
            if not page.has_next:
                return
            before = page.items
            following = reached - SECOND if reached - SECOND > start else reached
            start, number = (following, 1) if following > start else (start, number + 1)
            if number > MOST_PAGES:
                raise self._wall(path, f"more than {MOST_PAGES * PAGE_SIZE} tickets were changed at {_text(reached)}")

    def _tickets_page(self, path: str, asked: Mapping[str, str], start: datetime, number: int) -> _Page:
        page = self._page(path, {**asked, "updated_since": _text(start), "page": str(number)})
        if "include" not in asked and any("stats" in one for one in page.items):
            raise VendorError(self.source, f"a page of {place(path)} is one of another list", READ_AGAIN)
        self._require_order(path, page.items, start)
        return page

    def _once_more(self, path: str, tries: int) -> int:
        if tries >= MOST_TRIES:
            found = f"the tickets of one time in {place(path)} changed each of {tries} times that they were read"
            raise VendorError(self.source, found, READ_AGAIN)
        return tries + 1

    def ratings(self, since: datetime) -> Iterator[list[Item]]:
        """Pages of answers to surveys that were first given since."""
        beyond = f"more than {MOST_PAGES * PAGE_SIZE} answers were given since {_text(since)}"
        return self._numbered("/api/v2/surveys/satisfaction_ratings", {"created_since": _text(since)}, beyond)

    def contacts(self, **params: str) -> Iterator[list[Item]]:
        """Pages of those who ask. params: `state`, for those who are blocked or deleted."""
        return self._numbered("/api/v2/contacts", params, f"there are more than {MOST_PAGES * PAGE_SIZE} contacts")

    def companies(self) -> Iterator[list[Item]]:
        """Pages of the companies that contacts are of."""
        return self._numbered("/api/v2/companies", {}, f"there are more than {MOST_PAGES * PAGE_SIZE} companies")

    def _numbered(self, path: str, params: Mapping[str, str], beyond: str) -> Iterator[list[Item]]:
        """Pages of a list that is paged by numbers alone. beyond: what is so where it does not end by the last one."""
        before: list[Item] = []
        for number in range(1, MOST_PAGES + 1):
            page = self._page(path, {**params, "per_page": str(PAGE_SIZE), "page": str(number)})
            self._require_progress(path, page, before, is_promised=False)
            yield page.items
            if not page.has_next:
                return
            before = page.items
        raise self._wall(path, beyond)

    def archived(self, ticket_id: int) -> Item | None:
        """One ticket of the archive with its times; None where the archive has no such ticket.

        Raises `NoArchive` where the account's plan has none.
        """
        path = f"{_ARCHIVE}/{ticket_id}"
        response = self._get(path, {"include": "stats"})
        if response.status_code == 404:
            return None
        content = self._content(path, response)
        if not isinstance(content, dict) or content.get("id") != ticket_id or "stats" not in content:
            raise VendorError(
                self.source, f"{place(path)} answered something that is not the ticket asked for", READ_AGAIN
            )
        return content

    def conversations(self, ticket_id: str, *, is_archived: bool = False) -> list[Item]:
        """Replies and notes of one ticket, as they are listed; none where the ticket is gone."""
        found: list[Item] = []
        path, before = f"{_ARCHIVE if is_archived else _TICKETS}/{ticket_id}/conversations", list[Item]()
        for number in range(1, MOST_PAGES + 1):
            response = self._get(path, {"per_page": str(PAGE_SIZE), "page": str(number)})
            if response.status_code == 404:
                return []
            page = self._whole(path, response)
            self._require_progress(path, page, before, is_promised=False)
            found += page.items
            if not page.has_next:
                return found
            before = page.items
        raise self._wall(path, "a ticket has more conversations than the vendor lists")

    def _slow_down(self, response: requests.Response) -> float | None:
        if response.status_code == 403 and _ARCHIVE in response.url and _code_of(response) == "require_feature":
            raise NoArchive
        return self.session.too_many_requests(response)

    def _page(self, path: str, params: Mapping[str, str]) -> _Page:
        return self._whole(path, self._get(path, params))

    def _get(self, path: str, params: Mapping[str, str]) -> requests.Response:
        try:
            return self.session.get(self.base_url + path, params=params)
        except SourceConfigError as refused:
            raise SourceConfigError(
                self.source,
                refused.found,
                f"Check {self.settings.name('api_key')}, and that its agent sees all tickets; surveys that the "
                "account's plan lacks are left out with the option `surveys: false`",
            ) from None

    def _whole(self, path: str, response: requests.Response) -> _Page:
        """A list is a JSON array of things with ids: an error, HTML or half an answer is not."""
        content = self._content(path, response)
        if not isinstance(content, list) or not all(isinstance(one, dict) and one.get("id") for one in content):
            raise VendorError(
                self.source, f"{place(path)} answered something that is not a list of items with ids", READ_AGAIN
            )
        return _Page(content, "next" in response.links or len(content) >= PAGE_SIZE)

    def _content(self, path: str, response: requests.Response) -> Any:
        if response.status_code >= 400:
            raise VendorError(self.source, f"{place(path)} answered HTTP {response.status_code}", READ_AGAIN)
        try:
            return response.json()
        except ValueError:
            raise VendorError(
                self.source, f"{place(path)} answered HTTP 200 with what is not JSON", READ_AGAIN
            ) from None

    def _require_order(self, path: str, items: list[Item], start: datetime) -> None:
        times = [at for one in items if (at := instant(one.get("updated_at")))]
        if times != sorted(times) or (times and times[0] < start - SECOND):
            raise VendorError(self.source, f"{place(path)} is not in the order or span that was asked for", READ_AGAIN)

    def _require_progress(self, path: str, page: _Page, before: list[Item], *, is_promised: bool) -> None:
        """is_promised: the page begins where the one before ended, so it has at least that one's last ticket."""
        if not page.items and (is_promised or page.has_next):
            raise VendorError(self.source, f"a page of {place(path)} is empty, though it was promised", READ_AGAIN)
        if page.items and page.items == before:
            raise VendorError(self.source, f"a page of {place(path)} is one that came before", READ_AGAIN)

    def _wall(self, path: str, found: str) -> VendorError:
        return VendorError(
            self.source,
            f"{place(path)} ends at page {MOST_PAGES}, and {found}",
            "No request reaches the rest: ask Freshdesk's support for an export, or leave the source out",
        )


def _code_of(refused: requests.Response) -> Any:
    try:
        content = refused.json()
    except ValueError:
        return None
    return content.get("code") if isinstance(content, dict) else None


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
