"""Satisfaction surveys, of the vendor's two kinds: ratings of a ticket, and responses to a survey.

Belongs here: fetching both, and the facts that they state. Does not: HTTP (`helpdesk`), tickets.

An account has one of the two active at a time, and its past may be in the other; each is a stream of its own, so that
one that cannot be read leaves the other's coverage alone. What both state:

* `survey.sent`: a customer was asked. A ticket's rating is asked for once (the vendor's own rule), at the time at
  which its first rating was created; a response when it was created, which its id (a ULID) holds.
* `survey.answered`: the answer that holds now, at the time at which it was last changed: good or bad, and for a
  response the score on the survey's own scale. A customer who changes a rating corrects the fact.

The offer of a rating and each change of it are ratings of their own, listed by when they were created; so a record is
one rating, and those of a ticket are understood together, however long ago the first of them was read. An answer of a
response is changed in place, for weeks: so each reading goes back over the last five.

The surveys of a deleted ticket may still be listed. The export of tickets says which were deleted, and which of those
are restored since: while a ticket is deleted, its surveys state nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.ids import packed, unpacked
from pipelines.people import People, Place
from pipelines.source import Account, Covered, Mark, Read, Record, Stream
from pipelines.ticketing import GONE, SURVEY_ANSWERED, SURVEY_SENT, USER, answers_that_count, gone_marks, of_ticket
from pipelines.ticketing import time_of as _time
from pipelines.zendesk.helpdesk import EXPORT_DELAY, Helpdesk, Item

FEEDS = (SURVEY_SENT, SURVEY_ANSWERED)
CHANGEABLE = timedelta(days=35)

RATINGS = pl.Struct(
    {
        **GONE,
        "id": pl.String(),
        "requester_id": pl.String(),
        "score": pl.String(),
        "created_at": pl.String(),
        "updated_at": pl.String(),
    }
)
_ANSWER = pl.Struct(
    {
        "type": pl.String(),
        "sub_type": pl.String(),
        "rating": pl.String(),
        "rating_category": pl.String(),
        "created_at": pl.String(),
        "updated_at": pl.String(),
    }
)
RESPONSES = pl.Struct({**GONE, "id": pl.String(), "responder_id": pl.String(), "answers": pl.List(_ANSWER)})

_NO_TICKET = "response:"
_ULID_DIGITS = {digit: value for value, digit in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


@dataclass(frozen=True)
class _Listed:
    """How a kind of survey is listed. since: the filter by time. person: who answers. record: what is kept of one."""

    path: str
    key: str
    size: int
    always: dict[str, Any]
    since: Callable[[datetime], dict[str, Any]]
    person: str
    record: Callable[[Item], Record]


def satisfaction_ratings(account: Account, subdomain: str, customer: str) -> Stream:
    """Ratings of tickets: the older kind."""
    return Stream(
        name="satisfaction_ratings",
        feeds=FEEDS,
        fetch=lambda read: _fetch(account, subdomain, _RATINGS, read),
        payload=RATINGS,
        facts=lambda records: rating_facts(records, subdomain, customer),
        overlap=CHANGEABLE,
        group=of_ticket,
        people=_people(customer, "requester_id"),
    )


def survey_responses(account: Account, subdomain: str, customer: str) -> Stream:
    """Responses to surveys: the newer kind."""
    return Stream(
        name="survey_responses",
        feeds=FEEDS,
        fetch=lambda read: _fetch(account, subdomain, _RESPONSES, read),
        payload=RESPONSES,
        facts=lambda records: response_facts(records, subdomain, customer),
        overlap=CHANGEABLE,
        group=of_ticket,
        people=_people(customer, "responder_id"),
    )


def _people(customer: str, field: str) -> People:
    """Surveys are of whoever answers them."""
    return People(whose=(Place(USER, (field,)),), account=USER if customer == "requester" else None)


def _fetch(
    account: Account, subdomain: str, listed: _Listed, read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    """First the list of surveys, then the export of tickets.

    What is carried on are the numbers of the tickets that are deleted, and no cursor of the export: it names a ticket.
    """
    helpdesk = Helpdesk(account, subdomain, read.clock)
    mark = orjson.loads(read.mark) if read.mark else {}
    tickets = mark.get("tickets") or {"gone": read.cursor or packed([]), "cursor": None}
    gone = unpacked(tickets["gone"])
    if "tickets" not in mark:
        params = listed.always if read.since is None else {**listed.always, **listed.since(read.since)}
        pages = helpdesk.listed_from(listed.path, listed.key, params, listed.size, mark.get("list"))
        for page, following in pages:
            yield [listed.record(one) for one in page]
            if following:
                yield Mark(orjson.dumps({"list": following}).decode())
    for page, after in helpdesk.changed_tickets(read.since, tickets["cursor"]):
        whose = {int(one["id"]): one.get("requester_id") for one in page}
        deleted = {int(one["id"]) for one in page if one.get("status") == "deleted"}
        restored = (gone - deleted) & whose.keys()
        yield [
            *gone_marks({id_: whose[id_] for id_ in sorted(deleted)}, listed.person, is_gone=True),
            *gone_marks({id_: whose[id_] for id_ in sorted(restored)}, listed.person, is_gone=False),
        ]
        gone = (gone - restored) | deleted
        yield Mark(orjson.dumps({"tickets": {"gone": packed(gone), "cursor": after}}).decode())
    return Covered(read.since, read.until - EXPORT_DELAY, packed(gone))


def _rating(rating: Item) -> Record:
    """A rating as kept; without revision, as what arrives last holds."""
    ticket = str(rating.get("ticket_id"))
    kept = {name: rating.get(name) for name in ("id", "score", "created_at", "updated_at", "requester_id")}
    return Record(f"{ticket}/{rating['id']}", None, {"ticket_id": ticket, **kept})


def _response(response: Item) -> Record:
    """A response as kept; one about something else than a ticket (a conversation) stands for itself."""
    subjects = response.get("subjects") or ()
    ticket = next((str(one["id"]) for one in subjects if one.get("type") == "ticket"), None)
    ticket = ticket or f"{_NO_TICKET}{response['id']}"
    kept = ("type", "rating", "rating_category", "created_at", "updated_at")
    payload = {
        "ticket_id": ticket,
        "id": response["id"],
        "responder_id": response.get("responder_id"),
        "answers": [
            {
                **{name: answer.get(name) for name in kept},
                "sub_type": (answer.get("question") or {}).get("sub_type"),
            }
            for answer in response.get("answers") or ()
        ],
    }
    return Record(f"{ticket}/{response['id']}", None, payload)


_RATINGS = _Listed(
    path="/api/v2/satisfaction_ratings.json",
    key="satisfaction_ratings",
    size=100,
    always={},
    since=lambda since: {"start_time": int(since.timestamp())},
    person="requester_id",
    record=_rating,
)
_RESPONSES = _Listed(
    path="/api/v2/guide/survey_responses",
    key="survey_responses",
    size=50,
    always={"sort": "id"},
    since=lambda since: {"filter[created_at_start]": int(since.timestamp() * 1000)},
    person="responder_id",
    record=_response,
)


def rating_facts(records: pl.LazyFrame, subdomain: str, customer: str) -> pl.LazyFrame:
    """What the ratings of tickets state."""
    rated = answers_that_count(records).filter(pl.col("score").ne_missing("unoffered"))
    has_time = pl.col("sent").is_not_null() & pl.col("changed").is_not_null()
    problem = (
        pl.when(~has_time)
        .then(pl.lit("created_at or updated_at: not a time"))
        .when(~pl.col("score").fill_null("").is_in(["offered", "good", "bad"]))
        .then(pl.format("score: neither offered nor good nor bad ({})", pl.col("score").fill_null("nothing")))
    )
    rows = rated.with_columns(sent=_time("created_at"), changed=_time("updated_at")).with_columns(problem=problem)
    rows = rows.with_columns(
        subject_id="ticket_id",
        account_id=_customer("requester_id", customer),
        source_url=_ticket_url(subdomain, "ticket_id"),
        key=pl.format("ticket/{}", "ticket_id"),
    )
    counted = rows.filter(~pl.col("is_gone") & pl.col("problem").is_null())
    first = counted.sort("ticket_id", "sent", "id").unique("ticket_id", keep="first", maintain_order=True)
    last = (
        counted.filter(pl.col("score") != "offered")
        .with_columns(rating="score")
        .sort("ticket_id", "changed", "id")
        .unique("ticket_id", keep="last", maintain_order=True)
    )
    strange = rows.filter(pl.col("problem").is_not_null()).select("record_key", "problem")
    stated = [_fact(first, "sent", "sent"), _fact(last, "answered", "changed", "rating")]
    return pl.concat([*stated, strange], how="diagonal")


def response_facts(records: pl.LazyFrame, subdomain: str, customer: str) -> pl.LazyFrame:
    """What responses to surveys state."""
    has_ticket = ~pl.col("ticket_id").str.starts_with(_NO_TICKET)
    common = (
        answers_that_count(records)
        .filter(~pl.col("is_gone"))
        .select(
            "record_key",
            "answers",
            subject_id="id",
            account_id=_customer("responder_id", customer),
            source_url=pl.when(has_ticket).then(_ticket_url(subdomain, "ticket_id")),
            key=pl.format("response/{}", "id"),
            sent=_ulid_time("id"),
        )
        .with_columns(problem=pl.when(pl.col("sent").is_null()).then(pl.format("id: not a ULID ({})", "subject_id")))
    )
    answered = _answered(common)
    return pl.concat(
        [_fact(common, "sent", "sent"), _fact(answered, "answered", "changed", "rating", "score")], how="diagonal"
    )


def _answered(common: pl.LazyFrame) -> pl.LazyFrame:
    """The newest answer to the question how satisfied the customer was; a skipped one is none."""
    answers = common.explode("answers").unnest("answers")
    rated = answers.filter(
        (pl.col("type") == "rating_scale")
        & pl.col("sub_type").fill_null("customer_satisfaction").eq("customer_satisfaction")
    )
    newest = (
        rated.with_columns(changed=_time("updated_at"), score=pl.col("rating").cast(pl.Decimal(38, 6), strict=False))
        .sort("key", "changed", nulls_last=True)
        .unique("key", keep="last", maintain_order=True)
    )
    category = pl.col("rating_category")
    problem = (
        pl.when(pl.col("changed").is_null())
        .then(pl.lit("updated_at of an answer: not a time"))
        .when(pl.col("score").is_null() & category.is_null())
        .then(pl.lit("answers: a rating without rating and rating_category"))
        .otherwise("problem")
    )
    return newest.with_columns(problem=problem, rating=pl.when(category.is_in(["good", "bad"])).then(category))


def _fact(rows: pl.LazyFrame, kind: str, at: str, *attributes: str) -> pl.LazyFrame:
    return rows.select(
        "record_key",
        "subject_id",
        "account_id",
        "source_url",
        "problem",
        *attributes,
        fact_key=pl.format("{}/{}", "key", pl.lit(kind)),
        event_type=pl.lit(f"survey.{kind}"),
        occurred_at=at,
    )


def _customer(person: str, customer: str) -> pl.Expr:
    """Surveys name the person alone: where an account is an organisation, whose it is is not known here."""
    return pl.col(person) if customer == "requester" else pl.lit(None, pl.String())


def _ticket_url(subdomain: str, ticket: str) -> pl.Expr:
    return pl.format("https://{}.zendesk.com/agent/tickets/{}", pl.lit(subdomain), ticket)


def _ulid_time(name: str) -> pl.Expr:
    """When a ULID was made: its first ten digits, in base 32, are milliseconds since 1970."""
    digits = [
        pl.col(name).str.slice(place, 1).replace_strict(_ULID_DIGITS, default=None, return_dtype=pl.Int64)
        * 32 ** (9 - place)
        for place in range(10)
    ]
    is_ulid = pl.col(name).str.contains(r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")
    milliseconds = pl.when(is_ulid).then(pl.sum_horizontal(digits, ignore_nulls=False))
    return pl.from_epoch(milliseconds, time_unit="ms").dt.replace_time_zone("UTC").cast(UTC_MICROSECONDS)
