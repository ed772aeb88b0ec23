"""Levels: what a day ends with. The last figures observed, how much they gained, and what is open.

Belongs here: values that one day hands to the next. Does not: what happens within a window (`additive`, `conversion`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import polars as pl

from kr_definitions.measures.base import Bounds, Context, Filter, Kind, Measured, of_sum, words
from kr_definitions.measures.claims import ON_ITS_DAY, claims
from kr_definitions.measures.selection import KeyColumn, OfNumber, concatenated, filtered, keyed
from kr_definitions.measures.series import window_sums, with_plain_value
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL
from kr_definitions.words import EventTypes, NumberColumn

_NOBODY = "\x1fnobody"
"""Whose a subject is whose opening does not say."""


class _Observed(OfNumber):
    """What the subjects show, each when it is observed."""

    def is_unobserved(self) -> pl.Expr:
        return pl.col("numerator").is_null()

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        ranked = super().lasting_money(log, context)
        return concatenated([ranked, self.selected(log, context) if self.number == "amount" else None])

    def _moves(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """By subject and day that it was observed on: its first and last figure, and the one before (null: none).

        And which events those are, the day before that it was observed on, and the day after.
        """
        return (
            self.numbers(log, context)
            .sort("occurred_at", self.number, "event_id")
            .group_by("subject_id", "day", maintain_order=True)
            .agg(
                pl.col(self.number).first().alias("first"),
                pl.col(self.number).last().alias("level"),
                pl.len().cast(pl.Int64).alias("observations"),
                pl.col("event_id").first().alias("first_event"),
                pl.col("event_id").last().alias("level_event"),
            )
            .sort("subject_id", "day")
            .with_columns(
                pl.col(of).shift(by).over("subject_id", order_by="day").alias(name)
                for name, of, by in (
                    ("before", "level", 1),
                    ("before_event", "level_event", 1),
                    ("day_before", "day", 1),
                    ("day_after", "day", -1),
                )
            )
        )


class Level(_Observed):
    """The last figure observed by the end of the day, summed over the subjects; null while none was observed.

    The value is a level; it does not depend on the window's first day.
    """

    level: NumberColumn

    @property
    def number(self) -> str:
        return self.level

    @property
    def bounds(self) -> Bounds:
        return of_sum(self.level)

    @property
    def remembered(self) -> tuple[str, ...]:
        """A level is what was observed last, however long ago."""
        return (*self.of, *self.also_read)

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """By how much the level moved on each day, and how many subjects were first observed."""
        return (
            self._moves(log, context)
            .group_by("day")
            .agg(
                (pl.col("level") - pl.col("before").fill_null(0)).sum().alias("numerator"),
                pl.col("before").is_null().sum().cast(pl.Int64).alias("events"),
            )
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        found = _since_ever(partials, windows)
        is_observed = pl.col("events") > 0
        return found.with_columns(
            pl.when(is_observed).then(pl.col(name)).alias(name) for name in ("value", "numerator")
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """Each observation until the next."""
        levels = self._moves(log, context)
        until = {"counts_from": pl.col("day"), "counts_before": pl.col("day_after")}
        return {"": claims(levels, event_id=pl.col("level_event"), numerator=pl.col("level"), **until)}

    def text(self) -> str:
        return f"last {self.level} of {words(self.of)}{self.narrowed}"


class Gain(_Observed):
    """How much the figures observed have risen in the window, summed over the subjects.

    A subject's first observation is where its own gain begins. Not interpolated: a day without an observation adds
    nothing, and the next observation adds all that came since.
    """

    gain: NumberColumn

    @property
    def number(self) -> str:
        return self.gain

    @property
    def accumulates(self) -> bool:
        return True

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return (
            self._moves(log, context)
            .group_by("day")
            .agg(
                (pl.col("level") - pl.col("before").fill_null(pl.col("first"))).sum().alias("numerator"),
                pl.col("observations").sum().alias("events"),
            )
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        found = with_plain_value(window_sums(partials, windows, ["numerator", "events"]))
        first = partials.get_column("day").min()
        is_observed = pl.lit(value=False) if first is None else pl.col("as_of") >= pl.lit(first, dtype=pl.Date)
        return found.with_columns(
            pl.when(is_observed).then(pl.col(name)).alias(name) for name in ("value", "numerator")
        )

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """The last observation in the window, less the last one before it (or the first one of all)."""
        moves = self._moves(log, context)
        last = claims(
            moves,
            event_id=pl.col("level_event"),
            numerator=pl.col("level"),
            counts_before=pl.col("day_after"),
            **ON_ITS_DAY,
        )
        base = claims(
            moves,
            event_id=pl.coalesce("before_event", "first_event"),
            numerator=-pl.coalesce("before", "first"),
            starts_after=pl.col("day_before"),
            **ON_ITS_DAY,
        )
        return {"": pl.concat([last, base])}

    def text(self) -> str:
        return f"gain in {self.gain} of {words(self.of)}{self.narrowed}"


class Transitions(Declared):
    """What opens a subject (where: only such), what closes it (closed_where: only such), and what says its value."""

    opened_by: EventTypes
    closed_by: EventTypes
    where: str | None = None
    closed_where: str | None = None
    value: Literal["amount", "quantity"] | None = None
    valued_by: EventTypes | None = None


class Open(Measured):
    """How many subjects are open at the end of the day: those whose last opening or closing event opened them.

    value: their sum of a number instead, each as its last opening or `valued_by` event that carries it says. Two at one
    instant: the closing one holds. The value is a level; it does not depend on the window's first day.
    """

    open: Transitions

    @property
    def types(self) -> tuple[str, ...]:
        return (*self.open.opened_by, *self.open.closed_by, *(self.open.valued_by or ()))

    @property
    def remembered(self) -> tuple[str, ...]:
        """A level is what all of the past left open."""
        return self.types

    @property
    def kind(self) -> Kind:
        return {"amount": "money", "quantity": "number", None: "count"}[self.open.value]  # type: ignore[return-value]

    @property
    def bounds(self) -> Bounds:
        return super().bounds if self.open.value is None else of_sum(self.open.value)

    def filters(self) -> Iterator[Filter]:
        if self.open.where is not None:
            yield ("open", "where"), self.open.where, self.open.opened_by
        if self.open.closed_where is not None:
            yield ("open", "closed_where"), self.open.closed_where, self.open.closed_by

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        if self.open.value != "amount":
            return None
        opened = filtered(context.events(log, self.open.opened_by), self.open.where, self.open.opened_by)
        return concatenated([opened, context.events(log, self.open.valued_by) if self.open.valued_by else None])

    def added(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        return self.lasting_money(log, context)

    def partials(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """By how much the level moved on each day."""
        return (
            transitions(log, context, self.open)
            .group_by("day")
            .agg(pl.col("moved").sum().alias("numerator"), pl.col("events").sum())
        )

    def series(self, partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
        return _since_ever(partials, windows)

    def claims(self, log: pl.LazyFrame, context: Context) -> dict[str, pl.LazyFrame]:
        """What stands open at the end of each day, until the subject's next: by its opening, or what said its value."""
        is_of_another = pl.col("valued_by").is_not_null() & (pl.col("valued_by") != pl.col("opened_by"))
        return {
            "": claims(
                standing(log, context, self.open),
                event_id=pl.coalesce("valued_by", "opened_by"),
                with_event_id=pl.when(is_of_another).then("opened_by"),
                numerator=pl.col("level"),
                counts_from=pl.col("day"),
                counts_before=pl.col("day_after"),
            )
        }

    def text(self) -> str:
        what = f"{self.open.value} of " if self.open.value else ""
        opened, closed = words(self.open.opened_by), words(self.open.closed_by)
        filtered_by = f" where {self.open.where}" if self.open.where else ""
        return f"{what}subjects opened by {opened}{filtered_by} and not closed by {closed}"


def transitions(
    log: pl.LazyFrame, context: Context, between: Transitions, key: KeyColumn = "subject_id"
) -> pl.LazyFrame:
    """By how much each event moved a level (`moved`), on which `day`, and whose (`key`); events: 1 for each event.

    key: whose level it is, as the opening that holds says: a subject that is opened anew by somebody else moves from
    the one to the other, and one that is opened anew without saying by whom is nobody's.
    """
    followed = _followed(log, context, between, key).with_columns(
        pl.col(of).shift(1).over("subject_id", order_by="_order").alias(f"{of}_before") for of in ("level", "key")
    )
    arrived = followed.select("day", "key", pl.col("level").alias("moved"), events=pl.lit(1, dtype=pl.Int64))
    left = followed.filter(pl.col("level_before").is_not_null()).select(
        "day", pl.col("key_before").alias("key"), (-pl.col("level_before")).alias("moved"),
        events=pl.lit(0, dtype=pl.Int64),
    )  # fmt: skip
    return pl.concat([arrived, left])


def standing(log: pl.LazyFrame, context: Context, between: Transitions, key: KeyColumn = "subject_id") -> pl.LazyFrame:
    """What a day left open, a row a subject: whose (`key`), its `level`, which event `opened_by` and `valued_by`.

    It stands until `day_after`, the subject's next day with an event.
    """
    return (
        _followed(log, context, between, key)
        .group_by("subject_id", "day")
        .agg(pl.all().last())
        .with_columns(pl.col("day").shift(-1).over("subject_id", order_by="day").alias("day_after"))
        .filter("is_open")
    )


def _followed(log: pl.LazyFrame, context: Context, between: Transitions, key: KeyColumn) -> pl.LazyFrame:
    """What each event left: whether its subject is open (`is_open`), whose (`key`) and with which `level`.

    opened_by, valued_by: the events that say so.
    """
    number = pl.lit(1, dtype=DECIMAL) if between.value is None else pl.col(between.value)
    nobody, nothing = pl.lit(None, dtype=pl.String), pl.lit(None, dtype=DECIMAL)
    opened = filtered(context.events(log, between.opened_by), between.where, between.opened_by)
    states = [
        opened.with_columns(_is_open=pl.lit(1), _number=number, _key=pl.col(keyed(key)).fill_null(_NOBODY)),
        filtered(context.events(log, between.closed_by), between.closed_where, between.closed_by).with_columns(
            _is_open=pl.lit(0), _number=nothing, _key=nobody
        ),
    ]
    if between.valued_by:
        told = context.events(log, between.valued_by).join(opened, on="event_id", how="anti")
        states.append(told.with_columns(_is_open=pl.lit(None, dtype=pl.Int32), _number=number, _key=nobody))

    def last(of: str | pl.Expr) -> pl.Expr:
        """The last one so far that was said of the subject."""
        said = pl.col(of) if isinstance(of, str) else of
        return said.forward_fill().over("subject_id", order_by="_order")

    columns = ["event_id", "subject_id", "occurred_at", "day", "_is_open", "_number", "_key"]
    return (
        pl.concat([state.select(columns) for state in states])
        .sort("occurred_at", "_is_open", "event_id", descending=[False, True, False], nulls_last=False)
        .with_row_index("_order")
        .select(
            "subject_id",
            "day",
            "_order",
            (last("_is_open") == 1).fill_null(value=False).alias("is_open"),
            (last("_is_open").fill_null(0).cast(DECIMAL) * last("_number").fill_null(0)).alias("level"),
            last("_key").replace(_NOBODY, None).alias("key"),
            last(pl.when(pl.col("_is_open") == 1).then("event_id")).alias("opened_by"),
            last(pl.when(pl.col("_number").is_not_null()).then("event_id")).alias("valued_by"),
        )
    )


def _since_ever(partials: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """The sum of all days up to each asked one."""
    everything = windows.with_columns(pl.lit(None, dtype=pl.Date).alias("window_start"))
    return with_plain_value(window_sums(partials, everything, ["numerator", "events"])).with_columns(
        windows.get_column("window_start")
    )
