"""Who is let in: Salesforce's tokens, the org's requests of a day, and its way of refusing.

Belongs here: what happens before a request is answered, and the shape of errors. Does not: any answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pipelines.sandbox.salesforce.soql import Refused
from pipelines.sandbox.stand_in import SharedClock

CREDENTIALS: dict[str, str] = {
    "client_id": "3MVG9.sandbox",
    "client_secret": "sandbox-consumer-secret-not-a-secret",
}
"""A connected app's configuration, that signs in by itself."""
REFRESH_CREDENTIALS: dict[str, str] = {**CREDENTIALS, "refresh_token": "5Aep861.sandbox-refresh-token"}
"""The same one's, with somebody's refresh token."""

TOKEN_LIFE, DAY = timedelta(hours=2), timedelta(hours=24)


class Failed(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def json_response(body: Any, status: int = 200) -> Response:
    """An answer with a body."""
    return Response(orjson.dumps(body), status, media_type="application/json")


class Door:
    """Tokens and requests of one org, counted over 24 hours of the clock."""

    def __init__(self, clock: SharedClock, most_a_day: int) -> None:
        self.clock, self.most_a_day = clock, most_a_day
        self.tokens: dict[str, datetime] = {}
        self.used: deque[datetime] = deque()

    def guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        """The answer, for those who are signed in and as long as there are requests left."""

        async def guard(request: Request) -> Response:
            try:
                self._admit(request)
                self._count()
                response = answer(request)
            except Failed as failure:
                response = _refusal(failure.status, failure.code, str(failure))
            except Refused as failure:
                response = _refusal(400, failure.code, str(failure))
            except KeyError as failure:
                response = _refusal(400, "MALFORMED_QUERY", f"missing {failure}")
            response.headers["Sforce-Limit-Info"] = f"api-usage={len(self.used)}/{self.most_a_day}"
            return response

        return guard

    async def token(self, request: Request) -> Response:
        """A new access token, by a refresh token or by the app's own credentials."""
        given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if given.get("client_id") != CREDENTIALS["client_id"]:
            return _oauth_refusal("invalid_client_id", "client identifier invalid")
        if given.get("client_secret") != CREDENTIALS["client_secret"]:
            return _oauth_refusal("invalid_client", "invalid client credentials")
        grant = given.get("grant_type")
        if grant == "refresh_token" and given.get("refresh_token") != REFRESH_CREDENTIALS["refresh_token"]:
            return _oauth_refusal("invalid_grant", "expired access/refresh token")
        if grant not in ("refresh_token", "client_credentials"):
            return _oauth_refusal("unsupported_grant_type", "grant type not supported")
        token = f"00D000000000001!sandbox.{len(self.tokens) + 1}"
        self.tokens[token] = self.clock.now() + TOKEN_LIFE
        instance = "https://sandbox.my.salesforce.com"
        return json_response({"access_token": token, "instance_url": instance, "token_type": "Bearer"})

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self.tokens.get(token, self.clock.now()) <= self.clock.now():
            raise Failed(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def _count(self) -> None:
        now = self.clock.now()
        while self.used and now - self.used[0] >= DAY:
            self.used.popleft()
        if len(self.used) >= self.most_a_day:
            raise Failed(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.used.append(now)


def _refusal(status: int, code: str, message: str) -> Response:
    return json_response([{"message": message, "errorCode": code}], status)


def _oauth_refusal(error: str, description: str) -> Response:
    return json_response({"error": error, "error_description": description}, 400)
