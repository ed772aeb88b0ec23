"""Rules about sources: that what a key result asks of events is something that a source says of them.

Belongs here: columns that no source fills, and values that none has. Does not: events that none states (`measured`), or
what a source is told (`pipelines`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kr_definitions import conditions
from kr_definitions.documents import Path, Problem, short
from kr_definitions.expressions import ExpressionError, predicate
from kr_definitions.measures import Measured
from kr_definitions.measures.selection import columns_of
from kr_definitions.rules.anatomy import keys_of, numbers_of
from kr_definitions.rules.base import Declarations, Fed, Rules, StatedKeyResult, into
from kr_definitions.vocabulary import SHARED_COLUMNS, Domain, vocabulary

RULES: Rules = {}
_rule = into(RULES)

_ALWAYS_THERE = frozenset({"source", "subject_id", "occurred_at"})


@_rule("sources.columns", "warning", "Some source says what a key result asks of the events that it is about.")
def _columns(declarations: Declarations) -> Iterator[Problem]:
    if declarations.fed is None:
        return
    for stated in declarations.key_results:
        told: set[tuple[str, str]] = set()
        for path, columns, types in _asked(stated):
            known = [name for name in types if name in declarations.fed]
            for column in columns:
                lacking = not any(column in declarations.fed[name] for name in known)
                if known and lacking and column not in _ALWAYS_THERE and (" ".join(known), column) not in told:
                    told.add((" ".join(known), column))
                    found = f"no source says the {column} of {' or '.join(known)}, so that it is always empty"
                    do = "Let a source of organisation.yaml say it, or ask for something else"
                    yield stated.problem(path, found, do)


def _asked(stated: StatedKeyResult) -> Iterator[tuple[Path, tuple[str, ...], tuple[str, ...]]]:
    """Each place that asks for columns of events of some types: in one of the types they have to be."""
    for place, measure in stated.measures():
        for path, text, types in measure.filters():
            yield (*place, *path), _columns_in(text, types), types
        for path, column, types in (*keys_of(measure), *numbers_of(measure)):
            yield (*place, *path), (column,), types
    each = stated.content.each
    if each is not None:
        yield ("each", "dimension"), (each.dimension,), stated.content.main.types


def _columns_in(text: str, types: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return predicate(text, columns_of(types)).columns if text.strip() else ()
    except ExpressionError:  # told as one of the language
        return ()


@_rule("sources.values", "warning", "Some source has events of the values that a key result asks for.")
def _values(declarations: Declarations) -> Iterator[Problem]:
    if declarations.fed is None:
        return
    for stated in declarations.key_results:
        for place, measure in stated.measures():
            yield from _without_events(stated, place, measure, declarations.fed)
        yield from _without_member(stated, declarations.fed)


def _without_member(stated: StatedKeyResult, fed: Fed) -> Iterator[Problem]:
    each, said = stated.content.each, _domains(stated.content.main.types, fed)
    if each is None or each.dimension not in said:
        return
    values = said[each.dimension].values
    missing = [f"'{short(member)}'" for member in each.members or () if member not in values]
    if missing:
        found = f"no source has events of the {each.dimension} {' or '.join(missing)}"
        yield stated.problem(("each", "members"), found, f"There are events of: {', '.join(values)}")


def _without_events(stated: StatedKeyResult, place: Path, measure: Measured, fed: Fed) -> Iterator[Problem]:
    for path, text, types in measure.filters():
        said = _domains(types, fed)
        if not said or not _columns_in(text, types):
            continue
        columns, known = columns_of(types), {name: vocabulary().domain_of(name) for name in columns_of(types)}
        can_hold = conditions.verdict(text, columns, known) != "never"
        if can_hold and conditions.verdict(text, columns, {**known, **said}) == "never":
            there = "; ".join(f"{name} is {' or '.join(domain.values)}" for name, domain in said.items())
            found = f"no source has events for which «{short(text)}» holds: {there}"
            yield stated.problem((*place, *path), found, "Let another source of organisation.yaml state them")


def _domains(types: tuple[str, ...], fed: Fed) -> Mapping[str, Domain]:
    """The columns that have a few values alone in what the sources state of these types, where all of them say so."""
    stated = [fed[name] for name in types if name in fed]
    if not stated or len(stated) < len(types):
        return {}
    found: dict[str, Domain] = {}
    for column in columns_of(types):
        values = [of_type.get(column) for of_type in stated]
        few = [value for value in values if value is not None]
        if len(few) == len(stated) and column not in SHARED_COLUMNS:
            found[column] = Domain(tuple(sorted({one for value in few for one in value})))
    return found
