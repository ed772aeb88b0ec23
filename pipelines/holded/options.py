"""What an organisation says of its Holded account. Does not belong here: what follows from it (`reading`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pipelines.holded.texts import as_tag
from pipelines.source import Options


class HoldedOptions(Options):
    """What `organisation.yaml` says of a Holded account.

    categories, products: tags of documents: the first one that a document has is its category, or its product; of the
    tags, nothing else is kept. payments: whether the payments of invoices are read, which takes one request for each
    invoice that was paid, in part or in whole. credit_notes: whether they are read. credited: the sign with which they
    write what they take back; without it, a positive amount is taken back and a negative one is set aside. recent_days:
    how far back documents are read again on each run; whole_days: how often all are, so how late the payment of an
    older invoice may be noticed; payments_again_days: how often the payments of an invoice are read again although
    nothing of it has changed. most_removed: the share of the documents that one reading may find gone; where more are,
    it is the reading that is doubted.

    A whole one::

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

    categories: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    payments: bool = True
    credit_notes: bool = True
    credited: Literal["positive", "negative"] | None = None
    recent_days: int = Field(default=92, ge=1)
    whole_days: int = Field(default=7, ge=1)
    payments_again_days: int = Field(default=365, ge=7)
    most_removed: float = Field(default=0.5, gt=0, le=1)

    @field_validator("categories", "products")
    @classmethod
    def _tags_differ(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if "" in map(as_tag, given):
            raise ValueError("a tag has no name | Leave it out")
        if len({as_tag(one) for one in given}) < len(given):
            raise ValueError("a tag is named twice | Name it once: capitals and a # before it make no difference")
        return given

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The labels that are kept, with the tags that are their values."""
        return {"category": self.categories, "product": self.products}
