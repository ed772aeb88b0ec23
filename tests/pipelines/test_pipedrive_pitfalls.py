"""What breaks loads from Pipedrive elsewhere, and what it comes to here: the right records, or a loud error."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from crm_office import Answer
from pipedrive_office import (
    Exchange,
    Office,
    Tampering,
    app,
    business,
    call,
    changes,
    contact,
    day,
    deal,
    small,
)

from pipelines.pipedrive import PipedriveOptions

NOW = day(60)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


def changed(path: str, alter: Callable[[Any], Any], page: int = 0) -> Callable[[Exchange], Answer | None]:
    """Changes one answer of a path; page: the how manieth."""
    seen = [0]

    def tamper(exchange: Exchange) -> Answer | None:
        if exchange.path != path or "deleted" in exchange.query:
            return None
        seen[0] += 1
        if seen[0] != page + 1:
            return None
        given = alter(exchange.content)
        return 200, {}, given if isinstance(given, bytes) else orjson.dumps(given)

    return tamper


def without(key: str) -> Callable[[Any], Any]:
    return lambda content: {name: value for name, value in content.items() if name != key}


def with_first(**fields: Any) -> Callable[[Any], Any]:
    """The first record of a page with other fields; None: without it."""

    def alter(content: Any) -> Any:
        first = {**content["data"][0], **fields}
        first = {name: value for name, value in first.items() if value is not ...}
        return {**content, "data": [first, *content["data"][1:]]}

    return alter


BROKEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "truncated": (lambda content: orjson.dumps(content)[:-40], "what is not JSON"),
    "html": (lambda content: b"<html>Sign in</html>", "what is not JSON"),
    "a list": (lambda content: content["data"], "a JSON list, not an object"),
    "an error with 200": (lambda content: {"success": False, "error": "oops", "data": None}, "did not succeed"),
    "no data": (without("data"), "without data"),
    "no success": (without("success"), "without success"),
    "data is null": (lambda content: {**content, "data": None}, "in another shape"),
    "no word of the next page": (without("additional_data"), "in another shape"),
    "no next cursor": (lambda content: {**content, "additional_data": {}}, "in another shape"),
    "a record without id": (with_first(id=...), "in another shape"),
    "a record without times": (with_first(add_time=..., update_time=...), "in another shape"),
    "an odd time": (with_first(update_time="ayer"), "in another shape"),
    "records out of order": (lambda content: {**content, "data": content["data"][::-1]}, "came before, or is out of"),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize(("stream", "path"), [("deals", "/api/v2/deals"), ("persons", "/api/v2/persons")])
@pytest.mark.parametrize("page", [0, 1])
def test_a_list_that_is_not_whole_ends_its_stream_without_a_word_of_what_it_covered(
    office: Office, broken: str, stream: str, path: str, page: int
) -> None:
    alter, said = BROKEN[broken]
    served = Tampering(app(office.desk(small(), NOW)), changed(path, alter, page))
    reading, _ = office.read(served, stream, NOW)
    assert said in str(reading.failure)
    assert reading.covered is None
    assert len(reading.records) == 25 * page


def first_page_again(exchange: Exchange) -> Answer | None:
    """Whatever the cursor, the first page: an endless list."""
    if exchange.path == "/api/v2/deals" and "cursor=" in exchange.query:
        return 200, {}, FIRST[0]
    if exchange.path == "/api/v2/deals" and "deleted" not in exchange.query:
        FIRST[:] = [exchange.answer]
    return None


FIRST: list[bytes] = []


def empty_page(exchange: Exchange) -> Answer | None:
    if exchange.path != "/api/v2/deals" or "cursor=" not in exchange.query:
        return None
    return 200, {}, orjson.dumps({**exchange.content, "data": []})


def shifted_page(exchange: Exchange) -> Answer | None:
    """A page that begins with the last record of the one before."""
    if exchange.path != "/api/v2/deals" or "cursor=" not in exchange.query:
        return None
    data = exchange.content["data"]
    return 200, {}, orjson.dumps({**exchange.content, "data": [{**data[0], "id": data[0]["id"] - 1}, *data]})


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (first_page_again, "has what came before"),
        (empty_page, "is empty, though it was promised"),
        (shifted_page, "has what came before"),
    ],
)
def test_an_endless_an_empty_and_a_shifted_page_end_the_stream(office: Office, tamper: Any, said: str) -> None:
    reading, _ = office.read(Tampering(app(office.desk(small(), NOW)), tamper), "deals", NOW)
    assert said in str(reading.failure)
    assert (len(reading.records), reading.covered) == (25, None)


CHANGELOG = "/api/v1/deals/3005/changelog"


def endless(exchange: Exchange) -> Answer | None:
    if exchange.path != CHANGELOG:
        return None
    entry = {"field_key": "status", "old_value": "open", "new_value": "won", "time": "2026-01-07 09:00:00"}
    return 200, {}, orjson.dumps({"success": True, "data": [entry], "additional_data": {"next_cursor": "aWQ6NTQ0"}})


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        *((changed(CHANGELOG, BROKEN[name][0]), BROKEN[name][1]) for name in
          ("truncated", "html", "an error with 200", "no data", "no word of the next page", "no next cursor")),
        (endless, "come again and again"),
        (changed(CHANGELOG, lambda content: {**content, "data": {"strange": 1}}), "in another shape"),
        (lambda one: (500, {}, b"") if one.path == CHANGELOG else None, "failed 8 times, at last with HTTP 500"),
        (lambda one: (400, {}, b"{}") if one.path == CHANGELOG else None, "answered HTTP 400"),
    ],
)  # fmt: skip
def test_a_history_that_is_not_whole_ends_the_stream(office: Office, tamper: Any, said: str) -> None:
    reading, marks = office.read(Tampering(app(office.desk(small(), NOW)), tamper), "deals", NOW)
    assert said in str(reading.failure)
    assert (reading.records, reading.covered, marks) == ([], None, [])
    assert "3005" not in str(reading.failure)  # errors are kept where nobody could erase a record's id


def test_a_changelog_of_many_pages_is_read_whole(office: Office) -> None:
    raised = ((day(7 + n // 60, 9, n % 60), Decimal(1001 + n)) for n in range(600))
    sale = deal(301, (day(6), "contacto"), amount=changes((day(6), Decimal(1000)), *raised))
    served = Tampering(app(office.desk(business(contacts=[contact(1)], deals=[sale]), NOW)))
    reading, _ = office.read(served, "deals", NOW)
    assert (len(reading.records), len(office.histories["301/history"]["history"]["value"])) == (1, 600)
    assert sum("changelog" in one.path for one in served.exchanges) == 2


WITH_PRODUCTS = PipedriveOptions.model_validate(
    {"domain": "acme", "sales": [{"pipeline": "ventas", "product_of_lines": True}]}
)


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (BROKEN["html"][0], "what is not JSON"),
        (BROKEN["data is null"][0], "in another shape"),
        (without("additional_data"), "in another shape"),
        (with_first(name=...), "in another shape"),
        (lambda content: {**content, "additional_data": {"next_cursor": "again"}}, "is empty or came before"),
    ],
)
def test_products_that_are_not_whole_end_the_stream(office: Office, alter: Any, said: str) -> None:
    tamper = (changed("/api/v2/deals/products", alter, page) for page in range(2))
    first, second = next(tamper), next(tamper)
    served = Tampering(app(office.desk(small(3), NOW)), lambda one: first(one) or second(one))
    reading, _ = office.read(served, "deals", NOW, options=WITH_PRODUCTS)
    assert said in str(reading.failure)
    assert reading.covered is None


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (without("additional_data"), "in another shape"),
        (lambda content: {**content, "additional_data": {"pagination": {}}}, "in another shape"),
        (lambda content: {**content, "data": [], "additional_data": {"pagination": {"more_items_in_collection": True}}},
         "is empty or came before"),
        (lambda content: {**content, "data": [{"item": "person", "id": 1}]}, "in another shape"),
    ],
)  # fmt: skip
def test_a_list_of_late_changes_that_is_not_whole_ends_the_stream(office: Office, alter: Any, said: str) -> None:
    before, _ = office.read(app(office.desk(small(), NOW)), "persons", NOW)
    assert before.covered is not None
    served = Tampering(app(office.desk(small(), NOW)), changed("/api/v1/recents", alter))
    reading, _ = office.read(served, "persons", NOW, since=day(2), cursor=before.covered.cursor)
    assert said in str(reading.failure)
    assert reading.covered is None


@pytest.mark.parametrize(
    ("stream", "path"),
    [
        ("deals", "/api/v2/pipelines"),
        ("deals", "/api/v2/stages"),
        ("deals", "/api/v2/dealFields"),
        ("persons", "/api/v2/personFields"),
        ("activities", "/api/v1/activityTypes"),
    ],
)
@pytest.mark.parametrize("broken", ["html", "an error with 200", "no data", "data is null"])
def test_definitions_that_are_not_whole_end_the_stream_before_any_record(
    office: Office, stream: str, path: str, broken: str
) -> None:
    served = Tampering(app(office.desk(small(), NOW)), changed(path, BROKEN[broken][0]))
    reading, _ = office.read(served, stream, NOW)
    assert reading.failure is not None
    assert (reading.records, reading.covered) == ([], None)


# Ties, deletions and what changes while it is read


def test_more_records_than_a_page_with_one_last_change_are_all_read_since_that_instant(office: Office) -> None:
    """A bulk update gives thousands of records one time; `updated_since` includes it, and pages go by id."""
    company = business(activities=[call(4000 + n, day(8), "connected", entered_at=day(40)) for n in range(1200)])
    before, _ = office.read(app(office.desk(company, NOW)), "activities", NOW)
    assert before.covered is not None
    reading, _ = office.read(
        app(office.desk(company, NOW)), "activities", NOW, since=day(40), cursor=before.covered.cursor
    )
    assert reading.keys == [str(4000 + n) for n in range(1200)]
    later, _ = office.read(
        app(office.desk(company, NOW)), "activities", NOW, since=day(40, 9, 0, 1), cursor=before.covered.cursor
    )
    assert later.records == []


def test_a_record_that_a_list_calls_deleted_is_gone(office: Office) -> None:
    served = Tampering(
        app(office.desk(small(5), NOW)), changed("/api/v2/activities", with_first(is_deleted=True))
    )  # fmt: skip
    reading, _ = office.read(served, "activities", NOW)
    assert reading.keys == ["-4000", "4001", "4002", "4003", "4004"]


def test_what_is_still_deleted_when_it_is_looked_for_is_not_stored_again_each_day(office: Office) -> None:
    before, _ = office.read(app(office.desk(small(5), NOW)), "activities", NOW)
    assert before.covered is not None
    memory = orjson.loads(before.covered.cursor or "")
    cursor = orjson.dumps({**memory, "deleted": {"2026-02-20": ["4000", "9999"]}}).decode()
    looked = Tampering(
        app(office.desk(small(5), NOW)), changed("/api/v2/activities", with_first(is_deleted=True), page=1)
    )
    reading, _ = office.read(looked, "activities", NOW, since=NOW, cursor=cursor)
    assert "ids=4000%2C9999" in looked.exchanges[-1].query
    assert (reading.records, reading.failure) == ([], None)
    assert reading.covered is not None
    assert orjson.loads(reading.covered.cursor or "")["deleted"] == {"2026-02-20": ["4000", "9999"]}
    restored, _ = office.read(app(office.desk(small(5), NOW)), "activities", NOW, since=NOW, cursor=cursor)
    assert [(one.key, one.revision) for one in restored.records] == [("4000", day(8, 10))]
    assert restored.covered is not None
    assert orjson.loads(restored.covered.cursor or "")["deleted"] == {"2026-02-20": ["9999"]}


def test_a_deal_without_history_in_the_middle_of_a_page_loses_neither_itself_nor_the_rest(office: Office) -> None:
    """A record in the middle that makes a loop return loses the rest of its page in widely used connectors."""

    def bare(exchange: Exchange) -> Answer | None:
        content = exchange.content
        if exchange.path == "/api/v1/deals/3001/changelog":
            return 200, {}, orjson.dumps({**content, "data": []})
        if exchange.path == "/api/v1/deals/3002/changelog":
            return 200, {}, orjson.dumps({**content, "data": None})  # so the first version writes an empty list
        return None

    assert office.load(Tampering(app(office.desk(small(6), NOW)), bare), NOW)["deals"].failure is None
    assert office.facts("deal.won", "subject_id", "occurred_at") == [(str(3000 + n), day(7, 9, n)) for n in range(6)]


# What cannot be understood


def test_a_record_that_cannot_be_understood_is_set_aside_by_itself_and_named(office: Office) -> None:
    def strange(exchange: Exchange) -> Answer | None:
        content = exchange.content
        if exchange.path == "/api/v2/deals" and "deleted" not in exchange.query:
            content["data"][0]["value"] = "cinco mil"
            content["data"][2]["currency"] = None
            content["data"][3]["add_time"] = "1 de enero"
        elif exchange.path == "/api/v1/deals/3001/changelog":
            content["data"][0]["time"] = "ayer"
        elif exchange.path == "/api/v2/activities":
            content["data"][0] |= {"due_date": "2062-01-05", "marked_as_done_time": None}
            content["data"][1]["duration"] = "1 h 30"
            content["data"][2] |= {"due_date": None, "due_time": None, "marked_as_done_time": None}
        else:
            return None
        return 200, {}, orjson.dumps(content)

    office.load(Tampering(app(office.desk(small(6), NOW)), strange), NOW)
    aside = office.lake.quarantine().sort("record_key").select("record_key", "problem").collect()
    assert aside.rows() == [
        ("3000", "value is, or has been, not a number"),
        ("3001", "the history of status has an entry without a time"),
        ("3002", "there is a value and no currency"),
        ("3003", "add_time is not a time"),
        ("4000", "due_date is after the last change of an activity that is done"),
        ("4001", "duration is not one"),
        ("4002", "due_date and due_time are not a time"),
    ]
    assert [id_ for (id_,) in office.facts("deal.won", "subject_id")] == ["3004", "3005"]
    assert [id_ for (id_,) in office.facts("call.made", "subject_id")] == ["4003", "4004", "4005"]


def test_an_activity_that_was_done_before_it_was_due_took_place_when_it_was_marked_as_done(office: Office) -> None:
    served = Tampering(
        app(office.desk(small(1), NOW)),
        changed("/api/v2/activities", with_first(due_date="2062-01-05", marked_as_done_time="2026-01-08T10:00:00Z")),
    )
    office.load(served, NOW)
    assert office.facts("call.made", "occurred_at") == [(day(8, 10),)]


def test_times_of_the_first_version_are_in_utc_though_the_organisation_is_not(office: Office) -> None:
    served = Tampering(app(office.desk(small(1), NOW)))
    office.load(served, NOW)
    [entry] = [one for one in served.exchanges if "deals/3000/changelog" in one.path]
    assert entry.content["data"][0]["time"] == "2026-01-07 09:00:00"
    assert office.facts("deal.won", "occurred_at") == [(day(7),)]


def test_values_are_exact_as_numbers_and_as_texts(office: Office) -> None:
    served = Tampering(
        app(office.desk(small(3), NOW)),
        changed(
            "/api/v2/deals",
            lambda content: {
                **content,
                "data": [
                    {**one, "value": value}
                    for one, value in zip(content["data"], (5000.1, "1234567890.55", 3), strict=True)
                ],
            },
        ),
    )
    office.load(served, NOW)
    amounts = [str(amount) for (amount,) in office.facts("deal.won", "amount")]
    assert amounts == ["5000.100000", "1234567890.550000", "3.000000"]
