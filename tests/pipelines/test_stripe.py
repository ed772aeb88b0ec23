"""Stripe against its stand-in: invoices, payments and subscriptions, on both sides of the 30 days, and what is loud."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import polars as pl
import pytest
import requests
from at_hand import at_hand
from shop import code
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from kr_definitions.events import COVERED, RETRACTED, current
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.raw_zone import StreamLoad
from pipelines.sandbox import stripe as stand_in
from pipelines.sandbox.company import Company, Invoice, Subscription, estate_agency
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Mark, Read, Record, SourceConfigError, VendorError
from pipelines.stripe import STRIPE, StripeOptions
from pipelines.stripe.api import API_VERSION

SETTINGS = "SOURCES__AGENCIA__STRIPE__"
PERSONAL = ("Marta", "Ruiz", "correo.example", "600 123", "Calle", "4242")
Around = Callable[[Any], Any]
Item = dict[str, Any]


def at(day: int, hour: int = 9, month: int = 3, year: int = 2026) -> datetime:
    """An hour of a day, of March if no other month is named."""
    return datetime(year, month, day, hour, tzinfo=UTC)


def invoice(number: int = 1, issued: datetime | None = None, **different: Any) -> Invoice:
    """An invoice of 100 EUR and 21 EUR tax, drawn up an hour before it is issued, neither paid nor void."""
    issued = issued or at(number)
    usual: dict[str, Any] = {
        "customer_id": 70 + number, "sale_id": None, "category": "fee", "created_at": issued - timedelta(hours=1),
        "net_cents": 100_00, "tax_cents": 21_00, "paid_at": None, "voided_at": None,
    }  # fmt: skip
    return Invoice(id=number, issued_at=issued, **{**usual, **different})


def subscription(number: int = 1, started: datetime | None = None, **different: Any) -> Subscription:
    """A subscription of 50 EUR a month that lasts."""
    usual: dict[str, Any] = {"customer_id": 70 + number, "product": "rental", "amount_cents": 50_00, "ended_at": None}
    return Subscription(id=number, started_at=started or at(number), **{**usual, **different})


def company(*invoices: Invoice, subscriptions: tuple[Subscription, ...] = ()) -> Company:
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone="Europe/Madrid", founded=date(2025, 1, 1), last_day=date(2026, 12, 31), contacts=none,
        listings=none, sales=none, activities=none, tickets=none, invoices=invoices, videos=none, sheet_rows=none,
        subscribers={}, views={}, subscriptions=subscriptions,
    )  # fmt: skip


class Books:
    """An organisation's lake, and the Stripe account that it is loaded from."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.lake = Lake(folder / "lake")
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.waited_seconds = 0.0
        self.use()
        monkeypatch.setenv(SETTINGS + "API_KEY", stand_in.CREDENTIALS["api_key"])

    def use(self, **options: Any) -> None:
        account = Account("agencia", "stripe", "Europe/Madrid", code)
        alone = {"credit_notes": False, "refunds": False, "disputes": False}  # of these: test_stripe_given_back
        self.source = Source(STRIPE, account, StripeOptions(**{**alone, **options}))

    def load(
        self, of: Company, present: datetime, around: Around = lambda app: app, **stand_in_options: Any
    ) -> dict[str, StreamLoad]:
        clock = SharedClock(self.folder / "clock.json", present)
        self.asked = []
        app = around(stand_in.app(Desk(of, present, clock), **stand_in_options))
        with at_hand(self._noting(app)) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            loads = fetch(self.source, self.lake, clock, present)
        bring_up_to_date([self.source], self.lake, present)
        self.waited_seconds = clock.waited_seconds()
        return {load.stream: load for load in loads}

    def read(self, of: Company, present: datetime, since: datetime | None, around: Around) -> list[Record]:
        """What a reading of the invoices gives, without a lake."""
        clock = SharedClock(self.folder / "clock.json", present)
        invoices = self.source.streams()[0]
        with at_hand(around(stand_in.app(Desk(of, present, clock)))) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            pages = invoices.fetch(Read(since, present, "", clock))
            return [record for page in pages if not isinstance(page, Mark) for record in page]

    def _noting(self, app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            self.asked.append((scope["path"], parse_qs(scope["query_string"].decode())))
            await app(scope, receive, send)

        return wrapped

    def paths(self, start: str) -> list[str]:
        return [path for path, _ in self.asked if path.startswith(start)]

    def said(self, event_type: str, *columns: str) -> list[tuple[Any, ...]]:
        log = current(self.lake.log.scan()).filter(pl.col("event_type") == event_type)
        return log.sort("occurred_at", "subject_id").select(columns or ("subject_id",)).collect().rows()

    def statements(self) -> pl.DataFrame:
        """Everything that the log was ever told, but for what had been read."""
        return self.lake.log.scan().filter(pl.col("event_type") != COVERED).sort("event_id").collect()

    def raw(self, stream: str = "invoices") -> pl.DataFrame:
        return self.lake.raw.scan("stripe", stream).sort("record_id").collect()

    def problems(self) -> list[tuple[str, str]]:
        return self.lake.quarantine().select("record_key", "problem").sort("record_key").collect().rows()


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    return Books(tmp_path, monkeypatch)


def answering(path: str, answer: Response, query: str = "") -> Around:
    """The stand-in, but for a path (and a query) that gives another answer."""

    def around(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            is_hit = scope["path"].startswith(path) and query in scope["query_string"].decode()
            await (answer if is_hit else app)(scope, receive, send)

        return wrapped

    return around


def changing(change: Callable[[str, Item], None]) -> Around:
    """The stand-in, with each object in its answers changed on its way, and those in its events."""

    def around(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            sent: list[Item] = []

            async def hold(message: Item) -> None:
                sent.append(message)

            await app(scope, receive, hold)
            content = json.loads(sent[1]["body"])
            for item in content.get("data", [content]):
                change(item.get("object", ""), item)
                if item.get("object") == "event":
                    change(item["data"]["object"]["object"], item["data"]["object"])
            await JSONResponse(content, sent[0]["status"])(scope, receive, send)

        return wrapped

    return around


def differing(changes: dict[str, Item]) -> Around:
    """The stand-in, with the fields of some objects changed."""
    return changing(lambda _, item: item.update(changes.get(item.get("id", ""), {})))


def with_fields(kind: str = "invoice", **fields: Any) -> Around:
    return changing(lambda object_, item: item.update(fields) if object_ == kind else None)


# What is said of an invoice and of a charge


def test_an_invoice_is_issued_when_it_is_finalised_without_tax(books: Books) -> None:
    books.use(category="category")
    books.load(company(invoice(7, at(2, 10), net_cents=1234_56, tax_cents=259_26)), at(3))
    columns = ("subject_id", "account_id", "occurred_at", "amount", "currency", "category", "product", "source_url")
    expected = (
        "in_7", "cus_77", at(2, 10), Decimal("1234.56"), "EUR", "fee", None, "https://dashboard.stripe.com/invoices/in_7",
    )  # fmt: skip
    assert books.said("invoice.issued", *columns) == [expected]
    assert not books.said("invoice.paid")
    assert not books.said("invoice.voided")
    assert not books.said("payment.received")


def test_a_paid_invoice_was_issued_and_paid_and_its_charge_received_with_tax(books: Books) -> None:
    books.load(company(invoice(1, at(2), paid_at=at(5, 17))), at(6))
    assert books.said("invoice.issued", "amount", "occurred_at") == [(Decimal(100), at(2))]
    assert books.said("invoice.paid", "subject_id", "amount", "occurred_at") == [("in_1", Decimal(100), at(5, 17))]
    columns = ("subject_id", "account_id", "amount", "currency", "occurred_at", "channel", "source_url")
    url = "https://dashboard.stripe.com/payments/ch_1"
    assert books.said("payment.received", *columns) == [
        ("ch_1", "cus_71", Decimal(121), "EUR", at(5, 17), "sepa_debit", url)
    ]


def test_a_voided_invoice_stays_issued_and_is_taken_back_when_it_was_voided(books: Books) -> None:
    books.load(company(invoice(1, at(2), voided_at=at(4, 11))), at(6))
    assert books.said("invoice.issued", "amount") == [(Decimal(100),)]
    assert books.said("invoice.voided", "amount", "occurred_at") == [(Decimal(-100), at(4, 11))]
    assert not books.said("invoice.paid")


def test_category_and_product_are_the_metadata_that_the_options_name(books: Books) -> None:
    books.use(category="line", product="category")
    books.load(
        company(invoice()), at(3), with_fields(metadata={"line": "services", "category": "fee", "note": "Marta"})
    )
    assert books.said("invoice.issued", "category", "product") == [("services", "fee")]
    assert "Marta" not in str(books.raw().rows())


def test_metadata_that_the_options_name_later_is_read_for_old_invoices_too(books: Books) -> None:
    agency = company(invoice(1, at(1, month=1)), invoice(2, at(2)))
    books.load(agency, at(3))
    assert books.said("invoice.issued", "category") == [(None,), (None,)]
    books.use(category="category")
    books.load(agency, at(4))
    assert books.said("invoice.issued", "category") == [("fee",), ("fee",)]
    books.load(agency, at(5))
    assert "/v1/invoices" not in books.paths("/v1/invoices")


def test_a_draft_states_nothing_until_it_is_issued(books: Books) -> None:
    agency = company(invoice(1, at(5)))
    books.load(agency, at(5) - timedelta(minutes=30))
    assert books.raw().height == 1
    assert not books.said("invoice.issued")
    books.load(agency, at(6))
    assert books.said("invoice.issued") == [("in_1",)]


def test_a_deleted_draft_vanishes(books: Books) -> None:
    agency, deleted = company(invoice(1, at(5))), {1: at(5) - timedelta(minutes=20)}
    books.load(agency, at(5) - timedelta(minutes=30), drafts_deleted=deleted)
    books.load(agency, at(6), drafts_deleted=deleted)
    assert books.lake.raw.newest("stripe", "invoices").select("is_deleted").collect().item()
    assert not books.said("invoice.issued")
    assert not books.problems()


def test_a_payment_is_what_succeeded_and_was_captured(books: Books) -> None:
    changes: dict[str, Item] = {
        "ch_1": {"status": "pending"},
        "ch_2": {"status": "failed"},
        "ch_3": {"captured": False, "amount_captured": 0},
        "ch_4": {"amount_captured": 50_00},
    }
    paid = [invoice(number, at(2), paid_at=at(3)) for number in range(1, 6)]
    books.load(company(*paid), at(4), differing(changes))
    assert books.said("payment.received", "subject_id", "amount") == [("ch_4", Decimal(50)), ("ch_5", Decimal(121))]
    assert not books.problems()


AMOUNTS = [
    (500, "jpy", "500"),
    (119_900, "clp", "119900"),
    (5_120, "kwd", "5.12"),
    (5_123, "tnd", "5.123"),
    (500, "isk", "5"),
    (500, "ugx", "5"),
    (1, "usd", "0.01"),
    (-2_50, "eur", "-2.5"),
    (999_999_999_999_999_999, "jpy", "999999999999999999"),
    (900_719_925_474_099_301, "eur", "9007199254740993.01"),
]


def test_amounts_are_exact_in_every_currency(books: Books) -> None:
    changes = {
        f"in_{number}": {"total_excluding_tax": units, "currency": currency}
        for number, (units, currency, _) in enumerate(AMOUNTS, start=1)
    }
    changes["ch_3"] = {"amount_captured": 5_120, "currency": "kwd"}
    voided = [invoice(n, at(n), voided_at=at(n + 1), paid_at=at(9) if n == 3 else None) for n in range(1, 11)]
    books.load(company(*voided), at(20), differing(changes))
    expected = [(Decimal(amount), currency.upper()) for _, currency, amount in AMOUNTS]
    assert books.said("invoice.issued", "amount", "currency") == expected
    assert books.said("invoice.voided", "amount", "currency") == [(-amount, code) for amount, code in expected]
    assert books.said("payment.received", "amount", "currency") == [(Decimal("5.12"), "KWD")]


STRANGE: list[tuple[str, Item, str]] = [
    ("in", {"status": "frozen"}, "status: none that the vendor documents (frozen)"),
    ("in", {"status": None}, "status: none that the vendor documents (nothing)"),
    ("in", {"total_excluding_tax": None}, "total_excluding_tax: not a whole number (nothing)"),
    ("in", {"total_excluding_tax": 10.5}, "total_excluding_tax: not a whole number (10.5)"),
    ("in", {"currency": "euros"}, "currency: not a currency's code (euros)"),
    ("in", {"status": "paid"}, "status_transitions.paid_at: not a time, but the invoice is paid"),
    ("in", {"status": "void"}, "status_transitions.voided_at: not a time, but the invoice is void"),
    ("in", {"status_transitions": None}, "status_transitions.finalized_at: not a time, but the invoice is no draft"),
    ("in", {"status_transitions": {"finalized_at": 4_000_000_000}}, "status_transitions: a time in the future"),
    ("ch", {"status": "odd"}, "status: none that the vendor documents (odd)"),
    ("ch", {"captured": None}, "captured: not said"),
    ("ch", {"amount_captured": "many"}, "amount_captured: not a whole number (many)"),
    ("ch", {"currency": None}, "currency: not a currency's code (nothing)"),
    ("ch", {"created": 4_000_000_000}, "created: not a past time (4000000000)"),
]


def test_what_cannot_be_understood_is_set_aside_alone(books: Books) -> None:
    named = [(f"{kind}_{number}", change, problem) for number, (kind, change, problem) in enumerate(STRANGE, start=10)]
    invoices = [
        invoice(number, at(1), paid_at=at(2) if kind == "ch" else None)
        for number, (kind, _, _) in enumerate(STRANGE, start=10)
    ]
    books.load(
        company(invoice(1, paid_at=at(2)), *invoices), at(3), differing({id_: change for id_, change, _ in named})
    )
    assert books.problems() == sorted((id_, problem) for id_, _, problem in named)
    assert len(books.said("invoice.issued")) == 1 + sum(id_.startswith("ch") for id_, _, _ in named)
    assert books.said("payment.received") == [("ch_1",)]


def test_no_personal_data_is_kept(books: Books) -> None:
    agency = company(invoice(1, at(1), paid_at=at(4)), invoice(2, at(2)))
    books.use(category="category")
    books.load(agency, at(3))
    books.load(agency, at(5))
    everything = str(books.raw().rows()) + str(books.raw("charges").rows()) + str(books.statements().rows())
    assert "cus_71" in everything
    assert not [word for word in PERSONAL if word in everything]


# What is said of a subscription


def test_a_subscription_starts_with_the_price_of_a_month(books: Books) -> None:
    books.use(product="product")
    books.load(company(subscriptions=(subscription(7, at(2, 10), amount_cents=29_90),)), at(3))
    columns = ("subject_id", "account_id", "occurred_at", "amount", "currency", "category", "product", "source_url")
    url = "https://dashboard.stripe.com/subscriptions/sub_7"
    assert books.said("subscription.started", *columns) == [
        ("sub_7", "cus_77", at(2, 10), Decimal("29.90"), "EUR", None, "rental", url)
    ]
    assert not books.said("subscription.ended")


def test_a_subscription_ends_when_it_has_ended_and_not_when_that_is_asked_for(books: Books) -> None:
    agency = company(subscriptions=(subscription(1, at(1), ended_at=at(20, 17)), subscription(2, at(2))))
    asked = differing({"sub_2": {"cancel_at_period_end": True, "canceled_at": int(at(3).timestamp())}})
    books.load(agency, at(25), asked)
    assert books.said("subscription.started", "subject_id", "amount") == [
        ("sub_1", Decimal(50)),
        ("sub_2", Decimal(50)),
    ]
    assert books.said("subscription.ended", "subject_id", "account_id", "occurred_at", "amount", "currency") == [
        ("sub_1", "cus_71", at(20, 17), Decimal(50), "EUR")
    ]


@pytest.mark.parametrize("livemode", [True, False])
def test_what_was_never_paid_for_has_not_started_and_what_is_behind_has_not_ended(books: Books, livemode: bool) -> None:
    books.use(livemode=livemode)
    started = ["active", "past_due", "paused", "trialing", "unpaid"]
    statuses = dict(enumerate([*started, "incomplete", "incomplete_expired"], start=1))
    expired = {"ended_at": int(at(20).timestamp())}

    def change(kind: str, item: Item) -> None:
        item.update(livemode=livemode)
        if kind != "subscription":
            return
        status = statuses[int(item["id"].removeprefix("sub_"))]
        item.update(status=status, **(expired if status == "incomplete_expired" else {}))

    books.load(company(subscriptions=tuple(subscription(number) for number in statuses)), at(25), changing(change))
    assert books.raw("subscriptions").height == 7 * 2  # as they are, and as they were created
    place = "subscriptions" if livemode else "test/subscriptions"
    assert books.said("subscription.started", "source_url") == [
        (f"https://dashboard.stripe.com/{place}/sub_{number}",) for number in range(1, 6)
    ]
    assert not books.said("subscription.ended")
    assert not books.problems()


def test_a_subscription_that_was_entered_late_starts_on_its_start_date(books: Books) -> None:
    entered = tuple(subscription(number, at(10)) for number in (1, 2))
    changes: dict[str, Item] = {
        "sub_1": {"start_date": int(at(1, month=1).timestamp())},
        "sub_2": {"start_date": None},
    }
    books.load(company(subscriptions=entered), at(12), differing(changes))
    assert books.said("subscription.started", "subject_id", "occurred_at") == [
        ("sub_1", at(1, month=1)),
        ("sub_2", at(10)),
    ]


def every(interval: str, count: int = 1, usage: str = "licensed") -> Item:
    return {"interval": interval, "interval_count": count, "usage_type": usage}


def discounted(*coupons: Item) -> Item:
    return {
        "discounts": [
            {"id": f"di_{n}", "source": {"type": "coupon", "coupon": {"duration": "forever", **coupon}}}
            for n, coupon in enumerate(coupons)
        ]
    }


def priced(*items: Item, has_more: bool = False, **price: Any) -> Item:
    """Items of a subscription: each with its quantity, and the rest as fields of its price."""
    usual: Item = {
        "unit_amount": 10_00, "currency": "eur", "billing_scheme": "per_unit", "recurring": every("month"),
        "tax_behavior": "exclusive", "transform_quantity": None, **price,
    }  # fmt: skip
    data = [{"quantity": item.pop("quantity", 1), "tax_rates": item.pop("tax_rates", []), "price": {**usual, **item}}
            for item in (dict(item) for item in items or ({},))]  # fmt: skip
    return {"items": {"object": "list", "has_more": has_more, "data": data}}


PRICES: list[tuple[Item, tuple[str, str] | None]] = [
    (priced({"unit_amount": 5_00, "quantity": 3}, {"unit_amount": 19_99}), ("34.99", "EUR")),
    (priced(unit_amount=0), ("0", "EUR")),
    (priced({"unit_amount": 500, "quantity": 2}, currency="jpy") | {"currency": "jpy"}, ("1000", "JPY")),
    (priced({"unit_amount": 5_125, "quantity": 2}, currency="kwd") | {"currency": "kwd"}, ("10.25", "KWD")),
    (priced(tax_behavior="unspecified"), ("10", "EUR")),
    (priced({"tax_rates": [{"percentage": 21, "inclusive": False}]}) | {"default_tax_rates": [{"inclusive": True}]},
     ("10", "EUR")),
    (priced({}, {"quantity": None, "unit_amount": 3, "recurring": every("month", usage="metered")}), ("10", "EUR")),
    (priced(unit_amount=100_00, recurring=every("year")), ("8.333333", "EUR")),
    (priced({"recurring": every("year", 2), "quantity": 6}, {"recurring": every("month", 3)}), ("5.833333", "EUR")),
    (priced(unit_amount=1_200, recurring=every("year"), currency="jpy") | {"currency": "jpy"}, ("100", "JPY")),
    (priced({"recurring": every("week")}, {"recurring": every("day")}), ("347.5", "EUR")),
    (priced() | discounted({"percent_off": 25.5}, {"percent_off": 50}), ("3.725", "EUR")),
    (priced(recurring=every("year")) | discounted({"amount_off": 2_50, "currency": "eur"}), ("0.625", "EUR")),
    (priced() | discounted({"amount_off": 99_00, "currency": "eur", "duration": "repeating"}), ("0", "EUR")),
    (priced() | discounted({"percent_off": 50, "duration": "once"}), ("10", "EUR")),
    (priced() | discounted({"amount_off": 2_50, "currency": "usd"}), None),
    (priced() | {"discounts": ["di_1"]}, None),
    (priced({}, {"recurring": every("year")}) | discounted({"amount_off": 2_50, "currency": "eur"}), None),
    (priced(recurring=every("fortnight")), None),
    (priced(billing_scheme="tiered", unit_amount=None), None),
    (priced(transform_quantity={"divide_by": 10, "round": "up"}), None),
    (priced({"unit_amount": None, "unit_amount_decimal": "0.5", "quantity": 100}), ("0.5", "EUR")),
    (priced(tax_behavior="inclusive"), None),
    (priced({"tax_rates": [{"percentage": 21, "inclusive": True}]}), None),
    (priced() | {"default_tax_rates": [{"percentage": 21, "inclusive": True}]}, None),
    (priced(currency="usd"), None),
    (priced(has_more=True), None),
    ({"items": {"object": "list", "has_more": False, "data": []}}, None),
]  # fmt: skip


def test_the_price_is_that_of_all_items_or_not_said_where_the_record_does_not_have_it(books: Books) -> None:
    sold = tuple(subscription(number, at(1)) for number in range(1, len(PRICES) + 1))
    changes = {f"sub_{number}": change for number, (change, _) in enumerate(PRICES, start=1)}
    books.load(company(subscriptions=sold), at(25), differing(changes))
    said = {
        subject: price for subject, *price in books.said("subscription.started", "subject_id", "amount", "currency")
    }
    assert said == {
        f"sub_{number}": [Decimal(price[0]), price[1]] if price else [None, None]
        for number, (_, price) in enumerate(PRICES, start=1)
    }
    assert not books.problems()


STRANGE_SUBSCRIPTIONS: list[tuple[Item, str]] = [
    ({"status": "frozen"}, "status: none that the vendor documents (frozen)"),
    ({"status": None}, "status: none that the vendor documents (nothing)"),
    ({"start_date": "soon"}, "start_date: not a time (soon)"),
    ({"start_date": 4_000_000_000}, "start_date, ended_at: a time in the future"),
    ({"status": "canceled"}, "ended_at: not a time, but the subscription is canceled"),
    ({"currency": "euros"}, "currency: not a currency's code (euros)"),
    (priced(unit_amount="many"), "items: a price or a quantity that is not a number"),
    (priced({"quantity": None}), "items: a price or a quantity that is not a number"),
]


def test_a_subscription_that_cannot_be_understood_is_set_aside_alone(books: Books) -> None:
    named = {f"sub_{number}": strange for number, strange in enumerate(STRANGE_SUBSCRIPTIONS, start=10)}
    sold = tuple(subscription(number, at(2)) for number in (1, *range(10, 10 + len(named))))
    books.load(company(subscriptions=sold), at(3), differing({id_: change for id_, (change, _) in named.items()}))
    assert books.problems() == sorted((id_, problem) for id_, (_, problem) in named.items())
    assert books.said("subscription.started") == [("sub_1",)]


def test_of_a_subscription_only_what_is_needed_is_kept(books: Books) -> None:
    books.use(product="product")
    books.load(company(subscriptions=(subscription(1, at(1), ended_at=at(2)),)), at(3))
    kept = str(books.raw("subscriptions").rows())
    assert "cus_71" in kept
    assert not [word for word in (*PERSONAL, "muda", "prod_rental") if word in kept]


def test_all_subscriptions_are_listed_at_first_those_that_have_ended_too(books: Books) -> None:
    batch = [subscription(number, at(4), ended_at=at(8) if number % 2 else None) for number in range(1, 251)]
    books.load(company(subscriptions=tuple(batch)), at(9))
    asked = [query for path, query in books.asked if path == "/v1/subscriptions"]
    assert [query["status"] for query in asked] == [["all"]] * 3
    assert len(books.said("subscription.started")) == 250
    assert len(books.said("subscription.ended")) == 125


def test_a_subscription_that_began_or_ended_lately_is_found_through_its_events(books: Books) -> None:
    agency = company(
        subscriptions=(
            subscription(1, at(1, year=2025), ended_at=at(10)),
            subscription(2, at(2)),
            subscription(3, at(9)),
        )
    )
    books.load(agency, at(3))
    assert books.said("subscription.started") == [("sub_1",), ("sub_2",)]
    books.load(agency, at(12))
    assert sorted(books.paths("/v1/subscriptions")) == ["/v1/subscriptions/sub_1", "/v1/subscriptions/sub_3"]
    assert books.said("subscription.started") == [("sub_1",), ("sub_2",), ("sub_3",)]
    assert books.said("subscription.ended", "subject_id", "occurred_at") == [("sub_1", at(10))]
    said = books.statements()
    for present in (at(12), at(13), at(12, month=8)):
        books.load(agency, present)
        assert books.statements().equals(said)
    assert "/v1/subscriptions" in books.paths("/v1/subscriptions")


def test_subscriptions_can_be_left_out(books: Books) -> None:
    books.use(subscriptions=False)
    assert books.load(company(subscriptions=(subscription(),)), at(3)).keys() == {"invoices", "charges"}
    assert not books.paths("/v1/subscriptions")


# Events for 30 days, lists beyond


def test_the_first_reading_goes_through_the_lists_and_says_so(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pipelines.stripe"):
        loads = books.load(company(invoice(1, at(1, year=2025))), at(3))
    assert books.said("invoice.issued") == [("in_1",)]
    assert [path for path, _ in books.asked] == ["/v1/invoices", "/v1/charges", "/v1/events", "/v1/subscriptions"]
    assert "agencia.stripe.invoices: all are read through the list: nothing has been read before" in caplog.messages
    assert [(load.covered.start, load.covered.end) for load in loads.values() if load.covered] == [(None, at(3))] * 3


def test_within_the_30_days_only_what_had_an_event_is_read(books: Books) -> None:
    agency = company(invoice(1, at(1)), invoice(2, at(2), paid_at=at(20)), invoice(3, at(15)))
    books.load(agency, at(3))
    loads = books.load(agency, at(30))
    assert sorted(books.paths("/v1/invoices")) == ["/v1/invoices/in_2", "/v1/invoices/in_3"]
    assert books.paths("/v1/charges") == ["/v1/charges/ch_2"]
    assert books.said("invoice.issued") == [("in_1",), ("in_2",), ("in_3",)]
    assert books.said("invoice.paid") == [("in_2",)]
    covered = loads["invoices"].covered
    assert covered
    assert covered.start == at(3) - timedelta(hours=1)
    assert covered.end == at(30)


def test_events_are_asked_for_by_type_and_from_the_last_reading_less_an_hour(books: Books) -> None:
    books.load(company(), at(3))
    books.load(company(), at(5))
    asked = [query for path, query in books.asked if path == "/v1/events"]
    assert [query["created[gte]"] for query in asked] == [[str(int(at(3, 8).timestamp()))]] * 3
    assert "invoice.voided" in asked[0]["types[]"]
    assert "charge.captured" in asked[1]["types[]"]
    assert "customer.subscription.deleted" in asked[2]["types[]"]


@pytest.mark.parametrize(("days", "is_listed"), [(27, False), (29, True), (31, True), (90, True)])
def test_a_gap_near_the_30_days_or_beyond_is_read_through_the_lists(books: Books, days: int, is_listed: bool) -> None:
    agency = company(invoice(1, at(1)))
    books.load(agency, at(3))
    books.load(agency, at(3) + timedelta(days=days))
    assert ("/v1/invoices" in books.paths("/v1/invoices")) is is_listed
    of_events = [query for path, query in books.asked if path == "/v1/events" and "invoice.paid" in query["types[]"]]
    assert bool(of_events) is not is_listed


def test_an_old_invoice_that_was_voided_in_a_long_gap_is_found(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    agency = company(invoice(1, at(1, month=1), voided_at=at(10)), invoice(2, at(2, month=1), paid_at=at(11)))
    books.load(agency, at(3))
    with caplog.at_level(logging.INFO, "pipelines.stripe"):
        loads = books.load(agency, at(3, month=6))
    assert books.said("invoice.voided", "subject_id", "occurred_at", "amount") == [("in_1", at(10), Decimal(-100))]
    assert books.said("invoice.paid", "subject_id", "occurred_at") == [("in_2", at(11))]
    assert loads["invoices"].covered
    assert loads["invoices"].covered.start is None
    assert "the last reading is of 2026-03-03, and events are kept for 30 days" in caplog.text


def test_a_void_long_after_the_issue_is_found_through_its_event(books: Books) -> None:
    agency = company(invoice(1, at(1, year=2025), voided_at=at(4)))
    books.load(agency, at(3))
    books.load(agency, at(5))
    assert books.paths("/v1/invoices") == ["/v1/invoices/in_1"]
    assert books.said("invoice.voided", "amount") == [(Decimal(-100),)]
    assert books.statements().filter(pl.col("event_type") == RETRACTED).is_empty()


def test_an_event_that_is_read_late_brings_no_older_state_back(books: Books) -> None:
    agency = company(invoice(1, at(2), voided_at=at(4)))
    books.load(agency, at(5))
    before = books.statements()
    late = Item(
        type="invoice.finalized",
        data={"object": {"id": "in_1", "status": "open"}},
        livemode=True,
        created=int(at(4).timestamp()),
    )
    page = {"object": "list", "url": "/v1/events", "has_more": False, "data": [{"id": "evt_late", **late}]}
    books.load(agency, at(6), answering("/v1/events", JSONResponse(page), "invoice.paid"))
    assert books.paths("/v1/invoices") == ["/v1/invoices/in_1"]
    assert books.statements().equals(before)


def test_a_change_is_a_correction_of_what_was_said(books: Books) -> None:
    agency = company(invoice(1, at(2), paid_at=at(5)))
    books.load(agency, at(3))
    books.load(agency, at(6), with_fields(total_excluding_tax=90_00))
    assert books.said("invoice.issued", "amount") == [(Decimal(90),)]
    withdrawn = books.statements().filter(pl.col("event_type") == RETRACTED)
    assert withdrawn.get_column("amount").to_list() == [Decimal(100)]


def test_ties_on_a_second_are_neither_lost_nor_doubled_at_a_pages_edge(books: Books) -> None:
    batch = [invoice(number, at(4), customer_id=5, paid_at=at(8)) for number in range(1, 251)]
    books.load(company(*batch), at(5))
    assert len(books.said("invoice.issued")) == 250
    assert len(books.paths("/v1/invoices")) == 3
    books.load(company(*batch), at(9), reads_a_second=10_000)
    assert len(books.paths("/v1/events")) == 7
    assert len(books.said("invoice.paid")) == len(books.said("payment.received")) == 250


def test_an_event_of_the_very_second_of_the_last_reading_is_read(books: Books) -> None:
    agency = company(invoice(1, at(1), paid_at=at(3)), invoice(2, at(2), voided_at=at(3)))
    books.load(agency, at(3) - timedelta(seconds=1))
    assert not books.said("invoice.paid")
    books.load(agency, at(3))
    assert books.said("invoice.paid") == [("in_1",)]
    assert books.said("invoice.voided") == [("in_2",)]


def test_loading_twice_changes_nothing(books: Books) -> None:
    agency = company(invoice(1, at(1), paid_at=at(3)), invoice(2, at(2), voided_at=at(3)), invoice(3, at(4, 23)))
    books.load(agency, at(4))
    raw, charges, said = books.raw(), books.raw("charges"), books.statements()
    for present in (at(4), at(4, 10), at(4, month=8)):
        if present > at(5):
            agency = company(*agency.invoices[:2], invoice(3, at(1, month=12)))
        books.load(agency, present)
        assert books.raw().equals(raw)
        assert books.raw("charges").equals(charges)
        assert books.statements().equals(said)


def test_an_account_without_invoices_is_read_too(books: Books) -> None:
    loads = books.load(company(), at(3))
    assert all(load.covered is not None and load.failure is None for load in loads.values())


def test_the_agencys_years_are_invoiced_to_the_cent(books: Books) -> None:
    agency = estate_agency(1, date(2024, 11, 1), date(2026, 9, 30), "Europe/Madrid")
    for present in (at(1, month=6), at(20, month=6), at(25, month=8), at(30, month=9)):
        loads = books.load(agency, present)
        assert all(load.failure is None for load in loads.values())

    def by_year(amounts: list[tuple[datetime, int]]) -> dict[int, Decimal]:
        years = {when.year for when, _ in amounts}
        return {year: Decimal(sum(cents for when, cents in amounts if when.year == year)) / 100 for year in years}

    def said(event_type: str) -> dict[int, Decimal]:
        log = current(books.lake.log.scan()).filter(pl.col("event_type") == event_type)
        sums = log.group_by(pl.col("occurred_at").dt.year()).agg(pl.col("amount").sum())
        return dict(sums.collect().iter_rows())

    issued = [(i.issued_at, i.net_cents) for i in agency.invoices if i.issued_at <= at(30, month=9)]
    paid = [(i.paid_at, i) for i in agency.invoices if i.paid_at and i.paid_at <= at(30, month=9)]
    voided = [(i.voided_at, -i.net_cents) for i in agency.invoices if i.voided_at and i.voided_at <= at(30, month=9)]
    assert len(issued) > 400
    assert voided
    assert said("invoice.issued") == by_year(issued)
    assert said("invoice.paid") == by_year([(when, i.net_cents) for when, i in paid])
    assert said("invoice.voided") == by_year(voided)
    assert said("payment.received") == by_year([(when, i.net_cents + i.tax_cents) for when, i in paid])
    assert not books.problems()


# What is loud, and what waits


def config_error(load: StreamLoad) -> str:
    assert isinstance(load.failure, SourceConfigError)
    assert load.covered is None
    return str(load.failure)


def test_a_missing_key_is_named(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTINGS + "API_KEY")
    for load in books.load(company(), at(3)).values():
        message = config_error(load)
        assert "sources.agencia.stripe.api_key is not set" in message
        assert "SOURCES__AGENCIA__STRIPE__API_KEY" in message
        assert "secrets.toml" in message


def test_a_wrong_key_is_named_and_not_shown(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTINGS + "API_KEY", "sk_wrong_0123456789")
    message = config_error(books.load(company(), at(3))["invoices"])
    assert "HTTP 401" in message
    assert "Check sources.agencia.stripe.api_key" in message
    assert "sk_wrong" not in message
    assert "6789" not in message


@pytest.mark.parametrize(("key", "livemode"), [("sk_test_1", True), ("rk_test_1", True), ("sk_live_1", False)])
def test_a_key_of_the_other_mode_is_refused_unasked(
    books: Books, monkeypatch: pytest.MonkeyPatch, key: str, livemode: bool
) -> None:
    books.use(livemode=livemode)
    monkeypatch.setenv(SETTINGS + "API_KEY", key)
    message = config_error(books.load(company(), at(3))["charges"])
    assert "livemode" in message
    assert "sources.agencia.stripe.api_key" in message
    assert not books.asked


def test_an_object_of_the_other_mode_is_no_record_and_loud(books: Books) -> None:
    message = config_error(books.load(company(invoice()), at(3), with_fields(livemode=False))["invoices"])
    assert "is of test mode, but the option `livemode` asks for live mode" in message
    assert books.raw().is_empty()


def test_test_mode_is_read_where_it_is_asked_for(books: Books) -> None:
    books.use(livemode=False)
    books.load(company(invoice(1)), at(3), changing(lambda _, item: item.update(livemode=False)))
    assert books.said("invoice.issued", "source_url") == [("https://dashboard.stripe.com/test/invoices/in_1",)]


def test_the_version_of_the_api_is_named_and_can_be_set(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    versions: set[str] = set()

    def around(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            versions.add(dict(scope["headers"])[b"stripe-version"].decode())
            await app(scope, receive, send)

        return wrapped

    books.load(company(invoice()), at(3), around)
    assert versions == {API_VERSION}
    monkeypatch.setenv(SETTINGS + "API_VERSION", "2025-09-30.clover")
    books.load(company(invoice()), at(4), around)
    assert versions == {API_VERSION, "2025-09-30.clover"}


def test_a_version_that_the_vendor_does_not_know_is_named(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTINGS + "API_VERSION", "latest")
    message = config_error(books.load(company(), at(3))["invoices"])
    assert "the version latest" in message
    assert "sources.agencia.stripe.api_version" in message


def test_the_rate_limit_is_waited_for_on_the_shared_clock(books: Books) -> None:
    agency = company(*(invoice(number, at(4)) for number in range(1, 61)))
    books.load(agency, at(3))
    loads = books.load(agency, at(5))
    assert books.waited_seconds >= 2
    assert loads["invoices"].failure is None
    assert len(books.said("invoice.issued")) == 60


def page(*items: Item, has_more: bool = False) -> JSONResponse:
    return JSONResponse({"object": "list", "url": "/v1/x", "has_more": has_more, "data": list(items)})


FIRST: Item = {"id": "in_1", "object": "invoice", "livemode": True}
BROKEN = {
    "html": HTMLResponse("<html>Down for maintenance</html>"),
    "truncated": PlainTextResponse('{"object": "list", "data": [{"id": "in_1"', media_type="application/json"),
    "an error with 200": JSONResponse({"error": {"type": "api_error", "message": "An error occurred"}}),
    "an array": JSONResponse([]),
    "no list": JSONResponse({"object": "list", "has_more": False, "data": None}),
    "no has_more": JSONResponse({"object": "list", "data": []}),
    "a text for has_more": JSONResponse({"object": "list", "has_more": "false", "data": []}),
    "objects without ids": page({"object": "invoice", "livemode": True}),
    "objects of no mode": page({"id": "in_1", "object": "invoice"}),
    "more, but an empty page": page(has_more=True),
    "the same page again": page(FIRST, has_more=True),
    "an object twice": page(FIRST, FIRST),
    "not found": JSONResponse({"error": {"type": "invalid_request_error"}}, 404),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize(("path", "since"), [("/v1/invoices", None), ("/v1/events", at(3))])
def test_an_answer_that_cannot_be_trusted_is_loud(books: Books, path: str, since: datetime | None, what: str) -> None:
    with pytest.raises(VendorError, match="next run reads it again"):
        books.read(company(invoice(1)), at(5), since, answering(path, BROKEN[what]))


@pytest.mark.parametrize("what", ["html", "truncated", "an error with 200"])
def test_what_could_not_be_read_does_not_count_as_read_and_is_read_later(books: Books, what: str) -> None:
    agency = company(invoice(1, at(1)), invoice(2, at(4)))
    books.load(agency, at(3))
    readings = books.lake.log.readings().filter(pl.col("stream") == "invoices")
    loads = books.load(agency, at(5), answering("/v1/events", BROKEN[what], "invoice.paid"))
    assert isinstance(loads["invoices"].failure, VendorError)
    assert loads["invoices"].covered is None
    assert loads["charges"].failure is None
    assert books.lake.log.readings().filter(pl.col("stream") == "invoices").equals(readings)
    assert books.said("invoice.issued") == [("in_1",)]
    books.load(agency, at(6))
    assert books.said("invoice.issued") == [("in_1",), ("in_2",)]


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": {"type": "invalid_request_error", "message": "Unrecognized request URL"}}, 404),
        HTMLResponse("<html>Not found</html>", 404),
        HTMLResponse("<html>Welcome</html>"),
        JSONResponse({"id": "in_9", "object": "invoice", "livemode": True}),
        JSONResponse({"id": "in_1", "object": "customer", "livemode": True}),
    ],
)
def test_an_invoice_is_deleted_only_where_the_vendor_says_so(books: Books, answer: Response) -> None:
    with pytest.raises(VendorError):
        books.read(company(invoice(1, at(4))), at(5), at(3), answering("/v1/invoices/in_1", answer))


def test_an_event_that_was_not_asked_for_is_loud(books: Books) -> None:
    books.load(company(invoice(1)), at(3))
    ignoring = with_fields("event", type="customer.updated")
    load = books.load(company(invoice(1), invoice(2, at(4))), at(5), ignoring)["invoices"]
    assert isinstance(load.failure, VendorError)
    assert "not asked for" in str(load.failure)


# The stand-in


def ask(of: Company, present: datetime, folder: Path, path: str, **headers: str) -> requests.Response:
    clock = SharedClock(folder / "clock.json", present)
    given = {"Authorization": f"Bearer {stand_in.CREDENTIALS['api_key']}", **headers}
    with at_hand(stand_in.app(Desk(of, present, clock))) as url:
        return requests.get(url + path, headers=given, timeout=5)


@pytest.mark.parametrize(("authorization", "says"), [("", "did not provide"), ("Bearer wrong", "Invalid API Key")])
def test_the_stand_in_refuses_as_the_vendor_does(tmp_path: Path, authorization: str, says: str) -> None:
    answer = ask(company(), at(3), tmp_path, "/v1/invoices", Authorization=authorization)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("updated[gte]=1", "parameter_unknown"),
        ("limit=101", "parameter_invalid_integer"),
        ("limit=ten", "parameter_invalid_integer"),
        ("starting_after=in_404", "resource_missing"),
    ],
)
def test_the_stand_in_refuses_what_the_vendor_does_not_know(tmp_path: Path, query: str, code: str) -> None:
    answer = ask(company(invoice()), at(3), tmp_path, f"/v1/invoices?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code


def test_the_stand_in_keeps_events_for_30_days_and_shows_objects_as_they_were(tmp_path: Path) -> None:
    agency = company(invoice(1, at(1), voided_at=at(20)), invoice(2, at(25), paid_at=at(5, month=4)))
    every = ask(agency, at(3, month=4), tmp_path, "/v1/events?limit=100").json()["data"]
    events = [event for event in every if event["type"] != "customer.created"]
    assert [event["type"] for event in events] == ["invoice.finalized", "invoice.created", "invoice.voided"]
    assert [event["data"]["object"]["id"] for event in every if event not in events] == ["cus_72"]
    assert [event["data"]["object"]["status"] for event in events] == ["open", "draft", "void"]
    assert "total_excluding_tax" not in events[0]["data"]["object"]


def test_the_stand_in_shows_nothing_from_after_its_present(tmp_path: Path) -> None:
    agency = company(invoice(1, at(1), paid_at=at(20)), invoice(2, at(25)))
    shown = ask(agency, at(3), tmp_path, "/v1/invoices").json()["data"]
    assert [(item["id"], item["status"]) for item in shown] == [("in_1", "open")]
    assert ask(agency, at(3), tmp_path, "/v1/charges").json()["data"] == []
    assert ask(agency, at(3), tmp_path, "/v1/invoices/in_2").status_code == 404


def test_the_stand_in_lists_subscriptions_that_are_not_canceled_unless_it_is_asked_for_others(tmp_path: Path) -> None:
    agency = company(
        subscriptions=(subscription(1, at(1), ended_at=at(5)), subscription(2, at(2), ended_at=at(25)), subscription(9))
    )

    def listed(query: str) -> list[tuple[str, str]]:
        shown = ask(agency, at(8, 8), tmp_path, f"/v1/subscriptions{query}").json()["data"]
        return [(item["id"], item["status"]) for item in shown]

    ended, lasting = ("sub_1", "canceled"), ("sub_2", "active")
    assert listed("") == listed("?status=active") == [lasting]
    assert listed("?status=all") == [lasting, ended]
    assert listed("?status=all&limit=1&starting_after=sub_2") == [ended]
    assert listed("?status=canceled") == listed("?status=ended") == [ended]
    refused = ask(agency, at(8), tmp_path, "/v1/subscriptions?status=over")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "status")
    every = ask(agency, at(8, 8), tmp_path, "/v1/events").json()["data"]
    events = [event for event in every if event["type"].startswith("customer.subscription.")]
    assert [(event["type"].rpartition(".")[2], event["data"]["object"]["status"]) for event in events] == [
        ("deleted", "canceled"),
        ("created", "active"),
        ("created", "active"),
    ]


# --- by what else customers are known ---------------------------------------------------------------------------------


def test_customers_are_known_by_address_domain_and_metadata_and_one_who_was_deleted_is_not(books: Books) -> None:
    books.use(identified_by=["email", "domain", {"external_id": "crm"}])
    of = company(invoice(1, customer_id=7), invoice(2, customer_id=8))
    assert books.load(of, at(20))["customers"].failure is None
    said = books.said("account.identified", "account_id", "identified_by", "identifier")
    assert sorted(row for row in said if row[0] == "cus_7") == [
        ("cus_7", "domain", "correo.example"),
        ("cus_7", "email", code("persona7@correo.example")),
        ("cus_7", "external_id", "7"),
    ]
    books.load(of, at(22), customers_deleted={8: at(21)})
    assert {account for (account,) in books.said("account.identified", "account_id")} == {"cus_7"}
    assert books.paths("/v1/customers") == ["/v1/customers/cus_8"]


def test_of_a_customer_only_what_is_needed_is_kept(books: Books) -> None:
    books.use(identified_by=["domain"])
    books.load(company(invoice(1, customer_id=7)), at(20))
    (stored,) = books.raw("customers").get_column("payload").to_list()
    assert set(orjson.loads(stored)) == {"id", "created", "is_ahead", "identified"}
    assert "@" not in stored
    assert "Marta" not in stored


def test_where_something_else_identifies_customers_all_are_read_again(books: Books) -> None:
    of = company(invoice(1, customer_id=7))
    books.use(identified_by=["domain"])
    books.load(of, at(20))
    books.use(identified_by=["email"])
    books.load(of, at(21))
    assert [by for (by,) in books.said("account.identified", "identified_by")] == ["email"]
