"""Words that the models of a declaration share: numbers, lists, event types, unions told apart by their key.

Belongs here: how a value may be written. Does not: what any model means.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, WithJsonSchema

from kr_definitions.events import RESERVED
from kr_definitions.vocabulary import SHARED_COLUMNS, vocabulary


def like(pattern: str) -> WithJsonSchema:
    """What an editor is told of a text: the pattern that all of it matches."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def listed(value: Any) -> Any:
    """One text, or a list, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"not a number | {_as_a_number(value)}")
    return Decimal(value)


def _as_a_number(value: Any) -> str:
    """How to write what is not a number but looks like one."""
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"[-+]?\d+(\.\d+)?", text):
        return f"Write it without quotes: {text}"
    if re.fullmatch(r"[-+]?\d+,\d+", text):
        return f"Decimals have a point: {text.replace(',', '.')}"
    if re.fullmatch(r"[-+]?\d+([.,]\d+)?\s?%", text):
        return "A share is between 0 and 1: write 0.9 for 90 %"
    return "Write a plain number, such as 10 or 0.9 (a share is between 0 and 1)"


def _span_of_days(value: Any) -> Any:
    found = re.fullmatch(r"([1-9][0-9]{0,3}) days?", str(value))
    if not found:
        raise ValueError("not a number of days | Write it as in '90 days'")
    return int(found[1])


_TYPE = {"type": "string", "enum": sorted({*vocabulary().types} - {*RESERVED})}  # so that an editor completes them
_COLUMNS = {**SHARED_COLUMNS, **vocabulary().attribute_schema()}
_TEXTS = [name for name, dtype in _COLUMNS.items() if dtype == pl.String]

EventType = Annotated[str, WithJsonSchema(_TYPE)]
EventTypes = Annotated[
    tuple[str, ...],
    BeforeValidator(listed),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [_TYPE, {"type": "array", "items": _TYPE, "minItems": 1}]}),
]
Column = Annotated[str, WithJsonSchema({"type": "string", "enum": sorted(_COLUMNS)})]
TextColumn = Annotated[str, WithJsonSchema({"type": "string", "enum": sorted(_TEXTS)})]
NumberColumn = Literal["amount", "quantity", "score", "attended_share"]
"""A column of the log that holds a number."""

Days = Annotated[
    int,
    BeforeValidator(_span_of_days),
    PlainSerializer(lambda days: f"{days} days", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3} days?$"}),
]
Number = Annotated[Decimal, BeforeValidator(_number)]

MICROSECONDS = {"minutes": 60_000_000, "hours": 3_600_000_000, "days": 86_400_000_000}
"""Of the units that an elapsed time is written in."""


def _elapsed(value: Any) -> Any:
    found = re.fullmatch(r"([1-9][0-9]{0,3}) (minute|hour|day)s?", str(value))
    if not found:
        raise ValueError("not a length of time | Write it as in '5 minutes', '4 hours' or '30 days'")
    return timedelta(microseconds=int(found[1]) * MICROSECONDS[f"{found[2]}s"])


def length(span: timedelta) -> str:
    """A length of time in the largest unit that it is whole in."""
    for unit in ("days", "hours", "minutes"):
        count, rest = divmod(round(span.total_seconds() * 1_000_000), MICROSECONDS[unit])
        if not rest:
            break
    return f"{count} {unit if count != 1 else unit[:-1]}"


Elapsed = Annotated[
    timedelta,
    BeforeValidator(_elapsed),
    PlainSerializer(length, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3} (minute|hour|day)s?$"}),
]


def one_of(what: str, *keys: str) -> Discriminator:
    """Tells the members of a union apart by the one key that each of them has.

    Its error's message is `what | key, key, …`, for `complaints` to put into words.
    """

    def tag(value: Any) -> str | None:
        fields = getattr(type(value), "model_fields", {})
        names = value if isinstance(value, dict) else {field.alias or name for name, field in fields.items()}
        given = [key for key in keys if key in names]
        return given[0] if len(given) == 1 else None

    return Discriminator(
        tag,
        custom_error_type="which_kind",
        custom_error_message=f"{what} | {', '.join(keys)}",
    )
