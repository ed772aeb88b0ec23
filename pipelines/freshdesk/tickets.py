"""Tickets, one record for each time that one was seen to have changed, and what they state together.

Belongs here: the facts that a ticket's sightings state. Does not: reading them (`reading`), HTTP (`helpdesk`), surveys.

Freshdesk lists no history of a ticket. It has the ticket as it is now, and of its past these times (`include=stats`):
the first reply, the last change of the status, the last reopening, since when it is pending, and when it was solved and
closed, which are emptied when it is opened again. So each reading keeps the ticket as it is seen (a sighting: ticket
and time of its last change), and the facts of a ticket are read from all of them:

* `ticket.created`: at the ticket's `created_at`;
* `ticket.status_entered`: each status that was seen, at the time of its entry, and those that the times above tell;
* `ticket.first_replied`: the vendor's own first response. Where it has none though an agent has responded, or one
  that is no later than the creation: the first public reply or note to the customer among the conversations;
* `ticket.solved`: each time of solving that was seen; a ticket that was closed without it is solved by that;
* `ticket.reopened`: each time of reopening, and where a ticket that was solved or closed is seen in another status;
  `ticket.closed`: each time of closing.

Each says the priority of the first sighting that shows it; the first reply and each solving, where the options want it,
whether they came by the time that the service level had set, as that sighting has it. What happens and is undone
between two readings leaves nothing. A ticket that is deleted, or taken for spam, states nothing while it is so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.freshdesk.reading import DUE, TIMES, Archive, fetch
from pipelines.people import People, Place
from pipelines.source import Account, Stream
from pipelines.ticketing import USER, SurveySent, feeds, of_ticket, surveys_sent, time_of

PRIORITIES = {"1": "low", "2": "normal", "3": "high", "4": "urgent"}
"""The vendor calls its second one medium."""

PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "created_at": pl.String(),
        "updated_at": pl.String(),
        "status": pl.String(),
        "priority": pl.String(),
        "source": pl.String(),
        "requester_id": pl.String(),
        "company_id": pl.String(),
        "is_gone": pl.Boolean(),
        "replied_at": pl.String(),
        "replied_by": pl.String(),
        **dict.fromkeys((*TIMES, *DUE), pl.String()),
    }
)
OPEN, PENDING, SOLVED, CLOSED = "2", "3", "4", "5"


@dataclass(frozen=True)
class Words:
    """The vendor's numbers of statuses and channels, in our words."""

    statuses: Mapping[str, str]
    channels: Mapping[str, str]


def tickets(
    account: Account,
    subdomain: str,
    customer: str,
    statuses: Mapping[int, str],
    channels: Mapping[int, str],
    survey_sent: SurveySent | None,
    *,
    has_sla: bool,
    archive: Archive,
) -> Stream:
    """The stream. customer: `requester` or `company`; statuses, channels: vendor's number -> our word."""
    words = Words(
        {str(number): word for number, word in statuses.items()},
        {str(number): word for number, word in channels.items()},
    )
    return Stream(
        name="tickets",
        feeds=feeds(survey_sent),
        fetch=lambda read: fetch(account, subdomain, archive, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, subdomain, customer, words, survey_sent, has_sla=has_sla),
        group=of_ticket,
        people=People(
            whose=(Place(USER, ("requester_id",)),),
            beside=(Place(USER, ("replied_by",)),),
            account=USER if customer == "requester" else None,
            actor=USER,
        ),
    )


def facts(
    records: pl.LazyFrame,
    subdomain: str,
    customer: str,
    words: Words,
    survey_sent: SurveySent | None = None,
    *,
    has_sla: bool = False,
) -> pl.LazyFrame:
    """What tickets state, from all of their sightings."""
    reply_by, solve_by = DUE if has_sla else (None, None)
    sightings = _sightings(records, subdomain, customer, words)
    alive = sightings.filter(~pl.col("is_gone") & ~pl.col("is_gone").last().over("id"))
    solved = _each(alive, "solved", pl.coalesce("resolved_at", "closed_at"), due=solve_by)
    closed = _each(alive, "closed", pl.col("closed_at"))
    stated = [
        _once(alive, "created", pl.col("created_at"), "channel"),
        _once(alive, "first_replied", _first_replied(), "channel", "actor", due=reply_by),
        _statuses(alive, words),
        solved,
        _each(alive, "reopened", pl.col("reopened_at")),
        _seen_reopened(alive),
        closed,
    ]
    if survey_sent:
        stated.append(surveys_sent(solved if survey_sent == "solved" else closed))
    every = pl.concat(stated, how="diagonal").with_columns(subject_id="id").drop("id", "changed")
    return pl.concat([every, _problems(sightings)], how="diagonal")


def _sightings(records: pl.LazyFrame, subdomain: str, customer: str, words: Words) -> pl.LazyFrame:
    """One row a sighting, each ticket's in order; times as times, the texts that they were beside them."""
    times = ("created_at", "updated_at", "replied_at", *TIMES, *DUE)
    return (
        records.with_columns(
            *(pl.col(name).alias(f"{name}_text") for name in times),
            channel=pl.col("source").replace(dict(words.channels)),
            actor="replied_by",
            account_id=pl.col(f"{customer}_id"),
            priority=pl.col("priority").replace(PRIORITIES),
            source_url=pl.format("https://{}.freshdesk.com/a/tickets/{}", pl.lit(subdomain), "id"),
        )
        .with_columns(*(time_of(name) for name in times), is_gone=pl.col("is_gone").fill_null(value=False))
        .with_columns(changed=pl.coalesce("revision", "updated_at"))
        .sort("id", "changed", "record_key", nulls_last=False)
    )


def _first_replied() -> pl.Expr:
    after = pl.col("first_responded_at") > pl.col("created_at")
    return pl.coalesce(pl.when(after).then("first_responded_at"), "replied_at")


_SHARED = ("record_key", "id", "changed", "account_id", "priority", "source_url")


def _kept_to(due: str | None) -> dict[str, pl.Expr]:
    return {} if due is None else {"is_within_sla": pl.col("occurred_at") <= pl.col(due)}


def _once(alive: pl.LazyFrame, kind: str, at: pl.Expr, *attributes: str, due: str | None = None) -> pl.LazyFrame:
    """A fact that a ticket states once, as the first sighting shows it that does. due: by when it was to come."""
    shown = alive.with_columns(occurred_at=at).filter(pl.col("occurred_at").is_not_null())
    if "actor" in attributes:  # who answered is known where the conversations were asked
        of_reply = pl.col("replied_at") == pl.col("occurred_at")
        shown = shown.with_columns(actor=pl.when(of_reply).then("actor"))
    return shown.unique("id", keep="first", maintain_order=True).select(
        *_SHARED,
        *attributes,
        "occurred_at",
        fact_key=pl.format("ticket/{}/{}", "id", pl.lit(kind)),
        event_type=pl.lit(f"ticket.{kind}"),
        **_kept_to(due),
    )


def _each(alive: pl.LazyFrame, kind: str, at: pl.Expr, due: str | None = None) -> pl.LazyFrame:
    """A fact for each different time that sightings show, as the first one shows it. due: by when it was to come."""
    shown = alive.with_columns(occurred_at=at).filter(pl.col("occurred_at").is_not_null())
    return _at_times(shown, kind, due)


def _at_times(shown: pl.LazyFrame, kind: str, due: str | None = None) -> pl.LazyFrame:
    key = pl.format("ticket/{}/{}/{}", "id", pl.lit(kind), pl.col("occurred_at").dt.epoch("s"))
    return shown.unique(["id", "occurred_at"], keep="first", maintain_order=True).select(
        *_SHARED, "occurred_at", fact_key=key, event_type=pl.lit(f"ticket.{kind}"), **_kept_to(due)
    )


def _seen_reopened(alive: pl.LazyFrame) -> pl.LazyFrame:
    """Tickets seen at work that were seen solved or closed, where the vendor names no reopening in between."""
    done = pl.col("status").is_in([SOLVED, CLOSED])
    was_done = done.shift(1).over("id").fill_null(value=False)
    since = pl.col("status_updated_at").shift(1).over("id")
    back = alive.with_columns(was_done=was_done, since=since).filter(
        ~done & pl.col("was_done") & ~(pl.col("reopened_at") > pl.col("since")).fill_null(value=False)
    )
    return _at_times(back.with_columns(occurred_at=pl.coalesce("status_updated_at", "updated_at")), "reopened")


def _statuses(alive: pl.LazyFrame, words: Words) -> pl.LazyFrame:
    """Each status at the time of its entry; what follows itself was not entered anew, unless by a reopening."""
    now = pl.coalesce("status_updated_at", "updated_at")
    solved_first = (pl.col("resolved_at") < pl.col("closed_at")) | pl.col("closed_at").is_null()
    is_open_again = (pl.col("status") == OPEN) | (pl.col("status_updated_at") > pl.col("reopened_at"))
    told = [
        (pl.lit(OPEN), pl.when(is_open_again).then("reopened_at"), True),
        (pl.col("status"), now, False),
        (pl.lit(PENDING), pl.col("pending_since"), False),
        (pl.lit(SOLVED), pl.when(solved_first).then("resolved_at"), False),
        (pl.lit(CLOSED), pl.col("closed_at"), False),
    ]
    entered = pl.concat(
        [
            alive.with_columns(status=status, occurred_at=at, is_reopening=pl.lit(is_reopening))
            for status, at, is_reopening in told
        ]
    ).filter(pl.col("occurred_at").is_not_null())
    in_order = entered.unique(["id", "status", "occurred_at"], keep="first", maintain_order=True).sort(
        "id", "occurred_at", "status", maintain_order=True
    )
    is_other = pl.col("status").ne_missing(pl.col("status").shift(1).over("id"))
    return in_order.filter(is_other | pl.col("is_reopening")).select(
        *_SHARED,
        "occurred_at",
        status=pl.col("status").replace(dict(words.statuses)),
        fact_key=pl.format("ticket/{}/status_entered/{}/{}", "id", "status", pl.col("occurred_at").dt.epoch("s")),
        event_type=pl.lit("ticket.status_entered"),
    )


def _problems(sightings: pl.LazyFrame) -> pl.LazyFrame:
    """Sightings that cannot be understood; the first reason."""
    needed = [_strange(name, may_be_empty=False) for name in ("created_at", "updated_at")]
    others = [_strange(name, may_be_empty=True) for name in ("replied_at", *TIMES, *DUE)]
    status = pl.when(pl.col("status").is_null() & ~pl.col("is_gone")).then(pl.lit("status: nothing"))
    return sightings.select("record_key", problem=pl.coalesce(*needed, status, *others)).filter(
        pl.col("problem").is_not_null()
    )


def _strange(name: str, *, may_be_empty: bool) -> pl.Expr:
    text = pl.col(f"{name}_text")
    strange = pl.col(name).is_null() & (text.is_not_null() if may_be_empty else pl.lit(value=True))
    found = pl.format("{}: not a time ({})", pl.lit(name), text.fill_null("nothing"))
    return pl.when(strange & ~(pl.col("is_gone") & (pl.lit(name) == "created_at"))).then(found)
