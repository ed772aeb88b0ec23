"""Whether a filled-in file can be read: everything that is wrong with it, by row and column.

Belongs here: looking at a file as its declaration will read it. Does not: the templates (`forms`), or what a cell says
(`pipelines.rows`), which is asked, so that what passes here is understood there.

A reading sets a row aside at the first thing that it does not understand; whoever fills in a file wants all of them,
and to see what they wrote: this is told to them alone, and kept nowhere.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from pipelines.files.declaration import FileStream
from pipelines.files.reading import Folder
from pipelines.rows import cells
from pipelines.rows.mapping import Mapping
from pipelines.rows.records import PROBLEM
from pipelines.rows.written import FILE, ROW
from pipelines.source import SourceError
from pipelines.templates import header, options
from pipelines.templates.forms import Form, Language

_LONGEST_SHOWN = 40
_NOT = "' is not "
_CORRECT = "Correct the row"


@dataclass(frozen=True, order=True)
class Finding:
    """Something wrong: where, what stands there, and what to do."""

    file: str
    row: int
    column: str
    found: str
    do: str

    def __str__(self) -> str:
        """One line."""
        place = f" row {self.row}" if self.row else ""
        column = f", {self.column}" if self.column else ""
        return f"{self.file}{place}{column}: {self.found}. {self.do}"


def check(path: Path, form: Form, language: Language, today: date) -> tuple[int, list[Finding]]:
    """How many rows a filled-in file has, and everything that is wrong with it."""
    stream = options(form, language).streams[form.stream].model_copy(update={"path": glob.escape(path.name)})
    folder = Folder("template", path.parent)
    try:
        rows = pl.concat(frame for one in folder.files(stream) for frame in folder.rows(one, stream))
    except SourceError as refused:
        found = refused.found.removeprefix(f"{path.name} ")
        return 0, [
            Finding(path.name, 0, "", found, f"Save it as CSV (UTF-8) under this header: {header(form, language)}")
        ]
    looking = _Looking(form, language, stream, today)
    return rows.height, sorted({*looking.at_cells(rows), *looking.at_rows(rows), *looking.at_keys(rows)})


@dataclass(frozen=True)
class _Looking:
    form: Form
    language: Language
    stream: FileStream
    today: date

    def at_cells(self, rows: pl.DataFrame) -> Iterator[Finding]:
        """What is empty and may not be, what is not written as it should, and what has not happened yet."""
        for column in self.form.columns:
            name = column.name[self.language]
            do = f"{column.says[self.language]} ({column.example[self.language]})"
            declared = self.stream.columns.get(name)
            value, problem = pl.lit(None), pl.lit(None, pl.String)
            if declared is not None:
                value, problem = cells.cell(name, declared, self.stream.cells, "UTC")
            read = rows.select(FILE, ROW, pl.col(name).alias("text"), value.alias("value"), problem.alias("problem"))
            for file, number, text, said, wrong in read.iter_rows():
                if text is None and column.needed:
                    yield Finding(file, number, name, "is empty", do)
                elif wrong is not None:
                    yield Finding(file, number, name, f"'{text[:_LONGEST_SHOWN]}' {_after_shape(wrong)}", do)
                elif column.type == "date" and said is not None and said > self.today:
                    yield Finding(file, number, name, f"'{text}' is in the future", do)

    def at_rows(self, rows: pl.DataFrame) -> Iterator[Finding]:
        """What must hold of a row and does not; and what else keeps one from being read whose cells are right."""
        mapping = Mapping(self.stream, "UTC")
        read = mapping.read(rows.lazy())
        wrong = {(one.file, one.row) for one in self.at_cells(rows)}
        for expectation in self.stream.expect:
            unmet = read.filter(~self.stream.condition(expectation.that).expr()).select(FILE, ROW).collect()
            for file, number in unmet.iter_rows():
                yield Finding(file, number, "", expectation.says, _CORRECT)
            wrong.update(unmet.iter_rows())
        for file, number, problem in mapping.told(read).select(FILE, ROW, PROBLEM).collect().iter_rows():
            if problem is not None and (file, number) not in wrong:
                yield Finding(file, number, "", problem, _CORRECT)

    def at_keys(self, rows: pl.DataFrame) -> Iterator[Finding]:
        """Rows of one key: which of them counts, nobody could say."""
        (key,) = self.stream.key
        first: dict[str, int] = {}
        for file, number, text in rows.select(FILE, ROW, pl.col(key).str.strip_chars()).iter_rows():
            if text is not None and (before := first.setdefault(text, number)) != number:
                found = f"'{text[:_LONGEST_SHOWN]}' is in row {before} as well"
                yield Finding(file, number, key, found, "Give each row a code of its own")


def _after_shape(problem: str) -> str:
    """What a problem says of a cell, without the column and the shape of the text that it would be kept with."""
    _, _, said = problem.partition(": ")
    return f"is not {said.partition(_NOT)[2]}" if _NOT in said else said
