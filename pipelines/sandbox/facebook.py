"""A stand-in for a Facebook page in Meta's Graph API: its followers, its figures of days, and its posts.

Belongs here: requests, answers and what is in them. Does not: what is Meta's altogether (`graph`), what answers mean.

Like the vendor: figures of days of the last two years (of a page that is not published, of five days), 93 of them at a
time, none of a page that fewer than 100 people like; a metric that is no more fails the whole request; a post that was
deleted is answered as one that the access token may not see.
"""

from __future__ import annotations

from datetime import date, timedelta

from starlette.applications import Starlette
from starlette.requests import Request

from pipelines.sandbox.company import Post
from pipelines.sandbox.graph import (
    DAY,
    Door,
    Json,
    days_between,
    deleted,
    fields_of,
    invalid,
    iso,
    midnight,
    not_there,
    page,
    series,
    views_on,
    visible,
)
from pipelines.sandbox.stand_in import Desk

CREDENTIALS: dict[str, str] = {
    "access_token": "sandbox-facebook-page-token",
    "app_secret": "sandbox-facebook-app-secret",
}
PAGE = "104857600000001"
CALLS_A_DAY = 4800 * 40

METRICS = ("page_follows", "page_daily_follows_unique", "page_daily_unfollows_unique", "page_media_view")
STATUS_TYPES = {"photo": "added_photos", "video": "added_video", "link": "shared_story", "text": "mobile_status_update"}
_MOST_DAYS, _KEPT, _KEPT_UNPUBLISHED, _MOST_POSTS = 93, timedelta(days=730), timedelta(days=5), 100
_FEWEST_LIKES = 100


def app(desk: Desk, calls_a_day: int = CALLS_A_DAY, *, is_published: bool = True) -> Starlette:
    """The stand-in."""
    stand_in = _Page(desk, is_published=is_published)
    door = Door(desk, CREDENTIALS, PAGE, "pages", 80001, calls_a_day)
    handlers = {"": stand_in.record, "insights": stand_in.insights, "published_posts": stand_in.published_posts}
    return door.app(handlers)


class _Page:
    def __init__(self, desk: Desk, *, is_published: bool) -> None:
        self.desk, self.is_published = desk, is_published
        self.profile = desk.company.profiles["facebook"]
        self.posts = visible(desk, "facebook")
        self.by_id = {_id(post): post for post in self.posts}

    def record(self, request: Request) -> Json:
        if (id_ := request.path_params["id"]) == PAGE:
            return fields_of(request, "Page", self._described())
        return self._post(request, self._found(id_))

    def insights(self, request: Request) -> Json:
        metrics = [name for name in request.query_params.get("metric", "").split(",") if name]
        id_ = request.path_params["id"]
        if id_ != PAGE:
            return self._post_insights(self._found(id_), metrics)
        if not metrics or any(name not in METRICS for name in metrics):
            raise invalid("The value must be a valid insights metric")
        present = self.desk.present
        if int(request.query_params.get("since", 0)) < (present - _KEPT).timestamp():
            raise invalid("since param is not valid. Metrics data is available for the last 2 years")
        days = days_between(request, present, _MOST_DAYS)
        if not self.is_published:
            days = [day for day in days if midnight(day) >= present - _KEPT_UNPUBLISHED - DAY]
        if self.profile.followers(present) < _FEWEST_LIKES:
            days = []
        founded = self.desk.company.founded
        told = [[(day, self._figure(name, day)) for day in days if day > founded] for name in metrics]
        every = [series(PAGE, name, values) for name, values in zip(metrics, told, strict=True)]
        return {"data": [one for answer in every for one in answer["data"]], "paging": {}}

    def published_posts(self, request: Request) -> Json:
        if request.path_params["id"] != PAGE:
            raise not_there(request.path_params["id"])
        return page(request, self.posts, _MOST_POSTS, lambda post: self._post(request, post))

    def _described(self) -> Json:
        followers = self.profile.followers(self.desk.present)
        return {
            "id": PAGE,
            "name": "Agencia inmobiliaria",
            "about": "Con Marta Ruiz, 600 123 456",
            "is_published": self.is_published,
            "followers_count": followers,
            "fan_count": followers - followers // 20,
        }

    def _figure(self, metric: str, day: date) -> int:
        start, end = midnight(day), midnight(day + DAY)
        match metric:
            case "page_follows":
                return self.profile.followers(end)
            case "page_daily_follows_unique":
                return self.profile.gained(start, end)
            case "page_daily_unfollows_unique":
                return self.profile.lost(start, end)
            case _:
                return views_on(self.posts, day)

    def _found(self, id_: str) -> Post:
        if id_ not in self.by_id:
            raise deleted() if id_.startswith(f"{PAGE}_") else not_there(id_)
        return self.by_id[id_]

    def _post(self, request: Request, post: Post) -> Json:
        likes, now = post.so_far(post.likes, self.desk.present), self.desk.present
        edited = post.edited_at is not None and post.edited_at <= now
        return fields_of(
            request,
            "Post",
            {
                "id": _id(post),
                "created_time": iso(post.published_at),
                "updated_time": iso(post.edited_at if edited and post.edited_at else post.published_at),
                "status_type": STATUS_TYPES[post.kind],
                "message": "Con Marta Ruiz, 600 123 456",
                "from": {"name": "Agencia inmobiliaria", "id": PAGE},
                "reactions": {"data": [], "summary": {"total_count": likes}},
            },
        )

    def _post_insights(self, post: Post, metrics: list[str]) -> Json:
        if metrics != ["post_media_view"]:
            raise invalid("The value must be a valid insights metric")
        told = {
            "name": "post_media_view",
            "period": "lifetime",
            "values": [{"value": post.so_far(post.views, self.desk.present)}],
            "id": f"{_id(post)}/insights/post_media_view/lifetime",
        }
        return {"data": [told], "paging": {}}


def _id(post: Post) -> str:
    return f"{PAGE}_{post.id}"
