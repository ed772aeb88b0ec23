"""The example of docs/sql.md does what it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from warehouse import Warehouse

from pipelines.sql import SqlOptions

DOCS = Path(__file__).parents[2] / "docs" / "sql.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def test_the_events_of_the_example_are_those_that_are_shown(tmp_path: Path, database: Any) -> None:
    for script in blocks("sql"):
        database.run(*filter(str.strip, script.split(";")))
    (declared,) = (yaml.safe_load(block) for block in blocks("yaml"))
    options = declared["sources"]["crm"]["options"]
    warehouse = Warehouse(tmp_path, database, options["streams"])
    ((loaded,), _) = warehouse.load()
    assert loaded.failure is None
    assert loaded.covered is not None
    assert loaded.covered.end == datetime(2026, 3, 9, 6, tzinfo=UTC)
    events = warehouse.events("occurred_at", "event_type", "subject_id", "amount", "pipeline", "stage")
    found = [
        [f"{at:%Y-%m-%d %H:%M}", type_, subject, f"{amount.normalize():f}" if amount else "-", pipeline, stage or ""]
        for at, type_, subject, amount, pipeline, stage in events
    ]
    (shown,) = blocks("text")
    assert [re.split(r" {2,}", line) for line in shown.strip().splitlines()] == [
        row if row[-1] else row[:-1] for row in found
    ]


def test_every_option_is_described() -> None:
    text = DOCS.read_text(encoding="utf-8")
    (stream,) = (SqlOptions.model_fields["streams"].annotation.__args__[1],)  # type: ignore[union-attr]
    described = set(re.findall(r"`(\w+)", text)) | {"shape"}
    assert set(stream.model_fields) - described == {"late_days", "most_removed"}
