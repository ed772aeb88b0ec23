"""What is published: the frames of each organisation, as the lake and the declarations hold them.

Belongs here: what publication is handed. Does not: the tables that are made of it (`tables`, `standing`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, partial

import polars as pl

from kr_definitions.check_ins import CHECK_INS_SCHEMA
from kr_definitions.contributions import CONTRIBUTIONS_SCHEMA
from kr_definitions.editions import EDITIONS_SCHEMA, completed
from kr_definitions.events import EVENT_SCHEMA
from kr_definitions.history import COMPUTATIONS_SCHEMA, HISTORY_SCHEMA, KEY_RESULTS_SCHEMA, OBJECTIVES_SCHEMA
from kr_definitions.memory import RECORDED_MOVERS_SCHEMA
from kr_definitions.objective_history import OBJECTIVE_HISTORY_SCHEMA
from kr_definitions.organisation import Organisation, Title
from kr_definitions.seals import STANDING_SCHEMA
from kr_definitions.vocabulary import UTC_MICROSECONDS

_SAID: Mapping[str, pl.DataType] = {
    "event_type": pl.String(),
    "occurred_at": UTC_MICROSECONDS,
    "known_since": UTC_MICROSECONDS,
    "subject_id": pl.String(),
    "source": pl.String(),
    "source_url": pl.String(),
}

# The events behind the figures, with the days that each counts on, and what the log says of them.
EVENTS_SCHEMA: Mapping[str, pl.DataType] = {
    **CONTRIBUTIONS_SCHEMA,
    **_SAID,
    "amount": EVENT_SCHEMA["amount"],  # in its own currency
    "amount_currency": pl.String(),
    "rate": pl.String(),  # that it counts by
}

# The events that moved figures which had been reported, and what the log says of them, if it still has them.
RESTATEMENT_EVENTS_SCHEMA: Mapping[str, pl.DataType] = {**RECORDED_MOVERS_SCHEMA, **_SAID}

# What the checks of the runs found; `key_results` lists ids, separated by ", ".
FINDINGS_SCHEMA: Mapping[str, pl.DataType] = {
    "organisation": pl.String(),
    "run_id": pl.String(),
    "recorded_at": UTC_MICROSECONDS,
    "check": pl.String(),
    "severity": pl.String(),
    "says": pl.String(),
    "found": pl.String(),
    "do": pl.String(),
    "key_results": pl.String(),
    "failed": pl.Int64(),
    "checked": pl.Int64(),
    "is_crash": pl.Boolean(),
}

Lack = tuple[str, date, str, int]
"""A currency and a day that no rate holds on, why, and of how many events."""

Stream = tuple[str, str]
"""A source and one of its streams."""


@cache
def schemas() -> Mapping[str, Mapping[str, pl.DataType]]:
    """The columns of each frame of `Results`."""
    from pipelines.aside import QUARANTINE_SCHEMA  # noqa: PLC0415 - as below
    from pipelines.load import LOADS_SCHEMA  # noqa: PLC0415 - loading takes dlt, which takes seconds

    return {
        "key_results": KEY_RESULTS_SCHEMA,
        "history": HISTORY_SCHEMA,
        "editions": EDITIONS_SCHEMA,
        "computations": COMPUTATIONS_SCHEMA,
        "contributions": EVENTS_SCHEMA,
        "restatement_events": RESTATEMENT_EVENTS_SCHEMA,
        "objectives": OBJECTIVES_SCHEMA,
        "objective_history": OBJECTIVE_HISTORY_SCHEMA,
        "findings": FINDINGS_SCHEMA,
        "loads": LOADS_SCHEMA,
        "quarantine": QUARANTINE_SCHEMA,
        "set_aside": QUARANTINE_SCHEMA,
        "remarks": FINDINGS_SCHEMA,
        "check_ins": CHECK_INS_SCHEMA,
        "seals": STANDING_SCHEMA,
    }


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(schemas()[name]))


@dataclass(frozen=True)
class Results:
    """Everything that readers are shown of one organisation. Frames that are left out are empty.

    history: all that was ever recorded (`HISTORY_SCHEMA`). editions: what key results have meant; of those that it
    lacks, what the history says. computations: what the runs computed, and what they knew. contributions: the events
    behind the figures that hold now. restatement_events: those that moved figures. key_results, objectives: as declared
    and rolled up. objective_history: all that was ever told of objectives. findings: of all runs. loads, quarantine: as
    the lake keeps them. set_aside: the records of declared streams that are set aside now. remarks: what is found of
    how things stand, whichever run is published. streams: those that are declared; None: all. feeds: the streams that
    each key result depends on, where they are known; an empty list says that no source states its events. lacking: by
    key result, the amounts in other currencies that no rate converts (rows of `LACKING_SCHEMA`), where there are any
    and it is unreliable. late_days: how many days after a day facts of it can still arrive, by key result. titles: of
    the objectives, those too that nothing was rolled up to. check_ins: those in force on each day. seals: beside what
    is now known.
    """

    organisation: Organisation
    key_results: pl.DataFrame
    history: pl.DataFrame = field(default_factory=partial(_empty, "history"))
    editions: pl.DataFrame = field(default_factory=partial(_empty, "editions"))
    computations: pl.DataFrame = field(default_factory=partial(_empty, "computations"))
    contributions: pl.DataFrame = field(default_factory=partial(_empty, "contributions"))
    restatement_events: pl.DataFrame = field(default_factory=partial(_empty, "restatement_events"))
    objectives: pl.DataFrame = field(default_factory=partial(_empty, "objectives"))
    objective_history: pl.DataFrame = field(default_factory=partial(_empty, "objective_history"))
    findings: pl.DataFrame = field(default_factory=partial(_empty, "findings"))
    loads: pl.DataFrame = field(default_factory=partial(_empty, "loads"))
    quarantine: pl.DataFrame = field(default_factory=partial(_empty, "quarantine"))
    set_aside: pl.DataFrame = field(default_factory=partial(_empty, "set_aside"))
    remarks: pl.DataFrame = field(default_factory=partial(_empty, "remarks"))
    check_ins: pl.DataFrame = field(default_factory=partial(_empty, "check_ins"))
    seals: pl.DataFrame = field(default_factory=partial(_empty, "seals"))
    streams: Collection[Stream] | None = None
    feeds: Mapping[str, Sequence[Stream]] = field(default_factory=dict)
    lacking: Mapping[str, Sequence[Lack]] = field(default_factory=dict)
    late_days: Mapping[str, int] = field(default_factory=dict)
    titles: Mapping[str, Title] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, schema in schemas().items():
            if missing := set(schema) - set(getattr(self, name).columns):
                raise ValueError(f"{self.organisation.id}: {name} lacks {', '.join(sorted(missing))}")
        object.__setattr__(self, "editions", completed(self.editions, self.history.lazy()))


@dataclass(frozen=True)
class Publication:
    """One publication: which run makes it, when (aware), and the results of every organisation."""

    run_id: str
    published_at: datetime
    results: Sequence[Results]
