"""What breaks loads from Salesforce: crowds at one instant, quotas, answers that are not whole, names that are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import crm_office
import orjson
import polars as pl
import pytest
import requests
from crm_office import Alter, Answer
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hubspot_agency import Exchange, Reading, Tampering, activity, changes, contact, day
from salesforce_org import ACCOUNT, EXAMPLE, STREAMS, Desktop, deal, options, organisation, ticket

from pipelines import erasure
from pipelines.load import Source
from pipelines.salesforce import SALESFORCE
from pipelines.salesforce.access import API_VERSION
from pipelines.sandbox.company import Activity, Company
from pipelines.sandbox.salesforce import REFRESH_CREDENTIALS, Kept, app
from pipelines.sandbox.salesforce.door import USERNAME
from pipelines.sandbox.salesforce.names import NUMBER, id_of

NOW = day(60)
QUERY, USAGE = "/queryAll", "Sforce-Limit-Info"


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desktop:
    return Desktop(tmp_path, monkeypatch)


def calls(count: int, second: Callable[[int], int] = lambda number: number) -> Company:
    """So many calls of day 61, each made and entered so many seconds after nine o'clock."""
    made: list[Activity] = []
    for number in range(count):
        at = day(61) + timedelta(seconds=second(number))
        made.append(replace(activity(1000 + number, "call", at, "connected"), outcome=changes((at, "connected"))))
    return organisation(contacts=[contact(1, (day(2), "customer"))], activities=made)


def small() -> Company:
    return organisation(
        contacts=[contact(one, (day(2), "lead"), (day(3), "opportunity")) for one in (1, 2, 3)],
        deals=[
            deal(300 + one, (day(3), "preventa"), (day(4, 9, one), "ganado"), contact_id=one, says={"producto": "A"})
            for one in (1, 2, 3)
        ],
        activities=[activity(400 + one, "call", day(5), "connected", contact_id=one) for one in (1, 2, 3)],
        tickets=[ticket(700, (day(6), "new"), (day(7), "closed"))],
    )


def first(desktop: Desktop, application: Any, stream: str = "calls", **using: Any) -> Reading:
    return desktop.read(application, stream, desktop.first(day(62)), options(**using))[0]


def ids(numbers: range) -> list[str]:
    return [id_of("00T", 1000 + number) for number in numbers]


# Pages


@pytest.mark.parametrize(
    ("case", "second"),
    [
        ("one instant each", lambda number: number),
        ("all at one instant", lambda number: 0),
        ("crowds at a few instants", lambda number: number // 1500 * 60),
    ],
)
def test_more_than_fit_into_a_query_are_all_read_once(
    desktop: Desktop, case: str, second: Callable[[int], int]
) -> None:
    served = Tampering(app(desktop.desk(calls(4_100, second), day(62))))
    reading = first(desktop, served)
    assert (reading.failure, reading.keys) == (None, ids(range(4_100)))
    assert sum(path.endswith(QUERY) for path in served.paths()) == 3


def test_the_smaller_batches_in_which_salesforce_gives_large_rows_are_followed(desktop: Desktop) -> None:
    served = Tampering(app(desktop.desk(calls(2_050), day(62)), batch=200))
    reading = first(desktop, served)
    assert (reading.failure, reading.keys) == (None, ids(range(2_050)))
    asked = Counter(path.split("/")[4] for path in served.paths() if "/data/" in path)
    assert asked == {"sobjects": 1, "queryAll": 2, "query": 9}


def test_a_full_last_page_ends_the_reading_without_a_word_of_more(desktop: Desktop) -> None:
    assert first(desktop, app(desktop.desk(calls(2_000), day(62)))).keys == ids(range(2_000))


def test_a_long_history_has_batches_of_its_own(desktop: Desktop) -> None:
    stages = [(day(3) + timedelta(hours=n), ("preventa", "propuesta")[n % 2]) for n in range(450)]
    company = organisation(contacts=[contact(1)], deals=[deal(301, *stages), deal(302, (day(3), "preventa"))])
    desktop.load(app(desktop.desk(company, NOW), children=200), NOW)
    assert len(desktop.facts("deal.stage_entered", "subject_id")) == 451


def test_what_changes_while_it_is_read_hides_nothing(desktop: Desktop) -> None:
    """The first of 2,100 is changed once the first 2,000 were read."""
    before = calls(2_100)
    moved = replace(before.activities[0], outcome=(*before.activities[0].outcome, *changes((day(61, 20), "busy"))))
    served = Tampering(app(desktop.desk(before, day(62))))

    def change_after_a_page(exchange: Exchange) -> None:
        if exchange.path.endswith(QUERY):
            after = replace(before, activities=(moved, *before.activities[1:]))
            served.inner = app(desktop.desk(after, day(62)))

    served.alter = change_after_a_page
    reading = first(desktop, served)
    assert reading.failure is None
    assert set(reading.keys) == set(ids(range(2_100)))
    assert reading.keys[-1] == ids(range(1))[0]


def test_what_was_saved_in_a_long_transaction_is_read_by_the_next_run(desktop: Desktop) -> None:
    """It has the time at which the transaction began, which the reading before has passed."""
    company = calls(2)
    early = replace(company, activities=company.activities[1:])
    assert desktop.load(app(desktop.desk(early, day(61, 9, 30))), day(61, 9, 30))["calls"].load.inserted == 1
    assert desktop.load(app(desktop.desk(company, day(61, 9, 40))), day(61, 9, 40))["calls"].load.inserted == 1


# Going on where a reading ended


def test_a_reading_that_ends_early_is_gone_on_with_from_its_last_mark(desktop: Desktop) -> None:
    company = calls(5_000)
    used_up = app(desktop.desk(company, day(62)), most_a_day=3)  # describe, and two queries
    reading, marks = desktop.read(used_up, "calls", desktop.first(day(62)), options(quota_share=1))
    assert reading.failure is not None
    assert "REQUEST_LIMIT_EXCEEDED" in reading.failure or "3 of the org's 3 API requests" in reading.failure
    assert (len(reading.keys), reading.covered, len(marks)) == (4_000, None, 2)
    served = Tampering(app(desktop.desk(company, day(62))))
    resumed = replace(desktop.first(day(62)), mark=marks[-1])
    rest, _ = desktop.read(served, "calls", resumed, options(quota_share=1))
    assert (rest.failure, len(rest.keys)) == (None, 1_001)  # the last instant once more
    assert {*reading.keys, *rest.keys} == set(ids(range(5_000)))
    assert rest.covered is not None
    assert rest.covered.end == day(62)


def test_a_mark_holds_no_longer_where_something_else_is_asked(desktop: Desktop) -> None:
    application = app(desktop.desk(calls(5), day(62)))
    _, marks = desktop.read(application, "calls", desktop.first(day(62)))
    other = options(calls={**EXAMPLE["calls"], "segment": None})
    reading, _ = desktop.read(application, "calls", replace(desktop.first(day(62)), mark=marks[-1]), other)
    assert len(reading.keys) == 5


def test_a_mark_names_nobody(desktop: Desktop) -> None:
    _, marks = desktop.read(app(desktop.desk(small(), NOW)), "leads", desktop.first(NOW))
    assert marks
    assert all(marks[-1].split(" ")[1].startswith("2026-01-") and "00Q" not in mark for mark in marks)


def test_a_used_up_quota_keeps_what_was_read_and_the_next_days_complete_it(desktop: Desktop) -> None:
    company, read = calls(2_000), []
    while len(read) < 5:
        application = app(desktop.desk(company, day(62)), most_a_day=9, batch=200)
        report = desktop.load(application, day(62 + len(read)), ONLY_CALLS)["calls"]
        read.append(report.load.inserted)
        if report.failure is None:
            break
        assert "8 of the org's 9 API requests of the last 24 hours are used" in report.failure
        assert "quota_share" in report.failure
    assert read == [1_400, 600, 0]  # the last one reads what has changed since the first one began
    assert len(desktop.facts("call.made", "subject_id")) == 2_000


ONLY_CALLS = options(leads=None, contacts=None, sales=(), meetings=None, cases=None)


# Quotas and limits


def spent(used: int, of: int = 1000) -> Callable[[Exchange], Answer | None]:
    def alter(exchange: Exchange) -> Answer | None:
        usage = f"api-usage={used}/{of}; per-app-api-usage=1/250(appName=hito)"
        return None if exchange.path.endswith("/token") else (exchange.status, {USAGE: usage}, exchange.answer)

    return alter


@pytest.mark.parametrize(("used", "is_read"), [(799, True), (800, False), (1000, False)])
def test_reading_stops_at_its_share_of_the_orgs_requests(desktop: Desktop, used: int, is_read: bool) -> None:
    served = Tampering(app(desktop.desk(small(), NOW)), spent(used))
    reading = first(desktop, served, quota_share=0.8)
    assert (reading.failure is None) == is_read
    if not is_read:
        assert f"{used:,} of the org's 1,000 API requests" in str(reading.failure)
        assert "stops at 80% of them" in str(reading.failure)
        assert [path.rpartition("/")[2] for path in served.paths()] == ["token", "describe"]


def refusing(status: int, body: Any, headers: dict[str, str] | None = None) -> Alter:
    return crm_office.refusing(3, status, headers, body, QUERY)


def error(code: str, message: str = "") -> list[dict[str, str]]:
    return [{"message": message, "errorCode": code}]


CONCURRENT = error("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")


@pytest.mark.parametrize(
    ("status", "body", "headers", "waited"),
    [
        (403, CONCURRENT, {}, 7),  # 1 + 2 + 4
        (503, error("SERVER_UNAVAILABLE"), {}, 7),
        (500, error("UNKNOWN_EXCEPTION"), {}, 7),
        (429, {}, {"Retry-After": "5"}, 15),
        (429, {}, {}, 7),
    ],
)
def test_each_way_of_saying_not_now_is_waited_for(
    desktop: Desktop, status: int, body: Any, headers: dict[str, str], waited: float
) -> None:
    served = Tampering(app(desktop.desk(small(), NOW)), refusing(status, body, headers=headers))
    assert first(desktop, served).failure is None
    assert desktop.clock.waited_seconds() == waited


def test_a_quota_of_the_day_is_no_wrong_password(desktop: Desktop) -> None:
    served = Tampering(
        app(desktop.desk(small(), NOW)), refusing(403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
    )
    failure = first(desktop, served).failure
    assert failure is not None
    assert "API requests of the last 24 hours are used up (HTTP 403, REQUEST_LIMIT_EXCEEDED)" in failure
    assert desktop.clock.waited_seconds() == 0


def test_who_is_told_to_come_back_tomorrow_does_not_wait_for_it(desktop: Desktop) -> None:
    served = Tampering(app(desktop.desk(small(), NOW)), refusing(429, {}, headers={"Retry-After": "86400"}))
    failure = first(desktop, served).failure
    assert failure is not None
    assert "asks to wait 24.0 hours" in failure
    assert desktop.clock.waited_seconds() == 0


def test_numbers_that_come_as_texts_are_the_same_numbers(desktop: Desktop, tmp_path: Path) -> None:
    def as_texts(exchange: Exchange) -> Answer | None:
        if not is_page(exchange):
            return None
        content = exchange.content
        for row in content["records"]:
            row |= {name: str(row[name]) for name in ("Amount", "CallDurationInSeconds") if row.get(name) is not None}
            for entry in (row.get("OpportunityHistories") or {"records": []})["records"]:
                entry["Amount"] = str(entry["Amount"])
        return 200, {}, orjson.dumps(content)

    other = Desktop(tmp_path / "other", desktop.environment)
    desktop.load(app(desktop.desk(small(), NOW)), NOW)
    other.load(Tampering(app(other.desk(small(), NOW)), as_texts), NOW)
    assert len(desktop.facts("deal.won", "amount")) == 3
    assert other.log().drop("recorded_at").equals(desktop.log().drop("recorded_at"))


def test_a_user_who_may_not_use_the_api_is_told_so(desktop: Desktop) -> None:
    refused = refusing(403, error("API_DISABLED_FOR_ORG", "API is not enabled"))
    failure = first(desktop, Tampering(app(desktop.desk(small(), NOW)), refused)).failure
    assert failure is not None
    assert "HTTP 403: the credentials were refused" in failure


# Signing in


def test_a_session_that_ends_in_the_middle_is_renewed_and_nothing_is_lost(desktop: Desktop) -> None:
    served = Tampering(app(desktop.desk(calls(4_100), day(62))))

    def two_hours(stream: str, records: int) -> None:
        if stream == "calls":
            desktop.clock.sleep(7201)

    report = desktop.load(served, day(62), ONLY_CALLS, on_page=two_hours)["calls"]
    assert (report.failure, report.load.inserted) == (None, 4_100)
    refused = [one for one in served.exchanges if one.status == 401]
    assert {one.content[0]["errorCode"] for one in refused} == {"INVALID_SESSION_ID"}
    assert served.paths().count("POST /services/oauth2/token") == 1 + len(refused)


@pytest.mark.parametrize("credentials", [REFRESH_CREDENTIALS, {**REFRESH_CREDENTIALS, "refresh_token": None}])
def test_an_app_signs_in_with_a_refresh_token_or_by_itself(
    desktop: Desktop, credentials: dict[str, str | None]
) -> None:
    desktop.configure(**credentials)
    served = Tampering(app(desktop.desk(small(), NOW)))
    assert first(desktop, served).failure is None
    form = served.exchanges[0].body.decode()
    assert ("grant_type=refresh_token" in form) == (credentials["refresh_token"] is not None)
    assert ("grant_type=client_credentials" in form) == (credentials["refresh_token"] is None)
    assert "authorization" not in served.exchanges[0].headers


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"refresh_token": "of-another"}, "invalid_grant"), ({"client_secret": "of-another"}, "invalid_client")],
)
def test_refused_credentials_are_named_and_never_shown(desktop: Desktop, wrong: dict[str, str], word: str) -> None:
    desktop.configure(**{**REFRESH_CREDENTIALS, **wrong})
    served = Tampering(app(desktop.desk(small(), NOW)))
    failure = first(desktop, served).failure
    assert failure is not None
    assert word in failure
    assert f"sources.ventas.salesforce.{next(iter(wrong))}" in failure
    assert "of-another" not in failure
    assert len(served.exchanges) == 1


@pytest.mark.parametrize("name", ["client_id", "client_secret"])
def test_a_credential_that_is_missing_is_named_where_it_belongs(desktop: Desktop, name: str) -> None:
    desktop.configure(**{name: None})
    failure = first(desktop, app(desktop.desk(small(), NOW))).failure
    assert failure is not None
    assert f"sources.ventas.salesforce.{name} is not set" in failure
    assert f"SOURCES__VENTAS__SALESFORCE__{name.upper()}" in failure


def test_an_org_has_to_be_said_where_it_is(desktop: Desktop) -> None:
    desktop.configure(base_url=None)
    [stream] = [one for one in SALESFORCE.streams(ACCOUNT, options()) if one.name == "calls"]
    with pytest.raises(Exception, match=r"sources\.ventas\.salesforce\.base_url is not set"):
        next(stream.fetch(desktop.first(NOW)))


def test_the_streams_of_an_org_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})
    assert [one.name for one in SALESFORCE.streams(ACCOUNT, options())] == list(STREAMS)


# Versions


def test_the_version_of_the_api_is_a_setting_with_a_default_and_comes_to_the_same_log(
    desktop: Desktop, tmp_path: Path
) -> None:
    other = Desktop(tmp_path / "other", desktop.environment)
    logs = []
    for one, version in ((desktop, None), (other, "65.0")):
        one.configure(api_version=version)
        served = Tampering(app(one.desk(small(), NOW)))
        assert {report.failure for report in one.load(served, NOW).values()} == {None}
        used = {path.split("/")[3] for path in served.paths() if "/data/" in path}
        assert used == {f"v{version or API_VERSION}"}
        logs.append(one.log().drop("event_id", "recorded_at"))
    assert logs[0].height > 0
    assert logs[0].equals(logs[1])


@pytest.mark.parametrize(
    ("version", "said", "asked"),
    [("latest", "api_version is 'latest'", 0), ("99.0", "nothing of version 99.0", 2), ("20.0", "version 20.0", 2)],
)
def test_a_version_that_is_none_is_the_operators_to_mend(desktop: Desktop, version: str, said: str, asked: int) -> None:
    desktop.configure(api_version=version)
    served = Tampering(app(desktop.desk(small(), NOW)))
    failure = first(desktop, served).failure
    assert failure is not None
    assert said in failure
    assert "sources.ventas.salesforce.api_version" in failure
    assert len(served.exchanges) == asked


# Answers that are not whole


def is_page(exchange: Exchange) -> bool:
    return "/query" in exchange.path


def altered(change: Callable[[dict[str, Any]], Any]) -> Callable[[Exchange], Answer | None]:
    return lambda exchange: (200, {}, orjson.dumps(change(exchange.content))) if is_page(exchange) else None


def endless(exchange: Exchange) -> Answer | None:
    """There is always a next batch, at the same address."""
    if not is_page(exchange):
        return None
    at = f"2026-03-02T09:00:{len(exchange.path) % 60:02d}.000+0000"
    row = {"Id": id_of("00T", len(exchange.path)), "IsDeleted": False, "SystemModstamp": at, "CreatedDate": at}
    following = "/services/data/v62.0/query/01g000000000000AAA-200"
    return 200, {}, orjson.dumps({"totalSize": 9, "done": False, "records": [row], "nextRecordsUrl": following})


def ignoring(exchange: Exchange) -> Answer | None:
    """The second query is answered with the first one's rows."""
    if not exchange.path.endswith(QUERY) or "Id+%3E" not in exchange.query:
        return None
    rows = [{"Id": one, "IsDeleted": False, "SystemModstamp": "2026-03-02T09:00:00.000+0000",
             "CreatedDate": "2026-03-02T09:00:00.000+0000"} for one in ids(range(2_000))]  # fmt: skip
    return 200, {}, orjson.dumps({"totalSize": 2_000, "done": True, "records": rows})


def emptied(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "records": []}


def elsewhere(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "done": False, "nextRecordsUrl": "https://elsewhere.example/services/data/v62.0/query/01g"}


def without_stamps(content: dict[str, Any]) -> dict[str, Any]:
    rows = [{name: value for name, value in row.items() if name != "SystemModstamp"} for row in content["records"]]
    return {**content, "records": rows}


def zoneless(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "records": [{**row, "SystemModstamp": "2026-03-02T09:00:00"} for row in content["records"]]}


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (altered(emptied), "said to have 2100 rows and gave 0|empty, though there was to be more|2000 rows and gave 0"),
        (altered(lambda content: {**content, "records": content["records"][1:]}), "rows and gave"),
        (altered(lambda content: error("UNKNOWN_EXCEPTION")), "a JSON list, not an object"),
        (altered(lambda content: {"done": True, "totalSize": 0}), "without records"),
        (altered(lambda content: {**content, "records": ["1"] * 2_000}), "what are not records"),
        (altered(lambda content: {**content, "records": content["records"][::-1]}), "not in the order"),
        (altered(without_stamps), "no SystemModstamp"),
        (altered(zoneless), "no SystemModstamp"),
        (altered(elsewhere), "does not say where its next batch is"),
        (endless, "is one that came before"),
        (ignoring, "not in the order or span"),
        (lambda exchange: (200, {}, exchange.answer[:-40]) if is_page(exchange) else None, "not JSON"),
        (lambda exchange: (200, {}, b"<html>We are down for maintenance") if is_page(exchange) else None, "not JSON"),
        (refusing(400, error("INVALID_QUERY_LOCATOR")), "refused with HTTP 400 INVALID_QUERY_LOCATOR"),
        (refusing(400, error("QUERY_TIMEOUT")), "refused with HTTP 400 QUERY_TIMEOUT"),
    ],
)
def test_an_answer_that_is_not_whole_ends_its_stream_without_a_word_of_what_it_covered(
    desktop: Desktop, alter: Callable[[Exchange], Answer | None], said: str
) -> None:
    reading = first(desktop, Tampering(app(desktop.desk(calls(2_100), day(62))), alter))
    assert reading.failure is not None
    assert any(one in reading.failure for one in said.split("|"))
    assert reading.covered is None


@pytest.mark.parametrize("children", ["none", ["none"], {"records": ["none"], "done": True, "totalSize": 1}])
def test_children_in_another_shape_end_the_stream(desktop: Desktop, children: Any) -> None:
    def alter(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "records": [{**row, "OpportunityHistories": children} for row in content["records"]]}

    reading = first(desktop, Tampering(app(desktop.desk(small(), NOW)), altered(alter)), "opportunities")
    assert reading.failure is not None
    assert "another shape" in reading.failure or "what are not records" in reading.failure
    assert (reading.covered, reading.records) == (None, [])


@pytest.mark.parametrize(
    "body",
    [
        error("INVALID_FIELD", "No such column 'pl4nted' on entity 'Task'"),
        error("pl4nted"),
        {"error": "pl4nted", "errorCode": "pl4nted"},
    ],
)
def test_an_error_shows_nothing_of_an_answer_but_words_of_salesforces_own(desktop: Desktop, body: Any) -> None:
    failure = first(desktop, Tampering(app(desktop.desk(small(), NOW)), refusing(400, body))).failure
    assert failure is not None
    assert "pl4nted" not in failure


def test_what_a_broken_answer_left_out_is_read_by_the_next_run(desktop: Desktop) -> None:
    company = calls(2_100)
    served = Tampering(app(desktop.desk(company, day(62))), ignoring)
    failed = desktop.load(served, day(62), ONLY_CALLS)["calls"]
    assert (failed.failure is None, failed.load.inserted) == (False, 2_000)
    report = desktop.load(app(desktop.desk(company, day(62))), day(62, 10), ONLY_CALLS)["calls"]
    assert (report.failure, len(desktop.facts("call.made", "subject_id"))) == (None, 2_100)


def test_records_without_history_lose_neither_themselves_nor_the_rest(desktop: Desktop) -> None:
    def without(exchange: Exchange) -> Answer | None:
        if "FROM+Opportunity+" not in exchange.query:
            return None
        rows = exchange.content["records"]
        rows[1] |= {"Histories": None, "OpportunityHistories": None, "OpportunityLineItems": None}
        del rows[2]["OpportunityHistories"], rows[2]["Histories"]
        return 200, {}, orjson.dumps({**exchange.content, "records": rows})

    report = desktop.load(Tampering(app(desktop.desk(small(), NOW)), without), NOW)["opportunities"]
    assert report.failure is None
    assert desktop.facts("deal.won", "subject_id", "occurred_at") == [
        *((id_of("006", id_), day(3)) for id_ in (302, 303)),  # never changed, so won since they were created
        (id_of("006", 301), day(4, 9, 1)),
    ]


def test_a_record_that_cannot_be_understood_is_set_aside_by_itself_and_named(desktop: Desktop) -> None:
    def strange(exchange: Exchange) -> Answer | None:
        if not is_page(exchange):
            return None
        content = exchange.content
        rows = content["records"]
        if "FROM+Opportunity+" in exchange.query and len(rows) == 3:
            rows[0]["Amount"] = "cinco mil"
            rows[1]["OpportunityHistories"]["records"][0]["CreatedDate"] = "2026-01-03 09:00"
        elif "FROM+Task+" in exchange.query and len(rows) == 3:
            rows[0]["Hora_de_llamada__c"] = "2062-01-05T09:00:00.000+0000"
            rows[1]["CallDurationInSeconds"] = "1:30"
        return 200, {}, orjson.dumps(content)

    desktop.load(Tampering(app(desktop.desk(small(), NOW)), strange), NOW)
    aside = desktop.lake.quarantine().sort("record_key").select("record_key", "problem").collect()
    assert aside.rows() == [
        (id_of("006", 301), "Amount is not a number"),
        (id_of("006", 302), "its stage history has an entry without a time"),
        (id_of("00T", 401), "a call made is after its own last change"),
        (id_of("00T", 402), "CallDurationInSeconds is not a number"),
    ]
    assert desktop.facts("deal.won", "subject_id") == [(id_of("006", 303),)]
    assert desktop.facts("call.made", "subject_id") == [(id_of("00T", 403),)]


def test_a_last_change_in_2062_outlives_no_later_correction(desktop: Desktop) -> None:
    def future(exchange: Exchange) -> Answer | None:
        if "FROM+Task+" not in exchange.query or not exchange.content["records"]:
            return None
        rows = exchange.content["records"]
        rows[-1]["SystemModstamp"] = "2062-01-05T09:00:00.000+0000"
        return 200, {}, orjson.dumps({**exchange.content, "records": rows})

    desktop.load(Tampering(app(desktop.desk(small(), day(10))), future), day(10))
    assert desktop.facts("call.made", "subject_id", "outcome")[-1] == (id_of("00T", 403), "connected")
    company = small()
    corrected = replace(company.activities[2], outcome=changes((day(11), "busy")))
    later = replace(company, activities=(*company.activities[:2], corrected))
    desktop.load(app(desktop.desk(later, day(12))), day(12))
    assert desktop.facts("call.made", "subject_id", "outcome")[-1] == (id_of("00T", 403), "busy")


# What the options name


@pytest.mark.parametrize(
    ("given", "stream", "said"),
    [
        ({"sales": [{**EXAMPLE["sales"][0], "segment": "Segmneto__c"}]}, "opportunities", "no field 'Segmneto__c'"),
        ({"sales": [{**EXAMPLE["sales"][0], "won": ["ganada"]}]}, "opportunities", "has no value 'ganada'"),
        ({"sales": [{**EXAMPLE["sales"][0], "record_type": "Vents"}]}, "opportunities", "no record type 'Vents'"),
        ({"sales": [{**EXAMPLE["sales"][0], "market": "Ponderado__c"}]}, "opportunities", "is a formula"),
        ({"sales": [{**EXAMPLE["sales"][0], "market": "OwnerId"}]}, "opportunities", "of the type reference"),
        ({"leads": {**EXAMPLE["leads"], "lifecycle": {"Nuevos": "lead"}}}, "leads", "has no value 'Nuevos'"),
        ({"calls": {**EXAMPLE["calls"], "at": "Hora__c"}}, "calls", "Task has no field 'Hora__c'"),
        ({"meetings": {**EXAMPLE["meetings"], "held": ["Realizado"]}}, "meetings", "has no value 'Realizado'"),
        ({"cases": {**EXAMPLE["cases"], "solved": ["Solved"]}}, "cases", "has no value 'Solved'"),
    ],
)
def test_a_name_that_the_org_does_not_have_ends_the_stream_and_names_the_nearest(
    desktop: Desktop, given: dict[str, Any], stream: str, said: str
) -> None:
    served = Tampering(app(desktop.desk(small(), NOW)))
    failure = first(desktop, served, stream, **given).failure
    assert failure is not None
    assert said in failure
    assert "organisation.yaml" in failure
    assert not any(is_page(one) for one in served.exchanges)


def test_a_field_of_somebody_else_that_is_not_there_is_named_too(desktop: Desktop) -> None:
    """The number of a contact is asked for with the contact's deals."""
    failure = first(desktop, app(desktop.desk(small(), NOW)), "opportunities", number="Numero__c").failure
    assert failure is not None
    assert "there is no field Numero__c of Contact (INVALID_FIELD)" in failure


@pytest.mark.parametrize("name", ["Email", "Description", "Subject", "Phone"])
def test_fields_that_hold_personal_data_cannot_be_named(name: str) -> None:
    with pytest.raises(ValueError, match="personal data"):
        options(contacts={"lifecycle": name})
    with pytest.raises(ValueError, match="personal data"):
        options(leads={**EXAMPLE["leads"], "identified_by": {"external_id": name}})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sales": [{"won": ["a"]}, {"record_type": "B", "won": ["a"]}]}, "name the record type of each"),
        ({"sales": [{"record_type": "B", "won": ["a"]}] * 2}, "record type B is declared twice"),
        ({"currency": None}, "set currency"),
        (
            {"sales": [{"record_type": one, "won": ["a"], "product_of_lines": one} for one in ("Name", "Family")]},
            "all deals have the same",
        ),
        ({"sales": [{"won": ["a"], "lost": ["a"]}]}, "both won and lost"),
        ({"sales": [{"won": ["a"], "product": "P__c", "product_of_lines": "Name"}]}, "leave one of them out"),
        ({"meetings": {"held": ["a"]}}, "outcome and held belong together"),
        ({"quota_share": 1.5}, "less than or equal to 1"),
    ],
)
def test_options_that_contradict_themselves_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        options(**given)


def test_a_query_that_no_address_can_hold_is_refused_before_it_is_asked(desktop: Desktop) -> None:
    sales = [{"record_type": f"T{n}", "won": ["ganado"], "market": f"A{'x' * 70}{n}__c"} for n in range(200)]
    served = Tampering(app(desktop.desk(small(), NOW)), everything_is_there)
    untracked = ["Opportunity.OwnerId", *(f"Opportunity.{one['market']}" for one in sales)]
    failure = first(desktop, served, "opportunities", sales=sales, untracked=untracked).failure
    assert failure is not None
    assert "Salesforce takes 16,384" in failure
    assert not any(is_page(one) for one in served.exchanges)


def everything_is_there(exchange: Exchange) -> Answer | None:
    if not exchange.path.endswith("/describe"):
        return None
    fields = [{"name": f"A{'x' * 70}{n}__c", "type": "string"} for n in range(200)]
    types = [{"developerName": f"T{n}"} for n in range(200)]
    return 200, {}, orjson.dumps({"fields": fields, "recordTypeInfos": types})


def test_the_sandbox_takes_no_longer_address_than_salesforce_does(desktop: Desktop) -> None:
    with desktop.serving(app(desktop.desk(small(), NOW))) as url:
        token = requests.post(
            f"{url}/services/oauth2/token",
            data={**REFRESH_CREDENTIALS, "grant_type": "refresh_token"},
            timeout=10,
        ).json()["access_token"]
        answer = requests.get(
            f"{url}/services/data/v62.0/queryAll",
            params={"q": f"SELECT Id FROM Task WHERE Id = '{'0' * 16_384}'"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
    assert answer.status_code == 414


# Personal data

KEPT = {
    "created", "customer", "person", "ids", "fields", "history", "stages", "lines",
    "converted_on", "lead_status", "lead_history",
    # of fields
    "OwnerId", "Status", "LeadSource", "Segmento__c", "Sector__c", "Ciclo_de_vida__c", "StageName", "Amount",
    "CloseDate", "RecordType.DeveloperName", "Mercado__c", "Tipo_de_negocio__c", "Type", "TaskSubtype", "IsClosed",
    "IsRecurrence", "ActivityDate", "CompletedDateTime", "CallType", "CallDisposition", "CallDurationInSeconds",
    "Hora_de_llamada__c", "StartDateTime", "EndDateTime", "IsAllDayEvent", "IsChild", "Resultado__c", "Priority",
    "Origin", "Primera_respuesta__c",
    # of entries
    "field", "at", "old", "new", "stage", "amount", "currency", "close_date", "forecast", "value", "product",
}  # fmt: skip


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(name for one in value.values() for name in names_in(one))}
    return {name for one in value for name in names_in(one)} if isinstance(value, list) else set()


def test_only_what_is_listed_here_is_stored_even_where_salesforce_sends_more(desktop: Desktop) -> None:
    def talkative(exchange: Exchange) -> Answer | None:
        if not is_page(exchange):
            return None
        content = exchange.content
        for row in content["records"]:
            row |= {"Email": "persona1@correo.example", "Description": "Nombre1 llama", "Name": "Nombre1"}
            histories = row.get("Histories") or {"records": []}
            at = "2026-01-05T09:00:00.000+0000"
            histories["records"] += [
                {"Field": "Owner", "OldValue": "Nombre7 Apellido7", "NewValue": "Nombre8", "CreatedDate": at},
                {"Field": "Owner", "OldValue": "005000000000001", "NewValue": "005000000000002AAA", "CreatedDate": at},
            ]
            if "Histories" in row:
                row["Histories"] = {**histories, "done": True, "totalSize": len(histories["records"])}
        return 200, {}, orjson.dumps(content)

    served = Tampering(app(desktop.desk(small(), NOW)), talkative)
    assert {one.failure for one in desktop.load(served, NOW).values()} == {None}
    stored = desktop.stored()
    text = orjson.dumps(stored).decode()
    assert "preventa" in text
    assert not any(canary in text for canary in ("Nombre", "Apellido", "persona", "correo", "+34"))
    assert names_in(stored) <= KEPT
    asked = " ".join(one.query for one in served.exchanges)
    assert not any(name in asked for name in ("FirstName", "LastName", "Email", "Phone", "Subject", "Description"))
    assert NUMBER in asked
    assert desktop.facts("deal.created", "actor")[0] == ("005000000000001AAA",)  # the id's long form


def test_who_is_who_is_declared_for_erasure(desktop: Desktop) -> None:
    desktop.load(app(desktop.desk(small(), NOW)), NOW)
    streams = {one.name: one.people for one in SALESFORCE.streams(ACCOUNT, options())}
    for name in STREAMS:
        for row in desktop.lake.raw.newest("salesforce", name).collect().iter_rows(named=True):
            payload, people = orjson.loads(row["payload"]), streams[name]
            named = set(people.named(row["record_key"], payload))
            assert ("user", payload["fields"]["OwnerId"]) in named
            assert ("person", payload["customer"]) in named
    [lead] = [
        row for row in desktop.lake.raw.newest("salesforce", "leads").collect().iter_rows(named=True)
        if row["record_key"] == id_of("00Q", 1)
    ]  # fmt: skip
    being = set(streams["leads"].being(lead["record_key"], orjson.loads(lead["payload"])))
    assert being == {("person", one) for one in (id_of("00Q", 1), id_of("003", 1), "1")}


@pytest.mark.parametrize("person", ["2", id_of("003", 2), id_of("00Q", 2)])
def test_whoever_is_erased_goes_under_every_id_and_does_not_come_back(desktop: Desktop, person: str) -> None:
    company = small()
    desktop.load(app(desktop.desk(company, NOW)), NOW)
    sources = [Source(SALESFORCE, ACCOUNT, options())]
    found = erasure.find(desktop.lake, sources, person)
    assert {one.stream: len(one.records) for one in found.streams} == {
        "leads": 1, "contacts": 1, "opportunities": 1, "calls": 1,
    }  # fmt: skip
    erasure.erase(desktop.lake, sources, found, day(61))
    assert desktop.facts("deal.won", "account_id") == [("1",), ("3",)]
    moved = replace(company.deals[1], amount=changes((day(3), Decimal(5000)), (day(61), Decimal(1))))
    later = replace(company, deals=(company.deals[0], moved, company.deals[2]))
    report = desktop.load(app(desktop.desk(later, day(62))), day(62))["opportunities"]
    assert (report.load.suppressed, report.load.inserted) == (1, 0)
    hers = [id_of(prefix, number) for prefix, number in (("00Q", 2), ("003", 2), ("006", 302), ("00T", 402))]
    text = orjson.dumps(desktop.stored()).decode() + str(desktop.log().to_dicts())
    assert not any(one in text for one in hers)


# What Salesforce forgets, does not track, or no longer has


ONLY_LEADS = options(contacts=None, sales=(), calls=None, meetings=None, cases=None, history_months=0)
ONLY_DEALS = options(leads=None, contacts=None, calls=None, meetings=None, cases=None)


def test_what_salesforce_has_forgotten_stays_recorded_and_a_new_mapping_gives_the_same(desktop: Desktop) -> None:
    company = organisation(
        contacts=[contact(1, (day(2), "lead"), (day(30), "marketingqualifiedlead"), (day(70), "salesqualifiedlead"))]
    )
    columns = ("occurred_at", "lifecycle")
    desktop.load(app(desktop.desk(company, NOW)), NOW, ONLY_LEADS)
    before = [(day(2), "lead"), (day(30), "marketingqualifiedlead")]
    assert desktop.facts("lifecycle.entered", *columns) == before
    forgetful = Kept(kept_for=timedelta(days=30))
    for at in (day(65), day(95), day(200)):  # nothing changed but what is told; changed; all is forgotten
        desktop.load(app(desktop.desk(company, at), kept=forgetful), at, ONLY_LEADS)
    after = [*before, (day(70), "salesqualifiedlead")]
    assert desktop.facts("lifecycle.entered", *columns) == after
    assert desktop.facts("lead.created", "occurred_at") == [(day(2),)]
    assert desktop.lake.log.scan().filter(pl.col("retracts").is_not_null()).collect().height == 0
    elsewhere = ONLY_LEADS.model_copy(update={"app_url": "https://otro.lightning.force.com"})
    desktop.load(app(desktop.desk(company, day(201)), kept=forgetful), day(201), elsewhere)
    assert desktop.facts("lifecycle.entered", *columns) == after
    assert desktop.facts("lifecycle.entered", "source_url")[0][0].startswith("https://otro.")


def test_a_field_whose_history_is_not_tracked_is_refused_unless_that_is_known(desktop: Desktop) -> None:
    served = app(desktop.desk(small(), NOW), kept=Kept(untracked=("Lead.Status", "Lead.Owner")))
    refused = first(desktop, served, "leads")
    assert "does not track the history of Lead.OwnerId, Lead.Status" in str(refused.failure)
    assert "Field History Tracking" in str(refused.failure)
    known = first(desktop, served, "leads", untracked=["Lead.Status", "Lead.OwnerId"])
    assert (known.failure, len(known.records)) == (None, 3)


def test_a_user_who_may_not_see_what_is_tracked_is_told_which_permission_to_give(desktop: Desktop) -> None:
    def refuse(exchange: Exchange) -> Answer | None:
        error = [{"errorCode": "INVALID_TYPE", "message": "sObject type 'FieldDefinition' is not supported."}]
        return (400, {}, orjson.dumps(error)) if "/tooling/" in exchange.path else None

    reading = first(desktop, Tampering(app(desktop.desk(small(), NOW)), refuse), "cases")
    assert "View Setup and Configuration" in str(reading.failure)


def test_a_picklist_of_several_values_is_no_attribute(desktop: Desktop) -> None:
    def several(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith("/describe"):
            return None
        content = exchange.content
        for one in content["fields"]:
            one["type"] = "multipicklist" if one["name"] == "Segmento__c" else one["type"]
        return 200, {}, orjson.dumps(content)

    reading = first(desktop, Tampering(app(desktop.desk(small(), NOW)), several), "opportunities")
    assert "Segmento__c of Opportunity is a multi-select picklist" in str(reading.failure)


@pytest.mark.parametrize(
    ("stream", "using", "found"),
    [
        ("contacts", {"new_customer_stages": ["leed"]}, "nothing means 'leed'; there is lead"),
        ("calls", {"calls": {"outcomes": {"Contestado": "connected"}}}, "no value 'Contestado'; there is Contestada"),
        ("cases", {"cases": {"closed": ["Cerrado"], "priorities": {"hihg": "high"}}}, "no value 'hihg'; there is high"),
        ("cases", {"cases": {"closed": ["Cerrado"], "channels": {"Fone": "phone"}}}, "no value 'Fone'; there is Phone"),
        (
            "opportunities",
            {"sales": [{**EXAMPLE["sales"][0], "stages": {"propuestas": "offer"}}]},
            "no value 'propuestas'; there is propuesta",
        ),
        (
            "opportunities",
            {"sales": [{**EXAMPLE["sales"][0], "forecast": ["Bestcase"]}]},
            "no value 'Bestcase'; there is BestCase",
        ),
    ],
)
def test_a_misspelt_word_of_the_options_is_refused_with_the_nearest(
    desktop: Desktop, stream: str, using: dict[str, Any], found: str
) -> None:
    reading = first(desktop, app(desktop.desk(small(), NOW)), stream, **using)
    assert found in str(reading.failure).replace(
        ". Correct it in the options of organisation.yaml, or let the user see it", ""
    )


def test_what_a_whole_reading_does_not_find_is_gone_and_comes_back(desktop: Desktop) -> None:
    """Emptied from the recycle bin before anybody read that it was deleted."""
    company = small()
    without = replace(company, deals=company.deals[1:])
    won = [id_of("006", 300 + one) for one in (1, 2, 3)]
    for at, served, found in (
        (NOW, company, won),
        (day(61), without, won),  # only what has changed is read
        (day(95), without, won[1:]),
        (day(130), company, won),
    ):
        desktop.load(app(desktop.desk(served, at)), at, ONLY_DEALS)
        assert [one for (one,) in desktop.facts("deal.won", "subject_id")] == found, at


def test_a_whole_reading_that_was_interrupted_knows_what_is_there(desktop: Desktop) -> None:
    company = calls(2_500)
    served = app(desktop.desk(company, day(62)))
    _, marks = desktop.read(served, "calls", desktop.first(day(62)), ONLY_CALLS)
    resumed, _ = desktop.read(served, "calls", replace(desktop.first(day(62)), mark=marks[0]), ONLY_CALLS)
    assert len(resumed.records) < 600
    assert resumed.covered is not None
    assert resumed.covered.present == {id_of("00T", 1000 + number) for number in range(2_500)}


def test_half_of_all_records_are_not_gone_at_once(desktop: Desktop) -> None:
    desktop.load(app(desktop.desk(calls(30), day(62))), day(62), ONLY_CALLS)
    fewer = app(desktop.desk(calls(10), day(62)))
    report = desktop.load(fewer, day(95), ONLY_CALLS)["calls"]
    assert "20 of the 30 records that were known are not in it" in str(report.failure)
    assert len(desktop.facts("call.made", "subject_id")) == 30
    allowed = ONLY_CALLS.model_copy(update={"most_gone": 1.0})
    assert desktop.load(fewer, day(96), allowed)["calls"].failure is None
    assert len(desktop.facts("call.made", "subject_id")) == 10


# Times and cursors


def test_an_overlap_within_a_millisecond_is_no_disorder(desktop: Desktop) -> None:
    served = app(desktop.desk(calls(3), day(62)))
    cursor = first(desktop, served, "calls").covered.cursor  # type: ignore[union-attr]
    since = day(61) + timedelta(microseconds=400)
    again = replace(desktop.first(day(62)), since=since, cursor=cursor)
    reading, _ = desktop.read(served, "calls", again, ONLY_CALLS)
    assert (reading.failure, len(reading.records)) == (None, 3)


@pytest.mark.parametrize("cursor", [None, "", "x", "{asked}", "{asked} ", "{asked} x", "{asked} 2026-03-01 09:00:00"])
def test_a_cursor_that_says_nothing_reads_everything(desktop: Desktop, cursor: str | None) -> None:
    served = app(desktop.desk(calls(3), day(62)))
    whole, _ = desktop.read(served, "calls", desktop.first(day(62)), ONLY_CALLS)
    assert whole.covered is not None
    asked = str(whole.covered.cursor).partition(" ")[0]
    read = replace(desktop.first(day(63)), since=day(62), cursor=cursor and cursor.replace("{asked}", asked))
    reading, _ = desktop.read(served, "calls", read, ONLY_CALLS)
    assert (reading.failure, len(reading.records)) == (None, 3)
    assert reading.covered is not None
    assert reading.covered.start is None


def test_what_changed_after_an_interrupted_reading_began_has_its_own_time(desktop: Desktop) -> None:
    late = replace(activity(2000, "call", day(65), "connected"), outcome=changes((day(65), "connected")))
    company = organisation(contacts=[contact(1, (day(2), "customer"))], activities=[late])
    desktop.clock.sleep((day(66) - desktop.clock.now()).total_seconds())
    reading, _ = desktop.read(app(desktop.desk(company, day(66))), "calls", desktop.first(day(62)), ONLY_CALLS)
    assert [one.revision for one in reading.records] == [day(65)]


# Signing in with a key


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def in_pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_a_key_signs_in_without_a_secret(desktop: Desktop, key: RSAPrivateKey) -> None:
    served = Tampering(app(desktop.desk(calls(3), day(62)), public_key=key.public_key()))
    desktop.configure(client_secret=None, private_key=in_pem(key).replace("\n", "\\n"), username=USERNAME)
    assert first(desktop, served).failure is None
    desktop.configure(username="otro@ventas.example")
    refused = str(first(desktop, served).failure)
    assert "refused to sign in (invalid_grant)" in refused
    assert "sources.ventas.salesforce.private_key" in refused
    desktop.configure(username=None)
    assert "sources.ventas.salesforce.username is not set" in str(first(desktop, served).failure)


def test_what_is_no_key_is_told_without_showing_it(desktop: Desktop, key: RSAPrivateKey) -> None:
    desktop.configure(private_key="-----BEGIN not a key", username=USERNAME)
    failure = str(first(desktop, app(desktop.desk(calls(3), day(62)), public_key=key.public_key())).failure)
    assert "sources.ventas.salesforce.private_key is no RSA key in PEM" in failure
    assert "not a key" not in failure
