"""Signing in by OAuth: access tokens that live for hours, and a new one whenever one has ended.

Belongs here: which settings there have to be, asking for a token, and what is said where that is refused. Does not:
where a vendor is asked and what it wants besides (each vendor's module), signing an assertion (`signing`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import requests

from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import SourceConfigError

OF_SOMEBODY = ("client_id", "client_secret", "refresh_token")
"""What an app has of somebody who has allowed it to read what is theirs."""

Headers = dict[str, str]


def bearer(token: str) -> Headers:
    """The header that carries an access token."""
    return {"Authorization": f"Bearer {token}"}


def signed_in(
    session: PatientSession,
    settings: Settings,
    own: str,
    renew: Callable[[], Headers],
    carried: Callable[[str], Headers] = bearer,
) -> Headers:
    """The headers that say who asks: by a token that is set (`own`), or by one that is renewed whenever it has ended.

    carried: the header that carries a token that is set. Raises `SourceConfigError` where neither can be.
    """
    if token := settings.get(own):
        return carried(token)
    if not any(settings.get(name) for name in OF_SOMEBODY):
        raise settings.missing(own)
    settings.require(*OF_SOMEBODY)
    headers = renew()
    session.renew_token = renew
    return headers


def by_refresh_token(settings: Settings) -> dict[str, str]:
    """The form that asks for a new access token in the name of whoever gave the refresh token."""
    return {"grant_type": "refresh_token", **{name: settings.need(name) for name in OF_SOMEBODY}}


def renewed(
    session: PatientSession,
    settings: Settings,
    url: str,
    form: dict[str, str],
    do: str,
    names: Collection[str] = OF_SOMEBODY,
    *,
    refusals: Collection[int] = (400,),
    auth: tuple[str, str] | None = None,
) -> Headers:
    """The header that carries a new access token.

    auth: who the app is, where the form does not say it. Raises `SourceConfigError` for a status of `refusals`, with
    the settings to look at (`names`) and what else to do (`do`).
    """
    response = session.post(url, data=form, headers={"Authorization": None}, auth=auth)
    if response.status_code in refusals:
        raise SourceConfigError(
            settings.source,
            f"{url} refused to renew the access token (HTTP {response.status_code})",
            f"Check {', '.join(settings.name(name) for name in names)}{do}",
        )
    return token_of(settings, response)


def token_of(settings: Settings, response: requests.Response) -> Headers:
    """The header that carries the access token of an answer. Raises `VendorError` where it has none."""
    return bearer(whole_json(settings.source, response, ("access_token",))["access_token"])
