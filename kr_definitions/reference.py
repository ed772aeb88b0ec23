"""The authors' reference: everything that a declaration can say, from the models and from examples that a test runs.

Belongs here: the Markdown of docs/reference.md (`python -m kr_definitions.reference`). Does not: the examples
(`reference.yaml`), running them (`tests/kr_definitions/test_reference.py`).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kr_definitions.declarations import Each, Guardrail, KeyResult, Objective, Part
from kr_definitions.declared_periods import Period
from kr_definitions.expression_text import FUNCTIONS
from kr_definitions.expression_types import kind_of, quoted
from kr_definitions.measures import MEASURES
from kr_definitions.measures.selection import Cohort
from kr_definitions.organisation import Declared, Organisation, Title
from kr_definitions.targets import Target
from kr_definitions.vocabulary import SHARED_COLUMNS, vocabulary

Entry = Mapping[str, Any]


@cache
def _content() -> dict[str, Any]:
    text = Path(__file__).with_name("reference.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def sections() -> dict[str, dict[str, Entry]]:
    """Title -> entry -> formula, edges, examples, cases, file."""
    return {title: entries for title, entries in _content().items() if title != "fields"}


def fields() -> dict[str, str]:
    """What the keys of a declaration say: by their name, or by their model's and their own."""
    found: dict[str, str] = _content()["fields"]
    return found


def models() -> dict[str, dict[str, type[BaseModel]]]:
    """Title -> entry -> the model that it describes, for the sections that describe models."""
    return {
        "Files": {"objective": Objective, "key_results": KeyResult, "organisation.yaml": Organisation},
        "Measures": dict(MEASURES),
        "Cohorts (among)": _members(Cohort),
        "Targets": _members(Target),
        "Periods": _members(Period),
        "Several at once": {"each": Each, "all_of": Part, "guardrails": Guardrail},
    }


def _members(union: Any) -> dict[str, type[BaseModel]]:
    """The members of a union told apart by a key, by that key."""
    found = {}
    for member in get_args(get_args(union)[0]):
        model, tag = get_args(member)
        found[tag.tag] = model
    return found


# --- keys -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A key of a declaration: its place below its entry, what it may be, and the name that its sentence goes by."""

    place: str
    values: str
    name: str

    @property
    def says(self) -> str:
        """Its sentence."""
        return fields()[self.name]


_WHOLE = (Objective, KeyResult, Organisation)
_DESCRIBED_APART: tuple[type[BaseModel], ...] = (Title, Each, Part, Guardrail)


def keys(model: type[BaseModel], place: str = "") -> Iterator[Key]:
    """The keys of a model, and of the models in it that are not described by themselves."""
    for name, field in model.model_fields.items():
        written = field.alias or name
        inner, step = _inner(field.annotation)
        if inner is None or step == ".<name>":
            yield Key(f"{place}{written}", _values(field), _sentence(model, written))
        if inner is not None:
            yield from keys(inner, f"{place}{written}{step}.")


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The one model that a field holds, or holds several of, and how the way to its keys is written."""
    if get_origin(annotation) is None:
        is_model = isinstance(annotation, type) and issubclass(annotation, Declared)
        return (annotation, "") if is_model and annotation not in _DESCRIBED_APART else (None, "")
    held = [kind for kind in get_args(annotation) if kind not in (NoneType, Ellipsis)]
    if get_origin(annotation) in (dict, tuple):
        inner, _ = _inner(held[-1])
        return inner, ".<name>" if get_origin(annotation) is dict else "[]"
    return _inner(held[0]) if len(held) == 1 else (None, "")


def _sentence(model: type[BaseModel], written: str) -> str:
    """The name that a key's sentence goes by: its model's and its own, or its own alone."""
    own = [f"{cls.__name__}.{written}" for cls in model.__mro__]
    return next((name for name in own if name in fields()), written)


def _values(field: FieldInfo) -> str:
    """What a key may be: the words to choose from, what it is where it is not there, or that it has to be."""
    words = _words(field.annotation)
    if field.is_required():
        return f"required: {_listed(words)}" if words else "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, bool | str):
        others = [word for word in words if word != _written(default)]
        return f"`{_written(default)}` without it; or {_listed(others)}"
    if words:
        return f"optional: {_listed(words)}"
    return "optional" if default in (None, (), {}) else f"`{_written(default)}` without it"


def _words(annotation: Any) -> list[str]:
    if annotation is bool:
        return ["true", "false"]
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for kind in get_args(annotation) if kind is not NoneType for word in _words(kind) if _is_plain(kind)]


def _is_plain(kind: Any) -> bool:
    return kind is bool or get_origin(kind) is Literal


def _written(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:%H:%M}" if hasattr(default, "hour") else str(default)


def _listed(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


# --- the page ---------------------------------------------------------------------------------------------------------


def documentation() -> str:
    """The reference, in Markdown."""
    lines = [
        "# What a declaration can say",
        "",
        "Every example below is computed by a test. Times are those of Europe/Madrid unless an example says otherwise;",
        "the period is 2026 where none is given; everything was read up to the end of 2027. Statuses, expected",
        "progress and the rest of what the figures mean: [semantics.md](semantics.md). What events there are and what",
        "they carry: [vocabulary.yaml](../kr_definitions/vocabulary.yaml). What is looked at beside the words:",
        "[review.md](review.md). From a wish to a merged declaration: [tutorial.md](tutorial.md).",
        "",
        " · ".join(f"[{title}](#{_anchor(title)})" for title in sections()),
        "",
    ]
    described = models()
    for title, entries in sections().items():
        lines += [f"## {title}", ""]
        for name, entry in entries.items():
            lines += _entry(name, entry, described.get(title, {}).get(name))
    return "\n".join(lines)


def _anchor(title: str) -> str:
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def _entry(name: str, entry: Entry, model: type[BaseModel] | None) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if model is not None and not issubclass(model, _WHOLE):
        yield " ".join((inspect.getdoc(model) or "").split("\n\n")[0].split())
        yield ""
    if name in KeyResult.model_fields:
        yield f"Of a key result: `{name}`."
        yield ""
    yield f"**{_filled(entry['formula'])}**"
    yield ""
    if model is not None:
        needed_first = sorted(keys(model), key=lambda key: not key.values.startswith("required"))
        yield from _table(["key", "may be", "says"], [[f"`{key.place}`", key.values, key.says] for key in needed_first])
    for edge in entry["edges"]:
        yield f"- {_filled(edge)}"
    if entry["edges"]:
        yield ""
    if "file" in entry:
        yield from _file(entry["file"])
    for example in entry.get("examples", ()):
        yield from _example(example)
    if "cases" in entry:
        yield from _table(["filter", "an event with", "holds"], [_case(*case) for case in entry["cases"]])


def _filled(text: str) -> str:
    """A text with the columns of all events, and the functions of the language, where it asks for them."""
    columns = (f"`{name}` ({kind_of(dtype)})" for name, dtype in SHARED_COLUMNS.items())
    functions = (f"`{how}`" for how in FUNCTIONS.values())
    return text.replace("{shared}", ", ".join(columns)).replace("{functions}", ", ".join(functions))


def _table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    yield ""


def _case(text: str, columns: Mapping[str, Any], holds: bool | None) -> list[str]:  # noqa: FBT001 - a case is a row
    said = ", ".join(f"{name} {_literal(name, value)}" for name, value in columns.items())
    return [f"`{text}`", said, {True: "yes", False: "no", None: "neither"}[holds]]


def _literal(column: str, value: Any) -> str:
    """A value of a column as the language writes it; numbers and times as the log holds them."""
    if value is None or isinstance(value, bool):
        return "NULL" if value is None else str(value).upper()
    dtype = {**SHARED_COLUMNS, **vocabulary().attribute_schema()}[column]
    return quoted(value) if kind_of(dtype) == "text" else str(value)


def _file(file: Mapping[str, str]) -> Iterator[str]:
    yield f"```{'python' if file['name'].endswith('.py') else 'yaml'}"
    yield f"# {file['name']}"
    yield file["text"].rstrip("\n")
    yield "```"
    yield ""


def _example(example: Entry) -> Iterator[str]:
    yield "```yaml"
    declared = {**example["key_result"]}
    if "organisation" in example:
        yield f"# organisation: {_flow(example['organisation'])}"
    for key, value in declared.items():
        yield f"{key}: {_flow(value)}"
    yield "```"
    yield ""
    yield from _table(
        ["event", "when", "subject", "says"],
        [[kind, str(at), subject, _said(columns)] for kind, at, subject, columns in example["events"]],
    )
    yield from _table(["day", "figures"], [[str(day), _said(figures)] for day, figures in example["gives"].items()])


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'null' if value is None else value}" for name, value in values.items())


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


if __name__ == "__main__":
    sys.stdout.write(documentation())
