"""What an account has posted: one record a post, the newest first.

Belongs here: reading them, and the facts that they state. Does not: HTTP and what it costs (`api`).

A post is published when X made its id, of the first version where it was edited (an edit has an id of its own; source:
https://docs.x.com/x-api/fundamentals/edit-posts). The first reading has the latest 3,200; days before the oldest of
them are not covered, unless X counts no more posts than came. Later readings have what is new, and read the last days
again: what was there and is missing is asked for by its id, and withdrawn where X says that it is not there. Posts that
are deleted when they are older than that are not noticed.

Texts are never stored.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.recent import Recent, remembered
from pipelines.source import READ_AGAIN, Account, Covered, Mark, Read, Record, Stream, VendorError
from pipelines.x.api import Api, Object, Purse

if TYPE_CHECKING:
    from pipelines.x import XOptions

PAYLOAD = pl.Struct(
    {"id": pl.String(), "created_at": pl.String(), "kind": pl.String(), "is_unclear": pl.Boolean(), "user": pl.String()}
)

REACHED = 3_000
"""Of the 3,200 that X lists some may be left out as they were deleted: whoever gets so many may not have got all."""

_KINDS = {"retweeted": "repost", "replied_to": "reply", "quoted": "quote"}
_FIRST_MILLISECOND = 1_288_834_974_657
"""What the ids of X count from: https://docs.x.com/fundamentals/x-ids."""


def posts(account: Account, options: XOptions, purse: Purse) -> Stream:
    """The stream."""
    return Stream(
        name="posts",
        feeds=("post.published",),
        fetch=lambda read: _fetch(account, options, purse, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options.kinds),
        always={"network": "x"},
    )


def _fetch(
    account: Account, options: XOptions, purse: Purse, read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    api = Api(account, read.clock, purse)
    since = _since(options, read)
    recent = Recent.after(read.until - timedelta(days=options.reread_days), read.cursor, read.mark)
    reached = remembered(read.mark)
    newest, count, oldest = reached.get("newest"), reached.get("count", 0), reached.get("oldest")
    for page, has_more in api.timeline(options.user, _asked(read, since, reached.get("until_id"))):
        records = [Record(_first_version(one), None, _kept(one, options.user)) for one in page]
        recent.deliver({record.key: _made(record.key) for record in records})
        count += len(page)
        if page:
            newest, oldest = newest or page[0]["id"], page[-1]["id"]
        yield records
        if has_more and page:
            yield Mark(recent.told(newest=newest, count=count, oldest=oldest, until_id=page[-1]["id"]))
    missing = recent.missing() if since is not None else []
    gone = api.gone(missing) if missing else set()
    if gone:
        yield [Record(key, None, {"id": key}, is_deleted=True) for key in sorted(gone)]
    recent.deliver({key: recent.held[key] for key in missing if key not in gone})
    counted = api.user(options.user).posts if read.since is None else 0
    start = read.since
    if oldest is not None and (count >= REACHED or counted > count):
        start = _made(oldest)
    elif counted > count:
        raise VendorError(api.source, f"X counts {counted} posts, and lists none", READ_AGAIN)
    newest = newest or remembered(read.cursor).get("newest")
    return Covered(start, read.until, recent.told(newest=newest))


def _since(options: XOptions, read: Read) -> datetime | None:
    """From when on posts are listed; None for all that X still lists."""
    if read.since is None:
        return None
    return min(read.since, read.until - timedelta(days=options.reread_days)) if options.reread_days else read.since


def _asked(read: Read, since: datetime | None, until_id: str | None) -> dict[str, str]:
    newest = remembered(read.cursor).get("newest")
    asked = {"until_id": until_id} if until_id else {}
    if since is not None and newest and since == read.since:
        return {**asked, "since_id": newest}
    return {**asked, "start_time": since.strftime("%Y-%m-%dT%H:%M:%SZ")} if since is not None else asked


def _first_version(post: Object) -> str:
    versions = post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids") or [post["id"]]
    return str(versions[0])


def _made(id_: str) -> datetime:
    """When X made an id."""
    return datetime.fromtimestamp(((int(id_) >> 22) + _FIRST_MILLISECOND) / 1000, UTC)


def _kept(post: Object, user: str) -> dict[str, Any]:
    references = post.get("referenced_tweets") or post.get("referenced_posts") or []
    types = [str(one.get("type")) for one in references]
    kind = next((kind for type_, kind in _KINDS.items() if type_ in types), "post")
    first = _first_version(post)
    is_edited = first != str(post["id"])
    return {
        "id": first,
        "created_at": _made(first).isoformat() if is_edited else post["created_at"],
        "kind": kind,
        "is_unclear": kind == "post" and str(post.get("text", "")).startswith("RT @"),
        "user": user,
    }


def facts(records: pl.LazyFrame, kinds: tuple[str, ...]) -> pl.LazyFrame:
    """What posts of the kinds that count state."""
    has_zone = pl.col("created_at").str.contains(r"(Z|[+-]\d\d:?\d\d)$")
    at = pl.when(has_zone).then(pl.col("created_at").str.to_datetime(time_unit="us", time_zone="UTC", strict=False))
    problem = (
        pl.when(pl.col("is_unclear"))
        .then(pl.lit("its text is a repost's, but X does not say of what: it may count or not"))
        .when(at.is_null())
        .then(pl.format("created_at: not a time ({})", pl.col("created_at").fill_null("nothing")))
    )
    return records.filter(pl.col("kind").is_in(kinds) | pl.col("is_unclear")).select(
        "record_key",
        fact_key=pl.format("post/{}/published", "id"),
        event_type=pl.lit("post.published"),
        subject_id="id",
        occurred_at=at.cast(UTC_MICROSECONDS),
        network=pl.lit("x"),
        category="kind",
        source_url=pl.format("https://x.com/i/web/status/{}", "id"),
        problem=problem,
    )
