"""YouTube against its stand-in: figures day by day, videos that come and go, the quota, and what is loud."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from at_hand import at_hand
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from kr_definitions.coverage import coverage
from kr_definitions.events import COVERED, RETRACTED, current
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.raw_zone import StreamLoad
from pipelines.sandbox import youtube as stand_in
from pipelines.sandbox.company import Company, Video, estate_agency
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Covered, Read, Record, SourceConfigError, VendorError
from pipelines.youtube import YOUTUBE, YouTubeOptions

MADRID = ZoneInfo("Europe/Madrid")
SETTINGS = "SOURCES__AGENCIA__YOUTUBE__"
Around = Callable[[Any], Any]


def at(day: int, hour: int = 9, month: int = 3, year: int = 2026) -> datetime:
    """An hour of a day in Madrid, of March if no other month is named."""
    return datetime(year, month, day, hour, tzinfo=MADRID).astimezone(UTC)


def video(number: int = 1, published: datetime | None = None, **different: Any) -> Video:
    usual: dict[str, Any] = {"seconds": 60 + number, "title": "Con Marta Ruiz", "removed_at": None}
    return Video(id=f"video-{number:05d}", published_at=published or at(number), **{**usual, **different})


def company(*videos: Video, subscribers: int = 1234, a_day: int = 10) -> Company:
    """A company whose channel has so many subscribers at the end of 1 March, and ten views for each."""
    days = [date(2026, 3, 1) + timedelta(days=n) for n in range(40)]
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone="Europe/Madrid", founded=date(2026, 1, 1), last_day=days[-1], contacts=none, listings=none,
        sales=none, activities=none, tickets=none, invoices=none, videos=videos, sheet_rows=none,
        subscribers={day: subscribers + a_day * n for n, day in enumerate(days)},
        views={day: 10 * (subscribers + a_day * n) for n, day in enumerate(days)},
    )  # fmt: skip


class Channel:
    """An organisation's lake, and the channel that it is loaded from."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.lake = Lake(folder / "lake")
        account = Account("agencia", "youtube", "Europe/Madrid")
        self.source = Source(YOUTUBE, account, YouTubeOptions(channel=stand_in.CHANNEL))
        monkeypatch.setenv(SETTINGS + "API_KEY", stand_in.CREDENTIALS["api_key"])

    def load(
        self, of: Company, present: datetime, around: Around = lambda app: app, **stand_in_options: Any
    ) -> dict[str, StreamLoad]:
        clock = SharedClock(self.folder / "clock.json", present)
        with at_hand(around(stand_in.app(Desk(of, present, clock), **stand_in_options))) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            loads = fetch(self.source, self.lake, clock, present)
        bring_up_to_date([self.source], self.lake, present)
        return {load.stream: load for load in loads}

    def read(self, stream: str, of: Company, present: datetime, around: Around = lambda app: app) -> list[Record]:
        """What one stream's fetch gives, without a lake."""
        clock = SharedClock(self.folder / "clock.json", present)
        fetch_stream = next(s.fetch for s in self.source.streams() if s.name == stream)
        with at_hand(around(stand_in.app(Desk(of, present, clock)))) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            return [record for page in fetch_stream(Read(None, present, None, clock)) for record in page]

    def said(self, event_type: str, *columns: str) -> list[tuple[Any, ...]]:
        log = current(self.lake.log.scan()).filter(pl.col("event_type") == event_type)
        return log.sort("occurred_at").select(columns).collect().rows()

    def problems(self) -> list[tuple[str, str]]:
        return self.lake.quarantine().select("record_key", "problem").collect().rows()


@pytest.fixture
def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Channel:
    return Channel(tmp_path, monkeypatch)


def test_what_a_stream_always_says_is_among_the_columns_that_its_facts_have(channel):
    streams = channel.source.streams()
    assert [{"network": "youtube"}] * 2 == [stream.always for stream in streams]
    assert [True, True] == [{"network", "quantity", "subject_id"} <= stream.columns() for stream in streams]
    assert ["account_id" in stream.columns() for stream in streams] == [False, False]


def answering(path: str, answer: Response, query: str = "") -> Around:
    """The stand-in, but for a path (and a query) that gives another answer."""

    def around(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            is_hit = path in scope["path"] and query in scope["query_string"].decode()
            await (answer if is_hit else app)(scope, receive, send)

        return wrapped

    return around


def changing(change: Callable[[str, dict[str, Any]], None]) -> Around:
    """The stand-in, with each answer changed on its way."""

    def around(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            sent: list[dict[str, Any]] = []

            async def hold(message: dict[str, Any]) -> None:
                sent.append(message)

            await app(scope, receive, hold)
            content = json.loads(sent[1]["body"])
            change(scope["path"].rsplit("/", 1)[-1], content)
            await JSONResponse(content, sent[0]["status"])(scope, receive, send)

        return wrapped

    return around


def noting(requests_seen: list[tuple[str, str]]) -> Around:
    def around(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            requests_seen.append((scope["path"], scope["query_string"].decode()))
            await app(scope, receive, send)

        return wrapped

    return around


def test_a_reading_observes_subscribers_and_views(channel: Channel) -> None:
    channel.load(company(video()), at(5))
    source_url = f"https://www.youtube.com/channel/{stand_in.CHANNEL}"
    shared = (stand_in.CHANNEL, "youtube", at(5), source_url)
    columns = ("quantity", "subject_id", "network", "occurred_at", "source_url")
    assert channel.said("followers.observed", *columns) == [(1260, *shared)]
    assert channel.said("views.observed", *columns) == [(12640, *shared)]


def test_each_day_is_an_observation_and_the_latest_of_a_day_holds(channel: Channel) -> None:
    for present in (at(5), at(5, 20), at(6), at(6, 23)):
        channel.load(company(video()), present)
    assert channel.said("views.observed", "occurred_at", "quantity") == [(at(5, 20), 12640), (at(6, 23), 12740)]


def test_the_day_is_the_organisations(channel: Channel) -> None:
    before_midnight, after_it = datetime(2026, 3, 5, 22, 59, tzinfo=UTC), datetime(2026, 3, 5, 23, 1, tzinfo=UTC)
    for present in (before_midnight, after_it):
        channel.load(company(video()), present)
    assert [when for (when,) in channel.said("views.observed", "occurred_at")] == [before_midnight, after_it]


def test_the_same_reading_again_changes_nothing(channel: Channel) -> None:
    channel.load(company(video()), at(5))
    loads = channel.load(company(video()), at(5))
    assert [(load.inserted, load.delivered == load.duplicates) for load in loads.values()] == [(0, True), (0, True)]
    assert channel.lake.log.scan().filter(pl.col("event_type") == RETRACTED).collect().is_empty()


def test_nothing_is_known_before_the_first_observation_nor_of_days_without_one(channel: Channel) -> None:
    for present in (at(5), at(6), at(7), at(11), at(12)):
        channel.load(company(video()), present)
    known = coverage(channel.lake.log.scan(), "Europe/Madrid")
    for event_type in ("followers.observed", "views.observed"):
        days = [(span.first.day, span.last.day) for span in known.spans[event_type]]
        assert days == [(5, 6), (11, 11)]


def test_hidden_subscribers_are_no_figure_and_loud(channel: Channel) -> None:
    channel.load(company(video()), at(5), hides_subscribers=True)
    assert channel.said("followers.observed", "quantity") == []
    assert channel.said("views.observed", "quantity") == [(12640,)]
    assert channel.problems() == [
        ("followers/2026-03-05", "hiddenSubscriberCount: the channel hides its subscribers, so there is no figure")
    ]


def test_a_count_that_is_no_number_is_quarantined(channel: Channel) -> None:
    def spoil(resource: str, content: dict[str, Any]) -> None:
        if resource == "channels":
            content["items"][0]["statistics"]["viewCount"] = "12,6 mil"

    channel.load(company(video()), at(5), changing(spoil))
    assert channel.problems() == [("views/2026-03-05", "views count: not a number (12,6 mil)")]
    assert channel.said("followers.observed", "quantity") == [(1260,)]


def test_a_video_is_published_at_its_time_with_its_length(channel: Channel) -> None:
    channel.load(company(video(1, seconds=3_723)), at(5))
    assert channel.said("video.published", "subject_id", "occurred_at", "quantity", "network", "source_url") == [
        ("video-00001", at(1), 3_723, "youtube", "https://www.youtube.com/watch?v=video-00001")
    ]


def test_videos_of_several_pages_and_years_are_all_stated(channel: Channel) -> None:
    many = [video(n, at(1, 9, 1, 2025) + timedelta(days=3 * n)) for n in range(130)]
    channel.load(company(*many), at(5))
    assert channel.said("video.published", "subject_id", "occurred_at", "quantity") == [
        (found.id, found.published_at, found.seconds) for found in many
    ]


def test_a_removed_video_is_withdrawn_and_the_others_stay(channel: Channel) -> None:
    both = company(video(1, removed_at=at(10)), video(2))
    channel.load(both, at(5))
    channel.load(both, at(12))
    assert channel.said("video.published", "subject_id") == [("video-00002",)]
    assert channel.lake.log.scan().filter(pl.col("event_type") == RETRACTED).collect().height == 1


def test_the_last_video_of_a_channel_is_withdrawn_too(channel: Channel) -> None:
    only = company(video(1, removed_at=at(10)))
    channel.load(only, at(5))
    load = channel.load(only, at(12))["videos"]
    assert load.failure is None
    assert channel.said("video.published", "subject_id") == []


def of_videos(
    channel: Channel, of: Company, around: Around = lambda app: app, cursor: str | None = None
) -> tuple[list[str], Covered]:
    """One reading of the videos: their ids, and what it covered."""
    clock = SharedClock(channel.folder / "clock.json", at(20))
    fetch_videos = next(one.fetch for one in channel.source.streams() if one.name == "videos")
    with at_hand(around(stand_in.app(Desk(of, at(20), clock)))) as url:
        channel.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
        pages, found = fetch_videos(Read(None, at(20), cursor, clock)), list[str]()
        try:
            while True:
                found += [record.key for record in next(pages) if isinstance(record, Record)]
        except StopIteration as end:
            return found, end.value


MANY = company(*(video(n, at(1) + timedelta(hours=n)) for n in range(1, 121)))


def test_a_list_that_is_shorter_than_it_says_is_refused(channel: Channel) -> None:
    def shorten(resource: str, content: dict[str, Any]) -> None:
        if resource == "playlistItems" and content["pageInfo"]["totalResults"] == 120 and len(content["items"]) == 50:
            del content["items"][20:]

    with pytest.raises(VendorError, match="says that it has 120 videos, and 60 came"):
        of_videos(channel, MANY, changing(shorten))


def test_a_list_that_says_more_than_the_channel_has_is_whole(channel: Channel) -> None:
    def say_more(resource: str, content: dict[str, Any]) -> None:
        if resource == "playlistItems":
            content["pageInfo"]["totalResults"] += 7

    assert len(of_videos(channel, MANY, changing(say_more))[0]) == 120


def test_videos_that_an_answer_leaves_out_are_asked_for_again(channel: Channel) -> None:
    def leave_out(resource: str, content: dict[str, Any]) -> None:
        if resource == "videos" and len(content["items"]) == 50:
            del content["items"][30:]

    assert len({*of_videos(channel, MANY, changing(leave_out))[0]}) == 120


def test_a_video_that_is_listed_no_more_stays_while_youtube_has_it(channel: Channel) -> None:
    def unlist(resource: str, content: dict[str, Any]) -> None:
        if resource == "playlistItems":
            content["items"] = content["items"][1:]
            content["pageInfo"]["totalResults"] = 2

    three = company(video(1), video(2), video(3))
    whole, first = of_videos(channel, three)
    found, again = of_videos(channel, three, changing(unlist), first.cursor)
    assert (sorted(found), again) == (sorted(whole), first)
    found, after = of_videos(channel, company(video(1), video(2)), cursor=first.cursor)
    assert sorted(found) == ["video-00001", "video-00002"]
    assert after.cursor != first.cursor


def test_days_before_the_oldest_video_that_youtube_lists_are_not_covered(channel: Channel, monkeypatch: Any) -> None:
    """Of a channel with more uploads than it lists, the list says that it has as many as it lists."""
    for module in ("pipelines.youtube.api", "pipelines.youtube.videos", "pipelines.sandbox.youtube"):
        monkeypatch.setattr(import_module(module), "MOST_LISTED", 100)
    found, covered = of_videos(channel, MANY)
    assert (100, at(1) + timedelta(hours=21), at(20)) == (len(found), covered.start, covered.end)
    hundred = company(*MANY.videos[20:])
    assert (100, None) == (len(of_videos(channel, hundred)[0]), of_videos(channel, hundred)[1].start)


def test_a_private_video_counts_once_it_is_public(channel: Channel) -> None:
    announced = company(video(1), video(2, published=at(10)))
    channel.load(announced, at(9, 20))
    assert channel.said("video.published", "subject_id") == [("video-00001",)]
    channel.load(announced, at(10, 20))
    assert channel.said("video.published", "subject_id", "occurred_at") == [
        ("video-00001", at(1)),
        ("video-00002", at(10)),
    ]


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [("status", "privacyStatus", "unlisted"), ("snippet", "liveBroadcastContent", "upcoming")],
)
def test_what_the_public_cannot_watch_yet_is_not_published(channel: Channel, part: str, field: str, value: str) -> None:
    def change(resource: str, content: dict[str, Any]) -> None:
        if resource == "videos":
            content["items"][0][part][field] = value

    channel.load(company(video(1), video(2)), at(5), changing(change))
    assert channel.said("video.published", "subject_id") == [("video-00001",)]


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("PT1H", 3_600), ("P1DT2H3M4S", 93_784), ("P1W", 604_800), ("PT59S", 59), ("P0D", None), (None, None)],
)
def test_a_length_is_read_as_the_vendor_writes_it(channel: Channel, duration: str | None, seconds: int | None) -> None:
    def change(resource: str, content: dict[str, Any]) -> None:
        if resource == "videos":
            content["items"][0]["contentDetails"]["duration"] = duration

    channel.load(company(video(1)), at(5), changing(change))
    assert channel.said("video.published", "quantity") == [(seconds,)]


@pytest.mark.parametrize("published", [None, "yesterday", "2062-01-01T00:00:00Z"])
def test_a_video_without_a_possible_date_is_quarantined_alone(channel: Channel, published: str | None) -> None:
    def change(resource: str, content: dict[str, Any]) -> None:
        if resource == "videos":
            content["items"][0]["snippet"]["publishedAt"] = published

    channel.load(company(video(1), video(2)), at(5), changing(change))
    assert channel.said("video.published", "subject_id") == [("video-00001",)]
    assert channel.problems() == [("video-00002", f"publishedAt: not a past time ({published or 'nothing'})")]


def test_a_length_that_is_none_is_quarantined(channel: Channel) -> None:
    def change(resource: str, content: dict[str, Any]) -> None:
        if resource == "videos":
            content["items"][0]["contentDetails"]["duration"] = "1:02"

    channel.load(company(video(1)), at(5), changing(change))
    assert channel.problems() == [("video-00001", "duration: not a duration (1:02)")]


def test_a_used_up_quota_ends_the_stream_until_midnight_in_california(channel: Channel) -> None:
    loads = channel.load(company(video(1)), at(5), units_a_day=1)
    assert loads["channel_statistics"].failure is None
    assert loads["videos"].covered is None
    assert "asks to wait 24.0 hours: a quota is used up" in str(loads["videos"].failure)
    assert channel.load(company(video(1)), at(6))["videos"].failure is None
    assert channel.said("video.published", "subject_id") == [("video-00001",)]


def test_a_rate_that_is_too_high_is_waited_for(channel: Channel) -> None:
    refusal = {"error": {"code": 403, "errors": [{"domain": "usageLimits", "reason": "userRateLimitExceeded"}]}}
    left = [JSONResponse(refusal, 403), JSONResponse(refusal, 403)]

    def around(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            await (left.pop() if left else app)(scope, receive, send)

        return wrapped

    assert len(channel.read("channel_statistics", company(video()), at(5), around)) == 2
    assert left == []
    assert SharedClock(channel.folder / "clock.json").waited_seconds() > 0


def test_the_key_is_in_no_query(channel: Channel) -> None:
    seen: list[tuple[str, str]] = []
    channel.load(company(video()), at(5), noting(seen))
    assert len(seen) == 4
    assert not [query for _, query in seen if stand_in.CREDENTIALS["api_key"] in query or "key=" in query]


@pytest.mark.parametrize("stream", ["channel_statistics", "videos"])
def test_a_wrong_key_names_the_setting_and_nothing_secret(channel: Channel, stream: str) -> None:
    channel.monkeypatch.setenv(SETTINGS + "API_KEY", "canary-of-the-wrong-key")
    with pytest.raises(SourceConfigError, match=r"sources\.agencia\.youtube\.api_key") as refused:
        channel.read(stream, company(video()), at(5))
    assert "canary" not in str(refused.value)


def test_a_forbidden_key_names_the_setting(channel: Channel) -> None:
    disabled = {"error": {"code": 403, "errors": [{"domain": "usageLimits", "reason": "accessNotConfigured"}]}}
    with pytest.raises(SourceConfigError, match=r"sources\.agencia\.youtube\.api_key"):
        channel.read("videos", company(video()), at(5), answering("channels", JSONResponse(disabled, 403)))


def test_a_missing_key_names_the_setting_its_variable_and_its_file(channel: Channel) -> None:
    channel.monkeypatch.delenv(SETTINGS + "API_KEY")
    channel.monkeypatch.setenv("API_KEY", "somebody-elses")
    with pytest.raises(SourceConfigError) as missing:
        channel.read("videos", company(video()), at(5))
    for said in ("sources.agencia.youtube.api_key", "SOURCES__AGENCIA__YOUTUBE__API_KEY", ".dlt/secrets.toml"):
        assert said in str(missing.value)


def test_a_channel_that_does_not_exist_names_the_option(channel: Channel) -> None:
    account = Account("agencia", "youtube", "Europe/Madrid")
    channel.source = Source(YOUTUBE, account, YouTubeOptions(channel="UC" + "x" * 22))
    failures = [str(load.failure) for load in channel.load(company(video()), at(5)).values()]
    assert all("there is no channel UCxxx" in failure and "`channel`" in failure for failure in failures)


KIND: dict[str, Any] = {"kind": "youtube#aListResponse", "pageInfo": {"totalResults": 1, "resultsPerPage": 50}}
BROKEN = {
    "html": HTMLResponse("<h1>Sorry</h1>"),
    "truncated": PlainTextResponse('{"kind": "youtube#', media_type="application/json"),
    "error": JSONResponse({"error": {"code": 500, "message": "Internal error", "errors": []}}),
    "no items": JSONResponse(KIND),
    "no ids": JSONResponse({**KIND, "items": [{"kind": "youtube#a"}]}),
    "bare items": JSONResponse({**KIND, "items": [{"id": "a"}], "nextPageToken": "again"}),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize(
    ("resource", "stream"), [("channels", "channel_statistics"), ("channels", "videos"), ("playlistItems", "videos")]
)
def test_an_answer_that_only_looks_whole_is_refused(channel: Channel, resource: str, stream: str, kind: str) -> None:
    with pytest.raises(VendorError, match="reads it again"):
        channel.read(stream, company(video()), at(5), answering(resource, BROKEN[kind]))


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if kind != "bare items"])
def test_videos_that_only_look_whole_are_refused(channel: Channel, kind: str) -> None:
    with pytest.raises(VendorError, match="reads it again"):
        channel.read("videos", company(video()), at(5), answering("youtube/v3/videos", BROKEN[kind]))


def test_listed_videos_that_nobody_knows_are_a_contradiction(channel: Channel) -> None:
    nothing = JSONResponse({**KIND, "pageInfo": {"totalResults": 0, "resultsPerPage": 0}})
    with pytest.raises(VendorError, match="knows none of 2 videos"):
        channel.read("videos", company(video(1), video(2)), at(5), answering("youtube/v3/videos", nothing))
    with pytest.raises(VendorError, match="none can be seen"):
        channel.read("videos", company(video(1)), at(5), answering("youtube/v3/videos", nothing))


def test_a_list_that_changes_while_it_is_read_is_read_again_later(channel: Channel) -> None:
    def grow(resource: str, content: dict[str, Any]) -> None:
        if resource == "playlistItems" and "nextPageToken" not in content:
            content["pageInfo"]["totalResults"] += 1

    many = company(*(video(n, at(1) + timedelta(hours=n)) for n in range(60)))
    with pytest.raises(VendorError, match="changed, or repeated itself"):
        channel.read("videos", many, at(20), changing(grow))


def test_a_list_that_repeats_a_page_is_refused(channel: Channel) -> None:
    def repeat(resource: str, content: dict[str, Any]) -> None:
        if resource == "playlistItems":
            content["nextPageToken"] = "MQ=="

    with pytest.raises(VendorError, match="changed, or repeated itself"):
        channel.read("videos", company(video(1), video(2)), at(5), changing(repeat))


def test_a_broken_answer_covers_nothing_and_withdraws_nothing(channel: Channel) -> None:
    channel.load(company(video(1)), at(5))
    loads = channel.load(company(video(1)), at(6), answering("playlistItems", BROKEN["truncated"]))
    assert loads["videos"].covered is None
    assert channel.said("video.published", "subject_id") == [("video-00001",)]
    assert coverage(channel.lake.log.scan(), "Europe/Madrid").spans["video.published"][-1].last == date(2026, 3, 4)


def test_no_personal_data_is_stored(channel: Channel) -> None:
    channel.load(company(video(1), video(2)), at(5))
    for stream in channel.source.streams():
        stored = "".join(channel.lake.raw.scan("youtube", stream.name).collect()["payload"].to_list())
        assert stored
        assert not [text for text in ("Marta", "600 123 456", "Agencia") if text in stored]


def test_the_agencys_channel_comes_out_as_it_was(channel: Channel) -> None:
    agencys = estate_agency(7, date(2025, 9, 1), date(2026, 3, 31))
    first, last = at(1, 22), at(31, 22)
    for present in (first, first + timedelta(days=1), last):
        loads = channel.load(agencys, present)
        assert not [load.failure for load in loads.values() if load.failure]
    alive = [v for v in agencys.videos if v.published_at <= last and (v.removed_at is None or v.removed_at > last)]
    assert alive
    assert channel.said("video.published", "subject_id", "quantity") == [
        (found.id, found.seconds) for found in sorted(alive, key=lambda found: found.published_at)
    ]
    read_after = [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 30)]
    assert channel.said("views.observed", "quantity") == [(agencys.views[day],) for day in read_after]


def test_what_a_source_covers_is_stated_for_each_of_its_types(channel: Channel) -> None:
    channel.load(company(video(1)), at(5))
    assert set(channel.said(COVERED, "covers", "covered_from", "covered_to")) == {
        ("followers.observed", at(5, 0), at(5)),
        ("views.observed", at(5, 0), at(5)),
        ("video.published", None, at(5)),
    }


def test_a_channels_id_is_checked_where_it_is_declared() -> None:
    with pytest.raises(ValueError, match="channel"):
        YouTubeOptions(channel="@agencia")
