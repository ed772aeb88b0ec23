"""Closing: the scores of periods that are over, sealed by a person or by the organisation's rule.

Belongs here: what a seal is made from, and the only code that writes seals. Does not: what may be sealed and what a
seal holds (`kr_definitions.seals`), commands, publication.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from assets import steps
from assets.clock import today
from assets.home import Home
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.declarations import Objective
from kr_definitions.history import current
from kr_definitions.periods import Span
from kr_definitions.seals import (
    BY_RULE,
    SEALS_SCHEMA,
    Act,
    members_of,
    of_key_result,
    of_objective,
    of_period,
    weights_of,
    why_not,
    why_not_objective,
)
from kr_definitions.vocabulary import nearest
from pipelines import lake


class NotClosed(Exception):
    """Nothing was sealed: says why, a line for each key result that stands in the way."""

    def __init__(self, *why: str) -> None:
        super().__init__("\n".join(why))


@dataclass(frozen=True)
class Closed:
    """What was sealed (`SEALS_SCHEMA`), and what is to be known of it. kept: the seals that were there before."""

    seals: pl.DataFrame
    kept: pl.DataFrame


def kept(home: Home, organisation: str) -> pl.LazyFrame:
    """The seals of an organisation: `SEALS_SCHEMA`."""
    return lake.scan(home.seals(organisation), dict(SEALS_SCHEMA))


def close(home: Home, catalogue: Catalogue, name: str, act: Act, *, as_unknown: bool = False) -> Closed:
    """Seal a key result, or an objective with all of its key results; either everything or nothing.

    catalogue: with its periods. Raises `NotClosed`; `Overtaken` where another process sealed something meanwhile.
    """
    before, books = _opened(home, catalogue, act.at)
    for definition in catalogue.definitions:
        if definition.id == name:
            if (why := books.why_not(definition, as_unknown=as_unknown)) is not None:
                raise NotClosed(why)
            return Closed(_append(home, catalogue, before, [books.seal_of(definition, act)]), books.seals)
    for objective in catalogue.objectives:
        if objective.id == name:
            seals = books.seals_of(objective, act, as_unknown=as_unknown)
            return Closed(_append(home, catalogue, before, seals), books.seals)
    ids = [*(one.id for one in catalogue.definitions), *(one.id for one in catalogue.objectives)]
    likely = nearest(name, ids, alike=0.75)  # the ids of an organisation begin alike
    do = f". Did you mean {' or '.join(likely)}?" if likely else ""
    raise NotClosed(f"there is no key result or objective '{name}'{do}")


def close_due(home: Home, catalogue: Catalogue, at: datetime, run_id: str) -> pl.DataFrame:
    """Seal what ended as long ago as the organisation's `close_after` says, is known and final; nothing without it.

    catalogue: with its periods. What the run's checks hold back waits. Returns what was sealed: `SEALS_SCHEMA`.
    """
    days, act = catalogue.organisation.close_after, Act(at, BY_RULE)
    if days is None:
        return pl.DataFrame(schema=dict(SEALS_SCHEMA))
    before, books = _opened(home, catalogue, at)
    held_back = _held_back(home, catalogue.organisation.id, run_id)
    due: list[dict[str, Any]] = []
    for definition in catalogue.definitions:
        is_due = definition.period is not None and books.day - definition.period.last >= timedelta(days=days)
        is_sound = is_due and definition.id not in held_back and books.is_final(definition)
        if is_sound and books.why_not(definition) is None:
            due.append(books.seal_of(definition, act))
    after = books.with_(due)
    for objective in catalogue.objectives:
        is_due = books.day - after.period(objective).last >= timedelta(days=days)
        due += after.roll_up(objective, act) if is_due else []
    return _append(home, catalogue, before, due)


@dataclass(frozen=True)
class _Books:
    """All that a seal is made from. rows: the newest of the history, of each key result's last day; day: the present.

    late_days, read_on: of each key result, how late its facts can be, and the day on which its streams were last read.
    """

    catalogue: Catalogue
    seals: pl.DataFrame
    rows: dict[str, dict[str, Any]]
    day: date
    late_days: dict[str, int]
    read_on: dict[str, date | None]

    def with_(self, seals: Sequence[dict[str, Any]]) -> _Books:
        """The same, after more has been sealed."""
        return replace(self, seals=pl.concat([self.seals, pl.DataFrame(seals, schema=dict(SEALS_SCHEMA))]))

    def period(self, objective: Objective) -> Span:
        return objective.period.span(self.catalogue.organisation.calendar)

    def is_final(self, definition: Definition) -> bool:
        """Whether every stream was read after the last day on which a fact of the period could still arrive."""
        read_on = self.read_on[definition.id]
        return read_on is not None and read_on > definition.span.last + timedelta(days=self.late_days[definition.id])

    def why_not(self, definition: Definition, *, as_unknown: bool = False) -> str | None:
        """Why a key result cannot be sealed; None where it can."""
        return why_not(definition, self.rows.get(definition.id), self.day, self.seals, as_unknown=as_unknown)

    def seal_of(self, definition: Definition, act: Act) -> dict[str, Any]:
        """The seal of a key result that can be sealed."""
        return of_key_result(definition, self.rows[definition.id], act, is_provisional=not self.is_final(definition))

    def seals_of(self, objective: Objective, act: Act, *, as_unknown: bool) -> list[dict[str, Any]]:
        """The seals of an objective and of those of its key results that have none yet. Raises `NotClosed`."""
        members, period = members_of(self.catalogue, objective), self.period(objective)
        if (early := why_not_objective(objective, period, self.day, self.seals, members)) is not None:
            raise NotClosed(early)
        still = [one for one in members if not self._is_sealed(one)]
        reasons = [self.why_not(one, as_unknown=as_unknown) for one in still]
        if any(reasons):
            raise NotClosed(*filter(None, reasons))
        made = [self.seal_of(one, act) for one in still]
        return [*made, of_objective(objective, period, members, self.with_(made).seals, act)]

    def roll_up(self, objective: Objective, act: Act) -> list[dict[str, Any]]:
        """The seal of an objective all of whose key results that carry weight are sealed, where it has none yet."""
        members, period = members_of(self.catalogue, objective), self.period(objective)
        weighing = weights_of(members)
        is_whole = all(self._is_sealed(one) for one in members if weighing[one.id] > 0)
        if not is_whole or why_not_objective(objective, period, self.day, self.seals, members) is not None:
            return []
        return [of_objective(objective, period, members, self.seals, act)]

    def _is_sealed(self, definition: Definition) -> bool:
        return definition.period is not None and of_period(self.seals, definition.id, definition.period) is not None


def _opened(home: Home, catalogue: Catalogue, at: datetime) -> tuple[int | None, _Books]:
    """The books, and the version that the seals had before they were opened."""
    organisation = catalogue.organisation
    before = lake.version(home.seals(organisation.id))
    in_use = steps.feeds(home.sources(catalogue))
    attempts = home.lake(organisation.id).loads().filter(pl.col("covered_to").is_not_null())
    last = attempts.group_by("source", "stream").agg(pl.col("recorded_at").max()).collect()
    read_at = {(source, stream): instant for source, stream, instant in last.iter_rows()}

    def read_on(definition: Definition) -> date | None:
        streams = {one for name in definition.types for one in in_use.streams.get(name, ())}
        instants = [read_at[one] for one in streams if one in read_at]
        return today(organisation.zone, min(instants)) if instants and len(instants) == len(streams) else None

    books = _Books(
        catalogue,
        kept(home, organisation.id).collect(),
        _last_rows(home, catalogue),
        today(organisation.zone, at),
        {one.id: in_use.lateness(one.types) for one in catalogue.definitions},
        {one.id: read_on(one) for one in catalogue.definitions},
    )
    return before, books


def _last_rows(home: Home, catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    ends = pl.DataFrame(
        [(one.id, one.period.last) for one in catalogue.definitions if one.period is not None],
        schema={"key_result_id": pl.String, "as_of": pl.Date},
        orient="row",
    )
    memory = steps.memory(home, catalogue.organisation.id).complete()
    of_last_days = memory.history.join(ends.lazy(), on=["key_result_id", "as_of"], how="semi")
    rows = current(of_last_days.filter(pl.col("member").is_null()), memory.editions).collect()
    return {row["key_result_id"]: row for row in rows.iter_rows(named=True)}


def _held_back(home: Home, organisation: str, run_id: str) -> Collection[str]:
    """The key results of which a run appended nothing, as a check held them back."""
    is_of_run = (pl.col("run_id") == run_id) & (pl.col("severity") == "critical")
    named = steps.findings(home, organisation).filter(is_of_run).select(pl.col("key_results").str.split(", ")).collect()
    return {name for names in named.to_series().to_list() for name in names}


def _append(home: Home, catalogue: Catalogue, before: int | None, seals: Sequence[dict[str, Any]]) -> pl.DataFrame:
    rows = pl.DataFrame(seals, schema=dict(SEALS_SCHEMA))
    if rows.height:
        lake.append_after(before, home.seals(catalogue.organisation.id), rows, writer="seals")
    return rows
