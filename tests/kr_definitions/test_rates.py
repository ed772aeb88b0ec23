"""Amounts in other currencies count by the rate of their day, exactly; where none holds, nothing is pretended."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from builders import definition, event, log, on, organisation
from hypothesis import given
from hypothesis import strategies as st
from stories import FIRST, MARCH, SECOND, THIRD, Story, won

from kr_definitions.compute import compute
from kr_definitions.events import RATE
from kr_definitions.explaining import explain
from kr_definitions.organisation import Organisation
from kr_definitions.rates import CONVERSIONS_SCHEMA, converted
from kr_definitions.unconverted import lacking

SUM: dict[str, Any] = {**MARCH, "measure": {"sum": "amount", "of": "deal.won"}, "target": {"value": 100}}
TODAY = "2026-03-09"  # a Monday


def rate(day: str, pair: str, is_worth: str, key: str | None = None) -> dict[str, Any]:
    """A rate of a day: what one of the first currency of a pair (USD/EUR) is worth in the second."""
    one, other = pair.split("/")
    told = {"from_currency": one, "to_currency": other, "quantity": is_worth}
    return event(RATE, day, pair, key=key or f"{pair} {day}", **told)


def sale(amount: str, currency: str = "USD", day: str = TODAY, key: str = "a", **says: Any) -> dict[str, Any]:
    return won(day, key, amount=amount, currency=currency, **says)


def figure(*events: dict[str, Any], of: Organisation | None = None, day: str = TODAY, **declared: Any) -> Any:
    """The value of a day; `unreliable` where that is what it is."""
    found = figures(*events, of=of, day=day, **declared)
    return on(found, day) if on(found, day, "status") != "unreliable" else "unreliable"


def figures(
    *events: dict[str, Any], of: Organisation | None = None, day: str = TODAY, covered: str = "2027-01-01", **more: Any
) -> pl.DataFrame:
    whose = of or organisation()
    kr = definition(of=whose, **{**SUM, **more})
    return compute([kr], whose, log(events, covered, types=[*kr.types, RATE]), date.fromisoformat(day))


# --- which rate -------------------------------------------------------------------------------------------------------


def test_an_amount_counts_by_the_rate_of_the_day_it_happened_and_not_by_a_later_one():
    told = [sale("100"), rate("2026-03-08", "USD/EUR", "0.5"), rate(TODAY, "USD/EUR", "0.9")]
    assert figure(*told, rate("2026-03-10", "USD/EUR", "0.7"), day="2026-03-12") == 90


def test_amounts_of_several_currencies_add_up_in_the_organisations_own():
    rates = [rate(TODAY, "USD/EUR", "0.9"), rate(TODAY, "EUR/JPY", "160")]
    assert figure(sale("100"), sale("50", "EUR", key="b"), sale("8000", "JPY", key="c"), *rates) == 190


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ([rate(TODAY, "EUR/USD", "1.25")], 80),
        ([rate(TODAY, "EUR/USD", "1.25"), rate(TODAY, "USD/EUR", "0.9")], 90),
        ([rate(TODAY, "EUR/USD", "1.25"), rate("2026-03-08", "USD/EUR", "0.9")], 80),
        ([rate(f"{TODAY} 10:00", "USD/EUR", "0.8"), rate(f"{TODAY} 18:00", "USD/EUR", "0.9")], 90),
    ],
    ids=["the other way round", "its own way round first", "but the newer one", "the last of a day"],
)
def test_a_rate_of_the_pair_holds_either_way_round(told, value):
    assert figure(sale("100"), *told) == value


def test_two_rates_meet_in_the_currency_that_the_organisation_names():
    pesos = organisation(currency="COP")
    by_euro = [rate(TODAY, "EUR/USD", "1.25"), rate(TODAY, "EUR/COP", "5000")]
    by_dollar = [rate(TODAY, "USD/COP", "4000"), rate(TODAY, "GBP/USD", "1.5")]
    assert figure(sale("100"), *by_euro, of=pesos) == 400_000
    assert figure(sale("2", "GBP"), *by_dollar, of=pesos) == "unreliable"
    assert figure(sale("2", "GBP"), *by_dollar, of=organisation(currency="COP", rates={"through": "USD"})) == 12_000


def test_a_rate_of_the_pair_itself_comes_before_two_that_meet():
    told = [rate(TODAY, "EUR/USD", "1.25"), rate(TODAY, "EUR/COP", "5000"), rate(TODAY, "USD/COP", "4012.35")]
    assert figure(sale("100"), *told, of=organisation(currency="COP")) == 401_235


@pytest.mark.parametrize(
    ("day", "at_most", "value"),
    [("2026-03-06", 7, 90), ("2026-03-02", 7, 90), ("2026-03-01", 7, "unreliable"), ("2026-03-01", 30, 90)],
    ids=["over a weekend", "seven days", "eight days", "as long as is said"],
)
def test_the_last_rate_before_a_day_holds_for_so_many_days(day, at_most, value):
    of = organisation(rates={"at_most_days": at_most})
    assert figure(sale("100"), rate(day, "USD/EUR", "0.9"), of=of) == value


def test_a_day_is_cut_on_the_organisations_clock():
    midnight = rate("2026-03-10 00:30", "USD/EUR", "0.5")  # half past five in the afternoon in Bogotá, on the ninth
    told = [sale("100", day=f"{TODAY} 12:00"), midnight, rate("2026-03-08", "USD/EUR", "0.9")]
    assert figure(*told) == 90
    assert figure(*told, of=organisation(zone="America/Bogota")) == 50


def test_sources_that_contradict_each_other_say_nothing_until_one_is_chosen():
    story = Story([definition(**SUM)]).told(FIRST, sale("100", day="2026-03-02"), source="crm")
    story.told(FIRST, rate("2026-03-02", "USD/EUR", "0.9"), source="bank").read(FIRST, "2026-03-03", "deal.won", RATE)
    story.run(FIRST)
    assert on(story.now(), "2026-03-02") == 90
    story.told(SECOND, rate("2026-03-02", "USD/EUR", "0.8"), source="sheet").run(SECOND)
    assert (on(story.now(), "2026-03-02"), on(story.now(), "2026-03-02", "status")) == (None, "unreliable")
    chosen = organisation(rates={"sources": ["bank"]})
    found = compute([definition(of=chosen, **SUM)], chosen, story.log.lazy(), date(2026, 3, 2))
    assert on(found, "2026-03-02") == 90


def test_an_organisation_names_only_sources_that_it_has():
    with pytest.raises(ValueError, match=r"rates\.sources names banco, which is no source"):
        organisation(sources={"bank": {"kind": "ecb"}}, rates={"sources": "banco"})


# --- exactly ----------------------------------------------------------------------------------------------------------


@given(
    amount=st.decimals(-(10**15), 10**15, places=6),
    over=st.integers(1, 10**13),
    times=st.integers(1, 10**13),
)
def test_a_conversion_is_rounded_once_half_away_from_zero(amount: Decimal, times: int, over: int):
    by = pl.DataFrame(
        [("USD", date(2026, 3, 9), times, over, 2**126 // (2 * times) - over, "", [], None)],
        schema=dict(CONVERSIONS_SCHEMA),
        orient="row",
    )
    stated = pl.LazyFrame(
        {"amount": [amount], "currency": ["USD"], "day": [date(2026, 3, 9)]},
        schema_overrides={"amount": pl.Decimal(38, 6)},
    )
    exact = abs(int(amount.scaleb(6))) * times
    rounded = Decimal(exact // over + (2 * (exact % over) >= over)).scaleb(-6)
    assert converted(stated, by, organisation()).collect().row(0) == (
        rounded.copy_sign(amount), "USD", date(2026, 3, 9), False,
    )  # fmt: skip


def test_two_rates_are_joined_before_anything_is_rounded():
    told = [rate(TODAY, "EUR/USD", "3"), rate(TODAY, "EUR/COP", "9")]
    assert figure(sale("0.000001"), *told, of=organisation(currency="COP")) == 0.000003


def test_an_amount_that_is_too_large_to_be_converted_exactly_is_not():
    assert figure(sale("9" * 31), rate(TODAY, "USD/EUR", "4012.35")) == "unreliable"


# --- where none holds -------------------------------------------------------------------------------------------------


def test_what_lacks_names_the_day_the_pair_and_why():
    told = [
        sale("1", "USD"),
        sale("1", "USD", key="b"),
        sale("1", "GBP", "2026-03-20", key="c"),
        rate("2026-03-01", "GBP/EUR", "1.2"),
    ]
    kr = definition(**SUM)
    stated = log(told, "2027-01-01", types=[*kr.types, RATE])
    found = lacking(kr, organisation(), stated, date(2026, 3, 1), date(2026, 3, 31))
    assert found.rows() == [("USD", date(2026, 3, 9), "missing", 2), ("GBP", date(2026, 3, 20), "too_old", 1)]


def test_a_rate_holds_only_as_far_as_rates_have_been_read():
    told = [sale("100"), rate("2026-03-06", "USD/EUR", "0.9")]
    kr, read = definition(**SUM), "2026-03-08"
    sales = log(told[:1], "2027-01-01", types=kr.types)
    stated = pl.concat([sales, log(told[1:], read, types=[RATE])])
    assert on(compute([kr], organisation(), stated, date(2026, 3, 9)), TODAY, "status") == "unreliable"
    assert lacking(kr, organisation(), stated, None, date(2026, 3, 9)).rows() == [
        ("USD", date(2026, 3, 9), "not_read", 1)
    ]


LARGE = "amount > 95"


@pytest.mark.parametrize(
    "measure",
    [
        {"count": "deal.won", "where": LARGE},
        {"share": {"of": "deal.won", "reached": LARGE}},
        {"mean": "amount", "of": "deal.won"},
        {"max": "amount", "of": "deal.won"},
        {"open": {"opened_by": "deal.won", "closed_by": "deal.lost", "value": "amount"}},
        {"ratio": {"numerator": {"sum": "amount", "of": "deal.won"}, "denominator": {"figure": 2}}},
        {"distinct": "account_id", "of": "deal.won", "where": LARGE},
    ],
    ids=["filter", "share", "mean", "max", "open", "ratio", "distinct"],
)
def test_every_measure_of_amounts_converts_them_and_is_unreliable_without_a_rate(measure):
    told = [sale("100", account_id="x"), sale("90", "EUR", key="b", account_id="y")]
    plain = [sale("90", "EUR", account_id="x"), sale("90", "EUR", key="b", account_id="y")]
    asked = {"measure": measure, "target": {"at_least": Decimal("0.5")}}
    assert figure(*told, rate(TODAY, "USD/EUR", "0.9"), **asked) == figure(*plain, **asked)
    assert figure(*told, **asked) == "unreliable"


def test_what_is_counted_whatever_its_amount_needs_no_rate():
    assert figure(sale("100"), measure={"count": "deal.won", "where": "currency = 'USD'"}) == 1


# --- what moved -------------------------------------------------------------------------------------------------------


def reported(*, rate_of: str = "2026-03-02") -> Story:
    """A sale in dollars on the second of March, one in euros on the first, and a run through the third."""
    story = Story([definition(**SUM), definition(**MARCH, id="test.team.count")])
    story.told(FIRST, sale("100", day="2026-03-02"), sale("10", "EUR", "2026-03-01", key="b"))
    story.told(FIRST, rate(rate_of, "USD/EUR", "0.9", key="rate")).read(FIRST, "2026-03-03", "deal.won", RATE)
    story.run(FIRST)
    return story


def test_a_corrected_rate_restates_the_days_that_it_moves_and_is_named():
    story = reported()
    story.told(SECOND, rate("2026-03-02", "USD/EUR", "0.8", key="rate"))
    rows = story.run(SECOND).select("as_of", "value", "previous_value", "cause").rows()
    assert rows == [(date(2026, 3, day), 90.0, 100.0, "rate") for day in (2, 3)]
    moved = story.movers.select("event_type", "change", "cause", "first_day", "last_day", "numerator_change").rows()
    span = (date(2026, 3, 2), date(2026, 3, 3))
    assert sorted(moved, key=str) == sorted(
        [
            ("deal.won", "changed", None, *span, Decimal("-10.000000")),
            *[(RATE, "beside", "rate", *span, None)] * 2,  # the one that was withdrawn and the one in its place
        ],
        key=str,
    )


def test_a_rate_that_no_amount_counts_by_moves_nothing():
    story = reported()
    assert (
        not story.told(SECOND, rate("2026-03-01", "USD/EUR", "0.7"), rate("2026-03-02", "GBP/EUR", "2"))
        .run(SECOND)
        .height
    )


def test_a_rate_that_comes_late_is_why_a_value_is_known_at_last():
    story = reported(rate_of="2026-03-03")
    story.told(SECOND, rate("2026-03-01", "USD/EUR", "0.5")).run(SECOND)
    rows = story.now().filter(key_result_id="test.team.kr").select("value", "previous_value", "cause").rows()
    assert rows == [(10.0, None, None), (60.0, None, "rate"), (60.0, None, "rate")]


def test_a_corrected_amount_is_a_correction_whatever_rates_came_with_it():
    story = reported()
    told = sale("200", day="2026-03-02"), rate("2026-03-04", "USD/EUR", "0.7")
    assert {"correction"} == set(story.told(THIRD, *told).run(THIRD).get_column("cause"))


# --- explained --------------------------------------------------------------------------------------------------------


def test_an_explanation_shows_what_was_stated_and_by_which_rates_it_counts():
    pesos = organisation(currency="COP")
    told = [
        sale("100", "USD"), sale("10", "GBP", key="b"), sale("5", "COP", key="c"),
        rate("2026-03-06", "USD/COP", "4012.35"), rate("2026-03-06", "EUR/GBP", "0.8"), rate(TODAY, "EUR/COP", "5000"),
    ]  # fmt: skip
    kr = definition(of=pesos, **SUM)
    found = explain(kr, pesos, log(told, "2027-01-01", types=[*kr.types, RATE]), date(2026, 3, 9))
    assert found is not None
    assert found.adds_up
    assert found.events.select("contribution", "amount", "currency", "rate").rows() == [
        (401_235.0, 100, "USD", "1 USD = 4012.35 COP (2026-03-06)"),
        (62_500.0, 10, "GBP", "1 EUR = 0.8 GBP (2026-03-06); 1 EUR = 5000 COP (2026-03-09)"),
        (5.0, 5, "COP", None),
    ]


# --- meaning ----------------------------------------------------------------------------------------------------------


def test_how_amounts_are_converted_is_part_of_what_a_figure_of_money_means_and_of_no_other():
    other = organisation(rates={"through": "USD"})
    money = [definition(of=of, **SUM).meaning for of in (organisation(), other)]
    counts = [definition(of=of, **MARCH).meaning for of in (organisation(), other)]
    assert money[0].measured_hash != money[1].measured_hash
    assert counts[0].content_hash == counts[1].content_hash
