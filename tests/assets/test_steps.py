"""Write, audit, publish: what fails its check is seen by nobody, is told, and holds nobody else back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pytest
from builders import event, log
from typer.testing import CliRunner

from assets import interruption, steps
from assets import run as running
from assets.cli import app
from assets.commands import explain
from assets.home import Home
from assets.publication import read
from assets.publishing import publish_all
from kr_definitions import remembering
from kr_definitions.catalogue import FOLDER, Catalogue
from kr_definitions.compute import compute
from pipelines import lake, plausibility
from pipelines.load import LOADS_SCHEMA, fetch

FIRST, SECOND = date(2026, 3, 10), date(2026, 3, 11)
VISITS, SALES = "inmobiliaria.ventas.visitas", "inmobiliaria.ventas.operaciones"
BILLED = "inmobiliaria.facturacion"
FLYERS = "inmobiliaria.ventas.buzoneo"
RAN = datetime(2026, 3, 11, 5, tzinfo=UTC)


def morning_after(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 5, tzinfo=UTC) + timedelta(days=1)


def run(agency, day: date, name: str) -> steps.Computed:
    home, catalogue = agency
    computed = steps.remember_progress(home, catalogue, day, morning_after(day), name, [VISITS, SALES])
    publish_all(home, [catalogue], morning_after(day), name)
    return computed


def published(agency, key_result: str) -> dict[str, object]:
    rows = read(agency[0].published)["current_progress"]
    return rows.row(by_predicate=pl.col("key_result_id") == key_result, named=True)


@pytest.fixture
def spoilt(monkeypatch):
    """From now on the visits' progress comes out infinite on the last day, as a wrong formula would have it."""

    def spoil(definitions, organisation, log_, through, *more):
        is_hit = (pl.col("key_result_id") == VISITS) & (pl.col("as_of") == through)
        infinite = pl.when(is_hit).then(float("inf")).otherwise(pl.col("progress")).alias("progress")
        return compute(definitions, organisation, log_, through, *more).with_columns(infinite)

    return lambda: monkeypatch.setattr(remembering, "compute", spoil)


def test_a_key_result_that_fails_its_check_keeps_its_last_good_rows_and_the_others_move_on(agency, spoilt):
    run(agency, FIRST, "good")
    spoilt()
    computed = run(agency, SECOND, "bad")
    assert computed.audit.held_back == (VISITS,)
    assert set(computed.appended.get_column("key_result_id")) == {SALES}
    assert (published(agency, VISITS)["as_of"], published(agency, VISITS)["value"]) == (FIRST, 10.0)
    assert published(agency, SALES)["as_of"] == SECOND


def test_what_failed_is_published_as_data_quality_with_the_key_result_the_day_and_what_was_found(agency, spoilt):
    spoilt()
    run(agency, FIRST, "bad")
    found = read(agency[0].published)["data_quality"].filter(pl.col("concerned") == VISITS)
    assert found.height >= 1
    assert any(VISITS in text and "2026-03-10" in text and "inf" in text for text in found.get_column("found"))


def test_the_rows_come_back_once_the_fault_is_mended(agency, spoilt, monkeypatch):
    run(agency, FIRST, "good")
    spoilt()
    run(agency, SECOND, "bad")
    monkeypatch.undo()
    run(agency, SECOND, "mended")
    assert (published(agency, VISITS)["as_of"], published(agency, VISITS)["value"]) == (SECOND, 11.0)


@pytest.fixture
def by_function(agency, tmp_path):
    """The agency with its visits counted by a Python function; a function that writes what that does."""
    declared = tmp_path / "kr_definitions"
    shutil.copytree(FOLDER / "inmobiliaria", declared / "inmobiliaria")
    sales = declared / "inmobiliaria" / "ventas.yaml"
    text = sales.read_text("utf-8")
    assert text.count("{count: visit.held}") == 1
    sales.write_text(text.replace("{count: visit.held}", "{function: 'vistas:cuenta', of: visit.held, value: count}"))

    def write(name: str, does: str) -> tuple[Home, Catalogue]:
        sales.write_text(sales.read_text("utf-8").replace("vistas:cuenta", f"{name}:cuenta"))
        (sales.parent / f"{name}.py").write_text(f"import polars as pl\n\ndef cuenta(events, windows):\n    {does}\n")
        home = Home(agency[0].root, declared)
        return home, home.catalogue("inmobiliaria")

    return write


def test_a_function_that_fails_keeps_the_last_good_rows_and_the_others_move_on(by_function):
    agency = by_function("vistas", "return windows.with_columns(numerator=pl.lit(3))")
    run(agency, FIRST, "good")
    agency = by_function("vistas", "raise ValueError('x')")
    computed = run(agency, SECOND, "bad")
    assert set(computed.appended.get_column("key_result_id")) == {SALES}
    assert (published(agency, VISITS)["as_of"], published(agency, VISITS)["value"]) == (FIRST, 3.0)
    assert (computed.audit.held_back, computed.audit.passed) == ((VISITS,), False)
    (finding,) = computed.audit.of(VISITS)
    found = "inmobiliaria.ventas.visitas: vistas:cuenta raised ValueError: x"
    assert (finding.check, finding.do) == ("functions.give_what_they_owe", "Mend it")
    assert finding.found.startswith("kr_definitions/inmobiliaria/ventas.yaml:")
    assert finding.found.endswith(found)


def test_a_figure_of_money_says_what_it_holds_in_another_currency_and_without_an_amount(agency):
    home, catalogue = agency
    billed = [
        event("invoice.issued", f"2026-03-0{n}", str(n), amount="100", currency=currency)
        for n, currency in ((1, "EUR"), (2, "USD"), (3, "USD"), (4, "GBP"))
    ]
    later = event("invoice.issued", "2026-03-20", "5", amount="100", currency="CHF")
    unknown = event("invoice.issued", "2026-03-05", "in_6")
    of_stripe = log([*billed, later, unknown], "2026-03-31", types=["invoice.voided"]).collect()
    kept = home.lake("inmobiliaria")
    lake.append(
        kept.log.path, of_stripe.with_columns(source=pl.lit("stripe"), stream=pl.lit("invoices")), writer="test"
    )
    reading = {"source": "stripe", "stream": "invoices", "covered_to": morning_after(FIRST), "recorded_at": RAN}
    lake.append(kept.root / "loads", pl.DataFrame([reading], schema=LOADS_SCHEMA), writer="test")
    of_run = steps.remember_progress(home, catalogue, FIRST, morning_after(FIRST), "first", [BILLED]).audit
    publish_all(home, [catalogue], morning_after(FIRST), "first")
    remarks = read(home.published)["data_quality"].filter(pl.col("is_current"), check="amounts.are_known")
    told = "1 event invoice.issued of stripe without an amount, which count as nothing: in_6"
    assert [remark.found for remark in of_run.of(BILLED)] == remarks["found"].to_list() == [told]
    found = published(agency, BILLED)
    assert (found["status"], found["value"]) == ("unreliable", None)
    assert (found["problem"], found["problem_detail"]) == (
        "no_rate",
        "GBP→EUR 2026-03-04, USD→EUR 2026-03-02 (+1)",
    )


def test_a_run_repeated_appends_nothing(agency):
    run(agency, FIRST, "first")
    assert run(agency, FIRST, "again").appended.height == 0


def test_a_home_in_which_nothing_was_ever_read_publishes_that_nothing_is_known(tmp_path):
    home = Home(tmp_path)
    catalogue = home.catalogue("inmobiliaria")
    steps.remember_progress(home, catalogue, FIRST, morning_after(FIRST), "first")
    publish_all(home, [catalogue], morning_after(FIRST), "first")
    rows = read(home.published)["current_progress"]
    assert rows.height == len(catalogue.definitions)
    assert set(rows["status"]) == {"no_data"}
    assert rows.select("value", "progress", "score").null_count().row(0) == (rows.height,) * 3


@pytest.fixture
def sheets(tmp_path, monkeypatch):
    """A home whose agency exports two sheets into a folder; a function that writes the flyers' rows."""
    folder = tmp_path / "sheets"
    folder.mkdir()
    for name, column in (("buzoneo", "zona;folletos"), ("colaboraciones", "empresa;tipo")):
        (folder / f"{name}.csv").write_text(f"id;fecha;{column}\n")
        monkeypatch.setenv(f"SOURCES__INMOBILIARIA__{name.upper()}__FOLDER", str(folder))

    def write(*rows: str) -> None:
        (folder / "buzoneo.csv").write_text("\n".join(["id;fecha;zona;folletos", *rows, ""]))

    return Home(tmp_path), write


def loaded(home: Home, name: str, day: date = FIRST) -> None:
    """One run's load of the sheets, at an instant that is always the same if no other day is named."""
    catalogue = home.catalogue("inmobiliaria")
    for source in home.sources(catalogue):
        if source.connector.kind == "files":
            fetch(source, home.lake("inmobiliaria"), None, morning_after(day), run_id=name)
    steps.state_events(home, catalogue, morning_after(day), name)


def told(home: Home, name: str) -> tuple[int, int]:
    """How many failures and how many records that were set aside a run tells of."""
    return len(running._unread(home, "inmobiliaria", name)), len(running._set_aside(home, "inmobiliaria", name))


def test_a_run_tells_what_failed_in_it_and_not_again_what_failed_before_though_its_clock_stands_still(
    sheets, monkeypatch
):
    home, write = sheets
    write("1;05/03/2026;Getafe;200", "2;05/03/2026;Getafe;many")
    with monkeypatch.context() as without:
        without.delenv("SOURCES__INMOBILIARIA__COLABORACIONES__FOLDER")
        loaded(home, "first")
    loaded(home, "second")
    assert (told(home, "first"), told(home, "second")) == ((1, 1), (0, 0))
    write("1;05/03/2026;Getafe;200", "2;05/03/2026;Getafe;too many")
    loaded(home, "third")
    assert told(home, "third") == (0, 1)


def as_published(home: Home, name: str) -> tuple[dict[str, object], dict[str, object], list[str]]:
    """The flyers' reading, their key result, and what the checks say that concerns it, as a run publishes them."""
    catalogue = home.catalogue("inmobiliaria")
    publish_all(home, [catalogue], morning_after(FIRST), name)
    tables = read(home.published)
    is_flyers = (pl.col("stream") == "buzoneo") & pl.col("is_latest")
    found = tables["data_quality"].filter(pl.col("concerned").str.contains(FLYERS, literal=True) & pl.col("is_current"))
    return tables["loads"].row(by_predicate=is_flyers, named=True), published((home, None), FLYERS), found["found"]


def test_a_row_that_is_set_aside_is_told_at_its_key_result_by_every_run_until_it_is_mended(sheets):
    home, write = sheets
    write("1;05/03/2026;Getafe;200", "2;05/03/2026;Getafe;many")
    loaded(home, "first")
    loaded(home, "second")
    reading, key_result, found = as_published(home, "second")
    assert (reading["quarantined"], reading["set_aside"]) == (0, 1)
    assert (key_result["set_aside"], key_result["set_aside_in"]) == (1, "buzoneo.buzoneo (1)")
    (told,) = found
    assert told.startswith("1 record of buzoneo.buzoneo set aside: buzoneo.csv row 3: ")
    write("1;05/03/2026;Getafe;200", "2;05/03/2026;Getafe;100")
    loaded(home, "mended")
    reading, key_result, found = as_published(home, "mended")
    assert (reading["set_aside"], key_result["set_aside"], list(found)) == (0, 0, [])


def test_the_checks_of_a_run_and_of_its_key_results_tell_of_what_is_still_set_aside(sheets):
    home, write = sheets
    catalogue = home.catalogue("inmobiliaria")
    write("1;05/03/2026;Getafe;200", "2;05/03/2026;Getafe;many")
    loaded(home, "first")
    _, of_events = steps.state_events(home, catalogue, morning_after(FIRST), "second")
    of_progress = steps.remember_progress(home, catalogue, FIRST, morning_after(FIRST), "second", [FLYERS]).audit
    for audit in (of_events, of_progress):
        (finding,) = audit.of(FLYERS)
        assert (finding.check, finding.severity, finding.failed) == ("records.are_understood", "warning", 1)
    assert of_progress.held_back == ()
    assert of_progress.of(SALES) == ()


def test_an_explanation_tells_what_is_set_aside_or_was_then(sheets):
    home, write = sheets
    catalogue = home.catalogue("inmobiliaria")
    write("1;05/03/2026;Getafe;200", *(f"{n};05/03/2026;Getafe;many {n}" for n in range(2, 7)))
    loaded(home, "first")
    steps.remember_progress(home, catalogue, FIRST, morning_after(FIRST), "first", [FLYERS, SALES])
    begins = "set aside  5 records of buzoneo.buzoneo, which count only for what was said before: buzoneo.csv row 3: "
    (line,) = told_aside(home, FLYERS)
    assert line.startswith(begins)
    assert "row 5" in line
    assert line.endswith("; and 2 more like these; the value may be incomplete or out of date")
    assert told_aside(home, SALES) == []
    (stated,) = json.loads(explain.as_json(explain.answered(home, explain.Question(FLYERS))))["set_aside"]
    assert (stated["stream"], stated["records"], len(stated["problems"])) == ("buzoneo.buzoneo", 5, 5)
    write("1;05/03/2026;Getafe;200", *(f"{n};05/03/2026;Getafe;100" for n in range(2, 7)))
    loaded(home, "mended", SECOND)
    assert told_aside(home, FLYERS) == []
    (line,) = told_aside(home, FLYERS, morning_after(FIRST) + timedelta(hours=1))
    assert line.startswith(begins)


def told_aside(home: Home, key_result: str, known_at: datetime | None = None) -> list[str]:
    """What an explanation says of records that are set aside."""
    answer = explain.answered(home, explain.Question(key_result, known_at=known_at))
    lines = [line.plain for line in explain._heading(answer)]
    return [line for line in lines if "set aside" in line or "are_understood" in line]


def test_a_run_ends_with_what_is_set_aside_in_all_since_whichever_run(sheets, monkeypatch):
    home, write = sheets
    write("1;05/03/2026;Getafe;many", "2;05/03/2026;Getafe;more")
    loaded(home, "first")
    loaded(home, "second")
    assert running._standing_aside(home, "inmobiliaria") == ["inmobiliaria: 2 records of buzoneo.buzoneo"]
    came_to = running.Outcome(standing_aside=["inmobiliaria: 2 records of buzoneo.buzoneo"], failed={"x": ["why"]})
    monkeypatch.setattr(running, "run", lambda home, chosen: came_to)
    monkeypatch.setattr(interruption, "beside", lambda job: job())
    monkeypatch.setenv("HITO_HOME", str(home.root))
    ended = CliRunner().invoke(app, ["run", "-o", "inmobiliaria"])
    assert ended.stderr.splitlines()[-1] == (
        "set aside in all: inmobiliaria: 2 records of buzoneo.buzoneo; what they said before counts on; "
        "the report's checks say what is wrong"
    )


def test_a_stream_that_is_declared_no_more_is_marked_and_nothing_of_it_stands(sheets, tmp_path):
    home, write = sheets
    write("1;05/03/2026;Getafe;many")
    loaded(home, "first")
    declared = tmp_path / "declared"
    shutil.copytree(FOLDER / "inmobiliaria", declared / "inmobiliaria")
    sources = declared / "inmobiliaria" / "organisation.yaml"
    text = sources.read_text("utf-8")
    assert text.count("\n  buzoneo:\n") == 1
    sources.write_text(text.replace("\n  buzoneo:\n", "\n  octavillas:\n"))
    reading, key_result, found = as_published(Home(home.root, declared), "first")
    assert (reading["is_declared"], reading["set_aside"], key_result["set_aside"]) == (False, None, 0)
    assert list(found) == []


def test_a_lake_of_before_runs_were_noted_is_read_on(sheets):
    home, write = sheets
    write("1;05/03/2026;Getafe;200", "2;05/03/2026;Getafe;many")
    loaded(home, "first")
    loads = home.lake("inmobiliaria").root / "loads"
    earlier = home.lake("inmobiliaria").loads().drop("run_id").collect()
    shutil.rmtree(loads)
    lake.append(loads, earlier, writer="test")
    loaded(home, "second")
    noted = home.lake("inmobiliaria").loads().sort("recorded_at").collect().get_column("run_id").to_list()
    assert noted == [None] * 2 + ["second"] * 2


def test_a_load_that_breaks_a_rule_of_events_is_refused_whole(sheets, monkeypatch):
    """The backstop behind plausibility: were it to let a fact of the future through, the log would not."""
    home, write = sheets
    write("1;05/03/2026;Getafe;200", "2;05/03/2062;Getafe;10")
    with monkeypatch.context() as without:
        without.setattr(plausibility, "problem", lambda feeds, now: pl.lit(None, dtype=pl.String))
        with pytest.raises(steps.AuditFailed, match="in_the_future"):
            loaded(home, "refused")
    assert home.lake("inmobiliaria").log.scan().collect().height == 0
    loaded(home, "accepted")
    stated = home.lake("inmobiliaria").log.scan().filter(pl.col("event_type") == "flyers.distributed").collect()
    assert stated.get_column("subject_id").to_list() == ["1"]


# --- objectives -------------------------------------------------------------------------------------------------------


def test_what_is_told_of_objectives_is_kept_and_asked_for_by_what_was_known(agency):
    home, _ = agency
    run(agency, FIRST, "first")
    run(agency, SECOND, "second")
    told = read(home.published)["objective_history"].filter(pl.col("objective_id") == "inmobiliaria.ventas")
    assert {"first", "second"} == set(told["run_id"])
    assert [SECOND] == told.filter(pl.col("run_id") == "second", ~pl.col("is_restatement"))["as_of"].to_list()
    now = read(home.published)["objectives"].filter(pl.col("objective_id") == "inmobiliaria.ventas").sort("as_of")
    with duckdb.connect(str(home.published), read_only=True) as file:
        asked = "SELECT as_of, progress, status FROM {} WHERE objective_id = 'inmobiliaria.ventas' ORDER BY as_of"
        latest = file.execute(asked.format("objectives_as_known_at(now())")).fetchall()
        first_morning = file.execute(asked.format(f"objectives_as_reported(DATE '{SECOND}')")).fetchall()
    assert now.select("as_of", "progress", "status").rows() == latest
    assert FIRST == max(day for day, _, _ in first_morning)


def test_a_run_that_was_killed_before_it_rolled_up_is_caught_up_as_of_then(agency, monkeypatch):
    home, catalogue = agency
    monkeypatch.setattr(steps, "gained", lambda *_: pl.DataFrame())
    run(agency, FIRST, "killed")
    monkeypatch.undo()
    of_then = steps.history(home, "inmobiliaria").select(pl.col("recorded_at").max()).collect().item()
    steps.remember_progress(home, catalogue, SECOND, morning_after(SECOND), "next", [VISITS, SALES])
    told = steps.objective_history(home, "inmobiliaria").collect()
    assert {FIRST} == set(
        told.filter(pl.col("recorded_at") == of_then).group_by("objective_id").agg(pl.max("as_of"))["as_of"]
    )
    assert {SECOND} == set(told.filter(pl.col("recorded_at") > of_then, ~pl.col("is_restatement"))["as_of"])


# --- what is declared changes -----------------------------------------------------------------------------------------


def test_a_run_for_an_earlier_day_goes_as_far_as_the_history(agency):
    run(agency, SECOND, "first")
    assert run(agency, FIRST, "again").figures.get_column("as_of").max() == SECOND


def test_a_key_result_that_is_no_longer_declared_is_retired_by_a_whole_run(agency):
    home, catalogue = agency
    run(agency, FIRST, "first")
    fewer = replace(catalogue, definitions=tuple(d for d in catalogue.definitions if d.id != VISITS))
    steps.remember_progress(home, fewer, SECOND, morning_after(SECOND), "second")
    publish_all(home, [fewer], morning_after(SECOND), "second")
    tables = read(home.published)
    assert "retired" in tables["editions"].filter(pl.col("key_result_id") == VISITS)["change"].to_list()
    assert tables["progress_daily"].filter(pl.col("key_result_id") == VISITS)["is_retired"].all()


def test_an_id_that_was_retired_with_another_meaning_is_held_back_and_told(agency):
    home, catalogue = agency
    run(agency, FIRST, "first")
    visits = next(d for d in catalogue.definitions if d.id == VISITS)
    others = tuple(d for d in catalogue.definitions if d.id != VISITS)
    steps.remember_progress(home, replace(catalogue, definitions=others), FIRST, morning_after(FIRST), "second")
    other = replace(visits, meaning=replace(visits.meaning, content_hash="another"))
    again = replace(catalogue, definitions=(*others, other))
    computed = steps.remember_progress(home, again, SECOND, morning_after(SECOND), "third")
    assert [VISITS] == [name for finding in computed.audit.findings for name in finding.key_results if name == VISITS]
    assert "was retired on" in " ".join(finding.found for finding in computed.audit.findings)
    assert VISITS not in computed.appended["key_result_id"].to_list()


@pytest.mark.parametrize(("late_days", "told"), [(0, 2), (1, 2), (2, 1), (3, 0)])
def test_what_moves_by_a_late_event_after_it_was_final_is_told(late_days, told):
    days = pl.DataFrame(
        {"key_result_id": "a.b.c", "as_of": [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 1)],
         "previous_value": 1.0, "value": 2.0, "cause": ["late_event", "late_event", "definition"]}
    )  # fmt: skip
    found = steps._late(days, date(2026, 3, 3), {"a.b.c": late_days})
    assert sum(one.failed for one in found) == told
    assert all(one.severity == "warning" and "a.b.c 2026-03-01 moved from 1.0 to 2.0" in one.found for one in found)
