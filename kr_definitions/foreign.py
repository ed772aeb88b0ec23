"""Amounts in other currencies than the organisation's: why a figure of money is unreliable.

Belongs here: counting them. Does not: leaving a figure unknown for their sake (`figures`), telling of them (`assets`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from kr_definitions.catalogue import Definition
from kr_definitions.events import current
from kr_definitions.identities import with_customers
from kr_definitions.measures import Context
from kr_definitions.measures.series import THE_BEGINNING
from kr_definitions.organisation import Organisation


def foreign_events(
    definition: Definition, organisation: Organisation, log: pl.LazyFrame, first: date | None, last: date
) -> dict[str, int]:
    """By currency, how many events a definition (with its period) would have to add in it, between two days.

    log: `EVENT_SCHEMA`, retractions included. first: None is the beginning.
    """
    day = pl.col("occurred_at").dt.convert_time_zone(organisation.zone).dt.date()
    events = with_customers(current(log), organisation.identity.customers).with_columns(day.alias("day"))
    is_foreign = pl.col("amount").is_not_null() & (pl.col("currency") != organisation.currency)
    found = [
        amounts.filter(is_foreign, pl.col("day").is_between(since, last)).select("currency")
        for amounts, since in _amounts(definition, organisation, events, first or THE_BEGINNING)
    ]
    counted = pl.concat([pl.LazyFrame(schema={"currency": pl.String}), *found]).group_by("currency").len()
    return dict(counted.sort("currency").collect().iter_rows())


def _amounts(
    definition: Definition, organisation: Organisation, events: pl.LazyFrame, first: date
) -> Iterator[tuple[pl.LazyFrame, date]]:
    """The events whose amounts each measure adds, and from which day on they count."""
    hours = organisation.working_hours
    context = Context(
        period=definition.span,
        zone=organisation.zone,
        calendar=organisation.calendar,
        working_hours=(hours.from_, hours.until),
        folder=definition.folder,
    )
    for measure in dict.fromkeys(definition.measures):
        for amounts, since in ((measure.money, first), (measure.lasting_money, THE_BEGINNING)):
            if (frame := amounts(events, context)) is not None:
                yield frame, since
