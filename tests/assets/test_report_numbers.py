"""Figures are written as the reader's language writes them."""

from __future__ import annotations

import pytest

from assets.publication.trend import sparkline
from assets.report import numbers
from assets.report.words import LANGUAGES

ES, EN = LANGUAGES["es"], LANGUAGES["en"]


@pytest.mark.parametrize(
    ("value", "unit", "spanish", "english"),
    [
        (14.0, "deals", "14", "14"),
        (1204.0, "calls", "1204", "1,204"),
        (12040.0, "calls", "12.040", "12,040"),
        (-3.0, "deals", "-3", "-3"),
        (0.0, "deals", "0", "0"),
        (0.93, "share", "93 %", "93%"),
        (0.875, "share", "87,5 %", "87.5%"),
        (1.0, "share", "100 %", "100%"),
        (444327.77, "EUR", "444.328 €", "€444,328"),
        (12.5, "EUR", "12,50 €", "€12.50"),
        (-250.0, "EUR", "-250 €", "-€250"),
        (575_300_000.0, "COP", "575,3 M COP", "COP 575.3M"),
        (12_345_678.0, "EUR", "12,3 M€", "€12.3M"),
        (9_999_999.0, "EUR", "9.999.999 €", "€9,999,999"),
        (1_234_567_890.0, "COP", "1234,6 M COP", "COP 1,234.6M"),
        (0.004, "EUR", "0,004 €", "€0.004"),
        (23.44, "days", "23,4 días", "23.4 days"),
        (0.04, "score", "0,04", "0.04"),
        (0.0416, "score", "0,042", "0.042"),
        (0.96, "hours", "0,96 horas", "0.96 hours"),
        (0.0004, "share", "0,04 %", "0.04%"),
        (0.9999, "share", "99,99 %", "99.99%"),
        (0.9996, "share", "99,96 %", "99.96%"),
        (0.999999999, "share", "99,999999 %", "99.999999%"),
        (0.30000000000000004, "share", "30 %", "30%"),
        (7.0, "NPS", "7", "7"),
        (1e27, "deals", "1.000.000.000.000.000.000.000.000.000", "1,000,000,000,000,000,000,000,000,000"),
        (4.0, "minutes", "4 min", "4 min"),
        (None, "deals", "—", "—"),
        (float("nan"), "deals", "—", "—"),
        (float("inf"), "EUR", "—", "—"),
    ],
)
def test_a_figure_in_its_unit(value: float | None, unit: str, spanish: str, english: str) -> None:
    assert (numbers.figure(value, unit, ES), numbers.figure(value, unit, EN)) == (spanish, english)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (0.0, "0%"),
        (0.356, "36%"),
        (0.996, "99%"),
        (0.9999, "99%"),
        (1.0, "100%"),
        (1.254, "125%"),
        (-0.1, "-10%"),
        (None, "—"),
    ],
)
def test_a_part_never_says_that_it_is_whole_before_it_is(part: float | None, told: str) -> None:
    assert numbers.percent(part, EN) == told


@pytest.mark.parametrize(
    ("target", "high", "unit", "direction", "told"),
    [
        (20.0, None, "deals", "increase", "20"),
        (0.9, None, "share", "at_least", "≥ 90 %"),
        (26.0, None, "days", "at_most", "≤ 26 días"),
        (None, None, "deals", "increase", "—"),
        (5.0, 7.0, "deals", None, "5 – 7"),
        (0.85, 0.95, "share", None, "85 % – 95 %"),
    ],
)
def test_a_target_says_which_way_is_better(
    target: float | None, high: float | None, unit: str, direction: str | None, told: str
) -> None:
    assert numbers.target(target, high, unit, direction, ES) == told


@pytest.mark.parametrize(
    ("value", "target", "unit", "told"),
    [
        (0.0206, 0.0214, "share", ("2,06 %", "2,14 %")),
        (9.96, 10.0, "days", ("9,96 días", "10 días")),
        (1999.6, 2000.0, "deals", ("1999,6", "2000")),
        (1000.4, 1000.2, "EUR", ("1000,40 €", "1000,20 €")),
        (5.004, 5.0, "EUR", ("5,004 €", "5,00 €")),
        (12_340_000.0, 12_310_000.0, "EUR", ("12,34 M€", "12,31 M€")),
        (7.0, 20.0, "deals", ("7", "20")),
        (0.1 + 0.2, 0.3, "share", ("30 %", "30 %")),
        (None, 20.0, "deals", ("—", "20")),
    ],
)
def test_a_value_and_a_target_that_differ_do_not_look_the_same(
    value: float | None, target: float, unit: str, told: tuple[str, str]
) -> None:
    more = numbers.more_decimals(value, target, unit)
    assert told == tuple(numbers.figure(one, unit, ES, more_decimals=more) for one in (value, target))


@pytest.mark.parametrize(
    ("by", "unit", "told"),
    [
        (4.0, "deals", "+4"),
        (-4.0, "deals", "-4"),
        (1375.5, "EUR", "+1376 €"),
        (-0.02, "share", "-2 pt"),
        (0.0004, "share", "+0,04 pt"),
        (-0.3, "deals", "-0,3"),
        (1e-9, "deals", ""),
        (0.0, "deals", ""),
        (None, "deals", ""),
        (-1.5, "days", "-1,5"),
    ],
)
def test_a_movement_has_a_sign_and_a_share_moves_by_points(by: float | None, unit: str, told: str) -> None:
    assert numbers.moved(by, unit, ES) == told


@pytest.mark.parametrize(
    ("values", "width", "floor", "drawn"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, None, "▁▂▃▄▅▆▇█"),
        ([10, 11], 8, None, "▁█"),
        ([10, 11], 8, 0, "▇█"),
        ([5, 5, 5], 8, None, "▄▄▄"),
        ([0, 0, 0], 8, None, "▁▁▁"),
        ([None, None], 8, None, "··"),
        ([], 8, None, ""),
        ([1, None, 3], 8, None, "▁·█"),
        ([1, 1, 2, 2, 3, 3], 3, None, "▁▅█"),
        ([1, None, None, None, 3, 3], 2, None, "·▄"),
        ([float("nan"), 1.0, float("inf"), 2.0], 8, None, "·▁·█"),
        ([-2, 0, 2], 8, 0, "▁▅█"),
    ],
)
def test_a_sparkline(values: list[float | None], width: int, floor: float | None, drawn: str) -> None:
    assert sparkline(values, width, floor) == drawn
