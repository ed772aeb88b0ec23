"""Signing in to Google's APIs, and what they say when they refuse: the same for all of them.

Belongs here: access tokens of somebody who has signed in and of a service account, and the shape of errors. Does not:
one API's requests (`pipelines.youtube`, `pipelines.google_sheets`).

Sources of the facts: https://developers.google.com/identity/protocols/oauth2/web-server#offline (refresh tokens) and
/service-account#httprest (the assertion's header and claims; an hour at most; `aud` is the token endpoint), and
https://cloud.google.com/apis/design/errors#error_model (`error.code`, `.status`, `.message`, `.details`).
"""

from __future__ import annotations

from typing import Any

import requests

from pipelines import oauth
from pipelines.http import PatientSession
from pipelines.settings import Settings
from pipelines.signing import JWT_BEARER, assertion

OAUTH_HOST = "https://oauth2.googleapis.com"
OF_SERVICE = ("client_email", "private_key")

_SECONDS_TO_SIGN_IN = 3600
_REFUSALS = (400, 401)


def hosts(settings: Settings, host: str) -> tuple[str, str]:
    """Where an API is, and where tokens are had: where `base_url` is set, both are there."""
    root = settings.base_url(host)
    return root, OAUTH_HOST if settings.get("base_url") is None else root


def renewed(session: PatientSession, settings: Settings, root: str) -> dict[str, str]:
    """The header that signs in with a new access token of whoever gave the refresh token."""
    settings.require(*oauth.OF_SOMEBODY)
    do = "; a refresh token of an app that is still being tested lives a week"
    form = oauth.by_refresh_token(settings)
    return oauth.renewed(session, settings, f"{root}/token", form, do, refusals=_REFUSALS)


def service(session: PatientSession, settings: Settings, root: str, scope: str) -> dict[str, str]:
    """The header that signs in with a new access token of a service account."""
    settings.require(*OF_SERVICE)
    now = int(session.clock.now().timestamp())
    claims = {
        "iss": settings.need("client_email"),
        "scope": scope,
        "aud": f"{OAUTH_HOST}/token",
        "iat": now,
        "exp": now + _SECONDS_TO_SIGN_IN,
    }
    form = {"grant_type": JWT_BEARER, "assertion": assertion(settings, claims, {"alg": "RS256", "typ": "JWT"})}
    do = ", and that this key of the service account has not been deleted and the clock of this machine is right"
    return oauth.renewed(session, settings, f"{root}/token", form, do, OF_SERVICE, refusals=_REFUSALS)


def status(response: requests.Response) -> str:
    """Google's own word for what is wrong (`PERMISSION_DENIED`); empty where it says none."""
    try:
        found = str(response.json()["error"]["status"])
    except (ValueError, KeyError, TypeError):
        return ""
    return found if found.isascii() and found.replace("_", "").isalpha() and found.isupper() else ""


def reasons(response: requests.Response) -> set[str]:
    """The reasons in an error; none in anything else."""
    try:
        error: dict[str, Any] = response.json()["error"]
        return {entry["reason"] for entry in (*error.get("errors", ()), *error.get("details", ())) if "reason" in entry}
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()
