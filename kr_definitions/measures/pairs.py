"""Two events of one subject: the first that starts something, and the first after it that ends it.

Belongs here: finding such pairs. Does not: what is measured of them (`duration`, `conversion`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from pydantic import Field

from kr_definitions.measures.base import Context, Filter
from kr_definitions.measures.selection import Cohorts, KeyColumn, filtered, keyed, selected
from kr_definitions.organisation import Declared
from kr_definitions.words import EventTypes


class FromTo(Declared):
    """The events that start and that end something, a filter on each, and whose they are.

    where: over the events that end it; from_where: over those that start it. by: what makes two events belong together;
    `account_id` joins what different systems know of one customer.
    """

    from_: EventTypes = Field(alias="from")
    from_where: str | None = None
    to: EventTypes
    where: str | None = None
    by: KeyColumn = "subject_id"

    def filters(self, name: str) -> Iterator[Filter]:
        """The filters, below the measure of this name."""
        if self.from_where is not None:
            yield (name, "from_where"), self.from_where, self.from_
        if self.where is not None:
            yield (name, "where"), self.where, self.to

    def starts(self, log: pl.LazyFrame, context: Context, among: Cohorts = ()) -> pl.LazyFrame:
        """When each key began, the first time: key, began_at, began_on, and the event that says so (`began`)."""
        return (
            selected(log, self.from_, self.from_where, among, context)
            .filter(pl.col(keyed(self.by)).is_not_null())
            .sort("occurred_at", "event_id")
            .group_by(pl.col(keyed(self.by)).alias("key"), maintain_order=True)
            .agg(
                pl.col("occurred_at").first().alias("began_at"),
                pl.col("day").first().alias("began_on"),
                pl.col("event_id").first().alias("began"),
            )
        )

    def ends(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """Each event that may end something: key, ended_at, ended_on, and which one it is (`ended`)."""
        return filtered(context.events(log, self.to), self.where, self.to).select(
            pl.col(keyed(self.by)).alias("key"),
            pl.col("occurred_at").alias("ended_at"),
            pl.col("day").alias("ended_on"),
            pl.col("event_id").alias("ended"),
        )

    def pairs(self, log: pl.LazyFrame, context: Context, among: Cohorts = ()) -> pl.LazyFrame:
        """Each key that began, with its first end that is not before its beginning (null: it has none)."""
        began = self.starts(log, context, among)
        ended = (
            began.join(self.ends(log, context), on="key")
            .filter(pl.col("ended_at") >= pl.col("began_at"))
            .group_by("key")
            .agg(
                pl.col("ended_at").min(),
                pl.col("ended_on").min(),
                pl.col("ended").sort_by("ended_at", "ended").first(),
            )
        )
        return began.join(ended, on="key", how="left")
