"""The declared content of one organisation: read, checked as a whole, and resolved for the compiler.

Belongs here: reading an organisation's folder, and the version of a definition. Does not: YAML (`documents`), the
models (`declarations`), what is wrong with declarations that can be read (`lint`), computing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from kr_definitions import lint
from kr_definitions.complaints import parse
from kr_definitions.declarations import Happening, KeyResult, MonthOf, MonthsFrom, Objective, ObjectiveFile
from kr_definitions.documents import DeclarationErrors, Document, Problem, read
from kr_definitions.expressions import predicate
from kr_definitions.measures import Function, Measured
from kr_definitions.measures.selection import columns_of
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span
from kr_definitions.vocabulary import nearest

FOLDER = Path(__file__).parent
"""Where the declared organisations are: one folder each."""


@dataclass(frozen=True)
class Definition:
    """A key result, resolved: what the compiler needs and where it was declared.

    period: None while an event that it is named by has to be looked up in the log (`compute.resolved`).
    """

    key_result: KeyResult
    objective: Objective
    period: Span | None
    version: str
    file: str
    line: int
    folder: Path | None = None

    @property
    def id(self) -> str:
        return self.key_result.id

    @property
    def span(self) -> Span:
        """The period. Raises `ValueError` where it is still to be looked up."""
        if self.period is None:
            raise ValueError(f"the period of {self.id} is named by an event: look it up first (compute.resolved)")
        return self.period

    @property
    def measures(self) -> tuple[Measured, ...]:
        """Everything that it measures: the measure or the parts, and the guardrails."""
        return tuple(measure for _, measure in self.key_result.measures())

    @property
    def types(self) -> tuple[str, ...]:
        """The event types that the figures depend on."""
        named = [name for measure in self.measures for name in (*measure.types, *measure.also_read)]
        period, each = self.key_result.period, self.key_result.each
        if isinstance(period, MonthsFrom | MonthOf):
            named.append(happening(period).event)
        if each is not None and each.seen_in is not None:
            named.append(each.seen_in)
        return tuple(dict.fromkeys(named))

    def __hash__(self) -> int:
        return hash((self.id, self.version))


def happening(period: MonthsFrom | MonthOf) -> Happening:
    """The event that a period is named by."""
    return period.from_event if isinstance(period, MonthsFrom) else period.month_of


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
        _definition(kr, content.objective, declared, document, i, home)
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
    kr: KeyResult, objective: Objective, organisation: Organisation, document: Document, i: int, folder: Path
) -> Definition:
    declared = kr.period or objective.period
    period = None if isinstance(declared, MonthsFrom | MonthOf) else declared.span(organisation.calendar)
    return Definition(
        key_result=kr,
        objective=objective,
        period=period,
        version=_version(kr, period, organisation, folder),
        file=document.file,
        line=document.line(("key_results", i)),
        folder=folder,
    )


def _version(kr: KeyResult, period: Span | None, organisation: Organisation, folder: Path) -> str:
    """Content hash of what a definition means: wording, owner and titles do not change it, what moves a figure does."""
    fields = {"measure", "target", "all_of", "each", "guardrails", "every", "trailing", "cumulative", "windows"}
    meaning = kr.model_dump(mode="python", by_alias=True, exclude_none=True, include=fields)
    for place, measure in kr.measures():
        for path, text, types in measure.filters():
            inner: Any = meaning
            for step in (*place, *path[:-1]):
                inner = inner[step]
            inner[path[-1]] = predicate(text, columns_of(types)).normal_form
    days = (kr.period and kr.period.model_dump(by_alias=True)) if period is None else [period.first, period.last]
    needs_calendar = "working" in str([kr.every, kr.windows, *(getattr(m, "unit", "") for _, m in kr.measures())])
    whole = {
        **meaning,
        "period": days,
        "fiscal_year_starts": organisation.fiscal_year_starts,
        "zone": organisation.zone,
        "country": organisation.country if needs_calendar else None,
        "working_hours": str(organisation.working_hours) if needs_calendar else None,
        "thresholds": organisation.thresholds,
        "currency": organisation.currency,
        "functions": [_source(measure, folder) for _, measure in kr.measures() if isinstance(measure, Function)],
    }
    content = json.dumps(whole, sort_keys=True, default=_plain)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _plain(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)  # 0.90 is 0.9


def _source(measure: Function, folder: Path) -> str:
    """The text of the file that a function is in: what it computes is part of what the definition means."""
    path = folder / f"{measure.function.partition(':')[0]}.py"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


__all__ = ["FOLDER", "Catalogue", "Definition", "load", "organisations"]
