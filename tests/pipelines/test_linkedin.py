"""LinkedIn against its stand-in: followers and days, posts that come and go, versions, quota, tokens, what is loud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpdesk_office import Reading, stored
from meta_company import Only
from social import Exchange, Office, at, changing, company, follows, post

from kr_definitions.coverage import coverage
from pipelines.day_streams import runs
from pipelines.linkedin import LINKEDIN, LinkedInOptions
from pipelines.linkedin.days import asked_days
from pipelines.linkedin.posts import PAYLOAD, facts
from pipelines.profile_days import is_number
from pipelines.sandbox import linkedin as stand_in
from pipelines.sandbox.faults import FAULTS, Fault, Faulty
from pipelines.source import Read

POSTS = tuple(post(n, network="linkedin", kind="article") for n in range(1, 11))
PAGE = company(*POSTS, profiles=(follows("linkedin"),))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, LINKEDIN, LinkedInOptions(organization=stand_in.ORGANIZATION), stand_in)


def read(
    office: Office, stream: str, of: Any, now: datetime, alter: Any = None, **more: Any
) -> tuple[Reading, list[Exchange]]:
    """One reading of a stream. more: since, cursor, mark; what is left is the stand-in's."""
    given = {name: more.pop(name, None) for name in ("since", "cursor", "mark")}
    office.clock.sleep((now - office.clock.now()).total_seconds())
    served = office.served(of, now, alter, **more)
    asked = Read(given["since"], now, given["cursor"], office.clock, given["mark"])
    return office.read(served, stream, asked), [one for one in served.exchanges if "/oauth/" not in one.path]


def urns(*numbers: int) -> list[str]:
    return [f"urn:li:share:{n}" for n in numbers]


# What is understood


def understood(**said: Any) -> dict[str, Any]:
    usual = {
        "id": "urn:li:share:1", "published_at": "1772355600000", "state": "PUBLISHED", "feed": "MAIN_FEED",
        "kind": "article",
    }  # fmt: skip
    schema = {"record_key": pl.String(), "revision": pl.Datetime("us", "UTC"), **PAYLOAD.to_schema()}
    rows = facts(pl.LazyFrame([{"record_key": "1", "revision": None, **usual, **said}], schema=schema)).collect()
    return rows.row(0, named=True) if rows.height else {}


def test_a_post_is_published_at_its_milliseconds() -> None:
    assert understood() == {
        "record_key": "1", "fact_key": "post/urn:li:share:1/published", "event_type": "post.published",
        "subject_id": "urn:li:share:1", "occurred_at": at(1), "network": "linkedin", "category": "article",
        "source_url": "https://www.linkedin.com/feed/update/urn:li:share:1", "problem": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "said", [{"state": "DRAFT"}, {"state": "PUBLISH_REQUESTED"}, {"state": None}, {"feed": "NONE"}]
)
def test_what_nobody_sees_on_the_page_is_no_post(said: dict[str, Any]) -> None:
    assert understood(**said) == {}


@pytest.mark.parametrize("published", [None, "2026-03-01"])
def test_a_time_that_is_none_is_told(published: str | None) -> None:
    assert understood(published_at=published)["problem"] == f"publishedAt: not milliseconds ({published or 'nothing'})"


def test_days_are_asked_for_as_far_back_as_linkedin_knows_them_and_no_further(office: Office) -> None:
    now = at(20, 15)
    start, end = asked_days(Read(None, now, None, office.clock))
    assert now - timedelta(days=365) < start < now - timedelta(days=362)
    assert end == at(18, 0)
    assert asked_days(Read(at(10), now, None, office.clock)) == (at(10, 0), at(18, 0))
    assert asked_days(Read(now, now, None, office.clock)) == (at(17, 0), at(18, 0))


def test_days_make_spans_without_holes() -> None:
    spans = [(date(2026, 3, 1), date(2026, 3, 2)), (date(2026, 3, 5), date(2026, 3, 7))]
    assert runs(date(2026, 3, n) for n in (7, 1, 2, 6, 5)) == spans


@pytest.mark.parametrize(
    ("told", "expected"),
    [(0, True), (12, True), ("12", True), (None, False), (-3, False), ("1 234", False), (True, False), (1.5, False)],
)
def test_a_figure_is_a_number_that_can_be_counted(told: Any, expected: bool) -> None:
    assert is_number(told) is expected


# Followers and days


def test_followers_are_read_and_days_before_are_reckoned_once_the_first_is_told(office: Office) -> None:
    office = stored(office)
    office.load(PAGE, at(10))
    assert office.said("quantity", "is_reckoned", "occurred_at", of="followers.observed") == [(1054, None, at(10))]
    office.load(PAGE, at(13))
    said = office.said("occurred_at", "quantity", "is_reckoned", of="followers.observed")
    assert said[-2:] == [(at(10), 1054, None), (at(13), 1063, None)]
    assert said[-3] == (at(9, 0), 1051, True)
    assert [is_reckoned for _, _, is_reckoned in said[:-2]] == [True] * len(said[:-2])
    known = coverage(office.statements(), office.zone).spans["followers.observed"]
    assert known[-1].last == date(2026, 3, 10)  # nobody read the number on the two days after it
    assert known[0].first < date(2025, 4, 1)
    assert office.quarantined() == []


def test_days_on_which_nobody_read_the_number_are_not_known_whatever_is_told_of_them(office: Office) -> None:
    office = stored(office)
    office.connector = Only(LINKEDIN, frozenset({"followers"}))
    page = company(profiles=(follows("linkedin", days=120),))
    for day in (10, 13, 14, 15, 43):
        office.load(page, at(day))
    spans = coverage(office.statements(), office.zone).spans["followers.observed"]
    assert [(span.first, span.last) for span in spans][-1] == (date(2026, 3, 13), date(2026, 3, 14))
    assert (spans[0].first < date(2025, 4, 1), spans[0].last) == (True, date(2026, 3, 10))
    assert len(spans) == 2


def test_days_before_the_first_reading_are_covered_once_and_remembered_from_when_they_were_told(
    office: Office,
) -> None:
    first, _ = read(office, "followers", PAGE, at(10))
    told, _ = read(office, "followers", PAGE, at(30), since=at(10), cursor=first.covered and first.covered.cursor)
    assert first.covered is not None
    assert told.covered is not None
    assert first.covered.earlier == ()
    [(start, end)] = told.covered.earlier
    assert (start <= at(10, 0) - timedelta(days=362), end) == (True, at(11, 0))
    later, asked = read(office, "followers", PAGE, at(31), since=at(30), cursor=told.covered.cursor)
    assert later.covered is not None
    assert (later.covered.earlier, len(later.keys) < 10, len(asked)) == ((), True, 2)


def test_the_number_that_was_read_stands_where_days_are_not_told(office: Office) -> None:
    def dead(exchange: Exchange) -> Any:
        return (400, {}, b'{"status": 400}') if "FollowerStatistics" in exchange.path else None

    office.connector = Only(LINKEDIN, frozenset({"followers", "followers_gained"}))
    for day in (10, 11, 12):
        loads = office.load(PAGE, at(day), dead)
    assert loads["followers"].failure is None
    assert "refused organizationalEntityFollowerStatistics" in str(loads["followers_gained"].failure)
    assert office.said("quantity", of="followers.observed") == [(1054,), (1057,), (1060,)]
    [(key, problem)] = office.quarantined()
    assert (key, problem[:32]) == ("metric/came_and_went", "what came and went is not known:")
    known = coverage(office.log(), office.zone).spans["followers.observed"]
    assert [(span.first, span.last) for span in known] == [(date(2026, 3, 10), date(2026, 3, 11))]
    office.load(PAGE, at(13))
    assert office.quarantined() == []
    assert office.said("is_reckoned", of="followers.observed")[0] == (True,)


def test_a_day_whose_figure_is_no_number_is_not_covered_and_those_around_it_are(office: Office) -> None:
    def spoil(exchange: Exchange, content: Any) -> bool | None:
        if "ShareStatistics" not in exchange.path:
            return False
        content["elements"][-4]["totalShareStatistics"]["impressionCount"] = None
        return None

    found, _ = read(office, "views", PAGE, at(10), changing(spoil))
    assert found.covered is not None
    assert (found.covered.start, found.covered.end) == (at(5, 0), at(8, 0))
    [(start, end)] = found.covered.earlier
    assert (start < at(1) - timedelta(days=300), end) == (True, at(4, 0))


def test_days_whose_figures_are_no_numbers_at_all_are_refused(office: Office) -> None:
    def spoil(exchange: Exchange, content: Any) -> None:
        for one in content["elements"]:
            one["totalShareStatistics"]["impressionCount"] = "many"

    found, _ = read(office, "views", PAGE, at(10), changing(spoil))
    assert found.covered is None
    assert "is no number on any of them" in str(found.failure)


def test_what_came_and_went_and_was_seen_is_of_the_days_that_linkedin_tells(office: Office) -> None:
    office = stored(office)
    office.load(PAGE, at(10, 15))
    gained = office.said("occurred_at", "quantity", "network", of="followers.gained")
    assert gained[-1] == (at(7, 12), 3, "linkedin")
    assert {quantity for _, quantity, _ in gained[-10:]} == {3}
    assert {quantity for (quantity,) in office.said("quantity", of="followers.lost")} == {0}
    assert office.said("quantity", of="views.counted")[-3:] == [(100,)] * 3
    known = coverage(office.statements(), office.zone).spans
    assert {known[of][-1].last for of in ("followers.gained", "views.counted")} == {date(2026, 3, 7)}


def test_a_day_on_which_more_went_than_came_is_a_loss(office: Office) -> None:
    shrinking = company(profiles=(follows("linkedin", gained=1, lost=4),))
    lost, _ = read(office, "followers_lost", shrinking, at(10))
    gained, _ = read(office, "followers_gained", shrinking, at(10))
    assert [one.payload["value"] for one in lost.records][-3:] == [3] * 3
    assert [one.payload["value"] for one in gained.records][-3:] == [0] * 3


def test_followers_that_do_not_fit_what_came_and_went_are_told_of(office: Office) -> None:
    def remove(exchange: Exchange, content: Any) -> bool | None:
        if "firstDegreeSize" not in content:
            return False
        content["firstDegreeSize"] -= 40
        return None

    office.load(PAGE, at(10))
    office.load(PAGE, at(11), changing(remove))
    office.load(PAGE, at(14), changing(remove))
    [(key, problem)] = office.quarantined()
    assert key == "balance/2026-03-11"
    assert problem.startswith("-37 followers more than at the reading before, where the network says that")
    assert len(office.said("quantity", of="followers.observed")) > 2


def test_a_later_reading_asks_for_the_last_days_only(office: Office) -> None:
    first, asked = read(office, "followers_gained", PAGE, at(10))
    assert len(first.keys) > 350
    assert len(asked) == 1
    later, asked = read(office, "followers_gained", PAGE, at(11), since=at(8, 0) - timedelta(days=5))
    assert later.keys == [f"40123456/2026-03-0{n}" for n in range(3, 9)]
    assert len(asked) == 1


def test_a_day_that_is_left_out_is_not_covered(office: Office) -> None:
    def hole(exchange: Exchange, content: Any) -> None:
        del content["elements"][-4]

    found, _ = read(office, "followers_gained", PAGE, at(10), changing(hole))
    assert found.covered is not None
    assert (found.covered.start, found.covered.end) == (at(5, 0), at(8, 0))
    assert [end for _, end in found.covered.earlier] == [at(4, 0)]


def test_the_urn_is_encoded_and_the_rest_of_the_query_is_not(office: Office) -> None:
    _, asked = read(office, "followers_gained", PAGE, at(10))
    urn, start = "organizationalEntity=urn%3Ali%3Aorganization%3A40123456", int(at(1, 0).timestamp() * 1000)
    assert f"{urn}&timeIntervals=(timeRange:(start:" in asked[0].query
    assert f"end:{start + 7 * 86_400_000}),timeGranularityType:DAY)" in asked[0].query
    assert asked[0].headers["linkedin-version"] == "202607"


# Posts


def test_all_posts_are_read_and_advertisements_are_none(office: Office) -> None:
    found, asked = read(office, "posts", PAGE, at(20))
    assert {*found.keys} == {*urns(*range(1, 11)), "urn:li:ugcPost:5", "urn:li:ugcPost:10"}
    assert len(asked) == 1
    office.load(PAGE, at(20))
    assert office.said("subject_id", "occurred_at", "category", of="post.published") == [
        (urn, at(n), "article") for n, urn in enumerate(urns(*range(1, 11)), 1)
    ]


def test_pages_overlap_by_one_so_that_none_is_left_out(office: Office) -> None:
    many = company(*(post(2 * n + 1, at(1) + timedelta(minutes=n), network="linkedin") for n in range(250)))
    found, asked = read(office, "posts", many, at(20))
    assert len(found.keys) == len({*found.keys}) == len(many.posts) + sum(one.id % 5 == 0 for one in many.posts)
    assert [("start=0" in one.query, "start=99" in one.query, "start=198" in one.query) for one in asked] == [
        (True, False, False), (False, True, False), (False, False, True), (False, False, False),
    ]  # fmt: skip


def test_a_full_page_without_links_is_not_the_end(office: Office) -> None:
    many = company(*(post(2 * n + 1, at(1) + timedelta(minutes=n), network="linkedin") for n in range(250)))
    whole, _ = read(office, "posts", many, at(20))
    bare, _ = read(
        office, "posts", many, at(20), changing(lambda one, content: content["paging"].pop("links") and None)
    )
    assert {*bare.keys} == {*whole.keys}
    assert bare.covered is not None


def test_a_list_that_is_one_full_page_ends_with_the_page_after_it(office: Office) -> None:
    many = company(*(post(5 * n + 1, at(1) + timedelta(minutes=n), network="linkedin") for n in range(100)))
    found, asked = read(office, "posts", many, at(20))
    assert (len(found.keys), len(asked)) == (100, 2)
    assert found.covered is not None


def test_a_list_that_shifts_while_it_is_read_is_read_again(office: Office) -> None:
    many = company(*(post(2 * n + 1, at(1) + timedelta(minutes=n), network="linkedin") for n in range(250)))

    def shift(exchange: Exchange, content: Any) -> None:
        if "start=99" in exchange.query:
            del content["elements"][0]

    found, _ = read(office, "posts", many, at(20), changing(shift))
    assert found.covered is None
    assert "changed, or repeated itself" in str(found.failure)


def test_later_only_what_changed_since_and_the_last_days_are_walked(office: Office) -> None:
    many = company(*(post(2 * n + 1, at(1) + timedelta(hours=n), network="linkedin") for n in range(350)))
    first, asked = read(office, "posts", many, at(20))
    assert len(asked) == 5
    assert first.covered is not None
    office.with_options(reread_days=1)
    later, asked = read(office, "posts", many, at(20, 12), since=at(20), cursor=first.covered.cursor)
    assert len(asked) == 1
    assert later.failure is None


def test_a_reading_that_was_interrupted_goes_on_a_page_before(office: Office) -> None:
    many = company(*(post(2 * n + 1, at(1) + timedelta(minutes=n), network="linkedin") for n in range(350)))
    whole, _ = read(office, "posts", many, at(20))
    resumed, asked = read(office, "posts", many, at(20), mark=whole.marks[2])
    assert "start=198" in asked[0].query
    assert {*resumed.keys} < {*whole.keys}
    assert resumed.keys[-1] == whole.keys[-1]
    elsewhere = whole.marks[2].replace(json.loads(whole.marks[2])["last"], "urn:li:share:gone")
    again, _ = read(office, "posts", many, at(20), mark=elsewhere)
    assert {*again.keys} == {*whole.keys}


def test_a_deleted_post_is_withdrawn_on_linkedins_own_word(office: Office) -> None:
    gone = post(8, network="linkedin", removed_at=at(12))
    of = company(*POSTS[:7], gone, *POSTS[8:])
    first, _ = read(office, "posts", of, at(11))
    assert first.covered is not None
    later, asked = read(office, "posts", of, at(13), since=at(11), cursor=first.covered.cursor)
    assert [one.key for one in later.records if one.is_deleted] == urns(8)
    assert asked[-1].path == "/rest/posts/urn:li:share:8"
    assert later.covered is not None
    assert "share:8" not in str(later.covered.cursor)


def test_a_list_that_lacks_what_there_still_is_withdraws_nothing(office: Office) -> None:
    def hide(exchange: Exchange, content: Any) -> bool | None:
        if exchange.path != "/rest/posts":
            return False
        content["elements"] = [one for one in content["elements"] if one["id"] != "urn:li:share:8"]
        return None

    first, _ = read(office, "posts", PAGE, at(11))
    assert first.covered is not None
    later, _ = read(office, "posts", PAGE, at(13), changing(hide), since=at(11), cursor=first.covered.cursor)
    assert not [one for one in later.records if one.is_deleted]
    assert later.covered is not None
    assert "share:8" in str(later.covered.cursor)


def test_however_many_are_deleted_each_is_withdrawn_on_linkedins_own_word(office: Office) -> None:
    many = [post(5 * n + 1, at(1) + timedelta(hours=n), network="linkedin") for n in range(80)]
    first, _ = read(office, "posts", company(*many), at(20))
    assert first.covered is not None
    given = {"since": at(20), "cursor": first.covered.cursor}
    later, _ = read(office, "posts", company(*many[:20]), at(21), **given)
    assert sorted(one.key for one in later.records if one.is_deleted) == sorted(urns(*(one.id for one in many[20:])))
    assert later.covered is not None
    known = {*json.loads(str(later.covered.cursor))["recent"]}
    assert known == {*urns(*(one.id for one in many[:20]))}
    assert len(later.marks) == 7


def test_what_was_found_deleted_before_an_interruption_is_not_asked_for_again(office: Office) -> None:
    many = [post(5 * n + 1, at(1) + timedelta(hours=n), network="linkedin") for n in range(80)]
    first, _ = read(office, "posts", company(*many), at(20))
    assert first.covered is not None
    given = {"since": at(20), "cursor": first.covered.cursor}
    whole, _ = read(office, "posts", company(*many[:20]), at(21), **given)
    resumed, asked = read(office, "posts", company(*many[:20]), at(21), **given, mark=whole.marks[-2])
    assert len([one for one in asked if one.path != "/rest/posts"]) == 10
    assert resumed.covered == whole.covered


def test_what_was_known_is_missed_however_long_no_reading_came_to_its_end(office: Office) -> None:
    gone = post(1, network="linkedin", removed_at=at(12))
    first, _ = read(office, "posts", company(gone, post(2, network="linkedin")), at(11))
    assert first.covered is not None
    later, _ = read(
        office, "posts", company(gone, post(2, network="linkedin")), at(60), since=at(11), cursor=first.covered.cursor
    )
    assert [one.key for one in later.records if one.is_deleted] == urns(1)


def test_a_list_that_lacks_nearly_all_that_there_is_is_doubted(office: Office) -> None:
    def empty(exchange: Exchange, content: Any) -> bool | None:
        if exchange.path != "/rest/posts":
            return False
        content.update(elements=[], paging={"links": []})
        return None

    many = company(*(post(2 * n + 1, at(1) + timedelta(minutes=n), network="linkedin") for n in range(60)))
    first, _ = read(office, "posts", many, at(11))
    assert first.covered is not None
    later, _ = read(office, "posts", many, at(12), changing(empty), since=at(11), cursor=first.covered.cursor)
    assert later.covered is None
    assert "are not in the list, and LinkedIn still has them" in str(later.failure)


# What is loud


@pytest.mark.parametrize("stream", ["followers", "followers_gained", "posts"])
@pytest.mark.parametrize("body", [b"<html>", b'{"elements": [', b"[]", b'{"status": 500}'])
def test_what_is_no_answer_is_refused(office: Office, stream: str, body: bytes) -> None:
    found, _ = read(office, stream, PAGE, at(20), lambda one: None if "/oauth/" in one.path else (200, {}, body))
    assert found.covered is None
    assert found.failure is not None


def _twice(content: Any) -> None:
    content["elements"].append(content["elements"][0])


BROKEN = {
    "a day twice": ("followers_gained", _twice),
    "a day too long": ("followers_gained", lambda content: content["elements"][0]["timeRange"].update(end=0)),
    "a day of another year": ("views", lambda content: content["elements"][0]["timeRange"].update(start=0)),
    "no gain": ("followers_gained", lambda content: content["elements"][0].pop("followerGains")),
    "a gain of words": (
        "followers_gained",
        lambda content: content["elements"][0]["followerGains"].update(organicFollowerGain="many"),
    ),
    "no days": ("views", lambda content: content.update(elements=[])),
    "a post twice": ("posts", _twice),
    "a post without an id": ("posts", lambda content: content["elements"][0].pop("id")),
    "an empty page": (
        "posts",
        lambda content: content.update(elements=[], paging={"links": [{"rel": "next", "href": "x"}]}),
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_answers_that_only_look_whole_are_refused(office: Office, kind: str) -> None:
    stream, spoil = BROKEN[kind]
    alter = changing(lambda one, content: spoil(content) and None)
    found, _ = read(office, stream, PAGE, at(20), alter)
    assert found.covered is None
    assert "reads it again" in str(found.failure)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_ends_right_or_loud(office: Office, fault: str) -> None:
    many = company(*(post(2 * n + 1, at(1) + timedelta(minutes=n), network="linkedin") for n in range(130)))
    whole = office.first(office.served(many, at(20)), "posts", at(20))
    spoilt = Faulty(stand_in.app(office.desk(many, at(20))), [Fault(fault, 2)])
    found = office.first(spoilt, "posts", at(20))
    assert whole.failure is None
    assert (found.failure is None and found.records == whole.records) or (found.failure and found.covered is None)


def test_followers_that_are_no_number_are_told_of(office: Office) -> None:
    def spoil(exchange: Exchange, content: Any) -> None:
        if "firstDegreeSize" in content:
            content["firstDegreeSize"] = "mil"

    loads = office.load(PAGE, at(10), changing(spoil))
    assert office.quarantined() == [("reading/2026-03-10", "followers: not a number (mil)")]
    assert "their number is told to be mil" in str(loads["followers"].failure)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"api_version": "202403"}, "does not serve version 202403 of its API any more, or not yet (HTTP 426)"),
        ({"api_version": "v2"}, "api_version is 'v2'. Set it to a month such as"),
        ({"refresh_token": "old"}, "refused to renew the access token (HTTP 400)"),
        ({"refresh_token": None}, "sources.agencia.linkedin.refresh_token is not set"),
        ({"access_token": "old"}, "Access tokens live 60 days: sign in again"),
        ({"client_id": None, "client_secret": None, "refresh_token": None}, "linkedin.access_token is not set"),
    ],
)
def test_what_is_missing_or_has_ended_says_what_to_do(
    office: Office, settings: dict[str, str | None], says: str
) -> None:
    office.configure(**settings)
    found, _ = read(office, "posts", PAGE, at(20))
    assert says in str(found.failure)


def test_a_version_that_has_ended_may_also_come_as_400(office: Office) -> None:
    ended = json.dumps({"status": 400, "code": "NONEXISTENT_VERSION", "message": "…"}).encode()
    found, _ = read(office, "posts", PAGE, at(20), lambda one: None if "/oauth/" in one.path else (400, {}, ended))
    assert "does not serve version" in str(found.failure)


def test_a_page_that_is_not_the_members_says_who_may(office: Office) -> None:
    office.with_options(organization="1")
    found, _ = read(office, "posts", PAGE, at(20))
    assert "HTTP 403" in str(found.failure)
    assert "has to be an administrator of the page" in str(found.failure)


def test_a_token_that_ends_on_the_way_is_renewed(office: Office) -> None:
    many = company(*(post(2 * n + 1, at(1) + timedelta(minutes=n), network="linkedin") for n in range(250)))

    def wait(exchange: Exchange) -> None:
        office.clock.sleep(40)

    found, asked = read(office, "posts", many, at(20), wait, tokens_live=timedelta(seconds=60))
    assert found.failure is None
    assert 401 in [one.status for one in asked]


def test_the_days_quota_ends_the_stream_until_midnight_utc(office: Office) -> None:
    found, _ = read(office, "posts", PAGE, at(20, 15), requests_a_day=0)
    assert "asks to wait 9.0 hours: a quota is used up" in str(found.failure)
    found, _ = read(office, "posts", PAGE, at(20, 23, 50), requests_a_day=0)
    assert "failed 8 times" not in str(found.failure)


def test_another_429_is_waited_for_a_little(office: Office) -> None:
    answers: Iterator[Any] = iter([None, (429, {}, b"{}")])
    found, _ = read(office, "posts", PAGE, at(20), lambda exchange: next(answers, None))
    assert found.failure is None


def test_days_that_are_refused_say_which(office: Office) -> None:
    refused = b'{"status": 400, "message": "Invalid timeIntervals parameter"}'
    found, _ = read(office, "views", PAGE, at(20), lambda one: None if "/oauth/" in one.path else (400, {}, refused))
    assert "refused organizationalEntityShareStatistics of 2025-03-21 to 2026-03-18 (HTTP 400)" in str(found.failure)


def test_options_are_checked_where_they_are_declared() -> None:
    with pytest.raises(ValueError, match="organization"):
        LinkedInOptions(organization="agencia")


# A whole load


def test_the_same_reading_again_changes_nothing_and_no_text_is_stored(office: Office) -> None:
    office = stored(office)
    office.load(PAGE, at(10))
    events = office.statements().collect().height
    again = office.load(PAGE, at(10))
    assert {name: load.inserted for name, load in again.items() if load.inserted} == {}
    covered = len(LINKEDIN.streams(office.account, office.options))
    assert office.statements().collect().height == events + covered
    assert not [text for text in ("Marta", "600 123 456", "agencia.example") if text in office.stored()]
    found, _ = read(office, "posts", PAGE, at(20))
    assert {name for one in found.records for name in one.payload} == {"id", "published_at", "state", "feed", "kind"}
