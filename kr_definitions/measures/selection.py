"""Which events a measure is over: their types, a filter, and who or what they are of (`among`).

Belongs here: narrowing the log to a measure's events; cohorts. Does not: counting them.

A cohort is decided by what had happened before: before each event, or before the key result's period. So what happens
later never changes who was in it on a day that is past.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import BeforeValidator, Field, Tag, model_validator

from kr_definitions.events import CUSTOMER
from kr_definitions.expressions import Expression, predicate
from kr_definitions.measures.base import Context, Filter, Kind, Measured, words
from kr_definitions.organisation import Declared
from kr_definitions.vocabulary import DECIMAL, vocabulary
from kr_definitions.words import EventType, EventTypes, one_of

KeyColumn = Literal["account_id", "actor", "subject_id", "product", "market", "campaign", "system"]
"""A column that says whom or what an event is of."""

_HAD_AT, _SPAN = "_had_first_at", "_had_in"


def keyed(name: str) -> str:
    """The column that tells whom or what a column names: accounts in several systems may be one customer."""
    return CUSTOMER if name == "account_id" else name


class _Before(Declared):
    """An event of this type, with the same `key`, before the event itself or before the key result's period.

    since: period leaves out what happened before the period (lines launched in it, customers won in it); since: month,
    what happened before the event's own month (what is sold of a line in the month of its launch).
    """

    where: str | None = None
    key: KeyColumn = "account_id"
    before: Literal["event", "period"] = "event"
    since: Literal["ever", "period", "month"] = "ever"

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        if self.before == "period" and self.since == "period":
            raise ValueError("before the period and since its beginning: nothing can be both | Keep one of them")
        if self.before == "period" and self.since == "month":
            raise ValueError("before the period and in the month of the event | Keep one of them")
        return self

    @property
    def is_of_period(self) -> bool:
        """Whether where the period begins decides who is in it."""
        return "period" in (self.before, self.since)

    @property
    def _type(self) -> str:
        raise NotImplementedError

    @property
    def types(self) -> tuple[str, ...]:
        return (self._type,)

    def filters(self) -> Iterator[Filter]:
        if self.where is not None:
            yield ("where",), self.where, self.types

    def _fits(self, had: pl.Expr) -> pl.Expr:
        raise NotImplementedError

    def among(self, events: pl.LazyFrame, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The events that fit. One without the key fits neither way."""
        earlier = filtered(log.filter(pl.col("event_type") == self._type), self.where, self.types)
        key = keyed(self.key)
        earlier = earlier.filter(pl.col(key).is_not_null())
        if self.since == "period":
            earlier = earlier.filter(pl.col("day") >= context.begins)
        if self.before == "period":
            keys = earlier.filter(pl.col("day") < context.begins).select(key).unique()
            marked = events.join(keys.with_columns(_had=pl.lit(value=True)), on=key, how="left")
            had = pl.col("_had").fill_null(value=False)
            return marked.filter(pl.col(key).is_not_null() & self._fits(had)).drop("_had")
        span = pl.col("day").dt.month_start() if self.since == "month" else pl.lit(None, dtype=pl.Date)
        keys_and_span = [pl.col(key), span.alias(_SPAN)]
        firsts = earlier.group_by(keys_and_span).agg(pl.col("occurred_at").min().alias(_HAD_AT))
        had = (pl.col(_HAD_AT) < pl.col("occurred_at")).fill_null(value=False)
        marked = events.with_columns(span.alias(_SPAN)).join(firsts, on=[key, _SPAN], how="left", nulls_equal=True)
        return marked.filter(pl.col(key).is_not_null() & self._fits(had)).drop(_HAD_AT, _SPAN)


class Had(_Before):
    """Only events of those that had one of this type before."""

    had: EventType

    @property
    def _type(self) -> str:
        return self.had

    def _fits(self, had: pl.Expr) -> pl.Expr:
        return had

    def text(self) -> str:
        return f"with {self.had} before"


class HadNot(_Before):
    """Only events of those that had none of this type before."""

    had_not: EventType

    @property
    def _type(self) -> str:
        return self.had_not

    def _fits(self, had: pl.Expr) -> pl.Expr:
        return ~had

    def text(self) -> str:
        return f"with no {self.had_not} before"


class Ranking(Declared):
    """What makes one larger than another: the sum of a number, or (without `sum`) the count, of events."""

    of: EventTypes
    sum: Literal["amount", "quantity"] | None = None
    where: str | None = None


class Top(Declared):
    """Only events of the largest N, by a ranking over the span before the key result's period.

    Of those that are equally large, the first by name are in: never more than N.
    """

    top: int = Field(ge=1, le=100_000)
    by: Ranking
    over: Literal["previous_period", "previous_year"]
    key: KeyColumn = "account_id"

    @property
    def types(self) -> tuple[str, ...]:
        return self.by.of

    @property
    def is_of_period(self) -> bool:
        """The largest before the period are compared with themselves: who they are is not asked anew."""
        return False

    def filters(self) -> Iterator[Filter]:
        if self.by.where is not None:
            yield ("by", "where"), self.by.where, self.by.of

    def ranked(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The events that the ranking is over."""
        span = context.span(self.over)
        events = filtered(log.filter(pl.col("event_type").is_in(self.by.of)), self.by.where, self.by.of)
        return events.filter(pl.col("day").is_between(span.first, span.last), pl.col(keyed(self.key)).is_not_null())

    def keys(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The largest N, as one column."""
        size = pl.len().cast(DECIMAL) if self.by.sum is None else pl.col(self.by.sum).fill_null(0).sum()
        return (
            self.ranked(log, context)
            .group_by(keyed(self.key))
            .agg(size.alias("_size"))
            .sort(["_size", keyed(self.key)], descending=[True, False])
            .head(self.top)
            .select(keyed(self.key))
        )

    def among(self, events: pl.LazyFrame, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        return events.join(self.keys(log, context), on=keyed(self.key), how="semi")

    def text(self) -> str:
        return f"of the largest {self.top} by {self.by.sum or 'number'} of {words(self.by.of)}"


Cohort = Annotated[
    Annotated[Had, Tag("had")] | Annotated[HadNot, Tag("had_not")] | Annotated[Top, Tag("top")],
    one_of("cohort", "had", "had_not", "top"),
]


def one_or_several(value: Any) -> Any:
    """One cohort, or a list, as a tuple."""
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, dict) else value


Cohorts = Annotated[tuple[Cohort, ...], BeforeValidator(one_or_several)]


def columns_of(types: tuple[str, ...]) -> Mapping[str, pl.DataType]:
    """What a filter over events of these types may name: what every one of them carries."""
    known = [vocabulary().columns_of(name) for name in types if name in vocabulary().types]
    if not known:
        return {}
    return {name: dtype for name, dtype in known[0].items() if all(name in other for other in known[1:])}


def filter_of(where: str | None, types: tuple[str, ...]) -> Expression | None:
    """The declared filter, checked against the types' columns. Raises `ExpressionError`."""
    return None if where is None else predicate(where, columns_of(types))


def filtered(events: pl.LazyFrame, where: str | None, types: tuple[str, ...]) -> pl.LazyFrame:
    """The events for which a declared filter holds."""
    checked = filter_of(where, types)
    return events if checked is None else events.filter(checked.expr())


class OfCohorts(Measured):
    """What is measured of certain cohorts alone (the field `among`, which each has where it reads best)."""

    @property
    def cohorts(self) -> tuple[Cohort, ...]:
        """What `among` says."""
        raise NotImplementedError

    @property
    def is_of_period(self) -> bool:
        return any(cohort.is_of_period for cohort in self.cohorts)

    @property
    def also_read(self) -> tuple[str, ...]:
        return tuple(name for cohort in self.cohorts for name in cohort.types)

    def filters(self) -> Iterator[Filter]:
        for i, cohort in enumerate(self.cohorts):
            for path, text, types in cohort.filters():
                yield ("among", i, *path), text, types

    def lasting_money(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame | None:
        """The events whose amounts cohorts are ranked by."""
        of_amounts = (cohort for cohort in self.cohorts if isinstance(cohort, Top) and cohort.by.sum == "amount")
        return concatenated([cohort.ranked(log, context) for cohort in of_amounts])


class Selection(OfCohorts):
    """Events of some types, narrowed by a filter (`where`) and by whom or what they are of (`among`)."""

    where: str | None = None
    among: Cohorts = ()

    @property
    def counted(self) -> tuple[str, ...]:
        """The event types that the filter is over."""
        return self.types

    @property
    def cohorts(self) -> tuple[Cohort, ...]:
        return self.among

    def filters(self) -> Iterator[Filter]:
        if self.where is not None:
            yield ("where",), self.where, self.counted
        yield from super().filters()

    def selected(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The events of a log (current events, with `day`) that the measure is over."""
        return selected(log, self.counted, self.where, self.among, context)

    @property
    def narrowed(self) -> str:
        """The filter and the cohorts, in words."""
        texts = [f" where {self.where}"] if self.where else []
        return "".join([*texts, *(f", {cohort.text()}" for cohort in self.among)])


class OfNumber(Selection):
    """Events of some types, for a number that they carry."""

    of: EventTypes

    @property
    def types(self) -> tuple[str, ...]:
        return self.of

    @property
    def number(self) -> str:
        """The column."""
        raise NotImplementedError

    @property
    def kind(self) -> Kind:
        return "money" if self.number == "amount" else "number"

    def numbers(self, log: pl.LazyFrame, context: Context) -> pl.LazyFrame:
        """The events that carry the number."""
        return self.selected(log, context).filter(pl.col(self.number).is_not_null())


def selected(
    log: pl.LazyFrame, types: tuple[str, ...], where: str | None, among: tuple[Cohort, ...], context: Context
) -> pl.LazyFrame:
    """The events of some types that a filter and cohorts leave."""
    events = filtered(context.events(log, types), where, types)
    for cohort in among:
        events = cohort.among(events, log, context)
    return events


def concatenated(frames: Iterable[pl.LazyFrame | None]) -> pl.LazyFrame | None:
    """Those that there are, one after the other; None where there is none."""
    found = [frame for frame in frames if frame is not None]
    return pl.concat(found) if found else None
