"""Dagster's records of runs, and taking out of them those that tell of somebody.

Belongs here: Dagster's own files below the home. Does not: what is sought in them (`commands.erase`).

What a run hands to Dagster names nobody: counts, sources, streams, key results. But a check's finding may name a member
of a key result, and a failure's message whatever a library quotes. So an erasure looks; a run that tells of somebody is
taken out whole, as is its log, and the files are rewritten, since SQLite leaves in them what was deleted.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

FEWEST_SIGNS = 6
"""A shorter text stands anywhere, and tells nothing."""

_WORD = re.compile(rb"[0-9A-Za-z_-]+")


class RecordsInUse(Exception):
    """Dagster is at work on its records. Says what to do."""


def forget(folder: Path, texts: Collection[str]) -> int:
    """Take out of Dagster's records (DAGSTER_HOME) the runs that tell of any of these texts; returns how many.

    Raises `RecordsInUse`: what was taken out until then is out.
    """
    try:
        return _forgotten(folder, texts)
    except sqlite3.OperationalError as failure:
        raise RecordsInUse(f"{folder}: {failure}. End Dagster (hito dev), then run again") from None


def _forgotten(folder: Path, texts: Collection[str]) -> int:
    sought = _Sought.of(texts)
    databases = sorted((folder / "history").rglob("*.db"))
    logs = [path for path in (folder / "storage").rglob("*") if path.is_file()]
    runs = {_run_of(folder, log) for log in logs if sought.stands_in(log.read_bytes())}
    for database in databases:
        runs |= _runs_that_tell(database, sought)
    for database in databases:
        if database.stem in runs:
            database.unlink()
        else:
            _take_out(database, runs, sought)
    for run in runs:
        shutil.rmtree(folder / "storage" / run, ignore_errors=True)
    return len(runs)


@dataclass(frozen=True)
class _Sought:
    """Texts that are looked for: words, and texts of several words, as they are and as JSON has them."""

    words: frozenset[bytes]
    phrases: tuple[bytes, ...]

    @classmethod
    def of(cls, texts: Collection[str]) -> _Sought:
        ways = {way.encode() for one in texts if len(one) >= FEWEST_SIGNS for way in (one, json.dumps(one)[1:-1])}
        words = {way for way in ways if _WORD.fullmatch(way)}
        return cls(frozenset(words), tuple(sorted(ways - words)))

    def stands_in(self, data: object) -> bool:
        """Whether one of them stands in a text, and not as a part of a longer word."""
        if not isinstance(data, bytes):
            return False
        return not self.words.isdisjoint(_WORD.findall(data)) or any(phrase in data for phrase in self.phrases)


def _run_of(folder: Path, log: Path) -> str:
    return log.relative_to(folder / "storage").parts[0]


def _runs_that_tell(database: Path, sought: _Sought) -> set[str]:
    with closing(_opened(database)) as connection:
        return {
            row["run_id"].decode()
            for table in _tables(connection)
            for row in connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - its own name
            if "run_id" in row.keys() and row["run_id"] and any(map(sought.stands_in, tuple(row)))  # noqa: SIM118 - a row is no mapping
        }


def _take_out(database: Path, runs: Collection[str], sought: _Sought) -> None:
    """Remove the rows of runs, empty what tells of them elsewhere, and leave nothing of it in the file."""
    with closing(_opened(database)) as connection:
        for table in _tables(connection):
            columns = [row["name"].decode() for row in connection.execute(f'PRAGMA table_info("{table}")')]
            if "run_id" in columns:
                delete = f'DELETE FROM "{table}" WHERE run_id = ?'  # noqa: S608 - its own name
                connection.executemany(delete, [(run,) for run in runs])
            for row in connection.execute(f'SELECT rowid AS "rowid", * FROM "{table}"').fetchall():  # noqa: S608 - as above
                for column in [name for name in columns if sought.stands_in(row[name])]:
                    empty = f'UPDATE "{table}" SET "{column}" = NULL WHERE rowid = ?'  # noqa: S608 - as above
                    connection.execute(empty, (row["rowid"],))
        connection.commit()
        connection.execute("VACUUM")


def _opened(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database)
    connection.text_factory = bytes
    connection.row_factory = sqlite3.Row
    return connection


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [row["name"].decode() for row in rows]
