"""What was read of the sources, what of it is set aside, and what the checks found.

Belongs here: the tables of readings and of findings, and what is set aside at each key result. Does not: how the
figures stand (`standing`).
"""

from __future__ import annotations

from collections import Counter

import polars as pl

from assets.publication.results import Results


def loads(results: Results) -> pl.DataFrame:
    """Readings of the sources, each with how many records its run set aside, and the newest with how many stand."""
    counted = results.quarantine.group_by("source", "stream", "run_id").agg(
        pl.len().cast(pl.Int64).alias("quarantined")
    )
    standing = results.set_aside.group_by("source", "stream").agg(pl.len().cast(pl.Int64).alias("set_aside"))
    is_latest = pl.col("recorded_at") == pl.col("recorded_at").max().over("source", "stream")
    return (
        results.loads.join(counted, on=["source", "stream", "run_id"], how="left", validate="m:1")
        .join(standing, on=["source", "stream"], how="left", validate="m:1")
        .with_columns(pl.col("quarantined").fill_null(0), is_latest.alias("is_latest"), _is_declared(results))
        .with_columns(set_aside=pl.when("is_latest", "is_declared").then(pl.col("set_aside").fill_null(0)))
        .sort("recorded_at", "source", "stream")
    )


def data_quality(results: Results, last: str | None) -> pl.DataFrame:
    """The findings of the checks; `is_current` are those of the last run (`last_run`), and what stands."""
    is_current = pl.col("run_id").eq_missing(pl.lit(last, pl.String))
    found = pl.concat([results.findings, results.remarks.with_columns(run_id=pl.lit(last, pl.String))], how="diagonal")
    return found.rename({"key_results": "concerned"}).with_columns(is_current.alias("is_current"))


def of_key_results(results: Results) -> pl.DataFrame:
    """How many records are set aside of the streams that each key result needs, and which streams they are of."""
    counts = Counter(results.set_aside.select("source", "stream").iter_rows())
    rows = []
    for name, streams in results.feeds.items():
        found = {one: counts[one] for one in streams if counts[one]}
        told = ", ".join(f"{source}.{stream} ({count:,})" for (source, stream), count in found.items())
        rows.append((name, sum(found.values()), told or None))
    schema = {"key_result_id": pl.String(), "set_aside": pl.Int64(), "set_aside_in": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _is_declared(results: Results) -> pl.Expr:
    if results.streams is None:
        return pl.lit(value=True).alias("is_declared")
    declared = [f"{source}.{stream}" for source, stream in results.streams]
    return pl.concat_str("source", "stream", separator=".").is_in(declared).alias("is_declared")
