"""An organisation: its zone, calendar, currency, thresholds and the sources that it uses.

Belongs here: what `organisation.yaml` says. Does not: what a kind of source may be told (its module in `pipelines`),
secrets (dlt's configuration).
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import time
from functools import cache
from typing import Annotated, Any, Literal

import holidays
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from kr_definitions.currencies import CURRENCIES
from kr_definitions.periods import Calendar
from kr_definitions.words import Days, like, listed

ID_PART = r"[a-z][a-z0-9_-]{0,62}"


class Declared(BaseModel):
    """What a person writes: frozen, strict, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@cache
def zones() -> frozenset[str]:
    """The names of all time zones; it takes a search through hundreds of files to know them."""
    return frozenset(zoneinfo.available_timezones())


def _known_zone(name: str) -> str:
    if name not in zones():
        raise ValueError("not a time zone | Use an IANA name such as Europe/Madrid")
    return name


def _known_country(code: str) -> str:
    country, _, subdivision = code.partition("-")
    supported = holidays.list_supported_countries()
    if country not in supported or (subdivision and subdivision not in supported[country]):
        raise ValueError("no calendar of that country | Use an ISO 3166 code such as ES, ES-MD or CO")
    return code


def _known_id(text: str) -> str:
    if not re.fullmatch(ID_PART, text):
        raise ValueError("not an id | Use small letters, digits, - and _, a letter first, at most 63")
    return text


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("not a currency | Use an ISO 4217 code such as EUR or COP")
    return code


Id = Annotated[str, AfterValidator(_known_id), like(ID_PART)]
Zone = Annotated[str, AfterValidator(_known_zone), like(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")]
Country = Annotated[str, AfterValidator(_known_country), like(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")]
Currency = Annotated[
    str, AfterValidator(_known_currency), WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES)})
]


class Title(Declared):
    """A name in each language that stakeholders read."""

    es: str = Field(min_length=1)
    en: str = Field(min_length=1)


class SourceUse(Declared):
    """One account of a vendor. kind: which connector reads it; options: what that connector is told.

    late_days: how many days after a fact happened it can still be entered there; until then figures are provisional.
    Without it, what the connector says of each of its streams.
    """

    kind: str
    options: dict[str, Any] = Field(default_factory=dict)
    late_days: int | None = Field(default=None, ge=0, le=366)


def _known_stream(text: str) -> str:
    if not re.fullmatch(_STREAM, text):
        raise ValueError("not a source or a stream | Write <source>, or <source>.<stream>, as messages name it")
    return text


_STREAM = ID_PART + r"(\.[a-z][a-z0-9_]*)?"
FormerStream = Annotated[str, AfterValidator(_known_stream), like(_STREAM)]
Former = Literal["counts", "withdrawn"]
"""What becomes of what a stream said that is read no more."""


def _known_account(text: str) -> str:
    source, _, customer = text.partition("/")
    if not re.fullmatch(ID_PART, source) or not customer.strip():
        raise ValueError("not a customer of a source | Write <source>/<id of the customer there>, as in hubspot/501")
    return text


Account = Annotated[str, AfterValidator(_known_account), like(ID_PART + r"/.*\S.*")]
Pair = Annotated[list[Account], Field(min_length=2, max_length=2)]


class Identity(Declared):
    """What makes two customers, of one system or of two, one.

    customers: source -> the source whose customers it names, by the ids that they have there (a sheet that is kept with
    the CRM's numbers); other sources have customers of their own. by: words for what systems state of a customer and of
    no other (`email`, `domain`, `external_id`, or one's own); the first word counts first. ignore: values that make
    nobody one, as many share them; the domains of public mail services are ignored anyway. same: customers that are
    one, though no system says so. never: customers that are two, whatever systems say: it withdraws a wrong link.
    """

    customers: dict[Id, Id] = Field(default_factory=dict)
    by: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    ignore: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    same: Annotated[tuple[Pair, ...], BeforeValidator(listed)] = ()
    never: Annotated[tuple[Pair, ...], BeforeValidator(listed)] = ()

    @model_validator(mode="after")
    def _is_possible(self) -> Identity:
        for source, whose in self.customers.items():
            if whose in self.customers or whose == source:
                raise ValueError(
                    f"{source} names the customers of {whose}, who has none of its own | Name whose they are"
                )
        for pair in (*self.same, *self.never):
            if pair[0] == pair[1]:
                raise ValueError(f"{pair[0]} twice in one pair | Name two customers")
        for pair in self.same:
            if {*pair} in [{*other} for other in self.never]:
                raise ValueError(f"{pair[0]} and {pair[1]} are said to be one, and to be two | Keep what is right")
        return self


class Rates(Declared):
    """How amounts in other currencies become the organisation's own, by `rate.observed` events.

    through: the currency by which two rates are joined where none is of the pair itself. at_most_days: how many days
    the last rate before a day holds; older ones do not. sources: only rates of these sources count, in place of all.
    """

    through: Currency = "EUR"
    at_most_days: int = Field(default=7, ge=0, le=366)
    sources: Annotated[tuple[Id, ...], BeforeValidator(listed)] = ()


_CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9])"


def _clock(value: Any) -> Any:
    found = re.fullmatch(_CLOCK, value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("not a time of day | Write it in quotes, as in '09:00'")
    return time(int(found[1]), int(found[2]))


ClockTime = Annotated[
    time,
    BeforeValidator(_clock),
    PlainSerializer(lambda moment: moment.strftime("%H:%M"), return_type=str),
    like(_CLOCK),
]


class WorkingHours(Declared):
    """When a working day begins and ends, on the organisation's clock."""

    from_: ClockTime = Field(default=time(9), alias="from")
    until: ClockTime = time(18)

    @model_validator(mode="after")
    def _in_order(self) -> WorkingHours:
        if self.until <= self.from_:
            raise ValueError("it ends before it begins | Swap or correct the times")
        return self


class Switch(Declared):
    """A rule of the review that is not followed, and why. only: by these objectives and key results; else by none."""

    off: str = Field(min_length=1)
    only: Annotated[tuple[str, ...], BeforeValidator(listed)] | None = Field(default=None, min_length=1)


class Organisation(Declared):
    """`organisation.yaml`.

    close_after: how long after its end a period is sealed by itself; without it, by hand. former: of sources, or
    streams of them, that are read no more, whether what they said counts on, or is withdrawn as it is said elsewhere.
    """

    id: Id
    title: Title
    zone: Zone
    country: Country
    currency: Currency
    fiscal_year_starts: int = Field(default=1, ge=1, le=12)
    thresholds: Literal["viva", "engagedly", "upraise", "servicenow"] = "viva"
    working_hours: WorkingHours = WorkingHours()
    sources: dict[Id, SourceUse] = Field(default_factory=dict)
    identity: Identity = Identity()
    rates: Rates = Rates()
    former: dict[FormerStream, Former] = Field(default_factory=dict)
    close_after: Days | None = None
    lint: dict[str, Switch] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _former_are_none(self) -> Organisation:
        for name in self.former:
            if name in self.sources:
                raise ValueError(f"former names {name}, which is a source | Take it out of one of the two")
        return self

    @model_validator(mode="after")
    def _named_are_sources(self) -> Organisation:
        if not self.sources:  # as a definition is remembered: without them
            return self
        known = ", ".join(self.sources)
        for source in self.rates.sources:
            if source not in self.sources:
                raise ValueError(f"rates.sources names {source}, which is no source | Name one of: {known}")
        for source in (one for pair in self.identity.customers.items() for one in pair):
            if source not in self.sources:
                raise ValueError(f"identity.customers names {source}, which is no source | Name one of: {known}")
        for account in (one for pair in (*self.identity.same, *self.identity.never) for one in pair):
            source, _, customer = account.partition("/")
            if source not in self.sources:
                raise ValueError(f"{account} is of no source | Name one of: {known}")
            if (whose := self.identity.customers.get(source)) is not None:
                raise ValueError(f"{account} is a customer of {whose} | Write {whose}/{customer}")
        return self

    @property
    def calendar(self) -> Calendar:
        """The organisation's working days and fiscal year."""
        return Calendar(self.country, self.fiscal_year_starts)
