"""Customers that are companies in HubSpot, by association; and deals whose products are those of their line items."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hubspot_agency import ACCOUNT, OPTIONS, Exchange, Office, Tampering, activity, agency, changes, contact, day, sale
from pydantic import ValidationError
from shop import code

from pipelines.hubspot import HUBSPOT, HubSpotOptions
from pipelines.hubspot.options import Companies, Contacts, SalesPipeline
from pipelines.sandbox.company import Contact, Deal
from pipelines.sandbox.hubspot import Merge, app
from pipelines.sandbox.hubspot.shown import COMPANY, LINES, owner_id

NOW = day(60)
SALES = SalesPipeline(pipeline="default", won=("closedwon",), lost=("closedlost",))
OF_COMPANIES = OPTIONS.model_copy(
    update={"account": "company", "contacts": Contacts(), "sales": (SALES,), "listings": ()}
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


def of(company: int | None, number: int, *lifecycle: tuple[datetime, str], **says: str) -> Contact:
    return contact(number, *lifecycle, says={**({COMPANY: str(company)} if company else {}), **says})


STAFF = agency(
    contacts=[of(9001, 1, (day(2), "lead")), of(9001, 2, (day(3), "lead")), of(9002, 3), of(None, 4)],
    sales=[sale(300 + n, (day(3 + n), "appointment"), (day(14 + n), "won"), buyer_id=n) for n in (1, 2, 3, 4)],
    activities=[
        activity(401, "call", day(5), "connected", contact_id=2),
        activity(501, "meeting", day(6), "completed", contact_id=3),
    ],
)


def test_everything_is_of_the_company_of_whoever_it_was_done_with(office: Office) -> None:
    reports = office.load(app(office.desk(STAFF, NOW)), NOW, OF_COMPANIES)
    assert [one.failure for one in reports.values()] == [None] * 4
    assert office.facts("deal.won", "subject_id", "account_id") == [
        ("301", "9001"), ("302", "9001"), ("303", "9002"), ("304", None)
    ]  # fmt: skip
    assert dict(office.facts("lead.created", "subject_id", "account_id")) == {
        "1": "9001", "2": "9001", "3": "9002", "4": None
    }  # fmt: skip
    assert office.facts("call.made", "account_id") == [("9001",)]
    assert office.facts("meeting.held", "account_id") == [("9002",)]


def test_what_is_read_as_a_change_is_of_the_same_company(office: Office, tmp_path: Path) -> None:
    office.load(app(office.desk(STAFF, day(2))), day(2), OF_COMPANIES)
    for number in (4, 16, 31):
        office.load(app(office.desk(STAFF, day(number))), day(number), OF_COMPANIES)
    step_by_step = office.log().select("fact_id", "account_id").sort("fact_id")
    at_once = Office(tmp_path / "another", office.environment)
    at_once.load(app(at_once.desk(STAFF, day(31))), day(31), OF_COMPANIES)
    assert step_by_step.equals(at_once.log().select("fact_id", "account_id").sort("fact_id"))


def test_a_company_that_is_merged_takes_what_was_the_others(office: Office) -> None:
    office.load(app(office.desk(STAFF, day(30))), day(30), OF_COMPANIES)
    merges = [Merge(9001, 9002, day(31))]
    office.load(app(office.desk(STAFF, day(32)), company_merges=merges), day(32), OF_COMPANIES)
    assert {account for (account,) in office.facts("deal.won", "account_id")} == {"9001", None}
    assert {account for (account,) in office.facts("lead.created", "account_id")} == {"9001", None}
    assert office.facts("meeting.held", "account_id") == [("9001",)]


def test_the_primary_company_comes_before_older_ones(office: Office) -> None:
    def several(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        if exchange.path != "/crm/v3/objects/deals":
            return None
        page = exchange.content
        for one in page["results"]:
            of_type = [("7", "deal_to_company_unlabeled"), ("8", "deal_to_company_unlabeled"), ("8", "deal_to_company")]
            one["associations"] = {"companies": {"results": [{"id": id_, "type": type_} for id_, type_ in of_type]}}
        return 200, {}, orjson.dumps(page)

    office.load(Tampering(app(office.desk(STAFF, NOW)), several), NOW, OF_COMPANIES)
    assert {account for (account,) in office.facts("deal.won", "account_id")} == {"8"}


def test_a_dated_version_of_the_api_says_the_same(office: Office, tmp_path: Path) -> None:
    logs = []
    for number, version in enumerate((None, "2026-03")):
        another = Office(tmp_path / str(number), office.environment)
        another.configure(api_version=version)
        for at in (day(10), NOW):
            another.load(app(another.desk(STAFF, at)), at, OF_COMPANIES)
        logs.append(another.log().select("fact_id", "account_id").sort("fact_id"))
    assert logs[0].equals(logs[1])


def test_companies_are_known_by_their_domains_and_properties(office: Office) -> None:
    known = Companies.model_validate({"identified_by": ["domain", {"external_id": "name"}]})
    options = OF_COMPANIES.model_copy(update={"companies": known})
    staff = agency(contacts=[of(9001, 1, email="a@Acme.example"), of(9002, 2, email="b@otra.example")])
    office.load(app(office.desk(staff, NOW)), NOW, options)
    assert sorted(office.facts("account.identified", "account_id", "identified_by", "identifier")) == [
        ("9001", "domain", "acme.example"),
        ("9001", "external_id", "Empresa de Nombre1"),
        ("9002", "domain", "otra.example"),
        ("9002", "external_id", "Empresa de Nombre2"),
    ]
    merged = [Merge(9001, 9002, day(61))]
    office.load(app(office.desk(staff, day(62)), company_merges=merged), day(62), options)
    assert {account for (account,) in office.facts("account.identified", "account_id")} == {"9001"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"account": "company", "contacts": {"referrer": "quien"}}, "customers are companies here"),
        ({"account": "company", "contacts": {"identified_by": "email"}}, "customers are companies here"),
        ({"companies": {"identified_by": "domain"}}, "customers are contacts here"),
        ({"account": "company", "companies": {"identified_by": "email"}}, "no mail address of their own"),
    ],
)
def test_options_that_mix_customers_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        HubSpotOptions.model_validate({"portal_id": "1", **given})


def test_a_company_is_nobody_and_its_contacts_are_still_people() -> None:
    streams = {one.name: one for one in HUBSPOT.streams(ACCOUNT, OF_COMPANIES)}
    assert {one.people.account for one in streams.values()} == {None}
    assert list(streams["deals"].people.owners({"contacts": ["1"], "companies": ["9"]})) == [("contact", "1")]


# --- line items -------------------------------------------------------------------------------------------------------


def deal(number: int, lines: str | None, **different: Any) -> Deal:
    at = day(3)
    return Deal(
        **{
            "id": number, "contact_id": 1, "agent": "ana", "pipeline": "default",
            "stages": changes((at, "appointmentscheduled"), (day(10), "closedwon")),
            "amount": changes((at, Decimal(100))), "currency": "EUR",
            "says": {} if lines is None else {LINES: changes((at, lines))}, "archived_at": None, **different,
        }
    )  # fmt: skip


def selling(property_: Any = "name") -> HubSpotOptions:
    lines = SalesPipeline.model_validate({**SALES.model_dump(), "product_of_lines": property_})
    return OPTIONS.model_copy(update={"contacts": Contacts(), "sales": (lines,), "listings": ()})


def products(office: Office) -> dict[str, str | None]:
    return dict(office.facts("deal.won", "subject_id", "product"))


def test_a_deals_product_is_that_of_its_line_items_where_all_have_the_same(office: Office) -> None:
    deals = [deal(1, "A"), deal(2, "A;A"), deal(3, "A;B"), deal(4, None)]
    company = agency(contacts=[contact(1)], deals=deals)
    assert office.load(app(office.desk(company, NOW)), NOW, selling())["deals"].failure is None
    assert products(office) == {"1": "A", "2": "A", "3": None, "4": None}
    stored = "".join(office.lake.raw.scan("hubspot", "deals").collect()["payload"].to_list())
    assert "Marta" not in stored


def test_a_product_may_be_another_property_of_the_line_items_and_be_called_otherwise(office: Office) -> None:
    company = agency(contacts=[contact(1)], deals=[deal(1, "A"), deal(2, "B")])
    said = {"property": "hs_sku", "values": {"SKU-A": "basic"}}
    office.load(app(office.desk(company, NOW)), NOW, selling(said))
    assert products(office) == {"1": "basic", "2": "SKU-B"}


def test_line_items_of_a_deal_that_changed_are_read_again_a_hundred_a_request(office: Office) -> None:
    many = [deal(n, ";".join("A" * 5)) for n in range(1, 31)]
    office.load(app(office.desk(agency(contacts=[contact(1)], deals=many), day(5))), day(5), selling())
    moved = [replace(many[0], says={LINES: changes((day(3), "A"), (day(6), "B"))}), *many[1:]]
    served = Tampering(app(office.desk(agency(contacts=[contact(1)], deals=moved), NOW)))
    office.load(served, NOW, selling())
    assert products(office)["1"] == "B"
    batches = [one.content for one in served.exchanges if one.path.endswith("objects/line_items/batch/read")]
    assert sorted(len(one["results"]) for one in batches) == [46, 100]


def test_products_that_are_asked_for_later_are_read_for_every_deal(office: Office) -> None:
    company = agency(contacts=[contact(1)], deals=[deal(1, "A")])
    plain = OPTIONS.model_copy(update={"contacts": Contacts(), "sales": (SALES,), "listings": ()})
    office.load(app(office.desk(company, NOW)), NOW, plain)
    assert products(office) == {"1": None}
    office.load(app(office.desk(company, day(61))), day(61), selling())
    assert products(office) == {"1": "A"}


def test_a_product_is_said_in_one_way_only() -> None:
    with pytest.raises(ValidationError, match="leave one of them out"):
        SalesPipeline.model_validate({**SALES.model_dump(), "product": "producto", "product_of_lines": "name"})


# --- owners -----------------------------------------------------------------------------------------------------------


def test_who_did_something_may_be_called_by_a_pseudonym_of_their_address_though_they_left(office: Office) -> None:
    company = agency(
        contacts=[contact(1)],
        sales=[sale(301, (day(3), "appointment"), (day(9), "won"))],
        activities=[activity(401, "call", day(5), "connected", agent="luis")],
    )
    options = OPTIONS.model_copy(update={"actor": "address"})
    reports = office.load(app(office.desk(company, NOW), left=["luis"]), NOW, options)
    assert [one.failure for one in reports.values()] == [None] * 4
    assert office.facts("call.made", "actor") == [(code("luis@agencia.example"),)]
    assert office.facts("deal.won", "actor") == [(code("ana@agencia.example"),)]
    stored = "".join(
        "".join(office.lake.raw.scan("hubspot", name).collect()["payload"].to_list()) for name in ("deals", "calls")
    )
    assert "@" not in stored
    assert owner_id("ana") not in stored


def test_owners_that_come_again_and_again_end_the_stream(office: Office) -> None:
    def turning(exchange: Exchange) -> tuple[int, dict[str, str], bytes] | None:
        page = {"results": [], "paging": {"next": {"after": "1"}}}
        return (200, {}, orjson.dumps(page)) if exchange.path == "/crm/v3/owners/" else None

    options = OPTIONS.model_copy(update={"actor": "address"})
    reading = office.read(Tampering(app(office.desk(STAFF, NOW)), turning), "calls", NOW, options=options)
    assert "again and again" in str(reading.failure)


def test_owners_are_asked_for_only_where_their_addresses_are_meant(office: Office) -> None:
    served = Tampering(app(office.desk(STAFF, NOW)))
    office.load(served, NOW)
    assert not [one for one in served.exchanges if "/owners" in one.path]
