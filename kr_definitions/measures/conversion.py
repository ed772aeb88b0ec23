"""Of those that began, how many got there.

Belongs here: the part of subjects whose first event is followed by another. Does not: which two events make a pair
(`pairs`), shares of events (`additive`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from kr_definitions.measures.base import Context, Filter, Kind, words
from kr_definitions.measures.claims import NOTHING, ONE, claims
from kr_definitions.measures.pairs import FromTo
from kr_definitions.measures.selection import Cohort, Cohorts, OfCohorts
from kr_definitions.measures.series import with_ratio, within_windows
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import Elapsed, length


class Conversion(OfCohorts):
    """Of those that began in the window (`from`), the part that got there (`to`) by the end of the day.

    within: only those that got there in so long count, its end included; and one whose time is not over yet, and that
    has not got there, counts in neither part. Without it, who has not got there yet counts as not there. Each key
    begins once, with its first `from`. A window in which nobody began has no value.
    """

    conversion: FromTo
    within: Elapsed | None = None
    among: Cohorts = ()

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.conversion.from_, *self.conversion.to)

    @property
    def cohorts(self) -> tuple[Cohort, ...]:
        return self.among

    @property
    def remembered(self) -> tuple[str, ...]:
        """Somebody begins only once, and may have done so long ago."""
        return (*self.conversion.from_, *self.also_read)

    @property
    def kind(self) -> Kind:
        return "share"

    def filters(self) -> Iterator[Filter]:
        yield from self.conversion.filters("conversion")
        yield from super().filters()

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """How many there are of each: the day of the beginning, the day on which it was got there, on which decided."""
        return (
            self._followed(log, context)
            .group_by("day", "reached_on", "decided_on")
            .agg(pl.len().cast(DECIMAL).alias("subjects"))
        )

    def _followed(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The same of each that began, with the events that say so."""
        pairs = self.conversion.pairs(log, context, self.among)
        reached_on, decided_on = pl.col("ended_on"), pl.lit(None, dtype=pl.Date)
        if self.within is not None:
            is_in_time = pl.col("ended_at") <= pl.col("began_at") + self.within
            limit = (pl.col("began_at") + self.within).dt.convert_time_zone(context.zone).dt.date()
            reached_on = pl.when(is_in_time).then(pl.col("ended_on"))
            decided_on = pl.when(is_in_time).then(pl.col("ended_on")).otherwise(limit)
        return pairs.select(
            pl.col("began_on").alias("day"),
            reached_on.alias("reached_on"),
            decided_on.alias("decided_on"),
            pl.col("began").alias("event_id"),
            pl.col("ended").alias("with_event_id"),
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """Who began: not there from when that is decided, and there, with the event that got there, from when it is."""
        began = self._followed(log, context)
        arrived, since = began.filter(pl.col("reached_on").is_not_null()), pl.col("reached_on")
        decided_on = pl.max_horizontal("day", "decided_on")
        given = {"denominator": ONE, "starts_by": pl.col("day")}
        waits = claims(began, numerator=NOTHING, counts_from=decided_on, counts_before=since, **given)
        is_there = {"with_event_id": pl.col("with_event_id"), "numerator": ONE, "counts_from": since}
        return {"": pl.concat([waits, claims(arrived, **is_there, **given)])}

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        is_decided = pl.col("decided_on").is_null() | (pl.col("decided_on") <= pl.col("as_of"))
        is_reached = pl.col("reached_on") <= pl.col("as_of")
        found = (
            within_windows(partials, windows)
            .group_by("as_of", "window_start")
            .agg(
                pl.col("subjects").filter(is_decided & is_reached).sum().alias("numerator"),
                pl.col("subjects").filter(is_decided).sum().alias("denominator"),
            )
            .collect()
        )
        joined = windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left")
        return with_ratio(
            joined.with_columns(pl.col("numerator", "denominator").fill_null(0)).with_columns(
                (pl.col("numerator") + pl.col("denominator")).cast(pl.Int64).alias("events")
            )
        )

    def text(self) -> str:
        limit = f" within {length(self.within)}" if self.within else ""
        return f"share of {words(self.conversion.from_)} that reach {words(self.conversion.to)}{limit}"
