"""Signing in to Salesforce, keeping within its daily requests, and understanding it when it says "slow down".

Settings of an org: `base_url`, its My Domain (https://acme.my.salesforce.com); `client_id` of a connected or external
client app, and a way to sign in with it; `api_version`. A version is served for three years at least, and the default
is one that every org has by now. The ways: `private_key`, whose certificate the app has, and the `username` to run as
(JWT bearer flow); or `client_secret` with a `refresh_token`; or `client_secret` alone (client credentials flow).

Belongs here: an org's configuration, its tokens, its quota, and the session that carries them. Does not: what is asked
for (`api`).

Sources of the facts: the REST API Developer Guide (Sforce-Limit-Info: "Limit Info Header"; status codes: "Status Codes
and Error Responses"); REQUEST_LIMIT_EXCEEDED as 403, github.com/mike4aday/SwiftlySalesforce/issues/29; Salesforce Help,
"OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration" (RS256; whom it is for; three minutes at most).
"""

from __future__ import annotations

import re
from typing import Any

import requests

from pipelines.http import PatientSession
from pipelines.oauth import token_of
from pipelines.settings import Settings
from pipelines.signing import JWT_BEARER, assertion
from pipelines.source import Account, Clock, SourceConfigError, VendorError

API_VERSION = "62.0"

_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")
_SECRETS = ("client_id", "client_secret")
_SECONDS_TO_SIGN_IN = 180


class Access:
    """An org that is signed in to: its session and where its API is. Opened when a stream is fetched, never before."""

    def __init__(self, account: Account, clock: Clock, quota_share: float) -> None:
        self.settings = Settings(account)
        self.account, self.source, self.clock = account, self.settings.source, clock
        self.quota_share, self.used, self.quota = quota_share, 0, 0
        self.settings.need("base_url")
        self.root = self.settings.base_url("")
        self.version = self.settings.get("api_version") or API_VERSION
        if not re.fullmatch(r"\d{2,3}\.0", self.version):
            raise SourceConfigError(
                self.source,
                f"api_version is {self.version!r}",
                f"Set {self.settings.name('api_version')} to a version such as {API_VERSION}",
            )
        self.session = PatientSession(self.source, clock, slow_down=self._slow_down)
        self.session.hooks["response"].append(self._note_usage)
        self.session.headers.update(self._token())
        self.session.renew_token = self._token

    def get(self, path: str, params: dict[str, str] | None = None) -> requests.Response:
        """An answer of the API, as long as the org's requests of the day allow one."""
        self.require_quota()
        return self.session.get(self.root + path, params=params)

    def require_quota(self) -> None:
        """Raise `VendorError` where so much of the org's daily requests is used that the rest is for others."""
        if self.quota and self.used >= self.quota_share * self.quota:
            raise VendorError(
                self.source,
                f"{self.used:,} of the org's {self.quota:,} API requests of the last 24 hours are used, and reading "
                f"stops at {self.quota_share:.0%} of them (quota_share)",
                "The next run goes on from here; where that happens often, raise quota_share or buy requests",
            )

    def _token(self) -> dict[str, str]:
        """A new access token, as the header that carries it: it ends with the org's session time."""
        form, names, allows = self._grant()
        url = f"{self.root}/services/oauth2/token"
        response = self.session.post(url, data=form, headers={"Authorization": None})
        if response.status_code == 400:
            raise SourceConfigError(
                self.source,
                f"Salesforce refused to sign in ({_plain(_word(response, 'error')) or 'HTTP 400'})",
                f"Check {', '.join(self.settings.name(name) for name in names)}, and that the app {allows}",
            )
        return token_of(self.settings, response)

    def _grant(self) -> tuple[dict[str, str], tuple[str, ...], str]:
        """What is asked for a token with, the settings that say it, and what the app must allow."""
        if self.settings.get("private_key"):
            self.settings.require("client_id", "username")
            form = {"grant_type": JWT_BEARER, "assertion": self._assertion()}
            allows = "has the certificate of this key and allows this user (admin approved users)"
            return form, ("client_id", "username", "private_key"), allows
        self.settings.require(*_SECRETS)
        form = {name: self.settings.need(name) for name in _SECRETS}
        if refresh_token := self.settings.get("refresh_token"):
            form |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
            return form, (*_SECRETS, "refresh_token"), "allows refresh tokens"
        allows = "allows the client credentials flow and names the user to run as"
        return {**form, "grant_type": "client_credentials"}, _SECRETS, allows

    def _assertion(self) -> str:
        """Who signs in, as whom and where, signed: a JSON Web Token."""
        is_sandbox = ".sandbox." in self.root
        audience = self.settings.get("audience") or f"https://{'test' if is_sandbox else 'login'}.salesforce.com"
        claims = {
            "iss": self.settings.need("client_id"),
            "sub": self.settings.need("username"),
            "aud": audience,
            "exp": int(self.clock.now().timestamp()) + _SECONDS_TO_SIGN_IN,
        }
        return assertion(self.settings, claims, {"alg": "RS256"})

    def _note_usage(self, response: requests.Response, **_: Any) -> None:
        if found := _USAGE.search(response.headers.get("Sforce-Limit-Info", "")):
            self.used, self.quota = int(found[1]), int(found[2])

    def _slow_down(self, response: requests.Response) -> float | None:
        if response.status_code == 429:
            return self.session.too_many_requests(response)
        if response.status_code == 403 and error_code(response) == "REQUEST_LIMIT_EXCEEDED":
            if "Concurrent" in _word(response, "message"):  # too many long requests at this moment
                return 0.0
            raise VendorError(
                self.source,
                "the org's API requests of the last 24 hours are used up (HTTP 403, REQUEST_LIMIT_EXCEEDED)",
                "The next run goes on from here; where that happens often, another app of the org uses the same quota",
            )
        return None


def error_code(response: requests.Response) -> str:
    """Salesforce's own word for what is wrong; empty where it says none, or something that is no such word."""
    return _plain(_word(response, "errorCode"))


def _plain(word: str) -> str:
    """A word that errors may show: of an answer that repeats what it was asked, nothing is shown."""
    return word if re.fullmatch(r"[A-Za-z_]{1,60}", word) else ""


def _word(response: requests.Response, key: str) -> str:
    """Errors are a list of one; those of the token endpoint are an object."""
    try:
        content = response.json()
        found = content[0] if isinstance(content, list) else content
        return str(found.get(key) or "")
    except (ValueError, AttributeError, IndexError):
        return ""
