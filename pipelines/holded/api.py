"""Holded's API over HTTP (its first version): the key, the lists of documents and their guards.

Belongs here: requests, and which answers can be trusted. Does not: what is kept of an answer or what it means.

Facts about the API (developers.holded.com/reference/list-documents-1): a key in the header `key`; documents of one type
are a JSON array, by page, of those dated between `starttmp` and `endtmp`, by the time of their creation where `sort`
says so. A page has up to 500. Nothing says how many there are or whether another page follows: only an empty one is
the end, and as one answer may be empty by mistake, it is asked for once more. An error may come with status 200, as an
object of `status` and `info`. All keys of an account share so many requests a minute and a month as its plan has
(from 60 and 500 on); more are answered with 429, `X-RateLimit-Window` saying which of the two it was.

Keys that are made nowadays (`pat_…`) open the vendor's second version alone, which is not read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import requests

from pipelines.http import LONGEST_WAIT_SECONDS, PatientSession, whole_answer
from pipelines.settings import Settings
from pipelines.source import Account, Clock, SourceConfigError, VendorError

HOST = "https://api.holded.com"
PAGE_SIZE = 500
NEWER_KEY = "pat_"
READ_AGAIN = "Nothing is counted as read; the next run reads it again"

Item = dict[str, Any]


class Api:
    """One account over HTTP. Settings and the key are read when it is made.

    Raises `SourceConfigError` for a missing or refused key, `VendorError` for answers that cannot be trusted.
    """

    def __init__(self, account: Account, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source, self.base_url = self.settings.source, self.settings.base_url(HOST)
        self.clock, self.session = clock, PatientSession(self.source, clock)
        self.session.slow_down = self._slow_down
        key = self.settings.need("api_key")
        if key.startswith(NEWER_KEY):
            raise self._refused(f"{self.settings.name('api_key')} is a key of the second version of the vendor's API")
        self.session.headers["key"] = key

    def documents(self, kind: str, start: datetime, end: datetime) -> Iterator[list[Item]]:
        """Pages of the documents of a kind that are dated so, those made first first."""
        seen: set[str] = set()
        number = 1
        while page := self._page(kind, start, end, number) or self._page(kind, start, end, number):
            ids = {item["id"] for item in page}
            if len(ids) < len(page) or ids & seen:
                raise VendorError(self.source, f"the list of {kind}s gave a document for the second time", READ_AGAIN)
            seen |= ids
            yield page
            number += 1

    def _page(self, kind: str, start: datetime, end: datetime, number: int) -> list[Item]:
        params: dict[str, str | int] = {
            "starttmp": int(start.timestamp()),
            "endtmp": int(end.timestamp()),
            "sort": "created-asc",
            "limit": PAGE_SIZE,
            "page": number,
        }
        try:
            response = self.session.get(f"{self.base_url}/api/invoicing/v1/documents/{kind}", params=params)
        except SourceConfigError as refused:
            raise self._refused(refused.found) from None
        return self._checked(kind, whole_answer(self.source, response))

    def _checked(self, kind: str, response: requests.Response) -> list[Item]:
        try:
            content = response.json()
        except ValueError:
            raise VendorError(self.source, f"the list of {kind}s is not JSON", READ_AGAIN) from None
        if isinstance(content, dict) and "invalid key" in str(content.get("info")).lower():
            raise self._refused("the vendor does not know the key")
        if not isinstance(content, list) or not all(_is_document(one) for one in content):
            raise VendorError(self.source, f"the list of {kind}s is not a list of documents", READ_AGAIN)
        return content

    def _slow_down(self, response: requests.Response) -> float | None:
        """A minute is waited for; a month that is used up is not, even where the vendor does not say for how long."""
        wait = self.session.too_many_requests(response)
        if wait is None or response.headers.get("X-RateLimit-Window") != "month":
            return wait
        reset = response.headers.get("X-RateLimit-Reset", "")
        left = int(reset) - self.clock.now().timestamp() if reset.isdigit() else 0.0
        return max(wait, left, LONGEST_WAIT_SECONDS + 1.0)

    def _refused(self, found: str) -> SourceConfigError:
        do = (
            f"Check {self.settings.name('api_key')}: it has to be a key of the first version of Holded's API, which an "
            f"account shows under Settings, Developers, and which does not begin with {NEWER_KEY}"
        )
        return SourceConfigError(self.source, found, do)


def _is_document(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("id"), str) and bool(one["id"])
