"""What is wrong with targets and weights although each can be read: found in a set in which nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from reviewed import MEASURED, files, findings, found, of_measured, of_spoilt, stated

# --- targets ----------------------------------------------------------------------------------------------------------

SHARE_OF_GOOD = "{share: {of: survey.answered, reached: \"rating = 'good'\"}}"
PART_OF_WHOLE = "{ratio: {numerator: {count: deal.won}, denominator: {count: [deal.won, deal.lost]}}}"
TWO_STEPS = "{steps: [{name: a, of: deal.won}, {name: b, of: deal.lost, weight: 2}]}\n    unit: steps"


@pytest.mark.parametrize(
    ("severity", "said", "measure", "target"),
    [
        ("error", "out of 4, which is less than the target of 5", "{count: deal.won}", "{value: 5, of: 4}"),
        ("error", "out of 0, which is not above 0", "{count: deal.won}", "{value: 5, of: 0}"),
        ("error", "a share of 90 cannot be", "{share: {of: survey.answered, reached: \"rating = 'good'\"}}",
         "{at_least: 90}"),
        ("error", "a share cannot move by 5", "{share: {of: survey.answered, reached: \"rating = 'good'\"}}",
         "{delta: 5}"),
        ("error", "strict beside progress: distance, which is all the way at the limit itself, where it is not met",
         "{count: deal.won}", "{at_most: 1, strict: true, progress: distance}"),
        ("error", "strict beside progress: distance, which is all the way at the limit itself, where it is not met",
         "{count: deal.won}", "{not_below: previous_year, strict: true, progress: distance}"),
        ("error", "strict beside from, which is all the way at the limit itself, where it is not met",
         "{open: {opened_by: ticket.created, closed_by: ticket.solved}}", "{at_most: 1, from: 9, strict: true}"),
        ("error", "two figures were expected", "{count: deal.won}", "{within: [1, 2, 3]}"),
        ("error", "two figures were expected", "{count: deal.won}", "{within: []}"),
        ("error", "two figures were expected (found '12')", "{count: deal.won}", "{within: '12'}"),
        ("error", "two figures were expected (found '12')", "{count: deal.won}", "{within: 12}"),
        ("warning", "progress by distance to 0, of which there is no part: it is met or not", "{count: deal.won}",
         "{at_most: 0, progress: distance}"),
        ("warning", "progress by distance to -1, of which there is no part: it is met or not",
         "{gain: quantity, of: views.observed}", "{at_least: -1, progress: distance}"),
        # what the value can be
        ("error", "a value of -1, where it is not below 0, cannot be", "{count: deal.won}", "{at_most: -1}"),
        ("error", "a value of -1, where it is not below 0, cannot be", "{count: deal.won}", "{within: [-5, -1]}"),
        ("error", "a value of less than 0, where it is not below 0, cannot be", "{count: deal.won}",
         "{at_most: 0, strict: true}"),
        ("error", "a value of -4, where it is not below 0, cannot be",
         "{duration: {from: deal.created, to: deal.won}}", "{at_most: -4}"),
        ("error", "a share of more than 1 cannot be", SHARE_OF_GOOD, "{at_least: 1, strict: true}"),
        ("error", "a share of less than 0 cannot be", SHARE_OF_GOOD, "{at_most: 0, strict: true}"),
        ("error", "a share of -0.5 cannot be", SHARE_OF_GOOD, "{at_least: -0.5}"),
        ("error", "200 % less of what is not below 0 cannot be", "{open: {opened_by: ticket.created, "
         "closed_by: ticket.solved}}", "{relative: -2}"),
        ("error", "a value of 80, where it is 1 at most, cannot be",
         "{forecast_accuracy: {forecast: forecast.stated, actual: deal.won}}", "{at_least: 80}"),
        ("error", "a value of 90, where it is from 0 to 1, cannot be", PART_OF_WHOLE, "{at_least: 90}"),
        ("error", "a value of 90, where it is from 0 to 1, cannot be",
         "{ratio: {numerator: {distinct: account_id, of: deal.won, where: \"market = 'a'\"}, "
         "denominator: {distinct: account_id, of: deal.won}}}", "{at_least: 90}"),
        ("error", "a value of 90, where it is from 0 to 1, cannot be", "{mean: attended_share, of: demo.attended}",
         "{at_least: 90}"),
        ("error", "a value of 50, where it is from 0 to 5, cannot be", "{distinct: network, of: post.published}",
         "{value: 50}"),
        ("error", "a value of 10, where it is from 0 to 3, cannot be",
         "{distinct: account_id, of: call.made, among: {top: 3, by: {of: deal.won}, over: previous_year}}",
         "{value: 10}"),
        ("error", "what is from 0 to 1 cannot move by -15", PART_OF_WHOLE, "{delta: -15}"),
        ("warning", "a value that is not below 0 always meets it", "{count: deal.won}", "{at_least: 0}"),
        ("warning", "a value that is not below 0 always meets it", "{count: deal.won}", "{at_least: -1}"),
        ("warning", "a value that is not below 0 always meets it", "{count: deal.won}",
         "{at_least: -1, strict: true}"),
        ("warning", "a value that is from 0 to 1 always meets it", SHARE_OF_GOOD, "{at_least: 0}"),
        ("warning", "a value that is from 0 to 1 always meets it", SHARE_OF_GOOD, "{at_most: 1}"),
        ("warning", "a value that is from 0 to 1 always meets it", SHARE_OF_GOOD, "{within: [0, 1]}"),
        ("warning", "15 is a change by 1,500 % more", "{count: deal.won}", "{relative: 15}"),
        ("warning", "-15 is a change by 1,500 % less", "{gain: quantity, of: views.observed}",
         "{relative: -15, to_date: true}"),
        ("warning", "a figure of 28 digits, of which the last are not exact", "{count: deal.won}", "{value: 1e27}"),
        ("warning", "a figure of 0.0000000001, which no value is near", "{count: deal.won}", "{at_least: 1e-10}"),
        ("remark", "from 3 of a total that starts at nothing: it is shown, and progress is from 0", "{count: deal.won}",
         "{value: 5, from: 3}"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_meant_is_told(tmp_path, severity, said, measure, target):
    unit = "" if "duration" in measure or "open" in measure else "\n    unit: things" if "quantity" in measure else ""
    unit = "\n    unit: things" if "distinct" in measure and "ratio" not in measure else unit
    unit = "\n    unit: share" if "mean" in measure else unit
    line, grade, text = found(tmp_path, f"    measure: {measure}\n    target: {target}{unit}\n")
    assert ("17", severity, said) == (line, grade, text.removeprefix("within: "))


@pytest.mark.parametrize(
    ("measure", "target"),
    [
        (SHARE_OF_GOOD, "{at_least: 1}"), (SHARE_OF_GOOD, "{at_most: 0}"), (SHARE_OF_GOOD, "{within: [0, 0.9]}"),
        ("{count: deal.won}", "{at_most: 0}"), ("{count: deal.won}", "{at_least: 0, strict: true}"),
        ("{count: deal.won}", "{relative: 4}"),
        ("{ratio: {numerator: {count: call.made}, denominator: {count: deal.won}}}", "{at_least: 90}"),
        ("{ratio: {numerator: {count: deal.won}, denominator: {count: deal.won, where: \"market = 'a'\"}}}",
         "{at_least: 90}"),
        ("{forecast_accuracy: {forecast: forecast.stated, actual: deal.won}}", "{at_least: 0}"),
        ("{ratio: {numerator: {sum: amount, of: deal.won}, denominator: {figure: 400}}}", "{value: 9}"),
    ],
)  # fmt: skip
def test_a_target_that_can_be_met_and_missed_is_not_questioned(tmp_path, measure, target):
    assert [] == of_measured(tmp_path, f"    measure: {measure}\n    target: {target}\n")


LIMITED = """\
    measure: {{count: deal.won}}
    target: {}
    guardrails: [{{name: most, {}measure: {{count: deal.won}}, target: {}}}]
""".format


@pytest.mark.parametrize(
    ("said", "target", "window", "limit"),
    [
        ("it is met up to 5, and another target of the same measure from 10 on", "{value: 10}", "", "{at_most: 5}"),
        ("it is met from 1 to 5, and another target of the same measure from 10 on", "{at_least: 10}", "",
         "{within: [1, 5]}"),
        (None, "{value: 10}", "", "{at_most: 10}"),
        (None, "{value: 10}", "every: week, ", "{at_most: 5}"),
        (None, "{relative: 0.1}", "", "{at_most: 5}"),
    ],
)  # fmt: skip
def test_a_target_and_a_guardrail_of_one_measure_can_both_hold(tmp_path, said, target, window, limit):
    text = LIMITED(target, window, limit)
    assert ([("18", "error", said)] if said else []) == ([found(tmp_path, text)] if of_measured(tmp_path, text) else [])


@pytest.mark.parametrize(
    ("is_refused", "measure", "target"),
    [
        (True, "{count: deal.won}", "{value: 10, from: 20}"),
        (True, "{distinct: account_id, of: deal.won}", "{delta: -2, baseline: start}"),
        (True, "{sum: amount, of: deal.won}", "{relative: -0.1, baseline: start}"),
        (False, "{count: deal.won}", "{value: 20, from: 10}"),
        (False, "{gain: quantity, of: followers.observed}", "{value: 10, from: 20}"),
        (False, "{open: {opened_by: ticket.created, closed_by: ticket.solved}}", "{value: 10, from: 20}"),
    ],
)  # fmt: skip
def test_a_total_since_the_beginning_is_not_asked_to_fall(tmp_path, is_refused, measure, target):
    unit = "EUR" if "amount" in measure else "things"
    text = f"    cumulative: ever\n    measure: {measure}\n    target: {target}\n    unit: {unit}\n"
    said = ("18", "error", "a total since the beginning only grows, so it cannot be asked to fall")
    assert ([said] if is_refused else []) == ([found(tmp_path, text)] if of_measured(tmp_path, text) else [])


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("{value: 3}", []),
        ("{value: 4}", [("18", "error", "the steps come to 3, so that 4 is never reached")]),
        ("{value: 2}", [("18", "warning", "the steps come to 3: 2 is reached before the last of them")]),
    ],
)
def test_the_target_of_steps_is_all_of_them(tmp_path, target, told):
    text = f"    measure: {TWO_STEPS}\n    target: {target}\n"
    assert told == ([found(tmp_path, text)] if told or of_measured(tmp_path, text) else [])


@pytest.mark.parametrize(
    ("told", "measure", "unit"),
    [
        ("the unit EUR, a currency, of a count", "{count: deal.won}", "EUR"),
        ("the unit COP, a currency, of a share", "{conversion: {from: deal.created, to: deal.won}}", "COP"),
        ("the unit 'sales' of an amount of money", "{sum: amount, of: deal.won}", "sales"),
        ("the unit USD of amounts in EUR", "{sum: amount, of: deal.won}", "USD"),
        ("the unit 'days' of a duration in hours", "{duration: {from: deal.created, to: deal.won}}", "days"),
        ("the unit share, a percentage, of a count", "{count: deal.won}", "share"),
        ("the unit 'hours' of a count", "{count: deal.won}", "hours"),
        ("the unit 'horas' of a count", "{open: {opened_by: ticket.created, closed_by: ticket.solved}}", "horas"),
        (None, "{distinct: forecast_month, of: forecast.stated}", "months"),
        ("the unit '%' of what is no percentage", "{count: deal.won}", "'%'"),
        ("the unit '€', which names nothing", "{count: deal.won}", "€"),
        ("the unit '5', which names nothing", "{count: deal.won}", "'5'"),
        ("the unit 'hours' of seconds", "{sum: quantity, of: call.made}", "hours"),
        ("the unit 'minutos' of seconds", "{mean: quantity, of: call.made}", "minutos"),
        ("the unit 'days' of flyers", "{sum: quantity, of: flyers.distributed}", "days"),
        ("the unit '%' of a share, which is a number from 0 to 1 and shown as a percentage",
         "{conversion: {from: deal.created, to: deal.won}}", "'%'"),
        ("the unit 'customers' of a share, which is a number from 0 to 1 and shown as a percentage",
         "{conversion: {from: deal.created, to: deal.won}}", "customers"),
        ("the unit '%' of what is no percentage",
         "{ratio: {numerator: {count: deal.won}, denominator: {count: deal.lost}}}", "'%'"),
        ("the unit 'deals' of an amount of money over a count",
         "{ratio: {numerator: {sum: amount, of: deal.won}, denominator: {count: call.made}}}", "deals"),
        (None, "{ratio: {numerator: {sum: amount, of: deal.won}, denominator: {count: call.made}}}", "EUR per call"),
        (None, "{ratio: {numerator: {count: call.made}, denominator: {sum: amount, of: deal.won}}}", "calls"),
        (None, "{sum: quantity, of: call.made}", "segundos"),
        (None, "{mean: attended_share, of: demo.attended}", "share"),
        (None, "{conversion: {from: deal.created, to: deal.won}}", "share"),
        (None, "{mean: score, of: survey.answered}", "NPS"),
        (None, "{duration: {from: deal.created, to: deal.won}, unit: working_hours}", "working hours"),
        (None, "{count: deal.won}", "sales"),
        (None, "{mean: score, of: audit.completed}", "share"),
        (None, "{ratio: {numerator: {sum: amount, of: deal.won}, denominator: {count: call.made}}}", "EUR"),
    ],
)  # fmt: skip
def test_a_unit_is_what_the_measure_counts_in(tmp_path, told, measure, unit):
    text = f"    measure: {measure}\n    unit: {unit}\n    target: {{at_least: 0.5}}\n"
    assert ([("17", "error", told)] if told else []) == ([found(tmp_path, text)] if of_measured(tmp_path, text) else [])


def test_a_unit_beside_parts_is_refused(tmp_path):
    parts = "    all_of: [{name: a, measure: {count: deal.won}, target: {value: 5}}]\n    unit: EUR\n"
    said = "the unit 'EUR' beside all_of, whose parts are what is counted"
    assert ("17", "error", said) == found(tmp_path, parts)


@pytest.mark.parametrize(
    ("told", "measure"),
    [
        ("an amount without its currency", "{sum: amount, of: deal.won}"),
        ("a figure without a unit: it would be shown as 'count'", "{distinct: account_id, of: deal.won}"),
        ("a figure without a unit: it would be shown as 'quantity'", "{gain: quantity, of: followers.observed}"),
        ("a figure without a unit: it would be shown as 'number'", "{mean: score, of: audit.completed}"),
        (None, "{duration: {from: deal.created, to: deal.won}}"),
        (None, "{open: {opened_by: ticket.created, closed_by: ticket.solved}}"),
    ],
)  # fmt: skip
def test_a_figure_that_does_not_name_itself_has_a_unit(tmp_path, told, measure):
    text = f"    measure: {measure}\n    target: {{at_least: 5}}\n"
    assert ([("11", "warning", told)] if told else []) == (
        [found(tmp_path, text)] if of_measured(tmp_path, text) else []
    )


def test_a_period_without_a_window_is_refused(tmp_path):
    text = f"    period: {{from: 2026-08-20, until: 2026-09-10}}\n    every: month\n{MEASURED}"
    assert [
        "norte.yaml:17: error: agencia.norte.outcome: no month belongs to the period from 2026-08-20 to 2026-09-10. "
        "Choose a shorter window, or leave it out"
    ] == of_measured(tmp_path, text)
    assert [] == of_measured(tmp_path, text.replace("month", "week"))


ACCURACY = "{forecast_accuracy: {forecast: forecast.stated, actual: deal.won}}"
STAYED = "{retention: {opened_by: subscription.started, closed_by: subscription.ended}}"
TOOK_PART = "{{participation: {{roster: {{opened_by: deal.won}}, did: {{of: call.made, by: account_id}}{}}}}}".format
WHOLE_MONTHS = "a forecast is held against whole months, of which such a window holds none"
NOBODY = "before the beginning there was nobody, so that there is no value"


@pytest.mark.parametrize(
    ("said", "measure", "window"),
    [
        (WHOLE_MONTHS, ACCURACY, "every: week"), (WHOLE_MONTHS, ACCURACY, "every: day"),
        (WHOLE_MONTHS, ACCURACY, "trailing: 27 days"), (None, ACCURACY, "trailing: 28 days"),
        (None, ACCURACY, "every: month"), (None, ACCURACY, "cumulative: ever"),
        (NOBODY, STAYED, "cumulative: ever"), (None, STAYED, "every: day"),
        (NOBODY, TOOK_PART(", members: start"), "cumulative: ever"), (None, TOOK_PART(""), "cumulative: ever"),
    ],
)  # fmt: skip
def test_a_window_that_never_holds_anything_is_refused(tmp_path, said, measure, window):
    text = f"    {window}\n    measure: {measure}\n    target: {{at_least: 0.5}}\n"
    assert ([("16", "error", said)] if said else []) == ([found(tmp_path, text)] if of_measured(tmp_path, text) else [])


@pytest.mark.parametrize(
    ("said", "period", "every"),
    [
        (["warning: agencia.norte.outcome: the quarter from 2026-07-01 to 2026-09-30 reaches beyond the period, "
          "2026-08-01 to 2026-08-31"], "{month: 2026-08}", "quarter"),
        (["warning: agencia.norte.outcome: the month from 2026-08-01 to 2026-08-31 reaches beyond the period, "
          "2026-08-10 to 2026-08-24"], "{from: 2026-08-10, until: 2026-08-24}", "month"),
        (["remark: agencia.norte.outcome: the days from 2026-07-20 to 2026-07-31 are in no month that belongs to the "
          "period",
          "remark: agencia.norte.outcome: the days from 2026-09-01 to 2026-09-10 are in no month that belongs to the "
          "period"], "{from: 2026-07-20, until: 2026-09-10}", "month"),
        ([], "{from: 2026-07-20, until: 2026-09-10}", "week"),
        ([], "{quarter: 2026-Q3}", "month"),
        ([], "{half: 2026-H2}", "quarter"),
    ],
)  # fmt: skip
def test_windows_that_are_not_the_period_are_questioned(tmp_path, said, period, every):
    text = f"    period: {period}\n    every: {every}\n{MEASURED}"
    assert said == [line.partition(": ")[2].partition(". ")[0] for line in of_measured(tmp_path, text)]


@pytest.mark.parametrize(
    ("is_told", "period"),
    [
        (True, "{quarter: 2026-Q2}"), (True, "{quarter: 2027-Q3}"),
        (False, "{month: 2026-07}"), (False, "{half: 2026-H2}"),
    ],
)  # fmt: skip
def test_a_period_that_is_not_in_the_objectives_is_questioned(tmp_path, is_told, period):
    told = of_measured(tmp_path, f"    period: {period}\n{MEASURED}")
    assert is_told == any("[period.within]" in line for line in told) == bool(told)


def test_a_part_and_a_guardrail_are_looked_at_as_a_key_result_is(tmp_path):
    text = """\
    period: {from: 2026-08-20, until: 2026-09-10}
    all_of:
      - {name: a, every: quarter, measure: {count: deal.won}, target: {value: 5, of: 3}}
    guardrails:
      - {name: b, every: month, measure: {count: deal.lost}, target: {at_most: 0, progress: distance}}
"""
    told = [line.split(": ", 3)[3].partition(". ")[0] for line in of_measured(tmp_path, text)]
    assert [
        "no quarter belongs to the period from 2026-08-20 to 2026-09-10",
        "out of 3, which is less than the target of 5",
        "no month belongs to the period from 2026-08-20 to 2026-09-10",
        "progress by distance to 0, of which there is no part: it is met or not",
    ] == told


# --- weights ----------------------------------------------------------------------------------------------------------


def weighed(home: Path, *weights: str) -> list[str]:
    """What is said of three key results with these weights (empty: none), without their files."""
    text = stated("norte")
    for kind, weight in zip(("outcome", "activity", "milestone"), weights, strict=True):
        text = text.replace(f"type: {kind}\n", f"type: {kind}\n    weight: {weight}\n" if weight else f"type: {kind}\n")
    return [line.partition(": ")[2].partition(". ")[0] for line in findings(home, {**files(), "norte": text})]


@pytest.mark.parametrize(
    ("told", "weights"),
    [
        ([], ("0.5", "", "")),
        ([], ("0.5", "0.3", "0.2")),
        ([], ("1", "0", "0")),
        (["error: agencia.norte.milestone: the weights come to 1.2"], ("0.4", "0.4", "0.4")),
        (["error: agencia.norte.activity: the weights come to 1.1"], ("0.7", "0.4", "")),
        (["error: agencia.norte.outcome: no key result of the objective has any weight, so that it has no progress"],
         ("0", "0", "0")),
        (["warning: agencia.norte.milestone: the weights of all come to 0.9"], ("0.3", "0.3", "0.3")),
        (["warning: agencia.norte.milestone: the other weights come to 1, so that nothing is left for this one"],
         ("0.5", "0.5", "")),
    ],
)  # fmt: skip
def test_the_weights_of_an_objective_share_one(tmp_path, told, weights):
    assert told == weighed(tmp_path, *weights)


def test_a_kpi_has_no_weight(tmp_path):
    kpi = "    weight: 0.5\n    measure: {count: deal.won}\n"
    (told,) = (line for line in of_spoilt(tmp_path, ("norte", "outcome\n    level", "kpi\n    level"),
               ("norte", MEASURED, kpi)) if "weights.kpi" in line)  # fmt: skip
    assert told.startswith(
        "norte.yaml:16: warning: agencia.norte.outcome: a weight on a kpi, which counts in no progress"
    )
