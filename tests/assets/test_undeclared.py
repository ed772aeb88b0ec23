"""An organisation that is declared no more keeps all that was reported of it, and whoever asks is told."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime

import duckdb
import pytest

from assets import steps
from assets.commands.comparing import compared
from assets.home import Home
from assets.publishing import publish_all
from kr_definitions.catalogue import FOLDER

AT = datetime(2026, 4, 2, 6, tzinfo=UTC)


@pytest.fixture
def without_it(agency, tmp_path):
    """The agency's home after a run that published it; then only another organisation is declared."""
    home, catalogue = agency
    steps.remember_progress(home, catalogue, date(2026, 3, 31), AT, "run")
    publish_all(home, [catalogue], AT, "run")
    definitions = tmp_path / "kr_definitions"
    shutil.copytree(FOLDER / "inbound", definitions / "inbound")
    return Home(home.root, definitions)


def rows(home, table):
    with duckdb.connect(str(home.published), read_only=True) as connection:
        query = f"select count(*) from {table} where organisation = 'inmobiliaria'"
        return connection.execute(query).fetchone()[0]


@pytest.mark.parametrize("table", ["progress_history", "current_progress", "organisations", "key_results"])
def test_what_was_published_of_it_stays(without_it, table):
    before = rows(without_it, table)
    publish_all(without_it, [without_it.catalogue("inbound")], AT, "next")
    assert rows(without_it, table) == before > 0


@pytest.mark.parametrize("is_with_log", [True, False])
def test_a_comparison_tells_that_its_key_results_are_removed(without_it, is_with_log):
    found = compared(without_it, None, None if is_with_log else without_it.published, AT)
    removed = {one.organisation: len(one.of("retired")) for one in found}
    assert removed == {"inbound": 0, "inmobiliaria": 17}
