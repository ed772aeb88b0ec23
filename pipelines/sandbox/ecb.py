"""A stand-in for the European Central Bank's reference rates: the two tables in XML, at the vendor's addresses.

Belongs here: when rates are published, and what they are. Does not: what they mean (`pipelines.ecb`).

Like the vendor: no rates on weekends and TARGET closing days, those of today from 16:00 in Frankfurt on, five
significant digits, currencies that come and go. The rates are invented: each wanders slowly around a middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from math import sin
from zoneinfo import ZoneInfo

import holidays
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.sandbox.stand_in import Desk

CREDENTIALS: dict[str, str] = {}
FRANKFURT = ZoneInfo("Europe/Berlin")
FIRST = date(2022, 1, 3)
"""The vendor's own table begins in 1999."""

MIDDLES: Mapping[str, float] = {
    "USD": 1.1,
    "JPY": 160.0,
    "GBP": 0.86,
    "CHF": 0.95,
    "MXN": 20.5,
    "BRL": 6.0,
    "IDR": 18200.0,
}
_UNTIL: Mapping[str, date] = {"RUB": date(2022, 3, 1), "HRK": date(2022, 12, 30)}
_GONE: Mapping[str, float] = {"RUB": 90.0, "HRK": 7.53}


OTHERS: Mapping[str, float] = {
    "AUD": 1.7,
    "CAD": 1.6,
    "CNY": 8.1,
    "CZK": 24.5,
    "DKK": 7.46,
    "HKD": 9.1,
    "HUF": 385.0,
    "ILS": 3.9,
    "INR": 101.0,
    "ISK": 145.0,
    "KRW": 1650.0,
    "MYR": 4.9,
    "NOK": 11.6,
    "NZD": 1.95,
    "PHP": 66.0,
    "PLN": 4.25,
    "RON": 5.05,
    "SEK": 11.1,
    "SGD": 1.5,
    "THB": 37.5,
    "TRY": 48.0,
    "ZAR": 20.2,
}
"""What the vendor publishes as well; its tables are larger than these need to be."""


_ALL = {**MIDDLES, **OTHERS, **_GONE}


def app(desk: Desk, first: date = FIRST, currencies: Iterable[str] = MIDDLES) -> Starlette:
    """The stand-in. first: when its table begins; currencies: those of which it always has rates."""
    return _Bank(desk, first, tuple(currencies)).starlette()


@dataclass
class _Bank:
    desk: Desk
    first: date
    currencies: tuple[str, ...]

    def starlette(self) -> Starlette:
        spans = {"eurofxref-hist.xml": None, "eurofxref-hist-90d.xml": 90, "eurofxref-daily.xml": 1}
        return Starlette(routes=[Route(f"/stats/eurofxref/{name}", self._table(most)) for name, most in spans.items()])

    def _table(self, most: int | None) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            days = list(self._days())
            first = self.first if most is None else days[0] - timedelta(days=most - 1)
            cubes = "".join(self._of_day(day) for day in days if day >= first)
            return Response(_ENVELOPE.format(cubes=cubes), media_type="text/xml")

        return answer

    def _days(self) -> Iterator[date]:
        """The days of which rates have been published, the newest first."""
        now = self.desk.present.astimezone(FRANKFURT)
        day = now.date() if now.time() >= time(16) else now.date() - timedelta(days=1)
        while day >= self.first:
            if is_published(day):
                yield day
            day -= timedelta(days=1)

    def _of_day(self, day: date) -> str:
        known = [currency for currency, last in _UNTIL.items() if day <= last]
        rates = "".join(f"<Cube currency='{one}' rate='{rate(one, day)}'/>" for one in (*self.currencies, *known))
        return f"<Cube time='{day}'>{rates}</Cube>"


@cache
def _closing_days() -> holidays.HolidayBase:
    return holidays.financial_holidays("XECB")


def is_published(day: date) -> bool:
    """Whether the bank publishes rates on a day."""
    return day.weekday() < 5 and day not in _closing_days()


def rate(currency: str, day: date) -> str:
    """What one euro is worth in a currency on a day, as the table says it: with five significant digits."""
    middle = _ALL[currency]
    turn, of_currency = day.toordinal(), sum(map(ord, currency))
    wandering = 0.04 * sin(turn / 97 + of_currency) + 0.01 * sin(turn / 11 + of_currency) + 0.003 * sin(turn * 1.7)
    return f"{float(f'{middle * (1 + wandering):.5g}'):.6f}".rstrip("0").rstrip(".")


def rated_at(day: date) -> datetime:
    """When the rates of a day are published."""
    return datetime.combine(day, time(16), FRANKFURT)


_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
    'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">'
    "<gesmes:subject>Reference rates</gesmes:subject>"
    "<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>"
    "<Cube>{cubes}</Cube></gesmes:Envelope>"
)
