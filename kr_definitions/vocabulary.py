"""The closed vocabulary: event types, their attributes, and the nearest name to a misspelt one.

Belongs here: reading and asking `vocabulary.yaml`. Does not: the shape of the log (`events`), or any source's words.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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
class Attribute:
    """A declared, typed, nullable column of the log. values: the only ones that it can have; empty: any."""

    name: str
    dtype: pl.DataType
    says: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of fact: `<noun>.<past participle>`."""

    name: str
    says: str
    subject: str
    carries: tuple[str, ...] = ()
    amount: str | None = None
    quantity: str | None = None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every event type and attribute that the log can hold."""

    types: Mapping[str, EventType]
    attributes: Mapping[str, Attribute]

    def columns_of(self, event_type: str) -> dict[str, pl.DataType]:
        """What a filter on events of this type may name: the shared columns and the type's attributes."""
        carried = {name: self.attributes[name].dtype for name in self.types[event_type].carries}
        return {**SHARED_COLUMNS, **carried}

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
        name: Attribute(name, DTYPES[entry["type"]], entry["says"], tuple(entry.get("values", ())))
        for name, entry in content["attributes"].items()
    }
    types = {
        name: EventType(name, **{**entry, "carries": tuple(entry.get("carries", ()))})
        for name, entry in content["types"].items()
    }
    return Vocabulary(types=types, attributes=attributes)
