"""What a run has to remember: the rows that the history gains, the editions that begin, and what it all was made from.

Belongs here: one run's additions to everything that is remembered, as a pure function. Does not: storage and checks
(`assets.steps`), the shapes that are handed over (`memory`), which rows moved (`history`), why (`arrivals`), what an
edition is (`editions`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from kr_definitions import shapes
from kr_definitions.arrivals import Arrivals
from kr_definitions.catalogue import Definition, recalled
from kr_definitions.causes import MOVERS_SCHEMA
from kr_definitions.compute import compute, resolved
from kr_definitions.coverage import as_text
from kr_definitions.documents import DeclarationErrors
from kr_definitions.editions import CAUSE_OF, EDITIONS_SCHEMA, Edition, following, retired, untold
from kr_definitions.failures import Failures
from kr_definitions.history import COMPUTATIONS_SCHEMA, HISTORY_SCHEMA, KEY, movements, newest, withdrawn
from kr_definitions.memory import RECORDED_MOVERS_SCHEMA, TICK, Check, Checked, Gained, Memory, Run
from kr_definitions.organisation import Organisation


def everything(figures: pl.DataFrame, definitions: Sequence[Definition]) -> Checked:  # noqa: ARG001 - a `Check`
    """A check that lets everything pass."""
    return Checked(figures)


def remember(
    run: Run,
    memory: Memory,
    definitions: Sequence[Definition],
    log: pl.LazyFrame,
    check: Check = everything,
    only: Collection[str] | None = None,
) -> Gained:
    """Compute the definitions over a log (`EVENT_SCHEMA`) and find what a memory lacks of that.

    only: ids of the key results to compute; all of them without it. A definition that changed begins an edition: its
    predecessor is computed once more and brought up to date, so that what the data did is told apart from what the
    definition did. Raises nothing for an empty log.
    """
    memory = memory.complete()
    reached = memory.history.select(pl.col("as_of").max()).collect().item()
    run = replace(run, through=max(run.through, reached or run.through))
    chosen = [definition for definition in definitions if only is None or definition.id in only]
    editions, refused = following(memory.editions, chosen)
    computed = resolved([edition.definition for edition in editions], run.organisation, log, run.through, run.feeds)
    failures: Failures = []
    unexplained: Failures = []
    figures = compute(computed, run.organisation, log, run.through, run.feeds, failures)
    failing = {failure.definition.id for failure in failures}
    checked = check(figures, [definition for definition in computed if definition.id not in failing])
    editions = [e for e in editions if e.definition.id not in failing and e.definition.id not in checked.held_back]
    arrived = Arrivals(log, memory.last_computed(), run, unexplained)
    old, moved_old, is_split = _brought_up_to_date(run, memory, editions, log, check, arrived)
    figures_now = _with_editions(checked.figures, editions)
    new, moved_new = _moved(memory, editions, figures_now, arrived, run.organisation)
    new = _opening(new, pl.concat([memory.history, old.lazy()], how="vertical"), editions)
    late = {
        edition.definition.id for edition in editions if edition.supersedes
    }  # after the rows of what they supersede
    new = _recorded(new, run, checked.quality, run.recorded_at, late)
    rows = [
        edition.row(
            run.recorded_at + TICK * edition.supersedes, run.run_id, is_split=is_split.get(edition.definition.id)
        )
        for edition in editions
        if edition.change
    ]
    rows += untold(memory.editions, editions)
    if only is None:
        rows += retired(memory.editions, definitions, run.recorded_at, run.run_id)
    return Gained(
        history=pl.concat([old, new]),
        editions=pl.DataFrame(rows, schema=dict(EDITIONS_SCHEMA), orient="row"),
        movers=_recorded_movers(pl.concat([moved_old, moved_new]), run),
        computations=_computation(run, editions, log),
        figures=figures,
        refused=tuple(refused),
        failures=tuple(failures),
        unexplained=tuple(dict.fromkeys(unexplained)),
    )


# --- what moved -------------------------------------------------------------------------------------------------------


def _with_editions(figures: pl.DataFrame, editions: Iterable[Edition]) -> pl.DataFrame:
    """The figures of these editions, with their numbers and versions."""
    numbered = pl.DataFrame(
        [(edition.definition.id, edition.number, edition.version) for edition in editions],
        schema={"key_result_id": pl.String, "edition": pl.Int64, "definition_version": pl.String},
        orient="row",
    )
    return figures.join(numbered, on="key_result_id", maintain_order="left")


def _moved(
    memory: Memory,
    editions: Sequence[Edition],
    figures: pl.DataFrame,
    arrived: Arrivals,
    organisation: Organisation,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the history of these editions lacks of their figures, with causes; and the events that moved what moved."""
    numbers = pl.LazyFrame(
        [(edition.definition.id, edition.number) for edition in editions],
        schema={"key_result_id": pl.String, "edition": pl.Int64},
        orient="row",
    )
    history = memory.history.join(numbers, on=["key_result_id", "edition"], how="semi")
    moved = pl.concat([movements(history, figures), withdrawn(history, figures)])
    definitions = [edition.definition for edition in editions]
    restated, found = arrived.explained(moved.filter("is_restatement"), definitions, organisation)
    fresh = moved.filter(~pl.col("is_restatement")).with_columns(cause=pl.lit(None, pl.String))
    return pl.concat([restated, fresh]).drop("_was_read", "_is_read", "_is_by_reading"), found


def _recorded(
    rows: pl.DataFrame, run: Run, quality: Mapping[str, str], at: datetime, late: Collection[str] = ()
) -> pl.DataFrame:
    """The rows as they are recorded at an instant; those of `late` key results a tick after it."""
    instant = HISTORY_SCHEMA["recorded_at"]
    is_late = pl.col("key_result_id").is_in(list(late))
    return (
        rows.with_columns(
            pl.when(is_late).then(pl.lit(at + TICK, instant)).otherwise(pl.lit(at, instant)).alias("recorded_at"),
            pl.lit(run.run_id).alias("run_id"),
            pl.col("key_result_id").replace_strict(quality, default="passed", return_dtype=pl.String).alias("quality"),
        )
        .select(HISTORY_SCHEMA.keys())
        .sort("key_result_id", "edition", "member", "as_of", nulls_last=False)
    )


def _recorded_movers(found: pl.DataFrame, run: Run) -> pl.DataFrame:
    return found.with_columns(
        pl.lit(run.recorded_at, HISTORY_SCHEMA["recorded_at"]).alias("recorded_at"), pl.lit(run.run_id).alias("run_id")
    ).select(RECORDED_MOVERS_SCHEMA.keys())


def _opening(rows: pl.DataFrame, history: pl.LazyFrame, editions: Iterable[Edition]) -> pl.DataFrame:
    """The rows, those of an edition that begins beside what its predecessor says now of the same figure."""
    followed = pl.LazyFrame(
        [
            (edition.definition.id, edition.follows["edition"], edition.number, CAUSE_OF[edition.change or ""])
            for edition in editions
            if edition.follows is not None
        ],
        schema={"key_result_id": pl.String, "edition": pl.Int64, "_number": pl.Int64, "_cause": pl.String},
        orient="row",
    )
    before = (
        newest(history.join(followed, on=["key_result_id", "edition"]))
        .filter(~pl.col("is_withdrawn"))
        .select(*KEY, pl.col("_number").alias("edition"), "_cause", _value="value")
        .collect()
    )
    beside = rows.join(before, on=[*KEY, "edition"], how="left", nulls_equal=True, maintain_order="left")
    opens = pl.col("_cause").is_not_null() & ~pl.col("is_restatement")
    return beside.with_columns(
        pl.when(opens).then(pl.col("_value")).otherwise(pl.col("previous_value")).alias("previous_value"),
        pl.when(opens).then(pl.col("_cause")).otherwise(pl.col("cause")).alias("cause"),
        (pl.col("is_restatement") | opens).alias("is_restatement"),
    ).select(rows.columns)


# --- editions that end ------------------------------------------------------------------------------------------------


def _brought_up_to_date(
    run: Run, memory: Memory, editions: Sequence[Edition], log: pl.LazyFrame, check: Check, arrived: Arrivals
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, bool]]:
    """The last rows of the editions that are superseded, what moved them, and of which key results they are known."""
    rows, found = [shapes.empty(HISTORY_SCHEMA)], [shapes.empty(MOVERS_SCHEMA)]
    is_split: dict[str, bool] = {}
    for edition in editions:
        if edition.follows is None:
            continue
        was = predecessor(edition)
        is_split[edition.definition.id] = was is not None
        if was is None:
            continue
        before, organisation = was
        computed = resolved([before], organisation, log, run.through, run.feeds)
        failures: Failures = []
        figures = compute(computed, organisation, log, run.through, run.feeds, failures)
        checked = check(figures, computed) if not failures else None
        if checked is None or before.id in checked.held_back:
            is_split[before.id] = False
            continue
        ending = [Edition(before, edition.follows["edition"], edition.follows["definition_version"], None)]
        moved, by = _moved(memory, ending, _with_editions(checked.figures, ending), arrived, organisation)
        rows.append(_recorded(moved, run, checked.quality, run.recorded_at))
        found.append(by)
    return pl.concat(rows), pl.concat(found), is_split


def predecessor(edition: Edition) -> tuple[Definition, Organisation] | None:
    """What an edition supersedes; None where it cannot be computed any more."""
    assert edition.follows is not None
    declared, folder = edition.follows["declared"], edition.definition.folder
    if declared is None:
        return None
    try:
        before, organisation = recalled(declared, f"edition {edition.follows['edition']}", folder)
    except DeclarationErrors:
        return None
    # A function that is not what it was would give today's figures, and so would anything else that hashes otherwise.
    return (before, organisation) if before.meaning.content_hash == edition.follows["definition_hash"] else None


def _computation(run: Run, editions: Iterable[Edition], log: pl.LazyFrame) -> pl.DataFrame:
    row = {
        "run_id": run.run_id,
        "recorded_at": run.recorded_at,
        "known_until": log.select(pl.col("recorded_at").max()).collect().item(),
        "through": run.through,
        "key_results": sorted(edition.definition.id for edition in editions),
        "feeds": None if run.feeds is None else as_text(run.feeds),
    }
    return pl.DataFrame([row], schema=dict(COMPUTATIONS_SCHEMA), orient="row")
