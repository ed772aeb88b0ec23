"""Notes, tasks, mails and survey answers in HubSpot: counted, dated, told apart, and never read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hubspot_agency import OPTIONS, PREFIX, Office, Tampering, activity, agency, contact, day

from pipelines.hubspot import HUBSPOT
from pipelines.hubspot.changes import payload_of
from pipelines.hubspot.options import PERSONAL_PROPERTIES, HubSpotOptions, Other, Said
from pipelines.hubspot.others import EMAILS, FEEDBACK, KINDS, TASKS, Kind, facts, wanted
from pipelines.sandbox.company import Activity, Company
from pipelines.sandbox.hubspot import app
from pipelines.sandbox.hubspot.shown import owner_id
from pipelines.source import Account, Stream

NOW = day(60)
ALL = HubSpotOptions(portal_id="27182818", calls=None, meetings=None, **dict.fromkeys(KINDS, Other()))
ANA = owner_id("ana")


def others(*activities: Activity) -> Company:
    return agency(contacts=[contact(1)], activities=activities)


COMPANY = others(
    activity(701, "note", day(5), None),
    activity(711, "task", day(6), "completed"),
    activity(712, "task", day(6), None),
    activity(721, "email", day(7), "EMAIL"),
    activity(722, "email", day(8), "INCOMING_EMAIL"),
    activity(723, "email", day(9), "FORWARDED_EMAIL"),
    activity(724, "email", day(10), None),
    activity(725, "email", day(10, 11), "DRAFT_EMAIL"),
    activity(731, "answer", day(11), "PROMOTER"),
    activity(732, "answer", day(12), "PASSIVE"),
    activity(733, "answer", day(13), "DETRACTOR"),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with pytest.MonkeyPatch.context() as environment:
        office = Office(tmp_path_factory.mktemp("told"), environment)
        reports = office.load(app(office.desk(COMPANY, NOW)), NOW, ALL)
        assert [one.failure for one in reports.values()] == [None] * 5
        yield office


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


def test_each_happened_once_and_to_whom(told: Office) -> None:
    common = ("subject_id", "account_id", "actor", "occurred_at")
    assert told.facts("note.written", *common) == [("701", "1", ANA, day(5))]
    assert told.facts("task.completed", *common, "category") == [("711", "1", ANA, day(6, 10), "todo")]
    assert told.facts("email.sent", *common, "direction") == [
        ("721", "1", ANA, day(7), "outbound"),
        ("722", "1", ANA, day(8), "inbound"),
        ("723", "1", ANA, day(9), "inbound"),
    ]
    assert told.facts("survey.answered", *common, "rating", "score", "category", "channel") == [
        ("731", "1", ANA, day(11), "good", 10, "nps", "email"),
        ("732", "1", ANA, day(12), None, 7, "nps", "email"),
        ("733", "1", ANA, day(13), "bad", 2, "nps", "email"),
    ]


def test_no_text_is_asked_for_or_stored(told: Office) -> None:
    served = Tampering(app(told.desk(COMPANY, NOW)))
    for name in ("notes", "tasks", "emails", "feedback_submissions"):
        told.read(served, name, NOW, options=ALL)
        stored = told.lake.raw.scan("hubspot", name).collect()["payload"].to_list()
        kept = {key for one in stored for key in orjson.loads(one)["properties"]}
        assert kept
        assert kept.isdisjoint(PERSONAL_PROPERTIES)
        assert not [word for word in ("Nombre", "Marta", "Hola", "@", "piso") if word in "".join(stored)]
    asked = [one.query for one in served.exchanges]
    assert not [name for name in PERSONAL_PROPERTIES for query in asked if name in query.replace("%2C", ",").split(",")]


def test_a_task_that_is_taken_up_again_was_not_completed(office: Office) -> None:
    done, undone = activity(711, "task", day(6), "completed"), activity(711, "task", day(6), None)
    office.load(app(office.desk(others(done), day(7))), day(7), ALL)
    assert len(office.facts("task.completed", "subject_id")) == 1
    again = replace(undone, entered_at=day(8))
    office.load(app(office.desk(others(again), day(9))), day(9), ALL)
    assert office.facts("task.completed", "subject_id") == []


def test_they_are_read_only_where_it_is_said() -> None:
    account = Account("inmobiliaria", "hubspot", "Europe/Madrid")
    assert {stream.name for stream in HUBSPOT.streams(account, OPTIONS)}.isdisjoint(
        {"notes", "tasks", "emails", "feedback_submissions"}
    )
    given = HubSpotOptions.model_validate({"portal_id": "1", "calls": None, "meetings": None, "notes": {}})
    assert [stream.name for stream in HUBSPOT.streams(account, given)] == ["contacts", "notes"]


def streams(options: HubSpotOptions) -> dict[str, Stream]:
    return {one.name: one for one in HUBSPOT.streams(Account("a", "hubspot", "Europe/Madrid"), options)}


def test_an_increment_fetches_only_what_changed(office: Office) -> None:
    few = others(*(activity(700 + n, "note", day(5), None) for n in range(5)))
    office.load(app(office.desk(few, day(6))), day(6), ALL)
    more = others(*few.activities, activity(790, "note", day(7), None))
    assert office.load(app(office.desk(more, day(8))), day(8), ALL)["notes"].load.delivered == 1


def test_a_missing_permission_names_the_source_and_stops_nobody_else(office: Office) -> None:
    def refuse(exchange: Any) -> tuple[int, dict[str, str], bytes] | None:
        return (403, {}, b'{"category": "MISSING_SCOPES"}') if "/emails" in exchange.path else None

    reports = office.load(Tampering(app(office.desk(COMPANY, NOW)), refuse), NOW, ALL)
    assert [name for name, one in reports.items() if one.failure] == ["emails"]
    assert "permissions" in str(reports["emails"].failure)
    assert PREFIX.lower() not in str(reports["emails"].failure)


# --- what each record means, written out by hand ----------------------------------------------------------------------


def understood(kind: Kind, properties: dict[str, str], other: Other = Other()) -> list[dict[str, Any]]:  # noqa: B008 - it never changes
    asked = wanted(kind, other)
    rows = [
        {
            "record_key": "9",
            "revision": day(20),
            "createdAt": None,
            "properties": {name: properties.get(name) for name in asked.current},
            "contacts": ["1"],
        }
    ]
    schema = {
        "record_key": pl.String,
        "revision": pl.Datetime("us", "UTC"),
        **{part.name: part.dtype for part in payload_of(asked.current).fields},
    }
    return facts(pl.LazyFrame(rows, schema), kind, other, ALL, "Europe/Madrid").collect().to_dicts()


@pytest.mark.parametrize("status", ["SENDING", "SCHEDULED", "FAILED", "BOUNCED"])
def test_a_mail_that_did_not_arrive_was_not_sent(status: str) -> None:
    sent = {"hs_timestamp": "2026-01-05T09:00:00Z", "hs_email_direction": "EMAIL"}
    assert len(understood(EMAILS, {**sent, "hs_email_status": "SENT"})) == 1
    assert len(understood(EMAILS, sent)) == 1  # a mail that was received has no status
    assert understood(EMAILS, {**sent, "hs_email_status": status}) == []


@pytest.mark.parametrize(
    ("kind", "properties", "problem"),
    [
        (TASKS, {"hs_task_status": "COMPLETED"}, "hs_task_completion_date is not a time"),
        (
            TASKS,
            {"hs_task_status": "COMPLETED", "hs_task_completion_date": "2062-01-01T00:00:00Z"},
            "hs_task_completion_date is after the last change of the record",
        ),
        (
            FEEDBACK,
            {"hs_submission_timestamp": "2026-01-05T09:00:00Z", "hs_value": "ten"},
            "hs_value is not a number",
        ),
    ],
)
def test_what_cannot_be_understood_is_told(kind: Kind, properties: dict[str, str], problem: str) -> None:
    assert [one["problem"] for one in understood(kind, properties) if one["problem"]] == [problem]


def test_times_come_as_milliseconds_too_and_segments_from_the_property_that_is_named() -> None:
    segment = Other(segment=Said(property="nivel", values={"a": "premium"}))
    done = {"hs_task_status": "COMPLETED", "hs_task_completion_date": "1767603600000", "nivel": "a"}
    [fact] = understood(TASKS, done, segment)
    assert (fact["occurred_at"], fact["segment"]) == (day(5), "premium")
