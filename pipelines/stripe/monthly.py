"""What a subscription brings a month, as one of its states says: exact, and the same way for every state.

Belongs here: the price of a month. Does not: which states there are (`histories`), or what follows from a change of it
(`movements`).

Each item's price times its quantity, by the month: a twelfth of a year's, 52 twelfths of a week's, 365 of a day's.
Discounts that last are taken off, those of a single invoice are not; tax is not in it, nor what depends on use: as the
vendor's own figures have it (https://docs.stripe.com/billing/subscriptions/analytics/glossary,
https://support.stripe.com/questions/billing-analytics).

It is not known where the state does not have it: prices in tiers or packages, prices that include tax, items of another
currency or more of them than are shown, a discount of which only the id is told, or that is of one item.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from kr_definitions.vocabulary import DECIMAL
from pipelines.stripe.money import NO_DECIMALS, THREE_DECIMALS, currency

ITEM_SHAPE = pl.Struct(
    {
        "price": pl.String(),
        "unit_amount": pl.String(),
        "quantity": pl.String(),
        "interval": pl.String(),
        "interval_count": pl.String(),
        "days": pl.String(),
        "price_currency": pl.String(),
        "billing_scheme": pl.String(),
        "usage_type": pl.String(),
        "is_packaged": pl.Boolean(),
        "includes_tax": pl.Boolean(),
    }
)

_MILLION = 1_000_000
_NUMBER = r"^-?\d{1,14}(\.\d{1,12})?$"
_WHOLE = r"^\d{1,12}$"
_IN_A_MONTH = {"second": (365 * 86_400, 12), "day": (365, 12), "week": (52, 12), "month": (1, 1), "year": (1, 12)}
"""How often an interval is in a month: so many times, over so many. Parts of periods are of seconds."""


def items_of(states: pl.LazyFrame) -> pl.LazyFrame:
    """The items of states, one a row, beside their record_key, id, kind, at and currency."""
    listed = states.select("record_key", "id", "kind", "at", "currency", item="items").explode("item")
    return listed.filter(pl.col("item").is_not_null()).unnest("item")


def prices(states: pl.LazyFrame, items: pl.LazyFrame) -> pl.LazyFrame:
    """`price`: what a month of each state costs, null where that is not known. Columns: record_key, price, is_strange.

    states: record_key, kind, has_more_items, currency, percent_left, amount_off, is_discount_told. items: theirs
    (`items_of`). is_strange: whether a price or a quantity is something that the vendor does not document. What parts
    of a period cost is what they change, and may be less than nothing.
    """
    items = items.with_columns(is_metered=(pl.col("usage_type") == "metered").fill_null(value=False)).with_columns(
        is_fixed=_is_fixed(), is_number=_is_number()
    )
    is_told = (pl.col("is_fixed") & pl.col("is_number")) | pl.col("is_metered")
    summed = items.group_by("record_key").agg(
        gross=pl.when(is_told.all()).then(
            pl.when(~pl.col("is_metered")).then(_by_the_month(_millionths("unit_amount") * _count("quantity"))).sum()
        ),
        is_strange=(pl.col("is_fixed") & ~pl.col("is_number")).any(),
        intervals=pl.struct("interval", "interval_count").n_unique(),
        interval=pl.col("interval").first(),
        interval_count=pl.col("interval_count").first(),
    )
    off = (
        pl.when(pl.col("amount_off") == "0")
        .then(pl.lit(0, pl.Int128))
        .when(pl.col("intervals") == 1)
        .then(_by_the_month(_millionths("amount_off")))
    )
    net = pl.col("gross") * _millionths("percent_left") // _MILLION - off
    is_less = (net < 0) & pl.col("kind").ne_missing("prorated")
    is_whole = pl.col("is_discount_told").fill_null(value=False) & ~pl.col("has_more_items").fill_null(value=False)
    return (
        states.select(
            "record_key", "kind", "currency", "has_more_items", "percent_left", "amount_off", "is_discount_told"
        )
        .join(summed, on="record_key", how="left")
        .select(
            "record_key",
            "is_strange",
            price=pl.when(is_whole).then(_amount(pl.when(is_less).then(pl.lit(0, pl.Int128)).otherwise(net))),
        )
    )


def _is_fixed() -> pl.Expr:
    """Whether an item has a price that its quantity is multiplied by."""
    return (
        (pl.col("billing_scheme") == "per_unit")
        & (pl.col("usage_type") == "licensed")
        & (pl.col("price_currency") == pl.col("currency"))
        & pl.col("interval").is_in(list(_IN_A_MONTH))
        & ~pl.col("is_packaged")
        & ~pl.col("includes_tax")
        & pl.col("unit_amount").is_not_null()
    ).fill_null(value=False)


def _is_number() -> pl.Expr:
    whole = pl.all_horizontal(pl.col("quantity", "interval_count").str.contains(_WHOLE))
    return (pl.col("unit_amount").str.contains(_NUMBER) & whole).fill_null(value=False)


def _millionths(name: str) -> pl.Expr:
    return pl.col(name).cast(DECIMAL, strict=False).to_physical()


def _count(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int128, strict=False)


def _by_the_month(millionths: pl.Expr) -> pl.Expr:
    """A price of an interval as one of a month, to the nearest millionth of the smallest unit."""
    times, over = (
        pl.col("interval").replace_strict({name: parts[place] for name, parts in _IN_A_MONTH.items()}, default=None)
        for place in (0, 1)
    )
    divisor = over.cast(pl.Int128) * _count("interval_count")
    return (millionths * times.cast(pl.Int128) + divisor // 2) // divisor


def _amount(millionths: pl.Expr) -> pl.Expr:
    """Millionths of a currency's smallest unit as an amount."""
    in_a_unit = pl.when(currency().is_in(NO_DECIMALS)).then(1).when(currency().is_in(THREE_DECIMALS)).then(1000)
    units = in_a_unit.when(currency().is_not_null()).then(100).cast(pl.Int128)
    whole = ((millionths + units // 2) // units).cast(pl.Decimal(38, 0))
    return (whole * pl.lit(Decimal("0.000001"), DECIMAL)).cast(DECIMAL)
