"""Inmovilla against its stand-in: leads that have no id, properties read by what changed, and what is loud."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from helpdesk_office import Exchange, Office, Reading, StoredOffice, at, changes
from hubspot_agency import agency, contact, listing
from pydantic import ValidationError

from kr_definitions.coverage import coverage
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.inmovilla import INMOVILLA, InmovillaOptions
from pipelines.inmovilla.api import Pace
from pipelines.inmovilla.leads import PAYLOAD as LEAD
from pipelines.inmovilla.leads import facts as facts_of_leads
from pipelines.inmovilla.listings import PAYLOAD as LISTING
from pipelines.inmovilla.listings import facts as facts_of_listings
from pipelines.inmovilla.publications import PAYLOAD as PUBLICATION
from pipelines.inmovilla.publications import PORTALS
from pipelines.inmovilla.publications import facts as facts_of_publications
from pipelines.inmovilla.times import last_instant, naive
from pipelines.sandbox import inmovilla as stand_in
from pipelines.sandbox.company import Company, Listing
from pipelines.source import Covered, Read, SourceConfigError

OPTIONS = InmovillaOptions.model_validate(
    {"channels": {"idealista.com": "portal"}, "categories": {2799: "flat"}, "markets": {28003: "Getafe"},
     "portals": True, "history_days": 60}
)  # fmt: skip
NOW = at(20)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, INMOVILLA, OPTIONS, stand_in)


def enquiries(*days: int, first: int = 30, hour: int = 9) -> Company:
    """A lead at nine o'clock (UTC) of each of these days of March, at intervals of a minute where a day comes again."""
    times = [at(day, hour, days[:n].count(day)) for n, day in enumerate(days)]
    return agency(contacts=[contact(first * 29 + 1 + n, (when, "lead")) for n, when in enumerate(times)])


def taken_on(number: int, day: int, **more: Any) -> Listing:
    """A flat in Getafe, taken on in March; portals: of days of March, or one value from then on."""
    portals = more.pop("portals", {})
    told = changes(*((at(when, 12), tuple(names.split())) for when, names in portals.items()))
    return listing(number, at(day), at(day, 10), portals=told, **more)


def changing(change: Callable[[Exchange, Any], Any]) -> Callable[[Exchange], Any]:
    """The stand-in, with answers changed on their way where `change` gives another one."""

    def alter(exchange: Exchange) -> tuple[int, Mapping[str, str], bytes] | None:
        changed = change(exchange, exchange.content)
        return None if changed is None else (exchange.status, {}, json.dumps(changed).encode())

    return alter


def asks(exchange: Exchange, what: str) -> bool:
    return what in exchange.query


def reading(
    office: Office, of: Company, stream: str = "leads", now: datetime = NOW, alter: Any = None,
    after: Covered | None = None, mark: str | None = None, **settings: Any,
) -> tuple[Reading, list[str]]:  # fmt: skip
    """One reading of a stream, and what was asked. after: what the reading before came to."""
    served = office.served(of, now, alter, **settings)
    since = None if after is None else after.end - office.stream(stream).overlap
    found = office.read(served, stream, Read(since, now, after and after.cursor, office.clock, mark))
    return found, [one.query for one in served.exchanges]


def covered(found: Reading) -> Covered:
    assert found.failure is None
    assert found.covered is not None
    return found.covered


# Leads


def test_every_lead_is_read_once_whatever_pages_count_from_and_in_whichever_order(office: Office) -> None:
    of = enquiries(*([5] * 25), *([6] * 3))
    expected, _ = reading(office, of)
    assert len(set(expected.keys)) == len(expected.keys) == 28
    for settings in ({"first_page": 0}, {"newest_first": False}, {"is_end_included": False}, {"first_page": 7}):
        found, _ = reading(office, of, **settings)
        assert sorted(found.keys) == sorted(expected.keys) or settings == {"first_page": 7}, settings
        assert found.failure is None or (settings == {"first_page": 7} and "came before" in found.failure)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 21])
def test_the_last_page_is_found_however_full_it_is(office: Office, count: int) -> None:
    found, _ = reading(office, enquiries(*([10] * count)))
    assert (len(found.keys), found.failure) == (count, None)


def test_two_equal_leads_are_two_and_stay_two(office: Office) -> None:
    of = agency(contacts=[contact(29 * 50, (at(10), "lead")), contact(29 * 50 + 1, (at(11), "lead"))])
    first, _ = reading(office, of)
    [other, code, second] = first.keys
    assert second == f"{code}/2"
    assert other != code
    again, _ = reading(office, of)
    assert again.records == first.records


def test_equal_leads_on_both_sides_of_a_page_are_told_from_a_page_that_moved(office: Office) -> None:
    """Ten and eleven leads: the two equal ones are the last of a page and the first of the next."""
    early = [contact(29 * 60 + 1 + n, (at(9, 9, n), "lead")) for n in range(3)]
    late = [contact(29 * 70 + 1 + n, (at(12, 9, n), "lead")) for n in range(9)]
    of = agency(contacts=[*early, contact(29 * 50, (at(10), "lead")), *late])
    found, _ = reading(office, of)
    assert len(found.keys) == 14
    assert sum(key.endswith("/2") for key in found.keys) == 1


def test_a_lead_that_comes_in_while_pages_are_read_is_counted_once(office: Office) -> None:
    office.with_options(history_days=15)
    of = enquiries(*([10] * 15))
    newest = {"date": "2026-03-20 09:59:00", "source": "web", "contact_email": "ana@correo.example"}
    asked, pushed_out = 0, []

    def arrive(exchange: Exchange, content: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1 or "leads" not in content:
            return None
        if "page=2" in exchange.query:
            return {"leads": [pushed_out[0], *content["leads"]]}
        pushed_out[:] = content["leads"][-1:]
        return {"leads": [newest, *content["leads"][:-1]]}

    found, _ = reading(office, of, alter=changing(arrive))
    assert found.failure is None
    assert len(set(found.keys)) == len(found.keys) == 16


def test_leads_of_one_second_that_come_in_another_order_are_the_same_ones(office: Office) -> None:
    office.with_options(history_days=15)
    orders = iter(range(100))

    def turn(exchange: Exchange, content: Any) -> Any:
        return {"leads": content["leads"][:: -1 if next(orders) % 2 else 1]} if content.get("leads") else None

    of = agency(contacts=[contact(29 * n + 1, (at(10), "lead")) for n in range(15)])
    found, _ = reading(office, of, alter=changing(turn))
    assert (len(set(found.keys)), len(found.keys), found.failure) == (15, 15, None)


def test_more_leads_than_fit_into_a_run_are_read_by_fewer_days_and_starve_nobody(office: Office) -> None:
    office.with_options(history_days=25)
    of = enquiries(*(1 + n % 20 for n in range(100)))
    whole, _ = reading(office, of)
    office.with_options(requests_a_run=40)
    listed = Pace(40, ("leads", "listings", "publications"))
    assert (listed.kept, listed.share("leads")) == (6, 28)
    found, asked = reading(office, of)
    assert "made, or kept for its other streams" in str(found.failure)
    assert len(asked) == 28
    keys = [*found.keys]
    for _ in range(4):
        assert json.loads(found.marks[-1])["days"] < 25
        found, _ = reading(office, of, mark=found.marks[-1])
        keys += found.keys
        if found.covered is not None:
            break
    assert covered(found)
    assert sorted(keys) == sorted(whole.keys)


def test_what_is_kept_for_a_stream_is_free_once_it_has_ended(office: Office) -> None:
    pace = Pace(20, ("leads", "listings"))
    assert sum(pace.take("leads", office.clock) for _ in range(30)) == 15
    pace.ended.add("listings")
    assert sum(pace.take("leads", office.clock) for _ in range(30)) == 5


def test_a_list_that_is_another_one_each_time_is_loud(office: Office) -> None:
    times = iter(range(60))

    def flicker(exchange: Exchange, content: Any) -> Any:
        return {"leads": [{"date": f"2026-03-10 09:00:{next(times):02d}"}]} if content.get("leads") else None

    found, _ = reading(office, enquiries(10), alter=changing(flicker))
    assert "were others each of 4 times" in str(found.failure)
    assert found.records == []


def test_days_are_asked_for_in_spans_and_an_interrupted_reading_goes_on_with_the_next(office: Office) -> None:
    office.with_options(requests_a_run=3)
    of = enquiries(-20, 10)
    found, asked = reading(office, of)
    assert "the 3 requests that a run may make are made" in str(found.failure)
    assert [re.findall(r"=([\d-]+)", one) for one in asked] == [
        ["2026-01-18", "2026-02-19"], ["2026-01-18", "2026-02-19"], ["2026-02-18", "2026-03-21"],
    ]  # fmt: skip
    assert len(found.keys) == 1
    rest, asked = reading(office, of, mark=found.marks[-1])
    assert len(asked) == 2
    assert covered(rest).start == datetime(2026, 1, 18, 23, tzinfo=UTC)
    assert len(found.keys + rest.keys) == 2


def test_a_later_run_asks_for_the_last_days_alone(office: Office) -> None:
    of = enquiries(2, 10, 20, hour=5)
    first, asked = reading(office, of)
    assert len(asked) == 4
    later, asked = reading(office, of, now=at(21), after=covered(first))
    assert {tuple(re.findall(r"=([\d-]+)", one)) for one in asked} == {("2026-03-16", "2026-03-22")}
    assert later.keys == first.keys[:1]
    assert covered(later).start == at(17)


def test_a_lead_that_is_deleted_or_changed_within_the_last_days_is_withdrawn(office: Office) -> None:
    gone = contact(2900, (at(18), "lead"), archived_at=at(20, 12))
    first, _ = reading(
        office, agency(contacts=[gone, contact(2901, (at(19), "lead")), contact(2902, (at(19), "lead"))])
    )
    of = agency(contacts=[gone, contact(2901, (at(19), "lead"), channel="portal"), contact(2902, (at(19), "lead"))])
    later, _ = reading(office, of, now=at(21), after=covered(first))
    assert len(covered(later).cursor or "") < 300
    deleted = {one.key for one in later.records if one.is_deleted}
    assert len(deleted) == 3  # the deleted one was sent twice, and the changed one is another one now
    assert deleted < set(first.keys)


def test_leads_that_are_all_gone_at_once_are_doubted(office: Office) -> None:
    first, _ = reading(office, enquiries(19, 19, 20, hour=5))
    later, _ = reading(office, enquiries(), now=at(21), after=covered(first))
    assert "3 of the 3 leads of the last days are there no more" in str(later.failure)
    office.with_options(most_removed=1)
    later, _ = reading(office, enquiries(), now=at(21), after=covered(first))
    assert [one.is_deleted for one in later.records] == [True] * 3


def test_nothing_that_people_wrote_is_stored_or_noted(office: Office) -> None:
    found, _ = reading(office, enquiries(*([10] * 12)))
    stored = json.dumps([[one.key, dict(one.payload)] for one in found.records]) + str(covered(found).cursor)
    assert not re.search(r"Nombre|Apellido|@|Hola|\+34|persona", stored)
    assert {name for one in found.records for name in one.payload} == {"date", "source", "customer"}


@pytest.mark.parametrize(
    ("lead", "kept"),
    [
        ({"contact_email": " Ana@Correo.example "}, "ana@correo.example"),
        ({"contact_email": "", "contact_mobile": "", "contact_phone": "+34 600 11 22 33"}, "34600112233"),
        ({}, None),
    ],
)
def test_a_customer_is_the_mail_address_or_else_the_telephone_as_a_code(
    office: Office, lead: dict[str, str], kept: str | None
) -> None:
    office.with_options(history_days=5)

    def one(exchange: Exchange, content: Any) -> Any:
        return {"leads": [{"date": "2026-03-10 09:00:00", "source": "Ana, ana@correo.example", **lead}]}

    found, _ = reading(office, enquiries(10), now=at(11), alter=changing(one))
    assert found.records[-1].payload["customer"] == (None if kept is None else office.account.pseudonym(kept))
    assert found.records[-1].payload["source"] is None


def leads(*told: dict[str, Any], options: InmovillaOptions = OPTIONS) -> pl.DataFrame:
    rows = [{"record_key": str(n), "source": "idealista.com", "customer": "c", **one} for n, one in enumerate(told)]
    schema = {"record_key": pl.String(), **LEAD.to_schema()}
    return facts_of_leads(pl.LazyFrame(rows, schema=schema), options).collect()


@pytest.mark.parametrize(
    ("date", "occurred_at", "problem"),
    [
        ("2026-03-10 09:00:00", datetime(2026, 3, 10, 8, tzinfo=UTC), None),
        ("2025-08-22 10:08:55", datetime(2025, 8, 22, 8, 8, 55, tzinfo=UTC), None),
        ("2025-10-26 02:30:00", datetime(2025, 10, 26, 0, 30, tzinfo=UTC), None),  # it comes twice: the first time
        ("2026-03-29 02:30:00", None, "date: Europe/Madrid has no single instant at 2026-03-29 02:30:00"),
        ("?", None, "date: '?' is not a time written as"),
    ],
)
def test_a_lead_is_of_the_time_that_a_clock_in_madrid_showed(
    date: str, occurred_at: datetime | None, problem: str | None
) -> None:
    [found] = leads({"date": date}).to_dicts()
    assert found["occurred_at"] == occurred_at
    assert (found["problem"] is None) == (problem is None)
    assert (found["problem"] or "").startswith(problem or "")
    assert (found["channel"], found["account_id"], found["event_type"]) == ("portal", "c", "lead.created")


def test_a_lead_of_2062_or_of_no_time_is_set_aside_and_stops_nobody(office: Office) -> None:
    def strange(exchange: Exchange, content: Any) -> Any:
        more = [{"date": "2062-01-01 00:00:00"}, {"date": "ayer, Ana"}, {"date": ""}, {"date": None, "source": "web"}]
        return {"leads": content["leads"] + more} if "leads" in content else None

    loads = office.load(enquiries(10), NOW, changing(strange))
    assert loads["leads"].failure is None
    assert office.counts()["lead.created"] == 1
    assert ["Ana" in said for _, said in office.quarantined()] == [False] * 4


# Properties


def test_a_property_is_taken_on_at_its_time_under_its_mandate(office: Office) -> None:
    later = changes((at(6), "open"), (at(15), "exclusive"))
    of = agency(
        listings=[
            taken_on(1, 4, mandate=changes((at(4, 10), "exclusive"))), taken_on(2, 5), taken_on(3, 6, mandate=later),
        ]
    )  # fmt: skip
    office.load(of, NOW)
    said = office.said("subject_id", "occurred_at", "mandate", "category", "market", "amount", "currency",
                       of="listing.captured")  # fmt: skip
    assert said == [
        ("1", at(4), "exclusive", "flat", "Getafe", 200_000, "EUR"),
        ("2", at(5), "open", "flat", "Getafe", 200_000, "EUR"),
        ("3", at(6), "open", "flat", "Getafe", 200_000, "EUR"),
    ]
    assert not re.search(r"Mayor|Nombre|600|keycli|40\.4", office.stored())
    assert office.quarantined() == []


def test_only_what_changed_is_asked_for_one_by_one(office: Office) -> None:
    old = listing(1, at(-80), at(-80))
    of = agency(listings=[old, taken_on(2, 5), taken_on(3, 6)])
    first, asked = reading(office, of, "listings")
    assert asked == ["listado", "cod_ofer=2", "cod_ofer=3"]
    assert covered(first).start == datetime(2026, 1, 18, 23, tzinfo=UTC)
    again, asked = reading(office, of, "listings", at(21), after=covered(first))
    assert (asked, again.keys) == (["listado"], [])
    cheaper = taken_on(2, 5, price=changes((at(5), 200_000), (at(21, 12), 190_000)))
    of = agency(listings=[old, cheaper, taken_on(3, 6), taken_on(4, 21)])
    later, asked = reading(office, of, "listings", at(22), after=covered(again))
    assert asked == ["listado", "cod_ofer=4", "cod_ofer=2"]
    assert [one.payload["price"] for one in later.records] == ["200000", "190000"]


def test_a_property_counts_as_deleted_on_inmovillas_own_word_alone(office: Office) -> None:
    of = agency(listings=[taken_on(n, 5, archived_at=at(20, 12) if n == 2 else None) for n in range(1, 5)])
    first, _ = reading(office, of, "listings")

    def hide(exchange: Exchange, content: Any) -> Any:
        return [one for one in content if one["cod_ofer"] != 3] if asks(exchange, "listado") else None

    later, asked = reading(office, of, "listings", at(21), changing(hide), after=covered(first))
    assert asked == ["listado", "cod_ofer=2", "cod_ofer=3"]
    assert [one.key for one in later.records if one.is_deleted] == ["2"]
    after, asked = reading(office, of, "listings", at(22), changing(hide), after=covered(later))
    assert asked == ["listado", "cod_ofer=3"]
    assert after.records == []


def test_a_property_that_is_listed_and_is_not_there_is_asked_for_again(office: Office) -> None:
    of = agency(listings=[taken_on(1, 5), taken_on(2, 5)])

    def missing(exchange: Exchange) -> Any:
        gone = b'{"codigo": 404001, "mensaje": "x"}'
        return (404, {}, gone) if asks(exchange, "cod_ofer=2") else None

    first, _ = reading(office, of, "listings", alter=missing)
    assert first.keys == ["1"]
    later, asked = reading(office, of, "listings", at(21), after=covered(first))
    assert (asked, later.keys) == (["listado", "cod_ofer=2"], ["2"])
    cheaper = taken_on(2, 5, price=changes((at(5), 200_000), (at(21, 12), 190_000)))
    of = agency(listings=[taken_on(1, 5), cheaper])
    missed, _ = reading(office, of, "listings", at(22), missing, after=covered(later))
    last, _ = reading(office, of, "listings", at(25), after=covered(missed))
    assert [one.payload["price"] for one in (*missed.records, *last.records)] == ["190000"]
    before, _ = reading(office, agency(), "publications", at(4))
    of = agency(listings=[taken_on(2, 5, portals={5: "idealista"})])
    first, _ = reading(office, of, "publications", at(6), missing, after=covered(before))
    assert first.keys == []
    later, _ = reading(office, of, "publications", at(7), after=covered(first))
    assert [one.payload["portals"] for one in later.records] == [[{"portal": "idealista", "at": at(7).isoformat()}]]


def test_an_object_may_come_as_the_only_one_of_a_list(office: Office) -> None:
    wrapped = changing(lambda exchange, content: None if asks(exchange, "listado") else [content])
    found, _ = reading(office, enquiries(10), alter=wrapped)
    assert len(found.keys) == 1
    first, _ = reading(office, agency(), "publications", at(10))
    of = agency(listings=[taken_on(1, 11, portals={11: "idealista"})])
    only = changing(lambda exchange, content: [content] if asks(exchange, "extrainfo") else None)
    found, _ = reading(office, of, "publications", at(12), only, after=covered(first))
    assert found.keys == ["1"]


def test_half_a_list_is_doubted(office: Office) -> None:
    of = agency(listings=[taken_on(n, 5) for n in range(1, 24)])
    first, _ = reading(office, of, "listings")
    fewer, asked = reading(office, agency(listings=of.listings[:5]), "listings", at(21), after=covered(first))
    assert "18 of the 23 properties that were known are not listed any more" in str(fewer.failure)
    assert asked == ["listado"]


def test_an_interrupted_reading_of_properties_goes_on_where_it_was(office: Office) -> None:
    office.with_options(requests_a_run=20)
    of = agency(listings=[taken_on(n, 5) for n in range(1, 24)])
    first, _ = reading(office, of, "listings")
    assert "requests that a run may make are made" in str(first.failure)
    rest, more = reading(office, of, "listings", mark=first.marks[-1])
    assert covered(rest).start is not None
    assert sorted(map(int, first.keys + rest.keys)) == list(range(1, 24))
    assert len(more) == 14


def test_properties_that_are_missing_are_asked_for_over_as_many_runs_as_it_takes(office: Office) -> None:
    of = agency(listings=[taken_on(n, 5) for n in range(1, 41)])
    first, _ = reading(office, of, "listings")
    fewer, asks_made = agency(listings=of.listings[:22]), list[str]()
    office.with_options(requests_a_run=10)
    found, asked = reading(office, fewer, "listings", at(21), after=covered(first))
    keys = [one.key for one in found.records if one.is_deleted]
    while found.covered is None and len(asks_made) < 60:
        asks_made += asked[1:]
        found, asked = reading(office, fewer, "listings", at(21), after=covered(first), mark=found.marks[-1])
        keys += [one.key for one in found.records if one.is_deleted]
    asks_made += asked[1:]
    assert sorted(map(int, keys)) == list(range(23, 41))
    assert len(asks_made) == len({*asks_made}) == 18
    later, asked = reading(office, fewer, "listings", at(22), after=covered(found))
    assert (asked, later.records) == (["listado"], [])


def listed(**different: Any) -> dict[str, Any]:
    usual = {"cod_ofer": 7, "ref": "R7", "nodisponible": False, "prospecto": False, "fechaact": "2026-03-10 10:00:00"}
    return {**usual, **different}


def told(office: Office, detail: dict[str, Any], now: datetime = NOW, **flags: Any) -> None:
    """Read one property as Inmovilla might tell it."""

    def answer(exchange: Exchange, content: Any) -> Any:
        if asks(exchange, "leads"):
            return {"leads": []}
        if asks(exchange, "listado"):
            return [listed(**flags)]
        return {"publishinfo": []} if asks(exchange, "extrainfo") else {"cod_ofer": "7", **detail}

    of = agency(listings=[taken_on(7, 1)])
    loads = office.load(of, now, changing(answer))
    assert {name: one.failure for name, one in loads.items()} == dict.fromkeys(loads)


USUAL = {"fecha": "2026-03-09 10:00:00", "keyacci": "1", "precioinmo": "115000.50", "exclu": 0, "captadopor": 55}


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({}, {"mandate": "open", "currency": "EUR", "actor": "55"}),
        ({"exclu": True}, {"mandate": "exclusive"}),
        ({"exclu": "1", "alta_exclusiva": "0000-00-00 00:00:00"}, {"mandate": "exclusive"}),
        ({"exclu": "1", "alta_exclusiva": "2026-03-09 18:00:00"}, {"mandate": "exclusive"}),
        ({"exclu": "1", "alta_exclusiva": "2026-03-10 00:00:00"}, {"mandate": "open"}),
        ({"alta_exclusiva": "2026-03-01 00:00:00", "baja_exclusiva": "2026-03-15 00:00:00"}, {"mandate": "exclusive"}),
        ({"alta_exclusiva": "2026-03-01 00:00:00", "baja_exclusiva": "2026-03-08 00:00:00"}, {"mandate": "open"}),
        ({"keyacci": 2, "precioalq": 900}, {"amount": 900}),
        ({"keyacci": 2, "precioalq": 0}, {"amount": None, "currency": None}),
        ({"precioinmo": "a convenir"}, {"amount": None}),
        ({"key_tipo": 2799, "key_loca": "28003"}, {"category": "flat", "market": "Getafe"}),
        ({"key_tipo": 3399, "key_loca": 0}, {"category": "3399", "market": None}),
    ],
)
def test_what_a_property_says(office: Office, detail: dict[str, Any], expected: dict[str, Any]) -> None:
    told(office, {**USUAL, **detail})
    [found] = office.facts().to_dicts()
    assert {name: found[name] for name in expected} == expected
    assert found["occurred_at"] == datetime(2026, 3, 9, 9, tzinfo=UTC)


def test_a_property_without_the_time_it_was_put_in_is_set_aside(office: Office) -> None:
    told(office, {**USUAL, "fecha": "0000-00-00 00:00:00"})
    assert office.counts() == {}
    [(key, said)] = office.quarantined()
    assert (key, said.startswith("fecha: '?' is not a time")) == ("7", True)


def test_a_prospect_is_taken_on_when_it_becomes_a_property(office: Office) -> None:
    told(office, USUAL, prospecto=True)
    assert office.counts() == {}
    told(office, USUAL, at(22), fechaact="2026-03-21 12:00:00")
    assert office.said("occurred_at") == [(at(21, 11),)]
    told(office, {**USUAL, "precioinmo": 1}, at(24), fechaact="2026-03-23 12:00:00", nodisponible=1)
    assert office.said("occurred_at", "amount") == [(at(21, 11), 1)]


def test_what_is_changed_in_the_hour_that_comes_twice_follows_what_was_read_before() -> None:
    before, after = datetime(2025, 10, 26, 0, 55, tzinfo=UTC), datetime(2025, 10, 26, 6, tzinfo=UTC)
    first = last_instant(naive("2025-10-26 02:50:00") or before, "Europe/Madrid", before)
    second = last_instant(naive("2025-10-26 02:10:00") or before, "Europe/Madrid", after)
    assert (first, second) == (before - timedelta(minutes=5), datetime(2025, 10, 26, 1, 10, tzinfo=UTC))


# Portals


def test_what_was_advertised_before_the_first_reading_is_not_counted_and_what_comes_later_is(office: Office) -> None:
    old = taken_on(1, 5, portals={6: "idealista"})
    office.load(agency(listings=[old]), NOW)
    assert "listing.published" not in office.counts()
    more = taken_on(1, 5, portals={6: "idealista", 21: "idealista fotocasa", 23: "idealista fotocasa pisos"})
    new = taken_on(2, 21, portals={21: "idealista"})
    of = agency(listings=[more, new])
    office.load(of, at(22))
    assert office.said("subject_id", "portal", "occurred_at", "market", of="listing.published") == [
        ("2", "idealista", at(22), "Getafe")
    ]  # of the old one nobody knows since when it is on both
    office.load(of, at(24))
    assert office.said("subject_id", "portal", "occurred_at", of="listing.published") == [
        ("2", "idealista", at(22)), ("1", "pisos", at(24)),
    ]  # fmt: skip
    log = office.log()
    days = coverage(log, "Europe/Madrid").spans["listing.published"]
    assert [(span.first.isoformat(), span.last.isoformat()) for span in days] == [("2026-03-21", "2026-03-23")]


def test_a_portal_that_a_property_left_counts_and_counts_again_when_it_comes_back(office: Office) -> None:
    office.load(agency(), at(10))
    of = agency(listings=[taken_on(1, 11, portals={11: "idealista", 13: "pisos", 15: "idealista pisos", 17: ""})])
    for day in (12, 14, 16, 18, 19):
        office.load(of, at(day))
    assert office.said("portal", "occurred_at", of="listing.published") == [
        ("idealista", at(12)), ("pisos", at(14)), ("idealista", at(16)),
    ]  # fmt: skip


def test_a_property_that_does_not_change_is_not_asked_about_every_day(office: Office) -> None:
    of = agency(listings=[taken_on(1, 11, portals={11: "idealista"}), taken_on(2, 11)])
    first, asked = reading(office, of, "publications", at(12))
    assert asked == ["listado"]
    assert covered(first).start == covered(first).end == at(12)
    later, asked = reading(office, of, "publications", at(13), after=covered(first))
    assert asked == ["listado", "extrainfo&cod_ofer=2", "extrainfo&cod_ofer=1"]
    last, asked = reading(office, of, "publications", at(20), after=covered(later))
    assert (asked, last.records) == (["listado"], [])


def test_an_interrupted_reading_of_portals_remembers_what_it_had_found(office: Office) -> None:
    first, _ = reading(office, agency(), "publications", at(10))
    of = agency(listings=[taken_on(n, 11, portals={11: "idealista"}) for n in range(1, 13)])
    office.with_options(requests_a_run=20)
    found, _ = reading(office, of, "publications", at(12), after=covered(first))
    assert "requests that a run may make" in str(found.failure)
    rest, _ = reading(office, of, "publications", at(12), after=covered(first), mark=found.marks[-1])
    assert sorted(map(int, found.keys + rest.keys)) == list(range(1, 13))
    again, _ = reading(office, of, "publications", at(13), after=covered(rest))
    assert again.records == []


def test_publications_of_one_version_and_of_several_are_understood_alike() -> None:
    one, two = ({"portal": name, "at": f"2026-03-0{n}T06:00:00+00:00"} for n, name in enumerate(("a", "b"), start=1))
    seen = [{"revision": at(1), "portals": [one]}, {"revision": at(2), "portals": [two]}]
    rows = [
        {"record_key": "1", "revision": at(1), "portals": [one], "seen": None},
        {"record_key": "2", "revision": at(2), "portals": [two], "seen": seen},
    ]
    version = pl.List(pl.Struct({"revision": UTC_MICROSECONDS, "portals": PORTALS}))
    schema = {
        "record_key": pl.String(), "revision": UTC_MICROSECONDS, **PUBLICATION.to_schema(), "seen": version,
    }  # fmt: skip
    found = facts_of_publications(pl.LazyFrame(rows, schema=schema), OPTIONS).collect()
    assert found.select("record_key", "portal").rows() == [("1", "a"), ("2", "a"), ("2", "b")]


# Both


def test_a_run_keeps_to_the_limits_and_is_not_told_to_slow_down(office: Office) -> None:
    served = office.served(enquiries(*([5] * 300)), NOW)
    found = office.read(served, "leads", Read(None, NOW, None, office.clock))
    assert covered(found)
    assert {one.status for one in served.exchanges} == {200}
    assert len(served.exchanges) > 45
    assert 540 < office.clock.waited_seconds() < 1200


def test_where_others_use_the_token_408_is_waited_for(office: Office) -> None:
    refused = 0

    def slow_down(exchange: Exchange) -> Any:
        nonlocal refused
        refused += 1
        return (408, {}, b'{"codigo": 408, "mensaje": "Demasiadas peticiones"}') if refused <= 6 else None

    found, _ = reading(office, enquiries(10), alter=slow_down)
    assert len(covered(found) and found.keys) == 1
    assert office.clock.waited_seconds() >= 6 * 90


@pytest.mark.parametrize("stream", ["leads", "listings", "publications"])
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"codigo": 401, "mensaje": "Token"}', "tokens end after three months without use"),
        (200, b'{"codigo": 403, "mensaje": "Token caducado"}', "tokens end after three months without use"),
        (408, b'{"codigo": 400006, "mensaje": "x"}', "answered HTTP 408 with its error 400006"),
        (406, b'{"codigo": 406002, "mensaje": "Ana"}', "answered HTTP 406 with its error 406002"),
        (200, b'{"codigo": 400002, "mensaje": "x"}', "answered HTTP 200 with its error 400002"),
        (429, b"", r"HTTP 429 \(slow down\)"),
        (200, b"<html>Mantenimiento</html>", "what is not JSON"),
        (200, b'{"leads": [{"date": "2026', "what is not JSON"),
        (404, b"<html>404</html>", "what is not JSON"),
        (200, b"{}", "is no list of"),
        (200, b"null", "is no list of"),
        (200, b'{"leads": null}', "is no list of"),
        (200, b'{"leads": [{"source": "web"}]}', "is no list of"),
        (200, b'[{"ref": "R1"}]', "is no list of"),
    ],
)
def test_an_answer_that_is_none_is_loud(office: Office, stream: str, status: int, body: bytes, said: str) -> None:
    found, _ = reading(office, enquiries(10), stream, alter=lambda exchange: (status, {}, body))
    assert re.search(said, str(found.failure))
    assert "Ana" not in str(found.failure)
    assert (found.covered, found.records) == (None, [])


def _empty_once() -> Callable[[Exchange, Any], Any]:
    turns = iter(range(10_000))

    def empty(exchange: Exchange, content: Any) -> Any:
        return {"leads": []} if next(turns) % 7 == 3 else None

    return empty


def _eleven(exchange: Exchange, content: Any) -> Any:
    return {"leads": content["leads"] * 2} if len(content["leads"]) == 10 else None


def _always_the_same(exchange: Exchange, content: Any) -> Any:
    day = re.findall(r"=([\d-]+)", exchange.query)[0]
    return {"leads": [{"date": f"{day} 09:00:{n:02d}"} for n in range(10)]}


def _unfiltered(exchange: Exchange, content: Any) -> Any:
    return {"leads": [{"date": "2024-03-10 09:00:00"}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_empty_once(), "a page of leads is empty, and then it is not"),
        (_eleven, "a page has 20 leads"),
        (_always_the_same, "a page of leads is one that came before"),
        (_unfiltered, "it gave leads of other days than"),
    ],
)
def test_pages_that_cannot_be_are_loud(office: Office, change: Any, said: str) -> None:
    found, _ = reading(office, enquiries(*([10] * 45)), alter=changing(change))
    assert said in str(found.failure)


@pytest.mark.parametrize(
    ("asked", "answer", "said"),
    [
        ("cod_ofer", {"cod_ofer": 8}, "is not the property that was asked for"),
        ("extrainfo", {"publishinfo": {"idealista": {"message": "x"}}}, "does not say where a property is published"),
        ("listado", [listed(), listed()], "has some of them twice"),
    ],
)
def test_properties_that_cannot_be_are_loud(office: Office, asked: str, answer: Any, said: str) -> None:
    first, _ = reading(office, agency(), "publications", at(10))
    of = agency(listings=[taken_on(7, 11, portals={11: "idealista"})])
    alter = changing(lambda exchange, content: answer if exchange.query.startswith(asked) else None)
    streams = ("publications",) if asked == "extrainfo" else ("listings", "publications")
    for stream in streams:
        found, _ = reading(office, of, stream, at(12), alter, after=covered(first))
        assert said in str(found.failure)


def test_a_run_that_is_repeated_stores_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = StoredOffice(tmp_path, monkeypatch, INMOVILLA, OPTIONS, stand_in)
    of = agency(
        contacts=[contact(2900, (at(19), "lead")), contact(2901, (at(5), "lead"))],
        listings=[taken_on(1, 4), taken_on(2, 21, portals={21: "idealista"})],
    )
    for now in (NOW, at(22)):
        stored.load(of, now)
    before = stored.facts()
    again = stored.load(of, at(22, 10))
    assert {name: (one.inserted, one.failure) for name, one in again.items()} == {
        "leads": (0, None), "listings": (0, None), "publications": (0, None),
    }  # fmt: skip
    assert stored.facts().equals(before)
    assert stored.counts() == {"lead.created": 3, "listing.captured": 2, "listing.published": 1}


# Options


def test_the_example_of_the_options_is_one() -> None:
    given = yaml.safe_load((InmovillaOptions.__doc__ or "").split("one::", 1)[1])
    options = InmovillaOptions.model_validate(given)
    assert {*given} == {*InmovillaOptions.model_fields}
    assert [one.name for one in INMOVILLA.streams(None, options)] == ["leads", "listings", "publications"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"zone": "Europe/Madird"}, "Did you mean Europe/Madrid or"),
        ({"requests_a_run": 1}, "requests_a_run"),
        ({"currency": "euro"}, "currency"),
        ({"history_days": 0}, "history_days"),
        ({"chanels": {}}, "chanels"),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        InmovillaOptions.model_validate(given)


def test_without_a_token_it_is_said_where_it_goes(office: Office) -> None:
    office.configure(token=None)
    found, _ = reading(office, enquiries(10))
    assert isinstance(found.error, SourceConfigError)
    assert "sources.agencia.inmovilla.token is not set" in str(found.failure)


def test_properties_are_understood_with_and_without_earlier_versions() -> None:
    version = pl.List(pl.Struct({"revision": UTC_MICROSECONDS, "is_prospect": pl.Boolean()}))
    schema = {
        "record_key": pl.String(), "revision": UTC_MICROSECONDS, **LISTING.to_schema(), "seen": version,
    }  # fmt: skip
    row = {"revision": at(5), "captured_at": "2026-03-04 10:00:00", "is_prospect": False, "is_exclusive": False}
    seen = [{"revision": at(4), "is_prospect": True}, {"revision": at(5), "is_prospect": False}]
    rows = [{"record_key": "1", **row}, {"record_key": "2", **row, "seen": seen}]
    found = facts_of_listings(pl.LazyFrame(rows, schema=schema), OPTIONS).collect()
    assert found.select("record_key", "occurred_at").rows() == [("1", at(4)), ("2", at(5))]
