"""Which fields of a declaration are others than before: the path of each, what it said and what it says.

Belongs here: comparing two declarations as text (`Meaning.declared`). Does not: what a changed field does to figures
(`changes`), or whether it is part of the meaning at all (`meaning`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kr_definitions.catalogue import recalled
from kr_definitions.documents import DeclarationErrors, read

WORDS = ("id", "title", "type", "level", "owner", "unit", "supports", "feeds_from", "why", "weight", "unstated")
"""The fields of a key result that move none of its figures."""

_WORDS_AROUND = ("id", "title", "owner", "level", "supports", "why", "approved_by", "approved_on")
"""Those of its objective and of its organisation."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that was changed. before, after: as YAML on one line; None: it is not there.

    path: below the key result; `objective.…`, `organisation.…`, and `days.…`, the days that its period comes to.
    """

    path: str
    before: str | None
    after: str | None

    @property
    def is_wording(self) -> bool:
        """Whether no figure of the key result can move by it."""
        head, _, rest = self.path.partition(".")
        around = head in ("objective", "organisation")
        return rest.partition(".")[0] in _WORDS_AROUND if around else head in WORDS

    def __str__(self) -> str:
        return f"{self.path}: {self.before or '–'} → {self.after or '–'}"


def changed_fields(before: str, after: str) -> tuple[Field, ...]:
    """The fields in which two declared meanings differ, in the order in which they are written.

    A default that nobody wrote is no change by itself. Raises `DeclarationErrors` for a text that is no document.
    """
    return tuple(_changed("", _Said.of(before), _Said.of(after)))


@dataclass(frozen=True, slots=True)
class _Said:
    """A value, and as much of it as is not a default; None where it is not there."""

    whole: Any
    stated: Any

    @classmethod
    def of(cls, declared: str) -> _Said:
        whole = _sections(read(declared, "declared").content)
        return cls(whole, _stated(declared, whole))

    def below(self, name: str) -> _Said:
        whole, stated = _by_name(self.whole) or {}, _by_name(self.stated) or {}
        return _Said(whole.get(name), stated.get(name))


def _sections(content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the key result, and those of what is around it by the name of that."""
    around = {name: content.get(name) for name in ("objective", "organisation")}
    return {**content["key_result"], "days": content.get("period"), **around}


def _stated(declared: str, whole: Mapping[str, Any]) -> dict[str, Any]:
    """The same without defaults; with them, where it is not understood any more."""
    try:
        definition, organisation = recalled(declared, "declared")
    except DeclarationErrors:
        return dict(whole)
    models = {"key_result": definition.key_result, "objective": definition.objective, "organisation": organisation}
    content = {name: model.model_dump(by_alias=True, exclude_defaults=True) for name, model in models.items()}
    return _sections({**content, "period": whole["days"]})


def _changed(path: str, before: _Said, after: _Said) -> Iterator[Field]:
    if before.whole == after.whole:
        return
    old, new = _by_name(before.whole), _by_name(after.whole)
    if old is not None and new is not None:
        is_list = not isinstance(after.whole, Mapping)
        for name in [*new, *(name for name in old if name not in new)]:
            inner = f"{path}[{name}]" if is_list else f"{path}.{name}" if path else name
            yield from _changed(inner, before.below(name), after.below(name))
        return
    is_one_sided = before.whole is None or after.whole is None
    texts = [_text(one.stated if is_one_sided else one.whole) for one in (before, after)]
    if texts[0] != texts[1]:
        yield Field(path, *texts)


def _by_name(value: Any) -> Mapping[str, Any] | None:
    """What a value is made of, by name, where that has names: a mapping, or a list of what is named."""
    if isinstance(value, Mapping):
        return value
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if is_list and all(isinstance(one, Mapping) and "name" in one for one in value):
        return {str(one["name"]): one for one in value}
    return None


def _text(value: Any) -> str | None:
    """A value as it can be written on one line."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_text(one)}" for name, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_text(one) or "" for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
