"""The review of what an organisation declares: every rule, what it finds, and the rules that are switched off.

Belongs here: running the rules (`rules`), their switches, and docs/review.md (`python -m kr_definitions.review`). Does
not: any single rule, or reading the files (`catalogue`).

What is an error is refused and cannot be switched off. A warning or a remark can, in organisation.yaml, with a reason:

    lint:
      cadence.quarterly: {off: "The plan is made once a year"}
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kr_definitions.documents import Problem, Severity, short
from kr_definitions.rules import (
    RULES,
    filters,
    functions,
    guides,
    links,
    measured,
    names,
    sources,
    targets,
    units,
    windows,
)
from kr_definitions.rules.base import Declarations, Rule, Rules, advice, into
from kr_definitions.rules.links import ids
from kr_definitions.vocabulary import nearest
from kr_definitions.words import listed

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "remark")


@dataclass(frozen=True)
class SwitchedOff:
    """A rule that an organisation does not follow, why, and what it would have found.

    only: the ids that it is switched off for; none: for all.
    """

    rule: Rule
    reason: str
    problems: tuple[Problem, ...]
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Review:
    """What the rules found, the worst first, then by file and line; and what is switched off."""

    problems: tuple[Problem, ...]
    switched_off: tuple[SwitchedOff, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What is refused."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Each problem once: errors before warnings before remarks, then by file and line."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (SEVERITIES.index(problem.severity), problem)))


def review(declarations: Declarations) -> Review:
    """Everything that the rules find in what an organisation declares, as far as it can be read."""
    found: list[Problem] = []
    off: list[SwitchedOff] = []
    switches = _switches(declarations)
    for rule in RULES.values():
        problems = rule.problems(declarations)
        switch = switches.get(rule.id)
        if switch is None or rule.severity == "error":
            found += problems
        else:
            off.append(SwitchedOff(rule, switch.reason, tuple(filter(switch.covers, problems)), switch.only))
            found += [problem for problem in problems if not switch.covers(problem)]
    for rule in OF_SWITCHES.values():
        found += rule.problems(declarations)
    return Review(in_order(found), tuple(off))


@dataclass(frozen=True)
class _Switch:
    reason: str
    only: tuple[str, ...]

    def covers(self, problem: Problem) -> bool:
        """Whether a problem is one that is not asked about."""
        return not self.only or problem.where in self.only


def _switches(declarations: Declarations) -> dict[str, _Switch]:
    """The switches of organisation.yaml by rule, also where the rest of that file cannot be read."""
    declared = declarations.home.value(("lint",)) if declarations.home else None
    content = declared if isinstance(declared, dict) else {}
    said = {
        name: (switch.get("off"), listed(switch.get("only") or ()))
        for name, switch in content.items()
        if isinstance(switch, dict)
    }
    return {
        name: _Switch(reason, tuple(str(one) for one in only) if isinstance(only, tuple) else ())
        for name, (reason, only) in said.items()
        if isinstance(reason, str) and reason.strip()
    }


# --- rules about the switches themselves ------------------------------------------------------------------------------

OF_SWITCHES: Rules = {}
_rule = into(OF_SWITCHES)


@_rule("lint.unknown", "error", "What is switched off is a rule, and not one whose findings are errors.")
def _unknown(declarations: Declarations) -> Iterator[Problem]:
    home = declarations.home
    declared = home.value(("lint",)) if home else None
    where = declarations.organisation.id if declarations.organisation else ""
    if home is None or not isinstance(declared, dict):
        return
    for name in declared:
        rule = RULES.get(name)
        if name in OF_SWITCHES:
            found = f"'{name}' is about switches, and cannot be switched off itself"
            yield home.problem(("lint", name), where, found, "Remove it, and mend what it finds")
        elif rule is None:
            do = advice(nearest(name, switchable()), "docs/review.md lists the rules")
            yield home.problem(("lint", name), where, f"no rule '{short(name)}'", do)
        elif rule.severity == "error":
            found = f"'{name}' cannot be switched off: what it finds cannot be computed as it is meant"
            yield home.problem(("lint", name), where, found, "Remove it, and mend what it finds")


@_rule("lint.only", "error", "A rule is switched off for objectives and key results that are declared.")
def _only(declarations: Declarations) -> Iterator[Problem]:
    home, known = declarations.home, ids(declarations)
    where = declarations.organisation.id if declarations.organisation else ""
    for name, switch in _switches(declarations).items() if home and declarations.are_all_read else ():
        for one in switch.only:
            if home is not None and one not in known:
                do = advice(nearest(one, known), "Name a declared objective or key result")
                yield home.problem(("lint", name, "only"), where, f"'{short(one)}', which is not declared", do)


def switchable() -> list[str]:
    """The rules that an organisation may switch off."""
    return [rule.id for rule in RULES.values() if rule.severity != "error"]


@_rule("lint.needless", "remark", "A rule is switched off only where it would find something.")
def _needless(declarations: Declarations) -> Iterator[Problem]:
    where = declarations.organisation.id if declarations.organisation else ""
    # What cannot be read may be what it would have found something in.
    for name, switch in _switches(declarations).items() if declarations.are_all_understood else ():
        rule = RULES.get(name)
        is_asked = not name.startswith("sources.") or declarations.fed is not None
        if declarations.home is None or not is_asked or rule is None or rule.severity == "error":
            continue
        found = {problem.where for problem in rule.problems(declarations)}
        if not found:
            yield declarations.home.problem(("lint", name), where, f"'{name}' would find nothing", "Remove it")
        for one in switch.only if found else ():
            if one not in found and one in ids(declarations):
                told = f"'{name}' would find nothing of {short(one)}"
                yield declarations.home.problem(("lint", name, "only"), where, told, "Remove it")


# --- the reference ----------------------------------------------------------------------------------------------------

_CHAPTERS: Mapping[str, tuple[str, Rules]] = {
    "The guides' rules": ("What makes a good set of objectives and key results.", guides.RULES),
    "Targets and weights": ("What can be reached, and missed.", targets.RULES),
    "Units": ("What figures are said to be counted in.", units.RULES),
    "Periods and windows": ("Over which days something is counted.", windows.RULES),
    "Measures and sources": ("What can be measured as it is said.", measured.RULES),
    "Sources": ("What the sources of the organisation say.", sources.RULES),
    "Functions": ("What measures that are Python functions name.", functions.RULES),
    "Filters": ("What a filter says, and whether it can hold.", filters.RULES),
    "Names": ("What the vocabulary knows.", names.RULES),
    "Ids and links": ("What leads where; and that nothing is left empty.", links.RULES),
    "Switches": ("What organisation.yaml may switch off.", OF_SWITCHES),
}


def documentation() -> str:
    """Every rule, in Markdown."""
    lines = [
        "# What `hito validate` looks at",
        "",
        "Each finding has a file and a line, a severity, what was found and what to do. `hito validate` ends with 1",
        "only where there is an error.",
        "",
        "- **error**: it cannot be computed as it is meant, and is refused, by every command.",
        "- **warning**: most likely a mistake.",
        "- **remark**: worth a second look.",
        "",
        "Beside these rules the declarations' own words are checked as they are read: a misspelt key, a missing owner,",
        "period, target or `why`, a figure that is none ([reference.md](reference.md)). All of it is told at once.",
        "",
        "An organisation that has a reason not to follow a rule says so in its `organisation.yaml`, for all or for",
        "some of its objectives and key results. `hito validate` counts what is switched off; with `-v` it lists it,",
        "with the reason and what it would have found. Errors stay on.",
        "",
        "```yaml",
        "lint:",
        '  cadence.quarterly: {off: "The plan is made once a year"}',
        '  counts.key_results: {off: "Marketing has eight", only: agencia.marketing}',
        "```",
        "",
    ]
    for title, (says, rules) in _CHAPTERS.items():
        lines += [f"## {title}", "", says, "", "| rule | severity | what holds |", "|---|---|---|"]
        lines += [f"| `{rule.id}` | {rule.severity} | {rule.says} |" for rule in rules.values()]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(documentation())
