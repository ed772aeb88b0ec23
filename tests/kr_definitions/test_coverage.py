"""What has been read: whole days, of every stream that feeds a type, in the organisation's zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from builders import LOADED_AT, definition, empty, event, log, on, organisation
from hypothesis import given
from hypothesis import strategies as st

from kr_definitions.compute import compute
from kr_definitions.coverage import Coverage, Feeds, coverage
from kr_definitions.events import current
from kr_definitions.periods import Span
from pipelines.event_log import readings

MADRID = "Europe/Madrid"
BEGINNING = date(1900, 1, 1)

Reading = tuple[str | None, str]
"""From and to, in local time of Madrid; None: from the beginning."""


def instant(text: str | None, zone: str = MADRID) -> datetime | None:
    return text and datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[return-value]


def read(
    spans: Iterable[Reading], stream: str = "deals", types: tuple[str, ...] = ("deal.won",), zone: str = MADRID
) -> pl.LazyFrame:
    """A log that states nothing but that a stream was read for these spans."""
    rows = [
        (instant(start, zone), instant(end, zone), LOADED_AT.replace(minute=n)) for n, (start, end) in enumerate(spans)
    ]
    columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
    return readings(pl.DataFrame(rows, columns, orient="row"), types, "crm", stream, "1", LOADED_AT).lazy()


def known(*logs: pl.LazyFrame, zone: str = MADRID, event_type: str = "deal.won") -> list[tuple[str, str]]:
    """The known spans of a type."""
    found = coverage(pl.concat(logs), zone).spans.get(event_type, ())
    return [(str(span.first), str(span.last)) for span in found]


# --- days -------------------------------------------------------------------------------------------------------------


def test_a_reading_from_the_beginning_covers_every_day_before_its_last():
    assert [("1900-01-01", "2026-03-09")] == known(read([(None, "2026-03-10 14:00")]))


def test_a_reading_that_ends_at_midnight_covers_the_day_that_ends_there():
    assert [("1900-01-01", "2026-03-09")] == known(read([(None, "2026-03-10 00:00")]))


def test_a_day_is_covered_only_from_its_first_instant():
    assert [("2026-03-02", "2026-03-09")] == known(read([("2026-03-01 00:01", "2026-03-10 00:00")]))
    assert [("2026-03-01", "2026-03-09")] == known(read([("2026-03-01 00:00", "2026-03-10 00:00")]))


def test_less_than_a_day_covers_none():
    assert [] == known(read([("2026-03-01 08:00", "2026-03-02 20:00")]))


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_day_of_23_or_25_hours_is_covered_from_midnight_to_midnight(day):
    following = str(date.fromordinal(date.fromisoformat(day).toordinal() + 1))
    assert [(day, day)] == known(read([(f"{day} 00:00", f"{following} 00:00")]))
    assert [] == known(read([(f"{day} 00:00", f"{day} 23:59")]))


def test_24_hours_of_utc_are_no_day_in_bogota():
    utc = [("2026-03-01 00:00", "2026-03-02 00:00")]
    assert [] == known(read(utc, zone="UTC"), zone="America/Bogota")
    assert [("2026-03-01", "2026-03-01")] == known(read(utc, zone="UTC"), zone="UTC")


# --- readings and streams ---------------------------------------------------------------------------------------------


def test_readings_that_overlap_or_meet_within_a_day_leave_no_hole():
    spans = [
        (None, "2026-03-10 14:00"),
        ("2026-03-10 13:00", "2026-03-12 02:00"),
        ("2026-03-12 02:00", "2026-03-13 00:00"),
    ]
    assert [("1900-01-01", "2026-03-12")] == known(read(spans))


def test_a_hole_is_unknown_and_so_are_the_days_that_it_only_touches():
    assert [("1900-01-01", "2026-03-09"), ("2026-03-13", "2026-03-19")] == known(
        read([(None, "2026-03-10 14:00"), ("2026-03-12 10:00", "2026-03-20 00:00")])
    )


def test_a_later_reading_fills_a_hole():
    spans = [
        (None, "2026-03-10 14:00"),
        ("2026-03-12 10:00", "2026-03-20 00:00"),
        ("2026-03-01 00:00", "2026-03-13 00:00"),
    ]
    assert [("1900-01-01", "2026-03-19")] == known(read(spans))


def test_a_type_that_two_streams_feed_is_known_where_both_were_read():
    deals = read([(None, "2026-03-10 00:00")])
    archive = read([("2026-02-01 00:00", "2026-03-20 00:00")], stream="archived_deals")
    assert [("2026-02-01", "2026-03-09")] == known(deals, archive)


def test_a_stream_that_was_read_in_two_parts_is_met_by_the_other_in_both():
    deals = read([("2026-02-01 00:00", "2026-02-10 00:00"), ("2026-02-20 00:00", "2026-03-01 00:00")])
    archive = read([("2026-02-05 00:00", "2026-02-25 00:00")], stream="archived_deals")
    assert [("2026-02-05", "2026-02-09"), ("2026-02-20", "2026-02-24")] == known(deals, archive)


def test_a_type_is_as_late_as_the_latest_of_those_asked_for():
    feeds = Feeds({}, {"deal.won": 3, "deal.lost": 5})
    assert (5, 3, 0) == tuple(
        feeds.lateness(types) for types in (["deal.won", "deal.lost"], ["deal.won"], ["call.made"])
    )


def test_a_stream_says_nothing_of_a_type_that_it_does_not_feed():
    assert [] == known(read([(None, "2026-03-10 00:00")]), event_type="deal.lost")


days = st.dates(date(2026, 1, 1), date(2026, 2, 28))


@given(st.lists(st.tuples(days, days).map(sorted), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_readings_is_irrelevant_and_known_days_are_those_of_some_reading(spans, shuffled):
    told = [(f"{a} 00:00", f"{b} 00:00") for a, b in spans if a < b]
    in_another_order = list(told)
    shuffled.shuffle(in_another_order)
    found = known(read(told))
    assert found == known(read(in_another_order))
    covered = {d for a, b in spans for d in range(a.toordinal(), b.toordinal())}
    assert covered == {
        d for a, b in found for d in range(date.fromisoformat(a).toordinal(), date.fromisoformat(b).toordinal() + 1)
    }


# --- what it says of a window -----------------------------------------------------------------------------------------

KNOWN = Coverage({
    "deal.won": (Span(BEGINNING, date(2026, 3, 9)), Span(date(2026, 3, 13), date(2026, 3, 19))),
    "deal.lost": (Span(date(2026, 3, 5), date(2026, 3, 8)),),
})  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "types", "first", "last"),
    [
        ("known", ["deal.won"], 1, 9),
        ("partly", ["deal.won"], 1, 10),
        ("partly", ["deal.won"], 9, 13),
        ("unknown", ["deal.won"], 10, 12),
        ("unknown", ["deal.won"], 20, 31),
        ("known", ["deal.won", "deal.lost"], 5, 8),
        ("partly", ["deal.won", "deal.lost"], 5, 9),
        ("unknown", ["deal.won", "deal.lost"], 9, 9),
        ("unknown", ["deal.won", "call.made"], 1, 9),
    ],
)
def test_a_window_is_known_in_whole_in_part_or_not_at_all(answer, types, first, last):
    assert answer == KNOWN.of(types, date(2026, 3, first), date(2026, 3, last))


def test_what_is_remembered_must_have_been_read_from_the_beginning():
    window = date(2026, 3, 6), date(2026, 3, 7)
    assert "known" == KNOWN.of(["deal.lost"], *window, remembered=["deal.won"])
    assert "partly" == KNOWN.of(["deal.won"], *window, remembered=["deal.lost"])


def test_types_are_known_together_up_to_the_earliest_of_their_last_days():
    assert date(2026, 3, 8) == KNOWN.last_known(["deal.won", "deal.lost"])
    assert KNOWN.last_known(["deal.won", "call.made"]) is None


# --- what it makes of a value -----------------------------------------------------------------------------------------


def test_a_source_that_went_stale_leaves_the_days_since_unknown():
    kr = definition(every="day", target={"at_least": 1})
    by_day = compute([kr], organisation(), log([event("deal.won", "2026-03-08")], "2026-03-09"), date(2026, 3, 11))
    days = [f"2026-03-{day:02}" for day in (8, 9, 10, 11)]
    assert [1, 0, None, None] == [on(by_day, day) for day in days]
    assert ["no_data", "no_data"] == [on(by_day, day, "status") for day in days[2:]]


def test_events_of_a_day_that_was_read_in_part_are_not_passed_off_as_its_value():
    read_until_noon = log([event("deal.won", "2026-03-10 09:00")], datetime(2026, 3, 10, 11, tzinfo=UTC))
    kr = definition(every="day", target={"at_least": 1})
    by_day = compute([kr], organisation(), read_until_noon, date(2026, 3, 10))
    assert (0, None) == (on(by_day, "2026-03-09"), on(by_day, "2026-03-10"))


def test_a_log_that_holds_nothing_knows_nothing():
    found = coverage(empty(), MADRID)
    assert ({}, "unknown", None) == (
        found.spans, found.of(["deal.won"], BEGINNING, BEGINNING), found.last_known(["deal.won"])
    )  # fmt: skip


def test_a_stream_in_use_that_was_never_read_leaves_its_type_unknown():
    read_by_one = log([event("deal.won", "2026-03-02")], covered="2026-03-31")
    both = Feeds({"deal.won": frozenset({("test", "stream"), ("other", "stream")})}, {})
    day = date(2026, 3, 2)
    assert coverage(current(read_by_one), "Europe/Madrid").of(["deal.won"], day, day) == "known"
    assert coverage(current(read_by_one), "Europe/Madrid", both).of(["deal.won"], day, day) == "unknown"


def test_a_stream_that_is_no_longer_in_use_holds_nothing_back():
    until_march = log([event("deal.won", "2026-03-02")], covered="2026-03-31")
    moved_on = until_march.with_columns(source=pl.lit("new")).collect()
    until_april = log([], covered="2026-04-30", types=["deal.won"]).with_columns(source=pl.lit("new"))
    both = pl.concat([until_march.collect(), moved_on, until_april.collect()]).lazy()
    day = date(2026, 4, 15)
    only_new = Feeds({"deal.won": frozenset({("new", "stream")})}, {})
    assert coverage(current(both), MADRID).of(["deal.won"], day, day) == "unknown"
    assert coverage(current(both), MADRID, only_new).of(["deal.won"], day, day) == "known"
