"""What a run does, step by step, for one organisation: fetch, state, compute, check, remember, publish.

Belongs here: the steps as plain functions, each of which can be repeated without harm. Does not: Dagster (`definitions`
calls these), or any step's own logic.

Write, audit, publish: what was computed is checked in memory; what passes is appended to the history in one commit;
then one file is written beside the published one and takes its place. A reader sees the last good state throughout, and
a key result whose rows fail keeps its last good rows while the others move on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from assets.checks import Audit, audit_events, audit_progress
from assets.home import Home
from assets.publication.results import FINDINGS_SCHEMA
from kr_definitions import tables
from kr_definitions.catalogue import Catalogue
from kr_definitions.compute import compute, resolved
from kr_definitions.coverage import Feeds
from kr_definitions.history import HISTORY_SCHEMA, arrivals_since, movements
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import lake
from pipelines.load import Source, StreamChange, bring_up_to_date


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

    def check(statements: pl.DataFrame, stated: int) -> None:
        audit = audit_events(statements, started_at, stated)
        found.append(audit)
        _keep_findings(home, organisation, audit, started_at, run_id)
        if not audit.passed:
            raise AuditFailed(audit)

    changes = bring_up_to_date(home.sources(catalogue), home.lake(organisation), started_at, check, run_id)
    return changes, found[0]


def remember_progress(
    home: Home,
    catalogue: Catalogue,
    through: date,
    started_at: datetime,
    run_id: str,
    only: Sequence[str] | None = None,
) -> Computed:
    """Compute every day up to `through`, check it, and append to the history what is new or has moved.

    only: ids of the key results to compute; all of them without it. The rows of a key result that fails a critical
    check are not appended: its last good ones stay.
    """
    organisation = catalogue.organisation
    lake_of_org = home.lake(organisation.id)
    definitions = [d for d in catalogue.definitions if only is None or d.id in only]
    before = lake.version(home.history(organisation.id))
    log = lake_of_org.log.scan()
    in_use = feeds(home.sources(catalogue))
    definitions = resolved(definitions, organisation, log, through, in_use)
    figures = compute(definitions, organisation, log, through, in_use)
    declared = tables.key_results(catalogue).filter(pl.col("key_result_id").is_in([d.id for d in definitions]))
    audit = audit_progress(figures, tables.due(definitions, catalogue, through), declared)
    _keep_findings(home, organisation.id, audit, started_at, run_id)
    remembered = lake.scan(home.history(organisation.id), dict(HISTORY_SCHEMA))
    last = remembered.select(pl.col("recorded_at").max()).collect().item()
    logged = log.select(pl.col("recorded_at").max()).collect().item()
    recorded_at = max([started_at, *(at + timedelta(microseconds=1) for at in (last, logged) if at is not None)])
    qualities = {d.id: audit.quality(d.id) for d in definitions}
    moved = movements(
        remembered,
        audit.publishable(figures),
        arrivals_since(log, last, organisation.zone),
        {d.id: d.types for d in definitions},
    )
    appended = moved.with_columns(
        pl.lit(recorded_at, UTC_MICROSECONDS).alias("recorded_at"),
        pl.lit(run_id).alias("run_id"),
        pl.col("key_result_id").replace_strict(qualities, return_dtype=pl.String).alias("quality"),
    ).select(HISTORY_SCHEMA.keys())
    if appended.height:
        lake.append_after(before, home.history(organisation.id), appended, writer="progress-history")
    return Computed(audit, appended, figures)


def feeds(sources: Sequence[Source]) -> Feeds:
    """The streams of these sources: which of them state each event type, and how late a fact can be."""
    streams: dict[str, set[tuple[str, str]]] = {}
    late_days: dict[str, int] = {}
    for source in sources:
        for stream in source.streams():
            for name in stream.feeds:
                streams.setdefault(name, set()).add((source.name, stream.name))
                late_days[name] = max(late_days.get(name, 0), stream.lateness.days)
    return Feeds({name: frozenset(found) for name, found in streams.items()}, late_days)


def history(home: Home, organisation: str) -> pl.LazyFrame:
    """The progress history of an organisation: `HISTORY_SCHEMA`."""
    return lake.scan(home.history(organisation), dict(HISTORY_SCHEMA))


def findings(home: Home, organisation: str) -> pl.LazyFrame:
    """What the checks of an organisation's runs found: `FINDINGS_SCHEMA`."""
    return lake.scan(home.findings(organisation), dict(FINDINGS_SCHEMA))


def _keep_findings(home: Home, organisation: str, audit: Audit, started_at: datetime, run_id: str) -> None:
    rows = [
        {
            "organisation": organisation,
            "run_id": run_id,
            "recorded_at": started_at,
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
        for finding in audit.findings
    ]
    if rows:
        lake.append(home.findings(organisation), pl.DataFrame(rows, schema=dict(FINDINGS_SCHEMA)), writer="findings")
