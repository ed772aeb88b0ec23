"""How final a figure is: until when facts of its day can arrive, and by how much such figures were revised so far.

Belongs here: the revision to be expected of a provisional figure, estimated from the history's own revisions. Does not:
how late each source can be (it says so itself), what moved and why (`causes`).

Of a figure that is so many days old, past figures tell what became of them: what was known of a day when it was as old,
beside what is known of it now that it is final. Their mean is the revision to be expected; nine of ten were no larger
than `revision_within` (the 0.9 quantile of their sizes). National accounts are published with such revision statistics
(OECD/Eurostat guidelines on revisions policy and analysis).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from kr_definitions.history import KEY, newest

FEWEST_DAYS = 5
"""How many final days must have been reported as early before anything is said of those that are not final yet."""

REVISIONS_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "member": pl.String(),
    "as_of": pl.Date(),
    "final_on": pl.Date(),  # the first day on which no fact of this one is expected any more
    "expected_revision": pl.Float64(),  # mean of what such figures moved by; null: too few are known
    "revision_within": pl.Float64(),  # nine of ten moved by no more
    "revisions_seen": pl.Int64(),  # how many there were
}


def expected_revisions(
    history: pl.LazyFrame, computations: pl.DataFrame, late_days: Mapping[str, int], through: date
) -> pl.DataFrame:
    """What to expect of the figures that are provisional: `REVISIONS_SCHEMA`, a row each.

    history: rows of the editions in force (`HISTORY_SCHEMA`). computations: `COMPUTATIONS_SCHEMA`. late_days: by key
    result, how many days after a day its facts can still arrive. through: the newest day that was computed.
    """
    late = pl.LazyFrame(
        list(late_days.items()), schema={"key_result_id": pl.String, "_late": pl.Int64}, orient="row"
    ).filter(pl.col("_late") > 0)
    rows = history.filter(~pl.col("is_withdrawn")).join(late, on="key_result_id")
    now = newest(rows).with_columns((pl.lit(through) - pl.col("as_of")).dt.total_days().alias("_age"))
    seen = _revisions(now.filter(pl.col("_age") >= pl.col("_late")), rows, computations)
    statistics = (
        seen.group_by("key_result_id", "member", "_age")
        .agg(
            pl.col("_revision").mean().alias("expected_revision"),
            pl.col("_revision").abs().quantile(0.9, interpolation="higher").alias("revision_within"),
            pl.len().cast(pl.Int64).alias("revisions_seen"),
        )
        .filter(pl.col("revisions_seen") >= FEWEST_DAYS)
    )
    return (
        now.filter(pl.col("_age") < pl.col("_late"))
        .join(statistics, on=["key_result_id", "member", "_age"], how="left", nulls_equal=True)
        .with_columns((pl.col("as_of") + pl.duration(days=pl.col("_late"))).alias("final_on"))
        .with_columns(pl.col("revisions_seen").fill_null(0))
        .select(pl.col(name).cast(dtype) for name, dtype in REVISIONS_SCHEMA.items())
        .sort(KEY, nulls_last=False)
        .collect()
    )


def _revisions(final: pl.LazyFrame, rows: pl.LazyFrame, computations: pl.DataFrame) -> pl.LazyFrame:
    """Of final figures, by how much they differ from what was known of them at each age at which they were not final.

    A run that computed a past all at once knew the facts that came late: only what was computed while it could still
    move counts.
    """
    runs = (
        computations.lazy()
        .select("through", "recorded_at", pl.col("key_results").alias("key_result_id"))
        .explode("key_result_id")
        .group_by("key_result_id", "through")
        .agg(pl.col("recorded_at").max().alias("_computed_at"))
    )
    told = (
        final.select(*KEY, "_late", pl.col("value").alias("_final"))
        .filter(pl.col("_final").is_not_null())
        .join(runs, on="key_result_id")
        .with_columns((pl.col("through") - pl.col("as_of")).dt.total_days().alias("_age"))
        .filter(pl.col("_age") >= 0, pl.col("_age") < pl.col("_late"))
        .sort("_computed_at")
    )
    known = rows.select(*KEY, "recorded_at", "value").sort("recorded_at")
    # Members that are null are the whole: joined by a name, since a null equals nothing.
    whole = pl.col("member").fill_null("\0").alias("_member")
    return (
        told.with_columns(whole)
        .join_asof(
            known.with_columns(whole).drop("member"),
            left_on="_computed_at",
            right_on="recorded_at",
            by=["key_result_id", "_member", "as_of"],
            strategy="backward",
            check_sortedness=False,
        )
        .filter(pl.col("value").is_not_null())
        .with_columns((pl.col("_final") - pl.col("value")).alias("_revision"))
    )
