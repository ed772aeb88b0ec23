"""Delta tables on a disk that can lose power: scan, append, and never an older state in silence.

Belongs here: the few things that every table of ours needs from Delta. Does not: what is in a table.

deltalake does not fsync, and a log whose last entry is missing, empty or cut between two lines reads as a shorter
table, without an error. So each commit is flushed to the disk, and which entry was the newest, and what was in it, is
noted in a second file that is checked on reading. A commit that nobody noted, because its writer was killed, counts
once it is readable: its writer never said that it was done.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

_MARK = ".newest_version"
_RESTORE = "Restore the folder from a backup"


class LakeError(Exception):
    """A table on disk is not what was last written. Names the table, what was found and what to do."""


class Overtaken(Exception):
    """Another process wrote to a table after this one had read it. Nothing was appended; the next run starts anew."""


def version(path: Path) -> int | None:
    """The table's version, None where there is no table. Raises `LakeError` when what had been written is not there."""
    newest, digest = _mark(path)  # first: a commit that is made meanwhile is one more than was noted, never one less
    try:
        found: int | None = DeltaTable(path).version()
    except TableNotFoundError:
        found = None
    except DeltaError as damage:
        why = str(damage).partition("\n")[0]
        raise LakeError(f"{path}: its _delta_log cannot be read ({why}). {_RESTORE}") from None
    if newest is None:
        return found
    if found is None or found < newest:
        raise LakeError(
            f"{path}: the newest version on disk is {found}, but version {newest} had been written. "
            f"Files of its _delta_log are missing. {_RESTORE}"
        )
    if (entry := _entry(path, newest)).exists() and _digest(entry) != digest:
        raise LakeError(
            f"{path}: {entry.name} of its _delta_log ({entry.stat().st_size} bytes) is not what had been written. "
            f"{_RESTORE}"
        )
    return found


def scan(path: Path, schema: dict[str, pl.DataType]) -> pl.LazyFrame:
    """The table as a lazy frame with these columns; one that does not exist yet is empty."""
    if version(path) is None:
        return pl.LazyFrame(schema=schema)
    # Not scan_delta: it takes a path for a URL, and fails where one has a space, an accent or a sign such as # or [.
    files = [unquote(uri) for uri in DeltaTable(path).file_uris()]
    if not files:
        return pl.LazyFrame(schema=schema)
    found = pl.scan_parquet(files, glob=False, missing_columns="insert", extra_columns="ignore")
    present = found.collect_schema().names()
    return found.select(
        pl.col(name).cast(dtype) if name in present else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in schema.items()
    )


def create(path: Path, schema: dict[str, pl.DataType]) -> None:
    """An empty table with these columns, where there is none; of several processes that want one, one makes it."""
    if version(path) is not None:
        return
    path.mkdir(parents=True, exist_ok=True)
    with suppress(DeltaError):
        DeltaTable.create(path, Schema.from_arrow(pl.DataFrame(schema=schema).to_arrow().schema))
    if version(path) is None:
        raise LakeError(f"{path}: the table cannot be made. Make the folder writable, with room on its disk")


def append(path: Path, rows: pl.DataFrame, writer: str) -> int:
    """Append rows that are true whatever else the table holds, in one commit; returns the table's new version."""
    return append_after(version(path), path, rows, writer)


def append_after(before: int | None, path: Path, rows: pl.DataFrame, writer: str) -> int:
    """Append rows that were made from the table at a version, in one commit, or none at all; returns the new version.

    before: the version that was read, taken before the reading began; None where there was no table. Raises `Overtaken`
    where the table has moved on since: a run that was believed dead, and wakes, cannot say again what another one has
    said in its place. `writer` is noted with the commit.
    """
    following = 0 if before is None else before + 1
    try:
        write_deltalake(
            path if before is None else DeltaTable(path, version=before),
            rows,  # as it is: `to_arrow` is one more copy
            mode="error" if before is None else "append",
            schema_mode="merge",
            commit_properties=CommitProperties(
                app_transactions=[Transaction(app_id=writer, version=following)], max_commit_retries=0
            ),
        )
    except DeltaError:
        if (found := version(path)) == before:
            raise
        raise Overtaken(
            f"{path}: another process wrote version {found} while this one worked on version {before}. "
            "Nothing was appended: run again"
        ) from None
    settle(path)
    return following


def settle(path: Path) -> None:
    """Flush the newest commit to the disk and note it, so that it cannot be lost in silence."""
    written: int = DeltaTable(path).version()
    _flush(path, _entry(path, written))
    _note(path, written)


def _flush(path: Path, newest: Path) -> None:
    since = newest.stat().st_mtime - 600
    files = [file for file in path.rglob("*.parquet") if file.stat().st_mtime >= since]
    for file in [*files, newest, newest.parent, path]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _entry(path: Path, of_version: int) -> Path:
    return path / "_delta_log" / f"{of_version:020d}.json"


def _digest(entry: Path) -> str:
    return hashlib.sha256(entry.read_bytes()).hexdigest()[:32]


def _mark(path: Path) -> tuple[int | None, str]:
    try:
        newest, digest = (path / _MARK).read_text(encoding="ascii").split()
        return int(newest), digest
    except (FileNotFoundError, ValueError):
        return None, ""


def _note(path: Path, written: int) -> None:
    """Note a version, whole or not at all. Another process may be noting one too: the later one stays."""
    marked, _ = _mark(path)
    if marked is not None and marked > written:
        return
    aside = path / f"{_MARK}.{written}"
    with aside.open("w", encoding="ascii") as file:
        file.write(f"{written} {_digest(_entry(path, written))}")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileNotFoundError):
        aside.replace(path / _MARK)
    for left_over in path.glob(f"{_MARK}.*"):
        if left_over.suffix[1:].isdigit() and int(left_over.suffix[1:]) <= written:
            left_over.unlink(missing_ok=True)
