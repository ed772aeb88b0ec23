"""What breaks loads from HubSpot: walls, limits, tokens that end, answers that are not whole, records that vanish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import requests
from crm_office import Answer, refusing
from hubspot_agency import ACCOUNT, OPTIONS, Exchange, Office, Tampering, activity, agency, changes, contact, day, sale

from pipelines import raw_zone
from pipelines.hubspot import HUBSPOT, HubSpotOptions
from pipelines.hubspot.options import Calls
from pipelines.sandbox.company import Activity, Changes, Company
from pipelines.sandbox.hubspot import CREDENTIALS, OAUTH_CREDENTIALS, app

NOW = day(60)
CONTACTS = OPTIONS.model_copy(update={"sales": (), "listings": (), "calls": None, "meetings": None})
DEALS = OPTIONS.model_copy(update={"listings": (), "calls": None, "meetings": None})


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


def calls(numbers: range, second: Callable[[int], int]) -> list[Activity]:
    """Calls of day 61, made and entered so many seconds after nine o'clock."""
    at = {number: day(61) + timedelta(seconds=second(number)) for number in numbers}
    return [
        replace(activity(1000 + number, "call", at[number], "connected"), outcome=connected(at[number]))
        for number in numbers
    ]


def connected(at: datetime) -> Changes[str]:
    return changes((at, "connected"))


def small(number: int = 3) -> Company:
    return agency(
        contacts=[contact(one, (day(2), "lead")) for one in range(1, number + 1)],
        sales=[
            sale(300 + one, (day(3), "appointment"), (day(4, 9, one % 60), "won"), buyer_id=one)
            for one in range(1, number + 1)
        ],
        activities=[activity(400 + one, "call", day(5), "connected", contact_id=one) for one in range(1, number + 1)],
    )


# The wall of search


def search(office: Office, company: Company, **asked: Any) -> requests.Response:
    with office.serving(app(office.desk(company, NOW))) as url:
        return requests.post(
            f"{url}/crm/v3/objects/calls/search",
            json=asked,
            headers={"Authorization": f"Bearer {CREDENTIALS['access_token']}"},
            timeout=10,
        )


def test_search_in_the_sandbox_ends_at_ten_thousand_as_it_does_in_hubspot(office: Office) -> None:
    assert search(office, small(), limit=200, after="9800").status_code == 200
    beyond = search(office, small(), limit=200, after="9801")
    assert (beyond.status_code, beyond.json()["category"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("case", "second"),
    [
        ("one instant each", lambda number: number),
        ("all at one instant", lambda number: 0),
        ("crowds at a few instants", lambda number: number // 4000 * 60),
    ],
)
def test_more_changes_than_search_can_page_are_all_read(
    office: Office, case: str, second: Callable[[int], int]
) -> None:
    later = agency(contacts=[contact(1)], activities=calls(range(10_300), second))
    reading = office.read(app(office.desk(later, day(62))), "calls", day(62), since=day(61))
    assert reading.failure is None
    assert sorted(reading.keys, key=int) == [str(1000 + number) for number in range(10_300)]


def test_a_change_that_search_does_not_see_yet_is_read_by_the_next_run(office: Office) -> None:
    lag, options = timedelta(minutes=10), HubSpotOptions.model_validate({"portal_id": "1", "meetings": None})
    made = replace(small(), activities=(*small().activities, *calls(range(1), lambda number: 0)))
    inserted = []
    for company, at in ((small(), NOW), (made, day(61, 9, 5)), (made, day(61, 9, 35))):
        inserted.append(office.load(app(office.desk(company, at), search_lag=lag), at, options)["calls"].load.inserted)
    assert inserted == [3, 0, 1]


def test_records_that_change_while_search_is_read_hide_no_others(office: Office) -> None:
    """The first of 600 moves to the end once a page was read; what was the 201st is now the 200th."""
    made = calls(range(600), lambda number: number)
    moved = [replace(made[0], outcome=(*made[0].outcome, *connected(day(61, 12)))), *made[1:]]
    before, after = (agency(contacts=[contact(1)], activities=those) for those in (made, moved))
    served = Tampering(app(office.desk(before, day(62))))

    def change_after_a_page(exchange: Exchange) -> None:
        if exchange.path == "/crm/v3/objects/calls/search":
            served.inner = app(office.desk(after, day(62)))

    served.alter = change_after_a_page
    reading = office.read(served, "calls", day(62), since=day(61))
    assert reading.failure is None
    assert set(reading.keys) == {str(1000 + number) for number in range(600)}


# Going on where it was interrupted


def interrupting(company: Company, office: Office, at: datetime, path: str, after: int) -> Tampering:
    """HubSpot whose day's requests are used up after so many answers to a path."""
    answered: list[str] = []

    def refuse(exchange: Exchange) -> Answer | None:
        if exchange.path != path or "archived=true" in exchange.query:
            return None
        answered.append(exchange.path)
        return (429, {}, USED_UP) if len(answered) > after else None

    return Tampering(app(office.desk(company, at)), refuse)


USED_UP = orjson.dumps({"status": "error", "policyName": "DAILY", "message": "You have reached your daily limit."})
CALLS = "/crm/v3/objects/calls"


def test_a_first_reading_goes_on_from_the_page_before_the_interruption(office: Office) -> None:
    many = agency(contacts=[contact(1)], activities=calls(range(350), lambda number: number))
    served = interrupting(many, office, day(62), CALLS, after=2)
    broken = office.read(served, "calls", day(62))
    assert "used up" in str(broken.failure)
    rest = office.read(app(office.desk(many, day(62))), "calls", day(62), mark=broken.marks[-1])
    assert (len(broken.records), len(rest.records)) == (200, 150)
    assert {*broken.keys, *rest.keys} == {str(1000 + number) for number in range(350)}
    assert rest.covered is not None
    assert rest.covered.end == day(62)


@pytest.mark.parametrize("second", [lambda number: number, lambda number: 0], ids=["one instant each", "one instant"])
def test_a_reading_of_changes_goes_on_from_the_page_before_the_interruption(
    office: Office, second: Callable[[int], int]
) -> None:
    many = agency(contacts=[contact(1)], activities=calls(range(900), second))
    served = interrupting(many, office, day(62), f"{CALLS}/search", after=4)
    broken = office.read(served, "calls", day(62), since=day(61))
    assert "used up" in str(broken.failure)
    again = Tampering(app(office.desk(many, day(62))))
    rest = office.read(again, "calls", day(62), since=day(61), mark=broken.marks[-1])
    assert rest.failure is None
    assert len(rest.records) <= 900 - len(set(broken.keys)) + 1
    assert {*broken.keys, *rest.keys} == {str(1000 + number) for number in range(900)}


def test_what_is_restored_while_a_reading_is_interrupted_is_read_when_it_goes_on(office: Office) -> None:
    made = calls(range(250), lambda number: number)
    archived = [replace(made[0], archived_at=day(61, 12)), *made[1:]]
    before, after = (agency(contacts=[contact(1)], activities=those) for those in (archived, made))
    broken = office.read(interrupting(before, office, day(62), CALLS, after=1), "calls", day(62))
    assert "1000" not in broken.keys
    rest = office.read(app(office.desk(after, day(62))), "calls", day(62), mark=broken.marks[-1])
    assert sorted({*broken.keys, *rest.keys}) == sorted(str(1000 + number) for number in range(250))


def test_a_mark_of_a_reading_that_asked_for_less_is_of_no_use(office: Office) -> None:
    many = agency(contacts=[contact(1)], activities=calls(range(350), lambda number: number))
    less = OPTIONS.model_copy(update={"calls": Calls(category=None)})
    broken = office.read(interrupting(many, office, day(62), CALLS, after=2), "calls", day(62), options=less)
    again = office.read(app(office.desk(many, day(62))), "calls", day(62), mark=broken.marks[-1])
    assert (len(broken.records), len(again.records)) == (200, 350)


def test_a_first_load_that_a_daily_limit_stops_is_finished_by_the_next_run(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_zone, "_RECORDS_A_PART", 1)
    many = agency(contacts=[contact(1)], activities=calls(range(350), lambda number: number))
    stopped = office.load(interrupting(many, office, day(62), CALLS, after=2), day(62))["calls"]
    assert "used up" in str(stopped.failure)
    served = Tampering(app(office.desk(many, day(63))))
    finished = office.load(served, day(63))["calls"]
    assert (stopped.load.inserted, finished.load.inserted, finished.load.duplicates) == (200, 150, 0)
    pages = [one.query for one in served.exchanges if one.path == CALLS and "associations" in one.query]
    assert ["after=" in query for query in pages] == [True, True]
    assert len(office.facts("call.made", "subject_id")) == 350


# What changes without a word


def test_a_customer_that_is_exchanged_without_a_change_of_the_record_is_noticed_when_all_is_read_again(
    office: Office,
) -> None:
    before = agency(contacts=[contact(1), contact(2)], sales=[sale(301, (day(3), "appointment"), buyer_id=1)])
    after = replace(before, sales=tuple(replace(one, buyer_id=2) for one in before.sales))
    accounts, read = [], []
    for company, at in ((before, day(5)), (after, day(6)), (after, day(34)), (after, day(36)), (after, day(37))):
        read.append(office.load(app(office.desk(company, at)), at)["deals"].load.delivered)
        accounts.append(office.facts("deal.created", "account_id"))
    assert accounts == [[("1",)], [("1",)], [("1",)], [("2",)], [("2",)]]
    assert read == [1, 0, 0, 1, 0]


def test_what_is_erased_in_hubspot_without_a_trace_is_found_missing_when_all_is_read_again(office: Office) -> None:
    """HubSpot says nowhere which contact it has erased for good: not in its archive, and to no search."""
    without = replace(small(), contacts=small().contacts[1:])
    for at, company, known in ((NOW, small(), "123"), (day(61), without, "123"), (day(91), without, "23")):
        reports = office.load(app(office.desk(company, at)), at, CONTACTS)
        assert reports["contacts"].failure is None
        assert [one for (one,) in office.facts("lead.created", "subject_id")] == list(known), at


def test_half_of_all_records_are_not_gone_at_once(office: Office) -> None:
    office.load(app(office.desk(small(30), NOW)), NOW, CONTACTS)
    fewer = app(office.desk(replace(small(30), contacts=small(10).contacts), day(91)))
    report = office.load(fewer, day(91), CONTACTS)["contacts"]
    assert "20 of the 30 records that were known are not in it" in str(report.failure)
    assert len(office.facts("lead.created", "subject_id")) == 30
    allowed = CONTACTS.model_copy(update={"most_gone": 1.0})
    assert office.load(fewer, day(92), allowed)["contacts"].failure is None
    assert len(office.facts("lead.created", "subject_id")) == 10


def test_a_whole_reading_that_was_interrupted_knows_what_is_there(office: Office) -> None:
    served = app(office.desk(small(120), NOW))
    whole = office.read(served, "deals", NOW)
    resumed = office.read(served, "deals", NOW, mark=whole.marks[0])
    assert (len(whole.records), len(resumed.records)) == (120, 70)
    assert whole.covered is not None
    assert resumed.covered is not None
    assert whole.covered.present == resumed.covered.present == {str(300 + one) for one in range(1, 121)}


def test_what_hubspot_has_forgotten_stays_recorded_and_a_new_mapping_gives_the_same(office: Office) -> None:
    """HubSpot tells the newest 20 changes of a deal's stage."""
    stages = [(day(3 + n), ("appointment", "offer")[n % 2]) for n in range(36)]
    company = agency(contacts=[contact(1)], sales=[sale(301, *stages)])
    for at in (day(20), day(35), day(70)):
        office.load(app(office.desk(company, at)), at, DEALS)
    entered = [(at,) for at, _ in stages]
    assert office.facts("deal.stage_entered", "occurred_at") == entered
    assert office.lake.log.scan().filter(pl.col("retracts").is_not_null()).collect().height == 0
    elsewhere = DEALS.model_copy(update={"app_url": "https://app-eu2.hubspot.com"})
    office.load(app(office.desk(company, day(71))), day(71), elsewhere)
    assert office.facts("deal.stage_entered", "occurred_at") == entered
    assert office.facts("deal.created", "source_url")[0][0].startswith("https://app-eu2.")


@pytest.mark.parametrize(
    ("stream", "given", "found"),
    [
        ("contacts", {"contacts": {"new_customer_stages": ["leed"]}}, "'leed'"),
        ("meetings", {"meetings": {"categories": {"Visitas": "visit"}}}, "'Visitas'"),
        (
            "calls",
            {"calls": {"category": {"property": "hs_activity_type", "values": {"Reunion": "meeting"}}}},
            "'Reunion'",
        ),
    ],
)
def test_a_misspelt_word_of_the_options_is_refused_with_the_nearest(
    office: Office, stream: str, given: dict[str, Any], found: str
) -> None:
    using = HubSpotOptions.model_validate({**OPTIONS.model_dump(exclude_unset=True), **given})
    failure = office.read(app(office.desk(small(), NOW)), stream, NOW, options=using).failure
    assert f"has no value {found}" in str(failure)
    assert "there is" in str(failure)


# Limits


def test_the_first_load_waits_for_the_limit_that_hubspot_refuses_with_no_retry_after(office: Office) -> None:
    many = agency(contacts=[contact(1)], activities=calls(range(19_200), lambda number: 0))
    served = Tampering(app(office.desk(many, day(62))))
    reading = office.read(served, "calls", day(62))
    assert [one.status for one in served.exchanges].count(429) == 1
    assert (reading.failure, len(reading.records)) == (None, 19_200)
    assert office.clock.waited_seconds() == 10


@pytest.mark.parametrize(
    ("status", "headers", "body", "waited"),
    [
        (429, {"retry-after": "7"}, {"policyName": "TEN_SECONDLY_ROLLING"}, 21),
        (429, {}, {"policyName": "SECONDLY"}, 3),
        (429, {}, {"message": "slow down"}, 7),  # 1 + 2 + 4
        (423, {}, {"message": "locked"}, 6),
        (477, {"retry-after": "60"}, {"message": "migration in progress"}, 180),
        (502, {}, {"message": "bad gateway"}, 7),
    ],
)
def test_each_way_of_saying_slow_down_is_waited_for(
    office: Office, status: int, headers: dict[str, str], body: Any, waited: float
) -> None:
    served = Tampering(app(office.desk(small(), NOW)), refusing(3, status, headers, body, "/crm/v3/objects/calls"))
    assert office.read(served, "calls", NOW).failure is None
    assert office.clock.waited_seconds() == waited


def test_a_used_up_day_ends_each_stream_loudly_and_the_next_day_completes_it(office: Office) -> None:
    reports = office.load(app(office.desk(small(120), NOW), most_a_day=9), NOW)
    ended = [one.failure for one in reports.values() if one.failure is not None]
    assert ended
    assert all("policyName DAILY" in failure and "midnight" in failure for failure in ended)
    assert office.clock.waited_seconds() == 0
    again = office.load(app(office.desk(small(120), day(61))), day(61))
    assert {one.failure for one in again.values()} == {None}
    assert len(office.facts("call.made", "subject_id")) == len(office.facts("deal.won", "subject_id")) == 120


# Signing in


def oauth(office: Office) -> None:
    office.configure(access_token=None, **OAUTH_CREDENTIALS)


def test_a_token_that_ends_in_the_middle_is_renewed_once_and_nothing_is_lost(office: Office) -> None:
    oauth(office)
    served = Tampering(app(office.desk(small(130), NOW)))
    passed = []

    def half_an_hour(stream: str, records: int) -> None:
        if stream == "deals" and not passed:
            passed.append(office.clock.sleep(1801))

    reports = office.load(served, NOW, on_page=half_an_hour)
    assert {one.failure for one in reports.values()} == {None}
    assert len(office.facts("deal.won", "subject_id")) == 130
    refused = [one for one in served.exchanges if one.status == 401]
    assert {one.content["category"] for one in refused} == {"EXPIRED_AUTHENTICATION"}
    tokens = [one for one in served.exchanges if one.path == "/oauth/v1/token"]
    assert len(tokens) == len(reports) + len(refused)
    assert all("authorization" not in one.headers for one in tokens)


def test_a_refused_refresh_token_is_the_operators_to_mend(office: Office) -> None:
    oauth(office)
    office.configure(refresh_token="somebody-elses")
    failure = office.read(app(office.desk(small(), NOW)), "contacts", NOW).failure
    assert failure is not None
    assert "sources.inmobiliaria.hubspot.refresh_token" in failure
    assert "somebody-elses" not in failure


def test_a_wrong_private_token_is_refused_and_never_shown(office: Office) -> None:
    office.configure(access_token="pat-wrong")
    served = Tampering(app(office.desk(small(), NOW)))
    failure = office.read(served, "contacts", NOW).failure
    assert failure is not None
    assert "HTTP 401" in failure
    assert "pat-wrong" not in failure
    assert {one.content["category"] for one in served.exchanges} == {"INVALID_AUTHENTICATION"}
    assert all("pat-wrong" not in one.query for one in served.exchanges)


@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, "access_token"), ({"client_id": "a", "refresh_token": "b"}, "client_secret")],
)
def test_a_credential_that_is_missing_is_named_where_it_belongs(
    office: Office, given: dict[str, str], missing: str
) -> None:
    office.configure(access_token=None, **given)
    failure = office.read(app(office.desk(small(), NOW)), "contacts", NOW).failure
    assert failure is not None
    assert f"sources.inmobiliaria.hubspot.{missing} is not set" in failure
    assert f"SOURCES__INMOBILIARIA__HUBSPOT__{missing.upper()}" in failure
    assert ".dlt/secrets.toml" in failure


def test_the_streams_of_an_account_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})
    assert [one.name for one in HUBSPOT.streams(ACCOUNT, OPTIONS)] == ["contacts", "deals", "calls", "meetings"]


# Versions


def test_a_dated_version_of_the_api_comes_to_the_same_log(office: Office, tmp_path: Path) -> None:
    numbered = Office(tmp_path / "numbered", office.environment)
    for one, version in ((numbered, "v3"), (office, "2026-09")):
        one.configure(api_version=version)
        oauth(one)
        for at in (day(4), NOW):
            served = Tampering(app(one.desk(small(), at)))
            assert {report.failure for report in one.load(served, at).values()} == {None}
            assert {"/v3/" in path for path in served.paths() if "/crm/" in path} == {version == "v3"}
    columns = [name for name in office.log().columns if name not in ("event_id", "recorded_at")]
    assert office.log().height > 0
    assert office.log().select(columns).equals(numbered.log().select(columns))


def test_a_version_that_is_none_is_refused_before_anything_is_asked(office: Office) -> None:
    office.configure(api_version="latest")
    served = Tampering(app(office.desk(small(), NOW)))
    failure = office.read(served, "contacts", NOW).failure
    assert failure is not None
    assert "api_version is 'latest'" in failure
    assert served.exchanges == []


# Answers that are not whole


def live_list(exchange: Exchange, object_type: str = "calls") -> bool:
    return exchange.path == f"/crm/v3/objects/{object_type}" and "archived" not in exchange.query


def emptied(exchange: Exchange) -> Answer | None:
    if live_list(exchange) and "after=" in exchange.query:
        return 200, {}, orjson.dumps({**exchange.content, "results": []})
    return None


def without_results(exchange: Exchange) -> Answer | None:
    if live_list(exchange) and "after=" in exchange.query:
        return 200, {}, orjson.dumps({"status": "error", "message": "internal"})
    return None


def endless(exchange: Exchange) -> Answer | None:
    """The published example: there is always a next page, and it is always the same."""
    if not live_list(exchange):
        return None
    one = {
        "id": "512",
        "properties": {},
        "createdAt": "2019-10-30T03:30:17.883Z",
        "updatedAt": "2019-12-07T16:50:06.678Z",
    }
    return 200, {}, orjson.dumps({"results": [one], "paging": {"next": {"after": "NTI1Cg%3D%3D"}}})


def truncated(exchange: Exchange) -> Answer | None:
    return (200, {}, exchange.answer[:-40]) if live_list(exchange) and "after=" in exchange.query else None


def html(exchange: Exchange) -> Answer | None:
    return (200, {}, b"<html>We'll be right back") if live_list(exchange) else None


def without_times(exchange: Exchange) -> Answer | None:
    if not live_list(exchange):
        return None
    results = [
        {name: value for name, value in one.items() if name != "updatedAt"} for one in exchange.content["results"]
    ]
    return 200, {}, orjson.dumps({"results": results})


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (emptied, "is empty, though it was promised"),
        (without_results, "without results"),
        (endless, "is one that came before"),
        (truncated, "not JSON"),
        (html, "not JSON"),
        (without_times, "another shape than HubSpot documents"),
    ],
)
def test_a_list_that_is_not_whole_ends_its_stream_without_a_word_of_what_it_covered(
    office: Office, alter: Callable[[Exchange], Answer | None], said: str
) -> None:
    reading = office.read(Tampering(app(office.desk(small(150), NOW)), alter), "calls", NOW)
    assert reading.failure is not None
    assert said in reading.failure
    assert reading.covered is None


def test_what_a_broken_list_left_out_is_read_by_the_next_run(office: Office) -> None:
    company = small(150)
    reports = office.load(Tampering(app(office.desk(company, NOW)), emptied), NOW)
    assert {name for name, one in reports.items() if one.failure} == {"calls"}
    assert len(office.facts("call.made", "subject_id")) == 100
    assert office.load(app(office.desk(company, NOW)), NOW)["calls"].failure is None
    assert len(office.facts("call.made", "subject_id")) == 150


def altered_search(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Exchange], Answer | None]:
    def alter(exchange: Exchange) -> Answer | None:
        if exchange.path == "/crm/v3/objects/calls/search":
            return 200, {}, orjson.dumps(change(exchange.content))
        return None

    return alter


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: {**content, "results": []}, "gave none"),
        (lambda content: {**content, "results": content["results"][::-1]}, "not in the order"),
        (lambda content: {"results": content["results"]}, "without total"),
        (lambda content: {**content, "results": [{"id": "1"}]}, "another shape"),
    ],
)
def test_a_search_that_is_not_whole_ends_its_stream(
    office: Office, change: Callable[[dict[str, Any]], dict[str, Any]], said: str
) -> None:
    later = agency(contacts=[contact(1)], activities=calls(range(3), lambda number: number))
    served = Tampering(app(office.desk(later, day(62))), altered_search(change))
    reading = office.read(served, "calls", day(62), since=day(61))
    assert reading.failure is not None
    assert said in reading.failure
    assert (reading.records, reading.covered) == ([], None)


def test_records_without_history_in_the_middle_of_a_page_lose_neither_themselves_nor_the_rest(office: Office) -> None:
    def without_history(exchange: Exchange) -> Answer | None:
        if not live_list(exchange, "deals"):
            return None
        results = exchange.content["results"]
        del results[1]["propertiesWithHistory"]
        results[2]["propertiesWithHistory"] = {}
        results[3]["propertiesWithHistory"]["dealstage"] = []
        return 200, {}, orjson.dumps({**exchange.content, "results": results})

    report = office.load(Tampering(app(office.desk(small(6), NOW)), without_history), NOW)["deals"]
    assert report.failure is None
    assert office.facts("deal.won", "subject_id", "occurred_at") == [
        *(("302", day(3)), ("303", day(3)), ("304", day(3))),  # never changed, so won since they were created
        *(("301", day(4, 9, 1)), ("305", day(4, 9, 5)), ("306", day(4, 9, 6))),
    ]


def test_a_record_that_cannot_be_understood_is_set_aside_by_itself_and_named(office: Office) -> None:
    def strange(exchange: Exchange) -> Answer | None:
        content = exchange.content
        if live_list(exchange, "deals"):
            content["results"][0]["properties"]["amount"] = "cinco mil"
            content["results"][1]["propertiesWithHistory"]["dealstage"][0]["timestamp"] = "ayer"
        elif live_list(exchange, "calls"):
            content["results"][0]["properties"]["hs_timestamp"] = "2062-01-05T09:00:00.000Z"
            content["results"][1]["properties"]["hs_call_duration"] = "1:30"
        else:
            return None
        return 200, {}, orjson.dumps(content)

    office.load(Tampering(app(office.desk(small(), NOW)), strange), NOW)
    aside = office.lake.quarantine().sort("record_key").select("record_key", "problem").collect()
    assert aside.rows() == [
        ("301", "amount is, or has been, not a number"),
        ("302", "the history of dealstage has an entry without a time"),
        ("401", "hs_timestamp is after the last change of a call made"),
        ("402", "hs_call_duration is not a number"),
    ]
    assert office.facts("deal.won", "subject_id") == [("303",)]
    assert office.facts("call.made", "subject_id") == [("403",)]


# Records that vanish


def test_a_record_that_search_still_gives_but_nobody_can_read_is_gone(office: Office) -> None:
    company = small()
    office.load(app(office.desk(company, day(4))), day(4))
    later = replace(company, activities=company.activities[1:])  # erased: in no list, and not in the archive

    def remembered(exchange: Exchange) -> Answer | None:
        if exchange.path != "/crm/v3/objects/calls/search":
            return None
        at = "2026-01-06T08:30:00.000Z"
        erased = {"id": "401", "properties": {"hs_lastmodifieddate": at}, "createdAt": at, "updatedAt": at}
        results = [erased, *exchange.content["results"]]
        return 200, {}, orjson.dumps({"total": len(results), "results": results})

    office.load(app(office.desk(company, day(6))), day(6))
    assert len(office.facts("call.made", "subject_id")) == 3
    served = Tampering(app(office.desk(later, day(6, 9, 30))), remembered)
    assert office.load(served, day(6, 9, 30))["calls"].counts == (1, 0, 1, 0)
    assert office.facts("call.made", "subject_id") == [("402",), ("403",)]


def test_a_batch_that_leaves_records_out_without_a_word_loses_none(office: Office) -> None:
    def forgetful(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith("/objects/calls/batch/read"):
            return None
        return 200, {}, orjson.dumps({**exchange.content, "results": exchange.content["results"][:1]})

    reading = office.read(Tampering(app(office.desk(small(), NOW)), forgetful), "calls", NOW, since=day(4))
    assert [(one.key, one.payload["contacts"]) for one in reading.records] == [
        ("401", ["1"]),
        ("402", ["2"]),
        ("403", ["3"]),
    ]


def test_a_deal_with_more_contacts_than_a_page_has_its_oldest_contact_as_its_account(office: Office) -> None:
    def crowded(exchange: Exchange) -> Answer | None:
        """The 150 contacts of deal 301 in three pages, youngest first, each in twice under two labels."""
        pages = [range(start, start - 50, -1) for start in (150, 100, 50)]
        found: Any = None
        if live_list(exchange, "deals"):
            found = exchange.content
            found["results"][0]["associations"]["contacts"] = page_of(pages, 0)
        elif exchange.path == "/crm/v3/objects/deals/301/associations/contacts":
            found = page_of(pages, 1 if "after=1" in exchange.query else 2)
        return None if found is None else (200, {}, orjson.dumps(found))

    def page_of(pages: list[range], place: int) -> dict[str, Any]:
        results = [{"id": str(id_), "type": kind} for id_ in pages[place] for kind in ("deal_to_contact", "buyer")]
        more = {"paging": {"next": {"after": str(place + 1)}}} if place < 2 else {}
        return {"results": results, **more}

    office.load(Tampering(app(office.desk(small(), NOW)), crowded), NOW)
    assert office.facts("deal.won", "subject_id", "account_id")[0] == ("301", "1")


# Personal data


def stored(office: Office) -> str:
    streams = [stream.name for stream in HUBSPOT.streams(ACCOUNT, OPTIONS)]
    raw = pl.concat([office.lake.raw.scan("hubspot", stream).select("payload") for stream in streams])
    return "\n".join(raw.collect().get_column("payload"))


def test_no_personal_data_is_asked_for_or_stored_even_where_hubspot_sends_it(office: Office) -> None:
    def talkative(exchange: Exchange) -> Answer | None:
        if not exchange.path.startswith("/crm/v3/objects/"):
            return None
        content = exchange.content
        for one in content["results"]:
            one["properties"] |= {"email": "persona1@correo.example", "hs_call_body": "Nombre1 llama"}
            one["url"] = "https://app.hubspot.com/persona1"
        return 200, {}, orjson.dumps(content)

    served = Tampering(app(office.desk(small(), NOW)), talkative)
    assert {one.failure for one in office.load(served, NOW).values()} == {None}
    text = stored(office)
    assert "appointmentscheduled" in text
    assert not any(canary in text for canary in ("Nombre", "Apellido", "persona", "correo", "+34", "userId"))
    asked = " ".join(one.query + one.body.decode() for one in served.exchanges)
    assert not any(name in asked for name in ("firstname", "lastname", "email", "phone", "dealname", "title", "body"))


# Sizes


def test_pages_are_as_large_as_hubspot_allows_and_smaller_with_histories(office: Office) -> None:
    served = Tampering(app(office.desk(small(130), NOW)))
    for stream in ("contacts", "deals", "calls", "meetings"):
        assert office.read(served, stream, NOW).failure is None
    lists = [one for one in served.exchanges if "/objects/" in one.path]
    live = Counter(one.path.rpartition("/")[2] for one in lists if "archived" not in one.query)
    assert live == {"contacts": 3, "deals": 3, "calls": 2, "meetings": 1}
    archived = [one for one in lists if "archived" in one.query]
    assert all("History" not in one.query and "limit=100" in one.query for one in archived)
