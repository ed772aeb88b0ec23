"""What breaks loads from Freshdesk: its wall, crowds of one time, limits, broken answers, strange records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import polars as pl
import pytest
import requests
from crm_office import Answer, refusing
from helpdesk_office import Alter, Exchange, Office, StoredOffice, at, changes, company, ticket

from pipelines.freshdesk import FRESHDESK, FreshdeskOptions, helpdesk
from pipelines.sandbox import freshdesk as stand_in
from pipelines.sandbox.company import Company, Ticket
from pipelines.source import Read

NOW = at(30)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, FRESHDESK, FreshdeskOptions(subdomain="agencia", surveys=False), stand_in)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredOffice:
    return StoredOffice(
        tmp_path, monkeypatch, FRESHDESK, FreshdeskOptions(subdomain="agencia", surveys=False), stand_in
    )


def fresh(number: int, second: int) -> Ticket:
    """A ticket that was made so many seconds after nine o'clock, and that nobody has touched."""
    made = at(2) + timedelta(seconds=second)
    return ticket(
        number,
        created_at=made,
        status=changes((made, "new")),
        priority=changes((made, "low")),
        first_reply_at=None,
    )


def crowd(size: int, second: Callable[[int], int]) -> Company:
    return company(*(fresh(number, second(number)) for number in range(1, size + 1)))


def ids(keys: list[str]) -> list[int]:
    return sorted({int(key.split("/")[0]) for key in keys})


def few_pages(office: Office, most: int = 3) -> None:
    """Lists end after so many pages, in the vendor and in the source: as with 300, with less to read."""
    office.environment.setattr(stand_in, "MOST_PAGES", most)
    office.environment.setattr(helpdesk, "MOST_PAGES", most)


# The wall


def test_the_sandbox_ends_its_lists_at_page_300_as_freshdesk_does(office: Office) -> None:
    with office.serving(office.served(crowd(3, int), NOW)) as url:
        asked = {
            page: requests.get(f"{url}/api/v2/tickets?page={page}", auth=("sandbox-freshdesk-key", "X"), timeout=10)
            for page in (300, 301)
        }
    assert (helpdesk.MOST_PAGES, helpdesk.PAGE_SIZE) == (300, 100)
    assert (asked[300].status_code, asked[301].status_code) == (200, 400)
    assert asked[301].json()["errors"][0]["field"] == "page"


@pytest.mark.parametrize(
    ("case", "second"),
    [
        ("one time each", lambda number: number),
        ("crowds of two pages", lambda number: number // 200 * 60),
        ("crowds in seconds that follow each other", lambda number: number // 150),
        ("a crowd as large as can be", lambda number: 0 if number <= 299 else number),
    ],
)
def test_more_tickets_than_a_list_can_page_are_all_read(
    office: Office, case: str, second: Callable[[int], int]
) -> None:
    few_pages(office)
    reading = office.first(office.served(crowd(1_000, second), NOW), "tickets", NOW)
    assert reading.failure is None
    assert ids(reading.keys) == list(range(1, 1_001))


def test_a_crowd_of_one_time_beyond_the_wall_is_told_and_does_not_go_round_for_ever(office: Office) -> None:
    few_pages(office)
    reading = office.first(office.served(crowd(301, lambda number: 0), NOW), "tickets", NOW)
    assert reading.covered is None
    assert "agencia.freshdesk: /api/v2/tickets ends at page 3, and more than 300 tickets were changed at" in str(
        reading.failure
    )


def test_answers_beyond_the_wall_are_told(office: Office) -> None:
    office.with_options(surveys=True)
    few_pages(office, most=1)
    rated = company(*(ticket(n, rating=changes((at(5), "good"))) for n in range(1, 102)))
    reading = office.first(office.served(rated, NOW), "satisfaction_ratings", NOW)
    assert "more than 100 answers" in str(reading.failure)


# Lists that move while they are read


def moving(office: Office, before: Company, after: Company, when: Callable[[Exchange], bool]) -> Any:
    """The vendor whose tickets change once a request of a kind has been answered."""
    served = office.served(before, NOW)

    def change(exchange: Exchange) -> None:
        if when(exchange):
            served.inner = stand_in.app(office.desk(after, NOW))

    served.alter = change
    return served


@pytest.mark.parametrize("second", [lambda number: number, lambda number: 0], ids=["different times", "one time"])
def test_tickets_that_change_while_they_are_read_hide_no_others(office: Office, second: Callable[[int], int]) -> None:
    """The first of 300 moves to the end once a page was read: what was the 101st is now the 100th."""
    before = crowd(300, second)
    first = before.tickets[0]
    moved = replace(first, status=(*first.status, *changes((at(9), "pending"))))
    after = company(moved, *before.tickets[1:])
    served = moving(
        office, before, after, lambda exchange: "page=1" in exchange.query and "filter" not in exchange.query
    )
    reading = office.first(served, "tickets", NOW)
    assert reading.failure is None
    assert ids(reading.keys) == list(range(1, 301))


def test_a_crowd_that_never_holds_still_is_told(office: Office) -> None:
    turns = iter(range(10**6))

    def shuffled(exchange: Exchange) -> Answer | None:
        if exchange.path != "/api/v2/tickets" or "filter" in exchange.query:
            return None
        content, turn = exchange.content, next(turns) % 100
        return 200, {"Link": '<x>; rel="next"'}, orjson.dumps(content[turn:] + content[:turn])

    reading = office.first(office.served(crowd(300, lambda number: 0), NOW, shuffled), "tickets", NOW)
    assert "changed each of 5 times that they were read" in str(reading.failure)


# Limits


def test_the_limit_of_the_plan_is_waited_for(office: Office) -> None:
    served = office.served(crowd(1_500, lambda number: number), NOW, credits_a_minute=20)
    reading = office.first(served, "tickets", NOW)
    assert (reading.failure, len(ids(reading.keys))) == (None, 1_500)
    refused = [one for one in served.exchanges if one.status == 429]
    assert refused
    assert "exceeded the limit" in refused[0].content["message"]
    assert office.clock.waited_seconds() >= 60


@pytest.mark.parametrize(
    ("status", "headers", "waited"),
    [(429, {"Retry-After": "7"}, 21), (429, {}, 7), (503, {}, 7)],  # 1 + 2 + 4
)
def test_each_way_of_saying_later_is_waited_for(
    office: Office, status: int, headers: dict[str, str], waited: float
) -> None:
    served = office.served(crowd(3, int), NOW, refusing(3, status, headers))
    assert office.first(served, "tickets", NOW).failure is None
    assert office.clock.waited_seconds() == waited


def test_a_quota_of_the_hour_ends_the_reading_and_the_next_run_completes_it(office: Office) -> None:
    loads = office.load(crowd(3, int), NOW, refusing(10**6, 429, {"Retry-After": "3000"}))
    assert "asks to wait 0.8 hours: a quota is used up" in str(loads["tickets"].failure)
    assert office.clock.waited_seconds() == 0
    office.load(crowd(3, int), NOW + timedelta(hours=1))
    assert office.counts()["ticket.created"] == 3


# Going on where a reading was stopped


def test_a_reading_goes_on_from_any_of_its_marks_and_misses_nothing(office: Office) -> None:
    tickets = [fresh(number, number // 4) for number in range(1, 401)]
    tickets += [replace(fresh(number, number), deleted_at=at(9)) for number in range(401, 561)]
    whole = company(*tickets)
    from_the_start = office.served(whole, NOW)
    first = office.first(from_the_start, "tickets", NOW)
    assert len(first.marks) == len(first.pages) > 6
    for place, mark in enumerate(first.marks):
        served = office.served(whole, NOW)
        rest = office.read(served, "tickets", Read(None, NOW, None, office.clock, mark=mark))
        kept = [record.key for page in first.pages[: place + 1] for record in page]
        assert rest.covered == first.covered
        assert ids(kept + rest.keys) == list(range(1, 561))
        lists = [one for one in served.exchanges if "/archived/" not in one.path]
        assert len(lists) <= len(from_the_start.exchanges) + 1  # for their numbers alone: no ticket by itself
        asked = {int(one.path.rsplit("/", 1)[1]) for one in served.exchanges if one not in lists}
        assert asked <= {*range(561, 601)}  # what a list had is in no archive


def test_a_first_reading_of_many_that_is_stopped_is_not_begun_anew(stored: StoredOffice) -> None:
    many = crowd(200, lambda number: number)
    left = [8]

    def stopping(exchange: Exchange) -> Answer | None:
        left[0] -= 1
        return (429, {"Retry-After": "7000"}, b"{}") if left[0] < 0 else None

    stored.environment.setattr(helpdesk, "PAGE_SIZE", 20)
    loads = stored.load(many, NOW, stopping)
    assert loads["tickets"].failure is not None
    assert stored.counts()["ticket.created"] > 140
    again = stored.load(many, NOW + timedelta(hours=2))
    assert (again["tickets"].failure, again["tickets"].delivered < 60) == (None, True)
    assert stored.counts()["ticket.created"] == 200
    complete = stored.lake.loads().filter(pl.col("covered_to").is_not_null(), pl.col("stream") == "tickets").collect()
    spans = complete.sort("recorded_at").select("covered_from", "covered_to").rows()
    assert spans[0] == (None, NOW)
    assert spans[-1][1] == NOW + timedelta(hours=2)


def test_a_mark_has_no_tickets_number(office: Office) -> None:
    office.with_options(first_ticket=987_600)
    marks = office.first(office.served(company(ticket(987_655)), NOW), "tickets", NOW).marks
    assert marks[0] == '{"list":"live","highest":987700,"from":"2026-03-07T08:59:59+00:00"}'


# Answers that are not whole


def live(exchange: Exchange) -> bool:
    return exchange.path == "/api/v2/tickets" and "filter" not in exchange.query


def later(exchange: Exchange) -> bool:
    """Any page of the live tickets but the first one."""
    return live(exchange) and "1970-01-01" not in exchange.query


def answered(when: Callable[[Exchange], bool], answer: Any, status: int = 200, **headers: str) -> Alter:
    def alter(exchange: Exchange) -> Answer | None:
        if not when(exchange):
            return None
        return status, headers, answer if isinstance(answer, bytes) else orjson.dumps(answer)

    return alter


def truncated(exchange: Exchange) -> Answer | None:
    return (200, {}, exchange.answer[:-40]) if later(exchange) else None


def endless(exchange: Exchange) -> Answer | None:
    """Every page is the first one, and there is always a next."""
    return (200, {"Link": '<x>; rel="next"'}, first_page(exchange)) if live(exchange) else None


_FIRST: list[bytes] = []


def first_page(exchange: Exchange) -> bytes:
    if "1970-01-01" in exchange.query:
        _FIRST[:] = [exchange.answer]
    return _FIRST[0]


def backwards(exchange: Exchange) -> Answer | None:
    return (200, {}, orjson.dumps(exchange.content[::-1])) if live(exchange) else None


_LIVE: list[bytes] = []


def of_another_list(exchange: Exchange) -> Answer | None:
    """The deleted tickets are those that were listed before."""
    if live(exchange):
        _LIVE[:] = [exchange.answer]
    return (200, {}, _LIVE[0]) if "filter=deleted" in exchange.query else None


def without_ids(exchange: Exchange) -> Answer | None:
    if not live(exchange):
        return None
    return 200, {}, orjson.dumps([{k: v for k, v in one.items() if k != "id"} for one in exchange.content])


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (answered(later, []), "is empty, though it was promised"),
        (answered(live, [], Link='<x>; rel="next"'), "is empty, though it was promised"),
        (answered(live, {"results": []}), "not a list of items with ids"),
        (answered(live, {"code": "internal_error", "message": "sorry"}), "not a list of items with ids"),
        (answered(live, b"<html>We'll be right back"), "what is not JSON"),
        (answered(live, {"description": "Validation failed"}, 400), "HTTP 400"),
        (truncated, "what is not JSON"),
        (endless, "not in the order or span"),
        (backwards, "not in the order or span"),
        (without_ids, "not a list of items with ids"),
        (of_another_list, "is one of another list"),
    ],
)
def test_a_list_that_is_not_whole_ends_its_stream_without_a_word_of_what_it_covered(
    office: Office, alter: Alter, said: str
) -> None:
    reading = office.first(office.served(crowd(250, lambda number: number), NOW, alter), "tickets", NOW)
    assert reading.covered is None
    assert said in str(reading.failure)
    assert str(reading.failure).startswith("agencia.freshdesk: ")


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (answered(lambda one: "ratings" in one.path, [{"id": 1}] * 100), "is one that came before"),
        (answered(lambda one: "ratings" in one.path, {"error": "no"}), "not a list"),
        (answered(lambda one: "filter=spam" in one.query, b"<html>"), "not JSON"),
    ],
)
def test_answers_that_are_not_whole_end_their_stream(office: Office, alter: Alter, said: str) -> None:
    office.with_options(surveys=True)
    reading = office.first(office.served(crowd(3, int), NOW, alter), "satisfaction_ratings", NOW)
    assert reading.covered is None
    assert said in str(reading.failure)


def test_what_a_broken_list_left_out_is_read_by_the_next_run(stored: StoredOffice) -> None:
    many = crowd(250, lambda number: number)
    assert stored.load(many, NOW, truncated)["tickets"].failure is not None
    assert stored.counts()["ticket.created"] == 100
    assert stored.load(many, NOW + timedelta(hours=1))["tickets"].failure is None
    assert stored.counts()["ticket.created"] == 250


def test_an_error_names_no_ticket(office: Office) -> None:
    office.with_options(surveys=True, first_ticket=987_655)
    alter = answered(lambda one: "conversations" in one.path, b"<html>")
    failure = office.first(office.served(company(ticket(987_655)), NOW, alter), "tickets", NOW).failure
    assert "/api/v2/tickets/…/conversations" in str(failure)
    assert "987655" not in str(failure)


def test_a_ticket_that_is_gone_before_its_conversations_are_asked_for_was_created(office: Office) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket(20)), NOW, answered(lambda one: "conversations" in one.path, b"", 404))
    assert "ticket.first_replied" not in office.counts()
    assert office.counts()["ticket.created"] == 1


# Records that are strange


def with_changes(change: Callable[[dict[str, Any]], None], number: int = 2) -> Alter:
    """One ticket, in the middle of a page, is another one."""

    def alter(exchange: Exchange) -> Answer | None:
        if not live(exchange):
            return None
        content = exchange.content
        for one in content:
            if int(one["id"]) == number:
                change(one)
        return 200, {}, orjson.dumps(content)

    return alter


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda one: one.update(created_at="ayer"), "created_at: not a time (ayer)"),
        (lambda one: one.update(created_at="2026-03-02T09:00:00"), "created_at: not a time (2026-03-02T09:00:00)"),
        (lambda one: one.update(created_at=None), "created_at: not a time (nothing)"),
        (lambda one: one.update(updated_at="03/02/2026"), "updated_at: not a time (03/02/2026)"),
        (lambda one: one.update(status=None), "status: nothing"),
        (lambda one: one["stats"].update(resolved_at="luego"), "resolved_at: not a time (luego)"),
        (lambda one: one["stats"].update(closed_at="2062-01-05T09:00:00Z"), "2062-01-05 09:00 UTC is in the future"),
    ],
)
def test_a_strange_ticket_is_set_aside_by_itself(
    office: Office, change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    loads = office.load(company(ticket(1), ticket(2), ticket(3)), NOW, with_changes(change))
    assert loads["tickets"].failure is None
    [(key, found)] = office.quarantined()
    assert key.startswith("2/")
    assert problem in found
    assert {subject for (subject,) in office.said("subject_id")} == {"1", "3"}


def test_a_ticket_without_stats_in_the_middle_of_a_page_hides_no_other(office: Office) -> None:
    office.load(company(ticket(1), ticket(2), ticket(3)), NOW, with_changes(lambda one: one.update(stats=None)))
    assert office.said("subject_id", of="ticket.created") == [("1",), ("2",), ("3",)]
    assert office.said("subject_id", of="ticket.first_replied") == [("1",), ("2",), ("3",)]
    assert office.said("subject_id", of="ticket.solved") == [("1",), ("3",)]


def test_numbers_that_come_as_texts_say_the_same(office: Office, tmp_path: Path) -> None:
    plain = Office(tmp_path / "plain", office.environment, FRESHDESK, office.options, stand_in)
    plain.load(company(ticket(2)), NOW)

    def as_texts(one: dict[str, Any]) -> None:
        for name in ("id", "status", "priority", "source", "requester_id"):
            one[name] = str(one[name])

    office.load(company(ticket(2)), NOW, with_changes(as_texts))
    columns = ["event_type", "subject_id", "account_id", "priority", "status", "channel", "occurred_at"]
    assert office.facts().select(columns).equals(plain.facts().select(columns))


def test_a_last_change_in_2062_does_not_outlive_what_happens_later(office: Office) -> None:
    office.load(company(ticket(2)), at(4), with_changes(lambda one: one.update(updated_at="2062-01-01T00:00:00Z")))
    [revision] = office.rows("tickets").select("revision").to_series()
    assert revision == at(4)
    office.load(company(replace(ticket(2), deleted_at=at(6))), at(7))
    assert office.facts().is_empty()


def test_offsets_other_than_utc_are_understood(office: Office) -> None:
    office.load(company(ticket(2)), NOW, with_changes(lambda one: one.update(created_at="2026-03-02T10:00:00+01:00")))
    assert office.said("occurred_at", of="ticket.created") == [(at(2),)]


def test_a_strange_answer_is_set_aside_and_the_one_before_it_holds(office: Office) -> None:
    office.with_options(surveys=True)

    def strange(exchange: Exchange) -> Answer | None:
        if "ratings" not in exchange.path:
            return None
        [one] = exchange.content
        odd = {**one, "id": 99, "ratings": {"default_question": 777}, "updated_at": "2026-03-20T09:00:00Z"}
        return 200, {}, orjson.dumps([one, odd])

    office.load(company(ticket(rating=changes((at(5), "good")))), NOW, strange)
    assert office.quarantined() == [("1/99", "ratings: 777 is no answer that is known")]
    assert office.said("rating", of="survey.answered") == [("good",)]


def test_requests_ask_as_freshdesk_documents(office: Office) -> None:
    served = office.served(crowd(250, lambda number: number), NOW)
    office.first(served, "tickets", NOW)
    asked = [parse_qs(one.query) for one in served.exchanges if one.path == "/api/v2/tickets"]
    assert {tuple(sorted(one)) for one in asked} == {
        ("include", "order_by", "order_type", "page", "per_page", "updated_since"),
        ("filter", "order_by", "order_type", "page", "per_page", "updated_since"),
    }
    assert all(one["order_type"] == ["asc"] and one["per_page"] == ["100"] for one in asked)
    assert {one.headers["authorization"].split()[0] for one in served.exchanges} == {"Basic"}
    assert pl.Series([one.status for one in served.exchanges]).unique().to_list() == [200]
