"""Satisfaction surveys, of the vendor's two kinds: ratings of a ticket, and responses to a survey.

Belongs here: fetching both, and the facts that they state. Does not: HTTP (`helpdesk`), tickets.

An account has one of the two active at a time, and its past may be in the other; each is a stream of its own, so that
one that cannot be read leaves the other's coverage alone. What both state:

* `survey.sent`: a customer was asked. A ticket's rating is asked for once (the vendor's own rule), at the time at
  which its rating was created; a response when it was created, which its id (a ULID) holds.
* `survey.answered`: the answer that holds now, at the time at which it was last changed: good or bad, and for a
  response the score on the survey's own scale. A customer who changes a rating corrects the fact.

An answer can be changed for weeks, so each reading goes back over the last five. The ratings of a deleted ticket may
still be listed: tickets deleted in that time are read from the ticket export, and their surveys state nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.people import EACH, People, Place
from pipelines.source import Account, Covered, Read, Record, Stream
from pipelines.zendesk.helpdesk import EXPORT_DELAY, USER, Helpdesk, Item

FEEDS = ("survey.sent", "survey.answered")
CHANGEABLE = timedelta(days=35)

RATINGS = pl.Struct(
    {
        "ticket_id": pl.String(),
        "requester_id": pl.String(),
        "ratings": pl.List(
            pl.Struct({"id": pl.String(), "score": pl.String(), "created_at": pl.String(), "updated_at": pl.String()})
        ),
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
RESPONSES = pl.Struct(
    {
        "ticket_id": pl.String(),
        "responses": pl.List(pl.Struct({"id": pl.String(), "responder_id": pl.String(), "answers": pl.List(_ANSWER)})),
    }
)

_NO_TICKET = "response:"
_TICKETS_A_REQUEST = 50
_RECORDS_A_PAGE = 1000
_ULID_DIGITS = {digit: value for value, digit in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


def satisfaction_ratings(account: Account, subdomain: str, customer: str) -> Stream:
    """Ratings of tickets: the older kind."""
    return Stream(
        name="satisfaction_ratings",
        feeds=FEEDS,
        fetch=lambda read: _fetch_ratings(account, subdomain, read),
        payload=RATINGS,
        facts=lambda records: rating_facts(records, subdomain, customer),
        overlap=CHANGEABLE,
        people=_people(customer, "requester_id"),
    )


def survey_responses(account: Account, subdomain: str, customer: str) -> Stream:
    """Responses to surveys: the newer kind."""
    return Stream(
        name="survey_responses",
        feeds=FEEDS,
        fetch=lambda read: _fetch_responses(account, subdomain, read),
        payload=RESPONSES,
        facts=lambda records: response_facts(records, subdomain, customer),
        overlap=CHANGEABLE,
        people=_people(customer, "responses", EACH, "responder_id"),
    )


def _people(customer: str, *path: str) -> People:
    """Surveys are of whoever answers them."""
    return People(whose=(Place(USER, path),), account=USER if customer == "requester" else None)


def _fetch_ratings(account: Account, subdomain: str, read: Read) -> Generator[list[Record], None, Covered]:
    helpdesk = Helpdesk(account, subdomain, read.clock)
    since = {} if read.since is None else {"start_time": int(read.since.timestamp())}
    found = _Found()
    for page in helpdesk.listed("/api/v2/satisfaction_ratings.json", "satisfaction_ratings", since):
        for rating in page:
            found.add(str(rating.get("ticket_id")), _rating_kept(rating))
    yield from _records(helpdesk, read, found, _rating_payload)
    return _covered(read)


def _fetch_responses(account: Account, subdomain: str, read: Read) -> Generator[list[Record], None, Covered]:
    helpdesk = Helpdesk(account, subdomain, read.clock)
    since = {} if read.since is None else {"filter[created_at_start]": int(read.since.timestamp() * 1000)}
    found = _responses(helpdesk, since)
    if read.since is not None:
        asked = [key for key in found.of_ticket if not key.startswith(_NO_TICKET)]
        for start in range(0, len(asked), _TICKETS_A_REQUEST):
            zrns = ",".join(f"zen:ticket:{key}" for key in asked[start : start + _TICKETS_A_REQUEST])
            found.of_ticket |= _responses(helpdesk, {"filter[subject_zrns]": zrns}).of_ticket
    yield from _records(helpdesk, read, found, _response_payload)
    return _covered(read)


@dataclass
class _Found:
    """What is kept of surveys, by their ticket: the vendor lists them by time. Packed, as all of them are held."""

    of_ticket: dict[str, list[bytes]] = field(default_factory=dict)

    def add(self, ticket: str, kept: Item) -> None:
        """One more survey of a ticket."""
        self.of_ticket.setdefault(ticket, []).append(orjson.dumps(kept))

    def pages(self) -> Iterator[list[tuple[str, list[Item]]]]:
        """Tickets with their surveys."""
        keys = list(self.of_ticket)
        for start in range(0, len(keys), _RECORDS_A_PAGE):
            page = keys[start : start + _RECORDS_A_PAGE]
            yield [(key, [orjson.loads(one) for one in self.of_ticket[key]]) for key in page]


def _responses(helpdesk: Helpdesk, filters: dict[str, Any]) -> _Found:
    """Responses by their ticket; one about something else (a conversation) stands for itself."""
    found = _Found()
    pages = helpdesk.listed("/api/v2/guide/survey_responses", "survey_responses", {"sort": "id", **filters}, size=50)
    for response in (response for page in pages for response in page):
        subjects = response.get("subjects") or ()
        ticket = next((str(s["id"]) for s in subjects if s.get("type") == "ticket"), None)
        found.add(ticket or f"{_NO_TICKET}{response['id']}", _response_kept(response))
    return found


def _records(
    helpdesk: Helpdesk, read: Read, found: _Found, payload: Callable[[str, list[Item]], Item]
) -> Iterator[list[Record]]:
    """One record a ticket. Without revision: what arrives last holds, and a deletion is last."""
    deleted: set[str] = set()
    for page, _ in helpdesk.changed_tickets(read.since, None):
        for ticket in page:
            (deleted.add if ticket.get("status") == "deleted" else deleted.discard)(str(ticket["id"]))
    yield [Record(key, None, {"ticket_id": key}, is_deleted=True) for key in sorted(deleted)]
    for of_tickets in found.pages():
        yield [Record(key, None, payload(key, surveys)) for key, surveys in of_tickets if key not in deleted]


def _covered(read: Read) -> Covered:
    return Covered(read.since, read.until - EXPORT_DELAY)


def _rating_kept(rating: Item) -> Item:
    return {name: rating.get(name) for name in ("id", "score", "created_at", "updated_at", "requester_id")}


def _rating_payload(ticket: str, ratings: list[Item]) -> Item:
    requester = ratings[-1]["requester_id"]
    rated = [{name: value for name, value in rating.items() if name != "requester_id"} for rating in ratings]
    return {"ticket_id": ticket, "requester_id": requester, "ratings": rated}


def _response_kept(response: Item) -> Item:
    kept = ("type", "rating", "rating_category", "created_at", "updated_at")
    return {
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


def _response_payload(ticket: str, responses: list[Item]) -> Item:
    return {"ticket_id": ticket, "responses": responses}


def rating_facts(records: pl.LazyFrame, subdomain: str, customer: str) -> pl.LazyFrame:
    """What the ratings of tickets state."""
    offered = records.explode("ratings").unnest("ratings").filter(pl.col("score").ne_missing("unoffered"))
    rows = offered.with_columns(sent=_time("created_at"), changed=_time("updated_at"))
    newest = rows.sort("record_key", "changed", "id").group_by("record_key", maintain_order=True)
    asked = newest.agg(
        pl.col("ticket_id", "requester_id", "score", "changed").last(),
        pl.col("sent").min(),
        has_time=(pl.col("sent").is_not_null() & pl.col("changed").is_not_null()).all(),
    )
    problem = (
        pl.when(~pl.col("has_time"))
        .then(pl.lit("created_at or updated_at: not a time"))
        .when(~pl.col("score").fill_null("").is_in(["offered", "good", "bad"]))
        .then(pl.format("score: neither offered nor good nor bad ({})", pl.col("score").fill_null("nothing")))
    )
    common = asked.select(
        "record_key",
        "score",
        "sent",
        "changed",
        subject_id="ticket_id",
        account_id=_customer("requester_id", customer),
        source_url=_ticket_url(subdomain, "ticket_id"),
        key=pl.format("ticket/{}", "ticket_id"),
        problem=problem,
    )
    answered = common.filter(pl.col("score").is_in(["good", "bad"])).with_columns(rating="score")
    return pl.concat([_fact(common, "sent", "sent"), _fact(answered, "answered", "changed", "rating")], how="diagonal")


def response_facts(records: pl.LazyFrame, subdomain: str, customer: str) -> pl.LazyFrame:
    """What responses to surveys state."""
    has_ticket = ~pl.col("ticket_id").str.starts_with(_NO_TICKET)
    sent = records.explode("responses").unnest("responses").filter(pl.col("id").is_not_null())
    common = sent.select(
        "record_key",
        "answers",
        subject_id="id",
        account_id=_customer("responder_id", customer),
        source_url=pl.when(has_ticket).then(_ticket_url(subdomain, "ticket_id")),
        key=pl.format("response/{}", "id"),
        sent=_ulid_time("id"),
    ).with_columns(problem=pl.when(pl.col("sent").is_null()).then(pl.format("id: not a ULID ({})", "subject_id")))
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


def _time(name: str) -> pl.Expr:
    return pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC", strict=False).cast(UTC_MICROSECONDS)


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
