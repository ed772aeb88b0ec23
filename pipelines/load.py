"""The two steps of a load: fetch what is new into the raw zone, then bring the event log up to it.

Belongs here: the order of things, and the account that is given of them. Does not: any single thing.

The order is what makes a crash harmless. That a span has been read is noted after its records are stored, and stated
in the log in the same commit as its facts. Whatever a kill leaves undone is fetched or mapped again by the next run.

Nothing is stored of people who were erased, even where that happens while a load is at work: each step looks at the
list of them once more while it holds the tables that it writes to, and is overtaken where it has grown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from kr_definitions.organisation import Organisation
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import aside, former, identity, lake, mapped
from pipelines.addresses import without_addresses
from pipelines.event_log import EventLog
from pipelines.raw_zone import OnPage, RawZone, StreamLoad
from pipelines.saying import Saying
from pipelines.source import (
    Account,
    Clock,
    Connector,
    DoubtedReading,
    Mark,
    Options,
    Read,
    RequestRefused,
    Stream,
    UnforeseenError,
)
from pipelines.suppression import Suppressed, SuppressedOf
from pipelines.throwaway import throwaway_folder
from pipelines.under_way import Marks, UnderWay

# One row for each stream that a run tried to read; delivered = inserted + duplicates, and suppressed is what was served
# as well of people who were erased. Where covered_to is null the reading did not complete, and failure says why.
LOADS_SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(),
    "stream": pl.String(),
    "delivered": pl.Int64(),
    "inserted": pl.Int64(),
    "duplicates": pl.Int64(),
    "suppressed": pl.Int64(),
    "covered_from": UTC_MICROSECONDS,
    "covered_to": UTC_MICROSECONDS,
    "cursor": pl.String(),
    "failure": pl.String(),
    "recorded_at": UTC_MICROSECONDS,
    "run_id": pl.String(),
}


@dataclass(frozen=True, slots=True)
class Lake:
    """The tables of one organisation, below one folder."""

    root: Path

    @property
    def raw(self) -> RawZone:
        return RawZone(self.root / "raw")

    @property
    def under_way(self) -> UnderWay:
        return UnderWay(self.root / "under_way")

    @property
    def log(self) -> EventLog:
        return EventLog(self.root / "events")

    def loads(self) -> pl.LazyFrame:
        """Every attempt to read a stream: `LOADS_SCHEMA`."""
        return lake.scan(self.root / "loads", LOADS_SCHEMA)

    def quarantine(self) -> pl.LazyFrame:
        """Every row of the raw zone that could not be understood, once: `QUARANTINE_SCHEMA`."""
        return self._noted_aside().filter(pl.col("problem").is_not_null())

    def set_aside(self, known_at: datetime | None = None) -> pl.LazyFrame:
        """The records that are set aside now, with what was noted last of each: `QUARANTINE_SCHEMA`.

        known_at: those that were then.
        """
        noted = self._noted_aside()
        return aside.standing(noted if known_at is None else noted.filter(pl.col("recorded_at") <= known_at))

    def _noted_aside(self) -> pl.LazyFrame:
        return lake.scan(self.root / "quarantine", aside.QUARANTINE_SCHEMA)

    def suppressed(self) -> Suppressed:
        """What was erased and must not come back."""
        return Suppressed.read(self.root / "suppressed")

    def refuse_if_erased_since(self, suppressed: Suppressed) -> None:
        """Raise `Overtaken` where more has been erased than when the list was read."""
        if self.suppressed() != suppressed:
            raise lake.Overtaken(
                f"{self.root}: somebody was erased while this load was at work. Nothing was written: run again"
            )

    @contextmanager
    def writing(self, suppressed: Suppressed, *tables: Path) -> Iterator[None]:
        """Hold tables for the block, in which nothing more is erased from them. Raises `Overtaken` as above."""
        with lake.writing(*tables):
            self.refuse_if_erased_since(suppressed)
            yield


@dataclass(frozen=True)
class Source:
    """A source in use: its connector, its account and its options. late_days: how late facts can be, as declared."""

    connector: Connector
    account: Account
    options: Options
    late_days: int | None = None

    @property
    def name(self) -> str:
        return self.account.source

    def streams(self) -> list[Stream]:
        """The source's streams, whose records hold no mail address; opens nothing."""
        streams = self.connector.streams(self.account, self.options)
        streams = [replace(stream, fetch=without_addresses(stream.fetch)) for stream in streams]
        if self.late_days is None:
            return streams
        return [replace(stream, lateness=timedelta(days=self.late_days)) for stream in streams]


@dataclass(frozen=True)
class StreamChange:
    """What the log learned from one stream. set_aside: record_key and problem of what is, newly or still."""

    source: str
    stream: str
    events_stated: int
    events_retracted: int
    set_aside: pl.DataFrame

    @property
    def quarantined(self) -> int:
        """How many records are set aside."""
        return self.set_aside.height


def fetch(
    source: Source,
    lake_of_org: Lake,
    clock: Clock,
    started_at: datetime,
    on_page: OnPage = lambda stream, records: None,
    run_id: str | None = None,
) -> list[StreamLoad]:
    """Fetch a source's streams into the raw zone and note what was read completely.

    A reading that was interrupted goes on from its last mark, as it was asked for; what has changed since it began is
    then read as well.

    started_at: the run's instant. run_id: which run reads. A vendor's failure is in the stream's load, not raised.
    """
    suppressed = lake_of_org.suppressed()
    reader = _Reader(source, lake_of_org, clock, started_at, on_page, run_id, suppressed)
    streams = source.streams()
    loads, resumed = reader.read(streams)
    if not resumed:
        return loads
    again, _ = reader.read(resumed)  # what a resumed reading covers ends where it would have ended at first
    later = {load.stream: load for load in again}
    return [_together(load, later[load.stream]) if load.stream in later else load for load in loads]


@dataclass(frozen=True)
class _Reader:
    """What one run reads a source with."""

    source: Source
    lake_of_org: Lake
    clock: Clock
    started_at: datetime
    on_page: OnPage
    run_id: str | None
    suppressed: Suppressed

    def read(self, streams: list[Stream]) -> tuple[list[StreamLoad], list[Stream]]:
        """Read streams once and note how it went; also those that came to an end that was not today's."""
        source, lake_of_org = self.source, self.lake_of_org
        suppressed_of = self.suppressed.of(source.name, source.account.pseudonym)
        earlier = self._noted()
        recorded_at = _next_instant(self.started_at, earlier)
        last = self._last(earlier)
        asked = {stream.name: mapped.mapping_of(stream, source.options) for stream in streams}
        raw, under_way = lake_of_org.raw, lake_of_org.under_way
        reads: dict[str, Read] = {}
        marks = Marks()

        def read_of(stream: Stream) -> Read:
            version, ended = lake.version(raw.path(source.name, stream.name)), last.get(stream.name)
            ended_at = None if ended is None else ended["recorded_at"]
            resumed = under_way.found(source.name, stream.name, asked[stream.name], version, ended_at, self.clock)
            reads[stream.name] = replace(resumed or self._read_after(stream, ended), believed_at=ended_at)
            marks.began[stream.name] = reads[stream.name].mark
            return reads[stream.name]

        def note(stream: Stream, read: Read, mark: Mark) -> None:
            if lake_of_org.suppressed() != self.suppressed:  # a sweep has forgotten the notes, or is about to
                return
            marks.passed[stream.name] = mark.text
            version = lake.version(raw.path(source.name, stream.name))
            under_way.note(source.name, stream.name, asked[stream.name], version, read, mark.text)

        try:
            loads = raw.load(
                source.name,
                streams,
                read_of,
                recorded_at,
                self.on_page,
                lambda stream, record: suppressed_of.applied(stream.name, stream.people, record),
                lambda: lake_of_org.refuse_if_erased_since(self.suppressed),
                note,
            )
        except (lake.LakeError, lake.Overtaken):
            raise
        except Exception:
            self._forget(marks.stuck)
            raise
        refused = {load.stream for load in loads if isinstance(load.failure, RequestRefused | UnforeseenError)}
        doubted = {load.stream for load in loads if isinstance(load.failure, DoubtedReading)}
        self._forget((marks.stuck & refused) | doubted)
        with lake_of_org.writing(self.suppressed, lake_of_org.root / "loads"):
            before = lake.version(lake_of_org.root / "loads")
            at = _next_instant(recorded_at, self._noted())
            rows = _loads_frame(suppressed_of, streams, loads, at, self.run_id)
            lake.append_after(before, lake_of_org.root / "loads", rows, writer="loads")
        ended = [stream for stream, load in zip(streams, loads, strict=True) if load.covered is not None]
        self._forget(stream.name for stream in ended)
        return loads, [stream for stream in ended if reads[stream.name].mark is not None]

    def _forget(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self.lake_of_org.under_way.ended(self.source.name, stream)

    def _read_after(self, stream: Stream, reading: dict[str, Any] | None) -> Read:
        if reading is None:
            return Read(since=None, until=self.started_at, cursor=None, clock=self.clock)
        since = reading["covered_to"].astimezone(UTC) - stream.overlap
        return Read(since=since, until=self.started_at, cursor=reading["cursor"], clock=self.clock)

    def _noted(self) -> pl.DataFrame:
        """Every attempt to read the source, without cursors: those of years are more than a run should hold."""
        return self._loads().drop("cursor", "failure").collect()

    def _last(self, noted: pl.DataFrame) -> dict[str, dict[str, Any]]:
        """The last complete reading of each stream."""
        is_complete = pl.col("covered_to").is_not_null()
        newest = noted.filter(is_complete).group_by("stream").agg(pl.col("recorded_at").max())
        instants = newest.get_column("recorded_at").unique().to_list()
        rows = self._loads().filter(pl.col("recorded_at").is_in(instants), is_complete)
        return {row["stream"]: row for row in rows.sort("recorded_at").collect().iter_rows(named=True)}

    def _loads(self) -> pl.LazyFrame:
        return self.lake_of_org.loads().filter(pl.col("source") == self.source.name)


def _together(first: StreamLoad, second: StreamLoad) -> StreamLoad:
    """Two readings of a stream in one run, as one."""
    return StreamLoad(
        first.stream,
        delivered=first.delivered + second.delivered,
        inserted=first.inserted + second.inserted,
        duplicates=first.duplicates + second.duplicates,
        removed=first.removed + second.removed,
        suppressed=first.suppressed + second.suppressed,
        covered=second.covered,
        failure=second.failure,
    )


def bring_up_to_date(
    sources: Sequence[Source],
    lake_of_org: Lake,
    started_at: datetime,
    audit: Callable[[pl.LazyFrame, int], None] = lambda statements, stated: None,
    run_id: str | None = None,
    organisation: Organisation | None = None,
) -> list[StreamChange]:
    """Bring the event log up to the raw zone: map what is new, state it, and state what has been read; one commit.

    Records are understood part by part, and what they say waits on the disk: what is held of all of them are ids.

    audit: is shown the statements (`EVENT_SCHEMA`) before they are appended, and how many the streams account for; what
    it raises leaves the log as it was. run_id: which run this is. organisation: says what makes two customers one.
    Raises `ContradictoryFacts` for a mapping that contradicts itself, `LakeError` for a damaged table, `Overtaken`
    where another process stated something meanwhile.
    """
    from pipelines.erasure import resume  # noqa: PLC0415 - it maps records as this does

    resume(lake_of_org, sources, started_at)
    suppressed = lake_of_org.suppressed()
    log = lake_of_org.log
    before = log.version()
    recorded_at = log.next_instant(started_at)
    stated_readings = {(row["source"], row["stream"]): row for row in log.readings().iter_rows(named=True)}
    loads = lake_of_org.loads().filter(pl.col("covered_to").is_not_null()).drop("cursor", "failure").collect()
    changes: list[StreamChange] = []
    problems = [pl.DataFrame(schema=aside.SET_ASIDE_SCHEMA)]
    set_aside = lake_of_org.set_aside().collect()
    mended = [set_aside.clear()]
    with throwaway_folder("log") as folder:
        saying = Saying(lake_of_org.raw, log, folder, recorded_at)
        for source in sources:
            for stream in source.streams():
                last = stated_readings.get((source.name, stream.name))
                is_of_stream = (pl.col("source") == source.name) & (pl.col("stream") == stream.name)
                mapping, tried = mapped.mapping_of(stream, source.options), set_aside.filter(is_of_stream)
                said = saying.add(source.name, stream, mapping, last, loads.filter(is_of_stream), tried)
                problems.append(said.problems)
                mended.append(said.mended)
                told = said.problems.select("record_key", "problem")
                changes.append(StreamChange(source.name, stream.name, said.stated, said.retracted, told))
        if organisation is not None:
            declared = {(change.source, change.stream) for change in changes}
            for withdrawn in former.withdrawals(log, organisation.former, declared, recorded_at):
                saying.state(withdrawn)
            links = identity.statements(pl.concat([log.scan(), *saying.statements()]), organisation, recorded_at)
            saying.state(links)
        statements = saying.statements()
        audit(pl.concat(statements), saying.accounted_for)
        quarantine = lake_of_org.root / "quarantine"
        with lake_of_org.writing(suppressed, quarantine, log.path):
            aside.note(quarantine, pl.concat(problems), run_id)
            log.append(statements, before)
            # Last: a run that is killed before it tries them again, as what they say may not be in the log.
            aside.note_mended(quarantine, pl.concat(mended), recorded_at, run_id)
    return changes


def _next_instant(now: datetime, loads: pl.DataFrame) -> datetime:
    """The recorded time of a load: later than every one before it, even if a clock went back or two began at once."""
    last = loads.get_column("recorded_at").max()
    return max(now, last.astimezone(UTC) + timedelta(microseconds=1)) if isinstance(last, datetime) else now


def _loads_frame(
    suppressed: SuppressedOf, streams: list[Stream], loads: list[StreamLoad], recorded_at: datetime, run_id: str | None
) -> pl.DataFrame:
    """The rows that note loads: the earlier spans that they came to know of, and then, as the newest, themselves."""
    read = list(zip(streams, loads, strict=True))
    spans: list[dict[str, Any]] = [
        {"source": suppressed.source, "stream": load.stream, "covered_from": start, "covered_to": end}
        for _, load in read
        for start, end in (load.covered.earlier if load.covered else ())
    ]
    whole: list[dict[str, Any]] = [
        {
            "source": suppressed.source,
            "stream": load.stream,
            "delivered": load.delivered,
            "inserted": load.inserted,
            "duplicates": load.duplicates,
            "suppressed": load.suppressed,
            "covered_from": load.covered and load.covered.start,
            "covered_to": load.covered and load.covered.end,
            "cursor": load.covered and suppressed.cursor(load.stream, stream.people, load.covered.cursor),
            "failure": load.failure and suppressed.text(load.stream, stream.people, str(load.failure)),
        }
        for stream, load in read
    ]
    nothing = dict.fromkeys(("delivered", "inserted", "duplicates", "suppressed"), 0)
    rows = [
        {**nothing, **row, "recorded_at": recorded_at + timedelta(microseconds=min(n, len(spans))), "run_id": run_id}
        for n, row in enumerate([*spans, *whole])
    ]
    return pl.DataFrame(rows, schema=LOADS_SCHEMA)
