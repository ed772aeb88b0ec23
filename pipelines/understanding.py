"""Records as facts: decoded, understood by their stream, and held to what holds for every fact.

Belongs here: what is the same for every stream between a raw record and its facts; it reads and writes nothing. Does
not: what a vendor's records mean (each stream's `facts`), which records are to be understood (`mapped`), or the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from kr_definitions.events import FACT_SCHEMA, facts_frame
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import plausibility
from pipelines.decoding import decode
from pipelines.raw_zone import newest_of
from pipelines.remembering import with_what_was_forgotten
from pipelines.source import Stream, seen_of


@dataclass(frozen=True)
class Understood:
    """Records as facts, and those that could not be understood (`aside.SET_ASIDE_SCHEMA`)."""

    facts: pl.LazyFrame
    touched: pl.LazyFrame
    problems: pl.DataFrame


def understand(
    stream: Stream,
    source: str,
    records: pl.DataFrame,
    recorded_at: datetime,
    told_before: pl.LazyFrame | None = None,
) -> Understood:
    """Records as facts; what cannot be understood is set aside, record by record, and what it said before stays.

    records: `RAW_SCHEMA`, the newest row of each key, and, of a stream that has `seen`, each earlier one too.
    told_before: every row of the stream, which say what its vendor has forgotten of these records.
    """
    versions = records
    if stream.seen is not None:
        records = newest_of(records.lazy()).collect()
    kept = records.filter(~pl.col("is_deleted"))
    decoded, undecodable = decode(kept, stream.payload, "revision")
    if told_before is not None:
        decoded = with_what_was_forgotten(decoded, stream.payload, stream.histories, told_before)
    if stream.seen is not None:
        decoded = decoded.join(_seen(versions, stream.seen), on="record_key", how="left", maintain_order="left")
    # In one chunk: Polars 2.1 panics where `pl.format` follows a filter of a frame that lies in several.
    mapped = stream.facts(decoded.rechunk().lazy()).collect()
    if "problem" not in mapped.columns:
        mapped = mapped.with_columns(problem=pl.lit(None, dtype=pl.String))
    told = facts_frame(mapped.lazy().drop("problem")).collect()
    told = told.with_columns(
        mapped.get_column("problem"), plausibility.problem(stream.feeds, recorded_at).alias("_limit")
    )
    is_repeated = pl.struct("record_key", "fact_key").is_duplicated()
    variants = told.filter(is_repeated).select(FACT_SCHEMA.keys()).unique().filter(is_repeated)
    contradictory = variants.select(
        "record_key", _twice=pl.format("it says two different things as one fact ({})", "event_type")
    ).unique("record_key", keep="first", maintain_order=True)
    strange = (  # what the source itself says of a record tells more than the limits that hold for every fact
        told.group_by("record_key")
        .agg(pl.coalesce(pl.col("problem").min(), pl.col("_limit").min()).alias("problem"))
        .join(contradictory, on="record_key", how="left")
        .select("record_key", pl.coalesce("problem", "_twice").alias("problem"))
        .drop_nulls("problem")
    )
    told = told.join(strange, on="record_key", how="anti").drop("problem", "_limit")
    problems = pl.concat([undecodable, strange]).sort("record_key")
    touched = records.lazy().select("record_key").join(problems.lazy(), on="record_key", how="anti")
    return Understood(
        facts=told.lazy(),
        touched=touched,
        problems=problems.join(records, on="record_key", maintain_order="left").select(
            pl.lit(source).alias("source"),
            pl.lit(stream.name).alias("stream"),
            "record_id",
            "record_key",
            "problem",
            pl.lit(recorded_at, UTC_MICROSECONDS).alias("recorded_at"),
        ),
    )


def _seen(versions: pl.DataFrame, part: pl.Struct) -> pl.DataFrame:
    """Of each record that has several versions, what they say: record_key and `seen`."""
    several = versions.filter(~pl.col("is_deleted") & pl.col("revision").is_not_null())
    several = several.filter(pl.col("record_key").is_duplicated()).sort("revision", "recorded_at", "record_id")
    said = decode(several, part, "revision")[0].select("record_key", seen=pl.struct(pl.exclude("record_key")))
    found = said.group_by("record_key", maintain_order=True).agg("seen")
    return found.cast({"seen": seen_of(part)})
