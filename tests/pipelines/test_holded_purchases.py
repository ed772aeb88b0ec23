"""What a company buys, as Holded tells it: each expense once, nothing of suppliers, and what is doubtful set aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from helpdesk_office import Exchange, Office, stored
from holded_books import at, company, invoice, purchase
from pydantic import ValidationError

from pipelines.holded import HOLDED, HoldedOptions
from pipelines.holded.options import Purchases
from pipelines.sandbox import holded as stand_in
from pipelines.sandbox.company import Change, SheetRow
from pipelines.source import Read, SourceConfigError

TAGS = {"categories": ["nube", "viajes"], "campaigns": ["feria"]}
BEGUN = at(2, 23)  # of the third, in Madrid


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    options = HoldedOptions.model_validate({"sales": False, "purchases": {}})
    return Office(tmp_path, monkeypatch, HOLDED, options, stand_in)


def spent(office: Office) -> list[tuple[Any, ...]]:
    return office.said("occurred_at", "amount", of="expense.recorded")


def changed(change: dict[str, Any]) -> Callable[[Exchange], Any]:
    """The list with these fields in each purchase; `...` leaves a field out."""

    def alter(exchange: Exchange) -> Any:
        items = [
            {name: value for name, value in {**item, **change}.items() if value is not ...}
            for item in exchange.content["items"]
        ]
        return 200, {}, orjson.dumps({**exchange.content, "items": items})

    return alter


def test_a_purchase_is_an_expense_of_its_date_without_tax_however_often_it_is_read(office):
    of = company(invoice(), purchases=(purchase(1), purchase(2, "5/3/2026", importe="1234,56")))
    for day in (9, 9, 10):
        office.load(of, at(day))
        assert spent(office) == [(BEGUN, Decimal(200)), (BEGUN + timedelta(days=2), Decimal("1234.56"))]
    assert office.counts() == {"expense.recorded": 2}
    assert office.said("currency", "account_id", of="expense.recorded") == [("EUR", None)] * 2
    assert office.quarantined() == []
    assert office.rows("purchases").height == 2


def test_nothing_of_a_supplier_is_kept(office):
    office.load(company(purchases=(purchase(),)), at(9))
    [row] = office.rows("purchases")["payload"]
    assert {*orjson.loads(row)} == {
        "status", "currency", "date", "subtotal", "discount", "tax", "total", "is_ahead", "category", "campaign",
        "is_approval_known",
    }  # fmt: skip
    [listed] = [item for one in office.exchanges for item in one.content["items"]]
    for personal in ("contact_id", "contact_name", "description", "document_number"):
        assert str(listed[personal]) not in office.stored()


@pytest.mark.parametrize(
    ("change", "amounts"),
    [
        ({}, [200]),
        ({"draft": True}, []),
        ({"status": "cancelled"}, []),
        ({"status": "completed", "payments_total": "242.00"}, [200]),
        ({"document_number": None}, [200]),
        ({"document_number": ""}, [200]),
        ({"tax": "12,00", "total": "212,00"}, [200]),  # 21 % of VAT, 15 % withheld
        ({"subtotal": "-80,00", "tax": "-16,80", "total": "-96,80"}, [-80]),  # a purchase that is taken back
        ({"discount": "10,00", "tax": "37,80", "total": "217,80"}, [180]),
    ],
)
def test_what_a_purchase_says(office, change, amounts):
    office.load(company(purchases=(purchase(),)), at(9), changed(change))
    assert [amount for _, amount in spent(office)] == amounts
    assert office.quarantined() == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"draft": ...}, "draft: it is not said whether it is one"),
        ({"draft": "no"}, "draft: it is not said whether it is one"),
        ({"status": "paid"}, "status: none that is known (paid)"),
        ({"date": "2062-03-01"}, "date: in the future"),
        ({"date": 1772319600}, "date: not a day (1772319600)"),
        ({"subtotal": "1.234"}, "subtotal: not an amount that can be read in one way (1.234?)"),
        ({"currency": None}, "currency: not a currency's code (nothing)"),
    ],
)
def test_what_cannot_be_understood_is_set_aside_and_says_why(office, change, problem):
    office.load(company(purchases=(purchase(),)), at(9), changed(change))
    assert spent(office) == []
    assert [said for _, said in office.quarantined()] == [problem]


def test_what_is_corrected_or_annulled_is_no_longer_what_it_was(office):
    of = company(purchases=(purchase(),))
    office.load(of, at(9))
    office.load(of, at(10), changed({"subtotal": "150,00", "tax": "31,50", "total": "181,50"}))
    assert [amount for _, amount in spent(office)] == [150]
    office.load(of, at(11), changed({"status": "cancelled"}))
    assert spent(office) == []
    office.load(of, at(12))
    assert [amount for _, amount in spent(office)] == [200]


def test_what_is_deleted_or_a_draft_again_is_withdrawn(office):
    kept, two = stored(office), company(purchases=(purchase(1), purchase(2, importe="7,00")))
    kept.load(company(purchases=(purchase(1), purchase(2), purchase(3))), at(9))
    assert len(spent(kept)) == 3
    kept.load(two, at(10))
    assert [amount for _, amount in spent(kept)] == [7, 200]

    def alter(exchange: Exchange) -> Any:
        items = [{**item, "draft": item["subtotal"] == "7,00"} for item in exchange.content["items"]]
        return 200, {}, orjson.dumps({**exchange.content, "items": items})

    kept.load(two, at(11), alter)
    assert [amount for _, amount in spent(kept)] == [200]


def test_all_purchases_are_read_on_each_run_as_they_cannot_be_asked_for_by_their_date(office, monkeypatch):
    for module in ("pipelines.holded.api", "pipelines.holded.reading", "pipelines.sandbox.holded"):
        monkeypatch.setattr(f"{module}.PAGE_SIZE", 4)
    old = tuple(purchase(n, f"1/{n}/2025") for n in range(1, 11))
    office.load(company(purchases=old), at(9))
    assert len(office.exchanges) == 6  # three pages, and again, as one may have moved up
    late = SheetRow("gastos", "G11", (Change(at(9, 12), {**old[0].cells[0].value, "importe": "7,00"}),), None)
    gone = company(purchases=(*old[1:], late))
    office.load(gone, at(10))
    assert len(office.exchanges) == 3
    assert all("start_date" not in one.query for one in office.exchanges)
    assert len(spent(office)) == 11
    office.load(gone, at(17))
    assert len(office.exchanges) == 6
    assert office.stream("purchases").lateness >= timedelta(days=31)


def test_the_vendor_tells_by_days_only_what_was_booked_on_one(office):
    """Why lists of purchases are not asked for from a day on: it gives none of these."""
    app = office.served(company(invoice(), purchases=(purchase(),)), at(9))
    days = {"start_date": "2026-03-01", "end_date": "2099-12-31"}
    with office.serving(app) as address:
        found = {
            kind: requests.get(
                f"{address}/api/v2/{kind}",
                params=days,
                headers={"Authorization": f"Bearer {stand_in.CREDENTIALS['api_key']}"},
                timeout=9,
            ).json()["items"]
            for kind in ("invoices", "purchases")
        }
    assert [len(found["invoices"]), len(found["purchases"])] == [1, 0]


def test_the_first_tag_that_the_options_name_is_the_category_and_the_campaign(office):
    office.with_options(purchases=Purchases.model_validate(TAGS))
    each = (purchase(1), purchase(2, concepto="viajes", campana="feria"), purchase(3, concepto="oficina"))
    office.load(company(purchases=each), at(9))
    said = office.said("category", "campaign", of="expense.recorded")
    assert sorted(said, key=str) == [("nube", None), ("viajes", "feria"), (None, None)]


def test_a_tag_that_no_purchase_has_names_the_nearest(office):
    office.with_options(purchases=Purchases(categories=("nubes",)))
    read = Read(None, at(20), None, office.clock)
    failed = office.read(office.served(company(purchases=(purchase(),)), at(20)), "purchases", read)
    assert "no purchase has the tag 'nubes' of the category. Did you mean nube?" in str(failed.failure)


def test_a_key_needs_no_more_than_the_permission_of_what_is_read(office):
    of, read = company(purchases=(purchase(),)), Read(None, at(20), None, office.clock)
    served = office.served(of, at(20), permissions=("accounting:purchases.read",))
    assert office.read(served, "purchases", read).error is None
    failed = office.read(office.served(of, at(20), permissions=("sales:invoices.read",)), "purchases", read)
    assert isinstance(failed.error, SourceConfigError)
    assert "the key lacks the permission accounting:purchases.read" in str(failed.failure)
    assert "sales:" not in str(failed.failure)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["invoices", "credit_notes"]),
        ({"purchases": {}}, ["invoices", "credit_notes", "purchases"]),
        ({"purchases": {}, "sales": False}, ["purchases"]),
    ],
)
def test_the_options_say_what_is_read(office, options, names):
    source = replace(office, options=HoldedOptions.model_validate(options)).source
    assert [stream.name for stream in source.streams()] == names


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"sales": False}, "neither sales nor purchases"),
        ({"sales": False, "purchases": {}, "payments": False}, "payments: of sales, which are not read"),
        ({"purchases": {"categorias": ["x"]}}, "Extra inputs are not permitted"),
        ({"purchases": {"categories": ["web", "#Web"]}}, "named twice"),
        ({"purchases": True}, "valid dictionary"),
    ],
)
def test_options_that_cannot_be_are_refused(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        HoldedOptions.model_validate(options)
