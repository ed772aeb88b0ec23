"""Exchange rates: amounts in other currencies become the organisation's own, by the rate of the day they happened.

Belongs here: which rate holds on a day, the exact conversion, and where none holds. Does not: what a figure is without
one (`figures`), who publishes rates (`pipelines`), telling of them (`assets`).

The rate of a day (on the organisation's clock) is the last one of that day; where none is of it (a weekend, a holiday),
the last one before it, if it is no older than the organisation allows and everything since has been read. A rate of the
pair itself holds, either way round (of two that are equally new, the one from the amount's currency); else two rates
that meet in the currency that the organisation names. Where two sources that count say different rates of one day,
none holds.

An amount is multiplied and divided as whole numbers of its millionths and rounded once, at the end, to six decimals,
half away from zero: the same on any machine, and the converted amounts of events add up to the figures exactly. What it
was in its own currency stays in the log, and `currency` stays the one that it was stated in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import gcd
from typing import Literal

import polars as pl

from kr_definitions import shapes
from kr_definitions.coverage import Coverage
from kr_definitions.events import RATE, RETRACTED, UNCONVERTED, current
from kr_definitions.organisation import Organisation
from kr_definitions.vocabulary import DECIMAL

_SCALE = 10**6
_ROOM = 2**126

# By currency and day (on the organisation's clock): how amounts are converted, or why they are not.
CONVERSIONS_SCHEMA: Mapping[str, pl.DataType] = {
    "currency": pl.String(),
    "day": pl.Date(),
    "times": pl.Int128(),  # an amount is multiplied by this whole number and divided by the other; null: no rate holds
    "over": pl.Int128(),
    "most": pl.Int128(),  # of how many millionths an amount can be for the product to have room
    "rate": pl.String(),  # the rates and their days, as they were observed: 1 USD = 4012.35 COP (2026-03-02)
    "rate_ids": pl.List(pl.String()),  # the events that state them
    "lacks": pl.String(),  # why none holds: missing, too_old, not_read or contradictory
}

# Which event's amount is converted by which rate: a row each.
USED_SCHEMA: Mapping[str, pl.DataType] = {"event_id": pl.String(), "rate_id": pl.String()}

Lack = Literal["missing", "too_old", "not_read", "contradictory"]
_LEAST_TELLING: Mapping[Lack, int] = {"missing": 0, "too_old": 1, "not_read": 2, "contradictory": 3}


@dataclass(frozen=True, slots=True)
class _Observed:
    """A rate as it was observed: of which pair and day, in millionths; None where sources contradict each other."""

    pair: tuple[str, str]
    day: date
    millionths: int | None
    event_id: str

    def __str__(self) -> str:
        """The rate and its day."""
        one, other = self.pair
        return f"1 {one} = {Decimal(self.millionths or 0).scaleb(-6).normalize():f} {other} ({self.day})"


@dataclass(frozen=True, slots=True)
class _Step:
    """A rate as it is used: multiplied by, or (of the pair the other way round) divided by."""

    observed: _Observed
    is_inverse: bool

    @property
    def fraction(self) -> tuple[int, int]:
        assert self.observed.millionths is not None
        return (_SCALE, self.observed.millionths) if self.is_inverse else (self.observed.millionths, _SCALE)


class _InForce:
    """Which rate holds on a day."""

    def __init__(self, observed: pl.DataFrame, organisation: Organisation, known: Coverage) -> None:
        self._organisation, self._known = organisation, known
        found: dict[tuple[str, str], list[_Observed]] = defaultdict(list)
        for one, other, day, rate, event_id, is_one in observed.iter_rows():
            millionths = int(rate.scaleb(6)) if is_one else None
            found[one, other].append(_Observed((one, other), day, millionths, event_id))
        self._of: Mapping[tuple[str, str], list[_Observed]] = found

    def steps(self, currency: str, day: date) -> tuple[_Step, ...] | Lack:
        """How an amount becomes the organisation's own; or why it does not."""
        own, through = self._organisation.currency, self._organisation.rates.through
        straight = self._step(currency, own, day)
        if isinstance(straight, _Step) or through in (currency, own):
            return (straight,) if isinstance(straight, _Step) else straight
        both = self._step(currency, through, day), self._step(through, own, day)
        steps = tuple(one for one in both if isinstance(one, _Step))
        if len(steps) == len(both):
            return steps
        lacks = [one for one in (straight, *both) if not isinstance(one, _Step)]
        return max(lacks, key=lambda lack: _LEAST_TELLING[lack])

    def _step(self, one: str, other: str, day: date) -> _Step | Lack:
        found = [
            _Step(last, is_inverse)
            for pair, is_inverse in (((one, other), False), ((other, one), True))
            if (last := self._last(pair, day)) is not None
        ]
        if not found:
            return "missing"
        newest = max(found, key=lambda step: (step.observed.day, not step.is_inverse))
        since = newest.observed.day
        if since < day - timedelta(days=self._organisation.rates.at_most_days):
            return "too_old"
        if self._known.of((RATE,), since, day) != "known":
            return "not_read"
        return newest if newest.observed.millionths else "contradictory"

    def _last(self, pair: tuple[str, str], day: date) -> _Observed | None:
        of_pair = self._of.get(pair, [])
        place = bisect_right(of_pair, day, key=lambda one: one.day)
        return of_pair[place - 1] if place else None


def conversions(log: pl.LazyFrame, types: Collection[str], organisation: Organisation, known: Coverage) -> pl.DataFrame:
    """How the amounts of events of these types in other currencies are converted: `CONVERSIONS_SCHEMA`, ordered.

    log: `EVENT_SCHEMA`, retractions included. known: what has been read of rates. A row for each currency and day that
    there are amounts of; none where all are the organisation's own.
    """
    asked = (
        log.filter(pl.col("event_type").is_in(sorted(types)), _is_foreign(organisation))
        .select("currency", _day(organisation))
        .unique()
        .sort("currency", "day")
        .collect()
    )
    if asked.is_empty():
        return shapes.empty(CONVERSIONS_SCHEMA)
    in_force = _InForce(_observed(log, organisation), organisation, known)
    rows = [(currency, day, *_conversion(in_force.steps(currency, day))) for currency, day in asked.iter_rows()]
    return pl.DataFrame(rows, schema=dict(CONVERSIONS_SCHEMA), orient="row")


def _is_foreign(organisation: Organisation) -> pl.Expr:
    return pl.col("amount").is_not_null() & (pl.col("currency") != organisation.currency)


def _day(organisation: Organisation) -> pl.Expr:
    return pl.col("occurred_at").dt.convert_time_zone(organisation.zone).dt.date().alias("day")


def _observed(log: pl.LazyFrame, organisation: Organisation) -> pl.DataFrame:
    """The last rate of each pair and day, in the order of days. is_one: all sources that count say the same."""
    of_rates = current(log.filter(pl.col("event_type").is_in([RATE, RETRACTED])))
    counts = pl.col("source").is_in(organisation.rates.sources) if organisation.rates.sources else pl.lit(value=True)
    pair = ["from_currency", "to_currency", "day"]
    return (
        of_rates.filter(counts, pl.col("quantity") > 0, pl.col("from_currency") != pl.col("to_currency"))
        .with_columns(_day(organisation))
        .sort("occurred_at", "event_id")
        .group_by(*pair, "source")
        .agg(pl.col("quantity", "event_id").last())
        .group_by(pair)
        .agg(
            pl.col("quantity").sort_by("source").first(),
            pl.col("event_id").sort_by("source").first(),
            is_one=pl.col("quantity").n_unique() == 1,
        )
        .sort(pair)
        .collect()
    )


def _conversion(
    steps: tuple[_Step, ...] | Lack,
) -> tuple[int | None, int | None, int | None, str | None, list[str], str | None]:
    if isinstance(steps, str):
        return None, None, None, None, [], steps
    times, over = 1, 1
    for step in steps:
        by, below = step.fraction
        times, over = times * by, over * below
    common = gcd(times, over)
    times, over = times // common, over // common
    most = max(0, (_ROOM - over) // (2 * times))
    told = "; ".join(str(step.observed) for step in steps)
    return times, over, most, told, [step.observed.event_id for step in steps], None


def converted(events: pl.LazyFrame, found: pl.DataFrame, organisation: Organisation) -> pl.LazyFrame:
    """Events (with `day`) with their amounts in the organisation's currency, and `is_unconverted` where no rate holds.

    found: `conversions` of them. An amount that cannot be converted stays as it is.
    """
    if found.is_empty():
        return events.with_columns(pl.lit(value=False).alias(UNCONVERTED))
    is_foreign = _is_foreign(organisation)
    amount = pl.col("amount").to_physical()
    has_room = (amount.abs() <= pl.col("_most")).fill_null(value=False)
    by = found.lazy().select("currency", "day", _times="times", _over="over", _most="most")
    return (
        events.join(by, on=["currency", "day"], how="left")
        .with_columns(
            pl.when(is_foreign & has_room).then(_exactly(amount)).otherwise(pl.col("amount")).alias("amount"),
            (is_foreign & ~has_room).fill_null(value=False).alias(UNCONVERTED),
        )
        .drop("_times", "_over", "_most")
    )


def _exactly(amount: pl.Expr) -> pl.Expr:
    """Millionths times `_times` over `_over`, rounded half away from zero, as a decimal."""
    size = (2 * amount.abs() * pl.col("_times") + pl.col("_over")) // (2 * pl.col("_over"))
    sign = pl.when(amount < 0).then(pl.lit(-1, pl.Int128)).otherwise(pl.lit(1, pl.Int128))
    millionths = (sign * (size % _SCALE)).cast(DECIMAL) * pl.lit(Decimal("0.000001"), DECIMAL)
    return (sign * (size // _SCALE)).cast(DECIMAL) + millionths


def with_rates(events: pl.LazyFrame, found: pl.DataFrame, organisation: Organisation) -> pl.LazyFrame:
    """Events with the `rate` that their amounts are converted by, as text. found: their `conversions`."""
    by = found.lazy().select("currency", "day", "rate")
    rated = events.with_columns(_day(organisation)).join(by, on=["currency", "day"], how="left").drop("day")
    return rated.with_columns(pl.when(_is_foreign(organisation)).then(pl.col("rate")).alias("rate"))


def used(log: pl.LazyFrame, found: pl.DataFrame, organisation: Organisation) -> pl.LazyFrame:
    """By which rates the amounts of a log (`EVENT_SCHEMA`) are converted: `USED_SCHEMA`. found: their `conversions`."""
    by = found.lazy().explode("rate_ids").select("currency", "day", rate_id="rate_ids").drop_nulls("rate_id")
    amounts = log.filter(_is_foreign(organisation)).select("event_id", "currency", _day(organisation))
    return amounts.join(by, on=["currency", "day"]).select(USED_SCHEMA.keys())
