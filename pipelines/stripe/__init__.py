"""Stripe: what a company has invoiced and what it was paid.

Belongs here: what an organisation may say of its account, and which streams it gets. Does not: requests (`api`), how a
reading finds what has changed (`reading`), what invoices and charges mean (`invoices`, `charges`), amounts (`money`).

Refunds, disputes, credit notes, payouts and subscriptions are not read: what was paid and given back is still received.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipelines.source import Account, Options, Stream
from pipelines.stripe.charges import charges
from pipelines.stripe.invoices import invoices

__all__ = ["STRIPE", "Stripe", "StripeOptions"]


class StripeOptions(Options):
    """What `organisation.yaml` says of a Stripe account.

    livemode: whether the real account is meant, or (false) its test mode. category, product: keys of an invoice's
    metadata whose values are its category and its product; of the metadata, nothing else is kept.
    """

    livemode: bool = True
    category: str | None = Field(default=None, min_length=1, max_length=40)
    product: str | None = Field(default=None, min_length=1, max_length=40)


class Stripe:
    """The connector."""

    kind = "stripe"
    options = StripeOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Invoices, and the charges that were paid."""
        labels = {"category": options.category, "product": options.product}
        return [
            invoices(account, labels, livemode=options.livemode),
            charges(account, livemode=options.livemode),
        ]


STRIPE = Stripe()
