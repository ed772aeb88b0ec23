"""Amounts of different currencies are never added; a window with nothing to measure counts in nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

from builders import definition, event, log, on, organisation

from kr_definitions.compute import compute

INVOICED = {"measure": {"sum": "amount", "of": "invoice.issued"}, "target": {"value": 100}}


def invoice(day: str, amount: str, currency: str) -> dict[str, Any]:
    return event("invoice.issued", day, f"{day}-{currency}", amount=amount, currency=currency)


def figures(events: list[dict[str, Any]], through: date, **content: Any):
    return compute([definition(**content)], organisation(), log(events), through)


def test_euros_and_yen_are_not_added_but_told_as_unreliable_from_that_day_on():
    found = figures(
        [invoice("2026-03-02", "100", "EUR"), invoice("2026-03-05", "100", "JPY")], date(2026, 3, 6), **INVOICED
    )
    assert (100.0, "achieved") == (on(found, "2026-03-04"), on(found, "2026-03-04", "status"))
    assert (None, "unreliable") == (on(found, "2026-03-05"), on(found, "2026-03-05", "status"))
    assert (None, "unreliable") == (on(found, "2026-03-06"), on(found, "2026-03-06", "status"))


def test_a_foreign_amount_spoils_the_windows_that_hold_it_and_no_other():
    found = figures(
        [invoice("2026-03-02", "100", "JPY"), invoice("2026-04-02", "40", "EUR")],
        date(2026, 4, 3),
        every="month",
        **INVOICED,
    )
    assert (None, 40.0) == (on(found, "2026-03-31"), on(found, "2026-04-03"))


def test_a_baseline_with_a_foreign_amount_is_not_known():
    target = {"relative": 1, "baseline": "previous_year"}
    found = figures(
        [invoice("2025-03-02", "100", "USD"), invoice("2026-03-02", "10", "EUR")],
        date(2026, 3, 3),
        **{**INVOICED, "target": {"relative": target["relative"], "baseline": "previous_year"}},
    )
    assert (10.0, None, "unreliable") == tuple(on(found, "2026-03-03", name) for name in ("value", "target", "status"))


def test_counting_invoices_does_not_care_about_their_currency():
    found = figures([invoice("2026-03-02", "100", "JPY")], date(2026, 3, 3), measure={"count": "invoice.issued"})
    assert on(found, "2026-03-03") == 1.0


def test_a_month_without_answers_counts_neither_as_met_nor_as_missed():
    answers = [event("survey.answered", day, day, rating="good") for day in ("2026-01-10", "2026-03-10")]
    found = figures(
        answers,
        date(2026, 3, 31),
        every="month",
        measure={"share": {"of": "survey.answered", "reached": "rating = 'good'"}},
        target={"at_least": 1},
    )
    assert (1.0, 1, 1) == tuple(on(found, "2026-02-28", name) for name in ("progress", "windows_met", "windows_closed"))
    assert (1.0, 2, 2) == tuple(on(found, "2026-03-31", name) for name in ("progress", "windows_met", "windows_closed"))
