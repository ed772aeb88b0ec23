"""The published tables: their columns, types, keys and documentation, and what is in them.

Belongs here: reading `tables.yaml`, making each table's frame in its shape, the documentation in Markdown. Does not:
how a figure stands (`standing`), the file (`file`).
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from assets.publication import readings, standing
from assets.publication.results import Publication, Results
from kr_definitions.vocabulary import UTC_MICROSECONDS

_POLARS_TYPES: Mapping[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "BIGINT": pl.Int64(),
    "INTEGER": pl.Int32(),
    "BOOLEAN": pl.Boolean(),
    "DATE": pl.Date(),
    "TIMESTAMPTZ": UTC_MICROSECONDS,
    "DOUBLE": pl.Float64(),
    "DECIMAL(38,6)": pl.Decimal(38, 6),
}

# What a spreadsheet takes for the beginning of a formula, its full-width forms among them.
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
_DISARMED = r"^'([=+\-@\t\r\n＝＋－＠])"


@dataclass(frozen=True, slots=True)
class Column:
    """A published column. is_free: text that people or vendors wrote."""

    name: str
    type: str
    says: str
    is_free: bool = False

    @property
    def polars_type(self) -> pl.DataType:
        return _POLARS_TYPES[self.type]


@dataclass(frozen=True, slots=True)
class Table:
    """A published table. key: what tells its rows apart; required: the columns of the key that are never null."""

    name: str
    says: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A question that the file answers with rows: a DuckDB table macro over the published tables."""

    name: str
    says: str
    takes: Mapping[str, str]
    query: str
    example: str

    @property
    def definition(self) -> str:
        """The statement that makes it, where the file is the database in use."""
        return f"CREATE MACRO {self.name}({', '.join(self.takes)}) AS TABLE {self.query}"


class TablesError(Exception):
    """A table would not have the shape that is documented: names the table, the rows, and what to do."""


@cache
def tables() -> Mapping[str, Table]:
    """Every published table, by name, in the order of the documentation."""
    content = _content()
    glossary = {
        name: Column(name, entry["type"], entry["says"], entry.get("free", False))
        for name, entry in content["columns"].items()
    }
    return {name: _table(name, entry, glossary) for name, entry in content["tables"].items()}


@cache
def functions() -> tuple[Function, ...]:
    """What the file can be asked beside its tables."""
    return tuple(Function(name, **entry) for name, entry in _content()["functions"].items())


@cache
def shape_version() -> int:
    """Version of the tables' shape."""
    return int(_content()["version"])


def _content() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("tables.yaml").read_text(encoding="utf-8"))
    return content


def _table(name: str, entry: Mapping[str, Any], glossary: Mapping[str, Column]) -> Table:
    return Table(
        name,
        entry["says"],
        tuple(glossary[column] for line in entry["columns"] for column in line),
        tuple(part.strip("()") for part in entry["key"]),
        tuple(part for part in entry["key"] if not part.startswith("(")),
    )


def frames(publication: Publication) -> dict[str, pl.DataFrame]:
    """Every table's rows, in its columns and types. Raises `TablesError` where rows have no key, or share one."""
    made: dict[str, list[pl.DataFrame]] = {name: [] for name in tables()}
    for results in publication.results:
        for name, rows in _of_organisation(results, publication).items():
            made[name].append(rows.with_columns(organisation=pl.lit(results.organisation.id)))
    made["meta"] = [_meta(publication)]
    return {name: _shaped(table, made[name]) for name, table in tables().items()}


def _of_organisation(results: Results, publication: Publication) -> dict[str, pl.DataFrame]:
    daily = standing.progress_daily(results)
    last = standing.last_run(results, publication.run_id)
    make: Mapping[str, Callable[[], pl.DataFrame]] = {
        "current_progress": lambda: standing.current_progress(results, daily, publication.published_at, last),
        "progress_daily": lambda: daily,
        "progress_history": lambda: results.history.sort("key_result_id", "member", "as_of", "recorded_at"),
        "editions": lambda: standing.editions(results),
        "contributions": lambda: results.contributions,
        "restatement_events": lambda: standing.restatement_events(results),
        "restatements": lambda: standing.restatements(results, daily),
        "key_results": lambda: results.key_results,
        "objectives": lambda: standing.objectives(results),
        "objective_history": lambda: results.objective_history.sort("objective_id", "as_of", "recorded_at"),
        "check_ins": lambda: standing.check_ins(results),
        "seals": lambda: standing.seals(results),
        "organisations": lambda: standing.organisation(results),
        "data_quality": lambda: readings.data_quality(results, last),
        "loads": lambda: readings.loads(results),
    }
    return {name: rows() for name, rows in make.items()}


def _meta(publication: Publication) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "run_id": [publication.run_id],
            "published_at": [publication.published_at],
            "tables_version": [shape_version()],
            "hito_version": [version("hito")],
            "duckdb_version": [version("duckdb")],
            "polars_version": [version("polars")],
            "python_version": [platform.python_version()],
        }
    )


def _shaped(table: Table, rows: list[pl.DataFrame]) -> pl.DataFrame:
    """One frame in the table's columns and types, with free text that no spreadsheet takes for a formula."""
    columns = [
        (_disarmed(column) if column.is_free else pl.col(column.name)).cast(column.polars_type)
        for column in table.columns
    ]
    empty = pl.DataFrame(schema={column.name: column.polars_type for column in table.columns})
    shaped = pl.concat([empty, *(frame.select(columns) for frame in rows)])
    _check_key(table, shaped)
    return shaped


def _disarmed(column: Column) -> pl.Expr:
    text = pl.col(column.name)
    return (
        pl.when(text.str.contains(_FORMULA)).then(pl.concat_str(pl.lit("'"), text)).otherwise(text).alias(column.name)
    )


def as_written(rows: pl.DataFrame) -> pl.DataFrame:
    """Published rows with their free text as it was written: for readers that know no formulas."""
    return rows.with_columns(pl.col(pl.String).str.replace(_DISARMED, "$1"))


def _check_key(table: Table, rows: pl.DataFrame) -> None:
    """A join that doubled rows, or lost a key, must never reach a reader."""
    for name in table.required:
        if missing := rows.get_column(name).null_count():
            raise TablesError(
                f"{table.name}: {missing} rows have no {name}. Nothing was published; the file before stays"
            )
    if table.key and (twice := rows.filter(pl.struct(table.key).is_duplicated())).height:
        key = ", ".join(f"{name} {value}" for name, value in twice.select(table.key).row(0, named=True).items())
        raise TablesError(
            f"{table.name}: {twice.height} rows share their key with another ({key}). "
            "Nothing was published; the file before stays. Look for a row that was recorded twice"
        )


def documentation() -> str:
    """The published tables, column by column, in Markdown."""
    lines = [
        "# The published tables",
        "",
        "One DuckDB file (storage of DuckDB 1.0, readable by every 1.x), made anew by each run and then put in the",
        "place of the one before: a reader always sees one whole state. Open it read-only, and anew for each query or",
        "page: a connection that is kept open goes on showing the state that it was opened on.",
        "",
        "```sql",
        "ATTACH 'hito.duckdb' (READ_ONLY);",
        "SELECT title_en, value, target, status FROM hito.current_progress ORDER BY objective_id;",
        "```",
        "",
        "A column has one meaning in whichever table it stands. Null means that it is not known, or does not apply;",
        "it never means zero. Text that people or vendors wrote begins with `'` where a spreadsheet would take it for",
        "a formula. The same descriptions are in the file itself (`duckdb_tables()`, `duckdb_columns()`).",
        "",
        *(
            f"- [{table.name}](#{table.name}): {table.says.partition(':')[0].rstrip('.')}"
            for table in tables().values()
        ),
    ]
    for table in tables().values():
        lines += ["", f"## {table.name}", "", table.says, ""]
        if table.key:
            lines += [f"Key: {', '.join(f'`{name}`' for name in table.key)}.", ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{column.name}` | {column.type} | {column.says} |" for column in table.columns]
    lines += ["", "## Functions", "", "Asked of the file itself: open it, or say `USE hito` once it is attached."]
    for function in functions():
        takes = ", ".join(f"{name} {kind}" for name, kind in function.takes.items())
        lines += ["", f"### {function.name}({takes})", "", function.says, "", "```sql", f"{function.example};", "```"]
    return "\n".join([*lines, "", f"Shape {shape_version()}.", ""])
