"""Inmovilla: the requests that come in as leads, and the properties that an estate agency takes on and advertises.

Belongs here: what an organisation may say of its account, and which streams it gets. Does not: requests (`api`), what
leads mean (`leads`), what properties mean (`listings`).

Configuration, below `sources.<organisation>.<source>`: `token`, made in Inmovilla under Ajustes > Opciones > Token para
API Rest; it ends where it is not used for three months. `base_url` where the API is elsewhere.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from pydantic import Field, field_validator

from kr_definitions.vocabulary import nearest
from pipelines.inmovilla.api import Pace
from pipelines.inmovilla.leads import leads
from pipelines.inmovilla.listings import listings
from pipelines.inmovilla.publications import publications
from pipelines.source import Account, Options, Stream

__all__ = ["INMOVILLA", "Inmovilla", "InmovillaOptions"]


class InmovillaOptions(Options):
    """What `organisation.yaml` says of an account.

    channels: where leads come from, in Inmovilla's word (`idealista.com`) -> in ours; others stay as they are.
    categories: the number of a kind of property (`key_tipo`) -> our word, markets: that of a town (`key_loca`) -> its
    name, as Inmovilla itself lists them (`/enums/?tipos`, `/enums/?ciudades`); others stay numbers. currency: of
    prices. zone: of Inmovilla's times, which say none. history_days: how far back the first reading goes; what was
    before it is not covered. reread_days: how many of the last days' leads each run reads again, to notice what came
    late or was deleted. portals: whether it is asked where properties are advertised, which takes a request for each
    that was changed within portals_days. requests_a_run: Inmovilla answers five a minute, and asks not to be used for
    loading everything every day; a reading that has made so many goes on in the next run, and half of them are kept for
    the streams alike, so that none has to wait for another one to end. most_removed: the share of
    the properties, or of the last days' leads, that one reading may find deleted.

    A whole one::

        channels: {idealista.com: portal, fotocasa.com: portal, web: web}
        categories: {2799: flat, 399: house, 1199: premises}
        markets: {28079: Madrid, 28065: Getafe}
        currency: EUR
        zone: Europe/Madrid
        history_days: 92
        reread_days: 3
        portals: true
        portals_days: 3
        requests_a_run: 300
        most_removed: 0.5
    """

    channels: dict[str, str] = Field(default_factory=dict)
    categories: dict[int, str] = Field(default_factory=dict)
    markets: dict[int, str] = Field(default_factory=dict)
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")
    zone: str = "Europe/Madrid"
    history_days: int = Field(default=92, ge=1, le=3660)
    reread_days: int = Field(default=3, ge=1, le=31)
    portals: bool = False
    portals_days: int = Field(default=3, ge=1, le=31)
    requests_a_run: int = Field(default=300, ge=20)
    most_removed: float = Field(default=0.5, gt=0, le=1)

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        zones = available_timezones()
        if zone not in zones:
            likely = nearest(zone, sorted(zones))
            do = f"Did you mean {' or '.join(likely)}?" if likely else "Write one such as Europe/Madrid"
            raise ValueError(f"there is no time zone {zone} | {do}")
        return zone


class Inmovilla:
    """The connector."""

    kind = "inmovilla"
    options = InmovillaOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Leads, properties and, where that is declared, portals, which share what may be asked in a run."""
        made = [leads, listings, *([publications] if options.portals else [])]
        pace = Pace(options.requests_a_run, tuple(one.__name__ for one in made))
        return [make(account, options, pace) for make in made]


INMOVILLA = Inmovilla()
