"""Tables of a database, whose rows an organisation declares to be events: a warehouse that holds a vendor's records.

Belongs here: the connector. Does not: what may be declared (`declaration`), from tables to records (`reading`), from
records to facts (`pipelines.rows`).

For whatever a company has in a database already, such as what a loader (Fivetran, Airbyte, dlt, Stitch) copies there
from its vendors: any database that SQLAlchemy has a dialect for. The setting is
`sources.<organisation>.<source>.credentials`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from pipelines.rows.mapping import Mapping
from pipelines.rows.people import people
from pipelines.rows.records import group_of, thing_of
from pipelines.source import Account, Options, Stream
from pipelines.sql.declaration import SqlOptions, SqlStream
from pipelines.sql.reading import Reading

__all__ = ["SQL", "SqlOptions"]


@dataclass(frozen=True)
class Sql:
    """The kind of source that tables of a database are."""

    kind: str = "sql"
    options: type[Options] = SqlOptions

    def streams(self, account: Account, options: SqlOptions) -> list[Stream]:
        """One stream for each table."""
        return [_stream(account, name, stream) for name, stream in options.streams.items()]


SQL = Sql()


def _stream(account: Account, name: str, stream: SqlStream) -> Stream:
    mapping = Mapping(stream, stream.zone or account.zone, stream.table)
    reading = Reading(account, stream, mapping)
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
