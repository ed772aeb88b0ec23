"""The published file: written beside the one that readers have open, then put in its place.

Belongs here: the only code that writes DuckDB. Does not: what is in the tables (`tables`).

A reader opens a path and keeps what it opened; `os.replace` changes which file the path means in one step. So a reader
sees the old file or the new one, whole, whatever happens in between: a crash leaves the old one and a file beside it
that the next publication removes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
from filelock import FileLock

from assets.publication.tables import Table, functions, tables

# Readable by every DuckDB 1.x.
STORAGE_VERSION = "v1.0.0"


class PublicationError(Exception):
    """The file could not be made: names it, says what was found and what to do. The one before stays as it was."""


def write(target: Path, frames: Mapping[str, pl.DataFrame], kept: Collection[str] = ()) -> dict[str, int]:
    """Write every table and put the file in its place; returns how many rows each table has.

    kept: organisations of which `frames` has no rows; theirs are taken over from the file before, as they are.
    Raises `PublicationError`; then the file that was there is untouched.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.new")
    with FileLock(target.with_name(f".{target.name}.lock")):
        _remove(aside)
        try:
            whole = _with_kept(frames, target, kept)
            _fill(aside, whole)
            rows = _counted(aside, whole)
            _flush(aside)
            _log_of(target).unlink(missing_ok=True)  # of somebody who opened the file for writing; not the new one's
            os.replace(aside, target)
            _flush(target.parent)
        except (OSError, duckdb.Error) as error:
            found = " ".join(str(error).split())[:300]
            raise PublicationError(
                f"{target}: could not be written ({found}). The file before stays as it was. "
                "Make room or give the right to write there, then run again"
            ) from error
        finally:
            _remove(aside)
    return rows


def _with_kept(frames: Mapping[str, pl.DataFrame], target: Path, kept: Collection[str]) -> Mapping[str, pl.DataFrame]:
    """The tables with the rows that other organisations have in the file before; a column that it lacks is null.

    A file that cannot be read is replaced all the same: each organisation comes back with its own run.
    """
    if not kept or not target.exists():
        return frames
    try:
        with _connected(target) as connection:
            names = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'published'")
            before = {
                name: connection.sql(f'SELECT * FROM published."{name}"').pl()  # noqa: S608 - names that it has itself
                for (name,) in names.fetchall()
            }
    except duckdb.Error:
        return frames
    return {
        name: _joined(rows, _in_utc(before[name]), kept)
        if name in before and "organisation" in before[name].columns
        else rows
        for name, rows in frames.items()
    }


def _joined(rows: pl.DataFrame, before: pl.DataFrame, kept: Collection[str]) -> pl.DataFrame:
    """Rows of both, by organisation, in the columns and types of the first."""
    taken = before.filter(pl.col("organisation").is_in(list(kept))).select(
        pl.col(name).cast(dtype) if name in before.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in rows.schema.items()
    )
    return pl.concat([rows, taken]).sort("organisation", maintain_order=True)


def read(target: Path, names: Collection[str] | None = None) -> dict[str, pl.DataFrame]:
    """The published tables of these names, or all of them, as they now are; a column that the file lacks is null.

    Raises `PublicationError` where there is no file or not one of ours.
    """
    if not target.exists():
        raise PublicationError(f"{target}: nothing has been published yet. Run hito run first")
    try:
        with _connected(target) as connection:
            asked = tables() if names is None else names
            before = {name: _in_utc(connection.sql(f'SELECT * FROM published."{name}"').pl()) for name in asked}  # noqa: S608 - as above
            return {name: _whole(tables()[name], rows) for name, rows in before.items()}
    except duckdb.Error as error:
        found = " ".join(str(error).split())[:300]
        raise PublicationError(f"{target}: could not be read ({found}). Publish it anew with hito run") from error


def _whole(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the columns too that the table has gained since they were published."""
    lacking = [column for column in table.columns if column.name not in rows.columns]
    return rows.with_columns(pl.lit(None, column.polars_type).alias(column.name) for column in lacking)


def _in_utc(rows: pl.DataFrame) -> pl.DataFrame:
    """DuckDB hands out instants in the machine's zone."""
    return rows.with_columns(pl.col(pl.Datetime("us", "*")).dt.convert_time_zone("UTC"))


def _fill(path: Path, frames: Mapping[str, pl.DataFrame]) -> None:
    with _engine() as connection:
        connection.execute(f"ATTACH {_quoted(str(path))} AS published (STORAGE_VERSION {_quoted(STORAGE_VERSION)})")
        connection.execute("BEGIN")  # one transaction: else each of the many comments waits for the disk
        for name, table in tables().items():
            connection.execute(_definition(table))
            connection.register("rows", frames[name].to_arrow())
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            connection.execute(f'INSERT INTO published."{name}" SELECT {columns} FROM rows')  # noqa: S608 - our own names
            connection.unregister("rows")
        connection.execute("USE published")
        for function in functions():
            connection.execute(function.definition)
        connection.execute("USE memory")
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT published")
        connection.execute("DETACH published")
    if _log_of(path).exists():
        raise PublicationError(f"{path}: DuckDB left a log of changes that are not in the file. Run again")


def _definition(table: Table) -> str:
    """The table with its types, and what every column means."""
    lines = [
        f'"{column.name}" {column.type}{" NOT NULL" if column.name in table.required else ""}'
        for column in table.columns
    ]
    name = f'published."{table.name}"'
    comments = [f'COMMENT ON COLUMN {name}."{column.name}" IS {_quoted(column.says)};' for column in table.columns]
    return "\n".join(
        [f"CREATE TABLE {name} ({', '.join(lines)});", f"COMMENT ON TABLE {name} IS {_quoted(table.says)};", *comments]
    )


def _counted(path: Path, frames: Mapping[str, pl.DataFrame]) -> dict[str, int]:
    """Open what was written as a reader would, and count: only a file that holds everything takes the place."""
    with _connected(path) as connection:
        counted = {
            name: int(connection.execute(f'SELECT count(*) FROM published."{name}"').fetchall()[0][0])  # noqa: S608 - as above
            for name in tables()
        }
    expected = {name: frames[name].height for name in tables()}
    if counted != expected:
        raise PublicationError(f"{path}: holds {counted} rows instead of {expected}. The file before stays; run again")
    return counted


@contextmanager
def _engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB without a network or spill files."""
    settings = {"autoinstall_known_extensions": "false", "temp_directory": "", "threads": "2"}
    connection = duckdb.connect(":memory:", config=settings)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _connected(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with _engine() as connection:
        connection.execute(f"ATTACH {_quoted(str(path))} AS published (READ_ONLY)")
        yield connection


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _log_of(path).unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
