"""Who is let in: Pipedrive's API tokens, its limits for two seconds and for a day, and its way of refusing.

Belongs here: what happens before a request is answered, and the shape of errors. Does not: any answer.

The day's budget is counted in tokens, by what each request costs; nothing in an answer says how many are left. The
limit for two seconds is counted in requests, and every answer says how many are left of those.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pipelines.sandbox.stand_in import Limit, SharedClock

CREDENTIALS: dict[str, str] = {"api_token": "sandbox0token0that0is0not0a0secret000001", "tokens_a_run": "600000"}
"""What a user configures: their API token, and how much of the company's budget a run may spend."""

OAUTH_CREDENTIALS: dict[str, str] = {
    "client_id": "sandbox-client",
    "client_secret": "sandbox-client-secret",
    "refresh_token": "sandbox-refresh-token",
}
"""An OAuth app's configuration, instead of a user's API token."""
TOKEN_LIFE = timedelta(hours=1)

TOKENS_A_DAY = 30_000 * 2 * 21
"""Of a company with 21 seats on the second plan."""
BURST, BURST_SECONDS = 40, 2.0

Answer = Callable[[Request], Awaitable[Response]]


class Failed(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, error: str, code: str) -> None:
        super().__init__(error)
        self.status, self.body = status, {"success": False, "error": error, "code": code}


def json_response(body: Any, status: int = 200) -> Response:
    """An answer with a body."""
    return Response(orjson.dumps(body), status, media_type="application/json")


class Door:
    """One company's API tokens and limits. Limits are counted on the clock, so whoever waits on it gets in."""

    def __init__(self, clock: SharedClock, tokens_a_day: int) -> None:
        self.clock, self.tokens_a_day = clock, tokens_a_day
        self.spent: Counter[date] = Counter()
        self.burst = Limit(BURST, BURST_SECONDS)
        self.windows: list[datetime] = []
        self.access_tokens: dict[str, datetime] = {}

    def guarded(self, answer: Answer, cost: int) -> Answer:
        """The answer, for those who are signed in and within the limits."""

        async def guard(request: Request) -> Response:
            headers: Mapping[str, str] = {}
            try:
                self._admit(request)
                headers = self._count(cost)
                response = await answer(request)
            except Failed as failure:
                response = json_response(failure.body, failure.status)
            except (KeyError, TypeError, ValueError) as failure:
                response = json_response(Failed(400, f"Bad request: {failure}", "ERR_BAD_REQUEST").body, 400)
            response.headers.update(headers or self._left())
            return response

        return guard

    async def token(self, request: Request) -> Response:
        """A new access token for a refresh token."""
        given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        app = f"{OAUTH_CREDENTIALS['client_id']}:{OAUTH_CREDENTIALS['client_secret']}"
        if request.headers.get("Authorization") != f"Basic {base64.b64encode(app.encode()).decode()}":
            return json_response({"success": False, "message": "Invalid client: client is invalid"}, 401)
        if given.get("refresh_token") != OAUTH_CREDENTIALS["refresh_token"]:
            return json_response({"success": False, "message": "Invalid grant: refresh token is invalid"}, 400)
        token = f"sandbox-access-token-{len(self.access_tokens) + 1}"
        self.access_tokens[token] = self.clock.now() + TOKEN_LIFE
        life = int(TOKEN_LIFE.total_seconds()) - 1
        return json_response({"access_token": token, "token_type": "Bearer", "expires_in": life, **given})

    def _admit(self, request: Request) -> None:
        _, _, token = request.headers.get("Authorization", "").partition(" ")
        is_fresh = token in self.access_tokens and self.clock.now() < self.access_tokens[token]
        if request.headers.get("x-api-token") != CREDENTIALS["api_token"] and not is_fresh:
            raise Failed(401, "unauthorized access", "ERR_UNAUTHORIZED")

    def _count(self, cost: int) -> Mapping[str, str]:
        now = self.clock.now()
        today = now.astimezone(UTC).date()
        if self.spent[today] + cost > self.tokens_a_day:
            raise Failed(429, "API daily token budget is exhausted", "ERR_TOO_MANY_REQUESTS")
        if self.burst.wait_seconds(now) is not None:
            raise Failed(429, "request over limit", "ERR_TOO_MANY_REQUESTS")
        self.spent[today] += cost
        self.windows = [at for at in self.windows if (now - at).total_seconds() < BURST_SECONDS] + [now]
        return self._left()

    def _left(self) -> Mapping[str, str]:
        now = self.clock.now()
        taken = [at for at in self.windows if (now - at).total_seconds() < BURST_SECONDS]
        return {
            "x-ratelimit-limit": str(BURST),
            "x-ratelimit-remaining": str(BURST - len(taken)),
            "x-ratelimit-reset": str(int(BURST_SECONDS)),
        }
