"""The published tables: what is in them, how things stand, and that they are documented as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from agency_results import LAST_DAY, ORGANISATION, RAN_AT, publication, results

from assets import steps
from assets.publication import Publication, Results, TablesError, documentation, frames
from assets.publication.results import FINDINGS_SCHEMA
from assets.publication.tables import tables
from kr_definitions.history import HISTORY_SCHEMA, KEY_RESULTS_SCHEMA
from kr_definitions.organisation import Organisation, Title
from pipelines.aside import QUARANTINE_SCHEMA
from pipelines.load import LOADS_SCHEMA

DOCS = Path(__file__).resolve().parents[2] / "docs" / "tables.md"
TODAY, YESTERDAY = date(2026, 5, 14), date(2026, 5, 13)
RAN = datetime(2026, 5, 15, 4, tzinfo=UTC)
CALLS = "org.calls"


# --- builders ---------------------------------------------------------------------------------------------------------


def row(day: date, value: float | None, **says: Any) -> dict[str, Any]:
    return {
        "key_result_id": CALLS,
        "as_of": day,
        "window_start": date(2026, 5, 1),
        "window_end": date(2026, 5, 31),
        "value": value,
        "numerator": None if value is None else Decimal(str(value)),
        "target": 20.0,
        "progress": None if value is None else value / 20,
        "status": "no_data" if value is None else "on_track",
        "edition": 1,
        "is_withdrawn": False,
        "definition_version": "1.0",
        "recorded_at": RAN - (TODAY - day),
        "run_id": "run",
        "is_restatement": False,
        **says,
    }


def history(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(HISTORY_SCHEMA))


def declared(**says: Any) -> pl.DataFrame:
    told = {
        "key_result_id": CALLS,
        "objective_id": "org.sales",
        "organisation": "org",
        "title_en": "Calls",
        "title_es": "Llamadas",
        "type": "activity",
        "unit": "calls",
        "every": "month",
        "target_text": "20 every month",
        "measure_text": "number of call.made",
        "period_start": date(2026, 1, 1),
        "period_end": date(2026, 12, 31),
        **says,
    }
    return pl.DataFrame([told], schema=dict(KEY_RESULTS_SCHEMA))


def finding(run_id: str, **says: Any) -> pl.DataFrame:
    told = {
        "run_id": run_id,
        "recorded_at": RAN,
        "check": "computed_progress.score_is_in_range",
        "severity": "critical",
        "found": "score 2",
        "key_results": f"{CALLS}, org.other",
        **says,
    }
    return pl.DataFrame([told], schema=dict(FINDINGS_SCHEMA))


def load(**says: Any) -> dict[str, Any]:
    return {"source": "crm", "stream": "calls", "covered_to": RAN, "recorded_at": RAN, "run_id": "run", **says}


def loads(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=LOADS_SCHEMA)


def standing(*rows: dict[str, Any], **says: Any) -> dict[str, Any]:
    """The current progress of the one key result."""
    declaration = says.pop("key_results", declared())
    organisation = Organisation(
        id="org", title=Title(es="Org", en="Org"), zone="Europe/Madrid", country="ES", currency="EUR"
    )
    made = Results(organisation, declaration, history(*rows), **says)
    current = frames(Publication("run", RAN, [made]))["current_progress"]
    return next(found for found in current.iter_rows(named=True) if found["key_result_id"] == CALLS)


def test_an_indicator_that_is_not_known_says_why_though_it_has_no_status() -> None:
    kpi = declared(type="kpi", every=None, target_text=None)
    behind = loads(load(covered_to=RAN - timedelta(days=9)))
    says: dict[str, Any] = {"key_results": kpi, "feeds": {CALLS: [("crm", "calls")]}, "loads": behind}
    found = standing(row(TODAY, None, status=None, target=None), **says)
    last = (RAN - timedelta(days=10)).date()
    assert (found["status"], found["problem"], found["problem_detail"]) == (None, "behind", f"crm.calls: {last}")
    assert standing(row(TODAY, 7.0, status=None, target=None), **says)["problem"] is None
    of_members = row(TODAY, None, status=None, target=None), row(TODAY, 7.0, status=None, target=None, member="north")
    assert standing(*of_members, **says)["problem"] is None


# --- what moved -------------------------------------------------------------------------------------------------------


def test_the_newest_day_stands_beside_the_day_before() -> None:
    found = standing(row(YESTERDAY, 7.0, status="at_risk"), row(TODAY, 9.0))
    assert (found["as_of"], found["value"], found["value_before"], found["value_moved"]) == (TODAY, 9.0, 7.0, 2.0)
    assert (found["status"], found["status_before"], found["is_new_window"]) == ("on_track", "at_risk", False)
    assert found["progress_moved"] == pytest.approx(0.1)
    assert (found["title_es"], found["problem"], found["is_stale"]) == ("Llamadas", None, False)


def test_a_value_that_begins_anew_with_its_window_has_not_moved() -> None:
    april = {"window_start": date(2026, 4, 1), "window_end": date(2026, 4, 30)}
    found = standing(row(YESTERDAY, 25.0, **april), row(TODAY, 1.0))
    assert (found["value_before"], found["value_moved"], found["is_new_window"]) == (25.0, None, True)


def test_a_trailing_window_moves_every_day_and_its_value_with_it() -> None:
    rows = row(YESTERDAY, 0.8, window_start=date(2026, 2, 13)), row(TODAY, 0.9, window_start=date(2026, 2, 14))
    found = standing(*rows, key_results=declared(every=None))
    assert (found["value_moved"], found["is_new_window"]) == (pytest.approx(0.1), False)


def test_a_movement_between_two_definitions_is_no_movement() -> None:
    found = standing(row(YESTERDAY, 7.0), row(TODAY, 90.0, edition=2, definition_version="2.0"))
    assert (found["value_moved"], found["progress_moved"], found["value_before"]) == (None, None, None)


def test_what_is_not_known_has_not_moved() -> None:
    assert standing(row(YESTERDAY, None), row(TODAY, 9.0))["value_moved"] is None


def test_only_the_day_before_is_the_day_before() -> None:
    found = standing(row(TODAY - timedelta(days=2), 7.0), row(TODAY, 9.0))
    assert (found["value_before"], found["value_moved"], found["status_before"]) == (None, None, None)


def test_the_trend_is_of_thirty_days_with_gaps_for_what_is_not_known() -> None:
    rows = [row(TODAY - timedelta(days=ago), None if ago == 3 else 40.0 - ago) for ago in range(40)]
    trend = standing(*rows)["trend"]
    assert len(trend) == 30
    assert trend[-4] == "·"
    assert (trend[0], trend[-1], trend.count("·")) == ("▁", "█", 1)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_a_key_result_that_a_check_holds_back_shows_its_last_good_row_and_is_never_green() -> None:
    found = standing(row(YESTERDAY, 7.0), findings=finding("run"))
    assert (found["value"], found["status_reported"], found["status"]) == (7.0, "on_track", "unreliable")
    assert (found["problem"], found["problem_detail"]) == ("held_back", "computed_progress.score_is_in_range: score 2")


@pytest.mark.parametrize("readings", [loads(load()), loads()])
def test_once_it_passes_again_nothing_is_wrong_any_more(readings: pl.DataFrame) -> None:
    """Whatever the clock says, and though a figure that is the same again appended no row."""
    found = standing(row(TODAY, 8.0, run_id="the one before"), findings=finding("before"), loads=readings)
    assert (found["status"], found["problem"]) == ("on_track", None)


def test_what_only_publishes_says_what_the_last_run_found() -> None:
    before = load(run_id="before"), load(run_id="long before", recorded_at=RAN - timedelta(seconds=1))
    assert standing(row(TODAY, 8.0), findings=finding("before"), loads=loads(*before))["problem"] == "held_back"
    assert standing(row(TODAY, 8.0), findings=finding("long before"), loads=loads(*before))["problem"] is None


@pytest.mark.parametrize("says", [{"severity": "warning"}, {"key_results": "org.callsback, org.other"}])
def test_a_warning_or_somebody_elses_finding_holds_nothing_back(says: dict[str, str]) -> None:
    assert standing(row(TODAY, 7.0), findings=finding("run", **says))["problem"] is None


def test_a_key_result_that_lags_behind_the_others_is_stale_and_never_green() -> None:
    two = pl.concat([declared(), declared(key_result_id="org.other")])
    found = standing(row(YESTERDAY, 7.0), row(TODAY, 1.0, key_result_id="org.other"), key_results=two)
    assert (found["is_stale"], found["status"], found["problem"]) == (True, "unreliable", "stale")
    assert found["problem_detail"] == "2026-05-13"


def test_a_key_result_whose_period_is_over_is_not_stale() -> None:
    two = pl.concat([declared(period_end=YESTERDAY), declared(key_result_id="org.other")])
    rows = row(YESTERDAY, 21.0, status="achieved"), row(TODAY, 1.0, key_result_id="org.other")
    found = standing(*rows, key_results=two)
    assert (found["is_stale"], found["status"]) == (False, "achieved")


def test_a_key_result_without_any_row_has_no_data_once_its_period_has_begun() -> None:
    assert standing()["status"] == "no_data"
    assert standing(key_results=declared(period_start=date(2026, 7, 1)))["status"] == "not_started"


@pytest.mark.parametrize(
    ("readings", "kind", "detail"),
    [
        (loads(), "not_loaded", "crm.calls"),
        (loads(load(covered_to=None, failure="crm: 503. Try later")), "not_loaded", "crm: 503. Try later"),
        (loads(load(covered_from=datetime(2026, 5, 5, tzinfo=UTC))), "begins_later", "crm.calls: 2026-05-05"),
        (loads(load(covered_from=datetime(2026, 4, 30, 22, tzinfo=UTC))), "nothing_yet", None),
        (loads(load(covered_to=datetime(2026, 5, 9, 4, tzinfo=UTC))), "behind", "crm.calls: 2026-05-08"),
        (loads(load()), "nothing_yet", None),
        (loads(load(covered_to=None, recorded_at=RAN - timedelta(days=1)), load()), "nothing_yet", None),
    ],
)
def test_no_data_says_which_stream_was_not_read_and_why(readings: pl.DataFrame, kind: str, detail: str | None) -> None:
    found = standing(row(TODAY, None), loads=readings, feeds={CALLS: [("crm", "calls")]})
    assert (found["status"], found["problem"], found["problem_detail"]) == ("no_data", kind, detail)


def test_amounts_without_a_rate_are_told_with_their_pair_and_the_first_day() -> None:
    lacks = [("USD", TODAY, "missing", 3), ("USD", YESTERDAY, "not_read", 1), ("GBP", TODAY, "contradictory", 1)]
    found = standing(row(TODAY, None, status="unreliable"), lacking={CALLS: lacks})
    assert (found["problem"], found["problem_detail"]) == ("no_rate", f"GBP→EUR {TODAY}, USD→EUR {YESTERDAY} (+1)")
    contradictory = standing(row(TODAY, None, status="unreliable"), lacking={CALLS: lacks[2:]})
    assert (contradictory["problem"], contradictory["problem_detail"]) == ("two_rates", f"GBP→EUR {TODAY}")


def test_the_members_and_guardrails_that_are_not_known_are_told() -> None:
    rows = row(TODAY, None, status="unreliable"), row(TODAY, 1.0, member="x", role="member")
    unknown = (
        row(TODAY, None, member="facebook", role="member"),
        row(TODAY, None, member="complaints", role="guardrail"),
    )
    found = standing(*rows, *unknown, row(YESTERDAY, None, member="x", role="member"))
    assert (found["problem"], found["problem_detail"]) == ("unknown_beside", "complaints, facebook")


def test_events_that_no_source_states_are_told() -> None:
    found = standing(row(TODAY, None), feeds={CALLS: []})
    assert (found["problem"], found["problem_detail"]) == ("no_source", "number of call.made")


def test_a_value_without_the_baseline_that_it_is_measured_against_is_told() -> None:
    found = standing(row(TODAY, 7.0, status="unreliable", target=None, progress=None))
    assert (found["problem"], found["problem_detail"]) == ("no_baseline", "20 every month")


def test_a_retired_key_result_keeps_its_days_and_stands_nowhere() -> None:
    made = Results(ORGANISATION, declared(), history(row(TODAY, 1.0), row(TODAY, 2.0, key_result_id="org.gone")))
    found = frames(Publication("run", RAN, [made]))
    assert found["current_progress"]["key_result_id"].to_list() == [CALLS]
    daily = dict(found["progress_daily"].select("key_result_id", "is_retired").iter_rows())
    assert daily == {CALLS: False, "org.gone": True}


# --- the other tables -------------------------------------------------------------------------------------------------


def test_a_restated_day_is_shown_as_it_is_now_and_remembered_as_it_was() -> None:
    restated = row(YESTERDAY, 9.0, recorded_at=RAN, is_restatement=True, previous_value=7.0, cause="late_event")
    made = Results(ORGANISATION, declared(), history(row(YESTERDAY, 7.0), row(TODAY, 10.0), restated))
    found = frames(Publication("run", RAN, [made]))
    daily = found["progress_daily"].select("as_of", "value", "times_recorded", "is_latest").rows()
    assert daily == [(YESTERDAY, 9.0, 2, False), (TODAY, 10.0, 1, True)]
    assert found["progress_history"]["value"].to_list() == [7.0, 9.0, 10.0]
    (told,) = found["restatements"].to_dicts()
    assert (told["previous_value"], told["value"], told["moved_by_data"], told["cause"]) == (
        7.0,
        9.0,
        2.0,
        "late_event",
    )
    assert (told["title_en"], told["as_of"]) == ("Calls", YESTERDAY)


def test_a_restatement_by_another_definition_is_no_movement_of_the_business() -> None:
    restated = row(TODAY, 9.0, recorded_at=RAN, is_restatement=True, previous_value=7.0, cause="definition")
    made = Results(ORGANISATION, declared(), history(row(TODAY, 7.0, recorded_at=RAN - timedelta(hours=1)), restated))
    (told,) = frames(Publication("run", RAN, [made]))["restatements"].to_dicts()
    assert (told["moved_by_data"], told["moved_by_definition"]) == (None, 2.0)


def test_members_have_days_of_their_own_and_no_place_among_the_current() -> None:
    rows = row(TODAY, 0.5), row(TODAY, 1.0, member="x"), row(YESTERDAY, 3.0, member="x")
    made = Results(ORGANISATION, declared(), history(*rows))
    found = frames(Publication("run", RAN, [made]))
    assert found["current_progress"]["value"].to_list() == [0.5]
    assert found["progress_daily"].select("member", "as_of", "is_latest").rows() == [
        (None, TODAY, True),
        ("x", YESTERDAY, False),
        ("x", TODAY, True),
    ]


def test_a_load_says_how_many_of_its_records_could_not_be_understood() -> None:
    found = frames(publication())["loads"].filter("is_latest").select("stream", "delivered", "inserted", "quarantined")
    assert found.sort("stream").rows() == [
        ("buzoneo", 46, 1, 0),
        ("calls", 1204, 1131, 2),
        ("deals", 47, 38, 0),
        ("invoices", 6, 6, 0),
        ("surveys", 19, 14, 0),
        ("videos", 0, 0, 0),
    ]


def test_only_the_findings_of_the_last_run_are_current_though_a_clock_stands_still() -> None:
    found = pl.concat([finding("before"), finding("run"), finding("before")])
    earlier = load(run_id="before", recorded_at=RAN - timedelta(microseconds=1))
    made = Results(ORGANISATION, declared(), findings=found, loads=loads(earlier, load()))
    assert frames(Publication("run", RAN, [made]))["data_quality"]["is_current"].to_list() == [False, True, False]


def test_what_a_run_set_aside_is_counted_at_its_own_reading_though_a_clock_stands_still() -> None:
    aside = {"source": "crm", "stream": "calls", "recorded_at": RAN}
    quarantine = pl.DataFrame([{**aside, "run_id": run} for run in ("a", "a", "b")], schema=QUARANTINE_SCHEMA)
    readings = loads(*(load(run_id=run, recorded_at=RAN + timedelta(microseconds=n)) for n, run in enumerate("abc")))
    made = Results(ORGANISATION, declared(), loads=readings, quarantine=quarantine)
    counted = frames(Publication("c", RAN, [made]))["loads"].select("run_id", "quarantined")
    assert counted.rows() == [("a", 2), ("b", 1), ("c", 0)]


def aside(*streams: str) -> pl.DataFrame:
    """A record that is set aside of each of these streams of the CRM."""
    rows = [{"source": "crm", "stream": stream, "record_key": str(n)} for n, stream in enumerate(streams)]
    return pl.DataFrame(rows, schema=QUARANTINE_SCHEMA)


def test_what_stands_set_aside_is_counted_at_the_newest_reading_of_each_declared_stream() -> None:
    readings = loads(
        load(recorded_at=RAN - timedelta(days=1), run_id="before"),
        load(),
        load(stream="deals"),
        load(stream="renamed"),
    )
    declared_streams = [("crm", "calls"), ("crm", "deals"), ("calls", "crm")]
    made = Results(
        ORGANISATION, declared(), loads=readings, set_aside=aside("calls", "calls"), streams=declared_streams
    )
    found = frames(Publication("run", RAN, [made]))["loads"]
    assert found.select("stream", "is_latest", "is_declared", "set_aside").rows() == [
        ("calls", False, True, None),
        ("calls", True, True, 2),
        ("deals", True, True, 0),
        ("renamed", True, False, None),
    ]


def test_a_key_result_says_what_is_set_aside_of_the_streams_that_it_needs() -> None:
    standing_aside = aside("calls", "calls", "deals", "tickets")

    def told(*streams: str) -> tuple[object, object, object]:
        feeds = {CALLS: [("crm", stream) for stream in streams]}
        found = standing(row(TODAY, 7.0), feeds=feeds, set_aside=standing_aside)
        return found["set_aside"], found["set_aside_in"], found["problem"]

    assert told("calls", "deals", "meetings") == (3, "crm.calls (2), crm.deals (1)", None)
    assert told("meetings") == (0, None, None)


def test_what_is_found_of_how_things_stand_is_current_beside_the_findings_of_the_last_run_that_read() -> None:
    remarks = finding("-", check="records.are_understood", severity="warning")
    made = Results(ORGANISATION, declared(), findings=finding("run"), remarks=remarks, loads=loads(load()))
    found = frames(Publication("erase", RAN, [made]))["data_quality"]
    assert found.filter("is_current")["check"].to_list() == [
        "computed_progress.score_is_in_range",
        "records.are_understood",
    ]


def test_every_objective_has_one_newest_day() -> None:
    newest = frames(publication())["objectives"].filter("is_latest")
    assert newest["objective_id"].to_list() == [
        f"inmobiliaria.{n}" for n in ("clientes", "empresa", "marketing", "ventas")
    ]
    assert set(newest["as_of"]) == {LAST_DAY}


def test_several_organisations_share_a_file_and_no_row() -> None:
    other = replace(results(), organisation=ORGANISATION.model_copy(update={"id": "otra"}))
    alone = frames(publication())
    both = frames(Publication("run", RAN_AT, [results(), other]))
    for name in set(tables()) - {"meta"}:
        counted = dict(both[name].group_by("organisation").len().iter_rows())
        assert counted == dict.fromkeys(("inmobiliaria", "otra"), alone[name].height)


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "\rx", "＝1"])
def test_text_that_a_spreadsheet_takes_for_a_formula_is_disarmed_wherever_vendors_or_people_wrote_it(text: str) -> None:
    made = Results(
        ORGANISATION,
        declared(title_es=text, owner=text, why=text),
        history(row(TODAY, 1.0), row(TODAY, 1.0, member=text)),
        findings=finding("run", found=text),
        loads=loads(load(covered_to=None, failure=text)),
    )
    found = frames(Publication("run", RAN, [made]))
    assert found["current_progress"].select("title_es", "owner", "why").row(0) == (f"'{text}",) * 3
    assert found["progress_daily"]["member"].to_list() == [None, f"'{text}"]
    assert found["data_quality"]["found"].to_list() == [f"'{text}"]
    assert found["loads"]["failure"].to_list() == [f"'{text}"]


def test_a_row_that_was_recorded_twice_is_refused_by_name() -> None:
    made = Results(ORGANISATION, declared(), history(row(TODAY, 1.0), row(TODAY, 2.0)))
    with pytest.raises(TablesError, match=r"progress_history: 2 rows share their key .*key_result_id org.calls"):
        frames(Publication("run", RAN, [made]))


def test_a_row_without_a_key_is_refused_by_name() -> None:
    made = Results(ORGANISATION, declared(), history(row(TODAY, 1.0, recorded_at=None)))
    with pytest.raises(TablesError, match="progress_history: 1 rows have no recorded_at"):
        frames(Publication("run", RAN, [made]))


def test_results_without_a_column_are_refused_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="org: history lacks cause, quality"):
        Results(ORGANISATION.model_copy(update={"id": "org"}), declared(), history().drop("quality", "cause"))


def test_an_organisation_without_anything_yet_publishes_empty_tables() -> None:
    made = Results(ORGANISATION, declared().clear())
    counted = {name: rows.height for name, rows in frames(Publication("run", RAN, [made])).items()}
    assert counted == {**dict.fromkeys(tables(), 0), "organisations": 1, "meta": 1}


# --- documentation ----------------------------------------------------------------------------------------------------


def test_the_documentation_is_that_of_the_tables() -> None:
    assert DOCS.read_text(encoding="utf-8") == documentation(), "run: python -m assets.publication > docs/tables.md"


def test_every_described_column_is_in_a_table_once() -> None:
    described = yaml.safe_load((Path(__file__).resolve().parents[2] / "assets/publication/tables.yaml").read_text())
    used = {column.name for table in tables().values() for column in table.columns}
    assert used == set(described["columns"])
    for table in tables().values():
        names = [column.name for column in table.columns]
        assert len(names) == len(set(names)), table.name
        assert set(table.key) <= set(names), table.name


def test_the_history_is_published_with_all_its_columns() -> None:
    published = {column.name: column.polars_type for column in tables()["progress_history"].columns}
    assert published == {"organisation": pl.String(), **HISTORY_SCHEMA}
    declared_columns = {column.name: column.polars_type for column in tables()["key_results"].columns}
    assert declared_columns == dict(KEY_RESULTS_SCHEMA)


def test_findings_have_the_columns_that_the_steps_keep() -> None:
    assert dict(FINDINGS_SCHEMA) == steps.FINDINGS_SCHEMA
