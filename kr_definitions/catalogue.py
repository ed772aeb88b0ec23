"""The declared content of one organisation: read, checked as a whole, and resolved for the compiler.

Belongs here: reading an organisation's folder, and the version of a definition. Does not: YAML (`documents`), the
models (`declarations`), what is wrong with declarations that can be read (`lint`), computing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kr_definitions import lint
from kr_definitions.complaints import parse
from kr_definitions.declarations import KeyResult, Objective, ObjectiveFile
from kr_definitions.documents import DeclarationErrors, Document, Problem, read
from kr_definitions.expressions import predicate
from kr_definitions.measures import Measure
from kr_definitions.measures.selection import Customers, columns_of
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span
from kr_definitions.vocabulary import nearest

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
        return (*self.measure.types, *self._had)

    @property
    def remembered(self) -> tuple[str, ...]:
        """Those of which everything up to a day counts, whatever its window."""
        return (*getattr(self.measure, "remembered", ()), *self._had)

    @property
    def _had(self) -> tuple[str, ...]:
        customers = getattr(self.measure, "customers", None)
        return (customers.event_type,) if customers else ()

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
    are_all_read = not problems
    declared = _organisation(documents, home.name, problems)
    of_objectives = [document for document in documents if not _is_organisation(document)]
    files = [(document, parse(document, (), ObjectiveFile, "", problems)) for document in of_objectives]
    found = [(document, content) for document, content in files if content is not None]
    for document in of_objectives:
        problems += lint.missing_targets(document)
        problems += lint.checked(document)
    problems += lint.checked_together(of_objectives, are_all_read)
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
    for path in sorted(home.glob("*.yml")):
        name = f"{folder.name}/{home.name}/{path.name}"
        problems.append(Problem(name, 1, "", "a file that nobody reads", "Name it .yaml"))
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


def _organisation(documents: list[Document], folder: str, problems: list[Problem]) -> Organisation | None:
    for document in documents:
        if _is_organisation(document):
            found = parse(document, (), Organisation, "", problems)
            if found is not None and found.id != folder:
                what = f"the id is '{found.id}' in the folder '{folder}'"
                problems.append(document.problem(("id",), found.id, what, "Give both the same name"))
            return found
    return None


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
    measure = kr.measure.model_dump(by_alias=True, exclude_none=True)
    for path, text, types in lint.predicates(kr):
        inner = measure
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = predicate(text, columns_of(types)).normal_form
    meaning = {
        "measure": measure,
        "target": kr.target and kr.target.model_dump(by_alias=True, exclude_none=True),
        "every": kr.every,
        "trailing": kr.trailing,
        "cumulative": kr.cumulative,
        "period": [period.first.isoformat(), period.last.isoformat()],
        "zone": organisation.zone,
        "country": organisation.country if kr.every == "working_day" else None,
        "thresholds": organisation.thresholds,
        "currency": organisation.currency,
    }
    content = json.dumps(meaning, sort_keys=True, default=lambda number: f"{number.normalize():f}")  # 0.90 is 0.9
    return hashlib.sha256(content.encode()).hexdigest()[:12]


__all__ = ["FOLDER", "Catalogue", "Customers", "Definition", "load", "organisations"]
