"""Delta tables on a disk that can lose power: scan, append, and never an older state in silence.

Belongs here: the few things that every table of ours needs from Delta. Does not: what is in a table.

deltalake does not fsync, and a log whose last entry is missing or empty reads as the version before it, without an
error. So each append is flushed to the disk, and the newest version is noted in a second file, checked on reading.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError

_MARK = ".newest_version"


class LakeError(Exception):
    """A table on disk is not what was last written. Names the table, what was found and what to do."""


def version(path: Path) -> int | None:
    """The table's version, None where there is no table. Raises `LakeError` when a newer one had been written."""
    try:
        found: int | None = DeltaTable(path, without_files=True).version()
    except TableNotFoundError:
        found = None
    marked = _marked_version(path)
    if marked is not None and (found is None or found < marked):
        raise LakeError(
            f"{path}: the newest version on disk is {found}, but version {marked} had been written. "
            "Files of its _delta_log are missing or empty: restore the folder from a backup"
        )
    return found


def scan(path: Path, schema: dict[str, pl.DataType]) -> pl.LazyFrame:
    """The table as a lazy frame with these columns; one that does not exist yet is empty."""
    if version(path) is None:
        return pl.LazyFrame(schema=schema)
    found = pl.scan_delta(str(path))
    present = found.collect_schema().names()
    return found.select(
        pl.col(name).cast(dtype) if name in present else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in schema.items()
    )


def append(path: Path, rows: pl.DataFrame, writer: str) -> int:
    """Append rows in one commit, or none at all; returns the table's new version.

    `writer` names the one process that may write (Delta's application transaction): of two that read the same version
    and both append, the second is refused with deltalake's `CommitFailedError`.
    """
    following = -1 if (before := version(path)) is None else before
    write_deltalake(
        path,
        rows.to_arrow(),
        mode="append",
        schema_mode="merge",
        commit_properties=CommitProperties(
            app_transactions=[Transaction(app_id=writer, version=following + 1)], max_commit_retries=0
        ),
    )
    _flush(path)
    written: int = DeltaTable(path, without_files=True).version()
    _mark_version(path, written)
    return written


def _flush(path: Path) -> None:
    newest = max((path / "_delta_log").glob("*.json"))
    since = newest.stat().st_mtime - 600
    files = [file for file in path.rglob("*.parquet") if file.stat().st_mtime >= since]
    for file in [*files, newest, newest.parent, path]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _marked_version(path: Path) -> int | None:
    try:
        return int((path / _MARK).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _mark_version(path: Path, written: int) -> None:
    aside = path / f"{_MARK}.new"
    with aside.open("w", encoding="ascii") as file:
        file.write(str(written))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path / _MARK)
