"""How a company has set up its Pipedrive: pipelines, stages, fields with their options, types of activity.

Belongs here: the ids and keys that Pipedrive gives to what people name. Does not: records.

Ids are made of names, so that they stay as they are while the company grows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.sandbox.company import Company, Pipeline
from pipelines.sandbox.hubspot.shown import CATEGORIES, MANDATES

AGENCY = (
    Pipeline("Ventas", "Ventas", ("appointment", "offer", "reservation")),
    Pipeline("Captaciones", "Captaciones", ("captada",)),
)
ENDS = frozenset({"ganado", "perdido", "won", "lost"})
LIFECYCLE = "ciclo_de_vida"
LIFECYCLES = ("lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer")
CHANNELS = ("portal", "web", "phone", "referral", "walk_in", "email")
TYPES = {"cliente_que_recomienda": "people", "portales": "set", "fecha_de_captacion": "varchar"}
"""Types of fields that have no options of which there is one."""
OWN = {
    "deals": {
        "title": "varchar",
        "value": "monetary",
        "status": "status",
        "stage_id": "stage",
        "owner_id": "user",
        "person_id": "people",
        "expected_close_date": "date",
        "lost_reason": "varchar_options",
    },
    "persons": {"name": "varchar", "phone": "phone", "email": "varchar", "owner_id": "user"},
}
SUFFIXES = ("", "_sin_respuesta", "_comunica")


@dataclass(frozen=True)
class Setup:
    """One company's Pipedrive. sales, listings, captured: an agency's pipelines, and the stage of what it took on."""

    company: Company
    sales: str = AGENCY[0].id
    listings: str = AGENCY[1].id
    captured: str = AGENCY[1].stages[0]

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The pipelines; won and lost are no stages of theirs."""
        declared = self.company.crm.pipelines if self.company.crm else AGENCY
        return tuple(
            Pipeline(one.id, one.label, tuple(stage for stage in one.stages if stage not in ENDS)) for one in declared
        )

    @cached_property
    def pipeline_ids(self) -> dict[str, int]:
        """Name of each pipeline -> its id."""
        return {one.id: number for number, one in enumerate(self.pipelines, 1)}

    @cached_property
    def stage_ids(self) -> dict[tuple[str, str], int]:
        """Pipeline and stage -> the stage's id."""
        return {
            (one.id, stage): self.pipeline_ids[one.id] * 100 + number
            for one in self.pipelines
            for number, stage in enumerate(one.stages, 1)
        }

    def first_stage(self, pipeline: str) -> str:
        """Where a deal is that was never in a stage."""
        return next(one.stages[0] for one in self.pipelines if one.id == pipeline)

    def names(self, kind: str) -> tuple[str, ...]:
        """The fields of the company's own that records of a type have."""
        agency = {
            "persons": ("canal_de_entrada", "municipio", "cliente_que_recomienda", LIFECYCLE),
            "deals": ("municipio", "tipo_de_mandato", "portales", "tipo_de_inmueble", "fecha_de_captacion"),
        }
        set_up = self.company.crm.properties if self.company.crm else {}
        own = set_up.get({"persons": "contacts"}.get(kind, kind), ())
        return tuple(dict.fromkeys((*agency.get(kind, ()), *(name for name in own if name != "closedate"))))

    def key(self, name: str) -> str:
        """What Pipedrive calls a field of the company's own: 40 letters and digits."""
        return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()

    def type_of(self, name: str) -> str:
        """A field's type; most have options."""
        return TYPES.get(name, "enum")

    @cached_property
    def options(self) -> dict[tuple[str, str], dict[str, int]]:
        """Type of record and field -> the name of each of its options -> the option's id."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for kind, name, value in self._values():
            if self.type_of(name) in ("enum", "set") and value:
                found.setdefault((kind, name), {})[value] = _option_id(name, value)
        return found

    def _values(self) -> Iterator[tuple[str, str, str]]:
        """Every value that a field of the company's own ever has."""
        yield from (("persons", LIFECYCLE, value) for value in LIFECYCLES)
        yield from (("persons", "canal_de_entrada", value) for value in CHANNELS)
        yield from (("deals", "tipo_de_mandato", value) for value in MANDATES.values())
        yield from (("deals", "tipo_de_inmueble", value) for value in CATEGORIES.values())
        for contact in self.company.contacts:
            says = {"canal_de_entrada": contact.channel, "municipio": contact.market, **contact.says}
            yield from (("persons", name, value) for name, value in says.items())
        for listing in self.company.listings:
            yield "deals", "municipio", listing.market
            yield from (("deals", "portales", portal) for change in listing.portals for portal in change.value)
        for deal in self.company.deals:
            yield from (("deals", name, one.value) for name, changes in deal.says.items() for one in changes)

    def stored(self, kind: str, name: str, value: str) -> str:
        """A value as Pipedrive keeps it: the ids of options, separated by commas."""
        ids = self.options.get((kind, name))
        return ",".join(str(ids[part]) for part in value.split(";") if part) if ids is not None else value

    def answered(self, kind: str, name: str, value: str) -> Any:
        """A value as a list of the second version has it."""
        ids = self.options.get((kind, name), {})
        if self.type_of(name) == "set":
            return [ids[part] for part in value.split(";") if part]
        if self.type_of(name) == "people":
            return int(value)
        return ids.get(value, value)

    @cached_property
    def activity_types(self) -> tuple[str, ...]:
        """The keys of the types of activity; of each that the company names, one for each result of a call."""
        declared = self.company.crm.activity_types if self.company.crm else ("llamada",)
        own = tuple(f"{name}{suffix}" for name in declared for suffix in SUFFIXES)
        return tuple(dict.fromkeys((*own, "visita", "reunion", "task", "email", "deadline")))


def _option_id(name: str, value: str) -> int:
    return int(hashlib.sha256(f"{name}/{value}".encode()).hexdigest()[:8], 16) % 90_000_000 + 1000
