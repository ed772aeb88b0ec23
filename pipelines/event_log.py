"""The event log: one append-only Delta table, and the statements that bring it up to what the records now say.

Belongs here: comparing facts with the log, and the only code that writes it. Does not: what an event is
(`kr_definitions.events`) or how a record becomes facts (a source's module).

The log is never told "here is a new event" but "these records now state these facts": what it lacks is appended, what
they no longer state is retracted, and the rest is left alone. So loading twice, in any order, after a crash or under
another name changes nothing, a deletion is a record that states nothing, and a repaired mapping corrects its own past.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import polars.selectors as cs

from kr_definitions import shapes
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
from pipelines.pieces import ROWS_A_PIECE, together


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

    def append(self, statements: pl.DataFrame | Sequence[pl.LazyFrame], after: int | None) -> int:
        """Append statements that the log does not hold yet, in one commit; returns how many there were.

        statements: in one frame, or in pieces, which are read one by one (at once what is in their `ORDER`). after: the
        log's `version()` before it was read for them. Raises `Overtaken` where it has moved on since.
        """
        pieces = [statements.lazy()] if isinstance(statements, pl.DataFrame) else statements
        held = self.scan().select("event_id")
        # Chosen and ordered by their ids: `unique` and `sort` of whole rows take several times the memory.
        places = (
            pl.concat([_placed(piece.select(ORDER), number) for number, piece in enumerate(pieces)])
            .unique("event_id")
            .join(held, on="event_id", how="anti")
            .sort(ORDER)
            .select("piece", "row")
            .collect()
        )
        if places.height:
            # In one chunk: of several, deltalake writes whichever comes first.
            lake.append_after(after, self.path, together(pieces, places), writer="event-log")
        return places.height


@dataclass(frozen=True)
class Changes:
    """What has to be appended so that the log states of some records what they now say: `rows`.

    to_state: `fact_id`, `record_key` and `event_id` of each fact to state, and where it lies (`piece`, `row`).
    to_retract: `fact_id` and `record_key` of each statement to withdraw, and its `event_id`.
    """

    to_state: pl.DataFrame
    to_retract: pl.DataFrame
    recorded_at: datetime
    facts: Sequence[pl.LazyFrame]
    of_stream: pl.LazyFrame

    def rows(self) -> Iterator[pl.DataFrame]:
        """The statements (`EVENT_SCHEMA`), without reasons, some thousands at a time: retractions, then facts."""
        if self.to_retract.height:
            withdrawn = self.of_stream.join(self.to_retract.lazy().select("event_id"), on="event_id", how="semi")
            for held in withdrawn.collect_batches(chunk_size=ROWS_A_PIECE):
                rows = held.with_columns(
                    event_type=pl.lit(RETRACTED), retracts="event_id", reason=pl.lit(None, pl.String)
                )
                yield _rows(rows.with_columns(retraction_id().alias("event_id")), self.recorded_at)
        for (number,), of_piece in sorted(self.to_state.partition_by("piece", as_dict=True).items()):
            chosen = of_piece.sort("row")
            facts = self.facts[number].collect()[chosen.get_column("row")]
            yield _rows(facts.with_columns(chosen.get_column("event_id")), self.recorded_at)


def statements(
    log: pl.LazyFrame, facts: pl.LazyFrame, touched: pl.LazyFrame, source: str, stream: str, recorded_at: datetime
) -> pl.DataFrame:
    """The rows of `changes` that facts which are few bring about (`FACT_SCHEMA` columns): `EVENT_SCHEMA`."""
    found = changes(log, [identified(facts, source, stream).lazy()], touched, source, stream, recorded_at)
    return pl.concat([shapes.empty(EVENT_SCHEMA), *found.rows()])


def identified(facts: pl.LazyFrame, source: str, stream: str) -> pl.DataFrame:
    """Facts (`FACT_SCHEMA` columns) with their identities."""
    held = facts.collect()
    said = [column.name for column in held if column.null_count() < held.height]
    return held.with_columns(source=pl.lit(source), stream=pl.lit(stream)).with_columns(
        content_hash=content_hash(said or held.columns), fact_id=fact_id()
    )


def changes(
    log: pl.LazyFrame,
    facts: Sequence[pl.LazyFrame],
    touched: pl.LazyFrame,
    source: str,
    stream: str,
    recorded_at: datetime,
) -> Changes:
    """What has to be appended so that the log states, for the touched records, exactly these facts.

    facts: `identified`, in pieces, of which no more than one is held at a time. touched: `record_key` of every record
    of the stream that was read anew; one that states no fact any more has its events retracted. A fact that moves from
    one record to another is stated anew, so that it does not go with the record that it has left. Raises
    `ContradictoryFacts`.
    """
    stated = _stated(facts, source, stream)
    of_stream = log.filter((pl.col("source") == source) & (pl.col("stream") == stream))
    is_touched = touched.select("record_key", is_touched=pl.lit(value=True)).unique("record_key")
    held = (
        current(of_stream)
        .filter(pl.col("event_type") != COVERED)
        .select(*_STATEMENT, "event_id")
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
    retractions = to_retract.select("fact_id", retracts="event_id").select(
        "fact_id", retraction_id().alias("event_id"), pl.lit(recorded_at, UTC_MICROSECONDS).alias("recorded_at")
    )
    earlier = (
        of_stream.filter(pl.col("event_type") == RETRACTED)
        .select("fact_id", "event_id", "recorded_at")
        .join(to_state.lazy().select("fact_id"), on="fact_id", how="semi")
        .collect()
    )
    follows = (
        pl.concat([earlier, retractions])
        .sort("recorded_at")
        .unique("fact_id", keep="last", maintain_order=True)
        .select("fact_id", pl.col("event_id").alias("follows"))
    )
    to_state = to_state.join(follows, on="fact_id", how="left").with_columns(event_id().alias("event_id"))
    return Changes(
        to_state.select("fact_id", "record_key", "event_id", "piece", "row"),
        to_retract.select("fact_id", "record_key", "event_id"),
        recorded_at,
        facts,
        of_stream,
    )


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
    return _of_itself(rows, recorded_at)


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
    return _of_itself(rows, recorded_at)


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

ORDER = ["event_type", "occurred_at", "event_id"]
"""How the statements of one commit lie in the log."""


def _microseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)


def _stated(facts: Sequence[pl.LazyFrame], source: str, stream: str) -> pl.DataFrame:
    """What is said of each fact, once, by which record, and where it lies."""
    nothing = pl.LazyFrame(schema=dict.fromkeys(_STATEMENT, pl.String))
    pieces = [_placed(piece.select(_STATEMENT), number) for number, piece in enumerate(facts)]
    placed = pl.concat(piece.collect() for piece in (_placed(nothing, 0), *pieces))
    distinct = placed.unique(_STATEMENT, keep="first", maintain_order=True)
    said = distinct.unique(["fact_id", "content_hash"])
    twice = said.filter(pl.col("fact_id").is_duplicated())
    if twice.height:
        told = pl.concat([piece.select("fact_id", "event_type", "fact_key") for piece in facts])
        told = told.join(twice.lazy(), on="fact_id", how="semi")
        types, keys = (
            told.select(pl.col(name).unique().sort().head(3)).collect().to_series().to_list()
            for name in ("event_type", "fact_key")
        )
        raise ContradictoryFacts(f"{source}.{stream}", types, keys)
    return distinct


def _placed(piece: pl.LazyFrame, number: int) -> pl.LazyFrame:
    """Rows with the number of their piece, and theirs in it."""
    return piece.with_row_index("row").with_columns(piece=pl.lit(number, pl.UInt32))


def complete(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with every column that an event has, beside others that they have; those that were left out are null."""
    found = rows.collect_schema().names()
    return rows.with_columns(shapes.columns(EVENT_SCHEMA, found))


def _of_itself(rows: pl.LazyFrame, recorded_at: datetime) -> pl.DataFrame:
    """What the log says of itself, as rows of it: stated once, and never withdrawn."""
    content = content_hash(rows.collect_schema().names())
    identified = complete(rows).with_columns(content_hash=content, fact_id=fact_id())
    return _rows(identified.with_columns(event_id=event_id("retracts")).collect(), recorded_at)


def _rows(rows: pl.DataFrame, recorded_at: datetime) -> pl.DataFrame:
    at = pl.lit(recorded_at, UTC_MICROSECONDS).alias("recorded_at")
    return complete(rows.lazy()).with_columns(at).select(EVENT_SCHEMA.keys()).collect()
