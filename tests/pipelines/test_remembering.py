"""What a vendor has forgotten of a record is known from what it told of it before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.decoding import decode, strange_shape
from pipelines.raw_zone import RAW_SCHEMA
from pipelines.remembering import with_what_was_forgotten
from pipelines.source import History

START = datetime(2026, 1, 1, tzinfo=UTC)
ENTRIES = pl.List(pl.Struct({"day": pl.String, "value": pl.String}))
PAYLOAD = pl.Struct({"history": pl.Struct({"amount": ENTRIES}), "changes": ENTRIES, "name": pl.String})


def at(text: pl.Expr) -> pl.Expr:
    """The instant of a day that is counted from the start."""
    days = pl.duration(days=text.cast(pl.Int64, strict=False))
    return pl.lit(START).dt.cast_time_unit("us") + days


def version(day: int, *entries: int | None, key: str = "1", revision: int | None = None, **more: Any) -> dict[str, Any]:
    """A version of a record, as it was stored on a day, with the changes of these days."""
    told = [{"day": None if one is None else str(one), "value": f"v{one}"} for one in entries]
    return {
        "record_id": f"{key}/{day}",
        "record_key": key,
        "revision": START + timedelta(days=day if revision is None else revision),
        "is_deleted": False,
        "recorded_at": START + timedelta(days=day),
        "payload": orjson.dumps({"changes": told}).decode(),
        **more,
    }


def told(*versions: dict[str, Any], history: History, key: str = "1") -> list[str]:
    """The days of the changes that the newest version of a record is understood with."""
    rows = pl.DataFrame(versions, schema={**RAW_SCHEMA}, orient="row")
    order = ["revision", "recorded_at"]
    newest = rows.sort(order).unique("record_key", keep="last", maintain_order=True)
    records = decode(newest.filter(~pl.col("is_deleted")), PAYLOAD, "revision")[0]
    found = with_what_was_forgotten(records, PAYLOAD, [history], rows.lazy()).filter(pl.col("record_key") == key)
    for name in history.path:
        found = found.select(pl.col(name)).unnest(name) if name != history.path[-1] else found
    return [one["day"] for one in found.get_column(history.path[-1]).to_list()[0]]


PLAIN = History(("changes",), "day", at)


def test_what_is_told_no_more_stays() -> None:
    assert told(version(10, 1, 5, 9), version(20, 9, 15), history=PLAIN) == ["1", "5", "9", "15"]


def test_what_is_taken_back_within_what_is_still_told_is_gone() -> None:
    assert told(version(10, 1, 5, 9), version(20, 5), history=PLAIN) == ["1", "5"]


def test_what_was_taken_back_once_does_not_come_back_when_the_rest_is_forgotten() -> None:
    versions = (version(10, 1, 5, 9), version(20, 1, 9), version(30, 25))
    assert told(*versions, history=PLAIN) == ["1", "9", "25"]


def test_all_may_be_forgotten() -> None:
    assert told(version(10, 1, 5), version(20), history=PLAIN) == ["1", "5"]


def test_what_the_vendor_surely_keeps_was_taken_back() -> None:
    kept = History(("changes",), "day", at, kept_for=timedelta(days=16))
    assert told(version(10, 1, 5, 9), version(20), history=kept) == ["1"]


def test_a_history_that_is_not_full_has_lost_nothing() -> None:
    kept = History(("changes",), "day", at, kept_at_least=2)
    assert told(version(10, 1, 5, 9), version(20, 9), history=kept) == ["9"]
    assert told(version(10, 1, 5, 9), version(20, 9, 12), history=kept) == ["1", "5", "9", "12"]


def test_an_older_version_that_arrives_late_changes_nothing() -> None:
    assert told(version(20, 5, 9), version(30, 1, 5, revision=10), history=PLAIN) == ["1", "5", "9"]


@pytest.mark.parametrize(
    "says_nothing",
    [
        {"is_deleted": True},
        {"payload": "{}"},
        {"payload": '{"changes": ["x"]}'},
        {"payload": '{"changes": [null]}'},
        {"payload": '{"changes": [{"day": "soon"}]}'},
    ],
)
def test_versions_that_tell_nothing_take_nothing_back(says_nothing: dict[str, Any]) -> None:
    versions = (version(10, 1, 5), version(20, **says_nothing), version(30, 5, 25))
    assert told(*versions, history=PLAIN) == ["1", "5", "25"]


def test_each_record_has_its_own_past() -> None:
    versions = (version(10, 1, 5), version(20, 5), version(10, 2, 3, key="2"), version(5, 4, key="3"))
    assert [told(*versions, history=PLAIN, key=key) for key in ("1", "2", "3")] == [["1", "5"], ["2", "3"], ["4"]]


def test_a_history_may_stand_newest_first_in_another_field() -> None:
    nested = History(("history", "amount"), "day", at, is_newest_first=True)
    payloads = [{"history": {"amount": [{"day": str(one)} for one in days]}} for days in ((5, 3, 1), (9, 5), (12,))]
    versions = [
        version(10 * number, payload=orjson.dumps(one).decode()) for number, one in enumerate(payloads, start=1)
    ]
    assert told(*versions, history=nested) == ["12", "9", "5", "3", "1"]


@given(
    changes=st.lists(st.integers(0, 100), unique=True, max_size=12).map(sorted),
    readings=st.lists(st.integers(0, 110), unique=True, min_size=1, max_size=6).map(sorted),
    kept=st.integers(1, 40),
)
def test_whatever_was_ever_read_is_never_lost(changes: list[int], readings: list[int], kept: int) -> None:
    """A vendor that forgets what is older than so many days, read every now and then."""
    history = History(("changes",), "day", at, kept_for=timedelta(days=kept))
    versions = [version(day, *(one for one in changes if day - kept < one <= day)) for day in readings]
    ever = [one for one in changes if any(day - kept < one <= day for day in readings)]
    assert told(*versions, history=history) == [str(one) for one in ever]


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"name": "x", "changes": [{"day": 1, "value": None}, None]}, ""),
        ([], "it is a list, not an object"),
        ({"name": {"of": "Ana"}}, "name is an object, not a text"),
        ({"changes": "x"}, "changes is a text, not a list"),
        ({"changes": [{}, 7]}, "changes[1] is a number, not an object"),
        ({"history": {"amount": [{"day": ["x"]}]}}, "history.amount[0].day is a list, not a text"),
    ],
)
def test_where_a_payload_has_another_shape_is_said_without_what_it_says(payload: Any, found: str) -> None:
    rows = pl.DataFrame({"record_key": ["1", "2"], "payload": [orjson.dumps(payload).decode(), "{}"]})
    assert strange_shape(payload, PAYLOAD) == found
    problems = decode(rows, PAYLOAD)[1]
    said = f"the record does not have the shape that the source documents: {found}"
    assert problems.rows() == ([("1", said)] if found else [])
