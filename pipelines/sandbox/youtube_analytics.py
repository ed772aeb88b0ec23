"""A stand-in for YouTube Analytics and for signing in to it: the channel's days, as its owner is told of them.

Belongs here: requests, answers and what is in them. Does not: what anybody can see of the channel (`sandbox.youtube`,
which serves this too).

Like the vendor: a day is California's, and is told two days after it is over; what is asked for beyond that is left
out; figures are numbers, in rows under headers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.sandbox.stand_in import Desk

CREDENTIALS: dict[str, str] = {
    "client_id": "sandbox-youtube-client",
    "client_secret": "sandbox-youtube-client-secret",
    "refresh_token": "sandbox-youtube-refresh-token",
}
ISSUED = "sandbox-youtube-access-token"
LATE = timedelta(days=2)
METRICS = ("views", "subscribersGained", "subscribersLost")

_ZONE = ZoneInfo("America/Los_Angeles")
_DAY = timedelta(days=1)

Json = dict[str, Any]


@dataclass(frozen=True)
class Analytics:
    """The reports of a channel's owner. channel: its id."""

    desk: Desk
    channel: str

    def routes(self) -> list[Route]:
        return [Route("/token", self.token, methods=["POST"]), Route("/v2/reports", self.reports)]

    async def token(self, request: Request) -> JSONResponse:
        """A new access token for an hour."""
        form = dict(parse_qsl((await request.body()).decode()))
        if form != {"grant_type": "refresh_token", **CREDENTIALS}:
            says = "Token has been expired or revoked."
            return JSONResponse({"error": "invalid_grant", "error_description": says}, 400)
        scope = "https://www.googleapis.com/auth/yt-analytics.readonly"
        return JSONResponse({"access_token": ISSUED, "expires_in": 3599, "scope": scope, "token_type": "Bearer"})

    def reports(self, request: Request) -> JSONResponse:
        """The figures of the days that are asked for and that are ready."""
        asked = request.query_params
        if request.headers.get("authorization") != f"Bearer {ISSUED}":
            return _refusal(401, "Request had invalid authentication credentials.", "UNAUTHENTICATED")
        if asked.get("ids") != f"channel=={self.channel}":
            return _refusal(403, "Forbidden", "PERMISSION_DENIED")
        metrics = asked.get("metrics", "").split(",")
        if asked.get("dimensions") != "day" or not {*metrics} <= {*METRICS}:
            return _refusal(400, "The query is not supported.", "INVALID_ARGUMENT")
        try:
            first, last = (date.fromisoformat(asked[name]) for name in ("startDate", "endDate"))
        except (KeyError, ValueError):
            return _refusal(400, "Invalid value for startDate or endDate.", "INVALID_ARGUMENT")
        headers = [{"name": "day", "columnType": "DIMENSION", "dataType": "STRING"}]
        headers += [{"name": name, "columnType": "METRIC", "dataType": "INTEGER"} for name in metrics]
        rows = [[str(day), *(self._figures(day)[name] for name in metrics)] for day in self._ready(first, last)]
        return JSONResponse({"kind": "youtubeAnalytics#resultTable", "columnHeaders": headers, "rows": rows})

    def _ready(self, first: date, last: date) -> Iterator[date]:
        day, ready = max(first, self.desk.company.founded), (self.desk.present - LATE).astimezone(_ZONE).date()
        while day <= last and day < ready:
            yield day
            day += _DAY

    def _figures(self, day: date) -> dict[str, int]:
        company = self.desk.company
        start, end = (datetime.combine(one, time.min, _ZONE) for one in (day, day + _DAY))
        profile = company.profiles.get("youtube")
        return {
            "views": company.views.get(day, 0) - company.views.get(day - _DAY, 0) if day in company.views else 0,
            "subscribersGained": 0 if profile is None else profile.gained(start, end),
            "subscribersLost": 0 if profile is None else profile.lost(start, end),
        }


def _refusal(status: int, message: str, word: str) -> JSONResponse:
    return JSONResponse({"error": {"code": status, "message": message, "status": word}}, status)
