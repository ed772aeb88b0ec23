"""What an organisation says of a folder of exported files: how they are read, and which events their rows are.

Belongs here: the shape of a files source's `options` (in `organisation.yaml`, or in a YAML file of its own). Does not:
what is wrong with a stream as a whole (`checks`), reading files (`reading`), or what a cell says (`cells`).

A stream is one kind of file:

    streams:
      incidents:
        path: "exports/incidents-*.csv"          # below the configured folder
        format: {type: csv, separator: ";", encoding: utf-8, decimal: ",", nulls: ["?"]}
        delivery: append                         # or snapshot: each reading is the whole state
        key: number                              # what identifies a row; one column or a list
        revision: {column: updated_at, format: "%d-%m-%Y %H:%M", zone: UTC, then: update_number}
        columns: {update_number: number, made_sla: boolean, opened_at: {type: instant, format: "%d-%m-%Y %H:%M"}}
        expect: [{that: updated_at >= opened_at, says: updated before it was opened}]
        events:
          - type: ticket.created
            at: opened_at                        # or {column: …, format: …, zone: …, ambiguous: earlier}
            subject: number
            attributes: {priority: lower(priority)}
          - type: ticket.reopened
            each_rise_of: reopen_count

Whatever says something of a row (`when`, `subject`, `account`, `actor`, `amount`, `currency`, `quantity`, `url`,
attributes, `that`) is an expression of the closed language over the file's columns, which are text unless `columns`
says otherwise. Only columns that are named anywhere here are kept of a file; those named in `personal`, and those of
an `actor`, are turned into pseudonyms as they are read. `codes` names the columns of an actor that hold another
system's code of somebody (their number in the CRM) and nothing else: kept as it is, it is who that system's events are
by, and so what somebody did in both can be joined.

`revision` makes the rows of one key the successive states of one thing: its events are those of its last row, and
`each_rise_of` finds the rows at which a running count rose. Without it a key has one row.
"""

from __future__ import annotations

import codecs
import re
import zoneinfo
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from kr_definitions.complaints import parse
from kr_definitions.documents import DeclarationErrors, Problem, read
from kr_definitions.expressions import Expression, predicate, scalar
from kr_definitions.organisation import Id
from kr_definitions.vocabulary import DTYPES
from pipelines.files.checks import problems
from pipelines.source import Options

ISO = "iso"
UNIX = "unix"
UNIX_MS = "unix_ms"
_DIRECTIVES = "aAbBdefHIjmMpSTyYzZ%"


def _known_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError(f"{name} is not a time zone | Use an IANA name such as Europe/Madrid")
    return name


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"{name} is not an encoding | Use utf-8, windows-1252, iso-8859-15 or utf-16") from None


def _known_format(text: str) -> str:
    if text in (ISO, UNIX, UNIX_MS):
        return text
    directives = re.findall(r"%\.?\d?(.?)", text)
    if unknown := [f"%{letter}" for letter in directives if not letter or letter not in _DIRECTIVES]:
        raise ValueError(
            f"{text} has {unknown[0]} | Use %d %m %Y (or %y, %b), %H %M %S, %z, or {ISO}, {UNIX}, {UNIX_MS}"
        )
    if not (set(directives) & set("de") and set(directives) & set("mbB") and set(directives) & set("yY")):
        raise ValueError(
            f"{text} does not say day, month and year | Write it as %d/%m/%Y, with %H:%M where there are hours"
        )
    return text


def _inside(path: str) -> str:
    steps = PurePosixPath(path)
    if not path or steps.is_absolute() or ".." in steps.parts or "\\" in path or ":" in path:
        raise ValueError(f"{path} leaves the folder | Write a path below it, such as exports/*.csv")
    return path


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _typed(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _column_of(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


Zone = Annotated[str, AfterValidator(_known_zone)]
Encoding = Annotated[str, AfterValidator(_known_encoding)]
Format = Annotated[str, AfterValidator(_known_format)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Ambiguous = Literal["refuse", "earlier", "later"]
Mark = Annotated[str, Field(max_length=1)]


class Cells(Options):
    """How a file writes what is not there, and numbers. nulls: texts that mean "unknown", besides an empty cell."""

    nulls: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same sign | Leave out thousands, or change one of them")
        return self


class Csv(Cells):
    """Rows of text, a line with the columns' names first."""

    type: Literal["csv"] = "csv"
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Mark = '"'
    encoding: Encoding = "utf-8"


class JsonLines(Cells):
    """One JSON object a line; what is nested is named with points: `customer.id`."""

    type: Literal["jsonl"] = "jsonl"
    encoding: Encoding = "utf-8"


class Parquet(Cells):
    """A Parquet file; its values are read as text (times in ISO 8601) and so declared like any other's."""

    type: Literal["parquet"] = "parquet"


FileFormat = Annotated[
    Annotated[Csv, Tag("csv")] | Annotated[JsonLines, Tag("jsonl")] | Annotated[Parquet, Tag("parquet")],
    Discriminator(
        lambda form: form.get("type") if isinstance(form, dict) else getattr(form, "type", None),
        custom_error_type="file_format",
        custom_error_message="a format that is not read | Write csv, jsonl or parquet",
    ),
]


class ColumnType(Options):
    """What a column holds. format, zone, ambiguous: of dates and instants; yes, no: of booleans, in any letter case."""

    type: Literal["text", "number", "boolean", "date", "instant"]
    format: Format = ISO
    zone: Zone | None = None
    ambiguous: Ambiguous = "refuse"
    yes: Names = ("true",)
    no: Names = ("false",)


class Moment(Options):
    """A column that says when.

    format: strptime's, or iso, unix, unix_ms. zone: of what has no offset; by default the organisation's. ambiguous:
    which of two instants a local time means that the clock shows twice.
    """

    column: str
    format: Format = ISO
    zone: Zone | None = None
    ambiguous: Ambiguous = "refuse"


class Revision(Moment):
    """When a row became what its thing is. then: a number that orders rows of the same time."""

    then: str | None = None


class Expectation(Options):
    """What every row must satisfy; one of which it is false is set aside, and what its thing said before stays."""

    that: str
    says: str = Field(min_length=1)


class Covers(Options):
    """Which days a reading is complete for.

    from: the first one; without it, whatever is in the files. through: the last one, or up to `reading` (the moment at
    which the files were read: a snapshot's default), `delivery` (when the newest file was written) or `last_event` (the
    last moment that any row tells of: the default of what is appended).
    """

    first: date | None = Field(default=None, alias="from")
    through: date | Literal["reading", "delivery", "last_event"] | None = None


class EventRule(Options):
    """One kind of event that rows are. id: where a stream has two rules of one type.

    once: of all rows with the same subject, the earliest. each_rise_of: a running count; one event for each time that
    it rose, at the time of the row that it rose in; where the count falls again, its last rise to each height stands.
    """

    type: str
    id: str | None = None
    when: str | None = None
    at: Annotated[Moment | None, BeforeValidator(_column_of)] = None
    subject: str
    account: str | None = None
    actor: str | None = None
    amount: str | None = None
    currency: str | None = None
    quantity: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    url: str | None = None
    once: bool = False
    each_rise_of: str | None = None

    @property
    def name(self) -> str:
        """What tells the rule apart within its stream."""
        return self.id or self.type

    @property
    def texts(self) -> dict[str, str]:
        """The expressions that fill columns of the log, by column."""
        said = {
            "subject_id": self.subject,
            "account_id": self.account,
            "actor": self.actor,
            "amount": self.amount,
            "currency": self.currency,
            "quantity": self.quantity,
            "source_url": self.url,
        }
        return {**{column: text for column, text in said.items() if text is not None}, **self.attributes}


class FileStream(Options):
    """One kind of file and the events that its rows are: see the module's description."""

    path: Annotated[str, AfterValidator(_inside)]
    take: Literal["all", "last"] = "all"
    format: Annotated[FileFormat, BeforeValidator(_typed)]
    delivery: Literal["snapshot", "append"]
    key: Annotated[Names, Field(min_length=1)]
    revision: Revision | None = None
    columns: dict[str, Annotated[ColumnType, BeforeValidator(_typed)]] = Field(default_factory=dict)
    personal: Names = ()
    codes: Names = ()
    expect: tuple[Expectation, ...] = ()
    events: Annotated[tuple[EventRule, ...], Field(min_length=1)]
    covers: Covers = Covers()
    late_days: int = Field(default=3, ge=0)
    most_removed: Decimal = Field(default=Decimal("0.5"), ge=0, le=1)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if found := [
            InitErrorDetails(type=PydanticCustomError("value_error", "{told}", {"told": told}), loc=place, input=None)
            for place, told in problems(self)
        ]:
            raise ValidationError.from_exception_data("FileStream", found)
        return self

    @cached_property
    def types(self) -> Columns:
        """The type of each column of the file, declared or not."""
        return Columns({name: DTYPES[column.type] for name, column in self.columns.items()})

    def condition(self, text: str) -> Expression:
        """A predicate over the file's columns. Raises `ExpressionError`."""
        return predicate(text, self.types)

    def value(self, text: str) -> Expression:
        """A value over the file's columns. Raises `ExpressionError`."""
        return scalar(text, self.types)

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Every column that the declaration names, sorted: what is kept of a file."""
        found = set(self.key) | set(self.columns)
        if self.revision is not None:
            found |= {self.revision.column} | ({self.revision.then} if self.revision.then else set())
        for rule in self.events:
            found |= {rule.at.column} if rule.at is not None else set()
            found |= {rule.each_rise_of} if rule.each_rise_of is not None else set()
        for expression in self._expressions():
            found |= set(expression.columns)
        return tuple(sorted(found))

    @cached_property
    def pseudonymised(self) -> frozenset[str]:
        """The columns whose values are turned into pseudonyms as they are read."""
        return frozenset(self.personal).union(self.of_actors - frozenset(self.codes))

    @property
    def of_actors(self) -> frozenset[str]:
        """The columns that say who did it."""
        return frozenset().union(*(self.value(rule.actor).columns for rule in self.events if rule.actor is not None))

    @property
    def grouped_by(self) -> str | None:
        """The subject that `once` counts once; None where nothing is counted once."""
        return next((rule.subject for rule in self.events if rule.once), None)

    @property
    def feeds(self) -> tuple[str, ...]:
        """The event types that the stream's rows are."""
        return tuple(dict.fromkeys(rule.type for rule in self.events))

    def _expressions(self) -> Iterator[Expression]:
        yield from (self.condition(expectation.that) for expectation in self.expect)
        for rule in self.events:
            if rule.when is not None:
                yield self.condition(rule.when)
            yield from (self.value(text) for text in rule.texts.values())


class FilesOptions(Options):
    """A folder of exported files."""

    streams: Annotated[dict[Id, FileStream], Field(min_length=1)]


class Columns(dict[str, pl.DataType]):
    """The types of a file's columns; one that is not declared is text. Which ones there are, only the file says."""

    def __missing__(self, name: str) -> pl.DataType:
        return pl.String()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)


def read_declaration(path: Path) -> FilesOptions:
    """The options in a YAML file of their own. Raises `DeclarationErrors` with its lines."""
    found: list[Problem] = []
    options = parse(read(path.read_text(encoding="utf-8"), str(path)), (), FilesOptions, "files", found)
    if options is None:
        raise DeclarationErrors(found)
    return options
