"""What is wrong with declarations although each can be read: found in a set in which nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from reviewed import ORGANISATION, files, findings, of_spoilt, stated

MEASURED = "    measure: {count: deal.won}\n    target: {value: 5}\n"


def of_measured(home: Path, after: str) -> list[str]:
    """What is said of the key result agencia.norte.outcome with this measure and target (from line 16 on)."""
    return of_spoilt(home, ("norte", MEASURED, after))


def found(home: Path, after: str) -> tuple[str, str, str]:
    """Of the only finding: line, severity, what was found."""
    (line,) = of_measured(home, after)
    place, severity, owner, rest = line.split(": ", 3)
    assert owner == "agencia.norte.outcome"
    return place.partition(":")[2], severity, rest.partition(". ")[0]


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("no network 'facebok', so that it matches nothing", "network = 'facebok'"),
        ("no network 'Facebook', so that it matches nothing", "network in ('facebook', 'Facebook')"),
        ("«network = 'x' and network = 'facebook'» never holds", "network = 'x' and network = 'facebook'"),
        ("«1 = 2» never holds", "1 = 2"),
        ("post.published hold no amount, so that currency is always empty", "currency = 'EUR'"),
        ("post.published hold no quantity, so that quantity is always empty", "quantity > 5"),
        ("IN without a list", "network in ()"),
        ("«select», which the language does not have", "network in (select 1)"),
        ("a number (5) beside a text (\"network\")", "network = 5"),
        ("an unknown column, ntwork", "ntwork = 'x'"),
    ],
)  # fmt: skip
def test_a_filter_that_matches_nothing_is_refused(tmp_path, said, where):
    text = f'    measure: {{count: post.published, where: "{where}"}}\n    target: {{value: 5}}\n'
    assert ("16", "error", said) == found(tmp_path, text)


def counted(types: str, where: str) -> str:
    """A measure and a target: how many events of a type a filter leaves."""
    return f'    measure: {{count: {types}, where: "{where}"}}\n    target: {{value: 5}}\n'


@pytest.mark.parametrize(
    "where",
    [
        "TRY_CAST(market AS NUMBER) > 5", "CAST(amount AS TEXT) = '5'", "TRY_CAST(market AS DATE) > DATE '2026-01-31'",
        "CASE market WHEN 'a' THEN TRUE ELSE FALSE END", "CAST(CAST(market AS TEXT) AS TEXT) = 'a'",
        "CASE WHEN CAST(amount AS TEXT) = '5' THEN market = 'a' ELSE TRY_CAST(market AS BOOLEAN) END",
    ],
)  # fmt: skip
def test_a_filter_that_casts_or_chooses_is_looked_at_as_any(tmp_path, where):
    assert [] == of_measured(tmp_path, counted("deal.won", where))


@pytest.mark.parametrize("moment", ["0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59-12:00"])
def test_a_time_outside_the_calendar_is_refused(tmp_path, moment):
    text = counted("deal.won", f"occurred_at > TIMESTAMPTZ '{moment}'")
    assert ("16", "error", f"'{moment}', a time outside the calendar") == found(tmp_path, text)


@pytest.mark.parametrize(
    ("do", "types", "where"),
    [
        ("mandate is exclusive or open", "listing.captured", "mandate LIKE 'excl'"),
        ("mandate is exclusive or open", "listing.captured", "lower(mandate) = 'exclusivo'"),
        ("mandate is exclusive or open", "listing.captured", "mandate NOT IN ('exclusive', 'open')"),
        ("attended_share is from 0 to 1", "demo.attended", "attended_share > 90"),
        ("quantity is not below 0", "call.made", "quantity < 0"),
        ("Ask for what one event can be", "deal.won", "lower(market) = 'NORTE'"),
        ("Ask for what one event can be", "deal.won", "starts_with(market, 'a') AND starts_with(market, 'b')"),
        ("Ask for what one event can be", "deal.won", "amount > amount"),
        ("Ask for what one event can be", "deal.won", "length(market) < 0"),
        ("Ask for what one event can be", "deal.won", "abs(amount) < 0"),
        ("Ask for what one event can be", "deal.won", "coalesce(market, 'x') = 'y' AND market IS NULL"),
    ],
)  # fmt: skip
def test_a_filter_that_no_event_can_be_is_refused_with_what_there_is(tmp_path, do, types, where):
    (told,) = of_measured(tmp_path, counted(types, where))
    assert told.startswith(f"norte.yaml:16: error: agencia.norte.outcome: «{where}» never holds. {do}")


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("no source 'hubspott', so that it matches nothing. Did you mean hubspot?", "source = 'hubspott'"),
        ("no currency 'euro', so that it matches nothing. Write its code (ISO 4217), as EUR or COP",
         "currency in ('euro', 'EUR')"),
    ],
)  # fmt: skip
def test_a_source_and_a_currency_that_are_not_known_are_questioned(tmp_path, said, where):
    sources = ("organisation", "currency: EUR\n", "currency: EUR\nsources: {hubspot: {kind: hubspot}}\n")
    assert [f"norte.yaml:16: warning: agencia.norte.outcome: {said} [filter.named]"] == of_spoilt(
        tmp_path, ("norte", MEASURED, counted("deal.won", where)), sources
    )
    assert [] == of_spoilt(tmp_path, ("norte", MEASURED, counted("deal.won", "source = 'a' and currency = 'USD'")))


@pytest.mark.parametrize(
    ("column", "types", "where"),
    [
        ("market", "deal.won", "market <> 'a' OR market <> 'b'"), ("market", "deal.won", "market = market"),
        ("market", "deal.won", "market LIKE '%'"), ("rating", "survey.answered", "rating = 'good' OR rating = 'bad'"),
        ("is_within_sla", "ticket.solved", "is_within_sla = TRUE OR is_within_sla = FALSE"),
    ],
)  # fmt: skip
def test_a_filter_that_leaves_out_only_what_is_empty_is_questioned(tmp_path, column, types, where):
    said = f"«{where}» leaves out nothing but events without {column}"
    assert [
        f"norte.yaml:16: warning: agencia.norte.outcome: {said}. Name what is to be left out, or write {column} IS NOT "
        "NULL if that is meant [filter.empty]"
    ] == of_measured(tmp_path, counted(types, where))
    assert [] == of_measured(tmp_path, counted(types, f"{column} IS NOT NULL"))


SHARE = '{{share: {{of: survey.answered, where: "{}", reached: "{}"}}}}\n    target: {{at_least: 0.9}}\n'.format
EACH = '{{count: deal.won, where: "{}"}}\n    each: {{dimension: market, members: [a, b]}}\n'.format
COHORTS = "{{count: call.made, among: [{{had: deal.won{}}}, {{had_not: deal.won{}}}]}}\n".format


@pytest.mark.parametrize(
    ("said", "measure"),
    [
        ("«rating = 'good'» never holds where «rating = 'bad'» does", SHARE("rating = 'bad'", "rating = 'good'")),
        (None, SHARE("channel = 'bad'", "rating = 'good'")),
        ("«market = 'a' or product = 'c' and market = 'c'» never holds for the market 'b'",
         EACH("market = 'a' or product = 'c' and market = 'c'")),
        (None, EACH("market = 'a' or market = 'b'")),
        (None, EACH("product = 'c'")),
        ("nobody is both with deal.won before and with no deal.won before", COHORTS("", "")),
        ("nobody is both with deal.won before and with no deal.won before", COHORTS(", where: \"product = 'a'\"", "")),
        ("nobody is both with deal.won before and with no deal.won before", COHORTS(", before: period", "")),
        ("nobody is both with deal.won before and with no deal.won before", COHORTS(", since: period", "")),
        (None, COHORTS("", ", where: \"product = 'a'\"")),
        (None, COHORTS("", ", before: period")),
        (None, COHORTS("", ", since: period")),
        (None, COHORTS("", ", key: actor")),
    ],
)  # fmt: skip
def test_filters_that_exclude_one_another_are_refused(tmp_path, said, measure):
    target = "" if "target" in measure else "    target: {value: 5}\n"
    told = of_measured(tmp_path, f"    measure: {measure}{target}")
    assert ([said] if said else []) == [line.split(": ", 3)[3].partition(". ")[0] for line in told]


def test_what_follows_from_where_is_always_reached(tmp_path):
    (told,) = of_measured(tmp_path, "    measure: " + SHARE("rating in ('good')", "rating <> 'bad'"))
    assert told.startswith(
        "norte.yaml:16: warning: agencia.norte.outcome: «rating <> 'bad'» holds wherever «rating in ('good')» does, so "
        "that all is reached. "
    )


LATE, EARLY = (
    "occurred_at > TIMESTAMPTZ '2026-10-01 00:00:00+02:00'",
    "occurred_at < TIMESTAMPTZ '2026-07-01 00:00:00+02:00'",
)


@pytest.mark.parametrize(
    ("is_told", "more", "where"),
    [
        (True, "", LATE), (True, "", EARLY), (False, "", EARLY.replace("07-01", "07-02")),
        (False, "trailing: 90 days", EARLY), (True, "trailing: 90 days", LATE), (False, "cumulative: ever", EARLY),
        (True, "cumulative: ever", LATE.replace("10-01", "10-02")), (False, "every: week", EARLY),
    ],
)  # fmt: skip
def test_a_filter_on_a_time_that_is_not_in_the_period_is_questioned(tmp_path, is_told, more, where):
    text = counted("deal.won", where).replace("    measure:", f"    {more}\n    measure:" if more else "    measure:")
    told = [line.split(": ", 3)[3].partition(". ")[0] for line in of_measured(tmp_path, text)]
    expected = f"«{where}» never holds in the period, from 2026-07-01 to 2026-09-30"
    assert ([expected] if is_told else []) == told


def test_a_filter_on_a_time_of_what_is_compared_with_a_time_before_may_be_before(tmp_path):
    text = counted("deal.won", EARLY).replace("{value: 5}", "{relative: 0.1}")
    assert [] == of_measured(tmp_path, text)


def test_a_filter_that_leaves_nothing_out_is_questioned(tmp_path):
    assert ("16", "warning", "«1 = 1 or network = 'x'» always holds") == found(
        tmp_path, "    measure: {count: post.published, where: \"1 = 1 or network = 'x'\"}\n    target: {value: 5}\n"
    )


def test_what_is_always_reached_is_questioned(tmp_path):
    share = "{share: {of: survey.answered, reached: \"rating = 'good' or rating <> 'good'\"}}"
    assert ("16", "warning", "«rating = 'good' or rating <> 'good'» always holds") == found(
        tmp_path, f"    measure: {share}\n    target: {{at_least: 0.9}}\n"
    )


def test_a_filter_is_looked_at_also_where_its_key_result_cannot_be_read(tmp_path):
    text = "    measure: {count: post.published, where: \"network = 'facebok'\"}\n    targt: {value: 5}\n"
    assert [
        "norte.yaml:11: error: agencia.norte.outcome: 'target' is missing. "
        "Add a target, or make it a kpi if it has none",
        "norte.yaml:16: error: agencia.norte.outcome: no network 'facebok', so that it matches nothing. "
        "Did you mean facebook?",
        "norte.yaml:17: error: agencia.norte.outcome: 'targt' is not known here. Did you mean 'target'?",
    ] == of_measured(tmp_path, text)


def test_a_filter_that_is_empty_is_told_once(tmp_path):
    assert ["norte.yaml:16: error: agencia.norte.outcome: where: an empty text. Fill it in"] == of_measured(
        tmp_path, counted("deal.won", " ")
    )


@pytest.mark.parametrize("where", ["market = norte", "market <> norte", "market in ('sur', norte)"])
def test_a_text_without_quotes_is_told_as_that(tmp_path, where):
    assert [
        "norte.yaml:16: error: agencia.norte.outcome: an unknown column, norte. Texts stand between ' and ': 'norte'"
    ] == of_measured(tmp_path, counted("deal.won", where))


def test_a_dimension_that_is_no_text_is_told_as_that(tmp_path):
    (told,) = of_measured(tmp_path, f"{MEASURED}    each: {{dimension: amount}}\n")
    assert told.startswith(
        "norte.yaml:18: error: agencia.norte.outcome: amount is no text, so that it names no members. They share: "
    )


def test_a_member_that_its_dimension_cannot_have_is_refused(tmp_path):
    each = "    each: {dimension: network, members: [facebok, x]}\n"
    assert ["norte.yaml:18: error: agencia.norte.outcome: no network 'facebok'. Did you mean facebook?"] == of_measured(
        tmp_path, f"{MEASURED}{each}".replace("deal.won", "post.published")
    )


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


# --- ids, links, texts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        (["norte.yaml:2: error: agencya.norte: an id that does not begin with the organisation's, agencia. "
          "Write agencia.norte"],
         [("norte", "id: agencia.norte\n", "id: agencya.norte\n")]),
        (["norte.yaml:6: error: agencia.norte: supports itself. Remove or change a supports, so that it leads away"],
         [("norte", "supports: agencia.empresa", "supports: agencia.norte")]),
        (["empresa.yaml:7: error: agencia.empresa: supports itself: agencia.empresa → agencia.norte → agencia.empresa. "
          "Remove or change a supports, so that it leads away",
          "empresa.yaml:7: warning: agencia.empresa: of level company, it supports agencia.norte of level team. "
          "Let the lower level support the higher one, or correct the level [alignment.level]"],
         [("empresa", "level: company", "level: company\n  supports: agencia.norte")]),
        (["norte.yaml:16: error: agencia.norte.outcome: feeds from itself: agencia.norte.outcome → "
          "agencia.sur.outcome → agencia.norte.outcome. Remove or change a feeds_from, so that it leads away"],
         [("norte", MEASURED, f"    feeds_from: agencia.sur.outcome\n{MEASURED}"),
          ("sur", MEASURED, f"    feeds_from: agencia.norte.outcome\n{MEASURED}")]),
        (["norte.yaml:16: error: agencia.norte.outcome: feeds from 'agencia.sur.outcom', which is not declared. "
          "Did you mean agencia.sur.outcome or agencia.norte.outcome or agencia.empresa.outcome?"],
         [("norte", MEASURED, f"    feeds_from: agencia.sur.outcom\n{MEASURED}")]),
        (["norte.yaml:16: error: agencia.norte.outcome: feeds from 'agencia.sur', which is an objective. "
          "Did you mean agencia.sur.outcome or agencia.sur.activity or agencia.sur.milestone?"],
         [("norte", MEASURED, f"    feeds_from: agencia.sur\n{MEASURED}")]),
        (["norte.yaml:3: error: agencia.norte: en: an empty text. Fill it in"],
         [("norte", "en: Gain ground", "en: '  '")]),
        (["norte.yaml:16: error: agencia.norte.outcome: unit: an empty text. Fill it in"],
         [("norte", MEASURED, f"    unit: ''\n{MEASURED}")]),
        (["norte.yaml:8: error: agencia.norte: approved_by: a blank at an end in 'direccion '. Delete it"],
         [("norte", "[direccion]", "['direccion ']")]),
        (["norte.yaml:15: error: agencia.norte.outcome: owner: a character that cannot be seen (U+200B) in "
          "'equi\u200bpo'. Delete it"],
         [("norte", "level: team\n    owner: equipo", "level: team\n    owner: equi\u200bpo")]),
        (["norte.yaml:18: error: agencia.norte.outcome: members: a blank at an end in ' sur'. Delete it"],
         [("norte", MEASURED, f"{MEASURED}    each: {{dimension: market, members: [norte, ' sur']}}\n")]),
        (["norte.yaml:8: error: agencia.norte: approved_by: an empty text. Fill it in"],
         [("norte", "[direccion]", "['']")]),
    ],
)  # fmt: skip
def test_what_leads_nowhere_or_says_nothing_is_refused(tmp_path, said, changes):
    assert said == of_spoilt(tmp_path, *changes)


def test_an_objective_that_supports_its_own_key_result_supports_itself(tmp_path):
    assert [
        "norte.yaml:6: error: agencia.norte: supports itself: agencia.norte → agencia.norte.outcome → agencia.norte. "
        "Remove or change a supports, so that it leads away"
    ] == of_spoilt(tmp_path, ("norte", "supports: agencia.empresa", "supports: agencia.norte.outcome"))


def test_a_circle_through_the_key_results_of_two_objectives_is_told_once(tmp_path):
    changes = [("norte", "supports: agencia.empresa", "supports: agencia.sur.outcome")]
    changes += [("sur", "supports: agencia.empresa", "supports: agencia.norte.activity")]
    assert [
        "norte.yaml:6: error: agencia.norte: supports itself: agencia.norte → agencia.sur.outcome → agencia.sur → "
        "agencia.norte.activity → agencia.norte. Remove or change a supports, so that it leads away"
    ] == of_spoilt(tmp_path, *changes)


def test_a_circle_is_told_once_and_not_those_who_lead_into_it(tmp_path):
    changes = [("sur", "supports: agencia.empresa", "supports: agencia.norte")]
    changes += [("norte", "supports: agencia.empresa", "supports: agencia.norte.outcome")]
    changes += [("norte", MEASURED, f"    supports: agencia.norte\n{MEASURED}")]
    assert [
        "norte.yaml:6: error: agencia.norte: supports itself: agencia.norte → agencia.norte.outcome → agencia.norte. "
        "Remove or change a supports, so that it leads away"
    ] == of_spoilt(tmp_path, *changes)


def test_an_objective_without_key_results_is_refused(tmp_path):
    text = stated("norte", kinds="").replace("key_results:\n", "key_results: []\n")
    assert [
        "norte.yaml:10: error: agencia.norte: an objective without key results. Add what shows that it is reached"
    ] == findings(tmp_path, {**files(), "norte": text})


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("otra.YAML:1: error: a file that nobody reads. Name it .yaml", "otra.YAML"),
        ("otra.Yml:1: error: a file that nobody reads. Name it .yaml", "otra.Yml"),
        ("q3/otra.yaml:1: error: a file that nobody reads. Move it to kr_definitions/agencia", "q3/otra.yaml"),
    ],
)
def test_a_declaration_that_would_be_passed_over_is_told(tmp_path, said, name):
    stray = tmp_path / "kr_definitions" / "agencia" / name
    stray.parent.mkdir(parents=True)
    stray.write_text("")
    assert [said] == findings(tmp_path, files())


def test_a_folder_that_is_called_as_a_file_is_told(tmp_path):
    (tmp_path / "kr_definitions" / "agencia" / "otra.yaml").mkdir(parents=True)
    assert ["otra.yaml:1: error: a file that cannot be read: Is a directory. Check what it is"] == findings(
        tmp_path, files()
    )


def test_all_is_told_at_once_whatever_cannot_be_read(tmp_path):
    changes = [
        ("organisation", "EUR", "euro"),
        ("norte", MEASURED, MEASURED.replace("deal.won", "deal.wn")),
        ("sur", "type: outcome", "type: result"),
        ("sur", "  why: It pays.\n", ""),
        ("empresa", "value: 5", "value: 5, of: 4"),
    ]
    assert ["empresa.yaml:17", "norte.yaml:16", "organisation.yaml:5", "sur.yaml:12", "sur.yaml:1"] == [
        line.partition(": ")[0] for line in of_spoilt(tmp_path, *changes)
    ]


@pytest.mark.parametrize("file", ["norte", "organisation"])
@pytest.mark.parametrize(
    "text", ["", "[]", "a", "objective: [1]\nkey_results: {a: 1}\n", "lint: [a]\n", "id: 5\nlint: {a: 1}\n"]
)
def test_a_file_of_another_shape_is_told_and_nothing_breaks(tmp_path, file, text):
    assert findings(tmp_path, {**files(), "organisation": ORGANISATION, file: text}, frozenset())
