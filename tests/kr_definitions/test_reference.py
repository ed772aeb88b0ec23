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

ROOT = Path(__file__).parents[2]
EXAMPLES = [
    pytest.param(example, id=f"{name}-{n}")
    for entries in reference.sections().values()
    for name, entry in entries.items()
    for n, example in enumerate(entry["examples"])
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_gives_what_it_says(example: dict[str, Any]) -> None:
    content = numbers(example["key_result"])
    asked = declared({"measure": None, "target": None, **content})
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


def declared(content: dict[str, Any]) -> Definition:
    """The example's definition; a period that an event names is still to be looked up."""
    if not {"from_event", "month_of"} & set(content.get("period", ())):
        return definition(**content)
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
    without = [name for name, entry in reference.sections()["Measures"].items() if not entry["examples"]]
    assert without == ["function"]  # its example is a file: test_measures_function.py runs one


def test_other_entries_are_fields_of_a_key_result() -> None:
    for title in ("What the value is counted over", "Several at once"):
        assert set(reference.sections()[title]) <= set(KeyResult.model_fields)


def test_the_page_is_the_one_that_the_models_give() -> None:
    written = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == reference.documentation(), "run: python -m kr_definitions.reference > docs/reference.md"
