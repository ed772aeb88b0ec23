"""What an organisation says of a folder of exported files: how they are read, and which events their rows are.

Belongs here: the shape of a files source's `options` (in `organisation.yaml`, or in a YAML file of its own). Does not:
what can be said of the rows themselves (`pipelines.rows.declaration`), or reading files (`reading`).

A stream is one kind of file:

    streams:
      incidents:
        path: "exports/incidents-*.csv"          # below the configured folder
        format: {type: csv, separator: ";", encoding: utf-8, decimal: ",", nulls: ["?"]}
        delivery: append                         # or snapshot: each reading is the whole state
        key: number                              # what identifies a row; one column or a list
        revision: {column: updated_at, format: "%d-%m-%Y %H:%M", zone: UTC, then: update_number}
        columns: {update_number: number, made_sla: boolean, opened_at: {type: instant, format: "%d-%m-%Y %H:%M"}}
        expect: [{that: updated_at >= opened_at, says: updated before it was opened}]
        events:
          - type: ticket.created
            at: opened_at                        # or {column: …, format: …, zone: …, ambiguous: earlier}
            subject: number
            attributes: {priority: lower(priority)}
          - type: ticket.reopened
            each_rise_of: reopen_count

What else can be said of rows, and what it means, is the same for all of them: `pipelines.rows.declaration`.
"""

from __future__ import annotations

import codecs
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from kr_definitions.complaints import parse
from kr_definitions.documents import DeclarationErrors, Problem, read
from pipelines.rows.declaration import Cells, Covers, Handwritten, RowStream, typed
from pipelines.source import Options, StreamName


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"{name} is not an encoding | Use utf-8, windows-1252, iso-8859-15 or utf-16") from None


def _inside(path: str) -> str:
    steps = PurePosixPath(path)
    if not path or steps.is_absolute() or ".." in steps.parts or "\\" in path or ":" in path:
        raise ValueError(f"{path} leaves the folder | Write a path below it, such as exports/*.csv")
    return path


Encoding = Annotated[str, AfterValidator(_known_encoding)]
Mark = Annotated[str, Field(max_length=1)]


class Csv(Handwritten):
    """Rows of text, a line with the columns' names first."""

    type: Literal["csv"] = "csv"
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Mark = '"'
    encoding: Encoding = "utf-8"


class JsonLines(Cells):
    """One JSON object a line; what is nested is named with points: `customer.id`."""

    type: Literal["jsonl"] = "jsonl"
    encoding: Encoding = "utf-8"


class Parquet(Cells):
    """A Parquet file; its values are read as text (times in ISO 8601) and so declared like any other's."""

    type: Literal["parquet"] = "parquet"


FileFormat = Annotated[
    Annotated[Csv, Tag("csv")] | Annotated[JsonLines, Tag("jsonl")] | Annotated[Parquet, Tag("parquet")],
    Discriminator(
        lambda form: form.get("type") if isinstance(form, dict) else getattr(form, "type", None),
        custom_error_type="file_format",
        custom_error_message="a format that is not read | Write csv, jsonl or parquet",
    ),
]


class FileCovers(Covers):
    """Which days a reading is complete for.

    from: the first one; without it, whatever is in the files. through: the last one, or up to `reading` (the moment at
    which the files were read: say so of a sheet that people write in as things happen), `delivery` (when the newest
    file was written: a snapshot's default, as nobody knows what happened since) or `last_event` (the last moment that
    any row tells of: the default of what is appended).
    """

    through: date | Literal["reading", "delivery", "last_event"] | None = None


class FileStream(RowStream):
    """One kind of file and the events that its rows are: see the module's description."""

    path: Annotated[str, AfterValidator(_inside)]
    take: Literal["all", "last"] = "all"
    format: Annotated[FileFormat, BeforeValidator(typed)]
    delivery: Literal["snapshot", "append"]
    covers: FileCovers = FileCovers()

    @property
    def cells(self) -> Cells:
        return self.format


class FilesOptions(Options):
    """A folder of exported files."""

    streams: Annotated[dict[StreamName, FileStream], Field(min_length=1)]


def read_declaration(path: Path) -> FilesOptions:
    """The options in a YAML file of their own. Raises `DeclarationErrors` with its lines."""
    found: list[Problem] = []
    options = parse(read(path.read_text(encoding="utf-8"), str(path)), (), FilesOptions, "files", found)
    if options is None:
        raise DeclarationErrors(found)
    return options
