"""The sheets that the agency exports, as they are kept by hand from one day to the next."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import kr_definitions
from kr_definitions.documents import read
from kr_definitions.events import current
from pipelines.files import FILES, FilesOptions
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.sandbox.company import Change, Company, SheetRow, estate_agency
from pipelines.sandbox.sheets import SHEETS, write_sheets
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Account

MADRID = ZoneInfo("Europe/Madrid")
AGENCY = SHEETS["inmobiliaria"]
DECLARED = Path(kr_definitions.__path__[0]) / "inmobiliaria" / "organisation.yaml"


def sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """The sheets as the agency declares them, in a folder."""
    declared = read(DECLARED.read_text(encoding="utf-8"), "organisation.yaml").content["sources"]
    found = []
    for name in AGENCY:
        monkeypatch.setenv(f"SOURCES__INMOBILIARIA__{name.upper()}__FOLDER", str(folder))
        options = FilesOptions.model_validate(declared[name]["options"])
        found.append(Source(FILES, Account("inmobiliaria", name, "Europe/Madrid"), options))
    return found


def load(used: list[Source], lake: Lake, present: datetime) -> None:
    for source in used:
        (loaded,) = fetch(source, lake, SharedClock(lake.root.parent / "clock.json", present), present)
        assert (loaded.failure, loaded.covered and loaded.covered.end) == (None, present)
    bring_up_to_date(used, lake, present)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=MADRID).astimezone(UTC)


def row(sheet: str, number: str, *cells: tuple[int, dict[str, str]], removed: int | None = None) -> SheetRow:
    changes = tuple(Change(at(day), content) for day, content in cells)
    return SheetRow(sheet, number, changes, None if removed is None else at(removed))


def company(*rows: SheetRow) -> Company:
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone="Europe/Madrid", founded=date(2026, 1, 1), last_day=date(2026, 3, 31), contacts=none,
        listings=none, sales=none, activities=none, tickets=none, invoices=none, videos=none, sheet_rows=rows,
        subscribers={}, views={},
    )  # fmt: skip


def test_what_is_typed_corrected_and_removed_by_hand_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = company(
        row("collaborations", "C1", (2, {"fecha": "2/3/2026", "empresa": "Notaría Retiro", "tipo": "acuerdo"})),
        row("collaborations", "C2", (2, {"fecha": "01/03/2026", "empresa": "Banco Sol", "tipo": "acuerdo"}), removed=4),
        row("collaborations", "C3", (4, {"fecha": "3/3/2026", "empresa": "Mudanzas Ruiz", "tipo": "derivación"})),
        row(
            "flyers", "F1", (2, {"fecha": "2/3/2026", "zona": "Retiro", "folletos": "200"}),
            (4, {"fecha": "2/3/2026", "zona": "Retiro", "folletos": "180"}),
        ),
    )  # fmt: skip
    lake, used = Lake(tmp_path / "lake"), sources(tmp_path / "sheets", monkeypatch)
    for day in (3, 5):
        write_sheets(agency, AGENCY, at(day), tmp_path / "sheets")
        load(used, lake, at(day))
    events = current(lake.log.scan()).filter(pl.col("event_type") != "source.covered").sort("event_type", "subject_id")
    columns = ("event_type", "subject_id", "occurred_at", "name", "category", "market", "quantity")
    assert events.select(columns).collect().rows() == [
        ("collaboration.agreed", "C1", at(2, 0), "Notaría Retiro", "acuerdo", None, None),
        ("collaboration.agreed", "C3", at(3, 0), "Mudanzas Ruiz", "derivación", None, None),
        ("flyers.distributed", "F1", at(2, 0), None, None, "Retiro", Decimal(180)),
    ]
    assert lake.quarantine().collect().is_empty()


def test_two_years_of_sheets_are_understood_to_the_last_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    present = datetime(2026, 11, 1, 6, tzinfo=MADRID).astimezone(UTC)
    write_sheets(estate_agency(1, date(2024, 11, 1), date(2026, 11, 1)), AGENCY, present, tmp_path / "sheets")
    lake = Lake(tmp_path / "lake")
    load(sources(tmp_path / "sheets", monkeypatch), lake, present)
    written = sum(len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in (tmp_path / "sheets").iterdir())
    events = lake.log.scan().filter(pl.col("event_type") != "source.covered").select(pl.len()).collect().item()
    assert (lake.quarantine().collect().height, events) == (0, written)
    assert written > 100
