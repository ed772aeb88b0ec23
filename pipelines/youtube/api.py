"""YouTube's Data API v3 over HTTP: the key, the quota, paging and its guards.

Belongs here: requests, and which answers can be trusted. Does not: what is kept of an answer or what it means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests

from pipelines.google import reasons
from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError

HOST = "https://youtube.googleapis.com"
QUOTA_ZONE = ZoneInfo("America/Los_Angeles")

MOST_LISTED = 20_000
"""So many of a channel's uploads are listed, the newest (github.com/mattwright324/youtube-metadata, issue 177)."""

_MOST_A_REQUEST = 50


class Api:
    """The API over HTTP, with the key in a header: what is in a query ends up in logs."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source, self.base_url = self.settings.source, self.settings.base_url(HOST)
        key = self.settings.need("api_key")
        self.session = PatientSession(self.source, clock, slow_down=lambda response: slow_down(response, clock))
        self.session.headers["X-Goog-Api-Key"] = key

    def channel(self, channel: str, parts: str) -> dict[str, Any]:
        """The channel. Raises `SourceConfigError` where there is none of that id."""
        page = self._page("channels", {"part": parts, "id": channel})
        if not page:
            raise SourceConfigError(
                self.source, f"there is no channel {channel}", "Check the option `channel` in organisation.yaml"
            )
        found = page[0]
        if not isinstance(found.get("statistics"), dict):
            raise VendorError(self.source, "/youtube/v3/channels answered a channel without statistics", READ_AGAIN)
        return found

    def uploads(self, playlist: str, counted: int) -> dict[str, str | None]:
        """The videos of the list, newest first, by their privacy; where it has no more than it gives, all of them.

        counted: how many public ones the channel is said to have: a list that has fewer, and fewer than it says itself,
        is not whole. (That it says more than it has is known to happen: github.com/youtube/api-samples, issue 231.)
        """
        listed, total = self._listed(playlist)
        public = [video for video, status in listed.items() if status == "public"]
        if len(listed) < min(total, MOST_LISTED) and len(public) < counted:
            found = f"the list of uploads says that it has {total} videos, and {len(listed)} came"
            raise VendorError(self.source, found, READ_AGAIN)
        return listed

    def videos(self, ids: Sequence[str], public: Collection[str] = ()) -> Iterator[list[dict[str, Any]]]:
        """Pages of those of some videos that can be seen without their owner's permission, whatever lists them.

        An answer may leave some out: they are asked for until nothing more comes. public: those that are listed as
        such, which cannot all be missing.
        """
        for start in range(0, len(ids), _MOST_A_REQUEST):
            found: dict[str, dict[str, Any]] = {}
            left = list(ids[start : start + _MOST_A_REQUEST])
            while left:
                asked = {"part": "contentDetails,status,snippet", "id": ",".join(left), "maxResults": _MOST_A_REQUEST}
                found |= {str(one["id"]): one for one in self._page("videos", asked)}
                before, left = left, [video for video in left if video not in found and (not public or video in public)]
                if len(left) == len(before):
                    break
            if len(left) > 1 and public:
                text = f"/youtube/v3/videos knows none of {len(left)} videos that are listed as public"
                raise VendorError(self.source, text, READ_AGAIN)
            yield list(found.values())

    def _listed(self, playlist: str) -> tuple[dict[str, str | None], int]:
        """Video -> privacy status, newest first; and how many the list says that there are.

        Raises `VendorError` where the list changes while it is read.
        """
        params: dict[str, Any] = {
            "part": "contentDetails,status",
            "playlistId": playlist,
            "maxResults": _MOST_A_REQUEST,
        }
        listed: dict[str, str | None] = {}
        total: int | None = None
        seen: set[str] = set()
        while True:
            answer = self._answer("playlistItems", params)
            for item in _items(self.source, answer):
                listed[_video_of(self.source, item)] = item.get("status", {}).get("privacyStatus")
            told = answer["pageInfo"].get("totalResults")
            total = told if total is None else total
            token = answer.get("nextPageToken")
            if told != total or token in seen or (token and not answer.get("items")):
                text = "the list of uploads changed, or repeated itself, while it was read"
                raise VendorError(self.source, text, READ_AGAIN)
            if not token:
                return listed, total or 0
            seen.add(token)
            params = {**params, "pageToken": token}

    def _page(self, resource: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        return _items(self.source, self._answer(resource, params))

    def _answer(self, resource: str, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            response = self.session.get(f"{self.base_url}/youtube/v3/{resource}", params=params)
        except SourceConfigError as refused:
            raise SourceConfigError(self.source, refused.found, self._check_key) from None
        if response.status_code == 400 and "API_KEY_INVALID" in reasons(response):
            raise SourceConfigError(self.source, "the vendor says that the API key is not valid", self._check_key)
        return whole_json(self.source, response, ("kind", "pageInfo"))

    @property
    def _check_key(self) -> str:
        key = self.settings.name("api_key")
        return f"Check {key}, and that YouTube Data API v3 is enabled for its project and its restrictions allow it"


def slow_down(response: requests.Response, clock: Clock) -> float | None:
    """The vendor says 403 for a rate (wait a little) and for a quota (used up until midnight in California)."""
    if response.status_code not in (403, 429):
        return None
    found = reasons(response)
    if found & {"quotaExceeded", "dailyLimitExceeded"}:
        now = clock.now().astimezone(QUOTA_ZONE)
        midnight = datetime.combine(now.date() + timedelta(days=1), time.min, QUOTA_ZONE)
        return midnight.timestamp() - now.timestamp()
    is_rate = response.status_code == 429 or found & {"rateLimitExceeded", "userRateLimitExceeded"}
    return 0.0 if is_rate else None


def _items(source: str, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items of an answer. The vendor leaves the key out where there are none, and says how many there are."""
    items, info = answer.get("items", []), answer["pageInfo"]
    if not isinstance(info, dict) or (not items and info.get("totalResults")):
        raise VendorError(source, f"{answer['kind']} has no items, but says that there are some", READ_AGAIN)
    if not isinstance(items, list) or not all(isinstance(item, dict) and item.get("id") for item in items):
        raise VendorError(source, f"{answer['kind']} has items that are not items with ids", READ_AGAIN)
    return items


def _video_of(source: str, item: Mapping[str, Any]) -> str:
    video = (item.get("contentDetails") or {}).get("videoId")
    if not video:
        raise VendorError(source, "an item of the list of uploads names no video", READ_AGAIN)
    return str(video)
