"""What an organisation says of its Salesforce org: which record types, stages, statuses and fields mean what.

Belongs here: the shape of a Salesforce source's `options` in `organisation.yaml`. Does not: reading Salesforce (`api`,
`reading`) or making facts (`leads`, `deals`, `activities`, `cases`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter, model_validator

from kr_definitions.vocabulary import nearest
from pipelines.identification import IdentifiedBy
from pipelines.identification import fields_of as identifying
from pipelines.source import Options

PERSONAL_FIELDS = frozenset(
    {
        *("AssistantName", "AssistantPhone", "Birthdate", "Comments", "Company", "Description", "Email", "Fax"),
        *("FirstName", "HomePhone", "LastName", "Location", "MailingAddress", "MiddleName", "MobilePhone", "Name"),
        *("NextStep", "OtherPhone", "Phone", "Salutation", "Street", "Subject", "Suffix", "SuppliedCompany"),
        *("SuppliedEmail", "SuppliedName", "SuppliedPhone", "Title", "Website"),
    }
)
"""Fields of Salesforce's own that hold names, addresses or texts: they are never fetched, whatever is declared."""


def _impersonal(name: str) -> str:
    if name in PERSONAL_FIELDS:
        raise ValueError(f"{name} holds personal data, which is never fetched; name a field that does not")
    return name


FieldName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=80), AfterValidator(_impersonal)
]
"""The API name of a field; one of the org's own ends in `__c`."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]


class Said(Options):
    """A field of Salesforce, and how its values are called in events: those that are not listed keep their own name."""

    field: FieldName
    values: dict[str, str] = Field(default_factory=dict)


Attribute = Annotated[Said, BeforeValidator(lambda given: {"field": given} if isinstance(given, str) else given)]
"""`market: Mercado__c`, or `segment: {field: Segmento__c, values: {Clave: key}}`."""


class Sales(Options):
    """Opportunities by which something is sold: all of them, or those of one record type."""

    record_type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] | None = None  # DeveloperName
    name: str | None = None  # what events call the pipeline; its record type where this is left out
    won: tuple[Word, ...] = Field(min_length=1)
    lost: tuple[Word, ...] = ()
    stages: dict[Word, str] = Field(default_factory=dict)  # what events call its stages; their names otherwise
    product: Attribute | None = None
    product_of_lines: Literal["Name", "ProductCode", "Family"] | None = None
    won_on: FieldName | None = None  # when it was won, as of deals that were imported; where empty, its stage says
    segment: Attribute | None = None
    market: Attribute | None = None
    industry: Attribute | None = None
    category: Attribute | None = None
    campaign: Attribute | None = None
    forecast: tuple[Word, ...] = ()  # the forecast categories in which amount and close date forecast a month's sales

    @model_validator(mode="after")
    def _no_stage_is_both(self) -> Self:
        if both := sorted(set(self.won) & set(self.lost)):
            raise ValueError(f"stage {', '.join(both)} is both won and lost")
        if self.product is not None and self.product_of_lines is not None:
            raise ValueError("product and product_of_lines both say what is sold: leave one of them out")
        return self

    @property
    def pipeline(self) -> str:
        """What events call it."""
        return self.name or self.record_type or "sales"


class People(Options):
    """What both leads and contacts may say.

    identified_by: by what else they are known: email, domain, or fields that hold other systems' ids of them.
    """

    identified_by: IdentifiedBy = ()
    channel: Attribute | None = None
    segment: Attribute | None = None
    market: Attribute | None = None
    industry: Attribute | None = None
    campaign: Attribute | None = None

    @model_validator(mode="after")
    def _nobody_is_known_by_what_is_personal(self) -> Self:
        for name in identifying(self.identified_by):
            TypeAdapter(FieldName).validate_python(name)
        return self


class Leads(People):
    """What the leads say. lifecycle: a lead's Status -> the lifecycle stage that it means; others mean none."""

    lifecycle: dict[Word, str] = Field(min_length=1)
    channel: Attribute | None = Said(field="LeadSource")


class Contacts(People):
    """What the contacts say. lifecycle: the field that holds their lifecycle stage."""

    lifecycle: Attribute


class Calls(Options):
    """Which tasks are calls, and what they say.

    types: values of Type; where left out, those that Salesforce itself calls calls (TaskSubtype). at: a field with the
    time of the call, as Salesforce keeps only its day and when it was closed. outcomes: CallDisposition -> its name in
    events.
    """

    types: tuple[Word, ...] = ()
    at: FieldName | None = None
    outcomes: dict[Word, str] = Field(default_factory=dict)
    category: Attribute | None = Said(field="Type")
    segment: Attribute | None = None


class Tasks(Options):
    """What the other tasks say, those that are neither calls nor mails."""

    category: Attribute | None = Said(field="Type")
    segment: Attribute | None = None


class Meetings(Options):
    """Which events are meetings, and what they say.

    types: values of Type; where left out, all events. outcome: the field that says how it went, as Salesforce has none
    of its own: without it no meeting is known to have taken place. held: its values that mean that it did. visits: the
    types that mean a property shown to a prospect. categories: Type -> its name in events.
    """

    types: tuple[Word, ...] = ()
    outcome: FieldName | None = None
    held: tuple[Word, ...] = ()
    visits: tuple[Word, ...] = ()
    categories: dict[Word, str] = Field(default_factory=dict)
    market: Attribute | None = None
    segment: Attribute | None = None
    product: Attribute | None = None

    @model_validator(mode="after")
    def _held_has_an_outcome(self) -> Self:
        if (self.outcome is None) != (not self.held):
            raise ValueError("outcome and held belong together: name the field, and its values that mean held")
        return self


class Cases(Options):
    """What the cases say.

    solved, closed: values of Status; a closed case that was not solved before is solved too. first_replied: a field
    with the time of the first reply, as Salesforce keeps none. channels: Origin -> its name in events; priorities:
    Priority -> its name.
    """

    solved: tuple[Word, ...] = ()
    closed: tuple[Word, ...] = ("Closed",)
    first_replied: FieldName | None = None
    channels: dict[Word, str] = Field(default_factory=lambda: {"Email": "email", "Phone": "phone", "Web": "web"})
    priorities: dict[Word, str] = Field(default_factory=dict)
    category: Attribute | None = None
    segment: Attribute | None = None


class SalesforceOptions(Options):
    """One Salesforce org of an organisation.

    customer: who an event's customer is: the contact, or the account that they belong to. number: a field that leads
    and contacts (or leads and accounts) alike have, with the number by which other systems know the customer; without
    it, Salesforce's own id is the customer's. quota_share: how much of the org's daily API requests may be used by
    everybody together before reading stops for the day. untracked: fields whose history the org does not track
    (`Lead.OwnerId`), and that are taken to have always been as they are. history_months: how long the org keeps field
    histories at least: 18, where no retention policy says otherwise. most_gone: the share of the known records of a
    kind that may be gone at once before it is doubted.

    A sales organisation whose deals have a record type for each process writes::

        app_url: https://ejemplo.lightning.force.com
        currency: COP
        customer: contact
        number: Numero_de_cliente__c
        leads:
          lifecycle: {Nuevo: lead, Trabajado: marketingqualifiedlead, Calificado: salesqualifiedlead,
                      Convertido: opportunity, Cliente: customer}
          segment: Segmento__c
          industry: Sector__c
        contacts:
          lifecycle: Ciclo_de_vida__c
          segment: Segmento__c
        sales:
          - record_type: Ventas
            name: ventas
            won: [ganado]
            lost: [perdido]
            product_of_lines: Name
            segment: Segmento__c
            market: Mercado__c
            category: Tipo_de_negocio__c
            forecast: [Pipeline, BestCase, Forecast, Closed]
        calls:
          at: Hora_de_llamada__c
          outcomes: {Contestada: connected, "No contesta": no_answer, Ocupado: busy}
          segment: Segmento__c
        meetings:
          outcome: Resultado__c
          held: [Realizada]
          segment: Segmento__c
        cases:
          solved: [Resuelto]
          closed: [Cerrado]
          first_replied: Primera_respuesta__c
    """

    app_url: Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.-]+$")]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None  # of deals that name none
    customer: Literal["account", "contact"] = "account"
    number: FieldName | None = None
    quota_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    reread_days: int = Field(default=30, ge=1)  # how often everything is read again, changed or not
    untracked: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]*\.[A-Za-z][A-Za-z0-9_]*$")], ...] = ()
    history_months: int = Field(default=18, ge=0)
    most_gone: float = Field(default=0.5, gt=0, le=1)
    new_customer_stages: tuple[str, ...] = Field(default=("lead",), min_length=1)
    leads: Leads | None = None
    contacts: Contacts | None = None
    sales: tuple[Sales, ...] = ()
    calls: Calls | None = Calls()
    tasks: Tasks | None = None
    meetings: Meetings | None = Meetings()
    cases: Cases | None = None

    @model_validator(mode="after")
    def _record_types_have_one_role_and_a_currency(self) -> Self:
        types = [one.record_type for one in self.sales]
        if None in types and len(types) > 1:
            raise ValueError("sales without record_type are all opportunities: name the record type of each, or one")
        if twice := sorted({str(one) for one in types if types.count(one) > 1}):
            raise ValueError(f"record type {', '.join(twice)} is declared twice")
        if len(lines := {one.product_of_lines for one in self.sales if one.product_of_lines}) > 1:
            raise ValueError(f"product_of_lines is {' and '.join(sorted(lines))}: all deals have the same")
        if self.sales and self.currency is None:
            raise ValueError("deals have amounts: set currency (ISO 4217) to the org's currency, for instance EUR")
        return self

    @model_validator(mode="after")
    def _new_customers_are_somebody(self) -> Self:
        """Which values a contact's lifecycle field has, only the org can say."""
        if self.leads is not None and self.contacts is None:
            meant = tuple(self.leads.lifecycle.values())
            for stage in self.new_customer_stages:
                if stage not in meant:
                    like = ", ".join(nearest(stage, meant) or sorted(set(meant)))
                    raise ValueError(f"new_customer_stages: no status of leads means {stage!r}; there is {like}")
        return self

    @property
    def history_kept_for(self) -> timedelta:
        """How long a change of a field is certainly still told."""
        return timedelta(days=30 * self.history_months)

    def record_url(self, sobject: str) -> str:
        """Where records of a kind are shown, up to the record's id."""
        return f"{self.app_url}/lightning/r/{sobject}/"


def fields_of(*attributes: Said | str | None) -> tuple[str, ...]:
    """The names of the fields that are declared, each once, in order."""
    names = [one.field if isinstance(one, Said) else one for one in attributes if one is not None]
    return tuple(dict.fromkeys(names))
