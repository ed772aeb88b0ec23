"""The tables of reference rates: two files at fixed addresses, and which of them can be trusted.

Belongs here: requests, XML, what must be in a whole table. Does not: what is kept of a table (`rates`).

`eurofxref-hist-90d.xml` holds the last ninety days, `eurofxref-hist.xml` everything since 4 January 1999: a `Cube` for
each day on which rates were published (no weekends, no TARGET closing days), in it a `Cube` for each currency that had
a rate on that day. Currencies come and go: the rouble has had none since March 2022, the kuna and the lev became euros.
(In the CSV edition of the same tables these cells say N/A.) They are published around 16:00 in Frankfurt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from xml.etree import ElementTree

from pipelines.http import PatientSession, whole_answer
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, VendorError

HOST = "https://www.ecb.europa.eu"
RECENT, WHOLE = "eurofxref-hist-90d.xml", "eurofxref-hist.xml"

_CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"


@dataclass(frozen=True, slots=True)
class Rate:
    """What a day's table says that one euro is worth in a currency, as it is written."""

    day: date
    currency: str
    rate: str


class Tables:
    """The tables over HTTP."""

    def __init__(self, account: Account, clock: Clock) -> None:
        settings = Settings(account)
        self.source, self.base_url = settings.source, settings.base_url(HOST)
        self.session = PatientSession(self.source, clock)

    def whole(self, name: str) -> Table:
        """A table. Raises `VendorError` for what is no whole one."""
        response = self.session.get(f"{self.base_url}/stats/eurofxref/{name}")
        return Table(self.source, name, whole_answer(self.source, response).content)


class Table:
    """A whole table, as it is written. newest: the newest day that it has rates of; currencies: all that it has.

    It is gone through day by day, as often as it is asked: thirty currencies since 1999 are a few megabytes of text,
    and a hundred times as much as a tree.
    """

    def __init__(self, source: str, name: str, text: bytes) -> None:
        self.source, self.name, self._text = source, name, text
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise VendorError(source, f"{name} declares a document type, as no table does", READ_AGAIN)
        days, self.currencies = set[date](), set[str]()
        for day, rates in self.days():
            if day in days or len({one.currency for one in rates}) < len(rates):
                raise VendorError(source, f"{name} has two rates of one day and currency", READ_AGAIN)
            days.add(day)
            self.currencies.update(one.currency for one in rates)
        if not days:
            raise VendorError(source, f"{name} holds no rates", READ_AGAIN)
        self.newest = max(days)

    def days(self) -> Iterator[tuple[date, list[Rate]]]:
        """Each day that has rates, with them."""
        try:
            # Nothing in it can be expanded, as it declares nothing.
            for _, cube in ElementTree.iterparse(BytesIO(self._text)):  # noqa: S314 - as above
                if cube.tag != _CUBE or (said := cube.get("time")) is None:
                    continue
                if rates := [Rate(self._day(said), *told) for told in _told(cube)]:
                    yield rates[0].day, rates
                cube.clear()
        except ElementTree.ParseError as failure:
            raise VendorError(self.source, f"{self.name} is no whole XML ({failure})", READ_AGAIN) from None

    def _day(self, text: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise VendorError(self.source, f"{self.name} has a table of no day ({text[:20]!r})", READ_AGAIN) from None


def _told(of_day: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for cube in of_day.iter(_CUBE):
        currency, rate = cube.get("currency"), cube.get("rate")
        if cube is not of_day and currency is not None and rate is not None and rate != "N/A":
            yield currency, rate
