"""Facebook against its stand-in: followers, days and posts, and what Meta's Graph API does to who reads it."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import orjson
import polars as pl
import pytest
from crm_office import Answer
from helpdesk_office import Exchange, Office, Reading, at, stored
from meta_company import Only, on, post

from kr_definitions.coverage import coverage
from pipelines.facebook import FACEBOOK, FacebookOptions
from pipelines.meta import days as meta_days
from pipelines.sandbox import facebook as stand_in
from pipelines.source import Covered, Read

PACIFIC = ZoneInfo("America/Los_Angeles")
NOW = at(20, 5)
POSTS = [post(n, at(n, 10), "facebook") for n in (2, 9, 18)]
STREAMS = {"followers", "posts", "post_reactions", "followers_gained", "followers_lost", "views_counted", "post_views"}


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, FACEBOOK, FacebookOptions(page=stand_in.PAGE), stand_in)


def only(office: Office, *streams: str) -> Office:
    office.connector = Only(FACEBOOK, frozenset(streams))
    return office


def error(code: int, subcode: int | None = None, message: str = "x", **more: Any) -> bytes:
    return orjson.dumps({"error": {"message": message, "code": code, "error_subcode": subcode, **more}})


def answering(path: str, status: int, body: bytes, times: int = 10**6, query: str = "", **headers: str) -> Any:
    """The stand-in, but for the first requests to a path (and with a query), which get another answer."""
    left = [times]

    def alter(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith(path) or query not in exchange.query or not left[0]:
            return None
        left[0] -= 1
        return status, {name.replace("_", "-"): value for name, value in headers.items()}, body

    return alter


def changing(path: str, change: Any) -> Any:
    """The stand-in, with the content of a path's answers changed."""

    def alter(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith(path):
            return None
        content = exchange.content
        return 200, {}, orjson.dumps(change(content) or content)

    return alter


def reading(office: Office, stream: str, alter: Any = None, now: datetime = NOW, **settings: Any) -> Reading:
    application = office.served(on("facebook", *POSTS), now, alter, **settings)
    found = office.first(application, stream, now)
    office.exchanges = application.exchanges  # type: ignore[attr-defined]
    return found


def asked(office: Office, path: str) -> list[dict[str, str]]:
    exchanges: list[Exchange] = office.exchanges  # type: ignore[attr-defined]
    return [
        {key: values[0] for key, values in parse_qs(one.query).items()} for one in exchanges if one.path.endswith(path)
    ]


def span(covered: Covered | None) -> tuple[datetime | None, datetime] | None:
    return None if covered is None else (covered.start, covered.end)


def known_days(office: Office, event_type: str) -> list[tuple[str, str]]:
    """The spans of days of which a type is known, as a measure is told them."""
    spans = coverage(office.log(), office.zone).spans[event_type]
    return [(str(one.first), str(one.last)) for one in spans]


def metrics(office: Office) -> Counter[str]:
    return Counter(one["metric"] for one in asked(office, "/insights"))


# Followers and days


def test_a_first_reading_knows_what_facebook_has_kept_and_dates_it_at_the_ends_of_its_days(office: Office) -> None:
    company = on("facebook", *POSTS)
    loads = office.load(company, NOW)
    assert {name: load.failure for name, load in loads.items()} == dict.fromkeys(STREAMS)
    said = office.said("occurred_at", "quantity", "is_reckoned", of="followers.observed")
    profile = company.profiles["facebook"]
    assert [(at_, profile.followers(at_), None) for at_, *_ in said] == said
    midnights = [at_.astimezone(PACIFIC) for at_, *_ in said[:-1]]
    assert {local.hour for local in midnights} == {0}
    assert {at_.hour for at_, *_ in said[:-1]} == {7, 8}  # on either side of 8 March, and of 2 November
    assert (said[-1][0], midnights[0].date()) == (NOW, date(2025, 10, 3))
    assert office.quarantined() == []


def test_who_came_and_went_on_a_day_is_dated_at_its_noon_there(office: Office) -> None:
    only(office, "followers_gained", "followers_lost")
    office.load(on("facebook", *POSTS), NOW)
    came, went = (office.said("occurred_at", "quantity", of=f"followers.{which}") for which in ("gained", "lost"))
    assert [(at_.astimezone(PACIFIC).hour, n) for at_, n in came] == [(12, 3)] * len(came)
    assert [n for _, n in went] == [1] * len(came)
    first, last = (came[n][0].astimezone(PACIFIC).date() for n in (0, -1))
    assert (first, last) == (date(2025, 10, 2), date(2026, 3, 18))  # the 19th is not over there
    assert len(came) == (last - first).days + 1


def test_what_is_covered_begins_with_what_facebook_kept_and_ends_with_what_it_told(office: Office) -> None:
    office = stored(office)
    only(office, "followers", "followers_gained")
    office.load(on("facebook", *POSTS), NOW)
    known = coverage(office.statements(), "Europe/Madrid").spans
    assert [(str(span.first), str(span.last)) for span in known["followers.observed"]] == [("2025-10-03", "2026-03-19")]
    assert [(str(span.first), str(span.last)) for span in known["followers.gained"]] == [("2025-10-03", "2026-03-18")]


def test_a_second_run_stores_the_reading_alone_and_the_next_day_what_is_new(office: Office) -> None:
    company = on("facebook", *POSTS)
    office.load(company, NOW)
    first = len(office.exchanges)
    again = office.load(company, NOW + timedelta(minutes=1))
    assert {name: load.inserted for name, load in again.items() if load.inserted} == {"followers": 2}
    assert len(office.exchanges) < first
    assert metrics(office) == {
        "page_follows": 1, "page_daily_follows_unique": 2, "page_daily_unfollows_unique": 2, "page_media_view": 1,
        "post_media_view": 3,
    }  # fmt: skip
    later = office.load(company, NOW + timedelta(days=1))
    inserted = {name: load.inserted for name, load in later.items()}
    assert inserted == {
        "followers": 3, "posts": 0, "post_reactions": 2, "followers_gained": 1, "followers_lost": 1, "views_counted": 1,
        "post_views": 3,
    }  # fmt: skip
    followers = company.profiles["facebook"].followers(NOW + timedelta(days=1))
    assert office.said("quantity", of="followers.observed")[-1] == (followers,)


def test_days_are_asked_for_one_metric_at_a_time_and_ninety_days_at_most(office: Office) -> None:
    only(office, "followers", "views_counted")
    office.load(on("facebook", *POSTS), NOW)
    spans = [(int(one["since"]), int(one["until"])) for one in asked(office, "/insights") if "since" in one]
    assert max((until - since) / 86_400 for since, until in spans) <= 90.05
    assert {one["metric"].count(",") for one in asked(office, "/insights")} == {0}
    oldest = datetime.fromtimestamp(min(since for since, _ in spans), UTC)
    assert timedelta(days=729) <= NOW - oldest < timedelta(days=730)


def test_a_metric_that_is_no_more_fails_alone_and_says_what_to_do(office: Office) -> None:
    only(office, "followers", "followers_gained", "followers_lost")
    office.with_options(gained="page_fan_adds", followers="page_fans")
    loads = office.load(on("facebook", *POSTS), NOW)
    assert {name for name, load in loads.items() if load.failure} == {"followers_gained"}
    assert str(loads["followers_gained"].failure) == (
        "agencia.facebook: Facebook answered error 100: it does not know the metric page_fan_adds. Name the one that"
        " replaces it in the options in organisation.yaml, or null to go on without"
    )
    assert [key for key, _ in office.quarantined()] == ["metric/page_fan_adds", "metric/page_fans"]
    assert office.said("occurred_at", of="followers.observed") == [(NOW,)]
    assert span(loads["followers"].covered) == (
        at(19, 23),
        NOW,
    )  # from this morning in Madrid: nothing is known of before
    office.with_options(gained=None, followers="page_follows")
    loads = office.load(on("facebook", *POSTS), NOW + timedelta(minutes=5))
    assert {name for name, load in loads.items() if load.failure} == set()
    assert "followers_gained" not in loads


def test_without_the_number_that_was_kept_it_is_reckoned_back_from_who_came_and_went(office: Office) -> None:
    only(office, "followers")
    office.with_options(followers=None)
    company = on("facebook", *POSTS)
    office.load(company, NOW)  # the day before is not told yet, so nothing can be reckoned
    assert office.said("is_reckoned", of="followers.observed") == [(None,)]
    office.load(company, NOW + timedelta(days=2))
    said = office.said("occurred_at", "quantity", "is_reckoned", of="followers.observed")
    assert [is_reckoned for *_, is_reckoned in said] == [True] * (len(said) - 2) + [None, None]
    moved = {
        quantity - company.profiles["facebook"].followers(at_) for at_, quantity, is_reckoned in said if is_reckoned
    }
    assert moved == {0}
    assert said[0][0].astimezone(PACIFIC).date() == date(2025, 10, 2)


def test_a_count_that_does_not_fit_what_came_and_went_is_told_of(office: Office) -> None:
    only(office, "followers")
    company = on("facebook", *POSTS)
    office.load(company, at(10, 5))

    def purged(exchange: Exchange) -> Answer | None:
        if "followers_count" not in exchange.query:
            return None
        return 200, {}, orjson.dumps({"id": stand_in.PAGE, "followers_count": exchange.content["followers_count"] - 50})

    office.load(company, at(11, 5), purged)
    assert office.quarantined() == []  # its days are not told yet
    office.load(company, at(13, 5), purged)
    [(key, problem)] = office.quarantined()
    assert (key, problem.split(":")[0]) == (
        "balance/2026-03-11",
        "-48 followers more than at the reading before, where the network says that 6 came and 2 went",
    )


def test_of_a_page_that_is_not_published_facebook_keeps_five_days(office: Office) -> None:
    assert Covered(at(14, 7), at(19, 7)) == reading(office, "followers_gained", is_published=False).covered


def test_a_page_that_few_follow_has_no_figures_of_days_which_is_not_zero(office: Office) -> None:
    only(office, "followers", "followers_gained")
    few = on("facebook", before=-300)
    loads = office.load(few, NOW)
    assert (
        "Facebook tells nothing of the metric page_daily_follows_unique from 2024-03-20 to 2026-03-18. It has none of"
        " profiles with fewer than 100 followers"
    ) in str(loads["followers_gained"].failure)
    assert office.said("quantity", of="followers.observed") == [(few.profiles["facebook"].followers(NOW),)]
    assert len(office.quarantined()) == 3


@pytest.mark.parametrize(
    ("missing", "covered"),
    [
        ({date(2026, 3, 17), date(2026, 3, 18)}, (date(2025, 10, 2), date(2026, 3, 16))),  # not told yet
        ({date(2026, 3, 3)}, (date(2026, 3, 4), date(2026, 3, 18))),  # a hole: nothing before it is joined to now
    ],
)
def test_a_day_that_is_not_told_is_not_covered(office: Office, missing: set[date], covered: tuple[date, date]) -> None:
    def holey(content: Any) -> None:
        for metric in content["data"]:
            metric["values"] = [one for one in metric["values"] if ended(one) not in missing]

    found = reading(office, "followers_gained", changing("/insights", holey))
    start, end = (meta_days.midnight(day) for day in (covered[0], covered[1] + timedelta(days=1)))
    assert span(found.covered) == (start, end)


def telling(value: Any, first: date, last: date, metric: str = "") -> Any:
    """The stand-in, with another figure of some days: or, of `...`, without them."""

    def alter(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith("/insights") or f"metric={metric}" not in exchange.query:
            return None
        content = exchange.content
        for told in content["data"]:
            for one in [one for one in told["values"] if first <= ended(one) <= last]:
                if value is ...:
                    told["values"].remove(one)
                else:
                    one["value"] = value
        return 200, {}, orjson.dumps(content)

    return alter


@pytest.mark.parametrize("value", [None, "1 234", -3, {"paid": 1}])
@pytest.mark.parametrize(
    ("day", "known"),
    [
        (date(2026, 3, 10), [("2025-10-03", "2026-03-09"), ("2026-03-12", "2026-03-18")]),
        (date(2026, 3, 18), [("2025-10-03", "2026-03-17")]),
    ],
)
def test_a_day_whose_figure_is_no_number_is_not_covered(
    office: Office, value: Any, day: date, known: list[tuple[str, str]]
) -> None:
    only(office, "followers_gained")
    office.load(on("facebook"), NOW, telling(value, day, day))
    assert known_days(office, "followers.gained") == known
    assert len(office.quarantined()) == 1


def test_days_of_which_facebook_kept_no_number_are_not_covered(office: Office) -> None:
    only(office, "followers")
    nulls = telling(None, date(2026, 1, 10), date(2026, 2, 10), "page_follows")
    office.load(on("facebook"), NOW, nulls)
    assert known_days(office, "followers.observed") == [("2026-02-12", "2026-03-19")]


def test_days_between_the_last_kept_number_and_the_reading_are_not_covered_until_they_are_told(office: Office) -> None:
    only(office, "followers")
    company = on("facebook")
    silent = telling(..., date(2026, 3, 16), date(2026, 3, 20))
    for day in (20, 21):
        office.load(company, at(day, 5), silent)
    assert known_days(office, "followers.observed") == [("2025-10-03", "2026-03-16"), ("2026-03-20", "2026-03-20")]
    office.load(company, at(24, 5))
    assert known_days(office, "followers.observed") == [("2025-10-03", "2026-03-23")]


def ended(value: dict[str, Any]) -> date:
    end = datetime.strptime(value["end_time"], "%Y-%m-%dT%H:%M:%S%z")
    return end.astimezone(PACIFIC).date() - timedelta(days=1)


@pytest.mark.parametrize(
    "end_time", ["2026-03-09T08:00:00+0000", "2026-03-09", "2026-03-09T07:00:00", "09/03/2026 7:00", None, 1773039600]
)
def test_a_day_that_does_not_end_at_midnight_in_california_is_loud(office: Office, end_time: Any) -> None:
    def odd(content: Any) -> None:
        if content["data"]:
            content["data"][0]["values"][0]["end_time"] = end_time

    found = reading(office, "followers_gained", changing("/insights", odd))
    assert "has a day that does not end at midnight in California" in str(found.failure)


@pytest.mark.parametrize(
    ("value", "quantity"), [("12", 12), (12.0, None), ({"paid": 1}, None), (None, None), ("many", None), (-4, None)]
)
def test_a_figure_is_a_number_however_it_is_written_or_set_aside(office: Office, value: Any, quantity: Any) -> None:
    def odd(content: Any) -> None:
        for metric in content["data"]:
            for one in metric["values"]:
                if ended(one) == date(2026, 3, 10):
                    one["value"] = value

    def alter(exchange: Exchange) -> Answer | None:
        return changing("/insights", odd)(exchange) if "metric=page_media_view" in exchange.query else None

    found = reading(office, "views_counted", alter)
    [stream] = [one for one in office.source.streams() if one.name == "views_counted"]
    [record] = [one for one in found.records if one.key.endswith("2026-03-10")]
    told = None if record.payload["value"] is None else str(record.payload["value"])
    row = {"record_key": record.key, "revision": None, **record.payload, "value": told}
    names = {part.name: part.dtype for part in stream.payload.fields}
    schema = {"record_key": pl.String(), "revision": pl.Datetime("us", "UTC"), **names}
    said = stream.facts(pl.LazyFrame([row], schema=schema)).collect()
    assert (said.item(0, "quantity"), said.item(0, "problem") is None) == (quantity, quantity is not None)


@pytest.mark.parametrize(
    ("now", "days", "ends"),
    [
        (datetime(2026, 3, 10, 12, tzinfo=UTC), [7, 8, 9], [8, 7, 7]),  # the 8th has 23 hours
        (datetime(2025, 11, 4, 12, tzinfo=UTC), [1, 2, 3], [7, 8, 8]),  # the 2nd has 25 hours
    ],
)
def test_californias_days_are_those_of_its_clocks(now: datetime, days: list[int], ends: list[int]) -> None:
    asked_for = meta_days.asked_days(now - timedelta(days=3), now, 729)
    assert [day.day for day in asked_for] == days
    assert [meta_days.midnight(day + timedelta(days=1)).hour for day in asked_for] == ends


# Posts


def test_posts_are_told_with_what_they_are_and_withdrawn_when_they_are_gone(office: Office) -> None:
    only(office, "posts")
    gone = post(4, at(10, 12), "facebook", kind="photo", removed_at=at(21))
    company = on("facebook", *POSTS, gone)
    office.load(company, NOW)
    told = office.said("occurred_at", "subject_id", "category", "network", "source_url", of="post.published")
    assert told[2] == (
        at(10, 12), f"{stand_in.PAGE}_4", "photo", "facebook", f"https://www.facebook.com/{stand_in.PAGE}_4",
    )  # fmt: skip
    assert [category for _, _, category, *_ in told] == ["video", "video", "photo", "video"]
    office.load(company, at(22, 5))
    assert [id_[-1] for (id_,) in office.said("subject_id", of="post.published")] == ["2", "9", "8"]
    assert f"GET /v25.0/{stand_in.PAGE}_4" in [f"{one.method} {one.path}" for one in office.exchanges]


def test_a_post_that_is_only_missing_in_the_list_stays(office: Office) -> None:
    only(office, "posts")
    company = on("facebook", *POSTS)
    office.load(company, NOW)

    def hiding(content: Any) -> None:
        content["data"] = content["data"][1:]

    office.load(company, NOW + timedelta(days=1), changing("/published_posts", hiding))
    assert len(office.said("subject_id", of="post.published")) == 3
    office.load(company, NOW + timedelta(days=2))  # and is still looked for
    assert len(office.said("subject_id", of="post.published")) == 3


def test_that_most_posts_are_gone_at_once_is_believed_where_facebook_says_so_of_each(office: Office) -> None:
    only(office, "posts")
    many = [post(n, at(1) + timedelta(hours=n), "facebook") for n in range(1, 41)]
    office.load(on("facebook", *many), NOW)
    loads = office.load(on("facebook", *many[:5]), NOW + timedelta(days=1))
    assert (loads["posts"].failure, office.quarantined()) == (None, [])
    assert len(office.said("subject_id", of="post.published")) == 5


DELETED = (
    "(#{}) Object does not exist, cannot be loaded due to missing permission or reviewable feature, or does not support"
    " this operation. This endpoint requires the 'pages_read_engagement' permission."
)


@pytest.mark.parametrize(("code", "subcode"), [(10, None), (100, None), (100, 33)])
def test_a_deleted_post_is_withdrawn_in_whatever_words_facebook_says_it(
    office: Office, code: int, subcode: int | None
) -> None:
    only(office, "posts")
    office.load(on("facebook", *POSTS), NOW)
    said = answering(f"{stand_in.PAGE}_9", 400, error(code, subcode, DELETED.format(code)))
    loads = office.load(on("facebook", POSTS[0], POSTS[2]), at(21, 5), said)
    assert (loads["posts"].failure, office.quarantined()) == (None, [])
    assert [id_[-1] for (id_,) in office.said("subject_id", of="post.published")] == ["2", "8"]


def test_a_missing_post_of_which_it_cannot_be_said_that_it_is_gone_stays_and_is_told_of_until_it_can(
    office: Office,
) -> None:
    only(office, "posts")
    office.load(on("facebook", *POSTS), NOW)
    left = on("facebook", POSTS[0], POSTS[2], *(post(n, at(n, 10), "facebook") for n in (30, 100)))

    def unseen(exchange: Exchange) -> Answer | None:  # what is listed cannot be read by its id either
        return (400, {}, error(10, message=DELETED.format(10))) if "fields=id&" in exchange.query else None

    for day in (21, 98, 100):  # the 2nd and the 9th are older than posts_days by then
        assert office.load(left, at(day, 5), unseen)["posts"].failure is None
        assert [key for key, _ in office.quarantined()] == [f"doubt/{stand_in.PAGE}_9"]
        assert f"{stand_in.PAGE}_9" in {id_ for (id_,) in office.said("subject_id", of="post.published")}
    assert "it cannot be said whether it is gone: Facebook answered error 10" in office.quarantined()[0][1]
    office.load(left, at(101, 5))
    assert office.quarantined() == []
    assert [id_[-1] for (id_,) in office.said("subject_id", of="post.published")] == ["2", "8", "0", "0"]


def test_where_asking_for_missing_posts_fails_the_stream_goes_on_and_asks_for_no_more(office: Office) -> None:
    only(office, "posts")
    office.load(on("facebook", *POSTS), NOW)
    failing = answering(f"{stand_in.PAGE}_18", 500, b"{}")
    loads = office.load(on("facebook", POSTS[0]), at(21, 5), failing)
    assert loads["posts"].failure is None
    assert len(office.quarantined()) == 2
    assert {one.path[-2:] for one in office.exchanges if one.query.startswith("fields=id&")} == {"18"}
    assert len(office.said("subject_id", of="post.published")) == 3


def test_a_post_of_long_ago_is_known_from_the_first_reading_and_not_walked_to_again(office: Office) -> None:
    only(office, "posts")
    old = [post(n, at(1) - timedelta(days=120, hours=n), "facebook") for n in range(1, 131)]
    company = on("facebook", *old, *POSTS)
    loads = office.load(company, NOW)
    assert (loads["posts"].inserted, len(asked(office, "/published_posts"))) == (133, 2)
    office.load(company, NOW + timedelta(days=1))
    walks = asked(office, "/published_posts")
    assert [int(one["since"]) for one in walks] == [int((NOW + timedelta(days=1 - 90)).timestamp())]


def test_reactions_and_views_are_told_when_they_have_grown(office: Office) -> None:
    only(office, "post_reactions", "post_views")
    company = on("facebook", *POSTS)
    office.load(company, at(19, 5))
    young = POSTS[2]
    for event_type, most in (("post.reactions_observed", 100), ("post.views_observed", 1000)):
        told = office.said("subject_id", "quantity", "occurred_at", of=event_type)
        assert (f"{stand_in.PAGE}_18", young.so_far(most, at(19, 5)), at(19, 5)) in told
    office.load(company, at(20, 5))
    grown = [q for id_, q in office.said("subject_id", "quantity", of="post.views_observed") if id_.endswith("_18")]
    assert grown == [young.so_far(1000, at(19, 5)), young.so_far(1000, at(20, 5))]


def test_views_of_posts_that_have_none_are_not_told_and_of_all_is_an_error(office: Office) -> None:
    reel = f"{POSTS[0].id}/insights"
    refused = error(100, message="(#100) The value must be a valid insights metric")
    found = reading(office, "post_views", answering(reel, 400, refused))
    assert (len(found.records), found.failure) == (2, None)
    found = reading(office, "post_views", answering(reel, 400, error(100, 33)))
    assert (len(found.records), found.failure) == (2, None)
    found = reading(office, "post_views", answering("/insights", 400, refused))
    assert "it does not know the metric post_media_view" in str(found.failure)


def test_where_the_only_young_post_is_of_a_kind_without_views_an_older_one_says_that_the_metric_is_known(
    office: Office,
) -> None:
    text = post(19, at(19, 10), "facebook", kind="text")
    old = post(4, at(4) - timedelta(days=60), "facebook")
    refused = error(100, message="(#100) The value must be a valid insights metric")

    def without(exchange: Exchange) -> Answer | None:
        return answering("_19/insights", 400, refused)(exchange)

    found = office.first(office.served(on("facebook", text, old), NOW, without), "post_views", NOW)
    assert (found.failure, found.records) == (None, [])
    alone = office.first(office.served(on("facebook", text), NOW, without), "post_views", NOW)
    assert "it does not know the metric post_media_view" in str(alone.failure)


MALFORMED = [{"data": [None]}, {"data": [{"values": ["n/a"]}]}, {"data": [{"values": {"a": 1}}]}, {"data": ["x"]}]


@pytest.mark.parametrize("body", MALFORMED)
@pytest.mark.parametrize("stream", ["followers_gained", "post_views"])
def test_a_metric_in_another_shape_is_that_streams_failure(office: Office, stream: str, body: Any) -> None:
    found = reading(office, stream, answering("/insights", 200, orjson.dumps(body)))
    assert "came in another shape than Meta documents" in str(found.failure)


def test_a_metric_of_followers_in_another_shape_leaves_their_number(office: Office) -> None:
    only(office, "followers")
    office.load(on("facebook"), NOW, answering("/insights", 200, orjson.dumps({"data": [None]}), query="unfollows"))
    [(key, problem)] = office.quarantined()
    assert (key, "in another shape than Meta documents" in problem) == ("metric/page_daily_unfollows_unique", True)
    assert len(office.said("quantity", of="followers.observed")) > 100


def test_a_metric_that_failed_at_the_first_reading_is_asked_for_from_its_beginning_by_the_next(office: Office) -> None:
    only(office, "followers")
    office.load(on("facebook"), NOW, answering("/insights", 200, orjson.dumps({"data": [None]})))
    assert known_days(office, "followers.observed") == []
    office.load(on("facebook"), at(21, 5))
    assert (office.quarantined(), known_days(office, "followers.observed")) == ([], [("2025-10-03", "2026-03-20")])


def test_a_number_of_followers_that_is_none_covers_nothing(office: Office) -> None:
    only(office, "followers")
    loads = office.load(
        on("facebook"), NOW, changing(f"/{stand_in.PAGE}", lambda said: {**said, "followers_count": None})
    )
    assert "the number of followers came as what is no number" in str(loads["followers"].failure)
    assert [key for key, _ in office.quarantined()] == ["reading/2026-03-20"]


@pytest.mark.parametrize(
    ("created", "problem"),
    [
        ("2062-01-01T09:00:00+0000", "is in the future"),
        ("2026-03-18T10:00:00", "published: not a time (2026-03-18T10:00:00)"),
        ("18/03/2026", "published: not a time (18/03/2026)"),
        (None, "published: not a time (nothing)"),
    ],
)
def test_a_post_of_a_time_that_cannot_be_is_set_aside_alone(office: Office, created: Any, problem: str) -> None:
    only(office, "posts")

    def odd(content: Any) -> None:
        content["data"][0]["created_time"] = created

    office.load(on("facebook", *POSTS), NOW, changing("/published_posts", odd))
    assert [(key, problem in found) for key, found in office.quarantined()] == [(f"{stand_in.PAGE}_18", True)]
    assert len(office.said("subject_id", of="post.published")) == 2


def test_what_is_kept_is_exactly_this_and_nobodys_words(office: Office) -> None:
    office.load(on("facebook", *POSTS), NOW)
    kept = {
        one.name: set().union(*map(orjson.loads, office.rows(one.name)["payload"]))
        for one in office.source.streams()
    }  # fmt: skip
    figure = {"id", "at", "kind", "count"}
    day = {"profile", "date", "value"}
    assert kept == {
        "followers": {"kind", "profile", "date", "at", "count", "gained", "lost", "refused"},
        "posts": {"id", "at", "kind", "address"},
        "post_reactions": figure, "post_views": figure,
        "followers_gained": day, "followers_lost": day, "views_counted": day,
    }  # fmt: skip
    assert "Marta" not in office.stored()
    fields = {name for one in asked(office, "/published_posts") for name in one["fields"].split(",")}
    assert fields == {"id", "created_time", "status_type", "reactions.limit(0).summary(total_count)"}


# Going on


def test_days_go_on_after_the_last_window_that_was_read(office: Office) -> None:
    first = reading(office, "followers_gained")
    assert len(first.marks) == 9
    application = office.served(on("facebook", *POSTS), NOW)
    rest = office.read(application, "followers_gained", Read(None, NOW, None, office.clock, first.marks[6]))
    assert len([one for one in application.exchanges if "metric=" in one.query]) == 2
    assert rest.covered == first.covered
    assert rest.keys == first.keys[-len(rest.keys) :]


def test_posts_go_on_after_the_last_page_that_was_read(office: Office) -> None:
    many = [post(n, at(1) - timedelta(hours=n), "facebook") for n in range(1, 251)]
    application = office.served(on("facebook", *many), NOW)
    first = office.first(application, "posts", NOW)
    rest = office.read(application, "posts", Read(None, NOW, None, office.clock, first.marks[1]))
    assert len(first.keys) == 250
    assert set(rest.keys) - set(first.keys[200:]) == {first.keys[199]}  # the mark's own second is read again
    assert rest.covered == first.covered


# What Meta answers


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            400,
            error(190, 463),
            "error 190, 463: the access token is not valid (it has expired). Renew sources.agencia.facebook.access",
        ),
        (401, error(190, 460), "the access token is not valid (the password was changed)"),
        (400, error(190), "the access token is not valid (it has expired or was revoked)"),
        (400, error(102), "the access token is not valid"),
        (403, error(10), "error 10: the access token lacks a permission. Give sources.agencia.facebook.access_token"),
        (400, error(200), "the access token lacks a permission"),
        (400, error(100, 33), "there is nothing of that id that the access token may see. Check the id"),
        (
            400,
            error(2500),
            "it does not serve what was asked for, or not any more in this version. Set sources.agencia",
        ),
        (400, error(999, message="Con Marta Ruiz"), "Facebook answered error 999. Nothing is counted as read"),
        (200, error(190), "the access token is not valid"),
        (200, b'{"id": "1"}', "answered without followers_count"),
        (200, b"<html>", "answered HTTP 200 with what is not JSON"),
        (200, b'{"followers_count": 12', "answered HTTP 200 with what is not JSON"),
        (404, b"", "answered HTTP 404"),
    ],
)
def test_each_error_says_what_it_asks_for(office: Office, status: int, body: bytes, said: str) -> None:
    found = reading(office, "followers", answering(f"/{stand_in.PAGE}", status, body))
    assert found.records == []
    assert said in str(found.failure)
    assert "Marta" not in str(found.failure)


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80001, 80006])
def test_a_limit_is_an_http_400_and_is_waited_for(office: Office, code: int) -> None:
    found = reading(office, "followers", answering(f"/{stand_in.PAGE}", 400, error(code), times=2))
    assert (found.failure, office.clock.waited_seconds()) == (None, 600)


def test_a_limit_lasts_as_long_as_its_header_says(office: Office) -> None:
    usage = orjson.dumps({"1": [{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 7}]}).decode()
    limited = answering(f"/{stand_in.PAGE}", 400, error(80001), times=1, X_Business_Use_Case_Usage=usage)
    assert (reading(office, "followers", limited).failure, office.clock.waited_seconds()) == (None, 420)


def test_a_limit_that_lasts_for_hours_ends_the_stream_for_today(office: Office) -> None:
    limited = stand_in.app(office.desk(on("facebook"), NOW), calls_a_day=3)
    found = office.first(limited, "followers_gained", NOW)
    assert "asks to wait 24.0 hours: a quota is used up" in str(found.failure)
    assert len(found.marks) == 2


def test_the_number_of_followers_is_known_whatever_becomes_of_its_metrics(office: Office) -> None:
    limited = stand_in.app(office.desk(on("facebook"), NOW), calls_a_day=1)
    found = office.first(limited, "followers", NOW)
    assert (found.failure, span(found.covered)) == (None, (at(19, 23), NOW))
    told = {record.key: record.payload.get("refused") for record in found.records}
    assert list(told) == [
        "reading/2026-03-20", "balance/2026-03-20", "metric/page_follows", "metric/page_daily_follows_unique",
        "metric/page_daily_unfollows_unique",
    ]  # fmt: skip
    assert all("a quota is used up" in str(said) for key, said in told.items() if key.startswith("metric"))


@pytest.mark.parametrize("usage", ["not json", "[]", '{"1": [7]}', '{"1": [{"call_count": "94"}]}'])
def test_a_limit_that_is_far_or_not_understood_is_not_waited_for(office: Office, usage: str) -> None:
    alter = changing_headers("X-Business-Use-Case-Usage", usage)
    assert (reading(office, "posts", alter).failure, office.clock.waited_seconds()) == (None, 0)


@pytest.mark.parametrize("header", ["X-Business-Use-Case-Usage", "X-App-Usage"])
def test_where_a_limit_is_nearly_used_up_we_ask_once_a_minute(office: Office, header: str) -> None:
    use = {"call_count": 96, "total_time": 1, "total_cputime": 1}
    usage = orjson.dumps(use if header == "X-App-Usage" else {"1": [use]}).decode()
    reading(office, "post_views", changing_headers(header, usage))
    exchanges: list[Exchange] = office.exchanges  # type: ignore[attr-defined]
    assert office.clock.waited_seconds() == 60 * (len(exchanges) - 1) > 0


def changing_headers(name: str, value: str) -> Any:
    return lambda exchange: (exchange.status, {name: value}, exchange.answer)


@pytest.mark.parametrize("body", [error(1), error(2), error(4711, is_transient=True)])
def test_what_is_transient_is_tried_again(office: Office, body: bytes) -> None:
    found = reading(office, "followers", answering(f"/{stand_in.PAGE}", 400, body, times=3))
    assert (found.failure, office.clock.waited_seconds()) == (None, 1 + 2 + 4)


def test_where_a_page_is_too_much_less_is_asked_for(office: Office) -> None:
    said = "Please reduce the amount of data you're asking for, then retry your request"
    too_much = answering("/published_posts", 500, error(1, message=said), query="limit=100")
    found = reading(office, "posts", too_much)
    assert (found.failure, len(found.records)) == (None, 3)
    assert [one["limit"] for one in asked(office, "/published_posts")] == ["100", "25"]
    never = reading(office, "posts", answering("/published_posts", 500, error(1, message=said)))
    assert "cannot gather as much as one record at once" in str(never.failure)


MORE = {"cursors": {"after": "again"}, "next": "https://x"}


def again(content: Any) -> None:
    content["paging"] = MORE


def fresh_cursors() -> Any:
    turn = [0]

    def change(content: Any) -> None:
        turn[0] += 1
        content["paging"] = {"cursors": {"after": f"c{turn[0]}"}, "next": "https://x"}

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: {"paging": {}}, "answered without data"),
        (lambda content: {"data": {}}, "what are not records with ids"),
        (lambda content: {"data": [{"created_time": "x"}]}, "what are not records with ids"),
        (lambda content: {**content, "paging": {"next": "https://x"}}, "says that there are more, but not where"),
        (lambda content: {**content, "data": [{"id": "1_1", "name": "x"}]}, "a page holds what was not asked for"),
        (lambda content: {**content, "paging": ["x"]}, "a page came in another shape than Meta documents"),
    ],
)
def test_a_list_that_cannot_be_trusted_is_loud(office: Office, change: Any, said: str) -> None:
    assert said in str(reading(office, "posts", changing("/published_posts", change)).failure)


@pytest.mark.parametrize("change", [again, fresh_cursors()])
def test_a_list_that_repeats_itself_is_loud(office: Office, change: Any) -> None:
    def repeats(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith("/published_posts"):
            return None
        content = {"data": [{"id": "1_1", "created_time": "2026-03-02T09:00:00+0000"}]}
        change(content)
        return 200, {}, orjson.dumps(content)

    assert "the list of published_posts repeats itself" in str(reading(office, "posts", repeats).failure)


@pytest.mark.parametrize(("empty", "failure"), [(20, None), (21, "21 empty pages say that there are more")])
def test_an_empty_page_is_not_the_end_where_it_says_that_there_are_more_but_not_for_ever(
    office: Office, empty: int, failure: str | None
) -> None:
    left = [2 * empty]  # each is asked for again before it is believed

    def hollow(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith("/published_posts"):
            return None
        if not left[0]:
            return 200, {}, orjson.dumps({"data": [{"id": "1_1", "created_time": "2026-03-02T09:00:00+0000"}]})
        left[0] -= 1
        paging = {"cursors": {"after": f"c{left[0]}"}, "next": "https://x"}
        return 200, {}, orjson.dumps({"data": [], "paging": paging})

    found = reading(office, "posts", hollow)
    assert failure in str(found.failure) if failure else (found.failure, found.keys) == (None, ["1_1"])


def test_an_empty_page_after_the_last_one_is_the_end(office: Office) -> None:
    def promising(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith("/published_posts") or "after=" in exchange.query:
            return None
        last = exchange.content["paging"]["cursors"]["after"]
        paging = {"cursors": {"after": last}, "next": "https://x"}
        return 200, {}, orjson.dumps({**exchange.content, "paging": paging})

    found = reading(office, "posts", promising)
    assert (len(found.records), len(asked(office, "/published_posts")), found.failure) == (3, 2, None)


# Who asks, and for which version


def test_the_token_is_in_a_header_and_its_proof_beside_it(office: Office) -> None:
    reading(office, "posts")
    exchanges: list[Exchange] = office.exchanges  # type: ignore[attr-defined]
    token, secret = (stand_in.CREDENTIALS[name].encode() for name in ("access_token", "app_secret"))
    assert {one.headers["authorization"] for one in exchanges} == {f"Bearer {token.decode()}"}
    proof = hmac.new(secret, token, hashlib.sha256).hexdigest()
    assert {one["appsecret_proof"] for one in asked(office, "/published_posts")} == {proof}
    assert not [one for one in exchanges if token.decode() in one.query]
    office.configure(app_secret=None)
    reading(office, "posts")
    assert {"appsecret_proof" in one for one in asked(office, "/published_posts")} == {False}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"access_token": None}, "sources.agencia.facebook.access_token is not set"),
        ({"access_token": "EAAanother", "app_secret": None}, "the access token is not valid"),
        ({"app_secret": "0f1e2d3c"}, "Facebook answered error 100"),
        ({"api_version": "25"}, "sources.agencia.facebook.api_version is '25'. Write it as Meta does: v25.0"),
        ({"api_version": "v99.0"}, "it does not serve what was asked for"),
    ],
)
def test_what_is_not_configured_right_says_so(office: Office, settings: dict[str, str | None], said: str) -> None:
    office.configure(**settings)
    assert said in str(reading(office, "posts").failure)


def test_the_version_is_a_setting(office: Office) -> None:
    office.configure(api_version="v24.0")
    reading(office, "posts")
    exchanges: list[Exchange] = office.exchanges  # type: ignore[attr-defined]
    assert {one.path.split("/")[1] for one in exchanges} == {"v24.0"}


@pytest.mark.parametrize("wrong", [{"page": "agencia"}, {"page": "1", "gained": "a,b"}, {"page": "1", "posts_days": 0}])
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=list(wrong)[-1]):
        FacebookOptions(**wrong)


def test_what_streams_always_say_is_among_the_columns_that_their_facts_have(office: Office) -> None:
    streams = office.source.streams()
    assert {one.name for one in streams} == STREAMS
    assert {"network"} == set().union(*(one.always for one in streams))
    assert all({"network", "subject_id"} <= one.columns() for one in streams)
