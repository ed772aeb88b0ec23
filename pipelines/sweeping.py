"""Sweeping a lake: every table without what is on the list of what was erased, and nothing of it left on the disk.

Belongs here: what each table loses, the log aside (`losses`). Does not: who is on the list (`erasure`, `suppression`),
which records are theirs (`shelves`, `erased`), how a table is rewritten (`lake.rewrite`).

Records that are theirs go with all that they ever stated: events, retractions, what was set aside. Of others that
mention them, the mention goes, now and in every earlier version; their events lose it too, and with it the identities
that were made of it. A fact that such a record no longer states without the mention (a recommendation by the person)
goes as theirs do. The log gains tombstones: how many events of which type and day it has lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from pipelines import lake
from pipelines.erased import OURSELVES, RECORD, SIGNER, STREAM, Erased
from pipelines.load import Lake, Source
from pipelines.losses import losses_of
from pipelines.raw_zone import RAW_SCHEMA, replayed
from pipelines.shelves import Shelf, judged, shelves
from pipelines.suppression import GONE, TOKEN, record_digest, suppress
from pipelines.throwaway import remove_left_over

_ERASED_MEMBER = re.compile(r"erased (\d+)")


def sweep(lake_of_org: Lake, sources: Sequence[Source], at: datetime) -> None:
    """Take out of every table what is on the list, and remove from disk what they held before.

    Raises `Busy` where another process is writing to one: what was done until then is done.
    """
    on = shelves(lake_of_org, sources)
    for shelf in on:
        _sweep_raw(lake_of_org, shelf, at)
    suppressed = lake_of_org.suppressed()
    erased = Erased(on, suppressed, suppressed.of(OURSELVES, sources[0].account.pseudonym))
    _Flat(lake_of_org, erased, at).sweep()
    remove_left_over()


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
    erased: Erased
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
                loses = losses_of(self.lake_of_org, self.erased, self.at)
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
        kept = rows.join(self.erased.records(rows.lazy()), on=RECORD, how="anti")
        newest = pl.concat(
            [
                self.lake_of_org.raw.newest(shelf.source, shelf.name).select(
                    pl.lit(shelf.source).alias("source"),
                    pl.lit(shelf.name).alias("stream"),
                    "record_key",
                    newest="record_id",
                )
                for shelf in self.erased.shelves
            ]
            or [pl.LazyFrame(schema=dict.fromkeys([*RECORD, "newest"], pl.String))]
        )
        held = pl.concat(
            [
                lake.scan(shelf.path, RAW_SCHEMA).select("record_id", is_held=pl.lit(value=True))
                for shelf in self.erased.shelves
            ]
            or [pl.LazyFrame(schema={"record_id": pl.String, "is_held": pl.Boolean})]
        )
        renewed = (
            kept.lazy()
            .join(newest, on=RECORD, how="left", maintain_order="left")
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
            self.erased.of(source, stream).cursor(stream, self.erased.people_of(source, stream), cursor)
            for source, stream, cursor in rows.select(*STREAM, "cursor").iter_rows()
        ]
        return self._said(rows, "failure").with_columns(pl.Series("cursor", cursors, dtype=pl.String))

    def _seals(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What was sealed stays sealed; by whom, is not said any more."""
        signers = rows.get_column("sealed_by").drop_nulls().unique().to_list()
        erased = [one for one in signers if self.erased.ourselves.is_person(SIGNER, one) or self.erased.is_anybody(one)]
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
        erased = sorted(member for member in members if self.erased.is_anybody(member))
        return {member: f"erased {number}" for number, member in enumerate(erased, start=taken + 1)}

    def _movers(self, rows: pl.DataFrame, names: dict[str, str], event_ids: Mapping[str, str | None]) -> pl.DataFrame:
        """What moved a reported figure, without naming events that are gone."""
        return rows.with_columns(pl.col("member").replace(names), pl.col("event_id").replace(dict(event_ids)))

    def _findings(self, rows: pl.DataFrame, event_ids: Mapping[str, str | None]) -> pl.DataFrame:
        def kept(token: re.Match[str]) -> str:
            return GONE if token[0] in event_ids or self.erased.is_anybody(token[0]) else token[0]

        found = [None if text is None else TOKEN.sub(kept, text) for text in rows.get_column("found")]
        return rows.with_columns(pl.Series("found", found, dtype=pl.String))

    def _said(self, rows: pl.DataFrame, column: str) -> pl.DataFrame:
        """Rows whose text in a column quotes nobody who is erased."""
        texts = [
            self.erased.of(source, stream).text(stream, self.erased.people_of(source, stream), text)
            for source, stream, text in rows.select(*STREAM, column).iter_rows()
        ]
        return rows.with_columns(pl.Series(column, texts, dtype=pl.String))


def _put(table: Path, parts: list[pl.LazyFrame], height: int) -> None:
    schema = lake.stored(table).collect_schema()
    rows = pl.concat(parts, how="diagonal_relaxed").select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    lake.rewrite(table, rows, height, writer="erasure")
