"""From daily partials to a value for each day: the arithmetic that measures share.

Belongs here: windows over partials, exact and vectorised. Does not: what a measure counts (its own module), what is
known and what is not (`coverage`), progress.

A frame of windows has a row for each day whose value is asked for: `as_of`, and `window_start`, the first day that the
value is counted over. A series adds `numerator`, `denominator`, `value`, `events` to it, in the same order.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from kr_definitions.vocabulary import DECIMAL

THE_BEGINNING = date(1900, 1, 1)
"""First day of a window that reaches back to the first event."""


def day_totals(partials: pl.DataFrame) -> pl.DataFrame:
    """Partials summed by day, in the order of days."""
    return partials.group_by("day").agg(pl.exclude("day").sum()).sort("day")


def window_sums(partials: pl.DataFrame, windows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """The sum of daily columns over each window: the running total at its end less the one before its start.

    Exact: the columns are decimals or integers. Days without a row count as zero.
    """
    running = day_totals(partials.select("day", *columns))
    days = running.get_column("day")
    through = days.search_sorted(windows.get_column("as_of"), side="right")
    before = days.search_sorted(windows.get_column("window_start"), side="left")
    differences = []
    for name in columns:
        sums = running.get_column(name).cum_sum()
        so_far = pl.concat([pl.Series(name, [0], dtype=sums.dtype), sums])
        differences.append(so_far.gather(through) - so_far.gather(before))
    return windows.with_columns(differences)


def within_windows(partials: pl.DataFrame, windows: pl.DataFrame) -> pl.LazyFrame:
    """Each window beside each partial row whose day lies in it, by `as_of` and `window_start`."""
    asked = windows.lazy().select("as_of", "window_start").unique()
    return asked.join_where(partials.lazy(), pl.col("day") >= pl.col("window_start"), pl.col("day") <= pl.col("as_of"))


def divided(dividend: pl.Expr, divisor: pl.Expr) -> pl.Expr:
    """The quotient that IEEE 754 asks for, in every row.

    By one number for all rows Polars multiplies with its reciprocal, which is another result (49 / 49 < 1), and only
    where there is more than one row. So the divisor is made a number of each row's own.
    """
    return dividend / (divisor + 0 * dividend)


def with_ratio(series: pl.DataFrame) -> pl.DataFrame:
    """`value` from numerator and denominator: null where the denominator is zero."""
    ratio = divided(pl.col("numerator").cast(pl.Float64), pl.col("denominator").cast(pl.Float64))
    return series.with_columns(pl.when(pl.col("denominator") != 0).then(ratio).alias("value"))


def with_plain_value(series: pl.DataFrame) -> pl.DataFrame:
    """`value` is the numerator itself; there is no denominator."""
    return series.with_columns(
        pl.col("numerator").cast(pl.Float64).alias("value"), pl.lit(None, dtype=DECIMAL).alias("denominator")
    )


def at_place(numbers: pl.LazyFrame, part: float, unit: int = 1) -> pl.LazyFrame:
    """The number that a part of the numbers of each window does not exceed, linear between the two nearest ones.

    numbers: by `as_of` and `window_start`, a `number` each. unit: how many make one of the value. Columns: `lower` and
    `upper`, the two nearest numbers; `from_lower` and `from_upper`, what each gives to the value (null: it is the other
    number again); `value`, their sum; `events`.
    """
    number = pl.col("number").cast(pl.Float64)
    above, is_one = pl.col("_place") - pl.col("_place").floor(), pl.col("lower") == pl.col("upper")
    parts = {"lower": pl.when(is_one).then(1.0).otherwise(1 - above), "upper": pl.when(~is_one).then(above)}
    return (
        numbers.group_by("as_of", "window_start")
        .agg(
            number.quantile(part, interpolation="lower").alias("lower"),
            number.quantile(part, interpolation="higher").alias("upper"),
            ((pl.len().cast(pl.Int64) - 1) * part).alias("_place"),
            pl.len().cast(pl.Int64).alias("events"),
        )
        .with_columns(
            divided(pl.col(name) * weight, pl.lit(unit)).alias(f"from_{name}") for name, weight in parts.items()
        )
        .with_columns((pl.col("from_lower") + pl.col("from_upper").fill_null(0.0)).alias("value"))
        .drop("_place")
    )
