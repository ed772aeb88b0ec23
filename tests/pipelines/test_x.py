"""X against its stand-in: followers day by day, posts once each, what reading costs, and what is loud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import helpdesk_office
import polars as pl
import pytest
from helpdesk_office import Reading
from social import Exchange, Office, at, changing, company, follows, post

from kr_definitions.coverage import coverage
from kr_definitions.events import RETRACTED
from pipelines.sandbox import x as stand_in
from pipelines.sandbox.faults import FAULTS, Fault, Faulty
from pipelines.sandbox.x import snowflake
from pipelines.source import Read
from pipelines.x import X, XOptions
from pipelines.x.posts import PAYLOAD, facts

ALL = ("post", "quote", "reply", "repost")
TEN = company(*(post(n, published_at=at(n)) for n in range(1, 11)), profiles=(follows("x"),))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, X, XOptions(user=stand_in.USER), stand_in)


def read(office: Office, of: Any, now: datetime, alter: Any = None, **more: Any) -> tuple[Reading, list[Exchange]]:
    """One reading of the posts. more: since, cursor, mark; what is left is the stand-in's."""
    given = {name: more.pop(name, None) for name in ("since", "cursor", "mark")}
    served = office.served(of, now, alter, **more)
    asked = Read(given["since"], now, given["cursor"], office.clock, given["mark"])
    return office.read(served, "posts", asked), served.exchanges


def own(of: Any) -> list[str]:
    """The ids of the company's own posts."""
    return [str(snowflake(one.published_at, one.id * 4)) for one in of.posts]


# What is understood


def understood(*posts: dict[str, Any], kinds: tuple[str, ...] = ALL) -> pl.DataFrame:
    usual = {"id": "1", "created_at": "2026-03-01T09:00:00.000Z", "kind": "post", "is_unclear": False, "user": "7"}
    rows = [{"record_key": str(n), "revision": None, **usual, **one} for n, one in enumerate(posts)]
    schema = {"record_key": pl.String(), "revision": pl.Datetime("us", "UTC"), **PAYLOAD.to_schema()}
    return facts(pl.LazyFrame(rows, schema=schema), kinds).collect()


def test_a_post_is_published_at_its_time_and_its_category_is_what_it_is_to_others() -> None:
    said = understood(*({"id": str(n), "kind": kind} for n, kind in enumerate(ALL)))
    assert said.get_column("category").to_list() == list(ALL)
    assert said.row(0, named=True) == {
        "record_key": "0", "fact_key": "post/0/published", "event_type": "post.published", "subject_id": "0",
        "occurred_at": at(1), "network": "x", "category": "post",
        "source_url": "https://x.com/i/web/status/0", "problem": None,
    }  # fmt: skip


def test_only_the_kinds_that_count_are_posts() -> None:
    said = understood(*({"id": str(n), "kind": kind} for n, kind in enumerate(ALL)), kinds=("post", "quote"))
    assert said.get_column("category").to_list() == ["post", "quote"]


@pytest.mark.parametrize(
    ("created", "problem"),
    [
        ("yesterday", "created_at: not a time (yesterday)"),
        ("2026-03-01T09:00:00", "created_at: not a time (2026-03-01T09:00:00)"),
        (None, "created_at: not a time (nothing)"),
        ("2026-03-01T10:00:00+01:00", None),
    ],
)
def test_a_time_that_is_none_is_told(created: str | None, problem: str | None) -> None:
    assert understood({"created_at": created}).get_column("problem").to_list() == [problem]


def test_a_repost_of_which_nothing_says_what_it_repeats_is_told() -> None:
    [problem] = understood({"is_unclear": True}, kinds=("post",)).get_column("problem").to_list()
    assert "X does not say of what" in problem


# What is fetched


def test_everything_is_read_once_newest_first_and_then_only_the_last_days(office: Office) -> None:
    first, asked = read(office, TEN, at(20))
    assert first.keys == sorted(first.keys, key=int, reverse=True)
    assert set(own(TEN)) <= set(first.keys)
    assert [one.path for one in asked] == [f"/2/users/{stand_in.USER}/tweets", f"/2/users/{stand_in.USER}"]
    assert first.covered is not None
    assert first.covered.start is None
    later, asked = read(office, TEN, at(21), since=at(20), cursor=first.covered.cursor)
    assert later.keys == []
    assert [("start_time=2026-03-14T09%3A00%3A00Z" in one.query) for one in asked] == [True]


def test_without_reading_again_only_what_is_newer_than_the_newest_is_asked_for(office: Office) -> None:
    office.with_options(reread_days=0)
    first, _ = read(office, TEN, at(5, 20))
    assert first.covered is not None
    later, asked = read(office, TEN, at(7, 20), since=at(5, 20), cursor=first.covered.cursor)
    assert {f"since_id={first.keys[0]}" in one.query for one in asked} == {True}
    assert set(own(TEN)[5:7]) <= set(later.keys)
    assert not set(first.keys) & set(later.keys)


def test_a_page_may_be_short_or_empty_though_there_is_more(office: Office) -> None:
    of = company(
        *(post(6 * n + 2, at(1) + timedelta(minutes=n), removed_at=at(2) if n > 120 else None) for n in range(300))
    )
    found, asked = read(office, of, at(10))
    pages = [one.content["meta"] for one in asked if "tweets" in one.path]
    assert 0 in [page["result_count"] for page in pages[:-1]]
    assert set(own(of)[:121]) <= set(found.keys)


def test_posts_are_told_apart_by_what_they_refer_to(office: Office) -> None:
    found, _ = read(office, TEN, at(20))
    kinds = [one.payload["kind"] for one in found.records]
    assert {kind: kinds.count(kind) for kind in ALL} == {"post": 9, "quote": 1, "reply": 3, "repost": 3}


def test_in_its_other_vocabulary_x_says_the_same(office: Office) -> None:
    ours, _ = read(office, TEN, at(20))
    theirs, asked = read(office, TEN, at(20), vocabulary="posts")
    assert theirs.records == ours.records
    assert [one.status for one in asked] == [400, 200, 200]


def test_fields_that_x_leaves_out_without_a_word_are_loud(office: Office) -> None:
    def without(exchange: Exchange, content: Any) -> None:
        for one in content.get("data", []):
            del one["created_at"]

    found, _ = read(office, TEN, at(20), changing(without))
    assert "without what was asked for" in str(found.failure)


def test_an_edited_post_stays_the_same_one_at_its_first_time(office: Office) -> None:
    of = company(post(2, at(2), edited_at=at(2, 9, 20)))
    before, _ = read(office, of, at(2, 9, 10))
    after, _ = read(office, of, at(3))
    assert before.keys == after.keys == own(of)
    assert before.records[0].payload["created_at"] == "2026-03-02T09:00:00.000Z"
    assert after.records[0].payload["created_at"] == "2026-03-02T09:00:00+00:00"


def test_what_is_older_than_the_latest_3200_is_not_covered(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "LISTED", 4)
    found, _ = read(office, TEN, at(20))
    assert found.covered is not None
    assert found.covered.start is not None
    assert found.covered.start == at(9, 8, 35)


def test_after_a_long_pause_more_than_x_lists_is_a_hole(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("pipelines.x.posts"), "REACHED", 4)
    monkeypatch.setattr(stand_in, "LISTED", 4)
    found, _ = read(office, TEN, at(20), since=at(1), cursor='{"newest": "1", "recent": {}}')
    assert found.covered is not None
    assert found.covered.start == at(9, 8, 35)


def test_a_deleted_post_of_the_last_days_is_withdrawn_on_xs_own_word(office: Office) -> None:
    of = company(*(post(n, removed_at=at(12) if n == 8 else None) for n in range(1, 11)))
    first, _ = read(office, of, at(11))
    assert first.covered is not None
    later, asked = read(office, of, at(13), since=at(11), cursor=first.covered.cursor)
    assert [one.key for one in later.records if one.is_deleted] == [own(of)[7]]
    assert [one.path for one in asked][-1] == "/2/tweets"
    assert later.covered is not None
    assert own(of)[7] not in str(later.covered.cursor)


def test_a_post_that_x_only_does_not_show_stays(office: Office) -> None:
    first, _ = read(office, TEN, at(11))
    hidden = own(TEN)[9]

    def hide(exchange: Exchange, content: Any) -> bool | None:
        if exchange.path == "/2/tweets":
            withheld = "https://api.x.com/2/problems/not-authorized-for-resource"
            content.clear()
            content["errors"] = [{"resource_id": hidden, "type": withheld, "parameter": "ids"}]
            return None
        content["data"] = [one for one in content["data"] if one["id"] != hidden]
        content["meta"]["result_count"] = len(content["data"])
        return None

    assert first.covered is not None
    later, _ = read(office, TEN, at(12), changing(hide), since=at(11), cursor=first.covered.cursor)
    assert later.failure is None
    assert not [one for one in later.records if one.is_deleted]
    assert later.covered is not None
    assert hidden in str(later.covered.cursor)


# What it costs


def test_a_run_pays_for_no_more_than_it_may_and_the_next_one_goes_on(office: Office) -> None:
    office = helpdesk_office.stored(office)
    of = company(*(post(6 * n + 2, at(1) + timedelta(hours=n)) for n in range(60)), profiles=(follows("x"),))
    office.configure(reads_a_run="25")
    runs = [office.load(of, at(20, hour), paid=100_000) for hour in range(1, 5)]
    assert [one["posts"].covered is not None for one in runs] == [False, False, True, True]
    assert "25 reads that a run may pay for are spent. The next run goes on from here" in str(runs[0]["posts"].failure)
    assert [one["posts"].delivered for one in runs[:2]] == [24, 24]
    assert office.counts()["post.published"] == 60
    assert [one["followers"].failure for one in runs] == [None] * 4


def test_used_up_credits_say_so(office: Office) -> None:
    found, _ = read(office, TEN, at(20), paid=0)
    assert "credits are used up" in str(found.failure)
    assert "Buy credits" in str(found.failure)


def test_a_record_is_paid_for_once_a_day(office: Office) -> None:
    served = office.served(TEN, at(20), paid=18)
    for _ in range(2):
        found = office.read(served, "posts", Read(None, at(20), None, office.clock))
        assert found.failure is None


# What is loud


BROKEN = {
    "endless": lambda content: content["meta"].update(next_token="MTIz", result_count=0) or content.pop("data", None),
    "repeated": lambda content: (
        content.update(data=[*content["data"], content["data"][0]])
        or content["meta"].update(result_count=len(content["data"]))
    ),
    "missing data": lambda content: content.pop("data"),
    "missing meta": lambda content: content.pop("meta"),
    "id of letters": lambda content: content["data"][0].update(id="abc"),
    "data of another shape": lambda content: content.update(data="none"),
    "an error beside data": lambda content: content.update(
        errors=[{"type": "https://api.x.com/2/problems/internal-error", "title": "Internal error"}]
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_answers_that_only_look_whole_are_refused(office: Office, kind: str) -> None:
    found, _ = read(office, TEN, at(20), changing(lambda exchange, content: BROKEN[kind](content) and None))
    assert found.covered is None
    assert "reads it again" in str(found.failure)


def test_errors_about_what_a_post_refers_to_are_not_about_the_post(office: Office) -> None:
    def add(exchange: Exchange, content: Any) -> None:
        gone = "https://api.x.com/2/problems/resource-not-found"
        content["errors"] = [{"type": gone, "parameter": "referenced_tweets.id", "resource_id": "1"}]

    found, _ = read(office, TEN, at(20), changing(add))
    assert found.failure is None


def test_an_account_that_x_does_not_show_has_no_posts_and_is_no_zero(office: Office) -> None:
    office.with_options(user="12")
    found, _ = read(office, TEN, at(20))
    assert found.covered is None
    assert "X does not show the account (resource-not-found). Check the option `user`" in str(found.failure)


def test_an_account_that_counts_posts_and_lists_none_is_no_zero(office: Office) -> None:
    def empty(exchange: Exchange, content: Any) -> bool | None:
        if "tweets" not in exchange.path:
            return False
        content.clear()
        content["meta"] = {"result_count": 0}
        return None

    found, _ = read(office, TEN, at(20), changing(empty))
    assert found.covered is None
    assert "counts 16 posts, and lists none" in str(found.failure)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (403, {"reason": "client-not-enrolled", "title": "Client Forbidden"}, "may not use X's API v2"),
        (403, {"title": "Forbidden"}, "credentials were refused"),
        (402, {"title": "Payment Required"}, "credits are used up"),
        (401, {"title": "Unauthorized"}, "credentials were refused"),
        (429, {"type": "https://api.x.com/2/problems/usage-capped"}, "as its plan allows in a month"),
        (400, {"type": "https://api.x.com/2/problems/invalid-request"}, "refused a request (invalid-request)"),
        (404, {"title": "Not Found"}, "HTTP 404"),
    ],
)
def test_what_x_refuses_says_what_to_do(office: Office, status: int, body: dict[str, Any], says: str) -> None:
    found, _ = read(office, TEN, at(20), lambda exchange: (status, {}, json.dumps(body).encode()))
    assert says in str(found.failure)


def test_a_window_that_is_used_up_is_waited_for(office: Office) -> None:
    of = company(*(post(6 * n + 2, at(1) + timedelta(minutes=n)) for n in range(350)))
    served = stand_in.app(office.desk(of, at(20)), requests_a_window=2)
    found = office.read(served, "posts", Read(None, at(20), None, office.clock))
    assert found.failure is None
    assert len(found.keys) == 350
    assert 600 < office.clock.waited_seconds() < 1200


def test_a_limit_without_a_time_is_waited_for_a_little(office: Office) -> None:
    answers: Iterator[Any] = iter([(429, {}, b'{"errors": [{"code": 88, "message": "Rate limit exceeded"}]}')])
    found, _ = read(office, TEN, at(20), lambda exchange: next(answers, None))
    assert found.failure is None
    assert 0 < office.clock.waited_seconds() < 60


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": [', b"[]"])
def test_what_is_no_answer_is_refused(office: Office, body: bytes) -> None:
    found, _ = read(office, TEN, at(20), lambda exchange: (200, {}, body))
    assert found.covered is None
    assert found.failure is not None


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_ends_right_or_loud(office: Office, fault: str) -> None:
    many = company(*(post(6 * n + 2, at(1) + timedelta(minutes=n)) for n in range(130)))
    whole = office.first(office.served(many, at(20)), "posts", at(20))
    spoilt = Faulty(stand_in.app(office.desk(many, at(20))), [Fault(fault, 1)])
    found = office.first(spoilt, "posts", at(20))
    assert whole.failure is None
    assert (found.failure is None and found.records == whole.records) or (found.failure and found.covered is None)


@pytest.mark.parametrize(("given", "says"), [("x", "is 'x'. Set it to a number"), ("3", "20 at least")])
def test_a_budget_that_is_none_is_refused(office: Office, given: str, says: str) -> None:
    office.configure(reads_a_run=given)
    found, _ = read(office, TEN, at(20))
    assert says in str(found.failure)


def test_options_are_checked_where_they_are_declared() -> None:
    with pytest.raises(ValueError, match="user"):
        XOptions(user="@agencia")
    with pytest.raises(ValueError, match="'post', 'quote', 'reply' or 'repost'"):
        XOptions.model_validate({"user": "7", "kinds": ["retweet"]})


# A whole load


def test_what_is_loaded_stays_right_from_day_to_day(office: Office) -> None:
    office = helpdesk_office.stored(office)
    of = company(*(post(n, removed_at=at(12) if n == 8 else None) for n in range(1, 15)), profiles=(follows("x"),))
    office.load(of, at(11))
    again = office.load(of, at(11))
    assert [(load.inserted, load.delivered == load.duplicates) for load in again.values()] == [(0, True), (0, True)]
    office.load(of, at(13, 20))
    assert office.said("subject_id", of="post.published") == [(id_,) for n, id_ in enumerate(own(of)[:13], 1) if n != 8]
    assert office.said("quantity", "subject_id", "network", "occurred_at", of="followers.observed") == [
        (1057, stand_in.USER, "x", at(11)),
        (1066, stand_in.USER, "x", at(13, 20)),
    ]
    assert office.statements().filter(pl.col("event_type") == RETRACTED).collect().height == 1
    known = coverage(office.statements(), office.zone).spans
    assert known["post.published"][-1].last.day == 12
    stored = office.stored()
    assert "created_at" in stored
    assert not [text for text in ("Marta", "600 123 456", "juan", "agencia") if text in stored]


def test_nothing_is_kept_but_what_is_named_here(office: Office) -> None:
    found, _ = read(office, TEN, at(20))
    assert {name for one in found.records for name in one.payload} == {"id", "created_at", "kind", "is_unclear", "user"}
