"""Tables as pages of records: the fetching half of a stream, through dlt's own resource for tables.

Belongs here: the course of a reading. Does not: what is asked (`queries`), how far it got (`places`), what a row is as
a record (`records`), or what it says (`pipelines.rows`).

A table's rows come through one SELECT, which the database answers from one state of it, as a stream of chunks: this
process never holds all of them. dlt's incremental cursors are not used, nor its state: where the next reading starts is
known from the lake alone (`pipelines.load`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from dlt.sources.sql_database import sql_table

from pipelines.addresses import holds_a_mail_address
from pipelines.rows.mapping import Mapping
from pipelines.rows.people import people
from pipelines.rows.records import has_a_name
from pipelines.source import Account, Covered, Mark, Read, Record, SourceConfigError, SourceError
from pipelines.sql import values
from pipelines.sql.database import Database, database
from pipelines.sql.declaration import LoadedAt, SqlStream
from pipelines.sql.due import Due
from pipelines.sql.places import Places
from pipelines.sql.queries import AT, MOST_STRANGE, After, Question
from pipelines.sql.records import Records, Row
from pipelines.sql.tables import Table, described, identity, table_of

ROWS_A_PAGE = 5_000

BY_LOADERS = ("_fivetran_synced", "_airbyte_extracted_at", "_airbyte_emitted_at", "_sdc_batched_at", "_dlt_load_id")
"""What Fivetran, Airbyte, Stitch and dlt call the column that says when they brought a row."""


@dataclass(frozen=True)
class Reading:
    """The fetching half of a stream."""

    account: Account
    stream: SqlStream
    mapping: Mapping

    def fetch(self, read: Read) -> Generator[list[Record] | Mark, None, Covered]:
        """The rows that changed; all of them where nothing says which did."""
        with database(self.account) as found:
            table = table_of(found, self.stream)
            loaded = self._loaded_at(found, table, read)
            places = None if self.stream.cursor is None else Places(self.stream, table, self.mapping.zone)
            question = self._question(table, places, read)
            records = Records(self.stream, self.mapping, self.account.pseudonym, read.until)
            if lacking := self._nameless(found, question):
                yield records.nameless(lacking)
            shared = self._shared(found, question)
            latest = None
            for page in _pages(self._rows(found, table, question)):
                yield records.of(page, shared)
                if places is not None:
                    latest = _latest(found, places, page, read.until) or latest
                if (mark := self._mark(table, page[-1])) is not None:
                    yield mark
        cursor = read.cursor if places is None or latest is None else places.kept(latest)
        unsure = has_a_name if lacking or shared else None
        return Covered(self._start(), self._end(loaded, read), cursor, unsure=unsure)

    # What is asked

    def _question(self, table: Table, places: Places | None, read: Read) -> Question:
        after = None if read.mark is None else self._after(table, places, read.mark)
        if places is None:
            return Question(self.stream, table, after=after)
        revision = self.stream.revision
        zone = (None if revision is None else revision.zone) or self.mapping.zone
        due = None if read.since is None else Due(read.since, read.until, zone)
        return Question(self.stream, table, places.start(read.cursor), places.ceiling(read.until), after, due)

    def _rows(self, found: Database, table: Table, question: Question) -> Iterator[Row]:
        asked = question.rows(is_keyed=self._is_keyed)

        def query(select: Any, of: Any, incremental: Any = None, engine: Any = None) -> Any:  # noqa: ARG001 - dlt's
            return asked

        with found.answering(self.stream.table):
            rows = sql_table(
                credentials=found.engine,
                table=table.reflected.name,
                schema=table.reflected.schema,
                metadata=table.reflected.metadata,
                chunk_size=ROWS_A_PAGE,
                backend="sqlalchemy",  # exact: the others round numbers to what their columns were guessed to hold
                reflection_level="minimal",
                included_columns=list(self.stream.read_columns),
                query_adapter_callback=query,
            )
            yield from self._zoned(found, table, rows)

    def _some(self, found: Database, table: Table, asked: sa.Select[Any]) -> list[Row]:
        with found.answering(self.stream.table), found.engine.connect() as connection:
            return list(self._zoned(found, table, (dict(row) for row in connection.execute(asked).mappings())))

    def _zoned(self, found: Database, table: Table, rows: Iterable[Row]) -> Iterator[Row]:
        """Rows whose times say which instants they are, where their columns' types say so."""
        names = {name: name for name in self.stream.read_columns}
        cursor = {} if self.stream.cursor is None else {AT: self.stream.cursor.columns[0]}
        timed = {
            label: name
            for label, name in {**names, **cursor}.items()
            if isinstance(table[name].type, sa.DateTime) and table.has_zone(name)
        }
        for row in rows:
            for label in timed.keys() & row.keys():
                row[label] = self._with_zone(found, table, timed[label], row[label])
            yield row

    def _with_zone(self, found: Database, table: Table, name: str, value: Any) -> Any:
        given = table.as_given(name, value)
        if not isinstance(given, datetime) or given.tzinfo is not None:
            return given
        if self.stream.zone is None:
            told = f"{self.stream.table}: the driver tells the times of {name} without their zone"
            raise SourceConfigError(found.source, told, "Say with zone which one it tells them in")
        return given.replace(tzinfo=ZoneInfo(self.stream.zone))

    def _nameless(self, found: Database, question: Question) -> list[Row]:
        """Rows that lack a part of what identifies them."""
        asked = question.without_key()
        rows = [] if asked is None else self._some(found, question.table, asked)
        if len(rows) > MOST_STRANGE:
            names = ", ".join(identity(self.stream))
            told = f"{self.stream.table}: more than {MOST_STRANGE} rows lack a part of {names}"
            raise SourceConfigError(found.source, told, "Name in key what every row has")
        return rows

    def _shared(self, found: Database, question: Question) -> dict[tuple[str | None, ...], int]:
        """What rows have in common that differ, and how many they are."""
        asked = question.shared()
        rows = [] if asked is None else self._some(found, question.table, asked)
        names = identity(self.stream)
        if len(rows) > MOST_STRANGE:
            told = f"{', '.join(names)} does not tell rows apart: more than {MOST_STRANGE} are shared"
            do = "Name in key what identifies a row, or say with shape that rows are versions or a history"
            raise SourceConfigError(found.source, f"{self.stream.table}: {told}", do)
        return {tuple(values.time_text(values.text_of(row[name])) for name in names): row["rows"] for row in rows}

    # How far it got

    @property
    def _is_keyed(self) -> bool:
        """Whether what identifies a row may be kept outside of the raw zone: where it is nobody's id."""
        where = people(self.stream)
        of_people = {step for place in (*where.own, *where.whose, *where.beside) for step in place.path}
        return not {*identity(self.stream)} & (of_people | self.stream.pseudonymised)

    def _mark(self, table: Table, row: Row) -> Mark | None:
        """The place of a row; None where there is none, or the whole table has to be read at once."""
        key = [table.compared_text(name, row[name]) for name in identity(self.stream)] if self._is_keyed else []
        if any(holds_a_mail_address(text) for text in key if text is not None):
            key = []
        place = None if self.stream.cursor is None else table.compared_text(self.stream.cursor.columns[0], row[AT])
        if self.stream.delivery == "snapshot" or (place is None and not key):
            return None
        return Mark(orjson.dumps({"place": place, "key": key}).decode())

    def _after(self, table: Table, places: Places | None, mark: str) -> After:
        kept = orjson.loads(mark)
        names = identity(self.stream)
        key = tuple(
            table.as_stored(name, values.reader(table.compared(name).type)(text), self.mapping.zone)
            for name, text in zip(names, kept["key"], strict=False)
        )
        return After(None if places is None else places.value(kept["place"]), key)

    # What it covers

    def _loaded_at(self, found: Database, table: Table, read: Read) -> datetime | None:
        """Up to when the table had been filled; asked before its rows, so that it is never later than they are."""
        told = self.stream.loaded_at or self._by_loader(table)
        if told is None:
            return None
        where = self.stream.table if told.table is None else told.table
        of = table if told.table is None else described(found, told.table)
        if told.column not in of.reflected.c:
            raise SourceConfigError(found.source, f"{where} has no column {told.column}", "Correct loaded_at")
        newest = of.written(sa.func.max(of.compared(told.column)))
        with found.answering(where), found.engine.connect() as connection:
            value = connection.execute(sa.select(newest)).scalar_one()
        text = values.time_text(values.text_of(of.as_given(told.column, value)))
        return self._instant(found.source, f"{where}: the last {told.column}", text, read)

    def _by_loader(self, table: Table) -> LoadedAt | None:
        """The column in which a loader that is known says when it brought a row; None where all is known anyway."""
        if self.stream.covers.through is not None:
            return None
        names = [column.name for column in table.reflected.columns]
        return next((LoadedAt(column=name) for name in BY_LOADERS if name in names), None)

    def _instant(self, source: str, what: str, text: str | None, read: Read) -> datetime:
        try:
            seconds = float(text or "")  # dlt's load ids are seconds since 1970
            found = datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            try:
                found = datetime.fromisoformat(text or "")
            except ValueError:
                do = "Name in loaded_at a column that is a time, of a table that has rows"
                raise SourceError(source, f"{what} is no time", do) from None
        if found.tzinfo is None and self.stream.zone is None:
            do = "Say with zone which one it is meant in: most loaders write UTC"
            raise SourceConfigError(source, f"{what} is stored without a zone", do)
        aware = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(self.mapping.zone))
        return min(aware.astimezone(UTC), read.until)

    def _start(self) -> datetime | None:
        first = self.stream.covers.first
        if first is None:
            return None
        return datetime.combine(first, datetime.min.time(), ZoneInfo(self.account.zone)).astimezone(UTC)

    def _end(self, loaded: datetime | None, read: Read) -> datetime:
        through = self.stream.covers.through
        if through is None or through == "reading":
            return loaded or read.until
        day = datetime.combine(through + timedelta(days=1), datetime.min.time(), ZoneInfo(self.account.zone))
        return min(day.astimezone(UTC), loaded or read.until)


def _pages(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while page := list(islice(rows, ROWS_A_PAGE)):
        yield page


def _latest(found: Database, places: Places, page: Sequence[Row], until: datetime) -> str | None:
    """The last place of a page that is believed, as text."""
    for row in reversed(page):
        text = places.table.compared_text(places.cursor.columns[0], row[AT])
        place = places.value(text)
        if place is None:
            continue
        if (mistake := places.mistake(place)) is not None:
            told, do = mistake
            raise SourceConfigError(found.source, f"{places.stream.table}: {told}", do)
        if places.is_believed(place, until):
            return text
    return None
