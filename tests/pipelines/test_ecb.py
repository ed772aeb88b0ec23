"""The European Central Bank's reference rates: read whole once, then what is recent; only whole tables count."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from at_hand import at_hand
from shop import StillClock
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from kr_definitions.catalogue import load
from kr_definitions.coverage import coverage
from kr_definitions.events import RATE, RETRACTED, current
from pipelines.connectors import sources
from pipelines.ecb import ECB, EcbOptions
from pipelines.ecb.rates import facts, published_at
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.sandbox import ecb as stand_in
from pipelines.sandbox.business import business, ventas_marketing
from pipelines.sandbox.faults import Fault, Faulty
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Covered, Read, Record, SourceConfigError, VendorError

BASE_URL = "SOURCES__AGENCIA__ECB__BASE_URL"
FRIDAY = datetime(2026, 3, 6, 18, tzinfo=UTC)
WEEK = timedelta(days=7)


class Bank:
    """The stand-in as it is at an instant, or any answer in its place; and what was asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.monkeypatch, self.folder, self.asked = monkeypatch, folder, list[str]()
        founded = date(2026, 2, 1)
        self.company = business(ventas_marketing.PLAN)(1, founded, founded + WEEK, "Europe/Madrid")

    def app(self, present: datetime) -> Starlette:
        return stand_in.app(Desk(self.company, present, SharedClock(self.folder / "clock.json", present)))

    def served(self, app: Starlette) -> Iterator[None]:
        async def counted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.asked.append(scope["path"].rpartition("/")[2])
            await app(scope, receive, send)

        with at_hand(counted) as url:
            self.monkeypatch.setenv(BASE_URL, url)
            yield

    def read(self, read: Read, app: Starlette | None = None, *currencies: str) -> tuple[list[Record], Covered]:
        (stream,) = ECB.streams(account(), EcbOptions(currencies=list(currencies or ("USD",))))
        for _ in self.served(app or self.app(read.until)):
            return drained(stream.fetch(read))
        raise AssertionError

    def load(self, lake: Lake, present: datetime) -> None:
        source = Source(ECB, account(), EcbOptions(currencies=["USD", "JPY"]))
        for _ in self.served(self.app(present)):
            fetch(source, lake, StillClock(present), present)
        bring_up_to_date([source], lake, present)


def account() -> Account:
    return Account("agencia", "ecb", "Europe/Madrid")


def drained(pages: Generator[Any, None, Covered]) -> tuple[list[Record], Covered]:
    found: list[Record] = []
    while True:
        try:
            found += next(pages)
        except StopIteration as end:
            return found, end.value


def asked(until: datetime = FRIDAY, since: datetime | None = None, cursor: str | None = None) -> Read:
    return Read(since, until, cursor, StillClock(until))


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bank:
    return Bank(monkeypatch, tmp_path)


# --- what is read -----------------------------------------------------------------------------------------------------


def test_the_whole_table_is_read_once_and_then_what_is_recent(bank):
    whole, covered = bank.read(asked())
    recent, then = bank.read(asked(FRIDAY + WEEK, FRIDAY, covered.cursor))
    assert bank.asked == ["eurofxref-hist.xml", "eurofxref-hist-90d.xml"]
    assert (covered.start, then.start) == (None, FRIDAY)
    assert (len(whole) > 1000, len(recent) < 70) == (True, True)
    assert {"2026-03-06/USD"} < {one.key for one in whole} & {one.key for one in recent}


def test_rates_from_before_anything_is_known_are_left_out(bank):
    """The vendor's table begins in 1999, and no fact can be of a time before 2000."""
    desk = Desk(bank.company, FRIDAY, SharedClock(bank.folder / "clock.json", FRIDAY))
    found, covered = bank.read(asked(), stand_in.app(desk, date(1999, 12, 20)))
    assert (min(one.key for one in found), covered.start) == ("2000-01-03/USD", None)


@pytest.mark.parametrize(("since", "cursor"), [(FRIDAY, "USD"), (FRIDAY - 12 * WEEK, "GBP,USD")])
def test_the_whole_table_is_read_again_for_another_currency_and_after_a_long_time(bank, since, cursor):
    _, covered = bank.read(asked(FRIDAY + WEEK, since, cursor), None, "USD", "GBP")
    assert (bank.asked, covered.start, covered.cursor) == (["eurofxref-hist.xml"], None, "GBP,USD")


def test_only_currencies_that_are_asked_for_are_kept_and_nothing_else_of_them(bank):
    found, _ = bank.read(asked(), None, "GBP", "RUB")
    assert {key.rpartition("/")[2] for key in (one.key for one in found)} == {"GBP", "RUB"}
    assert {tuple(one.payload) for one in found} == {("day", "currency", "rate")}
    assert max(one.payload["day"] for one in found if one.payload["currency"] == "RUB") == "2022-03-01"


@pytest.mark.parametrize(
    ("until", "end", "newest"),
    [
        (datetime(2026, 3, 6, 9, tzinfo=UTC), datetime(2026, 3, 6, 9, tzinfo=UTC), "2026-03-05"),
        (datetime(2026, 3, 6, 18, tzinfo=UTC), datetime(2026, 3, 6, 18, tzinfo=UTC), "2026-03-06"),
        (datetime(2026, 3, 8, 18, tzinfo=UTC), datetime(2026, 3, 8, 15, tzinfo=UTC), "2026-03-06"),
        (datetime(2026, 4, 7, 9, tzinfo=UTC), datetime(2026, 4, 7, 9, tzinfo=UTC), "2026-04-02"),
    ],
    ids=["before it is published", "after it was", "on a Sunday", "after Easter Monday"],
)
def test_what_has_been_read_ends_where_the_next_rate_may_be(bank, until, end, newest):
    found, covered = bank.read(asked(until))
    assert (covered.end, max(one.payload["day"] for one in found)) == (end, newest)


def test_a_rate_that_is_late_is_not_taken_for_one_that_will_not_be(bank):
    """At five in the afternoon today's table is not there yet: nothing is said of what comes after four."""
    until = datetime(2026, 3, 6, 16, tzinfo=UTC)
    _, covered = bank.read(asked(until), bank.app(datetime(2026, 3, 6, 14, tzinfo=UTC)))
    assert covered.end == datetime(2026, 3, 6, 15, tzinfo=UTC) == published_at(date(2026, 3, 6))


# --- what cannot be trusted -------------------------------------------------------------------------------------------

TABLE = '<E xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube>{}</Cube></E>'
DAY = "<Cube time='2026-03-06'><Cube currency='USD' rate='{}'/></Cube>"


def answering(text: str, status: int = 200, **said: str) -> Starlette:
    headers = {name.replace("_", "-"): value for name, value in said.items()}
    return Starlette(routes=[Route("/{path:path}", lambda _: Response(text, status, headers, media_type="text/xml"))])


@pytest.mark.parametrize(
    ("app", "found"),
    [
        (answering("<html><body>Access denied</body></html>"), "holds no rates"),
        (answering(TABLE.format(DAY.format("1.1"))[:-9]), "is no whole XML"),
        (answering(""), "is no whole XML"),
        (answering(TABLE.format("")), "holds no rates"),
        (answering(TABLE.format(DAY.format("N/A"))), "holds no rates"),
        (answering(TABLE.format(DAY.format("1.1") * 2)), "two rates of one day and currency"),
        (answering(TABLE.format(DAY.format("1.1").replace("2026-03-06", "2026-02-20"))), "newest rates are of 2026-02"),
        (answering(TABLE.format(DAY.format("1.1").replace("2026-03-06", "2062-03-06"))), "newest rates are of 2062"),
        (answering(TABLE.format(DAY.format("1.1").replace("2026-03-06", "6/3/2026"))), "a table of no day"),
        (answering("<!DOCTYPE x [<!ENTITY a 'b'>]>" + TABLE.format(DAY.format("1.1"))), "declares a document type"),
        (answering("gone", 404), "answered HTTP 404"),
        (answering("broken", 500), "failed 8 times"),
        (answering("too many", 429), "failed 8 times, at last with HTTP 429"),
        (answering("too many", 429, retry_after="50400"), "asks to wait 14.0 hours"),
    ],
    ids=[
        "html",
        "cut off",
        "nothing",
        "no day",
        "N/A",
        "twice",
        "old",
        "2062",
        "odd day",
        "entities",
        "404",
        "500",
        "429",
        "429 until tomorrow",
    ],
)
def test_what_is_no_whole_table_is_loud_and_nothing_is_read(bank, app, found):
    with pytest.raises(VendorError, match=found):
        bank.read(asked(), app)


@pytest.mark.parametrize("fault", ["429", "429-retry-after", "500", "503"])
def test_what_passes_is_waited_for(bank, fault):
    spoilt = Faulty(bank.app(FRIDAY), [Fault(fault, at=1)])
    assert bank.read(asked(), spoilt) == bank.read(asked())
    assert spoilt.changed == {fault: 1}


def test_a_currency_that_the_bank_does_not_publish_is_refused_with_what_to_do(bank):
    with pytest.raises(SourceConfigError, match=r"no rate of COP\. Keep a file of its rates \(kind: files\)"):
        bank.read(asked(), None, "USD", "COP")


@pytest.mark.parametrize(
    ("currencies", "found"),
    [([], "at least 1"), (["EUR"], "are of the euro"), (["USD"] * 2, "twice"), (["US"], "not a")],
)
def test_what_cannot_be_asked_for_is_refused_where_it_is_declared(currencies, found):
    with pytest.raises(ValueError, match=found):
        EcbOptions(currencies=currencies)


# --- what it states ---------------------------------------------------------------------------------------------------


def understood(day: str | None, currency: str | None, rate: str | None) -> dict[str, Any]:
    row = {"record_key": "k", "day": day, "currency": currency, "rate": rate}
    return facts(pl.LazyFrame([row], schema=dict.fromkeys(row, pl.String))).collect().row(0, named=True)


def test_a_rate_is_what_one_euro_is_worth_on_its_day_when_it_is_published():
    said = understood("2026-07-01", "USD", "1.0876")
    assert said["occurred_at"] == datetime(2026, 7, 1, 14, tzinfo=UTC)
    assert (said["subject_id"], said["from_currency"], said["to_currency"]) == ("EUR/USD", "EUR", "USD")
    assert (said["quantity"], said["event_type"], said["problem"]) == (Decimal("1.087600"), RATE, None)


@pytest.mark.parametrize(
    ("day", "currency", "rate", "found"),
    [
        ("2026-07-01", "USD", "0", "rate: not a number above 0"),
        ("2026-07-01", "USD", "-1.1", "rate: not a number above 0"),
        ("2026-07-01", "USD", "1,0876", "rate: not a number above 0"),
        ("2026-07-01", "USD", "1.08765432", "six decimals at most"),
        ("2026-07-01", "USD", "9" * 40, "rate: not a number above 0"),
        ("2026-07-01", "USD", None, "(nothing)"),
        ("2026-13-01", "USD", "1", "day: not a day"),
        ("2026-07-01", "$", "1", "currency: not a currency's code"),
    ],
)
def test_what_is_no_rate_is_set_aside_and_says_why(day, currency, rate, found):
    assert found in understood(day, currency, rate)["problem"]


# --- in a lake --------------------------------------------------------------------------------------------------------


def test_a_second_reading_adds_new_rates_alone_and_a_corrected_one_is_a_correction(bank, tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    bank.load(lake, FRIDAY)
    before = lake.log.scan().filter(event_type=RATE).collect()
    wrong = stand_in.rate
    monkeypatch.setattr(
        stand_in, "rate", lambda currency, day: "1.5" if str(day) == "2026-03-05" else wrong(currency, day)
    )
    bank.load(lake, FRIDAY + WEEK)
    added = lake.log.scan().filter(pl.col("recorded_at") > FRIDAY, pl.col("event_type").is_in([RATE, RETRACTED]))
    assert added.select(pl.col("event_type").value_counts(sort=True)).unnest("event_type").collect().rows() == [
        (RATE, 12), (RETRACTED, 2),
    ]  # fmt: skip
    spans = coverage(current(lake.log.scan()), "Europe/Madrid").spans[RATE]
    assert (before.height > 2000, [span.last for span in spans]) == (True, [date(2026, 3, 12)])


def test_an_organisation_that_declares_it_is_fed():
    declared = {source.name: source for source in sources(load("ventas-marketing"), lambda text: text)}
    assert [stream.feeds for stream in declared["ecb"].streams()] == [(RATE,)]
