"""Issues that are tickets, one record each with its history, and what they state.

Belongs here: the stream, and the facts that its records state. Does not: HTTP (`api`), which issues are read
(`reading`, `scope`), what is kept of one (`issues`), satisfaction (`surveys`).

The history is Jira's changelog: each change of the status, the priority, the resolution, the type and the project, with
its time. An issue's identity is its numeric id, as its key changes when it moves. What it states:

* `ticket.created`: when it was created; one that came from another project, or from a type that is no ticket, counts
  from when it first came here, so that the days before stay as they were;
* `ticket.status_entered`: each status in turn, the first one too;
* `ticket.first_replied`: the first comment that the customer can see, after that, by somebody of the company: an
  Atlassian account that is not the reporter's. Internal notes, customers' comments and automations are no replies;
* `ticket.solved`: each entry into a status that means so, and into one that means closed where it was not solved
  before; not with a resolution that the options call unsolved; `ticket.reopened`: from solved or closed to anything
  else; `ticket.closed`: each entry into a closed status.

Each says the priority and category that the ticket had then; the first reply and each solving, where the options name
its service level, whether that was kept, as Jira itself judged it. A status that has left the workflows has the
category that it was last seen with; where that was never seen, and the options go by categories, its tickets are set
aside until the options name the status.
"""

from __future__ import annotations

from collections.abc import Generator

import polars as pl

from pipelines.jira.api import Api
from pipelines.jira.issues import CHANNEL, EMPTIED, HISTORY_FIELDS, PAYLOAD, Keeper
from pipelines.jira.options import CATEGORY, CHANNELS, PRIORITIES, JiraOptions
from pipelines.jira.reading import Asked, read_scope
from pipelines.jira.scope import scope
from pipelines.jira.words import Words
from pipelines.people import EACH, People, Place
from pipelines.source import Account, Covered, Mark, Read, Record, Stream
from pipelines.ticketing import USER, feeds, surveys_sent, time_of

SAME_MOMENT = "1m"
"""A service level ends with the change that ends it, give or take what Jira takes to note it."""


def tickets(account: Account, options: JiraOptions) -> Stream:
    """The stream."""
    return Stream(
        name="tickets",
        feeds=feeds(options.survey_sent),
        fetch=lambda read: _fetch(account, options, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options),
        people=People(
            whose=(Place(USER, ("reporter",)),),
            beside=(Place(USER, ("steps", EACH, "by")), Place(USER, ("replied_by",))),
            account=USER if options.customer == "reporter" else None,
            actor=USER,
        ),
    )


def _fetch(account: Account, options: JiraOptions, read: Read) -> Generator[list[Record] | Mark, None, Covered]:
    api = Api(account, options.site, read.clock)
    fields = api.fields() if options.needs_fields else []
    asked = Asked(
        scope=scope(api, options, fields),
        changed="updated",
        fields=("updated", *HISTORY_FIELDS, "reporter", "comment", options.customer),
        properties=(CHANNEL,),
        told=(options.sla or "", options.reply_sla or ""),
        most_gone=options.most_gone,
    )
    words = Words.of(api, options, read.mark or read.cursor)
    words.refuse_unknown_fields(fields)
    words.refuse_unknown(has_read_all=asked.is_as_before(read.cursor))
    keeper = Keeper(api, options, asked.scope, words, read)
    covered = yield from read_scope(api, asked, read, keeper.records, words.noted)
    words.refuse_unknown(has_read_all=True)
    return covered


def facts(records: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    """What tickets state."""
    said = records.with_columns(
        entered=time_of("entered_at"),
        replied=time_of("replied_at"),
        account_id="reporter" if options.customer == "reporter" else "customer",
        channel=pl.col("channel").replace({**CHANNELS, **options.channels}),
        source_url=pl.lit(options.url()) + pl.col("id"),
    )
    moments = _moments(said, options)
    stated = [
        _created(moments),
        _first_replies(said, moments),
        _of_moments(moments.filter(pl.col("status").ne_missing(pl.col("before"))), "status_entered", "word"),
        _solved(said, moments, options),
        _of_moments(moments.filter(pl.col("was_done") & (pl.col("phase") == "open")), "reopened"),
        _of_moments(_closed(moments), "closed"),
    ]
    if options.survey_sent is not None:
        stated.append(surveys_sent(stated[3] if options.survey_sent == "solved" else stated[5]))
    every = pl.concat(stated, how="diagonal").with_columns(subject_id="id").drop("id")
    return pl.concat([every, _problems(said, options)], how="diagonal")


_SHARED = ("record_key", "id", "account_id", "priority", "category", "source_url", "actor")


def _moments(said: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    """One row for each ticket's arrival and each change after it, in order, with what was in force from then on."""
    current = [pl.col(name).alias(f"{name}_now") for name in ("status", "priority", "issuetype", "project")]
    base = said.select(
        "record_key", "id", "entered", "replied", "account_id", "channel", "source_url", "is_moved_here", *current
    )
    steps = (
        said.select("record_key", step="steps")
        .explode("step")
        .filter(pl.col("step").is_not_null())
        .unnest("step")
        .with_columns(occurred_at=time_of("at"), order=pl.col("id").cast(pl.Int64, strict=False), rank=pl.lit(0))
        .rename({"id": "step_id", "by": "actor"})
        .drop("at")
    )
    # Who comes from elsewhere arrives by the change that brings them; who is created here was here before any.
    rank = pl.when("is_moved_here").then(1).otherwise(-1).cast(pl.Int32)
    arrivals = base.select("record_key", occurred_at="entered", rank=rank, step_id=pl.lit("arrival"))
    rows = (
        pl.concat([steps, arrivals], how="diagonal")
        .join(base, on="record_key")
        .sort("record_key", "occurred_at", "rank", "order")
    )
    rows = rows.with_columns(*(_in_force(name) for name in ("status", "priority", "issuetype", "project")))
    rows = rows.with_columns(
        resolution=pl.col("resolution").forward_fill().over("record_key"),
        priority=pl.when(pl.col("priority") != EMPTIED).then(
            pl.col("priority").replace({**PRIORITIES, **options.priorities})
        ),
        category=pl.col(options.category) if options.category else pl.lit(None, pl.String()),
        is_arrived=(pl.col("rank") != 0).cum_max().over("record_key"),
    )
    known = _words(said, options)
    arrived = rows.filter("is_arrived").join(known, on=["record_key", "status"], how="left")
    before = pl.col("phase").shift(1).over("record_key")
    return arrived.sort("record_key", "occurred_at", "rank", "order").with_columns(
        before=pl.col("status").shift(1).over("record_key"),
        was_phase=before,
        was_done=before.is_in(["solved", "closed"]).fill_null(value=False),
    )


def _in_force(name: str) -> pl.Expr:
    """A field's value from a change on: before the first change, what it was changed from; without any, today's.

    What was changed to nothing is nothing from then on, and not what it was before.
    """
    first = pl.col(f"was_{name}").filter(pl.col(name).is_not_null()).first().over("record_key")
    return pl.coalesce(pl.col(name).forward_fill().over("record_key"), first, f"{name}_now").alias(name)


def _words(said: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    """Each status of a ticket as events call it, and what it means: open, solved or closed."""
    statuses, name, id_ = _statuses(said), pl.col("name"), pl.col("id")

    def is_one_of(named: tuple[str, ...], *, by_category: bool) -> pl.Expr:
        if by_category:
            return (pl.lit(CATEGORY) + pl.col("category")).is_in(named).fill_null(value=False)
        return name.is_in(named) | id_.is_in(named)

    phase = pl.lit("open")
    for meant, named, by_category in (
        ("solved", options.solved, True),
        ("closed", options.closed, True),
        ("solved", options.solved, False),
        ("closed", options.closed, False),
    ):
        phase = pl.when(is_one_of(named, by_category=by_category)).then(pl.lit(meant)).otherwise(phase)
    word = pl.coalesce(
        id_.replace_strict(options.statuses, default=None, return_dtype=pl.String()),
        name.replace(options.statuses),
        id_,
    )
    return statuses.select("record_key", status="id", word=word, phase=phase)


def _statuses(said: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each status that a ticket has had."""
    found = said.select("record_key", one="statuses").explode("one")
    return found.filter(pl.col("one").is_not_null()).unnest("one")


def _created(moments: pl.LazyFrame) -> pl.LazyFrame:
    arrivals = moments.filter(pl.col("rank") != 0)
    return arrivals.select(
        *_SHARED,
        "channel",
        "occurred_at",
        fact_key=pl.format("ticket/{}/created", "id"),
        event_type=pl.lit("ticket.created"),
    )


def _first_replies(said: pl.LazyFrame, moments: pl.LazyFrame) -> pl.LazyFrame:
    """What was in force when the ticket was first replied to."""
    by = said.select("record_key", "replied_by")
    until = moments.filter(pl.col("replied").is_not_null() & (pl.col("occurred_at") <= pl.col("replied")))
    last = until.unique("record_key", keep="last", maintain_order=True).join(by, on="record_key")
    replies = last.select(
        *(name for name in _SHARED if name not in ("actor", "category")),
        "channel",
        actor="replied_by",
        occurred_at="replied",
        fact_key=pl.format("ticket/{}/first_replied", "id"),
        event_type=pl.lit("ticket.first_replied"),
    )
    return _with_level(replies, said, "first_replied")


def _solved(said: pl.LazyFrame, moments: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    is_unsolved = pl.col("resolution").is_in(options.unsolved_resolutions).fill_null(value=False)
    entered = moments.filter(pl.col("phase").is_in(["solved", "closed"]) & ~pl.col("was_done") & ~is_unsolved)
    return _with_level(_of_moments(entered, "solved"), said, "solved")


def _with_level(facts_: pl.LazyFrame, said: pl.LazyFrame, kind: str) -> pl.LazyFrame:
    """Facts with whether the service level that ended with them was kept; null where none did."""
    levels = (
        said.select("record_key", one="levels")
        .explode("one")
        .filter(pl.col("one").is_not_null())
        .unnest("one")
        .select("record_key", "of", stopped=time_of("stopped_at"), is_within_sla=~pl.col("is_breached"))
        .filter(pl.col("stopped").is_not_null() & (pl.col("of") == kind))
        .drop("of")
        .sort("stopped")
    )
    return (
        facts_.sort("occurred_at")
        .join_asof(
            levels,
            left_on="occurred_at",
            right_on="stopped",
            by="record_key",
            strategy="nearest",
            tolerance=SAME_MOMENT,
            check_sortedness=False,
        )
        .drop("stopped")
    )


def _closed(moments: pl.LazyFrame) -> pl.LazyFrame:
    return moments.filter((pl.col("phase") == "closed") & pl.col("was_phase").ne_missing("closed"))


def _of_moments(moments: pl.LazyFrame, kind: str, *attributes: str) -> pl.LazyFrame:
    status = {"status": pl.col("word")} if attributes else {}
    return moments.select(
        *_SHARED,
        "occurred_at",
        fact_key=pl.format("ticket/{}/{}/{}", "id", pl.lit(kind), "step_id"),
        event_type=pl.lit(f"ticket.{kind}"),
        **status,
    )


def _problems(said: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    at = pl.element().struct.field("at")
    is_timeless = at.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False).is_null()
    problem = (
        pl.when(pl.col("entered").is_null())
        .then(pl.format("created: not a time ({})", pl.col("entered_at").fill_null("nothing")))
        .when(pl.col("steps").list.eval(is_timeless).list.any().fill_null(value=False))
        .then(pl.lit("the history has a change without a time"))
        .when(pl.col("status").is_null())
        .then(pl.lit("status: nothing"))
    )
    told = said.select("record_key", problem=problem).filter(pl.col("problem").is_not_null())
    return pl.concat([told, _unknown_categories(said, options)])


def _unknown_categories(said: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    """Tickets that had a status of which nobody knows any more what it meant."""
    named = {*options.solved, *options.closed, *options.statuses}
    is_by_category = any(one.startswith(CATEGORY) for one in (*options.solved, *options.closed))
    is_unknown = pl.col("category").is_null() & ~pl.col("name").is_in(named) & ~pl.col("id").is_in(named)
    found = _statuses(said).filter(is_unknown.fill_null(value=True) & pl.lit(is_by_category))
    return found.unique("record_key", keep="first").select(
        "record_key",
        problem=pl.format(
            "status {} is in no workflow any more, so its category is not known: name it in `solved`, `closed` or "
            "`statuses`",
            "id",
        ),
    )
