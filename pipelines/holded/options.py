"""What an organisation says of its Holded account. Does not belong here: what follows from it (`reading`)."""

from __future__ import annotations

from typing import Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator

from kr_definitions.vocabulary import nearest
from pipelines.source import Options


class HoldedOptions(Options):
    """What `organisation.yaml` says of a Holded account.

    zone: in which the account writes its dates, as the beginning of a day. category, product: the custom fields of
    documents whose values are their category and their product; of the custom fields, nothing else is kept.
    credit_notes: whether they are read. credited: the sign with which they write what they take back; without it, a
    positive amount is taken back and a negative one is set aside. recent_days: how far back documents are read again
    on each run; whole_days: how often all are, so how late the payment of an older invoice may be noticed.
    most_removed: the share of the documents that one reading may find gone; where more are, it is the reading that is
    doubted.

    A whole one::

        zone: Europe/Madrid
        category: Línea de negocio
        product: Servicio
        credit_notes: true
        credited: positive
        recent_days: 92
        whole_days: 7
        most_removed: 0.5
    """

    zone: str = "Europe/Madrid"
    category: str | None = Field(default=None, min_length=1)
    product: str | None = Field(default=None, min_length=1)
    credit_notes: bool = True
    credited: Literal["positive", "negative"] | None = None
    recent_days: int = Field(default=92, ge=1)
    whole_days: int = Field(default=7, ge=1)
    most_removed: float = Field(default=0.5, gt=0, le=1)

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        if zone not in available_timezones():
            likely = " or ".join(nearest(zone, sorted(available_timezones())))
            do = f"Did you mean {likely}?" if likely else "Use an IANA name such as Europe/Madrid"
            raise ValueError(f"{zone} is not a time zone | {do}")
        return zone

    @property
    def labels(self) -> dict[str, str]:
        """The labels that are kept, with the custom fields that they are the values of."""
        given = {"category": self.category, "product": self.product}
        return {label: name for label, name in given.items() if name is not None}
