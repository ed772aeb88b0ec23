"""What every measure is: a frozen model with a compilation in two phases.

Belongs here: the interface of measures, and the door through which they see events. Does not: any single measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Literal

import polars as pl

from kr_definitions.measures.claims import held
from kr_definitions.organisation import Declared
from kr_definitions.periods import Calendar, Span, previous_span, same_span_last_year
from kr_definitions.vocabulary import vocabulary

Kind = Literal["count", "money", "number", "share", "ratio", "duration"]
"""What a value is: a number of things, money, another number, a part of a whole (0 to 1), one thing over another of its
kind, or elapsed time."""

Bounds = tuple[Decimal | None, Decimal | None]
"""The least and the most that a value can be; None where nothing limits it."""

_BOUNDS: Mapping[Kind, Bounds] = {
    "count": (Decimal(0), None),
    "share": (Decimal(0), Decimal(1)),
    "duration": (Decimal(0), None),
}

Filter = tuple[tuple[int | str, ...], str, tuple[str, ...]]
"""A declared filter: its place below the measure, its text, and the event types that it is over."""

Frames = Mapping[str, pl.DataFrame]
"""The collected partials of a measure, by the names that `compiled` gave them."""


@dataclass(frozen=True)
class Context:
    """What a measure is compiled for.

    period: the key result's; `over: previous_period` is relative to it. member: of an `each`, the dimension and its
    member; only events with that value are seen. compared: the span that the period is compared with, where it is that
    span's figure that is measured.
    """

    period: Span
    zone: str
    calendar: Calendar
    working_hours: tuple[time, time] = (time(9), time(18))
    member: tuple[str, str] | None = None
    folder: Path | None = None  # where the organisation's declarations are, and its functions
    compared: Span | None = None

    @property
    def begins(self) -> date:
        """What `before: period` and `since: period` are relative to: the first day of what is measured."""
        return (self.compared or self.period).first

    def events(self, log: pl.LazyFrame, types: tuple[str, ...]) -> pl.LazyFrame:
        """The events of these types that the measure may see, of a log of current events with `day`."""
        found = log.filter(pl.col("event_type").is_in(types))
        if self.member is None:
            return found
        dimension, value = self.member
        return found.filter(pl.col(dimension) == value)

    def of(self, member: tuple[str, str] | None) -> Context:
        """The same for one member of a dimension."""
        return replace(self, member=member)

    def span(self, name: Literal["previous_period", "previous_year"]) -> Span:
        """The span before the period that a declaration names."""
        return previous_span(self.period) if name == "previous_period" else same_span_last_year(self.period)

    def eve(self) -> date:
        """The last day before the period."""
        return date.fromordinal(self.period.first.toordinal() - 1)


class Measured(Declared):
    """A measure. What most of them are made of is one frame of partials: `partials` and `series`."""

    @property
    def types(self) -> tuple[str, ...]:
        """The event types whose events make up the value."""
        raise NotImplementedError

    @property
    def also_read(self) -> tuple[str, ...]:
        """Other event types that the value depends on, all of their past included: what an account had done before."""
        return ()

    @property
    def remembered(self) -> tuple[str, ...]:
        """Event types of which everything up to a day counts, whatever the window of its value."""
        return self.also_read

    @property
    def is_of_period(self) -> bool:
        """Whether where the period begins decides whom it is of (`before: period`, `since: period`)."""
        return False

    @property
    def reads_amounts(self) -> bool:
        """Whether it depends on amounts, as it names them, and so on the rates that convert them."""
        return "amount" in self.model_dump_json()

    def is_unobserved(self) -> pl.Expr:
        """Of its series: where what the value depends on was never observed, so that it is not known."""
        return pl.lit(value=False)

    @property
    def kind(self) -> Kind:
        """What the value is."""
        return "count"

    @property
    def bounds(self) -> Bounds:
        """Between which ends the value lies, whatever happens."""
        return _BOUNDS.get(self.kind, (None, None))

    @property
    def accumulates(self) -> bool:
        """Whether the value starts from nothing with each window and grows by activity."""
        return False

    def filters(self) -> Iterator[Filter]:
        """Every declared filter."""
        return iter(())

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The heavy phase, lazy: current events (with `day`, the local day) to rows by `day` that can be merged."""
        raise NotImplementedError

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        """The light phase: windows with `numerator`, `denominator`, `value` and `events`, in the same order."""
        raise NotImplementedError

    def money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        """The events whose amounts are added or compared in the windows that hold their `day`; None where none are."""
        return None

    def added(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        """The events whose amounts are added; one without an amount counts as nothing. None: no amounts are."""
        return None

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        """The events whose amounts make a difference in every window from their `day` on; None where none do."""
        return None

    def compiled(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """The heavy phase of all that the measure is made of."""
        return {"": self.partials(log, context)}

    def valued(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The light phase of all that the measure is made of."""
        return self.series(frames[""], windows)

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """The heavy phase of an explanation: the events that make up the values, as claims (`measures.claims`)."""
        raise NotImplementedError

    def claimed(self, frames: Frames, windows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The light phase: what each event gives to the values of which days (`HELD_SCHEMA`); it adds up to them.

        windows: `as_of`, `window_start` and `until` (the last day counted), in the order of days.
        """
        return held(frames[""], windows)

    def text(self) -> str:
        """The measure in one line."""
        raise NotImplementedError


def of_sum(column: str) -> Bounds:
    """What limits a sum of a column: it is not below nothing where no number is."""
    least = vocabulary().domain_of(column).least
    return (Decimal(0) if least is not None and least >= 0 else None), None


def words(types: tuple[str, ...]) -> str:
    """Event types in a sentence."""
    return " or ".join(types)
