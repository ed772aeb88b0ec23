"""The videos that a channel has published: one record a video, all of them at each reading.

Belongs here: reading them, and the facts that they state. Does not: HTTP (`api`), the channel's figures.

`video.published` happens at the video's `publishedAt`: for one that was private, unlisted or announced before, that is
when the public could see it first. Every reading is of all videos that anybody can see, newest first; one that was
there and is not listed any more is asked for by its id, and withdrawn where YouTube has it no more, or not for
everybody. A thousand videos cost 41 of the 10,000 units that a project has a day. Of a channel that has more than
YouTube lists, days before the oldest one listed are not covered.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.source import READ_AGAIN, Account, Covered, Read, Record, Stream, VendorError
from pipelines.youtube.api import MOST_LISTED, Api

PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "published_at": pl.String(),
        "is_ahead": pl.Boolean(),
        "duration": pl.String(),
        "privacy": pl.String(),
        "broadcast": pl.String(),
    }
)

_FURTHEST_AHEAD = timedelta(minutes=5)


def videos(account: Account, channel: str) -> Stream:
    """The stream."""
    return Stream(
        name="videos",
        feeds=("video.published",),
        fetch=lambda read: _fetch(account, channel, read),
        payload=PAYLOAD,
        facts=facts,
        always={"network": "youtube"},
        is_snapshot=True,
    )


def _fetch(account: Account, channel: str, read: Read) -> Generator[list[Record], None, Covered]:
    api = Api(account, read.clock)
    playlist, counted = _counted(api, channel)
    listed = {} if playlist is None else api.uploads(playlist, counted)
    expected = {video for video, status in listed.items() if status == "public"}
    found, public, oldest = set[str](), list[str](), read.until
    for page in api.videos([*listed], expected):
        records = [Record(str(video["id"]), None, _kept(video, read.until)) for video in page]
        found.update(record.key for record in records)
        public += _public(page)
        oldest = min([oldest, *(at for one in records if (at := _instant(one.payload["published_at"])) is not None)])
        yield records
    if playlist is not None and not public:
        raise VendorError(api.source, "the channel is said to have videos, but none can be seen", READ_AGAIN)
    for page in api.videos([video for video in _ids(read.cursor) if video not in found]):
        public += _public(page)
        yield [Record(str(video["id"]), None, _kept(video, read.until)) for video in page]
    start = None
    if len(listed) >= MOST_LISTED and len(expected) < counted:
        start = oldest if read.since is None else max(read.since, oldest)
    return Covered(start, read.until, _cursor(public))


def _cursor(ids: list[str]) -> str:
    return b64encode(zlib.compress(" ".join(sorted(ids)).encode(), 9)).decode()


def _ids(cursor: str | None) -> list[str]:
    return [] if cursor is None else zlib.decompress(b64decode(cursor)).decode().split()


def _public(page: list[dict[str, Any]]) -> list[str]:
    """The ids of those that everybody can see."""
    return [str(video["id"]) for video in page if (video.get("status") or {}).get("privacyStatus") == "public"]


def _counted(api: Api, channel: str) -> tuple[str | None, int]:
    """The list of a channel's uploads, and how many public ones it is said to have; of one without any, no list."""
    found = api.channel(channel, "contentDetails,statistics")
    counted = str(found["statistics"].get("videoCount"))
    if counted == "0":
        return None, 0
    uploads = ((found.get("contentDetails") or {}).get("relatedPlaylists") or {}).get("uploads")
    if not uploads:
        raise VendorError(api.source, "/youtube/v3/channels answered without the list of uploads", READ_AGAIN)
    return str(uploads), int(counted) if counted.isdecimal() else 0


def _kept(video: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    snippet = video.get("snippet") or {}
    at = _instant(snippet.get("publishedAt"))
    return {
        "id": video["id"],
        "published_at": snippet.get("publishedAt"),
        "is_ahead": at is not None and at > now + _FURTHEST_AHEAD,
        "duration": (video.get("contentDetails") or {}).get("duration"),
        "privacy": (video.get("status") or {}).get("privacyStatus"),
        "broadcast": snippet.get("liveBroadcastContent"),
    }


def _instant(text: Any) -> datetime | None:
    """A time as the vendor writes it (RFC 3339), in UTC; None for what is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def facts(records: pl.LazyFrame) -> pl.LazyFrame:
    """What videos state: each that the public can see, and that is not only announced."""
    published = records.filter(pl.col("privacy").eq_missing("public") & pl.col("broadcast").ne_missing("upcoming"))
    at = pl.col("published_at").str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    seconds = _seconds("duration")
    problem = (
        pl.when(at.is_null() | pl.col("is_ahead"))
        .then(pl.format("publishedAt: not a past time ({})", pl.col("published_at").fill_null("nothing")))
        .when(pl.col("duration").is_not_null() & seconds.is_null())
        .then(pl.format("duration: not a duration ({})", pl.col("duration").fill_null("nothing")))
    )
    return published.select(
        "record_key",
        fact_key=pl.format("video/{}/published", "id"),
        event_type=pl.lit("video.published"),
        subject_id="id",
        occurred_at=at.cast(UTC_MICROSECONDS),
        quantity=pl.when(seconds > 0).then(seconds),  # a broadcast that goes on has none yet
        network=pl.lit("youtube"),
        source_url=pl.format("https://www.youtube.com/watch?v={}", "id"),
        problem=problem,
    )


def _seconds(name: str) -> pl.Expr:
    """An ISO 8601 duration of weeks, days, hours, minutes and seconds; null for anything else."""
    units = {"W": 604_800, "D": 86_400, "H": 3_600, "M": 60, "S": 1}
    parts = [
        pl.col(name).str.extract(rf"(\d+){unit}").cast(pl.Int64).fill_null(0) * long for unit, long in units.items()
    ]
    is_duration = pl.col(name).str.contains(r"^P(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$")
    return pl.when(is_duration).then(pl.sum_horizontal(parts))
