"""Meta's Graph API over HTTP: the token, the version, its limits, and what its errors ask for.

Belongs here: requests, and which answers can be trusted. Does not: metrics (`days`), posts (`posts`).

Meta answers nearly every error with HTTP 400 and says in the body what it means
(https://developers.facebook.com/docs/graph-api/guides/error-handling,
https://developers.facebook.com/docs/graph-api/overview/rate-limiting): limits are codes, not a status of 429. How much
of a limit is used up stands in a header of every answer. An error of ours tells Meta's codes, and nothing of its text.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import requests

from pipelines.http import PatientSession, documented, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, RequestRefused, SourceConfigError, SourceError, VendorError

HOST = "https://graph.facebook.com"
VERSION = "v25.0"

_LIMITS = {4, 17, 32, 341, 613} | set(range(80000, 80015))
_TRANSIENT = {1, 2}
_PERMISSIONS = {3, 10} | set(range(200, 300))
_TOKEN = {102, 190, 463, 467}
_NOT_THERE = {33, 2108006}
"""No such object; a medium from before the account was a business's, of which nothing was counted."""

_DOES_NOT_EXIST = "does not exist"
"""Of a post that was deleted Facebook says, without a subcode: "(#10) Object does not exist, cannot be loaded due to
missing permission or reviewable feature"."""

_NO_SUCH_VERSION = {2500, 2635}
_TOKEN_SUBCODES = {
    458: "the app is not installed any more",
    460: "the password was changed",
    463: "it has expired",
    464: "its user is not confirmed",
    467: "it was revoked",
}

_WAIT_WITHOUT_A_WORD = 300.0
"""A limit counts an hour or a day back from now, so a second is no wait."""

_NEARLY_USED_UP, _PAUSE_SECONDS = 95, 60.0
"""From so many per cent of a limit on we ask once a minute, which is more slowly than the smallest one frees."""


class MetricRefused(SourceConfigError):
    """The vendor does not know a metric (any more), or does not give it to this account."""


class NotPermitted(SourceConfigError):
    """The access token may not read that."""


class Gone(SourceError):
    """There is nothing of that id, or nothing that this token may see."""


_MOST_EMPTY_PAGES = 20
"""A page may be empty though there are more (https://developers.facebook.com/docs/graph-api/results): that is believed
when it is said twice, but not for ever."""


class TooMuch(VendorError):
    """The vendor could not gather as much as a page was asked to hold."""


class Graph:
    """The API over HTTP, with the token in a header: what is in a query ends up in logs."""

    def __init__(self, account: Account, clock: Clock, vendor: str) -> None:
        self.settings, self.clock, self.vendor = Settings(account), clock, vendor
        self.source = self.settings.source
        version = self.settings.get("api_version") or VERSION
        if not re.fullmatch(r"v\d+\.\d+", version):
            do = f"Write it as Meta does: {VERSION}"
            raise SourceConfigError(self.source, f"{self.settings.name('api_version')} is '{version}'", do)
        self.url = f"{self.settings.base_url(HOST)}/{version}"
        token, secret = self.settings.need("access_token"), self.settings.get("app_secret")
        proof = None if secret is None else hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        self.proof = {} if proof is None else {"appsecret_proof": proof}
        self.session = PatientSession(self.source, clock, slow_down=self._judged)
        self.session.headers["Authorization"] = f"Bearer {token}"
        self._is_nearly_used_up = False

    def get(self, path: str, must_have: tuple[str, ...] = (), **params: Any) -> dict[str, Any]:
        """An answer. Raises `MetricRefused`, `Gone`, `TooMuch`, and as every source does."""
        if self._is_nearly_used_up:
            self.clock.sleep(_PAUSE_SECONDS)
        response = self.session.get(f"{self.url}/{path}", params={**params, **self.proof})
        self._is_nearly_used_up = _used_up(response) >= _NEARLY_USED_UP
        return whole_json(self.source, response, must_have)

    def pages(self, path: str, limit: int, fields: str, **params: Any) -> Iterator[list[dict[str, Any]]]:
        """The pages of a list. Fewer to a page where the vendor cannot gather so many.

        Raises `VendorError` for a list that repeats itself, goes on without end, or answers what was not asked for.
        """
        asked = {"id", *(name.partition(".")[0] for name in fields.split(","))}
        after: str | None = None
        seen: set[str] = set()
        empty, is_asked_again = 0, False
        while True:
            place = {} if after is None else {"after": after}
            try:
                answer = self.get(path, ("data",), limit=limit, fields=fields, **params, **place)
            except TooMuch:
                if limit <= 1:
                    raise
                limit = max(limit // 4, 1)
                continue
            page, following = self._page(answer, asked)
            if following and not page and not is_asked_again:
                is_asked_again = True
                continue
            is_asked_again = False
            if ids := {one["id"] for one in page}:
                if ids <= seen:
                    raise VendorError(self.source, f"the list of {path.rsplit('/', 1)[-1]} repeats itself", READ_AGAIN)
                seen |= ids
                yield page
            if following is None:
                return
            after = following
            empty = 0 if page else empty + 1
            if empty > _MOST_EMPTY_PAGES:
                raise VendorError(self.source, f"{empty} empty pages say that there are more", READ_AGAIN)

    def documented(self, what: str) -> AbstractContextManager[None]:
        return documented(self.source, "Meta", what)

    def _page(self, answer: Mapping[str, Any], asked: set[str]) -> tuple[list[dict[str, Any]], str | None]:
        """The records of a page, and after what there are more. asked: which fields they may have."""
        page = answer["data"]
        if not isinstance(page, list) or not all(isinstance(one, dict) and _is_id(one.get("id")) for one in page):
            raise VendorError(self.source, "a page holds what are not records with ids", READ_AGAIN)
        with self.documented("a page"):
            paging = answer.get("paging") or {}
            following = (paging.get("cursors") or {}).get("after")
            has_more = bool(paging.get("next"))
        if any(one.keys() - asked for one in page):
            raise VendorError(self.source, "a page holds what was not asked for", READ_AGAIN)
        if has_more and not following:
            raise VendorError(self.source, "a page says that there are more, but not where", READ_AGAIN)
        return page, following if has_more else None

    def _judged(self, response: requests.Response) -> float | None:
        """Seconds to wait where an answer means that; raises what an error means that waiting does not mend."""
        error = _error(response)
        if error is None:
            return self.session.too_many_requests(response)
        code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
        if code in _LIMITS or response.status_code == 429:
            return _wait_seconds(response)
        if code in _TRANSIENT and "reduce the amount of data" in str(error.get("message")):
            raise TooMuch(self.source, "the vendor cannot gather as much as one record at once", READ_AGAIN)
        if code in _TRANSIENT or error.get("is_transient") is True:
            return 0.0
        raise self._refusal(code, subcode, str(error.get("message")), _asked_metric(response))

    def _refusal(self, code: int, subcode: int, message: str, metric: str | None) -> SourceError:
        said = f"{self.vendor} answered error {code}" + (f", {subcode}" if subcode else "")
        token = self.settings.name("access_token")
        if code in _TOKEN:
            why = _TOKEN_SUBCODES.get(subcode, "it has expired or was revoked")
            return SourceConfigError(self.source, f"{said}: the access token is not valid ({why})", f"Renew {token}")
        is_gone = code in {10, 100} and metric is None and _DOES_NOT_EXIST in message
        if code in _PERMISSIONS and not is_gone:
            found = f"{said}: the access token lacks a permission" + (f" for the metric {metric}" if metric else "")
            return NotPermitted(self.source, found, f"Give {token} the permissions that docs/sources.md lists")
        if is_gone or subcode in _NOT_THERE:
            return Gone(
                self.source,
                f"{said}: there is nothing of that id that the access token may see",
                f"Check the id in organisation.yaml, and whose {token} is",
            )
        if code == 100 and metric is not None and "metric" in message:
            return MetricRefused(
                self.source,
                f"{said}: it does not know the metric {metric}",
                "Name the one that replaces it in the options in organisation.yaml, or null to go on without",
            )
        if code in _NO_SUCH_VERSION:
            found = f"{said}: it does not serve what was asked for, or not any more in this version"
            return SourceConfigError(self.source, found, f"Set {self.settings.name('api_version')} to one it serves")
        return RequestRefused(self.source, said + (f" to the metric {metric}" if metric else ""), READ_AGAIN)


def _error(response: requests.Response) -> dict[str, Any] | None:
    """The error in an answer, whatever its status."""
    try:
        content = orjson.loads(response.content)
    except ValueError:
        return None
    error = content.get("error") if isinstance(content, dict) else None
    return error if isinstance(error, dict) else None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _asked_metric(response: requests.Response) -> str | None:
    asked = parse_qs(urlsplit(str(response.request.url)).query).get("metric")
    return asked[0] if asked else None


def _wait_seconds(response: requests.Response) -> float:
    """How long a limit lasts: as the header says, in minutes; or a while."""
    minutes = [_number(use.get("estimated_time_to_regain_access")) for use in _uses(response)]
    return max(minutes, default=0) * 60.0 or _WAIT_WITHOUT_A_WORD


def _used_up(response: requests.Response) -> int:
    """How many per cent of the limit that is nearest to its end are used up."""
    parts = ("call_count", "total_time", "total_cputime")
    return max((_number(use.get(part)) for use in _uses(response) for part in parts), default=0)


def _uses(response: requests.Response) -> list[dict[str, Any]]:
    """What the headers say of limits: of the business use case, and of the app."""
    found: list[Any] = []
    for name in ("X-Business-Use-Case-Usage", "X-App-Usage"):
        try:
            content = orjson.loads(response.headers.get(name, "{}"))
        except ValueError:
            continue
        if isinstance(content, dict):
            found += [content, *(use for uses in content.values() if isinstance(uses, list) for use in uses)]
    return [use for use in found if isinstance(use, dict)]


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
