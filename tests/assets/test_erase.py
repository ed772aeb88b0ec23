"""`hito erase` on the terminal: whom it refuses, what it asks, and what it takes out of Dagster's records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from bytes_of import mentions
from one_person import LUCIA, QUIQUE, World
from typer.testing import CliRunner

from assets import dagster_records
from assets.cli import app
from assets.home import Home, clock
from assets.run import _instance, only_run
from pipelines import lake
from pipelines.check_ins import CheckIn
from pipelines.load import bring_up_to_date, fetch


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """After one run of the real job."""
    with pytest.MonkeyPatch.context() as environment:
        built = World(tmp_path_factory.mktemp("world"), environment)
        assert not built.run().failed
        yield built


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_somebody_who_is_not_known_is_told_and_nothing_is_written(world):
    before = files(world.root)
    code, output = world.hito("erase", "-o", "agencia", "--person", "nobody-at-all", "--yes")
    assert (1, "Nobody is known by this id in crm, soporte, cobros, hojas, check_ins. Nothing was written.") == (
        code,
        output.strip(),
    )
    assert before == files(world.root)


def test_somebody_who_is_known_elsewhere_is_not_known_in_the_source_that_is_named(world):
    code, output = world.hito("erase", "-o", "agencia", "--person", str(QUIQUE), "--source", "cobros", "--yes")
    assert (1, "Nobody is known by this id in cobros. Nothing was written.") == (code, output.strip())


def test_a_source_that_there_is_not_is_refused(world):
    code, output = world.hito("erase", "-o", "agencia", "--person", str(QUIQUE), "--source", "erp", "--yes")
    assert (2, "agencia has no source erp: choose from crm, soporte, cobros, hojas, check_ins") == (
        code,
        output.strip(),
    )


def test_a_kind_of_id_that_nobody_has_is_refused_with_those_that_there_are(world):
    before = files(world.root)
    code, output = world.hito("erase", "-o", "agencia", "--person", str(QUIQUE), "--as", "costumer", "--yes")
    assert (2, True) == (code, output.startswith("Nobody has an id as costumer here: choose from "))
    assert {"contact", "owner", "customer", "signer"} < set(output.strip().partition("choose from ")[2].split(", "))
    assert before == files(world.root)


@pytest.mark.parametrize("person", ["", "  "])
def test_an_id_that_is_empty_is_refused(world, person):
    code, output = world.hito("erase", "-o", "agencia", "--person", person, "--yes")
    assert (1, True) == (code, "--person is empty" in output)


def test_where_nothing_was_ever_read_that_is_told_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("HITO_HOME", str(tmp_path / "other"))
    monkeypatch.delenv("HITO_DEFINITIONS", raising=False)
    result = CliRunner().invoke(app, ["erase", "-o", "inmobiliaria", "--person", "1", "--yes"])
    assert (1, True) == (result.exit_code, "nothing was ever read of inmobiliaria in" in result.output)
    assert str(tmp_path / "other") in result.output
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("asked", [["--sandbox"], []])
def test_a_simulated_person_is_erased_at_the_present_of_their_company(tmp_path, monkeypatch, asked):
    monkeypatch.setenv("HITO_HOME", str(tmp_path))
    for name in ("HITO_NOW", "HITO_DEFINITIONS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "sandbox.json").write_text('{"seed": 1, "today": "2026-03-30"}')
    monkeypatch.setenv("SOURCES__INBOUND__PSEUDONYM_KEY", "sandbox")
    home, present = Home(tmp_path), datetime(2026, 3, 30, 11, tzinfo=UTC)
    catalogue = home.catalogue("inbound")
    said = CheckIn("inbound.ventas.cierres", date(2026, 3, 29), home.pseudonym("inbound")("ana"), Decimal(1))
    home.inbox("inbound").add(said, present)
    (own,) = [source for source in home.sources(catalogue) if source.name == "check_ins"]
    fetch(own, home.lake("inbound"), clock(), present)
    bring_up_to_date([own], home.lake("inbound"), present)
    monkeypatch.delenv("SOURCES__INBOUND__PSEUDONYM_KEY")
    result = CliRunner().invoke(app, ["erase", "-o", "inbound", "--person", "ana", "--yes", *asked])
    assert 0 == result.exit_code, result.output
    erased = home.lake("inbound").log.scan().filter(pl.col("event_type") == "record.erased").collect()
    assert [present.date()] == [at.date() for at in erased.get_column("recorded_at")]


@pytest.mark.parametrize("says", ["n\n", "\n", None])
def test_nothing_is_written_without_a_yes(world, says):
    before = files(world.root)
    code, output = world.hito("erase", "-o", "agencia", "--person", str(QUIQUE), says=says)
    assert code == 1
    assert "crm.deals" in output
    assert "It goes for good" in output
    assert before == files(world.root)


def test_only_one_of_the_home_is_at_work(world):
    with only_run(world.home):
        code, output = world.hito("erase", "-o", "agencia", "--person", str(QUIQUE), "--yes")
    assert code == 1
    assert "another run is at work" in output
    assert not (world.lake.root / "suppressed").exists()


def test_a_yes_on_the_terminal_erases_in_the_source_that_is_named_and_only_there(world):
    code, _ = world.hito("erase", "-o", "agencia", "--person", str(QUIQUE), "--source", "soporte", says="y\n")
    assert code == 0
    found = mentions(world.root / "lake" / "agencia" / "raw", [str(QUIQUE)])
    assert {"crm", "cobros", "hojas"} == {name.split("/")[0] for name in found}


def test_what_had_been_published_goes_where_it_cannot_be_published_anew(world, monkeypatch):
    def fail(*arguments, **named):
        raise OSError(28, "No space left on device")

    assert world.home.published.exists()
    monkeypatch.setattr("assets.publishing.publish", fail)
    code, output = world.hito("erase", "-o", "agencia", "--person", str(LUCIA), "--source", "soporte", "--yes")
    assert code == 1
    assert f"{world.home.published} was removed: it could not be made anew. hito run publishes again" in output
    assert not world.home.published.exists()
    monkeypatch.undo()
    code, output = world.hito("erase", "-o", "agencia", "--person", str(LUCIA), "--source", "soporte", "--yes")
    assert "An erasure that had been cut off is complete." in output
    assert not (world.lake.root / "erasing").exists()


def test_an_erasure_that_was_cut_off_is_completed_by_the_next_run(world, monkeypatch):
    def cut(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.lake.rewrite", cut)
    code, _ = world.hito("erase", "-o", "agencia", "--person", str(LUCIA), "--source", "crm", "--yes")
    monkeypatch.undo()
    assert code == 130
    assert (world.lake.root / "erasing").read_text() == "sweep"
    assert not world.run().failed
    assert not (world.lake.root / "erasing").exists()
    assert {} == mentions(world.root / "lake" / "agencia" / "raw" / "crm", [str(LUCIA)])
    rows = lake.stored(world.lake.root / "events").collect()
    assert rows.filter(rows["account_id"] == str(LUCIA), rows["source"] == "crm").is_empty()


# --- Dagster's records ------------------------------------------------------------------------------------------------


def test_a_run_that_tells_of_somebody_is_taken_out_of_dagsters_records_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr("assets.home.PROJECT", tmp_path)
    who, other = "cus_A1B2C3", "cus_Z9Y8X7"

    @dg.asset(check_specs=[dg.AssetCheckSpec("c", asset="told")])
    def told(context):
        context.log.error(f"{who} is strange")
        print(f"{who} again")
        yield dg.MaterializeResult(
            metadata={"who": who},
            check_results=[
                dg.AssetCheckResult(passed=False, check_name="c", metadata={"row": dg.MetadataValue.json({"m": who})})
            ],
        )

    @dg.asset
    def failed() -> None:
        raise ValueError(f"conversion failed for 'José {who}'")

    @dg.asset
    def quiet(context) -> None:
        context.log.info(f"{other} and longer_{who}")

    assets = {"told": told, "failed": failed, "quiet": quiet}
    jobs = [dg.define_asset_job(f"of_{name}", [one]) for name, one in assets.items()]
    defs = dg.Definitions(assets=list(assets.values()), jobs=jobs, executor=dg.in_process_executor)
    home = Home(tmp_path)
    with _instance(home) as instance:
        for name in assets:
            defs.resolve_job_def(f"of_{name}").execute_in_process(instance=instance, raise_on_error=False)
    assert len(mentions(home.dagster, [who])) > 3
    assert 2 == dagster_records.forget(home.dagster, [who, f"José {who}", "12"])
    assert {f"longer_{who}"} == {
        text for found in mentions(home.dagster, [who, f"longer_{who}"]).values() for text in found
    } - {who}
    with _instance(home) as instance:
        assert ["of_quiet"] == [run.job_name for run in instance.get_runs()]
        assert instance.get_latest_materialization_event(dg.AssetKey("told")) is None
        assert defs.resolve_job_def("of_quiet").execute_in_process(instance=instance).success
    assert 0 == dagster_records.forget(home.dagster, [who])


def test_records_that_somebody_is_at_work_on_are_told(tmp_path):
    folder = tmp_path / "history"
    folder.mkdir()
    holder = sqlite3.connect(folder / "runs.db", isolation_level=None)
    holder.execute("CREATE TABLE runs (run_id TEXT, body TEXT)")
    holder.execute("INSERT INTO runs VALUES ('r1', 'of cus_A1B2C3')")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(dagster_records.RecordsInUse, match="End Dagster"):
        dagster_records.forget(tmp_path, ["cus_A1B2C3"])
    holder.close()
