"""A stand-in for an Instagram professional account in Meta's Graph API: its followers, its days and its media.

Belongs here: requests, answers and what is in them. Does not: what is Meta's altogether (`graph`), what answers mean.

Like the vendor: followers as they are now; of days only the last 30, and only 30 times 24 hours at a time; who follows
only where at least 100 do; one metric is a series of days, the others are one total of the days that end in what is
asked for; who came and went is told after 48 hours, and until then as a breakdown without results, as where there was
nobody; the newest 10,000 media.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from starlette.applications import Starlette
from starlette.requests import Request

from pipelines.sandbox.company import Post
from pipelines.sandbox.graph import (
    DAY,
    ZONE,
    Door,
    Json,
    days_between,
    days_ending,
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
    "access_token": "sandbox-instagram-token",
    "app_secret": "sandbox-instagram-app-secret",
}
USER = "178414000000001"
CALLS_A_DAY = 4800 * 40

METRICS = ("reach", "follower_count", "follows_and_unfollows", "views")
Asked = Callable[[Request, datetime, int], list[date]]
"""From a request, the present and how many days may be asked for to the days that are told."""

MEDIA = {"image": ("IMAGE", "FEED"), "carousel": ("CAROUSEL_ALBUM", "FEED"), "reel": ("VIDEO", "REELS")}
_MOST_DAYS, _MOST_MEDIA, _FEWEST_FOLLOWERS = 30, 100, 100
_MOST_LISTED = 10_000
_FOLLOWS_TOLD_AFTER = timedelta(hours=48)


def app(desk: Desk, calls_a_day: int = CALLS_A_DAY, *, hides_likes: bool = False) -> Starlette:
    """The stand-in. hides_likes: whether the account's owner hides how many like its media."""
    stand_in = _Account(desk, hides_likes=hides_likes)
    door = Door(desk, CREDENTIALS, USER, "instagram", 80002, calls_a_day)
    return door.app({"": stand_in.record, "insights": stand_in.insights, "media": stand_in.media})


class _Account:
    def __init__(self, desk: Desk, *, hides_likes: bool) -> None:
        self.desk, self.hides_likes = desk, hides_likes
        self.profile = desk.company.profiles["instagram"]
        self.posts = visible(desk, "instagram")
        self.by_id = {_id(post): post for post in self.posts}

    def record(self, request: Request) -> Json:
        if (id_ := request.path_params["id"]) == USER:
            return fields_of(request, "IGUser", self._described())
        return self._medium(request, self._found(id_))

    def media(self, request: Request) -> Json:
        if request.path_params["id"] != USER:
            raise not_there(request.path_params["id"])
        return page(request, self.posts[:_MOST_LISTED], _MOST_MEDIA, lambda post: self._medium(request, post))

    def insights(self, request: Request) -> Json:
        metric = request.query_params.get("metric", "")
        id_ = request.path_params["id"]
        if id_ != USER:
            return self._medium_insights(self._found(id_), metric)
        if metric not in METRICS:
            raise invalid(f"metric[0] must be one of the following values: {', '.join(METRICS)}")
        if metric == "follower_count":
            return series(USER, metric, [(day, self._gained(day)) for day in self._days(request, days_between)])
        if request.query_params.get("metric_type") != "total_value":
            raise invalid(
                f"The following metrics ({metric}) should be specified with parameter metric_type=total_value"
            )
        days = self._days(request, days_ending, of_followers=metric == "follows_and_unfollows")
        return self._total(metric, days, request.query_params.get("breakdown"))

    def _days(self, request: Request, asked: Asked, *, of_followers: bool = True) -> list[date]:
        """The days asked for that are told."""
        present = self.desk.present
        oldest = midnight(present.astimezone(ZONE).date() - DAY * _MOST_DAYS)
        if of_followers and int(request.query_params.get("since", 0)) < oldest.timestamp():
            raise invalid(
                "(follower_count) metric only supports querying data for the last 30 days excluding the current day"
            )
        days = asked(request, present, _MOST_DAYS)
        if of_followers and self.profile.followers(present) < _FEWEST_FOLLOWERS:
            return []
        return [day for day in days if day > self.desk.company.founded]

    def _total(self, metric: str, days: Sequence[date], breakdown: str | None) -> Json:
        if not days:
            return {"data": []}
        total: Json = {"value": sum(views_on(self.posts, day) for day in days)}
        if metric == "follows_and_unfollows":
            start, end = midnight(days[0]), midnight(days[-1] + DAY)
            parts = {"FOLLOWER": self.profile.gained(start, end), "NON_FOLLOWER": self.profile.lost(start, end)}
            results = [{"dimension_values": [name], "value": count} for name, count in parts.items() if count]
            is_told = results and end + _FOLLOWS_TOLD_AFTER <= self.desk.present
            told_so_far = {"results": results} if is_told else {}
            total = {"breakdowns": [{"dimension_keys": ["follow_type"], **told_so_far}]} if breakdown else {}
        told = {"name": metric, "period": "day", "total_value": total, "id": f"{USER}/insights/{metric}/day"}
        return {"data": [told], "paging": {}}

    def _gained(self, day: date) -> int:
        return self.profile.gained(midnight(day), midnight(day + DAY))

    def _described(self) -> Json:
        return {
            "id": USER,
            "username": "agencia",
            "biography": "Con Marta Ruiz, 600 123 456",
            "followers_count": self.profile.followers(self.desk.present),
            "media_count": len(self.posts),
        }

    def _found(self, id_: str) -> Post:
        if id_ not in self.by_id:
            raise not_there(id_)
        return self.by_id[id_]

    def _medium(self, request: Request, post: Post) -> Json:
        kind, product = MEDIA[post.kind]
        answer = fields_of(
            request,
            "IGMedia",
            {
                "id": _id(post),
                "timestamp": iso(post.published_at),
                "media_type": kind,
                "media_product_type": product,
                "caption": "Con Marta Ruiz, 600 123 456",
                "username": "agencia",
                "permalink": f"https://www.instagram.com/p/{post.id:x}/",
                "like_count": post.so_far(post.likes, self.desk.present),
            },
        )
        if self.hides_likes:
            answer.pop("like_count", None)
        return answer

    def _medium_insights(self, post: Post, metric: str) -> Json:
        if metric != "views":
            raise invalid("metric[0] must be one of the following values: views, reach, likes, comments, shares")
        values = [{"value": post.so_far(post.views, self.desk.present)}]
        told = {"name": metric, "period": "lifetime", "values": values, "id": f"{_id(post)}/insights/views/lifetime"}
        return {"data": [told]}


def _id(post: Post) -> str:
    return f"179{post.id}"
