"""What a run does, step by step, for one organisation: fetch, state, compute, check, remember, publish.

Belongs here: the steps as plain functions, each of which can be repeated without harm. Does not: Dagster (`definitions`
calls these), or any step's own logic.

Write, audit, publish: what was computed is checked in memory; what passes is appended to the history in one commit;
then one file is written beside the published one and takes its place. A reader sees the last good state throughout, and
a key result whose rows fail keeps its last good rows while the others move on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from assets import former, set_aside, unvalued
from assets.checks import Audit, Finding, audit_events, audit_progress
from assets.checks.rules import Severity
from assets.home import Home
from assets.publication.results import FINDINGS_SCHEMA
from kr_definitions import tables
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.compute import resolved
from kr_definitions.coverage import Feeds
from kr_definitions.editions import EDITIONS_SCHEMA, Refused
from kr_definitions.failures import Failure
from kr_definitions.history import COMPUTATIONS_SCHEMA, COMPUTED_SCHEMA, HISTORY_SCHEMA, current
from kr_definitions.memory import RECORDED_MOVERS_SCHEMA, Checked, Memory, Run
from kr_definitions.objective_history import OBJECTIVE_HISTORY_SCHEMA, gained
from kr_definitions.remembering import remember
from pipelines import lake
from pipelines.load import Source, StreamChange, bring_up_to_date

_TICK = timedelta(microseconds=1)


class AuditFailed(Exception):
    """A load was refused: what it would have stated broke a critical rule. The log stays as it was."""

    def __init__(self, audit: Audit) -> None:
        super().__init__("\n".join(finding.line for finding in audit.findings))
        self.audit = audit


@dataclass(frozen=True)
class Computed:
    """What a run came to for one organisation. appended: the rows that the history gained (`HISTORY_SCHEMA`)."""

    audit: Audit
    appended: pl.DataFrame
    figures: pl.DataFrame


def state_events(
    home: Home, catalogue: Catalogue, started_at: datetime, run_id: str
) -> tuple[list[StreamChange], Audit]:
    """Bring the event log up to the raw zone, if what it would gain passes its audit.

    Raises `AuditFailed`: nothing was appended. Its findings are kept either way.
    """
    organisation = catalogue.organisation.id
    found: list[Audit] = []

    def check(statements: pl.LazyFrame, stated: int) -> None:
        audit = audit_events(statements, started_at, stated)
        found.append(audit)
        _keep_findings(home, organisation, audit, started_at, run_id)
        if not audit.passed:
            raise AuditFailed(audit)

    changes = bring_up_to_date(
        home.sources(catalogue), home.lake(organisation), started_at, check, run_id, catalogue.organisation
    )
    said = set_aside.check_ins(home.sources(catalogue), changes)
    if said:
        _keep_findings(home, organisation, replace(found[0], findings=said), started_at, run_id)
    return changes, replace(found[0], findings=(*found[0].findings, *said, *standing_remarks(home, catalogue)))


def remember_progress(
    home: Home,
    catalogue: Catalogue,
    through: date,
    started_at: datetime,
    run_id: str,
    only: Sequence[str] | None = None,
) -> Computed:
    """Compute every day up to `through`, or as far as the history goes; check it, and append what is new or has moved.

    only: ids of the key results to compute; all of them without it. The rows of a key result that fails a critical
    check are not appended: its last good ones stay.
    """
    organisation = catalogue.organisation
    log = home.lake(organisation.id).log.scan()
    in_use = feeds(home.sources(catalogue))
    versions = {path: lake.version(path) for path in _written(home, organisation.id)}
    remembered = memory(home, organisation.id)
    reached = remembered.history.select(pl.col("as_of").max()).collect().item()
    through = through if reached is None else max(through, reached)  # an edition that begins has all days at once
    last = max(_newest(rows) for rows in (remembered.history, remembered.computations.lazy(), log))
    recorded_at = max(started_at, last + _TICK)
    _catch_up_objectives(home, catalogue, remembered, run_id)
    audits: list[Audit] = []

    def check(figures: pl.DataFrame, definitions: Sequence[Definition]) -> Checked:
        ids = [definition.id for definition in definitions]
        declared = tables.key_results(replace(catalogue, definitions=tuple(definitions)))
        audit = audit_progress(figures, tables.due(definitions, catalogue, through), declared)
        audits.append(audit)
        _keep_findings(home, organisation.id, audit, started_at, run_id)
        return Checked(audit.publishable(figures), audit.held_back, {name: audit.quality(name) for name in ids})

    run = Run(run_id, recorded_at, through, organisation, in_use)
    found = remember(run, remembered, catalogue.definitions, log, check, only)
    for path, rows in zip(_written(home, organisation.id), found.in_order(), strict=True):
        if rows.height:
            lake.append_after(versions[path], path, rows, writer=path.name)
    _remember_objectives(home, catalogue, recorded_at, run_id)
    late = _late(found.history, reached, {one.id: in_use.lateness(one.types) for one in catalogue.definitions})
    failed = [_of_failure(one, "critical") for one in found.failures]
    failed += [_of_failure(one, "warning") for one in found.unexplained]
    remarks = (*(_of_retired_id(one) for one in found.refused), *failed, *_unexplained(found.history), *late)
    if remarks:
        _keep_findings(home, organisation.id, replace(audits[0], findings=remarks), started_at, run_id)
    standing = (*standing_remarks(home, catalogue), *unvalued.remarks(home, catalogue, through, in_use))
    audit = replace(audits[0], findings=(*audits[0].findings, *remarks, *standing))
    return Computed(audit, found.history, found.figures)


def standing_remarks(home: Home, catalogue: Catalogue) -> tuple[Finding, ...]:
    """What each run tells until it is mended, and publication with it: it is kept nowhere."""
    aside = set_aside.standing(home, catalogue)
    return (*set_aside.remarks(home, catalogue, aside), *former.remarks(home, catalogue))


def _remember_objectives(home: Home, catalogue: Catalogue, recorded_at: datetime, run_id: str) -> None:
    """Append what the history of the objectives lacks of what is now known of their key results."""
    path = home.objectives(catalogue.organisation.id)
    before, remembered = lake.version(path), objective_history(home, catalogue.organisation.id)
    known, catalogue = memory(home, catalogue.organisation.id).complete(), with_periods(home, catalogue)
    own = current(known.history.filter(pl.col("member").is_null()), known.editions)
    rolled_up = tables.objectives(catalogue, own.select(COMPUTED_SCHEMA.keys()).collect())
    rows = gained(remembered, rolled_up, known.history, catalogue, recorded_at, run_id)
    if rows.height:
        lake.append_after(before, path, rows, writer=path.name)


def _catch_up_objectives(home: Home, catalogue: Catalogue, remembered: Memory, run_id: str) -> None:
    """Where a run was killed before it rolled up, what its key results said is rolled up as of then."""
    told, rolled_up = _newest(remembered.history), _newest(objective_history(home, catalogue.organisation.id))
    if told > rolled_up:
        _remember_objectives(home, catalogue, told, run_id)


def _newest(rows: pl.LazyFrame) -> datetime:
    """When the newest of some rows was recorded; long ago, where there are none."""
    found = rows.select(pl.col("recorded_at").max()).collect().item()
    return found if isinstance(found, datetime) else datetime.min.replace(tzinfo=UTC)


def _of_retired_id(refused: Refused) -> Finding:
    definition = refused.definition
    return Finding(
        check="editions.ids_are_used_once",
        severity="critical",
        says="The id of a retired key result is not used again.",
        found=f"{definition.file}:{definition.line} declares {definition.id}, "
        f"which was retired on {refused.retired_at:%Y-%m-%d} with another meaning",
        do="Give it an id of its own, or the meaning that it had",
        key_results=(definition.id,),
        failed=1,
        checked=1,
    )


def _of_failure(failure: Failure, severity: Severity) -> Finding:
    definition = failure.definition
    found, _, do = failure.reason.rpartition(". ")
    return Finding(
        check="functions.give_what_they_owe",
        severity=severity,
        says="A function gives a number for each window, and which events it is made of.",
        found=f"{definition.file}:{definition.line}: {definition.id}: {found}",
        do=do,
        key_results=(definition.id,),
        failed=1,
        checked=1,
    )


def _unexplained(gained: pl.DataFrame) -> list[Finding]:
    """What moved although neither the log nor a definition did: another version of Hito computes it otherwise."""
    rows = gained.filter(pl.col("cause") == "unexplained")
    if not rows.height:
        return []
    first = rows.row(0, named=True)
    names = tuple(rows.get_column("key_result_id").unique().sort().to_list())
    return [
        Finding(
            check="history.every_movement_has_a_cause",
            severity="warning",
            says="A reported day moves by an event, a reading or a definition.",
            found=f"{first['key_result_id']} {first['as_of']} moved from {first['previous_value']} to {first['value']} "
            f"by none of them, and {rows.height - 1:,} more days",
            do="If Hito was updated, its notes say what it computes otherwise; else tell its maintainers",
            key_results=names,
            failed=rows.height,
            checked=gained.height,
        )
    ]


def _late(gained: pl.DataFrame, reached: date | None, late_days: Mapping[str, int]) -> list[Finding]:
    """What came after its day was said to be final: the source's facts can be later than is declared of it.

    reached: the last day that had been computed. late_days: by key result, how late its facts can be.
    """
    if reached is None or not late_days:
        return []
    days = pl.col("key_result_id").replace_strict(dict(late_days), default=None, return_dtype=pl.Int64)
    age = (pl.lit(reached) - pl.col("as_of")).dt.total_days()
    rows = gained.filter(pl.col("cause") == "late_event", age >= days).with_columns(_age=age, _days=days)
    if not rows.height:
        return []
    first = rows.sort("_age", descending=True).row(0, named=True)
    return [
        Finding(
            check="history.what_is_final_stays",
            severity="warning",
            says="A figure that is not provisional any more moves by no late event.",
            found=f"{first['key_result_id']} {first['as_of']} moved from {first['previous_value']} to {first['value']} "
            f"when it was {first['_age'] + 1} days old and had been final after {first['_days']}, and "
            f"{rows.height - 1:,} more days",
            do="Say in organisation.yaml how late the source's facts can be (late_days)",
            key_results=tuple(rows.get_column("key_result_id").unique().sort().to_list()),
            failed=rows.height,
            checked=gained.height,
        )
    ]


def _written(home: Home, organisation: str) -> list[Path]:
    """The tables that a run adds to, in the order in which it does: what a kill leaves undone is found by the next."""
    return [
        home.movers(organisation),
        home.history(organisation),
        home.editions(organisation),
        home.computations(organisation),
    ]


def memory(home: Home, organisation: str) -> Memory:
    """Everything that is remembered of an organisation's key results."""
    return Memory(
        history(home, organisation),
        lake.scan(home.editions(organisation), dict(EDITIONS_SCHEMA)).collect(),
        lake.scan(home.computations(organisation), dict(COMPUTATIONS_SCHEMA)).collect(),
    )


def feeds(sources: Sequence[Source]) -> Feeds:
    """The streams of these sources: which of them state each event type, and how late a fact can be."""
    streams: dict[str, set[tuple[str, str]]] = {}
    late_days: dict[str, int] = {}
    always: dict[tuple[str, str], Mapping[str, str]] = {}
    for source in sources:
        for stream in source.streams():
            for name in stream.feeds:
                streams.setdefault(name, set()).add((source.name, stream.name))
                late_days[name] = max(late_days.get(name, 0), stream.lateness.days)
            if stream.always:
                always[source.name, stream.name] = stream.always
    return Feeds({name: frozenset(found) for name, found in streams.items()}, late_days, always)


def history(home: Home, organisation: str) -> pl.LazyFrame:
    """The progress history of an organisation: `HISTORY_SCHEMA`."""
    return lake.scan(home.history(organisation), dict(HISTORY_SCHEMA))


def objective_history(home: Home, organisation: str) -> pl.LazyFrame:
    """What was told of an organisation's objectives: `OBJECTIVE_HISTORY_SCHEMA`."""
    return lake.scan(home.objectives(organisation), dict(OBJECTIVE_HISTORY_SCHEMA))


def with_periods(home: Home, catalogue: Catalogue) -> Catalogue:
    """The catalogue with the periods that events name; those of events still to happen are left open."""
    if all(definition.period is not None for definition in catalogue.definitions):
        return catalogue
    log, in_use = home.lake(catalogue.organisation.id).log.scan(), feeds(home.sources(catalogue))
    found = {d.id: d for d in resolved(catalogue.definitions, catalogue.organisation, log, date.max, in_use)}
    return replace(catalogue, definitions=tuple(found.get(d.id, d) for d in catalogue.definitions))


def movers(home: Home, organisation: str) -> pl.LazyFrame:
    """The events that moved figures which had been reported: `RECORDED_MOVERS_SCHEMA`."""
    return lake.scan(home.movers(organisation), dict(RECORDED_MOVERS_SCHEMA))


def findings(home: Home, organisation: str) -> pl.LazyFrame:
    """What the checks of an organisation's runs found: `FINDINGS_SCHEMA`."""
    return lake.scan(home.findings(organisation), dict(FINDINGS_SCHEMA))


def _keep_findings(home: Home, organisation: str, audit: Audit, started_at: datetime, run_id: str) -> None:
    if audit.findings:
        rows = findings_frame(organisation, audit.findings, started_at, run_id)
        lake.append(home.findings(organisation), rows, writer="findings")


def findings_frame(
    organisation: str, findings: Sequence[Finding], recorded_at: datetime, run_id: str | None
) -> pl.DataFrame:
    """Findings as rows: `FINDINGS_SCHEMA`."""
    rows = [
        {
            "organisation": organisation,
            "run_id": run_id,
            "recorded_at": recorded_at,
            "check": finding.check,
            "severity": finding.severity,
            "says": finding.says,
            "found": finding.found,
            "do": finding.do,
            "key_results": ", ".join(finding.key_results),
            "failed": finding.failed,
            "checked": finding.checked,
            "is_crash": finding.is_crash,
        }
        for finding in findings
    ]
    return pl.DataFrame(rows, schema=dict(FINDINGS_SCHEMA))
