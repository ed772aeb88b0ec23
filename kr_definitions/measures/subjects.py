"""Measures that follow a subject: from one of its events to another, and the steps that it has taken.

Belongs here: what needs two events of one subject. Does not: counting events (`additive`, `distinct`), what is open
(`levels`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from kr_definitions.measures.base import Bounds, Context, Filter, Frames, Kind, Measured, words
from kr_definitions.measures.claims import NOTHING, ON_ITS_DAY, ONE, asked, claims, decided, firsts, stated
from kr_definitions.measures.selection import (
    Cohorts,
    KeyColumn,
    cohort_filters,
    filtered,
    keyed,
    ranked_money,
    selected,
)
from kr_definitions.measures.series import at_place, divided, with_plain_value, with_ratio, within_windows
from kr_definitions.organisation import Declared
from kr_definitions.periods import Calendar
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes, Number, listed

_MICROSECONDS = {"minutes": 60_000_000, "hours": 3_600_000_000, "days": 86_400_000_000}
_QUANTILES = {"min": 0.0, "median": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "max": 1.0}
_MOST_DAYS = 36_500


def _elapsed(value: Any) -> Any:
    found = re.fullmatch(r"([1-9][0-9]{0,3}) (minute|hour|day)s?", str(value))
    if not found:
        raise ValueError("not a length of time | Write it as in '5 minutes', '4 hours' or '30 days'")
    return timedelta(microseconds=int(found[1]) * _MICROSECONDS[f"{found[2]}s"])


def _length(span: timedelta) -> str:
    """A length of time in the largest unit that it is whole in."""
    for unit in ("days", "hours", "minutes"):
        count, rest = divmod(round(span.total_seconds() * 1_000_000), _MICROSECONDS[unit])
        if not rest:
            break
    return f"{count} {unit if count != 1 else unit[:-1]}"


Elapsed = Annotated[
    timedelta,
    BeforeValidator(_elapsed),
    PlainSerializer(_length, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3} (minute|hour|day)s?$"}),
]


class FromTo(Declared):
    """The events that start and that end something, a filter on each, and whose they are.

    where: over the events that end it; from_where: over those that start it. by: what makes two events belong together;
    `account_id` joins what different systems know of one customer.
    """

    from_: EventTypes = Field(alias="from")
    from_where: str | None = None
    to: EventTypes
    where: str | None = None
    by: KeyColumn = "subject_id"

    def filters(self, name: str) -> Iterator[Filter]:
        """The filters, below the measure of this name."""
        if self.from_where is not None:
            yield (name, "from_where"), self.from_where, self.from_
        if self.where is not None:
            yield (name, "where"), self.where, self.to

    def starts(self, log: pl.LazyFrame, context: Context, among: Cohorts = ()) -> pl.LazyFrame:
        """When each key began, the first time: key, began_at, began_on, and the event that says so (`began`)."""
        return (
            selected(log, self.from_, self.from_where, among, context)
            .filter(pl.col(keyed(self.by)).is_not_null())
            .sort("occurred_at", "event_id")
            .group_by(pl.col(keyed(self.by)).alias("key"), maintain_order=True)
            .agg(
                pl.col("occurred_at").first().alias("began_at"),
                pl.col("day").first().alias("began_on"),
                pl.col("event_id").first().alias("began"),
            )
        )

    def ends(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """Each event that may end something: key, ended_at, ended_on, and which one it is (`ended`)."""
        return filtered(context.events(log, self.to), self.where, self.to).select(
            pl.col(keyed(self.by)).alias("key"),
            pl.col("occurred_at").alias("ended_at"),
            pl.col("day").alias("ended_on"),
            pl.col("event_id").alias("ended"),
        )

    def pairs(self, log: pl.LazyFrame, context: Context, among: Cohorts = ()) -> pl.LazyFrame:
        """Each key that began, with its first end that is not before its beginning (null: it has none)."""
        began = self.starts(log, context, among)
        ended = (
            began.join(self.ends(log, context), on="key")
            .filter(pl.col("ended_at") >= pl.col("began_at"))
            .group_by("key")
            .agg(
                pl.col("ended_at").min(),
                pl.col("ended_on").min(),
                pl.col("ended").sort_by("ended_at", "ended").first(),
            )
        )
        return began.join(ended, on="key", how="left")


class Duration(Measured):
    """A statistic of the elapsed time from a subject's first `from` to its first `to` not before it.

    A subject counts once, in the window that holds the day of that `to`; quantiles interpolate linearly between the
    two nearest values. A window in which no subject got there has no value. Numerator (of a mean, in microseconds) and
    denominator (subjects) are kept. working_hours: only the organisation's working hours on its working days count.
    """

    duration: FromTo
    statistic: Literal["mean", "median", "p75", "p90", "p95", "min", "max"] = "median"
    unit: Literal["minutes", "hours", "days", "working_hours"] = "hours"
    among: Cohorts = ()

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.duration.from_, *self.duration.to)

    @property
    def also_read(self) -> tuple[str, ...]:
        return tuple(name for cohort in self.among for name in cohort.types)

    @property
    def remembered(self) -> tuple[str, ...]:
        """A time may have begun long before the window that it ends in."""
        return (*self.duration.from_, *self.also_read)

    @property
    def is_of_period(self) -> bool:
        return any(cohort.is_of_period for cohort in self.among)

    @property
    def kind(self) -> Kind:
        return "duration"

    def filters(self) -> Iterator[Filter]:
        yield from self.duration.filters("duration")
        yield from cohort_filters(self.among)

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return ranked_money(self.among, log, context)

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """One row a subject: the day of its end and the microseconds that it took."""
        return self._took(log, context).select("day", "microseconds")

    def _took(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The same with the events that ended and that began it, and when it ended (`occurred_at`)."""
        pairs = self.duration.pairs(log, context, self.among).filter(pl.col("ended_at").is_not_null())
        took = (pl.col("ended_at") - pl.col("began_at")).dt.total_microseconds()
        if self.unit == "working_hours":
            pairs = _worked(_worked(pairs, "began_at", context), "ended_at", context)
            took = pl.col("_ended_at") - pl.col("_began_at")
        return pairs.select(
            pl.col("ended").alias("event_id"),
            pl.col("began").alias("with_event_id"),
            pl.col("ended_at").alias("occurred_at"),
            pl.col("ended_on").alias("day"),
            took.alias("microseconds"),
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        held = within_windows(partials, windows)
        found = (self._mean(held) if self.statistic == "mean" else self._placed(held)).collect()
        return windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left").with_columns(
            pl.col("numerator") if self.statistic == "mean" else pl.lit(None, dtype=DECIMAL).alias("numerator"),
            pl.col("events").fill_null(0).cast(DECIMAL).alias("denominator"),
            pl.col("events").fill_null(0),
        )

    @property
    def _unit(self) -> int:
        """How many microseconds the value is counted in."""
        return _MICROSECONDS["hours" if self.unit == "working_hours" else self.unit]

    def _mean(self, held: pl.LazyFrame) -> pl.LazyFrame:
        took = pl.col("microseconds")
        return (
            held.group_by("as_of", "window_start")
            .agg(
                (took.sum() / took.len()).alias("value"),
                took.sum().cast(DECIMAL).alias("numerator"),
                took.len().cast(pl.Int64).alias("events"),
            )
            .with_columns(divided(pl.col("value"), pl.lit(self._unit)))
        )

    def _placed(self, held: pl.LazyFrame) -> pl.LazyFrame:
        numbers = held.rename({"microseconds": "number"})
        return at_place(numbers, _QUANTILES[self.statistic], self._unit)

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        took = self._took(log, context)
        if self.statistic != "mean":  # which of them decide is another matter in each window
            return {"": took.with_columns(pl.col("microseconds").cast(pl.Float64).alias("number"))}
        both = {"with_event_id": pl.col("with_event_id"), "numerator": pl.col("microseconds"), "denominator": ONE}
        return {"": claims(took, **both, **ON_ITS_DAY)}

    def claimed(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        if self.statistic == "mean":
            return super().claimed(frames, windows, context)
        placed = self._placed(within_windows(frames[""].select("day", "microseconds"), asked(windows)))
        return decided(frames[""].drop("microseconds"), placed.collect(), windows)

    def text(self) -> str:
        unit = self.unit.replace("_", " ")
        return f"{self.statistic} {unit} from {words(self.duration.from_)} to {words(self.duration.to)}"


@cache
def _working_days(calendar: Calendar) -> pl.DataFrame:
    """Each day from 2000 on: whether it is worked, and how many worked days there were before it."""
    first = date(2000, 1, 1)
    days = [first + timedelta(days=n) for n in range(_MOST_DAYS)]
    worked = pl.Series("_is_worked", [calendar.is_working_day(day) for day in days])
    return pl.DataFrame({"_day": days}).with_columns(
        worked, (worked.cast(pl.Int64).cum_sum() - worked.cast(pl.Int64)).alias("_worked_before")
    )


def _worked(rows: pl.LazyFrame, column: str, context: Context) -> pl.LazyFrame:
    """Rows with `_<column>`: the microseconds of working time that had passed by an instant, on the office's clock.

    The difference of two is the working time between them. The hour that a change of the clocks adds or takes away
    counts only where somebody works at night.
    """
    opens, closes = (moment.hour * 3_600_000_000 + moment.minute * 60_000_000 for moment in context.working_hours)
    local = pl.col(column).dt.convert_time_zone(context.zone)
    clock = (
        local.dt.hour().cast(pl.Int64) * 3_600_000_000
        + local.dt.minute().cast(pl.Int64) * 60_000_000
        + local.dt.second().cast(pl.Int64) * 1_000_000
        + local.dt.microsecond().cast(pl.Int64)
    )
    today = pl.when(pl.col("_is_worked")).then((clock - opens).clip(0, closes - opens)).otherwise(0)
    return (
        rows.with_columns(local.dt.date().alias("_day"))
        .join(_working_days(context.calendar).lazy(), on="_day", how="left")
        .with_columns((pl.col("_worked_before") * (closes - opens) + today).alias(f"_{column}"))
        .drop("_day", "_is_worked", "_worked_before")
    )


class Conversion(Measured):
    """Of those that began in the window (`from`), the part that got there (`to`) by the end of the day.

    within: only those that got there in so long count, its end included; and one whose time is not over yet, and that
    has not got there, counts in neither part. Without it, who has not got there yet counts as not there. Each key
    begins once, with its first `from`. A window in which nobody began has no value.
    """

    conversion: FromTo
    within: Elapsed | None = None
    among: Cohorts = ()

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.conversion.from_, *self.conversion.to)

    @property
    def also_read(self) -> tuple[str, ...]:
        return tuple(name for cohort in self.among for name in cohort.types)

    @property
    def remembered(self) -> tuple[str, ...]:
        """Somebody begins only once, and may have done so long ago."""
        return (*self.conversion.from_, *self.also_read)

    @property
    def is_of_period(self) -> bool:
        return any(cohort.is_of_period for cohort in self.among)

    @property
    def kind(self) -> Kind:
        return "share"

    def filters(self) -> Iterator[Filter]:
        yield from self.conversion.filters("conversion")
        yield from cohort_filters(self.among)

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return ranked_money(self.among, log, context)

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """How many there are of each: the day of the beginning, the day on which it was got there, on which decided."""
        return (
            self._followed(log, context)
            .group_by("day", "reached_on", "decided_on")
            .agg(pl.len().cast(DECIMAL).alias("subjects"))
        )

    def _followed(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The same of each that began, with the events that say so."""
        pairs = self.conversion.pairs(log, context, self.among)
        reached_on, decided_on = pl.col("ended_on"), pl.lit(None, dtype=pl.Date)
        if self.within is not None:
            is_in_time = pl.col("ended_at") <= pl.col("began_at") + self.within
            limit = (pl.col("began_at") + self.within).dt.convert_time_zone(context.zone).dt.date()
            reached_on = pl.when(is_in_time).then(pl.col("ended_on"))
            decided_on = pl.when(is_in_time).then(pl.col("ended_on")).otherwise(limit)
        return pairs.select(
            pl.col("began_on").alias("day"),
            reached_on.alias("reached_on"),
            decided_on.alias("decided_on"),
            pl.col("began").alias("event_id"),
            pl.col("ended").alias("with_event_id"),
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """Who began: not there from when that is decided, and there, with the event that got there, from when it is."""
        began = self._followed(log, context)
        arrived, since = began.filter(pl.col("reached_on").is_not_null()), pl.col("reached_on")
        decided_on = pl.max_horizontal("day", "decided_on")
        given = {"denominator": ONE, "starts_by": pl.col("day")}
        waits = claims(began, numerator=NOTHING, counts_from=decided_on, counts_before=since, **given)
        is_there = {"with_event_id": pl.col("with_event_id"), "numerator": ONE, "counts_from": since}
        return {"": pl.concat([waits, claims(arrived, **is_there, **given)])}

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        is_decided = pl.col("decided_on").is_null() | (pl.col("decided_on") <= pl.col("as_of"))
        is_reached = pl.col("reached_on") <= pl.col("as_of")
        found = (
            within_windows(partials, windows)
            .group_by("as_of", "window_start")
            .agg(
                pl.col("subjects").filter(is_decided & is_reached).sum().alias("numerator"),
                pl.col("subjects").filter(is_decided).sum().alias("denominator"),
            )
            .collect()
        )
        joined = windows.join(found, on=["as_of", "window_start"], how="left", maintain_order="left")
        return with_ratio(
            joined.with_columns(pl.col("numerator", "denominator").fill_null(0)).with_columns(
                (pl.col("numerator") + pl.col("denominator")).cast(pl.Int64).alias("events")
            )
        )

    def text(self) -> str:
        limit = f" within {_length(self.within)}" if self.within else ""
        return f"share of {words(self.conversion.from_)} that reach {words(self.conversion.to)}{limit}"


class Step(Declared):
    """A step, met by the first event of its types (where: only such) in the window."""

    name: str = Field(min_length=1)
    of: EventTypes
    where: str | None = None
    weight: Annotated[Number, Field(gt=0)] = Decimal(1)


class Steps(Measured):
    """The sum of the weights (1 each, unless given) of the steps that are met. In which order does not matter."""

    steps: Annotated[tuple[Step, ...], BeforeValidator(listed), Field(min_length=1)]

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for step in self.steps for name in step.of))

    @property
    def bounds(self) -> Bounds:
        return Decimal(0), sum((step.weight for step in self.steps), start=Decimal(0))

    @property
    def accumulates(self) -> bool:
        return True

    def filters(self) -> Iterator[Filter]:
        for i, step in enumerate(self.steps):
            if step.where is not None:
                yield ("steps", i, "where"), step.where, step.of

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """One row a step and day on which something met it."""
        return pl.concat(
            [
                filtered(context.events(log, step.of), step.where, step.of)
                .group_by("day")
                .agg(pl.len().cast(pl.Int64).alias("events"))
                .with_columns(pl.lit(i).alias("step"), pl.lit(step.weight, dtype=DECIMAL).alias("weight"))
                for i, step in enumerate(self.steps)
            ]
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        met = (
            within_windows(partials, windows)
            .group_by("as_of", "window_start", "step")
            .agg(pl.col("weight").first(), pl.col("events").sum())
            .group_by("as_of", "window_start")
            .agg(pl.col("weight").sum().alias("numerator"), pl.col("events").sum())
            .collect()
        )
        joined = windows.join(met, on=["as_of", "window_start"], how="left", maintain_order="left")
        return with_plain_value(joined.with_columns(pl.col("numerator", "events").fill_null(0))).with_columns(
            pl.lit(self._weight, dtype=DECIMAL).alias("denominator")
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """The first event in the window that meets each step, and the weights of all steps."""
        met = pl.concat(
            [
                filtered(context.events(log, step.of), step.where, step.of).select(
                    "event_id", "occurred_at", "day", step=pl.lit(i), weight=pl.lit(step.weight, dtype=DECIMAL)
                )
                for i, step in enumerate(self.steps)
            ]
        )
        given = {"numerator": pl.col("weight"), "denominator": NOTHING, "starts_after": pl.col("starts_after")}
        weights = stated(numerator=NOTHING, denominator=pl.lit(self._weight, dtype=DECIMAL))
        return {"": pl.concat([claims(firsts(met, "step"), **given, **ON_ITS_DAY), weights])}

    @property
    def _weight(self) -> Decimal:
        """Of all steps."""
        return sum((step.weight for step in self.steps), start=Decimal(0))

    def text(self) -> str:
        return f"steps met: {', '.join(step.name for step in self.steps)}"
