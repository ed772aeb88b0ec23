"""Holded's API over HTTP (version 2): the key, the lists of documents, one document, and their guards.

Belongs here: requests, and which answers can be trusted. Does not: what is kept of an answer or what it means.

Facts about the API (https://www.holded.com/developers: getting-started, pagination, errors, rate-limiting,
api-reference/invoices/list-invoices): a bearer token; a list is an object of `items`, `has_more` and `cursor`, which is
handed back as it is, and null after the last page. A page has up to 200, whatever is asked for (the guide says 100, so
that only `has_more` says what is the end). Lists of documents may be asked for those dated from one day to another; not
for those that were changed. The cursor of documents is the number of a page: where the
list grows or shrinks while it is read, a document comes twice, or not at all. Errors are problem details (RFC 7807): a
key that is not known and one that lacks a permission are answered with 403 both, told apart by their `detail`. All keys
of an account share so many requests a minute and a month as its plan has (from 60 and 500 on); more are answered with
429, `X-RateLimit-Window` saying which limit it was, or with 402. A path that does not exist is HTML with status 200.

Keys of the first version of the API, which is deprecated, do not open this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import requests

from pipelines.http import LONGEST_WAIT_SECONDS, PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError

HOST = "https://api.holded.com"
PAGE_SIZE = 200
LAST_DAY = date(2099, 12, 31)
"""Documents may be dated ahead, by mistake too: those that are have to be found as well."""


Item = dict[str, Any]

_FORBIDDEN, _PAYMENT_REQUIRED, _NOT_FOUND = 403, 402, 404
_LACKING = re.compile(r"Insufficient permissions: ([a-z-]+:[a-z.-]+) required")


class Api:
    """One account over HTTP. Settings and the key are read when it is made. permission: what the key needs.

    Raises `SourceConfigError` for a missing or refused key, `VendorError` for answers that cannot be trusted.
    """

    def __init__(self, account: Account, permission: str, clock: Clock) -> None:
        self.permission = permission
        self.settings = Settings(account)
        self.source, self.base_url = self.settings.source, self.settings.base_url(HOST)
        self.clock, self.session = clock, PatientSession(self.source, clock)
        self.session.slow_down = self._slow_down
        self.session.headers["Authorization"] = f"Bearer {self.settings.need('api_key')}"

    def documents(self, path: str, since: date | None) -> Iterator[list[Item]]:
        """Pages of the documents, drafts among them, that are dated from a day on; None: of all. Each document once."""
        params: dict[str, str | int] = {"limit": PAGE_SIZE}
        if since is not None:
            params |= {"start_date": since.isoformat(), "end_date": LAST_DAY.isoformat()}
        seen: set[str] = set()
        while True:
            page = whole_json(self.source, self._get(path, params), ("items", "has_more"))
            items, has_more, cursor = page["items"], page["has_more"], page.get("cursor")
            if not isinstance(items, list) or not all(_is_document(one) for one in items):
                raise self._strange(path, "is not a list of documents")
            new = {item["id"]: item for item in items if item["id"] not in seen}
            seen |= set(new)
            yield list(new.values())
            if has_more is False:
                return
            if has_more is not True or not isinstance(cursor, str) or not cursor:
                raise self._strange(path, "does not say where it goes on")
            if not new:
                raise self._strange(path, "says that there is more and gives nothing new")
            params["cursor"] = cursor

    def document(self, path: str, id_: str) -> Item | None:
        """A document with what lists leave out; None where it is no longer there."""
        if not id_.isalnum():
            raise self._strange(path, "has a document whose id is none")
        response = self._get(f"{path}/{id_}", {})
        if response.status_code == _NOT_FOUND:
            return None
        item = whole_json(self.source, response, ("id",))
        if item["id"] != id_:
            raise self._strange(path, "gives another document than the one that was asked for")
        return item

    def _get(self, path: str, params: dict[str, str | int]) -> requests.Response:
        try:
            return self.session.get(f"{self.base_url}/api/v2/{path}", params=params)
        except SourceConfigError as refused:
            raise self._refused(refused.found) from None

    def _slow_down(self, response: requests.Response) -> float | None:
        """A minute is waited for; a month that is used up is not, even where the vendor does not say for how long."""
        if response.status_code == _FORBIDDEN and (lacking := _LACKING.search(response.text)):
            raise SourceConfigError(self.source, f"the key lacks the permission {lacking[1]}", "Give it to the key")
        is_over = response.status_code == _PAYMENT_REQUIRED
        wait = 0.0 if is_over else self.session.too_many_requests(response)
        if wait is None:
            return None
        reset = response.headers.get("X-RateLimit-Reset", "")
        left = int(reset) - self.clock.now().timestamp() if reset.isdigit() else 0.0
        wait = max(wait, left if wait == 0.0 else 0.0)
        if is_over or response.headers.get("X-RateLimit-Window") == "month":
            return max(wait, left, LONGEST_WAIT_SECONDS + 1.0)
        return wait

    def _strange(self, path: str, found: str) -> VendorError:
        return VendorError(self.source, f"the list of {path} {found}", READ_AGAIN)

    def _refused(self, found: str) -> SourceConfigError:
        do = (
            f"Check {self.settings.name('api_key')}: it has to be an API token (pat_…) with the permission "
            f"{self.permission}, made under Settings, Developers, Credentials; a key of the first version of Holded's "
            "API is none"
        )
        return SourceConfigError(self.source, found, do)


def _is_document(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("id"), str) and bool(one["id"])
