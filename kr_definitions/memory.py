"""What is remembered, a run that computes, and what it adds: the shapes that `remembering` takes and gives.

Belongs here: those shapes. Does not: what a run adds (`remembering`), the columns of histories (`history`, `editions`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

import polars as pl

from kr_definitions.catalogue import Definition
from kr_definitions.causes import MOVERS_SCHEMA
from kr_definitions.coverage import Feeds
from kr_definitions.editions import EDITIONS_SCHEMA, Refused, completed
from kr_definitions.failures import Failure
from kr_definitions.history import COMPUTATIONS_SCHEMA, HISTORY_SCHEMA
from kr_definitions.organisation import Organisation

TICK = timedelta(microseconds=1)
"""How much later what supersedes something is recorded than what it supersedes."""

RECORDED_MOVERS_SCHEMA: Mapping[str, pl.DataType] = {
    **MOVERS_SCHEMA,
    "recorded_at": HISTORY_SCHEMA["recorded_at"],
    "run_id": HISTORY_SCHEMA["run_id"],
}
"""The events that moved reported figures, as they are kept; recorded with the rows that they moved."""


@dataclass(frozen=True)
class Memory:
    """What is remembered: `HISTORY_SCHEMA`, `EDITIONS_SCHEMA` and `COMPUTATIONS_SCHEMA`."""

    history: pl.LazyFrame = field(default_factory=lambda: pl.LazyFrame(schema=dict(HISTORY_SCHEMA)))
    editions: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=dict(EDITIONS_SCHEMA)))
    computations: pl.DataFrame = field(default_factory=partial(pl.DataFrame, schema=dict(COMPUTATIONS_SCHEMA)))

    def complete(self) -> Memory:
        """The same, with the editions that a run which was killed had begun."""
        return Memory(self.history, completed(self.editions, self.history), self.computations)

    def last_computed(self) -> dict[str, datetime]:
        """Of each key result, the newest statement of the log that its rows were last computed from.

        Of one that only a run computed that was killed before it said so: when its last row was recorded, less a tick.
        """
        rows = self.history.group_by("key_result_id").agg(pl.col("recorded_at").max()).collect()
        found = {name: at - TICK for name, at in rows.iter_rows()}
        for at, known_until, names in (
            self.computations.sort("recorded_at").select("recorded_at", "known_until", "key_results").iter_rows()
        ):
            for name in names:
                if name not in found or found[name] <= at:
                    found[name] = known_until or at
        return found


@dataclass(frozen=True)
class Run:
    """A run that computes. recorded_at: later than everything that was recorded. through: the last day to compute.

    Every day that was ever recorded is computed too, whatever `through` says: an edition begins with all of its days,
    and what explains a row is what arrived since the run before.
    """

    run_id: str
    recorded_at: datetime
    through: date
    organisation: Organisation
    feeds: Feeds | None = None


@dataclass(frozen=True)
class Checked:
    """What the checks left of computed figures. quality: by key result, in one word."""

    figures: pl.DataFrame
    held_back: Collection[str] = ()
    quality: Mapping[str, str] = field(default_factory=dict)


Check = Callable[[pl.DataFrame, Sequence[Definition]], Checked]
"""(computed figures, the definitions that gave them) -> what may be remembered of them."""


@dataclass(frozen=True)
class Gained:
    """What a run adds, to be written `in_order`: what a kill leaves undone is found by the next run.

    figures: all that the definitions in force gave. refused: those whose ids were retired. failures: those whose
    function fails: nothing is added of them. unexplained: those whose function does not say which events it counted.
    """

    history: pl.DataFrame
    editions: pl.DataFrame
    movers: pl.DataFrame
    computations: pl.DataFrame
    figures: pl.DataFrame
    refused: tuple[Refused, ...] = ()
    failures: tuple[Failure, ...] = ()
    unexplained: tuple[Failure, ...] = ()

    def in_order(self) -> tuple[pl.DataFrame, ...]:
        """The rows of the movers, the history, the editions and the computations.

        Movers of which the history has no row (a kill came between) are nobody's: readers join them to it.
        """
        return self.movers, self.history, self.editions, self.computations
