"""One load of one source: fetch into the raw zone, understand what is new, bring the event log up to it.

Belongs here: the order of those steps, and the account that is given of them. Does not: any single step.

The order is what makes a crash harmless: records are stored before they are mapped, and that a span has been read is
stated in the same commit as its facts. Whatever is missing after a kill is fetched or mapped again by the next run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
import polars as pl

from kr_definitions.events import facts_frame
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import event_log, lake
from pipelines.event_log import EventLog
from pipelines.raw_zone import OnPage, RawZone, StreamLoad
from pipelines.source import Account, Clock, Connector, Options, Read, SourceError, Stream

QUARANTINE_SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(),
    "stream": pl.String(),
    "record_key": pl.String(),
    "problem": pl.String(),
    "recorded_at": UTC_MICROSECONDS,
}


@dataclass(frozen=True, slots=True)
class Lake:
    """The tables of one organisation, below one folder."""

    root: Path

    @property
    def raw(self) -> RawZone:
        return RawZone(self.root / "raw")

    @property
    def log(self) -> EventLog:
        return EventLog(self.root / "events")

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"


@dataclass
class StreamReport:
    """What one load of one stream came to; delivered = inserted + duplicates, quarantined are among the inserted."""

    source: str
    stream: str
    delivered: int = 0
    inserted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    events_stated: int = 0
    events_retracted: int = 0
    covered_to: datetime | None = None
    failure: str | None = None


@dataclass
class Understood:
    """A stream's touched records as facts, and the records that could not be understood."""

    facts: pl.LazyFrame
    touched: pl.LazyFrame
    problems: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE_SCHEMA))


def load_source(
    connector: Connector,
    account: Account,
    options: Options,
    lake_of_org: Lake,
    clock: Clock,
    started_at: datetime,
    on_page: OnPage = lambda stream, records: None,
) -> list[StreamReport]:
    """Load one source: returns a report for each of its streams.

    Raises nothing for a vendor's failure (the report says it); raises `ContradictoryFacts` and `LakeError`.
    started_at: the run's instant, used as recorded time of all that is new.
    """
    streams = connector.streams(account, options)
    log = lake_of_org.log
    recorded_at = log.next_instant(started_at)
    readings = {row["stream"]: row for row in log.readings().iter_rows(named=True) if row["source"] == account.source}
    fingerprint = _fingerprint(options)

    def read_of(stream: Stream) -> Read:
        last = readings.get(stream.name)
        since = None if last is None else last["covered_to"] - stream.overlap
        return Read(since=since, until=started_at, cursor=last and last["cursor"], clock=clock)

    loads = lake_of_org.raw.load(account.source, streams, read_of, recorded_at, on_page)
    reports, rows = [], []
    for stream, load in zip(streams, loads, strict=True):
        mapping = f"{stream.mapping_version}:{fingerprint}"
        last = readings.get(stream.name)
        is_mapped_alike = last is not None and last["mapping"] == mapping
        records = lake_of_org.raw.newest(account.source, stream.name)
        if is_mapped_alike and last is not None:
            records = records.join(
                lake_of_org.raw.scan(account.source, stream.name)
                .filter(pl.col("recorded_at") > last["recorded_at"])
                .select("record_key")
                .unique(),
                on="record_key",
                how="semi",
            )
        understood = understand(stream, account.source, records.collect(), recorded_at)
        stated = event_log.statements(
            log.scan(), understood.facts, understood.touched, account.source, stream.name, recorded_at
        )
        rows.append(stated)
        if load.covered is not None:
            rows.append(
                event_log.readings(
                    stream.feeds,
                    account.source,
                    stream.name,
                    load.covered.start if last is None else last["covered_from"],
                    load.covered.end,
                    load.covered.cursor,
                    mapping,
                    recorded_at,
                )
            )
        if understood.problems.height:
            lake.append(lake_of_org.quarantine, understood.problems, writer="quarantine")
        reports.append(_report(account.source, load, understood, stated))
    log.append(pl.concat(rows))
    return reports


def understand(stream: Stream, source: str, records: pl.DataFrame, recorded_at: datetime) -> Understood:
    """Records as facts; what cannot be understood is set aside, record by record, and what it said before stays.

    records: `RAW_SCHEMA`, one row a key (the newest).
    """
    kept = records.filter(~pl.col("is_deleted"))
    decoded, undecodable = _decode(kept, stream.payload)
    mapped = stream.facts(decoded.lazy()).collect()
    if "problem" in mapped.columns:
        strange = mapped.filter(pl.col("problem").is_not_null()).select("record_key", "problem").unique("record_key")
        mapped = mapped.join(strange, on="record_key", how="anti").drop("problem")
    else:
        strange = pl.DataFrame(schema={"record_key": pl.String, "problem": pl.String})
    problems = pl.concat([undecodable, strange]).sort("record_key")
    touched = records.lazy().select("record_key").join(problems.lazy(), on="record_key", how="anti")
    return Understood(
        facts=facts_frame(mapped.lazy()),
        touched=touched,
        problems=problems.select(
            pl.lit(source).alias("source"),
            pl.lit(stream.name).alias("stream"),
            "record_key",
            "problem",
            pl.lit(recorded_at, UTC_MICROSECONDS).alias("recorded_at"),
        ),
    )


def _decode(records: pl.DataFrame, payload: pl.Struct) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records with the payload's fields as columns, and the records whose payload has another shape.

    A whole frame is decoded at once; only when that fails is it halved until the strange records stand alone.
    """
    nothing = pl.DataFrame(schema={"record_key": pl.String, "problem": pl.String})
    try:
        fields = records.select("record_key", "revision", pl.col("payload").str.json_decode(payload))
        return fields.unnest("payload"), nothing
    except pl.exceptions.ComputeError:
        if records.height > 1:
            half = records.height // 2
            first, second = _decode(records[:half], payload), _decode(records[half:], payload)
            return pl.concat([first[0], second[0]]), pl.concat([first[1], second[1]])
        empty = records.clear().select("record_key", "revision", pl.col("payload").str.json_decode(payload))
        problem = pl.lit("the record does not have the shape that the source documents")
        return empty.unnest("payload"), records.select("record_key", problem.alias("problem"))


def _report(source: str, load: StreamLoad, understood: Understood, stated: pl.DataFrame) -> StreamReport:
    retracted = int(stated.get_column("retracts").is_not_null().sum())
    return StreamReport(
        source=source,
        stream=load.stream,
        delivered=load.delivered,
        inserted=load.inserted,
        duplicates=load.duplicates,
        quarantined=understood.problems.height,
        events_stated=stated.height - retracted,
        events_retracted=retracted,
        covered_to=load.covered.end if load.covered else None,
        failure=_failure(load.failure),
    )


def _failure(failure: SourceError | None) -> str | None:
    return None if failure is None else str(failure)


def _fingerprint(options: Options) -> str:
    content = orjson.dumps(options.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()[:12]
