"""The history as it would have been computed at an instant, beside what was in fact reported then.

Belongs here: computing again with what was known, and why the two may differ. Does not: storage, the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.catalogue import Definition
from kr_definitions.compute import compute
from kr_definitions.coverage import Feeds, feeds_of
from kr_definitions.editions import in_force
from kr_definitions.events import ERASED
from kr_definitions.history import COMPUTED_SCHEMA, KEY, as_known_at
from kr_definitions.memory import Memory
from kr_definitions.organisation import Organisation

Reason = Literal["definition", "erasure", "not_computed_yet", "not_computed", "sources", "unexplained"]
"""Why a replayed key result differs from what was reported: its definition was another one; records were erased since;
the log had gained statements that no run had computed; no run had computed it, or a check held it back; other streams
were in use; or nothing that is known of."""

FIGURES = [
    name for name in COMPUTED_SCHEMA if name not in {*KEY, "is_provisional", "role", "unit", "every", "definition_hash"}
]
"""The columns that are compared."""


@dataclass(frozen=True)
class Replay:
    """What was computed for an instant.

    figures: `COMPUTED_SCHEMA`, by today's definitions. reported: `HISTORY_SCHEMA`, what the history said then.
    differences: a row a figure that is not the same: key_result_id, member, as_of, and `<name>`, `<name>_reported` of
    value, target, progress and status. reasons: of each key result with a difference, why.
    """

    known_at: datetime
    through: date
    figures: pl.DataFrame
    reported: pl.DataFrame
    differences: pl.DataFrame
    reasons: Mapping[str, tuple[Reason, ...]]


def replay(
    log: pl.LazyFrame,
    memory: Memory,
    definitions: Sequence[Definition],
    organisation: Organisation,
    known_at: datetime,
    feeds: Feeds | None = None,
) -> Replay:
    """Compute these definitions with what a log held at an instant (aware), and compare with what was reported.

    The streams in use and the last day are those of the last run before it; feeds: the streams in use now, for an
    instant before every run.
    """
    memory = memory.complete()
    run = _last_run(memory, known_at)
    through = run["through"] if run else known_at.astimezone(ZoneInfo(organisation.zone)).date() - timedelta(days=1)
    then = feeds if run is None else feeds_of(run["feeds"])
    known = log.filter(pl.col("recorded_at") <= known_at)
    figures = compute(definitions, organisation, known, through, then)
    ids = [definition.id for definition in definitions]
    said = as_known_at(memory.history, memory.editions, known_at)
    reported = said.filter(pl.col("key_result_id").is_in(ids), pl.col("as_of") <= through).collect()
    differences = _differences(figures, reported)
    reasons = {}
    for name in differences.get_column("key_result_id").unique().sort():
        definition = next(one for one in definitions if one.id == name)
        reasons[name] = tuple(_reasons(definition, log, memory, run, known_at, then, feeds)) or ("unexplained",)
    return Replay(known_at, through, figures, reported, differences, reasons)


def _last_run(memory: Memory, known_at: datetime) -> dict[str, Any] | None:
    runs = memory.computations.filter(pl.col("recorded_at") <= known_at).sort("recorded_at")
    return runs.row(-1, named=True) if runs.height else None


def _differences(figures: pl.DataFrame, reported: pl.DataFrame) -> pl.DataFrame:
    shown = ["value", "target", "progress", "status"]
    beside = figures.select(*KEY, *FIGURES, _is_replayed=pl.lit(value=True)).join(
        reported.select(*KEY, *FIGURES, _is_reported=pl.lit(value=True)),
        on=KEY,
        how="full",
        nulls_equal=True,
        coalesce=True,
        suffix="_reported",
    )
    is_other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_reported")) for name in FIGURES)
    is_alone = pl.col("_is_replayed").is_null() | pl.col("_is_reported").is_null()
    columns = [name for figure in shown for name in (figure, f"{figure}_reported")]
    return beside.filter(is_other | is_alone).select(*KEY, *columns).sort(KEY, nulls_last=False)


def _reasons(
    definition: Definition,
    log: pl.LazyFrame,
    memory: Memory,
    run: Mapping[str, Any] | None,
    known_at: datetime,
    then: Feeds | None,
    now: Feeds | None,
) -> Iterator[Reason]:
    types = list(definition.types)
    held = in_force(memory.editions, known_at).filter(pl.col("key_result_id") == definition.id)
    if run is None or definition.id not in run["key_results"] or not held.height:
        yield "not_computed"
    if held.height and held.row(0, named=True)["definition_hash"] != definition.meaning.content_hash:
        yield "definition"
    erased = log.filter(pl.col("event_type") == ERASED, pl.col("recorded_at") > known_at, pl.col("covers").is_in(types))
    if erased.select(pl.len()).collect().item():
        yield "erasure"
    until = run["known_until"] if run else None
    since = log.filter(pl.col("recorded_at") <= known_at)
    if until is not None and since.filter(pl.col("recorded_at") > until).select(pl.len()).collect().item():
        yield "not_computed_yet"
    if then is not None and now is not None and any(then.streams.get(name) != now.streams.get(name) for name in types):
        yield "sources"
