"""Stripe's credit notes, refunds and disputes: what takes back what was invoiced or paid, and what undoes that."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from at_hand import at_hand
from shop import code

from pipelines.sandbox import stripe as stand_in
from pipelines.sandbox.company import Company, Invoice, TakenBack
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Covered, Mark, Read, Record, SourceConfigError, Stream
from pipelines.stripe import STRIPE, StripeOptions
from pipelines.stripe.credit_notes import facts as of_credit_notes
from pipelines.stripe.given_back import disputed, refunded

SETTINGS = "SOURCES__AGENCIA__STRIPE__"
PERSONAL = ("Marta", "Ruiz", "correo.example", "600 123", "4242")
KINDS = {"credit_notes": "credit", "refunds": "refund", "disputes": "dispute"}


def at(day: int, hour: int = 9, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def invoice(*back: TakenBack, number: int = 1, **different: Any) -> Invoice:
    """An invoice of 100 EUR and 21 EUR tax, issued on the first and paid on the second of March."""
    said = Invoice(number, 70 + number, None, "fee", at(1, 8), at(1), 100_00, 21_00, at(2), None, product="rental")
    return replace(said, taken_back=back, **different)


class Books:
    """A Stripe account, and what readings of it give: no lake is between."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch, self.asked = folder, monkeypatch, list[str]()
        monkeypatch.setenv(SETTINGS + "API_KEY", stand_in.CREDENTIALS["api_key"])

    def stream(self, name: str, **options: Any) -> Stream:
        account = Account("agencia", "stripe", "Europe/Madrid", code)
        found = STRIPE.streams(account, StripeOptions(category="category", product="product", **options))
        return next(stream for stream in found if stream.name == name)

    def read(self, name: str, present: datetime, *invoices: Invoice, since: datetime | None = None) -> list[Record]:
        none: tuple[Any, ...] = ()
        company = Company(
            seed=0, zone="Europe/Madrid", founded=date(2025, 1, 1), last_day=date(2026, 12, 31), contacts=none,
            listings=none, sales=none, activities=none, tickets=none, invoices=invoices, videos=none, sheet_rows=none,
            subscribers={}, views={},
        )  # fmt: skip
        clock, stream = SharedClock(self.folder / "clock.json", present), self.stream(name)
        self.asked = []
        cursor = "category=category&product=product" if name == "credit_notes" else ""
        with at_hand(self._noting(stand_in.app(Desk(company, present, clock)))) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            return drained(stream.fetch(Read(since, present, cursor, clock)))

    def _noting(self, app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.asked.append(scope["path"])
            await app(scope, receive, send)

        return wrapped

    def said(self, name: str, present: datetime, *invoices: Invoice) -> list[dict[str, Any]]:
        """What is understood of all that there is."""
        stream = self.stream(name)
        return understood(stream.facts, stream.payload, *self.read(name, present, *invoices))


def drained(pages: Generator[Any, None, Covered]) -> list[Record]:
    return [record for page in pages if not isinstance(page, Mark) for record in page]


def understood(facts: Any, payload: pl.Struct, *records: Record) -> list[dict[str, Any]]:
    rows = [
        {name: as_text(record.payload.get(name)) for name in (field.name for field in payload.fields)}
        | {"record_key": record.key}
        for record in records
    ]
    schema = {"record_key": pl.String(), **{field.name: field.dtype for field in payload.fields}}
    found: list[dict[str, Any]] = facts(pl.LazyFrame(rows, schema=schema)).collect().to_dicts()
    return found


def as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else str(value)


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    return Books(tmp_path, monkeypatch)


def told(facts: list[dict[str, Any]]) -> list[tuple[str, datetime, Decimal]]:
    return [(one["event_type"], one["occurred_at"], one["amount"]) for one in facts]


# --- what is said -----------------------------------------------------------------------------------------------------


def test_a_credit_note_takes_back_a_part_without_tax_and_is_of_what_its_invoice_is_of(books):
    (said,) = books.said("credit_notes", at(10), invoice(TakenBack("credit", at(5), 30_00)))
    assert told([said]) == [("credit_note.issued", at(5), Decimal(-30))]
    assert (said["account_id"], said["category"], said["product"]) == ("cus_71", "fee", "rental")
    assert said["source_url"] == "https://dashboard.stripe.com/credit_notes/cn_1_0"


def test_a_credit_note_that_is_void_stays_issued_and_is_taken_back_when_it_was_voided(books):
    of = invoice(TakenBack("credit", at(5), 30_00, undone_at=at(8)))
    assert told(books.said("credit_notes", at(10), of)) == [
        ("credit_note.issued", at(5), Decimal(-30)),
        ("credit_note.voided", at(8), Decimal(30)),
    ]
    assert told(books.said("credit_notes", at(7), of)) == [("credit_note.issued", at(5), Decimal(-30))]


def test_what_was_invoiced_net_is_the_sum_over_invoices_and_credit_notes(books):
    of = [
        invoice(TakenBack("credit", at(5), 30_00), number=1),
        invoice(TakenBack("credit", at(5), 40_00, undone_at=at(6)), number=2),
        invoice(number=3, paid_at=None, voided_at=at(4)),
    ]
    said = books.said("invoices", at(10), *of) + books.said("credit_notes", at(10), *of)
    counted = ("invoice.issued", "invoice.voided", "credit_note.issued", "credit_note.voided")
    assert sum(one["amount"] for one in said if one["event_type"] in counted) == Decimal(170)


def test_a_refund_is_the_customers_whose_charge_it_is_of(books):
    (said,) = books.said("refunds", at(10), invoice(TakenBack("refund", at(5), 121_00)))
    assert told([said]) == [("payment.refunded", at(5), Decimal(-121))]
    assert (said["account_id"], said["channel"]) == ("cus_71", "sepa_debit")


def test_a_refund_that_failed_was_none(books):
    assert books.said("refunds", at(10), invoice(TakenBack("refund", at(5), 121_00, undone_at=at(7)))) == []


def test_a_dispute_takes_a_payment_back_and_gives_it_again_when_it_is_won(books):
    of = invoice(TakenBack("dispute", at(5), 121_00, undone_at=at(20)))
    assert told(books.said("disputes", at(10), of)) == [("payment.disputed", at(5), Decimal(-121))]
    assert told(books.said("disputes", at(25), of)) == [
        ("payment.disputed", at(5), Decimal(-121)),
        ("payment.reinstated", at(20), Decimal(121)),
    ]


@pytest.mark.parametrize("name", KINDS)
def test_nothing_of_the_person_is_kept(books, name):
    records = books.read(name, at(10), invoice(TakenBack(KINDS[name], at(5), 121_00)))
    assert records
    assert not [word for word in PERSONAL if word in str(records)]
    stream = books.stream(name)
    kept = {field.name for field in stream.payload.fields} | {"livemode"}
    assert [set(record.payload) <= kept for record in records] == [True]


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_only_what_changed_since_is_read_again(books, name):
    kind = KINDS[name]
    of = [invoice(TakenBack(kind, at(3), 10_00, undone_at=at(20)), number=1)]
    of += [invoice(TakenBack(kind, at(3), 10_00), number=number) for number in range(2, 9)]
    of += [invoice(TakenBack(kind, at(21), 10_00), number=9)]
    assert len(books.read(name, at(10), *of)) == 8
    changed = books.read(name, at(22), *of, since=at(10))
    assert {record.key.split("_")[1] for record in changed} == {"1", "9"}
    assert len([path for path in books.asked if path.startswith(f"/v1/{name}/")]) == 2


def test_a_new_refund_is_found_where_an_account_has_no_events_of_them(books, monkeypatch):
    """Older accounts have none but of a charge."""
    monkeypatch.setattr(stand_in.records, "taken_back", lambda one: [])
    found = books.read("refunds", at(10), invoice(TakenBack("refund", at(9), 10_00)), since=at(8))
    assert [record.key for record in found] == ["re_1_0"]


@pytest.mark.parametrize("name", KINDS)
def test_after_more_than_the_days_that_events_are_kept_everything_is_read(books, name):
    of = invoice(TakenBack(KINDS[name], at(3), 10_00, undone_at=at(8)))
    assert len(books.read(name, at(3, month=5), of, since=at(4))) == 1
    assert books.asked == [f"/v1/{name}"]


def test_of_what_the_options_leave_out_nothing_is_asked(books):
    left_out = STRIPE.streams(
        Account("agencia", "stripe", "Europe/Madrid", code),
        StripeOptions(credit_notes=False, refunds=False, disputes=False),
    )
    assert [stream.name for stream in left_out] == ["invoices", "charges", "subscriptions"]


@pytest.mark.parametrize("name", KINDS)
def test_money_of_the_other_mode_is_refused(books, monkeypatch, name):
    right = stand_in.records.TAKEN[KINDS[name]]

    def of_test(of: Invoice, number: int, now: datetime) -> dict[str, Any]:
        one = right(of, number, now)
        return (
            {**one, "livemode": False} if "livemode" in one else {**one, "charge": {**one["charge"], "livemode": False}}
        )

    monkeypatch.setitem(stand_in.records.TAKEN, KINDS[name], of_test)
    with pytest.raises(SourceConfigError, match="is of test mode"):
        books.read(name, at(10), invoice(TakenBack(KINDS[name], at(5), 10_00)))


# --- what cannot be understood ----------------------------------------------------------------------------------------

SOUND = {
    "id": "x",
    "status": "succeeded",
    "amount": "100",
    "currency": "eur",
    "created": "1772000000",
    "is_ahead": False,
}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": "gone"}, "status: none that the vendor documents (gone)"),
        ({"status": None}, "status: none that the vendor documents (nothing)"),
        ({"amount": "1.5"}, "amount: not a whole number (1.5)"),
        ({"currency": "euro"}, "currency: not a currency's code (euro)"),
        ({"created": None}, "created: not a time"),
        ({"is_ahead": True}, "created: a time in the future"),
    ],
)
def test_a_refund_that_cannot_be_understood_says_why(changes, problem):
    (said,) = understood(refunded_live, books_payload("refunds"), Record("x", None, {**SOUND, **changes}))
    assert said["problem"] == problem


@pytest.mark.parametrize("status", ["pending", "requires_action", "canceled", "failed"])
def test_a_refund_that_has_not_succeeded_states_nothing(status):
    assert understood(refunded_live, books_payload("refunds"), Record("x", None, {**SOUND, "status": status})) == []


def test_an_inquiry_of_which_no_money_moved_states_nothing():
    asked = {**SOUND, "status": "warning_needs_response"}
    assert understood(disputed_live, books_payload("disputes"), Record("x", None, asked)) == []


def test_money_that_was_given_back_before_it_was_taken_is_strange():
    strange = {**SOUND, "withdrawn_at": None, "reinstated_at": "1772000001"}
    (said,) = understood(disputed_live, books_payload("disputes"), Record("x", None, strange))
    assert said["problem"] == "balance_transactions: money given back that had not been withdrawn"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": "draft"}, "status: none that the vendor documents (draft)"),
        ({"status": "void"}, "voided_at: not a time, but the credit note is void"),
        ({"total_excluding_tax": None}, "total_excluding_tax: not a whole number (nothing)"),
        ({"currency": None}, "currency: not a currency's code (nothing)"),
    ],
)
def test_a_credit_note_that_cannot_be_understood_says_why(changes, problem):
    sound = {**SOUND, "status": "issued", "total_excluding_tax": "100"}
    said = understood(credit_notes_live, books_payload("credit_notes"), Record("x", None, {**sound, **changes}))
    assert {one["problem"] for one in said} == {problem}


@pytest.mark.parametrize(("currency", "amount"), [("jpy", "-100"), ("kwd", "-0.1"), ("eur", "-1")])
def test_amounts_have_the_decimals_of_their_currency(currency, amount):
    (said,) = understood(refunded_live, books_payload("refunds"), Record("x", None, {**SOUND, "currency": currency}))
    assert said["amount"] == Decimal(amount)


def refunded_live(records: pl.LazyFrame) -> pl.LazyFrame:
    return refunded(records, livemode=True)


def disputed_live(records: pl.LazyFrame) -> pl.LazyFrame:
    return disputed(records, livemode=True)


def credit_notes_live(records: pl.LazyFrame) -> pl.LazyFrame:
    return of_credit_notes(records, livemode=True)


def books_payload(name: str) -> pl.Struct:
    account = Account("agencia", "stripe", "Europe/Madrid", code)
    return next(stream.payload for stream in STRIPE.streams(account, StripeOptions()) if stream.name == name)
