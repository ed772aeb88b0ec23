"""A stand-in for LinkedIn's Community Management API: the company's page, with the vendor's dialect, quota and errors.

Belongs here: requests, answers and what is in them. Does not: what they mean (`pipelines.linkedin`).

Like the vendor: a version of another year is refused (426); an id in a path or a query is an encoded URN; days are
UTC's, asked for in milliseconds, and known of the last 12 months up to two days ago; a day's gain is what came less
what went; posts are listed by place, the last changed first, and those that were deleted are gone; a quota of a day
comes back at midnight UTC. Half of a post's views are its impressions of the day on which it was published, and the
rest of the next one. Drafts, and advertisements that are in nobody's feed, are in the list too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.sandbox.company import Post
from pipelines.sandbox.stand_in import Desk

CREDENTIALS: dict[str, str] = {
    "client_id": "sandbox-linkedin-client",
    "client_secret": "sandbox-linkedin-client-secret",
    "refresh_token": "sandbox-linkedin-refresh-token",
}
ORGANIZATION = "40123456"
URN = f"urn:li:organization:{ORGANIZATION}"

REQUESTS_A_DAY = 5_000
OLDEST_VERSION = "202507"
"""Older ones have ended, on whichever day the sandbox is."""
TOKENS_LIVE = timedelta(days=60)
OLDEST, NEWEST = timedelta(days=365), timedelta(days=2)
_DAY = timedelta(days=1)
_SPAN = re.compile(r"\(timeRange:\(start:(\d+),end:(\d+)\),timeGranularityType:DAY\)")
_CONTENT: dict[str, dict[str, Any]] = {
    "article": {"article": {"source": "https://agencia.example/blog", "title": "Con Marta Ruiz"}},
    "image": {"media": {"id": "urn:li:image:C4E10AQFoyyAjHPMQuQ"}},
}

Json = dict[str, Any]


def app(desk: Desk, requests_a_day: int = REQUESTS_A_DAY, *, tokens_live: timedelta = TOKENS_LIVE) -> Starlette:
    """The stand-in. requests_a_day: the quota of the app and its member."""
    return _LinkedIn(desk, requests_a_day, tokens_live).starlette()


@dataclass
class _LinkedIn:
    desk: Desk
    requests_a_day: int
    tokens_live: timedelta
    used: int = 0
    quota_day: date | None = None

    def __post_init__(self) -> None:
        now = self.desk.present
        made = [post for post in self.desk.company.posts if post.network == "linkedin" and _created(post) <= now]
        here = [post for post in made if post.removed_at is None or post.removed_at > now]
        told = [one for post in here for one in (self._post(post), *self._others(post))]
        self.posts = sorted(told, key=lambda one: (one["lastModifiedAt"], one["id"]), reverse=True)
        self.made = made
        self.profile = self.desk.company.profiles.get("linkedin")

    def starlette(self) -> Starlette:
        routes = [
            Route("/oauth/v2/accessToken", self.token, methods=["POST"]),
            Route("/rest/networkSizes/{urn}", self._guarded(self.network_size)),
            Route("/rest/organizationalEntityFollowerStatistics", self._guarded(self.follower_statistics)),
            Route("/rest/organizationalEntityShareStatistics", self._guarded(self.share_statistics)),
            Route("/rest/posts", self._guarded(self.list_posts)),
            Route("/rest/posts/{urn}", self._guarded(self.post)),
        ]
        return Starlette(routes=routes)

    async def token(self, request: Request) -> JSONResponse:
        """A new access token: the vendor's programmatic refresh."""
        form = dict(parse_qsl((await request.body()).decode()))
        if form != {"grant_type": "refresh_token", **CREDENTIALS}:
            says = "The provided authorization grant or refresh token is invalid, expired or revoked"
            return JSONResponse({"error": "invalid_grant", "error_description": says}, 400)
        return JSONResponse(
            {
                "access_token": f"sandbox-linkedin-{int(self.desk.clock.now().timestamp())}",
                "expires_in": int(self.tokens_live.total_seconds()),
                "refresh_token": CREDENTIALS["refresh_token"],
                "refresh_token_expires_in": 31_536_000,
                "scope": "r_organization_social,rw_organization_admin",
            }
        )

    def _guarded(self, handler: Callable[[Request], Json]) -> Callable[[Request], JSONResponse]:
        def answer(request: Request) -> JSONResponse:
            try:
                self._admit(request)
                return JSONResponse(handler(request))
            except _Refusal as refusal:
                return JSONResponse(refusal.content, refusal.content["status"])

        return answer

    def _admit(self, request: Request) -> None:
        made = re.fullmatch(r"Bearer sandbox-linkedin-(\d+)", request.headers.get("authorization", ""))
        if made is None:
            raise _Refusal(401, "Invalid access token", "INVALID_ACCESS_TOKEN", serviceErrorCode=65600)
        if self.desk.clock.now().timestamp() - int(made[1]) >= self.tokens_live.total_seconds():
            raise _Refusal(
                401, "The token used in the request has expired", "EXPIRED_ACCESS_TOKEN", serviceErrorCode=65602
            )
        version = request.headers.get("linkedin-version", "")
        if not re.fullmatch(r"20\d\d(0[1-9]|1[0-2])", version):
            raise _Refusal(
                400,
                "A version must be present. Please specify a version by adding the LinkedIn-Version header.",
                "VERSION_MISSING",
            )
        if version < OLDEST_VERSION:
            raise _Refusal(426, f"Requested version {version}01 is not active", "NONEXISTENT_VERSION")
        if self.quota_day != (now := self.desk.clock.now()).date():
            self.quota_day, self.used = now.date(), 0
        if self.used >= self.requests_a_day:
            says = "Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached."
            raise _Refusal(429, says, "TOO_MANY_REQUESTS")
        self.used += 1
        if request.headers.get("x-restli-protocol-version") != "2.0.0" and "List(" in request.url.query:
            raise _Refusal(400, "Invalid query parameters passed to request", "ILLEGAL_ARGUMENT")

    def network_size(self, request: Request) -> Json:
        if "urn%3Ali" not in request.scope.get("raw_path", b"").decode():
            raise _Refusal(400, "Syntax exception in path variables", "ILLEGAL_ARGUMENT")
        if request.query_params.get("edgeType") != "COMPANY_FOLLOWED_BY_MEMBER":
            raise _Refusal(400, "Enum value is invalid for parameter edgeType", "INVALID_VALUE_FOR_FIELD")
        self._need_admin(request.path_params["urn"])
        return {"firstDegreeSize": 0 if self.profile is None else self.profile.followers(self.desk.present)}

    def follower_statistics(self, request: Request) -> Json:
        return _elements([self._gains(day) for day in self._days(request)])

    def share_statistics(self, request: Request) -> Json:
        return _elements([self._shares(day) for day in self._days(request)])

    def list_posts(self, request: Request) -> Json:
        asked = request.query_params
        if asked.get("q") != "author" or asked.get("sortBy", "LAST_MODIFIED") not in ("LAST_MODIFIED", "CREATED"):
            raise _Refusal(400, "Invalid query parameters passed to request", "ILLEGAL_ARGUMENT")
        self._need_admin(asked.get("author", ""))
        start, size = int(asked.get("start", 0)), int(asked.get("count", 10))
        if size > 100:
            raise _Refusal(400, "count exceeds the maximum of 100", "INVALID_VALUE_FOR_FIELD")
        more = start + size < len(self.posts)
        href = f"/rest/posts?author={asked['author']}&count={size}&q=author&start={start + size}"
        links = [{"type": "application/json", "rel": "next", "href": href}] if more else []
        return {"paging": {"start": start, "count": size, "links": links}, "elements": self.posts[start : start + size]}

    def post(self, request: Request) -> Json:
        urn = request.path_params["urn"]
        found = [one for one in self.posts if one["id"] == urn]
        if not found:
            raise _Refusal(404, f"Cannot find entity {urn}", "NOT_FOUND")
        return found[0]

    def _need_admin(self, urn: str) -> None:
        if urn != URN:
            says = f"Viewer don't have permission to the ADMIN_ONLY VisibilityReduction for {urn}"
            raise _Refusal(403, says, "ACCESS_DENIED", serviceErrorCode=100)

    def _days(self, request: Request) -> Iterator[date]:
        """The days that are asked for. Raises for a span that the vendor does not know."""
        asked = request.query_params
        if asked.get("q") != "organizationalEntity":
            raise _Refusal(400, "Invalid query parameters passed to request", "ILLEGAL_ARGUMENT")
        self._need_admin(asked.get("organizationalEntity", ""))
        span = _SPAN.fullmatch(asked.get("timeIntervals", ""))
        if span is None:
            raise _Refusal(400, "Invalid timeIntervals parameter", "ILLEGAL_ARGUMENT")
        start, end = (datetime.fromtimestamp(int(one) / 1000, UTC) for one in span.groups())
        if start < self.desk.present - OLDEST or end > self.desk.present - NEWEST or end <= start:
            raise _Refusal(400, "Invalid timeIntervals parameter", "ILLEGAL_ARGUMENT")
        day = start.date()
        while day < end.date():
            yield day
            day += _DAY

    def _gains(self, day: date) -> Json:
        start = _midnight(day)
        profile, founded = self.profile, self.desk.company.founded
        net = 0
        if profile is not None and day >= founded:
            net = profile.gained(start, start + _DAY) - profile.lost(start, start + _DAY)
        return {
            "timeRange": _range(day),
            "followerGains": {"organicFollowerGain": net, "paidFollowerGain": 0},
            "organizationalEntity": URN,
        }

    def _shares(self, day: date) -> Json:
        of_day = [(post, (day - post.published_at.date()).days) for post in self.made]
        shown = [(post.views - post.views // 2, post.views // 2)[age] for post, age in of_day if age in (0, 1)]
        impressions = sum(shown)
        statistics = {
            "uniqueImpressionsCount": impressions * 2 // 3,
            "shareCount": impressions // 90,
            "engagement": 0.04,
            "clickCount": impressions // 30,
            "likeCount": impressions // 25,
            "impressionCount": impressions,
            "commentCount": impressions // 200,
        }
        return {"timeRange": _range(day), "totalShareStatistics": statistics, "organizationalEntity": URN}

    def _post(self, post: Post) -> Json:
        now = self.desk.present
        is_out = post.published_at <= now
        changed = max(at for at in (_created(post), post.published_at, post.edited_at) if at is not None and at <= now)
        published = {"publishedAt": _milliseconds(post.published_at)} if is_out else {}
        return {
            "id": urn_of(post),
            "author": URN,
            "commentary": "Piso en venta. Marta Ruiz, 600 123 456",
            "visibility": "PUBLIC",
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "content": _CONTENT.get(post.kind, {}),
            "lifecycleState": "PUBLISHED" if is_out else "DRAFT",
            "isReshareDisabledByAuthor": False,
            "createdAt": _milliseconds(_created(post)),
            "lastModifiedAt": _milliseconds(changed),
            **published,
        }

    def _others(self, post: Post) -> Iterator[Json]:
        """An advertisement made of a post, which nobody finds on the page."""
        if post.id % 5 == 0 and post.published_at <= self.desk.present:
            yield {**self._post(post), "id": f"urn:li:ugcPost:{post.id}", "distribution": {"feedDistribution": "NONE"}}


class _Refusal(Exception):
    def __init__(self, status: int, message: str, code: str, **more: Any) -> None:
        super().__init__(code)
        self.content: Json = {"status": status, "code": code, "message": message, **more}


def urn_of(post: Post) -> str:
    """What the vendor calls a post."""
    return f"urn:li:share:{post.id}"


def _created(post: Post) -> datetime:
    """A post is a draft for an hour."""
    return post.published_at - timedelta(hours=1)


def _elements(found: list[Json]) -> Json:
    return {"paging": {"start": 0, "count": 10, "links": []}, "elements": found}


def _range(day: date) -> Json:
    return {"start": _milliseconds(_midnight(day)), "end": _milliseconds(_midnight(day + _DAY))}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
