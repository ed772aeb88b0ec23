"""The two suites: what must hold of the events that a load appends, and of the progress that a run computed.

Belongs here: every rule, as data. Does not: how a rule is run (`expectations`), or what becomes of it (`audit`).

Rules look at frames that `frames` prepares. An expectation ignores nulls, so each column that must be set has a rule of
its own; a rule with a `where` that no row meets has checked nothing, and is reported so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from assets.checks.rules import Condition, Rule, Severity, Suite
from kr_definitions.events import COVERED, RETRACTED
from kr_definitions.history import STATUSES
from kr_definitions.vocabulary import vocabulary

UNKNOWN = ("no_data", "unreliable")
JUDGED = ("on_track", "at_risk", "off_track", "achieved", "missed")
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(minutes=5)
LONGEST_GAP_DAYS = 10  # holidays around a weekend; the days of a week that ISO gives to another year

# Facts that are about money: without an amount a sum leaves them out, and nobody sees it.
MONEY_FACTS = ("deal.won", "invoice.issued", "invoice.paid", "invoice.voided", "payment.received")

_MEND_MAPPING = "Correct the mapping of this stream; the next load maps its stored records again"


def batch_of_events(at: datetime, stated: int | None) -> Suite:
    """Rules for the events of one load.

    at: the run's instant. stated: how many events the load says that it appends (None: at least one).
    """
    return Suite(
        name="batch_of_events",
        keys={"columns": ("column",), "rows": ("source", "stream", "event_type", "event_id")},
        rules=(
            _columns_are("events.EVENT_SCHEMA"),
            _as_many_as_stated(stated),
            *_identity_of_events(),
            *_times_of_events(at),
            *_money_and_quantities(),
            *_retractions_and_coverage(),
        ),
    )


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
            _columns_are("history.COMPUTED_SCHEMA"),
            *_completeness(),
            *_identity_of_rows(sorted(declared)),
            *_figures(),
            *_statuses(),
            *_windows(),
        ),
    )


# --- events -----------------------------------------------------------------------------------------------------------


def _as_many_as_stated(stated: int | None) -> Rule:
    do = "Compare the load's account with the event log: one of them has lost or invented events"
    if stated is None:
        return _at_least_one("rows", "events_are_there", "There is at least one event.", do)
    return Rule(
        "events_are_as_many_as_stated",
        "ExpectTableRowCountToEqual",
        {"value": stated},
        f"There are {stated:,} events, as the load says.",
        do,
    )


def _identity_of_events() -> list[Rule]:
    required = ("event_id", "fact_id", "content_hash", "source", "stream", "record_key", "fact_key")
    types = tuple(vocabulary().types)
    return [
        *(_set(column, _MEND_MAPPING) for column in (*required, "subject_id", "event_type")),
        Rule(
            "event_id_is_unique",
            "ExpectColumnValuesToBeUnique",
            {"column": "event_id"},
            "Each event_id is there once.",
            "An event was appended twice: look for two writers of the log before trusting any count",
        ),
        *(
            Rule(
                f"{column}_is_a_hash",
                "ExpectColumnValuesToMatchRegex",
                {"column": column, "regex": "^[0-9a-f]{32}$"},
                f"{column} is 32 hexadecimal digits.",
                "Only events.digest makes these: find what else wrote to the log",
            )
            for column in ("event_id", "fact_id", "content_hash")
        ),
        Rule(
            "event_type_is_known",
            "ExpectColumnValuesToBeInSet",
            {"column": "event_type", "value_set": list(types)},
            "event_type is in the vocabulary.",
            f"{_MEND_MAPPING}, or add the type to vocabulary.yaml",
            shows=("event_type",),
        ),
        Rule(
            "attributes_are_carried",
            "ExpectColumnValuesToBeNull",
            {"column": "not_carried"},
            "An event has only the attributes that its type carries.",
            f"{_MEND_MAPPING}, or let the type carry them in vocabulary.yaml",
            shows=("not_carried",),
            severity="warning",
        ),
        Rule(
            "no_mail_address_is_stored",
            "ExpectColumnValuesToBeNull",
            {"column": "column_with_mail_address"},
            "No text holds a mail address.",
            "Take the field off the source's allow-list or make it a pseudonym, then erase what was stored",
            shows=("column_with_mail_address",),
        ),
        Rule(
            "source_url_is_a_link",
            "ExpectColumnValuesToMatchRegex",
            {"column": "source_url", "regex": r"^https?://\S+$"},
            "source_url is a link to the record.",
            _MEND_MAPPING,
            severity="warning",
        ),
    ]


def _times_of_events(at: datetime) -> list[Rule]:
    latest = at + CLOCKS_DIFFER
    return [
        _set("occurred_at", _MEND_MAPPING),
        _set("recorded_at", "Only the event log sets it: find what else wrote to the log"),
        Rule(
            "occurred_at_is_not_in_the_future",
            "ExpectColumnValuesToBeBetween",
            {"column": "occurred_at", "max_value": latest},
            f"Nothing happened after {_instant(latest)} (the run and five minutes).",
            "Look at the record's date and zone at the vendor; correct it there, or the mapping",
            shows=("occurred_at",),
        ),
        Rule(
            "occurred_at_is_not_before_2000",
            "ExpectColumnValuesToBeBetween",
            {"column": "occurred_at", "min_value": EARLIEST},
            "Nothing happened before the year 2000.",
            "Look for a missing date read as 1970, or seconds read as milliseconds",
            shows=("occurred_at",),
        ),
    ]


def _money_and_quantities() -> list[Rule]:
    types = vocabulary().types.values()
    return [
        Rule(
            "amount_has_a_currency",
            "ExpectColumnValuesToNotBeNull",
            {"column": "currency"},
            "An amount has a currency.",
            _MEND_MAPPING,
            where=(("amount", "is not null", None),),
            shows=("amount",),
        ),
        Rule(
            "currency_is_iso_4217",
            "ExpectColumnValuesToMatchRegex",
            {"column": "currency", "regex": "^[A-Z]{3}$"},
            "currency is three capital letters, as ISO 4217 has them.",
            _MEND_MAPPING,
            shows=("currency",),
        ),
        Rule(
            "money_fact_has_an_amount",
            "ExpectColumnValuesToNotBeNull",
            {"column": "amount"},
            "An event about money says how much.",
            "Fill in the amount at the vendor: sums leave this event out",
            where=(("event_type", "in", MONEY_FACTS),),
            severity="warning",
        ),
        Rule(
            "observation_has_a_quantity",
            "ExpectColumnValuesToNotBeNull",
            {"column": "quantity"},
            "An observation says what was observed.",
            _MEND_MAPPING,
            where=(("event_type", "in", tuple(t.name for t in types if t.name.endswith(".observed"))),),
        ),
        Rule(
            "quantity_is_not_negative",
            "ExpectColumnValuesToBeBetween",
            {"column": "quantity", "min_value": 0},
            "A quantity (seconds, followers, flyers, …) is not negative.",
            "Look at the record at the vendor; correct it there, or the mapping",
            shows=("quantity",),
        ),
    ]


def _retractions_and_coverage() -> list[Rule]:
    log_mend = "Only event_log.statements and readings make these: find what else wrote to the log"
    covered: Condition = ("event_type", "==", COVERED)
    return [
        Rule(
            "retraction_says_what_it_withdraws",
            "ExpectColumnValuesToNotBeNull",
            {"column": "retracts"},
            "A retraction names the event that it withdraws.",
            log_mend,
            where=(("event_type", "==", RETRACTED),),
        ),
        Rule(
            "only_retractions_withdraw",
            "ExpectColumnValuesToBeNull",
            {"column": "retracts"},
            "Nothing but a retraction withdraws an event.",
            log_mend,
            where=(("event_type", "!=", RETRACTED),),
        ),
        Rule(
            "an_event_is_withdrawn_once",
            "ExpectColumnValuesToBeUnique",
            {"column": "retracts"},
            "An event is withdrawn once.",
            log_mend,
        ),
        Rule(
            "coverage_names_an_event_type",
            "ExpectColumnValuesToBeInSet",
            {"column": "covers", "value_set": list(vocabulary().types)},
            "A reading covers an event type of the vocabulary.",
            "Correct what the stream says that it feeds",
            where=(covered,),
            shows=("covers",),
        ),
        Rule(
            "coverage_says_what",
            "ExpectColumnValuesToNotBeNull",
            {"column": "covers"},
            "A reading says which event type it covers.",
            log_mend,
            where=(covered,),
        ),
        Rule(
            "coverage_has_an_end",
            "ExpectColumnValuesToNotBeNull",
            {"column": "covered_to"},
            "A reading says up to when it covers.",
            log_mend,
            where=(covered,),
        ),
        Rule(
            "coverage_ends_after_it_begins",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            {
                "column_A": "covered_to",
                "column_B": "covered_from",
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
            },
            "A reading ends after it begins.",
            "Correct the span that the stream's fetch returns",
            where=(covered,),
            shows=("covered_from", "covered_to"),
        ),
    ]


# --- progress ---------------------------------------------------------------------------------------------------------


def _completeness() -> list[Rule]:
    begun: Condition = ("is_begun", "==", True)
    return [
        _at_least_one("declared", "key_results_are_declared", "Key results are declared.", "Declare one"),
        _at_least_one(
            "due", "days_are_due", "At least one day is due.", "Look at the periods: no key result has begun"
        ),
        _at_least_one(
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
            _set(column, do)
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
            _between(column, low, high, "Progress is judged by it: look at the pace curve and the score")
            for column, low, high in (
                ("score", 0, 1),
                ("expected", 0, 1),
                ("window_expected", 0, 1),
                ("denominator", 0, None),
                ("events", 0, None),
            )
        ),
        _between("progress", -100, 100, "Look at start and target: the distance between them is tiny", "warning"),
        Rule(
            "a_share_is_part_of_a_whole",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            {
                "column_A": "denominator",
                "column_B": "numerator",
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
            },
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
        _between("windows_met", 0, None, "Windows are counted: look at this key result's windows"),
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


# --- both -------------------------------------------------------------------------------------------------------------


def _columns_are(schema: str) -> Rule:
    return Rule(
        "columns_are_as_declared",
        "ExpectColumnPairValuesToBeEqual",
        {"column_A": "declared", "column_B": "found"},
        f"The columns and their types are those of {schema}.",
        "Nothing else was checked: make the frame with the declared columns",
        shows=("declared", "found"),
        frame="columns",
    )


def _at_least_one(frame: str, name: str, says: str, do: str) -> Rule:
    return Rule(name, "ExpectTableRowCountToBeBetween", {"min_value": 1}, says, do, frame=frame)


def _set(column: str, do: str) -> Rule:
    return Rule(f"{column}_is_set", "ExpectColumnValuesToNotBeNull", {"column": column}, f"Every row has {column}.", do)


def _between(column: str, low: Any, high: Any, do: str, severity: Severity = "critical") -> Rule:
    bounds = f"between {low} and {high}" if high is not None else f"{low} or more"
    return Rule(
        f"{column}_is_in_range",
        "ExpectColumnValuesToBeBetween",
        {"column": column, "min_value": low, "max_value": high},
        f"{column} is {bounds}.",
        do,
        shows=(column,),
        severity=severity,
    )


def _not_before(later: str, earlier: str, says: str, name: str, ignore: str = "either_value_is_missing") -> Rule:
    return Rule(
        name,
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": later, "column_B": earlier, "or_equal": True, "ignore_row_if": ignore},
        says,
        "Look at how the key result's windows are cut",
        shows=(earlier, later),
    )


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
