"""The declared content of one organisation: read, checked as a whole, and resolved for the compiler.

Belongs here: reading an organisation's folder, what only shows when declarations stand side by side or beside the
vocabulary, and the version of a definition. Does not: YAML (`documents`), the models (`declarations`), computing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kr_definitions.declarations import AtLeast, AtMost, Delta, KeyResult, Objective, ObjectiveFile, Reach, Relative
from kr_definitions.documents import DeclarationErrors, Document, Problem, parse, read
from kr_definitions.expressions import ExpressionError, predicate
from kr_definitions.measures import Count, Distinct, Duration, Measure, Share, Sum
from kr_definitions.measures.selection import Customers, columns_of
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span
from kr_definitions.progress import accumulates
from kr_definitions.vocabulary import nearest, vocabulary

FOLDER = Path(__file__).parent
"""Where the declared organisations are: one folder each."""


@dataclass(frozen=True)
class Definition:
    """A key result, resolved: what the compiler needs and where it was declared."""

    key_result: KeyResult
    objective: Objective
    period: Span
    version: str
    file: str
    line: int

    @property
    def id(self) -> str:
        return self.key_result.id

    @property
    def measure(self) -> Measure:
        return self.key_result.measure

    @property
    def types(self) -> tuple[str, ...]:
        """The event types that the value depends on."""
        customers = getattr(self.measure, "customers", None)
        return (*self.measure.types, *((customers.event_type,) if customers else ()))

    def __hash__(self) -> int:
        return hash((self.id, self.version))


@dataclass(frozen=True)
class Catalogue:
    """One organisation with everything that it declares."""

    organisation: Organisation
    objectives: tuple[Objective, ...]
    definitions: tuple[Definition, ...]
    warnings: tuple[Problem, ...] = ()
    document: Document | None = field(default=None, compare=False)  # organisation.yaml, for the lines of its sources


def organisations(folder: Path = FOLDER) -> list[str]:
    """Ids of the declared organisations: the folders that hold an organisation.yaml."""
    return sorted(path.parent.name for path in folder.glob("*/organisation.yaml"))


def load(organisation: str, folder: Path = FOLDER) -> Catalogue:
    """What an organisation declares. Raises `DeclarationErrors` with every problem found, in all of its files."""
    home = folder / organisation
    problems: list[Problem] = []
    documents = list(_documents(home, folder, problems))
    declared = _organisation(documents, problems)
    files = [(d, parse(d, (), ObjectiveFile, "", problems)) for d in documents if not _is_organisation(d)]
    for document in documents:
        problems += _missing_targets(document)
    found = [(document, content) for document, content in files if content is not None]
    for document, content in found:
        problems += _checked(document, content)
    problems += _checked_together(found)
    if declared is None or any(problem.severity == "error" for problem in problems):
        raise DeclarationErrors(list(dict.fromkeys(problems)))
    definitions = [
        _definition(kr, content.objective, declared, document, i)
        for document, content in found
        for i, kr in enumerate(content.key_results)
    ]
    return Catalogue(
        organisation=declared,
        objectives=tuple(content.objective for _, content in found),
        definitions=tuple(sorted(definitions, key=lambda definition: definition.id)),
        warnings=tuple(problems),
        document=next((document for document in documents if _is_organisation(document)), None),
    )


def _documents(home: Path, folder: Path, problems: list[Problem]) -> Iterator[Document]:
    paths = sorted(home.glob("*.yaml"))
    if not (home / "organisation.yaml").exists():
        found = "no organisation.yaml" if home.is_dir() else "no such organisation"
        likely = nearest(home.name, organisations(folder))
        do = f"Did you mean {' or '.join(likely)}?" if likely else f"Declared are: {', '.join(organisations(folder))}"
        problems.append(Problem(f"{folder.name}/{home.name}", 1, home.name, found, do))
    for path in paths:
        name = f"{folder.name}/{home.name}/{path.name}"
        try:
            yield read(path.read_text(encoding="utf-8"), name)
        except UnicodeDecodeError:
            problems.append(Problem(name, 1, "", "not UTF-8 text", "Save the file as UTF-8"))
        except DeclarationErrors as errors:
            problems += errors.problems


def _is_organisation(document: Document) -> bool:
    return document.file.endswith("/organisation.yaml")


def _organisation(documents: list[Document], problems: list[Problem]) -> Organisation | None:
    for document in documents:
        if _is_organisation(document):
            return parse(document, (), Organisation, "", problems)
    return None


def _missing_targets(document: Document) -> Iterator[Problem]:
    """A missing target, told even where another mistake keeps the key result from being read."""
    key_results = document.value(("key_results",))
    for i, declared in enumerate(key_results if isinstance(key_results, list) else []):
        if isinstance(declared, dict) and "target" not in declared and declared.get("type") != "kpi":
            name = str(declared.get("id", ""))
            yield document.problem(
                ("key_results", i), name, "'target' is missing", "Add a target, or make it a kpi if it has none"
            )


def _checked(document: Document, content: ObjectiveFile) -> Iterator[Problem]:
    """What only the vocabulary can tell about each key result."""
    for i, kr in enumerate(content.key_results):
        place: tuple[str | int, ...] = ("key_results", i)
        yield from _checked_types(document, place, kr)
        yield from _checked_expressions(document, place, kr)
        yield from _checked_columns(document, place, kr)
        yield from _checked_target(document, place, kr)


def _names(kr: KeyResult) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every event type that a key result names, with its place below `measure`."""
    raw = kr.measure.model_dump(by_alias=True, exclude_none=True)
    for path, value in _leaves(raw, ()):
        if path[-1] in ("count", "out_of", "of", "from", "to", "opened_by", "closed_by", "had", "had_not"):
            yield path, value


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item, path)
    elif isinstance(value, str):
        yield path, value


def _checked_types(document: Document, place: tuple[str | int, ...], kr: KeyResult) -> Iterator[Problem]:
    for path, name in _names(kr):
        if name not in vocabulary().types:
            likely = nearest(name, vocabulary().types)
            do = f"Did you mean {' or '.join(likely)}?" if likely else "See kr_definitions/vocabulary.yaml"
            yield document.problem((*place, "measure", *path), kr.id, f"no event type '{name}'", do)


def _predicates(kr: KeyResult) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Every declared filter: its place, its text, the types that it is over."""
    measure = kr.measure
    if isinstance(measure, Share):
        yield ("share", "reached"), measure.share.reached, measure.share.of
        if measure.share.where is not None:
            yield ("share", "where"), measure.share.where, measure.share.of
    elif isinstance(measure, Duration):
        if measure.duration.where is not None:
            yield ("duration", "where"), measure.duration.where, (measure.duration.to,)
    elif (where := getattr(measure, "where", None)) is not None:
        types = measure.count if isinstance(measure, Count) else measure.types
        yield ("where",), where, types


def _checked_expressions(document: Document, place: tuple[str | int, ...], kr: KeyResult) -> Iterator[Problem]:
    for path, text, types in _predicates(kr):
        if not all(name in vocabulary().types for name in types):
            continue  # told already, and without its types nothing can be said about the filter
        try:
            predicate(text, columns_of(types))
        except ExpressionError as error:
            yield document.problem((*place, "measure", *path), kr.id, error.found, error.do)


def _checked_columns(document: Document, place: tuple[str | int, ...], kr: KeyResult) -> Iterator[Problem]:
    measure = kr.measure
    if isinstance(measure, Distinct):
        known = columns_of(measure.of)
        if known and measure.distinct not in known:
            likely = nearest(measure.distinct, known)
            do = f"Did you mean {' or '.join(likely)}?" if likely else f"They carry: {', '.join(sorted(known))}"
            path = (*place, "measure", "distinct")
            yield document.problem(path, kr.id, f"{' and '.join(measure.of)} carry no '{measure.distinct}'", do)
    if isinstance(measure, Sum) and measure.sum in ("amount", "quantity"):
        for name in measure.of:
            event_type = vocabulary().types.get(name)
            if event_type is not None and getattr(event_type, measure.sum) is None:
                do = f"Sum what it holds, or add {measure.sum} to the type in kr_definitions/vocabulary.yaml"
                yield document.problem((*place, "measure", "sum"), kr.id, f"{name} holds no {measure.sum}", do)


def _checked_target(document: Document, place: tuple[str | int, ...], kr: KeyResult) -> Iterator[Problem]:
    target, path = kr.target, (*place, "target")
    if accumulates(kr) and (
        (isinstance(target, Relative) and target.relative < 0) or (isinstance(target, Delta) and target.delta < 0)
    ):
        yield document.problem(
            path, kr.id, "a running total starts at nothing, so it cannot be asked to fall", "State the most as at_most"
        )
    if isinstance(kr.measure, Share):
        figure = (
            target.at_least if isinstance(target, AtLeast)
            else target.at_most if isinstance(target, AtMost)
            else target.value if isinstance(target, Reach)
            else None
        )  # fmt: skip
        if figure is not None and not 0 <= figure <= 1:
            yield document.problem(
                path, kr.id, f"a share of {figure} cannot be", "A share is between 0 and 1: write 0.9 for 90 %"
            )


def _checked_together(found: list[tuple[Document, ObjectiveFile]]) -> Iterator[Problem]:
    """Ids used twice, and `supports` that lead nowhere."""
    places: dict[str, tuple[Document, tuple[str | int, ...]]] = {}
    for document, content in found:
        entries: Iterable[tuple[str, tuple[str | int, ...]]] = [
            (content.objective.id, ("objective", "id")),
            *((kr.id, ("key_results", i, "id")) for i, kr in enumerate(content.key_results)),
        ]
        for name, path in entries:
            if name in places:
                first, at = places[name]
                what = f"the id is used twice (first in {first.file}:{first.line(at)})"
                yield document.problem(path, name, what, "Give it an id of its own: an id is never used again")
            else:
                places[name] = (document, path)
    for document, content in found:
        links = [
            (content.objective.id, content.objective.supports, ("objective", "supports")),
            *((kr.id, kr.supports, ("key_results", i, "supports")) for i, kr in enumerate(content.key_results)),
        ]
        for name, supports, path in links:
            if supports is not None and supports not in places:
                likely = nearest(supports, places)
                do = f"Did you mean {' or '.join(likely)}?" if likely else "Name a declared objective or key result"
                yield document.problem(path, name, f"supports '{supports}', which is not declared", do)


def _definition(
    kr: KeyResult, objective: Objective, organisation: Organisation, document: Document, i: int
) -> Definition:
    period = (kr.period or objective.period).span(organisation.calendar)
    return Definition(
        key_result=kr,
        objective=objective,
        period=period,
        version=_version(kr, period, organisation),
        file=document.file,
        line=document.line(("key_results", i)),
    )


def _version(kr: KeyResult, period: Span, organisation: Organisation) -> str:
    """Content hash of what a definition means: wording, owner and titles do not change it, what moves a figure does."""
    measure = kr.measure.model_dump(mode="json", by_alias=True, exclude_none=True)
    for path, text, types in _predicates(kr):
        inner = measure
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = predicate(text, columns_of(types)).normal_form
    meaning = {
        "measure": measure,
        "target": kr.target and kr.target.model_dump(mode="json", by_alias=True, exclude_none=True),
        "every": kr.every,
        "trailing": kr.trailing,
        "cumulative": kr.cumulative,
        "period": [period.first.isoformat(), period.last.isoformat()],
        "zone": organisation.zone,
        "country": organisation.country if kr.every == "working_day" else None,
        "thresholds": organisation.thresholds,
    }
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:12]


__all__ = ["FOLDER", "Catalogue", "Customers", "Definition", "load", "organisations"]
