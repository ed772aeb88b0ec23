"""What a run publishes: the lake and the declarations of its organisations, gathered for the one file.

Belongs here: gathering. Does not: the tables (`publication`), the steps before it (`steps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from assets import closing, set_aside, steps, unvalued
from assets.checks import Finding
from assets.home import Home
from assets.publication import Publication, Results, publish
from assets.publication.results import EVENTS_SCHEMA, Lack
from kr_definitions import check_ins, seals, tables
from kr_definitions.catalogue import Catalogue
from kr_definitions.contributions import contributions
from kr_definitions.failures import Failures
from kr_definitions.history import COMPUTED_SCHEMA, current
from kr_definitions.parts import read
from kr_definitions.rates import with_rates
from kr_definitions.unconverted import lacking


def publish_all(home: Home, catalogues: Sequence[Catalogue], at: datetime, run_id: str) -> dict[str, int]:
    """Publish these organisations; all others stay in the file as they are. Returns each table's rows.

    Raises `PublicationError` or `TablesError`; then what was published before stays.
    """
    results = [_results(home, catalogue, at, run_id) for catalogue in catalogues]
    known = {*home.organisations(), *home.remembered()}  # what was reported of one that is declared no more stays
    others = known - {catalogue.organisation.id for catalogue in catalogues}
    return publish(home.published, Publication(run_id, at, results), others)


def _results(home: Home, catalogue: Catalogue, at: datetime, run_id: str) -> Results:
    organisation = catalogue.organisation.id
    lake_of_org = home.lake(organisation)
    in_use = steps.feeds(home.sources(catalogue))
    catalogue = steps.with_periods(home, catalogue)
    closing.close_due(home, catalogue, at, run_id)
    memory = steps.memory(home, organisation).complete()
    now = current(memory.history, memory.editions).select(COMPUTED_SCHEMA.keys()).collect()
    said = check_ins.stated(lake_of_org.log.scan()).collect()
    aside = set_aside.standing(home, catalogue)
    return Results(
        organisation=catalogue.organisation,
        key_results=tables.key_results(catalogue),
        history=memory.history.collect(),
        editions=memory.editions,
        computations=memory.computations,
        contributions=_contributions(home, catalogue, now),
        restatement_events=_said(lake_of_org.log.scan(), steps.movers(home, organisation)),
        objectives=tables.objectives(catalogue, now),
        objective_history=steps.objective_history(home, organisation).collect(),
        findings=steps.findings(home, organisation).collect(),
        loads=lake_of_org.loads().with_columns(cursor=pl.lit(None, pl.String)).collect(),  # no reader's, and long
        quarantine=lake_of_org.quarantine().collect(),
        set_aside=aside,
        remarks=steps.findings_frame(organisation, _remarks(home, catalogue, now), at, None),
        streams=set_aside.streams(home, catalogue),
        feeds=set_aside.needed(home, catalogue),
        late_days={definition.id: in_use.lateness(definition.types) for definition in catalogue.definitions},
        lacking=_lacking(home, catalogue, now),
        titles={objective.id: objective.title for objective in catalogue.objectives},
        check_ins=check_ins.in_force(catalogue.definitions, catalogue.organisation, now, said),
        seals=seals.standing(closing.kept(home, organisation).collect(), now, catalogue),
    )


def _remarks(home: Home, catalogue: Catalogue, now: pl.DataFrame) -> tuple[Finding, ...]:
    """What is to be said of how things stand, whichever run found so."""
    through, in_use = now.get_column("as_of").max(), steps.feeds(home.sources(catalogue))
    without = unvalued.remarks(home, catalogue, through, in_use) if isinstance(through, date) else ()
    return (*steps.standing_remarks(home, catalogue), *without)


def _contributions(home: Home, catalogue: Catalogue, now: pl.DataFrame) -> pl.DataFrame:
    """The events behind the figures that hold now: `EVENTS_SCHEMA`."""
    through, log = now.get_column("as_of").max(), home.lake(catalogue.organisation.id).log.scan()
    if not isinstance(through, date):
        return pl.DataFrame(schema=dict(EVENTS_SCHEMA))
    in_use = steps.feeds(home.sources(catalogue))
    failures: Failures = []  # told by the run that computes
    found = contributions(catalogue.definitions, catalogue.organisation, log, through, in_use, failures)
    _, _, conversions = read(catalogue.definitions, catalogue.organisation, log, in_use)
    rated = with_rates(log, conversions, catalogue.organisation).rename({"currency": "amount_currency"})
    return _said(rated, found.lazy(), ["amount", "amount_currency", "rate"]).select(EVENTS_SCHEMA.keys())


def _said(log: pl.LazyFrame, rows: pl.LazyFrame, more: Sequence[str] = ()) -> pl.DataFrame:
    """Rows with what the log says of their `event_id`."""
    columns = ["event_id", "event_type", "occurred_at", "subject_id", "source", "source_url", "recorded_at", *more]
    said = log.select(columns).rename({"recorded_at": "known_since"})
    held = set(rows.collect_schema().names()) - {"event_id"}
    return rows.join(said.drop(held, strict=False), on="event_id", how="left").collect()


def _lacking(home: Home, catalogue: Catalogue, current: pl.DataFrame) -> dict[str, list[Lack]]:
    """Of each key result that is unreliable now, the amounts in the window of its value that no rate converts."""
    own = current.filter(pl.col("member").is_null()).sort("as_of").unique("key_result_id", keep="last")
    rows = own.filter(pl.col("status") == "unreliable").select("key_result_id", "window_start", "as_of")
    windows: dict[str, tuple[date | None, date]] = {name: (first, last) for name, first, last in rows.iter_rows()}
    log, in_use = home.lake(catalogue.organisation.id).log.scan(), steps.feeds(home.sources(catalogue))
    return {
        definition.id: lacking(definition, catalogue.organisation, log, *windows[definition.id], in_use).rows()
        for definition in catalogue.definitions
        if definition.id in windows and definition.period is not None
    }
