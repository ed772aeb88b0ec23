"""What `hito validate` tells of an organisation: all that is wrong with its declarations and its sources, worst first.

Belongs here: putting together the review of the declarations and what the sources say to their options; its lines on
the terminal. Does not: any rule (`kr_definitions.rules`), exit codes (`cli`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from assets.home import Home
from kr_definitions.catalogue import Catalogue, Reading, read_files
from kr_definitions.documents import DeclarationErrors, Problem, Severity
from kr_definitions.review import SEVERITIES, Review, in_order
from kr_definitions.rules import Fed
from kr_definitions.rules.base import places
from pipelines.load import Source

_STYLES: dict[Severity, str] = {"error": "red", "warning": "yellow", "remark": "cyan"}


@dataclass(frozen=True)
class Validated:
    """An organisation, how much it declares, and what was found."""

    organisation: str
    objectives: int
    key_results: int
    review: Review

    @property
    def summary(self) -> str:
        """One line: what is declared, how many findings of each severity there are, and what is switched off."""
        found = [
            _several(len([problem for problem in self.review.problems if problem.severity == severity]), severity)
            for severity in SEVERITIES
        ]
        declared = [_several(self.objectives, "objective"), _several(self.key_results, "key result")]
        off = self.review.switched_off
        silent = [
            f"{_several(len(off), 'rule')} off",
            _several(sum(len(switch.problems) for switch in off), "finding"),
        ]
        groups = (declared, found, silent if off else ())
        parts = [", ".join(part for part in group if not part.startswith("0 ")) for group in groups]
        return f"{self.organisation}: {'; '.join(part for part in parts if part)}"


def validated(home: Home, organisation: str) -> Validated:
    """The review of an organisation, its sources included; none of its files has to be right."""
    reading = read_files(organisation, home.definitions)
    fed, problems = _sources(home, reading)
    review = reading.reviewed(fed)
    files = reading.declarations.files
    return Validated(
        organisation,
        objectives=len(files),
        key_results=sum(len(places(document)) for document in files),
        review=replace(review, problems=in_order([*review.problems, *problems])),
    )


def _sources(home: Home, reading: Reading) -> tuple[Fed | None, tuple[Problem, ...]]:
    """What an organisation's sources state, where that can be told, and what is wrong with them."""
    declared = reading.declarations
    if declared.organisation is None:
        return None, ()
    try:
        sources = home.sources(Catalogue(declared.organisation, objectives=(), definitions=(), document=declared.home))
    except DeclarationErrors as errors:
        return None, errors.problems
    # What people say by command alone is no account to read from.
    return _stated(sources) if declared.organisation.sources else {}, ()


def _stated(sources: Sequence[Source]) -> Fed:
    """The columns that sources say of each event type, and the only values that these have."""
    found: dict[str, dict[str, frozenset[str] | None]] = {}
    for stream in (stream for source in sources for stream in source.streams()):
        columns = stream.columns()
        for of_type in (found.setdefault(name, {}) for name in stream.feeds):
            for column in columns:
                only = frozenset({stream.always[column]}) if column in stream.always else None
                others = of_type.get(column, frozenset())
                of_type[column] = None if only is None or others is None else only | others
    return found


def tell(out: Console, found: Validated, *, verbose: bool) -> None:
    """Print what was found, a line each, and the summary. verbose: also the rules that are switched off."""
    for problem in found.review.problems:
        _say(out, str(problem), _STYLES[problem.severity])
    for switch in found.review.switched_off if verbose else ():
        whose = f" for {', '.join(switch.only)}" if switch.only else ""
        _say(out, f"{found.organisation}: {switch.rule.id} is switched off{whose}: {switch.reason}", "dim")
        for problem in switch.problems:
            _say(out, f"  {problem}", "dim")
    _say(out, found.summary, "bold")


def _say(out: Console, line: str, style: str) -> None:
    out.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
