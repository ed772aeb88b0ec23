"""Builders for tests of the HubSpot source: a small agency, HubSpot served over it, and loads into a lake."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import yaml
from crm_office import CrmOffice, Exchange, Loaded, Reading, Tampering
from shop import code
from starlette.types import ASGIApp

from pipelines.hubspot import HUBSPOT, HubSpotOptions
from pipelines.sandbox.company import Activity, Change, Company, Contact, Listing, Sale
from pipelines.sandbox.hubspot import CREDENTIALS, app
from pipelines.source import Account, Read

__all__ = ["Exchange", "Loaded", "Office", "Reading", "Tampering"]

ACCOUNT = Account("inmobiliaria", "hubspot", "Europe/Madrid", code)
PREFIX = "SOURCES__INMOBILIARIA__HUBSPOT__"
OPTIONS = HubSpotOptions.model_validate(
    yaml.safe_load(HubSpotOptions.__doc__.split("writes::", 1)[1])  # type: ignore[union-attr]
)


def day(number: int, hour: int = 9, minute: int = 0, second: int = 0) -> datetime:
    """An instant: day 1 is 1 January 2026 (UTC)."""
    return datetime(2026, 1, 1, hour, minute, second, tzinfo=UTC) + timedelta(days=number - 1)


def changes(*pairs: tuple[datetime, Any]) -> tuple[Change[Any], ...]:
    return tuple(Change(at, value) for at, value in pairs)


def contact(id_: int, *lifecycle: tuple[datetime, str], **more: Any) -> Contact:
    given = {"channel": "web", "market": "Madrid", "referrer_id": None, "archived_at": None, **more}
    return Contact(id_, changes(*(lifecycle or ((day(1), "lead"),))), **given)


def sale(id_: int, *stages: tuple[datetime, str], **more: Any) -> Sale:
    amount = changes((stages[0][0], Decimal(5000)))
    given = {"buyer_id": 1, "listing_id": 0, "agent": "ana", "amount": amount, "archived_at": None, **more}
    return Sale(id=id_, stages=changes(*stages), **given)


def listing(id_: int, captured_at: datetime, entered_at: datetime, **more: Any) -> Listing:
    given = {
        "owner_id": 1,
        "agent": "ana",
        "mandate": changes((entered_at, "open")),
        "price": changes((entered_at, Decimal(200_000))),
        "portals": (),
        "market": "Getafe",
        "category": "flat",
        "archived_at": None,
        **more,
    }
    return Listing(id=id_, captured_at=captured_at, entered_at=entered_at, **given)


def activity(id_: int, kind: str, starts_at: datetime, outcome: str | None, **more: Any) -> Activity:
    entered_at = more.pop("entered_at", starts_at)
    outcomes = changes((max(entered_at, starts_at + timedelta(hours=1)), outcome)) if outcome else ()
    given = {"contact_id": 1, "agent": "ana", "seconds": 90, "archived_at": None, **more}
    return Activity(id=id_, kind=kind, starts_at=starts_at, entered_at=entered_at, outcome=outcomes, **given)


def agency(**lists: Any) -> Company:
    empty: dict[str, Any] = dict.fromkeys(
        ("contacts", "listings", "sales", "activities", "tickets", "invoices", "videos", "sheet_rows"), ()
    )
    return Company(
        seed=1,
        zone="Europe/Madrid",
        founded=date(2026, 1, 1),
        last_day=date(2026, 12, 31),
        subscribers={},
        views={},
        **{**empty, **{name: tuple(sorted(things, key=lambda one: one.id)) for name, things in lists.items()}},
    )


class Office(CrmOffice):
    """Where HubSpot's tests work."""

    connector: ClassVar = HUBSPOT
    account: ClassVar = ACCOUNT
    options: ClassVar = OPTIONS
    credentials: ClassVar = CREDENTIALS
    began: ClassVar = day(1)

    def read(
        self,
        application: ASGIApp,
        stream: str,
        at: datetime,
        since: datetime | None = None,
        options: HubSpotOptions = OPTIONS,
        mark: str | None = None,
    ) -> Reading:
        """Fetches one stream of the account as it is served, into no lake.

        since: as if an empty account had been read completely before. mark: as if it had been interrupted there.
        """
        before = None if since is None else self.read(app(self.desk(agency(), at)), stream, at, options=options).covered
        read = Read(since, at, before and before.cursor, self.clock, mark)
        return self.fetched(application, stream, read, options)
