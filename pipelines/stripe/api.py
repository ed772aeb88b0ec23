"""Stripe's API over HTTP: the key, the version, lists and their guards.

Belongs here: requests, and which answers can be trusted. Does not: what is kept of an answer or what it means.

The version of the API is named with every request, so that an upgrade of the account changes no answer.

*Limits* (https://docs.stripe.com/rate-limits): 429 says in `Stripe-Rate-Limited-Reason` which one it was, and never how
long to wait. One of requests a second (`global-rate`, `endpoint-rate`) is over in a second, one of requests at a time
(`global-concurrency`, `endpoint-concurrency`) when others of the account are answered, as there is one of ours at a
time; an object that another request holds (`lock_timeout`, without the header) when that is done: each is tried again,
each time after twice as long. Limits of a resource (`resource-specific`) are by the minute or the hour: a minute is
waited. Where that does not help, the error names the reason.

*Lists* are whole at once, so far as the vendor documents (only its search lags behind, and is not used). Events are
asked for from an hour before the last reading: what was read before is read again, and changes nothing. A list that is
gone on with from an object that was deleted since (`resource_missing`) is begun anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.auth import AuthBase

from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError

HOST = "https://api.stripe.com"
API_VERSION = "2026-03-25.dahlia"
PAGE_SIZE = 100

REASON = "Stripe-Rate-Limited-Reason"
_A_RESOURCES = "resource-specific"
_REASONS = ("global-rate", "endpoint-rate", "global-concurrency", "endpoint-concurrency", _A_RESOURCES)
_A_MINUTE = 60.0

Item = dict[str, Any]


class Api:
    """One account over HTTP. Settings and the key are read when it is made.

    Raises `SourceConfigError` for a missing or refused key and for one of the other mode (live or test), `VendorError`
    for answers that cannot be trusted.
    """

    def __init__(self, account: Account, clock: Clock, *, livemode: bool) -> None:
        self.settings = Settings(account)
        self.source, self.base_url = self.settings.source, self.settings.base_url(HOST)
        self.livemode = livemode
        key = self.settings.need("api_key")
        mode = key.split("_")[1:2]
        if mode in (["live"], ["test"]) and (mode == ["live"]) is not livemode:
            raise self._other_mode()
        self.session = PatientSession(self.source, clock, slow_down=_slow_down, why=_why)
        self.session.auth = _Bearer(key)
        self.session.headers["Stripe-Version"] = self.settings.get("api_version") or API_VERSION

    def listed(self, path: str, params: Mapping[str, Any], after: str | None = None) -> Iterator[list[Item]]:
        """Pages of a list, newest first. Raises `VendorError` where the list does not get on or repeats itself.

        after: the object that a reading had come to that was interrupted.
        """
        place: dict[str, str] = {"starting_after": after} if after else {}
        seen: set[str] = set()
        while True:
            response = self._get(path, {**params, "limit": PAGE_SIZE, **place})
            if after and not seen and _error(response).get("code") == "resource_missing":
                after, place = None, {}
                continue
            answer = whole_json(self.source, response, ("object", "data", "has_more"))
            page = self._page(path, answer)
            ids = {item["id"] for item in page}
            if len(ids) < len(page) or ids & seen:
                raise VendorError(self.source, f"{path} gave an object for the second time", READ_AGAIN)
            if answer["has_more"] and not page:
                raise VendorError(self.source, f"{path} says that there is more but does not get on", READ_AGAIN)
            yield page
            if not answer["has_more"]:
                return
            seen |= ids
            place = {"starting_after": page[-1]["id"]}

    def found(self, path: str, kind: str, id_: str, params: Mapping[str, Any]) -> Item | None:
        """One object as it is now; None where it was deleted."""
        response = self._get(f"{path}/{id_}", params)
        if response.status_code == 404 and _error(response).get("code") == "resource_missing":
            return None
        found = whole_json(self.source, response, ("id", "object"))
        if found["id"] != id_ or found["object"] != kind:
            raise VendorError(self.source, f"{path} answered with another object than was asked for", READ_AGAIN)
        return None if found.get("deleted") is True else self._checked(path, found)

    def _page(self, path: str, answer: Item) -> list[Item]:
        data, has_more = answer["data"], answer["has_more"]
        is_list = answer["object"] == "list" and isinstance(data, list) and isinstance(has_more, bool)
        if not is_list or not all(isinstance(item, dict) and isinstance(item.get("id"), str) for item in data):
            raise VendorError(self.source, f"{path} answered something that is not a list of objects", READ_AGAIN)
        return [self._checked(path, item) for item in data]

    def _checked(self, path: str, item: Item) -> Item:
        """An object of the mode that is asked for: the other mode's money is not this company's.

        A refund does not say it itself, but its charge does; one of no charge can only be of the key's mode.
        """
        livemode = item.get("livemode")
        if item.get("object") == "refund" and livemode is None:
            charge = item.get("charge")
            livemode = charge.get("livemode") if isinstance(charge, dict) else self.livemode
        if not isinstance(livemode, bool):
            raise VendorError(self.source, f"{path} does not say whether an object is live or a test", READ_AGAIN)
        if livemode is not self.livemode:
            raise self._other_mode()
        return item

    def _get(self, path: str, params: Mapping[str, Any]) -> requests.Response:
        try:
            response = self.session.get(self.base_url + path, params=params)
        except SourceConfigError as refused:
            raise SourceConfigError(
                self.source,
                refused.found,
                f"Check {self.settings.name('api_key')}; a restricted key needs to read "
                "Invoices, Credit notes, Charges and Refunds, Disputes, Subscriptions, Coupons and Events, and "
                "Customers where the options identify them; what it shall not read is left out by the options",
            ) from None
        if response.status_code == 400 and "stripe api version" in str(_error(response).get("message")).lower():
            version = self.session.headers["Stripe-Version"]
            raise SourceConfigError(
                self.source,
                f"the vendor does not know the version {version!s} of its API",
                f"Correct {self.settings.name('api_version')}, or leave it out for {API_VERSION}",
            )
        return response

    def _other_mode(self) -> SourceConfigError:
        asked, given = ("live", "test") if self.livemode else ("test", "live")
        return SourceConfigError(
            self.source,
            f"{self.settings.name('api_key')} is of {given} mode, but the option `livemode` asks for {asked} mode",
            "Set the key of the other mode, or correct `livemode` in organisation.yaml",
        )


class _Bearer(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def _slow_down(response: requests.Response) -> float | None:
    """Seconds to wait where a limit is reached, 0 for ever longer ones; None where none is."""
    if response.status_code != 429:
        return None
    return _A_MINUTE if response.headers.get(REASON) == _A_RESOURCES else 0.0


def _why(response: requests.Response) -> str:
    """Which limit it is that is reached."""
    reason = response.headers.get(REASON, "")
    if reason in _REASONS:
        return reason
    return "lock_timeout" if _error(response).get("code") == "lock_timeout" else ""


def _error(response: requests.Response) -> Item:
    """The vendor's error in an answer; empty for anything else."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}
