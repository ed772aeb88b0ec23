"""The closed vocabulary: event types, their attributes, what columns can hold, the nearest name to a misspelt one.

Belongs here: reading and asking `vocabulary.yaml`. Does not: the shape of the log (`events`), or any source's words.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import yaml

UTC_MICROSECONDS = pl.Datetime("us", "UTC")
DECIMAL = pl.Decimal(38, 6)
DTYPES: Mapping[str, pl.DataType] = {
    "text": pl.String(),
    "number": DECIMAL,
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "instant": UTC_MICROSECONDS,
}

# Columns of the envelope that a declared filter, dimension or measure may name, beside the type's own attributes.
SHARED_COLUMNS: Mapping[str, pl.DataType] = {
    "source": pl.String(),
    "subject_id": pl.String(),
    "account_id": pl.String(),
    "actor": pl.String(),
    "occurred_at": UTC_MICROSECONDS,
    "amount": DECIMAL,
    "currency": pl.String(),
    "quantity": DECIMAL,
}


@dataclass(frozen=True, slots=True)
class Domain:
    """What a column can hold: one of `values`, where there are any, from `least` to `most`, both included.

    is_nullable: or nothing.
    """

    values: tuple[str, ...] = ()
    least: Any = None
    most: Any = None
    is_nullable: bool = True

    @property
    def ends(self) -> tuple[Any, ...]:
        """Those of `least` and `most` that there are."""
        return tuple(end for end in (self.least, self.most) if end is not None)

    def holds(self, value: Any) -> bool:
        """Whether a value (not null) is one that the column can hold."""
        is_one = not self.values or value in self.values
        return is_one and (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


ANYTHING = Domain()

# What the envelope's columns hold, where it is not any value: a log without these is refused when it is loaded.
_ALWAYS_THERE = Domain(is_nullable=False)
_SHARED_DOMAINS: Mapping[str, Domain] = {
    "source": _ALWAYS_THERE,
    "subject_id": _ALWAYS_THERE,
    "occurred_at": _ALWAYS_THERE,
    "quantity": Domain(least=Decimal(0)),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """A declared, typed, nullable column of the log. unit: of a number; without one, each event type has its own."""

    name: str
    dtype: pl.DataType
    says: str
    domain: Domain = ANYTHING
    unit: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The only values that it can have; empty: any."""
        return self.domain.values


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of fact: `<noun>.<past participle>`.

    amount, quantity: what they hold. unit: the quantity's. restates: the one of them that says anew what its subject
    has, in place of what was said before.
    """

    name: str
    says: str
    subject: str
    carries: tuple[str, ...] = ()
    amount: str | None = None
    quantity: str | None = None
    unit: str | None = None
    restates: str | None = None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every event type and attribute that the log can hold."""

    types: Mapping[str, EventType]
    attributes: Mapping[str, Attribute]

    def columns_of(self, event_type: str) -> dict[str, pl.DataType]:
        """What a filter on events of this type may name: the shared columns and the type's attributes."""
        carried = {name: self.attributes[name].dtype for name in self.types[event_type].carries}
        return {**SHARED_COLUMNS, **carried}

    def domain_of(self, column: str) -> Domain:
        """What a column of the log can hold."""
        if (attribute := self.attributes.get(column)) is not None:
            return attribute.domain
        return _SHARED_DOMAINS.get(column, ANYTHING)

    def unit_of(self, event_type: str, column: str) -> str | None:
        """What a number of events of this type is counted in; None where they have a scale of their own."""
        if column == "amount":
            return "money"
        return self.types[event_type].unit if column == "quantity" else self.attributes[column].unit

    def attribute_schema(self) -> dict[str, pl.DataType]:
        """Column of the log -> Polars type, in the vocabulary's order."""
        return {attribute.name: attribute.dtype for attribute in self.attributes.values()}


def nearest(name: str, known: Iterable[str], most: int = 3, alike: float = 0.5) -> list[str]:
    """The known names that look most like `name`, best first; empty when none is `alike` (0 to 1)."""
    return difflib.get_close_matches(name, list(known), n=most, cutoff=alike)


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary as shipped, read once."""
    text = Path(__file__).with_name("vocabulary.yaml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    attributes = {
        name: Attribute(name, DTYPES[entry["type"]], entry["says"], _domain(entry), entry.get("unit"))
        for name, entry in content["attributes"].items()
    }
    types = {
        name: EventType(name, **{**entry, "carries": tuple(entry.get("carries", ()))})
        for name, entry in content["types"].items()
    }
    return Vocabulary(types=types, attributes=attributes)


def _domain(entry: Mapping[str, Any]) -> Domain:
    least, most = (Decimal(end) for end in entry["from_to"]) if "from_to" in entry else (None, None)
    return Domain(tuple(entry.get("values", ())), least, most)
