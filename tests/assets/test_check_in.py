"""`hito check-in` and `hito close`: what they take, what they refuse, and what of it is published."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assets.cli import app
from assets.home import Home, clock, started_at
from assets.steps import findings, state_events
from pipelines.check_ins import NAME
from pipelines.load import bring_up_to_date, fetch
from pipelines.source import Record

KR, OBJECTIVE = "inbound.ventas.cierres", "inbound.ventas"
SHARE = "inmobiliaria.clientes.satisfaccion"
NOW = "2026-11-21T10:00:00-05:00"


@pytest.fixture
def hito(monkeypatch, tmp_path):
    """Run `hito` in a home of its own, on a morning in November; gives exit code and output."""
    monkeypatch.setenv("HITO_HOME", str(tmp_path))
    monkeypatch.delenv("HITO_DEFINITIONS", raising=False)
    monkeypatch.setenv("HITO_NOW", NOW)

    def run(*arguments: str, now: str = NOW) -> tuple[int, str]:
        monkeypatch.setenv("HITO_NOW", now)
        result = CliRunner().invoke(app, list(arguments))
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    return run


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def left(home: Home) -> list[Record]:
    return home.inbox("inbound").waiting()


def said(home: Home) -> dict[str, Any]:
    (record,) = left(home)
    return dict(record.payload)


def test_what_is_said_waits_for_the_next_run(hito, home):
    code, output = hito("check-in", KR, "--confidence", "0.7", "--value", "12.5", "--note", " Ya casi ", "--by", "ana")
    assert (
        0,
        f"noted for the next run: {KR} on 2026-11-20: confidence 0.7, value 12.5, beside the computed one, “Ya casi”\n",
    ) == (code, output)
    found = said(home)
    assert {"key_result": KR, "on": "2026-11-20", "confidence": "0.7", "value": "12.5", "note": "Ya casi"} == {
        name: found[name] for name in ("key_result", "on", "confidence", "value", "note")
    }
    assert "2026-11-21T15:00:00.000000+00:00" == found["at"]


def test_who_says_it_is_kept_as_the_code_that_they_have_everywhere(hito, home):
    hito("check-in", KR, "--confidence", "0.7", "--by", " ana ")
    assert home.pseudonym("inbound")("ana") == said(home)["by"]
    assert b"ana" not in home.inbox("inbound").path.read_bytes()


def test_without_a_day_it_is_of_the_newest_one_that_figures_can_be_of(hito, home):
    hito("check-in", KR, "--confidence", "1", now="2026-11-21T01:00:00+00:00")  # the evening before, in Bogotá
    assert "2026-11-19" == said(home)["on"]


def test_of_a_period_that_is_over_it_is_of_its_last_day(hito, home):
    hito("check-in", KR, "--confidence", "1", now="2027-02-01T12:00:00+00:00")
    assert "2026-12-31" == said(home)["on"]


def test_today_can_be_spoken_of(hito, home):
    assert 0 == hito("check-in", KR, "--confidence", "1", "--on", "2026-11-21")[0]
    assert "2026-11-21" == said(home)["on"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("inbound.ventas.ciere", "--confidence", "0.5"), f"no key result 'inbound.ventas.ciere'. Did you mean {KR}"),
        (
            ("inbund.ventas.cierres", "--confidence", "0.5"),
            "begins with no organisation that is declared. Did you mean inbound",
        ),
        ((KR, "--confidence", "1.01"), "confidence is a number from 0 to 1, not 1.01. Nothing was noted"),
        ((KR, "--confidence", "70%"), "--confidence '70%' is not a number: write it as 12 or 12.5"),
        ((KR, "--value", "1.000,5"), "--value '1.000,5' is not a number"),
        ((KR, "--value", "NaN"), "--value 'NaN' is not a number"),
        ((KR, "--value", "1e400"), "--value '1e400' is not a number"),
        ((KR, "--note", "ok", "--on", "2026-11-22"), "2026-11-22 is in the future"),
        (
            (KR, "--note", "ok", "--on", "2025-12-31"),
            "2025-12-31 is not in the period of inbound.ventas.cierres, which is",
        ),
        ((KR, "--note", "ask ana@example.com"), "a text holds a mail address, which is never stored"),
        ((KR, "--note", "ask at +34 612 345 678"), "a note holds a telephone number, which is never stored"),
        ((KR, "--value", "-3"), "value is a number not below 0, not -3. Nothing was noted"),
        ((SHARE, "--value", "95"), "value is a number from 0 to 1, not 95: did you mean 0.95?"),
        ((SHARE, "--value", "9500"), "value is a number from 0 to 1, not 9500. Nothing was noted"),
        ((KR,), "it says nothing: it takes a confidence, a note or a value"),
        ((KR, "--note", "   "), "it says nothing"),
        ((KR, "--withdraw"), f"there is no check-in of {KR} without --by to take back"),
        ((KR, "--withdraw", "--note", "no"), "--withdraw takes back what was said and says nothing new"),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_line_and_leaves_nothing(hito, home, arguments, told):
    code, output = hito("check-in", *arguments)
    assert (1, []) == (code, left(home))
    assert told in output


def test_every_number_that_is_none_is_told(hito):
    output = hito("check-in", KR, "--confidence", "high", "--value", "a lot")[1]
    assert ["--confidence 'high'", "--value 'a lot'"] == [line.partition(" is")[0] for line in output.splitlines()]


def test_what_was_said_last_by_that_person_is_taken_back(hito, home):
    hito("check-in", KR, "--confidence", "0.1", "--by", "ana", "--on", "2026-11-01")
    hito("check-in", KR, "--confidence", "0.2", "--by", "ana")
    hito("check-in", KR, "--confidence", "0.3", "--by", "luis")
    assert (0, f"taken back with the next run: {KR} on 2026-11-20\n") == hito(
        "check-in", KR, "--withdraw", "--by", "ana"
    )
    assert (0, f"taken back with the next run: {KR} on 2026-11-01\n") == hito(
        "check-in", KR, "--withdraw", "--by", "ana", "--on", "2026-11-01"
    )
    code, output = hito("check-in", KR, "--withdraw", "--by", "ana")
    assert (1, True) == (code, f"there is no check-in of {KR} by ana to take back" in output)
    gone = {record.key for record in left(home) if record.is_deleted}
    assert ["0.3"] == [one.payload["confidence"] for one in left(home) if not one.is_deleted and one.key not in gone]


def test_what_a_command_takes_no_load_sets_aside(hito, home):
    hito("check-in", KR, "--confidence", "0.7", "--on", "2026-11-21")
    catalogue = home.catalogue("inbound")
    (own,) = [source for source in home.sources(catalogue) if source.name == NAME]
    fetch(own, home.lake("inbound"), clock(), started_at())
    bring_up_to_date([own], home.lake("inbound"), started_at())
    assert home.lake("inbound").quarantine().collect().is_empty()
    assert 1 == home.lake("inbound").log.scan().collect().filter(event_type="check_in.recorded").height


def test_the_sandbox_is_spoken_to_at_its_own_present(hito, home, monkeypatch):
    monkeypatch.delenv("HITO_NOW")
    (home.root / "sandbox.json").write_text('{"seed": 1, "today": "2026-03-30"}')
    result = CliRunner().invoke(app, ["check-in", KR, "--confidence", "0.7", "--sandbox", "--by", "ana"])
    assert 0 == result.exit_code, result.output
    found = said(home)
    assert ("2026-03-29", "2026-03-30T11:00:00.000000+00:00") == (found["on"], found["at"])
    monkeypatch.setenv("SOURCES__INBOUND__PSEUDONYM_KEY", "sandbox")
    assert home.pseudonym("inbound")("ana") == found["by"]


def test_where_simulated_companies_live_their_present_holds_also_for_whoever_does_not_ask_for_it(
    hito, home, monkeypatch
):
    monkeypatch.delenv("HITO_NOW")
    (home.root / "sandbox.json").write_text('{"seed": 1, "today": "2026-03-30"}')
    result = CliRunner().invoke(app, ["check-in", KR, "--confidence", "0.7", "--by", "ana"])
    assert 0 == result.exit_code, result.output
    assert ("2026-03-29", "2026-03-30T11:00:00.000000+00:00") == (said(home)["on"], said(home)["at"])
    assert not (home.root / "lake").exists()  # of simulated people, who need no key of the home's own


def test_a_run_tells_of_the_check_ins_that_it_sets_aside_and_goes_on_telling(hito, home):
    hito("check-in", KR, "--confidence", "0.7", "--by", "ana", now="2027-01-21T10:00:00-05:00")
    catalogue = home.catalogue("inbound")
    (own,) = [source for source in home.sources(catalogue) if source.name == NAME]
    now = datetime.fromisoformat(NOW)
    for hours in (1, 2):
        later = now + timedelta(hours=hours)
        fetch(own, home.lake("inbound"), clock(), later)
        state_events(home, catalogue, later, f"run {hours}")
        (found,) = findings(home, "inbound").filter(run_id=f"run {hours}").collect().iter_rows(named=True)
        assert ("check_ins.are_taken", "warning") == (found["check"], found["severity"])
        assert f"check_ins.check_ins: {KR} on 2026-12-31: " in found["found"]
        assert "2027-01-21 15:00 UTC is in the future" in found["found"]
        assert "hito check-in ID --withdraw" in found["do"]


@pytest.mark.parametrize(
    ("arguments", "now", "told"),
    [
        ((KR,), NOW, "its period is not over. It can be closed from the day after 2026-12-31 on"),
        ((KR,), "2027-01-02T12:00:00+00:00", "nothing has been computed yet of 2026-12-31, the last day of its period"),
        ((f"{KR}x",), NOW, f"there is no key result or objective '{KR}x'. Did you mean {KR}"),
        ((OBJECTIVE,), NOW, f"{OBJECTIVE}: its period is not over"),
        (("qqq.team",), NOW, "begins with no organisation that is declared. There are inbound,"),
        ((KR, "--note", "ask ana@example.com"), NOW, "the note holds a mail address"),
        ((KR, "--note", "ask at 612 345 678"), NOW, "the note holds a telephone number"),
    ],
)
def test_what_cannot_be_closed_is_refused_with_a_line(hito, home, arguments, now, told):
    code, output = hito("close", *arguments, now=now)
    assert (1, True) == (code, told in output)
    assert not home.seals("inbound").exists()


def test_the_documentation_names_options_that_there_are(hito):
    docs = (Path(__file__).resolve().parents[2] / "docs" / "check-ins.md").read_text(encoding="utf-8")
    offered = hito("check-in", "--help")[1] + hito("close", "--help")[1]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", docs))
    assert {"--confidence", "--as-unknown"} < named
    assert all(one in offered for one in named)
