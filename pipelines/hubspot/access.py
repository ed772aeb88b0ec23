"""Signing in to HubSpot, and understanding it when it says "slow down".

Settings of an account: a private app's `access_token`, or `client_id`, `client_secret` and `refresh_token`; `base_url`;
`api_version`: `v3` is the version whose machine-readable description the tests hold the source to. HubSpot stops
supporting it in the course of 2027; a dated version (`2026-03`, `2026-09`, …) has the same records at other paths.

Belongs here: an account's configuration, its tokens, and the session that carries them. Does not: what is asked for
(`api`).
"""

from __future__ import annotations

import re

import requests

from pipelines import oauth
from pipelines.http import PatientSession, retry_after_seconds
from pipelines.settings import Settings
from pipelines.source import Account, Clock, SourceConfigError, VendorError

WAIT_SECONDS = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}
"""How long each limit lasts: a refusal may come without saying it."""


class Access:
    """An account that is signed in: its session and where its API is. Opened when a stream is fetched, never before."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self.settings = Settings(account)
        self.account, self.source, self.clock = account, self.settings.source, clock
        self.version = self.settings.get("api_version") or "v3"
        self.root = self.settings.base_url("https://api.hubapi.com")
        if not re.fullmatch(r"v3|20\d\d-\d\d", self.version):
            raise SourceConfigError(
                self.source,
                f"api_version is {self.version!r}",
                f"Set {self.settings.name('api_version')} to v3 or to a dated version such as 2026-03",
            )
        self.session = PatientSession(self.source, clock, slow_down=self._slow_down)
        self.session.headers.update(oauth.signed_in(self.session, self.settings, "access_token", self._renewed_token))

    def _renewed_token(self) -> dict[str, str]:
        """Access tokens live for half an hour: a new one, as the header that carries it."""
        url = f"{self.root}/oauth/{'v1' if self.version == 'v3' else self.version}/token"
        do = "; where the app was removed from the account, install it again"
        return oauth.renewed(self.session, self.settings, url, oauth.by_refresh_token(self.settings), do)

    def _slow_down(self, response: requests.Response) -> float | None:
        if response.status_code == 423:  # the record is locked for a moment
            return 2.0
        if response.status_code == 477:  # the account is being moved between data centres
            return retry_after_seconds(response, self.clock.now()) or 0.0
        if response.status_code != 429:
            return None
        policy = _policy(response)
        if policy == "DAILY":
            raise VendorError(
                self.source,
                "the account's requests of today are used up (HTTP 429, policyName DAILY)",
                "What is missing is read by the first run after midnight in the account's time zone; "
                "where that happens often, another app of the account uses the same quota",
            )
        asked = retry_after_seconds(response, self.clock.now())
        return asked or WAIT_SECONDS.get(policy, 0.0)


def _policy(response: requests.Response) -> str:
    try:
        return str(response.json().get("policyName", ""))
    except (ValueError, AttributeError):
        return ""
