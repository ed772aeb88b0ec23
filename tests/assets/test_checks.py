"""Every rule of the two suites, broken one at a time: exactly that rule says so, and says whom it concerns."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from assets.checks import Audit, audit_events, audit_progress
from assets.checks.audit import audit
from assets.checks.expectations import MOST_ROWS_AT_ONCE, run
from assets.checks.rules import Rule, Suite
from assets.checks.suites import batch_of_events, computed_progress
from kr_definitions.events import EVENT_SCHEMA
from kr_definitions.history import COMPUTED_SCHEMA, KEY_RESULTS_SCHEMA

# One worker imports Great Expectations, which takes seconds.

AT = datetime(2026, 5, 14, 4, 0, tzinfo=UTC)
DAYS = [date(2026, 5, 11), date(2026, 5, 12), date(2026, 5, 13)]

CALLS, SHARE, FOLLOWERS, KPI = "org.calls", "org.share", "org.followers", "org.kpi"
PARTS, RATIO = "org.parts", "org.ratio"
ALL = (CALLS, SHARE, FOLLOWERS, KPI, PARTS, RATIO)


# --- builders ---------------------------------------------------------------------------------------------------------


def hexed(number: int) -> str:
    return f"{number:032x}"


def event(number: int, **says: Any) -> dict[str, Any]:
    return {
        "event_id": hexed(number),
        "fact_id": hexed(number),
        "content_hash": hexed(number),
        "source": "crm",
        "stream": "calls",
        "record_key": f"call/{number}",
        "fact_key": f"call/{number}/made",
        "event_type": "call.made",
        "subject_id": f"call:{number}",
        "occurred_at": AT - timedelta(hours=number),
        "recorded_at": AT,
        "source_url": f"https://crm.example/calls/{number}",
        **says,
    }


GOOD_EVENTS = [
    event(1, outcome="connected", quantity=Decimal(60)),
    event(2, event_type="deal.won", amount=Decimal("100.50"), currency="EUR", pipeline="sales"),
    event(3, event_type="followers.observed", network="x", quantity=Decimal(10)),
    event(4, event_type="fact.retracted", retracts=hexed(99), outcome="busy", amount=Decimal(5), currency="EUR"),
    event(5, event_type="source.covered", covers="call.made", covered_from=AT - timedelta(days=1), covered_to=AT),
]


def events(*changes: Mapping[str, Any], extra: tuple[dict[str, Any], ...] = ()) -> pl.DataFrame:
    """The good events; the n-th change is laid over the n-th event."""
    rows = [dict(row) for row in GOOD_EVENTS]
    for row, change in zip(rows, changes, strict=False):
        row.update(change)
    return pl.DataFrame([*rows, *extra], schema=dict(EVENT_SCHEMA))


def row(key_result_id: str | None, day: date | None, **says: Any) -> dict[str, Any]:
    return {
        "key_result_id": key_result_id,
        "role": "own" if says.get("member") is None else "member",
        "unit": "count",
        "as_of": day,
        "window_start": date(2026, 5, 1),
        "window_end": date(2026, 5, 31),
        "value": 7.0,
        "numerator": Decimal(7),
        "events": 7,
        "target": 20.0,
        "start": 0.0,
        "progress": 0.35,
        "expected": 0.4,
        "status": "at_risk",
        "score": 0.35,
        "is_provisional": False,
        "definition_hash": "v1",
        **says,
    }


UNJUDGED = {"progress": None, "score": None, "target": None, "expected": None, "status": None}


def good_rows() -> list[dict[str, Any]]:
    """Three days of what a run computes: what recurs, a share, members, a KPI by month and week, parts, a ratio."""
    monthly = {"every": "month", "windows_met": 3, "windows_closed": 4, "window_progress": 0.35, "window_expected": 0.4}
    fraction = {"value": 0.75, "numerator": Decimal(3), "denominator": Decimal(4), "target": 0.9}
    together = {"value": 1.0, "numerator": Decimal(1), "denominator": Decimal(2), "target": 2.0}
    unknown = {"value": None, "numerator": None, "events": None}
    rows = []
    for day in DAYS:
        rows.append(row(CALLS, day, **monthly))
        rows.append(row(SHARE, day, unit="share", **fraction))
        rows.append(row(FOLLOWERS, day, **unknown))
        rows.extend(row(FOLLOWERS, day, member=member) for member in ("facebook", "x"))
        rows.append(row(KPI, day, every="month", **UNJUDGED))
        week = {"window_start": date(2026, 5, 11), "window_end": date(2026, 5, 17)}
        rows.append(row(KPI, day, member="week", role="window", every="week", **week, **UNJUDGED))
        rows.append(row(KPI, day, member="complaints", role="guardrail"))
        rows.append(row(PARTS, day, **together, breached="complaints"))
        rows.append(row(PARTS, day, member="sales", role="part"))
        rows.append(row(PARTS, day, member="calls", role="part", **monthly))
        band = {"target": None, "status": "off_track", "progress": 0.0, "score": 0.0, "expected": 1.0}
        rows.append(row(PARTS, day, member="complaints", role="guardrail", unit="share", **fraction | band))
        rows.append(row(RATIO, day, unit="ratio", value=3.5, numerator=Decimal(7), denominator=Decimal(2)))
    return rows


def progress(*changes: tuple[int, Mapping[str, Any]], extra: tuple[dict[str, Any], ...] = ()) -> pl.DataFrame:
    """The good rows; a change is laid over the row of that number."""
    rows = good_rows()
    for number, change in changes:
        rows[number].update(change)
    return pl.DataFrame([*rows, *extra], schema=dict(COMPUTED_SCHEMA))


def declaration(key_result_id: str, **says: Any) -> dict[str, Any]:
    return {
        "key_result_id": key_result_id,
        "type": "outcome",
        "unit": "count",
        "direction": "increase",
        "period_start": date(2026, 1, 1),
        "period_end": date(2026, 12, 31),
        **says,
    }


def declared(*extra: dict[str, Any]) -> pl.DataFrame:
    rows = [
        declaration(CALLS, every="month", type="activity"),
        declaration(SHARE, unit="share", direction="at_least"),
        declaration(FOLLOWERS),
        declaration(KPI, type="kpi", direction="none"),
        declaration(PARTS),
        declaration(RATIO, unit="ratio"),
        *extra,
    ]
    return pl.DataFrame(rows, schema=dict(KEY_RESULTS_SCHEMA))


def due(*key_results: str, days: list[date] = DAYS) -> pl.DataFrame:
    named = key_results or ALL
    return pl.DataFrame(
        [{"key_result_id": name, "as_of": day} for name in named for day in days],
        schema={"key_result_id": pl.String, "as_of": pl.Date},
    )


def broken(found: Any) -> set[str]:
    return {finding.check.partition(".")[2] for finding in found.findings}


# --- events -----------------------------------------------------------------------------------------------------------

# Rule -> what is changed in a good event of that type, so that this rule and no other is broken.
BROKEN_EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"{column}_is_set": ("call.made", {column: None})
        for column in ("event_id", "fact_id", "content_hash", "source", "stream", "record_key", "fact_key")
    },
    "event_type_is_set": ("call.made", {"event_type": None}),
    "occurred_at_is_set": ("call.made", {"occurred_at": None}),
    "recorded_at_is_set": ("call.made", {"recorded_at": None}),
    "event_id_is_unique": ("call.made", {"event_id": hexed(2)}),
    **{f"{column}_is_a_hash": ("call.made", {column: "7"}) for column in ("event_id", "fact_id", "content_hash")},
    "event_type_is_known": ("call.made", {"event_type": "call.maid"}),
    "no_mail_address_is_stored": ("call.made", {"actor": "ana.perez@example.com"}),
    "source_url_is_a_link": ("call.made", {"source_url": "calls/1"}),
    "attributes_are_carried": ("call.made", {"portal": "idealista"}),
    "occurred_at_is_not_in_the_future": ("call.made", {"occurred_at": AT + timedelta(minutes=5, microseconds=1)}),
    "occurred_at_is_not_before_2000": ("call.made", {"occurred_at": datetime(1999, 12, 31, 23, 59, tzinfo=UTC)}),
    "amount_has_a_currency": ("deal.won", {"currency": None}),
    "currency_is_iso_4217": ("deal.won", {"currency": "eur"}),
    "money_fact_has_an_amount": ("deal.won", {"amount": None}),
    "observation_has_a_quantity": ("followers.observed", {"quantity": None}),
    "quantity_is_not_negative": ("call.made", {"quantity": Decimal(-1)}),
    "retraction_says_what_it_withdraws": ("fact.retracted", {"retracts": None}),
    "only_retractions_withdraw": ("call.made", {"retracts": hexed(98)}),
    "an_event_is_withdrawn_once": ("fact.retracted", {"retracts": hexed(99)}),
    "coverage_names_an_event_type": ("source.covered", {"covers": "call.maid"}),
    "coverage_says_what": ("source.covered", {"covers": None}),
    "coverage_has_an_end": ("source.covered", {"covered_to": None}),
    "coverage_ends_after_it_begins": ("source.covered", {"covered_to": AT - timedelta(days=2)}),
}


@pytest.fixture(scope="module")
def audit_of_broken_events() -> Audit:
    """The good events, and one event a rule that breaks it; its subject is the rule's name."""
    good = {row["event_type"]: row for row in GOOD_EVENTS}
    rows = []
    for number, (rule, (event_type, change)) in enumerate(BROKEN_EVENTS.items(), start=100):
        own = {"event_id": hexed(number), "subject_id": f"breaks:{rule}"}
        if event_type == "fact.retracted":
            own["retracts"] = hexed(number + 1000)
        rows.append({**good[event_type], **own, **change})
    nobody = {**good["call.made"], "event_id": hexed(90), "subject_id": None}
    return audit_events(events(extra=(*rows, nobody)), AT)


def test_good_events_pass_and_every_check_is_accounted_for() -> None:
    found = audit_events(events(), AT, stated=5)
    assert (found.passed, found.findings) == (True, ())
    assert found.rows == 5
    assert set(found.outcomes) == {rule.name for rule in batch_of_events(AT, 5).rules}
    assert found.statistics == {"passed": len(found.outcomes), "failed": 0, "crashed": 0, "nothing_to_check": 0}


@pytest.mark.parametrize("rule", BROKEN_EVENTS)
def test_a_broken_event_is_found_by_the_rule_that_it_breaks(rule: str, audit_of_broken_events: Audit) -> None:
    finding = next(f for f in audit_of_broken_events.findings if f.check == f"batch_of_events.{rule}")
    number = 100 + list(BROKEN_EVENTS).index(rule)
    changed = BROKEN_EVENTS[rule][1]
    expected = {
        "event_id_is_unique": [hexed(2), hexed(2)],
        "an_event_is_withdrawn_once": [hexed(4), hexed(number)],
    }.get(rule, [changed.get("event_id", hexed(number))])
    assert [row["event_id"] for row in finding.rows] == expected
    assert not finding.is_crash


def test_a_broken_event_breaks_no_other_rule(audit_of_broken_events: Audit) -> None:
    assert broken(audit_of_broken_events) == {*BROKEN_EVENTS, "subject_id_is_set"}
    assert audit_of_broken_events.statistics["crashed"] == 0


def test_every_rule_for_events_has_a_test_that_breaks_it() -> None:
    tested_below = {"columns_are_as_declared", "events_are_there", "events_are_as_many_as_stated", "subject_id_is_set"}
    rules = {rule.name for stated in (None, 5) for rule in batch_of_events(AT, stated).rules}
    assert rules == set(BROKEN_EVENTS) | tested_below


def test_the_future_begins_five_minutes_after_the_run() -> None:
    assert audit_events(events({"occurred_at": AT + timedelta(minutes=5)}), AT).passed


@pytest.mark.parametrize("stated", [4, 6, 0])
def test_a_load_that_states_another_number_of_events_than_it_appended_does_not_pass(stated: int) -> None:
    found = audit_events(events(), AT, stated)
    assert broken(found) == {"events_are_as_many_as_stated"}
    assert found.findings[0].found == "5 rows"
    assert not found.passed


def test_no_events_pass_only_where_the_load_says_that_there_were_none() -> None:
    nothing = events().clear()
    assert broken(audit_events(nothing, AT)) == {"events_are_there"}
    assert broken(audit_events(nothing, AT, stated=1)) == {"events_are_as_many_as_stated"}
    quiet = audit_events(nothing, AT, stated=0)
    assert quiet.passed
    assert quiet.statistics["passed"] == len(["columns", "as many as stated"])


def test_a_column_that_is_only_null_does_not_pass_by_being_empty() -> None:
    found = audit_events(events().with_columns(subject_id=pl.lit(None, pl.String)), AT)
    assert broken(found) == {"subject_id_is_set"}
    assert found.findings[0].failed == 5


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (events().drop("source_url"), "source_url (declared String, found absent)"),
        (events().with_columns(odd=pl.lit(1)), "odd (declared not declared, found Int32)"),
        (
            events().with_columns(pl.col("quantity").cast(pl.Float64)),
            "quantity (declared Decimal(precision=38, scale=6), found Float64)",
        ),
    ],
)
def test_other_columns_or_types_than_declared_are_a_finding_and_not_a_crash(frame: pl.DataFrame, line: str) -> None:
    found = audit_events(frame, AT)
    assert broken(found) == {"columns_are_as_declared"}
    assert line in found.findings[0].found
    assert not found.findings[0].is_crash
    assert not found.passed


def test_a_mail_address_is_found_and_never_repeated() -> None:
    found = audit_events(
        events(
            {
                "name": "write to ana.perez@example.com",
                "event_type": "event.attended",
                "outcome": None,
                "quantity": None,
            }
        ),
        AT,
    )
    assert broken(found) == {"no_mail_address_is_stored"}
    assert found.findings[0].rows[0]["column_with_mail_address"] == "name"
    assert "ana.perez" not in repr(found)


def test_warnings_are_said_and_stop_nothing() -> None:
    found = audit_events(events({}, {"amount": None}), AT)
    assert found.passed
    assert [finding.severity for finding in found.findings] == ["warning"]


def test_a_finding_about_events_is_one_line_that_says_what_where_and_what_to_do() -> None:
    found = audit_events(events({}, {"currency": "eur"}), AT)
    assert found.findings[0].line == (
        "batch_of_events.currency_is_iso_4217: currency is three capital letters, as ISO 4217 has them. "
        f"Found: crm calls deal.won {hexed(2)} (currency eur), of 2 checked. "
        "Correct the mapping of this stream; the next load maps its stored records again."
    )


def test_a_long_frame_is_cut_and_says_the_same_as_a_whole_one() -> None:
    number = MOST_ROWS_AT_ONCE + 1_000
    rows = pl.int_range(number, eager=True)
    ids = pl.Series([hexed(n) for n in range(number)])
    long = pl.DataFrame([event(0)], schema=dict(EVENT_SCHEMA)).select(pl.all().repeat_by(number).explode())
    long = long.with_columns(
        event_id=ids, quantity=pl.when(rows >= number - 3).then(-1).otherwise(1).cast(pl.Decimal(38, 6))
    )
    long[number - 1, "event_id"] = hexed(0)
    found = audit_events(long, AT, stated=number)
    assert broken(found) == {"quantity_is_not_negative", "event_id_is_unique"}
    by_name = {finding.check.partition(".")[2]: finding for finding in found.findings}
    assert by_name["quantity_is_not_negative"].failed == 3
    assert by_name["quantity_is_not_negative"].rows[0]["event_id"] == hexed(number - 3)
    assert by_name["quantity_is_not_negative"].checked == number
    assert [r["event_id"] for r in by_name["event_id_is_unique"].rows] == [hexed(0), hexed(0)]


# --- progress ---------------------------------------------------------------------------------------------------------

NOTHING_KNOWN = {"value": None, "numerator": None, "progress": None, "score": None, "status": "no_data"}

# Rule -> the key result (and its member), and what is changed in its row of the last day so that the rule is broken.
BROKEN_PROGRESS: dict[str, tuple[str, dict[str, Any]]] = {
    "window_start_is_set": (CALLS, {"window_start": None}),
    "window_end_is_set": (SHARE, {"window_end": None}),
    "definition_hash_is_set": (SHARE, {"definition_hash": None}),
    "is_provisional_is_set": (CALLS, {"is_provisional": None}),
    "figures_are_finite": (CALLS, {"window_progress": float("inf")}),
    "score_is_in_range": (CALLS, {"score": 1.01}),
    "expected_is_in_range": (CALLS, {"expected": -0.01}),
    "window_expected_is_in_range": (CALLS, {"window_expected": 1.5}),
    "denominator_is_in_range": (CALLS, {"denominator": Decimal(-1)}),
    "events_is_in_range": (CALLS, {"events": -1}),
    "progress_is_in_range": (CALLS, {"progress": 101.0}),
    "a_share_is_part_of_a_whole": (SHARE, {"numerator": Decimal(5), "value": 1.25}),
    "a_share_is_its_fraction": (SHARE, {"value": 0.76}),
    "a_value_has_its_events": (CALLS, {"events": None}),
    "status_is_known": (CALLS, {"status": "green"}),
    "status_is_set": (CALLS, {"status": None}),
    "no_data_has_no_value": (CALLS, {**NOTHING_KNOWN, "value": 0.0}),
    "no_data_has_no_progress": (CALLS, {**NOTHING_KNOWN, "progress": 0.0}),
    "no_data_has_no_score": (CALLS, {**NOTHING_KNOWN, "score": 0.0}),
    "unknown_says_so": (CALLS, {**NOTHING_KNOWN, "status": "on_track"}),
    "progress_has_a_value": (CALLS, {"value": None}),
    "judged_by_progress": (CALLS, {"progress": None, "score": None}),
    "judged_against_a_target": (CALLS, {"target": None}),
    "judged_against_expectation": (CALLS, {"expected": None}),
    "score_goes_with_progress": (CALLS, {"score": None}),
    "kpi_has_no_progress": (KPI, {"progress": 0.5}),
    "kpi_has_no_score": (KPI, {"score": 0.5}),
    "window_starts_by_its_day": (SHARE, {"window_start": DAYS[-1] + timedelta(days=1)}),
    "window_ends_by_its_day": (SHARE, {"window_end": DAYS[0]}),
    "window_is_the_last_one": (CALLS, {"window_end": DAYS[-1] - timedelta(days=11)}),
    "windows_met_are_closed": (CALLS, {"windows_met": 5}),
    "windows_met_is_in_range": (CALLS, {"windows_met": -1}),
    "recurring_has_windows_met": (CALLS, {"windows_met": None}),
    "recurring_has_windows_closed": (CALLS, {"windows_closed": None}),
}
# The same of rows that are not of the whole: what they are of, and the rule.
BROKEN_BESIDE: dict[str, tuple[str, dict[str, Any]]] = {
    "a_member.score_is_in_range": (f"{FOLLOWERS}/x", {"score": -0.1}),
    "a_member.status_is_known": (f"{FOLLOWERS}/facebook", {"status": "green"}),
    "a_part.windows_met_are_closed": (f"{PARTS}/calls", {"windows_met": 5}),
    "a_part.window_start_is_set": (f"{PARTS}/calls", {"window_start": None}),
    "a_part.progress_has_a_value": (f"{PARTS}/sales", {"value": None}),
    "a_guardrail.a_share_is_part_of_a_whole": (f"{PARTS}/complaints", {"numerator": Decimal(5), "value": 1.25}),
    "a_guardrail.status_is_set": (f"{PARTS}/complaints", {"status": None}),
    "a_window.window_is_the_last_one": (f"{KPI}/week", {"window_end": DAYS[-1] - timedelta(days=11)}),
    "a_window.kpi_has_no_score": (f"{KPI}/week", {"score": 0.5}),
}
_THREE_DAYS_AGO = DAYS[-1] - timedelta(days=3)
# What looks like a fault and is none -> the kind of key result, and its row of the last day.
ODD_BUT_RIGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing_known_and_said": (CALLS, NOTHING_KNOWN),
    "share_of_nothing": (
        SHARE,
        {"value": None, "numerator": Decimal(0), "denominator": Decimal(0), "progress": None, "score": None}
        | {"status": "not_started"},
    ),
    "stale_value_not_trusted": (CALLS, {"status": "unreliable"}),
    "before_the_first_window": (
        CALLS,
        {**NOTHING_KNOWN, "window_start": None, "window_end": None, "status": "not_started", "expected": None},
    ),
    "between_windows": (CALLS, {"window_start": _THREE_DAYS_AGO, "window_end": _THREE_DAYS_AGO}),
    "counts_everything_that_ever_was": (SHARE, {"window_start": None}),
    "nothing_in_the_open_window": (CALLS, {"value": None, "numerator": None, "window_progress": None}),
    "waits_for_its_members": (FOLLOWERS, {**NOTHING_KNOWN, "status": "not_started"}),
    "a_band_has_no_target": (f"{PARTS}/complaints", {"status": "achieved", "progress": 1.0, "score": 1.0}),
    "a_part_before_its_first_window": (
        f"{PARTS}/calls",
        {**NOTHING_KNOWN, "window_start": None, "window_end": None, "status": "not_started", "expected": None},
    ),
    "a_window_of_nothing": (f"{KPI}/week", {"value": 0.0, "numerator": Decimal(0), "events": 0}),
}
# What is broken beside it, because one lie contradicts two truths.
BROKEN_TOO = {
    "no_data_has_no_progress": {"score_goes_with_progress", "progress_has_a_value"},
    "unknown_says_so": {"judged_by_progress"},
    "kpi_has_no_progress": {"recurring_has_windows_met", "recurring_has_windows_closed"},
}
KNOWN_ABOUT_ROWS = {
    "key_is_unique": row(FOLLOWERS, DAYS[0], member="x"),
    "key_result_is_declared": row("org.gone", DAYS[0]),
    "key_result_id_is_set": row(None, DAYS[0]),
    "as_of_is_set": row(SHARE, None, member="x"),
    "no_row_is_undue": row(CALLS, date(2026, 5, 14), every="month", windows_met=3, windows_closed=4),
}


def named(rule: str) -> str:
    return f"org.breaks.{rule}"


@pytest.fixture(scope="module")
def audit_of_broken_progress() -> Audit:
    """The good rows, for each rule one key result whose last day breaks it, and those that are odd but right."""
    rows, declarations = [], []
    for rule, (of, change) in {**BROKEN_PROGRESS, **BROKEN_BESIDE, **ODD_BUT_RIGHT}.items():
        kind, _, member = of.partition("/")
        own = [{**good, "key_result_id": named(rule)} for good in good_rows() if good["key_result_id"] == kind]
        next(good for good in reversed(own) if (good.get("member") or "") == member).update(change)
        rows += own
        like = declared().filter(pl.col("key_result_id") == kind).to_dicts()[0]
        declarations.append({**like, "key_result_id": named(rule), "definition_file": f"org/{rule}.yaml:12"})
    ids = [declaration["key_result_id"] for declaration in declarations]
    return audit_progress(progress(extra=tuple(rows)), pl.concat([due(), due(*ids)]), declared(*declarations))


def test_good_progress_passes_and_every_check_is_accounted_for() -> None:
    found = audit_progress(progress(), due(), declared())
    assert (found.passed, found.findings, found.held_back, found.quality(CALLS)) == (True, (), (), "passed")
    assert found.publishable(progress()).height == progress().height
    rules = {rule.name for rule in computed_progress([]).rules}
    assert set(found.outcomes) == rules
    nothing = {name for name, result in found.outcomes.items() if result == "nothing_to_check"}
    assert nothing == {"no_data_has_no_value", "no_data_has_no_progress", "no_data_has_no_score", "unknown_says_so"}
    assert found.statistics == {"passed": len(rules) - 4, "failed": 0, "crashed": 0, "nothing_to_check": 4}


@pytest.mark.parametrize("rule", [*BROKEN_PROGRESS, *BROKEN_BESIDE])
def test_a_broken_row_is_found_by_the_rule_that_it_breaks_and_by_no_other(
    rule: str, audit_of_broken_progress: Audit
) -> None:
    findings, broken_rule = audit_of_broken_progress.of(named(rule)), rule.rpartition(".")[2]
    too = BROKEN_TOO.get(rule, set())
    assert {f.check for f in findings} == {f"computed_progress.{name}" for name in {broken_rule, *too}}
    finding = next(f for f in findings if f.check.endswith(f".{broken_rule}"))
    mine = [(found["member"] or "", found["as_of"]) for found in finding.rows if found["key_result_id"] == named(rule)]
    of, _ = {**BROKEN_PROGRESS, **BROKEN_BESIDE}[rule]
    assert mine == [(of.partition("/")[2], DAYS[-1])]
    assert not finding.is_crash


@pytest.mark.parametrize("case", ODD_BUT_RIGHT)
def test_what_is_odd_but_right_is_no_fault(case: str, audit_of_broken_progress: Audit) -> None:
    assert audit_of_broken_progress.of(named(case)) == ()


def test_what_breaks_one_key_result_holds_back_no_other(audit_of_broken_progress: Audit) -> None:
    found = audit_of_broken_progress
    remarked = {rule.name for rule in computed_progress([]).rules if rule.severity == "warning"}
    assert not found.passed
    broken_rules = [rule for rule in (*BROKEN_PROGRESS, *BROKEN_BESIDE) if rule not in remarked]
    assert found.held_back == tuple(sorted(named(rule) for rule in broken_rules))
    assert [found.quality(named(rule)) for rule in sorted(remarked)] == ["remarked"] * 3
    assert found.quality(named("status_is_set")) == "failed"
    assert found.quality(CALLS) == "passed"
    assert found.statistics["crashed"] == 0


def test_a_finding_about_progress_is_one_line_that_says_what_where_and_what_to_do(
    audit_of_broken_progress: Audit,
) -> None:
    finding = audit_of_broken_progress.of(named("figures_are_finite"))[0]
    assert finding.line == (
        "computed_progress.figures_are_finite: No figure is infinite or NaN. "
        "Found: org.breaks.figures_are_finite 2026-05-13 (not_finite window_progress=inf), of 312 checked. "
        "Look for a division by zero in the measure or the target (declared in org/figures_are_finite.yaml:12)."
    )


@pytest.mark.parametrize("rule", KNOWN_ABOUT_ROWS)
def test_a_row_too_many_is_found(rule: str) -> None:
    too_many = KNOWN_ABOUT_ROWS[rule]
    found = audit_progress(progress(extra=(too_many,)), due(), declared())
    assert broken(found) == {rule}
    expected = () if too_many["key_result_id"] is None else (too_many["key_result_id"],)
    assert (found.passed, found.held_back) == (False, expected)


def test_a_row_without_a_key_result_is_never_published() -> None:
    computed = progress(extra=(KNOWN_ABOUT_ROWS["key_result_id_is_set"],))
    kept = audit_progress(computed, due(), declared()).publishable(computed)
    assert kept.to_dicts() == progress().to_dicts()


def test_nan_is_found_although_pandas_takes_it_for_null() -> None:
    found = audit_progress(progress((0, {"expected": float("nan")})), due(), declared())
    assert "figures_are_finite" in broken(found)
    assert found.of(CALLS)[0].rows == (
        {"key_result_id": CALLS, "member": None, "as_of": DAYS[0], "not_finite": "expected=NaN"},
    )


@pytest.mark.parametrize(
    ("computed", "found_rows"),
    [
        (progress().filter(~((pl.col("key_result_id") == SHARE) & (pl.col("as_of") == DAYS[1]))), 0),
        (progress(extra=(row(SHARE, DAYS[1], value=None, member=None, numerator=None, denominator=None),)), 2),
    ],
)
def test_a_due_day_without_exactly_one_row_holds_its_key_result_back(computed: pl.DataFrame, found_rows: int) -> None:
    found = audit_progress(computed, due(), declared())
    finding = next(f for f in found.findings if f.check == "computed_progress.every_due_day_has_one_row")
    assert finding.rows == ({"key_result_id": SHARE, "as_of": DAYS[1], "rows_found": found_rows},)
    assert found.held_back == (SHARE,)


def test_a_members_row_is_no_row_of_the_key_result_itself() -> None:
    without = progress().filter((pl.col("key_result_id") != FOLLOWERS) | pl.col("member").is_not_null())
    found = audit_progress(without, due(), declared())
    assert found.held_back == (FOLLOWERS,)
    assert broken(found) == {"every_due_day_has_one_row"}


def test_a_key_result_that_was_left_out_altogether_is_missed() -> None:
    found = audit_progress(progress(), due(), declared(declaration("org.forgotten")))
    assert broken(found) == {"begun_key_result_has_days_due"}
    assert found.held_back == ("org.forgotten",)


def test_a_key_result_whose_period_has_not_begun_is_not_missed() -> None:
    later = declaration("org.later", period_start=date(2026, 7, 1))
    assert audit_progress(progress(), due(), declared(later)).passed


def test_a_key_result_declared_twice_is_found_and_doubles_no_row() -> None:
    found = audit_progress(progress(), due(), declared(declaration(CALLS)))
    assert broken(found) == {"declared_once"}
    assert found.held_back == (CALLS,)


@pytest.mark.parametrize(
    ("frames", "rule"),
    [
        ((progress().clear(), due(), declared()), "progress_is_there"),
        ((progress(), due(days=[]), declared()), "days_are_due"),
        ((progress(), due(), declared().clear()), "key_results_are_declared"),
    ],
)
def test_an_empty_frame_never_passes_and_holds_everybody_back(frames: tuple[pl.DataFrame, ...], rule: str) -> None:
    found = audit_progress(*frames)
    assert rule in broken(found)
    assert not found.passed
    assert set(found.held_back) >= set(ALL)


@pytest.mark.parametrize(
    ("column", "rules"),
    [
        ("status", {"status_is_set"}),
        ("progress", {"judged_by_progress", "unknown_says_so"}),
        ("value", {"progress_has_a_value"}),
        ("score", {"score_goes_with_progress"}),
        ("target", {"judged_against_a_target"}),
        ("expected", {"judged_against_expectation"}),
        ("events", {"a_value_has_its_events"}),
        ("windows_met", {"recurring_has_windows_met"}),
        ("window_end", {"window_end_is_set"}),
    ],
)
def test_a_figure_that_is_null_everywhere_does_not_pass_by_being_empty(column: str, rules: set[str]) -> None:
    emptied = progress().with_columns(pl.lit(None, COMPUTED_SCHEMA[column]).alias(column))
    assert broken(audit_progress(emptied, due(), declared())) >= rules


def test_every_rule_for_progress_has_a_test_that_breaks_it() -> None:
    elsewhere = {
        *KNOWN_ABOUT_ROWS,
        "columns_are_as_declared",
        "progress_is_there",
        "days_are_due",
        "key_results_are_declared",
        "declared_once",
        "begun_key_result_has_days_due",
        "every_due_day_has_one_row",
    }
    assert {rule.name for rule in computed_progress([]).rules} == set(BROKEN_PROGRESS) | elsewhere


def test_progress_with_other_columns_holds_everybody_back() -> None:
    found = audit_progress(progress().drop("forecast"), due(), declared())
    assert broken(found) == {"columns_are_as_declared"}
    assert found.findings[0].rows == ({"column": "forecast", "declared": "Float64", "found": "absent"},)
    assert found.held_back == tuple(sorted(ALL))


# --- the checks themselves --------------------------------------------------------------------------------------------


def _rule(name: str, expectation: str, **arguments: Any) -> Rule:
    return Rule(name, expectation, arguments, says="It holds.", do="Mend it")


def test_a_crashed_check_is_told_apart_from_bad_data_and_nothing_passes_by_it() -> None:
    frame = pl.DataFrame({"key_result_id": [CALLS], "text": ["x"]})
    bad = _rule("bad", "ExpectColumnValuesToBeInSet", column="text", value_set=["y"])
    absent = _rule("absent", "ExpectColumnValuesToNotBeNull", column="gone")
    wrong = _rule("wrong", "ExpectColumnValuesToBeBetween", column="text", min_value=0)
    found = audit(Suite("odd", (bad, absent, wrong)), {"rows": frame}, everybody=(CALLS, SHARE))
    assert found.outcomes == {"bad": "failed", "absent": "crashed", "wrong": "crashed"}
    assert [f.is_crash for f in found.findings] == [False, True, True]
    assert [f.key_results for f in found.findings] == [(CALLS,), (CALLS, SHARE), (CALLS, SHARE)]
    assert 'The column "gone" in BatchData does not exist' in found.findings[1].line
    assert "Mend the check in assets/checks, not the data." in found.findings[1].line
    assert not found.passed


def test_a_crash_of_a_mere_warning_is_said_and_blocks_nothing() -> None:
    frame = pl.DataFrame({"key_result_id": [CALLS]})
    absent = Rule(
        "absent", "ExpectColumnValuesToNotBeNull", {"column": "gone"}, "It holds.", "Mend", severity="warning"
    )
    found = audit(Suite("odd", (absent,)), {"rows": frame}, everybody=(CALLS,))
    assert (found.passed, found.statistics["crashed"], found.findings[0].is_crash) == (True, 1, True)


def test_a_suite_without_rules_does_not_pass() -> None:
    found = audit(Suite("empty", ()), {"rows": progress()}, everybody=(CALLS,))
    assert not found.passed
    assert found.findings[0].line == (
        "empty.has_rules: A suite has rules. Found: none, so nothing was checked. Look at assets/checks/suites."
    )
    assert found.publishable(progress()).height == 0


def test_a_rule_whose_condition_no_row_meets_has_not_passed() -> None:
    rule = Rule("r", "ExpectColumnValuesToNotBeNull", {"column": "a"}, "", "", where=(("a", "==", "x"),))
    only_null = Rule("n", "ExpectColumnValuesToBeInSet", {"column": "b", "value_set": ["x"]}, "", "")
    frame = pl.DataFrame({"a": ["y"], "b": [None]}, schema={"a": pl.String, "b": pl.String})
    found = audit(Suite("s", (rule, only_null)), {"rows": frame})
    assert found.outcomes == {"r": "nothing_to_check", "n": "nothing_to_check"}


def test_every_condition_that_a_rule_can_state_selects_its_rows() -> None:
    frame = pl.DataFrame({"type": ["a", "b", None], "n": [1, 2, 3]})
    checked = {}
    for operator, value in (
        ("==", "a"),
        ("!=", "a"),
        ("in", ("a", "b")),
        ("not in", ("a",)),
        ("is null", None),
        ("is not null", None),
    ):
        rule = Rule(
            operator,
            "ExpectColumnValuesToBeInSet",
            {"column": "n", "value_set": []},
            "",
            "",
            where=(("type", operator, value),),
        )
        (outcome,) = run(Suite("s", (rule,)), {"rows": frame})
        checked[operator] = outcome.failed
    assert checked == {"==": (0,), "!=": (1, 2), "in": (0, 1), "not in": (1, 2), "is null": (2,), "is not null": (0, 1)}


def test_an_audit_is_silent_and_leaves_logging_as_it_was(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("great_expectations")
    before = (logger.level, logger.propagate, list(logger.handlers))
    capfd.readouterr()
    audit(Suite("odd", (_rule("absent", "ExpectColumnValuesToNotBeNull", column="gone"),)), {"rows": progress()})
    assert capfd.readouterr() == ("", "")
    assert [record.name for record in caplog.records if record.name.startswith("great_expectations")] == []
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_importing_the_checks_does_not_import_great_expectations() -> None:
    code = "import sys, assets.checks, assets.checks.asset_check; sys.exit('great_expectations' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
