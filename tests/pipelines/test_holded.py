"""Holded against its stand-in, read in process: what is asked for and what comes of it, and what is loud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import polars as pl
import pytest
import yaml
from helpdesk_office import Exchange, Office, Reading, StoredOffice
from holded_books import at, company, invoice
from pydantic import ValidationError

from pipelines.connectors import NoConnector, connector
from pipelines.holded import HOLDED, HoldedOptions
from pipelines.http import MOST_ATTEMPTS
from pipelines.sandbox import holded as stand_in
from pipelines.sandbox import stripe
from pipelines.sandbox.company import Company, TakenBack
from pipelines.source import Read, Record, SourceConfigError, VendorError
from pipelines.stripe import STRIPE, StripeOptions

TAGS: dict[str, tuple[str, ...]] = {"categories": ("fee", "valuation"), "products": ("rental",)}
PERSONAL = ("Marta", "Ruiz", "martaruiz", "600 123", "Calle")
Item = dict[str, Any]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, HOLDED, HoldedOptions(categories=("fee",)), stand_in)


def is_list(exchange: Exchange, kind: str = "invoices") -> bool:
    return exchange.path.endswith(f"/{kind}")


def changed(change: Callable[[Item], Item], kind: str = "invoices") -> Callable[[Exchange], Any]:
    """The vendor's answers with each document of a kind changed, in lists and by itself."""

    def alter(exchange: Exchange) -> Any:
        if f"/{kind}" not in exchange.path or ("id" not in exchange.content and "items" not in exchange.content):
            return None
        if not is_list(exchange, kind):
            return 200, {}, orjson.dumps(change(exchange.content))
        items = [change(item) for item in exchange.content["items"]]
        return 200, {}, orjson.dumps({**exchange.content, "items": items})

    return alter


def told(office: Office) -> list[tuple[Any, ...]]:
    return office.said("event_type", "occurred_at", "amount")


def midnight(day: int, month: int = 3) -> datetime:
    """The beginning of a day in Madrid (in summer from the last Sunday of March)."""
    return at(day, 0, month) - timedelta(hours=2 if (month, day) > (3, 29) else 1)


# --- what is said -----------------------------------------------------------------------------------------------------


def test_an_invoice_counts_from_its_approval_on_and_its_payments_with_tax(office):
    office.with_options(products=("rental",))
    of = company(invoice(issued_at=at(4), paid_at=at(9)))
    office.load(of, at(3))
    assert told(office) == []
    office.load(of, at(5))
    assert told(office) == [("invoice.issued", midnight(4), Decimal(100))]
    office.load(of, at(10))
    assert told(office)[1:] == [
        ("invoice.paid", midnight(9), Decimal(100)),
        ("payment.received", midnight(9), Decimal(121)),
    ]
    [issued] = office.said("subject_id", "account_id", "currency", "category", "product", of="invoice.issued")
    assert issued == (f"{1:024x}", f"c0{71:022x}", "EUR", "fee", "rental")


def test_figures_are_those_of_stripe_on_the_same_activity(office, tmp_path, monkeypatch):
    """By day, as Holded knows no hours; of a voided document, Holded does not know the day either.

    What was paid in another currency comes in the account's, rounded: nothing is lost of it.
    """
    (tmp_path / "stripe").mkdir()
    others = Office(
        tmp_path / "stripe", monkeypatch, STRIPE,
        StripeOptions(category="category", product="product", subscriptions=False), stripe,
    )  # fmt: skip
    office.with_options(**TAGS)
    invoices = [
        invoice(n, issued_at=at(n, 22), paid_at=at(n + 3) if n % 3 else None, net_cents=1_999_99 + n * 7,
                tax_cents=420_13, currency=("EUR", "USD")[n % 2], category=("fee", "valuation")[n % 2],
                created_at=at(n))
        for n in range(1, 25)
    ]  # fmt: skip
    invoices += [
        invoice(31, TakenBack("credit", at(5), 30_01)),
        invoice(32, TakenBack("credit", at(6), 40_00, undone_at=at(7))),
        invoice(33, paid_at=None, voided_at=at(8)),
    ]
    of, found = company(*invoices), []
    for one in (others, office):
        for now in (at(12), at(40 - 9)):
            one.load(of, now)
            assert one.quarantined() == []
        day = pl.col("occurred_at").dt.convert_time_zone("Europe/Madrid").dt.date()
        is_voided = pl.col("event_type").str.ends_with(".voided")
        shown = one.facts().with_columns(day=pl.when(~is_voided).then(day))
        keys = ["event_type", "day", "currency", "category", "product"]
        paid = pl.col("event_type") != "payment.received"
        columns = [pl.when(paid).then(pl.col(name)).alias(name) for name in ("category", "product")]
        figures = shown.with_columns(columns).group_by(keys).agg(pl.len(), pl.col("amount").sum())
        found.append(figures.sort(keys, nulls_last=True))
    assert set(found[1]["event_type"]) == {
        "invoice.issued", "invoice.paid", "invoice.voided", "credit_note.issued", "credit_note.voided",
        "payment.received",
    }  # fmt: skip
    assert found[1].equals(found[0]), found


@pytest.mark.parametrize(("zone", "begins"), [("America/Bogota", at(4, 5)), ("Asia/Tokyo", at(3, 15))])
def test_a_date_is_the_same_day_in_the_organisations_zone(office, zone, begins):
    office.zone = zone
    office.load(company(invoice(issued_at=at(4, 12), paid_at=None)), at(20))
    assert told(office) == [("invoice.issued", begins, Decimal(100))]


def test_an_annulled_invoice_is_taken_back_on_its_own_day_and_was_never_paid(office):
    of = company(invoice(paid_at=None, voided_at=at(5)))
    office.load(of, at(6))
    assert told(office) == [
        ("invoice.issued", midnight(1), Decimal(100)),
        ("invoice.voided", midnight(1), Decimal(-100)),
    ]


def test_a_deleted_document_is_withdrawn_and_may_come_back(tmp_path, monkeypatch):
    office = StoredOffice(tmp_path, monkeypatch, HOLDED, HoldedOptions(), stand_in)
    of = company(*(invoice(n) for n in range(1, 6)))
    office.load(of, at(5))
    office.load(of, at(6), deleted={2: at(5, 12)})
    assert len(office.said("subject_id", of="invoice.issued")) == 4
    assert office.withdrawn().height == 3  # issued, paid, received
    before = office.rows("invoices").height
    office.load(of, at(7), deleted={2: at(5, 12)})
    assert office.rows("invoices").height == before
    office.load(of, at(8))
    assert office.counts() == {"invoice.issued": 5, "invoice.paid": 5, "payment.received": 5}


def test_a_document_that_is_a_draft_again_is_withdrawn(tmp_path, monkeypatch):
    office = StoredOffice(tmp_path, monkeypatch, HOLDED, HoldedOptions(), stand_in)
    of = company(*(invoice(n, paid_at=None) for n in range(1, 4)))
    office.load(of, at(5))
    office.load(of, at(6), changed(lambda item: {**item, "draft": True} if item["id"].endswith("1") else item))
    assert office.said("subject_id") == [(f"{n:024x}",) for n in (2, 3)]


def test_nothing_of_anybody_is_kept_but_the_contacts_id(office):
    office.load(company(invoice(1, TakenBack("credit", at(5), 30_00))), at(9))
    assert not [word for word in PERSONAL if word in office.stored()]
    kept = {
        name
        for one in ("invoices", "credit_notes")
        for row in office.rows(one)["payload"]
        for name in orjson.loads(row)
    }
    assert kept == {
        "status", "contact_id", "currency", "date", "subtotal", "discount", "tax", "total", "is_ahead", "is_numbered",
        "category", "product", "payments_total", "payments_pending", "currency_change", "payments",
    }  # fmt: skip


# --- what is understood of a document ---------------------------------------------------------------------------------


def understood(office: Office, change: Item, kind: str = "invoices", **different: Any) -> list[tuple[Any, ...]]:
    """What comes of an unpaid invoice, or of a credit note on it, with these fields; `...` leaves a field out."""

    def apply(item: Item) -> Item:
        both = {**item, **change}
        return {name: value for name, value in both.items() if value is not ...}

    of = invoice(1, TakenBack("credit", at(3), 50_00), **{"paid_at": None, **different})
    office.load(company(of), at(20), changed(apply, kind))
    about = {"invoices": "invoice.", "credit-notes": "credit_note."}[kind]
    return [(event_type, amount) for event_type, _, amount in told(office) if event_type.startswith(about)]


ISSUED = ("invoice.issued", Decimal(100))
THIS = {"id": "a", "amount": "121,00", "date": "2026-03-09"}


def paid(*payments: Item, total: str = "121.00", pending: str = "0.00", **more: Any) -> Item:
    return {"payments_total": total, "payments_pending": pending, "payments_detail": list(payments), **more}


def issued(amount: str) -> list[tuple[str, Decimal]]:
    return [("invoice.issued", Decimal(amount))]


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({"draft": True}, []),
        ({"draft": ..., "approval_status": "draft"}, []),
        ({"draft": ..., "document_number": None}, []),
        ({"draft": None, "document_number": "Borrador"}, []),
        ({"draft": ...}, [ISSUED]),
        ({"status": "overdue"}, [ISSUED]),
        ({"date": "2026-03-01T13:00:00"}, [ISSUED]),
        ({"date": "2026-03-01T00:00:00+00:00"}, [ISSUED]),
        ({"currency": "eur"}, [ISSUED]),
        ({"subtotal": 100, "total": 121.0}, [ISSUED]),
        ({"subtotal": 100.00000000000001}, [ISSUED]),
        ({"subtotal": 1234.567}, issued("1234.567")),
        ({"subtotal": "1.234,56"}, issued("1234.56")),
        ({"subtotal": "1.234.567,80"}, issued("1234567.8")),
        ({"subtotal": "1,234.56"}, issued("1234.56")),
        ({"subtotal": "1234,56"}, issued("1234.56")),
        ({"subtotal": "1234.56"}, issued("1234.56")),
        ({"subtotal": "1234.567"}, issued("1234.567")),
        ({"subtotal": "1.234.567"}, issued("1234567")),
        ({"subtotal": "0,125"}, issued("0.125")),
        ({"subtotal": "33,3333"}, issued("33.3333")),
        ({"subtotal": "-1.234,50"}, issued("-1234.5")),
        ({"subtotal": 1e-06}, issued("0.000001")),
        ({"tax": "6,00", "total": "106,00"}, [ISSUED]),  # 21 % of VAT, 15 % withheld
        ({"tax": "21,00", "total": "106,00"}, [ISSUED]),  # the same, were `tax` VAT alone
        ({"discount": "10,00", "tax": "18,90", "total": "108,90"}, issued("90")),
        ({"subtotal": "90,00", "discount": "10,00", "tax": "18,90", "total": "108,90"}, issued("90")),
        ({"subtotal": "200,00", "discount": "50,00", "tax": "31,50", "total": "181,50"}, issued("150")),  # an amount
        ({"subtotal": "200,00", "discount": "50,00", "tax": "21,00", "total": "121,00"}, issued("100")),  # a share
        ({"payments_pending": "0.00"}, [ISSUED]),  # a credit note came to as much
        ({"subtotal": "0,00", "total": "0,00", "payments_pending": "0,00"},
         [("invoice.issued", Decimal(0)), ("invoice.paid", Decimal(0))]),
        (paid({**THIS, "amount": "21.50"}, {**THIS, "id": "b", "amount": "99.50"}),
         [ISSUED, ("invoice.paid", Decimal(100))]),
        (paid({**THIS, "amount": 21}, total="21.00", pending="100.00", status="partial"), [ISSUED]),
    ],
)  # fmt: skip
def test_what_an_invoice_says(office, change, facts):
    office.with_options(categories=())
    assert understood(office, change) == facts
    assert office.quarantined() == []


def test_each_payment_is_one_and_what_was_given_back_is_negative(office):
    back = {"id": "b", "amount": "-21,00", "date": "2026-03-10T00:00:00"}
    understood(office, paid(THIS, back, total="100.00", pending="21.00", status="partial"))
    assert told(office)[-2:] == [
        ("payment.received", midnight(9), Decimal(121)),
        ("payment.refunded", midnight(10), Decimal(-21)),
    ]
    assert office.said("subject_id", of="payment.refunded") == [("b",)]


@pytest.mark.parametrize(
    ("payments", "total", "pending", "since"),
    [
        ([(2, 60), (10, 61)], 121, 0, 10),
        ([(10, 61), (2, 60)], 121, 0, 10),  # in whatever order they are told
        ([(2, 60), (10, 60)], 120, 1, None),
        ([(2, 121), (5, -121), (9, 121)], 121, 0, 9),  # a debit that was returned
        ([(2, 121), (5, -121)], 0, 121, None),
        ([(2, 121), (5, -121)], 0, 0, None),  # credited as a whole, and the money given back
        ([(2, 121), (8, 10)], 131, -10, 2),  # more than was asked for
        ([(2, 121), (8, 10)], 131, 0, 2),  # the same, where less than nothing is never pending
        ([(2, 121), (8, 10), (12, -10)], 121, 0, 2),
        ([(2, 131), (12, -10)], 121, 0, 2),
        ([(2, 100)], 100, 0, 2),  # the rest was credited
        ([(2, 121), (2, -121), (4, 121)], 121, 0, 4),
        ([(2, -60), (6, -61)], -121, 0, 6),  # an invoice that is to be paid to the customer
        ([(2, -60)], -60, -61, None),
    ],
)
def test_an_invoice_is_paid_since_all_of_it_was_and_no_longer_than_that(office, payments, total, pending, since):
    each = [{"id": f"p{n}", "date": f"2026-03-{day:02}", "amount": f"{of}.00"} for n, (day, of) in enumerate(payments)]
    understood(office, paid(*each, total=f"{total}.00", pending=f"{pending}.00"))
    assert office.quarantined() == []
    expected = [] if since is None else [(midnight(since), Decimal(100))]
    assert office.said("occurred_at", "amount", of="invoice.paid") == expected


def test_a_payment_that_is_dated_ahead_is_one_on_its_day_without_being_asked_for_again(office):
    of = company(invoice(paid_at=at(4)))
    ahead = changed(lambda item: {**item, **paid({**THIS, "date": "2026-03-20"})})
    office.load(of, at(10), ahead)
    assert {said for _, said in office.quarantined()} == {"invoice.paid: 2026-03-19 23:00 UTC is in the future"}
    office.load(of, at(20), ahead)
    assert [one.path for one in office.exchanges if not is_list(one) and "/invoices/" in one.path] == []
    assert office.said("occurred_at", of="invoice.paid") == [(midnight(20),)]
    assert office.quarantined() == []


def test_a_payment_that_was_corrected_later_is_the_corrected_one(office):
    """Another day, another amount, or gone: as soon as the invoice says another sum than before."""
    of = company(invoice(paid_at=at(4)))
    office.load(of, at(10))
    half = {"id": "b", "amount": "60.00", "date": "2026-03-06"}
    office.load(of, at(11), changed(lambda item: {**item, **paid(half, total="60.00", pending="61.00")}))
    assert office.said("occurred_at", "amount", of="payment.received") == [(midnight(6), Decimal(60))]
    assert office.said("occurred_at", of="invoice.paid") == []
    office.load(of, at(12), changed(lambda item: {**item, **paid(total="0.00", pending="121.00")}))
    assert office.counts() == {"invoice.issued": 1}


def test_an_invoice_of_which_all_was_given_back_is_still_asked_for(office):
    """The list says of it what it says of one that nobody ever paid."""
    of = company(invoice(paid_at=at(9)))
    office.load(of, at(10))
    back = {"id": "b", "amount": "-121,00", "date": "2026-03-11"}

    def returned(item: Item) -> Item:
        payments = {"payments_detail": [*item["payments_detail"], back]} if "payments_detail" in item else {}
        return {**item, "status": "pending", "payments_total": "0.00", "payments_pending": "121.00", **payments}

    for day in (12, 13):
        office.load(of, at(day), changed(returned))
        assert office.counts() == {"invoice.issued": 1, "payment.received": 1, "payment.refunded": 1}


def test_what_was_paid_in_another_currency_is_stated_in_the_invoices(office):
    """Holded tells it in the account's: 203.03 and 0.47 EUR of 233.21 USD, at a rate that it writes as 1.15."""
    some = [{**THIS, "amount": "203,03"}, {**THIS, "id": "b", "amount": "0,47"}]
    change = paid(*some, total="233,21", currency="USD", currency_change="1.15")
    understood(office, {**change, "subtotal": "233,21", "tax": "0,00", "total": "233,21"})
    assert office.quarantined() == []
    received = office.said("currency", "amount", of="payment.received")
    assert {currency for currency, _ in received} == {"USD"}
    assert sorted(amount for _, amount in received) == [Decimal("0.54"), Decimal("232.67")]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": "failed"}, "status: none that is known (failed)"),
        ({"status": ...}, "status: none that is known (nothing)"),
        ({"status": 0}, "status: none that is known (0)"),
        ({"document_number": None}, "document_number: an approved document without one"),
        ({"date": None}, "date: not a day (nothing)"),
        ({"date": 1772319600}, "date: not a day (1772319600)"),
        ({"date": "01/03/2026"}, "date: not a day (01/03/2026)"),
        ({"date": "2026-02-30"}, "date: not a day (2026-02-30)"),
        ({"date": "2026-02-28T23:00:00Z"}, "date: not a day (2026-02-28T23:00:00Z)"),
        ({"date": "2062-03-01"}, "date: in the future"),
        ({"currency": {"code": "Marta"}}, "currency: not a currency's code (a dict)"),
        ({"currency": None}, "currency: not a currency's code (nothing)"),
        ({"currency": "euros"}, "currency: not a currency's code (euros)"),
        ({"subtotal": None}, "subtotal: not an amount that can be read in one way (nothing)"),
        ({"subtotal": "1.234"}, "subtotal: not an amount that can be read in one way (1.234?)"),
        ({"subtotal": "١٠٠"}, "subtotal: not an amount that can be read in one way (١٠٠?)"),
        ({"subtotal": f"0,{'1' * 60}"},
         f"subtotal: not an amount that can be read in one way (0,{'1' * 60}?)"),
        ({"subtotal": "1,234"}, "subtotal: not an amount that can be read in one way (1,234?)"),
        ({"subtotal": "12.34,56"}, "subtotal: not an amount that can be read in one way (12.34,56?)"),
        ({"subtotal": "100,00 €"}, "subtotal: not an amount that can be read in one way (100,00 €?)"),
        ({"discount": "10,00", "total": "121,50"},
         "discount: 10.00, with a subtotal of 100.00, tax of 21.00 and a total of 121.50: what is without tax is not "
         "said"),
        ({"payments_pending": ...}, "payments_pending: not an amount that can be read in one way (nothing)"),
        ({"payments_total": None}, "payments_total: not an amount that can be read in one way (nothing)"),
        (paid(), "payments_detail: payments of 0.0 in all, but payments_total is 121.00"),
        (paid(payments_detail=...),
         "payments_detail: not told, though something was paid; the option `payments` leaves payments out"),
        (paid({**THIS, "amount": "100,00"}), "payments_detail: payments of 100.0 in all, but payments_total is 121.00"),
        (paid({**THIS, "amount": "100,00"}, currency="USD", currency_change="1.15"),
         "payments_detail: payments of 100.0 in all, but payments_total is 121.00"),
        (paid({**THIS, "amount": "x"}), "payments_detail: not an amount that can be read in one way (x?)"),
        (paid({**THIS, "date": None}), "payments_detail: a date that is not a day (nothing)"),
        (paid({**THIS, "date": "2062-03-01"}), "invoice.paid: 2062-02-28 23:00 UTC is in the future"),
        (paid({"amount": "121,00", "date": "2026-03-09"}), "payments_detail: a payment without an id"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_set_aside_and_says_why(office, change, problem):
    assert understood(office, change) == []
    assert {said for _, said in office.quarantined()} == {problem}


@pytest.mark.parametrize(
    ("subtotal", "credited", "amount"),
    [("50,00", None, -50), ("50,00", "positive", -50), ("-50,00", "positive", 50), ("-50,00", "negative", -50),
     ("50,00", "negative", 50)],
)  # fmt: skip
def test_a_credit_note_takes_back_what_its_sign_says(office, subtotal, credited, amount):
    office.with_options(credited=credited)
    assert understood(office, {"subtotal": subtotal}, "credit-notes") == [("credit_note.issued", Decimal(amount))]


def test_a_credit_note_of_the_other_sign_is_set_aside_until_somebody_says_what_it_means(office):
    assert understood(office, {"subtotal": "-50,00"}, "credit-notes") == []
    [(_, problem)] = office.quarantined()
    assert "say by the option `credited`" in problem


@pytest.mark.parametrize(
    ("tags", "category"),
    [
        (["#Fee", "x"], "fee"),
        (["valuation", " fee "], "fee"),
        (["valuation"], "Valuation"),
        (["x"], None),
        (None, None),
    ],
)
def test_the_first_tag_that_the_options_name_is_the_category(office, tags, category):
    office.with_options(categories=("fee", "Valuation"))
    others = company(invoice(1), invoice(2, category="valuation"), invoice(3))
    office.load(others, at(20), changed(lambda item: {**item, "tags": tags} if item["id"].endswith("1") else item))
    assert office.said("category", of="invoice.issued").count((category,)) >= 1
    assert dict(office.facts().filter(pl.col("subject_id") == f"{1:024x}").select("subject_id", "category").rows()) == {
        f"{1:024x}": category
    }


# --- what is asked for ------------------------------------------------------------------------------------------------


def asked(office: Office, kind: str = "invoices") -> list[dict[str, str]]:
    """What the lists of a kind were asked for."""
    return [
        {name: value[0] for name, value in parse_qs(one.query).items()}
        for one in office.exchanges
        if is_list(one, kind)
    ]


def asked_alone(office: Office) -> list[int]:
    """The invoices that were asked for by themselves."""
    return sorted(int(one.path.rpartition("/")[2], 16) for one in office.exchanges if "/invoices/" in one.path)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pipelines.holded.api", "pipelines.holded.reading", "pipelines.sandbox.holded"):
        monkeypatch.setattr(f"{module}.PAGE_SIZE", 4)


def over_the_years(count: int = 12, **different: Any) -> Company:
    """An invoice a month, the last of them in March 2026, none of them paid."""
    months = [divmod(2026 * 12 + 2 - back, 12) for back in reversed(range(count))]
    days = [datetime(year, month + 1, 1, 9, tzinfo=UTC) for year, month in months]
    said = {"paid_at": None, **different}
    return company(*(invoice(n, created_at=at, issued_at=at, **said) for n, at in enumerate(days, start=1)))


def test_a_run_in_between_reads_the_documents_of_late_and_once_a_week_all(office, small_pages):
    of = over_the_years()
    office.load(of, at(10))
    assert [one.get("cursor") for one in asked(office)] == [None, "page:2", "page:3"] * 2
    assert all("start_date" not in one for one in asked(office))
    office.load(of, at(11))
    assert [(one["start_date"], one["end_date"]) for one in asked(office)] == [("2025-12-09", "2099-12-31")]
    office.load(of, at(17))
    assert len(asked(office)) == 6
    assert office.rows("invoices").height == 12


def test_payments_are_asked_for_once_and_again_where_the_list_says_something_else(office, small_pages):
    of = over_the_years(paid_at=at(5))
    office.load(of, at(10))
    assert asked_alone(office) == list(range(1, 13))
    for day in (11, 17):
        office.load(of, at(day))
        assert asked_alone(office) == []
    assert office.counts()["payment.received"] == 12
    half = changed(lambda item: {**item, "payments_total": "100.00"} if item["id"].endswith("c") else item)
    office.load(of, at(18), half)
    assert asked_alone(office) == [12]
    assert [key for key, _ in office.quarantined()] == [f"{12:024x}"]


def test_payments_are_read_again_once_in_a_while_on_a_day_of_each(office, small_pages):
    office.with_options(payments_again_days=28)
    of = over_the_years(paid_at=at(5))
    office.load(of, at(10))
    again = Counter[int]()
    for week in range(1, 5):
        office.load(of, at(10) + timedelta(days=7 * week))
        assert len(asked_alone(office)) < 12
        again.update(asked_alone(office))
    assert again == dict.fromkeys(range(1, 13), 1)


def test_without_payments_nothing_is_asked_for_by_itself(office):
    office.with_options(payments=False)
    office.load(company(invoice(1), invoice(2, paid_at=None, voided_at=at(5))), at(9))
    assert asked_alone(office) == []
    assert office.counts() == {"invoice.issued": 2, "invoice.voided": 1}
    assert set(office.stream("invoices").feeds) == {"invoice.issued", "invoice.voided"}


def test_all_documents_are_read_again_when_other_tags_are_to_be_kept(office, small_pages):
    of = over_the_years(paid_at=at(5))
    office.load(of, at(10))
    office.with_options(categories=())
    office.load(of, at(11))
    assert len(asked(office)) == 6
    assert {one for (one,) in office.said("category", of="invoice.issued")} == {None}


def test_a_payment_of_an_old_invoice_is_found_by_the_next_reading_of_all(office, small_pages):
    of = over_the_years()
    paid_now = company(*(replace(one, paid_at=at(11, 8)) if one.id == 1 else one for one in of.invoices))
    office.load(of, at(10))
    office.load(paid_now, at(12))
    assert office.said("amount", of="payment.received") == []
    office.load(paid_now, at(17))
    assert office.said("occurred_at", "amount", of="payment.received") == [(midnight(11), Decimal(121))]
    assert office.stream("invoices").lateness >= timedelta(days=7)


def test_a_document_that_moved_to_the_page_before_while_pages_were_read_is_not_taken_for_deleted(office, small_pages):
    """The first page loses one document once it was read; what begins the second is then the end of the first."""
    of = over_the_years(8)
    before = office.served(of, at(10))
    office.fetch(before, at(10))
    items = [item for one in before.exchanges[:2] for item in one.content["items"]]
    requests = 0

    def alter(exchange: Exchange) -> Any:
        nonlocal requests
        if not is_list(exchange):
            return None
        requests += 1
        there = items if requests == 1 else items[1:]
        number = int(parse_qs(exchange.query).get("cursor", ["page:1"])[0].removeprefix("page:"))
        answer = {"items": there[(number - 1) * 4 : number * 4], "has_more": number < 2, "cursor": "page:2"}
        return 200, {}, orjson.dumps(answer)

    found = office.read(office.served(of, at(10), alter), "invoices", Read(None, at(10), None, office.clock))
    assert found.covered is not None
    assert found.covered.present == {item["id"] for item in items}
    assert set(found.keys) == found.covered.present


def test_a_document_that_a_new_one_moved_to_the_next_page_comes_once(office, small_pages):
    """What ends the first page begins the second one too."""
    of = over_the_years(6)

    def alter(exchange: Exchange) -> Any:
        if not is_list(exchange) or "cursor" not in exchange.query:
            return None
        again = {"id": f"{3:024x}"}
        items = [{**exchange.content["items"][0], **again}, *exchange.content["items"]]
        return 200, {}, orjson.dumps({**exchange.content, "items": items})

    found = first(office, of, alter)
    assert found.error is None
    assert sorted(found.keys) == [f"{n:024x}" for n in range(1, 7)]


def first(office: Office, of: Company, alter: Any = None, mark: str | None = None, **settings: Any) -> Reading:
    read = Read(None, at(20), None, office.clock, mark)
    return office.read(office.served(of, at(20), alter, **settings), "invoices", read)


def test_a_reading_that_a_quota_stopped_asks_for_no_payment_twice(office, small_pages, monkeypatch):
    monkeypatch.setattr("pipelines.holded.reading._ASKED_A_MARK", 2)
    of, held, mark, runs = over_the_years(paid_at=at(5)), dict[str, Record](), None, 0
    while True:
        runs += 1
        found = first(office, of, mark=mark, requests_a_month=9)
        held |= {record.key: record for record in found.records}
        if found.covered is not None:
            break
        assert "a quota is used up" in str(found.failure)
        assert found.marks
        mark = found.marks[-1]
    assert runs == 3  # of 9 requests each: one alone would take 18
    assert set(held) == found.covered.present
    assert held == {record.key: record for record in first(office, of).records}


def test_an_account_that_was_read_by_the_vendors_first_version_is_read_anew(office, small_pages):
    cursor = orjson.dumps({"whole_at": at(19).isoformat(), "count": 12, "labels": {"category": "fee"}}).decode()
    of = over_the_years()
    found = office.read(office.served(of, at(20)), "invoices", Read(at(19), at(20), cursor, office.clock))
    assert found.covered is not None
    assert len(found.covered.present) == 12


def test_an_invoice_that_was_deleted_after_it_was_listed_is_not_there(office):
    def alter(exchange: Exchange) -> Any:
        return (404, {}, b'{"title": "Not found", "status": 404}') if exchange.path.endswith(f"{2:024x}") else None

    found = first(office, company(invoice(1), invoice(2)), alter)
    assert found.covered is not None
    assert found.covered.present == {f"{1:024x}"} == set(found.keys)


# --- what is loud -----------------------------------------------------------------------------------------------------

ONE = b'{"id": "a", "payments_total": "0.00"}'


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"type": "x", "title": "Marta Ruiz"}', "answered without items, has_more"),
        (b'{"items": [%s]}' % ONE, "answered without has_more"),
        (b'{"items": {"a": 1}, "has_more": false}', "is not a list of documents"),
        (b'{"items": [%s, {"date": 1}], "has_more": false}' % ONE, "is not a list of documents"),
        (b'{"items": [{"id": ""}], "has_more": false}', "is not a list of documents"),
        (b'{"items": [%s], "has_more": true, "cursor": null}' % ONE, "does not say where it goes on"),
        (b'{"items": [%s], "has_more": "true", "cursor": "page:2"}' % ONE, "does not say where it goes on"),
        (
            b'{"items": [%s], "has_more": true, "cursor": "page:2"}' % ONE,
            "says that there is more and gives nothing new",
        ),
        (b'{"items": [], "has_more": true, "cursor": "page:2"}', "says that there is more and gives nothing new"),
        (b'[{"id": "a"}]', "a JSON list, not an object"),
        (b"null", "a JSON NoneType, not an object"),
        (b"<!DOCTYPE html><html>Mantenimiento</html>", "what is not JSON"),
        (b'{"items": [{"id": "a", "date": 17', "what is not JSON"),
    ],
)
def test_an_answer_with_status_200_that_is_no_list_is_loud(office, body, found):
    failed = first(office, company(invoice()), lambda exchange: (200, {}, body))
    assert isinstance(failed.error, VendorError)
    assert found in str(failed.failure)
    assert "Marta" not in str(failed.failure)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"id": "another"}', "gives another document than the one that was asked for"),
        (b'{"title": "Not found"}', "answered without id"),
        (b"<html>", "what is not JSON"),
    ],
)
def test_an_answer_that_is_no_invoice_is_loud(office, body, found):
    failed = first(office, company(invoice(10)), lambda one: None if is_list(one) else (200, {}, body))
    assert isinstance(failed.error, VendorError)
    assert found in str(failed.failure)
    assert f"{10:024x}" not in str(failed.failure)


@pytest.mark.parametrize(
    ("key", "settings", "found"),
    [
        ("pat_another", {}, "HTTP 403: the credentials were refused"),
        ("0123456789abcdef0123456789abcdef", {}, "a key of the first version of Holded's API is none"),
        ("pat_sandbox-holded-key", {"permissions": ()}, "the key lacks the permission sales:invoices.read"),
    ],
)
def test_a_refused_key_names_the_setting(office, key, settings, found):
    office.configure(api_key=key)
    failed = first(office, company(invoice()), **settings)
    assert isinstance(failed.error, SourceConfigError)
    assert found in str(failed.failure)
    assert key not in str(failed.failure)
    assert "Check sources.agencia.holded.api_key" in str(failed.failure)


def test_a_missing_key_names_the_setting(office):
    office.configure(api_key=None)
    failed = first(office, company(invoice()))
    assert isinstance(failed.error, SourceConfigError)
    assert "sources.agencia.holded.api_key is not set" in str(failed.failure)


def test_the_limit_of_a_minute_is_waited_for_and_that_of_a_month_is_told(office, small_pages):
    began = office.clock.now()
    found = first(office, over_the_years(12), requests_a_minute=2)
    assert found.error is None
    assert office.clock.now() - began >= timedelta(minutes=2)
    failed = first(office, over_the_years(12), requests_a_month=3)
    assert "asks to wait 720.0 hours: a quota is used up" in str(failed.failure)


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (429, {"X-RateLimit-Window": "month"}, "asks to wait 0.3 hours: a quota is used up"),
        (429, {"X-RateLimit-Window": "month", "Retry-After": "60"}, "a quota is used up"),
        (429, {"X-RateLimit-Window": "day", "X-RateLimit-Reset": str(int(at(30).timestamp()))}, "a quota is used up"),
        (429, {"X-RateLimit-Window": "minute"}, f"failed {MOST_ATTEMPTS} times, at last with HTTP 429"),
        (429, {}, f"failed {MOST_ATTEMPTS} times, at last with HTTP 429"),
        (402, {}, "asks to wait 0.3 hours: a quota is used up"),
    ],
)
def test_a_limit_that_says_little_is_loud_in_the_end(office, status, headers, told):
    failed = first(office, company(invoice()), lambda exchange: (status, headers, b"{}"))
    assert told in str(failed.failure)


def test_a_tag_that_no_invoice_has_names_the_nearest(office):
    office.with_options(categories=("fees",))
    failed = first(office, company(invoice()))
    assert isinstance(failed.error, SourceConfigError)
    assert str(failed.failure).endswith("no invoice has the tag 'fees' of the category. Did you mean fee?")
    none = first(office, company(invoice()), changed(lambda item: {**item, "tags": []}))
    assert "Leave it out until one has it" in str(none.failure)


def test_of_what_is_no_scalar_nothing_is_kept(office):
    named = {"name": "Marta Ruiz"}
    strange = dict.fromkeys(("contact_id", "currency", "date", "status", "subtotal", "total"), named)
    more = {"payments_detail": [{"id": named, "amount": named, "date": [named]}], "payments_total": named}
    office.with_options(categories=())
    [record] = first(office, company(invoice()), changed(lambda item: {**item, **strange, **more})).records
    assert "Marta" not in str(record.payload)


def test_credit_notes_can_be_left_out(office):
    office.with_options(credit_notes=False)
    assert [stream.name for stream in office.source.streams()] == ["invoices"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"credited": "minus"}, "'positive' or 'negative'"),
        ({"whole_days": 0}, "greater than or equal to 1"),
        ({"categoria": "x"}, "Extra inputs are not permitted"),
        ({"categories": ["web", "#Web"]}, "named twice"),
        ({"products": ["#"]}, "has no name"),
    ],
)
def test_options_that_cannot_be_are_refused(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        HoldedOptions.model_validate(options)


def test_the_whole_example_of_the_options_is_one() -> None:
    assert HoldedOptions.__doc__ is not None
    given = yaml.safe_load(HoldedOptions.__doc__.partition("A whole one::")[2])
    assert {*given} == {*HoldedOptions.model_fields}
    HoldedOptions.model_validate(given)


def test_a_kind_that_is_misspelt_names_this_one() -> None:
    with pytest.raises(NoConnector, match="holded"):
        connector("holdde")


def test_a_record_is_the_same_as_long_as_nothing_changes(office):
    of = company(invoice(1), invoice(2, paid_at=None))
    pages: list[list[Record]] = [first(office, of).records for _ in range(2)]
    assert pages[0] == pages[1]
