"""Whether a filter can hold, decided without any event."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kr_definitions.conditions import asked, verdict
from kr_definitions.expressions import predicate
from kr_definitions.measures.selection import columns_of

COLUMNS = columns_of(("deal.stage_entered",))


@pytest.mark.parametrize(
    "text",
    [
        "1 = 1", "TRUE", "stage = 'a' OR 1 = 1", "stage <> 'a' OR stage = 'a' OR stage IS NULL",
        "amount < 5 OR amount >= 5 OR amount IS NULL", "NOT (stage = 'a' AND stage = 'b') OR stage IS NULL",
        "stage IS NULL OR stage IS NOT NULL",
    ],
)  # fmt: skip
def test_what_leaves_nothing_out_always_holds(text):
    assert verdict(text, COLUMNS) == "always"


@pytest.mark.parametrize(
    "text",
    [
        "1 = 2", "NOT TRUE", "stage = 'a' AND stage = 'b'", "stage IN ('a', 'b') AND NOT stage IN ('a', 'b', 'c')",
        "amount > 5 AND amount < 5.000001", "amount BETWEEN 6 AND 5", "stage IS NULL AND stage = 'a'",
        "stage > 'b' AND stage < 'b'", "stage > 'z' AND stage < 'a'", "amount > 99 AND (amount = 3 OR amount < 4)",
        "occurred_at < TIMESTAMPTZ '2026-01-01 00:00:00Z' AND occurred_at >= TIMESTAMPTZ '2026-01-01 00:00:00Z'",
    ],
)  # fmt: skip
def test_what_no_event_can_be_never_holds(text):
    assert verdict(text, COLUMNS) == "never"


@pytest.mark.parametrize(
    "text",
    [
        "stage = 'a'", "stage = 'a' OR stage <> 'a'", "amount > 5 AND amount <= 5.000001",
        "stage > 'a' AND stage < 'b'", "amount IS NOT NULL", "occurred_at <= TIMESTAMPTZ '0001-01-01 00:00:00Z'",
        "stage = 'a' AND product = 'b'",
        "amount < 99999999999999999999999999999999.5", "stage = ''",
        "CASE WHEN stage = 'a' THEN amount > 5 ELSE TRUE END",
    ],
)  # fmt: skip
def test_what_depends_on_the_event_is_neither(text):
    assert verdict(text, COLUMNS) is None


@pytest.mark.parametrize(
    "text", ["lower(stage) = 'A'", "stage = product AND stage <> product", "amount + 1 < amount", "stage LIKE 'a%'"]
)
def test_of_what_is_computed_nothing_is_said(text):
    assert verdict(text, COLUMNS) is None


def test_of_events_for_which_it_is_unknown_nothing_is_asked():
    assert verdict("stage = 'a' OR stage <> 'a'", COLUMNS, where_known=True) == "always"
    assert verdict("stage = 'a' OR stage IS NULL", COLUMNS, where_known=True) is None


def test_the_texts_that_a_column_is_held_against_are_named():
    text = "stage = 'a' AND (product IN ('b', 'c') OR 'd' <> pipeline) AND lower(market) = 'e' AND amount = 5"
    assert [("pipeline", "d"), ("product", "b"), ("product", "c"), ("stage", "a")] == sorted(asked(text, COLUMNS))


LITERALS = {"stage": ["''", "'a'", "'b'"], "amount": ["-1", "0", "2.5"]}
COMPARISONS = st.one_of(
    st.sampled_from(sorted(LITERALS)).flatmap(
        lambda name: st.builds(
            lambda sign, literal: f"{name} {sign} {literal}",
            st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
            st.sampled_from(LITERALS[name]),
        )
    ),
    st.sampled_from(["stage IS NULL", "amount IS NOT NULL", "stage IN ('a', 'b')", "amount BETWEEN 0 AND 2.5"]),
)
PREDICATES = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=6,
)
ROWS = [
    (stage, amount)
    for stage in (None, "", "A", "a", "a0", "aa", "b", "ba", "ñ")
    for amount in (None, *map(Decimal, ("-7", "-1", "-0.5", "0", "1", "2.5", "2.500001", "1000")))
]


@given(PREDICATES)
def test_what_is_said_of_a_filter_holds_for_every_event(text):
    frame = pl.DataFrame(ROWS, schema={name: COLUMNS[name] for name in ("stage", "amount")}, orient="row")
    holds = frame.select(predicate(text, COLUMNS).expr().alias("holds")).get_column("holds").fill_null(value=False)
    said = verdict(text, COLUMNS)
    assert said == ("never" if not holds.any() else "always" if holds.all() else None)
