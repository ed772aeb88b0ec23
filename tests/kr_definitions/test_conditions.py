"""Whether a filter can hold, decided without any event."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kr_definitions import conditions
from kr_definitions.conditions import asked, excludes
from kr_definitions.expressions import ExpressionError, predicate
from kr_definitions.measures.selection import columns_of
from kr_definitions.vocabulary import vocabulary

TYPES = ("deal.stage_entered",)
COLUMNS = columns_of(TYPES)


def verdict(text: str, *types: str, where_known: bool = False) -> str | None:
    """The verdict on a filter over events of these types."""
    columns = columns_of(types or TYPES)
    return conditions.verdict(text, columns, domains(columns), where_known=where_known)


def domains(columns):
    return {name: vocabulary().domain_of(name) for name in columns}


@pytest.mark.parametrize(
    "text",
    [
        "1 = 1", "TRUE", "stage = 'a' OR 1 = 1", "stage <> 'a' OR stage = 'a' OR stage IS NULL",
        "amount < 5 OR amount >= 5 OR amount IS NULL", "NOT (stage = 'a' AND stage = 'b') OR stage IS NULL",
        "stage IS NULL OR stage IS NOT NULL", "occurred_at IS NOT NULL",
        "subject_id = subject_id", "quantity IS NULL OR quantity >= 0", "lower(stage) = lower(stage) OR 1 = 1",
    ],
)  # fmt: skip
def test_what_leaves_nothing_out_always_holds(text):
    assert "always" == verdict(text)


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ("market <> 'a' OR market <> 'b'", TYPES), ("market = market", TYPES), ("market LIKE '%'", TYPES),
        ("market LIKE 'a%' OR NOT market LIKE 'a%'", TYPES), ("is_within_sla = TRUE OR is_within_sla = FALSE", None),
        ("rating = 'good' OR rating = 'bad'", ("survey.answered",)), ("rating LIKE '%o%' OR rating = 'bad'", None),
        ("lower(rating) IN ('good', 'bad')", ("survey.answered",)), ("attended_share <= 1", ("demo.attended",)),
        ("quantity >= 0", TYPES), ("stage <= market OR market <= stage", TYPES),
    ],
)  # fmt: skip
def test_what_leaves_out_only_what_is_empty_is_known(text, of):
    assert "known" == verdict(text, *(of or ("ticket.solved" if "sla" in text else "survey.answered",)))


@pytest.mark.parametrize(
    "text", ["market IS NOT NULL", "(market) IS NOT NULL AND stage IS NOT NULL", "market IS NOT NULL AND stage = 'a'"]
)
def test_what_asks_only_for_something_says_so_itself(text):
    assert verdict(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "1 = 2", "NOT TRUE", "stage = 'a' AND stage = 'b'", "stage IN ('a', 'b') AND NOT stage IN ('a', 'b', 'c')",
        "amount > 5 AND amount < 5.000001", "amount BETWEEN 6 AND 5", "stage IS NULL AND stage = 'a'",
        "stage > 'b' AND stage < 'b'", "stage > 'z' AND stage < 'a'", "amount > 99 AND (amount = 3 OR amount < 4)",
        "occurred_at < TIMESTAMPTZ '2026-01-01 00:00:00Z' AND occurred_at >= TIMESTAMPTZ '2026-01-01 00:00:00Z'",
        "amount > amount", "stage <> stage", "stage = product AND stage <> product",
        "stage < product AND product < market AND market < stage",
        "starts_with(stage, 'a') AND starts_with(stage, 'b')",
        "starts_with(stage, 'ab') AND stage < 'ab'", "stage LIKE 'a%' AND stage = 'b'",
        "stage LIKE 'a' AND stage = 'b'",
        "lower(stage) = 'NORTE'", "upper(stage) IN ('a', 'Bc')", "trim(stage) = ' a'", "length(stage) < 0",
        "length(stage) = 2.5", "abs(amount) < 0", "abs(amount) = -5", "round(amount) = 2.5",
        "coalesce(stage, 'x') = 'y' AND stage IS NULL", "nullif(stage, 'a') = 'a'", "subject_id IS NULL",
        "quantity < 0", "CASE stage WHEN 'a' THEN FALSE ELSE FALSE END",
        "contains(stage, 'a') AND NOT contains(stage, 'a')",
        "CAST(amount AS TEXT) = '5' AND CAST(amount AS TEXT) = '6'",
        "lower(stage) = upper('a')", "amount < -5 * 2 AND amount > 3 - 13",
    ],
)  # fmt: skip
def test_what_no_event_can_be_never_holds(text):
    assert verdict(text) == "never"


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ("mandate LIKE 'excl'", "listing.captured"), ("lower(mandate) = 'exclusivo'", "listing.captured"),
        ("mandate NOT IN ('exclusive', 'open')", "listing.captured"), ("mandate = 'exclusivo'", "listing.captured"),
        ("substr(mandate, 1, 2) = 'no'", "listing.captured"), ("contains(mandate, 'z')", "listing.captured"),
        ("network || '!' = 'x'", "post.published"), ("attended_share > 90", "demo.attended"),
        ("attended_share < 0", "demo.attended"), ("quantity < 0", "call.made"),
        ("CASE rating WHEN 'good' THEN FALSE WHEN 'bad' THEN FALSE END", "survey.answered"),
        ("is_automatic AND NOT is_automatic", "report.produced"),
    ],
)  # fmt: skip
def test_of_a_column_with_few_values_each_is_tried(text, of):
    assert "never" == verdict(text, of)


@pytest.mark.parametrize(
    "text",
    [
        "stage = 'a'", "stage = 'a' OR stage <> 'b' AND product = 'a'", "amount > 5 AND amount <= 5.000001",
        "stage > 'a' AND stage < 'b'", "occurred_at <= TIMESTAMPTZ '0001-01-01 00:00:00Z'",
        "stage = 'a' AND product = 'b'", "amount < 99999999999999999999999999999999.5 AND stage = ''",
        "CASE WHEN stage = 'a' THEN amount > 5 ELSE TRUE END", "stage < product AND product < market",
        "starts_with(stage, 'a') AND starts_with(stage, 'ab')", "stage LIKE '_' AND stage = 'a'",
        "CAST(amount AS TEXT) = '5'", "TRY_CAST(stage AS NUMBER) > 5", "CASE stage WHEN 'a' THEN TRUE ELSE FALSE END",
        "TRY_CAST(stage AS DATE) = DATE '2026-01-31'", "TRY_CAST(stage AS BOOLEAN)",
        "lower(stage) > 'Ma' AND lower(stage) < 'b'", "length(stage) = 3", "abs(amount) = 5", "amount / 0.5 > 3",
        "coalesce(stage, product) = 'x'", "nullif(stage, 'a') = 'b'", "amount + quantity > 5",
    ],
)  # fmt: skip
def test_what_depends_on_the_event_is_neither(text):
    assert verdict(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "lower(stage) = 'a' AND upper(stage) = 'B'", "amount + 1 < amount", "contains(stage, 'z') AND stage = 'a'",
        "length(stage) > 5 AND stage = 'a'",
    ],
)  # fmt: skip
def test_less_is_said_than_is_true_of_two_functions_of_one_column(text):
    assert verdict(text) is None


def test_of_more_cases_than_can_be_tried_nothing_is_said():
    of_many = " OR ".join(
        f"({column} = '{n}')" for n in range(9) for column in ("stage", "market", "product", "segment")
    )
    assert verdict(f"({of_many}) AND stage = 'a' AND stage = 'b'") is None


def test_a_chain_as_long_as_the_language_holds_is_tried():
    assert "never" == verdict(" AND ".join(f"stage = '{n}'" for n in range(490)))


def test_of_events_for_which_it_is_unknown_nothing_is_asked():
    assert verdict("stage = 'a' OR stage <> 'a'", where_known=True) == "always"
    assert verdict("stage = 'a' OR stage IS NULL", where_known=True) is None


@pytest.mark.parametrize(
    ("expected", "texts"),
    [
        (True, ("stage = 'a'", "stage = 'b'")), (False, ("stage = 'a'", "product = 'b'")),
        (True, ("stage = 'a' OR stage = 'b'", "NOT (stage = 'a')", "stage <> 'b'")),
        (False, ("stage = 'a'" + " " * 6_000, "stage = 'b'" + " " * 6_000)),
    ],
)  # fmt: skip
def test_filters_exclude_one_another_where_no_event_is_what_all_of_them_say(expected, texts):
    assert expected == excludes(texts, COLUMNS, domains(COLUMNS))


def test_the_texts_that_a_column_is_held_against_are_named():
    text = "stage = 'a' AND (product IN ('b', 'c') OR 'd' <> pipeline) AND lower(market) = 'e' AND amount = 5"
    text += " AND CAST(amount AS TEXT) = 'f' AND CASE market WHEN 'g' THEN TRUE ELSE FALSE END AND (stage) = ('h')"
    assert [("pipeline", "d"), ("product", "b"), ("product", "c"), ("stage", "a"), ("stage", "h")] == sorted(
        asked(text, COLUMNS)
    )


# --- nothing is said that is not so -----------------------------------------------------------------------------------

FEW = {**columns_of(("survey.answered",)), "stage": pl.String(), "market": pl.String()}
VALUES = {
    "stage": [None, "", "A", "a", "aa", "ab", "b", "ba", "bb", " a", "5"],
    "market": [None, "", "A", "a", "aa", "ab", "b", "ba", "bb"],
    "amount": [None, *map(Decimal, ("-7", "-1", "-0.5", "0", "1", "2.5", "2.500001", "1000"))],
    "quantity": [None, Decimal(0), Decimal("2.5")],
    "rating": [None, "good", "bad"],
}
ROWS = pl.DataFrame(list(product(*VALUES.values())), schema={name: FEW[name] for name in VALUES}, orient="row")
TEXTS = st.one_of(
    st.sampled_from(["stage", "market", "rating", "''", "'a'", "'A'", "'b'", "'good'", "'5'", "' a'"]),
    st.sampled_from(["lower({})", "upper({})", "trim({})", "substr({}, 1, 1)", "coalesce({}, 'a')", "nullif({}, 'a')"])
    .flatmap(lambda call: st.sampled_from(["stage", "market", "rating", "'A'"]).map(call.format)),
    st.sampled_from(["stage || market", "CASE WHEN stage = 'a' THEN market ELSE 'b' END", "CAST(amount AS TEXT)"]),
)  # fmt: skip
NUMBERS = st.one_of(
    st.sampled_from(["amount", "quantity", "-1", "0", "2.5", "1 + 1"]),
    st.sampled_from(["abs(amount)", "round(amount)", "length(stage)", "amount + quantity", "- amount", "amount / 2"]),
    st.sampled_from(["TRY_CAST(stage AS NUMBER)", "coalesce(amount, quantity, 1)", "nullif(amount, 0)"]),
)
SIGNS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
CONDITIONS = st.one_of(
    st.builds("{} {} {}".format, TEXTS, SIGNS, TEXTS),
    st.builds("{} {} {}".format, NUMBERS, SIGNS, NUMBERS),
    st.builds("{} IS NULL".format, st.one_of(TEXTS, NUMBERS)),
    st.builds("{} IN ('a', 'B', 'good')".format, TEXTS),
    st.builds("{} BETWEEN {} AND {}".format, NUMBERS, NUMBERS, NUMBERS),
    st.builds("{} LIKE '{}'".format, TEXTS, st.sampled_from(["%", "a%", "a", "_", "%a", "", "A%%", "5%"])),
    st.builds("starts_with({}, {})".format, TEXTS, st.sampled_from(["'a'", "''", "'A'", "stage"])),
    st.builds("contains({}, 'a')".format, TEXTS),
    st.builds("CASE {} WHEN 'a' THEN TRUE WHEN 'b' THEN FALSE END".format, TEXTS),
)
PREDICATES = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
        st.builds("CASE WHEN {} THEN {} ELSE FALSE END".format, inner, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=2 * settings.default.max_examples)
@given(PREDICATES)
def test_what_is_said_of_a_filter_holds_for_every_event(text):
    try:
        expression = predicate(text, FEW)
    except ExpressionError:
        return
    holds = ROWS.select(expression.expr().alias("holds")).get_column("holds").fill_null(value=False)
    said = conditions.verdict(text, FEW, domains(FEW))
    assert said != "never" or not holds.any()
    assert said != "always" or holds.all()
    assert said != "known" or ROWS.filter(~holds).drop_nulls(expression.columns).is_empty()
    known = conditions.verdict(text, FEW, domains(FEW), where_known=True)
    assert known != "always" or ROWS.select(expression.expr().alias("holds")).get_column("holds").drop_nulls().all()


SIMPLE = st.recursive(
    st.one_of(
        st.builds(
            "{} {} {}".format, st.sampled_from(["stage", "market"]), SIGNS, st.sampled_from(["''", "'a'", "'b'"])
        ),
        st.builds("amount {} {}".format, SIGNS, st.sampled_from(["-1", "0", "2.5"])),
        st.sampled_from(["stage IS NULL", "amount IS NOT NULL", "stage IN ('a', 'b')", "amount BETWEEN 0 AND 2.5"]),
        st.sampled_from(["rating = 'good'", "rating LIKE 'g_%'", "stage < market", "stage = market"]),
    ),
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=6,
)


@given(SIMPLE)
def test_of_what_is_only_compared_all_is_said(text):
    holds = ROWS.select(predicate(text, FEW).expr().alias("holds")).get_column("holds").fill_null(value=False)
    said = conditions.verdict(text, FEW, domains(FEW))
    assert ("never" if not holds.any() else "always" if holds.all() else None) == (None if said == "known" else said)


@pytest.mark.parametrize("moment", [date(1, 1, 1), date(9999, 12, 31), datetime(1, 1, 1, tzinfo=UTC)])
def test_the_ends_of_the_calendar_are_no_ends_of_the_reasoning(moment):
    is_instant = isinstance(moment, datetime)
    written = f"TIMESTAMPTZ '{moment.isoformat(sep=' ')}'" if is_instant else f"DATE '{moment}'"
    column = "occurred_at" if is_instant else "forecast_month"
    of = "forecast.stated"
    assert {"never", None} >= {verdict(f"{column} < {written}", of), verdict(f"{column} > {written}", of)}
