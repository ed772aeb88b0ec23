"""Dagster's view: assets, checks, jobs and schedules of every declared organisation.

Belongs here: wiring, four lines an asset. Does not: logic (`steps`, `pipelines`, `kr_definitions`).

For an organisation `org`: `org/raw/<source>` for each of its sources, `org/events`, one asset for each key result
(`org/kr/…`, all made by one step: a run never starts a process a key result), and `published`, the file that BI tools
read. The key results are partitioned by business day in the organisation's zone; a partition computes every day up to
its own, so a scheduler that was down for a week has nothing to make up but its last run.

Loading the definitions reads declarations and nothing else: no secret, no network, no clock.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets import steps
from assets.checks import Audit
from assets.checks.asset_check import check_result
from assets.home import Home, clock, last_whole_day, started_at
from assets.publishing import publish_all
from assets.telling import listener
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.tables import measure_text
from pipelines.load import Source, fetch

EVENTS_CHECK, PROGRESS_CHECK = "batch_of_events", "computed_progress"


def raw_key(organisation: str, source: str) -> dg.AssetKey:
    """Asset of a source's raw zone."""
    return dg.AssetKey([_name(organisation), "raw", _name(source)])


def events_key(organisation: str) -> dg.AssetKey:
    """Asset of an organisation's event log."""
    return dg.AssetKey([_name(organisation), "events"])


def key_result_key(definition: Definition) -> dg.AssetKey:
    """Asset of a key result: `revops.eficiencia.ciclo_ventas` is `revops/kr/eficiencia/ciclo_ventas`."""
    organisation, *rest = definition.id.split(".")
    return dg.AssetKey([_name(organisation), "kr", *map(_name, rest)])


PUBLISHED = dg.AssetKey(["published"])


def _name(part: str) -> str:
    return part.replace("-", "_")


def _raw_asset(home: Home, catalogue: Catalogue, source: Source) -> dg.AssetsDefinition:
    organisation = catalogue.organisation.id

    @dg.asset(
        key=raw_key(organisation, source.name),
        group_name=_name(organisation),
        kinds={"dlt", "deltalake"},
        description=f"Records of {source.connector.kind} as they came, append-only.",
        pool=f"lake_{_name(organisation)}",
    )
    def raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        def told(stream: str, records: int) -> None:
            listener().advance(f"{source.name}.{stream}", records)

        loads = fetch(source, home.lake(organisation), clock(), started_at(), told, context.run.run_id)
        for load in loads:
            listener().done(f"{source.name}.{load.stream}")
            if load.failure:
                context.log.error(f"{source.name}.{load.stream}: {load.failure}")
        return dg.MaterializeResult(
            metadata={
                "delivered": sum(load.delivered for load in loads),
                "inserted": sum(load.inserted for load in loads),
                "failed_streams": [load.stream for load in loads if load.failure] or "none",
            }
        )

    return raw


def _events_asset(home: Home, catalogue: Catalogue, sources: list[Source]) -> dg.AssetsDefinition:
    organisation = catalogue.organisation.id
    key = events_key(organisation)

    @dg.asset(
        key=key,
        deps=[raw_key(organisation, source.name) for source in sources],
        group_name=_name(organisation),
        kinds={"polars", "deltalake"},
        description="What happened, as an append-only log of events.",
        check_specs=[dg.AssetCheckSpec(EVENTS_CHECK, asset=key, blocking=True)],
        pool=f"lake_{_name(organisation)}",
    )
    def events(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        listener().advance("events", 0)
        try:
            changes, audit = steps.state_events(home, catalogue, started_at(), context.run.run_id)
        except steps.AuditFailed as failure:
            yield check_result(failure.audit, key)
            raise dg.Failure(description=str(failure), allow_retries=False) from None
        stated = sum(change.events_stated for change in changes)
        listener().advance("events", stated)
        listener().done("events")
        yield dg.MaterializeResult(
            metadata={
                "stated": stated,
                "retracted": sum(change.events_retracted for change in changes),
                "quarantined": sum(change.quarantined for change in changes),
            },
            check_results=[check_result(audit, key)],
        )

    return events


def _key_results_asset(home: Home, catalogue: Catalogue) -> dg.AssetsDefinition:
    organisation = catalogue.organisation
    keys = {definition.id: key_result_key(definition) for definition in catalogue.definitions}
    ids = {key: name for name, key in keys.items()}

    @dg.multi_asset(
        name=f"{_name(organisation.id)}_key_results",
        specs=[_spec(definition, keys) for definition in catalogue.definitions],
        check_specs=[dg.AssetCheckSpec(PROGRESS_CHECK, asset=key) for key in keys.values()],
        can_subset=True,
        partitions_def=partitions(catalogue),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"lake_{_name(organisation.id)}",
    )
    def key_results(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        through = date.fromisoformat(max(context.partition_keys))
        through = min(through, last_whole_day(organisation.zone, started_at()))
        wanted = [ids[key] for key in context.selected_asset_keys]
        listener().advance("key results", 0, len(wanted))
        only = None if set(wanted) == set(keys) else wanted
        computed = steps.remember_progress(home, catalogue, through, started_at(), context.run.run_id, only)
        for finding in computed.audit.findings:
            context.log.error(finding.line)
        for name in wanted:
            listener().advance("key results", 1)
            yield _materialised(keys[name], name, through, computed)

    return key_results


def _spec(definition: Definition, keys: dict[str, dg.AssetKey]) -> dg.AssetSpec:
    kr = definition.key_result
    organisation = definition.id.partition(".")[0]
    return dg.AssetSpec(
        key=keys[definition.id],
        deps=[events_key(organisation)],
        group_name=_name(organisation),
        kinds={"polars"},
        code_version=definition.meaning.content_hash,
        description=f"{kr.title.en}: {measure_text(kr)}. {kr.why}",
        metadata={"declared in": f"{definition.file}:{definition.line}", "owner": kr.owner},
        tags={"type": kr.type, "level": kr.level},
    )


def _materialised(key: dg.AssetKey, name: str, through: date, computed: steps.Computed) -> dg.MaterializeResult[None]:
    own = (pl.col("key_result_id") == name) & pl.col("member").is_null()
    newest = computed.figures.filter(own & (pl.col("as_of") <= through)).tail(1)
    appended = computed.appended.filter(pl.col("key_result_id") == name)
    figures: dict[str, Any] = newest.row(0, named=True) if newest.height else {}
    shown = {
        column: value
        for column in ("value", "target", "progress", "expected", "status")
        if (value := figures.get(column)) is not None
    }
    return dg.MaterializeResult(
        asset_key=key,
        metadata={
            **shown,
            "rows_appended": appended.height,
            "days_restated": int(appended.get_column("is_restatement").sum()),
        },
        check_results=[_check_of(computed.audit, name, key)],
    )


def _check_of(audit: Audit, name: str, key: dg.AssetKey) -> dg.AssetCheckResult:
    findings = audit.of(name)
    is_held_back = name in audit.held_back
    return dg.AssetCheckResult(
        passed=not findings,
        asset_key=key,
        check_name=PROGRESS_CHECK,
        severity=dg.AssetCheckSeverity.ERROR if is_held_back else dg.AssetCheckSeverity.WARN,
        description="\n".join(finding.line for finding in findings) or f"{len(audit.outcomes)} checks passed",
        metadata={"held_back": is_held_back, "rows_checked": audit.rows},
    )


def _published_asset(home: Home, catalogues: list[Catalogue]) -> dg.AssetsDefinition:
    deps = [key_result_key(definition) for catalogue in catalogues for definition in catalogue.definitions]

    @dg.asset(key=PUBLISHED, deps=deps, kinds={"duckdb"}, description="The tables that BI tools read, in one file.")
    def published(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        listener().advance("publication", 0)
        # The job of one organisation publishes that one; what a person materialises by hand, everything.
        of_job = [one for one in catalogues if job_name(one.organisation.id) == context.run.job_name]
        rows = publish_all(home, of_job or catalogues, started_at(), context.run.run_id)
        listener().advance("publication", sum(rows.values()))
        listener().done("publication")
        return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(str(home.published)), **rows})

    return published


def partitions(catalogue: Catalogue) -> dg.DailyPartitionsDefinition:
    """Business days in the organisation's zone, from the first day of its first period."""
    first = min((d.period.first for d in catalogue.definitions if d.period is not None), default=date(2026, 1, 1))
    return dg.DailyPartitionsDefinition(start_date=first.isoformat(), timezone=catalogue.organisation.zone)


def job_name(organisation: str) -> str:
    """Name of an organisation's daily job."""
    return f"{_name(organisation)}_daily"


def definitions(home: Home, organisations: Sequence[str] | None = None) -> dg.Definitions:
    """Everything that Dagster is told, for a home. organisations: only these; every declared one without it.

    Raises `DeclarationErrors`.
    """
    chosen = home.organisations() if organisations is None else organisations
    catalogues = [home.catalogue(organisation) for organisation in chosen]
    assets: list[dg.AssetsDefinition] = []
    jobs, schedules = [], []
    for catalogue in catalogues:
        sources = home.sources(catalogue)
        of_org = [
            *(_raw_asset(home, catalogue, source) for source in sources),
            _events_asset(home, catalogue, sources),
            _key_results_asset(home, catalogue),
        ]
        assets += of_org
        selection = dg.AssetSelection.assets(*of_org) | dg.AssetSelection.assets(PUBLISHED)
        job = dg.define_asset_job(job_name(catalogue.organisation.id), selection)
        jobs.append(job)
        # Five in the morning: after the night's clock changes, before anybody looks.
        schedules.append(dg.build_schedule_from_partitioned_job(job, hour_of_day=5, minute_of_hour=0))
    return dg.Definitions(
        assets=[*assets, _published_asset(home, catalogues)],
        jobs=jobs,
        schedules=schedules,
        executor=dg.in_process_executor,
    )
