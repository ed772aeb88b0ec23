"""Issues that are tickets, one record each with its history, and what they state.

Belongs here: which part of an issue is kept, and the facts that it states. Does not: HTTP (`api`), which issues are
read (`reading`), satisfaction (`surveys`).

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
its service level, whether that was kept, as Jira itself judged it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS, nearest
from pipelines.jira.api import USER, Api, Item, instant
from pipelines.jira.options import CATEGORY, CHANNELS, PRIORITIES, JiraOptions
from pipelines.jira.reading import Asked, at_utc, read_scope, revision
from pipelines.people import EACH, People, Place
from pipelines.source import Account, Covered, Mark, Read, Record, SourceConfigError, Stream

FEEDS = (
    "ticket.created",
    "ticket.status_entered",
    "ticket.first_replied",
    "ticket.solved",
    "ticket.reopened",
    "ticket.closed",
)
SURVEY_SENT = "survey.sent"
HISTORY_FIELDS = ("status", "priority", "resolution", "issuetype", "project")
SAME_MOMENT = "1m"
"""A service level ends with the change that ends it, give or take what Jira takes to note it."""
CHANNEL = "request.channel.type"
"""The property in which Service Management keeps the way in which a request came."""

_STEP = {
    "id": pl.String(),
    "at": pl.String(),
    "by": pl.String(),
    "status": pl.String(),
    "was_status": pl.String(),
    "priority": pl.String(),
    "was_priority": pl.String(),
    "issuetype": pl.String(),
    "was_issuetype": pl.String(),
    "project": pl.String(),
    "was_project": pl.String(),
    "resolution": pl.String(),
}
_STATUS = pl.Struct({"id": pl.String(), "name": pl.String(), "category": pl.String()})
_LEVEL = pl.Struct({"of": pl.String(), "stopped_at": pl.String(), "is_breached": pl.Boolean()})
PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "created_at": pl.String(),
        "entered_at": pl.String(),
        "is_moved_here": pl.Boolean(),
        "channel": pl.String(),
        "reporter": pl.String(),
        "customer": pl.String(),
        "status": pl.String(),
        "priority": pl.String(),
        "issuetype": pl.String(),
        "project": pl.String(),
        "replied_at": pl.String(),
        "replied_by": pl.String(),
        "statuses": pl.List(_STATUS),
        "steps": pl.List(pl.Struct(_STEP)),
        "levels": pl.List(_LEVEL),
    }
)


def tickets(account: Account, options: JiraOptions) -> Stream:
    """The stream."""
    return Stream(
        name="tickets",
        feeds=(*FEEDS, SURVEY_SENT) if options.survey_sent else FEEDS,
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
    here = {api.project_id(key) for key in options.projects}
    statuses = api.statuses()
    _require_statuses(api, options, statuses)
    asked = Asked(
        scope=options.scope,
        changed="updated",
        fields=("updated", *HISTORY_FIELDS, "reporter", "comment", options.customer),
        properties=(CHANNEL,),
        told=(options.sla or "", options.reply_sla or ""),
        most_gone=options.most_gone,
    )
    gather = partial(_records, api, options, here, statuses, read)
    return (yield from read_scope(api, asked, read, gather))


def _require_statuses(api: Api, options: JiraOptions, statuses: Mapping[str, tuple[str, str]]) -> None:
    """A misspelt status would mean that nothing is ever solved."""
    known = {*statuses, *(name for name, _ in statuses.values()), *(CATEGORY + key for _, key in statuses.values())}
    for name in (*options.solved, *options.closed):
        if name not in known and not name.startswith(CATEGORY):
            likely = nearest(name, sorted(known))
            raise SourceConfigError(
                api.source,
                f"the options name the status '{name}', which the site does not have",
                f"Did you mean {' or '.join(likely)}?" if likely else f"There are: {', '.join(sorted(known))}",
            )


# What is kept of an issue


def _records(
    api: Api,
    options: JiraOptions,
    here: set[str],
    statuses: Mapping[str, tuple[str, str]],
    read: Read,
    issues: list[Item],
) -> list[Record]:
    histories = api.histories([str(one["id"]) for one in issues], HISTORY_FIELDS)
    return [_record(api, options, here, statuses, read, one, histories.get(str(one["id"]), [])) for one in issues]


def _record(
    api: Api,
    options: JiraOptions,
    here: set[str],
    statuses: Mapping[str, tuple[str, str]],
    read: Read,
    issue: Item,
    histories: list[Item],
) -> Record:
    id_, fields = str(issue["id"]), issue["fields"]
    histories = sorted(histories, key=lambda one: (instant(one.get("created")) or read.until, int(one["id"])))
    status = fields.get("status") or {}
    arrival = _arrival(options, here, fields, histories)
    payload: dict[str, Any] = {
        "id": id_,
        "created_at": at_utc(fields.get("created")),
        **arrival,
        "channel": _of((issue.get("properties") or {}).get(CHANNEL), "value"),
        "reporter": _of(fields.get("reporter"), "accountId"),
        "customer": None if options.customer == "reporter" else _customer(fields.get(options.customer)),
        "status": _of(status, "id"),
        "priority": _of(fields.get("priority"), "name"),
        "issuetype": _of(fields.get("issuetype"), "name"),
        "project": _of(fields.get("project"), "name"),
        "steps": [step for one in histories if (step := _step(one)) is not None],
        "statuses": _statuses_of(status, histories, statuses),
        **_first_reply(api, id_, fields, instant(arrival["entered_at"])),
    }
    is_done = any(one["category"] == "done" for one in payload["statuses"])
    if (options.sla and is_done) or (options.reply_sla and payload.get("replied_at")):
        payload["levels"] = _levels(api, id_, {options.sla: "solved", options.reply_sla: "first_replied"})
    return Record(id_, revision(instant(fields.get("updated")), read), payload)


def _of(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, dict) else None


def _customer(value: Any) -> str | None:
    """Whose a ticket is, where that is no person: an organisation, an option, a text; of several the first one."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        first = first.get("id") or first.get("value")
    return str(first) if isinstance(first, str | int) and str(first) else None


def _items(history: Item) -> dict[str, Item]:
    """What one change did to each field that is followed; of several the last."""
    changed = (one for one in history.get("items") or () if isinstance(one, dict))
    return {str(one.get("fieldId") or one.get("field")): one for one in changed}


def _step(history: Item) -> dict[str, Any] | None:
    """One change of an issue; None where it touches nothing that is followed. Statuses are known by their ids."""
    items = _items(history)
    if not items.keys() & set(HISTORY_FIELDS):
        return None
    step: dict[str, Any] = {
        "id": str(history["id"]),
        "at": at_utc(history.get("created")),
        "by": _of(history.get("author"), "accountId"),
    }
    if status := items.get("status"):
        step |= {"status": status.get("to"), "was_status": status.get("from")}
    for name in ("priority", "issuetype", "project"):
        if item := items.get(name):
            step |= {name: item.get("toString"), f"was_{name}": item.get("fromString")}
    if resolution := items.get("resolution"):
        step["resolution"] = resolution.get("toString") or ""
    return step


def _statuses_of(status: Item, histories: list[Item], now: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """The statuses that an issue has had, each with its name and category, which only the present knows."""
    category = _of(status.get("statusCategory"), "key")
    found = {str(status.get("id")): (status.get("name"), category)}
    for item in (one for history in histories if (one := _items(history).get("status"))):
        for id_, name in ((item.get("from"), item.get("fromString")), (item.get("to"), item.get("toString"))):
            found.setdefault(str(id_), now.get(str(id_), (name, None)))
    return [{"id": id_, "name": name, "category": kind} for id_, (name, kind) in sorted(found.items())]


def _arrival(options: JiraOptions, here: set[str], fields: Item, histories: list[Item]) -> dict[str, Any]:
    """When the issue first was where tickets are, and whether it came from elsewhere."""
    project, kind = _of(fields.get("project"), "id"), _of(fields.get("issuetype"), "name")
    moves = [(at_utc(one.get("created")), items) for one in histories if (items := _items(one))]
    moves = [(at, items) for at, items in moves if items.keys() & {"project", "issuetype"}]
    for _, items in reversed(moves):
        project = items.get("project", {}).get("from", project)
        kind = items.get("issuetype", {}).get("fromString", kind)

    def is_here() -> bool:
        return str(project) in here and (not options.issue_types or kind in options.issue_types)

    if not is_here():
        for at, items in moves:
            project = items.get("project", {}).get("to", project)
            kind = items.get("issuetype", {}).get("toString", kind)
            if is_here():
                return {"entered_at": at, "is_moved_here": True}
    return {"entered_at": at_utc(fields.get("created")), "is_moved_here": False}


def _first_reply(api: Api, id_: str, fields: Item, entered: datetime | None) -> dict[str, Any]:
    """When and by whom the customer was first answered. The search gives only some comments of an issue with many."""
    listed = fields.get("comment") or {}
    comments, total = listed.get("comments") or [], listed.get("total") or 0
    if total > len(comments):
        comments = api.comments(id_)
    reporter = _of(fields.get("reporter"), "accountId")
    replies = sorted(
        (at, str(one["id"]), _of(one.get("author"), "accountId"))
        for one in comments
        if one.get("jsdPublic") is not False
        and _of(one.get("author"), "accountType") == "atlassian"
        and _of(one.get("author"), "accountId") != reporter
        and (at := instant(one.get("created"))) is not None
        and (entered is None or at > entered)
    )
    return {"replied_at": replies[0][0].isoformat(), "replied_by": replies[0][2]} if replies else {}


def _levels(api: Api, id_: str, names: Mapping[str | None, str]) -> list[dict[str, Any]]:
    """When each cycle of the service levels that are named ended, and whether it was breached."""
    cycles = [
        (names[one.get("name")], cycle)
        for one in api.service_levels(id_)
        if one.get("name") in names
        for cycle in one.get("completedCycles") or ()
    ]
    return [
        {
            "of": kind,
            "stopped_at": at_utc(_of(cycle.get("stopTime"), "epochMillis") or _of(cycle.get("stopTime"), "iso8601")),
            "is_breached": cycle.get("breached"),
        }
        for kind, cycle in cycles
    ]


# What it means


def facts(records: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    """What tickets state."""
    said = records.with_columns(
        entered=_time("entered_at"),
        replied=_time("replied_at"),
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
        stated.append(_surveys_sent(stated[3] if options.survey_sent == "solved" else stated[5]))
    every = pl.concat(stated, how="diagonal").with_columns(subject_id="id").drop("id")
    return pl.concat([every, _problems(said)], how="diagonal")


def _time(name: str) -> pl.Expr:
    return pl.col(name).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False).cast(UTC_MICROSECONDS)


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
        .with_columns(occurred_at=_time("at"), order=pl.col("id").cast(pl.Int64, strict=False), rank=pl.lit(0))
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
        priority=pl.col("priority").replace({**PRIORITIES, **options.priorities}),
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
    """A field's value from a change on: before the first change, what it was changed from; without any, today's."""
    first = pl.col(f"was_{name}").filter(pl.col(name).is_not_null()).first().over("record_key")
    return pl.coalesce(pl.col(name).forward_fill().over("record_key"), first, f"{name}_now").alias(name)


def _words(said: pl.LazyFrame, options: JiraOptions) -> pl.LazyFrame:
    """Each status of a ticket as events call it, and what it means: open, solved or closed."""
    statuses = (
        said.select("record_key", one="statuses").explode("one").filter(pl.col("one").is_not_null()).unnest("one")
    )
    name, id_ = pl.col("name"), pl.col("id")

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
        .select("record_key", "of", stopped=_time("stopped_at"), is_within_sla=~pl.col("is_breached"))
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


def _surveys_sent(ended: pl.LazyFrame) -> pl.LazyFrame:
    """A ticket's customer is asked when it first ends."""
    first = ended.sort("record_key", "occurred_at").unique("record_key", keep="first", maintain_order=True)
    return first.select(
        "record_key",
        "id",
        "account_id",
        "source_url",
        "occurred_at",
        fact_key=pl.format("ticket/{}/survey_sent", "id"),
        event_type=pl.lit(SURVEY_SENT),
    )


def _problems(said: pl.LazyFrame) -> pl.LazyFrame:
    strange_step = (
        pl.col("steps")
        .list.eval(
            pl.element()
            .struct.field("at")
            .str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
            .is_null()
        )
        .list.any()
        .fill_null(value=False)
    )
    problem = (
        pl.when(pl.col("entered").is_null())
        .then(pl.format("created: not a time ({})", pl.col("entered_at").fill_null("nothing")))
        .when(strange_step)
        .then(pl.lit("the history has a change without a time"))
        .when(pl.col("status").is_null())
        .then(pl.lit("status: nothing"))
    )
    return said.select("record_key", problem=problem).filter(pl.col("problem").is_not_null())
