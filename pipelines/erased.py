"""Who is erased, asked of what stands in the tables that hold all streams together.

Belongs here: which of their rows are of somebody who is erased, or name them. Does not: the list (`suppression`), what
becomes of such rows (`sweeping`, `losses`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from pipelines import identity
from pipelines.people import NOBODY, People
from pipelines.shelves import Shelf
from pipelines.suppression import Suppressed, SuppressedOf

OURSELVES, SIGNER = "hito", "signer"
"""The source and the kind of the ids that people sign seals with: pseudonyms, of whatever they call themselves."""

STREAM = ["source", "stream"]
RECORD = [*STREAM, "record_key"]

_NOTHING = SuppressedOf("", lambda text: text, frozenset())
"""Of a stream whose records name nobody."""


@dataclass(frozen=True)
class Erased:
    """Those who are erased, by the shelves that may name them. ourselves: those who sign seals."""

    shelves: Sequence[Shelf]
    suppressed: Suppressed
    ourselves: SuppressedOf

    def records(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Source, stream and key of the records that were erased, among those of some rows."""
        records = rows.select(RECORD).unique().collect()
        erased = [
            (source, stream, key)
            for source, stream, key in records.iter_rows()
            if self.of(source, stream).is_record(stream, key)
        ]
        return pl.DataFrame(erased, schema=dict.fromkeys(RECORD, pl.String), orient="row")

    def links(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Source, stream and key of the links to customers who are erased. Those of others are found again."""
        found = rows.filter(pl.col("source") == identity.NAME, pl.col("same_as").is_not_null())
        links = found.select(*RECORD, "subject_id", "same_as").unique().collect()
        erased = [
            record
            for *record, one, other in links.iter_rows()
            if any(self.is_anybody(account.partition("/")[2]) for account in (one, other))
        ]
        return pl.DataFrame(erased, schema=dict.fromkeys(RECORD, pl.String), orient="row")

    def named_in(self, rows: pl.LazyFrame, column: str, flag: str) -> pl.DataFrame:
        """Source, stream and id of those who are erased and stand in a column, with a flag."""
        found = []
        named = rows.select(*STREAM, column).drop_nulls(column).unique().collect()
        for source, stream, id_ in named.iter_rows():
            people = self.people_of(source, stream)
            kind = people.account if column == "account_id" else people.actor
            if kind is not None and self.of(source, stream).is_person(kind, id_):
                found.append((source, stream, id_, True))
        schema = {**dict.fromkeys([*STREAM, column], pl.String), flag: pl.Boolean}
        return pl.DataFrame(found, schema=schema, orient="row")

    def is_anybody(self, text: str) -> bool:
        """Whether a text is the id of somebody who is erased, in any source."""
        return any(
            self.of(shelf.source, shelf.name).is_person(kind, text)
            for shelf in self.shelves
            for kind in shelf.people.kinds
        )

    @cached_property
    def _by_stream(self) -> dict[tuple[str, str], tuple[SuppressedOf, People]]:
        of_source: dict[str, SuppressedOf] = {}
        for shelf in self.shelves:
            of_source.setdefault(shelf.source, shelf.suppressed(self.suppressed))
        return {(shelf.source, shelf.name): (of_source[shelf.source], shelf.people) for shelf in self.shelves}

    def of(self, source: str, stream: str) -> SuppressedOf:
        return self._by_stream.get((source, stream), (_NOTHING, NOBODY))[0]

    def people_of(self, source: str, stream: str) -> People:
        return self._by_stream.get((source, stream), (_NOTHING, NOBODY))[1]
