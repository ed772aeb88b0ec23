"""What the benchmarks of sources read: one account a source, and the company that its stand-in is served over.

A source is added by a function that returns its `Bench` and a line in `ACCOUNTS`: here for systems in which a company
works, in `published` for what it publishes, in `tables` for tables. Companies are built by the tests' own builders; one
record in ten has a longer life than the others, as most records of a company never change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import published
import tables
from bench import Bench
from starlette.types import ASGIApp

from pipelines.sandbox.stand_in import Desk, SharedClock


def salesforce() -> Bench:
    from salesforce_org import OPTIONS, day, deal, organisation

    from pipelines.salesforce import SALESFORCE
    from pipelines.sandbox.salesforce import CREDENTIALS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        deals = [deal(n, *_course(n, day(6), ("preventa", "propuesta", "ganado"))) for n in range(1, records + 1)]
        return app(Desk(organisation(deals=deals), day(300), clock))

    return Bench(SALESFORCE, OPTIONS, "opportunities", day(300), CREDENTIALS, serve)


def pipedrive() -> Bench:
    """A deal in ten was changed since it was made: the history of each such one is a request."""
    from pipedrive_office import OPTIONS, business, day, deal

    from pipelines.pipedrive import PIPEDRIVE
    from pipelines.sandbox.pipedrive import CREDENTIALS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        deals = [deal(n, *_course(n, day(6), ("contacto", "propuesta", "ganado"))) for n in range(1, records + 1)]
        return app(Desk(business(deals=deals), day(300), clock), tokens_a_day=10**9)

    return Bench(PIPEDRIVE, OPTIONS, "deals", day(300), {**CREDENTIALS, "tokens_a_run": str(10**9)}, serve)


def hubspot() -> Bench:
    from hubspot_agency import OPTIONS, agency, contact, day

    from pipelines.hubspot import HUBSPOT
    from pipelines.sandbox.hubspot import CREDENTIALS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        people = [contact(n, *_course(n, day(6), ("lead", "opportunity", "customer"))) for n in range(1, records + 1)]
        return app(Desk(agency(contacts=people), day(300), clock), most_a_day=10**9)

    return Bench(HUBSPOT, OPTIONS, "contacts", day(300), CREDENTIALS, serve)


def zendesk() -> Bench:
    from helpdesk_office import at

    from pipelines.sandbox.zendesk import CREDENTIALS, app
    from pipelines.zendesk import ZENDESK, ZendeskOptions

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        return app(Desk(_helpdesk(records), at(60), clock))

    return Bench(ZENDESK, ZendeskOptions(subdomain="agencia"), "tickets", at(60), CREDENTIALS, serve)


def freshdesk() -> Bench:
    from helpdesk_office import at

    from pipelines.freshdesk import FRESHDESK, FreshdeskOptions
    from pipelines.sandbox.freshdesk import CREDENTIALS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        return app(Desk(_helpdesk(records), at(60), clock), credits_a_minute=10**9)

    return Bench(FRESHDESK, FreshdeskOptions(subdomain="agencia"), "tickets", at(60), CREDENTIALS, serve)


def jira() -> Bench:
    from helpdesk_office import at

    from pipelines.jira import JIRA, JiraOptions
    from pipelines.sandbox.jira import CREDENTIALS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        return app(Desk(_helpdesk(records), at(60), clock))

    options = JiraOptions(site="agencia", projects=("SUP",), solved=("Resolved",), closed=("Closed",))
    return Bench(JIRA, options, "tickets", at(60), CREDENTIALS, serve)


def holded() -> Bench:
    """Invoices of ten years: five hundred pages, read twice, and one in ten that is asked for by itself."""
    from holded_books import at, company

    from pipelines.holded import HOLDED, HoldedOptions
    from pipelines.sandbox.holded import CREDENTIALS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        most = {"requests_a_minute": 10**9, "requests_a_month": 10**9}
        return app(Desk(company(*_invoices(records)), at(1), clock), **most)

    return Bench(HOLDED, HoldedOptions(), "invoices", at(1), CREDENTIALS, serve)


def holded_purchases() -> Bench:
    """Purchases of ten years: five hundred pages, read twice."""
    from holded_books import at, company, purchase

    from pipelines.holded import HOLDED, HoldedOptions
    from pipelines.holded.options import Purchases
    from pipelines.sandbox.holded import CREDENTIALS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        bought = tuple(purchase(n, f"{n % 28 + 1}/{n % 12 + 1}/{2016 + n % 10}") for n in range(records))
        return app(Desk(company(purchases=bought), at(9), clock), requests_a_minute=10**9, requests_a_month=10**9)

    options = HoldedOptions(sales=False, purchases=Purchases(categories=("nube",)))
    return Bench(HOLDED, options, "purchases", at(9), CREDENTIALS, serve)


def stripe() -> Bench:
    """Invoices of ten years: a thousand pages."""
    from holded_books import at, company

    from pipelines.sandbox.stripe import CREDENTIALS, app
    from pipelines.stripe import STRIPE, StripeOptions

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        return app(Desk(company(*_invoices(records)), at(1), clock))

    return Bench(STRIPE, StripeOptions(), "invoices", at(1), CREDENTIALS, serve)


def stripe_subscriptions() -> Bench:
    """Subscriptions of 500 days, a quarter as many as records: two states and two invoices tell of each.

    One in ten came to cost more, on its twentieth day.
    """
    from holded_books import at, company, invoice

    from pipelines.sandbox.company import Billed, Change, Invoice, Subscription, Terms
    from pipelines.sandbox.stripe import CREDENTIALS, app
    from pipelines.stripe import STRIPE, StripeOptions

    def one(number: int, started: datetime) -> Subscription:
        more = (Change(started + timedelta(days=20), Terms(80_00)),) if number % 10 == 0 else ()
        return Subscription(number, number, "plan", 50_00, started, None, terms=more)

    def billed(of: Subscription) -> Iterator[Invoice]:
        for month in range(2):
            begins, ends = (of.started_at + timedelta(days=30) * n for n in (month, month + 1))
            line = Billed(of.id, of.at(begins).amount_cents, begins, ends)
            said = {"customer_id": of.id, "created_at": begins, "issued_at": begins, "paid_at": begins}
            yield invoice(2 * of.id + month, lines=(line,), **said)

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        many = records // 4
        held = [one(n, at(1) - (many - n) * timedelta(days=500) / many) for n in range(many)]
        issued = (each for of in held for each in billed(of))
        return app(Desk(replace(company(*issued), subscriptions=tuple(held)), at(1), clock))

    return Bench(STRIPE, StripeOptions(), "subscriptions", at(1), CREDENTIALS, serve)


def inmovilla() -> Bench:
    """Leads, a hundred a day; the limits are waited for on a clock that nobody waits on."""
    from hubspot_agency import agency, contact, day

    from pipelines.inmovilla import INMOVILLA, InmovillaOptions
    from pipelines.sandbox.inmovilla import CREDENTIALS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        came = (day(1) - n * timedelta(days=1) / 100 for n in range(records))
        leads = [contact(29 * n + 1, (at, "lead")) for n, at in enumerate(came)]
        return app(Desk(agency(contacts=leads), day(2), clock))

    options = InmovillaOptions(history_days=1100, requests_a_run=10**6)
    return Bench(INMOVILLA, options, "leads", day(2), CREDENTIALS, serve)


ACCOUNTS: dict[str, Callable[[], Bench]] = {
    "google_sheets": tables.google_sheets,
    "salesforce": salesforce,
    "pipedrive": pipedrive,
    "hubspot": hubspot,
    "zendesk": zendesk,
    "freshdesk": freshdesk,
    "jira": jira,
    "holded": holded,
    "purchases": holded_purchases,
    "stripe": stripe,
    "subscriptions": stripe_subscriptions,
    "linkedin": published.linkedin,
    "facebook": published.facebook,
    "instagram": published.instagram,
    "x": published.x,
    "youtube": published.youtube,
    "wordpress": published.wordpress,
    "typeform": published.typeform,
    "inmovilla": inmovilla,
    "sql": tables.sql,
    "files": tables.files,
    "ecb": tables.ecb,
}


def _invoices(records: int) -> Iterator[Any]:
    """Invoices of ten years, one after the other; one in ten was paid."""
    from holded_books import at, invoice

    for number in range(1, records + 1):
        day = at(1, 8, year=2016) + (number - 1) * timedelta(days=3600) / records
        paid = day + timedelta(days=3) if number % 10 == 0 else None
        yield invoice(number, created_at=day, issued_at=day, paid_at=paid)


def _course(number: int, begin: datetime, stages: tuple[str, ...]) -> list[tuple[datetime, str]]:
    """Where a record came to stand; most stay where they began."""
    at = begin + timedelta(minutes=number)
    return [(at + n * timedelta(days=3), one) for n, one in enumerate(stages if number % 10 == 0 else stages[:1])]


def _helpdesk(records: int) -> Any:
    """Requests that come one after the other, seconds apart; one in ten stays open."""
    from helpdesk_office import at, changes, company, ticket

    def one(number: int) -> Any:
        came = at(2) + number * timedelta(days=20) / records
        came = came.replace(microsecond=0)
        replied, solved = came + timedelta(minutes=40), came + timedelta(days=1)
        life = [(came, "new"), (replied, "open"), *([(solved, "solved")] if number % 10 else [])]
        said = {"created_at": came, "first_reply_at": replied, "priority": changes((came, "normal"))}
        return ticket(number, requester_id=1000 + number % 5000, status=changes(*life), **said)

    return company(*(one(number) for number in range(1, records + 1)))
