"""Closing: periods that are over are sealed, by hand or by the organisation's rule, and stay as they were sealed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import event, log
from typer.testing import CliRunner

from assets import closing, steps
from assets.cli import app
from assets.closing import NotClosed
from assets.home import Home
from assets.publication import read
from assets.publishing import publish_all
from kr_definitions.catalogue import FOLDER
from kr_definitions.seals import SEALS_SCHEMA, Act
from pipelines import lake
from pipelines.load import LOADS_SCHEMA

VISITS, SALES, CLIENTS = "inmobiliaria.marzo.visitas", "inmobiliaria.marzo.ventas", "inmobiliaria.marzo.clientes"
CALLS, OBJECTIVE = "inmobiliaria.marzo.llamadas", "inmobiliaria.marzo"
DECLARED = """
objective:
  id: inmobiliaria.marzo
  title: {es: Un marzo redondo, en: A good March}
  owner: direccion
  period: {month: 2026-03}
key_results:
  - id: inmobiliaria.marzo.visitas
    title: {es: Diez visitas, en: Ten visits}
    type: activity
    level: team
    owner: equipo-ventas
    measure: {count: visit.held}
    target: {value: 10}
    why: Visits sell.
  - id: inmobiliaria.marzo.ventas
    title: {es: Cuatro ventas, en: Four sales}
    type: outcome
    level: team
    owner: equipo-ventas
    measure: {count: deal.won}
    target: {value: 4}
    why: Sales are invoiced.
  - id: inmobiliaria.marzo.llamadas
    title: {es: Llamadas, en: Calls}
    type: kpi
    level: team
    owner: equipo-ventas
    measure: {count: visit.held}
    why: Somebody asked.
"""
STREAMS = {"visit.held": "meetings", "deal.won": "deals"}


def morning_after(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 5, tzinfo=UTC) + timedelta(days=1)


@dataclass
class Agency:
    """An agency with one objective, of March; it had seven visits and four sales in it."""

    root: Path

    @property
    def home(self) -> Home:
        return Home(self.root / "home", self.root / "declared")

    @property
    def catalogue(self):
        return self.home.catalogue("inmobiliaria")

    def declare(self, text: str = DECLARED, **changes: str) -> None:
        folder = self.root / "declared" / "inmobiliaria"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        whole = (FOLDER / "inmobiliaria" / "organisation.yaml").read_text(encoding="utf-8")
        said = "".join(f"{name}: {value}\n" for name, value in changes.items())
        (folder / "organisation.yaml").write_text(said + whole, encoding="utf-8")
        (folder / "marzo.yaml").write_text(text, encoding="utf-8")

    def happens(self, *events: dict[str, Any], read_on: date) -> None:
        """Events that the next run reads, on a morning."""
        stated = log(events, morning_after(read_on), types=STREAMS, recorded_at=morning_after(read_on)).collect()
        of_hubspot = stated.with_columns(
            source=pl.lit("hubspot"), stream=pl.coalesce("covers", "event_type").replace_strict(STREAMS)
        )
        lake.append(self.home.lake("inmobiliaria").log.path, of_hubspot, writer="test")
        loads = [
            {"source": "hubspot", "stream": stream, "covered_to": morning_after(read_on)}
            | {"recorded_at": morning_after(read_on), "run_id": "run"}
            for stream in STREAMS.values()
        ]
        rows = pl.DataFrame(loads, schema=dict(LOADS_SCHEMA))
        lake.append(self.home.lake("inmobiliaria").root / "loads", rows, writer="test")

    def run(self, day: date, name: str = "run") -> steps.Computed:
        """What the run on the morning after a day computes and publishes."""
        computed = steps.remember_progress(self.home, self.catalogue, day, morning_after(day), name)
        publish_all(self.home, [self.catalogue], morning_after(day), name)
        return computed

    def close(
        self, name: str, on: date = date(2026, 4, 1), by: str | None = "direccion", **says: Any
    ) -> closing.Closed:
        return closing.close(self.home, self.catalogue, name, Act(morning_after(on), by), **says)

    def seals(self) -> list[tuple[Any, ...]]:
        kept = closing.kept(self.home, "inmobiliaria").collect().sort("key_result_id", nulls_last=True)
        return kept.select("key_result_id", "score", "sealed_by").rows()

    def published(self, table: str, key_result: str = VISITS) -> dict[str, Any]:
        return read(self.home.published)[table].row(by_predicate=pl.col("key_result_id") == key_result, named=True)


@pytest.fixture(scope="module")
def computed(tmp_path_factory) -> Path:
    """Where the agency's March was computed on the second of April."""
    made = Agency(tmp_path_factory.mktemp("agency"))
    made.declare()
    events = [event("visit.held", f"2026-03-{n:02}", str(n)) for n in range(1, 8)]
    events += [event("deal.won", f"2026-03-{n:02}", str(n), amount="1", currency="EUR") for n in range(10, 14)]
    made.happens(*events, read_on=date(2026, 4, 1))
    made.run(date(2026, 4, 1))
    return made.root


@pytest.fixture
def agency(computed, tmp_path) -> Agency:
    shutil.copytree(computed, tmp_path / "agency", symlinks=True)
    return Agency(tmp_path / "agency")


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_a_key_result_is_sealed_with_what_its_last_day_came_to(agency):
    closed = agency.close(VISITS)
    assert dict(closed.seals.schema) == dict(SEALS_SCHEMA)
    (seal,) = closed.seals.to_dicts()
    assert (7.0, 10.0, 0.7, 0.7, "missed") == tuple(
        seal[name] for name in ("value", "target", "progress", "score", "status")
    )
    assert (date(2026, 3, 31), "1.0", "direccion") == (seal["as_of"], seal["definition_version"], seal["sealed_by"])
    assert [(VISITS, 0.7, "direccion")] == agency.seals()


def test_the_command_says_what_it_sealed_and_when_that_is_published(agency, monkeypatch):
    monkeypatch.setenv("HITO_HOME", str(agency.home.root))
    monkeypatch.setenv("HITO_DEFINITIONS", str(agency.home.definitions))
    monkeypatch.setenv("HITO_NOW", morning_after(date(2026, 4, 1)).isoformat())
    result = CliRunner().invoke(app, ["close", VISITS, "--by", "direccion"])
    assert 0 == result.exit_code, result.output
    sealed, published = result.stdout.splitlines()
    assert sealed.startswith(f"sealed: {VISITS}, 2026-03-01 to 2026-03-31: score 0.70 (missed)")
    assert "The next run publishes it." == published


def test_a_second_close_is_refused_and_says_whose_the_first_one_is(agency):
    agency.close(VISITS)
    with pytest.raises(NotClosed, match=r"was sealed by direccion on 2026-04-02, with a score of 0\.70: a seal stays"):
        agency.close(VISITS, by="somebody else")
    assert 1 == len(agency.seals())


@pytest.mark.parametrize(
    ("name", "on", "found"),
    [
        (VISITS, date(2026, 3, 30), "its period is not over. It can be closed from the day after 2026-03-31 on"),
        (OBJECTIVE, date(2026, 3, 30), "its period is not over"),
        (CALLS, date(2026, 4, 1), "is a KPI: it has no score"),
        ("inmobiliaria.marzo.visita", date(2026, 4, 1), f"'inmobiliaria.marzo.visita'. Did you mean {VISITS} or"),
        ("inmobiliaria.marz", date(2026, 4, 1), f"Did you mean {OBJECTIVE} or"),
    ],
)
def test_what_cannot_be_closed_is_refused_and_nothing_is_sealed(agency, name, on, found):
    with pytest.raises(NotClosed) as refused:
        agency.close(name, on)
    assert found in str(refused.value)
    assert [] == agency.seals()


def test_what_was_not_computed_to_its_last_day_is_refused(tmp_path):
    made = Agency(tmp_path)
    made.declare()
    with pytest.raises(NotClosed, match="nothing has been computed yet of 2026-03-31, the last day of its period"):
        made.close(VISITS)


def test_a_score_that_is_not_known_is_sealed_only_as_that(agency):
    agency.declare(DECLARED.replace("{count: deal.won}", "{count: ticket.solved}"))
    agency.run(date(2026, 4, 1), "later")
    with pytest.raises(NotClosed, match="what it came to on 2026-03-31 is not known"):
        agency.close(SALES)
    closed = agency.close(SALES, as_unknown=True)
    assert [(None, None, "no_data")] == closed.seals.select("value", "score", "status").rows()


def test_a_seal_is_provisional_until_every_stream_was_read_after_the_last_late_fact(agency):
    assert agency.close(VISITS).seals["is_provisional"].item()
    late = agency.home.sources(agency.catalogue)[0].streams()[0].lateness.days
    agency.happens(read_on=date(2026, 3, 31) + timedelta(days=late - 1))
    assert agency.close(SALES, date(2026, 4, 20)).seals["is_provisional"].item()


def test_a_seal_is_final_once_they_were(agency):
    late = max(stream.lateness for stream in agency.home.sources(agency.catalogue)[0].streams())
    agency.happens(read_on=date(2026, 3, 31) + late)
    assert not agency.close(SALES, date(2026, 4, 20)).seals["is_provisional"].item()


def test_an_objective_is_sealed_with_all_of_its_key_results(agency):
    closed = agency.close(OBJECTIVE)
    assert [(SALES, 1.0), (VISITS, 0.7), (None, 0.85)] == closed.seals.select("key_result_id", "score").rows()
    own = closed.seals.row(-1, named=True)
    assert ("missed", OBJECTIVE, None) == (own["status"], own["objective_id"], own["value"])
    with pytest.raises(NotClosed, match=r"^inmobiliaria\.marzo was sealed by direccion"):
        agency.close(OBJECTIVE)


def test_an_objective_keeps_the_seals_that_there_are(agency):
    agency.close(VISITS, by="equipo-ventas")
    closed = agency.close(OBJECTIVE)
    assert [SALES, None] == closed.seals["key_result_id"].to_list()
    assert [(SALES, 1.0, "direccion"), (VISITS, 0.7, "equipo-ventas"), (None, 0.85, "direccion")] == agency.seals()
    assert [VISITS] == closed.kept["key_result_id"].to_list()


def test_one_key_result_that_cannot_be_sealed_keeps_the_whole_objective_open_and_each_is_told(agency):
    agency.declare(DECLARED.replace("{count: deal.won}", "{count: ticket.solved}"))
    agency.run(date(2026, 4, 1), "later")
    with pytest.raises(NotClosed, match=f"^{SALES}: what it came to on 2026-03-31 is not known"):
        agency.close(OBJECTIVE)
    assert [] == agency.seals()
    assert 3 == agency.close(OBJECTIVE, as_unknown=True).seals.height
    assert (None, None, "direccion") == agency.seals()[-1]


# --- later truth ------------------------------------------------------------------------------------------------------


def test_what_becomes_known_later_stands_beside_the_seal_and_does_not_change_it(agency):
    agency.close(OBJECTIVE)
    agency.run(date(2026, 4, 2), "unmoved")
    assert not any(read(agency.home.published)["seals"]["moved_since_seal"])
    agency.happens(event("visit.held", "2026-03-30", "late"), read_on=date(2026, 4, 2))
    agency.run(date(2026, 4, 2), "moved")
    now = agency.published("current_progress")
    assert (8.0, 0.8, 7.0, 0.7, True) == tuple(
        now[name] for name in ("value", "score", "sealed_value", "sealed_score", "moved_since_seal")
    )
    assert morning_after(date(2026, 4, 1)) == now["sealed_at"]
    assert (0.7, 0.8) == tuple(agency.published("seals")[name] for name in ("sealed_score", "score"))
    own = read(agency.home.published)["seals"].filter(pl.col("key_result_id").is_null()).row(0, named=True)
    assert (0.85, True, "Un marzo redondo") == (own["sealed_score"], own["moved_since_seal"], own["title_es"])
    assert own["score"] == pytest.approx(0.9)
    assert [(SALES, 1.0, "direccion"), (VISITS, 0.7, "direccion"), (None, 0.85, "direccion")] == agency.seals()


def test_what_is_not_closed_has_no_seal(agency):
    now = agency.published("current_progress")
    assert (None, None, None, None) == tuple(
        now[name] for name in ("sealed_value", "sealed_score", "sealed_at", "moved_since_seal")
    )
    assert read(agency.home.published)["seals"].is_empty()


# --- by rule ----------------------------------------------------------------------------------------------------------


def test_the_daily_run_seals_what_ended_so_long_ago(agency):
    agency.declare(close_after="10 days")
    for day in (date(2026, 4, 8), date(2026, 4, 9)):
        agency.happens(read_on=day)
        agency.run(day, f"{day}")
        assert bool(agency.seals()) == (day == date(2026, 4, 9)), day
    by_rule = [(SALES, 1.0, "close_after"), (VISITS, 0.7, "close_after"), (None, 0.85, "close_after")]
    assert by_rule == agency.seals()
    agency.happens(read_on=date(2026, 4, 10))
    agency.run(date(2026, 4, 10), "again")
    assert 3 == len(agency.seals())


def test_without_a_rule_nothing_is_sealed_by_itself(agency):
    agency.happens(read_on=date(2026, 5, 1))
    agency.run(date(2026, 5, 1), "much later")
    assert [] == agency.seals()


def test_what_is_not_final_waits(agency):
    agency.declare(close_after="1 day")
    agency.run(date(2026, 4, 2), "too early")  # read on the second of April: facts of March may still arrive
    assert [] == agency.seals()
    agency.run(date(2026, 4, 20), "unread")  # and not read again since
    assert [] == agency.seals()


def test_what_is_not_known_waits_for_a_person_and_so_does_its_objective(agency):
    agency.declare(DECLARED.replace("{count: deal.won}", "{count: ticket.solved}"), close_after="10 days")
    agency.happens(read_on=date(2026, 4, 20))
    agency.run(date(2026, 4, 20), "later")
    assert [(VISITS, 0.7, "close_after")] == agency.seals()


def test_what_a_check_of_the_run_holds_back_waits(agency):
    agency.declare(close_after="10 days")
    agency.happens(read_on=date(2026, 4, 20))
    finding = {"organisation": "inmobiliaria", "run_id": "bad", "severity": "critical", "key_results": f"x, {VISITS}"}
    found = pl.DataFrame([finding]).with_columns(recorded_at=pl.lit(morning_after(date(2026, 4, 20))))
    lake.append(agency.home.findings("inmobiliaria"), found, writer="test")
    due = closing.close_due(agency.home, agency.catalogue, morning_after(date(2026, 4, 20)), "bad")
    assert [SALES] == due["key_result_id"].to_list()


def test_an_objective_follows_once_its_last_key_result_was_closed_by_hand(agency):
    agency.declare(DECLARED.replace("{count: deal.won}", "{count: ticket.solved}"), close_after="10 days")
    agency.happens(read_on=date(2026, 4, 20))
    agency.run(date(2026, 4, 20), "later")
    agency.close(SALES, date(2026, 4, 20), as_unknown=True)
    agency.run(date(2026, 4, 21), "after")
    assert (None, None, "close_after") == agency.seals()[-1]
