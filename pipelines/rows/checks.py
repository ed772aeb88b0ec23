"""What can be wrong with the declaration of a stream as a whole, before any row is seen.

Belongs here: rules between the parts of a declaration. Does not: the shape of each part (`declaration`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kr_definitions.events import RESERVED
from kr_definitions.expressions import Expression, ExpressionError
from kr_definitions.vocabulary import DTYPES, EventType, nearest, vocabulary

if TYPE_CHECKING:
    from pipelines.rows.declaration import EventRule, RowStream

Found = tuple[tuple[str | int, ...], str]
"""Where in the declaration, and "what is wrong | What to do"."""

_FIELDS = {"subject_id": "subject", "account_id": "account", "source_url": "url"}
"""What a column of the log is called in a declaration, where it is called something else."""


def problems(stream: RowStream) -> list[Found]:
    """Everything that is wrong with a stream, the expressions first: the rest asks what they say."""
    return list(_in_expressions(stream)) or [
        *_in_names(stream),
        *_in_order(stream),
        *(found for index, rule in enumerate(stream.events) for found in _in_rule(stream, index, rule)),
        *_in_codes(stream),
        *_about_people(stream),
    ]


def _in_expressions(stream: RowStream) -> Iterator[Found]:
    conditions: list[Found] = [(("expect", index, "that"), one.that) for index, one in enumerate(stream.expect)]
    values: list[Found] = []
    for index, rule in enumerate(stream.events):
        conditions += _conditions(index, rule)
        values += [(_place(index, rule, column), text) for column, text in rule.texts.items()]
    for compiled, texts in ((stream.condition, conditions), (stream.value, values)):
        for place, text in texts:
            try:
                compiled(text)
            except ExpressionError as error:
                yield place, f"{error.found}, at character {error.position} | {error.do}"


def _in_names(stream: RowStream) -> Iterator[Found]:
    names = [rule.name for rule in stream.events]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("events", index), f"two rules are called {name} | Give one of them an id"
    for name in stream.used:
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            yield (), f"the column {name} is called like a pattern | Rename it where it is exported"
    if stream.states is None and len({rule.subject for rule in stream.events if rule.once}) > 1:
        yield ("events",), "rules that count once have different subjects | Put them in streams of their own"


def _in_order(stream: RowStream) -> Iterator[Found]:
    revision = stream.revision
    if revision is None:
        return
    if revision.then is not None and stream.types[revision.then] != DTYPES["number"]:
        yield ("revision", "then"), f"{revision.then} is text | Declare it under columns as a number"
    if stream.types[revision.column] not in (DTYPES["text"], DTYPES["instant"]):
        yield ("revision", "column"), f"{revision.column} is no time | Name a column that is text or an instant"


def _in_rule(stream: RowStream, index: int, rule: EventRule) -> Iterator[Found]:
    types = {name: kind for name, kind in vocabulary().types.items() if name not in RESERVED}
    if rule.type not in types:
        close = nearest(rule.type, types) or sorted(types)
        yield ("events", index, "type"), f"there is no event {rule.type} | Choose {' or '.join(close)}"
        return
    yield from _in_time(stream, index, rule)
    yield from _in_columns(stream, index, rule, types[rule.type])


def _in_time(stream: RowStream, index: int, rule: EventRule) -> Iterator[Found]:
    yield from _in_changes(stream, index, rule)
    if rule.at is None:
        if not is_of_states(rule) or (rule.once and stream.states is None):
            yield ("events", index), f"{rule.name} has no time | Name in at the column that says when it happened"
        return
    kind = stream.types[rule.at.column]
    if kind not in (DTYPES["text"], DTYPES["date"], DTYPES["instant"]):
        yield ("events", index, "at"), f"{rule.at.column} is {kind} | Name a column that is text, date or instant"
    elif kind != DTYPES["text"] and rule.at.model_fields_set != {"column"}:
        yield ("events", index, "at"), f"{rule.at.column} has its format under columns | Say it in one place"


def is_of_states(rule: EventRule) -> bool:
    """Whether a rule looks at how the rows of one thing follow each other."""
    return bool(rule.once or rule.each_rise_of or rule.each_change_of or rule.standing)


def _in_changes(stream: RowStream, index: int, rule: EventRule) -> Iterator[Found]:
    said = {"each_rise_of": rule.each_rise_of, "each_change_of": rule.each_change_of, "while": rule.standing}
    named = [name for name, value in said.items() if value]
    if not named:
        return
    place = ("events", index, named[0])
    if stream.states is None:
        yield place, "there is no revision | Say with revision what orders the rows of one key"
    if rule.once or len(named) > 1:
        both = " and ".join((*named, *(["once"] if rule.once else [])))
        yield place, f"{both} together | Each of them says how rows are counted: leave one of them"
    if rule.at is not None and rule.standing is None:
        yield place, f"{named[0]} has at beside it | It happens when its row was written: leave out at"
    if rule.when is not None and rule.standing is not None:
        yield place, "while has when beside it | Put both into one condition, with AND"
    if rule.each_rise_of is not None and stream.types[rule.each_rise_of] != DTYPES["number"]:
        yield place, f"{rule.each_rise_of} is text | Declare it under columns as a number"


def _in_columns(stream: RowStream, index: int, rule: EventRule, event_type: EventType) -> Iterator[Found]:
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


def _in_codes(stream: RowStream) -> Iterator[Found]:
    for name in stream.codes:
        if name in stream.personal or name not in stream.of_actors:
            yield ("codes",), f"{name} is personal, or says of nothing who did it | Leave it out here, or there"


def _about_people(stream: RowStream) -> Iterator[Found]:
    """A pseudonym can be told from another one and counted; whatever looks into one is a mistake."""
    for name in sorted(stream.pseudonymised.intersection(stream.columns)):
        yield ("columns", name), f"{name} is personal, and so becomes a pseudonym, which is text | Leave it out here"
    looked_at: list[tuple[tuple[str | int, ...], Expression]] = [
        (("expect", index, "that"), stream.condition(one.that)) for index, one in enumerate(stream.expect)
    ]
    for index, rule in enumerate(stream.events):
        looked_at += [(place, stream.condition(text)) for place, text in _conditions(index, rule)]
        for column, text in rule.texts.items():
            if column not in ("subject_id", "account_id", "actor"):
                looked_at.append((_place(index, rule, column), stream.value(text)))
    for place, expression in looked_at:
        for name in sorted(stream.pseudonymised.intersection(expression.columns)):
            quoted = '"' + name.replace('"', '""') + '"'
            if quoted in expression.normal_form.replace(f"{quoted} IS NULL", ""):
                yield place, f"it looks into {name}, which is personal | Ask only whether it IS NULL"


def _conditions(index: int, rule: EventRule) -> list[tuple[tuple[str | int, ...], str]]:
    said = {"when": rule.when, "while": rule.standing}
    return [(("events", index, name), text) for name, text in said.items() if text is not None]


def _place(index: int, rule: EventRule, column: str) -> tuple[str | int, ...]:
    if column in rule.attributes:
        return ("events", index, "attributes", column)
    return ("events", index, _FIELDS.get(column, column))
