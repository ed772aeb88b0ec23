"""Stripe: the invoices that an organisation issued, how each ended, and the payments that came in.

Belongs here: what an organisation may say of its account, and which streams it gets. Does not: requests (`api`), what
is read when (`reading`), what an invoice or a charge means (`facts`).

Stripe's lists can be filtered by when an object was created, never by when it changed; what changed is known from its
events, and those are kept for 30 days. So a reading goes through the events, and through the whole lists on the first
load, when the events no longer reach back to the last reading, and once every `relist_days` in any case.

Not read yet: refunds and disputes (a payment counts with what was captured, on the day on which it was begun) and
credit notes (an invoice counts with what it was issued for until it is voided).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipelines.source import Account, Options, Stream
from pipelines.stripe.facts import Meaning
from pipelines.stripe.reading import Reading

__all__ = ["STRIPE", "Stripe", "StripeOptions"]


class StripeOptions(Options):
    """What `organisation.yaml` says of an account.

    livemode: false to read an account's test data. category, product: the keys of an invoice's metadata that hold them.
    decimals: decimals of amounts in a currency, where they are not those that Stripe documents (or where its pages
    contradict one another: UGX). relist_days: after how many days everything is listed again in any case.
    """

    livemode: bool = True
    category: str | None = None
    product: str | None = None
    decimals: dict[str, int] = Field(default_factory=dict)
    relist_days: int = Field(default=30, ge=1)


class Stripe:
    """The connector."""

    kind = "stripe"
    options = StripeOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """The account's invoices, and its charges."""
        meaning = Meaning(options.livemode, options.category, options.product, options.decimals)
        invoices = Reading.of_invoices(account, options.livemode, options.relist_days, meaning.metadata_keys)
        charges = Reading.of_charges(account, options.livemode, options.relist_days)
        return [
            Stream(
                "invoices",
                ("invoice.issued", "invoice.paid", "invoice.voided"),
                invoices.fetch,
                meaning.invoice_payload,
                meaning.invoices,
            ),
            Stream("charges", ("payment.received",), charges.fetch, meaning.charge_payload, meaning.charges),
        ]


STRIPE = Stripe()
