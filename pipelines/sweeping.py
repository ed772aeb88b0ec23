"""Sweeping a lake: every table without what is on the list of what was erased, and nothing of it left on the disk.

Belongs here: what each table loses. Does not: who is on the list (`erasure`, `suppression`), how a table is rewritten
(`lake.rewrite`).

Records that are theirs go with all that they ever stated: events, retractions, what was set aside. Of others that
mention them, the mention goes, now and in every earlier version; their events lose it too, and with it the identities
that were made of it. A fact that such a record no longer states without the mention (a recommendation by the person)
goes as theirs do. The log gains tombstones: how many events of which type and day it has lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from kr_definitions.events import current, fact_id
from pipelines import event_log, identity, lake, mapped
from pipelines.load import Lake, Source
from pipelines.people import NOBODY, WHEREVER, Identity, IsErased, People
from pipelines.raw_zone import RAW_SCHEMA, replayed
from pipelines.source import Pseudonym, Stream
from pipelines.suppression import GONE, TOKEN, Suppressed, SuppressedOf, record_digest, suppress
from pipelines.throwaway import remove_left_over
from pipelines.understanding import understand

OURSELVES, SIGNER = "hito", "signer"
"""The source and the kind of the ids that people sign seals with: pseudonyms, of whatever they call themselves."""

_ROWS_AT_ONCE = 20_000
_ERASED_MEMBER = re.compile(r"erased (\d+)")
_STREAM = ["source", "stream"]
_RECORD = [*_STREAM, "record_key"]


@dataclass(frozen=True)
class Shelf:
    """The table of a stream in the raw zone. stream: None where it is not declared any more."""

    source: str
    name: str
    path: Path
    pseudonym: Pseudonym
    stream: Stream | None = None

    @cached_property
    def people(self) -> People:
        """Where its records name people."""
        return WHEREVER if self.stream is None else self.stream.people

    def suppressed(self, of_org: Suppressed) -> SuppressedOf:
        """What is suppressed of its source."""
        return of_org.of(self.source, self.pseudonym)


@dataclass(frozen=True)
class Judged:
    """What a shelf has of somebody.

    theirs, mentioning: the keys of records that are theirs, and of others that name them. rows: all of both
    (`RAW_SCHEMA`). identities: the ids that they are named by.
    """

    theirs: frozenset[str]
    mentioning: frozenset[str]
    rows: pl.DataFrame
    identities: frozenset[Identity]


def shelves(lake_of_org: Lake, sources: Sequence[Source]) -> list[Shelf]:
    """The tables of the raw zone that may name people, those of streams that are not declared any more included."""
    declared = {
        lake_of_org.raw.path(source.name, stream.name): (source, stream)
        for source in sources
        for stream in source.streams()
    }
    found = []
    names = _names_in_log(lake_of_org)
    for path in sorted(entries.parent for entries in (lake_of_org.root / "raw").glob("*/*/_delta_log")):
        if path in declared:
            source, stream = declared[path]
            if stream.people is not NOBODY:
                found.append(Shelf(source.name, stream.name, path, source.account.pseudonym, stream))
        else:
            folder = path.parent.name
            found.append(Shelf(names.get(folder, folder), path.name, path, sources[0].account.pseudonym))
    return found


def judged(shelf: Shelf, is_erased: IsErased, is_record: Callable[[str], bool] = lambda key: False) -> Judged:
    """What a shelf has of those who are erased. is_record: whether the record with a key has been erased already."""
    people = shelf.people
    keys = _naming(shelf, is_erased, is_record)
    rows = lake.scan(shelf.path, RAW_SCHEMA).filter(pl.col("record_key").is_in(list(keys))).collect()
    theirs, identities = set(), set[Identity]()
    for key, payloads in _by_record(rows):
        is_theirs = is_record(key) or any(is_erased(*one) for one in _being(people, key, payloads))
        owners = next((found for one in reversed(payloads) if (found := people.owners(one))), frozenset())
        if is_theirs or (owners and all(is_erased(*one) for one in owners)):
            theirs.add(key)
        named = {one for payload in payloads for one in people.named(key, payload)}
        identities |= {one for one in named if is_erased(*one)}
        if is_theirs and people.are_people:
            identities |= set(_being(people, key, payloads))
    return Judged(frozenset(theirs), frozenset(keys - theirs), rows, frozenset(identities))


def sweep(lake_of_org: Lake, sources: Sequence[Source], at: datetime) -> None:
    """Take out of every table what is on the list, and remove from disk what they held before.

    Raises `Busy` where another process is writing to one: what was done until then is done.
    """
    on = shelves(lake_of_org, sources)
    for shelf in on:
        _sweep_raw(lake_of_org, shelf, at)
    suppressed = lake_of_org.suppressed()
    _Flat(lake_of_org, on, suppressed, suppressed.of(OURSELVES, sources[0].account.pseudonym), at).sweep()
    remove_left_over()


def _naming(shelf: Shelf, is_erased: IsErased, is_record: Callable[[str], bool]) -> frozenset[str]:
    """The keys of the records that name somebody who is erased, in any version, or that have been erased."""
    found = set[str]()
    rows = lake.scan(shelf.path, RAW_SCHEMA).select("record_key", "payload")
    for batch in rows.collect_batches(chunk_size=_ROWS_AT_ONCE):
        for key, payload in batch.iter_rows():
            if key not in found and (
                any(is_erased(*one) for one in shelf.people.named(key, orjson.loads(payload))) or is_record(key)
            ):
                found.add(key)
    return frozenset(found)


def _by_record(rows: pl.DataFrame) -> Iterable[tuple[str, list[Any]]]:
    """Each record's key with the payloads of its versions, oldest first; those of deletions say nothing of it."""
    ordered = rows.sort("revision", "recorded_at", "record_id", nulls_last=False)
    by_key: dict[str, list[Any]] = {}
    for key, payload in ordered.select("record_key", "payload").iter_rows():
        by_key.setdefault(key, []).append(orjson.loads(payload))
    return by_key.items()


def _being(people: People, key: str, payloads: Iterable[Any]) -> list[Identity]:
    return [one for payload in payloads for one in people.being(key, payload)]


def _names_in_log(lake_of_org: Lake) -> dict[str, str]:
    """The names of sources by the folders that they have in the raw zone."""
    names = lake_of_org.log.scan().select(pl.col("source").unique()).collect().to_series().to_list()
    return {name.replace("-", "_"): name for name in names}


def _sweep_raw(lake_of_org: Lake, shelf: Shelf, at: datetime) -> None:
    suppressed = shelf.suppressed(lake_of_org.suppressed())
    with lake.alone(shelf.path):
        found = judged(shelf, suppressed.is_person, lambda key: suppressed.is_record(shelf.name, key))
        digests = [record_digest(shelf.pseudonym, shelf.source, shelf.name, key) for key in found.theirs]
        suppress(lake_of_org.root / "suppressed", digests, at)
        if found.rows.height:
            rows = lake.stored(shelf.path)
            height = rows.select(pl.len()).collect().item() - found.rows.height
            kept = replayed(
                shelf.source,
                shelf.name,
                found.rows.filter(pl.col("record_key").is_in(list(found.mentioning))),
                lambda payload: shelf.people.without(payload, suppressed.is_person),
            )
            others = rows.filter(~pl.col("record_key").is_in(list(found.theirs | found.mentioning)))
            _put(shelf.path, [others, kept.lazy()], height + kept.height)
        lake.forget(shelf.path)


@dataclass(frozen=True)
class _Flat:
    """The tables that hold all streams together."""

    lake_of_org: Lake
    shelves: Sequence[Shelf]
    suppressed: Suppressed
    ourselves: SuppressedOf
    at: datetime

    def sweep(self) -> None:
        root = self.lake_of_org.root
        names = self._names_of_members()
        self.lake_of_org.under_way.forget()
        self._rewrite(root / "quarantine", self._quarantine)
        self._rewrite(root / "loads", self._loads)
        self._rewrite(root / "seals", self._seals)
        self._rewrite(root / "progress_history", lambda rows: rows.with_columns(pl.col("member").replace(names)))
        log = self.lake_of_org.log
        if log.version() is not None:
            with lake.alone(log.path):
                loses = self._what_the_log_loses()
                self._rewrite(root / "findings", lambda rows: self._findings(rows, loses.event_ids))
                self._rewrite(root / "movers", lambda rows: self._movers(rows, names, loses.event_ids))
                _put(log.path, [loses.others, loses.renewed.lazy(), loses.tombstones.lazy()], loses.height)
                lake.forget(log.path)

    def _rewrite(self, table: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """Rewrite a table, whether it changes or not: whoever made rows of what it was is overtaken."""
        if lake.version(table) is None:
            return
        with lake.alone(table):
            rows = change(lake.stored(table).collect())
            _put(table, [rows.lazy()], rows.height)
            lake.forget(table)

    # What was set aside, read, reported and found

    def _quarantine(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Without what was set aside of their records; other records' rows follow them to their new identities."""
        kept = rows.join(self._erased_records(rows.lazy()), on=_RECORD, how="anti")
        newest = pl.concat(
            [
                self.lake_of_org.raw.newest(shelf.source, shelf.name).select(
                    pl.lit(shelf.source).alias("source"),
                    pl.lit(shelf.name).alias("stream"),
                    "record_key",
                    newest="record_id",
                )
                for shelf in self.shelves
            ]
            or [pl.LazyFrame(schema=dict.fromkeys([*_RECORD, "newest"], pl.String))]
        )
        held = pl.concat(
            [
                lake.scan(shelf.path, RAW_SCHEMA).select("record_id", is_held=pl.lit(value=True))
                for shelf in self.shelves
            ]
            or [pl.LazyFrame(schema={"record_id": pl.String, "is_held": pl.Boolean})]
        )
        renewed = (
            kept.lazy()
            .join(newest, on=_RECORD, how="left", maintain_order="left")
            .join(held, on="record_id", how="left", maintain_order="left")
            .with_columns(
                record_id=pl.when(pl.col("is_held").is_null() & pl.col("newest").is_not_null())
                .then("newest")
                .otherwise("record_id")
            )
            .select(rows.columns)
            .collect()
        )
        return self._said(renewed, "problem")

    def _loads(self, rows: pl.DataFrame) -> pl.DataFrame:
        cursors = [
            self._of(source, stream).cursor(stream, self._people(source, stream), cursor)
            for source, stream, cursor in rows.select(*_STREAM, "cursor").iter_rows()
        ]
        return self._said(rows, "failure").with_columns(pl.Series("cursor", cursors, dtype=pl.String))

    def _seals(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What was sealed stays sealed; by whom, is not said any more."""
        signers = rows.get_column("sealed_by").drop_nulls().unique().to_list()
        erased = [one for one in signers if self.ourselves.is_person(SIGNER, one) or self._is_anybody(one)]
        return rows.with_columns(sealed_by=pl.when(~pl.col("sealed_by").is_in(erased)).then("sealed_by"))

    def _names_of_members(self) -> dict[str, str]:
        """What members of reported figures are called from now on who are erased: what was reported stays reported."""
        tables = [self.lake_of_org.root / name for name in ("progress_history", "movers")]
        members = {
            member
            for table in tables
            if lake.version(table) is not None
            for member in lake.stored(table).select(pl.col("member").unique()).collect().to_series().drop_nulls()
        }
        taken = max((int(number[1]) for one in members if (number := _ERASED_MEMBER.fullmatch(one))), default=0)
        erased = sorted(member for member in members if self._is_anybody(member))
        return {member: f"erased {number}" for number, member in enumerate(erased, start=taken + 1)}

    def _movers(self, rows: pl.DataFrame, names: dict[str, str], event_ids: Mapping[str, str | None]) -> pl.DataFrame:
        """What moved a reported figure, without naming events that are gone."""
        return rows.with_columns(pl.col("member").replace(names), pl.col("event_id").replace(dict(event_ids)))

    def _findings(self, rows: pl.DataFrame, event_ids: Mapping[str, str | None]) -> pl.DataFrame:
        def kept(token: re.Match[str]) -> str:
            return GONE if token[0] in event_ids or self._is_anybody(token[0]) else token[0]

        found = [None if text is None else TOKEN.sub(kept, text) for text in rows.get_column("found")]
        return rows.with_columns(pl.Series("found", found, dtype=pl.String))

    def _said(self, rows: pl.DataFrame, column: str) -> pl.DataFrame:
        """Rows whose text in a column quotes nobody who is erased."""
        texts = [
            self._of(source, stream).text(stream, self._people(source, stream), text)
            for source, stream, text in rows.select(*_STREAM, column).iter_rows()
        ]
        return rows.with_columns(pl.Series(column, texts, dtype=pl.String))

    # The log

    def _what_the_log_loses(self) -> _Losses:
        rows = event_log.complete(lake.stored(self.lake_of_org.log.path))
        recorded_at = self.lake_of_org.log.next_instant(self.at)
        records = pl.concat([self._erased_records(rows), self._links_of_the_erased(rows)]).lazy()
        theirs = rows.join(records, on=_RECORD, how="semi").collect()
        others = rows.join(records, on=_RECORD, how="anti")
        for column, flag in (("account_id", "_is_account"), ("actor", "_is_actor")):
            others = others.join(self._erased_in(rows, column, flag).lazy(), on=[*_STREAM, column], how="left")
        mentions = pl.col("_is_account").is_not_null() | pl.col("_is_actor").is_not_null()
        facts = pl.concat([others.filter(mentions).select("fact_id"), theirs.lazy().select("fact_id")]).unique()
        affected = others.join(facts, on="fact_id", how="semi").collect()
        kept, dropped = self._without_mentions(affected)
        renewed = event_log.renewed(kept.select(theirs.columns))
        gone = [*theirs.get_column("event_id"), *affected.get_column("event_id")]
        lost = pl.concat([theirs, dropped.select(theirs.columns)])
        held = current(pl.concat([theirs, affected.select(theirs.columns)]).lazy()).select("event_id")
        tombstones = event_log.tombstones(lost.lazy().join(held, on="event_id", how="semi"), recorded_at)
        total = rows.select(pl.len()).collect().item()
        return _Losses(
            others=others.join(facts, on="fact_id", how="anti").select(theirs.columns),
            renewed=renewed.drop("was"),
            tombstones=tombstones,
            height=total - theirs.height - affected.height + renewed.height + tombstones.height,
            event_ids={**dict.fromkeys(gone), **dict(renewed.select("was", "event_id").iter_rows())},
        )

    def _without_mentions(self, affected: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows of facts of others without the ids of those who are erased, and the rows that are nothing without them.

        What holds now is as its record says it now; what was withdrawn has no one in their place.
        """
        mentions = pl.col("_is_account").is_not_null() | pl.col("_is_actor").is_not_null()
        holds = current(affected.lazy()).filter(mentions).collect()
        said = self._said_now(holds)
        beside = affected.join(said, on="event_id", how="left", maintain_order="left")
        is_nothing = pl.col("is_stated").eq_missing(other=False)
        kept = beside.filter(~is_nothing).with_columns(
            account_id=pl.when(pl.col("_is_account").is_null()).then("account_id").otherwise("now_account_id"),
            actor=pl.when(pl.col("_is_actor").is_null()).then("actor").otherwise("now_actor"),
        )
        return kept, beside.filter(is_nothing)

    def _said_now(self, holds: pl.DataFrame) -> pl.DataFrame:
        """Of events that hold: whether their records still state them, and the account and actor that they say then.

        Columns: event_id, is_stated (null where the record cannot be understood), now_account_id, now_actor.
        """
        schema = {"event_id": pl.String, "is_stated": pl.Boolean, "now_account_id": pl.String, "now_actor": pl.String}
        found = [pl.DataFrame(schema=schema)]
        for shelf in self.shelves:
            of_shelf = holds.filter(pl.col("source") == shelf.source, pl.col("stream") == shelf.name)
            if shelf.stream is None or of_shelf.is_empty():
                continue
            records = self._in_groups(shelf, shelf.stream, of_shelf)
            versions = self.lake_of_org.raw.scan(shelf.source, shelf.name)
            understood = understand(shelf.stream, shelf.source, records, self.at, versions)
            facts = (
                understood.facts.with_columns(source=pl.lit(shelf.source), stream=pl.lit(shelf.name))
                .with_columns(fact_id().alias("fact_id"))
                .unique("fact_id")
                .select("fact_id", now_account_id="account_id", now_actor="actor", has=pl.lit(value=True))
            )
            found.append(
                of_shelf.lazy()
                .join(understood.touched, on="record_key", how="semi")
                .join(facts, on="fact_id", how="left")
                .select("event_id", pl.col("has").fill_null(value=False).alias("is_stated"), *list(schema)[2:])
                .collect()
            )
        return pl.concat(found)

    def _in_groups(self, shelf: Shelf, stream: Stream, events: pl.DataFrame) -> pl.DataFrame:
        """The newest row of each record that these events are of, and of those that are understood with them."""
        groups = mapped.group_of(stream, events.lazy()).collect()
        return mapped.of_groups(self.lake_of_org.raw, shelf.source, stream, groups)

    # Who is erased

    def _erased_records(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Source, stream and key of the records that were erased, among those of some rows."""
        records = rows.select(_RECORD).unique().collect()
        erased = [
            (source, stream, key)
            for source, stream, key in records.iter_rows()
            if self._of(source, stream).is_record(stream, key)
        ]
        return pl.DataFrame(erased, schema=dict.fromkeys(_RECORD, pl.String), orient="row")

    def _links_of_the_erased(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Source, stream and key of the links to customers who are erased. Those of others are found again."""
        found = rows.filter(pl.col("source") == identity.NAME, pl.col("same_as").is_not_null())
        links = found.select(*_RECORD, "subject_id", "same_as").unique().collect()
        erased = [
            record
            for *record, one, other in links.iter_rows()
            if any(self._is_anybody(account.partition("/")[2]) for account in (one, other))
        ]
        return pl.DataFrame(erased, schema=dict.fromkeys(_RECORD, pl.String), orient="row")

    def _erased_in(self, rows: pl.LazyFrame, column: str, flag: str) -> pl.DataFrame:
        """Source, stream and id of those who are erased and stand in a column, with a flag."""
        found = []
        named = rows.select(*_STREAM, column).drop_nulls(column).unique().collect()
        for source, stream, id_ in named.iter_rows():
            people = self._people(source, stream)
            kind = people.account if column == "account_id" else people.actor
            if kind is not None and self._of(source, stream).is_person(kind, id_):
                found.append((source, stream, id_, True))
        schema = {**dict.fromkeys([*_STREAM, column], pl.String), flag: pl.Boolean}
        return pl.DataFrame(found, schema=schema, orient="row")

    def _is_anybody(self, text: str) -> bool:
        """Whether a text is the id of somebody who is erased, in any source."""
        return any(
            self._of(shelf.source, shelf.name).is_person(kind, text)
            for shelf in self.shelves
            for kind in shelf.people.kinds
        )

    @cached_property
    def _by_stream(self) -> dict[tuple[str, str], tuple[SuppressedOf, People]]:
        of_source: dict[str, SuppressedOf] = {}
        for shelf in self.shelves:
            of_source.setdefault(shelf.source, shelf.suppressed(self.suppressed))
        return {(shelf.source, shelf.name): (of_source[shelf.source], shelf.people) for shelf in self.shelves}

    def _of(self, source: str, stream: str) -> SuppressedOf:
        return self._by_stream.get((source, stream), (_NOTHING, NOBODY))[0]

    def _people(self, source: str, stream: str) -> People:
        return self._by_stream.get((source, stream), (_NOTHING, NOBODY))[1]


_NOTHING = SuppressedOf("", lambda text: text, frozenset())
"""Of a stream whose records name nobody."""


@dataclass(frozen=True)
class _Losses:
    """What becomes of the log: rows that stay, facts that are renewed, tombstones; how many rows that makes.

    event_ids: of the events that are not in it any more (None), or under another id.
    """

    others: pl.LazyFrame
    renewed: pl.DataFrame
    tombstones: pl.DataFrame
    height: int
    event_ids: Mapping[str, str | None]


def _put(table: Path, parts: list[pl.LazyFrame], height: int) -> None:
    schema = lake.stored(table).collect_schema()
    rows = pl.concat(parts, how="diagonal_relaxed").select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    lake.rewrite(table, rows, height, writer="erasure")
