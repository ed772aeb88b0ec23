"""`hito diff`: what is told before a merge is what readers would see after it, and nothing is written to find out.

The whole answers that are expected lie in `golden/`; `python tests/assets/test_diff.py` writes them anew.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from builders import event, log

from assets import steps
from assets.cli import app
from assets.commands import diff_markdown
from assets.home import Home
from assets.publishing import publish_all
from pipelines import lake

GOLDEN = Path(__file__).parent / "golden"
DOCUMENTED = Path(__file__).resolve().parents[2] / "docs" / "diff.md"
LAST, RAN = date(2026, 3, 20), datetime(2026, 3, 21, 5, tzinfo=UTC)

ORGANISATION = """\
id: agencia
title: {es: Agencia, en: Agency}
zone: Europe/Madrid
country: ES-MD
currency: EUR
sources:
  hubspot:
    kind: hubspot
    options:
      portal_id: "1"
      app_url: https://app.hubspot.com
      currency: EUR
      sales:
        - {pipeline: default, name: ventas, won: [closedwon], lost: [closedlost], stages: {closedwon: won}, market: m}
      listings:
        - pipeline: "2"
          captured: ["3"]
          captured_on: fecha
          mandate: {property: tipo, values: {exclusiva: exclusive, abierta: open}}
          market: municipio
          category: {property: inmueble, values: {piso: flat, casa: house}}
      meetings:
        visits: [Visita]
"""
OBJECTIVE = """\
objective:
  id: agencia.ventas
  title: {es: Vender, en: Sell}
  owner: ventas
  level: company
  period: {year: 2026}
  why: Sales are what is invoiced.
key_results:
"""


def key_result(name: str, says: str, title: str = "") -> str:
    return f"""\
  - id: agencia.ventas.{name}
    title: {{es: "{title or name}", en: "{title or name}"}}
    type: outcome
    level: team
    owner: ventas
    why: It sells.
    {says}
"""


VISITS = key_result("visitas", "every: month\n    measure: {count: visit.held}\n    target: {value: 40}")
SALES = key_result("operaciones", "every: month\n    measure: {count: deal.won}\n    target: {value: 5}")
EXCLUSIVE = key_result(
    "exclusivas",
    "measure: {count: listing.captured, where: \"mandate = 'exclusive'\"}\n    target: {value: 60}",
    "60 exclusive mandates",
)
MARKETS = key_result(
    "mercados", "measure: {count: deal.won}\n    each: {dimension: market}\n    target: {value: 6}", "Six in each"
)
CAPTURED = key_result("captaciones", "every: month\n    measure: {count: listing.captured}\n    target: {value: 20}")
WEEKLY = key_result(
    "visitas_semana", "every: week\n    measure: {count: visit.held}\n    target: {value: 8}", "8 visits a week"
)
DEPLOYED = VISITS + SALES + EXCLUSIVE + MARKETS + CAPTURED
CHANGED = (
    VISITS.replace("value: 40", "value: 30")
    + SALES.replace('en: "operaciones"', 'en: "Five sales"')
    + EXCLUSIVE.replace("'exclusive'", "'exclusive' AND category = 'flat'")
    + MARKETS.replace("value: 6", "value: 4")
    + WEEKLY
)


def declare(folder: Path, key_results: str, organisation: str = ORGANISATION) -> Path:
    """Declarations in a folder of their own."""
    place = folder / "agencia"
    place.mkdir(parents=True, exist_ok=True)
    (place / "organisation.yaml").write_text(organisation, encoding="utf-8")
    (place / "ventas.yaml").write_text(OBJECTIVE + key_results, encoding="utf-8")
    return folder


def deploy(root: Path) -> Home:
    """A home in which a run computed and published the agency."""
    home = Home(root / "home", declare(root / "deployed", DEPLOYED))
    kinds = ("visit.held", "visit.held", "deal.won", "listing.captured", "listing.captured")
    events = [
        event(
            kinds[n % 5],
            f"{date(2026, 1, 1) + timedelta(days=n * 79 // 200)}",
            str(n),
            mandate=("exclusive", "open", "exclusive")[n % 3],
            category="flat" if n % 4 else "house",
            market=("norte", "sur", "sur")[n % 3],
        )
        for n in range(200)
    ]
    stated = log(events, "2026-03-31", recorded_at=RAN - timedelta(hours=1)).collect()
    stream = {"visit.held": "meetings", "deal.won": "deals", "listing.captured": "deals"}
    of_hubspot = stated.with_columns(
        source=pl.lit("hubspot"), stream=pl.coalesce("covers", "event_type").replace_strict(stream)
    )
    lake.append(home.lake("agencia").log.path, of_hubspot, writer="test")
    catalogue = home.catalogue("agencia")
    steps.remember_progress(home, catalogue, LAST, RAN, "run")
    publish_all(home, [catalogue], RAN, "run")
    return home


@dataclass(frozen=True)
class Asked:
    """An answer of `hito diff`."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)["organisations"][0]
        return found

    def of(self, name: str) -> dict[str, Any]:
        """What is said of a key result."""
        return next(one for one in self.data["changed"] if one["id"] == f"agencia.ventas.{name}")


Ask = Callable[..., Asked]


def asker(home: Home, folder: Path) -> Ask:
    """Ask with declarations of one's own; the home is the one that is given."""

    def ask(*arguments: str, declared: str = CHANGED, organisation: str = ORGANISATION, **environment: str) -> Asked:
        given = {
            "HITO_HOME": str(home.root),
            "HITO_DEFINITIONS": str(declare(folder, declared, organisation)),
            "COLUMNS": "200",
            **environment,
        }
        result = CliRunner().invoke(app, ["diff", *arguments], env=given)
        assert "Traceback" not in result.output
        return Asked(result.exit_code, result.stdout, result.stderr)

    return ask


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    return deploy(tmp_path_factory.mktemp("agencia"))


@pytest.fixture
def ask(home, tmp_path) -> Ask:
    return asker(home, tmp_path / "declared")


def everything(root: Path) -> dict[str, str]:
    """Every file and folder below a folder, with what is in it."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in root.rglob("*")
    }


# --- whole answers ----------------------------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[tuple[str, ...], str]] = {
    "diff_80.txt": ((), "80"),
    "diff_120.txt": ((), "120"),
    "diff.md": (("--format", "markdown"), "80"),
    "diff.json": (("--format", "json"), "80"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_is_the_expected_one(ask, name):
    arguments, columns = ANSWERS[name]
    assert (GOLDEN / name).read_text(encoding="utf-8") == ask(*arguments, COLUMNS=columns).out


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(ask, width):
    lines = ask(COLUMNS=str(width)).out.splitlines()
    assert max(len(line) for line in lines) <= width
    assert [line for line in lines if line != line.rstrip()] == []


def test_what_readers_would_see_is_what_is_told(home, ask, tmp_path):
    """The law of the core, through storage: merge it, run it, and read what was published."""
    told = {name: ask("--format", "json").of(name)["whole"]["after"] for name in ("visitas", "exclusivas", "mercados")}
    merged = Home(tmp_path / "home", declare(tmp_path / "merged", CHANGED))
    shutil.copytree(home.root, merged.root)
    catalogue = merged.catalogue("agencia")
    computed = steps.remember_progress(merged, catalogue, LAST, RAN + timedelta(days=1), "next")
    rows = computed.figures.filter(pl.col("member").is_null(), pl.col("as_of") == LAST)
    for name, after in told.items():
        row = rows.row(by_predicate=pl.col("key_result_id") == f"agencia.ventas.{name}", named=True)
        assert [after[figure] for figure in ("value", "target", "progress", "status", "score")] == [
            row[figure] for figure in ("value", "target", "progress", "status", "score")
        ]


# --- where it is compared with ----------------------------------------------------------------------------------------


def test_the_published_file_alone_tells_a_changed_target_as_the_lake_does(home, ask, tmp_path):
    of_lake = ask("--format", "json")
    of_file = ask("--format", "json", "--published", str(home.published), HITO_HOME=str(tmp_path / "checkout"))
    assert (True, False) == (of_lake.data["has_log"], of_file.data["has_log"])
    for name in ("visitas", "mercados", "captaciones"):
        assert of_lake.of(name) == of_file.of(name)
    assert "what is measured is something else" == of_file.of("exclusivas")["needs_log"]
    assert (None, None) == (of_file.of("exclusivas")["whole"], of_file.of("exclusivas")["restated"])
    assert "nothing of it has been reported" == of_file.of("visitas_semana")["needs_log"]
    assert [one["version"] for one in of_lake.data["changed"]] == [one["version"] for one in of_file.data["changed"]]
    assert not (tmp_path / "checkout").exists()


def test_a_home_with_a_published_file_and_no_lake_is_compared_with_the_file(home, ask, tmp_path):
    (tmp_path / "home").mkdir()
    shutil.copy(home.published, tmp_path / "home" / home.published.name)
    assert not ask("--format", "json", HITO_HOME=str(tmp_path / "home")).data["has_log"]


def test_a_home_without_a_published_file_is_compared_with_its_lake(home, ask, tmp_path):
    shutil.copytree(home.root / "lake", tmp_path / "home" / "lake")
    alone = ask("--format", "json", HITO_HOME=str(tmp_path / "home"))
    beside = ask("--format", "json")
    assert ([], alone.data["changed"]) == (alone.data["objectives"], beside.data["changed"])
    assert ["agencia.ventas.operaciones"] == [one["id"] for one in alone.data["reworded"]]


def test_words_that_are_published_are_not_told_again(ask):
    assert [] == ask("--format", "json", declared=DEPLOYED).data["reworded"]


def test_an_organisation_that_was_never_deployed_is_all_new(home, ask, tmp_path):
    new = tmp_path / "declared" / "nueva"
    new.mkdir(parents=True)
    (new / "organisation.yaml").write_text(ORGANISATION.replace("id: agencia", "id: nueva"), encoding="utf-8")
    (new / "ventas.yaml").write_text((OBJECTIVE + SALES).replace("agencia.", "nueva."), encoding="utf-8")
    (one,) = ask("--format", "json", "-o", "nueva").data["changed"]
    assert ("added", "1.0", "nothing of it has been reported") == (one["change"], one["version"], one["needs_log"])


def test_without_a_name_only_organisations_of_which_something_is_deployed_are_compared(home, ask, tmp_path):
    new = tmp_path / "declared" / "nueva"
    new.mkdir(parents=True)
    (new / "organisation.yaml").write_text(ORGANISATION.replace("id: agencia", "id: nueva"), encoding="utf-8")
    (new / "ventas.yaml").write_text((OBJECTIVE + SALES).replace("agencia.", "nueva."), encoding="utf-8")
    for arguments in ((), ("--published", str(home.published))):
        asked = ask("--format", "json", *arguments)
        assert ["agencia"] == [one["organisation"] for one in json.loads(asked.out)["organisations"]]
        assert "nothing is deployed of nueva: left out (-o compares one all the same)" in asked.err


def test_the_folder_of_the_declarations_is_named(ask, tmp_path):
    assert f"declared in {tmp_path / 'declared'}" in ask().err


def test_where_the_log_is_gone_what_was_reported_is_compared_and_that_is_said(home, ask, tmp_path):
    copied = shutil.copytree(home.root, tmp_path / "copied")
    shutil.rmtree(copied / "lake" / "agencia" / "events")
    asked = ask(HITO_HOME=str(copied))
    assert f"agencia: its log is not in {copied / 'lake' / 'agencia' / 'events'}" in asked.err
    assert "From the figures that were published, up to 2026-03-20, without the log." in asked.out
    assert ask("--published", str(home.published)).out == asked.out


def test_only_the_organisations_that_are_asked_for_are_told(ask):
    assert "agencia: " in ask("-o", "agencia").out
    asked = ask("-o", "agensia")
    assert (1, True) == (asked.code, "Did you mean agencia?" in asked.err)


# --- nothing is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--format", "markdown"), ("--format", "json"), ("--exit-code",)])
def test_nothing_is_written(home, ask, arguments):
    before = everything(home.root)
    ask(*arguments)
    ask(*arguments, "--published", str(home.published))
    assert before == everything(home.root)
    assert not [name for name in before if "dagster" in name or name == "run.lock"]


def test_a_run_that_is_at_work_is_not_waited_for(home, ask):
    with lake.alone(home.history("agencia")), lake.alone(home.editions("agencia")):
        assert 0 == ask().code


# --- exit codes -------------------------------------------------------------------------------------------------------


def test_it_ends_with_0_whatever_would_move_unless_it_is_asked_to_say_so(ask):
    assert (0, 3) == (ask().code, ask("--exit-code").code)
    assert (0, 0) == (ask(declared=DEPLOYED).code, ask("--exit-code", declared=DEPLOYED).code)
    reworded = DEPLOYED.replace('en: "operaciones"', 'en: "Five sales"')
    assert (0, True) == (
        ask("--exit-code", declared=reworded).code, "No figure would move." in ask(declared=reworded).out,
    )  # fmt: skip


def test_what_takes_the_log_to_know_counts_as_moving(home, ask):
    measured = DEPLOYED.replace("'exclusive'", "'exclusive' AND category = 'flat'")
    asked = ask("--exit-code", "--published", str(home.published), declared=measured)
    assert (3, True) == (asked.code, "Whether figures would move takes the log." in asked.out)


def test_wrong_declarations_end_with_1_and_are_told_with_their_lines(ask):
    asked = ask("--format", "json", declared=CHANGED.replace("visit.held", "visit.hold"))
    assert (1, "") == (asked.code, asked.out)
    assert re.search(r"ventas\.yaml:\d+: error: .*visit\.hold", asked.err)
    asked = ask(organisation=ORGANISATION.replace("kind: hubspot", "kind: hubspott"))
    assert (1, True) == (asked.code, "no kind of source 'hubspott'" in asked.err)


def test_a_folder_that_declares_nothing_ends_with_1(ask, tmp_path):
    (tmp_path / "declared" / "otra").mkdir(parents=True)
    (tmp_path / "declared" / "otra" / "ventas.yaml").write_text("objective: {}")
    asked = ask()
    assert (1, True) == (asked.code, "declared/otra has declarations but no organisation.yaml" in asked.err)


def test_nothing_to_compare_with_ends_with_1_and_says_what_to_do(ask, tmp_path):
    asked = ask(HITO_HOME=str(tmp_path / "nowhere"))
    assert (1, True) == (asked.code, "there is nothing to compare with" in asked.err)
    asked = ask("--published", str(tmp_path / "none.duckdb"))
    assert (1, True) == (asked.code, "none.duckdb: nothing has been published yet" in asked.err)
    (tmp_path / "none.duckdb").write_text("not a database")
    assert "none.duckdb: could not be read" in ask("--published", str(tmp_path / "none.duckdb")).err


def test_a_retired_id_with_another_meaning_ends_with_1(home, ask, tmp_path):
    without = DEPLOYED.replace(CAPTURED, "")
    retiring = Home(tmp_path / "home", declare(tmp_path / "without", without))
    shutil.copytree(home.root, retiring.root)
    steps.remember_progress(retiring, retiring.catalogue("agencia"), LAST, RAN + timedelta(days=1), "next")
    other = without + CAPTURED.replace("value: 20", "value: 3")
    asked = ask(declared=other, HITO_HOME=str(retiring.root))
    assert (1, True) == (asked.code, "was retired on 2026-03-22 with another meaning" in asked.out)
    back = ask("--format", "json", declared=DEPLOYED, HITO_HOME=str(retiring.root))
    assert (0, "reinstated") == (back.code, back.of("captaciones")["change"])


def test_a_wrong_command_line_ends_with_2(ask):
    assert 2 == ask("--format", "html").code


# --- what a setting touches -------------------------------------------------------------------------------------------


def test_a_setting_that_several_key_results_share_is_told_once_with_how_many(ask):
    asked = ask(
        declared=DEPLOYED,
        organisation=ORGANISATION.replace("currency: EUR\nsour", "currency: EUR\nthresholds: upraise\nsour"),
    )
    assert "organisation.thresholds: viva → upraise (5 key results)" in asked.out
    assert 5 + 1 == asked.out.count("organisation.thresholds: viva → upraise")


def test_a_setting_that_moves_days_names_them(ask):
    zone = ask("--format", "json", declared=DEPLOYED, organisation=ORGANISATION.replace("Europe/Madrid", "Asia/Tokyo"))
    assert [{"path": "organisation.zone", "before": "Europe/Madrid", "after": "Asia/Tokyo"}] == zone.of("visitas")[
        "fields"
    ]
    assert ("2.0", "measure") == (zone.of("visitas")["version"], zone.of("visitas")["change"])


# --- for other readers ------------------------------------------------------------------------------------------------


def test_markdown_that_people_wrote_begins_no_markup(ask):
    odd = CHANGED.replace("8 visits a week", "<b>8</b> | *visits* [x](y) @team #1").replace(
        "category = 'flat'", "category = 'a|`b'"
    )
    page = ask("--format", "markdown", declared=odd).out
    assert "&#60;b&#62;8&#60;/b&#62; &#124; &#42;visits&#42; &#91;x&#93;(y) @\u200bteam &#35;1" in page
    assert (
        "- ``  measure.where: mandate = 'exclusive' → mandate = 'exclusive' AND category = 'a|`b' ``".replace(
            "``  ", "`` "
        )
        in page
    )
    rows = [line for line in page.splitlines() if line.startswith("| `agencia")]
    assert {7} == {len(re.findall(r"(?<!\\)\|", row)) for row in rows}


def test_markdown_is_cut_where_a_comment_ends(ask, monkeypatch):
    monkeypatch.setattr(diff_markdown, "_MOST", 2_500)
    page = ask("--format", "markdown").out
    assert len(page) < 2_700
    assert "This is as much as a comment holds" in page
    assert page.count("<details>") == page.count("</details>")


def test_every_key_of_the_json_is_documented(ask):
    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for inner in value.values() for key in keys(inner)}
        return {key for inner in value for key in keys(inner)} if isinstance(value, list) else set()

    documented = set(re.findall(r"`([a-z_]+)`", DOCUMENTED.read_text(encoding="utf-8")))
    assert set() == keys(json.loads(ask("--format", "json").out)) - documented


def test_the_json_is_the_same_each_time(ask):
    assert ask("--format", "json").out == ask("--format", "json").out


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        answer = asker(deploy(Path(place)), Path(place) / "declared")
        for file, (options, columns) in ANSWERS.items():
            (GOLDEN / file).write_text(answer(*options, COLUMNS=columns).out, encoding="utf-8")
