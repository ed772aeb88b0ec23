"""Who is let in: Salesforce's tokens, the org's requests of a day, and its way of refusing.

Belongs here: what happens before a request is answered, and the shape of errors. Does not: any answer.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
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

USERNAME = "hito@ventas.example"
"""As whom whoever signs in by a signature works."""
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

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

    def __init__(self, clock: SharedClock, most_a_day: int, public_key: RSAPublicKey | None = None) -> None:
        self.clock, self.most_a_day, self.public_key = clock, most_a_day, public_key
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
        """A new access token, by a signature, by a refresh token or by the app's own credentials."""
        given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if given.get("grant_type") == JWT_BEARER:
            return (
                self._issued()
                if self._is_signed(given["assertion"])
                else _oauth_refusal("invalid_grant", "invalid assertion")
            )
        if given.get("client_id") != CREDENTIALS["client_id"]:
            return _oauth_refusal("invalid_client_id", "client identifier invalid")
        if given.get("client_secret") != CREDENTIALS["client_secret"]:
            return _oauth_refusal("invalid_client", "invalid client credentials")
        grant = given.get("grant_type")
        if grant == "refresh_token" and given.get("refresh_token") != REFRESH_CREDENTIALS["refresh_token"]:
            return _oauth_refusal("invalid_grant", "expired access/refresh token")
        if grant not in ("refresh_token", "client_credentials"):
            return _oauth_refusal("unsupported_grant_type", "grant type not supported")
        return self._issued()

    def _is_signed(self, assertion: str) -> bool:
        """Whether the app says so, for its user, to this org, and not too long ago."""
        signed, _, signature = assertion.rpartition(".")
        header, _, body = signed.partition(".")
        claims = orjson.loads(_decoded(body))
        if self.public_key is None or orjson.loads(_decoded(header)) != {"alg": "RS256"}:
            return False
        try:
            self.public_key.verify(_decoded(signature), signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        lasts = claims.pop("exp") - self.clock.now().timestamp()
        who = {"iss": CREDENTIALS["client_id"], "sub": USERNAME, "aud": "https://login.salesforce.com"}
        return bool(claims == who and 0 < lasts <= 180)

    def _issued(self) -> Response:
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


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _refusal(status: int, code: str, message: str) -> Response:
    return json_response([{"message": message, "errorCode": code}], status)


def _oauth_refusal(error: str, description: str) -> Response:
    return json_response({"error": error, "error_description": description}, 400)
