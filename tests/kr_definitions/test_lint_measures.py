"""What is wrong with measures, and with functions of one's own: found in a set in which nothing else is."""

from __future__ import annotations

import pytest
from reviewed import found, of_measured

# --- measures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "measure"),
    [
        ("'deal.won' is listed twice", "{count: [deal.won, deal.lost, deal.won]}"),
        ("deal.created both begins and ends it, so that it is there at once",
         "{duration: {from: deal.created, to: deal.created}}"),
        ("deal.created both begins and ends it, so that it is there at once",
         "{conversion: {from: deal.created, from_where: \"product='a'\", to: deal.created, "
         "where: \"(product = 'a')\"}}"),
        ("ticket.solved both opens and closes it, so that it is never open",
         "{open: {opened_by: [ticket.created, ticket.solved], closed_by: ticket.solved}}"),
        ("staff.joined both opens and closes it, so that it is never open",
         "{retention: {opened_by: staff.joined, closed_by: staff.joined, by: actor}}"),
        ("staff.joined both opens and closes it, so that it is never open",
         "{participation: {roster: {opened_by: staff.joined, closed_by: staff.joined, by: actor}, "
         "did: {of: call.made}}}"),
        ("visit.held holds no amount",
         "{count: deal.won, among: {top: 3, by: {of: visit.held, sum: amount}, over: previous_year}}"),
        ("none of ticket.created holds amount",
         "{open: {opened_by: ticket.created, closed_by: ticket.solved, value: amount}}"),
        # what things are told apart by
        ("call.made carry no 'market'", "{count: call.made, among: {had: deal.won, key: market}}"),
        ("visit.held carry no 'product'", "{count: visit.held, among: {had_not: deal.won, key: product}}"),
        ("demo.attended carry no 'market'",
         "{count: deal.won, among: {top: 3, by: {of: demo.attended}, over: previous_year, key: market}}"),
        ("ticket.solved carry no 'product'", "{duration: {from: deal.won, to: ticket.solved, by: product}}"),
        ("subscription.started carry no 'market'",
         "{retention: {opened_by: subscription.started, closed_by: subscription.ended, by: market}}"),
        ("call.made carry no 'system'",
         "{participation: {roster: {opened_by: system.launched, by: system}, did: {of: call.made, by: system}}}"),
        ("members are told apart by actor, and what they did by account_id: nobody is both",
         "{participation: {roster: {opened_by: staff.joined, by: actor}, did: {of: call.made, by: account_id}}}"),
        ("staff.joined (member of staff) and subscription.ended (subscription) are about different things",
         "{retention: {opened_by: staff.joined, closed_by: subscription.ended}}"),
        ("deal.won (deal) and ticket.solved (ticket) are about different things",
         "{participation: {roster: {opened_by: deal.won, closed_by: ticket.solved}, did: {of: call.made, "
         "by: account_id}}}"),
        # numbers
        ("quantity of call.made (seconds) and visit.held (minutes): they do not add up",
         "{sum: quantity, of: [call.made, visit.held]}"),
        ("score of survey.answered (a scale of survey.answered) and audit.completed (a scale of audit.completed): "
         "they do not add up", "{mean: score, of: [survey.answered, audit.completed]}"),
        ("quantity of followers.observed (followers) and views.observed (views): they do not add up",
         "{level: quantity, of: [followers.observed, views.observed]}"),
        ("quantity of call.made (seconds) and visit.held (minutes): they do not add up",
         "{count: deal.won, among: {top: 3, by: {of: [call.made, visit.held], sum: quantity}, over: previous_year}}"),
        ("each followers.observed says the quantity of its profile anew: they do not add up",
         "{sum: quantity, of: followers.observed}"),
        ("each forecast.stated says the amount of its deal anew: they do not add up",
         "{sum: amount, of: forecast.stated}"),
        ("the quantity of call.made is no level: it says nothing of what there was before",
         "{level: quantity, of: call.made}"),
        ("the score of audit.completed is no level: it says nothing of what there was before",
         "{gain: score, of: audit.completed}"),
        ("call.made holds no amount", "{forecast_accuracy: {forecast: forecast.stated, actual: call.made}}"),
        ("deal.won holds no forecast_month", "{forecast_accuracy: {forecast: deal.won, actual: deal.won}}"),
        # ratios
        ("over 0, which is nothing", "{ratio: {numerator: {count: deal.won}, denominator: {figure: 0, of: count}}}"),
        ("over -5, of which there is no part",
         "{ratio: {numerator: {count: deal.won}, denominator: {figure: -5, of: count}}}"),
        ("a figure over a figure measures nothing", "{ratio: {numerator: {figure: 1}, denominator: {figure: 1}}}"),
        ("a thing over itself is always 1", "{ratio: {numerator: {count: deal.won}, denominator: {count: deal.won}}}"),
        ("a thing less itself is always 0",
         "{ratio: {numerator: {count: deal.won}, minus: {count: deal.won}, denominator: {count: deal.lost}}}"),
        ("up_to_last of a figure, which never happened: the numerator is nothing",
         "{ratio: {numerator: {sum: amount, of: deal.won}, denominator: {figure: 5}, up_to_last: true}}"),
        ("money taken off a count",
         "{ratio: {numerator: {count: deal.won}, minus: {sum: amount, of: deal.won}, "
         "denominator: {count: call.made}}}"),
        ("minutes taken off seconds",
         "{ratio: {numerator: {sum: quantity, of: call.made}, minus: {sum: quantity, of: visit.held}, "
         "denominator: {count: call.made}}}"),
        # lists
        ("two steps of the name 'a'", "{steps: [{name: a, of: deal.won}, {name: a, of: deal.lost}]}"),
        ("the step 'b' is met by what meets another one",
         "{steps: [{name: a, of: deal.won, where: \"stage = 'a'\"}, {name: b, of: deal.won, where: \"(stage='a')\"}]}"
         .replace("stage", "market")),
        ("valued_by without a value to say",
         "{open: {opened_by: deal.created, closed_by: deal.won, valued_by: deal.amount_changed}}"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_as_it_is_said_is_refused(tmp_path, said, measure):
    shares = ("conversion", "participation", "retention", "forecast", "ratio")
    target = "{at_least: 0.5}" if any(kind in measure for kind in shares) else "{value: 2}"
    told = of_measured(tmp_path, f"    measure: {measure}\n    target: {target}\n")
    errors = [line.partition(": error: ") for line in told if ": error: " in line]
    assert [("norte.yaml:16", f"agencia.norte.outcome: {said}")] == [
        (place, text.partition(". ")[0]) for place, _, text in errors
    ]


@pytest.mark.parametrize(
    "measure",
    [
        "{participation: {roster: {opened_by: product.launched, by: subject_id}, did: {of: deal.won, by: product}}}",
        "{retention: {opened_by: [deal.won, subscription.started]}}",
        "{ratio: {numerator: {distinct: account_id, of: deal.won}, minus: {count: deal.lost}, "
        "denominator: {figure: 5, of: count}}}",
    ],
)  # fmt: skip
def test_what_can_be_measured_although_it_looks_odd_is_not_questioned(tmp_path, measure):
    assert [] == of_measured(tmp_path, f"    measure: {measure}\n    target: {{at_least: 0.5}}\n")


def test_what_is_counted_out_of_something_else_is_questioned(tmp_path):
    text = "    measure: {count: [deal.won, deal.lost], out_of: deal.won}\n    target: {value: 5}\n"
    assert ("16", "warning", "deal.lost are no part of deal.won") == found(tmp_path, text)


def test_one_type_with_two_filters_begins_and_ends_something(tmp_path):
    of = "{from: deal.stage_entered, from_where: \"stage = 'a'\", to: deal.stage_entered, where: \"stage = 'b'\"}"
    assert [] == of_measured(tmp_path, f"    measure: {{conversion: {of}}}\n    target: {{at_least: 0.5}}\n")


NEW = "nobody was new before the period, on the eve of which it starts: the baseline is nothing"


@pytest.mark.parametrize(
    ("is_refused", "measure"),
    [
        (True, "{sum: amount, of: deal.won, among: {had_not: deal.won, before: period}}"),
        (True, "{sum: amount, of: deal.won, where: \"product = 'a'\", among: {had_not: deal.won, before: period}}"),
        (True, "{sum: amount, of: deal.won, where: \"product = 'a'\", "
               "among: {had_not: deal.won, where: \"product='a'\", before: period}}"),
        (False, "{sum: amount, of: deal.won, among: {had_not: deal.won}}"),
        (False, "{sum: amount, of: deal.won, among: {had: deal.won, before: period}}"),
        (False, "{sum: amount, of: deal.won, among: {had_not: demo.attended, before: period}}"),
        (False, "{sum: amount, of: deal.won, among: {had_not: deal.won, where: \"product = 'a'\", before: period}}"),
        (True, "{sum: amount, of: deal.won, among: {had: deal.created, since: period}}"),
        (False, "{sum: amount, of: deal.won, among: {had_not: demo.attended, since: period}}"),
        (False, "{sum: amount, of: deal.won, among: {had: deal.created, since: month}}"),
    ],
)  # fmt: skip
def test_the_new_are_not_compared_with_the_eve_of_the_period(tmp_path, is_refused, measure):
    target = "    trailing: 30 days\n    target: {relative: 0.1, baseline: start}\n"
    text = f"    measure: {measure}\n    unit: EUR\n{target}"
    assert ([("16", "error", NEW)] if is_refused else []) == (
        [found(tmp_path, text)] if of_measured(tmp_path, text) else []
    )
    assert [] == of_measured(tmp_path, text.replace("baseline: start", "baseline: previous_period"))


def test_what_is_done_in_the_period_is_not_compared_with_the_eve_of_it(tmp_path):
    did = "{roster: {opened_by: staff.joined, by: actor}, did: {of: call.made, since: period}}"
    text = (
        f"    measure: {{participation: {did}}}\n    trailing: 30 days\n    target: {{delta: 0.1, baseline: start}}\n"
    )
    assert ("16", "error", NEW) == found(tmp_path, text)


# --- functions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "function", "text"),
    [
        (None, "calculos:notas", "def notas(events, windows):\n    return windows\n"),
        (None, "calculos:notas", "def notas(*frames):\n    return frames[1]\n"),
        (None, "calculos:notas", "def notas(events, windows, weight=2):\n    return windows\n"),
        (None, "calculos:notas", "from otra import notas\n"),
        (None, "calculos:notas", "notas = lambda events, windows: windows\n"),
        (None, "calculos:notas", "try:\n    import a\nexcept ImportError:\n    def notas(e, w):\n        return w\n"),
        ("no calculo.py beside the declarations. Did you mean calculos?", "calculo:notas", ""),
        ("no zzz.py beside the declarations. Put the function there", "zzz:notas", ""),
        ("calculos.py has no function 'notas'. Did you mean nota?", "calculos:notas", "def nota(e, w): ...\n"),
        ("calculos.py has no function 'notas'. Write it there, or name one that there is", "calculos:notas", ""),
        ("calculos.py has no function 'notas'. Write it there, or name one that there is", "calculos:notas",
         "class A:\n    notas = 1\nasync def notas(e, w): ...\n"),
        ("calculos.py, line 2 is no Python: '(' was never closed. Mend it", "calculos:notas",
         "import a\ndef notas(e, w\n"),
        ("calculos.py is no Python: source code string cannot contain null bytes. Mend it", "calculos:notas", "\0"),
        ("calculos:notas takes 1 argument. Let it take events and windows, two frames", "calculos:notas",
         "def notas(events): ...\n"),
        ("calculos:notas takes 3 arguments. Let it take events and windows, two frames", "calculos:notas",
         "def notas(events, windows, weight): ...\n"),
        ("calculos:notas_events takes 1 argument. Let it take events and windows, two frames", "calculos:notas",
         "def notas(events, windows): ...\ndef notas_events(windows): ...\n"),
        ("calculos:notas takes weight by name alone. Let it take events and windows, two frames", "calculos:notas",
         "def notas(events, windows, *, weight): ...\n"),
    ],
)  # fmt: skip
def test_a_function_is_where_it_is_said_to_be(tmp_path, said, function, text):
    folder = tmp_path / "kr_definitions" / "agencia"
    folder.mkdir(parents=True)
    (folder / "calculos.py").write_text(text, "utf-8")
    told = of_measured(
        tmp_path,
        f"    measure: {{function: '{function}', of: deal.won, value: share}}\n    target: {{at_least: 0.5}}\n",
    )
    assert ([f"norte.yaml:16: error: agencia.norte.outcome: {said}"] if said else []) == told
