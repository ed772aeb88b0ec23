"""Why a figure is what it is, and why it is another one than before."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from builders import definition, event, log, organisation

from kr_definitions.explaining import Explained, changed, explain

JULY: dict[str, Any] = {"period": {"month": "2026-07"}}
DONE = {"share": {"of": "ticket.created", "reached": "priority = 'done'"}}


def items(done: int, all_of_them: int, day: str = "2026-07-01") -> list[dict[str, Any]]:
    """Items of a project, the first ones done."""
    return [
        event("ticket.created", day, f"item {n}", key=f"{n}", priority="done" if n < done else "open")
        for n in range(all_of_them)
    ]


def explained(events: list[dict[str, Any]], day: str, member: str | None = None, **declared: Any) -> Explained:
    kr = definition(**{**JULY, **declared})
    found = explain(kr, organisation(), log(events, types=kr.types), date.fromisoformat(day), member)
    assert found is not None
    return found


def test_3_of_10_becomes_27_percent_by_the_item_that_appeared_as_in_jira():
    before = items(3, 10)
    after = [*before, event("ticket.created", "2026-07-02", "item 10", key="10", priority="open")]
    share = {"measure": DONE, "target": {"at_least": 1}}
    first, second = explained(after, "2026-07-01", **share), explained(after, "2026-07-02", **share)
    assert (0.3, pytest.approx(0.2727, abs=1e-4)) == (first.figure["value"], second.figure["value"])
    assert (10, 11) == (first.events.height, second.events.height)
    assert (True, True) == (first.adds_up, second.adds_up)
    appeared = changed(first.events, second.events).filter(change="entered")
    assert [("item 10", 0, 1)] == appeared.select("subject_id", "numerator", "denominator").rows()


def test_every_event_of_a_sum_says_what_it_gives_and_where_it_is_from():
    events = [
        event(
            "deal.won",
            f"2026-07-0{n}",
            str(n),
            key=str(n),
            amount=str(n * 10),
            currency="EUR",
            source_url=f"https://crm/{n}",
        )
        for n in (1, 2, 3)
    ]
    found = explained(events, "2026-07-02", measure={"sum": "amount", "of": "deal.won"}, target={"value": 100})
    assert [(20, "https://crm/2"), (10, "https://crm/1")] == found.events.select("contribution", "source_url").rows()
    assert found.adds_up


def test_what_two_events_make_names_both():
    events = [event("ticket.created", "2026-07-01 10:00", "t"), event("ticket.first_replied", "2026-07-01 12:00", "t")]
    measure = {"duration": {"from": "ticket.created", "to": "ticket.first_replied"}, "statistic": "mean"}
    found = explained(events, "2026-07-01", measure=measure, target={"at_most": 3})
    (row,) = found.events.to_dicts()
    assert (2.0, 2.0) == (found.figure["value"], row["contribution"])
    assert ("ticket.first_replied", 8, 10) == (row["event_type"], row["began_at"].hour, row["occurred_at"].hour)


def test_the_whole_of_members_is_explained_by_them():
    events = [event("deal.won", "2026-07-01", str(n), market="norte" if n else "sur") for n in range(4)]
    declared = {"each": {"dimension": "market", "members": ["norte", "sur"]}, "target": {"value": 3}}
    found = explained(events, "2026-07-01", **declared)
    assert [("norte", 3, True), ("sur", 1, False)] == found.parts.select("member", "value", "is_met").sort(
        "member"
    ).rows()
    assert 3 == explained(events, "2026-07-01", "norte", **declared).events.height


def test_there_is_nothing_to_explain_on_a_day_outside_the_period():
    kr = definition(**JULY)
    assert explain(kr, organisation(), log([], types=kr.types), date(2026, 8, 1)) is None


def test_what_left_what_entered_and_what_moved_are_told_apart():
    def told(*amounts: tuple[str, str, str]) -> Explained:
        rows = [event("deal.won", day, key, key=key, amount=amount, currency="EUR") for key, day, amount in amounts]
        return explained(rows, "2026-07-09", measure={"sum": "amount", "of": "deal.won"}, target={"value": 1})

    before = told(("same", "2026-07-01", "5"), ("gone", "2026-07-01", "7"), ("mended", "2026-07-02", "10"))
    after = told(("same", "2026-07-01", "5"), ("new", "2026-07-03", "1"), ("mended", "2026-07-02", "4"))
    found = changed(before.events, after.events).select("change", "subject_id", "contribution_before", "contribution")
    assert [("left", "gone", 7, None), ("corrected", "mended", 10, 4), ("entered", "new", None, 1)] == found.rows()


def test_an_event_that_gives_something_else_has_moved():
    events = [
        event("ticket.created", "2026-07-01", "a"),
        event("ticket.solved", "2026-07-03", "a"),
        event("ticket.created", "2026-07-02", "b"),
    ]
    declared = {"measure": {"conversion": {"from": "ticket.created", "to": "ticket.solved"}}, "target": {"at_least": 1}}
    first, second = (explained(events, day, **declared) for day in ("2026-07-02", "2026-07-03"))
    (row,) = changed(first.events, second.events).filter(change="moved").to_dicts()
    assert ("a", 0, 1) == (row["subject_id"], row["numerator_before"], row["numerator"])


def test_events_of_a_ratio_have_not_moved_by_there_being_more_of_them() -> None:
    share = definition(measure={"share": {"of": "survey.answered", "reached": "rating = 'good'"}}, unit="share",
                       target={"at_least": 1})  # fmt: skip
    told = log([event("survey.answered", f"2026-03-0{n}", str(n), rating="good", key=str(n)) for n in (1, 2, 3)])
    days = [explain(share, organisation(), told, date(2026, 3, day)) for day in (2, 3)]
    assert all(day is not None for day in days)
    found = changed(*(day.events for day in days if day is not None))
    assert found.select("change", "subject_id").rows() == [("entered", "3")]
