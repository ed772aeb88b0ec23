"""Instagram against its stand-in: followers that it does not keep, thirty days, totals day by day, and media."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import orjson
import pytest
from helpdesk_office import Exchange, Office, at
from meta_company import Only, on, post

from kr_definitions.coverage import coverage
from pipelines import instagram
from pipelines.instagram import INSTAGRAM, InstagramOptions
from pipelines.meta.days import midnight
from pipelines.sandbox import instagram as stand_in
from pipelines.source import Covered, Read

PACIFIC = ZoneInfo("America/Los_Angeles")
NOW = at(20, 5)
MEDIA = [post(n, at(n, 10), "instagram", kind=kind) for n, kind in ((2, "image"), (9, "carousel"), (18, "reel"))]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, INSTAGRAM, InstagramOptions(user=stand_in.USER), stand_in)


def only(office: Office, *streams: str) -> Office:
    office.connector = Only(INSTAGRAM, frozenset(streams))
    return office


def asked(exchanges: list[Exchange], metric: str) -> list[tuple[date, date]]:
    """The days that a metric was asked for, from and up to."""
    queries = [parse_qs(one.query) for one in exchanges if f"metric={metric}&" in one.query]
    return [
        (local_day(query["since"][0]), local_day(query["until"][0]) - timedelta(days=1))
        for query in queries
        if "since" in query
    ]


def known_days(office: Office, event_type: str) -> list[tuple[str, str]]:
    """The spans of days of which a type is known, as a measure is told them."""
    spans = coverage(office.log(), office.zone).spans.get(event_type, ())
    return [(str(one.first), str(one.last)) for one in spans]


def local_day(seconds: str) -> date:
    return datetime.fromtimestamp(int(seconds), UTC).astimezone(PACIFIC).date()


def test_followers_before_the_first_reading_are_reckoned_once_its_day_is_told(office: Office) -> None:
    only(office, "followers")
    company = on("instagram", *MEDIA)
    profile = company.profiles["instagram"]
    office.load(company, NOW)
    assert office.said("occurred_at", "quantity", of="followers.observed") == [(NOW, profile.followers(NOW))]
    assert known_days(office, "followers.observed") == []
    office.load(company, NOW + timedelta(days=3))  # who went is told after two days
    said = office.said("occurred_at", "quantity", "is_reckoned", of="followers.observed")
    assert [reckoned for *_, reckoned in said] == [True] * 31 + [None, None]
    assert said[0][0] == midnight(date(2026, 2, 17))
    assert {quantity - profile.followers(at_) for at_, quantity, reckoned in said if reckoned} == {0}
    assert office.quarantined() == []
    assert known_days(office, "followers.observed") == [("2026-02-18", "2026-03-20")]


def test_a_metric_that_fails_on_one_day_takes_neither_the_number_nor_what_was_before_with_it(office: Office) -> None:
    only(office, "followers")

    def failing(exchange: Exchange) -> Any:
        return (500, {}, b"{}") if "follows_and_unfollows" in exchange.query else None

    for day in range(18, 25):
        loads = office.load(on("instagram"), at(day, 5), failing if day == 20 else None)
        assert loads["followers"].failure is None
        assert len(office.quarantined()) == (day == 20)
    assert known_days(office, "followers.observed") == [("2026-02-16", "2026-03-23")]


def test_who_came_is_a_series_and_who_went_is_asked_for_day_by_day_thirty_days_back(office: Office) -> None:
    only(office, "followers_gained", "followers_lost")
    company = on("instagram", *MEDIA)
    office.load(company, NOW)
    days = [date(2026, 2, 17) + timedelta(days=n) for n in range(30)]
    assert asked(office.exchanges, "follower_count") == [(days[0], days[-2]), (days[-1], days[-1])]
    assert asked(office.exchanges, "follows_and_unfollows") == [(day, day) for day in days]
    came, went = (office.said("occurred_at", "quantity", of=f"followers.{which}") for which in ("gained", "lost"))
    assert ([n for _, n in came], [n for _, n in went]) == ([3] * 30, [1] * 28)
    assert [at_.astimezone(PACIFIC).date() for at_, _ in came] == days
    assert known_days(office, "followers.lost") == [("2026-02-18", "2026-03-16")]  # the rest is not told yet


def test_thirty_days_across_the_change_of_the_clocks_are_asked_for_in_as_many_as_instagram_takes(
    office: Office,
) -> None:
    for day in (datetime(2026, 11, 2, 6, tzinfo=UTC), datetime(2026, 11, 22, 6, tzinfo=UTC)):
        for stream in ("followers_gained", "followers"):
            found = office.first(office.served(on("instagram"), day), stream, day)
            assert found.failure is None
            assert [one.payload["refused"] for one in found.records if one.key == "metric/follower_count"] in (
                [],
                [None],
            )


def test_of_what_the_list_ends_with_is_covered_where_there_may_be_more(office: Office, monkeypatch: Any) -> None:
    monkeypatch.setattr(instagram, "MOST_MEDIA", 2)
    monkeypatch.setattr(stand_in, "_MOST_LISTED", 2)
    found = office.first(office.served(on("instagram", *MEDIA), NOW), "posts", NOW)
    assert (found.covered.start, len(found.records)) == (at(9, 10), 2)  # type: ignore[union-attr]
    monkeypatch.setattr(instagram, "MOST_MEDIA", 3)
    all_there = office.first(office.served(on("instagram", MEDIA[2]), NOW), "posts", NOW)
    assert all_there.covered.start is None  # type: ignore[union-attr]


def test_of_two_parts_the_one_that_nobody_is_of_is_none_and_of_none_nothing_is_known(office: Office) -> None:
    def silent(parts: Any) -> Any:
        def alter(exchange: Exchange) -> Any:
            if "follows_and_unfollows" not in exchange.query:
                return None
            content = exchange.content
            content["data"][0]["total_value"] = parts
            return 200, {}, orjson.dumps(content)

        return alter

    nobody_left = {"breakdowns": [{"results": [{"dimension_values": ["FOLLOWER"], "value": 3}]}]}
    found = office.first(office.served(on("instagram"), NOW, silent(nobody_left)), "followers_lost", NOW)
    assert {one.payload["value"] for one in found.records} == {0}
    shell = {"breakdowns": [{"dimension_keys": ["follow_type"]}]}
    empty = {"breakdowns": [{"dimension_keys": ["follow_type"], "results": []}]}
    for nothing in ({}, shell, empty, {"breakdowns": [{"results": [{"dimension_values": ["UNKNOWN"], "value": 2}]}]}):
        unknown = office.first(office.served(on("instagram"), NOW, silent(nothing)), "followers_lost", NOW)
        assert "Instagram tells nothing of the metric follows_and_unfollows" in str(unknown.failure)


def test_views_are_totals_of_days(office: Office) -> None:
    found = office.first(office.served(on("instagram", *MEDIA), NOW), "views_counted", NOW)
    assert found.failure is None
    assert len(found.records) == 30
    on_the_day = next(one for one in found.records if one.key.endswith("2026-03-18"))
    assert int(on_the_day.payload["value"]) > 300  # of the post of that day alone, more than a quarter of its views
    assert found.covered == Covered(midnight(date(2026, 2, 17)), midnight(date(2026, 3, 19)))


def test_what_is_longer_ago_than_thirty_days_is_not_covered_after_a_long_pause(office: Office) -> None:
    since = NOW - timedelta(days=60)
    read = Read(since, NOW, None, office.clock)
    found = office.read(office.served(on("instagram"), NOW), "followers_gained", read)
    assert found.covered == Covered(midnight(date(2026, 2, 17)), midnight(date(2026, 3, 19)))
    levels = office.read(office.served(on("instagram"), NOW), "followers", read)
    assert levels.covered is not None
    assert (levels.covered.start, levels.covered.end) == (
        at(19, 23),
        NOW,
    )  # what was before is not read, though the gain is


def test_an_account_that_few_follow_has_its_number_and_no_days(office: Office) -> None:
    few = office.served(on("instagram", before=-300), NOW)
    assert office.first(few, "followers", NOW).failure is None
    said = str(office.first(few, "followers_gained", NOW).failure)
    assert "Instagram tells nothing of the metric follower_count from 2026-02-17 to 2026-03-18" in said
    assert "fewer than 100 followers" in said


def test_a_metric_that_is_no_more_fails_alone(office: Office) -> None:
    only(office, "followers", "followers_gained", "followers_lost")
    office.with_options(gained="impressions")
    loads = office.load(on("instagram"), NOW)
    assert {name for name, load in loads.items() if load.failure} == {"followers_gained"}
    said = "Instagram answered error 100: it does not know the metric impressions"
    assert said in str(loads["followers_gained"].failure)
    assert [key for key, _ in office.quarantined()] == ["metric/impressions"]


def test_media_are_told_with_what_they_are_and_withdrawn_when_they_are_gone(office: Office) -> None:
    only(office, "posts")
    gone = post(4, at(10, 12), "instagram", kind="image", removed_at=at(21))
    office.load(on("instagram", *MEDIA, gone), NOW)
    told = office.said("occurred_at", "category", "source_url", of="post.published")
    assert [category for _, category, _ in told] == ["image", "carousel", "image", "reel"]
    assert told[0][::2] == (at(2, 10), "https://www.instagram.com/p/2/")
    office.load(on("instagram", *MEDIA, gone), at(22, 5))
    assert len(office.said("subject_id", of="post.published")) == 3
    assert "Marta" not in office.stored()


def test_a_second_reading_asks_for_the_last_media_and_the_last_days_alone(office: Office) -> None:
    only(office, "posts", "followers_gained", "followers_lost").with_options(posts_days=3)
    company = on("instagram", *MEDIA, post(22, at(22, 10), "instagram"))
    assert office.load(company, NOW)["posts"].delivered == 3
    later = office.load(company, at(23, 5))
    assert (later["posts"].delivered, later["posts"].inserted) == (2, 1)
    [listed] = [parse_qs(one.query) for one in office.exchanges if one.path.endswith("/media")]
    assert listed["since"] == [str(int(MEDIA[2].published_at.timestamp()))]
    assert asked(office.exchanges, "follower_count") == [(date(2026, 3, 16), date(2026, 3, 21))]
    went = [(date(2026, 3, day), date(2026, 3, day)) for day in range(14, 22)]
    assert asked(office.exchanges, "follows_and_unfollows") == went


def test_likes_that_are_hidden_are_not_told(office: Office) -> None:
    shown = office.first(office.served(on("instagram", *MEDIA), NOW), "post_reactions", NOW)
    assert [one.payload["count"] for one in shown.records] == [one.so_far(100, NOW) for one in MEDIA[::-1]]
    hidden = office.first(office.served(on("instagram", *MEDIA), NOW, hides_likes=True), "post_reactions", NOW)
    assert (hidden.records, hidden.failure) == ([], None)


def test_a_medium_from_before_the_account_was_a_business_has_no_views(office: Office) -> None:
    def before(exchange: Exchange) -> Any:
        if not exchange.path.endswith(f"{MEDIA[0].id}/insights"):
            return None
        told = {"message": "Media posted before business account conversion", "code": 100, "error_subcode": 2108006}
        return 400, {}, orjson.dumps({"error": told})

    found = office.first(office.served(on("instagram", *MEDIA), NOW, before), "post_views", NOW)
    assert (found.failure, len(found.records)) == (None, 2)


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="user"):
        InstagramOptions(user="@agencia")
