"""Claims: which events make up which values, before anything is said of days.

Belongs here: the form of a claim, and finding the days on which claims hold. Does not: which events a measure claims
(its own module), the claims of a key result (`contributions`).

A claim says that an event gives so much to the value of every window of which four bounds hold. Windows come in the
order of days, and neither their first days nor the last ones counted ever fall. So each bound holds from a day on, or
up to one, and a claim on the days of one span: it is kept as its first and last, whatever the number of days between.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from kr_definitions import shapes
from kr_definitions.vocabulary import DECIMAL

# What an event gives.
GIVEN = {
    "event_id": pl.String(),  # null: a number that is stated, or that no event can be named for
    "with_event_id": pl.String(),  # the other event that it is counted with: where what this one ended had begun
    "numerator": DECIMAL,  # of the numerator; null where the value has none
    "denominator": DECIMAL,
    "contribution": pl.Float64(),  # of a value that its numerator does not say (a median): of the value itself
}

# Of which windows. A null bound binds nothing.
BOUNDS = {
    "counts_from": pl.Date(),  # whose last day counted is this one or later
    "counts_before": pl.Date(),  # whose last day counted is earlier
    "starts_by": pl.Date(),  # whose first day is this one or earlier
    "starts_after": pl.Date(),  # whose first day is later
}

_NO_BOUND = {
    "counts_from": date.min,
    "counts_before": date.max,
    "starts_by": date.max,
    "starts_after": date.min,
}

HELD_SCHEMA = {"first_day": pl.Date(), "last_day": pl.Date(), **GIVEN}
"""What an event gives to the values of the days from the first to the last."""

ONE, NOTHING = pl.lit(1, dtype=DECIMAL), pl.lit(0, dtype=DECIMAL)

ON_ITS_DAY = {"counts_from": pl.col("day"), "starts_by": pl.col("day")}
"""The bounds of what counts in every window that holds its day."""


def claims(rows: pl.LazyFrame, **said: pl.Expr) -> pl.LazyFrame:
    """Rows with an `event_id`, unless another is said, as claims: the columns of `GIVEN` and `BOUNDS`."""
    schema, columns = {**GIVEN, **BOUNDS}, {"event_id": pl.col("event_id"), **said}
    assert columns.keys() <= schema.keys(), columns
    return rows.select(columns.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in schema.items())


def stated(**said: pl.Expr) -> pl.LazyFrame:
    """A claim on every window that no event makes."""
    return claims(pl.LazyFrame({"event_id": [None]}), **said)


def firsts(events: pl.LazyFrame, key: str) -> pl.LazyFrame:
    """The first event of a key on each of its days, and `starts_after`: its day before, after which it is the first."""
    return (
        events.sort("occurred_at", "event_id")
        .unique([key, "day"], keep="first", maintain_order=True)
        .with_columns(pl.col("day").shift(1).over(key, order_by="day").alias("starts_after"))
    )


def held(claimed: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """The claims that hold on some day, with the first and the last one: `HELD_SCHEMA`.

    windows: `as_of`, `window_start` and `until` (the last day counted), in the order of days.
    """
    bounds = {name: claimed.get_column(name).fill_null(_NO_BOUND[name]) for name in BOUNDS}
    starts, ends, days = (windows.get_column(name) for name in ("window_start", "until", "as_of"))
    placed = claimed.with_columns(
        pl.max_horizontal(
            ends.search_sorted(bounds["counts_from"], side="left"),
            starts.search_sorted(bounds["starts_after"], side="right"),
        ).alias("_first"),
        pl.min_horizontal(
            ends.search_sorted(bounds["counts_before"], side="left"),
            starts.search_sorted(bounds["starts_by"], side="right"),
        ).alias("_end"),
    ).filter(pl.col("_first") < pl.col("_end"))
    return placed.select(
        days.gather(placed.get_column("_first")).alias("first_day"),
        days.gather(placed.get_column("_end") - 1).alias("last_day"),
        *GIVEN,
    )


def asked(windows: pl.DataFrame) -> pl.DataFrame:
    """The distinct windows, each by its first and its last day counted, as a series is asked for them."""
    return windows.select(pl.col("until").alias("as_of"), "window_start").unique(maintain_order=True)


def lasting(found: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """What is so in single windows, with the spans of days on which it goes on to be: `first_day` and `last_day`.

    found: rows by `window_start` and `as_of` (the last day counted), as `asked` says, and what is so.
    """
    what = [name for name in found.columns if name not in ("window_start", "as_of")]
    places = windows.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("_place"))
    return (
        places.join(found.rename({"as_of": "until"}), on=["window_start", "until"])
        .sort("_place")
        .with_columns((pl.col("_place") - pl.int_range(pl.len(), dtype=pl.Int64).over(what)).alias("_span"))
        .group_by("_span", *what, maintain_order=True)
        .agg(pl.col("as_of").first().alias("first_day"), pl.col("as_of").last().alias("last_day"))
    )


def given(found: pl.DataFrame) -> pl.DataFrame:
    """What is known to be given on spans of days, with all columns of `HELD_SCHEMA`."""
    return found.select(shapes.columns(HELD_SCHEMA, found.columns))


def decided(numbers: pl.DataFrame, placed: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """What the events give that an order statistic is made by: each counts, and one number or two of them decide.

    numbers: the events (`event_id`, `with_event_id`) with the `day` on which they count, `occurred_at` and a `number`.
    placed: `at_place`, of the distinct windows. Of events with the same number in a window, the first one is named.
    """
    weighed = {"denominator": ONE, "contribution": pl.lit(0.0)}
    counted = held(
        claims(numbers.lazy(), with_event_id=pl.col("with_event_id"), **weighed, **ON_ITS_DAY).collect(), windows
    )
    deciding = pl.concat(
        placed.select(
            "window_start", "as_of", pl.col(name).alias("number"), pl.col(f"from_{name}").alias("contribution")
        )
        for name in ("lower", "upper")
    ).filter(pl.col("contribution").is_not_null())
    found = deciding.sort("window_start").join_asof(
        firsts(numbers.lazy(), "number").collect().sort("day"),
        left_on="window_start",
        right_on="day",
        by="number",
        strategy="forward",
        check_sortedness=False,
    )
    decides = found.select("window_start", "as_of", "event_id", "with_event_id", "contribution", denominator=NOTHING)
    return pl.concat([counted, given(lasting(decides, windows))])
