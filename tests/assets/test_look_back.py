"""`hito explain` of what was reported before a definition changed, and of a key result that was retired."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner

from assets import steps
from assets.cli import app
from assets.home import Home
from kr_definitions.catalogue import FOLDER

VISITS = "inmobiliaria.ventas.visitas"
FIRST = datetime(2026, 3, 11, 5, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)
COUNT = "measure: {count: visit.held, where: \"outcome = 'completed'\"}"


@pytest.fixture
def told(agency, tmp_path, monkeypatch):
    """Ask the agency's home on the command line, after a run by each of two declarations."""
    definitions = tmp_path / "kr_definitions"
    shutil.copytree(FOLDER / "inmobiliaria", definitions / "inmobiliaria")
    home = Home(agency[0].root, definitions)
    sales = definitions / "inmobiliaria" / "ventas.yaml"

    def run(at, old="", new=""):
        text = sales.read_text(encoding="utf-8")
        assert old in text
        sales.write_text(text.replace(old, new), encoding="utf-8")
        steps.remember_progress(home, home.catalogue("inmobiliaria"), date(2026, 3, 10), at, f"run at {at}")

    def ask(*arguments, code=0):
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, result.output
        return result.output

    monkeypatch.setenv("HITO_HOME", str(home.root))
    monkeypatch.setenv("HITO_DEFINITIONS", str(definitions))
    monkeypatch.setenv("COLUMNS", "200")
    run(FIRST)
    return run, ask


def test_what_was_reported_is_explained_by_the_definition_of_then(told):
    run, ask = told
    run(SECOND, "measure: {count: visit.held}", COUNT)
    now = ask("explain", VISITS, "--on", "2026-03-03")
    assert "definition 2.0" in now
    then = ask("explain", VISITS, "--on", "2026-03-03", "--known-at", FIRST.isoformat())
    assert "2026-03-03: 3 · target 150" in then
    assert "definition 1.0" in then
    assert "another one is in force now" in then
    assert "they add up to 3." in then


def test_before_any_run_there_was_nothing_to_explain(told):
    _, ask = told
    before = (FIRST - timedelta(days=1)).isoformat()
    assert "no run had computed it by then; the first one did at 2026-03-11 05:00" in ask(
        "explain", VISITS, "--known-at", before, code=1
    )


def test_a_retired_key_result_says_since_when_it_is_and_what_it_meant(told):
    run, ask = told
    run(SECOND, f"id: {VISITS}", f"id: {VISITS}2")
    page = ask("explain", VISITS, "--on", "2026-03-03")
    assert "definition 1.0" in page
    assert "since 2026-03-11" in page
    assert "retired on 2026-03-12" in page


def test_a_day_is_compared_with_an_earlier_one(told):
    _, ask = told
    page = ask("explain", VISITS, "--on", "2026-03-03", "--since", "2026-03-04", code=1)
    assert "--since 2026-03-04 is not before 2026-03-03" in page


def test_another_window_is_told(told):
    _, ask = told
    page = ask("explain", VISITS, "--on", "2026-03-03", "--since", "2026-02-27")
    assert "Another window: what was counted from 2026-02-01 on is counted from 2026-03-01 on." in page
