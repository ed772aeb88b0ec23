"""What measures are made of, whichever they are: so that a rule about cohorts or pairs of events is said once.

Belongs here: finding a part of a measure, and where it stands. Does not: any rule.
"""

from __future__ import annotations

from collections.abc import Iterator

from kr_definitions.documents import Path
from kr_definitions.measures import Conversion, Distinct, Duration, Measured, Open, Participation, Retention, Share
from kr_definitions.measures.levels import Transitions
from kr_definitions.measures.membership import Roster
from kr_definitions.measures.pairs import FromTo
from kr_definitions.measures.selection import Selection, Top
from kr_definitions.vocabulary import vocabulary


def from_to(measure: Measured) -> FromTo | None:
    """What a measure follows a subject from, and to."""
    if isinstance(measure, Duration):
        return measure.duration
    return measure.conversion if isinstance(measure, Conversion) else None


def of_what(measure: Measured) -> str:
    """The key that a measure's `from_to` stands under."""
    return "duration" if isinstance(measure, Duration) else "conversion"


def opened_and_closed(measure: Measured) -> Transitions | Roster | None:
    """What opens and closes what a measure is over."""
    if isinstance(measure, Open):
        return measure.open
    if isinstance(measure, Retention):
        return measure.retention
    return measure.participation.roster if isinstance(measure, Participation) else None


def of_roster(measure: Measured) -> Path:
    """Where a measure's `opened_and_closed` stands."""
    if isinstance(measure, Open):
        return ("open",)
    return ("retention",) if isinstance(measure, Retention) else ("participation", "roster")


def narrowed(measure: Measured) -> tuple[tuple[str, ...], str | None]:
    """The event types that the cohorts of a measure narrow, and the filter on them."""
    if isinstance(measure, Selection):
        return measure.counted, measure.where
    if isinstance(measure, Share):
        return measure.share.of, measure.share.where
    of = from_to(measure)
    return (of.from_, of.from_where) if of is not None else ((), None)


_NUMBERS = ("sum", "daily_max", "mean", "median", "quantile", "min", "max", "level", "gain")


def number_of(measure: Measured) -> str | None:
    """The key under which a measure names the number that it is of; None where it is of none."""
    return next((key for key in _NUMBERS if key in type(measure).model_fields), None)


def numbers_of(measure: Measured) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Each number that a measure takes of events: the place of its name, the column, and the types that hold it."""
    if (key := number_of(measure)) is not None:
        yield (key,), getattr(measure, key), measure.types
    if isinstance(measure, Open) and measure.open.value is not None:
        yield ("open", "value"), measure.open.value, (*measure.open.opened_by, *(measure.open.valued_by or ()))
    if isinstance(measure, Retention) and (worth := measure.retention.value) is not None:
        kept = measure.retention
        yield ("retention", "value"), worth, (*kept.opened_by, *(kept.valued_by or ()))
    for i, cohort in enumerate(getattr(measure, "among", ())):
        if isinstance(cohort, Top) and cohort.by.sum is not None:
            yield ("among", i, "by", "sum"), cohort.by.sum, cohort.by.of


def holds(event_type: str, column: str) -> bool:
    """Whether events of a type hold a number, or carry an attribute."""
    held = vocabulary().types[event_type]
    return bool(getattr(held, column)) if column in ("amount", "quantity") else column in held.carries


def has_number(event_type: str, column: str) -> bool:
    """Whether an event type is known and holds a number."""
    return event_type in vocabulary().types and holds(event_type, column)


def counted_in(measure: Measured) -> str:
    """What the values of an operand are counted in, so far as two of one unit can be added; empty where any will do."""
    for _, column, types in numbers_of(measure):
        units = [vocabulary().unit_of(name, column) for name in types if has_number(name, column)]
        return next(iter(units), None) or ""
    return "a count" if measure.kind == "count" else "money" if measure.kind == "money" else ""


def keys_of(measure: Measured) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Each column that says which events are of one thing: its place, its name, and the types that have to carry it."""
    if isinstance(measure, Distinct):
        yield ("distinct",), measure.distinct, measure.of
    of = from_to(measure)
    if of is not None:
        yield from (((of_what(measure), "by"), of.by, types) for types in (of.from_, of.to))
    roster = opened_and_closed(measure)
    if isinstance(roster, Roster):  # whose a closing is, the opening says
        yield (*of_roster(measure), "by"), roster.by, roster.opened_by
    if isinstance(measure, Participation):
        did = measure.participation.did
        yield ("participation", "did", "by"), did.by, did.of
    for i, cohort in enumerate(getattr(measure, "among", ())):
        yield from ((("among", i, "key"), cohort.key, types) for types in (narrowed(measure)[0], cohort.types))
