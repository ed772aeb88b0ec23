"""The hand-kept sheets, as files: what stands in them at an instant, and how people type it."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.sandbox.company import Change, Company, SheetRow, estate_agency
from pipelines.sandbox.sheets import SHEETS, sheet_text, write_sheets

AGENCY = SHEETS["inmobiliaria"]
EVENING = datetime(2026, 3, 12, 19, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def company() -> Company:
    return estate_agency(1, date(2024, 11, 1), date(2025, 12, 31))


def with_rows(*rows: SheetRow) -> Company:
    return Company(
        1, "Europe/Madrid", EVENING.date(), EVENING.date(), (), (), (), (), (), (), (), tuple(rows), {}, {}
    )  # fmt: skip


def flyers(
    id_: str, typed_at: datetime, count: str, *later: Change[dict[str, str]], gone: datetime | None = None
) -> SheetRow:
    cells = {"fecha": "12/3/2026", "zona": "Getafe", "folletos": count}
    return SheetRow("flyers", id_, (Change(typed_at, cells), *later), gone)


def lines(company: Company, present: datetime) -> list[str]:
    return sheet_text(company, AGENCY["buzoneo"], present).splitlines()


def test_a_sheet_has_spanish_headers_and_semicolons() -> None:
    assert lines(with_rows(flyers("F1", EVENING, "250")), EVENING) == [
        "id;fecha;zona;folletos",
        "F1;12/3/2026;Getafe;250",
    ]


def test_a_row_is_not_there_before_it_is_typed_in() -> None:
    row = flyers("F1", EVENING, "250")
    assert lines(with_rows(row), EVENING - timedelta(seconds=1)) == ["id;fecha;zona;folletos"]


def test_rows_stand_in_the_order_in_which_they_were_typed() -> None:
    late, prompt = flyers("F1", EVENING + timedelta(days=3), "210"), flyers("F2", EVENING, "220")
    assert [line[:2] for line in lines(with_rows(late, prompt), EVENING + timedelta(days=4))[1:]] == ["F2", "F1"]


def test_a_correction_replaces_the_value() -> None:
    later = EVENING + timedelta(days=2)
    row = flyers("F1", EVENING, "250", Change(later, {"fecha": "12/3/2026", "zona": "Getafe", "folletos": "190"}))
    assert lines(with_rows(row), later - timedelta(seconds=1))[1].endswith(";250")
    assert lines(with_rows(row), later)[1].endswith(";190")


def test_a_removed_row_leaves_no_trace() -> None:
    row = flyers("F1", EVENING, "250", gone=EVENING + timedelta(days=1))
    assert lines(with_rows(row), EVENING + timedelta(days=1)) == ["id;fecha;zona;folletos"]


def test_what_is_written_is_read_back(company: Company, tmp_path: Path) -> None:
    present = datetime(2026, 1, 1, 5, tzinfo=UTC)
    paths = write_sheets(company, AGENCY, present, tmp_path / "sheets")
    assert sorted(path.name for path in paths) == ["buzoneo.csv", "colaboraciones.csv"]
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            read = {row.pop("id"): row for row in csv.DictReader(file, delimiter=";")}
        sheet = AGENCY[path.stem].rows
        kept = {row.id: row.cells for row in company.sheet_rows if row.sheet == sheet and row.cells[0].at <= present}
        gone = {row.id for row in company.sheet_rows if row.removed_at and row.removed_at <= present}
        assert set(read) == set(kept) - gone
        assert all(cells in [change.value for change in kept[id_]] for id_, cells in read.items())


def test_dates_are_typed_with_and_without_zeros(company: Company) -> None:
    text = sheet_text(company, AGENCY["buzoneo"], datetime(2026, 1, 1, tzinfo=UTC))
    days = [line.split(";")[1].split("/")[0] for line in text.splitlines()[1:]]
    assert any(day.startswith("0") for day in days)
    assert any(len(day) == 1 for day in days)


def test_writing_again_gives_the_same_bytes_and_leaves_nothing_else(company: Company, tmp_path: Path) -> None:
    present = datetime(2025, 6, 1, tzinfo=UTC)
    first = {path.name: path.read_bytes() for path in write_sheets(company, AGENCY, present, tmp_path)}
    second = {path.name: path.read_bytes() for path in write_sheets(company, AGENCY, present, tmp_path)}
    assert first == second
    assert {path.name for path in tmp_path.iterdir()} == set(first)
