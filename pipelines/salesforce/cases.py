"""What Salesforce's cases say: customers' requests that are opened, answered, solved, opened again and closed.

Belongs here: which fields of a case are read, and the facts they make. Does not: fetching; subjects, descriptions and
comments, which are personal and never read.

They are the facts that any help desk states. A case that is closed without having been solved is solved by that, unless
it was merged into another one: then it is gone, and the other one is solved.
"""

from __future__ import annotations

import polars as pl

from pipelines.decoding import problems
from pipelines.salesforce.changes import changes, current, has_strange_time, instant, now
from pipelines.salesforce.customers import Customers
from pipelines.salesforce.options import Cases, SalesforceOptions, fields_of
from pipelines.salesforce.reading import OWNER, Wanted
from pipelines.turns import in_force

STATUS, PRIORITY, ORIGIN = "Status", "Priority", "Origin"
FEEDS = ("ticket.created", "ticket.status_entered", "ticket.solved", "ticket.reopened", "ticket.closed")
_SAY = {
    "ticket.created": ("channel", "category", "segment"),
    "ticket.first_replied": ("channel",),
    "ticket.status_entered": ("category",),
    "ticket.solved": ("category",),
    "ticket.reopened": ("category",),
    "ticket.closed": ("category",),
}


def feeds(cases: Cases) -> tuple[str, ...]:
    """The types of fact that cases make."""
    return (*FEEDS, *(("ticket.first_replied",) if cases.first_replied else ()))


def wanted(options: SalesforceOptions, cases: Cases) -> Wanted:
    """What is read of a case."""
    customers = Customers(options)
    return Wanted(
        "Case",
        fields=(
            *(STATUS, PRIORITY, ORIGIN, "OwnerId"),
            *fields_of(cases.first_replied, cases.category, cases.segment),
        ),
        whose=customers.of_record(),
        tracked=(OWNER, STATUS, PRIORITY),
        moved=customers.moved("Case"),
    )


def facts(records: pl.LazyFrame, options: SalesforceOptions, cases: Cases) -> pl.LazyFrame:
    """Facts of cases, and the problem of each that cannot be understood."""
    asked = records.with_columns(created_at=instant(pl.col("created")))
    created = asked.select(
        "record_key",
        occurred_at="created_at",
        event_type=pl.lit("ticket.created"),
        fact_key=pl.format("ticket/{}/created", "record_key"),
    )
    found = [created, _statuses(changes(asked, STATUS), cases)]
    if cases.first_replied:
        found.append(_first_replies(asked, cases.first_replied))
    stated = in_force(pl.concat(found, how="diagonal"), changes(asked, PRIORITY), "priority")
    stated = in_force(stated, changes(asked, "OwnerId", OWNER), "actor")
    says = asked.select(
        "record_key",
        account_id="customer",
        subject_id="record_key",
        channel=current(ORIGIN).replace(cases.channels),
        category=now(cases.category),
        segment=now(cases.segment),
    )
    stated = stated.join(says, on="record_key", how="left").with_columns(
        priority=pl.col("priority").replace(cases.priorities),
        source_url=pl.lit(options.record_url("Case")) + pl.col("record_key") + "/view",
        **{name: _where_said(name) for name in ("channel", "category", "segment")},
    )
    return pl.concat([stated, _problems(asked, cases)], how="diagonal")


def _where_said(name: str) -> pl.Expr:
    types = [event_type for event_type, says in _SAY.items() if name in says]
    return pl.when(pl.col("event_type").is_in(types)).then(pl.col(name))


def _statuses(statuses: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    """Each entry into a status, and what it means."""

    def is_one_of(column: str, values: tuple[str, ...]) -> pl.Expr:
        return pl.col(column).is_in(values).fill_null(value=False)

    entered = statuses.filter(pl.col("value").is_not_null())
    is_closed, is_solved = is_one_of("value", cases.closed), is_one_of("value", cases.solved)
    was_ended = is_one_of("before", (*cases.solved, *cases.closed))
    was_closed = is_one_of("before", cases.closed)
    kinds = {
        "status_entered": pl.lit(value=True),
        "solved": (is_solved | is_closed) & ~was_ended,
        "reopened": was_ended & ~is_solved & ~is_closed,
        "closed": is_closed & ~was_closed,
    }
    at = pl.col("at").dt.epoch("ms")
    return pl.concat(
        [
            entered.filter(holds).select(
                "record_key",
                occurred_at="at",
                status=pl.col("value") if kind == "status_entered" else pl.lit(None, pl.String),
                event_type=pl.lit(f"ticket.{kind}"),
                fact_key=pl.format("ticket/{}/{}/{}/{}", "record_key", pl.lit(kind), "value", at),
            )
            for kind, holds in kinds.items()
        ]
    )


def _first_replies(asked: pl.LazyFrame, field: str) -> pl.LazyFrame:
    replied_at = instant(current(field))
    return (
        asked.with_columns(occurred_at=replied_at)
        .filter(pl.col("occurred_at").is_not_null())
        .select(
            "record_key",
            "occurred_at",
            event_type=pl.lit("ticket.first_replied"),
            fact_key=pl.format("ticket/{}/first_replied", "record_key"),
        )
    )


def _problems(asked: pl.LazyFrame, cases: Cases) -> pl.LazyFrame:
    replied = cases.first_replied
    strange_reply = (
        current(replied).is_not_null() & instant(current(replied)).is_null() if replied else pl.lit(value=False)
    )
    return problems(
        asked,
        (pl.col("created_at").is_null(), "CreatedDate is not a time"),
        (has_strange_time("history"), "its history has an entry without a time"),
        (strange_reply, f"{replied} is not a time"),
    )
