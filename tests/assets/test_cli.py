"""The command line: exit codes, and lines that a person can act on instead of tracebacks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from agency_results import publication
from typer.testing import CliRunner

from assets.cli import app
from assets.publication import publish, read
from kr_definitions import remembering
from kr_definitions.catalogue import FOLDER
from kr_definitions.compute import compute
from pipelines.sandbox.stand_in import SharedClock

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def hito(monkeypatch, tmp_path):
    """Run `hito` with a home and (where a test copies some) declarations of its own; gives exit code and output."""
    monkeypatch.setenv("HITO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, definitions: Path | None = None) -> tuple[int, str]:
        if definitions is not None:
            monkeypatch.setenv("HITO_DEFINITIONS", str(definitions))
        result = CliRunner().invoke(app, list(arguments))
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    return run


@pytest.fixture
def declared(tmp_path):
    """A copy of the shipped declarations that a test may spoil."""
    folder = tmp_path / "kr_definitions"
    shutil.copytree(FOLDER / "inmobiliaria", folder / "inmobiliaria")
    return folder


def spoil(file: Path, before: str, after: str) -> int:
    """Replace the only occurrence of a text; gives its line."""
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1
    file.write_text(text.replace(before, after), encoding="utf-8")
    return text[: text.index(before)].count("\n") + 1


def of_declared_and_found(line: str) -> str:
    """A summary without what it says of rules that are off."""
    return re.sub("; [0-9]+ rules? off.*", "", line)


def test_validate_says_what_is_declared(hito):
    code, output = hito("validate")
    assert (code, [of_declared_and_found(line) for line in output.splitlines()]) == (
        0,
        [
            "inbound: 3 objectives, 3 key results",
            "inmobiliaria: 4 objectives, 17 key results",
            "revops: 5 objectives, 15 key results",
            "ventas-b2b: 8 objectives, 33 key results",
            "ventas-marketing: 4 objectives, 14 key results",
        ],
    )


def test_validate_tells_every_problem_with_its_line(hito, declared):
    sales = declared / "inmobiliaria" / "ventas.yaml"
    customers = declared / "inmobiliaria" / "clientes.yaml"
    company = declared / "inmobiliaria" / "empresa.yaml"
    lines = {
        "no event type 'visit.hold'": spoil(sales, "{count: visit.held}", "{count: visit.hold}"),
        "an unknown column, mandat": spoil(sales, "mandate = 'exclusive'", "mandat = 'exclusive'"),
        "'evry' is not known here": spoil(sales, "    every: week\n", "    evry: week\n"),
        "'target' is missing": spoil(customers, "    target: {value: 60}\n", "") - 7,
        "it ends (2026-01-01) before it begins (2026-12-31)": spoil(
            company, "period: {year: 2026}", "period: {from: 2026-12-31, until: 2026-01-01}"
        ),
    }
    code, output = hito("validate", definitions=declared)
    assert code == 1
    for found, line in lines.items():
        told = [row for row in output.splitlines() if found in row]
        assert told, f"{found!r} is not in\n{output}"
        assert told[0].split(": ")[0].endswith(f".yaml:{line}"), told
    summary = of_declared_and_found(output.splitlines()[-1])
    assert summary == f"inmobiliaria: 4 objectives, 17 key results; {len(lines)} errors"


def test_validate_tells_errors_before_warnings_before_remarks_each_by_file_and_line(hito, declared):
    folder = declared / "inmobiliaria"
    organisation = folder / "organisation.yaml"
    spoil(organisation, 'counts.objectives: {off: "The', 'counts.objectivs: {off: "The')
    spoil(organisation, "  cadence.quarterly: {off:", "  # cadence.quarterly: {off:")
    spoil(organisation, "kind: stripe", "kind: strip")
    spoil(folder / "ventas.yaml", "{count: visit.held}", "{count: visit.hold}")
    code, output = hito("validate", definitions=declared)
    told = [tuple(row.split(": ")[:2]) for row in output.splitlines()[:-1]]
    ranks = {"error": 0, "warning": 1, "remark": 2}
    rows = [(ranks[severity], place.split(":")[0], int(place.split(":")[1])) for place, severity in told]
    assert code == 1
    assert rows == sorted(rows)
    assert {0, 1, 2} == {rank for rank, _, _ in rows}
    summary = of_declared_and_found(output.splitlines()[-1])
    assert summary == "inmobiliaria: 4 objectives, 17 key results; 3 errors, 4 warnings, 3 remarks"


def test_validate_ends_well_where_there_are_only_warnings_and_remarks(hito, declared):
    spoil(declared / "inmobiliaria" / "ventas.yaml", "  why: Sales closed are what is invoiced.\n", "")
    code, output = hito("validate", definitions=declared)
    told = "ventas.yaml:1: warning: inmobiliaria.ventas: no reason why. Add why: what reaching it is good for"
    assert (0, True) == (code, f"{told} [objective.why]\n" in output)


def test_validate_tells_what_is_switched_off_only_where_it_is_asked_to(hito):
    asked, plain = hito("validate", "-v")[1], hito("validate")[1]
    line = "ventas-marketing: counts.objectives is switched off: The guide gives each team one objective in the quarter"
    assert (True, False) == (line in asked, "switched off" in plain)
    rules, told = asked.count(" is switched off: "), sum(row.startswith("  ") for row in asked.splitlines())
    counted = re.findall("([0-9]+) rules? off, ([0-9]+) findings?", plain)
    assert (rules, told) == tuple(sum(int(count) for count in counts) for counts in zip(*counted, strict=True))
    assert (
        "  kr_definitions/ventas-marketing/clientes.yaml:6: warning: ventas-marketing.clientes: equipo-clien" in asked
    )


def test_validate_tells_a_wrong_option_together_with_the_objectives_mistakes(hito, declared):
    option = spoil(declared / "inmobiliaria" / "organisation.yaml", "subdomain: agencia", "subdomian: agencia")
    target = spoil(declared / "inmobiliaria" / "ventas.yaml", "target: {value: 150}", "targt: {value: 150}")
    output = hito("validate", definitions=declared)[1]
    assert (True, True) == (f"organisation.yaml:{option}: error" in output, f"ventas.yaml:{target}: error" in output)


def test_validate_tells_of_a_key_result_that_no_source_feeds(hito, declared):
    spoil(declared / "inmobiliaria" / "marketing.yaml", "{count: article.published}", "{count: report.produced}")
    code, output = hito("validate", definitions=declared)
    assert code == 0
    assert "warning: inmobiliaria.marketing.articulos: no source states report.produced. " in output


def test_validate_tells_a_misspelt_source_and_a_wrong_option(hito, declared):
    organisation = declared / "inmobiliaria" / "organisation.yaml"
    line = spoil(organisation, "kind: hubspot", "kind: hubspott")
    code, output = hito("validate", definitions=declared)
    assert code == 1
    assert (
        f"organisation.yaml:{line}: error: source hubspot: no kind of source 'hubspott'. Did you mean hubspot" in output
    )


@pytest.mark.parametrize("command", [("validate",), ("run",), ("report",), ("report", "--sandbox"), ("sandbox",)])
def test_an_unknown_organisation_is_told_with_the_nearest_name(hito, command):
    code, output = hito(*command, "-o", "inmobilaria")
    assert code == 1
    assert "no such organisation. Did you mean inmobiliaria?" in output
    assert "Nothing has been published yet" not in output


def test_the_declarations_of_another_organisation_do_not_matter_to_the_one_that_is_run(
    hito, declared, tmp_path, monkeypatch
):
    (declared / "agencia").mkdir()
    (declared / "agencia" / "organisation.yaml").write_text("not: an organisation\n")
    (declared / "otra").mkdir()
    (declared / "otra" / "ventas.yaml").write_text("objective: {}\n")
    SharedClock(
        clock := tmp_path / "clock.json", datetime(2026, 11, 20, 5, tzinfo=UTC)
    )  # its blog is asked for, and cannot be reached
    monkeypatch.setenv("HITO_CLOCK", str(clock))
    code, output = hito("run", "-o", "inmobiliaria", definitions=declared)
    assert code == 1
    assert not re.search(r"agencia\b(?!\.example)", output)
    assert "SOURCES__INMOBILIARIA__STRIPE__API_KEY" in output
    rows = read(tmp_path / "home" / "hito.duckdb")["current_progress"]
    assert (set(rows["organisation"]), set(rows["status"])) == ({"inmobiliaria"}, {"no_data"})
    code, output = hito("run", definitions=declared)
    assert (code, "otra has declarations but no organisation.yaml" in output) == (1, True)


def test_a_command_that_is_not_one_is_told_with_the_nearest_once(hito):
    code, output = hito("validat")
    assert (code, output.count("Did you mean"), "'validate'" in output) == (2, 1, True)


def test_a_run_without_credentials_names_the_keys_that_are_missing(hito):
    code, output = hito("run", "-o", "inbound")
    assert code == 1
    assert "inbound: inbound." not in output
    assert "SOURCES__INBOUND__HUBSPOT__" in output
    assert ".dlt/secrets.toml" in output


def test_a_run_in_which_a_check_holds_figures_back_fails_and_says_whose(hito, tmp_path, monkeypatch):
    shutil.copytree(FOLDER / "inbound", tmp_path / "kr_definitions" / "inbound")
    organisation = tmp_path / "kr_definitions" / "inbound" / "organisation.yaml"
    organisation.write_text(organisation.read_text().partition("\nsources:")[0])  # nothing that could not be read
    good, output = hito("run", definitions=tmp_path / "kr_definitions")
    assert good == 0, output

    def spoilt(*asked):
        is_hit = pl.col("key_result_id") == "inbound.ventas.cierres"
        return compute(*asked).with_columns(pl.when(is_hit).then(float("inf")).alias("forecast"))

    monkeypatch.setattr(remembering, "compute", spoilt)
    code, output = hito("run", definitions=tmp_path / "kr_definitions")
    (told,) = [line for line in output.splitlines() if line.startswith("inbound: held back: ")]
    assert code == 1
    assert told.startswith(
        "inbound: held back: inbound.ventas.cierres: computed_progress.figures_are_finite: No figure"
    )


def test_today_is_for_sandboxes_only(hito):
    code, output = hito("run", "--today", "2026-11-21")
    assert (code, "real accounts are always read today" in output) == (2, True)


@pytest.mark.parametrize("kind", ["objective", "organisation"])
def test_the_schema_beside_the_docs_is_the_one_that_the_models_give(hito, kind):
    """To accept a change: .venv/bin/hito schema objective > docs/schema/objective.schema.json."""
    assert hito("schema", kind) == (0, (PROJECT / "docs" / "schema" / f"{kind}.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("command", [("run", "--sandbox"), ("sandbox",)])
def test_a_sandbox_cannot_be_in_the_future(hito, command):
    code, output = hito(*command, "--today", "2199-01-01")
    assert (code, "2199-01-01 has not come yet" in output, "HITO_HOME=.hito/then" in output) == (2, True, True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"seed": 1}', '{"seed": 1, "today": "soon"}'])
def test_a_damaged_note_of_a_sandbox_is_told(hito, tmp_path, content):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "sandbox.json").write_text(content)
    code, output = hito("run", "--sandbox", "-o", "inbound", "--today", "2026-03-30")
    assert code == 1
    assert output.startswith(f"{tmp_path / 'home' / 'sandbox.json'} does not say any more whose companies")


@pytest.mark.parametrize("command", [("report", "-o", "inmobiliaria"), ("validate", "-o", "inbound")])
def test_a_full_disk_is_told_without_naming_a_folder_that_has_room(tmp_path, command):
    publish(tmp_path / "hito.duckdb", publication())
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [Path(sys.executable).with_name("hito"), *command],
            env={**os.environ, "HITO_HOME": str(tmp_path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "No space left on device. Make room where this output goes and where the home is (HITO_HOME), "
        "or choose other places\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ("report", "-o", "inmobiliaria"),
        ("validate", "-o", "inbound"),
        ("diff", "-o", "inmobiliaria", "--format", "markdown"),
    ],
)
def test_whoever_reads_no_further_is_told_nothing(tmp_path, command):
    publish(tmp_path / "hito.duckdb", publication())
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [Path(sys.executable).with_name("hito"), *command],
        env={**os.environ, "HITO_HOME": str(tmp_path)},
        stdout=writes,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writes)
    assert (141, False) == (done.returncode, "pipe" in done.stderr)


@pytest.mark.parametrize("command", [("diff", "-o", "inmobiliaria"), ("validate", "-o", "inbound")])
def test_in_a_folder_with_other_declarations_it_is_said_which_ones_are_meant(hito, declared, monkeypatch, command):
    (declared.parent / "home").mkdir()
    publish(declared.parent / "home" / "hito.duckdb", publication())
    monkeypatch.delenv("HITO_DEFINITIONS", raising=False)
    monkeypatch.chdir(declared.parent)
    _, output = hito(*command)
    assert f"{declared} has declarations too, which are not meant: HITO_DEFINITIONS=kr_definitions names them" in output
    assert str(FOLDER) in output
    monkeypatch.chdir(FOLDER.parent)
    assert "has declarations too" not in hito(*command)[1]


def test_a_folder_without_organisations_is_not_all_well(hito, tmp_path):
    code, output = hito("validate", definitions=tmp_path)
    assert (code, "declares no organisation" in output) == (1, True)


def test_a_folder_that_lost_its_organisation_is_told(hito, declared):
    (declared / "agencia").mkdir()
    (declared / "agencia" / "ventas.yaml").write_text("objective: {}")
    code, output = hito("validate", definitions=declared)
    told = f"{declared.name}/agencia:1: error: agencia: no organisation.yaml. Add one beside the declarations"
    assert (code, told in output, str(declared) in output) == (1, True, False)
    assert "inmobiliaria: " in output


def test_what_no_source_says_is_told_of_the_organisations_own_sources(hito, declared):
    spoil(
        declared / "inmobiliaria" / "ventas.yaml", "mandate = 'exclusive'", "mandate = 'exclusive' and category = 'a'"
    )
    referrals = "{count: referral.received, among: {had: deal.won}}"
    spoil(declared / "inmobiliaria" / "clientes.yaml", referrals, "{count: deal.won, where: \"segment = 'a'\"}")
    _, output = hito("validate", "-o", "inmobiliaria", definitions=declared)
    assert "no source says the segment of deal.won, so that it is always empty" in output


def test_a_mistake_in_one_organisation_does_not_keep_the_others_from_being_reviewed(hito, declared):
    spoil(
        declared / "inmobiliaria" / "ventas.yaml", "mandate = 'exclusive'", "CAST(market AS TEXT) = '5' or mandat = 5"
    )
    code, output = hito("validate", definitions=declared)
    assert (code, "an unknown column, mandat" in output) == (1, True)
    assert all(f"{path.parent.name}: " in output for path in declared.glob("*/organisation.yaml"))


def test_a_total_cannot_be_asked_to_fall(hito, declared):
    line = spoil(declared / "inmobiliaria" / "ventas.yaml", "target: {value: 150}", "target: {value: 60, from: 100}")
    code, output = hito("validate", definitions=declared)
    assert (code, f"ventas.yaml:{line}: error: inmobiliaria.ventas.visitas: a running total" in output) == (1, True)


def test_a_language_that_titles_do_not_have_is_told(hito):
    code, output = hito("report", "--language", "fr")
    assert (code, "'fr' is not one of 'es', 'en'" in output) == (2, True)


def test_a_home_that_cannot_be_written_to_is_told(hito, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HITO_HOME", str(tmp_path / "file" / "home"))
    code, output = hito("run")
    assert (code, "Choose a folder that can be written to" in output) == (1, True)
