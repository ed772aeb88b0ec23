"""Signing in to Pipedrive, spending the company's tokens with care, and understanding it when it says "slow down".

Settings of an account: `api_token` of a user who sees everything, or `client_id`, `client_secret` and `refresh_token`
of an app that such a user has installed; `tokens_a_run`; `base_url`; `api_version` (`v2`) of the lists and
`history_version` (`v1`) of the changelogs, which the second version does not have.

Source of the facts: https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting. A company has 30,000 tokens a day
for each seat, times 1 to 7 by its plan, for all its integrations together; each kind of request costs what the API's
description says (`x-token-cost`). Once they are used up each request is refused with 429 until the next day. A user has
20 requests or more in two seconds as well, and headers say how many are left; no header says how many tokens are.
Whoever goes on asking is shut out with 403 and a page of HTML.

Belongs here: an account's configuration, its session, and what a run may spend. Does not: what is asked for (`api`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from pipelines import oauth
from pipelines.http import PatientSession, retry_after_seconds
from pipelines.settings import Settings
from pipelines.source import Account, Clock, SourceConfigError, VendorError

TOKENS_A_RUN = 15_000
"""What a run spends where nothing else is set: half of what the smallest account has in a day."""
FEWEST_TOKENS = 2_000
"""With less, a run might not come from one page with histories to the next."""

OAUTH_URL = "https://oauth.pipedrive.com"

WINDOW_SECONDS = 2.0
MOST_REFUSALS = 3
"""Refused as often in a row, each after a new window had begun, the day's tokens are used up."""


@dataclass
class Purse:
    """What the streams of one run have spent together, and how long the next request has to wait for its window."""

    spent: int = 0
    rest_seconds: float = 0.0


class Access:
    """An account that is signed in: its session and where its API is. Opened when a stream is fetched, never before."""

    def __init__(self, account: Account, domain: str, clock: Clock, purse: Purse) -> None:
        self.settings = Settings(account)
        self.account, self.source, self.clock, self.purse = account, self.settings.source, clock, purse
        root = self.settings.base_url(f"https://{domain}.pipedrive.com")
        self.lists = f"{root}/api/{self._version('api_version', 'v2')}"
        self.histories = f"{root}/api/{self._version('history_version', 'v1')}"
        self.most = self._tokens_a_run()
        self.session = PatientSession(self.source, clock, slow_down=self._slow_down)
        self.refusals = 0
        headers = oauth.signed_in(self.session, self.settings, "api_token", self._renewed_token, _carried)
        self.session.headers.update(headers)

    def get(self, url: str, params: Mapping[str, str | list[str]], cost: int) -> requests.Response:
        """One answer. Raises `VendorError` instead of asking where the run may not spend what it costs."""
        if self.purse.spent + cost > self.most:
            raise VendorError(
                self.source,
                f"the {self.most} tokens that a run may spend of the company's daily budget are spent",
                f"The next run goes on from here; set {self.settings.name('tokens_a_run')} to more "
                "if the company's other integrations leave it",
            )
        self.purse.spent += cost
        if self.purse.rest_seconds:
            self.clock.sleep(self.purse.rest_seconds)
        return self.session.get(url, params=dict(params))

    def _renewed_token(self) -> dict[str, str]:
        """Access tokens live for an hour: a new one, as the header that carries it."""
        form = oauth.by_refresh_token(self.settings)
        app = form.pop("client_id"), form.pop("client_secret")
        url = f"{self.settings.base_url(OAUTH_URL)}/oauth/token"
        do = "; where the app was removed, or not used for 60 days, install it again"
        return oauth.renewed(self.session, self.settings, url, form, do, auth=app)

    def _version(self, setting: str, default: str) -> str:
        version = self.settings.get(setting) or default
        if not re.fullmatch(r"v\d{1,2}", version):
            found = f"{self.settings.name(setting)} is {version!r}"
            raise SourceConfigError(self.source, found, f"Set it to a version such as {default}")
        return version

    def _tokens_a_run(self) -> int:
        text = self.settings.get("tokens_a_run")
        if text is None:
            return TOKENS_A_RUN
        if not text.strip().isdigit() or int(text) < FEWEST_TOKENS:
            found = f"{self.settings.name('tokens_a_run')} is {text!r}"
            raise SourceConfigError(self.source, found, f"Set it to a number of tokens, {FEWEST_TOKENS} at least")
        return int(text)

    def _slow_down(self, response: requests.Response) -> float | None:
        if response.status_code == 403 and "html" in response.headers.get("Content-Type", ""):
            raise VendorError(
                self.source,
                "Pipedrive has shut out the company's API tokens for asking too much (HTTP 403 by its firewall)",
                "Find which integration goes on asking after it was refused; the next run goes on from here",
            )
        left = response.headers.get("x-ratelimit-remaining", "")
        if response.status_code != 429:
            self.refusals = 0
            self.purse.rest_seconds = self._reset_seconds(response) if left == "0" else 0.0
            return None
        self.refusals += 1
        if asked := retry_after_seconds(response, self.clock.now()):
            return asked
        if self.refusals > MOST_REFUSALS or (left.isdigit() and int(left) > 0):
            self.refusals = 0
            raise VendorError(
                self.source,
                "the company's tokens of today are used up (HTTP 429)",
                "The first run after Pipedrive's midnight goes on from here; where that happens often, "
                "buy more tokens or see in Pipedrive's API usage dashboard who spends them",
            )
        return self._reset_seconds(response)

    def _reset_seconds(self, response: requests.Response) -> float:
        """Until the next window begins: what the answer says, if it can be that, or a whole window."""
        text = response.headers.get("x-ratelimit-reset", "")
        said = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else WINDOW_SECONDS
        return said if 0 < said <= WINDOW_SECONDS else WINDOW_SECONDS


def _carried(token: str) -> dict[str, str]:
    return {"x-api-token": token}
