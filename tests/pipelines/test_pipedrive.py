"""What Pipedrive's records come to in the log: a small business's facts, what corrects and what withdraws them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pipedrive_office import (
    ACCOUNT,
    OPTIONS,
    SALES,
    Office,
    Tampering,
    activity,
    amended,
    app,
    business,
    call,
    changes,
    contact,
    day,
    deal,
    meeting,
)

from kr_definitions.events import RETRACTED
from kr_definitions.vocabulary import vocabulary
from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions
from pipelines.sandbox.company import Company
from pipelines.sandbox.hubspot.shown import owner_id
from pipelines.sandbox.pipedrive import Merge

ANA = owner_id("ana")
NOW = day(60)
SALE = deal(
    301,
    (day(12), "contacto"),
    (day(15), "propuesta"),
    (day(16), "ganado"),
    (day(17), "propuesta"),
    (day(41), "ganado"),
    contact_id=2,
    amount=changes((day(12), Decimal(5000)), (day(20), Decimal(6000)), (day(46), Decimal("5800.50"))),
    says={
        "producto": changes((day(12), "Plataforma"), (day(30), "Servicios")),
        "mercado": "Madrid",
        "closedate": changes((day(15), "2026-02-20T12:00:00.000Z"), (day(25), "2026-03-15T12:00:00.000Z")),
    },
)
BUSINESS = business(
    contacts=[
        contact(1, (day(2), "lead"), (day(4), "marketingqualifiedlead"), (day(32), "customer"),
                says={"mercado": "Madrid"}),
        contact(2, (day(10), "lead"), channel="phone", says={"mercado": "Getafe"}),
        contact(3, (day(11), "lead"), archived_at=day(12)),
        contact(4, (day(61), "lead")),
    ],
    deals=[SALE, deal(302, (day(13), "contacto"), (day(14), "perdido"))],
    activities=[
        call(401, day(8), "connected"),
        call(402, day(70), None, entered_at=day(8)),
        call(403, day(8, 10), "no_answer", entered_at=day(10)),
        meeting(601, day(9, 12), "completed", seconds=1800, contact_id=2),
        meeting(602, day(9, 13), "no_show", seconds=1800),
        activity(501, "visit", day(9), "completed", seconds=2700, entered_at=day(7)),
        activity(701, "meeting", day(9), "completed", says={"hs_activity_type": "deadline"}),
    ],
)  # fmt: skip


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A lake into which the business was loaded, for tests that only look at it."""
    with pytest.MonkeyPatch.context() as environment:
        office = Office(tmp_path_factory.mktemp("told"), environment)
        reports = office.load(app(office.desk(BUSINESS, NOW)), NOW)
        assert [one.failure for one in reports.values()] == [None] * 3
        yield office


@pytest.fixture
def loaded(told: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A lake of the test's own, into which the business was loaded."""
    shutil.copytree(told.folder, tmp_path, dirs_exist_ok=True)
    return Office(tmp_path, monkeypatch)


# The facts of a small business


def test_a_person_is_a_lead_once_and_enters_each_stage_of_its_life(told: Office) -> None:
    assert told.facts("lead.created", "subject_id", "account_id", "occurred_at", "channel", "market") == [
        ("1", "1", day(2), "web", "Madrid"),
        ("2", "2", day(10), "phone", "Getafe"),
    ]
    assert told.facts("lifecycle.entered", "subject_id", "occurred_at", "lifecycle", "channel") == [
        ("1", day(2), "lead", "web"),
        ("1", day(4), "marketingqualifiedlead", "web"),
        ("2", day(10), "lead", "phone"),
        ("1", day(32), "customer", "web"),
    ]


def test_a_sale_says_its_value_as_it_was_at_each_stage_and_as_it_is_now_when_won(told: Office) -> None:
    columns = ("subject_id", "occurred_at", "stage", "amount")
    assert told.facts("deal.created", *columns) == [
        ("301", day(12), "contacto", Decimal(5000)),
        ("302", day(13), "contacto", Decimal(5000)),
    ]
    assert told.facts("deal.stage_entered", *columns) == [
        ("301", day(12), "contacto", Decimal(5000)),
        ("302", day(13), "contacto", Decimal(5000)),
        ("302", day(14), "perdido", Decimal(5000)),
        ("301", day(15), "propuesta", Decimal(5000)),
        ("301", day(16), "ganado", Decimal(5000)),
        ("301", day(17), "propuesta", Decimal(5000)),
        ("301", day(41), "ganado", Decimal(6000)),
    ]
    assert told.facts("deal.amount_changed", *columns) == [
        ("301", day(20), "propuesta", Decimal(6000)),
        ("301", day(46), "ganado", Decimal("5800.50")),
    ]
    assert told.facts("deal.lost", *columns) == [("302", day(14), None, Decimal(5000))]


def test_a_sale_that_was_opened_again_is_won_when_it_is_won_at_last(told: Office) -> None:
    columns = ("subject_id", "account_id", "actor", "occurred_at", "amount", "currency", "pipeline", "market")
    assert told.facts("deal.won", *columns) == [
        ("301", "2", ANA, day(41), Decimal("5800.50"), "EUR", "ventas", "Madrid")
    ]


def test_attributes_are_as_they_were_when_something_happened(told: Office) -> None:
    entered = told.facts("deal.stage_entered", "subject_id", "occurred_at", "product")
    assert [(at, product) for id_, at, product in entered if id_ == "301"] == [
        *((day(n), "Plataforma") for n in (12, 15, 16, 17)),
        (day(41), "Servicios"),
    ]


def test_a_win_moves_the_forecast_to_the_month_in_which_it_came(told: Office) -> None:
    assert told.facts("forecast.stated", "subject_id", "occurred_at", "forecast_month", "amount") == [
        ("301", day(15), date(2026, 2, 1), Decimal(5000)),
        ("301", day(20), date(2026, 2, 1), Decimal(6000)),
        ("301", day(25), date(2026, 3, 1), Decimal(6000)),
        ("301", day(41), date(2026, 2, 1), Decimal(6000)),  # won on 10 February
        ("301", day(46), date(2026, 2, 1), Decimal("5800.50")),
    ]


def test_only_calls_that_were_done_are_made_and_their_type_says_what_they_came_to(told: Office) -> None:
    columns = ("subject_id", "account_id", "actor", "occurred_at", "outcome", "direction", "quantity", "category")
    assert told.facts("call.made", *columns) == [
        ("401", "1", ANA, day(8), "connected", "outbound", Decimal(90), "seguimiento"),
        ("403", "1", ANA, day(8, 10), "no_answer", "outbound", Decimal(90), "seguimiento"),
    ]


def test_meetings_are_scheduled_when_entered_and_held_as_visits_or_meetings_when_they_took_place(
    told: Office,
) -> None:
    assert told.facts("meeting.scheduled", "subject_id", "occurred_at", "category") == [
        ("501", day(7), "visita"),
        ("601", day(9, 12), "demostracion"),
        ("602", day(9, 13), "demostracion"),
    ]
    columns = ("subject_id", "account_id", "occurred_at", "outcome", "quantity", "category")
    assert told.facts("visit.held", *columns) == [("501", "1", day(9), "completed", Decimal(45), None)]
    assert told.facts("meeting.held", *columns) == [
        ("601", "2", day(9, 12), "completed", Decimal(30), "demostracion")
    ]  # fmt: skip


def test_nothing_else_is_in_the_log_and_each_fact_links_to_its_record(told: Office) -> None:
    log, root = told.log(), "https://acme.pipedrive.com"
    assert log.height == 31
    of_deals = log.filter(pl.col("stream") == "deals")
    assert of_deals.filter(pl.col("source_url") != pl.format(f"{root}/deal/{{}}", "subject_id")).height == 0
    others = log.filter(pl.col("stream") != "deals")
    assert others.filter(pl.col("source_url") != pl.format(f"{root}/person/{{}}", "account_id")).height == 0


def test_streams_feed_exactly_what_their_facts_are(told: Office) -> None:
    fed = {stream.name: set(stream.feeds) for stream in PIPEDRIVE.streams(ACCOUNT, OPTIONS)}
    stated = told.log().group_by("stream").agg(pl.col("event_type").unique())
    assert fed == {stream: set(types) for stream, types in stated.iter_rows()}


def test_facts_say_only_what_their_type_may_carry(told: Office) -> None:
    for row in told.log().iter_rows(named=True):
        carried = set(vocabulary().types[row["event_type"]].carries)
        said = {name for name in vocabulary().attributes if name in row and row[name] is not None}
        assert said - {"stream"} <= carried


# What comes later


def test_loading_twice_changes_nothing(loaded: Office) -> None:
    before = loaded.lake.log.scan().collect()
    again = loaded.load(app(loaded.desk(BUSINESS, NOW)), NOW + timedelta(minutes=1))
    assert {one.counts for one in again.values()} == {(0, 0, 0, 0)}
    stated = loaded.lake.log.scan().filter(pl.col("event_type") != "source.covered").collect()
    assert stated.equals(before.filter(pl.col("event_type") != "source.covered"))


def grown(company: Company, **lists: object) -> Company:
    return replace(company, **lists)


def test_a_second_run_reads_only_what_changed_and_the_history_of_that_alone(loaded: Office) -> None:
    later = grown(
        BUSINESS,
        deals=(replace(SALE, amount=(*SALE.amount, *changes((day(61), Decimal(5700))))), BUSINESS.deals[1]),
        activities=(*BUSINESS.activities, call(801, day(61, 8), "connected")),
    )
    served = Tampering(app(loaded.desk(later, day(62))))
    reports = loaded.load(served, day(62))
    assert {name: one.load.inserted for name, one in reports.items()} == {"persons": 1, "deals": 2, "activities": 1}
    assert {name: one.load.delivered for name, one in reports.items()} == {"persons": 1, "deals": 2, "activities": 1}
    assert Counter(one.path for one in served.exchanges) == {
        "/api/v2/personFields": 1,
        "/api/v2/persons": 1,
        "/api/v1/recents": 2,
        "/api/v2/pipelines": 1,
        "/api/v2/stages": 1,
        "/api/v2/dealFields": 1,
        "/api/v2/deals": 2,  # the deleted ones, and those that changed
        "/api/v2/deals/archived": 2,
        "/api/v1/deals/301/changelog": 1,
        "/api/v1/activityTypes": 1,
        "/api/v2/activities": 1,
    }
    assert all("updated_since=2026-03-01" in one.query for one in served.exchanges if one.path == "/api/v2/persons")


def test_a_corrected_value_corrects_the_win(loaded: Office) -> None:
    later = grown(BUSINESS, deals=(replace(SALE, amount=(*SALE.amount, *changes((day(61), Decimal(5700))))),))
    report = loaded.load(app(loaded.desk(later, day(62))), day(62))["deals"]
    assert report.counts == (
        2,
        3,
        1,
        0,
    )  # the record and its history; the win restated, the change and its forecast stated; the old win withdrawn
    assert loaded.facts("deal.won", "occurred_at", "amount") == [(day(41), Decimal(5700))]
    withdrawn = loaded.lake.log.scan().filter(pl.col("event_type") == RETRACTED).select("fact_key", "amount").collect()
    assert withdrawn.rows() == [("deal/301/won", Decimal("5800.50"))]


def test_a_win_that_is_opened_again_is_withdrawn(loaded: Office) -> None:
    later = grown(BUSINESS, deals=(replace(SALE, stages=(*SALE.stages, *changes((day(61), "propuesta")))),))
    loaded.load(app(loaded.desk(later, day(62))), day(62))
    assert loaded.facts("deal.won", "subject_id") == []
    assert ("301", day(61), "propuesta") in loaded.facts("deal.stage_entered", "subject_id", "occurred_at", "stage")


def test_a_deleted_deal_is_withdrawn_and_comes_back_when_it_is_restored(loaded: Office) -> None:
    """A restored deal has the last change that it had before: no list of changes tells of it."""
    deleted = grown(BUSINESS, deals=(replace(SALE, archived_at=day(61)), BUSINESS.deals[1]))
    report = loaded.load(app(loaded.desk(deleted, day(62))), day(62))["deals"]
    assert (report.load.inserted, report.change.events_stated) == (1, 0)
    assert loaded.facts("deal.won", "subject_id") == []
    assert loaded.load(app(loaded.desk(deleted, day(63))), day(63))["deals"].counts == (0, 0, 0, 0)
    assert loaded.load(app(loaded.desk(BUSINESS, day(64))), day(64))["deals"].counts[0] == 1
    assert loaded.facts("deal.won", "subject_id") == [("301",)]
    assert loaded.load(app(loaded.desk(BUSINESS, day(65))), day(65))["deals"].counts == (0, 0, 0, 0)


def test_a_deal_that_is_gone_for_good_stays_withdrawn(loaded: Office) -> None:
    deleted = grown(BUSINESS, deals=(replace(SALE, archived_at=day(61)),))
    for at in (day(62), day(62 + 31), day(62 + 32)):
        assert loaded.load(app(loaded.desk(deleted, at)), at)["deals"].failure is None
    assert loaded.facts("deal.won", "subject_id") == []


@pytest.mark.parametrize(
    ("stream", "given", "event_type", "left"),
    [
        ("activities", {"activities": (replace(BUSINESS.activities[0], archived_at=day(61)), *BUSINESS.activities[1:])},
         "call.made", ["403"]),
        ("persons", {"contacts": (replace(BUSINESS.contacts[0], archived_at=day(61)), *BUSINESS.contacts[1:])},
         "lead.created", ["2", "4"]),
    ],
)  # fmt: skip
def test_a_deleted_person_or_activity_is_withdrawn_and_comes_back_when_it_is_restored(
    loaded: Office, stream: str, given: dict[str, Any], event_type: str, left: list[str]
) -> None:
    loaded.load(app(loaded.desk(BUSINESS, day(61))), day(61))
    before = [id_ for (id_,) in loaded.facts(event_type, "subject_id")]
    report = loaded.load(app(loaded.desk(grown(BUSINESS, **given), day(62))), day(62))[stream]
    assert report.failure is None
    assert [id_ for (id_,) in loaded.facts(event_type, "subject_id")] == left
    again = loaded.load(app(loaded.desk(grown(BUSINESS, **given), day(63))), day(63))[stream]
    assert again.counts == (0, 0, 0, 0)
    restored = loaded.load(app(loaded.desk(BUSINESS, day(80))), day(80))[stream]  # with the last change it had before
    assert (restored.failure, restored.load.inserted) == (None, 1)
    assert [id_ for (id_,) in loaded.facts(event_type, "subject_id")] == before
    assert loaded.load(app(loaded.desk(BUSINESS, day(81))), day(81))[stream].counts == (0, 0, 0, 0)


def test_an_archived_deal_is_a_deal_like_others(loaded: Office) -> None:
    """A year after they were closed this company's deals are archived, and leave the list of deals."""
    before = loaded.log()
    at = day(500)
    served = Tampering(app(loaded.desk(BUSINESS, at)))
    assert loaded.load(served, at)["deals"].failure is None
    live = [one for one in served.exchanges if one.path == "/api/v2/deals" and "deleted" not in one.query]
    assert [one.content["data"] for one in live] == [[], []]  # what has changed; after so long, all there is
    assert loaded.log().filter(pl.col("stream") == "deals").equals(before.filter(pl.col("stream") == "deals"))


def test_a_first_reading_finds_the_archived_deals_too(office: Office) -> None:
    at = day(500)
    office.load(app(office.desk(BUSINESS, at)), at)
    assert office.facts("deal.won", "subject_id", "occurred_at") == [("301", day(41))]
    assert office.facts("deal.lost", "subject_id") == [("302",)]


def test_a_merged_person_is_withdrawn_and_what_they_had_is_the_others(loaded: Office) -> None:
    merges = (Merge(winner_id=1, victim_id=2, at=day(61)),)
    reports = loaded.load(app(loaded.desk(BUSINESS, day(62)), merges), day(62))
    assert {one.failure for one in reports.values()} == {None}
    assert [id_ for (id_,) in loaded.facts("lead.created", "subject_id")] == ["1", "4"]
    assert loaded.facts("deal.won", "subject_id", "account_id") == [("301", "1")]
    assert loaded.facts("meeting.held", "subject_id", "account_id") == [("601", "1")]
    again = loaded.load(app(loaded.desk(BUSINESS, day(63)), merges), day(63))
    assert {one.counts for one in again.values()} == {(0, 0, 0, 0)}


def test_a_field_that_is_declared_later_is_read_of_every_deal(loaded: Office) -> None:
    """Without it, what has not changed lately would lack it for ever."""
    more = PipedriveOptions.model_validate(
        {**OPTIONS.model_dump(), "sales": [{**OPTIONS.sales[0].model_dump(), "category": "producto", "market": None}]}
    )
    with_less = loaded.facts("deal.won", "category")
    reports = loaded.load(app(loaded.desk(BUSINESS, day(62))), day(62), more)
    assert reports["deals"].load.covered is not None
    assert reports["deals"].load.covered.start is None
    assert (with_less, loaded.facts("deal.won", "category")) == ([(None,)], [("Servicios",)])


def test_what_was_deleted_goes_also_where_everything_is_read_again(loaded: Office) -> None:
    """A list of what there is does not say what there was."""
    deleted = grown(BUSINESS, contacts=(replace(BUSINESS.contacts[0], archived_at=day(61)), *BUSINESS.contacts[1:]))
    other = PipedriveOptions.model_validate(
        {**OPTIONS.model_dump(exclude_defaults=True), "persons": {"lifecycle": "ciclo_de_vida"}}
    )
    report = loaded.load(app(loaded.desk(deleted, day(62))), day(62), other)["persons"]
    assert (report.load.covered and report.load.covered.start, report.failure) == (None, None)
    assert [id_ for (id_,) in loaded.facts("lead.created", "subject_id")] == ["2", "4"]


def test_what_is_gone_for_good_is_not_looked_for_for_ever(loaded: Office) -> None:
    deleted = grown(BUSINESS, activities=(replace(BUSINESS.activities[0], archived_at=day(61)),))
    looked_for = []
    for at in (day(62), day(63), day(95), day(96)):
        served = Tampering(app(loaded.desk(deleted, at)))
        assert loaded.load(served, at)["activities"].failure is None
        looked_for.append([one.query for one in served.exchanges if "ids=" in one.query])
    assert [len(one) for one in looked_for] == [0, 1, 1, 0]
    assert "ids=401" in looked_for[1][0]


def test_the_log_is_the_same_however_the_days_were_loaded(office: Office, tmp_path: Path) -> None:
    at_once = Office(tmp_path / "at_once", office.environment)
    end = day(64)
    for at in (day(10), day(14, 10), day(16, 12), day(26), day(50), end):
        office.load(app(office.desk(BUSINESS, at)), at)
    at_once.load(app(at_once.desk(BUSINESS, end)), end)
    columns = ("fact_key", "event_type", "occurred_at", "amount", "stage", "actor", "product", "forecast_month")
    assert office.log().select(columns).equals(at_once.log().select(columns))


def test_products_that_are_attached_say_what_is_sold_ten_tokens_a_page(office: Office) -> None:
    company = grown(BUSINESS, deals=tuple(deal(3000 + n, (day(6), "contacto"), (day(7), "ganado")) for n in range(30)))
    served = Tampering(app(office.desk(company, NOW)))
    options = amended(sales=[{**SALES, "product": None, "product_of_lines": True}])
    assert office.load(served, NOW, options)["deals"].failure is None
    assert office.facts("deal.won", "product") == [("Plataforma",)] * 30
    assert sum(one.path == "/api/v2/deals/products" for one in served.exchanges) == 2
