"""What the stand-ins of Facebook and Instagram share: Meta's door, its limits, its errors and its days.

Belongs here: what Meta's Graph API does whatever is asked. Does not: pages (`facebook`), accounts (`instagram`).

Like the vendor: nearly every error is HTTP 400 with a code; a limit counts 24 hours back, every answer says in a header
how much of it is used up, and an answer that refuses says in how many minutes there is room again; days are
California's, and told half a day after they ended; what is deleted was never there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from threading import Lock
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.company import Post
from pipelines.sandbox.stand_in import Desk

Json = dict[str, Any]

ZONE = ZoneInfo("America/Los_Angeles")
DAY = timedelta(days=1)
TOLD_AFTER = timedelta(hours=12)
NEWEST_VERSION, OLDEST_VERSION = (25, 0), (19, 0)


class Refusal(Exception):
    """An error of the vendor's."""

    def __init__(self, code: int, message: str, subcode: int | None = None, status: int = 400, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        told = {} if subcode is None else {"error_subcode": subcode}
        self.error: Json = {
            "message": message, "type": "OAuthException", "code": code, **told, **more, "fbtrace_id": "AsandboxTrace0",
        }  # fmt: skip


def invalid(message: str, subcode: int | None = None) -> Refusal:
    """An invalid parameter."""
    return Refusal(100, f"(#100) {message}", subcode)


def not_there(id_: str) -> Refusal:
    """There is nothing of that id, or it may not be seen: the vendor does not say which."""
    return Refusal(
        100,
        f"Unsupported get request. Object with ID '{id_}' does not exist, cannot be loaded due to missing permissions,"
        " or does not support this operation. Please read the Graph API documentation at"
        " https://developers.facebook.com/docs/graph-api",
        33,
        type="GraphMethodException",
    )


def deleted() -> Refusal:
    """A page's post that there is no more, or that may not be seen: as if a permission were missing."""
    return Refusal(
        10,
        "(#10) Object does not exist, cannot be loaded due to missing permission or reviewable feature, or does not"
        " support this operation. This endpoint requires the 'pages_read_engagement' permission or the 'Page Public"
        " Content Access' feature.",
    )


@dataclass
class Door:
    """Who may come in, and how often. kind: the business use case, as its header calls it; code: its limit's."""

    desk: Desk
    credentials: Mapping[str, str]
    owner: str
    kind: str
    code: int
    calls_a_day: int
    _taken: deque[datetime] = field(default_factory=deque)
    _turn: Lock = field(default_factory=Lock)

    def app(self, handlers: Mapping[str, Callable[[Request], Json]]) -> Starlette:
        """The routes. handlers: by what follows the id in a path (nothing: the record itself)."""
        routes = [
            Route("/{version}/{id}" + (f"/{edge}" if edge else ""), self._guarded(handler))
            for edge, handler in handlers.items()
        ]
        return Starlette(routes=routes)

    def _guarded(self, handler: Callable[[Request], Json]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                self._admit(request)
                wait = self._take()
                headers = {"X-Business-Use-Case-Usage": self._usage(wait)}
                if wait:
                    raise Refusal(self.code, f"(#{self.code}) There have been too many calls to this account.")
                return JSONResponse(handler(request), headers=headers)
            except Refusal as refusal:
                return JSONResponse({"error": refusal.error}, refusal.status, headers)

        return answer

    def _admit(self, request: Request) -> None:
        version = request.path_params["version"].removeprefix("v").split(".")
        if not OLDEST_VERSION <= tuple(int(part) for part in version if part.isdigit()) <= NEWEST_VERSION:
            raise Refusal(2500, f"Unknown path components: {request.url.path}")
        scheme, _, header = request.headers.get("authorization", "").partition(" ")
        token = header if scheme in ("Bearer", "OAuth") else request.query_params.get("access_token")
        if not token:
            raise Refusal(2500, "An active access token must be used to query information about the current user.")
        if token != self.credentials["access_token"]:
            raise Refusal(190, "Invalid OAuth access token - Cannot parse access token")
        proof = request.query_params.get("appsecret_proof")
        secret = self.credentials["app_secret"].encode()
        if proof and proof != hmac.new(secret, token.encode(), hashlib.sha256).hexdigest():
            raise invalid("Invalid appsecret_proof provided in the API argument")

    def _take(self) -> float | None:
        """Take a call; or the seconds until there is room again."""
        now = self.desk.clock.now()
        with self._turn:
            while self._taken and now - self._taken[0] >= DAY:
                self._taken.popleft()
            if len(self._taken) >= self.calls_a_day:
                return (self._taken[0] + DAY - now).total_seconds()
            self._taken.append(now)
            return None

    def _usage(self, wait: float | None) -> str:
        use = {
            "type": self.kind,
            "call_count": len(self._taken) * 100 // self.calls_a_day,
            "total_cputime": 1,
            "total_time": 1,
            "estimated_time_to_regain_access": ceil((wait or 0) / 60),
        }
        return orjson.dumps({self.owner: [use]}).decode()


def fields_of(request: Request, node: str, known: Mapping[str, Any]) -> Json:
    """What was asked of a record, each field with or without modifiers (`reactions.limit(0)`)."""
    asked = [name.partition(".")[0] for name in request.query_params.get("fields", "id").split(",") if name]
    if unknown := [name for name in asked if name not in known]:
        raise invalid(f"Tried accessing nonexisting field ({unknown[0]}) on node type ({node})")
    return {name: known[name] for name in dict.fromkeys(("id", *asked))}


def days_between(request: Request, present: datetime, most: int) -> list[date]:
    """California's days that lie in what was asked for and are told by now."""
    since, until = _span(request, most)
    first = datetime.fromtimestamp(since, UTC).astimezone(ZONE)
    return _told(first.date() if first.time() == time.min else first.date() + DAY, until, present)


def days_ending(request: Request, present: datetime, most: int) -> list[date]:
    """California's days that end in what was asked for, both ends included, and are told by now: those of a total."""
    since, until = _span(request, most)
    first = datetime.fromtimestamp(since, UTC).astimezone(ZONE)
    return _told(first.date() - DAY if first.time() == time.min else first.date(), until, present)


def _span(request: Request, most: int) -> tuple[int, int]:
    since, until = (int(request.query_params.get(name, 0)) for name in ("since", "until"))
    if until - since > most * 86_400:
        raise invalid(f"There cannot be more than {most} days ({most * 86_400} s) between since and until")
    return since, until


def _told(day: date, until: int, present: datetime) -> list[date]:
    days = []
    while midnight(day + DAY).timestamp() <= until and midnight(day + DAY) + TOLD_AFTER <= present:
        days.append(day)
        day += DAY
    return days


def midnight(day: date) -> datetime:
    """When one of California's days began."""
    return datetime.combine(day, time.min, ZONE).astimezone(UTC)


def iso(at: datetime) -> str:
    """An instant as the vendor writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def series(profile: str, metric: str, values: Sequence[tuple[date, int]]) -> Json:
    """A metric's figures of days, as the vendor tells them."""
    told = {
        "name": metric,
        "period": "day",
        "values": [{"value": value, "end_time": iso(midnight(day + DAY))} for day, value in values],
        "title": metric.replace("_", " ").title(),
        "description": "",
        "id": f"{profile}/insights/{metric}/day",
    }
    return {"data": [told] if values else [], "paging": {}}


def visible(desk: Desk, network: str) -> list[Post]:
    """A network's posts that can be seen, newest first."""
    now = desk.present
    posts = [p for p in desk.company.posts if p.network == network and p.published_at <= now]
    kept = [p for p in posts if p.removed_at is None or p.removed_at > now]
    return sorted(kept, key=lambda post: (post.published_at, post.id), reverse=True)


def page(request: Request, posts: Sequence[Post], most: int, rendered: Callable[[Post], Json]) -> Json:
    """A page of a list: after a post, if one is named, and within what was asked for."""
    asked = request.query_params
    first = bisect_left(posts, (-int(asked.get("until", 2**40)) + 1, -(2**62)), key=_newest_first)
    last = bisect_left(posts, (-int(asked.get("since", 0)) + 1, -(2**62)), key=_newest_first)
    if after := asked.get("after"):
        at, id_ = _place(after)
        first = max(first, bisect_right(posts, (-at, -id_), key=_newest_first))
    size = min(int(asked.get("limit", 25)), most)
    shown = posts[first : min(first + size, last)]
    if not shown:
        return {"data": []}
    cursors = {"before": _cursor(shown[0]), "after": _cursor(shown[-1])}
    query = urlencode({**asked, "after": cursors["after"], "access_token": "…"})
    more = {"next": f"{request.url.replace(query=query)}"} if first + size < last else {}
    return {"data": [rendered(post) for post in shown], "paging": {"cursors": cursors, **more}}


def _newest_first(post: Post) -> tuple[int, int]:
    return -int(post.published_at.timestamp()), -post.id


def _cursor(post: Post) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([int(post.published_at.timestamp()), post.id])).decode()


def _place(cursor: str) -> list[int]:
    try:
        place: list[int] = orjson.loads(base64.urlsafe_b64decode(cursor))
    except ValueError:
        raise invalid("Invalid cursors values") from None
    return place


def views_on(posts: Sequence[Post], day: date) -> int:
    """How often posts were seen on a day."""
    start, end = midnight(day), midnight(day + DAY)
    young = [post for post in posts if end - 60 * DAY < post.published_at < end]
    return sum(post.so_far(post.views, end) - post.so_far(post.views, start) for post in young)
