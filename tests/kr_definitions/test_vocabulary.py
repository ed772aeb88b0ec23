"""The vocabulary holds together: what it says of numbers is said of numbers that there are."""

from __future__ import annotations

import polars as pl

from kr_definitions.vocabulary import DECIMAL, Domain, vocabulary

TYPES, ATTRIBUTES = vocabulary().types.values(), vocabulary().attributes.values()


def test_each_quantity_has_a_unit_and_nothing_else_has():
    assert [] == [one.name for one in TYPES if (one.quantity is None) != (one.unit is None)]


def test_what_is_said_anew_is_a_number_that_the_type_holds_and_each_observation_says_its_own_anew():
    assert [] == [one.name for one in TYPES if one.restates and getattr(one, one.restates) is None]
    observed = [one.restates for one in TYPES if one.name.endswith(".observed")]
    assert {"quantity"} == set(observed)


def test_only_numbers_have_ends_and_only_texts_a_few_values():
    assert [] == [one.name for one in ATTRIBUTES if one.domain.ends and one.dtype != DECIMAL]
    assert [] == [one.name for one in ATTRIBUTES if one.values and one.dtype != pl.String()]


def test_a_domain_holds_its_ends_and_its_values():
    between = Domain(least=0, most=1)
    assert [False, True, True, True, False] == [between.holds(value) for value in (-0.1, 0, 0.5, 1, 1.1)]
    assert (True, False) == (Domain(values=("a",)).holds("a"), Domain(values=("a",)).holds("b"))
