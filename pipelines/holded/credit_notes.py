"""Credit notes (facturas rectificativas): one record a credit note, as it was when it was last read.

Belongs here: the facts that a credit note states. Does not: how it is read (`reading`), what a day or an amount is
(`documents`).

* `credit_note.issued`: on its date, once it is approved, with what it takes back as a negative amount;
* `credit_note.voided`: once it is annulled, on its own date, with that amount again.

All amounts are without tax, as those of invoices; so what was invoiced, net, is the sum over `invoice.issued`,
`invoice.voided`, `credit_note.issued` and `credit_note.voided`. The vendor's reference does not say with which sign a
credit note writes what it takes back: one that does so in the other way than all others is set aside, until the options
say which is meant. Money that is given back for a credit note is not read.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pipelines.holded.documents import SOLD, stated, understood_sold
from pipelines.holded.options import SALES, HoldedOptions
from pipelines.holded.reading import OF_CONTACTS, Kind, fetch, of_customer
from pipelines.source import Account, Stream

FEEDS = ("credit_note.issued", "credit_note.voided")
PAYLOAD = pl.Struct(SOLD)


def credit_notes(account: Account, options: HoldedOptions) -> Stream:
    """The stream."""
    kind = Kind("credit-notes", SALES, options.labels, lambda item, _: of_customer(item), is_labelled=False)
    return Stream(
        name="credit_notes",
        feeds=FEEDS,
        fetch=lambda read: fetch(account, kind, options, read),
        payload=PAYLOAD,
        facts=lambda records: facts(records, account.zone, options.credited),
        people=OF_CONTACTS,
        lateness=timedelta(days=max(options.whole_days, 3)),
        most_removed=options.most_removed,
    )


def facts(records: pl.LazyFrame, organisation: str, credited: str | None) -> pl.LazyFrame:
    """What credit notes state. credited: the sign of what they take back."""
    doubtful = pl.lit(
        "subtotal: negative in a credit note: say by the option `credited` how this account writes what it takes back"
    )
    is_doubtful = (pl.col("net") < 0) & pl.lit(credited is None)
    said = understood_sold(records, organisation).with_columns(
        problem=pl.coalesce("problem", pl.when(is_doubtful).then(doubtful)),
        net=pl.col("net") if credited == "negative" else -pl.col("net"),
    )
    return pl.concat(
        [
            stated(said, "credit_note", "issued", pl.col("at"), pl.col("net")),
            stated(said.filter(pl.col("is_annulled")), "credit_note", "voided", pl.col("at"), -pl.col("net")),
        ]
    )
