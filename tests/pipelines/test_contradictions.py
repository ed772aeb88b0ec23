"""A record that says two things as one fact is set aside alone: it takes no other record's facts along."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from pipelines.raw_zone import RAW_SCHEMA
from pipelines.source import Stream
from pipelines.understanding import understand

AT = datetime(2026, 3, 2, 6, tzinfo=UTC)


def twice_for_a(records: pl.LazyFrame) -> pl.LazyFrame:
    """Each record states a win; record `a` two of different amounts under one key, record `b` the same one twice."""
    amounts = pl.DataFrame({"record_key": ["a", "a", "b", "b", "c"], "amount": ["1", "2", "3", "3", "4"]})
    return records.join(amounts.lazy(), on="record_key").select(
        "record_key",
        pl.col("amount").cast(pl.Decimal(38, 6)),
        fact_key=pl.format("deal/{}", "record_key"),
        event_type=pl.lit("deal.won"),
        subject_id="record_key",
        currency=pl.lit("EUR"),
        occurred_at=pl.lit(AT),
    )


def test_a_record_that_contradicts_itself_is_set_aside_and_the_others_are_stated() -> None:
    stream = Stream("deals", ("deal.won",), lambda read: iter(()), pl.Struct({"x": pl.String()}), twice_for_a)  # type: ignore[arg-type, return-value]
    rows = [(key, key, AT, key, False, "{}", AT) for key in "abc"]
    records = pl.DataFrame(rows, RAW_SCHEMA, orient="row")
    found = understand(stream, "crm", records, AT)
    assert set(found.facts.collect().get_column("record_key")) == {"b", "c"}
    (problem,) = found.problems.select("record_key", "problem").rows()
    assert problem == ("a", "it says two different things as one fact (deal.won)")
