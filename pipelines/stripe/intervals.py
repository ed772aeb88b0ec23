"""By which interval a billed period is one of a price: what an invoice says is from when to when, and no more.

Belongs here: that, and whose invoices bill a part each. Does not: what a period costs a month (`monthly`).

28 days may be a month or four weeks, 30 days a month or 30 days. A line names its price
(https://docs.stripe.com/api/invoice-line-item/object), and the states of the subscription that were told whole name the
interval of theirs: a line of such a price is of its interval, and where its period is not as long, it is a part of one
and says nothing. A price that no state has is of the interval of the states that all of its periods are as long as; or
else of what its periods have alike, months or days. What may be either stays open: that of which no month is known is
left out, and nothing seems to change by it.
"""

from __future__ import annotations

import polars as pl

_OF = ["interval", "interval_count"]
_IS_BILLED = pl.col("kind").eq_missing("billed")
_IS_NOTHING = pl.col("unit_amount").eq_missing("0")
_A_DAY = 86_400
"""By so much periods may overlap, or a change lie beside the period that it begins."""


def fitted(items: pl.LazyFrame) -> pl.LazyFrame:
    """Items of states (`monthly.items_of`), those that were billed with the interval of their price; null if unknown.

    What costs nothing, a trial, costs that by any interval.
    """
    placed = items.with_row_index("_place")
    whole = _in_months(items.filter(~_IS_BILLED & pl.col("kind").ne_missing("prorated")))
    whole = whole.select("id", "price", *(pl.col(name).alias(f"{name}_of") for name in _OF)).drop_nulls("interval_of")
    lines = _in_months(placed.filter(_IS_BILLED & ~_IS_NOTHING)).with_columns(pl.col("days").cast(pl.Int64))
    priced = whole.drop_nulls("price").unique(["id", "price"], maintain_order=True)
    of_price = lines.join(priced, on=["id", "price"])
    others = lines.join(priced, on=["id", "price"], how="anti")
    found = pl.concat([of_price.filter(_is_as_long()).select("_place", _chosen("_of")), _of_others(others, whole)])
    return (
        placed.join(found, on="_place", how="left", maintain_order="left")
        .with_columns(
            pl.when(_IS_BILLED & ~_IS_NOTHING).then(pl.col("chosen").struct.field(name)).otherwise(name).alias(name)
            for name in _OF
        )
        .drop("_place", "chosen")
    )


def _of_others(lines: pl.LazyFrame, whole: pl.LazyFrame) -> pl.LazyFrame:
    """Lines of prices that no state has: `_place`, and which interval was `chosen`; one that names no price, by itself.

    A period that is months and weeks alike, or 30 days, may be of either.
    """
    group = ["id", "_group"]
    lines = lines.with_columns(_group=pl.coalesce("price", pl.format("{}", "_place")))
    alike = lines.group_by(group).agg(
        pl.len(),
        months=pl.when((pl.col("interval") == "month").all() & (pl.col("interval_count").n_unique() == 1)).then(
            pl.col("interval_count").first()
        ),
        days=pl.when(pl.col("days").n_unique() == 1).then(pl.col("days").first()),
    )
    known = whole.select("id", "interval_of", "interval_count_of").unique()
    as_long = (
        lines.join(known, on="id")
        .filter(_is_as_long())
        .group_by(*group, "interval_of", "interval_count_of")
        .agg(of_it=pl.len())
        .join(alike.select(*group, "len"), on=group)
        .filter(pl.col("of_it") == pl.col("len"))
        .group_by(group)
        .agg(pl.col("interval_of", "interval_count_of").first(), ways=pl.len())
    )
    is_weeks = pl.col("days") % 7 == 0
    may_be_days = pl.col("days").is_not_null() & (is_weeks | (pl.col("days") % 30 == 0))
    by_length = (
        pl.when(pl.col("months").is_not_null() & ~may_be_days)
        .then(_named("month", "months"))
        .when(pl.col("months").is_null() & is_weeks)
        .then(_named("week", pl.col("days") // 7))
        .when(pl.col("months").is_null())
        .then(_named("day", "days"))
    )
    of_states = pl.when(pl.col("ways") == 1).then(_chosen("_of"))
    chosen = pl.when(pl.col("ways").is_null()).then(by_length).otherwise(of_states).alias("chosen")
    of_group = alike.join(as_long, on=group, how="left").select(*group, chosen)
    return lines.join(of_group, on=group, how="left").select("_place", "chosen")


def _in_months(items: pl.LazyFrame) -> pl.LazyFrame:
    """Items with whole numbers of their intervals, a year as twelve months."""
    times = pl.when(pl.col("interval") == "year").then(12).otherwise(1)
    return items.with_columns(
        interval=pl.col("interval").replace("year", "month"),
        interval_count=pl.col("interval_count").cast(pl.Int64, strict=False) * times,
    )


def _is_as_long() -> pl.Expr:
    """Whether a line's period is as long as an interval (`…_of`)."""
    unit, count = pl.col("interval_of"), pl.col("interval_count_of")
    is_month = (unit == "month") & (pl.col("interval") == "month") & (pl.col("interval_count") == count)
    in_days = unit.replace_strict({"week": 7, "day": 1}, default=None, return_dtype=pl.Int64) * count
    return is_month | (pl.col("days") == in_days).fill_null(value=False)


def _chosen(suffix: str) -> pl.Expr:
    return _named(pl.col(f"interval{suffix}"), pl.col(f"interval_count{suffix}"))


def _named(interval: str | pl.Expr, count: str | pl.Expr) -> pl.Expr:
    unit = pl.lit(interval) if isinstance(interval, str) else interval
    number = pl.col(count) if isinstance(count, str) else count
    return pl.struct(interval=unit, interval_count=number.cast(pl.String)).alias("chosen")


def of_several(items: pl.LazyFrame) -> pl.LazyFrame:
    """The subscriptions (`id`) that have, or had, items of several intervals: invoices bill a part of them each.

    So says any state; an invoice that bills periods of several lengths; one that bills a period within another one that
    is longer and was not ended by a change that day.
    """
    is_priced = pl.col("usage_type").ne_missing("metered") & ~_IS_NOTHING
    intervals = _in_months(items.filter(pl.col("kind").ne_missing("prorated"), is_priced))
    at_once = intervals.group_by("record_key", "id").agg(n=pl.struct(_OF).n_unique()).filter(pl.col("n") > 1)
    at = pl.col("at").cast(pl.Int64, strict=False)
    until = at + pl.col("days").cast(pl.Int64) * _A_DAY
    periods = intervals.filter(_IS_BILLED).select("id", *_OF, at=at, until=until).unique().sort("at")
    others = periods.select("id", *(pl.col(name).alias(f"{name}_of") for name in _OF)).unique()
    is_other = pl.struct(_OF) != pl.struct(interval="interval_of", interval_count="interval_count_of")
    begun = (
        periods.select("id", "at", *_OF)
        .join(others, on="id")
        .filter(is_other)
        .with_columns(by=pl.col("at") - _A_DAY)
        .sort("at")
    )
    longer = periods.select("id", "until", *(pl.col(name).alias(f"{name}_of") for name in _OF), began="at")
    within = begun.join_asof(
        longer,
        left_on="by",
        right_on="began",
        by=["id", "interval_of", "interval_count_of"],
        check_sortedness=False,
    ).filter(pl.col("until") > pl.col("at") + _A_DAY)
    changed = items.filter(pl.col("kind").eq_missing("prorated")).select("id", at=at).sort("at")
    unchanged = within.join_asof(
        changed.with_columns(changed="at"),
        on="at",
        by="id",
        strategy="nearest",
        tolerance=_A_DAY,
        check_sortedness=False,
    ).filter(pl.col("changed").is_null())
    return pl.concat([at_once.select("id"), unchanged.select("id")]).unique()
