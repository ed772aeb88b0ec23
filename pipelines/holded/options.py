"""What an organisation says of its Holded account. Does not belong here: what follows from it (`reading`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipelines.holded.texts import as_tag
from pipelines.source import Options

SALES, PURCHASES = "sales:invoices.read", "accounting:purchases.read"
"""What a key has to be allowed: to read what is sold, and what is bought."""


def _differing(given: tuple[str, ...]) -> tuple[str, ...]:
    if "" in map(as_tag, given):
        raise ValueError("a tag has no name | Leave it out")
    if len({as_tag(one) for one in given}) < len(given):
        raise ValueError("a tag is named twice | Name it once: capitals and a # before it make no difference")
    return given


Tags = Annotated[tuple[str, ...], AfterValidator(_differing)]
"""Tags of documents; of those that a document has, the first one counts."""


class Purchases(Options):
    """What is said of purchases. categories, campaigns: tags that are their category, or their campaign."""

    categories: Tags = ()
    campaigns: Tags = ()

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels that are kept, with the tags that are their values."""
        return {"category": self.categories, "campaign": self.campaigns}


class HoldedOptions(Options):
    """What `organisation.yaml` says of a Holded account.

    sales: whether invoices and credit notes are read; purchases: whether what is bought is (`{}` for all of it without
    tags). categories, products: tags of what is sold: the first one that a document has is its category, or its
    product; of the tags, nothing else is kept. payments: whether the payments of invoices are read, which takes one
    request for each invoice that was paid, in part or in whole. credit_notes: whether they are read. credited: the sign
    with which they write what they take back; without it, a positive amount is taken back and a negative one is set
    aside. recent_days: how far back documents are read again on each run; whole_days: how often all are, so how late
    the payment of an older invoice may be noticed; payments_again_days: how often the payments of an invoice are read
    again although nothing of it has changed. most_removed: the share of the documents that one reading may find gone;
    where more are, it is the reading that is doubted.

    A whole one::

        sales: true
        purchases: {categories: [nube, viajes], campaigns: [feria]}
        categories: [mantenimiento, proyecto]
        products: [web, app]
        payments: true
        credit_notes: true
        credited: positive
        recent_days: 92
        whole_days: 7
        payments_again_days: 365
        most_removed: 0.5
    """

    sales: bool = True
    purchases: Purchases | None = None
    categories: Tags = ()
    products: Tags = ()
    payments: bool = True
    credit_notes: bool = True
    credited: Literal["positive", "negative"] | None = None
    recent_days: int = Field(default=92, ge=1)
    whole_days: int = Field(default=7, ge=1)
    payments_again_days: int = Field(default=365, ge=7)
    most_removed: float = Field(default=0.5, gt=0, le=1)

    @model_validator(mode="after")
    def _something_is_read(self) -> Self:
        if self.sales:
            return self
        if self.purchases is None:
            raise ValueError("neither sales nor purchases are to be read | Say purchases: {}, or leave the source out")
        of_sales = {"categories", "products", "payments", "credit_notes", "credited"}
        if unread := sorted(of_sales & self.model_fields_set):
            raise ValueError(f"{', '.join(unread)}: of sales, which are not read | Leave it out, or read sales")
        return self

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of what is sold that are kept, with the tags that are their values."""
        return {"category": self.categories, "product": self.products}
