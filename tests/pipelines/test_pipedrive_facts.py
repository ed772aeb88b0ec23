"""What Pipedrive's stored records mean, told without Pipedrive: histories, phases, forecasts, labels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hubspot_agency import day
from hypothesis import given
from hypothesis import strategies as st
from pipedrive_office import OPTIONS
from pipedrive_told import a_deal, payload, rows, told

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.pipedrive import PipedriveOptions
from pipelines.pipedrive.changes import changes, instant
from pipelines.pipedrive.declared import Field
from pipelines.pipedrive.stored import history_key, payload_of, together
from pipelines.turns import number

# Times, numbers, labels


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-06T09:00:00Z", datetime(2026, 1, 6, 9, tzinfo=UTC)),
        ("2026-01-06T10:00:00+01:00", datetime(2026, 1, 6, 9, tzinfo=UTC)),
        ("2026-01-06T09:00:00.551Z", datetime(2026, 1, 6, 9, 0, 0, 551_000, tzinfo=UTC)),
        ("2026-01-06 09:00:00", datetime(2026, 1, 6, 9, tzinfo=UTC)),  # of the first version
        ("2026-07-06", datetime(2026, 7, 5, 22, tzinfo=UTC)),  # a day of the organisation's
        ("06/01/2026", None),
        ("ayer", None),
        ("", None),
    ],
)
def test_a_time_is_read_in_each_of_the_shapes_that_pipedrive_writes(given: str, expected: datetime | None) -> None:
    found = pl.LazyFrame({"text": [given]}).select(instant(pl.col("text"), "Europe/Madrid")).collect().item()
    assert found == expected


FIELD = Field(("f" * 40,), labels={"1": "Uno", "2": "Dos"})
SEVERAL = Field(("f" * 40,), has_several=True, labels={"1": "Uno", "2": "Dos"})


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (FIELD, 1, "1"),
        (FIELD, "1", "1"),  # as a changelog has it
        (FIELD, {"id": 2, "label": "Dos"}, "2"),
        (FIELD, None, None),
        (FIELD, "", None),
        (SEVERAL, [2, 1], "1;2"),
        (SEVERAL, "1,2", "1;2"),
        (SEVERAL, [{"id": 1, "label": "Uno"}], "1"),
        (SEVERAL, "", None),
        (SEVERAL, [], None),
        (Field(("value",)), 5000.0, "5000"),
        (Field(("value",)), 5000.5, "5000.5"),
        (Field(("value",)), True, "true"),
        (Field(("f" * 40,)), {"value": 12.0, "currency": "EUR"}, "12"),
    ],
)
def test_a_value_is_one_word_in_lists_and_in_changelogs(field: Field, value: Any, expected: str | None) -> None:
    assert field.text(value) == expected


# Histories


VALUE = st.sampled_from(["a", "b", None])


@given(first=VALUE, steps=st.lists(st.tuples(st.integers(1, 90), VALUE), max_size=8))
def test_changes_are_those_moments_at_which_the_value_became_another_one(
    first: str | None, steps: list[tuple[int, str | None]]
) -> None:
    """Against a walk through the same history, one step after the other."""
    steps = sorted(steps, key=lambda step: step[0])
    expected, value, entries = ([] if first is None else [(day(1), first)]), first, []
    for n, new in steps:
        entries.append((day(1) + timedelta(days=n), value, new))
        if new != value:
            expected.append((entries[-1][0], new))
        value = new
    record = payload({"x": value or ""}, {"x": entries} if entries else {})
    shape = {"record_key": pl.String(), "created_at": UTC_MICROSECONDS, "revision": UTC_MICROSECONDS}
    frame = pl.DataFrame(
        [{"record_key": key, "created_at": day(1), "revision": day(120), "payload": record}
         for key in ("1", history_key("1"))],
        schema={**shape, "payload": payload_of((), ("x",), has_histories=True)},
    )  # fmt: skip
    found = changes(together(frame.unnest("payload").lazy()), "x").select("at", "value").collect().rows()
    assert found == expected


def test_what_no_changelog_says_a_record_has_had_since_it_was_last_changed() -> None:
    """An import may change a deal without a line in its changelog."""
    deal = a_deal({"stage_id": [(day(10), "contacto", "propuesta")]}, stage_id="negociacion")
    entered = rows(told("deals", deal), "deal.stage_entered", "occurred_at", "stage")
    assert entered == [(day(6), "contacto"), (day(10), "propuesta"), (day(60), "negociacion")]


def test_a_change_that_came_while_the_record_was_read_is_told_once() -> None:
    """The list said the old stage, and the changelog already has the new one; the next reading says both alike."""
    stale = a_deal({"stage_id": [(day(60, 10), "propuesta", "negociacion")]}, stage_id="propuesta")
    entered = rows(told("deals", stale), "deal.stage_entered", "occurred_at", "stage")
    assert entered == [(day(6), "propuesta"), (day(60, 10), "negociacion")]


def test_a_line_that_is_a_moment_later_than_the_records_last_change_is_told_once() -> None:
    """Both are written by different clocks."""
    late = a_deal({"stage_id": [(day(60, 9, 0, 1), "contacto", "propuesta")]}, stage_id="propuesta")
    entered = rows(told("deals", late), "deal.stage_entered", "occurred_at", "stage")
    assert entered == [(day(6), "contacto"), (day(60, 9, 0, 1), "propuesta")]


def test_an_amount_that_is_written_otherwise_is_no_change() -> None:
    deal = a_deal({"value": [(day(10), "5000", "5000.00"), (day(12), "5000.00", "6000")]}, value="6000.0")
    found = rows(told("deals", deal), "deal.amount_changed", "occurred_at", "amount")
    assert found == [(day(12), Decimal(6000))]


def test_numbers_are_exact() -> None:
    frame = pl.LazyFrame({"text": ["0.1", "1234567890123.45", "12 000", "NaN"]})
    found = frame.select(number(pl.col("text"))).collect().to_series().to_list()
    assert found == [Decimal("0.1"), Decimal("1234567890123.45"), None, None]


# Stages and statuses


def test_a_deal_that_is_won_or_lost_is_in_no_stage_until_it_is_opened_again() -> None:
    deal = a_deal(
        {
            "status": [(day(10), "open", "lost"), (day(20), "lost", "open"), (day(30), "open", "won")],
            "stage_id": [(day(20), "contacto", "propuesta")],
        },
        status="won",
    )
    found = told("deals", deal)
    assert rows(found, "deal.stage_entered", "occurred_at", "stage") == [
        (day(6), "contacto"),
        (day(10), "perdido"),
        (day(20), "propuesta"),  # opened again and moved in one click
        (day(30), "ganado"),
    ]
    assert rows(found, "deal.won", "occurred_at") == [(day(30),)]
    assert rows(found, "deal.lost", "occurred_at") == []


def test_a_deal_that_was_won_when_it_was_entered_was_won_then() -> None:
    found = told("deals", a_deal(status="won"))
    assert rows(found, "deal.won", "occurred_at", "amount") == [(day(6), Decimal(5000))]
    assert rows(found, "deal.created", "stage") == [("ganado",)]


def test_deals_of_other_pipelines_state_nothing_whatever_is_wrong_with_them() -> None:
    assert told("deals", a_deal(pipeline_id="otra", value="mucho", add_time="ayer")).height == 0


def test_stages_are_called_what_the_options_say() -> None:
    sales = OPTIONS.sales[0].model_dump(exclude_defaults=True)
    called = PipedriveOptions.model_validate(
        {"domain": "acme", "sales": [{**sales, "name": "sales", "stages": {"propuesta": "offer"}}]}
    )
    found = told("deals", a_deal(), options=called)
    assert rows(found, "deal.stage_entered", "stage", "pipeline") == [("offer", "sales")]


def test_attributes_and_owner_are_as_they_were_or_the_first_that_were_ever_known() -> None:
    deal = a_deal(
        {
            "producto": [(day(10), None, "A"), (day(20), "A", "B")],
            "owner_id": [(day(15), "7", "8")],
            "status": [(day(30), "open", "won")],
        },
        producto="B",
        owner_id="8",
        status="won",
    )
    found = told("deals", deal)
    assert rows(found, "deal.created", "product", "actor") == [("A", "7")]
    assert rows(found, "deal.won", "product", "actor") == [("B", "8")]


def test_the_product_attached_to_a_deal_is_what_is_sold_where_there_is_only_one() -> None:
    sales = {**OPTIONS.sales[0].model_dump(exclude_defaults=True), "product": None, "product_of_lines": True}
    options = PipedriveOptions.model_validate({"domain": "acme", "sales": [sales]})
    deals = [{**a_deal(status="won"), "products": products} for products in (["A"], ["A", "B"], [])]
    found = told("deals", *deals, options=options)
    assert rows(found, "deal.won", "product") == [("A",), (None,), (None,)]
    assert rows(found, "deal.created", "product") == [("A",), (None,), (None,)]
