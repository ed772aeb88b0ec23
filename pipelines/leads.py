"""What potential customers state, whichever CRM they are kept in: that they became one, who referred them.

Belongs here: the facts that follow from the course of a contact's lifecycle and of its referrer. Does not: how a vendor
tells them (its `contacts`, `persons` or `leads`).
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

CARRIED = {
    "lead.created": ("channel", "segment", "industry", "market", "campaign"),
    "lifecycle.entered": ("channel", "segment", "market"),
    "referral.received": ("channel",),
}
"""What each fact of a contact says of them, as it was then."""


def lifecycle_entered(entered: pl.LazyFrame) -> pl.LazyFrame:
    """entered: each stage that a contact entered (`lifecycle`), with record_key and occurred_at."""
    key = pl.format("contact/{}/lifecycle/{}/{}", "record_key", "lifecycle", pl.col("occurred_at").dt.epoch("ms"))
    return entered.with_columns(event_type=pl.lit("lifecycle.entered"), fact_key=key)


def leads_created(entered: pl.LazyFrame, stages: Collection[str]) -> pl.LazyFrame:
    """A contact becomes a potential customer once, however often it comes back to one of the stages."""
    return (
        entered.filter(pl.col("lifecycle").is_in(stages))
        .sort("record_key", "occurred_at", maintain_order=True)
        .unique("record_key", keep="first", maintain_order=True)
        .with_columns(
            event_type=pl.lit("lead.created"),
            fact_key=pl.format("contact/{}/lead", "record_key"),
            lifecycle=pl.lit(None, pl.String),
        )
    )


def referrals(named: pl.LazyFrame) -> pl.LazyFrame:
    """The referral stands while somebody is named: it came when that was filled in, from whom it now names.

    named: the changes of who referred a contact (`turns`): record_key, at, before, value.
    """
    return (
        named.with_columns(
            filled=(pl.col("before").is_null() & pl.col("value").is_not_null()).cum_sum().over("record_key")
        )
        .group_by("record_key", "filled", maintain_order=True)
        .agg(occurred_at=pl.col("at").first(), account_id=pl.col("value").last())
        .unique("record_key", keep="last", maintain_order=True)
        .filter(pl.col("account_id").is_not_null())
        .select(
            "record_key",
            "occurred_at",
            "account_id",
            event_type=pl.lit("referral.received"),
            fact_key=pl.format("contact/{}/referral", "record_key"),
        )
    )
