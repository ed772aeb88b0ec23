"""What of the raw zone went into the log already, and which records are to be understood (again).

Belongs here: telling what is new since the last stated reading, by what arrived and by what it is understood as. Does
not: understanding it (`understanding`), or stating it (`load`, `event_log`).
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from pipelines.raw_zone import RawZone
from pipelines.source import Options, Stream


def stored_at(raw: RawZone, source: str, stream: str) -> pl.Series:
    """When each record of a stream was recorded, in that order."""
    return raw.scan(source, stream).select(pl.col("recorded_at").sort()).collect().to_series()


def is_still_so(last: dict[str, Any] | None, mapping: str, stored: pl.Series) -> bool:
    """Whether all that had been stored by the last stated reading went into the log, by the mapping that there is now.

    It did not where a run that was overtaken by another one stored its records afterwards, under its earlier instant.
    """
    return last is not None and last["mapping"] == mapping and last["quantity"] == (stored <= last["read_at"]).sum()


def to_map(
    raw: RawZone, source: str, stream: Stream, mapped_until: datetime | None, aside: pl.LazyFrame
) -> pl.DataFrame:
    """What is to be understood of each record of which something arrived after an instant; of every one, without one.

    Where the stream's records are understood in groups: of each record in a group of which something arrived. Records
    that had been set aside (`aside`) are tried again each time: what lay in the future may have come.
    """
    if mapped_until is None:
        return _rows(raw, source, stream).collect()
    arrived = pl.concat([arrived_since(raw, source, stream, mapped_until), aside.select(_group(stream))]).unique()
    return of_groups(raw, source, stream, arrived.collect())


def of_groups(raw: RawZone, source: str, stream: Stream, groups: pl.DataFrame) -> pl.DataFrame:
    """What is to be understood of the records of some groups (`group`), and what they are understood with."""
    rows = _rows(raw, source, stream)
    if stream.named_by is not None:
        named_by = pl.DataFrame({"record_key": [stream.named_by]}).select(_group(stream))
        if groups.join(named_by, on="group", how="semi").height:
            return rows.collect()
        groups = pl.concat([groups, named_by])
    return rows.with_columns(_group(stream)).join(groups.lazy(), on="group", how="semi").drop("group").collect()


def group_of(stream: Stream, records: pl.LazyFrame) -> pl.LazyFrame:
    """The groups of some records (`record_key`), each once; one column, `group`."""
    return records.select(_group(stream)).unique()


def _rows(raw: RawZone, source: str, stream: Stream) -> pl.LazyFrame:
    """The newest row of each record; each version of it, where that is understood too."""
    return raw.newest(source, stream.name) if stream.seen is None else raw.scan(source, stream.name)


def arrived_since(raw: RawZone, source: str, stream: Stream, since: datetime) -> pl.LazyFrame:
    """The groups of records of which something arrived after an instant; one column, `group`."""
    return raw.scan(source, stream.name).filter(pl.col("recorded_at") > since).select(_group(stream))


def _group(stream: Stream) -> pl.Expr:
    """What the records of a stream are understood together by; without that, each by itself."""
    key = pl.col("record_key")
    return (key if stream.group is None else stream.group(key)).alias("group")


def by_mapping(stated: pl.DataFrame, stream: Stream, arrived: pl.LazyFrame) -> pl.DataFrame:
    """Statements after a mapping changed, with that as the reason of those that no record brought about.

    arrived: the groups of the records that were read anew; what is said otherwise of their facts is said by them.
    """
    new = arrived.select("group", is_new=pl.lit(value=True)).unique()
    is_by_record = pl.col("is_new").fill_null(value=False).any().over("fact_id")
    named = stated.lazy().with_columns(_group(stream)).join(new, on="group", how="left", maintain_order="left")
    told = named.with_columns(reason=pl.when(~is_by_record).then(pl.lit("mapping")))
    return told.select(stated.columns).collect()


def mapping_of(stream: Stream, options: Options) -> str:
    """Changes with what is asked of a stream's records, and with what they are understood as."""
    content = orjson.dumps(options.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return f"{stream.mapping_version}:{hashlib.sha256(content).hexdigest()[:12]}"
