"""Tickets, one record for each time that one was seen to have changed, and what they state together.

Belongs here: which part of a ticket is kept, and the facts that its sightings state. Does not: HTTP (`helpdesk`),
surveys.

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

A ticket that is archived is in no list any more: what it has stated stays. Those that were archived before the first
reading are asked for one by one: every number below the highest one that no list has. Where they are not
(`Archive.first` is None), what is covered begins only where every ticket that something was done to is still listed; so
it does after a pause in which tickets may have been archived unseen.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import polars as pl

from pipelines.freshdesk.helpdesk import BEGINNING, PAGE_SIZE, Helpdesk, Item, NoArchive
from pipelines.people import People, Place
from pipelines.source import Account, Covered, Mark, Read, Record, SourceConfigError, Stream
from pipelines.ticketing import USER, SurveySent, feeds, instant, of_ticket, revision, surveys_sent, time_of

PRIORITIES = {"1": "low", "2": "normal", "3": "high", "4": "urgent"}
"""The vendor calls its second one medium."""

LISTS: Mapping[str, Mapping[str, str]] = {
    "live": {"include": "stats"},
    "deleted": {"filter": "deleted"},
    "spam": {"filter": "spam"},
}
"""In the order in which they are read: a ticket that is deleted meanwhile is seen live first, and then gone."""

ARCHIVED = "archived"

TIMES = ("first_responded_at", "status_updated_at", "reopened_at", "pending_since", "resolved_at", "closed_at")
DUE = ("fr_due_by", "due_by")
"""By when the vendor's service level wants a first reply, and a solution; no time is set where it is off."""
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

_REPLY, _NOTE = 0, 2
_KEPT = ("id", "created_at", "updated_at", "status", "priority", "source", "requester_id", "company_id", *DUE)


@dataclass(frozen=True)
class Words:
    """The vendor's numbers of statuses and channels, in our words."""

    statuses: Mapping[str, str]
    channels: Mapping[str, str]


@dataclass(frozen=True)
class Archive:
    """What is known of an account's archive.

    after: how long after its last change a closed ticket is archived, at the soonest; None: never yet. first: the
    account's first ticket, down to which the archive is asked for on the first reading; None: it is not. is_told:
    whether somebody said so; otherwise numbers may begin anywhere, and `MOST_NOWHERE` in a row are a reason to ask.
    """

    after: timedelta | None
    first: int | None
    is_told: bool


MOST_NOWHERE = 5_000
"""So many tickets in a row that are gone for good are hard to believe; numbers that began higher are not."""


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
        fetch=lambda read: _fetch(account, subdomain, archive, read),
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


def _fetch(
    account: Account, subdomain: str, archive: Archive, read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    helpdesk = Helpdesk(account, subdomain, read.clock)
    lists = list(LISTS)
    at, reached, highest = lists[0], read.since or BEGINNING, 0
    if read.mark is not None:
        marked = orjson.loads(read.mark)
        at, highest = marked["list"], marked["highest"]
        reached = datetime.fromisoformat(marked["from"]) if marked["from"] else BEGINNING
    listed: set[int] = set()
    for name in lists[lists.index(at) :] if at in lists else []:
        start = reached if name == at else read.since or BEGINNING
        seen: set[str] = set()
        for page, going_on_from in helpdesk.tickets(start, **LISTS[name]):
            new = [one for one in page if _key(one) not in seen]
            seen = {_key(one) for one in page}
            listed |= {int(one["id"]) for one in page}
            highest = max(highest, *(int(one["id"]) for one in page), 0)
            yield [_record(helpdesk, one, read, is_gone=name != "live") for one in new]
            yield _mark(name, highest, going_on_from)
    is_whole = read.since is None and archive.after is not None and archive.first is not None and highest > 0
    if is_whole:
        yield from _archived(helpdesk, archive, highest, listed, read)
    return Covered(read.since if is_whole else _known_from(read, archive.after), read.until)


def _mark(place: str, highest: int, going_on_from: datetime | None = None) -> Mark:
    """highest: of the tickets that were listed so far; in the archive, the next one to ask for.

    It is rounded up, so that no mark has the number of somebody's ticket; who asks for some too many finds none.
    """
    since = going_on_from and going_on_from.isoformat()
    return Mark(orjson.dumps({"list": place, "highest": -(-highest // PAGE_SIZE) * PAGE_SIZE, "from": since}).decode())


def _archived(
    helpdesk: Helpdesk, archive: Archive, highest: int, listed: set[int], read: Read
) -> Generator[list[Record] | Mark, None, None]:
    """The tickets of the archive, downwards: what was listed before an interruption is asked for too, and not there."""
    found: list[Record] = []
    nowhere = 0
    for number in range(highest, (archive.first or 1) - 1, -1):
        try:
            ticket = None if number in listed else helpdesk.archived(number)
        except NoArchive:
            return
        nowhere = nowhere + 1 if ticket is None and number not in listed else 0
        if nowhere > MOST_NOWHERE and not archive.is_told:
            raise _nowhere(helpdesk)
        if ticket is not None:
            found.append(_record(helpdesk, ticket, read, is_gone=_is_gone(ticket), is_archived=True))
        if number % PAGE_SIZE == 1 and found:
            yield found
            yield _mark(ARCHIVED, number - 1)
            found = []
    if found:
        yield found


def _nowhere(helpdesk: Helpdesk) -> SourceConfigError:
    return SourceConfigError(
        helpdesk.source,
        f"{MOST_NOWHERE} tickets in a row are in no list and not in the archive",
        "Say in its options which number the account's first ticket has, `first_ticket: 1` where so many are gone for "
        "good, or `first_ticket: null` where the archive is not to be read",
    )


def _is_gone(archived: Item) -> bool:
    return bool(archived.get("deleted") or archived.get("spam"))


def _known_from(read: Read, archived_after: timedelta | None) -> datetime | None:
    """Since when every ticket that was changed is still listed: an archived one was changed before that."""
    if archived_after is None:
        return read.since
    listed_from = max(read.until, read.clock.now()) - archived_after
    return max(read.since or listed_from, listed_from)


def _key(ticket: Item) -> str:
    """A sighting: the ticket, and when it was last changed, in one way of writing times."""
    changed = instant(ticket.get("updated_at"))
    return f"{ticket['id']}/{changed.isoformat() if changed else '?'}"


def _record(helpdesk: Helpdesk, ticket: Item, read: Read, *, is_gone: bool, is_archived: bool = False) -> Record:
    if is_gone:
        gone = {name: ticket.get(name) for name in ("id", "updated_at", "requester_id")} | {"is_gone": True}
        return Record(_key(ticket), _changed(ticket, read), gone)
    kept: dict[str, Any] = {name: ticket.get(name) for name in _KEPT}
    stats = ticket.get("stats") or {}
    kept |= {name: stats.get(name) for name in TIMES}
    if _lacks_first_reply(ticket, stats):
        kept |= _first_reply(helpdesk.conversations(str(ticket["id"]), is_archived=is_archived), ticket)
    return Record(_key(ticket), _changed(ticket, read), {**kept, "is_gone": False})


def _changed(ticket: Item, read: Read) -> datetime | None:
    return revision(instant(ticket.get("updated_at")), read.until)


def _lacks_first_reply(ticket: Item, stats: Item) -> bool:
    """Whether only the conversations can say when the ticket was first replied to."""
    first, created = instant(stats.get("first_responded_at")), instant(ticket.get("created_at"))
    if first is not None and created is not None:
        return first <= created
    return not stats or (first is None and stats.get("agent_responded_at") is not None)


def _first_reply(conversations: list[Item], ticket: Item) -> dict[str, Any]:
    """When and by whom the customer was first answered: what is private, incoming or forwarded is no answer."""
    created = instant(ticket.get("created_at"))
    answers = sorted(
        (at, str(one["id"]), one)
        for one in conversations
        if one.get("incoming") is False
        and one.get("private") is False
        and one.get("source") in (_REPLY, _NOTE)
        and (at := instant(one.get("created_at"))) is not None
        and (created is None or at > created)
    )
    return {"replied_at": answers[0][2]["created_at"], "replied_by": answers[0][2].get("user_id")} if answers else {}


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
