"""What a reading says that was not stored yet: new records, those that are there no more, those that moved.

Belongs here: what is known of a stream's stored records while it is read, and telling by it what has to be stored.
Does not: reading, or storing (`raw_zone`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
import polars as pl

from pipelines.source import Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FEWEST_DOUBTED = 20
"""A vendor's list of fewer records may lose most of them at once without being doubted, though not all of several."""

_FURTHEST_AHEAD = 24 * 3_600 * 1_000_000
"""A reading may last for hours; a last change that is further ahead of it would outlive every later one."""


class Novelty:
    """Tells whether a record says anything that the newest stored one of its key and revision does not."""

    def __init__(self, source: str, stream: str, recorded_at: datetime, stored: pl.LazyFrame) -> None:
        self.source, self.stream, self.recorded_at = source, stream, epoch_microseconds(recorded_at)
        newest = (
            stored.select(
                "record_key",
                pl.col("revision").dt.epoch("us"),
                "content_hash",
                "record_id",
                pl.col("recorded_at").dt.epoch("us"),
            )
            .sort("recorded_at", "record_id")
            .unique(["record_key", "revision"], keep="last", maintain_order=True)
            .collect()
        )
        self.known: dict[tuple[str, int | None], tuple[str, str, int]] = {
            (key, revision): (content, record_id, at) for key, revision, content, record_id, at in newest.iter_rows()
        }

    def row(self, record: Record) -> dict[str, Any] | None:
        payload = orjson.dumps(record.payload, option=orjson.OPT_SORT_KEYS)
        content = _digest(payload, b"deleted" if record.is_deleted else b"")
        revision = self._revision(record)
        known_content, follows, known_at = self.known.get((record.key, revision), (None, "", 0))
        if known_content == content:
            return None
        recorded_at = max(self.recorded_at, known_at + 1)
        identity = "\x1f".join((self.source, self.stream, record.key, str(revision), content, follows))
        record_id = _digest(identity.encode())
        self.known[record.key, revision] = (content, record_id, recorded_at)
        if "latest" in self.__dict__ and revision is not None:
            self.latest[record.key] = max(revision, self.latest.get(record.key, revision))
        return {
            "record_id": record_id,
            "record_key": record.key,
            "revision": None if revision is None else EPOCH + timedelta(microseconds=revision),
            "content_hash": content,
            "is_deleted": record.is_deleted,
            "payload": payload.decode(),
            "recorded_at": EPOCH + timedelta(microseconds=recorded_at),
        }

    def _revision(self, record: Record) -> int | None:
        """A record's own, or, of a deletion without one, that of what is held; never one that is yet to come."""
        if record.revision is not None:
            at = epoch_microseconds(record.revision)
            return self.recorded_at if at > self.recorded_at + _FURTHEST_AHEAD else at
        return self.latest.get(record.key) if record.is_deleted else None

    @cached_property
    def latest(self) -> dict[str, int]:
        """The last revision that is known of each record."""
        found: dict[str, int] = {}
        for key, revision in self.known:
            if revision is not None:
                found[key] = max(revision, found.get(key, revision))
        return found


class Moved:
    """The records of a stream that are held under other keys than those under which their things come now.

    identity: the part of a record's key that stays when the rest of it is corrected. A thing that comes under several
    keys in one reading has not moved: it contradicts itself.
    """

    def __init__(self, newest: pl.LazyFrame, identity: Callable[[str], str]) -> None:
        self._identity = identity
        self._held: dict[str, dict[str, datetime | None]] = {}
        self._came: dict[str, set[str]] = {}
        kept = newest.filter(~pl.col("is_deleted")).select("record_key", "revision").collect()
        for key, revision in kept.iter_rows():
            self._held.setdefault(identity(key), {})[key] = revision

    def notice(self, page: list[Record]) -> None:
        """Take notice of what has come."""
        for record in page:
            thing = self._identity(record.key)
            if thing in self._held:
                self._came.setdefault(thing, set()).add(record.key)

    def left(self) -> list[Record]:
        """What is held of the things that came until now, and did not come: deleted after the last that is known."""
        return [
            Record(key, self._held[thing].pop(key), {}, is_deleted=True)
            for thing, came in self._came.items()
            for key in self._held[thing].keys() - came
        ]


def are_too_many(missing: int, known: int, most: float, fewest: int = FEWEST_DOUBTED) -> bool:
    """Whether so much is missing of what was known that half a file, or another account's view, is the likelier cause.

    most: the share that may be. fewest: of how many, at least, only a part may be missing for that.
    """
    return (most < 1 and missing == known > 1) or (known >= fewest and missing > max(1, most * known))


class Held:
    """The records of a stream as they are held, beside all that there is.

    believed_at: when the last complete reading was recorded; what was held by then is what another one is
    measured by, so that what a doubted reading had stored speaks neither for nor against the next one. None: nothing
    is. fewest: of how many records some may be missing, and not only all, before that is doubted. group: where given,
    only records whose key is that of their group are looked at: others go along with it. found: the keys of those that
    there are.
    """

    def __init__(
        self,
        stored: pl.LazyFrame,
        newest: pl.LazyFrame,
        believed_at: datetime | None,
        fewest: int = 0,
        group: Callable[[pl.Expr], pl.Expr] | None = None,
        found: Iterable[str] = (),
    ) -> None:
        key = pl.col("record_key")
        kept = newest.filter(~pl.col("is_deleted"), key == (key if group is None else group(key)))
        self.revisions: dict[str, datetime | None] = dict(kept.select("record_key", "revision").collect().iter_rows())
        of_then = stored.filter(pl.col("recorded_at") <= pl.lit(believed_at)).select(key.unique())
        self.believed: set[str] = self.revisions.keys() & set(of_then.collect().to_series())
        self.fewest, self.found = fewest, set(found)

    def gone(self, unsure: Callable[[str], bool] | None = None) -> list[Record]:
        """What was held and was not found: deleted after the last that is known of it. unsure: see `Covered`."""
        return [
            Record(key, revision, {}, is_deleted=True)
            for key, revision in self.revisions.items()
            if key not in self.found and not (unsure is not None and unsure(key))
        ]

    def doubt(self, most_removed: float) -> str | None:
        """What is missing, where that is so much that the file is likelier to be half a file, or the account's view."""
        known, missing = len(self.believed), len(self.believed - self.found)
        if not are_too_many(missing, known, most_removed, self.fewest):
            return None
        return f"{missing} of the {known} records that were known are not in it"


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:32]


def epoch_microseconds(instant: datetime) -> int:
    """An instant as the lake keeps it."""
    if instant.tzinfo is None:
        raise ValueError(f"revision {instant} has no zone")
    return round(instant.timestamp() * 1_000_000)
