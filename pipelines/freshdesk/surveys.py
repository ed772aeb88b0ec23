"""Answers to satisfaction surveys: the newest one of each ticket.

Belongs here: fetching answers, and the facts that they state. Does not: HTTP (`helpdesk`), tickets; that a survey was
sent, of which Freshdesk keeps nothing (`tickets` states it where the options say when it is).

* `survey.answered`: the answer that holds now, at the time at which it was last changed: good or bad, neither where it
  is neutral; score: its place on the vendor's seven steps, from 1 (extremely unhappy) to 7 (extremely happy). A
  customer who changes an answer, or answers again about the same ticket, corrects the fact.

The list goes by when an answer was first given, so each reading goes back over the last 14 days for those that were
changed. It may still have answers about tickets that are deleted or spam: their lists are read too, and such a ticket's
answers state nothing until it is back.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.freshdesk.helpdesk import BEGINNING, Helpdesk, Item
from pipelines.ids import packed, unpacked
from pipelines.people import People, Place
from pipelines.source import Account, Covered, Read, Record, Stream
from pipelines.ticketing import GONE, SURVEY_ANSWERED, USER, answers_that_count, gone_marks, of_ticket, time_of

CHANGEABLE = timedelta(days=14)
STEPS = {"-103": 1, "-102": 2, "-101": 3, "100": 4, "101": 5, "102": 6, "103": 7}
"""The vendor's codes of an answer, from extremely unhappy to extremely happy."""
NEUTRAL = 4

PAYLOAD = pl.Struct(
    {**GONE, "id": pl.String(), "user_id": pl.String(), "answer": pl.String(), "updated_at": pl.String()}
)


def satisfaction_ratings(account: Account, subdomain: str, customer: str) -> Stream:
    """The stream. customer: `requester` or `company`, of which answers name only the first."""
    return Stream(
        name="satisfaction_ratings",
        feeds=(SURVEY_ANSWERED,),
        fetch=lambda read: _fetch(account, subdomain, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, subdomain, customer),
        overlap=CHANGEABLE,
        group=of_ticket,
        people=People(whose=(Place(USER, ("user_id",)),), account=USER if customer == "requester" else None),
    )


def _fetch(account: Account, subdomain: str, read: Read) -> Generator[list[Record], None, Covered]:
    helpdesk = Helpdesk(account, subdomain, read.clock)
    since = read.since or BEGINNING
    once_gone = unpacked(read.cursor) if read.cursor else set[int]()
    for page in helpdesk.ratings(since):
        yield [_record(one) for one in page]
    back = _changed(helpdesk, since, include="stats") if once_gone else {}
    gone = _changed(helpdesk, since, filter="deleted") | _changed(helpdesk, since, filter="spam")
    restored = {id_: whose for id_, whose in back.items() if id_ in once_gone and id_ not in gone}
    yield [*gone_marks(gone, "user_id", is_gone=True), *gone_marks(restored, "user_id", is_gone=False)]
    return Covered(read.since, read.until, packed((once_gone - restored.keys()) | gone.keys()))


def _changed(helpdesk: Helpdesk, since: datetime, **params: str) -> dict[int, Any]:
    """Tickets of a list that were changed since, and whose they are."""
    return {int(one["id"]): one.get("requester_id") for page, _ in helpdesk.tickets(since, **params) for one in page}


def _record(rating: Item) -> Record:
    """An answer, without what was written beside it; without revision: what arrives last holds."""
    ticket = str(rating.get("ticket_id"))
    payload: dict[str, Any] = {
        "id": rating["id"],
        "ticket_id": ticket,
        "user_id": rating.get("user_id"),
        "answer": (rating.get("ratings") or {}).get("default_question"),
        "updated_at": rating.get("updated_at") or rating.get("created_at"),
    }
    return Record(f"{ticket}/{rating['id']}", None, payload)


def facts(records: pl.LazyFrame, subdomain: str, customer: str) -> pl.LazyFrame:
    """What answers state."""
    answers = answers_that_count(records).with_columns(
        occurred_at=time_of("updated_at"),
        step=pl.col("answer").replace_strict(STEPS, default=None, return_dtype=pl.Int64),
    )
    newest = (
        answers.filter(~pl.col("is_gone") & pl.col("occurred_at").is_not_null() & pl.col("step").is_not_null())
        .sort("ticket_id", "occurred_at", "id", nulls_last=False)
        .unique("ticket_id", keep="last", maintain_order=True)
    )
    stated = newest.select(
        "record_key",
        "occurred_at",
        subject_id="ticket_id",
        account_id=pl.col("user_id") if customer == "requester" else pl.lit(None, pl.String()),
        source_url=pl.format("https://{}.freshdesk.com/a/tickets/{}", pl.lit(subdomain), "ticket_id"),
        fact_key=pl.format("ticket/{}/answered", "ticket_id"),
        event_type=pl.lit(SURVEY_ANSWERED),
        rating=pl.when(pl.col("step") > NEUTRAL)
        .then(pl.lit("good"))
        .when(pl.col("step") < NEUTRAL)
        .then(pl.lit("bad")),
        score=pl.col("step").cast(DECIMAL),
    )
    problem = (
        pl.when(pl.col("occurred_at").is_null())
        .then(pl.format("updated_at: not a time ({})", pl.col("updated_at").fill_null("nothing")))
        .when(pl.col("step").is_null())
        .then(pl.format("ratings: {} is no answer that is known", pl.col("answer").fill_null("nothing")))
        .when(~pl.col("ticket_id").str.contains(r"^\d+$"))
        .then(pl.lit("ticket_id: nothing"))
    )
    return pl.concat(
        [stated, answers.select("record_key", problem=problem).filter(pl.col("problem").is_not_null())], how="diagonal"
    )
