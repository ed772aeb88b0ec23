"""What was set aside: records that could not be understood, until they are mended.

Belongs here: the table of them, what is noted in it, and what of it still stands. Does not: why a record is not
understood (`understanding`), or which are tried again (`mapped`).

The table gains rows alone: one that says what is wrong with a record, and one without a problem once that was mended,
or the record withdrawn. So how many stand is known from it, without reading a record again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import lake

# One row for each record that is set aside, and what is wrong with it.
SET_ASIDE_SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(),
    "stream": pl.String(),
    "record_id": pl.String(),
    "record_key": pl.String(),
    "problem": pl.String(),  # in the table, null: what was wrong is no more
    "recorded_at": UTC_MICROSECONDS,
}

QUARANTINE_SCHEMA: dict[str, pl.DataType] = {
    **SET_ASIDE_SCHEMA,
    "run_id": pl.String(),  # the run that set it aside, or found it mended
}

_RECORD = ("source", "stream", "record_key")
_TICK = timedelta(microseconds=1)


def standing(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Of each record that is set aside now, what was noted last. rows: `QUARANTINE_SCHEMA`, all of the records."""
    return _unmended(rows).sort("recorded_at").unique(_RECORD, keep="last", maintain_order=True)


def note(table: Path, problems: pl.DataFrame, run_id: str | None) -> None:
    """Append the problems that are not noted yet, or were mended in between; in one commit."""
    noted = lake.scan(table, QUARANTINE_SCHEMA)
    known = _unmended(noted).select("record_id", "problem")
    new = problems.lazy().join(known, on=["record_id", "problem"], how="anti", maintain_order="left")
    _append(table, _later(new, noted), run_id)


def note_mended(table: Path, mended: pl.DataFrame, at: datetime, run_id: str | None) -> None:
    """Append that records are set aside no more, in one commit. mended: what was noted of them (`standing`)."""
    nothing = mended.lazy().with_columns(
        problem=pl.lit(None, pl.String), recorded_at=pl.lit(at, UTC_MICROSECONDS), run_id=pl.lit(None, pl.String)
    )
    _append(table, _later(nothing, lake.scan(table, QUARANTINE_SCHEMA)), run_id)


def _unmended(rows: pl.LazyFrame) -> pl.LazyFrame:
    """What is noted of records since they were last mended, if they ever were."""
    mended_at = pl.col("recorded_at").filter(pl.col("problem").is_null()).max().over(_RECORD)
    is_since = (pl.col("recorded_at") > mended_at).fill_null(value=True)
    return rows.filter(pl.col("problem").is_not_null(), is_since)


def _later(rows: pl.LazyFrame, noted: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that are recorded later than what is noted of their records already, even if a clock stands still."""
    last = noted.group_by(_RECORD).agg(_last=pl.col("recorded_at").max())
    return rows.join(last, on=_RECORD, how="left", maintain_order="left").with_columns(
        recorded_at=pl.max_horizontal("recorded_at", pl.col("_last") + _TICK)
    )


def _append(table: Path, rows: pl.LazyFrame, run_id: str | None) -> None:
    before = lake.version(table)
    found = rows.with_columns(run_id=pl.lit(run_id, pl.String)).select(QUARANTINE_SCHEMA.keys()).collect()
    if found.height:
        lake.append_after(before, table, found, writer="quarantine")
