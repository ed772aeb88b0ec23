"""Amounts as Stripe writes them: whole numbers of a currency's smallest unit, with exceptions.

Belongs here: how many decimals a currency has for this vendor, and the exact amount. Does not: what the amount is of.

ISK and UGX have no decimals in ISO 4217, but two for this vendor, so they are not in the list.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from kr_definitions.vocabulary import DECIMAL

NO_DECIMALS = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
THREE_DECIMALS = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))


def currency() -> pl.Expr:
    """The column `currency` as ISO 4217 writes it; null where it is no such code."""
    code = pl.col("currency").str.to_uppercase()
    return pl.when(code.str.contains(r"^[A-Z]{3}$")).then(code)


def amount(name: str) -> pl.Expr:
    """A column of smallest units as an exact amount of its row's currency; null where it is no whole number."""
    units = pl.when(pl.col(name).str.contains(r"^-?\d{1,18}$")).then(pl.col(name)).cast(pl.Int64).cast(DECIMAL)
    one_unit = (
        pl.when(currency().is_in(NO_DECIMALS))
        .then(_decimal("1"))
        .when(currency().is_in(THREE_DECIMALS))
        .then(_decimal("0.001"))
        .when(currency().is_not_null())
        .then(_decimal("0.01"))
    )
    return (units * one_unit).cast(DECIMAL)


def _decimal(text: str) -> pl.Expr:
    return pl.lit(Decimal(text), DECIMAL)
