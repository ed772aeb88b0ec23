"""What an organisation says of its Pipedrive company: which pipelines, fields and activity types mean what.

Belongs here: the shape of a Pipedrive source's `options` in `organisation.yaml`. Does not: reading Pipedrive (`api`,
`reading`) or making facts (`persons`, `deals`, `activities`).

Pipelines, stages and the values of fields are named as people see them in Pipedrive; fields and activity types so, or
by their key.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from pipelines.identification import IdentifiedBy
from pipelines.identification import fields_of as identifying
from pipelines.source import Options

PERSONAL_FIELDS = frozenset(
    {
        "address",
        "birthday",
        "email",
        "emails",
        "first_name",
        "im",
        "job_title",
        "last_name",
        "lost_reason",
        "name",
        "notes",
        "phone",
        "phones",
        "postal_address",
        "title",
    }
)
"""Pipedrive's own fields that hold names, addresses or texts: they are never kept, whatever is declared."""


def _impersonal(name: str) -> str:
    if name.lower() in PERSONAL_FIELDS:
        raise ValueError(f"{name} holds personal data, which is never fetched; name a field that does not")
    return name


Id = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
FieldName = Annotated[Id, AfterValidator(_impersonal)]
"""A field's name as people see it, or its key: 40 letters and digits for one that the company made itself."""


class Said(Options):
    """A field of Pipedrive, and how its values are called in events: those that are not listed keep their own name."""

    field: FieldName
    values: dict[str, str] = Field(default_factory=dict)


Attribute = Annotated[Said, BeforeValidator(lambda given: {"field": given} if isinstance(given, str) else given)]
"""`market: Municipio`, or `mandate: {field: Mandato, values: {Exclusiva: exclusive, Abierta: open}}`."""


class SalesPipeline(Options):
    """A pipeline in which something is sold.

    A deal that is won or lost stays in its last stage in Pipedrive; events call where it then is `won` and `lost`.
    """

    pipeline: Id
    name: str | None = None  # what events call it; its name where this is left out
    won: str = "won"
    lost: str = "lost"
    stages: dict[Id, str] = Field(default_factory=dict)  # what events call its stages; their names where left out
    product: Attribute | None = None
    segment: Attribute | None = None
    market: Attribute | None = None
    industry: Attribute | None = None
    category: Attribute | None = None  # kind of deal: new, upsell, cross_sell, recurring, …
    campaign: Attribute | None = None
    product_of_lines: bool = False  # the product attached to a deal says what is sold, where there is only one
    forecast: bool = False  # whether values and expected close dates of its deals forecast the sales of months

    @model_validator(mode="after")
    def _ends_are_no_stages(self) -> Self:
        if self.won == self.lost:
            raise ValueError(f"pipeline {self.pipeline} calls won and lost deals alike, {self.won}")
        if self.product is not None and self.product_of_lines:
            raise ValueError("product and product_of_lines both say what is sold: leave one of them out")
        return self


class ListingsPipeline(Options):
    """A pipeline whose deals are properties taken on for sale or rent."""

    pipeline: Id
    captured: tuple[Id, ...] = Field(min_length=1)  # stages
    captured_on: FieldName | None = None  # when it was taken on; where empty, when the stage was entered
    mandate: Attribute | None = None
    portals: Attribute | None = None  # a field with several options
    market: Attribute | None = None
    category: Attribute | None = None


class Persons(Options):
    """What the persons say.

    lifecycle: the field that holds where somebody stands, one option (or label) of several; each change of it is in
    events. Somebody becomes a potential customer on first entering one of `new_customer_stages`, or, where no field
    says it, on being entered into Pipedrive.
    """

    lifecycle: Attribute | None = None
    new_customer_stages: tuple[Id, ...] = Field(default=("lead",), min_length=1)  # in the words of events
    referrer: FieldName | None = None  # a field of type person: the customer who recommended this one
    identified_by: IdentifiedBy = ()  # email, domain, or fields that hold other systems' ids of the customer
    channel: Attribute | None = None
    segment: Attribute | None = None
    market: Attribute | None = None
    industry: Attribute | None = None
    campaign: Attribute | None = None

    @model_validator(mode="after")
    def _nobody_is_known_by_what_is_personal(self) -> Self:
        for name in identifying(self.identified_by):
            _impersonal(name)
        return self


class CallType(Options):
    """A type of activity that is a call. Pipedrive keeps no result of one but its type: one type for each, then.

    category: what events call it; nothing where it is left out.
    """

    type: Id
    outcome: str = "connected"
    direction: Literal["inbound", "outbound"] | None = None
    category: str | None = None


class MeetingType(Options):
    """A type of activity that is a meeting; visit: a property shown to a prospect.

    category: what events call it; its own name where it is left out.
    """

    type: Id
    category: str | None = None
    visit: bool = False


class PipedriveOptions(Options):
    """One Pipedrive company of an organisation.

    domain: what stands before `.pipedrive.com`. A sales pipeline with `forecast: true` also says what sales its deals
    are expected to bring in which month, at each change of their values and expected close dates.

    A company with a sales pipeline, whose persons have a field for their lifecycle and whose calls are of two types,
    writes::

        domain: ejemplo
        persons:
          lifecycle: {field: Fase, values: {Contacto: lead, Cliente: customer}}
          new_customer_stages: [lead]
          channel: Canal de entrada
        sales:
          - pipeline: Ventas
            name: ventas
            stages: {Propuesta enviada: offer}
            market: Mercado
            category: {field: Tipo de negocio, values: {Nuevo: new, Ampliación: upsell}}
            forecast: true
        calls:
          - {type: Llamada, direction: outbound}
          - {type: Llamada sin respuesta, outcome: no_answer, direction: outbound}
        meetings:
          - {type: Reunión, category: presentation}
    """

    domain: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    account: Literal["person", "organization"] = "person"  # whose ids customers have
    reread_days: int = Field(default=30, ge=1)  # how often all lists are read again, changed or not; no histories
    most_removed: float = Field(default=0.5, gt=0, le=1)  # of more than that share missing, permissions are doubted
    persons: Persons = Persons()
    sales: tuple[SalesPipeline, ...] = ()
    listings: tuple[ListingsPipeline, ...] = ()
    calls: tuple[CallType, ...] = (CallType(type="call"),)
    meetings: tuple[MeetingType, ...] = (MeetingType(type="meeting"),)

    @model_validator(mode="after")
    def _each_has_one_role(self) -> Self:
        pipelines = [*(one.pipeline for one in self.sales), *(one.pipeline for one in self.listings)]
        types = [*(one.type for one in self.calls), *(one.type for one in self.meetings)]
        for what, named in (("pipeline", pipelines), ("activity type", types)):
            if twice := sorted({name for name in named if named.count(name) > 1}):
                raise ValueError(f"{what} {', '.join(twice)} is declared twice; each has one role")
        return self

    @model_validator(mode="after")
    def _customers_are_of_one_kind(self) -> Self:
        if self.account == "organization" and (self.persons.identified_by or self.persons.referrer):
            raise ValueError(
                "persons.identified_by and persons.referrer name persons: customers are organisations here"
            )
        return self

    @property
    def customer(self) -> str:
        """Where a record says whose it is."""
        return "person_id" if self.account == "person" else "org_id"

    def record_url(self, kind: str) -> str:
        """Where records of a kind are shown, up to the record's id."""
        return f"https://{self.domain}.pipedrive.com/{kind}/"


def fields_of(*attributes: Attribute | str | None) -> tuple[str, ...]:
    """The names of the fields that are declared, each once, in order."""
    names = [one.field if isinstance(one, Said) else one for one in attributes if one is not None]
    return tuple(dict.fromkeys(names))
