"""Facebook: a page's followers, views and posts.

Belongs here: what an organisation may say of its page, which streams it gets, and Facebook's words. Does not: requests,
days and posts in general (`pipelines.meta`), how followers' figures fit together (`pipelines.profiles`).

Configuration, below `sources.<organisation>.<source>`: `access_token`, of the page; `app_secret` where the app asks for
proof; `api_version`, `base_url` where they differ from the usual.

Facebook keeps a page's figures for two years, gives 90 days of them at a time, and only five days of a page that is not
published (https://developers.facebook.com/documentation/pages-api/platforminsights/page); it has no figures of pages
that fewer than 100 people like. Of metrics, some end each year.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipelines.meta.api import Graph
from pipelines.meta.days import Metric, daily
from pipelines.meta.posts import Post, Posts, posts, reactions, views
from pipelines.meta.profile import Told, followers
from pipelines.source import Account, Options, Stream

__all__ = ["FACEBOOK", "Facebook", "FacebookOptions"]

VENDOR = "Facebook"
MOST_DAYS = 90
KEPT_DAYS, KEPT_DAYS_UNPUBLISHED = 729, 5
ADDRESS = "https://www.facebook.com/{}"
KINDS = {
    "added_photos": "photo",
    "added_video": "video",
    "mobile_status_update": "text",
    "shared_story": "link",
}
"""Facebook's words for what a post is, in ours; others stay as they are."""

_METRIC = r"^[a-z][a-z0-9_]*$"


class FacebookOptions(Options):
    """What `organisation.yaml` says of a page: its id, as in its "About" under "Page transparency".

    followers, gained, lost, views, post_views: Facebook's names of the metrics that tell how many followers there were
    at the end of a day, how many came, how many went, how often the page's content was seen that day, and a post until
    now; null goes without. posts_days, views_days: for how many days a post's disappearing and its reactions, and its
    views, are looked at; views take a request for each post and day.

    A whole one::

        page: "104857600000001"
        followers: page_follows
        gained: page_daily_follows_unique
        lost: page_daily_unfollows_unique
        views: page_media_view
        post_views: post_media_view
        posts_days: 90
        views_days: 28
    """

    page: str = Field(pattern=r"^\d+$")
    followers: str | None = Field(default="page_follows", pattern=_METRIC)
    gained: str | None = Field(default="page_daily_follows_unique", pattern=_METRIC)
    lost: str | None = Field(default="page_daily_unfollows_unique", pattern=_METRIC)
    views: str | None = Field(default="page_media_view", pattern=_METRIC)
    post_views: str | None = Field(default="post_media_view", pattern=_METRIC)
    posts_days: int = Field(default=90, ge=1, le=730)
    views_days: int = Field(default=28, ge=1, le=730)


class Facebook:
    """The connector."""

    kind = "facebook"
    options = FacebookOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Followers and posts, and what the metrics tell that are not left out."""
        page = options.page

        def keeps(graph: Graph) -> int:
            is_published = graph.get(page, ("is_published",), fields="is_published")["is_published"]
            return KEPT_DAYS if is_published is not False else KEPT_DAYS_UNPUBLISHED

        asked = {
            "followers.gained": _metric(options.gained),
            "followers.lost": _metric(options.lost),
            "views.counted": _metric(options.views),
        }
        told = Told(_metric(options.followers), asked["followers.gained"], asked["followers.lost"])
        listed = _posts(page)
        found = [
            followers(account, VENDOR, page, told, keeps, ADDRESS),
            posts(account, VENDOR, listed, options.posts_days),
            reactions(account, VENDOR, listed, options.posts_days),
        ]
        found += [
            daily(account, VENDOR, event_type.replace(".", "_"), event_type, page, metric, keeps, ADDRESS)
            for event_type, metric in asked.items()
            if metric is not None
        ]
        if options.post_views is not None:
            found.append(views(account, VENDOR, listed, options.views_days, options.post_views))
        return found


def _metric(name: str | None) -> Metric | None:
    return None if name is None else Metric(name, MOST_DAYS)


def _posts(page: str) -> Posts:
    return Posts(
        profile=page,
        path="published_posts",
        at="created_time",
        fields="id,created_time,status_type",
        reaction_fields="id,created_time,status_type,reactions.limit(0).summary(total_count)",
        kind=_kind,
        address=lambda post: ADDRESS.format(post["id"]),
        reactions=lambda post: ((post.get("reactions") or {}).get("summary") or {}).get("total_count"),
    )


def _kind(post: Post) -> str:
    said = str(post.get("status_type") or "mobile_status_update")
    return KINDS.get(said, said)


FACEBOOK = Facebook()
