"""Zendesk against its stand-in: what is stated, what is withdrawn, and what is loud."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from at_hand import at_hand
from helpdesk_office import MARCH, at, changes, company, ticket
from shop import code
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from kr_definitions.events import COVERED, current
from pipelines import raw_zone
from pipelines.load import Lake, Source, StreamChange, bring_up_to_date, fetch
from pipelines.raw_zone import RawZone, StreamLoad
from pipelines.sandbox import zendesk as stand_in
from pipelines.sandbox.company import Company, Contact, Ticket, estate_agency
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Covered, Mark, Read, Record, VendorError
from pipelines.ticketing import instant
from pipelines.zendesk import ZENDESK, ZendeskOptions, histories
from pipelines.zendesk.helpdesk import Helpdesk

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
SETTINGS = "SOURCES__AGENCIA__ZENDESK__"
EXPORT, EVENTS = "/api/v2/incremental/tickets/cursor", "/api/v2/incremental/ticket_events"
RATINGS, RESPONSES = "/api/v2/satisfaction_ratings", "/api/v2/guide/survey_responses"


Around = Callable[[Any], Any]


class Agency:
    """An organisation's lake, and one account of Zendesk that it is loaded from."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.lake = Lake(folder / "lake")
        self.account = Account("agencia", "zendesk", "Europe/Madrid", code)
        self.source = Source(ZENDESK, self.account, ZendeskOptions(subdomain="agencia"))
        self.waited_seconds = 0.0
        for key, value in stand_in.CREDENTIALS.items():
            monkeypatch.setenv(SETTINGS + key.upper(), value)

    def with_options(self, **options: Any) -> None:
        self.source = Source(ZENDESK, self.account, ZendeskOptions(subdomain="agencia", **options))

    def fetch(
        self, of: Company, present: datetime, around: Around = lambda app: app, **stand_in_options: Any
    ) -> dict[str, StreamLoad]:
        clock = self.clock(present)
        app = stand_in.app(Desk(of, present, clock), **{"surveys_from": APRIL, **stand_in_options})
        with at_hand(around(app)) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            loads = fetch(self.source, self.lake, clock, present)
        self.waited_seconds = clock.waited_seconds()
        return {load.stream: load for load in loads}

    def clock(self, present: datetime) -> SharedClock:
        return SharedClock(self.folder / "clock.json", present)

    def read(
        self, stream: str, of: Company, asked: Read, around: Around = lambda app: app, **stand_in_options: Any
    ) -> list[Record]:
        """What one stream's fetch gives, without a lake."""
        fetch_stream = next(s.fetch for s in self.source.streams() if s.name == stream)
        desk = Desk(of, asked.until, SharedClock(self.folder / "clock.json"))
        with at_hand(around(stand_in.app(desk, **{"surveys_from": APRIL, **stand_in_options}))) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            return [record for page in fetch_stream(asked) if not isinstance(page, Mark) for record in page]

    def load(self, of: Company, present: datetime, *args: Any, **options: Any) -> dict[str, StreamLoad]:
        loads = self.fetch(of, present, *args, **options)
        self.understand(present)
        return loads

    def understand(self, present: datetime) -> list[StreamChange]:
        return bring_up_to_date([self.source], self.lake, present)

    def facts(self) -> pl.DataFrame:
        log = current(self.lake.log.scan()).filter(pl.col("event_type") != COVERED)
        return log.sort("occurred_at", "event_type", "subject_id").collect()

    def said(self, *columns: str) -> list[tuple[Any, ...]]:
        return self.facts().select(columns or ("event_type", "subject_id", "occurred_at")).rows()

    def count(self, event_type: str) -> int:
        return self.facts().filter(pl.col("event_type") == event_type).height


@pytest.fixture
def agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agency:
    return Agency(tmp_path, monkeypatch)


def answering(path: str, answer: Response, times: int = 10**6) -> Around:
    """The stand-in, but for a path that gives another answer (so many times)."""

    def around(app: Any) -> Any:
        left = times

        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            nonlocal left
            is_hit = scope["type"] == "http" and path in scope["path"] and left > 0
            left -= is_hit
            await (answer if is_hit else app)(scope, receive, send)

        return wrapped

    return around


def noting(requests: list[tuple[str, str]]) -> Around:
    """The stand-in, and a list of what it was asked for: (path, query)."""

    def around(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            requests.append((scope["path"], scope["query_string"].decode()))
            await app(scope, receive, send)

        return wrapped

    return around


LIFE = [
    ("ticket.created", None, "normal", "phone", at(2)),
    ("ticket.status_entered", "new", "normal", None, at(2)),
    ("ticket.first_replied", None, "normal", "phone", at(2, 9, 40)),
    ("ticket.status_entered", "open", "normal", None, at(2, 9, 40)),
    ("ticket.solved", None, "normal", None, at(3)),
    ("ticket.status_entered", "solved", "normal", None, at(3)),
    ("ticket.closed", None, "normal", None, at(7)),
    ("ticket.status_entered", "closed", "normal", None, at(7)),
]
LIFE_COLUMNS = ("event_type", "status", "priority", "channel", "occurred_at")


def test_a_tickets_life_is_stated_in_full_by_the_first_reading(agency: Agency) -> None:
    agency.load(company(ticket()), at(20))
    assert agency.said(*LIFE_COLUMNS) == LIFE
    assert set(agency.said("subject_id", "account_id", "source_url")) == {
        ("1", "71", "https://agencia.zendesk.com/agent/tickets/1")
    }


def test_later_readings_state_the_same_life_from_the_tickets_audits(agency: Agency) -> None:
    requests: list[tuple[str, str]] = []
    for day in (2, 3, 5, 20):
        agency.load(company(ticket()), at(day, 20), noting(requests))
    assert agency.said(*LIFE_COLUMNS) == LIFE
    assert [path for path, _ in requests].count("/api/v2/tickets/1/audits.json") == 2
    assert [path for path, _ in requests].count(EVENTS + ".json") == 1


def test_each_fact_has_the_priority_of_its_time(agency: Agency) -> None:
    raised = ticket(priority=changes((at(2), "low"), (at(2, 10), "urgent"), (at(5), "normal")))
    agency.load(company(raised), at(20))
    priorities = dict(agency.facts().filter(pl.col("status").is_null()).select("event_type", "priority").rows())
    assert priorities == {
        "ticket.created": "low",
        "ticket.first_replied": "low",
        "ticket.solved": "urgent",
        "ticket.closed": "normal",
    }


def test_a_reopened_ticket_is_solved_again(agency: Agency) -> None:
    again = ticket(
        status=changes((at(2), "new"), (at(3), "solved"), (at(4), "open"), (at(5), "solved"), (at(9), "closed"))
    )
    agency.load(company(again), at(20))
    facts = agency.facts().filter(pl.col("event_type").is_in(["ticket.solved", "ticket.reopened", "ticket.closed"]))
    assert facts.select("event_type", "occurred_at").rows() == [
        ("ticket.solved", at(3)),
        ("ticket.reopened", at(4)),
        ("ticket.solved", at(5)),
        ("ticket.closed", at(9)),
    ]


def test_a_merged_ticket_is_closed_without_being_solved(agency: Agency) -> None:
    merged = ticket(status=changes((at(2), "new"), (at(2, 10), "open"), (at(2, 11), "closed")))
    agency.load(company(merged, ticket(2)), at(20))
    assert agency.count("ticket.closed") == 2
    assert agency.facts().filter(pl.col("event_type") == "ticket.solved")["subject_id"].to_list() == ["2"]


def test_an_open_tickets_later_facts_are_added_and_nothing_is_withdrawn(agency: Agency) -> None:
    agency.load(company(ticket()), at(2, 20))
    assert agency.said(*LIFE_COLUMNS) == LIFE[:4]
    agency.fetch(company(ticket()), at(3, 20))
    change = next(change for change in agency.understand(at(3, 20)) if change.stream == "tickets")
    assert change.events_retracted == 0
    assert agency.said(*LIFE_COLUMNS) == LIFE[:6]


def test_a_ticket_that_looks_older_than_what_was_asked_for_is_kept(agency: Agency) -> None:
    archived = at(7) + stand_in.records.ARCHIVED_AFTER
    present = archived + timedelta(days=1)
    asked = Read(archived - timedelta(days=2), present, None, agency.clock(present))
    records = agency.read("tickets", company(ticket()), asked)
    assert [(record.key, record.revision) for record in records] == [("1", archived)]


def test_what_lies_on_the_edge_of_pages_is_counted_once(agency: Agency) -> None:
    same_second = [ticket(n, created_at=at(2)) for n in range(1, 6)]
    requests: list[tuple[str, str]] = []
    agency.load(company(*same_second), at(20), noting(requests), page_size=3)
    assert [path for path, _ in requests].count(EVENTS + ".json") > 3
    facts = agency.facts()
    assert facts.height == 5 * len(LIFE)
    assert facts.group_by("subject_id").len()["len"].to_list() == [len(LIFE)] * 5


def test_the_last_minute_is_left_to_the_next_reading(agency: Agency) -> None:
    late = ticket(2, created_at=at(20, 8, 59), status=changes((at(20, 8, 59), "new")), priority=(), first_reply_at=None)
    present = at(20, 8, 59) + timedelta(seconds=30)
    loads = agency.load(company(ticket(), late), present)
    assert all(load.covered and load.covered.end <= present - timedelta(minutes=1) for load in loads.values())
    assert agency.count("ticket.created") == 1
    agency.load(company(ticket(), late), at(20, 10))
    assert agency.count("ticket.created") == 2


def test_the_limit_of_exports_is_waited_for(agency: Agency) -> None:
    agency.load(company(*(ticket(n) for n in range(1, 13))), at(20), page_size=1)
    assert agency.waited_seconds >= 60
    assert agency.count("ticket.created") == 12


@pytest.mark.parametrize("surveys_from", [MARCH, APRIL], ids=["responses", "ratings"])
def test_a_deleted_ticket_takes_all_its_facts_along(agency: Agency, surveys_from: datetime) -> None:
    gone = ticket(survey_sent_at=at(4), rating=changes((at(4, 12), "good")), deleted_at=at(15))
    both = company(gone, ticket(2, survey_sent_at=at(4), rating=changes((at(5), "bad"))))
    agency.load(both, at(14), surveys_from=surveys_from)
    assert {subject for (subject,) in agency.said("account_id")} == {"71", "72"}
    assert agency.count("survey.answered") == 2
    agency.load(both, at(16), surveys_from=surveys_from)
    assert {subject for (subject,) in agency.said("account_id")} == {"72"}
    agency.load(both, at(17), surveys_from=surveys_from)
    assert {subject for (subject,) in agency.said("account_id")} == {"72"}
    withdrawn = agency.lake.log.scan().filter(pl.col("event_type") == "fact.retracted").collect()
    assert withdrawn.height == len(LIFE) + 2


@pytest.mark.parametrize("surveys_from", [MARCH, APRIL], ids=["responses", "ratings"])
def test_what_was_deleted_before_the_first_reading_is_never_stated(agency: Agency, surveys_from: datetime) -> None:
    gone = ticket(survey_sent_at=at(4), rating=changes((at(4, 12), "good")), deleted_at=at(15))
    agency.load(company(gone), at(20), surveys_from=surveys_from)
    assert agency.lake.log.scan().filter(pl.col("event_type") != COVERED).collect().is_empty()


def test_a_ticket_that_is_gone_before_its_audits_are_asked_for_states_nothing(agency: Agency) -> None:
    agency.load(company(ticket()), at(2, 20))
    not_found = JSONResponse({"error": "RecordNotFound", "description": "Not found"}, 404)
    agency.load(company(ticket()), at(20), answering("/audits", not_found))
    assert agency.facts().is_empty()


@pytest.mark.parametrize(
    ("surveys_from", "subject", "scores"),
    [(APRIL, ["1", "1"], [None, None]), (MARCH, None, [1, 5])],
    ids=["ratings", "responses"],
)
def test_a_rating_that_was_changed_corrects_the_answer(
    agency: Agency, surveys_from: datetime, subject: list[str] | None, scores: list[int | None]
) -> None:
    unhappy = company(ticket(survey_sent_at=at(4), rating=changes((at(5), "bad"), (at(20), "good"))))
    agency.load(unhappy, at(6), surveys_from=surveys_from)
    before = agency.facts().filter(pl.col("event_type") == "survey.answered")
    agency.load(unhappy, at(21), surveys_from=surveys_from)
    after = agency.facts().filter(pl.col("event_type") == "survey.answered")
    assert before.select("rating", "occurred_at").rows() == [("bad", at(5))]
    assert after.select("rating", "occurred_at").rows() == [("good", at(20))]
    assert before["fact_id"].to_list() == after["fact_id"].to_list()
    assert [before["score"][0], after["score"][0]] == scores
    sent = agency.facts().filter(pl.col("event_type") == "survey.sent")
    assert sent["occurred_at"].to_list() == [at(4)]
    assert subject is None or [sent["subject_id"][0], after["subject_id"][0]] == subject


def test_a_survey_was_sent_when_it_was_offered_however_long_ago_that_was_read(agency: Agency) -> None:
    """The offer and the answer are ratings of their own: the offer is soon outside what is listed, the answer not."""
    agency.with_options(surveys=("satisfaction_ratings",))
    late = company(ticket(survey_sent_at=at(4), rating=changes((at(14), "good"))))
    told = []
    for day in (5, 15, 45, 60):
        agency.load(late, at(day))
        told.append([one for one in agency.said("event_type", "occurred_at") if one[0].startswith("survey")])
    asked, answered = ("survey.sent", at(4)), ("survey.answered", at(14))
    assert told == [[asked], [asked, answered], [asked, answered], [asked, answered]]
    assert agency.lake.log.scan().filter(pl.col("event_type") == "fact.retracted").collect().is_empty()


@pytest.mark.parametrize("surveys_from", [MARCH, APRIL], ids=["responses", "ratings"])
def test_a_ticket_that_is_restored_brings_its_survey_back(agency: Agency, surveys_from: datetime) -> None:
    rated = {"survey_sent_at": at(4), "rating": changes((at(5), "good"))}
    kind = "survey_responses" if surveys_from == MARCH else "satisfaction_ratings"
    agency.with_options(surveys=(kind,))
    restored = changes((at(2), "new"), (at(3), "solved"), (at(62), "open"))
    answered = []
    for day, one in (
        (30, ticket(**rated)),
        (61, ticket(**rated, deleted_at=at(60))),
        (63, ticket(**rated, status=restored)),
        (64, ticket(**rated, status=restored)),
    ):
        agency.load(company(one, ticket(2)), at(day), surveys_from=surveys_from)
        answered.append((agency.count("survey.sent"), agency.count("survey.answered"), agency.count("ticket.created")))
    assert answered == [(1, 1, 2), (0, 0, 1), (1, 1, 2), (1, 1, 2)]


@pytest.mark.parametrize("surveys_from", [MARCH, APRIL], ids=["responses", "ratings"])
def test_a_reading_of_surveys_goes_on_from_any_of_its_marks(agency: Agency, surveys_from: datetime) -> None:
    kind = "survey_responses" if surveys_from == MARCH else "satisfaction_ratings"
    asked = [ticket(n, survey_sent_at=at(4, 9, n % 60), rating=changes((at(5), "good"))) for n in range(1, 130)]
    whole = company(*asked, ticket(500, deleted_at=at(9)))
    clock = agency.clock(at(20))
    [fetching] = [one.fetch for one in agency.source.streams() if one.name == kind]

    def read(mark: str | None) -> tuple[list[str], list[str], Any]:
        keys, marks = list[str](), list[str]()
        pages = fetching(Read(None, at(20), None, clock, mark))
        while True:
            try:
                page = next(pages)
            except StopIteration as end:
                return keys, marks, end.value
            if isinstance(page, Mark):
                marks.append(page.text)
            else:
                keys += [record.key for record in page]

    with at_hand(stand_in.app(Desk(whole, at(20), clock), surveys_from=surveys_from)) as url:
        agency.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
        keys, marks, covered = read(None)
        assert ("500/gone" in keys, len(keys) > 129, len(marks) >= 3) == (True, True, True)
        for mark in marks:
            rest, _, again = read(mark)
            assert again == covered
            assert len(rest) < len(keys)
            assert ("500/gone" in rest) == ("tickets" not in mark)
        lost = marks[0].replace('"list":"', '"list":"x')
        assert (sorted(read(lost)[0]), read(lost)[2]) == (sorted(keys), covered)


def test_a_survey_without_an_answer_is_only_sent(agency: Agency) -> None:
    silent = company(ticket(survey_sent_at=at(4)), ticket(2, survey_sent_at=APRIL + timedelta(days=1)))
    agency.load(silent, APRIL + timedelta(days=2))
    facts = agency.facts().filter(pl.col("event_type").str.starts_with("survey."))
    assert facts.select("event_type", "stream", "occurred_at").rows() == [
        ("survey.sent", "satisfaction_ratings", at(4)),
        ("survey.sent", "survey_responses", APRIL + timedelta(days=1)),
    ]


class Renamed(Lake):
    """The same lake, loaded by a pipeline of another name."""

    @property
    def raw(self) -> RawZone:
        return RawZone(self.root / "raw", pipeline_suffix="_renamed")


def test_a_pipeline_of_another_name_resumes_and_doubles_nothing(agency: Agency) -> None:
    asked = company(*(ticket(n, survey_sent_at=at(4), rating=changes((at(5), "good"))) for n in range(1, 5)))
    for day in (2, 3, 6):
        agency.load(asked, at(day, 20))
    before = agency.facts()
    agency.lake = Renamed(agency.lake.root)
    assert agency.load(asked, at(6, 21))["tickets"].delivered == 0
    shutil.rmtree(agency.lake.root / "loads")
    loads = agency.load(asked, at(6, 22))
    assert [(load.inserted, load.duplicates) for load in loads.values()] == [(0, 4), (0, 8), (0, 0)]
    assert agency.facts().equals(before)
    assert agency.lake.log.scan().filter(pl.col("event_type") == "fact.retracted").collect().is_empty()


def test_a_cursor_that_the_vendor_no_longer_knows_is_replaced_by_the_time(agency: Agency) -> None:
    agency.load(company(ticket()), at(2, 20))
    invalid = JSONResponse({"error": "InvalidPaginationParameter", "description": "Invalid cursor"}, 400)
    load = agency.load(company(ticket()), at(20), answering(EXPORT, invalid, times=1))["tickets"]
    assert load.failure is None
    assert agency.said(*LIFE_COLUMNS) == LIFE


@pytest.mark.parametrize("wrong", ["api_token", "email"])
def test_wrong_credentials_name_the_setting_and_nothing_secret(agency: Agency, wrong: str) -> None:
    agency.monkeypatch.setenv(SETTINGS + wrong.upper(), "canary-of-the-wrong-one")
    for load in agency.load(company(ticket()), at(20)).values():
        assert load.covered is None
        assert f"sources.agencia.zendesk.{wrong}" in str(load.failure)
        assert "canary" not in str(load.failure)


def test_missing_credentials_name_the_setting_its_variable_and_its_file(agency: Agency) -> None:
    agency.monkeypatch.delenv(SETTINGS + "API_TOKEN")
    agency.monkeypatch.setenv("API_TOKEN", "somebody-elses")
    failure = str(agency.load(company(ticket()), at(20))["tickets"].failure)
    assert "sources.agencia.zendesk.api_token is not set" in failure
    assert "SOURCES__AGENCIA__ZENDESK__API_TOKEN" in failure
    assert ".dlt/secrets.toml" in failure


def test_an_oauth_token_is_enough(agency: Agency) -> None:
    agency.monkeypatch.delenv(SETTINGS + "API_TOKEN")
    agency.monkeypatch.delenv(SETTINGS + "EMAIL")
    agency.monkeypatch.setenv(SETTINGS + "OAUTH_TOKEN", stand_in.OAUTH_TOKEN)
    agency.load(company(ticket()), at(20))
    assert agency.said(*LIFE_COLUMNS) == LIFE


LISTS = ("tickets", "ticket_events", "satisfaction_ratings", "survey_responses", "users")


def everywhere(items: list[Any], **rest: Any) -> JSONResponse:
    """The same items as an answer of every export and list, with what says how it goes on."""
    return JSONResponse({**dict.fromkeys(LISTS, items), **rest})


ENDED: dict[str, Any] = {"end_of_stream": True, "end_time": 1, "after_cursor": "x", "meta": {"has_more": False}}
STUCK: dict[str, Any] = {"end_of_stream": False, "end_time": 0, "after_cursor": None, "meta": {"has_more": True}}
EMPTY: dict[str, Any] = {**STUCK, "after_cursor": "x", "meta": {"has_more": True, "after_cursor": "x"}}
BROKEN = {
    "html": HTMLResponse("<h1>Back soon</h1>"),
    "truncated": PlainTextResponse('{"tickets": [{"id": 1', media_type="application/json"),
    "error": JSONResponse({"error": "DatabaseConflict", "description": "try later"}),
    "list": JSONResponse([]),
    "no ids": everywhere([{"a": 1}], **ENDED),
    "says nothing of more": everywhere([], **{**ENDED, "end_of_stream": None, "end_time": None, "meta": {}}),
    "does not get on": everywhere([{"id": 1}], **STUCK),
    "empty in the middle": everywhere([], **EMPTY),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize(
    ("path", "stream"),
    [
        (EXPORT, "tickets"),
        (EXPORT, "satisfaction_ratings"),
        (EXPORT, "survey_responses"),
        (EVENTS, "tickets"),
        ("/api/v2/users", "tickets"),
        (RATINGS, "satisfaction_ratings"),
        (RESPONSES, "survey_responses"),
    ],
)
def test_an_answer_that_only_looks_whole_is_refused(agency: Agency, path: str, stream: str, kind: str) -> None:
    with pytest.raises(VendorError, match=path):
        agency.read(
            stream, company(ticket()), Read(None, at(20), None, agency.clock(at(20))), answering(path, BROKEN[kind])
        )


def test_a_broken_answer_covers_nothing_and_the_next_reading_finds_everything(agency: Agency) -> None:
    agency.load(company(ticket()), at(2, 20))
    load = agency.load(company(ticket()), at(3, 20), answering(EXPORT, BROKEN["truncated"]))["tickets"]
    assert (load.covered, "what is not JSON" in str(load.failure)) == (None, True)
    agency.load(company(ticket()), at(20))
    assert agency.said(*LIFE_COLUMNS) == LIFE


@pytest.mark.parametrize("status", [403, 404])
def test_a_dead_kind_of_survey_leaves_the_other_one_alone(agency: Agency, status: int) -> None:
    asked = company(ticket(survey_sent_at=at(4), rating=changes((at(5), "good"))))
    loads = agency.load(asked, at(20), answering(RESPONSES, JSONResponse({"error": "no"}, status)))
    assert [stream for stream, load in loads.items() if load.failure] == ["survey_responses"]
    assert "surveys" in str(loads["survey_responses"].failure)
    assert agency.count("survey.answered") == 1
    agency.with_options(surveys=("satisfaction_ratings",))
    assert [load.failure for load in agency.load(asked, at(21)).values()] == [None, None]


def test_no_personal_data_is_stored(agency: Agency) -> None:
    asked = company(
        ticket(4, survey_sent_at=at(4), rating=changes((at(5), "good"))),
        ticket(8, survey_sent_at=APRIL, rating=changes((APRIL, "bad"))),
    )
    agency.load(asked, at(3))
    agency.load(asked, APRIL + timedelta(days=1))
    for stream in agency.source.streams():
        stored = "".join(agency.lake.raw.scan("zendesk", stream.name).collect()["payload"].to_list())
        assert stored
        for personal in ("Marta", "600 123 456", "@", "Consulta", "203.0.113.7", "Gracias", "Madrid"):
            assert personal not in stored


def test_the_customer_can_be_the_requesters_organization(agency: Agency) -> None:
    agency.with_options(account="organization")
    agency.load(company(ticket(survey_sent_at=at(4))), at(20))
    by_type = dict(agency.said("event_type", "account_id"))
    assert by_type["ticket.solved"] == str(71 % 7 + 1)
    assert by_type["survey.sent"] is None


def test_a_source_opens_nothing_until_a_stream_is_read(agency: Agency) -> None:
    for key in stand_in.CREDENTIALS:
        agency.monkeypatch.delenv(SETTINGS + key.upper())
    assert [stream.name for stream in agency.source.streams()] == [
        "tickets",
        "satisfaction_ratings",
        "survey_responses",
    ]


def test_the_agencys_two_years_come_out_as_they_were(agency: Agency) -> None:
    agencys = estate_agency(7, date(2025, 9, 1), date(2026, 3, 31))
    first, last = datetime(2026, 2, 1, 22, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)
    for present in (first, first + timedelta(days=10), last):
        loads = agency.load(agencys, present, surveys_from=datetime(2026, 1, 1, tzinfo=UTC))
        assert not [load.failure for load in loads.values() if load.failure]
    until = last - timedelta(minutes=1)
    alive = [t for t in agencys.tickets if t.created_at <= until and (t.deleted_at is None or t.deleted_at > until)]
    statuses = [change for t in alive for change in t.status if change.at <= until]
    assert len(alive) > 100
    assert {row[0]: row[1] for row in agency.facts().group_by("event_type").len().rows()} == {
        "ticket.created": len(alive),
        "ticket.status_entered": len(statuses),
        "ticket.solved": sum(change.value == "solved" for change in statuses),
        "ticket.closed": sum(change.value == "closed" for change in statuses),
        "ticket.reopened": sum(
            after.value == "open" and before.value == "solved"
            for t in alive
            for before, after in zip(t.status, t.status[1:], strict=False)
            if after.at <= until
        ),
        "ticket.first_replied": sum(t.first_reply_at is not None and t.first_reply_at <= until for t in alive),
        "survey.sent": sum(t.survey_sent_at is not None and t.survey_sent_at <= until for t in alive),
        "survey.answered": sum(bool(t.rating) and t.rating[0].at <= until for t in alive),
    }


def test_every_fetch_says_what_it_covered(agency: Agency) -> None:
    loads = agency.fetch(company(ticket()), at(20))
    assert {load.covered.start for load in loads.values() if load.covered} == {None}
    again = agency.fetch(company(ticket()), at(21))
    assert all(isinstance(load.covered, Covered) for load in again.values())
    assert again["tickets"].covered == Covered(
        at(20) - timedelta(minutes=61),
        at(21) - timedelta(minutes=1),
        loads["tickets"].covered.cursor,  # type: ignore[union-attr]
    )


def test_histories_that_are_not_held_are_asked_for_and_say_the_same(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = company(*(ticket(n, created_at=at(2, 9, n)) for n in range(1, 13)))
    agency.load(many, at(20), page_size=3)
    whole = agency.said("fact_id", "event_type", "occurred_at")
    agency.lake = Lake(agency.folder / "another")
    monkeypatch.setattr(histories, "MOST_HELD", 6)
    requests: list[tuple[str, str]] = []
    agency.load(many, at(20), noting(requests), page_size=3)
    assert agency.said("fact_id", "event_type", "occurred_at") == whole
    assert [path for path, _ in requests if path.endswith("audits.json")]


def test_no_more_is_held_than_was_done_to_tickets_that_come_later(agency: Agency) -> None:
    clock, held = agency.clock(APRIL), []
    many = company(*(ticket(n, created_at=at(n), **life(n)) for n in range(1, 21)))
    desk = Desk(many, APRIL, clock)
    with at_hand(stand_in.app(desk, page_size=4)) as url:
        agency.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
        office = Helpdesk(agency.account, "agencia", clock)
        gathered = histories.Histories(office, 0)
        for page, _ in office.changed_tickets(None, None):
            for one in page:
                assert gathered.of(one, instant(one["generated_timestamp"])) is not None
                held.append(gathered.held)
    assert len(held) == 20
    assert max(held) <= 8


def life(day: int) -> dict[str, Any]:
    """A ticket that is over within an hour."""
    return {
        "priority": changes((at(day), "low")),
        "status": changes((at(day), "new"), (at(day, 9, 20), "solved"), (at(day, 9, 40), "closed")),
        "first_reply_at": at(day, 9, 10),
    }


@pytest.mark.parametrize("killed_at", [2, 4])
def test_a_first_reading_that_is_interrupted_goes_on_and_says_the_same(
    agency: Agency, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    monkeypatch.setattr(raw_zone, "_RECORDS_A_PART", 1)
    many = company(*(ticket(n, created_at=at(2, 9, n)) for n in range(1, 13)))
    requests: list[tuple[str, str]] = []
    served = 0

    def failing(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            nonlocal served
            served += scope["path"].startswith(EXPORT)
            is_over = scope["path"].startswith(EXPORT) and served >= killed_at
            await (JSONResponse({"error": "no"}, 418) if is_over else app)(scope, receive, send)

        return wrapped

    agency.with_options(surveys=())
    assert agency.fetch(many, at(20), failing, page_size=3)["tickets"].failure is not None
    load = agency.load(many, at(21), noting(requests), page_size=3)["tickets"]
    assert load.failure is None
    exports = [query for path, query in requests if path.startswith(EXPORT)]
    assert len(exports) == 12 // 3 - (killed_at - 1) + 1  # the rest, and once what changed since
    assert "cursor=" in exports[0]
    again = agency.said("fact_id", "event_type", "occurred_at")
    agency.lake = Lake(agency.folder / "another")
    agency.load(many, at(21), page_size=3)
    assert again == agency.said("fact_id", "event_type", "occurred_at")
    assert len(again) == 12 * len(LIFE)


def test_what_is_solved_while_a_first_reading_pauses_is_in_its_tickets_pasts(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_zone, "_RECORDS_A_PART", 1)

    def solved_later(number: int) -> Ticket:
        made = at(2, 9, number)
        return ticket(number, created_at=made, status=changes((made, "new"), (at(15, 9, number), "solved")))

    many = company(*(solved_later(number) for number in range(1, 13)))
    served = 0

    def failing(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            nonlocal served
            served += scope["path"].startswith(EXPORT)
            is_over = scope["path"].startswith(EXPORT) and served >= 3
            await (JSONResponse({"error": "no"}, 418) if is_over else app)(scope, receive, send)

        return wrapped

    agency.with_options(surveys=())
    assert agency.fetch(many, at(10), failing, page_size=3)["tickets"].failure is not None
    assert agency.load(many, at(20), page_size=3)["tickets"].failure is None
    solved = [one for one in agency.said("event_type", "occurred_at") if one[0] == "ticket.solved"]
    assert sorted(when for _, when in solved) == [at(15, 9, number) for number in range(1, 13)]


# --- by what else customers are known ---------------------------------------------------------------------------------


def person(number: int, *changed: datetime, **different: Any) -> Contact:
    """A contact of 1 March; the helpdesk hears of them at each of these times."""
    says = {"email": different.pop("email", f"Persona{number}@Empresa.example")}
    stages = changes((at(1), "lead"), *((instant, "customer") for instant in changed))
    return Contact(**{"id": number, "lifecycle": stages, "channel": "web", "market": "", "referrer_id": None,
                      "archived_at": None, "says": says, **different})  # fmt: skip


def known(agency: Agency) -> list[tuple[str, str, str]]:
    facts = agency.facts().filter(pl.col("event_type") == "account.identified")
    return sorted(facts.select("account_id", "identified_by", "identifier").rows())


def test_requesters_are_known_by_address_domain_and_external_id(agency: Agency) -> None:
    agency.with_options(identified_by=["email", "domain", {"crm": "external_id"}])
    of = replace(company(ticket(1), ticket(2)), contacts=(person(71), person(72)))
    assert agency.load(of, at(20))["customers"].failure is None
    assert known(agency)[:3] == [
        ("71", "crm", "71"),
        ("71", "domain", "empresa.example"),
        ("71", "email", code("persona71@empresa.example")),
    ]
    assert {account for account, _, _ in known(agency)} == {"71", "72"}
    kept = agency.lake.raw.scan("zendesk", "customers").collect()["payload"].to_list()
    assert {name for one in kept for name in orjson.loads(one)} <= {"created_at", "identified"}


def test_only_users_who_changed_are_read_again_and_a_deleted_one_is_withdrawn(agency: Agency) -> None:
    agency.with_options(identified_by=["email"])
    tickets = [ticket(n) for n in range(1, 6)]
    agency.load(replace(company(*tickets), contacts=(person(71), person(72))), at(10))
    moved = replace(
        company(*tickets), contacts=(person(71, at(15), email="otra@x.example"), person(72, archived_at=at(15)))
    )
    load = agency.load(moved, at(20))["customers"]
    assert load.delivered == 2
    assert [row for row in known(agency) if row[0] in ("71", "72")] == [("71", "email", code("otra@x.example"))]


def test_where_more_is_to_identify_customers_all_are_read_again(agency: Agency) -> None:
    of = company(ticket(1), ticket(2))
    agency.with_options(identified_by=["email"])
    agency.load(of, at(10))
    agency.with_options(identified_by=["email", "external_id"])
    agency.load(of, at(11))
    assert {(account, by) for account, by, _ in known(agency)} == {
        (account, by) for account in ("71", "72") for by in ("email", "external_id")
    }


def test_a_long_reading_of_users_goes_on_where_it_was_interrupted(agency: Agency) -> None:
    agency.with_options(identified_by=["email"])
    stream = next(s for s in agency.source.streams() if s.name == "customers")
    of, asked = company(*(ticket(n) for n in range(1, 8))), Read(None, at(20), None, agency.clock(at(20)))
    with at_hand(stand_in.app(Desk(of, at(20), asked.clock), page_size=3)) as url:  # type: ignore[arg-type]
        agency.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
        whole = list(stream.fetch(asked))
        first = whole[1]
        assert isinstance(first, Mark)
        rest = list(stream.fetch(replace(asked, mark=first.text)))
    assert rest == whole[2:]
    assert sum(len(page) for page in whole if isinstance(page, list)) == 7 + len(stand_in.records.AGENTS)


def test_organisations_are_known_by_their_domains(agency: Agency) -> None:
    agency.with_options(account="organization", identified_by=["domain", "external_id"])
    agency.load(company(ticket(1)), at(20))
    assert known(agency) == [("2", "domain", "empresa2.example"), ("2", "external_id", "org-2")]


# --- service levels ---------------------------------------------------------------------------------------------------


def promised(agency: Agency) -> dict[tuple[str, str], bool | None]:
    facts = agency.facts().filter(pl.col("event_type").is_in(["ticket.first_replied", "ticket.solved"]))
    return {
        (subject, kind): kept
        for subject, kind, kept in facts.select("subject_id", "event_type", "is_within_sla").rows()
    }


def test_a_reply_and_a_solution_say_whether_they_kept_what_was_promised_then(agency: Agency) -> None:
    agency.with_options(sla=True)
    urgent, low = changes((at(2), "urgent")), changes((at(2), "low"))
    raised = changes((at(2), "low"), (at(2, 9, 30), "urgent"))
    lowered = changes((at(2), "urgent"), (at(2, 9, 20), "low"))
    afterwards = changes((at(2), "low"), (at(4), "urgent"))
    cases = {1: urgent, 2: low, 3: raised, 4: lowered, 5: afterwards}
    agency.load(company(*(ticket(n, priority=of) for n, of in cases.items())), at(20))
    first, last = "ticket.first_replied", "ticket.solved"
    assert promised(agency) == {
        ("1", first): False, ("1", last): False,
        ("2", first): True, ("2", last): True,
        ("3", first): False, ("3", last): False,
        ("4", first): True, ("4", last): True,  # the breach of before was taken back with the new target
        ("5", first): True, ("5", last): True,  # what was promised after the solution was not promised then
    }  # fmt: skip


def test_a_breach_of_a_ticket_that_is_solved_later_is_known_when_it_is(agency: Agency) -> None:
    agency.with_options(sla=True)
    of = company(ticket(priority=changes((at(2), "urgent"))))
    for day in (2, 3, 20):
        agency.load(of, at(day, 20))
    assert promised(agency) == {("1", "ticket.first_replied"): False, ("1", "ticket.solved"): False}


def test_service_levels_that_are_asked_for_later_are_read_for_all_tickets(agency: Agency) -> None:
    of = company(ticket(1), ticket(2))
    agency.load(of, at(20))
    assert set(promised(agency).values()) == {None}
    agency.with_options(sla=True)
    agency.load(of, at(21))
    assert set(promised(agency).values()) == {True}
    assert agency.load(of, at(22))["tickets"].delivered == 0


def test_an_export_that_leaves_out_what_was_measured_is_refused(agency: Agency) -> None:
    agency.with_options(sla=True, surveys=())
    bare = everywhere([{"id": 1, "status": "new", "generated_timestamp": 1}], **ENDED)
    load = agency.load(company(ticket()), at(20), answering(EXPORT, bare))["tickets"]
    assert "without their metric events" in str(load.failure)


def test_what_was_promised_is_kept_without_a_word_of_the_policy(agency: Agency) -> None:
    agency.with_options(sla=True)
    agency.load(company(ticket()), at(20))
    stored = "".join(agency.lake.raw.scan("zendesk", "tickets").collect()["payload"].to_list())
    assert "Marta" not in stored
    assert "apply_sla" in stored
