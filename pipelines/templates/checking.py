"""Whether a filled-in file can be read: everything that is wrong with it, by row and column.

Belongs here: looking at a file as its declaration will read it. Does not: the templates (`forms`), or what a cell says
(`pipelines.rows`), which is asked, so that what passes here is understood there.

A reading sets a row aside at the first thing that it does not understand; whoever fills in a file wants all of them,
and to see what they wrote: this is told to them alone, and kept nowhere.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.addresses import holds_a_mail_address
from pipelines.files.declaration import FileStream
from pipelines.files.reading import Folder
from pipelines.plausibility import EARLIEST
from pipelines.rows import cells
from pipelines.rows.mapping import CURRENCY, Mapping
from pipelines.rows.records import KEY, PROBLEM
from pipelines.rows.written import FILE, ROW
from pipelines.source import SourceError
from pipelines.templates import options
from pipelines.templates.findings import LONGEST_SHOWN, Finding
from pipelines.templates.forms import Column, Form, Language
from pipelines.templates.whole import Whole
from pipelines.templates.words import TOLD, Told

_FIRST_YEAR_OF_FOUR_DIGITS = 1000


@dataclass(frozen=True)
class Checked:
    """What a filled-in file has: rows, those of them that repeat another in all that is read of it, and notes.

    findings: everything that is wrong with it.
    """

    findings: list[Finding]
    rows: int = 0
    repeated: int = 0
    notes: int = 0

    def summary(self, language: Language) -> str:
        """What was found of a file with which nothing is wrong."""
        told = TOLD[language]
        said = [told.readable_one if self.rows == 1 else told.readable.format(rows=self.rows)]
        if self.repeated:
            said.append(told.repeated_one if self.repeated == 1 else told.repeated.format(rows=self.repeated))
        if self.notes:
            said.append(told.note if self.notes == 1 else told.notes.format(notes=self.notes))
        return "; ".join(said)


def check(path: Path, form: Form, language: Language, today: date) -> Checked:
    """What a filled-in file has, and everything that is wrong with it."""
    whole, told = Whole(path, form, language), TOLD[language]
    stream = options(form, language).streams[form.stream].model_copy(update={"path": glob.escape(path.name)})
    folder = Folder("template", path.parent)
    try:
        if found := whole.unreadable():
            return Checked(found)
        rows = pl.concat(frame for one in folder.files(stream) for frame in folder.rows(one, stream))
    except (SourceError, OSError) as refused:
        why = refused.found if isinstance(refused, SourceError) else refused.strerror
        return Checked([Finding(path.name, 0, "", told.unreadable.format(why=why), whole.save, language)])
    notes = whole.notes()
    if not rows.height:
        return Checked([whole.without_rows(notes)], notes=notes)
    looking = _Looking(form, language, stream, today)
    shaped = rows.filter(pl.col(PROBLEM).is_null())
    of_cells = {*looking.at_cells(shaped)}
    of_rows = looking.at_rows(shaped, {(one.file, one.row) for one in of_cells})
    repeated = rows.height - rows.select(stream.used).n_unique()
    found = sorted({*whole.misshapen(), *of_cells, *of_rows, *looking.at_keys(rows)})
    return Checked(found, rows.height, repeated, notes)


@dataclass(frozen=True)
class _Looking:
    form: Form
    language: Language
    stream: FileStream
    today: date

    def at_cells(self, rows: pl.DataFrame) -> Iterator[Finding]:
        """What is empty and may not be, what is not written as it should, and what cannot be meant."""
        for column in self.form.columns:
            name = column.name[self.language]
            for file, number, text, value in rows.select(FILE, ROW, name, self._value(name).alias("value")).iter_rows():
                if text is None:
                    found, do = (self.told.empty if column.needed else None), self._hint(column)
                else:
                    found, do = self._wrong(column, text, value)
                if found is not None:
                    yield self._finding(file, number, name, found, do)

    def at_rows(self, rows: pl.DataFrame, wrong: set[tuple[str, int]]) -> Iterator[Finding]:
        """What must hold of a row and does not; and what else keeps one from being read whose cells are right.

        wrong: the rows of which something is told already.
        """
        mapping = Mapping(self.stream, "UTC")
        read = mapping.read(rows.lazy())
        told = set(wrong)
        for expectation in self.stream.expect:
            condition = self.stream.condition(expectation.that)
            columns = sorted(condition.columns, key=expectation.that.index)
            unmet = read.filter(~condition.expr()).select(FILE, ROW).collect()
            written = unmet.join(rows.select(FILE, ROW, *columns), on=[FILE, ROW], maintain_order="left")
            for file, number, *texts in written.iter_rows():
                found = f"{_shown(columns, texts)}: {expectation.says}"
                yield self._finding(file, number, columns[0], found, self._hint(self._column(columns[0])))
            told.update(unmet.iter_rows())
        for file, number, problem in mapping.told(read).select(FILE, ROW, PROBLEM).collect().iter_rows():
            if problem is not None and (file, number) not in told:
                yield self._finding(file, number, "", problem, self.told.correct)

    def at_keys(self, rows: pl.DataFrame) -> Iterator[Finding]:
        """Rows of one key that differ: which of them counts, nobody could say."""
        (key,) = self.stream.key
        first: dict[str, tuple[int, tuple[str, ...]]] = {}
        name = pl.col(key).str.strip_chars().alias(KEY)
        for file, number, text, *said in rows.select(FILE, ROW, name, *self.stream.used).iter_rows():
            if text is None:
                continue
            before, before_said = first.setdefault(text, (number, tuple(said)))
            if tuple(said) != before_said:
                found = self.told.same_key.format(found=text[:LONGEST_SHOWN], before=before)
                yield self._finding(file, number, key, found, self.told.own_key)

    @property
    def told(self) -> Told:
        return TOLD[self.language]

    def _wrong(self, column: Column, text: str, value: Any) -> tuple[str | None, str]:
        """What is wrong with a cell that is not empty, where something is, and what to do."""
        told, shown, do = self.told, text[:LONGEST_SHOWN], self._hint(column)
        if column.type == "date":
            return self._wrong_day(column, shown, value), do
        if column.type == "number":
            decimal = self.stream.cells.decimal
            if value is None:
                return told.no_number.format(found=shown, decimal=decimal), do
            if "e" in text.lower():
                return told.exponent.format(found=shown, read=_plain(value, decimal)), told.digits
        elif column.type == "currency" and re.search(CURRENCY, text) is None:
            return told.no_currency.format(found=shown), do
        elif column.name[self.language] not in self.stream.pseudonymised and holds_a_mail_address(text):
            return told.mail, told.code
        return None, do

    def _wrong_day(self, column: Column, shown: str, day: date | None) -> str | None:
        if day is None or day.year < _FIRST_YEAR_OF_FOUR_DIGITS:
            return self.told.no_day.format(found=shown, example=column.example[self.language])
        if day < EARLIEST.date():
            return self.told.old.format(found=shown, year=EARLIEST.year)
        return self.told.future.format(found=shown) if day > self.today else None

    def _value(self, name: str) -> pl.Expr:
        """What a cell says; of a day, also one that is too long ago to be meant."""
        declared = self.stream.columns.get(name)
        if declared is None:
            return pl.lit(None)
        if declared.type == "date":
            return pl.col(name).str.strip_chars().str.to_date(declared.format, strict=False)
        return cells.cell(name, declared, self.stream.cells, "UTC")[0]

    def _column(self, name: str) -> Column:
        return next(column for column in self.form.columns if column.name[self.language] == name)

    def _hint(self, column: Column) -> str:
        return f"{column.says[self.language]} ({column.example[self.language]})"

    def _finding(self, file: str, row: int, column: str, found: str, do: str) -> Finding:
        return Finding(file, row, column, found, do, self.language)


def _shown(columns: list[str], texts: list[str]) -> str:
    """What stands in the columns that something has to hold of, the first of which is named beside."""
    first, *others = (f"'{text[:LONGEST_SHOWN]}'" for text in texts)
    beside = ", ".join(f"{name} {text}" for name, text in zip(columns[1:], others, strict=True))
    return f"{first} ({beside})" if beside else first


def _plain(value: Decimal, decimal: str) -> str:
    return format(value, "f").rstrip("0").rstrip(".").replace(".", decimal)
