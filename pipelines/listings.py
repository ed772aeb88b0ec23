"""What properties state that an agency takes on, where its CRM keeps them as deals: taken on, and advertised.

Belongs here: the facts that follow from the courses of such a deal's stage and portals. Does not: how a vendor tells
them (its `deals`), what else is said of a property.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from pipelines.sales import fact
from pipelines.turns import added

FACTS = ("listing.captured", "listing.published")


def captured(stages: pl.LazyFrame, meant: Collection[str], said: pl.LazyFrame) -> pl.LazyFrame:
    """A property is taken on once: on the day that the agency says, or else when it first came to such a stage.

    stages: the changes of the stage (`turns`). meant: the stages that mean it. said: record_key and said_on, null where
    the agency says no day.
    """
    first = (
        stages.filter(pl.col("value").is_in(meant))
        .unique("record_key", keep="first", maintain_order=True)
        .join(said, on="record_key")
        .with_columns(captured_at=pl.coalesce("said_on", "at"))
    )
    return fact(first, "listing.captured", pl.format("listing/{}/captured", "record_key"), "captured_at")


def published(portals: pl.LazyFrame) -> pl.LazyFrame:
    """A property is published on each portal that is added to it, as often as it is added.

    portals: the changes of what it is on (`turns`): texts of several, separated by `;`.
    """
    put_on = added(portals).rename({"value": "portal"})
    key = pl.format("listing/{}/portal/{}/{}", "record_key", "portal", pl.col("at").dt.epoch("ms"))
    return fact(put_on, "listing.published", key, "at", "portal")
