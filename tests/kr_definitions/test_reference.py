"""The authors' reference is true: every example gives what it says, and everything that can be said has one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import definition, event, key_result, log, organisation

from kr_definitions import reference
from kr_definitions.catalogue import Definition
from kr_definitions.compute import compute
from kr_definitions.declarations import KeyResult
from kr_definitions.documents import read
from kr_definitions.expression_text import FUNCTIONS
from kr_definitions.expressions import predicate
from kr_definitions.organisation import Organisation
from kr_definitions.vocabulary import SHARED_COLUMNS, vocabulary

ROOT = Path(__file__).parents[2]
ENTRIES = [(name, entry) for entries in reference.sections().values() for name, entry in entries.items()]
EXAMPLES = [
    pytest.param(example, entry.get("file"), id=f"{name}-{n}")
    for name, entry in ENTRIES
    for n, example in enumerate(entry.get("examples", ()))
]
CASES = [case for _, entry in ENTRIES for case in entry.get("cases", ())]


@pytest.mark.parametrize(("example", "file"), EXAMPLES)
def test_an_example_gives_what_it_says(example: dict[str, Any], file: dict[str, str] | None, tmp_path: Path) -> None:
    content = numbers(example["key_result"])
    if file is not None:
        (tmp_path / file["name"]).write_text(file["text"], encoding="utf-8")
    asked = declared({"measure": None, "target": None, **content}, tmp_path)
    events = [happened(*row) for row in example["events"]]
    through = max(day(name) for name in example["gives"])
    read = log(events, types=asked.types)
    figures = compute([asked], organisation(**example.get("organisation", {})), read, through)
    for name, columns in example["gives"].items():
        of_day = figures.filter(pl.col("as_of") == day(name))
        for column, expected in columns.items():
            member, _, figure = column.rpartition(": ")
            row = of_day.filter(pl.col("member").eq_missing(pl.lit(member or None, dtype=pl.String)))
            assert is_same(row.get_column(figure).item(), expected), (name, column, row.get_column(figure).item())


@pytest.mark.parametrize(("text", "says", "holds"), CASES, ids=[text for text, _, _ in CASES])
def test_a_filter_holds_where_it_is_said_to(text: str, says: dict[str, Any], holds: bool | None) -> None:
    columns = {**SHARED_COLUMNS, **vocabulary().attribute_schema()}
    row = {name: written(value, columns[name]) for name, value in says.items()}
    frame = pl.DataFrame([row], schema={name: columns[name] for name in says})
    assert frame.select(predicate(text, columns).expr()).item() is holds


def written(value: Any, dtype: pl.DataType) -> Any:
    """A value of an event, as the log holds it."""
    if value is None:
        return None
    if isinstance(dtype, pl.Decimal):
        return Decimal(str(value))
    return datetime.fromisoformat(value) if isinstance(dtype, pl.Datetime) else value


def test_every_word_and_function_of_the_filters_has_a_case() -> None:
    texts = " ".join(text for text, _, _ in CASES)
    words = ["IN (", "BETWEEN", "LIKE", "ILIKE", "NOT", "OR", "AND", "IS NULL", "IS NOT TRUE", "CASE", "CAST(",
             "TRY_CAST(", "DATE '", "TIMESTAMPTZ '", "||", *(f"{name}(" for name in FUNCTIONS)]  # fmt: skip
    assert [word for word in words if word not in texts] == []


def test_every_key_of_a_declaration_is_explained_and_nothing_else() -> None:
    described = [
        key for entries in reference.models().values() for model in entries.values() for key in reference.keys(model)
    ]
    assert all(key.says for key in described)
    assert {key.name for key in described} == set(reference.fields())


def test_the_organisation_that_is_shown_can_be_declared() -> None:
    file = reference.sections()["Files"]["organisation.yaml"]["file"]
    Organisation.model_validate(read(file["text"], file["name"]).content)


def declared(content: dict[str, Any], folder: Path) -> Definition:
    """The example's definition; a period that an event names is still to be looked up."""
    if not {"from_event", "month_of"} & set(content.get("period", ())):
        return definition(**content, folder=folder)
    named = content.pop("period")
    found = definition(**content)
    return replace(found, key_result=key_result(**content, period=named), period=None)


def is_same(found: Any, expected: Any) -> bool:
    if expected is None or found is None:
        return found is expected
    if isinstance(found, float):
        return found == pytest.approx(float(expected), rel=1e-9)
    if isinstance(found, Decimal):
        return found == Decimal(str(expected))
    return found == expected


def day(written: Any) -> date:
    return written if isinstance(written, date) else date.fromisoformat(written)


def happened(kind: str, at: Any, subject: str, columns: dict[str, Any]) -> dict[str, Any]:
    when = at.strftime("%Y-%m-%d %H:%M") if isinstance(at, datetime) else str(at)
    return event(kind, when, subject, **columns)


def numbers(value: Any) -> Any:
    """Floats as declarations are read: exact."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return Decimal(str(value)) if isinstance(value, float) else value


def test_everything_that_can_be_said_is_in_the_reference() -> None:
    for title, described in reference.models().items():
        assert set(described) == set(reference.sections()[title]), title


def test_every_measure_has_an_example_that_runs() -> None:
    assert all(entry["examples"] for entry in reference.sections()["Measures"].values())


def test_other_entries_are_fields_of_a_key_result() -> None:
    for title in ("What the value is counted over", "Several at once"):
        assert set(reference.sections()[title]) <= set(KeyResult.model_fields)


def test_the_page_is_the_one_that_the_models_give() -> None:
    written = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == reference.documentation(), "run: python -m kr_definitions.reference > docs/reference.md"
