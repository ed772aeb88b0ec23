"""The event: the log's columns, the identity of a fact, and the two ways of reading a log (current, as known at).

Belongs here: what an event is, as pure functions over frames. Does not: where events are kept (`pipelines.event_log`)
or what a vendor's record means (`pipelines.<vendor>`).

The words are CloudEvents': a source, an id unique in it, a type, a subject, a time. Beside them stands the bitemporal
pair: `occurred_at` (in the world) and `recorded_at` (when this log first held it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime

import polars as pl

from kr_definitions import shapes
from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS, vocabulary

RETRACTED = "fact.retracted"
COVERED = "source.covered"
ERASED = "record.erased"
LINKED = "identity.linked"
IDENTIFIED = "account.identified"
RATE = "rate.observed"

CUSTOMER = "customer"
"""Whose an event is, whatever system says it: a column that a log is given as it is read (`identities`)."""

UNCONVERTED = "is_unconverted"
"""Whether an event's amount stays in another currency, as no rate holds: a column that a log is given as it is read."""

RESERVED = (RETRACTED, COVERED, ERASED, LINKED)
"""What the log says of itself: no source states it, and no key result counts it."""

# What a source's mapping must say of each fact; every other fact column may be left out and is then null.
REQUIRED_FACT_COLUMNS = ("record_key", "fact_key", "event_type", "subject_id", "occurred_at")

# What the mapping says: everything but what the log adds (source, stream, ids, retracts, recorded_at).
FACT_SCHEMA: Mapping[str, pl.DataType] = {
    "record_key": pl.String(),  # the raw record that states the fact: its key within source and stream
    "fact_key": pl.String(),  # the source's own identity of the fact within source and stream
    "event_type": pl.String(),
    "subject_id": pl.String(),
    "account_id": pl.String(),
    "actor": pl.String(),
    "occurred_at": UTC_MICROSECONDS,
    "amount": DECIMAL,
    "currency": pl.String(),
    "quantity": DECIMAL,
    **{name: dtype for name, dtype in vocabulary().attribute_schema().items() if name != "stream"},
    "source_url": pl.String(),
}

# The log itself, one row an event.
EVENT_SCHEMA: Mapping[str, pl.DataType] = {
    "event_id": pl.String(),  # identity of the statement: fact, content, and the retraction that it follows
    "fact_id": pl.String(),  # identity of the fact: source, stream and the source's own key; survives corrections
    "retracts": pl.String(),  # on a retraction: the event_id that it withdraws
    "source": pl.String(),
    "stream": pl.String(),
    "content_hash": pl.String(),  # of everything that the mapping said
    "reason": pl.String(),  # `mapping`: what its record says is read in another way now; the record is as it was
    "recorded_at": UTC_MICROSECONDS,
    **FACT_SCHEMA,
}

_CONTENT = [name for name in FACT_SCHEMA if name != "record_key"]


def digest(parts: pl.Series) -> pl.Series:
    """SHA-256 of each text, the first 32 hex digits (128 bits): stable across machines, versions and runs."""
    hashes = [hashlib.sha256(part.encode()).hexdigest()[:32] for part in parts.to_list()]
    return pl.Series(parts.name, hashes, dtype=pl.String)


def _joined(*columns: str | pl.Expr) -> pl.Expr:
    """Columns as one text in which no value can pass for two: each is preceded by its length."""
    texts = [pl.col(column) if isinstance(column, str) else column for column in columns]
    return pl.concat_str([pl.format("{}:{}", t.str.len_bytes(), t) for t in texts])


def content_hash(said: Collection[str] = _CONTENT) -> pl.Expr:
    """Hash of what a fact says: its non-null columns, so that a column added to the vocabulary changes no old hash.

    said: the columns that some of the facts say something in; any others are null and need no looking at.
    """
    named = [
        pl.when(pl.col(name).is_not_null()).then(
            pl.format("{}={}:{};", pl.lit(name), _as_text(name).str.len_bytes(), _as_text(name))
        )
        for name in sorted(name for name in _CONTENT if name in said)
    ]
    return pl.concat_str(named, ignore_nulls=True).map_batches(digest, return_dtype=pl.String)


def _as_text(name: str) -> pl.Expr:
    column = pl.col(name)
    if FACT_SCHEMA[name] == UTC_MICROSECONDS:
        return column.dt.epoch("us").cast(pl.String)
    return column.cast(pl.String)


def fact_id() -> pl.Expr:
    """Identity of a fact: source, stream, and the source's own key of it."""
    return _joined("source", "stream", "fact_key").map_batches(digest, return_dtype=pl.String)


def event_id(follows: str = "follows") -> pl.Expr:
    """Identity of a statement about a fact.

    `follows` names the column with the retraction that the statement comes after (null for the first one), so that a
    value which changes and changes back is stated three times, and the same statement read twice is one.
    """
    return _joined("fact_id", "content_hash", pl.col(follows).fill_null("")).map_batches(digest, return_dtype=pl.String)


def retraction_id() -> pl.Expr:
    """Identity of the withdrawal of an event: an event is withdrawn once."""
    return _joined(pl.lit("retraction"), "retracts").map_batches(digest, return_dtype=pl.String)


def facts_frame(facts: pl.LazyFrame) -> pl.LazyFrame:
    """`facts` with every column of `FACT_SCHEMA`, in its order and types; left-out columns are null.

    Raises `ValueError` for a missing required column or one that the vocabulary does not know.
    """
    found = facts.collect_schema().names()
    if missing := [name for name in REQUIRED_FACT_COLUMNS if name not in found]:
        raise ValueError(f"a mapping left out {', '.join(missing)}; every fact has {', '.join(REQUIRED_FACT_COLUMNS)}")
    if unknown := [name for name in found if name not in FACT_SCHEMA]:
        raise ValueError(f"a mapping gave {', '.join(unknown)}, which the vocabulary does not declare")
    return facts.select(shapes.columns(FACT_SCHEMA, found))


def empty_log() -> pl.LazyFrame:
    """A log in which nothing was ever recorded."""
    return pl.LazyFrame(schema=dict(EVENT_SCHEMA))


def current(log: pl.LazyFrame) -> pl.LazyFrame:
    """The events that now hold: the log without retractions, what they withdrew, and tombstones of what was erased."""
    withdrawn = log.filter(pl.col("event_type") == RETRACTED).select(pl.col("retracts").alias("event_id"))
    return log.filter(~pl.col("event_type").is_in([RETRACTED, ERASED])).join(withdrawn, on="event_id", how="anti")


def as_known_at(log: pl.LazyFrame, instant: datetime) -> pl.LazyFrame:
    """The events that held by what had been recorded up to and including `instant` (an aware datetime)."""
    return current(log.filter(pl.col("recorded_at") <= instant))
