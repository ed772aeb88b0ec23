"""What a cell says: numbers, booleans, days and instants, and why it is none of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.files.declaration import Csv, FilesOptions
from pipelines.rows.cells import cell
from pipelines.rows.declaration import Cells, ColumnType, Handwritten
from pipelines.rows.mapping import Mapping
from pipelines.rows.records import KEY, PLACE, PROBLEM, escaped, spoken


def read(
    texts: list[str | None], zone: str = "Europe/Madrid", form: Csv | None = None, **declared: Any
) -> pl.DataFrame:
    value, problem = cell("c", ColumnType(**declared), form or Csv(), declared.get("zone") or zone)
    frame = pl.DataFrame({"c": texts}, schema={"c": pl.String})
    return frame.with_columns(value.alias("value"), problem.alias("problem"))


def said(text: str | None, **declared: Any) -> Any:
    """The value, or the problem as text."""
    _, value, problem = read([text], **declared).row(0)
    assert value is None or problem is None
    return value if problem is None else problem


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("12", {}, Decimal(12)),
        (" -12.50 ", {}, Decimal("-12.5")),
        ("+0.000001", {}, Decimal("0.000001")),
        ("1.5e3", {}, Decimal(1500)),
        ("12,5", {"decimal": ","}, Decimal("12.5")),
        ("1.234.567,89", {"decimal": ",", "thousands": "."}, Decimal("1234567.89")),
        ("1234567,89", {"decimal": ",", "thousands": "."}, Decimal("1234567.89")),
        ("1 234", {"thousands": " "}, Decimal(1234)),
        ("999999999999999", {}, Decimal(999999999999999)),
        (None, {}, None),
    ],
)
def test_a_number_is_exact_in_the_signs_that_are_declared(
    text: str | None, form: dict[str, str], expected: object
) -> None:
    assert said(text, type="number", form=Csv(**form)) == expected


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("12,5", {}),
        ("12.5", {"decimal": ","}),
        ("1.23", {"decimal": ",", "thousands": "."}),
        ("1.2345", {"decimal": ",", "thousands": "."}),
        ("1,234", {}),
        ("12 €", {}),
        ("12 %", {}),
        ("0x10", {}),
        ("1_000", {}),
        ("NaN", {}),
        ("inf", {}),
        ("1.", {}),
        (".5", {}),
        ("--1", {}),
        ("1000000000000000", {}),
        ("٣", {}),
        ("x", {}),
    ],
)
def test_what_is_no_number_in_those_signs_is_told_and_not_guessed(text: str, form: dict[str, str]) -> None:
    assert "is not a number" in said(text, type="number", form=Csv(**form))


def test_booleans_are_the_words_that_are_declared_in_any_letter_case() -> None:
    assert [said(text, type="boolean") for text in ("TRUE", " false ", None)] == [True, False, None]
    spanish = {"type": "boolean", "yes": ["sí", "s"], "no": ["no"]}
    assert [said(text, **spanish) for text in ("Sí", "S", "NO")] == [True, True, False]
    assert said("yes", **spanish) == "c: 'aaa' is not one of sí, s, no"
    assert said("1", type="boolean") == "c: '9' is not one of true, false"


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("2026-03-01", "iso", date(2026, 3, 1)),
        ("1/3/2026", "%d/%m/%Y", date(2026, 3, 1)),
        ("03/01/2026", "%m/%d/%Y", date(2026, 3, 1)),
        ("01.03.26", "%d.%m.%y", date(2026, 3, 1)),
        ("1 Mar 2026", "%d %b %Y", date(2026, 3, 1)),
        ("1772323200", "unix", date(2026, 3, 1)),
    ],
)
def test_a_day_is_read_in_the_format_that_is_declared(text: str, written: str, expected: date) -> None:
    assert said(text, type="date", format=written) == expected


@pytest.mark.parametrize("text", ["31/02/2026", "1/13/2026", "2026-03-01", "1/3/26", "1/3/226", "1/3/20226", "hoy"])
def test_a_day_that_is_none_in_that_format_is_told(text: str) -> None:
    assert "is not a day written as %d/%m/%Y" in said(text, type="date", format="%d/%m/%Y")


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("2026-03-01", "iso", datetime(2026, 2, 28, 23, tzinfo=UTC)),
        ("2026-03-01 10:30", "iso", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-07-01T10:30:15.25", "iso", datetime(2026, 7, 1, 8, 30, 15, 250000, tzinfo=UTC)),
        ("2026-07-01T10:30:15,123456789", "iso", datetime(2026, 7, 1, 8, 30, 15, 123456, tzinfo=UTC)),
        ("2026-03-01T10:30Z", "iso", datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
        ("2026-03-01 10:30:00-05:00", "iso", datetime(2026, 3, 1, 15, 30, tzinfo=UTC)),
        ("2026-03-01 10:30:00 +0530", "iso", datetime(2026, 3, 1, 5, 0, tzinfo=UTC)),
        ("01-03-2026 10:30", "%d-%m-%Y %H:%M", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("03/01/2026 01:05 PM", "%m/%d/%Y %I:%M %p", datetime(2026, 3, 1, 12, 5, tzinfo=UTC)),
        ("01/03/2026 10:30 +0200", "%d/%m/%Y %H:%M %z", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
        ("1772357400", "unix", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("1772357400123", "unix_ms", datetime(2026, 3, 1, 9, 30, 0, 123000, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_its_format_its_zone_or_its_offset(text: str, written: str, expected: datetime) -> None:
    assert said(text, type="instant", format=written) == expected


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-02-30 10:30", "iso"),
        ("2026-03-01 25:00", "iso"),
        ("2026-03-01 10:30 CET", "iso"),
        ("01-03-2026", "iso"),
        ("20260301", "iso"),
        ("0016-03-01 10:30", "iso"),
        ("01-03-16 10:30", "%d-%m-%Y %H:%M"),
        ("x", "unix"),
        ("99999999999999", "unix"),
        ("1772357400123", "unix"),
    ],
)
def test_what_is_no_instant_in_that_format_is_told(text: str, written: str) -> None:
    assert "is not a time" in said(text, type="instant", format=written)


def test_a_local_time_that_the_clock_skips_or_shows_twice_is_told_and_not_guessed() -> None:
    skipped, twice = "2026-03-29 02:30", "2026-10-25 02:30"
    for text in (skipped, twice):
        assert said(text, type="instant") == (
            f"c: Europe/Madrid has no single instant at {text}:00 (the clock changes)"
        )
    assert said("2026-10-25 02:30+02:00", type="instant") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_which_of_two_instants_is_meant_can_be_declared_and_a_skipped_time_is_still_none() -> None:
    assert said("2026-10-25 02:30", type="instant", ambiguous="earlier") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert said("2026-10-25 02:30", type="instant", ambiguous="later") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert "no single instant" in said("2026-03-29 02:30", type="instant", ambiguous="earlier")


@pytest.mark.parametrize(
    ("zone", "day", "beginning"),
    [
        ("America/Sao_Paulo", "2018-11-04", datetime(2018, 11, 4, 3, tzinfo=UTC)),
        ("America/Havana", "2026-11-01", datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("Asia/Kathmandu", "2026-03-01", datetime(2026, 2, 28, 18, 15, tzinfo=UTC)),
    ],
)
def test_a_day_begins_when_it_begins_even_where_the_clock_skips_midnight(
    zone: str, day: str, beginning: datetime
) -> None:
    assert said(day, type="instant", zone=zone) == beginning


@given(
    st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2040, 1, 1)),  # noqa: DTZ001 - without a zone
    st.sampled_from(["Europe/Madrid", "America/Bogota", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]),
)
def test_local_times_are_what_the_zone_makes_them_or_told(local: datetime, zone: str) -> None:
    local = local.replace(microsecond=0)
    either = [local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)]
    is_real = either[0].astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local
    found = said(local.isoformat(), type="instant", zone=zone)
    if is_real and either[0] == either[1]:
        assert found == either[0]
    else:
        assert "no single instant" in found


@given(st.decimals(min_value=-(10**15) + 1, max_value=10**15 - 1, places=6))
def test_every_number_that_has_room_is_read_exactly(number: Decimal) -> None:
    assert said(f"{number:f}", type="number") == number


def test_a_problem_shows_the_shape_of_a_cell_and_none_of_its_letters_or_digits() -> None:
    for text in ("Ana María 612 345 678", "ana@example.com", "12345678Z"):
        for declared in ({"type": "number"}, {"type": "date"}, {"type": "instant"}, {"type": "boolean"}):
            problem = said(text, **declared)
            assert not any(character.isdigit() and character != "9" for character in problem.partition(" is not ")[0])
            assert not any(part in problem for part in ("Ana", "ana", "612", "María", "example"))


def test_a_time_is_in_the_zone_that_the_column_names_and_not_in_the_organisations() -> None:
    assert said("2026-03-01 10:30", type="instant", zone="UTC") == datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    assert said("2026-03-01 10:30", type="instant") == datetime(2026, 3, 1, 10, 30, tzinfo=UTC) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0,123457", None),
        ("4012,35", None),
        ("0,1234560", None),
        ("2,49e-4", None),
        ("0,12345678", "tasa: 0,12345678 has more than six decimals"),
        ("1,2345e-4", "tasa: 1,2345e-4 has more than six decimals"),
        ("-1", "rate.observed: its quantity is negative (tasa)"),
    ],
)
def test_an_exchange_rate_is_not_rounded_in_silence_and_never_negative(text: str, problem: str | None) -> None:
    rate = {"type": "rate.observed", "at": "fecha", "subject": "moneda", "quantity": "tasa"}
    declared = {"path": "x", "format": {"type": "csv", "decimal": ","}, "delivery": "snapshot", "key": "moneda"}
    stream = FilesOptions.model_validate(
        {"streams": {"tasas": {**declared, "columns": {"tasa": "number", "fecha": "date"}, "events": [rate]}}}
    ).streams["tasas"]
    row = {"fecha": "2026-10-06", "moneda": "CHF", "tasa": text, KEY: "CHF", PLACE: "tasas.csv row 2", PROBLEM: None}
    rows = pl.LazyFrame([row], schema=dict.fromkeys(row, pl.String))
    assert Mapping(stream, "Europe/Madrid").understood(rows).collect().item(0, PROBLEM) == problem


@pytest.mark.parametrize(("declared", "text"), [("date", "1926-03-01"), ("instant", "1926-03-01 10:30")])
def test_a_year_that_only_a_slip_of_the_hand_writes_is_refused_where_people_type(declared: str, text: str) -> None:
    column = ColumnType.model_validate({"type": declared})
    told = "when: it is before 1950 (where that stands for no day, name it under nulls)"
    for cells, problem in ((Handwritten(), told), (Cells(), None)):
        read = pl.select(when=pl.lit(text)).select(*cell("when", column, cells, "UTC"))
        assert (read.item(0, 0) is None, read.item(0, 1)) == (problem is not None, problem)


def test_a_key_is_told_as_its_parts_are_written() -> None:
    for text in ("06/10/2026", "a%2Fb", "!a@b", "%25"):
        assert pl.select(spoken(escaped(pl.lit(text)))).item() == text
