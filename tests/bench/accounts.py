"""What the benchmarks of sources read: one account a source, and the company that its stand-in is served over.

A source is added by a function that returns its `Bench` and a line in `ACCOUNTS`. Companies are built by the tests' own
builders; one record in ten has a longer life than the others, as most records of a company never change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Connector, Options, Stream


def _nothing(folder: Path) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Bench:
    """One account as it is read.

    app: the stand-in over so many records, or None where rows of a table are read: then `make` makes it and `rows`
    fetches the rows and nothing else. open: settings that depend on the folder. settings: the account's others.
    """

    connector: Connector
    options: Options
    of: str
    now: datetime
    settings: Mapping[str, str] = field(default_factory=dict)
    app: Callable[[int, SharedClock], ASGIApp] | None = None
    make: Callable[[int, Path], None] = lambda records, folder: None
    rows: Callable[[Path], int] = lambda folder: 0
    open: Callable[[Path], Mapping[str, str]] = _nothing

    @property
    def kind(self) -> str:
        return self.connector.kind

    @property
    def account(self) -> Account:
        return Account("bench", self.kind, "Europe/Madrid")

    def stream(self) -> Stream:
        """The stream that is read."""
        return next(one for one in self.connector.streams(self.account, self.options) if one.name == self.of)


def salesforce() -> Bench:
    from salesforce_org import OPTIONS, day, deal, organisation  # noqa: PLC0415

    from pipelines.salesforce import SALESFORCE  # noqa: PLC0415
    from pipelines.sandbox.salesforce import CREDENTIALS, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        deals = [deal(n, *_course(n, day(6), ("preventa", "propuesta", "ganado"))) for n in range(1, records + 1)]
        return app(Desk(organisation(deals=deals), day(300), clock))

    return Bench(SALESFORCE, OPTIONS, "opportunities", day(300), CREDENTIALS, serve)


def pipedrive() -> Bench:
    """A deal in ten was changed since it was made: the history of each such one is a request."""
    from pipedrive_office import OPTIONS, business, day, deal  # noqa: PLC0415

    from pipelines.pipedrive import PIPEDRIVE  # noqa: PLC0415
    from pipelines.sandbox.pipedrive import CREDENTIALS, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        deals = [deal(n, *_course(n, day(6), ("contacto", "propuesta", "ganado"))) for n in range(1, records + 1)]
        return app(Desk(business(deals=deals), day(300), clock), tokens_a_day=10**9)

    return Bench(PIPEDRIVE, OPTIONS, "deals", day(300), {**CREDENTIALS, "tokens_a_run": str(10**9)}, serve)


def hubspot() -> Bench:
    from hubspot_agency import OPTIONS, agency, contact, day  # noqa: PLC0415

    from pipelines.hubspot import HUBSPOT  # noqa: PLC0415
    from pipelines.sandbox.hubspot import CREDENTIALS, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        people = [contact(n, *_course(n, day(6), ("lead", "opportunity", "customer"))) for n in range(1, records + 1)]
        return app(Desk(agency(contacts=people), day(300), clock), most_a_day=10**9)

    return Bench(HUBSPOT, OPTIONS, "contacts", day(300), CREDENTIALS, serve)


def zendesk() -> Bench:
    from helpdesk_office import at  # noqa: PLC0415

    from pipelines.sandbox.zendesk import CREDENTIALS, app  # noqa: PLC0415
    from pipelines.zendesk import ZENDESK, ZendeskOptions  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        return app(Desk(_helpdesk(records), at(60), clock))

    return Bench(ZENDESK, ZendeskOptions(subdomain="agencia"), "tickets", at(60), CREDENTIALS, serve)


def freshdesk() -> Bench:
    from helpdesk_office import at  # noqa: PLC0415

    from pipelines.freshdesk import FRESHDESK, FreshdeskOptions  # noqa: PLC0415
    from pipelines.sandbox.freshdesk import CREDENTIALS, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        return app(Desk(_helpdesk(records), at(60), clock), credits_a_minute=10**9)

    return Bench(FRESHDESK, FreshdeskOptions(subdomain="agencia"), "tickets", at(60), CREDENTIALS, serve)


def jira() -> Bench:
    from helpdesk_office import at  # noqa: PLC0415

    from pipelines.jira import JIRA, JiraOptions  # noqa: PLC0415
    from pipelines.sandbox.jira import CREDENTIALS, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        return app(Desk(_helpdesk(records), at(60), clock))

    options = JiraOptions(site="agencia", projects=("SUP",), solved=("Resolved",), closed=("Closed",))
    return Bench(JIRA, options, "tickets", at(60), CREDENTIALS, serve)


def holded() -> Bench:
    """Invoices of ten years: five hundred pages, read twice, and one in ten that is asked for by itself."""
    from holded_books import at, company, invoice  # noqa: PLC0415

    from pipelines.holded import HOLDED, HoldedOptions  # noqa: PLC0415
    from pipelines.sandbox.holded import CREDENTIALS, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        days = [at(1, 8, year=2016) + number * timedelta(days=3600) / records for number in range(records)]
        issued = [
            invoice(
                number, created_at=day, issued_at=day, paid_at=day + timedelta(days=3) if number % 10 == 0 else None
            )
            for number, day in enumerate(days, start=1)
        ]
        return app(Desk(company(*issued), at(1), clock), requests_a_minute=10**9, requests_a_month=10**9)

    return Bench(HOLDED, HoldedOptions(), "invoices", at(1), CREDENTIALS, serve)


def facebook() -> Bench:
    """Posts, one an hour: eleven years of a busy page."""
    from helpdesk_office import at  # noqa: PLC0415
    from meta_company import on, post  # noqa: PLC0415

    from pipelines.facebook import FACEBOOK, FacebookOptions  # noqa: PLC0415
    from pipelines.sandbox.facebook import CREDENTIALS, PAGE, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        posts = [post(n, at(60) - timedelta(hours=n), "facebook") for n in range(1, records + 1)]
        return app(Desk(on("facebook", *posts), at(60), clock))

    return Bench(FACEBOOK, FacebookOptions(page=PAGE), "posts", at(60), CREDENTIALS, serve)


def inmovilla() -> Bench:
    """Leads, a hundred a day; the limits are waited for on a clock that nobody waits on."""
    from hubspot_agency import agency, contact, day  # noqa: PLC0415

    from pipelines.inmovilla import INMOVILLA, InmovillaOptions  # noqa: PLC0415
    from pipelines.sandbox.inmovilla import CREDENTIALS, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        came = (day(1) - n * timedelta(days=1) / 100 for n in range(records))
        leads = [contact(29 * n + 1, (at, "lead")) for n, at in enumerate(came)]
        return app(Desk(agency(contacts=leads), day(2), clock))

    options = InmovillaOptions(history_days=1100, requests_a_run=10**6)
    return Bench(INMOVILLA, options, "leads", day(2), CREDENTIALS, serve)


def sql() -> Bench:
    """Rows of a table that says what is so now, as a warehouse has them."""
    from warehouse import NOW  # noqa: PLC0415

    from pipelines.sql import SQL, SqlOptions  # noqa: PLC0415

    won = {"type": "deal.won", "when": "stage = 'won'", "at": "closed_at", "subject": "id"}
    deals = {
        "table": "deal", "delivery": "changes", "cursor": "updated_at", "key": "id", "zone": "UTC",
        "columns": {"amount": "number"}, "events": [{**won, "amount": "amount", "currency": "'EUR'"}],
    }  # fmt: skip

    def make(records: int, folder: Path) -> None:
        with closing(sqlite3.connect(folder / "crm.db")) as table:
            table.execute(
                "CREATE TABLE deal (id INTEGER PRIMARY KEY, stage TEXT, amount NUMERIC(10, 2), closed_at DATETIME, "
                "updated_at DATETIME, note TEXT)"
            )
            closed = (f"{NOW - timedelta(days=60) + timedelta(seconds=n):%Y-%m-%d %H:%M:%S}" for n in range(records))
            rows = ((n, "won" if n % 3 == 0 else "open", n * 1.5, at, at, "x" * 200) for n, at in enumerate(closed))
            table.executemany("INSERT INTO deal VALUES (?, ?, ?, ?, ?, ?)", rows)
            table.commit()

    def rows(folder: Path) -> int:
        with closing(sqlite3.connect(folder / "crm.db")) as table:
            asked = table.execute("SELECT id, stage, amount, closed_at, updated_at FROM deal ORDER BY updated_at, id")
            return sum(1 for _ in asked)

    def credentials(folder: Path) -> Mapping[str, str]:
        return {"credentials": f"sqlite:///{folder / 'crm.db'}"}

    options = SqlOptions.model_validate({"streams": {"deals": deals}})
    return Bench(SQL, options, "deals", NOW, make=make, rows=rows, open=credentials)


def google_sheets() -> Bench:
    """Rows of a sheet that is as wide as a new one."""
    from helpdesk_office import at, company  # noqa: PLC0415

    from pipelines.google_sheets import GOOGLE_SHEETS, SheetsOptions  # noqa: PLC0415
    from pipelines.sandbox.google_sheets import CREDENTIALS, SPREADSHEET, app  # noqa: PLC0415

    rule = {"type": "flyers.distributed", "at": "fecha", "subject": "id", "quantity": "folletos"}
    stream = {"sheet": "Buzoneo", "key": "id", "columns": {"folletos": "number"}, "events": [rule]}
    options = SheetsOptions.model_validate({"spreadsheet": SPREADSHEET, "streams": {"buzoneo": stream}})

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        rows = [[f"F{n}", 45_000 + n % 1_000, n % 300] for n in range(records)]
        return app(Desk(company(), at(10), clock), tabs={"Buzoneo": [["id", "fecha", "folletos"], *rows]})

    return Bench(GOOGLE_SHEETS, options, "buzoneo", at(10), CREDENTIALS, serve)


def linkedin() -> Bench:
    """Posts of years; LinkedIn's quota would take days for so many."""
    from social import at, company, post  # noqa: PLC0415

    from pipelines.linkedin import LINKEDIN, LinkedInOptions  # noqa: PLC0415
    from pipelines.sandbox.linkedin import CREDENTIALS, ORGANIZATION, app  # noqa: PLC0415

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        half_an_hour = timedelta(minutes=30)
        posts = (post(5 * n + 1, at(1) - n * half_an_hour, network="linkedin", kind="image") for n in range(records))
        return app(Desk(company(*posts), at(2), clock), 10**9)

    return Bench(LINKEDIN, LinkedInOptions(organization=ORGANIZATION), "posts", at(2), CREDENTIALS, serve)


ACCOUNTS: dict[str, Callable[[], Bench]] = {
    "google_sheets": google_sheets,
    "salesforce": salesforce,
    "pipedrive": pipedrive,
    "hubspot": hubspot,
    "zendesk": zendesk,
    "freshdesk": freshdesk,
    "jira": jira,
    "holded": holded,
    "linkedin": linkedin,
    "inmovilla": inmovilla,
    "facebook": facebook,
    "sql": sql,
}


def _course(number: int, begin: datetime, stages: tuple[str, ...]) -> list[tuple[datetime, str]]:
    """Where a record came to stand; most stay where they began."""
    at = begin + timedelta(minutes=number)
    return [(at + n * timedelta(days=3), one) for n, one in enumerate(stages if number % 10 == 0 else stages[:1])]


def _helpdesk(records: int) -> Any:
    """Requests that come one after the other, seconds apart; one in ten stays open."""
    from helpdesk_office import at, changes, company, ticket  # noqa: PLC0415

    def one(number: int) -> Any:
        came = at(2) + number * timedelta(days=20) / records
        came = came.replace(microsecond=0)
        replied, solved = came + timedelta(minutes=40), came + timedelta(days=1)
        life = [(came, "new"), (replied, "open"), *([(solved, "solved")] if number % 10 else [])]
        said = {"created_at": came, "first_reply_at": replied, "priority": changes((came, "normal"))}
        return ticket(number, requester_id=1000 + number % 5000, status=changes(*life), **said)

    return company(*(one(number) for number in range(1, records + 1)))
