"""What an organisation has posted: one record a post, the last changed first.

Belongs here: reading them, and the facts that they state. Does not: HTTP (`api`).

The first reading walks all posts. Later ones walk those that changed since, and those of the days before the last one
again: what was there and is missing is asked for by itself, however much it is, and withdrawn where LinkedIn has it no
more. Where it still has many that it does not list, it is the list that is doubted. A draft counts once it is
published; what was only made to be an advertisement (in nobody's feed) is no post of the page.

Texts are never stored.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.linkedin.api import POSTS_A_PAGE, Api, Object
from pipelines.recent import Recent, remembered
from pipelines.source import READ_AGAIN, Account, Covered, Mark, Read, Record, RequestRefused, Stream

PAYLOAD = pl.Struct(
    {"id": pl.String(), "published_at": pl.String(), "state": pl.String(), "feed": pl.String(), "kind": pl.String()}
)

MOST_UNLISTED = 50
"""Where LinkedIn still has more posts that were known and are not listed, the list is doubted."""
GONE_A_PAGE = 10

_KINDS = ("article", "carousel", "celebration", "event", "media", "multiImage", "poll", "reference")


def posts(account: Account, organization: str, reread_days: int) -> Stream:
    """The stream."""
    return Stream(
        name="posts",
        feeds=("post.published",),
        fetch=lambda read: _fetch(account, organization, reread_days, read),
        payload=PAYLOAD,
        facts=facts,
        always={"network": "linkedin"},
    )


def _fetch(
    account: Account, organization: str, reread_days: int, read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    api = Api(account, organization, read.clock)
    horizon = (read.since or read.until) - timedelta(days=reread_days)
    recent, reached = Recent.after(horizon, read.cursor, read.mark), remembered(read.mark)
    gone = {str(post) for post in reached.get("gone", ())}
    for place, page in _pages(api, reached):
        times = {str(one["id"]): _instant(one["lastModifiedAt"]) for one in page}
        recent.deliver(times)
        yield [Record(str(one["id"]), min(times[str(one["id"])], read.until), _kept(one)) for one in page]
        if page:
            reached = {"place": place, "last": str(page[-1]["id"])}
            yield Mark(recent.told(**reached, gone=sorted(gone)))
        if read.since is not None and page and min(times.values()) < horizon:
            break
    missing = [post for post in recent.missing() if post not in gone] if read.since is not None else []
    unlisted: list[str] = []
    for start in range(0, len(missing), GONE_A_PAGE):
        some = missing[start : start + GONE_A_PAGE]
        found = [post for post in some if api.is_gone(post)]
        unlisted += [post for post in some if post not in found]
        if len(unlisted) > MOST_UNLISTED:
            text = f"more than {MOST_UNLISTED} posts of the last days are not in the list, and LinkedIn still has them"
            raise RequestRefused(api.source, text, READ_AGAIN)
        if found:
            gone.update(found)
            yield [Record(post, read.until, {"id": post}, is_deleted=True) for post in found]
            yield Mark(recent.told(**reached, gone=sorted(gone)))
    recent.deliver({post: recent.held[post] for post in unlisted})
    return Covered(read.since, read.until, recent.told())


def _pages(api: Api, reached: dict[str, Any]) -> Generator[tuple[int, list[Object]]]:
    """The pages from where an interrupted reading was: from a page before, which has to have its last post."""
    start = max(int(reached.get("place", 0)) - POSTS_A_PAGE + 1, 0)
    for number, (place, page) in enumerate(api.posts(start)):
        if number == 0 and start and reached["last"] not in [str(one["id"]) for one in page]:
            yield from api.posts()
            return
        yield place, page


def _instant(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _kept(post: Object) -> dict[str, Any]:
    content = post.get("content") or {}
    kind = "reshare" if post.get("reshareContext") else next((kind for kind in _KINDS if kind in content), "text")
    return {
        "id": str(post["id"]),
        "published_at": post.get("publishedAt"),
        "state": post.get("lifecycleState"),
        "feed": (post.get("distribution") or {}).get("feedDistribution"),
        "kind": kind,
    }


def facts(records: pl.LazyFrame) -> pl.LazyFrame:
    """What posts state: those that are published, in the feed of those who follow the page."""
    milliseconds = pl.col("published_at").cast(pl.Int64, strict=False)
    return records.filter(pl.col("state").eq_missing("PUBLISHED") & pl.col("feed").ne_missing("NONE")).select(
        "record_key",
        fact_key=pl.format("post/{}/published", "id"),
        event_type=pl.lit("post.published"),
        subject_id="id",
        occurred_at=(milliseconds * 1000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(UTC_MICROSECONDS),
        network=pl.lit("linkedin"),
        category="kind",
        source_url=pl.format("https://www.linkedin.com/feed/update/{}", "id"),
        problem=pl.when(milliseconds.is_null()).then(
            pl.format("publishedAt: not milliseconds ({})", pl.col("published_at").fill_null("nothing"))
        ),
    )
