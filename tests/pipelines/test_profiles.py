"""Followers of a profile: readings, what the network tells of its days, and how the two fit together."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from pipelines import profile_days, profiles
from pipelines.source import Record

MADRID, PACIFIC = "Europe/Madrid", "America/Los_Angeles"
EVENING, MORNING = 19, 5  # UTC; the end of a Pacific day (08:00, in summer 07:00) is nearer to the morning


def frame(records: list[Record], payload: pl.Struct = profiles.PAYLOAD) -> pl.LazyFrame:
    names = {part.name: part.dtype for part in payload.fields}
    rows = [
        {
            "record_key": one.key,
            "revision": one.revision,
            **{name: None if one.payload.get(name) is None else str(one.payload[name]) for name in names},
        }
        for one in records
    ]
    schema = {"record_key": pl.String(), "revision": pl.Datetime("us", "UTC"), **names}
    return pl.LazyFrame(rows, schema=schema)


def said(records: list[Record], days_zone: str = PACIFIC) -> pl.DataFrame:
    facts = profiles.followers("facebook", MADRID, days_zone, "https://www.facebook.com/{}")
    return facts(frame(records)).collect()


def levels(records: list[Record], days_zone: str = PACIFIC) -> list[tuple[str, int, bool | None]]:
    found = said(records, days_zone).filter(pl.col("problem").is_null()).sort("occurred_at")
    return [(f"{at:%m-%d %H}", count, reckoned) for at, count, reckoned in found.select(
        "occurred_at", "quantity", "is_reckoned").rows()]  # fmt: skip


def problems(records: list[Record]) -> list[tuple[str, str]]:
    return said(records).drop_nulls("problem").select("record_key", "problem").rows()


def read(day: int, count: Any, hour: int = MORNING, month: int = 2) -> list[Record]:
    return profiles.reading("page", datetime(2026, month, day, hour, tzinfo=UTC), ZoneInfo(MADRID), count)


def days(first: int, last: int, month: int = 2, **figures: Any) -> list[Record]:
    return [profiles.day("page", date(2026, month, n), **figures) for n in range(first, last + 1)]


def test_a_reading_is_of_the_instant_at_which_it_was_made():
    found = said(read(10, "1200")).filter(pl.col("problem").is_null())
    assert found.select("event_type", "subject_id", "network", "quantity", "is_reckoned", "source_url").rows() == [
        ("followers.observed", "page", "facebook", 1200, None, "https://www.facebook.com/page")
    ]
    assert found.item(0, "occurred_at") == datetime(2026, 2, 10, MORNING, tzinfo=UTC)


def test_before_the_first_reading_the_number_is_reckoned_back_from_who_came_and_went_and_says_so():
    records = [*read(10, 100), *read(11, 101), *days(7, 11, gained=3, lost=1)]
    assert levels(records) == [
        ("02-07 08", 94, True), ("02-08 08", 96, True), ("02-09 08", 98, True),
        ("02-10 05", 100, None), ("02-11 05", 101, None),
    ]  # fmt: skip


def test_a_reading_is_joined_to_the_nearer_end_of_a_day():
    evening = [*read(10, 100, EVENING), *days(8, 10, gained=3, lost=1)]
    assert levels(evening) == [("02-08 08", 96, True), ("02-09 08", 98, True), ("02-10 19", 100, None)]
    in_utc = [*read(10, 100, 1), *days(8, 10, gained=3, lost=1)]
    assert levels(in_utc, "UTC")[:2] == [("02-08 00", 96, True), ("02-09 00", 98, True)]


def test_nothing_is_reckoned_past_a_day_that_is_missing_or_said_half():
    gap = [*read(10, 100), *days(5, 6, gained=3, lost=1), *days(8, 9, gained=3, lost=1)]
    half = [*read(10, 100), *days(5, 6, gained=3, lost=1), *days(7, 7, gained=3), *days(8, 9, gained=3, lost=1)]
    late = [*read(10, 100), *days(5, 8, gained=3, lost=1)]  # the day before the reading is not told yet
    known = [("02-08 08", 96, True), ("02-09 08", 98, True), ("02-10 05", 100, None)]
    assert [levels(one) for one in (gap, half)] == [known, known]
    assert levels(late) == [("02-10 05", 100, None)]


def test_a_number_that_would_be_less_than_none_is_not_reckoned():
    assert [("02-09 08", 1, True), ("02-10 05", 3, None)] == levels([*read(10, 3), *days(7, 9, gained=2, lost=0)])


@pytest.mark.parametrize(
    ("month", "day", "before", "after"),
    [(3, 8, "03-08 08", "03-09 07"), (11, 1, "11-01 07", "11-02 08")],
)
def test_days_of_23_and_25_hours_begin_and_end_at_midnight_there(month, day, before, after):
    told = [(at, count) for at, count, _ in levels(days(day - 1, day, month, count=7))] if day > 1 else [
        (at, count) for at, count, _ in levels([*days(31, 31, 10, count=7), *days(1, 1, 11, count=7)])]  # fmt: skip
    assert told == [(before, 7), (after, 7)]


def test_what_the_network_kept_holds_where_nobody_read_it_and_a_reading_where_somebody_did():
    records = [*read(10, 1000), *read(12, 1020), *days(7, 11, count=990)]
    assert levels(records) == [
        ("02-08 08", 990, None), ("02-09 08", 990, None), ("02-10 05", 1000, None), ("02-11 08", 990, None),
        ("02-12 05", 1020, None),
    ]  # fmt: skip


def test_what_the_network_kept_is_not_reckoned_as_well():
    records = [*read(10, 100), *days(7, 9, count=99, gained=3, lost=1)]
    assert [is_reckoned for *_, is_reckoned in levels(records)] == [True, None, None, None]  # the beginning of the 7th


@pytest.mark.parametrize("count", [104, 98])
def test_readings_that_fit_what_came_and_went_are_not_told_of(count):
    assert problems([*read(10, 100), *read(11, count), *days(9, 10, gained=2, lost=1)]) == []


@pytest.mark.parametrize(("count", "rise"), [(105, 5), (97, -3)])
def test_readings_that_cannot_be_given_what_came_and_went_are_told_of_and_stay(count, rise):
    records = [*read(10, 100), *read(11, count), *days(9, 10, gained=2, lost=1)]
    text = f"{rise} followers more than at the reading before, where the network says that 4 came and 2 went"
    assert [("balance/2026-02-11", True)] == [(key, told.startswith(text)) for key, told in problems(records)]
    assert levels(records)[-1] == ("02-11 05", count, None)


def test_readings_are_not_doubted_before_all_of_the_days_between_are_told():
    assert (
        problems([*read(10, 100), *read(12, 900), *days(9, 9, gained=1, lost=0), *days(11, 12, gained=1, lost=0)]) == []
    )


def test_what_is_no_number_is_told_of_and_its_day_stays_unknown():
    records = [*read(10, None), *days(9, 9, gained="many", lost=1), *days(8, 8, gained=-2, lost=0)]
    assert problems(records) == [
        ("reading/2026-02-10", "followers: not a number (nothing)"),
        ("day/2026-02-09", "gained: not a number (many)"),
        ("day/2026-02-08", "gained: not a number (-2)"),
    ]
    assert levels(records) == []


def test_a_metric_that_was_refused_is_told_of_until_it_is_not():
    gone = profiles.metric("page", "page_follows", "page_follows: Facebook does not know it any more")
    assert problems([gone, *read(10, 5)]) == [
        ("metric/page_follows", "page_follows: Facebook does not know it any more")
    ]
    assert problems([profiles.metric("page", "page_follows", None), *read(10, 5)]) == []


def test_all_records_of_a_profile_are_understood_together():
    keys = pl.DataFrame({"key": ["reading/2026-02-10", "day/2026-02-09"]})
    assert keys.select(profiles.together(pl.col("key"))).to_series().to_list() == ["", ""]
    assert keys.clear().select(profiles.together(pl.col("key"))).height == 0


# Figures of a day


def day_said(value: Any, on: Any = date(2026, 3, 8), zone: str = PACIFIC) -> tuple[Any, ...]:
    facts = profile_days.facts("followers.gained", "facebook", zone, "https://www.facebook.com/{}")
    records = frame([profile_days.record("page", on, value)], profile_days.PAYLOAD)
    return facts(records).select("occurred_at", "quantity", "problem").collect().row(0)


def test_a_days_figure_is_dated_at_noon_there():
    at, value, problem = day_said("12")
    assert (at, value, problem) == (datetime(2026, 3, 8, 19, tzinfo=UTC), 12, None)  # 23 hours long: noon is at 19
    assert day_said(0, zone="UTC")[:2] == (datetime(2026, 3, 8, 12, tzinfo=UTC), 0)
    eve = date(2026, 3, 8) - timedelta(days=1)
    assert day_said(0, eve)[0] == datetime(2026, 3, 7, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "on", "problem"),
    [
        (None, date(2026, 3, 8), "value: not a number that can be (nothing)"),
        (-3, date(2026, 3, 8), "value: not a number that can be (-3)"),
        ({"paid": 3}, date(2026, 3, 8), "value: not a number that can be ({'paid': 3})"),
        (3, "yesterday", "date: not a day (yesterday)"),
    ],
)
def test_a_figure_that_cannot_be_is_told_of(value, on, problem):
    assert day_said(value, on)[2] == problem
