"""The report reads well at every width, in both languages, in a terminal, a pipe and a poor one.

The whole pages that are expected lie in `golden/`; `python tests/assets/test_report.py` writes them anew.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import Any

import polars as pl
import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agency_kinds import KINDS
from agency_results import LAST_DAY, RAN_AT, RUN, YEAR, declared, publication, results

from assets.publication import Publication, Results, frames
from assets.publication.results import FINDINGS_SCHEMA
from assets.report import render
from assets.report.marks import PLAIN, RICH
from assets.report.sections import BUILT_IN
from assets.report.words import LANGUAGES
from assets.set_aside import CHECK, Aside
from kr_definitions.check_ins import CHECK_INS_SCHEMA
from kr_definitions.history import HISTORY_SCHEMA, KEY_RESULTS_SCHEMA, OBJECTIVES_SCHEMA, STATUSES
from kr_definitions.organisation import Title
from kr_definitions.seals import STANDING_SCHEMA
from pipelines.aside import QUARANTINE_SCHEMA
from pipelines.check_ins import NAME
from pipelines.load import LOADS_SCHEMA

GOLDEN = Path(__file__).parent / "golden"
PAGES = ((80, "es"), (100, "en"), (140, "es"))


def printed(tables: dict[str, pl.DataFrame], width: int = 100, language: str = "en", **console: Any) -> str:
    """The report as it comes out of a pipe."""
    file = io.StringIO()
    render(Console(file=file, width=width, **console), tables, language)
    return file.getvalue()


def encoded(tables: dict[str, pl.DataFrame], encoding: str) -> str:
    """The report as a terminal of an encoding gets it; fails on a character that it does not have."""
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding=encoding, errors="strict", newline="\n")
    render(Console(file=file, width=80), tables, "es")
    file.flush()
    return buffer.getvalue().decode(encoding)


@pytest.fixture(scope="module")
def agency() -> dict[str, pl.DataFrame]:
    return frames(publication())


FIRST_EDITION = {"edition": 1, "is_withdrawn": False, "definition_version": "1.0"}


def one(row: dict[str, Any], before: dict[str, Any] | None = None, **says: Any) -> dict[str, pl.DataFrame]:
    """Tables with one key result: `row` is its newest day, `before` the day before; the rest is declared."""
    base = {
        "key_result_id": "inmobiliaria.x",
        "value": 7.0,
        "target": 20.0,
        "progress": 0.35,
        "expected": 0.4,
        "status": "on_track",
        "edition": 1,
        "is_withdrawn": False,
        "definition_version": "1.0",
        "is_restatement": False,
    }
    rows = [{**base, "as_of": LAST_DAY, "recorded_at": RAN_AT, **row}]
    if before is not None:
        day = LAST_DAY - timedelta(days=1)
        rows.append({**base, "as_of": day, "recorded_at": RAN_AT - timedelta(days=1), **before})
    of = says.pop("frames", {})
    declaration = {**declared(KINDS[0]), "key_result_id": "inmobiliaria.x", "title_en": "It", "unit": "deals", **says}
    made = Results(
        results().organisation,
        pl.DataFrame([declaration], schema=dict(KEY_RESULTS_SCHEMA)),
        pl.DataFrame([*rows, *of.pop("rows", ())], schema=dict(HISTORY_SCHEMA)),
        **of,
    )
    return frames(Publication(RUN, RAN_AT, [made]))


def second_line(tables: dict[str, pl.DataFrame]) -> str:
    """The line below the title, its blanks made one."""
    lines = printed(tables).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(("● It", "▲ It", "○ It", "◆ It", "? It")))
    return " ".join(lines[at + 1].split())


# --- whole pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "language"), PAGES)
def test_the_whole_page(agency: dict[str, pl.DataFrame], width: int, language: str) -> None:
    expected = (GOLDEN / f"report_{width}_{language}.txt").read_text(encoding="utf-8")
    assert printed(agency, width, language) == expected, "if it is meant: python tests/assets/test_report.py"


@pytest.mark.parametrize("width", [50, 60, 72, 80, 90, 100, 120, 131, 132, 140, 160, 220])
@pytest.mark.parametrize("language", ["es", "en"])
def test_no_line_is_wider_than_the_page_or_ends_in_blanks(
    agency: dict[str, pl.DataFrame], width: int, language: str
) -> None:
    for line in printed(agency, width, language).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


@pytest.mark.parametrize("width", [1, 20, 39])
def test_a_very_narrow_terminal_gets_the_page_of_forty_characters(agency: dict[str, pl.DataFrame], width: int) -> None:
    assert printed(agency, width, "en") == printed(agency, 40, "en")


@pytest.mark.parametrize("width", [60, 80, 100, 132, 160])
def test_every_title_value_and_status_is_there_at_every_width(agency: dict[str, pl.DataFrame], width: int) -> None:
    page = " ".join(printed(agency, width, "es").split())
    for kind in KINDS:
        first_words = " ".join(kind.title.es.split()[:3])
        assert first_words in page
    for text in ("444.328 € / 453.585 €", "93 % / ≥ 90 %", "14 / 20", "va bien", "en riesgo", "no fiable", "sin datos"):
        assert text in page


def test_fourteen_key_results_fit_two_screens(agency: dict[str, pl.DataFrame]) -> None:
    assert len(printed(agency, 80, "es").splitlines()) <= 2 * 40
    assert len(printed(agency, 140, "es").splitlines()) <= 2 * 30


@pytest.mark.parametrize("width", [40, 50, 60, 72, 80])
def test_how_many_there_are_of_each_status_ends_lines_between_them(width: int) -> None:
    of_each = dict.fromkeys(STATUSES, 3)
    rows = [
        {
            "key_result_id": f"x.{status}.{n}",
            "as_of": LAST_DAY,
            "recorded_at": RAN_AT,
            "status": status,
            **FIRST_EDITION,
        }
        for status, count in of_each.items()
        for n in range(count)
    ]
    base = declared(KINDS[0])
    declarations = [{**base, "key_result_id": row["key_result_id"]} for row in rows]
    made = Results(
        results().organisation,
        pl.DataFrame(declarations, schema=dict(KEY_RESULTS_SCHEMA)),
        pl.DataFrame(rows, schema=dict(HISTORY_SCHEMA)),
    )
    lines = printed(frames(Publication(RUN, RAN_AT, [made])), width, "es").splitlines()
    for status, mark in RICH.statuses.items():
        if status != "kpi":
            assert any(f"{mark} {LANGUAGES['es'].counted(status, 3)}" in line for line in lines), status


def test_several_are_told_in_the_plural() -> None:
    assert ("1 indicator", "5 indicators") == tuple(LANGUAGES["en"].counted("kpi", n) for n in (1, 5))
    assert ("1 no conseguido", "6 no conseguidos") == tuple(LANGUAGES["es"].counted("missed", n) for n in (1, 6))
    assert ("1 va bien", "2 van bien") == tuple(LANGUAGES["es"].counted("on_track", n) for n in (1, 2))
    assert ("1 sin datos", "2 sin datos") == tuple(LANGUAGES["es"].counted("no_data", n) for n in (1, 2))


def of_objective(width: int = 100, **says: Any) -> str:
    """The page of the agency whose empresa objective has other figures."""
    made = results()
    row = {**made.objectives.filter(objective_id="inmobiliaria.empresa").sort("as_of").row(-1, named=True), **says}
    rolled_up = pl.DataFrame([row], schema=made.objectives.schema)
    return printed(frames(Publication(RUN, RAN_AT, [replace(made, objectives=rolled_up)])), width)


def test_an_objective_says_how_many_of_its_key_results_are_in_force_where_some_are_over() -> None:
    over = of_objective(status="missed", key_results=3, in_force=1)
    assert re.search(r"✗ missed  98% · 89% expected  1 Jan – 31 Dec 2026  1 of 3 in force\n", over)
    assert "\n  1 of 3" not in of_objective(width=60, status="missed", key_results=3, in_force=1)
    assert "in force" not in of_objective(key_results=3, in_force=3)


def test_a_pipe_gets_no_colours_and_a_terminal_does(agency: dict[str, pl.DataFrame]) -> None:
    assert "\x1b" not in printed(agency)
    coloured = printed(agency, force_terminal=True, color_system="256")
    assert "\x1b[32m● 3 on track\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == printed(agency)


def test_without_colour_every_status_is_a_word_and_a_mark_of_its_own() -> None:
    for status in STATUSES:
        page = printed(one({"status": status}))
        assert f" {LANGUAGES['en'].statuses[status]}\n" in page
    for marks in (PLAIN, RICH):
        assert len(set(marks.statuses.values())) == len(marks.statuses) == len(STATUSES) + 1


@pytest.mark.parametrize(("encoding", "title"), [("ascii", "anio anterior"), ("latin-1", "año anterior")])
def test_a_terminal_without_blocks_gets_plain_characters(
    agency: dict[str, pl.DataFrame], encoding: str, title: str
) -> None:
    page = encoded(agency, encoding)
    assert title in page
    assert "█" not in page
    assert "444.328 EUR / 453.585 EUR" in page
    assert "=====|" in page


def test_several_organisations_stand_below_each_other_and_one_may_be_chosen() -> None:
    other = replace(results(), organisation=results().organisation.model_copy(update={"id": "otra"}))
    tables = frames(Publication(RUN, RAN_AT, [results(), other]))
    assert printed(tables).count("Estate agency") == 2
    file = io.StringIO()
    render(Console(file=file, width=100), tables, "en", ["otra"])
    assert file.getvalue() == printed(frames(publication()))


def test_nothing_published_is_said() -> None:
    assert printed(frames(Publication(RUN, RAN_AT, []))) == "Nothing has been published yet.\n"


def test_an_organisation_without_any_day_is_said() -> None:
    made = Results(results().organisation, results().key_results.head(2))
    page = printed(frames(Publication(RUN, RAN_AT, [made])))
    assert "no data yet" in page
    assert "— / " in page


# --- one key result ---------------------------------------------------------------------------------------------------


def test_what_moved_since_yesterday_stands_beside_the_value() -> None:
    assert " +2 " in second_line(one({}, {"value": 5.0}))
    assert " -1 " in second_line(one({}, {"value": 8.0}))
    assert "+" not in second_line(one({}, {"value": 7.0}))


def test_a_new_window_is_said_instead_of_a_fall() -> None:
    april = {"window_start": date(2026, 10, 1), "value": 25.0}
    line = second_line(one({"window_start": date(2026, 11, 1)}, april, every="month"))
    assert "new month" in line
    assert "-18" not in line


def test_a_figure_of_an_earlier_day_has_not_moved_since_yesterday() -> None:
    newer = {"key_result_id": "other", "as_of": LAST_DAY + timedelta(days=1), "recorded_at": RAN_AT, **FIRST_EDITION}
    tables = one({}, {"value": 5.0}, period_end=LAST_DAY, frames={"rows": [newer]})
    assert second_line(tables).startswith("▁█ 7 / 20 ━")
    assert "+2" not in second_line(tables)


def test_windows_that_were_met_are_counted() -> None:
    recurring = {"windows_met": 1, "windows_closed": 1, "window_start": LAST_DAY}
    assert "1 of 1 month  on track" in printed(one(recurring, every="month"))
    assert "3 of 10 weeks  on track" in printed(
        one({**recurring, "windows_met": 3, "windows_closed": 10}, every="week")
    )
    assert "3/10 weeks" in printed(one({**recurring, "windows_met": 3, "windows_closed": 10}, every="week"), 140)


def test_windows_of_which_one_is_not_known_are_no_zero() -> None:
    recurring = {"windows_met": None, "windows_closed": 10, "window_start": LAST_DAY}
    assert "— of 10 weeks  on track" in printed(one(recurring, every="week"))
    assert "—/10 weeks" in printed(one(recurring, every="week"), 140)


def test_the_trend_of_what_recurs_is_one_block_a_window_and_a_gap_is_a_gap() -> None:
    days = [
        {"as_of": LAST_DAY - timedelta(days=ago), "window_start": LAST_DAY - timedelta(days=ago), "value": value}
        for ago, value in ((4, 20.0), (3, None), (2, 10.0), (1, 0.0))
    ]
    rows = [
        {
            "key_result_id": "inmobiliaria.x",
            "recorded_at": RAN_AT,
            "edition": 1,
            "is_withdrawn": False,
            "definition_version": "1.0",
            **day,
        }
        for day in days
    ]
    tables = one({"window_start": LAST_DAY, "value": 20.0}, every="day", frames={"rows": rows})
    assert second_line(tables).split()[0] == "█·▅▁█"


def test_the_bar_shows_how_far_it_is_and_how_far_it_should_be() -> None:
    bar = next(part for part in second_line(one({"progress": 0.5, "expected": 0.25})).split() if "━" in part)
    assert (len(bar), bar.count("━") + 1, bar.index("┃")) == (24, 12, 6)


def test_at_least_shows_how_near_it_is_though_it_is_met_or_not() -> None:
    near = one({"value": 0.88, "target": 0.9, "progress": 0.0, "expected": 1.0}, unit="share", direction="at_least")
    line = second_line(near)
    assert "88% / ≥ 90%" in line
    assert "━" * 22 in line
    assert "0% · exp. 100%" in line


def test_a_kpi_has_a_value_and_nothing_to_be_judged_by() -> None:
    tables = one({"target": None, "progress": None, "expected": None, "status": None}, type="kpi", every=None)
    assert second_line(tables).split()[1] == "7"
    assert "indicator" in printed(tables)
    assert "%" not in printed(tables)


def beside(role: str, member: str, value: float | None, **says: Any) -> dict[str, Any]:
    """A row of the newest day that is not of the whole."""
    row = {"key_result_id": "inmobiliaria.x", "role": role, "member": member, "as_of": LAST_DAY, "value": value}
    return {
        **row,
        "unit": "deals",
        "recorded_at": RAN_AT,
        "edition": 1,
        "is_withdrawn": False,
        "definition_version": "1.0",
        **says,
    }


def test_members_are_listed_those_that_lag_first() -> None:
    members = [
        beside("member", "x", 20.0, progress=1.0, target=20.0),
        beside("member", "facebook", 5.0, progress=0.25, target=20.0),
        beside("member", "linkedin", None, progress=None, target=20.0),
    ]
    tables = one({"value": 1.0, "target": 3.0}, unit="networks", frames={"rows": members})
    assert "↳ linkedin — / 20 · facebook 5 / 20 · x 20 / 20\n" in printed(tables)
    assert "1 / 3" in second_line(tables)


def test_parts_are_listed_each_in_its_own_unit() -> None:
    parts = [
        beside("part", "sales", 1_234.5, unit="EUR", progress=0.5, target=2_000.0),
        beside("part", "satisfied", 0.9, unit="share", progress=1.0, target=0.8, every="week"),
    ]
    page = printed(one({"value": 1.0, "target": 2.0}, unit="parts", frames={"rows": parts}))
    assert "↳ sales €1,234 / €2,000 · satisfied 90% / 80%\n" in page


def test_a_band_shows_both_of_its_ends() -> None:
    guardrail = beside("guardrail", "margin", 0.5, unit="share", progress=0.0, target=0.2, target_high=0.3)
    band = {"value": 4.0, "target": 5.0, "target_high": 7.0, "status": "at_risk", "breached": "margin"}
    tables = one(band, unit="deals", direction="within", frames={"rows": [guardrail]})
    assert " 4 / 5 – 7 " in second_line(tables)
    assert "  ↳ margin 50% / 20% – 30%\n" in printed(tables)


def test_a_guardrail_is_told_only_while_it_does_not_hold() -> None:
    guardrails = [beside("guardrail", "complaints", 7.0, progress=0.0, target=2.0)]
    broken = printed(one({"status": "at_risk", "breached": "complaints"}, frames={"rows": guardrails}))
    assert "  ↳ does not hold: complaints\n  ↳ complaints 7 / 2\n" in broken
    held = printed(one({"breached": None}, frames={"rows": guardrails}))
    assert "complaints" not in held


@pytest.mark.parametrize(("status", "is_told"), [("off_track", True), ("no_data", True), ("on_track", False)])
def test_a_shortfall_of_what_it_feeds_from_shows_at_the_key_result(status: str, is_told: bool) -> None:
    upstream = {"key_result_id": "inmobiliaria.leads", "title_en": "100 leads", "unit": "leads"}
    declarations = [
        {**declared(KINDS[0]), "key_result_id": "inmobiliaria.x", "title_en": "It", "feeds_from": "inmobiliaria.leads"},
        {**declared(KINDS[0]), **upstream},
    ]
    row = {
        "as_of": LAST_DAY,
        "recorded_at": RAN_AT,
        "value": 1.0,
        "edition": 1,
        "is_withdrawn": False,
        "definition_version": "1.0",
    }
    rows = [
        {**row, "key_result_id": "inmobiliaria.x", "role": "own", "status": "on_track"},
        {**row, "key_result_id": "inmobiliaria.leads", "role": "own", "status": status},
    ]
    made = Results(
        results().organisation,
        pl.DataFrame(declarations, schema=dict(KEY_RESULTS_SCHEMA)),
        pl.DataFrame(rows, schema=dict(HISTORY_SCHEMA)),
    )
    page = printed(frames(Publication(RUN, RAN_AT, [made])))
    told = f"↳ what it feeds from falls short: 100 leads ({LANGUAGES['en'].statuses[status]})\n"
    assert (told in page) == is_told
    assert ("falls short" in page) == is_told


def test_a_kpi_of_several_windows_shows_each_with_its_value() -> None:
    unjudged = {"target": None, "progress": None, "expected": None, "status": None}
    of_windows = {
        "every": "month",
        "windows_closed": 10,
        "expected": 1.0,
        "window_start": date(2026, 11, 1),
        "value": 1_200.0,
    }
    quarter = beside("window", "quarter", 3_400.0, unit="EUR", every="quarter")
    tables = one({**unjudged, **of_windows}, type="kpi", every=None, unit="EUR", frames={"rows": [quarter]})
    assert second_line(tables) == "█ €1,200"
    assert "↳ quarter €3,400\n" in printed(tables)
    assert "of 10" not in printed(tables)


def test_an_objective_of_indicators_alone_has_its_title() -> None:
    declaration = {**declared(KINDS[0]), "type": "kpi", "objective_id": "inmobiliaria.kpi"}
    made = replace(
        results(),
        key_results=pl.DataFrame([declaration], schema=dict(KEY_RESULTS_SCHEMA)),
        titles={"inmobiliaria.kpi": Title(es="Cifras", en="Figures to watch")},
    )
    page = printed(frames(Publication(RUN, RAN_AT, [made])))
    assert "\nFigures to watch\n" in page


def test_a_value_that_is_not_its_target_does_not_look_like_it() -> None:
    part = beside("part", "margin", 0.0206, unit="share", progress=0.7, target=0.0214)
    page = printed(one({"value": 9.96, "target": 10.0}, unit="points", frames={"rows": [part]}))
    assert " 9.96 / 10 " in page
    assert "↳ margin 2.06% / 2.14%\n" in page


def test_a_correction_that_is_small_is_not_from_a_figure_to_itself() -> None:
    page = printed(restated([2], value=1999.6, previous_value=1999.8))
    assert "from 1,999.8 to 1,999.6 (corrected at its source)" in page


def test_a_ratio_is_a_percentage_and_moves_in_points() -> None:
    tables = one({"value": 1.25, "target": 2.0}, {"value": 1.2}, unit="ratio")
    assert "125% / 200%" in second_line(tables)
    assert "+5 pt" in second_line(tables)


@pytest.mark.parametrize(
    ("row", "says", "told"),
    [
        ({"status": "no_data", "value": None, "progress": None}, {}, "nothing to measure yet"),
        ({"status": "unreliable", "target": None, "progress": None}, {}, "the value to start from is not known: +10 %"),
    ],
)
def test_why_it_is_not_known_stands_below_it(row: dict[str, Any], says: dict[str, Any], told: str) -> None:
    assert f"↳ {told}" in printed(one(row, **says))


def test_a_missing_rate_is_named_by_its_day_and_pair() -> None:
    lacks = [("USD", date(2026, 3, 2), "missing", 3)]
    tables = one({"status": "unreliable", "value": None}, frames={"lacking": {"inmobiliaria.x": lacks}})
    assert "↳ no exchange rate holds: USD→EUR 2026-03-02\n" in printed(tables)


def test_the_day_up_to_which_a_stream_was_read_is_told() -> None:
    read = {
        "source": "crm",
        "stream": "deals",
        "recorded_at": RAN_AT,
        "covered_to": datetime(2026, 3, 2, 9, tzinfo=UTC),
    }
    readings = {"loads": pl.DataFrame([read], schema=LOADS_SCHEMA), "feeds": {"inmobiliaria.x": [("crm", "deals")]}}
    page = printed(one({"status": "unreliable", "value": None}, frames=readings))
    assert "↳ read only until 2026-03-01 (crm.deals)\n" in page


def test_a_stream_that_was_not_read_is_named_where_it_is_missed() -> None:
    failed = {"source": "crm", "stream": "deals", "recorded_at": RAN_AT, "failure": "crm: 503 Service Unavailable"}
    loads = pl.DataFrame([failed], schema=LOADS_SCHEMA)
    frames_of = {"loads": loads, "feeds": {"inmobiliaria.x": [("crm", "deals")]}}
    page = printed(one({"status": "no_data", "value": None, "progress": None}, frames=frames_of))
    assert "↳ could not be read: crm: 503 Service Unavailable\n" in page
    assert "✗ crm.deals: crm: 503 Service Unavailable\n" in page


def unread(*streams: str) -> dict[str, pl.DataFrame]:
    """One key result of a source of which nothing could be read."""
    failure = "inmobiliaria.crm: sources.inmobiliaria.crm.token is not set. Set it in .dlt/secrets.toml"
    failed = [
        {"source": "crm", "stream": stream, "recorded_at": RAN_AT, "failure": failure, "run_id": RUN}
        for stream in streams
    ]
    frames_of = {
        "loads": pl.DataFrame(failed, schema=LOADS_SCHEMA),
        "feeds": {"inmobiliaria.x": [("crm", streams[0])]},
    }
    return one({"status": "no_data", "value": None, "progress": None}, frames=frames_of)


def test_what_a_source_lacks_is_told_once_and_what_to_do_about_it_with_the_load() -> None:
    page = printed(unread("calls", "contacts", "deals"), 130)
    assert page.count("Set it in .dlt/secrets.toml") == 1
    assert (
        "✗ crm (calls, contacts, deals): sources.inmobiliaria.crm.token is not set. Set it in .dlt/secrets.toml" in page
    )
    assert "↳ could not be read: inmobiliaria.crm: sources.inmobiliaria.crm.token is not set\n" in page


def test_checks_that_had_nothing_to_look_at_have_not_passed() -> None:
    page = printed(unread("calls", "deals"))
    assert "Checks\n  nothing against what was read; not all of it was: crm\n" in page
    assert "all passed" not in page


def test_a_value_that_is_not_known_is_a_dash_and_no_zero() -> None:
    assert second_line(one({"status": "no_data", "value": None, "progress": None})).startswith("· — / 20")


# --- what changed, came and failed ------------------------------------------------------------------------------------


def test_a_changed_status_is_told() -> None:
    page = printed(one({"status": "at_risk"}, {"status": "on_track"}))
    assert "Changes since yesterday\n  ▲ It: on track → at risk\n" in page


def test_a_period_that_was_over_before_yesterday_is_no_change_since() -> None:
    other = {"key_result_id": "other", "as_of": LAST_DAY + timedelta(days=2), "recorded_at": RAN_AT}
    other |= FIRST_EDITION
    page = printed(one({"status": "missed"}, {"status": "off_track"}, period_end=LAST_DAY, frames={"rows": [other]}))
    assert "Changes since yesterday\n  no change of status, no correction\n" in page


def test_no_change_is_told_too() -> None:
    assert "Changes since yesterday\n  no change of status, no correction\n" in printed(one({}, {}))


def restated(days: Iterable[int], **says: Any) -> dict[str, pl.DataFrame]:
    base = {
        "key_result_id": "inmobiliaria.x",
        "value": 7.0,
        "previous_value": 8.0,
        "edition": 1,
        "is_withdrawn": False,
        "definition_version": "1.0",
    }
    rows = [
        {**base, "as_of": LAST_DAY - timedelta(days=ago), "recorded_at": RAN_AT, "is_restatement": True}
        | {"cause": "correction", **says}
        for ago in days
    ]
    return one({}, frames={"rows": rows})


def test_a_corrected_day_is_told_with_what_it_was_and_why() -> None:
    assert "~ It: 18 Nov, from 8 to 7 (corrected at its source)\n" in printed(restated([2]))


def test_many_corrected_days_are_told_at_once() -> None:
    page = printed(restated(range(1, 31), cause="definition"))
    assert "~ It: 30 days, 21 Oct to 19 Nov; the last one from 8 to 7 (new definition)\n" in page


def test_a_day_whose_value_did_not_move_is_no_change_unless_the_definition_did() -> None:
    assert "no change of status, no correction" in printed(restated([2], previous_value=7.0))
    assert "18 Nov, from 7 to 7 (new definition)" in printed(restated([2], previous_value=7.0, cause="definition"))


def test_what_was_corrected_earlier_is_no_change_since_yesterday() -> None:
    page = printed(restated([2], recorded_at=RAN_AT - timedelta(days=1)))
    assert "no change of status, no correction" in page


def test_days_that_another_target_judges_anew_are_told_once() -> None:
    page = printed(restated([1, 2, 3], previous_value=7.0, cause="target"))
    assert "~ It: another target: 3 days judged anew, 17 Nov to 19 Nov\n" in page


def edition(name: str, change: str, at: datetime) -> dict[str, Any]:
    return {"key_result_id": name, "edition": 1, "change": change, "recorded_at": at, "definition_version": "1.0"}


def test_key_results_that_are_new_or_retired_are_told_but_not_those_of_the_first_day() -> None:
    before = [edition("inmobiliaria.x", "added", RAN_AT - timedelta(days=9))]
    came = [edition("inmobiliaria.y", "added", RAN_AT), edition("inmobiliaria.z", "retired", RAN_AT)]

    def page(rows: list[dict[str, Any]]) -> str:
        tables = one({}, {})
        editions = tables["editions"]
        whose = {"organisation": "inmobiliaria"}
        named = pl.DataFrame([{**whose, **row} for row in rows], schema_overrides={"edition": pl.Int64})
        blank = {name: pl.lit(None, dtype) for name, dtype in editions.schema.items() if name not in named.columns}
        tables["editions"] = named.with_columns(**blank).select(editions.columns).cast(dict(editions.schema))
        return printed(tables)

    assert "~ inmobiliaria.y: new\n" in page([*before, *came])
    assert "~ inmobiliaria.z: declared no more; what was published stays\n" in page([*before, *came])
    assert "inmobiliaria.y" not in page(came)


def test_the_last_load_is_told_by_source(agency: dict[str, pl.DataFrame]) -> None:
    lines = [" ".join(line.split()) for line in printed(agency, 100, "en").splitlines()]
    assert "new again set aside read until" in lines
    assert "crm 1,169 82 2 21 Nov 05:00" in lines
    assert "youtube 0 0 0 not read" in lines


def read_of(stream: str, **says: Any) -> dict[str, Any]:
    counts = {"delivered": 0, "inserted": 0, "duplicates": 0}
    when = {"covered_to": RAN_AT, "recorded_at": RAN_AT, "run_id": RUN}
    return {"source": "office", "stream": stream, **counts, **when, **says}


def test_what_is_set_aside_is_told_at_the_key_result_and_counted_at_its_source_in_both_languages() -> None:
    rows = [{"source": "office", "stream": "flyers", "record_key": str(n)} for n in range(25)]
    made = {
        "loads": pl.DataFrame([read_of("flyers"), read_of("others")], schema=dict(LOADS_SCHEMA)),
        "set_aside": pl.DataFrame(rows, schema=dict(QUARANTINE_SCHEMA)),
        "feeds": {"inmobiliaria.x": [("office", "flyers")]},
    }
    tables = one({}, frames=made)
    page = " ".join(printed(tables, 140).split())
    assert (
        "records set aside, which count only for what they said before: office.flyers (25); the value may be incomplete"
        in page
    )
    assert "office 0 0 25 21 Nov" in page
    assert "registros apartados, que solo cuentan por lo que decían antes: office.flyers (25)" in " ".join(
        printed(tables, 140, "es").split()
    )


@pytest.mark.parametrize(
    ("records", "problems", "spanish"),
    [
        (1, 1, "1 registro de office.flyers apartado: at: none (0)."),
        (25_000, 1, "25.000 registros de office.flyers apartados: at: none (0)."),
        (5, 5, "apartados: at: none (0); at: none (1); at: none (2); y 2 problemas más como estos."),
    ],
)
def test_what_is_set_aside_is_told_among_the_checks_in_the_words_of_the_page(records, problems, spanish) -> None:
    aside = Aside(("office", "flyers"), records, tuple(f"at: none ({n})" for n in range(problems)))
    says, do = "What is read is understood, or says nothing new.", "Mend them where they come from, or take them out"
    found = {"check": CHECK, "severity": "warning", "says": says, "found": aside.found, "do": do, "failed": records}
    remarks = pl.DataFrame([found], schema=dict(FINDINGS_SCHEMA))
    tables = one({}, frames={"remarks": remarks})
    assert f"{CHECK}: {says} {aside.found}. {do}." in " ".join(printed(tables, 200).split())
    page = " ".join(printed(tables, 200, "es").split())
    assert f"{CHECK}: Lo que se lee se entiende, o no dice nada nuevo." in page
    assert spanish in page
    assert "Hay que corregirlo allí de donde viene, o quitarlo." in page


def test_a_file_of_before_says_nothing_of_what_is_set_aside() -> None:
    tables = one({}, frames={"loads": pl.DataFrame([read_of("flyers")], schema=dict(LOADS_SCHEMA))})
    lacking = {"set_aside": pl.lit(None, pl.Int64), "is_declared": pl.lit(None, pl.Boolean)}
    tables["loads"] = tables["loads"].with_columns(**lacking)
    assert "office 0 0 — 21 Nov" in " ".join(printed(tables).split())


def test_a_stream_that_is_declared_no_more_is_not_told_of() -> None:
    readings = [read_of("flyers"), read_of("old", covered_to=None, failure="it failed, long ago")]
    loads = pl.DataFrame(readings, schema=dict(LOADS_SCHEMA))
    told = printed(one({}, frames={"loads": loads}))
    assert ("not read" in told, "it failed, long ago" in told, "not all of it was" in told) == (True, True, True)
    page = printed(one({}, frames={"loads": loads, "streams": [("office", "flyers")]}))
    assert ("not read" in page, "it failed" in page, page.endswith("Checks\n  all passed\n")) == (False, False, True)
    assert "office" in page


def test_checks_that_all_passed_are_told_too() -> None:
    assert printed(one({})).endswith("Checks\n  all passed\n")


def test_findings_are_told_the_critical_ones_first() -> None:
    rows = [
        {
            "recorded_at": RAN_AT,
            "run_id": RUN,
            "check": f"suite.{name}",
            "severity": name,
            "says": "It holds.",
            "found": "not",
            "do": "Do",
        }
        for name in ("warning", "critical")
    ]
    page = printed(one({}, frames={"findings": pl.DataFrame(rows, schema=dict(FINDINGS_SCHEMA))}))
    assert page.endswith(
        "Checks\n  ✗ held back suite.critical: It holds. not. Do.\n  ▲ remark suite.warning: It holds. not. Do.\n"
    )


# --- safety and words -------------------------------------------------------------------------------------------------


def test_text_from_elsewhere_cannot_command_the_terminal_or_pass_for_markup() -> None:
    nasty = "a\x1b[2Jb\nc\u202ed\x07[bold red]e[/]"
    page = printed(one({}, title_en=nasty), force_terminal=True, color_system="256")
    assert "a [2Jb c d [bold red]e[/]" in page
    assert "\x1b[2J" not in page
    assert "\u202e" not in page


def test_both_languages_say_the_same_things_with_the_same_places() -> None:
    def places(phrase: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(phrase) if name}

    spanish, english = LANGUAGES["es"], LANGUAGES["en"]
    for name in ("phrases", "problems", "causes", "statuses", "windows", "units"):
        one_side, other_side = getattr(spanish, name), getattr(english, name)
        assert set(one_side) == set(other_side), name
        for key, phrase in one_side.items():
            if isinstance(phrase, str):
                assert places(phrase) == places(other_side[key]), key
    assert set(spanish.statuses) == {*STATUSES, "kpi"}


def test_money_is_exact_to_the_digit_that_is_shown() -> None:
    tables = one({"value": 575_300_000.0, "numerator": Decimal(1), "target": 600_000_000.0}, unit="COP")
    assert "COP 575.3M / COP 600.0M" in second_line(tables)


# --- what people say --------------------------------------------------------------------------------------------------


def said(language: str = "en", **says: Any) -> str:
    """The lines below a key result of which somebody said something on the day before."""
    told = {
        "key_result_id": "inmobiliaria.x", "as_of": LAST_DAY, "checked_in_on": LAST_DAY - timedelta(days=1),
        "checked_in_at": RAN_AT, "source": "check_ins", "recorded_at": RAN_AT, **says,
    }  # fmt: skip
    check_ins = pl.DataFrame([told], schema=dict(CHECK_INS_SCHEMA))
    return " ".join(printed(one({}, frames={"check_ins": check_ins}), 160, language).split())


@pytest.mark.parametrize(
    ("says", "language", "line"),
    [
        ({"confidence": 0.7}, "en", "↳ a person's word (19 Nov): confidence 70%"),
        ({"confidence": 0.7}, "es", "↳ palabra de una persona (19 nov): confianza 70 %"),
        (
            {"stated_value": 9.0, "stated_progress": 0.45, "stated_status": "on_track"},
            "en",
            "↳ a person's word (19 Nov): value 9 (45%, on track)",
        ),
        ({"stated_value": 9.0}, "es", "↳ palabra de una persona (19 nov): valor 9"),
        ({"note": "Two are\nsigned"}, "en", "↳ a person's word (19 Nov): “Two are signed”"),
    ],
)
def test_what_a_person_says_is_marked_as_their_word(says, language, line) -> None:
    assert line in said(language, **says)


def test_a_stated_value_moves_neither_headline_nor_status() -> None:
    stated = said(stated_value=20.0, stated_progress=1.0, stated_status="achieved")
    headline = printed(one({}), 160).partition("Changes since")[0]
    assert stated.startswith(" ".join(headline.split()))


def sealed(language: str = "en", **says: Any) -> str:
    told = {
        "key_result_id": "inmobiliaria.x", "objective_id": "inmobiliaria.empresa", "period_start": YEAR.first,
        "period_end": YEAR.last, "sealed_score": 0.9, "sealed_value": 18.0, "sealed_at": RAN_AT,
        "moved_since_seal": False, **says,
    }  # fmt: skip
    own = {**told, "key_result_id": None, "sealed_score": 0.85}
    seals = pl.DataFrame([told, own], schema=dict(STANDING_SCHEMA))
    rolled_up = pl.DataFrame(
        [
            {
                "objective_id": "inmobiliaria.empresa",
                "title_en": "All",
                "title_es": "Todo",
                "as_of": LAST_DAY,
                "period_start": YEAR.first,
                "period_end": YEAR.last,
                "status": "on_track",
                "key_results": 1,
                "in_force": 1,
            }
        ],
        schema=dict(OBJECTIVES_SCHEMA),
    )
    tables = one({"score": 0.35}, frames={"seals": seals, "objectives": rolled_up}, objective_id="inmobiliaria.empresa")
    return " ".join(printed(tables, 160, language).split())


def test_a_seal_is_told_of_a_key_result_and_of_its_objective() -> None:
    assert "↳ closed with a score of 0.9 " in sealed()
    assert "● on track closed with a score of 0.85" in sealed()
    assert "cerrado con una puntuación de 0,9" in sealed("es")


def test_later_truth_is_told_beside_the_seal() -> None:
    assert "↳ closed with a score of 0.9; it has moved since: now 7, 0.35" in sealed(moved_since_seal=True)


def test_the_source_that_is_there_anyway_is_told_of_when_it_brought_something() -> None:
    def told(**says: Any) -> str:
        load = {"stream": "check_ins", "covered_to": RAN_AT, "recorded_at": RAN_AT, "run_id": RUN, "inserted": 0}
        nothing = {"delivered": 0, "duplicates": 0}
        rows = pl.DataFrame([{**load, **nothing, "source": BUILT_IN, **says}], schema=dict(LOADS_SCHEMA))
        return printed(one({}, frames={"loads": rows}))

    assert NAME == BUILT_IN
    assert "check_ins" not in told()
    assert "check_ins" in told(delivered=1, inserted=1)
    assert "check_ins" in told(covered_to=None, failure="line 2 is no check-in")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for page_width, page_language in PAGES:
        text = printed(frames(publication()), page_width, page_language)
        (GOLDEN / f"report_{page_width}_{page_language}.txt").write_text(text, encoding="utf-8")


# --- finality ---------------------------------------------------------------------------------------------------------


def test_a_provisional_figure_says_what_became_of_such_figures() -> None:
    revision = pl.DataFrame(
        {
            "key_result_id": ["inmobiliaria.x"], "member": [None], "as_of": [LAST_DAY],
            "final_on": [LAST_DAY + timedelta(days=2)], "expected_revision": [0.4], "revision_within": [2.0],
            "revisions_seen": [30], "is_provisional": [True],
        }
    )  # fmt: skip
    tables = one({}, {})
    for name in ("current_progress", "progress_daily"):
        kept = tables[name].drop(set(revision.columns) - {"key_result_id", "member", "as_of"})
        keys = ["key_result_id", "as_of"]
        tables[name] = kept.join(revision.drop("member"), on=keys, how="left")
    told = (
        f"provisional until {LANGUAGES['en'].day(LAST_DAY + timedelta(days=2))}; such figures moved by +0.4 on average"
    )
    assert told in " ".join(printed(tables).split())
