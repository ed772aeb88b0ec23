"""What HubSpot's notes, tasks, mails and survey answers say: that it happened, when, with whom. No word of a text.

Belongs here: which properties of them are read, and the fact that each makes. Does not: fetching; subjects, texts and
addresses, which are personal and never read; calls and meetings, which make several facts (`activities`).

* `note.written`: when the note says that it was;
* `task.completed`: when it was completed, while it is; its kind (call, email, todo) is its category;
* `email.sent`: when it was sent; outbound what the company sent, inbound what it received, to which belongs what was
  forwarded to HubSpot. A draft, one that waits to be sent and one that could not be sent were not;
* `survey.answered`: when the answer was given; good from a promoter, bad from a detractor, neither from others; the
  score on the survey's own scale, its kind (nps, csat, ces, …) as category. HubSpot keeps no record of a survey that
  was sent, so `survey.sent` is not stated.

HubSpot keeps no history of any of them: attributes are as they are now.
Source of the properties: developers.hubspot.com, guides of notes, tasks, email and feedback submissions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipelines.decoding import problems
from pipelines.hubspot.changes import current, instant, said
from pipelines.hubspot.options import HubSpotOptions, Other, properties_of
from pipelines.hubspot.reading import Wanted
from pipelines.meetings import AHEAD
from pipelines.turns import number

OWNER = "hubspot_owner_id"


@dataclass(frozen=True)
class Kind:
    """A type of record that makes one fact.

    object_type, type_id: what HubSpot calls it. event: what it says. when: the property that says when. properties:
    the others that are read. has_happened: whether there is anything to say. attributes: of the fact, but for the
    segment, which the options name. numbers: the properties that have to be numbers.
    """

    object_type: str
    type_id: str
    event: str
    when: str
    properties: tuple[str, ...] = ()
    has_happened: pl.Expr = field(default_factory=lambda: pl.lit(value=True))
    attributes: Mapping[str, pl.Expr] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        """The first word of the event."""
        return self.event.partition(".")[0]


def _as(name: str, words: Mapping[str, str]) -> pl.Expr:
    return current(name).replace_strict(words, default=None, return_dtype=pl.String)


_DIRECTION = _as("hs_email_direction", {"EMAIL": "outbound", "INCOMING_EMAIL": "inbound", "FORWARDED_EMAIL": "inbound"})
_IS_ON_ITS_WAY = current("hs_email_status").is_in(["SENDING", "SCHEDULED", "FAILED", "BOUNCED"]).fill_null(value=False)

NOTES = Kind("notes", "0-46", "note.written", "hs_timestamp")
TASKS = Kind(
    "tasks",
    "0-27",
    "task.completed",
    "hs_task_completion_date",
    properties=("hs_task_status", "hs_task_type"),
    has_happened=current("hs_task_status") == "COMPLETED",
    attributes={"category": current("hs_task_type").str.to_lowercase()},
)
EMAILS = Kind(
    "emails",
    "0-49",
    "email.sent",
    "hs_timestamp",
    properties=("hs_email_status", "hs_email_direction"),
    has_happened=_DIRECTION.is_not_null() & ~_IS_ON_ITS_WAY,
    attributes={"direction": _DIRECTION},
)
FEEDBACK = Kind(
    "feedback_submissions",
    "0-19",
    "survey.answered",
    "hs_submission_timestamp",
    properties=("hs_response_group", "hs_value", "hs_survey_type", "hs_survey_channel"),
    attributes={
        "rating": _as("hs_response_group", {"PROMOTER": "good", "DETRACTOR": "bad"}),
        "score": number(current("hs_value")),
        "category": current("hs_survey_type").str.to_lowercase(),
        "channel": current("hs_survey_channel").str.to_lowercase(),
    },
    numbers=("hs_value",),
)
KINDS: Mapping[str, Kind] = {"notes": NOTES, "tasks": TASKS, "emails": EMAILS, "feedback": FEEDBACK}
"""Name of the option -> the type of record that it has read."""


def declared(other: Other) -> tuple[str, ...]:
    """The properties that the options name."""
    return properties_of(other.segment)


def wanted(kind: Kind, other: Other, associated: tuple[str, ...] = ("contacts",)) -> Wanted:
    """What is read of a record. associated: with which types of record."""
    properties = (kind.when, OWNER, *kind.properties, *declared(other))
    return Wanted(kind.object_type, properties, associated=associated)


def facts(records: pl.LazyFrame, kind: Kind, other: Other, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    """The fact of each record, and the problem of each that cannot be understood."""
    happened = records.filter(kind.has_happened).with_columns(occurred_at=instant(current(kind.when), zone))
    segment = {"segment": said(other.segment, current(other.segment.property))} if other.segment else {}
    stated = happened.select(
        "record_key",
        "occurred_at",
        fact_key=pl.format("{}/{}", pl.lit(kind.noun), "record_key"),
        event_type=pl.lit(kind.event),
        subject_id="record_key",
        account_id=pl.col(options.customers).list.first(),
        actor=current(OWNER),
        source_url=pl.lit(options.record_url(kind.type_id)) + pl.col("record_key"),
        **kind.attributes,
        **segment,
    )
    strange = problems(
        happened,
        (pl.col("occurred_at").is_null(), f"{kind.when} is not a time"),
        (pl.col("occurred_at") > pl.col("revision") + AHEAD, f"{kind.when} is after the last change of the record"),
        *(
            (current(name).is_not_null() & number(current(name)).is_null(), f"{name} is not a number")
            for name in kind.numbers
        ),
    )
    return pl.concat([stated, strange], how="diagonal")
