"""What meetings state, whichever CRM they are kept in: scheduled, and held, as a meeting or as a visit of a property.

Belongs here: the facts that follow from a meeting's times, kind and outcome. Does not: how a vendor tells them (its
`activities`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.decoding import problems

AHEAD = timedelta(days=1)
"""A record cannot say that something took place later than this after its own last change: its time is a slip."""

_SHARED = ("record_key", "subject_id", "account_id", "actor", "source_url")


def meeting_facts(meetings: pl.LazyFrame, categories: Mapping[str, str], visits: Collection[str]) -> pl.LazyFrame:
    """The facts of meetings.

    meetings: record_key, subject_id, account_id, actor and source_url; scheduled_at, starts_at and ends_at; is_held;
    kind, segment, product and market. categories: kind -> what events call it. visits: the kinds that are visits.
    """
    category = pl.col("kind").replace(categories)
    scheduled = meetings.select(
        *_SHARED,
        fact_key=pl.format("meeting/{}/scheduled", "record_key"),
        event_type=pl.lit("meeting.scheduled"),
        occurred_at="scheduled_at",
        category=category,
        segment="segment",
        product="product",
    )
    is_visit = pl.col("kind").is_in(visits).fill_null(value=False)
    held = meetings.filter("is_held").select(
        *_SHARED,
        fact_key=pl.format("meeting/{}/held", "record_key"),
        event_type=pl.when(is_visit).then(pl.lit("visit.held")).otherwise(pl.lit("meeting.held")),
        occurred_at="starts_at",
        outcome=pl.lit("completed"),
        category=pl.when(~is_visit).then(category),
        segment=pl.when(~is_visit).then(pl.col("segment")),
        product=pl.when(~is_visit).then(pl.col("product")),
        market=pl.when(is_visit).then(pl.col("market")),
        quantity=_minutes(pl.col("ends_at") - pl.col("starts_at")),
    )
    return pl.concat([scheduled, held], how="diagonal")


def meeting_problems(meetings: pl.LazyFrame, created: str, starts: str) -> pl.LazyFrame:
    """Meetings that cannot be understood. created, starts: what the vendor calls the times."""
    return problems(
        meetings,
        (pl.col("scheduled_at").is_null(), f"{created} is not a time"),
        (pl.col("is_held") & pl.col("starts_at").is_null(), f"{starts} is not a time"),
        (
            pl.col("is_held") & (pl.col("starts_at") > pl.col("revision") + AHEAD),
            f"{starts} is after the last change of a meeting held",
        ),
    )


def _minutes(span: pl.Expr) -> pl.Expr:
    """Null where a meeting has no end, or one before its start."""
    seconds = span.dt.total_seconds()
    return pl.when(seconds >= 0).then(seconds.cast(DECIMAL) / 60)
