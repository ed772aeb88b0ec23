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

from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.signing import JWT_BEARER, assertion
from pipelines.source import SourceConfigError

OAUTH_HOST = "https://oauth2.googleapis.com"
OF_SOMEBODY = ("client_id", "client_secret", "refresh_token")
OF_SERVICE = ("client_email", "private_key")

_SECONDS_TO_SIGN_IN = 3600


def hosts(settings: Settings, host: str) -> tuple[str, str]:
    """Where an API is, and where tokens are had: where `base_url` is set, both are there."""
    root = settings.base_url(host)
    return root, OAUTH_HOST if settings.get("base_url") is None else root


def renewed(session: PatientSession, settings: Settings, oauth: str) -> dict[str, str]:
    """The header that signs in with a new access token of whoever gave the refresh token."""
    _require(settings, OF_SOMEBODY)
    form = {"grant_type": "refresh_token", **{name: settings.need(name) for name in OF_SOMEBODY}}
    do = "; a refresh token of an app that is still being tested lives a week"
    return _token(session, settings, oauth, form, OF_SOMEBODY, do)


def service(session: PatientSession, settings: Settings, oauth: str, scope: str) -> dict[str, str]:
    """The header that signs in with a new access token of a service account."""
    _require(settings, OF_SERVICE)
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
    return _token(session, settings, oauth, form, OF_SERVICE, do)


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


def _require(settings: Settings, names: tuple[str, ...]) -> None:
    if missing := [name for name in names if not settings.get(name)]:
        raise settings.missing(*missing)


def _token(
    session: PatientSession, settings: Settings, oauth: str, form: dict[str, str], names: tuple[str, ...], do: str
) -> dict[str, str]:
    response = session.post(f"{oauth}/token", data=form, headers={"Authorization": None})
    if response.status_code in (400, 401):
        raise SourceConfigError(
            settings.source,
            f"{oauth}/token refused to renew the access token (HTTP {response.status_code})",
            f"Check {', '.join(settings.name(name) for name in names)}{do}",
        )
    return {"Authorization": f"Bearer {whole_json(settings.source, response, ('access_token',))['access_token']}"}
