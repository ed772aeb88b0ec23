"""The authors' reference: everything that a declaration can say, from the models and from examples that a test runs.

Belongs here: the Markdown of docs/reference.md (`python -m kr_definitions.reference`). Does not: the examples
(`reference.yaml`), running them (`tests/kr_definitions/test_reference.py`).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from kr_definitions.declarations import KeyResult, Period, Target
from kr_definitions.measures import MEASURES
from kr_definitions.measures.selection import Cohort

Entry = Mapping[str, Any]


def sections() -> dict[str, dict[str, Entry]]:
    """Title -> entry -> formula, edges, examples."""
    text = Path(__file__).with_name("reference.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Entry]] = yaml.safe_load(text)
    return found


def models() -> dict[str, dict[str, type[BaseModel]]]:
    """Title -> entry -> the model that it describes, for the sections that describe members of a union."""
    return {
        "Measures": dict(MEASURES),
        "Cohorts (among)": _members(Cohort),
        "Targets": _members(Target),
        "Periods": _members(Period),
    }


def _members(union: Any) -> dict[str, type[BaseModel]]:
    """The members of a union told apart by a key, by that key."""
    found = {}
    for member in get_args(get_args(union)[0]):
        model, tag = get_args(member)
        found[tag.tag] = model
    return found


def documentation() -> str:
    """The reference, in Markdown."""
    lines = [
        "# What a declaration can say",
        "",
        "Every example below is computed by a test. Times are those of Europe/Madrid unless an example says otherwise;",
        "the period is 2026 where none is given; everything was read up to the end of 2027. Statuses, expected",
        "progress and the rest of what the figures mean: [semantics.md](semantics.md). What events there are and what",
        "they carry: [vocabulary.yaml](../kr_definitions/vocabulary.yaml). From a wish to a merged declaration:",
        "[tutorial.md](tutorial.md).",
        "",
    ]
    described = models()
    for title, entries in sections().items():
        lines += [f"## {title}", ""]
        for name, entry in entries.items():
            lines += _entry(name, entry, described.get(title, {}).get(name))
    return "\n".join(lines)


def _entry(name: str, entry: Entry, model: type[BaseModel] | None) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if model is not None:
        yield " ".join((inspect.getdoc(model) or "").split("\n\n")[0].split())
        yield ""
        yield f"Fields: {', '.join(_fields(model))}."
        yield ""
    elif name in KeyResult.model_fields:
        yield f"Of a key result: `{name}`."
        yield ""
    yield f"**{entry['formula']}**"
    yield ""
    for edge in entry["edges"]:
        yield f"- {edge}"
    if entry["edges"]:
        yield ""
    for example in entry["examples"]:
        yield from _example(example)


def _fields(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        written = f"`{field.alias or name}`"
        yield written if field.is_required() else f"{written} (optional)"


def _example(example: Entry) -> Iterator[str]:
    yield "```yaml"
    declared = {**example["key_result"]}
    if "organisation" in example:
        yield f"# organisation: {_flow(example['organisation'])}"
    for key, value in declared.items():
        yield f"{key}: {_flow(value)}"
    yield "```"
    yield ""
    yield "| event | when | subject | says |"
    yield "|---|---|---|---|"
    for kind, at, subject, columns in example["events"]:
        said = ", ".join(f"{name} {value}" for name, value in columns.items())
        yield f"| {kind} | {at} | {subject} | {said} |"
    yield ""
    yield "| day | figures |"
    yield "|---|---|"
    for day, figures in example["gives"].items():
        told = ", ".join(f"{name} {'null' if value is None else value}" for name, value in figures.items())
        yield f"| {day} | {told} |"
    yield ""


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


if __name__ == "__main__":
    sys.stdout.write(documentation())
