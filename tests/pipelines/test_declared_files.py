"""Exported files through the mappings that organisations declare, up to the key results that are measured with them."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from kr_definitions import catalogue
from kr_definitions.compute import compute
from pipelines.files import FILES, FilesOptions
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.sandbox.sheets import SHEETS
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Account

PRESENT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key_result: str, file: str, *rows: str, day: date
) -> dict[str, Any]:
    """The figures of a day of a key result, from the rows of one file under the columns that its export has."""
    organisation, folder = key_result.partition(".")[0], tmp_path / "files"
    folder.mkdir()
    header = ";".join(("id", *SHEETS[organisation][file].columns))
    path = folder / f"{file}.csv"
    path.write_text("\n".join((header, *rows, "")), encoding="utf-8")
    os.utime(path, (PRESENT.timestamp(), PRESENT.timestamp()))
    monkeypatch.setenv(f"SOURCES__{organisation.upper().replace('-', '_')}__{file.upper()}__FOLDER", str(folder))
    declared = catalogue.load(organisation)
    options = FilesOptions.model_validate(declared.organisation.sources[file].options)
    source = Source(FILES, Account(organisation, file, declared.organisation.zone), options)
    lake = Lake(tmp_path / "lake")
    (loaded,) = fetch(source, lake, SharedClock(tmp_path / "clock.json", PRESENT), PRESENT)
    assert loaded.failure is None
    bring_up_to_date([source], lake, PRESENT)
    assert lake.quarantine().collect().is_empty()
    (definition,) = (one for one in declared.definitions if one.id == key_result)
    return compute([definition], declared.organisation, lake.log.scan(), day).row(-1, named=True)


def test_of_three_prospects_who_joined_a_demonstration_two_stayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        "1;10/2/2026;101;crm;0,95",
        "2;11/02/2026;101;A;0,2",
        "3;12/2/2026;102;crm;0,9",
        "4;13/2/2026;103;crm;",  # joined, and nobody knows for how long
        "5;13/2/2026;;crm;1",  # somebody whom the CRM does not know
    )
    found = measured(
        tmp_path, monkeypatch, "ventas-b2b.preventa.permanencia_demo", "demostraciones", *rows, day=date(2026, 2, 28)
    )
    assert (found["value"], found["numerator"], found["denominator"]) == (2 / 3, 2, 3)


def test_of_three_people_to_whom_the_training_was_assigned_two_have_completed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        "1;10/1/2026;;Procesos de venta;ventas;7001",
        "2;12/1/2026;1/2/2026;Procesos de venta;ventas;7001",  # enrolled twice, done once
        "3;10/11/2025;20/2/2026;Procesos de venta;soporte;7002",  # assigned before the period
        "4;10/11/2025;;Procesos de venta;soporte;7003",
    )
    found = measured(tmp_path, monkeypatch, "revops.procesos.formacion", "formacion", *rows, day=date(2026, 2, 28))
    assert (found["value"], found["numerator"], found["denominator"]) == (2 / 3, 2, 3)
