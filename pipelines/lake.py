"""Delta tables on a disk that can lose power: scan, append, rewrite, and never an older state in silence.

Belongs here: the few things that every table of ours needs from Delta. Does not: what is in a table.

deltalake does not fsync, and a log whose last entry is missing, empty or cut between two lines reads as a shorter
table, without an error. So each commit is flushed to the disk, and which entry was the newest, and what was in it, is
noted in a second file that is checked on reading. A commit that nobody noted, because its writer was killed, counts
once it is readable: its writer never said that it was done.

Tables only ever gain rows, but for an erasure, which rewrites them (`rewrite`). That is a commit as any other, one
version later, of a file that was written beside the others and counted; then it is made the first that the table knows
of, and what is older is removed: files, entries of the log with the least and the greatest values of their columns,
checkpoints, what killed writers left. Versions go on counting, so whoever had read an older one is `Overtaken`.
Who writes holds the table together with others, who rewrites holds it alone: no file appears while files are removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction

from kr_definitions import shapes

_MARK = ".newest_version"
_RESTORE = "Restore the folder from a backup"
_ROWS_A_GROUP = 20_000
"""Of a file: so many rows are in memory while they are written, and are read or left out together."""

_WRITTEN = WriterProperties(compression="SNAPPY", max_row_group_size=_ROWS_A_GROUP, statistics_truncate_length=64)
"""The least and the greatest value of each column of a file are in the table's log, which is read whole whenever the
table is opened: of a long text (the cursor of a load) their beginnings are enough."""


class LakeError(Exception):
    """A table on disk is not what was last written. Names the table, what was found and what to do."""


class Overtaken(Exception):
    """Another process wrote to a table after this one had read it. Nothing was appended; the next run starts anew."""


class Busy(LakeError):
    """Another process is writing to a table that is to be rewritten."""


@contextmanager
def writing(*tables: Path) -> Iterator[None]:
    """Hold tables against being rewritten while something is added to them, together with whoever else adds to them.

    Waits for a rewriting to end. What was found out before it began may be no longer so: look again inside the block.
    """
    with ExitStack() as stack:
        for table in sorted(set(tables)):
            table.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_locked(table, fcntl.LOCK_SH))
        yield


@contextmanager
def alone(table: Path) -> Iterator[None]:
    """Hold a table that is to be rewritten. Raises `Busy` where somebody is writing to it."""
    with _locked(table, fcntl.LOCK_EX | fcntl.LOCK_NB):
        yield


@contextmanager
def _locked(table: Path, how: int) -> Iterator[None]:
    """A lock on a folder, which ends with its process."""
    handle = os.open(table, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, how)
        except BlockingIOError:
            raise Busy(f"{table}: another process is writing to it. Wait for it to end, then run again") from None
        yield
    finally:
        os.close(handle)


def version(path: Path) -> int | None:
    """The table's version, None where there is no table. Raises `LakeError` when what had been written is not there."""
    table = _opened(path)
    return None if table is None else table.version()


def _opened(path: Path) -> DeltaTable | None:
    """The table at its newest version. Raises as `version` does."""
    newest, digest = _mark(path)  # first: a commit that is made meanwhile is one more than was noted, never one less
    try:
        table: DeltaTable | None = DeltaTable(path)
    except TableNotFoundError:
        table = None
    except DeltaError as damage:
        why = str(damage).partition("\n")[0]
        raise LakeError(f"{path}: its _delta_log cannot be read ({why}). {_RESTORE}") from None
    if newest is None:
        return table
    found = None if table is None else table.version()
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
    return table


def scan(path: Path, schema: dict[str, pl.DataType]) -> pl.LazyFrame:
    """The table as a lazy frame with these columns; one that does not exist yet is empty."""
    if (opened := _opened(path)) is None:
        return pl.LazyFrame(schema=schema)
    # Not scan_delta: it takes a path for a URL, and fails where one has a space, an accent or a sign such as # or [.
    table = _whole(path, opened)
    files = [unquote(uri) for uri in table.file_uris()]
    if not files:
        return pl.LazyFrame(schema=schema)
    found = pl.scan_parquet(files, glob=False, missing_columns="insert", extra_columns="ignore")
    return found.select(shapes.columns(schema, found.collect_schema().names()))


def _whole(path: Path, table: DeltaTable) -> DeltaTable:
    """The table, once its files are there. Raises `LakeError` where one is missing or not as long as it was written."""
    if (damage := _damage(path, table)) is None:
        return table
    newer = DeltaTable(path)  # an erasure may have removed what the older one held
    if newer.version() == table.version() or (damage := _damage(path, newer)) is not None:
        raise LakeError(f"{path}: {damage}. {_RESTORE}")
    return newer


def _damage(path: Path, table: DeltaTable) -> str | None:
    for one in pa.table(table.get_add_actions()).select(["path", "size_bytes"]).to_pylist():
        file = path / unquote(one["path"])
        try:
            found = file.stat().st_size
        except FileNotFoundError:
            return f"{file.name} is missing"
        if found != one["size_bytes"]:
            return f"{file.name} has {found:,} bytes, and {one['size_bytes']:,} had been written"
    return None


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
    with writing(path):
        if (found := version(path)) != before:  # before any file is written: it would stay beside the table
            raise _overtaken(path, found, before)
        try:
            write_deltalake(
                path if before is None else DeltaTable(path, version=before),
                rows,  # as it is: `to_arrow` is one more copy
                mode="error" if before is None else "append",
                schema_mode="merge",
                commit_properties=_noting(writer, following),
                writer_properties=_WRITTEN,
            )
        except DeltaError:
            if (found := version(path)) == before:
                raise
            raise _overtaken(path, found, before) from None
        settle(path)
    return following


def stored(path: Path) -> pl.LazyFrame:
    """Every row of a table with every column that it has."""
    schema = pl.DataFrame(pl.from_arrow(pa.schema(DeltaTable(path).schema().to_arrow()).empty_table())).schema
    return scan(path, dict(schema))


def rewrite(path: Path, rows: pl.LazyFrame, height: int, writer: str) -> int:
    """Put rows in the place of all that a table holds, in one commit; returns the table's new version.

    For erasure alone, and for whoever holds the table (`alone`). height: how many rows there have to be. What the table
    held before is still on disk: `forget` it. Raises `LakeError` where there are more or fewer rows; nothing is changed
    then.
    """
    following = (version(path) or 0) + 1
    aside = path / f"rewritten-{following:020d}.parquet"  # one that a killed rewriting left is written over
    rows.sink_parquet(aside)
    found = pl.scan_parquet(aside, glob=False).select(pl.len()).collect().item()
    if found != height:
        aside.unlink()
        raise LakeError(f"{path}: {found} rows were written anew instead of {height}. The table is as it was")
    _sync(aside)
    action = AddAction(
        path=aside.name,
        size=aside.stat().st_size,
        partition_values={},
        modification_time=int(aside.stat().st_mtime * 1000),
        data_change=True,
        stats=json.dumps({"numRecords": height}),
    )
    table = DeltaTable(path)
    table.create_write_transaction(
        [action] if height else [], "overwrite", table.schema(), commit_properties=_noting(writer, following)
    )
    settle(path)
    return following


def forget(path: Path) -> None:
    """Remove from disk whatever the newest version of a table does not hold. For whoever holds the table (`alone`)."""
    settle(path)  # before anything older goes
    table = DeltaTable(path)
    newest = table.version()
    log = path / "_delta_log"
    if newest:
        table.create_checkpoint()
    kept = {_MARK, "_last_checkpoint", f"{newest:020d}.json", f"{newest:020d}.checkpoint.parquet"}
    kept |= {Path(unquote(uri)).name for uri in table.file_uris()}
    for file in (*path.iterdir(), *log.iterdir()):
        if file.is_dir() and file != log:
            shutil.rmtree(file)
        elif file != log and file.name not in kept:
            file.unlink()
    _sync(log)
    _sync(path)


def _noting(writer: str, following: int) -> CommitProperties:
    return CommitProperties(app_transactions=[Transaction(app_id=writer, version=following)], max_commit_retries=0)


def _overtaken(path: Path, found: int | None, before: int | None) -> Overtaken:
    return Overtaken(
        f"{path}: another process wrote version {found} while this one worked on version {before}. "
        "Nothing was appended: run again"
    )


def settle(path: Path) -> None:
    """Flush the newest commit to the disk and note it, so that it cannot be lost in silence."""
    written: int = DeltaTable(path).version()
    _flush(path, _entry(path, written))
    _note(path, written)


def _flush(path: Path, newest: Path) -> None:
    since = newest.stat().st_mtime - 600
    files = [file for file in path.rglob("*.parquet") if file.stat().st_mtime >= since]
    for file in [*files, newest, newest.parent, path]:
        _sync(file)


def _sync(file: Path) -> None:
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
