"""What HubSpot's records come to in the log: a small agency's facts, what corrects them, and what withdraws them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hubspot_agency import (
    ACCOUNT,
    OPTIONS,
    Exchange,
    Office,
    Tampering,
    activity,
    agency,
    changes,
    contact,
    day,
    listing,
    sale,
)
from shop import code

from kr_definitions.events import RETRACTED
from pipelines.hubspot import HUBSPOT, HubSpotOptions
from pipelines.hubspot.options import PERSONAL_PROPERTIES, Contacts
from pipelines.sandbox.company import Company
from pipelines.sandbox.hubspot import Merge, app
from pipelines.sandbox.hubspot.shown import owner_id, text_of

HUBSPOT_TYPES = ("contacts", "deals", "calls", "meetings")
ANA = owner_id("ana")
NOW = day(60)
LISTING = listing(
    201,
    day(5, 10),
    day(6),
    mandate=changes((day(6), "open"), (day(20), "exclusive")),
    price=changes((day(6), Decimal(200_000)), (day(25), Decimal(190_000))),
    portals=changes(
        (day(7), ("idealista", "fotocasa")), (day(15), ("idealista", "pisos")), (day(18), ()), (day(19), ("idealista",))
    ),
)
SALE = sale(
    301,
    (day(12), "appointment"),
    (day(15), "offer"),
    (day(16), "won"),
    (day(17), "offer"),
    (day(20), "reservation"),
    (day(41), "won"),
    buyer_id=2,
    listing_id=201,
    amount=changes((day(12), Decimal(5000)), (day(20), Decimal(6000)), (day(46), Decimal("5800.50"))),
)
AGENCY = agency(
    contacts=[
        contact(1, (day(2), "lead"), (day(4), "marketingqualifiedlead"), (day(32), "customer"), channel="portal"),
        contact(2, (day(10), "lead"), referrer_id=1, channel="referral", market="Getafe"),
        contact(3, (day(11), "lead"), archived_at=day(12)),
        contact(4, (day(61), "lead")),
    ],
    listings=[LISTING],
    sales=[SALE, sale(302, (day(13), "appointment"), (day(14), "lost"))],
    activities=[
        activity(401, "call", day(8), "connected"),
        activity(402, "call", day(70), None, entered_at=day(8)),
        activity(403, "call", day(8, 10), "no_answer", entered_at=day(10)),
        activity(501, "visit", day(9), "completed", seconds=2700, entered_at=day(7)),
        activity(502, "visit", day(9, 11), "no_show", seconds=2700),
        activity(601, "meeting", day(9, 12), "completed", seconds=1800, contact_id=2),
    ],
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


@pytest.fixture
def loaded(office: Office) -> Office:
    """A lake of the test's own, into which the agency was loaded."""
    reports = office.load(app(office.desk(AGENCY, NOW)), NOW)
    assert [one.failure for one in reports.values()] == [None] * 4
    return office


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A lake into which the agency was loaded, for tests that only look at it."""
    with pytest.MonkeyPatch.context() as environment:
        office = Office(tmp_path_factory.mktemp("told"), environment)
        office.load(app(office.desk(AGENCY, NOW)), NOW)
        yield office


# The facts of a small agency


def test_a_contact_is_a_lead_once_and_enters_each_stage_of_its_life(told: Office) -> None:
    assert told.facts("lead.created", "subject_id", "account_id", "occurred_at", "channel", "market") == [
        ("1", "1", day(2), "portal", "Madrid"),
        ("2", "2", day(10), "referral", "Getafe"),
    ]
    assert told.facts("lifecycle.entered", "subject_id", "occurred_at", "lifecycle", "channel") == [
        ("1", day(2), "lead", "portal"),
        ("1", day(4), "marketingqualifiedlead", "portal"),
        ("2", day(10), "lead", "referral"),
        ("1", day(32), "customer", "portal"),
    ]


def test_a_referral_is_the_account_of_the_customer_who_recommended(told: Office) -> None:
    assert told.facts("referral.received", "subject_id", "account_id", "occurred_at", "channel", "market") == [
        ("2", "1", day(10), "referral", None)
    ]


def test_a_sale_says_its_amount_as_it_was_at_each_stage_and_as_it_is_now_when_won(told: Office) -> None:
    columns = ("subject_id", "occurred_at", "stage", "amount")
    assert told.facts("deal.created", *columns) == [
        ("301", day(12), "appointment", Decimal(5000)),
        ("302", day(13), "appointment", Decimal(5000)),
    ]
    assert told.facts("deal.stage_entered", *columns) == [
        ("301", day(12), "appointment", Decimal(5000)),
        ("302", day(13), "appointment", Decimal(5000)),
        ("302", day(14), "lost", Decimal(5000)),
        ("301", day(15), "offer", Decimal(5000)),
        ("301", day(16), "won", Decimal(5000)),
        ("301", day(17), "offer", Decimal(5000)),
        ("301", day(20), "reservation", Decimal(6000)),
        ("301", day(41), "won", Decimal(6000)),
    ]
    assert told.facts("deal.amount_changed", *columns) == [
        ("301", day(20), "reservation", Decimal(6000)),
        ("301", day(46), "won", Decimal("5800.50")),
    ]
    assert told.facts("deal.lost", *columns) == [("302", day(14), None, Decimal(5000))]


def test_a_sale_that_was_put_back_is_won_when_it_is_won_at_last(told: Office) -> None:
    columns = ("subject_id", "account_id", "actor", "occurred_at", "amount", "currency", "pipeline", "market")
    assert told.facts("deal.won", *columns) == [
        ("301", "2", ANA, day(41), Decimal("5800.50"), "EUR", "ventas", "Getafe")
    ]


def test_a_listing_is_captured_when_the_agency_says_with_the_price_and_mandate_of_then(told: Office) -> None:
    columns = (
        "subject_id",
        "account_id",
        "actor",
        "occurred_at",
        "amount",
        "currency",
        "mandate",
        "market",
        "category",
    )
    assert told.facts("listing.captured", *columns) == [
        ("201", "1", ANA, day(5, 10), Decimal(200_000), "EUR", "open", "Getafe", "flat")
    ]


def test_a_listing_is_published_on_each_portal_as_often_as_it_is_added(told: Office) -> None:
    assert told.facts("listing.published", "subject_id", "occurred_at", "portal", "market", "amount") == [
        ("201", day(7), "fotocasa", "Getafe", None),
        ("201", day(7), "idealista", "Getafe", None),
        ("201", day(15), "pisos", "Getafe", None),
        ("201", day(19), "idealista", "Getafe", None),
    ]


def test_only_calls_that_took_place_are_made_and_last_as_long_as_they_did(told: Office) -> None:
    columns = ("subject_id", "account_id", "actor", "occurred_at", "outcome", "direction", "quantity")
    assert told.facts("call.made", *columns) == [
        ("401", "1", ANA, day(8), "connected", "outbound", Decimal(90)),
        ("403", "1", ANA, day(8, 10), "no_answer", "outbound", Decimal(90)),
    ]


def test_meetings_are_scheduled_when_entered_and_held_as_visits_or_meetings_when_they_took_place(
    told: Office,
) -> None:
    assert told.facts("meeting.scheduled", "subject_id", "occurred_at", "category") == [
        ("501", day(7), "Visita"),
        ("502", day(9, 11), "Visita"),
        ("601", day(9, 12), "Reunión"),
    ]
    columns = ("subject_id", "account_id", "occurred_at", "outcome", "quantity", "category")
    assert told.facts("visit.held", *columns) == [("501", "1", day(9), "completed", Decimal(45), None)]
    assert told.facts("meeting.held", *columns) == [("601", "2", day(9, 12), "completed", Decimal(30), "Reunión")]


def test_nothing_else_is_in_the_log_and_each_fact_links_to_its_record(told: Office) -> None:
    log = told.log()
    root = "https://app-eu1.hubspot.com/contacts/27182818/record"
    assert log.height == 33
    types = {"contacts": "0-1", "deals": "0-3", "calls": "0-48", "meetings": "0-47"}
    linked = pl.format(f"{root}/{{}}/{{}}", pl.col("stream").replace(types), "subject_id")
    assert log.filter(pl.col("source_url").ne_missing(linked)).height == 0


def test_streams_feed_exactly_what_their_facts_are(told: Office) -> None:
    fed = {stream.name: set(stream.feeds) for stream in HUBSPOT.streams(ACCOUNT, OPTIONS)}
    stated = told.log().group_by("stream").agg(pl.col("event_type").unique())
    assert fed == {stream: set(types) for stream, types in stated.iter_rows()}


# What comes later


def test_loading_twice_changes_nothing(loaded: Office) -> None:
    before = loaded.lake.log.scan().collect()
    again = loaded.load(app(loaded.desk(AGENCY, NOW)), NOW + timedelta(minutes=1))
    assert {one.counts for one in again.values()} == {(0, 0, 0, 0)}
    stated = loaded.lake.log.scan().filter(pl.col("event_type") != "source.covered").collect()
    assert stated.equals(before.filter(pl.col("event_type") != "source.covered"))


def grown(company: Company, **lists: object) -> Company:
    return replace(company, **lists)


def test_an_increment_fetches_only_what_changed(loaded: Office) -> None:
    later = grown(
        AGENCY,
        sales=(replace(SALE, amount=(*SALE.amount, *changes((day(61), Decimal(5700))))), AGENCY.sales[1]),
        activities=(*AGENCY.activities, activity(701, "call", day(61, 8), "connected")),
    )
    served = Tampering(app(loaded.desk(later, day(62))))
    reports = loaded.load(served, day(62))
    assert {name: one.load.inserted for name, one in reports.items()} == {
        "contacts": 1, "deals": 1, "calls": 1, "meetings": 0,
    }  # fmt: skip
    assert {name: one.load.delivered for name, one in reports.items()} == {
        "contacts": 2, "deals": 1, "calls": 1, "meetings": 0,
    }  # fmt: skip
    asked = Counter(path.removeprefix("POST /crm/v3/") for path in served.paths() if path.startswith("POST"))
    assert asked == {
        "objects/contacts/search": 4,  # its own changes, and merged ones for each of the others
        "objects/contacts/batch/read": 1,
        "objects/deals/search": 1,
        "objects/deals/batch/read": 1,
        "associations/deals/contacts/batch/read": 1,
        "objects/calls/search": 1,
        "objects/calls/batch/read": 1,
        "associations/calls/contacts/batch/read": 1,
        "objects/meetings/search": 1,
    }
    lists = [one for one in served.exchanges if one.method == "GET" and one.path.startswith("/crm/v3/objects/")]
    assert Counter(one.path.rpartition("/")[2] for one in lists) == dict.fromkeys(HUBSPOT_TYPES, 1)
    assert all("archived=true" in one.query for one in lists)


def test_a_corrected_fee_corrects_the_win(loaded: Office) -> None:
    later = grown(AGENCY, sales=(replace(SALE, amount=(*SALE.amount, *changes((day(61), Decimal(5700))))),))
    report = loaded.load(app(loaded.desk(later, day(62))), day(62))["deals"]
    assert report.counts == (1, 2, 1, 0)  # the win restated, the change stated; the old win withdrawn
    assert loaded.facts("deal.won", "occurred_at", "amount") == [(day(41), Decimal(5700))]
    withdrawn = loaded.lake.log.scan().filter(pl.col("event_type") == RETRACTED).select("fact_key", "amount").collect()
    assert withdrawn.rows() == [("deal/301/won", Decimal("5800.50"))]


def test_a_win_that_is_put_back_is_withdrawn(loaded: Office) -> None:
    later = grown(AGENCY, sales=(replace(SALE, stages=(*SALE.stages, *changes((day(61), "reservation")))),))
    loaded.load(app(loaded.desk(later, day(62))), day(62))
    assert loaded.facts("deal.won", "subject_id") == []
    assert ("301", day(61), "reservation") in loaded.facts("deal.stage_entered", "subject_id", "occurred_at", "stage")


def test_a_later_exclusive_mandate_does_not_correct_the_capture(office: Office) -> None:
    for at in (day(10), day(22)):
        reports = office.load(app(office.desk(AGENCY, at)), at)
        captured = office.facts("listing.captured", "mandate", "amount")
        assert (captured, reports["deals"].failure) == ([("open", Decimal(200_000))], None)
    assert office.lake.log.scan().filter(pl.col("event_type") == RETRACTED).collect().height == 0


def test_an_archived_record_is_withdrawn_and_comes_back_when_it_is_restored(loaded: Office) -> None:
    """Neither moves the record's last change, so search tells of neither."""
    first = AGENCY.activities[0]
    archived = grown(AGENCY, activities=(replace(first, archived_at=day(61)), *AGENCY.activities[1:]))
    assert loaded.load(app(loaded.desk(archived, day(62))), day(62))["calls"].counts == (1, 0, 1, 0)
    assert loaded.facts("call.made", "subject_id") == [("403",)]
    assert loaded.load(app(loaded.desk(archived, day(63))), day(63))["calls"].counts == (0, 0, 0, 0)
    assert loaded.load(app(loaded.desk(AGENCY, day(64))), day(64))["calls"].counts == (1, 1, 0, 0)
    assert loaded.facts("call.made", "subject_id") == [("401",), ("403",)]
    assert loaded.load(app(loaded.desk(AGENCY, day(65))), day(65))["calls"].counts == (0, 0, 0, 0)


def test_a_record_that_leaves_the_archive_for_good_stays_withdrawn(loaded: Office) -> None:
    archived = grown(AGENCY, sales=(replace(SALE, archived_at=day(61)),))
    for at in (day(62), day(62 + 91), day(62 + 92)):
        assert loaded.load(app(loaded.desk(archived, at)), at)["deals"].failure is None
    assert loaded.facts("deal.won", "subject_id") == []


def test_a_merged_contact_is_withdrawn_and_its_winner_keeps_every_fact(loaded: Office) -> None:
    before = set(loaded.facts("lifecycle.entered", "subject_id", "occurred_at", "lifecycle"))
    merges = (Merge(winner_id=2, victim_id=1, at=day(61)),)
    report = loaded.load(app(loaded.desk(AGENCY, day(62)), merges), day(62))["contacts"]
    assert report.failure is None
    after = set(loaded.facts("lifecycle.entered", "subject_id", "occurred_at", "lifecycle"))
    assert after == {
        ("2", day(2), "lead"),  # the winner's history is now both
        ("2", day(4), "marketingqualifiedlead"),
        ("2", day(10), "lead"),
        ("2", day(32), "customer"),
        ("4", day(61), "lead"),
    }
    assert {fact for fact in before if fact[0] == "2"} <= after
    assert loaded.facts("lead.created", "subject_id", "occurred_at") == [("2", day(2)), ("4", day(61))]
    assert loaded.facts("referral.received", "subject_id", "account_id") == [("2", "1")]
    again = loaded.load(app(loaded.desk(AGENCY, day(63)), merges), day(63))
    assert {one.counts for one in again.values()} == {(0, 0, 0, 0)}


def test_what_was_done_with_a_merged_contact_was_done_with_its_winner(loaded: Office) -> None:
    """Its deals, calls and meetings have the winner now, though their own last changes have not moved."""
    merges = (Merge(winner_id=2, victim_id=1, at=day(61)),)
    loaded.load(app(loaded.desk(AGENCY, day(62)), merges), day(62))
    of_deals = ("deal.created", "deal.won", "deal.lost", "listing.captured", "call.made", "visit.held", "meeting.held")
    accounts = loaded.log().filter(pl.col("event_type").is_in(of_deals)).get_column("account_id")
    assert set(accounts) == {"2"}


def test_a_first_load_after_a_merge_states_only_the_winner(office: Office) -> None:
    office.load(app(office.desk(AGENCY, NOW), (Merge(winner_id=2, victim_id=1, at=day(50)),)), NOW)
    assert {id_ for (id_,) in office.facts("lifecycle.entered", "subject_id")} == {"2"}
    assert {id_ for (id_,) in office.facts("call.made", "account_id")} == {"2"}


def test_a_property_that_is_declared_later_is_read_of_every_record(office: Office) -> None:
    """What has not changed lately has it too; an increment alone would never see that."""
    listings = [one.model_copy(update={"portals": None, "mandate": None}) for one in OPTIONS.listings]
    before = OPTIONS.model_copy(update={"listings": tuple(listings)})
    office.load(app(office.desk(AGENCY, NOW)), NOW, before)
    assert office.facts("listing.captured", "mandate") == [(None,)]
    later = NOW + timedelta(hours=3)
    reports = office.load(app(office.desk(AGENCY, later)), later)
    assert {name: one.load.delivered for name, one in reports.items()} == {
        "contacts": 1, "deals": 3, "calls": 0, "meetings": 0,
    }  # fmt: skip
    assert office.facts("listing.captured", "mandate") == [("open",)]
    assert len(office.facts("listing.published", "portal")) == 4


def test_the_log_is_the_same_however_the_days_were_loaded(office: Office, tmp_path: Path) -> None:
    at_once = Office(tmp_path / "at_once", office.environment)
    at_once.load(app(at_once.desk(AGENCY, NOW)), NOW)
    for number in (6, 13, 41, 60):
        office.load(app(office.desk(AGENCY, day(number))), day(number))
    columns = [name for name in office.log().columns if name not in ("event_id", "recorded_at", "read_at")]
    assert office.log().select(columns).equals(at_once.log().select(columns))


# Forecasts

FORECASTING = OPTIONS.model_copy(update={"sales": (OPTIONS.sales[0].model_copy(update={"forecast": True}),)})
CLOSES = {
    "301": ((day(12), "2026-02-28T10:00:00Z"), (day(30), "2026-03-15T10:00:00Z")),
    "302": ((day(13), "2026-02-10T10:00:00Z"),),
}


def closing(closes: dict[str, tuple[tuple[datetime, str], ...]]) -> Callable[[Exchange], Any]:
    """Deals that have close dates, where they are asked for."""

    def with_close_dates(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        if "closedate" not in exchange.query + exchange.body.decode():
            return None
        results = exchange.content["results"]
        for one in results:
            entries = [{"timestamp": text_of(at), "value": value} for at, value in reversed(closes.get(one["id"], ()))]
            if entries:
                one["properties"]["closedate"] = entries[0]["value"]
                one["propertiesWithHistory"]["closedate"] = entries
        return 200, {}, orjson.dumps({**exchange.content, "results": results})

    return with_close_dates


def test_forecasts_follow_the_histories_and_a_corrected_history_corrects_them(office: Office) -> None:
    columns = ("subject_id", "occurred_at", "forecast_month", "amount", "currency", "market")
    served = Tampering(app(office.desk(AGENCY, NOW)), closing(CLOSES))
    assert office.load(served, NOW, FORECASTING)["deals"].failure is None
    february, march, april = (date(2026, month, 1) for month in (2, 3, 4))
    first = [
        ("301", day(12), february, Decimal(5000), "EUR", "Getafe"),
        ("302", day(13), february, Decimal(5000), "EUR", None),
        ("302", day(14), february, Decimal(0), "EUR", None),
        ("301", day(20), february, Decimal(6000), "EUR", "Getafe"),
    ]
    assert office.facts("forecast.stated", *columns) == [
        *first,
        ("301", day(30), march, Decimal(6000), "EUR", "Getafe"),
        ("301", day(46), march, Decimal("5800.50"), "EUR", "Getafe"),
    ]
    again = office.load(served, NOW + timedelta(minutes=1), FORECASTING)
    assert {one.counts for one in again.values()} == {(0, 0, 0, 0)}

    later = grown(AGENCY, sales=(replace(SALE, amount=(*SALE.amount, *changes((day(61), Decimal(5700))))),))
    corrected = {**CLOSES, "301": (CLOSES["301"][0], (day(30), "2026-04-15T10:00:00Z"))}
    report = office.load(Tampering(app(office.desk(later, day(62))), closing(corrected)), day(62), FORECASTING)["deals"]
    assert report.counts == (1, 5, 3, 0)  # the win and two forecasts restated; a change and a forecast are new
    assert office.facts("forecast.stated", *columns) == [
        *first,
        ("301", day(30), april, Decimal(6000), "EUR", "Getafe"),
        ("301", day(46), april, Decimal("5800.50"), "EUR", "Getafe"),
        ("301", day(61), april, Decimal(5700), "EUR", "Getafe"),
    ]


def test_a_forecast_that_is_asked_for_later_is_stated_of_every_deal(office: Office) -> None:
    office.load(Tampering(app(office.desk(AGENCY, NOW)), closing(CLOSES)), NOW)
    assert office.facts("forecast.stated", "subject_id") == []
    later = NOW + timedelta(hours=3)
    office.load(Tampering(app(office.desk(AGENCY, later)), closing(CLOSES)), later, FORECASTING)
    assert len(office.facts("forecast.stated", "subject_id")) == 6


# Options


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"portal_id": "no"}, "portal_id"),
        ({"contacts": {"channel": "email"}}, "email holds personal data"),
        ({"currency": "euro"}, "currency"),
        ({"sales": [{"pipeline": "default", "won": []}]}, "won"),
        ({"sales": [{"pipeline": "p", "won": ["a", "b"], "lost": ["b"]}], "currency": "EUR"}, "both won and lost"),
        ({"sales": [{"pipeline": "p", "won": ["a"]}]}, "set currency"),
        (
            {
                "currency": "EUR",
                "sales": [{"pipeline": "p", "won": ["a"]}],
                "listings": [{"pipeline": "p", "captured": ["b"]}],
            },
            "declared twice",
        ),
        ({"wonstages": ["a"]}, "Extra inputs"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HubSpotOptions.model_validate({"portal_id": "1", **given})


def test_an_account_without_deals_calls_or_meetings_has_only_contacts() -> None:
    options = HubSpotOptions.model_validate({"portal_id": "1", "calls": None, "meetings": None})
    streams = HUBSPOT.streams(ACCOUNT, options)
    assert [(one.name, one.feeds) for one in streams] == [("contacts", ("lead.created", "lifecycle.entered"))]


@pytest.mark.parametrize(
    ("stream", "where", "wrong", "said"),
    [
        ("contacts", {"contacts": {"market": "municipi"}}, "municipi", "municipio"),
        ("contacts", {"contacts": {"new_customer_stages": ["leads"]}}, "leads", "lead"),
        ("contacts", {"contacts": {"campaign": "municipios"}}, "municipios", "municipio"),
        ("calls", {"calls": {"segment": "hs_timestamps"}}, "hs_timestamps", "hs_timestamp"),
        ("meetings", {"meetings": {"visits": ["Visitas"]}}, "Visitas", "Visita"),
        ("meetings", {"meetings": {"categories": {"Visitas": "viewing"}}}, "Visitas", "Visita"),
        ("meetings", {"meetings": {"product": "hs_timestamps"}}, "hs_timestamps", "hs_timestamp"),
        ("deals", {"currency": "EUR", "sales": [{"pipeline": "defalt", "won": ["closedwon"]}]}, "defalt", "default"),
        (
            "deals",
            {"currency": "EUR", "sales": [{"pipeline": "default", "won": ["closewon"]}]},
            "closewon",
            "closedwon",
        ),
    ],
)
def test_a_name_that_the_account_does_not_have_stops_its_stream_and_is_named(
    office: Office, stream: str, where: dict[str, object], wrong: str, said: str
) -> None:
    options = HubSpotOptions.model_validate({"portal_id": "1", **where})
    reading = office.read(app(office.desk(AGENCY, NOW)), stream, NOW, options=options)
    assert reading.failure is not None
    assert f"'{wrong}'" in reading.failure
    assert said in reading.failure
    assert reading.records == []


# By what else contacts are known


def knowing(*by: object) -> HubSpotOptions:
    return OPTIONS.model_copy(update={"contacts": Contacts.model_validate({"identified_by": by})})


def test_contacts_are_known_by_their_addresses_domains_and_properties(office: Office) -> None:
    says = {"email": "Ana@Acme.Example", "hs_additional_emails": "ana@otra.example", "cliente_que_recomienda": "9"}
    company = agency(contacts=[contact(1, (day(2), "lead"), says=says), contact(2)])
    served = Tampering(app(office.desk(company, NOW)))
    office.load(served, NOW, knowing("email", "domain", {"external_id": "cliente_que_recomienda"}))
    said = office.facts("account.identified", "account_id", "identified_by", "identifier", "occurred_at")
    assert sorted(row for row in said if row[0] == "1") == [
        ("1", "domain", "acme.example", day(2)),
        ("1", "domain", "otra.example", day(2)),
        *sorted(("1", "email", code(f"ana@{domain}.example"), day(2)) for domain in ("acme", "otra")),
        ("1", "external_id", "9", day(2)),
    ]
    stored = office.lake.raw.scan("hubspot", "contacts").collect()["payload"].to_list()
    assert {name for one in stored for name in orjson.loads(one)["properties"]}.isdisjoint(PERSONAL_PROPERTIES)


def test_an_address_is_asked_for_only_where_it_identifies(office: Office) -> None:
    served = Tampering(app(office.desk(AGENCY, NOW)))
    office.load(served, NOW, knowing("cliente_que_recomienda"))
    assert not [one for one in served.exchanges if "email" in one.query + one.body.decode()]


def test_where_something_else_identifies_contacts_all_are_read_again(office: Office) -> None:
    for hour, by in enumerate((["domain"], ["email"], [{"mail": "email"}])):
        office.load(app(office.desk(AGENCY, NOW)), NOW + timedelta(hours=hour), knowing(*by))
        known = {name for (name,) in office.facts("account.identified", "identified_by")}
        assert known == {"mail" if hour == 2 else by[0]}


def test_a_contact_that_was_merged_is_known_by_nothing_any_more(office: Office) -> None:
    office.load(app(office.desk(AGENCY, NOW)), NOW, knowing("email"))
    merges = [Merge(1, 2, NOW + timedelta(hours=1))]
    office.load(app(office.desk(AGENCY, day(61)), merges), day(61), knowing("email"))
    assert {account for (account,) in office.facts("account.identified", "account_id")} == {"1", "4"}
