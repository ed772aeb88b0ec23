"""What of the raw zone went into the log already, and which records are to be understood (again).

Belongs here: telling what is new since the last stated reading, by what arrived and by what it is understood as. Does
not: understanding it (`understanding`), or stating it (`load`, `event_log`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from pipelines.event_log import Changes
from pipelines.pieces import Pieces
from pipelines.raw_zone import RawZone, newest_of
from pipelines.source import Options, Stream

_ROWS_AT_ONCE = 5_000
_A_PART = {"rows": 10_000, "bytes": 8 * 2**20}
"""So many rows, or bytes of payloads, are understood at once; of a group that has more, all."""


def stored_at(raw: RawZone, source: str, stream: str) -> pl.Series:
    """When each record of a stream was recorded, in that order."""
    return raw.scan(source, stream).select(pl.col("recorded_at").sort()).collect().to_series()


def is_still_so(last: dict[str, Any] | None, mapping: str, stored: pl.Series) -> bool:
    """Whether all that had been stored by the last stated reading went into the log, by the mapping that there is now.

    It did not where a run that was overtaken by another one stored its records afterwards, under its earlier instant.
    """
    return last is not None and last["mapping"] == mapping and last["quantity"] == (stored <= last["read_at"]).sum()


@dataclass(frozen=True)
class Part:
    """Records that are understood at once, as others need not be known of.

    records: the newest row of each; every version of it, where those are understood too. versions: every version.
    """

    records: pl.DataFrame
    versions: pl.LazyFrame


def to_map(
    raw: RawZone, source: str, stream: Stream, mapped_until: datetime | None, aside: pl.LazyFrame, folder: Path
) -> Iterator[Part]:
    """What is to be understood of each record of which something arrived after an instant; of every one, without one.

    Where the stream's records are understood in groups: of each record in a group of which something arrived. Records
    that had been set aside (`aside`) are tried again each time: what lay in the future may have come. They come in
    parts (at least one), which stay in the folder until they are asked for.
    """
    versions = raw.scan(source, stream.name).with_columns(_group(stream))
    named_by = (
        None if stream.named_by is None else pl.DataFrame({"record_key": [stream.named_by]}).select(_group(stream))
    )
    wanted = versions
    if mapped_until is not None:
        arrived = pl.concat([arrived_since(raw, source, stream, mapped_until), aside.select(_group(stream))]).unique()
        groups = arrived.collect()
        if named_by is None or groups.join(named_by, on="group", how="semi").is_empty():
            wanted = versions.join(groups.lazy(), on="group", how="semi")
    if named_by is None:
        yield from (_part(stream, rows) for rows in _in_parts(wanted, folder))
        return
    names = versions.join(named_by.lazy(), on="group", how="semi").collect()
    others = wanted.join(named_by.lazy(), on="group", how="anti")
    yield from (_part(stream, pl.concat([names, rows])) for rows in _in_parts(others, folder))


def _part(stream: Stream, rows: pl.DataFrame) -> Part:
    rows = rows.drop("group")
    newest = rows if stream.seen is not None else newest_of(rows.lazy()).collect()
    return Part(newest, rows.lazy())


def _in_parts(rows: pl.LazyFrame, folder: Path) -> Iterator[pl.DataFrame]:
    """Rows of the raw zone (and `group`) in parts, at least one, each with all rows of its groups."""
    if rows.select(pl.len()).collect().item() <= _ROWS_AT_ONCE:
        yield rows.collect()
        return
    sizes = rows.group_by("group", maintain_order=True).agg(
        rows=pl.len().cast(pl.Int64), bytes=pl.col("payload").str.len_bytes().sum().cast(pl.Int64)
    )
    number = pl.max_horizontal(pl.col(name).cum_sum() // most for name, most in _A_PART.items())
    parts = sizes.select("group", part=number.rank("dense") - 1).collect()
    aside: dict[int, Pieces] = {}
    for some in rows.collect_batches(chunk_size=_ROWS_AT_ONCE):
        placed = some.join(parts, on="group", maintain_order="left").partition_by(
            "part", as_dict=True, include_key=False
        )
        for (part,), of_part in placed.items():
            aside.setdefault(part, Pieces(folder / str(part))).add(of_part)
    for part in sorted(aside):
        yield pl.concat(aside.pop(part).frames()).collect()


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


def by_records(changes: Changes, stream: Stream, arrived: pl.LazyFrame) -> pl.DataFrame:
    """The facts (`fact_id`) of which something else is said because of records.

    arrived: the groups of the records that were read anew; what is said otherwise of their facts is said by them.
    """
    said = pl.concat([rows.select("fact_id", _group(stream)) for rows in (changes.to_state, changes.to_retract)])
    return said.lazy().join(arrived.unique(), on="group", how="semi").select("fact_id").unique().collect()


def by_mapping(stated: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Statements after a mapping changed, with that as the reason of those that no record brought about.

    told: the facts that are said otherwise `by_records`.
    """
    is_told = told.select("fact_id", is_told=pl.lit(value=True))
    beside = stated.join(is_told, on="fact_id", how="left", maintain_order="left")
    return beside.with_columns(reason=pl.when(pl.col("is_told").is_null()).then(pl.lit("mapping"))).drop("is_told")


def mapping_of(stream: Stream, options: Options) -> str:
    """Changes with what is asked of a stream's records, and with what they are understood as."""
    content = orjson.dumps(options.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return f"{stream.mapping_version}:{hashlib.sha256(content).hexdigest()[:12]}"
