"""What an organisation says of rows: what identifies one, which events they are, and whom they are about.

Belongs here: the part of a stream's declaration that is the same wherever its rows come from. Does not: where they
come from (`pipelines.files.declaration`, `pipelines.sql.declaration`), what is wrong with a stream as a whole
(`checks`), or what a cell says (`cells`).

Whatever says something of a row (`when`, `while`, `subject`, `account`, `actor`, `amount`, `currency`, `quantity`,
`url`, attributes, `that`) is an expression of the closed language over the rows' columns, which are text unless
`columns` says otherwise. Only columns that are named anywhere here are kept; those named in `personal`, and those of
an `actor`, are turned into pseudonyms as they are read. `codes` names the columns of an actor that hold another
system's code of somebody (their number in the CRM) and nothing else: kept as it is, it is who that system's events are
by, and so what somebody did in both can be joined.

Where the rows of one key are the successive states of one thing, put in order by `revision`, its events are those of
its last row, and besides:

* `each_rise_of` finds the rows at which a running count rose;
* `each_change_of` finds those at which a column came to say something else than before, the first row included;
* `while` is a state that holds now, since it came to hold: a deal that is won, and no longer one that was put back;
* `once` is the first row that `when` holds of.

Of these last three the time is the row's unless `at` names another, what is said of an event is what its row said
(where nothing had been entered by then, what was entered first), and only the amount and the quantity of a `while` are
the ones in force now, so that a corrected amount corrects the sale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from kr_definitions.expressions import Expression, predicate, scalar
from kr_definitions.organisation import zones
from kr_definitions.vocabulary import DTYPES
from pipelines.rows.checks import Found, problems
from pipelines.source import Options

ISO = "iso"
UNIX = "unix"
UNIX_MS = "unix_ms"
_DIRECTIVES = "aAbBdefHIjmMpSTyYzZ%"


def _known_zone(name: str) -> str:
    if name not in zones():
        raise ValueError(f"{name} is not a time zone | Use an IANA name such as Europe/Madrid")
    return name


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


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def typed(value: Any) -> Any:
    """`number` for `{type: number}`."""
    return {"type": value} if isinstance(value, str) else value


def column_of(value: Any) -> Any:
    """`opened_at` for `{column: opened_at}`."""
    return {"column": value} if isinstance(value, str) else value


Zone = Annotated[str, AfterValidator(_known_zone)]
Format = Annotated[str, AfterValidator(_known_format)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]
Ambiguous = Literal["refuse", "earlier", "later"]


class Cells(Options):
    """How rows write what is not there, and numbers. nulls: texts that mean "unknown", besides an empty cell."""

    nulls: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same sign | Leave out thousands, or change one of them")
        return self

    @property
    def is_handwritten(self) -> bool:
        """Whether 1.200 may be twelve hundred: numbers were typed by people, and nobody said which signs they use."""
        return False


class Handwritten(Cells):
    """Cells that people may have typed.

    notes: what the first cell begins with, such as #, of a row that says nothing but to people: it stands alone in its
    row. A row that has anything in another cell is none, as an identity may begin so too (#001).
    """

    notes: str = Field(default="", max_length=3)

    def is_note(self, first: object, others: Iterable[object]) -> bool:
        """Whether a row is one, by its first cell and what its other cells say."""
        begins_so = bool(self.notes) and str(first or "").lstrip().startswith(self.notes)
        return begins_so and not any(str(other).strip() for other in others)

    @property
    def is_handwritten(self) -> bool:
        return not {"decimal", "thousands"} & self.model_fields_set


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


class Flag(Options):
    """A column that says yes or no: a boolean, a number, a word in any letter case; or a time, which says yes."""

    column: str
    yes: Names = ("true", "t", "yes", "y", "1")
    no: Names = ("false", "f", "no", "n", "0")


Flagging = Annotated[Flag, BeforeValidator(column_of)]


class Versions(Options):
    """A row for each version of a thing: what it was from its revision on.

    to: until when; empty, or in the distant future, where it still is so. A thing whose last version has ended is
    gone, as is one whose last version says so in deleted.
    """

    type: Literal["versions"] = "versions"
    to: str | None = None
    deleted: Flagging | None = None


class History(Options):
    """A row for each change of one field of a thing.

    field: the column that names it. value: the column that says what it became. fields: those that are read; each of
    them is then a column of its own. saved_together_seconds: how soon after each other several fields may have been
    written for it to be one save.
    """

    type: Literal["history"] = "history"
    field: str
    value: str
    fields: Annotated[Names, Field(min_length=1)]
    saved_together_seconds: float = Field(default=0, ge=0, le=3600)


class Expectation(Options):
    """What every row must satisfy; one of which it is false is set aside, and what its thing said before stays."""

    that: str
    says: str = Field(min_length=1)


class EventRule(Options):
    """One kind of event that rows are. id: where a stream has two rules of one type.

    once: of all rows with the same subject, the earliest; where rows are states of one thing, its first. each_rise_of:
    a running count; one event for each time that it rose, at the time of the row that it rose in; where the count falls
    again, its last rise to each height stands. each_change_of, while: see the module's description.
    """

    type: str
    id: str | None = None
    when: str | None = None
    at: Annotated[Moment | None, BeforeValidator(column_of)] = None
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
    each_change_of: Names = ()
    standing: str | None = Field(default=None, alias="while")

    @property
    def name(self) -> str:
        """What tells the rule apart within its stream."""
        return self.id or self.type

    @property
    def condition(self) -> str | None:
        """What holds of the rows that it is about."""
        return self.when if self.standing is None else self.standing

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


class Covers(Options):
    """Which days a reading is complete for. from: the first one; without it, whatever there is."""

    first: date | None = Field(default=None, alias="from")


class RowStream(Options):
    """Rows of one kind and the events that they are: see the module's description."""

    key: Annotated[Names, Field(min_length=1)]
    revision: Annotated[Revision | None, BeforeValidator(column_of)] = None
    columns: dict[str, Annotated[ColumnType, BeforeValidator(typed)]] = Field(default_factory=dict)
    personal: Names = ()
    codes: Names = ()
    expect: tuple[Expectation, ...] = ()
    events: Annotated[tuple[EventRule, ...], Field(min_length=1)]
    late_days: int = Field(default=3, ge=0)
    most_removed: Decimal = Field(default=Decimal("0.5"), ge=0, le=1)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if found := [
            InitErrorDetails(type=PydanticCustomError("value_error", "{told}", {"told": told}), loc=place, input=None)
            for place, told in self.problems()
        ]:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self

    def problems(self) -> list[Found]:
        """Everything that is wrong with the declaration as a whole."""
        return problems(self)

    @property
    def cells(self) -> Cells:
        """How its cells are written."""
        return Cells()

    @property
    def states(self) -> Revision | None:
        """What puts the rows of one key in order, where they are the successive states of one thing."""
        return self.revision

    @property
    def versions(self) -> Versions | None:
        """How its rows are versions of things, where they are and may say that one is gone."""
        return None

    @property
    def history(self) -> History | None:
        """How its rows are changes of single fields, where they are."""
        return None

    @cached_property
    def types(self) -> Columns:
        """The type of each column of the rows, declared or not."""
        return Columns({name: DTYPES[column.type] for name, column in self.columns.items()})

    def condition(self, text: str) -> Expression:
        """A predicate over the rows' columns. Raises `ExpressionError`."""
        return predicate(text, self.types)

    def value(self, text: str) -> Expression:
        """A value over the rows' columns. Raises `ExpressionError`."""
        return scalar(text, self.types)

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Every column that the declaration names, sorted: what is kept of a row."""
        found = set(self.key) | set(self.columns)
        if self.revision is not None:
            found |= {self.revision.column} | ({self.revision.then} if self.revision.then else set())
        for rule in self.events:
            found |= {rule.at.column} if rule.at is not None else set()
            found |= {rule.each_rise_of} if rule.each_rise_of is not None else set()
            found |= set(rule.each_change_of)
        for expression in self._expressions():
            found |= set(expression.columns)
        if self.history is not None:
            found |= {self.history.field, *self.history.fields}
        if self.versions is not None:
            found |= {self.versions.to} if self.versions.to is not None else set()
            found |= {self.versions.deleted.column} if self.versions.deleted is not None else set()
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
        """The subject that `once` counts once; None where nothing is counted once, or each thing by itself."""
        return None if self.states else next((rule.subject for rule in self.events if rule.once), None)

    @property
    def feeds(self) -> tuple[str, ...]:
        """The event types that the stream's rows are."""
        return tuple(dict.fromkeys(rule.type for rule in self.events))

    def _expressions(self) -> Iterator[Expression]:
        yield from (self.condition(expectation.that) for expectation in self.expect)
        for rule in self.events:
            yield from (self.condition(text) for text in (rule.when, rule.standing) if text is not None)
            yield from (self.value(text) for text in rule.texts.values())


class Columns(dict[str, pl.DataType]):
    """The types of the rows' columns; one that is not declared is text. Which ones there are, only the rows say."""

    def __missing__(self, name: str) -> pl.DataType:
        return pl.String()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)
