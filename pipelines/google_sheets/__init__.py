"""Google Sheets: the sheets that people keep by hand, whose rows an organisation declares to be events.

Belongs here: the connector. Does not: what may be declared (`declaration`), requests (`api`), what a cell holds
(`values`), from a sheet to rows (`reading`), from rows to facts (`pipelines.rows`).

The API knows only the present: an edited row is a correction, and one that is not there any more was removed.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.google_sheets.declaration import SheetsOptions
from pipelines.google_sheets.reading import Reading
from pipelines.rows.mapping import Mapping
from pipelines.rows.whole import stream_of
from pipelines.source import Account, Options, Stream

__all__ = ["GOOGLE_SHEETS", "GoogleSheets", "SheetsOptions"]


@dataclass(frozen=True)
class GoogleSheets:
    """The kind of source that a spreadsheet is."""

    kind: str = "google_sheets"
    options: type[Options] = SheetsOptions

    def streams(self, account: Account, options: SheetsOptions) -> list[Stream]:
        """One stream for each sheet that is declared."""
        found = []
        for name, stream in options.streams.items():
            reading = Reading(account, options, stream, Mapping(stream, account.zone))
            found.append(stream_of(account, name, stream, reading.fetch, is_snapshot=True))
        return found


GOOGLE_SHEETS = GoogleSheets()
