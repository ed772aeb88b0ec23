"""What subscriptions state: when they began and ended, what they bring a month, and by which changes.

Belongs here: the facts of the states of a subscription, one after the other. Does not: which states are read
(`histories`), what is kept of one (`states`), or what it costs (`monthly`).

* `subscription.started`: on its start date, which may lie before the day on which it was entered; a trial has started.
  Its amount is what it brought a month then: nothing, of a trial.
* `subscription.amount_changed`: what it brings a month from then on; after every one of the following that changes it.
* `subscription.converted`: a trial became paid. `subscription.expanded`, `subscription.contracted`: it brings more or
  less, by another price, plan, quantity, item or discount.
* `subscription.paused`, `subscription.resumed`: it brings nothing for a while: its status is `paused` or `unpaid`, or
  its invoices are not collected (void, uncollectible; those that are kept as drafts will be:
  https://docs.stripe.com/billing/subscriptions/pause-payment).
* `subscription.cancellation_scheduled`, `subscription.cancellation_withdrawn`: its end was asked for, or no longer is.
* `subscription.ended`: when it ended, not when somebody asked for it; with what it had brought a month. Who comes back
  has another subscription.

A subscription whose first payment was never made (`incomplete`, `incomplete_expired`) has not started. One that is
behind with its payments (`past_due`) brings what it brought. What it was before the first state that is known is taken
to be that state. Where it is not known now what it brings, it has no amounts and no changes of them.
"""

from __future__ import annotations

import polars as pl

from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS
from pipelines.stripe.intervals import fitted, of_several
from pipelines.stripe.money import currency
from pipelines.stripe.monthly import items_of, prices
from pipelines.stripe.stating import address, instant, stated
from pipelines.turns import once

FEEDS = (
    "subscription.started",
    "subscription.amount_changed",
    "subscription.converted",
    "subscription.expanded",
    "subscription.contracted",
    "subscription.paused",
    "subscription.resumed",
    "subscription.cancellation_scheduled",
    "subscription.cancellation_withdrawn",
    "subscription.ended",
)

_NOT_STARTED = ("incomplete", "incomplete_expired")
_STATUSES = ("active", "canceled", "past_due", "paused", "trialing", "unpaid")
_STOPPED = ("paused", "unpaid")
_UNCOLLECTED = ("mark_uncollectible", "void")
_INVOICED = ("billed", "prorated")
_FOREVER = pl.datetime(9999, 1, 1, time_unit="us", time_zone="UTC")
_BEFORE = pl.duration(milliseconds=500)
"""How long before a change its subscription is shown as it was before."""

_ABOUT = pl.duration(days=1)
_UNDATED = ("before", "billed", "listed")
"""States that were so when they were told, and may have been so before."""

_ABOUT_AS_MUCH = (0.8, 1.25)
"""What a part of a period says is changed is by days, and a month has 28 to 31."""


def facts(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """What subscriptions state. records: of each subscription, all of its states."""
    said = once(_said(records, livemode=livemode))
    is_started = ~pl.col("status").is_in(_NOT_STARTED).fill_null(value=False)
    present = said.filter(pl.col("kind").is_null() & is_started)
    shown = once(_shown(said, present))
    levels = once(_levels(shown))
    whole = once(_with_ends(present, levels).with_columns(problem=_problem()))
    ended = whole.filter(pl.col("status") == "canceled")
    beside = ("category", "product")
    return pl.concat(
        [
            stated(
                _priced(whole, "first"), "subscription", "subscription.started", "started_at", pl.col("first"), *beside
            ),
            stated(_priced(ended, "last"), "subscription", "subscription.ended", "ended_at", pl.col("last"), *beside),
            _movements(levels),
            _cancellations(shown, ended),
        ]
    )


def _said(records: pl.LazyFrame, *, livemode: bool) -> pl.LazyFrame:
    """Each state with its times, and its `level`: what it brings a month; null where that is not known."""
    started_at = pl.when(pl.col("start_date").is_null()).then(instant("created")).otherwise(instant("start_date"))
    is_stopped = pl.col("status").is_in(_STOPPED) | pl.col("pause").is_in(_UNCOLLECTED)
    items = once(items_of(records))
    is_invoiced = pl.col("kind").is_in(_INVOICED).fill_null(value=False)
    in_part = records.filter(is_invoiced).join(of_several(items), on="id", how="semi")
    return (
        records.join(in_part.select("record_key"), on="record_key", how="anti", maintain_order="left")
        .join(prices(records, fitted(items)), on="record_key", how="left")
        .with_columns(
            *(instant(name) for name in ("created", "ended_at", "at", "trial_end", "canceled_at")),
            started_at=started_at,
            said_currency=pl.col("currency"),
            currency=currency(),
            source_url=address("subscriptions", livemode=livemode),
            place=pl.col("place").cast(pl.Int64, strict=False).fill_null(0),
            is_trial=pl.col("status").eq_missing("trialing"),
            is_stopped=is_stopped.fill_null(value=False),
            is_ending=pl.col("is_ending").fill_null(value=False),
        )
        .with_columns(
            level=pl.when(pl.col("is_trial") | pl.col("is_stopped")).then(pl.lit(0, DECIMAL)).otherwise("price")
        )
    )


def _shown(said: pl.LazyFrame, present: pl.LazyFrame) -> pl.LazyFrame:
    """The dated states of each subscription while it ran, in their order, and when somebody changed it (`prorated`).

    Of the states that several changes of one second brought about, the first one before and the last one after count.
    """
    of_it = present.select(
        "id",
        "category",
        "product",
        began="started_at",
        over=pl.col("ended_at").fill_null(_FOREVER),
        tried_until="trial_end",
        is_told=pl.col("level").is_not_null(),
    )
    is_before = pl.col("kind") == "before"
    order = pl.when(is_before).then(-pl.col("place")).otherwise("place")
    return (
        said.filter(pl.col("kind").is_not_null(), pl.col("at").is_not_null())
        .filter(~pl.col("status").is_in((*_NOT_STARTED, "canceled")).fill_null(value=False))
        .join(of_it, on="id", suffix="_now")
        .filter(pl.col("at") < pl.col("over"))
        .sort("id", "at", "kind", order, "record_key")
        .unique(["id", "at", "kind"], keep="last", maintain_order=True)
        .with_columns(
            at=pl.when(is_before).then(pl.col("at") - _BEFORE).otherwise("at"),
            category=pl.coalesce("category", "category_now"),
            product=pl.coalesce("product", "product_now"),
        )
        .sort("id", "at", "record_key")
    )


def _levels(shown: pl.LazyFrame) -> pl.LazyFrame:
    """What each subscription brought from which instant on (`at`), and before (`was_…`).

    What was billed says nothing of a subscription of which nothing that shows it whole says what it brings. A change
    that was billed from a period on, or is there where events begin to tell, happened on the day of the only part of a
    period that was billed in between, if that changed about as much.
    """
    is_dated, is_known = pl.col("kind") != "prorated", pl.col("level").is_not_null()
    told = pl.col("is_told") | (is_known & ~pl.col("kind").is_in(_INVOICED)).any().over("id")
    followed = shown.filter(is_dated).with_columns(_told=told).filter(is_known & pl.col("_told"))
    followed = followed.sort("id", "at", "record_key").with_columns(
        pl.col(name).shift(1).over("id").alias(f"was_{name}") for name in ("at", "level", "is_trial", "is_stopped")
    )
    prorated = shown.filter(~is_dated).select("id", prorated="at", moved="level").unique()
    more = pl.col("level") - pl.col("was_level")
    changed_on = (
        followed.filter(pl.col("kind").is_in(_UNDATED), more != 0)
        .join(prorated, on="id")
        .filter(pl.col("prorated") > pl.col("was_at"), pl.col("prorated") <= pl.col("at"))
        .group_by("record_key")
        .agg(
            pl.col("prorated").first(),
            is_it=(pl.col("moved") / more).is_between(*_ABOUT_AS_MUCH).first(),
            parts=pl.len(),
        )
        .filter(pl.col("parts") == 1, "is_it")
        .select("record_key", "prorated")
    )
    return followed.join(changed_on, on="record_key", how="left", maintain_order="left").with_columns(
        at=pl.coalesce("prorated", "at")
    )


def _with_ends(present: pl.LazyFrame, levels: pl.LazyFrame) -> pl.LazyFrame:
    """Subscriptions with what they brought at first and at last, and whether it is no longer told what they bring."""
    at_the_start = pl.col("level").filter(pl.col("at") <= pl.col("began")).last()
    ends = levels.group_by("id", maintain_order=True).agg(
        first=pl.coalesce(at_the_start, pl.col("level").first()),
        last=pl.col("level").last(),
        was_told=(pl.col("kind") != "billed").any(),
    )
    return present.join(ends, on="id", how="left", maintain_order="left").with_columns(
        pl.coalesce("first", "level").alias("first"),
        pl.coalesce("last", "level").alias("last"),
        is_lost=pl.col("was_told").fill_null(value=False) & pl.col("level").is_null(),
    )


def _priced(whole: pl.LazyFrame, amount: str) -> pl.LazyFrame:
    return whole.with_columns(currency=pl.when(pl.col(amount).is_not_null()).then("currency"))


def _movements(levels: pl.LazyFrame) -> pl.LazyFrame:
    """What changed of what subscriptions bring a month, since they began."""
    changed = levels.filter(pl.col("was_level").is_not_null(), pl.col("at") > pl.col("began"))
    more = pl.col("level") - pl.col("was_level")
    is_of_trial = (pl.col("at") - pl.col("tried_until")).abs() <= _ABOUT
    is_paused = pl.col("is_stopped") & ~pl.col("was_is_stopped")
    is_resumed = ~pl.col("is_stopped") & pl.col("was_is_stopped") & ~pl.col("is_trial")
    is_converted = (
        ~pl.col("is_stopped")
        & ~pl.col("is_trial")
        & (pl.col("was_is_trial") | (is_of_trial & (pl.col("was_level") == 0) & (more > 0)).fill_null(value=False))
    )
    is_else = ~is_paused & ~is_resumed & ~is_converted
    return pl.concat(
        [
            _dated(changed.filter(more != 0), "amount_changed", pl.col("level")),
            _dated(changed.filter(is_converted & ~is_resumed), "converted", pl.col("level")),
            _dated(changed.filter(is_paused), "paused", more),
            _dated(changed.filter(is_resumed), "resumed", more),
            _dated(changed.filter(is_else, more > 0), "expanded", more),
            _dated(changed.filter(is_else, more < 0), "contracted", more),
        ]
    )


def _cancellations(shown: pl.LazyFrame, ended: pl.LazyFrame) -> pl.LazyFrame:
    """That an end was asked for, and that it was no longer; of what ended before events tell of it, when it was."""
    is_whole = pl.col("kind").is_in(("listed", "before", "after"))
    followed = shown.filter(is_whole).with_columns(
        pl.col(name).shift(1).over("id").alias(f"was_{name}") for name in ("at", "is_ending")
    )
    was_ending = pl.col("was_is_ending").fill_null(value=False)
    is_said = (pl.col("canceled_at") <= pl.col("at")) & (pl.col("canceled_at") > pl.col("was_at")).fill_null(value=True)
    asked = followed.filter(pl.col("is_ending") & ~was_ending).with_columns(
        at=pl.when(is_said).then("canceled_at").otherwise("at")
    )
    taken_back = followed.filter(~pl.col("is_ending") & was_ending)
    long_ago = ended.join(shown.filter(is_whole), on="id", how="anti")
    long_ago = long_ago.filter(pl.col("canceled_at") < pl.col("ended_at"), pl.col("problem").is_null())
    return pl.concat(
        [
            _dated(asked, "cancellation_scheduled", pl.col("level")),
            _dated(long_ago.with_columns(at="canceled_at"), "cancellation_scheduled", pl.col("last")),
            _dated(taken_back, "cancellation_withdrawn", pl.col("level")),
        ]
    )


def _dated(changed: pl.LazyFrame, what: str, amount: pl.Expr) -> pl.LazyFrame:
    return changed.select(
        "record_key",
        currency=pl.when(amount.is_not_null()).then("currency"),
        source_url="source_url",
        problem=pl.lit(None, pl.String),
        category="category",
        product="product",
        fact_key=pl.format("subscription/{}/{}/{}", "id", pl.lit(what), pl.col("at").dt.epoch("s")),
        event_type=pl.lit(f"subscription.{what}"),
        subject_id="id",
        account_id="customer",
        occurred_at=pl.col("at").cast(UTC_MICROSECONDS),
        amount=amount,
    )


def _problem() -> pl.Expr:
    """Why a subscription that has started cannot be understood; null where it can."""

    def shown(name: str) -> pl.Expr:
        return pl.col(name).fill_null("nothing")

    return (
        pl.when(~pl.col("status").is_in(_STATUSES).fill_null(value=False))
        .then(pl.format("status: none that the vendor documents ({})", shown("status")))
        .when(pl.col("started_at").is_null())
        .then(pl.format("start_date: not a time ({})", shown("start_date")))
        .when((pl.col("status") == "canceled") & pl.col("ended_at").is_null())
        .then(pl.lit("ended_at: not a time, but the subscription is canceled"))
        .when(pl.col("is_ahead"))
        .then(pl.lit("start_date, ended_at: a time in the future"))
        .when(pl.col("currency").is_null())
        .then(pl.format("currency: not a currency's code ({})", shown("said_currency")))
        .when("is_strange")
        .then(pl.lit("items: a price or a quantity that is not a number"))
        .when("is_lost")
        .then(pl.lit("items, discounts: what it brings a month is told no longer, and was before"))
    )
