"""Typeform against its stand-in: what answers say, what a second reading asks for, what is deleted, what is loud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import polars as pl
import pytest
from helpdesk_office import Exchange, Office, stored
from pydantic import ValidationError
from shop import code

from pipelines.sandbox import typeform as stand_in
from pipelines.sandbox.company import Company, Opinion
from pipelines.source import Account, Read
from pipelines.typeform import TYPEFORM, TypeformOptions, api
from pipelines.typeform.options import HOSTS
from pipelines.typeform.responses import PAYLOAD

NOW = datetime(2026, 6, 20, 6, tzinfo=UTC)
NPS: dict[str, Any] = {"field": "recomienda", "good_from": 9, "bad_to": 6}
FORM: dict[str, Any] = {"id": stand_in.FORM, "rating": NPS}


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """An instant of June 2026 (UTC)."""
    return datetime(2026, 6, 1, hour, minute, tzinfo=UTC) + timedelta(days=day - 1)


FIRST = at(3)


def opinion(number: int = 1, score: int = 10, answered: datetime | None = FIRST, **different: Any) -> Opinion:
    usual: dict[str, Any] = {"asked_at": at(1), "opened_at": answered or at(2), "deleted_at": None}
    return Opinion(id=number, contact_id=70 + number, answered_at=answered, score=score, **{**usual, **different})


def company(*opinions: Opinion) -> Company:
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone="Europe/Madrid", founded=date(2026, 1, 1), last_day=date(2026, 12, 31), contacts=none,
        listings=none, sales=none, activities=none, tickets=none, invoices=none, videos=none, sheet_rows=none,
        subscribers={}, views={}, opinions=opinions,
    )  # fmt: skip


def crowd(count: int, each: timedelta = timedelta(minutes=1)) -> Company:
    return company(*(opinion(number, answered=FIRST + each * number) for number in range(count)))


class Desk(Office):
    """An office whose account knows pseudonyms."""

    @property
    def account(self) -> Account:
        return Account("agencia", "typeform", self.zone, code)


def declared(**form: Any) -> TypeformOptions:
    return TypeformOptions.model_validate({"forms": {"compra": {**FORM, **form}}})


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of fifty, so that some of them take no thousands of answers."""
    monkeypatch.setattr(api, "PAGE_SIZE", 50)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Desk(tmp_path, monkeypatch, TYPEFORM, declared(), stand_in)


def read(office: Office, of: Company, alter: Any = None, *, after: Read | None = None, **settings: Any) -> Any:
    """One reading, into no lake; the requests are in `exchanges`."""
    settings = {"requests_a_second": 1000, **settings}
    application = office.served(of, NOW, alter, **settings)
    found = office.read(application, "responses_compra", after or Read(None, NOW, None, office.clock))
    office.exchanges = application.exchanges  # type: ignore[attr-defined]
    return found


def again(office: Office, found: Any, since: datetime = NOW - timedelta(days=1)) -> Read:
    """What the reading after one is asked for."""
    assert found.covered is not None, found.failure
    return Read(since, NOW, found.covered.cursor, office.clock)


def asked(office: Office) -> list[dict[str, list[str]]]:
    """The requests for pages of responses, without those that only count."""
    exchanges: list[Exchange] = office.exchanges  # type: ignore[attr-defined]
    found = [parse_qs(one.query) for one in exchanges if one.path.endswith("/responses")]
    return [one for one in found if one["page_size"] != ["1"]]


# What is stated


@pytest.mark.parametrize(("score", "rating"), [(10, "good"), (9, "good"), (8, None), (7, None), (6, "bad"), (0, "bad")])
def test_a_number_is_good_or_bad_by_the_declared_rule(office: Office, score: int, rating: str | None) -> None:
    [record] = read(office, company(opinion(score=score))).records
    assert (rating, str(score)) == (record.payload["rating"], record.payload["score"])


@pytest.mark.parametrize(("score", "rating"), [(10, "good"), (8, None), (2, "bad")])
def test_a_choice_is_good_or_bad_by_its_label_which_is_not_kept(office: Office, score: int, rating: str | None) -> None:
    office.options = declared(rating={"field": "agrado", "good": ["Mucho"], "bad": ["Poco"]})
    [record] = read(office, company(opinion(score=score))).records
    assert (rating, None) == (record.payload["rating"], record.payload["score"])
    assert not {"Mucho", "Poco"} & {str(value) for value in record.payload.values()}


def test_an_answer_is_stated_with_who_gave_it_to_which_request(office: Office) -> None:
    office.options = declared(customer="cliente", is_customer_id=True, request="envio", sent_at="enviada")
    office.load(company(opinion(5), opinion(6, answered=None)), NOW)
    columns = ("event_type", "subject_id", "account_id", "occurred_at", "rating", "score", "category")
    assert office.said(*columns) == [
        ("survey.sent", "5", "75", at(1), None, None, "compra"),
        ("survey.answered", "5", "75", at(3), "good", 10, "compra"),
    ]


def test_what_is_kept_of_an_answer(office: Office) -> None:
    office.options = declared(customer="cliente", request="envio", sent_at="enviada")
    [record] = read(office, company(opinion(5))).records
    token = record.payload["token"]
    assert record.key == token[:12]
    assert record.payload == {
        "token": token, "submitted_at": "2026-06-03T09:00:00Z", "rating": "good", "score": "10",
        "customer": code("75"), "request": "5", "sent_at": "2026-06-01T09:00:00+00:00",
    }  # fmt: skip


def test_days_go_by(office: Office) -> None:
    """What is answered later comes later, what is deleted is withdrawn, and the same day again changes nothing."""
    told = company(opinion(1), opinion(2, answered=at(10)), opinion(3, 2, answered=at(4), deleted_at=at(12)))
    office.load(told, at(5))
    assert office.counts() == {"survey.answered": 2}
    load = office.load(told, at(11))["responses_compra"]
    assert (load.failure, office.counts()) == (None, {"survey.answered": 3})
    office.load(told, at(13))
    assert office.said("rating") == [("good",), ("good",)]
    load = office.load(told, at(13))["responses_compra"]
    assert (load.inserted, load.delivered) == (0, load.duplicates)


def test_a_question_that_was_left_out_says_neither(office: Office) -> None:
    def without(exchange: Exchange) -> Any:
        content = exchange.content
        for one in content.get("items", ()):
            one["answers"] = None
        return 200, {}, orjson.dumps(content)

    [record] = read(office, company(opinion(1)), without).records
    assert (None, None) == (record.payload["rating"], record.payload["score"])


# Who opened a form


def test_who_opened_the_form_is_stated_whether_they_sent_it_or_not(office: Office) -> None:
    office.options = declared(started=True, request="envio")
    told = company(opinion(5, opened_at=at(2)), opinion(6, answered=None, opened_at=at(4)))
    office.load(told, NOW)
    token = office.rows("started_compra").select(pl.col("payload").str.json_path_match("$.token")).item()
    columns = ("event_type", "subject_id", "occurred_at", "category")
    assert office.said(*columns) == [
        ("survey.started", "5", at(2), "compra"),
        ("survey.answered", "5", at(3), "compra"),
        ("survey.started", token, at(4), "compra"),
    ]
    assert office.quarantined() == []


def test_who_sends_it_later_was_started_once_and_what_is_deleted_is_withdrawn(office: Office) -> None:
    office.options = declared(started=True)
    office = stored(office)
    told = company(
        opinion(5, answered=at(10), opened_at=at(2)),
        opinion(6, answered=None, opened_at=at(4), deleted_at=at(12)),
        opinion(7, answered=None, opened_at=at(5)),
    )
    office.load(told, at(6))
    assert office.said("occurred_at", of="survey.started") == [(at(2),), (at(4),), (at(5),)]
    office.load(told, at(11))
    assert office.counts() == {"survey.started": 3, "survey.answered": 1}
    office.load(told, at(13))
    assert office.said("occurred_at", of="survey.started") == [(at(2),), (at(5),)]


def test_those_who_opened_it_are_asked_for_by_that_time_and_nothing_of_them_is_kept(office: Office) -> None:
    office.options = declared(started=True)
    told = company(*(opinion(n, answered=None, opened_at=at(2) + timedelta(minutes=n)) for n in range(1005)))
    application = office.served(told, NOW, requests_a_second=1000)
    found = office.read(application, "started_compra", Read(None, NOW, None, office.clock))
    queries = [parse_qs(one.query) for one in application.exchanges]
    assert [(one["response_type"], one["sort"], "since" in one) for one in queries] == [
        (["started"], ["landed_at,asc"], False), (["started"], ["landed_at,asc"], True),
        (["partial"], ["staged_at,asc"], False),
    ]  # fmt: skip
    assert len({*found.keys}) == len(found.keys) == 1005
    assert {name for one in found.records for name in one.payload} == {"token", "landed_at"}


@pytest.mark.parametrize(("total", "says"), [(3, "None"), (4, "have no staged_at")])
def test_partial_responses_without_a_time_are_read_where_a_page_holds_them(
    office: Office, total: int, says: str
) -> None:
    office.options = declared(started=True)

    def partial(exchange: Exchange) -> Any:
        is_partial = "response_type=partial" in exchange.query
        items = [{"token": f"{n:032d}", "landed_at": "2026-06-02T09:00:00Z"} for n in range(3)]
        return (200, {}, orjson.dumps({"items": items, "total_items": total})) if is_partial else None

    application = office.served(crowd(2), NOW, partial, requests_a_second=1000)
    found = office.read(application, "started_compra", Read(None, NOW, None, office.clock))
    assert len(found.keys) == 3
    assert says in str(found.failure)


def test_a_form_whose_started_responses_are_not_declared_is_asked_for_completed_ones_alone(office: Office) -> None:
    assert [stream.name for stream in office.source.streams()] == ["responses_compra"]
    office.load(company(opinion(5), opinion(6, answered=None)), NOW)
    assert office.counts() == {"survey.answered": 1}


# What is asked for


def test_only_completed_responses_are_asked_for_in_their_order(office: Office) -> None:
    read(office, crowd(1005))
    assert [(one["page_size"], one["sort"], one["response_type"]) for one in asked(office)] == [
        (["1000"], ["submitted_at,asc"], ["completed"])
    ] * 2
    assert "since" not in asked(office)[0]


@pytest.mark.usefixtures("small_pages")
def test_a_long_list_is_read_whole_though_pages_begin_with_what_came(office: Office) -> None:
    """Seven share each second, so the last second of a page goes on on the next one."""
    told = company(*(opinion(n, answered=FIRST + timedelta(seconds=n // 7)) for n in range(235)))
    found = read(office, told)
    assert (235, 235) == (len(found.keys), len(set(found.keys)))


def test_a_second_reading_fetches_only_what_is_new(office: Office) -> None:
    first = read(office, crowd(30))
    more = company(*crowd(30).opinions, opinion(9000, answered=NOW - timedelta(minutes=5)))
    found = read(office, more, after=again(office, first))
    assert (1, 1) == (len(found.keys), len(asked(office)))
    assert asked(office)[0]["since"] == ["2026-06-19T06:00:00Z"]


def test_a_deleted_response_is_missed_by_the_count(office: Office) -> None:
    first = read(office, crowd(30))
    found = read(office, company(*crowd(29).opinions), after=again(office, first))
    [gone] = [one.key for one in found.records if one.is_deleted]
    assert gone == first.keys[-1]
    later = read(office, company(*crowd(29).opinions), after=again(office, found))
    assert (None, []) == (later.failure, later.keys)


def test_a_response_that_was_processed_late_is_found_by_the_count(office: Office) -> None:
    first = read(office, crowd(30))
    late = company(*crowd(30).opinions, opinion(500, answered=at(1, 10)))
    assert len(read(office, late, after=again(office, first)).keys) == 31


def test_all_are_read_again_once_in_a_while_and_where_the_rule_changes(office: Office) -> None:
    first = read(office, crowd(3))
    later = Read(NOW, NOW + timedelta(days=30), first.covered.cursor, office.clock)
    assert len(read(office, crowd(3), after=later).keys) == 3
    office.options = declared(rating={"field": "recomienda", "good_from": 8})
    assert len(read(office, crowd(3), after=again(office, first)).keys) == 3


def test_a_form_that_suddenly_has_no_answers_is_doubted(office: Office) -> None:
    first = read(office, crowd(30))
    assert "30 of the 30 responses that were known" in read(office, crowd(0), after=again(office, first)).failure
    office.with_options(most_removed=1.0)
    assert len(read(office, crowd(0), after=again(office, first)).records) == 30


@pytest.mark.usefixtures("small_pages")
def test_the_limit_of_two_a_second_is_waited_for(office: Office) -> None:
    before = office.clock.waited_seconds()
    assert len(read(office, crowd(175), requests_a_second=2).keys) == 175
    assert office.clock.waited_seconds() > before


# What is loud


def pages(change: Callable[[Exchange], Any]) -> Callable[[Exchange], Any]:
    """Another answer to requests for pages of responses."""
    return lambda one: change(one) if one.path.endswith("/responses") and "page_size=1&" not in one.query else None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, {}, b"<html>Marta</html>"), "what is not JSON"),
        ((200, {}, b'{"total_items": 3, "items": ['), "what is not JSON"),
        ((200, {}, b'{"total_items": 3}'), "answered without items"),
        ((200, {}, b'{"code": "SOMETHING", "description": "Marta"}'), "answered without items, total_items"),
        ((200, {}, b'{"total_items": 3, "items": [{"landing_id": "x"}]}'), "no list of responses with tokens"),
        ((200, {}, b'{"total_items": 3, "items": []}'), "are 0, where 3 were promised"),
        ((200, {}, b'{"total_items": "x", "items": []}'), "are said to be x"),
        ((200, {}, b'{"total_items": 0, "items": []}'), "became fewer"),
        ((400, {}, b'{"code": "VALIDATION_ERROR"}'), "HTTP 400"),
    ],
)
def test_an_answer_that_is_no_list_is_loud(office: Office, answer: Any, says: str) -> None:
    found = read(office, crowd(3), pages(lambda exchange: answer))
    assert says in found.failure
    assert "Marta" not in found.failure


@pytest.mark.usefixtures("small_pages")
def test_a_page_that_comes_twice_or_out_of_order_is_loud(office: Office) -> None:
    kept: list[bytes] = []

    def repeated(exchange: Exchange) -> Any:
        kept.append(exchange.answer)
        return 200, {}, kept[0]

    assert "not in the order or span" in read(office, crowd(125), pages(repeated)).failure


@pytest.mark.usefixtures("small_pages")
def test_more_than_a_page_of_one_second_is_told(office: Office) -> None:
    failure = read(office, crowd(51, timedelta(0))).failure
    assert "of the second 2026-06-03T09:00:00Z are more than a page" in failure


@pytest.mark.parametrize(("number", "problem"), [("nueve", "not a number"), ("NaN", "not a number")])
def test_an_answer_that_is_no_number_is_set_aside_alone(office: Office, number: str, problem: str) -> None:
    def strange(exchange: Exchange) -> Any:
        content = exchange.content
        content["items"][0]["answers"][0]["number"] = number
        return 200, {}, orjson.dumps(content)

    office.load(crowd(3), NOW, pages(strange))
    assert [problem in said for _, said in office.quarantined()] == [True]
    assert office.counts() == {"survey.answered": 2}


@pytest.mark.parametrize("when", [None, "ayer", "0001-01-01T00:00:00Z", "2062-01-01T00:00:00Z"])
def test_an_answer_without_a_possible_time_is_set_aside_alone(office: Office, when: str | None) -> None:
    facts = office.source.streams()[0].facts
    [told] = [_understood(facts, {"token": "a" * 32, "submitted_at": when})]
    assert told is (None if when in ("0001-01-01T00:00:00Z", "2062-01-01T00:00:00Z") else True)


def _understood(facts: Any, payload: dict[str, Any]) -> bool | None:
    """Whether the mapping itself finds a problem; what lies out of time is found by the limits of all facts."""
    row = {field.name: payload.get(field.name) for field in PAYLOAD.fields}
    schema = {field.name: field.dtype for field in PAYLOAD.fields}
    frame = pl.LazyFrame([row], schema=schema).with_columns(record_key=pl.lit("k"), revision=pl.lit(None))
    return True if facts(frame).collect()["problem"][0] is not None else None


# What is declared


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"id": "u6nXL7kX"}, "there is no form u6nXL7kX"),
        ({"rating": {"field": "recomiendas", "good_from": 9}}, "no question recomiendas. Did you mean recomienda"),
        ({"rating": {"field": "agrado", "good_from": 9}}, "agrado is answered with multiple_choice"),
        ({"rating": {"field": "recomienda", "good": ["9"]}}, "recomienda is answered with nps"),
        ({"rating": {"field": "agrado", "good": ["Muchos"]}}, "no choice Muchos. Did you mean Mucho"),
        ({"customer": "client"}, "no hidden field client. Did you mean cliente"),
    ],
)
def test_what_the_form_has_not_is_told_with_the_nearest(office: Office, form: dict[str, Any], says: str) -> None:
    office.options = declared(**form)
    assert says in read(office, crowd(1)).failure


def test_a_refused_token_is_told_and_not_shown(office: Office) -> None:
    office.configure(access_token="tfp_otra_clave")
    failure = read(office, crowd(1)).failure
    assert "responses:read" in failure
    assert "otra_clave" not in failure


@pytest.mark.parametrize(
    ("rating", "says"),
    [
        ({"field": "a"}, "numbers or choices, one of them"),
        ({"field": "a", "good_from": 9, "good": ["x"]}, "numbers or choices, one of them"),
        ({"field": "a", "good_from": 5, "bad_to": 6}, "answers from 5 to 6 would be good and bad"),
        ({"field": "a", "good": ["x"], "bad": ["x"]}, "x would be good and bad"),
        ({"field": "a", "god_from": 5}, "Extra inputs"),
    ],
)
def test_impossible_rules_are_refused(rating: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        declared(rating=rating)


def test_the_region_says_where_the_account_is() -> None:
    assert {
        "us": "https://api.typeform.com",
        "eu": "https://api.eu.typeform.com",
        "eu2": "https://api.typeform.eu",
    } == HOSTS


def test_answers_of_somebody_who_is_erased_go_with_them(office: Office) -> None:
    office.options = declared(customer="cliente")
    people = office.source.streams()[0].people
    [record] = read(office, company(replace(opinion(5)))).records
    assert people.is_theirs(record.key, record.payload, lambda kind, id_: (kind, id_) == ("respondent", code("75")))


# Interrupted


@pytest.fixture
def a_mark_a_page(monkeypatch: pytest.MonkeyPatch, small_pages: None) -> None:
    monkeypatch.setattr(import_module("pipelines.typeform.responses"), "PAGES_A_MARK", 1)


@pytest.mark.usefixtures("a_mark_a_page")
def test_a_long_reading_goes_on_where_it_was_interrupted(office: Office) -> None:
    whole = read(office, crowd(175))
    rest = read(office, crowd(175), after=Read(None, NOW, None, office.clock, whole.marks[2]))
    kept = [record.key for page in whole.pages[:3] for record in page]
    assert ({*kept, *rest.keys}, len(asked(office))) == ({*whole.keys}, 1)
    assert rest.covered == whole.covered


@pytest.mark.usefixtures("a_mark_a_page")
def test_what_was_deleted_during_an_interruption_is_missed_by_the_next_reading(office: Office) -> None:
    whole, fewer = read(office, crowd(175)), company(*crowd(175).opinions[1:])
    rest = read(office, fewer, after=Read(None, NOW, None, office.clock, whole.marks[1]))
    later = read(office, fewer, after=again(office, rest))
    assert [one.key for one in later.records if one.is_deleted] == [whole.keys[0]]


@pytest.mark.usefixtures("a_mark_a_page")
def test_a_reading_of_all_that_was_interrupted_is_gone_on_with_as_one(office: Office) -> None:
    whole = read(office, crowd(175))
    found = read(office, crowd(175), after=replace(again(office, whole), mark=whole.marks[0]))
    assert found.covered is not None
    assert (found.covered.start, found.covered.cursor) == (None, whole.covered.cursor)
