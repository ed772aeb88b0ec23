"""What deals state, whichever CRM they are kept in: opened, moved, repriced, forecast, won or lost.

Belongs here: the facts that follow from the courses of a deal's stage, amount, currency and expected month. Does not:
how a vendor tells them (its `deals`).

What a fact says of a deal is as it was when the fact happened, in the currency of that time; the amount of a won or
lost deal is the one in force now, because a corrected amount corrects the win. A win or a loss stands while the deal
stays there: one that was put back was not won.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.turns import SAME_SAVE, first_moment, in_force

FACTS = ("deal.created", "deal.stage_entered", "deal.amount_changed", "deal.won", "deal.lost")
FORECAST_FACTS = ("forecast.stated",)

WON, LOST = "won", "lost"

_NOTHING = pl.lit(Decimal(0), DECIMAL)


@dataclass(frozen=True)
class Course:
    """The deals of one pipeline, and how they went.

    deals: record_key, created_at, and `amount` and `currency` as they are now. stages, amounts, currencies: the changes
    of each (`turns`); before a deal has a currency of its own it is in `currency`, the account's.
    """

    deals: pl.LazyFrame
    stages: pl.LazyFrame
    amounts: pl.LazyFrame
    currencies: pl.LazyFrame
    currency: str | None = None

    def facts(self, standing: pl.LazyFrame) -> pl.LazyFrame:
        """What they state, without forecasts. standing: deals that are won or lost: record_key, end, at."""
        return pl.concat(
            [self._opened(), self._entered(), self._repriced(), self._recurrencied(), self._ended(standing)],
            how="diagonal",
        )

    def forecasts(self, months: pl.LazyFrame, losses: pl.LazyFrame) -> pl.LazyFrame:
        """What was expected of which month, whenever amount, currency or month changed, or a deal was lost or not.

        months: the changes of the first day of the month that a deal is expected in, null while it counts in none.
        losses: when a deal came to be lost (value: true), and when it was taken up again. A deal without amount or
        month forecasts nothing; one that had been forecast before it lost either is forecast as zero, once; one that is
        lost, as zero.
        """
        expected = expectations(self.amounts, months, losses, self.currencies)
        return forecasts(self._in_currency(expected), "currency")

    def _in_currency(self, facts: pl.LazyFrame) -> pl.LazyFrame:
        """Facts with the currency that their amounts were in; those without an amount are in none."""
        found = in_force(facts, self.currencies, "currency", or_first=False)
        known = pl.coalesce("currency", pl.lit(self.currency, pl.String))
        return found.with_columns(currency=pl.when(pl.col("amount").is_not_null()).then(known))

    def _opened(self) -> pl.LazyFrame:
        opened = fact(self.deals, "deal.created", pl.format("deal/{}/created", "record_key"), "created_at")
        opened = in_force(opened, self.amounts, "amount", or_first=False)
        return in_force(self._in_currency(opened), self.stages, "stage")

    def _entered(self) -> pl.LazyFrame:
        entered = self.stages.filter(pl.col("value").is_not_null()).with_columns(stage="value")
        key = pl.format("deal/{}/stage/{}/{}", "record_key", "stage", pl.col("at").dt.epoch("ms"))
        stated = fact(entered, "deal.stage_entered", key, "at", "stage")
        return self._in_currency(in_force(stated, self.amounts, "amount", or_first=False))

    def _repriced(self) -> pl.LazyFrame:
        """The amount that a deal is opened with is no change; of several in one save, the last holds."""
        changed = (
            self._after_opening(self.amounts)
            .filter(pl.col("value").is_not_null())
            .with_columns(amount="value", _at=pl.col("at").dt.epoch("ms"))
            .unique(["record_key", "_at"], keep="last", maintain_order=True)
            .drop("_at")
        )
        stated = fact(changed, "deal.amount_changed", _repricing_key(), "at", "amount")
        return in_force(self._in_currency(stated), self.stages, "stage")

    def _recurrencied(self) -> pl.LazyFrame:
        """A deal whose currency alone is changed is worth another amount since then."""
        known = pl.coalesce("before", pl.lit(self.currency, pl.String))
        changed = self._after_opening(self.currencies).filter(pl.col("value").ne_missing(known))
        repriced = self.amounts.select("record_key", "at", repriced_at="at").sort("at")
        alone = (
            changed.sort("at")
            .join_asof(
                repriced, on="at", by="record_key", strategy="nearest", tolerance=SAME_SAVE, check_sortedness=False
            )
            .filter(pl.col("repriced_at").is_null())
            .unique(["record_key", "at"], keep="last", maintain_order=True)
        )
        stated = fact(alone, "deal.amount_changed", _repricing_key(), "at")
        stated = in_force(stated, self.amounts, "amount", or_first=False).filter(pl.col("amount").is_not_null())
        return in_force(self._in_currency(stated), self.stages, "stage")

    def _after_opening(self, changed: pl.LazyFrame) -> pl.LazyFrame:
        opened = self.deals.select("record_key", "created_at")
        with_opening = changed.join(opened, on="record_key", maintain_order="left")
        return with_opening.filter(pl.col("at") > pl.col("created_at") + SAME_SAVE)

    def _ended(self, standing: pl.LazyFrame) -> pl.LazyFrame:
        now = self.deals.select("record_key", "amount", "currency")
        return standing.join(now, on="record_key").select(
            "record_key",
            "amount",
            currency=pl.when(pl.col("amount").is_not_null()).then("currency"),
            event_type="deal." + pl.col("end"),
            fact_key=pl.format("deal/{}/{}", "record_key", "end"),
            occurred_at="at",
        )


def fact(rows: pl.LazyFrame, event_type: str, key: pl.Expr, at: str, *kept: str) -> pl.LazyFrame:
    """Rows as facts of one type."""
    return rows.select("record_key", *kept, fact_key=key, event_type=pl.lit(event_type), occurred_at=at)


def standing(stages: pl.LazyFrame, won: Collection[str], lost: Collection[str]) -> pl.LazyFrame:
    """Deals whose last stages are won or lost ones, since they came to be: record_key, end, at."""
    ends = {**dict.fromkeys(won, WON), **dict.fromkeys(lost, LOST)}
    return (
        stages.with_columns(end=pl.col("value").replace_strict(ends, default="open", return_dtype=pl.String))
        .with_columns(has_turned=(pl.col("end") != pl.col("end").shift(1).over("record_key")).fill_null(value=True))
        .filter("has_turned")
        .unique("record_key", keep="last", maintain_order=True)
        .filter(pl.col("end") != "open")
        .select("record_key", "end", "at")
    )


def won_as_said(ended: pl.LazyFrame, said: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    """Ended deals (`standing`), the won ones of the day or time that they say themselves, where they say one.

    said: record_key, and won_on (a day) or won_at (a time). A deal that was won on the day that it says was won when it
    came to its stage: a day alone is its first moment.
    """
    day, time = pl.col("won_on"), pl.col("won_at")
    is_that_day = (pl.col("at").dt.convert_time_zone(zone).dt.date() == day).fill_null(value=False)
    at = pl.when(is_that_day).then("at").otherwise(pl.coalesce(time, first_moment(day, zone), "at"))
    found = ended.join(said.select("record_key", "won_on", "won_at"), on="record_key", how="left")
    return found.select("record_key", "end", at=pl.when(pl.col("end") == WON).then(at).otherwise("at"))


def losses(stages: pl.LazyFrame, lost: Collection[str]) -> pl.LazyFrame:
    """When a deal came to be lost (value: true), and when it was taken up again."""
    return (
        stages.with_columns(value=pl.col("value").is_in(list(lost)).fill_null(value=False))
        .with_columns(was_lost=pl.col("value").shift(1).over("record_key", order_by="at").fill_null(value=False))
        .filter(pl.col("value") != pl.col("was_lost"))
    )


def _repricing_key() -> pl.Expr:
    return pl.format("deal/{}/amount/{}", "record_key", pl.col("at").dt.epoch("ms"))


def expectations(
    amounts: pl.LazyFrame, months: pl.LazyFrame, losses: pl.LazyFrame, *others: pl.LazyFrame
) -> pl.LazyFrame:
    """At each of these changes, the amount that was in force, of what is lost nothing, and the month."""
    turned = (amounts, months, losses, *others)
    moments = pl.concat([one.select("record_key", occurred_at="at") for one in turned]).unique()
    found = in_force(moments, amounts, "amount", or_first=False)
    found = in_force(found, months, "forecast_month", or_first=False)
    return in_force(found, losses, "is_lost", or_first=False).with_columns(
        amount=pl.when("is_lost").then(_NOTHING).otherwise("amount")
    )


def forecasts(expected: pl.LazyFrame, *beside: str) -> pl.LazyFrame:
    """The forecasts among expectations; what was saved in one click is one. beside: what else they say."""

    def before(column: str) -> pl.Expr:
        return pl.col(column).shift(1).over("record_key", order_by="occurred_at")

    month = pl.col("forecast_month")
    is_forecast = pl.col("amount").is_not_null() & month.is_not_null()
    is_withdrawn = ~is_forecast & before("amount").is_not_null() & before("forecast_month").is_not_null()
    is_same_save = pl.col("occurred_at") - before("occurred_at") <= SAME_SAVE
    is_as_before = pl.all_horizontal(pl.col(name) == before(name) for name in ("amount", *beside, "forecast_month"))
    is_again = is_same_save & is_as_before
    stated = expected.with_columns(
        amount=pl.when(is_withdrawn).then(_NOTHING).otherwise("amount"),
        forecast_month=pl.when(is_withdrawn).then(before("forecast_month")).otherwise("forecast_month"),
        is_stated=is_withdrawn | (is_forecast & ~is_again.fill_null(value=False)),
        **{name: pl.when(is_withdrawn).then(pl.coalesce(name, before(name))).otherwise(name) for name in beside},
    ).filter("is_stated")
    return stated.select(
        "record_key",
        "occurred_at",
        "amount",
        *beside,
        "forecast_month",
        fact_key=pl.format("deal/{}/forecast/{}", "record_key", pl.col("occurred_at").dt.epoch("ms")),
        event_type=pl.lit("forecast.stated"),
    )
