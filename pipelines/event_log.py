"""The event log: one append-only Delta table, and the statements that bring it up to what the records now say.

Belongs here: comparing facts with the log, and the only code that writes it. Does not: what an event is
(`kr_definitions.events`) or how a record becomes facts (a source's module).

The log is never told "here is a new event" but "these records now state these facts": what it lacks is appended, what
they no longer state is retracted, and the rest is left alone. So loading twice, in any order, after a crash or under
another name changes nothing, a deletion is a record that states nothing, and a repaired mapping corrects its own past.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import polars.selectors as cs

from kr_definitions.events import (
    COVERED,
    ERASED,
    EVENT_SCHEMA,
    RESERVED,
    RETRACTED,
    content_hash,
    current,
    event_id,
    fact_id,
    retraction_id,
)
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import lake


class ContradictoryFacts(Exception):
    """A mapping stated two different things under one fact key; names the source, the stream and the types of event.

    fact_keys: some of the keys. They are not in the message, which Dagster keeps: a key may be somebody's id.
    """

    def __init__(self, stream: str, event_types: list[str], fact_keys: list[str]) -> None:
        super().__init__(
            f"{stream}: two different facts under one fact_key ({', '.join(event_types)}). "
            "The mapping must give each fact of a record a key of its own"
        )
        self.fact_keys = fact_keys


@dataclass(frozen=True, slots=True)
class EventLog:
    """The event log of one organisation."""

    path: Path

    def scan(self) -> pl.LazyFrame:
        """Every event ever recorded, retractions and withdrawn ones included."""
        return lake.scan(self.path, dict(EVENT_SCHEMA))

    def next_instant(self, now: datetime) -> datetime:
        """The recorded time for a run that begins now: later than everything recorded, even if a clock went back."""
        last = self.scan().select(pl.col("recorded_at").max()).collect().item()
        now = now.astimezone(UTC)
        return now if last is None else max(now, last.astimezone(UTC) + timedelta(microseconds=1))

    def readings(self) -> pl.DataFrame:
        """The last reading of each stream that the log states; one row a stream.

        Columns: source, stream, read_at, mapping, quantity (records that had been stored by then).
        """
        return (
            current(self.scan())
            .filter(pl.col("event_type") == COVERED)
            .select("source", "stream", "read_at", "mapping", "quantity", "recorded_at")
            .sort("read_at", "recorded_at")
            .unique(["source", "stream"], keep="last", maintain_order=True)
            .collect()
        )

    def version(self) -> int | None:
        """The version to take before reading what statements are made from; None of a log that does not exist yet."""
        return lake.version(self.path)

    def append(self, statements: pl.DataFrame, after: int | None) -> int:
        """Append statements that the log does not hold yet, in one commit; returns how many there were.

        after: the log's `version()` before it was read for them. Raises `Overtaken` where it has moved on since.
        """
        held = self.scan().select("event_id")
        # Chosen and ordered by their ids: `unique` and `sort` of whole rows take several times the memory.
        positions = (
            statements.lazy()
            .select("event_type", "occurred_at", "event_id")
            .with_row_index("position")
            .unique("event_id")
            .join(held, on="event_id", how="anti")
            .sort("event_type", "occurred_at", "event_id")
            .select("position")
            .collect()
            .to_series()
        )
        if positions.len():
            lake.append_after(after, self.path, statements[positions], writer="event-log")
        return positions.len()


def statements(
    log: pl.LazyFrame, facts: pl.LazyFrame, touched: pl.LazyFrame, source: str, stream: str, recorded_at: datetime
) -> pl.DataFrame:
    """What has to be appended so that the log states, for the touched records, exactly these facts; without reasons.

    facts: `FACT_SCHEMA` columns. touched: `record_key` of every record of the stream that was read anew; one that
    states no fact any more has its events retracted. A fact that moves from one record to another is stated anew, so
    that it does not go with the record that it has left. Returns `EVENT_SCHEMA` rows. Raises `ContradictoryFacts`.
    """
    stated = _stated(facts, source, stream)
    of_stream = log.filter((pl.col("source") == source) & (pl.col("stream") == stream))
    is_touched = touched.select("record_key", is_touched=pl.lit(value=True)).unique("record_key")
    held = (
        current(of_stream)
        .filter(pl.col("event_type") != COVERED)
        .join(is_touched, on="record_key", how="left")
        .join(stated.lazy().select("fact_id", is_stated=pl.lit(value=True)).unique(), on="fact_id", how="left")
        .filter(pl.col("is_touched") | pl.col("is_stated"))
        .drop("is_touched", "is_stated")
        .collect()
    )
    same = held.select(_STATEMENT).join(stated, on=_STATEMENT, how="semi")
    to_state = (
        stated.join(same, on="fact_id", how="anti")
        .sort("record_key")
        .unique("fact_id", keep="first", maintain_order=True)
    )
    to_retract = held.join(same, on="fact_id", how="anti")
    retractions = to_retract.with_columns(
        pl.lit(RETRACTED).alias("event_type"), pl.col("event_id").alias("retracts"), reason=pl.lit(None, pl.String)
    ).with_columns(retraction_id().alias("event_id"), pl.lit(recorded_at, UTC_MICROSECONDS).alias("recorded_at"))
    earlier = of_stream.filter(pl.col("event_type") == RETRACTED).select("fact_id", "event_id", "recorded_at").collect()
    follows = (
        pl.concat([earlier, retractions.select(earlier.columns)])
        .sort("recorded_at")
        .unique("fact_id", keep="last", maintain_order=True)
        .select("fact_id", pl.col("event_id").alias("follows"))
    )
    events = to_state.join(follows, on="fact_id", how="left").with_columns(event_id().alias("event_id"))
    return _rows(pl.concat([retractions, events], how="diagonal"), recorded_at)


def readings(
    loads: pl.DataFrame, feeds: tuple[str, ...], source: str, stream: str, mapping: str, recorded_at: datetime
) -> pl.DataFrame:
    """The statements that a stream was read completely, one for each reading and event type that it feeds.

    loads: rows with covered_from, covered_to, read_at and, where it is known, quantity: how many records had been
    stored by then. Returns `EVENT_SCHEMA` rows.
    """
    rows = (
        loads.lazy()
        .select("covered_from", "covered_to", "read_at", cs.by_name("quantity", require_all=False))
        .join(pl.LazyFrame({"covers": list(feeds)}, schema={"covers": pl.String()}), how="cross")
        .with_columns(
            source=pl.lit(source),
            stream=pl.lit(stream),
            record_key=pl.lit(f"reading:{stream}"),
            fact_key=pl.format("reading:{}:{}", "covers", pl.col("read_at").dt.epoch("us")),
            event_type=pl.lit(COVERED),
            subject_id=pl.col("covers"),
            occurred_at=pl.col("covered_to"),
            mapping=pl.lit(mapping),
        )
    )
    return _identified(rows, recorded_at)


def tombstones(erased: pl.LazyFrame, recorded_at: datetime) -> pl.DataFrame:
    """What the log says of events that were erased: of each stream, event type and day (UTC), how many they were.

    erased: the events that held. Nothing in a tombstone is of them. Returns `EVENT_SCHEMA` rows.
    """
    day = pl.col("occurred_at").dt.truncate("1d")
    rows = (
        erased.filter(~pl.col("event_type").is_in(RESERVED))
        .group_by("source", "stream", covers="event_type", occurred_at=day)
        .agg(quantity=pl.len())
        .sort("source", "stream", "covers", "occurred_at")
        .with_columns(
            record_key=pl.format("erased:{}", "stream"),
            fact_key=pl.format(
                "erased:{}:{}:{}", "covers", pl.col("occurred_at").dt.epoch("us"), pl.lit(_microseconds(recorded_at))
            ),
            event_type=pl.lit(ERASED),
            subject_id="covers",
        )
    )
    return _identified(rows, recorded_at)


def renewed(rows: pl.DataFrame) -> pl.DataFrame:
    """Everything that was ever said of some facts, with the identities that go with what it says now.

    rows: all rows of these facts that there are, whose content an erasure has changed. Statements of a fact and their
    retractions follow each other, each identity being made of the one before. Returns them with `was`, the `event_id`
    that each had.
    """
    retractions = rows.filter(pl.col("event_type") == RETRACTED)
    turn = pl.int_range(pl.len()).over("fact_id", order_by=["recorded_at", "event_id"])
    stated = rows.filter(pl.col("event_type") != RETRACTED).with_columns(
        content_hash().alias("content_hash"), turn=turn, was="event_id"
    )
    found = [rows.clear().with_columns(was=pl.lit(None, pl.String))]
    follows = pl.DataFrame(schema={"fact_id": pl.String, "follows": pl.String})
    for _, of_turn in sorted(stated.group_by("turn")):
        events = of_turn.join(follows, on="fact_id", how="left").with_columns(event_id().alias("event_id"))
        withdrawn = (
            retractions.drop("content_hash")
            .join(events.select("content_hash", now="event_id", retracts="was"), on="retracts")
            .with_columns(retracts="now", was="event_id")
            .with_columns(retraction_id().alias("event_id"))
        )
        follows = withdrawn.select("fact_id", follows="event_id")
        found += [events.select(*rows.columns, "was"), withdrawn.select(*rows.columns, "was")]
    return pl.concat(found)


_STATEMENT = ["fact_id", "content_hash", "record_key"]
"""Which fact, what is said of it, and the record that says it."""


def _microseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)


def _stated(facts: pl.LazyFrame, source: str, stream: str) -> pl.DataFrame:
    held = facts.collect()
    named = [column.name for column in held if column.null_count() < held.height]
    identified = held.with_columns(source=pl.lit(source), stream=pl.lit(stream)).with_columns(
        content_hash=content_hash(named or held.columns), fact_id=fact_id()
    )
    distinct = identified.unique(_STATEMENT, keep="first", maintain_order=True)
    said = distinct.unique(["fact_id", "content_hash"])
    twice = said.filter(pl.col("fact_id").is_duplicated())
    if twice.height:
        types, keys = (twice.get_column(name).unique().sort().head(3).to_list() for name in ("event_type", "fact_key"))
        raise ContradictoryFacts(f"{source}.{stream}", types, keys)
    return distinct


def complete(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with every column that an event has, beside others that they have; those that were left out are null."""
    found = rows.collect_schema().names()
    return rows.with_columns(
        pl.lit(None, dtype=dtype).alias(name) if name not in found else pl.col(name).cast(dtype)
        for name, dtype in EVENT_SCHEMA.items()
    )


def _identified(rows: pl.LazyFrame, recorded_at: datetime) -> pl.DataFrame:
    """What the log says of itself, as rows of it: stated once, and never withdrawn."""
    content = content_hash(rows.collect_schema().names())
    identified = complete(rows).with_columns(content_hash=content, fact_id=fact_id())
    return _rows(identified.with_columns(event_id=event_id("retracts")).collect(), recorded_at)


def _rows(rows: pl.DataFrame, recorded_at: datetime) -> pl.DataFrame:
    return (
        complete(rows.lazy())
        .with_columns(pl.lit(recorded_at, UTC_MICROSECONDS).alias("recorded_at"))
        .select(EVENT_SCHEMA.keys())
        .collect()
    )
