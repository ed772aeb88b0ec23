"""What Stripe's subscriptions have brought a month: by events for 30 days, by what was invoiced before them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import requests
from builders import event, figures, on
from shop import code
from starlette.responses import JSONResponse

from pipelines.sandbox import stripe as stand_in
from pipelines.sandbox.company import Billed, Change, Company, Invoice, Subscription, Terms
from pipelines.sandbox.server import serving
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Mark, Read, Record, VendorError
from pipelines.stripe import STRIPE, StripeOptions
from pipelines.stripe.api import Api
from pipelines.stripe.states import before, known_discounts, state
from pipelines.stripe.states import billed as billed_by

SETTINGS = "SOURCES__AGENCIA__STRIPE__"
CURSOR = "states&product=product"
Item = dict[str, Any]
Told = tuple[str, datetime, Any]


def at(day: int, month: int = 3, year: int = 2026) -> datetime:
    return datetime(year, month, day, 9, tzinfo=UTC)


def subscription(*terms: tuple[datetime, Terms], number: int = 1, **different: Any) -> Subscription:
    """A subscription of the first of March, of 50 EUR a month, and what it came to be."""
    usual: Item = {
        "customer_id": number,
        "product": "plan",
        "amount_cents": 50_00,
        "started_at": at(1),
        "ended_at": None,
    }
    return Subscription(id=number, terms=tuple(Change(*one) for one in terms), **{**usual, **different})


def invoice(number: int, *lines: Billed, created: datetime | None = None) -> Invoice:
    created = created or lines[-1].start
    return Invoice(
        number, 1, None, "plan", created, created, sum(one.cents for one in lines), 0, None, None, lines=lines
    )


def billed(cents: int, start: datetime, end: datetime, *, is_prorated: bool = False) -> Billed:
    return Billed(1, cents, start, end, is_prorated)


class Books:
    """A Stripe account, and what was read of its subscriptions so far: no lake is between."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.held: dict[str, Record] = {}
        self.changed: Callable[[Item], None] = lambda item: None
        account = Account("agencia", "stripe", "Europe/Madrid", code)
        found = STRIPE.streams(account, StripeOptions(product="product"))
        self.stream = next(stream for stream in found if stream.name == "subscriptions")
        monkeypatch.setenv(SETTINGS + "API_KEY", stand_in.CREDENTIALS["api_key"])

    def read(
        self, present: datetime, *of: Subscription, since: datetime | None = None, invoices: tuple[Invoice, ...] = ()
    ) -> None:
        none: tuple[Any, ...] = ()
        company = Company(
            seed=0, zone="Europe/Madrid", founded=date(2024, 1, 1), last_day=date(2026, 12, 31), contacts=none,
            listings=none, sales=none, activities=none, tickets=none, invoices=invoices, videos=none, sheet_rows=none,
            subscribers={}, views={}, subscriptions=of,
        )  # fmt: skip
        clock = SharedClock(self.folder / "clock.json", present)
        with serving(stand_in.app(Desk(company, present, clock))) as url:
            self.monkeypatch.setenv(SETTINGS + "BASE_URL", url)
            for page in self.stream.fetch(Read(since, present, CURSOR, clock)):
                if not isinstance(page, Mark):
                    self.held |= {record.key: record for record in page}

    def hold(self, present: datetime, now: Item, *invoices: Item, was: Item | None = None) -> None:
        """Hold what a first reading keeps of a subscription and of its invoices. was: before an event of July."""
        kept = state(now, present, {}, {})
        told = {now["id"]: kept}
        if was is None:
            told["sub_1/listed"] = {**kept, "kind": "listed", "at": seconds(at(12, 6, 2025))}
        else:
            dated = {"before": state(was, present, {}, {}), "after": kept}
            told |= {f"sub_1/{kind}": {**one, "kind": kind, "at": seconds(JULY)} for kind, one in dated.items()}
        for number, one in enumerate(invoices):
            for each in billed_by(one, one["lines"]["data"])["sub_1"]:
                told[f"sub_1/{number}/{each['kind']}/{each['at']}"] = each
        self.held = {key: Record(key, None, one) for key, one in told.items()}

    def facts(self) -> list[Item]:
        rows = [{**record.payload, "record_key": key} for key, record in self.held.items() if not record.is_deleted]
        names = [one.name for one in self.stream.payload.fields]
        texts = [{name: as_text(row.get(name)) for name in (*names, "record_key")} for row in rows]
        schema = {"record_key": pl.String(), **{one.name: one.dtype for one in self.stream.payload.fields}}
        found: list[Item] = self.stream.facts(pl.LazyFrame(texts, schema=schema)).collect().to_dicts()
        return sorted(found, key=lambda one: (one["occurred_at"], one["event_type"]))

    def told(self) -> list[Told]:
        assert not [one["problem"] for one in self.facts() if one["problem"]]
        return [(one["event_type"].partition(".")[2], one["occurred_at"], one["amount"]) for one in self.facts()]


def as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [{name: as_text(one) for name, one in item.items()} for item in value]
    return value if value is None or isinstance(value, bool) else str(value)


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    return Books(tmp_path, monkeypatch)


# --- what events tell -------------------------------------------------------------------------------------------------

FIFTY = Terms(50_00)
LIVES: dict[str, tuple[tuple[tuple[datetime, Terms], ...], list[Told]]] = {
    "a dearer plan": (((at(5), Terms(80_00)),), [("amount_changed", at(5), 80), ("expanded", at(5), 30)]),
    "more seats, and fewer": (
        ((at(5), Terms(50_00, quantity=3)), (at(8), Terms(50_00, quantity=2))),
        [
            ("amount_changed", at(5), 150),
            ("expanded", at(5), 100),
            ("amount_changed", at(8), 100),
            ("contracted", at(8), -50),
        ],
    ),
    "a year at once": (
        ((at(5), Terms(480_00, interval="year")),),
        [("amount_changed", at(5), 40), ("contracted", at(5), -10)],
    ),
    "the same for the year": (((at(5), Terms(600_00, interval="year")),), []),
    "a discount that ends": (
        ((at(5), Terms(50_00, percent_off=20)), (at(9), FIFTY)),
        [
            ("amount_changed", at(5), 40),
            ("contracted", at(5), -10),
            ("amount_changed", at(9), 50),
            ("expanded", at(9), 10),
        ],
    ),
    "a pause": (
        ((at(5), Terms(50_00, pause="void")), (at(9), Terms(60_00))),
        [("amount_changed", at(5), 0), ("paused", at(5), -50), ("amount_changed", at(9), 60), ("resumed", at(9), 60)],
    ),
    "invoices kept for later": (((at(5), Terms(50_00, pause="keep_as_draft")),), []),
    "an end that is taken back": (
        ((at(5), Terms(50_00, is_ending=True)), (at(9), FIFTY)),
        [("cancellation_scheduled", at(5), 50), ("cancellation_withdrawn", at(9), 50)],
    ),
}


@pytest.mark.parametrize("life", LIVES)
def test_a_change_is_told_on_its_day_with_what_it_brings_and_by_how_much_more_or_less(books: Books, life: str) -> None:
    terms, expected = LIVES[life]
    books.read(at(12), subscription(*terms))
    assert books.told() == [("started", at(1), 50), *expected]


@pytest.mark.parametrize("life", LIVES)
def test_what_is_read_day_by_day_is_told_as_what_is_read_at_once(books: Books, life: str) -> None:
    terms, expected = LIVES[life]
    books.read(at(2), subscription(*terms))
    for day in (6, 7, 12):
        books.read(at(day), subscription(*terms), since=at(day - 5 if day == 12 else 2))
    assert books.told() == [("started", at(1), 50), *expected]


def test_a_trial_brings_nothing_until_it_is_paid_for(books: Books) -> None:
    books.read(at(20), subscription((at(1), Terms(50_00, is_trial=True)), (at(15), FIFTY), ended_at=at(18)))
    assert books.told() == [
        ("started", at(1), 0),
        ("amount_changed", at(15), 50),
        ("converted", at(15), 50),
        ("ended", at(18), 50),
    ]


def test_who_asks_to_end_ends_later_with_what_it_had_brought(books: Books) -> None:
    ending = (at(5), Terms(50_00, quantity=2)), (at(9), Terms(50_00, quantity=2, is_ending=True))
    books.read(at(20), subscription(*ending, ended_at=at(18)))
    assert books.told()[3:] == [("cancellation_scheduled", at(9), 100), ("ended", at(18), 100)]
    books.held.clear()
    books.read(at(20, month=8), subscription(*ending, ended_at=at(18)))
    assert books.told() == [("started", at(1), 100), ("cancellation_scheduled", at(9), 100), ("ended", at(18), 100)]


def test_a_change_says_whose_and_what_and_in_which_currency(books: Books) -> None:
    books.read(at(12), subscription((at(5), Terms(1_200, interval="year")), amount_cents=80, currency="JPY"))
    said = ("event_type", "subject_id", "account_id", "amount", "currency", "product", "source_url")
    url = "https://dashboard.stripe.com/subscriptions/sub_1"
    rest = ("sub_1", "cus_1", Decimal(100), "JPY", "plan", url)
    assert [tuple(one[name] for name in said) for one in books.facts()][1] == ("subscription.amount_changed", *rest)


def test_changes_of_one_second_are_one(books: Books) -> None:
    terms = [(at(5), Terms(70_00)), (at(5), Terms(70_00)), (at(5), Terms(70_00, quantity=2))]
    books.read(at(12), subscription(*terms))
    assert books.told() == [("started", at(1), 50), ("amount_changed", at(5), 140), ("expanded", at(5), 90)]


def test_reading_again_gives_the_same_records(books: Books) -> None:
    of = subscription((at(5), Terms(50_00, percent_off=20)), (at(9), Terms(70_00)))
    books.read(at(12), of)
    held = dict(books.held)
    books.read(at(13), of, since=at(4))
    assert books.held == held


# --- what was before events -------------------------------------------------------------------------------------------


def months(*cents: int) -> tuple[Invoice, ...]:
    """An invoice of each month since January 2025."""
    firsts = [at(1, month % 12 + 1, 2025 + month // 12) for month in range(len(cents) + 1)]
    return tuple(
        invoice(n, billed(one, start, end))
        for n, (one, start, end) in enumerate(zip(cents, firsts, firsts[1:], strict=False), 1)
    )


OLD = {"started_at": at(1, 1, 2025)}


def test_before_events_what_was_billed_tells_from_when_on(books: Books) -> None:
    now = subscription((at(20, 1, 2025), Terms(90_00)), **OLD)
    books.read(at(10, 7, 2025), now, invoices=months(50_00, 50_00, 70_00, 70_00, 70_00, 90_00))
    assert books.told() == [
        ("started", at(1, 1, 2025), 50),
        ("amount_changed", at(1, 3, 2025), 70),
        ("expanded", at(1, 3, 2025), 20),
        ("amount_changed", at(1, 6, 2025), 90),
        ("expanded", at(1, 6, 2025), 20),
    ]


def test_a_part_of_a_period_tells_the_day_of_the_change(books: Books) -> None:
    parts = [billed(sign, at(17, 2, 2025), at(1, 3, 2025), is_prorated=True) for sign in (-21_00, 30_00)]
    first, second, third = months(50_00, 50_00, 70_00)
    third = invoice(3, *parts, *third.lines)
    now = subscription((at(17, 2, 2025), Terms(70_00)), **OLD)
    books.read(at(10, 7, 2025), now, invoices=(first, second, third))
    assert books.told()[1:] == [("amount_changed", at(17, 2, 2025), 70), ("expanded", at(17, 2, 2025), 20)]


def test_a_trial_and_a_year_are_told_by_their_invoices(books: Books) -> None:
    trial = invoice(1, billed(0, at(1, 1, 2025), at(15, 1, 2025)))
    year = invoice(2, billed(1_200_00, at(15, 1, 2025), at(15, 1)))
    now = (
        (at(1, 1, 2025), Terms(1_200_00, interval="year", is_trial=True)),
        (at(15, 1, 2025), Terms(1_200_00, interval="year")),
    )
    books.read(at(10, 7, 2025), subscription(*now, **OLD), invoices=(trial, year))
    assert books.told() == [
        ("started", at(1, 1, 2025), 0),
        ("amount_changed", at(15, 1, 2025), 100),
        ("converted", at(15, 1, 2025), 100),
    ]


def test_lines_beyond_the_first_ten_count_and_those_of_use_and_of_drafts_do_not(books: Books) -> None:
    begins, ends = at(1, 1, 2025), at(1, 2, 2025)
    used = billed(999_00, at(1, 12, 2024), begins)
    parts = [billed(5_00, begins, ends)] * 12
    draft = Invoice(2, 1, None, "plan", at(1, 2, 2025), at(1, 12), 9, 0, None, None, lines=(billed(9, ends, at(1)),))
    now = subscription((at(1, 1, 2025), Terms(60_00)), **OLD)
    books.read(at(10, 7, 2025), now, invoices=(invoice(1, used, *parts, created=begins), draft))
    assert books.told() == [("started", at(1, 1, 2025), 60)]


def test_a_discount_of_a_line_of_its_own_is_taken_off_while_it_is_billed(books: Books) -> None:
    first, second = months(50_00, 50_00)
    half = invoice(1, dataclasses.replace(first.lines[0], off_cents=25_00))
    books.read(at(10, 7, 2025), subscription(**OLD), invoices=(half, second))
    assert books.told()[1:] == [("amount_changed", at(1, 2, 2025), 50), ("expanded", at(1, 2, 2025), 25)]


def test_a_change_that_nothing_dates_is_known_from_when_events_reach_back_to(books: Books) -> None:
    now = subscription((at(20, 3, 2025), Terms(70_00)), **OLD)
    books.read(at(10, 7, 2025), now, invoices=months(50_00))
    since = at(12, 6, 2025)
    assert books.told()[1:] == [("amount_changed", since, 70), ("expanded", since, 20)]


def test_a_gap_is_filled_by_what_was_billed_in_it_and_nothing_else_is_moved(books: Books) -> None:
    changes = [(at(5, 2, 2025), Terms(80_00)), (at(20, 4, 2025), Terms(90_00)), (at(3, 8, 2025), Terms(95_00))]
    now = subscription(*changes, **OLD)
    told = months(50_00, 50_00, 80_00, 80_00, 90_00, 90_00, 90_00, 90_00)
    books.read(at(10, 2, 2025), now, invoices=told)
    assert books.told()[1:] == [("amount_changed", at(5, 2, 2025), 80), ("expanded", at(5, 2, 2025), 30)]
    books.read(at(10, 8, 2025), now, invoices=told, since=at(10, 2, 2025))
    assert books.told()[3:] == [
        ("amount_changed", at(1, 5, 2025), 90),
        ("expanded", at(1, 5, 2025), 10),
        ("amount_changed", at(3, 8, 2025), 95),
        ("expanded", at(3, 8, 2025), 5),
    ]


def test_the_stand_in_forgets_what_a_subscription_was_after_30_days(books: Books) -> None:
    books.read(at(20, 6), subscription((at(5, 5), Terms(70_00)), (at(5, 6), Terms(90_00))))
    assert books.told() == [("started", at(1), 70), ("amount_changed", at(5, 6), 90), ("expanded", at(5, 6), 20)]


# --- by which interval a period was billed ----------------------------------------------------------------------------

JULY = at(1, 7, 2025)
JANUARY = at(4, 1, 2025)
DAY = timedelta(days=1)


def seconds(instant: datetime) -> int:
    return int(instant.timestamp())


def item(cents: int, interval: str, count: int = 1, price: str = "price_now") -> Item:
    recurring = {"interval": interval, "interval_count": count, "usage_type": "licensed"}
    of = {"id": price, "unit_amount": cents, "currency": "eur", "billing_scheme": "per_unit", "recurring": recurring}
    return {"id": f"si_{price}", "quantity": 1, "price": of}


def subscribed(*items: Item, began: datetime = JANUARY) -> Item:
    begun = {"created": seconds(began), "start_date": seconds(began), "status": "active"}
    return {"id": "sub_1", "currency": "eur", "items": {"data": [*items]}, **begun}


def line(cents: int, start: datetime, end: datetime, price: str | None = None, *, is_part: bool = False) -> Item:
    details = {"subscription": "sub_1", "proration": is_part}
    return {
        "amount": cents,
        "currency": "eur",
        "period": {"start": seconds(start), "end": seconds(end)},
        "parent": {"subscription_item_details": details},
        "pricing": {"price_details": {"price": price}},
    }


def bill(*lines: Item, **beside: Any) -> Item:
    created = max(one["period"]["start"] for one in lines)
    return {"created": created, "currency": "eur", "lines": {"data": [*lines]}, **beside}


def periods(cents: int, days: int, number: int, price: str | None = None, start: datetime = JANUARY) -> list[Item]:
    firsts = [start + days * DAY * n for n in range(number + 1)]
    return [bill(line(cents, *span, price)) for span in pairwise(firsts)]


BY_THE_MONTH = pl.Series(["43.333333", "10.833333", "10.138889", "3.333333"]).cast(pl.Decimal(38, 6)).to_list()


@pytest.mark.parametrize("price", [None, "price_now", "price_unknown"])
@pytest.mark.parametrize(
    ("interval", "count", "days", "number", "a_month"),
    [
        ("week", 1, 7, 22, BY_THE_MONTH[0]),
        ("week", 4, 28, 5, BY_THE_MONTH[1]),
        ("day", 30, 30, 5, BY_THE_MONTH[2]),
        ("week", 13, 91, 1, BY_THE_MONTH[3]),
    ],
)
def test_what_is_never_changed_brings_the_same_by_its_price_and_by_its_invoices(
    books: Books, interval: str, count: int, days: int, number: int, a_month: Decimal, price: str | None
) -> None:
    books.hold(JULY, subscribed(item(10_00, interval, count)), *periods(10_00, days, number, price))
    assert books.told() == [("started", JANUARY, a_month)]


def test_a_price_that_no_state_has_is_of_what_its_periods_have_alike(books: Books) -> None:
    old = periods(10_00, 28, 4, "price_old", at(1, 2, 2025))  # the first of them is a month, too
    now = at(24, 5, 2025)
    new = bill(line(20_00, now, at(24, 6, 2025), "price_now"))
    books.hold(JULY, subscribed(item(20_00, "month"), began=at(1, 2, 2025)), *old, new)
    assert books.told()[:2] == [("started", at(1, 2, 2025), BY_THE_MONTH[1]), ("amount_changed", now, 20)]


@pytest.mark.parametrize(("days", "first"), [(28, 100), (30, 100), (31, 10)])
def test_a_period_that_may_be_a_month_or_weeks_is_not_known(books: Books, days: int, first: int) -> None:
    began = {28: at(1, 2, 2025), 30: at(1, 4, 2025), 31: at(1, 3, 2025)}[days]
    of_old = line(10_00, began, began + days * DAY, "price_old")
    year = line(1_200_00, began + days * DAY, began + (days + 365) * DAY, "price_now")
    books.hold(JULY, subscribed(item(1_200_00, "year"), began=began), bill(of_old), bill(year))
    assert books.told()[0] == ("started", began, first)


def test_a_part_of_a_period_says_nothing_of_its_price(books: Books) -> None:
    part, month = line(3_00, JANUARY, at(14, 1, 2025), "price_now"), at(14, 2, 2025)
    books.hold(JULY, subscribed(item(10_00, "month")), bill(part), bill(line(10_00, at(14, 1, 2025), month)))
    assert books.told() == [("started", JANUARY, 10)]


YEAR, EXTRA = item(1_200_00, "year"), item(10_00, "month", price="price_extra")
OF_YEAR = line(1_200_00, JANUARY, JANUARY + 365 * DAY, "price_now")
OF_MONTHS = [line(10_00, at(4, n, 2025), at(4, n + 1, 2025), "price_extra") for n in range(1, 6)]


@pytest.mark.parametrize(
    "invoices",
    [
        [bill(OF_YEAR, OF_MONTHS[0]), *map(bill, OF_MONTHS[1:])],
        [bill(OF_YEAR), *map(bill, OF_MONTHS[2:])],  # added later
    ],
)
@pytest.mark.parametrize(("was", "first"), [(None, 100), (subscribed(YEAR, EXTRA), 110)])
def test_what_items_of_several_intervals_cost_is_not_told_by_their_invoices(
    books: Books, invoices: list[Item], was: Item | None, first: int
) -> None:
    books.hold(JULY, subscribed(YEAR), *invoices, was=was)
    assert books.told()[0] == ("started", JANUARY, first)
    assert {told for _, told, _ in books.told()[1:]} == ({JULY} if was else set())


def test_whose_interval_was_changed_had_one_at_a_time(books: Books) -> None:
    switch = at(15, 2, 2025)
    unused = line(-8_00, switch, at(4, 3, 2025), "price_extra", is_part=True)
    year = line(1_200_00, switch, switch + 365 * DAY, "price_now")
    books.hold(JULY, subscribed(YEAR), bill(OF_MONTHS[0]), bill(OF_MONTHS[1]), bill(unused, year))
    assert books.told() == [("started", JANUARY, 10), ("amount_changed", switch, 100), ("expanded", switch, 90)]


def discounted(coupon: Any, amount: int = 5_00) -> Item:
    own = {"id": "di_1", "source": {"coupon": coupon}} if coupon else "di_1"
    off = {"discounts": [own], "discount_amounts": [{"amount": amount, "discount": "di_1"}]}
    return {**line(10_00, JANUARY, at(4, 2, 2025)), **off}


@pytest.mark.parametrize(
    ("coupon", "of_invoice", "amount", "is_told"),
    [
        ({"duration": "forever"}, [], 5_00, True),
        ({"duration": "once"}, [], 10_00, True),
        ({"duration": "forever", "percent_off": 50}, [{"id": "di_1", "coupon": {"percent_off": 50}}], 10_00, True),
        (None, [], 10_00, False),
    ],
)
def test_a_discount_of_a_line_is_taken_off_where_it_lasts_and_is_told(
    coupon: Any, of_invoice: list[Item], amount: int, *, is_told: bool
) -> None:
    (kept,) = billed_by(bill(discounted(coupon), discounts=of_invoice), [discounted(coupon)])["sub_1"]
    assert (kept["items"][0]["unit_amount"], kept["is_discount_told"]) == (amount, is_told)


def test_a_part_of_a_period_dates_no_change_of_another_size(books: Books) -> None:
    ends = [at(4, n, 2025) for n in range(1, 5)]
    parts = [line(sign, at(14, 2, 2025), ends[2], is_part=True) for sign in (-20_00, 22_00)]
    lines = [line(cents, *span) for cents, span in zip((50_00, 50_00, 60_00), pairwise(ends), strict=True)]
    books.hold(JULY, subscribed(item(60_00, "month")), bill(lines[0]), bill(lines[1]), bill(*parts, lines[2]))
    assert books.told()[1:] == [("amount_changed", ends[2], 60), ("expanded", ends[2], 10)]


def test_more_seats_of_a_year_are_known_from_the_day_of_the_part_that_was_billed(books: Books) -> None:
    day, end = at(1, 3, 2025), JANUARY + 365 * DAY
    share = (end - day) / (365 * DAY)
    parts = [line(round(cents * share), day, end, is_part=True) for cents in (-1_200_00, 2_400_00)]
    books.hold(JULY, subscribed(item(2_400_00, "year")), bill(OF_YEAR), bill(*parts))
    assert books.told()[1:] == [("amount_changed", day, 200), ("expanded", day, 100)]


# --- what states say --------------------------------------------------------------------------------------------------

ITEM: Item = {"id": "si_1", "quantity": 2, "price": {"unit_amount": 5_00, "recurring": {"interval": "month"}}}
SUBSCRIPTION: Item = {"id": "sub_1", "currency": "eur", "items": {"has_more": False, "data": [ITEM]}}
QUARTER: Item = {"id": "di_1", "coupon": {"duration": "forever", "percent_off": 25}}


def test_what_was_before_is_what_is_but_for_what_was_otherwise():
    after = {**SUBSCRIPTION, "pause_collection": {"behavior": "void"}, "discounts": ["di_1"]}
    previous = {"items": {"data": [{"id": "si_1", "quantity": 1}]}, "pause_collection": None, "discounts": []}
    was = before(after, previous)
    assert was == {
        **SUBSCRIPTION,
        "items": {"has_more": False, "data": [{**ITEM, "quantity": 1}]},
        "pause_collection": None,
        "discounts": [],
    }


def test_an_item_that_was_added_or_removed_was_not_there_or_was():
    other = {**ITEM, "id": "si_2"}
    both = {"items": {"data": [ITEM, other]}}
    assert before(both, {"items": {"data": [ITEM]}}) == {"items": {"data": [ITEM]}}
    assert before({"items": {"data": [ITEM]}}, both) == both


@pytest.mark.parametrize(
    ("shown", "left", "is_told"),
    [
        ({"discount": QUARTER}, "0.75", True),
        ({"discount": QUARTER, "discounts": ["di_1"]}, "0.75", True),
        ({"discounts": ["di_2"]}, "0.5", True),
        ({"discounts": ["di_3"]}, "1", False),
        ({"discounts": [{"id": "di_4", "source": {"type": "coupon", "coupon": "half"}}]}, "1", False),
        ({"discount": None, "discounts": []}, "1", True),
    ],
)
def test_a_discount_is_read_as_each_version_of_the_api_shows_it(shown: Item, left: str, *, is_told: bool) -> None:
    known = known_discounts({"discounts": [{"id": "di_2", "source": {"coupon": {"percent_off": "50"}}}]})
    kept = state({**SUBSCRIPTION, **shown}, at(1), {}, known)
    assert (kept["percent_left"], kept["is_discount_told"]) == (left, is_told)


def test_a_plan_of_an_old_version_is_a_price():
    plan = {"amount": 5_00, "currency": "eur", "interval": "year", "interval_count": 1}
    (item,) = state({**SUBSCRIPTION, "items": None, "plan": plan, "quantity": 3}, at(1), {}, {})["items"]
    assert (item["unit_amount"], item["quantity"], item["interval"], item["usage_type"]) == (
        5_00,
        3,
        "year",
        "licensed",
    )


def test_what_is_told_no_longer_is_set_aside_and_not_zero(books: Books) -> None:
    books.read(at(12), subscription((at(5), Terms(80_00))))
    now = books.held["sub_1"]
    books.held["sub_1"] = Record("sub_1", None, {**now.payload, "has_more_items": True})
    (problem,) = {one["problem"] for one in books.facts() if one["problem"]}
    assert problem == "items, discounts: what it brings a month is told no longer, and was before"
    told = [one["amount"] for one in books.facts() if one["event_type"] == "subscription.amount_changed"]
    assert told == [80]


# --- how limits are answered ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "error", "waited", "named"),
    [
        ("global-rate", {}, 123, "slow down: global-rate"),
        ("endpoint-concurrency", {}, 123, "slow down: endpoint-concurrency"),
        ("resource-specific", {}, 420, "slow down: resource-specific"),
        ("", {"code": "lock_timeout"}, 123, "slow down: lock_timeout"),
        ("Marta Ruiz", {}, 123, "(slow down)"),
    ],
)
def test_a_limit_is_waited_for_as_its_reason_asks_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, error: Item, waited: int, named: str
) -> None:
    clock = SharedClock(tmp_path / "clock.json", at(1))
    headers = {"Stripe-Rate-Limited-Reason": reason} if reason else {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await JSONResponse({"error": error}, 429, headers=headers)(scope, receive, send)

    monkeypatch.setenv(SETTINGS + "API_KEY", "key")
    with serving(app) as url:
        monkeypatch.setenv(SETTINGS + "BASE_URL", url)
        api = Api(Account("agencia", "stripe", "Europe/Madrid", code), clock, livemode=True)
        with pytest.raises(VendorError, match=named.replace("(", r"\(").replace(")", r"\)")) as failed:
            list(api.listed("/v1/invoices", {}))
    assert clock.waited_seconds() == waited
    assert "Marta" not in str(failed.value)


def test_the_stand_in_says_which_limit_is_reached(tmp_path: Path) -> None:
    clock = SharedClock(tmp_path / "clock.json", at(1))
    none: tuple[Any, ...] = ()
    of = Company(0, "Europe/Madrid", date(2025, 1, 1), date(2026, 12, 31), *[none] * 8, {}, {})
    key = {"Authorization": f"Bearer {stand_in.CREDENTIALS['api_key']}"}
    with serving(stand_in.app(Desk(of, at(1), clock), reads_a_second=1)) as url:
        answers = [requests.get(f"{url}/v1/events", headers=key, timeout=5) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["Stripe-Rate-Limited-Reason"] == "global-rate"


# --- a key result -----------------------------------------------------------------------------------------------------

NET_RETENTION = {
    "retention": {
        "opened_by": "subscription.started",
        "closed_by": "subscription.ended",
        "value": "amount",
        "valued_by": "subscription.amount_changed",
    }
}
RECURRING = {"open": NET_RETENTION["retention"]}


def test_net_revenue_retention_is_what_januarys_customers_bring_over_what_they_brought(books: Books) -> None:
    """By hand, in EUR a month, where a USD is 0.9 EUR and a JPY 0.01 EUR.

    at the start of March  a 50; b 1,200 USD a year = 100 USD = 90; c 3,000 JPY = 30: together 170
    on the 5th             a goes to 3 seats of 50 = 150 (+100)
    on the 9th             b pays 20 % less = 80 USD = 72 (-18)
    on the 12th            c ends (-30)
    on the 14th            d comes, who is new: counts in neither
    so on the 20th         150 + 72 + 0 = 222 of 170 = 1.305882…
    """
    year = Terms(1_200_00, interval="year")
    began = at(1, 2)
    books.read(
        at(20),
        subscription((at(5), Terms(50_00, quantity=3)), started_at=began),
        subscription(
            (began, year), (at(9), Terms(1_200_00, interval="year", percent_off=20)),
            number=2, started_at=began, currency="USD",
        ),
        subscription(number=3, amount_cents=3_000, started_at=began, currency="JPY", ended_at=at(12)),
        subscription(number=4, amount_cents=999_00, started_at=at(14)),
    )  # fmt: skip
    rates = [
        event("rate.observed", "2026-01-01", f"{code}/EUR", from_currency=code, to_currency="EUR", quantity=worth)
        for code, worth in (("USD", "0.9"), ("JPY", "0.01"))
    ]
    told = [
        event(one["event_type"], one["occurred_at"], one["subject_id"], key=one["fact_key"])
        | {name: one[name] for name in ("account_id", "amount", "currency")}
        for one in books.facts()
    ]
    of = {"rates": {"at_most_days": 365}}
    kpi: Item = {"type": "kpi", "period": {"month": "2026-03"}, "of": of, "through": "2026-03-20"}
    kept = figures([*told, *rates], measure=NET_RETENTION, **kpi)
    by_hand = {"01": 170, "05": 270, "09": 252, "12": 222, "20": 222}
    assert {day: on(kept, f"2026-03-{day}", "numerator") for day in by_hand} == by_hand
    assert {on(kept, f"2026-03-{day}", "denominator") for day in by_hand} == {170}
    assert on(kept, "2026-03-20") == pytest.approx(222 / 170)
    recurring = figures([*told, *rates], measure=RECURRING, **kpi)
    assert [on(recurring, f"2026-03-{day}") for day in ("01", "13", "20")] == [170, 222, 1221]
    for what, amount in (("expanded", 100), ("contracted", -18), ("ended", 30)):
        moved = figures([*told, *rates], measure={"sum": "amount", "of": f"subscription.{what}"}, **kpi)
        assert on(moved, "2026-03-20") == amount
