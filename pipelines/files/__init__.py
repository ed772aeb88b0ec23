"""Exports in a folder: CSV, JSON Lines and Parquet files whose rows an organisation declares to be events.

Belongs here: the connector. Does not: what may be declared (`declaration`), from files to records (`reading`,
`records`), from records to facts (`pipelines.rows`).

For whatever a company keeps in sheets, and for vendors that offer no interface but an export. The folder is the
setting `sources.<organisation>.<source>.folder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from pipelines.files.declaration import FilesOptions, FileStream, read_declaration
from pipelines.files.reading import Folder
from pipelines.files.records import Reading
from pipelines.rows.mapping import Mapping
from pipelines.rows.people import people
from pipelines.rows.records import group_of, thing_of
from pipelines.settings import Settings
from pipelines.source import Account, Options, SourceConfigError, Stream

__all__ = ["FILES", "FilesOptions", "read_declaration"]


@dataclass(frozen=True)
class Files:
    """The kind of source that files in a folder are."""

    kind: str = "files"
    options: type[Options] = FilesOptions

    def streams(self, account: Account, options: FilesOptions) -> list[Stream]:
        """One stream for each kind of file."""
        return [_stream(account, name, stream) for name, stream in options.streams.items()]


FILES = Files()


def _stream(account: Account, name: str, stream: FileStream) -> Stream:
    mapping = Mapping(stream, account.zone)
    reading = Reading(lambda: _folder(account), stream, mapping, account.pseudonym)
    row = pl.Struct(dict.fromkeys(stream.used, pl.String))
    return Stream(
        name=name,
        feeds=stream.feeds,
        fetch=reading.fetch,
        payload=pl.Struct({"row": row, "place": pl.String, "problem": pl.String}),
        facts=mapping.facts,
        lateness=timedelta(days=stream.late_days),
        is_snapshot=stream.delivery == "snapshot",
        most_removed=float(stream.most_removed),
        identity=None if stream.grouped_by is None else thing_of,
        group=None if stream.states is None and stream.grouped_by is None else group_of,
        people=people(stream),
    )


def _folder(account: Account) -> Folder:
    settings = Settings(account)
    path = Path(settings.need("folder")).expanduser()
    if not path.is_dir():
        found = f"{settings.name('folder')} is {path}, which is no folder"
        raise SourceConfigError(settings.source, found, "Make it, or name another one")
    return Folder(settings.source, path)
