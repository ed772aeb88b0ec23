"""Measures over a group of members: who stayed, and who did something.

Belongs here: groups whose members come and go (customers, staff). Does not: how many are open (`levels`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

import polars as pl
from pydantic import model_validator

from kr_definitions.measures.base import Bounds, Context, Filter, Frames, Kind, Measured, of_sum, words
from kr_definitions.measures.claims import NOTHING, ONE, claims, firsts
from kr_definitions.measures.levels import Transitions, standing, transitions
from kr_definitions.measures.selection import KeyColumn, concatenated, filtered, keyed
from kr_definitions.measures.series import with_ratio
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes

_UNBOUND = pl.lit(None, dtype=pl.Date)


class Roster(Declared):
    """Whose membership begins and ends: members are those with at least one subject that is open.

    closed_by may be left out: then a member stays one. where, closed_where: filters on the events of either.
    """

    opened_by: EventTypes
    closed_by: EventTypes | None = None
    where: str | None = None
    closed_where: str | None = None
    by: KeyColumn = "account_id"

    def filters(self, *place: str) -> Iterator[Filter]:
        """The filters, with their places below the measure."""
        if self.where is not None:
            yield (*place, "where"), self.where, self.opened_by
        if self.closed_where is not None and self.closed_by is not None:
            yield (*place, "closed_where"), self.closed_where, self.closed_by

    @property
    def types(self) -> tuple[str, ...]:
        """The event types that say who is a member."""
        return (*self.opened_by, *(self.closed_by or ()))

    def spells(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """When each was a member, in days: key, since (the first day that ended so), until (the first that did not)."""
        moved = transitions(log, context, self._transitions, self.by).filter(pl.col("key").is_not_null())
        return (
            moved.group_by("key", "day")
            .agg(pl.col("moved").sum())
            .sort("key", "day")
            .with_columns((pl.col("moved").cum_sum().over("key", order_by="day") > 0).alias("_is_member"))
            .filter(pl.col("_is_member") != pl.col("_is_member").shift(1, fill_value=False).over("key", order_by="day"))
            .with_columns(pl.col("day").shift(-1).over("key", order_by="day").alias("until"))
            .filter("_is_member")
            .select("key", pl.col("day").alias("since"), "until")
        )

    def opened_spells(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The same with the event that each was opened by (`event_id`): of several, the first by name."""
        opened = standing(log, context, self._transitions, self.by).group_by("key", pl.col("day").alias("since"))
        return self.spells(log, context).join(
            opened.agg(pl.col("opened_by").min().alias("event_id")), on=["key", "since"], how="left"
        )

    @property
    def _transitions(self) -> Transitions:
        return Transitions.model_construct(
            opened_by=self.opened_by,
            closed_by=self.closed_by or (),
            where=self.where,
            closed_where=self.closed_where,
            value=None,
            valued_by=None,
        )


class Kept(Roster):
    """A roster whose members may be worth something: the sum of a number of what of theirs is open.

    value: the number; without it, each counts as one. valued_by: what says a new value of what is open.
    """

    value: Literal["amount", "quantity"] | None = None
    valued_by: EventTypes | None = None

    @model_validator(mode="after")
    def _is_valued(self) -> Self:
        if self.valued_by is not None and self.value is None:
            raise ValueError("valued_by says a value, but members count as one each | Say which value, or leave it out")
        return self

    @property
    def types(self) -> tuple[str, ...]:
        return (*super().types, *(self.valued_by or ()))

    def worths(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """What each subject of a member was worth, in days: as `standing` has it, with `since` and `until`."""
        valued = self._transitions.model_copy(update={"value": self.value, "valued_by": self.valued_by})
        found = standing(log, context, valued, self.by).filter(pl.col("key").is_not_null())
        return found.rename({"day": "since", "day_after": "until"})

    def valuing(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        """The events that say what something is worth."""
        opened = filtered(context.events(log, self.opened_by), self.where, self.opened_by)
        return concatenated([opened, context.events(log, self.valued_by) if self.valued_by else None])


def _members(spells: pl.LazyFrame, windows: pl.LazyFrame, on: Literal["as_of", "eve"]) -> pl.LazyFrame:
    """Who was a member at the end of a day of each window: its columns and `key`."""
    never = pl.lit("9999-12-31").str.to_date()
    return windows.join_where(
        spells.with_columns(pl.col("until").fill_null(never)),
        pl.col("since") <= pl.col(on),
        pl.col("until") > pl.col(on),
    ).drop("since", "until")


def _asked(windows: pl.DataFrame) -> pl.LazyFrame:
    return (
        windows.lazy()
        .select("as_of", "window_start")
        .unique()
        .with_columns(pl.col("window_start").dt.offset_by("-1d").alias("eve"))
    )


def _counted(windows: pl.DataFrame, members: pl.LazyFrame, is_met: pl.Expr) -> pl.DataFrame:
    found = (
        members.group_by("as_of", "window_start")
        .agg(is_met.sum().cast(DECIMAL).alias("numerator"), pl.len().cast(DECIMAL).alias("denominator"))
        .collect()
    )
    joined = windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left")
    return with_ratio(
        joined.with_columns(pl.col("numerator", "denominator").fill_null(0)).with_columns(
            pl.col("denominator").cast(pl.Int64).alias("events")
        )
    )


class Retention(Measured):
    """Of those that were members at the end of the day before the window, the part that are at the end of the day.

    Who left and came back is a member again; who came later counts in neither part. Without any at the start there is
    no value. events: how many there were at the start.

    value: of what they were worth then, the part that they are worth now, whatever is theirs now: who came to be worth
    more makes up for who left, and the value can be above 1. Where all were worth nothing there is none.
    """

    retention: Kept

    @property
    def types(self) -> tuple[str, ...]:
        return self.retention.types

    @property
    def remembered(self) -> tuple[str, ...]:
        """Who is a member is what all of the past left open."""
        return self.types

    @property
    def kind(self) -> Kind:
        return "share" if self.retention.value is None else "ratio"

    @property
    def bounds(self) -> Bounds:
        return super().bounds if self.retention.value is None else of_sum(self.retention.value)

    def filters(self) -> Iterator[Filter]:
        yield from self.retention.filters("retention")

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return None if self.retention.value != "amount" else self.retention.valuing(log, context)

    def added(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return self.lasting_money(log, context)

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        if self.retention.value is None:
            return self.retention.spells(log, context)
        return self.retention.worths(log, context).select("key", "since", "until", "level")

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        members = _members(partials.lazy(), _asked(windows), "eve")
        still = _members(partials.lazy(), _asked(windows), "as_of")
        if self.retention.value is not None:
            return _weighed(windows, members, still)
        still = still.with_columns(_stayed=pl.lit(value=True))
        both = members.join(still, on=["as_of", "window_start", "key"], how="left")
        return _counted(windows, both, pl.col("_stayed").fill_null(value=False))

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """Who was a member on the eve of the window, by a spell; and is one, by that spell or a later; or is not."""
        spells = self.retention.opened_spells(log, context).with_columns(
            pl.col("since").shift(-1).over("key", order_by="since").alias("again")
        )
        on_the_eve = {"starts_after": pl.col("since"), "starts_by": pl.col("until")}
        if self.retention.value is not None:
            return {"": pl.concat(_worth_claims(self.retention.worths(log, context), spells))}
        both = spells.join(spells, on="key", suffix="_now").filter(pl.col("since_now") >= pl.col("since"))
        another = pl.when(pl.col("since_now") > pl.col("since")).then("event_id_now")
        is_one = {"counts_from": pl.col("since_now"), "counts_before": pl.col("until_now")}
        is_none = {"counts_from": pl.col("until_now"), "counts_before": pl.col("again_now")}
        stayed = claims(both, with_event_id=another, numerator=ONE, denominator=ONE, **on_the_eve, **is_one)
        gone = both.filter(pl.col("until_now").is_not_null())
        return {"": pl.concat([stayed, claims(gone, numerator=NOTHING, denominator=ONE, **on_the_eve, **is_none)])}

    def text(self) -> str:
        those = f"those with {words(self.retention.opened_by)} at the start"
        if self.retention.value is None:
            return f"share of {those} who are still there"
        return f"{self.retention.value} of {those}, over what it was then"


def _weighed(windows: pl.DataFrame, then: pl.LazyFrame, now: pl.LazyFrame) -> pl.DataFrame:
    """What those were worth at the end of the day, over what they were worth on the eve."""
    by = ["as_of", "window_start", "key"]
    worth = then.group_by(by).agg(pl.col("level").sum().alias("denominator"))
    worth = worth.join(now.group_by(by).agg(pl.col("level").sum().alias("numerator")), on=by, how="left")
    found = worth.group_by(by[:2]).agg(
        pl.col("numerator").fill_null(0).sum(), pl.col("denominator").sum(), pl.len().cast(pl.Int64).alias("events")
    )
    joined = windows.join(found.collect(), on=by[:2], how="left", maintain_order="left")
    return with_ratio(joined.with_columns(pl.col("numerator", "denominator", "events").fill_null(0)))


def _worth_claims(worths: pl.LazyFrame, spells: pl.LazyFrame) -> Iterator[pl.LazyFrame]:
    """What each subject was worth on the eve, and is worth at the end of the day where its member was one then."""
    is_of_another = pl.col("valued_by").is_not_null() & (pl.col("valued_by") != pl.col("opened_by"))
    said = {
        "event_id": pl.coalesce("valued_by", "opened_by"),
        "with_event_id": pl.when(is_of_another).then("opened_by"),
    }
    on_the_eve = {"starts_after": pl.col("since"), "starts_by": pl.col("until")}
    yield claims(worths, **said, numerator=NOTHING, denominator=pl.col("level"), **on_the_eve)
    both = spells.select("key", "since", "until").join(worths, on="key", suffix="_now")
    is_worth = {"counts_from": pl.col("since_now"), "counts_before": pl.col("until_now")}
    yield claims(both, **said, numerator=pl.col("level"), denominator=NOTHING, **on_the_eve, **is_worth)


class Activity(Declared):
    """What a member may have done, and which column says who did it.

    since: period leaves out what was done before the period, where the days counted (`trailing`) reach behind it.
    """

    of: EventTypes
    where: str | None = None
    by: KeyColumn = "actor"
    since: Literal["ever", "period"] = "ever"

    def events(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """What was done, by somebody who is known (`key`)."""
        events = filtered(context.events(log, self.of), self.where, self.of).with_columns(
            pl.col(keyed(self.by)).alias("key")
        )
        done = events.filter(pl.col("key").is_not_null())
        return done if self.since == "ever" else done.filter(pl.col("day") >= context.begins)


class ParticipationOf(Declared):
    """roster: who could; did: what counts as taking part; members: those at the end of the day, or at the start."""

    roster: Roster
    did: Activity
    members: Literal["end", "start"] = "end"


class Participation(Measured):
    """The part of the members who did something at least once in the window.

    The members are those at the end of the day (or, with `members: start`, at the end of the day before the window).
    What somebody did who is no member does not count. Without members there is no value. events: the members.
    """

    participation: ParticipationOf

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.participation.roster.types, *self.participation.did.of)

    @property
    def remembered(self) -> tuple[str, ...]:
        """Who is a member is what all of the past left open."""
        return self.participation.roster.types

    @property
    def is_of_period(self) -> bool:
        return self.participation.did.since == "period"

    @property
    def kind(self) -> Kind:
        return "share"

    def filters(self) -> Iterator[Filter]:
        did = self.participation.did
        yield from self.participation.roster.filters("participation", "roster")
        if did.where is not None:
            yield ("participation", "did", "where"), did.where, did.of

    def compiled(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        days = self.participation.did.events(log, context).select("key", "day").unique()
        return {"roster": self.participation.roster.spells(log, context), "did": days}

    def valued(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        on: Literal["as_of", "eve"] = "as_of" if self.participation.members == "end" else "eve"
        members = _members(frames["roster"].lazy(), _asked(windows), on).sort("as_of")
        last = members.join_asof(
            frames["did"].lazy().sort("day"),
            left_on="as_of",
            right_on="day",
            by="key",
            strategy="backward",
            check_sortedness=False,
        )
        return _counted(windows, last, (pl.col("day") >= pl.col("window_start")).fill_null(value=False))

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """Each member by its opening, with the first in the window of what it did; or with nothing."""
        active = firsts(self.participation.did.events(log, context), "key").select(
            "key", "starts_after", pl.col("day").alias("did_on"), pl.col("event_id").alias("did")
        )
        # Between two days on which something was done, and after the last, lie windows in which nothing was.
        last = active.group_by("key").agg(pl.col("did_on").max().alias("starts_after"))
        idle = pl.concat([active.drop("did"), last], how="diagonal")
        spells = self.participation.roster.opened_spells(log, context)
        is_at_end = self.participation.members == "end"
        since, until = ("counts_from", "counts_before") if is_at_end else ("starts_after", "starts_by")

        def of(rows: pl.LazyFrame, numerator: pl.Expr, **said: pl.Expr) -> pl.LazyFrame:
            bounds = {"starts_after": pl.col("starts_after"), **said}
            bounds[since] = pl.max_horizontal(bounds.get(since, _UNBOUND), "since")
            bounds[until] = pl.min_horizontal(bounds.get(until, _UNBOUND), "until")
            return claims(rows, numerator=numerator, denominator=ONE, **bounds)

        day = pl.col("did_on")
        took_part = of(spells.join(active, on="key"), ONE, with_event_id=pl.col("did"), counts_from=day, starts_by=day)
        return {"": pl.concat([took_part, of(spells.join(idle, on="key", how="left"), NOTHING, counts_before=day)])}

    def text(self) -> str:
        of, did = self.participation.roster, self.participation.did
        return f"share of those with {words(of.opened_by)} who had {words(did.of)}"
