"""Measures of this organisation that no declaration says."""

import polars as pl


def notas(events: pl.LazyFrame, windows: pl.LazyFrame) -> pl.LazyFrame:
    """The sum of the scores that were given in a window, over ten for each."""
    return notas_events(events, windows).group_by("as_of", "window_start").agg(pl.col("numerator", "denominator").sum())


def notas_events(events: pl.LazyFrame, windows: pl.LazyFrame) -> pl.LazyFrame:
    """The scores that were given in a window."""
    return (
        windows.join_where(events, pl.col("day") >= pl.col("window_start"), pl.col("day") <= pl.col("as_of"))
        .filter(pl.col("score").is_not_null())
        .select("as_of", "window_start", "event_id", pl.col("score").alias("numerator"), denominator=pl.lit(10))
    )
