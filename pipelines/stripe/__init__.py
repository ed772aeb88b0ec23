"""Stripe: what a company has invoiced, what it was paid, and who subscribes to it.

Belongs here: what an organisation may say of its account, and which streams it gets. Does not: requests (`api`), how a
reading finds what has changed (`reading`) and what subscriptions have been (`histories`, `states`), what its objects
mean (`invoices`, `credit_notes`, `charges`, `given_back`, `movements`, `customers`), amounts (`money`, `monthly`).

Payouts, which move money between the company's own accounts, are not read.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipelines.identification import IdentifiedBy
from pipelines.source import Account, Options, Stream
from pipelines.stripe.charges import charges
from pipelines.stripe.credit_notes import credit_notes
from pipelines.stripe.customers import customers
from pipelines.stripe.given_back import disputes, refunds
from pipelines.stripe.invoices import invoices
from pipelines.stripe.subscriptions import subscriptions

__all__ = ["STRIPE", "Stripe", "StripeOptions"]


class StripeOptions(Options):
    """What `organisation.yaml` says of a Stripe account.

    livemode: whether the real account is meant, or (false) its test mode. category, product: keys of the metadata of
    invoices and subscriptions whose values are their category and their product; of the metadata, nothing else is kept.
    subscriptions, credit_notes, refunds, disputes: whether they are read; the key has to be allowed to. identified_by:
    by what else customers are known: `email`, `domain`, or keys of the metadata of customers, which the key then has to
    be allowed to read.
    """

    livemode: bool = True
    category: str | None = Field(default=None, min_length=1, max_length=40)
    product: str | None = Field(default=None, min_length=1, max_length=40)
    subscriptions: bool = True
    credit_notes: bool = True
    refunds: bool = True
    disputes: bool = True
    identified_by: IdentifiedBy = ()


class Stripe:
    """The connector."""

    kind = "stripe"
    options = StripeOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Invoices and charges, what takes them back and subscriptions unless left out, customers if identified."""
        labels = {"category": options.category, "product": options.product}
        found = [
            invoices(account, labels, livemode=options.livemode),
            charges(account, livemode=options.livemode),
        ]
        if options.credit_notes:
            found.append(credit_notes(account, labels, livemode=options.livemode))
        if options.refunds:
            found.append(refunds(account, livemode=options.livemode))
        if options.disputes:
            found.append(disputes(account, livemode=options.livemode))
        if options.subscriptions:
            found.append(subscriptions(account, labels, livemode=options.livemode))
        if options.identified_by:
            found.append(customers(account, options.identified_by, livemode=options.livemode))
        return found


STRIPE = Stripe()
