"""Which organisations a sandbox run is of, and on which day."""

from datetime import UTC, date, datetime

import pytest

from assets.run import RunRefused, sandbox_day, simulated


def test_a_sandbox_run_is_of_the_declared_organisations_that_are_simulated() -> None:
    assert simulated(["inbound", "agencia", "inmobiliaria"]) == ["inbound", "inmobiliaria"]


def test_where_none_is_simulated_the_known_ones_are_named() -> None:
    with pytest.raises(RunRefused, match=r"none of agencia is simulated.*inmobiliaria or revops"):
        simulated(["agencia"])


@pytest.mark.parametrize(
    ("organisations", "day"),
    [
        (["revops"], date(2026, 11, 22)),
        (["inbound"], date(2026, 11, 21)),
        (["revops", "inbound"], date(2026, 11, 21)),
    ],
)
def test_the_day_is_one_that_has_begun_for_all(organisations: list[str], day: date) -> None:
    assert sandbox_day(organisations, datetime(2026, 11, 22, 2, 46, tzinfo=UTC)) == day
