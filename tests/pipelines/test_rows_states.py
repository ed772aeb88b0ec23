"""Rows that are the successive states of things: changes, what stands, what was first, and what was entered late."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.rows import states
from pipelines.rows.declaration import History, RowStream
from pipelines.rows.mapping import Mapping
from pipelines.rows.records import CHANGED, KEY, PROBLEM, TEXTS, record_key

DEALS: dict[str, Any] = {
    "key": "id",
    "revision": {"column": "since", "zone": "UTC"},
    "columns": {"amount": "number"},
    "events": [
        {"type": "deal.created", "once": True, "subject": "id", "amount": "amount", "currency": "'EUR'",
         "attributes": {"market": "market"}},
        {"type": "deal.stage_entered", "each_change_of": "stage", "when": "stage is not null", "subject": "id",
         "amount": "amount", "currency": "'EUR'", "attributes": {"stage": "stage"}},
        {"type": "deal.won", "while": "stage = 'won'", "subject": "id", "amount": "amount", "currency": "'EUR'",
         "actor": "owner", "attributes": {"market": "market"}},
    ],
}  # fmt: skip
COLUMNS = ("id", "since", "stage", "amount", "market", "owner")


def facts(*rows: tuple[str | None, ...], declared: dict[str, Any] = DEALS) -> pl.DataFrame:
    """The facts and problems that rows (`COLUMNS`) make, whatever the order that they come in."""
    stream = RowStream.model_validate(declared)
    mapping = Mapping(stream, "Europe/Madrid")
    texts = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row").select(stream.used)
    keyed = mapping.read(texts.lazy().with_columns(pl.struct(stream.used).alias(TEXTS), pl.lit(None).alias(PROBLEM)))
    records = keyed.select(
        record_key(stream).alias("record_key"),
        pl.col(TEXTS).alias("row"),
        pl.lit(None, pl.String).alias("place"),
        pl.lit(None, pl.String).alias("problem"),
    )
    assert keyed.select(pl.col(CHANGED).is_null().sum()).collect().item() == 0
    return mapping.facts(records.collect().lazy()).collect().sort("occurred_at", "fact_key", nulls_last=True)


def said(found: pl.DataFrame, event_type: str, *columns: str) -> list[tuple[Any, ...]]:
    return found.filter(pl.col("event_type") == event_type).select(columns).rows()


def at(day: int) -> datetime:
    return datetime(2026, 3, day, 9, tzinfo=UTC)


def row(
    day: int, stage: str | None, amount: str | None = "100", market: str | None = "ES", **more: str
) -> tuple[str | None, ...]:
    return (more.get("id", "1"), f"2026-03-{day:02} 09:00", stage, amount, market, more.get("owner", "7"))


def test_each_change_of_a_column_is_an_event_and_a_row_that_changes_another_one_is_none() -> None:
    found = facts(row(1, "new"), row(2, "new", "200"), row(3, "offer"), row(4, "new"), row(5, None), row(6, "new"))
    assert said(found, "deal.stage_entered", "stage", "occurred_at") == [
        ("new", at(1)),
        ("offer", at(3)),
        ("new", at(4)),
        ("new", at(6)),
    ]


def test_what_stands_does_so_since_it_came_to_be_with_its_amount_of_now() -> None:
    found = facts(row(1, "new"), row(2, "won", "200", owner="8"), row(3, "won", "250", owner="9"))
    assert said(found, "deal.won", "occurred_at", "amount", "actor") == [(at(2), Decimal(250), "8")]


def test_what_was_put_back_does_not_stand_and_stands_again_since_it_came_back() -> None:
    assert said(facts(row(1, "won"), row(2, "offer")), "deal.won", "occurred_at") == []
    found = facts(row(1, "won"), row(2, "offer"), row(3, "won"))
    assert said(found, "deal.won", "fact_key", "occurred_at") == [("1/deal.won", at(3))]


def test_once_is_the_first_row_that_holds_and_stays_it_whatever_comes_later() -> None:
    assert said(facts(row(2, "offer", "200"), row(1, "new")), "deal.created", "occurred_at", "amount") == [
        (at(1), Decimal(100))
    ]


def test_what_had_not_been_entered_is_what_was_entered_first_but_for_amounts() -> None:
    found = facts(row(1, "new", None, None), row(2, "new", "300", "FR"), row(3, "new", "300", "DE"))
    assert said(found, "deal.created", "market", "amount", "currency") == [("FR", None, None)]


def test_what_had_been_emptied_stays_empty() -> None:
    found = facts(row(1, "new", market="FR"), row(2, "won", market=None), row(3, "won", market="DE"))
    assert said(found, "deal.won", "market") == [(None,)]


def test_things_are_told_apart_and_the_order_in_which_rows_come_is_nothing() -> None:
    rows = [row(day, stage, id=id_) for id_ in ("1", "2") for day, stage in ((1, "new"), (2, "won"), (4, "won"))]
    assert facts(*rows).equals(facts(*reversed(rows)))
    assert said(facts(*rows), "deal.won", "subject_id") == [("1",), ("2",)]


def test_a_row_that_cannot_be_understood_is_set_aside_and_the_others_of_its_thing_speak() -> None:
    found = facts(row(1, "new"), row(2, "won", "many"), row(3, "won"))
    assert said(found, "deal.won", "occurred_at") == [(at(3),)]
    assert found.get_column("problem").drop_nulls().to_list() == [
        "amount: 'aaaa' is not a number with '.' before the decimals"
    ]


def test_all_facts_of_a_thing_stay_with_its_first_record() -> None:
    before = facts(row(1, "new"), row(2, "won"))
    after = facts(row(1, "new"), row(2, "won"), row(3, "won", "900"))
    assert (
        set(before.get_column("record_key")) == set(after.get_column("record_key")) == {"1@2026-03-01T09:00:00.000000Z"}
    )


def test_changes_of_rows_at_one_time_are_kept_apart_by_what_orders_them() -> None:
    declared = {**DEALS, "revision": {**DEALS["revision"], "then": "amount"}}
    found = facts(row(1, "new", "1"), row(1, "offer", "2"), row(1, "won", "3"), declared=declared)
    assert said(found, "deal.stage_entered", "stage") == [("new",), ("offer",), ("won",)]
    assert found.get_column("fact_key").is_unique().all()


# A history of fields

FIELDS = ("stage", "amount", "owner")
WRITTEN = st.tuples(
    st.integers(0, 40),
    st.sampled_from(FIELDS),
    st.one_of(st.none(), st.sampled_from(["a", "b"])),
    st.sampled_from("12"),
)


@given(
    written=st.lists(WRITTEN, max_size=14, unique_by=lambda row: (row[0], row[1], row[3])),
    pause=st.sampled_from([0, 5]),
)
def test_fields_are_filled_as_somebody_would_who_goes_through_them_one_by_one(
    written: list[tuple[int, str, str | None, str]], pause: int
) -> None:
    history = History(field="name", value="value", fields=FIELDS, saved_together_seconds=pause)
    rows = sorted(written, key=lambda row: (row[3], row[0], row[1]))
    frame = pl.DataFrame(
        [
            {KEY: f"{id_}@{second:02}/{name}", CHANGED: at(1).replace(second=second), "name": name,
             **{field: value if field == name else None for field in FIELDS}}
            for second, name, value, id_ in rows
        ],
        schema={KEY: pl.String, CHANGED: pl.Datetime("us", "UTC"), **dict.fromkeys(("name", *FIELDS), pl.String)},
    )  # fmt: skip
    found = states.filled(states.grouped(frame.lazy()), history).select(KEY, CHANGED, *FIELDS).collect().rows()
    assert found == _one_by_one(rows, pause)


def _one_by_one(rows: list[tuple[int, str, str | None, str]], pause: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for id_ in sorted({row[3] for row in rows}):
        said: dict[str, str | None] = dict.fromkeys(FIELDS)
        for save in _saves([row for row in rows if row[3] == id_], pause):
            said |= {name: value for _, name, value, _ in save}
            second, name = save[0][:2]
            found.append((f"{id_}@{second:02}/{name}", at(1).replace(second=second), *said.values()))
    return found


def _saves(rows: list[Any], pause: int) -> list[list[Any]]:
    bursts: list[list[Any]] = []
    for row in rows:
        if not bursts or row[0] - bursts[-1][-1][0] > pause:
            bursts.append([])
        bursts[-1].append(row)
    found: list[list[Any]] = []
    for burst in bursts:
        is_one = len({name for _, name, _, _ in burst}) == len(burst)
        moments = sorted({second for second, *_ in burst})
        found += [burst] if is_one else [[row for row in burst if row[0] == moment] for moment in moments]
    return found
