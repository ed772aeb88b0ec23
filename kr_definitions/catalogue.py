"""The declared content of one organisation: read, checked as a whole, and resolved for the compiler.

Belongs here: reading an organisation's folder, and recalling what a definition meant. Does not: YAML (`documents`), the
models (`declarations`), what is wrong with declarations that can be read (`rules`), computing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from kr_definitions.complaints import parse
from kr_definitions.declarations import KeyResult, Objective, ObjectiveFile
from kr_definitions.declared_periods import Happening, MonthOf, MonthsFrom
from kr_definitions.documents import DeclarationErrors, Document, Problem, looked_through, read
from kr_definitions.meaning import Meaning, meaning
from kr_definitions.measures import Measured
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span
from kr_definitions.review import Review, in_order, review
from kr_definitions.rules import Declarations, Fed
from kr_definitions.rules.measured import types_of
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
    meaning: Meaning
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
        return types_of(self.key_result)

    def __hash__(self) -> int:
        return hash((self.id, self.meaning.content_hash))


def happening(period: MonthsFrom | MonthOf) -> Happening:
    """The event that a period is named by."""
    return period.from_event if isinstance(period, MonthsFrom) else period.month_of


@dataclass(frozen=True)
class Catalogue:
    """One organisation with everything that it declares. warnings: what its review found, errors apart."""

    organisation: Organisation
    objectives: tuple[Objective, ...]
    definitions: tuple[Definition, ...]
    warnings: tuple[Problem, ...] = ()
    document: Document | None = field(default=None, compare=False)  # organisation.yaml, for the lines of its sources


def organisations(folder: Path = FOLDER) -> list[str]:
    """Ids of the declared organisations: the folders that hold an organisation.yaml."""
    return sorted(path.parent.name for path in folder.glob("*/organisation.yaml"))


@dataclass(frozen=True)
class Reading:
    """The files of one organisation, as far as they can be read. problems: where they cannot, each of them an error."""

    declarations: Declarations
    problems: tuple[Problem, ...]
    folder: Path

    def reviewed(self, fed: Fed | None = None) -> Review:
        """Everything that is wrong with what is declared. fed: what its sources state, where that is known."""
        found = review(replace(self.declarations, fed=fed))
        return replace(found, problems=in_order([*self.problems, *found.problems]))


def load(organisation: str, folder: Path = FOLDER) -> Catalogue:
    """What an organisation declares. Raises `DeclarationErrors` with every error found, in all of its files."""
    reading = read_files(organisation, folder)
    found = reading.reviewed()
    declared = reading.declarations
    if declared.organisation is None or found.errors:
        raise DeclarationErrors(found.errors)
    contents = [(document, ObjectiveFile.model_validate(document.content)) for document in declared.files]
    definitions = [
        _definition(kr, content.objective, declared.organisation, document, i, reading.folder)
        for document, content in contents
        for i, kr in enumerate(content.key_results)
    ]
    return Catalogue(
        organisation=declared.organisation,
        objectives=tuple(content.objective for _, content in contents),
        definitions=tuple(sorted(definitions, key=lambda definition: definition.id)),
        warnings=found.problems,
        document=declared.home,
    )


def read_files(organisation: str, folder: Path = FOLDER) -> Reading:
    """The files of an organisation."""
    home = folder / organisation
    if organisation in ("", "..") or home.parent != folder or home.name != organisation:
        home = folder / f"'{organisation.replace('/', ' ')}'"  # nothing of another folder is an organisation
    problems: list[Problem] = []
    documents = list(_documents(home, folder, problems))
    are_all_read = not problems
    declared = _organisation(documents, home.name, problems)
    files = tuple(document for document in documents if not _is_organisation(document))
    for document in files:
        parse(document, (), ObjectiveFile, "", problems)
    whole = Declarations(
        home=next((document for document in documents if _is_organisation(document)), None),
        organisation=declared,
        files=files,
        functions={path.stem: path.read_text("utf-8", "replace") for path in home.glob("*.py") if path.is_file()},
        are_all_read=are_all_read,
    )
    return Reading(whole, tuple(problems), home)


def _documents(home: Path, folder: Path, problems: list[Problem]) -> Iterator[Document]:
    paths = sorted(home.glob("*.yaml"))
    if not (home / "organisation.yaml").exists():
        problems.append(Problem(f"{folder.name}/{home.name}", 1, home.name, *_without_organisation(home, folder)))
    for path in sorted(home.rglob("*")):
        is_declaration = path.suffix.lower() in (".yaml", ".yml") and path.is_file()
        if is_declaration and path not in paths:
            do = "Name it .yaml" if path.parent == home else f"Move it to {folder.name}/{home.name}"
            problems.append(Problem(f"{folder.name}/{path.relative_to(folder)}", 1, "", "a file that nobody reads", do))
    for path in paths:
        name = f"{folder.name}/{home.name}/{path.name}"
        try:
            document, found = looked_through(path.read_text(encoding="utf-8"), name)
            problems += found
            yield document
        except UnicodeDecodeError:
            problems.append(Problem(name, 1, "", "not UTF-8 text", "Save the file as UTF-8"))
        except OSError as error:
            problems.append(Problem(name, 1, "", f"a file that cannot be read: {error.strerror}", "Check what it is"))
        except DeclarationErrors as errors:
            problems += errors.problems


def _without_organisation(home: Path, folder: Path) -> tuple[str, str]:
    """What was found where an organisation should be, and what to do."""
    if home.is_dir():
        return "no organisation.yaml", "Add one beside the declarations, or remove the folder"
    declared = organisations(folder)
    likely = nearest(home.name, declared)
    if likely:
        return "no such organisation", f"Did you mean {' or '.join(likely)}?"
    do = f"Declared are: {', '.join(declared)}" if declared else "None is declared: add a folder with organisation.yaml"
    return "no such organisation", do


def strays(folder: Path = FOLDER) -> list[str]:
    """Names of the folders that hold declarations and no organisation.yaml."""
    return sorted({path.parent.name for path in folder.glob("*/*.yaml")} - set(organisations(folder)))


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
        meaning=meaning(kr, objective, period, organisation, folder),
        file=document.file,
        line=document.line(("key_results", i)),
        folder=folder,
    )


def recalled(declared: str, file: str, folder: Path | None = None) -> tuple[Definition, Organisation]:
    """The definition, and its organisation, of a meaning that was kept as text (`Meaning.declared`).

    file: what to call it. Raises `DeclarationErrors` where this version of Hito no longer understands it.
    """
    document = read(declared, file)
    problems: list[Problem] = []
    kr = parse(document, ("key_result",), KeyResult, "", problems)
    objective = parse(document, ("objective",), Objective, "", problems)
    organisation = parse(document, ("organisation",), Organisation, "", problems)
    if kr is None or objective is None or organisation is None or problems:
        raise DeclarationErrors(problems)
    days = document.value(("period",))
    period = None if days is None else Span(days["from"], days["until"])
    means = meaning(kr, objective, period, organisation, folder)
    return Definition(kr, objective, period, means, file, 1, folder), organisation


__all__ = ["FOLDER", "Catalogue", "Definition", "load", "organisations"]
