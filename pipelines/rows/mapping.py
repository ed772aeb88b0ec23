"""Rows as facts, as the declaration says: pure, vectorised, and every row that cannot be understood told.

Belongs here: what a row says, and which of several rows of one thing speaks for it. Does not: where rows come from
(`pipelines.files`, `pipelines.sql`), how rows of one thing follow each other (`states`), or how one cell is read
(`cells`).

A row that cannot be understood is set aside as a whole; of a thing that has several rows, the others go on speaking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from kr_definitions.events import FACT_SCHEMA, RATE
from kr_definitions.vocabulary import DTYPES, UTC_MICROSECONDS
from pipelines.plausibility import EARLIEST
from pipelines.rows import cells, states
from pipelines.rows.declaration import EventRule, Moment, RowStream
from pipelines.rows.records import CHANGED, KEY, PLACE, PROBLEM
from pipelines.rows.states import GROUP, RISE, SPEAKER

AT = "at"

MOST_RISES = 1_000
"""A running count above that is no count of times that something happened."""

CURRENCY = "^[A-Z]{3}$"
"""What a currency's code looks like."""

_FIGURES = ("amount", "currency", "quantity")


@dataclass(frozen=True)
class Mapping:
    """The understanding half of a stream.

    table: where rows are that have no other place than their key.
    """

    stream: RowStream
    zone: str
    table: str | None = None

    def facts(self, records: pl.LazyFrame) -> pl.LazyFrame:
        """From records (`record_key`, `row`, `place`, `problem`) to facts."""
        read = self.read(
            records.select(
                pl.col("record_key").alias(KEY),
                pl.col("place").alias(PLACE),
                pl.col("problem").alias(PROBLEM),
                *(pl.col("row").struct.field(name).alias(name) for name in self.stream.used),
            )
        )
        rows = states.grouped(_sound(read))
        if self.stream.history is not None and self.stream.states is not None:
            rows = states.filled(states.in_order(rows, self.stream), self.stream.history, self.stream.states.then)
        told = self.told(rows)
        sound = _sound(told)
        if self.stream.states is not None:
            sound = states.without_ended(states.in_order(sound, self.stream), self.stream)
        stated = [self._events(sound, index, rule) for index, rule in enumerate(self.stream.events)]
        return pl.concat([*stated, self._strange(read), self._strange(told)], how="diagonal")

    def understood(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows of text (and what was wrong with them already, in `PROBLEM`) with what they say, each by itself."""
        return self.told(self.read(rows))

    def read(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows of text with what their cells say, and when each became what its thing is."""
        read = {
            name: cells.cell(name, column, self.stream.cells, column.zone or self.zone)
            for name, column in self.stream.columns.items()
        }
        flags = {}
        if self.stream.versions is not None and self.stream.versions.deleted is not None:
            flag = self.stream.versions.deleted
            flags = {cells.flag_name(flag): cells.flag(flag)}
        problems = [problem for _, problem in {**read, **flags}.values()]
        problems += [cells.beyond_precision(name, read[name][0], self.stream.cells) for name in self._rates()]
        rows = rows.with_columns(
            *(value.alias(name) for name, (value, _) in {**read, **flags}.items()),
            _first([pl.col(PROBLEM), *problems]).alias(PROBLEM),
        )
        changed, unordered = self._moment(self.stream.revision)
        return rows.with_columns(changed.alias(CHANGED), _first([pl.col(PROBLEM), unordered]).alias(PROBLEM))

    def _rates(self) -> set[str]:
        """Columns that are an exchange rate: rounded, it would change every amount; the other way round it may fit."""
        rules = (rule for rule in self.stream.events if rule.type == RATE)
        return {rule.quantity for rule in rules if rule.quantity in self.stream.columns}

    def told(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows whose cells were read, with what they say of events, and whether they are what is expected of them."""
        for index, rule in enumerate(self.stream.events):
            rows = self._said(rows, index, rule)
        return rows.with_columns(_first([pl.col(PROBLEM), *self._unmet()]).alias(PROBLEM))

    def latest(self, until: datetime) -> pl.Expr:
        """The last moment that understood rows tell of; one in the future tells nothing of how far they reach."""
        told = [pl.col(CHANGED)]
        for index, rule in enumerate(self.stream.events):
            if rule.at is not None:
                told.append(pl.when(pl.col(_of(index, "when"))).then(pl.col(_of(index, AT))))
        past = [pl.when((at <= until) & pl.col(PROBLEM).is_null()).then(at) for at in told]
        return pl.max_horizontal(past).max()

    # What a row says

    def _said(self, rows: pl.LazyFrame, index: int, rule: EventRule) -> pl.LazyFrame:
        applies = pl.lit(value=True) if rule.condition is None else self.stream.condition(rule.condition).expr()
        at, untimely = self._moment(rule.at)
        values = {
            column: self.stream.value(text).expr().alias(_of(index, column)) for column, text in rule.texts.items()
        }
        rows = rows.with_columns(
            applies.fill_null(value=False).alias(_of(index, "when")), at.alias(_of(index, AT)), *values.values()
        )
        problems = [*([untimely] if rule.at is not None else []), *self._lacking(index, rule)]
        wrong = pl.when(pl.col(_of(index, "when"))).then(_first(problems))
        return rows.with_columns(_first([pl.col(PROBLEM), wrong]).alias(PROBLEM))

    def _lacking(self, index: int, rule: EventRule) -> Iterator[pl.Expr]:
        """What an event cannot do without and a row does not say."""
        if rule.at is not None:
            yield _empty(pl.col(_of(index, AT)), f"{rule.name}: {rule.at.column} is empty")
            if self._is_of_one_row(rule):
                is_early = pl.col(_of(index, AT)) < EARLIEST
                yield pl.when(is_early).then(
                    pl.lit(f"{rule.name}: {rule.at.column} is before the year {EARLIEST.year}")
                )
        for column in ("subject_id", *(() if self._is_of_states(rule) else _FIGURES)):
            if column in rule.texts:
                said = column.removesuffix("_id")
                yield _empty(pl.col(_of(index, column)), f"{rule.name}: its {said} is empty")
        if rule.currency is not None:
            is_code = pl.col(_of(index, "currency")).str.contains(CURRENCY)
            yield pl.when(~is_code).then(pl.lit(f"{rule.name}: its currency is no code of three capital letters"))
        if rule.quantity is not None and self._is_of_one_row(rule):
            said = ", ".join(sorted(self.stream.value(rule.quantity).columns))
            negative = f"{rule.name}: its quantity is negative{f' ({said})' if said else ''}"
            yield pl.when(pl.col(_of(index, "quantity")) < 0).then(pl.lit(negative))
        if rule.each_rise_of is not None:
            count = pl.col(rule.each_rise_of)
            yield _empty(count, f"{rule.name}: {rule.each_rise_of} is empty")
            is_count = (count >= 0) & (count <= MOST_RISES) & (count == count.round(0))
            yield pl.when(~is_count).then(
                pl.lit(f"{rule.name}: {rule.each_rise_of} counts nothing (0 to {MOST_RISES})")
            )

    def _is_of_one_row(self, rule: EventRule) -> bool:
        """Whether each row that an event is about is one: then the row can be told whose event says what none may."""
        return self.stream.states is None and not rule.once

    def _is_of_states(self, rule: EventRule) -> bool:
        """Whether an event is found among the states of a thing, many of which do not say its figures yet."""
        return self.stream.states is not None and bool(rule.once or rule.each_change_of or rule.standing)

    def _moment(self, moment: Moment | None) -> tuple[pl.Expr, pl.Expr]:
        """When a column says it was, and what is wrong with that."""
        nothing = pl.lit(None, pl.String)
        if moment is None:
            return pl.lit(None, UTC_MICROSECONDS), nothing
        kind = self.stream.types[moment.column]
        if kind == DTYPES["instant"]:
            return pl.col(moment.column), nothing
        if kind == DTYPES["date"]:
            declared = self.stream.columns[moment.column]
            day = pl.col(moment.column).dt.to_string("%Y-%m-%d")
            return cells.instant(moment.column, day, "%Y-%m-%d", declared.zone or self.zone, "refuse")
        text, zone = pl.col(moment.column).str.strip_chars(), moment.zone or self.zone
        return cells.instant(moment.column, text, moment.format, zone, moment.ambiguous)

    def _unmet(self) -> Iterator[pl.Expr]:
        """Expectations that are false; one that cannot be decided for lack of a value is met."""
        for expectation in self.stream.expect:
            yield pl.when(~self.stream.condition(expectation.that).expr()).then(pl.lit(expectation.says))

    def _strange(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """What is told of the rows that are set aside."""
        place = pl.col(PLACE) if self.table is None else pl.concat_str(pl.lit(f"{self.table} "), KEY)
        before = pl.when(place.is_not_null()).then(pl.concat_str(place, pl.lit(": "))).otherwise(pl.lit(""))
        return rows.filter(pl.col(PROBLEM).is_not_null()).select(
            pl.col(KEY).alias("record_key"), pl.concat_str(before, PROBLEM).alias("problem")
        )

    # Which row speaks

    def _events(self, rows: pl.LazyFrame, index: int, rule: EventRule) -> pl.LazyFrame:
        applies, at = pl.col(_of(index, "when")), pl.col(_of(index, AT))
        parts = [pl.lit(rule.name)]
        key = pl.col(KEY) if self.stream.states is None and not rule.once else pl.col(GROUP)
        if self.stream.states is None:
            rows, speaker = rows.filter(applies), pl.col(KEY)
            if rule.once:
                earliest = rows.sort(GROUP, at, KEY)
                rows = earliest.unique(GROUP, keep="first", maintain_order=True)
        else:  # facts stay with a thing's first row, so that a new last one moves none
            speaker = pl.col(SPEAKER)
            if rule.each_rise_of is not None:
                rows, parts = states.rises(rows, rule.each_rise_of).filter(applies), [*parts, pl.col(RISE)]
            elif self._is_of_states(rule):
                rows = self._found_among_states(rows, index, rule, applies)
            else:
                rows = rows.unique(GROUP, keep="last", maintain_order=True).filter(applies)
            if rule.each_change_of:
                then = self.stream.states.then
                parts += [pl.col(CHANGED).dt.epoch("us"), *([pl.col(then)] if then is not None else [])]
            if rule.at is None:
                at = pl.col(CHANGED)
        said = {column: pl.col(_of(index, column)).cast(FACT_SCHEMA[column]) for column in rule.texts}
        if "currency" in said:
            said["currency"] = pl.when(pl.col(_of(index, "amount")).is_not_null()).then(said["currency"])
        return rows.select(
            speaker.alias("record_key"),
            pl.concat_str([key, *(part.cast(pl.String) for part in parts)], separator="/").alias("fact_key"),
            pl.lit(rule.type).alias("event_type"),
            at.cast(UTC_MICROSECONDS).alias("occurred_at"),
            **said,
        )

    def _found_among_states(self, rows: pl.LazyFrame, index: int, rule: EventRule, applies: pl.Expr) -> pl.LazyFrame:
        figures = [_of(index, name) for name in _FIGURES if name in rule.texts]
        said = [_of(index, name) for name in rule.texts if name not in (*_FIGURES, "subject_id")]
        rows = states.entered_later(rows, said)
        if rule.standing is not None:
            return states.standing(rows, applies, figures)
        if rule.each_change_of:
            return states.changes(rows, rule.each_change_of).filter(applies)
        return rows.filter(applies).unique(GROUP, keep="first", maintain_order=True)


def _sound(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.filter(pl.col(PROBLEM).is_null())


def _first(problems: list[pl.Expr]) -> pl.Expr:
    return pl.coalesce([*problems, pl.lit(None, pl.String)])


def _of(index: int, column: str) -> str:
    return f"\x1f{index}.{column}"


def _empty(value: pl.Expr, problem: str) -> pl.Expr:
    return pl.when(value.is_null()).then(pl.lit(problem))
