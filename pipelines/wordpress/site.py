"""A WordPress site over HTTP: where its REST API is, its lists by page, and their guards.

Belongs here: finding the API, authentication, paging, telling a whole answer from a broken one. Does not: what is kept
of an answer, or what it means (`articles`).

Facts (developer.wordpress.org/rest-api): the API is below `/wp-json`, or below `/?rest_route=` where permalinks are
plain. A list gives at most 100 items a page; `X-WP-Total` says how many there are, and a page beyond the last one is an
error (400, rest_post_invalid_page_number). Whoever is not signed in sees what is published, and of the rest nothing.
`after` and `modified_after` (since 5.7) compare with the times in the site's zone; a time without an offset is taken to
be in it. Parameters that a version does not know are ignored.

A site is a program of its own, on anybody's host: plugins answer instead of it, with HTML and status 200; PHP writes
its notices before the JSON; a file saved with a byte order mark puts one before every answer; caches answer with pages
of different ages. So what stands before an answer is passed over only where all the rest is one JSON value, and the
pages of a list have to agree on how many items there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import requests
from requests.auth import HTTPBasicAuth

from kr_definitions.vocabulary import nearest
from pipelines.http import PatientSession
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError

PAGE_SIZE = 100
MOST_TRIES = 5
_MOST_NOTICES = 50

Item = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A page of a list. total: how many items the list has; None where the site, or what is before it, does not say."""

    items: list[Item]
    total: int | None


@dataclass(frozen=True)
class Place:
    """A place in a list: how many items stand before it, and the id of the last of them."""

    taken: int
    last_id: int


class ListChanged(Exception):
    """A list was not the same from its first page to its last."""


class Site:
    """One site. Configuration and credentials are read when it is made; its API is looked for at the first request.

    Raises `SourceConfigError` where there is no API, or it is closed; `VendorError` for answers that cannot be trusted.
    """

    def __init__(self, account: Account, address: str, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source = self.settings.source
        self.base_url = self.settings.base_url(address)
        self.session = PatientSession(self.source, clock)
        username, password = self.settings.get("username"), self.settings.get("application_password")
        if bool(username) != bool(password):
            raise self.settings.missing("application_password" if username else "username")
        if username and password:
            self.session.auth = HTTPBasicAuth(username, password)
        self._is_plain: bool | None = None
        self.zone: tzinfo = UTC

    def look(self) -> None:
        """Find the API, and the zone that the site's times are in."""
        for is_plain in (False, True):
            self._is_plain = is_plain
            response = self._get("/", {})
            content = decoded(response) if response.status_code < 400 else None
            if isinstance(content, dict) and "namespaces" in content:
                self.zone = _zone(content)
                return
        self._is_plain = None
        raise SourceConfigError(
            self.source,
            f"there is no WordPress REST API at {self.base_url}, neither at /wp-json nor at /?rest_route=",
            "Check the option `site` (with its folder, if it is in one), and that no plugin closes the API",
        )

    def listed(self, route: str, params: Mapping[str, str], after: Place | None = None) -> Iterator[Page]:
        """The pages of a list in the order of ids, from a place in it on.

        Each page begins with the last item of the one before, so that nothing is passed over when the list moves; that
        item is not given again. Raises `ListChanged` where it did, and where the pages or their number do not agree.
        """
        total, is_first = None, True
        place = after or Place(0, 0)
        while True:
            page = self._page(route, params, place.taken - 1 if place.taken else 0)
            ids = [one["id"] for one in page.items]
            if ids != sorted({*ids}):
                raise VendorError(self.source, f"a page of {route} is out of order, or has an item twice", READ_AGAIN)
            total, is_first = page.total if is_first else total, False
            if page.total != total or (place.taken and ids[:1] != [place.last_id]):
                raise ListChanged
            new = page.items[1:] if place.taken else page.items
            place = Place(place.taken + len(new), ids[-1] if ids else 0)
            yield Page(new, total)
            if place.taken == total or not new:
                if total is not None and place.taken != total:
                    raise ListChanged
                return

    def total(self, route: str) -> int | None:
        """How many items a list has."""
        params = {"per_page": "1", "_fields": "id"}
        return self._whole(route, self._get(f"/wp/v2/{route}", params)).total

    def categories(self) -> dict[str, str]:
        """Id -> name of every category."""
        found: dict[str, str] = {}
        for _ in range(MOST_TRIES):
            found = {}
            try:
                for page in self.listed("categories", {"_fields": "id,name"}):
                    found |= {str(one["id"]): unescape(str(one.get("name") or one["id"])) for one in page.items}
            except ListChanged:
                continue
            return found
        raise VendorError(
            self.source, f"the categories changed each of {MOST_TRIES} times that they were read", READ_AGAIN
        )

    def text_of(self, instant: datetime) -> str:
        """An instant as the site's lists compare it: on a clock of its zone, without an offset."""
        return instant.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M:%S")

    def _page(self, route: str, params: Mapping[str, str], offset: int) -> Page:
        asked = {**params, "offset": str(offset), "per_page": str(PAGE_SIZE), "orderby": "id", "order": "asc"}
        response = self._get(f"/wp/v2/{route}", asked)
        if response.status_code == 400 and _code(response) == "rest_post_invalid_page_number":
            raise ListChanged
        return self._whole(route, response)

    def _get(self, path: str, params: Mapping[str, str]) -> requests.Response:
        if self._is_plain is None:
            self.look()
        url = f"{self.base_url}/" if self._is_plain else f"{self.base_url}/wp-json{path}"
        asked = {"rest_route": path, **params} if self._is_plain else dict(params)
        try:
            return self.session.get(url, params=asked)
        except SourceConfigError as refused:
            names = " and ".join(self.settings.name(key) for key in ("username", "application_password"))
            do = (
                f"Where its API is closed to the public, set {names}; where a firewall of the host's answered, "
                "let this machine through"
            )
            raise SourceConfigError(self.source, refused.found, do) from None

    def _whole(self, route: str, response: requests.Response) -> Page:
        """A list is a JSON array of things with ids: an error, HTML or half an answer is not."""
        if response.status_code == 404 and _code(response) == "rest_no_route":
            raise self._no_route(route)
        if response.status_code >= 400:
            code = _code(response)
            said = f" ({code})" if code else ""
            raise VendorError(self.source, f"{route} answered HTTP {response.status_code}{said}", READ_AGAIN)
        content = decoded(response)
        if content is None:
            kind = response.headers.get("Content-Type", "no content type")
            raise VendorError(self.source, f"{route} answered HTTP 200 with what is not JSON ({kind})", READ_AGAIN)
        if not isinstance(content, list) or not all(isinstance(one, dict) and _has_id(one) for one in content):
            found = f"{route} answered something that is not a list of items with ids"
            raise VendorError(self.source, found, READ_AGAIN)
        total = response.headers.get("X-WP-Total", "")
        return Page(content, int(total) if total.isdigit() else None)

    def _no_route(self, route: str) -> SourceConfigError:
        content = decoded(self._get("/wp/v2/types", {}))
        types = content.values() if isinstance(content, dict) else ()
        known = [str(one["rest_base"]) for one in types if isinstance(one, dict) and one.get("rest_base")]
        likely = nearest(route, known) or known
        do = f"Did you mean {' or '.join(likely)}?" if likely else "Check the option `type`"
        return SourceConfigError(self.source, f"the site has no type of content that is listed as {route}", do)


def decoded(response: requests.Response) -> Any:
    """The answer's JSON, whatever stands before it; None where what follows is not one whole JSON value."""
    text = response.content.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    start = 0
    for _ in range(_MOST_NOTICES):
        places = [at for sign in "[{" if (at := text.find(sign, start)) >= 0]
        if not places:
            return None
        try:
            return json.loads(text[min(places) :])
        except ValueError:
            start = min(places) + 1
            if start == 1:  # nothing stands before it: it is broken itself
                return None
    return None


def _code(response: requests.Response) -> str | None:
    """The error's name in WordPress's words; None for what is none of its errors."""
    content = decoded(response)
    code = content.get("code") if isinstance(content, dict) else None
    return code if isinstance(code, str) and code.replace("_", "").isalnum() else None


def _has_id(item: Item) -> bool:
    return isinstance(item.get("id"), int) and not isinstance(item["id"], bool) and item["id"] > 0


def _zone(index: Mapping[str, Any]) -> tzinfo:
    """The site's zone: a place's, or hours from UTC. UTC where it says neither: the overlap of readings is longer."""
    try:
        return ZoneInfo(str(index.get("timezone_string") or ""))
    except (ValueError, OSError):
        pass
    try:
        return timezone(timedelta(hours=float(str(index.get("gmt_offset")))))
    except (ValueError, OverflowError):
        return UTC
