"""Why a day that had been reported moved, and which events moved it.

Belongs here: what reached the log since a key result was last computed, and how that explains a row that moved. Does
not: which rows moved (`history`), what a definition change does (`editions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import polars as pl

from kr_definitions import shapes
from kr_definitions.coverage import Feeds, coverage
from kr_definitions.events import COVERED, ERASED, LINKED, RATE, RETRACTED, current
from kr_definitions.history import CAUSES, KEY
from kr_definitions.periods import Span
from kr_definitions.vocabulary import DECIMAL

# What the log gained after an instant, a row an event: stated anew, withdrawn, read, or erased.
ARRIVALS_SCHEMA: Mapping[str, pl.DataType] = {
    "event_id": pl.String(),
    "event_type": pl.String(),  # of a reading or an erasure: the type that it is of
    "subject_id": pl.String(),
    "account_id": pl.String(),
    "same_as": pl.String(),
    "day": pl.Date(),  # the local day that it happened on
    "change": pl.String(),  # entered, left, read or erased
    "cause": pl.String(),  # one of CAUSES
}

_IDENTITY = "identity."


def arrivals_since(log: pl.LazyFrame, instant: datetime | None, zone: str) -> pl.DataFrame:
    """What the log gained after an instant: `ARRIVALS_SCHEMA`, ordered. None: nothing, as nothing had been computed.

    A fact that was stated and withdrawn again since is not in it. log: `EVENT_SCHEMA`.
    """
    if instant is None:
        return shapes.empty(ARRIVALS_SCHEMA)
    recent = log.filter(pl.col("recorded_at") > instant)
    retractions = recent.filter(pl.col("event_type") == RETRACTED).select(
        pl.col("retracts").alias("event_id"), _reason="reason"
    )
    facts = ~pl.col("event_type").is_in([RETRACTED, COVERED, ERASED])
    entered = recent.filter(facts).join(retractions, on="event_id", how="anti").with_columns(_reason="reason")
    left = log.filter(pl.col("recorded_at") <= instant, facts).join(retractions, on="event_id")
    both = pl.concat(
        [
            frame.select(
                "event_id", "fact_id", "event_type", "subject_id", "account_id", "same_as", "occurred_at", "_reason",
                change=pl.lit(change),
            )
            for frame, change in ((entered, "entered"), (left, "left"))
        ]
    )  # fmt: skip
    is_both = pl.col("change").n_unique().over("fact_id") > 1
    cause = (
        pl.when(pl.col("_reason") == "mapping")
        .then(pl.lit("mapping"))
        .when(pl.col("event_type").str.starts_with(_IDENTITY))
        .then(pl.lit("identity"))
        .when(pl.col("event_type") == RATE)
        .then(pl.lit("rate"))
        .when(is_both)
        .then(pl.lit("correction"))
        .when(pl.col("change") == "left")
        .then(pl.lit("deletion"))
        .otherwise(pl.lit("late_event"))
    )
    of_facts = both.with_columns(cause.alias("cause"))
    others = recent.filter(pl.col("event_type").is_in([COVERED, ERASED])).with_columns(
        pl.col("covers").alias("event_type"),
        pl.when(pl.col("event_type") == COVERED).then(pl.lit("read")).otherwise(pl.lit("erased")).alias("change"),
        pl.when(pl.col("event_type") == COVERED).then(pl.lit("coverage")).otherwise(pl.lit("erasure")).alias("cause"),
    )
    day = pl.col("occurred_at").dt.convert_time_zone(zone).dt.date()
    return (
        pl.concat([of_facts, others], how="diagonal")
        .with_columns(day.alias("day"))
        .select(ARRIVALS_SCHEMA.keys())
        .sort(ARRIVALS_SCHEMA.keys())
        .collect()
    )


# Which events moved reported figures: a row an event and figure, for the restated days that it moved.
MOVERS_SCHEMA: Mapping[str, pl.DataType] = {
    "key_result_id": pl.String(),
    "member": pl.String(),
    "first_day": pl.Date(),  # the restated days (as_of) that it moved
    "last_day": pl.Date(),
    "event_id": pl.String(),  # of an erasure: the tombstone
    "event_type": pl.String(),
    "change": pl.String(),  # entered, left, changed (gives something else), beside (changed what others give), erased
    "cause": pl.String(),  # one of CAUSES; null: it is moved by another one, that is `beside`
    "numerator_change": DECIMAL,  # by how much it moved the numerator of the last of these days
    "denominator_change": DECIMAL,
}

_OF = ["key_result_id", "member"]
_GIVES = ["numerator", "denominator", "contribution"]


def movers(
    moved: pl.DataFrame,
    erased: pl.DataFrame,
    before: pl.DataFrame,
    after: pl.DataFrame,
    arrivals: pl.DataFrame,
    log: pl.LazyFrame,
    types_of: Mapping[str, Sequence[str]],
    rates: pl.LazyFrame,
) -> pl.DataFrame:
    """The events that moved restated rows: `MOVERS_SCHEMA`.

    moved: the rows (`movements`). erased: those of them that an erasure has a part in. before, after: the contributions
    by what was known when they were last computed, and by what is known now (`CONTRIBUTIONS_SCHEMA`). arrivals: what
    the log gained in between. types_of: the event types that each key result depends on. rates: the rates that amounts
    were and are converted by (`rates.USED_SCHEMA`).
    """
    restated = moved.group_by(_OF).agg(pl.col("as_of").min().alias("_first"), pl.col("as_of").max().alias("_last"))
    old, new = _named(before, log), _named(after, log)
    # By facts: one that was corrected and gives the same as before has moved nothing.
    claimed = [*_OF, "fact_id", "with_fact_id", "first_day", "last_day", *_GIVES]
    gone = old.join(new, on=claimed, how="anti", nulls_equal=True).with_columns(_side=pl.lit("old"))
    come = new.join(old, on=claimed, how="anti", nulls_equal=True).with_columns(_side=pl.lit("new"))
    differing = (
        pl.concat([gone, come])
        .join(restated, on=_OF, nulls_equal=True)
        .filter(pl.col("first_day") <= pl.col("_last"), pl.col("last_day") >= pl.col("_first"))
    )

    def on_last(name: str) -> pl.Expr:
        holds = pl.col("_last").is_between("first_day", "last_day")
        given = pl.col(name).fill_null(0)
        return (
            given.filter(holds & (pl.col("_side") == "new")).sum()
            - given.filter(holds & (pl.col("_side") == "old")).sum()
        ).alias(f"{name}_change")

    known = old.select(*_OF, "event_id", _was=pl.lit(value=True)).unique()
    is_known = new.select(*_OF, "event_id", _is=pl.lit(value=True)).unique()
    direct = (
        differing.group_by(*_OF, "event_id")
        .agg(
            pl.max_horizontal("first_day", "_first").min().alias("first_day"),
            pl.min_horizontal("last_day", "_last").max().alias("last_day"),
            on_last("numerator"),
            on_last("denominator"),
        )
        .join(known, on=[*_OF, "event_id"], how="left", nulls_equal=True)
        .join(is_known, on=[*_OF, "event_id"], how="left", nulls_equal=True)
        .with_columns(
            pl.when(pl.col("_was").is_null())
            .then(pl.lit("entered"))
            .when(pl.col("_is").is_null())
            .then(pl.lit("left"))
            .otherwise(pl.lit("changed"))
            .alias("change")
        )
        .join(arrivals.select("event_id", "cause").unique("event_id"), on="event_id", how="left")
        .join(_types(differing, log), on="event_id", how="left")
    )
    found = pl.concat(
        [
            direct,
            _beside(direct, arrivals, log, types_of),
            _converting(direct, arrivals, rates),
            _erased(erased, arrivals, types_of),
        ],
        how="diagonal",
    )
    found = found.select(shapes.columns(MOVERS_SCHEMA, found.columns))
    return found.sort(*_OF, "first_day", "event_id", nulls_last=False)


def _named(contributed: pl.DataFrame, log: pl.LazyFrame) -> pl.DataFrame:
    """The contributions of events, with the facts that these state."""
    facts = log.select("event_id", "fact_id")
    others = log.select(with_event_id="event_id", with_fact_id="fact_id")
    named = contributed.lazy().filter(pl.col("event_id").is_not_null())
    joined = named.join(facts, on="event_id", how="left").join(others, on="with_event_id", how="left")
    return joined.select(*_OF, "event_id", "fact_id", "with_fact_id", "first_day", "last_day", *_GIVES).collect()


def _types(differing: pl.DataFrame, log: pl.LazyFrame) -> pl.DataFrame:
    ids = differing.lazy().select("event_id").unique()
    return log.join(ids, on="event_id", how="semi").select("event_id", "event_type").unique("event_id").collect()


def _beside(
    direct: pl.DataFrame, arrivals: pl.DataFrame, log: pl.LazyFrame, types_of: Mapping[str, Sequence[str]]
) -> pl.DataFrame:
    """What arrived of the same subjects and customers as events that are as they were and give something else now."""
    others = direct.filter(pl.col("cause").is_null())
    if not others.height:
        return direct.clear()
    ids = others.lazy().select("event_id").unique()
    named = pl.format("{}/{}", "source", "account_id").alias("customer")
    whose = log.join(ids, on="event_id", how="semi").select("event_id", "subject_id", "account_id", named).collect()
    spans = others.join(whose, on="event_id")
    mine = _depends(types_of).join(arrivals.filter(pl.col("change").is_in(["entered", "left"])), on="event_type")
    linking = mine.filter(pl.col("event_type") == LINKED)
    mine = pl.concat(
        [
            mine.with_columns(customer=pl.lit(None, pl.String)),
            *(
                linking.with_columns(pl.col(one).alias("customer"), subject_id=pl.lit(None, pl.String))
                for one in ("subject_id", "same_as")
            ),
        ]
    )
    linked = pl.concat(
        [
            mine.filter(pl.col(key).is_not_null()).join(
                spans.select(*_OF, key, "first_day", "last_day"), on=["key_result_id", key]
            ).select(*_OF, "event_id", "event_type", "cause", "first_day", "last_day")
            for key in ("subject_id", "account_id", "customer")
        ]
    )  # fmt: skip
    told = linked.join(direct, on=[*_OF, "event_id"], how="anti", nulls_equal=True)
    return told.group_by(*_OF, "event_id", "event_type", "cause").agg(
        pl.col("first_day").min(), pl.col("last_day").max(), change=pl.lit("beside")
    )


def _converting(direct: pl.DataFrame, arrivals: pl.DataFrame, rates: pl.LazyFrame) -> pl.DataFrame:
    """The rates that arrived, or were withdrawn, by which amounts that are as they were give something else now."""
    others, come = direct.filter(pl.col("cause").is_null()), arrivals.filter(pl.col("event_type") == RATE)
    if not others.height or not come.height:
        return direct.clear()
    by = rates.join(come.lazy().select("event_type", "cause", rate_id="event_id"), on="rate_id").unique()
    told = others.lazy().select(*_OF, "event_id", "first_day", "last_day").join(by, on="event_id").collect()
    return told.group_by(*_OF, "event_type", "cause", event_id="rate_id").agg(
        pl.col("first_day").min(), pl.col("last_day").max(), change=pl.lit("beside")
    )


def _erased(moved: pl.DataFrame, arrivals: pl.DataFrame, types_of: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """The tombstones of what a figure depends on. moved: the restated rows that an erasure has a part in."""
    restated = moved.group_by(_OF).agg(pl.col("as_of").min().alias("_first"), pl.col("as_of").max().alias("_last"))
    tombstones = _depends(types_of).join(arrivals.filter(pl.col("change") == "erased"), on="event_type")
    return restated.join(tombstones, on="key_result_id").select(
        *_OF,
        "event_id",
        "event_type",
        "cause",
        "change",
        pl.max_horizontal("_first", "day").alias("first_day"),
        pl.col("_last").alias("last_day"),
    ).filter(pl.col("first_day") <= pl.col("last_day"))  # fmt: skip


def _depends(types_of: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(key, name) for key, names in types_of.items() for name in dict.fromkeys(names)],
        schema={"key_result_id": pl.String, "event_type": pl.String},
        orient="row",
    )


def reread_since(log: pl.LazyFrame, instant: datetime | None, zone: str, feeds: Feeds | None) -> dict[str, date]:
    """Of each event type of which other days are known to have been read than at an instant: the first of them."""
    if instant is None:
        return {}
    before, now = (
        coverage(current(known), zone, feeds).spans for known in (log.filter(pl.col("recorded_at") <= instant), log)
    )
    firsts = {name: _first_difference(before.get(name, ()), now.get(name, ())) for name in {*before, *now}}
    return {name: day for name, day in firsts.items() if day is not None}


def _first_difference(some: Sequence[Span], others: Sequence[Span]) -> date | None:
    edges = {edge for span in (*some, *others) for edge in (span.first, span.last + timedelta(days=1))}
    differing = (day for day in sorted(edges) if any(day in one for one in some) != any(day in one for one in others))
    return next(differing, None)


def causes(
    moved: pl.DataFrame,
    erased: pl.DataFrame,
    found: pl.DataFrame,
    arrivals: pl.DataFrame,
    types_of: Mapping[str, Sequence[str]],
    reread: Mapping[str, date],
) -> pl.Series:
    """Why each restated row moved: the most telling cause (`CAUSES`) of the events that moved it.

    moved: rows of `movements`. erased: those of them that an erasure has a part in. found: their `movers`. Where none
    is known (a total of members, a baseline, a period that an event names), what arrived of the types that the key
    result depends on (types_of) by the end of the day. A day that had not been read, or is not any more, moved by
    its reading, if days up to it are read otherwise (`reread_since`).
    """
    rank = pl.Enum(CAUSES)
    first_reread = {
        name: min((reread[one] for one in types if one in reread), default=date.max) for name, types in types_of.items()
    }
    read_from = pl.col("key_result_id").replace_strict(first_reread, return_dtype=pl.Date)
    rows = (
        moved.with_row_index("_row")
        .join(erased.select(*KEY, _is_erased=pl.lit(value=True)), on=KEY, how="left", nulls_equal=True)
        .with_columns(_is_reread=read_from <= pl.col("as_of"), _is_known=pl.col("_was_read") & pl.col("_is_read"))
        .select("_row", *KEY, "_is_known", "_is_reread", "_is_by_reading", "_is_erased")
    )
    is_apt = (pl.col("cause") != "erasure") | pl.col("_is_erased").fill_null(value=False)
    by_data = rows.filter(pl.col("_is_known") | ~pl.col("_is_reread"))
    by_event = (
        by_data.join(found.drop_nulls("cause"), on=_OF, nulls_equal=True)
        .filter(pl.col("as_of").is_between("first_day", "last_day"), is_apt)
        .select("_row", pl.col("cause").cast(rank))
    )
    firsts = (
        _depends(types_of)
        .join(arrivals.filter(pl.col("change") != "read"), on="event_type")
        .group_by("key_result_id", "cause")
        .agg(pl.col("day").min().alias("_from"))
    )
    by_arrival = (
        by_data.join(by_event, on="_row", how="anti")
        .join(firsts, on="key_result_id")
        .filter(pl.col("_from") <= pl.col("as_of"), is_apt)
        .select("_row", pl.col("cause").cast(rank))
    )
    otherwise = (
        pl.when(~pl.col("_is_known") | pl.col("_is_by_reading"))
        .then(pl.lit("coverage"))
        .otherwise(pl.lit("unexplained"))
    )
    return (
        pl.concat([by_event, by_arrival, rows.select("_row", otherwise.cast(rank).alias("cause"))])
        .sort("cause")
        .unique("_row", keep="first", maintain_order=True)
        .sort("_row")
        .get_column("cause")
        .cast(pl.String)
    )
