"""What an organisation says of its HubSpot account: which pipelines, stages and properties mean what.

Belongs here: the shape of a HubSpot source's `options` in `organisation.yaml`, and the words that HubSpot itself
gives. Does not: reading HubSpot (`api`, `reading`) or making facts (`contacts`, `deals`, `activities`).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from pipelines.identification import EMAIL, IdentifiedBy, fields_of
from pipelines.source import Options

PERSONAL_PROPERTIES = frozenset(
    {
        "address",
        "date_of_birth",
        "dealname",
        "description",
        "email",
        "fax",
        "firstname",
        "hs_additional_emails",
        "hs_body_preview",
        "hs_call_body",
        "hs_call_from_number",
        "hs_call_title",
        "hs_call_to_number",
        "hs_content",
        "hs_email_bcc_email",
        "hs_email_cc_email",
        "hs_email_from_email",
        "hs_email_headers",
        "hs_email_html",
        "hs_email_subject",
        "hs_email_text",
        "hs_email_to_email",
        "hs_full_name_or_email",
        "hs_meeting_body",
        "hs_meeting_title",
        "hs_note_body",
        "hs_searchable_calculated_phone_number",
        "hs_submission_name",
        "hs_task_body",
        "hs_task_subject",
        "jobtitle",
        "lastname",
        "mobilephone",
        "phone",
        "salutation",
        "twitterhandle",
        "work_email",
        "zip",
    }
)
"""Properties of HubSpot's own that hold names, addresses or texts: they are never fetched, whatever is declared."""

CALL_OUTCOMES = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "left_live_message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "left_voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "no_answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "wrong_number",
}
"""The call outcomes that every HubSpot account begins with; outcomes of one's own have ids of their own."""


def _impersonal(name: str) -> str:
    if name in PERSONAL_PROPERTIES:
        raise ValueError(f"{name} holds personal data, which is never fetched; name a property that does not")
    return name


PropertyName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=100), AfterValidator(_impersonal)
]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class Said(Options):
    """A property of HubSpot, and how its values are called in events: those that are not listed keep their own name."""

    property: PropertyName
    values: dict[str, str] = Field(default_factory=dict)


Attribute = Annotated[Said, BeforeValidator(lambda given: {"property": given} if isinstance(given, str) else given)]
"""`market: municipio`, or `mandate: {property: tipo_de_mandato, values: {exclusiva: exclusive, abierta: open}}`."""


class SalesPipeline(Options):
    """A deal pipeline in which something is sold."""

    pipeline: Id
    name: str | None = None  # what events call it; its id where this is left out
    won: tuple[Id, ...] = Field(min_length=1)
    lost: tuple[Id, ...] = ()
    stages: dict[Id, str] = Field(
        default_factory=dict
    )  # what events call its stages; their ids where they are left out
    product: Attribute | None = None
    segment: Attribute | None = None
    market: Attribute | None = None
    industry: Attribute | None = None
    category: Attribute | None = None  # kind of deal: new, upsell, cross_sell, recurring, …
    campaign: Attribute | None = None
    product_of_lines: Attribute | None = None  # property of the line items that says what is sold, if all say the same
    won_on: PropertyName | None = None  # when it was won, as of deals that were imported; where empty, its stage says
    forecast: bool = False  # whether amounts and close dates of its deals forecast the sales of months

    @model_validator(mode="after")
    def _no_stage_is_both(self) -> Self:
        if both := sorted(set(self.won) & set(self.lost)):
            raise ValueError(f"stage {', '.join(both)} of pipeline {self.pipeline} is both won and lost")
        if self.product is not None and self.product_of_lines is not None:
            raise ValueError("product and product_of_lines both say what is sold: leave one of them out")
        return self


class ListingsPipeline(Options):
    """A deal pipeline whose deals are properties taken on for sale or rent."""

    pipeline: Id
    captured: tuple[Id, ...] = Field(min_length=1)
    captured_on: PropertyName | None = None  # when it was taken on; where empty, when the stage was entered
    mandate: Attribute | None = None
    portals: Attribute | None = None  # several values, separated by `;`
    market: Attribute | None = None
    category: Attribute | None = None


class Contacts(Options):
    """What the contacts say."""

    new_customer_stages: tuple[Id, ...] = Field(default=("lead",), min_length=1)
    referrer: PropertyName | None = None  # holds the contact id of the customer who recommended this one
    identified_by: IdentifiedBy = ()  # email, domain, or properties that hold other systems' ids of the customer
    channel: Attribute | None = None
    segment: Attribute | None = None
    market: Attribute | None = None
    industry: Attribute | None = None
    campaign: Attribute | None = None

    @model_validator(mode="after")
    def _nobody_is_known_by_what_is_personal(self) -> Self:
        for name in fields_of(self.identified_by):
            _impersonal(name)
        return self


class Companies(Options):
    """What the companies say: by what else they are known, `domain` or properties that hold other systems' ids."""

    identified_by: IdentifiedBy = ()

    @model_validator(mode="after")
    def _nobody_is_known_by_what_is_personal(self) -> Self:
        if any(one.field == EMAIL for one in self.identified_by):
            raise ValueError("companies have no mail address of their own: name domain, or a property of theirs")
        for name in fields_of(self.identified_by):
            _impersonal(name)
        return self


class Calls(Options):
    """What the calls say. outcomes: id of an outcome of one's own (`hs_call_disposition`) -> its name in events."""

    outcomes: dict[Id, str] = Field(default_factory=dict)
    category: Attribute | None = Said(property="hs_activity_type")
    segment: Attribute | None = None

    @property
    def outcome_names(self) -> dict[str, str]:
        """Id of an outcome -> its name, HubSpot's own included."""
        return {**CALL_OUTCOMES, **self.outcomes}


class Meetings(Options):
    """What the meetings say.

    visits: activity types (`hs_activity_type`) that mean a property shown to a prospect. categories: activity type ->
    its name in events; those that are not listed keep their own.
    """

    visits: tuple[Id, ...] = ()
    categories: dict[Id, str] = Field(default_factory=dict)
    market: Attribute | None = None
    segment: Attribute | None = None
    product: Attribute | None = None


class Other(Options):
    """What notes, tasks, mails or survey answers say beside that they happened."""

    segment: Attribute | None = None


class HubSpotOptions(Options):
    """One HubSpot account of an organisation.

    A sales pipeline with `forecast: true` also says what sales its deals are expected to bring in which month, at each
    change of their amounts and close dates.

    An estate agency that keeps its sales and its listings as deals in two pipelines, as the sandbox does, writes::

        portal_id: "27182818"
        currency: EUR
        app_url: https://app-eu1.hubspot.com
        contacts:
          new_customer_stages: [lead]
          referrer: cliente_que_recomienda
          channel: canal_de_entrada
          market: municipio
        sales:
          - pipeline: default
            name: ventas
            won: [closedwon]
            lost: [closedlost]
            stages:
              appointmentscheduled: appointment
              presentationscheduled: offer
              contractsent: reservation
              closedwon: won
              closedlost: lost
            market: municipio
        listings:
          - pipeline: "80417731"
            captured: ["151617181"]
            captured_on: fecha_de_captacion
            mandate: {property: tipo_de_mandato, values: {exclusiva: exclusive, abierta: open}}
            portals: portales
            market: municipio
            category: {property: tipo_de_inmueble, values: {piso: flat, casa: house, local: premises}}
        meetings:
          visits: [Visita]
    """

    portal_id: Annotated[str, StringConstraints(pattern=r"^\d+$")]
    app_url: Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.-]+$")] = "https://app.hubspot.com"
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None  # of deals that name none
    reread_days: int = Field(default=30, ge=1)  # how often everything is read again, changed or not
    most_gone: float = Field(default=0.5, gt=0, le=1)  # share of the known records that may be gone then, undoubted
    account: Literal["contact", "company"] = "contact"  # whose ids customers have; without one, nobody's
    actor: Literal["owner", "address"] = "owner"  # owners by their ids, or by pseudonyms of their addresses
    contacts: Contacts = Contacts()
    companies: Companies = Companies()
    sales: tuple[SalesPipeline, ...] = ()
    listings: tuple[ListingsPipeline, ...] = ()
    calls: Calls | None = Calls()
    meetings: Meetings | None = Meetings()
    notes: Other | None = None  # read where it is said, `{}` suffices; so are the next three
    tasks: Other | None = None
    emails: Other | None = None
    feedback: Other | None = None  # answers to surveys

    @model_validator(mode="after")
    def _pipelines_have_one_role_and_a_currency(self) -> Self:
        ids = [*(one.pipeline for one in self.sales), *(one.pipeline for one in self.listings)]
        if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise ValueError(f"pipeline {', '.join(twice)} is declared twice; each deal pipeline has one role")
        if ids and self.currency is None:
            raise ValueError("deals have amounts: set currency (ISO 4217) to the account's currency, for instance EUR")
        return self

    @model_validator(mode="after")
    def _customers_are_of_one_kind(self) -> Self:
        if self.account == "company" and (self.contacts.identified_by or self.contacts.referrer):
            raise ValueError("contacts.identified_by and contacts.referrer name contacts: customers are companies here")
        if self.account == "contact" and self.companies.identified_by:
            raise ValueError("companies.identified_by names companies: customers are contacts here")
        return self

    @property
    def customers(self) -> str:
        """The type of record that customers are."""
        return "companies" if self.account == "company" else "contacts"

    @property
    def associated(self) -> tuple[str, ...]:
        """The types of record that say whose something is: customers, and the persons whose data it is."""
        return tuple(dict.fromkeys(("contacts", self.customers)))

    def record_url(self, object_type_id: str) -> str:
        """Where records of a type are shown, up to the record's id."""
        return f"{self.app_url}/contacts/{self.portal_id}/record/{object_type_id}/"


def properties_of(*attributes: Attribute | str | None) -> tuple[str, ...]:
    """The names of the properties that are declared, each once, in order."""
    names = [one.property if isinstance(one, Said) else one for one in attributes if one is not None]
    return tuple(dict.fromkeys(names))
