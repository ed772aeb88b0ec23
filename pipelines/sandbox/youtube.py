"""A stand-in for the YouTube Data API v3: the company's channel, with the vendor's paths, paging, quota and errors.

It serves what the channel's owner is told too (`sandbox.youtube_analytics`).

Belongs here: requests, answers and what is in them. Does not: what they mean (`pipelines.youtube`).

Like the vendor: only the present is known; counts are texts; subscribers are rounded down to three significant digits;
every request costs a unit, wrong ones too, and units come back at midnight in California. A video is uploaded, private,
a day before it is published, and is in the list of uploads then, but cannot be seen. The list has the newest 20,000.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from pipelines.sandbox import youtube_analytics
from pipelines.sandbox.company import Video
from pipelines.sandbox.googleapis import WRONG_KEY, Json, Refusal, guarded, wrong_key
from pipelines.sandbox.stand_in import Desk

CREDENTIALS: dict[str, str] = {"api_key": "sandbox-youtube-key", **youtube_analytics.CREDENTIALS}
CHANNEL = "UCagenciaInmobiliaria000"
UPLOADS = "UU" + CHANNEL.removeprefix("UC")

UNITS_A_DAY = 10_000
UPLOADED_BEFORE = timedelta(days=1)
MOST_LISTED = 20_000
_QUOTA_EXCEEDED = (
    "The request cannot be completed because you have exceeded your "
    '<a href="/youtube/v3/getting-started#quota">quota</a>.'
)
_QUOTA_ZONE = ZoneInfo("America/Los_Angeles")


def app(desk: Desk, units_a_day: int = UNITS_A_DAY, *, hides_subscribers: bool = False) -> Starlette:
    """The stand-in. units_a_day: the quota; hides_subscribers: whether the channel's owner hides their number."""
    return _YouTube(desk, units_a_day, hides_subscribers).starlette()


@dataclass
class _YouTube:
    desk: Desk
    units_a_day: int
    hides_subscribers: bool
    units_used: int = 0
    quota_day: date | None = None

    def __post_init__(self) -> None:
        present = self.desk.present
        listed = [v for v in self.desk.company.videos if v.published_at - UPLOADED_BEFORE <= present]
        kept = [v for v in listed if v.removed_at is None or v.removed_at > present]
        newest_first = sorted(kept, key=lambda video: (video.published_at, video.id), reverse=True)
        self.uploads = newest_first[:MOST_LISTED]
        self.public = {video.id: video for video in kept if video.published_at <= present}

    def starlette(self) -> Starlette:
        handlers = {"channels": self.channels, "playlistItems": self.playlist_items, "videos": self.videos}
        routes = [Route(f"/youtube/v3/{name}", guarded(self._admit, handler)) for name, handler in handlers.items()]
        return Starlette(routes=[*routes, *youtube_analytics.Analytics(self.desk, CHANNEL).routes()])

    def _admit(self, request: Request) -> None:
        key = request.headers.get("x-goog-api-key") or request.query_params.get("key")
        if key is None:
            raise _refusal(403, "The request is missing a valid API key.", "forbidden", status="PERMISSION_DENIED")
        if key != CREDENTIALS["api_key"]:
            raise wrong_key(errors=[{"message": WRONG_KEY, "domain": "global", "reason": "badRequest"}])
        day = self.desk.clock.now().astimezone(_QUOTA_ZONE).date()
        if day != self.quota_day:
            self.quota_day, self.units_used = day, 0
        if self.units_used >= self.units_a_day:
            raise _refusal(403, _QUOTA_EXCEEDED, "quotaExceeded", domain="youtube.quota")
        self.units_used += 1
        if "part" not in request.query_params:
            raise _refusal(400, "No filter selected. Expected: part", "missingRequiredParameter")

    def channels(self, request: Request) -> Json:
        found = [CHANNEL] if CHANNEL in request.query_params.get("id", "").split(",") else []
        channel = {
            "snippet": {"title": "Agencia", "publishedAt": _iso(self._founded())},
            "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": UPLOADS}},
            "statistics": self._statistics(),
        }
        return _answer("channel", [_resource(request, "channel", id_, channel) for id_ in found], len(found), 5)

    def playlist_items(self, request: Request) -> Json:
        if request.query_params.get("playlistId") != UPLOADS:
            missing = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
            raise _refusal(404, missing, "playlistNotFound", domain="youtube.playlistItem")
        size = min(int(request.query_params.get("maxResults", 5)), 50)
        start = _place(request.query_params.get("pageToken"))
        page = self.uploads[start : start + size]
        items = [
            _resource(request, "playlistItem", f"item-{video.id}", self._item(start + n, video))
            for n, video in enumerate(page)
        ]
        following = {"nextPageToken": _token(start + size)} if start + size < len(self.uploads) else {}
        return {**_answer("playlistItem", items, len(self.uploads), size), **following}

    def videos(self, request: Request) -> Json:
        ids = [video for video in request.query_params.get("id", "").split(",") if video]
        if len(ids) > 50:
            raise _refusal(400, "The request specifies an invalid filter parameter.", "invalidFilters")
        found = [self.public[video] for video in ids if video in self.public]
        items = [_resource(request, "video", video.id, _video(video)) for video in found]
        return _answer("video", items, len(items), len(items))

    def _item(self, position: int, video: Video) -> Json:
        is_public = video.id in self.public
        published = {"videoPublishedAt": _iso(video.published_at)} if is_public else {}
        return {
            "snippet": {
                "publishedAt": _iso(video.published_at if is_public else video.published_at - UPLOADED_BEFORE),
                "channelId": CHANNEL,
                "title": video.title if is_public else "Private video",
                "description": "Con Marta Ruiz, 600 123 456",
                "playlistId": UPLOADS,
                "position": position,
                "resourceId": {"kind": "youtube#video", "videoId": video.id},
            },
            "contentDetails": {"videoId": video.id, **published},
            "status": {"privacyStatus": "public" if is_public else "private"},
        }

    def _statistics(self) -> Json:
        rounded = str(_rounded(self._now(self.desk.company.subscribers)))
        subscribers = {} if self.hides_subscribers else {"subscriberCount": rounded}
        return {
            "viewCount": str(self._now(self.desk.company.views)),
            **subscribers,
            "hiddenSubscriberCount": self.hides_subscribers,
            "videoCount": str(len(self.public)),
        }

    def _now(self, by_day: dict[date, int]) -> int:
        """The figure at the end of the last day that is over."""
        today = self.desk.present.astimezone(ZoneInfo(self.desk.company.zone)).date()
        over = [day for day in by_day if day < today]
        return by_day[max(over)] if over else 0

    def _founded(self) -> datetime:
        return datetime.combine(self.desk.company.founded, time.min, UTC)


def _refusal(code: int, message: str, reason: str, domain: str = "global", **more: Any) -> Refusal:
    return Refusal(code, message, errors=[{"message": message, "domain": domain, "reason": reason}], **more)


def _resource(request: Request, kind: str, id_: str, parts: Json) -> Json:
    asked = request.query_params["part"].split(",")
    if unknown := [part for part in asked if part not in parts and part != "id"]:
        raise _refusal(400, f"'{unknown[0]}'", "unknownPart", domain="youtube.part")
    return {
        "kind": f"youtube#{kind}",
        "etag": _etag(kind, id_),
        "id": id_,
        **{part: parts[part] for part in asked if part in parts},
    }


def _answer(kind: str, items: list[Json], total: int, size: int) -> Json:
    has_items = {"items": items} if items else {}
    return {
        "kind": f"youtube#{kind}ListResponse",
        "etag": _etag(kind, str(total)),
        **has_items,
        "pageInfo": {"totalResults": total, "resultsPerPage": size},
    }


def _video(video: Video) -> Json:
    return {
        "snippet": {
            "publishedAt": _iso(video.published_at),
            "channelId": CHANNEL,
            "title": video.title,
            "description": "Con Marta Ruiz, 600 123 456",
            "categoryId": "22",
            "liveBroadcastContent": "none",
        },
        "contentDetails": {
            "duration": _duration(video.seconds),
            "dimension": "2d",
            "definition": "hd",
            "caption": "false",
            "licensedContent": False,
            "projection": "rectangular",
        },
        "status": {
            "uploadStatus": "processed",
            "privacyStatus": "public",
            "license": "youtube",
            "embeddable": True,
            "publicStatsViewable": True,
            "madeForKids": False,
        },
    }


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if count]
    return f"PT{''.join(parts) or '0S'}"


def _rounded(count: int) -> int:
    step: int = 10 ** max(len(str(count)) - 3, 0)
    return count // step * step


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _etag(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:27]


def _token(place: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode()


def _place(token: str | None) -> int:
    try:
        place: int = 0 if token is None else int(orjson.loads(base64.urlsafe_b64decode(token)))
    except (ValueError, TypeError):
        message = "The request specifies an invalid page token."
        raise _refusal(400, message, "invalidPageToken", domain="youtube.parameter") from None
    return place
