"""What Pipedrive's activities say: calls made, meetings scheduled and held, properties shown.

Belongs here: which parts of an activity are read, and the facts they make. Does not: fetching; subjects, notes, places
and guests, which are personal and never kept.

An activity is done or not; what it came to, only its type can say. Its time is when it is due, in UTC; one that was
marked as done earlier took place then.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.decoding import problems
from pipelines.meetings import AHEAD
from pipelines.pipedrive.changes import begins, current, instant
from pipelines.pipedrive.declared import Field
from pipelines.pipedrive.options import PipedriveOptions
from pipelines.pipedrive.reading import OWNER, TYPE, Wanted, own_fields
from pipelines.pipedrive.stored import payload_of, together

KEPT = (
    *("add_time", "due_date", "due_time", "duration", "done", "marked_as_done_time"),
    *("person_id", "org_id", "deal_id"),
)


def feeds(options: PipedriveOptions) -> tuple[str, ...]:
    """The types of fact that activities make."""
    visits = [one.visit for one in options.meetings]
    return (
        *(("call.made",) if options.calls else ()),
        *(("meeting.scheduled",) if visits else ()),
        *(("meeting.held",) if not all(visits) else ()),
        *(("visit.held",) if any(visits) else ()),
    )


def wanted(types: Mapping[str, str]) -> Wanted:
    """What is read of an activity; types: key of each type that is declared -> its name in the options."""
    return Wanted("activities", KEPT, {TYPE: Field((TYPE,), labels=types), **own_fields(OWNER)})


def payload() -> pl.Struct:
    """The shape of a stored activity."""
    return payload_of(KEPT, (TYPE, OWNER), has_histories=False)


def facts(records: pl.LazyFrame, options: PipedriveOptions, zone: str) -> pl.LazyFrame:
    """Facts of activities, and the problem of each that cannot be understood."""
    types = [*(one.type for one in options.calls), *(one.type for one in options.meetings)]
    every = together(records)
    activities = every.filter(current(TYPE).is_in(types)).with_columns(
        kind=current(TYPE),
        scheduled_at=instant(pl.col("add_time")),
        occurred_at=_took_place_at(zone),
        is_done=(pl.col("done") == "true").fill_null(value=False),
        seconds=_seconds(pl.col("duration")),
        subject_id="record_key",
        account_id=options.customer,
        actor=current(OWNER),
        source_url=pl.coalesce(
            pl.lit(options.record_url("deal")) + pl.col("deal_id"),
            pl.lit(options.record_url("person")) + pl.col("person_id"),
        ),
    )
    strange = problems(
        activities,
        (pl.col("scheduled_at").is_null(), "add_time is not a time"),
        (pl.col("is_done") & pl.col("occurred_at").is_null(), "due_date and due_time are not a time"),
        (
            pl.col("is_done") & (pl.col("occurred_at") > pl.col("revision") + AHEAD),
            "due_date is after the last change of an activity that is done",
        ),
        (_is_filled("duration") & pl.col("seconds").is_null(), "duration is not one"),
    )
    odd = problems(every, (pl.col("strange").is_not_null(), pl.col("strange")))
    stated = [_calls(activities, options), *_meetings(activities, options)]
    return pl.concat([*stated, odd, strange], how="diagonal")


_SHARED = ("record_key", "subject_id", "account_id", "actor", "source_url")


def _calls(activities: pl.LazyFrame, options: PipedriveOptions) -> pl.LazyFrame:
    def said(what: str) -> pl.Expr:
        values = {one.type: value for one in options.calls if (value := getattr(one, what)) is not None}
        return pl.col("kind").replace_strict(values, default=None, return_dtype=pl.String)

    return activities.filter("is_done", pl.col("kind").is_in([one.type for one in options.calls])).select(
        *_SHARED,
        "occurred_at",
        fact_key=pl.format("call/{}", "record_key"),
        event_type=pl.lit("call.made"),
        outcome=said("outcome"),
        direction=said("direction"),
        category=said("category"),
        quantity=pl.col("seconds").cast(DECIMAL),
    )


def _meetings(activities: pl.LazyFrame, options: PipedriveOptions) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Meetings that were put in the calendar, and those of them that were held."""
    categories = {one.type: one.category for one in options.meetings if one.category is not None}
    visits = [one.type for one in options.meetings if one.visit]
    meetings = activities.filter(pl.col("kind").is_in([one.type for one in options.meetings])).with_columns(
        category=pl.col("kind").replace(categories), is_visit=pl.col("kind").is_in(visits)
    )
    scheduled = meetings.select(
        *_SHARED,
        "category",
        fact_key=pl.format("meeting/{}/scheduled", "record_key"),
        event_type=pl.lit("meeting.scheduled"),
        occurred_at="scheduled_at",
    )
    held = meetings.filter("is_done").select(
        *_SHARED,
        "occurred_at",
        fact_key=pl.format("meeting/{}/held", "record_key"),
        event_type=pl.when("is_visit").then(pl.lit("visit.held")).otherwise(pl.lit("meeting.held")),
        outcome=pl.lit("completed"),
        category=pl.when(~pl.col("is_visit")).then("category"),
        quantity=pl.col("seconds").cast(DECIMAL) / 60,
    )
    return scheduled, held


def _took_place_at(zone: str) -> pl.Expr:
    """When it was due, or when it was marked as done where that was earlier or nothing says when it was due."""
    time = pl.col("due_time").str.extract(r"^(\d{1,2}:\d{2})")
    at = pl.concat_str(pl.col("due_date"), pl.lit(" "), time, pl.lit(":00"))
    exact = pl.concat_str(pl.col("due_date"), pl.lit(" "), pl.col("due_time").str.extract(r"^(\d{1,2}:\d{2}:\d{2})$"))
    due = pl.coalesce(instant(exact), instant(at), begins(pl.col("due_date"), zone))
    return pl.min_horizontal(due, instant(pl.col("marked_as_done_time")))


def _seconds(duration: pl.Expr) -> pl.Expr:
    """A duration in hours, minutes and, in the second version, seconds."""
    parts = [duration.str.extract(r"^(\d+):([0-5]\d)(?::([0-5]\d))?$", n).cast(pl.Int64) for n in (1, 2, 3)]
    return parts[0] * 3600 + parts[1] * 60 + parts[2].fill_null(0)


def _is_filled(name: str) -> pl.Expr:
    return (pl.col(name).str.strip_chars() != "").fill_null(value=False)
