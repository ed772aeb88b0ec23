"""Streams that are read no more: what they said counts on, or is withdrawn, as the organisation says.

Belongs here: which of the streams in the log no source has any more, what they still say, and withdrawing it. Does not:
warning of what nobody has said anything about (`assets.former`).

A CRM that was left for another one has a past that counts. A stream that got another name says everything once more
under it, so that all of it would count twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import polars as pl

from kr_definitions.events import COVERED, RESERVED, current
from kr_definitions.organisation import Former
from pipelines import event_log
from pipelines.event_log import EventLog

_WITHDRAWN = "withdrawn"
"""The mapping under which a stream is said to be read by whatever withdrew it: read once more, it is stated anew."""


def undeclared(log: EventLog, declared: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """The streams (source, stream) that the log knows and no source has."""
    known = log.readings().select("source", "stream").sort("source", "stream").iter_rows()
    return [stream for stream in known if stream not in declared]


def said(former: Mapping[str, Former], stream: tuple[str, str]) -> Former | None:
    """What the organisation says of a stream, or else of its source."""
    return former.get(".".join(stream), former.get(stream[0]))


def held(log: pl.LazyFrame, stream: tuple[str, str]) -> pl.LazyFrame:
    """The events of a stream that hold: what happened, not what was read."""
    of_stream = log.filter(pl.col("source") == stream[0], pl.col("stream") == stream[1])
    return current(of_stream).filter(~pl.col("event_type").is_in(list(RESERVED)))


def withdrawals(
    log: EventLog, former: Mapping[str, Former], declared: Collection[tuple[str, str]], recorded_at: datetime
) -> Iterator[pl.DataFrame]:
    """The statements (`EVENT_SCHEMA`) by which what is said to be withdrawn is: none where it was before."""
    if "withdrawn" not in former.values():
        return
    for source, stream in undeclared(log, declared):
        if said(former, (source, stream)) != "withdrawn":
            continue
        keys = held(log.scan(), (source, stream)).select(pl.col("record_key").unique()).collect()
        if keys.is_empty():
            continue
        changes = event_log.changes(log.scan(), [], keys.lazy(), source, stream, recorded_at)
        yield from (rows.with_columns(reason=pl.lit("mapping")) for rows in changes.rows())
        yield _read_by_another(log, source, stream, recorded_at)


def _read_by_another(log: EventLog, source: str, stream: str, recorded_at: datetime) -> pl.DataFrame:
    """Its last readings once more, by another mapping: a stream that comes back is understood anew."""
    of_stream = log.scan().filter(
        pl.col("source") == source, pl.col("stream") == stream, pl.col("event_type") == COVERED
    )
    last = of_stream.filter(pl.col("read_at") == pl.col("read_at").max()).unique("subject_id").collect()
    loads = last.unique("read_at").select("covered_from", "covered_to", "read_at", "quantity")
    feeds = tuple(last.get_column("subject_id").sort())
    return event_log.readings(loads, feeds, source, stream, _WITHDRAWN, recorded_at)
