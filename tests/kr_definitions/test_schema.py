"""The JSON Schemas accept what the models accept: an editor neither marks what is right nor lets pass what is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from kr_definitions import schema
from kr_definitions.catalogue import FOLDER
from kr_definitions.declarations import KeyResult, Objective
from kr_definitions.documents import read
from kr_definitions.organisation import Organisation

WHOLE = Path(__file__).parent / "whole"
FILES = sorted([*FOLDER.glob("*/*.yaml"), *WHOLE.glob("*/*.yaml")])
FORMATS = Draft202012Validator.FORMAT_CHECKER
SCHEMAS = {kind: json.loads(schema.text(kind)) for kind in schema.SCHEMAS}


def as_json(value: Any) -> Any:
    """What an editor's YAML gives a schema: days are texts there, and numbers floats."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def content_of(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = read(file.read_text("utf-8"), file.name).content
    return content


def checker(name: str) -> Draft202012Validator:
    """Of one model of the objective's schema, or of a whole organisation's."""
    if name == "Organisation":
        return Draft202012Validator(SCHEMAS["organisation"], format_checker=FORMATS)
    of_model = {"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["objective"]["$defs"]}
    return Draft202012Validator(of_model, format_checker=FORMATS)


CHECKERS = {name: checker(name) for name in ("KeyResult", "Objective", "Organisation")}
MODELS = {"KeyResult": KeyResult, "Objective": Objective, "Organisation": Organisation}


def test_the_schemas_are_schemas() -> None:
    for found in SCHEMAS.values():
        Draft202012Validator.check_schema(found)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_declared_file_is_accepted(file: Path) -> None:
    kind = "organisation" if file.stem == "organisation" else "objective"
    wrong = Draft202012Validator(SCHEMAS[kind], format_checker=FORMATS).iter_errors(as_json(content_of(file)))
    assert [f"{error.json_path}: {error.message[:200]}" for error in wrong] == []


BASE = {
    "id": "test.team.kr", "title": {"es": "x", "en": "x"}, "type": "outcome", "level": "team", "owner": "team",
    "measure": {"count": "deal.won"}, "target": {"value": 10}, "why": "because",
}  # fmt: skip
PART = {"name": "a", "measure": {"count": "deal.won"}, "target": {"value": 1}}
NO = None


@pytest.mark.parametrize(
    "says",
    [
        {"measure": {"count": "deal.won", "among": {"had": "deal.won"}}},
        {"measure": {"count": "deal.won", "among": [{"had": "deal.won"}, {"had_not": "deal.lost"}]}},
        {"type": "kpi", "target": NO, "windows": "month"},
        {"type": "kpi", "target": NO, "windows": ["month", "quarter"]},
        {"each": {"dimension": "market", "members": "norte"}},
        {"each": {"dimension": "market", "members": ["norte"]}},
        {"weight": Decimal("0.5")},
        {"measure": NO, "target": NO, "all_of": [PART]},
        {"all_of": []},
        {"period": {"quarter": "2026-Q4"}},
        {"target": {"value": 1, "from": 0}},
        {"every": NO, "trailing": "90 days"},
    ],
)
def test_what_can_be_is_accepted(says: dict[str, Any]) -> None:
    content = {**BASE, **says}
    KeyResult.model_validate(content)
    assert CHECKERS["KeyResult"].is_valid(as_json(content))


@pytest.mark.parametrize(
    "says",
    [
        {"weight": 50},
        {"weight": -1},
        {"period": {"quarter": "2026-Q9"}},
        {"period": {"half": "2026-H3"}},
        {"period": {"month": "2026-13"}},
        {"target": NO},
        {"measure": NO},
        {"type": "kpi"},
        {"id": "kr"},
        {"id": "Test.kr"},
        {"every": "month", "trailing": "90 days"},
        {"every": "month", "cumulative": "ever"},
        {"windows": ["month"]},
        {"type": "kpi", "target": NO, "windows": ["month"], "every": "month"},
        {"all_of": [PART]},
        {"target": NO, "all_of": [PART]},
        {"target": {"relative": 0}},
        {"target": {"delta": 0}},
        {"target": {"value": True}},
        {"target": {"value": 1, "at_least": 1}},
        {"target": {"within": [1]}},
        {"each": {"dimension": "market", "members": ["norte"], "seen_in": "deal.won"}},
        {"each": {"dimension": "market", "members": []}},
        {"measure": {"count": []}},
        {"measure": {"count": "deal.won", "among": {"had": "deal.won", "before": "period", "since": "period"}}},
        {"measure": {"quantile": "quantity", "of": "call.made", "at": 75}},
        {"measure": {"steps": []}},
        {"guardrails": [{**PART, "target": {"value": 1}}]},
        {"measure": {"function": "a.py", "of": "deal.won"}},
        {"mesure": {}},
    ],
)
def test_what_cannot_be_is_refused(says: dict[str, Any]) -> None:
    content = {**BASE, **says}
    with pytest.raises(ValidationError):
        KeyResult.model_validate(content)
    assert not CHECKERS["KeyResult"].is_valid(as_json(content))


@pytest.mark.parametrize("name", ["deal.wonn", "fact.retracted", "source.covered"])
def test_an_event_type_that_counts_nothing_is_refused(name: str) -> None:
    assert not CHECKERS["KeyResult"].is_valid({**BASE, "measure": {"count": name}})


# --- the two judges agree ---------------------------------------------------------------------------------------------

INSTEAD = (None, True, -1, 0, 50, "", "x", [], ["x"], {})
BESIDE = {"every": "week", "trailing": "7 days", "cumulative": "ever", "all_of": [PART], "windows": ["month"], "x": 1}
NAMES = frozenset(
    {
        "count", "out_of", "of", "from", "to", "opened_by", "closed_by", "valued_by", "had", "had_not", "forecast",
        "actual", "seen_in", "event", "distinct", "dimension",
    }
)  # fmt: skip
"""Keys of names that the schema completes: the models leave them to the rules, which tell the nearest ones."""

LEFT_TO_VALIDATE = (
    "equals its start", "not below the second", "before it begins", "two parts of one name", "another's name",
    "not a time zone", "no calendar of that country",
)  # fmt: skip
"""What a schema cannot tell: figures and names beside each other, and what is in a calendar."""


def declared() -> Iterator[tuple[str, Any]]:
    """Every key result, objective and organisation of the whole organisation, with the name of its model."""
    for file in sorted(WHOLE.glob("*/*.yaml")):
        content = content_of(file)
        if file.stem == "organisation":
            yield "Organisation", content
            continue
        yield "Objective", content["objective"]
        for key_result in content["key_results"]:
            yield "KeyResult", key_result


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value, but what a source's options are."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        if step != "options":
            yield (*path, step)
            yield from places(item, (*path, step))


def spoilt(content: Any) -> Iterator[tuple[str, Any]]:
    """The content with one thing said otherwise, taken out, or put in beside, and how."""
    for path in places(content):
        *above, last = path
        for instead in INSTEAD if isinstance(last, str) else ():
            if last not in NAMES or not isinstance(instead, str | list):
                copied, at = copy_of(content, above)
                at[last] = instead
                yield f"{path} is {instead!r}", copied
        copied, at = copy_of(content, above)
        del at[last]
        yield f"{path} is missing", copied
    for above in {path[:-1]: None for path in places(content) if isinstance(path[-1], str)}:
        for key, value in BESIDE.items():
            copied, at = copy_of(content, above)
            at[key] = value
            yield f"{key} in {above}", copied


def copy_of(content: Any, path: Iterable[Any]) -> tuple[Any, Any]:
    """A copy of the content, and what is at a path of it."""
    copied = copy.deepcopy(content)
    at = copied
    for step in path:
        at = at[step]
    return copied, at


def complaint(name: str, content: Any) -> str | None:
    """What the model says; None where it is right."""
    try:
        MODELS[name].model_validate(content)
    except ValidationError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("name", "content"), list(declared()), ids=lambda value: value if isinstance(value, str) else value["id"]
)
def test_the_schema_refuses_what_the_model_refuses_and_nothing_else(name: str, content: Any) -> None:
    apart = []
    for how, changed in spoilt(content):
        found = complaint(name, changed)
        is_left = any(part in (found or "") for part in LEFT_TO_VALIDATE)
        if not is_left and CHECKERS[name].is_valid(as_json(changed)) != (found is None):
            apart.append(f"{how}: {found or 'the model accepts it'}")
    assert apart == []
