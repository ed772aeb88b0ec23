"""What the log gained since each key result was last computed, and which of its restated rows that moved.

Belongs here: asking `causes` about a run's restated rows, with what was known then beside what is known now. Does not:
what a cause is (`causes`), which rows are restated (`history`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from kr_definitions import shapes
from kr_definitions.catalogue import Definition
from kr_definitions.causes import MOVERS_SCHEMA, arrivals_since, causes, movers, reread_since
from kr_definitions.compute import compute
from kr_definitions.contributions import contributions
from kr_definitions.events import LINKED, RATE
from kr_definitions.failures import Failures
from kr_definitions.history import KEY
from kr_definitions.memory import Run
from kr_definitions.organisation import Organisation
from kr_definitions.parts import read
from kr_definitions.rates import used


class Arrivals:
    """What the log gained since each key result was last computed."""

    def __init__(self, log: pl.LazyFrame, since: Mapping[str, datetime], run: Run, failures: Failures) -> None:
        self._log, self._since, self._run, self._failures = log, since, run, failures
        self._found: dict[datetime | None, pl.DataFrame] = {}

    def explained(
        self, moved: pl.DataFrame, definitions: Sequence[Definition], organisation: Organisation
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Restated rows with their `cause`, and the events that moved them (`MOVERS_SCHEMA`)."""
        by_since: dict[datetime | None, list[Definition]] = {}
        names = set(moved.get_column("key_result_id"))
        for definition in definitions:
            if definition.id in names:
                by_since.setdefault(self._since.get(definition.id), []).append(definition)
        rows = [moved.clear().with_columns(cause=pl.lit(None, pl.String))]
        found = [shapes.empty(MOVERS_SCHEMA)]
        for instant, group in by_since.items():
            of_group = moved.filter(pl.col("key_result_id").is_in([definition.id for definition in group]))
            arrivals = self._arrivals(instant)
            types_of = {definition.id: _depends_on(definition) for definition in group}
            known = self._log.filter(pl.col("recorded_at") <= instant) if instant else self._log.clear()
            before, after = (
                contributions(group, organisation, log, self._run.through, self._run.feeds, self._failures)
                for log in (known, self._log)
            )
            erased = self._by_erasure(of_group, group, organisation, known, arrivals)
            rates = pl.concat([self._rates(group, organisation, log) for log in (known, self._log)])
            told = movers(of_group, erased, before, after, arrivals, self._log, types_of, rates)
            reread = reread_since(self._log, instant, organisation.zone, self._run.feeds)
            why = causes(of_group, erased, told, arrivals, types_of, reread)
            rows.append(of_group.with_columns(why.alias("cause")))
            found.append(told)
        return pl.concat(rows), pl.concat(found)

    def _rates(self, definitions: Sequence[Definition], organisation: Organisation, log: pl.LazyFrame) -> pl.LazyFrame:
        """The rates that the amounts of a log are converted by (`rates.USED_SCHEMA`)."""
        _, _, found = read(definitions, organisation, log, self._run.feeds)
        return used(log, found, organisation)

    def _by_erasure(
        self,
        moved: pl.DataFrame,
        definitions: Sequence[Definition],
        organisation: Organisation,
        known: pl.LazyFrame,
        arrivals: pl.DataFrame,
    ) -> pl.DataFrame:
        """The restated rows that an erasure has a part in.

        What was erased is not in the log any more, neither as it is nor as it was known. So it has a part in what was
        known then not coming to what was reported, and in all that moved though what is known comes to the same.
        """
        if not arrivals.filter(pl.col("change") == "erased").height:
            return moved.clear()
        run = self._run
        then = compute(definitions, organisation, known, run.through, run.feeds, self._failures)
        makings = {name: f"_{name}" for name in ("value", "numerator", "denominator", "events")}
        beside = then.select(*KEY, *(pl.col(name).alias(as_then) for name, as_then in makings.items()))
        found = moved.join(beside, on=KEY, how="left", nulls_equal=True, maintain_order="left")
        was_other = pl.col("_value").ne_missing(pl.col("previous_value"))
        is_same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(as_then)) for name, as_then in makings.items())
        return found.filter(was_other | is_same).select(moved.columns)

    def _arrivals(self, instant: datetime | None) -> pl.DataFrame:
        if instant not in self._found:
            self._found[instant] = arrivals_since(self._log, instant, self._run.organisation.zone)
        return self._found[instant]


def _depends_on(definition: Definition) -> tuple[str, ...]:
    """The event types by which its figures can move."""
    reads_amounts = any(measure.reads_amounts for measure in definition.measures)
    return (*definition.types, LINKED, *([RATE] if reads_amounts else []))
