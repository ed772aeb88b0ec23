"""Builders for tests of what Pipedrive's stored records mean: records written out by hand, and their facts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import polars as pl
from hubspot_agency import day
from pipedrive_office import ACCOUNT, OPTIONS

from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions
from pipelines.pipedrive.stored import NAMES, TIMES, Labels, history_key, names_of
from pipelines.raw_zone import RAW_SCHEMA
from pipelines.source import Record
from pipelines.understanding import understand

History = dict[str, list[tuple[datetime, Any, Any]]]
"""Field -> its changes in the order of time: when, from what, to what."""


def bare(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def payload(values: dict[str, Any], history: History | None = None, **kept: Any) -> dict[str, Any]:
    entries = {
        name: [{"time": bare(at), "old": old, "new": new} for at, old, new in reversed(steps)]
        for name, steps in (history or {}).items()
    }
    return {"values": values, "history": entries, **kept}


def a_deal(history: History | None = None, **values: Any) -> dict[str, Any]:
    own = {"pipeline_id": "ventas", "stage_id": "propuesta", "status": "open", "value": "5000", "owner_id": "7"}
    created = values.pop("add_time", "2026-01-06T09:00:00Z")
    times = {name: bare(values.pop(name)) for name in TIMES if name in values}
    return payload({**own, "currency": "EUR", **values}, history, add_time=created, person_id="1", **times)


def told(
    stream: str, *payloads: dict[str, Any], options: PipedriveOptions = OPTIONS, names: Labels | None = None
) -> pl.DataFrame:
    """The facts of records, and their problems; each was last changed on day 60, and read once."""
    return told_after(stream, *([(day(60), one)] for one in payloads), options=options, names=names)


def told_after(
    stream: str,
    *records: list[tuple[datetime, dict[str, Any]]],
    options: PipedriveOptions = OPTIONS,
    names: Labels | None = None,
) -> pl.DataFrame:
    """The facts of records, of each of which there are several versions: when it was last changed, and what it said."""
    [of] = [one for one in PIPEDRIVE.streams(ACCOUNT, options) if one.name == stream]
    stored = [] if names is None else [Record(NAMES, None, names_of(names))]
    for n, versions in enumerate(records, 1):
        for at, said in versions:
            stored.append(Record(str(n), at, {name: part for name, part in said.items() if name != "history"}))
            if "history" in said:
                stored.append(Record(history_key(str(n)), at, {"history": said["history"]}))
    rows = [
        (str(n), one.key, one.revision, "", False, orjson.dumps(one.payload).decode(), day(1) + timedelta(seconds=n))
        for n, one in enumerate(stored)
    ]
    understood = understand(of, "pipedrive", pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row"), day(400))
    problems = understood.problems.select("record_key", "problem")
    found = pl.concat([understood.facts.collect(), problems], how="diagonal")
    return found.sort("record_key", "occurred_at", "event_type")


def rows(found: pl.DataFrame, event_type: str, *columns: str) -> list[tuple[Any, ...]]:
    return found.filter(pl.col("event_type") == event_type).select(columns).rows()
