"""A story: a log and a history that grow run by run, for what is told over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from builders import definition, empty, event, facts, organisation

from kr_definitions.catalogue import Definition
from kr_definitions.coverage import Feeds
from kr_definitions.editions import EDITIONS_SCHEMA
from kr_definitions.history import COMPUTATIONS_SCHEMA, HISTORY_SCHEMA, current
from kr_definitions.memory import RECORDED_MOVERS_SCHEMA, Memory, Run
from kr_definitions.organisation import Organisation
from kr_definitions.remembering import remember
from pipelines import identity
from pipelines.event_log import readings, statements

FIRST = datetime(2026, 3, 4, 5, tzinfo=UTC)
SECOND, THIRD = FIRST + timedelta(days=1), FIRST + timedelta(days=2)
MARCH: dict[str, Any] = {"period": {"month": "2026-03"}}
WINS = definition(**MARCH)


@dataclass
class Story:
    """A log and a history that grow run by run."""

    definitions: Sequence[Definition] = (WINS,)
    log: pl.DataFrame = field(default_factory=lambda: empty().collect())
    history: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict(HISTORY_SCHEMA)))
    movers: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict(RECORDED_MOVERS_SCHEMA)))
    editions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict(EDITIONS_SCHEMA)))
    computations: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=dict(COMPUTATIONS_SCHEMA)))
    feeds: Feeds | None = None
    of: Organisation = field(default_factory=organisation)

    def told(self, at: datetime, *events: dict[str, Any], without: Iterable[str] = (), source: str = "test") -> Story:
        """The log is told these facts by a source, and that its records `without` state none any more."""
        stated = facts(events)
        touched = pl.concat(
            [stated.select("record_key"), pl.LazyFrame({"record_key": list(without)}, {"record_key": pl.String})]
        )
        self.log = pl.concat([self.log, statements(self.log.lazy(), stated, touched, source, "stream", at)])
        return self

    def linked(self, at: datetime) -> Story:
        """The log is told which customers are one, as far as it is known."""
        self.log = pl.concat([self.log, identity.statements(self.log.lazy(), self.of, at)])
        return self

    def read(self, at: datetime, until: str, *types: str, since: str | None = None) -> Story:
        """The log is told that types (deals won, if none) were read up to the end of a day."""
        end = datetime.fromisoformat(until).replace(tzinfo=UTC) + timedelta(days=1, hours=12)
        start = since and datetime.fromisoformat(since).replace(tzinfo=UTC) - timedelta(hours=12)
        columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
        loads = pl.DataFrame([(start, end, at)], columns, orient="row")
        self.log = pl.concat([self.log, readings(loads, types or ("deal.won",), "test", "stream", "1", at)])
        return self

    def run(self, at: datetime, through: str = "2026-03-03", definitions: Sequence[Definition] = ()) -> pl.DataFrame:
        """What the history gains from a run."""
        self.definitions = definitions or self.definitions
        told = Run("run", at, date.fromisoformat(through), self.of, self.feeds)
        gained = remember(told, self.memory, self.definitions, self.log.lazy())
        self.history = pl.concat([self.history, gained.history])
        self.movers = pl.concat([self.movers, gained.movers])
        self.editions = pl.concat([self.editions, gained.editions])
        self.computations = pl.concat([self.computations, gained.computations])
        return gained.history

    @property
    def memory(self) -> Memory:
        return Memory(self.history.lazy(), self.editions, self.computations)

    def now(self) -> pl.DataFrame:
        """What is now known."""
        return current(self.history.lazy(), self.editions).sort("key_result_id", "as_of").collect()


def won(day: str, key: str = "a", **columns: Any) -> dict[str, Any]:
    """A deal won on a day, told by the record `key`."""
    return event("deal.won", day, key, key=key, **columns)
