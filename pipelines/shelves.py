"""The tables of the raw zone that may name people, and what one of them has of somebody.

Belongs here: finding those tables, and which of their records are whose. Does not: where a stream's records name people
(`people`), what becomes of what is found (`erasure`, `sweeping`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from pipelines import lake
from pipelines.load import Lake, Source
from pipelines.people import NOBODY, WHEREVER, Identity, IsErased, People
from pipelines.raw_zone import RAW_SCHEMA
from pipelines.source import Pseudonym, Stream
from pipelines.suppression import Suppressed, SuppressedOf

_ROWS_AT_ONCE = 20_000


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
