"""Holded: what a company has invoiced, taken back by credit notes, been paid by its customers, and what it has bought.

Belongs here: the connector. Does not: what an organisation may say of its account (`options`), requests (`api`), how a
reading finds what has changed (`reading`), what the vendor's texts say (`texts`), what the documents mean
(`documents`, `invoices`, `payments`, `credit_notes`, `purchases`).

Configuration, below `sources.<organisation>.<source>`: `api_key`, an API token (`pat_…`) that Holded makes under
Settings, Developers, Credentials, with the permission to read invoices (`sales:invoices.read`), where purchases are
read `accounting:purchases.read`, or both.

Estimates, orders, proforma invoices, waybills, sales receipts and the journal are not read.
"""

from __future__ import annotations

from typing import Any

from pipelines.holded.credit_notes import credit_notes
from pipelines.holded.invoices import invoices
from pipelines.holded.options import HoldedOptions
from pipelines.holded.purchases import purchases
from pipelines.source import Account, Stream

__all__ = ["HOLDED", "Holded", "HoldedOptions"]


class Holded:
    """The connector."""

    kind = "holded"
    options = HoldedOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Invoices with their payments and credit notes unless left out, and purchases where they are asked for."""
        found = [invoices(account, options)] if options.sales else []
        if options.sales and options.credit_notes:
            found.append(credit_notes(account, options))
        if options.purchases is not None:
            found.append(purchases(account, options, options.purchases))
        return found


HOLDED = Holded()
