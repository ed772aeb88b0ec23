"""What HubSpot's calls and meetings say: calls made, meetings scheduled and held, properties shown.

Belongs here: which properties of an activity are read, and the facts they make. Does not: fetching; titles and texts,
which are personal and never read.
"""

from __future__ import annotations

import polars as pl

from pipelines import meetings as shared
from pipelines.decoding import problems
from pipelines.hubspot.changes import current, instant, said
from pipelines.hubspot.options import Calls, HubSpotOptions, Meetings, Said, properties_of
from pipelines.hubspot.reading import Wanted
from pipelines.turns import number

CALL_TYPE_ID, MEETING_TYPE_ID = "0-48", "0-47"
CALL_PROPERTIES = (
    "hs_timestamp",
    "hs_call_status",
    "hs_call_disposition",
    "hs_call_direction",
    "hs_call_duration",
    "hubspot_owner_id",
)
OUTCOME, MEETING_TYPE = "hs_call_disposition", "hs_activity_type"
MEETING_PROPERTIES = (
    "hs_createdate",
    "hs_timestamp",
    MEETING_TYPE,
    "hs_meeting_outcome",
    "hs_meeting_start_time",
    "hs_meeting_end_time",
    "hubspot_owner_id",
)
OUTCOME_OF_STATUS = {"COMPLETED": "completed", "NO_ANSWER": "no_answer", "BUSY": "busy"}
"""What an ended call came to where nobody said it; a call with another status has not taken place."""


# Calls


def call_feeds() -> tuple[str, ...]:
    """The types of fact that calls make."""
    return ("call.made",)


def declared_of_calls(calls: Calls) -> tuple[str, ...]:
    """The properties that the options name."""
    return properties_of(calls.category, calls.segment)


def wanted_calls(calls: Calls, associated: tuple[str, ...] = ("contacts",)) -> Wanted:
    """What is read of a call. associated: with which types of record."""
    return Wanted("calls", (*CALL_PROPERTIES, *declared_of_calls(calls)), associated=associated)


def call_facts(records: pl.LazyFrame, options: HubSpotOptions, calls: Calls, zone: str) -> pl.LazyFrame:
    """Facts of calls, and the problem of each that cannot be understood."""
    outcome = pl.coalesce(
        current("hs_call_disposition").replace(calls.outcome_names),
        current("hs_call_status").replace_strict(OUTCOME_OF_STATUS, default=None, return_dtype=pl.String),
    )
    made = (
        records.with_columns(outcome=outcome)
        .filter(pl.col("outcome").is_not_null())
        .with_columns(occurred_at=instant(current("hs_timestamp"), zone))
    )
    stated = made.select(
        "record_key",
        "occurred_at",
        "outcome",
        fact_key=pl.format("call/{}", "record_key"),
        event_type=pl.lit("call.made"),
        subject_id="record_key",
        account_id=pl.col(options.customers).list.first(),
        actor=current("hubspot_owner_id"),
        direction=current("hs_call_direction").str.to_lowercase(),
        category=_of(calls.category),
        segment=_of(calls.segment),
        quantity=number(current("hs_call_duration")) / 1000,
        source_url=pl.lit(options.record_url(CALL_TYPE_ID)) + pl.col("record_key"),
    )
    strange = problems(
        made,
        (pl.col("occurred_at").is_null(), "hs_timestamp is not a time"),
        (
            pl.col("occurred_at") > pl.col("revision") + shared.AHEAD,
            "hs_timestamp is after the last change of a call made",
        ),
        (
            current("hs_call_duration").is_not_null() & number(current("hs_call_duration")).is_null(),
            "hs_call_duration is not a number",
        ),
    )
    return pl.concat([stated, strange], how="diagonal")


# Meetings


def meeting_feeds(meetings: Meetings) -> tuple[str, ...]:
    """The types of fact that meetings make."""
    return ("meeting.scheduled", "meeting.held", *(("visit.held",) if meetings.visits else ()))


def declared_of_meetings(meetings: Meetings) -> tuple[str, ...]:
    """The properties that the options name."""
    return properties_of(meetings.market, meetings.segment, meetings.product)


def wanted_meetings(meetings: Meetings, associated: tuple[str, ...] = ("contacts",)) -> Wanted:
    """What is read of a meeting. associated: with which types of record."""
    return Wanted("meetings", (*MEETING_PROPERTIES, *declared_of_meetings(meetings)), associated=associated)


def meeting_facts(records: pl.LazyFrame, options: HubSpotOptions, meetings: Meetings, zone: str) -> pl.LazyFrame:
    """Facts of meetings, and the problem of each that cannot be understood."""
    read = records.with_columns(
        scheduled_at=pl.coalesce(instant(current("hs_createdate"), zone), instant(pl.col("createdAt"), zone)),
        starts_at=pl.coalesce(instant(current("hs_meeting_start_time"), zone), instant(current("hs_timestamp"), zone)),
        ends_at=instant(current("hs_meeting_end_time"), zone),
        kind=current(MEETING_TYPE),
        segment=_of(meetings.segment),
        product=_of(meetings.product),
        market=_of(meetings.market),
        is_held=(current("hs_meeting_outcome") == "COMPLETED").fill_null(value=False),
        subject_id="record_key",
        account_id=pl.col(options.customers).list.first(),
        actor=current("hubspot_owner_id"),
        source_url=pl.lit(options.record_url(MEETING_TYPE_ID)) + pl.col("record_key"),
    )
    stated = shared.meeting_facts(read, meetings.categories, meetings.visits)
    strange = shared.meeting_problems(read, "hs_createdate", "hs_meeting_start_time")
    return pl.concat([stated, strange], how="diagonal")


# Both


def _of(attribute: Said | None) -> pl.Expr:
    """What an attribute's property says now, as HubSpot keeps no history of activities; null where none is declared."""
    return pl.lit(None, pl.String) if attribute is None else said(attribute, current(attribute.property))
