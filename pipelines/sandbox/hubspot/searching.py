"""HubSpot's search: filter groups, one sort, an index that lags, and the wall at ten thousand results.

Belongs here: which records match, and in what order. Does not: HTTP (`app`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from pipelines.sandbox.hubspot.shown import Shown

MOST_RESULTS = 10_000
MOST_A_PAGE = 200

Value = tuple[int, float, str]
"""A value that can be compared: its kind (a number or an instant, a text), its number, its text."""


class Refused(Exception):
    """The request is one that HubSpot answers with 400."""


def search(records: Iterable[Shown], request: Mapping[str, Any]) -> tuple[int, list[Shown], str | None]:
    """How many match, this page of them, and where the next one begins."""
    limit, after = int(request.get("limit") or 10), int(request.get("after") or 0)
    if not 0 < limit <= MOST_A_PAGE:
        raise Refused(f"limit must be between 1 and {MOST_A_PAGE}")
    if after + limit > MOST_RESULTS:
        raise Refused(f"You cannot page beyond {MOST_RESULTS} results")
    groups = [[_filter(one) for one in group["filters"]] for group in request.get("filterGroups") or ()]
    found = [one for one in records if not groups or any(all(test(one) for test in group) for group in groups)]
    name, is_descending = _sort(request.get("sorts") or ())
    found.sort(key=lambda one: one.id)
    found.sort(key=lambda one: _value_of(one, name) or (2, 0.0, ""), reverse=is_descending)
    following = after + limit
    return len(found), found[after:following], str(following) if following < len(found) else None


def _sort(sorts: Sequence[Any]) -> tuple[str, bool]:
    """One sort, as an object, as an object in a text, or as a name with a minus for the other way round."""
    if len(sorts) > 1:
        raise Refused("only one sort is allowed")
    given = sorts[0] if sorts else {"propertyName": "hs_object_id"}
    if isinstance(given, str) and given.startswith("{"):
        given = orjson.loads(given)
    if isinstance(given, str):
        return given.removeprefix("-"), given.startswith("-")
    return given["propertyName"], given.get("direction", "ASCENDING") == "DESCENDING"


def _filter(given: Mapping[str, Any]) -> Callable[[Shown], bool]:
    name, operator = given["propertyName"], given["operator"]
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return lambda one: (name in one.properties) == (operator == "HAS_PROPERTY")
    if operator in ("IN", "NOT_IN"):
        values = [_value(value) for value in given["values"]]
        return lambda one: (_value_of(one, name) in values) == (operator == "IN")
    wanted = _value(given["value"])
    if operator == "BETWEEN":
        high = _value(given["highValue"])
        return lambda one: (value := _value_of(one, name)) is not None and wanted <= value <= high
    compare = _COMPARE.get(operator)
    if compare is None:
        raise Refused(f"{operator} is not an operator")
    return lambda one: (value := _value_of(one, name)) is not None and compare(value, wanted)


_COMPARE: Mapping[str, Callable[[Value, Value], bool]] = {
    "EQ": lambda a, b: a == b,
    "NEQ": lambda a, b: a != b,
    "GT": lambda a, b: a > b,
    "GTE": lambda a, b: a >= b,
    "LT": lambda a, b: a < b,
    "LTE": lambda a, b: a <= b,
}


def _value_of(one: Shown, name: str) -> Value | None:
    if name == "hs_object_id":
        return 0, one.id, ""
    if name in ("lastmodifieddate", "hs_lastmodifieddate"):
        return 0, int(one.modified_at.timestamp() * 1000), ""
    text = one.properties.get(name)
    return None if text is None else _value(text)


def _value(text: str) -> Value:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return 0, float(text), ""
    try:
        return 0, round(datetime.fromisoformat(text).timestamp() * 1000), ""
    except ValueError:
        return 1, 0.0, text.casefold()
