"""The life of the simulated estate agency: one module for each of its parts, on one calendar and one seed."""

from __future__ import annotations

from datetime import date

from pipelines.sandbox.agency import (
    activities,
    articles,
    contacts,
    invoices,
    listings,
    networks,
    sales,
    sheet_rows,
    videos,
)
from pipelines.sandbox.agency.office import SEASON
from pipelines.sandbox.company import Company, Sale
from pipelines.sandbox.ground import Ground, Kind, Pool
from pipelines.sandbox.opinions import Bought, opinions
from pipelines.sandbox.tickets import Care, tickets

COUNTRY = "ES-MD"
CARE = Care(a_month=95, season=SEASON, good=0.893)


def life(seed: int, founded: date, last_day: date, zone: str) -> Company:
    """Everything that the agency does from its founding to the end of a day, and what had been begun by then."""
    ground = Ground.of(seed, founded, last_day, zone, COUNTRY)
    first_contacts = contacts.first_contacts(ground)
    people = Pool(Kind.CONTACT, [one.id for one in first_contacts if one.archived_at is None])
    first_listings = listings.first_listings(ground, people)
    made = sales.sales(ground, people, first_listings)
    subscribers = videos.subscribers(ground)
    return Company(
        seed=seed,
        zone=zone,
        founded=founded,
        last_day=last_day,
        contacts=tuple(contacts.grown_contacts(ground, first_contacts, first_listings, made)),
        listings=tuple(listings.grown_listings(first_listings, made)),
        sales=tuple(made),
        activities=tuple(activities.activities(ground, people)),
        tickets=tuple(tickets(ground, people, CARE)),
        invoices=tuple(invoices.invoices(ground, made, first_listings, people)),
        videos=tuple(videos.videos(ground)),
        sheet_rows=tuple(sheet_rows.sheet_rows(ground)),
        subscribers=subscribers,
        views=videos.views(ground),
        posts=tuple(networks.posts(ground)),
        profiles=networks.profiles(ground, subscribers),
        articles=tuple(articles.articles(ground)),
        opinions=tuple(opinions(ground, _bought(made), good=0.91, answered=0.6)),
    )


def _bought(made: list[Sale]) -> list[Bought]:
    """Who bought, and when it was sure: of a sale that was marked as won too early, the later time."""
    wins = [(one, one.stages[-1]) for one in made if one.archived_at is None and one.stages[-1].value == "won"]
    return [(one.id, one.buyer_id, won.at) for one, won in wins]
