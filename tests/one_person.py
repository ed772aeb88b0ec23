"""A company in which one person can be told from all others wherever they stand, read by the real job.

Belongs here: the company, its vendors, its declarations, and runs of the job and of `hito` on it. Does not: looking for
the person (`bytes_of`), or judging what is found.

Lucía is a contact of the CRM (under two ids, since one was merged into the other), a requester of the help desk, a
customer of the billing and somebody in two sheets; of one of them only her name is known, as a pseudonym. Quique is
somebody else, who has as much; Ximena is a contact whom Lucía recommended. All of the agents' names stand in sheets.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from agency_home import AgencyHome
from typer.testing import CliRunner

from assets.cli import app
from assets.run import Outcome
from pipelines.sandbox import hubspot, stripe, zendesk
from pipelines.sandbox.company import Activity, Change, Company, Contact, Invoice, Sale, Ticket
from pipelines.sandbox.hubspot.shown import Merge, owner_id
from pipelines.sandbox.stand_in import Desk, SharedClock

LUCIA, LUCIA_BEFORE, QUIQUE, XIMENA = 777_000_123_4567, 777_000_765_4321, 888_000_222_2222, 888_000_333_3333
NAME, HER_CUSTOMER_ID = "Lucía Reconocible Única", f"cus_{LUCIA}"
ANA, LUIS = "Ana Inconfundible", "Luis Inconfundible"
ANAS_ID = owner_id(ANA)

HERS = {
    "contacts": (str(LUCIA), str(LUCIA_BEFORE)),
    "deals": ("666000101", "666000102"),
    "calls": ("666000301",),
    "meetings": ("666000401",),
    "tickets": ("666000501", "666000502", "666000503"),
    "invoices": ("in_666000701", "in_666000702"),
    "charges": ("ch_666000701",),
    "visitas": ("V-666000801", "V-666000802"),
    "demos": ("D-666000901",),
}
"""Her records, by stream, as their vendors call them."""

FIRST = datetime(2026, 3, 10, 6, tzinfo=UTC)

_ORGANISATION = """
id: agencia
title: {es: Agencia, en: Agency}
zone: Europe/Madrid
country: ES-MD
currency: EUR
sources:
  crm:
    kind: hubspot
    options:
      portal_id: "27182818"
      currency: EUR
      contacts: {referrer: cliente_que_recomienda, channel: canal_de_entrada}
      sales: [{pipeline: default, won: [closedwon], lost: [closedlost]}]
  soporte: {kind: zendesk, options: {subdomain: agencia}}
  cobros: {kind: stripe, options: {subscriptions: false}}
  hojas:
    kind: files
    options:
      streams:
        visitas:
          path: visitas.jsonl
          format: jsonl
          delivery: snapshot
          most_removed: 1
          key: id
          events:
            - {type: visit.held, at: cuando, subject: id, account: '"cliente.id"', actor: agente}
        demos:
          path: demos.jsonl
          format: jsonl
          delivery: snapshot
          most_removed: 1
          key: id
          personal: quien
          events:
            - {type: demo.attended, at: cuando, subject: id, account: quien}
"""

_OBJECTIVE = """
objective:
  id: agencia.ventas
  title: {es: Ventas, en: Sales}
  owner: ventas
  period: {year: 2026}
key_results:
"""
_KEY_RESULTS = {
    "operaciones": "measure: {count: deal.won}",
    "importe": "measure: {sum: amount, of: deal.won}",
    "llamados": "measure: {distinct: account_id, of: call.made}",
    "visitas": "measure: {count: visit.held}\n    each: {dimension: actor, seen_in: visit.held}",
    "demos": "measure: {count: demo.attended}",
    "referidos": "measure: {count: referral.received}",
    "resueltos": "measure: {count: ticket.solved}",
    "facturado": "measure: {sum: amount, of: invoice.issued}",
    "satisfechos": "measure: {count: survey.answered}",
}


def at(day: int, hour: int = 9, month: int = 2, year: int = 2026) -> datetime:
    """An hour of a day, of February 2026 if nothing else is said."""
    return datetime(year, month, day, hour, tzinfo=UTC)


def changes(*pairs: tuple[datetime, Any]) -> tuple[Change[Any], ...]:
    return tuple(Change(instant, value) for instant, value in pairs)


def _contact(id_: int, day: int, referrer: int | None = None) -> Contact:
    return Contact(id_, changes((at(day), "lead"), (at(day + 9), "customer")), "web", "Madrid", referrer, None)


def _sale(id_: int, buyer: int, day: int, *corrected: tuple[datetime, Decimal]) -> Sale:
    stages = changes((at(day), "appointment"), (at(day + 2), "offer"), (at(day + 5), "won"))
    amount = changes((at(day), Decimal(5000)), *corrected)
    return Sale(id_, buyer, 0, ANA, stages, amount, None)


def _activity(id_: int, kind: str, contact: int, day: int, archived_at: datetime | None = None) -> Activity:
    outcome = changes((at(day, 10), "connected" if kind == "call" else "completed"))
    return Activity(id_, kind, contact, ANA, at(day), at(day), outcome, 90, archived_at)


def _ticket(id_: int, requester: int, created_at: datetime, *, asked: bool = False) -> Ticket:
    later = created_at + timedelta(hours=30)
    status = changes((created_at, "new"), (created_at + timedelta(hours=1), "open"), (later, "solved"))
    rating = changes((later + timedelta(hours=5), "good")) if asked else ()
    return Ticket(
        id_, requester, created_at, "phone", changes((created_at, "normal")), status,
        created_at + timedelta(hours=1), later if asked else None, rating, None,
    )  # fmt: skip


def _invoice(id_: int, customer: int, day: int, *, is_paid: bool = False) -> Invoice:
    return Invoice(
        id=id_, customer_id=customer, sale_id=None, category="fee", created_at=at(day, 8), issued_at=at(day),
        net_cents=100_00, tax_cents=21_00, paid_at=at(day + 1) if is_paid else None, voided_at=None,
    )  # fmt: skip


def _company() -> Company:
    """What the vendors know. On 10 March, at noon, a fee of hers is corrected and a call of hers is archived."""
    noon = at(10, 12, month=3)
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone="Europe/Madrid", founded=date(2025, 1, 1), last_day=date(2026, 12, 31),
        contacts=(_contact(LUCIA, 1), _contact(LUCIA_BEFORE, 2), _contact(QUIQUE, 3), _contact(XIMENA, 4, LUCIA)),
        listings=none,
        sales=(
            _sale(666_000_101, LUCIA, 5, (noon, Decimal(6000))),
            _sale(666_000_102, LUCIA_BEFORE, 6),
            _sale(999_000_101, QUIQUE, 7, (noon, Decimal(7000))),
        ),
        activities=(
            _activity(666_000_301, "call", LUCIA, 8, noon), _activity(666_000_401, "meeting", LUCIA, 9),
            _activity(999_000_301, "call", QUIQUE, 8, noon), _activity(999_000_401, "meeting", QUIQUE, 9),
        ),
        tickets=(
            _ticket(666_000_501, LUCIA, at(3, month=6, year=2025), asked=True),
            _ticket(666_000_502, LUCIA, at(3), asked=True),
            _ticket(666_000_503, LUCIA, at(10, 20, month=3)),
            _ticket(999_000_501, QUIQUE, at(3, month=6, year=2025), asked=True),
            _ticket(999_000_502, QUIQUE, at(3), asked=True),
        ),
        invoices=(
            _invoice(666_000_701, LUCIA, 11, is_paid=True), _invoice(666_000_702, LUCIA, 13),
            _invoice(999_000_701, QUIQUE, 12, is_paid=True),
        ),
        videos=none, sheet_rows=none, subscribers={}, views={},
    )  # fmt: skip


def _visits() -> list[dict[str, Any]]:
    def visit(id_: str, when: str, client: int, agent: str) -> dict[str, Any]:
        who = {"id": str(client), "nombre": NAME if client == LUCIA else "Otra Persona"}
        return {"id": id_, "cuando": when, "cliente": who, "agente": agent}

    return [
        visit("V-666000801", "2026-02-10T10:00:00Z", LUCIA, ANA),
        visit("V-666000802", "yesterday", LUCIA, ANA),  # nobody can tell when: set aside
        visit("V-999000801", "2026-02-11T10:00:00Z", QUIQUE, ANA),
        visit("V-999000802", "2026-02-12T10:00:00Z", QUIQUE, LUIS),
    ]


def _demos() -> list[dict[str, str]]:
    return [
        {"id": "D-666000901", "cuando": "2026-02-14T10:00:00Z", "quien": NAME},
        {"id": "D-999000901", "cuando": "2026-02-15T10:00:00Z", "quien": "Otra Persona"},
    ]


@dataclass
class World(AgencyHome):
    """The company's home and, outside of it, its vendors. day: how many runs there have been."""

    day: int = field(default=0)

    def __post_init__(self) -> None:
        self.declare(organisation=_ORGANISATION, ventas=_declared())
        self.temporary.mkdir()
        for name, rows in (("visitas", _visits()), ("demos", _demos())):
            lines = [json.dumps(row, ensure_ascii=False) for row in rows]
            (self.outside / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        self.configure("hojas", folder=str(self.outside))
        self.environment.setenv("COLUMNS", "200")
        self.environment.setenv("TMPDIR", str(self.temporary))

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    @property
    def present(self) -> datetime:
        """The morning of the last run."""
        return FIRST + timedelta(days=max(self.day, 1) - 1)

    def run(self) -> Outcome:
        """The real job, a day later than the last time."""
        self.day += 1
        desk = Desk(_company(), self.present, SharedClock(self.clock, self.present))
        merges = [Merge(LUCIA, LUCIA_BEFORE, at(10, 11, month=3))]
        vendors = {"soporte": zendesk.app(desk), "cobros": stripe.app(desk)}
        return self.ran(self.present, crm=hubspot.app(desk, merges), **vendors)

    def hito(self, *arguments: str, says: str | None = None) -> tuple[int, str]:
        """A command of `hito` at an hour after the last run; exit code, and what it says."""
        self.environment.setenv("HITO_NOW", (self.present + timedelta(hours=4)).isoformat())
        result = CliRunner().invoke(app, list(arguments), input=says, env=dict(os.environ))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result.exit_code, result.output

    def check_in(self, who: str) -> None:
        """Somebody says something of a key result; the next run takes it."""
        words = ("--confidence", "0.5", "--by", who)
        code, output = self.hito("check-in", "agencia.ventas.operaciones", *words)
        assert code == 0, output

    def events(self) -> pl.DataFrame:
        return self.lake.log.scan().collect()


def _declared() -> str:
    said = [
        f"""  - id: agencia.ventas.{name}
    title: {{es: {name}, en: {name}}}
    type: outcome
    level: team
    owner: ventas
    {measure}
    target: {{value: 10}}
    why: because
"""
        for name, measure in _KEY_RESULTS.items()
    ]
    return _OBJECTIVE + "".join(said)
