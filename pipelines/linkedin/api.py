"""LinkedIn's Community Management API over HTTP: signing in, its versions, its quota, paging and its guards.

Belongs here: requests, and which answers can be trusted. Does not: what is kept of an answer or what it means.

Settings of an account: `access_token`, which lives 60 days, or `client_id`, `client_secret` and `refresh_token`, which
lives a year and which LinkedIn gives to some apps only; `api_version`; `base_url`.

Sources of the facts, below https://learn.microsoft.com/en-us/linkedin/: marketing/versioning (a version is of a month,
and is served for a year or more; after that HTTP 426), shared/api-guide/concepts/rate-limits (quotas of a day, for the
app and for the member, which begin anew at midnight UTC), shared/authentication/programmatic-refresh-tokens,
marketing/community-management/organizations/follower-statistics and shares/posts-api.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

import requests

from pipelines import oauth
from pipelines.http import PatientSession, documented, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, RequestRefused, SourceConfigError, VendorError

API_VERSION = "202607"
HOST = "https://api.linkedin.com"
OAUTH_HOST = "https://www.linkedin.com"

POSTS_A_PAGE = 100

Object = dict[str, Any]
"""A record as LinkedIn gives it."""


class Api:
    """An account that is signed in. Opened when a stream is fetched, never before."""

    def __init__(self, account: Account, organization: str, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source, self.clock = self.settings.source, clock
        self.urn = quote(f"urn:li:organization:{organization}", safe="")
        self.root = self.settings.base_url(HOST)
        self.version = self.settings.get("api_version") or API_VERSION
        if not re.fullmatch(r"20\d\d(0[1-9]|1[0-2])", self.version):
            raise SourceConfigError(
                self.source,
                f"{self.settings.name('api_version')} is {self.version!r}",
                f"Set it to a month such as {API_VERSION}",
            )
        self.session = PatientSession(self.source, clock, slow_down=self._slow_down)
        self.session.headers.update({"LinkedIn-Version": self.version, "X-Restli-Protocol-Version": "2.0.0"})
        self.session.headers.update(oauth.signed_in(self.session, self.settings, "access_token", self._renewed_token))

    def followers(self) -> Any:
        """How many follow the organisation now. Until version 202304 the edge was called CompanyFollowedByMember."""
        response = self._get(f"networkSizes/{self.urn}?edgeType=COMPANY_FOLLOWED_BY_MEMBER")
        return whole_json(self.source, response, ("firstDegreeSize",))["firstDegreeSize"]

    def by_day(self, statistics: str, start: datetime, end: datetime) -> Iterator[tuple[datetime, Object]]:
        """The organisation's figures of each day from an instant to another one, both at midnight UTC.

        statistics: what LinkedIn calls them. A day of which it has no figures is left out.
        """
        span = f"(timeRange:(start:{_milliseconds(start)},end:{_milliseconds(end)}),timeGranularityType:DAY)"
        entity = f"q=organizationalEntity&organizationalEntity={self.urn}"
        response = self._get(f"{statistics}?{entity}&timeIntervals={span}")
        if response.status_code == 400:
            raise RequestRefused(
                self.source,
                f"LinkedIn refused {statistics} of {start:%Y-%m-%d} to {end:%Y-%m-%d} (HTTP 400)",
                "It has them of the last 12 months up to 2 days ago; see whether this machine's clock is right",
            )
        content = whole_json(self.source, response, ("elements",))
        last = start - timedelta(days=1)
        with self._documented(statistics):
            for one in sorted(content["elements"], key=lambda one: int(one["timeRange"]["start"])):
                day = _instant(one["timeRange"]["start"])
                if (
                    not start <= day < end
                    or day <= last
                    or _instant(one["timeRange"]["end"]) - day != timedelta(days=1)
                ):
                    raise ValueError(day)
                last = day
                yield day, one

    def posts(self, start: int = 0) -> Iterator[tuple[int, list[Object]]]:
        """The organisation's posts, the last changed first, page by page, each with the place of its last one.

        LinkedIn counts places anew for each page, so each page begins with the last post of the one before: where it
        does not, posts were made or deleted meanwhile, and some would be left out. Raises `VendorError` then. The end
        is a page with fewer posts than were asked for (shared/api-guide/concepts/pagination), to which no next one is
        promised: a full page is followed by another one, whether LinkedIn gives links or not.
        """
        last: str | None = None
        while True:
            place = f"q=author&author={self.urn}&count={POSTS_A_PAGE}&start={start}&sortBy=LAST_MODIFIED"
            content = whole_json(self.source, self._get(f"posts?{place}"), ("elements", "paging"))
            with self._documented("posts"):
                page = list(content["elements"])
                times = [int(one["lastModifiedAt"]) for one in page]
                ids = [str(one["id"]) for one in page]
                is_more_promised = any(one["rel"] == "next" for one in content["paging"].get("links", ()))
            if (
                times != sorted(times, reverse=True)
                or len({*ids}) < len(ids)
                or (last is not None and last not in ids[:1])
            ):
                raise VendorError(
                    self.source, "the list of posts changed, or repeated itself, while it was read", READ_AGAIN
                )
            yield start + len(page) - 1, page if last is None else page[1:]
            if len(page) < POSTS_A_PAGE and not is_more_promised:
                return
            if len(page) < 2:
                raise VendorError(self.source, "a page of posts is empty, though more were promised", READ_AGAIN)
            start, last = start + len(page) - 1, ids[-1]

    def is_gone(self, post: str) -> bool:
        """Whether LinkedIn says that it has no such post."""
        response = self._get(f"posts/{quote(post, safe='')}")
        if response.status_code == 404:
            return True
        whole_json(self.source, response, ("id",))
        return False

    def _get(self, place: str) -> requests.Response:
        try:
            return self.session.get(f"{self.root}/rest/{place}")
        except SourceConfigError as refused:
            do = (
                _NOT_ALLOWED
                if "HTTP 403" in refused.found
                else self._check_token
                if "HTTP 401" in refused.found
                else ""
            )
            raise SourceConfigError(self.source, refused.found, do or refused.do) from None

    @property
    def _check_token(self) -> str:
        if self.settings.get("access_token"):
            return (
                f"Access tokens live 60 days: sign in again and set {self.settings.name('access_token')} to a new one"
            )
        return f"Check {', '.join(self.settings.name(name) for name in oauth.OF_SOMEBODY)}"

    def _renewed_token(self) -> dict[str, str]:
        url = f"{self.settings.base_url(OAUTH_HOST)}/oauth/v2/accessToken"
        form, do = oauth.by_refresh_token(self.settings), "; a refresh token lives a year"
        return oauth.renewed(self.session, self.settings, url, form, do)

    def _slow_down(self, response: requests.Response) -> float | None:
        if response.status_code == 426 or (response.status_code == 400 and _word(response, "code") == _NO_VERSION):
            raise SourceConfigError(
                self.source,
                f"LinkedIn does not serve version {self.version} of its API any more, or not yet "
                f"(HTTP {response.status_code})",
                f"Set {self.settings.name('api_version')} to a month of the last year, such as LinkedIn's page on "
                "versioning names",
            )
        if response.status_code != 429:
            return None
        if (asked := self.session.too_many_requests(response)) or "DAY" not in _word(response, "message"):
            return asked or 0.0
        now = self.clock.now()
        midnight = datetime.combine(now.date() + timedelta(days=1), time.min, now.tzinfo)
        return (midnight - now).total_seconds()

    def _documented(self, what: str) -> AbstractContextManager[None]:
        return documented(self.source, "LinkedIn", what)


_NO_VERSION = "NONEXISTENT_VERSION"
_NOT_ALLOWED = (
    "The member who signed in has to be an administrator of the page, and the app needs the Community Management API "
    "(rw_organization_admin, r_organization_social)"
)


def _word(response: requests.Response, key: str) -> str:
    try:
        return str(response.json().get(key, ""))
    except (ValueError, AttributeError):
        return ""


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * 1000


def _instant(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
