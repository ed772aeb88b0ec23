"""Jira against its stand-in: what tickets and customers' satisfaction state, reading by reading."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest
import yaml
from crm_office import Answer
from helpdesk_office import Exchange, Office, at, changes, company, ticket

from pipelines.jira import JIRA, JiraOptions
from pipelines.sandbox import jira as stand_in
from pipelines.sandbox.company import estate_agency
from pipelines.sandbox.jira import Move

HOUR = timedelta(hours=1)
WORDS = {
    "Waiting for support": "new",
    "In progress": "open",
    "Waiting for customer": "pending",
    "Resolved": "solved",
    "Closed": "closed",
}
OPTIONS = JiraOptions(
    site="agencia",
    projects=("SUP",),
    solved=("Resolved",),
    closed=("Closed",),
    statuses=WORDS,
    channels={"jira": "phone"},
    surveys=False,
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, JIRA, OPTIONS, stand_in)


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
COLUMNS = ("event_type", "status", "priority", "channel", "occurred_at")


def paths(office: Office) -> list[str]:
    return [one.path for one in office.exchanges]


# A ticket's life


def test_a_tickets_life_is_stated_in_full_by_the_first_reading(office: Office) -> None:
    office.load(company(ticket()), at(20))
    assert office.said(*COLUMNS) == LIFE
    assert set(office.said("subject_id", "account_id", "source_url")) == {
        ("1", f"{stand_in.records.CUSTOMER}71", "https://agencia.atlassian.net/issues/?jql=id%3D1")
    }


def test_later_readings_state_the_same_life_and_withdraw_nothing(office: Office) -> None:
    for day in (2, 3, 5, 20):
        office.load(company(ticket()), at(day, 20))
    assert office.said(*COLUMNS) == LIFE
    assert office.withdrawn().is_empty()


def test_who_did_it_is_known_and_automations_are_among_them(office: Office) -> None:
    office.load(company(ticket()), at(20))
    actors = dict(office.facts().filter(pl.col("status").is_null()).select("event_type", "actor").rows())
    agent = stand_in.records.AGENTS[1]
    assert actors == {
        "ticket.created": None,
        "ticket.first_replied": agent,
        "ticket.solved": agent,
        "ticket.closed": stand_in.records.AUTOMATION,
    }


def test_each_fact_has_the_priority_of_its_time(office: Office) -> None:
    raised = ticket(priority=changes((at(2), "low"), (at(2, 10), "urgent"), (at(5), "normal")))
    office.load(company(raised), at(20))
    priorities = dict(office.facts().filter(pl.col("status").is_null()).select("event_type", "priority").rows())
    assert priorities == {
        "ticket.created": "low",
        "ticket.first_replied": "low",
        "ticket.solved": "urgent",
        "ticket.closed": "normal",
    }


def test_a_reopened_ticket_is_solved_again(office: Office) -> None:
    again = ticket(
        status=changes((at(2), "new"), (at(3), "solved"), (at(4), "open"), (at(5), "solved"), (at(9), "closed"))
    )
    office.load(company(again), at(20))
    ends = ["ticket.solved", "ticket.reopened", "ticket.closed"]
    assert office.facts().filter(pl.col("event_type").is_in(ends)).select("event_type", "occurred_at").rows() == [
        ("ticket.solved", at(3)),
        ("ticket.reopened", at(4)),
        ("ticket.solved", at(5)),
        ("ticket.closed", at(9)),
    ]


def test_a_ticket_closed_without_being_solved_is_solved_by_that_unless_its_resolution_says_otherwise(
    office: Office,
) -> None:
    office.load(company(ticket(status=changes((at(2), "new"), (at(4), "closed")))), at(20))
    assert office.said("occurred_at", of="ticket.solved") == [(at(4),)]
    office.with_options(unsolved_resolutions=("Duplicate",))
    office.understand(at(21))
    assert (office.said(of="ticket.solved"), len(office.said("occurred_at", of="ticket.closed"))) == ([], 1)


@pytest.mark.parametrize(
    ("options", "solved", "closed"),
    [
        ({"solved": ("category:done",), "closed": ()}, [at(3)], []),
        ({"solved": ("10004",), "closed": ("10005",)}, [at(3)], [at(7)]),
        ({"solved": ("Resolved",), "closed": ("category:done",)}, [at(3)], [at(7)]),
        ({"solved": ("In progress",), "closed": ("category:done",)}, [at(2, 9, 40)], [at(3)]),
    ],
)
def test_statuses_mean_what_the_options_say_by_name_by_id_or_by_category(
    office: Office, options: dict[str, tuple[str, ...]], solved: list[datetime], closed: list[datetime]
) -> None:
    office.with_options(**options)
    office.load(company(ticket()), at(20))
    assert [one for (one,) in office.said("occurred_at", of="ticket.solved")] == solved
    assert [one for (one,) in office.said("occurred_at", of="ticket.closed")] == closed


def test_a_project_that_does_not_exist_is_refused(office: Office) -> None:
    office.with_options(projects=("NOPE",))
    assert "HTTP 404" in str(office.load(company(ticket()), at(20))["tickets"].failure)


# First replies


def test_notes_automations_and_customers_do_not_reply(office: Office) -> None:
    with_note = ticket(4)  # a note and an automatic comment half-way, beside the customer's own
    office.load(company(with_note), at(20), customers_comments=3)
    assert office.said("occurred_at", "actor", of="ticket.first_replied") == [
        (at(2, 9, 40), stand_in.records.AGENTS[4 % 3])
    ]
    assert not [path for path in paths(office) if path.endswith("/comment")]


def test_a_reply_behind_more_comments_than_the_search_gives_is_found(office: Office) -> None:
    office.load(company(ticket()), at(20), customers_comments=130)
    assert office.said("occurred_at", of="ticket.first_replied") == [(at(2, 9, 40),)]
    assert paths(office).count("/rest/api/3/issue/1/comment") == 2


def test_the_reporters_own_words_are_no_reply_even_where_they_work_for_the_company(office: Office) -> None:
    def colleague(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith("search/jql") or b'"comment"' not in exchange.answer:
            return None
        content = exchange.content
        for one in content["issues"]:
            one["fields"]["reporter"] = {"accountId": stand_in.records.AGENTS[1], "accountType": "atlassian"}
        return 200, {}, orjson.dumps(content)

    office.load(company(ticket()), at(20), colleague)
    assert "ticket.first_replied" not in office.counts()


# Moves, and what is gone


def test_an_issue_keeps_its_identity_when_it_moves_and_changes_its_key(office: Office) -> None:
    office.with_options(projects=("SUP", "OPS"), category="project")
    moves = [Move(1, at(5), "OPS", "SUP")]
    office.load(company(ticket()), at(4), moves=moves)
    before = office.said("fact_id", of="ticket.created")
    office.load(company(ticket()), at(20), moves=moves)
    assert office.said("fact_id", of="ticket.created") == before
    categories = office.facts().filter(pl.col("status").is_null()).select("event_type", "category").rows()
    assert categories == [
        ("ticket.created", "Operaciones"),
        ("ticket.first_replied", None),
        ("ticket.solved", "Operaciones"),
        ("ticket.closed", "Soporte"),
    ]


def test_an_issue_that_moves_here_counts_from_the_move_on_and_changes_no_day_before(office: Office) -> None:
    """Ten items, three of them done; an eleventh one appears, so that 30 % become 27 % from that day on."""
    done = changes((at(2), "new"), (at(3), "solved"))
    ten = [ticket(n, status=done if n <= 3 else changes((at(2), "new"))) for n in range(1, 11)]
    eleventh = ticket(11, status=changes((at(2), "new")), first_reply_at=None)
    moves = [Move(11, at(9), "OPS", "SUP")]

    def share(by: datetime) -> tuple[int, int]:
        facts = office.facts().filter(pl.col("occurred_at") <= by)
        return tuple(facts.filter(pl.col("event_type") == kind).height for kind in ("ticket.solved", "ticket.created"))  # type: ignore[return-value]

    office.load(company(*ten, eleventh), at(8), moves=moves)
    assert share(at(8)) == (3, 10)
    office.load(company(*ten, eleventh), at(10), moves=moves)
    assert (share(at(8)), share(at(10))) == ((3, 10), (3, 11))
    assert office.said("occurred_at", "status", of="ticket.status_entered")[-1] == (at(9), "new")
    assert office.withdrawn().is_empty()


def test_an_issue_that_moves_away_takes_its_facts_along(office: Office) -> None:
    office.with_options(surveys=True)
    moves = [Move(1, at(5), "SUP", "OPS")]
    rated = company(ticket(rating=changes((at(4), "good"))), ticket(2))
    office.load(rated, at(4, 20), moves=moves)
    assert office.counts()["survey.answered"] == 1
    office.load(rated, at(20), moves=moves)
    assert {subject for (subject,) in office.said("subject_id")} == {"2"}
    assert "survey.answered" not in office.counts()


def test_a_deleted_issue_leaves_nothing_in_jira_and_is_missed(office: Office) -> None:
    office.with_options(surveys=True)
    gone = ticket(deleted_at=at(10), rating=changes((at(4), "good")))
    tickets = company(gone, *(ticket(n) for n in range(2, 40)))
    office.load(tickets, at(9))
    assert office.counts()["survey.answered"] == 1
    office.load(tickets, at(11))
    assert "1" not in {subject for (subject,) in office.said("subject_id")}
    assert office.counts()["ticket.created"] == 38
    assert len(office.exchanges) <= 16  # no request for each of those that are held


def test_what_was_deleted_before_the_first_reading_is_never_stated(office: Office) -> None:
    office.load(company(ticket(deleted_at=at(10))), at(20))
    assert office.facts().is_empty()


# Satisfaction


def test_an_answer_that_was_changed_corrects_the_fact(office: Office) -> None:
    office.with_options(surveys=True)
    unhappy = company(ticket(rating=changes((at(5), "bad"), (at(14), "good"))), ticket(2))
    said = []
    for now in (at(6), at(15)):
        office.load(unhappy, now)
        said.append(office.said("fact_id", "subject_id", "rating", "score", "occurred_at", of="survey.answered"))
    fact = said[0][0][0]
    assert said == [[(fact, "1", "bad", 1, at(5))], [(fact, "1", "good", 5, at(14))]]


def test_only_requests_with_an_answer_are_asked_for_it(office: Office) -> None:
    office.with_options(surveys=True)
    rated = company(*(ticket(n, rating=changes((at(5), "good")) if n < 4 else ()) for n in range(1, 50)))
    office.load(rated, at(6))
    assert len([path for path in paths(office) if path.endswith("/feedback")]) == 3
    office.load(rated, at(7))
    assert not [path for path in paths(office) if path.endswith("/feedback")]


@pytest.mark.parametrize(("score", "rating"), [(1, "bad"), (2, "bad"), (3, None), (4, "good"), (5, "good")])
def test_a_score_is_good_from_four_on_and_bad_up_to_two(office: Office, score: int, rating: str | None) -> None:
    office.with_options(surveys=True)

    def scored(exchange: Exchange) -> Answer | None:
        body = orjson.dumps({"type": "csat", "rating": score})
        return (200, {}, body) if exchange.path.endswith("/feedback") else None

    office.load(company(ticket(rating=changes((at(5), "good")))), at(20), scored)
    assert office.said("rating", "score", of="survey.answered") == [(rating, score)]


@pytest.mark.parametrize(("when", "asked"), [("solved", at(3)), ("closed", at(7))])
def test_a_survey_was_sent_when_the_project_is_said_to_send_it(office: Office, when: str, asked: datetime) -> None:
    office.with_options(surveys=True)
    assert "survey.sent" not in office.source.streams()[0].feeds
    office.with_options(survey_sent=when)
    for day in (4, 8):
        office.load(company(ticket()), at(day))
    assert office.said("subject_id", "occurred_at", of="survey.sent") == [("1", asked)]


def test_a_site_without_service_management_says_what_to_do(office: Office) -> None:
    office.with_options(surveys=True)

    def plain(exchange: Exchange) -> Answer | None:
        return (200, {}, orjson.dumps([{"id": "status"}])) if exchange.path.endswith("/field") else None

    loads = office.load(company(ticket()), at(20), plain)
    assert loads["tickets"].failure is None
    assert "`surveys: false`" in str(loads["satisfaction"].failure)
    office.with_options(surveys=False)
    assert list(office.load(company(ticket()), at(21), plain)) == ["tickets"]


# Service levels


def test_whether_the_service_level_was_kept_is_said_of_each_solving_and_of_the_reply(office: Office) -> None:
    office.with_options(sla="Time to resolution")
    again = changes((at(2), "new"), (at(3), "solved"), (at(4), "open"), (at(14), "solved"))
    silent = ticket(3, status=changes((at(2), "new")), first_reply_at=None)
    desk = company(ticket(status=again), ticket(2, status=changes((at(2), "new"))), silent)
    office.load(desk, at(20))
    assert office.said("occurred_at", "is_within_sla", of="ticket.solved") == [(at(3), True), (at(14), False)]
    assert office.said("is_within_sla", of="ticket.first_replied") == [(None,), (None,)]
    assert [path for path in paths(office) if path.endswith("/sla")] == ["/rest/servicedeskapi/request/1/sla"]
    office.with_options(reply_sla="Time to first response")
    office.load(desk, at(21))
    assert office.said("subject_id", "is_within_sla", of="ticket.first_replied") == [("1", True), ("2", True)]
    assert len([path for path in paths(office) if path.endswith("/sla")]) == 2


# Options


def test_the_example_of_the_options_is_whole_and_right() -> None:
    example = yaml.safe_load((JiraOptions.__doc__ or "").split("::", 1)[1])
    assert set(example) == set(JiraOptions.model_fields)
    options = JiraOptions.model_validate(example)
    assert options.scope == 'project in ("SUP") AND issuetype in ("Service Request", "Incident")'


def test_names_are_quoted_in_the_query() -> None:
    options = OPTIONS.model_copy(update={"issue_types": ('A "b" \\ c',)})
    assert options.scope == 'project in ("SUP") AND issuetype in ("A \\"b\\" \\\\ c")'


def test_types_that_are_no_tickets_are_left_out(office: Office) -> None:
    for types, count in ({"issue_types": ("Bug",)}, 0), ({"issue_types": ("Service Request",)}, 1):
        office.with_options(**types)
        reading = office.first(office.served(company(ticket()), at(20)), "tickets", at(20))
        assert (reading.failure, len(reading.records)) == (None, count)
    office.with_options(request_types=("Get help",))
    assert len(office.first(office.served(company(ticket()), at(20)), "tickets", at(20)).records) == 1


def test_more_that_is_asked_for_reads_everything_again_and_less_takes_it_away(office: Office) -> None:
    moves = [Move(2, at(2, 8), "SUP", "OPS")]
    both = company(ticket(), ticket(2))
    office.load(both, at(20), moves=moves)
    office.with_options(projects=("SUP", "OPS"))
    office.load(both, at(21), moves=moves)
    assert {subject for (subject,) in office.said("subject_id")} == {"1", "2"}
    office.with_options(projects=("OPS",))
    office.load(both, at(22), moves=moves)
    assert {subject for (subject,) in office.said("subject_id")} == {"2"}


def test_the_customer_can_be_an_organisation(office: Office) -> None:
    office.with_options(surveys=True)
    office.with_options(customer=stand_in.records.ORGANIZATIONS)
    office.load(company(ticket(rating=changes((at(5), "good")))), at(20))
    assert office.said("account_id", of="ticket.solved") == [(str(71 % 7 + 1),)]
    assert office.said("account_id", of="survey.answered") == [(None,)]


# Again, and later


def test_a_second_reading_fetches_only_what_changed(office: Office) -> None:
    office.with_options(surveys=True)
    many = company(*(ticket(n) for n in range(1, 251)), ticket(300, status=changes((at(2), "new"), (at(30), "solved"))))
    first = office.load(many, at(29))
    again = office.load(many, at(31))
    assert (first["tickets"].inserted, again["tickets"].delivered, again["tickets"].inserted) == (251, 1, 1)
    assert len(office.exchanges) == 11  # three and three that open the site, three and two that walk it


def test_a_reading_that_is_repeated_stores_and_states_nothing(office: Office) -> None:
    office.with_options(surveys=True)
    rated = company(*(ticket(n, rating=changes((at(5), "good"))) for n in range(1, 6)))
    office.load(rated, at(7))
    before = office.statements().collect()
    again = office.load(rated, at(7, 9, 30))
    assert [load.inserted for load in again.values()] == [0, 0]
    assert office.statements().collect().equals(before)


def test_every_reading_says_what_it_covered(office: Office) -> None:
    first = office.load(company(ticket()), at(20))
    again = office.load(company(ticket()), at(21))
    assert {load.covered.start for load in first.values() if load.covered} == {None}
    assert {(load.covered.start, load.covered.end) for load in again.values() if load.covered} == {
        (at(20) - HOUR, at(21))
    }


def test_the_agencys_half_year_comes_out_as_it_was(office: Office) -> None:
    office.with_options(surveys=True)
    agencys = estate_agency(7, date(2025, 9, 1), date(2026, 2, 20))
    first, last = datetime(2026, 1, 31, 22, tzinfo=at(1).tzinfo), datetime(2026, 2, 20, 22, tzinfo=at(1).tzinfo)
    for now in (first, first + timedelta(days=10), last):
        loads = office.load(agencys, now)
        assert not [load.failure for load in loads.values() if load.failure]
    alive = [t for t in agencys.tickets if t.created_at <= last and (t.deleted_at is None or t.deleted_at > last)]
    statuses = [change for t in alive for change in t.status if change.at <= last]
    assert len(alive) > 100
    assert dict(office.counts()) == {
        "survey.answered": sum(bool(one.rating) and one.rating[0].at <= last for one in alive),
        "ticket.closed": sum(change.value == "closed" for change in statuses),
        "ticket.created": len(alive),
        "ticket.first_replied": sum(bool(one.first_reply_at) and one.first_reply_at <= last for one in alive),
        "ticket.reopened": sum(
            now.value == "open" and was.value == "solved"
            for one in alive
            for was, now in zip(one.status, one.status[1:], strict=False)
            if now.at <= last
        ),
        "ticket.solved": sum(change.value == "solved" for change in statuses),
        "ticket.status_entered": len(statuses),
    }
    assert office.quarantined() == []


# Who may read, and what is kept


@pytest.mark.parametrize("wrong", ["api_token", "email"])
def test_wrong_credentials_name_the_setting_and_nothing_secret(office: Office, wrong: str) -> None:
    office.configure(**{wrong: "canary-of-the-wrong-one"})
    for load in office.load(company(ticket()), at(20)).values():
        assert load.covered is None
        assert f"sources.agencia.jira.{wrong}" in str(load.failure)
        assert "canary" not in str(load.failure)


def test_missing_credentials_name_the_setting_its_variable_and_its_file(office: Office) -> None:
    office.configure(api_token=None)
    failure = str(office.load(company(ticket()), at(20))["tickets"].failure)
    assert "sources.agencia.jira.api_token is not set" in failure
    assert "SOURCES__AGENCIA__JIRA__API_TOKEN" in failure


def test_the_streams_of_an_account_open_nothing(office: Office) -> None:
    office.with_options(surveys=True)
    office.configure(api_token=None, email=None)
    assert [stream.name for stream in office.source.streams()] == ["tickets", "satisfaction"]


def test_no_personal_data_is_stored(office: Office) -> None:
    office.with_options(surveys=True)
    office.with_options(sla="Time to resolution")
    office.load(company(ticket(4, rating=changes((at(5), "good")))), at(20), customers_comments=2)
    stored = office.stored()
    assert f"{stand_in.records.CUSTOMER}74" in stored
    for personal in ("Marta", "600 123", "@", "Consulta", "Gracias", "Hola", "SUP-"):
        assert personal not in stored


def test_what_is_kept_of_a_ticket_and_an_answer_is_exactly_this(office: Office) -> None:
    office.with_options(surveys=True)
    office.with_options(sla="Time to resolution")
    life = ticket(
        priority=changes((at(2), "low"), (at(2, 10), "high")),
        rating=changes((at(5), "good")),
        created_at=at(2, 8),
        status=(replace(ticket().status[0], at=at(2, 8)), *ticket().status[1:]),
    )
    moves = [Move(1, at(2, 11), "OPS", "SUP")]
    office.load(company(life), at(20), moves=moves)
    of_ticket, of_answer = (orjson.loads(line) for line in office.stored().splitlines())
    now = {"status", "priority", "issuetype", "project", "channel", "reporter", "customer"}
    told = {"id", "created_at", "entered_at", "is_moved_here", "statuses", "steps", "levels"}
    assert set(of_ticket) == now | told  # the first reply was before the ticket came here
    assert set(of_answer) == {"id", "reporter", "rating", "answered_at"}
    changed = {"status", "was_status", "priority", "was_priority", "project", "was_project", "resolution"}
    assert set().union(*of_ticket["steps"]) == {"id", "at", "by"} | changed
    assert {name for one in of_ticket["levels"] for name in one} == {"of", "stopped_at", "is_breached"}


def test_whose_a_record_is_and_whom_it_mentions_is_known_for_an_erasure(office: Office) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket(rating=changes((at(5), "good")))), at(20))
    customer, agent = f"{stand_in.records.CUSTOMER}71", stand_in.records.AGENTS[1]
    named, theirs = [], []
    for stream in office.source.streams():
        rows = office.rows(stream.name).select("record_key", "payload").rows()
        for key, text in rows:
            payload = orjson.loads(text)
            named.append({id_ for _, id_ in stream.people.named(key, payload)})
            theirs.append(stream.people.is_theirs(key, payload, lambda kind, id_: (kind, id_) == ("user", customer)))
            left = stream.people.without(payload, lambda kind, id_: (kind, id_) == ("user", agent))
            assert agent not in orjson.dumps(left).decode()
    assert named == [{customer, agent, stand_in.records.AUTOMATION}, {customer}]
    assert theirs == [True, True]


def test_a_reading_knows_of_a_change_that_the_search_learns_of_late(office: Office) -> None:
    lag = timedelta(minutes=10)
    early, late = (
        ticket(),
        ticket(2, created_at=at(8), status=changes((at(8), "new")), priority=changes((at(8), "low"))),
    )
    times = (at(7, 20), at(8, 9, 5), at(8, 9, 40))
    inserted = [office.load(company(early, late), now, search_lag=lag)["tickets"].inserted for now in times]
    assert inserted == [1, 0, 1]


def test_an_issue_that_the_search_has_lost_for_a_moment_is_not_taken_for_gone(office: Office) -> None:
    """It moved here minutes ago: the search still has it elsewhere, and only asked for by itself is it here."""
    moves = [Move(1, at(8), "SUP", "OPS"), Move(1, at(9, 8, 55), "OPS", "SUP")]
    office.load(company(ticket(), ticket(2)), at(7), moves=moves[:1])
    load = office.load(company(ticket(), ticket(2)), at(9), moves=[moves[1]], search_lag=timedelta(minutes=30))
    assert (load["tickets"].failure, office.counts()["ticket.created"]) == (None, 2)
    [asked] = [one for one in office.exchanges if one.path.endswith("/issue/bulkfetch")]
    assert orjson.loads(asked.body)["issueIdsOrKeys"] == ["1"]
