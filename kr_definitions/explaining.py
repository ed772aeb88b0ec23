"""Why a figure is what it is: the events behind it, and what entered, left or moved between two of them.

Belongs here: contributions beside what the log says of their events. Does not: which events contribute
(`contributions`), why a reported day moved (`causes`), the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from kr_definitions.catalogue import Definition
from kr_definitions.compute import compute
from kr_definitions.contributions import contributions, made_of, on_day
from kr_definitions.coverage import Feeds
from kr_definitions.events import EVENT_SCHEMA
from kr_definitions.history import COMPUTED_SCHEMA
from kr_definitions.organisation import Organisation
from kr_definitions.parts import read
from kr_definitions.rates import with_rates

_SAID = ("fact_id", "event_type", "occurred_at", "recorded_at", "subject_id", "account_id", "source", "source_url")

_MONEY = ("amount", "currency", "rate")

# What an event gives to a figure, beside what the log says of it.
EXPLAINED_SCHEMA: Mapping[str, pl.DataType] = {
    "event_id": pl.String(),  # null: a number that is stated, or that no event can be named for
    "with_event_id": pl.String(),  # the other event that it is counted with
    "numerator": COMPUTED_SCHEMA["numerator"],
    "denominator": COMPUTED_SCHEMA["denominator"],
    "contribution": pl.Float64(),  # to the value, in its unit
    "began_at": EVENT_SCHEMA["occurred_at"],  # when the other event happened
    "amount": EVENT_SCHEMA["amount"],  # as it was stated, in its own currency
    "currency": EVENT_SCHEMA["currency"],
    "rate": pl.String(),  # the rates that it is converted by, and their days; null where it is not
    **{name: EVENT_SCHEMA[name] for name in _SAID},
}

# What changed between two figures: each column of what an event gives, before and after.
CHANGED_SCHEMA: Mapping[str, pl.DataType] = {
    "change": pl.String(),  # entered, left, moved (the event gives something else) or corrected (its fact is)
    "event_id": pl.String(),  # after; before, of one that left
    "event_id_before": pl.String(),
    "contribution_before": pl.Float64(),
    "contribution": pl.Float64(),
    "numerator_before": COMPUTED_SCHEMA["numerator"],
    "numerator": COMPUTED_SCHEMA["numerator"],
    "denominator_before": COMPUTED_SCHEMA["denominator"],
    "denominator": COMPUTED_SCHEMA["denominator"],
    **{name: EVENT_SCHEMA[name] for name in _SAID},
}


@dataclass(frozen=True)
class Explained:
    """A figure with what it is made of.

    figure: its row (`COMPUTED_SCHEMA`). events: `EXPLAINED_SCHEMA`, the largest first. parts: of the whole of members
    or parts, the rows of these (`COMPUTED_SCHEMA`), each with `is_met`. known_at: the newest statement it is made from.
    """

    definition: Definition
    figure: Mapping[str, Any]
    events: pl.DataFrame
    parts: pl.DataFrame
    known_at: datetime | None

    @property
    def adds_up(self) -> bool:
        """Whether what the events give adds up to the figure exactly; of what is not known, nothing is asked."""
        if self.figure["value"] is None or self.parts.height:
            return True
        sums = self.events.select(pl.col("numerator", "denominator").sum()).row(0, named=True)
        return all(self.figure[name] is None or sums[name] == self.figure[name] for name in sums)


def explain(
    definition: Definition,
    organisation: Organisation,
    log: pl.LazyFrame,
    day: date,
    member: str | None = None,
    feeds: Feeds | None = None,
    known_at: datetime | None = None,
) -> Explained | None:
    """The figure of a day (of the whole, or of a member, part, guardrail or window) with its events.

    known_at: only what had been recorded by then (aware); everything without it. None where there is no such figure.
    """
    known = log if known_at is None else log.filter(pl.col("recorded_at") <= known_at)
    figures = compute([definition], organisation, known, day, feeds).filter(pl.col("as_of") == day)
    own = figures.filter(pl.col("member").eq_missing(pl.lit(member, pl.String)))
    if not own.height:
        return None
    _, _, conversions = read([definition], organisation, known, feeds)
    given = on_day(contributions([definition], organisation, known, day, feeds), own)
    parts = _parts(definition, figures) if member is None else figures.clear().with_columns(is_met=pl.lit(value=True))
    return Explained(definition, own.row(0, named=True), _told(given, log, conversions, organisation), parts, known_at)


def _parts(definition: Definition, figures: pl.DataFrame) -> pl.DataFrame:
    """The members or parts that a whole is made of; none where it has a measure of its own."""
    whole = figures.filter(pl.col("member").is_null())
    is_counted = bool(definition.key_result.all_of) or (
        definition.key_result.each is not None and definition.key_result.target is not None
    )
    met = made_of(definition, figures).select(pl.col("part").alias("member"), is_met=pl.col("numerator") > 0)
    found = figures.join(met, on="member", how="inner", maintain_order="left")
    return found if is_counted and whole.height else found.clear()


def _told(
    given: pl.DataFrame, log: pl.LazyFrame, conversions: pl.DataFrame, organisation: Organisation
) -> pl.DataFrame:
    """What events give, summed by event, beside what the log says of them."""
    summed = given.group_by("event_id", "with_event_id", maintain_order=True).agg(
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
        for name in ("numerator", "denominator", "contribution")
    )
    named = pl.concat([summed.get_column("event_id"), summed.get_column("with_event_id")]).drop_nulls().unique()
    those = log.join(named.to_frame("event_id").lazy(), on="event_id", how="semi")
    events = with_rates(those, conversions, organisation).select("event_id", *_SAID, *_MONEY).collect()
    began = events.select(with_event_id="event_id", began_at="occurred_at")
    return (
        summed.join(events, on="event_id", how="left")
        .join(began, on="with_event_id", how="left")
        .select(pl.col(name).cast(dtype) for name, dtype in EXPLAINED_SCHEMA.items())
        .sort(
            pl.col("contribution").abs().fill_null(0), "denominator", "occurred_at", "event_id",
            descending=[True, True, False, False], nulls_last=True,
        )
    )  # fmt: skip


def changed(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """What differs between the events of two figures (`EXPLAINED_SCHEMA`): `CHANGED_SCHEMA`, the largest first.

    An event that left and one that entered are one change where they say the same fact: `corrected`. One that counts
    for something else is `moved`; not one of which only the part changed, as there are more others.
    """
    numbers = ("numerator", "denominator", "contribution")
    old, new = _by_event(before), _by_event(after)
    both = old.join(new, on="event_id", how="full", coalesce=True, suffix="_after")
    differs = {name: pl.col(name).ne_missing(pl.col(f"{name}_after")) for name in numbers}
    # Of a ratio each event's part of the value moves with every other one: it has moved where what it counts for has.
    is_counted = pl.any_horizontal(pl.col("numerator", "numerator_after").is_not_null())
    is_other = differs["numerator"] | differs["denominator"] | (~is_counted & differs["contribution"])
    left = old.join(new, on="event_id", how="anti")
    entered = new.join(old, on="event_id", how="anti")
    corrected = left.join(entered, on="fact_id", suffix="_after")
    moved = both.filter(is_other, pl.col("fact_id").is_not_null(), pl.col("fact_id_after").is_not_null())

    def shaped(rows: pl.DataFrame, change: str, *, is_before: bool, is_after: bool) -> pl.DataFrame:
        suffix = "_after" if is_before and is_after else ""
        nothing = pl.lit(None)
        return rows.select(
            pl.lit(change).alias("change"),
            pl.col("event_id_after" if "event_id_after" in rows.columns else "event_id").alias("event_id"),
            (pl.col("event_id") if is_before else nothing).cast(pl.String).alias("event_id_before"),
            *(
                expression.cast(CHANGED_SCHEMA[alias]).alias(alias)
                for name in numbers
                for expression, alias in (
                    (pl.col(name) if is_before else nothing, f"{name}_before"),
                    (pl.col(f"{name}{suffix}") if is_after else nothing, name),
                )
            ),
            *((pl.col("fact_id") if name == "fact_id" else pl.col(f"{name}{suffix}")).alias(name) for name in _SAID),
        ).select(CHANGED_SCHEMA.keys())

    alone_left = left.join(corrected, on="fact_id", how="anti", nulls_equal=True)
    alone_entered = entered.join(corrected, on="fact_id", how="anti", nulls_equal=True)
    moves = (pl.col("contribution").fill_null(0) - pl.col("contribution_before").fill_null(0)).abs()
    weighs = (pl.col("denominator").fill_null(0) - pl.col("denominator_before").fill_null(0)).abs()
    return pl.concat(
        [
            shaped(corrected, "corrected", is_before=True, is_after=True),
            shaped(alone_entered, "entered", is_before=False, is_after=True),
            shaped(alone_left, "left", is_before=True, is_after=False),
            shaped(moved, "moved", is_before=True, is_after=True),
        ]
    ).sort(moves, weighs, "occurred_at", "event_id", descending=[True, True, False, False], nulls_last=True)


def _by_event(rows: pl.DataFrame) -> pl.DataFrame:
    """What each named event gives, whatever other event it is counted with."""
    return (
        rows.filter(pl.col("event_id").is_not_null())
        .group_by("event_id", maintain_order=True)
        .agg(
            *(
                pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
                for name in ("numerator", "denominator", "contribution")
            ),
            pl.col(_SAID).first(),
        )
    )


def newest_day(reported: pl.DataFrame, member: str | None) -> date | None:
    """The last day of which a figure was reported."""
    found = reported.filter(pl.col("member").eq_missing(pl.lit(member, pl.String))).get_column("as_of").max()
    return found if isinstance(found, date) else None


def members_of(reported: pl.DataFrame) -> Sequence[str]:
    """The names of the members, parts, guardrails and windows that were reported."""
    return reported.get_column("member").drop_nulls().unique().sort().to_list()
