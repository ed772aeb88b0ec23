"""Words that the models of a declaration share: numbers, lists, event types, unions told apart by their key.

Belongs here: how a value may be written. Does not: what any model means.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field


def listed(value: Any) -> Any:
    """One text, or a list, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number | Write a plain number, such as 10 or 0.9 (a share is between 0 and 1)")
    return Decimal(value)


EventTypes = Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
Number = Annotated[Decimal, BeforeValidator(_number)]


def one_of(what: str, *keys: str) -> Discriminator:
    """Tells the members of a union apart by the one key that each of them has."""

    def tag(value: Any) -> str | None:
        given = value if isinstance(value, dict) else {f.alias or n for n, f in type(value).model_fields.items()}
        return next((key for key in keys if key in given), None)

    return Discriminator(
        tag,
        custom_error_type="which_kind",
        custom_error_message=f"no {what} that is known | Give it one of these keys: {', '.join(keys)}",
    )
