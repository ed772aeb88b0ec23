"""What the event log loses by an erasure: the events of those who are erased, and their mentions in those of others.

Belongs here: which rows go, which are renewed, and the tombstones. Does not: who is erased (`erased`), how the log is
rewritten (`sweeping`), what a tombstone is (`event_log`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from kr_definitions.events import current, fact_id
from pipelines import event_log, lake, mapped
from pipelines.erased import RECORD, STREAM, Erased
from pipelines.load import Lake
from pipelines.shelves import Shelf
from pipelines.source import Stream
from pipelines.understanding import understand


@dataclass(frozen=True)
class Losses:
    """What becomes of the log: rows that stay, facts that are renewed, tombstones; how many rows that makes.

    event_ids: of the events that are not in it any more (None), or under another id.
    """

    others: pl.LazyFrame
    renewed: pl.DataFrame
    tombstones: pl.DataFrame
    height: int
    event_ids: Mapping[str, str | None]


def losses_of(lake_of_org: Lake, erased: Erased, at: datetime) -> Losses:
    """What becomes of the log of an organisation."""
    return _Log(lake_of_org, erased, at).losses()


@dataclass(frozen=True)
class _Log:
    lake_of_org: Lake
    erased: Erased
    at: datetime

    def losses(self) -> Losses:
        rows = event_log.complete(lake.stored(self.lake_of_org.log.path))
        recorded_at = self.lake_of_org.log.next_instant(self.at)
        records = pl.concat([self.erased.records(rows), self.erased.links(rows)]).lazy()
        theirs = rows.join(records, on=RECORD, how="semi").collect()
        others = rows.join(records, on=RECORD, how="anti")
        for column, flag in (("account_id", "_is_account"), ("actor", "_is_actor")):
            others = others.join(self.erased.named_in(rows, column, flag).lazy(), on=[*STREAM, column], how="left")
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
        return Losses(
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
        for shelf in self.erased.shelves:
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
