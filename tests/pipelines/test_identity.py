"""One customer in a CRM, a helpdesk and a billing counts once, until an address is corrected; and can be erased.

The real job, on stand-ins of HubSpot, Zendesk and Stripe that tell of the same few people. Each knows them by an id of
its own, and by an address that it writes in its own way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from agency_home import AgencyHome
from bytes_of import mentions
from pydantic import ValidationError
from typer.testing import CliRunner

from assets.cli import app
from kr_definitions.events import IDENTIFIED, LINKED, current
from pipelines import lake
from pipelines.hubspot import HubSpotOptions
from pipelines.identification import Known, identifiers
from pipelines.sandbox import hubspot, stripe, zendesk
from pipelines.sandbox.company import Activity, Change, Company, Contact, Invoice, Ticket
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.stripe import StripeOptions
from pipelines.zendesk import ZendeskOptions

MARTA, PEPE = 777_000_111_2222, 888_000_333_4444
ADDRESS, OTHER_ADDRESS = "marta.reconocible@empresa.example", "marta.nueva@empresa.example"
HERS_IN_STRIPE = f"cus_{MARTA}"
FIRST = datetime(2026, 3, 10, 6, tzinfo=UTC)

_ORGANISATION = """
id: agencia
title: {es: Agencia, en: Agency}
zone: Europe/Madrid
country: ES-MD
currency: EUR
identity: {by: [email]}
sources:
  crm:
    kind: hubspot
    options: {portal_id: "27182818", currency: EUR, contacts: {identified_by: [email, domain]}}
  soporte: {kind: zendesk, options: {subdomain: agencia, identified_by: [email, external_id]}}
  cobros: {kind: stripe, options: {subscriptions: false, identified_by: [email, {external_id: crm}]}}
"""
_OBJECTIVE = """
objective:
  id: agencia.clientes
  title: {es: Clientes, en: Customers}
  owner: ventas
  period: {year: 2026}
key_results:
  - id: agencia.clientes.atendidos
    title: {es: Atendidos, en: Served}
    type: outcome
    level: team
    owner: ventas
    measure: {distinct: account_id, of: [call.made, ticket.created, invoice.issued]}
    target: {value: 10}
    why: because
"""


def at(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 2, day, hour, tzinfo=UTC)


def changes(*pairs: tuple[datetime, Any]) -> tuple[Change[Any], ...]:
    return tuple(Change(instant, value) for instant, value in pairs)


def company(*corrections: tuple[datetime, str]) -> Company:
    """Both were called, asked for help and were invoiced. corrections: of Marta's address, as systems come to know."""

    def contact(person: int, address: str, *changed: datetime) -> Contact:
        stages = changes((at(1), "lead"), *((at, stage) for at, stage in zip(changed, _STAGES, strict=False)))
        return Contact(person, stages, "web", "Madrid", None, None, {"email": address})

    def call(number: int, person: int) -> Activity:
        outcome = changes((at(2, 10), "connected"))
        return Activity(number, "call", person, "ana", at(2), at(2), outcome, 90, None)

    def ticket(number: int, person: int) -> Ticket:
        return Ticket(
            number, person, at(3), "email", changes((at(3), "normal")), changes((at(3), "new"), (at(4), "solved")),
            at(3, 10), None, (), None,
        )  # fmt: skip

    def invoice(number: int, person: int) -> Invoice:
        return Invoice(
            id=number, customer_id=person, sale_id=None, category="fee", created_at=at(5), issued_at=at(5),
            net_cents=100_00, tax_cents=21_00, paid_at=None, voided_at=None,
        )  # fmt: skip

    none: tuple[Any, ...] = ()
    address = corrections[-1][1] if corrections else ADDRESS
    return Company(
        seed=0, zone="Europe/Madrid", founded=date(2025, 1, 1), last_day=date(2026, 12, 31),
        contacts=(
            contact(MARTA, address, *(instant for instant, _ in corrections)),
            contact(PEPE, "pepe@empresa.example"),
        ),
        listings=none, sales=none, activities=(call(301, MARTA), call(302, PEPE)),
        tickets=(ticket(501, MARTA), ticket(502, PEPE)), invoices=(invoice(701, MARTA), invoice(702, PEPE)),
        videos=none, sheet_rows=none, subscribers={}, views={},
    )  # fmt: skip


_STAGES = ("opportunity", "customer")


@dataclass
class World(AgencyHome):
    """A home, and what was seen of it day by day."""

    values: list[float] = field(default_factory=list)
    links: list[list[tuple[str, str]]] = field(default_factory=list)
    before: dict[str, set[str]] = field(default_factory=dict)
    after: dict[str, set[str]] = field(default_factory=dict)
    causes: list[set[str]] = field(default_factory=list)
    kept: str = ""

    def __post_init__(self) -> None:
        self.declare(organisation=_ORGANISATION, clientes=_OBJECTIVE)

    def run(self, day: int, *corrections: tuple[datetime, str]) -> None:
        """The real job on a day, after these corrections in the CRM; the other systems keep the first address."""
        present = FIRST + timedelta(days=day)
        clock = SharedClock(self.clock, present)
        crm, others = (Desk(company(*told), present, clock) for told in (corrections, ()))
        outcome = self.ran(present, crm=hubspot.app(crm), soporte=zendesk.app(others), cobros=stripe.app(others))
        assert not outcome.failed
        before = self.lake.log.scan()
        linked = current(before).filter(pl.col("event_type") == LINKED).select("subject_id", "same_as").collect()
        self.links.append(sorted((one, other) for one, other in linked.rows()))
        newest = self.history().sort("as_of", "recorded_at").tail(1)
        self.values.append(newest.get_column("value").item())
        restated = self.history().filter(pl.col("recorded_at") == newest.get_column("recorded_at").item())
        self.causes.append({cause for cause in restated.get_column("cause").to_list() if cause})

    def history(self) -> pl.DataFrame:
        return lake.stored(self.home.history("agencia")).collect()

    def pseudonym(self, address: str) -> str:
        return self.home.sources(self.home.catalogue("agencia"))[0].account.pseudonym(address)

    def erase(self, person: str) -> None:
        arguments = ["erase", "-o", "agencia", "--person", person, "--yes"]
        result = CliRunner().invoke(app, arguments, env=dict(os.environ))
        assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A run; one after Marta's address was corrected in the CRM, one after it was put back; and her erasure."""
    corrected, put_back = FIRST + timedelta(hours=9), FIRST + timedelta(days=1, hours=9)
    with pytest.MonkeyPatch.context() as environment:
        world = World(tmp_path_factory.mktemp("identity"), environment)
        world.run(0)
        world.run(1, (corrected, OTHER_ADDRESS))
        world.run(2, (corrected, OTHER_ADDRESS), (put_back, ADDRESS))
        sought = [
            str(MARTA), HERS_IN_STRIPE, ADDRESS, OTHER_ADDRESS, world.pseudonym(ADDRESS), world.pseudonym(OTHER_ADDRESS)
        ]  # fmt: skip
        world.before = mentions(world.root, sought)
        for person in (str(MARTA), HERS_IN_STRIPE):
            world.erase(person)
        world.after = mentions(world.root, sought)
        world.run(3, (corrected, OTHER_ADDRESS), (put_back, ADDRESS))
        world.kept = "".join(sorted(set().union(*mentions(world.root, sought).values())))
        yield world


def linked(person: int, *others: str) -> list[tuple[str, str]]:
    return [(f"crm/{person}", f"{other}{person}") for other in others]


PEPES = linked(PEPE, "cobros/cus_", "soporte/")


def test_one_customer_of_three_systems_counts_once(told: World) -> None:
    assert told.values[0] == 2
    assert told.links[0] == sorted([*linked(MARTA, "cobros/cus_", "soporte/"), *PEPES])


def test_a_corrected_address_undoes_the_link_and_restates_the_past(told: World) -> None:
    assert told.values[1] == 3
    assert told.links[1] == sorted([*PEPES, (f"soporte/{MARTA}", f"cobros/{HERS_IN_STRIPE}")])
    assert "identity" in told.causes[1]
    assert told.values[2] == 2
    assert "identity" in told.causes[2]


def test_an_address_never_reaches_the_disk_and_its_pseudonym_does(told: World) -> None:
    found = set().union(*told.before.values())
    assert {str(MARTA), HERS_IN_STRIPE, told.pseudonym(ADDRESS), told.pseudonym(OTHER_ADDRESS)} == found


def test_her_erasure_takes_the_links_the_pseudonyms_and_all_ids_along(told: World) -> None:
    assert told.after == {}


def test_she_does_not_come_back_and_others_stay_linked(told: World) -> None:
    assert told.kept == ""
    assert told.links[3] == sorted(PEPES)
    assert told.values[3] == 1


def test_each_system_says_by_what_it_knows_its_customers(told: World) -> None:
    log = current(told.lake.log.scan()).filter(pl.col("event_type") == IDENTIFIED).collect()
    said = log.filter(pl.col("account_id").str.contains(str(PEPE))).sort("source", "identified_by")
    pepe = told.pseudonym("pepe@empresa.example")
    assert said.select("source", "identified_by", "identifier", "occurred_at").rows() == [
        ("cobros", "email", pepe, at(5)),
        ("cobros", "external_id", str(PEPE), at(5)),
        ("crm", "domain", "empresa.example", at(1)),
        ("crm", "email", pepe, at(1)),
        ("soporte", "email", pepe, at(3)),
        ("soporte", "external_id", str(PEPE), at(3)),
    ]


# --- what is kept -----------------------------------------------------------------------------------------------------

EVERYTHING = (Known(by="email", field="email"), Known(by="domain", field="domain"), Known(by="erp", field="numero"))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["Ana@Acme.Example "], [("email", "code of ana@acme.example"), ("domain", "acme.example"), ("erp", "7")]),
        (["a@x.example", "A@X.example"], [("email", "code of a@x.example"), ("domain", "x.example"), ("erp", "7")]),
        ([None, "", "no address", "two@signs@x.example"], [("erp", "7")]),
    ],
)
def test_of_addresses_only_pseudonyms_and_domains_are_kept(
    addresses: list[str | None], expected: list[tuple[str, str]]
) -> None:
    found = identifiers(EVERYTHING, "code of {}".format, addresses, {"numero": 7, "email": "ana@acme.example"})
    assert [(one["by"], one["identifier"]) for one in found] == expected


def test_what_identifies_is_given_as_a_list_of_words_or_as_one() -> None:
    given = StripeOptions.model_validate({"identified_by": ["email", {"external_id": "crm"}]}).identified_by
    assert [(one.by, one.field) for one in given] == [("email", "email"), ("external_id", "crm")]
    assert StripeOptions.model_validate({"identified_by": "domain"}).identified_by == (
        Known(by="domain", field="domain"),
    )


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        (HubSpotOptions, {"portal_id": "1", "contacts": {"identified_by": ["phone"]}}, "phone holds personal data"),
        (
            ZendeskOptions,
            {"subdomain": "a", "account": "organization", "identified_by": ["email"]},
            "email is not known",
        ),
        (ZendeskOptions, {"subdomain": "a", "identified_by": ["phone"]}, "phone is not known of a requester"),
    ],
)
def test_what_is_personal_or_unknown_identifies_nobody(options: Any, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        options.model_validate(given)
