"""HTTP as vendors speak it: patience with limits and failures, and no trust in a status of 200.

Belongs here: retries, waiting, redirects, and telling a whole answer from a broken one, for every vendor. Does not:
one vendor's ways of saying "slow down" (its module passes a `slow_down` function), authentication, paging (dlt's
`RESTClient`, which takes this session).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.exceptions import ChunkedEncodingError, ContentDecodingError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from pipelines.source import READ_AGAIN, Clock, RequestRefused, SourceConfigError, VendorError, never_tell

TIMEOUT_SECONDS = (10, 60)
MOST_ATTEMPTS = 8
LONGEST_WAIT_SECONDS = 15 * 60
"""A vendor that asks for a longer wait (a daily quota) ends the stream for today instead."""

SlowDown = Callable[[requests.Response], float | None]
"""Seconds to wait when an answer means "slow down" (0 to leave it to the back-off); None when it does not mean that."""

Why = Callable[[requests.Response], str]
"""What an answer that means "slow down" says of the reason; empty where it says none."""


class _TryAgain(Exception):
    def __init__(self, found: str, wait_seconds: float | None) -> None:
        super().__init__(found)
        self.found, self.wait_seconds = found, wait_seconds


class PatientSession(requests.Session):
    """A `requests` session that waits when it is told to and tries again when it pays to.

    Signs in with what it is given and nothing else: proxies and certificates are the environment's, but no password is
    looked up in a `.netrc`, which would take the place of the token that was configured. What it signs in with is told
    by no error. Waits on `clock`. Raises `SourceConfigError` for refused credentials (401, 403), `VendorError` when the
    vendor stays unreachable, asks for a wait longer than `LONGEST_WAIT_SECONDS`, or redirects to another host.
    `renew_token`, where given, is called once when a request is answered with 401 and returns headers for another try.
    why: what errors say of the reason for which a vendor asked to slow down.
    """

    def __init__(
        self,
        source: str,
        clock: Clock,
        slow_down: SlowDown | None = None,
        renew_token: Callable[[], dict[str, str]] | None = None,
        why: Why = lambda response: "",
    ) -> None:
        super().__init__()
        self.source, self.clock = source, clock
        self.slow_down = slow_down or self.too_many_requests
        self.renew_token, self.why = renew_token, why
        self.max_redirects = 5
        self.auth = _as_it_is

    def too_many_requests(self, response: requests.Response) -> float | None:
        """The common way of saying "slow down": HTTP 429, with or without Retry-After."""
        if response.status_code != 429:
            return None
        return retry_after_seconds(response, self.clock.now()) or 0.0

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send with patience; the answer has a status below 400 or one that the caller is better placed to judge."""
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT_SECONDS
        _tell_nobody(request)
        retrying = Retrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=stop_after_attempt(MOST_ATTEMPTS),
            wait=_wait_seconds,
            sleep=self.clock.sleep,
            reraise=True,
        )
        try:
            return retrying(self._send_once, request, **kwargs)
        except _TryAgain as failure:
            raise VendorError(
                self.source,
                f"{request.method} {_place(request.url)} failed {MOST_ATTEMPTS} times, at last with {failure.found}",
                READ_AGAIN,
            ) from None

    def _send_once(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        try:
            response = super().send(request, **kwargs)
        except (requests.ConnectionError, requests.Timeout, ChunkedEncodingError, ContentDecodingError) as failure:
            raise _TryAgain(type(failure).__name__, None) from None
        except requests.TooManyRedirects:
            raise VendorError(self.source, f"{_place(request.url)} redirects in a circle", "Check base_url") from None
        wait = self.slow_down(response)
        if wait is not None:
            self._refuse_long_wait(request, wait)
            because = self.why(response)
            told = f"slow down: {because}" if because else "slow down"
            raise _TryAgain(f"HTTP {response.status_code} ({told})", wait or None)
        if response.status_code == 401 and self.renew_token is not None:
            return self._send_renewed(request, **kwargs)
        if response.status_code in (401, 403):
            raise SourceConfigError(
                self.source,
                f"{_place(request.url)} answered HTTP {response.status_code}: the credentials were refused",
                "Check that they are valid and have the permissions that docs/sources.md lists for this source",
            )
        if response.status_code >= 500:
            raise _TryAgain(f"HTTP {response.status_code}", None)
        return response

    def _send_renewed(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        renew, self.renew_token = self.renew_token, None
        assert renew is not None
        try:
            headers = renew()
            self.headers.update(headers)
            request.headers.update(headers)
            return self._send_once(request, **kwargs)
        finally:
            self.renew_token = renew

    def _refuse_long_wait(self, request: requests.PreparedRequest, seconds: float) -> None:
        if seconds > LONGEST_WAIT_SECONDS:
            raise VendorError(
                self.source,
                f"{_place(request.url)} asks to wait {seconds / 3600:.1f} hours: a quota is used up",
                "What is missing is read by the first run after that",
            )

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Follow redirects on the same host only: credentials and data go nowhere else."""
        if urlsplit(prepared_request.url).netloc != urlsplit(response.url).netloc:
            raise VendorError(
                self.source,
                f"{_place(response.url)} redirects to another host, {urlsplit(str(prepared_request.url)).netloc}",
                "Set base_url to the right host if that is the vendor's",
            )


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Signs a request in with nothing that it does not have already."""
    return request


def _tell_nobody(request: requests.PreparedRequest) -> None:
    """Keep what a request signs in with, of tokens that were issued to us too, out of errors."""
    for word in str(request.headers.get("Authorization", "")).split()[1:]:
        never_tell(word)


def retry_after_seconds(response: requests.Response, now: datetime) -> float | None:
    """The answer's Retry-After in seconds from `now`, given as seconds or as a date; None without one."""
    text = response.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        return max(float(text), 0.0)
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds(), 0.0)


def whole_answer(source: str, response: requests.Response) -> requests.Response:
    """The answer, if it is one. Raises `RequestRefused` for a status of 400 or more, `VendorError` for one of 500."""
    if response.status_code >= 400:
        refused = VendorError if response.status_code >= 500 else RequestRefused
        found = f"{_place(response.url)} answered HTTP {response.status_code}"
        raise refused(source, found, READ_AGAIN)
    return response


def whole_json(source: str, response: requests.Response, must_have: Collection[str] = ()) -> dict[str, Any]:
    """The answer as a JSON object that has the keys that every whole answer of this endpoint has.

    Raises `RequestRefused` for a status of 400 or more, `VendorError` for one of 500 or more, HTML, truncated JSON,
    anything but an object, or a missing key: an answer with status 200 and an error inside would otherwise be an empty
    page, and an empty page the end.
    """
    place = _place(whole_answer(source, response).url)
    do = READ_AGAIN
    try:
        content = response.json()
    except ValueError:
        kind = response.headers.get("Content-Type", "no content type")
        raise VendorError(source, f"{place} answered HTTP 200 with what is not JSON ({kind})", do) from None
    if not isinstance(content, dict):
        raise VendorError(source, f"{place} answered a JSON {type(content).__name__}, not an object", do)
    if missing := [key for key in must_have if key not in content]:
        found = ", ".join(sorted(name if _NAME.fullmatch(name) else "…" for name in content)[:8]) or "nothing"
        raise VendorError(source, f"{place} answered without {', '.join(missing)} (it has {found})", do)
    return content


@contextmanager
def documented(source: str, vendor: str, what: str) -> Iterator[None]:
    """Whatever cannot be found in an answer here means that the answer is not the documented one: `VendorError`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as failure:
        found = f"{what} came in another shape than {vendor} documents ({type(failure).__name__})"
        raise VendorError(source, found, READ_AGAIN) from None


def _wait_seconds(state: RetryCallState) -> float:
    failure = state.outcome.exception() if state.outcome else None
    asked = failure.wait_seconds if isinstance(failure, _TryAgain) else None
    return asked if asked is not None else float(min(2 ** (state.attempt_number - 1), 60))


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")
"""What a key of an answer is called; what else stands there may be anything, of anybody."""

_RECORD = re.compile(r"(?<=/)(?:\d+|[0-9a-f]{24}|[a-z]+_(?=[A-Za-z]*\d)[A-Za-z0-9]+)(?=[/.]|$)")
"""A part of a path that is a record's id: a number, twelve bytes, or letters with a prefix (`in_1a2B`)."""


def _place(url: str | bytes | None) -> str:
    """Scheme, host and path of a URL: what an error may show. The query may hold what it may not.

    Errors are kept, by Dagster too, where nobody could erase somebody's records from them: so they name none.
    """
    parts = urlsplit(str(url))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{_RECORD.sub('…', parts.path)}"
