"""A stand-in for X's API v2: the company's account, with the vendor's paths, paging, prices, limits and errors.

Belongs here: requests, answers and what is in them. Does not: what they mean (`pipelines.x`).

Like the vendor: only the present is known; the timeline is newest first and has the latest 3,200 posts; those that were
deleted have left it, so that a page may be short, or empty, though there is more; every post that is given costs a
credit, once a day; an edited post has a new id and the old one in its history; what a reposted post said is in the
text. The company's posts are its own; it also answers people, quotes and passes on what others wrote.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.sandbox.company import Post
from pipelines.sandbox.stand_in import Desk, Limit

CREDENTIALS: dict[str, str] = {"bearer_token": "sandbox-x-bearer-token"}
USER = "1847291530044321792"

LISTED = 3_200
EDITABLE = timedelta(minutes=30)
WINDOW_SECONDS = 15 * 60
LIMITS = {"users": 300, "timeline": 10_000, "posts": 3_500}
_FIRST_MILLISECOND = 1_288_834_974_657
_PROBLEMS = "https://api.x.com/2/problems"

Json = dict[str, Any]


@dataclass(frozen=True)
class Vocabulary:
    """What the vendor calls things: its guides otherwise than its API description."""

    fields: str
    references: str
    history: str
    count: str


VOCABULARIES = {
    "tweets": Vocabulary("tweet.fields", "referenced_tweets", "edit_history_tweet_ids", "tweet_count"),
    "posts": Vocabulary("post.fields", "referenced_posts", "edit_history_post_ids", "post_count"),
}


def app(
    desk: Desk, *, paid: int | None = None, vocabulary: str = "tweets", requests_a_window: int | None = None
) -> Starlette:
    """The stand-in. paid: reads that are left; None: more than enough. vocabulary: which one it understands.

    requests_a_window: in place of each of the vendor's limits.
    """
    limits = {name: Limit(requests_a_window or most, WINDOW_SECONDS) for name, most in LIMITS.items()}
    return _X(desk, VOCABULARIES[vocabulary], limits, paid).starlette()


@dataclass(frozen=True)
class _Told:
    """A post as the vendor has it. references: by kind, to others'."""

    id: int
    first_id: int
    at: datetime
    references: tuple[tuple[str, int], ...]
    text: str
    removed_at: datetime | None


@dataclass
class _X:
    desk: Desk
    words: Vocabulary
    limits: dict[str, Limit]
    paid: int | None
    given: set[tuple[date, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        posts = [post for post in self.desk.company.posts if post.network == "x"]
        told = [one for post in posts for one in _told(post, self.desk.present)]
        made = sorted((one for one in told if one.at <= self.desk.present), key=lambda one: one.id, reverse=True)
        self.all = made
        self.alive = {str(one.id): one for one in made if one.removed_at is None or one.removed_at > self.desk.present}
        self.alive |= {str(one.first_id): one for one in self.alive.values()}

    def starlette(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/2/users/{id}", self._guarded("users", self.user)),
                Route("/2/users/{id}/tweets", self._guarded("timeline", self.timeline)),
                Route("/2/tweets", self._guarded("posts", self.posts)),
            ]
        )

    def _guarded(self, limit: str, handler: Callable[[Request], Json]) -> Callable[[Request], JSONResponse]:
        def answer(request: Request) -> JSONResponse:
            if request.headers.get("authorization") != f"Bearer {CREDENTIALS['bearer_token']}":
                return _problem(401, "about:blank", "Unauthorized", "Unauthorized")
            now = self.desk.clock.now()
            if (wait := self.limits[limit].wait_seconds(now)) is not None:
                reset = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(now.timestamp() + wait))}
                return _problem(429, "about:blank", "Too Many Requests", "Too Many Requests", reset, code=88)
            if self.paid is not None and self.paid <= 0:
                says = "Your enrolled account does not have any credits to fulfill this request."
                return _problem(402, f"{_PROBLEMS}/credits", "CreditsDepleted", says)
            try:
                return JSONResponse(handler(request), headers={"x-rate-limit-limit": str(self.limits[limit].most)})
            except _Refusal as refusal:
                return _problem(400, f"{_PROBLEMS}/invalid-request", "Invalid Request", str(refusal))

        return answer

    def user(self, request: Request) -> Json:
        id_ = request.path_params["id"]
        if id_ != USER:
            return {"errors": [_not_found("user", id_, "id")]}
        self._charge(f"user/{id_}")
        profile = self.desk.company.profiles.get("x")
        figures = {
            "followers_count": 0 if profile is None else profile.followers(self.desk.present),
            "following_count": 61,
            self.words.count: len({one.first_id for one in self.alive.values()}),
            "listed_count": 2,
        }
        shown = {"public_metrics": figures} if "public_metrics" in request.query_params.get("user.fields", "") else {}
        return {"data": {"id": id_, "name": "Marta Ruiz, Agencia", "username": "agencia", **shown}}

    def timeline(self, request: Request) -> Json:
        asked = request.query_params
        known = {
            "max_results", "pagination_token", "start_time", "end_time", "since_id", "until_id", "exclude",
            "expansions", self.words.fields, "user.fields",
        }  # fmt: skip
        if unknown := sorted({*asked} - known):
            raise _Refusal(f"The query parameter [{unknown[0]}] is not one of [{','.join(sorted(known))}]")
        if request.path_params["id"] != USER:
            return {"errors": [_not_found("user", request.path_params["id"], "id")]}
        size = int(asked.get("max_results", 10))
        if not 5 <= size <= 100:
            raise _Refusal(f"The `max_results` query parameter value [{size}] is not between 5 and 100")
        listed = [one for one in self.all[:LISTED] if _is_asked_for(one, asked)]
        start = _place(asked.get("pagination_token"), listed)
        page = [one for one in listed[start : start + size] if str(one.id) in self.alive]
        more = {"next_token": _token(listed[start + size].id)} if start + size < len(listed) else {}
        ends = {"newest_id": str(page[0].id), "oldest_id": str(page[-1].id)} if page else {}
        data = {"data": [self._shown(one, asked) for one in page]} if page else {}
        return {**data, "meta": {"result_count": len(page), **ends, **more}}

    def posts(self, request: Request) -> Json:
        ids = request.query_params.get("ids", "").split(",")
        if len(ids) > 100:
            raise _Refusal("The `ids` query parameter has more than 100 values")
        found = [self._shown(self.alive[id_], request.query_params) for id_ in ids if id_ in self.alive]
        gone = [_not_found("tweet", id_, "ids") for id_ in ids if id_ not in self.alive]
        return {**({"data": found} if found else {}), **({"errors": gone} if gone else {})}

    def _shown(self, post: _Told, asked: Any) -> Json:
        """A post with the fields that were asked for; what nobody asks for by its right name is left out."""
        self._charge(str(post.id))
        fields, expansions = asked.get(self.words.fields, "").split(","), asked.get("expansions", "").split(",")
        history = [post.first_id, post.id] if post.id != post.first_id else [post.id]
        shown: Json = {"id": str(post.id), "text": post.text, self.words.history: [str(id_) for id_ in history]}
        if "created_at" in fields:
            shown["created_at"] = post.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        if post.references and self.words.references in (*fields, *expansions):
            shown[self.words.references] = [{"type": kind, "id": str(id_)} for kind, id_ in post.references]
        return shown

    def _charge(self, resource: str) -> None:
        """A credit for each record a day."""
        charged = (self.desk.clock.now().date(), resource)
        if self.paid is not None and charged not in self.given:
            self.paid -= 1
        self.given.add(charged)


class _Refusal(Exception):
    pass


def snowflake(at: datetime, number: int) -> int:
    """The id that the vendor makes at an instant."""
    return ((int(at.timestamp() * 1000) - _FIRST_MILLISECOND) << 22) | (number % 4096)


def _told(post: Post, present: datetime) -> Iterator[_Told]:
    """A post of the company's, and what else its account did on that occasion."""
    numbers = count(post.id * 4)
    first = snowflake(post.published_at, next(numbers))
    is_edited = post.edited_at is not None and post.published_at < post.edited_at <= min(
        post.published_at + EDITABLE, present
    )
    at = post.edited_at if is_edited and post.edited_at else post.published_at
    others = snowflake(post.published_at - timedelta(hours=3), next(numbers))
    quoted = (("quoted", others),) if post.id % 6 == 0 else ()
    id_ = snowflake(at, next(numbers)) if is_edited else first
    yield _Told(id_, first, at, quoted, "Piso en venta. Marta Ruiz, 600 123 456", post.removed_at)
    if post.id % 3 == 0:
        then = post.published_at + timedelta(minutes=50)
        answer = snowflake(then, next(numbers))
        yield _Told(answer, answer, then, (("replied_to", others),), "@juan Gracias, te llamamos", post.removed_at)
    if post.id % 4 == 1:
        then = post.published_at - timedelta(minutes=25)
        passed_on = snowflake(then, next(numbers))
        yield _Told(
            passed_on, passed_on, then, (("retweeted", others),), "RT @marta: Jornada de puertas abiertas", None
        )


def _is_asked_for(post: _Told, asked: Any) -> bool:
    start, end = asked.get("start_time"), asked.get("end_time")
    kinds = {kind for kind, _ in post.references}
    excluded = asked.get("exclude", "").split(",")
    return (
        (start is None or post.at >= datetime.fromisoformat(start))
        and (end is None or post.at < datetime.fromisoformat(end))
        and post.id > int(asked.get("since_id", 0))
        and post.id < int(asked.get("until_id", 2**64))
        and not ("replies" in excluded and "replied_to" in kinds)
        and not ("retweets" in excluded and "retweeted" in kinds)
    )


def _token(id_: int) -> str:
    return base64.urlsafe_b64encode(str(id_).encode()).decode()


def _place(token: str | None, listed: list[_Told]) -> int:
    """Where a page begins: at the post that a token names, or at the next one where that is gone."""
    try:
        first = 2**64 if token is None else int(base64.urlsafe_b64decode(token))
    except ValueError:
        raise _Refusal("The `pagination_token` query parameter value is not valid") from None
    return sum(one.id > first for one in listed)


def _not_found(kind: str, id_: str, parameter: str) -> Json:
    return {
        "value": id_,
        "detail": f"Could not find {kind} with {parameter}: [{id_}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": id_,
        "type": f"{_PROBLEMS}/resource-not-found",
    }


def _problem(
    status: int, type_: str, title: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    content = {"title": title, "detail": detail, "type": type_, "status": status, **more}
    return JSONResponse(content, status, headers, media_type="application/problem+json")
