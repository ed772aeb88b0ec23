"""Who is let in: HubSpot's tokens, its limits, and its way of refusing.

Belongs here: what happens before a request is answered, and the shape of errors. Does not: any answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pipelines.sandbox.hubspot.searching import Refused
from pipelines.sandbox.stand_in import Limit, SharedClock

CREDENTIALS: dict[str, str] = {"access_token": "pat-eu1-sandbox-not-a-secret"}
"""A private app's configuration."""
OAUTH_CREDENTIALS: dict[str, str] = {
    "client_id": "sandbox-client",
    "client_secret": "sandbox-client-secret",
    "refresh_token": "sandbox-refresh-token",
}
"""An OAuth app's configuration, instead of the private app's."""

TOKEN_LIFE = timedelta(minutes=30)
BURST, BURST_SECONDS, SEARCHES_A_SECOND = 190, 10, 5

Answer = Callable[[Request], Awaitable[Response]]


class Failed(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, category: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, {"category": category, "message": message, **more}


def json_response(body: Any, status: int = 200) -> Response:
    """An answer with a body."""
    return Response(orjson.dumps(body), status, media_type="application/json")


class Door:
    """Tokens and limits of one account. Limits are counted on the clock, so whoever waits on it gets in."""

    def __init__(self, clock: SharedClock, most_a_day: int) -> None:
        self.clock = clock
        self.day, self.burst = Limit(most_a_day, 86_400), Limit(BURST, BURST_SECONDS)
        self.searches = Limit(SEARCHES_A_SECOND, 1)
        self.tokens: dict[str, datetime] = {}
        self.requests = 0

    def guarded(self, answer: Answer) -> Answer:
        """The answer, for those who are signed in and within the limits."""

        async def guard(request: Request) -> Response:
            self.requests += 1
            try:
                self._admit(request)
                self._count(is_search=request.url.path.endswith("/search"))
                return await answer(request)
            except Failed as failure:
                return self._refusal(failure)
            except (Refused, KeyError, TypeError, ValueError) as failure:
                return self._refusal(Failed(400, "VALIDATION_ERROR", f"Invalid input: {failure}"))

        return guard

    async def token(self, request: Request) -> Response:
        """A new access token for a refresh token."""
        self.requests += 1
        given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if any(given.get(name) != value for name, value in OAUTH_CREDENTIALS.items()):
            return self._refusal(Failed(400, "BAD_REFRESH_TOKEN", "missing or invalid refresh token"))
        token = f"sandbox-access-token-{len(self.tokens) + 1}"
        self.tokens[token] = self.clock.now() + TOKEN_LIFE
        body = {"token_type": "bearer", "access_token": token, "refresh_token": given["refresh_token"]}
        return json_response({**body, "expires_in": int(TOKEN_LIFE.total_seconds())})

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in (CREDENTIALS["access_token"], *self.tokens):
            raise Failed(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        if token in self.tokens and self.tokens[token] <= self.clock.now():
            raise Failed(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call has expired.")

    def _count(self, *, is_search: bool) -> None:
        """Searches have a limit of their own and are not counted against the burst."""
        now = self.clock.now()
        if self.day.wait_seconds(now) is not None:
            raise _limited("DAILY", "You have reached your daily limit.")
        if is_search and self.searches.wait_seconds(now) is not None:
            raise _limited("SECONDLY", "You have reached your secondly limit.")
        if not is_search and self.burst.wait_seconds(now) is not None:
            raise _limited("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")

    def _refusal(self, failure: Failed) -> Response:
        correlation = uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox/{self.requests}")
        return json_response({"status": "error", "correlationId": str(correlation), **failure.body}, failure.status)


def _limited(policy: str, message: str) -> Failed:
    """Without Retry-After, as HubSpot does it."""
    return Failed(429, "RATE_LIMITS", message, errorType="RATE_LIMIT", policyName=policy)
