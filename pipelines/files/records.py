"""A reading of a folder's files: every row of every file, and how far they reach.

Belongs here: which files are read, and when they were written. Does not: opening files (`reading`), or what becomes of
their rows (`pipelines.rows.whole`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.files.declaration import FileStream
from pipelines.files.reading import Folder
from pipelines.rows.mapping import Mapping
from pipelines.rows.whole import Reach, Whole
from pipelines.source import Covered, Pseudonym, Read, Record


@dataclass(frozen=True)
class Reading:
    """The fetching half of a stream."""

    folder: Callable[[], Folder]
    stream: FileStream
    mapping: Mapping
    pseudonym: Pseudonym

    def fetch(self, read: Read) -> Generator[list[Record], None, Covered]:
        """Every row of every file, each time: what is not new is stored once anyway."""
        folder = self.folder()
        files = folder.files(self.stream)
        is_snapshot = self.stream.delivery == "snapshot"
        whole = Whole(self.stream, self.mapping, self.pseudonym, is_snapshot)
        ended = yield from whole.records((frame for path in files for frame in folder.rows(path, self.stream)), read)
        written = datetime.fromtimestamp(max(path.stat().st_mtime for path in files), UTC)
        covers = self.stream.covers
        through = covers.through or ("delivery" if is_snapshot else "last_event")
        reach = Reach(folder.source, covers.first, through, self.mapping.zone)
        return reach.covered(read, ended, written, f"{len(files)} files")
