"""What Pipedrive's changelog does not tell, and what it tells in another currency or of something renamed."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hubspot_agency import day
from pipedrive_told import a_deal, rows, told, told_after

LOST_AND_OPENED = {"status": [(day(8), "open", "lost"), (day(9), "lost", "open")]}


def entered(found: pl.DataFrame) -> list[tuple[Any, ...]]:
    return rows(found, "deal.stage_entered", "occurred_at", "stage")


# Since when it was so


@pytest.mark.parametrize("edited", [day(30), day(60), day(90)])
def test_a_win_that_no_changelog_tells_came_when_pipedrive_says_however_often_the_deal_is_edited_later(
    edited: datetime,
) -> None:
    won = a_deal(LOST_AND_OPENED, status="won", won_time=day(20), close_time=day(20))
    found = told_after("deals", [(edited, won)])
    assert rows(found, "deal.won", "occurred_at") == [(day(20),)]
    assert entered(found)[-1] == (day(20), "ganado")


@pytest.mark.parametrize("times", [{"lost_time": day(20)}, {"close_time": day(20)}])
def test_a_loss_that_no_changelog_tells_came_when_it_was_lost_or_else_closed(times: dict[str, datetime]) -> None:
    found = told_after("deals", [(day(50), a_deal(LOST_AND_OPENED, status="lost", **times))])
    assert rows(found, "deal.lost", "occurred_at") == [(day(20),)]


def test_a_stage_that_no_changelog_tells_was_entered_when_it_last_changed() -> None:
    moved = a_deal({"stage_id": [(day(10), "contacto", "propuesta")]}, stage_id="cierre", stage_change_time=day(25))
    assert entered(told("deals", moved)) == [(day(6), "contacto"), (day(10), "propuesta"), (day(25), "cierre")]


def test_a_deal_without_any_history_was_open_until_it_was_won() -> None:
    found = told("deals", a_deal(status="won", won_time=day(20)))
    assert entered(found) == [(day(6), "propuesta"), (day(20), "ganado")]
    assert rows(found, "deal.created", "stage") == [("propuesta",)]
    assert rows(found, "deal.won", "occurred_at") == [(day(20),)]


def test_a_deal_that_was_won_before_it_was_entered_was_won_then() -> None:
    found = told("deals", a_deal(status="won", won_time=day(2)))
    assert rows(found, "deal.won", "occurred_at") == [(day(2),)]
    assert entered(found) == [(day(2), "ganado")]


def test_a_win_whose_time_was_corrected_came_when_it_says_now() -> None:
    told_on = {"status": [(day(40), "open", "won")]}
    found = told("deals", a_deal(told_on, status="won", won_time=day(31)))
    assert rows(found, "deal.won", "occurred_at") == [(day(31),)]
    assert entered(found) == [(day(6), "propuesta"), (day(31), "ganado")]


def test_a_time_of_a_win_that_differs_by_a_moment_is_no_correction() -> None:
    told_on = {"status": [(day(40), "open", "won")]}
    found = told("deals", a_deal(told_on, status="won", won_time=day(40) + timedelta(seconds=2)))
    assert rows(found, "deal.won", "occurred_at") == [(day(40),)]


def test_what_nothing_dates_has_been_so_since_it_was_first_seen_and_never_moves() -> None:
    was = a_deal({"value": [(day(10), "4000", "5000")]})
    now = a_deal({"value": [(day(10), "4000", "5000")]}, value="7000", owner_id="8")
    after = [told_after("deals", [(day(20), was), *((day(n), now) for n in later)]) for later in ([30], [30, 50, 70])]
    assert [rows(one, "deal.amount_changed", "occurred_at", "amount") for one in after] == [
        [(day(10), Decimal(5000)), (day(30), Decimal(7000))]
    ] * 2
    assert rows(after[1], "deal.created", "amount", "actor") == [(Decimal(4000), "7")]


def test_a_field_without_history_that_is_seen_to_change_was_as_it_was_first_seen_before() -> None:
    found = told_after("deals", [(day(20), a_deal()), (day(40), a_deal(value="9000"))])
    assert rows(found, "deal.created", "amount") == [(Decimal(5000),)]
    assert rows(found, "deal.amount_changed", "occurred_at", "amount") == [(day(40), Decimal(9000))]


def test_what_changed_unseen_and_changed_back_is_told_again() -> None:
    versions = [(day(20), a_deal(value="1")), (day(30), a_deal(value="2")), (day(40), a_deal(value="1"))]
    found = told_after("deals", versions)
    assert rows(found, "deal.amount_changed", "occurred_at", "amount") == [(day(30), Decimal(2)), (day(40), Decimal(1))]


def test_what_was_seen_before_its_changelog_told_of_it_is_told_once() -> None:
    """Earlier versions agree with what the newest changelog tells."""
    steps = [(day(10), "contacto", "propuesta"), (day(30), "propuesta", "cierre")]
    first = a_deal({"stage_id": steps[:1]}, stage_change_time=day(10))
    second = a_deal({"stage_id": steps}, stage_id="cierre", stage_change_time=day(30))
    found = told_after("deals", [(day(10), first), (day(30), second), (day(50), second)])
    assert entered(found) == [(day(6), "contacto"), (day(10), "propuesta"), (day(30), "cierre")]


def test_a_field_that_the_options_did_not_name_before_is_not_new_since_they_do() -> None:
    before = a_deal()
    now = a_deal(producto="A", mercado="Madrid")
    found = told_after("deals", [(day(20), before), (day(20), now), (day(40), now)])
    assert rows(found, "deal.created", "product", "market") == [("A", "Madrid")]
    emptied = told_after("deals", [(day(20), a_deal(producto="")), (day(40), now)])
    assert rows(emptied, "deal.stage_entered", "product") == [("A",)]  # the first that was ever known


# Currencies


def test_an_amount_is_in_the_currency_that_it_had_then() -> None:
    deal = a_deal(
        {
            "value": [(day(10), "5000", "6000")],
            "currency": [(day(20), "EUR", "USD")],
            "status": [(day(30), "open", "won")],
        },
        value="6000", currency="USD", status="won",
    )  # fmt: skip
    found = told("deals", deal)
    assert rows(found, "deal.created", "amount", "currency") == [(Decimal(5000), "EUR")]
    assert rows(found, "deal.amount_changed", "occurred_at", "amount", "currency") == [
        (day(10), Decimal(6000), "EUR"),
        (day(20), Decimal(6000), "USD"),
    ]
    assert rows(found, "deal.stage_entered", "stage", "currency") == [("propuesta", "EUR"), ("ganado", "USD")]
    assert rows(found, "deal.won", "amount", "currency") == [(Decimal(6000), "USD")]


def test_a_value_and_a_currency_that_are_saved_together_are_one_change() -> None:
    at = day(10)
    for later in (at, at + timedelta(seconds=2)):
        deal = a_deal(
            {"value": [(at, "5000", "6000")], "currency": [(later, "EUR", "USD")]}, value="6000", currency="USD"
        )
        changed = rows(told("deals", deal), "deal.amount_changed", "occurred_at", "amount", "currency")
        assert changed == [(at, Decimal(6000), "USD")]


def test_a_win_whose_currency_is_corrected_is_in_the_one_that_holds_now() -> None:
    history = {"status": [(day(30), "open", "won")], "currency": [(day(40), "EUR", "USD")]}
    found = told("deals", a_deal(history, status="won", currency="USD"))
    assert rows(found, "deal.won", "currency") == [("USD",)]


# What ids are called


NAMES_NOW = {
    "pipeline_id": {"1": "ventas"},
    "stage_id": {"101": "contacto", "102": "propuesta"},
    "producto": {"7": "Uno", "8": "Dos"},
}


def test_stages_and_options_are_called_what_they_are_called_now_in_histories_and_versions_too() -> None:
    steps = {"stage_id": [(day(10), "101", "102")], "producto": [(day(12), "7", "8")]}
    deal = a_deal(steps, pipeline_id="1", stage_id="102", producto="8")
    renamed = {**NAMES_NOW, "stage_id": {"101": "primer contacto", "102": "propuesta"}, "producto": {"7": "I"}}
    for names, stage, products in ((NAMES_NOW, "contacto", ["Uno", "Uno"]), (renamed, "primer contacto", ["I", "I"])):
        found = told_after("deals", [(day(12), deal), (day(40), deal)], names=names)
        assert entered(found) == [(day(6), stage), (day(10), "propuesta")]
        assert [one for (one,) in rows(found, "deal.stage_entered", "product")] == products


def test_an_option_that_nothing_names_any_more_is_called_by_its_id() -> None:
    deal = a_deal({"stage_id": [(day(10), "999", "102")]}, pipeline_id="1", stage_id="102", producto="9")
    found = told("deals", deal, names=NAMES_NOW)
    assert entered(found) == [(day(6), "999"), (day(10), "propuesta")]
    assert rows(found, "deal.created", "product") == [("9",)]


# What is strange


@pytest.mark.parametrize("stream", ["deals", "persons"])
def test_a_record_whose_changelog_or_list_was_strange_is_set_aside_alone_and_says_why(stream: str) -> None:
    odd = {"history": {}, "strange": "its changelog has an entry that names no field"}
    person = {"add_time": "2026-01-06T09:00:00Z", "values": {"ciclo_de_vida": "lead"}, "history": {}}
    whole = a_deal() if stream == "deals" else person
    found = told(stream, {**whole, **odd}, whole, {"strange": "it has another shape"})
    assert found.drop_nulls("problem").select("record_key", "problem").rows() == [
        ("1", "its changelog has an entry that names no field"),
        ("3", "it has another shape"),
    ]
    assert set(found.filter(pl.col("problem").is_null())["record_key"]) == {"2"}
