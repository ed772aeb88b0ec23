"""A company's life as records of Salesforce, as seen at an instant.

Belongs here: deals, activities and cases, and what an org keeps of all its records. Does not: HTTP (`app`), queries
(`soql`), leads and contacts (`people`), what things are called (`names`), or how pasts are written down (`histories`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from pipelines.sandbox.company import Activity, Change, Changes, Company, Deal, Ticket
from pipelines.sandbox.salesforce.histories import Row, day, entry, last_seen, move, pairs, record, seen, stage_history
from pipelines.sandbox.salesforce.names import (
    CASE_STATUSES,
    CLOSE_DATE,
    CURRENCY,
    DISPOSITIONS,
    MEETING,
    NOBODY,
    ORIGINS,
    PRODUCT,
    RESULTS,
    TYPE,
    VISIT,
    field_name,
    id_of,
    record_type,
    user_id,
)
from pipelines.sandbox.salesforce.people import Merge, People
from pipelines.sandbox.salesforce.soql import text_of

HISTORY_KEPT = timedelta(days=730)
"""So long `queryAll` tells changes of fields, unless the org has another policy."""

RESTORABLE = timedelta(days=15)
"""So long what was deleted is in the recycle bin, where `queryAll` sees it."""


@dataclass(frozen=True)
class Kept:
    """What an org keeps of the past: how long it tells changes of fields; fields of which none, as `Lead.Status`."""

    kept_for: timedelta = HISTORY_KEPT
    untracked: Collection[str] = ()


@dataclass
class Org:
    """The records of one org at an instant, by kind; each kind is laid out once."""

    company: Company
    present: datetime
    merges: Sequence[Merge] = ()
    kept: Kept = field(default_factory=Kept)

    def rows(self, sobject: str) -> Sequence[Row]:
        """The rows of a kind, deleted ones too, while they are in the recycle bin."""
        if sobject not in self._laid_out:
            rows = _BUILDERS[sobject](self)
            self._laid_out[sobject] = [self._remembered(sobject, row) for row in rows if not self._is_purged(row)]
        return self._laid_out[sobject]

    @cached_property
    def _laid_out(self) -> dict[str, Sequence[Row]]:
        return {}

    def _is_purged(self, row: Row) -> bool:
        return bool(row["IsDeleted"]) and row["SystemModstamp"] <= text_of(self.present - RESTORABLE)

    def _remembered(self, sobject: str, row: Row) -> Row:
        """The row with what its org has tracked of its past, and has not forgotten."""
        since = text_of(self.present - self.kept.kept_for)
        told = [
            one
            for one in row.get("Histories", ())
            if one["CreatedDate"] > since and f"{sobject}.{one['Field']}" not in self.kept.untracked
        ]
        return {**row, "Histories": told}

    @cached_property
    def people(self) -> People:
        """Everybody who is known by now."""
        return People(self.company, self.present, self.merges, self.deals)

    @cached_property
    def deals(self) -> list[Deal]:
        """The deals that are opened by now, an agency's sales among them."""
        sales = (
            Deal(one.id, one.buyer_id, one.agent, "default", one.stages, one.amount, "EUR", {}, one.archived_at)
            for one in self.company.sales
        )
        return [deal for deal in (*self.company.deals, *sales) if deal.stages[0].at <= self.present]

    # Deals

    def opportunities(self) -> Iterator[Row]:
        """Deals, with the history of their stages and of their other fields."""
        return (self._opportunity(deal) for deal in self.deals)

    def _opportunity(self, deal: Deal) -> Row:
        born, until = deal.stages[0].at, last_seen(deal.archived_at, self.present)
        stages, amounts = seen(deal.stages, born, until), seen(deal.amount, born, until)
        says = {name: seen(changes, born, until) for name, changes in deal.says.items()}
        closings = says.pop(CLOSE_DATE, ())
        currencies = says.pop(CURRENCY, (Change(born, deal.currency),))
        history = list(stage_history(self.company.zone, stages, amounts, closings, currencies))
        now = history[-1]
        moves = [
            move(field_name(name), one, {})
            for name, changes in says.items()
            for one in pairs(changes if changes and changes[0].at <= born else (Change(born, ""), *changes))
        ]
        product = says.get(PRODUCT)
        lines = [_line(product[-1].value, now["Amount"])] if product else []
        fields = {
            "Name": f"Contrato de Nombre{deal.contact_id} Apellido{deal.contact_id}",
            **{name: now[name] for name in ("StageName", "Amount", "CloseDate", "ForecastCategory")},
            "OwnerId": user_id(deal.agent),
            "CurrencyIsoCode": now["CurrencyIsoCode"],
            "RecordType": {"DeveloperName": record_type(deal.pipeline)},
            **self.people.customer(deal.contact_id),
            **{field_name(name): changes[-1].value for name, changes in says.items() if changes},
            "Histories": [entry("created", born, None, None), *moves],
            "OpportunityHistories": history,
            "OpportunityLineItems": lines,
        }
        turns: list[Changes[Any]] = [stages, amounts, closings, currencies, *says.values()]
        changed_at = max(change.at for changes in turns for change in changes)
        return record(self.present, id_of("006", deal.id), born, changed_at, deal.archived_at, fields)

    # Activities

    def tasks(self) -> Iterator[Row]:
        """Calls, and what else was to be done."""
        for one in self.company.activities:
            if one.kind in ("call", "task") and one.entered_at <= self.present:
                yield self._call(one) if one.kind == "call" else self._task(one)

    def _call(self, call: Activity) -> Row:
        outcome, changed_at = _outcome(call, last_seen(call.archived_at, self.present))
        fields = {
            **self._done(call, outcome, changed_at),
            "Subject": f"Llamada con Nombre{call.contact_id}",
            "TaskSubtype": "Call",
            "CallType": "Outbound",
            "CallDisposition": DISPOSITIONS[outcome] if outcome else None,
            "CallDurationInSeconds": call.seconds if outcome else None,
            "Hora_de_llamada__c": text_of(call.starts_at),
        }
        return self._activity("00T", call, changed_at, fields)

    def _task(self, task: Activity) -> Row:
        outcome, changed_at = _outcome(task, last_seen(task.archived_at, self.present))
        fields = {
            **self._done(task, outcome, changed_at),
            "Subject": f"Escribir a Nombre{task.contact_id}",
            "TaskSubtype": "Task",
        }
        return self._activity("00T", task, changed_at, fields)

    def _done(self, one: Activity, outcome: str | None, changed_at: datetime) -> Row:
        return {
            "Status": "Completed" if outcome else "Not Started",
            "IsClosed": outcome is not None,
            "IsRecurrence": False,
            "ActivityDate": day(one.starts_at, self.company.zone),
            "CompletedDateTime": text_of(changed_at) if outcome else None,
        }

    def events(self) -> Iterator[Row]:
        """Meetings and visits."""
        for meeting in self.company.activities:
            if meeting.kind in ("visit", "meeting") and meeting.entered_at <= self.present:
                yield self._meeting(meeting)

    def _meeting(self, meeting: Activity) -> Row:
        outcome, changed_at = _outcome(meeting, last_seen(meeting.archived_at, self.present))
        fields = {
            "Subject": f"Cita con Nombre{meeting.contact_id}",
            "Type": VISIT if meeting.kind == "visit" else MEETING,
            "StartDateTime": text_of(meeting.starts_at),
            "EndDateTime": text_of(meeting.starts_at + timedelta(seconds=meeting.seconds)),
            "IsAllDayEvent": False,
            "IsChild": False,
            "IsRecurrence": False,
            "Resultado__c": RESULTS[outcome] if outcome else None,
        }
        return self._activity("00U", meeting, changed_at, fields)

    def _activity(self, prefix: str, one: Activity, changed_at: datetime, fields: Row) -> Row:
        says = {"Type" if name == TYPE else field_name(name): value for name, value in one.says.items()}
        given = {"Type": None, **fields, "OwnerId": user_id(one.agent), **self.people.who(one.contact_id), **says}
        is_old = one.starts_at < self.present - timedelta(days=365)
        given["IsArchived"] = is_old
        return record(self.present, id_of(prefix, one.id), one.entered_at, changed_at, one.archived_at, given)

    # Cases

    def cases(self) -> Iterator[Row]:
        """Customers' requests."""
        return (self._case(ticket) for ticket in self.company.tickets if ticket.created_at <= self.present)

    def _case(self, ticket: Ticket) -> Row:
        born, until = ticket.created_at, last_seen(ticket.deleted_at, self.present)
        statuses, priorities = seen(ticket.status, born, until), seen(ticket.priority, born, until)
        replied = ticket.first_reply_at
        replied_at = replied if replied and replied <= until else None
        moves = [move("Status", one, CASE_STATUSES) for one in pairs(statuses)]
        moves += [move("Priority", one, {}) for one in pairs(priorities)]
        fields = {
            "Subject": f"Consulta de Nombre{ticket.requester_id}",
            "SuppliedEmail": f"persona{ticket.requester_id}@correo.example",
            "Status": CASE_STATUSES[statuses[-1].value],
            "Priority": priorities[-1].value,
            "Origin": ORIGINS[ticket.channel],
            "OwnerId": NOBODY + "AAA",
            "Primera_respuesta__c": text_of(replied_at) if replied_at else None,
            "MasterRecordId": None,
            **self.people.customer(ticket.requester_id),
            "Histories": [entry("created", born, None, None), *sorted(moves, key=lambda one: str(one["CreatedDate"]))],
        }
        changed_at = max(one for one in (statuses[-1].at, priorities[-1].at, replied_at) if one)
        return record(self.present, id_of("500", ticket.id), born, changed_at, ticket.deleted_at, fields)


_BUILDERS: Mapping[str, Callable[[Org], Iterator[Row]]] = {
    "Lead": lambda org: org.people.leads(),
    "Contact": lambda org: org.people.contacts(),
    "Account": lambda org: org.people.accounts(),
    "Opportunity": Org.opportunities,
    "Task": Org.tasks,
    "Event": Org.events,
    "Case": Org.cases,
}


def _line(product: str, price: float | None) -> Row:
    named = {"Name": product, "ProductCode": product.upper(), "Family": "General"}
    return {"Id": "00k", "IsDeleted": False, "TotalPrice": price, "Product2": named, "CreatedDate": "", "Quantity": 1.0}


def _outcome(one: Activity, present: datetime) -> tuple[str | None, datetime]:
    """The outcome as it is known now, and when the record was last changed."""
    known = [change for change in one.outcome if change.at <= present]
    return (known[-1].value, max(known[-1].at, one.entered_at)) if known else (None, one.entered_at)
