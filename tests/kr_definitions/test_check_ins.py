"""What a person says of a key result: what may be said, how long it holds, and what it would mean; never a figure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pytest
from builders import definition, event, facts, log, organisation
from hypothesis import given, settings
from hypothesis import strategies as st

from kr_definitions import catalogue
from kr_definitions.check_ins import CHECK_INS_SCHEMA, STATED_SCHEMA, held_to, in_force, stated
from kr_definitions.compute import compute
from kr_definitions.coverage import Feeds
from kr_definitions.history import COMPUTED_SCHEMA
from kr_definitions.measures import Measured
from kr_definitions.periods import Span

KR = "test.team.kr"
YEAR = Span(date(2026, 1, 1), date(2026, 12, 31))
SAID_AT = datetime(2026, 11, 21, 9, tzinfo=UTC)
LAST = date(2026, 11, 20)


def said(on: str, at: datetime = SAID_AT, **says: Any) -> dict[str, Any]:
    """A check-in as it was stated, of a day."""
    told = {"key_result_id": KR, "checked_in_on": date.fromisoformat(on), "checked_in_at": at, "recorded_at": at}
    return {**told, "event_id": f"{on}{at}{says}", **says}


def in_force_of(
    check_ins: list[dict[str, Any]], events: list[dict[str, Any]], through: date = LAST, **declared: Any
) -> pl.DataFrame:
    """The check-ins in force beside the figures of one key result."""
    kr, whose = definition(**declared), organisation()
    figures = compute([kr], whose, log(events, types=kr.types), through)
    return in_force([kr], whose, figures, pl.DataFrame(check_ins, schema=dict(STATED_SCHEMA)))


def row_of(day: str, frame: pl.DataFrame) -> dict[str, Any]:
    return frame.row(by_predicate=pl.col("as_of") == date.fromisoformat(day), named=True)


def won(*days: str) -> list[dict[str, Any]]:
    return [event("deal.won", day, str(n)) for n, day in enumerate(days)]


# --- what may be said -------------------------------------------------------------------------------------------------


def problem(**says: Any) -> str | None:
    """What is wrong with a check-in of the test's key result, said on 20 November."""
    told = {"confidence": "0.7", **says}
    fact = event("check_in.recorded", told.pop("at", "2026-11-20"), told.pop("of", KR), **told)
    declared = {KR: YEAR, "test.team.named_by_an_event": None}
    held = held_to(facts([fact]), declared, "Europe/Madrid").collect()
    found: str | None = held.get_column("problem").item()
    return found


@pytest.mark.parametrize(
    ("ends", "value", "found"),
    [
        ((0, 1), "0.95", None),
        ((0, 1), "95", "value is a number from 0 to 1, not 95: did you mean 0.95?"),
        ((0, 1), "1.5", "value is a number from 0 to 1, not 1.5: did you mean 0.015?"),
        ((0, 1), "-0.5", "value is a number from 0 to 1, not -0.5"),
        ((0, None), "1000000", None),
        ((0, None), "-0.01", "value is a number not below 0, not -0.01"),
        ((None, 1), "2.25", "value is a number 1 at most, not 2.25: did you mean 0.0225?"),
        ((None, None), "-40", None),
        ((0, 5), "100", "value is a number from 0 to 5, not 100"),
    ],
)
def test_a_value_lies_between_the_ends_of_its_measure(ends, value, found):
    bounds = {KR: tuple(None if end is None else Decimal(end) for end in ends)}
    fact = event("check_in.recorded", "2026-11-20", KR, stated_value=value)
    held = held_to(facts([fact]), {KR: YEAR}, "Europe/Madrid", bounds).collect()
    assert [found] == held.get_column("problem").to_list()


@pytest.mark.parametrize(
    "says",
    [
        {},
        {"confidence": None, "note": "It goes well"},
        {"confidence": None, "stated_value": "-3"},
        {"confidence": "0"},
        {"confidence": "1"},
        {"as_of": date(2026, 1, 1)},
        {"as_of": date(2026, 11, 20)},
        {"of": "test.team.named_by_an_event", "as_of": date(2020, 1, 1)},
    ],
)
def test_a_check_in_says_something_of_a_day_of_the_period(says):
    assert problem(**says) is None


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ({"as_of": date(2026, 11, 21)}, "2026-11-21 is in the future"),
        (
            {"as_of": date(2025, 12, 31)},
            f"2025-12-31 is not in the period of {KR}, which is 2026-01-01 to 2026-12-31",
        ),
        ({"confidence": None}, "it says nothing: it takes a confidence, a note or a value"),
        ({"confidence": None, "note": "  "}, "it says nothing: it takes a confidence, a note or a value"),
        ({"of": "test.team.kx"}, f"there is no key result 'test.team.kx'. Did you mean {KR}?"),
        ({"of": "qqq"}, "there is no key result 'qqq'"),
    ],
)
def test_a_check_in_that_cannot_be_one_is_told(says, found):
    assert found == problem(**says)


def test_what_is_no_id_is_never_repeated():
    assert problem(of="Ana García") == "there is no key result of that name"


def test_a_check_in_without_a_day_is_of_the_day_in_the_organisations_zone_on_which_it_was_said():
    at_night = event("check_in.recorded", "2026-11-21 00:30", KR, confidence="0.5")
    held = held_to(facts([at_night]), {KR: YEAR}, "Europe/Madrid").collect()
    assert date(2026, 11, 21) == held.get_column("as_of").item()
    held = held_to(facts([at_night]), {KR: YEAR}, "America/Bogota").collect()
    assert date(2026, 11, 20) == held.get_column("as_of").item()


def test_other_facts_and_their_problems_stay_as_they_are():
    told = facts([event("deal.won", "2026-11-20"), event("call.made", "2026-11-20")])
    told = told.with_columns(problem=pl.Series(["no amount", None]))
    assert held_to(told, {}, "UTC").collect().equals(told.collect())


def test_facts_need_not_have_the_columns_of_a_check_in():
    few = facts([event("deal.won", "2026-11-20")]).select("event_type", "subject_id", "occurred_at")
    assert held_to(few, {KR: YEAR}, "UTC").collect().get_column("problem").to_list() == [None]


def test_what_was_withdrawn_is_not_said():
    one = event("check_in.recorded", "2026-11-20", KR, confidence="0.5", as_of=date(2026, 11, 19), key="one")
    held = log([one]).collect()
    found = stated(held.lazy()).collect()
    assert (KR, date(2026, 11, 19), 0.5) == found.select("key_result_id", "checked_in_on", "confidence").row(0)
    withdrawn = held.filter(pl.col("event_type") == "check_in.recorded").with_columns(
        pl.lit("fact.retracted").alias("event_type"), retracts="event_id", event_id=pl.lit("r")
    )
    assert stated(pl.concat([held, withdrawn]).lazy()).collect().is_empty()


# --- how long it holds ------------------------------------------------------------------------------------------------


def test_a_check_in_holds_from_its_day_until_the_next_one():
    found = in_force_of([said("2026-03-02", confidence=0.5), said("2026-03-05", confidence=0.9)], won("2026-01-05"))
    assert [(date(2026, 3, 2), 0.5)] * 3 == found.select("checked_in_on", "confidence").rows()[:3]
    assert (date(2026, 3, 5), 0.9) == found.select("as_of", "confidence").row(3)
    assert (found["as_of"].min(), found["as_of"].max()) == (date(2026, 3, 2), LAST)


def test_of_what_recurs_it_holds_to_the_end_of_its_window():
    found = in_force_of([said("2026-03-10", confidence=0.5)], won("2026-01-05"), every="month")
    assert (date(2026, 3, 10), date(2026, 3, 31)) == (found["as_of"].min(), found["as_of"].max())


def test_of_several_of_one_day_the_last_one_said_holds():
    later = SAID_AT + timedelta(minutes=1)
    told = [said("2026-03-10", later, confidence=0.9, note="no, better"), said("2026-03-10", confidence=0.2)]
    for check_ins in (told, told[::-1]):
        found = row_of("2026-03-10", in_force_of(check_ins, won("2026-01-05")))
        assert (0.9, "no, better") == (found["confidence"], found["note"])


def test_a_check_in_says_all_of_it_anew():
    told = [said("2026-03-02", stated_value=5.0, note="by hand"), said("2026-03-05", confidence=0.9)]
    found = row_of("2026-03-06", in_force_of(told, won("2026-01-05")))
    assert (0.9, None, None, None) == tuple(
        found[name] for name in ("confidence", "note", "stated_value", "stated_progress")
    )


def test_a_check_in_outside_the_period_or_of_another_key_result_holds_nowhere():
    told = [said("2025-12-31", confidence=0.5), said("2026-02-01", key_result_id="test.team.other", confidence=0.5)]
    assert in_force_of(told, won("2026-01-05")).is_empty()


def test_nobody_said_anything():
    assert dict(CHECK_INS_SCHEMA) == dict(in_force_of([], won("2026-01-05")).schema)


# --- what it would mean -----------------------------------------------------------------------------------------------


def test_the_stated_value_stands_beside_the_computed_one_with_what_it_would_mean():
    found = row_of("2026-03-31", in_force_of([said("2026-03-31", stated_value=5.0)], won("2026-01-05")))
    assert (1.0, 0.1, "at_risk") == (found["value"], found["progress"], found["status"])
    assert (5.0, 0.5, "on_track") == (found["stated_value"], found["stated_progress"], found["stated_status"])


def test_it_means_something_where_nothing_could_be_computed():
    found = in_force_of([said("2026-03-31", stated_value=5.0)], [], measure={"count": "deal.won"})
    unread = definition()
    figures = compute([unread], organisation(), log([], covered=None), LAST)
    of_unread = pl.DataFrame([said("2026-03-31", stated_value=5.0)], schema=dict(STATED_SCHEMA))
    blind = row_of("2026-03-31", in_force([unread], organisation(), figures, of_unread))
    assert (None, "no_data") == (blind["value"], blind["status"])
    assert (0.5, "on_track") == (blind["stated_progress"], blind["stated_status"])
    assert 0.5 == row_of("2026-03-31", found)["stated_progress"]


def test_values_stated_for_earlier_windows_count_as_they_were_stated():
    told = [said("2026-01-20", stated_value=10.0), said("2026-02-28", stated_value=5.0)]
    found = in_force_of(told, won("2026-01-05"), every="month")
    # January as stated: 1. February, at its end: 5 of 10.
    assert 0.75 == row_of("2026-02-28", found)["stated_progress"]
    alone = in_force_of(told[1:], won("2026-01-05"), every="month")
    assert 0.3 == pytest.approx(row_of("2026-02-28", alone)["stated_progress"])  # January as computed: 0.1


def test_on_the_last_day_it_would_be_achieved_or_missed():
    for value, status in ((10.0, "achieved"), (9.9, "missed")):
        found = in_force_of([said("2026-12-31", stated_value=value)], won("2026-01-05"), date(2026, 12, 31))
        assert status == row_of("2026-12-31", found)["stated_status"]


def test_a_guardrail_that_does_not_hold_keeps_a_stated_value_from_being_green():
    limit = {"name": "calls", "measure": {"count": "call.made"}, "target": {"at_least": 3}}
    told = [said("2026-03-31", stated_value=9.0)]
    found = row_of("2026-03-31", in_force_of(told, won("2026-01-05"), guardrails=[limit]))
    assert (0.9, "at_risk") == (found["stated_progress"], found["stated_status"])


@pytest.mark.parametrize(
    "declared",
    [
        {"type": "kpi"},
        {"each": {"dimension": "market", "members": ["norte", "sur"]}},
        {
            "measure": None,
            "target": None,
            "all_of": [{"name": "won", "measure": {"count": "deal.won"}, "target": {"value": 3}}],
        },
    ],
)
def test_what_one_value_does_not_say_is_not_known(declared):
    found = row_of("2026-03-31", in_force_of([said("2026-03-31", stated_value=2.0)], won("2026-01-05"), **declared))
    assert (2.0, None, None) == (found["stated_value"], found["stated_progress"], found["stated_status"])


DECLARED = {
    one.id: (one, whole.organisation)
    for folder in (catalogue.FOLDER, catalogue.FOLDER.parent / "tests" / "kr_definitions" / "whole")
    for name in catalogue.organisations(folder)
    for whole in [catalogue.load(name, folder)]
    for one in whole.definitions
    if one.period is not None and one.key_result.target is not None and one.key_result.each is None
}


@pytest.mark.parametrize("name", DECLARED)
@settings(max_examples=max(1, settings.default.max_examples // 100))
@given(seed=st.integers(0, 2**32))
def test_stating_what_was_computed_means_what_was_computed(name, seed):
    one, whose = DECLARED[name]
    random = Random(seed)
    figures = _random_figures(one, whose, random)
    own = figures.filter(pl.col("member").is_null(), pl.col("value").is_not_null())
    in_windows = {first: random.random() < 0.6 for first in own.get_column("window_start").unique(maintain_order=True)}
    told = [  # on every day of some windows: what is said of a day holds on those after it, whatever is computed then
        {**said(str(day), stated_value=value), "key_result_id": one.id}
        for day, value, first in own.select("as_of", "value", "window_start").iter_rows()
        if in_windows[first]
    ]
    found = in_force([one], whose, figures, pl.DataFrame(told, schema=dict(STATED_SCHEMA)))
    agreed = found.filter(pl.col("as_of") == pl.col("checked_in_on"))
    assert agreed.height == len(told)
    assert agreed["stated_progress"].equals(agreed["progress"].alias("stated_progress"))
    assert agreed["stated_status"].equals(agreed["status"].alias("stated_status"))


def _random_figures(one: Any, whose: Any, random: Random) -> pl.DataFrame:
    """Figures with the shape of this key result, from some events of each type that it measures."""
    span, types = one.period, _types(one.measures)
    days = [span.first + timedelta(days=random.randrange(-400, span.days)) for _ in range(40)]
    some = [
        event(
            random.choice(types), f"{day}", str(random.randrange(9)), key=str(n), account_id=str(n % 5),
            actor=str(n % 3), amount="10", currency=whose.currency, quantity=str(random.randrange(1, 20)),
        )
        for n, day in enumerate(days)
    ]  # fmt: skip
    read = log(some, covered="2099-01-01", types=one.types)
    feeds = Feeds(dict.fromkeys(one.types, frozenset({("test", "stream")})), dict.fromkeys(one.types, 3))
    figures = compute([one], whose, read, span.last, feeds)
    assert list(COMPUTED_SCHEMA) == figures.columns
    return figures


def _types(measures: tuple[Measured, ...]) -> list[str]:
    return sorted({name for measure in measures for name in measure.types})
