"""What a key result is made of: its series (the whole, members, parts, guardrails, windows), as the log settles it.

Belongs here: which things are measured, each with its declaration, its part of the log and its days; the periods and
members that declarations leave to the log, looked up in a small pass of its own. Does not: computing (`compute`),
explaining (`contributions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from kr_definitions import progress as formulas
from kr_definitions.catalogue import Definition, happening
from kr_definitions.coverage import Coverage, Feeds, coverage
from kr_definitions.declarations import Each, KeyResult
from kr_definitions.declared_periods import MonthOf, MonthsFrom
from kr_definitions.events import COVERED, LINKED, current
from kr_definitions.figures import asked_days
from kr_definitions.identities import with_customers
from kr_definitions.measures import Context, Measured
from kr_definitions.measures.selection import filtered
from kr_definitions.measures.series import THE_BEGINNING
from kr_definitions.organisation import Organisation
from kr_definitions.rates import conversions, converted

Key = tuple[Measured, Context]
"""What makes partials: those of the same measure in the same context are the same."""


@dataclass(frozen=True)
class Part:
    """A series of a key result: the whole (`own`), a member, a part, a guardrail, or another window of a KPI."""

    role: str
    name: str | None
    kr: KeyResult
    context: Context
    since: date | None = None
    weight: float = 1.0

    @property
    def key(self) -> Key:
        """What makes its partials."""
        return self.kr.main, self.context

    @property
    def key_of_baseline(self) -> Key:
        """What makes the partials of its baseline: others where its cohorts are those of the baseline's own span."""
        match formulas.baseline_of(self.kr):
            case "previous_period" | "previous_year" as name if self.kr.main.is_of_period:
                return self.kr.main, replace(self.context, compared=self.context.span(name))
            case _:
                return self.key

    def days(self, through: date) -> pl.DataFrame:
        """Each day that it has a row for, with the window of its value (`asked_days`)."""
        days = asked_days(self.kr, self.context.period, self.context.calendar, through)
        return days if self.since is None else days.filter(pl.col("as_of") >= self.since)


@dataclass(frozen=True)
class Asked:
    """What there is to be measured, and the log that it is measured by.

    events: the current events that matter, with `day`, their amounts in the organisation's currency. known: what has
    been read of them. conversions: how amounts in other currencies were converted (`CONVERSIONS_SCHEMA`). made_of: each
    definition that has a period, by id, with its parts.
    """

    events: pl.LazyFrame
    known: Coverage
    conversions: pl.DataFrame
    made_of: Sequence[tuple[Definition, Sequence[Part]]]

    @property
    def parts(self) -> list[Part]:
        """All parts of all definitions."""
        return [part for _, parts in self.made_of for part in parts]


def asked(
    definitions: Sequence[Definition],
    organisation: Organisation,
    log: pl.LazyFrame,
    through: date,
    feeds: Feeds | None = None,
) -> Asked:
    """What the definitions ask of a log (`EVENT_SCHEMA`, retractions included), up to a day."""
    events, known, found = read(definitions, organisation, log, feeds)
    ordered = sorted(with_periods(definitions, events, known, through), key=lambda definition: definition.id)
    parts = _all_parts(ordered, organisation, events, through)
    return Asked(events, known, found, list(zip(ordered, parts, strict=True)))


def read(
    definitions: Sequence[Definition], organisation: Organisation, log: pl.LazyFrame, feeds: Feeds | None = None
) -> tuple[pl.LazyFrame, Coverage, pl.DataFrame]:
    """The events, what has been read of them, and the conversions, of `Asked`: whatever their periods."""
    needed = sorted({name for definition in definitions for name in definition.types})
    those = current(log).filter(pl.col("event_type").is_in([*needed, COVERED, LINKED]))
    events = with_customers(with_day(those, organisation.zone), organisation.identity.customers)
    known = coverage(events, organisation.zone, feeds)
    found = conversions(log, needed, organisation, known)
    return converted(events, found, organisation), known, found


def whole_of(kr: KeyResult) -> KeyResult:
    """The key result by which the row of the whole is counted: of a KPI with several windows, by the first."""
    return kr.model_copy(update={"every": kr.windows[0], "windows": ()}) if kr.windows else kr


def with_day(log: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    """A log with the local day of each event."""
    return log.with_columns(pl.col("occurred_at").dt.convert_time_zone(zone).dt.date().alias("day"))


# --- what the log is asked first --------------------------------------------------------------------------------------


def with_periods(
    definitions: Sequence[Definition], events: pl.LazyFrame, known: Coverage, through: date
) -> list[Definition]:
    """The definitions with their periods; without those whose period an event names that is not known to have been."""
    waiting = [definition for definition in definitions if definition.period is None]
    firsts = pl.collect_all(
        [
            filtered(events.filter(pl.col("event_type") == named.event), named.where, (named.event,))
            .filter(pl.col("day") <= through)
            .select(pl.col("day").min())
            for named in (happening(_named(definition)) for definition in waiting)
        ]
    )
    found = {
        definition.id: _named(definition).span_of(first.item())
        for definition, first in zip(waiting, firsts, strict=True)
        if first.item() is not None
        and known.of((happening(_named(definition)).event,), THE_BEGINNING, first.item()) == "known"
    }
    return [
        definition if definition.period is not None else replace(definition, period=found[definition.id])
        for definition in definitions
        if definition.period is not None or definition.id in found
    ]


def _named(definition: Definition) -> MonthsFrom | MonthOf:
    period = definition.key_result.period
    assert isinstance(period, MonthsFrom | MonthOf)
    return period


def naming_types(definition: Definition) -> tuple[str, ...]:
    """The event types by which the members of a dimension are found; none where they are declared."""
    each = definition.key_result.each
    if each is None or each.members is not None:
        return ()
    return (each.seen_in,) if each.seen_in is not None else definition.key_result.main.types


def _members(definition: Definition, each: Each, events: pl.LazyFrame, through: date) -> pl.LazyFrame:
    """The members of a dimension, and since when each is one: member, since."""
    period = definition.span
    if each.members is not None:
        return pl.LazyFrame({"member": sorted(each.members)}).with_columns(since=pl.lit(period.first))
    return (
        events.filter(
            pl.col("event_type").is_in(naming_types(definition)),
            pl.col("day").is_between(period.first, min(period.last, through)),
        )
        .filter(pl.col(each.dimension).is_not_null())
        .group_by(pl.col(each.dimension).alias("member"))
        .agg(pl.col("day").min().alias("since"))
        .sort("member")
    )


# --- what a key result is made of -------------------------------------------------------------------------------------


def _all_parts(
    definitions: Sequence[Definition], organisation: Organisation, events: pl.LazyFrame, through: date
) -> list[list[Part]]:
    asked = [(d, d.key_result.each) for d in definitions if d.key_result.each is not None]
    collected = pl.collect_all([_members(d, each, events, through) for d, each in asked])
    members = {d.id: dict(found.iter_rows()) for (d, _), found in zip(asked, collected, strict=True)}
    return [parts_of(d, organisation, members.get(d.id, {})) for d in definitions]


def context_of(definition: Definition, organisation: Organisation) -> Context:
    """What a definition (with its period) is compiled for, as a whole."""
    hours = organisation.working_hours
    return Context(
        period=definition.span,
        zone=organisation.zone,
        calendar=organisation.calendar,
        working_hours=(hours.from_, hours.until),
        folder=definition.folder,
    )


def parts_of(definition: Definition, organisation: Organisation, members: Mapping[str, date]) -> list[Part]:
    """What a definition (with its period) is made of. members: of its dimension, each with its first day."""
    kr, context = definition.key_result, context_of(definition, organisation)
    alone = kr.model_copy(update={"all_of": (), "each": None, "guardrails": (), "windows": ()})
    if kr.each is not None:
        found = [Part("own", None, alone, context)] if kr.target is None else []
        found += [
            Part("member", name, alone, context.of((kr.each.dimension, name)), since) for name, since in members.items()
        ]
    elif kr.all_of:
        found = [Part("part", one.name, as_part(alone, one), context, None, float(one.weight)) for one in kr.all_of]
    else:
        found = [Part("own", None, whole_of(kr).model_copy(update={"guardrails": ()}), context)]
        found += [Part("window", every, alone.model_copy(update={"every": every}), context) for every in kr.windows]
    return [*found, *(Part("guardrail", one.name, as_part(alone, one), context) for one in kr.guardrails)]


def as_part(kr: KeyResult, one: object) -> KeyResult:
    """The key result, measured as one of its parts or guardrails."""
    names = ("measure", "target", "every", "trailing", "cumulative")
    return kr.model_copy(update={"unit": None, **{name: getattr(one, name) for name in names}})


def meets(definition: Definition, column: str) -> pl.Expr:
    """Whether a member or a part meets its target, by one of its progress columns."""
    is_met = pl.lit(value=False)
    for name, kr in _targets(definition).items():
        of_part = pl.lit(value=True) if name is None else pl.col("member") == name
        is_met = pl.when(of_part).then(formulas.is_reached(kr, pl.col(column))).otherwise(is_met)
    return is_met


def meets_now(definition: Definition) -> pl.Expr:
    """Whether it meets it on the day: of members whose figure recurs, in the window that the day lies in."""
    return meets(definition, "progress" if definition.key_result.every is None else "window_progress")


def _targets(definition: Definition) -> dict[str | None, KeyResult]:
    """By which declaration a member (None: every one) or a part is met."""
    kr = definition.key_result
    if kr.each is not None:
        return {None: kr}
    return {part.name: as_part(kr.model_copy(update={"all_of": ()}), part) for part in kr.all_of}
