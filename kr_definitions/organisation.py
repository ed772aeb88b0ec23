"""An organisation: its zone, calendar, currency, thresholds and the sources that it uses.

Belongs here: what `organisation.yaml` says. Does not: what a kind of source may be told (its module in `pipelines`),
secrets (dlt's configuration).
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import time
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


def _known_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
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
    """One account of a vendor. kind: which connector reads it; options: what that connector is told."""

    kind: str
    options: dict[str, Any] = Field(default_factory=dict)


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
    """`organisation.yaml`. close_after: how long after its end a period is sealed by itself; without it, by hand."""

    id: Id
    title: Title
    zone: Zone
    country: Country
    currency: Currency
    fiscal_year_starts: int = Field(default=1, ge=1, le=12)
    thresholds: Literal["viva", "engagedly", "upraise", "servicenow"] = "viva"
    working_hours: WorkingHours = WorkingHours()
    sources: dict[Id, SourceUse] = Field(default_factory=dict)
    close_after: Days | None = None
    lint: dict[str, Switch] = Field(default_factory=dict)

    @property
    def calendar(self) -> Calendar:
        """The organisation's working days and fiscal year."""
        return Calendar(self.country, self.fiscal_year_starts)
