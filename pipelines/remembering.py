"""What a vendor has forgotten of a record's past, from what it told of it before.

Belongs here: putting together the histories that earlier versions of a record had. Does not: how much a vendor keeps of
them (its streams say: `source.History`), or what an entry means.

A vendor keeps changes for some months, or so many of them. What it no longer tells has happened all the same: a record
that is read again is understood with the entries that an earlier version of it had from before the time that the vendor
still remembers. Within that time, what it says now holds: an entry that is no longer there was taken back. How far back
each version remembers is found in it, so that mapping everything anew comes to the same.

Versions are read in parts, and only what was forgotten is kept of them: a record may have hundreds of versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from pipelines.decoding import decode
from pipelines.source import History

_ROWS_AT_ONCE = 20_000
_ORDER = ["revision", "recorded_at", "record_id"]
_ALWAYS, _NEVER = -(2**62), 2**62


def with_what_was_forgotten(
    records: pl.DataFrame, payload: pl.Struct, histories: Sequence[History], versions: pl.LazyFrame
) -> pl.DataFrame:
    """Records with the entries of their histories that the vendor no longer tells and once told.

    records: the newest version of each, decoded. versions: every version of records (`RAW_SCHEMA`), these included.
    """
    if not histories or records.is_empty():
        return records
    told = versions.filter(~pl.col("is_deleted")).join(records.lazy().select("record_key"), on="record_key", how="semi")
    several = told.group_by("record_key").len().filter(pl.col("len") > 1).select("record_key").collect()
    if several.is_empty():
        return records
    shape = pl.Struct({one.name: one.dtype for one in payload.fields if one.name in {h.path[0] for h in histories}})
    theirs = told.join(several.lazy(), on="record_key", how="semi")
    spans = pl.concat([_spans(version, histories) for version in _decoded(theirs, shape)])
    spans = spans.sort("record_key", *_ORDER, nulls_last=False)
    until = {_until(n): _remembered_later(_from(n)) for n, _ in enumerate(histories)}
    spans = spans.with_columns(pl.int_range(pl.len()).over("record_key").alias("turn"), **until)
    has_forgotten = pl.any_horizontal(pl.col(_first(n)) < pl.col(_until(n)) for n, _ in enumerate(histories))
    losing = spans.filter(has_forgotten).select("record_id", "turn", *(_until(n) for n, _ in enumerate(histories)))
    if losing.is_empty():
        return records
    forgotten: list[list[pl.DataFrame]] = [[] for _ in histories]
    for part in _decoded(theirs.join(losing.lazy().select("record_id"), on="record_id", how="semi"), shape):
        with_ends = part.join(losing, on="record_id", how="inner")
        for number, history in enumerate(histories):
            forgotten[number].append(_forgotten(with_ends, history, number))
    for history, parts in zip(histories, forgotten, strict=True):
        if (entries := pl.concat(parts)).height:
            records = _united(records, history, entries)
    return records


def _decoded(versions: pl.LazyFrame, shape: pl.Struct) -> Iterator[pl.DataFrame]:
    """Versions, part by part, with their histories as columns. Those of another shape tell nothing."""
    for part in versions.select("record_key", "payload", *_ORDER).collect_batches(chunk_size=_ROWS_AT_ONCE):
        yield decode(part, shape, *_ORDER)[0]


def _from(number: int) -> str:
    return f"from {number}"


def _first(number: int) -> str:
    return f"first {number}"


def _until(number: int) -> str:
    return f"until {number}"


def _spans(version: pl.DataFrame, histories: Sequence[History]) -> pl.DataFrame:
    """Of each version, when each history begins and since when it tells everything, in microseconds since 1970."""
    found: dict[str, pl.Expr] = {}
    for number, history in enumerate(histories):
        entries = _entries(history)
        times = entries.list.eval(history.instant(pl.element().struct.field(history.at)).dt.epoch("us"))
        # One that has an entry without a time is set aside, and says nothing of the others either.
        begins = pl.when(~times.list.eval(pl.element().is_null()).list.any()).then(times.list.min())
        told = pl.coalesce(begins, pl.lit(_NEVER))
        if history.kept_for is not None:
            told = pl.min_horizontal(told, (pl.col("recorded_at") - history.kept_for).dt.epoch("us") + 1)
        if history.kept_at_least:
            told = pl.when(entries.list.len() < history.kept_at_least).then(_ALWAYS).otherwise(told)
        found |= {_first(number): begins, _from(number): pl.when(entries.is_not_null()).then(told).otherwise(_NEVER)}
    return version.select("record_key", *_ORDER, **found)


def _remembered_later(name: str) -> pl.Expr:
    """Since when the later versions of a record tell everything."""
    return pl.col(name).reverse().cum_min().reverse().shift(-1).over("record_key")


def _entries(history: History) -> pl.Expr:
    place = pl.col(history.path[0])
    for name in history.path[1:]:
        place = place.struct.field(name)
    return place


def _forgotten(part: pl.DataFrame, history: History, number: int) -> pl.DataFrame:
    """The entries of versions that none of the later ones can tell: record_key, turn, entry."""
    entries = part.select("record_key", "turn", until=_until(number), entry=_entries(history)).explode("entry")
    at = history.instant(pl.col("entry").struct.field(history.at)).dt.epoch("us")
    return entries.filter(at < pl.col("until")).drop("until")


def _united(records: pl.DataFrame, history: History, forgotten: pl.DataFrame) -> pl.DataFrame:
    """Records with forgotten entries at the old end of a history, those of earlier versions first in time."""
    was = (
        forgotten.sort("turn", descending=history.is_newest_first, maintain_order=True)
        .group_by("record_key", maintain_order=True)
        .agg("entry")
    )
    now = _entries(history).fill_null([])
    both = (now, pl.col("entry")) if history.is_newest_first else (pl.col("entry"), now)
    united = pl.when(pl.col("entry").is_not_null()).then(pl.concat_list(both)).otherwise(_entries(history))
    if len(history.path) > 1:
        outer, inner = history.path
        fields = records.schema[outer]
        assert isinstance(fields, pl.Struct)
        names = [one.name for one in fields.fields]
        united = pl.struct(united.alias(one) if one == inner else pl.col(outer).struct.field(one) for one in names)
    return (
        records.join(was, on="record_key", how="left", maintain_order="left")
        .with_columns(united.alias(history.path[0]))
        .drop("entry")
    )
