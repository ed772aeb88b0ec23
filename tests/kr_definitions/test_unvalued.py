"""What counts as nothing in a figure of money, as nobody says its amount: it is named, and nothing else is."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from builders import definition, event, log, organisation

from kr_definitions.unvalued import unvalued

BY_AMOUNT = {
    "opened_by": "subscription.started",
    "closed_by": "subscription.ended",
    "value": "amount",
    "valued_by": "subscription.amount_changed",
}
JULY = {"month": "2025-07"}


def said(event_type: str, day: str, subject: str, amount: str | None = None, **more: Any) -> dict[str, Any]:
    currency = None if amount is None else "EUR"
    return event(event_type, day, subject, amount=amount, currency=currency, account_id=subject, **more)


def named(*events: dict[str, Any], day: date = date(2025, 7, 20), **declared: Any) -> list[str]:
    of = definition(**{"type": "kpi", "period": JULY, **declared})
    return unvalued([of], organisation(), log(events), day).get_column("subject_id").to_list()


STARTED = [
    said("subscription.started", "2025-06-25", name, amount) for name, amount in (("known", "50"), ("tiered", None))
]


@pytest.mark.parametrize("measure", [{"open": BY_AMOUNT}, {"retention": BY_AMOUNT}])
def test_what_is_open_without_an_amount_is_named_until_it_has_one_or_is_over(measure: dict[str, Any]) -> None:
    assert named(*STARTED, measure=measure) == ["tiered"]
    assert named(STARTED[0], measure=measure) == []
    priced = said("subscription.amount_changed", "2025-06-27", "tiered", "80")
    assert named(*STARTED, priced, measure=measure) == []
    over = said("subscription.ended", "2025-06-28", "tiered")
    assert named(*STARTED, over, measure=measure) == []


def test_a_sum_names_what_it_adds_without_an_amount_and_a_count_names_nothing() -> None:
    ended = [said("subscription.ended", f"2025-0{month}-04", str(month)) for month in (6, 7)]
    assert named(*ended, measure={"sum": "amount", "of": "subscription.ended"}) == ["7"]
    assert named(*ended, measure={"count": "subscription.ended"}) == []
    ratio = {
        "ratio": {
            "numerator": {"sum": "amount", "of": "subscription.started"},
            "denominator": {"count": "subscription.ended"},
        }
    }
    assert named(*ended, said("subscription.started", "2025-07-01", "new"), measure=ratio) == ["new"]


def test_an_amount_that_is_nothing_is_known() -> None:
    assert named(said("subscription.started", "2025-07-01", "trial", "0"), measure={"open": BY_AMOUNT}) == []
