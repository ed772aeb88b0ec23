"""Each simulated vendor as a test reads it: some weeks of a company, in small pages, so that every list has several.

Belongs here: which vendors, and reading them, spoilt or not. Does not: what has to hold of a reading (the tests).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import pytest
from helpdesk_office import Office
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kr_definitions import catalogue
from pipelines.connectors import connector
from pipelines.sandbox.company import Company, TakenBack
from pipelines.sandbox.faults import Fault, Faulty
from pipelines.sandbox.runner import ORGANISATIONS
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Read, Record

TODAY = date(2025, 1, 20)
NOW = datetime.combine(TODAY, time(6), UTC)


@dataclass(frozen=True)
class Vendor:
    """How a vendor is read.

    organisation: whose options and company, which is so many days old; page: items a page; settings: of the stand-in;
    is_paged: whether it has pages that say that there are more, which some faults are of.
    """

    organisation: str
    options: Mapping[str, Any] | None = None
    days: int = 21
    page: int = 10
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_paged: bool = True


SURVEY = {"id": "u6nXL7kd", "rating": {"field": "recomienda", "good_from": 9}, "customer": "cliente", "started": True}

VENDORS = {
    "hubspot": Vendor("inmobiliaria"),
    "salesforce": Vendor("ventas-b2b", settings={"batch": 10}),
    "pipedrive": Vendor("revops", settings={"tokens_a_day": 10**9}),
    "zendesk": Vendor("inmobiliaria", settings={"page_size": 10}),
    "freshdesk": Vendor("inmobiliaria", {"subdomain": "agencia", "first_ticket": None}),
    "jira": Vendor(
        "inmobiliaria",
        {"site": "agencia", "projects": ["SUP"], "solved": ["Resolved"], "closed": ["Closed"]},
        settings={"page_size": 10},
    ),
    "inmovilla": Vendor("inmobiliaria", {"history_days": 61, "portals": True, "requests_a_run": 10_000}, days=60),
    "facebook": Vendor("inmobiliaria", days=60, page=5),
    "instagram": Vendor("inmobiliaria", days=60, page=5),
    "youtube": Vendor("inmobiliaria", days=400, page=1),
    "linkedin": Vendor("inmobiliaria", days=60, page=5),
    "x": Vendor("inmobiliaria", days=400, page=5),
    "stripe": Vendor("revops", days=60, page=5),
    "holded": Vendor("revops", {"categories": ["suscripcion"], "purchases": {}}, page=5),
    "typeform": Vendor("inmobiliaria", {"region": "eu", "forms": {"compra": SURVEY}}, days=400, page=2),
    "wordpress": Vendor("inmobiliaria", days=400, page=2),
    # Sheets have no pages: a large one is read in pieces, of which none says that there are more.
    "google_sheets": Vendor("inmobiliaria", days=400, settings={"columns": 18_278, "rows": 200}, is_paged=False),
}

TAKEN_BACK: tuple[Literal["credit", "refund", "dispute"], ...] = ("credit", "refund", "dispute")

_SIZE = re.compile(rb'\b(limit|per_page|page_size|page%5Bsize%5D|maxResults|max_results|count)(=|": ?)\d+')


def in_small_pages(app: ASGIApp, page: int = 10) -> ASGIApp:
    """A stand-in that is asked for fewer items a page than it was."""
    size = rb"\g<1>\g<2>%d" % page

    async def asked_for_less(scope: Scope, receive: Receive, send: Send) -> None:
        async def less() -> Message:
            message = await receive()
            body = message.get("body", b"")
            return {**message, "body": _SIZE.sub(size, body)} if body else message

        query = _SIZE.sub(size, scope.get("query_string", b""))
        await app({**scope, "query_string": query}, less, send)

    return asked_for_less


@cache
def company(organisation: str, days: int) -> Company:
    """An organisation's company, of which some invoices were taken back."""
    one = ORGANISATIONS[organisation]
    told = one.tell(1, TODAY - timedelta(days=days), TODAY, one.zone)
    invoices, kinds = list(told.invoices), cycle(TAKEN_BACK)
    for number, invoice in enumerate(invoices):
        if number % 5 == 0 and invoice.paid_at is not None:
            back = TakenBack(next(kinds), invoice.paid_at + timedelta(hours=1), 10_00)
            invoices[number] = replace(invoice, taken_back=(back,))
    return replace(told, invoices=tuple(invoices))


def office(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> Office:
    vendor, of_kind = VENDORS[kind], connector(kind)
    options = vendor.options or catalogue.load(vendor.organisation).organisation.sources[kind].options
    stand_in = import_module(f"pipelines.sandbox.{kind}")
    return Office(folder, monkeypatch, of_kind, of_kind.options.model_validate(options), stand_in)


def faulty(of: Office, kind: str, *faults: str) -> Faulty:
    """The vendor with these faults; the numbers of its answers are counted from here."""
    vendor = VENDORS[kind]
    of.clock = SharedClock(of.folder / "clock.json", NOW)
    desk = Desk(company(vendor.organisation, vendor.days), NOW, of.clock)
    app = of.stand_in.app(desk, **vendor.settings)
    return Faulty(in_small_pages(app, vendor.page), [Fault(fault) for fault in faults])


Held = dict[str, Record]


def read(of: Office, app: Faulty, marks: Mapping[str, str | None]) -> tuple[dict[str, str], dict[str, Held], Any]:
    """Read the streams that are named, from a mark or from the beginning: failures, records, and the last marks.

    A failure is also what a reading that ended well tells of in the quarantine: that a metric was not to be had.
    """
    failures, held, last = {}, {}, {}
    for stream, mark in marks.items():
        found = of.read(app, stream, Read(None, NOW, None, of.clock, mark))
        held[stream] = {record.key: record for record in found.records}
        refused = [record.payload["refused"] for record in found.records if record.payload.get("refused")]
        if found.covered is None or refused:
            failures[stream] = str(found.failure or refused)
            last[stream] = found.marks[-1] if found.marks else mark
    return failures, held, last
