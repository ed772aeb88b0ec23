"""Followers of an own profile, whatever its network: readings of their number, and what the network tells of its days.

Belongs here: how the two fit together. Does not: how either is fetched (each network's module).

`followers.observed` is what was read: a reading stands for its day in the organisation's zone. Of days before the first
reading, and of days without one, the network may know more than we saw: the number at the end of its days, or only how
many came and went. From the latter the number before the first reading is reckoned back, day by day, as long as no day
is missing, and is marked as reckoned: nothing is interpolated. A reading between two ends of days counts as made at the
nearer one, so what is reckoned can be off by what moved in half a day, and never by more.

Two readings whose difference cannot be, given what came and went on the days between, are told of: in the quarantine,
where nobody's figure is withheld for it.

A network counts days in a zone of its own. What it says of one is dated at that day's noon there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.source import Record
from pipelines.turns import first_moment

PAYLOAD = pl.Struct(
    {
        "kind": pl.String(),  # reading, day, balance, metric
        "profile": pl.String(),
        "date": pl.String(),  # of a day: the network's; of the others: the organisation's
        "at": pl.String(),  # of a reading
        "count": pl.String(),
        "gained": pl.String(),
        "lost": pl.String(),
        "refused": pl.String(),  # of a metric: why there are no figures
    }
)

JOINT = timedelta(hours=13)
"""How far the end of a day can be from a reading to be the nearest one (a day has up to 25 hours)."""


def reading(profile: str, at: datetime, zone: ZoneInfo, count: Any) -> list[Record]:
    """What was read at an instant, and where it would be told that it does not fit what was read before."""
    day = str(at.astimezone(zone).date())
    said = {"profile": profile, "date": day, "at": at.isoformat()}
    return [
        Record(f"reading/{day}", at, {"kind": "reading", **said, "count": count}),
        Record(f"balance/{day}", at, {"kind": "balance", **said}),
    ]


def day(profile: str, on: date, *, count: Any = None, gained: Any = None, lost: Any = None) -> Record:
    """What the network tells of one of its days. count: how many there were at its end."""
    figures = {"count": count, "gained": gained, "lost": lost}
    return Record(f"day/{on}", None, {"kind": "day", "profile": profile, "date": str(on), **figures})


def metric(profile: str, name: str, refused: str | None) -> Record:
    """That a metric was asked for, and why its figures did not come, if they did not."""
    return Record(f"metric/{name}", None, {"kind": "metric", "profile": profile, "refused": refused})


def together(key: pl.Expr) -> pl.Expr:
    """All records of a profile are understood together (a stream's `group`)."""
    return key.str.slice(0, 0)


def exact(count: pl.Expr) -> pl.Expr:
    """How far the numbers of a network may be from the truth where it gives them exactly."""
    return count * 0


def followers(
    network: str,
    zone: str,
    days_zone: str,
    address: str | None = None,
    rough: Callable[[pl.Expr], pl.Expr] = exact,
) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    """What those records state. zone: the organisation's; days_zone: the network's; address: a profile's, with `{}`.

    rough: from a number to how far it may be from the truth: a difference within that is not told of.
    """

    def facts(records: pl.LazyFrame) -> pl.LazyFrame:
        numbers = {name: pl.col(name).cast(pl.UInt64, strict=False) for name in ("count", "gained", "lost")}
        said = records.with_columns(
            pl.col("date").str.to_date("%Y-%m-%d", strict=False),
            pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False),
            **{f"{name}_said": pl.col(name) for name in numbers},
        ).with_columns(**numbers)
        readings = said.filter(pl.col("kind") == "reading")
        days = _days(said, days_zone)
        found = pl.concat(
            [_read(readings), _told(days, readings, zone), _reckoned(days, readings)], how="diagonal_relaxed"
        ).with_columns(
            event_type=pl.lit("followers.observed"),
            network=pl.lit(network),
            source_url=pl.lit(None, pl.String) if address is None else pl.format(address, "subject_id"),
        )
        problems = [_unread(said), _unbalanced(readings, days, days_zone, rough)]
        return pl.concat([found, *problems], how="diagonal_relaxed").select(*_COLUMNS)

    return facts


_COLUMNS = (
    "record_key", "fact_key", "event_type", "subject_id", "occurred_at", "quantity", "network", "is_reckoned",
    "source_url", "problem",
)  # fmt: skip


def _days(said: pl.LazyFrame, days_zone: str) -> pl.LazyFrame:
    """The network's days, with when each began and ended."""
    return (
        said.filter(pl.col("kind") == "day", pl.col("date").is_not_null())
        .with_columns(
            starts_at=first_moment(pl.col("date"), days_zone),
            ends_at=first_moment(pl.col("date") + timedelta(days=1), days_zone),
            net=pl.col("gained").cast(pl.Int64) - pl.col("lost").cast(pl.Int64),
        )
        .sort("date")
    )


def _read(readings: pl.LazyFrame) -> pl.LazyFrame:
    return readings.filter(pl.col("count").is_not_null()).select(
        "record_key",
        fact_key="record_key",
        subject_id="profile",
        occurred_at=pl.col("at").cast(UTC_MICROSECONDS),
        quantity="count",
    )


def _told(days: pl.LazyFrame, readings: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    """What the network says that there were at the ends of its days, where nobody read it on that day."""
    return (
        days.filter(pl.col("count").is_not_null())
        .with_columns(pl.col("ends_at").dt.convert_time_zone(zone).dt.date().alias("local"))
        .join(readings.select(pl.col("date").alias("local")), on="local", how="anti")
        .select(
            "record_key",
            fact_key=pl.format("{}/end", "record_key"),
            subject_id="profile",
            occurred_at=pl.col("ends_at").cast(UTC_MICROSECONDS),
            quantity="count",
        )
    )


def _reckoned(days: pl.LazyFrame, readings: pl.LazyFrame) -> pl.LazyFrame:
    """What there must have been at the beginnings of the days before the first reading."""
    first = (
        readings.filter(pl.col("count").is_not_null())
        .sort("at")
        .head(1)
        .select(pl.col("at").alias("anchored_at"), pl.col("count").cast(pl.Int64).alias("anchor"))
    )
    joins_on = (
        pl.when(pl.int_range(pl.len()) == 0)
        .then((pl.col("ends_at") - pl.col("anchored_at")).abs() <= JOINT)
        .otherwise(pl.col("ends_at") == pl.col("starts_at").shift(1))
    )
    is_known = pl.col("net").is_not_null()
    told = days.filter(pl.col("count").is_not_null()).select(pl.col("ends_at").alias("starts_at"))
    return (
        days.join(first, how="cross")
        .filter(pl.col("starts_at") + (pl.col("ends_at") - pl.col("starts_at")) / 2 <= pl.col("anchored_at"))
        .sort("date", descending=True)
        .with_columns((joins_on & is_known).fill_null(value=False).cast(pl.UInt8).cum_min().alias("holds"))
        .with_columns((pl.col("anchor") - pl.col("net").fill_null(0).cum_sum()).alias("quantity"))
        .filter(pl.col("holds") == 1, pl.col("quantity") >= 0)
        .join(told, on="starts_at", how="anti")
        .select(
            "record_key",
            fact_key=pl.format("{}/beginning", "record_key"),
            subject_id="profile",
            occurred_at=pl.col("starts_at").cast(UTC_MICROSECONDS),
            quantity=pl.col("quantity").cast(pl.UInt64),
            is_reckoned=pl.lit(value=True),
        )
    )


def _unread(said: pl.LazyFrame) -> pl.LazyFrame:
    """What is no number, and metrics that gave none."""
    no_number = pl.format("followers: not a number ({})", pl.col("count_said").fill_null("nothing"))
    odd = [
        pl.when(pl.col(f"{name}_said").is_not_null() & pl.col(name).is_null()).then(
            pl.format("{}: not a number ({})", pl.lit(name), f"{name}_said")
        )
        for name in ("count", "gained", "lost")
    ]
    problem = (
        pl.when((pl.col("kind") == "reading") & pl.col("count").is_null())
        .then(no_number)
        .when(pl.col("kind") == "metric")
        .then("refused")
        .when(pl.col("kind") == "day")
        .then(pl.when(pl.col("date").is_null()).then(pl.lit("date: not a day")).otherwise(pl.coalesce(*odd)))
    )
    return said.select("record_key", problem=problem).drop_nulls("problem")


def _unbalanced(
    readings: pl.LazyFrame, days: pl.LazyFrame, days_zone: str, rough: Callable[[pl.Expr], pl.Expr]
) -> pl.LazyFrame:
    """Two readings that differ by more than came, or by more than went, on all of the days that they lie in."""
    known = days.filter(pl.col("net").is_not_null()).select(
        pl.col("date").alias("known"),
        pl.col("gained").cast(pl.Int64).cum_sum(),
        pl.col("lost").cast(pl.Int64).cum_sum(),
        pl.int_range(1, pl.len() + 1).alias("number"),
    )
    pairs = (
        readings.filter(pl.col("count").is_not_null())
        .sort("at")
        .with_columns(pl.col("count").cast(pl.Int64))
        .with_columns(
            pl.col("at").shift(1).alias("since"),
            pl.col("count").diff().alias("rise"),
            pl.max_horizontal(rough(pl.col("count")), rough(pl.col("count")).shift(1)).alias("rough"),
        )
        .drop_nulls("since")
        .select(
            pl.format("balance/{}", "date").alias("record_key"),
            "since",
            "at",
            "rise",
            "rough",
            pl.col("at").dt.convert_time_zone(days_zone).dt.date().alias("last"),
            (pl.col("since").dt.convert_time_zone(days_zone).dt.date() - timedelta(days=1)).alias("before"),
        )
    )
    upto = pairs.join_asof(known, left_on="last", right_on="known", strategy="backward")
    spans = upto.join_asof(known, left_on="before", right_on="known", strategy="backward", suffix="_before")
    came, went, days_known = (
        pl.col(name) - pl.col(f"{name}_before").fill_null(0) for name in ("gained", "lost", "number")
    )
    is_whole = days_known == (pl.col("last") - pl.col("before")).dt.total_days()
    text = pl.format(
        "{} followers more than at the reading before, where the network says that {} came and {} went: it counts"
        " otherwise, or has removed some",
        "rise", came, went,
    )  # fmt: skip
    rise, may_be = pl.col("rise"), pl.col("rough")
    is_off = (rise - may_be > came) | (rise + may_be < -went)
    return spans.filter(is_whole & is_off).select("record_key", problem=text)
