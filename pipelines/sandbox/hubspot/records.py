"""A company's life as records of a CRM: contacts, companies and deals, and what can be seen of all types at an instant.

Belongs here: which property says what, histories, last changes, archives and merges. Does not: HTTP (`app`), filtering
(`searching`), activities (`activities`).

Personal properties are there, as they are in any CRM: a source that asks for them would get them.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.sandbox.company import Change, Changes, Company, Contact, Deal, Listing, Sale, mail_address, value_at
from pipelines.sandbox.hubspot import activities
from pipelines.sandbox.hubspot.shown import (
    CAPTURED,
    CATEGORIES,
    COMPANY,
    LINES,
    LISTINGS_PIPELINE,
    MANDATES,
    SALES_PIPELINE,
    STAGES,
    Merge,
    Shown,
    last_seen,
    mapped,
    owner_id,
    seen,
    shown,
    text_of,
    whose,
)

RESTORABLE = timedelta(days=90)
"""So long after it was archived a record can still be seen in the archive."""


@dataclass
class Shelf:
    """The records of one type, each list in the order of ids."""

    records: dict[int, Shown]
    live: list[int]
    archived: list[int]


def shelf(
    object_type: str, company: Company, present: datetime, merges: Iterable[Merge], company_merges: Iterable[Merge] = ()
) -> Shelf:
    """What can be seen of a type of record at an instant. merges: of contacts; company_merges: of companies."""
    merged = {merge.victim_id: merge for merge in merges if merge.at <= present}
    companies_merged = {merge.victim_id: merge for merge in company_merges if merge.at <= present}
    if object_type == "companies":
        found = {one.id: one for one in _companies(company, present, companies_merged)}
    else:
        found = {one.id: one for one in _BUILDERS[object_type](company, present, merged)}
    of_contact = {
        contact.id: whose(int(contact.says[COMPANY]), companies_merged)
        for contact in company.contacts
        if COMPANY in contact.says
    }
    for one in found.values():
        persons = (one.id,) if object_type == "contacts" else one.contacts
        one.companies = tuple(dict.fromkeys(id_ for person in persons for id_ in of_contact.get(person, ())))
    live, archived = [], []
    for id_ in sorted(found):
        if not found[id_].is_archived(present):
            live.append(id_)
        elif not found[id_].is_archived(present - RESTORABLE):
            archived.append(id_)
    return Shelf({id_: found[id_] for id_ in (*live, *archived)}, live, archived)


def _contacts(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    by_id = {contact.id: contact for contact in company.contacts}
    victims: dict[int, list[Merge]] = {}
    for merge in merged.values():
        victims.setdefault(merge.winner_id, []).append(merge)
    for contact in company.contacts:
        if contact.lifecycle[0].at > present or contact.id in merged:
            continue
        absorbed = victims.get(contact.id, [])
        lifecycle = list(contact.lifecycle)
        for change in (change for merge in absorbed for change in by_id[merge.victim_id].lifecycle):
            insort(lifecycle, change, key=lambda one: one.at)
        yield _contact(contact, tuple(lifecycle), absorbed, last_seen(contact.archived_at, present))


def _contact(contact: Contact, lifecycle: Changes[str], absorbed: list[Merge], present: datetime) -> Shown:
    stages = seen(lifecycle, lifecycle[0].at, present)
    properties = {
        "firstname": f"Nombre{contact.id}",
        "lastname": f"Apellido{contact.id}",
        "email": mail_address(contact.id, contact.says),
        "phone": f"+34 600 {contact.id % 1_000_000:06d}",
        "canal_de_entrada": contact.channel,
        "municipio": contact.market,
        "lifecyclestage": stages[-1].value,
        **contact.says,
    }
    if contact.referrer_id is not None:
        properties["cliente_que_recomienda"] = str(contact.referrer_id)
    if absorbed:
        properties["hs_merged_object_ids"] = ";".join(str(merge.victim_id) for merge in absorbed)
    modified_at = max(stages[-1].at, *(merge.at for merge in absorbed), stages[0].at)
    return shown(
        "contacts", contact.id, stages[0].at, modified_at, contact.archived_at, properties, {"lifecyclestage": stages}
    )


def _companies(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    """The companies that contacts say they work for, known since the first of them is."""
    found: dict[int, list[Contact]] = {}
    for contact in company.contacts:
        if COMPANY in contact.says and contact.lifecycle[0].at <= present:
            found.setdefault(int(contact.says[COMPANY]), []).append(contact)
    for id_, staff in found.items():
        if id_ in merged:
            continue
        created_at = min(contact.lifecycle[0].at for contact in staff)
        domain = mail_address(staff[0].id, staff[0].says).rpartition("@")[2]
        properties = {"name": f"Empresa de Nombre{staff[0].id}", "domain": domain, "phone": "+34 600 123 456"}
        absorbed = [merge for merge in merged.values() if merge.winner_id == id_]
        if absorbed:
            properties["hs_merged_object_ids"] = ";".join(str(merge.victim_id) for merge in absorbed)
        modified_at = max([created_at, *(merge.at for merge in absorbed)])
        yield shown("companies", id_, created_at, modified_at, None, properties)


def _line_items(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    for deal in company.deals:
        for number, name in enumerate(_lines(deal, present)):
            properties = {"name": name, "hs_sku": f"SKU-{name}", "description": "Para Marta"}
            yield shown("line_items", deal.id * 10 + number, deal.stages[0].at, deal.stages[0].at, None, properties)


def _lines(deal: Deal, present: datetime) -> list[str]:
    names = value_at(deal.says.get(LINES, ()), present)
    return [] if names is None else names.split(";")


def _deals(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    markets = {listing.id: listing.market for listing in company.listings}
    for sale in company.sales:
        if sale.stages[0].at <= present:
            yield _sale(sale, markets.get(sale.listing_id), last_seen(sale.archived_at, present), merged)
    for listing in company.listings:
        if listing.entered_at <= present:
            yield _listing(listing, last_seen(listing.archived_at, present), merged)
    for deal in company.deals:
        if deal.stages[0].at <= present:
            yield _business(deal, last_seen(deal.archived_at, present), merged)


def _sale(sale: Sale, market: str | None, present: datetime, merged: Mapping[int, Merge]) -> Shown:
    created_at = sale.stages[0].at
    history = {
        "dealstage": seen(mapped(sale.stages, STAGES.__getitem__), created_at, present),
        "amount": seen(mapped(sale.amount, str), created_at, present),
    }
    properties = {
        "dealname": f"Compra de Nombre{sale.buyer_id} Apellido{sale.buyer_id}",
        "pipeline": SALES_PIPELINE,
        "deal_currency_code": "EUR",
        "hubspot_owner_id": owner_id(sale.agent),
        **({"municipio": market} if market else {}),
    }
    return _deal(sale.id, created_at, sale.archived_at, properties, history, whose(sale.buyer_id, merged))


def _listing(listing: Listing, present: datetime, merged: Mapping[int, Merge]) -> Shown:
    created_at = listing.entered_at
    history = {
        "dealstage": (Change(created_at, CAPTURED),),
        "amount": seen(mapped(listing.price, str), created_at, present),
        "tipo_de_mandato": seen(mapped(listing.mandate, MANDATES.__getitem__), created_at, present),
        "portales": seen(mapped(listing.portals, ";".join), created_at, present),
    }
    properties = {
        "dealname": f"Piso de Nombre{listing.owner_id} Apellido{listing.owner_id}",
        "pipeline": LISTINGS_PIPELINE,
        "deal_currency_code": "EUR",
        "hubspot_owner_id": owner_id(listing.agent),
        "municipio": listing.market,
        "tipo_de_inmueble": CATEGORIES[listing.category],
        "fecha_de_captacion": text_of(listing.captured_at),
    }
    return _deal(listing.id, created_at, listing.archived_at, properties, history, whose(listing.owner_id, merged))


def _business(deal: Deal, present: datetime, merged: Mapping[int, Merge]) -> Shown:
    created_at = deal.stages[0].at
    history = {
        "dealstage": seen(deal.stages, created_at, present),
        "amount": seen(mapped(deal.amount, str), created_at, present),
        **{name: seen(changes, created_at, present) for name, changes in deal.says.items()},
    }
    properties = {
        "dealname": f"Contrato de Nombre{deal.contact_id} Apellido{deal.contact_id}",
        "pipeline": deal.pipeline,
        "deal_currency_code": deal.currency,
        "hubspot_owner_id": owner_id(deal.agent),
    }
    history.pop(LINES, None)
    found = _deal(deal.id, created_at, deal.archived_at, properties, history, whose(deal.contact_id, merged))
    found.line_items = tuple(deal.id * 10 + number for number, _ in enumerate(_lines(deal, present)))
    return found


def _deal(
    id_: int,
    created_at: datetime,
    archived_at: datetime | None,
    properties: dict[str, str],
    history: Mapping[str, Changes[str]],
    contacts: tuple[int, ...],
) -> Shown:
    modified_at = max((change.at for changes in history.values() for change in changes), default=created_at)
    now = {name: changes[-1].value for name, changes in history.items() if changes}
    return shown("deals", id_, created_at, modified_at, archived_at, {**properties, **now}, history, contacts)


_BUILDERS: Mapping[str, Callable[[Company, datetime, Mapping[int, Merge]], Iterator[Shown]]] = {
    "contacts": _contacts,
    "deals": _deals,
    "line_items": _line_items,
    **activities.BUILDERS,
}
