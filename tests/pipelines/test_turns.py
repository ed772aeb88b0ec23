"""What the histories of records are computed from on the way, when a day begins, and what is added to several."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from pipelines.turns import added, first_moment, once


@pytest.mark.parametrize(
    ("begins", "day", "zone"),
    [
        (datetime(2026, 3, 28, 23, tzinfo=UTC), date(2026, 3, 29), "Europe/Madrid"),
        (datetime(2026, 3, 8, 5, tzinfo=UTC), date(2026, 3, 8), "America/Havana"),  # 00:00 becomes 01:00
        (datetime(2026, 11, 1, 4, tzinfo=UTC), date(2026, 11, 1), "America/Havana"),  # 00:00 is there twice
        (None, None, "Europe/Madrid"),
    ],
)
def test_a_day_begins_with_its_first_moment(begins: datetime | None, day: date | None, zone: str):
    days = pl.DataFrame({"day": [day]}, schema={"day": pl.Date})
    assert [begins] == days.select(first_moment(pl.col("day"), zone)).to_series().to_list()


def test_only_what_was_not_there_before_is_added():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    changed = pl.LazyFrame(
        {
            "record_key": ["1", "2", "3"],
            "at": [at, at, at],
            "value": ["a; b;", "a", None],
            "before": [None, "b;a", "a"],
        }
    )
    assert [("1", at, "a"), ("1", at, "b")] == sorted(added(changed).collect().rows())


def test_what_is_computed_on_the_way_lies_in_one_piece() -> None:
    """Of what lay in several, Polars 2.1 has broken off the understanding of ten odd records, and with it the run."""
    pieces = pl.concat([pl.DataFrame({"record_key": [f"record {n}"]}) for n in range(9)], rechunk=False)
    assert pieces.n_chunks() > 1
    assert once(pieces.lazy()).collect().n_chunks() == 1
