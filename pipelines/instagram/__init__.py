"""Instagram: a professional account's followers, views and media.

Belongs here: what an organisation may say of its account, which streams it gets, and Instagram's words. Does not:
requests, days and posts in general (`pipelines.meta`), how followers' figures fit together (`pipelines.profiles`).

Configuration, below `sources.<organisation>.<source>`: `access_token`; `app_secret` where the app asks for proof;
`api_version`; `base_url` (https://graph.instagram.com where people sign in with Instagram).

Instagram tells of the last 30 days at most, 2,592,000 seconds of them at a time (30 of California's days can be more),
up to two days late, and of who follows only where at least 100 do
(https://developers.facebook.com/docs/instagram-platform/api-reference/instagram-user/insights). It does not keep how
many followers there were: that is known from the first reading on, and reckoned for the days that it tells of before.
It lists the newest 10,000 media (https://developers.facebook.com/docs/instagram-api/reference/ig-user/media).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipelines.meta.days import Metric, daily
from pipelines.meta.posts import Post, Posts, posts, reactions, views
from pipelines.meta.profile import Told, followers
from pipelines.source import Account, Options, Stream

__all__ = ["INSTAGRAM", "Instagram", "InstagramOptions"]

VENDOR = "Instagram"
KEPT_DAYS, MOST_DAYS = 30, 29
MOST_MEDIA = 10_000
ADDRESS = "https://www.instagram.com/"
KINDS = {"IMAGE": "image", "VIDEO": "video", "CAROUSEL_ALBUM": "carousel"}
"""Instagram's words for what a medium is, in ours; others stay as they are."""

_METRIC = r"^[a-z][a-z0-9_]*$"
_WENT = "NON_FOLLOWER"


class InstagramOptions(Options):
    """What `organisation.yaml` says of an account: the id of the Instagram user, as the API knows it.

    gained, lost, views, post_views: Instagram's names of the metrics that tell how many followers came on a day, how
    many went, how often the account's content was seen that day, and a medium until now; null goes without.
    posts_days, views_days: for how many days a medium's disappearing and its likes, and its views, are looked at; views
    take a request for each medium and day.

    A whole one::

        user: "178414000000001"
        gained: follower_count
        lost: follows_and_unfollows
        views: views
        post_views: views
        posts_days: 90
        views_days: 28
    """

    user: str = Field(pattern=r"^\d+$")
    gained: str | None = Field(default="follower_count", pattern=_METRIC)
    lost: str | None = Field(default="follows_and_unfollows", pattern=_METRIC)
    views: str | None = Field(default="views", pattern=_METRIC)
    post_views: str | None = Field(default="views", pattern=_METRIC)
    posts_days: int = Field(default=90, ge=1, le=730)
    views_days: int = Field(default=28, ge=1, le=730)


class Instagram:
    """The connector."""

    kind = "instagram"
    options = InstagramOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Followers and posts, and what the metrics tell that are not left out."""
        asked = {
            "followers.gained": _metric(options.gained),
            "followers.lost": _metric(options.lost, _WENT),
            "views.counted": _metric(options.views, "total"),
        }
        told = Told(None, asked["followers.gained"], asked["followers.lost"])
        listed = _media(options.user)

        def keeps(_: object) -> int:
            return KEPT_DAYS

        found = [
            followers(account, VENDOR, options.user, told, keeps),
            posts(account, VENDOR, listed, options.posts_days),
            reactions(account, VENDOR, listed, options.posts_days),
        ]
        found += [
            daily(account, VENDOR, event_type.replace(".", "_"), event_type, options.user, metric, keeps)
            for event_type, metric in asked.items()
            if metric is not None
        ]
        if options.post_views is not None:
            found.append(views(account, VENDOR, listed, options.views_days, options.post_views))
        return found


def _metric(name: str | None, part: str | None = None) -> Metric | None:
    return None if name is None else Metric(name, MOST_DAYS, part)


def _media(user: str) -> Posts:
    return Posts(
        profile=user,
        path="media",
        at="timestamp",
        fields="id,timestamp,media_type,media_product_type,permalink",
        reaction_fields="id,timestamp,media_type,media_product_type,like_count",
        kind=_kind,
        address=_address,
        reactions=lambda post: post.get("like_count"),
        may_hide_reactions=True,
        most=MOST_MEDIA,
    )


def _kind(post: Post) -> str | None:
    if post.get("media_product_type") == "REELS":
        return "reel"
    said = post.get("media_type")
    return None if said is None else KINDS.get(str(said), str(said).lower())


def _address(post: Post) -> str | None:
    said = str(post.get("permalink") or "")
    return said if said.startswith(ADDRESS) else None


INSTAGRAM = Instagram()
