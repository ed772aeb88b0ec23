"""Inmovilla's REST API v1 over HTTP: the token, its limits, its lists, and which of its answers can be trusted.

Belongs here: requests, waiting, paging and its guards. Does not: what is kept of an answer or what it means.

Facts, of the vendor's own page (procesos.inmovilla.com/api/v1/apidoc): the header `Token`, which ends after three
months without use; 10 requests a minute and 50 in ten minutes below `/propiedades`, HTTP 408 for more of them; leads by
`dateStart` and `dateEnd`, at most 10 a page, without ids; properties as one list with the time of each one's last
change, and their details one by one; "the API must not be used for daily bulk loads of data".

What that page does not say is not taken for granted. In which order leads come, and whether pages count from 0 or
from 1, is found out; whether `dateEnd` is a day that is included makes no difference, as a day more is asked for on
both sides; and as there is neither a count nor an id to hold pages against, a list of leads counts as read once two
readings in a row said the same, and an empty answer once it was given twice. Leads of one second may come in another
order each time: pages are compared by what is on them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import orjson
import requests

from pipelines.http import PatientSession, retry_after_seconds
from pipelines.inmovilla.times import naive
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, RequestRefused, SourceConfigError, VendorError

HOST = "https://procesos.inmovilla.com/api/v1"

PAGE_SIZE = 10
MOST_PAGES = 500
MOST_READINGS = 4
LIMITS = ((10, 60.0), (50, 600.0))
"""So many requests below `/propiedades` in so many seconds."""
SLOW_DOWN_SECONDS = 90.0
"""Inmovilla does not say how long to wait: as often as it is tried, this comes to the longer span."""

DAY = timedelta(days=1)
_REFUSED = ("401", "403")

Item = dict[str, Any]

_NOT_THERE = object()
"""What an answer comes to that says "there is no such thing"."""


@dataclass
class Pace:
    """What the streams of one run have asked together: no faster than Inmovilla allows, nor more than is declared.

    A part of it is kept for each stream until that has ended, so that a long reading of one starves no other.
    """

    most: int
    streams: tuple[str, ...] = ()
    spent: Counter[str] = field(default_factory=Counter)
    ended: set[str] = field(default_factory=set)
    _last: deque[datetime] = field(default_factory=lambda: deque(maxlen=LIMITS[-1][0]), repr=False)

    @property
    def kept(self) -> int:
        """How many requests are kept for each stream."""
        return self.most // (2 * max(len(self.streams), 1))

    def share(self, stream: str) -> int:
        """How many requests a stream may make in a run in which all others ask too."""
        return self.most - self.kept * len({*self.streams} - {stream})

    def take(self, stream: str, clock: Clock) -> bool:
        """Wait for a stream's turn; False where it has made all of its requests."""
        others = {*self.streams} - {stream} - self.ended
        if self.spent.total() + sum(max(self.kept - self.spent[one], 0) for one in others) >= self.most:
            return False
        for most, seconds in LIMITS:
            if len(self._last) >= most:
                wait = seconds - (clock.now() - self._last[-most]).total_seconds()
                if wait > 0:
                    clock.sleep(wait)
        self._last.append(clock.now())
        self.spent[stream] += 1
        return True


class TooManyLeads(Exception):
    """One reading of some days' leads takes more than its part of what a run may ask: read fewer days at once."""


class Api:
    """One agency's access, for one stream. Configuration and credentials are read when it is made."""

    def __init__(self, account: Account, clock: Clock, pace: Pace, stream: str) -> None:
        self.settings = Settings(account)
        self.source, self.clock, self.pace, self.stream = self.settings.source, clock, pace, stream
        self.base_url = self.settings.base_url(HOST)
        self.session = PatientSession(self.source, clock, slow_down=self._slow_down)
        self.session.headers.update({"Token": self.settings.need("token"), "Content-Type": "application/json"})

    # Leads

    def leads(self, first: date, last: date) -> list[Item]:
        """The leads of some days, both included, and those of the days beside them that the vendor adds.

        Raises `TooManyLeads` where they are several days, and too many to be read at once.
        """
        most = MOST_PAGES if first == last else max(self.pace.share(self.stream) // MOST_READINGS, 2)
        before: list[bytes] | None = None
        for _ in range(MOST_READINGS):
            found: list[Item] = []
            for number, page in enumerate(self._pages(first - DAY, last + DAY), start=1):
                if number > most:
                    raise TooManyLeads
                found += page
            if (said := _said(found)) == before:
                return found
            before = said
        raise self._error(
            f"the leads of {first} to {last} were others each of {MOST_READINGS} times that they were read"
        )

    def _pages(self, start: date, end: date) -> Iterator[list[Item]]:
        """One reading of all pages. The first one is asked for without a number; the second one is 1 or 2."""
        page = self._leads_page(start, end, None)
        yield page
        number, before = 1, page
        while len(page) == PAGE_SIZE:
            page = self._leads_page(start, end, number)
            if number == 1 and _said(page) == _said(before):  # pages count from 1
                number += 1
                page = self._leads_page(start, end, number)
            if page and _said(page) == _said(before):
                raise self._error("a page of leads is one that came before")
            if number > MOST_PAGES:
                raise self._error(f"the leads of {start} to {end} have no end")
            yield page
            number, before = number + 1, page

    def _leads_page(self, start: date, end: date, number: int | None) -> list[Item]:
        page = self._leads_answer(start, end, number)
        if not page and number is not None and self._leads_answer(start, end, number):
            raise self._error("a page of leads is empty, and then it is not")
        return page

    def _leads_answer(self, start: date, end: date, number: int | None) -> list[Item]:
        asked = f"leads&dateStart={start}&dateEnd={end}" + ("" if number is None else f"&page={number}")
        content = _unwrapped(self._answer(asked))
        if content is _NOT_THERE:
            return []
        page = content.get("leads") if isinstance(content, dict) else None
        if not isinstance(page, list) or not all(isinstance(lead, dict) and "date" in lead for lead in page):
            raise self._error("what it answered is no list of leads with their dates")
        if len(page) > PAGE_SIZE:
            raise self._error(f"a page has {len(page)} leads, where Inmovilla documents {PAGE_SIZE} at most")
        if any(_is_beside(lead, start, end) for lead in page):
            raise self._error(f"it gave leads of other days than {start} to {end}, which were asked for")
        return page

    # Properties

    def properties(self) -> list[Item]:
        """All properties and prospects, each with its id (`cod_ofer`) and the time of its last change."""
        found = self._properties()
        if not found and self._properties():
            raise self._error("the list of properties is empty, and then it is not")
        ids = [str(one["cod_ofer"]) for one in found]
        if len(set(ids)) < len(ids):
            raise self._error("the list of properties has some of them twice")
        return found

    def _properties(self) -> list[Item]:
        content = self._answer("listado")
        if content is _NOT_THERE:
            return []
        if not isinstance(content, list) or not all(_is_listed(one) for one in content):
            raise self._error("what it answered is no list of properties with their codes")
        return content

    def property(self, code: int) -> Item | None:
        """The details of a property; None where Inmovilla says that there is none."""
        content = self._answer(f"cod_ofer={code}")
        if content is _NOT_THERE:
            return None
        if not isinstance(content, dict) or str(content.get("cod_ofer")) != str(code):
            raise self._error("what it answered is not the property that was asked for")
        return content

    def portals(self, code: int) -> Item | None:
        """Where a property is sent to: portal -> how that went. None where Inmovilla says that there is no property."""
        content = _unwrapped(self._answer(f"extrainfo&cod_ofer={code}"))
        if content is _NOT_THERE:
            return None
        told = content.get("publishinfo") if isinstance(content, dict) else None
        if told == []:  # PHP's way of writing an object with nothing in it
            return {}
        if not isinstance(told, dict) or not all(isinstance(one, dict) and "state" in one for one in told.values()):
            raise self._error("what it answered does not say where a property is published")
        return told

    # Both

    def _answer(self, asked: str) -> Any:
        """What is said in JSON, or `_NOT_THERE`, in Inmovilla's own words."""
        if not self.pace.take(self.stream, self.clock):
            raise VendorError(
                self.source,
                f"the {self.pace.most} requests that a run may make are made, or kept for its other streams",
                "The next run goes on from here; set the option requests_a_run to more for it to go faster",
            )
        try:
            response = self.session.get(f"{self.base_url}/propiedades/?{asked}")
        except SourceConfigError as refused:
            raise self._token_refused(refused.found) from None
        try:
            content = response.json()
        except ValueError:
            raise self._error(f"it answered HTTP {response.status_code} with what is not JSON") from None
        code = str(content.get("codigo", "")) if isinstance(content, dict) else ""
        if response.status_code == 404 and code.startswith("404"):
            return _NOT_THERE
        if code.startswith(_REFUSED):
            raise self._token_refused(f"it answered HTTP {response.status_code} with its error {code[:6]}")
        if response.status_code >= 400 or (code and not code.startswith("20")):
            found = f"it answered HTTP {response.status_code}"
            found += f" with its error {code[:6]}" if code.isdigit() else ""
            raise RequestRefused(self.source, found, READ_AGAIN)
        return content

    def _token_refused(self, found: str) -> SourceConfigError:
        return SourceConfigError(
            self.source,
            found,
            f"Check {self.settings.name('token')}: Inmovilla's tokens end after three months without use, and a new "
            "one is made under Ajustes > Opciones > Token para API Rest",
        )

    def _slow_down(self, response: requests.Response) -> float | None:
        """Inmovilla says HTTP 408; with another error of its own in it, that is what it means instead."""
        if response.status_code == 429:
            return retry_after_seconds(response, self.clock.now()) or 0.0
        if response.status_code != 408:
            return None
        try:
            code = str(response.json().get("codigo", 408))
        except (ValueError, AttributeError):
            code = "408"
        return SLOW_DOWN_SECONDS if code == "408" else None

    def _error(self, found: str) -> VendorError:
        return VendorError(self.source, f"{self.base_url}/propiedades: {found}", READ_AGAIN)


def _unwrapped(content: Any) -> Any:
    """The object that an answer is; Inmovilla's page shows some of them as the only one of a list."""
    return content[0] if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict) else content


def _said(leads: list[Item]) -> list[bytes]:
    """What some leads say, whatever their order."""
    return sorted(orjson.dumps(lead, option=orjson.OPT_SORT_KEYS) for lead in leads)


def _is_listed(one: Any) -> bool:
    return isinstance(one, dict) and str(one.get("cod_ofer")).isdigit()


def _is_beside(lead: Item, start: date, end: date) -> bool:
    """Whether a lead is of none of the days; one whose date is none, or lies ahead, is strange for itself."""
    at = naive(lead["date"])
    return at is not None and (at.date() < start or end < at.date() < end + 366 * DAY)
