"""What Salesforce's records come to in the log: a sales team's facts, what corrects them, and what withdraws them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hubspot_agency import Tampering, activity, changes, contact, day
from salesforce_org import ACCOUNT, EXAMPLE, OPTIONS, STREAMS, Desktop, deal, options, organisation, ticket

from kr_definitions.events import RETRACTED
from pipelines.salesforce import SALESFORCE
from pipelines.sandbox.company import Company
from pipelines.sandbox.salesforce import Merge, app
from pipelines.sandbox.salesforce.names import id_of, user_id

NOW = day(60)
ANA = user_id("ana")
CODE = ACCOUNT.pseudonym("ana@acme.example")
WON = deal(
    301,
    (day(12), "preventa"),
    (day(15), "propuesta"),
    (day(16), "ganado"),
    (day(17), "propuesta"),
    (day(20), "contrato"),
    (day(41), "ganado"),
    contact_id=2,
    amount=changes((day(12), Decimal(5000)), (day(20), Decimal(6000)), (day(46), Decimal("5800.50"))),
    says={
        "producto": "A",
        "segmento": changes((day(12), "clave"), (day(14), "general")),
        "mercado": "Andina",
        "tipo_de_negocio": "nuevo",
        "closedate": changes((day(15), "2026-02-20"), (day(19), "2026-03-10"), (day(41), "2026-02-10")),
    },
)
LOST = deal(302, (day(13), "preventa"), (day(14), "perdido"), says={"closedate": changes((day(13), "2026-02-01"))})
ACTIVITIES = [
    activity(401, "call", day(8, 15), "connected", says={"hs_activity_type": "prospeccion", "segmento": "clave"}),
    activity(402, "call", day(70), None, entered_at=day(8)),
    activity(403, "call", day(8, 16), "no_answer", entered_at=day(10)),
    activity(501, "visit", day(9, 15), "completed", seconds=2700, entered_at=day(7)),
    activity(502, "meeting", day(9, 16), "no_show", seconds=2700),
    activity(601, "meeting", day(9, 17), "completed", seconds=1800, contact_id=2),
]
TICKET = ticket(
    701, (day(20), "new"), (day(21), "open"), (day(22), "solved"), (day(23), "open"), (day(24), "solved"),
    (day(28), "closed"), priority=changes((day(20), "normal"), (day(22, 8), "high")),
)  # fmt: skip
TEAM = organisation(
    contacts=[
        contact(1, (day(2), "lead"), (day(4), "marketingqualifiedlead"), (day(13), "opportunity"), channel="Web"),
        contact(2, (day(10), "lead"), (day(12), "opportunity"), (day(41), "customer"), says={"segmento": "clave"}),
        contact(3, (day(11), "lead"), archived_at=day(55)),
        contact(4, (day(61), "lead")),
        contact(5, (day(1), "customer")),
    ],
    deals=[WON, LOST],
    activities=ACTIVITIES,
    tickets=[TICKET, ticket(702, (day(25), "new"), (day(26), "closed"), requester_id=5, channel="email")],
)


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desktop:
    return Desktop(tmp_path, monkeypatch)


@pytest.fixture
def loaded(desktop: Desktop) -> Desktop:
    """A lake of the test's own, into which the org was loaded."""
    reports = desktop.load(app(desktop.desk(TEAM, NOW)), NOW)
    assert {name: one.failure for name, one in reports.items()} == dict.fromkeys(STREAMS)
    return desktop


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    """A lake into which the org was loaded, for tests that only look at it."""
    with pytest.MonkeyPatch.context() as environment:
        desktop = Desktop(tmp_path_factory.mktemp("told"), environment)
        desktop.load(app(desktop.desk(TEAM, NOW)), NOW)
        yield desktop


def later(**lists: object) -> Company:
    return replace(TEAM, **lists)


# The facts of a small sales team


def test_a_lead_and_the_contact_that_it_became_are_one_person(told: Desktop) -> None:
    assert told.facts("lead.created", "subject_id", "account_id", "occurred_at", "channel", "segment") == [
        ("1", "1", day(2), "Web", None),
        ("2", "2", day(10), "web", "clave"),
    ]
    assert told.facts("lifecycle.entered", "subject_id", "account_id", "occurred_at", "lifecycle", "segment") == [
        ("5", "5", day(1), "customer", None),
        ("1", "1", day(2), "lead", None),
        ("1", "1", day(4), "marketingqualifiedlead", None),
        ("2", "2", day(10), "lead", "clave"),
        ("2", "2", day(12), "opportunity", "clave"),
        ("1", "1", day(13), "opportunity", None),
        ("2", "2", day(41), "customer", "clave"),
    ]


def test_a_deal_says_its_amount_as_it_was_at_each_stage_and_as_it_is_now_when_won(told: Desktop) -> None:
    won, lost = id_of("006", 301), id_of("006", 302)
    columns = ("subject_id", "occurred_at", "stage", "amount")
    assert told.facts("deal.created", *columns) == [
        (won, day(12), "preventa", Decimal(5000)),
        (lost, day(13), "preventa", Decimal(5000)),
    ]
    assert told.facts("deal.stage_entered", *columns) == [
        (won, day(12), "preventa", Decimal(5000)),
        (lost, day(13), "preventa", Decimal(5000)),
        (lost, day(14), "perdido", Decimal(5000)),
        (won, day(15), "propuesta", Decimal(5000)),
        (won, day(16), "ganado", Decimal(5000)),
        (won, day(17), "propuesta", Decimal(5000)),
        (won, day(20), "contrato", Decimal(6000)),
        (won, day(41), "ganado", Decimal(6000)),
    ]
    assert told.facts("deal.amount_changed", *columns) == [
        (won, day(20), "contrato", Decimal(6000)),
        (won, day(46), "ganado", Decimal("5800.50")),
    ]
    assert told.facts("deal.lost", *columns) == [(lost, day(14), None, Decimal(5000))]


def test_a_deal_that_was_put_back_is_won_when_it_is_won_at_last(told: Desktop) -> None:
    columns = ("account_id", "actor", "occurred_at", "amount", "currency", "pipeline", "product", "market", "category")
    assert told.facts("deal.won", *columns) == [
        ("2", ANA, day(41), Decimal("5800.50"), "COP", "ventas", "A", "Andina", "nuevo")
    ]


def test_a_fact_says_of_a_deal_what_held_when_it_happened(told: Desktop) -> None:
    said = told.facts("deal.stage_entered", "occurred_at", "segment", "account_id")
    assert [(at, segment) for at, segment, account in said if account == "2"][:3] == [
        (day(12), "clave"),
        (day(15), "general"),
        (day(16), "general"),
    ]


def test_a_deal_forecasts_while_its_category_counts_and_nothing_once_it_is_lost(told: Desktop) -> None:
    columns = ("occurred_at", "forecast_month", "amount")
    assert told.facts("forecast.stated", *columns) == [
        (day(13), date(2026, 2, 1), Decimal(5000)),
        (day(14), date(2026, 2, 1), Decimal(0)),
        (day(15), date(2026, 2, 1), Decimal(5000)),
        (day(19), date(2026, 3, 1), Decimal(5000)),
        (day(20), date(2026, 3, 1), Decimal(6000)),
        (day(41), date(2026, 2, 1), Decimal(6000)),
        (day(46), date(2026, 2, 1), Decimal("5800.50")),
    ]


def test_only_calls_that_took_place_are_made(told: Desktop) -> None:
    columns = ("subject_id", "account_id", "actor", "occurred_at", "outcome", "direction", "category", "quantity")
    assert told.facts("call.made", *columns) == [
        (id_of("00T", 401), "1", ANA, day(8, 15), "connected", "outbound", "prospeccion", Decimal(90)),
        (id_of("00T", 403), "1", ANA, day(8, 16), "no_answer", "outbound", None, Decimal(90)),
    ]


def test_tasks_are_completed_where_they_are_declared_and_calls_are_none_of_them(desktop: Desktop) -> None:
    tasks = [
        activity(801, "task", day(8), "completed", says={"hs_activity_type": "oferta", "segmento": "clave"}),
        activity(802, "task", day(8), None),
        activity(803, "task", day(8), "completed", archived_at=day(12)),
    ]
    using = options(tasks={"segment": "Segmento__c"})
    company = later(activities=(*ACTIVITIES, *tasks))
    assert desktop.load(app(desktop.desk(company, NOW)), NOW, using)["tasks"].failure is None
    columns = ("subject_id", "account_id", "actor", "occurred_at", "category", "segment")
    assert desktop.facts("task.completed", *columns) == [(id_of("00T", 801), "1", ANA, day(8, 10), "oferta", "clave")]
    assert len(desktop.facts("call.made", "subject_id")) == 2


def test_meetings_are_scheduled_when_entered_and_held_when_they_took_place(told: Desktop) -> None:
    assert told.facts("meeting.scheduled", "subject_id", "occurred_at", "category") == [
        (id_of("00U", 501), day(7), "Visita"),
        (id_of("00U", 502), day(9, 16), "Reunión"),
        (id_of("00U", 601), day(9, 17), "Reunión"),
    ]
    assert told.facts("meeting.held", "account_id", "occurred_at", "outcome", "quantity", "category") == [
        ("1", day(9, 15), "completed", Decimal(45), "Visita"),
        ("2", day(9, 17), "completed", Decimal(30), "Reunión"),
    ]


def test_visits_and_names_of_types_are_as_the_options_say(desktop: Desktop) -> None:
    meetings = {**EXAMPLE["meetings"], "visits": ["Visita"], "categories": {"comercial": "sales"}}
    desktop.load(app(desktop.desk(TEAM, NOW)), NOW, options(meetings=meetings))
    assert desktop.facts("visit.held", "subject_id", "category", "quantity") == [(id_of("00U", 501), None, Decimal(45))]
    assert desktop.facts("meeting.held", "subject_id") == [(id_of("00U", 601),)]


def test_a_case_is_created_answered_solved_reopened_and_closed(told: Desktop) -> None:
    one, two = id_of("500", 701), id_of("500", 702)
    columns = ("subject_id", "account_id", "occurred_at", "priority")
    assert told.facts("ticket.created", *columns, "channel") == [
        (one, "1", day(20), "normal", "phone"),
        (two, "5", day(25), "normal", "email"),
    ]
    assert told.facts("ticket.first_replied", *columns) == [
        (one, "1", day(21), "normal"),
        (two, "5", day(26), "normal"),
    ]
    assert told.facts("ticket.status_entered", "subject_id", "occurred_at", "status") == [
        (one, day(20), "Nuevo"),
        (one, day(21), "Abierto"),
        (one, day(22), "Resuelto"),
        (one, day(23), "Abierto"),
        (one, day(24), "Resuelto"),
        (two, day(25), "Nuevo"),
        (two, day(26), "Cerrado"),
        (one, day(28), "Cerrado"),
    ]
    assert told.facts("ticket.solved", *columns) == [
        (one, "1", day(22), "high"),
        (one, "1", day(24), "high"),
        (two, "5", day(26), "normal"),
    ]
    assert told.facts("ticket.reopened", *columns) == [(one, "1", day(23), "high")]
    assert told.facts("ticket.closed", "subject_id", "occurred_at") == [(two, day(26)), (one, day(28))]


def test_each_fact_links_to_its_record_and_nothing_is_set_aside(told: Desktop) -> None:
    kinds = {
        "leads": "Lead", "contacts": "Contact", "opportunities": "Opportunity", "calls": "Task", "meetings": "Event",
        "cases": "Case",
    }  # fmt: skip
    url = pl.format(
        "https://ejemplo.lightning.force.com/lightning/r/{}/{}/view", pl.col("stream").replace(kinds), "record_key"
    )
    assert told.log().filter(pl.col("source_url").ne_missing(url)).height == 0
    assert told.lake.quarantine().collect().height == 0


def test_streams_feed_exactly_what_their_facts_are(told: Desktop) -> None:
    fed = {stream.name: set(stream.feeds) for stream in SALESFORCE.streams(ACCOUNT, OPTIONS)}
    stated = told.log().group_by("stream").agg(pl.col("event_type").unique())
    found = {stream: set(types) for stream, types in stated.iter_rows()}
    found["contacts"].add("lead.created")  # here all who are new begin as leads
    assert found == fed


def test_an_org_without_leads_has_new_customers_among_its_contacts(desktop: Desktop) -> None:
    using = options(leads=None, new_customer_stages=["customer"])
    desktop.load(app(desktop.desk(TEAM, NOW)), NOW, using)
    assert desktop.facts("lead.created", "subject_id", "occurred_at") == [("5", day(1)), ("2", day(41))]


# Whose it is


def test_without_a_number_the_customer_is_the_contact_or_a_lead_that_is_none_yet(desktop: Desktop) -> None:
    desktop.load(app(desktop.desk(TEAM, day(11))), day(11), options(number=None))
    assert desktop.facts("call.made", "account_id") == [(id_of("00Q", 1),)] * 2
    assert desktop.facts("lead.created", "subject_id") == [(id_of("00Q", 1),), (id_of("00Q", 2),), (id_of("00Q", 3),)]
    desktop.load(app(desktop.desk(TEAM, day(14))), day(14), options(number=None))
    assert desktop.facts("call.made", "account_id") == [(id_of("003", 1),)] * 2  # converted, and its calls with it
    assert desktop.facts("lead.created", "subject_id") == [(id_of("003", 1),), (id_of("003", 2),), (id_of("00Q", 3),)]
    assert desktop.facts("deal.created", "account_id") == [(id_of("003", 2),), (id_of("003", 1),)]


@pytest.mark.parametrize(("number", "customer"), [(None, id_of("001", 2)), ("Numero_de_cliente__c", "2")])
def test_the_customer_may_be_the_account(desktop: Desktop, number: str | None, customer: str) -> None:
    using = options(customer="account", number=number)
    reports = desktop.load(app(desktop.desk(TEAM, NOW)), NOW, using)
    assert {one.failure for one in reports.values()} == {None}
    for event_type in ("deal.won", "lead.created", "meeting.held"):
        assert desktop.facts(event_type, "account_id")[-1] == (customer,)
    assert desktop.facts("lead.created", "subject_id")[-1] == (id_of("003", 2),)


def test_a_merged_contact_is_withdrawn_and_what_was_done_with_it_was_done_with_the_winner(loaded: Desktop) -> None:
    """Salesforce does not say whether a merge moves the last change of deals and activities: here it does not."""
    merges = (Merge(winner_id=5, victim_id=2, at=day(61)),)
    reports = loaded.load(app(loaded.desk(TEAM, day(62)), merges), day(62))
    assert {one.failure for one in reports.values()} == {None}
    assert loaded.facts("deal.won", "account_id") == [("5",)]
    assert loaded.facts("meeting.held", "account_id") == [("1",), ("5",)]
    assert ("2", "customer") not in loaded.facts("lifecycle.entered", "subject_id", "lifecycle")
    again = loaded.load(app(loaded.desk(TEAM, day(63)), merges), day(63))
    assert {one.counts[1:] for one in again.values()} == {(0, 0, 0)}


def test_people_are_known_by_their_addresses_domains_and_fields(desktop: Desktop) -> None:
    people = [contact(1, (day(2), "lead"), (day(3), "opportunity"), says={"email": "Ana@Acme.Example"}), contact(2)]
    known = ["email", "domain", {"external_id": "Numero_de_cliente__c"}]
    using = options(number=None, leads={**EXAMPLE["leads"], "identified_by": known})
    served = Tampering(app(desktop.desk(organisation(contacts=people), NOW)))
    desktop.load(served, NOW, using)
    said = desktop.facts("account.identified", "account_id", "identified_by", "identifier", "occurred_at")
    assert sorted(row for row in said if row[0] == id_of("003", 1)) == [
        (id_of("003", 1), "domain", "acme.example", day(2)),
        (id_of("003", 1), "email", CODE, day(2)),
        (id_of("003", 1), "external_id", "1", day(2)),
    ]
    assert "@" not in str(desktop.stored())
    asked = {one.query for one in served.exchanges if "Email" in one.query}
    assert asked
    assert all("FROM+Lead" in one for one in asked)


def test_where_something_else_identifies_people_all_are_read_again(loaded: Desktop) -> None:
    ways: tuple[Any, ...] = ("domain", "email", {"mail": "email"})
    for hour, by in enumerate(ways):
        using = options(leads={**EXAMPLE["leads"], "identified_by": by})
        reports = loaded.load(app(loaded.desk(TEAM, NOW)), NOW + timedelta(hours=hour), using)
        assert (reports["leads"].load.delivered, reports["contacts"].load.delivered) == (3, 0)
        known = {name for (name,) in loaded.facts("account.identified", "identified_by")}
        assert known == {by if isinstance(by, str) else "mail"}


# What comes later


def test_loading_twice_changes_nothing(loaded: Desktop) -> None:
    before = loaded.log()
    again = loaded.load(app(loaded.desk(TEAM, NOW)), NOW + timedelta(minutes=1))
    assert {one.counts for one in again.values()} == {(0, 0, 0, 0)}
    assert loaded.log().equals(before)


def test_an_increment_fetches_only_what_changed(loaded: Desktop) -> None:
    repriced = replace(WON, amount=(*WON.amount, *changes((day(61), Decimal(5700)))))
    calls = [*ACTIVITIES, activity(404, "call", day(61, 15), "connected")]
    served = Tampering(app(loaded.desk(later(deals=(repriced, LOST), activities=tuple(calls)), day(62))))
    reports = loaded.load(served, day(62))
    assert {name: one.load.delivered for name, one in reports.items()} == {
        "leads": 1, "contacts": 0, "opportunities": 1, "calls": 1, "meetings": 0, "cases": 0,
    }  # fmt: skip
    asked = Counter(path.rpartition("/")[2] for path in served.paths())
    # Its own changes, and for each: merged contacts; of tasks and events, merged and converted leads besides.
    # Which fields are tracked is asked of all but tasks and events.
    assert asked == {"token": 6, "describe": 6, "query": 4, "queryAll": 6 + 1 + 0 + 1 + 3 + 3 + 1}


def test_a_corrected_amount_corrects_the_win(loaded: Desktop) -> None:
    repriced = replace(WON, amount=(*WON.amount, *changes((day(61), Decimal(5700)))))
    report = loaded.load(app(loaded.desk(later(deals=(repriced, LOST)), day(62))), day(62))["opportunities"]
    assert report.counts == (1, 3, 1, 0)  # the win restated, change and forecast stated; the old win withdrawn
    assert loaded.facts("deal.won", "occurred_at", "amount") == [(day(41), Decimal(5700))]
    withdrawn = loaded.lake.log.scan().filter(pl.col("event_type") == RETRACTED).select("amount").collect()
    assert withdrawn.rows() == [(Decimal("5800.50"),)]


def test_a_win_that_is_put_back_is_withdrawn(loaded: Desktop) -> None:
    back = replace(WON, stages=(*WON.stages, *changes((day(61), "contrato"))))
    loaded.load(app(loaded.desk(later(deals=(back, LOST)), day(62))), day(62))
    assert loaded.facts("deal.won", "subject_id") == []


def test_a_deleted_record_is_withdrawn_and_comes_back_when_it_is_restored(loaded: Desktop) -> None:
    gone = later(activities=(replace(ACTIVITIES[0], archived_at=day(61)), *ACTIVITIES[1:]))
    assert loaded.load(app(loaded.desk(gone, day(62))), day(62))["calls"].counts == (1, 0, 1, 0)
    assert loaded.facts("call.made", "subject_id") == [(id_of("00T", 403),)]
    restored = replace(ACTIVITIES[0], outcome=(*ACTIVITIES[0].outcome, *changes((day(63), "busy"))))
    back = later(activities=(restored, *ACTIVITIES[1:]))
    assert loaded.load(app(loaded.desk(back, day(64))), day(64))["calls"].counts == (1, 1, 0, 0)
    assert loaded.facts("call.made", "subject_id", "outcome") == [
        (id_of("00T", 401), "busy"),
        (id_of("00T", 403), "no_answer"),
    ]


def test_a_record_that_leaves_the_recycle_bin_stays_withdrawn(loaded: Desktop) -> None:
    gone = later(deals=(replace(WON, archived_at=day(61)), LOST))
    for at in (day(62), day(61 + 16), day(61 + 17)):
        assert loaded.load(app(loaded.desk(gone, at)), at)["opportunities"].failure is None
    assert loaded.facts("deal.won", "subject_id") == []


def test_activities_that_salesforce_has_archived_for_their_age_are_read(desktop: Desktop) -> None:
    at = day(9 + 400)
    reports = desktop.load(app(desktop.desk(TEAM, at)), at)
    assert {one.failure for one in reports.values()} == {None}
    assert len(desktop.facts("call.made", "subject_id")) == 2
    assert len(desktop.facts("meeting.held", "subject_id")) == 2


def test_where_another_field_is_named_everything_is_read_again(loaded: Desktop) -> None:
    sales = [{**EXAMPLE["sales"][0], "category": {"field": "Tipo_de_negocio__c", "values": {"nuevo": "new"}}}]
    reports = loaded.load(app(loaded.desk(TEAM, day(61))), day(61), options(sales=sales))
    assert (reports["opportunities"].load.delivered, reports["calls"].load.delivered) == (0, 0)  # only another name
    assert loaded.facts("deal.won", "category") == [("new",)]
    sales = [{**EXAMPLE["sales"][0], "campaign": "Producto__c"}]
    reports = loaded.load(app(loaded.desk(TEAM, day(62))), day(62), options(sales=sales))
    assert (reports["opportunities"].load.delivered, reports["calls"].load.delivered) == (2, 0)
    assert loaded.facts("deal.won", "campaign") == [("A",)]


def test_once_in_a_while_everything_is_read_again(desktop: Desktop) -> None:
    """The products on a deal change without its last change."""
    product = {"producto": changes((day(12), "A"))}
    renamed = {"producto": changes((day(12), "A nuevo"))}
    before, after = (organisation(deals=[replace(WON, says=says)]) for says in (product, renamed))
    found = []
    for company, at in (
        (before, NOW),
        (after, day(61)),
        (after, day(60 + 29)),
        (after, day(60 + 30)),
        (after, day(91)),
    ):
        report = desktop.load(app(desktop.desk(company, at)), at)["opportunities"]
        found.append((report.load.delivered, desktop.facts("deal.won", "product")[0][0]))
    assert found == [(1, "A"), (0, "A"), (0, "A"), (1, "A nuevo"), (0, "A nuevo")]


def test_deals_have_the_currency_that_they_are_in_where_the_org_has_several(desktop: Desktop) -> None:
    deals = (replace(WON, currency="USD"), LOST)
    desktop.load(app(desktop.desk(later(deals=deals), NOW), has_currencies=True), NOW)
    assert desktop.facts("deal.won", "currency") == [("USD",)]
    assert desktop.facts("deal.lost", "currency") == [("COP",)]


def test_the_example_of_the_options_is_what_the_tests_read() -> None:
    assert {stream.name for stream in SALESFORCE.streams(ACCOUNT, OPTIONS)} == set(STREAMS)
