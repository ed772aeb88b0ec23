"""Measures of this organisation that no declaration says."""

import polars as pl


def notas(events: pl.LazyFrame, windows: pl.LazyFrame) -> pl.LazyFrame:
    """The sum of the scores that were given in a window, over ten for each."""
    return (
        windows.join_where(events, pl.col("day") >= pl.col("window_start"), pl.col("day") <= pl.col("as_of"))
        .filter(pl.col("score").is_not_null())
        .group_by("as_of", "window_start")
        .agg(pl.col("score").sum().alias("numerator"), (10 * pl.len()).alias("denominator"))
    )
