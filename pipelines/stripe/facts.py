"""What Stripe's objects mean: amounts in a currency's smallest unit, moments in seconds, states as facts.

Belongs here: from records to facts, pure and vectorised. Does not: requests (`api`), or which records (`reading`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kr_definitions.vocabulary import DECIMAL

NO_DECIMALS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
CONTRADICTORY = frozenset({"UGX"})
"""Currencies that Stripe's pages list both as without decimals and as with two."""

_DASHBOARD = "https://dashboard.stripe.com"


@dataclass(frozen=True)
class Meaning:
    """How one account's objects are understood. decimals: currency -> decimals, before those that Stripe documents."""

    livemode: bool
    category: str | None
    product: str | None
    decimals: Mapping[str, int]

    @property
    def metadata_keys(self) -> tuple[str, ...]:
        """The keys of an invoice's metadata that are read."""
        return tuple(sorted({key for key in (self.category, self.product) if key is not None}))

    @property
    def invoice_payload(self) -> pl.Struct:
        """What is read of an invoice's record."""
        texts = (
            "currency",
            "customer",
            "status",
            "total",
            "total_excluding_tax",
            "finalized_at",
            "paid_at",
            "voided_at",
        )
        metadata = {"metadata": pl.Struct(dict.fromkeys(self.metadata_keys, pl.String))} if self.metadata_keys else {}
        return pl.Struct({**dict.fromkeys(texts, pl.String), "taxes": pl.List(pl.String), **metadata})

    @property
    def charge_payload(self) -> pl.Struct:
        """What is read of a charge's record."""
        texts = ("amount", "amount_captured", "captured", "created", "currency", "customer", "status", "method")
        return pl.Struct(dict.fromkeys(texts, pl.String))

    def invoices(self, records: pl.LazyFrame) -> pl.LazyFrame:
        """Invoices issued, paid and voided; net of tax."""
        net = pl.coalesce(_whole("total_excluding_tax"), _whole("total") - _sum("taxes"))
        invoices = records.with_columns(
            pl.col("currency").str.to_uppercase(),
            net.alias("net"),
            *(_moment(name).alias(f"{name}_utc") for name in ("finalized_at", "paid_at", "voided_at")),
        ).with_columns(self._amount("net").alias("net"))
        problem = self._problem("net", "its amount without tax")
        for name in ("finalized_at", "paid_at", "voided_at"):
            problem = pl.coalesce(problem, _unless_moment(name))
        invoices = invoices.with_columns(
            pl.coalesce(problem, _lacks("finalized_at", "when it was finalized")).alias("problem")
        )
        is_paid, is_void = pl.col("status") == "paid", pl.col("status") == "void"
        issued = self._stated(invoices, "issued", "finalized_at", pl.col("net"))
        paid = self._stated(invoices.filter(is_paid), "paid", "paid_at", pl.col("net"))
        voided = self._stated(invoices.filter(is_void), "voided", "voided_at", -pl.col("net"))
        return pl.concat([issued, paid, voided])

    def charges(self, records: pl.LazyFrame) -> pl.LazyFrame:
        """Money that came in: charges that succeeded, with what was captured of them."""
        charges = records.with_columns(
            pl.col("currency").str.to_uppercase(),
            pl.coalesce(_whole("amount_captured"), _whole("amount")).alias("captured_amount"),
        ).with_columns(self._amount("captured_amount").alias("captured_amount"))
        problem = pl.coalesce(
            self._problem("captured_amount", "its amount"),
            _unless_moment("created"),
            _lacks("created", "when it was made"),
        )
        return charges.filter((pl.col("status") == "succeeded") & (pl.col("captured") == "true")).select(
            "record_key",
            fact_key=pl.format("charge/{}", "record_key"),
            event_type=pl.lit("payment.received"),
            subject_id=pl.col("record_key"),
            account_id=pl.col("customer"),
            occurred_at=_moment("created"),
            amount=pl.col("captured_amount"),
            currency=pl.col("currency"),
            channel=pl.col("method"),
            source_url=self._url("payments"),
            problem=problem,
        )

    def _stated(self, invoices: pl.LazyFrame, what: str, moment: str, amount: pl.Expr) -> pl.LazyFrame:
        said = {"category": self.category, "product": self.product}
        metadata = {column: pl.col("metadata").struct.field(key) for column, key in said.items() if key is not None}
        late = pl.coalesce("problem", _lacks(moment, f"when it was {what}"))
        return invoices.select(
            "record_key",
            fact_key=pl.format("invoice/{}/{}", "record_key", pl.lit(what)),
            event_type=pl.lit(f"invoice.{what}"),
            subject_id=pl.col("record_key"),
            account_id=pl.col("customer"),
            occurred_at=pl.col(f"{moment}_utc"),
            amount=amount,
            currency=pl.col("currency"),
            source_url=self._url("invoices"),
            problem=late,
            **metadata,
        )

    def _amount(self, name: str) -> pl.Expr:
        """An amount in the smallest unit as one in the currency's own: exact, null where the decimals are not known."""
        currency, minor = pl.col("currency"), pl.col(name).cast(DECIMAL)
        decimals = {
            0: [
                *(NO_DECIMALS - self.decimals.keys()),
                *(code for code, places in self.decimals.items() if places == 0),
            ],
            3: [
                *(THREE_DECIMALS - self.decimals.keys()),
                *(code for code, places in self.decimals.items() if places == 3),
            ],
        }
        unknown = sorted(CONTRADICTORY - self.decimals.keys())
        return (
            pl.when(currency.is_in(unknown))
            .then(None)
            .when(currency.is_in(decimals[0]))
            .then(minor)
            .when(currency.is_in(decimals[3]))
            .then(minor / 1000)
            .otherwise(minor / 100)
            .cast(DECIMAL)
        )

    def _problem(self, amount: str, what: str) -> pl.Expr:
        unknown = sorted(CONTRADICTORY - self.decimals.keys())
        contradictory = pl.col("currency").is_in(unknown)
        return (
            pl.when(~pl.col("currency").str.contains("^[A-Z]{3}$") | pl.col("currency").is_null())
            .then(pl.lit("currency: no code of three letters"))
            .when(contradictory)
            .then(pl.format("currency: how many decimals {} has is not settled: declare it under decimals", "currency"))
            .when(pl.col(amount).is_null())
            .then(pl.lit(f"{what} is no whole number of the currency's smallest unit"))
        )

    def _url(self, kind: str) -> pl.Expr:
        mode = "" if self.livemode else "/test"
        return pl.format(f"{_DASHBOARD}{mode}/{kind}/{{}}", "record_key")


def _whole(name: str) -> pl.Expr:
    """A whole number from text: exact, null where it is none."""
    return _number(pl.col(name))


def _number(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(r"^-?[0-9]{1,18}$")).then(text).cast(pl.Int64, strict=False)


def _sum(name: str) -> pl.Expr:
    """The sum of a list of whole numbers, 0 of an empty one, null where one of them is none."""
    numbers = pl.col(name).list.eval(_number(pl.element()))
    is_whole = numbers.list.eval(pl.element().is_null()).list.any()
    return pl.when(~is_whole.fill_null(value=False)).then(numbers.list.sum().fill_null(0))


def _moment(name: str) -> pl.Expr:
    return pl.from_epoch(_whole(name), time_unit="s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _unless_moment(name: str) -> pl.Expr:
    is_none = pl.col(name).is_not_null() & _moment(name).is_null()
    return pl.when(is_none).then(pl.lit(f"{name}: no moment in seconds"))


def _lacks(name: str, what: str) -> pl.Expr:
    return pl.when(pl.col(name).is_null()).then(pl.lit(f"{name}: it does not say {what}"))
