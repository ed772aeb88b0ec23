"""A stand-in for a WordPress site's REST API: the company's blog, with WordPress's paths, paging and errors.

Belongs here: requests, answers and what is in them. Does not: what they mean (`pipelines.wordpress`).

Like WordPress: who is not signed in sees what is published and nothing of the rest; `after` and `modified_after`
compare, exclusively, with times on the site's clock; publishing what was scheduled leaves the time of change as it was;
what is in the trash is in no list. As many companies' sites, this one is closed to who is not signed in; and its host
has a limit of its own, and an own way of saying so.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.company import Article
from pipelines.sandbox.stand_in import Desk, Limit

CREDENTIALS: dict[str, str] = {"username": "lector", "application_password": "abcd EFGH 1234 ijkl MNOP 6789"}

REQUESTS_A_MINUTE = 120
_PAGE = "<!DOCTYPE html><html><body><h1>Too Many Requests</h1></body></html>"

Json = dict[str, Any]


def app(
    desk: Desk,
    *,
    is_closed: bool = True,
    is_plain: bool = False,
    has_zone_name: bool = True,
    before: bytes = b"",
    requests_a_minute: int = REQUESTS_A_MINUTE,
) -> Starlette:
    """The stand-in. is_closed: to who is not signed in; is_plain: its permalinks; before: what its answers begin with.

    has_zone_name: whether its zone was chosen by a place, and not by hours from UTC.
    """
    return _Blog(desk, is_closed, is_plain, has_zone_name, before, Limit(requests_a_minute, 60)).starlette()


@dataclass
class _Blog:
    desk: Desk
    is_closed: bool
    is_plain: bool
    has_zone_name: bool
    before: bytes
    limit: Limit
    posts: list[Article] = field(init=False)

    def __post_init__(self) -> None:
        present = self.desk.present
        self.zone = ZoneInfo(self.desk.company.zone)
        self.posts = [one for one in self.desk.company.articles if is_public(one, present)]
        names = sorted({one.category for one in self.desk.company.articles})
        self.categories = {"Sin categoría": 1, **{name: 2 + number for number, name in enumerate(names)}}

    def starlette(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.answered)])

    def answered(self, request: Request) -> Response:
        if (wait := self.limit.wait_seconds(self.desk.clock.now())) is not None:
            return HTMLResponse(_PAGE, 429, {"Retry-After": str(ceil(wait))})
        path = "/" + request.path_params["path"]
        if "rest_route" in request.query_params and path == "/":
            route = request.query_params["rest_route"]
        elif path.startswith("/wp-json") and not self.is_plain:
            route = path.removeprefix("/wp-json") or "/"
        else:
            return HTMLResponse("<!DOCTYPE html><html><body>Página no encontrada</body></html>", 404)
        try:
            self._admit(request)
            answer = self._handler(route)(request)
        except _Refusal as refusal:
            answer = JSONResponse(refusal.body, refusal.body["data"]["status"])
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return Response(self.before + bytes(answer.body), answer.status_code, headers)

    def _admit(self, request: Request) -> None:
        given = request.headers.get("authorization")
        if given is not None and given != _AUTHORIZATION:
            text = "The provided password is an invalid application password."
            raise _Refusal(401, "incorrect_password", text)
        if given is None and self.is_closed:
            raise _Refusal(401, "rest_not_logged_in", "You are not currently logged in.")

    def _handler(self, route: str) -> Callable[[Request], Response]:
        handlers: dict[str, Callable[[Request], Response]] = {
            "/": self.index,
            "/wp/v2/posts": self.listed,
            "/wp/v2/categories": self.terms,
            "/wp/v2/types": self.types,
        }
        if route not in handlers:
            text = "No route was found matching the URL and request method."
            raise _Refusal(404, "rest_no_route", text)
        return handlers[route]

    def index(self, request: Request) -> Response:
        offset = self.desk.present.astimezone(self.zone).utcoffset()
        return JSONResponse(
            {
                "name": "El blog de la agencia",
                "description": "",
                "url": str(request.base_url).rstrip("/"),
                "home": str(request.base_url).rstrip("/"),
                "gmt_offset": 0 if offset is None else offset.total_seconds() / 3600,
                "timezone_string": self.zone.key if self.has_zone_name else "",
                "namespaces": ["oembed/1.0", "wp/v2"],
                "authentication": {},
                "routes": {},
            }
        )

    def types(self, request: Request) -> Response:
        return JSONResponse({name: {"slug": name, "rest_base": f"{name}s"} for name in ("post", "page")})

    def terms(self, request: Request) -> Response:
        terms = [
            {"id": id_, "count": 1, "description": "", "name": name, "slug": name.lower(), "taxonomy": "category"}
            for name, id_ in self.categories.items()
        ]
        return self._page(request, terms, lambda term: term)

    def listed(self, request: Request) -> Response:
        query = request.query_params
        if "status" in query and query["status"] != "publish":
            raise _invalid("status", "Status is forbidden.")
        found = self.posts
        for name, time_of in (("after", published_at), ("modified_after", modified_at)):
            if name in query:
                since = self._local(name, query[name])
                found = [one for one in found if self._clock(time_of(one, self.desk.present)) > since]
        order = query.get("orderby", "date")
        if order not in ("id", "date", "modified"):
            raise _invalid("orderby", "orderby is not one of author, date, id, include, modified, parent.")
        times = {"id": lambda one: one.id, "date": lambda one: (one.published_at, one.id)}
        by = times.get(order, lambda one: (modified_at(one, self.desk.present), one.id))
        found = sorted(found, key=by, reverse=query.get("order", "desc") == "desc")
        return self._page(request, found, self._post)

    def _page(self, request: Request, found: list[Any], render: Callable[[Any], Json]) -> Response:
        size = _number(request, "per_page", 10, 1)
        if size > 100:
            raise _invalid("per_page", "per_page must be between 1 (inclusive) and 100 (inclusive)")
        number, pages = _number(request, "page", 1, 1), ceil(len(found) / size)
        if number > pages and found:
            text = "The page number requested is larger than the number of pages available."
            raise _Refusal(400, "rest_post_invalid_page_number", text)
        start = _number(request, "offset", (number - 1) * size, 0)
        wanted = request.query_params.get("_fields")
        names = wanted.split(",") if wanted else None
        items = [render(one) for one in found[start : start + size]]
        shown = [{name: one[name] for name in names or one if name in one} for one in items]
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(pages)}
        if start + size < len(found):
            headers["Link"] = f'<{request.url.include_query_params(page=number + 1)}>; rel="next"'
        return JSONResponse(shown, headers=headers)

    def _post(self, article: Article) -> Json:
        published, modified = published_at(article, self.desk.present), modified_at(article, self.desk.present)
        address = f"https://blog.agencia.example/?p={article.id}"
        return {
            "id": article.id,
            "date": self._clock(published).isoformat(),
            "date_gmt": published.replace(tzinfo=None).isoformat(),
            "guid": {"rendered": address},
            "modified": self._clock(modified).isoformat(),
            "modified_gmt": modified.replace(tzinfo=None).isoformat(),
            "slug": article.title.lower().replace(" ", "-"),
            "status": "publish",
            "type": "post",
            "link": address,
            "title": {"rendered": article.title},
            "content": {"rendered": "<p>Por Marta Ruiz, 600 123 456</p>", "protected": False},
            "excerpt": {"rendered": "<p>Marta Ruiz</p>", "protected": False},
            "author": 3,
            "featured_media": 0,
            "comment_status": "open",
            "format": "standard",
            "meta": [],
            "categories": [self.categories[article.category]],
            "tags": [],
        }

    def _clock(self, instant: datetime) -> datetime:
        """What the site's clock showed."""
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def _local(self, name: str, text: str) -> datetime:
        try:
            given = datetime.fromisoformat(text)
        except ValueError:
            raise _invalid(name, "Invalid date.") from None
        return self._clock(given) if given.tzinfo else given


def is_public(article: Article, present: datetime) -> bool:
    """Whether everybody can read an article."""
    is_gone = article.removed_at is not None and article.removed_at <= present
    return article.published_at is not None and article.published_at <= present and not is_gone


def published_at(article: Article, present: datetime) -> datetime:
    """When everybody could read it first."""
    assert article.published_at is not None
    return article.published_at


def modified_at(article: Article, present: datetime) -> datetime:
    """When somebody changed it last; that the site published it by itself is no change."""
    return max((at for at in article.edited_at if at <= present), default=article.written_at)


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(code)
        self.body: Json = {"code": code, "message": message, "data": {"status": status, **more}}


def _invalid(name: str, message: str) -> _Refusal:
    return _Refusal(400, "rest_invalid_param", f"Invalid parameter(s): {name}", params={name: message})


def _number(request: Request, name: str, usual: int, least: int) -> int:
    text = request.query_params.get(name, str(usual))
    if not text.isdigit() or int(text) < least:
        raise _invalid(name, f"{name} is not of type integer.")
    return int(text)


_AUTHORIZATION = "Basic " + base64.b64encode(":".join(CREDENTIALS.values()).encode()).decode()
