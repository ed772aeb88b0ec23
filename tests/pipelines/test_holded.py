"""Holded against its stand-in, read in process: what is asked for and what comes of it, and what is loud."""

from __future__ import annotations

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

LABELS = {"category": "Línea", "product": "Servicio"}
PERSONAL = ("Marta", "Ruiz", "600 123", "Calle")
Item = dict[str, Any]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, HOLDED, HoldedOptions(**LABELS), stand_in)


def changed(change: Callable[[Item], Item], kind: str = "invoice") -> Callable[[Exchange], Any]:
    """The vendor's answers with each document of a kind changed."""

    def alter(exchange: Exchange) -> Any:
        if not exchange.path.endswith(f"/{kind}"):
            return None
        return 200, {}, orjson.dumps([change(item) for item in exchange.content])

    return alter


def told(office: Office) -> list[tuple[Any, ...]]:
    return office.said("event_type", "occurred_at", "amount")


def midnight(day: int, month: int = 3) -> datetime:
    """The beginning of a day in Madrid (in summer from the last Sunday of March)."""
    return at(day, 0, month) - timedelta(hours=2 if (month, day) > (3, 29) else 1)


# --- what is said -----------------------------------------------------------------------------------------------------


def test_an_invoice_counts_from_its_approval_on_and_its_payments_with_tax(office):
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
    """By day, as Holded knows no hours; of a voided document, Holded does not know the day either."""
    (tmp_path / "stripe").mkdir()
    others = Office(
        tmp_path / "stripe", monkeypatch, STRIPE,
        StripeOptions(category="category", product="product", subscriptions=False), stripe,
    )  # fmt: skip
    invoices = [
        invoice(n, issued_at=at(n, 22), paid_at=at(n + 3) if n % 3 else None, net_cents=99_99 + n * 7, tax_cents=21_13,
                currency=("EUR", "USD")[n % 2], category=("fee", "valuation")[n % 2], created_at=at(n))
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


def test_a_deleted_document_is_withdrawn(tmp_path, monkeypatch):
    office = StoredOffice(tmp_path, monkeypatch, HOLDED, HoldedOptions(**LABELS), stand_in)
    of = company(*(invoice(n) for n in range(1, 6)))
    office.load(of, at(5))
    office.load(of, at(6), deleted={2: at(5, 12)})
    assert len(office.said("subject_id", of="invoice.issued")) == 4
    assert office.withdrawn().height == 3  # issued, paid, received
    before = office.rows("invoices").height
    office.load(of, at(7), deleted={2: at(5, 12)})
    assert office.rows("invoices").height == before


def test_nothing_of_anybody_is_kept_but_the_contacts_id(office):
    office.load(company(invoice(1, TakenBack("credit", at(5), 30_00))), at(9))
    assert not [word for word in PERSONAL if word in office.stored()]


# --- what is understood of a document ---------------------------------------------------------------------------------


def understood(office: Office, change: Item, kind: str = "invoice") -> list[tuple[Any, ...]]:
    """What comes of an unpaid invoice, or of a credit note on it, with these fields; `...` leaves a field out."""

    def apply(item: Item) -> Item:
        both = {**item, **change}
        return {name: value for name, value in both.items() if value is not ...}

    office.load(company(invoice(1, TakenBack("credit", at(3), 50_00), paid_at=None)), at(20), changed(apply, kind))
    about = {"invoice": "invoice.", "creditnote": "credit_note."}[kind]
    return [(event_type, amount) for event_type, _, amount in told(office) if event_type.startswith(about)]


ISSUED = ("invoice.issued", Decimal(100))
LATER = int(at(9, 11).timestamp())


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({"draft": None, "approvedAt": None, "status": 0}, []),
        ({"draft": True, "approvedAt": None}, []),
        ({"draft": False, "approvedAt": None}, [ISSUED]),
        ({"draft": ..., "approvedAt": ...}, [ISSUED]),
        ({"draft": ..., "approvedAt": ..., "docNumber": ""}, []),
        ({"draft": None, "approvedAt": None, "status": 2}, [ISSUED]),
        ({"draft": 0, "approvedAt": None}, [ISSUED]),
        ({"subtotal": "100.00", "total": "121.00", "date": "1772319600", "status": "0"}, [ISSUED]),
        ({"date": 1772319600.0}, [ISSUED]),
        ({"subtotal": 100.00000000000001}, [ISSUED]),
        ({"subtotal": 0.1, "total": 0.121}, [("invoice.issued", Decimal("0.1"))]),
        ({"subtotal": 1e-06}, [("invoice.issued", Decimal("0.000001"))]),
        ({"subtotal": 100, "tax": 6, "total": 106}, [ISSUED]),  # 21 % of VAT, 15 % withheld
        ({"subtotal": 100, "tax": 21, "total": 106}, [ISSUED]),  # the same, were `tax` VAT alone
        ({"subtotal": 100, "discount": 10, "tax": 18.9, "total": 108.9}, [("invoice.issued", Decimal(90))]),
        ({"subtotal": 90, "discount": 10, "tax": 18.9, "total": 108.9}, [("invoice.issued", Decimal(90))]),
        ({"currency": "USD"}, [ISSUED]),
        ({"paymentsPending": 0, "paymentsTotal": 0}, [ISSUED]),  # a credit note came to as much
        ({"subtotal": 0, "total": 0, "paymentsPending": 0},
         [("invoice.issued", Decimal(0)), ("invoice.paid", Decimal(0))]),
        ({"status": 1, "paymentsTotal": 121, "paymentsPending": 5e-14,
          "paymentsDetail": [{"id": "a", "amount": 21.5, "date": LATER}, {"id": "b", "amount": 99.5, "date": LATER}]},
         [ISSUED, ("invoice.paid", Decimal(100))]),
        ({"status": 1, "paymentsTotal": 21, "paymentsPending": 100,
          "paymentsDetail": [{"id": "a", "amount": 21, "date": LATER}]}, [ISSUED]),
    ],
)  # fmt: skip
def test_what_an_invoice_says(office, change, facts):
    assert understood(office, change) == facts
    assert office.quarantined() == []


def test_each_payment_is_one_and_what_was_given_back_is_negative(office):
    payments = [{"id": "a", "amount": 121, "date": LATER}, {"id": "b", "amount": -121, "date": LATER + 86400}]
    understood(office, {"status": 0, "paymentsTotal": 0, "paymentsDetail": payments})
    assert told(office)[-2:] == [
        ("payment.received", midnight(9), Decimal(121)),
        ("payment.refunded", midnight(10), Decimal(-121)),
    ]
    assert office.said("subject_id", of="payment.refunded") == [("b",)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": 7}, "status: none that is known (7)"),
        ({"status": ...}, "status: none that is known (nothing)"),
        ({"draft": True, "status": 0}, "draft: said to be one, and approved"),
        ({"date": 0}, "date: not a time (0)"),
        ({"date": "2026-03-01"}, "date: not a time (2026-03-01)"),
        ({"date": 1772319600000}, "date: not a time (1772319600000)"),
        ({"date": int(at(1, year=2062).timestamp())}, "date: in the future"),
        ({"date": "2903000000"}, "date: in the future"),
        ({"currency": {"code": "Marta"}}, "currency: not a currency's code (a dict)"),
        ({"currency": None}, "currency: not a currency's code (nothing)"),
        ({"currency": "euros"}, "currency: not a currency's code (euros)"),
        ({"subtotal": None}, "subtotal: not a number (nothing)"),
        ({"subtotal": "1.234,50"}, "subtotal: not a number (1.234,50)"),
        ({"discount": 10}, "discount: 10 %, with a subtotal of 100.0, tax of 21.0 and a total of 121.5: what is "
                           "without tax is not said"),
        ({"paymentsPending": ...}, "paymentsPending: not a number (nothing)"),
        ({"paymentsTotal": None}, "paymentsTotal: not a number (nothing)"),
        ({"paymentsTotal": 121, "paymentsPending": 0},
         "paymentsDetail: payments of 0.0 in all, but paymentsTotal is 121"),
        ({"paymentsDetail": [{"id": "a", "amount": "x", "date": LATER}]},
         "paymentsDetail: an amount that is not a number (x)"),
        ({"paymentsDetail": [{"id": "a", "amount": 1, "date": None}]},
         "paymentsDetail: a date that is not a time (nothing)"),
        ({"paymentsDetail": [{"id": "a", "amount": 1, "date": 2903000000}]}, "paymentsDetail: a date in the future"),
        ({"paymentsDetail": [{"amount": 1, "date": LATER}]}, "paymentsDetail: a payment without an id"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_set_aside_and_says_why(office, change, problem):
    more = {"total": 121.5} if "discount" in change else {}
    assert understood(office, {**change, **more}) == []
    assert {said for _, said in office.quarantined()} == {problem}


@pytest.mark.parametrize(
    ("subtotal", "credited", "amount"),
    [(50, None, -50), (50, "positive", -50), (-50, "positive", 50), (-50, "negative", -50), (50, "negative", 50)],
)
def test_a_credit_note_takes_back_what_its_sign_says(office, subtotal, credited, amount):
    office.with_options(credited=credited)
    assert understood(office, {"subtotal": subtotal}, "creditnote") == [("credit_note.issued", Decimal(amount))]


def test_a_credit_note_of_the_other_sign_is_set_aside_until_somebody_says_what_it_means(office):
    assert understood(office, {"subtotal": -50}, "creditnote") == []
    [(_, problem)] = office.quarantined()
    assert "say by the option `credited`" in problem


# --- what is asked for ------------------------------------------------------------------------------------------------


def asked(office: Office, kind: str = "invoice") -> list[dict[str, str]]:
    return [
        {name: value[0] for name, value in parse_qs(one.query).items()}
        for one in office.exchanges
        if one.path.endswith(kind)
    ]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pipelines.holded.api", "pipelines.holded.reading", "pipelines.sandbox.holded"):
        monkeypatch.setattr(f"{module}.PAGE_SIZE", 4)


def over_the_years(count: int = 12) -> Company:
    """An invoice a month, the last of them in March 2026, none of them paid."""
    months = [divmod(2026 * 12 + 2 - back, 12) for back in reversed(range(count))]
    days = [datetime(year, month + 1, 1, 9, tzinfo=UTC) for year, month in months]
    return company(*(invoice(n, created_at=at, issued_at=at, paid_at=None) for n, at in enumerate(days, start=1)))


def test_a_run_in_between_reads_the_documents_of_late_and_once_a_week_all(office, small_pages):
    of = over_the_years()
    office.load(of, at(10))
    assert [one["page"] for one in asked(office)] == ["1", "2", "3", "4", "4"] * 2
    office.load(of, at(11))
    assert {int(one["starttmp"]) for one in asked(office)} == {int((at(11) - timedelta(days=92)).timestamp())}
    assert [one["page"] for one in asked(office)] == ["1", "2", "2"]
    assert int(asked(office)[0]["endtmp"]) > at(1, year=2100).timestamp()
    office.load(of, at(17))
    assert len(asked(office)) == 10
    assert office.rows("invoices").height == 12


def test_all_documents_are_read_again_when_other_custom_fields_are_to_be_kept(office, small_pages):
    of = over_the_years()
    office.load(of, at(10))
    office.with_options(product=None)
    office.load(of, at(11))
    assert len(asked(office)) == 10
    assert {one for (one,) in office.said("product", of="invoice.issued")} == {None}


def test_a_payment_of_an_old_invoice_is_found_by_the_next_reading_of_all(office, small_pages):
    of = over_the_years()
    paid = company(*(replace(one, paid_at=at(11, 8)) if one.id == 1 else one for one in of.invoices))
    office.load(of, at(10))
    office.load(paid, at(12))
    assert office.said("amount", of="payment.received") == []
    office.load(paid, at(17))
    assert office.said("occurred_at", "amount", of="payment.received") == [(midnight(11), Decimal(121))]
    assert office.stream("invoices").lateness >= timedelta(days=7)


def test_a_document_that_moved_to_the_page_before_while_pages_were_read_is_not_taken_for_deleted(office, small_pages):
    """The first page loses one document once it was read; what begins the second is then the end of the first."""
    of = over_the_years(8)
    before = office.served(of, at(10))
    office.fetch(before, at(10))
    items = [item for one in before.exchanges[:2] for item in one.content]
    requests = 0

    def alter(exchange: Exchange) -> Any:
        nonlocal requests
        if not exchange.path.endswith("invoice"):
            return None
        requests += 1
        there = items if requests == 1 else items[1:]
        page = int(parse_qs(exchange.query)["page"][0])
        return 200, {}, orjson.dumps(there[(page - 1) * 4 : page * 4])

    found = office.read(office.served(of, at(10), alter), "invoices", Read(None, at(10), None, office.clock))
    assert found.covered is not None
    assert found.covered.present == {item["id"] for item in items}
    assert set(found.keys) == found.covered.present


def test_an_empty_page_is_believed_when_it_is_empty_twice(office, small_pages):
    emptied = 0

    def alter(exchange: Exchange) -> Any:
        nonlocal emptied
        emptied += 1
        return (200, {}, b"[]") if emptied == 2 else None

    found = first(office, over_the_years(6), alter)
    assert len(set(found.keys)) == 6


def test_a_page_that_comes_again_is_loud(office, small_pages):
    pages: list[bytes] = []

    def alter(exchange: Exchange) -> Any:
        pages.append(exchange.answer)
        return 200, {}, pages[0]

    assert "gave a document for the second time" in str(first(office, over_the_years(6), alter).failure)


def first(office: Office, of: Company, alter: Any = None, **settings: Any) -> Reading:
    return office.first(office.served(of, at(20), alter, **settings), "invoices", at(20))


# --- what is loud -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"status": 0, "info": "Marta Ruiz"}', "is not a list of documents"),
        (b'[{"id": "a"}, {"date": 1}]', "is not a list of documents"),
        (b'[{"id": ""}]', "is not a list of documents"),
        (b"null", "is not a list of documents"),
        (b"<html>Mantenimiento</html>", "is not JSON"),
        (b'[{"id": "a", "date": 17', "is not JSON"),
    ],
)
def test_an_answer_with_status_200_that_is_no_list_is_loud(office, body, found):
    failed = first(office, company(invoice()), lambda exchange: (200, {}, body))
    assert isinstance(failed.error, VendorError)
    assert found in str(failed.failure)
    assert "Marta" not in str(failed.failure)


@pytest.mark.parametrize(
    ("key", "status", "found"),
    [
        ("another", 401, "HTTP 401: the credentials were refused"),
        ("another", 200, "the vendor does not know the key"),
        ("pat_1_another", 200, "is a key of the second version of the vendor's API"),
    ],
)
def test_a_refused_key_names_the_setting(office, key, status, found):
    office.configure(api_key=key)
    failed = first(office, company(invoice()), lambda exchange: (status, {}, exchange.answer))
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
    found = first(office, over_the_years(12), requests_a_minute=3)
    assert found.error is None
    assert office.clock.now() - began >= timedelta(minutes=2)
    failed = first(office, over_the_years(12), requests_a_month=3)
    assert "asks to wait 720.0 hours: a quota is used up" in str(failed.failure)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-RateLimit-Window": "month"}, "asks to wait 0.3 hours: a quota is used up"),
        ({"X-RateLimit-Window": "month", "Retry-After": "60"}, "a quota is used up"),
        ({"X-RateLimit-Window": "minute"}, f"failed {MOST_ATTEMPTS} times, at last with HTTP 429"),
        ({}, f"failed {MOST_ATTEMPTS} times, at last with HTTP 429"),
    ],
)
def test_a_limit_that_says_little_is_loud_in_the_end(office, headers, told):
    failed = first(office, company(invoice()), lambda exchange: (429, headers, b"{}"))
    assert told in str(failed.failure)


def test_a_custom_field_that_no_invoice_has_names_the_nearest(office):
    office.with_options(category="Linea")
    failed = first(office, company(invoice()))
    assert isinstance(failed.error, SourceConfigError)
    assert str(failed.failure).endswith("has the custom field 'Linea' that is the category. Did you mean Línea?")
    none = first(office, company(invoice()), changed(lambda item: {**item, "customFields": []}))
    assert "None has any: leave it out" in str(none.failure)


def test_lists_may_come_as_objects_of_numbers(office):
    def numbered(item: Item) -> Item:
        lists = {name: item[name] for name in ("customFields", "paymentsDetail")}
        return {**item, **{name: {str(n): one for n, one in enumerate(each)} for name, each in lists.items()}}

    [record] = first(office, company(invoice()), changed(numbered)).records
    assert record == first(office, company(invoice())).records[0]


def test_of_what_is_no_scalar_nothing_is_kept(office):
    named = {"name": "Marta Ruiz"}
    strange = dict.fromkeys(("contact", "currency", "date", "status", "subtotal", "total", "approvedAt"), named)
    more = {
        "paymentsDetail": [{"id": named, "amount": named, "date": [named]}],
        "customFields": [{"field": "Línea", "value": named}],
    }
    [record] = first(office, company(invoice()), changed(lambda item: {**item, **strange, **more})).records
    assert "Marta" not in str(record.payload)


def test_credit_notes_can_be_left_out(office):
    office.with_options(credit_notes=False)
    assert [stream.name for stream in office.source.streams()] == ["invoices"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"zone": "Europe/Madird"}, "Did you mean Europe/Madrid"),
        ({"credited": "minus"}, "'positive' or 'negative'"),
        ({"whole_days": 0}, "greater than or equal to 1"),
        ({"categoria": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_options_that_cannot_be_are_refused(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        HoldedOptions.model_validate(options)


def test_the_whole_example_of_the_options_is_one() -> None:
    assert HoldedOptions.__doc__ is not None
    example = HoldedOptions.__doc__.partition("A whole one::")[2].split("\n")
    given = dict(line.strip().split(": ", 1) for line in example if ": " in line)
    assert {*given} == {*HoldedOptions.model_fields}
    HoldedOptions.model_validate({**given, "credit_notes": given["credit_notes"] == "true"})


def test_a_kind_that_is_misspelt_names_this_one() -> None:
    with pytest.raises(NoConnector, match="holded"):
        connector("holdde")


def test_a_record_is_the_same_as_long_as_nothing_changes(office):
    of = company(invoice(1), invoice(2, paid_at=None))
    pages: list[list[Record]] = [first(office, of).records for _ in range(2)]
    assert pages[0] == pages[1]
