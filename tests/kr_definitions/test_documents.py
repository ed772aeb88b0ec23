"""Strict YAML: what is read as what, what is refused, and at which line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from kr_definitions.documents import MOST_BYTES, DeclarationErrors, looked_through, read


def refused(text: str) -> list[str]:
    """What is said of a text that is refused, line by line."""
    with pytest.raises(DeclarationErrors) as caught:
        read(text, "a.yaml")
    return str(caught.value).splitlines()


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (10, "10"), (10, "10.0"), (-3, "-3"), (5, "+5"), (1000, "1e3"),
        (Decimal("0.9"), "0.9"), (Decimal("0.90"), "0.90"),
        (True, "true"), (False, "false"), (None, "null"), (None, "~"), (None, ""),
        (date(2028, 2, 29), "2028-02-29"), ("2028-02-29", "'2028-02-29'"), ("10", '"10"'), ("true", "'true'"),
        ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("Null", "Null"), ("TRUE", "TRUE"), ("12:30", "12:30"),
        ("1.2.3", "1.2.3"), ("2026-Q3", "2026-Q3"), ("90 days", "90 days"), (".nan", ".nan"), ("2026-7-1", "2026-7-1"),
        ("one\ntwo\n", "|\n  one\n  two"), ("one two", ">-\n  one\n  two"), ([1, "a"], "[1, a]"), ({}, "{}"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_it_looks_like_to_a_reader(value, written):
    assert {"key": value} == read(f"key: {written}\n", "a.yaml").content


def test_a_whole_number_is_an_int_and_another_one_an_exact_decimal():
    content = read("a: 10.0\nb: 0.1\n", "a.yaml").content
    assert (int, Decimal) == (type(content["a"]), type(content["b"]))


def test_a_number_of_28_digits_keeps_them_all():
    assert {"a": Decimal("123456789012345678901.1234567")} == read("a: 123456789012345678901.1234567", "a.yaml").content


def test_an_empty_file_holds_nothing():
    assert read("# only a comment\n", "a.yaml").content is None


def test_each_value_knows_its_line_and_what_is_not_there_that_of_what_is_around_it():
    document = read("a:\n  b: 1\n  c:\n    - x\n    - y\n", "a.yaml")
    places = [("a",), ("a", "b"), ("a", "c", 1), ("a", "c", 7), ("a", "d", "e"), ("z",)]
    assert [1, 2, 5, 3, 1, 1] == [document.line(place) for place in places]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("a.yaml:3: error: 'id' twice (first in line 1). Keep one of them", "id: a\nb: 1\nid: c\n"),
        ("a.yaml:3: error: 'x' twice (first in line 2). Keep one of them", "a:\n  x: 1\n  x: 1\n"),
        ("a.yaml:1: error: an anchor or alias. Write the value out", "a: &x 1\n"),
        ("a.yaml:1: error: the tag tag:yaml.org,2002:python/name:os.system. Remove it: plain values only",
         "a: !!python/name:os.system x\n"),
        ("a.yaml:2: error: the tag !secret. Remove it: plain values only", "a: 1\nb: !secret x\n"),
        ("a.yaml:2: error: the tag tag:yaml.org,2002:str. Remove it: plain values only", "a: 1\nb: !!str 5\n"),
        ("a.yaml:2: error: a second document. One document a file", "a: 1\n---\nb: 1\n"),
        ("a.yaml:2: error: a key that is not text. Use a plain word as the key", "a: 1\n[b, c]: 1\n"),
        ("a.yaml:2: error: a control character. Remove it", "a: 1\nb: x\x07y\n"),
        ("a.yaml:1: error: the number 010. Write it in plain decimals, at most 28, or quote it", "a: 010\n"),
        ("a.yaml:1: error: the number 0x1F. Write it in plain decimals, at most 28, or quote it", "a: 0x1F\n"),
        ("a.yaml:1: error: the number 0o17. Write it in plain decimals, at most 28, or quote it", "a: 0o17\n"),
        ("a.yaml:1: error: the number 1_000. Write it in plain decimals, at most 28, or quote it", "a: 1_000\n"),
        ("a.yaml:1: error: the number .5. Write it in plain decimals, at most 28, or quote it", "a: .5\n"),
        ("a.yaml:1: error: the number 5.. Write it in plain decimals, at most 28, or quote it", "a: 5.\n"),
        ("a.yaml:1: error: the number 1e999. Write it in plain decimals, at most 28, or quote it", "a: 1e999\n"),
        ("a.yaml:1: error: the number 1e30, which has more than 28 digits. "
         "Write a smaller or a rounder one, or quote it if it is a text", "a: 1e30\n"),
        (f"a.yaml:1: error: the number {'7' * 57}…, which has more than 28 digits. "
         "Write a smaller or a rounder one, or quote it if it is a text", f"a: {'7' * 500}\n"),
        (f"a.yaml:2: error: '{'k' * 57}…' twice (first in line 1). Keep one of them",
         f"{'k' * 100}: 1\n{'k' * 100}: 2\n"),
        ("a.yaml:2: error: the day 2026-02-29: day is out of range for month. Write an existing day as YYYY-MM-DD",
         "a: 1\nb: 2026-02-29\n"),
        ("a.yaml:2: error: not YAML: could not find expected ':'. Check the indentation and quotes", "a: 1\nb\n"),
        ("a.yaml:1: error: not YAML: found unexpected end of stream. Check the indentation and quotes", "a: 'x"),
        ("a.yaml:1: error: values nested too deeply. Flatten them", "a: " + "[" * 100_000),
        ("a.yaml:1: error: the file has more than 256 KiB. Split it: one objective a file", "#" * (MOST_BYTES + 1)),
        ("a.yaml:2: error: not YAML: expected ',' or '}', but got ':'. "
         "Close the { that is opened here, and part what it holds", "a: 1\nb: {c: 1\nd: 2\n"),
        ("a.yaml:2: error: not YAML: expected ',' or ']', but got ':'. "
         "Close the [ that is opened here, and part what it holds", "a: 1\nb: [c\nd: 2\n"),
    ],
)  # fmt: skip
def test_a_trick_is_refused_where_it_stands(said, text):
    assert [said] == refused(text)


def test_an_alias_is_refused_before_it_is_expanded():
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    assert [f"a.yaml:{n}: error: an anchor or alias. Write the value out" for n in range(1, 10)] == sorted(
        set(refused(bomb))
    )


def test_everything_that_is_wrong_is_said_in_the_order_of_lines():
    assert [
        "a.yaml:1: error: the number 010. Write it in plain decimals, at most 28, or quote it",
        "a.yaml:2: error: 'b' twice (first in line 1). Keep one of them",
        "a.yaml:3: error: the day 2026-13-01: month must be in 1..12. Write an existing day as YYYY-MM-DD",
    ] == refused("b: 010\nb: 1\nc: 2026-13-01\n")


def test_what_is_refused_leaves_the_rest_to_be_read():
    text = "a: 010\nb: 2026-02-30\nc: 1\nc: 2\nd: &x [1, 010]\ne: *x\nf: !!str 5\n[g]: 1\nh: {i: 1}\n"
    document, problems = looked_through(text, "a.yaml")
    assert {"a": None, "b": None, "c": 1, "d": [1, None], "e": None, "f": 5, "h": {"i": 1}} == document.content
    assert [1, 2, 4, 5, 5, 6, 7, 8] == sorted(problem.line for problem in problems)
    places = [("a",), ("b",), ("d", 1), ("e",), ("e", "below")]
    assert all(document.is_refused(place) for place in places)
    assert not any(document.is_refused(place) for place in [(), ("c",), ("d",), ("d", 0), ("f",), ("h", "i")])


def test_an_alias_of_itself_ends():
    document, _ = looked_through("a: &a [*a, 1]\n", "a.yaml")
    assert {"a": [None, 1]} == document.content


def test_a_merge_key_is_a_key_like_any_other():
    assert {"<<": {"a": 1}} == read("<<: {a: 1}", "a.yaml").content
