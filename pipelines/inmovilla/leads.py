"""The requests that Inmovilla took in from portals and websites, as `lead.created`.

Belongs here: reading them by spans of days, what makes one, and the facts that they state. Does not: HTTP and pages
(`api`).

A lead has no id. It is what it says: its content, squeezed into a code that tells nothing of it; of several with the
same content each is one, numbered. Inmovilla tells nothing of a lead that is deleted, or changed: each run reads the
last days again, and withdraws those of them that are not there any more. Days are read a month at once, or fewer where
there are more leads than a part of what a run may ask can read.

Of a lead are kept its time, where it came from, and a code in the place of the mail address, or of the
telephone where there is none: no name, no address, no number, no text.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from pipelines.inmovilla.api import DAY, Api, Item, Pace, TooManyLeads
from pipelines.inmovilla.properties import Pages, Reading
from pipelines.inmovilla.times import WRITTEN, instant, local, midnight, naive
from pipelines.novelty import are_too_many
from pipelines.people import People, Place
from pipelines.recent import Recent, remembered
from pipelines.rows import cells
from pipelines.source import READ_AGAIN, Account, Covered, DoubtedReading, Mark, Record, Stream

if TYPE_CHECKING:
    from pipelines.inmovilla import InmovillaOptions

SPAN = timedelta(days=31)
CUSTOMER = "lead_contact"
CONTENT = (
    "date",
    "language",
    "source",
    "contact_firstname",
    "contact_lastname",
    "contact_phone",
    "contact_mobile",
    "contact_email",
    "message",
)
"""What makes a lead the same one: every field that Inmovilla documents, and none that it may add."""

PAYLOAD = pl.Struct({"date": pl.String(), "source": pl.String(), "customer": pl.String()})


def leads(account: Account, options: InmovillaOptions, pace: Pace) -> Stream:
    """The stream."""
    return Stream(
        name="leads",
        feeds=("lead.created",),
        fetch=lambda read: _Reading(account, options, pace, read).begin(),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options),
        overlap=timedelta(days=options.reread_days),
        people=People(whose=(Place(CUSTOMER, ("customer",)),), account=CUSTOMER),
    )


@dataclass
class _Reading(Reading):
    """One reading of the leads."""

    name = "leads"

    def pages(self, api: Api) -> Pages:
        zone = self.options.zone
        began = self.read.since or self.read.until - timedelta(days=self.options.history_days)
        first, last = local(began, zone).date(), local(self.read.until, zone).date()
        again = local(self.read.until - timedelta(days=self.options.reread_days), zone).date()
        recent = Recent.after(midnight(again, zone), self.read.cursor, self.read.mark)
        reached = remembered(self.read.mark)
        start = date.fromisoformat(reached.get("next", first.isoformat()))
        days = int(reached.get("days", SPAN.days))
        while start <= last:
            end = min(start + days * DAY - DAY, last)
            try:
                found = self._records(api.leads(start, end), start, end)
            except TooManyLeads:
                days = max(((end - start).days + 1) // 2, 1)
                yield Mark(recent.told(next=start.isoformat(), days=days))
                continue
            recent.deliver({record.key: at for record, at in found if at is not None})
            yield [record for record, _ in found]
            start = end + DAY
            if start <= last:
                yield Mark(recent.told(next=start.isoformat(), days=days))
        missing = recent.missing() if self.read.since is not None else []
        self._refuse_doubtful(api.source, len(missing), sum(at >= recent.since for at in recent.held.values()))
        if missing:
            yield [Record(key, None, {}, is_deleted=True) for key in missing]
        return Covered(self.read.since or midnight(first, zone), self.read.until, recent.told())

    def _records(self, items: list[Item], start: date, end: date) -> list[tuple[Record, datetime | None]]:
        """The leads of the days, as they are kept; each with its time, where that is one."""
        found, times = list[tuple[Record, datetime | None]](), Counter[str]()
        for lead in items:
            at = naive(lead["date"])
            if at is not None and (at.date() < start or end < at.date() <= end + DAY):
                continue  # of a day beside these
            code = self._code(lead)
            times[code] += 1
            key = code if times[code] == 1 else f"{code}/{times[code]}"
            found.append((Record(key, None, self._kept(lead)), None if at is None else instant(at, self.options.zone)))
        return found

    def _code(self, lead: Item) -> str:
        content = orjson.dumps([str(lead.get(name) or "").strip() for name in CONTENT])
        return self.account.pseudonym(hashlib.sha256(content).hexdigest())

    def _kept(self, lead: Item) -> dict[str, Any]:
        source = str(lead.get("source") or "").strip()
        return {
            "date": str(lead["date"]) if naive(lead["date"]) is not None else "?",
            "source": source if source in self.options.channels or _NOBODY.fullmatch(source) else None,
            "customer": self._customer(lead),
        }

    def _customer(self, lead: Item) -> str | None:
        """Who it is, as a code: by the mail address, else by the telephone."""
        mail = str(lead.get("contact_email") or "").strip().lower()
        numbers = (re.sub(r"\D", "", str(lead.get(name) or "")) for name in ("contact_mobile", "contact_phone"))
        who = mail or next((number for number in numbers if number), "")
        return self.account.pseudonym(who) if who else None

    def _refuse_doubtful(self, source: str, gone: int, held: int) -> None:
        """Where so many of the last days' leads are gone, the account is likelier to be shown half of them."""
        if are_too_many(gone, held, self.options.most_removed):
            do = "Look at the leads in Inmovilla; where so many were really deleted, set most_removed to 1 for one run"
            raise DoubtedReading(
                source, f"{gone} of the {held} leads of the last days are there no more", f"{READ_AGAIN}. {do}"
            )


_NOBODY = re.compile(r"(?!.*\d{6})[\w .-]{1,40}")
"""What a place is called that leads come from: no address, and no telephone number."""


def facts(records: pl.LazyFrame, options: InmovillaOptions) -> pl.LazyFrame:
    """What leads state."""
    at, problem = cells.instant("date", pl.col("date"), WRITTEN, options.zone, "earlier")
    return records.select(
        "record_key",
        fact_key=pl.format("lead/{}", "record_key"),
        event_type=pl.lit("lead.created"),
        subject_id="record_key",
        account_id="customer",
        occurred_at=at,
        channel=pl.col("source").replace(options.channels),
        problem=problem,
    )
