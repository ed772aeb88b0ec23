"""Rows as facts, as the declaration says: pure, vectorised, and every row that cannot be understood told.

Belongs here: what a row says, and which of several rows of one thing speaks for it. Does not: where rows come from
(`reading`, `records`), or how one cell is read (`cells`).

A row that cannot be understood is set aside as a whole; of a thing that has several rows, the others go on speaking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from kr_definitions.events import FACT_SCHEMA
from kr_definitions.vocabulary import DTYPES, UTC_MICROSECONDS
from pipelines.files import cells
from pipelines.files.declaration import EventRule, FileStream, Moment
from pipelines.files.reading import PROBLEM

KEY, PLACE, TEXTS, GROUP, SPEAKER, CHANGED, AT, RISE = (
    f"\x1f{name}" for name in ("key", "place", "texts", "group", "speaker", "changed", "at", "rise")
)
_APART = "@"
_ESCAPED = (("%", "%25"), ("/", "%2F"), (_APART, "%40"), ("!", "%21"))

MOST_RISES = 1_000
"""A running count above that is no count of times that something happened."""


def escaped(text: pl.Expr) -> pl.Expr:
    """A text as part of a record's key: what holds keys together is written otherwise in it."""
    for sign, instead in _ESCAPED:
        text = text.str.replace_all(sign, instead, literal=True)
    return text


def group_of(record_key: pl.Expr) -> pl.Expr:
    """What a record's rows are read together by: the part of its key that stands before what orders them."""
    return record_key.str.split(_APART).list.first()


def record_key(stream: FileStream) -> pl.Expr:
    """The key of a row's record, null where a part of it is missing.

    A key's columns; after them, where rows of one key are states of one thing, what orders them; before them, where a
    subject counts once, the subject.
    """
    texts = [pl.col(TEXTS).struct.field(name).str.strip_chars() for name in stream.key]
    key = pl.concat_str([escaped(text) for text in texts], separator="/")
    if stream.revision is not None:
        order = [pl.col(CHANGED).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")]
        if stream.revision.then is not None:
            order.append(escaped(pl.col(stream.revision.then).cast(pl.String)))
        return pl.concat_str([key, pl.concat_str(order, separator="/")], separator=_APART)
    if stream.grouped_by is not None:
        return pl.concat_str([escaped(stream.value(stream.grouped_by).expr()), key], separator=_APART)
    return key


@dataclass(frozen=True)
class Mapping:
    """The understanding half of a stream."""

    stream: FileStream
    zone: str

    def facts(self, records: pl.LazyFrame) -> pl.LazyFrame:
        """From records (`record_key`, `row`, `place`, `problem`) to facts."""
        rows = self.understood(
            records.select(
                pl.col("record_key").alias(KEY),
                pl.col("place").alias(PLACE),
                pl.col("problem").alias(PROBLEM),
                *(pl.col("row").struct.field(name).alias(name) for name in self.stream.used),
            )
        )
        place = pl.when(pl.col(PLACE).is_not_null()).then(pl.format("{}: ", PLACE)).otherwise(pl.lit(""))
        strange = rows.filter(pl.col(PROBLEM).is_not_null()).select(
            pl.col(KEY).alias("record_key"), pl.concat_str(place, PROBLEM).alias("problem")
        )
        sound = self._in_order(rows.filter(pl.col(PROBLEM).is_null()))
        stated = [self._events(sound, index, rule) for index, rule in enumerate(self.stream.events)]
        return pl.concat([*stated, strange], how="diagonal")

    def understood(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows of text (and what was wrong with them already, in `PROBLEM`) with what they say, each by itself."""
        read = {
            name: cells.cell(name, column, self.stream.format, column.zone or self.zone)
            for name, column in self.stream.columns.items()
        }
        rows = rows.with_columns(
            *(value.alias(name) for name, (value, _) in read.items()),
            self._first([pl.col(PROBLEM), *(problem for _, problem in read.values())]).alias(PROBLEM),
        )
        changed, unordered = self._moment(self.stream.revision)
        rows = rows.with_columns(changed.alias(CHANGED), self._first([pl.col(PROBLEM), unordered]).alias(PROBLEM))
        for index, rule in enumerate(self.stream.events):
            rows = self._said(rows, index, rule)
        return rows.with_columns(self._first([pl.col(PROBLEM), *self._unmet()]).alias(PROBLEM))

    def latest(self, until: datetime) -> pl.Expr:
        """The last moment that understood rows tell of; one in the future tells nothing of how far they reach."""
        told = [pl.col(CHANGED)]
        for index, rule in enumerate(self.stream.events):
            if rule.each_rise_of is None:
                told.append(pl.when(pl.col(_of(index, "when"))).then(pl.col(_of(index, AT))))
        past = [pl.when((at <= until) & pl.col(PROBLEM).is_null()).then(at) for at in told]
        return pl.max_horizontal(past).max()

    # What a row says

    def _said(self, rows: pl.LazyFrame, index: int, rule: EventRule) -> pl.LazyFrame:
        applies = pl.lit(value=True) if rule.when is None else self.stream.condition(rule.when).expr()
        at, untimely = self._moment(rule.at)
        values = {
            column: self.stream.value(text).expr().alias(_of(index, column)) for column, text in rule.texts.items()
        }
        rows = rows.with_columns(
            applies.fill_null(value=False).alias(_of(index, "when")), at.alias(_of(index, AT)), *values.values()
        )
        problems = [*([untimely] if rule.at is not None else []), *self._lacking(index, rule)]
        wrong = pl.when(pl.col(_of(index, "when"))).then(self._first(problems))
        return rows.with_columns(self._first([pl.col(PROBLEM), wrong]).alias(PROBLEM))

    def _lacking(self, index: int, rule: EventRule) -> Iterator[pl.Expr]:
        """What an event cannot do without and a row does not say."""
        if rule.at is not None:
            yield _empty(pl.col(_of(index, AT)), f"{rule.name}: {rule.at.column} is empty")
        for column in ("subject_id", "amount", "currency", "quantity"):
            if column in rule.texts:
                said = column.removesuffix("_id")
                yield _empty(pl.col(_of(index, column)), f"{rule.name}: its {said} is empty")
        if rule.currency is not None:
            is_code = pl.col(_of(index, "currency")).str.contains("^[A-Z]{3}$")
            yield pl.when(~is_code).then(pl.lit(f"{rule.name}: its currency is no code of three capital letters"))
        if rule.each_rise_of is not None:
            count = pl.col(rule.each_rise_of)
            yield _empty(count, f"{rule.name}: {rule.each_rise_of} is empty")
            is_count = (count >= 0) & (count <= MOST_RISES) & (count == count.round(0))
            yield pl.when(~is_count).then(
                pl.lit(f"{rule.name}: {rule.each_rise_of} counts nothing (0 to {MOST_RISES})")
            )

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

    @staticmethod
    def _first(problems: list[pl.Expr]) -> pl.Expr:
        return pl.coalesce([*problems, pl.lit(None, pl.String)])

    # Which row speaks

    def _in_order(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        rows = rows.with_columns(group_of(pl.col(KEY)).alias(GROUP))
        if self.stream.revision is None:
            return rows
        then = [self.stream.revision.then] if self.stream.revision.then is not None else []
        return rows.sort(GROUP, CHANGED, *then, KEY).with_columns(pl.col(KEY).first().over(GROUP).alias(SPEAKER))

    def _events(self, rows: pl.LazyFrame, index: int, rule: EventRule) -> pl.LazyFrame:
        applies, at = pl.col(_of(index, "when")), pl.col(_of(index, AT))
        speaker = key = pl.col(KEY)
        if self.stream.revision is not None:  # facts stay with a thing's first row, so that a new last one moves none
            speaker = pl.col(SPEAKER)
        if rule.each_rise_of is not None:
            rows, at, key = self._rises(rows, rule.each_rise_of).filter(applies), pl.col(CHANGED), pl.col(GROUP)
        elif self.stream.revision is not None:
            rows, key = rows.unique(GROUP, keep="last", maintain_order=True).filter(applies), pl.col(GROUP)
        elif rule.once:
            earliest = rows.filter(applies).sort(GROUP, at, KEY)
            rows, key = earliest.unique(GROUP, keep="first", maintain_order=True), pl.col(GROUP)
        else:
            rows = rows.filter(applies)
        parts = [
            key,
            pl.lit(rule.name),
            *([pl.col(RISE).cast(pl.String)] if rule.each_rise_of is not None else []),
        ]
        said = {column: pl.col(_of(index, column)).cast(FACT_SCHEMA[column]) for column in rule.texts}
        return rows.select(
            speaker.alias("record_key"),
            pl.concat_str(parts, separator="/").alias("fact_key"),
            pl.lit(rule.type).alias("event_type"),
            at.cast(UTC_MICROSECONDS).alias("occurred_at"),
            **said,
        )

    def _rises(self, rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
        """The rows in which a running count rose, once for each step, so that its last height is their number."""
        count = pl.col(column).cast(pl.Int64)
        return (
            rows.with_columns(
                count.shift(1, fill_value=0).over(GROUP).alias("\x1fbefore"), count.last().over(GROUP).alias("\x1flast")
            )
            .filter(count > pl.col("\x1fbefore"))
            .with_columns(pl.int_ranges(pl.col("\x1fbefore") + 1, count + 1).alias(RISE))
            .explode(RISE, empty_as_null=False)
            .filter(pl.col(RISE) <= pl.col("\x1flast"))
            .unique([GROUP, RISE], keep="last", maintain_order=True)
        )


def _of(index: int, column: str) -> str:
    return f"\x1f{index}.{column}"


def _empty(value: pl.Expr, problem: str) -> pl.Expr:
    return pl.when(value.is_null()).then(pl.lit(problem))
