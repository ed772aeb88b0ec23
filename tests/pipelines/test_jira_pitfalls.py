"""What breaks loads from Jira: its search, its clocks, limits, lost permissions, broken answers, strange records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl
import pytest
import requests
from crm_office import Answer, refusing
from helpdesk_office import Alter, Exchange, Office, StoredOffice, at, changes, company, ticket
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ids import packed, unpacked
from pipelines.jira import JIRA, JiraOptions, reading
from pipelines.jira.api import instant, minute
from pipelines.sandbox import jira as stand_in
from pipelines.sandbox.company import Company, Ticket
from pipelines.sandbox.jira import Move
from pipelines.source import Read

NOW = at(30)
OPTIONS = JiraOptions(site="agencia", projects=("SUP",), solved=("Resolved",), closed=("Closed",), surveys=False)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, JIRA, OPTIONS, stand_in)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredOffice:
    return StoredOffice(tmp_path, monkeypatch, JIRA, OPTIONS, stand_in)


def fresh(number: int, minutes: int = 0) -> Ticket:
    """A ticket that was made so many minutes after nine o'clock, and that nobody has touched."""
    made = at(2) + timedelta(minutes=minutes)
    return ticket(
        number, created_at=made, status=changes((made, "new")), priority=changes((made, "low")), first_reply_at=None
    )


def many(size: int, minutes: Callable[[int], int] = lambda number: number) -> Company:
    return company(*(fresh(number, minutes(number)) for number in range(1, size + 1)))


def ids(keys: list[str]) -> list[int]:
    return sorted({int(key) for key in keys})


def asked(exchange: Exchange) -> dict[str, Any]:
    return orjson.loads(exchange.body) if exchange.body else {}


def searching(exchange: Exchange) -> bool:
    """Whether it asks for issues, and not for their ids alone."""
    return exchange.path.endswith("/search/jql") and asked(exchange)["fields"] != ["id"]


# The search


def test_the_old_search_is_gone_from_the_sandbox_as_it_is_from_jira(office: Office) -> None:
    with office.serving(office.served(many(3), NOW)) as url:
        answer = requests.get(f"{url}/rest/api/3/search", auth=tuple(stand_in.CREDENTIALS.values()), timeout=10)
    assert answer.status_code == 410
    assert "/rest/api/3/search/jql" in answer.json()["errorMessages"][0]


def test_a_query_without_bounds_is_refused_by_the_sandbox_as_by_jira(office: Office) -> None:
    with office.serving(office.served(many(3), NOW)) as url:
        sent = {"jql": 'created >= "2026-01-01 00:00"', "fields": ["id"]}
        answer = requests.post(
            f"{url}/rest/api/3/search/jql", json=sent, auth=tuple(stand_in.CREDENTIALS.values()), timeout=10
        )
    assert answer.status_code == 400
    assert "Unbounded" in answer.json()["errorMessages"][0]


def test_fields_are_named_and_every_page_is_read(office: Office) -> None:
    served = office.served(many(450), NOW)
    found = office.first(served, "tickets", NOW)
    assert (found.failure, ids(found.keys)) == (None, list(range(1, 451)))
    searches = [asked(one) for one in served.exchanges if searching(one)]
    assert [len(page) for page in found.pages[:-1]] == [100, 100, 100, 100]
    assert all({"created", "updated", "status", "comment", "reporter"} <= set(one["fields"]) for one in searches)
    assert [one.get("nextPageToken") is None for one in searches] == [True, False, False, False, False]


def test_issues_that_change_while_they_are_read_hide_no_others(office: Office) -> None:
    before = many(300)
    moved = replace(before.tickets[0], status=(*before.tickets[0].status, *changes((at(9), "pending"))))
    served = office.served(before, NOW)

    def change(exchange: Exchange) -> None:
        if searching(exchange):
            served.inner = stand_in.app(office.desk(company(moved, *before.tickets[1:]), NOW))

    served.alter = change
    found = office.first(served, "tickets", NOW)
    assert (found.failure, ids(found.keys)) == (None, list(range(1, 301)))


def test_histories_that_are_spread_over_pages_come_together(office: Office) -> None:
    served = office.served(company(*(ticket(n) for n in range(1, 31))), NOW, page_size=3)
    found = office.first(served, "tickets", NOW)
    pages = [one for one in served.exchanges if one.path.endswith("changelog/bulkfetch")]
    assert len(pages) == 10
    assert {len(record.payload["steps"]) for record in found.records} == {3}
    again = office.first(office.served(company(*(ticket(n) for n in range(1, 31))), NOW, one_by_one), "tickets", NOW)
    assert [record.payload for record in again.records] == [record.payload for record in found.records]


def one_by_one(exchange: Exchange) -> Answer | None:
    """Each change by itself: an issue is there as often as it was changed."""
    if not exchange.path.endswith("changelog/bulkfetch"):
        return None
    content = exchange.content
    content["issueChangeLogs"] = [
        {"issueId": one["issueId"], "changeHistories": [each]}
        for one in content["issueChangeLogs"]
        for each in one["changeHistories"]
    ]
    return 200, {}, orjson.dumps(content)


def test_where_a_site_has_no_histories_of_many_each_issue_is_asked_for_its_own(office: Office) -> None:
    first = office.first(office.served(company(ticket(), ticket(2)), NOW), "tickets", NOW)
    served = office.served(company(ticket(), ticket(2)), NOW, has_bulk_histories=False)
    again = office.first(served, "tickets", NOW)
    assert [record.payload for record in again.records] == [record.payload for record in first.records]
    assert [one.path for one in served.exchanges if one.path.endswith("/changelog")] == [
        "/rest/api/3/issue/1/changelog",
        "/rest/api/3/issue/2/changelog",
    ]


# Time


@pytest.mark.parametrize("zone", ["America/Bogota", "Pacific/Kiritimati", "Asia/Kathmandu", "UTC"])
def test_times_are_asked_for_in_the_zone_of_the_user_and_none_is_missed(office: Office, zone: str) -> None:
    """One ticket every ten minutes; readings at odd times; each is read once."""
    every = company(*(fresh(number, number * 10) for number in range(1, 145)))
    inserted = 0
    for hour, minute_ in ((9, 7), (13, 21), (20, 50), (33, 3)):
        now = at(2, 0) + timedelta(hours=hour, minutes=minute_, seconds=41)
        inserted += office.load(every, now, zone=zone)["tickets"].inserted
    assert inserted == 144
    queries = [asked(one)["jql"] for one in office.exchanges if searching(one)]
    since = (at(2, 20, 50) - timedelta(hours=1)).astimezone(ZoneInfo(zone))
    assert f'updated >= "{since:%Y-%m-%d %H:%M}"' in queries[0]


@given(
    st.integers(0, 15 * 366 * 24 * 60).map(
        lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from(["Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "America/Bogota", "Asia/Kathmandu"]),
)
def test_a_time_that_is_asked_for_is_never_later_however_jira_reads_it(moment: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    read = datetime.fromisoformat(minute(moment, zone).strip('"'))
    readings = [read.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    assert max(readings) <= moment
    assert moment - min(readings) < timedelta(hours=3)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-02T10:00:00.000+0100", at(2)),
        ("2026-03-02T14:30:00.000+05:30", at(2)),
        ("2026-03-02T09:00:00Z", at(2)),
        (int(at(2).timestamp() * 1000), at(2)),
        ("2026-03-02T09:00:00.000", None),
        ("ayer", None),
        (None, None),
        (10**30, None),
    ],
)
def test_times_in_each_shape_are_understood_or_none(written: Any, meant: datetime | None) -> None:
    assert instant(written) == meant


# Limits


@pytest.mark.parametrize(
    ("status", "headers", "waited"),
    [
        (429, {"Retry-After": "7", "RateLimit-Reason": "jira-burst-based"}, 21),
        (429, {"RateLimit-Reason": "jira-burst-based"}, 7),  # 1 + 2 + 4
        (429, {}, 7),
        (503, {}, 7),
    ],
)
def test_each_way_of_saying_slow_down_is_waited_for(
    office: Office, status: int, headers: dict[str, str], waited: float
) -> None:
    served = office.served(many(3), NOW, refusing(3, status, headers))
    assert office.first(served, "tickets", NOW).failure is None
    assert office.clock.waited_seconds() == waited


def test_the_burst_limit_is_waited_for(office: Office) -> None:
    office.with_options(surveys=True)
    rated = company(*(ticket(n, rating=changes((at(5), "good"))) for n in range(1, 151)))
    served = office.served(rated, NOW)
    assert office.first(served, "satisfaction", NOW).failure is None
    refused = [one for one in served.exchanges if one.status == 429]
    assert refused
    assert office.clock.waited_seconds() >= 1


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"RateLimit-Reason": "jira-quota-tenant-based"}, "quota of requests is used up"),
        ({"RateLimit-Reason": "jira-quota-global-based", "Retry-After": "3000"}, "asks to wait 0.8 hours"),
    ],
)
def test_a_quota_that_is_used_up_ends_the_reading_and_the_next_run_completes_it(
    office: Office, headers: dict[str, str], said: str
) -> None:
    loads = office.load(many(3), NOW, refusing(10**6, 429, headers))
    assert said in str(loads["tickets"].failure)
    assert office.clock.waited_seconds() == 0
    office.load(many(3), NOW + timedelta(hours=1))
    assert office.counts()["ticket.created"] == 3


# Going on where a reading was stopped


def test_a_reading_goes_on_from_any_of_its_marks_and_misses_nothing(office: Office) -> None:
    office.environment.setattr(reading, "PAGES_A_MARK", 1)
    whole = many(420, lambda number: number // 50)
    first = office.first(office.served(whole, NOW), "tickets", NOW)
    assert len(first.marks) == 5
    for place, mark in enumerate(first.marks):
        served = office.served(whole, NOW)
        rest = office.read(served, "tickets", Read(None, NOW, None, office.clock, mark=mark))
        kept = [record.key for page in first.pages[: place + 1] for record in page]
        assert rest.covered == first.covered
        assert ids(kept + rest.keys) == list(range(1, 421))
        assert len(rest.records) <= max(420 - 100 * (place + 1), 0) + 50  # and the minute of the last one again


def test_a_first_reading_of_many_that_is_stopped_is_not_begun_anew(stored: StoredOffice) -> None:
    stored.environment.setattr(reading, "PAGES_A_MARK", 2)
    left = [15]

    def stopping(exchange: Exchange) -> Answer | None:
        left[0] -= 1
        return (429, {"Retry-After": "7000"}, b"{}") if left[0] < 0 else None

    assert stored.load(many(200), NOW, stopping, page_size=20)["tickets"].failure is not None
    assert stored.counts()["ticket.created"] > 60
    again = stored.load(many(200), NOW + timedelta(hours=2), page_size=20)
    assert (again["tickets"].failure, again["tickets"].delivered < 160) == (None, True)
    assert stored.counts()["ticket.created"] == 200


def test_what_is_deleted_while_a_reading_is_stopped_is_missed(office: Office) -> None:
    office.environment.setattr(reading, "PAGES_A_MARK", 1)
    whole = many(150)
    first = office.first(office.served(whole, NOW), "tickets", NOW)
    later = company(
        replace(whole.tickets[4], deleted_at=NOW + timedelta(minutes=5)), *whole.tickets[:4], *whole.tickets[5:]
    )
    now = NOW + timedelta(hours=1)
    rest = office.read(office.served(later, now), "tickets", Read(None, NOW, None, office.clock, mark=first.marks[0]))
    assert [record.key for record in rest.records if record.is_deleted] == ["5"]


@given(st.sets(st.integers(0, 10**7), max_size=300))
def test_ids_come_out_as_they_went_in(held: set[int]) -> None:
    assert unpacked(packed(held)) == held


def test_the_ids_of_a_hundred_thousand_issues_are_small() -> None:
    scattered = {10_000 + (number * 7919) % 1_000_003 for number in range(100_000)}
    assert len(packed(range(10_000, 110_000))) < 100
    assert len(packed(scattered)) < 120_000


# Permissions that end


def test_a_site_that_shows_nothing_any_more_is_doubted_and_nothing_is_withdrawn(office: Office) -> None:
    office.load(many(40), NOW)

    def nothing(exchange: Exchange) -> Answer | None:
        is_issues = exchange.path.endswith(("/search/jql", "/issue/bulkfetch"))
        return (200, {}, orjson.dumps({"issues": [], "isLast": True})) if is_issues else None

    load = office.load(many(40), NOW + timedelta(hours=1), nothing)["tickets"]
    assert "40 of the 40 issues that were known are not there" in str(load.failure)
    assert "archived ones too" in str(load.failure)
    assert office.counts()["ticket.created"] == 40
    office.with_options(most_gone=1.0)
    assert office.load(many(40), NOW + timedelta(hours=2), nothing)["tickets"].failure is None
    assert office.facts().is_empty()


def test_a_token_that_ends_in_the_middle_is_the_operators_to_mend(office: Office) -> None:
    pages = iter(range(10**6))

    def ended(exchange: Exchange) -> Answer | None:
        return (401, {}, b"") if searching(exchange) and next(pages) > 0 else None

    failure = office.first(office.served(many(300), NOW, ended), "tickets", NOW).failure
    assert "sources.agencia.jira.api_token" in str(failure)
    assert stand_in.CREDENTIALS["api_token"] not in str(failure)


# Answers that are not whole


def answered(when: Callable[[Exchange], bool], answer: Any, status: int = 200) -> Alter:
    def alter(exchange: Exchange) -> Answer | None:
        return (status, {}, answer if isinstance(answer, bytes) else orjson.dumps(answer)) if when(exchange) else None

    return alter


def altered(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Alter:
    def alter(exchange: Exchange) -> Answer | None:
        return (200, {}, orjson.dumps(change(exchange.content))) if searching(exchange) else None

    return alter


def paged(exchange: Exchange) -> bool:
    return searching(exchange) and "nextPageToken" in asked(exchange)


def histories(exchange: Exchange) -> bool:
    return exchange.path.endswith("/changelog/bulkfetch")


def path(ending: str) -> Callable[[Exchange], bool]:
    return lambda exchange: exchange.path.endswith(ending)


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (answered(paged, {"issues": [], "isLast": False, "nextPageToken": "x"}), "is empty, though it is not the last"),
        (altered(lambda content: {**content, "isLast": False, "nextPageToken": "MTAw"}), "does not get on"),
        (altered(lambda content: {"issues": content["issues"], "isLast": False}), "does not get on"),
        (altered(lambda content: {"isLast": True}), "without issues"),
        (altered(lambda content: {**content, "issues": content["issues"][::-1]}), "another order"),
        (altered(lambda content: {**content, "issues": [{"id": "1"}]}), "without their fields"),
        (altered(lambda content: {**content, "issues": [{"key": "SUP-1"}]}), "not a list of things with an id"),
        (answered(searching, {"errorMessages": ["internal"], "errors": {}}), "without issues"),
        (answered(searching, b"<html>We'll be right back"), "what is not JSON"),
        (answered(searching, b'{"issues": [{"id": "1'), "what is not JSON"),
        (answered(searching, []), "not an object"),
        (answered(searching, {"errorMessages": ["bad clause"]}, 400), "refused the query (bad clause)"),
        (answered(searching, {}, 410), "HTTP 410"),
        (answered(histories, {"errorMessages": ["internal"]}), "without issueChangeLogs"),
        (answered(histories, {"issueChangeLogs": [{"issueId": "1", "changeHistories": None}]}), "not a list"),
        (answered(histories, {"issueChangeLogs": [], "nextPageToken": "0"}), "does not get on"),
        (answered(path("/issue/bulkfetch"), {"error": "no"}), "without issues"),
        (
            answered(path("/issue/bulkfetch"), {"issues": [], "issueErrors": [{"id": "700", "errorMessage": "later"}]}),
            "could not give some of the issues",
        ),
        (answered(path("/myself"), {"displayName": "x"}), "without accountId"),
        (answered(path("/myself"), {"accountId": "x", "timeZone": "Mars/Olympus"}), "a time zone that is none"),
        (answered(path("/status"), {"errorMessages": []}), "not a list"),
        (answered(path("/status"), b"<html>"), "not JSON"),
        (answered(path("/comment"), b"<html>"), "not JSON"),
        (answered(path("/comment"), {"comments": [], "total": 500}), "is empty, though it is not the last"),
    ],
)
def test_an_answer_that_is_not_whole_ends_its_stream_without_a_word_of_what_it_covered(
    office: Office, alter: Alter, said: str
) -> None:
    covered = office.first(office.served(company(ticket(700)), at(3, 12)), "tickets", at(3, 12)).covered
    assert covered is not None
    whole = [*(fresh(number, number) for number in range(1, 250)), ticket(701)]  # and 700 is gone
    served = office.served(company(*whole), NOW, alter, customers_comments=30)
    found = office.read(served, "tickets", Read(at(2), NOW, covered.cursor, office.clock))
    assert found.covered is None
    assert said in str(found.failure)
    assert str(found.failure).startswith("agencia.jira: ")


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (answered(path("/feedback"), b"<html>"), "not JSON"),
        (answered(path("/feedback"), {}, 500), "failed 8 times"),
        (answered(path("/field"), {"error": 1}), "not a list"),
    ],
)
def test_satisfaction_that_is_not_whole_ends_its_stream(office: Office, alter: Alter, said: str) -> None:
    office.with_options(surveys=True)
    rated = company(ticket(987_655, rating=changes((at(5), "good"))))
    found = office.first(office.served(rated, NOW, alter), "satisfaction", NOW)
    assert (found.covered, said in str(found.failure)) == (None, True)
    assert "987655" not in str(found.failure)


def test_what_a_broken_answer_left_out_is_read_by_the_next_run(stored: StoredOffice) -> None:
    assert stored.load(many(25), NOW, answered(paged, b"<html>"), page_size=10)["tickets"].failure is not None
    assert stored.counts()["ticket.created"] == 10
    assert stored.load(many(25), NOW + timedelta(hours=1), page_size=10)["tickets"].failure is None
    assert stored.counts()["ticket.created"] == 25


# Records that are strange


def with_issue(change: Callable[[dict[str, Any]], None], number: int = 2) -> Alter:
    """One issue, in the middle of a page, is another one."""

    def alter(exchange: Exchange) -> Answer | None:
        if not searching(exchange):
            return None
        content = exchange.content
        for one in content["issues"]:
            if int(one["id"]) == number:
                change(one)
        return 200, {}, orjson.dumps(content)

    return alter


def with_history(change: Callable[[dict[str, Any]], None], number: int = 2) -> Alter:
    def alter(exchange: Exchange) -> Answer | None:
        if not histories(exchange):
            return None
        content = exchange.content
        for one in content["issueChangeLogs"]:
            if int(one["issueId"]) == number:
                change(one["changeHistories"][-1])
        return 200, {}, orjson.dumps(content)

    return alter


@pytest.mark.parametrize(
    ("alter", "problem"),
    [
        (with_issue(lambda one: one["fields"].update(created="ayer")), "created: not a time (ayer)"),
        (with_issue(lambda one: one["fields"].update(created=None)), "created: not a time (nothing)"),
        (
            with_issue(lambda one: one["fields"].update(created="2026-03-02T09:00:00")),
            "created: not a time (2026-03-02T09:00:00)",
        ),
        (with_issue(lambda one: one["fields"].update(status=None)), "status: nothing"),
        (with_history(lambda one: one.update(created="luego")), "the history has a change without a time"),
        (with_history(lambda one: one.update(created=2_904_508_800_000)), "2062-01-15 00:00 UTC is in the future"),
    ],
)
def test_a_strange_issue_is_set_aside_by_itself(office: Office, alter: Alter, problem: str) -> None:
    loads = office.load(company(ticket(1), ticket(2), ticket(3)), NOW, alter)
    assert loads["tickets"].failure is None
    [(key, found)] = office.quarantined()
    assert (key, problem in found) == ("2", True)
    assert {subject for (subject,) in office.said("subject_id")} == {"1", "3"}


def test_an_issue_without_history_in_the_middle_of_a_page_hides_no_other(office: Office) -> None:
    def forgetful(exchange: Exchange) -> Answer | None:
        if not histories(exchange):
            return None
        logs = [one for one in exchange.content["issueChangeLogs"] if one["issueId"] != "2"]
        return 200, {}, orjson.dumps({"issueChangeLogs": logs})

    office.load(company(ticket(1), ticket(2), ticket(3)), NOW, forgetful)
    assert office.said("subject_id", of="ticket.created") == [("1",), ("2",), ("3",)]
    assert office.said("subject_id", of="ticket.closed") == [("2",), ("1",), ("3",)]


def test_what_a_site_does_not_say_of_an_issue_is_left_out(office: Office) -> None:
    def bare(one: dict[str, Any]) -> None:
        one["fields"] |= {"priority": None, "reporter": None, "comment": None, "resolution": None}
        one.pop("properties")

    office.load(company(ticket(2)), NOW, with_issue(bare))
    assert office.said("account_id", "priority", "channel", of="ticket.created") == [(None, None, None)]
    assert "ticket.first_replied" not in office.counts()


def test_ids_that_come_as_numbers_say_the_same(office: Office, tmp_path: Path) -> None:
    plain = Office(tmp_path / "plain", office.environment, JIRA, OPTIONS, stand_in)
    plain.load(company(ticket(2)), NOW)

    def as_number(one: dict[str, Any]) -> None:
        one["id"] = int(one["id"])
        one["fields"]["status"]["id"] = int(one["fields"]["status"]["id"])

    office.load(company(ticket(2)), NOW, with_issue(as_number))
    columns = ["event_type", "subject_id", "account_id", "priority", "status", "channel", "occurred_at"]
    assert office.facts().select(columns).equals(plain.facts().select(columns))


def test_a_last_change_in_2062_does_not_outlive_what_happens_later(office: Office) -> None:
    far = with_issue(lambda one: one["fields"].update(updated="2062-01-01T00:00:00.000+0000"))
    office.load(company(ticket(2)), at(4), far)
    office.load(company(replace(ticket(2), deleted_at=at(6))), at(7))
    assert office.facts().is_empty()


def test_a_status_that_was_renamed_or_deleted_keeps_its_name_of_then(office: Office) -> None:
    def without_pending(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith("/status"):
            return None
        kept = [one for one in exchange.content if one["id"] != "10003"]
        return 200, {}, orjson.dumps([{**one, "name": "At work"} if one["id"] == "10002" else one for one in kept])

    life = changes((at(2), "new"), (at(3), "open"), (at(4), "pending"), (at(5), "solved"))
    office.load(company(ticket(2, status=life)), NOW, without_pending)
    assert [status for (status,) in office.said("status", of="ticket.status_entered")] == [
        "Waiting for support",
        "At work",
        "Waiting for customer",
        "Resolved",
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"type": "csat", "rating": 9}, "rating: 9 is not 1 to 5"),
        ({"type": "csat", "rating": None}, "rating: nothing is not 1 to 5"),
        ({"type": "csat", "rating": "muy bien"}, "rating: muy bien is not 1 to 5"),
    ],
)
def test_a_strange_answer_is_set_aside(office: Office, body: dict[str, Any], problem: str) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket(rating=changes((at(5), "good")))), NOW, answered(path("/feedback"), body))
    assert office.quarantined() == [("1", problem)]


def test_a_rating_that_comes_as_a_text_is_a_number(office: Office) -> None:
    office.with_options(surveys=True)
    body = {"type": "csat", "rating": "4"}
    office.load(company(ticket(rating=changes((at(5), "good")))), NOW, answered(path("/feedback"), body))
    assert office.said("rating", "score", of="survey.answered") == [("good", 4)]


# What is gone, and what is back


SEVEN, FIVE = company(*(ticket(n) for n in range(1, 8))), company(*(ticket(n) for n in range(3, 8)))


def test_issues_that_may_be_seen_again_are_back_though_nothing_in_them_changed(office: Office) -> None:
    created = []
    for day, there in ((20, SEVEN), (21, FIVE), (22, SEVEN), (23, SEVEN)):
        office.load(there, at(day))
        created.append(office.counts()["ticket.created"])
    assert created == [7, 5, 7, 7]
    asked_for = [asked(one)["issueIdsOrKeys"] for one in office.exchanges if path("/issue/bulkfetch")(one)]
    assert asked_for == []  # none is missed, and none is new
    assert len(office.withdrawn()) == 2 * 8


def test_an_issue_that_was_moved_back_has_its_history_and_its_answer_again(office: Office) -> None:
    office.with_options(surveys=True)
    rated = company(ticket(rating=changes((at(4), "good"))), *(ticket(n) for n in range(2, 6)))
    away = Move(1, at(5), "SUP", "OPS")
    counts = []
    for day, moves in ((4, [away]), (6, [away]), (13, [away, Move(1, at(12), "OPS", "SUP")])):
        office.load(rated, at(day, 20), moves=moves)
        counts.append((office.counts()["ticket.created"], office.counts().get("survey.answered")))
    assert counts == [(5, 1), (4, None), (5, 1)]


def test_projects_that_are_left_out_for_a_time_are_back_when_they_are_named_again(office: Office) -> None:
    moves = [Move(2, at(2, 8), "SUP", "OPS"), Move(3, at(2, 8), "SUP", "OPS")]
    five, created = company(*(ticket(n) for n in range(1, 6))), []
    for day, projects in ((20, ("SUP", "OPS")), (21, ("SUP",)), (22, ("SUP", "OPS"))):
        office.with_options(projects=projects)
        assert office.load(five, at(day), moves=moves)["tickets"].failure is None
        created.append(office.counts()["ticket.created"])
    assert created == [5, 3, 5]


def test_an_issue_that_is_changed_and_deleted_while_it_is_read_is_withdrawn(office: Office) -> None:
    before = company(*(ticket(n) for n in range(1, 30)))
    office.load(before, at(20))
    changed = replace(before.tickets[0], status=(*before.tickets[0].status, *changes((at(21, 9, 2), "open"))))
    served = office.served(company(changed, *before.tickets[1:]), at(21, 9, 3))

    def deleted(exchange: Exchange) -> None:
        if searching(exchange):
            served.inner = stand_in.app(office.desk(company(*before.tickets[1:]), at(21, 9, 4)))

    served.alter = deleted
    office.fetch(served, at(21))
    office.understand(at(21, 9, 6))
    assert office.counts()["ticket.created"] == 28


def test_archived_issues_are_in_no_search_and_keep_their_past(office: Office) -> None:
    created = []
    for day, archived in ((20, ()), (21, (1, 2)), (22, (1, 2)), (23, ())):
        assert office.load(SEVEN, at(day), archived=archived)["tickets"].failure is None
        created.append(office.counts()["ticket.created"])
    assert created == [7, 7, 7, 7]
    assert office.withdrawn().is_empty()


def test_so_many_archived_issues_that_may_not_even_be_seen_are_doubted(office: Office) -> None:
    office.load(many(40), NOW)
    load = office.load(company(*many(40).tickets[:28]), NOW + timedelta(hours=1))["tickets"]
    assert "12 of the 40 issues that were known are not there" in str(load.failure)
    assert office.counts()["ticket.created"] == 40


# Words that the site does not have


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"solved": ("Resolvd",)}, "the status 'Resolvd', which the site does not have. Did you mean Resolved"),
        ({"solved": ("category:Done",)}, "the status category 'category:Done', which the site does not have. Did"),
        ({"customer": "customfield_99999"}, "the field of a customer 'customfield_99999', which the site does not"),
        ({"sla": "Time to resoluton"}, "the service level 'Time to resoluton', which the site does not have. Did you"),
        ({"reply_sla": "Primera"}, "There are: Time to first response, Time to resolution"),
        ({"unsolved_resolutions": ("Duplicado",)}, "the resolution 'Duplicado', which the site does not have. Did you"),
        ({"statuses": {"In progres": "open"}}, "the status 'In progres', which the site does not have. Did you mean"),
        ({"priorities": {"Hihgest": "urgent"}}, "the priority 'Hihgest', which the site does not have. Did you mean"),
    ],
)
def test_a_word_that_the_site_does_not_have_is_refused_with_the_nearest(
    office: Office, options: dict[str, Any], said: str
) -> None:
    office.with_options(**options)
    found = office.first(office.served(SEVEN, NOW), "tickets", NOW)
    assert (found.covered, said in str(found.failure)) == (None, True), found.failure


def test_the_words_that_the_site_has_are_taken(office: Office) -> None:
    office.with_options(
        solved=("10004", "category:done"),
        statuses={"In progress": "open", "10005": "closed"},
        priorities={"Highest": "now"},
        unsolved_resolutions=("Duplicate",),
        customer=stand_in.records.ORGANIZATIONS,
        request_types=("Get help (SUP)", "Get help"),
        sla="Time to resolution",
        reply_sla="Time to first response",
    )
    assert office.first(office.served(SEVEN, NOW), "tickets", NOW).failure is None


def test_a_priority_that_only_histories_have_is_known_once_they_were_read(office: Office) -> None:
    raised = company(ticket(2, priority=changes((at(2), "low"), (at(3), "high"))))

    def renamed(exchange: Exchange) -> Answer | None:
        is_named = exchange.path.endswith("/changelog/bulkfetch")
        return (200, {}, exchange.answer.replace(b'"Low"', b'"Old one"')) if is_named else None

    office.with_options(priorities={"Old one": "low"})
    for day in (10, 11):
        assert office.load(raised, at(day), renamed)["tickets"].failure is None
    assert office.said("priority", of="ticket.created") == [("low",)]


def test_a_status_that_leaves_the_workflows_keeps_its_category(office: Office) -> None:
    office.with_options(solved=("category:done",), closed=())
    life = (at(2), "new"), (at(3), "solved")
    office.load(company(ticket(status=changes(*life), first_reply_at=None)), at(10))
    migrated = company(ticket(status=changes(*life, (at(15), "closed")), first_reply_at=None))
    for day in (16, 17):
        assert office.load(migrated, at(day), without_resolved)["tickets"].failure is None
        assert office.said("event_type", "occurred_at", of="ticket.solved") == [("ticket.solved", at(3))]
    assert office.quarantined() == []


def test_a_status_of_which_nobody_knows_the_category_any_more_is_told(office: Office) -> None:
    office.with_options(solved=("category:done",), closed=())
    life = changes((at(2), "new"), (at(3), "solved"), (at(15), "closed"))
    desk = company(ticket(status=life, first_reply_at=None), ticket(2, status=changes((at(2), "new"))))
    office.load(desk, at(16), without_resolved)
    [(key, problem)] = office.quarantined()
    assert (key, problem.partition(",")[0]) == ("1", "status 10004 is in no workflow any more")
    office.with_options(solved=("10004", "category:done"))
    assert office.load(desk, at(17), without_resolved)["tickets"].failure is None
    assert (office.quarantined(), office.said("occurred_at", of="ticket.solved")) == ([], [(at(3),)])


def without_resolved(exchange: Exchange) -> Answer | None:
    if not exchange.path.endswith("/status"):
        return None
    return 200, {}, orjson.dumps([one for one in exchange.content if one["id"] != "10004"])


def test_a_priority_that_was_emptied_is_none_from_then_on(office: Office) -> None:
    """Raised from nothing to urgent at ten, and emptied before the ticket was solved."""
    raised = ticket(2, priority=changes((at(2), "low"), (at(2, 10), "urgent"), (at(2, 12), "normal")))

    def emptied(exchange: Exchange) -> Answer | None:
        if not histories(exchange):
            return None
        content = exchange.content
        for one in (each for log in content["issueChangeLogs"] for each in log["changeHistories"]):
            for item in (item for item in one["items"] if item["field"] == "priority"):
                is_first = item["toString"] == "Highest"
                item.update({"fromString": None} if is_first else {"to": None, "toString": None})
        return 200, {}, orjson.dumps(content)

    office.load(company(raised, replace(raised, id=3, first_reply_at=at(2, 11))), NOW, emptied)
    of_second = office.facts().filter(pl.col("status").is_null(), pl.col("subject_id") == "2")
    priorities = dict(of_second.select("event_type", "priority").rows())
    assert priorities == {
        "ticket.created": None,
        "ticket.first_replied": None,
        "ticket.solved": None,
        "ticket.closed": None,
    }
    assert office.said("subject_id", "priority", of="ticket.first_replied") == [("2", None), ("3", "urgent")]
