"""Editions: what each key result has meant, one meaning after the other.

Belongs here: which edition a definition is of, and how its version counts up. Does not: what a meaning is (`meaning`),
the rows that an edition gives the history (`remembering`).

An edition is a span of the history with one meaning. What gives the value changed: the version's first number goes up
(1.3 → 2.0). Only what judges it (target, guardrails, thresholds): its second (1.3 → 1.4). A key result that is no
longer declared is retired; its id comes back only with the meaning that it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl

from kr_definitions import shapes
from kr_definitions.catalogue import Definition
from kr_definitions.vocabulary import UTC_MICROSECONDS

Change = Literal["added", "measure", "target", "retired", "reinstated"]

# One row each time that a key result's meaning began to hold, changed, or ceased to.
EDITIONS_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "edition": pl.Int64(),  # 1, 2, …: each has a history of its own
    "definition_version": pl.String(),  # major.minor
    "definition_hash": pl.String(),  # of everything that moves a figure
    "measured_hash": pl.String(),  # of what gives the value
    "functions_hash": pl.String(),  # of the files of the functions that it names; null without any
    "change": pl.String(),  # added, measure, target, retired, reinstated
    "is_split": pl.Boolean(),  # the edition before was brought up to date first; null: there is none, or nobody knows
    "recorded_at": UTC_MICROSECONDS,
    "run_id": pl.String(),
    "declared": pl.String(),  # as YAML, from which it can be computed again; null: not known
    "definition_file": pl.String(),  # path below the project and line
}

CAUSE_OF: Mapping[str, str] = {"measure": "definition", "target": "target"}
"""The cause of the restatements that a new edition brings, by what changed."""


@dataclass(frozen=True, slots=True)
class Edition:
    """The edition that a definition is of now. change: what is new about it; None: it goes on as it was.

    follows: the row (`EDITIONS_SCHEMA`) of the edition that it supersedes.
    """

    definition: Definition
    number: int
    version: str
    change: Change | None
    follows: Mapping[str, Any] | None = None

    @property
    def supersedes(self) -> bool:
        """Whether it takes the place of an edition with another meaning."""
        return self.follows is not None

    def row(self, at: datetime, run_id: str, *, is_split: bool | None) -> dict[str, Any]:
        """Its row, recorded at an instant."""
        means = self.definition.meaning
        return {
            "key_result_id": self.definition.id,
            "edition": self.number,
            "definition_version": self.version,
            "definition_hash": means.content_hash,
            "measured_hash": means.measured_hash,
            "functions_hash": means.functions_hash,
            "change": self.change,
            "is_split": is_split,
            "recorded_at": at,
            "run_id": run_id,
            "declared": means.declared,
            "definition_file": f"{self.definition.file}:{self.definition.line}",
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """A definition whose id was retired with another meaning."""

    definition: Definition
    retired_at: datetime


def completed(editions: pl.DataFrame, history: pl.LazyFrame) -> pl.DataFrame:
    """The editions, with those of which a run that was killed had recorded rows and no more."""
    is_of_what_was = pl.col("change").is_in(["retired", "reinstated"]).fill_null(value=False)
    begun = editions.lazy().filter(~is_of_what_was)
    found = (
        history.group_by("key_result_id", "edition")
        .agg(pl.col("definition_version", "definition_hash", "recorded_at", "run_id").sort_by("recorded_at").first())
        .join(begun, on=["key_result_id", "edition"], how="anti")
        .collect()
    )
    missing = found.select(shapes.columns(EDITIONS_SCHEMA, found.columns))
    return pl.concat([editions.select(EDITIONS_SCHEMA.keys()), missing]).sort("key_result_id", "edition", "recorded_at")


def in_force(editions: pl.DataFrame, instant: datetime | None = None) -> pl.DataFrame:
    """The last row of each key result, by an instant (aware); by now without one."""
    known = editions if instant is None else editions.filter(pl.col("recorded_at") <= instant)
    return known.sort("edition", "recorded_at").unique("key_result_id", keep="last", maintain_order=True)


def following(editions: pl.DataFrame, definitions: Iterable[Definition]) -> tuple[list[Edition], list[Refused]]:
    """The edition that each definition is of, after these editions; and those whose id cannot be used."""
    last = {row["key_result_id"]: row for row in in_force(editions).iter_rows(named=True)}
    found: list[Edition] = []
    refused: list[Refused] = []
    for definition in definitions:
        row, means = last.get(definition.id), definition.meaning
        if row is None:
            found.append(Edition(definition, 1, "1.0", "added"))
        elif row["definition_hash"] == means.content_hash:
            change: Change | None = "reinstated" if row["change"] == "retired" else None
            found.append(Edition(definition, row["edition"], row["definition_version"], change))
        elif row["change"] == "retired":
            refused.append(Refused(definition, row["recorded_at"]))
        else:
            is_measured_alike = row["measured_hash"] == means.measured_hash
            major, minor = (int(part) for part in row["definition_version"].split("."))
            version = f"{major}.{minor + 1}" if is_measured_alike else f"{major + 1}.0"
            change = "target" if is_measured_alike else "measure"
            found.append(Edition(definition, row["edition"] + 1, version, change, row))
    return found, refused


def untold(editions: pl.DataFrame, found: Iterable[Edition]) -> list[dict[str, Any]]:
    """The rows of editions that go on, where a run that was killed recorded figures and no more (`completed`)."""
    last = {row["key_result_id"]: row for row in in_force(editions).iter_rows(named=True)}
    rows = []
    for edition in found:
        if edition.change is None and last[edition.definition.id]["change"] is None:
            began = last[edition.definition.id]
            is_measured_alike = not edition.version.endswith(".0")
            change = "added" if edition.number == 1 else "target" if is_measured_alike else "measure"
            rows.append({**edition.row(began["recorded_at"], began["run_id"], is_split=None), "change": change})
    return rows


def retired(editions: pl.DataFrame, declared: Sequence[Definition], at: datetime, run_id: str) -> list[dict[str, Any]]:
    """The rows by which the key results that are no longer declared are retired."""
    ids = {definition.id for definition in declared}
    is_declared = pl.col("key_result_id").is_in(list(ids))
    gone = in_force(editions).filter(~is_declared, pl.col("change").ne_missing(pl.lit("retired")))
    return [
        {**row, "change": "retired", "is_split": None, "recorded_at": at, "run_id": run_id}
        for row in gone.iter_rows(named=True)
    ]
