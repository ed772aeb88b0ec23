"""The frames that the suites look at: what was handed in, with the columns that a rule cannot compute by itself.

Belongs here: joins and derived columns, each named like a statement. Does not: judging them (`suites`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from kr_definitions.events import EVENT_SCHEMA, RETRACTED
from kr_definitions.history import COMPUTED_SCHEMA
from kr_definitions.vocabulary import vocabulary
from pipelines.addresses import ADDRESS

DUE_SCHEMA: Mapping[str, pl.DataType] = {"key_result_id": pl.String(), "as_of": pl.Date()}

_IN_KEY = ADDRESS.replace("@|%40", "%40")
"""A key may have an @ of its own between its parts: one of somebody's would be written as a code in it."""

_TEXTS = [name for name, dtype in EVENT_SCHEMA.items() if dtype == pl.String()]
_FLOATS = [name for name, dtype in COMPUTED_SCHEMA.items() if dtype == pl.Float64()]


Frame = pl.DataFrame | pl.LazyFrame
"""A frame that rules look at. One that is lazy may be longer than what can be held: it is read in pieces."""


def height(frame: Frame) -> int:
    """How many rows it has."""
    return int(frame.lazy().select(pl.len()).collect().item())


def rows_at(frame: Frame, positions: Sequence[int]) -> pl.DataFrame:
    """The rows at these positions, in their order."""
    if isinstance(frame, pl.DataFrame):
        return frame[list(positions)]
    wanted = pl.LazyFrame({"_position": positions}, schema={"_position": pl.get_index_type()})
    placed = frame.with_row_index("_position").join(wanted, on="_position", how="semi")
    return placed.sort("_position").drop("_position").collect()


def columns_of(frame: Frame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Column by column, the type that is declared and the type that was found."""
    declared = pl.DataFrame({"column": list(schema), "declared": [str(dtype) for dtype in schema.values()]})
    columns = frame.collect_schema()
    found = pl.DataFrame(
        {"column": columns.names(), "found": [str(dtype) for dtype in columns.dtypes()]},
        schema={"column": pl.String, "found": pl.String},
    )
    return declared.join(found, on="column", how="full", coalesce=True).with_columns(
        pl.col("declared").fill_null("not declared"), pl.col("found").fill_null("absent")
    )


def events_frames(events: pl.LazyFrame) -> dict[str, Frame]:
    """events: EVENT_SCHEMA."""
    mail = [
        pl.when(pl.col(name).str.contains(_IN_KEY if name == "record_key" else ADDRESS)).then(pl.lit(name))
        for name in _TEXTS
    ]
    rows = events.with_columns(
        pl.coalesce(mail).alias("column_with_mail_address"), _names(_not_carried()).alias("not_carried")
    )
    return {"rows": rows}


def _not_carried() -> list[pl.Expr]:
    """Of each attribute, its name where a type has it that does not carry it (a retraction repeats its event's)."""
    types = [t for t in vocabulary().types.values() if t.name != RETRACTED]
    carriers = {name: [t.name for t in types if name in t.carries] for name in vocabulary().attributes}
    carriers["amount"] = [t.name for t in types if t.amount]
    carriers["quantity"] = [t.name for t in types if t.quantity]
    del carriers["stream"]  # every event comes from one
    strangers = {name: [t.name for t in types if t.name not in names] for name, names in carriers.items()}
    return [
        pl.when(pl.col(name).is_not_null() & pl.col("event_type").is_in(names)).then(pl.lit(name))
        for name, names in strangers.items()
    ]


def _names(found: list[pl.Expr]) -> pl.Expr:
    """What was found, joined by blanks; null where nothing was."""
    joined = pl.concat_str(found, separator=" ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def progress_frames(computed: pl.DataFrame, due: pl.DataFrame, key_results: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """computed: COMPUTED_SCHEMA; due: DUE_SCHEMA; key_results: KEY_RESULTS_SCHEMA."""
    due = due.select(pl.col(name).cast(dtype) for name, dtype in DUE_SCHEMA.items()).unique(maintain_order=True)
    return {
        "rows": _progress_rows(computed, due, key_results),
        "due": _due_days(computed, due),
        "declared": _declared(due, key_results),
    }


def _progress_rows(computed: pl.DataFrame, due: pl.DataFrame, key_results: pl.DataFrame) -> pl.DataFrame:
    declared = key_results.select("key_result_id", "type", "direction", "definition_file").unique(
        "key_result_id", keep="first", maintain_order=True
    )
    fraction = pl.col("numerator").cast(pl.Float64) / pl.col("denominator").cast(pl.Float64)
    is_share_of_nothing = (pl.col("denominator") == 0).fill_null(value=False)
    has_value = pl.col("value").is_not_null()
    # There was nothing to measure in the open window (the median of no calls), and there was in earlier ones.
    has_only_closed_windows = pl.col("window_progress").is_null() & (pl.col("windows_closed") > 0).fill_null(
        value=False
    )
    return (
        computed.join(declared, on="key_result_id", how="left", validate="m:1", maintain_order="left")
        .join(due.with_columns(is_due=True), on=["key_result_id", "as_of"], how="left", maintain_order="left")
        .with_columns(
            pl.col("is_due").fill_null(value=False),
            member_or_none=pl.col("member").fill_null(""),
            has_members=pl.col("role").is_in(["member", "part"]).any().over("key_result_id"),
            not_finite=_names([_not_finite(name) for name in _FLOATS]),
            days_after_window=(pl.col("as_of") - pl.col("window_end")).dt.total_days(),
            # Of what recurs, or a KPI that does: the first window of its period is still to come.
            is_waiting=pl.col("every").is_not_null()
            & pl.col("window_end").is_null()
            & pl.col("status").fill_null("not_started").eq("not_started"),
            off_its_fraction=pl.when(~is_share_of_nothing).then((pl.col("value") - fraction).abs()),
        )
        .with_columns(
            has_figure=has_value | pl.col("progress").is_not_null() | is_share_of_nothing,
            value_is_explained=has_value
            | is_share_of_nothing
            | (pl.col("has_members") & (pl.col("role") == "own"))
            | has_only_closed_windows,
        )
    )


def _not_finite(name: str) -> pl.Expr:
    return pl.when(~pl.col(name).is_finite()).then(pl.format("{}={}", pl.lit(name), pl.col(name)))


def _due_days(computed: pl.DataFrame, due: pl.DataFrame) -> pl.DataFrame:
    own = computed.filter(pl.col("member").is_null())
    found = own.group_by("key_result_id", "as_of").agg(pl.len().cast(pl.Int64).alias("rows_found"))
    return due.join(found, on=["key_result_id", "as_of"], how="left", maintain_order="left").with_columns(
        pl.col("rows_found").fill_null(0)
    )


def _declared(due: pl.DataFrame, key_results: pl.DataFrame) -> pl.DataFrame:
    days = due.group_by("key_result_id").agg(pl.len().cast(pl.Int64).alias("days_due"))
    newest = due.get_column("as_of").max()
    return (
        key_results.select("key_result_id", "period_start")
        .join(days, on="key_result_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("days_due").fill_null(0),
            is_begun=(pl.col("period_start") <= pl.lit(newest, pl.Date)).fill_null(value=False),
        )
    )
