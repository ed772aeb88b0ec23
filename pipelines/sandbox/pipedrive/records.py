"""A company's life as records of Pipedrive: persons, deals and activities, as seen at an instant.

Belongs here: which field says what, changelogs, last changes, and what is deleted, archived or merged. Does not: how a
record is written down (`shapes`), HTTP.

Names and addresses are there, as they are in any CRM: a source that kept them would have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pipelines.sandbox.company import (
    Activity,
    Change,
    Changes,
    Company,
    Contact,
    Deal,
    Listing,
    Sale,
    mail_address,
    value_at,
)
from pipelines.sandbox.hubspot.shown import CATEGORIES, MANDATES, owner_id
from pipelines.sandbox.pipedrive.setup import Setup

KEPT_DELETED = timedelta(days=30)
"""So long after it was deleted a record can still be seen as such."""
TIDIED = timedelta(days=365)
"""So long after they were closed deals are archived: nobody wants to see them in the pipeline."""

ENDS = {"won": "won", "ganado": "won", "lost": "lost", "perdido": "lost"}
OUTCOMES = {"connected": "", "no_answer": "_sin_respuesta", "busy": "_comunica"}
"""Pipedrive has no result of a call: this company has a type of activity for each."""
TYPE = "hs_activity_type"
"""How the company calls what an activity's type says."""
CALL, VISIT, MEETING = "llamada", "visita", "reunion"


@dataclass(frozen=True, slots=True)
class Merge:
    """From an instant on, one person is part of another, and what they had is the other's."""

    winner_id: int
    victim_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a changelog; values as Pipedrive keeps them."""

    at: datetime
    field: str
    old: str | None
    new: str | None


@dataclass(slots=True)
class Shown:
    """A record as it is seen. history: its changelog, oldest first. says: fields of the company's own, by name."""

    id: int
    added_at: datetime
    updated_at: datetime
    says: dict[str, str] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    history: list[Entry] = field(default_factory=list)
    deleted_at: datetime | None = None
    archived_at: datetime | None = None


@dataclass
class Shelf:
    """The records of one type that can still be seen; those that are live, archived and deleted, in order of ids."""

    records: dict[int, Shown]
    live: list[int]
    archived: list[int]
    deleted: list[int]


def shelf(kind: str, company: Company, setup: Setup, present: datetime, merges: Iterable[Merge]) -> Shelf:
    """What can be seen of a type of record at an instant."""
    merged = {merge.victim_id: merge for merge in merges if merge.at <= present}
    shown = {one.id: one for one in _BUILDERS[kind](company, setup, present, merged)}
    live, archived, deleted = [], [], []
    for id_ in sorted(shown):
        one = shown[id_]
        if one.deleted_at is not None:
            deleted.append(id_)
        elif one.archived_at is not None:
            archived.append(id_)
        else:
            live.append(id_)
    return Shelf(shown, live, archived, deleted)


Merged = Mapping[int, Merge]


def _finished(one: Shown, deleted_at: datetime | None, present: datetime) -> Iterator[Shown]:
    """The record, deleted where it is by now; nothing once it is gone for good."""
    if deleted_at is None or deleted_at > present:
        yield one
    elif present - deleted_at < KEPT_DELETED:
        one.deleted_at = one.updated_at = deleted_at
        yield one


def _persons(company: Company, setup: Setup, present: datetime, merged: Merged) -> Iterator[Shown]:
    winners = {merge.winner_id: merge.at for merge in merged.values()}
    for contact in company.contacts:
        if contact.lifecycle[0].at > present:
            continue
        merge = merged.get(contact.id)
        ends = (contact.archived_at, merge.at if merge else None)
        deleted_at = min((at for at in ends if at is not None), default=None)
        one = _person(contact, setup, _last_seen(deleted_at, present))
        one.updated_at = max(one.updated_at, winners.get(contact.id, one.updated_at))
        yield from _finished(one, deleted_at, present)


def _person(contact: Contact, setup: Setup, present: datetime) -> Shown:
    added_at = contact.lifecycle[0].at
    says = {"canal_de_entrada": contact.channel, "municipio": contact.market, **contact.says}
    if contact.referrer_id is not None:
        says["cliente_que_recomienda"] = str(contact.referrer_id)
    one = Shown(contact.id, added_at, added_at, {name: value for name, value in says.items() if value})
    one.own = {
        "name": f"Nombre{contact.id} Apellido{contact.id}",
        "emails": [
            {"value": address, "primary": not n, "label": "work"} for n, address in enumerate(_addresses(contact))
        ],
        "phones": [{"value": f"+34 600 {contact.id % 1_000_000:06d}", "primary": True, "label": "work"}],
        "owner_id": None,
    }
    _told(one, setup, "persons", "ciclo_de_vida", _seen(contact.lifecycle, added_at, present))
    return one


def _addresses(contact: Contact) -> list[str]:
    """Somebody's mail addresses, the main one first."""
    more = contact.says.get("hs_additional_emails", "").split(";")
    return [mail_address(contact.id, contact.says), *(address for address in more if address)]


def _deals(company: Company, setup: Setup, present: datetime, merged: Merged) -> Iterator[Shown]:
    markets = {listing.id: listing.market for listing in company.listings}
    for sale in company.sales:
        if sale.stages[0].at <= present:
            says = {"municipio": market} if (market := markets.get(sale.listing_id)) else {}
            constant: dict[str, Changes[str]] = {name: (Change(sale.stages[0].at, v),) for name, v in says.items()}
            deal = _as_deal(sale, sale.buyer_id, setup.sales, sale.stages, sale.amount, constant)
            yield from _deal(deal, "Compra", setup, present, merged)
    for listing in company.listings:
        if listing.entered_at <= present:
            yield from _deal(_captured(listing, setup), "Piso", setup, present, merged)
    for deal in company.deals:
        if deal.stages[0].at <= present:
            yield from _deal(deal, "Contrato", setup, present, merged)


def _as_deal(
    one: Sale | Listing,
    contact_id: int,
    pipeline: str,
    stages: Changes[str],
    amount: Changes[Decimal],
    says: Mapping[str, Changes[str]],
) -> Deal:
    return Deal(one.id, contact_id, one.agent, pipeline, stages, amount, "EUR", says, one.archived_at)


def _captured(listing: Listing, setup: Setup) -> Deal:
    at = listing.entered_at
    says: dict[str, Changes[str]] = {
        "municipio": (Change(at, listing.market),),
        "tipo_de_inmueble": (Change(at, CATEGORIES[listing.category]),),
        "fecha_de_captacion": (Change(at, listing.captured_at.isoformat()),),
        "tipo_de_mandato": tuple(Change(one.at, MANDATES[one.value]) for one in listing.mandate),
        "portales": tuple(Change(one.at, ";".join(one.value)) for one in listing.portals),
    }
    stages = (Change(at, setup.captured),)
    return _as_deal(listing, listing.owner_id, setup.listings, stages, listing.price, says)


def _deal(deal: Deal, what: str, setup: Setup, present: datetime, merged: Merged) -> Iterator[Shown]:
    seen = _last_seen(deal.archived_at, present)
    added_at, person_id = deal.stages[0].at, _whose(deal.contact_id, merged)
    one = Shown(deal.id, added_at, added_at)
    one.own = {
        "title": f"{what} de Nombre{deal.contact_id} Apellido{deal.contact_id}",
        "pipeline_id": setup.pipeline_ids[deal.pipeline],
        "currency": deal.currency,
        "owner_id": int(owner_id(deal.agent)),
        "person_id": person_id,
    }
    _course(one, setup, deal.pipeline, _seen(deal.stages, added_at, seen))
    _changed(one, "value", [(change.at, _number(change.value)) for change in _seen(deal.amount, added_at, seen)])
    for name, changes in deal.says.items():
        if name == "closedate":
            days = [(change.at, change.value[:10]) for change in _seen(changes, added_at, seen)]
            _changed(one, "expected_close_date", [day for day in days if day[0] not in _wins(deal)])
        else:
            _told(one, setup, "deals", name, _seen(changes, added_at, seen))
    one.history.sort(key=lambda entry: entry.at)
    if (merge := merged.get(deal.contact_id)) is not None:
        one.history.append(Entry(merge.at, "person_id", str(deal.contact_id), str(person_id)))
    one.updated_at = max([one.updated_at, *(entry.at for entry in one.history)])
    closed_at = one.own["close_time"]
    if closed_at is not None and present - closed_at > TIDIED:
        one.archived_at = closed_at + TIDIED
    yield from _finished(one, deal.archived_at, present)


def _wins(deal: Deal) -> tuple[datetime, ...]:
    """When the deal was won, if it was won later than it was added: Pipedrive then leaves the expected date alone."""
    last = deal.stages[-1]
    return (last.at,) if ENDS.get(last.value) == "won" and len(deal.stages) > 1 else ()


def _course(one: Shown, setup: Setup, pipeline: str, stages: Changes[str]) -> None:
    """A deal's stages: won and lost are a status in Pipedrive, and the deal keeps its stage."""
    stage, status, closed_at, moved_at = "", "open", None, None
    for place, change in enumerate(stages):
        end = ENDS.get(change.value)
        to_stage = change.value if end is None else stage or setup.first_stage(pipeline)
        to_status = end or "open"
        if place and to_status != status:
            one.history.append(Entry(change.at, "status", status, to_status))
        if place and to_stage != stage:
            before, after = setup.stage_ids[pipeline, stage], setup.stage_ids[pipeline, to_stage]
            one.history.append(Entry(change.at, "stage_id", str(before), str(after)))
            moved_at = change.at
        if to_status != status:
            closed_at = None if to_status == "open" else change.at
        stage, status = to_stage, to_status
    one.own |= {"stage_id": setup.stage_ids[pipeline, stage], "stage_change_time": moved_at}
    one.own |= {"status": status, "close_time": closed_at}


def _activities(company: Company, setup: Setup, present: datetime, merged: Merged) -> Iterator[Shown]:
    for activity in company.activities:
        if activity.entered_at <= present:
            yield from _finished(
                _activity(activity, _last_seen(activity.archived_at, present), merged), activity.archived_at, present
            )


def _activity(one: Activity, present: datetime, merged: Merged) -> Shown:
    outcome = value_at(one.outcome, present)
    told_at = max((change.at for change in one.outcome if change.at <= present), default=one.entered_at)
    is_done = outcome is not None if one.kind == "call" else outcome == "completed"
    base = one.says.get(TYPE, {"call": CALL, "visit": VISIT}.get(one.kind, MEETING))
    merge = merged.get(one.contact_id)
    updated_at = max(one.entered_at, told_at, merge.at if merge else one.entered_at)
    shown = Shown(one.id, one.entered_at, updated_at)
    shown.own = {
        "subject": f"Cita con Nombre{one.contact_id}",
        "note": f"<p>Nombre{one.contact_id} prefiere la tarde</p>",
        "type": base + OUTCOMES.get(outcome or "", "") if one.kind == "call" else base,
        "owner_id": int(owner_id(one.agent)),
        "person_id": _whose(one.contact_id, merged),
        "starts_at": one.starts_at,
        "seconds": one.seconds,
        "done": is_done,
        "done_at": max(told_at, one.entered_at) if is_done else None,
    }
    return shown


def _told(one: Shown, setup: Setup, kind: str, name: str, changes: Changes[str]) -> None:
    """A field of the company's own, now and in the changelog."""
    if not changes:
        return
    key = setup.key(name)
    words = [(change.at, setup.stored(kind, name, change.value)) for change in changes]
    one.history += [Entry(at, key, old, new) for (_, old), (at, new) in _steps(one, words)]
    if value := changes[-1].value:
        one.says[name] = value
    one.updated_at = max(one.updated_at, changes[-1].at)


def _changed(one: Shown, name: str, values: list[tuple[datetime, str]]) -> None:
    """A field of Pipedrive's own, now and in the changelog."""
    one.history += [Entry(at, name, old, new) for (_, old), (at, new) in _steps(one, values)]
    one.own[name] = values[-1][1] if values else None


Step = tuple[datetime, str | None]


def _steps(one: Shown, values: Iterable[tuple[datetime, str]]) -> Iterator[tuple[Step, Step]]:
    """Each change after the record was added, with the value before it: what it was added with is no change."""
    before: Step = (one.added_at, None)
    for at, value in values:
        if at > one.added_at:
            yield before, (at, value or None)
        before = (at, value or None)


def _number(amount: Decimal) -> str:
    return str(amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount)


def _whose(contact_id: int, merged: Merged) -> int:
    return merged[contact_id].winner_id if contact_id in merged else contact_id


def _last_seen(deleted_at: datetime | None, present: datetime) -> datetime:
    """Nothing happens to a record once it is deleted."""
    return present if deleted_at is None else min(present, deleted_at)


def _seen(changes: Changes[Any], born: datetime, present: datetime) -> Changes[Any]:
    """The changes that have happened; what was already so when the record was entered was entered with it."""
    before = [change for change in changes if change.at <= born]
    since = [change for change in changes if born < change.at <= present]
    return (*(Change(born, change.value) for change in before[-1:]), *since)


_BUILDERS = {"persons": _persons, "deals": _deals, "activities": _activities}
