"""What an organisation says of the tables of a database: how they are read, and which events their rows are.

Belongs here: the shape of an sql source's `options` (in `organisation.yaml`, or in a YAML file of its own). Does not:
what can be said of the rows themselves (`pipelines.rows.declaration`), or reading tables (`reading`).

A stream is one table, or a view: what needs several tables is joined where they are.

    streams:
      deals:
        table: hubspot.deal                      # schema.table, or catalogue.schema.table
        delivery: changes                        # or snapshot: each reading is the whole table
        cursor: _fivetran_synced                 # what moves whenever a row changes
        key: deal_id                             # what identifies a row; one column or a list
        deleted: is_deleted                      # a boolean, a word, or the time of the deletion
        zone: UTC                                # of times that are stored without one
        columns: {property_amount: number}
        events:
          - type: deal.created
            at: property_createdate
            subject: deal_id
      stages:
        table: hubspot.deal_property_history
        shape: {type: history, field: name, value: value, fields: [dealstage, amount]}
        delivery: changes
        cursor: _fivetran_synced
        key: deal_id
        revision: timestamp
        columns: {amount: number}
        events:
          - type: deal.stage_entered
            each_change_of: dealstage
            subject: deal_id
            attributes: {stage: dealstage}
          - type: deal.won
            while: dealstage = 'closedwon'
            subject: deal_id
            amount: amount
            currency: "'EUR'"

`shape` says what a row is. `current`: a thing as it is now; its revision, if it has one, says when it became so, and
an older one never takes the place of a newer one. `versions`: what a thing was from its revision on (dbt's snapshots,
Fivetran's history mode). `history`: what one field of a thing became at its revision.

Numbers, booleans and times are read as texts (1200.50, true, 2026-03-01T09:00:00Z) and so are declared under `columns`
where an expression needs them as what they are.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag

from pipelines.rows.checks import Found
from pipelines.rows.declaration import (
    Covers,
    Flagging,
    History,
    Names,
    Revision,
    RowStream,
    Versions,
    Zone,
    column_of,
    typed,
)
from pipelines.source import Options, StreamName

TableName = Annotated[str, StringConstraints(pattern=r"^[^.\s][^.]*(\.[^.]+){0,2}$")]


class Current(Options):
    """A row for each thing, as it is now."""

    type: Literal["current"] = "current"


Shape = Annotated[
    Annotated[Current, Tag("current")] | Annotated[Versions, Tag("versions")] | Annotated[History, Tag("history")],
    Discriminator(
        lambda shape: shape.get("type") if isinstance(shape, dict) else getattr(shape, "type", None),
        custom_error_type="table_shape",
        custom_error_message="a shape that is not read | Write current, versions or history",
    ),
]


class Cursor(Options):
    """What moves forward whenever a row changes: a time, a number that grows, or a text that does.

    columns: one; or several, of which the latest counts (the beginning and the end of a version). overlap_minutes,
    overlap_numbers: how far before the last one that was seen the next reading starts, of times (also of those that
    are counted from 1970) and of other numbers: what was committed late is read then. Rows at the very same place are
    always read again. Without a word it is an hour, and a thousand numbers.
    """

    columns: Annotated[Names, Field(min_length=1)]
    overlap_minutes: int | None = Field(default=None, ge=0)
    overlap_numbers: Decimal | None = Field(default=None, ge=0)


class LoadedAt(Options):
    """Where it stands when the table was last filled by whatever fills it. table: another one than the stream's own."""

    column: str
    table: TableName | None = None


class TableCovers(Covers):
    """Which days a reading is complete for.

    from: the first one; without it, whatever is in the table. through: the last one, or `reading`: what is not in the
    table at the moment of the reading has not happened. Without it, up to when the table was last filled (`loaded_at`,
    or the column in which a known loader says so); of a table that no such thing is known of, up to the reading.
    """

    through: date | Literal["reading"] | None = None


def _columns_of(value: Any) -> Any:
    return {"columns": value} if isinstance(value, str | list | tuple) else value


class SqlStream(RowStream):
    """One table and the events that its rows are: see the module's description."""

    table: TableName
    shape: Annotated[Shape, BeforeValidator(typed)] = Current()
    delivery: Literal["snapshot", "changes"]
    cursor: Annotated[Cursor | None, BeforeValidator(_columns_of)] = None
    deleted: Flagging | None = None
    zone: Zone | None = None
    loaded_at: Annotated[LoadedAt | None, BeforeValidator(column_of)] = None
    covers: TableCovers = TableCovers()

    def problems(self) -> list[Found]:
        return [*self._contradictions(), *super().problems()]

    def _contradictions(self) -> list[Found]:
        found: list[Found] = []
        kind = self.shape.type
        if kind != "current" and self.revision is None:
            told = f"{kind} without a revision | Name in revision the column that says from when on it is so"
            found.append((("shape",), told))
        if kind == "current" and self.revision is not None and self.revision.then is not None:
            told = "then orders rows of one time, and a thing has one row here | Leave it out"
            found.append((("revision", "then"), told))
        if self.cursor is not None and self.delivery == "snapshot":
            told = "a snapshot reads the whole table each time | Leave out cursor, or write delivery: changes"
            found.append((("cursor",), told))
        if self.cursor is not None and None not in (self.cursor.overlap_minutes, self.cursor.overlap_numbers):
            told = "overlap_minutes and overlap_numbers together | A cursor is a time or a number: leave one of them"
            found.append((("cursor",), told))
        if self.loaded_at is not None and self.covers.through == "reading":
            told = "loaded_at says how far the table reaches, and covers that it does not matter | Leave one of them"
            found.append((("covers", "through"), told))
        if self.deleted is not None and self.versions is not None:
            found.append((("deleted",), "of versions it is said in their shape | Write it there"))
        if self.history is not None and (both := sorted({*self.history.fields} & {*self.key, self.history.field})):
            found.append((("shape", "fields"), f"{both[0]} is a column of the table itself | Leave it out"))
        return found

    @property
    def states(self) -> Revision | None:
        return None if self.shape.type == "current" else self.revision

    @property
    def versions(self) -> Versions | None:
        return self.shape if isinstance(self.shape, Versions) else None

    @property
    def history(self) -> History | None:
        return self.shape if isinstance(self.shape, History) else None

    @cached_property
    def kept(self) -> tuple[str, ...]:
        """The columns of the table from which rows are kept, sorted."""
        if self.history is None:
            return self.used
        return tuple(sorted({*self.used, self.history.value} - {*self.history.fields}))

    @cached_property
    def read_columns(self) -> tuple[str, ...]:
        """The columns that are read, sorted: those that are kept, and those that only say when or whether."""
        beside = {*(self.cursor.columns if self.cursor else ()), *((self.deleted.column,) if self.deleted else ())}
        return tuple(sorted({*self.kept, *beside}))


class SqlOptions(Options):
    """Tables of one database."""

    streams: Annotated[dict[StreamName, SqlStream], Field(min_length=1)]
