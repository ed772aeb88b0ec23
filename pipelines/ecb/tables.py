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
from xml.etree import ElementTree

from pipelines.http import PatientSession, whole_answer
from pipelines.settings import Settings
from pipelines.source import Account, Clock, VendorError

HOST = "https://www.ecb.europa.eu"
RECENT, WHOLE = "eurofxref-hist-90d.xml", "eurofxref-hist.xml"
READ_AGAIN = "Nothing is counted as read; the next run reads it again"

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

    def rates(self, name: str) -> list[Rate]:
        """All rates of a table, as it is written. Raises `VendorError` for what is no whole table."""
        response = self.session.get(f"{self.base_url}/stats/eurofxref/{name}")
        text = whole_answer(self.source, response).content
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise VendorError(self.source, f"{name} declares a document type, as no table does", READ_AGAIN)
        try:
            root = ElementTree.fromstring(text)  # noqa: S314 - nothing in it can be expanded, as it declares nothing
        except ElementTree.ParseError as failure:
            raise VendorError(self.source, f"{name} is no whole XML ({failure})", READ_AGAIN) from None
        found = list(self._found(root, name))
        if not found:
            raise VendorError(self.source, f"{name} holds no rates", READ_AGAIN)
        if len({(one.day, one.currency) for one in found}) < len(found):
            raise VendorError(self.source, f"{name} has two rates of one day and currency", READ_AGAIN)
        return found

    def _found(self, root: ElementTree.Element, name: str) -> Iterator[Rate]:
        for of_day in root.iter(_CUBE):
            day = of_day.get("time")
            if day is None:
                continue
            for cube in of_day.iter(_CUBE):
                currency, rate = cube.get("currency"), cube.get("rate")
                if cube is not of_day and currency is not None and rate is not None and rate != "N/A":
                    yield Rate(self._day(day, name), currency, rate)

    def _day(self, text: str, name: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise VendorError(self.source, f"{name} has a table of no day ({text[:20]!r})", READ_AGAIN) from None
