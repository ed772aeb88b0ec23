"""What was erased and must not come back: a list that tells it again when it is seen, and tells nobody else.

Belongs here: the list, and what it does to what a vendor serves. Does not: who is put on it (`erasure`), or where a
record names people (`people`).

The list has keyed digests alone, of records (source, stream, key) and of people (source, kind of id, id); the key is
the organisation's pseudonym key. Who has the list without the key learns nothing from it; without the key it suppresses
nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import lake
from pipelines.people import IsErased, People
from pipelines.source import Pseudonym, Record

SUPPRESSED_SCHEMA: dict[str, pl.DataType] = {
    "digest": pl.String(),
    "recorded_at": UTC_MICROSECONDS,
}

GONE = "…"
"""What stands in a text where an id stood."""

TOKEN, _WORD = re.compile(r"\w+(?:[-.]\w+)*"), re.compile(r"\w+")
_REMEMBERED = 100_000


def record_digest(pseudonym: Pseudonym, source: str, stream: str, key: str) -> str:
    """The digest of a record."""
    return pseudonym("\x1f".join(("erased record", source, stream, key)))


def person_digest(pseudonym: Pseudonym, source: str, kind: str, id_: str) -> str:
    """The digest of a person's id."""
    return pseudonym("\x1f".join(("erased person", source, kind, id_.strip())))


@dataclass(frozen=True)
class Suppressed:
    """The list of one organisation, as it was read."""

    digests: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> Suppressed:
        """The list as it is now; empty where nobody was ever erased."""
        return cls(frozenset(lake.scan(path, SUPPRESSED_SCHEMA).select("digest").collect().to_series().to_list()))

    def of(self, source: str, pseudonym: Pseudonym) -> SuppressedOf:
        """What it suppresses of one source."""
        return SuppressedOf(source, pseudonym, self.digests)


def suppress(path: Path, digests: Iterable[str], recorded_at: datetime) -> None:
    """Put digests on the list that are not there."""
    new = sorted(set(digests) - Suppressed.read(path).digests)
    if new:
        rows = pl.DataFrame({"digest": new}, schema={"digest": pl.String}).with_columns(
            recorded_at=pl.lit(recorded_at.astimezone(UTC), UTC_MICROSECONDS)
        )
        lake.append(path, rows, writer="suppression")


@dataclass(frozen=True)
class SuppressedOf:
    """What is suppressed of one source."""

    source: str
    pseudonym: Pseudonym
    digests: frozenset[str]

    @cached_property
    def is_person(self) -> IsErased:
        """Whether an id of a kind is of somebody who was erased."""
        if not self.digests:
            return lambda kind, id_: False

        @lru_cache(_REMEMBERED)
        def is_erased(kind: str, id_: str) -> bool:
            return person_digest(self.pseudonym, self.source, kind, id_) in self.digests

        return is_erased

    def is_record(self, stream: str, key: str) -> bool:
        """Whether a record was erased."""
        return bool(self.digests) and record_digest(self.pseudonym, self.source, stream, key) in self.digests

    def applied(self, stream: str, people: People, record: Record) -> Record | None:
        """The record as it may be stored: without mentions of those who were erased; None where it is theirs."""
        if not self.digests:
            return record
        if self.is_record(stream, record.key) or people.is_theirs(record.key, record.payload, self.is_person):
            return None
        payload = people.without(record.payload, self.is_person)
        return record if payload is record.payload else replace(record, payload=payload)

    def cursor(self, stream: str, people: People, cursor: str | None) -> str | None:
        """A vendor's cursor without erased records: None (which reads more) where one stands in it for good."""
        if cursor is None or not self.digests:
            return cursor

        def is_gone(text: str) -> bool:
            return self.is_record(stream, text) or any(self.is_person(*one) for one in people.in_key(text))

        try:
            content = orjson.loads(cursor)
        except orjson.JSONDecodeError:
            return None if any(is_gone(token) for token in _tokens(cursor)) else cursor
        kept = _listed_without(content, is_gone)
        return cursor if kept == content else orjson.dumps(kept).decode()

    def text(self, stream: str, people: People, text: str | None) -> str | None:
        """A text that people read, such as why a reading failed, without the ids of erased records and people."""
        if text is None or not self.digests:
            return text

        def kept(token: re.Match[str]) -> str:
            one = token[0]
            is_gone = self.is_record(stream, one) or any(self.is_person(kind, one) for kind in people.kinds)
            return GONE if is_gone else one

        return TOKEN.sub(kept, text)


def _tokens(cursor: str) -> Iterator[str]:
    """The words of a text, and of what it says if it is in base 64, as cursors often are."""
    yield from (*TOKEN.findall(cursor), *_WORD.findall(cursor))
    try:
        decoded = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        return
    yield from _WORD.findall(decoded)


def _listed_without(content: Any, is_gone: Any) -> Any:
    """JSON whose lists have lost some texts."""
    if isinstance(content, dict):
        return {name: _listed_without(value, is_gone) for name, value in content.items()}
    if isinstance(content, list):
        return [_listed_without(value, is_gone) for value in content if not (isinstance(value, str) and is_gone(value))]
    return content
