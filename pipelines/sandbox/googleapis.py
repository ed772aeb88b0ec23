"""What the stand-ins of Google's APIs share: signing in, and how a request is refused.

Belongs here: what Google does whichever of its APIs is asked. Does not: spreadsheets (`google_sheets`), channels
(`youtube`, `youtube_analytics`), who may ask them and how often.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Json = dict[str, Any]

WRONG_KEY = "API key not valid. Please pass a valid API key."


class Refusal(Exception):
    """An error of the vendor's."""

    def __init__(self, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code, self.error = code, {"code": code, "message": message, **more}


def guarded(admit: Callable[[Request], None], handler: Callable[[Request], Json]) -> Callable[[Request], Response]:
    """What answers a request that is admitted, and says why it was not. admit, handler: either may raise `Refusal`."""

    def answer(request: Request) -> Response:
        try:
            admit(request)
            return JSONResponse(handler(request))
        except Refusal as refusal:
            return JSONResponse({"error": refusal.error}, refusal.code)

    return answer


async def form_of(request: Request) -> dict[str, str]:
    """What a sign-in sends."""
    return dict(parse_qsl((await request.body()).decode()))


def is_by_refresh_token(form: Mapping[str, str], credentials: Mapping[str, str]) -> bool:
    """Whether somebody signs in by the refresh token that they were given."""
    return form == {"grant_type": "refresh_token", **credentials}


def signed_in(token: str, scope: str) -> JSONResponse:
    """A new access token for an hour."""
    return JSONResponse({"access_token": token, "expires_in": 3599, "scope": scope, "token_type": "Bearer"})


def not_signed_in(says: str = "Token has been expired or revoked.") -> JSONResponse:
    """No access token."""
    return JSONResponse({"error": "invalid_grant", "error_description": says}, 400)


def wrong_key(**more: Any) -> Refusal:
    """An API key that the vendor does not know."""
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    return Refusal(400, WRONG_KEY, status="INVALID_ARGUMENT", details=[reason], **more)
