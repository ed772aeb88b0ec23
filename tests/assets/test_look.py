"""`hito explain` and `hito replay`: what is asked of a home, and what is told."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from builders import event, log
from typer.testing import CliRunner

from assets import steps
from assets.cli import app
from pipelines import lake
from pipelines.load import LOADS_SCHEMA

VISITS, SALES, BILLED = "inmobiliaria.ventas.visitas", "inmobiliaria.ventas.operaciones", "inmobiliaria.facturacion"
FIRST = datetime(2026, 3, 11, 5, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)


@pytest.fixture
def told(agency, monkeypatch):
    """Ask the agency's home something on the command line, after a run on the 11th of March."""
    home, catalogue = agency
    steps.remember_progress(home, catalogue, date(2026, 3, 10), FIRST, "first", [VISITS, SALES])
    monkeypatch.setenv("HITO_HOME", str(home.root))
    monkeypatch.setenv("COLUMNS", "200")

    def ask(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, result.output
        return result.output

    return ask


def later(agency, *events) -> None:
    """The log learns of more a day later, and a second run computes it."""
    home, catalogue = agency
    stated = log(events, None, recorded_at=SECOND).collect()
    lake.append(
        home.lake("inmobiliaria").log.path,
        stated.with_columns(source=pl.lit("hubspot"), stream=pl.lit("meetings")),
        writer="test",
    )
    steps.remember_progress(home, catalogue, date(2026, 3, 10), SECOND, "second", [VISITS, SALES])


def test_a_figure_is_told_with_its_definition_and_every_event(told):
    page = told("explain", VISITS, "--on", "2026-03-03")
    assert "2026-03-03: 3 · target 150" in page
    assert "definition 1.0 (" in page
    assert "kr_definitions/inmobiliaria/ventas.yaml:" in page
    assert 3 == page.count("visit.held  2026-03-0")
    assert "3 events; they add up to 3." in page


def test_more_events_than_are_asked_for_are_counted(told):
    assert "3 events (2 more are not shown: --most); they add up to 3." in told(
        "explain", VISITS, "--on", "2026-03-03", "--most", "1"
    )


def test_what_changed_between_two_days_is_told_by_its_events(told):
    page = told("explain", VISITS, "--on", "2026-03-05", "--since", "2026-03-03")
    assert "From 2026-03-03 to 2026-03-05: 3 → 5" in page
    assert "2 entered." in page


def test_a_restated_day_says_what_it_had_been_and_why(agency, told):
    later(agency, event("visit.held", "2026-03-02", "late"))
    page = told("explain", VISITS, "--on", "2026-03-03")
    assert "it had been 3; it moved by: arrived late" in page
    assert "they add up to 4." in page
    assert "they add up to 3." in told("explain", VISITS, "--on", "2026-03-03", "--known-at", FIRST.isoformat())


def test_a_day_without_events_says_so(told):
    assert "No event counts in it." in told("explain", SALES, "--on", "2026-03-01")


def test_the_answer_is_had_for_a_program(told):
    found = json.loads(told("explain", VISITS, "--on", "2026-03-03", "--format", "json"))
    assert (3.0, True, 3) == (found["figure"]["value"], found["adds_up"], len(found["events"]))
    assert {"1.000000"} == {one["numerator"] for one in found["events"]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("inmobiliaria.ventas.vistas",), "Did you mean inmobiliaria.ventas.visitas"),
        (("ventas",), "an id begins with its organisation"),
        ((BILLED,), "is declared, and no run has computed it"),
        ((VISITS, "--on", "2027-01-01"), "has no figure of 2027-01-01: 2026-01-01 to 2026-03-10 is what it has"),
        ((VISITS, "--member", "norte"), "has no member 'norte'. It has none"),
        ((VISITS, "--known-at", "yesterday"), "'yesterday' is no instant. Write it as"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(told, arguments, says):
    assert says in told("explain", *arguments, code=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", VISITS),
        ("replay", "--known-at", SECOND.isoformat(), "-o", "inmobiliaria"),
        ("diff", "-o", "inmobiliaria"),
        ("erase", "-o", "inmobiliaria", "--person", "1", "--yes"),
    ],
)
def test_a_damaged_file_of_the_log_is_told_in_a_line(agency, told, arguments):
    home, _ = agency
    lake.append(home.lake("inmobiliaria").root / "loads", pl.DataFrame(schema=LOADS_SCHEMA), writer="test")
    (file,) = home.lake("inmobiliaria").log.path.glob("*.parquet")
    os.truncate(file, 1000)
    (line,) = told(*arguments, code=1).splitlines()
    assert line.startswith(f"{home.lake('inmobiliaria').log.path}: {file.name} has 1,000 bytes")
    assert "Restore the folder from a backup" in line


def test_a_replay_is_what_was_reported(agency, told):
    later(agency, event("visit.held", "2026-03-02", "late"))
    for at in (FIRST, SECOND + timedelta(minutes=1)):
        page = told("replay", "--known-at", at.isoformat(), "-k", VISITS)
        assert "every figure is what was reported then" in page


def test_a_replay_that_differs_says_why(agency, told):
    home, _ = agency
    stated = log([event("visit.held", "2026-03-02", "late")], None, recorded_at=SECOND).collect()
    lake.append(
        home.lake("inmobiliaria").log.path,
        stated.with_columns(source=pl.lit("hubspot"), stream=pl.lit("meetings")),
        writer="test",
    )
    page = told("replay", "--known-at", SECOND.isoformat(), "-k", VISITS)
    assert "what had reached the log by then, no run had computed yet" in page
    found = json.loads(told("replay", "--known-at", SECOND.isoformat(), "-k", VISITS, "--format", "json"))
    assert ({VISITS: ["not_computed_yet"]}, 9) == (found["reasons"], len(found["differences"]))


def test_a_replay_that_nothing_explains_ends_with_1(agency, told):
    home, _ = agency
    rows = steps.history(home, "inmobiliaria").collect().tail(1)
    at = pl.lit(SECOND, rows.schema["recorded_at"])
    lake.append(home.history("inmobiliaria"), rows.with_columns(recorded_at=at, value=pl.lit(99.0)), writer="test")
    page = told("replay", "--known-at", SECOND.isoformat(), "-k", rows.item(0, "key_result_id"), code=1)
    assert "nothing that is known of explains it" in page
