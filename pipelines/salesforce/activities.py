"""What Salesforce's tasks and events say: calls made, tasks completed, meetings scheduled and held, properties shown.

Belongs here: which fields of an activity are read, and the facts they make. Does not: fetching; subjects and texts,
which are personal and never read.

A task has a day, and the time at which it was closed; when a call really began is only known where the org keeps it in
a field of its own. An event for several people has a child for each of them, and a series has a record beside its
occurrences: neither is a meeting of its own.
"""

from __future__ import annotations

import polars as pl

from pipelines import meetings as shared
from pipelines.decoding import problems
from pipelines.salesforce.changes import current, date_of, instant, now
from pipelines.salesforce.customers import Customers
from pipelines.salesforce.options import Calls, Meetings, SalesforceOptions, Tasks, fields_of
from pipelines.salesforce.reading import Wanted
from pipelines.turns import first_moment, number

DIRECTIONS = {"Inbound": "inbound", "Outbound": "outbound"}
_IS_TRUE = "true"


# Calls


def call_feeds() -> tuple[str, ...]:
    """The types of fact that calls make."""
    return ("call.made",)


def wanted_calls(options: SalesforceOptions, calls: Calls) -> Wanted:
    """What is read of a task: of calls alone, where Salesforce itself says which those are."""
    customers = Customers(options)
    fields = (
        *("Type", "TaskSubtype", "IsClosed", "IsRecurrence", "ActivityDate", "CompletedDateTime"),
        *("CallType", "CallDisposition", "CallDurationInSeconds", "OwnerId"),
    )
    return Wanted(
        "Task",
        fields=(*fields, *fields_of(calls.at, calls.category, calls.segment)),
        whose=customers.of_activity(),
        where="" if calls.types else "TaskSubtype = 'Call'",
        moved=customers.moved("Task"),
    )


def call_facts(records: pl.LazyFrame, options: SalesforceOptions, calls: Calls, zone: str) -> pl.LazyFrame:
    """Facts of calls, and the problem of each that cannot be understood."""
    is_call = current("Type").is_in(calls.types) if calls.types else current("TaskSubtype") == "Call"
    closed = (current("IsClosed") == _IS_TRUE) & (current("IsRecurrence") != _IS_TRUE)
    made = records.filter(is_call & closed).with_columns(occurred_at=_called_at(calls, zone))
    seconds = current("CallDurationInSeconds")
    stated = made.select(
        "record_key",
        "occurred_at",
        fact_key=pl.format("call/{}", "record_key"),
        event_type=pl.lit("call.made"),
        subject_id="record_key",
        account_id="customer",
        actor=current("OwnerId"),
        outcome=current("CallDisposition").replace(calls.outcomes).fill_null("completed"),
        direction=current("CallType").replace_strict(DIRECTIONS, default=None, return_dtype=pl.String),
        category=now(calls.category),
        segment=now(calls.segment),
        quantity=number(seconds),
        source_url=_url(options, "Task"),
    )
    strange = problems(
        made,
        (pl.col("occurred_at").is_null(), "the time of the call is none"),
        (pl.col("occurred_at") > pl.col("revision") + shared.AHEAD, "a call made is after its own last change"),
        (seconds.is_not_null() & number(seconds).is_null(), "CallDurationInSeconds is not a number"),
    )
    return pl.concat([stated, strange], how="diagonal")


def _called_at(calls: Calls, zone: str) -> pl.Expr:
    """When the org's own field says; else when it was closed, if that was on its day; else the day's first moment."""
    completed, day = instant(current("CompletedDateTime")), date_of(current("ActivityDate"))
    is_that_day = (completed.dt.convert_time_zone(zone).dt.date() == day).fill_null(value=True)
    by_itself = pl.when(is_that_day & completed.is_not_null()).then(completed).otherwise(first_moment(day, zone))
    if calls.at is None:
        return by_itself
    return pl.when(current(calls.at).is_not_null()).then(instant(current(calls.at))).otherwise(by_itself)


# Tasks


def task_feeds() -> tuple[str, ...]:
    """The types of fact that other tasks make."""
    return ("task.completed",)


def wanted_tasks(options: SalesforceOptions, tasks: Tasks) -> Wanted:
    """What is read of a task that is neither a call nor a mail."""
    customers = Customers(options)
    fields = ("Type", "TaskSubtype", "IsClosed", "IsRecurrence", "CompletedDateTime", "OwnerId")
    return Wanted(
        "Task",
        fields=(*fields, *fields_of(tasks.category, tasks.segment)),
        whose=customers.of_activity(),
        where="TaskSubtype = 'Task'",
        moved=customers.moved("Task"),
    )


def task_facts(records: pl.LazyFrame, options: SalesforceOptions, tasks: Tasks) -> pl.LazyFrame:
    """Facts of tasks, and the problem of each that cannot be understood. One of a type that means a call is a call."""
    types = options.calls.types if options.calls else ()
    is_call = current("Type").is_in(types).fill_null(value=False)
    is_closed = (current("IsClosed") == _IS_TRUE) & (current("IsRecurrence") != _IS_TRUE)
    completed = records.filter(is_closed & ~is_call).with_columns(occurred_at=instant(current("CompletedDateTime")))
    stated = completed.select(
        "record_key",
        "occurred_at",
        fact_key=pl.format("task/{}", "record_key"),
        event_type=pl.lit("task.completed"),
        subject_id="record_key",
        account_id="customer",
        actor=current("OwnerId"),
        category=now(tasks.category),
        segment=now(tasks.segment),
        source_url=_url(options, "Task"),
    )
    strange = problems(
        completed,
        (pl.col("occurred_at").is_null(), "CompletedDateTime is not a time"),
        (pl.col("occurred_at") > pl.col("revision") + shared.AHEAD, "a task was completed after its own last change"),
    )
    return pl.concat([stated, strange], how="diagonal")


# Meetings


def meeting_feeds(meetings: Meetings) -> tuple[str, ...]:
    """The types of fact that meetings make."""
    held = ("meeting.held", *(("visit.held",) if meetings.visits else ())) if meetings.held else ()
    return ("meeting.scheduled", *held)


def wanted_meetings(options: SalesforceOptions, meetings: Meetings) -> Wanted:
    """What is read of an event."""
    customers = Customers(options)
    fields = ("Type", "StartDateTime", "EndDateTime", "IsAllDayEvent", "IsChild", "IsRecurrence", "OwnerId")
    declared = fields_of(meetings.outcome, meetings.market, meetings.segment, meetings.product)
    return Wanted(
        "Event",
        fields=(*fields, *declared),
        whose=customers.of_activity(),
        moved=customers.moved("Event"),
    )


def meeting_facts(records: pl.LazyFrame, options: SalesforceOptions, meetings: Meetings, zone: str) -> pl.LazyFrame:
    """Facts of meetings, and the problem of each that cannot be understood."""
    is_meeting = current("Type").is_in(meetings.types) if meetings.types else pl.lit(value=True)
    is_one = (current("IsChild") != _IS_TRUE) & (current("IsRecurrence") != _IS_TRUE)
    is_all_day, starts, ends = current("IsAllDayEvent") == _IS_TRUE, current("StartDateTime"), current("EndDateTime")
    is_held = current(meetings.outcome).is_in(meetings.held) if meetings.outcome else pl.lit(value=False)
    read = records.filter(is_meeting & is_one).with_columns(
        scheduled_at=instant(pl.col("created")),
        starts_at=pl.when(is_all_day).then(first_moment(date_of(starts.str.head(10)), zone)).otherwise(instant(starts)),
        ends_at=pl.when(~is_all_day).then(instant(ends)),
        kind=current("Type"),
        segment=now(meetings.segment),
        product=now(meetings.product),
        market=now(meetings.market),
        is_held=is_held.fill_null(value=False),
        subject_id="record_key",
        account_id="customer",
        actor=current("OwnerId"),
        source_url=_url(options, "Event"),
    )
    stated = shared.meeting_facts(read, meetings.categories, meetings.visits)
    strange = shared.meeting_problems(read, "CreatedDate", "StartDateTime")
    return pl.concat([stated, strange], how="diagonal")


# Both


def _url(options: SalesforceOptions, sobject: str) -> pl.Expr:
    return pl.lit(options.record_url(sobject)) + pl.col("record_key") + "/view"
