"""The life of the simulated estate agency: one module for each of its parts, on one calendar and one seed."""

from __future__ import annotations

from datetime import date

from pipelines.sandbox.agency import activities, care, crm, office
from pipelines.sandbox.agency.ground import Ground, Kind, Pool
from pipelines.sandbox.company import Company


def life(seed: int, founded: date, last_day: date, zone: str) -> Company:
    """Everything that the agency does from its founding to the end of a day, and what had been begun by then."""
    ground = Ground.of(seed, founded, last_day, zone)
    contacts = crm.first_contacts(ground)
    people = Pool(Kind.CONTACT, [contact.id for contact in contacts if contact.archived_at is None])
    listings = crm.first_listings(ground, people)
    sales = crm.sales(ground, people, listings)
    return Company(
        seed=seed,
        zone=zone,
        founded=founded,
        last_day=last_day,
        contacts=tuple(crm.grown_contacts(ground, contacts, listings, sales)),
        listings=tuple(crm.grown_listings(listings, sales)),
        sales=tuple(sales),
        activities=tuple(activities.activities(ground, people)),
        tickets=tuple(care.tickets(ground, people)),
        invoices=tuple(office.invoices(ground, sales, listings, people)),
        videos=tuple(office.videos(ground)),
        sheet_rows=tuple(office.sheet_rows(ground)),
        subscribers=office.subscribers(ground),
        views=office.views(ground),
    )
