"""Amounts that nobody says: what counts in a figure of money, and as nothing, because what it is worth is not known.

Belongs here: which events those are, of the figures of a day. Does not: amounts in another currency (`unconverted`),
telling of them (`assets`), what an event without an amount counts as (`measures`).

Nothing and not known are not the same: a figure that adds up what is known is of less than it seems to be of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from kr_definitions import shapes
from kr_definitions.catalogue import Definition
from kr_definitions.contributions import contributions
from kr_definitions.coverage import Feeds
from kr_definitions.failures import Failures
from kr_definitions.organisation import Organisation
from kr_definitions.parts import asked

# Which of the events that a key result counts by their amounts have none.
UNVALUED_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "source": pl.String(),
    "event_type": pl.String(),
    "subject_id": pl.String(),
}

_OF = ["key_result_id", "event_id"]
_SAYS = ["event_id", "source", "event_type", "subject_id"]


def unvalued(
    definitions: Sequence[Definition],
    organisation: Organisation,
    log: pl.LazyFrame,
    through: date,
    feeds: Feeds | None = None,
) -> pl.DataFrame:
    """What counts as nothing on the last day of each definition, for want of an amount: `UNVALUED_SCHEMA`, ordered.

    log: `EVENT_SCHEMA`, retractions included. What has had an amount since, or is over, is not among them.
    """
    definitions = [one for one in definitions if _may_count_money(one)]
    types = sorted({name for definition in definitions for name in definition.types})
    is_lacking = pl.col("event_type").is_in(types) & pl.col("amount").is_null()
    if log.filter(is_lacking).head(1).collect().is_empty():
        return shapes.empty(UNVALUED_SCHEMA)
    found = asked(definitions, organisation, log, through, feeds)
    matters = [
        frame.filter(pl.col("amount").is_null()).select(*_SAYS, key_result_id=pl.lit(definition.id))
        for definition, parts in found.made_of
        for part in parts
        if (frame := part.kr.main.added(found.events, part.context)) is not None
    ]
    lacking = pl.concat(pl.collect_all(matters)).unique() if matters else pl.DataFrame()
    if lacking.is_empty():
        return shapes.empty(UNVALUED_SCHEMA)
    concerned = [one for one, _ in found.made_of if one.id in lacking.get_column("key_result_id")]
    last = {one.id: min(through, one.period.last) for one in concerned if one.period is not None}
    failures: Failures = []  # told by the run that computes
    held = contributions(concerned, organisation, log, through, feeds, failures).filter(
        pl.col("key_result_id")
        .replace_strict(last, default=None, return_dtype=pl.Date)
        .is_between("first_day", "last_day")
    )
    return lacking.join(held, on=_OF, how="semi").select(UNVALUED_SCHEMA.keys()).unique().sort(pl.all())


def _may_count_money(definition: Definition) -> bool:
    """Whether a measure names amounts at all: most do not, and need no look at the log."""
    return any("amount" in measure.model_dump_json() for measure in definition.measures)
