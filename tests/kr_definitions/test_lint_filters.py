"""What is wrong with filters although each can be read: found in a set in which nothing else is."""

from __future__ import annotations

import pytest
from reviewed import MEASURED, counted, found, of_measured, of_spoilt


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
