"""What must hold of the progress that a run computed.

Belongs here: the suite of computed rows and its rules. Does not: rules that events have too (`of_both`).
"""

from __future__ import annotations

from collections.abc import Iterable

from assets.checks.rules import Condition, Rule, Suite
from assets.checks.suites.of_both import must_be_between, must_be_set, must_have_columns, must_have_rows, not_below
from kr_definitions.history import STATUSES

UNKNOWN = ("no_data", "unreliable")
JUDGED = ("on_track", "at_risk", "off_track", "achieved", "missed")
LONGEST_GAP_DAYS = 10  # holidays around a weekend; the days of a week that ISO gives to another year


def computed_progress(declared: Iterable[str]) -> Suite:
    """Rules for the computed rows of one run. declared: the id of every key result that is declared."""
    return Suite(
        name="computed_progress",
        keys={
            "columns": ("column",),
            "rows": ("key_result_id", "member", "as_of"),
            "due": ("key_result_id", "as_of"),
            "declared": ("key_result_id",),
        },
        rules=(
            must_have_columns("history.COMPUTED_SCHEMA"),
            *_completeness(),
            *_identity_of_rows(sorted(declared)),
            *_figures(),
            *_statuses(),
            *_windows(),
        ),
    )


def _completeness() -> list[Rule]:
    begun: Condition = ("is_begun", "==", True)
    return [
        must_have_rows("declared", "key_results_are_declared", "Key results are declared.", "Declare one"),
        must_have_rows(
            "due", "days_are_due", "At least one day is due.", "Look at the periods: no key result has begun"
        ),
        must_have_rows(
            "rows", "progress_is_there", "At least one row was computed.", "Look at the run's log: nothing was computed"
        ),
        Rule(
            "declared_once",
            "ExpectColumnValuesToBeUnique",
            {"column": "key_result_id"},
            "A key result is declared once.",
            "Give one of the two declarations another id",
            frame="declared",
        ),
        Rule(
            "begun_key_result_has_days_due",
            "ExpectColumnValuesToBeBetween",
            {"column": "days_due", "min_value": 1},
            "A key result whose period has begun has days that are due.",
            "The run left the key result out: look at how its due days are listed",
            where=(begun,),
            shows=("period_start",),
            frame="declared",
        ),
        Rule(
            "every_due_day_has_one_row",
            "ExpectColumnValuesToBeInSet",
            {"column": "rows_found", "value_set": [1]},
            "Every day that is due has one row.",
            "Compute the key result's days again; if it stays, its query loses or doubles days",
            shows=("rows_found",),
            frame="due",
        ),
        Rule(
            "no_row_is_undue",
            "ExpectColumnValuesToBeInSet",
            {"column": "is_due", "value_set": [True]},
            "No row is of a day that is not due.",
            "The query returns days outside the period, or of the future",
            where=(("as_of", "is not null", None), ("type", "is not null", None)),
        ),
    ]


def _identity_of_rows(declared: list[str]) -> list[Rule]:
    do = "The compiler always sets it: look at this key result's query"
    return [
        *(
            must_be_set(column, do)
            for column in (
                "key_result_id",
                "as_of",
                "is_provisional",
                "definition_hash",
            )
        ),
        Rule(
            "key_is_unique",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": ["key_result_id", "member_or_none", "as_of"]},
            "A key result, member and day has one row.",
            "A join in the measure doubles rows: look at this key result's query",
        ),
        Rule(
            "key_result_is_declared",
            "ExpectColumnValuesToBeInSet",
            {"column": "key_result_id", "value_set": declared},
            "Every row is of a declared key result.",
            "Declare the key result, or stop computing it",
        ),
    ]


def _figures() -> list[Rule]:
    share: Condition = ("unit", "==", "share")
    return [
        Rule(
            "figures_are_finite",
            "ExpectColumnValuesToBeNull",
            {"column": "not_finite"},
            "No figure is infinite or NaN.",
            "Look for a division by zero in the measure or the target",
            shows=("not_finite",),
        ),
        *(
            must_be_between(column, low, high, "Progress is judged by it: look at the pace curve and the score")
            for column, low, high in (
                ("score", 0, 1),
                ("expected", 0, 1),
                ("window_expected", 0, 1),
                ("denominator", 0, None),
                ("events", 0, None),
            )
        ),
        must_be_between(
            "progress", -100, 100, "Look at start and target: the distance between them is tiny", "warning"
        ),
        Rule(
            "a_share_is_part_of_a_whole",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            not_below("denominator", "numerator"),
            "The numerator of a share is not above its denominator.",
            "What is counted above must be among what is counted below: look at the share's of and reached",
            where=(share,),
            shows=("numerator", "denominator"),
        ),
        Rule(
            "a_share_is_its_fraction",
            "ExpectColumnValuesToBeBetween",
            {"column": "off_its_fraction", "max_value": 1e-6},
            "The value of a share is its numerator over its denominator.",
            "The three come from different rows: look at this key result's query",
            where=(share,),
            shows=("value", "numerator", "denominator"),
        ),
        Rule(
            "a_value_has_its_events",
            "ExpectColumnValuesToNotBeNull",
            {"column": "events"},
            "A value says how many events make it up.",
            "Without it the value cannot be explained: look at this key result's query",
            where=(("value", "is not null", None), ("has_members", "==", False)),
            severity="warning",
        ),
    ]


def _statuses() -> list[Rule]:
    no_data: Condition = ("status", "==", "no_data")
    judged: Condition = ("status", "in", JUDGED)
    kpi: Condition = ("type", "==", "kpi")
    return [
        Rule(
            "status_is_known",
            "ExpectColumnValuesToBeInSet",
            {"column": "status", "value_set": list(STATUSES)},
            "The status is one of the declared statuses.",
            "Look at the rule that gives the status",
            shows=("status",),
        ),
        Rule(
            "status_is_set",
            "ExpectColumnValuesToNotBeNull",
            {"column": "status"},
            "Every row of a key result with a target has a status.",
            "Look at the rule that gives the status",
            where=(("type", "!=", "kpi"),),
        ),
        *(
            Rule(
                f"no_data_has_no_{column}",
                "ExpectColumnValuesToBeNull",
                {"column": column},
                f"Where the status is no_data there is no {column}.",
                "What is not known is null, never a number: look at how coverage reaches this key result",
                where=(no_data,),
                shows=(column,),
            )
            for column in ("value", "progress", "score")
        ),
        Rule(
            "unknown_says_so",
            "ExpectColumnValuesToBeInSet",
            {"column": "status", "value_set": [*UNKNOWN, "not_started"]},
            "A row without any figure is no_data, unreliable or not_started.",
            "A key result that nobody knows anything about must not look as if it were judged",
            where=(("has_figure", "==", False), ("type", "!=", "kpi")),
            shows=("status",),
        ),
        Rule(
            "progress_has_a_value",
            "ExpectColumnValuesToBeInSet",
            {"column": "value_is_explained", "value_set": [True]},
            "Progress comes from a value, a share of nothing, members, or earlier windows.",
            "Progress was kept while its value was lost: look at this key result's query",
            where=(("progress", "is not null", None),),
            shows=("progress",),
        ),
        Rule(
            "judged_by_progress",
            "ExpectColumnValuesToNotBeNull",
            {"column": "progress"},
            "A status that judges rests on progress.",
            "Without progress the status is no_data or unreliable: look at the rule that gives it",
            where=(judged, ("type", "!=", "kpi")),
            shows=("status",),
        ),
        Rule(
            "judged_against_a_target",
            "ExpectColumnValuesToNotBeNull",
            {"column": "target"},
            "A status that judges rests on a target.",
            "Look at the target's baseline: it may lie before the data",
            where=(judged, ("direction", "not in", ("within", "none")), ("type", "!=", "kpi"), ("role", "==", "own")),
            shows=("status",),
        ),
        Rule(
            "judged_against_expectation",
            "ExpectColumnValuesToNotBeNull",
            {"column": "expected"},
            "A status that judges rests on what was expected by then.",
            "Look at the pace curve of this key result",
            where=(judged, ("type", "!=", "kpi")),
            shows=("status",),
            severity="warning",
        ),
        *(
            Rule(
                f"kpi_has_no_{column}",
                "ExpectColumnValuesToBeNull",
                {"column": column},
                f"A KPI has a value and no {column}.",
                "A KPI has no target to be measured against: look at its declaration",
                where=(kpi, ("role", "!=", "guardrail")),
                shows=(column,),
            )
            for column in ("progress", "score")
        ),
        Rule(
            "score_goes_with_progress",
            "ExpectColumnValuesToNotBeNull",
            {"column": "score"},
            "Where there is progress there is a score.",
            "Look at the rule that gives the score",
            where=(("progress", "is not null", None), ("member", "is null", None), ("type", "!=", "kpi")),
        ),
    ]


def _windows() -> list[Rule]:
    recurring: Condition = ("every", "is not null", None)
    known: Condition = ("progress", "is not null", None)
    begun: Condition = ("is_waiting", "==", False)
    do = "Look at how the key result's windows are cut"
    return [
        *(
            Rule(
                f"{column}_is_set",
                "ExpectColumnValuesToNotBeNull",
                {"column": column},
                f"Every row has {column}, unless its first window is still to come.",
                do,
                where=where,
            )
            # Only a window that recurs always has a first day: what counts everything that ever was has none.
            for column, where in (("window_start", (recurring, begun)), ("window_end", (begun,)))
        ),
        _not_before("as_of", "window_start", "A day is not before its window.", "window_starts_by_its_day"),
        Rule(
            "window_ends_by_its_day",
            "ExpectColumnValuesToBeBetween",
            {"column": "days_after_window", "max_value": 0},
            "A day is not after its window.",
            do,
            where=(("every", "is null", None),),
            shows=("window_end",),
        ),
        Rule(
            "window_is_the_last_one",
            "ExpectColumnValuesToBeBetween",
            {"column": "days_after_window", "max_value": LONGEST_GAP_DAYS},
            f"A day between windows is at most {LONGEST_GAP_DAYS} days after the last one.",
            do,
            where=(recurring,),
            shows=("window_end",),
        ),
        _not_before(
            "windows_closed",
            "windows_met",
            "No more windows are met than are closed.",
            "windows_met_are_closed",
        ),
        must_be_between("windows_met", 0, None, "Windows are counted: look at this key result's windows"),
        *(
            Rule(
                f"recurring_has_{column}",
                "ExpectColumnValuesToNotBeNull",
                {"column": column},
                f"A key result that recurs says {column}.",
                "Look at how its windows are counted",
                where=(recurring, known, ("has_members", "==", False)),
            )
            for column in ("windows_met", "windows_closed")
        ),
    ]


def _not_before(later: str, earlier: str, says: str, name: str) -> Rule:
    return Rule(
        name,
        "ExpectColumnPairValuesAToBeGreaterThanB",
        not_below(later, earlier),
        says,
        "Look at how the key result's windows are cut",
        shows=(earlier, later),
    )
