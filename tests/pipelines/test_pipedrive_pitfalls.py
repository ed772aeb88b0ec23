"""What breaks loads from Pipedrive elsewhere, and what it comes to here: the right records, or a loud error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from pipedrive_office import (
    ACCOUNT,
    OPTIONS,
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
    meeting,
)

from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions
from pipelines.sandbox.company import Company
from pipelines.sandbox.pipedrive import CREDENTIALS, OAUTH_CREDENTIALS

NOW = day(60)
Answer = tuple[int, dict[str, str], bytes]


def small(count: int = 60) -> Company:
    """Deals, persons and activities that were all changed, two pages of each and a bit."""
    return business(
        contacts=[contact(n, (day(2), "lead"), (day(3), "customer"), says={"mercado": "Madrid"})
                  for n in range(1, count + 1)],
        deals=[deal(3000 + n, (day(6), "contacto"), (day(7, 9, n % 60), "ganado")) for n in range(count)],
        activities=[call(4000 + n, day(8), "connected") for n in range(count)],
    )  # fmt: skip


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
        (changed(CHANGELOG, lambda content: {**content, "data": ["strange"]}), "in another shape"),
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
    assert len(reading.records[0].payload["history"]["value"]) == 600
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
    company = business(activities=[call(4000 + n, day(8), "connected", entered_at=day(30)) for n in range(1200)])
    before, _ = office.read(app(office.desk(company, NOW)), "activities", NOW)
    assert before.covered is not None
    reading, _ = office.read(
        app(office.desk(company, NOW)), "activities", NOW, since=day(30), cursor=before.covered.cursor
    )
    assert reading.keys == [str(4000 + n) for n in range(1200)]
    later, _ = office.read(
        app(office.desk(company, NOW)), "activities", NOW, since=day(30, 9, 0, 1), cursor=before.covered.cursor
    )
    assert later.records == []


def test_a_deal_that_is_deleted_between_the_list_and_its_history_is_left_to_the_next_run(office: Office) -> None:
    gone = Tampering(
        app(office.desk(small(30), NOW)),
        lambda one: (404, {}, b'{"success":false,"error":"Deal not found"}') if one.path == CHANGELOG else None,
    )
    report = office.load(gone, NOW)["deals"]
    assert report.failure is None
    assert "3005" not in {id_ for (id_,) in office.facts("deal.won", "subject_id")}
    assert len(office.facts("deal.won", "subject_id")) == 29


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
    assert [(one.key, one.revision) for one in restored.records] == [("4000", NOW)]
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
    assert office.facts("deal.won", "subject_id", "occurred_at") == [
        *(("3001", day(6)), ("3002", day(6))),  # won, and nothing says that it was otherwise
        *(("3000", day(7)), ("3003", day(7, 9, 3)), ("3004", day(7, 9, 4)), ("3005", day(7, 9, 5))),
    ]


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


# Credentials and addresses


def test_a_wrong_token_is_refused_and_never_shown(office: Office) -> None:
    office.configure(api_token="wrong-but-secret-token")
    reports = office.load(app(office.desk(small(1), NOW)), NOW)
    for one in reports.values():
        assert "the credentials were refused" in str(one.failure)
        assert "wrong-but-secret-token" not in str(one.failure)
    assert "wrong-but-secret-token" not in repr(PIPEDRIVE.streams(ACCOUNT, OPTIONS))


def test_a_token_that_is_missing_is_named_where_it_belongs(office: Office) -> None:
    office.configure(api_token=None)
    reading, _ = office.read(app(office.desk(small(1), NOW)), "deals", NOW)
    assert "sources.acme.pipedrive.api_token is not set" in str(reading.failure)
    assert "SOURCES__ACME__PIPEDRIVE__API_TOKEN" in str(reading.failure)


def with_an_app(office: Office, **given: str | None) -> None:
    office.configure(api_token=None, **{**OAUTH_CREDENTIALS, **given})


def test_a_token_of_an_app_that_ends_in_the_middle_is_renewed_once_and_nothing_is_lost(office: Office) -> None:
    with_an_app(office)

    def slow(exchange: Exchange) -> Answer | None:
        if exchange.path == "/api/v1/deals/3030/changelog" and exchange.status == 200:
            office.clock.sleep(3600)
        return None

    served = Tampering(app(office.desk(small(60), NOW)), slow)
    reading, _ = office.read(served, "deals", NOW)
    assert (len(reading.records), reading.failure) == (60, None)
    assert [one.status for one in served.exchanges if one.path == "/oauth/token"] == [200, 200]
    assert [one.path for one in served.exchanges if one.status == 401] == ["/api/v1/deals/3031/changelog"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"refresh_token": "removed"}, "refused to renew the access token"),
        ({"client_secret": "wrong"}, "the credentials were refused"),
        ({"client_secret": None}, "sources.acme.pipedrive.client_secret is not set"),
    ],
)
def test_an_app_that_is_not_let_in_is_the_operators_to_mend(
    office: Office, given: dict[str, str | None], said: str
) -> None:
    with_an_app(office, **given)
    reading, _ = office.read(app(office.desk(small(1), NOW)), "deals", NOW)
    assert said in str(reading.failure)
    assert "sandbox-client-secret" not in str(reading.failure)


def test_the_token_is_in_a_header_and_in_no_address(office: Office) -> None:
    served = Tampering(app(office.desk(small(1), NOW)))
    office.load(served, NOW)
    assert {one.headers["x-api-token"] for one in served.exchanges} == {CREDENTIALS["api_token"]}
    assert not any(CREDENTIALS["api_token"] in one.query + one.path for one in served.exchanges)


def test_the_streams_of_a_company_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a secret was asked for")

    monkeypatch.setattr("pipelines.settings.Settings.get", never)
    assert [stream.name for stream in PIPEDRIVE.streams(ACCOUNT, OPTIONS)] == ["persons", "deals", "activities"]


@pytest.mark.parametrize(("setting", "given"), [("api_version", "2026-03"), ("history_version", "latest")])
def test_a_version_that_is_none_is_refused_before_anything_is_asked(office: Office, setting: str, given: str) -> None:
    office.configure(**{setting: given})
    served = Tampering(app(office.desk(small(1), NOW)))
    reading, _ = office.read(served, "deals", NOW)
    assert f"sources.acme.pipedrive.{setting} is '{given}'" in str(reading.failure)
    assert served.exchanges == []


# Personal data


KEPT = {
    "persons": {"add_time", "org_id", "values", "history"},
    "deals": {"add_time", "person_id", "org_id", "currency", "values", "history"},
    "activities": {
        *("add_time", "due_date", "due_time", "duration", "done", "marked_as_done_time"),
        *("person_id", "org_id", "deal_id", "values"),
    },
}
VALUES = {
    "persons": {"owner_id", "ciclo_de_vida", "canal_de_entrada", "mercado"},
    "deals": {"owner_id", "stage_id", "status", "value", "expected_close_date", "pipeline_id", "producto", "mercado"},
    "activities": {"owner_id", "type"},
}


def test_nothing_is_kept_but_what_is_listed_here_whatever_pipedrive_sends(office: Office) -> None:
    def talkative(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith(("/persons", "/deals", "/activities", "/changelog")):
            return None
        content = exchange.content
        for one in content["data"] or ():
            one |= {"job_title": "Directora", "secret": "persona1@correo.example", "notes": "Nombre1 llama"}
        if exchange.path.endswith("/changelog"):
            said = {
                "field_key": "email",
                "old_value": "persona2@correo.example",
                "new_value": "persona3@correo.example",
            }
            content["data"].append({**content["data"][0], **said})
        return 200, {}, orjson.dumps(content)

    company = replace(small(3), activities=(call(401, day(8), "connected"), meeting(402, day(9), "completed")))
    assert {one.failure for one in office.load(Tampering(app(office.desk(company, NOW)), talkative), NOW).values()} == {
        None
    }
    for stream, kept in KEPT.items():
        texts = office.lake.raw.scan("pipedrive", stream).select("payload").collect().to_series()
        payloads = [orjson.loads(text) for text in texts]
        assert {key for one in payloads for key in one} <= kept
        assert {key for one in payloads for key in one["values"]} <= VALUES[stream]
        entries = [entry for one in payloads for name in one.get("history", {}).values() for entry in name]
        assert {key for entry in entries for key in entry} <= {"time", "old", "new"}
        canaries = ("Nombre", "Apellido", "correo", "+34", "Directora", "Firefox", "prefiere")
        assert not any(canary in text for text in texts for canary in canaries)


def test_whoever_is_named_is_declared_for_erasure(office: Office) -> None:
    options = PipedriveOptions.model_validate(
        {**OPTIONS.model_dump(exclude_defaults=True), "persons": {"referrer": "cliente_que_recomienda"}}
    )
    company = business(
        contacts=[contact(7001, (day(2), "lead")), contact(7002, (day(3), "lead"), referrer_id=7001)],
        deals=[deal(301, (day(6), "contacto"), contact_id=7002)],
        activities=[call(401, day(8), "connected", contact_id=7002)],
    )
    office.load(app(office.desk(company, NOW)), NOW, options)
    named = {}
    for stream in PIPEDRIVE.streams(ACCOUNT, options):
        rows = office.lake.raw.scan("pipedrive", stream.name).select("record_key", "payload").collect().iter_rows()
        found = [(key, orjson.loads(text)) for key, text in rows]
        named[stream.name] = {one for key, payload in found for one in stream.people.named(key, payload)}
    people = {("person", "7001"), ("person", "7002")}
    assert people <= named["persons"]
    assert ("person", "7002") in named["deals"]
    assert ("person", "7002") in named["activities"]
    users = {kind for kind, _ in named["deals"] | named["activities"]}
    assert users == {"person", "user"}
    assert office.facts("referral.received", "subject_id", "account_id") == [("7002", "7001")]
    log = office.log().filter(pl.col("stream") == "persons")
    assert set(log.get_column("account_id")) <= {"7001", "7002"}


# Sizes


def test_pages_are_as_large_as_pipedrive_allows_and_small_where_each_record_costs_a_history(office: Office) -> None:
    served = Tampering(app(office.desk(small(60), NOW)))
    for stream in ("persons", "deals", "activities"):
        reading, _ = office.read(served, stream, NOW)
        assert reading.failure is None
    limits = {one.path: one.query.split("limit=")[1].split("&")[0] for one in served.exchanges if "limit=" in one.query}
    assert {path: limits[path] for path in ("/api/v2/persons", "/api/v2/deals", "/api/v2/activities")} == {
        "/api/v2/persons": "25",
        "/api/v2/deals": "25",
        "/api/v2/activities": "500",
    }
    assert limits["/api/v1/deals/3000/changelog"] == "500"
