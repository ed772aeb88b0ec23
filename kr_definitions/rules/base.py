"""What a rule is, and what it looks at: all that an organisation declares, as far as it can be read.

Belongs here: the shape of rules and of their subject. Does not: any single rule, or switching rules off (`review`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps

from pydantic import TypeAdapter, ValidationError

from kr_definitions.complaints import parse
from kr_definitions.declarations import KeyResult, Objective
from kr_definitions.declared_periods import MonthOf, MonthsFrom, Period
from kr_definitions.documents import Document, Path, Problem, Severity
from kr_definitions.expressions import ExpressionError, predicate
from kr_definitions.measures import Measure, Measured, Ratio
from kr_definitions.measures.selection import columns_of
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span

Fed = Mapping[str, Mapping[str, frozenset[str] | None]]
"""What sources state: event type -> the columns that they say of it -> the only values that these have (None: any)."""


@dataclass(frozen=True)
class StatedObjective:
    """An objective that can be read, and its file."""

    document: Document
    content: Objective

    def problem(self, path: Path, found: str, do: str) -> Problem:
        """A problem of it, at a path below it."""
        return _problem(self.document, ("objective", *path), self.content.id, found, do)


@dataclass(frozen=True)
class StatedMeasure:
    """A measure that can be read, where it stands, and the id of its key result, which need not be readable."""

    document: Document
    place: Path
    owner: str
    content: Measured

    def problem(self, path: Path, found: str, do: str) -> Problem:
        """A problem of it, at a path below it."""
        return _problem(self.document, (*self.place, *path), self.owner, found, do)

    def single(self) -> Iterator[tuple[Path, Measured]]:
        """Itself; or, where it is made of others, each of them with its place below it."""
        return _single(self.content)


@dataclass(frozen=True)
class StatedKeyResult:
    """A key result that can be read, where it stands, and its objective if that can be read too."""

    document: Document
    place: Path
    content: KeyResult
    objective: Objective | None

    def problem(self, path: Path, found: str, do: str) -> Problem:
        """A problem of it, at a path below it."""
        return _problem(self.document, (*self.place, *path), self.content.id, found, do)

    @property
    def period(self) -> Period | None:
        """Its own period, or the objective's."""
        return self.content.period or (self.objective.period if self.objective else None)

    def span(self, organisation: Organisation | None) -> Span | None:
        """The days of the period; None where they are not known, or an event of the log has to say them."""
        if organisation is None or self.period is None or isinstance(self.period, MonthsFrom | MonthOf):
            return None
        return self.period.span(organisation.calendar)

    def measures(self) -> Iterator[tuple[Path, Measured]]:
        """Each measure that is not made of others, with its place below the key result."""
        for path, measure in self.content.measures():
            yield from (((*path, *below), one) for below, one in _single(measure))

    def targeted(self) -> Iterator[tuple[Path, KeyResult]]:
        """The key result, and each of its parts and guardrails as if it were one, with its place."""
        kr = self.content
        if kr.measure is not None:
            yield (), kr
        for name, several in (("all_of", kr.all_of), ("guardrails", kr.guardrails)):
            for i, one in enumerate(several):
                fields = ("measure", "target", "every", "trailing", "cumulative")
                alone = {"all_of": (), "guardrails": (), **{field: getattr(one, field) for field in fields}}
                yield (name, i), kr.model_copy(update=alone)


@dataclass(frozen=True)
class Declarations:
    """All that an organisation declares. organisation: as far as organisation.yaml (`home`) can be read.

    files: the other ones. functions: the text of each Python file beside them, by its name without `.py`.
    are_all_read: whether nothing of the files is missing here. fed: what the organisation's sources state; None where
    that is not known.
    """

    home: Document | None
    organisation: Organisation | None
    files: tuple[Document, ...]
    functions: Mapping[str, str] = field(default_factory=dict)
    are_all_read: bool = True
    fed: Fed | None = None

    @cached_property
    def objectives(self) -> tuple[StatedObjective, ...]:
        """Every objective that can be read."""
        found = ((document, parse(document, ("objective",), Objective, "", [])) for document in self.files)
        return tuple(StatedObjective(document, content) for document, content in found if content is not None)

    @cached_property
    def key_results(self) -> tuple[StatedKeyResult, ...]:
        """Every key result that can be read, also where another one of its file cannot."""
        objectives = {stated.document.file: stated.content for stated in self.objectives}
        return tuple(
            StatedKeyResult(document, place, content, objectives.get(document.file))
            for document in self.files
            for place in places(document)
            if (content := parse(document, place, KeyResult, "", [])) is not None
        )

    @property
    def are_all_understood(self) -> bool:
        """Whether every objective and every key result can be read."""
        declared = sum(len(places(document)) for document in self.files)
        are_known = len(self.objectives) == len(self.files) and len(self.key_results) == declared
        return self.are_all_read and are_known

    @cached_property
    def measures(self) -> tuple[StatedMeasure, ...]:
        """Every measure that can be read, also where its key result cannot."""
        return tuple(
            StatedMeasure(document, place, str(document.value((*owner, "id")) or ""), content)
            for document in self.files
            for owner in places(document)
            for place in _places_of_measures(document, owner)
            if (content := _measure(document.value(place))) is not None
        )

    def of(self, objective: StatedObjective) -> list[StatedKeyResult]:
        """The key results of an objective's file that can be read."""
        return [stated for stated in self.key_results if stated.document is objective.document]

    def is_whole(self, objective: StatedObjective) -> bool:
        """Whether every key result of an objective's file can be read."""
        return len(self.of(objective)) == len(places(objective.document))


def places(document: Document) -> list[Path]:
    """The place of every key result of a file, readable or not."""
    listed = document.value(("key_results",))
    return [("key_results", i) for i in range(len(listed))] if isinstance(listed, list) else []


def _places_of_measures(document: Document, owner: Path) -> list[Path]:
    """Where the measures of a key result are, of its parts and of its guardrails."""
    found: list[Path] = [(*owner, "measure")]
    for name in ("all_of", "guardrails"):
        listed = document.value((*owner, name))
        found += [(*owner, name, i, "measure") for i in range(len(listed) if isinstance(listed, list) else 0)]
    return found


_ANY: TypeAdapter[Measured] = TypeAdapter(Measure)


def _measure(value: object) -> Measured | None:
    try:
        return _ANY.validate_python(value)
    except ValidationError:  # told where the file is read
        return None


def _single(measure: Measured) -> Iterator[tuple[Path, Measured]]:
    if not isinstance(measure, Ratio):
        yield (), measure
        return
    for name in ("numerator", "minus", "denominator"):
        operand = getattr(measure.ratio, name)
        if operand is not None:
            yield ("ratio", name), operand


def _problem(document: Document, path: Path, where: str, found: str, do: str) -> Problem:
    """A problem at a path; the number of an item is left out where the item is written alone, without a list."""
    place: Path = ()
    for step in path:
        if (*place, step) in document.lines:
            place = (*place, step)
        elif not isinstance(step, int):
            break
    return document.problem(place, where, found, do)


Check = Callable[[Declarations], Iterator[Problem]]


@dataclass(frozen=True)
class Rule:
    """What must hold (error), most likely has to (warning) or is worth a second look (remark), and what finds it."""

    id: str
    severity: Severity
    says: str
    check: Check

    def problems(self, declarations: Declarations) -> list[Problem]:
        """What does not hold."""
        return [replace(found, severity=self.severity, rule=self.id) for found in self.check(declarations)]


Rules = dict[str, Rule]


def into(rules: Rules) -> Callable[[str, Severity, str], Callable[[Check], Check]]:
    """A decorator that makes rules of checks: id, severity, and what the rule says."""

    def stated(name: str, severity: Severity, says: str) -> Callable[[Check], Check]:
        def kept(check: Check) -> Check:
            rules[name] = Rule(name, severity, says, check)
            return check

        return kept

    return stated


def each_key_result(check: Callable[[StatedKeyResult], Iterator[Problem]]) -> Check:
    """A check of every key result by itself."""

    @wraps(check)
    def of_all(declarations: Declarations) -> Iterator[Problem]:
        for stated in declarations.key_results:
            yield from check(stated)

    return of_all


def each_measure(check: Callable[[StatedMeasure], Iterator[Problem]]) -> Check:
    """A check of every measure by itself."""

    @wraps(check)
    def of_all(declarations: Declarations) -> Iterator[Problem]:
        for stated in declarations.measures:
            yield from check(stated)

    return of_all


def each_objective(check: Callable[[StatedObjective], Iterator[Problem]]) -> Check:
    """A check of every objective by itself."""

    @wraps(check)
    def of_all(declarations: Declarations) -> Iterator[Problem]:
        for stated in declarations.objectives:
            yield from check(stated)

    return of_all


def advice(likely: list[str], otherwise: str) -> str:
    """What to do about a name that is not known: the nearest ones, if there are any."""
    return f"Did you mean {' or '.join(likely)}?" if likely else otherwise


def normal(where: str | None, types: tuple[str, ...]) -> str | None:
    """A filter so that two that say the same are equal; as it is written where it cannot be read."""
    try:
        return None if where is None else predicate(where, columns_of(types)).normal_form
    except ExpressionError:
        return where
