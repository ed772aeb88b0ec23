"""Freshdesk against its stand-in: what tickets and answers state, reading by reading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import yaml
from helpdesk_office import Exchange, Office, at, changes, company, ticket
from pydantic import ValidationError
from shop import code

from pipelines.freshdesk import FRESHDESK, FreshdeskOptions
from pipelines.ids import packed
from pipelines.sandbox import freshdesk as stand_in
from pipelines.sandbox.company import Company, Ticket, estate_agency, mail_address, value_at
from pipelines.source import Covered, Read

HOUR = timedelta(hours=1)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, FRESHDESK, FreshdeskOptions(subdomain="agencia", surveys=False), stand_in)


LIFE = [
    ("ticket.created", None, "normal", "phone", at(2)),
    ("ticket.status_entered", "open", "normal", None, at(2)),
    ("ticket.first_replied", None, "normal", "phone", at(2, 9, 40)),
    ("ticket.solved", None, "normal", None, at(3)),
    ("ticket.status_entered", "solved", "normal", None, at(3)),
    ("ticket.closed", None, "normal", None, at(7)),
    ("ticket.status_entered", "closed", "normal", None, at(7)),
]
COLUMNS = ("event_type", "status", "priority", "channel", "occurred_at")


def test_a_tickets_life_is_stated_as_it_goes_on(office: Office) -> None:
    for day in (2, 3, 7, 8):
        office.load(company(ticket()), at(day, 20))
    assert office.said(*COLUMNS) == LIFE
    assert set(office.said("subject_id", "account_id", "source_url")) == {
        ("1", "71", "https://agencia.freshdesk.com/a/tickets/1")
    }
    assert office.withdrawn().is_empty()


def test_a_first_reading_months_later_finds_the_times_that_freshdesk_keeps(office: Office) -> None:
    """Which status the ticket had at first is all that is lost."""
    office.load(company(ticket()), at(120))
    assert office.said(*COLUMNS) == [one for one in LIFE if one[1] != "open"]


def test_every_list_is_asked_for_since_some_time_as_thirty_days_come_otherwise(office: Office) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket()), at(120))
    asked = [one.query for one in office.exchanges if one.path == "/api/v2/tickets"]
    assert len(asked) == 5
    assert all("updated_since=" in query for query in asked)
    assert office.counts()["ticket.created"] == 1


def test_a_first_reply_that_the_ticket_does_not_tell_is_found_in_its_conversations(office: Office) -> None:
    untold = ticket(20)  # with a private note half-way to the reply, and the customer's own words
    office.load(company(ticket(), untold), at(20))
    replied = office.said("subject_id", "occurred_at", "actor", of="ticket.first_replied")
    agent = str(stand_in.records.AGENTS[20 % 3])
    assert replied == [("1", at(2, 9, 40), None), ("20", at(2, 9, 40), agent)]
    assert [one.path for one in office.exchanges if "conversations" in one.path] == ["/api/v2/tickets/20/conversations"]


def altered_stats(**times: Any) -> Any:
    def alter(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        if exchange.path != "/api/v2/tickets" or "filter" in exchange.query:
            return None
        content = exchange.content
        for one in content:
            one["stats"] |= times
        return 200, {}, orjson.dumps(content)

    return alter


@pytest.mark.parametrize(
    "times",
    [{"first_responded_at": None}, {"first_responded_at": "2026-03-02T09:00:00Z"}],
    ids=["none though somebody responded", "of the ticket's own creation"],
)
def test_a_first_response_that_is_none_sends_to_the_conversations(office: Office, times: dict[str, Any]) -> None:
    office.load(company(ticket()), at(20), altered_stats(**times))
    assert office.said("occurred_at", of="ticket.first_replied") == [(at(2, 9, 40),)]


def test_a_ticket_that_nobody_answered_costs_no_request_of_its_own(office: Office) -> None:
    silent = ticket(status=changes((at(2), "new")), first_reply_at=None)
    office.load(company(silent), at(20))
    assert not [one for one in office.exchanges if "conversations" in one.path]
    assert office.counts() == {"ticket.created": 1, "ticket.status_entered": 1}


def test_a_reopened_ticket_is_solved_twice_where_it_was_seen_in_between(office: Office) -> None:
    again = ticket(
        status=changes((at(2), "new"), (at(3), "solved"), (at(4), "open"), (at(5), "solved"), (at(9), "closed"))
    )
    for day in (2, 3, 4, 5, 9):
        office.load(company(again), at(day, 20))
    ends = ["ticket.solved", "ticket.reopened", "ticket.closed"]
    facts = office.facts().filter(pl.col("event_type").is_in(ends)).select("event_type", "occurred_at").rows()
    assert facts == [
        ("ticket.solved", at(3)),
        ("ticket.reopened", at(4)),
        ("ticket.solved", at(5)),
        ("ticket.closed", at(9)),
    ]
    entered = [("open", at(2)), ("solved", at(3)), ("open", at(4)), ("solved", at(5)), ("closed", at(9))]
    assert office.said("status", "occurred_at", of="ticket.status_entered") == entered


def test_what_was_undone_before_it_was_seen_is_not_known(office: Office) -> None:
    """Freshdesk empties the first time of solving; the reopening it keeps."""
    again = ticket(status=changes((at(2), "new"), (at(3), "solved"), (at(4), "open"), (at(5), "solved")))
    office.load(company(again), at(20))
    assert office.counts() == {
        "ticket.created": 1,
        "ticket.first_replied": 1,
        "ticket.reopened": 1,
        "ticket.solved": 1,
        "ticket.status_entered": 2,
    }
    assert office.said("occurred_at", of="ticket.solved") == [(at(5),)]


def test_a_ticket_seen_back_at_work_was_reopened_though_freshdesk_does_not_say_so(office: Office) -> None:
    back = ticket(status=changes((at(2), "new"), (at(3), "solved"), (at(4), "pending")))
    office.load(company(back), at(3, 20))
    office.load(company(back), at(4, 20), altered_stats(reopened_at=None))
    assert office.said("occurred_at", of="ticket.reopened") == [(at(4),)]


def test_a_ticket_closed_at_once_was_solved_by_that(office: Office) -> None:
    office.load(company(ticket(status=changes((at(2), "new"), (at(4), "closed")))), at(20))
    assert office.said("occurred_at", of="ticket.solved") == [(at(4),)]
    assert office.said("status", "occurred_at", of="ticket.status_entered") == [("closed", at(4))]


def test_a_fact_has_the_priority_of_the_first_sighting_that_shows_it(office: Office) -> None:
    raised = ticket(priority=changes((at(2), "low"), (at(2, 22), "urgent"), (at(5), "normal")))
    for day in (2, 4, 8):
        office.load(company(raised), at(day, 20))
    priorities = dict(office.facts().filter(pl.col("status").is_null()).select("event_type", "priority").rows())
    assert priorities == {
        "ticket.created": "low",
        "ticket.first_replied": "low",
        "ticket.solved": "urgent",
        "ticket.closed": "normal",
    }


def test_words_of_the_account_replace_the_vendors_numbers(office: Office) -> None:
    office.with_options(channels={3: "telefono"}, statuses={4: "resuelto"})
    office.load(company(ticket()), at(20))
    assert office.said("channel", of="ticket.created") == [("telefono",)]
    assert [status for (status,) in office.said("status", of="ticket.status_entered")] == ["resuelto", "closed"]


def test_the_customer_can_be_the_company(office: Office) -> None:
    office.with_options(surveys=True)
    office.with_options(account="company")
    office.load(company(ticket(rating=changes((at(5), "good")))), at(20))
    assert office.said("account_id", of="ticket.solved") == [(str(71 % 7 + 1),)]
    assert office.said("account_id", of="survey.answered") == [(None,)]


def test_whether_the_service_level_was_kept_is_said_where_it_is_wanted(office: Office) -> None:
    """A reply is due in a day, and a solution in three."""
    again = changes((at(2), "new"), (at(3), "solved"), (at(4), "open"), (at(14), "solved"))
    desk = company(ticket(status=again), ticket(2, first_reply_at=at(3, 12), status=changes((at(2), "new"))))
    for day in (3, 20):
        office.load(desk, at(day, 20))
    assert office.said("is_within_sla", of="ticket.solved") == [(None,), (None,)]
    office.with_options(sla=True)
    office.understand(at(21))
    assert office.said("occurred_at", "is_within_sla", of="ticket.solved") == [(at(3), True), (at(14), False)]
    assert office.said("subject_id", "is_within_sla", of="ticket.first_replied") == [("1", True), ("2", False)]


# What is deleted, and what comes back


@pytest.mark.parametrize("number", [1, 2], ids=["spam", "deleted"])
def test_a_ticket_that_is_gone_takes_all_its_facts_along_and_brings_them_back(office: Office, number: int) -> None:
    office.with_options(surveys=True)
    rated = {"rating": changes((at(4, 12), "good"))}
    gone = company(ticket(number, deleted_at=at(10), **rated), ticket(4, **rated))
    restored = company(
        ticket(number, priority=changes((at(2), "normal"), (at(12), "high")), **rated), ticket(4, **rated)
    )
    subjects = []
    for of, now in ((gone, at(9)), (gone, at(11)), (gone, at(11, 20)), (restored, at(13))):
        office.load(of, now)
        subjects.append(set(office.said("subject_id")))
    assert subjects == [{(str(number),), ("4",)}, {("4",)}, {("4",)}, {(str(number),), ("4",)}]
    assert office.counts()["survey.answered"] == 2


def test_what_was_deleted_before_the_first_reading_is_never_stated(office: Office) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket(deleted_at=at(10), rating=changes((at(4), "good")))), at(20))
    assert office.facts().is_empty()


# Answers


def test_an_answer_that_was_changed_corrects_the_fact(office: Office) -> None:
    office.with_options(surveys=True)
    unhappy = company(ticket(rating=changes((at(5), "bad"), (at(14), "good"))))
    said = []
    for now in (at(6), at(15)):
        office.load(unhappy, now)
        said.append(office.said("fact_id", "subject_id", "account_id", "rating", "score", of="survey.answered"))
    fact = said[0][0][0]
    assert said == [[(fact, "1", "71", "bad", 1)], [(fact, "1", "71", "good", 7)]]
    assert office.said("occurred_at", of="survey.answered") == [(at(14),)]


def test_a_neutral_answer_is_neither_good_nor_bad(office: Office) -> None:
    office.with_options(surveys=True)

    def neutral(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        rated = exchange.path.endswith("satisfaction_ratings")
        return (200, {}, exchange.answer.replace(b"-103", b"100")) if rated else None

    office.load(company(ticket(rating=changes((at(5), "bad")))), at(20), neutral)
    assert office.said("rating", "score", of="survey.answered") == [(None, 4)]


@pytest.mark.parametrize(("when", "asked"), [("solved", at(3)), ("closed", at(7))])
def test_a_survey_was_sent_when_the_account_is_said_to_send_it(office: Office, when: str, asked: datetime) -> None:
    office.with_options(surveys=True)
    assert "survey.sent" not in office.source.streams()[0].feeds
    office.with_options(survey_sent=when)
    assert "survey.sent" in office.source.streams()[0].feeds
    for day in (4, 8):
        office.load(company(ticket()), at(day))
    assert office.said("subject_id", "account_id", "occurred_at", of="survey.sent") == [("1", "71", asked)]


def test_a_plan_without_surveys_leaves_the_tickets_alone_and_says_what_to_do(office: Office) -> None:
    office.with_options(surveys=True)

    def refused(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        lacks = b'{"code":"require_feature","message":"The Surveys feature(s) is/are not supported in your plan."}'
        return (403, {}, lacks) if "surveys" in exchange.path else None

    loads = office.load(company(ticket()), at(20), refused)
    assert loads["tickets"].failure is None
    assert "`surveys: false`" in str(loads["satisfaction_ratings"].failure)
    office.with_options(surveys=False)
    assert list(office.load(company(ticket()), at(21))) == ["tickets"]


# Again, and later


def test_a_second_reading_fetches_only_what_changed(office: Office) -> None:
    office.with_options(surveys=True)
    many = company(*(ticket(n) for n in range(1, 251)), ticket(300, status=changes((at(2), "new"), (at(30), "solved"))))
    first = office.load(many, at(29))
    again = office.load(many, at(31))
    assert (first["tickets"].inserted, again["tickets"].delivered, again["tickets"].inserted) == (251, 1, 1)
    assert len(office.exchanges) == 7  # three lists, the answers, two lists of what is gone, one ticket's conversations


def test_a_reading_that_is_repeated_stores_and_states_nothing(office: Office) -> None:
    office.with_options(surveys=True)
    rated = company(*(ticket(n, rating=changes((at(5), "good"))) for n in range(1, 6)))
    office.load(rated, at(8))
    before = office.statements().collect()
    again = office.load(rated, at(8, 10))
    assert [load.inserted for load in again.values()] == [0, 0]
    assert office.statements().collect().equals(before)


def test_every_reading_says_what_it_covered(office: Office) -> None:
    office.with_options(surveys=True)
    first = office.load(company(ticket()), at(20))
    again = office.load(company(ticket()), at(21))
    assert first["tickets"].covered == Covered(None, at(20))
    assert first["satisfaction_ratings"].covered is not None
    assert first["satisfaction_ratings"].covered.start is None
    assert again["tickets"].covered == Covered(at(20) - HOUR, at(21))
    assert again["satisfaction_ratings"].covered == Covered(at(6), at(21), packed([]))


# What is archived: closed tickets that nothing was done to for 120 days are in no list


def test_what_an_archived_ticket_has_stated_stays(office: Office) -> None:
    office.with_options(surveys=True)
    one = company(ticket(rating=changes((at(5), "good"))), ticket(2, status=changes((at(2), "new"))))
    for day in (20, 100, 126, 128, 129):
        office.load(one, at(day))
    assert archive_asked(office.exchanges) == []
    assert office.said(*COLUMNS, of="ticket.closed") == [("ticket.closed", None, "normal", None, at(7))]
    assert office.counts()["survey.answered"] == 1
    assert office.withdrawn().is_empty()


OPEN = ticket(status=changes((at(2), "new")))
SOME = (
    ticket(),
    ticket(2, status=changes((at(2), "new"))),
    ticket(4, deleted_at=at(8)),
    ticket(5, rating=changes((at(6), "good"))),
    ticket(6, status=changes((at(2), "new"), (at(30), "solved"), (at(40), "closed"))),
    ticket(
        8, created_at=at(140), status=changes((at(140), "new"), (at(141), "solved")), priority=changes((at(140), "low"))
    ),
)
"""Five months later 1 and 5 are archived, 3 and 7 never were (a number may be skipped), 4 is gone for good."""


def archive_asked(exchanges: Iterable[Exchange]) -> list[str]:
    return [one.path.split("/archived/")[1] for one in exchanges if "/archived/" in one.path]


def test_the_first_reading_asks_the_archive_for_each_ticket_that_is_in_no_list(office: Office) -> None:
    """And for the conversations of those whose first reply only they tell. Afterwards nothing is asked for again."""
    load = office.load(company(*SOME), at(150))["tickets"]
    assert load.covered == Covered(None, at(150))
    assert archive_asked(office.exchanges) == ["7", "5", "5/conversations", "4", "3", "1"]
    assert {subject for (subject,) in office.said("subject_id")} == {"1", "2", "5", "6", "8"}
    again = office.load(company(*SOME), at(151))["tickets"]
    assert again.covered == Covered(at(150) - HOUR, at(151))
    assert archive_asked(office.exchanges) == []
    assert office.withdrawn().is_empty()


def test_the_archive_states_what_was_stated_of_its_tickets_while_they_were_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offices = []
    for name, days in (("daily", (*range(2, 9), 30, 40, 140, 141, 150)), ("late", (150,))):
        (tmp_path / name).mkdir()
        options = FreshdeskOptions(subdomain="agencia", surveys=False)
        offices.append(Office(tmp_path / name, monkeypatch, FRESHDESK, options, stand_in))
        for day in days:
            offices[-1].load(company(*SOME), at(day, 20))
    daily, late = (set(one.said("event_type", "subject_id", "occurred_at", "actor")) for one in offices)
    only_daily = daily - late
    assert late <= daily
    assert {(kind, at_) for kind, _, at_, _ in only_daily} == {
        ("ticket.status_entered", at(2)),
        ("ticket.status_entered", at(140)),
    }


def test_a_reading_of_the_archive_goes_on_where_it_was_interrupted(office: Office) -> None:
    many = company(*(ticket(number) for number in range(1, 251)), ticket(252, status=changes((at(2), "new"))))
    whole = office.first(office.served(many, at(150)), "tickets", at(150))
    assert len(whole.records) == 251
    half = next(mark for mark in whole.marks if '"archived"' in mark)
    vendor = office.served(many, at(150))
    rest = office.read(vendor, "tickets", Read(None, at(150), None, office.clock, half))
    asked = dict.fromkeys(one for one in archive_asked(vendor.exchanges) if "/" not in one)  # once more after a 429
    assert list(asked) == [str(number) for number in range(200, 0, -1)]
    assert rest.keys == whole.keys[-200:]
    assert rest.covered == whole.covered == Covered(None, at(150))


def test_what_was_asked_for_and_is_nowhere_is_not_asked_for_again_after_an_interruption(office: Office) -> None:
    marks = office.first(office.served(company(replace(OPEN, id=250)), at(150)), "tickets", at(150)).marks
    assert [mark for mark in marks if '"archived"' in mark] == [
        '{"list":"archived","highest":200,"from":null}',
        '{"list":"archived","highest":100,"from":null}',
        '{"list":"archived","highest":0,"from":null}',
    ]


def test_a_plan_without_an_archive_has_archived_nothing(office: Office) -> None:
    vendor = office.served(company(OPEN, replace(OPEN, id=3)), at(150), has_archive=False)
    reading = office.first(vendor, "tickets", at(150))
    assert (reading.failure, reading.covered) == (None, Covered(None, at(150)))
    assert archive_asked(vendor.exchanges) == ["2"]


def test_numbers_that_begin_somewhere_have_to_be_said(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.freshdesk.reading.MOST_NOWHERE", 20)
    far = company(replace(OPEN, id=987_655))
    assert office.first(office.served(far, at(20)), "tickets", at(20)).failure == (
        "agencia.freshdesk: 20 tickets in a row are in no list and not in the archive. Say in its options which number "
        "the account's first ticket has, `first_ticket: 1` where so many are gone for good, or `first_ticket: null` "
        "where the archive is not to be read"
    )
    office.with_options(first_ticket=987_600)
    assert office.load(far, at(20))["tickets"].covered == Covered(None, at(20))


@pytest.mark.parametrize("body", [b"{}", b'{"id": 4, "stats": {}}', b'{"id": 3}', b"[]", b"<html>", b'{"id": 3, "sta'])
def test_what_is_not_the_archived_ticket_asked_for_is_not_believed(office: Office, body: bytes) -> None:
    def alter(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        return (200, {}, body) if exchange.path.endswith("/archived/3") else None

    reading = office.first(office.served(company(*SOME), at(150), alter), "tickets", at(150))
    assert reading.failure is not None
    assert "/api/v2/tickets/archived/… answered" in reading.failure


def test_a_key_that_may_not_see_the_archive_is_not_taken_for_a_plan_without_one(office: Office) -> None:
    def alter(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        return (403, {}, b'{"code": "access_denied"}') if "/archived/" in exchange.path else None

    reading = office.first(office.served(company(*SOME), at(150), alter), "tickets", at(150))
    assert "HTTP 403" in str(reading.failure)


def test_without_the_archive_what_is_covered_begins_where_no_ticket_that_was_changed_can_be_archived_yet(
    office: Office,
) -> None:
    """The first ticket is archived and was never seen; all that happened later is known of those that are listed."""
    office.with_options(first_ticket=None)
    later = ticket(2, status=changes((at(2), "new"), (at(30), "solved"), (at(40), "closed")))
    load = office.load(company(ticket(), later), at(150))["tickets"]
    assert load.covered == Covered(at(150) - timedelta(days=120), at(150))
    facts = office.facts().filter(pl.col("occurred_at") >= at(30))
    assert facts.select("event_type", "subject_id").unique().height == 3
    assert {subject for (subject,) in office.said("subject_id")} == {"2"}


def test_a_gap_in_which_tickets_were_archived_is_not_covered(office: Office) -> None:
    office.load(company(ticket()), at(5))
    load = office.load(company(ticket()), at(200))["tickets"]
    assert load.covered == Covered(at(80), at(200))
    office.with_options(archived_after_days=365)  # of an account that archives later
    load = office.load(company(ticket()), at(201))["tickets"]
    assert load.covered == Covered(at(200) - HOUR, at(201))


def test_an_account_that_has_archived_nothing_yet_is_known_from_its_beginning(office: Office) -> None:
    office.with_options(archived_after_days=None)
    assert office.load(company(ticket()), at(20))["tickets"].covered == Covered(None, at(20))
    assert office.load(company(ticket()), at(21))["tickets"].covered == Covered(at(20) - HOUR, at(21))


# Who is who


def test_requesters_are_known_by_address_domain_and_external_id(office: Office) -> None:
    office.with_options(identified_by=known_by("email", "domain", {"external_id": "unique_external_id"}))
    office.load(company(ticket()), at(20))
    said = office.said("account_id", "identified_by", "identifier", "occurred_at", of="account.identified")
    address = mail_address(71, {})
    assert sorted(said) == [
        ("71", "domain", address.rpartition("@")[2].lower(), at(2)),
        ("71", "email", code(address.lower()), at(2)),
        ("71", "external_id", "71", at(2)),
    ]
    assert address.lower() not in office.stored().lower()


def test_a_contact_who_is_deleted_is_known_by_nothing_any_more(office: Office) -> None:
    office.with_options(identified_by=known_by("email"))
    office.load(company(ticket(), ticket(2)), at(20))
    assert office.counts()["account.identified"] == 2

    def deleted(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        if exchange.path != "/api/v2/contacts" or "blocked" in exchange.query:
            return None
        kept = [{"id": 71, "deleted": True}] if "deleted" in exchange.query else exchange.content[1:]
        return 200, {}, orjson.dumps(kept)

    office.load(company(ticket(), ticket(2)), at(21), deleted)
    assert office.said("account_id", of="account.identified") == [("72",)]


def test_companies_are_known_by_their_domains(office: Office) -> None:
    office.with_options(account="company", identified_by=known_by("domain"))
    office.load(company(ticket(), ticket(8)), at(20))
    number = 71 % 7 + 1
    assert office.said("account_id", "identifier", of="account.identified") == [
        (str(number), f"empresa{number}.example")
    ]


def test_what_customers_are_not_known_by_is_refused() -> None:
    with pytest.raises(ValidationError, match="email is not known of a company; there is domain"):
        FreshdeskOptions(subdomain="x", account="company", identified_by=["email"])


def known_by(*given: Any) -> Any:
    return FreshdeskOptions(subdomain="x", identified_by=given).identified_by


def expected(agencys: Company, until: datetime) -> dict[str, int]:
    """What the agency's tickets come to, counted from the company itself. Nothing of it is lost by reading daily."""
    alive = [t for t in agencys.tickets if t.created_at <= until and (t.deleted_at is None or t.deleted_at > until)]
    return {
        "survey.answered": sum(bool(one.rating) and one.rating[0].at <= until for one in alive),
        "ticket.closed": sum(value_at(one.status, until) == "closed" for one in alive),
        "ticket.created": len(alive),
        "ticket.first_replied": sum(bool(one.first_reply_at) and one.first_reply_at <= until for one in alive),
    }


def solvings(one: Ticket, until: datetime) -> int:
    return sum(change.value == "solved" and change.at <= until for change in one.status)


def test_the_agencys_four_months_come_out_as_they_were(office: Office) -> None:
    office.with_options(surveys=True, first_ticket=None)  # its numbers are not one after the other
    agencys = estate_agency(7, date(2025, 10, 25), date(2026, 2, 20))
    start = datetime(2026, 1, 31, 22, tzinfo=at(1).tzinfo)
    for day in range(0, 20, 3):
        loads = office.load(agencys, start + timedelta(days=day))
        assert not [load.failure for load in loads.values() if load.failure]
    until = start + timedelta(days=18)
    counts = office.counts()
    assert counts["ticket.created"] > 100
    assert {name: counts[name] for name in expected(agencys, until)} == expected(agencys, until)
    alive = [t for t in agencys.tickets if t.created_at <= until and (t.deleted_at is None or t.deleted_at > until)]
    true = sum(solvings(one, until) for one in alive)
    reopened = sum(solvings(one, until) == 2 for one in alive)
    assert true - reopened <= counts["ticket.solved"] <= true
    assert office.quarantined() == []


# Who may read, and what is kept


def test_the_example_of_the_options_is_whole_and_right() -> None:
    example = yaml.safe_load((FreshdeskOptions.__doc__ or "").split("::", 1)[1])
    assert set(example) == set(FreshdeskOptions.model_fields)
    assert FreshdeskOptions.model_validate(example).statuses[6] == "waiting_on_customer"


def test_a_wrong_key_names_the_setting_and_nothing_secret(office: Office) -> None:
    office.configure(api_key="canary-of-the-wrong-one")
    for load in office.load(company(ticket()), at(20)).values():
        assert "sources.agencia.freshdesk.api_key" in str(load.failure)
        assert "canary" not in str(load.failure)


def test_a_missing_key_names_the_setting_its_variable_and_its_file(office: Office) -> None:
    office.configure(api_key=None)
    office.environment.setenv("API_KEY", "somebody-elses")
    failure = str(office.load(company(ticket()), at(20))["tickets"].failure)
    assert "sources.agencia.freshdesk.api_key is not set" in failure
    assert "SOURCES__AGENCIA__FRESHDESK__API_KEY" in failure


def test_the_streams_of_an_account_open_nothing(office: Office) -> None:
    office.with_options(surveys=True)
    office.configure(api_key=None)
    assert [stream.name for stream in office.source.streams()] == ["tickets", "satisfaction_ratings"]


def test_no_personal_data_is_stored(office: Office) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket(20, rating=changes((at(5), "good"))), ticket(2, deleted_at=at(9))), at(20))
    stored = office.stored()
    assert '"requester_id":90' in stored
    for personal in ("Marta", "600 123", "@", "Consulta", "Gracias", "Hola", "vivienda", "cf_"):
        assert personal not in stored


def test_what_is_kept_of_a_ticket_and_an_answer_is_exactly_this(office: Office) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket(20, rating=changes((at(5), "good")))), at(20))
    kept = set().union(*(orjson.loads(line) for line in office.stored().splitlines()))
    times = {"first_responded_at", "status_updated_at", "reopened_at", "pending_since", "resolved_at", "closed_at"}
    of_ticket = {"id", "created_at", "updated_at", "status", "priority", "source", "requester_id", "company_id"}
    of_ticket |= {"fr_due_by", "due_by"}
    assert kept == times | of_ticket | {"is_gone", "replied_at", "replied_by", "ticket_id", "user_id", "answer"}


def test_of_a_ticket_that_is_gone_nothing_is_kept_but_that_it_is_and_whose_it_was(office: Office) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket(2, deleted_at=at(9))), at(20))
    kept = [set(orjson.loads(line)) for line in office.stored().splitlines()]
    assert kept == [{"id", "updated_at", "requester_id", "is_gone"}, {"ticket_id", "user_id", "is_gone"}]


def test_whose_a_record_is_and_whom_it_mentions_is_known_for_an_erasure(office: Office) -> None:
    office.with_options(surveys=True)
    office.load(company(ticket(20, rating=changes((at(5), "good")))), at(20))
    agent = str(stand_in.records.AGENTS[20 % 3])
    named, theirs = [], []
    for stream in office.source.streams():
        rows = office.rows(stream.name).select("record_key", "payload").rows()
        for key, text in rows:
            payload = orjson.loads(text)
            named.append(set(stream.people.named(key, payload)))
            theirs.append(stream.people.is_theirs(key, payload, lambda kind, id_: (kind, id_) == ("user", "90")))
            left = stream.people.without(payload, lambda kind, id_: (kind, id_) == ("user", agent))
            assert agent not in orjson.dumps(left).decode()
    assert named == [{("user", "90"), ("user", agent)}, {("user", "90")}]
    assert theirs == [True, True]
