"""What is wrong with a filled-in file as a whole: its encoding, its header, its quotes, the width of its rows.

Belongs here: what has to be mended before a cell can be looked at, and what that is. Does not: cells (`checking`), or
whether a run reads the file (`pipelines.files.reading`, which refuses whatever is told here).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.files.declaration import Csv
from pipelines.rows.written import alike
from pipelines.templates import header, options
from pipelines.templates.findings import LONGEST_SHOWN, Finding
from pipelines.templates.forms import Form, Language
from pipelines.templates.words import TOLD


@dataclass(frozen=True)
class Whole:
    """A file that should be a filled-in template."""

    path: Path
    form: Form
    language: Language

    def unreadable(self) -> list[Finding]:
        """What keeps all of it from being read; nothing where its rows can be looked at."""
        told = TOLD[self.language]
        content = self.path.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as failure:
            line = 1 + content[: failure.start].count(b"\n")
            return [self._finding(0, "", told.encoding.format(line=line), told.save_utf8)]
        if "\x00" in text:
            return [self._finding(0, "", told.nul, self.save)]
        rows = list[list[str]]()
        try:
            rows.extend(self._rows(text))
        except csv.Error:
            return [self._finding(self._row_of_quotes(text), "", told.quotes, told.close_quotes)]
        return list(self._of_header(rows))

    def notes(self) -> int:
        """How many of its rows are notes; the header is right."""
        _, *rows = self._rows(self.path.read_bytes().decode("utf-8-sig"))
        return sum(map(self._is_note, rows))

    def without_rows(self, notes: int) -> Finding:
        """That it has none but its header and so many notes."""
        told = TOLD[self.language]
        found = told.only_notes.format(notes=notes) if notes else told.no_rows
        return self._finding(0, "", found, told.fill.format(sign=self._csv.notes))

    def misshapen(self) -> Iterator[Finding]:
        """Rows of more or fewer cells than the header; the header is right."""
        told = TOLD[self.language]
        names, *rows = self._rows(self.path.read_bytes().decode("utf-8-sig"))
        for number, cells in enumerate(rows, start=2):
            if len(cells) != len(names) and any(cell.strip() for cell in cells) and not self._is_note(cells):
                found = told.fields.format(found=len(cells), width=len(names))
                yield self._finding(number, "", found, told.quote_separator.format(separator=self._csv.separator))

    def _is_note(self, cells: list[str]) -> bool:
        return bool(cells) and self._csv.is_note(cells[0], cells[1:])

    def _of_header(self, rows: list[list[str]]) -> Iterator[Finding]:
        told, separator = TOLD[self.language], self._csv.separator
        expected = header(self.form, self.language)
        said = [number for number, cells in enumerate(rows, start=1) if any(cell.strip() for cell in cells)]
        if not said:
            yield self._finding(0, "", told.nothing, self.save)
            return
        if said[0] > 1:
            yield self._finding(1, "", told.blank_above.format(number=said[0]), told.delete_above)
        names = rows[said[0] - 1]
        if len(names) == 1 and names[0] not in expected.split(separator):
            found = told.one_column.format(found=names[0][:80], separator=separator)
            yield self._finding(said[0], "", found, told.separate.format(separator=separator, header=expected))
            return
        yield from self._of_columns(said[0], names)

    def _of_columns(self, number: int, names: list[str]) -> Iterator[Finding]:
        told, expected = TOLD[self.language], header(self.form, self.language)
        wanted = [column.name[self.language] for column in self.form.columns]
        others = [name for name in names if name not in wanted]
        for name in wanted:
            if names.count(name) > 1:
                do = told.rename_one.format(header=expected)
                yield self._finding(number, name, told.twice.format(count=names.count(name)), do)
            if name in names:
                continue
            if (close := alike(name, others)) is not None:
                others.remove(close)
                found = told.spelt.format(found=close[:LONGEST_SHOWN])
                yield self._finding(number, name, found, told.rename.format(name=name))
            else:
                found = told.no_column.format(found=", ".join(names)[:200])
                yield self._finding(number, name, found, told.add.format(header=expected))

    def _rows(self, text: str) -> Iterator[list[str]]:
        lines = io.StringIO(text, newline="")
        return csv.reader(lines, delimiter=self._csv.separator, quotechar=self._csv.quote, strict=True)

    def _row_of_quotes(self, text: str) -> int:
        number = 1
        try:
            for _ in self._rows(text):
                number += 1
        except csv.Error:
            pass
        return number

    @property
    def _csv(self) -> Csv:
        form = options(self.form, self.language).streams[self.form.stream].format
        assert isinstance(form, Csv)
        return form

    @property
    def save(self) -> str:
        """What to do with a file that is no such file at all."""
        return TOLD[self.language].save.format(header=header(self.form, self.language))

    def _finding(self, row: int, column: str, found: str, do: str) -> Finding:
        return Finding(self.path.name, row, column, found, do, self.language)
