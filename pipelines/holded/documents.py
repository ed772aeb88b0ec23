"""What documents of any kind say: whether they count, of which day they are, and how much they are of without tax.

Belongs here: the columns that `facts` of each kind begin with. Does not: the facts (`invoices`, `payments`,
`credit_notes`, `purchases`), what the vendor's texts look like (`texts`).

*Draft*: a draft is passed over when it is read; a customer's has no number: one that is said to be none and has none is
set aside.

*Annulled*: the status `cancelled`, of which the vendor does not say since when: the document is annulled on its own
day. What a status that is not known here means (there is one called `failed`) nobody can know.

*Day*: a date is a day, which is the same one in the organisation's zone, at its beginning.

*Amount*: `subtotal`, as long as the document has no discount: then taxes that are withheld change nothing. Where it has
one, the vendor says neither whether the subtotal is before or after it nor whether it is a share or an amount: what
`total` and `tax` leave decides. Amounts are of the document's `currency`; `currency_change`, its own rate, is not used
for them, as amounts are exchanged by the rates that the organisation declares.
(https://www.holded.com/developers/api-reference/invoices/list-invoices)
"""

from __future__ import annotations

import polars as pl

from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS
from pipelines.turns import first_moment

COMMON = {
    "status": pl.String(),
    "currency": pl.String(),
    "date": pl.String(),
    "subtotal": pl.String(),
    "discount": pl.String(),
    "tax": pl.String(),
    "total": pl.String(),
    "is_ahead": pl.Boolean(),
    "category": pl.String(),
}
"""The part of the payload that documents of every kind have."""

SOLD = {**COMMON, "contact_id": pl.String(), "is_numbered": pl.Boolean(), "product": pl.String()}
"""The part of the payload that documents for customers have."""

_ANNULLED = "cancelled"
_STATUSES = ("pending", "partial", "completed", "overdue", _ANNULLED)
_CENT = 0.011


def amount(of: pl.Expr) -> pl.Expr:
    """A text as an exact amount; null where it is none that can be read in one way alone."""
    return pl.when(of.str.contains(r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$")).then(of).cast(DECIMAL)


def begins(of: pl.Expr, organisation: str) -> pl.Expr:
    """The beginning of the day that a text says, in the organisation's zone; null where it says none."""
    said = pl.when(of.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")).then(of)
    return first_moment(said.str.to_date("%Y-%m-%d", strict=False), organisation)


def understood(records: pl.LazyFrame, organisation: str) -> pl.LazyFrame:
    """The records with `net`, `at`, `is_annulled` and `problem`: why one is not understood."""
    return records.with_columns(
        at=begins(pl.col("date"), organisation),
        net=_net(),
        is_annulled=pl.col("status") == _ANNULLED,
        said_currency=pl.col("currency"),
        currency=_currency(),
    ).with_columns(problem=_problem())


def understood_sold(records: pl.LazyFrame, organisation: str) -> pl.LazyFrame:
    """The same of documents for customers, which have a number once they are approved."""
    unnumbered = pl.when(~pl.col("is_numbered")).then(pl.lit("document_number: an approved document without one"))
    return understood(records, organisation).with_columns(problem=pl.coalesce("problem", unnumbered))


def _currency() -> pl.Expr:
    code = pl.col("currency").str.to_uppercase()
    return pl.when(code.str.contains(r"^[A-Z]{3}$")).then(code)


def _net() -> pl.Expr:
    """Without tax, after discounts; null where the amounts do not say it."""
    subtotal, tax, total = (amount(pl.col(name)) for name in ("subtotal", "tax", "total"))
    discount = amount(pl.col("discount").fill_null("0"))
    left = total - tax
    whole, off = subtotal.cast(pl.Float64), discount.cast(pl.Float64)
    as_share, as_amount = whole * (1 - off / 100), whole - off
    discounted = pl.min_horizontal((left.cast(pl.Float64) - one).abs() for one in (as_share, as_amount))
    return (
        pl.when((discount == 0) | ((left - subtotal).cast(pl.Float64).abs() < _CENT))
        .then(subtotal)
        .when(discounted < _CENT)
        .then(left)
    )


def shown(name: str) -> pl.Expr:
    """What stands in a column, for a message."""
    return pl.col(name).fill_null("nothing")


def _problem() -> pl.Expr:
    return (
        pl.when(~pl.col("status").is_in(_STATUSES).fill_null(value=False))
        .then(pl.format("status: none that is known ({})", shown("status")))
        .when(pl.col("at").is_null())
        .then(pl.format("date: not a day ({})", shown("date")))
        .when(pl.col("is_ahead"))
        .then(pl.lit("date: in the future"))
        .when(pl.col("currency").is_null())
        .then(pl.format("currency: not a currency's code ({})", shown("said_currency")))
        .when(amount(pl.col("subtotal")).is_null())
        .then(pl.format("subtotal: not an amount that can be read in one way ({})", shown("subtotal")))
        .when(pl.col("net").is_null())
        .then(
            pl.format(
                "discount: {}, with a subtotal of {}, tax of {} and a total of {}: what is without tax is not said",
                *map(shown, ("discount", "subtotal", "tax", "total")),
            )
        )
    )


def stated(said: pl.LazyFrame, document: str, what: str, when: pl.Expr, how_much: pl.Expr) -> pl.LazyFrame:
    """The fact that a document was issued, paid or voided, at an instant and with an amount."""
    return said.select(
        "record_key",
        "currency",
        "category",
        "product",
        "problem",
        fact_key=pl.format("{}/{}/{}", pl.lit(document), "record_key", pl.lit(what)),
        event_type=pl.lit(f"{document}.{what}"),
        subject_id="record_key",
        account_id="contact_id",
        occurred_at=when.cast(UTC_MICROSECONDS),
        amount=how_much.cast(DECIMAL),
    )
