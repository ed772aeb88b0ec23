"""`hito explain` and `hito replay`: what is asked of a home, and what is told."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from builders import event, log
from typer.testing import CliRunner

from assets import steps
from assets.cli import app
from assets.home import Home
from assets.publishing import publish_all
from kr_definitions.catalogue import FOLDER
from kr_definitions.seals import SEALS_SCHEMA
from pipelines import lake
from pipelines.load import LOADS_SCHEMA

VISITS, SALES, BILLED = "inmobiliaria.ventas.visitas", "inmobiliaria.ventas.operaciones", "inmobiliaria.facturacion"
FIRST = datetime(2026, 3, 11, 5, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)


@pytest.fixture(scope="module")
def computed(_loaded, tmp_path_factory):
    """Where the agency's run on the 11th of March was made, once."""
    root, catalogue = _loaded
    home = Home(tmp_path_factory.mktemp("computed"))
    shutil.copytree(root, home.root, dirs_exist_ok=True)
    steps.remember_progress(home, catalogue, date(2026, 3, 10), FIRST, "first", [VISITS, SALES])
    return home.root


@pytest.fixture
def told(agency, computed, monkeypatch):
    """Ask the agency's home something on the command line, after a run on the 11th of March."""
    home, _ = agency
    shutil.copytree(computed, home.root, dirs_exist_ok=True)
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
        ((VISITS, "--on", "2026-03-11"), "has no figure of 2026-03-11: 2026-01-01 to 2026-03-10 is what it has"),
        ((VISITS, "--known-at", "yesterday"), "'yesterday' is no instant. Write it as"),
        ((VISITS, "--known-at", "2199-01-01"), "--known-at 2199-01-01 has not come yet: it is "),
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


def test_an_instant_without_a_zone_is_in_the_organisations(agency, told):
    later(agency, event("visit.held", "2026-03-02", "late"))
    just_before, just_after = "2026-03-12T05:59", "2026-03-12T06:01"  # the second run was at 06:00 in Madrid
    assert "they add up to 3." in told("explain", VISITS, "--on", "2026-03-03", "--known-at", just_before)
    assert "they add up to 4." in told("explain", VISITS, "--on", "2026-03-03", "--known-at", just_after)
    assert "as known at 2026-03-12 05:01 UTC" in told("replay", "--known-at", just_after, "-k", VISITS)


def test_a_check_in_and_a_seal_are_told_beside_the_figure(agency, told):
    home, _ = agency
    said = event(
        "check_in.recorded", "2026-03-09", VISITS, as_of=date(2026, 3, 9), confidence="0.7", stated_value="60",
        note="Two more are agreed",
    )  # fmt: skip
    stated = log([said], None, recorded_at=FIRST).collect()
    lake.append(home.lake("inmobiliaria").log.path, stated, writer="test")
    seal = {
        "key_result_id": VISITS, "period_start": date(2026, 1, 1), "period_end": date(2026, 3, 31),
        "as_of": date(2026, 3, 31), "definition_version": "1.0", "value": 11.0, "score": 0.25, "recorded_at": SECOND,
    }  # fmt: skip
    lake.append(home.seals("inmobiliaria"), pl.DataFrame([seal], schema=dict(SEALS_SCHEMA)), writer="test")
    page = told("explain", VISITS, "--on", "2026-03-09")
    assert "said       a person's word of 2026-03-09: confidence 70% · value 60" in page
    assert "“Two more are agreed”; nothing computed moves by it" in page
    assert "sealed     2026-03-12 06:00, of 2026-03-31: score 0.25, value 11; that stays" in page
    before = told("explain", VISITS, "--on", "2026-03-08", "--known-at", FIRST.isoformat())
    assert ("said  " in before, "sealed  " in before) == (False, False)
    found = json.loads(told("explain", VISITS, "--on", "2026-03-09", "--format", "json"))
    assert (60.0, 0.25) == (found["check_in"]["stated_value"], found["seal"]["score"])


def test_what_is_deployed_is_told_also_where_the_declarations_are_wrong(agency, told, tmp_path, monkeypatch):
    folder = tmp_path / "kr_definitions"
    shutil.copytree(FOLDER / "inmobiliaria", folder / "inmobiliaria")
    (folder / "inmobiliaria" / "ventas.yaml").write_text("objective: [", encoding="utf-8")
    monkeypatch.setenv("HITO_DEFINITIONS", str(folder))
    page = told("explain", VISITS, "--on", "2026-03-03")
    assert "2026-03-03: 3 · target 150" in page
    assert "what is declared now is wrong (hito validate)" in page
    asked = ("replay", "--known-at", SECOND.isoformat(), "-o", "inmobiliaria")
    page = told(*asked)
    assert "what is declared is wrong (hito validate): by what is deployed" in page
    assert "every figure is what was reported then" in page
    assert "deployed" == json.loads(told(*asked, "--format", "json"))["definitions"]
    assert "every figure is what was reported then" in told("replay", "--known-at", SECOND.isoformat(), "-k", VISITS)


@pytest.fixture
def published_alone(agency, told):
    """The published file, and nothing else of the home."""
    home, catalogue = agency
    publish_all(home, [catalogue], FIRST, "first")
    shutil.rmtree(home.root / "lake")
    return home


def test_without_the_log_it_is_told_what_the_published_file_says(published_alone, told):
    page = told("explain", VISITS, code=1)
    assert f"{VISITS}: there is no log in {published_alone.root}" in page
    assert "hito.duckdb says of 2026-03-10: 10" in page
    assert f"SELECT * FROM explained('{VISITS}', DATE '2026-03-10')" in page


@pytest.mark.parametrize("asked", [(), ("-o", "inmobiliaria"), ("-k", VISITS)])
def test_without_a_log_nothing_is_replayed(published_alone, told, asked):
    page = told("replay", "--known-at", SECOND.isoformat(), *asked, code=1)
    assert page.startswith("there is no log")
    assert f"in {published_alone.root} beside hito.duckdb, and it takes the log" in page


def test_what_is_no_instant_is_told_before_anything_else(published_alone, told):
    assert told("replay", "--known-at", "nunca", code=1).startswith("'nunca' is no instant. Write it as 2026-")


def test_only_organisations_of_which_there_is_a_log_are_replayed(told):
    page = told("replay", "--known-at", SECOND.isoformat(), code=0)
    assert {"inmobiliaria"} == {line.partition(":")[0] for line in page.splitlines() if not line.startswith(" ")}


def test_in_a_sandbox_what_has_not_come_is_what_its_companies_have_not_seen(agency, told, monkeypatch):
    monkeypatch.delenv("HITO_NOW", raising=False)
    (agency[0].root / "sandbox.json").write_text('{"seed": 1, "today": "2026-03-12"}')
    for asked in ((), ("-k", VISITS)):
        page = told("replay", "--known-at", "2026-03-13", *asked, code=1)
        assert "--known-at 2026-03-13 has not come yet: it is 2026-03-12" in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--known-at", "2199-01-01"), "--known-at 2199-01-01 has not come yet"),
        (("--known-at", "2020-01-01", "-k", VISITS), "its log says nothing of then: it begins at 2026-03-11 05:00"),
        (("--known-at", "2026-03-12", "-k", "ventas.visitas"), f"no key result ventas.visitas. Did you mean {VISITS}?"),
        (("--known-at", "2026-03-12", "-k", "nope"), "no key result nope. An id begins with its organisation:"),
        (("--known-at", "2026-03-12", "-k", f"{VISITS}s"), f"Did you mean {VISITS}"),
        (("--known-at", "2026-03-12", "-k", VISITS, "-o", "revops"), f"{VISITS} is not of revops"),
        (("--known-at", "2026-03-12", "-o", "nope"), "no such organisation"),
    ],
)
def test_what_cannot_be_replayed_is_told_in_a_line(told, arguments, says):
    assert says in told("replay", *arguments, code=1)


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
    assert "1 key result, " in page
    assert "0 are what was reported then; 1 is not:" in page
    found = json.loads(told("replay", "--known-at", SECOND.isoformat(), "-k", VISITS, "--format", "json"))
    assert ({VISITS: ["not_computed_yet"]}, 9) == (found["reasons"], len(found["differences"]))


def test_a_replay_that_nothing_explains_ends_with_1(agency, told):
    home, _ = agency
    rows = steps.history(home, "inmobiliaria").collect().tail(1)
    at = pl.lit(SECOND, rows.schema["recorded_at"])
    lake.append(home.history("inmobiliaria"), rows.with_columns(recorded_at=at, value=pl.lit(99.0)), writer="test")
    page = told("replay", "--known-at", SECOND.isoformat(), "-k", rows.item(0, "key_result_id"), code=1)
    assert "nothing that is known of explains it" in page
