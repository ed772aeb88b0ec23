"""Files as rows of text: which files, and what stands in them, with the place of every row.

Belongs here: finding and opening files, their encodings and formats, and what is wrong with a file as a whole. Does
not: frames of rows and their headers (`pipelines.rows.written`), what a row says, or what identifies it.

CSV is read with Python's reader and not with Polars': only it says in which row a quote is left open, and which rows
have too few or too many fields; Polars fills the ones and cuts the others without a word.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.files.declaration import Csv, FileStream, JsonLines
from pipelines.rows.declaration import Cells
from pipelines.rows.written import ROWS_A_FRAME, Row, Written
from pipelines.source import SourceError

_SEPARATORS = frozenset(",;\t|")


@dataclass(frozen=True)
class Folder:
    """A configured folder. source: what errors call the source."""

    source: str
    path: Path

    def files(self, stream: FileStream) -> list[Path]:
        """The files of a stream in the order of their names. Raises `SourceError` where there are none."""
        root = self.path.resolve()
        found = sorted(
            path for path in root.glob(stream.path) if path.is_file() and not path.name.startswith((".", "~$"))
        )
        if not found:
            raise SourceError(
                self.source, f"no file matches {stream.path} in {root}", "Put it there, or correct path or folder"
            )
        for path in found:
            if not path.resolve().is_relative_to(root):
                raise SourceError(self.source, f"{path} leads out of {root}", "Put the file itself there, not a link")
        return found[-1:] if stream.take == "last" else found

    def rows(self, path: Path, stream: FileStream) -> Iterator[pl.DataFrame]:
        """A file's rows: the columns that the declaration uses, as text, and each row's place. Raises `SourceError`."""
        reader = _File(self.source, path.relative_to(self.path.resolve()).as_posix(), stream, path, stream.format)
        try:
            frames: Iterator[pl.DataFrame] = {"csv": reader.csv, "jsonl": reader.json_lines}.get(
                stream.format.type, reader.parquet
            )()
            yield from frames
        except OSError as failure:
            reader.refuse(f"cannot be read ({failure.strerror or failure})", "Check that it is there and may be read")


@dataclass(frozen=True)
class _File(Written):
    path: Path
    form: Cells

    # CSV

    def csv(self) -> Iterator[pl.DataFrame]:
        form = self.form
        assert isinstance(form, Csv)
        self._refuse_encoding(form.encoding)
        with self.path.open(encoding=_without_mark(form.encoding), newline="") as file:
            lines = csv.reader(
                file,
                delimiter=form.separator,
                quotechar=form.quote or None,
                quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
                strict=True,
            )
            header = next(self._fields(lines), (1, []))[1]
            if not any(name.strip() for name in header):
                self._refuse_headless(lines)
            places = self._places(header)
            yield from self.in_frames(self._csv_rows(lines, form, len(header), places))

    def _csv_rows(self, lines: Any, form: Csv, width: int, places: Sequence[int]) -> Iterator[Row]:
        number, fields = 1, [""] * width
        for number, fields in self._fields(lines, 2):
            if not any(field.strip() for field in fields) or form.is_note(fields[0], fields[1:]):
                continue
            problem = None
            if len(fields) != width:
                problem = f"the row has {len(fields)} fields where the header has {width}"
            cells = [fields[place] if place < len(fields) else None for place in places]
            yield Row(number, cells, problem)
        if len(fields) < width and any(field.strip() for field in fields) and not self._ends_a_line():
            found = f"breaks off in row {number}, after {len(fields)} of its {width} fields"
            self.refuse(found, "Put the whole file there; nothing is taken for removed")

    def _ends_a_line(self) -> bool:
        """Whether the file's last character ends a line, in whichever encoding."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - 4))
            return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))

    def _fields(self, lines: Any, number: int = 1) -> Iterator[tuple[int, list[str]]]:
        """Rows with their numbers (the header is row 1, as in a spreadsheet)."""
        try:
            for fields in lines:
                yield number, fields
                number += 1
        except csv.Error as failure:
            self.refuse(f"row {number}: {failure}", "Check its quotes and its separator, or whether it is whole")

    def _refuse_headless(self, lines: Any) -> NoReturn:
        for number, fields in self._fields(lines, 2):
            if any(field.strip() for field in fields):
                self.refuse(f"begins with blank rows: the first that says anything is row {number}", "Delete them")
        self.refuse("is empty: it has not even a header", "Export it again")

    def _places(self, header: Sequence[str]) -> list[int]:
        if len(header) == 1 and len(self.stream.used) > 1 and (found := _SEPARATORS.intersection(header[0])):
            self.refuse(f"has one column, {header[0][:80]!r}", f"Declare its separator, {' or '.join(sorted(found))!r}")
        return self.places(header)

    # JSON Lines

    def json_lines(self) -> Iterator[pl.DataFrame]:
        form = self.form
        assert isinstance(form, JsonLines)
        self._refuse_encoding(form.encoding)
        known: set[str] = set()
        with self.path.open(encoding=_without_mark(form.encoding)) as file:
            yield from self.in_frames(self._json_rows(enumerate(file, start=1), known))
        if known:  # a key may be left out of any line, but not of all of them
            self.refuse_missing(sorted(known))

    def _json_rows(self, lines: Iterator[tuple[int, str]], known: set[str]) -> Iterator[Row]:
        for number, line in lines:
            if not line.strip():
                continue
            try:
                cells = dict(_flat(_decoded(line)))
            except ValueError as failure:
                self.refuse(f"line {number}: {failure}", "Each line is one JSON object: check whether it is whole")
            known.update(cells)
            yield Row(number, [cells.get(name) for name in self.stream.used], None)

    # Parquet

    def parquet(self) -> Iterator[pl.DataFrame]:
        used = list(self.stream.used)
        try:
            with pq.ParquetFile(self.path) as file:
                self.refuse_missing(file.schema_arrow.names)
                start = 1
                for batch in file.iter_batches(ROWS_A_FRAME, columns=used):
                    cells = pl.DataFrame(pl.from_arrow(batch))
                    yield self.cleaned(pl.DataFrame([self._as_text(cells.get_column(name)) for name in used]), start)
                    start += batch.num_rows
                if start == 1:
                    yield self.frame([])
        except (pa.ArrowException, OSError) as failure:
            if getattr(failure, "errno", None) is not None:  # of the disk; what is wrong in the file has none
                raise
            self.refuse(f"is no whole Parquet file ({str(failure)[:80].strip()})", "Export it again")

    def _as_text(self, column: pl.Series) -> pl.Series:
        if isinstance(column.dtype, pl.Datetime):
            if column.dtype.time_zone is None:
                return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f")
            return column.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")
        if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
            self.refuse(f"column {column.name} is {column.dtype}", "Export a column of plain values")
        return column.cast(pl.String)

    # Encodings

    def _refuse_encoding(self, encoding: str) -> None:
        """Refuse a file that is not in the encoding declared, and UTF-8 that would be read as something else."""
        found = _decodes(self.path, encoding)
        if found.bad_line is not None:
            do = "Declare its encoding (windows-1252 is common in exports from spreadsheets)"
            self.refuse(f"line {found.bad_line}: what stands there is not {encoding}", do)
        if found.has_nul:
            self.refuse("holds NUL characters", "Declare its encoding (utf-16?), or export it again")
        if not encoding.startswith("utf") and (utf8 := _decodes(self.path, "utf-8")).bad_line is None and utf8.is_wide:
            self.refuse(f"is UTF-8 and declared as {encoding}", "Declare encoding: utf-8")


@dataclass(frozen=True)
class _Decoded:
    bad_line: int | None
    is_wide: bool
    has_nul: bool


def _decodes(path: Path, encoding: str) -> _Decoded:
    """Whether a file can be read in an encoding, in which line not, and what is in it, a piece at a time."""
    decoder = codecs.getincrementaldecoder(_without_mark(encoding))()
    line, is_wide, has_nul = 1, False, False
    with path.open("rb") as file:
        while True:
            piece = file.read(1 << 20)
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as failure:
                before = failure.object[: failure.start].decode(encoding, errors="ignore")
                return _Decoded(line + before.count("\n"), is_wide, has_nul)
            line += text.count("\n")
            is_wide = is_wide or not text.isascii()
            has_nul = has_nul or "\x00" in text
            if not piece:
                return _Decoded(None, is_wide, has_nul)


def _without_mark(encoding: str) -> str:
    """The encoding that also takes a byte order mark away."""
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _decoded(line: str) -> dict[str, Any]:
    """A JSON object whose numbers are the texts that they were written as: exact, whatever their size."""
    found = json.loads(line, parse_float=str, parse_int=str, parse_constant=_refuse_constant, object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)} twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _flat(content: dict[str, Any], before: str = "") -> Iterator[tuple[str, str | None]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        elif isinstance(value, bool):
            yield before + key, str(value).lower()
        elif isinstance(value, list):
            yield before + key, json.dumps(value, ensure_ascii=False)
        else:
            yield before + key, value
