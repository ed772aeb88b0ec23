"""What the options name, found in the company: pipelines, stages, fields with their options, types of activity.

Belongs here: asking the company for its own words before its records are read, and translating its ids and keys into
them. Does not: the records.

Pipedrive ignores a name that it does not have: a slip of the pen would count nothing for a whole quarter, without an
error. It keeps stages and the options of fields as ids, and so do we: what they are called may be changed (`stored`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.naming import require_known
from pipelines.pipedrive.api import Api, Object
from pipelines.pipedrive.options import PERSONAL_FIELDS, PipedriveOptions, Said
from pipelines.source import SourceConfigError

IMPERSONAL_TYPES = frozenset(
    {
        *("boolean", "date", "double", "enum", "int", "monetary", "org", "people", "set", "status", "user"),
        *("varchar", "varchar_auto"),
    }
)
"""Types of fields that may be declared; the others hold addresses, telephone numbers or texts."""
LABELS = frozenset({"label", "label_ids"})
"""The field of labels is called by both names."""


@dataclass(frozen=True)
class Field:
    """A field of a type of record. keys: what records and changelogs call it. labels: id of an option -> its name."""

    keys: tuple[str, ...]
    has_several: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def of(self, record: Object) -> str | None:
        """What a record says in it now."""
        for place in (record, record.get("custom_fields") or {}):
            for key in self.keys:
                if key in place:
                    return self.text(place[key])
        return None

    def word(self, record: Object) -> str | None:
        """The same, of an option by its name."""
        text = self.of(record)
        return None if text is None else self.labels.get(text, text)

    def text(self, value: Any) -> str | None:
        """A value as text: of an option its id, of several all of them, separated by `;`, in one order."""
        if isinstance(value, dict):
            value = value.get("value", value.get("id"))
        if isinstance(value, str) and self.has_several:
            value = [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, list):
            return ";".join(sorted(_plain(part) for part in value)) or None
        return None if value is None else _plain(value) or None


def _plain(value: Any) -> str:
    """A number without a fraction that says nothing: the same field has 5 in a changelog and 5.0 in a list."""
    if isinstance(value, dict):
        value = value.get("id")
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def require_fields(api: Api, kind: str, names: Iterable[str], attributes: Iterable[Said] = ()) -> dict[str, Field]:
    """Name of each field that is declared -> the field.

    Raises `SourceConfigError` for one that the company does not have, that could be either of two, that holds what is
    personal, or whose options are not called what `attributes` say.
    """
    wanted = list(names)
    if not wanted:
        return {}
    definitions = api.definitions(kind)
    found = {name: _field(api, kind, name, definitions) for name in wanted}
    for attribute in attributes:
        if labels := found[attribute.field].labels:
            require_known(
                api.source, f"the field {attribute.field!r} of {kind} has no option", attribute.values, labels.values()
            )
    return found


def _field(api: Api, kind: str, name: str, definitions: list[Object]) -> Field:
    named = [one for one in definitions if name in (one["field_code"], one["field_name"])]
    if not named:
        require_known(
            api.source, f"there is no field in {kind} called", [name], [str(one["field_name"]) for one in definitions]
        )
    if len(named) > 1:
        codes = ", ".join(str(one["field_code"]) for one in named)
        raise SourceConfigError(
            api.source, f"{len(named)} fields in {kind} are called {name!r}", f"Name one by key: {codes}"
        )
    [one] = named
    code = str(one["field_code"])
    if code in PERSONAL_FIELDS or one["field_type"] not in IMPERSONAL_TYPES:
        raise SourceConfigError(
            api.source,
            f"the field {name!r} in {kind} is of type {one['field_type']}, which may hold personal data",
            "Name a field with options, a number, a date or a short text instead",
        )
    labels = {str(option["id"]): str(option["label"]) for option in one.get("options") or ()}
    keys = (*sorted(LABELS),) if code in LABELS else (code,)
    return Field(keys, one["field_type"] == "set" or code in LABELS, labels)


def require_stages(api: Api, options: PipedriveOptions) -> tuple[Field, Field]:
    """The pipeline and the stage as fields of a deal.

    Raises `SourceConfigError` for a pipeline that the company does not have, or a stage that one does not.
    """
    called = {str(one["id"]): str(one["name"]) for one in api.definitions("pipelines") if not one["is_deleted"]}
    stages = api.definitions("stages")
    named: list[tuple[str, Iterable[str]]] = [
        *((one.pipeline, one.stages) for one in options.sales),
        *((one.pipeline, one.captured) for one in options.listings),
    ]
    for pipeline, wanted in named:
        require_known(api.source, "there is no pipeline", [pipeline], called.values())
        ids = [id_ for id_, name in called.items() if name == pipeline]
        if len(ids) > 1:
            found = f"{len(ids)} pipelines are called {pipeline!r}"
            raise SourceConfigError(api.source, found, "Give them different names in Pipedrive")
        own = [str(one["name"]) for one in stages if str(one["pipeline_id"]) == ids[0] and not one["is_deleted"]]
        require_known(api.source, f"the pipeline {pipeline!r} has no stage", wanted, own)
    labels = {str(one["id"]): str(one["name"]) for one in stages}
    return Field(("pipeline_id",), labels=called), Field(("stage_id",), labels=labels)


def require_types(api: Api, options: PipedriveOptions) -> dict[str, str]:
    """Key of each type of activity that is declared -> its name in the options. Raises `SourceConfigError`."""
    known = api.activity_types()
    found: dict[str, str] = {}
    for name in (*(one.type for one in options.calls), *(one.type for one in options.meetings)):
        require_known(api.source, "there is no type of activity", [name], {*known, *known.values()})
        found |= {key: name for key, called in known.items() if name in (key, called)}
    return found
