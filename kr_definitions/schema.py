"""JSON Schemas of the declaration files, generated from the models, for completion and checking in an editor.

Belongs here: the generation, and what models ask of several fields together, said once more in JSON Schema. Does not:
validation itself (pydantic and `catalogue`). What only figures, other files or a calendar tell is left to `validate`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from kr_definitions.declarations import ObjectiveFile
from kr_definitions.measures.selection import one_or_several
from kr_definitions.organisation import Organisation
from kr_definitions.review import switchable
from kr_definitions.words import listed

SCHEMAS: dict[str, type[BaseModel]] = {"objective": ObjectiveFile, "organisation": Organisation}

Schema = dict[str, Any]


def text(kind: str) -> str:
    """The schema of `objective` or `organisation` files as JSON text, stable from run to run."""
    generated = SCHEMAS[kind].model_json_schema(by_alias=True, schema_generator=_Generator)
    schema: Schema = _in_its_words(generated)
    for name, rules in _TOGETHER.items():
        for model in (schema, *schema.get("$defs", {}).values()):
            if model.get("title") == name:
                model["allOf"] = rules
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"Hito: {kind} file",
    }
    return json.dumps(described, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


# --- what pydantic does not say by itself -----------------------------------------------------------------------------

_OR_ONE = "x-or-one"


class _Generator(GenerateJsonSchema):
    """Says what our validators take beyond the type: one thing for a list of one, and exact numbers as numbers."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = super().function_before_schema(schema)
        function: Any = schema["function"]["function"]
        takes_one = function is one_or_several or (function is listed and _holds_texts(inner))
        return {**inner, _OR_ONE: True} if takes_one else inner

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:  # noqa: ARG002 - as pydantic calls it
        return {"type": "number"}

    def encode_default(self, dft: Any) -> Any:
        return float(dft) if isinstance(dft, Decimal) else super().encode_default(dft)


def _holds_texts(schema: Mapping[str, Any]) -> bool:
    items = schema.get("items", {})
    return items.get("type") == "string" or "enum" in items


_WORDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def _in_its_words(schema: Any) -> Any:
    """The schema with JSON Schema's words for limits, which pydantic leaves in its own behind a validator."""
    if isinstance(schema, list):
        return [_in_its_words(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {_WORDS.get(key, key): _in_its_words(value) for key, value in schema.items()}
    if found.get("type") == "array" and "minLength" in found:
        found["minItems"] = found.pop("minLength")
    if found.pop(_OR_ONE, False):
        beside = {key: found.pop(key) for key in ("title", "description", "default") if key in found}
        return {**beside, "anyOf": [found["items"], found]}
    return found


# --- what models ask of several fields together -----------------------------------------------------------------------


def _is_given(name: str) -> Schema:
    """A field that is there and says something."""
    return {"required": [name], "properties": {name: {"not": {"enum": [None, []]}}}}


def _is(name: str, value: str) -> Schema:
    return {"required": [name], "properties": {name: {"const": value}}}


def _not_both(one: Schema, other: Schema) -> Schema:
    return {"not": {"allOf": [one, other]}}


def _where(condition: Schema, *then: Schema) -> Schema:
    return {"if": condition, "then": {"allOf": [*then]}}


def _no(*conditions: Schema) -> Iterator[Schema]:
    yield from ({"not": condition} for condition in conditions)


def _not_nothing(name: str) -> Schema:
    return {"properties": {name: {"not": {"const": 0}}}}


_EVERY, _TRAILING, _EVER = _is_given("every"), _is_given("trailing"), _is("cumulative", "ever")
_ONE_WINDOW = [_not_both(_EVERY, _TRAILING), _not_both(_EVERY, _EVER), _not_both(_TRAILING, _EVER)]
_PARTS, _KPI, _TARGET = _is_given("all_of"), _is("type", "kpi"), _is_given("target")
_LIMITS = ("at_least", "at_most", "within", "not_below", "not_above")
_OF_ONE_TIME = [_not_both(_is("before", "period"), _is("since", "period"))]

_TOGETHER: Mapping[str, list[Schema]] = {
    "Relative": [_not_nothing("relative")],
    "Delta": [_not_nothing("delta")],
    "Had": _OF_ONE_TIME,
    "HadNot": _OF_ONE_TIME,
    "Each": [_not_both(_is_given("members"), _is_given("seen_in"))],
    "Kept": [_where(_is_given("valued_by"), _is_given("value"))],
    "Part": _ONE_WINDOW,
    "Guardrail": [*_ONE_WINDOW, {"properties": {"target": {"anyOf": [{"required": [name]} for name in _LIMITS]}}}],
    "KeyResult": [
        *_ONE_WINDOW,
        {"anyOf": [_is_given("measure"), _PARTS]},
        _where(_PARTS, *_no(_is_given("measure"), _TARGET, _is_given("each"), _EVERY, _TRAILING, _EVER)),
        _where(_KPI, *_no(_TARGET, _PARTS)),
        {"anyOf": [_TARGET, _PARTS, _KPI]},
        _where(_is_given("windows"), _KPI, *_no(_EVERY, _TRAILING, _EVER)),
    ],
    "Organisation": [{"properties": {"lint": {"propertyNames": {"enum": switchable()}}}}],
}
"""By the model's name: what its validators hold the fields to."""
