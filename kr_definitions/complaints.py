"""A model's complaints about a document, as lines that a person can act on.

Belongs here: from pydantic's error details to problems with a place, what was found and what to do. Does not: reading
YAML (`documents`), what is right or wrong (the models, `catalogue`).

A model says what is wrong and what to do in one `ValueError`: "what is wrong | What to do".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from kr_definitions.documents import Document, Path, Problem, short
from kr_definitions.vocabulary import nearest

M = TypeVar("M", bound=BaseModel)

Told = tuple[str, str]
"""What was found, and what to do."""

_SHAPES: Mapping[str, Told] = {
    "model_type": ("a mapping was expected", "Write it as key: value"),
    "dict_type": ("a mapping was expected", "Write it as key: value"),
    "list_type": ("a list was expected", "Write each item after a dash, or all of them in [ ]"),
    "tuple_type": ("a list was expected", "Write each item after a dash, or all of them in [ ]"),
    "names": ("a name, or a list of names, was expected", "Write one name, or several in [ ]"),
    "string_type": ("text was expected", "Write text; in quotes where it looks like a number, a day, true or false"),
    "int_type": ("a whole number was expected", "Write it with digits alone"),
    "bool_type": ("true or false was expected", "Write true or false, without quotes"),
    "date_type": ("a day was expected", "Write it as YYYY-MM-DD, without quotes"),
}
_EMPTY: Mapping[str, Told] = {
    "string_too_short": ("an empty text", "Fill it in"),
    "too_short": ("an empty list", "Name at least one"),
}


def parse(document: Document, path: Path, model: type[M], where: str, problems: list[Problem]) -> M | None:
    """The part of a document at `path` as a model; what is wrong with it is added to `problems`, all of it.

    where: whose problem it is; empty: the id that stands nearest above each mistake.
    """
    try:
        content = document.value(path)
        return model.model_validate({} if content is None else content)
    except ValidationError as error:
        found = [(_place_of(document, path, detail), detail) for detail in error.errors(include_url=False)]
        problems += [
            _problem(document, path, place, detail, model, where)
            for place, detail in found
            if not document.is_refused(place) and not _is_echo(document, place, detail)
        ]
        return None


def _is_echo(document: Document, place: Path, detail: ErrorDetails) -> bool:
    """A list is too short for pydantic where its items are wrong, which is told of the items."""
    return detail["type"] == "too_short" and detail["ctx"]["min_length"] == 1 and bool(document.value(place))


def _problem(
    document: Document, path: Path, place: Path, detail: ErrorDetails, model: type[BaseModel], where: str
) -> Problem:
    found, do = _told(document.value(place), detail, model)
    subject = "" if place == path or found.startswith("'") else _spoken(place[-1], detail["type"])
    return document.problem(place, where or _owner(document, place), f"{subject}{found}", do)


def _spoken(step: int | str, kind: str) -> str:
    """The name of what is wrong; a thing in a list that is wrong as a whole has its id to go by."""
    if isinstance(step, str):
        return f"{step}: "
    return "" if kind == "value_error" else f"item {step + 1}: "


def _told(value: Any, detail: ErrorDetails, model: type[BaseModel]) -> Told:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(str(detail["loc"][-1]), _fields_beside(model, detail["loc"]))
    if kind == "missing":
        return f"'{detail['loc'][-1]}' is missing", "Add it"
    if kind == "which_kind":
        what, _, keys = detail["msg"].partition(" | ")
        return _no_kind(value, what, keys.split(", "))
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        likely = nearest(str(value).replace("last_", "previous_"), known, 1)
        do = f"Did you mean '{likely[0]}'?" if likely else "Write one of them"
        return f"none of {', '.join(known)}{_shown(value)}", do
    if kind in _SHAPES:
        expected, do = _SHAPES["names" if kind == "tuple_type" and isinstance(value, int | Decimal) else kind]
        return f"{expected}{_shown(value)}", do
    if kind in _EMPTY:
        return _EMPTY[kind]
    if kind == "string_pattern_mismatch":
        return f"not of the form {detail['ctx']['pattern']}{_shown(value)}", "Correct it"
    if kind == "greater_than":
        (limit,) = detail["ctx"].values()
        return f"not above {limit}{_shown(value)}", f"Give more than {limit}"
    if kind in ("greater_than_equal", "less_than_equal"):
        (limit,) = detail["ctx"].values()
        side, do = ("below", "or more") if kind == "greater_than_equal" else ("above", "or less")
        return f"{side} {limit}{_shown(value)}", f"Give {limit} {do}"
    head, _, do = detail["msg"].removeprefix("Value error, ").partition(" | ")
    return f"{head}{'' if value is None or isinstance(value, dict | list) else _shown(value)}", do or "Correct it"


def _unknown_key(name: str, known: Iterable[str]) -> Told:
    if name.isdigit():  # {value: 5,5} is a value, and a key after the comma
        return f"'{short(name)}' is not known here", "Write decimals with a point, as in 5.5"
    likely = nearest(name, known, 1)
    do = f"Did you mean '{likely[0]}'?" if likely else f"It may have: {', '.join(sorted(known))}"
    return f"'{short(name)}' is not known here", do


def _no_kind(value: Any, what: str, keys: list[str]) -> Told:
    """A union whose members are told apart by a key, where it has none of the keys, or several."""
    if not isinstance(value, dict):
        return (
            f"a mapping was expected{_shown(value)}",
            f"Write it as {{{keys[0]}: …}}, with one of these keys: {', '.join(keys)}",
        )
    given = [key for key in keys if key in value]
    if given:
        return f"more than one kind of {what}: {' and '.join(given)}", "Keep one of them"
    likely = [(key, near[0]) for key in value if (near := nearest(key, keys, 1))]
    if likely:
        return f"no {what} that is known (found '{short(likely[0][0])}')", f"Did you mean '{likely[0][1]}'?"
    return f"no {what} that is known{_shown(value)}", f"Give it one of these keys: {', '.join(keys)}"


def _place_of(document: Document, path: Path, detail: ErrorDetails) -> Path:
    """The path in the document of what pydantic complains of.

    Its location also names what the document has not: members of unions, and the place in a list of an item that is
    written alone. A number is a place in the list that was reached last, never in one further up. A member of a union
    that is wrong as a whole is named as a key of it is: it is told apart by what it holds.
    """
    loc = detail["loc"][:-1] if detail["type"] == "missing" else detail["loc"]
    places = {path: -1}  # with the step of the location that each was reached by
    for i, step in enumerate(loc):
        depth = max(map(len, places)) if isinstance(step, int) else 0
        further = [(*place, step) for place in places if len(place) >= depth]
        places |= {place: i for place in further if place in document.lines}
    found = max(places, key=lambda place: (places[place], len(place)))
    is_whole = isinstance(detail["input"], dict) and not isinstance(document.value(found), dict | list)
    return found[:-1] if is_whole and found != path and detail["type"] == "value_error" else found


def _owner(document: Document, place: Path) -> str:
    """The id that stands nearest above a place."""
    for depth in range(len(place), -1, -1):
        name = document.value((*place[:depth], "id"))
        if isinstance(name, str):
            return name
    return ""


def _fields_beside(model: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    """Names that may stand beside the last step of a location; empty where the model cannot be followed there."""
    kinds: list[Any] = [model]
    for step in loc[:-1]:
        kinds = [inner for kind in kinds for inner in _inside(kind, step)]
    models = [member for kind in kinds for _, member in _members(kind) if _is_model(member)]
    return {field.alias or name for found in models for name, field in found.model_fields.items()}


def _inside(kind: Any, step: int | str) -> Iterator[Any]:
    for tag, member in _members(kind):
        if tag is not None:
            yield from (member,) if tag == step else ()
        elif _is_model(member):
            yield from (
                field.annotation for name, field in member.model_fields.items() if step == (field.alias or name)
            )
        elif get_origin(member) in (tuple, list, dict):
            yield get_args(member)[1 if get_origin(member) is dict else 0]


def _members(kind: Any) -> Iterator[tuple[str | None, Any]]:
    """The alternatives that a type is made of, each with the tag that tells it apart, if it has one."""
    if get_origin(kind) is Annotated:
        inner, *marks = get_args(kind)
        tags = [mark.tag for mark in marks if isinstance(mark, Tag)]
        yield from ((tags[0], inner),) if tags else _members(inner)
    elif get_origin(kind) is Union or kind.__class__.__name__ == "UnionType":
        for member in get_args(kind):
            yield from _members(member)
    else:
        yield None, kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        keys = ", ".join(short(str(key)) for key in list(value)[:4])
        return f" (found a mapping with {keys})" if value else " (found an empty mapping)"
    if isinstance(value, list):
        return " (found a list)"
    if value is None:
        return " (found nothing)"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f" (found '{short(text)}')"
