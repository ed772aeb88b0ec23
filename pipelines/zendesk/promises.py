"""Whether a ticket was answered and solved within the time that was promised: the vendor's own metric events.

Belongs here: which metric events of a ticket are kept, and judging by them. Does not: HTTP (`helpdesk`: the export of
tickets brings them along), the facts that say it (`tickets`).

The vendor says of each time that it measures when which target was applied to the ticket (by the policy and priority of
then) and when it was breached; a breach that no longer is one, because another target was applied, it takes back. So a
reply or a solution is judged by what was in force when it happened: what is applied or breached later changes nothing,
and where no target was in force, nothing was promised. A solution keeps what was promised where none of its times was
breached.
Source of the fact: developer.zendesk.com, Ticket metric event types reference.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from pipelines.source import READ_AGAIN, VendorError
from pipelines.zendesk.helpdesk import Item

REPLY = ("reply_time",)
SOLUTION = ("agent_work_time", "requester_wait_time", "resolution_time")
"""The times that are measured until a reply, and until a solution."""

PROMISES = pl.List(
    pl.Struct(
        {
            "id": pl.String(),
            "metric": pl.String(),
            "instance": pl.String(),
            "type": pl.String(),
            "at": pl.String(),
            "target": pl.String(),
        }
    )
)
_APPLIED, _BREACHED = "apply_sla", "breach"


def promises(source: str, ticket: Item) -> list[dict[str, Any]]:
    """What was promised of a ticket and what was not kept, as stored. Raises where the export left it out."""
    measured = ticket.get("metric_events")
    if not isinstance(measured, dict):
        raise VendorError(source, "the export of tickets came without their metric events", READ_AGAIN)
    return [_kept(event) for metric in (*REPLY, *SOLUTION) for event in measured.get(metric) or () if _is_kept(event)]


def _is_kept(event: Item) -> bool:
    return event.get("type") in (_APPLIED, _BREACHED) and not event.get("deleted")


def _kept(event: Item) -> dict[str, Any]:
    target = event.get("sla") or {}
    seconds, minutes = target.get("target_in_seconds"), target.get("target")
    return {
        "id": event.get("id"),
        "metric": event.get("metric"),
        "instance": event.get("instance_id"),
        "type": event["type"],
        "at": event.get("time"),
        "target": seconds if seconds is not None or minutes is None else minutes * 60,
    }


def is_within(steps: pl.LazyFrame, records: pl.LazyFrame, metrics: tuple[str, ...]) -> pl.LazyFrame:
    """Steps with `is_within_sla`; null where nothing was promised. records: `record_key` and `promises`."""
    at = pl.col("at").str.to_datetime(time_unit="us", time_zone="UTC", strict=False).cast(pl.Datetime("us", "UTC"))
    promised = (
        records.select("record_key", promise="promises")
        .explode("promise")
        .filter(pl.col("promise").is_not_null())
        .unnest("promise")
        .filter(pl.col("metric").is_in(metrics))
        .with_columns(at=at, instance=pl.col("instance").cast(pl.Int64), order=pl.col("id").cast(pl.Int64))
    )
    step = ["record_key", "occurred_at"]
    by_then = steps.select(step).unique().join(promised, on="record_key").filter(pl.col("at") <= pl.col("occurred_at"))
    first_or_last = pl.col("instance").min() if metrics == REPLY else pl.col("instance").max()
    judged = (
        by_then.filter(pl.col("instance") == first_or_last.over(*step, "metric"))
        .sort("at", "order")
        .group_by(*step, "metric")
        .agg(
            target=pl.col("target").filter(pl.col("type") == _APPLIED).last(),
            is_breached=(pl.col("type") == _BREACHED).any(),
        )
        .filter(pl.col("target").is_not_null())
        .group_by(step)
        .agg(is_within_sla=~pl.col("is_breached").any())
    )
    return steps.join(judged, on=step, how="left")
