"""A set of objectives in which a reviewer finds nothing, to be spoilt in one place at a time."""

from __future__ import annotations

from pathlib import Path

from kr_definitions.catalogue import read_files
from kr_definitions.rules import Fed

ORGANISATION = """\
id: agencia
title: {es: Agencia, en: Agency}
zone: Europe/Madrid
country: ES-MD
currency: EUR
"""

OBJECTIVE = """\
objective:
  id: agencia.{name}
  title: {{es: Ganar terreno, en: Gain ground}}
  owner: equipo
  period: {{quarter: 2026-Q3}}
  {above}
  why: It pays.
  approved_by: [direccion]
  approved_on: 2026-06-20
key_results:
"""

KEY_RESULT = """\
  - id: agencia.{name}.{kind}
    title: {{es: Ventas, en: Sales}}
    type: {kind}
    level: team
    owner: equipo
    measure: {{count: deal.won}}
    target: {{value: 5}}
    why: They pay.
"""


def stated(name: str, above: str = "supports: agencia.empresa", kinds: str = "outcome activity milestone") -> str:
    """A file with an objective and a key result of each of these kinds."""
    key_results = [KEY_RESULT.format(name=name, kind=kind) for kind in kinds.split()]
    return OBJECTIVE.format(name=name, above=above) + "".join(key_results)


def files() -> dict[str, str]:
    """The files of a good set: a company's objective, and two of the team that owns all three."""
    return {
        "organisation": ORGANISATION,
        "empresa": stated("empresa", "level: company"),
        "norte": stated("norte"),
        "sur": stated("sur"),
    }


def findings(home: Path, declared: dict[str, str], fed: Fed | None = None) -> list[str]:
    """What a reviewer says of an organisation with these files, line by line, without the folder's name."""
    folder = home / "kr_definitions" / "agencia"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in declared.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    found = read_files("agencia", home / "kr_definitions").reviewed(fed)
    return [str(problem).removeprefix("kr_definitions/agencia/") for problem in found.problems]


def of_spoilt(home: Path, *changes: tuple[str, str, str], fed: Fed | None = None) -> list[str]:
    """What is said of the good set with, of a file, the first `before` replaced by `after`."""
    declared = files()
    for name, before, after in changes:
        assert before in declared[name]
        declared[name] = declared[name].replace(before, after, 1)
    return findings(home, declared, fed)


MEASURED = "    measure: {count: deal.won}\n    target: {value: 5}\n"


def of_measured(home: Path, after: str) -> list[str]:
    """What is said of the key result agencia.norte.outcome with this measure and target (from line 16 on)."""
    return of_spoilt(home, ("norte", MEASURED, after))


def found(home: Path, after: str) -> tuple[str, str, str]:
    """Of the only finding: line, severity, what was found."""
    (line,) = of_measured(home, after)
    place, severity, owner, rest = line.split(": ", 3)
    assert owner == "agencia.norte.outcome"
    return place.partition(":")[2], severity, rest.partition(". ")[0]


def counted(types: str, where: str) -> str:
    """A measure and a target: how many events of a type a filter leaves."""
    return f'    measure: {{count: {types}, where: "{where}"}}\n    target: {{value: 5}}\n'
