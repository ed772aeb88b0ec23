"""Stripe's API over HTTP: the key, the version, and lists that are read whole or not at all.

Belongs here: requests, and which answers can be trusted. Does not: what is kept of an answer or what it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import Account, Clock, SourceConfigError, VendorError

HOST = "https://api.stripe.com"
VERSION = "2026-05-27.dahlia"
"""The version that answers are asked in, whatever the account's own default is."""

READ_AGAIN = "Nothing is counted as read; the next run reads it again"
_MOST_A_PAGE = 100
_PERMISSIONS = "A restricted key needs to read Invoices, Charges and Events"

Json = dict[str, Any]


class Api:
    """One account. Opened when a stream is fetched, never before."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source, self.base_url = self.settings.source, self.settings.base_url(HOST)
        self.version = self.settings.get("api_version") or VERSION
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?", self.version):
            raise self._wrong("api_version", f"is {self.version!r}", f"Write it as Stripe does: {VERSION}")
        self.session = PatientSession(self.source, clock)
        self.session.headers.update(
            {"Authorization": f"Bearer {self.settings.need('api_key')}", "Stripe-Version": self.version}
        )

    def listed(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[list[Json]]:
        """The pages of a list, newest first. Raises `VendorError` for one that ends, or goes round, before its end."""
        asked: dict[str, Any] = {"limit": _MOST_A_PAGE, **(params or {})}
        seen: set[str] = set()
        while True:
            answer = whole_json(self.source, self._asked(path, asked), ("object", "data", "has_more"))
            page = answer["data"]
            if answer["object"] != "list" or not isinstance(page, list):
                raise VendorError(self.source, f"{path} answered what is no list", READ_AGAIN)
            ids = [str(one["id"]) if isinstance(one, dict) and one.get("id") else "" for one in page]
            if "" in ids:
                raise VendorError(self.source, f"{path} answered an object without an id", READ_AGAIN)
            if (answer["has_more"] and not page) or seen.intersection(ids):
                raise VendorError(self.source, f"{path} repeated itself, or ended before its end", READ_AGAIN)
            seen.update(ids)
            yield page
            if not answer["has_more"]:
                return
            asked["starting_after"] = ids[-1]

    def one(self, path: str) -> Json | None:
        """An object as it is now; None where it is gone."""
        response = self._asked(path, {})
        if response.status_code == 404:
            return None
        found = whole_json(self.source, response, ("id", "object"))
        return None if found.get("deleted") else found

    def _asked(self, path: str, params: Mapping[str, Any]) -> requests.Response:
        try:
            response = self.session.get(self.base_url + path, params=dict(params))
        except SourceConfigError as refused:
            raise self._wrong(
                "api_key", f"was refused by {path}", f"Check that it is valid. {_PERMISSIONS}"
            ) from refused
        if response.status_code == 400 and "API version" in _message(response):
            raise self._wrong("api_version", f"is {self.version}, which Stripe does not know", f"Try {VERSION}")
        return response

    def _wrong(self, key: str, found: str, do: str) -> SourceConfigError:
        return SourceConfigError(
            self.source,
            f"{self.settings.name(key)} {found}",
            f"{do} (environment variable {self.settings.variable(key)})",
        )


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return ""
