"""What documents of any kind say: whether they count, of which day they are, and how much they are of without tax.

Belongs here: the columns that `facts` of each kind begin with. Does not: the facts (`invoices`, `credit_notes`).

*Draft*: a draft is no document yet. The vendor says it in fields that its reference does not have, and not always in
both: `approvedAt`, and `draft`, which is null of documents that were approved when they were made. What was paid, if
only in part, is approved, as registering a payment approves. Where neither field is there, the number says it: a draft
has none.

*Annulled*: the status 3, of which the vendor does not say when: the document is annulled on its own day.

*Day*: a date is an instant, the beginning of a day where the books are kept, or a time of that day where a program
wrote it. It is that same day in the organisation's zone, at its beginning.

*Amount*: `subtotal`, as long as the document has no discount: then taxes that are withheld change nothing. Where it has
one, the vendor does not say whether the subtotal is before or after it: what `total` and `tax` leave decides.
Amounts are of the document's `currency`; `currencyChange`, its own rate, is not used, as amounts are exchanged by the
rates that the organisation declares.
(https://developers.holded.com/reference/list-documents-1)
"""

from __future__ import annotations

import polars as pl

from kr_definitions.vocabulary import DECIMAL

COMMON = {
    "status": pl.String(),
    "contact": pl.String(),
    "currency": pl.String(),
    "subtotal": pl.String(),
    "discount": pl.String(),
    "tax": pl.String(),
    "total": pl.String(),
    "date": pl.String(),
    "approvedAt": pl.String(),
    "is_ahead": pl.Boolean(),
    "is_draft": pl.Boolean(),
    "is_numbered": pl.Boolean(),
    "tells_approval": pl.Boolean(),
    "category": pl.String(),
    "product": pl.String(),
}
"""The part of the payload that documents of every kind have."""

ANNULLED = "3"
_PAID = ("1", "2")
_STATUSES = ("0", *_PAID, ANNULLED)
_CENT = 0.011


def amount(of: pl.Expr) -> pl.Expr:
    """A text as an exact amount; null where it is no number."""
    return pl.when(of.str.contains(r"^-?\d{1,18}(\.\d+)?$")).then(of).cast(DECIMAL)


def day(of: pl.Expr, books: str, organisation: str) -> pl.Expr:
    """Epoch seconds as the beginning of the day that they are of; null where they are no time."""
    seconds = pl.when(of.str.contains(r"^[1-9]\d{0,9}(\.0+)?$")).then(of).cast(pl.Float64).cast(pl.Int64)
    at = pl.from_epoch(seconds, time_unit="s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    local = at.dt.convert_time_zone(books).dt.date().cast(pl.Datetime("us"))
    begins = [
        (local + pl.duration(hours=gap)).dt.replace_time_zone(organisation, ambiguous="earliest", non_existent="null")
        for gap in (0, 1)
    ]
    return pl.coalesce(begins).dt.convert_time_zone("UTC")


def understood(records: pl.LazyFrame, books: str, organisation: str) -> pl.LazyFrame:
    """Those that are no drafts, with `net`, `at`, `is_annulled` and `problem`: why one is not understood."""
    return (
        records.with_columns(is_approved=_is_approved())
        .filter(pl.col("is_approved").fill_null(value=True))
        .with_columns(
            at=day(pl.col("date"), books, organisation),
            net=_net(),
            is_annulled=pl.col("status") == ANNULLED,
            said_currency=pl.col("currency"),
            currency=_currency(),
        )
        .with_columns(problem=_problem())
    )


def _is_approved() -> pl.Expr:
    """Whether a document is none of the drafts; null where the vendor contradicts itself."""
    was_approved = pl.col("approvedAt").str.contains(r"^[1-9]").fill_null(value=False)
    was_paid = pl.col("status").is_in((*_PAID, ANNULLED)).fill_null(value=False)
    says_nothing = ~pl.col("tells_approval") & pl.col("is_draft").is_null()
    return (
        pl.when(pl.col("is_draft") & was_approved)
        .then(None)
        .when(was_approved | was_paid | ~pl.col("is_draft"))
        .then(statement=True)
        .when(says_nothing)
        .then(pl.col("is_numbered"))
        .otherwise(statement=False)
    )


def _currency() -> pl.Expr:
    code = pl.col("currency").str.to_uppercase()
    return pl.when(code.str.contains(r"^[A-Z]{3}$")).then(code)


def _net() -> pl.Expr:
    """Without tax, after discounts; null where the amounts do not say it."""
    subtotal, tax, total = (amount(pl.col(name)) for name in ("subtotal", "tax", "total"))
    share = amount(pl.col("discount").fill_null("0"))
    left = total - tax
    discounted = subtotal.cast(pl.Float64) * (1 - share.cast(pl.Float64) / 100)
    return (
        pl.when((share == 0) | ((left - subtotal).cast(pl.Float64).abs() < _CENT))
        .then(subtotal)
        .when((left.cast(pl.Float64) - discounted).abs() < _CENT)
        .then(left)
    )


def shown(name: str) -> pl.Expr:
    """What stands in a column, for a message."""
    return pl.col(name).fill_null("nothing")


def _problem() -> pl.Expr:
    return (
        pl.when(~pl.col("status").is_in(_STATUSES).fill_null(value=False))
        .then(pl.format("status: none that is known ({})", shown("status")))
        .when(pl.col("is_approved").is_null())
        .then(pl.lit("draft: said to be one, and approved"))
        .when(pl.col("at").is_null())
        .then(pl.format("date: not a time ({})", shown("date")))
        .when(pl.col("is_ahead"))
        .then(pl.lit("date: in the future"))
        .when(pl.col("currency").is_null())
        .then(pl.format("currency: not a currency's code ({})", shown("said_currency")))
        .when(amount(pl.col("subtotal")).is_null())
        .then(pl.format("subtotal: not a number ({})", shown("subtotal")))
        .when(pl.col("net").is_null())
        .then(
            pl.format(
                "discount: {} %, with a subtotal of {}, tax of {} and a total of {}: what is without tax is not said",
                *map(shown, ("discount", "subtotal", "tax", "total")),
            )
        )
    )
