"""What Zendesk's records mean, and shapes that its stand-in never gives: each answer here is written out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from at_hand import at_hand
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.raw_zone import RAW_SCHEMA
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Account, Mark, Read, Record
from pipelines.understanding import understand
from pipelines.zendesk import ZENDESK, ZendeskOptions

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
SINCE = NOW - timedelta(days=1)
SETTINGS = "SOURCES__AGENCIA__ZENDESK__"
AGENT, OTHER_AGENT, CUSTOMER, COLLEAGUE = 1, 2, 7, 8
AT_NINE = "2026-03-02T09:00:00Z"
CREATION = {"id": 8, "ticket_id": 5, "created_at": AT_NINE, "updater_id": CUSTOMER, "child_events": []}
"""What the event export says of a ticket's creation."""


class Vendor:
    """Answers written out by hand, and what the streams make of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = SharedClock(folder / "clock.json", NOW)
        self.answers: dict[str, list[dict[str, Any]]] = {"users": [{"id": AGENT, "role": "agent"}]}
        self.monkeypatch = monkeypatch
        self.queries: list[Mapping[str, str]] = []
        self.sla = False
        for key in ("EMAIL", "API_TOKEN"):
            monkeypatch.setenv(SETTINGS + key, "any")

    def records(self, stream_name: str, since: datetime | None = SINCE) -> list[Record]:
        with at_hand(self._app()) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            pages = self._stream(stream_name).fetch(Read(since, NOW, None, self.clock))
            return [record for page in pages if not isinstance(page, Mark) for record in page]

    def facts(self, stream_name: str, since: datetime | None = SINCE) -> pl.DataFrame:
        facts, problems = self._understood(stream_name, since)
        assert problems == []
        return facts

    def problems(self, stream_name: str, since: datetime | None = SINCE) -> list[tuple[str, str]]:
        return self._understood(stream_name, since)[1]

    def _understood(self, stream_name: str, since: datetime | None) -> tuple[pl.DataFrame, list[tuple[str, str]]]:
        rows = [
            {
                "record_id": record.key,
                "record_key": record.key,
                "revision": record.revision,
                "content_hash": "",
                "is_deleted": record.is_deleted,
                "payload": orjson.dumps(record.payload).decode(),
                "recorded_at": NOW,
            }
            for record in self.records(stream_name, since)
        ]
        found = understand(self._stream(stream_name), "zendesk", pl.DataFrame(rows, schema=RAW_SCHEMA), NOW)
        facts = found.facts.collect().sort("occurred_at", "event_type", "fact_key")
        return facts, found.problems.select("record_key", "problem").rows()

    def _stream(self, name: str) -> Any:
        account = Account("agencia", "zendesk", "Europe/Madrid")
        options = ZendeskOptions(subdomain="agencia", sla=self.sla)
        return next(s for s in ZENDESK.streams(account, options) if s.name == name)

    def _app(self) -> Starlette:
        def answer(request: Request) -> Response:
            self.queries.append(dict(request.query_params))
            key = request.url.path.removesuffix(".json").rsplit("/", 1)[-1]
            key = {"cursor": "tickets"}.get(key, key)
            items = self.answers.get(key, [])
            if "ticket_id" in request.path_params:
                items = [audit for audit in items if audit["ticket_id"] == request.path_params["ticket_id"]]
            ended = {"end_of_stream": True, "after_cursor": "c", "end_time": int(NOW.timestamp())}
            return JSONResponse({key: items, **ended, "meta": {"has_more": False, "after_cursor": None}})

        paths = ("incremental/{export:path}", "users.json", "tickets/{ticket_id:int}/audits.json")
        lists = ("satisfaction_ratings.json", "guide/survey_responses")
        return Starlette(routes=[Route(f"/api/v2/{path}", answer) for path in (*paths, *lists)])


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    return Vendor(tmp_path, monkeypatch)


def ticket(**different: Any) -> dict[str, Any]:
    usual = {
        "id": 5,
        "created_at": AT_NINE,
        "updated_at": "2026-03-10T09:00:00Z",
        "generated_timestamp": int(NOW.timestamp()) - 3600,
        "status": "open",
        "priority": "normal",
        "requester_id": CUSTOMER,
        "via": {"channel": "email"},
        "tags": [],
    }
    return {**usual, **different}


def audit(minute: int, *events: dict[str, Any], author: int = AGENT, **different: Any) -> dict[str, Any]:
    """An audit so many minutes after the ticket's creation."""
    created = datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=minute)
    usual = {"id": 100 + minute, "ticket_id": 5, "created_at": created.isoformat(), "author_id": author}
    return {**usual, "events": list(events), **different}


def became(value: Any, before: Any = None, field: str = "status") -> dict[str, Any]:
    if before is None:
        return {"type": "Create", "field_name": field, "value": value}
    return {"type": "Change", "field_name": field, "value": value, "previous_value": before}


def comment(author: int, **different: Any) -> dict[str, Any]:
    return {"type": "Comment", "author_id": author, "public": True, "body": "Hola", **different}


def replied_after_minutes(vendor: Vendor, *audits: dict[str, Any]) -> int | None:
    vendor.answers |= {"tickets": [ticket()], "audits": list(audits)}
    replies = vendor.facts("tickets").filter(pl.col("event_type") == "ticket.first_replied")
    assert replies.height <= 1
    if replies.is_empty():
        return None
    return int((replies["occurred_at"][0] - datetime(2026, 3, 2, 9, tzinfo=UTC)).total_seconds() / 60)


def test_the_first_public_comment_of_an_agent_is_the_first_reply(vendor: Vendor) -> None:
    audits = [
        audit(0, comment(CUSTOMER), author=CUSTOMER),
        audit(1, comment(AGENT, public=False)),
        audit(2, comment(COLLEAGUE), author=COLLEAGUE),
        audit(3, comment(-1), author=-1),
        audit(4, {"type": "Notification", "author_id": AGENT, "public": True}),
        audit(5, {"type": "VoiceComment", "author_id": AGENT, "public": True}),
        audit(6, comment(AGENT)),
        audit(7, comment(AGENT)),
    ]
    assert replied_after_minutes(vendor, *audits) == 6


def test_the_comment_that_opens_a_ticket_is_no_reply_even_an_agents(vendor: Vendor) -> None:
    assert replied_after_minutes(vendor, audit(0, comment(AGENT))) is None


def test_who_was_ever_the_assignee_is_an_agent_though_no_longer_listed(vendor: Vendor) -> None:
    gave_away = became(AGENT, OTHER_AGENT, field="assignee_id")
    assert replied_after_minutes(vendor, audit(3, comment(OTHER_AGENT), author=OTHER_AGENT), audit(9, gave_away)) == 3


def test_an_event_of_the_export_says_the_same_in_both_of_its_shapes(vendor: Vendor) -> None:
    by_key = {"event_type": "Change", "status": "solved", "previous_value": "open"}
    by_name = {"event_type": "Change", "field_name": "status", "value": "solved", "previous_value": "open"}
    reply = {"event_type": "Comment", "comment_present": True, "comment_public": True}
    said = []
    for change in (by_key, by_name):
        event = {"id": 9, "ticket_id": 5, "created_at": "2026-03-03T09:00:00Z", "updater_id": AGENT}
        events = [CREATION, {**event, "child_events": [reply, change]}]
        vendor.answers |= {"tickets": [ticket()], "ticket_events": events}
        said.append(vendor.facts("tickets", since=None))
    assert said[0].equals(said[1])
    assert said[0]["event_type"].to_list() == [
        "ticket.created",
        "ticket.first_replied",
        "ticket.solved",
        "ticket.status_entered",
    ]


@pytest.mark.parametrize(("author", "replies"), [(AGENT, 1), (CUSTOMER, 0)], ids=["agent", "customer"])
def test_a_comment_is_its_authors_whoever_entered_it(vendor: Vendor, author: int, replies: int) -> None:
    entered = {"event_type": "Comment", "author_id": author, "public": True, "body": "Hola"}
    event = {
        "id": 9,
        "ticket_id": 5,
        "created_at": "2026-03-03T09:00:00Z",
        "updater_id": AGENT,
        "child_events": [entered],
    }
    vendor.answers |= {"tickets": [ticket()], "ticket_events": [CREATION, event]}
    assert vendor.facts("tickets", since=None)["event_type"].to_list().count("ticket.first_replied") == replies
    assert "comment_events" in [query.get("include") for query in vendor.queries]


def test_a_ticket_that_changed_after_the_event_export_is_asked_for_its_audits(vendor: Vendor) -> None:
    later = int(NOW.timestamp()) + 1
    vendor.answers |= {
        "tickets": [ticket(generated_timestamp=later)],
        "ticket_events": [{"id": 9, "ticket_id": 5, "created_at": AT_NINE, "updater_id": 1, "child_events": []}],
        "audits": [audit(0, became("new")), audit(60, became("solved", "new"))],
    }
    assert "ticket.solved" in vendor.facts("tickets", since=None)["event_type"].to_list()


def test_what_one_update_sets_and_sets_again_counts_once(vendor: Vendor) -> None:
    vendor.answers |= {
        "tickets": [ticket()],
        "audits": [
            audit(0, became("new")),
            audit(9, became("solved", "new"), became("open", "solved")),
            audit(10, became("open", "open")),
        ],
    }
    facts = vendor.facts("tickets").filter(pl.col("event_type") != "ticket.created")
    assert facts.select("event_type", "status").rows() == [
        ("ticket.status_entered", "new"),
        ("ticket.status_entered", "open"),
    ]


def test_audits_that_come_in_another_order_say_the_same(vendor: Vendor) -> None:
    audits = [audit(0, became("new")), audit(5, became("solved", "new")), audit(9, became("open", "solved"))]
    vendor.answers |= {"tickets": [ticket()], "audits": audits}
    in_order = vendor.facts("tickets")
    vendor.answers["audits"] = audits[::-1]
    assert vendor.facts("tickets").equals(in_order)
    assert "ticket.reopened" in in_order["event_type"].to_list()


@pytest.mark.parametrize(("tags", "solved"), [([], 1), (["closed_by_merge"], 0)], ids=["closed", "merged"])
def test_a_ticket_closed_without_being_solved_counts_as_solved_unless_merged(
    vendor: Vendor, tags: list[str], solved: int
) -> None:
    closing = [audit(0, became("new")), audit(5, became("closed", "new"))]
    vendor.answers |= {"tickets": [ticket(tags=tags)], "audits": closing}
    types = vendor.facts("tickets")["event_type"].to_list()
    assert (types.count("ticket.solved"), types.count("ticket.closed")) == (solved, 1)


def test_a_restored_ticket_has_no_gap_in_its_life(vendor: Vendor) -> None:
    vendor.answers |= {
        "tickets": [ticket()],
        "audits": [
            audit(0, became("solved")),
            audit(5, became("deleted", "solved")),
            audit(9, became("solved", "deleted")),
        ],
    }
    types = vendor.facts("tickets")["event_type"].to_list()
    assert types == ["ticket.created", "ticket.solved", "ticket.status_entered"]


def test_before_the_first_known_change_a_priority_was_what_it_was_changed_from(vendor: Vendor) -> None:
    vendor.answers |= {
        "tickets": [ticket(priority="urgent")],
        "audits": [audit(0, became("new")), audit(5, became("urgent", "low", field="priority"))],
    }
    assert vendor.facts("tickets")["priority"].to_list() == ["low", "low"]


def test_a_priority_that_never_changed_is_todays(vendor: Vendor) -> None:
    vendor.answers |= {"tickets": [ticket(priority="high")], "audits": [audit(0, became("new"))]}
    assert vendor.facts("tickets")["priority"].to_list() == ["high", "high"]


def test_a_ticket_without_any_history_was_created(vendor: Vendor) -> None:
    vendor.answers["tickets"] = [ticket()]
    assert vendor.facts("tickets").select("event_type", "priority", "channel", "occurred_at").rows() == [
        ("ticket.created", "normal", "email", datetime(2026, 3, 2, 9, tzinfo=UTC))
    ]


def test_times_that_are_none_quarantine_their_ticket_alone(vendor: Vendor) -> None:
    vendor.answers |= {
        "tickets": [ticket(id=4, created_at="yesterday"), ticket(), ticket(id=6)],
        "audits": [audit(0, became("new")), audit(0, became("new"), ticket_id=6, created_at=None)],
    }
    assert vendor.problems("tickets") == [
        ("4", "created_at: not a time (yesterday)"),
        ("6", "created_at of audit 100: not a time (nothing)"),
    ]


def test_a_revision_from_the_future_does_not_outlive_later_ones(vendor: Vendor) -> None:
    vendor.answers["tickets"] = [ticket(generated_timestamp=int(datetime(2062, 1, 1, tzinfo=UTC).timestamp()))]
    assert [record.revision for record in vendor.records("tickets")] == [NOW]


def rating(score: str | None, updated: str = "2026-03-05T09:00:00Z", **different: Any) -> dict[str, Any]:
    usual = {"id": 11, "ticket_id": 5, "requester_id": CUSTOMER, "created_at": "2026-03-04T09:00:00Z"}
    return {**usual, "score": score, "updated_at": updated, "comment": "Gracias, Marta", **different}


def test_two_rows_about_one_ticket_are_one_survey_with_the_newest_answer(vendor: Vendor) -> None:
    offered = rating("offered", updated="2026-03-04T09:00:00Z")
    answered = rating("bad", id=12, created_at="2026-03-05T09:00:00Z")
    for rows in ([offered, answered], [answered, offered]):
        vendor.answers["satisfaction_ratings"] = rows
        facts = vendor.facts("satisfaction_ratings")
        assert facts.select("event_type", "subject_id", "account_id", "rating", "occurred_at").rows() == [
            ("survey.sent", "5", "7", None, datetime(2026, 3, 4, 9, tzinfo=UTC)),
            ("survey.answered", "5", "7", "bad", datetime(2026, 3, 5, 9, tzinfo=UTC)),
        ]


def test_a_ticket_whose_rating_was_not_asked_for_states_nothing(vendor: Vendor) -> None:
    vendor.answers["satisfaction_ratings"] = [rating("unoffered")]
    assert vendor.facts("satisfaction_ratings").is_empty()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (rating("great"), "score: neither offered nor good nor bad (great)"),
        (rating(None), "score: neither offered nor good nor bad (nothing)"),
        (rating("good", updated="soon"), "created_at or updated_at: not a time"),
    ],
)
def test_a_strange_rating_is_quarantined(vendor: Vendor, row: dict[str, Any], problem: str) -> None:
    vendor.answers["satisfaction_ratings"] = [row]
    assert vendor.problems("satisfaction_ratings") == [("5/11", problem)]


def response(number: str, *answers: dict[str, Any], ticket_id: int | None = 5) -> dict[str, Any]:
    """A response of 3 July 2024, 13:04:44.176 UTC."""
    subjects = [{"id": "c", "type": "conversation", "zrn": "zen:conversation:c"}]
    subjects += [{"id": str(ticket_id), "type": "ticket", "zrn": f"zen:ticket:{ticket_id}"}] if ticket_id else []
    return {
        "id": f"01J1WB51MG6HXTYWE6Q0C93RN{number}",
        "answers": list(answers),
        "responder_id": 7,
        "subjects": subjects,
    }


def answer(rating: int | None, category: str | None, hour: int = 12, **different: Any) -> dict[str, Any]:
    time = f"2024-07-05T{hour}:00:00.000Z"
    question = {"id": "q", "type": "rating_scale_numeric", "sub_type": "customer_satisfaction"}
    usual = {"type": "rating_scale", "question": question, "created_at": time, "updated_at": time}
    return {**usual, "rating": rating, "rating_category": category, **different}


def test_a_survey_was_sent_when_its_id_was_made(vendor: Vendor) -> None:
    vendor.answers["survey_responses"] = [response("W")]
    facts = vendor.facts("survey_responses", since=None)
    assert facts.select("event_type", "subject_id", "occurred_at", "source_url").rows() == [
        (
            "survey.sent",
            "01J1WB51MG6HXTYWE6Q0C93RNW",
            datetime(2024, 7, 3, 13, 4, 44, 176_000, tzinfo=UTC),
            "https://agencia.zendesk.com/agent/tickets/5",
        )
    ]


def test_an_answer_is_how_satisfied_the_customer_was_and_no_other_question(vendor: Vendor) -> None:
    effort = answer(1, "bad", question={"sub_type": "customer_effort"})
    skipped = {"type": "skipped", "question": {"sub_type": "customer_satisfaction"}, "updated_at": AT_NINE}
    remark = {"type": "open_ended", "question": {"type": "open_ended"}, "value": "Marta", "updated_at": AT_NINE}
    vendor.answers["survey_responses"] = [response("W", effort, answer(4, "good"), remark), response("X", skipped)]
    answered = vendor.facts("survey_responses", since=None).filter(pl.col("event_type") == "survey.answered")
    assert answered.select("rating", "score", "occurred_at").rows() == [
        ("good", 4, datetime(2024, 7, 5, 12, tzinfo=UTC))
    ]


def test_a_neutral_answer_has_its_score_alone(vendor: Vendor) -> None:
    vendor.answers["survey_responses"] = [response("W", answer(3, "neutral"))]
    answered = vendor.facts("survey_responses", since=None).filter(pl.col("event_type") == "survey.answered")
    assert answered.select("rating", "score").rows() == [(None, 3)]


def test_each_survey_of_a_ticket_is_one(vendor: Vendor) -> None:
    vendor.answers["survey_responses"] = [response("W", answer(5, "good")), response("X")]
    facts = vendor.facts("survey_responses")
    assert facts["event_type"].to_list().count("survey.sent") == 2
    assert "filter[created_at_start]" in vendor.queries[0]


def test_a_response_about_a_conversation_stands_for_itself(vendor: Vendor) -> None:
    vendor.answers["survey_responses"] = [response("W", answer(5, "good"), ticket_id=None)]
    for since in (None, SINCE):
        facts = vendor.facts("survey_responses", since=since)
        assert facts.select("record_key", "source_url").unique().rows() == [
            ("response:01J1WB51MG6HXTYWE6Q0C93RNW/01J1WB51MG6HXTYWE6Q0C93RNW", None)
        ]


@pytest.mark.parametrize(
    ("responses", "problem"),
    [
        ([response("U")], "id: not a ULID (01J1WB51MG6HXTYWE6Q0C93RNU)"),
        ([response("W", answer(5, "good", updated_at="soon"))], "updated_at of an answer: not a time"),
        ([response("W", answer(None, None))], "answers: a rating without rating and rating_category"),
    ],
)
def test_a_strange_response_is_quarantined(vendor: Vendor, responses: list[dict[str, Any]], problem: str) -> None:
    vendor.answers["survey_responses"] = responses
    assert vendor.problems("survey_responses", since=None) == [(f"5/{responses[0]['id']}", problem)]


def test_channels_are_told_in_the_organisations_words() -> None:
    account = Account("agencia", "zendesk", "Europe/Madrid")
    options = ZendeskOptions(subdomain="agencia", channels={"api": "portal"})
    stream = ZENDESK.streams(account, options)[0]
    rows = [{"record_key": str(n), "id": str(n), "channel": via} for n, via in enumerate(("voice", "api", "web"))]
    empty = pl.DataFrame(schema={"record_key": pl.String, "revision": pl.Datetime, **dict(stream.payload)})
    frame = pl.concat([empty, pl.DataFrame(rows).with_columns(created_at=pl.lit(AT_NINE))], how="diagonal")
    facts = stream.facts(frame.lazy()).collect().sort("subject_id")
    assert facts["channel"].to_list() == ["phone", "portal", "web"]


# --- service levels ---------------------------------------------------------------------------------------------------


def measured(kind: str, minute: int, metric: str = "reply_time", instance: int = 1, **more: Any) -> dict[str, Any]:
    time = (datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=minute)).isoformat()
    return {"id": 900 + minute, "metric": metric, "instance_id": instance, "type": kind, "time": time, **more}


def target(minutes: int | None) -> dict[str, Any]:
    return {"sla": {"target": minutes, "business_hours": False}}


APPLIED, BREACHED = measured("apply_sla", 0, **target(30)), measured("breach", 30)


@pytest.mark.parametrize(
    ("case", "events", "expected"),
    [
        ("kept", [APPLIED], True),
        ("broken", [APPLIED, BREACHED], False),
        ("nothing promised", [], None),
        ("broken after the reply", [APPLIED, measured("breach", 61)], True),
        ("taken back", [APPLIED, {**BREACHED, "deleted": True}, measured("apply_sla", 40, **target(90))], True),
        ("promised after the reply", [measured("apply_sla", 61, **target(30)), measured("breach", 62)], None),
        ("the promise was withdrawn", [APPLIED, measured("apply_sla", 40, sla=None)], None),
        ("of a later reply", [APPLIED, measured("breach", 50, instance=2)], True),
        ("of another time", [APPLIED, measured("breach", 50, "periodic_update_time")], True),
    ],
)
def test_a_first_reply_is_judged_by_what_was_in_force_then(
    vendor: Vendor, case: str, events: list[dict[str, Any]], expected: bool | None
) -> None:
    by_metric: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_metric.setdefault(event["metric"], []).append(event)
    vendor.sla = True
    vendor.answers |= {
        "tickets": [ticket(metric_events=by_metric)],
        "audits": [audit(0, became("new")), audit(60, comment(AGENT))],
    }
    replies = vendor.facts("tickets").filter(pl.col("event_type") == "ticket.first_replied")
    assert replies["is_within_sla"].to_list() == [expected]


def test_a_solution_keeps_its_promise_where_none_of_its_times_was_broken(vendor: Vendor) -> None:
    def waiting(kind: str, minute: int, instance: int = 1, **more: Any) -> dict[str, Any]:
        return measured(kind, minute, "requester_wait_time", instance, **more)

    work = [measured("apply_sla", 0, "agent_work_time", **target(500))]
    wait = [waiting("apply_sla", 0, **target(30)), waiting("breach", 90), waiting("apply_sla", 120, 2, **target(60))]
    vendor.sla = True
    vendor.answers |= {
        "tickets": [ticket(metric_events={"agent_work_time": work, "requester_wait_time": wait})],
        "audits": [
            audit(0, became("new")),
            audit(60, became("solved", "new")),
            audit(80, became("open", "solved")),
            audit(100, became("solved", "open")),
            audit(120, became("open", "solved")),
            audit(150, became("solved", "open")),
        ],
    }
    solved = vendor.facts("tickets").filter(pl.col("event_type") == "ticket.solved").sort("occurred_at")
    assert solved["is_within_sla"].to_list() == [True, False, True]
