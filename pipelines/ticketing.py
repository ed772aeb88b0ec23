"""What help desks have in common: what tickets feed, how times are written, tickets that are gone for a while.

Belongs here: what Freshdesk, Jira and Zendesk would else each say for themselves. Does not: anything of one vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.source import Record

FEEDS = (
    "ticket.created",
    "ticket.status_entered",
    "ticket.first_replied",
    "ticket.solved",
    "ticket.reopened",
    "ticket.closed",
)
SURVEY_SENT, SURVEY_ANSWERED = "survey.sent", "survey.answered"
SurveySent = Literal["solved", "closed"]
"""When an account asks its customers what they think, where the vendor keeps no record of having asked."""

USER = "user"
"""What an id of a person is: of a customer and of an agent alike."""


_FURTHEST_AHEAD = timedelta(minutes=5)


def feeds(survey_sent: SurveySent | None) -> tuple[str, ...]:
    """What tickets feed, where the options say when customers are asked, or do not."""
    return (*FEEDS, SURVEY_SENT) if survey_sent else FEEDS


# Times


def instant(value: Any, numbers_a_second: int = 1) -> datetime | None:
    """A time as vendors write it (RFC 3339 with an offset, or a number since 1970), in UTC; None for what is none."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / numbers_a_second, UTC)
        found = datetime.fromisoformat(str(value))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None


def revision(changed: datetime | None, now: datetime) -> datetime | None:
    """When something last changed. A time from the future would outlive every later one."""
    return now if changed is not None and changed > now + _FURTHEST_AHEAD else changed


def time_of(name: str) -> pl.Expr:
    """A column of texts as times; null for what is none, and for a time without its offset."""
    return pl.col(name).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False).cast(UTC_MICROSECONDS)


def place(path: str) -> str:
    """A path without the ids in it: errors are kept, where nobody could erase somebody's ticket from them."""
    return "/".join("…" if part.isdigit() else part for part in path.split("/"))


# Surveys of which the vendor keeps no record


def surveys_sent(ended: pl.LazyFrame) -> pl.LazyFrame:
    """A ticket's customer is asked when it first ends. ended: facts of one kind of ending, with the ticket's `id`."""
    first = ended.sort("id", "occurred_at", maintain_order=True).unique("id", keep="first", maintain_order=True)
    return first.select(
        "record_key",
        "id",
        "account_id",
        "source_url",
        "occurred_at",
        fact_key=pl.format("ticket/{}/survey_sent", "id"),
        event_type=pl.lit(SURVEY_SENT),
    )


# Answers about tickets that may be gone for a while: their records are `<ticket>/<answer>`, and `<ticket>/gone`

GONE = {"ticket_id": pl.String(), "is_gone": pl.Boolean()}
"""What each record of such a stream has: the ticket, and whether it is gone (null in what is an answer)."""


def of_ticket(key: pl.Expr) -> pl.Expr:
    """What records are read together by."""
    return key.str.split("/").list.first()


def gone_marks(tickets: Mapping[int, Any], person: str, *, is_gone: bool) -> list[Record]:
    """Records that say whether the answers about some tickets count.

    tickets: id -> whose it is, which is kept as `person`, so that the record goes with them.
    """
    return [
        Record(f"{id_}/gone", None, {"ticket_id": str(id_), "is_gone": is_gone, person: whose})
        for id_, whose in tickets.items()
    ]


def answers_that_count(records: pl.LazyFrame) -> pl.LazyFrame:
    """The answers, with whether their ticket is gone."""
    with_tickets = records.with_columns(is_gone=pl.col("is_gone").any().over("ticket_id"))
    return with_tickets.filter(pl.col("id").is_not_null())
