"""What can be wrong with the declaration of a stream as a whole, before any file is seen.

Belongs here: rules between the parts of a declaration. Does not: the shape of each part (`declaration`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kr_definitions.events import RESERVED
from kr_definitions.expressions import Expression, ExpressionError
from kr_definitions.vocabulary import DTYPES, EventType, nearest, vocabulary

if TYPE_CHECKING:
    from pipelines.files.declaration import EventRule, FileStream

Found = tuple[tuple[str | int, ...], str]
"""Where in the declaration, and "what is wrong | What to do"."""

_FIELDS = {"subject_id": "subject", "account_id": "account", "source_url": "url"}
"""What a column of the log is called in a declaration, where it is called something else."""


def problems(stream: FileStream) -> list[Found]:
    """Everything that is wrong with a stream, the expressions first: the rest asks what they say."""
    return list(_in_expressions(stream)) or [
        *_in_names(stream),
        *_in_order(stream),
        *(found for index, rule in enumerate(stream.events) for found in _in_rule(stream, index, rule)),
        *_in_codes(stream),
        *_about_people(stream),
    ]


def _in_expressions(stream: FileStream) -> Iterator[Found]:
    conditions: list[Found] = [(("expect", index, "that"), one.that) for index, one in enumerate(stream.expect)]
    values: list[Found] = []
    for index, rule in enumerate(stream.events):
        if rule.when is not None:
            conditions.append((("events", index, "when"), rule.when))
        values += [(_place(index, rule, column), text) for column, text in rule.texts.items()]
    for compiled, texts in ((stream.condition, conditions), (stream.value, values)):
        for place, text in texts:
            try:
                compiled(text)
            except ExpressionError as error:
                yield place, f"{error.found}, at character {error.position} | {error.do}"


def _in_names(stream: FileStream) -> Iterator[Found]:
    names = [rule.name for rule in stream.events]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("events", index), f"two rules are called {name} | Give one of them an id"
    for name in stream.used:
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            yield (), f"the column {name} is called like a pattern | Rename it where it is exported"
    if len({rule.subject for rule in stream.events if rule.once}) > 1:
        yield ("events",), "rules that count once have different subjects | Put them in streams of their own"


def _in_order(stream: FileStream) -> Iterator[Found]:
    revision = stream.revision
    if revision is None:
        return
    if revision.then is not None and stream.types[revision.then] != DTYPES["number"]:
        yield ("revision", "then"), f"{revision.then} is text | Declare it under columns as a number"
    if stream.types[revision.column] not in (DTYPES["text"], DTYPES["instant"]):
        yield ("revision", "column"), f"{revision.column} is no time | Name a column that is text or an instant"
    if stream.grouped_by is not None:
        yield ("revision",), "once and revision together | The rows of one key are one thing already: leave out once"


def _in_rule(stream: FileStream, index: int, rule: EventRule) -> Iterator[Found]:
    types = {name: kind for name, kind in vocabulary().types.items() if name not in RESERVED}
    if rule.type not in types:
        close = nearest(rule.type, types) or sorted(types)
        yield ("events", index, "type"), f"there is no event {rule.type} | Choose {' or '.join(close)}"
        return
    yield from _in_time(stream, index, rule)
    yield from _in_columns(stream, index, rule, types[rule.type])


def _in_time(stream: FileStream, index: int, rule: EventRule) -> Iterator[Found]:
    if rule.each_rise_of is not None:
        yield from _in_rise(stream, index, rule, rule.each_rise_of)
    elif rule.at is None:
        yield ("events", index), f"{rule.name} has no time | Name in at the column that says when it happened"
    else:
        kind = stream.types[rule.at.column]
        if kind not in (DTYPES["text"], DTYPES["date"], DTYPES["instant"]):
            yield ("events", index, "at"), f"{rule.at.column} is {kind} | Name a column that is text, date or instant"
        elif kind != DTYPES["text"] and rule.at.model_fields_set != {"column"}:
            yield ("events", index, "at"), f"{rule.at.column} has its format under columns | Say it in one place"


def _in_rise(stream: FileStream, index: int, rule: EventRule, column: str) -> Iterator[Found]:
    place = ("events", index, "each_rise_of")
    if stream.revision is None:
        yield place, "there is no revision | Say with revision what orders the rows of one key"
    if rule.at is not None or rule.once:
        yield place, "it has at or once beside it | A rise happens when its row was written: leave them out"
    if stream.types[column] != DTYPES["number"]:
        yield place, f"{column} is text | Declare it under columns as a number"


def _in_columns(stream: FileStream, index: int, rule: EventRule, event_type: EventType) -> Iterator[Found]:
    for name in ("amount", "quantity"):
        if getattr(rule, name) is not None and getattr(event_type, name) is None:
            yield ("events", index, name), f"{rule.type} has no {name} | Leave it out"
    if (rule.amount is None) != (rule.currency is None):
        yield ("events", index), "amount and currency go together | Name both; a fixed currency is \"'EUR'\""
    wanted = {"amount": DTYPES["number"], "quantity": DTYPES["number"]}
    for name in rule.attributes:
        if name not in event_type.carries:
            close = nearest(name, event_type.carries) or event_type.carries or ("nothing",)
            yield _place(index, rule, name), f"{rule.type} has no attribute {name} | It may say {' or '.join(close)}"
        else:
            wanted[name] = vocabulary().attributes[name].dtype
    for column, text in rule.texts.items():
        found = stream.value(text).dtype
        if found != wanted.get(column, DTYPES["text"]):
            needed = wanted.get(column, DTYPES["text"])
            do = f"{needed} is needed: declare the types of its columns under columns"
            yield _place(index, rule, column), f"it is {found} | {do}"


def _in_codes(stream: FileStream) -> Iterator[Found]:
    for name in stream.codes:
        if name in stream.personal or name not in stream.of_actors:
            yield ("codes",), f"{name} is personal, or says of nothing who did it | Leave it out here, or there"


def _about_people(stream: FileStream) -> Iterator[Found]:
    """A pseudonym can be told from another one and counted; whatever looks into one is a mistake."""
    for name in sorted(stream.pseudonymised.intersection(stream.columns)):
        yield ("columns", name), f"{name} is personal, and so becomes a pseudonym, which is text | Leave it out here"
    looked_at: list[tuple[tuple[str | int, ...], Expression]] = [
        (("expect", index, "that"), stream.condition(one.that)) for index, one in enumerate(stream.expect)
    ]
    for index, rule in enumerate(stream.events):
        if rule.when is not None:
            looked_at.append((("events", index, "when"), stream.condition(rule.when)))
        for column, text in rule.texts.items():
            if column not in ("subject_id", "account_id", "actor"):
                looked_at.append((_place(index, rule, column), stream.value(text)))
    for place, expression in looked_at:
        for name in sorted(stream.pseudonymised.intersection(expression.columns)):
            quoted = '"' + name.replace('"', '""') + '"'
            if quoted in expression.normal_form.replace(f"{quoted} IS NULL", ""):
                yield place, f"it looks into {name}, which is personal | Ask only whether it IS NULL"


def _place(index: int, rule: EventRule, column: str) -> tuple[str | int, ...]:
    if column in rule.attributes:
        return ("events", index, "attributes", column)
    return ("events", index, _FIELDS.get(column, column))
