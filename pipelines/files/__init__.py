"""Exports in a folder: CSV, JSON Lines and Parquet files whose rows an organisation declares to be events.

Belongs here: the connector. Does not: what may be declared (`declaration`), from files to records (`reading`,
`records`), from records to facts (`pipelines.rows`).

For whatever a company keeps in sheets, and for vendors that offer no interface but an export. The folder is the
setting `sources.<organisation>.<source>.folder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.files.declaration import FilesOptions, FileStream, read_declaration
from pipelines.files.reading import Folder
from pipelines.files.records import Reading
from pipelines.rows.mapping import Mapping
from pipelines.rows.whole import stream_of
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
    reading = Reading(lambda: _folder(account), stream, Mapping(stream, account.zone), account.pseudonym)
    return stream_of(account, name, stream, reading.fetch, is_snapshot=stream.delivery == "snapshot")


def _folder(account: Account) -> Folder:
    settings = Settings(account)
    path = Path(settings.need("folder")).expanduser()
    if not path.is_dir():
        found = f"{settings.name('folder')} is {path}, which is no folder"
        raise SourceConfigError(settings.source, found, "Make it, or name another one")
    return Folder(settings.source, path)
