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
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.sandbox.googleapis import (
    Json,
    Refusal,
    form_of,
    guarded,
    is_by_refresh_token,
    not_signed_in,
    signed_in,
)
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


@dataclass(frozen=True)
class Analytics:
    """The reports of a channel's owner. channel: its id."""

    desk: Desk
    channel: str

    def routes(self) -> list[Route]:
        return [Route("/token", self.token, methods=["POST"]), Route("/v2/reports", guarded(self._admit, self.reports))]

    async def token(self, request: Request) -> JSONResponse:
        """A new access token for an hour."""
        if not is_by_refresh_token(await form_of(request), CREDENTIALS):
            return not_signed_in()
        return signed_in(ISSUED, "https://www.googleapis.com/auth/yt-analytics.readonly")

    def _admit(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {ISSUED}":
            raise Refusal(401, "Request had invalid authentication credentials.", status="UNAUTHENTICATED")
        if request.query_params.get("ids") != f"channel=={self.channel}":
            raise Refusal(403, "Forbidden", status="PERMISSION_DENIED")

    def reports(self, request: Request) -> Json:
        """The figures of the days that are asked for and that are ready."""
        asked = request.query_params
        metrics = asked.get("metrics", "").split(",")
        if asked.get("dimensions") != "day" or not {*metrics} <= {*METRICS}:
            raise Refusal(400, "The query is not supported.", status="INVALID_ARGUMENT")
        try:
            first, last = (date.fromisoformat(asked[name]) for name in ("startDate", "endDate"))
        except (KeyError, ValueError) as error:
            raise Refusal(400, "Invalid value for startDate or endDate.", status="INVALID_ARGUMENT") from error
        headers = [{"name": "day", "columnType": "DIMENSION", "dataType": "STRING"}]
        headers += [{"name": name, "columnType": "METRIC", "dataType": "INTEGER"} for name in metrics]
        rows = [[str(day), *(self._figures(day)[name] for name in metrics)] for day in self._ready(first, last)]
        return {"kind": "youtubeAnalytics#resultTable", "columnHeaders": headers, "rows": rows}

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
