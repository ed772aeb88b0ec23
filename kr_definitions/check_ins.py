"""Check-ins: what a person says of a key result on a day, beside what was computed of it.

Belongs here: what may be said, which check-in is in force on a day, and what the value that it states would mean. Does
not: how it is said (`pipelines.check_ins`), computing a figure (`compute`); nothing here changes a computed one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from kr_definitions.catalogue import Definition
from kr_definitions.compute import guarded
from kr_definitions.events import current
from kr_definitions.figures import judged, reported_baselines
from kr_definitions.measures.base import Bounds
from kr_definitions.measures.series import THE_BEGINNING
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span
from kr_definitions.vocabulary import DECIMAL, UTC_MICROSECONDS, nearest, vocabulary

CHECKED_IN = "check_in.recorded"

# A check-in as it was said, of one day.
STATED_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "checked_in_on": pl.Date(),  # the business day that it is said of
    "checked_in_at": UTC_MICROSECONDS,  # when it was said
    "checked_in_by": pl.String(),
    "confidence": pl.Float64(),
    "note": pl.String(),
    "stated_value": pl.Float64(),  # in place of the computed one; null: the computed one is not contradicted
    "source": pl.String(),
    "recorded_at": UTC_MICROSECONDS,
    "event_id": pl.String(),
}

# The check-in in force, for each key result and computed day that has one.
CHECK_INS_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "as_of": pl.Date(),
    **{name: dtype for name, dtype in STATED_SCHEMA.items() if name not in ("key_result_id", "event_id")},
    "stated_progress": pl.Float64(),  # what the stated value would mean, by the key result's own formulas
    "stated_status": pl.String(),
    "value": pl.Float64(),  # as computed
    "progress": pl.Float64(),
    "status": pl.String(),
}

_SAID = ("confidence", "note", "stated_value")
_ID = r"^[a-z0-9][a-z0-9_.-]*$"


# --- what may be said -------------------------------------------------------------------------------------------------


def held_to(
    facts: pl.LazyFrame,
    declared: Mapping[str, Span | None],
    zone: str,
    bounds: Mapping[str, Bounds] | None = None,
) -> pl.LazyFrame:
    """Facts with whatever is wrong with the check-ins among them, as text, in `problem`.

    declared: the period of each key result; None where an event names it. bounds: between which ends a value of each
    lies (`bounds_of`). A check-in that names no day is of the day on
    which it was said. Other facts, and problems that were found already, stay as they are.
    """
    columns = {"problem": pl.String(), "as_of": pl.Date(), **{n: vocabulary().attributes[n].dtype for n in _SAID}}
    found = facts.collect_schema().names()
    is_check_in = pl.col("event_type") == CHECKED_IN
    said_on = pl.col("occurred_at").cast(UTC_MICROSECONDS).dt.convert_time_zone(zone).dt.date()
    note = pl.col("note").str.strip_chars()
    return (
        facts.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in found)
        .with_columns(
            pl.when(is_check_in).then(pl.coalesce("as_of", said_on)).otherwise("as_of").alias("as_of"),
            pl.when(is_check_in & (note == "")).then(None).when(is_check_in).then(note).otherwise("note").alias("note"),
        )
        .with_columns(
            pl.coalesce("problem", pl.when(is_check_in).then(_problem(declared, said_on, bounds or {}))).alias(
                "problem"
            )
        )
    )


def bounds_of(definition: Definition) -> Bounds:
    """Between which ends a stated value of a key result lies: of one that consists of others, nothing is said."""
    kr = definition.key_result
    return (None, None) if kr.each is not None or kr.measure is None else kr.measure.bounds


def _problem(declared: Mapping[str, Span | None], said_on: pl.Expr, bounds: Mapping[str, Bounds]) -> pl.Expr:
    periods = {name: span for name, span in declared.items() if span is not None}
    first, last = (
        pl.col("subject_id").replace_strict(
            {name: getattr(span, end) for name, span in periods.items()}, default=None, return_dtype=pl.Date
        )
        for end in ("first", "last")
    )
    return (
        pl.when(~pl.col("subject_id").is_in(list(declared)))
        .then(pl.col("subject_id").map_batches(lambda names: _unknown(names, declared), return_dtype=pl.String))
        .when(pl.col("as_of") > said_on)
        .then(pl.format("{} is in the future", "as_of"))
        .when(~pl.col("as_of").is_between(first, last))
        .then(pl.format("{} is not in the period of {}, which is {} to {}", "as_of", "subject_id", first, last))
        .when(pl.all_horizontal(pl.col(name).is_null() for name in _SAID))
        .then(pl.lit("it says nothing: it takes a confidence, a note or a value"))
        .otherwise(_beyond(bounds))
    )


def _beyond(bounds: Mapping[str, Bounds]) -> pl.Expr:
    """That a stated value is one that the key result cannot have."""
    least, most = (
        pl.col("subject_id").replace_strict(
            {name: ends[n] for name, ends in bounds.items()}, default=None, return_dtype=DECIMAL
        )
        for n in (0, 1)
    )
    value, is_above = pl.col("stated_value"), pl.col("stated_value") > most
    is_part = is_above & (most == 1) & (value <= 100)
    ends = (
        pl.when(most.is_null())
        .then(pl.format("not below {}", as_typed(least)))
        .when(least.is_null())
        .then(pl.format("{} at most", as_typed(most)))
        .otherwise(pl.format("from {} to {}", as_typed(least), as_typed(most)))
    )
    told = pl.format("value is a number {}, not {}", ends, as_typed(value))
    likely = pl.format("{}: did you mean {}?", told, as_typed((value.cast(pl.Float64) / 100).round(8).cast(DECIMAL)))
    return pl.when(is_part).then(likely).when(is_above | (value < least)).then(told)


def as_typed(number: pl.Expr) -> pl.Expr:
    """An exact number as somebody writes it: without the zeros that it is stored with."""
    return number.cast(DECIMAL).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")


def _unknown(names: pl.Series, declared: Mapping[str, Span | None]) -> pl.Series:
    told = {name: unknown(name, declared) for name in names.drop_nulls().unique().to_list() if name not in declared}
    return names.replace_strict(told, default=None, return_dtype=pl.String)


def unknown(name: str, declared: Mapping[str, object]) -> str:
    """That there is no such key result, and which ones it may have meant.

    What is no id is not repeated: in a row whose cells have slipped it may be anybody's name.
    """
    shown = f" '{name}'" if pl.select(pl.lit(name).str.contains(_ID)).item() else " of that name"
    likely = nearest(name, declared, alike=0.75)  # the ids of an organisation begin alike
    return f"there is no key result{shown}" + (f". Did you mean {' or '.join(likely)}?" if likely else "")


# --- what was said ----------------------------------------------------------------------------------------------------


def stated(log: pl.LazyFrame) -> pl.LazyFrame:
    """The check-ins that a log holds and nobody has withdrawn: `STATED_SCHEMA`."""
    said = current(log).filter(pl.col("event_type") == CHECKED_IN)
    named = said.rename({"subject_id": "key_result_id", "as_of": "checked_in_on", "actor": "checked_in_by"})
    whole = named.with_columns(pl.col("occurred_at").alias("checked_in_at"))
    return whole.select(pl.col(name).cast(dtype) for name, dtype in STATED_SCHEMA.items())


def in_force(
    definitions: Sequence[Definition], organisation: Organisation, figures: pl.DataFrame, said: pl.DataFrame
) -> pl.DataFrame:
    """The check-in in force on each computed day that has one, beside the day's figures: `CHECK_INS_SCHEMA`.

    figures: `COMPUTED_SCHEMA`, the newest of each key result, member and day. said: `stated`. A check-in holds from its
    day until the next one; of what recurs, to the end of its window at most. Of several of one day, the last one said
    holds. Values that were stated for earlier windows count in the progress of the later ones, as they were stated.
    """
    named = set(said.get_column("key_result_id"))
    asked = [one for one in definitions if one.period is not None and one.id in named]
    frames = [_of_key_result(one, organisation, figures, said) for one in asked]
    return pl.concat([pl.DataFrame(schema=dict(CHECK_INS_SCHEMA)), *frames])


def _of_key_result(
    definition: Definition, organisation: Organisation, figures: pl.DataFrame, said: pl.DataFrame
) -> pl.DataFrame:
    span, is_own = definition.span, pl.col("key_result_id") == definition.id
    own = figures.filter(is_own, pl.col("member").is_null(), pl.col("as_of").is_between(span.first, span.last))
    of_days = (
        said.filter(is_own, pl.col("checked_in_on").is_between(span.first, span.last))
        .sort("checked_in_on", "checked_in_at", "recorded_at", "event_id")
        .unique("checked_in_on", keep="last", maintain_order=True)
        .join(own.select("as_of", _window="window_start"), left_on="checked_in_on", right_on="as_of", how="left")
        .drop("key_result_id", "event_id")
        .sort("checked_in_on")
    )
    beside = own.sort("as_of").join_asof(
        of_days, left_on="as_of", right_on="checked_in_on", strategy="backward", coalesce=False
    )
    is_same_window = pl.col("every").is_null() | pl.col("window_start").eq_missing(pl.col("_window"))
    held = beside.filter(pl.col("checked_in_on").is_not_null(), is_same_window)
    meant = _meant(definition, organisation, own, held.select("as_of", "stated_value"), figures.filter(is_own))
    return held.join(meant, on="as_of", how="left", validate="1:1", maintain_order="left").select(
        pl.col(name).cast(dtype) for name, dtype in CHECK_INS_SCHEMA.items()
    )


def _meant(
    definition: Definition,
    organisation: Organisation,
    own: pl.DataFrame,
    values: pl.DataFrame,
    rows: pl.DataFrame,
) -> pl.DataFrame:
    """What stated values would mean: as_of, stated_progress, stated_status.

    Null of a KPI, and of what has to hold in each member or consists of several parts: one value does not say theirs.
    """
    kr = definition.key_result
    if kr.target is None or kr.each is not None:
        nothing = {"as_of": pl.Date, "stated_progress": pl.Float64, "stated_status": pl.String}
        return pl.DataFrame(schema=nothing)
    is_stated = pl.col("stated_value").is_not_null()
    knowledge = (
        pl.when(is_stated | pl.col("events").is_not_null())
        .then(pl.lit("known"))
        .when(pl.col("status") == "unreliable")
        .then(pl.lit("partly"))
        .otherwise(pl.lit("unknown"))
    )
    begins = pl.col("window_start").fill_null(THE_BEGINNING) if kr.cumulative == "ever" else pl.col("window_start")
    valued = own.sort("as_of").join(values, on="as_of", how="left", validate="1:1", maintain_order="left")
    instead = valued.select(
        "as_of", "window_end", "stated_value", "numerator", "denominator",
        begins.alias("window_start"),
        pl.when(pl.col("window_end").is_not_null()).then(pl.min_horizontal("as_of", "window_end")).alias("until"),
        pl.coalesce("stated_value", "value").alias("value"),
        knowledge.alias("_knowledge"),
    )  # fmt: skip
    meant = judged(kr, definition.span, organisation, instead, reported_baselines(valued))
    found = meant.select("as_of", "stated_value", "progress", "status")
    whole = own.drop("progress", "status").join(found, on="as_of", validate="1:1")
    guards = rows.filter(pl.col("role") == "guardrail")
    if guards.height:
        whole = guarded(definition, whole, guards).join(values, on="as_of", how="left", validate="1:1")
    return whole.filter(is_stated).select("as_of", stated_progress="progress", stated_status="status")
