"""What an organisation says of its forms. Does not belong here: what follows from it (`responses`)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.source import Options, StreamName

Hosts = Literal["us", "eu", "eu2"]
HOSTS: dict[Hosts, str] = {
    "us": "https://api.typeform.com",
    "eu": "https://api.eu.typeform.com",
    "eu2": "https://api.typeform.eu",
}


class Rating(Options):
    """Which question says how content somebody is, and which answers are good and bad; all others are neither.

    field: the question's reference (or its id). good_from, bad_to: of a question that is answered with a number
    (opinion scale, rating, NPS, number): good from so much on, bad up to so much. good, bad: of a question with
    choices: their labels; yes and no of a question that is answered so.
    """

    field: str
    good_from: Decimal | None = None
    bad_to: Decimal | None = None
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        is_number, is_choice = self.good_from is not None or self.bad_to is not None, bool(self.good or self.bad)
        if is_number == is_choice:
            raise ValueError("numbers or choices, one of them | Write good_from and bad_to, or good and bad")
        if self.good_from is not None and self.bad_to is not None and self.bad_to >= self.good_from:
            found = f"answers from {self.good_from} to {self.bad_to} would be good and bad"
            raise ValueError(f"{found} | Let bad_to be less than good_from")
        if both := sorted({*self.good} & {*self.bad}):
            raise ValueError(f"{', '.join(both)} would be good and bad | Name each choice once")
        return self

    @property
    def is_number(self) -> bool:
        """Whether the question is answered with a number."""
        return not (self.good or self.bad)


class Form(Options):
    """One form. id: as in its address, https://….typeform.com/to/<id>.

    customer: the hidden field that says who was asked; it is kept as a pseudonym, unless is_customer_id says that it is
    an id of another system's, which says nothing of anybody by itself. request: the hidden field that says which asking
    it was; without one, each answer is a request of its own. sent_at: the hidden field that says when somebody was
    asked (an ISO 8601 time with its offset). started: whether it is read as well who opened the form and did not send
    it, all of them on each run.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{4,40}$")
    rating: Rating
    customer: str | None = None
    is_customer_id: bool = False
    request: str | None = None
    sent_at: str | None = None
    started: bool = False

    @property
    def hidden(self) -> tuple[str, ...]:
        """The hidden fields that are read."""
        return tuple(name for name in (self.customer, self.request, self.sent_at) if name is not None)


class TypeformOptions(Options):
    """What `organisation.yaml` says of a Typeform account.

    region: where the account's data is kept. forms: by the name that events have as their category. reread_days: how
    often all answers are read again. most_removed: the share of the answers that one reading may find gone; where more
    are, it is the reading that is doubted.

    A whole one::

        region: eu
        forms:
          compra:
            id: u6nXL7kd
            rating: {field: recomienda, good_from: 9, bad_to: 6}
            customer: cliente
            is_customer_id: true
            request: envio
            sent_at: enviada
            started: true
          visita:
            id: Pq3xWm9a
            rating: {field: agrado, good: ["Mucho"], bad: ["Poco", "Nada"]}
        reread_days: 30
        most_removed: 0.5
    """

    region: Hosts = "us"
    forms: Annotated[dict[StreamName, Form], Field(min_length=1)]
    reread_days: int = Field(default=30, ge=1)
    most_removed: float = Field(default=0.5, gt=0, le=1)
