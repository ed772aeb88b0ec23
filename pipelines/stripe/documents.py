"""What invoices and credit notes have alike: an amount without tax, and labels of an invoice's metadata.

Belongs here: those fields, as they are kept and as facts say them. Does not: when a document was issued, paid or voided
(`invoices`, `credit_notes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from pipelines.stripe.money import amount, currency
from pipelines.stripe.stating import address, instant, stated

Labels = Mapping[str, str | None]
"""`category` and `product`, each with the key of the metadata that has it."""


def payload(*instants: str) -> pl.Struct:
    """What is kept of a document. instants: the times that it has."""
    texts = ("id", "status", "customer", "currency", "total_excluding_tax", *instants)
    labels = {"category": pl.String(), "product": pl.String()}
    return pl.Struct({**{name: pl.String() for name in texts}, "is_ahead": pl.Boolean(), **labels})


def keeps(labels: Labels) -> str:
    """What is kept of metadata: where it is something else, all documents are read again."""
    return "&".join(f"{label}={key}" for label, key in sorted(labels.items()) if key)


def labelled(metadata: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """The labels of a document whose metadata this is."""
    return {label: metadata.get(key) if key else None for label, key in labels.items()}


def understood(records: pl.LazyFrame, place: str, *instants: str, livemode: bool) -> pl.LazyFrame:
    """Documents with their `net` amount, times and address. place: what the dashboard calls their kind."""
    return records.with_columns(
        *(instant(name) for name in instants),
        net=amount("total_excluding_tax"),
        said_currency=pl.col("currency"),
        currency=currency(),
        source_url=address(place, livemode=livemode),
    )


def problem(statuses: Collection[str], *strange: tuple[pl.Expr, str]) -> pl.Expr:
    """Why a document (`understood`) is not understood; null where it is. strange: what is wrong with its times."""

    def shown(name: str) -> pl.Expr:
        return pl.col(name).fill_null("nothing")

    is_known = pl.col("status").is_in(list(statuses)).fill_null(value=False)
    wrong = [
        (~is_known, pl.format("status: none that the vendor documents ({})", shown("status"))),
        *((is_so, pl.lit(text)) for is_so, text in strange),
        (
            pl.col("currency").is_null(),
            pl.format("currency: not a currency's code ({})", shown("said_currency")),
        ),
        (
            pl.col("net").is_null(),
            pl.format("total_excluding_tax: not a whole number ({})", shown("total_excluding_tax")),
        ),
    ]
    return pl.coalesce(*(pl.when(is_so).then(text) for is_so, text in wrong))


def told(documents: pl.LazyFrame, event_type: str, when: str, how_much: pl.Expr) -> pl.LazyFrame:
    """One fact of each document: at the instant in the column `when`, of an amount, with its labels."""
    return stated(documents, event_type.partition(".")[0], event_type, when, how_much, "category", "product")
