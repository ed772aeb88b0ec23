"""Readings that did not come to their end: how far each had got, so that the next run goes on from there.

Belongs here: what is noted of such a reading, and when a note holds. Does not: what a place in a reading is (each
stream's `Mark`s), or what has been read completely (the loads).

A note is made after the records before it are stored, and says which version of the stream's table they are in: where
that table is an older one now, it was restored from a backup, and the note holds no longer. Losing a note loses
nothing: what was stored is read again and found to be known. So notes are plain files, replaced as a whole.

A note that leads nowhere would be followed for ever: one that holds no longer is forgotten when it is found, and so is
one whose mark the vendor, or the stream itself, does not take any more (`load`).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from pipelines.source import Clock, Read


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The notes of one organisation's readings, below `root`."""

    root: Path

    def found(
        self, source: str, stream: str, asked: str, version: int | None, ended_at: datetime | None, clock: Clock
    ) -> Read | None:
        """What an interrupted reading was asked for, and its last mark; None where there is nothing to go on from.

        asked: changes with what is asked of each record: a reading that was asked for something else is not gone on
        with. version: of the stream's table, as it is now. ended_at: when the last complete reading was recorded: one
        that began before that was completed, and killed before its note was forgotten.
        """
        try:
            noted = orjson.loads(self._file(source, stream).read_bytes())
            since = None if noted["since"] is None else datetime.fromisoformat(noted["since"]).astimezone(UTC)
            until = datetime.fromisoformat(noted["until"]).astimezone(UTC)
            is_ours = noted["asked"] == asked and version is not None and version >= noted["version"]
            if is_ours and (ended_at is None or ended_at < until):
                return Read(since, until, noted["cursor"], clock, noted["mark"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            pass
        self.ended(source, stream)
        return None

    def note(self, source: str, stream: str, asked: str, version: int | None, read: Read, mark: str) -> None:
        """Note how far a reading has got; what it yielded until then is stored."""
        file = self._file(source, stream)
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "asked": asked,
            "version": version,
            "since": read.since,
            "until": read.until,
            "cursor": read.cursor,
            "mark": mark,
        }
        aside = file.with_name(f"{file.name}.{os.getpid()}.new")
        with aside.open("wb") as writing:
            writing.write(orjson.dumps(content))
            writing.flush()
            os.fsync(writing.fileno())
        aside.replace(file)

    def ended(self, source: str, stream: str) -> None:
        """Forget a reading that has come to its end, or to none."""
        self._file(source, stream).unlink(missing_ok=True)

    def forget(self) -> None:
        """Forget all of them: the next readings begin anew."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _file(self, source: str, stream: str) -> Path:
        return self.root / source.replace("-", "_") / f"{stream}.json"


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one run's readings, by stream: those that they began at (None: at none), and the last ones noted."""

    began: dict[str, str | None] = field(default_factory=dict)
    passed: dict[str, str] = field(default_factory=dict)

    @property
    def stuck(self) -> frozenset[str]:
        """The streams whose readings were gone on with, and got no further."""
        return frozenset(
            stream for stream, mark in self.began.items() if mark is not None and self.passed.get(stream, mark) == mark
        )
