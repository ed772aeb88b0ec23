"""Which organisations a sandbox run is of, and on which day."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from assets.run import RunRefused, real_day, sandbox, sandbox_day, simulated
from pipelines.sandbox.runner import day_of

AFTER_MIDNIGHT = datetime(2026, 11, 22, 2, 46, tzinfo=UTC)


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
def test_the_day_is_one_that_has_begun_for_all(organisations: list[str], day: date, tmp_path: Path) -> None:
    assert real_day(organisations, AFTER_MIDNIGHT) == sandbox_day(organisations, AFTER_MIDNIGHT, tmp_path) == day


@pytest.mark.parametrize(("noted", "day"), [("2026-11-20", date(2026, 11, 21)), ("2026-11-22", date(2026, 11, 22))])
def test_the_day_is_never_before_that_of_the_folder(noted: str, day: date, tmp_path: Path) -> None:
    """Madrid's companies were there after their midnight; in Bogotá it is still the evening before."""
    (tmp_path / "sandbox.json").write_text(f'{{"seed": 1, "today": "{noted}"}}')
    assert sandbox_day(["inbound"], AFTER_MIDNIGHT, tmp_path) == day


def test_a_sandbox_takes_in_one_organisation_after_the_other_around_midnight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITO_HOME", str(tmp_path))
    monkeypatch.setenv("HITO_NOW", AFTER_MIDNIGHT.isoformat())
    for organisation in ("revops", "inbound"):
        with sandbox([organisation], None, 1):
            assert day_of(tmp_path) == date(2026, 11, 22)
